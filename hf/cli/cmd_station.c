/* SPDX-License-Identifier: Apache-2.0
 * holdfast factory station, run, close: the machine at the manufacturer. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "hf/cli/command.h"
#include "hf/cli/output.h"
#include "hf/cli/station.h"
#include "hf/cli/term.h"

/** Jigs at one station at a time. */
#define PEERS_MAX 64
/** A jig that does not take its answer for so long is dropped. */
#define SEND_S 5

/** One jig: a socket, or standard input. */
struct peer {
  int in;
  int out;
  size_t len;
  uint8_t line[HF_STATIONLINE_MAX + 1];
};

struct loop {
  struct hf_station *station;
  int listener; /**< -1: one peer, standard input */
  struct peer peer[PEERS_MAX];
  size_t count;
  uint8_t answer[HF_STATION_ANSWER_MAX];
};

static volatile sig_atomic_t stopping;

static void on_stop(int signal)
{
  (void)signal;
  stopping = 1;
}

static void catch_signals(void)
{
  struct sigaction stop = {.sa_handler = on_stop};
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  (void)sigaction(SIGTERM, &stop, NULL);
  (void)sigaction(SIGINT, &stop, NULL);
  (void)sigaction(SIGPIPE, &ignore, NULL);
}

/* ---- station init ---- */

int hf_cmd_factory_station(const struct hf_call *call)
{
  const char *name = hf_args_get(call, "name");
  const char *ca = hf_args_get(call, "factory-ca");
  if (strcmp(call->operands[0], "init") != 0 || name == NULL || ca == NULL) {
    hf_complain(call->operands[0], "holdfast factory station init DIR --name NAME --factory-ca FILE",
                "a station needs a folder, a name and the factory CA it obeys");
    return HF_EXIT_USAGE;
  }
  enum hf_err err = hf_station_init(call->operands[1], name, ca);
  if (err == HF_OK) {
    printf("%s/station.pub\n", call->operands[1]);
    hf_note("give this public key to the product owner, over a way that nobody can change it on");
  }
  return hf_exit_of(err);
}

/* ---- run ---- */

/* Folder of files beside an order: what `factory order create` made. */
static const char *files_of(char room[HF_PATH_MAX], const struct hf_call *call)
{
  const char *order = hf_args_get(call, "order");
  size_t stem = strlen(order);
  if (hf_args_get(call, "files") != NULL) {
    return hf_args_get(call, "files");
  }
  stem -= stem > 4 && strcmp(order + stem - 4, ".hfo") == 0 ? 4 : 0;
  hf_format(room, HF_PATH_MAX, "%.*s.files", (int)stem, order);
  return room;
}

static int listen_on(const char *path)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  struct stat info;
  if (strlen(path) >= sizeof name.sun_path) {
    hf_complain(path, "choose a path of at most 107 bytes", "the path of the socket is too long");
    return -1;
  }
  memcpy(name.sun_path, path, strlen(path));
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  /* One that a killed station left; that no station works there now is told by the lock of the record. */
  if (lstat(path, &info) == 0 && S_ISSOCK(info.st_mode)) {
    (void)unlink(path);
  }
  mode_t before = umask(0117);
  bool good = fd >= 0 && bind(fd, (const struct sockaddr *)&name, sizeof name) == 0 && listen(fd, PEERS_MAX) == 0;
  (void)umask(before);
  if (!good) {
    hf_complain(path, "choose another place for the socket", "cannot listen there: %s", strerror(errno));
    if (fd >= 0) {
      (void)close(fd);
    }
    return -1;
  }
  return fd;
}

static void drop(struct loop *loop, size_t i)
{
  if (loop->peer[i].in != STDIN_FILENO) {
    (void)close(loop->peer[i].in);
  }
  loop->peer[i] = loop->peer[--loop->count];
}

static void take(struct loop *loop)
{
  const struct timeval patience = {.tv_sec = SEND_S};
  int fd = accept(loop->listener, NULL, NULL);
  if (fd < 0) {
    return;
  }
  if (loop->count == PEERS_MAX) {
    (void)close(fd);
    return;
  }
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  loop->peer[loop->count] = (struct peer){.in = fd, .out = fd};
  loop->count++;
}

static bool send_all(int fd, struct hf_bytes bytes)
{
  for (size_t done = 0; done < bytes.len;) {
    ssize_t wrote = write(fd, bytes.at + done, bytes.len - done);
    if (wrote < 0 && errno == EINTR) {
      continue;
    }
    if (wrote <= 0) {
      return false;
    }
    done += (size_t)wrote;
  }
  return true;
}

/* False: the peer is to be dropped. */
static bool answer(struct loop *loop, const struct peer *peer, struct hf_bytes line)
{
  struct hf_buf out = hf_buf_init(loop->answer, sizeof loop->answer);
  enum hf_err err = hf_station_answer(loop->station, &out, line);
  hf_buf_put_u8(&out, '\n');
  if (err == HF_E_STATE) {
    hf_complain(NULL, "start the station again: it reads the record anew", "the batch record could not be written");
    stopping = 1;
  }
  return !out.failed && send_all(peer->out, hf_buf_bytes(&out));
}

