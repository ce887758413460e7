/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <string.h>

#include "hf/crypto/cipher.h"

enum { BLOCK = 16 };

/* The counter block of a place in the stream. */
static void counter_of(uint8_t iv[BLOCK], uint64_t block)
{
  memset(iv, 0, BLOCK);
  for (int i = 0; i < 8; i++) {
    iv[BLOCK - 1 - i] = (uint8_t)(block >> (8 * i));
  }
}

static bool crypt_all(EVP_CIPHER_CTX *ctx, uint8_t *data, size_t len, size_t skip)
{
  uint8_t waste[BLOCK] = {0};
  int done;
  if (skip > 0 && EVP_EncryptUpdate(ctx, waste, &done, waste, (int)skip) != 1) {
    return false;
  }
  return EVP_EncryptUpdate(ctx, data, &done, data, (int)len) == 1;
}

enum hf_err hf_aes_ctr(uint8_t *data, size_t len, struct hf_bytes key, uint64_t offset)
{
  uint8_t iv[BLOCK];
  if ((key.len != 16 && key.len != 32) || len > INT32_MAX) {
    return HF_E_INPUT;
  }
  counter_of(iv, offset / BLOCK);
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  const EVP_CIPHER *cipher = key.len == 16 ? EVP_aes_128_ctr() : EVP_aes_256_ctr();
  bool good = ctx != NULL && EVP_EncryptInit_ex(ctx, cipher, NULL, key.at, iv) == 1 &&
              crypt_all(ctx, data, len, offset % BLOCK);
  EVP_CIPHER_CTX_free(ctx);
  return good ? HF_OK : HF_E_CRYPTO;
}

static EVP_PKEY *peer_of(EVP_PKEY *own, const uint8_t point[HF_P256_PUBLIC_LEN])
{
  EVP_PKEY *peer = EVP_PKEY_new();
  bool good = peer != NULL && EVP_PKEY_copy_parameters(peer, own) == 1 &&
              EVP_PKEY_set1_encoded_public_key(peer, point, HF_P256_PUBLIC_LEN) == 1;
  if (!good) {
    EVP_PKEY_free(peer);
    return NULL;
  }
  return peer;
}

enum hf_err hf_key_agree(uint8_t secret[32], const struct hf_key *key, const uint8_t point[HF_P256_PUBLIC_LEN])
{
  struct hf_pubkey pub;
  if (hf_key_public(&pub, key) != HF_OK || pub.type != HF_KEY_P256 || point[0] != 4) {
    return HF_E_INPUT;
  }
  EVP_PKEY *own = hf_key_native(key);
  EVP_PKEY *peer = peer_of(own, point);
  if (peer == NULL) {
    return HF_E_INPUT;
  }
  size_t len = 32;
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
  bool good = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
              EVP_PKEY_derive(ctx, secret, &len) == 1 && len == 32;
  EVP_PKEY_CTX_free(ctx);
  EVP_PKEY_free(peer);
  return good ? HF_OK : HF_E_CRYPTO;
}
