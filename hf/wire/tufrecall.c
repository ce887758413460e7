/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/tufrecall.h"

#include <string.h>

/** How often the new snapshot's list is begun again, at most, to find members that are not in the old one's order. */
#define LAPS_MAX 512

static enum hf_verdict deny(struct hf_why *why, enum hf_rule rule, uint32_t at)
{
  hf_why_put(why, rule, at);
  return HF_DENY;
}

/* ---- floors ---- */

static void raise(struct hf_tuf_floor *floor, const struct hf_tuf_file *file)
{
  if (file->version >= floor->version) {
    floor->version = file->version;
    floor->has_digest = true;
    hf_tuf_digest(floor->digest, file);
  }
}

/* The version that a file announces of the one below it. */
static enum hf_verdict raise_announced(struct hf_tuf_floor *floor, const struct hf_tuf_file *file, const char *name,
                                       struct hf_why *why)
{
  struct hf_tuf_meta meta;
  if (hf_tuf_meta_get(&meta, file, name, why) != HF_OK) {
    return HF_DENY;
  }
  if (meta.version > floor->version) {
    *floor = (struct hf_tuf_floor){.version = meta.version};
  }
  return HF_ALLOW;
}

enum hf_verdict hf_tufrecall_verify(struct hf_tuf_trust *trust, enum hf_tuf_role role, struct hf_bytes text,
                                    const struct hf_tuf_limits *limits, struct hf_why *why)
{
  struct hf_tuf_file file;
  if (hf_tuf_parse(&file, text, role, limits, why) != HF_OK ||
      hf_tuf_verify(&file, &trust->root, limits, why) != HF_ALLOW) {
    return HF_DENY;
  }
  if (role == HF_TUF_TIMESTAMP &&
      raise_announced(&trust->floor[HF_TUF_SNAPSHOT], &file, "snapshot.json", why) != HF_ALLOW) {
    return HF_DENY;
  }
  if (role == HF_TUF_SNAPSHOT &&
      raise_announced(&trust->floor[HF_TUF_TARGETS], &file, "targets.json", why) != HF_ALLOW) {
    return HF_DENY;
  }
  raise(&trust->floor[role], &file);
  return HF_ALLOW;
}

/* ---- two snapshots ---- */

/* Where the search for the next member goes on. */
struct search {
  struct hf_json list;
  struct hf_json_walk walk;
  unsigned laps;
};

/* HF_OK; HF_E_NOT_FOUND: once around and not there; HF_E_SPACE: too many laps. */
static enum hf_err find(struct hf_json *entry, struct search *search, struct hf_json name)
{
  uint8_t room[512];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  struct hf_json member;
  if (hf_json_get_text(&text, name) != HF_OK) {
    return HF_E_SPACE;
  }
  for (int lap = 0; lap < 2; lap++) {
    while (hf_json_walk_member(&search->walk, &member, entry)) { /* bounded by the file */
      if (hf_json_is_bytes(member, hf_buf_bytes(&text))) {
        return HF_OK;
      }
    }
    search->walk = hf_json_walk_init(search->list);
    if (++search->laps > LAPS_MAX) {
      return HF_E_SPACE;
    }
  }
  return HF_E_NOT_FOUND;
}

enum hf_verdict hf_tufrecall_compare(const struct hf_tuf_file *trusted, const struct hf_tuf_file *snapshot,
                                     struct hf_why *why)
{
  struct hf_json list, name, old_entry, entry;
  struct search search = {.laps = 0};
  if (hf_json_get(&list, trusted->body, "meta") != HF_OK ||
      hf_json_get(&search.list, snapshot->body, "meta") != HF_OK) {
    return deny(why, HF_RULE_TUF_SHAPE, 0);
  }
  search.walk = hf_json_walk_init(search.list);
  struct hf_json_walk walk = hf_json_walk_init(list);
  while (hf_json_walk_member(&walk, &name, &old_entry)) { /* bounded by the file */
    struct hf_tuf_meta before, after;
    enum hf_err err = find(&entry, &search, name);
    if (err != HF_OK) {
      return deny(why, err == HF_E_NOT_FOUND ? HF_RULE_TUF_LOST : HF_RULE_TUF_DISORDER, 0);
    }
    if (hf_tuf_meta_parse(&before, trusted, old_entry, why) != HF_OK ||
        hf_tuf_meta_parse(&after, snapshot, entry, why) != HF_OK) {
      return HF_DENY;
    }
    if (after.version < before.version) {
      return deny(why, HF_RULE_TUF_ROLLBACK, hf_json_at(snapshot->text, entry));
    }
  }
  return HF_ALLOW;
}
