/* SPDX-License-Identifier: Apache-2.0
 * Several images boot as one set: tried, confirmed, reverted and fallen back to together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "hf/device/record.h"
#include "ports/sim/simset.h"

/* Image 0 in three versions, image 1 in three; A2 needs B2, B3 needs A3. */
enum { A1, A2, A3, B1, B2, B3, C1, LOW_A, STRANGE_B, NEEDS_FAR, MAIN, RADIO };

static struct simset set;
static struct simset_device device;

static int make_images(void **state)
{
  (void)state;
  simset_init(&set);
  (void)simset_add(&set, (struct simset_file){.version = "1.0", .counter = 1});
  (void)simset_add(&set, (struct simset_file){.version = "2.0", .counter = 2, .needs_image = 1, .needs = "2.0"});
  (void)simset_add(&set, (struct simset_file){.version = "3.0", .counter = 2});
  (void)simset_add(&set, (struct simset_file){.version = "1.0", .counter = 5});
  (void)simset_add(&set, (struct simset_file){.version = "2.0", .counter = 6});
  (void)simset_add(&set, (struct simset_file){.version = "3.0", .counter = 6, .needs_image = 0, .needs = "3.0"});
  (void)simset_add(&set, (struct simset_file){.version = "1.0", .counter = 9});
  (void)simset_add(&set, (struct simset_file){.version = "0.9", .counter = 0});
  (void)simset_add(&set, (struct simset_file){.version = "2.0", .counter = 6, .stranger = true});
  (void)simset_add(&set, (struct simset_file){.version = "4.0", .counter = 9, .needs_image = 4, .needs = "1.0"});
  (void)simset_add(&set, (struct simset_file){.version = "9.0", .counter = 9, .component = "main"});
  (void)simset_add(&set, (struct simset_file){.version = "2.0", .counter = 2, .component = "radio"});
  return 0;
}

static int drop_images(void **state)
{
  (void)state;
  simset_free(&set);
  return 0;
}

static void fill(uint8_t image, uint8_t slot, int file) { assert_true(simset_fill(&device, image, slot, file)); }

static struct hf_bootstate get(void)
{
  struct hf_bootstate state;
  assert_int_equal(hf_bootstate_get(&state, &device.layout.boot), HF_OK);
  return state;
}

static void put(struct hf_bootstate *state) { assert_int_equal(hf_bootstate_put(state, &device.layout.boot), HF_OK); }

static void boot(void) { assert_int_equal(simset_boot(&device, HF_RESET_POWER), HF_OK); }

/* Slots of image 0 and 1 that are to run. */
static void expect_run(uint8_t first, uint8_t second, bool trial)
{
  assert_int_equal(device.choice.verdict, HF_ALLOW);
  assert_int_equal(device.choice.slot[0], first);
  assert_int_equal(device.choice.slot[1], second);
  assert_int_equal(device.choice.trial, trial);
}

static void expect_nothing(uint16_t rule, uint8_t image)
{
  assert_int_equal(device.choice.verdict, HF_DENY);
  assert_int_equal(device.choice.why.rule, rule);
  assert_int_equal(device.choice.why_image, image);
}

static void expect_failure(uint16_t rule, uint8_t image)
{
  struct hf_bootstate state = get();
  assert_int_equal(state.failed_rule, rule);
  assert_int_equal(state.failed_image, image);
}

static enum hf_slot_status status(uint8_t image, uint8_t slot) { return get().image[image].slot[slot].status; }

/* A factory device with A1 and B1, booted once. */
static int begin(void **state)
{
  (void)state;
  simset_device_init(&device, &set, 2, 8, 0xff);
  fill(0, 0, A1);
  fill(1, 0, B1);
  boot();
  expect_run(0, 0, false);
  return 0;
}

static int end(void **state)
{
  (void)state;
  assert_int_equal(device.flash.breaches, 0);
  simset_device_free(&device);
  return 0;
}

