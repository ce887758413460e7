/* SPDX-License-Identifier: Apache-2.0
 * Starting, pausing, resuming and aborting. Running is hf/server/member.h (a device's view) and
 * hf/server/rollout_set.h.
 */
#include "hf/server/rollouts.h"

#include <stdlib.h>
#include <string.h>

#include "hf/server/auditlog.h"
#include "hf/server/devices.h"
#include "hf/server/groups.h"
#include "hf/server/outbox.h"
#include "hf/server/releases.h"
#include "hf/server/rollout_set.h"

/* A device that takes part. */
struct candidate {
  int64_t n;
  uint64_t hash;
  uint32_t wave;
  enum hf_member state;
};
#define NO_WAVE UINT32_MAX

/* One start at work. */
struct start {
  struct hf_engine *engine;
  const struct hf_act *act;
  const struct hf_rollout_new *ask;
  struct hf_rollout rollout;
  struct hf_query *group;
  struct hf_query *wave_group[HF_WAVES_MAX];
  struct hf_release *releases;
  size_t release_count;
  size_t target;
  char version[HF_VERSION_TEXT_MAX + 1];
  struct candidate *candidate;
  size_t count;
  size_t cap;
  uint64_t excluded;
  uint64_t lacking; /* of those, for want of what the release requires */
  struct hf_why *why;
};

static enum hf_err refuse(struct start *in, enum hf_rule rule, enum hf_err err)
{
  hf_why_put(in->why, rule, 0);
  return err;
}

/* ---- what is asked for ---- */

static enum hf_err group_find(struct start *in, struct hf_query **query, struct hf_bytes name)
{
  enum hf_err err = hf_group_get(query, in->engine->db, name);
  return err == HF_E_NOT_FOUND ? refuse(in, HF_RULE_ROLLOUT_GROUP, err) : err;
}

static enum hf_err waves_take(struct start *in)
{
  const struct hf_rollout_new *ask = in->ask;
  uint64_t cut[HF_WAVES_MAX];
  if (ask->wave_count == 0 || ask->wave_count > HF_WAVES_MAX) {
    return refuse(in, HF_RULE_ROLLOUT_WAVES, HF_E_INPUT);
  }
  in->rollout.wave_count = (uint32_t)ask->wave_count;
  for (size_t i = 0; i < ask->wave_count; i++) {
    bool group = ask->wave[i].percent == 0;
    in->rollout.at[i].percent = ask->wave[i].percent;
    if (group == (ask->wave[i].group.len == 0)) {
      return refuse(in, HF_RULE_ROLLOUT_WAVES, HF_E_INPUT);
    }
    enum hf_err err = group ? group_find(in, &in->wave_group[i], ask->wave[i].group) : HF_OK;
    if (err != HF_OK) {
      return err;
    }
  }
  return hf_rollout_cut(cut, &in->rollout, 0) == HF_OK ? HF_OK : refuse(in, HF_RULE_ROLLOUT_WAVES, HF_E_INPUT);
}

static enum hf_err numbers_take(struct start *in)
{
  const struct hf_rollout_new *ask = in->ask;
  if (ask->success_percent < 1 || ask->success_percent > 100 || ask->max_failures > INT32_MAX ||
      (ask->deadline != 0 && ask->deadline <= in->act->now)) {
    return refuse(in, HF_RULE_ROLLOUT_NUMBERS, HF_E_INPUT);
  }
  in->rollout.state = HF_ROLLOUT_RUNNING;
  in->rollout.success_percent = ask->success_percent;
  in->rollout.max_failures = ask->max_failures;
  in->rollout.deadline = ask->deadline;
  if (ask->deadline == 0 && in->releases[in->target].security) {
    in->rollout.deadline = in->act->now + in->engine->settings.security_deadline_s;
  }
  return HF_OK;
}

