/* SPDX-License-Identifier: Apache-2.0
 * Dispatch: from a request to its route, through everything that is the same for all routes, to the handler and back.
 */
#include "hf/server/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/crypto/crypto.h"
#include "hf/server/call.h"

static void (*const handlers[HF_ROUTE_COUNT])(struct hf_call *call) = {
#define HF_ROUTE(name, method, path, scope, status, request, reply, query, refusals, summary) hf_api_##name,
#include "hf/server/api.def"
#undef HF_ROUTE
};

bool hf_api_reads(enum hf_method method, struct hf_bytes path)
{
  return method == HF_GET || (method == HF_POST && hf_bytes_is(path, hf_routes[HF_ROUTE_session_open].path)) ||
         (method == HF_PUT && hf_bytes_is(path, hf_routes[HF_ROUTE_password_put].path));
}

enum hf_err hf_api_open(struct hf_engine *engine)
{
  struct hf_api *api = calloc(1, sizeof *api);
  engine->api = api;
  if (api == NULL) {
    return HF_E_IO;
  }
  api->document = hf_openapi_new();
  api->text = api->document == NULL ? NULL : json_dumps(api->document, JSON_COMPACT);
  if (api->text == NULL) {
    return HF_E_IO;
  }
  for (size_t i = 0; i < HF_PARAM_COUNT; i++) {
    api->param_schema[i] = json_loads(hf_params[i].schema, JSON_REJECT_DUPLICATES, NULL);
    HF_ASSERT(api->param_schema[i] != NULL);
  }
  return hf_throttle_init(&api->throttle);
}

void hf_api_close(struct hf_engine *engine)
{
  struct hf_api *api = engine->api;
  if (api == NULL) {
    return;
  }
  for (size_t i = 0; i < HF_PARAM_COUNT; i++) {
    json_decref(api->param_schema[i]);
  }
  json_decref(api->document);
  free(api->text);
  free(api);
  engine->api = NULL;
}

/* Find the route, or refuse: 404, or 405 with what the path does allow. */
static enum hf_err find_route(struct hf_call *call)
{
  char *allow = call->reply->allow;
  for (size_t i = 0; i < HF_ROUTE_COUNT; i++) {
    const struct hf_route *route = &hf_routes[i];
    if (hf_call_parse_path(call, route) != HF_OK) {
      continue;
    }
    if (route->method == call->request->method) {
      call->route = route;
      allow[0] = 0;
      return HF_OK;
    }
    size_t len = strlen(allow);
    (void)snprintf(allow + len, sizeof call->reply->allow - len, "%s%s", len == 0 ? "" : ", ",
                   hf_method_name(route->method));
  }
  if (allow[0] != 0) {
    char todo[80];
    (void)snprintf(todo, sizeof todo, "use %s", allow);
    hf_call_refuse(call, HF_PROBLEM_METHOD, "the path is right, the method is not", "method", todo);
  } else {
    hf_call_refuse(call, HF_PROBLEM_NOT_FOUND, "there is nothing at this path", "path",
                   "GET /openapi.json lists every path; names in a path must have their right form");
  }
  return HF_E_NOT_FOUND;
}

/* Who asks, and may they? Refuses otherwise. */
static enum hf_err admit(struct hf_call *call)
{
  const struct hf_api_request *request = call->request;
  unsigned scope = call->route->scope;
  char what[120];
  if (scope == HF_ROUTE_NONE) {
    return HF_OK;
  }
  enum hf_err err = hf_actor_get(&call->who, call->db, request);
  if (err == HF_E_DENIED) {
    bool nothing = request->bearer.len == 0 && request->session.len == 0;
    hf_call_refuse(call, HF_PROBLEM_SIGN_IN,
                   nothing ? "the request carries neither token nor session"
                           : "the token or session is unknown or has expired",
                   request->bearer.len > 0 ? "Authorization" : "Cookie", NULL);
    return err;
  }
  if (err != HF_OK) {
    hf_call_fail(call, err, "sessions could not be read", NULL);
    return err;
  }
  if (scope != HF_ROUTE_ANY && (call->who.scopes & scope) == 0) {
    (void)snprintf(what, sizeof what, "this needs the scope \"%s\"", hf_scope_name((enum hf_scope)scope));
    hf_call_refuse(call, HF_PROBLEM_SCOPE, what, "", NULL);
    return HF_E_DENIED;
  }
  if (request->method != HF_GET && call->who.kind == HF_ACTOR_SESSION &&
      hf_csrf_verify(request->session, request->csrf) != HF_ALLOW) {
    hf_call_refuse(call, HF_PROBLEM_CSRF,
                   request->csrf.len == 0 ? "the CSRF token is missing" : "the CSRF token is not that of this session",
                   "X-CSRF-Token", NULL);
    return HF_E_DENIED;
  }
  return HF_OK;
}

/* "application/json", with or without parameters. */
static bool is_json(struct hf_bytes type)
{
  static const char json[] = "application/json";
  size_t len = sizeof json - 1;
  if (type.len < len || (type.len > len && type.at[len] != ';' && type.at[len] != ' ')) {
    return false;
  }
  for (size_t i = 0; i < len; i++) {
    uint8_t c = type.at[i];
    c = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
    if (c != (uint8_t)json[i]) {
      return false;
    }
  }
  return true;
}

