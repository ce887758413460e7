/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/reports.h"

#include <string.h>

#include "hf/server/alarms.h"
#include "hf/server/auditlog.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/report.h"

/* A device has at most so many parts with keys of their own. */
#define PARTS_MAX HF_REPORT_SECONDARIES_MAX

/* A secondary as the registry knows it. */
struct part {
  char name[HF_CHECKIN_NAME_MAX + 1];
  struct hf_pubkey key;
  int64_t counter;
  bool seen;
};

/* One report at work. */
struct work {
  struct hf_engine *engine;
  struct hf_reports *out;
  const struct hf_device_row *row;
  struct hf_checkin *checkin;
  int64_t now;
  struct hf_pubkey key[2]; /* of the certificate, and of the one before while that is still good */
  size_t key_count;
  int64_t counter; /* -1: it never signed */
  struct part part[PARTS_MAX];
  size_t part_count;
};

static bool point_take(struct hf_pubkey *key, struct hf_bytes point)
{
  if (point.len != HF_P256_PUBLIC_LEN) {
    return false;
  }
  *key = (struct hf_pubkey){.type = HF_KEY_P256, .len = HF_P256_PUBLIC_LEN};
  memcpy(key->at, point.at, point.len);
  return true;
}

static enum hf_err keys_get(struct work *work)
{
  struct hf_stmt *stmt = hf_stmt_open(work->engine->db, "SELECT public_key, CASE WHEN cert_previous IS NULL THEN NULL"
                                                        " ELSE public_key_previous END, report_counter FROM device"
                                                        " WHERE n = ?");
  hf_stmt_put_int(stmt, work->row->n);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    work->key_count += point_take(&work->key[work->key_count], hf_stmt_get_bytes(stmt, 0));
    work->key_count += point_take(&work->key[work->key_count], hf_stmt_get_bytes(stmt, 1));
    work->counter = hf_stmt_get_int(stmt, 2);
  }
  hf_stmt_close(stmt);
  return err;
}

