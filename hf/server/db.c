/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/db.h"

enum hf_err hf_db_open(struct hf_db **db, const struct hf_db_ops *ops, const char *where, bool read_only)
{
  *db = NULL;
  return ops->open(db, where, read_only);
}

void hf_db_close(struct hf_db *db)
{
  if (db != NULL) {
    db->ops->close(db);
  }
}

enum hf_err hf_db_run(struct hf_db *db, const char *script) { return db->ops->run(db, script); }

struct hf_stmt *hf_stmt_open(struct hf_db *db, const char *sql) { return db->ops->stmt_open(db, sql); }

void hf_stmt_put_int(struct hf_stmt *stmt, int64_t value) { stmt->ops->put_int(stmt, value); }

void hf_stmt_put_text(struct hf_stmt *stmt, struct hf_bytes text) { stmt->ops->put_text(stmt, text); }

void hf_stmt_put_bytes(struct hf_stmt *stmt, struct hf_bytes bytes) { stmt->ops->put_bytes(stmt, bytes); }

void hf_stmt_put_null(struct hf_stmt *stmt) { stmt->ops->put_null(stmt); }

enum hf_err hf_stmt_next(struct hf_stmt *stmt) { return stmt->ops->step(stmt); }

int64_t hf_stmt_get_int(struct hf_stmt *stmt, int column) { return stmt->ops->get_int(stmt, column); }

struct hf_bytes hf_stmt_get_bytes(struct hf_stmt *stmt, int column) { return stmt->ops->get_bytes(stmt, column); }

bool hf_stmt_get_null(struct hf_stmt *stmt, int column) { return stmt->ops->get_null(stmt, column); }

void hf_stmt_close(struct hf_stmt *stmt) { stmt->ops->stmt_close(stmt); }

enum hf_err hf_stmt_run(struct hf_stmt *stmt)
{
  enum hf_err err;
  do {
    err = hf_stmt_next(stmt);
  } while (err == HF_OK);
  hf_stmt_close(stmt);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

enum hf_err hf_stmt_run_int(struct hf_stmt *stmt, int64_t *value)
{
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    *value = hf_stmt_get_int(stmt, 0);
  }
  hf_stmt_close(stmt);
  return err;
}

enum hf_err hf_db_begin(struct hf_db *db) { return db->ops->begin(db); }

enum hf_err hf_db_commit(struct hf_db *db) { return db->ops->commit(db); }

void hf_db_rollback(struct hf_db *db) { db->ops->rollback(db); }

enum hf_err hf_db_mark(struct hf_db *db) { return hf_stmt_run(hf_stmt_open(db, "SAVEPOINT mark")); }

enum hf_err hf_db_mark_keep(struct hf_db *db) { return hf_stmt_run(hf_stmt_open(db, "RELEASE SAVEPOINT mark")); }

enum hf_err hf_db_mark_undo(struct hf_db *db)
{
  enum hf_err err = hf_stmt_run(hf_stmt_open(db, "ROLLBACK TO SAVEPOINT mark"));
  return err == HF_OK ? hf_db_mark_keep(db) : err;
}

uint64_t hf_db_changes(struct hf_db *db) { return db->ops->changes(db); }
