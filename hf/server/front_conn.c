/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* accept4 and friends' flags */
#include "hf/server/front_conn.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hf/base/assert.h"
#include "hf/server/front_core.h"
#include "hf/server/front_reply.h"
#include "hf/server/front_spool.h"

/* First size of a connection's input: a check-in with its head fits. */
#define IN_FIRST 4096
/* Turns of the state machine for one event: then other connections get theirs. */
#define TURNS_MAX 64

enum io { IO_CLOSED = -1, IO_BLOCKED = 0, IO_MOVED = 1 };

/* ---- bytes ---- */

static void watch(struct hf_conn *conn, bool read, bool write)
{
  if (read != conn->read_on) {
    (void)(read ? event_add(&conn->read_event, NULL) : event_del(&conn->read_event));
    conn->read_on = read;
  }
  if (write != conn->write_on) {
    (void)(write ? event_add(&conn->write_event, NULL) : event_del(&conn->write_event));
    conn->write_on = write;
  }
}

static enum io tls_outcome(struct hf_conn *conn, int rc)
{
  int error = SSL_get_error(conn->ssl, rc);
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ) {
    watch(conn, true, conn->write_on);
    return IO_BLOCKED;
  }
  if (error == SSL_ERROR_WANT_WRITE) {
    watch(conn, conn->read_on, true);
    return IO_BLOCKED;
  }
  return IO_CLOSED;
}

static enum io receive(struct hf_conn *conn, uint8_t *at, size_t cap, size_t *got)
{
  if (conn->ssl != NULL) {
    int rc = SSL_read_ex(conn->ssl, at, cap, got);
    return rc == 1 ? IO_MOVED : tls_outcome(conn, rc);
  }
  ssize_t n = recv(conn->fd, at, cap, 0);
  if (n > 0) {
    *got = (size_t)n;
    return IO_MOVED;
  }
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
    watch(conn, true, conn->write_on);
    return IO_BLOCKED;
  }
  return IO_CLOSED;
}

static enum io transmit(struct hf_conn *conn, const uint8_t *at, size_t len, size_t *sent)
{
  if (conn->ssl != NULL) {
    int rc = SSL_write_ex(conn->ssl, at, len, sent);
    return rc == 1 ? IO_MOVED : tls_outcome(conn, rc);
  }
  ssize_t n = send(conn->fd, at, len, MSG_NOSIGNAL);
  if (n >= 0) {
    *sent = (size_t)n;
    return IO_MOVED;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
    watch(conn, conn->read_on, true);
    return IO_BLOCKED;
  }
  return IO_CLOSED;
}

/* Room for input up to `wanted` in all; grows by doubling, so that a sender who promises much and sends little costs
 * little. */
static bool grow_in(struct hf_conn *conn, size_t wanted)
{
  if (conn->in_len < conn->in_cap) {
    return true;
  }
  size_t cap = conn->in_cap == 0 ? IN_FIRST : conn->in_cap * 2;
  cap = cap < wanted ? cap : wanted;
  if (cap <= conn->in_cap) {
    return false;
  }
  uint8_t *grown = realloc(conn->in, cap);
  if (grown == NULL) {
    return false;
  }
  conn->in = grown;
  conn->in_cap = cap;
  if (conn->state == HF_CONN_BODY || conn->state == HF_CONN_UPLOAD) {
    /* The head has moved; it was good a moment ago. */
    HF_ASSERT(hf_http_parse(&conn->request, hf_bytes_init(conn->in, conn->in_len)) == HF_OK);
  }
  return true;
}

static enum io fill_in(struct hf_conn *conn, size_t wanted)
{
  size_t got = 0;
  if (!grow_in(conn, wanted)) {
    return IO_CLOSED;
  }
  size_t room = (conn->in_cap < wanted ? conn->in_cap : wanted) - conn->in_len;
  enum io io = receive(conn, conn->in + conn->in_len, room, &got);
  conn->in_len += got;
  conn->window_bytes += got;
  return io;
}

