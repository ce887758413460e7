/* SPDX-License-Identifier: Apache-2.0
 * What people and programs try against the API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hf/server/auth.h"
#include "hf/server/throttle.h"
#include "tests/api/apiworld.h"

static struct world world;

static int open_world(void **state)
{
  (void)state;
  if (world_open(&world) != 0) {
    return 1;
  }
  world_product(&world);
  world_device(&world, "sn-1", "1.0.0");
  return 0;
}

static int close_world(void **state)
{
  (void)state;
  world_close(&world);
  return 0;
}

#define REASON "{\"reason\":\"x\"}"

/* Path with each {parameter} filled in. */
static void concrete(char *out, size_t cap, const char *path)
{
  size_t len = 0;
  for (const char *c = path; *c != 0 && len + 40 < cap; c++) {
    if (*c != '{') {
      out[len++] = *c;
      continue;
    }
    const char *value = strncmp(c, "{sha256}", 8) == 0
                            ? "0000000000000000000000000000000000000000000000000000000000000000"
                        : strncmp(c, "{version}", 9) == 0     ? "1.0.0"
                        : strncmp(c, "{repository}", 12) == 0 ? "image"
                                                              : "999";
    len += (size_t)snprintf(out + len, cap - len, "%s", value);
    c = strchr(c, '}');
  }
  out[len] = 0;
}

static void nothing_is_told_to_nobody(void **state)
{
  (void)state;
  static const char *const bad[] = {"", "hf_", "hf_wrong", "' OR 1=1 --", "hf_\xff\xfe"};
  char path[200];
  for (size_t i = 0; i < HF_ROUTE_COUNT; i++) {
    if (hf_routes[i].scope == HF_ROUTE_NONE) {
      continue;
    }
    concrete(path, sizeof path, hf_routes[i].path);
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
      world_expect(&world, &(struct ask){.method = hf_routes[i].method, .path = path, .bearer = bad[k]}, 401, NULL);
      world_expect(&world, &(struct ask){.method = hf_routes[i].method, .path = path, .bearer = "", .session = bad[k]},
                   401, NULL);
    }
  }
}

static void token_with(char secret[80], const char *scopes)
{
  char body[200];
  (void)snprintf(body, sizeof body, "{\"name\":\"t\",\"scopes\":[%s],\"expires_in_s\":600}", scopes);
  json_t *made = world_json(&world, POST("/tokens", .body = body), 201);
  (void)snprintf(secret, 80, "%s", json_string_value(json_object_get(made, "token")));
  json_decref(made);
}

static void each_scope_opens_its_own_routes_and_no_other(void **state)
{
  (void)state;
  static const char *const names[] = {"\"read\"", "\"operate\"", "\"release\"", "\"admin\""};
  char path[200];
  for (unsigned bit = 0; bit < HF_SCOPE_COUNT; bit++) {
    char secret[80];
    token_with(secret, names[bit]);
    for (size_t i = 0; i < HF_ROUTE_COUNT; i++) {
      const struct hf_route *route = &hf_routes[i];
      concrete(path, sizeof path, route->path);
      bool allowed = route->scope == HF_ROUTE_NONE || route->scope == HF_ROUTE_ANY || route->scope == 1u << bit;
      struct told told = world_ask(&world, &(struct ask){.method = route->method, .path = path, .bearer = secret});
      if ((told.status == 403) == allowed) {
        fail_msg("%s with %s alone: %d", route->name, names[bit], told.status);
      }
      told_free(&told);
    }
  }
}

static void nobody_makes_a_token_above_themselves(void **state)
{
  (void)state;
  char secret[80];
  token_with(secret, "\"admin\"");
  world_expect(
      &world,
      POST("/tokens", .body = "{\"name\":\"up\",\"scopes\":[\"release\"],\"expires_in_s\":600}", .bearer = secret), 403,
      "do not have");
  world_expect(
      &world,
      POST("/tokens", .body = "{\"name\":\"same\",\"scopes\":[\"admin\"],\"expires_in_s\":600}", .bearer = secret), 201,
      NULL);
}

static void tokens_end(void **state)
{
  (void)state;
  char secret[80];
  token_with(secret, "\"read\"");
  world.now += 599;
  world_expect(&world, GET("/overview", .bearer = secret), 200, NULL);
  world.now += 1;
  world_expect(&world, GET("/overview", .bearer = secret), 401, "expired");
}

