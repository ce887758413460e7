/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/tufsearch.h"

#include <string.h>

#include "hf/base/assert.h"
#include "hf/wire/tufdelegation.h"
#include "hf/wire/tufkey.h"

static enum hf_verdict deny(struct hf_why *why, enum hf_rule rule, uint32_t at)
{
  hf_why_put(why, rule, at);
  return HF_DENY;
}

/* ---- the stack of waiting delegations; its top is the last one ---- */

static struct hf_tufsearch_role *top(const struct hf_tufsearch *search)
{
  return &search->room.role[search->roles - 1];
}

static void pop(struct hf_tufsearch *search)
{
  search->roles--;
  search->keys -= search->room.role[search->roles].key_count;
}

static void make_id(uint8_t id[HF_TUFSEARCH_ID_LEN], const struct hf_tufsearch_role *role)
{
  uint8_t hash[HF_SHA256_LEN];
  hf_sha256(hash, hf_bytes_init(role->name, role->name_len));
  memcpy(id, hash, HF_TUFSEARCH_ID_LEN);
}

static bool is_visited(const struct hf_tufsearch *search, const uint8_t id[HF_TUFSEARCH_ID_LEN])
{
  for (size_t i = 0; i < search->visited; i++) {
    if (memcmp(search->room.visited[i], id, HF_TUFSEARCH_ID_LEN) == 0) {
      return true;
    }
  }
  return false;
}

/* Every role once: cycles end here (section 5.6.7.1). */
static void skip_visited(struct hf_tufsearch *search)
{
  uint8_t id[HF_TUFSEARCH_ID_LEN];
  while (search->roles > 0) {
    make_id(id, top(search));
    if (!is_visited(search, id)) {
      return;
    }
    pop(search);
  }
}

/* Read one matching delegation onto the stack. */
static enum hf_verdict push(struct hf_tufsearch *search, const struct hf_tufdelegation *delegation,
                            struct hf_bytes name, struct hf_why *why)
{
  struct hf_tufsearch_role *role = &search->room.role[search->roles];
  struct hf_tufkey_set set = {.key = search->room.key + search->keys, .cap = search->room.key_cap - search->keys};
  const struct hf_tufkey_role in = {&search->file, delegation->keys, delegation->role, search->limits};
  memcpy(role->name, name.at, name.len);
  role->name_len = (uint8_t)name.len;
  role->depth = (uint8_t)(search->at.depth + 1);
  role->terminating = delegation->terminating;
  enum hf_err err = hf_tufkey_role_parse(&role->signers, &set, &in, why);
  if (err != HF_OK) {
    return HF_DENY;
  }
  role->key_count = (uint8_t)set.count;
  search->roles++;
  search->keys += set.count;
  return HF_ALLOW;
}

/* A terminating delegation: whatever waited before its delegator spoke is not asked any more. `roles` and `keys` say
 * how much that is. */
static void forget_below(struct hf_tufsearch *search, size_t roles, size_t keys)
{
  struct hf_tufsearch_room *room = &search->room;
  search->roles -= roles;
  search->keys -= keys;
  memmove(room->role, room->role + roles, search->roles * sizeof room->role[0]);
  memmove(room->key, room->key + keys, search->keys * sizeof room->key[0]);
}

/* The first delegation of a file is to be followed first, so it must be on top. Keys turn with their roles: which
 * of its own keys comes first is all the same, a role has them all. */
static void turn(struct hf_tufsearch *search, size_t roles, size_t keys)
{
  struct hf_tufsearch_room *room = &search->room;
  for (size_t low = roles, high = search->roles; low + 1 < high; low++) {
    struct hf_tufsearch_role role = room->role[low];
    room->role[low] = room->role[--high];
    room->role[high] = role;
  }
  for (size_t low = keys, high = search->keys; low + 1 < high; low++) {
    struct hf_tuf_key key = room->key[low];
    room->key[low] = room->key[--high];
    room->key[high] = key;
  }
}

/* ---- one targets file ---- */

