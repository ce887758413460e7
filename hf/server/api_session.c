/* SPDX-License-Identifier: Apache-2.0
 * REST: signing in and out, tokens. */
#include <stdio.h>
#include <string.h>

#include "hf/codec/json.h"
#include "hf/crypto/key.h"
#include "hf/server/auditlog.h"
#include "hf/server/call.h"

static void put_scopes(struct hf_buf *out, unsigned scopes)
{
  hf_json_put_name(out, "scopes");
  hf_buf_put_text(out, "[");
  for (unsigned bit = 1; bit <= HF_SCOPE_ADMIN; bit <<= 1) {
    if ((scopes & bit) != 0) {
      hf_json_put_comma(out);
      hf_json_put_text(out, hf_bytes_text(hf_scope_name((enum hf_scope)bit)));
    }
  }
  hf_buf_put_text(out, "]");
}

static void put_session(struct hf_call *call, const struct hf_actor *who, struct hf_bytes session)
{
  uint8_t room[HF_SECRET_TEXT_LEN];
  struct hf_buf csrf = hf_buf_init(room, sizeof room);
  if (session.len > 0) {
    hf_csrf_put(&csrf, session);
  }
  hf_buf_put_text(call->out, "{");
  hf_reply_put_text(call->out, "name", hf_bytes_text(who->name));
  hf_reply_put_text(call->out, "kind", who->kind == HF_ACTOR_TOKEN ? HF_LIT("token") : HF_LIT("session"));
  put_scopes(call->out, who->scopes);
  hf_reply_put_text_or_null(call->out, "csrf", hf_buf_bytes(&csrf));
  hf_reply_put_time_or_null(call->out, "expires", who->expires);
  hf_buf_put_text(call->out, "}");
}

/* A refused login says nothing of what was wrong: neither name nor password. */
static void refuse_login(struct hf_call *call, uint32_t wait_s)
{
  if (wait_s == 0) {
    hf_call_refuse(call, HF_PROBLEM_SIGN_IN, "name or password is wrong", "", "check both");
    return;
  }
  char todo[80];
  (void)snprintf(todo, sizeof todo, "wait %u seconds", (unsigned)wait_s);
  hf_call_refuse(call, HF_PROBLEM_THROTTLED, "too many logins failed", "", todo);
  call->reply->retry_after_s = wait_s;
}

/* In the reader, where no device waits for the scrypt: check, and pass on with a ticket. */
static void login_check(struct hf_call *call, struct hf_bytes name)
{
  const struct hf_api_request *request = call->request;
  struct hf_throttle *throttle = &call->api->throttle;
  uint32_t wait_s = hf_throttle_check(throttle, name, request->address, request->now);
  if (wait_s > 0) {
    refuse_login(call, wait_s);
    return;
  }
  enum hf_verdict verdict = hf_operator_verify(call->db, name, hf_call_text(call, "password"));
  bool good = verdict == HF_ALLOW;
  bool locked = hf_throttle_put(throttle, name, request->address, good, request->now);
  if (!good && !locked) {
    refuse_login(call, 0);
    return;
  }
  hf_ticket_put(call->out, good ? HF_TICKET_GOOD : HF_TICKET_LOCKED, name, request, call->engine->config.login_key);
  call->reply->pass_on = true;
}

static void put_cookie(struct hf_call *call, struct hf_bytes secret, int64_t life_s)
{
  (void)snprintf(call->reply->set_session, sizeof call->reply->set_session,
                 HF_API_COOKIE "=%.*s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s", (int)secret.len,
                 secret.len == 0 ? "" : (const char *)secret.at, (long long)life_s,
                 call->request->tls ? "; Secure" : "");
}

static enum hf_err login_open(struct hf_call *call, struct hf_buf *secret, struct hf_actor *who, struct hf_bytes name)
{
  const struct hf_api_request *request = call->request;
  struct hf_api_request renewed = *request;
  enum hf_err err = HF_OK;
  /* Whatever session the browser came with ends here: a login never continues one that somebody else may know. */
  if (request->session.len > 0) {
    uint8_t hash[HF_SHA256_LEN];
    hf_sha256(hash, request->session);
    err = hf_session_close(call->db, hash);
  }
  if (err == HF_OK) {
    err = hf_session_new(call->db, secret, name, request->address, request->now);
  }
  if (err == HF_OK) {
    renewed.bearer = (struct hf_bytes){NULL, 0};
    renewed.session = hf_buf_bytes(secret);
    err = hf_actor_get(who, call->db, &renewed);
  }
  if (err == HF_OK) {
    struct hf_act act = hf_call_act(call);
    act.who = hf_bytes_text(who->who);
    err = hf_auditlog_put(call->engine, &act, "session.open", name, (struct hf_bytes){NULL, 0});
  }
  return err;
}

