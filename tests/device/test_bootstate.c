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
#include "ports/sim/simcut.h"

enum { SECTOR = 1024, SIZE = 2 * SECTOR };

static bool full; /* a cut at each byte, not at every so many */
/* How many images the records are about; main() runs everything with several. */
static uint8_t images = 1;

/* State number n: every member follows from n, so that a mixture of two states shows. */
static struct hf_bootstate numbered(uint32_t n)
{
  struct hf_bootstate state = {.images = images,
                               .failures = n * 3,
                               .failed_image = (uint8_t)(n % images),
                               .failed_slot = (uint8_t)(n % 2),
                               .failed_rule = (uint16_t)(n % 1000),
                               .failed_reset = (uint8_t)(n % 7),
                               .trial_rule = (uint16_t)(n % 500)};
  for (uint32_t k = 0; k < images; k++) {
    struct hf_bootimage *image = &state.image[k];
    image->active = (uint8_t)((n + k) % 2);
    image->previous = images == 1 ? (uint8_t)(1 - image->active) : (uint8_t)((n + k) / 2 % 2);
    image->counter = n + k * 1000;
    for (uint32_t i = 0; i < HF_SLOTS; i++) {
      image->slot[i].status = (enum hf_slot_status)((n + i + k) % 5);
      image->slot[i].counter = n + i + k;
      image->slot[i].version = (struct hf_version){(uint8_t)n, (uint8_t)(k * 2 + i), (uint16_t)(n * 7), n * 11};
      memset(image->slot[i].digest, (int)(n + i + k * 3), HF_SHA256_LEN);
    }
  }
  return state;
}

static bool slot_is(const struct hf_bootslot *a, const struct hf_bootslot *b)
{
  return a->status == b->status && a->counter == b->counter && hf_version_order(&a->version, &b->version) == 0 &&
         memcmp(a->digest, b->digest, HF_SHA256_LEN) == 0;
}

