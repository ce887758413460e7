/* SPDX-License-Identifier: Apache-2.0
 * Both listeners of a running server, sandbox and all: what they serve, and how they refuse.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "hf/codec/text.h"
#include "hf/crypto/crypto.h"
#include "hf/wire/checkin.h"
#include "lampworld.h"

static bool says(const char *words)
{
  response.body[response.body_len < sizeof response.body ? response.body_len : sizeof response.body - 1] = 0;
  return strstr((const char *)response.body, words) != NULL;
}

/* ---- check-in ---- */

static void a_device_checks_in_many_times_on_one_connection(void **state)
{
  (void)state;
  struct client client;
  uint8_t room[HF_CHECKIN_MAX];
  client_open(&client, &world, &lamp);
  for (uint32_t i = 1; i <= 50; i++) {
    size_t len = checkin_body(room, sizeof room, i, i);
    assert_int_equal(client_ask(&client, &response, "POST", "/v1/checkin", "", hf_bytes_init(room, len)), 200);
    struct hf_checkin_answer answer;
    assert_int_equal(hf_checkin_answer_parse(&answer, hf_bytes_init(response.body, response.body_len), NULL), HF_OK);
    assert_true(answer.has_events_to);
    assert_int_equal(answer.events_to, i);
    assert_true(answer.next_s > 0);
  }
  client_close(&client);
}

static void two_requests_in_one_packet_get_two_answers(void **state)
{
  (void)state;
  struct client client;
  uint8_t room[HF_CHECKIN_MAX];
  char both[2 * (HF_CHECKIN_MAX + 128)];
  size_t len = checkin_body(room, sizeof room, 60, 0);
  size_t at = 0;
  for (int i = 0; i < 2; i++) {
    at += (size_t)snprintf(both + at, sizeof both - at,
                           "POST /v1/checkin HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", len);
    memcpy(both + at, room, len);
    at += len;
  }
  client_open(&client, &world, &lamp);
  assert_true(client_send(&client, both, at));
  for (int i = 0; i < 2; i++) {
    assert_true(client_receive(&client, &response, false));
    assert_int_equal(response.status, 200);
  }
  client_close(&client);
}

static void a_check_in_may_come_byte_by_byte(void **state)
{
  (void)state;
  struct client client;
  uint8_t room[HF_CHECKIN_MAX];
  char head[128];
  size_t len = checkin_body(room, sizeof room, 61, 0);
  int n = snprintf(head, sizeof head, "POST /v1/checkin HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", len);
  client_open(&client, &world, &lamp);
  for (int i = 0; i < n; i++) {
    assert_true(client_send(&client, head + i, 1));
  }
  for (size_t i = 0; i < len; i++) {
    assert_true(client_send(&client, room + i, 1));
  }
  assert_true(client_receive(&client, &response, false));
  assert_int_equal(response.status, 200);
  client_close(&client);
}

static void tls_12_and_resumed_sessions_keep_the_identity(void **state)
{
  (void)state;
  struct client client;
  uint8_t room[HF_CHECKIN_MAX];
  size_t len = checkin_body(room, sizeof room, 62, 0);
  static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
  for (size_t v = 0; v < 2; v++) {
    SSL_SESSION *session = NULL;
    for (int round = 0; round < 6; round++) { /* another front may answer: the ticket must open there too */
      SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
      assert_int_equal(SSL_CTX_set_min_proto_version(ctx, versions[v]), 1);
      assert_int_equal(SSL_CTX_set_max_proto_version(ctx, versions[v]), 1);
      assert_int_equal(SSL_CTX_use_certificate(ctx, lamp.cert), 1);
      assert_int_equal(SSL_CTX_use_PrivateKey(ctx, lamp.key), 1);
      client = (struct client){.ctx = ctx, .ssl = SSL_new(ctx), .fd = connect_to(world.devices)};
      assert_int_equal(SSL_set_fd(client.ssl, client.fd), 1);
      if (session != NULL) {
        assert_int_equal(SSL_set_session(client.ssl, session), 1);
      }
      assert_int_equal(SSL_connect(client.ssl), 1);
      assert_int_equal(client_ask(&client, &response, "POST", "/v1/checkin", "", hf_bytes_init(room, len)), 200);
      assert_int_equal(SSL_session_reused(client.ssl), round > 0);
      SSL_SESSION_free(session);
      session = SSL_get1_session(client.ssl);
      (void)SSL_shutdown(client.ssl);
      client_close(&client);
    }
    SSL_SESSION_free(session);
  }
}

