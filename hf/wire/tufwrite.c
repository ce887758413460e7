/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/tufwrite.h"

#include <string.h>

#include "hf/codec/text.h"
#include "hf/wire/pubkey.h"

/* Roles in the order their names ascend. */
static const enum hf_tuf_role role_order[HF_TUF_ROLES] = {HF_TUF_ROOT, HF_TUF_SNAPSHOT, HF_TUF_TARGETS,
                                                          HF_TUF_TIMESTAMP};

static enum hf_err result(const struct hf_buf *out) { return out->failed ? HF_E_SPACE : HF_OK; }

static bool version_fits(uint32_t version) { return version >= 1 && version <= HF_TUF_VERSION_MAX; }

static void put_open(struct hf_buf *out, enum hf_tuf_role role)
{
  hf_buf_put_text(out, "{\"_type\":\"");
  hf_buf_put_text(out, hf_tuf_role_name(role));
  hf_buf_put_u8(out, '"');
}

static void put_expires(struct hf_buf *out, int64_t expires)
{
  hf_json_put_name(out, "expires");
  hf_json_put_time(out, expires);
}

static void put_spec(struct hf_buf *out)
{
  hf_json_put_name(out, "spec_version");
  hf_buf_put_text(out, "\"1.0.34\"");
}

static void put_close(struct hf_buf *out, uint32_t version)
{
  hf_json_put_name(out, "version");
  hf_json_put_int(out, version);
  hf_buf_put_u8(out, '}');
}

/* ---- root ---- */

/* Keys by ascending id: in text and in every list of ids. */
struct sorted_keys {
  size_t count;
  uint8_t index[HF_TUF_KEYS_MAX];
  uint8_t id[HF_TUF_KEYS_MAX][HF_SHA256_LEN]; /* by index */
};

static enum hf_err sort_keys(struct sorted_keys *sorted, const struct hf_tufwrite_root *root)
{
  sorted->count = root->key_count;
  for (size_t i = 0; i < root->key_count; i++) {
    size_t at = i;
    hf_pubkey_tuf_id(sorted->id[i], &root->keys[i]);
    while (at > 0 && memcmp(sorted->id[sorted->index[at - 1]], sorted->id[i], HF_SHA256_LEN) > 0) {
      sorted->index[at] = sorted->index[at - 1];
      at--;
    }
    sorted->index[at] = (uint8_t)i;
    if (at > 0 && memcmp(sorted->id[sorted->index[at - 1]], sorted->id[i], HF_SHA256_LEN) == 0) {
      return HF_E_INPUT;
    }
  }
  return HF_OK;
}

static void put_signers(struct hf_buf *out, const struct sorted_keys *sorted, const struct hf_tuf_signers *signers)
{
  hf_buf_put_text(out, "{\"keyids\":[");
  for (size_t i = 0; i < sorted->count; i++) {
    if ((signers->keys >> sorted->index[i] & 1) != 0) {
      hf_json_put_comma(out);
      hf_json_put_hex(out, hf_bytes_init(sorted->id[sorted->index[i]], HF_SHA256_LEN));
    }
  }
  hf_buf_put_text(out, "],\"threshold\":");
  hf_json_put_int(out, signers->threshold);
  hf_buf_put_u8(out, '}');
}

static void put_keys(struct hf_buf *out, const struct sorted_keys *sorted, const struct hf_pubkey *keys)
{
  hf_json_put_name(out, "keys");
  hf_buf_put_u8(out, '{');
  for (size_t i = 0; i < sorted->count; i++) {
    hf_json_put_comma(out);
    hf_json_put_hex(out, hf_bytes_init(sorted->id[sorted->index[i]], HF_SHA256_LEN));
    hf_buf_put_u8(out, ':');
    hf_pubkey_put_tuf(out, &keys[sorted->index[i]]);
  }
  hf_buf_put_u8(out, '}');
}