void hf_conn_set_deadline(struct hf_conn *conn, int64_t ms)
{
  conn->deadline_ms = hf_child_now_ms() + ms;
  conn->window_bytes = 0;
}

/* ---- opening and closing ---- */

static void on_event(evutil_socket_t fd, short what, void *ctx)
{
  struct hf_conn *conn = ctx;
  (void)fd;
  if ((what & EV_READ) != 0 && (conn->state == HF_CONN_WAIT || conn->state == HF_CONN_SEND)) {
    watch(conn, false, conn->write_on); /* the next request waits in the socket until this one is answered */
  }
  hf_conn_run(conn);
}

static void link_in(struct hf_front *front, struct hf_conn *conn)
{
  conn->next = front->newest;
  if (front->newest != NULL) {
    front->newest->prev = conn;
  }
  front->newest = conn;
  front->conn_count++;
  front->address_count[conn->address_slot]++;
}

static void link_out(struct hf_conn *conn)
{
  struct hf_front *front = conn->front;
  if (conn->prev != NULL) {
    conn->prev->next = conn->next;
  } else {
    front->newest = conn->next;
  }
  if (conn->next != NULL) {
    conn->next->prev = conn->prev;
  }
  front->conn_count--;
  front->address_count[conn->address_slot]--;
}

static void enter_handshake(struct hf_conn *conn)
{
  struct hf_front *front = conn->front;
  conn->state = HF_CONN_HANDSHAKE;
  conn->shake_older = front->shake_newest;
  if (front->shake_newest != NULL) {
    front->shake_newest->shake_newer = conn;
  } else {
    front->shake_oldest = conn;
  }
  front->shake_newest = conn;
  front->handshake_count++;
}

static void leave_handshake(struct hf_conn *conn)
{
  struct hf_front *front = conn->front;
  if (conn->state != HF_CONN_HANDSHAKE) {
    return;
  }
  if (conn->shake_older != NULL) {
    conn->shake_older->shake_newer = conn->shake_newer;
  } else {
    front->shake_oldest = conn->shake_newer;
  }
  if (conn->shake_newer != NULL) {
    conn->shake_newer->shake_older = conn->shake_older;
  } else {
    front->shake_newest = conn->shake_older;
  }
  front->handshake_count--;
}

void hf_conn_open(struct hf_front *front, int fd, bool devices, const char *address, unsigned address_slot)
{
  struct hf_conn *conn = calloc(1, sizeof *conn);
  if (conn == NULL) {
    (void)close(fd);
    return;
  }
  conn->front = front;
  conn->state = HF_CONN_HEAD;
  conn->fd = fd;
  conn->file = -1;
  conn->devices = devices;
  conn->address_slot = address_slot;
  (void)snprintf(conn->address, sizeof conn->address, "%s", address);
  link_in(front, conn);
  bool tls = devices || front->child->setup->people_tls;
  if (tls) {
    enter_handshake(conn);
    conn->ssl = SSL_new(devices ? front->tls.devices : front->tls.people);
    if (conn->ssl == NULL || SSL_set_fd(conn->ssl, fd) != 1) {
      hf_conn_close(conn);
      return;
    }
    SSL_set_accept_state(conn->ssl);
    hf_conn_set_deadline(conn, HF_CONN_HANDSHAKE_MS);
  } else {
    hf_conn_set_deadline(conn, HF_CONN_HEAD_MS);
  }
  conn->began_ms = hf_child_now_ms();
  (void)event_assign(&conn->read_event, front->child->base, fd, EV_READ | EV_PERSIST, on_event, conn);
  (void)event_assign(&conn->write_event, front->child->base, fd, EV_WRITE | EV_PERSIST, on_event, conn);
  watch(conn, true, false);
}

static void drop_request(struct hf_conn *conn)
{
  hf_front_forget(conn);
  hf_front_ask_forget(conn);
  if (conn->file >= 0) {
    (void)close(conn->file);
    conn->file = -1;
  }
  free(conn->out);
  conn->out = NULL;
  conn->out_from = conn->out_to = 0;
  conn->route = HF_ROUTE_NONE;
}