static enum hf_err parts_get(struct work *work)
{
  struct hf_stmt *stmt =
      hf_stmt_open(work->engine->db, "SELECT name, key, counter FROM part WHERE device = ? ORDER BY name LIMIT 3");
  hf_stmt_put_int(stmt, work->row->n);
  enum hf_err err = hf_stmt_next(stmt);
  while (err == HF_OK && work->part_count < PARTS_MAX) {
    struct part *part = &work->part[work->part_count];
    hf_text_copy(part->name, sizeof part->name, hf_stmt_get_bytes(stmt, 0));
    part->counter = hf_stmt_get_int(stmt, 2);
    work->part_count += point_take(&part->key, hf_stmt_get_bytes(stmt, 1));
    err = hf_stmt_next(stmt);
  }
  hf_stmt_close(stmt);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

/* What an alarm says: which part, and the rule in words. */
static enum hf_err raise(struct work *work, enum hf_alarm kind, struct hf_bytes part, uint16_t rule)
{
  uint8_t room[512];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  hf_buf_put(&text, part);
  hf_buf_put_text(&text, part.len > 0 ? ": " : "");
  hf_buf_put_text(&text, hf_rule_words(rule)->what);
  hf_buf_put_text(&text, " (rule ");
  hf_buf_put_uint(&text, rule);
  hf_buf_put_text(&text, ")");
  return hf_alarm_raise(work->engine, kind, hf_bytes_text(work->row->id), hf_buf_bytes(&text), work->now);
}

/* ---- components ---- */

static struct hf_checkin_component *find(struct hf_checkin *checkin, struct hf_bytes name)
{
  for (size_t i = 0; i < checkin->component_count; i++) {
    if (hf_bytes_equal(checkin->component[i].name, name)) {
      return &checkin->component[i];
    }
  }
  return NULL;
}

static bool same(const struct hf_checkin_component *a, const struct hf_checkin_component *b)
{
  return hf_bytes_equal(a->version, b->version) && memcmp(a->digest, b->digest, sizeof a->digest) == 0 &&
         a->counter == b->counter;
}

/* Put signed words in the place of unsigned ones. */
static enum hf_err believe(struct work *work, const struct hf_checkin_component *signed_one)
{
  struct hf_checkin *checkin = work->checkin;
  struct hf_checkin_component *said = find(checkin, signed_one->name);
  enum hf_err err = HF_OK;
  if (said == NULL && checkin->component_count == HF_CHECKIN_COMPONENTS_MAX) {
    return HF_OK; /* a device has no more */
  }
  if (said == NULL) {
    said = &checkin->component[checkin->component_count++];
    *said = *signed_one;
  }
  if (!same(said, signed_one)) {
    err = raise(work, HF_ALARM_REPORT_DIFFERS, signed_one->name, HF_RULE_REPORT_DIFFERS);
  }
  *said = *signed_one;
  work->out->proven[said - checkin->component] = work->now;
  return err;
}

static enum hf_err believe_all(struct work *work, const struct hf_report *report)
{
  enum hf_err err = HF_OK;
  for (size_t i = 0; i < report->component_count && err == HF_OK; i++) {
    err = believe(work, &report->component[i]);
  }
  if (err == HF_OK && report->attack != 0) {
    err = raise(work, HF_ALARM_ATTACK, report->part, report->attack);
  }
  return err;
}

/* ---- secondaries ---- */

static struct part *part_of(struct work *work, struct hf_bytes key_hash)
{
  for (size_t i = 0; i < work->part_count; i++) {
    uint8_t hash[HF_SHA256_LEN];
    hf_pubkey_hash(hash, &work->part[i].key);
    if (hf_bytes_equal(key_hash, hf_bytes_init(hash, sizeof hash))) {
      return &work->part[i];
    }
  }
  return NULL;
}

static enum hf_err part_counted(struct work *work, const struct part *part)
{
  struct hf_stmt *stmt = hf_stmt_open(work->engine->db, "UPDATE part SET counter = ? WHERE device = ? AND name = ?");
  hf_stmt_put_int(stmt, part->counter);
  hf_stmt_put_int(stmt, work->row->n);
  hf_stmt_put_text(stmt, hf_bytes_text(part->name));
  return hf_stmt_run(stmt);
}

/* One secondary's report inside the manifest. Of a part nobody registered it proves nothing, and is no alarm. */
static enum hf_err secondary_take(struct work *work, struct hf_bytes bytes)
{
  struct hf_report_signed outer;
  struct hf_report report;
  struct hf_why why = {.rule = HF_RULE_NONE};
  if (hf_report_open(&outer, bytes, &why) != HF_OK) {
    return raise(work, HF_ALARM_REPORT_FORGED, (struct hf_bytes){NULL, 0}, why.rule);
  }
  struct part *part = part_of(work, outer.key);
  if (part == NULL) {
    return HF_OK; /* a registered part that came with another key is missed below */
  }
  struct hf_bytes name = hf_bytes_text(part->name);
  if (hf_report_verify(&report, bytes, &part->key, hf_bytes_text(work->row->id), &why) != HF_ALLOW) {
    return raise(work, HF_ALARM_REPORT_FORGED, name, why.rule);
  }
  if (!hf_bytes_equal(report.part, name) || report.component_count != 1 ||
      !hf_bytes_equal(report.component[0].name, name)) { /* a part speaks for itself only */
    return raise(work, HF_ALARM_REPORT_FORGED, name, HF_RULE_REPORT_KEY);
  }
  if ((int64_t)report.counter < part->counter) {
    return raise(work, HF_ALARM_REPORT_REPLAYED, name, HF_RULE_REPORT_REPLAY);
  }
  part->seen = true;
  part->counter = (int64_t)report.counter;
  enum hf_err err = believe_all(work, &report);
  return err == HF_OK ? part_counted(work, part) : err;
}

static enum hf_err secondaries_take(struct work *work, const struct hf_report *report)
{
  enum hf_err err = HF_OK;
  for (size_t i = 0; i < report->secondary_count && err == HF_OK; i++) {
    err = secondary_take(work, report->secondary[i]);
  }
  for (size_t i = 0; i < work->part_count && err == HF_OK; i++) {
    if (!work->part[i].seen) {
      err = raise(work, HF_ALARM_PART_MISSING, hf_bytes_text(work->part[i].name), HF_RULE_REPORT_PART);
    }
  }
  return err;
}

/* ---- the primary ---- */

static enum hf_err counted(struct work *work, uint64_t counter)
{
  struct hf_stmt *stmt =
      hf_stmt_open(work->engine->db, "UPDATE device SET report_counter = ?, report_time = ? WHERE n = ?");
  hf_stmt_put_int(stmt, (int64_t)counter);
  hf_stmt_put_int(stmt, work->now);
  hf_stmt_put_int(stmt, work->row->n);
  work->out->changed = true;
  return hf_stmt_run(stmt);
}

/* A part with a key of its own is believed by its own signature only. */
static bool has_own_key(const struct work *work, struct hf_bytes name)
{
  for (size_t i = 0; i < work->part_count; i++) {
    if (hf_bytes_is(name, work->part[i].name)) {
      return true;
    }
  }
  return false;
}

static void leave_to_parts(const struct work *work, struct hf_report *report)
{
  uint8_t kept = 0;
  for (size_t i = 0; i < report->component_count; i++) {
    if (!has_own_key(work, report->component[i].name)) {
      report->component[kept++] = report->component[i];
    }
  }
  report->component_count = kept;
}

/* HF_OK with `*good` false: not believed, and said so. */
static enum hf_err report_take(struct work *work, bool *good)
{
  struct hf_bytes bytes = work->checkin->report;
  struct hf_bytes device = hf_bytes_text(work->row->id);
  struct hf_report report;
  struct hf_why why = {.rule = HF_RULE_REPORT_KEY};
  enum hf_verdict verdict = HF_DENY;
  *good = false;
  for (size_t i = 0; i < work->key_count && verdict != HF_ALLOW; i++) {
    why = (struct hf_why){.rule = HF_RULE_NONE};
    verdict = hf_report_verify(&report, bytes, &work->key[i], device, &why);
  }
  if (work->key_count == 0) {
    return HF_OK; /* enrolled before keys were kept: proven from its next certificate on */
  }
  if (verdict != HF_ALLOW) {
    return raise(work, HF_ALARM_REPORT_FORGED, (struct hf_bytes){NULL, 0}, why.rule);
  }
  if ((int64_t)report.counter <= work->counter) {
    return raise(work, HF_ALARM_REPORT_REPLAYED, (struct hf_bytes){NULL, 0}, HF_RULE_REPORT_REPLAY);
  }
  *good = true;
  leave_to_parts(work, &report);
  enum hf_err err = counted(work, report.counter);
  if (err == HF_OK) {
    err = believe_all(work, &report);
  }
  return err == HF_OK ? secondaries_take(work, &report) : err;
}

/* ---- without a good report ---- */

static struct hf_checkin_component stored_take(struct hf_reports *out, size_t i, struct hf_stmt *stmt)
{
  struct hf_checkin_component one = {.counter = (uint32_t)hf_stmt_get_int(stmt, 3),
                                     .slot = (uint32_t)hf_stmt_get_int(stmt, 4)};
  struct hf_bytes digest = hf_stmt_get_bytes(stmt, 2);
  hf_text_copy(out->name[i], sizeof out->name[i], hf_stmt_get_bytes(stmt, 0));
  hf_text_copy(out->version[i], sizeof out->version[i], hf_stmt_get_bytes(stmt, 1));
  one.name = hf_bytes_text(out->name[i]);
  one.version = hf_bytes_text(out->version[i]);
  if (digest.len == sizeof one.digest) {
    memcpy(one.digest, digest.at, digest.len);
  }
  return one;
}

/* What it signed last stands until it signs something else. */
static enum hf_err keep_signed(struct work *work)
{
  size_t i = 0;
  enum hf_err err = HF_OK;
  bool differs = false;
  struct hf_stmt *stmt =
      hf_stmt_open(work->engine->db, "SELECT name, version, digest, counter, slot, proven FROM component"
                                     " WHERE device = ? AND proven > 0 ORDER BY place LIMIT 4");
  hf_stmt_put_int(stmt, work->row->n);
  for (err = hf_stmt_next(stmt); err == HF_OK; err = hf_stmt_next(stmt)) {
    struct hf_checkin_component kept = stored_take(work->out, i++, stmt);
    struct hf_checkin_component *said = find(work->checkin, kept.name);
    if (said == NULL && work->checkin->component_count == HF_CHECKIN_COMPONENTS_MAX) {
      continue;
    }
    differs = differs || said == NULL || !same(said, &kept);
    said = said == NULL ? &work->checkin->component[work->checkin->component_count++] : said;
    *said = kept;
    work->out->proven[said - work->checkin->component] = hf_stmt_get_int(stmt, 5);
  }
  hf_stmt_close(stmt);
  if (err != HF_E_NOT_FOUND) {
    return err;
  }
  return differs ? raise(work, HF_ALARM_REPORT_DIFFERS, (struct hf_bytes){NULL, 0}, HF_RULE_REPORT_UNSIGNED) : HF_OK;
}

enum hf_err hf_reports_take(struct hf_engine *engine, struct hf_reports *reports, const struct hf_device_row *row,
                            struct hf_checkin *checkin, int64_t now)
{
  struct work work = {.engine = engine, .out = reports, .row = row, .checkin = checkin, .now = now};
  bool good = false;
  *reports = (struct hf_reports){.changed = false};
  enum hf_err err = keys_get(&work);
  if (err == HF_OK && checkin->report.len > 0) {
    err = parts_get(&work);
    err = err == HF_OK ? report_take(&work, &good) : err;
  }
  if (err == HF_OK && !good && work.counter >= 0) {
    err = keep_signed(&work);
  }
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

enum hf_err hf_reports_keep(struct hf_engine *engine, const struct hf_reports *reports, int64_t n,
                            const struct hf_checkin *checkin)
{
  enum hf_err err = HF_OK;
  for (size_t i = 0; i < checkin->component_count && err == HF_OK; i++) {
    struct hf_stmt *stmt = hf_stmt_open(engine->db, "UPDATE component SET proven = ? WHERE device = ? AND name = ?");
    hf_stmt_put_int(stmt, reports->proven[i]);
    hf_stmt_put_int(stmt, n);
    hf_stmt_put_text(stmt, checkin->component[i].name);
    err = hf_stmt_run(stmt);
  }
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

/* ---- the registry of parts ---- */

static enum hf_err part_changed(struct hf_engine *engine, const struct hf_act *act, const char *what,
                                struct hf_bytes device, struct hf_bytes name)
{
  hf_engine_touch(engine, HF_PULSE_DEVICE);
  return hf_auditlog_put(engine, act, what, device, name);
}

enum hf_err hf_part_put(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes device,
                        struct hf_bytes name, const struct hf_pubkey *key)
{
  int64_t n;
  if (!hf_names_check_component(name) || key->type != HF_KEY_P256) {
    return HF_E_INPUT;
  }
  enum hf_err err = hf_device_find(&n, engine->db, device);
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "INSERT INTO part (device, name, key, created, created_by) VALUES (?, ?, ?, ?, ?)"
                               " ON CONFLICT (device, name) DO UPDATE SET key = excluded.key, counter = -1,"
                               " created = excluded.created, created_by = excluded.created_by");
  hf_stmt_put_int(stmt, n);
  hf_stmt_put_text(stmt, name);
  hf_stmt_put_bytes(stmt, hf_bytes_init(key->at, key->len));
  hf_stmt_put_int(stmt, act->now);
  hf_stmt_put_text(stmt, act->who);
  err = hf_stmt_run(stmt);
  return err == HF_OK ? part_changed(engine, act, "device.part", device, name) : hf_engine_poison(engine, err);
}

enum hf_err hf_part_delete(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes device,
                           struct hf_bytes name)
{
  int64_t n;
  enum hf_err err = hf_device_find(&n, engine->db, device);
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "DELETE FROM part WHERE device = ? AND name = ?");
  hf_stmt_put_int(stmt, n);
  hf_stmt_put_text(stmt, name);
  err = hf_stmt_run(stmt);
  if (err != HF_OK) {
    return hf_engine_poison(engine, err);
  }
  return hf_db_changes(engine->db) > 0 ? part_changed(engine, act, "device.part-gone", device, name) : HF_E_NOT_FOUND;
}