/* The delegations of the file at hand that match, onto the stack. */
static enum hf_verdict push_all(struct hf_tufsearch *search, struct hf_why *why)
{
  uint8_t room[HF_TUFSEARCH_ROLE_MAX];
  struct hf_tufdelegation_walk walk;
  struct hf_tufdelegation delegation = {.terminating = false};
  size_t roles = search->roles, keys = search->keys;
  struct hf_tufdelegation_path path = {search->path, search->path_hash};
  enum hf_err err = hf_tufdelegation_walk_init(&walk, &search->file, path, why);
  while (err == HF_OK && !delegation.terminating) { /* ends at role_cap */
    struct hf_buf name = hf_buf_init(room, sizeof room);
    err = hf_tufdelegation_next(&walk, &delegation, &name, why);
    if (err != HF_OK) {
      break;
    }
    uint32_t at = hf_json_at(search->file.text, delegation.role);
    if (search->at.depth >= HF_TUFSEARCH_DEPTH_MAX) {
      return deny(why, HF_RULE_TUF_SEARCH_DEEP, at);
    }
    if (search->roles >= search->room.role_cap) {
      return deny(why, HF_RULE_TUF_SEARCH_LONG, at);
    }
    if (push(search, &delegation, hf_buf_bytes(&name), why) != HF_ALLOW) {
      return HF_DENY;
    }
  }
  if (err != HF_OK && err != HF_E_NOT_FOUND) {
    return HF_DENY;
  }
  if (err == HF_OK && delegation.terminating) {
    forget_below(search, roles, keys);
    roles = keys = 0;
  }
  turn(search, roles, keys);
  return HF_ALLOW;
}

static bool find_target(struct hf_tufsearch *search)
{
  struct hf_json_walk walk = hf_json_walk_init(hf_tuf_targets(&search->file));
  struct hf_tufsearch_found found = {.role = hf_bytes_init(search->at.name, search->at.name_len)};
  while (hf_json_walk_member(&walk, &found.name, &found.value)) { /* bounded by the file */
    if (hf_json_is_bytes(found.name, search->path)) {
      search->found = found;
      return true;
    }
  }
  return false;
}

/* Look into the verified file at hand, then choose whose comes next. */
static enum hf_verdict look(struct hf_tufsearch *search, struct hf_why *why)
{
  search->expected = false;
  if (find_target(search)) {
    search->step = HF_TUFSEARCH_FOUND;
    return HF_ALLOW;
  }
  if (push_all(search, why) != HF_ALLOW) {
    return HF_DENY;
  }
  skip_visited(search);
  if (search->roles == 0) {
    search->step = HF_TUFSEARCH_ABSENT;
    return HF_ALLOW;
  }
  if (search->visited >= search->room.visited_cap) {
    return deny(why, HF_RULE_TUF_SEARCH_LONG, 0);
  }
  return HF_ALLOW;
}

/* ---- what the snapshot says ---- */

static enum hf_verdict expect_from(struct hf_tufsearch *search, const struct hf_tuf_file *snapshot, struct hf_why *why)
{
  uint8_t room[HF_TUFSEARCH_ROLE_MAX + 5];
  struct hf_buf name = hf_buf_init(room, sizeof room);
  struct hf_json list, entry;
  hf_buf_put(&name, hf_bytes_init(top(search)->name, top(search)->name_len));
  hf_buf_put_text(&name, ".json");
  if (hf_json_get(&list, snapshot->body, "meta") != HF_OK ||
      hf_json_get_bytes(&entry, list, hf_buf_bytes(&name)) != HF_OK) {
    return deny(why, HF_RULE_TUF_NOT_LISTED, 0);
  }
  if (hf_tuf_meta_parse(&search->expect, snapshot, entry, why) != HF_OK) {
    return HF_DENY;
  }
  if (search->expect.length > search->limits->file_max[HF_TUF_TARGETS]) {
    return deny(why, HF_RULE_TUF_TOO_LONG, 0);
  }
  search->expected = true;
  return HF_ALLOW;
}

/* The snapshot once more: it counts only if it is the one that was accepted. */
static enum hf_verdict take_snapshot(struct hf_tufsearch *search, struct hf_bytes bytes, struct hf_why *why)
{
  const struct hf_tuf_floor *floor = &search->trust->floor[HF_TUF_SNAPSHOT];
  uint8_t digest[HF_SHA256_LEN];
  struct hf_tuf_file file;
  if (hf_tuf_parse(&file, bytes, HF_TUF_SNAPSHOT, search->limits, why) != HF_OK) {
    return HF_DENY;
  }
  hf_tuf_digest(digest, &file);
  if (!floor->has_digest || !hf_secret_equal(digest, floor->digest, sizeof digest)) {
    return deny(why, HF_RULE_TUF_CHANGED, 0);
  }
  return expect_from(search, &file, why);
}

