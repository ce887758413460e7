/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hf/base/assert.h"
#include "hf/device/boot.h"
#include "ports/posix/contract.h"
#include "ports/posix/keychest.h"
#include "ports/posix/loader.h"
#include "ports/posix/retained.h"
#include "ports/posix/words.h"

/* A program is allowed longer to give its first sign of life: hundreds of devices may start at once on one machine. */
#define START_FACTOR 3u
/* After SIGTERM; then SIGKILL. */
#define STOP_WAIT_MS 5000u
/* A run shorter than this counts as a bad end even if it asked politely to be started again. */
#define SHORT_RUN_MS 1000u
/* A run longer than this ends a streak of bad ones. */
#define LONG_RUN_MS 60000u

struct supervisor {
  struct hf_deviceconf conf;
  int folder;
  int signals; /* signalfd of SIGTERM and SIGINT */
  struct hf_flashfile flash;
  struct hf_layout layout;
  struct hf_keychest chest;
  struct hf_retained retained;
  struct hf_trouble *trouble;
};

/* One run of the application. */
struct child {
  pid_t pid;
  int pidfd;
  int alive; /* its signs of life */
};

static void say(const struct supervisor *sup, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct supervisor *sup, const char *format, ...)
{
  char line[400];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(line, sizeof line, format, args);
  va_end(args);
  (void)fprintf(stderr, "%s: supervisor: %s\n", sup->conf.device, line);
}

/* ---- the application's side of fork ---- */

/* Moved out of the way first, so that no source is overwritten before it is copied. */
static bool place_fds(const int from[3])
{
  int high[3];
  for (int i = 0; i < 3; i++) {
    high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 20);
    if (high[i] < 0) {
      return false;
    }
  }
  return dup2(high[0], HF_APP_FD_FLASH) >= 0 && dup2(high[1], HF_APP_FD_ALIVE) >= 0 &&
         dup2(high[2], HF_APP_FD_FOLDER) >= 0;
}

/* What a sanitized build needs to keep its settings; nothing else of our environment is the application's business. */
static const char *const passed_on[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "PATH", "TZ"};
#define PASSED_ON (sizeof passed_on / sizeof passed_on[0])

_Noreturn static void become(int program, const struct supervisor *sup, const struct hf_boot_choice *choice, int alive)
{
  static char words[PASSED_ON + 2][1024];
  char *env[PASSED_ON + 3] = {NULL};
  char name[] = "application";
  char *argv[] = {name, NULL};
  sigset_t none;
  size_t count = 0;
  const int fds[3] = {sup->flash.fd, alive, sup->folder};
  (void)snprintf(words[count], sizeof words[0], "%s=%u", HF_APP_ENV_SLOT, choice->slot[0]);
  env[count] = words[count];
  count++;
  (void)snprintf(words[count], sizeof words[0], "%s=%u", HF_APP_ENV_RESET, (unsigned)choice->reset);
  env[count] = words[count];
  count++;
  for (size_t i = 0; i < PASSED_ON; i++) {
    const char *value = getenv(passed_on[i]);
    if (value != NULL && strlen(value) < sizeof words[0] - 32) {
      (void)snprintf(words[count], sizeof words[0], "%s=%s", passed_on[i], value);
      env[count] = words[count];
      count++;
    }
  }
  (void)sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, NULL);
  int safe = fcntl(program, F_DUPFD_CLOEXEC, 30);
  if (safe >= 0 && place_fds(fds)) {
    /* Whoever started us may have left anything open; a kernel too old for this is no reason not to run. */
    (void)close_range(HF_APP_FD_FOLDER + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    (void)fexecve(safe, argv, env);
  }
  static const char said[] = "the image's payload is not a program this machine can run\n";
  ssize_t put = write(STDERR_FILENO, said, sizeof said - 1);
  (void)put;
  _exit(126);
}

