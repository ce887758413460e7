/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/front_device.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hf/base/time.h"
#include "hf/codec/text.h"
#include "hf/server/est.h"
#include "hf/server/front_reply.h"
#include "hf/wire/checkin.h"

#define DIRECTOR "/director/"
#define REPO "/repo/"
#define CRL "/crl/"
#define EST "/.well-known/est/"

static bool begins(struct hf_bytes path, const char *with)
{
  size_t len = strlen(with);
  return path.len >= len && memcmp(path.at, with, len) == 0;
}

static struct hf_bytes after(struct hf_bytes path, size_t len) { return hf_bytes_init(path.at + len, path.len - len); }

static bool is_get(const struct hf_conn *conn)
{
  return conn->request.method == HF_HTTP_GET || conn->request.method == HF_HTTP_HEAD;
}

/* ---- who may come in ---- */

/* A certificate outside its dates opens nothing. True when the request was refused. */
static bool refuse_dates(struct hf_conn *conn)
{
  const struct hf_front_identity *identity = &conn->identity;
  int64_t now = hf_child_now();
  if (now >= identity->not_before && now <= identity->not_after) {
    return false;
  }
  char what[128];
  uint8_t room[HF_TIME_TEXT_LEN + 1] = {0};
  struct hf_buf text = hf_buf_init(room, HF_TIME_TEXT_LEN);
  bool expired = now > identity->not_after;
  hf_time_put(&text, expired ? identity->not_after : identity->not_before);
  (void)snprintf(what, sizeof what, "the certificate of %s %s %s", identity->device,
                 expired ? "expired at" : "is not valid before", (const char *)room);
  hf_conn_refuse(conn, 403, what,
                 expired
                     ? "renew it at /.well-known/est/simplereenroll while the time of grace lasts; else enrol with the"
                       " factory certificate or a one-time token"
                     : "compare the clocks of server and CA");
  return true;
}

/* Only a device with an operational certificate goes on. True when the request was refused. */
static bool refuse_stranger(struct hf_conn *conn)
{
  if (!conn->identity.present) {
    hf_conn_refuse(conn, 401, "there is no client certificate", "connect with the device's operational certificate");
    return true;
  }
  if (conn->identity.factory) {
    hf_conn_refuse(conn, 403, "a factory certificate may only enrol",
                   "get an operational certificate at /.well-known/est/simpleenroll first");
    return true;
  }
  return refuse_dates(conn);
}

/* Renewal alone: how long after its end a certificate may still do that is the engine's to say. True when refused. */
static bool refuse_renewal(struct hf_conn *conn)
{
  return conn->identity.present && !conn->identity.factory && hf_child_now() > conn->identity.not_after
             ? false
             : refuse_stranger(conn);
}

static struct hf_msg_peer peer_of(const struct hf_conn *conn)
{
  const struct hf_front_identity *identity = &conn->identity;
  return (struct hf_msg_peer){.present = identity->present,
                              .device = hf_bytes_text(identity->device),
                              .certificate = hf_bytes_init(identity->sha256, sizeof identity->sha256),
                              .factory = identity->factory,
                              .not_after = identity->not_after,
                              .address = hf_bytes_text(conn->address),
                              .tls = identity->tls,
                              .cipher = hf_bytes_text(identity->cipher),
                              .anchor = hf_bytes_init(conn->front->tls.anchor, sizeof conn->front->tls.anchor)};
}

/* ---- check-in and director ---- */

static void refuse_rule(struct hf_conn *conn, uint16_t rule, uint32_t at)
{
  char what[256];
  const struct hf_rule_words *words = hf_rule_words(rule);
  (void)snprintf(what, sizeof what, "byte %u: %s (rule %u, %s)", at, words->what, rule, words->clause);
  hf_conn_refuse(conn, 400, what, words->todo);
}