static void bind(struct hf_bootstate *state, uint8_t image, int file)
{
  uint8_t slot = (uint8_t)(1 - state->image[image].active);
  fill(image, slot, file);
  hf_bootstate_bind(&state->image[image].slot[slot], &set.file[file].info, HF_SLOT_STAGED);
}

/* -1: not that image. */
static void stage(int first, int second)
{
  struct hf_bootstate state = get();
  if (first >= 0) {
    bind(&state, 0, first);
  }
  if (second >= 0) {
    bind(&state, 1, second);
  }
  put(&state);
}

static void confirm(void)
{
  struct hf_bootstate state = get();
  assert_int_equal(hf_bootstate_confirm(&state, &device.layout.boot, device.choice.slot), HF_OK);
}

static void spoil(uint8_t image, uint8_t slot) { device.flash.at[device.layout.slot[image][slot].start + 60] ^= 1; }

static void adopts_all_images_of_a_device_fresh_from_the_factory(void **state)
{
  (void)state;
  struct hf_bootstate records = get();
  assert_int_equal(records.images, 2);
  assert_int_equal(records.image[0].counter, 1);
  assert_int_equal(records.image[1].counter, 5);
  assert_int_equal(records.failures, 0);
  assert_memory_equal(device.choice.info.digest, set.file[A1].info.digest, HF_SHA256_LEN);
  uint32_t ops = device.flash.ops;
  boot();
  expect_run(0, 0, false);
  assert_int_equal(device.flash.ops, ops);
}

static void tries_and_confirms_a_set_together(void **state)
{
  (void)state;
  stage(A2, B2);
  uint32_t seq = get().seq;
  boot();
  expect_run(1, 1, true);
  assert_int_equal(get().seq, seq + 1);
  assert_int_equal(status(0, 1), HF_SLOT_TRYING);
  assert_int_equal(status(1, 1), HF_SLOT_TRYING);
  assert_int_equal(get().image[0].counter, 1);
  confirm();
  assert_int_equal(get().seq, seq + 2);
  assert_int_equal(get().image[0].counter, 2);
  assert_int_equal(get().image[1].counter, 6);
  boot();
  expect_run(1, 1, false);
}

static void reverts_a_set_together(void **state)
{
  (void)state;
  stage(A2, B2);
  boot();
  expect_run(1, 1, true);
  boot();
  expect_run(0, 0, false);
  assert_int_equal(device.choice.reset, HF_RESET_REVERT);
  assert_int_equal(status(0, 1), HF_SLOT_BAD);
  assert_int_equal(status(1, 1), HF_SLOT_BAD);
  expect_failure(HF_RULE_BOOT_NOT_CONFIRMED, 0);
  assert_int_equal(get().failures, 1);
  assert_int_equal(get().image[0].counter, 1);
}

static void updates_one_image_and_leaves_the_other(void **state)
{
  (void)state;
  stage(-1, B2);
  boot();
  expect_run(0, 1, true);
  boot();
  expect_run(0, 0, false);
  expect_failure(HF_RULE_BOOT_NOT_CONFIRMED, 1);
  stage(-1, B2);
  boot();
  confirm();
  boot();
  expect_run(0, 1, false);
  assert_int_equal(get().image[0].counter, 1);
}

static void refuses_the_whole_set_for_one_image_and_names_it(void **state)
{
  (void)state;
  static const struct {
    int first, second;
    uint16_t rule;
    uint8_t image;
  } sets[] = {
      {A3, STRANGE_B, HF_RULE_IMAGE_KEY_UNKNOWN, 1},
      {LOW_A, B2, HF_RULE_IMAGE_COUNTER, 0},
      {A2, -1, HF_RULE_IMAGE_NEEDS_1, 0},
      {-1, B3, HF_RULE_IMAGE_NEEDS_0, 1},
      {A2, B3, HF_RULE_IMAGE_NEEDS_0, 1},
      {NEEDS_FAR, B2, HF_RULE_IMAGE_NEEDS_OTHER, 0},
  };
  for (uint32_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
    stage(sets[i].first, sets[i].second);
    boot();
    expect_run(0, 0, false);
    expect_failure(sets[i].rule, sets[i].image);
    assert_int_equal(get().failures, i + 1);
    assert_int_equal(status(0, 1), sets[i].first >= 0 || i > 2 ? HF_SLOT_BAD : status(0, 1));
    assert_int_not_equal(status(0, 1), HF_SLOT_STAGED);
    assert_int_not_equal(status(1, 1), HF_SLOT_STAGED);
  }
}

