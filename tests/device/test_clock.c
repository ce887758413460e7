/* SPDX-License-Identifier: Apache-2.0
 * The device's time: 1970, 2100, lies, and what survives a restart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hf/device/clock.h"
#include "ports/sim/simworld.h"

enum { SECTOR = 512, SIZE = 4 * SECTOR };

#define BUILD INT64_C(1790000000)
#define DAY INT64_C(86400)
#define YEAR (365 * DAY)
#define YEAR_2100 INT64_C(4102444800)

static struct simflash flash;
static struct hf_area area;
static struct hf_store store;
static struct hf_clock hand;

static int begin(void **state)
{
  (void)state;
  simflash_init(&flash, SIZE, SECTOR, 4, 0xff);
  area = simflash_area(&flash, 0, SIZE);
  simworld_set_time(0);
  simworld_set_uptime(1000);
  enum hf_err err = hf_store_open(&store, &area);
  hf_clock_open(&hand, &store, BUILD);
  return err == HF_OK ? 0 : 1;
}

static int end(void **state)
{
  (void)state;
  simflash_free(&flash);
  return 0;
}

static void restart(int64_t build)
{
  simworld_set_uptime(0);
  assert_int_equal(hf_store_open(&store, &area), HF_OK);
  hf_clock_open(&hand, &store, build);
}

static void starts_at_the_build_time_when_the_clock_says_1970(void **state)
{
  (void)state;
  assert_false(hf_clock_known(&hand));
  assert_int_equal(hf_clock_now(&hand), BUILD);
  simworld_set_time(5);
  assert_int_equal(hf_clock_now(&hand), BUILD);
  assert_false(hf_clock_known(&hand));
  simworld_set_time(BUILD + 7);
  assert_int_equal(hf_clock_now(&hand), BUILD + 7);
  assert_true(hf_clock_known(&hand));
}

static void goes_on_from_the_servers_time(void **state)
{
  (void)state;
  assert_int_equal(hf_clock_put_server(&hand, &store, BUILD + DAY), HF_OK);
  assert_true(hf_clock_known(&hand));
  simworld_set_uptime(1000 + 90 * 1000);
  assert_int_equal(hf_clock_now(&hand), BUILD + DAY + 90);
  /* The port's clock is not asked while the server's word is there. */
  simworld_set_time(YEAR_2100);
  assert_int_equal(hf_clock_now(&hand), BUILD + DAY + 90);
}

static void does_not_take_a_time_before_the_floor(void **state)
{
  (void)state;
  assert_int_equal(hf_clock_put_server(&hand, &store, BUILD - 1), HF_E_INPUT);
  assert_int_equal(hf_clock_put_server(&hand, &store, 0), HF_E_INPUT);
  assert_int_equal(hf_clock_put_server(&hand, &store, INT64_MIN), HF_E_INPUT);
  assert_int_equal(hf_clock_put_server(&hand, &store, INT64_MAX), HF_E_INPUT);
  assert_int_equal(hf_clock_now(&hand), BUILD);
  assert_false(hf_clock_known(&hand));
}

static void keeps_a_floor_only_as_far_as_signed_metadata_vouches(void **state)
{
  (void)state;
  /* Nothing signed yet: the server's word lasts until the restart. */
  assert_int_equal(hf_clock_put_server(&hand, &store, BUILD + 30 * DAY), HF_OK);
  restart(BUILD);
  assert_int_equal(hf_clock_now(&hand), BUILD);
  /* Offline metadata is good for a year: now it is kept, a step at most behind. */
  assert_int_equal(hf_clock_put_server(&hand, &store, BUILD + 30 * DAY), HF_OK);
  assert_int_equal(hf_clock_put_signed(&hand, &store, BUILD + YEAR), HF_OK);
  restart(BUILD);
  assert_int_equal(hf_clock_now(&hand), BUILD + 30 * DAY);
  assert_int_equal(hf_clock_put_server(&hand, &store, BUILD + 31 * DAY), HF_OK);
  restart(BUILD);
  assert_true(hf_clock_now(&hand) >= BUILD + 31 * DAY - HF_CLOCK_STEP_S);
}