static void login_locked(struct hf_call *call, struct hf_bytes name)
{
  struct hf_act act = hf_call_act(call);
  act.who = HF_LIT("server");
  enum hf_err err = hf_auditlog_put(call->engine, &act, "session.locked", name,
                                    HF_LIT("too many logins failed for this name or from this address"));
  if (err != HF_OK) {
    hf_call_fail(call, err, "the failed login could not be noted", NULL);
    return;
  }
  refuse_login(call, 1); /* `changed` stays false: the entry is to be kept */
}

void hf_api_session_open(struct hf_call *call)
{
  struct hf_bytes name = hf_call_text(call, "name");
  uint8_t room[HF_SECRET_TEXT_LEN + 1];
  struct hf_buf secret = hf_buf_init(room, sizeof room);
  struct hf_actor who;
  const uint8_t *key = call->engine->config.login_key;
  if (call->engine->config.read_only) {
    login_check(call, name);
    return;
  }
  if (hf_ticket_verify(HF_TICKET_LOCKED, name, call->request, key) == HF_ALLOW) {
    login_locked(call, name);
    return;
  }
  if (hf_ticket_verify(HF_TICKET_GOOD, name, call->request, key) != HF_ALLOW) {
    hf_call_refuse(call, HF_PROBLEM_SIGN_IN, "the login was not confirmed in time", "", "try again");
    return;
  }
  call->changed = true;
  enum hf_err err = login_open(call, &secret, &who, name);
  if (err != HF_OK) {
    hf_call_fail(call, err, "the session could not be opened", NULL);
    return;
  }
  put_cookie(call, hf_buf_bytes(&secret), HF_SESSION_LIFE_S);
  put_session(call, &who, hf_buf_bytes(&secret));
  hf_secret_wipe(room, sizeof room);
}

void hf_api_session_get(struct hf_call *call)
{
  bool session = call->who.kind == HF_ACTOR_SESSION;
  put_session(call, &call->who, session ? call->request->session : (struct hf_bytes){NULL, 0});
}

void hf_api_session_close(struct hf_call *call)
{
  if (call->who.kind != HF_ACTOR_SESSION) {
    hf_call_refuse(call, HF_PROBLEM_CONFLICT, "a token has no session to close", "Authorization",
                   "revoke the token with DELETE /tokens/{token}");
    return;
  }
  struct hf_act act = hf_call_act(call);
  call->changed = true;
  enum hf_err err = hf_session_close(call->db, call->who.hash);
  if (err == HF_OK) {
    err =
        hf_auditlog_put(call->engine, &act, "session.close", hf_bytes_text(call->who.name), (struct hf_bytes){NULL, 0});
  }
  if (err != HF_OK) {
    hf_call_fail(call, err, "the session could not be closed", NULL);
    return;
  }
  put_cookie(call, (struct hf_bytes){NULL, 0}, 0);
}

/* What a password ticket is about: the name, a zero byte and the new stored form. */
static struct hf_bytes password_subject(struct hf_buf *room, struct hf_bytes name, struct hf_bytes stored)
{
  hf_buf_put(room, name);
  hf_buf_put_u8(room, 0);
  hf_buf_put(room, stored);
  return hf_buf_bytes(room);
}

