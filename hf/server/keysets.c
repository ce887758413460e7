/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/keysets.h"

#include <limits.h>
#include <stdio.h>

#include "hf/server/auditlog.h"
#include "hf/server/files.h"
#include "hf/server/outbox.h"
#include "hf/server/reporoot.h"
#include "hf/wire/pubkey.h"

/* The root role of the root that is published now. */
static enum hf_err owners_get(struct hf_keyset_owners *owners, struct hf_pubkey room[HF_KEYSET_OWNERS_MAX],
                              struct hf_engine *engine)
{
  struct hf_tuf_root root;
  enum hf_err err = hf_reporoot_get(&root, engine);
  if (err != HF_OK) {
    return err;
  }
  *owners = (struct hf_keyset_owners){.key = room, .threshold = (uint8_t)root.role[HF_TUF_ROOT].threshold};
  for (unsigned i = 0; i < root.key_count && owners->count < HF_KEYSET_OWNERS_MAX; i++) {
    if ((root.role[HF_TUF_ROOT].keys >> i & 1) != 0) {
      room[owners->count++] = root.key[i].pub;
    }
  }
  return HF_OK;
}

/* A key that was revoked stays so: a set made from an old file must not bring it back by mistake. */
static bool brings_back(const struct hf_keyset *before, const struct hf_keyset *set)
{
  for (unsigned i = 0; i < before->count; i++) {
    for (unsigned k = 0; (before->revoked >> i & 1) != 0 && k < set->count; k++) {
      if ((set->revoked >> k & 1) == 0 && hf_pubkey_equal(&before->key[i], &set->key[k])) {
        return true;
      }
    }
  }
  return false;
}

static enum hf_err before_check(struct hf_engine *engine, const struct hf_keyset *set, struct hf_bytes product,
                                struct hf_why *why)
{
  uint8_t room[HF_KEYSET_MAX];
  struct hf_buf copy = hf_buf_init(room, sizeof room);
  struct hf_keyset before;
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "SELECT file FROM keyset WHERE product = ? ORDER BY version DESC LIMIT 1");
  hf_stmt_put_text(stmt, product);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    hf_buf_put(&copy, hf_stmt_get_bytes(stmt, 0));
  }
  hf_stmt_close(stmt);
  if (err != HF_OK) {
    return err == HF_E_NOT_FOUND ? HF_OK : err;
  }
  if (hf_keyset_parse(&before, hf_buf_bytes(&copy), NULL) != HF_OK) {
    return HF_E_IO; /* we wrote it */
  }
  if (set->version <= before.version) {
    hf_why_put(why, HF_RULE_KEYSET_OLD, 8);
    return HF_E_EXISTS;
  }
  if (brings_back(&before, set)) {
    hf_why_put(why, HF_RULE_KEYSET_BACK, 44);
    return HF_E_DENIED;
  }
  return HF_OK;
}

static enum hf_err product_check(struct hf_engine *engine, struct hf_bytes product)
{
  int64_t found = 0;
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT 1 FROM product WHERE name = ?");
  hf_stmt_put_text(stmt, product);
  return hf_stmt_run_int(stmt, &found);
}

/* Written before the row: until the group is committed nobody is told of the name. */
static enum hf_err file_put(struct hf_engine *engine, const struct hf_keyset *set, struct hf_bytes file)
{
  char path[PATH_MAX];
  char below[96];
  (void)snprintf(below, sizeof below, "repo/keysets/%.*s.%lu.keyset", (int)set->product_len, set->product,
                 (unsigned long)set->version);
  enum hf_err err = hf_engine_path(path, sizeof path, engine, below);
  err = err == HF_OK ? hf_file_folders(path) : err;
  return err == HF_OK ? hf_file_put(path, file) : err;
}

static enum hf_err row_put(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes product,
                           const struct hf_keyset *set, struct hf_bytes file)
{
  struct hf_stmt *stmt = hf_stmt_open(
      engine->db, "INSERT INTO keyset (product, version, file, created, created_by) VALUES (?, ?, ?, ?, ?)");
  hf_stmt_put_text(stmt, product);
  hf_stmt_put_int(stmt, set->version);
  hf_stmt_put_bytes(stmt, file);
  hf_stmt_put_int(stmt, act->now);
  hf_stmt_put_text(stmt, act->who);
  enum hf_err err = hf_stmt_run(stmt);
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

static enum hf_err tell(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes product,
                        const struct hf_keyset *set)
{
  uint8_t room[96];
  struct hf_buf detail = hf_buf_init(room, sizeof room);
  unsigned revoked = 0;
  for (unsigned i = 0; i < set->count; i++) {
    revoked += set->revoked >> i & 1;
  }
  hf_buf_put_text(&detail, "version ");
  hf_buf_put_uint(&detail, set->version);
  hf_buf_put_text(&detail, ", ");
  hf_buf_put_uint(&detail, set->count - revoked);
  hf_buf_put_text(&detail, " good, ");
  hf_buf_put_uint(&detail, revoked);
  hf_buf_put_text(&detail, " revoked");
  engine->generation++;
  hf_engine_touch(engine, HF_PULSE_PRODUCT);
  enum hf_err err = hf_auditlog_put(engine, act, "keyset.publish", product, hf_buf_bytes(&detail));
  return err == HF_OK ? hf_outbox_put(engine, "keyset.published", product, hf_buf_bytes(&detail), act->now) : err;
}

enum hf_err hf_keysets_publish(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes product,
                               struct hf_bytes file, struct hf_why *why)
{
  struct hf_pubkey room[HF_KEYSET_OWNERS_MAX];
  struct hf_keyset_owners owners;
  struct hf_keyset set;
  enum hf_err err = product_check(engine, product);
  err = err == HF_OK ? owners_get(&owners, room, engine) : err;
  if (err != HF_OK) {
    return err;
  }
  if (hf_keyset_verify(&set, file, &owners, product, 1, why) != HF_ALLOW) {
    return HF_E_DENIED;
  }
  err = before_check(engine, &set, product, why);
  err = err == HF_OK ? file_put(engine, &set, file) : err;
  err = err == HF_OK ? row_put(engine, act, product, &set, file) : err;
  return err == HF_OK ? tell(engine, act, product, &set) : err;
}

enum hf_err hf_keysets_newest(uint32_t *version, struct hf_db *db, struct hf_bytes product)
{
  int64_t found = 0;
  struct hf_stmt *stmt = hf_stmt_open(db, "SELECT coalesce(max(version), 0) FROM keyset WHERE product = ?");
  hf_stmt_put_text(stmt, product);
  enum hf_err err = hf_stmt_run_int(stmt, &found);
  *version = err == HF_OK ? (uint32_t)found : 0;
  return err;
}
