/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hf/server/courier.h"
#include "hf/server/engine_loop.h"
#include "hf/server/front.h"
#include "hf/server/front_tls.h"
#include "hf/server/reader.h"
#include "hf/server/sandbox.h"
#include "hf/server/vault_loop.h"

#define SINGLES 4 /* vault, engine, reader, courier */
#define SLOTS_MAX (SINGLES + HF_FRONTS_MAX)
/* Socket buffers of a link: a burst of check-ins fits without a second system call. */
#define LINK_BUFFER (1 << 20)

/* One process that should be running. */
struct slot {
  enum hf_process process;
  unsigned number;
  pid_t pid; /* 0: not running */
  int control;
  bool ready;
  bool wanted;  /* its turn has come */
  bool stale;   /* it has what was read before SIGHUP: to be replaced */
  bool leaving; /* told to stop, for that */
  int64_t born_ms;
  int64_t start_at_ms;
  int64_t pause_ms;
};

enum stage { STARTING, SERVING, STOP_FRONTS, STOP_ENGINE, STOP_REST };

struct keeper {
  struct hf_setup *setup; /* each child changes its own copy: hf_setup_clear */
  const char *banner;
  struct slot slot[SLOTS_MAX];
  size_t count;
  enum stage stage;
  int64_t stage_ends_ms;
  int64_t begun_ms;
  int signals;
  int notify;
  sigset_t old_mask;
  bool failed;
};

/* ---- telling the service manager (sd_notify(3), without its library) ---- */

/* Connected before narrowing: afterwards abstract sockets are out of reach. -1: nobody wants to know. */
static int notify_open(void)
{
  const char *path = getenv("NOTIFY_SOCKET");
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  size_t len = path == NULL ? 0 : strlen(path);
  if (len < 2 || len >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@')) {
    return -1;
  }
  memcpy(to.sun_path, path, len);
  if (path[0] == '@') {
    to.sun_path[0] = '\0';
  }
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 &&
      connect(fd, (const struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) != 0) {
    (void)close(fd);
    return -1;
  }
  return fd;
}

static void notify(const struct keeper *keeper, const char *state)
{
  if (keeper->notify >= 0) {
    (void)send(keeper->notify, state, strlen(state), MSG_NOSIGNAL);
  }
}

/* ---- starting ---- */

static bool linked(enum hf_process a, enum hf_process b)
{
  static const enum hf_process pairs[][2] = {
      {HF_FRONT, HF_ENGINE}, {HF_FRONT, HF_READER}, {HF_ENGINE, HF_VAULT}, {HF_ENGINE, HF_COURIER}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    if ((pairs[i][0] == a && pairs[i][1] == b) || (pairs[i][0] == b && pairs[i][1] == a)) {
      return true;
    }
  }
  return false;
}

static void introduce_one(const struct slot *to, const struct slot *peer, int fd)
{
  struct hf_msg msg = {.type = HF_MSG_LINK, .link = {(uint32_t)peer->process, peer->number}};
  if (hf_control_put(to->control, &msg, fd) != HF_OK) {
    (void)kill(to->pid, SIGKILL); /* it does not even read its control socket: start it anew */
  }
}

/* A new socket pair between two running processes that have something to say to each other. */
static void introduce(const struct slot *a, const struct slot *b)
{
  int pair[2];
  int size = LINK_BUFFER;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    fprintf(stderr, "keeper: socketpair: %s\n", strerror(errno));
    return;
  }
  for (int i = 0; i < 2; i++) {
    (void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  }
  introduce_one(a, b, pair[0]);
  introduce_one(b, a, pair[1]);
  (void)close(pair[0]);
  (void)close(pair[1]);
}

static int run_child(struct hf_child *child)
{
  switch (child->self) {
    case HF_FRONT: return hf_front_run(child);
    case HF_ENGINE: return hf_engine_loop_run(child);
    case HF_READER: return hf_reader_run(child);
    case HF_VAULT: return hf_vault_loop_run(child);
    case HF_COURIER: return hf_courier_run(child);
    default: return 1;
  }
}

