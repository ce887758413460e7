/* SPDX-License-Identifier: Apache-2.0
 * Every route of api.def: its success, and each refusal its row names. The last test fails when a route or a refusal
 * was not exercised. What is sent and told is checked against the OpenAPI document by tests/api/apiworld.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "factoryrig.h"
#include "hf/base/time.h"
#include "hf/codec/text.h"
#include "hf/server/auth.h"
#include "tests/api/apiworld.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static struct world world;

static int open_world(void **state)
{
  (void)state;
  return world_open(&world);
}

static int close_world(void **state)
{
  (void)state;
  world_close(&world);
  return 0;
}

static const char *text(json_t *object, const char *name)
{
  const char *value = json_string_value(json_object_get(object, name));
  return value == NULL ? "(null)" : value;
}

static int64_t number(json_t *object, const char *name)
{
  json_t *value = json_object_get(object, name);
  assert_true(json_is_integer(value));
  return json_integer_value(value);
}

static json_t *item(json_t *page, size_t index) { return json_array_get(json_object_get(page, "items"), index); }

/* What the last audit entries say: the newest entry's action. */
static void assert_audited(const char *action, const char *subject)
{
  json_t *page = world_json(&world, GET("/audit?limit=5"), 200);
  bool found = false;
  size_t index;
  json_t *entry;
  json_array_foreach(json_object_get(page, "items"), index, entry)
  {
    found = found || (strcmp(text(entry, "action"), action) == 0 && strcmp(text(entry, "subject"), subject) == 0);
  }
  if (!found) {
    fail_msg("the audit log does not say %s %s: %s", action, subject, json_dumps(page, 0));
  }
  json_decref(page);
}

static void health_and_document_are_open_to_anybody(void **state)
{
  (void)state;
  json_t *health = world_json(&world, GET("/health", .bearer = ""), 200);
  assert_true(json_is_true(json_object_get(health, "alive")));
  assert_true(json_is_true(json_object_get(health, "sandboxed")));
  json_decref(health);
  json_t *document = world_json(&world, GET("/openapi.json", .bearer = ""), 200);
  assert_string_equal(text(document, "openapi"), "3.1.0");
  assert_true(json_equal(document, world.document));
  json_decref(document);
}

static void people_sign_in_and_out(void **state)
{
  (void)state;
  char session[64];
  char csrf[64];
  world_login(&world, session, csrf);
  assert_audited("session.open", "admin");
  json_t *me = world_json(&world, GET("/session", .session = session), 200);
  assert_string_equal(text(me, "name"), "admin");
  assert_string_equal(text(me, "kind"), "session");
  assert_string_equal(text(me, "csrf"), csrf);
  assert_int_equal(json_array_size(json_object_get(me, "scopes")), 4);
  json_decref(me);
  me = world_json(&world, GET("/session"), 200);
  assert_string_equal(text(me, "kind"), "token");
  assert_true(json_is_null(json_object_get(me, "csrf")));
  json_decref(me);
  world_expect(&world, DELETE("/session"), 409, "token has no session");
  struct told told = world_ask(&world, DELETE("/session", .session = session, .csrf = csrf));
  assert_int_equal(told.status, 204);
  assert_non_null(strstr(told.reply.set_session, "Max-Age=0"));
  told_free(&told);
  assert_audited("session.close", "admin");
  world_expect(&world, GET("/session", .session = session), 401, NULL);
}

static void people_change_their_password(void **state)
{
  (void)state;
  char session[64];
  char csrf[64];
  char other[64];
  char other_csrf[64];
  const char *body = "{\"old\":\"" WORLD_PASSWORD "\",\"new\":\"another password\"}";
  const char *back = "{\"old\":\"another password\",\"new\":\"" WORLD_PASSWORD "\"}";
  world_login(&world, session, csrf);
  world_login(&world, other, other_csrf);
  world_expect(&world, PUT("/session/password", .body = body), 409, "no password");
  world_expect(&world, PUT("/session/password", .body = body, .session = session), 403, "CSRF");
  world_expect(&world,
               PUT("/session/password", .body = "{\"old\":\"x\",\"new\":\"short\"}", .session = session, .csrf = csrf),
               400, "at least 10");
  world.now += 5;
  world_expect(&world, PUT("/session/password", .body = back, .session = session, .csrf = csrf), 400, "/old");
  world_expect(&world, PUT("/session/password", .body = body, .session = session, .csrf = csrf), 204, NULL);
  assert_audited("operator.password", "admin");
  world_expect(&world, GET("/session", .session = other), 401, NULL);
  world_expect(&world, GET("/session", .session = session), 200, NULL);
  world_expect(&world,
               POST("/session", .bearer = "", .body = "{\"name\":\"admin\",\"password\":\"" WORLD_PASSWORD "\"}"), 401,
               NULL);
  world.now += 5;
  world_expect(&world, PUT("/session/password", .body = back, .session = session, .csrf = csrf), 204, NULL);
  for (int i = 0; i < 10; i++) { /* guessing the old one is as slow as guessing at the door */
    struct told told = world_ask(
        &world, PUT("/session/password", .body = back, .session = session, .csrf = csrf, .address = "203.0.113.9"));
    assert_true(told.status == 400 || told.status == 429);
    told_free(&told);
  }
  world.now += 60;
}

