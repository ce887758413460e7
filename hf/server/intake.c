/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/intake.h"

#include <string.h>

#include "hf/fleet/query.h"
#include "hf/fleet/release.h"

static enum hf_err done(struct hf_engine *engine, enum hf_err err)
{
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

static enum hf_err row_put(struct hf_engine *engine, const struct hf_device_row *row, const struct hf_checkin *checkin,
                           struct hf_bytes address, int64_t now)
{
  struct hf_version version;
  struct hf_bytes text = checkin->component[0].version;
  int64_t key = hf_version_parse(&version, text, NULL) == HF_OK ? hf_release_version_key(&version) : 0;
  struct hf_stmt *stmt = hf_stmt_open(
      engine->db,
      "UPDATE device SET hardware = ?, version = ?, version_key = ?, boot_id = ?, reset_reason = ?, state = ?,"
      " wanted = ?, percent = ?, rule = ?, postponed_until = ?, key_storage = ?, keyset = ?, acted = ?, address = ?,"
      " last_seen = ?, first_seen = CASE WHEN first_seen = 0 THEN ? ELSE first_seen END WHERE n = ?");
  hf_stmt_put_text(stmt, checkin->hardware);
  hf_stmt_put_text(stmt, text);
  hf_stmt_put_int(stmt, key);
  hf_stmt_put_int(stmt, checkin->boot);
  hf_stmt_put_int(stmt, checkin->reset);
  hf_stmt_put_int(stmt, checkin->update.state);
  hf_stmt_put_text(stmt, checkin->update.version);
  hf_stmt_put_int(stmt, checkin->update.percent);
  hf_stmt_put_int(stmt, checkin->update.rule);
  hf_stmt_put_int(stmt, checkin->postponed_until);
  hf_stmt_put_int(stmt, checkin->storage);
  hf_stmt_put_int(stmt, checkin->has_keyset ? (int64_t)checkin->keyset : -1);
  hf_stmt_put_int(stmt, checkin->acted);
  hf_stmt_put_text(stmt, address);
  hf_stmt_put_int(stmt, now);
  hf_stmt_put_int(stmt, now);
  hf_stmt_put_int(stmt, row->n);
  return hf_stmt_run(stmt);
}

static bool component_same(struct hf_stmt *stmt, const struct hf_checkin_component *component)
{
  return hf_bytes_equal(hf_stmt_get_bytes(stmt, 0), component->name) &&
         hf_bytes_equal(hf_stmt_get_bytes(stmt, 1), component->version) &&
         hf_bytes_equal(hf_stmt_get_bytes(stmt, 2), hf_bytes_init(component->digest, sizeof component->digest)) &&
         hf_stmt_get_int(stmt, 3) == component->counter && hf_stmt_get_int(stmt, 4) == component->slot;
}

/* Are the stored components exactly these, in this order? */
static enum hf_err components_same(struct hf_engine *engine, int64_t n, const struct hf_checkin *checkin, bool *same)
{
  size_t i = 0;
  struct hf_stmt *stmt = hf_stmt_open(
      engine->db, "SELECT name, version, digest, counter, slot FROM component WHERE device = ? ORDER BY place");
  hf_stmt_put_int(stmt, n);
  enum hf_err err = hf_stmt_next(stmt);
  *same = true;
  while (err == HF_OK) {
    *same = *same && i < checkin->component_count && component_same(stmt, &checkin->component[i]);
    i++;
    err = hf_stmt_next(stmt);
  }
  hf_stmt_close(stmt);
  *same = *same && i == checkin->component_count;
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

static enum hf_err component_put(struct hf_engine *engine, int64_t n, const struct hf_checkin_component *component,
                                 size_t place)
{
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "INSERT INTO component (device, name, version, digest, counter, slot, place)"
                               " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device, name) DO NOTHING");
  hf_stmt_put_int(stmt, n);
  hf_stmt_put_text(stmt, component->name);
  hf_stmt_put_text(stmt, component->version);
  hf_stmt_put_bytes(stmt, hf_bytes_init(component->digest, sizeof component->digest));
  hf_stmt_put_int(stmt, component->counter);
  hf_stmt_put_int(stmt, component->slot);
  hf_stmt_put_int(stmt, (int64_t)place);
  return hf_stmt_run(stmt);
}

static enum hf_err components_put(struct hf_engine *engine, int64_t n, const struct hf_checkin *checkin)
{
  bool same;
  enum hf_err err = components_same(engine, n, checkin, &same);
  if (err != HF_OK || same) {
    return err;
  }
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "DELETE FROM component WHERE device = ?");
  hf_stmt_put_int(stmt, n);
  err = hf_stmt_run(stmt);
  for (size_t i = 0; i < checkin->component_count && err == HF_OK; i++) {
    err = component_put(engine, n, &checkin->component[i], i);
  }
  return err;
}

enum hf_err hf_intake_state(struct hf_engine *engine, struct hf_device_row *row, const struct hf_checkin *checkin,
                            struct hf_bytes address, int64_t now)
{
  enum hf_err err = row_put(engine, row, checkin, address, now);
  if (err == HF_OK) {
    err = components_put(engine, row->n, checkin);
  }
  hf_text_copy(row->hardware, sizeof row->hardware, checkin->hardware);
  row->state = checkin->update.state;
  row->boot_id = checkin->boot;
  hf_engine_touch(engine, HF_PULSE_DEVICE);
  return done(engine, err);
}

