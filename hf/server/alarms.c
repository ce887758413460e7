/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/alarms.h"

#include "hf/server/auditlog.h"
#include "hf/server/outbox.h"

static const struct {
  const char *name;
  const char *words;
} alarms[HF_ALARM_COUNT] = {
    [HF_ALARM_UNLISTED] = {"unlisted", "a device with a factory certificate that is in no batch record"},
    [HF_ALARM_OTHER_CERTIFICATE] = {"other-certificate",
                                    "a device came with another factory certificate than its batch record has"},
    [HF_ALARM_SECOND_KEY] = {"second-key", "a factory certificate was shown for a device that has another key already"},
    [HF_ALARM_FAILED_DEVICE] = {"failed-device", "a device that failed its test at the factory has come"},
    [HF_ALARM_DUPLICATE_ID] = {"duplicate-id", "the device id is in two batch records"},
    [HF_ALARM_DUPLICATE_KEY] = {"duplicate-key", "two device ids have one and the same key"},
    [HF_ALARM_SECOND_RECORD] = {"second-record", "a second, different batch record came for one order"},
    [HF_ALARM_CLONE] = {"possible-clone",
                        "two devices take turns under one certificate, or one was set back to an old copy"},
    [HF_ALARM_OLD_CERTIFICATE] =
        {"old-certificate",
         "a certificate was shown that the device has replaced: a stolen copy, or a device set back"},
    [HF_ALARM_SHARED_KEY] = {"shared-key", "two devices hold one and the same private key"},
    [HF_ALARM_BATCH_REFUSED] = {"batch-refused", "a batch record that its station signed breaks the order"},
    [HF_ALARM_REPORT_FORGED] = {"report-forged", "a version report came that the device cannot have signed"},
    [HF_ALARM_REPORT_REPLAYED] = {"report-replayed", "an old signed version report came again"},
    [HF_ALARM_REPORT_DIFFERS] = {"report-differs",
                                 "the check-in names other software than the device's signed version report"},
    [HF_ALARM_PART_MISSING] = {"part-missing", "a part that signs for itself is missing from the device's report"},
    [HF_ALARM_ATTACK] = {"attack", "the device noticed an attack on its updates"},
};

const char *hf_alarm_name(enum hf_alarm kind) { return alarms[kind].name; }

const char *hf_alarm_words(struct hf_bytes name)
{
  for (size_t i = 0; i < HF_ALARM_COUNT; i++) {
    if (hf_bytes_is(name, alarms[i].name)) {
      return alarms[i].words;
    }
  }
  return NULL;
}

/* True in `*again` when it was open already. */
static enum hf_err count_up(struct hf_engine *engine, bool *again, enum hf_alarm kind, struct hf_bytes device,
                            struct hf_bytes detail, int64_t now)
{
  struct hf_stmt *stmt = hf_stmt_open(
      engine->db,
      "UPDATE alarm SET count = count + 1, last = ?, detail = ? WHERE kind = ? AND device = ? AND closed = 0");
  hf_stmt_put_int(stmt, now);
  hf_stmt_put_text(stmt, detail);
  hf_stmt_put_text(stmt, hf_bytes_text(alarms[kind].name));
  hf_stmt_put_text(stmt, device);
  enum hf_err err = hf_stmt_run(stmt);
  *again = err == HF_OK && hf_db_changes(engine->db) > 0;
  return err;
}

enum hf_err hf_alarm_raise(struct hf_engine *engine, enum hf_alarm kind, struct hf_bytes device, struct hf_bytes detail,
                           int64_t now)
{
  const struct hf_act act = {.who = HF_LIT("server"), .now = now};
  bool again;
  enum hf_err err = count_up(engine, &again, kind, device, detail, now);
  if (err == HF_OK && !again) {
    struct hf_stmt *stmt = hf_stmt_open(
        engine->db, "INSERT INTO alarm (kind, device, detail, count, raised, last) VALUES (?, ?, ?, 1, ?, ?)");
    hf_stmt_put_text(stmt, hf_bytes_text(alarms[kind].name));
    hf_stmt_put_text(stmt, device);
    hf_stmt_put_text(stmt, detail);
    hf_stmt_put_int(stmt, now);
    hf_stmt_put_int(stmt, now);
    err = hf_stmt_run(stmt);
    err = err == HF_OK ? hf_auditlog_put(engine, &act, "alarm.raise", device, hf_bytes_text(alarms[kind].name)) : err;
    err = err == HF_OK ? hf_outbox_put(engine, "alarm.raised", device, hf_bytes_text(alarms[kind].words), now) : err;
  }
  hf_engine_touch(engine, HF_PULSE_FACTORY);
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

enum hf_err hf_alarm_close(struct hf_engine *engine, const struct hf_act *act, int64_t n)
{
  uint8_t room[20];
  struct hf_buf number = hf_buf_init(room, sizeof room);
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "UPDATE alarm SET closed = ?, closed_by = ?, reason = ? WHERE n = ? AND closed = 0");
  hf_stmt_put_int(stmt, act->now);
  hf_stmt_put_text(stmt, act->who);
  hf_stmt_put_text(stmt, act->reason);
  hf_stmt_put_int(stmt, n);
  enum hf_err err = hf_stmt_run(stmt);
  if (err != HF_OK) {
    return hf_engine_poison(engine, err);
  }
  if (hf_db_changes(engine->db) == 0) {
    return HF_E_NOT_FOUND;
  }
  hf_buf_put_uint(&number, (uint64_t)n);
  hf_engine_touch(engine, HF_PULSE_FACTORY);
  return hf_auditlog_put(engine, act, "alarm.close", hf_buf_bytes(&number), act->reason);
}
