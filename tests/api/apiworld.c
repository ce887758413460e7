/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/api/apiworld.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hf/cli/founding.h"
#include "hf/cli/pki.h"
#include "hf/codec/json.h"
#include "hf/codec/text.h"
#include "hf/server/jsonschema.h"
#include "hf/wire/checkin.h"
#include "hf/wire/image.h"
#include "hf/wire/keyset.h"
#include "hf/wire/takeover.h"
#include "hf/wire/target.h"
#include "hf/wire/tufwrite.h"

static char *text_of(const char *dir, const char *name)
{
  char path[256];
  (void)snprintf(path, sizeof path, "%s/%s", dir, name);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  char *text = calloc(1, 1 << 20);
  assert_non_null(text);
  (void)!fread(text, 1, (1 << 20) - 1, file);
  fclose(file);
  return text;
}

static struct hf_key *key_of(const char *dir, const char *name)
{
  struct hf_key *key = NULL;
  char *pem = text_of(dir, name);
  assert_int_equal(hf_key_parse(&key, hf_bytes_text(pem), HF_LIT(WORLD_PASSPHRASE)), HF_OK);
  free(pem);
  return key;
}

static void engines_open(struct world *world)
{
  char server[80];
  (void)snprintf(server, sizeof server, "%s/server", world->dir);
  struct hf_engine_config config = {.server_dir = server, .vault = world->vault, .sandboxed = true};
  char *ca = text_of(world->dir, "server/tls/factory-ca.crt");
  assert_int_equal(hf_pki_public(&config.factory_ca, hf_bytes_text(ca)), HF_OK);
  free(ca);
  memset(config.login_key, 0x5a, sizeof config.login_key);
  assert_int_equal(hf_engine_open(&world->engine, &config, world->now), HF_OK);
  config.read_only = true;
  config.vault = NULL;
  assert_int_equal(hf_engine_open(&world->reader, &config, world->now), HF_OK);
}

int world_open(struct world *world)
{
  char vault[80];
  memset(world, 0, sizeof *world);
  world->now = (int64_t)time(NULL);
  (void)snprintf(world->dir, sizeof world->dir, "/tmp/hf-api-XXXXXX");
  assert_non_null(mkdtemp(world->dir));
  struct hf_founding founding = {.dir = world->dir,
                                 .key_type = HF_KEY_P256,
                                 .passphrase = HF_LIT(WORLD_PASSPHRASE),
                                 .operator_name = "admin",
                                 .operator_password = HF_LIT(WORLD_PASSWORD),
                                 .names = {"localhost", NULL},
                                 .now = world->now};
  assert_int_equal(hf_workspace_init(&founding.workspace, HF_LIT("Test")), HF_OK);
  assert_int_equal(hf_founding_make(&founding), HF_OK);
  (void)snprintf(world->bearer, sizeof world->bearer, "%s", founding.token);
  (void)snprintf(vault, sizeof vault, "%s/server/vault", world->dir);
  assert_int_equal(hf_vault_link_open(&world->vault, vault), HF_OK);
  world->root = key_of(world->dir, "offline/root.pem");
  world->targets = key_of(world->dir, "offline/targets.pem");
  world->image = key_of(world->dir, "offline/image.pem");
  world->targets_version = 1;
  world->document = hf_openapi_new();
  assert_non_null(world->document);
  engines_open(world);
  return 0;
}

void world_reopen(struct world *world)
{
  hf_engine_close(world->reader);
  hf_engine_close(world->engine);
  engines_open(world);
}

void world_close(struct world *world)
{
  char command[128];
  hf_engine_close(world->reader);
  hf_engine_close(world->engine);
  hf_vault_link_close(world->vault);
  hf_key_free(world->root);
  hf_key_free(world->targets);
  hf_key_free(world->image);
  json_decref(world->document);
  (void)snprintf(command, sizeof command, "rm -rf %s", world->dir);
  (void)!system(command);
}

