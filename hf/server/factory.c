/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/factory.h"

#include "hf/server/alarms.h"
#include "hf/server/enrol.h"

/* factory_device.result */
#define FAILED 2

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule)
{
  hf_why_put(why, rule, 0);
  return HF_E_DENIED;
}

static enum hf_err raise_alarm(struct hf_engine *engine, const struct hf_enrol *enrol, enum hf_alarm kind,
                               const char *words, int64_t now)
{
  uint8_t room[256];
  struct hf_buf detail = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&detail, words);
  hf_buf_put_text(&detail, ", from ");
  hf_buf_put(&detail, enrol->peer->address);
  return hf_alarm_raise(engine, kind, enrol->device, hf_buf_bytes(&detail), now);
}

/* Certificates signed without an order are in no record: silence about those, until the product has records. */
static enum hf_err unlisted(struct hf_engine *engine, const struct hf_enrol *enrol, int64_t now, struct hf_why *why)
{
  int64_t records = 0;
  bool strict = engine->settings.factory_listed_only != 0;
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "SELECT EXISTS (SELECT 1 FROM factory_order WHERE product = ? AND record IS NOT NULL)");
  hf_stmt_put_text(stmt, enrol->product);
  enum hf_err err = hf_stmt_run_int(stmt, &records);
  if (err != HF_OK || (records == 0 && !strict)) {
    return err;
  }
  err = raise_alarm(engine, enrol, HF_ALARM_UNLISTED, strict ? "refused" : "it was let in", now);
  return err == HF_OK && strict ? refuse(why, HF_RULE_FACTORY_UNLISTED) : err;
}

enum hf_err hf_factory_check(struct hf_engine *engine, const struct hf_enrol *enrol, int64_t now, struct hf_why *why)
{
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT d.cert, d.result, o.closed FROM factory_device d"
                                                  " JOIN factory_order o ON o.id = d.ordr WHERE d.id = ?");
  hf_stmt_put_text(stmt, enrol->device);
  enum hf_err err = hf_stmt_next(stmt);
  bool same = false;
  bool failed = false;
  bool closed = false;
  if (err == HF_OK) {
    same = hf_bytes_equal(hf_stmt_get_bytes(stmt, 0), hf_bytes_init(enrol->peer->certificate, HF_SHA256_LEN));
    failed = hf_stmt_get_int(stmt, 1) == FAILED;
    closed = hf_stmt_get_int(stmt, 2) != 0;
  }
  hf_stmt_close(stmt);
  if (err == HF_E_NOT_FOUND) {
    return unlisted(engine, enrol, now, why);
  }
  if (err != HF_OK) {
    return err;
  }
  if (!same) {
    err = raise_alarm(engine, enrol, HF_ALARM_OTHER_CERTIFICATE, "refused", now);
    return err == HF_OK ? refuse(why, HF_RULE_FACTORY_OTHER) : err;
  }
  if (closed) {
    return refuse(why, HF_RULE_ORDER_CLOSED);
  }
  if (failed) {
    err = raise_alarm(engine, enrol, HF_ALARM_FAILED_DEVICE, "refused", now);
    return err == HF_OK ? refuse(why, HF_RULE_FACTORY_FAILED) : err;
  }
  return HF_OK;
}

enum hf_err hf_factory_enrolled(struct hf_engine *engine, struct hf_bytes device, int64_t now)
{
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "UPDATE factory_device SET enrolled = ? WHERE id = ? AND enrolled = 0");
  hf_stmt_put_int(stmt, now);
  hf_stmt_put_text(stmt, device);
  enum hf_err err = hf_stmt_run(stmt);
  if (err == HF_OK && hf_db_changes(engine->db) > 0) {
    hf_engine_touch(engine, HF_PULSE_FACTORY);
  }
  return err;
}
