/* SPDX-License-Identifier: Apache-2.0
 * The engine as a whole: opening, groups, ticks. What it does with each message is in the nouns (hf/server/core.h).
 */
#include "hf/server/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/server/auditlog.h"
#include "hf/server/auth.h"
#include "hf/server/cache.h"
#include "hf/server/core.h"
#include "hf/server/expiry.h"
#include "hf/server/member.h"
#include "hf/server/releases.h"
#include "hf/server/repo.h"
#include "hf/server/revocation.h"
#include "hf/server/rollout_set.h"
#include "hf/server/roots.h"
#include "hf/server/schema.h"
#include "hf/server/settings.h"

/* Devices found silent in one tick: a hall that lost its power must not hold up the others. */
#define SILENT_BATCH 500

enum hf_err hf_engine_path(char *path, size_t cap, const struct hf_engine *engine, const char *below)
{
  int len = snprintf(path, cap, "%s/%s", engine->server_dir, below);
  return len > 0 && (size_t)len < cap ? HF_OK : HF_E_SPACE;
}

enum hf_err hf_engine_poison(struct hf_engine *engine, enum hf_err err)
{
  if (engine->poison == HF_OK) {
    engine->poison = err;
  }
  return err;
}

const char *hf_pulse_name(enum hf_pulse kind)
{
  static const char *const names[HF_PULSE_COUNT] = {"device",  "rollout", "release", "group",
                                                    "product", "audit",   "factory"};
  return names[kind];
}

void hf_engine_touch(struct hf_engine *engine, enum hf_pulse kind)
{
  if (engine->pulse[kind] == 0) { /* one number a group and kind is enough to be seen */
    engine->pulse[kind] = ++engine->change;
  }
}

static enum hf_err pulses_put(struct hf_engine *engine, int64_t now)
{
  enum hf_err err = HF_OK;
  for (int kind = 0; kind < HF_PULSE_COUNT && err == HF_OK; kind++) {
    if (engine->pulse[kind] == 0) {
      continue;
    }
    struct hf_stmt *stmt =
        hf_stmt_open(engine->db, "INSERT INTO pulse (kind, n, time) VALUES (?, ?, ?) ON CONFLICT (kind)"
                                 " DO UPDATE SET n = excluded.n, time = excluded.time");
    hf_stmt_put_text(stmt, hf_bytes_text(hf_pulse_name((enum hf_pulse)kind)));
    hf_stmt_put_int(stmt, (int64_t)engine->pulse[kind]);
    hf_stmt_put_int(stmt, now);
    err = hf_stmt_run(stmt);
    engine->pulse[kind] = 0;
  }
  return err;
}

static enum hf_err change_get(struct hf_engine *engine)
{
  int64_t change = 0;
  enum hf_err err = hf_stmt_run_int(hf_stmt_open(engine->db, "SELECT coalesce(max(n), 0) FROM pulse"), &change);
  engine->change = (uint64_t)change;
  return err;
}

uint64_t hf_engine_change(const struct hf_engine *engine)
{
  int64_t change = 0;
  if (!engine->config.read_only) {
    return engine->change;
  }
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT coalesce(max(n), 0) FROM pulse");
  return hf_stmt_run_int(stmt, &change) == HF_OK ? (uint64_t)change : 0;
}

enum hf_err hf_engine_reload(struct hf_engine *engine)
{
  /* Numbers that were told to the live views are not used again for something else. */
  uint64_t change = engine->change;
  enum hf_err err = change_get(engine);
  engine->change = change > engine->change ? change : engine->change;
  engine->generation++;
  hf_cache_init(engine->cache);
  hf_rollout_set_close(engine);
  if (err == HF_OK) {
    err = hf_settings_get(&engine->settings, engine->db);
  }
  if (err == HF_OK) {
    err = hf_auditlog_load(engine);
  }
  if (err == HF_OK) {
    err = hf_rollout_set_open(engine);
  }
  return err;
}

static enum hf_err open_reader(struct hf_engine *engine, const char *path)
{
  enum hf_err err = hf_db_open(&engine->db, &hf_db_sqlite, path, true);
  if (err == HF_OK) {
    err = hf_schema_check(engine->db);
  }
  return err == HF_OK ? hf_settings_get(&engine->settings, engine->db) : err;
}

