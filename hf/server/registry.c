/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/registry.h"

#include "hf/fleet/query.h"
#include "hf/server/auditlog.h"
#include "hf/server/cache.h"
#include "hf/server/groups.h"
#include "hf/server/intake.h"
#include "hf/server/outbox.h"
#include "hf/wire/names.h"

static enum hf_err done(struct hf_engine *engine, enum hf_err err)
{
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

static bool hardware_check(struct hf_bytes list)
{
  size_t from = 0;
  size_t count = 0;
  for (size_t i = 0; i <= list.len; i++) {
    if (i < list.len && list.at[i] != ' ') {
      continue;
    }
    if (!hf_names_check_hardware(hf_bytes_init(list.at + from, i - from))) {
      return false;
    }
    from = i + 1;
    count++;
  }
  return count <= HF_PRODUCT_HARDWARE_MAX;
}

enum hf_err hf_product_new(struct hf_engine *engine, const struct hf_act *act, const struct hf_product *product,
                           struct hf_why *why)
{
  if (!hf_names_check_product(product->name) || product->title.len == 0 || product->title.len > 100 ||
      !hardware_check(product->hardware)) {
    hf_why_put(why, HF_RULE_PRODUCT_FIELDS, 0);
    return HF_E_INPUT;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "INSERT INTO product (name, title, hardware, created) VALUES (?, ?, ?, ?)");
  hf_stmt_put_text(stmt, product->name);
  hf_stmt_put_text(stmt, product->title);
  hf_stmt_put_text(stmt, product->hardware);
  hf_stmt_put_int(stmt, act->now);
  enum hf_err err = hf_stmt_run(stmt);
  if (err != HF_OK) {
    return err == HF_E_EXISTS ? err : hf_engine_poison(engine, err);
  }
  hf_engine_touch(engine, HF_PULSE_PRODUCT);
  return hf_auditlog_put(engine, act, "product.new", product->name, product->hardware);
}

static enum hf_err block_get(bool *blocked, struct hf_engine *engine, struct hf_bytes id)
{
  int64_t value = 0;
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT blocked FROM device WHERE id = ?");
  hf_stmt_put_text(stmt, id);
  enum hf_err err = hf_stmt_run_int(stmt, &value);
  *blocked = value != 0;
  return err;
}

enum hf_err hf_device_block(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes id, bool blocked)
{
  bool already;
  enum hf_err err = block_get(&already, engine, id);
  if (err != HF_OK) {
    return err;
  }
  if (already == blocked) {
    return HF_E_STATE;
  }
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "UPDATE device SET blocked = ?, blocked_reason = ? WHERE id = ?");
  hf_stmt_put_int(stmt, blocked);
  hf_stmt_put_text(stmt, blocked ? act->reason : hf_bytes_init(NULL, 0));
  hf_stmt_put_text(stmt, id);
  err = done(engine, hf_stmt_run(stmt));
  hf_cache_drop(engine->cache, id);
  hf_engine_touch(engine, HF_PULSE_DEVICE);
  if (err == HF_OK) {
    err = hf_auditlog_put(engine, act, blocked ? "device.block" : "device.unblock", id, act->reason);
  }
  return err == HF_OK
             ? hf_outbox_put(engine, blocked ? "device.blocked" : "device.unblocked", id, act->reason, act->now)
             : err;
}

enum hf_err hf_device_attribute(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes id,
                                struct hf_bytes name, struct hf_bytes value)
{
  uint8_t room[HF_QUERY_NAME_MAX + HF_QUERY_VALUE_MAX + 4];
  struct hf_buf detail = hf_buf_init(room, sizeof room);
  const struct hf_checkin_attribute attribute = {.name = name, .value = value};
  int64_t n;
  if (!hf_query_name_check(name) || value.len > HF_QUERY_VALUE_MAX) {
    return HF_E_INPUT;
  }
  enum hf_err err = hf_device_find(&n, engine->db, id);
  if (err == HF_OK) {
    err = hf_intake_attribute(engine, n, &attribute, 2, act->now);
  }
  if (err != HF_OK) {
    return err;
  }
  hf_cache_drop(engine->cache, id); /* it may belong to other groups now */
  hf_engine_touch(engine, HF_PULSE_DEVICE);
  hf_buf_put(&detail, name);
  hf_buf_put_text(&detail, value.len == 0 ? " removed" : " = ");
  hf_buf_put(&detail, value);
  return hf_auditlog_put(engine, act, "device.attribute", id, hf_buf_bytes(&detail));
}