static void only_an_operational_certificate_checks_in(void **state)
{
  (void)state;
  uint8_t room[HF_CHECKIN_MAX];
  size_t len = checkin_body(room, sizeof room, 1, 0);
  struct hf_bytes body = {room, len};
  assert_int_equal(ask_device(NULL, "POST", "/v1/checkin", "", body), 401);
  assert_int_equal(ask_device(NULL, "GET", "/director/timestamp.json", "", nothing), 401);
  struct device old = {.name = "expired", .key = world.expired_key, .cert = world.expired_cert};
  assert_int_equal(ask_device(&old, "POST", "/v1/checkin", "", body), 403);
  assert_true(says("expired at"));
  assert_true(says("todo"));
  assert_int_equal(ask_device(&old, "GET", "/director/timestamp.json", "", nothing), 403);
  /* Renewing is the one thing it may try, and a registry that never heard of it says no. */
  char csr[2048];
  device_request(&old, "expired", csr, sizeof csr);
  assert_int_equal(ask_device(&old, "POST", "/.well-known/est/simplereenroll", "", hf_bytes_text(csr)), 403);
  assert_true(says("not the one the registry knows"));
  assert_int_equal(ask_device(&old, "POST", "/.well-known/est/simpleenroll", "", hf_bytes_text(csr)), 403);
}

/* A certificate that names the device but was made by somebody else does not even finish the handshake. */
static void a_certificate_of_another_ca_is_refused_in_the_handshake(void **state)
{
  (void)state;
  struct device forged;
  struct client client;
  device_open(&forged, "lamp-1");
  forged.cert = X509_dup(lamp.cert);
  assert_int_equal(X509_set_pubkey(forged.cert, forged.key), 1);
  assert_true(X509_sign(forged.cert, forged.key, EVP_sha256()) > 0);
  bool up = client_try(&client, &world, &forged);
  /* TLS 1.3: the client believes to be done before the server has judged; the first request tells. */
  assert_true(!up || client_ask(&client, &response, "GET", "/director/timestamp.json", "", nothing) == 0);
  client_close(&client);
  device_close(&forged);
}

static void bad_bodies_are_refused_with_rule_place_and_remedy(void **state)
{
  (void)state;
  uint8_t room[HF_CHECKIN_MAX];
  size_t len = checkin_body(room, sizeof room, 63, 5);
  for (size_t cut = 0; cut < len; cut++) {
    int status = ask_device(&lamp, "POST", "/v1/checkin", "", hf_bytes_init(room, cut));
    if (status != 400) {
      fail_msg("cut at %zu: %d", cut, status);
    }
    if (cut > 20) {
      cut += 6; /* each a handshake */
    }
  }
  assert_true(says("rule "));
  assert_true(says("\"what\""));
  assert_true(says("\"todo\""));
  static uint8_t big[HF_CHECKIN_MAX + 1];
  assert_int_equal(ask_device(&lamp, "POST", "/v1/checkin", "", hf_bytes_init(big, sizeof big)), 413);
  assert_int_equal(ask_device(&lamp, "POST", "/v1/checkin", "", hf_bytes_init(big, 100)), 400);
  assert_int_equal(ask_device(&lamp, "GET", "/v1/checkin", "", nothing), 405);
  assert_non_null(strstr(response.head, "Allow: POST"));
  assert_int_equal(ask_device(&lamp, "GET", "/v2/checkin", "", nothing), 404);
  assert_int_equal(ask_device(&lamp, "GET", "/api/v1/health", "", nothing), 404); /* people's, not here */
  assert_int_equal(ask_device(&lamp, "GET", "/director/../1.root.json", "", nothing), 404);
  assert_int_equal(ask_device(&lamp, "GET", "/director/1.root.json", "", nothing), 200);
  assert_int_equal(ask_device(&lamp, "GET", "/director/999.root.json", "", nothing), 404);
  len = checkin_body(room, sizeof room, 64, 0);
  assert_int_equal(ask_device(&lamp, "POST", "/v1/checkin", "", hf_bytes_init(room, len)), 200);
}

/* ---- enrolment ---- */

static int enrol_with(const struct device *device, const char *path, const char *fields, const char *csr)
{
  return ask_device(device, "POST", path, fields, hf_bytes_text(csr));
}