/* With the snapshot's text at hand nothing needs to be fetched for it. */
static enum hf_verdict expect_next(struct hf_tufsearch *search, struct hf_why *why)
{
  if (search->step != HF_TUFSEARCH_FETCH || search->expected || search->snapshot == NULL) {
    return HF_ALLOW;
  }
  return expect_from(search, search->snapshot, why);
}

/* ---- a delegated role (sections 5.6.2 to 5.6.6 once more) ---- */

static enum hf_verdict verify_role(const struct hf_tufsearch *search, struct hf_tuf_file *file, struct hf_bytes bytes,
                                   struct hf_why *why)
{
  const struct hf_tufsearch_role *role = top(search);
  const struct hf_tufkey_ring ring = {search->room.key + search->keys - role->key_count, role->key_count,
                                      role->signers};
  if (hf_tuf_meta_verify(&search->expect, bytes, search->limits, why) != HF_ALLOW ||
      hf_tuf_parse(file, bytes, HF_TUF_TARGETS, search->limits, why) != HF_OK ||
      hf_tufkey_verify(file, &ring, search->limits, why) != HF_ALLOW) {
    return HF_DENY;
  }
  if (file->version != search->expect.version) {
    return deny(why, HF_RULE_TUF_VERSION_MISMATCH, 0);
  }
  return file->expires > search->now ? HF_ALLOW : deny(why, HF_RULE_TUF_EXPIRED, 0);
}

static enum hf_verdict take_role(struct hf_tufsearch *search, const struct hf_tuf_file *file, struct hf_why *why)
{
  search->file = *file;
  search->at = *top(search);
  make_id(search->room.visited[search->visited++], top(search));
  pop(search);
  return look(search, why);
}

/* ---- the machine ---- */

static enum hf_err stop(struct hf_tufsearch *search, enum hf_tufsearch_step step, enum hf_rule rule, struct hf_why *why)
{
  hf_why_put(&search->why, rule, 0); /* keeps the first, more exact one */
  search->step = step;
  if (why != NULL && why->rule == HF_RULE_NONE) {
    *why = search->why;
  }
  return step == HF_TUFSEARCH_REFUSED ? HF_E_DENIED : HF_E_AGAIN;
}

void hf_tufsearch_init(struct hf_tufsearch *search, const struct hf_tufsearch_room *room,
                       const struct hf_tufclient *client, const struct hf_tuf_file *snapshot, struct hf_bytes path)
{
  const struct hf_tuf_file *targets = hf_tufclient_targets(client);
  HF_ASSERT(targets != NULL && room->role_cap > 0 && room->key_cap > 0 && room->visited_cap > 0);
  memset(search, 0, sizeof *search);
  search->room = *room;
  search->trust = client->trust;
  search->limits = client->limits;
  search->snapshot = snapshot;
  search->now = client->now;
  search->path = path;
  search->file = *targets;
  search->step = HF_TUFSEARCH_FETCH;
  hf_sha256(search->path_hash, path);
  if (look(search, &search->why) != HF_ALLOW || expect_next(search, &search->why) != HF_ALLOW) {
    (void)stop(search, HF_TUFSEARCH_REFUSED, HF_RULE_TUF_SHAPE, NULL);
  }
}

enum hf_tufsearch_step hf_tufsearch_next(const struct hf_tufsearch *search, struct hf_tufsearch_fetch *fetch)
{
  if (search->step != HF_TUFSEARCH_FETCH) {
    return search->step;
  }
  bool consistent = search->trust->root.consistent_snapshot;
  const struct hf_tufsearch_role *role = top(search);
  *fetch = (struct hf_tufsearch_fetch){.role = HF_TUF_SNAPSHOT, .name = HF_LIT("snapshot")};
  if (search->expected) {
    fetch->role = HF_TUF_TARGETS;
    fetch->name = hf_bytes_init(role->name, role->name_len);
    fetch->version = consistent ? search->expect.version : 0;
  } else {
    fetch->version = consistent ? search->trust->floor[HF_TUF_SNAPSHOT].version : 0;
  }
  fetch->max_len = search->limits->file_max[fetch->role];
  if (search->expected && search->expect.length > 0) { /* not above the limit: expect_from has looked */
    fetch->max_len = search->expect.length;
  }
  return HF_TUFSEARCH_FETCH;
}

