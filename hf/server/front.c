/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* accept4 */
#include "hf/server/front.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hf/server/est.h"
#include "hf/server/front_core.h"
#include "hf/server/front_device.h"
#include "hf/server/front_people.h"
#include "hf/server/front_spool.h"

/* Connections taken in one turn: the other fronts get their share, and those already here go on. */
#define ACCEPT_MAX 8
#define TICK_MS 250
/* After STOP: requests in hand may take this long. */
#define DRAIN_MS 5000
/* Failed handshakes logged in a second: enough to see what is wrong, too few to fill a disk. */
#define SHAKE_LOG_MAX 5
/* Files that are no connection. */
#define FILES_RESERVED 64

/* ---- what front_conn calls ---- */

void hf_front_head(struct hf_conn *conn)
{
  if (conn->devices) {
    hf_front_device_head(conn);
  } else {
    hf_front_people_head(conn);
  }
}

void hf_front_body(struct hf_conn *conn)
{
  if (conn->devices) {
    hf_front_device_body(conn);
  } else {
    hf_front_people_body(conn);
  }
}

void hf_front_forget(struct hf_conn *conn) { hf_front_people_forget(conn); }

/* ---- access log ---- */

static void flush_log(struct hf_front *front)
{
  size_t done = 0;
  while (done < front->log_len) {
    /* A log that nobody reads must not stop the service: a pipe that is ready takes PIPE_BUF bytes without waiting. */
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    size_t piece = front->log_len - done < PIPE_BUF ? front->log_len - done : PIPE_BUF;
    ssize_t n = poll(&ready, 1, 0) == 1 ? write(STDERR_FILENO, front->log + done, piece) : -1;
    if (n <= 0) {
      break;
    }
    done += (size_t)n;
  }
  front->log_len = 0;
}

void hf_front_log(struct hf_front *front, const struct hf_conn *conn)
{
  /* Successful requests of devices are in the database; a line for each would only bury the others. */
  if (conn->devices && conn->status < 400 && !front->child->setup->log_requests) {
    return;
  }
  if (sizeof front->log - front->log_len < 512) {
    flush_log(front);
  }
  struct hf_bytes verb = conn->request.verb;
  struct hf_bytes path = conn->request.path; /* printable ASCII: hf_http_parse */
  int path_len = path.len < 160 ? (int)path.len : 160;
  int n = snprintf(front->log + front->log_len, sizeof front->log - front->log_len,
                   "front%u %s %s %.*s %.*s %d %llu %lldms %s\n", front->child->number,
                   conn->devices ? "devices" : "people", conn->address, (int)verb.len,
                   verb.len > 0 ? (const char *)verb.at : "", path_len, path_len > 0 ? (const char *)path.at : "",
                   conn->status, (unsigned long long)conn->sent, (long long)(hf_child_now_ms() - conn->began_ms),
                   conn->identity.present ? conn->identity.device : "-");
  front->log_len += n > 0 && (size_t)n < sizeof front->log - front->log_len ? (size_t)n : 0;
}

void hf_front_log_handshake(struct hf_front *front, const struct hf_conn *conn, const char *reason)
{
  int64_t now = hf_child_now();
  if (front->shake_log_s != now) {
    front->shake_log_s = now;
    front->shake_log_left = SHAKE_LOG_MAX;
  }
  if (front->shake_log_left == 0 || sizeof front->log - front->log_len < 512) {
    return;
  }
  front->shake_log_left--;
  int n = snprintf(front->log + front->log_len, sizeof front->log - front->log_len,
                   "front%u %s %s handshake failed: %s\n", front->child->number, conn->devices ? "devices" : "people",
                   conn->address, reason == NULL ? "the client went away" : reason);
  front->log_len += n > 0 ? (size_t)n : 0;
}

/* ---- accepting ---- */

/* Counter of an address: keyed, so that nobody can find an address that shares somebody else's. */
static unsigned slot_of(const struct hf_front *front, const struct sockaddr_storage *from)
{
  uint8_t sum[HF_SHA256_LEN];
  struct hf_bytes address =
      from->ss_family == AF_INET6
          ? hf_bytes_init(&((const struct sockaddr_in6 *)from)->sin6_addr, 8) /* a /64 is one customer */
          : hf_bytes_init(&((const struct sockaddr_in *)from)->sin_addr, 4);
  hf_hmac_sha256(sum, hf_bytes_init(front->address_key, sizeof front->address_key), address);
  return (unsigned)(sum[0] << 8 | sum[1]) % HF_FRONT_ADDRESS_SLOTS;
}

static void write_address(char out[46], const struct sockaddr_storage *from)
{
  const void *at = from->ss_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)from)->sin6_addr
                                               : (const void *)&((const struct sockaddr_in *)from)->sin_addr;
  if (inet_ntop(from->ss_family, at, out, 46) == NULL) {
    out[0] = '\0';
  }
  if (strncmp(out, "::ffff:", 7) == 0 && strchr(out, '.') != NULL) {
    memmove(out, out + 7, strlen(out + 7) + 1); /* IPv4 through an IPv6 socket */
  }
}

