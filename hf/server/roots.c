/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/roots.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/server/auditlog.h"
#include "hf/server/files.h"
#include "hf/server/outbox.h"
#include "hf/server/signer.h"
#include "hf/wire/pubkey.h"

/* Canonical text of a root: as long as the file. */
#define SCRATCH_MAX (64u << 10)

struct hf_roots {
  struct hf_tuf_root present[HF_ROOTS_COUNT];
  bool there[HF_ROOTS_COUNT];
  struct hf_tuf_root next; /* being published */
  enum hf_roots_repository which;
  bool pending;
  bool unsettled; /* committed, but a file could not be renamed yet */
};

/* A root at work. */
struct candidate {
  struct hf_engine *engine;
  const struct hf_roots_new *ask;
  struct hf_tuf_limits limits;
  struct hf_tuf_file file;
  struct hf_tuf_root root;
  int64_t now;
  struct hf_why *why;
};

const char *hf_roots_name(enum hf_roots_repository repository)
{
  return repository == HF_ROOTS_DIRECTOR ? "director" : "image";
}

static enum hf_err root_path(char path[PATH_MAX], const struct hf_engine *engine, enum hf_roots_repository repository,
                             int64_t version)
{
  char below[64];
  (void)snprintf(below, sizeof below, "%s/%lld.root.json",
                 repository == HF_ROOTS_DIRECTOR ? "director" : "repo/metadata", (long long)version);
  return hf_engine_path(path, PATH_MAX, engine, below);
}

/* ---- what is there ---- */

enum hf_err hf_roots_version(int64_t *version, struct hf_db *db, enum hf_roots_repository repository)
{
  struct hf_repo_state state;
  if (repository == HF_ROOTS_IMAGE) {
    enum hf_err err = hf_repo_get(&state, db);
    *version = err == HF_OK ? state.root : 1;
    return err == HF_E_NOT_FOUND ? HF_OK : err;
  }
  struct hf_stmt *stmt = hf_stmt_open(db, "SELECT coalesce(max(version), 1) FROM root_file WHERE repository = ?");
  hf_stmt_put_int(stmt, repository);
  return hf_stmt_run_int(stmt, version);
}

enum hf_err hf_roots_load(struct hf_bytes *text, const struct hf_engine *engine, enum hf_roots_repository repository,
                          int64_t version)
{
  char path[PATH_MAX];
  enum hf_err err = root_path(path, engine, repository, version);
  return err == HF_OK ? hf_file_load(text, path, hf_tuf_limits_init().file_max[HF_TUF_ROOT]) : err;
}

static enum hf_err present_read(struct hf_engine *engine, enum hf_roots_repository repository)
{
  struct hf_bytes text;
  int64_t version;
  struct hf_tuf_file file;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_roots *roots = engine->roots;
  enum hf_err err = hf_roots_version(&version, engine->db, repository);
  if (err == HF_OK) {
    err = hf_roots_load(&text, engine, repository, version);
  }
  if (err != HF_OK) {
    return err == HF_E_NOT_FOUND ? HF_OK : err; /* not a workspace of ours yet: signing goes by the vault alone */
  }
  err = hf_tuf_parse(&file, text, HF_TUF_ROOT, &limits, NULL);
  err = err == HF_OK ? hf_tuf_root_parse(&roots->present[repository], &file, &limits, NULL) : err;
  roots->there[repository] = err == HF_OK;
  free((uint8_t *)(uintptr_t)text.at);
  return HF_OK;
}

static enum hf_err file_restore(const struct hf_engine *engine, struct hf_stmt *stmt)
{
  char path[PATH_MAX];
  struct hf_bytes found = hf_bytes_init(NULL, 0);
  struct hf_bytes wanted = hf_stmt_get_bytes(stmt, 2);
  enum hf_roots_repository repository =
      hf_stmt_get_int(stmt, 0) == HF_ROOTS_DIRECTOR ? HF_ROOTS_DIRECTOR : HF_ROOTS_IMAGE;
  enum hf_err err = root_path(path, engine, repository, hf_stmt_get_int(stmt, 1));
  if (err != HF_OK) {
    return err;
  }
  bool same = hf_file_load(&found, path, SCRATCH_MAX) == HF_OK && hf_bytes_equal(found, wanted);
  free((uint8_t *)(uintptr_t)found.at);
  return same ? HF_OK : hf_file_put(path, wanted);
}