static void a_cookie_alone_changes_nothing(void **state)
{
  (void)state;
  char session[64];
  char csrf[64];
  char other_session[64];
  char other_csrf[64];
  world_login(&world, session, csrf);
  world_login(&world, other_session, other_csrf);
  world_expect(&world, POST("/devices/sn-1/block", .body = REASON, .session = session), 403, "missing");
  world_expect(&world, POST("/devices/sn-1/block", .body = REASON, .session = session, .csrf = ""), 403, "missing");
  world_expect(&world, POST("/devices/sn-1/block", .body = REASON, .session = session, .csrf = "x"), 403, "not that");
  world_expect(&world, POST("/devices/sn-1/block", .body = REASON, .session = session, .csrf = other_csrf), 403,
               "not that");
  world_expect(&world, POST("/devices/sn-1/block", .body = REASON, .session = session, .csrf = session), 403,
               "not that");
  char path[200];
  for (size_t i = 0; i < HF_ROUTE_COUNT; i++) {
    if (hf_routes[i].method != HF_GET && hf_routes[i].scope != HF_ROUTE_NONE) {
      concrete(path, sizeof path, hf_routes[i].path);
      world_expect(&world, &(struct ask){.method = hf_routes[i].method, .path = path, .session = session}, 403, "CSRF");
    }
  }
  world_expect(&world, POST("/devices/sn-1/block", .body = REASON, .session = session, .csrf = csrf), 200, NULL);
  world_expect(&world, POST("/devices/sn-1/unblock", .body = REASON, .session = session, .csrf = csrf), 200, NULL);
}

static void a_form_of_another_site_is_no_json(void **state)
{
  (void)state;
  const char *login = "{\"name\":\"admin\",\"password\":\"" WORLD_PASSWORD "\"}";
  static const char *const types[] = {"text/plain",
                                      "application/x-www-form-urlencoded",
                                      "multipart/form-data; boundary=x",
                                      "application/jsonp",
                                      "application/json-seq",
                                      ""};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    world_expect(&world, POST("/session", .bearer = "", .body = login, .content_type = types[i]), 415, NULL);
  }
  world_expect(&world, POST("/session", .bearer = "", .body = login, .content_type = "Application/JSON; charset=utf-8"),
               201, NULL);
}

static void a_session_planted_before_login_is_worth_nothing_after(void **state)
{
  (void)state;
  char session[64];
  char csrf[64];
  world_login(&world, session, csrf);
  const char *login = "{\"name\":\"admin\",\"password\":\"" WORLD_PASSWORD "\"}";
  world.now += 10;
  struct told told = world_ask(&world, POST("/session", .bearer = "", .session = session, .body = login, .tls = true));
  assert_int_equal(told.status, 201);
  assert_null(strstr(told.reply.set_session, session));
  assert_non_null(strstr(told.reply.set_session, "; HttpOnly"));
  assert_non_null(strstr(told.reply.set_session, "; SameSite=Strict"));
  assert_non_null(strstr(told.reply.set_session, "; Secure"));
  assert_non_null(strstr(told.reply.set_session, "; Path=/;"));
  told_free(&told);
  world_expect(&world, GET("/session", .session = session), 401, NULL);
  told = world_ask(&world, POST("/session", .bearer = "", .session = "chosen-by-an-attacker", .body = login));
  assert_null(strstr(told.reply.set_session, "chosen-by"));
  assert_null(strstr(told.reply.set_session, "; Secure"));
  told_free(&told);
}

static void sessions_end_without_use(void **state)
{
  (void)state;
  char session[64];
  char csrf[64];
  world_login(&world, session, csrf);
  for (int i = 0; i < 5; i++) {
    world.now += HF_SESSION_IDLE_S;
    world_expect(&world, GET("/overview", .session = session), 200, NULL); /* use keeps it alive, reads too */
  }
  world.now += HF_SESSION_IDLE_S + HF_AUTH_USED_S;
  world_expect(&world, GET("/overview", .session = session), 401, NULL);
}

