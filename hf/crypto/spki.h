/* SPDX-License-Identifier: Apache-2.0
 * Signatures by keys that only hosts verify: RSA of 2048 to 4096 bits and ECDSA P-384, as securesystemslib names them.
 * Hosts only (OpenSSL); a device never links this.
 */
#ifndef HF_CRYPTO_SPKI_H
#define HF_CRYPTO_SPKI_H

#include "hf/base/bytes.h"

enum hf_spki_scheme {
  HF_SPKI_NONE = 0,
  HF_SPKI_PSS_SHA256,
  HF_SPKI_PSS_SHA384,
  HF_SPKI_PSS_SHA512,
  HF_SPKI_PKCS1_SHA256,
  HF_SPKI_PKCS1_SHA384,
  HF_SPKI_PKCS1_SHA512,
  HF_SPKI_P384_SHA384
};

/** An RSA-4096 signature. */
#define HF_SPKI_SIG_MAX 512
/** SubjectPublicKeyInfo of RSA-4096 is 550 bytes. */
#define HF_SPKI_DER_MAX 640

/** The scheme of a name such as "rsassa-pss-sha256"; HF_SPKI_NONE for others, MD5 and SHA-1 among them. */
enum hf_spki_scheme hf_spki_scheme_get(struct hf_bytes name);
/**
 * Read a PEM `PUBLIC KEY`, whatever its line lengths.
 * @param der     appends SubjectPublicKeyInfo in its one DER form
 * @param scheme  what it is to be used with
 * @return HF_OK; HF_E_INPUT: no key, of another type, RSA outside 2048..4096 bits, or an exponent that is even or below
 * 3
 */
HF_MUST enum hf_err hf_spki_parse_pem(struct hf_buf *der, enum hf_spki_scheme scheme, struct hf_bytes pem);
/** Is it a signature of this message? RSA-PSS salts may be of any length (RFC 8017 section 9.1.2). */
HF_MUST enum hf_verdict hf_spki_verify(struct hf_bytes der, enum hf_spki_scheme scheme, struct hf_bytes message,
                                       struct hf_bytes sig);

#endif
