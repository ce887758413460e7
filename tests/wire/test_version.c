/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hf/wire/version.h"

static struct hf_version version(const char *text)
{
  struct hf_version parsed;
  if (hf_version_parse(&parsed, hf_bytes_text(text), NULL) != HF_OK) {
    fail_msg("refused %s", text);
  }
  return parsed;
}

static void reads_and_writes_versions(void **state)
{
  (void)state;
  static const char *const pairs[][2] = {{"1.0", "1.0.0"},
                                         {"1.2.3", "1.2.3"},
                                         {"1.2.3+4", "1.2.3+4"},
                                         {"1.2+4", "1.2.0+4"},
                                         {"1.2.3+0", "1.2.3"},
                                         {"0.0", "0.0.0"},
                                         {"255.255.65535+4294967295", "255.255.65535+4294967295"}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    uint8_t room[HF_VERSION_TEXT_MAX];
    struct hf_buf out = hf_buf_init(room, sizeof room);
    struct hf_version parsed = version(pairs[i][0]);
    hf_version_put(&out, &parsed);
    assert_true(hf_bytes_is(hf_buf_bytes(&out), pairs[i][1]));
  }
}

static void refuses_what_is_no_version(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    enum hf_rule rule;
    uint32_t at;
  } bad[] = {{"", HF_RULE_VERSION_SHAPE, 0},
             {"1", HF_RULE_VERSION_SHAPE, 1},
             {"1.", HF_RULE_VERSION_SHAPE, 2},
             {".1", HF_RULE_VERSION_SHAPE, 0},
             {"1.2.", HF_RULE_VERSION_SHAPE, 4},
             {"1.2.3.4", HF_RULE_VERSION_SHAPE, 5},
             {"1.2.3+", HF_RULE_VERSION_SHAPE, 6},
             {"1.2.3-rc1", HF_RULE_VERSION_SHAPE, 5},
             {"v1.2", HF_RULE_VERSION_SHAPE, 0},
             {" 1.2", HF_RULE_VERSION_SHAPE, 0},
             {"1.2 ", HF_RULE_VERSION_SHAPE, 3},
             {"01.2", HF_RULE_VERSION_SHAPE, 0},
             {"1.00", HF_RULE_VERSION_SHAPE, 2},
             {"1.-2", HF_RULE_VERSION_SHAPE, 2},
             {"256.0", HF_RULE_VERSION_NUMBER, 0},
             {"1.256", HF_RULE_VERSION_NUMBER, 2},
             {"1.1.65536", HF_RULE_VERSION_NUMBER, 4},
             {"1.1.1+4294967296", HF_RULE_VERSION_NUMBER, 6},
             {"99999999999999999999999999999.0", HF_RULE_VERSION_NUMBER, 0}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct hf_version parsed;
    struct hf_why why = {0};
    assert_int_equal(hf_version_parse(&parsed, hf_bytes_text(bad[i].text), &why), HF_E_INPUT);
    if (why.rule != bad[i].rule || why.at != bad[i].at) {
      fail_msg("%s: rule %u at %u", bad[i].text, why.rule, why.at);
    }
  }
}

static void orders_by_the_most_significant_part_first(void **state)
{
  (void)state;
  static const char *const ascending[] = {"0.0", "0.0.0+1", "0.0.1", "0.1",  "0.1.65535",
                                          "0.2", "1.0",     "1.9",   "1.10", "2.0"};
  for (size_t i = 0; i < 10; i++) {
    for (size_t j = 0; j < 10; j++) {
      struct hf_version a = version(ascending[i]);
      struct hf_version b = version(ascending[j]);
      assert_int_equal(hf_version_order(&a, &b), i < j ? -1 : i > j);
    }
  }
}

static bool in_range(const char *range_text, const char *version_text)
{
  struct hf_range range;
  struct hf_version parsed = version(version_text);
  assert_int_equal(hf_range_parse(&range, hf_bytes_text(range_text), NULL), HF_OK);
  return hf_range_check(&range, &parsed);
}

