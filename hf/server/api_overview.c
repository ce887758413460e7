/* SPDX-License-Identifier: Apache-2.0
 * REST: the server as a whole: health, overview, audit log, live changes, settings. */
#include <stdio.h>
#include <string.h>

#include "hf/codec/json.h"
#include "hf/fleet/rollout.h"
#include "hf/server/call.h"
#include "hf/server/repo.h"
#include "hf/server/settings.h"

void hf_api_health(struct hf_call *call)
{
  hf_buf_put_text(call->out, "{\"alive\":true");
  hf_reply_put_text(call->out, "version", HF_LIT(HF_VERSION));
  hf_reply_put_time(call->out, "time", call->request->now);
  hf_reply_put_bool(call->out, "sandboxed", call->engine->config.sandboxed);
  hf_buf_put_text(call->out, "}");
}

void hf_api_openapi(struct hf_call *call) { hf_buf_put_text(call->out, call->api->text); }

/* ---- overview: from table `tally`, which the database keeps; no device row is read but for plain keys ---- */

static enum hf_err put_states(struct hf_call *call)
{
  struct hf_buf *out = call->out;
  int64_t count[HF_MEMBER_STATES] = {0};
  int64_t total = 0;
  int64_t blocked = 0;
  struct hf_stmt *stmt = hf_stmt_open(call->db, "SELECT state, blocked, sum(count) FROM tally GROUP BY state, blocked");
  enum hf_err err = hf_stmt_next(stmt);
  for (; err == HF_OK; err = hf_stmt_next(stmt)) {
    int64_t state = hf_stmt_get_int(stmt, 0);
    int64_t devices = hf_stmt_get_int(stmt, 2);
    total += devices;
    blocked += hf_stmt_get_int(stmt, 1) != 0 ? devices : 0;
    if (state >= 0 && state < HF_MEMBER_STATES) {
      count[state] += devices;
    }
  }
  hf_stmt_close(stmt);
  hf_reply_put_int(out, "devices", total);
  hf_reply_put_int(out, "blocked", blocked);
  hf_json_put_name(out, "states");
  hf_reply_put_counts(out, count);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

/* A fleet with more versions than this is told by its most common ones. */
#define VERSIONS_MAX "200"

static enum hf_err put_versions(struct hf_call *call)
{
  struct hf_buf *out = call->out;
  struct hf_stmt *stmt =
      hf_stmt_open(call->db, "SELECT product, version, sum(count) FROM tally GROUP BY product, version"
                             " HAVING sum(count) > 0 ORDER BY sum(count) DESC, product, version"
                             " LIMIT " VERSIONS_MAX);
  struct hf_rows rows = hf_rows_open(out, "versions", stmt);
  while (hf_rows_next(&rows)) {
    hf_reply_put_text(out, "product", hf_stmt_get_bytes(stmt, 0));
    hf_reply_put_text_or_null(out, "version", hf_stmt_get_bytes(stmt, 1));
    hf_reply_put_int(out, "devices", hf_stmt_get_int(stmt, 2));
  }
  return hf_rows_close(&rows);
}

static enum hf_err put_products(struct hf_call *call)
{
  struct hf_buf *out = call->out;
  struct hf_stmt *stmt = hf_stmt_open(call->db, "SELECT p.name, p.title, (SELECT coalesce(sum(t.count), 0) FROM tally t"
                                                " WHERE t.product = p.name) FROM product p ORDER BY p.name LIMIT 100");
  struct hf_rows rows = hf_rows_open(out, "products", stmt);
  while (hf_rows_next(&rows)) {
    hf_reply_put_text(out, "product", hf_stmt_get_bytes(stmt, 0));
    hf_reply_put_text(out, "title", hf_stmt_get_bytes(stmt, 1));
    hf_reply_put_int(out, "devices", hf_stmt_get_int(stmt, 2));
  }
  return hf_rows_close(&rows);
}

static void put_freshness(struct hf_buf *out, const char *role, int64_t version, int64_t expires)
{
  hf_json_put_comma(out);
  hf_buf_put_text(out, "{");
  hf_reply_put_text(out, "role", hf_bytes_text(role));
  hf_reply_put_int(out, "version", version);
  hf_reply_put_time_or_null(out, "expires", expires);
  hf_buf_put_text(out, "}");
}

static enum hf_err put_metadata(struct hf_call *call)
{
  struct hf_buf *out = call->out;
  struct hf_repo_state repo;
  enum hf_err err = hf_repo_get(&repo, call->db);
  hf_json_put_name(out, "metadata");
  hf_buf_put_text(out, "[");
  if (err == HF_OK) {
    put_freshness(out, "root", repo.root, repo.root_expires);
    put_freshness(out, "targets", repo.targets, repo.targets_expires);
    put_freshness(out, "snapshot", repo.snapshot, repo.snapshot_expires);
    put_freshness(out, "timestamp", repo.timestamp, repo.timestamp_expires);
  }
  hf_buf_put_text(out, "]");
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

/* `*change` is the number of the last change of any kind; `kinds` may be NULL, else the kinds after `since` are put. */
static enum hf_err read_pulse(struct hf_call *call, int64_t *change, int64_t since, struct hf_buf *kinds)
{
  struct hf_stmt *stmt = hf_stmt_open(call->db, "SELECT kind, n FROM pulse ORDER BY n DESC");
  enum hf_err err = hf_stmt_next(stmt);
  *change = 0;
  for (; err == HF_OK; err = hf_stmt_next(stmt)) {
    int64_t n = hf_stmt_get_int(stmt, 1);
    *change = n > *change ? n : *change;
    if (kinds != NULL && n > since) {
      hf_json_put_comma(kinds);
      hf_json_put_text(kinds, hf_stmt_get_bytes(stmt, 0));
    }
  }
  hf_stmt_close(stmt);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

void hf_api_overview(struct hf_call *call)
{
  struct hf_buf *out = call->out;
  int64_t change;
  int64_t plain = 0;
  enum hf_err err = read_pulse(call, &change, 0, NULL);
  hf_buf_put_text(out, "{");
  hf_reply_put_int(out, "change", change);
  err = err == HF_OK ? put_states(call) : err;
  err = err == HF_OK ? hf_api_put_factory(call) : err;
  if (err == HF_OK) {
    /* The 1 of HF_KEY_STORAGE_FILE stands in the text so that the partial index of the same words is used. */
    err = hf_stmt_run_int(hf_stmt_open(call->db, "SELECT count(*) FROM device WHERE key_storage = 1"), &plain);
  }
  hf_reply_put_int(out, "plain_keys", plain);
  err = err == HF_OK ? put_versions(call) : err;
  err = err == HF_OK ? put_products(call) : err;
  err = err == HF_OK ? put_metadata(call) : err;
  hf_json_put_name(out, "rollouts");
  hf_buf_put_text(out, "[");
  err = err == HF_OK ? hf_api_put_rollouts(call) : err;
  hf_buf_put_text(out, "]");
  hf_reply_put_bool(out, "sandboxed", call->engine->config.sandboxed);
  hf_buf_put_text(out, "}");
  if (err != HF_OK) {
    hf_call_fail(call, err, "the overview could not be read", NULL);
  }
}

/* Front has waited already when `since` is the present change; here is only what is so now. */
void hf_api_event_list(struct hf_call *call)
{
  uint8_t room[256];
  struct hf_buf kinds = hf_buf_init(room, sizeof room);
  int64_t change;
  int64_t since = call->args[HF_PARAM_QUERY_since].number;
  hf_buf_put_text(&kinds, "[");
  enum hf_err err = read_pulse(call, &change, since, &kinds);
  hf_buf_put_text(&kinds, "]");
  if (err != HF_OK || kinds.failed) {
    hf_call_fail(call, err == HF_OK ? HF_E_IO : err, "the changes could not be read", NULL);
    return;
  }
  hf_buf_put_text(call->out, "{");
  hf_reply_put_int(call->out, "change", change);
  hf_reply_put_bool(call->out, "changed", change > since);
  hf_json_put_name(call->out, "kinds");
  hf_buf_put(call->out, hf_buf_bytes(&kinds));
  hf_buf_put_text(call->out, "}");
}

/* Columns: n, time, who, address, action, subject, detail, hash. */
static void put_audit(struct hf_buf *out, struct hf_stmt *stmt)
{
  hf_buf_put_text(out, "{");
  hf_reply_put_int(out, "number", hf_stmt_get_int(stmt, 0));
  hf_reply_put_time(out, "time", hf_stmt_get_int(stmt, 1));
  hf_reply_put_text(out, "actor", hf_stmt_get_bytes(stmt, 2));
  hf_reply_put_text(out, "address", hf_stmt_get_bytes(stmt, 3));
  hf_reply_put_text(out, "action", hf_stmt_get_bytes(stmt, 4));
  hf_reply_put_text(out, "subject", hf_stmt_get_bytes(stmt, 5));
  hf_reply_put_text(out, "detail", hf_stmt_get_bytes(stmt, 6));
  hf_reply_put_hash(out, "hash", hf_stmt_get_bytes(stmt, 7));
  hf_buf_put_text(out, "}");
}

void hf_api_audit_list(struct hf_call *call)
{
  struct hf_page page;
  int64_t before;
  int64_t total = 0;
  if (hf_page_open_number(&page, &before, call, INT64_MAX) != HF_OK) {
    return;
  }
  struct hf_stmt *stmt = hf_stmt_open(call->db, "SELECT n, time, who, address, action, subject, detail,"
                                                " hash FROM audit WHERE n < ? ORDER BY n DESC LIMIT ?");
  hf_stmt_put_int(stmt, before);
  hf_stmt_put_int(stmt, page.limit + 1);
  enum hf_err err = hf_stmt_next(stmt);
  for (; err == HF_OK; err = hf_stmt_next(stmt)) {
    if (!hf_page_next_number(&page, hf_stmt_get_int(stmt, 0))) {
      break;
    }
    put_audit(call->out, stmt);
  }
  hf_stmt_close(stmt);
  if (err == HF_OK || err == HF_E_NOT_FOUND) {
    /* Numbers have no gaps: the last one is the count. */
    err = hf_stmt_run_int(hf_stmt_open(call->db, "SELECT coalesce(max(n), 0) FROM audit"), &total);
  }
  hf_page_close(&page, err, (uint64_t)total);
}

static void put_settings(struct hf_call *call, const struct hf_settings *settings)
{
  struct hf_buf *out = call->out;
  hf_buf_put_text(out, "{");
  hf_reply_put_int(out, "checkin_interval_s", settings->checkin_interval_s);
  hf_reply_put_int(out, "rollout_interval_s", settings->rollout_interval_s);
  hf_reply_put_int(out, "silent_after_s", settings->silent_after_s);
  hf_reply_put_int(out, "postpone_max_s", settings->postpone_max_s);
  hf_reply_put_int(out, "security_deadline_s", settings->security_deadline_s);
  hf_reply_put_int(out, "certificate_life_s", settings->certificate_life_s);
  hf_reply_put_int(out, "factory_listed_only", settings->factory_listed_only);
  hf_reply_put_int(out, "renewal_grace_s", settings->renewal_grace_s);
  hf_reply_put_text_or_null(out, "crl_url", hf_bytes_text(settings->crl_url));
  hf_reply_put_text_or_null(out, "webhook", hf_bytes_text(settings->webhook));
  hf_buf_put_text(out, "}");
}

void hf_api_settings_get(struct hf_call *call)
{
  struct hf_settings settings;
  enum hf_err err = hf_settings_get(&settings, call->db);
  if (err != HF_OK) {
    hf_call_fail(call, err, "the settings could not be read", NULL);
    return;
  }
  put_settings(call, &settings);
}

void hf_api_settings_put(struct hf_call *call)
{
  struct hf_settings settings;
  struct hf_act act = hf_call_act(call);
  struct hf_why why = {0};
  json_t *webhook = json_object_get(call->body, "webhook");
  json_t *crl_url = json_object_get(call->body, "crl_url");
  enum hf_err err = hf_settings_get(&settings, call->db);
  if (err == HF_OK) {
    settings.checkin_interval_s = hf_call_int(call, "checkin_interval_s", settings.checkin_interval_s);
    settings.rollout_interval_s = hf_call_int(call, "rollout_interval_s", settings.rollout_interval_s);
    settings.silent_after_s = hf_call_int(call, "silent_after_s", settings.silent_after_s);
    settings.postpone_max_s = hf_call_int(call, "postpone_max_s", settings.postpone_max_s);
    settings.security_deadline_s = hf_call_int(call, "security_deadline_s", settings.security_deadline_s);
    settings.certificate_life_s = hf_call_int(call, "certificate_life_s", settings.certificate_life_s);
    settings.factory_listed_only = hf_call_int(call, "factory_listed_only", settings.factory_listed_only);
    settings.renewal_grace_s = hf_call_int(call, "renewal_grace_s", settings.renewal_grace_s);
    if (crl_url != NULL) {
      const char *url = json_string_value(crl_url);
      (void)snprintf(settings.crl_url, sizeof settings.crl_url, "%s", url == NULL ? "" : url);
    }
    if (webhook != NULL) {
      const char *url = json_string_value(webhook);
      (void)snprintf(settings.webhook, sizeof settings.webhook, "%s", url == NULL ? "" : url);
    }
    err = hf_settings_put(call->engine, &act, &settings, &why);
  }
  if (err != HF_OK) {
    hf_call_fail(call, err, err == HF_E_INPUT && why.rule == HF_RULE_NONE ? "the settings do not fit each other" : NULL,
                 &why);
    return;
  }
  call->changed = true;
  put_settings(call, &settings);
}