static bool roles_fit(const struct hf_tufwrite_root *root)
{
  for (size_t i = 0; i < HF_TUF_ROLES; i++) {
    const struct hf_tuf_signers *signers = &root->role[i];
    bool keys = (uint32_t)signers->keys >> root->key_count == 0;
    if (!keys || signers->threshold < 1 || signers->threshold > __builtin_popcount(signers->keys)) {
      return false;
    }
  }
  return true;
}

enum hf_err hf_tufwrite_put_root(struct hf_buf *out, const struct hf_tufwrite_root *root)
{
  struct sorted_keys sorted;
  if (root->key_count > HF_TUF_KEYS_MAX || !roles_fit(root) || !version_fits(root->version) ||
      sort_keys(&sorted, root) != HF_OK) {
    return HF_E_INPUT;
  }
  put_open(out, HF_TUF_ROOT);
  hf_json_put_name(out, "consistent_snapshot");
  hf_buf_put_text(out, root->consistent_snapshot ? "true" : "false");
  put_expires(out, root->expires);
  put_keys(out, &sorted, root->keys);
  hf_json_put_name(out, "roles");
  hf_buf_put_u8(out, '{');
  for (size_t i = 0; i < HF_TUF_ROLES; i++) {
    hf_json_put_name(out, hf_tuf_role_name(role_order[i]));
    put_signers(out, &sorted, &root->role[role_order[i]]);
  }
  hf_buf_put_u8(out, '}');
  put_spec(out);
  put_close(out, root->version);
  return result(out);
}

/* ---- timestamp and snapshot ---- */

/* One entry of "meta", with the hash and length of the file as it will be served. */
static enum hf_err put_meta(struct hf_buf *out, const char *name, uint32_t version, struct hf_bytes file)
{
  uint8_t hash[HF_SHA256_LEN];
  if (!version_fits(version) || file.len == 0 || file.len > UINT32_MAX) {
    return HF_E_INPUT;
  }
  hf_sha256(hash, file);
  hf_json_put_name(out, "meta");
  hf_buf_put_u8(out, '{');
  hf_json_put_name(out, name);
  hf_buf_put_text(out, "{\"hashes\":{\"sha256\":");
  hf_json_put_hex(out, hf_bytes_init(hash, sizeof hash));
  hf_buf_put_text(out, "},\"length\":");
  hf_json_put_int(out, (int64_t)file.len);
  put_close(out, version);
  hf_buf_put_u8(out, '}');
  return HF_OK;
}

enum hf_err hf_tufwrite_put_timestamp(struct hf_buf *out, uint32_t version, int64_t expires, uint32_t snapshot_version,
                                      struct hf_bytes snapshot)
{
  put_open(out, HF_TUF_TIMESTAMP);
  put_expires(out, expires);
  enum hf_err err = put_meta(out, "snapshot.json", snapshot_version, snapshot);
  put_spec(out);
  put_close(out, version);
  return err != HF_OK || !version_fits(version) ? HF_E_INPUT : result(out);
}

enum hf_err hf_tufwrite_put_snapshot(struct hf_buf *out, uint32_t version, int64_t expires, uint32_t targets_version,
                                     struct hf_bytes targets)
{
  put_open(out, HF_TUF_SNAPSHOT);
  put_expires(out, expires);
  enum hf_err err = put_meta(out, "targets.json", targets_version, targets);
  put_spec(out);
  put_close(out, version);
  return err != HF_OK || !version_fits(version) ? HF_E_INPUT : result(out);
}

/* ---- targets ---- */

static bool entries_fit(const struct hf_tufwrite_entry *entries, size_t count, bool may_remove)
{
  for (size_t i = 0; i < count; i++) {
    bool ascends = i == 0 || hf_bytes_order(entries[i - 1].path, entries[i].path) < 0;
    if (!ascends || !hf_target_path_check(entries[i].path) || (entries[i].value.len == 0 && !may_remove)) {
      return false;
    }
  }
  return true;
}

