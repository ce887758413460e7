/* SPDX-License-Identifier: Apache-2.0
 * A device's certification request, PKCS#10 (RFC 2986), written without a crypto library: the key may sit in a TPM or a
 * secure element that signs a digest and nothing else. Reading requests is the server's, with OpenSSL.
 */
#ifndef HF_WIRE_CSR_H
#define HF_WIRE_CSR_H

#include "hf/crypto/crypto.h"

/** DER of the largest request: names at their longest. */
#define HF_CSR_MAX 640

/** Who asks. Names as in hf/wire/names.h; all borrowed. */
struct hf_csr_subject {
  struct hf_bytes device;   /**< becomes CN (2.5.4.3) and serialNumber (2.5.4.5) */
  struct hf_bytes product;  /**< becomes OU (2.5.4.11) */
  struct hf_bytes hardware; /**< becomes description (2.5.4.13) */
};

/** How to sign: wherever the private key lives. Appends an ECDSA signature in DER over the digest. */
struct hf_csr_signer {
  enum hf_err (*sign)(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN]);
  void *ctx;
};

/**
 * Append a signed request for a P-256 key.
 * @param out      appended to: at most HF_CSR_MAX bytes of DER; unchanged at failure
 * @param subject  borrows
 * @param pub      borrows; the public half of the key that `signer` uses
 * @param signer   called once
 * @return HF_OK; HF_E_INPUT: a name that hf/wire/names.h refuses, or no P-256 key; HF_E_SPACE; or what `sign` returned.
 *         Device; no heap; stack about 2 KB.
 */
HF_MUST enum hf_err hf_csr_encode(struct hf_buf *out, const struct hf_csr_subject *subject, const struct hf_pubkey *pub,
                                  struct hf_csr_signer signer);

#endif
