/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ports/posix/https.h"
#include "webserver.h"

#define DAY INT64_C(86400)

static struct minica ca; /* vouches for the server, and for clients */
static EVP_PKEY *server_key;
static STACK_OF(X509) * trusted; /* what the device pins */
static struct webserver server;
static struct hf_https https;
static struct hf_clock clock_now;
static struct hf_https_spec spec;
static bool keep_waiting;

/* ---- fixtures ---- */

static bool wait_hook(void *ctx)
{
  (*(unsigned *)ctx)++;
  return keep_waiting;
}

static unsigned waits;

static void start(const char *san, int64_t begins, int64_t ends)
{
  const struct minica_leaf leaf = {.name = "server", .san = san, .begins = begins, .ends = ends};
  X509 *cert = minica_issue(&ca, server_key, &leaf);
  const struct webserver_spec web = {.key = server_key, .cert = cert, .client_ca = &ca};
  webserver_open(&server, &web);
  X509_free(cert);
  keep_waiting = true;
  waits = 0;
  int64_t now = time(NULL);
  clock_now = (struct hf_clock){.floor = now - 30 * DAY, .ceiling = now + DAY, .told = 0};
  spec = (struct hf_https_spec){.server = server.url,
                                .server_ca = trusted,
                                .clock = &clock_now,
                                .deadline_s = 20,
                                .rate_window_s = 3,
                                .rate_min = 64,
                                .wait = wait_hook,
                                .ctx = &waits};
}

static int setup(void **state)
{
  (void)state;
  int64_t now = time(NULL);
  start("IP:127.0.0.1", now - DAY, now + DAY);
  assert_int_equal(hf_https_open(&https, &spec), HF_OK);
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  hf_https_close(&https);
  webserver_close(&server);
  return 0;
}

struct sink {
  uint8_t bytes[2 * WEBSERVER_BYTES];
  size_t len;
  size_t fail_at; /* refuse a piece that would reach this; 0: never */
};

static struct sink got;

static enum hf_err take(void *ctx, struct hf_bytes piece)
{
  struct sink *sink = ctx;
  if (sink->fail_at != 0 && sink->len + piece.len >= sink->fail_at) {
    return HF_E_FULL;
  }
  assert_true(piece.len <= sizeof sink->bytes - sink->len);
  memcpy(sink->bytes + sink->len, piece.at, piece.len);
  sink->len += piece.len;
  return HF_OK;
}

static enum hf_err ask(struct hf_http_reply *reply, const struct hf_http_request *request)
{
  return hf_https_ops.request(&https, reply, request, (struct hf_sink){.put = take, .ctx = &got});
}

static enum hf_err get(struct hf_http_reply *reply, const char *path, uint64_t from, uint64_t max_len)
{
  memset(&got, 0, sizeof got);
  return ask(reply, &(struct hf_http_request){.method = "GET", .path = path, .range_from = from, .max_len = max_len});
}

static void expect_body(const char *text)
{
  assert_int_equal(got.len, strlen(text));
  assert_memory_equal(got.bytes, text, got.len);
}

/* ---- replies ---- */

static void gets_a_reply_and_its_body(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  assert_int_equal(get(&reply, "/ok", 0, 100), HF_OK);
  assert_int_equal(reply.status, 200);
  expect_body("hello");
  assert_int_equal(get(&reply, "/empty", 0, 100), HF_OK);
  assert_int_equal(reply.status, 200);
  assert_int_equal(got.len, 0);
}

static void posts_a_body_with_its_type(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  memset(&got, 0, sizeof got);
  const struct hf_http_request request = {.method = "POST",
                                          .path = "/echo",
                                          .content_type = "application/cbor",
                                          .body = hf_bytes_init("\xa1\x00\x01", 3),
                                          .max_len = 100};
  assert_int_equal(ask(&reply, &request), HF_OK);
  assert_int_equal(got.len, 3);
  assert_memory_equal(got.bytes, "\xa1\x00\x01", 3);
  /* A GET after a POST is a GET. */
  assert_int_equal(get(&reply, "/ok", 0, 100), HF_OK);
  expect_body("hello");
}

static void resumes_the_tls_session_on_a_new_connection(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  assert_int_equal(get(&reply, "/cut", 0, WEBSERVER_BYTES), HF_E_AGAIN); /* ends the connection */
  assert_int_equal(get(&reply, "/resumed", 0, 100), HF_OK);
  expect_body("2 resumed");
}

static void keeps_the_connection(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  for (unsigned i = 1; i <= 5; i++) {
    char want[16];
    (void)snprintf(want, sizeof want, "1 %u", i);
    assert_int_equal(get(&reply, "/count", 0, 100), HF_OK);
    expect_body(want);
  }
}

