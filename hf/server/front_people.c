/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/front_people.h"

#include <stdio.h>
#include <string.h>

#include "hf/server/apimsg.h"
#include "hf/server/console.h"
#include "hf/server/front_device.h"
#include "hf/server/front_reply.h"
#include "hf/server/front_spool.h"

#define API "/api/v1"
#define UPLOADS "/uploads/"
/* A body that anybody may send. A longer one is taken only from who may make the change it is for: thousands of
 * strangers must not each hold megabytes of ours. */
#define ANYBODY_MAX (16u << 10)

static bool begins(struct hf_bytes path, const char *with)
{
  size_t len = strlen(with);
  return path.len >= len && memcmp(path.at, with, len) == 0;
}

static struct hf_bytes after(struct hf_bytes path, size_t len) { return hf_bytes_init(path.at + len, path.len - len); }

/* ---- DNS rebinding ---- */

static bool equal_fold(struct hf_bytes a, const char *text)
{
  if (a.len != strlen(text)) {
    return false;
  }
  for (size_t i = 0; i < a.len; i++) {
    if ((a.at[i] | 0x20) != (text[i] | 0x20)) {
      return false;
    }
  }
  return true;
}

/* 127.x.y.z and nothing longer that begins like it (127.0.0.1.evil.example). */
static bool is_loopback_v4(struct hf_bytes name)
{
  size_t dots = 0;
  for (size_t i = 0; i < name.len; i++) {
    if (name.at[i] != '.' && (name.at[i] < '0' || name.at[i] > '9')) {
      return false;
    }
    dots += name.at[i] == '.';
  }
  return dots == 3 && begins(name, "127.");
}

/* A page of some other site whose name suddenly resolves to us still says its own name in Host. Behind plain HTTP on
 * loopback only loopback names are ours; behind TLS those of the certificate. */
static bool host_is_ours(const struct hf_conn *conn)
{
  struct hf_bytes host = conn->request.host;
  const struct hf_setup *setup = conn->front->child->setup;
  if (setup->people_tls) {
    return hf_front_tls_host_check(&conn->front->tls, host);
  }
  struct hf_bytes name = host;
  const uint8_t *end = name.len > 0 && name.at[0] == '[' ? memchr(name.at, ']', name.len) : NULL;
  const uint8_t *colon = end != NULL ? end + 1 : memchr(name.at, ':', name.len);
  name.len = colon == NULL ? name.len : (size_t)(colon - name.at);
  return equal_fold(name, "localhost") || equal_fold(name, "[::1]") || is_loopback_v4(name);
}

/* ---- console ---- */

static void console(struct hf_conn *conn)
{
  struct hf_bytes name = after(conn->request.path, 1);
  const struct hf_console_file *file = hf_console_get(name.len == 0 ? HF_LIT("index.html") : name);
  if (conn->request.method != HF_HTTP_GET && conn->request.method != HF_HTTP_HEAD) {
    hf_conn_refuse_with(conn, 405, "the console's files are only read", "use GET", "Allow: GET, HEAD\r\n");
    return;
  }
  if (file == NULL) {
    hf_conn_refuse(conn, 404, "there is no such page", "start at /");
    return;
  }
  char fields[128];
  (void)snprintf(fields, sizeof fields, "ETag: %s\r\nCache-Control: no-cache\r\n", file->etag);
  bool known = hf_http_etag_listed(conn->request.if_none_match, hf_bytes_text(file->etag));
  struct hf_conn_reply reply = {.status = known ? 304 : 200, .fields = hf_bytes_text(fields)};
  if (!known) {
    reply.content_type = hf_bytes_text(file->content_type);
    reply.body = hf_bytes_init(file->at, file->len);
  }
  hf_conn_reply(conn, &reply);
}

/* ---- REST ---- */