static bool is_number(const struct hf_bootstate *state, uint32_t n)
{
  struct hf_bootstate want = numbered(n);
  bool same = state->images == want.images && state->failures == want.failures &&
              state->failed_image == want.failed_image && state->failed_slot == want.failed_slot &&
              state->failed_rule == want.failed_rule && state->failed_reset == want.failed_reset &&
              state->trial_rule == want.trial_rule;
  for (int k = 0; k < images; k++) {
    const struct hf_bootimage *a = &state->image[k], *b = &want.image[k];
    same = same && a->active == b->active && a->previous == b->previous && a->counter == b->counter &&
           slot_is(&a->slot[0], &b->slot[0]) && slot_is(&a->slot[1], &b->slot[1]);
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

/* Twelve states, one after the other, with this cut; then twelve more. */
static void live(struct simflash *flash, const struct simcut *cut)
{
  simflash_init(flash, SIZE, SECTOR, cut->align, cut->erased);
  simcut_arm(flash, cut);
  struct hf_area area = simflash_area(flash, 0, SIZE);
  uint32_t n = 1;
  for (; n <= 12; n++) {
    struct hf_bootstate boot = numbered(n);
    if (hf_bootstate_put(&boot, &area) != HF_OK || flash->dead) {
      break;
    }
  }
  simflash_power_on(flash);
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
  assert_int_equal(flash->breaches, 0);
  simflash_free(flash);
}

static void is_the_old_or_the_new_state_after_a_cut_at_every_byte(void **state)
{
  (void)state;
  struct simflash flash;
  struct simcut cut = simcut_first(full ? 1 : 23);
  for (; simcut_on(&cut); simcut_next(&cut, &flash)) {
    live(&flash, &cut);
  }
  static const char *const names[] = {"boot records of one image", "boot records of two images", NULL,
                                      "boot records of four images"};
  simcut_report(names[images - 1], cut.cuts);
  assert_true(cut.cuts > 1000);
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
  struct hf_bootstate boot = {.images = 1, .image[0].counter = 5};
  boot.image[0].slot[0] = (struct hf_bootslot){.status = HF_SLOT_CONFIRMED, .counter = 5};
  boot.image[0].slot[1] = (struct hf_bootslot){.status = HF_SLOT_STAGED, .counter = 9};
  assert_int_equal(hf_bootstate_confirm(&boot, &area, (uint8_t[HF_IMAGES_MAX]){1}), HF_E_STATE);
  assert_int_equal(hf_bootstate_confirm(&boot, &area, (uint8_t[HF_IMAGES_MAX]){2}), HF_E_STATE);
  boot.image[0].slot[1].status = HF_SLOT_TRYING;
  assert_int_equal(hf_bootstate_put(&boot, &area), HF_OK);
  uint32_t seq = boot.seq;
  assert_int_equal(hf_bootstate_confirm(&boot, &area, (uint8_t[HF_IMAGES_MAX]){1}), HF_OK);
  assert_int_equal(boot.seq, seq + 1);
  assert_int_equal(hf_bootstate_get(&boot, &area), HF_OK);
  assert_int_equal(boot.image[0].slot[1].status, HF_SLOT_CONFIRMED);
  assert_int_equal(boot.image[0].active, 1);
  assert_int_equal(boot.image[0].counter, 9);
  uint32_t ops = flash.ops;
  assert_int_equal(hf_bootstate_confirm(&boot, &area, (uint8_t[HF_IMAGES_MAX]){1}), HF_OK);
  assert_int_equal(flash.ops, ops);
  simflash_free(&flash);
}

static void refuses_a_state_of_a_newer_format(void **state)
{
  (void)state;
  static const uint8_t newer[20] = {3};
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

/* A record as boot loaders of format 1 wrote it, byte for byte, and as they go on reading it. */
static void keeps_the_format_of_boot_loaders_in_the_field(void **state)
{
  (void)state;
  uint8_t old[106] = {1, 1, 3, 1, 2, 3, 0, 4, 0, 0, 0, 7, 0, 0, 0};
  memset(old + 15, 0xaa, 32);
  static const uint8_t second[] = {2, 5, 6, 7, 0, 8, 0, 0, 0, 9, 0, 0, 0};
  memcpy(old + 47, second, sizeof second);
  memset(old + 60, 0xbb, 32);
  static const uint8_t tail[] = {7, 0, 0, 0, 12, 0, 0, 0, 1, 0xca, 0, 5, 0xcb, 0};
  memcpy(old + 92, tail, sizeof tail);
  struct simflash flash;
  simflash_init(&flash, SIZE, SECTOR, 4, 0xff);
  struct hf_area area = simflash_area(&flash, 0, SIZE);
  struct hf_run run = hf_record_open(&area, 0, SECTOR);
  struct hf_record rec = {.kind = HF_RECORD_VALUE, .key = 1, .len = sizeof old, .seq = 9};
  assert_int_equal(hf_record_put(&run, &rec, old), HF_OK);
  struct hf_bootstate boot;
  assert_int_equal(hf_bootstate_get(&boot, &area), HF_OK);
  assert_int_equal(boot.images, 1);
  assert_int_equal(boot.image[0].active, 1);
  assert_int_equal(boot.image[0].previous, 0);
  assert_int_equal(boot.image[0].counter, 7);
  assert_int_equal(boot.image[0].slot[0].status, HF_SLOT_CONFIRMED);
  assert_int_equal(boot.image[0].slot[0].version.revision, 3);
  assert_int_equal(boot.image[0].slot[1].status, HF_SLOT_TRYING);
  assert_int_equal(boot.image[0].slot[1].digest[31], 0xbb);
  assert_int_equal(boot.failures, 12);
  assert_int_equal(boot.failed_image, 0);
  assert_int_equal(boot.failed_slot, 1);
  assert_int_equal(boot.failed_rule, HF_RULE_BOOT_NOT_CONFIRMED);
  assert_int_equal(boot.failed_reset, 5);
  assert_int_equal(boot.trial_rule, HF_RULE_BOOT_UNHEALTHY);
  /* Both halves now hold these bytes behind a head: what was there, and what is written today. */
  assert_int_equal(hf_bootstate_put(&boot, &area), HF_OK);
  assert_memory_equal(flash.at + SECTOR + HF_RECORD_HEAD, old, sizeof old);
  simflash_free(&flash);
}

static void takes_only_as_many_images_as_the_area_has_room_for(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, 1024, 256, 16, 0xff);
  struct hf_area area = simflash_area(&flash, 0, 512);
  assert_int_equal(hf_bootstate_check(&area, 0), HF_E_INPUT);
  assert_int_equal(hf_bootstate_check(&area, 2), HF_OK);
  assert_int_equal(hf_bootstate_check(&area, 3), HF_E_INPUT);
  struct hf_bootstate boot = {.images = 3};
  assert_int_equal(hf_bootstate_put(&boot, &area), HF_E_INPUT);
  boot.images = 0;
  assert_int_equal(hf_bootstate_put(&boot, &area), HF_E_INPUT);
  assert_int_equal(flash.ops, 0);
  area.size = 1024;
  assert_int_equal(hf_bootstate_check(&area, 4), HF_OK);
  assert_int_equal(hf_bootstate_check(&area, 5), HF_E_INPUT);
  simflash_free(&flash);
}

static void refuses_records_of_several_images_that_cannot_be(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, SIZE, SECTOR, 4, 0xff);
  struct hf_area area = simflash_area(&flash, 0, SIZE);
  uint8_t good[HF_BOOTSTATE_LEN(2)] = {2, 2};
  /* offset, value: images 0, 1 and 5, a third bit of slots, a status, a failed image that there is not, a length. */
  static const uint8_t wrong[][2] = {{0, 3},  {1, 0}, {1, 1},   {1, 5},   {2, 4},
                                     {97, 4}, {3, 5}, {143, 5}, {196, 2}, {1, 3}};
  for (size_t i = 0; i <= sizeof wrong / sizeof wrong[0]; i++) {
    uint8_t bytes[sizeof good];
    memcpy(bytes, good, sizeof bytes);
    if (i > 0) {
      bytes[wrong[i - 1][0]] = wrong[i - 1][1];
    }
    struct hf_run run = hf_record_open(&area, 0, SECTOR);
    assert_int_equal(hf_record_clear(&run, 0), HF_OK);
    struct hf_record rec = {.kind = HF_RECORD_VALUE, .key = 1, .len = sizeof bytes, .seq = 9};
    assert_int_equal(hf_record_put(&run, &rec, bytes), HF_OK);
    struct hf_bootstate boot;
    assert_int_equal(hf_bootstate_get(&boot, &area), i == 0 ? HF_OK : HF_E_VERSION);
  }
  simflash_free(&flash);
}

static void confirms_a_set_in_one_record_or_not_at_all(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, SIZE, SECTOR, 4, 0xff);
  struct hf_area area = simflash_area(&flash, 0, SIZE);
  struct hf_bootstate boot = {.images = 3, .image = {{.counter = 5}, {.counter = 6}, {.counter = 7}}};
  boot.image[0].slot[0] = (struct hf_bootslot){.status = HF_SLOT_CONFIRMED, .counter = 5};
  boot.image[0].slot[1] = (struct hf_bootslot){.status = HF_SLOT_TRYING, .counter = 8};
  boot.image[1].slot[0] = (struct hf_bootslot){.status = HF_SLOT_CONFIRMED, .counter = 9};
  boot.image[2].slot[1] = (struct hf_bootslot){.status = HF_SLOT_TRYING, .counter = 4};
  assert_int_equal(hf_bootstate_put(&boot, &area), HF_OK);
  static const uint8_t not_these[][HF_IMAGES_MAX] = {{0, 0, 0}, {1, 0, 0}, {1, 1, 1}, {0, 0, 1}, {1, 0, HF_SLOTS}};
  uint32_t ops = flash.ops;
  for (size_t i = 0; i < sizeof not_these / sizeof not_these[0]; i++) {
    assert_int_equal(hf_bootstate_confirm(&boot, &area, not_these[i]), HF_E_STATE);
    assert_int_equal(boot.image[0].slot[1].status, HF_SLOT_TRYING);
  }
  assert_int_equal(flash.ops, ops);
  static const uint8_t these[HF_IMAGES_MAX] = {1, 0, 1};
  assert_true(hf_bootstate_on_trial(&boot, these));
  uint32_t seq = boot.seq;
  assert_int_equal(hf_bootstate_confirm(&boot, &area, these), HF_OK);
  assert_int_equal(hf_bootstate_get(&boot, &area), HF_OK);
  assert_int_equal(boot.seq, seq + 1);
  assert_false(hf_bootstate_on_trial(&boot, these));
  for (int i = 0; i < 3; i++) {
    assert_int_equal(boot.image[i].active, these[i]);
    assert_int_equal(boot.image[i].previous, 0);
    assert_int_equal(boot.image[i].slot[these[i]].status, HF_SLOT_CONFIRMED);
  }
  /* A floor rises to what was confirmed on trial; it never falls, and never follows what was there before. */
  assert_int_equal(boot.image[0].counter, 8);
  assert_int_equal(boot.image[1].counter, 6);
  assert_int_equal(boot.image[2].counter, 7);
  simflash_free(&flash);
}

