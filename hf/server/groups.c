/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/groups.h"

#include <stdlib.h>

#include "hf/fleet/rollout.h"
#include "hf/server/auditlog.h"
#include "hf/server/registry.h"
#include "hf/wire/names.h"

void hf_group_bind(struct hf_stmt *stmt, const struct hf_query *query)
{
  struct hf_query_value value;
  size_t at = 0;
  while (hf_query_next(&value, query, &at)) {
    uint8_t room[2 * HF_QUERY_VALUE_MAX];
    struct hf_buf pattern = hf_buf_init(room, sizeof room);
    if (value.is_like) {
      hf_query_put_like(&pattern, value.text);
      hf_stmt_put_text(stmt, hf_buf_bytes(&pattern));
    } else if (value.is_text) {
      hf_stmt_put_text(stmt, value.text);
    } else {
      hf_stmt_put_int(stmt, value.number);
    }
  }
}

struct hf_stmt *hf_group_open(struct hf_db *db, const char *head, const struct hf_query *query, const char *tail)
{
  uint8_t room[HF_QUERY_SQL_MAX];
  struct hf_buf sql = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&sql, head);
  bool good = hf_query_put_sql(&sql, query) == HF_OK;
  hf_buf_put_text(&sql, tail);
  good = hf_buf_terminate(&sql) == HF_OK && good;
  return hf_stmt_open(db, good ? (const char *)room : "");
}

enum hf_err hf_group_has(bool *has, struct hf_db *db, const struct hf_query *query, int64_t n)
{
  struct hf_stmt *stmt = hf_group_open(db, "SELECT 1 FROM device WHERE device.n = ? AND ", query, "");
  hf_stmt_put_int(stmt, n);
  hf_group_bind(stmt, query);
  enum hf_err err = hf_stmt_next(stmt);
  hf_stmt_close(stmt);
  *has = err == HF_OK;
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

enum hf_err hf_group_get(struct hf_query **query, struct hf_db *db, struct hf_bytes name)
{
  struct hf_query *made = malloc(sizeof *made);
  if (made == NULL) {
    return HF_E_IO;
  }
  struct hf_stmt *stmt = hf_stmt_open(db, "SELECT query FROM grp WHERE name = ?");
  hf_stmt_put_text(stmt, name);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    err = hf_query_parse(made, hf_stmt_get_bytes(stmt, 0), NULL);
  }
  hf_stmt_close(stmt);
  if (err != HF_OK) {
    free(made);
    return err;
  }
  *query = made;
  return HF_OK;
}

enum hf_err hf_group_new(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes name,
                         struct hf_bytes query, struct hf_why *why)
{
  struct hf_query parsed;
  if (!hf_names_check_product(name)) {
    hf_why_put(why, HF_RULE_GROUP_NAME, 0);
    return HF_E_INPUT;
  }
  enum hf_err err = hf_query_parse(&parsed, query, why);
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "INSERT INTO grp (name, query, created, created_by) VALUES (?, ?, ?, ?)");
  hf_stmt_put_text(stmt, name);
  hf_stmt_put_text(stmt, query);
  hf_stmt_put_int(stmt, act->now);
  hf_stmt_put_text(stmt, act->who);
  err = hf_stmt_run(stmt);
  if (err != HF_OK) {
    return err == HF_E_EXISTS ? err : hf_engine_poison(engine, err);
  }
  hf_engine_touch(engine, HF_PULSE_GROUP);
  return hf_auditlog_put(engine, act, "group.new", name, query);
}

/* Rollouts that may still offer something read their groups at each start of the server. */
static enum hf_err group_unused(struct hf_engine *engine, struct hf_bytes name)
{
  int64_t uses = 0;
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "SELECT count(*) FROM rollout r WHERE r.state <> ? AND"
                               " r.id = (SELECT max(id) FROM rollout m WHERE m.product = r.product) AND"
                               " (r.grp = ? OR EXISTS (SELECT 1 FROM wave w WHERE w.rollout = r.id AND w.grp = ?))");
  hf_stmt_put_int(stmt, HF_ROLLOUT_ABORTED);
  hf_stmt_put_text(stmt, name);
  hf_stmt_put_text(stmt, name);
  enum hf_err err = hf_stmt_run_int(stmt, &uses);
  return err == HF_OK && uses > 0 ? HF_E_STATE : err;
}

enum hf_err hf_group_close(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes name)
{
  enum hf_err err = group_unused(engine, name);
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "DELETE FROM grp WHERE name = ?");
  hf_stmt_put_text(stmt, name);
  err = hf_stmt_run(stmt);
  if (err != HF_OK) {
    return hf_engine_poison(engine, err);
  }
  if (hf_db_changes(engine->db) == 0) {
    return HF_E_NOT_FOUND;
  }
  hf_engine_touch(engine, HF_PULSE_GROUP);
  return hf_auditlog_put(engine, act, "group.close", name, act->reason);
}
