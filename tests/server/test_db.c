/* SPDX-License-Identifier: Apache-2.0
 * The database and its schema on real files: transactions, a full disk, a kill between two commits, a newer version. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hf/server/schema.h"

struct world {
  char dir[64];
  char path[96];
  struct hf_db *db;
};

static int set_up(void **state)
{
  struct world *world = calloc(1, sizeof *world);
  assert_non_null(world);
  snprintf(world->dir, sizeof world->dir, "/tmp/hf-db-XXXXXX");
  assert_non_null(mkdtemp(world->dir));
  snprintf(world->path, sizeof world->path, "%s/holdfast.db", world->dir);
  assert_int_equal(hf_db_open(&world->db, &hf_db_sqlite, world->path, false), HF_OK);
  *state = world;
  return 0;
}

static int tear_down(void **state)
{
  struct world *world = *state;
  char command[96];
  hf_db_close(world->db);
  snprintf(command, sizeof command, "rm -rf '%s'", world->dir);
  assert_int_equal(system(command), 0); /* NOLINT: a path of ours */
  free(world);
  return 0;
}

static int64_t number(struct hf_db *db, const char *sql)
{
  int64_t value = -1;
  assert_int_equal(hf_stmt_run_int(hf_stmt_open(db, sql), &value), HF_OK);
  return value;
}

static enum hf_err put(struct hf_db *db, int64_t n)
{
  struct hf_stmt *stmt = hf_stmt_open(db, "INSERT INTO t VALUES (?, ?)");
  hf_stmt_put_int(stmt, n);
  hf_stmt_put_text(stmt, HF_LIT("text"));
  return hf_stmt_run(stmt);
}

/* ---- statements ---- */

static void gives_back_what_was_put(void **state)
{
  struct world *world = *state;
  assert_int_equal(hf_db_run(world->db, "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c BLOB, d TEXT)"), HF_OK);
  struct hf_stmt *stmt = hf_stmt_open(world->db, "INSERT INTO t VALUES (?, ?, ?, ?)");
  hf_stmt_put_int(stmt, INT64_MIN);
  hf_stmt_put_text(stmt, HF_LIT("a\0b"));
  hf_stmt_put_bytes(stmt, HF_LIT(""));
  hf_stmt_put_null(stmt);
  assert_int_equal(hf_stmt_run(stmt), HF_OK);
  assert_int_equal(hf_db_changes(world->db), 1);
  stmt = hf_stmt_open(world->db, "SELECT a, b, c, d FROM t");
  assert_int_equal(hf_stmt_next(stmt), HF_OK);
  assert_int_equal(hf_stmt_get_int(stmt, 0), INT64_MIN);
  assert_true(hf_bytes_equal(hf_stmt_get_bytes(stmt, 1), HF_LIT("a\0b")));
  assert_false(hf_stmt_get_null(stmt, 2));
  assert_int_equal(hf_stmt_get_bytes(stmt, 2).len, 0);
  assert_true(hf_stmt_get_null(stmt, 3));
  assert_int_equal(hf_stmt_next(stmt), HF_E_NOT_FOUND);
  assert_int_equal(hf_stmt_next(stmt), HF_E_NOT_FOUND);
  hf_stmt_close(stmt);
}

static void one_text_may_be_open_twice(void **state)
{
  struct world *world = *state;
  static const char sql[] = "SELECT 1 UNION ALL SELECT 2";
  struct hf_stmt *a = hf_stmt_open(world->db, sql);
  struct hf_stmt *b = hf_stmt_open(world->db, sql);
  assert_int_equal(hf_stmt_next(a), HF_OK);
  assert_int_equal(hf_stmt_next(b), HF_OK);
  assert_int_equal(hf_stmt_next(a), HF_OK);
  assert_int_equal(hf_stmt_get_int(a, 0), 2);
  assert_int_equal(hf_stmt_get_int(b, 0), 1);
  hf_stmt_close(a);
  hf_stmt_close(b);
  assert_int_equal(number(world->db, sql), 1); /* reset, not where it was left */
}

