/* SPDX-License-Identifier: Apache-2.0
 * Signed: head 44 ("HFKS", format u8, keys u8, 0, product length u8, version u32, product 32 padded with zeros), then
 * for each key 67 (type u8, flags u8, material 65 padded). Behind it: signatures u8, then for each 81 (key id 8, length
 * u8, signature 72 padded). */
#include "hf/wire/keyset.h"

#include <string.h>

#include "hf/wire/keyset_layout.h"
#include "hf/wire/names.h"
#include "hf/wire/pubkey.h"

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule, size_t at)
{
  hf_why_put(why, rule, (uint32_t)at);
  return HF_E_INPUT;
}

/* One form: padding is zeros. */
static bool is_zero(struct hf_bytes bytes)
{
  uint8_t all = 0;
  for (size_t i = 0; i < bytes.len; i++) {
    all |= bytes.at[i];
  }
  return all == 0;
}

static enum hf_err take_head(struct hf_keyset *set, struct hf_cursor *cur, struct hf_why *why)
{
  if (!hf_bytes_equal(hf_cursor_take(cur, 4), HF_LIT(HF_KEYSET_MAGIC))) {
    return refuse(why, HF_RULE_KEYSET_MAGIC, 0);
  }
  uint8_t format = hf_cursor_u8(cur);
  if (!cur->failed && format != HF_KEYSET_FORMAT) {
    hf_why_put(why, HF_RULE_KEYSET_FORMAT, 4);
    return HF_E_VERSION;
  }
  set->count = hf_cursor_u8(cur);
  uint8_t zero = hf_cursor_u8(cur);
  set->product_len = hf_cursor_u8(cur);
  set->version = hf_cursor_le32(cur);
  struct hf_bytes name = hf_cursor_take(cur, HF_IMAGE_NAME_MAX);
  if (cur->failed || set->count == 0 || set->count > HF_KEYSET_KEYS_MAX || zero != 0 || set->version == 0) {
    return refuse(why, HF_RULE_KEYSET_SHAPE, 5);
  }
  if (set->product_len > HF_IMAGE_NAME_MAX) {
    return refuse(why, HF_RULE_KEYSET_PRODUCT, 7);
  }
  memcpy(set->product, name.at, name.len);
  struct hf_bytes product = {name.at, set->product_len};
  struct hf_bytes rest = {name.at + set->product_len, name.len - set->product_len};
  return hf_names_check_product(product) && is_zero(rest) ? HF_OK : refuse(why, HF_RULE_KEYSET_PRODUCT, 12);
}

static enum hf_err take_key(struct hf_keyset *set, uint8_t i, struct hf_cursor *cur, struct hf_why *why)
{
  size_t at = cur->pos;
  uint8_t type = hf_cursor_u8(cur);
  uint8_t flags = hf_cursor_u8(cur);
  struct hf_bytes material = hf_cursor_take(cur, HF_PUBKEY_MAX);
  struct hf_pubkey *key = &set->key[i];
  if (cur->failed) {
    return refuse(why, HF_RULE_KEYSET_SHAPE, at);
  }
  uint8_t len = type == HF_KEY_P256 ? HF_P256_PUBLIC_LEN : HF_ED25519_PUBLIC_LEN;
  struct hf_bytes rest = {material.at + len, material.len - len};
  bool known = type == HF_KEY_ED25519 || (type == HF_KEY_P256 && material.at[0] == 0x04);
  if (!known || (flags & ~HF_KEYSET_REVOKED) != 0 || !is_zero(rest)) {
    return refuse(why, HF_RULE_KEYSET_KEY, at);
  }
  *key = (struct hf_pubkey){.type = (enum hf_key_type)type, .len = len};
  memcpy(key->at, material.at, len);
  for (uint8_t other = 0; other < i; other++) {
    if (hf_pubkey_equal(&set->key[other], key)) {
      return refuse(why, HF_RULE_KEYSET_KEY_TWICE, at);
    }
  }
  if ((flags & HF_KEYSET_REVOKED) != 0) {
    set->revoked |= UINT32_C(1) << i;
  }
  return HF_OK;
}

