/* SPDX-License-Identifier: Apache-2.0
 * The trust record of hf/wire/tuf.h as CBOR: what a device remembers of one repository. docs/adr/0003-trust-record.md.
 */
#include <string.h>

#include "hf/codec/cbor.h"
#include "hf/wire/tuf.h"

#define RECORD_VERSION 1

/* Keys of the record's map; numbers are stored in devices and never reused. */
enum {
  KEY_RECORD,
  KEY_ROOT_VERSION,
  KEY_EXPIRES,
  KEY_CONSISTENT,
  KEY_KEYS,
  KEY_ROLES,
  KEY_FLOORS,
  KEY_LISTED,
  KEY_CHECK,
  KEYS
};

enum hf_verdict hf_tuf_trust_verify(struct hf_tuf_trust *trust, struct hf_bytes root_text,
                                    const struct hf_tuf_limits *limits, struct hf_why *why)
{
  struct hf_tuf_file file;
  memset(trust, 0, sizeof *trust);
  if (hf_tuf_parse(&file, root_text, HF_TUF_ROOT, limits, why) != HF_OK ||
      hf_tuf_root_parse(&trust->root, &file, limits, why) != HF_OK ||
      hf_tuf_verify(&file, &trust->root, limits, why) != HF_ALLOW) {
    memset(trust, 0, sizeof *trust); /* a record without keys trusts nothing */
    return HF_DENY;
  }
  return HF_ALLOW;
}

/* Rot is found here, whatever medium the record was on; forgery is not, for whoever may write the record may write all
 * of it. */
#define CHECK_LEN 8

static void make_check(uint8_t check[CHECK_LEN], struct hf_bytes record)
{
  uint8_t hash[HF_SHA256_LEN];
  hf_sha256(hash, record);
  memcpy(check, hash, CHECK_LEN);
}

/* ---- encode ---- */

/* One byte of type, the id, then the material. */
static void put_key(struct hf_buf *out, const struct hf_tuf_key *key)
{
  uint8_t raw[1 + HF_TUF_KEY_ID_LEN + HF_PUBKEY_MAX];
  struct hf_buf buf = hf_buf_init(raw, sizeof raw);
  hf_buf_put_u8(&buf, (uint8_t)key->pub.type);
  hf_buf_put(&buf, hf_bytes_init(key->id, sizeof key->id));
  hf_buf_put(&buf, hf_bytes_init(key->pub.at, key->pub.len));
  hf_cbor_put_bytes(out, hf_buf_bytes(&buf));
}

static void put_floor(struct hf_buf *out, const struct hf_tuf_floor *floor)
{
  hf_cbor_put_array(out, floor->has_digest ? 2 : 1);
  hf_cbor_put_uint(out, floor->version);
  if (floor->has_digest) {
    hf_cbor_put_bytes(out, hf_bytes_init(floor->digest, sizeof floor->digest));
  }
}

static void put_listed(struct hf_buf *out, const struct hf_tuf_listed *listed)
{
  uint8_t raw[HF_TUF_LISTED_ID_LEN + 4];
  struct hf_buf buf = hf_buf_init(raw, sizeof raw);
  hf_buf_put(&buf, hf_bytes_init(listed->id, sizeof listed->id));
  hf_buf_put_be32(&buf, listed->version);
  hf_cbor_put_bytes(out, hf_buf_bytes(&buf));
}