static enum hf_err release_take(struct start *in)
{
  struct hf_version wanted;
  struct hf_buf text = hf_buf_init(in->version, HF_VERSION_TEXT_MAX);
  if (hf_version_parse(&wanted, in->ask->version, NULL) != HF_OK) {
    return refuse(in, HF_RULE_ROLLOUT_RELEASE, HF_E_NOT_FOUND);
  }
  hf_version_put(&text, &wanted);
  enum hf_err err = hf_release_load(&in->releases, &in->release_count, in->engine->db, in->ask->product);
  if (err != HF_OK) {
    return err;
  }
  for (in->target = 0; in->target < in->release_count; in->target++) {
    if (hf_version_order(&in->releases[in->target].version, &wanted) == 0) {
      return HF_OK;
    }
  }
  return refuse(in, HF_RULE_ROLLOUT_RELEASE, HF_E_NOT_FOUND);
}

static enum hf_err free_check(struct start *in)
{
  const struct hf_rollout_active *active = hf_rollout_set_get(in->engine, in->ask->product);
  bool busy =
      active != NULL && (active->rollout.state == HF_ROLLOUT_RUNNING || active->rollout.state == HF_ROLLOUT_PAUSED);
  return busy ? refuse(in, HF_RULE_ROLLOUT_RUNS, HF_E_STATE) : HF_OK;
}

/* ---- who takes part ---- */

/* A device as the rows of the join below spell it out, one row a component. */
struct reading {
  int64_t n;
  char id[HF_DEVICE_ID_MAX + 1];
  char hardware[HF_HARDWARE_ID_MAX + 1];
  char name[HF_RELEASE_PARTS_MAX][HF_COMPONENT_MAX + 1];
  int64_t state;
  struct hf_release_device device;
};

static enum hf_err candidate_put(struct start *in, const struct reading *reading)
{
  size_t next;
  enum hf_release_fit fit = hf_release_next(&next, in->releases, in->release_count, in->target, &reading->device);
  if (fit != HF_FIT_OFFER) {
    in->excluded++;
    in->lacking += fit == HF_FIT_REQUIRES;
    return HF_OK;
  }
  if (in->count == in->cap) {
    size_t cap = in->cap == 0 ? 1024 : 2 * in->cap;
    struct candidate *at = realloc(in->candidate, cap * sizeof *at);
    if (at == NULL) {
      return HF_E_IO;
    }
    in->candidate = at;
    in->cap = cap;
  }
  in->candidate[in->count++] =
      (struct candidate){.n = reading->n,
                         .hash = hf_rollout_hash(in->rollout.id, hf_bytes_text(reading->id)),
                         .wave = NO_WAVE,
                         .state = reading->state == HF_MEMBER_SILENT ? HF_MEMBER_SILENT : HF_MEMBER_WAITING};
  return HF_OK;
}

static void reading_begin(struct reading *reading, struct hf_stmt *stmt)
{
  *reading = (struct reading){.n = hf_stmt_get_int(stmt, 0), .state = hf_stmt_get_int(stmt, 3)};
  hf_text_copy(reading->id, sizeof reading->id, hf_stmt_get_bytes(stmt, 1));
  hf_text_copy(reading->hardware, sizeof reading->hardware, hf_stmt_get_bytes(stmt, 2));
  reading->device.hardware = hf_bytes_text(reading->hardware);
}

static void reading_component(struct reading *reading, struct hf_stmt *stmt)
{
  size_t i = reading->device.count;
  struct hf_bytes digest = hf_stmt_get_bytes(stmt, 7);
  if (i == HF_RELEASE_PARTS_MAX) {
    return;
  }
  struct hf_release_running *running = &reading->device.running[i];
  if (digest.len != sizeof running->digest ||
      hf_version_parse(&running->version, hf_stmt_get_bytes(stmt, 5), NULL) != HF_OK) {
    return;
  }
  hf_text_copy(reading->name[i], sizeof reading->name[i], hf_stmt_get_bytes(stmt, 4));
  running->name = hf_bytes_text(reading->name[i]);
  running->counter = (uint32_t)hf_stmt_get_int(stmt, 6);
  memcpy(running->digest, digest.at, digest.len);
  reading->device.count++;
}