enum hf_err hf_keyset_parse(struct hf_keyset *set, struct hf_bytes file, struct hf_why *why)
{
  struct hf_cursor cur = hf_cursor_init(file);
  memset(set, 0, sizeof *set);
  enum hf_err err = take_head(set, &cur, why);
  for (uint8_t i = 0; err == HF_OK && i < set->count; i++) {
    err = take_key(set, i, &cur, why);
  }
  if (err != HF_OK) {
    return err;
  }
  set->body = (struct hf_bytes){file.at, cur.pos};
  uint8_t signatures = hf_cursor_u8(&cur);
  set->signatures = hf_cursor_take(&cur, (size_t)signatures * HF_KEYSET_SIG_LEN);
  if (signatures > HF_KEYSET_OWNERS_MAX || !hf_cursor_done(&cur)) {
    return refuse(why, HF_RULE_KEYSET_SHAPE, set->body.len);
  }
  for (struct hf_cursor at = hf_cursor_init(set->signatures); at.rest.len > 0;) {
    struct hf_keyset_sig sig = hf_keyset_next_sig(&at);
    if (sig.sig.len == 0 || !is_zero(sig.padding)) {
      return refuse(why, HF_RULE_KEYSET_SHAPE, set->body.len + at.pos - HF_KEYSET_SIG_LEN);
    }
  }
  return HF_OK;
}

struct hf_keyset_sig hf_keyset_next_sig(struct hf_cursor *cur)
{
  struct hf_keyset_sig sig = {.id = hf_cursor_take(cur, HF_KEYSET_ID_LEN)};
  uint8_t len = hf_cursor_u8(cur);
  struct hf_bytes raw = hf_cursor_take(cur, HF_SIG_MAX);
  if (len <= raw.len) {
    sig.sig = (struct hf_bytes){raw.at, len};
    sig.padding = (struct hf_bytes){raw.at + len, raw.len - len};
  }
  return sig;
}

/* Ed25519 signs the digest's 32 bytes as its message, as image signatures do. */
static enum hf_verdict verify_one(const struct hf_pubkey *key, const uint8_t digest[HF_SHA256_LEN], struct hf_bytes sig)
{
  return key->type == HF_KEY_P256 ? hf_p256_verify(key, digest, sig)
                                  : hf_ed25519_verify(key, hf_bytes_init(digest, HF_SHA256_LEN), sig);
}

enum hf_verdict hf_keyset_signature_verify(const struct hf_keyset *set, const struct hf_pubkey *owner)
{
  uint8_t digest[HF_SHA256_LEN];
  uint8_t hash[HF_SHA256_LEN];
  struct hf_cursor cur = hf_cursor_init(set->signatures);
  hf_sha256(digest, set->body);
  hf_pubkey_hash(hash, owner);
  while (cur.rest.len > 0) { /* HF_KEYSET_OWNERS_MAX at most, since hf_keyset_parse */
    struct hf_keyset_sig sig = hf_keyset_next_sig(&cur);
    if (hf_bytes_equal(sig.id, hf_bytes_init(hash, HF_KEYSET_ID_LEN)) &&
        verify_one(owner, digest, sig.sig) == HF_ALLOW) {
      return HF_ALLOW;
    }
  }
  return HF_DENY;
}

/* Thresholds count key material: an owner that stands there twice is one. */
static bool is_twin(const struct hf_keyset_owners *owners, uint8_t i)
{
  for (uint8_t other = 0; other < i; other++) {
    if (hf_pubkey_equal(&owners->key[other], &owners->key[i])) {
      return true;
    }
  }
  return false;
}

enum hf_verdict hf_keyset_verify(struct hf_keyset *set, struct hf_bytes file, const struct hf_keyset_owners *owners,
                                 struct hf_bytes product, uint32_t version_min, struct hf_why *why)
{
  if (hf_keyset_parse(set, file, why) != HF_OK) {
    return HF_DENY;
  }
  if (product.len > 0 && !hf_bytes_equal(product, hf_bytes_init(set->product, set->product_len))) {
    hf_why_put(why, HF_RULE_KEYSET_PRODUCT, 12);
    return HF_DENY;
  }
  if (set->version < version_min) {
    hf_why_put(why, HF_RULE_KEYSET_OLD, 8);
    return HF_DENY;
  }
  volatile uint8_t good = 0;
  for (uint8_t i = 0; i < owners->count && i < HF_KEYSET_OWNERS_MAX; i++) {
    if (is_twin(owners, i)) {
      continue;
    }
    good = (uint8_t)(good + (hf_keyset_signature_verify(set, &owners->key[i]) == HF_ALLOW ? 1 : 0));
  }
  if (owners->threshold == 0 || good < owners->threshold) {
    hf_why_put(why, HF_RULE_KEYSET_UNSIGNED, (uint32_t)set->body.len);
    return HF_DENY;
  }
  return good >= owners->threshold ? HF_ALLOW : HF_DENY; /* looked at twice: one skipped branch approves nothing */
}

struct hf_image_keys hf_keyset_keys(const struct hf_keyset *set)
{
  return (struct hf_image_keys){.key = set->key, .count = set->count, .revoked = set->revoked};
}