static void a_wrong_statement_fails_at_its_step(void **state)
{
  struct world *world = *state;
  struct hf_stmt *stmt = hf_stmt_open(world->db, "SELEKT ?");
  hf_stmt_put_int(stmt, 1);
  assert_int_equal(hf_stmt_run(stmt), HF_E_IO);
  stmt = hf_stmt_open(world->db, "SELECT ?");
  hf_stmt_put_int(stmt, 1);
  hf_stmt_put_int(stmt, 2);
  assert_int_equal(hf_stmt_run(stmt), HF_E_STATE);
}

static void tells_a_duplicate_apart(void **state)
{
  struct world *world = *state;
  assert_int_equal(hf_db_run(world->db, "CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)"), HF_OK);
  assert_int_equal(put(world->db, 1), HF_OK);
  assert_int_equal(put(world->db, 1), HF_E_EXISTS);
}

/* ---- transactions ---- */

static void rolls_back_and_goes_back_to_a_mark(void **state)
{
  struct world *world = *state;
  assert_int_equal(hf_db_run(world->db, "CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)"), HF_OK);
  assert_int_equal(hf_db_begin(world->db), HF_OK);
  assert_int_equal(put(world->db, 1), HF_OK);
  hf_db_rollback(world->db);
  assert_int_equal(number(world->db, "SELECT count(*) FROM t"), 0);
  assert_int_equal(hf_db_begin(world->db), HF_OK);
  assert_int_equal(put(world->db, 1), HF_OK);
  assert_int_equal(hf_db_mark(world->db), HF_OK);
  assert_int_equal(put(world->db, 2), HF_OK);
  assert_int_equal(hf_db_mark_undo(world->db), HF_OK);
  assert_int_equal(hf_db_mark(world->db), HF_OK);
  assert_int_equal(put(world->db, 3), HF_OK);
  assert_int_equal(hf_db_mark_keep(world->db), HF_OK);
  assert_int_equal(hf_db_commit(world->db), HF_OK);
  assert_int_equal(number(world->db, "SELECT sum(n) FROM t"), 4);
  assert_int_equal(hf_db_commit(world->db), HF_E_STATE);
}

static void a_reader_sees_only_what_is_committed_and_writes_nothing(void **state)
{
  struct world *world = *state;
  struct hf_db *reader;
  assert_int_equal(hf_db_run(world->db, "CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)"), HF_OK);
  assert_int_equal(hf_db_open(&reader, &hf_db_sqlite, world->path, true), HF_OK);
  assert_int_equal(hf_db_begin(world->db), HF_OK);
  assert_int_equal(put(world->db, 1), HF_OK);
  assert_int_equal(number(reader, "SELECT count(*) FROM t"), 0);
  assert_int_equal(hf_db_commit(world->db), HF_OK);
  assert_int_equal(number(reader, "SELECT count(*) FROM t"), 1);
  assert_int_equal(put(reader, 2), HF_E_STATE);
  hf_db_close(reader);
}

static void opens_only_what_is_there_and_a_database(void **state)
{
  struct world *world = *state;
  struct hf_db *db;
  char path[128];
  snprintf(path, sizeof path, "%s/none.db", world->dir);
  assert_int_equal(hf_db_open(&db, &hf_db_sqlite, path, true), HF_E_NOT_FOUND);
  assert_null(db);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  for (int i = 0; i < 1000; i++) {
    assert_true(fputs("this is a letter, not a database. ", file) >= 0);
  }
  assert_int_equal(fclose(file), 0);
  assert_int_equal(hf_db_open(&db, &hf_db_sqlite, path, false), HF_E_INPUT);
  assert_int_equal(hf_db_open(&db, &hf_db_sqlite, "/nowhere/x.db", false), HF_E_IO);
}

/* ---- a full disk ---- */

