/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/front_reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hf/codec/json.h"
#include "hf/server/front_core.h"

/* Room for a reply's head. */
#define REPLY_HEAD_MAX 2048

static const char *date_field(struct hf_front *front)
{
  int64_t now = hf_child_now();
  if (front->date_s != now) {
    struct tm parts;
    time_t seconds = (time_t)now;
    front->date_s = now;
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(front->date, sizeof front->date, "%a, %d %b %Y %H:%M:%S GMT", &parts) == 0) {
      front->date[0] = '\0';
    }
  }
  return front->date;
}

/* People's browsers are told to trust nothing but this server; devices do not read such fields. */
static const char people_fields[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "
    "'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n";

/* A body that is still on its way would be taken for the next request. */
static bool body_unread(const struct hf_conn *conn)
{
  uint64_t got = conn->route == HF_ROUTE_UPLOAD
                     ? conn->body_got
                     : (conn->in_len > conn->request.head_len ? conn->in_len - conn->request.head_len : 0);
  return conn->request.content_length > got;
}

static bool put_head(struct hf_conn *conn, struct hf_buf *out, const struct hf_conn_reply *reply, uint64_t length)
{
  char start[64];
  (void)snprintf(start, sizeof start, "HTTP/1.1 %d ", reply->status);
  hf_buf_put_text(out, start);
  hf_buf_put_text(out, hf_http_status_name(reply->status));
  hf_buf_put_text(out, "\r\nDate: ");
  hf_buf_put_text(out, date_field(conn->front));
  if (reply->content_type.len > 0) {
    hf_buf_put_text(out, "\r\nContent-Type: ");
    hf_buf_put(out, reply->content_type);
  }
  if (reply->status != 204 && reply->status != 304) {
    hf_buf_put_text(out, "\r\nContent-Length: ");
    hf_buf_put_uint(out, length);
  }
  hf_buf_put_text(out, "\r\n");
  hf_buf_put(out, reply->fields);
  if (!conn->devices) {
    hf_buf_put_text(out, people_fields);
  }
  hf_buf_put_text(out, conn->keep ? "\r\n" : "Connection: close\r\n\r\n");
  return !out->failed;
}

/* Head and, when there is one, body into one piece: one TLS record, one packet, for everything small. */
static bool compose(struct hf_conn *conn, const struct hf_conn_reply *reply, uint64_t length, size_t room)
{
  bool head_only = conn->request.method == HF_HTTP_HEAD;
  size_t body = head_only ? 0 : reply->body.len;
  size_t cap = REPLY_HEAD_MAX + reply->fields.len + body + room;
  free(conn->out);
  conn->out = malloc(cap);
  conn->out_from = conn->out_to = 0;
  if (conn->out == NULL) {
    return false;
  }
  struct hf_buf out = hf_buf_init(conn->out, cap);
  if (!put_head(conn, &out, reply, length)) {
    return false;
  }
  hf_buf_put(&out, hf_bytes_init(reply->body.at, body));
  conn->out_to = out.len;
  return !out.failed;
}

static void begin_reply(struct hf_conn *conn, const struct hf_conn_reply *reply, uint64_t length, size_t room)
{
  conn->keep = conn->request.keep_alive && !conn->front->stopping && !body_unread(conn);
  conn->status = reply->status;
  conn->sent = 0;
  if (!compose(conn, reply, length, room)) {
    conn->dead = true; /* no memory: hf_conn_run, which every caller calls next, closes it */
    return;
  }
  conn->state = HF_CONN_SEND;
  hf_conn_set_deadline(conn, HF_CONN_WINDOW_MS);
}

void hf_conn_reply(struct hf_conn *conn, const struct hf_conn_reply *reply)
{
  begin_reply(conn, reply, reply->body.len, 0);
  hf_conn_run(conn);
}

void hf_conn_refuse_with(struct hf_conn *conn, int status, const char *what, const char *todo, const char *fields)
{
  uint8_t room[2048];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  struct hf_bytes where = conn->request.path;
  where.len = where.len < 256 ? where.len : 256; /* checked printable ASCII by hf_http_parse */
  hf_buf_put_text(&body, "{");
  hf_json_put_name(&body, "status");
  hf_json_put_int(&body, status);
  hf_json_put_name(&body, "title");
  hf_json_put_text(&body, hf_bytes_text(hf_http_status_name(status)));
  hf_json_put_name(&body, "todo");
  hf_json_put_text(&body, hf_bytes_text(todo));
  hf_json_put_name(&body, "type");
  hf_json_put_text(&body, HF_LIT("about:blank"));
  hf_json_put_name(&body, "what");
  hf_json_put_text(&body, hf_bytes_text(what));
  hf_json_put_name(&body, "where");
  hf_json_put_text(&body, where);
  hf_buf_put_text(&body, "}");
  struct hf_conn_reply reply = {.status = status,
                                .content_type = HF_LIT("application/problem+json"),
                                .body = hf_buf_bytes(&body),
                                .fields = hf_bytes_text(fields)};
  hf_conn_reply(conn, &reply);
}

void hf_conn_refuse(struct hf_conn *conn, int status, const char *what, const char *todo)
{
  hf_conn_refuse_with(conn, status, what, todo, "");
}

/* Which part of the file, by Range and If-Range. */
static enum hf_err wanted_part(struct hf_http_range *part, const struct hf_conn *conn,
                               const struct hf_static_file *file)
{
  const struct hf_http_request *request = &conn->request;
  *part = (struct hf_http_range){0, file->size};
  if (request->range.len == 0 || request->method != HF_HTTP_GET ||
      (request->if_range.len > 0 && !hf_bytes_is(request->if_range, file->etag))) {
    return HF_E_NOT_FOUND;
  }
  enum hf_err err = hf_http_range_parse(part, request->range, file->size);
  if (err == HF_E_NOT_FOUND) {
    *part = (struct hf_http_range){0, file->size};
  }
  return err;
}

void hf_conn_send_file(struct hf_conn *conn, const struct hf_static_file *file)
{
  char fields[320];
  struct hf_http_range part;
  struct hf_conn_reply reply = {.status = 200, .content_type = hf_bytes_text(file->content_type)};
  enum hf_err ranged = wanted_part(&part, conn, file);
  int len = snprintf(fields, sizeof fields, "ETag: %s\r\nAccept-Ranges: bytes\r\nCache-Control: %s\r\n", file->etag,
                     file->immutable ? "public, max-age=31536000, immutable" : "no-cache");
  bool send = conn->request.method == HF_HTTP_GET;
  if (hf_http_etag_listed(conn->request.if_none_match, hf_bytes_text(file->etag))) {
    reply.status = 304;
    reply.content_type.len = 0;
    send = false;
  } else if (ranged == HF_E_INPUT) {
    reply.status = 416;
    len += snprintf(fields + len, sizeof fields - (size_t)len, "Content-Range: bytes */%llu\r\n",
                    (unsigned long long)file->size);
    part.len = 0;
    send = false;
  } else if (ranged == HF_OK) {
    reply.status = 206;
    len += snprintf(fields + len, sizeof fields - (size_t)len, "Content-Range: bytes %llu-%llu/%llu\r\n",
                    (unsigned long long)part.from, (unsigned long long)(part.from + part.len - 1),
                    (unsigned long long)file->size);
  }
  reply.fields = hf_bytes_init(fields, (size_t)len);
  if (send && part.len > 0) {
    conn->file = file->fd;
    conn->file_at = part.from;
    conn->file_left = part.len;
  } else {
    (void)close(file->fd);
  }
  begin_reply(conn, &reply, part.len, send && part.len > 0 ? HF_CONN_PIECE : 0);
  hf_conn_run(conn);
}