/* ---- asking ---- */

static bool part_fits(struct hf_bytes template, struct hf_bytes part)
{
  return template.len > 0 && template.at[0] == '{' ? part.len > 0 : hf_bytes_equal(template, part);
}

static struct hf_bytes part_of(struct hf_bytes *rest)
{
  const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->at + 1, '/', rest->len - 1);
  size_t len = end == NULL ? rest->len : (size_t)(end - rest->at);
  struct hf_bytes part = {rest->at, len};
  rest->at += len;
  rest->len -= len;
  if (part.len > 0) {
    part.at++;
    part.len--;
  }
  return part;
}

int world_route(enum hf_method method, struct hf_bytes path)
{
  for (int i = 0; i < HF_ROUTE_COUNT; i++) {
    struct hf_bytes template = hf_bytes_text(hf_routes[i].path);
    struct hf_bytes rest = path;
    bool fits = hf_routes[i].method == method;
    while (fits && (template.len > 0 || rest.len > 0)) {
      fits = template.len > 0 && rest.len > 0 && part_fits(part_of(&template), part_of(&rest));
    }
    if (fits) {
      return i;
    }
  }
  return -1;
}

static json_t *schema_of(struct world *world, int route, int status)
{
  static const char *const methods[] = {"get", "post", "put", "patch", "delete"};
  char number[8];
  (void)snprintf(number, sizeof number, "%d", status);
  json_t *paths = json_object_get(world->document, "paths");
  json_t *operation = json_object_get(json_object_get(paths, hf_routes[route].path), methods[hf_routes[route].method]);
  json_t *response = json_object_get(json_object_get(operation, "responses"), number);
  if (response == NULL) {
    fail_msg("%s answered %d, which its description does not know", hf_routes[route].name, status);
  }
  json_t *content = json_object_get(response, "content");
  const char *type = status < 400 ? "application/json" : "application/problem+json";
  return json_object_get(json_object_get(content, type), "schema");
}

static void check_reply(struct world *world, const struct hf_api_request *request, const struct told *told)
{
  struct hf_jsonschema_blame blame;
  json_t *schemas = hf_openapi_schemas(world->document);
  int route = world_route(request->method, request->path);
  json_t *schema = json_object_get(schemas, "Problem");
  if (route >= 0 && told->status != 404) {
    schema = schema_of(world, route, told->status);
  }
  if (route >= 0) {
    world->succeeded[route] = world->succeeded[route] || told->status == hf_routes[route].status;
    world->refused[route][told->status] = true;
  }
  assert_int_equal(told->status >= 400, told->reply.content_type != NULL &&
                                            strcmp(told->reply.content_type, "application/problem+json") == 0);
  if (schema == NULL) {
    assert_int_equal(told->reply.body.len, 0);
    return;
  }
  assert_non_null(told->json);
  if (hf_jsonschema_check(&blame, schemas, schema, told->json) != HF_OK) {
    char *text = json_dumps(told->json, JSON_INDENT(1));
    fail_msg("%s: %s: %s\n%s", route < 0 ? "?" : hf_routes[route].name, blame.where, blame.what, text);
  }
}

/* The way through the processes. */
static void serve(struct world *world, struct hf_api_reply *reply, struct hf_api_request *request)
{
  static uint8_t ticket[HF_API_TICKET_MAX];
  if (hf_api_reads(request->method, request->path)) {
    hf_engine_api(world->reader, reply, request);
    if (!reply->pass_on) {
      return;
    }
    assert_true(reply->body.len <= sizeof ticket);
    memcpy(ticket, reply->body.at, reply->body.len);
    request->ticket = hf_bytes_init(ticket, reply->body.len);
  }
  assert_int_equal(hf_engine_begin(world->engine), HF_OK);
  hf_engine_api(world->engine, reply, request);
  assert_false(reply->pass_on);
  assert_int_equal(hf_engine_commit(world->engine), HF_OK);
}

