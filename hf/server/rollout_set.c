/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/rollout_set.h"

#include <stdlib.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/server/auditlog.h"
#include "hf/server/devices.h"
#include "hf/server/groups.h"
#include "hf/server/outbox.h"
#include "hf/server/releases.h"

static void active_free(struct hf_rollout_active *active)
{
  free(active->group);
  for (size_t i = 0; i < HF_WAVES_MAX; i++) {
    free(active->wave_group[i]);
  }
  free(active->releases);
  *active = (struct hf_rollout_active){.dirty = false};
}

void hf_rollout_set_close(struct hf_engine *engine)
{
  struct hf_rollout_set *set = engine->rollouts;
  if (set != NULL) {
    for (size_t i = 0; i < set->count; i++) {
      active_free(&set->at[i]);
    }
    free(set->at);
    free(set);
  }
  engine->rollouts = NULL;
}

struct hf_rollout_active *hf_rollout_set_get(struct hf_engine *engine, struct hf_bytes product)
{
  struct hf_rollout_set *set = engine->rollouts;
  for (size_t i = 0; i < set->count; i++) {
    if (hf_bytes_is(product, set->at[i].product)) {
      return &set->at[i];
    }
  }
  return NULL;
}

static enum hf_err slot_take(struct hf_rollout_active **active, struct hf_engine *engine, struct hf_bytes product)
{
  struct hf_rollout_set *set = engine->rollouts;
  *active = hf_rollout_set_get(engine, product);
  if (*active != NULL) {
    active_free(*active);
  } else {
    if (set->count == set->cap) {
      size_t cap = set->cap == 0 ? 8 : 2 * set->cap;
      struct hf_rollout_active *at = realloc(set->at, cap * sizeof *at);
      if (at == NULL) {
        return HF_E_IO;
      }
      set->at = at;
      set->cap = cap;
    }
    *active = &set->at[set->count++];
    **active = (struct hf_rollout_active){.dirty = false};
  }
  hf_text_copy((*active)->product, sizeof(*active)->product, product);
  return HF_OK;
}

static enum hf_err group_load(struct hf_query **query, struct hf_db *db, struct hf_bytes name)
{
  *query = NULL;
  return name.len == 0 ? HF_OK : hf_group_get(query, db, name);
}

static enum hf_err head_load(struct hf_rollout_active *active, struct hf_db *db)
{
  struct hf_rollout *rollout = &active->rollout;
  struct hf_stmt *stmt =
      hf_stmt_open(db, "SELECT id, version, grp, state, wave, success_percent, max_failures, deadline FROM rollout"
                       " WHERE product = ? ORDER BY id DESC LIMIT 1");
  hf_stmt_put_text(stmt, hf_bytes_text(active->product));
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    rollout->id = hf_stmt_get_int(stmt, 0);
    hf_text_copy(active->version, sizeof active->version, hf_stmt_get_bytes(stmt, 1));
    rollout->state = (enum hf_rollout_state)hf_stmt_get_int(stmt, 3);
    rollout->wave = (uint32_t)hf_stmt_get_int(stmt, 4);
    rollout->success_percent = (uint32_t)hf_stmt_get_int(stmt, 5);
    rollout->max_failures = (uint64_t)hf_stmt_get_int(stmt, 6);
    rollout->deadline = hf_stmt_get_int(stmt, 7);
    err = group_load(&active->group, db, hf_stmt_get_bytes(stmt, 2));
    /* The group of an aborted rollout may be gone; it offers nothing any more. */
    err = err == HF_E_NOT_FOUND && rollout->state == HF_ROLLOUT_ABORTED ? HF_OK : err;
  }
  hf_stmt_close(stmt);
  return err;
}

static void wave_take(struct hf_wave *wave, struct hf_stmt *stmt)
{
  wave->percent = (uint32_t)hf_stmt_get_int(stmt, 0);
  wave->last_hash = (uint64_t)hf_stmt_get_int(stmt, 2);
  wave->started = hf_stmt_get_int(stmt, 3);
  for (int k = 0; k < HF_CLASS_COUNT; k++) {
    wave->count[k] = (uint64_t)hf_stmt_get_int(stmt, 4 + k);
  }
  wave->forgiven = (uint64_t)hf_stmt_get_int(stmt, 4 + HF_CLASS_COUNT);
}