static enum hf_err event_put(struct hf_engine *engine, const struct hf_device_row *row,
                             const struct hf_checkin_event *event, int64_t now)
{
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "INSERT INTO event (device, epoch, number, kind, time, rule, subject, received, gap)"
                               " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device, epoch, number) DO NOTHING");
  hf_stmt_put_int(stmt, row->n);
  hf_stmt_put_int(stmt, row->epoch);
  hf_stmt_put_int(stmt, event->number);
  hf_stmt_put_int(stmt, event->kind);
  hf_stmt_put_int(stmt, event->time);
  hf_stmt_put_int(stmt, event->rule);
  hf_stmt_put_text(stmt, event->subject);
  hf_stmt_put_int(stmt, now);
  hf_stmt_put_int(stmt, (int64_t)event->number - row->event_number - 1);
  return hf_stmt_run(stmt);
}

/* Old events go in steps, so that most check-ins delete nothing. */
static enum hf_err events_prune(struct hf_engine *engine, const struct hf_device_row *row, int64_t before)
{
  if (row->event_number / 64 == before / 64 || row->event_number <= HF_EVENTS_KEPT) {
    return HF_OK;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "DELETE FROM event WHERE device = ? AND (epoch < ? OR (epoch = ? AND number <= ?))");
  hf_stmt_put_int(stmt, row->n);
  hf_stmt_put_int(stmt, row->epoch);
  hf_stmt_put_int(stmt, row->epoch);
  hf_stmt_put_int(stmt, row->event_number - HF_EVENTS_KEPT);
  return hf_stmt_run(stmt);
}

enum hf_err hf_intake_events(struct hf_engine *engine, struct hf_device_row *row, const struct hf_checkin *checkin,
                             int64_t now)
{
  int64_t before = row->event_number;
  enum hf_err err = HF_OK;
  for (size_t i = 0; i < checkin->event_count && err == HF_OK; i++) {
    const struct hf_checkin_event *event = &checkin->event[i];
    if ((int64_t)event->number > row->event_number) {
      err = event_put(engine, row, event, now);
      row->event_number = event->number;
    }
  }
  if (err != HF_OK || row->event_number == before) {
    return done(engine, err);
  }
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "UPDATE device SET event_number = ? WHERE n = ?");
  hf_stmt_put_int(stmt, row->event_number);
  hf_stmt_put_int(stmt, row->n);
  err = hf_stmt_run(stmt);
  if (err == HF_OK) {
    err = events_prune(engine, row, before);
  }
  hf_engine_touch(engine, HF_PULSE_DEVICE);
  return done(engine, err);
}

static enum hf_err attribute_remove(struct hf_engine *engine, int64_t n, struct hf_bytes name, int source)
{
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "DELETE FROM attribute WHERE device = ? AND key = ? AND source <= ?");
  hf_stmt_put_int(stmt, n);
  hf_stmt_put_text(stmt, name);
  hf_stmt_put_int(stmt, source);
  return done(engine, hf_stmt_run(stmt));
}

static enum hf_err attribute_room(struct hf_engine *engine, int64_t n, struct hf_bytes name)
{
  int64_t others = 0;
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT count(*) FROM attribute WHERE device = ? AND key <> ?");
  hf_stmt_put_int(stmt, n);
  hf_stmt_put_text(stmt, name);
  enum hf_err err = hf_stmt_run_int(stmt, &others);
  return err != HF_OK ? err : others >= HF_ATTRIBUTES_MAX ? HF_E_SPACE : HF_OK;
}

enum hf_err hf_intake_attribute(struct hf_engine *engine, int64_t n, const struct hf_checkin_attribute *attribute,
                                int source, int64_t now)
{
  int64_t number;
  if (attribute->value.len == 0) {
    return attribute_remove(engine, n, attribute->name, source);
  }
  enum hf_err err = attribute_room(engine, n, attribute->name);
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt = hf_stmt_open(
      engine->db, "INSERT INTO attribute (device, key, value, number, source, time) VALUES (?, ?, ?, ?, ?, ?)"
                  " ON CONFLICT (device, key) DO UPDATE SET value = excluded.value, number = excluded.number,"
                  " source = excluded.source, time = excluded.time WHERE attribute.source <= excluded.source");
  hf_stmt_put_int(stmt, n);
  hf_stmt_put_text(stmt, attribute->name);
  hf_stmt_put_text(stmt, attribute->value);
  if (hf_query_number_parse(&number, attribute->value) == HF_OK) {
    hf_stmt_put_int(stmt, number);
  } else {
    hf_stmt_put_null(stmt);
  }
  hf_stmt_put_int(stmt, source);
  hf_stmt_put_int(stmt, now);
  return done(engine, hf_stmt_run(stmt));
}

enum hf_err hf_intake_attributes(struct hf_engine *engine, const struct hf_device_row *row,
                                 const struct hf_checkin *checkin, int64_t now)
{
  for (size_t i = 0; i < checkin->attribute_count; i++) {
    const struct hf_checkin_attribute *attribute = &checkin->attribute[i];
    if (!hf_query_name_check(attribute->name)) {
      continue; /* no group could name it */
    }
    enum hf_err err = hf_intake_attribute(engine, row->n, attribute, 1, now);
    if (err != HF_OK && err != HF_E_SPACE) {
      return err;
    }
  }
  if (checkin->attribute_count > 0) {
    hf_engine_touch(engine, HF_PULSE_DEVICE);
  }
  return HF_OK;
}