/* What ps and top show: hf-engine, hf-front0. */
static void name_process(const struct slot *slot)
{
  char name[16];
  int len = snprintf(name, sizeof name, "hf-%s", hf_process_name(slot->process));
  if (slot->process == HF_FRONT && len > 0 && (size_t)len < sizeof name) {
    (void)snprintf(name + len, sizeof name - (size_t)len, "%u", slot->number);
  }
  (void)prctl(PR_SET_NAME, name);
}

/* The new process: it lets go of what is not its own, narrows itself, and only then does anything. */
static _Noreturn void become(struct keeper *keeper, const struct slot *slot, int control, pid_t parent)
{
  struct hf_setup *setup = keeper->setup;
  bool front = slot->process == HF_FRONT;
  int keep[3] = {control, front ? setup->devices_socket : -1, front ? setup->people_socket : -1};
  /* Ctrl-C and service managers signal the whole group; only keeper decides when a process ends. */
  (void)signal(SIGINT, SIG_IGN);
  (void)signal(SIGTERM, SIG_IGN);
  (void)signal(SIGHUP, SIG_IGN);
  (void)signal(SIGPIPE, SIG_IGN);
  (void)signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is a full disk, not a reason to die */
  (void)sigprocmask(SIG_SETMASK, &keeper->old_mask, NULL);
  hf_sandbox_close_others(keep, 3);
  hf_setup_clear(setup, slot->process);
  name_process(slot);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
    _exit(1); /* keeper died in between */
  }
  if (setup->sandbox && hf_sandbox_enter(slot->process, setup->dir) != HF_OK) {
    _exit(1);
  }
  struct hf_child child = {.setup = setup, .self = slot->process, .number = slot->number, .control = control};
  int status = run_child(&child);
  if (HF_SANITIZED) {
    exit(status); /* the leak checker runs at exit */
  }
  _exit(status);
}

static enum hf_err start(struct keeper *keeper, struct slot *slot)
{
  int pair[2];
  pid_t parent = getpid();
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    fprintf(stderr, "keeper: control socket for %s: %s\n", hf_process_name(slot->process), strerror(errno));
    return HF_E_IO;
  }
  (void)fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    become(keeper, slot, pair[1], parent);
  }
  (void)close(pair[1]);
  if (pid < 0) {
    (void)close(pair[0]);
    fprintf(stderr, "keeper: fork for %s: %s\n", hf_process_name(slot->process), strerror(errno));
    return HF_E_IO;
  }
  slot->pid = pid;
  slot->control = pair[0];
  slot->ready = false;
  slot->born_ms = hf_child_now_ms();
  for (size_t i = 0; i < keeper->count; i++) {
    const struct slot *other = &keeper->slot[i];
    if (other != slot && other->pid > 0 && linked(slot->process, other->process)) {
      introduce(slot, other);
    }
  }
  return HF_OK;
}

static void begin_stop(struct keeper *keeper);

static void start_due(struct keeper *keeper)
{
  int64_t now = hf_child_now_ms();
  for (size_t i = 0; keeper->stage <= SERVING && i < keeper->count; i++) {
    struct slot *slot = &keeper->slot[i];
    if (slot->wanted && slot->pid == 0 && now >= slot->start_at_ms && start(keeper, slot) != HF_OK) {
      slot->start_at_ms = now + HF_KEEPER_PAUSE_LAST_MS;
      if (keeper->stage == STARTING) {
        keeper->failed = true;
        begin_stop(keeper);
      }
    }
  }
}

/* The order of starting: the engine asks the vault as it opens, the reader needs the engine's schema. */
static void advance(struct keeper *keeper)
{
  bool vault = keeper->slot[0].ready;
  bool engine = keeper->slot[1].ready;
  bool all = true;
  for (size_t i = 0; i < keeper->count; i++) {
    struct slot *slot = &keeper->slot[i];
    slot->wanted = i == 0 || (i == 1 ? vault : vault && engine) || slot->wanted;
    all = all && slot->ready;
  }
  if (all && keeper->stage == STARTING) {
    keeper->stage = SERVING;
    double seconds = (double)(hf_child_now_ms() - keeper->begun_ms) / 1000;
    printf("holdfast %s ready in %.2f s: %s\n", HF_VERSION, seconds, keeper->banner);
    (void)fflush(stdout);
    notify(keeper, "READY=1");
  }
}