static void checkin(struct hf_conn *conn)
{
  struct hf_checkin parsed;
  struct hf_why why = {0};
  struct hf_bytes body = hf_conn_body(conn);
  if (hf_checkin_parse(&parsed, body, &why) != HF_OK) {
    refuse_rule(conn, why.rule, why.at);
    return;
  }
  struct hf_msg msg = {.type = HF_MSG_CHECKIN, .ask = {.peer = peer_of(conn), .body = body}};
  hf_front_ask_or_refuse(conn, &msg, true);
}

static void director(struct hf_conn *conn)
{
  struct hf_bytes name = after(conn->request.path, sizeof DIRECTOR - 1);
  if (!hf_http_path_check(name) || memchr(name.at, '/', name.len) != NULL || name.len > 64) {
    hf_conn_refuse(conn, 404, "there is no such file",
                   "ask for N.root.json, timestamp.json, N.snapshot.json or N.targets.json");
    return;
  }
  struct hf_msg msg = {.type = HF_MSG_DIRECTOR, .ask = {.peer = peer_of(conn), .body = name}};
  hf_front_ask_or_refuse(conn, &msg, true);
}

static void send_file(struct hf_conn *conn, size_t skip)
{
  struct hf_static_file file;
  if (!is_get(conn)) {
    hf_conn_refuse_with(conn, 405, "files are only read here", "use GET or HEAD", "Allow: GET, HEAD\r\n");
    return;
  }
  enum hf_err err = hf_static_open(&file, conn->front->repo, after(conn->request.path, skip));
  if (err == HF_OK) {
    hf_conn_send_file(conn, &file);
  } else {
    hf_conn_refuse(conn, err == HF_E_NOT_FOUND ? 404 : 503,
                   err == HF_E_NOT_FOUND ? "there is no such file" : "the file cannot be opened now",
                   err == HF_E_NOT_FOUND ? "compare the name with the metadata" : "try again later");
  }
}

void hf_front_repo(struct hf_conn *conn) { send_file(conn, sizeof REPO - 1); }

/* The lists lie in repo/crl/, and the path of the request is what it is below repo/. */
void hf_front_crl(struct hf_conn *conn) { send_file(conn, 1); }

/* ---- EST ---- */

static void cacerts(struct hf_conn *conn, const struct hf_front_cacerts *cacerts)
{
  struct hf_conn_reply reply = {.status = 200,
                                .content_type = HF_LIT("application/pkcs7-mime"),
                                .body = hf_bytes_init(cacerts->at, cacerts->len),
                                .fields = HF_LIT("Content-Transfer-Encoding: base64\r\n")};
  hf_conn_reply(conn, &reply);
}

/* The password of HTTP Basic is the one-time token; the user name says nothing (RFC 7030 section 3.2.3). */
static bool take_token(struct hf_buf *token, const struct hf_conn *conn)
{
  uint8_t room[256];
  struct hf_buf plain = hf_buf_init(room, sizeof room);
  struct hf_bytes coded = hf_http_credentials(conn->request.authorization, "Basic");
  const uint8_t *colon = NULL;
  if (coded.len > 0 && hf_base64_parse(&plain, coded) == HF_OK && plain.len > 0) {
    colon = memchr(room, ':', plain.len);
  }
  if (colon != NULL) {
    size_t used = (size_t)(colon - room) + 1;
    hf_buf_put(token, hf_bytes_init(colon + 1, plain.len - used));
  }
  hf_secret_wipe(room, sizeof room);
  return token->len > 0 && !token->failed;
}

/* By certificate when there is a usable one, else by token. True when the request was refused. */
static bool refuse_enrol(struct hf_conn *conn, bool renew, struct hf_buf *token)
{
  if (renew) {
    return refuse_renewal(conn);
  }
  if (take_token(token, conn)) {
    return false;
  }
  if (!conn->identity.present) {
    hf_conn_refuse_with(conn, 401, "there is neither a client certificate nor a one-time token",
                        "connect with the factory certificate, or send the token as the password of HTTP Basic",
                        "WWW-Authenticate: Basic realm=\"holdfast enrolment\"\r\n");
    return true;
  }
  return refuse_dates(conn);
}

