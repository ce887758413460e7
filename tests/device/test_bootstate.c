/* SPDX-License-Identifier: Apache-2.0
 * Boot records: one state, two halves, every cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "hf/device/bootstate.h"
#include "hf/device/record.h"
#include "ports/sim/simflash.h"

enum { SECTOR = 512, SIZE = 2 * SECTOR };

static const uint32_t aligns[] = {1, 4, 8, 16};
static const uint8_t erased_values[] = {0xff, 0x00};

/* State number n: every member follows from n, so that a mixture of two states shows. */
static struct hf_bootstate numbered(uint32_t n)
{
  struct hf_bootstate state = {.active = (uint8_t)(n % 2),
                               .counter = n,
                               .failures = n * 3,
                               .failed_slot = (uint8_t)(n % 2),
                               .failed_rule = (uint16_t)(n % 1000),
                               .failed_reset = (uint8_t)(n % 7),
                               .trial_rule = (uint16_t)(n % 500)};
  for (int i = 0; i < HF_SLOTS; i++) {
    state.slot[i].status = (enum hf_slot_status)((n + (uint32_t)i) % 5);
    state.slot[i].counter = n + (uint32_t)i;
    state.slot[i].version = (struct hf_version){(uint8_t)n, (uint8_t)i, (uint16_t)(n * 7), n * 11};
    memset(state.slot[i].digest, (int)(n + (uint32_t)i), HF_SHA256_LEN);
  }
  return state;
}

static bool is_number(const struct hf_bootstate *state, uint32_t n)
{
  struct hf_bootstate want = numbered(n);
  bool same = state->active == want.active && state->counter == want.counter && state->failures == want.failures &&
              state->failed_slot == want.failed_slot && state->failed_rule == want.failed_rule &&
              state->failed_reset == want.failed_reset && state->trial_rule == want.trial_rule;
  for (int i = 0; i < HF_SLOTS; i++) {
    const struct hf_bootslot *a = &state->slot[i], *b = &want.slot[i];
    same = same && a->status == b->status && a->counter == b->counter &&
           hf_version_order(&a->version, &b->version) == 0 && memcmp(a->digest, b->digest, HF_SHA256_LEN) == 0;
  }
  return same;
}

static void tells_never_written_from_lost(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, SIZE, SECTOR, 4, 0xff);
  struct hf_area area = simflash_area(&flash, 0, SIZE);
  struct hf_bootstate boot;
  assert_int_equal(hf_bootstate_get(&boot, &area), HF_E_NOT_FOUND);
  flash.at[SIZE - 1] = 0;
  assert_int_equal(hf_bootstate_get(&boot, &area), HF_E_DENIED);
  area.size = SECTOR;
  assert_int_equal(hf_bootstate_get(&boot, &area), HF_E_INPUT);
  simflash_free(&flash);
}

static void outlives_the_loss_of_either_half(void **state)
{
  (void)state;
  for (uint32_t half = 0; half < 2; half++) {
    for (uint32_t count = 1; count < 12; count++) {
      struct simflash flash;
      simflash_init(&flash, SIZE, SECTOR, 8, 0xff);
      struct hf_area area = simflash_area(&flash, 0, SIZE);
      for (uint32_t n = 1; n <= count; n++) {
        struct hf_bootstate boot = numbered(n);
        assert_int_equal(hf_bootstate_put(&boot, &area), HF_OK);
        assert_false(boot.lags);
      }
      memset(flash.at + half * SECTOR, 0x5a, SECTOR);
      struct hf_bootstate boot;
      assert_int_equal(hf_bootstate_get(&boot, &area), HF_OK);
      assert_true(is_number(&boot, count));
      assert_true(boot.lags);
      /* The next put mends the half. */
      boot = numbered(count + 1);
      assert_int_equal(hf_bootstate_put(&boot, &area), HF_OK);
      memset(flash.at + (1 - half) * SECTOR, 0x5a, SECTOR);
      assert_int_equal(hf_bootstate_get(&boot, &area), HF_OK);
      assert_true(is_number(&boot, count + 1));
      simflash_free(&flash);
    }
  }
}

static unsigned sweep(uint32_t align, uint8_t erased, enum simflash_tear tear)
{
  unsigned cuts = 0;
  for (uint32_t cut = 1;; cut++) {
    struct simflash flash;
    simflash_init(&flash, SIZE, SECTOR, align, erased);
    flash.cut_at = cut;
    flash.tear = tear;
    flash.seed = cut;
    struct hf_area area = simflash_area(&flash, 0, SIZE);
    uint32_t n = 1;
    for (; n <= 12; n++) {
      struct hf_bootstate boot = numbered(n);
      if (hf_bootstate_put(&boot, &area) != HF_OK || flash.dead) {
        break;
      }
    }
    bool over = !flash.dead;
    simflash_power_on(&flash);
    struct hf_bootstate boot;
    enum hf_err err = hf_bootstate_get(&boot, &area);
    if (n == 1) {
      assert_true(err == HF_OK || err == HF_E_NOT_FOUND || err == HF_E_DENIED);
    } else {
      assert_int_equal(err, HF_OK);
      assert_true(is_number(&boot, n) || is_number(&boot, n - 1));
    }
    for (uint32_t rest = 20; rest < 32; rest++) {
      boot = numbered(rest);
      assert_int_equal(hf_bootstate_put(&boot, &area), HF_OK);
      assert_int_equal(hf_bootstate_get(&boot, &area), HF_OK);
      assert_true(is_number(&boot, rest));
      assert_false(boot.lags);
    }
    assert_int_equal(flash.breaches, 0);
    simflash_free(&flash);
    if (over) {
      return cuts;
    }
    cuts++;
  }
}