static void a_device_renews_its_certificate_under_a_new_key(void **state)
{
  (void)state;
  struct device next;
  char csr[2048];
  device_open(&next, "lamp-1");
  device_request(&next, "lamp-1", csr, sizeof csr);
  assert_int_equal(enrol_with(&lamp, "/.well-known/est/simplereenroll", "", csr), 200);
  assert_non_null(strstr(response.head, "certs-only"));
  next.cert = certificate_of(&response);
  assert_int_equal(X509_check_private_key(next.cert, next.key), 1);
  uint8_t room[HF_CHECKIN_MAX];
  size_t len = checkin_body(room, sizeof room, 70, 0);
  assert_int_equal(ask_device(&next, "POST", "/v1/checkin", "", hf_bytes_init(room, len)), 200);
  device_close(&lamp);
  lamp = next;
}

static void enrolment_refuses_what_is_not_in_order(void **state)
{
  (void)state;
  struct device other;
  char csr[2048];
  device_open(&other, "lamp-2");
  device_request(&other, "lamp-2", csr, sizeof csr);
  assert_int_equal(enrol_with(NULL, "/.well-known/est/simpleenroll", "", csr), 401);
  assert_non_null(strstr(response.head, "WWW-Authenticate: Basic"));
  /* "x:wrong" */
  assert_int_equal(enrol_with(NULL, "/.well-known/est/simpleenroll", "Authorization: Basic eDp3cm9uZw==\r\n", csr),
                   403);
  assert_int_equal(enrol_with(NULL, "/.well-known/est/simplereenroll", "", csr), 401);
  assert_int_equal(enrol_with(&lamp, "/.well-known/est/simplereenroll", "", csr), 403); /* for somebody else */
  static const char *const bad[] = {"", "!!!!", "AAAA", "MIIB", "not base64 at all"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(enrol_with(&lamp, "/.well-known/est/simplereenroll", "", bad[i]), 400);
    assert_true(says("rule 101"));
  }
  csr[40] = csr[40] == 'A' ? 'B' : 'A'; /* still base64, no longer what was signed */
  assert_int_equal(enrol_with(&lamp, "/.well-known/est/simplereenroll", "", csr), 400);
  assert_int_equal(enrol_with(&lamp, "/.well-known/est/serverkeygen", "", csr), 404);
  assert_int_equal(ask_device(&lamp, "GET", "/.well-known/est/simpleenroll", "", nothing), 405);
  device_close(&other);
}

static void a_token_enrols_its_device_once(void **state)
{
  (void)state;
  struct device third;
  char csr[2048];
  char field[700];
  device_open(&third, "lamp-3");
  device_token(&world, "lamp-3", field, sizeof field);
  device_request(&third, "lamp-5", csr, sizeof csr);
  assert_int_equal(enrol_with(NULL, "/.well-known/est/simpleenroll", field, csr), 403); /* made for lamp-3 */
  device_request(&third, "lamp-3", csr, sizeof csr);
  assert_int_equal(enrol_with(NULL, "/.well-known/est/simpleenroll", field, csr), 200);
  struct device again;
  device_open(&again, "lamp-3");
  device_request(&again, "lamp-3", csr, sizeof csr);
  assert_int_equal(enrol_with(NULL, "/.well-known/est/simpleenroll", field, csr), 403); /* used */
  device_close(&again);
  device_close(&third);
}

static void the_ca_certificates_are_there_for_everybody(void **state)
{
  (void)state;
  assert_int_equal(ask_device(NULL, "GET", "/.well-known/est/cacerts", "", nothing), 200);
  assert_non_null(strstr(response.head, "application/pkcs7-mime"));
  assert_non_null(strstr(response.head, "Content-Transfer-Encoding: base64"));
  X509 *ca = certificate_of(&response);
  assert_int_equal(X509_check_issued(ca, lamp.cert), X509_V_OK);
  X509_free(ca);
}

