/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/member.h"

#include <string.h>

#include "hf/server/groups.h"
#include "hf/server/rollout_set.h"

/* A device's row in table rollout_device, and what it means. */
struct member {
  struct hf_engine *engine;
  struct hf_rollout_active *active;
  struct hf_device_row *row;
  struct hf_release_device device;
  uint32_t wave;
  enum hf_member state;
  char version[HF_VERSION_TEXT_MAX + 1]; /* offered last, "" none */
  int64_t offered;                       /* first time */
  uint16_t rule;
  int64_t now;
};

static enum hf_err done(struct member *member, enum hf_err err)
{
  member->active->dirty = true;
  hf_engine_touch(member->engine, HF_PULSE_ROLLOUT);
  return err == HF_OK ? HF_OK : hf_engine_poison(member->engine, err);
}

static enum hf_err member_get(struct member *member)
{
  struct hf_stmt *stmt =
      hf_stmt_open(member->engine->db,
                   "SELECT wave, state, version, offered, rule FROM rollout_device WHERE rollout = ? AND device = ?");
  hf_stmt_put_int(stmt, member->active->rollout.id);
  hf_stmt_put_int(stmt, member->row->n);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    member->wave = (uint32_t)hf_stmt_get_int(stmt, 0);
    member->state = (enum hf_member)hf_stmt_get_int(stmt, 1);
    hf_text_copy(member->version, sizeof member->version, hf_stmt_get_bytes(stmt, 2));
    member->offered = hf_stmt_get_int(stmt, 3);
    member->rule = (uint16_t)hf_stmt_get_int(stmt, 4);
    bool sound = member->wave < member->active->rollout.wave_count && member->state < HF_MEMBER_STATES;
    err = sound ? HF_OK : HF_E_INPUT;
  }
  hf_stmt_close(stmt);
  return err;
}

static enum hf_err member_put(struct member *member)
{
  struct hf_stmt *stmt = hf_stmt_open(
      member->engine->db,
      "INSERT INTO rollout_device (rollout, device, wave, state, version, offered, changed, rule)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (rollout, device) DO UPDATE SET state = excluded.state,"
      " version = excluded.version, offered = excluded.offered, changed = excluded.changed,"
      " rule = excluded.rule");
  hf_stmt_put_int(stmt, member->active->rollout.id);
  hf_stmt_put_int(stmt, member->row->n);
  hf_stmt_put_int(stmt, member->wave);
  hf_stmt_put_int(stmt, (int64_t)member->state);
  hf_stmt_put_text(stmt, hf_bytes_text(member->version));
  hf_stmt_put_int(stmt, member->offered);
  hf_stmt_put_int(stmt, member->now);
  hf_stmt_put_int(stmt, member->rule);
  return done(member, hf_stmt_run(stmt));
}

/* Counts and row move together. */
static enum hf_err member_move(struct member *member, enum hf_member to, uint16_t rule)
{
  hf_rollout_move(&member->active->rollout, member->wave, member->state, to);
  member->state = to;
  member->rule = rule;
  return member_put(member);
}

/* It can never be done here any more (somebody installed something newer): it leaves, so that nobody waits for it. */
static enum hf_err member_leave(struct member *member)
{
  struct hf_stmt *stmt =
      hf_stmt_open(member->engine->db, "DELETE FROM rollout_device WHERE rollout = ? AND device = ?");
  hf_stmt_put_int(stmt, member->active->rollout.id);
  hf_stmt_put_int(stmt, member->row->n);
  hf_rollout_leave(&member->active->rollout, member->wave, member->state);
  return done(member, hf_stmt_run(stmt));
}

static enum hf_release_fit fit_get(struct member *member, size_t *next)
{
  struct hf_rollout_active *active = member->active;
  return hf_release_next(next, active->releases, active->release_count, active->target, &member->device);
}

