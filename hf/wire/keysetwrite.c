/* SPDX-License-Identifier: Apache-2.0
 * The signing side of hf/wire/keyset.h; apart so that firmware does not link it. */
#include <string.h>

#include "hf/wire/keyset_layout.h"
#include "hf/wire/pubkey.h"

static void put_padded(struct hf_buf *out, struct hf_bytes bytes, size_t room)
{
  hf_buf_put(out, bytes);
  for (size_t i = bytes.len; i < room; i++) {
    hf_buf_put_u8(out, 0);
  }
}

enum hf_err hf_keyset_encode(struct hf_buf *out, const struct hf_keyset *set)
{
  size_t start = out->len;
  if (set->count > HF_KEYSET_KEYS_MAX || set->product_len > HF_IMAGE_NAME_MAX) {
    return HF_E_INPUT;
  }
  hf_buf_put_text(out, HF_KEYSET_MAGIC);
  hf_buf_put_u8(out, HF_KEYSET_FORMAT);
  hf_buf_put_u8(out, set->count);
  hf_buf_put_u8(out, 0);
  hf_buf_put_u8(out, set->product_len);
  hf_buf_put_le32(out, set->version);
  put_padded(out, hf_bytes_init(set->product, set->product_len), HF_IMAGE_NAME_MAX);
  for (uint8_t i = 0; i < set->count; i++) {
    hf_buf_put_u8(out, (uint8_t)set->key[i].type);
    hf_buf_put_u8(out, (set->revoked >> i & 1) != 0 ? HF_KEYSET_REVOKED : 0);
    put_padded(out, hf_bytes_init(set->key[i].at, set->key[i].len), HF_PUBKEY_MAX);
  }
  hf_buf_put_u8(out, 0); /* nobody has signed yet */
  if (out->failed) {
    return HF_E_SPACE;
  }
  struct hf_keyset again; /* what leaves this file is what every device can read */
  return hf_keyset_parse(&again, (struct hf_bytes){out->at + start, out->len - start}, NULL) == HF_OK ? HF_OK
                                                                                                      : HF_E_INPUT;
}

static void put_signature(struct hf_buf *out, struct hf_bytes id, struct hf_bytes sig)
{
  hf_buf_put(out, id);
  hf_buf_put_u8(out, (uint8_t)sig.len);
  put_padded(out, sig, HF_SIG_MAX);
}

enum hf_err hf_keyset_sign(struct hf_buf *out, const struct hf_keyset *set, const struct hf_image_signer *signer)
{
  uint8_t hash[HF_SHA256_LEN];
  uint8_t digest[HF_SHA256_LEN];
  uint8_t raw[HF_SIG_MAX];
  struct hf_buf sig = hf_buf_init(raw, sizeof raw);
  uint8_t count = 1;
  size_t counted = out->len + set->body.len; /* where the number of signatures stands */
  hf_pubkey_hash(hash, &signer->pub);
  hf_sha256(digest, set->body);
  enum hf_err err = signer->sign(signer->ctx, &sig, digest);
  if (err != HF_OK || sig.failed) {
    return err != HF_OK ? err : HF_E_CRYPTO;
  }
  hf_buf_put(out, set->body);
  hf_buf_put_u8(out, 0);
  for (struct hf_cursor cur = hf_cursor_init(set->signatures); cur.rest.len > 0;) {
    struct hf_keyset_sig old = hf_keyset_next_sig(&cur);
    if (!hf_bytes_equal(old.id, hf_bytes_init(hash, HF_KEYSET_ID_LEN))) {
      put_signature(out, old.id, old.sig);
      count++;
    }
  }
  put_signature(out, hf_bytes_init(hash, HF_KEYSET_ID_LEN), hf_buf_bytes(&sig));
  if (out->failed) {
    return HF_E_SPACE;
  }
  if (count > HF_KEYSET_OWNERS_MAX) {
    return HF_E_FULL;
  }
  out->at[counted] = count;
  return HF_OK;
}