static void a_full_disk_is_told_apart_and_leaves_nothing_half_written(void **state)
{
  struct world *world = *state;
  assert_int_equal(
      hf_db_run(world->db, "CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT); PRAGMA max_page_count = 40"), HF_OK);
  int64_t n = 0;
  int64_t committed = 0;
  enum hf_err err = HF_OK;
  while (err == HF_OK) {
    assert_int_equal(hf_db_begin(world->db), HF_OK);
    for (int i = 0; i < 100 && err == HF_OK; i++) {
      err = put(world->db, ++n);
    }
    if (err == HF_OK) {
      err = hf_db_commit(world->db);
      committed = err == HF_OK ? n : committed;
    } else {
      /* Whatever SQLite did with the transaction, nothing more of this group may reach the file. */
      assert_int_not_equal(hf_db_commit(world->db) == HF_OK && number(world->db, "SELECT max(n) FROM t") == n, true);
      hf_db_rollback(world->db);
    }
    assert_true(n < 100000);
  }
  assert_int_equal(err, HF_E_FULL);
  assert_int_equal(number(world->db, "SELECT count(*) % 100 FROM t"), 0);
  assert_true(number(world->db, "SELECT max(n) FROM t") >= committed);
  assert_int_equal(hf_db_run(world->db, "PRAGMA max_page_count = 1000"), HF_OK);
  assert_int_equal(put(world->db, n + 1000), HF_OK);
}

