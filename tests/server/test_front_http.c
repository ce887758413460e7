/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/server/front_http.h"

static enum hf_err parse(struct hf_http_request *request, const char *text)
{
  return hf_http_parse(request, hf_bytes_text(text));
}

static void reads_a_usual_request(void **state)
{
  (void)state;
  struct hf_http_request request;
  const char *text = "PUT /api/v1/uploads/ab?x=1&y HTTP/1.1\r\nHost: localhost:8080\r\nAuthorization: bearer  hf_x \r\n"
                     "Cookie: a=b; hf_session=secret\r\nX-CSRF-Token: t\r\ncontent-length: 12\r\nExpect: "
                     "100-continue\r\nConnection: TE, close\r\n\r\nbody";
  assert_int_equal(parse(&request, text), HF_OK);
  assert_int_equal(request.method, HF_HTTP_PUT);
  assert_true(hf_bytes_is(request.path, "/api/v1/uploads/ab"));
  assert_true(hf_bytes_is(request.query, "x=1&y"));
  assert_true(hf_bytes_is(request.host, "localhost:8080"));
  assert_true(hf_bytes_is(hf_http_credentials(request.authorization, "Bearer"), "hf_x"));
  assert_true(hf_bytes_is(hf_http_cookie(request.cookie, "hf_session"), "secret"));
  assert_int_equal(hf_http_cookie(request.cookie, "session").len, 0);
  assert_true(request.has_length && request.content_length == 12);
  assert_true(request.expect_continue);
  assert_false(request.keep_alive);
  assert_int_equal(request.head_len, strlen(text) - 4);
}

/* What proxies and servers have disagreed about: request smuggling lives here. */
static void refuses_what_two_readers_could_read_differently(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    int status;
  } bad[] = {
      {"GET / HTTP/1.1\nHost: a\n\n\r\n\r\n", 400},          /* bare LF */
      {"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400},      /* bare CR */
      {"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400}, /* obs-fold */
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},           /* blank before colon */
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400}, /* two hosts */
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x10\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 411},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 411},
      {"GET / HTTP/1.1\r\n\r\n", 400},                    /* no Host */
      {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400}, /* absolute form */
      {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},        /* two blanks */
      {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"GET /\r\nHost: a\r\n\r\n", 400}, /* HTTP/0.9 */
      {"G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n", 417},
      {"\x16\x03\x01", 400}, /* TLS on a plain port */
      {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct hf_http_request request;
    enum hf_err err = parse(&request, bad[i].text);
    if (err != HF_E_INPUT || request.refuse != bad[i].status || request.reason == NULL) {
      fail_msg("row %zu: %s, status %d", i, hf_err_name(err), request.refuse);
    }
  }
}

static void a_nul_byte_in_the_head_is_refused(void **state)
{
  (void)state;
  static const char text[] = "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n";
  struct hf_http_request request;
  assert_int_equal(hf_http_parse(&request, hf_bytes_init(text, sizeof text - 1)), HF_E_INPUT);
}

static void waits_at_every_byte_until_the_head_is_whole(void **state)
{
  (void)state;
  const char *text = "GET /repo/metadata/timestamp.json HTTP/1.1\r\nHost: a\r\n\r\n";
  for (size_t len = 0; len < strlen(text); len++) {
    struct hf_http_request request;
    char *exact = malloc(len + 1);
    assert_non_null(exact);
    memcpy(exact, text, len);
    assert_int_equal(hf_http_parse(&request, hf_bytes_init(exact, len)), HF_E_AGAIN);
    free(exact);
  }
}

static void a_head_beyond_its_limits_is_refused(void **state)
{
  (void)state;
  static char text[HF_HTTP_HEAD_MAX + 100];
  struct hf_http_request request;
  memset(text, 'a', sizeof text - 1);
  memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
  assert_int_equal(parse(&request, text), HF_E_INPUT);
  assert_int_equal(request.refuse, 431);
  size_t len = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n");
  for (int i = 0; i < HF_HTTP_FIELDS_MAX; i++) {
    len += (size_t)snprintf(text + len, sizeof text - len, "X: %d\r\n", i);
  }
  (void)snprintf(text + len, sizeof text - len, "\r\n");
  assert_int_equal(parse(&request, text), HF_E_INPUT);
  assert_int_equal(request.refuse, 431);
  len = (size_t)snprintf(text, sizeof text, "GET /");
  memset(text + len, 'a', HF_HTTP_TARGET_MAX);
  (void)snprintf(text + len + HF_HTTP_TARGET_MAX, 64, " HTTP/1.1\r\nHost: a\r\n\r\n");
  assert_int_equal(parse(&request, text), HF_E_INPUT);
  assert_int_equal(request.refuse, 414);
}