static enum hf_err start_child(struct child *child, int program, const struct supervisor *sup,
                               const struct hf_boot_choice *choice)
{
  int alive[2];
  pid_t parent = getpid();
  if (pipe2(alive, O_CLOEXEC | O_NONBLOCK) != 0) {
    return HF_E_IO;
  }
  pid_t pid = fork();
  if (pid == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    const struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    if (getppid() != parent) {
      _exit(126); /* the supervisor died before the line above could tell the kernel what to do then */
    }
    become(program, sup, choice, alive[1]);
  }
  (void)close(alive[1]);
  if (pid < 0) {
    (void)close(alive[0]);
    return HF_E_IO;
  }
  *child = (struct child){.pid = pid, .pidfd = pidfd_open(pid, 0), .alive = alive[0]};
  if (child->pidfd < 0) {
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    (void)close(alive[0]);
    return HF_E_IO;
  }
  return HF_OK;
}

/* ---- watching ---- */

/* Take what was written; did anything come? */
static bool heard(int alive)
{
  char bytes[64];
  bool any = false;
  while (read(alive, bytes, sizeof bytes) > 0) {
    any = true;
  }
  return any;
}

enum event { EVENT_NONE, EVENT_ENDED, EVENT_ALIVE, EVENT_STOP };

static enum event wait_event(const struct child *child, int signals, uint64_t wait_ms)
{
  struct pollfd fds[3] = {{.fd = child->pidfd, .events = POLLIN},
                          {.fd = signals, .events = POLLIN},
                          {.fd = child->alive, .events = POLLIN}};
  int timeout = wait_ms > 3600000u ? 3600000 : (int)wait_ms;
  if (poll(fds, 3, timeout) <= 0) {
    return EVENT_NONE;
  }
  if ((fds[0].revents & POLLIN) != 0) {
    return EVENT_ENDED;
  }
  if ((fds[1].revents & POLLIN) != 0) {
    return EVENT_STOP;
  }
  if ((fds[2].revents & POLLIN) != 0 && heard(child->alive)) {
    return EVENT_ALIVE;
  }
  /* The pipe is closed, and no sign of life will come that way any more: wait for the others only. */
  if (poll(fds, 2, timeout) <= 0) {
    return EVENT_NONE;
  }
  return (fds[0].revents & POLLIN) != 0 ? EVENT_ENDED : EVENT_STOP;
}

static void stop_child(const struct child *child)
{
  struct pollfd ended = {.fd = child->pidfd, .events = POLLIN};
  (void)kill(child->pid, SIGTERM);
  if (poll(&ended, 1, (int)STOP_WAIT_MS) <= 0) {
    (void)kill(child->pid, SIGKILL);
  }
}

/* Until the application ends, by itself or by us. */
static bool watch(enum hf_reset *reset, const struct supervisor *sup, const struct child *child)
{
  uint64_t limit_ms = (uint64_t)sup->conf.watchdog_s * 1000u;
  uint64_t until = hf_port_uptime_ms() + START_FACTOR * limit_ms;
  for (;;) {
    uint64_t now = hf_port_uptime_ms();
    switch (wait_event(child, sup->signals, until > now ? until - now : 0)) {
      case EVENT_ENDED: return true;
      case EVENT_ALIVE: until = hf_port_uptime_ms() + limit_ms; break;
      case EVENT_STOP: stop_child(child); return false;
      case EVENT_NONE: break;
    }
    /* Signs of life that came while this process itself was kept waiting count. */
    if (hf_port_uptime_ms() >= until && heard(child->alive)) {
      until = hf_port_uptime_ms() + limit_ms;
    }
    if (hf_port_uptime_ms() >= until) {
      say(sup, "no sign of life for %u s: watchdog reset", sup->conf.watchdog_s);
      (void)kill(child->pid, SIGKILL);
      *reset = HF_RESET_WATCHDOG;
      return true;
    }
  }
}

/* ---- how it ended ---- */

static enum hf_reset reset_of(uint32_t *ended, int status)
{
  if (WIFSIGNALED(status)) {
    *ended = 256u + (uint32_t)WTERMSIG(status);
    return HF_RESET_CRASH;
  }
  int code = WEXITSTATUS(status);
  *ended = (uint32_t)code;
  bool asked = code >= HF_APP_EXIT_REBOOT && code <= HF_APP_EXIT_REBOOT + HF_RESET_REVERT;
  return asked ? (enum hf_reset)(code - HF_APP_EXIT_REBOOT) : HF_RESET_CRASH;
}