static struct hf_stmt *candidates_open(struct start *in)
{
  static const char head[] =
      "SELECT device.n, device.id, device.hardware, device.state, c.name, c.version, c.counter, c.digest"
      " FROM device JOIN component c ON c.device = device.n WHERE device.product = ? AND device.blocked = 0";
  static const char tail[] = " ORDER BY device.n, c.place";
  char with_group[sizeof head + 8];
  struct hf_buf text = hf_buf_init(with_group, sizeof with_group);
  hf_buf_put_text(&text, head);
  hf_buf_put_text(&text, " AND ");
  struct hf_stmt *stmt;
  if (in->group != NULL && hf_buf_terminate(&text) == HF_OK) {
    stmt = hf_group_open(in->engine->db, with_group, in->group, tail);
  } else {
    stmt = hf_stmt_open(in->engine->db,
                        "SELECT device.n, device.id, device.hardware, device.state, c.name, c.version, c.counter,"
                        " c.digest FROM device JOIN component c ON c.device = device.n WHERE device.product = ?"
                        " AND device.blocked = 0 ORDER BY device.n, c.place");
  }
  hf_stmt_put_text(stmt, in->ask->product);
  if (in->group != NULL) {
    hf_group_bind(stmt, in->group);
  }
  return stmt;
}

static enum hf_err candidates_read(struct start *in)
{
  struct reading reading = {.n = 0};
  struct hf_stmt *stmt = candidates_open(in);
  enum hf_err err = hf_stmt_next(stmt);
  while (err == HF_OK) {
    if (hf_stmt_get_int(stmt, 0) != reading.n) {
      err = reading.n != 0 ? candidate_put(in, &reading) : HF_OK;
      reading_begin(&reading, stmt);
    }
    reading_component(&reading, stmt);
    err = err == HF_OK ? hf_stmt_next(stmt) : err;
  }
  hf_stmt_close(stmt);
  if (err == HF_E_NOT_FOUND) {
    err = reading.n != 0 ? candidate_put(in, &reading) : HF_OK;
  }
  /* Nobody could take it, and this is why: better said now than found out by waiting. */
  bool lacking = err == HF_OK && in->count == 0 && in->lacking > 0;
  return lacking ? refuse(in, HF_RULE_ROLLOUT_REQUIRES, HF_E_INPUT) : err;
}

/* ---- places ---- */