void hf_conn_close(struct hf_conn *conn)
{
  if (conn->running) {
    conn->dead = true;
    return;
  }
  leave_handshake(conn);
  drop_request(conn);
  watch(conn, false, false);
  if (event_initialized(&conn->read_event)) {
    (void)event_del(&conn->read_event); /* it may be active without being watched: hf_conn_run */
  }
  if (conn->ssl != NULL) {
    /* close_notify once, without waiting for the other side's: what was sent is then known to be whole. */
    if (conn->state != HF_CONN_HANDSHAKE) {
      (void)SSL_shutdown(conn->ssl);
    }
    SSL_free(conn->ssl);
    ERR_clear_error();
  }
  (void)close(conn->fd);
  link_out(conn);
  if (conn->in != NULL) {
    hf_secret_wipe(conn->in, conn->in_len); /* tokens and passwords */
  }
  free(conn->in);
  free(conn);
}

bool hf_conn_idle(const struct hf_conn *conn) { return conn->state == HF_CONN_HEAD && conn->in_len == 0; }

void hf_conn_expire(struct hf_conn *conn)
{
  bool slow = conn->state == HF_CONN_BODY || conn->state == HF_CONN_UPLOAD || conn->state == HF_CONN_SEND;
  if (slow && conn->window_bytes >= HF_CONN_WINDOW_BYTES) {
    hf_conn_set_deadline(conn, HF_CONN_WINDOW_MS);
    return;
  }
  switch (conn->state) {
    case HF_CONN_HEAD:
      if (conn->in_len > 0) {
        conn->request = (struct hf_http_request){0};
        hf_conn_refuse(conn, 408, "the request did not arrive in time", "send it at once");
        return;
      }
      break;
    case HF_CONN_BODY:
    case HF_CONN_UPLOAD: hf_conn_refuse(conn, 408, "the body did not arrive in time", "send it faster"); return;
    case HF_CONN_WAIT:
      hf_front_ask_forget(conn);
      hf_conn_refuse_with(conn, 504, "the server is too busy to answer in time", "try again later",
                          "Retry-After: 10\r\n");
      return;
    default: break;
  }
  hf_conn_close(conn);
}

void hf_conn_wait(struct hf_conn *conn, uint32_t ask)
{
  conn->ask = ask;
  if (conn->state != HF_CONN_WAIT) {
    conn->state = HF_CONN_WAIT;
    hf_conn_set_deadline(conn, HF_CONN_WAIT_MS);
  }
}

/* The head said how much comes; from here on it may. */
static void begin_body(struct hf_conn *conn, enum hf_conn_state state)
{
  static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
  size_t sent = 0;
  conn->state = state;
  hf_conn_set_deadline(conn, HF_CONN_WINDOW_MS);
  if (conn->request.expect_continue && conn->in_len == conn->request.head_len && conn->request.content_length > 0) {
    /* 25 bytes into an empty socket; a client that does not get them sends anyway after a second. */
    (void)transmit(conn, (const uint8_t *)go_on, sizeof go_on - 1, &sent);
  }
}

void hf_conn_take_body(struct hf_conn *conn)
{
  begin_body(conn, HF_CONN_BODY);
  hf_conn_run(conn);
}

void hf_conn_take_upload(struct hf_conn *conn, struct hf_spool_file *upload)
{
  conn->upload = upload;
  conn->route = HF_ROUTE_UPLOAD;
  conn->body_got = 0;
  begin_body(conn, HF_CONN_UPLOAD);
  hf_conn_run(conn);
}

struct hf_bytes hf_conn_body(const struct hf_conn *conn)
{
  return hf_bytes_init(conn->in + conn->request.head_len, (size_t)conn->request.content_length);
}

/* ---- the states: each returns whether there is something to do at once ---- */