static void a_blocked_device_is_refused_at_its_next_request(void **state)
{
  (void)state;
  struct device fourth;
  struct client client;
  uint8_t room[HF_CHECKIN_MAX];
  size_t len = checkin_body(room, sizeof room, 1, 0);
  device_open(&fourth, "lamp-4");
  device_enrol(&fourth, &world);
  client_open(&client, &world, &fourth);
  assert_int_equal(client_ask(&client, &response, "POST", "/v1/checkin", "", hf_bytes_init(room, len)), 200);
  struct response *api = malloc(sizeof *api);
  assert_non_null(api);
  assert_int_equal(world_api(&world, api, "POST", "/api/v1/devices/lamp-4/block", "{\"reason\":\"test\"}"), 200);
  free(api);
  assert_int_equal(client_ask(&client, &response, "POST", "/v1/checkin", "", hf_bytes_init(room, len)), 403);
  client_close(&client);
  device_close(&fourth);
}

/* ---- files ---- */

static void files_come_whole_in_ranges_and_not_twice(void **state)
{
  (void)state;
  static struct response whole;
  char fields[256];
  assert_int_equal(ask_people("GET", "/repo/metadata/1.root.json", "", nothing), 200);
  whole = response;
  assert_non_null(strstr(whole.head, "immutable"));
  const char *etag = strstr(whole.head, "ETag: ");
  assert_non_null(etag);
  (void)snprintf(fields, sizeof fields, "If-None-Match: %.*s\r\n", (int)strcspn(etag + 6, "\r"), etag + 6);
  assert_int_equal(ask_people("GET", "/repo/metadata/1.root.json", fields, nothing), 304);
  assert_int_equal(response.body_len, 0);
  assert_int_equal(ask_device(NULL, "GET", "/repo/metadata/1.root.json", "Range: bytes=100-199\r\n", nothing), 206);
  assert_int_equal(response.body_len, 100);
  assert_memory_equal(response.body, whole.body + 100, 100);
  assert_non_null(strstr(response.head, "Content-Range: bytes 100-199/"));
  assert_int_equal(ask_device(NULL, "GET", "/repo/metadata/1.root.json", "Range: bytes=999999-\r\n", nothing), 416);
  assert_int_equal(
      ask_device(NULL, "GET", "/repo/metadata/1.root.json", "Range: bytes=1-2\r\nIf-Range: \"other\"\r\n", nothing),
      200);
  assert_int_equal(response.body_len, whole.body_len);
  assert_int_equal(ask_people("HEAD", "/repo/metadata/1.root.json", "", nothing), 200);
  assert_non_null(strstr(response.head, "Content-Length: "));
  assert_int_equal(ask_people("GET", "/repo/metadata/timestamp.json", "", nothing), 200);
  assert_non_null(strstr(response.head, "no-cache"));
  assert_int_equal(ask_people("POST", "/repo/metadata/timestamp.json", "", HF_LIT("x")), 405);
}

/* Longer than any buffer on the way, read slowly, so that the server has to stop and go on. */
static void a_large_file_arrives_whole_at_a_slow_reader(void **state)
{
  (void)state;
  char path[256];
  enum { SIZE = 9 << 20 };
  uint8_t *bytes = malloc(SIZE);
  uint8_t *got = malloc(SIZE + 4096);
  assert_true(bytes != NULL && got != NULL);
  for (size_t i = 0; i < SIZE; i++) {
    bytes[i] = (uint8_t)(i * 2654435761u >> 13);
  }
  (void)snprintf(path, sizeof path, "%s/server/repo/targets/big.img", world.dir);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, SIZE, file), SIZE);
  assert_int_equal(fclose(file), 0);
  struct client client;
  client_open(&client, &world, &lamp);
  static const char ask[] = "GET /repo/targets/big.img HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  assert_true(client_send(&client, ask, sizeof ask - 1));
  size_t len = 0;
  size_t n = 0;
  while (len < SIZE + 4096 && SSL_read_ex(client.ssl, got + len, SIZE + 4096 - len, &n) == 1) {
    len += n;
    if (len < (1 << 20)) {
      struct timespec pause = {.tv_nsec = 5000000};
      (void)nanosleep(&pause, NULL);
    }
  }
  const uint8_t *body = memmem(got, len, "\r\n\r\n", 4);
  assert_non_null(body);
  assert_int_equal(len - (size_t)(body + 4 - got), SIZE);
  assert_memory_equal(body + 4, bytes, SIZE);
  client_close(&client);
  (void)unlink(path);
  free(bytes);
  free(got);
}