static void only_plain_relative_paths_name_files(void **state)
{
  (void)state;
  static const char *const good[] = {"metadata/1.root.json", "targets/thermostat/1.1.0+3/ab.main.img", "a",
                                     "a/b/c_d-e"};
  static const char *const bad[] = {"",     "/",   "/etc/passwd", "..",          "../x",  "a/..",     "a/../b",
                                    "a//b", "a/",  ".hidden",     "a/.b",        "a/./b", "%2e%2e/x", "a%00b",
                                    "a\\b", "a b", "a:b",         "caf\xc3\xa9", "...",   "a/..."};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_true(hf_http_path_check(hf_bytes_text(good[i])));
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    if (hf_http_path_check(hf_bytes_text(bad[i]))) {
      fail_msg("%s", bad[i]);
    }
  }
}

static void ranges_are_as_the_standard_says(void **state)
{
  (void)state;
  static const struct {
    const char *field;
    enum hf_err err;
    uint64_t from, len;
  } rows[] = {
      {"bytes=0-9", HF_OK, 0, 10},         {"bytes=90-", HF_OK, 90, 10},
      {"bytes=-7", HF_OK, 93, 7},          {"bytes=50-500", HF_OK, 50, 50},
      {"bytes=-500", HF_OK, 0, 100},       {"bytes=99-99", HF_OK, 99, 1},
      {"bytes=100-", HF_E_INPUT, 0, 0},    {"bytes=-0", HF_E_INPUT, 0, 0},
      {"bytes=5-4", HF_E_NOT_FOUND, 0, 0}, {"bytes=0-1,3-4", HF_E_NOT_FOUND, 0, 0},
      {"items=0-1", HF_E_NOT_FOUND, 0, 0}, {"bytes=", HF_E_NOT_FOUND, 0, 0},
      {"bytes=-", HF_E_NOT_FOUND, 0, 0},   {"bytes=a-b", HF_E_NOT_FOUND, 0, 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct hf_http_range range = {0};
    enum hf_err err = hf_http_range_parse(&range, hf_bytes_text(rows[i].field), 100);
    if (err != rows[i].err || (err == HF_OK && (range.from != rows[i].from || range.len != rows[i].len))) {
      fail_msg("%s: %s %llu+%llu", rows[i].field, hf_err_name(err), (unsigned long long)range.from,
               (unsigned long long)range.len);
    }
  }
  struct hf_http_range range;
  assert_int_equal(hf_http_range_parse(&range, HF_LIT("bytes=0-"), 0), HF_E_INPUT);
}

static void etags_and_queries_are_found(void **state)
{
  (void)state;
  uint64_t value = 0;
  assert_true(hf_http_etag_listed(HF_LIT("\"a\", W/\"b\""), HF_LIT("\"b\"")));
  assert_true(hf_http_etag_listed(HF_LIT(" * "), HF_LIT("\"b\"")));
  assert_false(hf_http_etag_listed(HF_LIT("\"a\",\"bc\""), HF_LIT("\"b\"")));
  assert_false(hf_http_etag_listed(HF_LIT(""), HF_LIT("")));
  assert_true(hf_http_query_uint(&value, HF_LIT("limit=5&since=41"), "since"));
  assert_int_equal(value, 41);
  assert_false(hf_http_query_uint(&value, HF_LIT("since=x"), "since"));
  assert_false(hf_http_query_uint(&value, HF_LIT("xsince=1"), "since"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_a_usual_request),
      cmocka_unit_test(refuses_what_two_readers_could_read_differently),
      cmocka_unit_test(a_nul_byte_in_the_head_is_refused),
      cmocka_unit_test(waits_at_every_byte_until_the_head_is_whole),
      cmocka_unit_test(a_head_beyond_its_limits_is_refused),
      cmocka_unit_test(only_plain_relative_paths_name_files),
      cmocka_unit_test(ranges_are_as_the_standard_says),
      cmocka_unit_test(etags_and_queries_are_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