void hf_tuf_trust_encode(struct hf_buf *out, const struct hf_tuf_trust *trust)
{
  const struct hf_tuf_root *root = &trust->root;
  size_t start = out->len;
  uint8_t check[CHECK_LEN];
  hf_cbor_put_map(out, KEYS);
  hf_cbor_put_uint(out, KEY_RECORD);
  hf_cbor_put_uint(out, RECORD_VERSION);
  hf_cbor_put_uint(out, KEY_ROOT_VERSION);
  hf_cbor_put_uint(out, root->version);
  hf_cbor_put_uint(out, KEY_EXPIRES);
  hf_cbor_put_uint(out, (uint64_t)root->expires);
  hf_cbor_put_uint(out, KEY_CONSISTENT);
  hf_cbor_put_bool(out, root->consistent_snapshot);
  hf_cbor_put_uint(out, KEY_KEYS);
  hf_cbor_put_array(out, root->key_count);
  for (size_t i = 0; i < root->key_count; i++) {
    put_key(out, &root->key[i]);
  }
  hf_cbor_put_uint(out, KEY_ROLES);
  hf_cbor_put_array(out, HF_TUF_ROLES);
  for (size_t i = 0; i < HF_TUF_ROLES; i++) {
    hf_cbor_put_array(out, 2);
    hf_cbor_put_uint(out, root->role[i].keys);
    hf_cbor_put_uint(out, root->role[i].threshold);
  }
  hf_cbor_put_uint(out, KEY_FLOORS);
  hf_cbor_put_array(out, HF_TUF_ROLES - 1);
  for (size_t i = HF_TUF_TIMESTAMP; i < HF_TUF_ROLES; i++) {
    put_floor(out, &trust->floor[i]);
  }
  hf_cbor_put_uint(out, KEY_LISTED);
  hf_cbor_put_array(out, trust->listed_count);
  for (size_t i = 0; i < trust->listed_count; i++) {
    put_listed(out, &trust->listed[i]);
  }
  make_check(check, hf_bytes_init(out->at + start, out->len - start));
  hf_cbor_put_uint(out, KEY_CHECK);
  hf_cbor_put_bytes(out, hf_bytes_init(check, sizeof check));
}

/* ---- parse ---- */

static void take_key(struct hf_tuf_key *key, struct hf_cbor *in)
{
  struct hf_cursor cur = hf_cursor_init(hf_cbor_bytes(in, 1 + HF_TUF_KEY_ID_LEN + HF_PUBKEY_MAX));
  uint8_t type = hf_cursor_u8(&cur);
  struct hf_bytes id = hf_cursor_take(&cur, HF_TUF_KEY_ID_LEN);
  size_t len = type == HF_KEY_P256 ? HF_P256_PUBLIC_LEN : type == HF_KEY_ED25519 ? HF_ED25519_PUBLIC_LEN : 0;
  struct hf_bytes material = hf_cursor_take(&cur, len);
  if (len == 0 || !hf_cursor_done(&cur)) {
    hf_cbor_fail(in, HF_RULE_TUF_TRUST);
    return;
  }
  key->pub.type = (enum hf_key_type)type;
  key->pub.len = (uint8_t)len;
  memcpy(key->id, id.at, id.len);
  memcpy(key->pub.at, material.at, material.len);
}

/* Not the compiler's popcount: on a Cortex-M that is a table in its library. */
static unsigned count_bits(unsigned set)
{
  unsigned count = 0;
  for (; set != 0; set &= set - 1) {
    count++;
  }
  return count;
}

static void take_signers(struct hf_tuf_signers *signers, struct hf_cbor *in, size_t key_count)
{
  if (hf_cbor_array(in, 2) != 2) {
    hf_cbor_fail(in, HF_RULE_TUF_TRUST);
  }
  signers->keys = (uint16_t)hf_cbor_uint(in, (UINT64_C(1) << key_count) - 1);
  signers->threshold = (uint16_t)hf_cbor_uint(in, HF_TUF_KEYS_MAX);
  if (signers->threshold == 0 || signers->threshold > count_bits(signers->keys)) {
    hf_cbor_fail(in, HF_RULE_TUF_TRUST);
  }
}

static void take_floor(struct hf_tuf_floor *floor, struct hf_cbor *in)
{
  size_t members = hf_cbor_array(in, 2);
  floor->version = (uint32_t)hf_cbor_uint(in, HF_TUF_VERSION_MAX);
  if (members == 2) {
    struct hf_bytes digest = hf_cbor_bytes(in, sizeof floor->digest);
    floor->has_digest = digest.len == sizeof floor->digest;
    if (floor->has_digest) {
      memcpy(floor->digest, digest.at, digest.len);
    }
  }
  if (members == 0 || (members == 2 && !floor->has_digest)) {
    hf_cbor_fail(in, HF_RULE_TUF_TRUST);
  }
}

