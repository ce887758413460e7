/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hf/codec/json.h"

static struct hf_json parse(const char *text)
{
  struct hf_json root;
  struct hf_why why = {0};
  if (hf_json_parse(&root, hf_bytes_text(text), &why) != HF_OK) {
    fail_msg("refused at %u, rule %u: %s", why.at, why.rule, text);
  }
  return root;
}

static bool to_buf(void *ctx, struct hf_bytes bytes)
{
  struct hf_buf *buf = ctx;
  hf_buf_put(buf, bytes);
  return !buf->failed;
}

static void expect_canonical(const char *text, struct hf_bytes want)
{
  uint8_t room[1024];
  struct hf_buf buf = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_json_canonical((struct hf_json_sink){to_buf, &buf}, parse(text)), HF_OK);
  assert_int_equal(buf.len, want.len);
  assert_memory_equal(room, want.at, want.len);
}

static void expect_refused(struct hf_bytes text, enum hf_rule rule, uint32_t at)
{
  struct hf_json root;
  struct hf_why why = {0};
  /* Exactly as long as the text, so that the sanitizer sees a read past its end. */
  uint8_t *exact = malloc(text.len + (text.len == 0));
  assert_non_null(exact);
  memcpy(exact, text.at, text.len);
  assert_int_equal(hf_json_parse(&root, hf_bytes_init(exact, text.len), &why), HF_E_INPUT);
  if (why.rule != rule || why.at != at) {
    fail_msg("rule %u at %u, wanted rule %u at %u: %.*s", why.rule, why.at, (unsigned)rule, at, (int)text.len,
             (const char *)text.at);
  }
  free(exact);
}

static void accepts_every_kind_of_value(void **state)
{
  (void)state;
  static const char *const good[] = {"null",
                                     " true ",
                                     "false",
                                     "0",
                                     "-1",
                                     "\"\"",
                                     "[]",
                                     "{}",
                                     "\t\r\n [ ] ",
                                     "[1,[2,{}],\"x\"]",
                                     "9223372036854775807",
                                     "-9223372036854775808",
                                     "{\"a\":{\"a\":{\"a\":1}}}"};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    (void)parse(good[i]);
  }
}

