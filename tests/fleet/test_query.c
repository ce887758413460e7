/* SPDX-License-Identifier: Apache-2.0
 * Group expressions: what they mean, and every way to write them wrong. That the SQL form means the same is
 * tests/server/test_groups.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hf/fleet/query.h"
#include "hf/fleet/release.h"

static const struct hf_query_attribute attributes[] = {{HF_LIT("room"), HF_LIT("Lab 7")},
                                                       {HF_LIT("floor"), HF_LIT("-3")},
                                                       {HF_LIT("version"), HF_LIT("x")},
                                                       {HF_LIT("t"), HF_LIT("a\xc3\xa9z")}};

static struct hf_query_device thermostat(void)
{
  struct hf_version version = {.major = 1, .minor = 0, .revision = 5};
  return (struct hf_query_device){.id = HF_LIT("sn-17"),
                                  .product = HF_LIT("thermostat"),
                                  .hardware = HF_LIT("board-a"),
                                  .has_version = true,
                                  .version_key = hf_release_version_key(&version),
                                  .state = 7,
                                  .attribute = attributes,
                                  .attribute_count = sizeof attributes / sizeof *attributes};
}

static bool matches(const char *text)
{
  struct hf_query query;
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct hf_query_device device = thermostat();
  if (hf_query_parse(&query, hf_bytes_text(text), &why) != HF_OK) {
    fail_msg("%s: rule %u at %u", text, why.rule, why.at);
  }
  return hf_query_match(&query, &device);
}

static void compares_fields_and_attributes(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    bool belongs;
  } cases[] = {
      {"product = thermostat and version < 1.1 and room ~ \"lab*\"", true},
      {"product = toaster or id = sn-17", true},
      {"product=thermostat and not version>=1.1", true},
      {"version = 1.0.5", true},
      {"version != 1.0.5", false},
      {"version > 1.0.4", true},
      {"version <= 1.0.4", false},
      {"version < 200.0", true},
      {"state = failed", true},
      {"state != silent", true},
      {"blocked = no", true},
      {"blocked = true", false},
      {"room = \"lab 7\"", false},
      {"room = \"Lab 7\"", true},
      {"room ~ \"LAB?7\"", true},
      {"room !~ \"*7\"", false},
      {"room ~ \"\"", false},
      {"t ~ a?z", true}, /* one character, two bytes */
      {"t ~ a??z", false},
      {"floor = -3", true},
      {"floor < 0", true},
      {"floor >= -3", true},
      {"floor > -3", false},
      {"room > 5", false}, /* no number there */
      {"nothing = x", false},
      {"nothing != x", true},
      {"nothing !~ x", true},
      {"nothing ~ *", false},
      {"nothing < 5", false},
      {"@version = x", true},
      {"hardware ~ board-?", true},
      {"id ~ sn-*7", true},
      {"id ~ *", true},
      {"id ~ sn-*8", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (matches(cases[i].text) != cases[i].belongs) {
      fail_msg("%s", cases[i].text);
    }
  }
}

static void and_binds_closer_than_or_and_not_closest(void **state)
{
  (void)state;
  assert_true(matches("id = sn-17 or id = a and id = b"));
  assert_false(matches("(id = sn-17 or id = a) and id = b"));
  assert_true(matches("not id = a and id = sn-17"));
  assert_false(matches("not (id = a or id = sn-17)"));
  assert_true(matches("not not id = sn-17"));
  assert_true(matches("not (not (id = sn-17))"));
  assert_true(matches("id = a or id = b or id = c or not id = d and id = sn-17"));
}

static void a_device_without_version_is_neither_older_nor_newer(void **state)
{
  (void)state;
  struct hf_query query;
  struct hf_query_device device = thermostat();
  device.has_version = false;
  device.version_key = 0;
  assert_int_equal(hf_query_parse(&query, HF_LIT("version < 255.0 or version >= 0.0"), NULL), HF_OK);
  assert_false(hf_query_match(&query, &device));
  assert_int_equal(hf_query_parse(&query, HF_LIT("version != 1.0"), NULL), HF_OK);
  assert_true(hf_query_match(&query, &device));
}