static bool step_handshake(struct hf_conn *conn)
{
  int rc = SSL_do_handshake(conn->ssl);
  if (rc != 1) {
    unsigned long code = ERR_peek_last_error();
    if (tls_outcome(conn, rc) == IO_CLOSED) {
      hf_front_log_handshake(conn->front, conn, code == 0 ? NULL : ERR_reason_error_string(code));
      hf_conn_close(conn);
    }
    return false;
  }
  leave_handshake(conn);
  conn->state = HF_CONN_HEAD;
  watch(conn, true, false);
  hf_conn_set_deadline(conn, HF_CONN_HEAD_MS);
  if (conn->devices && hf_front_tls_identity(&conn->identity, &conn->front->tls, conn->ssl) != HF_OK) {
    hf_conn_close(conn);
    return false;
  }
  return true;
}

static void refuse_head(struct hf_conn *conn)
{
  int status = conn->request.refuse;
  const char *reason = conn->request.reason;
  conn->request.keep_alive = false;
  conn->request.path = (struct hf_bytes){NULL, 0};
  hf_conn_refuse(conn, status, reason, "correct the client");
}

/* The head is whole: the route decides, and says how much body it takes. */
static void take_head(struct hf_conn *conn)
{
  conn->body_max = 0;
  conn->route = HF_ROUTE_NONE;
  conn->began_ms = hf_child_now_ms();
  conn->state = HF_CONN_BODY;
  hf_front_head(conn);
  if (conn->state != HF_CONN_BODY || conn->dead) {
    return;
  }
  if (conn->request.content_length > conn->body_max) {
    hf_conn_refuse(conn, 413, "the body is longer than this route takes", "send less");
    return;
  }
  begin_body(conn, HF_CONN_BODY);
}

static bool step_head(struct hf_conn *conn)
{
  if (conn->in_len > 0) {
    enum hf_err err = hf_http_parse(&conn->request, hf_bytes_init(conn->in, conn->in_len));
    if (err == HF_OK) {
      take_head(conn);
      return true;
    }
    if (err == HF_E_INPUT) {
      refuse_head(conn);
      return true;
    }
  }
  bool first = conn->in_len == 0;
  enum io io = fill_in(conn, HF_HTTP_HEAD_MAX);
  if (io == IO_CLOSED) {
    hf_conn_close(conn);
  } else if (io == IO_MOVED && first) {
    hf_conn_set_deadline(conn,
                         HF_CONN_HEAD_MS); /* from the first byte on, not from the last: slow senders gain nothing */
  }
  return io == IO_MOVED;
}

static bool step_body(struct hf_conn *conn)
{
  size_t whole = conn->request.head_len + (size_t)conn->request.content_length;
  if (conn->in_len < whole) {
    enum io io = fill_in(conn, whole);
    if (io == IO_CLOSED) {
      hf_conn_close(conn);
    }
    return io == IO_MOVED;
  }
  hf_front_body(conn);
  return true;
}

/* Pieces go to the spool as they come; the room behind the head is used again and again. */
static bool step_upload(struct hf_conn *conn)
{
  size_t head = conn->request.head_len;
  uint64_t left = conn->request.content_length - conn->body_got;
  size_t have = conn->in_len - head;
  if (have == 0 && left > 0) {
    enum io io = fill_in(conn, head + HF_CONN_PIECE);
    if (io == IO_CLOSED) {
      hf_conn_close(conn);
    }
    return io == IO_MOVED;
  }
  size_t piece = have < left ? have : (size_t)left;
  enum hf_err err = piece == 0 ? HF_OK : hf_spool_put(conn->upload, hf_bytes_init(conn->in + head, piece));
  if (err != HF_OK) {
    hf_conn_refuse(conn, err == HF_E_FULL ? 507 : 500,
                   err == HF_E_FULL ? "the disk of the server is full; nothing was stored"
                                    : "the upload cannot be stored",
                   err == HF_E_FULL ? "make room on the server's disk, then try again" : "read the server's log");
    return true;
  }
  conn->body_got += piece;
  memmove(conn->in + head, conn->in + head + piece, have - piece);
  conn->in_len -= piece;
  if (conn->body_got < conn->request.content_length) {
    return true;
  }
  hf_front_body(conn);
  return true;
}