static void a_missing_page_is_a_complete_reply_without_body(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  assert_int_equal(get(&reply, "/missing", 0, 3), HF_OK);
  assert_int_equal(reply.status, 404);
  assert_int_equal(got.len, 0);
}

static void does_not_follow_redirects(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  assert_int_equal(get(&reply, "/redirect", 0, 100), HF_OK);
  assert_int_equal(reply.status, 302);
  assert_int_equal(got.len, 0);
}

static void tells_when_to_come_back(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  assert_int_equal(get(&reply, "/retry", 0, 100), HF_OK);
  assert_int_equal(reply.status, 503);
  assert_int_equal(reply.retry_after_s, 7);
}

/* ---- ranges ---- */

static void expect_bytes(size_t from)
{
  assert_int_equal(got.len, WEBSERVER_BYTES - from);
  for (size_t i = 0; i < got.len; i++) {
    assert_int_equal(got.bytes[i], webserver_byte(from + i));
  }
}

static void resumes_where_it_is_told_to(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  assert_int_equal(get(&reply, "/bytes", 77777, WEBSERVER_BYTES), HF_OK);
  assert_int_equal(reply.status, 206);
  assert_int_equal(reply.range_from, 77777);
  expect_bytes(77777);
  assert_int_equal(get(&reply, "/bytes", 0, WEBSERVER_BYTES), HF_OK); /* the range does not stick to the handle */
  assert_int_equal(reply.status, 200);
  expect_bytes(0);
}

static void says_when_the_range_was_ignored(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  assert_int_equal(get(&reply, "/norange", 5000, WEBSERVER_BYTES), HF_OK);
  assert_int_equal(reply.status, 200);
  assert_int_equal(reply.range_from, 0);
  expect_bytes(0);
}

static void refuses_a_part_that_starts_elsewhere(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  assert_int_equal(get(&reply, "/wrongrange", 5000, WEBSERVER_BYTES), HF_E_AGAIN);
  assert_int_equal(got.len, 0);
}

static void finishes_a_download_that_is_cut_again_and_again(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  unsigned requests = 0;
  memset(&got, 0, sizeof got);
  while (got.len < WEBSERVER_BYTES && requests < 10) {
    const struct hf_http_request request = {
        .method = "GET", .path = "/cut", .range_from = got.len, .max_len = WEBSERVER_BYTES - got.len};
    size_t before = got.len;
    enum hf_err err = ask(&reply, &request);
    assert_int_equal(err, got.len < WEBSERVER_BYTES ? HF_E_AGAIN : HF_OK);
    assert_true(got.len > before);
    requests++;
  }
  assert_int_equal(requests, 4); /* 30000 bytes each */
  expect_bytes(0);
}

static void parses_content_range_strictly_enough(void **state)
{
  (void)state;
  uint64_t from = 0;
  assert_int_equal(hf_https_parse_range(&from, HF_LIT("bytes 123-199/200")), HF_OK);
  assert_int_equal(from, 123);
  assert_int_equal(hf_https_parse_range(&from, HF_LIT("bytes 0-1/*")), HF_OK);
  assert_int_equal(from, 0);
  const char *const bad[] = {
      "",        "bytes", "bytes ", "bytes */200", "bytes -5/200", "octets 1-2/3", "bytes 99999999999999999999-1/2",
      "bytes 12"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(hf_https_parse_range(&from, hf_bytes_text(bad[i])), HF_E_INPUT);
  }
}

/* ---- bad servers ---- */

static void stops_at_the_wanted_length(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  assert_int_equal(get(&reply, "/endless", 0, 50000), HF_E_SPACE);
  assert_true(got.len <= 50000);
  assert_int_equal(get(&reply, "/bytes", 0, WEBSERVER_BYTES - 1), HF_E_SPACE);
  assert_int_equal(get(&reply, "/bytes", 0, WEBSERVER_BYTES), HF_OK);
}

static void gives_up_on_a_drip_within_the_window(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  time_t began = time(NULL);
  assert_int_equal(get(&reply, "/drip", 0, WEBSERVER_BYTES), HF_E_AGAIN);
  assert_in_range(time(NULL) - began, 2, 8); /* the window is 3 s, the deadline 20 */
  assert_true(waits > 2);                    /* the product went on meanwhile */
}

static void gives_up_on_silence_at_the_deadline(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  hf_https_close(&https);
  spec.deadline_s = 2;
  spec.rate_min = 0;
  assert_int_equal(hf_https_open(&https, &spec), HF_OK);
  time_t began = time(NULL);
  assert_int_equal(get(&reply, "/silent", 0, 100), HF_E_AGAIN);
  assert_in_range(time(NULL) - began, 1, 6);
}

static void stops_when_it_is_told_to(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  keep_waiting = false;
  time_t began = time(NULL);
  assert_int_equal(get(&reply, "/silent", 0, 100), HF_E_AGAIN);
  assert_true(time(NULL) - began < 5);
}

