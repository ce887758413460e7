/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* A read takes at most this much: then others get their turn. */
#define FILL_MAX (1u << 20)
/* An idle queue keeps no more than this. */
#define KEEP_MAX (256u << 10)
/* Control messages carry two small numbers. */
#define CONTROL_MAX 64

static void queue_free(struct hf_link_queue *queue)
{
  free(queue->at);
  *queue = (struct hf_link_queue){0};
}

/* Make room for `len` more bytes at the end: first by moving what is left to the start, then by growing up to
 * `ceiling`. */
static enum hf_err queue_room(struct hf_link_queue *queue, size_t len, size_t ceiling)
{
  size_t used = queue->to - queue->from;
  if (len > ceiling || used > ceiling - len) {
    return HF_E_FULL;
  }
  if (queue->from > 0 && queue->cap - queue->to < len) {
    memmove(queue->at, queue->at + queue->from, used);
    queue->from = 0;
    queue->to = used;
  }
  if (queue->cap - queue->to >= len) {
    return HF_OK;
  }
  size_t cap = queue->cap == 0 ? 64u << 10 : queue->cap;
  while (cap < used + len) {
    cap *= 2; /* at most ceiling * 2 */
  }
  uint8_t *grown = realloc(queue->at, cap);
  if (grown == NULL) {
    return HF_E_SPACE;
  }
  queue->at = grown;
  queue->cap = cap;
  return HF_OK;
}

static void queue_take(struct hf_link_queue *queue, size_t len)
{
  queue->from += len;
  if (queue->from == queue->to) {
    queue->from = queue->to = 0;
    if (queue->cap > KEEP_MAX) {
      queue_free(queue);
    }
  }
}

void hf_link_init(struct hf_link *link, enum hf_process self, enum hf_process peer)
{
  *link = (struct hf_link){.socket = -1, .self = self, .peer = peer};
}

void hf_link_close(struct hf_link *link)
{
  if (link->socket >= 0) {
    (void)close(link->socket);
    link->socket = -1;
  }
  queue_free(&link->in);
  queue_free(&link->out);
  link->broken = false;
}

void hf_link_open(struct hf_link *link, int socket)
{
  hf_link_close(link);
  int flags = fcntl(socket, F_GETFL);
  (void)fcntl(socket, F_SETFL, flags | O_NONBLOCK);
  link->socket = socket;
}

void hf_link_fill(struct hf_link *link)
{
  size_t total = 0;
  queue_take(&link->in, 0); /* what hf_link_next handed out is done with */
  while (!link->broken && link->socket >= 0 && total < FILL_MAX) {
    size_t want = 64u << 10;
    if (link->in.to - link->in.from >= HF_MSG_MAX + HF_MSG_HEAD) {
      return; /* at least one whole message: the rest waits in the socket until we have kept up */
    }
    if (queue_room(&link->in, want, HF_MSG_MAX + HF_MSG_HEAD + FILL_MAX) != HF_OK) {
      return; /* no memory now */
    }
    ssize_t got = recv(link->socket, link->in.at + link->in.to, want, 0);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      return;
    }
    if (got <= 0) {
      link->broken = true;
      return;
    }
    link->in.to += (size_t)got;
    total += (size_t)got;
    if ((size_t)got < want) {
      return; /* a short read of a stream socket: empty now, spare the call that would say EAGAIN */
    }
  }
}

bool hf_link_next(struct hf_link *link, struct hf_msg *msg)
{
  size_t used = link->in.to - link->in.from;
  if (used < HF_MSG_HEAD) {
    return false;
  }
  struct hf_cursor head = hf_cursor_init(hf_bytes_init(link->in.at + link->in.from, HF_MSG_HEAD));
  size_t len = hf_cursor_be32(&head);
  if (len > HF_MSG_MAX) {
    link->broken = true;
    return false;
  }
  if (used - HF_MSG_HEAD < len) {
    return false;
  }
  struct hf_bytes body = {link->in.at + link->in.from + HF_MSG_HEAD, len};
  link->in.from += HF_MSG_HEAD + len; /* the bytes stay where they are until the next fill */
  if (hf_msg_parse(msg, body) != HF_OK || !hf_msg_allowed(msg->type, link->peer, link->self)) {
    link->broken = true;
    return false;
  }
  return true;
}

/* Bytes around the views of a message: types, numbers, CBOR heads. */
#define MSG_OVERHEAD 512

