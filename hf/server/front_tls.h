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
#include "hf/fleet/cafile.h"
#include "hf/server/child.h"
#include "hf/wire/checkin.h"
#include "hf/wire/names.h"

/** A CA and those that went before it or come after it, by number (hf/fleet/cafile.h). */
struct hf_front_cas {
  X509 *at[HF_CAFILE_MAX];
  size_t count;
};

/** What front keeps of tls/. */
struct hf_front_tls {
  SSL_CTX *devices;
  SSL_CTX *people;
  X509 *server; /**< the server's own certificate: its names are what Host may say */
  struct hf_front_cas device_ca;
  struct hf_front_cas factory_ca;
  struct hf_front_cas server_ca;         /**< what devices are to know this server by; the last is the newest */
  struct hf_front_cas server_cross;      /**< the newer of them, each signed by the one before (RFC 4210: NewWithOld) */
  uint8_t anchor[HF_CHECKIN_ANCHOR_LEN]; /**< of the newest server CA */
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
  uint32_t tls;                    /**< version of this connection: 0x0304 */
  char cipher[48];                 /**< its suite */
  uint8_t key_hash[HF_SHA256_LEN]; /**< factory certificates: of the SubjectPublicKeyInfo */
  char kind[32];                   /**< factory certificates: "ec-256 sha256" */
  bool weak;                       /**< factory certificates: nobody should rely on it any more */
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

/** Key and signature of a certificate in words ("rsa-1024 sha1"). @return is it weak: RSA below 2048 bits, SHA-1 or
 * older? */
bool hf_front_tls_kind(char kind[32], const X509 *cert);

/** Is this Host (a name or address, with or without port) one of the server certificate's names? */
bool hf_front_tls_host_check(const struct hf_front_tls *tls, struct hf_bytes host);

#endif