/* ---- reading keys and certificates anew: SIGHUP ---- */

/* A front in a process of its own opens what the next fronts will open: files that are no good are found while the old
 * ones still serve. */
static bool trial(struct keeper *keeper)
{
  int status = 1;
  (void)fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    static struct hf_front_tls tls; /* OpenSSL frees the rest at exit */
    (void)sigprocmask(SIG_SETMASK, &keeper->old_mask, NULL);
    hf_setup_clear(keeper->setup, HF_FRONT);
    if (keeper->setup->sandbox && hf_sandbox_enter(HF_FRONT, keeper->setup->dir) != HF_OK) {
      _exit(1);
    }
    int bad = hf_front_tls_open(&tls, keeper->setup) != HF_OK;
    hf_front_tls_close(&tls);
    _exit(bad);
  }
  while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void begin_reload(struct keeper *keeper)
{
  uint8_t ticket_key[sizeof keeper->setup->ticket_key];
  if (keeper->stage != SERVING) {
    return;
  }
  if (!trial(keeper)) {
    fprintf(stderr, "keeper: the files in tls/ cannot be used; what was read before stays in force\n");
    return;
  }
  /* A session that began under a CA of before must not be resumed under those of now. */
  if (hf_random(ticket_key, sizeof ticket_key) == HF_OK) {
    memcpy(keeper->setup->ticket_key, ticket_key, sizeof ticket_key);
  }
  hf_secret_wipe(ticket_key, sizeof ticket_key);
  for (size_t i = 0; i < keeper->count; i++) {
    keeper->slot[i].stale = keeper->slot[i].process == HF_FRONT || keeper->slot[i].process == HF_VAULT;
  }
  notify(keeper, "RELOADING=1");
  fprintf(stderr, "keeper: reading keys and certificates anew\n");
}

/* One at a time, the fronts first: they must trust what the vault will issue. The listeners stay open meanwhile, and
 * whoever comes waits in their queue or meets another front. */
static void advance_reload(struct keeper *keeper)
{
  struct hf_msg stop = {.type = HF_MSG_STOP};
  struct slot *next = NULL;
  bool busy = false;
  for (size_t i = keeper->count; keeper->stage == SERVING && i-- > 0;) { /* the vault is the first slot */
    struct slot *slot = &keeper->slot[i];
    busy = busy || slot->leaving || slot->pid == 0 || !slot->ready;
    next = slot->stale && next == NULL ? slot : next;
  }
  if (next == NULL || busy) {
    return;
  }
  next->stale = false;
  next->leaving = true;
  if (hf_control_put(next->control, &stop, -1) != HF_OK) {
    (void)kill(next->pid, SIGKILL);
  }
}

/* ---- stopping ---- */

static bool belongs(enum stage stage, enum hf_process process)
{
  switch (stage) {
    case STOP_FRONTS: return process == HF_FRONT;
    case STOP_ENGINE: return process == HF_ENGINE || process == HF_READER;
    default: return true;
  }
}

static void send_stop(struct keeper *keeper)
{
  struct hf_msg stop = {.type = HF_MSG_STOP};
  keeper->stage_ends_ms = hf_child_now_ms() + HF_KEEPER_STOP_MS;
  for (size_t i = 0; i < keeper->count; i++) {
    const struct slot *slot = &keeper->slot[i];
    if (slot->pid > 0 && belongs(keeper->stage, slot->process)) {
      (void)(hf_control_put(slot->control, &stop, -1) == HF_OK); /* a process that is gone is waited for below */
    }
  }
}

static void begin_stop(struct keeper *keeper)
{
  if (keeper->stage < STOP_FRONTS) {
    keeper->stage = STOP_FRONTS;
    notify(keeper, "STOPPING=1");
    send_stop(keeper);
  }
}

static void kill_all(struct keeper *keeper, enum stage stage)
{
  for (size_t i = 0; i < keeper->count; i++) {
    if (keeper->slot[i].pid > 0 && belongs(stage, keeper->slot[i].process)) {
      fprintf(stderr, "keeper: %s does not stop; killing it\n", hf_process_name(keeper->slot[i].process));
      (void)kill(keeper->slot[i].pid, SIGKILL);
    }
  }
}

