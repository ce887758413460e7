/* SPDX-License-Identifier: Apache-2.0
 * REST: factory orders, what was made by them, and alarms. */
#include <stdio.h>

#include "hf/codec/json.h"
#include "hf/codec/text.h"
#include "hf/fleet/stationline.h"
#include "hf/server/alarms.h"
#include "hf/server/call.h"
#include "hf/server/factory.h"

/* ---- orders ---- */

#define ORDER_SQL                                                                                                      \
  "SELECT o.id, o.product, o.hardware, o.serials, o.quota, o.not_before, o.not_after, o.station_key, o.station,"       \
  " o.created, o.created_by, o.imported, o.ended, o.record, o.issued, o.passed, o.failed,"                             \
  " (SELECT count(*) FROM factory_device d WHERE d.ordr = o.id) -"                                                     \
  " (SELECT count(*) FROM factory_device d WHERE d.ordr = o.id AND d.enrolled = 0), o.closed, o.reason"                \
  " FROM factory_order o"

static void put_order(struct hf_buf *out, struct hf_stmt *stmt)
{
  hf_buf_put_text(out, "{");
  hf_reply_put_text(out, "id", hf_stmt_get_bytes(stmt, 0));
  hf_reply_put_text(out, "product", hf_stmt_get_bytes(stmt, 1));
  hf_reply_put_text(out, "hardware", hf_stmt_get_bytes(stmt, 2));
  hf_reply_put_text(out, "serials", hf_stmt_get_bytes(stmt, 3));
  hf_reply_put_int(out, "quota", hf_stmt_get_int(stmt, 4));
  hf_reply_put_time(out, "not_before", hf_stmt_get_int(stmt, 5));
  hf_reply_put_time(out, "not_after", hf_stmt_get_int(stmt, 6));
  hf_reply_put_hash(out, "station_key", hf_stmt_get_bytes(stmt, 7));
  hf_reply_put_text_or_null(out, "station", hf_stmt_get_bytes(stmt, 8));
  hf_reply_put_time(out, "created", hf_stmt_get_int(stmt, 9));
  hf_reply_put_text(out, "by", hf_stmt_get_bytes(stmt, 10));
  hf_reply_put_time_or_null(out, "imported", hf_stmt_get_int(stmt, 11));
  hf_reply_put_time_or_null(out, "ended", hf_stmt_get_int(stmt, 12));
  hf_reply_put_hash(out, "record", hf_stmt_get_bytes(stmt, 13));
  hf_reply_put_int(out, "issued", hf_stmt_get_int(stmt, 14));
  hf_reply_put_int(out, "passed", hf_stmt_get_int(stmt, 15));
  hf_reply_put_int(out, "failed", hf_stmt_get_int(stmt, 16));
  hf_reply_put_int(out, "enrolled", hf_stmt_get_int(stmt, 17));
  hf_reply_put_time_or_null(out, "closed", hf_stmt_get_int(stmt, 18));
  hf_reply_put_text_or_null(out, "reason", hf_stmt_get_bytes(stmt, 19));
  hf_buf_put_text(out, "}");
}

static void reply_order(struct hf_call *call, struct hf_bytes id)
{
  struct hf_stmt *stmt = hf_stmt_open(call->db, ORDER_SQL " WHERE o.id = ?");
  hf_stmt_put_text(stmt, id);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    put_order(call->out, stmt);
  }
  hf_stmt_close(stmt);
  if (err != HF_OK) {
    hf_call_fail(call, err,
                 err == HF_E_NOT_FOUND ? "there is no factory order with this id" : "the order could not be read",
                 NULL);
  }
}

void hf_api_factory_order_get(struct hf_call *call) { reply_order(call, hf_call_arg(call, HF_PARAM_PATH_order)); }