static enum hf_err restore(struct hf_engine *engine)
{
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT repository, version, file FROM root_file ORDER BY version");
  enum hf_err err = hf_stmt_next(stmt);
  while (err == HF_OK) {
    err = file_restore(engine, stmt);
    err = err == HF_OK ? hf_stmt_next(stmt) : err;
  }
  hf_stmt_close(stmt);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

enum hf_err hf_roots_open(struct hf_engine *engine)
{
  engine->roots = calloc(1, sizeof *engine->roots);
  if (engine->roots == NULL) {
    return HF_E_IO;
  }
  enum hf_err err = restore(engine);
  for (int i = 0; i < HF_ROOTS_COUNT && err == HF_OK; i++) {
    err = present_read(engine, (enum hf_roots_repository)i);
  }
  return err;
}

void hf_roots_close(struct hf_engine *engine)
{
  free(engine->roots);
  engine->roots = NULL;
}

const struct hf_tuf_root *hf_roots_signing(const struct hf_engine *engine, enum hf_roots_repository repository)
{
  const struct hf_roots *roots = engine->roots;
  if (roots == NULL || !roots->there[repository]) {
    return NULL;
  }
  return roots->pending && roots->which == repository ? &roots->next : &roots->present[repository];
}

/* ---- judging ---- */

static enum hf_err refuse(struct candidate *in, enum hf_rule rule, enum hf_err err)
{
  hf_why_put(in->why, rule, 0);
  return err;
}

/* TUF 1.0.34 section 5.3: signed by the threshold of the present root and of its own, version plus one. */
static enum hf_err chain_check(struct candidate *in)
{
  const struct hf_tuf_root *present = &in->engine->roots->present[in->ask->repository];
  if (hf_tuf_parse(&in->file, in->ask->text, HF_TUF_ROOT, &in->limits, in->why) != HF_OK ||
      hf_tuf_root_parse(&in->root, &in->file, &in->limits, in->why) != HF_OK) {
    return HF_E_INPUT;
  }
  if (in->root.version != present->version + 1) {
    return refuse(in, HF_RULE_ROOT_STALE, HF_E_EXISTS);
  }
  if (hf_tuf_verify(&in->file, present, &in->limits, NULL) != HF_ALLOW) {
    return refuse(in, HF_RULE_TUF_UNSIGNED_OLD, HF_E_DENIED);
  }
  if (hf_tuf_verify(&in->file, &in->root, &in->limits, NULL) != HF_ALLOW) {
    return refuse(in, HF_RULE_TUF_UNSIGNED_NEW, HF_E_DENIED);
  }
  struct hf_tuf_limits device = in->limits; /* has no memory for the canonical text, which Ed25519 needs in one piece */
  device.scratch = NULL;
  device.scratch_cap = 0;
  if (hf_tuf_verify(&in->file, present, &device, NULL) != HF_ALLOW ||
      hf_tuf_verify(&in->file, &in->root, &device, NULL) != HF_ALLOW) {
    return refuse(in, HF_RULE_ROOT_DEVICES, HF_E_DENIED);
  }
  if (in->root.expires <= in->now) {
    return refuse(in, HF_RULE_TUF_EXPIRED, HF_E_DENIED);
  }
  return in->root.consistent_snapshot ? HF_OK : refuse(in, HF_RULE_ROOT_CONSISTENT, HF_E_DENIED);
}

/* The server signs each online role alone, with one key of its vault. */
static enum hf_err online_check(struct candidate *in)
{
  static const struct {
    enum hf_vault_role vault;
    enum hf_tuf_role role;
    enum hf_roots_repository repository;
  } online[] = {{HF_VAULT_TIMESTAMP, HF_TUF_TIMESTAMP, HF_ROOTS_IMAGE},
                {HF_VAULT_SNAPSHOT, HF_TUF_SNAPSHOT, HF_ROOTS_IMAGE},
                {HF_VAULT_DIRECTOR, HF_TUF_TIMESTAMP, HF_ROOTS_DIRECTOR},
                {HF_VAULT_DIRECTOR, HF_TUF_SNAPSHOT, HF_ROOTS_DIRECTOR},
                {HF_VAULT_DIRECTOR, HF_TUF_TARGETS, HF_ROOTS_DIRECTOR}};
  for (size_t i = 0; i < sizeof online / sizeof *online; i++) {
    if (online[i].repository != in->ask->repository) {
      continue;
    }
    if (in->root.role[online[i].role].threshold != 1) {
      return refuse(in, HF_RULE_ROOT_ONLINE_THRESHOLD, HF_E_DENIED);
    }
    enum hf_err err = hf_signer_check(in->engine, online[i].vault, &in->root, online[i].role);
    if (err != HF_OK) {
      return err == HF_E_NOT_FOUND ? refuse(in, HF_RULE_ROOT_VAULT, HF_E_DENIED) : err;
    }
  }
  return HF_OK;
}

/* The whole chain from the first root, as a device walks it that has never asked before. Of the director that is all:
 * its other files are signed for each device when it comes. */
static enum hf_err director_walk(struct candidate *in)
{
  struct hf_tuf_trust trust;
  struct hf_tufclient client;
  struct hf_tufclient_fetch fetch;
  struct hf_bytes text;
  enum hf_err err = hf_roots_load(&text, in->engine, HF_ROOTS_DIRECTOR, 1);
  if (err != HF_OK) {
    return err;
  }
  bool born = hf_tuf_trust_verify(&trust, text, &in->limits, in->why) == HF_ALLOW;
  free((uint8_t *)(uintptr_t)text.at);
  if (!born) {
    return HF_E_DENIED;
  }
  hf_tufclient_init(&client, &trust, &in->limits, in->now);
  /* Bounded: at most roots_max roots, each fetch one more. */
  while (err == HF_OK && hf_tufclient_next(&client, &fetch) == HF_TUFCLIENT_FETCH && fetch.role == HF_TUF_ROOT) {
    enum hf_err got = HF_OK;
    text = hf_bytes_init(NULL, 0);
    if (trust.root.version + 1 < in->root.version) {
      got = hf_roots_load(&text, in->engine, HF_ROOTS_DIRECTOR, trust.root.version + 1);
    }
    struct hf_bytes bytes = trust.root.version + 1 == in->root.version ? in->ask->text : text;
    err = hf_tufclient_give(&client,
                            got != HF_OK     ? HF_TUFCLIENT_FAILED
                            : bytes.len == 0 ? HF_TUFCLIENT_NOT_FOUND
                                             : HF_TUFCLIENT_BYTES,
                            bytes, in->why);
    free((uint8_t *)(uintptr_t)text.at);
  }
  return err;
}

/* ---- publishing ---- */

/* Was a key that could sign this role taken away? Then devices forget their version floors. */
static bool key_removed(const struct hf_tuf_root *before, const struct hf_tuf_root *after, enum hf_tuf_role role)
{
  bool all = true;
  for (size_t i = 0; i < before->key_count && all; i++) {
    bool kept = (before->role[role].keys >> i & 1) == 0;
    for (size_t j = 0; j < after->key_count && !kept; j++) {
      kept = (after->role[role].keys >> j & 1) != 0 && hf_pubkey_equal(&before->key[i].pub, &after->key[j].pub);
    }
    all = kept;
  }
  return !all;
}

static enum hf_err image_publish(struct candidate *in)
{
  const struct hf_tuf_root *present = &in->engine->roots->present[HF_ROOTS_IMAGE];
  const struct hf_repo_set set = {.root = in->ask->text,
                                  .root_version = in->root.version,
                                  .restart = key_removed(present, &in->root, HF_TUF_TIMESTAMP) ||
                                             key_removed(present, &in->root, HF_TUF_SNAPSHOT),
                                  .files = in->ask->files,
                                  .count = in->ask->count};
  return hf_repo_publish_set(in->engine, &set, in->now, in->why);
}

static enum hf_err row_put(struct candidate *in, const struct hf_act *act)
{
  struct hf_stmt *stmt = hf_stmt_open(
      in->engine->db, "INSERT INTO root_file (repository, version, file, created, created_by) VALUES (?, ?, ?, ?, ?)");
  hf_stmt_put_int(stmt, in->ask->repository);
  hf_stmt_put_int(stmt, in->root.version);
  hf_stmt_put_bytes(stmt, in->ask->text);
  hf_stmt_put_int(stmt, act->now);
  hf_stmt_put_text(stmt, act->who);
  enum hf_err err = hf_stmt_run(stmt);
  return err == HF_OK ? HF_OK : hf_engine_poison(in->engine, err);
}

static enum hf_err tell(struct candidate *in, const struct hf_act *act)
{
  char subject[32];
  (void)snprintf(subject, sizeof subject, "%s/%u", hf_roots_name(in->ask->repository), (unsigned)in->root.version);
  hf_engine_touch(in->engine, HF_PULSE_RELEASE);
  enum hf_err err = hf_auditlog_put(in->engine, act, "root.publish", hf_bytes_text(subject), HF_LIT("root"));
  return err == HF_OK
             ? hf_outbox_put(in->engine, "root.published", hf_bytes_text(subject), HF_LIT("published"), act->now)
             : err;
}

static enum hf_err publish(struct candidate *in, const struct hf_act *act)
{
  char path[PATH_MAX];
  struct hf_roots *roots = in->engine->roots;
  enum hf_err err = chain_check(in);
  if (err == HF_OK) {
    err = online_check(in);
  }
  if (err != HF_OK) {
    return err;
  }
  roots->next = in->root;
  roots->which = in->ask->repository;
  roots->pending = true;
  hf_signer_forget(in->engine);
  err = in->ask->repository == HF_ROOTS_IMAGE ? image_publish(in) : director_walk(in);
  if (err == HF_OK) {
    err = root_path(path, in->engine, in->ask->repository, in->root.version);
  }
  if (err == HF_OK) {
    err = hf_file_prepare(path, in->ask->text);
    err = err == HF_E_NOT_FOUND ? HF_E_IO : err;
  }
  if (err == HF_OK) {
    err = row_put(in, act);
  }
  err = err == HF_OK ? tell(in, act) : err;
  if (err != HF_OK) {
    hf_repo_settle(in->engine, false);
  }
  return err;
}

enum hf_err hf_roots_publish(struct hf_engine *engine, int64_t *version, const struct hf_act *act,
                             const struct hf_roots_new *root, struct hf_why *why)
{
  struct hf_roots *roots = engine->roots;
  if (roots == NULL || !roots->there[root->repository] || roots->pending || roots->unsettled) {
    return HF_E_STATE;
  }
  struct candidate *in = calloc(1, sizeof *in);
  uint8_t *scratch = malloc(SCRATCH_MAX);
  enum hf_err err = in == NULL || scratch == NULL ? HF_E_IO : HF_OK;
  if (err == HF_OK) {
    *in = (struct candidate){.engine = engine, .ask = root, .now = act->now, .why = why};
    in->limits = hf_tuf_limits_init();
    in->limits.scratch = scratch;
    in->limits.scratch_cap = SCRATCH_MAX;
    err = publish(in, act);
    *version = in->root.version;
  }
  free(scratch);
  free(in);
  return err;
}

/* ---- settling ---- */

void hf_roots_settle(struct hf_engine *engine, bool committed)
{
  char path[PATH_MAX];
  struct hf_roots *roots = engine->roots;
  if (roots == NULL || !roots->pending) {
    return;
  }
  roots->pending = false;
  bool named = root_path(path, engine, roots->which, roots->next.version) == HF_OK;
  if (!committed) {
    hf_signer_forget(engine);
    if (named) {
      hf_file_forget(path);
    }
    return;
  }
  roots->present[roots->which] = roots->next;
  roots->unsettled = !named || hf_file_settle(path) != HF_OK;
}

enum hf_err hf_roots_tick(struct hf_engine *engine)
{
  struct hf_roots *roots = engine->roots;
  if (roots == NULL || !roots->unsettled) {
    return HF_OK;
  }
  enum hf_err err = restore(engine);
  roots->unsettled = err != HF_OK;
  return err;
}
