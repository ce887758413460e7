/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ports/posix/contract.h"
#include "ports/posix/supervisor.h"
#include "rig.h"

#define LIMIT_MS 20000u

static struct rig rig;

static int setup(void **state)
{
  (void)state;
  rig_open(&rig);
  rig_flash(&rig, PUPPET, 0, 1);
  rig_put(&rig, "behave.0", "forever");
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  assert_true(rig_quiet(&rig));
  rig_close(&rig);
  return 0;
}

static void stop(pid_t run)
{
  (void)kill(run, SIGTERM);
  assert_int_equal(rig_wait(run, LIMIT_MS), 0);
}

static void wait_for(const char *text)
{
  if (!rig_until(&rig, "journal", text, LIMIT_MS)) {
    print_error("journal:\n%s", rig_get(&rig, "journal"));
    print_error("log:\n%s", rig_get(&rig, "log"));
    fail_msg("\"%s\" did not come", text);
  }
}

static void boots_the_confirmed_slot_and_stops_cleanly(void **state)
{
  (void)state;
  pid_t run = rig_run(&rig);
  wait_for("slot 0 reset 1");
  stop(run);
  assert_int_equal(rig_count(&rig, "journal", "slot"), 1);
}

static void the_application_inherits_what_was_agreed_and_nothing_else(void **state)
{
  (void)state;
  rig_put(&rig, "behave.0", "fds forever");
  /* Whoever starts the supervisor may have left anything open. */
  int left_open = fcntl(STDIN_FILENO, F_DUPFD, 50);
  assert_true(left_open > HF_APP_FD_FOLDER);
  pid_t run = rig_run(&rig);
  (void)close(left_open);
  wait_for("inherited 0");
  stop(run);
}

static void tries_a_staged_image_and_keeps_it_once_it_confirmed(void **state)
{
  (void)state;
  rig_stage(&rig, 1, PUPPET, 1, 2);
  rig_put(&rig, "behave.1", "feed 100 confirm feed 100 exit 82");
  pid_t run = rig_run(&rig);
  wait_for("confirmed 1\nslot 1 reset 2"); /* asked for a reset: 80 + HF_RESET_REQUEST */
  stop(run);
  struct hf_bootstate boot = rig_boot(&rig);
  assert_int_equal(boot.image[0].slot[1].status, HF_SLOT_CONFIRMED);
  assert_int_equal(boot.image[0].active, 1);
  assert_int_equal(boot.image[0].counter, 2);
  assert_null(strstr(rig_get(&rig, "journal"), "slot 0"));
  assert_non_null(strstr(rig_get(&rig, "journal"), "slot 1 reset 3"));
}

/* One image that may not stay: tried exactly once, then slot 0 again, told that it was reverted. */
static void goes_back_when_the_trial(const char *behaviour, enum hf_reset reset)
{
  rig_stage(&rig, 1, PUPPET, 1, 2);
  rig_put(&rig, "behave.1", behaviour);
  pid_t run = rig_run(&rig);
  wait_for("slot 0 reset 6");
  stop(run);
  struct hf_bootstate boot = rig_boot(&rig);
  assert_int_equal(rig_count(&rig, "journal", "slot 1"), 1);
  assert_int_equal(boot.image[0].slot[1].status, HF_SLOT_BAD);
  assert_int_equal(boot.image[0].active, 0);
  assert_int_equal(boot.image[0].counter, 1);
  assert_int_equal(boot.failures, 1);
  assert_int_equal(boot.failed_slot, 1);
  assert_int_equal(boot.failed_reset, reset);
}

static void goes_back_when_the_trial_crashes(void **state)
{
  (void)state;
  goes_back_when_the_trial("crash", HF_RESET_CRASH);
}

static void goes_back_when_the_trial_hangs_before_its_first_sign_of_life(void **state)
{
  (void)state;
  goes_back_when_the_trial("wait 60000", HF_RESET_WATCHDOG);
}

static void goes_back_when_the_trial_hangs_later(void **state)
{
  (void)state;
  goes_back_when_the_trial("feed 300 wait 60000", HF_RESET_WATCHDOG);
}

static void goes_back_when_the_trial_closes_the_pipe_and_stays(void **state)
{
  (void)state;
  goes_back_when_the_trial("feed 100 close wait 60000", HF_RESET_WATCHDOG);
}

static void goes_back_when_the_trial_ends_with_success(void **state)
{
  (void)state;
  goes_back_when_the_trial("feed 100 exit 0", HF_RESET_CRASH);
}

static void goes_back_when_the_trial_asks_for_a_reset_unconfirmed(void **state)
{
  (void)state;
  goes_back_when_the_trial("feed 100 exit 82", HF_RESET_REQUEST);
}