static void refuses_what_is_wrong_and_says_where(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    uint16_t rule;
    uint32_t at;
  } cases[] = {
      {"", HF_RULE_QUERY_LENGTH, 0},
      {"   ", HF_RULE_QUERY_END, 3},
      {"product", HF_RULE_QUERY_OPERATOR, 7},
      {"product =", HF_RULE_QUERY_END, 9},
      {"product = ;", HF_RULE_QUERY_VALUE, 10},
      {"product < a", HF_RULE_QUERY_OPERATOR, 10},
      {"version = x", HF_RULE_QUERY_VALUE, 10},
      {"version ~ 1.0", HF_RULE_QUERY_OPERATOR, 10},
      {"state = gone", HF_RULE_QUERY_VALUE, 8},
      {"state < idle", HF_RULE_QUERY_OPERATOR, 8},
      {"blocked = maybe", HF_RULE_QUERY_VALUE, 10},
      {"floor < abc", HF_RULE_QUERY_VALUE, 8},
      {"floor < 1234567890123456789", HF_RULE_QUERY_VALUE, 8},
      {"Room = x", HF_RULE_QUERY_NAME, 0},
      {"and = x", HF_RULE_QUERY_NAME, 0},
      {"@ = x", HF_RULE_QUERY_NAME, 0},
      {"a = b c", HF_RULE_QUERY_WORD, 6},
      {"a = b and", HF_RULE_QUERY_END, 9},
      {"a = b or or c = d", HF_RULE_QUERY_NAME, 9},
      {"(a = b", HF_RULE_QUERY_BRACKET, 6},
      {"a = b)", HF_RULE_QUERY_BRACKET, 5},
      {"()", HF_RULE_QUERY_NAME, 1},
      {"a = \"b", HF_RULE_QUERY_QUOTE, 4},
      {"a = \"b\\n\"", HF_RULE_QUERY_QUOTE, 4},
      {"a = \"\x01\"", HF_RULE_QUERY_VALUE, 4},
      {"not", HF_RULE_QUERY_END, 3},
      {"a = b; drop table device", HF_RULE_QUERY_WORD, 5},
      {"abcdefghijklmnopqrstuvwxyzabcdefg = 1", HF_RULE_QUERY_NAME, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hf_query query;
    struct hf_why why = {.rule = HF_RULE_NONE};
    enum hf_err err = hf_query_parse(&query, hf_bytes_text(cases[i].text), &why);
    if (err != HF_E_INPUT || why.rule != cases[i].rule || why.at != cases[i].at) {
      fail_msg("\"%s\": %s, rule %u at %u", cases[i].text, hf_err_name(err), why.rule, why.at);
    }
  }
}

static void keeps_its_bounds(void **state)
{
  (void)state;
  static char text[HF_QUERY_TEXT_MAX + 16];
  struct hf_query query;
  struct hf_why why = {.rule = HF_RULE_NONE};
  memset(text, '(', 17);
  snprintf(text + 17, sizeof text - 17, "a = b");
  assert_int_equal(hf_query_parse(&query, hf_bytes_text(text), &why), HF_E_INPUT);
  assert_int_equal(why.rule, HF_RULE_QUERY_DEPTH);
  size_t len = 0;
  for (int i = 0; i < 60; i++) {
    len += (size_t)snprintf(text + len, sizeof text - len, "%sa=b", i == 0 ? "" : " or ");
  }
  why.rule = HF_RULE_NONE;
  assert_int_equal(hf_query_parse(&query, hf_bytes_text(text), &why), HF_E_INPUT);
  assert_int_equal(why.rule, HF_RULE_QUERY_LENGTH);
  memset(text, ' ', sizeof text);
  assert_int_equal(hf_query_parse(&query, hf_bytes_init(text, HF_QUERY_TEXT_MAX + 1), NULL), HF_E_INPUT);
  char value[80];
  memset(value, 'x', sizeof value);
  memcpy(value, "a = ", 4);
  assert_int_equal(hf_query_parse(&query, hf_bytes_init(value, 4 + HF_QUERY_VALUE_MAX), NULL), HF_OK);
  assert_int_equal(hf_query_parse(&query, hf_bytes_init(value, 5 + HF_QUERY_VALUE_MAX), NULL), HF_E_INPUT);
}

