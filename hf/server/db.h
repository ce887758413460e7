/* SPDX-License-Identifier: Apache-2.0
 * The database: statements, rows and transactions, behind one table of functions. Knows nothing of devices.
 *
 * SQL handed to it keeps to what SQLite and PostgreSQL both understand: `?` for parameters (in order; never inside a
 * literal), `ON CONFLICT ... DO`, `RETURNING`, `LIMIT`; tables are made by hf/server/schema.h alone. Text is UTF-8.
 *
 * A statement is opened, filled from the left, stepped and closed; the driver keeps the compiled form, so opening the
 * same text again is cheap. A failed put shows at the next step: one check a statement.
 */
#ifndef HF_SERVER_DB_H
#define HF_SERVER_DB_H

#include "hf/base/bytes.h"

struct hf_db;
struct hf_stmt;

/** What a storage back end must answer. Context first; see the functions below for what each means. */
struct hf_db_ops {
  const char *name; /**< "sqlite" */
  uint32_t version; /**< of this table: 1 */
  enum hf_err (*open)(struct hf_db **db, const char *where, bool read_only);
  void (*close)(struct hf_db *db);
  enum hf_err (*run)(struct hf_db *db, const char *script);
  struct hf_stmt *(*stmt_open)(struct hf_db *db, const char *sql);
  void (*put_int)(struct hf_stmt *stmt, int64_t value);
  void (*put_text)(struct hf_stmt *stmt, struct hf_bytes text);
  void (*put_bytes)(struct hf_stmt *stmt, struct hf_bytes bytes);
  void (*put_null)(struct hf_stmt *stmt);
  enum hf_err (*step)(struct hf_stmt *stmt);
  int64_t (*get_int)(struct hf_stmt *stmt, int column);
  struct hf_bytes (*get_bytes)(struct hf_stmt *stmt, int column);
  bool (*get_null)(struct hf_stmt *stmt, int column);
  void (*stmt_close)(struct hf_stmt *stmt);
  enum hf_err (*begin)(struct hf_db *db);
  enum hf_err (*commit)(struct hf_db *db);
  void (*rollback)(struct hf_db *db);
  uint64_t (*changes)(struct hf_db *db);
};

/** SQLite 3: WAL, synchronous=FULL, foreign keys on. `where` is the file. */
extern const struct hf_db_ops hf_db_sqlite;

/** First member of what a driver gives for `struct hf_db`. */
struct hf_db {
  const struct hf_db_ops *ops;
};
/** First member of what a driver gives for `struct hf_stmt`. */
struct hf_stmt {
  const struct hf_db_ops *ops;
};

/**
 * Open, making the file when it is not there and may be written.
 * @param db     gives; close with hf_db_close
 * @param where  borrows: a file or a connection string, as the driver understands it
 * @return HF_OK; HF_E_NOT_FOUND: read-only and not there; HF_E_FULL; HF_E_IO; HF_E_INPUT: the file is no database
 */
HF_MUST enum hf_err hf_db_open(struct hf_db **db, const struct hf_db_ops *ops, const char *where, bool read_only);
/** Roll back what is open and close. `db` may be NULL. */
void hf_db_close(struct hf_db *db);

/** Run statements without parameters or rows: schema steps. */
HF_MUST enum hf_err hf_db_run(struct hf_db *db, const char *script);

/**
 * A statement ready to be filled.
 * @param sql  borrows until the call returns
 * @return never NULL: when it cannot be compiled or memory is short, every step of it fails. Close it.
 */
struct hf_stmt *hf_stmt_open(struct hf_db *db, const char *sql);
/** Fill the next parameter. Bytes are copied. */
void hf_stmt_put_int(struct hf_stmt *stmt, int64_t value);
void hf_stmt_put_text(struct hf_stmt *stmt, struct hf_bytes text);
void hf_stmt_put_bytes(struct hf_stmt *stmt, struct hf_bytes bytes);
void hf_stmt_put_null(struct hf_stmt *stmt);
/** Next row: HF_OK; HF_E_NOT_FOUND: no further row (a statement without rows says so when it is done); HF_E_FULL: disk
 * full, nothing of the statement happened; HF_E_EXISTS: a uniqueness rule; HF_E_AGAIN: another writer; HF_E_IO. */
HF_MUST enum hf_err hf_stmt_next(struct hf_stmt *stmt);
/** Columns of the present row, from 0. Views are borrowed until the next step or close. NULL gives 0 and empty. */
int64_t hf_stmt_get_int(struct hf_stmt *stmt, int column);
struct hf_bytes hf_stmt_get_bytes(struct hf_stmt *stmt, int column);
bool hf_stmt_get_null(struct hf_stmt *stmt, int column);
void hf_stmt_close(struct hf_stmt *stmt);
/** Step to the end, close: for statements whose rows nobody wants. HF_OK or the error. */
HF_MUST enum hf_err hf_stmt_run(struct hf_stmt *stmt);
/** First column of the first row as a number, close. HF_E_NOT_FOUND when there is no row. */
HF_MUST enum hf_err hf_stmt_run_int(struct hf_stmt *stmt, int64_t *value);

/** A transaction. After a failed commit it is rolled back already. */
HF_MUST enum hf_err hf_db_begin(struct hf_db *db);
HF_MUST enum hf_err hf_db_commit(struct hf_db *db);
void hf_db_rollback(struct hf_db *db);
/** A mark inside a transaction to go back to when one request of a group fails; marks do not nest. */
HF_MUST enum hf_err hf_db_mark(struct hf_db *db);
HF_MUST enum hf_err hf_db_mark_keep(struct hf_db *db);
HF_MUST enum hf_err hf_db_mark_undo(struct hf_db *db);
/** Rows changed by the last statement. */
uint64_t hf_db_changes(struct hf_db *db);

#endif