static struct hf_api_request request_of(const struct world *world, const struct ask *ask)
{
  struct hf_api_request request = {.method = ask->method, .now = world->now, .tls = ask->tls};
  request.path = ask->raw_path.at != NULL ? ask->raw_path : hf_bytes_text(ask->path);
  const uint8_t *mark = request.path.len == 0 ? NULL : memchr(request.path.at, '?', request.path.len);
  if (mark != NULL && ask->raw_path.at == NULL) {
    request.query = hf_bytes_init(mark + 1, request.path.len - (size_t)(mark - request.path.at) - 1);
    request.path.len = (size_t)(mark - request.path.at);
  }
  request.body = ask->raw_body.at != NULL ? ask->raw_body : hf_bytes_text(ask->body);
  request.bearer = hf_bytes_text(ask->bearer == NULL && ask->session == NULL ? world->bearer : ask->bearer);
  request.session = hf_bytes_text(ask->session);
  request.csrf = hf_bytes_text(ask->csrf);
  request.if_none = hf_bytes_text(ask->if_none);
  request.address = hf_bytes_text(ask->address == NULL ? "192.0.2.1" : ask->address);
  request.content_type =
      hf_bytes_text(ask->content_type == NULL && request.body.len > 0 ? "application/json" : ask->content_type);
  request.upload = hf_bytes_text(ask->upload);
  memcpy(request.upload_sha256, ask->upload_sha256, sizeof request.upload_sha256);
  request.upload_len = ask->upload_len;
  return request;
}

