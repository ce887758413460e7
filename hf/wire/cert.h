/* SPDX-License-Identifier: Apache-2.0
 * Certificates as our own factory writes them (docs/spec/factory.md), read without a crypto library's X.509 code: who
 * it is for, whose key, and is it signed by this one issuer. Not a path validation: TLS has OpenSSL for that.
 */
#ifndef HF_WIRE_CERT_H
#define HF_WIRE_CERT_H

#include "hf/crypto/crypto.h"

/** Ours are under 1 KiB. */
#define HF_CERT_MAX 2048

/** What is read of a certificate. Views borrow the certificate; an attribute that is not there is empty. */
struct hf_cert {
  struct hf_bytes tbs;      /**< what is signed */
  struct hf_bytes sig;      /**< ECDSA in DER */
  struct hf_bytes serial;   /**< content of the INTEGER */
  struct hf_bytes device;   /**< serialNumber (2.5.4.5) */
  struct hf_bytes product;  /**< OU (2.5.4.11) */
  struct hf_bytes hardware; /**< description (2.5.4.13) */
  struct hf_pubkey key;     /**< P-256 */
};

/** Read one, DER, the whole input. HF_E_INPUT: not an X.509 v3 certificate with a P-256 key, signed with
 * ecdsa-with-SHA256, or an attribute of those three is there twice. */
HF_MUST enum hf_err hf_cert_parse(struct hf_cert *cert, struct hf_bytes der);
/** Is it signed by this key? */
HF_MUST enum hf_verdict hf_cert_verify(const struct hf_cert *cert, const struct hf_pubkey *issuer);

#endif
