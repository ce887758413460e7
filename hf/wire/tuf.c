/* SPDX-License-Identifier: Apache-2.0
 * Reading one metadata file: shape and body. Keys and signatures are tufkey.c, the trust record is tuftrust.c. */
#include "hf/wire/tuf.h"

#include <string.h>

#include "hf/base/time.h"
#include "hf/wire/tufkey.h"

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

static enum hf_err parse_body(struct hf_tuf_file *file, const char *own_type, struct hf_why *why)
{
  struct hf_json type;
  uint32_t at = hf_json_at(file->text, file->body);
  if (!get(&type, file->body, "_type", HF_JSON_TEXT)) {
    return refuse(why, HF_RULE_TUF_SHAPE, at);
  }
  if (!hf_json_is(type, own_type)) {
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
  return hf_tuf_parse_typed(file, text, hf_tuf_role_name(role), role, limits, why);
}

enum hf_err hf_tuf_parse_typed(struct hf_tuf_file *file, struct hf_bytes text, const char *type, enum hf_tuf_role role,
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
  return parse_body(file, type, why);
}

/* ---- digests ---- */

static bool put_hash(void *ctx, struct hf_bytes bytes)
{
  hf_sha256_put(ctx, bytes);
  return true;
}

void hf_tuf_hash(uint8_t out[HF_SHA256_LEN], struct hf_json value)
{
  struct hf_sha256 hash;
  hf_sha256_init(&hash);
  (void)!hf_json_canonical((struct hf_json_sink){put_hash, &hash}, value); /* this sink never stops */
  hf_sha256_get(&hash, out);
}

void hf_tuf_digest(uint8_t out[HF_SHA256_LEN], const struct hf_tuf_file *file) { hf_tuf_hash(out, file->body); }

/* ---- root ---- */

enum hf_verdict hf_tuf_verify(const struct hf_tuf_file *file, const struct hf_tuf_root *root,
                              const struct hf_tuf_limits *limits, struct hf_why *why)
{
  const struct hf_tufkey_ring ring = {root->key, root->key_count, root->role[file->role]};
  return hf_tufkey_verify(file, &ring, limits, why);
}

static enum hf_err add_key(struct hf_tuf_root *root, const struct hf_tuf_file *file, struct hf_json name,
                           struct hf_json value, const struct hf_tuf_limits *limits, struct hf_why *why)
{
  struct hf_tuf_key key;
  uint32_t at = hf_json_at(file->text, name);
  enum hf_err err = hf_tufkey_parse(&key, file, name, value, limits, why);
  if (err != HF_OK) {
    return err == HF_E_NOT_FOUND ? HF_OK : err;
  }
  if (root->key_count >= HF_TUF_KEYS_MAX) {
    return refuse(why, HF_RULE_TUF_KEYS, at);
  }
  if (hf_tufkey_find(root->key, root->key_count, key.id) < root->key_count) {
    return refuse(why, HF_RULE_TUF_KEY_ID, at); /* two ids of one beginning: 2^32 work, and no accident */
  }
  root->key[root->key_count++] = key;
  return HF_OK;
}

static enum hf_err parse_roles(struct hf_tuf_root *root, const struct hf_tuf_file *file, struct hf_json keys,
                               const struct hf_tuf_limits *limits, struct hf_why *why)
{
  struct hf_json roles;
  if (!get(&roles, file->body, "roles", HF_JSON_OBJECT)) {
    return refuse(why, HF_RULE_TUF_SHAPE, hf_json_at(file->text, file->body));
  }
  for (unsigned i = 0; i < HF_TUF_ROLES; i++) {
    struct hf_tufkey_set set = {root->key, root->key_count, HF_TUF_KEYS_MAX};
    struct hf_tufkey_role in = {.file = file, .keys = keys, .limits = limits};
    if (!get(&in.role, roles, hf_tuf_role_name((enum hf_tuf_role)i), HF_JSON_OBJECT)) {
      return refuse(why, HF_RULE_TUF_SHAPE, hf_json_at(file->text, roles));
    }
    enum hf_err err = hf_tufkey_role_parse(&root->role[i], &set, &in, why);
    if (err != HF_OK) {
      return err == HF_E_SPACE ? HF_E_INPUT : err;
    }
    root->key_count = (uint8_t)set.count;
  }
  return HF_OK;
}

enum hf_err hf_tuf_root_parse(struct hf_tuf_root *root, const struct hf_tuf_file *file,
                              const struct hf_tuf_limits *limits, struct hf_why *why)
{
  struct hf_json keys, name, value;
  memset(root, 0, sizeof *root);
  root->version = file->version;
  root->expires = file->expires;
  if (!get(&keys, file->body, "keys", HF_JSON_OBJECT)) {
    return refuse(why, HF_RULE_TUF_SHAPE, hf_json_at(file->text, file->body));
  }
  if (hf_json_get(&value, file->body, "consistent_snapshot") == HF_OK &&
      hf_json_get_bool(&root->consistent_snapshot, value) != HF_OK) {
    return refuse(why, HF_RULE_TUF_SHAPE, hf_json_at(file->text, value));
  }
  struct hf_json_walk walk = hf_json_walk_init(keys);
  while (!limits->foreign && hf_json_walk_member(&walk, &name, &value)) { /* other tools leave old keys in */
    enum hf_err err = add_key(root, file, name, value, limits, why);
    if (err != HF_OK) {
      return err;
    }
  }
  return parse_roles(root, file, keys, limits, why);
}

/* ---- timestamp, snapshot, targets ---- */

/* Every hash that we know is read; a file announced by unknown ones alone could not be checked at all. */
static enum hf_err parse_hashes(struct hf_tuf_meta *meta, struct hf_json hashes)
{
  struct hf_json hash;
  meta->has_sha256 = hf_json_get(&hash, hashes, "sha256") == HF_OK;
  if (meta->has_sha256 && hf_json_get_hex(meta->sha256, sizeof meta->sha256, hash) != HF_OK) {
    return HF_E_INPUT;
  }
  meta->has_sha512 = hf_json_get(&hash, hashes, "sha512") == HF_OK;
  if (meta->has_sha512 && hf_json_get_hex(meta->sha512, sizeof meta->sha512, hash) != HF_OK) {
    return HF_E_INPUT;
  }
  return meta->has_sha256 || meta->has_sha512 ? HF_OK : HF_E_NOT_FOUND;
}

enum hf_err hf_tuf_meta_parse(struct hf_tuf_meta *meta, const struct hf_tuf_file *file, struct hf_json entry,
                              struct hf_why *why)
{
  struct hf_json value;
  uint32_t at = hf_json_at(file->text, entry);
  memset(meta, 0, sizeof *meta);
  if (!get_positive(&meta->version, entry, "version", HF_TUF_VERSION_MAX)) {
    return refuse(why, HF_RULE_TUF_SHAPE, at);
  }
  if (hf_json_get(&value, entry, "length") == HF_OK && !get_positive(&meta->length, entry, "length", UINT32_MAX)) {
    return refuse(why, HF_RULE_TUF_SHAPE, at);
  }
  enum hf_err err = hf_json_get(&value, entry, "hashes") == HF_OK ? parse_hashes(meta, value) : HF_OK;
  return err == HF_OK ? HF_OK : refuse(why, err == HF_E_NOT_FOUND ? HF_RULE_TUF_HASH_UNKNOWN : HF_RULE_TUF_SHAPE, at);
}

enum hf_verdict hf_tuf_meta_verify(const struct hf_tuf_meta *meta, struct hf_bytes bytes,
                                   const struct hf_tuf_limits *limits, struct hf_why *why)
{
  uint8_t hash[HF_SHA512_LEN];
  bool same = true;
  if (meta->length > 0 && bytes.len != meta->length) {
    hf_why_put(why, HF_RULE_TUF_LENGTH, 0);
    return HF_DENY;
  }
  if (meta->has_sha512 && limits->host != NULL) {
    limits->host->sha512(hash, bytes);
    same = hf_secret_equal(hash, meta->sha512, HF_SHA512_LEN);
  } else if (meta->has_sha512 && !meta->has_sha256) {
    same = false; /* announced by a hash that a device cannot compute */
  }
  if (meta->has_sha256 && same) {
    hf_sha256(hash, bytes);
    same = hf_secret_equal(hash, meta->sha256, HF_SHA256_LEN);
  }
  if (same) {
    return HF_ALLOW;
  }
  hf_why_put(why, HF_RULE_TUF_HASH, 0);
  return HF_DENY;
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
  return hf_tuf_meta_parse(meta, file, entry, why);
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