static void take_listed(struct hf_tuf_listed *listed, struct hf_cbor *in)
{
  struct hf_cursor cur = hf_cursor_init(hf_cbor_bytes(in, HF_TUF_LISTED_ID_LEN + 4));
  struct hf_bytes id = hf_cursor_take(&cur, HF_TUF_LISTED_ID_LEN);
  listed->version = hf_cursor_be32(&cur);
  if (!hf_cursor_done(&cur) || listed->version == 0 || listed->version > HF_TUF_VERSION_MAX) {
    hf_cbor_fail(in, HF_RULE_TUF_TRUST);
    return;
  }
  memcpy(listed->id, id.at, id.len);
}

/* The record has no optional members: the next key must be this one. */
static void expect_key(struct hf_cbor *in, uint64_t key)
{
  if (hf_cbor_uint(in, KEYS) != key) {
    hf_cbor_fail(in, HF_RULE_TUF_TRUST);
  }
}

static void take_root(struct hf_tuf_root *root, struct hf_cbor *in)
{
  expect_key(in, KEY_ROOT_VERSION);
  root->version = (uint32_t)hf_cbor_uint(in, HF_TUF_VERSION_MAX);
  expect_key(in, KEY_EXPIRES);
  root->expires = (int64_t)hf_cbor_uint(in, INT64_MAX);
  expect_key(in, KEY_CONSISTENT);
  root->consistent_snapshot = hf_cbor_bool(in);
  expect_key(in, KEY_KEYS);
  root->key_count = (uint8_t)hf_cbor_array(in, HF_TUF_KEYS_MAX);
  for (size_t i = 0; i < root->key_count; i++) {
    take_key(&root->key[i], in);
  }
  expect_key(in, KEY_ROLES);
  if (hf_cbor_array(in, HF_TUF_ROLES) != HF_TUF_ROLES || root->version == 0) {
    hf_cbor_fail(in, HF_RULE_TUF_TRUST);
  }
  for (size_t i = 0; i < HF_TUF_ROLES; i++) {
    take_signers(&root->role[i], in, root->key_count);
  }
}

static void take_floors(struct hf_tuf_trust *trust, struct hf_cbor *in)
{
  expect_key(in, KEY_FLOORS);
  if (hf_cbor_array(in, HF_TUF_ROLES - 1) != HF_TUF_ROLES - 1) {
    hf_cbor_fail(in, HF_RULE_TUF_TRUST);
  }
  for (size_t i = HF_TUF_TIMESTAMP; i < HF_TUF_ROLES; i++) {
    take_floor(&trust->floor[i], in);
  }
  expect_key(in, KEY_LISTED);
  trust->listed_count = (uint8_t)hf_cbor_array(in, HF_TUF_LISTED_MAX);
  for (size_t i = 0; i < trust->listed_count; i++) {
    take_listed(&trust->listed[i], in);
  }
}

static void take_check(struct hf_cbor *in, struct hf_bytes record)
{
  uint8_t check[CHECK_LEN];
  make_check(check, hf_bytes_init(record.at, in->cur.pos));
  expect_key(in, KEY_CHECK);
  if (!hf_bytes_equal(hf_cbor_bytes(in, CHECK_LEN), hf_bytes_init(check, sizeof check))) {
    hf_cbor_fail(in, HF_RULE_TUF_TRUST);
  }
}

enum hf_err hf_tuf_trust_parse(struct hf_tuf_trust *trust, struct hf_bytes record, struct hf_why *why)
{
  struct hf_cbor in = hf_cbor_init(record, why);
  memset(trust, 0, sizeof *trust);
  size_t members = hf_cbor_map(&in, 64);
  expect_key(&in, KEY_RECORD);
  uint64_t version = hf_cbor_uint(&in, UINT32_MAX);
  if (!hf_cbor_failed(&in) && version > RECORD_VERSION) {
    return HF_E_VERSION;
  }
  if (version != RECORD_VERSION || members != KEYS) {
    hf_cbor_fail(&in, HF_RULE_TUF_TRUST);
  }
  take_root(&trust->root, &in);
  take_floors(trust, &in);
  take_check(&in, record);
  if (!hf_cbor_done(&in)) {
    hf_why_put(why, HF_RULE_TUF_TRUST, 0);
    memset(trust, 0, sizeof *trust);
    return HF_E_INPUT;
  }
  return HF_OK;
}