static void refuses_an_update_that_a_running_image_cannot_live_with(void **state)
{
  (void)state;
  stage(A3, B3);
  boot();
  confirm();
  /* B3 stays and needs A3; A2 is not enough, and its counter would allow it. */
  stage(A2, -1);
  boot();
  expect_run(1, 1, false);
  expect_failure(HF_RULE_IMAGE_NEEDS_0, 1);
  assert_int_equal(status(0, 0), HF_SLOT_BAD);
  assert_int_equal(status(1, 1), HF_SLOT_CONFIRMED);
}

static void keeps_what_is_staged_when_the_fault_is_in_what_runs(void **state)
{
  (void)state;
  stage(-1, B2);
  spoil(0, 0);
  boot();
  expect_nothing(HF_RULE_IMAGE_HASH, 0);
  spoil(0, 0);
  boot();
  expect_run(0, 1, true);
}

static void heals_a_rotten_image_by_its_staged_successor(void **state)
{
  (void)state;
  stage(A2, B2);
  spoil(0, 0);
  spoil(1, 0);
  boot();
  expect_run(1, 1, true);
}

static void falls_back_to_the_set_before_and_never_to_a_mixture(void **state)
{
  (void)state;
  /* A3 and B1 have the counters of what they replace or less to lose: both sets stay above their floors. */
  stage(A3, -1);
  boot();
  confirm();
  stage(A2, B2);
  boot();
  confirm();
  expect_run(0, 1, true);
  /* The set before was A3 with B1, but B1 is below the floor that B2 raised: nothing is left. */
  spoil(1, 1);
  boot();
  expect_nothing(HF_RULE_IMAGE_COUNTER, 1);
  spoil(1, 1);
  /* The next set does not raise counters: A3 with B3. When B3 breaks, A2 with B2 run again. */
  stage(A3, B3);
  boot();
  confirm();
  expect_run(1, 0, true);
  spoil(1, 0);
  boot();
  expect_run(0, 1, false);
  expect_failure(HF_RULE_IMAGE_HASH, 1);
  assert_int_equal(status(1, 0), HF_SLOT_BAD);
  /* A3 is whole and was confirmed, but not with B2; it does not come back alone. */
  assert_int_equal(status(0, 1), HF_SLOT_CONFIRMED);
  spoil(0, 0);
  boot();
  assert_int_equal(device.choice.verdict, HF_DENY);
}

static void does_not_fall_back_once_the_next_download_took_a_slot(void **state)
{
  (void)state;
  stage(A3, B2);
  boot();
  confirm();
  stage(A2, B3);
  struct hf_bootstate records = get();
  records.image[0].slot[0] = (struct hf_bootslot){0};
  records.image[1].slot[0].status = HF_SLOT_EMPTY;
  put(&records);
  spoil(1, 1);
  boot();
  expect_nothing(HF_RULE_IMAGE_HASH, 1);
}

static void does_not_try_a_set_it_could_not_write_down(void **state)
{
  (void)state;
  stage(A2, B2);
  device.flash.fail_at = device.flash.ops + 1;
  device.flash.fail_count = 1000;
  boot();
  expect_run(0, 0, false);
  assert_int_equal(device.choice.why.rule, HF_RULE_BOOT_FLASH);
  device.flash.fail_at = 0;
  boot();
  expect_run(1, 1, true);
}

