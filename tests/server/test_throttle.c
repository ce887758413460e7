/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hf/server/throttle.h"

#define NOW INT64_C(1795000000)

static struct hf_throttle *throttle;

static int open_throttle(void **state)
{
  (void)state;
  throttle = calloc(1, sizeof *throttle);
  return throttle == NULL || hf_throttle_init(throttle) != HF_OK;
}

static int close_throttle(void **state)
{
  (void)state;
  free(throttle);
  return 0;
}

/* One try with a wrong password, if it is let through; gives the wait. */
static uint32_t fail_once(const char *name, const char *address, int64_t now)
{
  uint32_t wait = hf_throttle_check(throttle, hf_bytes_text(name), hf_bytes_text(address), now);
  if (wait == 0) {
    (void)hf_throttle_put(throttle, hf_bytes_text(name), hf_bytes_text(address), false, now);
  }
  return wait;
}

static uint32_t wait_of(const char *name, const char *address, int64_t now)
{
  return hf_throttle_check(throttle, hf_bytes_text(name), hf_bytes_text(address), now);
}

static void mistyping_a_few_times_costs_nothing(void **state)
{
  (void)state;
  for (int i = 0; i < HF_THROTTLE_FREE; i++) {
    assert_int_equal(fail_once("anna", "192.0.2.1", NOW + i), 0);
  }
  assert_true(wait_of("anna", "192.0.2.1", NOW + HF_THROTTLE_FREE - 1) > 0);
}

static void waiting_grows_to_its_maximum_and_passes(void **state)
{
  (void)state;
  int64_t now = NOW;
  uint32_t longest = 0;
  for (int i = 0; i < 40; i++) {
    uint32_t wait = fail_once("anna", "192.0.2.1", now);
    longest = wait > longest ? wait : longest;
    now += wait > 0 ? wait : 1;
    assert_true(wait <= HF_THROTTLE_ADDRESS_S);
  }
  assert_int_equal(longest, HF_THROTTLE_ADDRESS_S - 1); /* asked a second after the failure */
  assert_int_equal(wait_of("anna", "192.0.2.1", now + HF_THROTTLE_ADDRESS_S), 0);
}

static void one_name_is_slowed_from_many_addresses(void **state)
{
  (void)state;
  char address[32];
  for (int i = 0; i < 30; i++) {
    (void)snprintf(address, sizeof address, "198.51.100.%d", i);
    (void)fail_once("anna", address, NOW + i);
  }
  uint32_t wait = wait_of("anna", "203.0.113.9", NOW + 29);
  assert_true(wait > 0 && wait <= HF_THROTTLE_NAME_S);
  assert_int_equal(wait_of("bert", "203.0.113.9", NOW + 31), 0);
}

static void many_names_are_slowed_from_one_address(void **state)
{
  (void)state;
  char name[32];
  for (int i = 0; i < HF_THROTTLE_FREE; i++) {
    (void)snprintf(name, sizeof name, "name-%d", i);
    assert_int_equal(fail_once(name, "192.0.2.1", NOW + i), 0);
  }
  assert_true(wait_of("somebody", "192.0.2.1", NOW + HF_THROTTLE_FREE - 1) > 0);
  assert_int_equal(wait_of("somebody", "192.0.2.2", NOW + 10), 0);
}

static void others_cannot_shut_an_operator_out(void **state)
{
  (void)state;
  char address[32];
  (void)hf_throttle_put(throttle, HF_LIT("anna"), HF_LIT("192.0.2.7"), true, NOW);
  for (int i = 0; i < 100; i++) {
    (void)snprintf(address, sizeof address, "198.51.100.%d", i);
    (void)fail_once("anna", address, NOW + i);
  }
  assert_true(wait_of("anna", "203.0.113.9", NOW + 99) > 0);
  assert_int_equal(wait_of("anna", "192.0.2.7", NOW + 102), 0);
}

static void a_new_address_of_the_same_network_is_not_a_new_start(void **state)
{
  (void)state;
  char address[64];
  for (int i = 0; i < HF_THROTTLE_FREE; i++) {
    (void)snprintf(address, sizeof address, "2001:db8:1:2:%x::1", i + 1);
    assert_int_equal(fail_once("anna", address, NOW + i), 0);
  }
  assert_true(wait_of("bert", "2001:db8:1:2:ffff::9", NOW + HF_THROTTLE_FREE - 1) > 0);
  assert_int_equal(wait_of("bert", "2001:db8:1:3::9", NOW + 10), 0);
}

