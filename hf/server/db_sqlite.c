/* SPDX-License-Identifier: Apache-2.0
 * hf/server/db.h over SQLite 3: one connection, one thread.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "hf/base/assert.h"
#include "hf/server/db.h"

/* The engine has some 150 different statements; more than this are compiled each time. */
#define CACHE_SLOTS 512
/* A reader never blocks a writer in WAL; this is for a checkpoint or a backup tool holding the lock for a moment. */
#define BUSY_MS 2000
/* Pages; about 8 MiB of page cache. */
#define CACHE_KIB "-8192"

struct lite_stmt {
  struct hf_stmt head;
  struct lite *db;
  sqlite3_stmt *native;
  char *sql; /* own copy: the key in the cache */
  int next;  /* parameter to fill next, from 1 */
  enum hf_err err;
  bool cached;
  bool busy;
};

struct lite {
  struct hf_db head;
  sqlite3 *native;
  struct lite_stmt *cache[CACHE_SLOTS];
  bool in_transaction;
};

static struct lite *lite_of(struct hf_db *db) { return (struct lite *)(void *)db; }

static struct lite_stmt *lite_stmt_of(struct hf_stmt *stmt) { return (struct lite_stmt *)(void *)stmt; }

static bool no_room(int reason) { return reason == ENOSPC || reason == EDQUOT || reason == EFBIG; }

/* A quota or a file limit is an I/O error to SQLite, whose own cleaning up hides errno: the file that failed remembers.
 */
static bool room_ended(sqlite3 *native)
{
  static const int files[] = {SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER};
  bool ended = no_room(sqlite3_system_errno(native));
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    sqlite3_file *file = NULL;
    int reason = 0;
    bool there =
        sqlite3_file_control(native, "main", files[i], &file) == SQLITE_OK && file != NULL && file->pMethods != NULL;
    if (there && file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &reason) == SQLITE_OK) {
      ended = ended || no_room(reason);
    }
  }
  return ended;
}

/* A disk without room shows as SQLITE_FULL, or as an I/O error with the reason underneath. */
static enum hf_err err_of(sqlite3 *native, int code)
{
  switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW: return HF_OK;
    case SQLITE_DONE: return HF_E_NOT_FOUND;
    case SQLITE_FULL: return HF_E_FULL;
    case SQLITE_CONSTRAINT: return HF_E_EXISTS;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return HF_E_AGAIN;
    case SQLITE_TOOBIG: return HF_E_SPACE;
    case SQLITE_READONLY: return HF_E_STATE;
    case SQLITE_NOTADB: return HF_E_INPUT;
    default: break;
  }
  return native != NULL && (code & 0xff) == SQLITE_IOERR && room_ended(native) ? HF_E_FULL : HF_E_IO;
}

static enum hf_err lite_run(struct hf_db *db, const char *script)
{
  struct lite *lite = lite_of(db);
  int code = sqlite3_exec(lite->native, script, NULL, NULL, NULL);
  return code == SQLITE_OK ? HF_OK : err_of(lite->native, code);
}

static void stmt_free(struct lite_stmt *stmt)
{
  if (stmt != NULL) {
    sqlite3_finalize(stmt->native);
    free(stmt->sql);
    free(stmt);
  }
}

static void lite_close(struct hf_db *db)
{
  struct lite *lite = lite_of(db);
  for (size_t i = 0; i < CACHE_SLOTS; i++) {
    stmt_free(lite->cache[i]);
  }
  sqlite3_close(lite->native);
  free(lite);
}

/* WAL so that readers and the writer do not wait for each other; FULL so that a commit that returned is on the disk. */
static enum hf_err pragmas_run(struct lite *lite, bool read_only)
{
  enum hf_err err =
      lite_run(&lite->head, "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
                            "PRAGMA temp_store = MEMORY; PRAGMA cache_size = " CACHE_KIB);
  if (err == HF_OK && read_only) {
    return lite_run(&lite->head, "PRAGMA query_only = ON; SELECT count(*) FROM sqlite_master");
  }
  if (err == HF_OK) {
    err = lite_run(&lite->head,
                   "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864");
  }
  return err;
}

