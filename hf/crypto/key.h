/* SPDX-License-Identifier: Apache-2.0
 * Private keys and sealed secrets on hosts: offline roles, online roles, CA. OpenSSL behind it.
 *
 * A key file is PKCS#8 PEM; encrypted ones are PBES2 with scrypt and AES-256-CBC (RFC 8018, RFC 7914), readable by
 * `openssl pkey`. PKCS#11 and TPM keys join behind the same functions.
 */
#ifndef HF_CRYPTO_KEY_H
#define HF_CRYPTO_KEY_H

#include "hf/crypto/crypto.h"

/** scrypt work of an encrypted key file: N=2^14, r=8, p=5, 16 MiB, about 0.2 s. A greater N would pass the 32 MiB that
 * `openssl pkey` allows itself when it reads a key; a greater p costs an attacker as much. */
#define HF_KEY_SCRYPT_LOG_N 14
#define HF_KEY_SCRYPT_P 5
/** scrypt work of a password: N=2^15, r=8, p=1, 32 MiB, about 0.1 s. */
#define HF_PASSWORD_SCRYPT_LOG_N 15
/** Stored form of a password: `scrypt$15$` + 24 + `$` + 44. */
#define HF_PASSWORD_STORED_MAX 80
/** More than anybody types. */
#define HF_KEY_PASSPHRASE_MAX 1024
/** A PEM file of ours is under 1 KiB. */
#define HF_KEY_PEM_MAX 4096

struct hf_key;

/** Make a key. Gives `*key`: free with hf_key_free. */
HF_MUST enum hf_err hf_key_new(struct hf_key **key, enum hf_key_type type);
/** Read a PEM key. `passphrase.len == 0` for plain PKCS#8, where a passphrase is not looked at. HF_E_DENIED: wrong or
 * missing passphrase; HF_E_INPUT: not a key of a known type, or its halves do not belong together. Gives `*key`, NULL
 * at failure. */
HF_MUST enum hf_err hf_key_parse(struct hf_key **key, struct hf_bytes pem, struct hf_bytes passphrase);
/** Write PEM, encrypted unless the passphrase is empty. Wipe `out` after use when it is not. */
HF_MUST enum hf_err hf_key_encode(struct hf_buf *out, const struct hf_key *key, struct hf_bytes passphrase);
void hf_key_free(struct hf_key *key);
/** Its public half. */
HF_MUST enum hf_err hf_key_public(struct hf_pubkey *pub, const struct hf_key *key);
/** Sign a message: P-256 signs its SHA-256 (DER out), Ed25519 the message itself. Appends at most HF_SIG_MAX bytes. */
HF_MUST enum hf_err hf_key_sign(struct hf_buf *sig, const struct hf_key *key, struct hf_bytes message);
/** Sign a ready SHA-256 digest: P-256 directly, Ed25519 takes the 32 bytes as its message (MCUboot image signatures).
 */
HF_MUST enum hf_err hf_key_sign_digest(struct hf_buf *sig, const struct hf_key *key,
                                       const uint8_t digest[HF_SHA256_LEN]);
/** The OpenSSL key inside, borrowed, as `EVP_PKEY *`: for TLS and X.509 code only. */
void *hf_key_native(const struct hf_key *key);

/** Password storage: `scrypt$<log2 N>$<salt b64>$<hash b64>` (RFC 7914), appended. */
HF_MUST enum hf_err hf_password_put(struct hf_buf *out, struct hf_bytes password);
/** Does the password match the stored form? Constant time in the hash. */
HF_MUST enum hf_verdict hf_password_verify(struct hf_bytes stored, struct hf_bytes password);

/** Seal: AES-256-GCM, random nonce first, tag last; appends len+28 bytes. For secrets and personal data at rest. */
HF_MUST enum hf_err hf_seal(struct hf_buf *out, const uint8_t key[32], struct hf_bytes plain, struct hf_bytes aad);
/** Open; HF_E_DENIED when it was changed. */
HF_MUST enum hf_err hf_unseal(struct hf_buf *out, const uint8_t key[32], struct hf_bytes sealed, struct hf_bytes aad);

#endif
