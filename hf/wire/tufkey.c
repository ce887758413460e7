/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/tufkey.h"

#include <string.h>

#include "hf/wire/pubkey.h"

/** Characters of a key id that is not a hash (limits->foreign). */
#define KEY_ID_TEXT_MAX 128

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule, uint32_t at)
{
  hf_why_put(why, rule, at);
  return HF_E_INPUT;
}

/* A member of a type; false when it is missing or of another. */
static bool get(struct hf_json *value, struct hf_json object, const char *name, enum hf_json_type type)
{
  return hf_json_get(value, object, name) == HF_OK && hf_json_type(*value) == type;
}

/* ---- one key ---- */

enum hf_err hf_tufkey_get_id(uint8_t id[HF_TUF_KEY_ID_LEN], struct hf_json text, const struct hf_tuf_limits *limits)
{
  uint8_t hash[HF_SHA256_LEN];
  if (limits->foreign) {
    uint8_t room[KEY_ID_TEXT_MAX];
    struct hf_buf buf = hf_buf_init(room, sizeof room);
    if (hf_json_get_text(&buf, text) != HF_OK) {
      return HF_E_INPUT;
    }
    hf_sha256(hash, hf_buf_bytes(&buf));
  } else if (hf_json_type(text) != HF_JSON_TEXT || hf_json_get_hex(hash, sizeof hash, text) != HF_OK) {
    return HF_E_INPUT;
  }
  memcpy(id, hash, HF_TUF_KEY_ID_LEN);
  return HF_OK;
}

/* The id must be the hash of the whole object, unknown members included (section 4.2). */
static bool check_id(struct hf_json name, struct hf_json value, const struct hf_tuf_limits *limits)
{
  uint8_t hash[HF_SHA256_LEN];
  if (limits->foreign) {
    return true;
  }
  hf_tuf_hash(hash, value);
  return hf_json_is_hex(name, hf_bytes_init(hash, sizeof hash));
}

