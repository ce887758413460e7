/* SPDX-License-Identifier: Apache-2.0
 * The boot loader's choice, case by case.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "ports/sim/simdevice.h"

enum { V10, V11, V12, OTHER_BOARD, STRANGER, LOW, IMAGES };

static struct simrepo repo;
static struct simdevice device;
static struct hf_boot_choice choice;

static int make_images(void **state)
{
  (void)state;
  simrepo_init(&repo, SIMDEVICE_NOW);
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.0.0", .counter = 2, .payload_len = 1000});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.1.0", .counter = 2, .payload_len = 1500});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.2.0", .counter = 3, .payload_len = 900});
  (void)simrepo_add(
      &repo, (struct simrepo_image){.version = "1.3.0", .counter = 3, .payload_len = 900, .hardware = "thermo-b"});
  (void)simrepo_add(&repo,
                    (struct simrepo_image){.version = "1.4.0", .counter = 3, .payload_len = 900, .unsigned_key = true});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "0.9.0", .counter = 1, .payload_len = 900});
  return 0;
}

static int drop_images(void **state)
{
  (void)state;
  simrepo_free(&repo);
  return 0;
}

static int begin(void **state)
{
  (void)state;
  simdevice_init(&device, &repo, V10, 4, 0xff);
  return 0;
}

static int end(void **state)
{
  (void)state;
  assert_int_equal(device.flash.breaches, 0);
  simdevice_free(&device);
  return 0;
}

static void fill(uint8_t slot, int image)
{
  struct hf_slot_writer writer;
  uint8_t digest[HF_SHA256_LEN];
  struct hf_bytes file = repo.images[image].file;
  assert_int_equal(hf_slot_open(&writer, &device.layout.slot[0][slot], (uint32_t)file.len, 0), HF_OK);
  assert_int_equal(hf_slot_put(&writer, file), HF_OK);
  assert_int_equal(hf_slot_close(&writer, digest), HF_OK);
}

static struct hf_bootstate get(void)
{
  struct hf_bootstate state;
  assert_int_equal(hf_bootstate_get(&state, &device.layout.boot), HF_OK);
  return state;
}

static void put(struct hf_bootstate *state) { assert_int_equal(hf_bootstate_put(state, &device.layout.boot), HF_OK); }

static void choose(enum hf_reset reset)
{
  const struct hf_boot_config config = {
      .layout = &device.layout, .keys = &repo.image_keys, .hardware = HF_LIT(SIMREPO_HARDWARE), .reset = reset};
  assert_int_equal(hf_boot_choose(&choice, &config), HF_OK);
}

static void expect_run(uint8_t slot, bool trial)
{
  assert_int_equal(choice.verdict, HF_ALLOW);
  assert_int_equal(choice.slot[0], slot);
  assert_int_equal(choice.trial, trial);
}

static void stage(int image)
{
  struct hf_bootstate state = get();
  uint8_t slot = (uint8_t)(1 - state.image[0].active);
  fill(slot, image);
  hf_bootstate_bind(&state.image[0].slot[slot], &repo.images[image].info, HF_SLOT_STAGED);
  put(&state);
}

static void spoil(uint8_t slot) { device.flash.at[device.layout.slot[0][slot].start + 200] ^= 1; }

static void adopts_the_image_of_a_device_fresh_from_the_factory(void **state)
{
  (void)state;
  choose(HF_RESET_POWER);
  expect_run(0, false);
  assert_int_equal(choice.reset, HF_RESET_POWER);
  assert_int_equal(choice.why.rule, 0);
  struct hf_bootstate boot = get();
  assert_int_equal(boot.image[0].slot[0].status, HF_SLOT_CONFIRMED);
  assert_memory_equal(boot.image[0].slot[0].digest, repo.images[V10].info.digest, HF_SHA256_LEN);
  assert_int_equal(boot.image[0].counter, 2);
  assert_int_equal(boot.failures, 0);
  /* From then on a normal boot writes nothing. */
  uint32_t ops = device.flash.ops;
  choose(HF_RESET_WATCHDOG);
  expect_run(0, false);
  assert_int_equal(choice.reset, HF_RESET_WATCHDOG);
  assert_int_equal(device.flash.ops, ops);
}