static void does_without_an_image_that_was_never_installed(void **state)
{
  (void)state;
  simset_device_free(&device);
  simset_device_init(&device, &set, 2, 8, 0xff);
  fill(0, 0, A1);
  boot();
  expect_run(0, HF_SLOTS, false);
  assert_int_equal(get().images, 2);
  /* Its first installation is a trial like any other. */
  struct hf_bootstate records = get();
  bind(&records, 1, B1);
  put(&records);
  boot();
  expect_run(0, 1, true);
  boot();
  expect_run(0, HF_SLOTS, false);
  /* What needs it does not run without it. */
  stage(A2, -1);
  boot();
  expect_run(0, HF_SLOTS, false);
  expect_failure(HF_RULE_IMAGE_NEEDS_1, 0);
  stage(A2, B2);
  boot();
  expect_run(1, 1, true);
  confirm();
  assert_int_equal(get().image[1].counter, 6);
}

static void falls_back_without_an_image_that_was_never_installed(void **state)
{
  (void)state;
  simset_device_free(&device);
  simset_device_init(&device, &set, 2, 8, 0xff);
  fill(0, 0, A3);
  boot();
  stage(A3, -1);
  boot();
  confirm();
  spoil(0, 1);
  boot();
  expect_run(0, HF_SLOTS, false);
  boot();
  expect_run(0, HF_SLOTS, false);
}

static void never_does_without_image_0(void **state)
{
  (void)state;
  simset_device_free(&device);
  simset_device_init(&device, &set, 2, 8, 0xff);
  fill(1, 0, B1);
  boot();
  assert_int_equal(device.choice.verdict, HF_DENY);
  assert_int_not_equal(device.choice.why.rule, 0);
  assert_int_equal(hf_bootstate_get(&(struct hf_bootstate){0}, &device.layout.boot), HF_E_NOT_FOUND);
}

static void adopts_images_that_fit_each_other_when_the_records_are_lost(void **state)
{
  (void)state;
  stage(A2, B2);
  boot();
  confirm();
  /* B3 was just downloaded; it is the better one, but needs A3. */
  fill(1, 0, B3);
  memset(device.flash.at, 0x5a, SIMSET_BOOT);
  boot();
  expect_run(1, 1, false);
  assert_int_equal(device.choice.why.rule, HF_RULE_BOOT_RECORDS_LOST);
  expect_failure(HF_RULE_BOOT_RECORDS_LOST, 0);
  assert_int_equal(status(0, 0), HF_SLOT_EMPTY);
  assert_int_equal(status(1, 0), HF_SLOT_EMPTY);
  assert_int_equal(get().image[1].counter, 6);
}

static void says_so_when_no_two_images_fit_each_other(void **state)
{
  (void)state;
  simset_device_free(&device);
  simset_device_init(&device, &set, 2, 8, 0xff);
  fill(0, 0, A2);
  fill(1, 0, B1);
  boot();
  expect_nothing(HF_RULE_IMAGE_NEEDS_1, 0);
}

static void takes_over_the_records_of_a_boot_loader_of_fewer_images(void **state)
{
  (void)state;
  simset_device_free(&device);
  simset_device_init(&device, &set, 1, 8, 0xff);
  fill(0, 0, A1);
  boot();
  assert_int_equal(get().images, 1);
  struct hf_bootstate records = get();
  bind(&records, 0, A3);
  put(&records);
  boot();
  confirm();
  /* The new boot loader knows two images; the records go over to format 2 and keep what they said. */
  device.layout.images = 2;
  device.layout.slot[1][0] = simflash_area(&device.flash, SIMSET_BOOT + 2 * SIMSET_SLOT, SIMSET_SLOT);
  device.layout.slot[1][1] = simflash_area(&device.flash, SIMSET_BOOT + 3 * SIMSET_SLOT, SIMSET_SLOT);
  fill(1, 1, B1);
  boot();
  expect_run(1, 1, false);
  records = get();
  assert_int_equal(records.images, 2);
  assert_int_equal(records.image[0].counter, 2);
  assert_int_equal(records.image[0].slot[0].status, HF_SLOT_CONFIRMED);
  assert_int_equal(records.image[1].counter, 5);
  assert_int_equal(records.failures, 0);
  /* And a boot loader of one image leaves records of two alone. */
  device.layout.images = 1;
  uint32_t ops = device.flash.ops;
  assert_int_equal(simset_boot(&device, HF_RESET_POWER), HF_E_VERSION);
  assert_int_equal(device.choice.verdict, HF_DENY);
  assert_int_equal(device.flash.ops, ops);
}

