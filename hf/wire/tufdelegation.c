/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/tufdelegation.h"

#include "hf/codec/text.h"
#include "hf/wire/tufsearch.h"

/** Succinct roles go by the first 32 bits of the hash at most (TAP 15). */
#define BIN_BITS_MAX 32

static enum hf_err refuse(const struct hf_tufdelegation_walk *walk, struct hf_json blamed, enum hf_rule rule,
                          struct hf_why *why)
{
  hf_why_put(why, rule, hf_json_at(walk->file->text, blamed));
  return rule == HF_RULE_TUF_DELEGATION_LONG ? HF_E_SPACE : HF_E_INPUT;
}

static bool get(struct hf_json *value, struct hf_json object, const char *name, enum hf_json_type type)
{
  return hf_json_get(value, object, name) == HF_OK && hf_json_type(*value) == type;
}

/* ---- patterns ---- */

bool hf_tufdelegation_match(struct hf_bytes pattern, struct hf_bytes path)
{
  size_t p = 0, s = 0;
  size_t star = SIZE_MAX, taken = 0; /* the last `*` of this part, and where what it stands for ends */
  while (s < path.len) {
    uint8_t c = path.at[s];
    if (p < pattern.len && pattern.at[p] == '*') {
      star = p++;
      taken = s;
    } else if (p < pattern.len && (pattern.at[p] == c || (pattern.at[p] == '?' && c != '/'))) {
      star = c == '/' ? SIZE_MAX : star; /* a star reaches no further than its part */
      p++;
      s++;
    } else if (star != SIZE_MAX && path.at[taken] != '/') {
      s = ++taken;
      p = star + 1;
    } else {
      return false;
    }
  }
  while (p < pattern.len && pattern.at[p] == '*') {
    p++;
  }
  return p == pattern.len;
}

/* Does a prefix in hex begin the hash? Lower case, as every writer has it. */
static bool prefix_match(struct hf_bytes prefix, const uint8_t *hash)
{
  uint8_t text[2 * HF_SHA256_LEN];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  hf_hex_put(&buf, hf_bytes_init(hash, HF_SHA256_LEN));
  return prefix.len <= sizeof text && hf_bytes_equal(prefix, hf_bytes_init(text, prefix.len));
}

static enum hf_err any_match(bool *matches, const struct hf_tufdelegation_walk *walk, struct hf_json list,
                             bool prefixes, struct hf_why *why)
{
  struct hf_json element;
  struct hf_json_walk each = hf_json_walk_init(list);
  *matches = false;
  while (!*matches && hf_json_walk_next(&each, &element)) { /* bounded by the file */
    uint8_t room[HF_TUFSEARCH_PATTERN_MAX];
    struct hf_buf text = hf_buf_init(room, sizeof room);
    enum hf_err err = hf_json_get_text(&text, element);
    if (err != HF_OK) {
      return refuse(walk, element, err == HF_E_SPACE ? HF_RULE_TUF_DELEGATION_LONG : HF_RULE_TUF_DELEGATION, why);
    }
    *matches = prefixes ? prefix_match(hf_buf_bytes(&text), walk->path.hash)
                        : hf_tufdelegation_match(hf_buf_bytes(&text), walk->path.path);
  }
  return HF_OK;
}

/* ---- the walk ---- */

enum hf_err hf_tufdelegation_walk_init(struct hf_tufdelegation_walk *walk, const struct hf_tuf_file *file,
                                       struct hf_tufdelegation_path path, struct hf_why *why)
{
  struct hf_json delegations, roles;
  *walk = (struct hf_tufdelegation_walk){.file = file, .path = path};
  walk->roles = hf_json_walk_init(walk->keys);
  if (hf_json_get(&delegations, file->body, "delegations") != HF_OK ||
      hf_json_type(delegations) == HF_JSON_NULL) { /* some writers say null for none */
    return HF_OK;
  }
  bool listed = get(&roles, delegations, "roles", HF_JSON_ARRAY);
  bool succinct = get(&walk->succinct, delegations, "succinct_roles", HF_JSON_OBJECT);
  if (hf_json_type(delegations) != HF_JSON_OBJECT || listed == succinct ||
      !get(&walk->keys, delegations, "keys", HF_JSON_OBJECT)) {
    return refuse(walk, delegations, HF_RULE_TUF_DELEGATION, why);
  }
  if (listed) {
    walk->roles = hf_json_walk_init(roles);
    walk->succinct = (struct hf_json){{NULL, 0}};
  }
  return HF_OK;
}