static void is_the_old_or_the_new_state_after_every_cut(void **state)
{
  (void)state;
  unsigned cuts = 0;
  for (size_t i = 0; i < 8; i++) {
    for (enum simflash_tear tear = SIMFLASH_TEAR_NONE; tear < SIMFLASH_TEARS; tear++) {
      cuts += sweep(aligns[i % 4], erased_values[i / 4], tear);
    }
  }
  print_message("%u power cuts\n", cuts);
  assert_true(cuts > 1000);
}

static void writes_on_with_one_half_worn_out(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, SIZE, SECTOR, 4, 0xff);
  struct hf_area area = simflash_area(&flash, 0, SIZE);
  struct hf_bootstate boot = numbered(1);
  assert_int_equal(hf_bootstate_put(&boot, &area), HF_OK);
  /* The first write of this put fails, the half that was to go first. */
  flash.fail_at = flash.ops + 1;
  boot = numbered(2);
  assert_int_equal(hf_bootstate_put(&boot, &area), HF_OK);
  assert_true(boot.lags);
  assert_int_equal(hf_bootstate_get(&boot, &area), HF_OK);
  assert_true(is_number(&boot, 2));
  flash.fail_at = flash.ops + 1;
  flash.fail_count = 100;
  boot = numbered(3);
  assert_int_equal(hf_bootstate_put(&boot, &area), HF_E_IO);
  flash.fail_at = 0;
  assert_int_equal(hf_bootstate_get(&boot, &area), HF_OK);
  assert_true(is_number(&boot, 2));
  simflash_free(&flash);
}

static void confirms_and_raises_the_counter_in_one_record(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, SIZE, SECTOR, 4, 0xff);
  struct hf_area area = simflash_area(&flash, 0, SIZE);
  struct hf_bootstate boot = {.counter = 5};
  boot.slot[0] = (struct hf_bootslot){.status = HF_SLOT_CONFIRMED, .counter = 5};
  boot.slot[1] = (struct hf_bootslot){.status = HF_SLOT_STAGED, .counter = 9};
  assert_int_equal(hf_bootstate_confirm(&boot, &area, 1), HF_E_STATE);
  assert_int_equal(hf_bootstate_confirm(&boot, &area, 2), HF_E_STATE);
  boot.slot[1].status = HF_SLOT_TRYING;
  assert_int_equal(hf_bootstate_put(&boot, &area), HF_OK);
  uint32_t seq = boot.seq;
  assert_int_equal(hf_bootstate_confirm(&boot, &area, 1), HF_OK);
  assert_int_equal(boot.seq, seq + 1);
  assert_int_equal(hf_bootstate_get(&boot, &area), HF_OK);
  assert_int_equal(boot.slot[1].status, HF_SLOT_CONFIRMED);
  assert_int_equal(boot.active, 1);
  assert_int_equal(boot.counter, 9);
  uint32_t ops = flash.ops;
  assert_int_equal(hf_bootstate_confirm(&boot, &area, 1), HF_OK);
  assert_int_equal(flash.ops, ops);
  simflash_free(&flash);
}

static void refuses_a_state_of_a_newer_format(void **state)
{
  (void)state;
  static const uint8_t newer[20] = {2};
  struct simflash flash;
  simflash_init(&flash, SIZE, SECTOR, 4, 0xff);
  struct hf_area area = simflash_area(&flash, 0, SIZE);
  struct hf_run run = hf_record_open(&area, 0, SECTOR);
  struct hf_record rec = {.kind = HF_RECORD_VALUE, .key = 1, .len = sizeof newer, .seq = 9};
  assert_int_equal(hf_record_put(&run, &rec, newer), HF_OK);
  struct hf_bootstate boot;
  assert_int_equal(hf_bootstate_get(&boot, &area), HF_E_VERSION);
  simflash_free(&flash);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tells_never_written_from_lost),
      cmocka_unit_test(outlives_the_loss_of_either_half),
      cmocka_unit_test(is_the_old_or_the_new_state_after_every_cut),
      cmocka_unit_test(writes_on_with_one_half_worn_out),
      cmocka_unit_test(confirms_and_raises_the_counter_in_one_record),
      cmocka_unit_test(refuses_a_state_of_a_newer_format),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
