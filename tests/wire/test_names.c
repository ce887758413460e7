/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hf/wire/names.h"

static const char a64[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static void accepts_names_up_to_their_maximum(void **state)
{
  (void)state;
  assert_true(hf_names_check_device(HF_LIT("SN-00.1_x")));
  assert_true(hf_names_check_device(hf_bytes_init(a64, 64)));
  assert_true(hf_names_check_hardware(HF_LIT("thermo-A.2")));
  assert_true(hf_names_check_product(HF_LIT("thermostat-2")));
  assert_true(hf_names_check_product(hf_bytes_init(a64, 32)));
  assert_true(hf_names_check_component(HF_LIT("main")));
}

static void refuses_names_that_are_too_long_or_empty(void **state)
{
  (void)state;
  char a65[65];
  memset(a65, 'a', sizeof a65);
  assert_false(hf_names_check_device(HF_LIT("")));
  assert_false(hf_names_check_device(hf_bytes_init(a65, 65)));
  assert_false(hf_names_check_hardware(hf_bytes_init(a65, 65)));
  assert_false(hf_names_check_product(hf_bytes_init(a65, 33)));
  assert_false(hf_names_check_component(hf_bytes_init(a65, 33)));
}

static void refuses_every_byte_outside_the_alphabet(void **state)
{
  (void)state;
  static const char any[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
  for (unsigned c = 0; c < 256; c++) {
    uint8_t name[2] = {'a', (uint8_t)c};
    bool in_any = c != 0 && strchr(any, (int)c) != NULL;
    bool in_lower = c != 0 && strchr(lower, (int)c) != NULL;
    assert_int_equal(hf_names_check_device(hf_bytes_init(name, 2)), in_any);
    assert_int_equal(hf_names_check_hardware(hf_bytes_init(name, 2)), in_any);
    assert_int_equal(hf_names_check_product(hf_bytes_init(name, 2)), in_lower);
    assert_int_equal(hf_names_check_component(hf_bytes_init(name, 2)), in_lower);
  }
}

static void refuses_parent_folders_and_options(void **state)
{
  (void)state;
  static const char *const bad[] = {".", "..", ".hidden", "-x", "--help"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_false(hf_names_check_device(hf_bytes_text(bad[i])));
    assert_false(hf_names_check_hardware(hf_bytes_text(bad[i])));
    assert_false(hf_names_check_product(hf_bytes_text(bad[i])));
    assert_false(hf_names_check_component(hf_bytes_text(bad[i])));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(accepts_names_up_to_their_maximum),
      cmocka_unit_test(refuses_names_that_are_too_long_or_empty),
      cmocka_unit_test(refuses_every_byte_outside_the_alphabet),
      cmocka_unit_test(refuses_parent_folders_and_options),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
