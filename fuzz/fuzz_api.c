/* SPDX-License-Identifier: Apache-2.0
 * links: hf_server
 *
 * The REST API: method, path, query, body and credentials from outside, against a real engine over a real database
 * whose changes are undone after each input. Whatever comes, the answer is JSON with a status of HTTP, and refusals are
 * problem documents.
 *
 * Input: one byte (method, who asks, JSON or an upload), then path, query and body, each ended by a line feed but the
 * last. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "hf/server/auth.h"
#include "hf/server/core.h"
#include "hf/server/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1795000000)
#define MUST(cond) ((cond) ? (void)0 : abort())

static char dir[64];
static struct hf_engine *engine;
static uint8_t token_room[64];
static uint8_t session_room[64];
static uint8_t csrf_room[64];
static struct hf_buf token;
static struct hf_buf session;
static struct hf_buf csrf;

static void drop(void)
{
  char command[128];
  hf_engine_close(engine);
  (void)snprintf(command, sizeof command, "rm -rf %s", dir);
  MUST(system(command) == 0);
}

static void folder(const char *name)
{
  char path[96];
  (void)snprintf(path, sizeof path, "%s/%s", dir, name);
  MUST(mkdir(path, 0700) == 0);
}

static void seed(void)
{
  struct hf_act act = {.who = HF_LIT("operator:anna"), .now = NOW};
  struct hf_product product = {.name = HF_LIT("thermostat"), .title = HF_LIT("T"), .hardware = HF_LIT("thermo-a")};
  struct hf_token_new all = {.name = HF_LIT("t"), .by = HF_LIT("x"), .scopes = HF_SCOPE_ALL, .expires = NOW + 1000000};
  int64_t id;
  MUST(hf_engine_begin(engine) == HF_OK);
  MUST(hf_product_new(engine, &act, &product, NULL) == HF_OK);
  MUST(hf_group_new(engine, &act, HF_LIT("lab"), HF_LIT("room ~ \"lab*\""), NULL) == HF_OK);
  MUST(hf_db_run(engine->db, "INSERT INTO operator (name, password, scopes, created) VALUES ('anna', 'x', 15, 0)") ==
       HF_OK);
  MUST(hf_db_run(engine->db, "INSERT INTO device (id, product, hardware, version, created, last_seen)"
                             " VALUES ('sn-1', 'thermostat', 'thermo-a', '1.0.0', 1, 1795000000)") == HF_OK);
  MUST(hf_token_put(engine->db, &token, &id, &all, NOW) == HF_OK);
  MUST(hf_session_new(engine->db, &session, HF_LIT("anna"), HF_LIT("192.0.2.1"), NOW) == HF_OK);
  hf_csrf_put(&csrf, hf_buf_bytes(&session));
  MUST(hf_engine_commit(engine) == HF_OK);
}

static void open_once(void)
{
  static char server[80];
  if (engine != NULL) {
    return;
  }
  token = hf_buf_init(token_room, sizeof token_room);
  session = hf_buf_init(session_room, sizeof session_room);
  csrf = hf_buf_init(csrf_room, sizeof csrf_room);
  (void)snprintf(dir, sizeof dir, "/tmp/hf-fuzz-api-XXXXXX");
  MUST(mkdtemp(dir) != NULL);
  folder("server");
  folder("server/db");
  folder("server/spool");
  (void)snprintf(server, sizeof server, "%s/server", dir);
  struct hf_engine_config config = {.server_dir = server};
  MUST(hf_engine_open(&engine, &config, NOW) == HF_OK);
  seed();
  MUST(atexit(drop) == 0);
}

static struct hf_bytes line(struct hf_bytes *rest)
{
  const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->at, '\n', rest->len);
  struct hf_bytes part = {rest->at, end == NULL ? rest->len : (size_t)(end - rest->at)};
  size_t used = end == NULL ? part.len : part.len + 1;
  rest->at += used;
  rest->len -= used;
  return part;
}

static void check(const struct hf_api_reply *reply)
{
  MUST(reply->status == 304 || (reply->status >= 200 && reply->status < 600));
  MUST(!reply->body.failed && !reply->pass_on);
  MUST(strlen(reply->set_session) < sizeof reply->set_session - 1 && strchr(reply->set_session, '\n') == NULL);
  MUST(strchr(reply->location, '\n') == NULL);
  if (reply->body.len > 0) {
    json_t *json = json_loadb((const char *)reply->body.at, reply->body.len, JSON_REJECT_DUPLICATES, NULL);
    MUST(json != NULL);
    MUST((reply->status >= 400) == (json_object_get(json, "todo") != NULL));
    json_decref(json);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static uint8_t room[HF_API_REPLY_MAX];
  struct hf_bytes rest = {data, size};
  if (size < 1) {
    return 0;
  }
  open_once();
  uint8_t how = *rest.at++;
  rest.len--;
  struct hf_api_request request = {.method = (enum hf_method)(how % 5), .address = HF_LIT("192.0.2.1"), .now = NOW + 1};
  request.path = line(&rest);
  request.query = line(&rest);
  request.body = rest;
  switch (how / 5 % 4) {
    case 0: request.bearer = hf_buf_bytes(&token); break;
    case 1:
      request.session = hf_buf_bytes(&session);
      request.csrf = hf_buf_bytes(&csrf);
      break;
    case 2: request.ticket = request.query; break;
    default: request.bearer = request.query; break;
  }
  struct hf_api_reply reply = {.body = hf_buf_init(room, sizeof room)};
  MUST(hf_engine_begin(engine) == HF_OK);
  hf_engine_api(engine, &reply, &request);
  check(&reply);
  engine->poison = HF_E_STATE; /* so that the group is undone */
  MUST(hf_engine_commit(engine) != HF_OK);
  return 0;
}