/* In the reader: the old password is checked, the new one made into its stored form, both out of the devices' way. */
static void password_check(struct hf_call *call, struct hf_bytes name)
{
  const struct hf_api_request *request = call->request;
  struct hf_throttle *throttle = &call->api->throttle;
  uint8_t stored_room[HF_API_TICKET_MAX - HF_TICKET_TEXT_LEN];
  uint8_t subject_room[HF_ACTOR_NAME_MAX + HF_API_TICKET_MAX];
  struct hf_buf stored = hf_buf_init(stored_room, sizeof stored_room);
  struct hf_buf subject = hf_buf_init(subject_room, sizeof subject_room);
  uint32_t wait_s = hf_throttle_check(throttle, name, request->address, request->now);
  if (wait_s > 0) {
    refuse_login(call, wait_s);
    return;
  }
  bool good = hf_operator_verify(call->db, name, hf_call_text(call, "old")) == HF_ALLOW;
  (void)hf_throttle_put(throttle, name, request->address, good, request->now);
  if (!good) {
    hf_call_refuse(call, HF_PROBLEM_INPUT, "the old password is wrong", "/old", "give the password you signed in with");
    return;
  }
  enum hf_err err = hf_password_put(&stored, hf_call_text(call, "new"));
  if (err != HF_OK) {
    hf_call_fail(call, err, "the new password could not be stored", NULL);
    return;
  }
  hf_ticket_put(call->out, HF_TICKET_PASSWORD, password_subject(&subject, name, hf_buf_bytes(&stored)), request,
                call->engine->config.login_key);
  hf_buf_put(call->out, hf_buf_bytes(&stored));
  call->reply->pass_on = true;
}

/* In the engine: believe the reader's ticket, or nothing. */
static void password_store(struct hf_call *call, struct hf_bytes name)
{
  struct hf_api_request request = *call->request;
  struct hf_act act = hf_call_act(call);
  uint8_t room[HF_ACTOR_NAME_MAX + HF_API_TICKET_MAX];
  struct hf_buf subject = hf_buf_init(room, sizeof room);
  struct hf_bytes stored = {NULL, 0};
  if (request.ticket.len > HF_TICKET_TEXT_LEN) {
    stored = hf_bytes_init(request.ticket.at + HF_TICKET_TEXT_LEN, request.ticket.len - HF_TICKET_TEXT_LEN);
    request.ticket.len = HF_TICKET_TEXT_LEN;
  }
  struct hf_bytes about = password_subject(&subject, name, stored);
  if (subject.failed ||
      hf_ticket_verify(HF_TICKET_PASSWORD, about, &request, call->engine->config.login_key) != HF_ALLOW) {
    hf_call_refuse(call, HF_PROBLEM_UNAVAILABLE, "the change was not confirmed in time", "", NULL);
    return;
  }
  call->changed = true;
  enum hf_err err = hf_operator_put(call->db, name, stored, call->who.hash);
  if (err == HF_OK) {
    err = hf_auditlog_put(call->engine, &act, "operator.password", name, (struct hf_bytes){NULL, 0});
  }
  if (err != HF_OK) {
    hf_call_fail(call, err, "the new password could not be stored", NULL);
  }
}

void hf_api_password_put(struct hf_call *call)
{
  struct hf_bytes name = hf_bytes_text(call->who.name);
  if (call->who.kind != HF_ACTOR_SESSION) {
    hf_call_refuse(call, HF_PROBLEM_CONFLICT, "a token has no password", "Authorization",
                   "sign in with name and password");
  } else if (call->engine->config.read_only) {
    password_check(call, name);
  } else {
    password_store(call, name);
  }
}

/* Columns: id, name, scopes, created_by, created, expires, last_used. Leaves the object open. */
#define TOKEN_COLUMNS "id, name, scopes, created_by, created, expires, last_used"
static void put_token(struct hf_buf *out, struct hf_stmt *stmt)
{
  hf_buf_put_text(out, "{");
  hf_reply_put_id(out, "id", hf_stmt_get_int(stmt, 0));
  hf_reply_put_text(out, "name", hf_stmt_get_bytes(stmt, 1));
  put_scopes(out, (unsigned)hf_stmt_get_int(stmt, 2));
  hf_reply_put_text(out, "by", hf_stmt_get_bytes(stmt, 3));
  hf_reply_put_time(out, "created", hf_stmt_get_int(stmt, 4));
  hf_reply_put_time_or_null(out, "expires", hf_stmt_get_int(stmt, 5));
  hf_reply_put_time_or_null(out, "last_used", hf_stmt_get_int(stmt, 6));
}

void hf_api_token_list(struct hf_call *call)
{
  struct hf_page page;
  int64_t total = 0;
  int64_t after;
  if (hf_page_open_number(&page, &after, call, 0) != HF_OK) {
    return;
  }
  struct hf_stmt *stmt = hf_stmt_open(call->db, "SELECT " TOKEN_COLUMNS " FROM token WHERE id > ? ORDER BY id");
  hf_stmt_put_int(stmt, after);
  enum hf_err err = hf_stmt_next(stmt);
  for (; err == HF_OK; err = hf_stmt_next(stmt)) {
    if (!hf_page_next_number(&page, hf_stmt_get_int(stmt, 0))) {
      break;
    }
    put_token(call->out, stmt);
    hf_buf_put_text(call->out, "}");
  }
  hf_stmt_close(stmt);
  if (err == HF_OK || err == HF_E_NOT_FOUND) {
    err = hf_stmt_run_int(hf_stmt_open(call->db, "SELECT count(*) FROM token"), &total);
  }
  hf_page_close(&page, err, (uint64_t)total);
}

