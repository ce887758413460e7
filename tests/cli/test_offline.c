/* SPDX-License-Identifier: Apache-2.0
 * The passphrase prompt on a real pseudo-terminal, and where else a passphrase comes from. */
#define _GNU_SOURCE
#include "tests/cli/clirun.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "hf/cli/offline.h"

/* What the child found: its error, and the passphrase. */
struct heard {
  int err;
  struct hf_passphrase passphrase;
  int echo_restored;
};

/* Ask on a terminal on which a person types `lines`; `screen` gets what they see. */
static struct heard ask(const char *lines, bool confirm, char *screen, size_t cap)
{
  struct heard heard = {.err = -1};
  int results[2];
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  assert_true(master >= 0);
  assert_int_equal(grantpt(master), 0);
  assert_int_equal(unlockpt(master), 0);
  assert_int_equal(pipe(results), 0);
  assert_int_equal(unsetenv("HOLDFAST_PASSPHRASE"), 0);
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    struct termios after;
    setsid();
    int terminal = open(ptsname(master), O_RDWR);
    ioctl(terminal, TIOCSCTTY, 0);
    dup2(open("/dev/null", O_WRONLY), 2);
    struct hf_passphrase_source source = {.prompt = "Passphrase", .confirm = confirm};
    heard.err = (int)hf_passphrase_get(&heard.passphrase, &source);
    heard.echo_restored = tcgetattr(terminal, &after) == 0 && (after.c_lflag & ECHO) != 0;
    _exit(write(results[1], &heard, sizeof heard) == sizeof heard ? 0 : 1);
  }
  size_t len = 0;
  size_t typed = 0;
  for (int i = 0; i < 400 && len + 1 < cap; i++) { /* type only after a prompt: before it, echo may still be on */
    struct pollfd wait = {master, POLLIN, 0};
    if (poll(&wait, 1, 25) > 0 && (wait.revents & POLLIN) != 0) {
      ssize_t got = read(master, screen + len, cap - 1 - len);
      len += got > 0 ? (size_t)got : 0;
      if (len >= 2 && memcmp(screen + len - 2, ": ", 2) == 0 && lines[typed] != 0) {
        size_t line = strcspn(lines + typed, "\n") + 1;
        assert_int_equal(write(master, lines + typed, line), (ssize_t)line);
        typed += line;
      }
    } else if ((wait.revents & POLLHUP) != 0) {
      break;
    }
  }
  screen[len] = 0;
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(read(results[0], &heard, sizeof heard), sizeof heard);
  close(results[0]);
  close(results[1]);
  close(master);
  return heard;
}

static void asks_without_showing_what_is_typed(void **state)
{
  char screen[4096];
  (void)state;
  struct heard heard = ask("my secret phrase\n", false, screen, sizeof screen);
  assert_int_equal(heard.err, HF_OK);
  assert_int_equal(heard.passphrase.len, 16);
  assert_memory_equal(heard.passphrase.at, "my secret phrase", 16);
  assert_says(screen, "Passphrase: ");
  assert_null(strstr(screen, "secret"));
  assert_true(heard.echo_restored);
}

static void asks_twice_and_refuses_two_that_differ(void **state)
{
  char screen[4096];
  (void)state;
  assert_int_equal(ask("my secret phrase\nmy secret phrase\n", true, screen, sizeof screen).err, HF_OK);
  assert_says(screen, "Once more: ");
  assert_int_equal(ask("my secret phrase\nmy secret phrasf\n", true, screen, sizeof screen).err, HF_E_INPUT);
  assert_int_equal(ask("short\nshort\n", true, screen, sizeof screen).err, HF_E_INPUT);
  assert_int_equal(ask("\n", false, screen, sizeof screen).err, HF_E_INPUT);
}

static void says_what_is_needed_when_there_is_no_terminal(void **state)
{
  struct clirun *run = clirun_new();
  (void)state;
  assert_int_equal(unsetenv("HOLDFAST_PASSPHRASE"), 0);
  char command[512];
  (void)snprintf(command, sizeof command, "command -v setsid");
  if (clirun_shell(run, command) != 0) {
    clirun_free(run);
    skip();
  }
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    setsid(); /* no terminal any more */
    struct hf_passphrase passphrase;
    struct hf_passphrase_source source = {.prompt = "Passphrase"};
    dup2(open("/dev/null", O_WRONLY), 2);
    _exit(hf_passphrase_get(&passphrase, &source) == HF_E_STATE ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(WEXITSTATUS(status), 0);
  clirun_free(run);
}

static void a_passphrase_longer_than_the_room_is_refused_not_cut(void **state)
{
  struct clirun *run = clirun_new();
  static char text[HF_PASSPHRASE_MAX + 2];
  struct hf_passphrase passphrase;
  (void)state;
  memset(text, 'a', HF_PASSPHRASE_MAX + 1);
  assert_int_equal(setenv("HOLDFAST_PASSPHRASE", text, 1), 0);
  struct hf_passphrase_source source = {.prompt = "Passphrase"};
  assert_int_equal(hf_passphrase_get(&passphrase, &source), HF_E_INPUT);
  assert_int_equal(passphrase.len, 0);
  clirun_put(run, "p", text, HF_PASSPHRASE_MAX + 1);
  source.file = clirun_path(run, "p");
  assert_int_equal(hf_passphrase_get(&passphrase, &source), HF_E_INPUT);
  clirun_put(run, "p", text, HF_PASSPHRASE_MAX);
  assert_int_equal(hf_passphrase_get(&passphrase, &source), HF_OK);
  assert_int_equal(passphrase.len, HF_PASSPHRASE_MAX);
  hf_passphrase_clear(&passphrase);
  assert_int_equal(passphrase.at[0], 0);
  clirun_free(run);
}

static void weak_ones_are_told_why(void **state)
{
  (void)state;
  assert_non_null(hf_passphrase_check((struct hf_bytes){NULL, 0}));
  assert_non_null(hf_passphrase_check(HF_LIT("elevenchars")));
  assert_non_null(hf_passphrase_check(HF_LIT("aaaabbbbccccdddd")));
  assert_null(hf_passphrase_check(HF_LIT("abcdeabcdeab")));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(asks_without_showing_what_is_typed),
      cmocka_unit_test(asks_twice_and_refuses_two_that_differ),
      cmocka_unit_test(says_what_is_needed_when_there_is_no_terminal),
      cmocka_unit_test(a_passphrase_longer_than_the_room_is_refused_not_cut),
      cmocka_unit_test(weak_ones_are_told_why),
  };
  return cmocka_run_group_tests_name("offline", tests, NULL, NULL);
}
