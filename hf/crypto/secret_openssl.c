/* SPDX-License-Identifier: Apache-2.0
 * Passwords and sealed secrets of hf/crypto/key.h with OpenSSL 3.
 */
#include <limits.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "hf/crypto/key.h"

#define SALT_LEN 16
#define HASH_LEN 32
/* Base64 with padding of 16 and 32 bytes. */
#define SALT_TEXT_LEN 24
#define HASH_TEXT_LEN 44
#define SCRYPT_R 8
/* Stored forms outside these are damaged or hostile: too weak, or more memory than a login may take (128 MiB). */
#define LOG_N_MIN 14
#define LOG_N_MAX 17
#define SCRYPT_MEMORY_MAX (UINT64_C(160) << 20)
#define NONCE_LEN 12
#define TAG_LEN 16

static bool scrypt(uint8_t hash[HASH_LEN], struct hf_bytes password, const uint8_t salt[SALT_LEN], unsigned log_n)
{
  (void)ERR_set_mark();
  int done = EVP_PBE_scrypt((const char *)password.at, password.len, salt, SALT_LEN, UINT64_C(1) << log_n, SCRYPT_R, 1,
                            SCRYPT_MEMORY_MAX, hash, HASH_LEN);
  (void)ERR_pop_to_mark();
  return done == 1;
}

enum hf_err hf_password_put(struct hf_buf *out, struct hf_bytes password)
{
  uint8_t salt[SALT_LEN];
  uint8_t hash[HASH_LEN];
  uint8_t text[HASH_TEXT_LEN + 1]; /* OpenSSL ends it with a NUL */
  if (hf_random(salt, sizeof salt) != HF_OK || !scrypt(hash, password, salt, HF_PASSWORD_SCRYPT_LOG_N)) {
    return HF_E_CRYPTO;
  }
  hf_buf_put_text(out, "scrypt$");
  hf_buf_put_uint(out, HF_PASSWORD_SCRYPT_LOG_N);
  hf_buf_put_u8(out, '$');
  hf_buf_put(out, hf_bytes_init(text, (size_t)EVP_EncodeBlock(text, salt, sizeof salt)));
  hf_buf_put_u8(out, '$');
  hf_buf_put(out, hf_bytes_init(text, (size_t)EVP_EncodeBlock(text, hash, sizeof hash)));
  hf_secret_wipe(hash, sizeof hash);
  return out->failed ? HF_E_SPACE : HF_OK;
}

/* `len` bytes from exactly their base64 text. */
static bool take_base64(struct hf_cursor *cur, uint8_t *out, size_t len, size_t text_len)
{
  uint8_t decoded[HASH_TEXT_LEN];
  struct hf_bytes text = hf_cursor_take(cur, text_len);
  int got = text.len == 0 ? -1 : EVP_DecodeBlock(decoded, text.at, (int)text.len);
  if (got < 0 || (size_t)got < len) {
    return false;
  }
  memcpy(out, decoded, len);
  return true;
}

enum hf_verdict hf_password_verify(struct hf_bytes stored, struct hf_bytes password)
{
  struct hf_cursor cur = hf_cursor_init(stored);
  uint8_t salt[SALT_LEN];
  uint8_t want[HASH_LEN];
  uint8_t have[HASH_LEN];
  bool named = hf_bytes_is(hf_cursor_take(&cur, 7), "scrypt$");
  unsigned tens = hf_cursor_u8(&cur) - (unsigned)'0';
  unsigned ones = hf_cursor_u8(&cur) - (unsigned)'0';
  unsigned log_n = tens * 10 + ones;
  if (!named || tens > 9 || ones > 9 || log_n < LOG_N_MIN || log_n > LOG_N_MAX) {
    return HF_DENY;
  }
  bool shape = hf_cursor_u8(&cur) == '$' && take_base64(&cur, salt, sizeof salt, SALT_TEXT_LEN) &&
               hf_cursor_u8(&cur) == '$' && take_base64(&cur, want, sizeof want, HASH_TEXT_LEN);
  if (!shape || !hf_cursor_done(&cur) || !scrypt(have, password, salt, log_n)) {
    return HF_DENY;
  }
  bool same = hf_secret_equal(want, have, sizeof have);
  hf_secret_wipe(have, sizeof have);
  return same ? HF_ALLOW : HF_DENY;
}

