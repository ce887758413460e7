/* SPDX-License-Identifier: Apache-2.0
 * Hash, verify, random: what device and host need from a crypto library. One header, one back end linked in
 * (crypto_openssl.c on hosts; crypto_psa.c on microcontrollers later).
 *
 * Private keys are not here: on hosts they are hf/crypto/key.h, on a device they are behind hf/device/port.h.
 */
#ifndef HF_CRYPTO_CRYPTO_H
#define HF_CRYPTO_CRYPTO_H

#include "hf/base/bytes.h"

#define HF_SHA256_LEN 32
#define HF_SHA512_LEN 64
#define HF_P256_PUBLIC_LEN 65 /* uncompressed point, 0x04 x y */
#define HF_ED25519_PUBLIC_LEN 32
#define HF_PUBKEY_MAX 65
/** DER ECDSA P-256 is at most 72 bytes, Ed25519 is 64. */
#define HF_SIG_MAX 72

enum hf_key_type {
  HF_KEY_NONE = 0,
  HF_KEY_P256 = 1,
  HF_KEY_ED25519 = 2,
  HF_KEY_HOST = 3 /**< of a type that only hosts verify (RSA, P-384): SHA-256 of its SubjectPublicKeyInfo stands for it,
                       the key itself is in a keyring (hf/wire/tuf.h, struct hf_tuf_host); never on a device */
};

/** A public key by its raw material, so that two encodings of one key are one key. */
struct hf_pubkey {
  enum hf_key_type type;
  uint8_t len;
  uint8_t at[HF_PUBKEY_MAX];
};

/** A running SHA-256. Caller's memory, no clean-up needed, may be copied. */
struct hf_sha256 {
  _Alignas(8) uint8_t opaque[128];
};
struct hf_sha512 {
  _Alignas(8) uint8_t opaque[256];
};

void hf_sha256_init(struct hf_sha256 *hash);
void hf_sha256_put(struct hf_sha256 *hash, struct hf_bytes bytes);
void hf_sha256_get(struct hf_sha256 *hash, uint8_t out[HF_SHA256_LEN]);
/** One call. */
void hf_sha256(uint8_t out[HF_SHA256_LEN], struct hf_bytes bytes);
void hf_sha512_init(struct hf_sha512 *hash);
void hf_sha512_put(struct hf_sha512 *hash, struct hf_bytes bytes);
void hf_sha512_get(struct hf_sha512 *hash, uint8_t out[HF_SHA512_LEN]);

/** HMAC-SHA-256 (RFC 2104). */
void hf_hmac_sha256(uint8_t out[HF_SHA256_LEN], struct hf_bytes key, struct hf_bytes bytes);

/**
 * ECDSA P-256 over a SHA-256 digest (FIPS 186-5), signature in DER.
 * @return HF_ALLOW only for a valid signature by a valid public point; HF_DENY for everything else
 */
HF_MUST enum hf_verdict hf_p256_verify(const struct hf_pubkey *key, const uint8_t digest[HF_SHA256_LEN],
                                       struct hf_bytes sig);
/** Ed25519 (RFC 8032), the message whole. Hosts only for now: the microcontroller back end answers HF_DENY. */
HF_MUST enum hf_verdict hf_ed25519_verify(const struct hf_pubkey *key, struct hf_bytes message, struct hf_bytes sig);

/** Unpredictable bytes. HF_E_CRYPTO when the source fails: then nothing may go on. */
HF_MUST enum hf_err hf_random(void *out, size_t len);

#endif