static void enrol(struct hf_conn *conn, bool renew)
{
  struct hf_est_csr csr;
  struct hf_why why = {0};
  uint8_t room[128];
  struct hf_buf token = hf_buf_init(room, sizeof room);
  if (refuse_enrol(conn, renew, &token)) {
    return;
  }
  if (hf_est_parse(&csr, hf_conn_body(conn), &why) != HF_OK) {
    refuse_rule(conn, why.rule, why.at);
    return;
  }
  struct hf_msg msg = {.type = HF_MSG_ENROL,
                       .enrol = {.peer = peer_of(conn),
                                 .token = hf_buf_bytes(&token),
                                 .device = hf_bytes_text(csr.device),
                                 .product = hf_bytes_text(conn->identity.product),
                                 .hardware = hf_bytes_text(conn->identity.hardware),
                                 .key = hf_bytes_init(csr.key.at, csr.key.len),
                                 .renew = renew,
                                 .factory_weak = conn->identity.weak}};
  if (conn->identity.factory && token.len == 0) {
    msg.enrol.factory_key = hf_bytes_init(conn->identity.key_hash, sizeof conn->identity.key_hash);
    msg.enrol.factory_kind = hf_bytes_text(conn->identity.kind);
  }
  if (token.len > 0) {
    msg.enrol.peer = (struct hf_msg_peer){.address = hf_bytes_text(conn->address)};
  }
  hf_front_ask_or_refuse(conn, &msg, true);
  hf_secret_wipe(room, sizeof room);
}

/* ---- the three calls ---- */

static bool refuse_method(struct hf_conn *conn, enum hf_http_method wanted)
{
  if (conn->request.method == wanted || (wanted == HF_HTTP_GET && conn->request.method == HF_HTTP_HEAD)) {
    return false;
  }
  hf_conn_refuse_with(conn, 405, "this route has another method", wanted == HF_HTTP_GET ? "use GET" : "use POST",
                      wanted == HF_HTTP_GET ? "Allow: GET, HEAD\r\n" : "Allow: POST\r\n");
  return true;
}

static void begin_body(struct hf_conn *conn, enum hf_conn_route route, size_t max)
{
  if (!conn->request.has_length) {
    hf_conn_refuse(conn, 411, "there is no body", "send one, with Content-Length");
    return;
  }
  conn->route = route;
  conn->body_max = max;
}

static void est_head(struct hf_conn *conn, struct hf_bytes name)
{
  bool renew = hf_bytes_is(name, "simplereenroll");
  if (hf_bytes_is(name, "cacerts")) {
    if (!refuse_method(conn, HF_HTTP_GET)) {
      cacerts(conn, &conn->front->cacerts);
    }
  } else if (hf_bytes_is(name, "server/cacerts")) { /* a label, RFC 7030 section 3.2.2 */
    if (!refuse_method(conn, HF_HTTP_GET)) {
      cacerts(conn, &conn->front->anchors);
    }
  } else if (renew || hf_bytes_is(name, "simpleenroll")) {
    if (!refuse_method(conn, HF_HTTP_POST)) {
      begin_body(conn, renew ? HF_ROUTE_RENEW : HF_ROUTE_ENROL, HF_EST_BODY_MAX);
    }
  } else {
    hf_conn_refuse(conn, 404, "this enrolment operation is not offered", "use cacerts, simpleenroll or simplereenroll");
  }
}