static size_t msg_room(const struct hf_msg *msg)
{
  switch (msg->type) {
    case HF_MSG_CHECKIN:
    case HF_MSG_DIRECTOR: return msg->ask.body.len + MSG_OVERHEAD;
    case HF_MSG_API: {
      size_t len = msg->api.path.len + msg->api.query.len + msg->api.body.len;
      return len + (size_t)8 * 512 + MSG_OVERHEAD; /* each other member at most 512 (msg.c) */
    }
    case HF_MSG_ANSWER:
    case HF_MSG_VAULT_REPLY: return msg->answer.body.len + MSG_OVERHEAD;
    case HF_MSG_API_REPLY: return msg->reply.body.len + 1024 + MSG_OVERHEAD;
    case HF_MSG_VAULT_SIGN: return msg->sign.canonical.len + MSG_OVERHEAD;
    case HF_MSG_POST: return msg->post.json.len + MSG_OVERHEAD;
    default: return (size_t)2 * MSG_OVERHEAD;
  }
}

enum hf_err hf_link_put(struct hf_link *link, const struct hf_msg *msg)
{
  if (link->socket < 0 || link->broken) {
    return HF_E_IO;
  }
  enum hf_err err = queue_room(&link->out, msg_room(msg), HF_LINK_QUEUE_MAX);
  if (err != HF_OK) {
    return err;
  }
  struct hf_buf out = hf_buf_init(link->out.at + link->out.to, link->out.cap - link->out.to);
  hf_msg_encode(&out, msg);
  if (out.failed) {
    return HF_E_SPACE;
  }
  link->out.to += out.len;
  return HF_OK;
}

void hf_link_flush(struct hf_link *link)
{
  while (!link->broken && hf_link_pending(link)) {
    ssize_t sent = send(link->socket, link->out.at + link->out.from, link->out.to - link->out.from, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) {
      continue;
    }
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      return;
    }
    if (sent <= 0) {
      link->broken = true;
      return;
    }
    queue_take(&link->out, (size_t)sent);
  }
}

bool hf_link_pending(const struct hf_link *link) { return link->socket >= 0 && link->out.from < link->out.to; }

enum hf_err hf_control_put(int control, const struct hf_msg *msg, int fd)
{
  uint8_t room[CONTROL_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_msg_encode(&out, msg);
  if (out.failed) {
    return HF_E_SPACE;
  }
  struct iovec part = {room, out.len};
  union {
    struct cmsghdr head;
    uint8_t room[CMSG_SPACE(sizeof(int))];
  } ride = {0};
  struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
  if (fd >= 0) {
    head.msg_control = &ride;
    head.msg_controllen = sizeof ride.room;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&head);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  ssize_t sent;
  do {
    sent = sendmsg(control, &head, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == (ssize_t)out.len ? HF_OK : HF_E_IO;
}

static int ride_fd(struct msghdr *head)
{
  struct cmsghdr *rights = CMSG_FIRSTHDR(head);
  int fd = -1;
  if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS &&
      rights->cmsg_len == CMSG_LEN(sizeof(int))) {
    memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  }
  return fd;
}

enum hf_err hf_control_get(int control, enum hf_process self, struct hf_msg *msg, int *fd)
{
  uint8_t room[CONTROL_MAX];
  struct iovec part = {room, sizeof room};
  union {
    struct cmsghdr head;
    uint8_t room[CMSG_SPACE(sizeof(int))];
  } ride = {0};
  struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &ride, .msg_controllen = sizeof ride.room};
  *fd = -1;
  ssize_t got;
  do {
    got = recvmsg(control, &head, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    return errno == EAGAIN || errno == EWOULDBLOCK ? HF_E_AGAIN : HF_E_IO;
  }
  if (got == 0) {
    return HF_E_IO;
  }
  *fd = ride_fd(&head);
  /* Control messages have no members that borrow, so the frame may go away with this function. */
  enum hf_process from = self == HF_KEEPER ? HF_PROCESS_COUNT : HF_KEEPER;
  if (got <= HF_MSG_HEAD || hf_msg_parse(msg, hf_bytes_init(room + HF_MSG_HEAD, (size_t)got - HF_MSG_HEAD)) != HF_OK ||
      (from == HF_KEEPER && !hf_msg_allowed(msg->type, from, self)) ||
      (from != HF_KEEPER && msg->type != HF_MSG_READY)) {
    if (*fd >= 0) {
      (void)close(*fd);
      *fd = -1;
    }
    return HF_E_INPUT;
  }
  return HF_OK;
}