/* A connection that nobody would miss: the oldest unfinished handshake, else one between two requests. */
static bool make_room(struct hf_front *front, bool handshakes_only)
{
  struct hf_conn *victim = front->shake_oldest;
  for (struct hf_conn *conn = front->newest; victim == NULL && !handshakes_only && conn != NULL; conn = conn->next) {
    victim = hf_conn_idle(conn) ? conn : NULL; /* any: all of them have said what they had to say */
  }
  if (victim != NULL) {
    hf_conn_close(victim);
  }
  return victim != NULL;
}

static void take(struct hf_front *front, int fd, bool devices, const struct sockaddr_storage *from)
{
  char address[46] = "";
  unsigned slot = slot_of(front, from);
  if (front->address_count[slot] >= HF_FRONT_PER_ADDRESS_MAX ||
      (front->conn_count >= front->conn_max && !make_room(front, false))) {
    (void)close(fd);
    return;
  }
  if (front->handshake_count >= HF_FRONT_HANDSHAKES_MAX) {
    (void)make_room(front, true);
  }
  write_address(address, from);
  hf_conn_open(front, fd, devices, address, slot);
}

static void on_accept(evutil_socket_t listener, short what, void *ctx)
{
  struct hf_front *front = ctx;
  (void)what;
  for (int i = 0; i < ACCEPT_MAX; i++) {
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof from;
    int fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if ((errno == EMFILE || errno == ENFILE) && make_room(front, false)) {
        continue;
      }
      return;
    }
    take(front, fd, listener == front->child->setup->devices_socket, &from);
  }
}

/* ---- answers ---- */

static void on_answer(struct hf_child_link *wire)
{
  struct hf_front *front = wire->ctx;
  struct hf_msg msg;
  while (hf_link_next(&wire->link, &msg)) {
    if (msg.type == HF_MSG_CHANGE) {
      front->change = msg.change.number > front->change ? msg.change.number : front->change;
      hf_front_people_wake(front, hf_child_now_ms());
      continue;
    }
    struct hf_conn *conn = hf_front_ask_take(front, msg.id);
    if (conn == NULL) {
      continue;
    }
    if (conn->devices) {
      hf_front_device_answer(conn, &msg);
    } else {
      hf_front_people_answer(conn, &msg);
    }
  }
}

static void on_link_lost(struct hf_child_link *wire)
{
  struct hf_front *front = wire->ctx;
  hf_front_ask_fail(front, wire == &front->engine);
}

static void on_link(struct hf_child *child, enum hf_process peer, unsigned number, int socket)
{
  struct hf_front *front = child->ctx;
  struct hf_child_link *wire = peer == HF_ENGINE ? &front->engine : &front->reader;
  (void)number;
  if (wire->link.socket >= 0) {
    hf_child_link_close(wire);
    on_link_lost(wire); /* keeper was quicker than the end of file */
  }
  if (hf_child_link_open(wire, socket) != HF_OK) {
    (void)close(socket);
  }
}

/* ---- time ---- */

static void expire(struct hf_front *front, int64_t now_ms)
{
  struct hf_conn *conn = front->newest;
  while (conn != NULL) {
    struct hf_conn *next = conn->next;
    if (now_ms >= conn->deadline_ms || (front->stopping && hf_conn_idle(conn))) {
      hf_conn_expire(conn);
    }
    conn = next;
  }
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
  struct hf_front *front = ctx;
  int64_t now = hf_child_now_ms();
  (void)fd;
  (void)what;
  expire(front, now);
  hf_front_people_wake(front, now);
  flush_log(front);
  if (front->stopping && (front->conn_count == 0 || now >= front->stop_at_ms)) {
    (void)event_base_loopbreak(front->child->base);
  }
}

/* Take nobody new, answer who is here, then go. */
static void on_stop(struct hf_child *child)
{
  struct hf_front *front = child->ctx;
  front->stopping = true;
  front->stop_at_ms = hf_child_now_ms() + DRAIN_MS;
  (void)event_del(front->accept_devices);
  (void)event_del(front->accept_people);
  on_tick(-1, 0, front);
}

/* ---- the process ---- */

static enum hf_err prepare_cacerts(struct hf_front_cacerts *cacerts, const struct hf_front_cas *roots,
                                   const struct hf_front_cas *cross)
{
  X509 *certificates[2 * HF_CAFILE_MAX];
  size_t count = 0;
  uint8_t room[HF_EST_REPLY_MAX];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  for (size_t i = 0; i < roots->count; i++) {
    certificates[count++] = roots->at[i];
  }
  for (size_t i = 0; cross != NULL && i < cross->count; i++) {
    certificates[count++] = cross->at[i];
  }
  enum hf_err err = hf_est_encode(&body, certificates, count);
  if (err != HF_OK) {
    return err;
  }
  cacerts->at = malloc(body.len);
  if (cacerts->at == NULL) {
    return HF_E_SPACE;
  }
  memcpy(cacerts->at, room, body.len);
  cacerts->len = body.len;
  return HF_OK;
}

