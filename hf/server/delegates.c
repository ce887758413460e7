/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/delegates.h"

#include <stdlib.h>
#include <string.h>

#include "hf/wire/tufrole.h"
#include "hf/wire/tufsearch.h"

#define ROLES_MAX HF_TUF_LISTED_MAX
#define KEYS_MAX (ROLES_MAX * 4)

struct check {
  const struct hf_tufclient *client;
  const struct hf_delegates_source *source;
  struct hf_bytes snapshot_text;
  uint8_t *snapshot_heap;
  struct hf_tuf_file snapshot;
  const struct hf_bytes *fresh; /* the roles of this publication */
  size_t fresh_count;
  struct hf_why *why;
};

static enum hf_err refuse(struct check *in, enum hf_rule rule)
{
  hf_why_put(in->why, rule, 0);
  return HF_E_DENIED;
}

static enum hf_err snapshot_get(struct check *in)
{
  char name[32];
  struct hf_buf buf = hf_buf_init(name, sizeof name);
  hf_buf_put_uint(&buf, in->client->trust->floor[HF_TUF_SNAPSHOT].version);
  hf_buf_put_text(&buf, ".snapshot.json");
  enum hf_err err = hf_buf_terminate(&buf);
  if (err == HF_OK) {
    err = in->source->get(in->source->ctx, &in->snapshot_text, &in->snapshot_heap, name,
                          in->client->limits->file_max[HF_TUF_SNAPSHOT]);
  }
  return err == HF_OK ? hf_tuf_parse(&in->snapshot, in->snapshot_text, HF_TUF_SNAPSHOT, in->client->limits, in->why)
                      : err;
}

static bool is_fresh(const struct check *in, struct hf_bytes name)
{
  for (size_t i = 0; i < in->fresh_count; i++) {
    if (hf_bytes_equal(in->fresh[i], name)) {
      return true;
    }
  }
  return false;
}

/* One role's file: listed in the snapshot, as listed, signed by whom targets.json names, not expired if it is
 * new. */
static enum hf_err role_check(struct check *in, struct hf_bytes name)
{
  char file_name[HF_TUFSEARCH_NAME_MAX + 1];
  struct hf_tufrole role;
  struct hf_tuf_meta meta;
  struct hf_tuf_file file;
  struct hf_bytes text;
  uint8_t *heap = NULL;
  struct hf_buf listed = hf_buf_init(file_name, sizeof file_name);
  hf_buf_put(&listed, name);
  hf_buf_put_text(&listed, ".json");
  if (hf_buf_terminate(&listed) != HF_OK ||
      hf_tufrole_get(&role, hf_tufclient_targets(in->client), name, in->client->limits, in->why) != HF_OK) {
    return refuse(in, HF_RULE_TUF_DELEGATION);
  }
  if (hf_tuf_meta_get(&meta, &in->snapshot, file_name, NULL) != HF_OK) {
    return refuse(in, HF_RULE_TARGETS_NO_FILE);
  }
  struct hf_buf served = hf_buf_init(file_name, sizeof file_name);
  hf_buf_put_uint(&served, meta.version);
  hf_buf_put_u8(&served, '.');
  hf_buf_put(&served, name);
  hf_buf_put_text(&served, ".json");
  enum hf_err err = hf_buf_terminate(&served);
  if (err == HF_OK) {
    err = in->source->get(in->source->ctx, &text, &heap, file_name, in->client->limits->file_max[HF_TUF_TARGETS]);
  }
  if (err != HF_OK) {
    return err == HF_E_NOT_FOUND ? refuse(in, HF_RULE_TARGETS_NO_FILE) : err;
  }
  if (hf_tuf_meta_verify(&meta, text, in->client->limits, in->why) != HF_ALLOW ||
      hf_tuf_parse(&file, text, HF_TUF_TARGETS, in->client->limits, in->why) != HF_OK ||
      hf_tufkey_verify(&file, &role.ring, in->client->limits, in->why) != HF_ALLOW) {
    err = refuse(in, HF_RULE_TUF_UNSIGNED);
  } else if (file.version != meta.version) {
    err = refuse(in, HF_RULE_TUF_VERSION_MISMATCH);
  } else if (file.expires <= in->client->now && is_fresh(in, name)) {
    err = refuse(in, HF_RULE_TUF_EXPIRED);
  }
  free(heap);
  return err;
}

static enum hf_err roles_check(struct check *in)
{
  struct hf_json entry, value;
  struct hf_json_walk walk = hf_json_walk_init(hf_tufrole_list(hf_tufclient_targets(in->client)));
  enum hf_err err = HF_OK;
  while (err == HF_OK && hf_json_walk_next(&walk, &entry)) { /* bounded by the file */
    uint8_t room[HF_TUFSEARCH_ROLE_MAX];
    struct hf_buf name = hf_buf_init(room, sizeof room);
    if (hf_json_get(&value, entry, "name") != HF_OK || hf_json_get_text(&name, value) != HF_OK) {
      return refuse(in, HF_RULE_TUF_DELEGATION);
    }
    err = role_check(in, hf_buf_bytes(&name));
  }
  return err;
}

/* ---- searching ---- */

/* Memory of a search, as a host lends it. */
struct memory {
  struct hf_tufsearch_role role[ROLES_MAX];
  struct hf_tuf_key key[KEYS_MAX];
  uint8_t visited[HF_TUFSEARCH_VISITED_DEFAULT][HF_TUFSEARCH_ID_LEN];
};