static void guessing_is_slow_and_leaves_a_trace(void **state)
{
  (void)state;
  const char *wrong = "{\"name\":\"admin\",\"password\":\"guess\"}";
  const char *nobody = "{\"name\":\"nobody\",\"password\":\"guess\"}";
  char first[400];
  world.now += 10;
  struct told told = world_ask(&world, POST("/session", .bearer = "", .body = wrong, .address = "203.0.113.5"));
  assert_int_equal(told.status, 401);
  (void)snprintf(first, sizeof first, "%.*s", (int)told.reply.body.len, (const char *)told.reply.body.at);
  told_free(&told);
  world.now++;
  told = world_ask(&world, POST("/session", .bearer = "", .body = nobody, .address = "203.0.113.5"));
  assert_int_equal(told.status, 401);
  assert_memory_equal(first, told.reply.body.at, told.reply.body.len); /* nothing tells a name from no name */
  told_free(&told);
  int throttled = 0;
  for (int i = 0; i < 10; i++) {
    world.now++;
    told = world_ask(&world, POST("/session", .bearer = "", .body = wrong, .address = "203.0.113.5"));
    throttled += told.status == 429;
    assert_true(told.status == 401 || (told.status == 429 && told.reply.retry_after_s > 0));
    told_free(&told);
  }
  assert_true(throttled >= 3);
  world_expect(&world, GET("/audit"), 200, "session.locked");
  world.now += HF_THROTTLE_ADDRESS_S;
  world_expect(&world,
               POST("/session", .bearer = "", .body = "{\"name\":\"admin\",\"password\":\"" WORLD_PASSWORD "\"}",
                    .address = "203.0.113.5"),
               201, NULL);
}

static void the_engine_opens_no_session_without_the_readers_word(void **state)
{
  (void)state;
  static uint8_t room[HF_API_REPLY_MAX];
  struct hf_api_reply reply = {.body = hf_buf_init(room, sizeof room)};
  struct hf_api_request request = {.method = HF_POST,
                                   .path = HF_LIT("/session"),
                                   .now = world.now,
                                   .content_type = HF_LIT("application/json"),
                                   .body = HF_LIT("{\"name\":\"admin\",\"password\":\"" WORLD_PASSWORD "\"}")};
  static const char *const tickets[] = {"", "67", "00", "zz"};
  for (size_t i = 0; i < sizeof tickets / sizeof tickets[0]; i++) {
    request.ticket = hf_bytes_text(tickets[i]);
    assert_int_equal(hf_engine_begin(world.engine), HF_OK);
    hf_engine_api(world.engine, &reply, &request);
    assert_int_equal(hf_engine_commit(world.engine), HF_OK);
    assert_int_equal(reply.status, 401);
    assert_string_equal(reply.set_session, "");
  }
}

static void the_reader_changes_nothing(void **state)
{
  (void)state;
  static uint8_t room[HF_API_REPLY_MAX];
  struct hf_api_reply reply = {.body = hf_buf_init(room, sizeof room)};
  struct hf_api_request request = {.method = HF_POST,
                                   .path = HF_LIT("/devices/sn-1/block"),
                                   .now = world.now,
                                   .body = HF_LIT(REASON),
                                   .bearer = hf_bytes_text(world.bearer)};
  hf_engine_api(world.reader, &reply, &request);
  assert_true(reply.pass_on); /* the engine's to do */
  world_expect(&world, GET("/devices/sn-1"), 200, "\"blocked\": false");
}

static void paths_are_taken_literally(void **state)
{
  (void)state;
  static const char *const paths[] = {"/devices/../settings",
                                      "/devices/%2e%2e/settings",
                                      "/devices/..%2fsettings",
                                      "//devices",
                                      "/devices/",
                                      "/devices//timeline",
                                      "/devices/sn-1%00",
                                      "/devices/sn-1%0a",
                                      "/devices/%zz",
                                      "/devices/%",
                                      "/devices/sn-1'--",
                                      "/devices/\xc3\xa4",
                                      "/Devices",
                                      "devices",
                                      "",
                                      "/devices/sn-1/timeline/x",
                                      "/groups/LAB",
                                      "/releases/thermostat/1.0.0.0",
                                      "/rollouts/0",
                                      "/rollouts/-1",
                                      "/rollouts/99999999999999999999",
                                      "/tokens/1e3"};
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    world_expect(&world, GET(paths[i]), 404, NULL);
  }
  world_expect(&world, GET("/devices/%73n-1"), 200, "sn-1"); /* the same name, written otherwise */
  static const uint8_t nul[] = "/devices/sn-1\0/timeline";
  world_expect(&world, &(struct ask){.method = HF_GET, .raw_path = {nul, sizeof nul - 1}, .path = "nul"}, 404, NULL);
  char *longest = malloc(100000);
  assert_non_null(longest);
  memset(longest, 'a', 99999);
  longest[99999] = 0;
  memcpy(longest, "/devices/", 9);
  world_expect(&world, GET(longest), 404, NULL);
  free(longest);
}