static void put_entry(struct hf_buf *out, const struct hf_tufwrite_entry *entry)
{
  hf_json_put_comma(out);
  hf_json_put_text(out, entry->path);
  hf_buf_put_u8(out, ':');
  hf_buf_put(out, entry->value);
}

static void put_entries(struct hf_buf *out, const struct hf_tufwrite_entry *entries, size_t count)
{
  hf_json_put_name(out, "targets");
  hf_buf_put_u8(out, '{');
  for (size_t i = 0; i < count; i++) {
    put_entry(out, &entries[i]);
  }
  hf_buf_put_u8(out, '}');
}

enum hf_err hf_tufwrite_put_targets(struct hf_buf *out, uint32_t version, int64_t expires,
                                    const struct hf_tufwrite_entry *entries, size_t count)
{
  if (!version_fits(version) || !entries_fit(entries, count, false)) {
    return HF_E_INPUT;
  }
  put_open(out, HF_TUF_TARGETS);
  put_expires(out, expires);
  put_spec(out);
  put_entries(out, entries, count);
  put_close(out, version);
  return result(out);
}

enum hf_err hf_tufwrite_put_director_timed(struct hf_buf *out, uint32_t version, int64_t expires,
                                           const struct hf_tufwrite_director *director)
{
  if (!version_fits(version) || director->device.len == 0 || !entries_fit(director->entries, director->count, false)) {
    return HF_E_INPUT;
  }
  put_open(out, HF_TUF_TARGETS);
  hf_json_put_name(out, "custom");
  hf_buf_put_text(out, "{\"holdfast\":{\"device\":");
  hf_json_put_text(out, director->device);
  if (director->time != NULL) {
    hf_json_put_name(out, "time");
    hf_json_put_hex(out, hf_bytes_init(director->time->at, director->time->len));
  }
  hf_buf_put_text(out, "}}");
  put_expires(out, expires);
  put_spec(out);
  put_entries(out, director->entries, director->count);
  put_close(out, version);
  return result(out);
}

enum hf_err hf_tufwrite_put_director(struct hf_buf *out, uint32_t version, int64_t expires, struct hf_bytes device,
                                     const struct hf_tufwrite_entry *entries, size_t count)
{
  const struct hf_tufwrite_director director = {.device = device, .entries = entries, .count = count};
  return hf_tufwrite_put_director_timed(out, version, expires, &director);
}

/* ---- editing ---- */

static void put_member(struct hf_buf *out, struct hf_json name, struct hf_json value)
{
  hf_json_put_comma(out);
  hf_buf_put(out, name.text);
  hf_buf_put_u8(out, ':');
  hf_buf_put(out, value.text);
}

static bool is_listed(struct hf_json targets, struct hf_bytes path)
{
  struct hf_json unused;
  return hf_json_get_bytes(&unused, targets, path) == HF_OK;
}

/* New entries that belong before `name` (all that are left when it is empty). One that replaces a member is written at
 * that member's place, wherever an unsorted file has it. */
static void put_new_before(struct hf_buf *out, const struct hf_tufwrite_edit *edit, size_t *next,
                           struct hf_json targets, struct hf_bytes name)
{
  for (; *next < edit->count; (*next)++) {
    const struct hf_tufwrite_entry *entry = &edit->entries[*next];
    if (name.len > 0 && hf_bytes_order(entry->path, name) >= 0) {
      return;
    }
    if (!is_listed(targets, entry->path)) {
      put_entry(out, entry);
    }
  }
}

static const struct hf_tufwrite_entry *find_entry(const struct hf_tufwrite_edit *edit, struct hf_json name)
{
  for (size_t i = 0; i < edit->count; i++) {
    if (hf_json_is_bytes(name, edit->entries[i].path)) {
      return &edit->entries[i];
    }
  }
  return NULL;
}

