/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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

static const struct {
  struct hf_bytes text;
  enum hf_rule rule;
  uint32_t at;
} malformed[] = {
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

static void refuses_with_rule_and_offset(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
    expect_refused(malformed[i].text, malformed[i].rule, malformed[i].at);
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

static void nests_to_the_maximum_and_no_deeper(void **state)
{
  (void)state;
  char text[2 * HF_JSON_DEPTH_MAX + 3];
  memset(text, '[', HF_JSON_DEPTH_MAX);
  memset(text + HF_JSON_DEPTH_MAX, ']', HF_JSON_DEPTH_MAX);
  text[2 * HF_JSON_DEPTH_MAX] = 0;
  expect_canonical(text, hf_bytes_text(text));
  memset(text, '[', HF_JSON_DEPTH_MAX + 1);
  memset(text + HF_JSON_DEPTH_MAX + 1, ']', HF_JSON_DEPTH_MAX + 1);
  expect_refused(hf_bytes_init(text, 2 * HF_JSON_DEPTH_MAX + 2), HF_RULE_JSON_DEPTH, HF_JSON_DEPTH_MAX);
}

static void finds_members_by_their_decoded_name(void **state)
{
  (void)state;
  struct hf_json root = parse("{ \"a\" : 1 , \"b\\u0063\" : [ true , \"x\" ] , \"\\ud83d\\ude00\":{\"a\":-5} }");
  struct hf_json value;
  int64_t number;
  assert_int_equal(hf_json_count(root), 3);
  assert_int_equal(hf_json_get(&value, root, "a"), HF_OK);
  assert_int_equal(hf_json_get_int(&number, value), HF_OK);
  assert_true(number == 1);
  assert_int_equal(hf_json_get(&value, root, "bc"), HF_OK);
  assert_int_equal(hf_json_type(value), HF_JSON_ARRAY);
  assert_true(hf_bytes_is(value.text, "[ true , \"x\" ]"));
  assert_int_equal(hf_json_get(&value, root, "\xf0\x9f\x98\x80"), HF_OK);
  assert_int_equal(hf_json_get(&value, value, "a"), HF_OK);
  assert_int_equal(hf_json_get(&value, root, "b\\u0063"), HF_E_NOT_FOUND);
  assert_int_equal(hf_json_get(&value, root, "x"), HF_E_NOT_FOUND);
  assert_int_equal(hf_json_get(&value, root, ""), HF_E_NOT_FOUND);
  assert_int_equal(hf_json_get(&value, parse("[\"a\",1]"), "a"), HF_E_NOT_FOUND);
}

static void walks_give_each_value_once(void **state)
{
  (void)state;
  struct hf_json root = parse("[1,[2,3],{\"k\":[4]},\"]\",null]");
  static const char *const want[] = {"1", "[2,3]", "{\"k\":[4]}", "\"]\"", "null"};
  struct hf_json_walk walk = hf_json_walk_init(root);
  struct hf_json value;
  struct hf_json name;
  for (size_t i = 0; i < 5; i++) {
    assert_true(hf_json_walk_next(&walk, &value));
    assert_true(hf_bytes_is(value.text, want[i]));
  }
  assert_false(hf_json_walk_next(&walk, &value));
  walk = hf_json_walk_init(root);
  assert_false(hf_json_walk_member(&walk, &name, &value)); /* an array has no members */
  walk = hf_json_walk_init(parse("{\"a\":1}"));
  assert_false(hf_json_walk_next(&walk, &value)); /* an object has no elements */
  walk = hf_json_walk_init(parse("\"[1]\""));
  assert_false(hf_json_walk_next(&walk, &value));
}

static void values_are_read_as_their_own_type_only(void **state)
{
  (void)state;
  static const char *const texts[] = {"null", "true", "-9223372036854775808", "\"00fF\"", "[1]", "{\"a\":1}"};
  for (int i = 0; i < 6; i++) {
    struct hf_json value = parse(texts[i]);
    uint8_t room[8];
    uint8_t hex[2];
    struct hf_buf out = hf_buf_init(room, sizeof room);
    int64_t number;
    bool flag;
    assert_int_equal(hf_json_type(value), i);
    assert_int_equal(hf_json_get_bool(&flag, value), i == HF_JSON_BOOL ? HF_OK : HF_E_INPUT);
    assert_int_equal(hf_json_get_int(&number, value), i == HF_JSON_INT ? HF_OK : HF_E_INPUT);
    assert_int_equal(hf_json_get_text(&out, value), i == HF_JSON_TEXT ? HF_OK : HF_E_INPUT);
    assert_int_equal(hf_json_get_hex(hex, 2, value), i == HF_JSON_TEXT ? HF_OK : HF_E_INPUT);
  }
  int64_t number;
  assert_int_equal(hf_json_get_int(&number, parse("-9223372036854775808")), HF_OK);
  assert_true(number == INT64_MIN);
}

static void hex_texts_compare_in_lower_case_and_full_length(void **state)
{
  (void)state;
  struct hf_bytes bytes = HF_LIT("\x00\xab");
  uint8_t out[2];
  assert_true(hf_json_is_hex(parse("\"00ab\""), bytes));
  assert_true(hf_json_is_hex(parse("\"00\\u0061b\""), bytes)); /* the same text, escaped */
  assert_false(hf_json_is_hex(parse("\"00AB\""), bytes));
  assert_false(hf_json_is_hex(parse("\"00a\""), bytes));
  assert_false(hf_json_is_hex(parse("\"00ab0\""), bytes));
  assert_false(hf_json_is_hex(parse("171"), bytes));
  assert_int_equal(hf_json_get_hex(out, 2, parse("\"00ab0\"")), HF_E_INPUT);
  assert_int_equal(hf_json_get_hex(out, 2, parse("\"00a\"")), HF_E_INPUT);
  assert_int_equal(hf_json_get_hex(out, 2, parse("\"00ag\"")), HF_E_INPUT);
}

static void texts_that_do_not_fit_are_told(void **state)
{
  (void)state;
  for (size_t cap = 0; cap < 4; cap++) {
    uint8_t room[4];
    struct hf_buf out = hf_buf_init(room, cap);
    assert_int_equal(hf_json_get_text(&out, parse("\"\\ud83d\\ude00\"")), HF_E_SPACE);
    out = hf_buf_init(room, cap);
    assert_int_equal(hf_json_get_text(&out, parse("\"abcd\"")), HF_E_SPACE);
  }
}

static void a_sink_that_stops_is_not_called_again(void **state)
{
  (void)state;
  static const char text[] = "{\"b\":[1,{\"z\":\"\\n\\\"\"}],\"a\":null}";
  uint8_t room[64];
  struct hf_buf whole = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_json_canonical((struct hf_json_sink){to_buf, &whole}, parse(text)), HF_OK);
  for (size_t cap = 0; cap < whole.len; cap++) {
    uint8_t part[64];
    struct hf_buf out = hf_buf_init(part, cap);
    assert_int_equal(hf_json_canonical((struct hf_json_sink){to_buf, &out}, parse(text)), HF_E_SPACE);
    assert_memory_equal(part, room, out.len);
  }
}

/* `{"n0":0,...}` with `count` members, names descending when `step` is -1. Gives the text: free it. */
static struct hf_buf many_members(unsigned count, int step)
{
  size_t cap = (size_t)count * 16 + 16;
  struct hf_buf text = hf_buf_init(malloc(cap), cap);
  assert_non_null(text.at);
  hf_buf_put_u8(&text, '{');
  for (unsigned i = 0; i < count; i++) {
    char name[16];
    snprintf(name, sizeof name, "n%06u", step > 0 ? i : count - i);
    hf_json_put_name(&text, name);
    hf_json_put_int(&text, 0);
  }
  hf_buf_put_u8(&text, '}');
  assert_false(text.failed);
  return text;
}

static void sorted_objects_have_no_limit(void **state)
{
  (void)state;
  struct hf_buf text = many_members(100000, 1);
  struct hf_json root;
  assert_int_equal(hf_json_parse(&root, hf_buf_bytes(&text), NULL), HF_OK);
  assert_int_equal(hf_json_count(root), 100000);
  free(text.at);
}

/* A file from a stranger may not cost the square of its size, in the check or in the canonical form. */
static void unsorted_objects_have_one(void **state)
{
  (void)state;
  struct hf_json root;
  struct hf_why why = {0};
  struct hf_buf text = many_members(160, -1);
  struct hf_buf out = hf_buf_init(malloc(text.len), text.len);
  struct hf_buf want = many_members(161, 1); /* n000000 to n000160; ours has n000001 to n000160 */
  assert_int_equal(hf_json_parse(&root, hf_buf_bytes(&text), NULL), HF_OK);
  assert_int_equal(hf_json_canonical((struct hf_json_sink){to_buf, &out}, root), HF_OK);
  assert_memory_equal(out.at + 1, want.at + 13, out.len - 1);
  free(want.at);
  free(out.at);
  free(text.at);
  text = many_members(600, -1);
  assert_int_equal(hf_json_parse(&root, hf_buf_bytes(&text), &why), HF_E_INPUT);
  assert_int_equal(why.rule, HF_RULE_JSON_UNSORTED);
  free(text.at);
}

/* One member out of place in a large object would make the canonical form quadratic. */
static void one_misplaced_member_in_a_large_object_is_refused(void **state)
{
  (void)state;
  struct hf_json root;
  struct hf_why why = {0};
  struct hf_buf text = many_members(600, 1);
  size_t last_name = text.len - sizeof "n000599\":0}" + 1;
  assert_int_equal(text.at[last_name], 'n');
  text.at[last_name] = 'a'; /* found by one reading; its canonical form would take 600 */
  assert_int_equal(hf_json_parse(&root, hf_buf_bytes(&text), &why), HF_E_INPUT);
  assert_int_equal(why.rule, HF_RULE_JSON_UNSORTED);
  free(text.at);
}

static void what_is_written_is_read_back(void **state)
{
  (void)state;
  uint8_t room[512];
  uint8_t all[127];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  for (uint8_t c = 0; c < 127; c++) {
    all[c] = c;
  }
  hf_buf_put_u8(&out, '{');
  hf_json_put_name(&out, "a");
  hf_json_put_text(&out, hf_bytes_init(all, sizeof all));
  hf_json_put_name(&out, "b");
  hf_buf_put_u8(&out, '[');
  hf_json_put_comma(&out);
  hf_json_put_int(&out, INT64_MIN);
  hf_json_put_comma(&out);
  hf_json_put_int(&out, INT64_MAX);
  hf_json_put_comma(&out);
  hf_json_put_hex(&out, HF_LIT("\x01\xfe"));
  hf_buf_put_text(&out, "]");
  hf_json_put_name(&out, "c");
  hf_json_put_time(&out, 1795171471);
  hf_buf_put_u8(&out, '}');
  assert_false(out.failed);
  struct hf_json root;
  struct hf_json value;
  assert_int_equal(hf_json_parse(&root, hf_buf_bytes(&out), NULL), HF_OK);
  assert_int_equal(hf_json_get(&value, root, "a"), HF_OK);
  assert_true(hf_json_is_bytes(value, hf_bytes_init(all, sizeof all)));
  assert_int_equal(hf_json_get(&value, root, "b"), HF_OK);
  assert_true(hf_bytes_is(value.text, "[-9223372036854775808,9223372036854775807,\"01fe\"]"));
  assert_int_equal(hf_json_get(&value, root, "c"), HF_OK);
  assert_true(hf_json_is(value, "2026-11-20T10:44:31Z"));
  assert_int_equal(hf_json_at(hf_buf_bytes(&out), value), out.len - 23);
}

/* Cut anywhere, metadata is refused, and the cut text is never read beyond its end. */
static void refuses_metadata_cut_at_every_byte(void **state)
{
  (void)state;
  static const char text[] =
      "{\"signatures\":[{\"keyid\":\"cf\\u0034\",\"sig\":\"30\"}],\"signed\":{\"_type\":\"root\","
      "\"keys\":{},\"ok\":true,\"none\":null,\"version\":-12}}";
  (void)parse(text);
  for (size_t len = 0; len < sizeof text - 1; len++) {
    uint8_t *exact = malloc(len + (len == 0));
    struct hf_json root;
    struct hf_why why = {0};
    assert_non_null(exact);
    memcpy(exact, text, len);
    assert_int_equal(hf_json_parse(&root, hf_bytes_init(exact, len), &why), HF_E_INPUT);
    assert_true(why.rule == HF_RULE_JSON_END || why.rule == HF_RULE_JSON_ESCAPE);
    free(exact);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(accepts_every_kind_of_value),
      cmocka_unit_test(refuses_with_rule_and_offset),
      cmocka_unit_test(writes_the_canonical_form_of_securesystemslib),
      cmocka_unit_test(nests_to_the_maximum_and_no_deeper),
      cmocka_unit_test(finds_members_by_their_decoded_name),
      cmocka_unit_test(walks_give_each_value_once),
      cmocka_unit_test(values_are_read_as_their_own_type_only),
      cmocka_unit_test(hex_texts_compare_in_lower_case_and_full_length),
      cmocka_unit_test(texts_that_do_not_fit_are_told),
      cmocka_unit_test(a_sink_that_stops_is_not_called_again),
      cmocka_unit_test(sorted_objects_have_no_limit),
      cmocka_unit_test(unsorted_objects_have_one),
      cmocka_unit_test(one_misplaced_member_in_a_large_object_is_refused),
      cmocka_unit_test(what_is_written_is_read_back),
      cmocka_unit_test(refuses_metadata_cut_at_every_byte),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