static bool bad_end(enum hf_reset reset, uint64_t ran_ms)
{
  return reset == HF_RESET_CRASH || reset == HF_RESET_WATCHDOG || ran_ms < SHORT_RUN_MS;
}

/* 0, 1, 2, 4 ... seconds: the first bad end costs nothing, so that a trial that crashes goes back at once. */
static uint64_t pause_ms(const struct supervisor *sup)
{
  uint32_t streak = sup->retained.streak;
  if (streak < 2) {
    return 0;
  }
  uint32_t seconds = streak - 2 < 16 ? UINT32_C(1) << (streak - 2) : UINT32_MAX;
  return (uint64_t)(seconds < sup->conf.backoff_s ? seconds : sup->conf.backoff_s) * 1000u;
}

/* The back-off; true: told to stop. */
static bool sleep_or_stop(const struct supervisor *sup, uint64_t wait_ms)
{
  struct pollfd signals = {.fd = sup->signals, .events = POLLIN};
  return poll(&signals, 1, (int)wait_ms) > 0;
}

/* ---- one boot ---- */

/* HF_E_STATE: told to stop. HF_OK: `*reset` says why to boot again. */
static enum hf_err run_choice(enum hf_reset *reset, struct supervisor *sup, const struct hf_boot_choice *choice)
{
  int program = -1;
  struct child child;
  enum hf_err err = hf_loader_open(&program, &sup->layout.slot[0][choice->slot[0]], &choice->info, sup->trouble);
  if (err != HF_OK) {
    return err;
  }
  /* The choice once more, just before handing over: a flipped bit must hit twice (hf/device/boot.h). */
  err = choice->verdict == HF_ALLOW ? start_child(&child, program, sup, choice) : HF_E_DENIED;
  (void)close(program);
  if (err != HF_OK) {
    hf_trouble_put(sup->trouble, "", "make memory and processes free", "cannot start the application (%s)",
                   hf_err_name(err));
    return err;
  }
  uint64_t began = hf_port_uptime_ms();
  int status = 0;
  *reset = HF_RESET_UNKNOWN;
  sup->retained.pid = (uint32_t)child.pid;
  hf_retained_put(sup->folder, &sup->retained);
  bool ended = watch(reset, sup, &child);
  while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  (void)close(child.pidfd);
  (void)close(child.alive);
  enum hf_reset told = reset_of(&sup->retained.ended, status);
  *reset = *reset == HF_RESET_UNKNOWN ? told : *reset;
  uint64_t ran = hf_port_uptime_ms() - began;
  sup->retained.pid = 0;
  sup->retained.resets++;
  sup->retained.reset = ended ? *reset : HF_RESET_REQUEST;
  sup->retained.streak = !ended || ran >= LONG_RUN_MS ? 0 : sup->retained.streak;
  sup->retained.streak = ended && bad_end(*reset, ran) ? sup->retained.streak + 1 : 0;
  hf_retained_put(sup->folder, &sup->retained);
  return ended ? HF_OK : HF_E_STATE;
}

static void tell_choice(const struct supervisor *sup, const struct hf_boot_choice *choice)
{
  uint8_t text[HF_VERSION_TEXT_MAX];
  struct hf_buf version = hf_buf_init(text, sizeof text);
  if (choice->why.rule != HF_RULE_NONE) {
    say(sup, "boot: %s; %s", hf_rule_words(choice->why.rule)->what, hf_rule_words(choice->why.rule)->todo);
  }
  if (choice->verdict != HF_ALLOW) {
    say(sup, "boot: nothing to run");
    return;
  }
  hf_version_put(&version, &choice->info.version);
  say(sup, "boot: slot %u, version %.*s%s, after %s", choice->slot[0], (int)version.len, text,
      choice->trial ? ", on trial" : "", hf_words_reset(choice->reset));
}