int main(int argc, char **argv)
{
  full = argc > 1 && strcmp(argv[1], "full") == 0;
  const struct CMUnitTest records[] = {
      cmocka_unit_test(tells_never_written_from_lost),
      cmocka_unit_test(outlives_the_loss_of_either_half),
      cmocka_unit_test(is_the_old_or_the_new_state_after_a_cut_at_every_byte),
      cmocka_unit_test(writes_on_with_one_half_worn_out),
  };
  const struct CMUnitTest states[] = {
      cmocka_unit_test(confirms_and_raises_the_counter_in_one_record),
      cmocka_unit_test(refuses_a_state_of_a_newer_format),
      cmocka_unit_test(keeps_the_format_of_boot_loaders_in_the_field),
      cmocka_unit_test(takes_only_as_many_images_as_the_area_has_room_for),
      cmocka_unit_test(refuses_records_of_several_images_that_cannot_be),
      cmocka_unit_test(confirms_a_set_in_one_record_or_not_at_all),
  };
  int failed = cmocka_run_group_tests(states, NULL, NULL);
  static const uint8_t counts[] = {1, 2, 4};
  for (size_t i = 0; i < sizeof counts; i++) {
    images = counts[i];
    failed += cmocka_run_group_tests_name("records of 1, 2, 4 images", records, NULL, NULL);
  }
  return failed;
}