static void no_path_leaves_the_repository(void **state)
{
  (void)state;
  static const char *const bad[] = {"/repo/../db/holdfast.db",
                                    "/repo/metadata/../../tls/server.key",
                                    "/repo//etc/passwd",
                                    "/repo/%2e%2e/tls/server.key",
                                    "/repo/metadata",
                                    "/repo/",
                                    "/repo/metadata/",
                                    "/repo/link.json",
                                    "/repo/outside/server.key",
                                    "/repo/metadata/..%2f..%2ftls%2fserver.key",
                                    "/repo/.hidden",
                                    "/repo/pipe"};
  char from[256];
  char to[256];
  (void)snprintf(to, sizeof to, "%s/server/tls/server.key", world.dir);
  (void)snprintf(from, sizeof from, "%s/server/repo/link.json", world.dir);
  assert_int_equal(symlink(to, from), 0);
  (void)snprintf(to, sizeof to, "%s/server/tls", world.dir);
  (void)snprintf(from, sizeof from, "%s/server/repo/outside", world.dir);
  assert_int_equal(symlink(to, from), 0);
  (void)snprintf(from, sizeof from, "%s/server/repo/pipe", world.dir);
  assert_int_equal(mkfifo(from, 0600), 0);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    int status = ask_people("GET", bad[i], "", nothing);
    if (status != 404) {
      fail_msg("%s: %d", bad[i], status);
    }
    assert_false(says("PRIVATE KEY"));
  }
  (void)unlink(from);
}

/* ---- people ---- */

static void the_console_comes_with_its_walls(void **state)
{
  (void)state;
  static const char *const walls[] = {"Content-Security-Policy: default-src 'none'", "frame-ancestors 'none'",
                                      "X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer", "ETag: "};
  assert_int_equal(ask_people("GET", "/", "", nothing), 200);
  assert_true(says("<!doctype html>"));
  for (size_t i = 0; i < sizeof walls / sizeof walls[0]; i++) {
    assert_non_null(strstr(response.head, walls[i]));
  }
  assert_null(strstr(response.head, "unsafe"));
  assert_int_equal(ask_people("GET", "/main.js", "", nothing), 200);
  assert_non_null(strstr(response.head, "text/javascript"));
  assert_int_equal(ask_people("GET", "/no-such.js", "", nothing), 404);
  assert_int_equal(ask_people("DELETE", "/main.js", "", nothing), 405);
  assert_int_equal(ask_people("BREW", "/api/v1/health", "", nothing), 405);
}

static void a_foreign_host_is_not_answered(void **state)
{
  (void)state;
  static const char *const hosts[] = {"evil.example",  "127.0.0.1.evil.example", "localhost.evil.example",
                                      "10.0.0.1:8080", "127.0.0.1@evil.example", "[::2]"};
  static const char *const ours[] = {"localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080"};
  for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
    struct client client;
    char text[256];
    client_people(&client, &world);
    int n = snprintf(text, sizeof text, "GET /api/v1/health HTTP/1.1\r\nHost: %s\r\n\r\n", hosts[i]);
    assert_true(client_send(&client, text, (size_t)n));
    assert_true(client_receive(&client, &response, false));
    if (response.status != 421) {
      fail_msg("%s: %d", hosts[i], response.status);
    }
    client_close(&client);
  }
  for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
    struct client client;
    char text[256];
    client_people(&client, &world);
    int n = snprintf(text, sizeof text, "GET /api/v1/health HTTP/1.1\r\nHost: %s\r\n\r\n", ours[i]);
    assert_true(client_send(&client, text, (size_t)n));
    assert_true(client_receive(&client, &response, false));
    assert_int_equal(response.status, 200);
    client_close(&client);
  }
}

static void health_tells_that_the_processes_are_narrowed(void **state)
{
  (void)state;
  assert_int_equal(ask_people("GET", "/api/v1/health", "", nothing), 200);
  assert_true(says("\"sandboxed\":true"));
  assert_int_equal(ask_people("GET", "/openapi.json", "", nothing), 200);
  assert_true(says("\"openapi\""));
}

static void a_login_goes_through_reader_and_engine(void **state)
{
  (void)state;
  assert_int_equal(ask_people("POST", "/api/v1/session", "Content-Type: application/json\r\n",
                              HF_LIT("{\"name\":\"admin\",\"password\":\"wrong wrong wrong\"}")),
                   401);
  assert_null(strstr(response.head, "Set-Cookie"));
}

static int upload(const char *bearer, const char *path, struct hf_bytes body)
{
  char fields[512];
  (void)snprintf(fields, sizeof fields, "Authorization: Bearer %s\r\n", bearer);
  return ask_people("PUT", path, fields, body);
}