/* The next piece of a file into the empty output. */
static bool refill_file(struct hf_conn *conn)
{
  size_t piece = conn->file_left < HF_CONN_PIECE ? (size_t)conn->file_left : HF_CONN_PIECE;
  ssize_t got = pread(conn->file, conn->out, piece, (off_t)conn->file_at);
  if (got <= 0) {
    return false; /* cut short on disk: closing tells the client, whose length and hash say the rest */
  }
  conn->file_at += (uint64_t)got;
  conn->file_left -= (uint64_t)got;
  conn->out_from = 0;
  conn->out_to = (size_t)got;
  return true;
}

/* Ready for the next request, which may be here already. */
static void finish(struct hf_conn *conn)
{
  hf_front_log(conn->front, conn);
  size_t body = conn->route == HF_ROUTE_UPLOAD ? 0 : (size_t)conn->request.content_length;
  size_t used = conn->request.head_len + body;
  drop_request(conn);
  if (!conn->keep) {
    conn->state = HF_CONN_LINGER;
    hf_conn_set_deadline(conn, HF_CONN_LINGER_MS);
    if (conn->ssl != NULL) {
      (void)SSL_shutdown(conn->ssl);
    }
    (void)shutdown(conn->fd, SHUT_WR);
    watch(conn, true, false);
    return;
  }
  HF_ASSERT(used <= conn->in_len);
  hf_secret_wipe(conn->in, used);
  memmove(conn->in, conn->in + used, conn->in_len - used);
  conn->in_len -= used;
  if (conn->in_len == 0) {
    free(conn->in);
    conn->in = NULL;
    conn->in_cap = 0;
  }
  conn->state = HF_CONN_HEAD;
  hf_conn_set_deadline(conn, conn->in_len > 0 ? HF_CONN_HEAD_MS : HF_CONN_IDLE_MS);
  watch(conn, true, false);
}

static bool step_send(struct hf_conn *conn)
{
  if (conn->out_from == conn->out_to) {
    if (conn->file >= 0 && conn->file_left > 0) {
      if (!refill_file(conn)) {
        hf_conn_close(conn);
        return false;
      }
    } else {
      finish(conn);
      return true;
    }
  }
  size_t sent = 0;
  enum io io = transmit(conn, conn->out + conn->out_from, conn->out_to - conn->out_from, &sent);
  if (io == IO_CLOSED) {
    hf_conn_close(conn);
    return false;
  }
  conn->out_from += sent;
  conn->sent += sent;
  conn->window_bytes += sent;
  return io == IO_MOVED;
}

static bool step_linger(struct hf_conn *conn)
{
  uint8_t waste[4096];
  size_t got = 0;
  /* Past TLS: what comes is thrown away unread. */
  ssize_t n = recv(conn->fd, waste, sizeof waste, 0);
  got = n > 0 ? (size_t)n : 0;
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
    hf_conn_close(conn);
  }
  return got > 0;
}

static bool step(struct hf_conn *conn)
{
  switch (conn->state) {
    case HF_CONN_HANDSHAKE: return step_handshake(conn);
    case HF_CONN_HEAD: return step_head(conn);
    case HF_CONN_BODY: return step_body(conn);
    case HF_CONN_UPLOAD: return step_upload(conn);
    case HF_CONN_SEND: return step_send(conn);
    case HF_CONN_LINGER: return step_linger(conn);
    default: return false;
  }
}

void hf_conn_run(struct hf_conn *conn)
{
  if (conn->running) {
    return; /* the loop below goes on with the new state */
  }
  conn->running = true;
  int turns = 0;
  while (!conn->dead && step(conn)) {
    if (++turns >= TURNS_MAX) {
      event_active(&conn->read_event, EV_READ, 1); /* the rest after the others had their turn */
      break;
    }
  }
  conn->running = false;
  if (conn->dead) {
    hf_conn_close(conn);
  }
}