static enum hf_err open_writer(struct hf_engine *engine, const char *path, int64_t now)
{
  enum hf_err err = hf_db_open(&engine->db, &hf_db_sqlite, path, false);
  if (err == HF_OK) {
    err = hf_schema_init(engine->db);
  }
  if (err == HF_OK) {
    err = hf_cache_new(&engine->cache);
  }
  if (err == HF_OK) {
    err = hf_random(&engine->dice, sizeof engine->dice);
    engine->dice |= 1; /* xorshift never leaves zero */
  }
  if (err == HF_OK) {
    err = change_get(engine);
  }
  if (err == HF_OK) {
    err = hf_engine_reload(engine);
  }
  if (err == HF_OK) {
    err = hf_engine_bootstrap(engine, now);
  }
  if (err == HF_OK) {
    err = hf_revocation_open(engine);
  }
  if (err == HF_OK) {
    err = hf_repo_open(engine, now);
  }
  if (err == HF_OK) {
    err = hf_roots_open(engine);
  }
  return err == HF_OK ? hf_expiry_open(engine) : err;
}

enum hf_err hf_engine_open(struct hf_engine **engine, const struct hf_engine_config *config, int64_t now)
{
  char path[4096];
  struct hf_engine *made = calloc(1, sizeof *made);
  *engine = NULL;
  if (made == NULL) {
    return HF_E_IO;
  }
  made->config = *config;
  made->server_dir = strdup(config->server_dir);
  made->config.server_dir = made->server_dir;
  made->ticked = now;
  enum hf_err err = made->server_dir == NULL ? HF_E_IO : hf_engine_path(path, sizeof path, made, "db/holdfast.db");
  if (err == HF_OK) {
    err = config->read_only ? open_reader(made, path) : open_writer(made, path, now);
  }
  if (err == HF_OK) {
    err = hf_api_open(made);
  }
  if (err != HF_OK) {
    hf_engine_close(made);
    return err;
  }
  *engine = made;
  return HF_OK;
}

void hf_engine_close(struct hf_engine *engine)
{
  if (engine == NULL) {
    return;
  }
  if (engine->in_group) {
    hf_db_rollback(engine->db);
  }
  hf_api_close(engine);
  hf_repo_close(engine);
  hf_roots_close(engine);
  hf_rollout_set_close(engine);
  hf_revocation_close(engine);
  hf_cache_free(engine->cache);
  hf_db_close(engine->db);
  hf_secret_wipe(&engine->config, sizeof engine->config);
  free(engine->server_dir);
  free(engine);
}

void hf_engine_vault_anew(struct hf_engine *engine) { hf_revocation_ask_again(engine); }

enum hf_err hf_engine_begin(struct hf_engine *engine)
{
  if (engine->in_group) {
    return HF_E_STATE;
  }
  if (engine->rollouts == NULL && !engine->config.read_only) { /* reading it anew failed after an undone group */
    enum hf_err reloaded = hf_engine_reload(engine);
    if (reloaded != HF_OK) {
      return reloaded;
    }
  }
  enum hf_err err = hf_db_begin(engine->db);
  engine->in_group = err == HF_OK;
  engine->poison = HF_OK;
  return err;
}

/* What was gathered in memory during the group. */
static enum hf_err gathered_put(struct hf_engine *engine)
{
  int64_t now = engine->ticked;
  enum hf_err err = hf_rollout_set_flush(engine, now);
  if (err == HF_OK) {
    err = hf_cache_flush(engine, now, false);
  }
  if (err == HF_OK && engine->vault_used) {
    err = hf_auditlog_anchor(engine, now);
  }
  return err == HF_OK ? pulses_put(engine, now) : err;
}

enum hf_err hf_engine_commit(struct hf_engine *engine)
{
  if (!engine->in_group) {
    return HF_E_STATE;
  }
  engine->in_group = false;
  enum hf_err err = engine->poison;
  if (err == HF_OK) {
    err = gathered_put(engine);
  }
  engine->vault_used = false;
  if (err == HF_OK) {
    err = hf_db_commit(engine->db);
  } else {
    hf_db_rollback(engine->db);
  }
  hf_repo_settle(engine, err == HF_OK);
  if (err != HF_OK && hf_engine_reload(engine) != HF_OK) {
    hf_rollout_set_close(engine); /* the next begin tries it again */
  }
  return err;
}

/* What is in memory only must be in the transaction before the mark: undoing reads it back from there. */
enum hf_err hf_engine_mark(struct hf_engine *engine)
{
  enum hf_err err = hf_rollout_set_flush(engine, engine->ticked);
  if (err == HF_OK) {
    err = hf_cache_flush(engine, engine->ticked, true);
  }
  engine->mark_poison = engine->poison;
  engine->mark_change = engine->change;
  engine->mark_number = engine->chain.number;
  return err == HF_OK ? hf_db_mark(engine->db) : err;
}