static void forgets_the_year_2100_at_the_next_boot(void **state)
{
  (void)state;
  assert_int_equal(hf_clock_put_signed(&hand, &store, BUILD + YEAR), HF_OK);
  assert_int_equal(hf_clock_put_server(&hand, &store, YEAR_2100), HF_OK);
  assert_int_equal(hf_clock_now(&hand), YEAR_2100);
  restart(BUILD);
  assert_int_equal(hf_clock_now(&hand), BUILD);
}

static void takes_a_correction_down_to_the_floor(void **state)
{
  (void)state;
  assert_int_equal(hf_clock_put_server(&hand, &store, YEAR_2100), HF_OK);
  assert_int_equal(hf_clock_put_server(&hand, &store, BUILD + DAY), HF_OK);
  assert_int_equal(hf_clock_now(&hand), BUILD + DAY);
}

static void doubts_only_what_nothing_signed_vouches_for(void **state)
{
  (void)state;
  assert_int_equal(hf_clock_put_signed(&hand, &store, BUILD + YEAR), HF_OK);
  assert_int_equal(hf_clock_put_server(&hand, &store, BUILD + DAY), HF_OK);
  hf_clock_doubt(&hand);
  assert_int_equal(hf_clock_now(&hand), BUILD + DAY);
  assert_true(hf_clock_known(&hand));
  assert_int_equal(hf_clock_put_server(&hand, &store, YEAR_2100), HF_OK);
  hf_clock_doubt(&hand);
  assert_int_equal(hf_clock_now(&hand), BUILD + DAY);
  assert_false(hf_clock_known(&hand));
}

static void is_unlocked_by_a_rotation_of_the_offline_keys(void **state)
{
  (void)state;
  assert_int_equal(hf_clock_put_signed(&hand, &store, BUILD + YEAR), HF_OK);
  /* As far ahead as a stolen server can push it. */
  assert_int_equal(hf_clock_put_server(&hand, &store, BUILD + YEAR), HF_OK);
  restart(BUILD);
  assert_int_equal(hf_clock_put_server(&hand, &store, BUILD + DAY), HF_E_INPUT);
  assert_int_equal(hf_clock_reset(&hand, &store), HF_OK);
  restart(BUILD);
  assert_int_equal(hf_clock_now(&hand), BUILD);
  assert_int_equal(hf_clock_put_server(&hand, &store, BUILD + DAY), HF_OK);
}

static void rises_with_new_software(void **state)
{
  (void)state;
  restart(BUILD + 100 * DAY);
  assert_int_equal(hf_clock_now(&hand), BUILD + 100 * DAY);
  assert_int_equal(hf_clock_put_server(&hand, &store, BUILD + 99 * DAY), HF_E_INPUT);
}

static void spares_the_flash(void **state)
{
  (void)state;
  assert_int_equal(hf_clock_put_signed(&hand, &store, BUILD + YEAR), HF_OK);
  assert_int_equal(hf_clock_put_server(&hand, &store, BUILD + DAY), HF_OK);
  uint32_t ops = flash.ops;
  for (int64_t minute = 1; minute < 300; minute++) {
    assert_int_equal(hf_clock_put_server(&hand, &store, BUILD + DAY + minute * 60), HF_OK);
  }
  assert_int_equal(flash.ops, ops);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(starts_at_the_build_time_when_the_clock_says_1970),
      TEST(goes_on_from_the_servers_time),
      TEST(does_not_take_a_time_before_the_floor),
      TEST(keeps_a_floor_only_as_far_as_signed_metadata_vouches),
      TEST(forgets_the_year_2100_at_the_next_boot),
      TEST(takes_a_correction_down_to_the_floor),
      TEST(doubts_only_what_nothing_signed_vouches_for),
      TEST(is_unlocked_by_a_rotation_of_the_offline_keys),
      TEST(rises_with_new_software),
      TEST(spares_the_flash),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