static bool method_of(enum hf_method *method, enum hf_http_method from)
{
  switch (from) {
    case HF_HTTP_GET:
    case HF_HTTP_HEAD: *method = HF_GET; return true;
    case HF_HTTP_POST: *method = HF_POST; return true;
    case HF_HTTP_PUT: *method = HF_PUT; return true;
    case HF_HTTP_PATCH: *method = HF_PATCH; return true;
    case HF_HTTP_DELETE: *method = HF_DELETE; return true;
    default: return false;
  }
}

/* The path after /api/v1; /openapi.json is the API's too. */
static struct hf_bytes api_path(const struct hf_conn *conn)
{
  return begins(conn->request.path, API) ? after(conn->request.path, sizeof API - 1) : conn->request.path;
}

static struct hf_api_request request_of(const struct hf_conn *conn)
{
  const struct hf_http_request *http = &conn->request;
  struct hf_api_request request = {
      .path = api_path(conn),
      .query = http->query,
      .bearer = hf_http_credentials(http->authorization, "Bearer"),
      .session = hf_http_cookie(http->cookie, HF_API_COOKIE),
      .csrf = http->csrf,
      .if_none = http->if_none_match,
      .address = hf_bytes_text(conn->address),
      .content_type = http->content_type,
      .tls = conn->ssl != NULL,
  };
  (void)method_of(&request.method, http->method); /* hf_front_people_head has refused others */
  return request;
}

/* Members that msg.c would not carry are no token, cookie or ETag of ours. True when the request was refused. */
static bool refuse_long(struct hf_conn *conn, const struct hf_api_request *request)
{
  if (request->path.len <= 2048 && request->bearer.len <= 512 && request->session.len <= 512 &&
      request->csrf.len <= 512 && request->if_none.len <= 512 && request->content_type.len <= 256) {
    return false;
  }
  hf_conn_refuse(conn, 431, "a header field or the path is longer than any of ours", "correct the client");
  return true;
}

static void ask_api(struct hf_conn *conn, const struct hf_api_request *request, bool engine)
{
  struct hf_msg msg;
  hf_apimsg_put_request(&msg, request, 0);
  hf_front_ask_or_refuse(conn, &msg, engine);
}

static void api(struct hf_conn *conn)
{
  struct hf_api_request request = request_of(conn);
  request.body = hf_conn_body(conn);
  if (!refuse_long(conn, &request)) {
    ask_api(conn, &request, !hf_api_reads(request.method, request.path));
  }
}

/* The reader cannot answer alone: the engine gets the same request with the reader's ticket. */
static void pass_on(struct hf_conn *conn, struct hf_bytes ticket)
{
  struct hf_api_request request = request_of(conn);
  request.body = hf_conn_body(conn);
  request.ticket = ticket;
  ask_api(conn, &request, true);
}

/* ---- uploads ---- */

/* Before a byte of it is taken, its sender must be somebody who may send it: the reader judges the head alone. */
static void ask_leave(struct hf_conn *conn, enum hf_conn_route route)
{
  struct hf_api_request request = request_of(conn);
  if (!refuse_long(conn, &request)) {
    conn->route = route;
    ask_api(conn, &request, false);
  }
}

static void upload_ask(struct hf_conn *conn)
{
  if (!conn->request.has_length) {
    hf_conn_refuse(conn, 411, "there is no body", "send the file, with Content-Length");
  } else if (conn->request.content_length > HF_SPOOL_FILE_MAX) {
    hf_conn_refuse(conn, 413, "the file is longer than 2 GiB", "split it");
  } else {
    ask_leave(conn, HF_ROUTE_UPLOAD_ASK);
  }
}

static void upload_begin(struct hf_conn *conn)
{
  struct hf_front *front = conn->front;
  struct hf_spool_file *file = NULL;
  enum hf_err err = hf_spool_new(&file, front->spool, front->child->number, ++front->uploads);
  if (err != HF_OK) {
    hf_conn_refuse(conn, err == HF_E_FULL ? 507 : 500,
                   err == HF_E_FULL ? "the disk of the server is full; nothing was stored"
                                    : "the upload cannot be stored",
                   err == HF_E_FULL ? "make room on the server's disk, then try again" : "read the server's log");
    return;
  }
  hf_conn_take_upload(conn, file);
}