/* ECDSA as PEM, Ed25519 as hex. */
static enum hf_err parse_material(struct hf_pubkey *pub, bool ed25519, struct hf_json object)
{
  uint8_t text[HF_PUBKEY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  struct hf_json keyval, value;
  if (!get(&keyval, object, "keyval", HF_JSON_OBJECT) || !get(&value, keyval, "public", HF_JSON_TEXT)) {
    return HF_E_INPUT;
  }
  if (ed25519) {
    pub->type = HF_KEY_ED25519;
    pub->len = HF_ED25519_PUBLIC_LEN;
    return hf_json_get_hex(pub->at, pub->len, value);
  }
  if (hf_json_get_text(&buf, value) != HF_OK || hf_pubkey_parse_pem(pub, hf_buf_bytes(&buf)) != HF_OK) {
    return HF_E_INPUT;
  }
  return pub->type == HF_KEY_P256 ? HF_OK : HF_E_INPUT;
}

/* HF_E_NOT_FOUND: of a type that we cannot verify, whatever its keyval looks like. */
static enum hf_err parse_key(struct hf_pubkey *pub, struct hf_json object, const struct hf_tuf_limits *limits)
{
  struct hf_json type, scheme;
  if (!get(&type, object, "keytype", HF_JSON_TEXT) || !get(&scheme, object, "scheme", HF_JSON_TEXT)) {
    return HF_E_INPUT;
  }
  bool p256 = (hf_json_is(type, "ecdsa") || hf_json_is(type, "ecdsa-sha2-nistp256")) &&
              hf_json_is(scheme, "ecdsa-sha2-nistp256");
  bool ed25519 = hf_json_is(type, "ed25519") && hf_json_is(scheme, "ed25519");
  if (p256 || ed25519) {
    return parse_material(pub, ed25519, object);
  }
  return limits->host != NULL ? limits->host->key_parse(limits->host_ctx, pub, object) : HF_E_NOT_FOUND;
}

enum hf_err hf_tufkey_parse(struct hf_tuf_key *key, const struct hf_tuf_file *file, struct hf_json name,
                            struct hf_json value, const struct hf_tuf_limits *limits, struct hf_why *why)
{
  uint32_t at = hf_json_at(file->text, name);
  memset(key, 0, sizeof *key);
  if (!check_id(name, value, limits) || hf_tufkey_get_id(key->id, name, limits) != HF_OK) {
    return refuse(why, HF_RULE_TUF_KEY_ID, at);
  }
  enum hf_err err = parse_key(&key->pub, value, limits);
  if (err == HF_OK || err == HF_E_NOT_FOUND) {
    return err;
  }
  return refuse(why, HF_RULE_TUF_KEY, at);
}

/* ---- the keys of a role ---- */

size_t hf_tufkey_find(const struct hf_tuf_key *key, size_t count, const uint8_t id[HF_TUF_KEY_ID_LEN])
{
  size_t i = 0;
  while (i < count && memcmp(key[i].id, id, HF_TUF_KEY_ID_LEN) != 0) {
    i++;
  }
  return i;
}

unsigned hf_tufkey_count(const struct hf_tuf_key *key, size_t count, uint16_t set)
{
  unsigned distinct = 0;
  for (size_t i = 0; i < count; i++) {
    bool twin = (set >> i & 1) == 0;
    for (size_t j = 0; j < i && !twin; j++) {
      twin = (set >> j & 1) != 0 && hf_pubkey_equal(&key[i].pub, &key[j].pub);
    }
    distinct += !twin;
  }
  return distinct;
}

/* The key that an element of "keyids" names, taken into the set. `*index` is the set's count for a key of a type that
 * counts for nothing. */
static enum hf_err take_key(size_t *index, struct hf_tufkey_set *set, const struct hf_tufkey_role *in,
                            struct hf_json id, struct hf_why *why)
{
  uint8_t text[KEY_ID_TEXT_MAX];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  struct hf_tuf_key key;
  struct hf_json value;
  uint32_t at = hf_json_at(in->file->text, id);
  if (hf_tufkey_get_id(key.id, id, in->limits) != HF_OK || hf_json_get_text(&buf, id) != HF_OK ||
      hf_json_get_bytes(&value, in->keys, hf_buf_bytes(&buf)) != HF_OK) {
    *index = set->count;
    return in->limits->foreign ? HF_OK : refuse(why, HF_RULE_TUF_KEY_MISSING, at);
  }
  *index = hf_tufkey_find(set->key, set->count, key.id);
  if (*index < set->count) {
    return HF_OK;
  }
  enum hf_err err = hf_tufkey_parse(&key, in->file, id, value, in->limits, why);
  if (err != HF_OK) {
    return err == HF_E_NOT_FOUND ? HF_OK : err;
  }
  if (set->count >= set->cap || set->count >= HF_TUFKEY_ROLE_MAX) {
    hf_why_put(why, HF_RULE_TUF_KEYS, at);
    return HF_E_SPACE;
  }
  set->key[set->count++] = key;
  return HF_OK;
}

enum hf_err hf_tufkey_role_parse(struct hf_tuf_signers *signers, struct hf_tufkey_set *set,
                                 const struct hf_tufkey_role *in, struct hf_why *why)
{
  struct hf_json ids, element, value;
  int64_t threshold;
  uint32_t at = hf_json_at(in->file->text, in->role);
  memset(signers, 0, sizeof *signers);
  if (!get(&ids, in->role, "keyids", HF_JSON_ARRAY)) {
    return refuse(why, HF_RULE_TUF_SHAPE, at);
  }
  struct hf_json_walk walk = hf_json_walk_init(ids);
  while (hf_json_walk_next(&walk, &element)) { /* bounded by the file */
    size_t index;
    enum hf_err err = take_key(&index, set, in, element, why);
    if (err != HF_OK) {
      return err;
    }
    if (index < set->count) {
      signers->keys |= (uint16_t)(1u << index);
    }
  }
  if (hf_json_get(&value, in->role, "threshold") != HF_OK || hf_json_get_int(&threshold, value) != HF_OK ||
      threshold < 1 || threshold > UINT16_MAX) {
    return refuse(why, HF_RULE_TUF_THRESHOLD, at);
  }
  if (!in->limits->foreign && threshold > hf_tufkey_count(set->key, set->count, signers->keys)) {
    return refuse(why, HF_RULE_TUF_THRESHOLD, at);
  }
  signers->threshold = (uint16_t)threshold;
  return HF_OK;
}

/* ---- signatures ---- */

/* Compares canonical bytes with a text as they come. */
static bool put_compare(void *ctx, struct hf_bytes bytes)
{
  struct hf_cursor *cur = ctx;
  return hf_bytes_equal(hf_cursor_take(cur, bytes.len), bytes);
}

static bool put_buf(void *ctx, struct hf_bytes bytes)
{
  struct hf_buf *buf = ctx;
  hf_buf_put(buf, bytes);
  return !buf->failed;
}

/* The canonical bytes in one piece, as Ed25519 wants them: the text itself when it is canonical already, else a copy
 * in the scratch memory. Empty when there is no room. */
static struct hf_bytes canonical_bytes(const struct hf_tuf_file *file, const struct hf_tuf_limits *limits)
{
  struct hf_cursor cur = hf_cursor_init(file->body.text);
  if (hf_json_canonical((struct hf_json_sink){put_compare, &cur}, file->body) == HF_OK && hf_cursor_done(&cur)) {
    return file->body.text;
  }
  struct hf_buf buf = hf_buf_init(limits->scratch, limits->scratch == NULL ? 0 : limits->scratch_cap);
  if (hf_json_canonical((struct hf_json_sink){put_buf, &buf}, file->body) != HF_OK) {
    return (struct hf_bytes){NULL, 0};
  }
  return hf_buf_bytes(&buf);
}

/* What counting carries along. */
struct tally {
  const struct hf_tuf_file *file;
  const struct hf_tufkey_ring *ring;
  const struct hf_tuf_limits *limits;
  uint8_t digest[HF_SHA256_LEN];
  uint16_t tried;   /* keys that had their one signature looked at */
  uint16_t counted; /* keys whose signature is good */
  unsigned count;   /* how many they are */
  bool twice;       /* a key id stands there twice */
};

/* Is this key, under whatever id, counted already? */
static bool is_counted(const struct tally *tally, size_t key)
{
  const struct hf_tuf_key *keys = tally->ring->key;
  for (size_t i = 0; i < tally->ring->count; i++) {
    if ((tally->counted >> i & 1) != 0 && hf_pubkey_equal(&keys[i].pub, &keys[key].pub)) {
      return true;
    }
  }
  return false;
}

static enum hf_verdict verify_one(const struct tally *tally, const struct hf_pubkey *key, struct hf_json signature)
{
  uint8_t raw[HF_SIG_MAX];
  struct hf_json value;
  if (!get(&value, signature, "sig", HF_JSON_TEXT)) {
    return HF_DENY;
  }
  if (key->type == HF_KEY_HOST) {
    const struct hf_tuf_host *host = tally->limits->host;
    return host == NULL ? HF_DENY : host->verify(tally->limits->host_ctx, key, tally->file, value);
  }
  size_t len = (value.text.len - 2) / 2; /* two quotes, two digits a byte */
  if (len == 0 || len > sizeof raw || hf_json_get_hex(raw, len, value) != HF_OK) {
    return HF_DENY;
  }
  struct hf_bytes sig = hf_bytes_init(raw, len);
  if (key->type == HF_KEY_P256) {
    return hf_p256_verify(key, tally->digest, sig);
  }
  struct hf_bytes message = canonical_bytes(tally->file, tally->limits);
  return message.len > 0 && key->type == HF_KEY_ED25519 ? hf_ed25519_verify(key, message, sig) : HF_DENY;
}

/* Each key gets one try, so that a file full of bad signatures costs no more than a good one (CVE-2020-6173). */
static void count_signature(struct tally *tally, struct hf_json signature)
{
  uint8_t id[HF_TUF_KEY_ID_LEN];
  struct hf_json value;
  uint16_t allowed = tally->ring->signers.keys;
  if (!get(&value, signature, "keyid", HF_JSON_TEXT) || hf_tufkey_get_id(id, value, tally->limits) != HF_OK) {
    return;
  }
  for (size_t i = 0; i < tally->ring->count; i++) {
    const struct hf_tuf_key *key = &tally->ring->key[i];
    uint16_t bit = (uint16_t)(1u << i);
    if ((allowed & bit) == 0 || memcmp(key->id, id, sizeof key->id) != 0) {
      continue;
    }
    if ((tally->tried & bit) != 0) {
      tally->twice = true;
      return;
    }
    tally->tried |= bit;
    if (!is_counted(tally, i) && verify_one(tally, &key->pub, signature) == HF_ALLOW) {
      tally->counted |= bit;
      tally->count++;
    }
  }
}

enum hf_verdict hf_tufkey_verify(const struct hf_tuf_file *file, const struct hf_tufkey_ring *ring,
                                 const struct hf_tuf_limits *limits, struct hf_why *why)
{
  struct tally tally = {.file = file, .ring = ring, .limits = limits};
  struct hf_json_walk walk = hf_json_walk_init(file->signatures);
  struct hf_json signature;
  hf_tuf_digest(tally.digest, file);
  for (uint32_t n = 0; n < limits->signatures_max && hf_json_walk_next(&walk, &signature); n++) {
    count_signature(&tally, signature);
  }
  if (tally.twice) { /* "the keyid MUST be unique in the signatures array" (section 4.2.1) */
    hf_why_put(why, HF_RULE_TUF_SIGNED_TWICE, hf_json_at(file->text, file->signatures));
    return HF_DENY;
  }
  if (ring->signers.threshold >= 1 && tally.count >= ring->signers.threshold) {
    return HF_ALLOW;
  }
  hf_why_put(why, HF_RULE_TUF_UNSIGNED, hf_json_at(file->text, file->signatures));
  return HF_DENY;
}