static enum hf_err waves_load(struct hf_rollout_active *active, struct hf_db *db)
{
  struct hf_rollout *rollout = &active->rollout;
  struct hf_stmt *stmt =
      hf_stmt_open(db, "SELECT percent, grp, last_hash, started, waiting, underway, confirmed, failed, silent,"
                       " forgiven FROM wave WHERE rollout = ? ORDER BY place");
  hf_stmt_put_int(stmt, rollout->id);
  enum hf_err err = hf_stmt_next(stmt);
  while (err == HF_OK && rollout->wave_count < HF_WAVES_MAX) {
    wave_take(&rollout->at[rollout->wave_count], stmt);
    err = group_load(&active->wave_group[rollout->wave_count], db, hf_stmt_get_bytes(stmt, 1));
    err = err == HF_E_NOT_FOUND && rollout->state == HF_ROLLOUT_ABORTED ? HF_OK : err;
    rollout->wave_count++;
    err = err == HF_OK ? hf_stmt_next(stmt) : err == HF_E_NOT_FOUND ? HF_E_INPUT : err;
  }
  hf_stmt_close(stmt);
  return err == HF_E_NOT_FOUND && rollout->wave_count > 0 && rollout->wave < rollout->wave_count ? HF_OK : HF_E_INPUT;
}

static enum hf_err releases_load(struct hf_rollout_active *active, struct hf_db *db)
{
  struct hf_version wanted;
  enum hf_err err = hf_release_load(&active->releases, &active->release_count, db, hf_bytes_text(active->product));
  if (err == HF_OK) {
    err = hf_version_parse(&wanted, hf_bytes_text(active->version), NULL);
  }
  if (err != HF_OK) {
    return err;
  }
  for (size_t i = 0; i < active->release_count; i++) {
    if (hf_version_order(&active->releases[i].version, &wanted) == 0) {
      active->target = i;
      return HF_OK;
    }
  }
  return HF_E_NOT_FOUND; /* more than HF_RELEASES_MAX newer ones: nobody rolls that out */
}

