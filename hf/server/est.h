/* SPDX-License-Identifier: Apache-2.0
 * Enrolment over Secure Transport (RFC 7030): reading a PKCS#10 request, and writing "certs-only" replies. Pure but for
 * OpenSSL; the routes are hf/server/front_device.h, who may enrol is the engine's question.
 */
#ifndef HF_SERVER_EST_H
#define HF_SERVER_EST_H

#include <openssl/x509.h>

#include "hf/base/why.h"
#include "hf/crypto/crypto.h"
#include "hf/wire/names.h"

/** Longest request, DER: a subject of three names and a P-256 key is under 640 bytes; others send attributes too. */
#define HF_EST_CSR_MAX 4096
/** The same in base64 with line ends. */
#define HF_EST_BODY_MAX 6144
/** Longest reply: eighteen certificates of ours in base64. */
#define HF_EST_REPLY_MAX 20480

/** What matters of a request. */
struct hf_est_csr {
  char device[HF_DEVICE_ID_MAX + 1];
  struct hf_pubkey key;
};

/**
 * Read a request as an EST client sends it and check that its sender holds the private key.
 * @param csr   fills
 * @param body  borrows; base64 of DER PKCS#10 (RFC 8951 section 3.1), or PEM as careless clients send it
 * @param why   fills with a rule CSR_* at refusal
 * @return HF_OK or HF_E_INPUT. Requested extensions and other names are ignored.
 */
HF_MUST enum hf_err hf_est_parse(struct hf_est_csr *csr, struct hf_bytes body, struct hf_why *why);

/** Append base64 of a PKCS#7 certs-only message (RFC 7030 section 4.1.3) with these certificates. HF_E_SPACE;
 * HF_E_CRYPTO. */
HF_MUST enum hf_err hf_est_encode(struct hf_buf *out, X509 *const *certificates, size_t count);
/** The same for one certificate as DER. HF_E_INPUT when it is none. */
HF_MUST enum hf_err hf_est_encode_der(struct hf_buf *out, struct hf_bytes certificate);

#endif