static enum hf_err check_body(struct hf_call *call)
{
  const struct hf_api_request *request = call->request;
  bool wants_json = call->route->request[0] != 0 && call->route->request[0] != '*';
  if (request->body.len > HF_API_BODY_MAX) {
    hf_call_refuse(call, HF_PROBLEM_TOO_LARGE, "the body is larger than 4 MiB", "", NULL);
    return HF_E_INPUT;
  }
  if (!wants_json) {
    if (request->body.len > 0) {
      hf_call_refuse(call, HF_PROBLEM_INPUT, "this request takes no body", "", "send none");
      return HF_E_INPUT;
    }
    return HF_OK;
  }
  /* One that says nothing is what a page of another site may send without asking; "application/json" it may not. */
  if (request->body.len > 0 && !is_json(request->content_type)) {
    hf_call_refuse(call, HF_PROBLEM_CONTENT_TYPE, "the body is not said to be JSON", "Content-Type", NULL);
    return HF_E_INPUT;
  }
  return HF_OK;
}

/* A change happens whole or not at all: a mark in the group, gone back to when a handler had begun to change things and
 * then refused. A refusal that changed nothing needs no undoing, so nobody's bad requests cost the devices anything. */
static void run_change(struct hf_call *call, void (*handler)(struct hf_call *call))
{
  enum hf_err err = hf_engine_mark(call->engine);
  if (err != HF_OK) {
    hf_call_fail(call, err, "the change could not be begun", NULL);
    return;
  }
  handler(call);
  bool undo = call->reply->status >= 400 && (call->changed || call->engine->poison != HF_OK);
  err = undo ? hf_engine_mark_undo(call->engine) : hf_engine_mark_keep(call->engine);
  if (err != HF_OK) {
    (void)hf_engine_poison(call->engine, err);
    hf_call_fail(call, err, "the change could not be stored", NULL);
  }
}

static void run(struct hf_call *call)
{
  void (*handler)(struct hf_call * call) = handlers[call->route - hf_routes];
  bool reader = call->engine->config.read_only;
  call->reply->status = call->route->status;
  if (call->request->method == HF_GET || reader) {
    handler(call);
  } else {
    run_change(call, handler);
  }
  if (!reader && hf_actor_stale(&call->who, call->request->now) && call->route != &hf_routes[HF_ROUTE_session_close]) {
    enum hf_err err = hf_actor_put_used(&call->who, call->db, call->request->now);
    if (err != HF_OK) {
      hf_call_fail(call, err, "the use of the session could not be stored", NULL);
    }
  }
}

/* The ETag is the hash of what is sent: right whatever changed, and it saves the line where lines are slow. */
static void put_etag(struct hf_call *call)
{
  uint8_t hash[HF_SHA256_LEN];
  struct hf_api_reply *reply = call->reply;
  struct hf_bytes seen = call->request->if_none;
  hf_sha256(hash, hf_buf_bytes(call->out));
  reply->etag[0] = '"';
  for (size_t i = 0; i < 16; i++) {
    (void)snprintf(reply->etag + 1 + 2 * i, 3, "%02x", hash[i]);
  }
  memcpy(reply->etag + 33, "\"", 2);
  for (size_t i = 0; i + 34 <= seen.len; i++) {
    if (memcmp(seen.at + i, reply->etag, 34) == 0) {
      reply->status = 304;
      call->out->len = 0;
      return;
    }
  }
}

static void finish(struct hf_call *call)
{
  struct hf_api_reply *reply = call->reply;
  if (call->out->failed) {
    hf_call_refuse(call, HF_PROBLEM_FAILED, "the reply is too large", "",
                   "ask for less: a lower limit, a narrower filter");
  }
  if (reply->status >= 400) {
    reply->etag[0] = 0;
    reply->location[0] = 0;
    return;
  }
  if (reply->status == 204 && !reply->pass_on) {
    reply->body.len = 0;
  }
  if (reply->status == 200 && call->request->method == HF_GET && !reply->pass_on) {
    put_etag(call);
  }
}

static void answer(struct hf_call *call)
{
  if (find_route(call) != HF_OK || admit(call) != HF_OK) {
    return;
  }
  bool reader = call->engine->config.read_only;
  if (reader && !hf_api_reads(call->request->method, call->request->path)) {
    call->reply->pass_on = true; /* who asks may do it: worth taking the body for; the engine asks again, and does it */
    return;
  }
  if (reader && call->request->method == HF_GET && hf_actor_stale(&call->who, call->request->now)) {
    call->reply->pass_on = true; /* only the engine may write "last used" */
    return;
  }
  if (check_body(call) == HF_OK && hf_call_parse_query(call) == HF_OK && hf_call_parse_body(call) == HF_OK) {
    run(call);
  }
}

void hf_engine_api(struct hf_engine *engine, struct hf_api_reply *reply, const struct hf_api_request *request)
{
  struct hf_buf body = reply->body;
  struct hf_call call = {.engine = engine, .db = engine->db, .api = engine->api, .request = request, .reply = reply};
  *reply = (struct hf_api_reply){.body = hf_buf_init(body.at, body.cap)};
  call.out = &reply->body;
  engine->now = request->now;
  answer(&call);
  finish(&call);
  json_decref(call.body);
}