/* True when nothing is left to wait for. */
static bool advance_stop(struct keeper *keeper)
{
  while (keeper->stage >= STOP_FRONTS) {
    bool running = false;
    for (size_t i = 0; i < keeper->count; i++) {
      running = running || (keeper->slot[i].pid > 0 && belongs(keeper->stage, keeper->slot[i].process));
    }
    if (running) {
      if (hf_child_now_ms() >= keeper->stage_ends_ms) {
        kill_all(keeper, keeper->stage);
        keeper->stage_ends_ms += HF_KEEPER_STOP_MS;
      }
      return false;
    }
    if (keeper->stage == STOP_REST) {
      return true;
    }
    keeper->stage++;
    send_stop(keeper);
  }
  return false;
}

/* ---- events ---- */

static void describe_death(const struct slot *slot, int status)
{
  char which[32] = "";
  if (slot->process == HF_FRONT) {
    (void)snprintf(which, sizeof which, " %u", slot->number);
  }
  if (WIFSIGNALED(status)) {
    int signal = WTERMSIG(status);
    fprintf(stderr, "keeper: %s%s (process %ld) was ended by signal %d%s\n", hf_process_name(slot->process), which,
            (long)slot->pid, signal, signal == SIGSYS ? ": a system call that its sandbox forbids" : "");
  } else {
    fprintf(stderr, "keeper: %s%s (process %ld) ended with status %d\n", hf_process_name(slot->process), which,
            (long)slot->pid, WEXITSTATUS(status));
  }
}

static void on_death(struct keeper *keeper, struct slot *slot, int status)
{
  bool stopping = keeper->stage >= STOP_FRONTS;
  bool replaced = slot->leaving && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  slot->leaving = false;
  if ((!stopping && !replaced) || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    describe_death(slot, status);
  }
  (void)close(slot->control);
  slot->control = -1;
  slot->pid = 0;
  if (stopping) {
    keeper->failed = keeper->failed || (WIFEXITED(status) && WEXITSTATUS(status) != 0 && slot->ready);
    return;
  }
  if (keeper->stage == STARTING) {
    fprintf(stderr, "keeper: %s could not start; stopping\n", hf_process_name(slot->process));
    keeper->failed = true;
    begin_stop(keeper);
    return;
  }
  int64_t now = hf_child_now_ms();
  if (replaced) {
    slot->ready = false;
    slot->start_at_ms = now;
    return;
  }
  if (now - slot->born_ms >= HF_KEEPER_FORGIVE_MS || slot->pause_ms == 0) {
    slot->pause_ms = HF_KEEPER_PAUSE_FIRST_MS;
  } else {
    slot->pause_ms = slot->pause_ms * 2 < HF_KEEPER_PAUSE_LAST_MS ? slot->pause_ms * 2 : HF_KEEPER_PAUSE_LAST_MS;
  }
  slot->ready = false;
  slot->start_at_ms = now + slot->pause_ms;
}

static void reap(struct keeper *keeper)
{
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    for (size_t i = 0; i < keeper->count; i++) {
      if (keeper->slot[i].pid == pid) {
        on_death(keeper, &keeper->slot[i], status);
        break;
      }
    }
  }
}

static void on_signals(struct keeper *keeper)
{
  struct signalfd_siginfo info;
  while (read(keeper->signals, &info, sizeof info) == (ssize_t)sizeof info) {
    if (info.ssi_signo == SIGCHLD) {
      reap(keeper);
    } else if (info.ssi_signo == SIGHUP) {
      begin_reload(keeper);
    } else if (keeper->stage < STOP_FRONTS) {
      begin_stop(keeper);
    } else {
      kill_all(keeper, STOP_REST); /* asked twice: at once */
    }
  }
}

/* A ready engine has taken it over (docs/spec/workspace.md). It may not remove it itself: the right to remove files
 * from server/ would reach the vault's keys. */
static void forget_bootstrap(const struct hf_setup *setup)
{
  char path[PATH_MAX + 16];
  (void)snprintf(path, sizeof path, "%s/bootstrap.json", setup->server_dir);
  if (unlink(path) != 0 && errno != ENOENT) {
    fprintf(stderr, "keeper: %s: %s; remove it, it has done its work\n", path, strerror(errno));
  }
}