/* Members of a group wave that no wave before has taken. Both lists ascend by row number. */
static enum hf_err group_place(struct start *in, uint32_t wave)
{
  size_t i = 0;
  struct hf_stmt *stmt = hf_group_open(in->engine->db, "SELECT device.n FROM device WHERE device.product = ? AND ",
                                       in->wave_group[wave], " ORDER BY device.n");
  hf_stmt_put_text(stmt, in->ask->product);
  hf_group_bind(stmt, in->wave_group[wave]);
  enum hf_err err = hf_stmt_next(stmt);
  while (err == HF_OK) {
    int64_t n = hf_stmt_get_int(stmt, 0);
    while (i < in->count && in->candidate[i].n < n) {
      i++;
    }
    if (i < in->count && in->candidate[i].n == n && in->candidate[i].wave == NO_WAVE) {
      in->candidate[i].wave = wave;
    }
    err = hf_stmt_next(stmt);
  }
  hf_stmt_close(stmt);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

static int hash_order(const void *a, const void *b)
{
  const struct candidate *x = a;
  const struct candidate *y = b;
  if (x->hash != y->hash) {
    return x->hash < y->hash ? -1 : 1;
  }
  return x->n < y->n ? -1 : x->n > y->n;
}

static int row_order(const void *a, const void *b)
{
  const struct candidate *x = a;
  const struct candidate *y = b;
  return x->n < y->n ? -1 : x->n > y->n;
}

/* Cut the random order of those in no group wave. The last percent wave reaches to the end for those who join later. */
static enum hf_err percent_place(struct start *in)
{
  uint64_t cut[HF_WAVES_MAX];
  uint64_t total = 0;
  uint64_t hash = 0;
  size_t i = 0;
  for (size_t k = 0; k < in->count; k++) {
    total += in->candidate[k].wave == NO_WAVE ? 1 : 0;
  }
  enum hf_err err = hf_rollout_cut(cut, &in->rollout, total);
  if (err != HF_OK) {
    return err;
  }
  if (in->count > 0) { /* an empty fleet has no array */
    qsort(in->candidate, in->count, sizeof *in->candidate, hash_order);
  }
  for (uint32_t wave = 0; wave < in->rollout.wave_count; wave++) {
    while (cut[wave] > 0 && i < in->count) {
      struct candidate *candidate = &in->candidate[i++];
      if (candidate->wave == NO_WAVE) {
        candidate->wave = wave;
        hash = candidate->hash;
        cut[wave]--;
      }
    }
    in->rollout.at[wave].last_hash = in->rollout.at[wave].percent == 100 ? UINT64_MAX : hash;
  }
  if (in->count > 0) { /* an empty fleet has no array */
    qsort(in->candidate, in->count, sizeof *in->candidate, row_order);
  }
  return HF_OK;
}

/* ---- storing ---- */

static enum hf_err rollout_put(struct start *in)
{
  const struct hf_rollout *rollout = &in->rollout;
  struct hf_stmt *stmt = hf_stmt_open(
      in->engine->db,
      "INSERT INTO rollout (id, product, version, grp, state, wave, success_percent, max_failures, deadline, excluded,"
      " reason, created, created_by, changed, ended) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, '', ?, ?, ?, 0)");
  hf_stmt_put_int(stmt, rollout->id);
  hf_stmt_put_text(stmt, in->ask->product);
  hf_stmt_put_text(stmt, hf_bytes_text(in->version));
  hf_stmt_put_text(stmt, in->ask->group);
  hf_stmt_put_int(stmt, (int64_t)rollout->state);
  hf_stmt_put_int(stmt, rollout->success_percent);
  hf_stmt_put_int(stmt, (int64_t)rollout->max_failures);
  hf_stmt_put_int(stmt, rollout->deadline);
  hf_stmt_put_int(stmt, (int64_t)in->excluded);
  hf_stmt_put_int(stmt, in->act->now);
  hf_stmt_put_text(stmt, in->act->who);
  hf_stmt_put_int(stmt, in->act->now);
  return hf_stmt_run(stmt);
}

static enum hf_err wave_put(struct start *in, uint32_t place)
{
  const struct hf_wave *wave = &in->rollout.at[place];
  uint64_t total = 0;
  struct hf_stmt *stmt =
      hf_stmt_open(in->engine->db,
                   "INSERT INTO wave (rollout, place, percent, grp, last_hash, started, waiting, underway, confirmed,"
                   " failed, silent, total) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  hf_stmt_put_int(stmt, in->rollout.id);
  hf_stmt_put_int(stmt, place);
  hf_stmt_put_int(stmt, wave->percent);
  hf_stmt_put_text(stmt, in->ask->wave[place].percent == 0 ? in->ask->wave[place].group : hf_bytes_init(NULL, 0));
  hf_stmt_put_int(stmt, (int64_t)wave->last_hash);
  hf_stmt_put_int(stmt, place == 0 ? in->act->now : 0);
  for (size_t k = 0; k < HF_CLASS_COUNT; k++) {
    hf_stmt_put_int(stmt, (int64_t)wave->count[k]);
    total += wave->count[k];
  }
  hf_stmt_put_int(stmt, (int64_t)total);
  return hf_stmt_run(stmt);
}

static enum hf_err member_put(struct start *in, const struct candidate *candidate)
{
  struct hf_stmt *stmt = hf_stmt_open(
      in->engine->db, "INSERT INTO rollout_device (rollout, device, wave, state, changed) VALUES (?, ?, ?, ?, ?)");
  hf_stmt_put_int(stmt, in->rollout.id);
  hf_stmt_put_int(stmt, candidate->n);
  hf_stmt_put_int(stmt, candidate->wave);
  hf_stmt_put_int(stmt, (int64_t)candidate->state);
  hf_stmt_put_int(stmt, in->act->now);
  return hf_stmt_run(stmt);
}

/* A device in no wave at all (only group waves, none of them its own) takes no part. */
static enum hf_err all_put(struct start *in)
{
  for (size_t i = 0; i < in->count; i++) {
    if (in->candidate[i].wave == NO_WAVE) {
      in->excluded++;
    } else {
      hf_rollout_join(&in->rollout, in->candidate[i].wave, in->candidate[i].state);
    }
  }
  enum hf_err err = rollout_put(in);
  for (uint32_t i = 0; i < in->rollout.wave_count && err == HF_OK; i++) {
    err = wave_put(in, i);
  }
  for (size_t i = 0; i < in->count && err == HF_OK; i++) {
    err = in->candidate[i].wave == NO_WAVE ? HF_OK : member_put(in, &in->candidate[i]);
  }
  return err == HF_OK ? HF_OK : hf_engine_poison(in->engine, err);
}

static struct hf_bytes id_text(struct hf_buf *buf, int64_t id)
{
  hf_buf_put_uint(buf, (uint64_t)id);
  return hf_buf_bytes(buf);
}

static enum hf_err tell(struct hf_engine *engine, const struct hf_act *act, const char *action, int64_t id,
                        struct hf_bytes detail)
{
  uint8_t room[24];
  struct hf_buf buf = hf_buf_init(room, sizeof room);
  struct hf_bytes subject = id_text(&buf, id);
  hf_engine_touch(engine, HF_PULSE_ROLLOUT);
  enum hf_err err = hf_auditlog_put(engine, act, action, subject, detail);
  return err == HF_OK ? hf_outbox_put(engine, action, subject, detail, act->now) : err;
}

static enum hf_err started(struct start *in)
{
  uint8_t room[128];
  struct hf_buf words = hf_buf_init(room, sizeof room);
  hf_buf_put(&words, in->ask->product);
  hf_buf_put_text(&words, " ");
  hf_buf_put_text(&words, in->version);
  hf_buf_put_text(&words, " to ");
  hf_buf_put_uint(&words, in->count);
  hf_buf_put_text(&words, " devices");
  enum hf_err err = tell(in->engine, in->act, "rollout.start", in->rollout.id, hf_buf_bytes(&words));
  if (err == HF_OK) {
    err = hf_rollout_set_load(in->engine, in->ask->product);
  }
  struct hf_rollout_active *active = hf_rollout_set_get(in->engine, in->ask->product);
  if (err == HF_OK && active == NULL) {
    err = HF_E_IO;
  }
  return err == HF_OK ? hf_rollout_set_settle(in->engine, active, in->act->now) : err;
}

static enum hf_err id_take(struct start *in)
{
  return hf_stmt_run_int(hf_stmt_open(in->engine->db, "SELECT coalesce(max(id), 0) + 1 FROM rollout"), &in->rollout.id);
}

static enum hf_err run(struct start *in)
{
  enum hf_err err = release_take(in);
  if (err == HF_OK) {
    err = free_check(in);
  }
  if (err == HF_OK) {
    err = waves_take(in);
  }
  if (err == HF_OK) {
    err = numbers_take(in);
  }
  if (err == HF_OK && in->ask->group.len > 0) {
    err = group_find(in, &in->group, in->ask->group);
  }
  if (err == HF_OK) {
    err = id_take(in);
  }
  if (err == HF_OK) {
    err = candidates_read(in);
  }
  for (uint32_t i = 0; i < in->rollout.wave_count && err == HF_OK; i++) {
    err = in->wave_group[i] != NULL ? group_place(in, i) : HF_OK;
  }
  if (err == HF_OK) {
    err = percent_place(in);
  }
  if (err == HF_OK) {
    err = all_put(in);
  }
  return err == HF_OK ? started(in) : err;
}

enum hf_err hf_rollout_start(struct hf_engine *engine, int64_t *id, const struct hf_act *act,
                             const struct hf_rollout_new *rollout, struct hf_why *why)
{
  struct start in = {.engine = engine, .act = act, .ask = rollout, .why = why};
  /* What the rollout before counted must be in the database before its place in memory is taken. */
  enum hf_err err = hf_rollout_set_flush(engine, act->now);
  if (err == HF_OK) {
    err = run(&in);
  }
  *id = in.rollout.id;
  free(in.group);
  for (size_t i = 0; i < HF_WAVES_MAX; i++) {
    free(in.wave_group[i]);
  }
  free(in.releases);
  free(in.candidate);
  return err;
}

/* ---- changing its state ---- */

/* The rollout in memory, if it is the newest of its product. HF_E_NOT_FOUND: no such rollout; HF_E_STATE: a newer one
 * took over. */
static enum hf_err active_find(struct hf_rollout_active **active, struct hf_engine *engine, int64_t id)
{
  int64_t count = 0;
  for (size_t i = 0; i < engine->rollouts->count; i++) {
    if (engine->rollouts->at[i].rollout.id == id) {
      *active = &engine->rollouts->at[i];
      return HF_OK;
    }
  }
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT count(*) FROM rollout WHERE id = ?");
  hf_stmt_put_int(stmt, id);
  enum hf_err err = hf_stmt_run_int(stmt, &count);
  return err == HF_OK ? (count > 0 ? HF_E_STATE : HF_E_NOT_FOUND) : err;
}

static enum hf_err reason_put(struct hf_engine *engine, int64_t id, struct hf_bytes reason)
{
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "UPDATE rollout SET reason = ? WHERE id = ?");
  hf_stmt_put_text(stmt, reason);
  hf_stmt_put_int(stmt, id);
  enum hf_err err = hf_stmt_run(stmt);
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

static enum hf_err state_put(struct hf_engine *engine, const struct hf_act *act, struct hf_rollout_active *active,
                             enum hf_rollout_state state, const char *action)
{
  active->rollout.state = state;
  active->dirty = true;
  engine->generation++;
  enum hf_err err = reason_put(engine, active->rollout.id, act->reason);
  return err == HF_OK ? tell(engine, act, action, active->rollout.id, act->reason) : err;
}

enum hf_err hf_rollout_pause(struct hf_engine *engine, const struct hf_act *act, int64_t id)
{
  struct hf_rollout_active *active;
  enum hf_err err = active_find(&active, engine, id);
  if (err == HF_OK && active->rollout.state != HF_ROLLOUT_RUNNING) {
    err = HF_E_STATE;
  }
  return err == HF_OK ? state_put(engine, act, active, HF_ROLLOUT_PAUSED, "rollout.pause") : err;
}

enum hf_err hf_rollout_resume(struct hf_engine *engine, const struct hf_act *act, int64_t id)
{
  struct hf_rollout_active *active;
  enum hf_err err = active_find(&active, engine, id);
  if (err != HF_OK) {
    return err;
  }
  if (active->rollout.state != HF_ROLLOUT_PAUSED && active->rollout.state != HF_ROLLOUT_STOPPED) {
    return HF_E_STATE;
  }
  bool stopped = active->rollout.state == HF_ROLLOUT_STOPPED;
  err = state_put(engine, act, active, HF_ROLLOUT_RUNNING, "rollout.resume");
  if (stopped) {
    hf_rollout_forgive(&active->rollout, act->now);
  }
  return err == HF_OK ? hf_rollout_set_settle(engine, active, act->now) : err;
}

enum hf_err hf_rollout_abort(struct hf_engine *engine, const struct hf_act *act, int64_t id)
{
  struct hf_rollout_active *active;
  enum hf_err err = active_find(&active, engine, id);
  if (err == HF_OK && active->rollout.state == HF_ROLLOUT_ABORTED) {
    err = HF_E_STATE;
  }
  return err == HF_OK ? state_put(engine, act, active, HF_ROLLOUT_ABORTED, "rollout.abort") : err;
}
