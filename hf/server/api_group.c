/* SPDX-License-Identifier: Apache-2.0
 * REST: products and groups. */
#include <stdio.h>

#include "hf/codec/json.h"
#include "hf/server/call.h"
#include "hf/server/registry.h"

/* Columns: name, title, hardware, created, devices, latest, keyset, takeover. */
#define PRODUCT_SQL                                                                                                    \
  "SELECT p.name, p.title, p.hardware, p.created,"                                                                     \
  " (SELECT coalesce(sum(t.count), 0) FROM tally t WHERE t.product = p.name),"                                         \
  " (SELECT r.version FROM release r WHERE r.product = p.name ORDER BY r.version_key DESC LIMIT 1),"                   \
  " (SELECT max(k.version) FROM keyset k WHERE k.product = p.name),"                                                   \
  " (SELECT max(o.version) FROM takeover o WHERE o.product = p.name) FROM product p"

/* 0 for none: the first version is 1. */
static void put_version_or_null(struct hf_buf *out, const char *name, int64_t version)
{
  if (version > 0) {
    hf_reply_put_int(out, name, version);
  } else {
    hf_reply_put_null(out, name);
  }
}

static void put_product(struct hf_buf *out, struct hf_stmt *stmt)
{
  hf_buf_put_text(out, "{");
  hf_reply_put_text(out, "name", hf_stmt_get_bytes(stmt, 0));
  hf_reply_put_text(out, "title", hf_stmt_get_bytes(stmt, 1));
  hf_reply_put_words(out, "hardware", hf_stmt_get_bytes(stmt, 2));
  hf_reply_put_time(out, "created", hf_stmt_get_int(stmt, 3));
  hf_reply_put_int(out, "devices", hf_stmt_get_int(stmt, 4));
  hf_reply_put_text_or_null(out, "latest", hf_stmt_get_bytes(stmt, 5));
  put_version_or_null(out, "keyset", hf_stmt_get_int(stmt, 6));
  put_version_or_null(out, "takeover", hf_stmt_get_int(stmt, 7));
  hf_buf_put_text(out, "}");
}

void hf_api_product_list(struct hf_call *call)
{
  uint8_t room[HF_CURSOR_MAX];
  struct hf_buf from = hf_buf_init(room, sizeof room);
  struct hf_page page;
  int64_t total = 0;
  if (hf_page_open(&page, &from, call) != HF_OK) {
    return;
  }
  struct hf_stmt *stmt = hf_stmt_open(call->db, PRODUCT_SQL " WHERE p.name > ? ORDER BY p.name");
  hf_stmt_put_text(stmt, hf_buf_bytes(&from));
  enum hf_err err = hf_stmt_next(stmt);
  for (; err == HF_OK; err = hf_stmt_next(stmt)) {
    if (!hf_page_next(&page, hf_stmt_get_bytes(stmt, 0))) {
      break;
    }
    put_product(call->out, stmt);
  }
  hf_stmt_close(stmt);
  if (err == HF_OK || err == HF_E_NOT_FOUND) {
    err = hf_stmt_run_int(hf_stmt_open(call->db, "SELECT count(*) FROM product"), &total);
  }
  hf_page_close(&page, err, (uint64_t)total);
}

static void reply_product(struct hf_call *call, struct hf_bytes name)
{
  struct hf_stmt *stmt = hf_stmt_open(call->db, PRODUCT_SQL " WHERE p.name = ?");
  hf_stmt_put_text(stmt, name);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    put_product(call->out, stmt);
  } else {
    hf_call_fail(call, err,
                 err == HF_E_NOT_FOUND ? "there is no product of this name" : "the product could not be read", NULL);
  }
  hf_stmt_close(stmt);
}

void hf_api_product_get(struct hf_call *call) { reply_product(call, hf_call_arg(call, HF_PARAM_PATH_product)); }

void hf_api_product_new(struct hf_call *call)
{
  uint8_t room[HF_PRODUCT_HARDWARE_TEXT_MAX];
  struct hf_buf hardware = hf_buf_init(room, sizeof room);
  struct hf_act act = hf_call_act(call);
  struct hf_why why = {0};
  size_t index;
  json_t *id;
  json_array_foreach(json_object_get(call->body, "hardware"), index, id)
  {
    hf_buf_put_text(&hardware, index == 0 ? "" : " ");
    hf_buf_put_text(&hardware, json_string_value(id));
  }
  struct hf_product product = {
      .name = hf_call_text(call, "name"), .title = hf_call_text(call, "title"), .hardware = hf_buf_bytes(&hardware)};
  enum hf_err err = hardware.failed ? HF_E_INPUT : hf_product_new(call->engine, &act, &product, &why);
  if (err != HF_OK) {
    hf_call_fail(call, err,
                 err == HF_E_EXISTS ? "a product of this name is there already" : "the product could not be added",
                 &why);
    return;
  }
  call->changed = true;
  (void)snprintf(call->reply->location, sizeof call->reply->location, "/api/v1/products/%s",
                 json_string_value(json_object_get(call->body, "name")));
  reply_product(call, product.name);
}