/* The operating system's own refusal: no file may grow past the limit. */
static void a_write_that_the_system_refuses_is_a_full_disk_too(void **state)
{
  struct world *world = *state;
  assert_int_equal(hf_db_run(world->db, "CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)"), HF_OK);
  pid_t child = fork();
  if (child == 0) {
    struct hf_db *db;
    struct rlimit limit = {.rlim_cur = 200 * 1024, .rlim_max = RLIM_INFINITY};
    (void)signal(SIGXFSZ, SIG_IGN);
    if (hf_db_open(&db, &hf_db_sqlite, world->path, false) != HF_OK || setrlimit(RLIMIT_FSIZE, &limit) != 0) {
      _exit(1);
    }
    enum hf_err err = HF_OK;
    int64_t n = 0;
    while (err == HF_OK && n < 100000) {
      err = hf_db_begin(db);
      for (int i = 0; i < 50 && err == HF_OK; i++) {
        err = put(db, ++n);
      }
      err = err == HF_OK ? hf_db_commit(db) : err;
    }
    _exit(err == HF_E_FULL ? 0 : 2);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  assert_int_equal(number(world->db, "SELECT count(*) % 50 FROM t"), 0);
}

/* ---- a kill ---- */

static void a_kill_loses_nothing_that_was_committed(void **state)
{
  struct world *world = *state;
  assert_int_equal(hf_db_run(world->db, "CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)"), HF_OK);
  int64_t told = 0;
  for (int round = 0; round < 12; round++) {
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
      struct hf_db *db;
      int64_t n = told;
      if (hf_db_open(&db, &hf_db_sqlite, world->path, false) != HF_OK) {
        _exit(1);
      }
      for (;;) {
        bool good =
            hf_db_begin(db) == HF_OK && put(db, n + 1) == HF_OK && put(db, n + 2) == HF_OK && hf_db_commit(db) == HF_OK;
        n += 2;
        if (!good || write(pipes[1], &n, sizeof n) != (ssize_t)sizeof n) {
          _exit(1);
        }
      }
    }
    (void)close(pipes[1]);
    for (int i = 0; i < 3 + round * 5; i++) {
      assert_int_equal(read(pipes[0], &told, sizeof told), sizeof told);
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    int64_t last;
    while (read(pipes[0], &last, sizeof last) == (ssize_t)sizeof last) {
      told = last;
    }
    (void)close(pipes[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    int64_t there = number(world->db, "SELECT count(*) FROM t");
    assert_true(there >= told && there % 2 == 0); /* all that was told, and no half of a pair */
    told = there;
  }
}

/* ---- the schema ---- */

static void makes_the_tables_once(void **state)
{
  struct world *world = *state;
  assert_int_equal(hf_schema_check(world->db), HF_E_AGAIN);
  assert_int_equal(hf_schema_init(world->db), HF_OK);
  assert_int_equal(hf_schema_check(world->db), HF_OK);
  int64_t tables = number(world->db, "SELECT count(*) FROM sqlite_master WHERE type = 'table'");
  assert_int_equal(hf_schema_init(world->db), HF_OK);
  assert_int_equal(number(world->db, "SELECT count(*) FROM sqlite_master WHERE type = 'table'"), tables);
}

static void leaves_a_newer_database_alone(void **state)
{
  struct world *world = *state;
  assert_int_equal(hf_schema_init(world->db), HF_OK);
  assert_int_equal(hf_db_run(world->db, "UPDATE meta SET value = '999' WHERE key = 'schema'; DROP TABLE outbox"),
                   HF_OK);
  assert_int_equal(hf_schema_init(world->db), HF_E_VERSION);
  assert_int_equal(hf_schema_check(world->db), HF_E_VERSION);
  assert_int_equal(number(world->db, "SELECT count(*) FROM sqlite_master WHERE name = 'outbox'"), 0);
  assert_int_equal(hf_db_run(world->db, "UPDATE meta SET value = '-1' WHERE key = 'schema'"), HF_OK);
  assert_int_equal(hf_schema_init(world->db), HF_E_VERSION);
}

static void a_schema_that_does_not_fit_on_the_disk_is_not_begun(void **state)
{
  struct world *world = *state;
  assert_int_equal(hf_db_run(world->db, "PRAGMA max_page_count = 12"), HF_OK);
  assert_int_equal(hf_schema_init(world->db), HF_E_FULL);
  assert_int_equal(number(world->db, "SELECT count(*) FROM sqlite_master"), 0);
  assert_int_equal(hf_db_run(world->db, "PRAGMA max_page_count = 100000"), HF_OK);
  assert_int_equal(hf_schema_init(world->db), HF_OK);
}

static void counts_of_the_overview_follow_every_change(void **state)
{
  struct world *world = *state;
  struct hf_db *db = world->db;
  assert_int_equal(hf_schema_init(db), HF_OK);
  for (int i = 0; i < 3; i++) {
    struct hf_stmt *stmt =
        hf_stmt_open(db, "INSERT INTO device (id, product, hardware, created) VALUES (?, 'p', 'h', 1)");
    char id[] = "sn-0";
    id[3] = (char)('0' + i);
    hf_stmt_put_text(stmt, hf_bytes_text(id));
    assert_int_equal(hf_stmt_run(stmt), HF_OK);
  }
  assert_int_equal(
      hf_db_run(db, "UPDATE device SET state = 5, version = '1.0.0' WHERE id <> 'sn-0'; UPDATE device SET blocked = 1"
                    " WHERE id = 'sn-1'; DELETE FROM device WHERE id = 'sn-2'; UPDATE device SET last_seen = 9"),
      HF_OK);
  assert_int_equal(number(db, "SELECT sum(count) FROM tally"), 2);
  assert_int_equal(number(db, "SELECT count FROM tally WHERE version = '' AND state = 0 AND blocked = 0"), 1);
  assert_int_equal(number(db, "SELECT count FROM tally WHERE version = '1.0.0' AND state = 5 AND blocked = 1"), 1);
  assert_int_equal(number(db, "SELECT count(*) FROM tally"), 2); /* what counts nobody is gone */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(gives_back_what_was_put),
      TEST(one_text_may_be_open_twice),
      TEST(a_wrong_statement_fails_at_its_step),
      TEST(tells_a_duplicate_apart),
      TEST(rolls_back_and_goes_back_to_a_mark),
      TEST(a_reader_sees_only_what_is_committed_and_writes_nothing),
      TEST(opens_only_what_is_there_and_a_database),
      TEST(a_full_disk_is_told_apart_and_leaves_nothing_half_written),
      TEST(a_write_that_the_system_refuses_is_a_full_disk_too),
      TEST(a_kill_loses_nothing_that_was_committed),
      TEST(makes_the_tables_once),
      TEST(leaves_a_newer_database_alone),
      TEST(a_schema_that_does_not_fit_on_the_disk_is_not_begun),
      TEST(counts_of_the_overview_follow_every_change),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