static void put_merged(struct hf_buf *out, struct hf_json targets, const struct hf_tufwrite_edit *edit)
{
  struct hf_json name, value;
  struct hf_json_walk walk = hf_json_walk_init(targets);
  size_t next = 0;
  hf_buf_put_u8(out, '{');
  while (hf_json_walk_member(&walk, &name, &value)) { /* bounded by the file */
    put_new_before(out, edit, &next, targets, hf_bytes_init(name.text.at + 1, name.text.len - 2));
    const struct hf_tufwrite_entry *entry = find_entry(edit, name);
    if (entry == NULL) {
      put_member(out, name, value);
    } else if (entry->value.len > 0) {
      put_entry(out, entry);
    }
  }
  put_new_before(out, edit, &next, targets, (struct hf_bytes){NULL, 0});
  hf_buf_put_u8(out, '}');
}

enum hf_err hf_tufwrite_edit_targets(struct hf_buf *out, struct hf_json body, const struct hf_tufwrite_edit *edit)
{
  struct hf_json targets, name, value;
  if (!version_fits(edit->version) || !entries_fit(edit->entries, edit->count, true) ||
      hf_json_get(&targets, body, "targets") != HF_OK || hf_json_type(targets) != HF_JSON_OBJECT) {
    return HF_E_INPUT;
  }
  for (size_t i = 0; i < edit->count; i++) {
    if (edit->entries[i].value.len == 0 && !is_listed(targets, edit->entries[i].path)) {
      return HF_E_NOT_FOUND;
    }
  }
  struct hf_json_walk walk = hf_json_walk_init(body);
  hf_buf_put_u8(out, '{');
  while (hf_json_walk_member(&walk, &name, &value)) { /* bounded by the file */
    if (hf_json_is(name, "version")) {
      hf_json_put_name(out, "version");
      hf_json_put_int(out, edit->version);
    } else if (hf_json_is(name, "expires")) {
      put_expires(out, edit->expires);
    } else if (hf_json_is(name, "targets")) {
      hf_json_put_name(out, "targets");
      put_merged(out, targets, edit);
    } else {
      put_member(out, name, value);
    }
  }
  hf_buf_put_u8(out, '}');
  return result(out);
}

/* ---- delegations ---- */

static void put_delegation(struct hf_buf *out, const struct hf_tufwrite_delegation *delegation,
                           const struct sorted_keys *sorted)
{
  hf_json_put_comma(out);
  hf_buf_put_text(out, "{\"keyids\":[");
  for (size_t i = 0; i < sorted->count; i++) {
    hf_json_put_comma(out);
    hf_json_put_hex(out, hf_bytes_init(sorted->id[sorted->index[i]], HF_SHA256_LEN));
  }
  hf_buf_put_text(out, "],\"name\":");
  hf_json_put_text(out, delegation->name);
  hf_buf_put_text(out, ",\"paths\":[");
  for (size_t i = 0; i < delegation->path_count; i++) {
    hf_json_put_comma(out);
    hf_json_put_text(out, delegation->paths[i]);
  }
  hf_buf_put_text(out, delegation->terminating ? "],\"terminating\":true" : "],\"terminating\":false");
  hf_buf_put_text(out, ",\"threshold\":");
  hf_json_put_int(out, delegation->threshold);
  hf_buf_put_u8(out, '}');
}

/* The keys that are there, and the new ones between them where their ids belong. */
static void put_delegation_keys(struct hf_buf *out, struct hf_json keys, const struct sorted_keys *sorted,
                                const struct hf_pubkey *pubs)
{
  struct hf_json name, value;
  size_t next = 0;
  struct hf_json_walk walk = hf_json_walk_init(keys);
  bool more = hf_json_walk_member(&walk, &name, &value);
  hf_buf_put_u8(out, '{');
  while (more || next < sorted->count) { /* each step takes one of either */
    uint8_t room[2 * HF_SHA256_LEN];
    struct hf_buf id = hf_buf_init(room, sizeof room);
    int order = -1;
    if (next < sorted->count) {
      hf_hex_put(&id, hf_bytes_init(sorted->id[sorted->index[next]], HF_SHA256_LEN));
      order = more ? hf_bytes_order(hf_bytes_init(name.text.at + 1, name.text.len - 2), hf_buf_bytes(&id)) : 1;
    }
    if (order <= 0) {
      put_member(out, name, value);
      next += order == 0;
      more = hf_json_walk_member(&walk, &name, &value);
      continue;
    }
    hf_json_put_comma(out);
    hf_json_put_text(out, hf_buf_bytes(&id));
    hf_buf_put_u8(out, ':');
    hf_pubkey_put_tuf(out, &pubs[sorted->index[next++]]);
  }
  hf_buf_put_u8(out, '}');
}