static void goes_back_when_the_payload_is_no_program(void **state)
{
  (void)state;
  rig_stage(&rig, 1, "/etc/passwd", 1, 2);
  pid_t run = rig_run(&rig);
  wait_for("slot 0 reset 6");
  stop(run);
  assert_int_equal(rig_boot(&rig).image[0].slot[1].status, HF_SLOT_BAD);
  assert_non_null(strstr(rig_get(&rig, "log"), "not a program this machine can run"));
}

static void signs_of_life_keep_the_watchdog_quiet(void **state)
{
  (void)state;
  pid_t run = rig_run(&rig);
  wait_for("slot 0 reset 1");
  rig_sleep_ms(3500); /* three and a half times the watchdog's second */
  stop(run);
  assert_int_equal(rig_count(&rig, "journal", "slot"), 1);
}

static void a_confirmed_image_that_crashes_is_started_again_ever_more_slowly(void **state)
{
  (void)state;
  rig_put(&rig, "behave.0", "crash");
  pid_t run = rig_run(&rig);
  rig_sleep_ms(3000); /* pauses 0, 1, 1, 1 s: five starts, not five hundred */
  stop(run);
  unsigned starts = rig_count(&rig, "journal", "slot 0");
  assert_in_range(starts, 2, 5);
  assert_non_null(strstr(rig_get(&rig, "journal"), "slot 0 reset 5"));
  assert_int_equal(rig_boot(&rig).image[0].slot[0].status, HF_SLOT_CONFIRMED);
}

static void a_stubborn_application_is_killed_at_stop(void **state)
{
  (void)state;
  rig_put(&rig, "behave.0", "stubborn forever");
  pid_t run = rig_run(&rig);
  wait_for("slot 0 reset 1");
  rig_sleep_ms(100);
  stop(run);
}

static pid_t application(void)
{
  const char *at = strstr(rig_get(&rig, "journal"), "pid ");
  assert_non_null(at);
  return (pid_t)strtol(at + 4, NULL, 10);
}

static void the_application_dies_with_its_supervisor(void **state)
{
  (void)state;
  pid_t run = rig_run(&rig);
  wait_for("slot 0 reset 1");
  pid_t app = application();
  assert_int_equal(kill(app, 0), 0);
  (void)kill(run, SIGKILL);
  assert_int_equal(rig_wait(run, LIMIT_MS), SIGKILL);
  for (int i = 0; i < 400 && kill(app, 0) == 0; i++) {
    rig_sleep_ms(5);
  }
  assert_int_equal(kill(app, 0), -1);
  assert_true(rig_quiet(&rig));
}

static void a_second_run_on_the_same_flash_is_refused(void **state)
{
  (void)state;
  pid_t run = rig_run(&rig);
  wait_for("slot 0 reset 1");
  pid_t second = rig_run(&rig);
  int status = rig_wait(second, LIMIT_MS);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), HF_SUPERVISOR_BUSY);
  assert_non_null(strstr(rig_get(&rig, "log"), "another process owns this device's flash"));
  stop(run);
  assert_int_equal(rig_count(&rig, "journal", "slot"), 1);
}