static void upload_end(struct hf_conn *conn)
{
  struct hf_api_request request = request_of(conn);
  enum hf_err err = hf_spool_get(conn->upload, request.upload_sha256);
  if (err != HF_OK) {
    hf_conn_refuse(conn, err == HF_E_FULL ? 507 : 500, "the upload could not be made durable; nothing was stored",
                   "make room on the server's disk, then try again");
    return;
  }
  request.upload = hf_bytes_text(conn->upload->name);
  request.upload_len = conn->upload->len;
  ask_api(conn, &request, true);
}

/* ---- long poll ---- */

static bool is_poll(const struct hf_conn *conn, uint64_t *since)
{
  return conn->route == HF_ROUTE_API && conn->request.method == HF_HTTP_GET && hf_bytes_is(api_path(conn), "/events") &&
         hf_http_query_uint(since, conn->request.query, "since");
}

/* Signed in, and nothing has changed since: hold the answer back. True when the connection waits now. */
static bool park(struct hf_conn *conn, uint32_t status)
{
  uint64_t since = 0;
  int64_t now = hf_child_now_ms();
  if (status != 200 || conn->front->stopping || !is_poll(conn, &since) || since < conn->front->change) {
    return false;
  }
  if (conn->parked_until_ms == 0) {
    conn->parked_until_ms = now + HF_PEOPLE_POLL_MS;
  }
  if (now >= conn->parked_until_ms) {
    return false;
  }
  conn->parked = true;
  conn->parked_next = conn->front->parked;
  conn->front->parked = conn;
  conn->state = HF_CONN_WAIT;
  conn->deadline_ms = now + HF_PEOPLE_POLL_MS + HF_CONN_WAIT_MS;
  return true;
}

static void unpark(struct hf_conn *conn)
{
  for (struct hf_conn **at = &conn->front->parked; conn->parked && *at != NULL; at = &(*at)->parked_next) {
    if (*at == conn) {
      *at = conn->parked_next;
      break;
    }
  }
  conn->parked = false;
  conn->parked_next = NULL;
}

void hf_front_people_wake(struct hf_front *front, int64_t now_ms)
{
  struct hf_conn *due = NULL;
  struct hf_conn **at = &front->parked;
  while (*at != NULL) {
    struct hf_conn *conn = *at;
    uint64_t since = 0;
    bool wake = !is_poll(conn, &since) || since < front->change || now_ms >= conn->parked_until_ms || front->stopping;
    if (!wake) {
      at = &conn->parked_next;
      continue;
    }
    *at = conn->parked_next;
    conn->parked = false;
    conn->parked_next = due;
    due = conn;
  }
  while (due != NULL) {
    struct hf_conn *conn = due;
    due = conn->parked_next;
    conn->parked_next = NULL;
    api(conn);
  }
}

void hf_front_people_forget(struct hf_conn *conn)
{
  if (conn->parked) {
    unpark(conn);
  }
  conn->parked_until_ms = 0;
  hf_spool_free(conn->upload);
  conn->upload = NULL;
}

/* ---- the three calls ---- */

static void api_head(struct hf_conn *conn, enum hf_method method)
{
  bool stranger = hf_api_reads(method, api_path(conn)); /* signing in among them */
  conn->route = HF_ROUTE_API;
  conn->body_max = stranger ? ANYBODY_MAX : HF_API_BODY_MAX;
  if (conn->request.content_length > ANYBODY_MAX && conn->request.content_length <= conn->body_max) {
    ask_leave(conn, HF_ROUTE_API_ASK);
  }
}