static size_t spool_count(void)
{
  char command[256];
  size_t count = 0;
  (void)snprintf(command, sizeof command, "ls -A %s/server/spool | grep -c front", world.dir);
  FILE *pipe = popen(command, "r");
  assert_non_null(pipe);
  if (fscanf(pipe, "%zu", &count) != 1) {
    count = 99;
  }
  (void)pclose(pipe);
  return count;
}

/* Before the first byte: two gigabytes in the spool are a full disk, whoever is told "no" at their end. */
static void refuses_uploads_of_who_may_only_read(const char *path)
{
  struct client client;
  char head[512];
  char secret[80];
  assert_int_equal(world_api(&world, &response, "POST", "/api/v1/tokens",
                             "{\"name\":\"screen\",\"scopes\":[\"read\"],\"expires_in_s\":600}"),
                   201);
  response.body[response.body_len] = 0;
  const char *at = strstr((const char *)response.body, "\"token\":\"");
  assert_non_null(at);
  assert_int_equal(sscanf(at, "\"token\":\"%79[^\"]", secret), 1);
  client_people(&client, &world);
  int n = snprintf(head, sizeof head,
                   "PUT %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 99999\r\n\r\n",
                   path, secret);
  assert_true(client_send(&client, head, (size_t)n));
  assert_true(client_receive(&client, &response, false));
  assert_int_equal(response.status, 403);
  client_close(&client);
  assert_int_equal(spool_count(), 0);
}

static void long_bodies_are_taken_only_from_who_may_send_them(void **state)
{
  (void)state;
  enum { LONG = 100000 };
  struct client client;
  char head[512];
  char *json = malloc(LONG + 1);
  assert_non_null(json);
  memset(json, ' ', LONG);
  json[0] = '{';
  json[LONG - 1] = '}';
  json[LONG] = 0;
  /* Strangers are answered from the head alone; where anybody may write, nobody may write much. */
  static const struct {
    const char *path;
    int status;
  } rows[] = {{"/api/v1/releases", 401}, {"/api/v1/session", 413}, {"/api/v1/nothing", 404}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    client_people(&client, &world);
    int n =
        snprintf(head, sizeof head,
                 "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
                 rows[i].path, LONG);
    assert_true(client_send(&client, head, (size_t)n));
    assert_true(client_receive(&client, &response, false));
    assert_int_equal(response.status, rows[i].status);
    client_close(&client);
  }
  assert_int_equal(world_api(&world, &response, "POST", "/api/v1/releases", json), 400); /* read whole, and judged */
  assert_true(says("product"));
  free(json);
}

static void uploads_are_streamed_hashed_and_never_left_behind(void **state)
{
  (void)state;
  enum { SIZE = 3 << 20 };
  uint8_t *bytes = calloc(1, SIZE);
  uint8_t sum[HF_SHA256_LEN];
  char path[128] = "/api/v1/uploads/";
  assert_non_null(bytes);
  memset(bytes, 'u', SIZE);
  hf_sha256(sum, hf_bytes_init(bytes, SIZE));
  struct hf_buf hex = hf_buf_init(path + strlen(path), 80);
  hf_hex_put(&hex, hf_bytes_init(sum, sizeof sum));
  assert_int_equal(upload("hf_nobody", path, hf_bytes_init(bytes, 100)), 401); /* not a byte of it is taken */
  assert_int_equal(spool_count(), 0);
  refuses_uploads_of_who_may_only_read(path);
  int status = upload(world.token, path, hf_bytes_init(bytes, SIZE));
  if (status != 201) {
    fail_msg("upload: %d %.*s", status, (int)response.body_len, (const char *)response.body);
  }
  assert_true(says("3145728"));
  bytes[5] = 'x';
  assert_int_equal(upload(world.token, path, hf_bytes_init(bytes, SIZE)), 422); /* not what its name says */
  assert_int_equal(spool_count(), 0);
  /* Cut off in the middle. */
  struct client client;
  char head[512];
  client_people(&client, &world);
  int n = snprintf(head, sizeof head,
                   "PUT %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", path,
                   world.token, SIZE);
  assert_true(client_send(&client, head, (size_t)n));
  assert_true(client_send(&client, bytes, SIZE / 2));
  client_close(&client);
  size_t left = 1;
  for (int i = 0; i < 50 && (left = spool_count()) != 0; i++) {
    struct timespec pause = {.tv_nsec = 50000000};
    (void)nanosleep(&pause, NULL);
  }
  assert_int_equal(left, 0);
  free(bytes);
}