static void tries_a_staged_image_once_and_reverts(void **state)
{
  (void)state;
  choose(HF_RESET_POWER);
  stage(V11);
  choose(HF_RESET_REQUEST);
  expect_run(1, true);
  assert_int_equal(choice.reset, HF_RESET_UPDATE);
  assert_int_equal(get().image[0].slot[1].status, HF_SLOT_TRYING);
  choose(HF_RESET_CRASH);
  expect_run(0, false);
  assert_int_equal(choice.reset, HF_RESET_REVERT);
  assert_int_equal(choice.why.rule, HF_RULE_BOOT_NOT_CONFIRMED);
  struct hf_bootstate boot = get();
  assert_int_equal(boot.image[0].slot[1].status, HF_SLOT_BAD);
  assert_int_equal(boot.failures, 1);
  assert_int_equal(boot.failed_slot, 1);
  assert_int_equal(boot.failed_rule, HF_RULE_BOOT_NOT_CONFIRMED);
  assert_int_equal(boot.failed_reset, HF_RESET_CRASH);
  choose(HF_RESET_POWER);
  expect_run(0, false);
  assert_int_equal(choice.reset, HF_RESET_POWER);
}

static void keeps_a_confirmed_image_and_its_counter(void **state)
{
  (void)state;
  choose(HF_RESET_POWER);
  stage(V12);
  choose(HF_RESET_REQUEST);
  expect_run(1, true);
  assert_int_equal(get().image[0].counter, 2);
  struct hf_bootstate boot = get();
  assert_int_equal(hf_bootstate_confirm(&boot, &device.layout.boot, (uint8_t[HF_IMAGES_MAX]){1}), HF_OK);
  choose(HF_RESET_POWER);
  expect_run(1, false);
  assert_int_equal(get().image[0].counter, 3);
  /* The one before is below the counter now: when this one breaks nothing is left, and nothing is written. */
  spoil(1);
  uint32_t ops = device.flash.ops;
  choose(HF_RESET_POWER);
  assert_int_equal(choice.verdict, HF_DENY);
  assert_int_not_equal(choice.why.rule, 0);
  assert_int_equal(device.flash.ops, ops);
  /* And when the rot was in the reading, it runs again. */
  spoil(1);
  choose(HF_RESET_POWER);
  expect_run(1, false);
}

static void falls_back_to_what_was_confirmed_before(void **state)
{
  (void)state;
  choose(HF_RESET_POWER);
  stage(V11);
  choose(HF_RESET_REQUEST);
  struct hf_bootstate boot = get();
  assert_int_equal(hf_bootstate_confirm(&boot, &device.layout.boot, (uint8_t[HF_IMAGES_MAX]){1}), HF_OK);
  spoil(1);
  choose(HF_RESET_POWER);
  expect_run(0, false);
  assert_int_equal(choice.why.rule, HF_RULE_IMAGE_HASH);
  boot = get();
  assert_int_equal(boot.image[0].active, 0);
  assert_int_equal(boot.image[0].slot[1].status, HF_SLOT_BAD);
  assert_int_equal(boot.failed_rule, HF_RULE_IMAGE_HASH);
  assert_int_equal(boot.failures, 1);
  /* No way back, even when the bits come back. */
  spoil(1);
  choose(HF_RESET_POWER);
  expect_run(0, false);
}