struct told world_ask(struct world *world, const struct ask *ask)
{
  static uint8_t room[HF_API_REPLY_MAX];
  struct told told = {0};
  struct hf_api_request request = request_of(world, ask);
  told.reply.body = hf_buf_init(room, sizeof room);
  struct timespec start;
  struct timespec end;
  (void)clock_gettime(CLOCK_MONOTONIC, &start);
  serve(world, &told.reply, &request);
  (void)clock_gettime(CLOCK_MONOTONIC, &end);
  world->spent_ms += (double)(end.tv_sec - start.tv_sec) * 1e3 + (double)(end.tv_nsec - start.tv_nsec) / 1e6;
  told.status = told.reply.status;
  if (told.reply.body.len > 0) {
    told.json = json_loadb((const char *)room, told.reply.body.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(told.json);
  }
  if (!world->quick) {
    check_reply(world, &request, &told);
  }
  return told;
}

void told_free(struct told *told)
{
  json_decref(told->json);
  told->json = NULL;
}

void world_expect(struct world *world, const struct ask *ask, int status, const char *what)
{
  struct told told = world_ask(world, ask);
  char *text = told.json == NULL ? strdup("") : json_dumps(told.json, 0);
  if (told.status != status || (what != NULL && strstr(text, what) == NULL)) {
    fail_msg("%s: %d %s\nexpected %d %s", ask->path, told.status, text, status, what == NULL ? "" : what);
  }
  free(text);
  told_free(&told);
}

json_t *world_json(struct world *world, const struct ask *ask, int status)
{
  struct told told = world_ask(world, ask);
  if (told.status != status) {
    char *text = told.json == NULL ? NULL : json_dumps(told.json, 0);
    fail_msg("%s: %d %s\nexpected %d", ask->path, told.status, text, status);
  }
  return told.json;
}

void world_login(struct world *world, char session[64], char csrf[64])
{
  world->now++; /* no more than HF_THROTTLE_RATE a second are let through */
  struct told told =
      world_ask(world, &(struct ask){.method = HF_POST,
                                     .path = "/session",
                                     .bearer = "",
                                     .body = "{\"name\":\"admin\",\"password\":\"" WORLD_PASSWORD "\"}"});
  assert_int_equal(told.status, 201);
  assert_int_equal(sscanf(told.reply.set_session, HF_API_COOKIE "=%63[A-Za-z0-9_-]", session), 1);
  (void)snprintf(csrf, 64, "%s", json_string_value(json_object_get(told.json, "csrf")));
  told_free(&told);
}

/* ---- devices ---- */

/* Certificates are remembered by id, for the check-ins. */
#define DEVICES_MAX 64
static struct {
  char id[65];
  uint8_t certificate[32];
  uint32_t boot;
  uint32_t event;
} known[DEVICES_MAX];

static size_t known_index(const char *id)
{
  for (size_t i = 0; i < DEVICES_MAX; i++) {
    if (known[i].id[0] == 0 || strcmp(known[i].id, id) == 0) {
      (void)snprintf(known[i].id, sizeof known[i].id, "%s", id);
      return i;
    }
  }
  fail_msg("too many devices");
  return 0;
}

static void enrol(struct world *world, const char *id, const char *token)
{
  uint8_t room[4096];
  struct hf_buf certificate = hf_buf_init(room, sizeof room);
  struct hf_enrol enrol = {.token = hf_bytes_text(token), .device = hf_bytes_text(id)};
  struct hf_key *key = NULL;
  struct hf_why why = {0};
  assert_int_equal(hf_key_new(&key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&enrol.key, key), HF_OK);
  assert_int_equal(hf_engine_begin(world->engine), HF_OK);
  assert_int_equal(hf_engine_enrol(world->engine, &certificate, &enrol, world->now, &why), HF_OK);
  assert_int_equal(hf_engine_commit(world->engine), HF_OK);
  hf_sha256(known[known_index(id)].certificate, hf_buf_bytes(&certificate));
  hf_key_free(key);
}

void world_checkin(struct world *world, const char *id, const char *version, unsigned state, uint16_t rule)
{
  uint8_t room[HF_CHECKIN_MAX];
  uint8_t answer_room[HF_CHECKIN_ANSWER_MAX];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  struct hf_buf answer = hf_buf_init(answer_room, sizeof answer_room);
  struct hf_peer peer = {
      .device = hf_bytes_text(id), .not_after = world->now + 90 * 86400, .address = HF_LIT("198.51.100.4")};
  struct hf_why why = {0};
  size_t at = known_index(id);
  struct hf_checkin checkin = {.boot = ++known[at].boot,
                               .number = 1,
                               .product = HF_LIT("thermostat"),
                               .hardware = HF_LIT("thermo-a"),
                               .reset = 1,
                               .storage = HF_KEY_STORAGE_FILE,
                               .time = world->now,
                               .component_count = 1,
                               .event_count = 1,
                               .attribute_count = 1};
  checkin.component[0] =
      (struct hf_checkin_component){.name = HF_LIT("main"), .version = hf_bytes_text(version), .counter = 1};
  checkin.event[0] = (struct hf_checkin_event){
      .number = ++known[at].event, .kind = HF_EVENT_BOOT, .time = world->now, .subject = HF_LIT("power")};
  checkin.attribute[0] = (struct hf_checkin_attribute){.name = HF_LIT("room"), .value = HF_LIT("lab-1")};
  checkin.update.state = (enum hf_update_state)state;
  checkin.update.rule = rule;
  assert_int_equal(hf_checkin_encode(&body, &checkin), HF_OK);
  memcpy(peer.certificate, known[at].certificate, sizeof peer.certificate);
  assert_int_equal(hf_engine_begin(world->engine), HF_OK);
  assert_int_equal(hf_engine_checkin(world->engine, &answer, &peer, hf_buf_bytes(&body), world->now, &why), HF_OK);
  assert_int_equal(hf_engine_commit(world->engine), HF_OK);
}

void world_product(struct world *world)
{
  static const char body[] = "{\"name\":\"thermostat\",\"title\":\"T\",\"hardware\":[\"thermo-a\"]}";
  world_expect(world, POST("/products", .body = body), 201, NULL);
}

void world_device(struct world *world, const char *id, const char *version)
{
  char body[200];
  (void)snprintf(body, sizeof body, "{\"device\":\"%s\",\"product\":\"thermostat\",\"expires_in_s\":600}", id);
  json_t *token = world_json(world, &(struct ask){.method = HF_POST, .path = "/enrol-tokens", .body = body}, 201);
  enrol(world, id, json_string_value(json_object_get(token, "token")));
  json_decref(token);
  world_checkin(world, id, version, 0, 0);
}

/* ---- releases ---- */

static enum hf_err sign_digest(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

static enum hf_err sign_message(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

void world_image(struct world *world, const char *version, uint8_t sha256[32], uint64_t *len, uint8_t digest[32])
{
  static uint8_t room[64 + HF_IMAGE_OVERHEAD_MAX];
  char path[128];
  struct hf_buf image = hf_buf_init(room, sizeof room);
  struct hf_image_build build = {.has_counter = true,
                                 .counter = 1,
                                 .product = HF_LIT("thermostat"),
                                 .component = HF_LIT("main"),
                                 .hardware = {HF_LIT("thermo-a")},
                                 .hardware_count = 1};
  struct hf_image_signer signer = {.sign = sign_digest, .ctx = world->image};
  struct hf_image_info info;
  struct hf_why why = {0};
  assert_int_equal(hf_version_parse(&build.version, hf_bytes_text(version), NULL), HF_OK);
  assert_int_equal(hf_key_public(&signer.pub, world->image), HF_OK);
  assert_int_equal(hf_image_sign(&image, &build, hf_bytes_text(version), &signer), HF_OK);
  struct hf_bytes whole = hf_buf_bytes(&image);
  struct hf_image_source source = hf_image_source_init(&whole);
  assert_int_equal(hf_image_parse(&info, &source, &why), HF_OK);
  memcpy(digest, info.digest, 32);
  hf_sha256(sha256, hf_buf_bytes(&image));
  *len = image.len;
  (void)snprintf(path, sizeof path, "%s/server/spool/up", world->dir);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(room, 1, image.len, file), image.len);
  fclose(file);
}

char *world_targets(struct world *world, const char *version, const uint8_t sha256[32], uint64_t len,
                    const uint8_t digest[32])
{
  static uint8_t entry_room[2048];
  static uint8_t body_room[1 << 16];
  static uint8_t scratch_room[1 << 16];
  char *text = calloc(1, 1 << 17);
  char path_room[HF_TARGET_PATH_MAX];
  char name[64];
  struct hf_buf entry = hf_buf_init(entry_room, sizeof entry_room);
  struct hf_buf body = hf_buf_init(body_room, sizeof body_room);
  struct hf_buf path = hf_buf_init(path_room, sizeof path_room);
  struct hf_buf out = hf_buf_init(text, (1 << 17) - 1);
  struct hf_target target = {.product = HF_LIT("thermostat"),
                             .component = HF_LIT("main"),
                             .from = HF_LIT("*"),
                             .counter = 1,
                             .hardware_count = 1,
                             .hardware = {HF_LIT("thermo-a")}};
  struct hf_target_file file = {.length = (uint32_t)len};
  struct hf_json before;
  struct hf_json before_signed;
  struct hf_why why = {0};
  (void)snprintf(name, sizeof name, "server/repo/metadata/%u.targets.json", world->targets_version);
  char *present = text_of(world->dir, name);
  assert_int_equal(hf_json_parse(&before, hf_bytes_text(present), &why), HF_OK);
  assert_int_equal(hf_json_get(&before_signed, before, "signed"), HF_OK);
  assert_int_equal(hf_version_parse(&target.version, hf_bytes_text(version), NULL), HF_OK);
  memcpy(target.image, digest, 32);
  memcpy(file.sha256, sha256, 32);
  hf_target_put_path(&path, target.product, &target.version, target.component);
  file.path = hf_buf_bytes(&path);
  hf_target_put(&entry, &target, &file);
  struct hf_tufwrite_entry entries[] = {{.path = hf_buf_bytes(&path), .value = hf_buf_bytes(&entry)}};
  struct hf_tufwrite_edit edit = {
      .version = world->targets_version + 1, .expires = world->now + 365 * 86400, .entries = entries, .count = 1};
  assert_int_equal(hf_tufwrite_edit_targets(&body, before_signed, &edit), HF_OK);
  struct hf_tufwrite_signer signer = {.sign = sign_message, .ctx = world->targets};
  assert_int_equal(hf_key_public(&signer.pub, world->targets), HF_OK);
  assert_int_equal(
      hf_tufwrite_sign_file(&out, hf_buf_init(scratch_room, sizeof scratch_room), hf_buf_bytes(&body), &signer, 1),
      HF_OK);
  free(present);
  return text;
}

void world_release(struct world *world, const char *version)
{
  struct ask put = {.method = HF_PUT, .upload = "up"};
  char path[100] = "/uploads/";
  uint8_t digest[32];
  struct hf_buf hex = hf_buf_init(path + 9, sizeof path - 10);
  world_image(world, version, put.upload_sha256, &put.upload_len, digest);
  hf_hex_put(&hex, hf_bytes_init(put.upload_sha256, 32));
  put.path = path;
  world_expect(world, &put, 201, NULL);
  char *targets = world_targets(world, version, put.upload_sha256, put.upload_len, digest);
  json_t *body = json_pack("{s:s, s:s, s:s}", "product", "thermostat", "version", version, "targets", targets);
  char *text = json_dumps(body, 0);
  world_expect(world, &(struct ask){.method = HF_POST, .path = "/releases", .body = text}, 201, NULL);
  world->targets_version++;
  free(text);
  json_decref(body);
  free(targets);
}

static enum hf_err sign_digest_of(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

const char *world_keyset(struct world *world, uint32_t version, uint32_t revoked)
{
  static char text[4 * HF_KEYSET_MAX / 3 + 8];
  uint8_t room[2][HF_KEYSET_MAX];
  struct hf_buf plain = hf_buf_init(room[0], sizeof room[0]);
  struct hf_buf file = hf_buf_init(room[1], sizeof room[1]);
  struct hf_buf out = hf_buf_init(text, sizeof text - 1);
  struct hf_keyset set = {
      .version = version, .product_len = 10, .product = "thermostat", .count = 2, .revoked = revoked};
  struct hf_image_signer signer = {.sign = sign_digest_of, .ctx = world->root};
  assert_int_equal(hf_key_public(&set.key[0], world->image), HF_OK);
  assert_int_equal(hf_key_public(&set.key[1], world->targets), HF_OK);
  assert_int_equal(hf_key_public(&signer.pub, world->root), HF_OK);
  assert_int_equal(hf_keyset_encode(&plain, &set), HF_OK);
  assert_int_equal(hf_keyset_parse(&set, hf_buf_bytes(&plain), NULL), HF_OK);
  assert_int_equal(hf_keyset_sign(&file, &set, &signer), HF_OK);
  hf_base64_put(&out, hf_buf_bytes(&file));
  text[out.len] = 0;
  return text;
}

/* The "signed" part of a file with another version, signed with a key of the offline folder. */
static char *signed_again(struct world *world, const char *file, const char *key_file, int64_t version)
{
  static uint8_t scratch[1 << 17];
  char from[64];
  char *present = text_of(world->dir, file);
  char *out_room = calloc(1, 1 << 17);
  struct hf_json root, body, value;
  assert_int_equal(hf_json_parse(&root, hf_bytes_text(present), NULL), HF_OK);
  assert_int_equal(hf_json_get(&body, root, "signed"), HF_OK);
  assert_int_equal(hf_json_get(&value, body, "version"), HF_OK);
  (void)snprintf(from, sizeof from, "%lld}", (long long)version);
  struct hf_buf text = hf_buf_init(calloc(1, 1 << 17), 1 << 17);
  hf_buf_put(&text, hf_bytes_init(body.text.at, (size_t)(value.text.at - body.text.at))); /* version comes last */
  hf_buf_put_text(&text, from);
  struct hf_key *key = key_of(world->dir, key_file);
  struct hf_tufwrite_signer signer = {.sign = sign_message, .ctx = key};
  struct hf_buf out = hf_buf_init(out_room, (1 << 17) - 1);
  assert_int_equal(hf_key_public(&signer.pub, key), HF_OK);
  assert_int_equal(
      hf_tufwrite_sign_file(&out, hf_buf_init(scratch, sizeof scratch), hf_buf_bytes(&text), &signer, 1), HF_OK);
  hf_key_free(key);
  free(text.at);
  free(present);
  return out_room;
}

static char *body_text(json_t *body)
{
  char *text = json_dumps(body, 0);
  assert_non_null(text);
  json_decref(body);
  return text;
}

char *world_root(struct world *world, int version)
{
  char *root = signed_again(world, "server/repo/metadata/1.root.json", "offline/root.pem", version);
  char *text = body_text(json_pack("{s:s, s:s}", "repository", "image", "root", root));
  free(root);
  return text;
}

char *world_renewal(struct world *world, uint32_t version)
{
  char name[64];
  (void)snprintf(name, sizeof name, "server/repo/metadata/%u.targets.json", world->targets_version);
  char *file = signed_again(world, name, "offline/targets.pem", version);
  char *text = body_text(json_pack("{s:[{s:s, s:s}]}", "files", "name", "targets", "text", file));
  free(file);
  return text;
}

static struct hf_bytes file_of(const struct world *world, const char *name)
{
  static uint8_t room[2][65536];
  static unsigned turn;
  char path[200];
  turn ^= 1;
  (void)snprintf(path, sizeof path, "%s/%s", world->dir, name);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  size_t len = fread(room[turn], 1, sizeof room[turn], file);
  assert_int_equal(fclose(file), 0);
  return hf_bytes_init(room[turn], len);
}

char *world_takeover(struct world *world, uint32_t version, struct hf_key *signer)
{
  uint8_t body_room[HF_TAKEOVER_MAX];
  uint8_t scratch[HF_TAKEOVER_MAX];
  uint8_t room[HF_TAKEOVER_MAX];
  struct hf_buf body = hf_buf_init(body_room, sizeof body_room);
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_tufwrite_signer by = {.sign = sign_message, .ctx = signer};
  struct hf_takeover_new order = {.version = version,
                                  .expires = world->now + 86400,
                                  .product = HF_LIT("thermostat"),
                                  .server = HF_LIT("https://new.example:8443"),
                                  .server_ca = HF_LIT("-----BEGIN CERTIFICATE-----\n"),
                                  .director_root = file_of(world, "offline/director-root.json"),
                                  .image_root = file_of(world, "offline/root.json")};
  assert_int_equal(hf_key_public(&by.pub, signer), HF_OK);
  assert_int_equal(hf_takeover_put(&body, &order), HF_OK);
  assert_int_equal(hf_tufwrite_sign_file(&out, hf_buf_init(scratch, sizeof scratch), hf_buf_bytes(&body), &by, 1),
                   HF_OK);
  json_t *json = json_pack("{s:s%, s:s%, s:s%}", "order", room, out.len, "director_root", order.director_root.at,
                           order.director_root.len, "image_root", order.image_root.at, order.image_root.len);
  assert_non_null(json);
  char *text = json_dumps(json, JSON_COMPACT);
  json_decref(json);
  return text;
}