static int run_to_end(void)
{
  int status = rig_wait(rig_run(&rig), LIMIT_MS);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void damage(off_t from, off_t to)
{
  int fd = openat(rig.folder, "flash.bin", O_WRONLY);
  for (off_t at = from; at < to; at++) {
    assert_int_equal(pwrite(fd, "", 1, at), 1);
  }
  (void)close(fd);
}

static void a_cut_flash_file_is_refused_in_words(void **state)
{
  (void)state;
  int fd = openat(rig.folder, "flash.bin", O_WRONLY);
  assert_int_equal(ftruncate(fd, 100000), 0);
  (void)close(fd);
  assert_int_equal(run_to_end(), HF_SUPERVISOR_FAILED);
  assert_non_null(strstr(rig_get(&rig, "log"), "the flash file has 100000 bytes"));
  assert_int_equal(rig_count(&rig, "journal", "slot"), 0);
}

static void a_changed_byte_in_the_only_image_stops_it(void **state)
{
  (void)state;
  off_t payload = (off_t)rig.conf.boot + rig.conf.store + 5000;
  damage(payload, payload + 8);
  assert_int_equal(run_to_end(), HF_SUPERVISOR_NOTHING);
  assert_non_null(strstr(rig_get(&rig, "log"), "no slot holds an image that may run"));
  assert_int_equal(rig_count(&rig, "journal", "slot"), 0);
}

static void damaged_boot_records_do_not_stop_a_good_image(void **state)
{
  (void)state;
  damage(0, (off_t)rig.conf.boot / 2); /* one of the two copies */
  pid_t run = rig_run(&rig);
  wait_for("slot 0 reset 1");
  stop(run);
}

static void an_image_signed_by_a_stranger_does_not_run(void **state)
{
  (void)state;
  struct hf_key *own = rig.key;
  assert_int_equal(hf_key_new(&rig.key, HF_KEY_P256), HF_OK);
  rig_stage(&rig, 1, PUPPET, 1, 2);
  hf_key_free(rig.key);
  rig.key = own;
  rig_put(&rig, "behave.1", "forever");
  pid_t run = rig_run(&rig);
  wait_for("slot 0");
  stop(run);
  assert_int_equal(rig_count(&rig, "journal", "slot 1"), 0);
  assert_int_equal(rig_boot(&rig).image[0].slot[1].status, HF_SLOT_BAD);
}

static void an_image_below_the_security_counter_does_not_run(void **state)
{
  (void)state;
  rig_stage(&rig, 1, PUPPET, 9, 0);
  rig_put(&rig, "behave.1", "forever");
  pid_t run = rig_run(&rig);
  wait_for("slot 0");
  stop(run);
  assert_int_equal(rig_count(&rig, "journal", "slot 1"), 0);
}

/* The supervisor, or the application, is killed at some moment of boot, trial, confirmation and reset, again and again.
 * Whatever the moment, the next start runs a whole image, and an unconfirmed one at most once. */
static void killed_at_any_moment_it_comes_back(void **state)
{
  (void)state;
  unsigned seed = 20261120;
  for (unsigned round = 0; round < 40; round++) {
    struct hf_bootstate before = rig_boot(&rig);
    uint8_t other = (uint8_t)(1 - before.image[0].active);
    char name[16];
    rig_stage(&rig, other, PUPPET, round + 1, before.image[0].counter + 1);
    (void)snprintf(name, sizeof name, "behave.%u", other);
    rig_put(&rig, name, "feed 10 confirm forever");
    (void)snprintf(name, sizeof name, "behave.%u", before.image[0].active);
    rig_put(&rig, name, "forever");
    rig_put(&rig, "journal", "");
    pid_t run = rig_run(&rig);
    seed = seed * 1103515245u + 12345u;
    rig_sleep_ms((seed >> 16) % 120);
    const char *pid = strstr(rig_get(&rig, "journal"), "pid ");
    if (round % 3 == 0 && pid != NULL) {
      (void)kill((pid_t)strtol(pid + 4, NULL, 10), SIGKILL);
      rig_sleep_ms(20);
    }
    (void)kill(run, SIGKILL);
    assert_int_equal(rig_wait(run, LIMIT_MS), SIGKILL);
    assert_true(rig_quiet(&rig));

    rig_put(&rig, "journal", "");
    run = rig_run(&rig);
    wait_for("slot ");
    struct hf_bootstate after = rig_boot(&rig);
    (void)kill(run, SIGTERM);
    assert_int_equal(rig_wait(run, LIMIT_MS), 0);
    bool trial_done =
        after.image[0].slot[other].status == HF_SLOT_CONFIRMED || after.image[0].slot[other].status == HF_SLOT_BAD;
    assert_true(trial_done || after.image[0].slot[other].status == HF_SLOT_TRYING);
    assert_true(after.image[0].slot[before.image[0].active].status == HF_SLOT_CONFIRMED);
    assert_true(after.image[0].counter == before.image[0].counter ||
                after.image[0].counter == before.image[0].counter + 1);
  }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {CASE(boots_the_confirmed_slot_and_stops_cleanly),
                                     CASE(the_application_inherits_what_was_agreed_and_nothing_else),
                                     CASE(tries_a_staged_image_and_keeps_it_once_it_confirmed),
                                     CASE(goes_back_when_the_trial_crashes),
                                     CASE(goes_back_when_the_trial_hangs_before_its_first_sign_of_life),
                                     CASE(goes_back_when_the_trial_hangs_later),
                                     CASE(goes_back_when_the_trial_closes_the_pipe_and_stays),
                                     CASE(goes_back_when_the_trial_ends_with_success),
                                     CASE(goes_back_when_the_trial_asks_for_a_reset_unconfirmed),
                                     CASE(goes_back_when_the_payload_is_no_program),
                                     CASE(signs_of_life_keep_the_watchdog_quiet),
                                     CASE(a_confirmed_image_that_crashes_is_started_again_ever_more_slowly),
                                     CASE(a_stubborn_application_is_killed_at_stop),
                                     CASE(the_application_dies_with_its_supervisor),
                                     CASE(a_second_run_on_the_same_flash_is_refused),
                                     CASE(a_cut_flash_file_is_refused_in_words),
                                     CASE(a_changed_byte_in_the_only_image_stops_it),
                                     CASE(damaged_boot_records_do_not_stop_a_good_image),
                                     CASE(an_image_signed_by_a_stranger_does_not_run),
                                     CASE(an_image_below_the_security_counter_does_not_run),
                                     CASE(killed_at_any_moment_it_comes_back)};
  (void)alarm(300);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