static enum hf_err wave_find(struct member *member)
{
  struct hf_rollout_active *active = member->active;
  for (uint32_t i = 0; i < active->rollout.wave_count; i++) {
    bool has = false;
    if (active->wave_group[i] == NULL) {
      continue;
    }
    enum hf_err err = hf_group_has(&has, member->engine->db, active->wave_group[i], member->row->n);
    if (err != HF_OK || has) {
      member->wave = i;
      return err;
    }
  }
  member->wave =
      hf_rollout_place(&active->rollout, hf_rollout_hash(active->rollout.id, hf_bytes_text(member->row->id)));
  return member->wave < HF_WAVES_MAX ? HF_OK : HF_E_NOT_FOUND;
}

/* A device that came after the start, or fits only now, takes the place the order gives it. HF_E_NOT_FOUND: not for it.
 */
static enum hf_err member_join(struct member *member)
{
  struct hf_rollout_active *active = member->active;
  size_t next;
  bool has = true;
  if (hf_rollout_withdraws(&active->rollout) || fit_get(member, &next) != HF_FIT_OFFER) {
    return HF_E_NOT_FOUND;
  }
  enum hf_err err =
      active->group == NULL ? HF_OK : hf_group_has(&has, member->engine->db, active->group, member->row->n);
  if (err == HF_OK) {
    err = has ? wave_find(member) : HF_E_NOT_FOUND;
  }
  if (err != HF_OK) {
    return err;
  }
  member->state = HF_MEMBER_WAITING;
  hf_rollout_join(&active->rollout, member->wave, member->state);
  return member_put(member);
}

static void device_take(struct hf_release_device *device, const struct hf_checkin *checkin)
{
  device->hardware = checkin->hardware;
  device->count = checkin->component_count;
  for (size_t i = 0; i < checkin->component_count; i++) {
    const struct hf_checkin_component *component = &checkin->component[i];
    device->running[i] = (struct hf_release_running){.name = component->name, .counter = component->counter};
    memcpy(device->running[i].digest, component->digest, sizeof component->digest);
    if (hf_version_parse(&device->running[i].version, component->version, NULL) != HF_OK) {
      device->count = 0; /* no path leads from what cannot be named */
      return;
    }
  }
}

/* Versions as texts may differ where the versions do not: 1.1 and 1.1.0. */
static bool version_is(struct hf_bytes text, const char *version)
{
  struct hf_version a;
  struct hf_version b;
  return hf_version_parse(&a, text, NULL) == HF_OK && hf_version_parse(&b, hf_bytes_text(version), NULL) == HF_OK &&
         hf_version_order(&a, &b) == 0;
}

static enum hf_err report_take(struct member *member, const struct hf_checkin *checkin)
{
  struct hf_rollout_active *active = member->active;
  const struct hf_member_report report = {
      .runs_target = hf_release_runs(&active->releases[active->target], &member->device),
      .about_offer = member->version[0] != 0 && version_is(checkin->update.version, member->version),
      .was_offered = member->version[0] != 0,
      .state = checkin->update.state,
  };
  enum hf_member next = hf_member_next(member->state, &report);
  bool about = report.about_offer && hf_member_class(next) == HF_CLASS_FAILED;
  uint16_t rule = about ? checkin->update.rule : member->rule;
  return next == member->state && rule == member->rule ? HF_OK : member_move(member, next, rule);
}

static enum hf_err offer_put(struct member *member, size_t next)
{
  uint8_t room[HF_VERSION_TEXT_MAX];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  hf_version_put(&text, &member->active->releases[next].version);
  struct hf_bytes version = hf_buf_bytes(&text);
  if (hf_bytes_is(version, member->version) && hf_bytes_is(version, member->row->assigned)) {
    return HF_OK; /* it has this order already */
  }
  enum hf_err err = hf_device_assign(member->engine, member->row, version);
  if (err != HF_OK) {
    return err;
  }
  hf_text_copy(member->version, sizeof member->version, version);
  member->offered = member->offered == 0 ? member->now : member->offered;
  return member_move(member, HF_MEMBER_OFFERED, 0);
}