static void leaves_out_a_new_image_that_does_not_fit(void **state)
{
  (void)state;
  simset_device_free(&device);
  simset_device_init(&device, &set, 1, 8, 0xff);
  fill(0, 0, A1);
  boot();
  device.layout.images = 2;
  device.layout.slot[1][0] = simflash_area(&device.flash, SIMSET_BOOT + 2 * SIMSET_SLOT, SIMSET_SLOT);
  device.layout.slot[1][1] = simflash_area(&device.flash, SIMSET_BOOT + 3 * SIMSET_SLOT, SIMSET_SLOT);
  fill(1, 0, B3);
  boot();
  expect_run(0, HF_SLOTS, false);
  assert_int_equal(get().images, 2);
  assert_int_equal(status(1, 0), HF_SLOT_EMPTY);
}

static void ends_two_trials_of_one_image_that_no_program_of_ours_writes(void **state)
{
  (void)state;
  struct hf_bootstate records = get();
  hf_bootstate_bind(&records.image[1].slot[0], &set.file[B1].info, HF_SLOT_TRYING);
  hf_bootstate_bind(&records.image[1].slot[1], &set.file[B2].info, HF_SLOT_TRYING);
  put(&records);
  boot();
  assert_int_equal(device.choice.verdict, HF_DENY);
  expect_nothing(HF_RULE_BOOT_NOT_CONFIRMED, 1);
}

static void falls_back_when_the_active_set_is_not_confirmed(void **state)
{
  (void)state;
  stage(A3, -1);
  boot();
  confirm();
  stage(A3, -1);
  boot();
  confirm();
  struct hf_bootstate records = get();
  records.image[0].slot[records.image[0].active].status = HF_SLOT_BAD;
  put(&records);
  boot();
  assert_int_equal(device.choice.verdict, HF_ALLOW);
  expect_failure(HF_RULE_BOOT_NOTHING, 0);
}

/* Found by the model: image 1 broke, the record of the fall back could not be written, and the application of the set
 * before began to fill what the record still calls active. Image 0 is shared by both sets and must not be blamed. */
static void does_not_blame_the_image_that_both_sets_share(void **state)
{
  (void)state;
  stage(-1, B1);
  boot();
  confirm();
  spoil(1, 1);
  device.flash.fail_at = device.flash.ops + 1;
  device.flash.fail_count = 1000;
  boot();
  expect_run(0, 0, false);
  device.flash.fail_at = 0;
  struct hf_bootstate records = get();
  records.image[1].slot[1] = (struct hf_bootslot){0};
  put(&records);
  for (int i = 0; i < 3; i++) {
    boot();
    expect_run(0, 0, false);
    assert_int_equal(status(0, 0), HF_SLOT_CONFIRMED);
  }
}

/* Found by the model, too: what is active but not confirmed is no partner for a trial; what is staged waits. */
static void tries_nothing_beside_an_image_that_is_not_confirmed(void **state)
{
  (void)state;
  stage(-1, B1);
  boot();
  confirm();
  stage(A3, -1);
  struct hf_bootstate records = get();
  records.image[1].slot[1].status = HF_SLOT_BAD;
  put(&records);
  boot();
  expect_run(0, 0, false);
  boot();
  expect_run(1, 0, true);
}

/* One key signs the images of all processors. Somebody wipes the records and copies image 0, newer and with the higher
 * counter than anything there, into a slot of image 1. */
static void attack_with_the_other_image(bool named)
{
  simset_device_free(&device);
  simset_device_init(&device, &set, 2, 8, 0xff);
  if (named) {
    device.component[0] = HF_LIT("main");
    device.component[1] = HF_LIT("radio");
  }
  fill(0, 0, MAIN);
  fill(1, 0, RADIO);
  fill(1, 1, MAIN);
  boot();
}