/* False: the peer is gone or sends what is no line. */
static bool feed(struct loop *loop, struct peer *peer)
{
  ssize_t got = read(peer->in, peer->line + peer->len, sizeof peer->line - peer->len);
  if (got < 0 && errno == EINTR) {
    return true;
  }
  if (got <= 0) {
    return false;
  }
  peer->len += (size_t)got;
  uint8_t *end;
  while (!stopping && (end = memchr(peer->line, '\n', peer->len)) != NULL) {
    size_t len = (size_t)(end - peer->line);
    if (!answer(loop, peer, hf_bytes_init(peer->line, len))) {
      return false;
    }
    peer->len -= len + 1;
    memmove(peer->line, end + 1, peer->len);
  }
  return peer->len < sizeof peer->line;
}

static void turn(struct loop *loop)
{
  struct pollfd fds[PEERS_MAX + 1];
  size_t count = loop->count;
  for (size_t i = 0; i < count; i++) {
    fds[i] = (struct pollfd){.fd = loop->peer[i].in, .events = POLLIN};
  }
  fds[count] = (struct pollfd){.fd = loop->listener, .events = POLLIN};
  if (poll(fds, (nfds_t)count + 1, -1) <= 0) {
    return;
  }
  /* From the end: dropping one moves the last into its place. */
  for (size_t i = count; i > 0; i--) {
    if (fds[i - 1].revents != 0 && !feed(loop, &loop->peer[i - 1])) {
      drop(loop, i - 1);
    }
  }
  if (fds[count].revents != 0) {
    take(loop);
  }
}

static int run(struct hf_station *station, const char *socket_path)
{
  struct loop *loop = calloc(1, sizeof *loop);
  if (loop == NULL) {
    return HF_EXIT_FAILED;
  }
  loop->station = station;
  loop->listener = socket_path == NULL ? -1 : listen_on(socket_path);
  bool good = socket_path == NULL || loop->listener >= 0;
  if (socket_path == NULL) {
    loop->peer[loop->count++] = (struct peer){.in = STDIN_FILENO, .out = STDOUT_FILENO};
  }
  catch_signals();
  if (good) {
    struct hf_station_count count = hf_station_count(station);
    const struct hf_bytes id = hf_station_order(station)->id;
    hf_note("order %.*s: %llu of %llu issued%s%s", (int)id.len, (const char *)id.at, (unsigned long long)count.issued,
            (unsigned long long)count.quota, socket_path == NULL ? "" : ", ready on ",
            socket_path == NULL ? "" : socket_path);
  }
  while (good && !stopping && (loop->listener >= 0 || loop->count > 0)) {
    turn(loop);
  }
  for (size_t i = loop->count; i > 0; i--) {
    drop(loop, i - 1);
  }
  if (loop->listener >= 0) {
    (void)close(loop->listener);
    (void)unlink(socket_path);
  }
  free(loop);
  return good ? HF_EXIT_DONE : HF_EXIT_FAILED;
}

static bool place_of(struct hf_station_place *place, const struct hf_call *call)
{
  *place = (struct hf_station_place){.dir = hf_args_get(call, "station"),
                                     .order = hf_args_get(call, "order"),
                                     .counter = hf_args_get(call, "counter"),
                                     .operator= "",
                                     .passphrase_file = hf_args_get(call, "passphrase-file")};
  if (place->dir == NULL || place->order == NULL) {
    hf_complain(place->dir == NULL ? "--station" : "--order", "name the station's folder and the order file",
                "this option is missing");
    return false;
  }
  return true;
}

int hf_cmd_factory_run(const struct hf_call *call)
{
  struct hf_station_place place;
  struct hf_station *station;
  char room[HF_PATH_MAX];
  if (!place_of(&place, call)) {
    return HF_EXIT_USAGE;
  }
  place.files = files_of(room, call);
  place.operator= hf_args_get_or(call, "tester", "");
  if (strlen(place.operator) > HF_BATCH_TEXT_MAX) {
    hf_complain("--tester", "give at most 128 bytes", "the name is too long");
    return HF_EXIT_USAGE;
  }
  enum hf_err err = hf_station_open(&station, &place);
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  int code = run(station, hf_args_get(call, "listen"));
  hf_station_free(station);
  return code;
}

/* ---- close ---- */

int hf_cmd_factory_close(const struct hf_call *call)
{
  struct hf_station_place place;
  struct hf_station *station;
  const char *out = hf_args_get(call, "out");
  if (!place_of(&place, call)) {
    return HF_EXIT_USAGE;
  }
  if (out == NULL) {
    hf_complain("--out", "name the file for the batch record", "this option is missing");
    return HF_EXIT_USAGE;
  }
  enum hf_err err = hf_station_open(&station, &place);
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  err = hf_station_close(station, out);
  struct hf_station_count count = hf_station_count(station);
  if (err == HF_OK && hf_args_has(call, "json")) {
    hf_output_json(json_pack("{s:s, s:I, s:I, s:I, s:I}", "file", out, "quota", (json_int_t)count.quota, "issued",
                             (json_int_t)count.issued, "passed", (json_int_t)count.passed, "failed",
                             (json_int_t)count.failed));
  } else if (err == HF_OK) {
    printf("%s\n", out);
    hf_note("%llu of %llu issued, %llu passed, %llu failed; the order is done at this station",
            (unsigned long long)count.issued, (unsigned long long)count.quota, (unsigned long long)count.passed,
            (unsigned long long)count.failed);
  }
  hf_station_free(station);
  return hf_exit_of(err);
}