enum hf_err hf_engine_mark_keep(struct hf_engine *engine)
{
  enum hf_err err = hf_db_mark_keep(engine->db);
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

enum hf_err hf_engine_mark_undo(struct hf_engine *engine)
{
  enum hf_err err = hf_db_mark_undo(engine->db);
  bool touched = engine->poison != engine->mark_poison || engine->change != engine->mark_change ||
                 engine->chain.number != engine->mark_number;
  engine->poison = err == HF_OK ? engine->mark_poison : err;
  if (err == HF_OK && touched) {
    hf_repo_settle(engine, false); /* only requests publish before the tick, one in a group */
    err = hf_engine_reload(engine);
  }
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

static enum hf_err silent_one(struct hf_engine *engine, int64_t n, int64_t now)
{
  struct hf_device_row row;
  enum hf_err err = hf_device_row_get(&row, engine->db, n);
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "UPDATE device SET state = ? WHERE n = ?");
  hf_stmt_put_int(stmt, HF_MEMBER_SILENT);
  hf_stmt_put_int(stmt, n);
  err = hf_stmt_run(stmt);
  if (err != HF_OK) {
    return hf_engine_poison(engine, err);
  }
  hf_cache_drop(engine->cache, hf_bytes_text(row.id)); /* so that its next check-in is taken in whole */
  hf_engine_touch(engine, HF_PULSE_DEVICE);
  return hf_member_silent(engine, &row, now);
}

/* Devices not heard of for long. */
static enum hf_err silence_tick(struct hf_engine *engine, int64_t now)
{
  int64_t found[SILENT_BATCH];
  size_t count = 0;
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "SELECT n FROM device WHERE state <> 10 AND last_seen > 0 AND last_seen < ? LIMIT 500");
  /* A device seen since may not have been written yet. */
  hf_stmt_put_int(stmt, now - hf_settings_silent_after(&engine->settings) - HF_CACHE_SEEN_S);
  enum hf_err err = hf_stmt_next(stmt);
  while (err == HF_OK && count < SILENT_BATCH) {
    found[count++] = hf_stmt_get_int(stmt, 0);
    err = hf_stmt_next(stmt);
  }
  hf_stmt_close(stmt);
  err = err == HF_E_NOT_FOUND ? HF_OK : err;
  for (size_t i = 0; i < count && err == HF_OK; i++) {
    err = silent_one(engine, found[i], now);
  }
  return err;
}

static enum hf_err rollouts_tick(struct hf_engine *engine, int64_t now)
{
  enum hf_err err = HF_OK;
  for (size_t i = 0; i < engine->rollouts->count && err == HF_OK; i++) {
    err = hf_rollout_set_settle(engine, &engine->rollouts->at[i], now);
  }
  return err;
}

static enum hf_err expiry_tick(struct hf_engine *engine, int64_t now)
{
  static const char *const sql[] = {
      "DELETE FROM enrol_token WHERE expires < ? - 604800", /* kept a week: "expired" is a better answer than "unknown"
                                                             */
  };
  enum hf_err err = HF_OK;
  for (size_t i = 0; i < sizeof sql / sizeof *sql && err == HF_OK; i++) {
    struct hf_stmt *stmt = hf_stmt_open(engine->db, sql[i]);
    hf_stmt_put_int(stmt, now);
    err = hf_stmt_run(stmt);
  }
  if (err != HF_OK) {
    return hf_engine_poison(engine, err);
  }
  err = hf_auth_tick(engine->db, now);
  return err == HF_OK ? hf_upload_tick(engine, now) : hf_engine_poison(engine, err);
}

enum hf_err hf_engine_tick(struct hf_engine *engine, int64_t now)
{
  bool minute = now / 60 != engine->ticked / 60;
  engine->ticked = now;
  enum hf_err err = silence_tick(engine, now);
  if (err == HF_OK) {
    err = rollouts_tick(engine, now);
  }
  if (err == HF_OK) {
    err = hf_roots_tick(engine);
  }
  if (err == HF_OK) {
    err = hf_repo_tick(engine, now);
  }
  if (err == HF_OK) {
    err = hf_revocation_tick(engine, now);
  }
  return err == HF_OK && minute ? expiry_tick(engine, now) : err;
}