static void who_signed_in_before_does_not_wait_for_strangers(void **state)
{
  (void)state;
  char name[32];
  (void)hf_throttle_put(throttle, HF_LIT("anna"), HF_LIT("192.0.2.7"), true, NOW);
  for (int i = 0; i < 20; i++) { /* the shared bucket is kept empty */
    (void)snprintf(name, sizeof name, "stranger-%d", i);
    (void)fail_once(name, name, NOW);
  }
  assert_true(wait_of("bert", "203.0.113.9", NOW) > 0);
  assert_int_equal(wait_of("anna", "192.0.2.7", NOW), 0);
  for (int i = 0; i < HF_THROTTLE_FREE; i++) { /* its own wrong passwords count as ever */
    assert_int_equal(fail_once("anna", "192.0.2.7", NOW), 0);
  }
  assert_true(wait_of("anna", "192.0.2.7", NOW) > 0);
}

static void the_rate_over_all_is_bounded(void **state)
{
  (void)state;
  char name[32];
  char address[32];
  int let_through = 0;
  for (int i = 0; i < 1000; i++) { /* a hundred tries a second for ten seconds, all different */
    (void)snprintf(name, sizeof name, "n%d", i);
    (void)snprintf(address, sizeof address, "a%d", i);
    let_through += wait_of(name, address, NOW + i / 100) == 0;
  }
  assert_true(let_through <= HF_THROTTLE_BURST + 10 * HF_THROTTLE_RATE);
  assert_true(let_through >= 9 * HF_THROTTLE_RATE);
}

static void memory_is_fixed_and_the_newest_are_remembered(void **state)
{
  (void)state;
  char address[32];
  for (int i = 0; i < 3 * HF_THROTTLE_ENTRIES; i++) {
    (void)snprintf(address, sizeof address, "old-%d", i);
    (void)hf_throttle_put(throttle, HF_LIT("x"), hf_bytes_text(address), false, NOW + i);
  }
  int64_t now = NOW + 3 * HF_THROTTLE_ENTRIES;
  for (int i = 0; i < HF_THROTTLE_FREE + 3; i++) {
    (void)hf_throttle_put(throttle, HF_LIT("y"), HF_LIT("new"), false, now);
  }
  assert_true(wait_of("z", "new", now) > 0);
}

static void a_clock_that_jumps_locks_nobody_out_for_long(void **state)
{
  (void)state;
  for (int i = 0; i < 20; i++) {
    (void)hf_throttle_put(throttle, HF_LIT("anna"), HF_LIT("192.0.2.1"), false, INT64_C(4102444800)); /* 2100 */
  }
  assert_true(wait_of("anna", "192.0.2.1", NOW) <= HF_THROTTLE_ADDRESS_S);
  assert_int_equal(wait_of("bert", "192.0.2.2", 0), 0);
  assert_int_equal(wait_of("bert", "192.0.2.2", INT64_MAX), 0);
}

static void a_good_login_clears_the_record(void **state)
{
  (void)state;
  for (int i = 0; i < HF_THROTTLE_FREE + 2; i++) {
    (void)hf_throttle_put(throttle, HF_LIT("anna"), HF_LIT("192.0.2.1"), false, NOW);
  }
  assert_true(wait_of("anna", "192.0.2.1", NOW) > 0);
  (void)hf_throttle_put(throttle, HF_LIT("anna"), HF_LIT("192.0.2.1"), true, NOW);
  assert_int_equal(wait_of("anna", "192.0.2.1", NOW), 0);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, open_throttle, close_throttle)

int main(void)
{
  const struct CMUnitTest tests[] = {
      ONE(mistyping_a_few_times_costs_nothing),
      ONE(waiting_grows_to_its_maximum_and_passes),
      ONE(one_name_is_slowed_from_many_addresses),
      ONE(many_names_are_slowed_from_one_address),
      ONE(others_cannot_shut_an_operator_out),
      ONE(a_new_address_of_the_same_network_is_not_a_new_start),
      ONE(who_signed_in_before_does_not_wait_for_strangers),
      ONE(the_rate_over_all_is_bounded),
      ONE(memory_is_fixed_and_the_newest_are_remembered),
      ONE(a_clock_that_jumps_locks_nobody_out_for_long),
      ONE(a_good_login_clears_the_record),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