static void put_delegations(struct hf_buf *out, struct hf_json present, const struct hf_tufwrite_delegation *delegation,
                            const struct sorted_keys *sorted)
{
  struct hf_json keys = {HF_LIT("{}")}, roles = {HF_LIT("[]")}, role, name, found;
  bool replaced = false;
  if (present.text.len > 0 && hf_json_get(&found, present, "keys") == HF_OK) {
    keys = found;
  }
  if (present.text.len > 0 && hf_json_get(&found, present, "roles") == HF_OK) {
    roles = found;
  }
  hf_json_put_name(out, "delegations");
  hf_buf_put_text(out, "{\"keys\":");
  put_delegation_keys(out, keys, sorted, delegation->keys);
  hf_buf_put_text(out, ",\"roles\":[");
  struct hf_json_walk walk = hf_json_walk_init(roles);
  while (hf_json_walk_next(&walk, &role)) { /* bounded by the file */
    if (hf_json_get(&name, role, "name") == HF_OK && hf_json_is_bytes(name, delegation->name)) {
      put_delegation(out, delegation, sorted);
      replaced = true;
    } else {
      hf_json_put_comma(out);
      hf_buf_put(out, role.text);
    }
  }
  if (!replaced) {
    put_delegation(out, delegation, sorted);
  }
  hf_buf_put_text(out, "]}");
}

enum hf_err hf_tufwrite_edit_delegation(struct hf_buf *out, struct hf_json body, const struct hf_tufwrite_edit *edit,
                                        const struct hf_tufwrite_delegation *delegation)
{
  const struct hf_tufwrite_root keys = {.keys = delegation->keys, .key_count = delegation->key_count};
  struct sorted_keys sorted;
  struct hf_json present = {{NULL, 0}}, name, value, bins;
  bool put = false;
  if (!version_fits(edit->version) || delegation->key_count > HF_TUF_KEYS_MAX || delegation->threshold < 1 ||
      delegation->threshold > delegation->key_count || sort_keys(&sorted, &keys) != HF_OK) {
    return HF_E_INPUT;
  }
  if (hf_json_get(&value, body, "delegations") == HF_OK && hf_json_type(value) == HF_JSON_OBJECT) {
    present = value;
    if (hf_json_get(&bins, present, "succinct_roles") == HF_OK) {
      return HF_E_INPUT;
    }
  }
  struct hf_json_walk walk = hf_json_walk_init(body);
  hf_buf_put_u8(out, '{');
  while (hf_json_walk_member(&walk, &name, &value)) { /* bounded by the file */
    bool here = hf_json_is(name, "delegations");
    if (!put && (here || hf_bytes_order(name.text, HF_LIT("\"delegations\"")) > 0)) {
      put_delegations(out, present, delegation, &sorted);
      put = true;
    }
    if (hf_json_is(name, "version")) {
      hf_json_put_name(out, "version");
      hf_json_put_int(out, edit->version);
    } else if (hf_json_is(name, "expires")) {
      put_expires(out, edit->expires);
    } else if (!here) {
      put_member(out, name, value);
    }
  }
  hf_buf_put_u8(out, '}');
  return put ? result(out) : HF_E_INPUT;
}

/* ---- snapshot with more files ---- */