void hf_api_factory_order_list(struct hf_call *call)
{
  uint8_t room[HF_CURSOR_MAX];
  struct hf_buf from = hf_buf_init(room, sizeof room);
  struct hf_bytes product = hf_call_arg(call, HF_PARAM_QUERY_product);
  struct hf_page page;
  int64_t total = 0;
  if (hf_page_open(&page, &from, call) != HF_OK) {
    return;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(call->db, ORDER_SQL " WHERE o.id > ? AND (? = '' OR o.product = ?) ORDER BY o.id LIMIT ?");
  hf_stmt_put_text(stmt, hf_buf_bytes(&from));
  hf_stmt_put_text(stmt, product);
  hf_stmt_put_text(stmt, product);
  hf_stmt_put_int(stmt, page.limit + 1);
  enum hf_err err = hf_stmt_next(stmt);
  for (; err == HF_OK; err = hf_stmt_next(stmt)) {
    if (!hf_page_next(&page, hf_stmt_get_bytes(stmt, 0))) {
      break;
    }
    put_order(call->out, stmt);
  }
  hf_stmt_close(stmt);
  if (err == HF_OK || err == HF_E_NOT_FOUND) {
    stmt = hf_stmt_open(call->db, "SELECT count(*) FROM factory_order WHERE ? = '' OR product = ?");
    hf_stmt_put_text(stmt, product);
    hf_stmt_put_text(stmt, product);
    err = hf_stmt_run_int(stmt, &total);
  }
  hf_page_close(&page, err, (uint64_t)total);
}

void hf_api_factory_import(struct hf_call *call)
{
  uint8_t sha256[HF_SHA256_LEN];
  uint8_t room[HF_ORDER_ID_MAX];
  struct hf_buf id = hf_buf_init(room, sizeof room);
  struct hf_act act = hf_call_act(call);
  struct hf_why why = {0};
  enum hf_err err = hf_hex_parse(sha256, sizeof sha256, hf_call_text(call, "sha256"));
  if (err == HF_OK) {
    err = hf_factory_import(call->engine, &id, &act, sha256, json_is_true(json_object_get(call->body, "late")), &why);
  }
  if (err != HF_OK) {
    /* Refused for a rule: 422 (409 when it is there or closed already). An alarm it raised stays. */
    char where[48] = "/sha256";
    struct hf_problem_words words = {.where = where, .rule = why.rule, .what = "there is no such upload"};
    enum hf_problem kind = hf_problem_of(err);
    if (why.rule != HF_RULE_NONE) {
      kind = err == HF_E_INPUT || err == HF_E_DENIED ? HF_PROBLEM_REFUSED : kind;
      words.what = NULL;
      (void)snprintf(where, sizeof where, "byte %u of the file", (unsigned)why.at);
    }
    hf_problem_put(call->reply, kind, &words);
    return;
  }
  call->changed = true;
  reply_order(call, hf_buf_bytes(&id));
}

void hf_api_factory_order_revoke(struct hf_call *call)
{
  struct hf_act act = hf_call_act(call);
  struct hf_bytes id = hf_call_arg(call, HF_PARAM_PATH_order);
  enum hf_err err = hf_factory_revoke(call->engine, &act, id);
  if (err != HF_OK) {
    hf_call_fail(call, err,
                 err == HF_E_STATE       ? "the order is revoked already"
                 : err == HF_E_NOT_FOUND ? "there is no factory order with this id"
                                         : "the order could not be revoked",
                 NULL);
    return;
  }
  call->changed = true;
  reply_order(call, id);
}

/* ---- devices ---- */

#define DEVICE_SQL                                                                                                     \
  "SELECT id, ordr, number, cert, serial, key_hash, made, storage, result, reason, debug, readout, boot_keys, "        \
  "version,"                                                                                                           \
  " image, operator, tested, enrolled FROM factory_device"

static const char *storage_name(int64_t storage)
{
  const char *name = storage < 0 || storage > 31 ? NULL : hf_factory_storage_name((unsigned)storage);
  return name == NULL ? "unknown" : name;
}

/* The members; the object around them is the caller's. */
static void put_made(struct hf_buf *out, struct hf_stmt *stmt)
{
  static const char *const results[] = {"none", "pass", "fail"};
  int64_t result = hf_stmt_get_int(stmt, 8);
  hf_reply_put_text(out, "id", hf_stmt_get_bytes(stmt, 0));
  hf_reply_put_text(out, "order", hf_stmt_get_bytes(stmt, 1));
  hf_reply_put_int(out, "number", hf_stmt_get_int(stmt, 2));
  hf_reply_put_hash(out, "certificate", hf_stmt_get_bytes(stmt, 3));
  hf_reply_put_text(out, "serial", hf_stmt_get_bytes(stmt, 4));
  hf_reply_put_hash(out, "key", hf_stmt_get_bytes(stmt, 5));
  hf_reply_put_time(out, "made", hf_stmt_get_int(stmt, 6));
  hf_reply_put_text(out, "key_storage", hf_bytes_text(storage_name(hf_stmt_get_int(stmt, 7))));
  hf_reply_put_text(out, "result", hf_bytes_text(results[result >= 0 && result < 3 ? result : 0]));
  hf_reply_put_text_or_null(out, "reason", hf_stmt_get_bytes(stmt, 9));
  hf_reply_put_text(out, "debug", hf_bytes_text(hf_factory_lock_name((unsigned)hf_stmt_get_int(stmt, 10))));
  hf_reply_put_text(out, "readout", hf_bytes_text(hf_factory_lock_name((unsigned)hf_stmt_get_int(stmt, 11))));
  hf_reply_put_hash(out, "boot_keys", hf_stmt_get_bytes(stmt, 12));
  hf_reply_put_text_or_null(out, "version", hf_stmt_get_bytes(stmt, 13));
  hf_reply_put_hash(out, "image", hf_stmt_get_bytes(stmt, 14));
  hf_reply_put_text_or_null(out, "tester", hf_stmt_get_bytes(stmt, 15));
  hf_reply_put_time_or_null(out, "tested", hf_stmt_get_int(stmt, 16));
  hf_reply_put_time_or_null(out, "enrolled", hf_stmt_get_int(stmt, 17));
}

#define DEVICE_FILTER " WHERE (? = '' OR ordr = ?) AND (? < 0 OR (enrolled = 0) = ?) AND (? = '' OR instr(id, ?) > 0)"

static void put_filter(struct hf_stmt *stmt, const struct hf_call *call)
{
  struct hf_bytes order = hf_call_arg(call, HF_PARAM_QUERY_order);
  struct hf_bytes q = hf_call_arg(call, HF_PARAM_QUERY_q);
  int64_t unseen = call->args[HF_PARAM_QUERY_unseen].given ? call->args[HF_PARAM_QUERY_unseen].number : -1;
  hf_stmt_put_text(stmt, order);
  hf_stmt_put_text(stmt, order);
  hf_stmt_put_int(stmt, unseen);
  hf_stmt_put_int(stmt, unseen);
  hf_stmt_put_text(stmt, q);
  hf_stmt_put_text(stmt, q);
}

void hf_api_factory_device_list(struct hf_call *call)
{
  uint8_t room[HF_CURSOR_MAX];
  struct hf_buf from = hf_buf_init(room, sizeof room);
  struct hf_page page;
  int64_t total = 0;
  if (hf_page_open(&page, &from, call) != HF_OK) {
    return;
  }
  struct hf_stmt *stmt = hf_stmt_open(call->db, DEVICE_SQL DEVICE_FILTER " AND id > ? ORDER BY id LIMIT ?");
  put_filter(stmt, call);
  hf_stmt_put_text(stmt, hf_buf_bytes(&from));
  hf_stmt_put_int(stmt, page.limit + 1);
  enum hf_err err = hf_stmt_next(stmt);
  for (; err == HF_OK; err = hf_stmt_next(stmt)) {
    if (!hf_page_next(&page, hf_stmt_get_bytes(stmt, 0))) {
      break;
    }
    hf_buf_put_text(call->out, "{");
    put_made(call->out, stmt);
    hf_buf_put_text(call->out, "}");
  }
  hf_stmt_close(stmt);
  if (err == HF_OK || err == HF_E_NOT_FOUND) {
    stmt = hf_stmt_open(call->db, "SELECT count(*) FROM factory_device" DEVICE_FILTER);
    put_filter(stmt, call);
    err = hf_stmt_run_int(stmt, &total);
  }
  hf_page_close(&page, err, (uint64_t)total);
}

/* ---- alarms ---- */

#define ALARM_SQL                                                                                                      \
  "SELECT n, kind, device, detail, count, raised, last, closed, closed_by, reason,"                                    \
  " CASE WHEN EXISTS (SELECT 1 FROM device d WHERE d.id = alarm.device) THEN 'device'"                                 \
  " WHEN EXISTS (SELECT 1 FROM factory_device m WHERE m.id = alarm.device) THEN 'made'"                                \
  " WHEN EXISTS (SELECT 1 FROM factory_order o WHERE o.id = alarm.device) THEN 'order'"                                \
  " ELSE 'unknown' END FROM alarm"

static void put_alarm(struct hf_buf *out, struct hf_stmt *stmt)
{
  const char *words = hf_alarm_words(hf_stmt_get_bytes(stmt, 1));
  hf_reply_put_int(out, "number", hf_stmt_get_int(stmt, 0));
  hf_reply_put_text(out, "kind", hf_stmt_get_bytes(stmt, 1));
  hf_reply_put_text(out, "words", hf_bytes_text(words == NULL ? "" : words));
  hf_reply_put_text(out, "device", hf_stmt_get_bytes(stmt, 2));
  hf_reply_put_text(out, "about", hf_stmt_get_bytes(stmt, 10));
  hf_reply_put_text(out, "detail", hf_stmt_get_bytes(stmt, 3));
  hf_reply_put_int(out, "count", hf_stmt_get_int(stmt, 4));
  hf_reply_put_time(out, "raised", hf_stmt_get_int(stmt, 5));
  hf_reply_put_time(out, "last", hf_stmt_get_int(stmt, 6));
  hf_reply_put_time_or_null(out, "closed", hf_stmt_get_int(stmt, 7));
  hf_reply_put_text_or_null(out, "closed_by", hf_stmt_get_bytes(stmt, 8));
  hf_reply_put_text_or_null(out, "reason", hf_stmt_get_bytes(stmt, 9));
}

void hf_api_alarm_list(struct hf_call *call)
{
  int64_t open = call->args[HF_PARAM_QUERY_open].given ? call->args[HF_PARAM_QUERY_open].number : -1;
  struct hf_page page;
  int64_t before;
  int64_t total = 0;
  if (hf_page_open_number(&page, &before, call, INT64_MAX) != HF_OK) {
    return;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(call->db, ALARM_SQL " WHERE n < ? AND (? < 0 OR (closed = 0) = ?) ORDER BY n DESC LIMIT ?");
  hf_stmt_put_int(stmt, before);
  hf_stmt_put_int(stmt, open);
  hf_stmt_put_int(stmt, open);
  hf_stmt_put_int(stmt, page.limit + 1);
  enum hf_err err = hf_stmt_next(stmt);
  for (; err == HF_OK; err = hf_stmt_next(stmt)) {
    if (!hf_page_next_number(&page, hf_stmt_get_int(stmt, 0))) {
      break;
    }
    hf_buf_put_text(call->out, "{");
    put_alarm(call->out, stmt);
    hf_buf_put_text(call->out, "}");
  }
  hf_stmt_close(stmt);
  if (err == HF_OK || err == HF_E_NOT_FOUND) {
    stmt = hf_stmt_open(call->db, "SELECT count(*) FROM alarm WHERE ? < 0 OR (closed = 0) = ?");
    hf_stmt_put_int(stmt, open);
    hf_stmt_put_int(stmt, open);
    err = hf_stmt_run_int(stmt, &total);
  }
  hf_page_close(&page, err, (uint64_t)total);
}

void hf_api_alarm_close(struct hf_call *call)
{
  struct hf_act act = hf_call_act(call);
  int64_t n;
  if (hf_page_number(&n, call, hf_call_arg(call, HF_PARAM_PATH_alarm), 0) != HF_OK) {
    return;
  }
  enum hf_err err = hf_alarm_close(call->engine, &act, n);
  if (err != HF_OK) {
    hf_call_fail(call, err,
                 err == HF_E_NOT_FOUND ? "there is no open alarm with this number" : "the alarm could not be closed",
                 NULL);
    return;
  }
  call->changed = true;
  struct hf_stmt *stmt = hf_stmt_open(call->db, ALARM_SQL " WHERE n = ?");
  hf_stmt_put_int(stmt, n);
  err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    hf_buf_put_text(call->out, "{");
    put_alarm(call->out, stmt);
    hf_buf_put_text(call->out, "}");
  }
  hf_stmt_close(stmt);
  if (err != HF_OK) {
    hf_call_fail(call, err, "the alarm could not be read", NULL);
  }
}

/* ---- parts of other replies ---- */

enum hf_err hf_api_put_origin(struct hf_call *call, struct hf_bytes device)
{
  struct hf_stmt *stmt = hf_stmt_open(call->db, DEVICE_SQL " WHERE id = ?");
  hf_stmt_put_text(stmt, device);
  struct hf_rows rows = hf_rows_open(call->out, "factory", stmt);
  while (hf_rows_next(&rows)) {
    put_made(call->out, stmt);
  }
  enum hf_err err = hf_rows_close(&rows);
  if (err != HF_OK) {
    return err;
  }
  stmt = hf_stmt_open(call->db, ALARM_SQL " WHERE device = ? ORDER BY n DESC LIMIT 20");
  hf_stmt_put_text(stmt, device);
  rows = hf_rows_open(call->out, "alarms", stmt);
  while (hf_rows_next(&rows)) {
    put_alarm(call->out, stmt);
  }
  return hf_rows_close(&rows);
}

enum hf_err hf_api_put_factory(struct hf_call *call)
{
  static const struct {
    const char *member;
    const char *sql;
  } counts[] = {{"alarms", "SELECT count(*) FROM alarm WHERE closed = 0"},
                {"made", "SELECT coalesce(sum(issued), 0) FROM factory_order"},
                {"never_seen", "SELECT count(*) FROM factory_device WHERE enrolled = 0"}};
  enum hf_err err = HF_OK;
  for (size_t i = 0; i < sizeof counts / sizeof counts[0] && err == HF_OK; i++) {
    int64_t count = 0;
    err = hf_stmt_run_int(hf_stmt_open(call->db, counts[i].sql), &count);
    hf_reply_put_int(call->out, counts[i].member, count);
  }
  return err;
}