static enum hf_err lite_open(struct hf_db **db, const char *where, bool read_only)
{
  struct lite *lite = calloc(1, sizeof *lite);
  if (lite == NULL) {
    return HF_E_IO;
  }
  lite->head.ops = &hf_db_sqlite;
  int flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  int code = sqlite3_open_v2(where, &lite->native, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
  if (code != SQLITE_OK) {
    enum hf_err err = read_only && (code & 0xff) == SQLITE_CANTOPEN ? HF_E_NOT_FOUND : err_of(lite->native, code);
    lite_close(&lite->head);
    return err;
  }
  (void)sqlite3_extended_result_codes(lite->native, 1);
  (void)sqlite3_busy_timeout(lite->native, BUSY_MS);
  enum hf_err err = pragmas_run(lite, read_only);
  if (err != HF_OK) {
    lite_close(&lite->head);
    return err;
  }
  *db = &lite->head;
  return HF_OK;
}

static size_t slot_of(const char *sql)
{
  uint32_t hash = 2166136261u; /* FNV-1a */
  for (const char *c = sql; *c != 0; c++) {
    hash = (hash ^ (uint8_t)*c) * 16777619u;
  }
  return hash % CACHE_SLOTS;
}

static struct lite_stmt *stmt_new(struct lite *lite, const char *sql)
{
  struct lite_stmt *stmt = calloc(1, sizeof *stmt);
  HF_ASSERT(stmt != NULL); /* as the page cache: without a few hundred bytes the process cannot go on */
  stmt->head.ops = &hf_db_sqlite;
  stmt->db = lite;
  int code = sqlite3_prepare_v3(lite->native, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt->native, NULL);
  stmt->err = code == SQLITE_OK ? HF_OK : err_of(lite->native, code);
  return stmt;
}

/* One home for each text, no probing: two texts on one slot only means that the second is compiled each time. */
static struct hf_stmt *lite_stmt_open(struct hf_db *db, const char *sql)
{
  struct lite *lite = lite_of(db);
  struct lite_stmt **slot = &lite->cache[slot_of(sql)];
  struct lite_stmt *stmt = *slot;
  if (stmt == NULL || stmt->busy || strcmp(stmt->sql, sql) != 0) {
    stmt = stmt_new(lite, sql);
    if (*slot == NULL && stmt->err == HF_OK) {
      stmt->sql = strdup(sql);
      stmt->cached = stmt->sql != NULL;
      *slot = stmt->cached ? stmt : NULL;
    }
  }
  stmt->next = 1;
  stmt->busy = true;
  return &stmt->head;
}

static void put_done(struct lite_stmt *stmt, int code)
{
  stmt->next++;
  if (code != SQLITE_OK && stmt->err == HF_OK) {
    stmt->err = code == SQLITE_RANGE ? HF_E_STATE : err_of(stmt->db->native, code);
  }
}

static void lite_put_int(struct hf_stmt *stmt, int64_t value)
{
  struct lite_stmt *lite = lite_stmt_of(stmt);
  put_done(lite, sqlite3_bind_int64(lite->native, lite->next, value));
}

static void lite_put_text(struct hf_stmt *stmt, struct hf_bytes text)
{
  struct lite_stmt *lite = lite_stmt_of(stmt);
  const char *at = text.len == 0 ? "" : (const char *)text.at;
  put_done(lite, sqlite3_bind_text64(lite->native, lite->next, at, text.len, SQLITE_TRANSIENT, SQLITE_UTF8));
}

static void lite_put_bytes(struct hf_stmt *stmt, struct hf_bytes bytes)
{
  struct lite_stmt *lite = lite_stmt_of(stmt);
  const void *at = bytes.len == 0 ? "" : (const void *)bytes.at;
  put_done(lite, sqlite3_bind_blob64(lite->native, lite->next, at, bytes.len, SQLITE_TRANSIENT));
}

static void lite_put_null(struct hf_stmt *stmt)
{
  struct lite_stmt *lite = lite_stmt_of(stmt);
  put_done(lite, sqlite3_bind_null(lite->native, lite->next));
}

static enum hf_err lite_step(struct hf_stmt *stmt)
{
  struct lite_stmt *lite = lite_stmt_of(stmt);
  if (lite->err != HF_OK) {
    return lite->err;
  }
  if (lite->db->in_transaction && sqlite3_get_autocommit(lite->db->native) != 0) {
    /* An error before this one (a full disk) ended the transaction: this statement would stand alone. */
    return HF_E_STATE;
  }
  HF_ASSERT(lite->next == sqlite3_bind_parameter_count(lite->native) + 1); /* a forgotten parameter is our mistake */
  int code = sqlite3_step(lite->native);
  if (code == SQLITE_ROW) {
    return HF_OK;
  }
  lite->err = err_of(lite->db->native, code); /* also the end of rows stays */
  return lite->err;
}

static int64_t lite_get_int(struct hf_stmt *stmt, int column)
{
  return sqlite3_column_int64(lite_stmt_of(stmt)->native, column);
}

static struct hf_bytes lite_get_bytes(struct hf_stmt *stmt, int column)
{
  sqlite3_stmt *native = lite_stmt_of(stmt)->native;
  bool blob = sqlite3_column_type(native, column) == SQLITE_BLOB;
  const void *at = blob ? sqlite3_column_blob(native, column) : sqlite3_column_text(native, column);
  int len = sqlite3_column_bytes(native, column);
  return hf_bytes_init(at, at == NULL ? 0 : (size_t)len);
}

static bool lite_get_null(struct hf_stmt *stmt, int column)
{
  return sqlite3_column_type(lite_stmt_of(stmt)->native, column) == SQLITE_NULL;
}

static void lite_stmt_close(struct hf_stmt *stmt)
{
  struct lite_stmt *lite = lite_stmt_of(stmt);
  lite->busy = false;
  if (!lite->cached) {
    stmt_free(lite);
    return;
  }
  (void)sqlite3_reset(lite->native); /* repeats the error that step has told already */
  (void)sqlite3_clear_bindings(lite->native);
  lite->err = HF_OK;
}

static enum hf_err lite_begin(struct hf_db *db)
{
  /* Deferred: a group that only read costs nothing. There is one writer, so upgrading later cannot collide. */
  enum hf_err err = hf_stmt_run(lite_stmt_open(db, "BEGIN"));
  lite_of(db)->in_transaction = err == HF_OK;
  return err;
}

static void lite_rollback(struct hf_db *db)
{
  struct lite *lite = lite_of(db);
  /* SQLite may have rolled back by itself, as it does on a full disk. */
  if (sqlite3_get_autocommit(lite->native) == 0) {
    (void)lite_run(db, "ROLLBACK");
  }
  lite->in_transaction = false;
}

static enum hf_err lite_commit(struct hf_db *db)
{
  struct lite *lite = lite_of(db);
  if (!lite->in_transaction || sqlite3_get_autocommit(lite->native) != 0) {
    bool ended_early = lite->in_transaction;
    lite->in_transaction = false;
    return ended_early ? HF_E_IO : HF_E_STATE;
  }
  enum hf_err err = hf_stmt_run(lite_stmt_open(db, "COMMIT"));
  if (err != HF_OK) {
    lite_rollback(db);
  }
  lite->in_transaction = false;
  return err;
}

static uint64_t lite_changes(struct hf_db *db) { return (uint64_t)sqlite3_changes64(lite_of(db)->native); }

const struct hf_db_ops hf_db_sqlite = {
    .name = "sqlite",
    .version = 1,
    .open = lite_open,
    .close = lite_close,
    .run = lite_run,
    .stmt_open = lite_stmt_open,
    .put_int = lite_put_int,
    .put_text = lite_put_text,
    .put_bytes = lite_put_bytes,
    .put_null = lite_put_null,
    .step = lite_step,
    .get_int = lite_get_int,
    .get_bytes = lite_get_bytes,
    .get_null = lite_get_null,
    .stmt_close = lite_stmt_close,
    .begin = lite_begin,
    .commit = lite_commit,
    .rollback = lite_rollback,
    .changes = lite_changes,
};