static void every_comparison_of_a_range_must_hold(void **state)
{
  (void)state;
  assert_true(in_range("*", "0.0"));
  assert_true(in_range(">=1.0 <2.0", "1.0"));
  assert_true(in_range(">=1.0 <2.0", "1.255.65535+9"));
  assert_false(in_range(">=1.0 <2.0", "2.0"));
  assert_false(in_range(">=1.0 <2.0", "0.255"));
  assert_true(in_range(">1.0", "1.0.1"));
  assert_false(in_range(">1.0", "1.0"));
  assert_true(in_range("<=1.0", "1.0"));
  assert_false(in_range("<=1.0", "1.0.1"));
  assert_true(in_range("=1.2.0", "1.2"));
  assert_false(in_range("=1.2.0", "1.2.1"));
  assert_false(in_range(">2.0 <1.0", "1.5"));
}

static void builds_count_only_where_the_range_names_one(void **state)
{
  (void)state;
  assert_true(in_range("=1.2.0", "1.2.0+7"));
  assert_true(in_range("<=1.2.0", "1.2.0+7"));
  assert_false(in_range(">1.2.0", "1.2.0+7"));
  assert_false(in_range("=1.2.0+6", "1.2.0+7"));
  assert_true(in_range(">1.2.0+6", "1.2.0+7"));
  assert_false(in_range("=1.2.0+0", "1.2.0+7"));
}

static void ranges_come_back_in_their_one_form(void **state)
{
  (void)state;
  static const char *const pairs[][2] = {
      {"*", "*"}, {">=1.0 <2.0", ">=1.0.0 <2.0.0"}, {"=1.2.0+0", "=1.2.0+0"}, {">1.0+3 <=1.9.9", ">1.0.0+3 <=1.9.9"}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    struct hf_range range;
    struct hf_range again;
    uint8_t room[HF_RANGE_TEXT_MAX];
    struct hf_buf out = hf_buf_init(room, sizeof room);
    assert_int_equal(hf_range_parse(&range, hf_bytes_text(pairs[i][0]), NULL), HF_OK);
    hf_range_put(&out, &range);
    assert_true(hf_bytes_is(hf_buf_bytes(&out), pairs[i][1]));
    assert_int_equal(hf_range_parse(&again, hf_buf_bytes(&out), NULL), HF_OK);
    assert_memory_equal(&range, &again, sizeof range);
  }
}

static void the_longest_range_fits_its_maximum(void **state)
{
  (void)state;
  struct hf_range range = {.count = HF_RANGE_MAX};
  for (size_t i = 0; i < HF_RANGE_MAX; i++) {
    range.items[i] = (struct hf_range_item){{255, 255, UINT16_MAX, UINT32_MAX}, HF_RANGE_GE, true};
  }
  uint8_t room[HF_RANGE_TEXT_MAX + 9];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_range_put(&out, &range);
  assert_int_equal(out.len, HF_RANGE_TEXT_MAX);
  hf_buf_put_text(&out, " =1.0");
  struct hf_why why = {0};
  assert_int_equal(hf_range_parse(&range, hf_buf_bytes(&out), &why), HF_E_INPUT);
  assert_int_equal(why.rule, HF_RULE_RANGE_COUNT);
}

static void refuses_what_is_no_range(void **state)
{
  (void)state;
  static const char *const bad[] = {
      "",       " ",       "1.0", "==1.0",  "=>1.0",  "~1.0",       "^1.0",        "!=1.0",     ">=1.0  <2.0", ">=1.0 ",
      " >=1.0", "* ",      "**",  "* =1.0", ">= 1.0", ">=1.0,<2.0", ">=1.0\t<2.0", ">=1.0 and", ">=1.0||=2.0", "=",
      "<",      "=1.0-2.0"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct hf_range range;
    struct hf_why why = {0};
    if (hf_range_parse(&range, hf_bytes_text(bad[i]), &why) != HF_E_INPUT || why.rule == HF_RULE_NONE) {
      fail_msg("accepted '%s'", bad[i]);
    }
    assert_int_equal(range.count, 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_and_writes_versions),
      cmocka_unit_test(refuses_what_is_no_version),
      cmocka_unit_test(orders_by_the_most_significant_part_first),
      cmocka_unit_test(every_comparison_of_a_range_must_hold),
      cmocka_unit_test(builds_count_only_where_the_range_names_one),
      cmocka_unit_test(ranges_come_back_in_their_one_form),
      cmocka_unit_test(the_longest_range_fits_its_maximum),
      cmocka_unit_test(refuses_what_is_no_range),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
