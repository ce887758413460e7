/* SPDX-License-Identifier: Apache-2.0
 * Proof from the inside: each kind of process, narrowed and sealed, tries what it must not be able to do.
 *
 * Each attempt runs in a process of its own. "killed" means SIGSYS: the process is gone before the call does anything.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hf/server/child.h"
#include "hf/server/landlock.h"
#include "hf/server/sandbox.h"

/* What came of an attempt. */
enum outcome { DONE = 0, REFUSED = 1, KILLED = 2, BROKEN = 3 };

static char dir[64];

/* ---- a workspace's skeleton ---- */

static void make(const char *path, const char *content)
{
  char whole[256];
  (void)snprintf(whole, sizeof whole, "%s/%s", dir, path);
  if (content == NULL) {
    assert_int_equal(mkdir(whole, 0700), 0);
    return;
  }
  FILE *file = fopen(whole, "w");
  assert_non_null(file);
  assert_true(fputs(content, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
  (void)state;
  (void)snprintf(dir, sizeof dir, "/tmp/hf-sandbox-XXXXXX");
  assert_non_null(mkdtemp(dir));
  static const char *const folders[] = {"offline",   "operator",    "server",       "server/vault",   "server/tls",
                                        "server/db", "server/repo", "server/spool", "server/director"};
  for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
    make(folders[i], NULL);
  }
  make("holdfast.json", "{}");
  make("offline/root.pem", "key");
  make("operator/operator.json", "token");
  make("server/vault/director.pem", "key");
  make("server/vault/vault.log", "");
  make("server/tls/server.key", "key");
  make("server/tls/device-ca.crt", "certificate");
  make("server/db/holdfast.db", "data");
  make("server/repo/a.json", "{}");
  make("server/spool/upload", "bytes");
  make("server/director/1.root.json", "{}");
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  char command[128];
  (void)snprintf(command, sizeof command, "rm -rf %s", dir);
  return system(command) == 0 ? 0 : 1;
}

/* ---- attempts: true when it could be done ---- */

static bool open_with(const char *path, int flags)
{
  char whole[256];
  (void)snprintf(whole, sizeof whole, "%s%s%s", path[0] == '/' ? "" : dir, path[0] == '/' ? "" : "/", path);
  int fd = open(whole, flags | O_CLOEXEC, 0600);
  return fd >= 0;
}

static bool reads(const char *path) { return open_with(path, O_RDONLY); }
static bool writes(const char *path) { return open_with(path, O_WRONLY); }
static bool creates(const char *path) { return open_with(path, O_WRONLY | O_CREAT | O_EXCL); }

static bool removes(const char *path)
{
  char whole[256];
  (void)snprintf(whole, sizeof whole, "%s/%s", dir, path);
  return unlink(whole) == 0;
}

static bool opens_socket(const char *argument)
{
  (void)argument;
  return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

/* `argument` is a socket made before narrowing: a leaked descriptor must not help. */
static bool connects(const char *argument)
{
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  return connect((int)strtol(argument, NULL, 10), (const struct sockaddr *)&to, sizeof to) == 0 ||
         errno == ECONNREFUSED;
}

static bool listens(const char *argument)
{
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  return bind((int)strtol(argument, NULL, 10), (const struct sockaddr *)&at, sizeof at) == 0;
}

static bool runs_a_program(const char *argument)
{
  char *argv[] = {(char *)(uintptr_t)argument, NULL};
  char *none[] = {NULL};
  (void)execve(argument, argv, none);
  return false;
}

static bool traces_its_parent(const char *argument)
{
  (void)argument;
  return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
}

static bool signals_its_parent(const char *argument)
{
  (void)argument;
  return kill(getppid(), 0) == 0;
}

static bool maps_memory(const char *argument)
{
  (void)argument;
  return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool makes_memory_executable(const char *argument)
{
  (void)argument;
  void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mprotect(at, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool gains_privileges(const char *argument)
{
  (void)argument;
  return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0; /* sealed processes may not even ask */
}

static bool dumps_core(const char *argument)
{
  struct rlimit core;
  (void)argument;
  return getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0;
}

/* Run one attempt in a process of this kind; `sealed` or only entered. */
static enum outcome try_it(enum hf_process process, bool sealed, bool (*what)(const char *), const char *argument)
{
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    char number[16];
    if (argument != NULL && strcmp(argument, "socket") == 0) {
      (void)snprintf(number, sizeof number, "%d", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      argument = number;
    }
    bool narrowed = hf_sandbox_enter(process, dir) == HF_OK && (!sealed || hf_sandbox_seal(process, dir) == HF_OK);
    _exit(!narrowed ? BROKEN : what(argument) ? DONE : REFUSED);
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  if (WIFSIGNALED(status)) {
    return WTERMSIG(status) == SIGSYS ? KILLED : BROKEN;
  }
  return (enum outcome)WEXITSTATUS(status);
}

struct row {
  enum hf_process process;
  bool sealed;
  bool (*what)(const char *argument);
  const char *argument;
  bool allowed; /* else refused or killed */
};

static void check_rows(const struct row *rows, size_t count)
{
  static const char *const outcomes[] = {"done", "refused", "killed", "broken"};
  for (size_t i = 0; i < count; i++) {
    enum outcome outcome = try_it(rows[i].process, rows[i].sealed, rows[i].what, rows[i].argument);
    bool good = rows[i].allowed ? outcome == DONE : outcome == REFUSED || outcome == KILLED;
    if (!good) {
      fail_msg("row %zu (%s, %s): %s", i, hf_process_name(rows[i].process),
               rows[i].argument == NULL ? "-" : rows[i].argument, outcomes[outcome]);
    }
  }
}

#define CHECK(rows) check_rows(rows, sizeof rows / sizeof rows[0])

/* ---- the proofs ---- */

static void nobody_reaches_the_offline_keys_or_the_operators_login(void **state)
{
  (void)state;
  for (enum hf_process process = HF_KEEPER; process < HF_PROCESS_COUNT; process++) {
    for (int sealed = 0; sealed < 2; sealed++) {
      const struct row rows[] = {
          {process, sealed, reads, "offline/root.pem", false},
          {process, sealed, writes, "offline/root.pem", false},
          {process, sealed, creates, "offline/new", false},
          {process, sealed, removes, "offline/root.pem", false},
          {process, sealed, reads, "operator/operator.json", false},
          {process, sealed, writes, "holdfast.json", false},
          {process, sealed, reads, "/etc/shadow", false},
          {process, sealed, creates, "/tmp/hf-escaped", false},
          {process, sealed, runs_a_program, "/bin/true", false},
          {process, sealed, gains_privileges, NULL, false},
          {process, sealed, dumps_core, NULL, false},
      };
      /* keeper may read /etc, because courier must: its own rights are the union of its children's. */
      for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (process == HF_KEEPER && rows[i].argument != NULL && strcmp(rows[i].argument, "/etc/shadow") == 0) {
          continue;
        }
        check_rows(&rows[i], 1);
      }
    }
  }
  assert_int_not_equal(access("/tmp/hf-escaped", F_OK), 0);
}

static void front_has_no_database_no_vault_and_no_way_out(void **state)
{
  (void)state;
  static const struct row rows[] = {
      {HF_FRONT, true, reads, "server/db/holdfast.db", false},
      {HF_FRONT, false, reads, "server/db/holdfast.db", false},
      {HF_FRONT, true, reads, "server/vault/director.pem", false},
      {HF_FRONT, false, reads, "server/vault/director.pem", false},
      {HF_FRONT, false, reads, "server/tls/server.key", true}, /* to start */
      {HF_FRONT, true, reads, "server/tls/server.key", false}, /* never again */
      {HF_FRONT, true, reads, "server/repo/a.json", true},
      {HF_FRONT, true, writes, "server/repo/a.json", false},
      {HF_FRONT, true, creates, "server/repo/b.json", false},
      {HF_FRONT, true, removes, "server/repo/a.json", false},
      {HF_FRONT, true, creates, "server/spool/mine", true},
      {HF_FRONT, true, opens_socket, NULL, false},
      {HF_FRONT, true, connects, "socket", false},
      {HF_FRONT, true, listens, "socket", false},
      {HF_FRONT, true, maps_memory, NULL, true}, /* that the process still works at all */
  };
  CHECK(rows);
}

static void vault_has_no_network_and_after_the_start_no_files(void **state)
{
  (void)state;
  static const struct row rows[] = {
      {HF_VAULT, false, reads, "server/vault/director.pem", true},
      {HF_VAULT, true, reads, "server/vault/director.pem", false},
      {HF_VAULT, true, writes, "server/vault/vault.log", false}, /* the open descriptor is all it has */
      {HF_VAULT, true, removes, "server/vault/vault.log", false},
      {HF_VAULT, false, reads, "server/db/holdfast.db", false},
      {HF_VAULT, false, reads, "server/tls/server.key", false},
      {HF_VAULT, false, reads, "server/tls/device-ca.crt", true},
      {HF_VAULT, false, opens_socket, NULL, false},
      {HF_VAULT, true, opens_socket, NULL, false},
      {HF_VAULT, false, connects, "socket", false},
      {HF_VAULT, true, listens, "socket", false},
  };
  CHECK(rows);
  assert_int_equal(try_it(HF_VAULT, true, opens_socket, NULL), KILLED);
  assert_int_equal(try_it(HF_VAULT, true, runs_a_program, "/bin/true"), KILLED);
}

static void engine_stores_and_publishes_and_nothing_else(void **state)
{
  (void)state;
  static const struct row rows[] = {
      {HF_ENGINE, true, writes, "server/db/holdfast.db", true},
      {HF_ENGINE, true, creates, "server/repo/c.json", true},
      {HF_ENGINE, true, reads, "server/director/1.root.json", true},
      {HF_ENGINE, true, creates, "server/director/2.root.json", true}, /* publishes what the holders signed */
      {HF_ENGINE, true, reads, "server/vault/director.pem", false},
      {HF_ENGINE, false, reads, "server/vault/director.pem", false},
      {HF_ENGINE, false, removes, "server/vault/director.pem", false},
      {HF_ENGINE, false, reads, "server/tls/server.key", false},
      {HF_ENGINE, true, opens_socket, NULL, false},
      {HF_ENGINE, true, connects, "socket", false},
      {HF_ENGINE, true, listens, "socket", false},
  };
  CHECK(rows);
}

static void reader_writes_no_row(void **state)
{
  (void)state;
  static const struct row rows[] = {
      {HF_READER, true, reads, "server/db/holdfast.db", true},
      {HF_READER, true, writes, "server/db/holdfast.db", false},
      {HF_READER, true, creates, "server/db/new", false},
      {HF_READER, true, removes, "server/db/holdfast.db", false},
      {HF_READER, true, reads, "server/vault/director.pem", false},
      {HF_READER, true, writes, "server/repo/a.json", false},
      {HF_READER, true, opens_socket, NULL, false},
      {HF_READER, true, connects, "socket", false},
  };
  CHECK(rows);
}

static void courier_has_the_network_and_no_data(void **state)
{
  (void)state;
  static const struct row rows[] = {
      {HF_COURIER, true, opens_socket, NULL, true},
      {HF_COURIER, true, connects, "socket", true},
      {HF_COURIER, true, reads, "/etc/hosts", true},
      {HF_COURIER, true, reads, "server/db/holdfast.db", false},
      {HF_COURIER, false, reads, "server/vault/director.pem", false},
      {HF_COURIER, true, reads, "server/spool/upload", false},
      {HF_COURIER, true, reads, "/etc/passwd", false},
  };
  CHECK(rows);
  if (hf_landlock_version() >= 4) {
    assert_int_equal(try_it(HF_COURIER, true, listens, "socket"), REFUSED);
  }
}

static void no_process_reaches_into_another(void **state)
{
  (void)state;
  for (enum hf_process process = HF_FRONT; process < HF_PROCESS_COUNT; process++) {
    const struct row trace = {process, true, traces_its_parent, NULL, false};
    check_rows(&trace, 1);
    if (hf_landlock_version() >= 6) {
      const struct row signal = {process, true, signals_its_parent, NULL, false};
      check_rows(&signal, 1);
    }
  }
}

static void data_never_becomes_code(void **state)
{
  (void)state;
  static const enum hf_process kinds[] = {HF_FRONT, HF_ENGINE, HF_READER, HF_VAULT};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    /* The sanitizers' run time needs it, so only a release build can prove it. */
    assert_int_equal(try_it(kinds[i], true, makes_memory_executable, NULL), HF_SANITIZED ? DONE : KILLED);
  }
}

static void a_missing_folder_is_a_refusal_not_a_hole(void **state)
{
  (void)state;
  char path[128];
  char aside[136];
  (void)snprintf(path, sizeof path, "%s/server/tls", dir);
  (void)snprintf(aside, sizeof aside, "%s.aside", path);
  assert_int_equal(rename(path, aside), 0);
  assert_int_equal(try_it(HF_FRONT, false, maps_memory, NULL), BROKEN);
  assert_int_equal(rename(aside, path), 0);
}

static void only_listed_descriptors_survive(void **state)
{
  (void)state;
  pid_t pid = fork();
  if (pid == 0) {
    int keep[3] = {-1, 0, 0};
    int others[4];
    for (size_t i = 0; i < 4; i++) {
      others[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    keep[1] = others[2];
    keep[2] = others[0];
    hf_sandbox_close_others(keep, 3);
    bool good = fcntl(others[0], F_GETFD) >= 0 && fcntl(others[2], F_GETFD) >= 0 && fcntl(others[1], F_GETFD) < 0 &&
                fcntl(others[3], F_GETFD) < 0;
    _exit(good ? 0 : 1);
  }
  int status = 1;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
}

/* With login_key a front could tell the engine that anybody's password was right. */
static void each_process_keeps_only_its_own_keys(void **state)
{
  (void)state;
  static const uint8_t none[sizeof((struct hf_setup *)NULL)->ticket_key];
  for (enum hf_process process = HF_FRONT; process < HF_PROCESS_COUNT; process++) {
    struct hf_setup setup = {.fronts = 1};
    memset(setup.login_key, 1, sizeof setup.login_key);
    memset(setup.ticket_key, 1, sizeof setup.ticket_key);
    hf_setup_clear(&setup, process);
    bool login = memcmp(setup.login_key, none, sizeof setup.login_key) != 0;
    bool ticket = memcmp(setup.ticket_key, none, sizeof setup.ticket_key) != 0;
    assert_int_equal(login, process == HF_ENGINE || process == HF_READER);
    assert_int_equal(ticket, process == HF_FRONT);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nobody_reaches_the_offline_keys_or_the_operators_login),
      cmocka_unit_test(front_has_no_database_no_vault_and_no_way_out),
      cmocka_unit_test(vault_has_no_network_and_after_the_start_no_files),
      cmocka_unit_test(engine_stores_and_publishes_and_nothing_else),
      cmocka_unit_test(reader_writes_no_row),
      cmocka_unit_test(courier_has_the_network_and_no_data),
      cmocka_unit_test(no_process_reaches_into_another),
      cmocka_unit_test(data_never_becomes_code),
      cmocka_unit_test(a_missing_folder_is_a_refusal_not_a_hole),
      cmocka_unit_test(only_listed_descriptors_survive),
      cmocka_unit_test(each_process_keeps_only_its_own_keys),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