static void hands_back_what_the_sink_said(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  memset(&got, 0, sizeof got);
  got.fail_at = 20000;
  const struct hf_http_request request = {.method = "GET", .path = "/bytes", .max_len = WEBSERVER_BYTES};
  assert_int_equal(ask(&reply, &request), HF_E_FULL);
  assert_true(got.len < 20000);
}

static void refuses_paths_that_are_none(void **state)
{
  (void)state;
  static char longest[HF_HTTPS_URL_MAX + 10];
  struct hf_http_reply reply;
  assert_int_equal(get(&reply, "ok", 0, 100), HF_E_INPUT);
  memset(longest, 'a', sizeof longest - 1);
  longest[0] = '/';
  assert_int_equal(get(&reply, longest, 0, 100), HF_E_INPUT);
}

static void takes_nothing_from_the_environment(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  assert_int_equal(setenv("https_proxy", "http://127.0.0.1:9", 1), 0);
  assert_int_equal(setenv("HTTPS_PROXY", "http://127.0.0.1:9", 1), 0);
  assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:9", 1), 0);
  assert_int_equal(setenv("SSL_CERT_FILE", "/dev/null", 1), 0);
  assert_int_equal(get(&reply, "/ok", 0, 100), HF_OK);
  assert_int_equal(unsetenv("https_proxy"), 0);
  assert_int_equal(unsetenv("HTTPS_PROXY"), 0);
  assert_int_equal(unsetenv("ALL_PROXY"), 0);
  assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
}

static void limits_its_own_rate(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  hf_https_close(&https);
  spec.rate_max = 40000;
  assert_int_equal(hf_https_open(&https, &spec), HF_OK);
  time_t began = time(NULL);
  assert_int_equal(get(&reply, "/bytes", 0, WEBSERVER_BYTES), HF_OK);
  assert_in_range(time(NULL) - began, 1, 8);
}

/* ---- who is who ---- */