static void queries_are_data_not_sql(void **state)
{
  (void)state;
  static const char *const queries[] = {"/devices?q='%20OR%201=1%20--", "/devices?q=%25", "/devices?q=_",
                                        "/devices?q=%22;DROP%20TABLE%20device;--",
                                        "/devices?group=room%20=%20%22'%20OR%20''='%22"};
  for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
    world_expect(&world, GET(queries[i]), 200, "\"total\": 0");
  }
  static const char *const bad[] = {"/devices?q=%ff",
                                    "/devices?q=%00",
                                    "/devices?q=%",
                                    "/devices?%ff=1",
                                    "/devices?q=a&q=b",
                                    "/devices?",
                                    "/devices?&&",
                                    "/devices?=",
                                    "/devices?q",
                                    "/devices?q=",
                                    "/devices?after=zz",
                                    "/devices?product=..",
                                    "/devices?limit=9223372036854775808",
                                    "/devices?blocked=1"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    bool fine = strcmp(bad[i], "/devices?") == 0 || strcmp(bad[i], "/devices?&&") == 0;
    world_expect(&world, GET(bad[i]), fine ? 200 : 400, NULL);
  }
  world_expect(&world, GET("/devices/sn-1"), 200, "sn-1");
}

static void bodies_are_strict(void **state)
{
  (void)state;
  static const struct {
    const char *body;
    const char *what;
  } rows[] = {
      {"", "no body"},
      {"{", "line 1"},
      {"[]", "an object belongs"},
      {"null", "an object belongs"},
      {"{\"reason\":\"x\"} x", "line 1"},
      {"{\"reason\":\"x\",\"reason\":\"y\"}", "line 1"},
      {"{\"reason\":\"x\",\"force\":true}", "/force"},
      {"{\"reason\":7}", "/reason"},
      {"{\"reason\":\"\"}", "empty"},
      {"{\"reason\":\"\\u0000\"}", "line 1"},
      {"{\"reason\":\"\\ud800\"}", "line 1"},
      {"{\"reason\":\"\xff\"}", "UTF-8"},
      {"{\"reason\":\"\xc0\xaf\"}", "UTF-8"},
      {"{\"reason\":\"a\nb\"}", "line"},
      {"\xef\xbb\xbf{\"reason\":\"x\"}", "line 1"},
      {"{\"reason\":1e999}", "line 1"},
      {"{\"reason\":99999999999999999999}", "line 1"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    world_expect(&world, POST("/devices/sn-1/block", .body = rows[i].body), 400, rows[i].what);
  }
  char reason[300] = "{\"reason\":\"";
  memset(reason + 11, 'r', 201);
  memcpy(reason + 212, "\"}", 3);
  world_expect(&world, POST("/devices/sn-1/block", .body = reason), 400, "at most 200");
  world_expect(&world, GET("/devices", .body = "{}"), 400, "no body");
  world_expect(&world, GET("/devices/sn-1"), 200, "\"blocked\": false");
}

static void deep_and_large_bodies_are_refused_early(void **state)
{
  (void)state;
  size_t len = HF_API_BODY_MAX + 1;
  uint8_t *body = malloc(len);
  assert_non_null(body);
  memset(body, '[', len);
  world_expect(&world, POST("/devices/sn-1/block", .raw_body = {body, len}), 413, NULL);
  world_expect(&world, POST("/devices/sn-1/block", .raw_body = {body, len - 1}), 400, "deep");
  for (size_t i = 0; i + 5 <= len; i += 5) {
    memcpy(body + i, "{\"a\":", 5);
  }
  world_expect(&world, POST("/devices/sn-1/block", .raw_body = {body, len - 1}), 400, "deep");
  memset(body, ' ', len);
  world_expect(&world, POST("/devices/sn-1/block", .raw_body = {body, len - 1}), 400, "not JSON");
  memset(body, 'a', len);
  memcpy(body, "{\"", 2);
  memcpy(body + len - 8, "\":\"x\"}", 6);
  world_expect(&world, POST("/devices/sn-1/block", .raw_body = {body, len - 2}), 400, NULL);
  free(body);
}

static void wrong_methods_say_which_are_right(void **state)
{
  (void)state;
  struct told told = world_ask(&world, DELETE("/devices"));
  assert_int_equal(told.status, 405);
  assert_string_equal(told.reply.allow, "GET");
  told_free(&told);
  told = world_ask(&world, PATCH("/session", .bearer = ""));
  assert_int_equal(told.status, 405);
  assert_string_equal(told.reply.allow, "POST, GET, DELETE");
  told_free(&told);
  world_expect(&world, POST("/nothing/here"), 404, "nothing at this path");
}

static void a_refused_change_leaves_no_half(void **state)
{
  (void)state;
  json_t *before = world_json(&world, GET("/audit?limit=1"), 200);
  world_expect(&world, POST("/products", .body = "{\"name\":\"thermostat\",\"title\":\"T\",\"hardware\":[\"x\"]}"), 409,
               NULL);
  world_expect(&world, PATCH("/devices/sn-1/attributes", .body = "{\"fine\":\"x\",\"version\":\"y\"}"), 400, NULL);
  world_expect(&world, POST("/groups", .body = "{\"name\":\"g\",\"query\":\"((\"}"), 400, NULL);
  json_t *after = world_json(&world, GET("/audit?limit=1"), 200);
  assert_true(json_equal(before, after)); /* not even an audit entry */
  json_decref(before);
  json_decref(after);
  world_expect(&world, GET("/devices?group=fine+%3D+x"), 200, "\"total\": 0");
  world_checkin(&world, "sn-1", "1.0.0", 0, 0); /* and devices go on */
}

static void uploads_need_their_file_and_hash(void **state)
{
  (void)state;
  char path[100];
  (void)snprintf(path, sizeof path, "/uploads/%064d", 0);
  world_expect(&world, PUT(path), 400, "no file");
  world_expect(&world, PUT(path, .upload = "../../vault/timestamp.pem", .upload_len = 1), 400, NULL);
  world_expect(&world, PUT("/uploads/xyz", .upload = "up"), 404, NULL);
}

/* What front asks before it takes a long body or an upload. */
static void the_reader_passes_a_change_on_only_for_who_may_make_it(void **state)
{
  (void)state;
  static uint8_t room[HF_API_REPLY_MAX];
  char path[100];
  char readers[80];
  char publishers[80];
  (void)snprintf(path, sizeof path, "/uploads/%064d", 0);
  token_with(readers, "\"read\"");
  token_with(publishers, "\"release\"");
  const struct {
    const char *bearer;
    int status;
  } rows[] = {{"", 401}, {"hf_nobody", 401}, {readers, 403}, {publishers, 0}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct hf_api_reply reply = {.body = hf_buf_init(room, sizeof room)};
    struct hf_api_request request = {
        .method = HF_PUT, .path = hf_bytes_text(path), .now = world.now, .bearer = hf_bytes_text(rows[i].bearer)};
    hf_engine_api(world.reader, &reply, &request);
    assert_int_equal(reply.pass_on, rows[i].status == 0);
    assert_true(reply.pass_on || reply.status == rows[i].status);
  }
}

static void lists_survive_a_small_room(void **state)
{
  (void)state;
  uint8_t *room = malloc(HF_API_REPLY_MAX);
  assert_non_null(room);
  for (size_t cap = 600; cap < 70000; cap += 631) {
    struct hf_api_reply reply = {.body = hf_buf_init(room, cap)};
    struct hf_api_request request = {
        .method = HF_GET, .path = HF_LIT("/audit"), .now = world.now, .bearer = hf_bytes_text(world.bearer)};
    hf_engine_api(world.reader, &reply, &request);
    assert_true(reply.status == 200 || reply.status == 500 || reply.pass_on);
    assert_true(reply.body.len <= cap);
    assert_false(reply.body.failed);
  }
  free(room);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_told_to_nobody),
      cmocka_unit_test(each_scope_opens_its_own_routes_and_no_other),
      cmocka_unit_test(nobody_makes_a_token_above_themselves),
      cmocka_unit_test(tokens_end),
      cmocka_unit_test(a_cookie_alone_changes_nothing),
      cmocka_unit_test(a_form_of_another_site_is_no_json),
      cmocka_unit_test(a_session_planted_before_login_is_worth_nothing_after),
      cmocka_unit_test(sessions_end_without_use),
      cmocka_unit_test(guessing_is_slow_and_leaves_a_trace),
      cmocka_unit_test(the_engine_opens_no_session_without_the_readers_word),
      cmocka_unit_test(the_reader_changes_nothing),
      cmocka_unit_test(paths_are_taken_literally),
      cmocka_unit_test(queries_are_data_not_sql),
      cmocka_unit_test(bodies_are_strict),
      cmocka_unit_test(deep_and_large_bodies_are_refused_early),
      cmocka_unit_test(wrong_methods_say_which_are_right),
      cmocka_unit_test(a_refused_change_leaves_no_half),
      cmocka_unit_test(uploads_need_their_file_and_hash),
      cmocka_unit_test(the_reader_passes_a_change_on_only_for_who_may_make_it),
      cmocka_unit_test(lists_survive_a_small_room),
  };
  return cmocka_run_group_tests(tests, open_world, close_world);
}
