/* SPDX-License-Identifier: Apache-2.0
 * Codes, rules and their words.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hf/base/err.h"
#include "hf/base/why.h"

static const struct {
  uint32_t number;
  const char *name;
} rules[] = {
#define HF_RULE(name, number, clause, what, todo) {(number), #name},
#include "hf/base/rule.def"
#undef HF_RULE
};
#define RULES (sizeof rules / sizeof rules[0])

static void rule_numbers_are_used_once(void **state)
{
  (void)state;
  for (size_t i = 0; i < RULES; i++) {
    assert_true(rules[i].number <= UINT16_MAX);
    for (size_t j = 0; j < i; j++) {
      if (rules[i].number == rules[j].number || strcmp(rules[i].name, rules[j].name) == 0) {
        fail_msg("%s and %s", rules[i].name, rules[j].name);
      }
    }
  }
}

/* Written for a person: a clause to look up, a sentence that ends without a full stop, something to do. */
static void every_rule_has_words(void **state)
{
  (void)state;
  for (size_t i = 0; i < RULES; i++) {
    const struct hf_rule_words *words = hf_rule_words((uint16_t)rules[i].number);
    assert_string_equal(words->name, rules[i].name);
    const char *const texts[] = {words->clause, words->what, words->todo};
    for (size_t j = 0; j < 3; j++) {
      size_t len = strlen(texts[j]);
      if (len < 6 || texts[j][len - 1] == '.' || isspace((unsigned char)texts[j][len - 1])) {
        fail_msg("%s: '%s'", rules[i].name, texts[j]);
      }
    }
  }
}

static void rules_of_a_newer_device_have_words_too(void **state)
{
  (void)state;
  assert_string_equal(hf_rule_words(65535)->name, "UNKNOWN");
  assert_non_null(strstr(hf_rule_words(65535)->todo, "update the server"));
}

static void the_first_broken_rule_is_kept(void **state)
{
  (void)state;
  struct hf_why why = {0};
  hf_why_put(&why, HF_RULE_JSON_END, 7);
  hf_why_put(&why, HF_RULE_JSON_DEPTH, 3);
  assert_int_equal(why.rule, HF_RULE_JSON_END);
  assert_int_equal(why.at, 7);
  hf_why_put(NULL, HF_RULE_JSON_END, 7);
}

static void every_code_has_its_own_name(void **state)
{
  (void)state;
  for (int i = HF_OK; i <= HF_E_CRYPTO; i++) {
    assert_null(strchr(hf_err_name((enum hf_err)i), '?'));
    for (int j = HF_OK; j < i; j++) {
      assert_string_not_equal(hf_err_name((enum hf_err)i), hf_err_name((enum hf_err)j));
    }
  }
  assert_non_null(strchr(hf_err_name((enum hf_err)(HF_E_CRYPTO + 1)), '?'));
}

static void verdicts_are_far_apart_and_not_zero(void **state)
{
  (void)state;
  uint32_t differ = (uint32_t)HF_ALLOW ^ (uint32_t)HF_DENY;
  assert_int_equal(differ, 0x7fffffff);
  assert_true(HF_DENY != 0 && HF_ALLOW != 0 && HF_ALLOW != 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rule_numbers_are_used_once),
      cmocka_unit_test(every_rule_has_words),
      cmocka_unit_test(rules_of_a_newer_device_have_words_too),
      cmocka_unit_test(the_first_broken_rule_is_kept),
      cmocka_unit_test(every_code_has_its_own_name),
      cmocka_unit_test(verdicts_are_far_apart_and_not_zero),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