static void shows_the_identity_it_is_given(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  int64_t now = time(NULL);
  uint8_t pem[HF_KEY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  struct hf_identity_pair pair;
  assert_int_equal(hf_key_new(&pair.key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_encode(&buf, pair.key, (struct hf_bytes){NULL, 0}), HF_OK);
  const struct minica_leaf leaf = {.name = "thermo-0001", .begins = now - DAY, .ends = now + DAY};
  pair.cert = minica_issue(&ca, hf_key_native(pair.key), &leaf);
  assert_int_equal(get(&reply, "/who", 0, 500), HF_OK);
  expect_body("nobody ");
  assert_int_equal(hf_https_login(&https, &(struct hf_https_login){.pair = &pair}), HF_OK);
  assert_int_equal(get(&reply, "/who", 0, 500), HF_OK);
  expect_body("thermo-0001 ");
  assert_int_equal(hf_https_login(&https, &(struct hf_https_login){.name = "a", .password = "b"}), HF_OK);
  assert_int_equal(get(&reply, "/who", 0, 500), HF_OK);
  expect_body("nobody Basic YTpi");
  X509_free(pair.cert);

  /* A certificate the server does not accept: it is told apart from a bad network. */
  struct minica stranger = minica_open("stranger", now - DAY, now + DAY);
  pair.cert = minica_issue(&stranger, hf_key_native(pair.key), &leaf);
  assert_int_equal(hf_https_login(&https, &(struct hf_https_login){.pair = &pair}), HF_OK);
  assert_int_equal(get(&reply, "/who", 0, 500), HF_E_DENIED);
  assert_true(hf_https_refused(&https));
  X509_free(pair.cert);
  minica_close(&stranger);
  hf_key_free(pair.key);
}

/* Another server than the fixture's. */
static enum hf_err ask_server(const char *san, int64_t begins, int64_t ends)
{
  struct hf_http_reply reply;
  struct hf_clock clock = clock_now;
  hf_https_close(&https);
  webserver_close(&server);
  start(san, begins, ends);
  clock_now = clock;
  assert_int_equal(hf_https_open(&https, &spec), HF_OK);
  enum hf_err err = get(&reply, "/ok", 0, 100);
  assert_int_equal(got.len, err == HF_OK ? 5 : 0);
  return err;
}

static void refuses_a_server_of_another_ca(void **state)
{
  (void)state;
  int64_t now = time(NULL);
  struct minica own = ca;
  ca = minica_open("another", now - DAY, now + DAY);
  assert_int_equal(ask_server("IP:127.0.0.1", now - DAY, now + DAY), HF_E_DENIED);
  minica_close(&ca);
  ca = own;
}

static void refuses_a_server_of_another_name(void **state)
{
  (void)state;
  int64_t now = time(NULL);
  assert_int_equal(ask_server("IP:127.0.0.2", now - DAY, now + DAY), HF_E_DENIED);
  assert_int_equal(ask_server("DNS:localhost", now - DAY, now + DAY), HF_E_DENIED);
  assert_int_equal(ask_server(NULL, now - DAY, now + DAY), HF_E_DENIED);
  assert_int_equal(ask_server("IP:127.0.0.1", now - DAY, now + DAY), HF_OK);
}

static void a_confirmed_clock_judges_dates_strictly(void **state)
{
  (void)state;
  int64_t now = time(NULL);
  clock_now.told = now;
  clock_now.told_ms = hf_port_uptime_ms();
  assert_int_equal(ask_server("IP:127.0.0.1", now - 2 * DAY, now - DAY), HF_E_DENIED);
  assert_int_equal(ask_server("IP:127.0.0.1", now + DAY, now + 2 * DAY), HF_E_DENIED);
  assert_int_equal(ask_server("IP:127.0.0.1", now - DAY, now + DAY), HF_OK);
}

static void the_server_time_counts_and_not_the_machines(void **state)
{
  (void)state;
  int64_t now = time(NULL);
  clock_now.told = now + 400 * DAY;
  clock_now.told_ms = hf_port_uptime_ms();
  assert_int_equal(ask_server("IP:127.0.0.1", now - DAY, now + DAY), HF_E_DENIED);
}

static void an_unconfirmed_clock_is_no_reason_to_stay_away(void **state)
{
  (void)state;
  int64_t now = time(NULL);
  clock_now.told = 0;
  clock_now.floor = now - 30 * DAY;
  /* It ended, or begins, at a time this device cannot rule out. */
  assert_int_equal(ask_server("IP:127.0.0.1", now - 20 * DAY, now - 10 * DAY), HF_OK);
  assert_true(https.bad_dates);
  assert_int_equal(ask_server("IP:127.0.0.1", now + 10 * DAY, now + 20 * DAY), HF_OK);
  /* It ended before the floor: no clock can be so wrong that this is valid. */
  assert_int_equal(ask_server("IP:127.0.0.1", now - 50 * DAY, now - 40 * DAY), HF_E_DENIED);
  /* Dates are all that is overlooked. */
  assert_int_equal(ask_server("IP:127.0.0.2", now - 20 * DAY, now - 10 * DAY), HF_E_DENIED);
}

static void without_a_server_it_is_the_network(void **state)
{
  (void)state;
  struct hf_http_reply reply;
  webserver_close(&server);
  assert_int_equal(get(&reply, "/ok", 0, 100), HF_E_AGAIN);
  assert_int_equal(reply.status, 0);
  int64_t now = time(NULL);
  start("IP:127.0.0.1", now - DAY, now + DAY);
}

int main(void)
{
  int64_t now = time(NULL);
  ca = minica_open("test CA", now - 3650 * DAY, now + 3650 * DAY);
  server_key = minica_key();
  trusted = sk_X509_new_null();
  if (sk_X509_push(trusted, ca.cert) != 1) {
    return 1;
  }
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {CASE(gets_a_reply_and_its_body),
                                     CASE(posts_a_body_with_its_type),
                                     CASE(keeps_the_connection),
                                     CASE(resumes_the_tls_session_on_a_new_connection),
                                     CASE(a_missing_page_is_a_complete_reply_without_body),
                                     CASE(does_not_follow_redirects),
                                     CASE(tells_when_to_come_back),
                                     CASE(resumes_where_it_is_told_to),
                                     CASE(says_when_the_range_was_ignored),
                                     CASE(refuses_a_part_that_starts_elsewhere),
                                     CASE(finishes_a_download_that_is_cut_again_and_again),
                                     cmocka_unit_test(parses_content_range_strictly_enough),
                                     CASE(stops_at_the_wanted_length),
                                     CASE(gives_up_on_a_drip_within_the_window),
                                     CASE(gives_up_on_silence_at_the_deadline),
                                     CASE(stops_when_it_is_told_to),
                                     CASE(hands_back_what_the_sink_said),
                                     CASE(refuses_paths_that_are_none),
                                     CASE(takes_nothing_from_the_environment),
                                     CASE(limits_its_own_rate),
                                     CASE(shows_the_identity_it_is_given),
                                     CASE(refuses_a_server_of_another_ca),
                                     CASE(refuses_a_server_of_another_name),
                                     CASE(a_confirmed_clock_judges_dates_strictly),
                                     CASE(the_server_time_counts_and_not_the_machines),
                                     CASE(an_unconfirmed_clock_is_no_reason_to_stay_away),
                                     CASE(without_a_server_it_is_the_network)};
  (void)alarm(200);
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  sk_X509_free(trusted);
  EVP_PKEY_free(server_key);
  minica_close(&ca);
  return failed;
}
