/* SPDX-License-Identifier: Apache-2.0
 * ECIES-P256 around the image key (MCUboot docs/encrypted_images.md): TLV value is the sender's point (65 bytes), the
 * HMAC of the encrypted key (32), the encrypted key (16 or 32).
 */
#include "hf/wire/seal.h"

#include <string.h>

#include "hf/base/assert.h"
#include "hf/crypto/cipher.h"

enum { MAC_AT = HF_P256_PUBLIC_LEN, KEY_AT = MAC_AT + HF_SHA256_LEN };

/* What both sides make of the shared secret: a key for the key, and a key for its HMAC. */
struct derived {
  uint8_t at[HF_SEAL_KEY_MAX + HF_SHA256_LEN];
};

static void derive(struct derived *derived, const uint8_t secret[32], uint8_t key_len)
{
  hf_hkdf_sha256(derived->at, (size_t)key_len + HF_SHA256_LEN, hf_bytes_init(secret, 32), HF_LIT("MCUBoot_ECIES_v1"));
}

static void key_mac(uint8_t mac[HF_SHA256_LEN], const struct derived *derived, const uint8_t *key, uint8_t key_len)
{
  hf_hmac_sha256(mac, hf_bytes_init(derived->at + key_len, HF_SHA256_LEN), hf_bytes_init(key, key_len));
}

/* The key inside the TLV, once the secret is known. */
static enum hf_err unwrap(struct hf_seal *seal, const struct hf_image_info *info, const uint8_t secret[32],
                          struct hf_why *why)
{
  uint8_t mac[HF_SHA256_LEN];
  struct derived derived;
  derive(&derived, secret, seal->key_len);
  key_mac(mac, &derived, info->seal + KEY_AT, seal->key_len);
  enum hf_err err = HF_E_DENIED;
  if (hf_secret_equal(mac, info->seal + MAC_AT, sizeof mac)) {
    memcpy(seal->key, info->seal + KEY_AT, seal->key_len);
    err = hf_aes_ctr(seal->key, seal->key_len, hf_bytes_init(derived.at, seal->key_len), 0);
  } else {
    hf_why_put(why, HF_RULE_SEAL_KEY, info->signed_len);
  }
  hf_secret_wipe(&derived, sizeof derived);
  return err;
}

static enum hf_err p256_open(void *ctx, struct hf_seal *seal, const struct hf_image_info *info, struct hf_why *why)
{
  const struct hf_seal_key *key = ctx;
  uint8_t secret[32] = {0};
  *seal = (struct hf_seal){.header_len = info->header_len, .payload_len = info->payload_len};
  uint32_t flag = info->flags & HF_IMAGE_ENCRYPTED;
  if (flag == 0) {
    return HF_OK;
  }
  uint8_t key_len = flag == HF_IMAGE_AES128 ? 16 : 32;
  if (flag == HF_IMAGE_ENCRYPTED || info->seal_len != KEY_AT + key_len) {
    hf_why_put(why, HF_RULE_SEAL_TLV, info->signed_len);
    return HF_E_INPUT;
  }
  seal->key_len = key_len;
  enum hf_err err = key->agree(key->ctx, secret, info->seal);
  if (err == HF_OK) {
    err = unwrap(seal, info, secret, why);
  } else {
    hf_why_put(why, err == HF_E_INPUT ? HF_RULE_SEAL_TLV : HF_RULE_SEAL_KEY, info->signed_len);
  }
  hf_secret_wipe(secret, sizeof secret);
  if (err != HF_OK) {
    hf_secret_wipe(seal, sizeof *seal);
  }
  return err;
}

static enum hf_err seal_crypt(const struct hf_seal *seal, uint32_t at, uint8_t *data, uint32_t len)
{
  uint32_t end = seal->header_len + seal->payload_len;
  uint32_t from = at > seal->header_len ? at : seal->header_len;
  uint32_t to = len < end - (at < end ? at : end) ? at + len : end;
  if (seal->key_len == 0 || from >= to) {
    return HF_OK;
  }
  return hf_aes_ctr(data + (from - at), to - from, hf_bytes_init(seal->key, seal->key_len), from - seal->header_len);
}

const struct hf_seal_ops hf_seal_p256_ops = {"p256", 1, p256_open, seal_crypt};

/* ---- the view ---- */

enum hf_err hf_seal_view_init(struct hf_seal_view *view, const struct hf_image_source *from,
                              const struct hf_seal_box *box, struct hf_why *why)
{
  struct hf_image_info info;
  *view = (struct hf_seal_view){.from = *from};
  enum hf_err err = hf_image_parse(&info, from, why);
  if (err != HF_OK || (info.flags & HF_IMAGE_ENCRYPTED) == 0) {
    return err;
  }
  if (box == NULL) {
    hf_why_put(why, HF_RULE_SEAL_NO_KEY, 16);
    return HF_E_DENIED;
  }
  view->ops = box->ops;
  return box->ops->open(box->ctx, &view->seal, &info, why);
}

static enum hf_err view_read(void *ctx, uint32_t at, void *out, uint32_t len)
{
  const struct hf_seal_view *view = ctx;
  enum hf_err err = view->from.read(view->from.ctx, at, out, len);
  return err == HF_OK && view->ops != NULL ? view->ops->crypt(&view->seal, at, out, len) : err;
}

struct hf_image_source hf_seal_view_source(struct hf_seal_view *view)
{
  return (struct hf_image_source){.read = view_read, .ctx = view, .size = view->from.size};
}
