/* SPDX-License-Identifier: Apache-2.0
 * TLS of the two listeners, and who a client certificate says its owner is.
 *
 * Device listener: a client certificate is asked for; one that is presented must chain to the device CA or the factory
 * CA. Its dates are not judged in the handshake but on every request (front_device), so that a device with an expired
 * certificate gets an answer that says so, and a connection that outlives its certificate ends.
 */
#ifndef HF_SERVER_FRONT_TLS_H
#define HF_SERVER_FRONT_TLS_H

#include <openssl/ssl.h>

#include "hf/crypto/crypto.h"
#include "hf/server/child.h"
#include "hf/wire/names.h"

/** What front keeps of tls/. */
struct hf_front_tls {
  SSL_CTX *devices;
  SSL_CTX *people;
  X509 *server; /**< the server's own certificate: its names are what Host may say */
  X509 *device_ca;
  X509 *factory_ca;
};

/** The owner of a verified client certificate. Texts end with NUL. */
struct hf_front_identity {
  bool present;
  bool factory; /**< issued by the factory CA */
  char device[HF_DEVICE_ID_MAX + 1];
  char product[HF_PRODUCT_MAX + 1];      /**< factory certificates: OU */
  char hardware[HF_HARDWARE_ID_MAX + 1]; /**< factory certificates: title */
  uint8_t sha256[HF_SHA256_LEN];         /**< of the certificate's DER */
  int64_t not_before;
  int64_t not_after;
};

/** Load DIR/server/tls. HF_E_NOT_FOUND, HF_E_INPUT, HF_E_CRYPTO, each after a message on standard error. */
HF_MUST enum hf_err hf_front_tls_open(struct hf_front_tls *tls, const struct hf_setup *setup);
void hf_front_tls_close(struct hf_front_tls *tls);

/**
 * Who is at the other end, after the handshake, also of a resumed session.
 * @param identity  fills; `present` false when no certificate was sent
 * @return HF_OK; HF_E_DENIED: a verified certificate without a usable device id
 */
HF_MUST enum hf_err hf_front_tls_identity(struct hf_front_identity *identity, const struct hf_front_tls *tls,
                                          const SSL *ssl);

/** Is this Host (a name or address, with or without port) one of the server certificate's names? */
bool hf_front_tls_host_check(const struct hf_front_tls *tls, struct hf_bytes host);

#endif