static void tokens_are_made_listed_used_and_revoked(void **state)
{
  (void)state;
  json_t *made =
      world_json(&world, POST("/tokens", .body = "{\"name\":\"ci\",\"scopes\":[\"read\"],\"expires_in_s\":3600}"), 201);
  char secret[80];
  char path[80];
  (void)snprintf(secret, sizeof secret, "%s", text(made, "token"));
  (void)snprintf(path, sizeof path, "/tokens/%s", text(made, "id"));
  assert_memory_equal(secret, "hf_", 3);
  assert_audited("token.new", text(made, "id"));
  json_decref(made);
  world_expect(&world, GET("/overview", .bearer = secret), 200, NULL);
  world_expect(&world,
               POST("/products", .body = "{\"name\":\"x\",\"title\":\"X\",\"hardware\":[\"x\"]}", .bearer = secret),
               403, "release");
  json_t *page = world_json(&world, GET("/tokens"), 200);
  assert_int_equal(number(page, "total"), 2);
  assert_string_equal(text(item(page, 1), "name"), "ci");
  assert_null(json_object_get(item(page, 1), "token"));
  assert_false(json_is_null(json_object_get(item(page, 1), "last_used")));
  json_decref(page);
  world_expect(&world, DELETE(path), 204, NULL);
  assert_audited("token.close", path + 8);
  world_expect(&world, GET("/overview", .bearer = secret), 401, NULL);
  world_expect(&world, DELETE(path), 404, "no token");
}

static void products_are_added_once(void **state)
{
  (void)state;
  const char *body =
      "{\"name\":\"thermostat\",\"title\":\"Thermostat \\u00e4\",\"hardware\":[\"thermo-a\",\"thermo-b\"]}";
  struct told told = world_ask(&world, POST("/products", .body = body));
  assert_int_equal(told.status, 201);
  assert_string_equal(told.reply.location, "/api/v1/products/thermostat");
  told_free(&told);
  assert_audited("product.new", "thermostat");
  world_expect(&world, POST("/products", .body = body), 409, "already");
  json_t *one = world_json(&world, GET("/products/thermostat"), 200);
  assert_int_equal(json_array_size(json_object_get(one, "hardware")), 2);
  assert_int_equal(number(one, "devices"), 0);
  assert_true(json_is_null(json_object_get(one, "latest")));
  assert_true(json_is_null(json_object_get(one, "keyset")));
  assert_true(json_is_null(json_object_get(one, "takeover")));
  json_decref(one);
  world_expect(&world, GET("/products/nothing"), 404, "no product");
  world_expect(&world, GET("/products"), 200, "thermostat");
}

static void devices_enrol_and_are_shown(void **state)
{
  (void)state;
  world_expect(&world,
               POST("/enrol-tokens", .body = "{\"device\":\"sn-1\",\"product\":\"nothing\",\"expires_in_s\":600}"), 404,
               "no product");
  world_device(&world, "sn-1", "1.0.0");
  world_device(&world, "sn-2", "1.0.0");
  world_device(&world, "sn-3", "1.0.0");
  json_t *page = world_json(&world, GET("/devices"), 200);
  assert_int_equal(number(page, "total"), 3);
  assert_string_equal(text(item(page, 0), "id"), "sn-1");
  assert_string_equal(text(item(page, 0), "version"), "1.0.0");
  json_decref(page);
  json_t *one = world_json(&world, GET("/devices/sn-2"), 200);
  json_t *certificate = json_object_get(one, "certificate");
  assert_int_equal(strlen(text(certificate, "fingerprint")), 64);
  assert_true(strlen(text(certificate, "serial")) > 0);
  assert_string_equal(text(certificate, "issuer"), "device-ca");
  assert_string_equal(text(json_object_get(one, "key_storage"), "kind"), "file");
  assert_true(json_is_true(json_object_get(json_object_get(one, "key_storage"), "plain")));
  assert_string_equal(text(json_array_get(json_object_get(one, "components"), 0), "name"), "main");
  assert_string_equal(text(json_array_get(json_object_get(one, "attributes"), 0), "value"), "lab-1");
  assert_string_equal(text(json_array_get(json_object_get(one, "attributes"), 0), "by"), "device");
  assert_string_equal(text(one, "reset_reason"), "power");
  json_decref(one);
  world_expect(&world, GET("/devices/sn-9"), 404, "no device");
  json_t *timeline = world_json(&world, GET("/devices/sn-2/timeline"), 200);
  assert_int_equal(number(timeline, "total"), 1);
  assert_string_equal(text(item(timeline, 0), "words"), "started, reason: power");
  json_decref(timeline);
  world_expect(&world, GET("/devices/sn-9/timeline"), 404, "no device");
}

static void list_of(const char *path, const char *ids)
{
  char got[256] = "";
  json_t *page = world_json(&world, GET(path), 200);
  size_t index;
  json_t *one;
  json_array_foreach(json_object_get(page, "items"), index, one)
  {
    size_t len = strlen(got);
    (void)snprintf(got + len, sizeof got - len, "%s%s", index == 0 ? "" : " ", text(one, "id"));
  }
  if (strcmp(got, ids) != 0) {
    fail_msg("%s gave \"%s\", not \"%s\"", path, got, ids);
  }
  assert_int_equal(number(page, "total"), index);
  json_decref(page);
}