static void keeps_an_image_out_of_the_slots_of_another(void **state)
{
  (void)state;
  attack_with_the_other_image(false);
  expect_run(0, 1, false); /* names were not given: nothing tells the two apart */
  attack_with_the_other_image(true);
  expect_run(0, 0, false);
  /* With records it would have to be staged, and is refused by name. */
  struct hf_bootstate records = get();
  bind(&records, 1, MAIN);
  put(&records);
  boot();
  expect_run(0, 0, false);
  expect_failure(HF_RULE_IMAGE_COMPONENT, 1);
  /* An image that names no component is nobody's. */
  fill(0, 0, C1);
  boot();
  expect_nothing(HF_RULE_IMAGE_COMPONENT, 0);
}

static void refuses_a_layout_that_cannot_hold_its_records(void **state)
{
  (void)state;
  device.layout.images = 0;
  assert_int_equal(simset_boot(&device, HF_RESET_POWER), HF_E_INPUT);
  device.layout.images = HF_IMAGES_MAX + 1;
  assert_int_equal(simset_boot(&device, HF_RESET_POWER), HF_E_INPUT);
  assert_int_equal(device.choice.verdict, HF_DENY);
}

static void boots_four_images(void **state)
{
  (void)state;
  simset_device_free(&device);
  simset_device_init(&device, &set, 4, 16, 0x00);
  static const int first[4] = {A1, B1, C1, C1}, second[4] = {A2, B2, C1, C1};
  for (uint8_t i = 0; i < 4; i++) {
    fill(i, 0, first[i]);
  }
  boot();
  struct hf_bootstate records = get();
  for (uint8_t i = 0; i < 4; i++) {
    assert_int_equal(device.choice.slot[i], 0);
    bind(&records, i, second[i]);
  }
  put(&records);
  boot();
  assert_true(device.choice.trial);
  confirm();
  boot();
  for (uint8_t i = 0; i < 4; i++) {
    assert_int_equal(device.choice.slot[i], 1);
    assert_int_equal(simset_file_in(&device, i, 1), second[i]);
  }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(adopts_all_images_of_a_device_fresh_from_the_factory),
      TEST(tries_and_confirms_a_set_together),
      TEST(reverts_a_set_together),
      TEST(updates_one_image_and_leaves_the_other),
      TEST(refuses_the_whole_set_for_one_image_and_names_it),
      TEST(refuses_an_update_that_a_running_image_cannot_live_with),
      TEST(keeps_what_is_staged_when_the_fault_is_in_what_runs),
      TEST(heals_a_rotten_image_by_its_staged_successor),
      TEST(falls_back_to_the_set_before_and_never_to_a_mixture),
      TEST(does_not_fall_back_once_the_next_download_took_a_slot),
      TEST(does_not_try_a_set_it_could_not_write_down),
      TEST(does_without_an_image_that_was_never_installed),
      TEST(falls_back_without_an_image_that_was_never_installed),
      TEST(never_does_without_image_0),
      TEST(adopts_images_that_fit_each_other_when_the_records_are_lost),
      TEST(says_so_when_no_two_images_fit_each_other),
      TEST(takes_over_the_records_of_a_boot_loader_of_fewer_images),
      TEST(leaves_out_a_new_image_that_does_not_fit),
      TEST(ends_two_trials_of_one_image_that_no_program_of_ours_writes),
      TEST(falls_back_when_the_active_set_is_not_confirmed),
      TEST(does_not_blame_the_image_that_both_sets_share),
      TEST(tries_nothing_beside_an_image_that_is_not_confirmed),
      TEST(keeps_an_image_out_of_the_slots_of_another),
      TEST(refuses_a_layout_that_cannot_hold_its_records),
      TEST(boots_four_images),
  };
  return cmocka_run_group_tests(tests, make_images, drop_images);
}