static void never_falls_back_to_an_unconfirmed_image(void **state)
{
  (void)state;
  choose(HF_RESET_POWER);
  fill(1, V11);
  static const enum hf_slot_status statuses[] = {HF_SLOT_EMPTY, HF_SLOT_TRYING, HF_SLOT_BAD};
  spoil(0);
  for (size_t i = 0; i < 3; i++) {
    struct hf_bootstate boot = get();
    hf_bootstate_bind(&boot.image[0].slot[1], &repo.images[V11].info, statuses[i]);
    put(&boot);
    choose(HF_RESET_POWER);
    assert_int_equal(choice.verdict, HF_DENY);
    assert_int_not_equal(choice.why.rule, 0);
  }
}

static void refuses_what_should_not_have_been_staged(void **state)
{
  (void)state;
  static const int images[] = {OTHER_BOARD, STRANGER, LOW};
  choose(HF_RESET_POWER);
  uint16_t rules[3];
  for (size_t i = 0; i < 3; i++) {
    stage(images[i]);
    choose(HF_RESET_REQUEST);
    expect_run(0, false);
    struct hf_bootstate boot = get();
    assert_int_equal(boot.image[0].slot[1].status, HF_SLOT_BAD);
    assert_int_equal(boot.failures, i + 1);
    rules[i] = boot.failed_rule;
    assert_true(rules[i] >= 100 && rules[i] < 200);
  }
  assert_true(rules[0] != rules[1] && rules[1] != rules[2] && rules[0] != rules[2]);
}

static void refuses_another_image_than_the_record_names(void **state)
{
  (void)state;
  choose(HF_RESET_POWER);
  stage(V11);
  fill(1, V12);
  choose(HF_RESET_REQUEST);
  expect_run(0, false);
  assert_int_equal(get().failed_rule, HF_RULE_BOOT_DIGEST);
  /* Also in the slot of confirmed software. */
  fill(0, V11);
  choose(HF_RESET_REQUEST);
  assert_int_equal(choice.verdict, HF_DENY);
  assert_int_equal(choice.why.rule, HF_RULE_BOOT_DIGEST);
}

static void does_not_try_what_it_could_not_write_down(void **state)
{
  (void)state;
  choose(HF_RESET_POWER);
  stage(V11);
  device.flash.fail_at = device.flash.ops + 1;
  device.flash.fail_count = 1000;
  choose(HF_RESET_REQUEST);
  expect_run(0, false);
  assert_int_equal(choice.why.rule, HF_RULE_BOOT_FLASH);
  device.flash.fail_at = 0;
  choose(HF_RESET_REQUEST);
  expect_run(1, true);
}

static void runs_nothing_when_the_records_cannot_be_read(void **state)
{
  (void)state;
  choose(HF_RESET_POWER);
  device.flash.fail_reads = true;
  choose(HF_RESET_POWER);
  assert_int_equal(choice.verdict, HF_DENY);
  assert_int_equal(choice.why.rule, HF_RULE_BOOT_FLASH);
}

static void says_which_rule_the_trial_gave_itself_up_by(void **state)
{
  (void)state;
  choose(HF_RESET_POWER);
  stage(V11);
  choose(HF_RESET_REQUEST);
  struct hf_bootstate boot = get();
  boot.trial_rule = HF_RULE_BOOT_UNHEALTHY;
  put(&boot);
  choose(HF_RESET_REQUEST);
  expect_run(0, false);
  boot = get();
  assert_int_equal(boot.failed_rule, HF_RULE_BOOT_UNHEALTHY);
  assert_int_equal(boot.trial_rule, 0);
}

static void adopts_the_best_image_when_the_records_are_lost(void **state)
{
  (void)state;
  choose(HF_RESET_POWER);
  fill(1, V12);
  memset(device.flash.at, 0x5a, SIMDEVICE_BOOT);
  choose(HF_RESET_POWER);
  expect_run(1, false);
  assert_int_equal(choice.why.rule, HF_RULE_BOOT_RECORDS_LOST);
  struct hf_bootstate boot = get();
  assert_int_equal(boot.image[0].active, 1);
  assert_int_equal(boot.image[0].counter, 3);
  assert_int_equal(boot.image[0].slot[0].status, HF_SLOT_EMPTY);
  assert_int_equal(boot.failed_rule, HF_RULE_BOOT_RECORDS_LOST);
}