static void put_listed(struct hf_buf *out, const struct hf_tufwrite_listed *listed)
{
  uint8_t hash[HF_SHA256_LEN];
  hf_sha256(hash, listed->file);
  hf_json_put_comma(out);
  hf_json_put_text(out, listed->name);
  hf_buf_put_text(out, ":{\"hashes\":{\"sha256\":");
  hf_json_put_hex(out, hf_bytes_init(hash, sizeof hash));
  hf_buf_put_text(out, "},\"length\":");
  hf_json_put_int(out, (int64_t)listed->file.len);
  put_close(out, listed->version);
}

static const struct hf_tufwrite_listed *find_listed(const struct hf_tufwrite_snapshot *edit, struct hf_json name)
{
  for (size_t i = 0; i < edit->count; i++) {
    if (hf_json_is_bytes(name, edit->listed[i].name)) {
      return &edit->listed[i];
    }
  }
  return NULL;
}

/* The smallest new name above `after` and below `before` (empty: no bound) that the snapshot does not list yet. */
static const struct hf_tufwrite_listed *next_listed(const struct hf_tufwrite_snapshot *edit, struct hf_json meta,
                                                    struct hf_bytes after, struct hf_bytes before)
{
  const struct hf_tufwrite_listed *best = NULL;
  for (size_t i = 0; i < edit->count; i++) {
    struct hf_bytes name = edit->listed[i].name;
    bool between = hf_bytes_order(name, after) > 0 && (before.len == 0 || hf_bytes_order(name, before) < 0);
    if (between && !is_listed(meta, name) && (best == NULL || hf_bytes_order(name, best->name) < 0)) {
      best = &edit->listed[i];
    }
  }
  return best;
}

static void put_meta_merged(struct hf_buf *out, struct hf_json meta, const struct hf_tufwrite_snapshot *edit)
{
  struct hf_json name, value;
  struct hf_bytes after = {NULL, 0};
  struct hf_json_walk walk = hf_json_walk_init(meta);
  const struct hf_tufwrite_listed *listed;
  hf_buf_put_u8(out, '{');
  while (hf_json_walk_member(&walk, &name, &value)) { /* bounded by the file */
    struct hf_bytes plain = hf_bytes_init(name.text.at + 1, name.text.len - 2);
    while ((listed = next_listed(edit, meta, after, plain)) != NULL) { /* each new name once */
      put_listed(out, listed);
      after = listed->name;
    }
    listed = find_listed(edit, name);
    if (listed != NULL) {
      put_listed(out, listed);
    } else {
      put_member(out, name, value);
    }
  }
  while ((listed = next_listed(edit, meta, after, (struct hf_bytes){NULL, 0})) != NULL) {
    put_listed(out, listed);
    after = listed->name;
  }
  hf_buf_put_u8(out, '}');
}

enum hf_err hf_tufwrite_edit_snapshot(struct hf_buf *out, struct hf_json body, const struct hf_tufwrite_snapshot *edit)
{
  struct hf_json meta;
  if (!version_fits(edit->version) || hf_json_get(&meta, body, "meta") != HF_OK ||
      hf_json_type(meta) != HF_JSON_OBJECT) {
    return HF_E_INPUT;
  }
  for (size_t i = 0; i < edit->count; i++) {
    if (!version_fits(edit->listed[i].version) || edit->listed[i].file.len == 0) {
      return HF_E_INPUT;
    }
  }
  put_open(out, HF_TUF_SNAPSHOT);
  put_expires(out, edit->expires);
  hf_json_put_name(out, "meta");
  put_meta_merged(out, meta, edit);
  put_spec(out);
  put_close(out, edit->version);
  return result(out);
}

/* ---- signing ---- */

static bool put_buf(void *ctx, struct hf_bytes bytes)
{
  struct hf_buf *buf = ctx;
  hf_buf_put(buf, bytes);
  return !buf->failed;
}

enum hf_err hf_tufwrite_canonical(struct hf_buf *out, struct hf_bytes body)
{
  struct hf_json value;
  if (hf_json_parse(&value, body, NULL) != HF_OK) {
    return HF_E_INPUT;
  }
  return hf_json_canonical((struct hf_json_sink){put_buf, out}, value);
}