/* Seals to nonce, ciphertext, tag at `to`. */
static bool seal_to(uint8_t *to, const uint8_t key[32], struct hf_bytes plain, struct hf_bytes aad)
{
  int len = 0;
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  bool good = ctx != NULL && hf_random(to, NONCE_LEN) == HF_OK &&
              EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, to) == 1 &&
              (aad.len == 0 || EVP_EncryptUpdate(ctx, NULL, &len, aad.at, (int)aad.len) == 1) &&
              (plain.len == 0 || EVP_EncryptUpdate(ctx, to + NONCE_LEN, &len, plain.at, (int)plain.len) == 1) &&
              EVP_EncryptFinal_ex(ctx, to + NONCE_LEN + plain.len, &len) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, to + NONCE_LEN + plain.len) == 1;
  EVP_CIPHER_CTX_free(ctx);
  return good;
}

enum hf_err hf_seal(struct hf_buf *out, const uint8_t key[32], struct hf_bytes plain, struct hf_bytes aad)
{
  if (plain.len > INT_MAX - NONCE_LEN - TAG_LEN || aad.len > INT_MAX) {
    return HF_E_INPUT;
  }
  size_t len = NONCE_LEN + plain.len + TAG_LEN;
  if (out->failed || out->cap - out->len < len) {
    out->failed = true;
    return HF_E_SPACE;
  }
  if (!seal_to(out->at + out->len, key, plain, aad)) {
    return HF_E_CRYPTO;
  }
  out->len += len;
  return HF_OK;
}

/* Opens nonce, ciphertext, tag of at least NONCE_LEN + TAG_LEN bytes to `to`. */
static bool unseal_to(uint8_t *to, const uint8_t key[32], struct hf_bytes sealed, struct hf_bytes aad)
{
  int len = 0;
  int inside = (int)(sealed.len - NONCE_LEN - TAG_LEN);
  uint8_t tag[TAG_LEN];
  memcpy(tag, sealed.at + sealed.len - TAG_LEN, TAG_LEN);
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  bool good = ctx != NULL && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, sealed.at) == 1 &&
              (aad.len == 0 || EVP_DecryptUpdate(ctx, NULL, &len, aad.at, (int)aad.len) == 1) &&
              (inside == 0 || EVP_DecryptUpdate(ctx, to, &len, sealed.at + NONCE_LEN, inside) == 1) &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) == 1 &&
              EVP_DecryptFinal_ex(ctx, to + inside, &len) == 1;
  EVP_CIPHER_CTX_free(ctx);
  return good;
}

enum hf_err hf_unseal(struct hf_buf *out, const uint8_t key[32], struct hf_bytes sealed, struct hf_bytes aad)
{
  if (sealed.len < NONCE_LEN + TAG_LEN) {
    return HF_E_DENIED;
  }
  if (sealed.len > INT_MAX || aad.len > INT_MAX) {
    return HF_E_INPUT;
  }
  size_t len = sealed.len - NONCE_LEN - TAG_LEN;
  if (out->failed || out->cap - out->len < len) {
    out->failed = true;
    return HF_E_SPACE;
  }
  (void)ERR_set_mark();
  bool good = unseal_to(out->at + out->len, key, sealed, aad);
  (void)ERR_pop_to_mark();
  if (!good) {
    hf_secret_wipe(out->at + out->len, len); /* what was decrypted before the tag was looked at */
    return HF_E_DENIED;
  }
  out->len += len;
  return HF_OK;
}
