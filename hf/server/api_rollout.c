/* SPDX-License-Identifier: Apache-2.0
 * REST: rollouts. */
#include <stdio.h>

#include "hf/base/time.h"
#include "hf/codec/json.h"
#include "hf/server/call.h"
#include "hf/server/rollout_set.h"
#include "hf/server/rollouts.h"

enum {
  R_ID,
  R_PRODUCT,
  R_VERSION,
  R_STATE,
  R_REASON,
  R_WAVE,
  R_GROUP,
  R_DEADLINE,
  R_BY,
  R_CREATED,
  R_ENDED,
  R_SUCCESS,
  R_FAILURES,
  R_WAVES,
  R_TOTAL
};
#define ROLLOUT_SQL                                                                                                    \
  "SELECT r.id, r.product, r.version, r.state, r.reason, r.wave, r.grp, r.deadline, r.created_by, r.created, r.ended," \
  " r.success_percent, r.max_failures, count(*), sum(w.total) FROM rollout r JOIN wave w ON w.rollout = r.id"
#define ROLLOUT_GROUPING " GROUP BY r.id ORDER BY r.id DESC"

/* By state, of one wave or (negative) of all: an index of exactly these columns is read, no row. */
static enum hf_err put_counts(struct hf_call *call, int64_t rollout, int64_t wave)
{
  int64_t count[HF_MEMBER_STATES] = {0};
  struct hf_stmt *stmt =
      hf_stmt_open(call->db, wave < 0 ? "SELECT state, count(*) FROM rollout_device WHERE rollout = ? GROUP BY state"
                                      : "SELECT state, count(*) FROM rollout_device WHERE rollout = ? AND wave = ?"
                                        " GROUP BY state");
  hf_stmt_put_int(stmt, rollout);
  if (wave >= 0) {
    hf_stmt_put_int(stmt, wave);
  }
  enum hf_err err = hf_stmt_next(stmt);
  for (; err == HF_OK; err = hf_stmt_next(stmt)) {
    int64_t state = hf_stmt_get_int(stmt, 0);
    if (state >= 0 && state < HF_MEMBER_STATES) {
      count[state] = hf_stmt_get_int(stmt, 1);
    }
  }
  hf_stmt_close(stmt);
  hf_json_put_name(call->out, "counts");
  hf_reply_put_counts(call->out, count);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

/* Leaves the object open. */
static enum hf_err put_rollout(struct hf_call *call, struct hf_stmt *stmt)
{
  struct hf_buf *out = call->out;
  hf_buf_put_text(out, "{");
  hf_reply_put_id(out, "id", hf_stmt_get_int(stmt, R_ID));
  hf_reply_put_text(out, "product", hf_stmt_get_bytes(stmt, R_PRODUCT));
  hf_reply_put_text(out, "version", hf_stmt_get_bytes(stmt, R_VERSION));
  hf_reply_put_text(out, "state", hf_bytes_text(hf_rollout_state_name((unsigned)hf_stmt_get_int(stmt, R_STATE))));
  bool held = hf_stmt_get_int(stmt, R_STATE) != HF_ROLLOUT_RUNNING; /* the reason of a resume is history */
  hf_reply_put_text_or_null(out, "reason", held ? hf_stmt_get_bytes(stmt, R_REASON) : (struct hf_bytes){NULL, 0});
  hf_reply_put_int(out, "wave", hf_stmt_get_int(stmt, R_WAVE) + 1);
  hf_reply_put_int(out, "waves", hf_stmt_get_int(stmt, R_WAVES));
  hf_reply_put_int(out, "devices", hf_stmt_get_int(stmt, R_TOTAL));
  hf_reply_put_text_or_null(out, "group", hf_stmt_get_bytes(stmt, R_GROUP));
  hf_reply_put_time_or_null(out, "deadline", hf_stmt_get_int(stmt, R_DEADLINE));
  hf_reply_put_text(out, "by", hf_stmt_get_bytes(stmt, R_BY));
  hf_reply_put_time(out, "created", hf_stmt_get_int(stmt, R_CREATED));
  hf_reply_put_time_or_null(out, "ended", hf_stmt_get_int(stmt, R_ENDED));
  return put_counts(call, hf_stmt_get_int(stmt, R_ID), -1);
}

void hf_api_rollout_list(struct hf_call *call)
{
  struct hf_bytes product = hf_call_arg(call, HF_PARAM_QUERY_product);
  struct hf_page page;
  int64_t before;
  int64_t total = 0;
  if (hf_page_open_number(&page, &before, call, INT64_MAX) != HF_OK) {
    return;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(call->db, ROLLOUT_SQL " WHERE r.id < ? AND (? = '' OR r.product = ?)" ROLLOUT_GROUPING);
  hf_stmt_put_int(stmt, before);
  hf_stmt_put_text(stmt, product);
  hf_stmt_put_text(stmt, product);
  enum hf_err err = hf_stmt_next(stmt);
  while (err == HF_OK && hf_page_next_number(&page, hf_stmt_get_int(stmt, R_ID))) {
    err = put_rollout(call, stmt);
    hf_buf_put_text(call->out, "}");
    err = err == HF_OK ? hf_stmt_next(stmt) : err;
  }
  hf_stmt_close(stmt);
  if (err == HF_OK || err == HF_E_NOT_FOUND) {
    stmt = hf_stmt_open(call->db, "SELECT count(*) FROM rollout WHERE ? = '' OR product = ?");
    hf_stmt_put_text(stmt, product);
    hf_stmt_put_text(stmt, product);
    err = hf_stmt_run_int(stmt, &total);
  }
  hf_page_close(&page, err, (uint64_t)total);
}

/* Running, paused and stopped ones for the overview: what somebody may have to act on. */
enum hf_err hf_api_put_rollouts(struct hf_call *call)
{
  struct hf_stmt *stmt = hf_stmt_open(call->db, ROLLOUT_SQL " WHERE r.state IN (?, ?, ?)" ROLLOUT_GROUPING " LIMIT 20");
  hf_stmt_put_int(stmt, HF_ROLLOUT_RUNNING);
  hf_stmt_put_int(stmt, HF_ROLLOUT_PAUSED);
  hf_stmt_put_int(stmt, HF_ROLLOUT_STOPPED);
  enum hf_err err = hf_stmt_next(stmt);
  while (err == HF_OK) {
    hf_json_put_comma(call->out);
    err = put_rollout(call, stmt);
    hf_buf_put_text(call->out, "}");
    err = err == HF_OK ? hf_stmt_next(stmt) : err;
  }
  hf_stmt_close(stmt);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

static const char *wave_state(int64_t place, int64_t running, int64_t state)
{
  if (place < running || state == HF_ROLLOUT_DONE) {
    return "done";
  }
  return place == running ? "running" : "waiting";
}

static enum hf_err put_waves(struct hf_call *call, int64_t id, int64_t running, int64_t state)
{
  struct hf_buf *out = call->out;
  struct hf_stmt *stmt =
      hf_stmt_open(call->db, "SELECT place, percent, grp, started, total FROM wave WHERE rollout = ? ORDER BY place");
  hf_stmt_put_int(stmt, id);
  struct hf_rows rows = hf_rows_open(out, "wave_list", stmt);
  while (hf_rows_next(&rows)) {
    int64_t place = hf_stmt_get_int(stmt, 0);
    int64_t percent = hf_stmt_get_int(stmt, 1);
    hf_reply_put_int(out, "number", place + 1);
    if (percent > 0) {
      hf_reply_put_int(out, "percent", percent);
    } else {
      hf_reply_put_null(out, "percent");
    }
    hf_reply_put_text_or_null(out, "group", hf_stmt_get_bytes(stmt, 2));
    hf_reply_put_text(out, "state", hf_bytes_text(wave_state(place, running, state)));
    hf_reply_put_time_or_null(out, "started", hf_stmt_get_int(stmt, 3));
    hf_reply_put_int(out, "devices", hf_stmt_get_int(stmt, 4));
    rows.err = put_counts(call, id, place);
  }
  return hf_rows_close(&rows);
}

/* The audit log knows who did what to it, and when it moved on or stopped by itself. */
static enum hf_err put_history(struct hf_call *call, int64_t id)
{
  struct hf_buf *out = call->out;
  uint8_t room[20];
  struct hf_buf subject = hf_buf_init(room, sizeof room);
  hf_buf_put_uint(&subject, (uint64_t)id);
  struct hf_stmt *stmt = hf_stmt_open(call->db, "SELECT time, who, action, detail FROM audit WHERE subject = ?"
                                                " AND action LIKE 'rollout.%' ORDER BY n LIMIT 200");
  hf_stmt_put_text(stmt, hf_buf_bytes(&subject));
  struct hf_rows rows = hf_rows_open(out, "history", stmt);
  while (hf_rows_next(&rows)) {
    hf_reply_put_time(out, "time", hf_stmt_get_int(stmt, 0));
    hf_reply_put_text(out, "by", hf_stmt_get_bytes(stmt, 1));
    hf_reply_put_text(out, "what", hf_stmt_get_bytes(stmt, 2));
    hf_reply_put_text_or_null(out, "reason", hf_stmt_get_bytes(stmt, 3));
  }
  return hf_rows_close(&rows);
}

static void reply_rollout(struct hf_call *call, int64_t id)
{
  struct hf_stmt *stmt = hf_stmt_open(call->db, ROLLOUT_SQL " WHERE r.id = ?" ROLLOUT_GROUPING);
  hf_stmt_put_int(stmt, id);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    err = put_rollout(call, stmt);
    hf_reply_put_int(call->out, "success_percent", hf_stmt_get_int(stmt, R_SUCCESS));
    hf_reply_put_int(call->out, "max_failures", hf_stmt_get_int(stmt, R_FAILURES));
    err = err != HF_OK ? err : put_waves(call, id, hf_stmt_get_int(stmt, R_WAVE), hf_stmt_get_int(stmt, R_STATE));
  }
  hf_stmt_close(stmt);
  err = err == HF_OK ? put_history(call, id) : err;
  if (err == HF_OK) {
    hf_buf_put_text(call->out, "}");
    return;
  }
  hf_call_fail(call, err, err == HF_E_NOT_FOUND ? "there is no rollout with this id" : "the rollout could not be read",
               NULL);
}

/* The engine keeps running rollouts in memory and writes them with the group; a reply to a change is to show it now. */
static void reply_changed(struct hf_call *call, int64_t id)
{
  call->changed = true;
  enum hf_err err = hf_rollout_set_flush(call->engine, call->request->now);
  if (err != HF_OK) {
    hf_call_fail(call, err, "the rollout could not be stored", NULL);
    return;
  }
  reply_rollout(call, id);
}

static enum hf_err path_rollout(struct hf_call *call, int64_t *id)
{
  return hf_page_number(id, call, hf_call_arg(call, HF_PARAM_PATH_rollout), 0);
}

void hf_api_rollout_get(struct hf_call *call)
{
  int64_t id;
  if (path_rollout(call, &id) == HF_OK) {
    reply_rollout(call, id);
  }
}

static size_t body_waves(const struct hf_call *call, struct hf_wave_new waves[HF_WAVES_MAX])
{
  size_t count = 0;
  size_t index;
  json_t *wave;
  json_array_foreach(json_object_get(call->body, "waves"), index, wave)
  {
    json_t *group = json_object_get(wave, "group");
    if (count < HF_WAVES_MAX) {
      waves[count].percent = (uint32_t)json_integer_value(json_object_get(wave, "percent"));
      waves[count].group = hf_bytes_init(json_string_value(group), json_string_length(group));
      count++;
    }
  }
  return count;
}

static void refuse_rollout(struct hf_call *call, enum hf_err err, const struct hf_why *why)
{
  struct hf_problem_words words = {.where = "", .rule = why->rule};
  if (err == HF_E_STATE) {
    words.what = "another rollout of this product runs, is paused or has stopped";
    words.todo = "wait until it is done, or abort it";
  } else if (err == HF_E_NOT_FOUND && why->rule == HF_RULE_NONE) {
    words.what = "there is no such release";
    words.where = "/version";
    words.todo = "publish it first; GET /releases lists what there is";
  } else if (why->rule == HF_RULE_NONE) {
    words.what = "the rollout could not be started";
  }
  hf_problem_put(call->reply, hf_problem_of(err), &words);
}

void hf_api_rollout_new(struct hf_call *call)
{
  struct hf_wave_new waves[HF_WAVES_MAX];
  struct hf_act act = hf_call_act(call);
  struct hf_why why = {0};
  struct hf_bytes deadline = hf_call_text(call, "deadline");
  int64_t id;
  struct hf_rollout_new rollout = {.product = hf_call_text(call, "product"),
                                   .version = hf_call_text(call, "version"),
                                   .group = hf_call_text(call, "group"),
                                   .wave = waves,
                                   .wave_count = body_waves(call, waves),
                                   .success_percent = (uint32_t)hf_call_int(call, "success_percent", 90),
                                   .max_failures = (uint64_t)hf_call_int(call, "max_failures", 0)};
  if (deadline.len > 0 &&
      (hf_time_parse(&rollout.deadline, deadline) != HF_OK || rollout.deadline <= call->request->now)) {
    hf_call_refuse(call, HF_PROBLEM_INPUT, "the deadline is no time to come", "/deadline", "give a time in the future");
    return;
  }
  enum hf_err err = hf_rollout_start(call->engine, &id, &act, &rollout, &why);
  if (err != HF_OK) {
    refuse_rollout(call, err, &why);
    return;
  }
  (void)snprintf(call->reply->location, sizeof call->reply->location, "/api/v1/rollouts/%lld", (long long)id);
  reply_changed(call, id);
}

static void change(struct hf_call *call,
                   enum hf_err (*verb)(struct hf_engine *engine, const struct hf_act *act, int64_t id),
                   const char *clash, const char *todo)
{
  struct hf_act act = hf_call_act(call);
  int64_t id;
  if (path_rollout(call, &id) != HF_OK) {
    return;
  }
  enum hf_err err = verb(call->engine, &act, id);
  if (err == HF_OK) {
    reply_changed(call, id);
  } else if (err == HF_E_STATE) {
    hf_call_refuse(call, HF_PROBLEM_CONFLICT, clash, "path", todo);
  } else {
    hf_call_fail(call, err,
                 err == HF_E_NOT_FOUND ? "there is no rollout with this id" : "the rollout could not be changed", NULL);
  }
}

void hf_api_rollout_pause(struct hf_call *call)
{
  change(call, hf_rollout_pause, "the rollout does not run", "only a running rollout can be paused");
}

void hf_api_rollout_resume(struct hf_call *call)
{
  change(call, hf_rollout_resume, "the rollout runs, has ended, or another rollout of the product took over",
         "start a new rollout");
}

void hf_api_rollout_abort(struct hf_call *call)
{
  change(call, hf_rollout_abort, "the rollout has ended already", "nothing to do");
}