static void refuses_with_rule_and_offset(void **state)
{
  (void)state;
  static const struct {
    struct hf_bytes text;
    enum hf_rule rule;
    uint32_t at;
  } bad[] = {
      {HF_LIT(""), HF_RULE_JSON_END, 0},
      {HF_LIT("  "), HF_RULE_JSON_END, 2},
      {HF_LIT("{"), HF_RULE_JSON_END, 1},
      {HF_LIT("[1"), HF_RULE_JSON_END, 2},
      {HF_LIT("[1,"), HF_RULE_JSON_END, 3},
      {HF_LIT("{\"a\""), HF_RULE_JSON_END, 4},
      {HF_LIT("{\"a\":"), HF_RULE_JSON_END, 5},
      {HF_LIT("\"ab"), HF_RULE_JSON_END, 3},
      {HF_LIT("\"ab\\"), HF_RULE_JSON_END, 3},
      {HF_LIT("tru"), HF_RULE_JSON_END, 3},
      {HF_LIT("-"), HF_RULE_JSON_END, 1},
      {HF_LIT("[1,]"), HF_RULE_JSON_SYNTAX, 3},
      {HF_LIT("[,1]"), HF_RULE_JSON_SYNTAX, 1},
      {HF_LIT("[1 2]"), HF_RULE_JSON_SYNTAX, 3},
      {HF_LIT("{\"a\":1,}"), HF_RULE_JSON_SYNTAX, 7},
      {HF_LIT("{\"a\" 1}"), HF_RULE_JSON_SYNTAX, 5},
      {HF_LIT("{1:1}"), HF_RULE_JSON_SYNTAX, 1},
      {HF_LIT("{a:1}"), HF_RULE_JSON_SYNTAX, 1},
      {HF_LIT("[1}"), HF_RULE_JSON_SYNTAX, 2},
      {HF_LIT("{\"a\":1]"), HF_RULE_JSON_SYNTAX, 6},
      {HF_LIT("]"), HF_RULE_JSON_SYNTAX, 0},
      {HF_LIT("trUe"), HF_RULE_JSON_SYNTAX, 2},
      {HF_LIT("NaN"), HF_RULE_JSON_SYNTAX, 0},
      {HF_LIT("+1"), HF_RULE_JSON_SYNTAX, 0},
      {HF_LIT(".5"), HF_RULE_JSON_SYNTAX, 0},
      {HF_LIT("'a'"), HF_RULE_JSON_SYNTAX, 0},
      {HF_LIT("[1/**/]"), HF_RULE_JSON_SYNTAX, 2},
      {HF_LIT("\xef\xbb\xbf{}"), HF_RULE_JSON_SYNTAX, 0},
      {HF_LIT("\f1"), HF_RULE_JSON_SYNTAX, 0},
      {HF_LIT("\0"), HF_RULE_JSON_SYNTAX, 0},
      {HF_LIT("{}\0"), HF_RULE_JSON_LEFTOVER, 2},
      {HF_LIT("{} {}"), HF_RULE_JSON_LEFTOVER, 3},
      {HF_LIT("1 2"), HF_RULE_JSON_LEFTOVER, 2},
      {HF_LIT("1.0"), HF_RULE_JSON_NUMBER, 0},
      {HF_LIT("[1e5]"), HF_RULE_JSON_NUMBER, 1},
      {HF_LIT("[1E+5]"), HF_RULE_JSON_NUMBER, 1},
      {HF_LIT("01"), HF_RULE_JSON_NUMBER, 0},
      {HF_LIT("-0"), HF_RULE_JSON_NUMBER, 0},
      {HF_LIT("-01"), HF_RULE_JSON_NUMBER, 0},
      {HF_LIT("9223372036854775808"), HF_RULE_JSON_RANGE, 0},
      {HF_LIT("-9223372036854775809"), HF_RULE_JSON_RANGE, 0},
      {HF_LIT("[18446744073709551616]"), HF_RULE_JSON_RANGE, 1},
      {HF_LIT("10000000000000000000000000000000000000000000"), HF_RULE_JSON_RANGE, 0},
      {HF_LIT("\"a\\x\""), HF_RULE_JSON_ESCAPE, 2},
      {HF_LIT("\"\\u12g4\""), HF_RULE_JSON_ESCAPE, 1},
      {HF_LIT("\"\\u12\""), HF_RULE_JSON_ESCAPE, 1},
      {HF_LIT("\"\\\0\""), HF_RULE_JSON_ESCAPE, 1},
      {HF_LIT("\"\\ud800\""), HF_RULE_JSON_SURROGATE, 1},
      {HF_LIT("\"\\udc00\""), HF_RULE_JSON_SURROGATE, 1},
      {HF_LIT("\"\\ud800\\u0041\""), HF_RULE_JSON_SURROGATE, 1},
      {HF_LIT("\"\\ud800\\ud800\""), HF_RULE_JSON_SURROGATE, 1},
      {HF_LIT("\"\\ud800x\""), HF_RULE_JSON_SURROGATE, 1},
      {HF_LIT("\"a\nb\""), HF_RULE_JSON_CONTROL, 2},
      {HF_LIT("\"\0\""), HF_RULE_JSON_CONTROL, 1},
      {HF_LIT("\"\x1f\""), HF_RULE_JSON_CONTROL, 1},
      {HF_LIT("\"a\x80\""), HF_RULE_JSON_UTF8, 2},
      {HF_LIT("\"\xc0\xaf\""), HF_RULE_JSON_UTF8, 1},
      {HF_LIT("\"\xed\xa0\x80\""), HF_RULE_JSON_UTF8, 1},
      {HF_LIT("\"\xf4\x90\x80\x80\""), HF_RULE_JSON_UTF8, 1},
      {HF_LIT("\"\xe2\x82\""), HF_RULE_JSON_UTF8, 1},
      {HF_LIT("{\"\xff\":1}"), HF_RULE_JSON_UTF8, 2},
      {HF_LIT("{\"a\":1,\"a\":1}"), HF_RULE_JSON_DUPLICATE, 7},
      {HF_LIT("{\"a\":1,\"\\u0061\":2}"), HF_RULE_JSON_DUPLICATE, 7},
      {HF_LIT("{\"\\u0061\":1,\"a\":2}"), HF_RULE_JSON_DUPLICATE, 12},
      {HF_LIT("{\"b\":1,\"a\":2,\"b\":3}"), HF_RULE_JSON_DUPLICATE, 13},
      {HF_LIT("{\"c\":1,\"a\":{\"a\":[{\"c\":2}]},\"b\":3,\"a\":4}"), HF_RULE_JSON_DUPLICATE, 33},
      {HF_LIT("[[{\"x\":{\"z\":0,\"y\":0,\"z\":0}}]]"), HF_RULE_JSON_DUPLICATE, 20},
      {HF_LIT("{\"\":1,\"\":2}"), HF_RULE_JSON_DUPLICATE, 6},
      {HF_LIT("{\"\\/\":1,\"/\":2}"), HF_RULE_JSON_DUPLICATE, 8},
      {HF_LIT("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}"), HF_RULE_JSON_DUPLICATE, 18},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    expect_refused(bad[i].text, bad[i].rule, bad[i].at);
  }
}

static void writes_the_canonical_form_of_securesystemslib(void **state)
{
  (void)state;
  expect_canonical(" { \"b\" : [ 1 , -2 ] , \"a\" : null } ", HF_LIT("{\"a\":null,\"b\":[1,-2]}"));
  expect_canonical("\"\\n\\t\\u0000\\u001f\\u007f\"", HF_LIT("\"\n\t\0\x1f\x7f\""));
  expect_canonical("\"\\\" \\\\ \\/ \\u0022 \\u005c\"", HF_LIT("\"\\\" \\\\ / \\\" \\\\\""));
  expect_canonical("\"\\ud83d\\ude00\\u20ac\\u00e9\"", HF_LIT("\"\xf0\x9f\x98\x80\xe2\x82\xac\xc3\xa9\""));
  expect_canonical("{\"z\":{\"y\":{},\"x\":[]},\"a\":[{\"d\":1,\"c\":2}]}",
                   HF_LIT("{\"a\":[{\"c\":2,\"d\":1}],\"z\":{\"x\":[],\"y\":{}}}"));
  expect_canonical("{\"\\u0062\":1,\"a\":2,\"\":3,\"ab\":4}", HF_LIT("{\"\":3,\"a\":2,\"ab\":4,\"b\":1}"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(accepts_every_kind_of_value),
      cmocka_unit_test(refuses_with_rule_and_offset),
      cmocka_unit_test(writes_the_canonical_form_of_securesystemslib),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