struct hf_device_filter hf_device_filter_init(void) { return (struct hf_device_filter){.state = -1, .blocked = -1}; }

/* The conditions of a filter, always in the same order, and the same walk to fill them. */
static enum hf_err filter_put_sql(struct hf_buf *sql, const struct hf_device_filter *filter,
                                  const struct hf_query *query)
{
  const struct {
    bool there;
    const char *sql;
  } parts[] = {{filter->product.len > 0, " AND device.product = ?"},
               {filter->version.len > 0, " AND device.version = ?"},
               {filter->hardware.len > 0, " AND device.hardware = ?"},
               {filter->q.len > 0, " AND lower(device.id) LIKE ? ESCAPE '\\'"},
               {filter->state >= 0, " AND device.state = ?"},
               {filter->blocked >= 0, " AND device.blocked = ?"}};
  hf_buf_put_text(sql, " FROM device WHERE device.id > ?");
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    hf_buf_put_text(sql, parts[i].there ? parts[i].sql : "");
  }
  if (query == NULL) {
    return HF_OK;
  }
  hf_buf_put_text(sql, " AND ");
  return hf_query_put_sql(sql, query);
}

static void filter_bind(struct hf_stmt *stmt, const struct hf_device_filter *filter, const struct hf_query *query)
{
  uint8_t room[2 * HF_DEVICE_ID_MAX + 2];
  struct hf_buf pattern = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&pattern, "%");
  hf_query_put_like(&pattern,
                    hf_bytes_init(filter->q.at, filter->q.len < HF_DEVICE_ID_MAX ? filter->q.len : HF_DEVICE_ID_MAX));
  hf_buf_put_text(&pattern, "%");
  const struct hf_bytes text[] = {filter->product, filter->version, filter->hardware,
                                  filter->q.len > 0 ? hf_buf_bytes(&pattern) : filter->q};
  hf_stmt_put_text(stmt, filter->after);
  for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
    if (text[i].len > 0) {
      hf_stmt_put_text(stmt, text[i]);
    }
  }
  if (filter->state >= 0) {
    hf_stmt_put_int(stmt, filter->state);
  }
  if (filter->blocked >= 0) {
    hf_stmt_put_int(stmt, filter->blocked != 0);
  }
  if (query != NULL) {
    hf_group_bind(stmt, query);
  }
}

static enum hf_err filter_open(struct hf_stmt **stmt, struct hf_db *db, const char *head,
                               const struct hf_device_filter *filter, struct hf_why *why)
{
  uint8_t room[HF_QUERY_SQL_MAX + 1024];
  struct hf_buf sql = hf_buf_init(room, sizeof room);
  struct hf_query query;
  bool group = filter->group.len > 0;
  enum hf_err err = group ? hf_query_parse(&query, filter->group, why) : HF_OK;
  hf_buf_put_text(&sql, head);
  if (err == HF_OK) {
    err = filter_put_sql(&sql, filter, group ? &query : NULL);
  }
  if (err == HF_OK && filter->limit > 0) {
    hf_buf_put_text(&sql, " ORDER BY device.id LIMIT ");
    hf_buf_put_uint(&sql, filter->limit);
  }
  if (err == HF_OK) {
    err = hf_buf_terminate(&sql);
  }
  if (err == HF_OK) {
    *stmt = hf_stmt_open(db, (const char *)room);
    filter_bind(*stmt, filter, group ? &query : NULL);
  }
  return err;
}

enum hf_err hf_device_list(struct hf_stmt **stmt, struct hf_db *db, const struct hf_device_filter *filter,
                           struct hf_why *why)
{
  struct hf_device_filter ordered = *filter;
  ordered.limit = filter->limit == 0 ? INT32_MAX : filter->limit;
  return filter_open(stmt, db,
                     "SELECT n, id, product, hardware, version, state, wanted, percent, rule, blocked, key_storage,"
                     " first_seen, last_seen",
                     &ordered, why);
}

enum hf_err hf_device_count(uint64_t *count, struct hf_db *db, const struct hf_device_filter *filter,
                            struct hf_why *why)
{
  struct hf_device_filter all = *filter;
  struct hf_stmt *stmt;
  int64_t value = 0;
  all.after = hf_bytes_init(NULL, 0);
  all.limit = 0;
  enum hf_err err = filter_open(&stmt, db, "SELECT count(*)", &all, why);
  if (err == HF_OK) {
    err = hf_stmt_run_int(stmt, &value);
  }
  *count = (uint64_t)value;
  return err;
}