static enum hf_verdict verify_sig(const struct hf_tufwrite_signer *signer, struct hf_bytes canonical,
                                  struct hf_bytes sig)
{
  uint8_t digest[HF_SHA256_LEN];
  if (signer->pub.type == HF_KEY_ED25519) {
    return hf_ed25519_verify(&signer->pub, canonical, sig);
  }
  hf_sha256(digest, canonical);
  return hf_p256_verify(&signer->pub, digest, sig);
}

enum hf_err hf_tufwrite_sign(struct hf_tufwrite_sig *sig, const struct hf_tufwrite_signer *signer,
                             struct hf_bytes canonical)
{
  struct hf_buf buf = hf_buf_init(sig->sig, sizeof sig->sig);
  enum hf_err err = signer->sign(signer->ctx, &buf, canonical);
  if (err != HF_OK) {
    return err;
  }
  /* A private key that does not belong to the public one would publish a file nobody accepts. */
  if (buf.failed || verify_sig(signer, canonical, hf_buf_bytes(&buf)) != HF_ALLOW) {
    return HF_E_CRYPTO;
  }
  sig->len = (uint8_t)buf.len;
  hf_pubkey_tuf_id(sig->keyid, &signer->pub);
  return HF_OK;
}

static void put_sig(struct hf_buf *out, const struct hf_tufwrite_sig *sig)
{
  hf_json_put_comma(out);
  hf_buf_put_text(out, "{\"keyid\":");
  hf_json_put_hex(out, hf_bytes_init(sig->keyid, sizeof sig->keyid));
  hf_buf_put_text(out, ",\"sig\":");
  hf_json_put_hex(out, hf_bytes_init(sig->sig, sig->len));
  hf_buf_put_u8(out, '}');
}

static void put_body(struct hf_buf *out, struct hf_bytes body)
{
  hf_buf_put_text(out, "],\"signed\":");
  hf_buf_put(out, body);
  hf_buf_put_u8(out, '}');
}

void hf_tufwrite_put_file(struct hf_buf *out, struct hf_bytes body, const struct hf_tufwrite_sig *sigs, size_t count)
{
  hf_buf_put_text(out, "{\"signatures\":[");
  for (size_t i = 0; i < count; i++) {
    put_sig(out, &sigs[i]);
  }
  put_body(out, body);
}

enum hf_err hf_tufwrite_put_cosigned(struct hf_buf *out, const struct hf_tuf_file *file,
                                     const struct hf_tufwrite_sig *sig)
{
  struct hf_json_walk walk = hf_json_walk_init(file->signatures);
  struct hf_json element, id;
  hf_buf_put_text(out, "{\"signatures\":[");
  while (hf_json_walk_next(&walk, &element)) { /* bounded by hf_tuf_limits.signatures_max */
    bool replaced =
        hf_json_get(&id, element, "keyid") == HF_OK && hf_json_is_hex(id, hf_bytes_init(sig->keyid, sizeof sig->keyid));
    if (!replaced) {
      hf_json_put_comma(out);
      hf_buf_put(out, element.text);
    }
  }
  put_sig(out, sig);
  put_body(out, file->body.text);
  return result(out);
}

enum hf_err hf_tufwrite_sign_file(struct hf_buf *out, struct hf_buf scratch, struct hf_bytes body,
                                  const struct hf_tufwrite_signer *signers, size_t count)
{
  struct hf_tufwrite_sig sig;
  enum hf_err err = hf_tufwrite_canonical(&scratch, body);
  hf_buf_put_text(out, "{\"signatures\":[");
  for (size_t i = 0; err == HF_OK && i < count; i++) {
    err = hf_tufwrite_sign(&sig, &signers[i], hf_buf_bytes(&scratch));
    if (err == HF_OK) {
      put_sig(out, &sig);
    }
  }
  put_body(out, body);
  return err != HF_OK ? err : result(out);
}
