/* SPDX-License-Identifier: Apache-2.0
 * Making the key and the TLV of an encrypted image; hosts.
 */
#include <string.h>

#include "hf/crypto/cipher.h"
#include "hf/wire/seal.h"

/* A key pair for this image only, and what it shares with the device. */
static enum hf_err agree(struct hf_pubkey *own, uint8_t secret[32], const struct hf_pubkey *peer)
{
  struct hf_key *key;
  enum hf_err err = hf_key_new(&key, HF_KEY_P256);
  if (err == HF_OK) {
    err = hf_key_public(own, key);
  }
  if (err == HF_OK) {
    err = hf_key_agree(secret, key, peer->at);
  }
  hf_key_free(key);
  return err;
}

enum hf_err hf_seal_make(struct hf_seal *seal, struct hf_buf *tlv, const struct hf_pubkey *pub, uint8_t key_len)
{
  struct hf_pubkey own;
  uint8_t secret[32] = {0}, wrapped[HF_SEAL_KEY_MAX], mac[HF_SHA256_LEN];
  uint8_t derived[HF_SEAL_KEY_MAX + HF_SHA256_LEN];
  if (pub->type != HF_KEY_P256 || (key_len != 16 && key_len != 32)) {
    return HF_E_INPUT;
  }
  seal->key_len = key_len;
  enum hf_err err = hf_random(seal->key, key_len);
  if (err == HF_OK) {
    err = agree(&own, secret, pub);
  }
  if (err == HF_OK) {
    hf_hkdf_sha256(derived, (size_t)key_len + HF_SHA256_LEN, hf_bytes_init(secret, sizeof secret),
                   HF_LIT("MCUBoot_ECIES_v1"));
    memcpy(wrapped, seal->key, key_len);
    err = hf_aes_ctr(wrapped, key_len, hf_bytes_init(derived, key_len), 0);
  }
  if (err == HF_OK) {
    hf_hmac_sha256(mac, hf_bytes_init(derived + key_len, HF_SHA256_LEN), hf_bytes_init(wrapped, key_len));
    hf_buf_put(tlv, hf_bytes_init(own.at, own.len));
    hf_buf_put(tlv, hf_bytes_init(mac, sizeof mac));
    hf_buf_put(tlv, hf_bytes_init(wrapped, key_len));
    err = tlv->failed ? HF_E_SPACE : HF_OK;
  }
  hf_secret_wipe(secret, sizeof secret);
  hf_secret_wipe(derived, sizeof derived);
  return err;
}
