/* SPDX-License-Identifier: Apache-2.0
 * Hash, verify and random with OpenSSL 3.
 */
/* The SHA functions below are deprecated in favour of EVP, which allocates; they are the only ones that run in the
 * caller's memory, as the contract in crypto.h demands. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "hf/crypto/crypto.h"

#include <limits.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#define HMAC_BLOCK 64 /* of SHA-256, RFC 2104 section 2 */

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct hf_sha256), "SHA-256 state");
_Static_assert(sizeof(SHA512_CTX) <= sizeof(struct hf_sha512), "SHA-512 state");

static SHA256_CTX *native256(struct hf_sha256 *hash) { return (SHA256_CTX *)(void *)hash->opaque; }
static SHA512_CTX *native512(struct hf_sha512 *hash) { return (SHA512_CTX *)(void *)hash->opaque; }

void hf_sha256_init(struct hf_sha256 *hash) { (void)SHA256_Init(native256(hash)); }

void hf_sha256_put(struct hf_sha256 *hash, struct hf_bytes bytes)
{
  (void)SHA256_Update(native256(hash), bytes.at, bytes.len);
}

void hf_sha256_get(struct hf_sha256 *hash, uint8_t out[HF_SHA256_LEN]) { (void)SHA256_Final(out, native256(hash)); }

void hf_sha256(uint8_t out[HF_SHA256_LEN], struct hf_bytes bytes)
{
  struct hf_sha256 hash;
  hf_sha256_init(&hash);
  hf_sha256_put(&hash, bytes);
  hf_sha256_get(&hash, out);
}

void hf_sha512_init(struct hf_sha512 *hash) { (void)SHA512_Init(native512(hash)); }

void hf_sha512_put(struct hf_sha512 *hash, struct hf_bytes bytes)
{
  (void)SHA512_Update(native512(hash), bytes.at, bytes.len);
}

void hf_sha512_get(struct hf_sha512 *hash, uint8_t out[HF_SHA512_LEN]) { (void)SHA512_Final(out, native512(hash)); }

void hf_hmac_sha256(uint8_t out[HF_SHA256_LEN], struct hf_bytes key, struct hf_bytes bytes)
{
  uint8_t block[HMAC_BLOCK] = {0};
  uint8_t inner[HF_SHA256_LEN];
  struct hf_sha256 hash;
  if (key.len > sizeof block) {
    hf_sha256(block, key);
  } else {
    for (size_t i = 0; i < key.len; i++) {
      block[i] = key.at[i];
    }
  }
  for (size_t i = 0; i < sizeof block; i++) {
    block[i] ^= 0x36;
  }
  hf_sha256_init(&hash);
  hf_sha256_put(&hash, hf_bytes_init(block, sizeof block));
  hf_sha256_put(&hash, bytes);
  hf_sha256_get(&hash, inner);
  for (size_t i = 0; i < sizeof block; i++) {
    block[i] ^= 0x36 ^ 0x5c;
  }
  hf_sha256_init(&hash);
  hf_sha256_put(&hash, hf_bytes_init(block, sizeof block));
  hf_sha256_put(&hash, hf_bytes_init(inner, sizeof inner));
  hf_sha256_get(&hash, out);
  hf_secret_wipe(block, sizeof block);
  hf_secret_wipe(inner, sizeof inner);
  hf_secret_wipe(&hash, sizeof hash);
}

/* An EC key with the group P-256 and no point. Making the group anew costs a fifth of a verification, copying this one
 * next to nothing. It holds no key and never changes after the first call, so threads and forks may share it. */
static EVP_PKEY *p256_group;
static CRYPTO_ONCE p256_group_once = CRYPTO_ONCE_STATIC_INIT;

static void make_p256_group(void)
{
  char name[] = "prime256v1"; /* OSSL_PARAM wants it writable */
  OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
                         OSSL_PARAM_construct_end()};
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
  if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
      EVP_PKEY_fromdata(ctx, &p256_group, EVP_PKEY_KEY_PARAMETERS, params) != 1) {
    p256_group = NULL;
  }
  EVP_PKEY_CTX_free(ctx);
}

/* Gives a key, or NULL when the point is not on the curve. */
static EVP_PKEY *p256_native(const struct hf_pubkey *key)
{
  if (key->type != HF_KEY_P256 || key->len != HF_P256_PUBLIC_LEN || key->at[0] != 0x04) {
    return NULL; /* 0x04: X9.62 uncompressed, the one form that `struct hf_pubkey` has */
  }
  if (CRYPTO_THREAD_run_once(&p256_group_once, make_p256_group) != 1 || p256_group == NULL) {
    return NULL;
  }
  EVP_PKEY *native = EVP_PKEY_dup(p256_group);
  if (native != NULL && EVP_PKEY_set1_encoded_public_key(native, key->at, key->len) != 1) {
    EVP_PKEY_free(native);
    return NULL;
  }
  return native;
}

enum hf_verdict hf_p256_verify(const struct hf_pubkey *key, const uint8_t digest[HF_SHA256_LEN], struct hf_bytes sig)
{
  /* A refused signature must not leave errors in the thread's queue: TLS code in the same thread reads it. */
  (void)ERR_set_mark();
  enum hf_verdict verdict = HF_DENY;
  EVP_PKEY *native = p256_native(key);
  EVP_PKEY_CTX *ctx = native == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(NULL, native, NULL);
  if (ctx != NULL && sig.len > 0 && sig.len <= HF_SIG_MAX && EVP_PKEY_verify_init(ctx) == 1 &&
      EVP_PKEY_verify(ctx, sig.at, sig.len, digest, HF_SHA256_LEN) == 1) {
    verdict = HF_ALLOW;
  }
  EVP_PKEY_CTX_free(ctx);
  EVP_PKEY_free(native);
  (void)ERR_pop_to_mark();
  return verdict;
}

enum hf_verdict hf_ed25519_verify(const struct hf_pubkey *key, struct hf_bytes message, struct hf_bytes sig)
{
  if (key->type != HF_KEY_ED25519 || key->len != HF_ED25519_PUBLIC_LEN || sig.len != 64) {
    return HF_DENY;
  }
  (void)ERR_set_mark();
  enum hf_verdict verdict = HF_DENY;
  EVP_PKEY *native = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->at, key->len);
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  if (native != NULL && ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, native) == 1 &&
      EVP_DigestVerify(ctx, sig.at, sig.len, message.at, message.len) == 1) {
    verdict = HF_ALLOW;
  }
  EVP_MD_CTX_free(ctx);
  EVP_PKEY_free(native);
  (void)ERR_pop_to_mark();
  return verdict;
}

enum hf_err hf_random(void *out, size_t len)
{
  if (len > INT_MAX || RAND_bytes(out, (int)len) != 1) {
    return HF_E_CRYPTO;
  }
  return HF_OK;
}
