/* SPDX-License-Identifier: Apache-2.0
 * An application that does what a file in the device's folder says, to be run from a slot by the tests. It writes
 * `slot N reset R pid P` into the folder's journal when it starts, then reads behave.N: words, done in order.
 *
 *   feed MS    signs of life for so long        confirm   confirm this slot, write `confirmed N`
 *   wait MS    silence                          forever   signs of life until SIGTERM
 *   exit N     crash     close (the pipe)       stubborn  ignore SIGTERM
 *   fds        write `inherited N`, the descriptors beyond the contract's
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hf/device/bootstate.h"
#include "ports/posix/contract.h"
#include "ports/posix/deviceconf.h"
#include "ports/posix/machine.h"

static unsigned slot;

static void sleep_ms(long ms)
{
  (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L}, NULL);
}

static void note(const char *line)
{
  int fd = openat(HF_APP_FD_FOLDER, "journal", O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line)) {
    _exit(90);
  }
  (void)close(fd);
}

static void confirm(void)
{
  struct hf_deviceconf conf;
  struct hf_flashfile flash;
  struct hf_layout layout;
  struct hf_bootstate state;
  const uint8_t running[HF_IMAGES_MAX] = {(uint8_t)slot};
  char line[32];
  if (hf_deviceconf_get(&conf, HF_APP_FD_FOLDER, NULL) != HF_OK) {
    _exit(91);
  }
  const struct hf_flashfile_geometry geometry = hf_deviceconf_geometry(&conf);
  if (hf_flashfile_adopt(&flash, HF_APP_FD_FLASH, &geometry) != HF_OK) {
    _exit(92);
  }
  hf_flashfile_layout(&layout, &flash, &geometry);
  if (hf_bootstate_get(&state, &layout.boot) != HF_OK || hf_bootstate_confirm(&state, &layout.boot, running) != HF_OK) {
    _exit(93);
  }
  (void)snprintf(line, sizeof line, "confirmed %u\n", slot);
  note(line);
}

static long number(char **rest)
{
  const char *word = strtok_r(NULL, " \n", rest);
  return word == NULL ? 0 : strtol(word, NULL, 10);
}

static void feed(long ms)
{
  do {
    hf_port_watchdog_feed();
    sleep_ms(ms < 100 ? ms : 100);
    ms -= 100;
  } while (ms > 0);
}

static void count_fds(void)
{
  char line[32];
  unsigned count = 0;
  for (int fd = HF_APP_FD_FOLDER + 1; fd < 256; fd++) {
    count += fcntl(fd, F_GETFD) >= 0;
  }
  (void)snprintf(line, sizeof line, "inherited %u\n", count);
  note(line);
}

static void act(const char *word, char **rest)
{
  if (strcmp(word, "feed") == 0) {
    feed(number(rest));
  } else if (strcmp(word, "wait") == 0) {
    sleep_ms(number(rest));
  } else if (strcmp(word, "exit") == 0) {
    _exit((int)number(rest));
  } else if (strcmp(word, "crash") == 0) {
    (void)signal(SIGABRT, SIG_DFL);
    abort();
  } else if (strcmp(word, "close") == 0) {
    (void)close(HF_APP_FD_ALIVE);
  } else if (strcmp(word, "stubborn") == 0) {
    (void)signal(SIGTERM, SIG_IGN);
  } else if (strcmp(word, "confirm") == 0) {
    confirm();
  } else if (strcmp(word, "fds") == 0) {
    count_fds();
  } else if (strcmp(word, "forever") == 0) {
    for (;;) {
      feed(100);
    }
  } else {
    _exit(94);
  }
}

int main(void)
{
  static char words[1024];
  char name[32];
  char line[96];
  char *rest = NULL;
  const char *env = getenv(HF_APP_ENV_SLOT);
  const char *reset = getenv(HF_APP_ENV_RESET);
  if (env == NULL || reset == NULL) {
    return 95;
  }
  slot = (unsigned)strtoul(env, NULL, 10);
  hf_machine_watchdog_open(HF_APP_FD_ALIVE);
  (void)snprintf(line, sizeof line, "slot %u reset %s pid %d\n", slot, reset, (int)getpid());
  note(line);
  (void)snprintf(name, sizeof name, "behave.%u", slot);
  int fd = openat(HF_APP_FD_FOLDER, name, O_RDONLY);
  ssize_t len = fd < 0 ? -1 : read(fd, words, sizeof words - 1);
  if (len < 0) {
    return 96;
  }
  (void)close(fd);
  for (const char *word = strtok_r(words, " \n", &rest); word != NULL; word = strtok_r(NULL, " \n", &rest)) {
    act(word, &rest);
  }
  return 0;
}