void hf_front_people_head(struct hf_conn *conn)
{
  struct hf_bytes path = conn->request.path;
  enum hf_method method;
  if (!host_is_ours(conn)) {
    hf_conn_refuse(conn, 421, "Host names another server", "open the console by the address that the server printed");
    return;
  }
  bool rest = (begins(path, API) && (path.len == sizeof API - 1 || path.at[sizeof API - 1] == '/')) ||
              hf_bytes_is(path, "/openapi.json");
  if (begins(path, "/repo/")) {
    hf_front_repo(conn);
  } else if (begins(path, "/crl/")) {
    hf_front_crl(conn);
  } else if (!rest) {
    console(conn);
  } else if (!method_of(&method, conn->request.method)) {
    hf_conn_refuse_with(conn, 405, "this method is not used here", "use GET, POST, PUT, PATCH or DELETE",
                        "Allow: GET, HEAD, POST, PUT, PATCH, DELETE\r\n");
  } else if (method == HF_PUT && begins(api_path(conn), UPLOADS)) {
    upload_ask(conn);
  } else {
    api_head(conn, method);
  }
}

void hf_front_people_body(struct hf_conn *conn)
{
  if (conn->route == HF_ROUTE_UPLOAD) {
    upload_end(conn);
  } else {
    api(conn);
  }
}

/* A field of the reply that came over the link: never a line end inside. */
static void put_field(struct hf_buf *out, const char *name, struct hf_bytes value)
{
  if (value.len == 0 || memchr(value.at, '\r', value.len) != NULL || memchr(value.at, '\n', value.len) != NULL) {
    return;
  }
  hf_buf_put_text(out, name);
  hf_buf_put_text(out, ": ");
  hf_buf_put(out, value);
  hf_buf_put_text(out, "\r\n");
}

static void answer(struct hf_conn *conn, const struct hf_msg *msg)
{
  uint8_t room[1024];
  uint8_t number[24];
  struct hf_buf fields = hf_buf_init(room, sizeof room);
  struct hf_buf seconds = hf_buf_init(number, sizeof number);
  hf_buf_put_text(&fields, "Cache-Control: no-store\r\n");
  put_field(&fields, "Set-Cookie", msg->reply.set_session);
  put_field(&fields, "ETag", msg->reply.etag);
  put_field(&fields, "Location", msg->reply.location);
  put_field(&fields, "Allow", msg->reply.allow);
  if (msg->reply.retry_after_s > 0) {
    hf_buf_put_uint(&seconds, msg->reply.retry_after_s);
    put_field(&fields, "Retry-After", hf_buf_bytes(&seconds));
  }
  if (msg->reply.status == 401) {
    put_field(&fields, "WWW-Authenticate", HF_LIT("Bearer"));
  }
  int status = msg->reply.status >= 200 && msg->reply.status <= 599 ? (int)msg->reply.status : 500;
  struct hf_conn_reply reply = {.status = status, .body = msg->reply.body, .fields = hf_buf_bytes(&fields)};
  if (reply.body.len > 0) {
    reply.content_type = msg->reply.content_type.len > 0 ? msg->reply.content_type : HF_LIT("application/json");
  }
  hf_conn_reply(conn, &reply);
  hf_secret_wipe(room, sizeof room);
}

void hf_front_people_answer(struct hf_conn *conn, const struct hf_msg *msg)
{
  if (conn->route == HF_ROUTE_UPLOAD_ASK && msg->reply.pass_on) {
    upload_begin(conn);
  } else if (conn->route == HF_ROUTE_API_ASK && msg->reply.pass_on) {
    conn->route = HF_ROUTE_API;
    hf_conn_take_body(conn);
  } else if (msg->reply.pass_on) {
    pass_on(conn, msg->reply.body);
  } else if (!park(conn, msg->reply.status)) {
    hf_spool_free(conn->upload); /* taken or refused: gone from the spool before the client hears of it */
    conn->upload = NULL;
    answer(conn, msg);
  }
}