static void says_so_when_nothing_boots(void **state)
{
  (void)state;
  memset(device.flash.at + device.layout.slot[0][0].start, 0xff, SIMDEVICE_SLOT);
  choose(HF_RESET_POWER);
  assert_int_equal(choice.verdict, HF_DENY);
  assert_int_not_equal(choice.why.rule, 0);
  assert_int_equal(device.flash.ops, 0);
}

static void mends_the_twin_record(void **state)
{
  (void)state;
  choose(HF_RESET_POWER);
  memset(device.flash.at + SIMDEVICE_SECTOR, 0x5a, SIMDEVICE_SECTOR);
  assert_true(get().lags);
  choose(HF_RESET_POWER);
  expect_run(0, false);
  assert_false(get().lags);
}

static void leaves_records_of_a_newer_version_alone(void **state)
{
  (void)state;
  static const uint8_t newer[8] = {9};
  struct hf_run run = hf_record_open(&device.layout.boot, 0, SIMDEVICE_SECTOR);
  struct hf_record rec = {.kind = HF_RECORD_VALUE, .key = 1, .len = sizeof newer, .seq = 1};
  assert_int_equal(hf_record_put(&run, &rec, newer), HF_OK);
  const struct hf_boot_config config = {.layout = &device.layout, .keys = &repo.image_keys};
  uint32_t ops = device.flash.ops;
  assert_int_equal(hf_boot_choose(&choice, &config), HF_E_VERSION);
  assert_int_equal(choice.verdict, HF_DENY);
  assert_int_equal(device.flash.ops, ops);
}

static void refuses_every_single_turned_bit_of_a_staged_image(void **state)
{
  (void)state;
  choose(HF_RESET_POWER);
  stage(V12);
  const struct simrepo_image *image = &repo.images[V12];
  uint8_t *slot = device.flash.at + device.layout.slot[0][1].start;
  const struct hf_image_policy policy = {.hardware = HF_LIT(SIMREPO_HARDWARE), .counter_min = 2};
  struct hf_image_source source = hf_slot_source(&device.layout.slot[0][1]);
  struct hf_image_info info;
  unsigned refused = 0, bits = 0;
  for (uint32_t at = 0; at < image->file.len; at += at < 64 || at + 400 > image->file.len ? 1 : 37) {
    slot[at] ^= (uint8_t)(1u << (at % 8));
    bool denied = hf_image_verify(&info, &source, &repo.image_keys, &policy, NULL) != HF_ALLOW;
    /* The unprotected key hash and signature have no second valid form either. */
    refused += denied;
    bits++;
    slot[at] ^= (uint8_t)(1u << (at % 8));
  }
  assert_int_equal(refused, bits);
  choose(HF_RESET_REQUEST);
  expect_run(1, true);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(adopts_the_image_of_a_device_fresh_from_the_factory),
      TEST(tries_a_staged_image_once_and_reverts),
      TEST(keeps_a_confirmed_image_and_its_counter),
      TEST(falls_back_to_what_was_confirmed_before),
      TEST(never_falls_back_to_an_unconfirmed_image),
      TEST(refuses_what_should_not_have_been_staged),
      TEST(refuses_another_image_than_the_record_names),
      TEST(does_not_try_what_it_could_not_write_down),
      TEST(runs_nothing_when_the_records_cannot_be_read),
      TEST(says_which_rule_the_trial_gave_itself_up_by),
      TEST(adopts_the_best_image_when_the_records_are_lost),
      TEST(says_so_when_nothing_boots),
      TEST(mends_the_twin_record),
      TEST(leaves_records_of_a_newer_version_alone),
      TEST(refuses_every_single_turned_bit_of_a_staged_image),
  };
  return cmocka_run_group_tests(tests, make_images, drop_images);
}