void hf_front_device_head(struct hf_conn *conn)
{
  struct hf_bytes path = conn->request.path;
  if (hf_bytes_is(path, "/v1/checkin")) {
    if (!refuse_method(conn, HF_HTTP_POST) && !refuse_stranger(conn)) {
      begin_body(conn, HF_ROUTE_CHECKIN, HF_CHECKIN_MAX);
    }
  } else if (begins(path, DIRECTOR)) {
    if (!refuse_method(conn, HF_HTTP_GET) && !refuse_stranger(conn)) {
      conn->route = HF_ROUTE_DIRECTOR;
    }
  } else if (begins(path, REPO)) {
    hf_front_repo(conn);
  } else if (begins(path, CRL)) {
    hf_front_crl(conn);
  } else if (begins(path, EST)) {
    est_head(conn, after(path, sizeof EST - 1));
  } else {
    hf_conn_refuse(conn, 404, "there is nothing here for devices",
                   "compare the path with the manual; people use the other address");
  }
}

void hf_front_device_body(struct hf_conn *conn)
{
  switch (conn->route) {
    case HF_ROUTE_CHECKIN: checkin(conn); break;
    case HF_ROUTE_DIRECTOR: director(conn); break;
    case HF_ROUTE_ENROL: enrol(conn, false); break;
    case HF_ROUTE_RENEW: enrol(conn, true); break;
    default: hf_conn_refuse(conn, 500, "no route", "report this"); break;
  }
}

/* ---- answers ---- */

static void answer_certificate(struct hf_conn *conn, struct hf_bytes der)
{
  uint8_t room[HF_EST_REPLY_MAX];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  if (hf_est_encode_der(&body, der) != HF_OK) {
    hf_conn_refuse(conn, 500, "the certificate cannot be packed", "read the server's log");
    return;
  }
  struct hf_conn_reply reply = {.status = 200,
                                .content_type = HF_LIT("application/pkcs7-mime; smime-type=certs-only"),
                                .body = hf_buf_bytes(&body),
                                .fields = HF_LIT("Content-Transfer-Encoding: base64\r\n")};
  hf_conn_reply(conn, &reply);
}

static void answer_good(struct hf_conn *conn, struct hf_bytes body)
{
  if (conn->route == HF_ROUTE_ENROL || conn->route == HF_ROUTE_RENEW) {
    answer_certificate(conn, body);
    return;
  }
  struct hf_conn_reply reply = {.status = 200, .body = body};
  reply.content_type = conn->route == HF_ROUTE_CHECKIN ? HF_LIT("application/cbor") : HF_LIT("application/json");
  reply.fields = conn->route == HF_ROUTE_CHECKIN ? HF_LIT("") : HF_LIT("Cache-Control: no-store\r\n");
  hf_conn_reply(conn, &reply);
}

static void answer_bad(struct hf_conn *conn, enum hf_err err, uint16_t rule, uint32_t at)
{
  const struct hf_rule_words *words = hf_rule_words(rule);
  bool known = rule != HF_RULE_NONE;
  switch (err) {
    case HF_E_INPUT: refuse_rule(conn, rule, at); break;
    case HF_E_DENIED:
      hf_conn_refuse(conn, 403, known ? words->what : "this device is blocked or not known",
                     known ? words->todo : "ask the operator; enrol it if it is new");
      break;
    case HF_E_NOT_FOUND:
      hf_conn_refuse(conn, 404, known ? words->what : "there is no such file",
                     known ? words->todo : "nothing newer exists");
      break;
    case HF_E_EXISTS:
    case HF_E_STATE:
      hf_conn_refuse(conn, 409, known ? words->what : "not possible in the present state",
                     known ? words->todo : "ask the operator");
      break;
    case HF_E_VERSION:
      hf_conn_refuse(conn, 400, "this protocol version is not spoken here", "update the server");
      break;
    default:
      hf_conn_refuse_with(conn, 503,
                          err == HF_E_FULL ? "the disk of the server is full" : "the server could not store this",
                          "keep it and come again later", "Retry-After: 60\r\n");
      break;
  }
}

void hf_front_device_answer(struct hf_conn *conn, const struct hf_msg *msg)
{
  enum hf_err err = (enum hf_err)msg->answer.err;
  if (err == HF_OK) {
    answer_good(conn, msg->answer.body);
  } else {
    answer_bad(conn, err, (uint16_t)msg->answer.rule, msg->answer.at);
  }
}
