/* SPDX-License-Identifier: Apache-2.0
 * Reading one metadata file: shape, signatures, body. The trust record is trust.c. */
#include "hf/wire/tuf.h"

#include <string.h>

#include "hf/base/time.h"
#include "hf/wire/pubkey.h"

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule, uint32_t at)
{
  hf_why_put(why, rule, at);
  return HF_E_INPUT;
}

const char *hf_tuf_role_name(enum hf_tuf_role role)
{
  static const char *const names[HF_TUF_ROLES] = {"root", "timestamp", "snapshot", "targets"};
  return (unsigned)role < HF_TUF_ROLES ? names[role] : "unknown";
}

struct hf_tuf_limits hf_tuf_limits_init(void)
{
  return (struct hf_tuf_limits){
      .file_max = {64u << 10, 16u << 10, 2u << 20, 8u << 20},
      .roots_max = 256,
      .signatures_max = 64,
      .hashes_required = true,
  };
}

/* A member of a type; false when it is missing or of another. */
static bool get(struct hf_json *value, struct hf_json object, const char *name, enum hf_json_type type)
{
  return hf_json_get(value, object, name) == HF_OK && hf_json_type(*value) == type;
}

static bool get_positive(uint32_t *number, struct hf_json object, const char *name, int64_t max)
{
  struct hf_json value;
  int64_t raw;
  if (hf_json_get(&value, object, name) != HF_OK || hf_json_get_int(&raw, value) != HF_OK || raw < 1 || raw > max) {
    return false;
  }
  *number = (uint32_t)raw;
  return true;
}

static bool is_spec_1(struct hf_json body)
{
  uint8_t text[16];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  struct hf_json value;
  return get(&value, body, "spec_version", HF_JSON_TEXT) && hf_json_get_text(&buf, value) == HF_OK && buf.len > 2 &&
         text[0] == '1' && text[1] == '.';
}

static bool get_expires(int64_t *expires, struct hf_json body)
{
  uint8_t text[HF_TIME_TEXT_LEN];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  struct hf_json value;
  return get(&value, body, "expires", HF_JSON_TEXT) && hf_json_get_text(&buf, value) == HF_OK &&
         hf_time_parse(expires, hf_buf_bytes(&buf)) == HF_OK;
}

static enum hf_err parse_body(struct hf_tuf_file *file, struct hf_why *why)
{
  struct hf_json type;
  uint32_t at = hf_json_at(file->text, file->body);
  if (!get(&type, file->body, "_type", HF_JSON_TEXT)) {
    return refuse(why, HF_RULE_TUF_SHAPE, at);
  }
  if (!hf_json_is(type, hf_tuf_role_name(file->role))) {
    return refuse(why, HF_RULE_TUF_TYPE, hf_json_at(file->text, type));
  }
  if (!is_spec_1(file->body)) {
    return refuse(why, HF_RULE_TUF_SPEC_VERSION, at);
  }
  if (!get_positive(&file->version, file->body, "version", HF_TUF_VERSION_MAX)) {
    return refuse(why, HF_RULE_TUF_VERSION, at);
  }
  return get_expires(&file->expires, file->body) ? HF_OK : refuse(why, HF_RULE_TUF_EXPIRES, at);
}

enum hf_err hf_tuf_parse(struct hf_tuf_file *file, struct hf_bytes text, enum hf_tuf_role role,
                         const struct hf_tuf_limits *limits, struct hf_why *why)
{
  struct hf_json whole;
  memset(file, 0, sizeof *file);
  file->text = text;
  file->role = role;
  if (text.len > limits->file_max[role]) {
    return refuse(why, HF_RULE_TUF_TOO_LONG, limits->file_max[role]);
  }
  if (hf_json_parse(&whole, text, why) != HF_OK) {
    return HF_E_INPUT;
  }
  if (!get(&file->body, whole, "signed", HF_JSON_OBJECT) ||
      !get(&file->signatures, whole, "signatures", HF_JSON_ARRAY)) {
    return refuse(why, HF_RULE_TUF_SHAPE, 0);
  }
  if (hf_json_count(file->signatures) > limits->signatures_max) {
    return refuse(why, HF_RULE_TUF_SIGNATURES, hf_json_at(text, file->signatures));
  }
  return parse_body(file, why);
}

/* ---- signatures ---- */

static bool put_hash(void *ctx, struct hf_bytes bytes)
{
  hf_sha256_put(ctx, bytes);
  return true;
}