static enum hf_supervisor_end loop(struct supervisor *sup)
{
  enum hf_reset reset = HF_RESET_POWER;
  sup->retained.reset = reset; /* no-init memory after power-on: nothing of before is in it */
  for (;;) {
    struct hf_boot_choice choice = {.verdict = HF_DENY};
    hf_keychest_load(&sup->chest);
    if (sup->chest.chain.why.rule != HF_RULE_NONE) {
      say(sup, "boot: key set: %s", hf_rule_words(sup->chest.chain.why.rule)->what);
    }
    const struct hf_boot_config config = {.layout = &sup->layout,
                                          .keys = &sup->chest.chain.keys,
                                          .hardware = hf_bytes_text(sup->conf.hardware),
                                          .component = {hf_bytes_text(sup->conf.component)},
                                          .reset = reset};
    enum hf_err err = hf_boot_choose(&choice, &config);
    if (err != HF_OK) {
      hf_trouble_put(sup->trouble, "flash.bin", "restore the flash file, or use a newer holdfast-agent",
                     "the boot records cannot be used (%s)", hf_err_name(err));
      return HF_SUPERVISOR_FAILED;
    }
    tell_choice(sup, &choice);
    if (choice.verdict != HF_ALLOW) {
      hf_trouble_put(sup->trouble, "flash.bin", hf_rule_words(choice.why.rule)->todo,
                     "no slot holds an image that may run: %s", hf_rule_words(choice.why.rule)->what);
      return HF_SUPERVISOR_NOTHING;
    }
    err = run_choice(&reset, sup, &choice);
    if (err == HF_E_STATE) {
      say(sup, "stopped");
      return HF_SUPERVISOR_STOPPED;
    }
    if (err != HF_OK) {
      return HF_SUPERVISOR_FAILED;
    }
    say(sup, "reset: %s (%s %u)", hf_words_reset(reset), sup->retained.ended < 256 ? "exit" : "signal",
        sup->retained.ended % 256);
    if (sleep_or_stop(sup, pause_ms(sup))) {
      return HF_SUPERVISOR_STOPPED;
    }
  }
}

/* ---- start ---- */

static enum hf_err open_signals(struct supervisor *sup)
{
  sigset_t set;
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGTERM);
  (void)sigaddset(&set, SIGINT);
  (void)sigprocmask(SIG_BLOCK, &set, NULL);
  (void)signal(SIGPIPE, SIG_IGN);
  sup->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  return sup->signals < 0 ? HF_E_IO : HF_OK;
}

enum hf_supervisor_end hf_supervisor_run(int folder, struct hf_trouble *trouble)
{
  static struct supervisor sup; /* its chest is 3 KB and points into itself */
  sup = (struct supervisor){.folder = folder, .signals = -1, .flash = {.fd = -1}, .trouble = trouble};
  enum hf_supervisor_end end = HF_SUPERVISOR_FAILED;
  enum hf_err err = hf_deviceconf_get(&sup.conf, folder, trouble);
  if (err == HF_OK) {
    const struct hf_flashfile_geometry geometry = hf_deviceconf_geometry(&sup.conf);
    const struct hf_flashfile_place place = {.folder = folder, .name = "flash.bin", .durable = sup.conf.durable};
    err = hf_flashfile_open(&sup.flash, &place, &geometry, HF_FLASHFILE_OWN, trouble);
    end = err == HF_E_STATE ? HF_SUPERVISOR_BUSY : HF_SUPERVISOR_FAILED;
    if (err == HF_OK) {
      hf_flashfile_layout(&sup.layout, &sup.flash, &geometry);
      err = hf_keychest_open(&sup.chest, folder, &sup.conf, &sup.flash, trouble);
    }
  }
  if (err == HF_OK) {
    err = open_signals(&sup);
  }
  if (err == HF_OK) {
    end = loop(&sup);
  }
  if (sup.signals >= 0) {
    (void)close(sup.signals);
  }
  hf_flashfile_close(&sup.flash);
  return end;
}