/* Columns: name, query, created. The members are counted now: groups are queries, not lists. */
static enum hf_err put_group(struct hf_call *call, struct hf_stmt *stmt)
{
  struct hf_device_filter filter = hf_device_filter_init();
  uint64_t members = 0;
  filter.group = hf_stmt_get_bytes(stmt, 1);
  enum hf_err err = hf_device_count(&members, call->db, &filter, NULL);
  hf_buf_put_text(call->out, "{");
  hf_reply_put_text(call->out, "name", hf_stmt_get_bytes(stmt, 0));
  hf_reply_put_text(call->out, "query", hf_stmt_get_bytes(stmt, 1));
  hf_reply_put_time(call->out, "created", hf_stmt_get_int(stmt, 2));
  hf_reply_put_int(call->out, "members", (int64_t)members);
  hf_buf_put_text(call->out, "}");
  return err;
}

void hf_api_group_list(struct hf_call *call)
{
  uint8_t room[HF_CURSOR_MAX];
  struct hf_buf from = hf_buf_init(room, sizeof room);
  struct hf_page page;
  int64_t total = 0;
  if (hf_page_open(&page, &from, call) != HF_OK) {
    return;
  }
  struct hf_stmt *stmt = hf_stmt_open(call->db, "SELECT name, query, created FROM grp WHERE name > ? ORDER BY name");
  hf_stmt_put_text(stmt, hf_buf_bytes(&from));
  enum hf_err err = hf_stmt_next(stmt);
  while (err == HF_OK && hf_page_next(&page, hf_stmt_get_bytes(stmt, 0))) {
    err = put_group(call, stmt);
    err = err == HF_OK ? hf_stmt_next(stmt) : err;
  }
  hf_stmt_close(stmt);
  if (err == HF_OK || err == HF_E_NOT_FOUND) {
    err = hf_stmt_run_int(hf_stmt_open(call->db, "SELECT count(*) FROM grp"), &total);
  }
  hf_page_close(&page, err, (uint64_t)total);
}

static void reply_group(struct hf_call *call, struct hf_bytes name)
{
  struct hf_stmt *stmt = hf_stmt_open(call->db, "SELECT name, query, created FROM grp WHERE name = ?");
  hf_stmt_put_text(stmt, name);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    err = put_group(call, stmt);
  }
  hf_stmt_close(stmt);
  if (err != HF_OK) {
    hf_call_fail(call, err, err == HF_E_NOT_FOUND ? "there is no group of this name" : "the group could not be read",
                 NULL);
  }
}

void hf_api_group_get(struct hf_call *call) { reply_group(call, hf_call_arg(call, HF_PARAM_PATH_group)); }

void hf_api_group_new(struct hf_call *call)
{
  struct hf_act act = hf_call_act(call);
  struct hf_why why = {0};
  struct hf_bytes name = hf_call_text(call, "name");
  enum hf_err err = hf_group_new(call->engine, &act, name, hf_call_text(call, "query"), &why);
  if (err == HF_E_INPUT && why.rule != HF_RULE_NONE) {
    char where[40];
    struct hf_problem_words words = {.where = where, .rule = why.rule};
    (void)snprintf(where, sizeof where, "/query, character %u", (unsigned)why.at + 1);
    hf_problem_put(call->reply, HF_PROBLEM_INPUT, &words);
    return;
  }
  if (err != HF_OK) {
    hf_call_fail(call, err,
                 err == HF_E_EXISTS ? "a group of this name is there already" : "the group could not be added", NULL);
    return;
  }
  call->changed = true;
  (void)snprintf(call->reply->location, sizeof call->reply->location, "/api/v1/groups/%s",
                 json_string_value(json_object_get(call->body, "name")));
  reply_group(call, name);
}

void hf_api_group_close(struct hf_call *call)
{
  struct hf_act act = hf_call_act(call);
  enum hf_err err = hf_group_close(call->engine, &act, hf_call_arg(call, HF_PARAM_PATH_group));
  if (err == HF_E_STATE) {
    hf_call_refuse(call, HF_PROBLEM_CONFLICT, "a rollout that still runs uses this group", "path",
                   "wait for the rollout or abort it");
  } else if (err != HF_OK) {
    hf_call_fail(call, err, err == HF_E_NOT_FOUND ? "there is no group of this name" : "the group could not be removed",
                 NULL);
  }
  call->changed = err == HF_OK;
}