static void every_filter_narrows_the_list(void **state)
{
  (void)state;
  world_checkin(&world, "sn-2", "1.1.0", 6, 202);
  list_of("/devices", "sn-1 sn-2 sn-3");
  list_of("/devices?version=1.1", "sn-2");
  list_of("/devices?version=1.0.0", "sn-1 sn-3");
  list_of("/devices?state=reverted", "sn-2");
  list_of("/devices?state=idle&product=thermostat", "sn-1 sn-3");
  list_of("/devices?product=nothing", "");
  list_of("/devices?hardware=thermo-a&q=n-3", "sn-3");
  list_of("/devices?hardware=thermo-b", "");
  list_of("/devices?blocked=true", "");
  list_of("/devices?blocked=false", "sn-1 sn-2 sn-3");
  list_of("/devices?group=room%20~%20%22lab*%22%20and%20version%20%3C%201.1", "sn-1 sn-3");
  list_of("/devices?group=room+%3D+nowhere", "");
  world_expect(&world, GET("/devices?group=room+~+%28"), 400, "?group");
  world_expect(&world, GET("/devices?version=1.x"), 400, "?version");
  world_expect(&world, GET("/devices?state=happy"), 400, "reverted");
  world_expect(&world, GET("/devices?colour=red"), 400, "hardware blocked");
  json_t *page = world_json(&world, GET("/devices?state=reverted"), 200);
  assert_string_equal(text(json_object_get(item(page, 0), "rule"), "name"), "BOOT_NOT_CONFIRMED");
  json_decref(page);
  world_checkin(&world, "sn-2", "1.0.0", 0, 0);
}

static void pages_are_stable_when_devices_join(void **state)
{
  (void)state;
  char path[512];
  json_t *page = world_json(&world, GET("/devices?limit=2"), 200);
  assert_int_equal(number(page, "total"), 3);
  assert_int_equal(json_array_size(json_object_get(page, "items")), 2);
  (void)snprintf(path, sizeof path, "/devices?limit=2&after=%s", text(page, "next"));
  json_decref(page);
  world_device(&world, "sn-0", "1.0.0"); /* before the cursor */
  world_device(&world, "sn-4", "1.0.0"); /* after it */
  page = world_json(&world, GET(path), 200);
  assert_string_equal(text(item(page, 0), "id"), "sn-3");
  assert_string_equal(text(item(page, 1), "id"), "sn-4");
  assert_true(json_is_null(json_object_get(page, "next")));
  json_decref(page);
  const char *cursor = strstr(path, "after=") + 6;
  char other[512];
  (void)snprintf(other, sizeof other, "/audit?after=%s", cursor);
  world_expect(&world, GET(other), 400, "cursor");
  world_expect(&world, GET("/devices?after=00"), 400, "cursor");
  world_expect(&world, GET("/devices?limit=0"), 400, "?limit");
  world_expect(&world, GET("/devices?limit=501"), 400, "at most 500");
  world_expect(&world, GET("/devices?limit=two"), 400, "?limit");
}

static void attributes_are_set_by_operators_and_win(void **state)
{
  (void)state;
  json_t *one =
      world_json(&world, PATCH("/devices/sn-1/attributes", .body = "{\"room\":\"hall\",\"floor\":\"2\"}"), 200);
  assert_int_equal(json_array_size(json_object_get(one, "attributes")), 2);
  json_decref(one);
  world_checkin(&world, "sn-1", "1.0.0", 0, 0); /* the device says lab-1 again */
  list_of("/devices?group=room+%3D+hall", "sn-1");
  one = world_json(&world, PATCH("/devices/sn-1/attributes", .body = "{\"floor\":null,\"never\":null}"), 200);
  assert_int_equal(json_array_size(json_object_get(one, "attributes")), 1);
  assert_string_equal(text(json_array_get(json_object_get(one, "attributes"), 0), "by"), "operator");
  json_decref(one);
  world_expect(&world, PATCH("/devices/sn-1/attributes", .body = "{\"Floor\":\"2\"}"), 400, "/Floor");
  world_expect(&world, PATCH("/devices/sn-1/attributes", .body = "{\"floor\":2}"), 400, "/floor");
  world_expect(&world, PATCH("/devices/sn-1/attributes", .body = "{\"good\":\"x\",\"product\":\"x\"}"), 400,
               "/product");
  list_of("/devices?group=good+%3D+x", ""); /* all or nothing */
  world_expect(&world, PATCH("/devices/sn-9/attributes", .body = "{\"floor\":\"2\"}"), 404, "no device");
}

static void devices_are_blocked_and_let_in_again(void **state)
{
  (void)state;
  json_t *one = world_json(&world, POST("/devices/sn-3/block", .body = "{\"reason\":\"stolen\"}"), 200);
  assert_true(json_is_true(json_object_get(one, "blocked")));
  assert_string_equal(text(one, "blocked_reason"), "stolen");
  json_decref(one);
  assert_audited("device.block", "sn-3");
  list_of("/devices?blocked=true", "sn-3");
  world_expect(&world, POST("/devices/sn-3/block", .body = "{\"reason\":\"again\"}"), 200, NULL);
  one = world_json(&world, POST("/devices/sn-3/unblock", .body = "{\"reason\":\"found\"}"), 200);
  assert_true(json_is_false(json_object_get(one, "blocked")));
  json_decref(one);
  world_expect(&world, POST("/devices/sn-9/block", .body = "{\"reason\":\"x\"}"), 404, NULL);
  world_expect(&world, POST("/devices/sn-9/unblock", .body = "{\"reason\":\"x\"}"), 404, NULL);
  world_expect(&world, POST("/devices/sn-3/block", .body = "{}"), 400, "/reason");
}