static void canonical_hash(uint8_t out[HF_SHA256_LEN], struct hf_json value)
{
  struct hf_sha256 hash;
  hf_sha256_init(&hash);
  (void)!hf_json_canonical((struct hf_json_sink){put_hash, &hash}, value); /* this sink never stops */
  hf_sha256_get(&hash, out);
}

void hf_tuf_digest(uint8_t out[HF_SHA256_LEN], const struct hf_tuf_file *file) { canonical_hash(out, file->body); }

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
  const struct hf_tuf_root *root;
  const struct hf_tuf_limits *limits;
  uint8_t digest[HF_SHA256_LEN];
  uint16_t tried;   /* keys that had their one signature looked at */
  uint16_t counted; /* keys whose signature is good */
  unsigned count;   /* how many they are */
};

/* Is this key, under whatever id, counted already? */
static bool is_counted(const struct tally *tally, size_t key)
{
  for (size_t i = 0; i < tally->root->key_count; i++) {
    if ((tally->counted >> i & 1) != 0 && hf_pubkey_equal(&tally->root->key[i].pub, &tally->root->key[key].pub)) {
      return true;
    }
  }
  return false;
}

static enum hf_verdict verify_one(const struct tally *tally, const struct hf_pubkey *key, struct hf_json signature)
{
  uint8_t raw[HF_SIG_MAX];
  struct hf_json value;
  if (!get(&value, signature, "sig", HF_JSON_TEXT) || value.text.len > 2 + 2 * sizeof raw) {
    return HF_DENY;
  }
  size_t len = (value.text.len - 2) / 2; /* two quotes, two digits a byte */
  if (len == 0 || hf_json_get_hex(raw, len, value) != HF_OK) {
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
  uint8_t id[HF_SHA256_LEN];
  struct hf_json value;
  uint16_t allowed = tally->root->role[tally->file->role].keys;
  if (!get(&value, signature, "keyid", HF_JSON_TEXT) || hf_json_get_hex(id, sizeof id, value) != HF_OK) {
    return;
  }
  for (size_t i = 0; i < tally->root->key_count; i++) {
    const struct hf_tuf_key *key = &tally->root->key[i];
    uint16_t bit = (uint16_t)(1u << i);
    if ((allowed & bit) == 0 || (tally->tried & bit) != 0 || memcmp(key->id, id, sizeof key->id) != 0) {
      continue;
    }
    tally->tried |= bit;
    if (!is_counted(tally, i) && verify_one(tally, &key->pub, signature) == HF_ALLOW) {
      tally->counted |= bit;
      tally->count++;
    }
  }
}

enum hf_verdict hf_tuf_verify(const struct hf_tuf_file *file, const struct hf_tuf_root *root,
                              const struct hf_tuf_limits *limits, struct hf_why *why)
{
  struct tally tally = {.file = file, .root = root, .limits = limits};
  const struct hf_tuf_signers *signers = &root->role[file->role];
  struct hf_json_walk walk = hf_json_walk_init(file->signatures);
  struct hf_json signature;
  canonical_hash(tally.digest, file->body);
  for (uint32_t n = 0; n < limits->signatures_max && hf_json_walk_next(&walk, &signature); n++) {
    count_signature(&tally, signature);
  }
  if (signers->threshold >= 1 && tally.count >= signers->threshold) {
    return HF_ALLOW;
  }
  hf_why_put(why, HF_RULE_TUF_UNSIGNED, hf_json_at(file->text, file->signatures));
  return HF_DENY;
}

/* ---- root ---- */

/* Read a key of a type we can verify. `*known` false: a type we cannot, which counts for nothing. */
static enum hf_err parse_key(struct hf_pubkey *pub, bool *known, struct hf_json object)
{
  uint8_t text[HF_PUBKEY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  struct hf_json type, scheme, keyval, value;
  if (!get(&type, object, "keytype", HF_JSON_TEXT) || !get(&scheme, object, "scheme", HF_JSON_TEXT)) {
    return HF_E_INPUT;
  }
  bool p256 = (hf_json_is(type, "ecdsa") || hf_json_is(type, "ecdsa-sha2-nistp256")) &&
              hf_json_is(scheme, "ecdsa-sha2-nistp256");
  bool ed25519 = hf_json_is(type, "ed25519") && hf_json_is(scheme, "ed25519");
  *known = p256 || ed25519;
  if (!*known) {
    return HF_OK; /* whatever its keyval looks like */
  }
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

static size_t find_key(const struct hf_tuf_root *root, const uint8_t *id)
{
  size_t i = 0;
  while (i < root->key_count && memcmp(root->key[i].id, id, HF_TUF_KEY_ID_LEN) != 0) {
    i++;
  }
  return i;
}

static enum hf_err add_key(struct hf_tuf_root *root, const struct hf_tuf_file *file, struct hf_json name,
                           struct hf_json value, struct hf_why *why)
{
  uint8_t id[HF_SHA256_LEN];
  struct hf_pubkey pub = {0};
  bool known = false;
  uint32_t at = hf_json_at(file->text, name);
  canonical_hash(id, value);
  if (!hf_json_is_hex(name, hf_bytes_init(id, sizeof id))) {
    return refuse(why, HF_RULE_TUF_KEY_ID, at);
  }
  if (parse_key(&pub, &known, value) != HF_OK) {
    return refuse(why, HF_RULE_TUF_KEY, at);
  }
  if (!known) {
    return HF_OK;
  }
  if (root->key_count >= HF_TUF_KEYS_MAX) {
    return refuse(why, HF_RULE_TUF_KEYS, at);
  }
  if (find_key(root, id) < root->key_count) {
    return refuse(why, HF_RULE_TUF_KEY_ID, at); /* two ids of one beginning: 2^32 work, and no accident */
  }
  struct hf_tuf_key *key = &root->key[root->key_count++];
  key->pub = pub;
  memcpy(key->id, id, sizeof key->id);
  return HF_OK;
}

/* How many different keys a set holds, whatever ids they go under. */
static unsigned count_distinct(const struct hf_tuf_root *root, uint16_t keys)
{
  unsigned count = 0;
  for (size_t i = 0; i < root->key_count; i++) {
    bool twin = (keys >> i & 1) == 0;
    for (size_t j = 0; j < i && !twin; j++) {
      twin = (keys >> j & 1) != 0 && hf_pubkey_equal(&root->key[i].pub, &root->key[j].pub);
    }
    count += !twin;
  }
  return count;
}

static enum hf_err parse_role(struct hf_tuf_root *root, enum hf_tuf_role which, const struct hf_tuf_file *file,
                              struct hf_json roles, struct hf_why *why)
{
  struct hf_json keys, role, ids, element, unused;
  uint32_t threshold;
  struct hf_tuf_signers *signers = &root->role[which];
  if (!get(&keys, file->body, "keys", HF_JSON_OBJECT) || !get(&role, roles, hf_tuf_role_name(which), HF_JSON_OBJECT) ||
      !get(&ids, role, "keyids", HF_JSON_ARRAY)) {
    return refuse(why, HF_RULE_TUF_SHAPE, hf_json_at(file->text, roles));
  }
  struct hf_json_walk walk = hf_json_walk_init(ids);
  while (hf_json_walk_next(&walk, &element)) { /* bounded by the file */
    uint8_t id[HF_SHA256_LEN];
    uint8_t text[2 * HF_SHA256_LEN];
    struct hf_buf buf = hf_buf_init(text, sizeof text);
    uint32_t at = hf_json_at(file->text, element);
    if (hf_json_get_hex(id, sizeof id, element) != HF_OK || hf_json_get_text(&buf, element) != HF_OK ||
        hf_json_get_bytes(&unused, keys, hf_buf_bytes(&buf)) != HF_OK) {
      return refuse(why, HF_RULE_TUF_KEY_MISSING, at);
    }
    size_t key = find_key(root, id);
    if (key < root->key_count) { /* else a key of a type that counts for nothing */
      signers->keys |= (uint16_t)(1u << key);
    }
  }
  if (!get_positive(&threshold, role, "threshold", HF_TUF_KEYS_MAX) ||
      threshold > count_distinct(root, signers->keys)) {
    return refuse(why, HF_RULE_TUF_THRESHOLD, hf_json_at(file->text, role));
  }
  signers->threshold = (uint16_t)threshold;
  return HF_OK;
}

enum hf_err hf_tuf_root_parse(struct hf_tuf_root *root, const struct hf_tuf_file *file, struct hf_why *why)
{
  struct hf_json keys, roles, name, value;
  memset(root, 0, sizeof *root);
  root->version = file->version;
  root->expires = file->expires;
  if (!get(&keys, file->body, "keys", HF_JSON_OBJECT) || !get(&roles, file->body, "roles", HF_JSON_OBJECT)) {
    return refuse(why, HF_RULE_TUF_SHAPE, hf_json_at(file->text, file->body));
  }
  if (hf_json_get(&value, file->body, "consistent_snapshot") == HF_OK &&
      hf_json_get_bool(&root->consistent_snapshot, value) != HF_OK) {
    return refuse(why, HF_RULE_TUF_SHAPE, hf_json_at(file->text, value));
  }
  struct hf_json_walk walk = hf_json_walk_init(keys);
  while (hf_json_walk_member(&walk, &name, &value)) {
    enum hf_err err = add_key(root, file, name, value, why);
    if (err != HF_OK) {
      return err;
    }
  }
  for (unsigned role = 0; role < HF_TUF_ROLES; role++) {
    enum hf_err err = parse_role(root, (enum hf_tuf_role)role, file, roles, why);
    if (err != HF_OK) {
      return err;
    }
  }
  return HF_OK;
}

/* ---- timestamp, snapshot, targets ---- */

static enum hf_err parse_meta(struct hf_tuf_meta *meta, struct hf_json entry)
{
  struct hf_json value, hash;
  memset(meta, 0, sizeof *meta);
  if (!get_positive(&meta->version, entry, "version", HF_TUF_VERSION_MAX)) {
    return HF_E_INPUT;
  }
  if (hf_json_get(&value, entry, "length") == HF_OK && !get_positive(&meta->length, entry, "length", UINT32_MAX)) {
    return HF_E_INPUT;
  }
  if (hf_json_get(&value, entry, "hashes") == HF_OK && hf_json_get(&hash, value, "sha256") == HF_OK) {
    meta->has_sha256 = true;
    return hf_json_get_hex(meta->sha256, sizeof meta->sha256, hash);
  }
  return HF_OK;
}

enum hf_err hf_tuf_meta_get(struct hf_tuf_meta *meta, const struct hf_tuf_file *file, const char *name,
                            struct hf_why *why)
{
  struct hf_json list, entry;
  if (!get(&list, file->body, "meta", HF_JSON_OBJECT)) {
    return refuse(why, HF_RULE_TUF_SHAPE, hf_json_at(file->text, file->body));
  }
  if (hf_json_get(&entry, list, name) != HF_OK) {
    hf_why_put(why, HF_RULE_TUF_NOT_LISTED, hf_json_at(file->text, list));
    return HF_E_NOT_FOUND;
  }
  return parse_meta(meta, entry) == HF_OK ? HF_OK : refuse(why, HF_RULE_TUF_SHAPE, hf_json_at(file->text, entry));
}

enum hf_err hf_tuf_meta_parse(struct hf_tuf_meta *meta, const struct hf_tuf_file *file, struct hf_json entry,
                              struct hf_why *why)
{
  return parse_meta(meta, entry) == HF_OK ? HF_OK : refuse(why, HF_RULE_TUF_SHAPE, hf_json_at(file->text, entry));
}

struct hf_json hf_tuf_targets(const struct hf_tuf_file *targets)
{
  struct hf_json list;
  return get(&list, targets->body, "targets", HF_JSON_OBJECT) ? list : (struct hf_json){HF_LIT("{}")};
}

bool hf_tuf_delegates(const struct hf_tuf_file *targets)
{
  struct hf_json delegations, roles;
  if (hf_json_get(&delegations, targets->body, "delegations") != HF_OK) {
    return false;
  }
  bool none = get(&roles, delegations, "roles", HF_JSON_ARRAY) && hf_json_count(roles) == 0 &&
              hf_json_get(&roles, delegations, "succinct_roles") != HF_OK;
  return !none; /* of another shape: not ours to read, so it counts as delegating */
}

enum hf_err hf_tuf_target_get(struct hf_target_file *target, const struct hf_tuf_file *targets, struct hf_bytes path,
                              struct hf_why *why)
{
  struct hf_json list = hf_tuf_targets(targets), name, value;
  struct hf_json_walk walk = hf_json_walk_init(list);
  while (hf_json_walk_member(&walk, &name, &value)) { /* bounded by the file */
    if (!hf_json_is_bytes(name, path)) {
      continue;
    }
    struct hf_why inner = {0};
    if (hf_target_file_parse(target, name, value, &inner) == HF_OK) {
      return HF_OK;
    }
    return refuse(why, HF_RULE_TUF_TARGET, hf_json_at(targets->text, name));
  }
  if (hf_tuf_delegates(targets)) {
    return refuse(why, HF_RULE_TUF_DELEGATED, hf_json_at(targets->text, targets->body));
  }
  return HF_E_NOT_FOUND;
}
