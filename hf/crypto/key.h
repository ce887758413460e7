/* SPDX-License-Identifier: Apache-2.0
 * Private keys and sealed secrets on hosts: offline roles, online roles, CA. OpenSSL behind it.
 *
 * A key file is PKCS#8 PEM; encrypted ones are PBES2 with scrypt and AES-256-CBC (RFC 8018, RFC 7914), readable by
 * `openssl pkey`. It may instead hold one line that names a key in a PKCS#11 token (`pkcs11:...`, RFC 7512), or a key
 * of a TPM 2.0: `tpm2:handle=0x81...`, or the TPM's own wrapped form in PEM (`TSS2 PRIVATE KEY`). Nothing of a token or
 * TPM is loaded before the first such key is opened.
 */
#ifndef HF_CRYPTO_KEY_H
#define HF_CRYPTO_KEY_H

#include "hf/base/why.h"
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

/** Where a private key lives. The numbers are those of a check-in (hf/wire/checkin.h, enum hf_key_storage). */
enum hf_key_home { HF_KEY_IN_FILE = 1, HF_KEY_IN_TPM = 2, HF_KEY_IN_PKCS11 = 3 };

/** Make a key. Gives `*key`: free with hf_key_free. */
HF_MUST enum hf_err hf_key_new(struct hf_key **key, enum hf_key_type type);
/**
 * Open a key by the content of a key file.
 * @param key         gives, NULL at failure: free with hf_key_free
 * @param text        borrows; PEM, `pkcs11:...` or `tpm2:...`
 * @param passphrase  borrows; of the PEM file, or the PIN of a token whose URI names none. `len == 0` for plain PKCS#8,
 *                    where a passphrase is not looked at.
 * @param why         fills with an HF_RULE_KEY_* when a token or TPM refused; may be NULL
 * @return HF_OK; HF_E_DENIED: wrong or missing passphrase or PIN, or the token is locked (a PIN is tried once, never
 *         twice: tokens count); HF_E_INPUT: not a key of a known type, its halves do not belong together, several
 * match, or no URI; HF_E_NOT_FOUND: no such token or key; HF_E_IO: no module or TPM, or it failed
 */
HF_MUST enum hf_err hf_key_open(struct hf_key **key, struct hf_bytes text, struct hf_bytes passphrase,
                                struct hf_why *why);
/** hf_key_open for callers who do not ask why. */
HF_MUST enum hf_err hf_key_parse(struct hf_key **key, struct hf_bytes text, struct hf_bytes passphrase);
/**
 * Make a P-256 key in the token that a URI names, not extractable. `object=` or `id=` must be there; a missing id is
 * made up. Gives `*key`. HF_E_EXISTS: there is such a key. Other errors as hf_key_open.
 */
HF_MUST enum hf_err hf_key_create(struct hf_key **key, struct hf_bytes uri, struct hf_bytes pin, struct hf_why *why);
/** Remove the key pair that a URI names from its token. HF_E_NOT_FOUND: it is not there. For device keys that were
 * replaced. */
HF_MUST enum hf_err hf_key_destroy(struct hf_bytes uri, struct hf_bytes pin, struct hf_why *why);
/** Make a P-256 key in the TPM (under a storage root key of the owner hierarchy); hf_key_encode writes its wrapped
 * form, which is of use in this TPM only. Gives `*key`. */
HF_MUST enum hf_err hf_key_create_tpm(struct hf_key **key, struct hf_why *why);
/** Does this text name a key elsewhere rather than hold one? True for `pkcs11:` and `tpm2:` lines. */
bool hf_key_is_reference(struct hf_bytes text);
/** Where it lives. */
enum hf_key_home hf_key_home(const struct hf_key *key);
/** Why the last signature of this key failed: an HF_RULE_KEY_* for keys of tokens and TPMs, else 0. */
uint16_t hf_key_rule(const struct hf_key *key);
/** Write PEM, encrypted unless the passphrase is empty. Wipe `out` after use when it is not. A TPM's key is written in
 * its wrapped form, whatever the passphrase. HF_E_STATE: a key that cannot leave its token or handle. */
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