static enum hf_err open_files(struct hf_front *front)
{
  const struct hf_setup *setup = front->child->setup;
  char path[PATH_MAX + 16];
  struct rlimit files = {.rlim_cur = 1024};
  (void)getrlimit(RLIMIT_NOFILE, &files);
  rlim_t room = files.rlim_cur > FILES_RESERVED * 2 ? files.rlim_cur - FILES_RESERVED : FILES_RESERVED;
  front->conn_max = room < HF_FRONT_CONNS_MAX ? (size_t)room : HF_FRONT_CONNS_MAX;
  (void)snprintf(path, sizeof path, "%s/repo", setup->server_dir);
  front->repo = hf_static_folder_open(path);
  (void)snprintf(path, sizeof path, "%s/spool", setup->server_dir);
  front->spool = hf_static_folder_open(path);
  if (front->repo < 0 || front->spool < 0) {
    return HF_E_NOT_FOUND;
  }
  hf_spool_clean(front->spool, front->child->number);
  return hf_random(front->address_key, sizeof front->address_key);
}

static enum hf_err add_events(struct hf_front *front)
{
  struct hf_child *child = front->child;
  struct timeval tick = {.tv_usec = TICK_MS * 1000};
  front->accept_devices = event_new(child->base, child->setup->devices_socket, EV_READ | EV_PERSIST, on_accept, front);
  front->accept_people = event_new(child->base, child->setup->people_socket, EV_READ | EV_PERSIST, on_accept, front);
  front->timer = event_new(child->base, -1, EV_PERSIST, on_tick, front);
  if (front->accept_devices == NULL || front->accept_people == NULL || front->timer == NULL ||
      event_add(front->accept_devices, NULL) != 0 || event_add(front->accept_people, NULL) != 0 ||
      event_add(front->timer, &tick) != 0) {
    return HF_E_SPACE;
  }
  return HF_OK;
}

static enum hf_err open_front(struct hf_front *front)
{
  struct hf_child *child = front->child;
  hf_front_asks_init(&front->asks);
  hf_child_link_init(&front->engine, child, HF_ENGINE);
  hf_child_link_init(&front->reader, child, HF_READER);
  struct hf_child_link *links[] = {&front->engine, &front->reader};
  for (size_t i = 0; i < 2; i++) {
    links[i]->on_input = on_answer;
    links[i]->on_lost = on_link_lost;
    links[i]->ctx = front;
  }
  enum hf_err err = hf_front_tls_open(&front->tls, child->setup);
  err = err == HF_OK ? prepare_cacerts(&front->cacerts, &front->tls.device_ca, NULL) : err;
  err = err == HF_OK ? prepare_cacerts(&front->anchors, &front->tls.server_ca, &front->tls.server_cross) : err;
  err = err == HF_OK ? open_files(front) : err;
  err = err == HF_OK ? add_events(front) : err;
  return err == HF_OK ? hf_child_ready(child) : err;
}

static void close_front(struct hf_front *front)
{
  struct event *events[] = {front->accept_devices, front->accept_people, front->timer};
  while (front->newest != NULL) {
    hf_conn_close(front->newest);
  }
  for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
    if (events[i] != NULL) {
      event_free(events[i]);
    }
  }
  hf_child_link_close(&front->engine);
  hf_child_link_close(&front->reader);
  hf_front_tls_close(&front->tls);
  if (front->repo >= 0) {
    (void)close(front->repo);
  }
  if (front->spool >= 0) {
    (void)close(front->spool);
  }
  flush_log(front);
  free(front->cacerts.at);
  free(front->anchors.at);
}

/* One turn of the loop gathers what all connections ask; then it goes to the engine in one piece. */
static void serve(struct hf_front *front)
{
  struct event_base *base = front->child->base;
  while (event_base_loop(base, EVLOOP_ONCE) == 0 && !event_base_got_break(base)) {
    hf_child_link_flush(&front->engine);
    hf_child_link_flush(&front->reader);
  }
}

int hf_front_run(struct hf_child *child)
{
  struct hf_front *front = calloc(1, sizeof *front);
  if (front == NULL || hf_child_open(child) != HF_OK) {
    free(front);
    return 1;
  }
  front->child = child;
  front->repo = front->spool = -1;
  child->ctx = front;
  child->on_link = on_link;
  child->on_stop = on_stop;
  int status = open_front(front) == HF_OK ? 0 : 1;
  if (status == 0) {
    serve(front);
  }
  close_front(front);
  hf_child_close(child);
  free(front);
  return status;
}