/* A stopped rollout takes back what no device holds yet. What is staged or on trial is the device's to end. */
static enum hf_err withdraw(struct member *member)
{
  bool early = member->state == HF_MEMBER_OFFERED || member->state == HF_MEMBER_DOWNLOADING ||
               member->state == HF_MEMBER_POSTPONED || member->state == HF_MEMBER_SILENT;
  if (!early || member->version[0] == 0) {
    return HF_OK;
  }
  enum hf_err err = HF_OK;
  if (strcmp(member->row->assigned, member->version) == 0) {
    err = hf_device_assign(member->engine, member->row, hf_bytes_init(NULL, 0));
  }
  member->version[0] = 0;
  return err == HF_OK ? member_move(member, HF_MEMBER_WAITING, 0) : err;
}

static enum hf_err decide(struct member *member, struct hf_offer *offer)
{
  const struct hf_rollout *rollout = &member->active->rollout;
  enum hf_member_class class = hf_member_class(member->state);
  size_t next;
  if (class == HF_CLASS_CONFIRMED || class == HF_CLASS_FAILED) {
    return HF_OK;
  }
  if (hf_rollout_withdraws(rollout)) {
    return withdraw(member);
  }
  /* Between staging and confirming the device's own report says how it goes; the order stands. */
  bool holds = member->state == HF_MEMBER_STAGED || member->state == HF_MEMBER_TRYING;
  if (!holds && hf_rollout_offers(rollout, member->wave)) {
    enum hf_release_fit fit = fit_get(member, &next);
    if (fit != HF_FIT_OFFER) {
      return member_leave(member);
    }
    enum hf_err err = offer_put(member, next);
    if (err != HF_OK) {
      return err;
    }
  }
  offer->soon = rollout->state == HF_ROLLOUT_RUNNING && member->wave <= rollout->wave;
  if (member->offered != 0) {
    offer->deadline = hf_rollout_deadline(rollout, member->offered, member->engine->settings.postpone_max_s);
  }
  return HF_OK;
}

enum hf_err hf_member_report(struct hf_engine *engine, struct hf_offer *offer, struct hf_device_row *row,
                             const struct hf_checkin *checkin, int64_t now)
{
  struct hf_rollout_active *active = hf_rollout_set_get(engine, hf_bytes_text(row->product));
  *offer = (struct hf_offer){.soon = false};
  if (active == NULL) {
    return HF_OK;
  }
  struct member member = {.engine = engine, .active = active, .row = row, .now = now};
  device_take(&member.device, checkin);
  enum hf_err err = member_get(&member);
  if (err == HF_E_NOT_FOUND) {
    err = member_join(&member);
  }
  if (err == HF_OK) {
    err = report_take(&member, checkin);
  }
  if (err == HF_OK) {
    err = hf_rollout_set_settle(engine, active, now);
  }
  if (err == HF_OK) {
    err = decide(&member, offer);
  }
  if (err == HF_OK && active->dirty) {
    err = hf_rollout_set_settle(engine, active, now);
  }
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

enum hf_err hf_member_silent(struct hf_engine *engine, const struct hf_device_row *row, int64_t now)
{
  struct hf_device_row copy = *row;
  struct hf_rollout_active *active = hf_rollout_set_get(engine, hf_bytes_text(row->product));
  if (active == NULL) {
    return HF_OK;
  }
  struct member member = {.engine = engine, .active = active, .row = &copy, .now = now};
  enum hf_err err = member_get(&member);
  if (err != HF_OK) {
    return err == HF_E_NOT_FOUND ? HF_OK : err;
  }
  enum hf_member next = hf_member_silence(member.state);
  if (next == member.state) {
    return HF_OK;
  }
  err = member_move(&member, next, next == HF_MEMBER_FAILED ? HF_RULE_ROLLOUT_LOST : 0);
  return err == HF_OK ? hf_rollout_set_settle(engine, active, now) : err;
}