void hf_tufsearch_put_name(struct hf_buf *out, const struct hf_tufsearch_fetch *fetch)
{
  static const char digits[] = "0123456789ABCDEF";
  if (fetch->version > 0) {
    hf_buf_put_uint(out, fetch->version);
    hf_buf_put_u8(out, '.');
  }
  for (size_t i = 0; i < fetch->name.len; i++) {
    uint8_t c = fetch->name.at[i];
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                 c == '_' || c == '~';
    if (plain) {
      hf_buf_put_u8(out, c);
    } else {
      hf_buf_put_u8(out, '%');
      hf_buf_put_u8(out, (uint8_t)digits[c >> 4]);
      hf_buf_put_u8(out, (uint8_t)digits[c & 15]);
    }
  }
  hf_buf_put_text(out, ".json");
}

enum hf_err hf_tufsearch_give(struct hf_tufsearch *search, enum hf_tufclient_got got, struct hf_bytes bytes,
                              struct hf_why *why)
{
  struct hf_tuf_file file;
  if (search->step != HF_TUFSEARCH_FETCH) {
    return HF_E_STATE;
  }
  switch (got) {
    case HF_TUFCLIENT_BYTES: break;
    case HF_TUFCLIENT_NOT_FOUND: return stop(search, HF_TUFSEARCH_UNAVAILABLE, HF_RULE_TUF_NOT_FOUND, why);
    case HF_TUFCLIENT_TOO_LONG: return stop(search, HF_TUFSEARCH_REFUSED, HF_RULE_TUF_TOO_LONG, why);
    default: return stop(search, HF_TUFSEARCH_UNAVAILABLE, HF_RULE_TUF_UNAVAILABLE, why);
  }
  if (!search->expected) {
    if (take_snapshot(search, bytes, &search->why) == HF_ALLOW) {
      return HF_OK;
    }
    bool changed = search->why.rule == HF_RULE_TUF_CHANGED; /* somebody published meanwhile, most likely */
    return stop(search, changed ? HF_TUFSEARCH_UNAVAILABLE : HF_TUFSEARCH_REFUSED, HF_RULE_TUF_SHAPE, why);
  }
  if (verify_role(search, &file, bytes, &search->why) != HF_ALLOW ||
      take_role(search, &file, &search->why) != HF_ALLOW || expect_next(search, &search->why) != HF_ALLOW) {
    return stop(search, HF_TUFSEARCH_REFUSED, HF_RULE_TUF_SHAPE, why);
  }
  return HF_OK;
}

enum hf_err hf_tufsearch_offer(struct hf_tufsearch *search, struct hf_bytes bytes)
{
  struct hf_tuf_file file;
  if (search->step != HF_TUFSEARCH_FETCH) {
    return HF_E_STATE;
  }
  if (!search->expected || verify_role(search, &file, bytes, NULL) != HF_ALLOW) {
    return HF_E_NOT_FOUND;
  }
  enum hf_err err = hf_tufsearch_give(search, HF_TUFCLIENT_BYTES, bytes, NULL);
  return err == HF_E_DENIED ? HF_OK : err; /* it was the right file; what it delegates is refused */
}

const struct hf_tufsearch_found *hf_tufsearch_found(const struct hf_tufsearch *search)
{
  return search->step == HF_TUFSEARCH_FOUND ? &search->found : NULL;
}

enum hf_err hf_tufsearch_target(struct hf_target_file *target, const struct hf_tufsearch *search, struct hf_why *why)
{
  if (search->step != HF_TUFSEARCH_FOUND) {
    return HF_E_STATE;
  }
  enum hf_err err = hf_target_file_parse(target, search->found.name, search->found.value, NULL);
  if (err != HF_OK) {
    hf_why_put(why, HF_RULE_TUF_TARGET, hf_json_at(search->file.text, search->found.name));
  }
  return err;
}

struct hf_why hf_tufsearch_why(const struct hf_tufsearch *search) { return search->why; }