/* Keys of secondaries: their own signature is asked for from then on (docs/spec/report.md). */
static void keys_of_parts_are_registered_and_taken_out(void **state)
{
  (void)state;
  static const char body[] =
      "{\"key\":\"-----BEGIN PUBLIC KEY-----\\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg"
      "9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\\n-----END PUBLIC KEY-----\\n\"}";
  json_decref(world_json(&world, PUT("/devices/sn-3/parts/radio", .body = body), 200));
  assert_audited("device.part", "sn-3");
  world_expect(&world, PUT("/devices/sn-9/parts/radio", .body = body), 404, NULL);
  world_expect(&world,
               PUT("/devices/sn-3/parts/radio", .body = "{\"key\":"
                                                        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"),
               400, "/key");
  world_expect(&world, DELETE("/devices/sn-3/parts/radio"), 204, NULL);
  world_expect(&world, DELETE("/devices/sn-3/parts/radio"), 404, NULL);
  world_expect(&world, DELETE("/devices/sn-9/parts/radio"), 404, NULL);
}

static void groups_are_named_queries(void **state)
{
  (void)state;
  json_t *made =
      world_json(&world, POST("/groups", .body = "{\"name\":\"lab\",\"query\":\"room ~ \\\"lab*\\\"\"}"), 201);
  assert_int_equal(number(made, "members"), 4);
  json_decref(made);
  assert_audited("group.new", "lab");
  world_expect(&world, POST("/groups", .body = "{\"name\":\"lab\",\"query\":\"room = x\"}"), 409, "already");
  world_expect(&world, POST("/groups", .body = "{\"name\":\"bad\",\"query\":\"room = \"}"), 400, "/query");
  list_of("/devices?group=lab", "sn-0 sn-2 sn-3 sn-4");
  world_expect(&world, GET("/groups/lab"), 200, "lab*");
  world_expect(&world, GET("/groups/none"), 404, "no group");
  world_expect(&world, GET("/groups"), 200, "lab*");
  world_expect(&world, POST("/groups", .body = "{\"name\":\"spare\",\"query\":\"blocked = true\"}"), 201, NULL);
  world_expect(&world, DELETE("/groups/spare"), 204, NULL);
  world_expect(&world, DELETE("/groups/spare"), 404, "no group");
}

static void releases_are_uploaded_and_published(void **state)
{
  (void)state;
  world_release(&world, "1.1.0");
  assert_audited("release.publish", "thermostat/1.1.0");
  json_t *one = world_json(&world, GET("/releases/thermostat/1.1.0"), 200);
  json_t *target = json_array_get(json_object_get(one, "targets"), 0);
  assert_string_equal(text(target, "path"), "thermostat/1.1.0/main.img");
  assert_string_equal(json_string_value(json_array_get(json_object_get(target, "hardware"), 0)), "thermo-a");
  assert_true(json_is_null(json_object_get(one, "sbom")));
  json_decref(one);
  world_expect(&world, GET("/releases/thermostat/1.1"), 200, "1.1.0");
  world_expect(&world, GET("/releases/thermostat/9.9.9"), 404, "no such release");
  world_release(&world, "1.2.0");
  json_t *page = world_json(&world, GET("/releases?product=thermostat&limit=1"), 200);
  assert_string_equal(text(item(page, 0), "version"), "1.2.0");
  assert_int_equal(number(page, "total"), 2);
  char path[400];
  (void)snprintf(path, sizeof path, "/releases?product=thermostat&after=%s", text(page, "next"));
  json_decref(page);
  page = world_json(&world, GET(path), 200);
  assert_string_equal(text(item(page, 0), "version"), "1.1.0");
  json_decref(page);
  world_expect(&world, GET("/products/thermostat"), 200, "\"latest\": \"1.2.0\"");
}

/* A POST /releases whose body is made of these. */
static void publish(const char *product, const char *version, const char *targets, int status, const char *what)
{
  json_t *body = json_pack("{s:s, s:s, s:s}", "product", product, "version", version, "targets", targets);
  char *whole = json_dumps(body, 0);
  world_expect(&world, POST("/releases", .body = whole), status, what);
  free(whole);
  json_decref(body);
}

static void releases_that_do_not_hold_are_refused_in_words(void **state)
{
  (void)state;
  uint8_t sha256[32];
  uint8_t digest[32];
  uint64_t len;
  char wrong[100];
  world_image(&world, "1.3.0", sha256, &len, digest);
  (void)snprintf(wrong, sizeof wrong, "/uploads/%064d", 7);
  struct ask put = {.method = HF_PUT, .path = wrong, .upload = "up", .upload_len = len};
  memcpy(put.upload_sha256, sha256, 32);
  world_expect(&world, &put, 422, "SHA-256");
  char *targets = world_targets(&world, "1.3.0", sha256, len, digest);
  publish("thermostat", "1.3.0", targets, 404, "RELEASE_UPLOAD");
  publish("nothing", "1.3.0", targets, 404, "RELEASE_PRODUCT");
  publish("thermostat", "1.1.0", targets, 409, "RELEASE_EXISTS");
  publish("thermostat", "1.4.0", targets, 422, "RELEASE_TARGET");
  struct hf_buf hex = hf_buf_init(wrong + 9, 65);
  hf_hex_put(&hex, hf_bytes_init(sha256, 32));
  assert_int_equal(hf_buf_terminate(&hex), HF_OK);
  world_expect(&world, &put, 201, NULL);
  char *expires = NULL;
  for (char *at = strstr(targets, "\"expires\":\""); at != NULL; at = strstr(at + 1, "\"expires\":\"")) {
    expires = at;
  }
  assert_non_null(expires);
  expires[14] ^= 1; /* another year, under the signature */
  publish("thermostat", "1.3.0", targets, 422, "TUF_UNSIGNED");
  publish("thermostat", "1.3.0", "{}", 422, "TUF_SHAPE");
  publish("thermostat", "1.3.0", "not json", 422, "JSON_");
  free(targets);
  world_expect(&world, GET("/releases"), 200, "\"total\": 2");
}

static void rollouts_start_pause_resume_and_end(void **state)
{
  (void)state;
  const char *body =
      "{\"product\":\"thermostat\",\"version\":\"1.1.0\",\"waves\":[{\"group\":\"lab\"},{\"percent\":100}],"
      "\"max_failures\":1}";
  world_expect(
      &world,
      POST("/rollouts", .body = "{\"product\":\"thermostat\",\"version\":\"7.0.0\",\"waves\":[{\"percent\":100}]}"),
      404, "release");
  json_t *made = world_json(&world, POST("/rollouts", .body = body), 201);
  char path[64];
  char verb[80];
  (void)snprintf(path, sizeof path, "/rollouts/%s", text(made, "id"));
  assert_string_equal(text(made, "state"), "running");
  assert_int_equal(number(made, "waves"), 2);
  assert_int_equal(number(made, "success_percent"), 90);
  assert_int_equal(number(made, "devices"), 5);
  assert_audited("rollout.start", text(made, "id"));
  json_decref(made);
  world_expect(&world, POST("/rollouts", .body = body), 409, "another rollout");
  world_expect(&world, DELETE("/groups/lab"), 409, "rollout");
  (void)snprintf(verb, sizeof verb, "%s/resume", path);
  world_expect(&world, POST(verb, .body = "{\"reason\":\"x\"}"), 409, NULL);
  (void)snprintf(verb, sizeof verb, "%s/pause", path);
  world_expect(&world, POST(verb, .body = "{\"reason\":\"lunch\"}"), 200, "lunch");
  world_expect(&world, POST(verb, .body = "{\"reason\":\"lunch\"}"), 409, NULL);
  (void)snprintf(verb, sizeof verb, "%s/resume", path);
  json_t *one = world_json(&world, POST(verb, .body = "{\"reason\":\"back\"}"), 200);
  assert_string_equal(text(one, "state"), "running");
  assert_int_equal(json_array_size(json_object_get(one, "history")), 3);
  json_t *wave = json_array_get(json_object_get(one, "wave_list"), 0);
  assert_string_equal(text(wave, "group"), "lab");
  assert_string_equal(text(wave, "state"), "running");
  assert_int_equal(number(wave, "devices"), 4);
  json_decref(one);
  world_expect(&world, GET("/overview"), 200, "\"state\": \"running\"");
  (void)snprintf(verb, sizeof verb, "%s/abort", path);
  world_expect(&world, POST(verb, .body = "{\"reason\":\"enough\"}"), 200, "enough");
  world_expect(&world, POST(verb, .body = "{\"reason\":\"enough\"}"), 409, NULL);
  world_expect(&world, GET(path), 200, "aborted");
  world_expect(&world, GET("/rollouts"), 200, "aborted");
  world_expect(&world, GET("/rollouts/999"), 404, "no rollout");
  static const char *const verbs[] = {"/rollouts/999/pause", "/rollouts/999/resume", "/rollouts/999/abort"};
  for (size_t i = 0; i < 3; i++) {
    world_expect(&world, POST(verbs[i], .body = "{\"reason\":\"x\"}"), 404, "no rollout");
  }
}

static void rollouts_that_make_no_sense_are_refused(void **state)
{
  (void)state;
  static const struct {
    const char *body;
    const char *where;
  } rows[] = {
      {"{\"product\":\"thermostat\",\"version\":\"1.1.0\",\"waves\":[]}", "/waves"},
      {"{\"product\":\"thermostat\",\"version\":\"1.1.0\",\"waves\":[{}]}", "/waves/0"},
      {"{\"product\":\"thermostat\",\"version\":\"1.1.0\",\"waves\":[{\"percent\":5,\"group\":\"lab\"}]}",
       "percent or group"},
      {"{\"product\":\"thermostat\",\"version\":\"1.1.0\",\"waves\":[{\"percent\":101}]}", "/waves/0/percent"},
      {"{\"product\":\"thermostat\",\"version\":\"1.1.0\",\"waves\":[{\"percent\":100}],\"deadline\":\"2020-01-01T00:"
       "00:00Z\"}",
       "/deadline"},
      {"{\"product\":\"thermostat\",\"version\":\"1.1.0\",\"waves\":[{\"percent\":100}],\"deadline\":\"2027-02-30T00:"
       "00:00Z\"}",
       "/deadline"},
      {"{\"product\":\"thermostat\",\"version\":\"one\",\"waves\":[{\"percent\":100}]}", "/version"},
      {"{\"product\":\"thermostat\",\"version\":\"1.1.0\",\"waves\":[{\"percent\":50},{\"percent\":25}]}", NULL},
      {"{\"product\":\"thermostat\",\"version\":\"1.1.0\",\"waves\":[{\"percent\":50}]}", NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    world_expect(&world, POST("/rollouts", .body = rows[i].body), 400, rows[i].where);
  }
}

static void settings_change_member_by_member(void **state)
{
  (void)state;
  json_t *before = world_json(&world, GET("/settings"), 200);
  json_t *after = world_json(
      &world, PUT("/settings", .body = "{\"checkin_interval_s\":900,\"webhook\":\"https://example.org/h\"}"), 200);
  assert_int_equal(number(after, "checkin_interval_s"), 900);
  assert_string_equal(text(after, "webhook"), "https://example.org/h");
  assert_int_equal(number(after, "certificate_life_s"), number(before, "certificate_life_s"));
  json_decref(before);
  json_decref(after);
  assert_audited("settings.put", "settings");
  world_expect(&world, PUT("/settings", .body = "{\"webhook\":null}"), 200, "\"webhook\": null");
  world_expect(&world, PUT("/settings", .body = "{\"webhook\":\"ftp://x\"}"), 400, "/webhook");
  world_expect(&world, PUT("/settings", .body = "{}"), 400, NULL);
}

static void changes_are_told_by_kind(void **state)
{
  (void)state;
  char path[64];
  json_t *now = world_json(&world, GET("/events"), 200);
  int64_t change = number(now, "change");
  json_decref(now);
  (void)snprintf(path, sizeof path, "/events?since=%lld", (long long)change);
  json_t *same = world_json(&world, GET(path), 200);
  assert_true(json_is_false(json_object_get(same, "changed")));
  assert_int_equal(json_array_size(json_object_get(same, "kinds")), 0);
  json_decref(same);
  world_expect(&world, PATCH("/devices/sn-1/attributes", .body = "{\"floor\":\"3\"}"), 200, NULL);
  json_t *changed = world_json(&world, GET(path), 200);
  assert_true(number(changed, "change") > change);
  assert_true(json_is_true(json_object_get(changed, "changed")));
  char *kinds = json_dumps(json_object_get(changed, "kinds"), 0);
  assert_non_null(strstr(kinds, "device"));
  assert_null(strstr(kinds, "rollout"));
  free(kinds);
  json_decref(changed);
}

static void key_sets_are_published_by_their_owners_only(void **state)
{
  (void)state;
  char body[1400];
  world_expect(&world, GET("/products/thermostat/keyset"), 404, "no key set");
  world_expect(&world, PUT("/products/thermostat/keyset", .body = "{\"file\":\"!\"}"), 400, "base64");
  world_expect(&world, PUT("/products/thermostat/keyset", .body = "{\"file\":\"SEZLUw==\"}"), 422, "cut");
  (void)snprintf(body, sizeof body, "{\"file\":\"%s\"}", world_keyset(&world, 2, 1));
  world_expect(&world, PUT("/products/nosuch/keyset", .body = body), 404, "no product");
  json_t *set = world_json(&world, PUT("/products/thermostat/keyset", .body = body), 200);
  assert_int_equal(number(set, "version"), 2);
  assert_true(json_is_true(json_object_get(json_array_get(json_object_get(set, "keys"), 0), "revoked")));
  assert_int_equal(number(set, "devices"), 0);
  json_decref(set);
  world_expect(&world, PUT("/products/thermostat/keyset", .body = body), 409, "higher");
  world_expect(&world, GET("/products/thermostat"), 200, "\"keyset\": 2");
  set = world_json(&world, GET("/products/thermostat/keyset"), 200);
  assert_int_equal(number(set, "without"), 5); /* the devices of this test say nothing of key sets */
  json_decref(set);
  assert_audited("keyset.publish", "thermostat");
}

/* An upload that lies in the spool, then its import: status. */
static void import_file(const char *path, const char *late, int status, const char *what)
{
  struct hf_blob file;
  char name[80];
  char spool[160];
  char body[160];
  uint8_t hex_room[65] = {0};
  struct hf_buf hex = hf_buf_init(hex_room, 64);
  struct ask put = {.method = HF_PUT, .path = name, .upload = "up"};
  assert_int_equal(hf_disk_get(&file, path, 1 << 20), HF_OK);
  hf_sha256(put.upload_sha256, hf_blob_bytes(&file));
  put.upload_len = file.len;
  hf_hex_put(&hex, hf_bytes_init(put.upload_sha256, 32));
  (void)snprintf(name, sizeof name, "/uploads/%s", (const char *)hex_room);
  (void)snprintf(spool, sizeof spool, "%s/server/spool/up", world.dir);
  assert_int_equal(hf_disk_put(spool, hf_blob_bytes(&file), 0600), HF_OK);
  hf_blob_free(&file);
  world_expect(&world, &put, 201, NULL);
  (void)snprintf(body, sizeof body, "{\"sha256\":\"%s\",\"late\":%s}", (const char *)hex_room, late);
  world_expect(&world, POST("/factory/imports", .body = body), status, what);
}

static void what_a_factory_made_is_imported_once_and_compared(void **state)
{
  (void)state;
  struct factoryrig rig;
  factoryrig_open(&rig, world.dir, world.now);
  factoryrig_make(&rig, 3);
  world_expect(&world, POST("/factory/imports", .body = "{\"sha256\":\"" ZEROS "\"}"), 404, "no such upload");
  import_file(rig.order_path, "false", 201, rig.id);
  factoryrig_copy(&rig, "open.hfb");
  import_file(rig.copy, "false", 422, "not closed");
  factoryrig_close(&rig);
  import_file(rig.record, "false", 201, "\"passed\": 3");
  import_file(rig.record, "false", 201, "\"passed\": 3"); /* the same again changes nothing */
  assert_audited("factory.import", rig.id);
  char path[128];
  (void)snprintf(path, sizeof path, "/factory/devices?order=%s&unseen=true&q=F-", rig.id);
  world_expect(&world, GET(path), 200, "\"total\": 3");
  world_expect(&world, GET("/factory/orders?product=thermostat"), 200, rig.id);
  world_expect(&world, GET("/overview"), 200, "\"never_seen\": 3");
  world_expect(&world, GET("/factory/orders/hfo-0"), 404, "no factory order");
  (void)snprintf(path, sizeof path, "/factory/orders/%s", rig.id);
  world_expect(&world, GET(path), 200, "Line 3");
  factoryrig_forge(&rig); /* a second, different record that the station signed */
  import_file(rig.copy, "true", 409, "another batch record");
  json_t *alarms = world_json(&world, GET("/alarms?open=true"), 200);
  assert_string_equal(text(item(alarms, 0), "kind"), "second-record");
  assert_string_equal(text(item(alarms, 0), "about"), "order");
  (void)snprintf(path, sizeof path, "/alarms/%lld/close", (long long)number(item(alarms, 0), "number"));
  json_decref(alarms);
  world_expect(&world, POST(path, .body = "{\"reason\":\"the station was set back by its owner\"}"), 200, "set back");
  world_expect(&world, POST(path, .body = "{\"reason\":\"again\"}"), 404, "no open alarm");
  world_expect(&world, GET("/alarms?open=true"), 200, "\"total\": 0");
  (void)snprintf(path, sizeof path, "/factory/orders/%s/revoke", rig.id);
  world_expect(&world, POST(path, .body = "{\"reason\":\"stolen\"}"), 200, "stolen");
  world_expect(&world, POST(path, .body = "{\"reason\":\"stolen\"}"), 409, "revoked already");
  world_expect(&world, POST("/factory/orders/hfo-0/revoke", .body = "{\"reason\":\"x\"}"), 404, NULL);
  factoryrig_free(&rig);
}

static void takeover_orders_are_handed_out_when_the_root_signed_them(void **state)
{
  (void)state;
  world_expect(&world, GET("/products/thermostat/takeover"), 404, "no takeover order");
  world_expect(&world, DELETE("/products/thermostat/takeover"), 404, "told of no takeover order");
  char *stolen = world_takeover(&world, 1, world.targets);
  world_expect(&world, PUT("/products/thermostat/takeover", .body = stolen), 422, "enough");
  free(stolen);
  char *body = world_takeover(&world, 1, world.root);
  world_expect(&world, PUT("/products/nosuch/takeover", .body = body), 404, "no product");
  world_expect(&world, PUT("/products/thermostat/takeover", .body = body), 200, "new.example");
  world_expect(&world, PUT("/products/thermostat/takeover", .body = body), 409, "higher");
  free(body);
  world_expect(&world, GET("/products/thermostat/takeover"), 200, "new.example");
  assert_audited("takeover.publish", "thermostat");
  world_expect(&world, DELETE("/products/thermostat/takeover"), 204, NULL);
  json_t *order = world_json(&world, GET("/products/thermostat/takeover"), 200);
  assert_false(json_is_null(json_object_get(order, "withdrawn")));
  json_decref(order);
}

static void the_overview_counts_what_the_lists_show(void **state)
{
  (void)state;
  json_t *overview = world_json(&world, GET("/overview"), 200);
  assert_int_equal(number(overview, "devices"), 5);
  assert_int_equal(number(overview, "plain_keys"), 5);
  assert_int_equal(number(json_object_get(overview, "states"), "idle"), 5);
  json_t *version = json_array_get(json_object_get(overview, "versions"), 0);
  assert_string_equal(text(version, "version"), "1.0.0");
  assert_int_equal(number(version, "devices"), 5);
  json_t *targets = json_array_get(json_object_get(overview, "metadata"), 1);
  uint8_t year_room[HF_TIME_TEXT_LEN];
  struct hf_buf year = hf_buf_init(year_room, sizeof year_room);
  hf_time_put(&year, world.now + 365 * 86400); /* as world_targets signs */
  assert_string_equal(text(targets, "role"), "targets");
  assert_int_equal(number(targets, "version"), world.targets_version);
  assert_memory_equal(text(targets, "expires"), year_room, 10);
  json_decref(overview);
}

static void unchanged_replies_cost_no_line(void **state)
{
  (void)state;
  struct told first = world_ask(&world, GET("/devices"));
  assert_int_equal(strlen(first.reply.etag), 34);
  struct told second = world_ask(&world, GET("/devices", .if_none = first.reply.etag));
  assert_int_equal(second.status, 304);
  assert_null(second.json);
  world_expect(&world, PATCH("/devices/sn-1/attributes", .body = "{\"floor\":\"4\"}"), 200, NULL);
  struct told third = world_ask(&world, GET("/devices/sn-1", .if_none = first.reply.etag));
  assert_int_equal(third.status, 200);
  told_free(&first);
  told_free(&third);
}

static void post_text(const char *path, char *body, int status, const char *what)
{
  world_expect(&world, POST(path, .body = body), status, what);
  free(body);
}

static void roots_are_published_one_after_the_other(void **state)
{
  (void)state;
  world_expect(&world, GET("/roots/image/1"), 200, "_type");
  world_expect(&world, GET("/roots/image/2"), 404, NULL);
  world_expect(&world, GET("/roots/other/1"), 404, NULL);
  post_text("/roots", world_root(&world, 3), 409, "plus one");
  char *forged = world_root(&world, 2);
  char *at = strstr(forged, "2036-");
  assert_non_null(at);
  at[3] = '7'; /* a longer life, which nobody signed */
  post_text("/roots", forged, 422, "");
  post_text("/roots", world_root(&world, 2), 201, NULL);
  post_text("/roots", world_root(&world, 2), 409, "plus one"); /* the same again: an old draft */
  world_expect(&world, GET("/roots/image/2"), 200, NULL);
  world_expect(&world, GET("/keys"), 200, "director");
}

static void targets_files_are_renewed_without_a_release(void **state)
{
  (void)state;
  post_text("/targets", world_renewal(&world, world.targets_version), 409, NULL);
  world_expect(&world, POST("/targets", .body = "{\"files\":[{\"name\":\"targets\",\"text\":\"{}\"}]}"), 422, NULL);
  world_expect(&world, POST("/targets", .body = "{\"files\":[{\"name\":\"root\",\"text\":\"{}\"}]}"), 422, "name");
  post_text("/targets", world_renewal(&world, world.targets_version + 1), 201, NULL);
  world.targets_version++;
}

static void what_was_done_is_there_after_a_restart(void **state)
{
  (void)state;
  world_reopen(&world);
  world_expect(&world, GET("/products/thermostat"), 200, "thermo-b");
  world_expect(&world, GET("/devices/sn-1"), 200, "hall");
  world_expect(&world, GET("/rollouts"), 200, "aborted");
  world_expect(&world, GET("/audit?limit=500"), 200, "release.publish");
}

static void certificates_are_rotated_revoked_and_counted(void **state)
{
  (void)state;
  world_expect(&world, POST("/devices/sn-3/rotate-key", .body = "{\"within_s\":60,\"reason\":\"drill\"}"), 200,
               "rotate_by");
  world_expect(&world, POST("/devices/sn-9/rotate-key", .body = "{}"), 404, "no device");
  world_expect(&world, POST("/groups/lab/rotate-key", .body = "{}"), 200, "until");
  world_expect(&world, POST("/groups/none/rotate-key", .body = "{}"), 404, "no group");
  world_expect(&world, GET("/identity/devices?kind=rotating"), 200, "sn-3");
  world_expect(&world, POST("/devices/sn-3/revoke", .body = "{\"kind\":\"certificateHold\"}"), 400, "/kind");
  json_t *one = world_json(
      &world, POST("/devices/sn-3/revoke", .body = "{\"kind\":\"keyCompromise\",\"reason\":\"stolen\"}"), 200);
  assert_string_equal(text(json_object_get(one, "identity"), "state"), "revoked");
  json_decref(one);
  assert_audited("device.revoke", "sn-3");
  world_expect(&world, POST("/devices/sn-3/revoke", .body = "{\"kind\":\"superseded\"}"), 409, "no certificate");
  world_expect(&world, POST("/devices/sn-3/rotate-key", .body = "{}"), 409, "no certificate");
  world_expect(&world, POST("/devices/sn-9/revoke", .body = "{\"kind\":\"superseded\"}"), 404, "no device");
  json_t *report = world_json(&world, GET("/identity"), 200);
  assert_int_equal(json_integer_value(json_object_get(report, "revoked")), 1);
  assert_int_equal(json_integer_value(json_object_get(report, "devices")),
                   json_integer_value(json_object_get(report, "certified")) + 1);
  json_decref(report);
  static const char *const kinds[] = {"expiring-30", "expiring-90", "expired", "grace",         "beyond-grace",
                                      "weak",        "shared",      "revoked", "rotation-late", "never-used",
                                      "old-ca",      "old-anchor",  "rotating"};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    char path[64];
    (void)snprintf(path, sizeof path, "/identity/devices?kind=%s&limit=2", kinds[i]);
    world_expect(&world, GET(path), 200, NULL);
  }
  world_expect(&world, GET("/identity/devices?kind=lost"), 400, "?kind");
}

static void no_route_and_no_documented_refusal_is_untested(void **state)
{
  (void)state;
  for (size_t i = 0; i < HF_ROUTE_COUNT; i++) {
    const struct hf_route *route = &hf_routes[i];
    if (!world.succeeded[i]) {
      fail_msg("no test asks for %s", route->name);
    }
    for (const char *at = route->refusals; *at != 0; at += strspn(at, " ")) {
      long status = strtol(at, NULL, 10);
      if (!world.refused[i][status]) {
        fail_msg("no test makes %s answer %ld", route->name, status);
      }
      at += strcspn(at, " ");
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(health_and_document_are_open_to_anybody),
      cmocka_unit_test(people_sign_in_and_out),
      cmocka_unit_test(people_change_their_password),
      cmocka_unit_test(tokens_are_made_listed_used_and_revoked),
      cmocka_unit_test(products_are_added_once),
      cmocka_unit_test(devices_enrol_and_are_shown),
      cmocka_unit_test(every_filter_narrows_the_list),
      cmocka_unit_test(pages_are_stable_when_devices_join),
      cmocka_unit_test(attributes_are_set_by_operators_and_win),
      cmocka_unit_test(devices_are_blocked_and_let_in_again),
      cmocka_unit_test(keys_of_parts_are_registered_and_taken_out),
      cmocka_unit_test(groups_are_named_queries),
      cmocka_unit_test(releases_are_uploaded_and_published),
      cmocka_unit_test(releases_that_do_not_hold_are_refused_in_words),
      cmocka_unit_test(rollouts_start_pause_resume_and_end),
      cmocka_unit_test(rollouts_that_make_no_sense_are_refused),
      cmocka_unit_test(settings_change_member_by_member),
      cmocka_unit_test(changes_are_told_by_kind),
      cmocka_unit_test(what_a_factory_made_is_imported_once_and_compared),
      cmocka_unit_test(key_sets_are_published_by_their_owners_only),
      cmocka_unit_test(takeover_orders_are_handed_out_when_the_root_signed_them),
      cmocka_unit_test(the_overview_counts_what_the_lists_show),
      cmocka_unit_test(unchanged_replies_cost_no_line),
      cmocka_unit_test(roots_are_published_one_after_the_other),
      cmocka_unit_test(targets_files_are_renewed_without_a_release),
      cmocka_unit_test(what_was_done_is_there_after_a_restart),
      cmocka_unit_test(certificates_are_rotated_revoked_and_counted),
      cmocka_unit_test(no_route_and_no_documented_refusal_is_untested),
  };
  return cmocka_run_group_tests(tests, open_world, close_world);
}