static void on_control(const struct keeper *keeper, struct slot *slot)
{
  struct hf_msg msg;
  int fd;
  if (hf_control_get(slot->control, HF_KEEPER, &msg, &fd) != HF_OK) {
    return; /* closed: SIGCHLD tells the rest */
  }
  if (fd >= 0) {
    (void)close(fd);
  }
  slot->ready = true;
  if (slot->process == HF_ENGINE) {
    forget_bootstrap(keeper->setup);
  }
}

static int wait_ms(const struct keeper *keeper)
{
  int64_t now = hf_child_now_ms();
  int64_t until = keeper->stage >= STOP_FRONTS ? keeper->stage_ends_ms : now + 60000;
  for (size_t i = 0; keeper->stage <= SERVING && i < keeper->count; i++) {
    const struct slot *slot = &keeper->slot[i];
    if (slot->wanted && slot->pid == 0 && slot->start_at_ms < until) {
      until = slot->start_at_ms;
    }
  }
  return until <= now ? 0 : (int)(until - now);
}

static void wait_events(struct keeper *keeper)
{
  struct pollfd watch[SLOTS_MAX + 1] = {{.fd = keeper->signals, .events = POLLIN}};
  for (size_t i = 0; i < keeper->count; i++) {
    const struct slot *slot = &keeper->slot[i];
    watch[i + 1] = (struct pollfd){.fd = slot->pid > 0 && !slot->ready ? slot->control : -1, .events = POLLIN};
  }
  if (poll(watch, keeper->count + 1, wait_ms(keeper)) <= 0) {
    return;
  }
  for (size_t i = 0; i < keeper->count; i++) {
    if ((watch[i + 1].revents & POLLIN) != 0) {
      on_control(keeper, &keeper->slot[i]);
    }
  }
  if (watch[0].revents != 0) {
    on_signals(keeper);
  }
}

static enum hf_err watch_signals(struct keeper *keeper)
{
  sigset_t wanted;
  (void)sigemptyset(&wanted);
  (void)sigaddset(&wanted, SIGCHLD);
  (void)sigaddset(&wanted, SIGTERM);
  (void)sigaddset(&wanted, SIGINT);
  (void)sigaddset(&wanted, SIGHUP);
  (void)signal(SIGPIPE, SIG_IGN);
  if (sigprocmask(SIG_BLOCK, &wanted, &keeper->old_mask) != 0) {
    return HF_E_IO;
  }
  keeper->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
  return keeper->signals >= 0 ? HF_OK : HF_E_IO;
}

static void lay_out(struct keeper *keeper)
{
  static const enum hf_process singles[SINGLES] = {HF_VAULT, HF_ENGINE, HF_READER, HF_COURIER};
  keeper->count = SINGLES + keeper->setup->fronts;
  for (size_t i = 0; i < keeper->count; i++) {
    bool single = i < SINGLES;
    keeper->slot[i] = (struct slot){
        .process = single ? singles[i] : HF_FRONT, .number = single ? 0 : (unsigned)(i - SINGLES), .control = -1};
  }
}

int hf_keeper_run(struct hf_setup *setup, const char *banner)
{
  struct keeper *keeper = calloc(1, sizeof *keeper);
  if (keeper == NULL) {
    return 1;
  }
  *keeper = (struct keeper){
      .setup = setup, .banner = banner, .begun_ms = hf_child_now_ms(), .signals = -1, .notify = notify_open()};
  lay_out(keeper);
  if (watch_signals(keeper) != HF_OK || (setup->sandbox && hf_sandbox_enter(HF_KEEPER, setup->dir) != HF_OK)) {
    keeper->failed = true;
  } else {
    advance(keeper);
    do {
      start_due(keeper);
      wait_events(keeper);
      advance(keeper);
      advance_reload(keeper);
    } while (!advance_stop(keeper));
  }
  int status = keeper->failed ? 1 : 0;
  if (keeper->signals >= 0) {
    (void)close(keeper->signals);
  }
  if (keeper->notify >= 0) {
    (void)close(keeper->notify);
  }
  free(keeper);
  return status;
}