static unsigned body_scopes(const struct hf_call *call)
{
  unsigned scopes = 0;
  size_t index;
  json_t *name;
  json_array_foreach(json_object_get(call->body, "scopes"), index, name)
  {
    for (unsigned bit = 1; bit <= HF_SCOPE_ADMIN; bit <<= 1) {
      scopes |= strcmp(json_string_value(name), hf_scope_name((enum hf_scope)bit)) == 0 ? bit : 0;
    }
  }
  return scopes;
}

static enum hf_err token_audit(struct hf_call *call, const char *action, int64_t id, struct hf_bytes detail)
{
  uint8_t room[20];
  struct hf_buf subject = hf_buf_init(room, sizeof room);
  struct hf_act act = hf_call_act(call);
  hf_buf_put_uint(&subject, (uint64_t)id);
  return hf_auditlog_put(call->engine, &act, action, hf_buf_bytes(&subject), detail);
}

static void put_token_once(struct hf_call *call, int64_t id, struct hf_bytes secret)
{
  struct hf_stmt *stmt = hf_stmt_open(call->db, "SELECT " TOKEN_COLUMNS " FROM token WHERE id = ?");
  hf_stmt_put_int(stmt, id);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    put_token(call->out, stmt);
    hf_reply_put_text(call->out, "token", secret);
    hf_buf_put_text(call->out, "}");
  } else {
    hf_call_fail(call, err == HF_E_NOT_FOUND ? HF_E_IO : err, "the token could not be read back", NULL);
  }
  hf_stmt_close(stmt);
}

void hf_api_token_new(struct hf_call *call)
{
  uint8_t room[HF_SECRET_TEXT_LEN + 4];
  struct hf_buf secret = hf_buf_init(room, sizeof room);
  int64_t id;
  struct hf_token_new token = {.name = hf_call_text(call, "name"),
                               .by = hf_bytes_text(call->who.who),
                               .scopes = body_scopes(call),
                               .expires = call->request->now + hf_call_int(call, "expires_in_s", 0)};
  /* A token must not be a way up: nobody gives away what they do not have. */
  if ((token.scopes & ~call->who.scopes) != 0) {
    hf_call_refuse(call, HF_PROBLEM_SCOPE, "a token cannot have a scope that you do not have", "/scopes", NULL);
    return;
  }
  call->changed = true;
  enum hf_err err = hf_token_put(call->db, &secret, &id, &token, call->request->now);
  if (err == HF_OK) {
    err = token_audit(call, "token.new", id, token.name);
  }
  if (err != HF_OK) {
    hf_call_fail(call, err, "the token could not be made", NULL);
    return;
  }
  (void)snprintf(call->reply->location, sizeof call->reply->location, "/api/v1/tokens/%lld", (long long)id);
  put_token_once(call, id, hf_buf_bytes(&secret));
  hf_secret_wipe(room, sizeof room);
}

void hf_api_token_close(struct hf_call *call)
{
  int64_t id;
  uint8_t room[80];
  struct hf_buf name = hf_buf_init(room, sizeof room);
  if (hf_page_number(&id, call, hf_call_arg(call, HF_PARAM_PATH_token), 0) != HF_OK) {
    return;
  }
  struct hf_stmt *stmt = hf_stmt_open(call->db, "DELETE FROM token WHERE id = ? RETURNING name");
  hf_stmt_put_int(stmt, id);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    hf_buf_put(&name, hf_stmt_get_bytes(stmt, 0));
  }
  hf_stmt_close(stmt);
  if (err == HF_E_NOT_FOUND) {
    hf_call_refuse(call, HF_PROBLEM_NOT_FOUND, "there is no token with this id", "path", "GET /tokens lists them");
    return;
  }
  call->changed = true;
  if (err == HF_OK) {
    err = token_audit(call, "token.close", id, hf_buf_bytes(&name));
  }
  if (err != HF_OK) {
    hf_call_fail(call, err, "the token could not be revoked", NULL);
  }
}