static void every_prefix_of_an_expression_is_judged_safely(void **state)
{
  (void)state;
  static const char text[] = "not (product = \"a\\\"b\" and version >= 1.2.3) or @room !~ \"l?b*\" and floor < -17";
  struct hf_query query;
  unsigned good = 0;
  for (size_t len = 0; len < sizeof text; len++) {
    good += hf_query_parse(&query, hf_bytes_init(text, len), NULL) == HF_OK ? 1 : 0;
  }
  assert_in_range(good, 2, 20);
}

static void writes_sql_with_a_value_for_each_mark(void **state)
{
  (void)state;
  struct hf_query query;
  uint8_t room[HF_QUERY_SQL_MAX];
  struct hf_buf sql = hf_buf_init(room, sizeof room);
  struct hf_query_value value;
  size_t at = 0;
  assert_int_equal(
      hf_query_parse(&query, HF_LIT("not (id ~ \"S*\" or room != x) and version < 1.1 and floor > 2"), NULL), HF_OK);
  assert_int_equal(hf_query_put_sql(&sql, &query), HF_OK);
  assert_true(hf_bytes_is(
      hf_buf_bytes(&sql),
      "(NOT (((lower(device.id) LIKE ? ESCAPE '\\')) OR (NOT EXISTS (SELECT 1 FROM attribute a WHERE a.device = "
      "device.n AND a.key = ? AND a.value = ?))) AND (device.version <> '' AND device.version_key < ?) AND "
      "(EXISTS (SELECT 1 FROM attribute a WHERE a.device = device.n AND a.key = ? AND a.number > ?)))"));
  static const char *const texts[] = {"S*", "room", "x", NULL, "floor", NULL};
  for (size_t i = 0; i < 6; i++) {
    assert_true(hf_query_next(&value, &query, &at));
    assert_int_equal(value.is_text, texts[i] != NULL);
    assert_int_equal(value.is_like, i == 0);
    assert_true(texts[i] == NULL || hf_bytes_is(value.text, texts[i]));
  }
  assert_int_equal(value.number, 2);
  assert_false(hf_query_next(&value, &query, &at));
}

static void escapes_what_sql_would_read_as_a_pattern(void **state)
{
  (void)state;
  uint8_t room[64];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_query_put_like(&out, HF_LIT("A%b_*?\\"));
  assert_true(hf_bytes_is(hf_buf_bytes(&out), "a\\%b\\_%_\\\\"));
}

static void reads_whole_numbers_only(void **state)
{
  (void)state;
  static const char *const bad[] = {"", "-", "1.5", "+1", " 1", "1 ", "0x1", "1234567890123456789", "--1"};
  int64_t number;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(hf_query_number_parse(&number, hf_bytes_text(bad[i])), HF_E_INPUT);
  }
  assert_int_equal(hf_query_number_parse(&number, HF_LIT("-999999999999999999")), HF_OK);
  assert_int_equal(number, INT64_C(-999999999999999999));
}

static void attribute_names_are_not_words_of_the_language(void **state)
{
  (void)state;
  static const char *const bad[] = {"",
                                    "id",
                                    "product",
                                    "hardware",
                                    "version",
                                    "state",
                                    "blocked",
                                    "and",
                                    "or",
                                    "not",
                                    "Room",
                                    "a b",
                                    "abcdefghijklmnopqrstuvwxyzabcdefg"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_false(hf_query_name_check(hf_bytes_text(bad[i])));
  }
  assert_true(hf_query_name_check(HF_LIT("room-7.b_c")));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(compares_fields_and_attributes),
      cmocka_unit_test(and_binds_closer_than_or_and_not_closest),
      cmocka_unit_test(a_device_without_version_is_neither_older_nor_newer),
      cmocka_unit_test(refuses_what_is_wrong_and_says_where),
      cmocka_unit_test(keeps_its_bounds),
      cmocka_unit_test(every_prefix_of_an_expression_is_judged_safely),
      cmocka_unit_test(writes_sql_with_a_value_for_each_mark),
      cmocka_unit_test(escapes_what_sql_would_read_as_a_pattern),
      cmocka_unit_test(reads_whole_numbers_only),
      cmocka_unit_test(attribute_names_are_not_words_of_the_language),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