enum hf_err hf_rollout_set_load(struct hf_engine *engine, struct hf_bytes product)
{
  struct hf_rollout_active *active;
  struct hf_rollout_set *set = engine->rollouts;
  enum hf_err err = slot_take(&active, engine, product);
  if (err != HF_OK) {
    return err;
  }
  err = head_load(active, engine->db);
  if (err == HF_OK) {
    err = waves_load(active, engine->db);
  }
  if (err == HF_OK) {
    err = releases_load(active, engine->db);
  }
  engine->generation++;
  if (err != HF_OK) {
    active_free(active);
    *active = set->at[--set->count];
    set->at[set->count] = (struct hf_rollout_active){.dirty = false};
  }
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

enum hf_err hf_rollout_set_open(struct hf_engine *engine)
{
  engine->rollouts = calloc(1, sizeof *engine->rollouts);
  if (engine->rollouts == NULL) {
    return HF_E_IO;
  }
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT DISTINCT product FROM rollout");
  enum hf_err err = hf_stmt_next(stmt);
  while (err == HF_OK) {
    err = hf_rollout_set_load(engine, hf_stmt_get_bytes(stmt, 0));
    err = err == HF_OK ? hf_stmt_next(stmt) : err;
  }
  hf_stmt_close(stmt);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

static void number_put(struct hf_buf *buf, int64_t number) { hf_buf_put_uint(buf, (uint64_t)number); }

/* "thermostat 1.2.0, wave 2 of 3" */
static void words_put(struct hf_buf *words, const struct hf_rollout_active *active)
{
  hf_buf_put_text(words, active->product);
  hf_buf_put_text(words, " ");
  hf_buf_put_text(words, active->version);
  hf_buf_put_text(words, ", wave ");
  hf_buf_put_uint(words, active->rollout.wave + 1);
  hf_buf_put_text(words, " of ");
  hf_buf_put_uint(words, active->rollout.wave_count);
}

/* What the rollout did by itself, for the audit log and the webhook. */
static enum hf_err tell(struct hf_engine *engine, const struct hf_rollout_active *active, const char *action,
                        enum hf_rule rule, int64_t now)
{
  uint8_t words_room[512];
  uint8_t id_room[24];
  struct hf_buf words = hf_buf_init(words_room, sizeof words_room);
  struct hf_buf id = hf_buf_init(id_room, sizeof id_room);
  const struct hf_act act = {.who = HF_LIT("server"), .now = now};
  words_put(&words, active);
  if (rule != HF_RULE_NONE) {
    hf_buf_put_text(&words, ": ");
    hf_buf_put_text(&words, hf_rule_words((uint16_t)rule)->what);
  }
  number_put(&id, active->rollout.id);
  enum hf_err err = hf_auditlog_put(engine, &act, action, hf_buf_bytes(&id), hf_buf_bytes(&words));
  return err == HF_OK ? hf_outbox_put(engine, action, hf_buf_bytes(&id), hf_buf_bytes(&words), now) : err;
}

static enum hf_err reason_put(struct hf_engine *engine, int64_t id, enum hf_rule rule)
{
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "UPDATE rollout SET reason = ? WHERE id = ?");
  hf_stmt_put_text(stmt, hf_bytes_text(hf_rule_words((uint16_t)rule)->what));
  hf_stmt_put_int(stmt, id);
  enum hf_err err = hf_stmt_run(stmt);
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

enum hf_err hf_rollout_set_settle(struct hf_engine *engine, struct hf_rollout_active *active, int64_t now)
{
  struct hf_rollout *rollout = &active->rollout;
  enum hf_err err = HF_OK;
  for (uint32_t i = 0; i <= HF_WAVES_MAX && err == HF_OK; i++) {
    enum hf_rule reason = HF_RULE_NONE;
    enum hf_rollout_step step = hf_rollout_judge(rollout, &reason);
    if (step == HF_ROLLOUT_KEEP) {
      break;
    }
    active->dirty = true;
    engine->generation++;
    hf_engine_touch(engine, HF_PULSE_ROLLOUT);
    if (step == HF_ROLLOUT_NEXT) {
      rollout->wave++;
      rollout->at[rollout->wave].started = now;
      err = tell(engine, active, "rollout.wave", HF_RULE_NONE, now);
    } else if (step == HF_ROLLOUT_STOP) {
      rollout->state = HF_ROLLOUT_STOPPED;
      err = tell(engine, active, "rollout.stopped", reason, now);
      err = err == HF_OK ? reason_put(engine, rollout->id, reason) : err;
    } else {
      rollout->state = HF_ROLLOUT_DONE;
      err = tell(engine, active, "rollout.done", HF_RULE_NONE, now);
    }
  }
  return err;
}

static enum hf_err wave_flush(struct hf_engine *engine, const struct hf_rollout *rollout, uint32_t place)
{
  const struct hf_wave *wave = &rollout->at[place];
  uint64_t total = 0;
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "UPDATE wave SET started = ?, waiting = ?, underway = ?, confirmed = ?, failed = ?,"
                               " silent = ?, forgiven = ?, total = ? WHERE rollout = ? AND place = ?");
  hf_stmt_put_int(stmt, wave->started);
  for (size_t k = 0; k < HF_CLASS_COUNT; k++) {
    hf_stmt_put_int(stmt, (int64_t)wave->count[k]);
    total += wave->count[k];
  }
  hf_stmt_put_int(stmt, (int64_t)wave->forgiven);
  hf_stmt_put_int(stmt, (int64_t)total);
  hf_stmt_put_int(stmt, rollout->id);
  hf_stmt_put_int(stmt, place);
  return hf_stmt_run(stmt);
}

static enum hf_err active_flush(struct hf_engine *engine, const struct hf_rollout_active *active, int64_t now)
{
  const struct hf_rollout *rollout = &active->rollout;
  bool ended = rollout->state == HF_ROLLOUT_DONE || rollout->state == HF_ROLLOUT_ABORTED;
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "UPDATE rollout SET state = ?, wave = ?, changed = ?, ended = CASE WHEN ? = 0 THEN 0"
                               " WHEN ended = 0 THEN ? ELSE ended END WHERE id = ?");
  hf_stmt_put_int(stmt, (int64_t)rollout->state);
  hf_stmt_put_int(stmt, rollout->wave);
  hf_stmt_put_int(stmt, now);
  hf_stmt_put_int(stmt, ended);
  hf_stmt_put_int(stmt, now);
  hf_stmt_put_int(stmt, rollout->id);
  enum hf_err err = hf_stmt_run(stmt);
  for (uint32_t i = 0; i < rollout->wave_count && err == HF_OK; i++) {
    err = wave_flush(engine, rollout, i);
  }
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

enum hf_err hf_rollout_set_flush(struct hf_engine *engine, int64_t now)
{
  struct hf_rollout_set *set = engine->rollouts;
  for (size_t i = 0; i < set->count; i++) {
    if (set->at[i].dirty) {
      enum hf_err err = active_flush(engine, &set->at[i], now);
      if (err != HF_OK) {
        return err;
      }
      set->at[i].dirty = false;
    }
  }
  return HF_OK;
}