/* A name that could be taken for another file, or for none, is refused: CVE-2021-41131 and its kind. */
static enum hf_err check_name(const struct hf_tufdelegation_walk *walk, struct hf_json role, struct hf_bytes name,
                              struct hf_why *why)
{
  bool taken = name.len == 0;
  for (unsigned i = 0; i < HF_TUF_ROLES; i++) {
    taken = taken || hf_bytes_is(name, hf_tuf_role_name((enum hf_tuf_role)i));
  }
  return taken ? refuse(walk, role, HF_RULE_TUF_ROLE_NAME, why) : HF_OK;
}

static enum hf_err read_role(bool *matches, const struct hf_tufdelegation_walk *walk, struct hf_json role,
                             struct hf_buf *name, struct hf_why *why)
{
  struct hf_json value, list;
  size_t start = name->len;
  if (!get(&value, role, "name", HF_JSON_TEXT)) {
    return refuse(walk, role, HF_RULE_TUF_DELEGATION, why);
  }
  enum hf_err err = hf_json_get_text(name, value);
  if (err != HF_OK) {
    return refuse(walk, value, HF_RULE_TUF_DELEGATION_LONG, why);
  }
  err = check_name(walk, value, hf_bytes_init(name->at + start, name->len - start), why);
  if (err != HF_OK) {
    return err;
  }
  bool paths = get(&list, role, "paths", HF_JSON_ARRAY);
  struct hf_json prefixes;
  bool hashed = get(&prefixes, role, "path_hash_prefixes", HF_JSON_ARRAY);
  if (paths == hashed) {
    return refuse(walk, role, HF_RULE_TUF_DELEGATION, why); /* one of them, and not both */
  }
  return any_match(matches, walk, hashed ? prefixes : list, hashed, why);
}

/* TAP 15: the role is the prefix, a dash and the first bits of the hash in hex. It always matches. */
static enum hf_err read_succinct(struct hf_tufdelegation_walk *walk, struct hf_buf *name, struct hf_why *why)
{
  static const char digits[] = "0123456789abcdef";
  struct hf_json value;
  int64_t bits;
  const uint8_t *hash = walk->path.hash;
  if (!get(&value, walk->succinct, "bit_length", HF_JSON_INT) || hf_json_get_int(&bits, value) != HF_OK || bits < 1 ||
      bits > BIN_BITS_MAX || !get(&value, walk->succinct, "name_prefix", HF_JSON_TEXT)) {
    return refuse(walk, walk->succinct, HF_RULE_TUF_DELEGATION, why);
  }
  uint32_t bin = (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 | hash[3];
  bin >>= BIN_BITS_MAX - bits;
  if (hf_json_get_text(name, value) != HF_OK) {
    return refuse(walk, value, HF_RULE_TUF_DELEGATION_LONG, why);
  }
  hf_buf_put_u8(name, '-');
  for (unsigned left = ((unsigned)bits + 3) / 4; left > 0; left--) {
    hf_buf_put_u8(name, (uint8_t)digits[bin >> (4 * (left - 1)) & 15]);
  }
  return name->failed ? refuse(walk, value, HF_RULE_TUF_DELEGATION_LONG, why) : HF_OK;
}

static enum hf_err next_succinct(struct hf_tufdelegation_walk *walk, struct hf_tufdelegation *delegation,
                                 struct hf_buf *name, struct hf_why *why)
{
  enum hf_err err = read_succinct(walk, name, why);
  *delegation = (struct hf_tufdelegation){.role = walk->succinct, .keys = walk->keys, .terminating = true};
  walk->succinct = (struct hf_json){{NULL, 0}};
  return err;
}

enum hf_err hf_tufdelegation_next(struct hf_tufdelegation_walk *walk, struct hf_tufdelegation *delegation,
                                  struct hf_buf *name, struct hf_why *why)
{
  struct hf_json role, value;
  size_t start = name->len;
  if (walk->succinct.text.len > 0) {
    return next_succinct(walk, delegation, name, why);
  }
  while (hf_json_walk_next(&walk->roles, &role)) { /* bounded by the file */
    bool matches;
    enum hf_err err = read_role(&matches, walk, role, name, why);
    if (err != HF_OK) {
      return err;
    }
    if (!matches) {
      name->len = start;
      continue;
    }
    *delegation = (struct hf_tufdelegation){.role = role, .keys = walk->keys};
    if (hf_json_get(&value, role, "terminating") == HF_OK &&
        hf_json_get_bool(&delegation->terminating, value) != HF_OK) {
      return refuse(walk, value, HF_RULE_TUF_DELEGATION, why);
    }
    return HF_OK;
  }
  return HF_E_NOT_FOUND;
}
