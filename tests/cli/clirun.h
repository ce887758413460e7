/* SPDX-License-Identifier: Apache-2.0
 * Runs the real command line inside a test: arguments in, exit code, standard output and standard error out. */
#ifndef TESTS_CLI_CLIRUN_H
#define TESTS_CLI_CLIRUN_H

#include <setjmp.h>
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

#include "hf/cli/cli.h"
#include "hf/cli/disk.h"

#define CLIRUN_TEXT_MAX (1 << 20)
#define PASSPHRASE "correct horse battery staple"

struct clirun {
  char dir[64]; /**< a fresh folder; removed by clirun_clear */
  char out[CLIRUN_TEXT_MAX];
  char err[CLIRUN_TEXT_MAX];
};

__attribute__((unused)) static const char *clirun_path(const struct clirun *run, const char *name)
{
  static char rooms[8][512];
  static unsigned turn;
  char *room = rooms[turn++ % 8];
  (void)snprintf(room, 512, "%s/%s", run->dir, name);
  return room;
}

__attribute__((unused)) static void clirun_slurp(char *text, const char *path)
{
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  size_t len = fread(text, 1, CLIRUN_TEXT_MAX - 1, file);
  text[len] = 0;
  fclose(file);
}

/* In a child, so that limits, folder and environment of one run do not outlive it. `room` bytes may be written to one
 * file (0: no limit); `in` is the folder to stand in (NULL: the fresh folder). */
__attribute__((unused)) static int clirun_limited(struct clirun *run, rlim_t room, const char *in,
                                                  const char *const *words)
{
  char *argv[64] = {0};
  int argc = 0;
  char out[128];
  char err[128];
  for (; words[argc] != NULL; argc++) {
    assert_true(argc < 63);
    argv[argc] = strdup(words[argc]);
  }
  (void)snprintf(out, sizeof out, "%s.out", run->dir);
  (void)snprintf(err, sizeof err, "%s.err", run->dir);
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    if (chdir(in == NULL ? run->dir : in) != 0 || freopen(out, "wb", stdout) == NULL ||
        freopen(err, "wb", stderr) == NULL) {
      _exit(99);
    }
    if (room > 0) {
      struct rlimit limit = {room, room};
      if (setrlimit(RLIMIT_FSIZE, &limit) != 0) {
        _exit(98);
      }
    }
    int code = hf_cli_main(argc, argv);
    for (int i = 0; i < argc; i++) {
      free(argv[i]);
    }
    fflush(NULL);
    exit(code); /* not _exit: LeakSanitizer looks at the end */
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  for (int i = 0; i < argc; i++) {
    free(argv[i]);
  }
  clirun_slurp(run->out, out);
  clirun_slurp(run->err, err);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

/** clirun(run, "init", dir, "--org", "Acme"): the exit code. */
#define clirun(run, ...) clirun_limited((run), 0, NULL, (const char *const[]){"holdfast", __VA_ARGS__, NULL})

__attribute__((unused)) static struct clirun *clirun_new(void)
{
  struct clirun *run = calloc(1, sizeof *run);
  assert_non_null(run);
  (void)snprintf(run->dir, sizeof run->dir, "/tmp/hf-cli-test-XXXXXX");
  assert_non_null(mkdtemp(run->dir));
  assert_int_equal(setenv("HOLDFAST_PASSPHRASE", PASSPHRASE, 1), 0);
  assert_int_equal(unsetenv("HOLDFAST_WORKSPACE"), 0);
  assert_int_equal(unsetenv("HOLDFAST_OFFLINE"), 0);
  assert_int_equal(unsetenv("HOLDFAST_OPERATOR"), 0);
  return run;
}

__attribute__((unused)) static void clirun_free(struct clirun *run)
{
  char command[256];
  (void)snprintf(command, sizeof command, "rm -rf '%s' '%s.out' '%s.err'", run->dir, run->dir, run->dir);
  assert_int_equal(system(command), 0);
  free(run);
}

/** Fixture: nothing but the fresh folder. */
__attribute__((unused)) static int clirun_set_up(void **state)
{
  *state = clirun_new();
  return 0;
}

__attribute__((unused)) static int clirun_tear_down(void **state)
{
  clirun_free(*state);
  return 0;
}

/** One test with a fresh folder of its own, which `set_up` makes and fills. */
#define clirun_test(test, set_up) cmocka_unit_test_setup_teardown(test, set_up, clirun_tear_down)

/** Write a file of the fresh folder. */
__attribute__((unused)) static void clirun_put(const struct clirun *run, const char *name, const void *at, size_t len)
{
  assert_int_equal(hf_disk_put(clirun_path(run, name), hf_bytes_init(at, len), 0644), HF_OK);
}

/** Run a shell command in the fresh folder: its exit code. */
__attribute__((unused)) static int clirun_shell(const struct clirun *run, const char *command)
{
  char line[2048];
  (void)snprintf(line, sizeof line, "cd '%s' && { %s; } >/dev/null 2>&1", run->dir, command);
  int status = system(line);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define assert_says(text, part)                                                                                        \
  do {                                                                                                                 \
    if (strstr((text), (part)) == NULL) {                                                                              \
      fail_msg("expected \"%s\" in:\n%s", (part), (text));                                                             \
    }                                                                                                                  \
  } while (0)

#endif