static void a_client_that_expects_100_continue_gets_it(void **state)
{
  (void)state;
  struct client client;
  char head[512];
  client_people(&client, &world);
  int n = snprintf(head, sizeof head,
                   "PUT /api/v1/uploads/%064d HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
                   "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n",
                   0, world.token);
  assert_true(client_send(&client, head, (size_t)n));
  assert_true(client_receive(&client, &response, true));
  assert_int_equal(response.status, 100);
  assert_true(client_send(&client, "body", 4));
  assert_true(client_receive(&client, &response, false));
  assert_int_equal(response.status, 422); /* the name is another file's hash */
  client_close(&client);
}

static uint64_t change_number(void)
{
  assert_int_equal(world_api(&world, &response, "GET", "/api/v1/events?since=0", ""), 200);
  response.body[response.body_len] = 0;
  const char *at = strstr((const char *)response.body, "\"change\":");
  assert_non_null(at);
  return strtoull(at + strlen("\"change\":"), NULL, 10);
}

static void a_long_poll_answers_when_something_changes(void **state)
{
  (void)state;
  struct client client;
  char head[512];
  uint64_t since = change_number();
  client_people(&client, &world);
  int n = snprintf(head, sizeof head,
                   "GET /api/v1/events?since=%llu HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n",
                   (unsigned long long)since, world.token);
  assert_true(client_send(&client, head, (size_t)n));
  struct pollfd watch = {.fd = client.fd, .events = POLLIN};
  if (poll(&watch, 1, 1500) != 0) {
    fail_msg("a long poll answered although nothing had changed since %llu", (unsigned long long)since);
  }
  struct response *other = malloc(sizeof *other);
  assert_non_null(other);
  assert_int_equal(
      world_api(&world, other, "POST", "/api/v1/groups", "{\"name\":\"polled\",\"query\":\"product = lamp\"}"), 201);
  free(other);
  assert_int_equal(poll(&watch, 1, 3000), 1);
  assert_true(client_receive(&client, &response, false));
  assert_int_equal(response.status, 200);
  client_close(&client);
  /* Without a login there is nothing to wait for. */
  assert_int_equal(ask_people("GET", "/api/v1/events?since=999999", "", nothing), 401);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_device_checks_in_many_times_on_one_connection),
      cmocka_unit_test(two_requests_in_one_packet_get_two_answers),
      cmocka_unit_test(a_check_in_may_come_byte_by_byte),
      cmocka_unit_test(tls_12_and_resumed_sessions_keep_the_identity),
      cmocka_unit_test(only_an_operational_certificate_checks_in),
      cmocka_unit_test(a_certificate_of_another_ca_is_refused_in_the_handshake),
      cmocka_unit_test(bad_bodies_are_refused_with_rule_place_and_remedy),
      cmocka_unit_test(a_device_renews_its_certificate_under_a_new_key),
      cmocka_unit_test(enrolment_refuses_what_is_not_in_order),
      cmocka_unit_test(a_token_enrols_its_device_once),
      cmocka_unit_test(the_ca_certificates_are_there_for_everybody),
      cmocka_unit_test(a_blocked_device_is_refused_at_its_next_request),
      cmocka_unit_test(files_come_whole_in_ranges_and_not_twice),
      cmocka_unit_test(a_large_file_arrives_whole_at_a_slow_reader),
      cmocka_unit_test(no_path_leaves_the_repository),
      cmocka_unit_test(the_console_comes_with_its_walls),
      cmocka_unit_test(a_foreign_host_is_not_answered),
      cmocka_unit_test(health_tells_that_the_processes_are_narrowed),
      cmocka_unit_test(a_login_goes_through_reader_and_engine),
      cmocka_unit_test(uploads_are_streamed_hashed_and_never_left_behind),
      cmocka_unit_test(long_bodies_are_taken_only_from_who_may_send_them),
      cmocka_unit_test(a_client_that_expects_100_continue_gets_it),
      cmocka_unit_test(a_long_poll_answers_when_something_changes),
  };
  return cmocka_run_group_tests(tests, lamp_set_up, lamp_tear_down);
}