static enum hf_err found_check(struct check *in, const struct hf_tufsearch *search, struct hf_bytes role)
{
  const struct hf_tufsearch_found *found = hf_tufsearch_found(search);
  return found != NULL && hf_bytes_equal(found->role, role) ? HF_OK : refuse(in, HF_RULE_TARGETS_UNREACHABLE);
}

static enum hf_err search(struct check *in, struct memory *memory, struct hf_bytes path, struct hf_bytes role)
{
  char name[HF_TUFSEARCH_NAME_MAX + 1];
  struct hf_tufsearch search;
  struct hf_tufsearch_fetch fetch;
  uint8_t *heap = NULL;
  const struct hf_tufsearch_room room = {.role = memory->role,
                                         .role_cap = ROLES_MAX,
                                         .key = memory->key,
                                         .key_cap = KEYS_MAX,
                                         .visited = memory->visited,
                                         .visited_cap = HF_TUFSEARCH_VISITED_DEFAULT};
  enum hf_err err = HF_OK;
  hf_tufsearch_init(&search, &room, in->client, &in->snapshot, path);
  /* Bounded: a search visits at most visited_cap roles. */
  while (err == HF_OK && hf_tufsearch_next(&search, &fetch) == HF_TUFSEARCH_FETCH) {
    struct hf_bytes bytes = hf_bytes_init(NULL, 0);
    struct hf_buf text = hf_buf_init(name, sizeof name);
    free(heap);
    heap = NULL;
    hf_tufsearch_put_name(&text, &fetch);
    enum hf_err got = hf_buf_terminate(&text);
    if (got == HF_OK) {
      got = in->source->get(in->source->ctx, &bytes, &heap, name, fetch.max_len);
    }
    err = hf_tufsearch_give(&search,
                            got == HF_OK            ? HF_TUFCLIENT_BYTES
                            : got == HF_E_NOT_FOUND ? HF_TUFCLIENT_NOT_FOUND
                                                    : HF_TUFCLIENT_FAILED,
                            bytes, in->why);
  }
  if (err == HF_OK) {
    err = found_check(in, &search, role);
  }
  free(heap);
  return err == HF_OK ? HF_OK : refuse(in, HF_RULE_TARGETS_UNREACHABLE);
}

/* Every target of one role. */
static enum hf_err targets_check(struct check *in, struct memory *memory, struct hf_bytes role)
{
  char file_name[HF_TUFSEARCH_NAME_MAX + 1];
  struct hf_tuf_meta meta;
  struct hf_tuf_file file;
  struct hf_bytes text;
  struct hf_json name, value;
  uint8_t *heap = NULL;
  struct hf_buf buf = hf_buf_init(file_name, sizeof file_name);
  hf_buf_put(&buf, role);
  hf_buf_put_text(&buf, ".json");
  if (hf_buf_terminate(&buf) != HF_OK || hf_tuf_meta_get(&meta, &in->snapshot, file_name, in->why) != HF_OK) {
    return HF_E_DENIED;
  }
  buf = hf_buf_init(file_name, sizeof file_name);
  hf_buf_put_uint(&buf, meta.version);
  hf_buf_put_u8(&buf, '.');
  hf_buf_put(&buf, role);
  hf_buf_put_text(&buf, ".json");
  enum hf_err err = hf_buf_terminate(&buf);
  if (err == HF_OK) {
    err = in->source->get(in->source->ctx, &text, &heap, file_name, in->client->limits->file_max[HF_TUF_TARGETS]);
  }
  if (err == HF_OK && hf_tuf_parse(&file, text, HF_TUF_TARGETS, in->client->limits, in->why) != HF_OK) {
    err = HF_E_DENIED;
  }
  struct hf_json_walk walk = hf_json_walk_init(err == HF_OK ? hf_tuf_targets(&file) : (struct hf_json){HF_LIT("{}")});
  while (err == HF_OK && hf_json_walk_member(&walk, &name, &value)) { /* bounded by the file */
    uint8_t room[HF_TARGET_PATH_MAX];
    struct hf_buf path = hf_buf_init(room, sizeof room);
    err = hf_json_get_text(&path, name) == HF_OK ? search(in, memory, hf_buf_bytes(&path), role)
                                                 : refuse(in, HF_RULE_TUF_TARGET);
  }
  free(heap);
  return err;
}

enum hf_err hf_delegates_check(const struct hf_tufclient *client, const struct hf_delegates_source *source,
                               const struct hf_bytes *fresh, size_t count, struct hf_why *why)
{
  struct check in = {.client = client, .source = source, .fresh = fresh, .fresh_count = count, .why = why};
  struct hf_tufrole role;
  enum hf_err err = snapshot_get(&in);
  if (err == HF_OK) {
    err = roles_check(&in);
  }
  struct memory *memory = err == HF_OK && count > 0 ? malloc(sizeof *memory) : NULL;
  for (size_t i = 0; i < count && err == HF_OK; i++) {
    err = memory == NULL ? HF_E_IO : hf_tufrole_get(&role, hf_tufclient_targets(client), fresh[i], client->limits, why);
    err = err == HF_E_NOT_FOUND || err == HF_E_INPUT ? HF_E_DENIED : err;
    if (err == HF_OK) {
      err = targets_check(&in, memory, fresh[i]);
    }
  }
  free(memory);
  free(in.snapshot_heap);
  return err;
}
