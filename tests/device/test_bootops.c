/* SPDX-License-Identifier: Apache-2.0
 * What an application may ask of our boot records: stage, take back, confirm, give up; and when it is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "hf/device/bootops.h"
#include "ports/sim/simset.h"

enum { A1, B1, A2, B2 };

static struct simset set;
static struct simset_device device;
static struct hf_boot_records records;
static const struct hf_boot_ops *const ops = &hf_boot_records_ops;

static int make_images(void **state)
{
  (void)state;
  simset_init(&set);
  (void)simset_add(&set, (struct simset_file){.version = "1.0", .counter = 1});
  (void)simset_add(&set, (struct simset_file){.version = "1.0", .counter = 1});
  (void)simset_add(&set, (struct simset_file){.version = "2.0", .counter = 1});
  (void)simset_add(&set, (struct simset_file){.version = "2.0", .counter = 1});
  return 0;
}

static int drop_images(void **state)
{
  (void)state;
  simset_free(&set);
  return 0;
}

static void boot(void)
{
  assert_int_equal(simset_boot(&device, HF_RESET_POWER), HF_OK);
  assert_int_equal(device.choice.verdict, HF_ALLOW);
  memcpy(records.running, device.choice.slot, sizeof records.running);
}

static void expect_run(uint8_t first, uint8_t second, bool trial)
{
  boot();
  assert_int_equal(device.choice.slot[0], first);
  assert_int_equal(device.choice.slot[1], second);
  assert_int_equal(device.choice.trial, trial);
}

static int begin(void **state)
{
  (void)state;
  simset_device_init(&device, &set, 2, 8, 0xff);
  records = (struct hf_boot_records){.layout = &device.layout};
  assert_true(simset_fill(&device, 0, 0, A1) && simset_fill(&device, 1, 0, B1));
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

static enum hf_err stage(uint8_t mask)
{
  struct hf_bootslot staged[HF_IMAGES_MAX] = {{.status = HF_SLOT_EMPTY}};
  for (uint8_t i = 0; i < 2; i++) {
    hf_bootstate_bind(&staged[i], &set.file[A2 + i].info, HF_SLOT_STAGED);
  }
  return ops->stage(&records, staged, mask);
}

static void bring_both(void)
{
  assert_int_equal(ops->release(&records, 3), HF_OK);
  for (uint8_t i = 0; i < 2; i++) {
    assert_true(simset_fill(&device, i, (uint8_t)(1 - records.running[i]), A2 + i));
  }
  assert_int_equal(stage(3), HF_OK);
}

static struct hf_boot_view view(void)
{
  struct hf_boot_view seen;
  assert_int_equal(ops->get(&records, &seen), HF_OK);
  return seen;
}

/* Set 2 runs and is confirmed, image 1 of it rots, set 1 runs again, and the flash took no record of that. */
static void fall_back_unwritten(void)
{
  bring_both();
  expect_run(1, 1, true);
  assert_int_equal(ops->confirm(&records), HF_OK);
  device.flash.at[device.layout.slot[1][1].start + 60] ^= 1;
  device.flash.fail_at = device.flash.ops + 1;
  device.flash.fail_count = 1000;
  expect_run(0, 0, false);
  device.flash.fail_at = 0;
  assert_int_equal(view().image[0].slot, 0);
}

static void tells_what_runs_and_what_is_staged(void **state)
{
  (void)state;
  struct hf_area area;
  assert_int_equal(ops->target(&records, &area, 1), HF_OK);
  assert_int_equal(area.start, device.layout.slot[1][1].start);
  assert_int_equal(ops->target(&records, &area, 2), HF_E_INPUT);
  bring_both();
  struct hf_boot_view seen = view();
  assert_int_equal(seen.images, 2);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(seen.image[i].running.status, HF_SLOT_CONFIRMED);
    assert_int_equal(seen.image[i].other.status, HF_SLOT_STAGED);
    assert_memory_equal(seen.image[i].other.digest, set.file[A2 + i].info.digest, HF_SHA256_LEN);
  }
  assert_false(hf_boot_view_on_trial(&seen));
  expect_run(1, 1, true);
  seen = view();
  assert_true(hf_boot_view_on_trial(&seen));
}

/* Found by the model (MUTANT_HALF_RELEASE): with the set's other half left staged, that half alone went on trial. */
static void takes_back_a_staged_set_whole(void **state)
{
  (void)state;
  for (uint8_t one = 0; one < 2; one++) {
    bring_both();
    assert_int_equal(ops->release(&records, HF_BOOT_IMAGE(one)), HF_OK);
    assert_int_equal(view().image[0].other.status, HF_SLOT_EMPTY);
    assert_int_equal(view().image[1].other.status, HF_SLOT_EMPTY);
    expect_run(0, 0, false);
    uint32_t before = device.flash.ops;
    assert_int_equal(ops->release(&records, 3), HF_OK);
    assert_int_equal(device.flash.ops, before); /* nothing was promised: nothing is written */
  }
}

/* Found by the model (MUTANT_STAGE_BLINDLY): the record still calls set 2 active, so its slots look free to set 1, and
 * those of set 1, which runs, would have been filled or bound. */
static void changes_nothing_while_the_record_names_another_set_than_the_one_that_runs(void **state)
{
  (void)state;
  fall_back_unwritten();
  uint32_t before = device.flash.ops;
  for (uint8_t mask = 1; mask <= 3; mask++) {
    assert_int_equal(ops->release(&records, mask), HF_E_STATE);
    assert_int_equal(stage(mask), HF_E_STATE);
  }
  assert_int_equal(device.flash.ops, before);
  /* The next boot writes the fall back down, and then it goes. */
  expect_run(0, 0, false);
  bring_both();
  expect_run(1, 1, true);
}

static void changes_nothing_during_a_trial(void **state)
{
  (void)state;
  bring_both();
  expect_run(1, 1, true);
  uint32_t before = device.flash.ops;
  assert_int_equal(ops->release(&records, 1), HF_E_STATE);
  assert_int_equal(stage(3), HF_E_STATE);
  assert_int_equal(device.flash.ops, before);
  assert_int_equal(ops->confirm(&records), HF_OK);
  before = device.flash.ops;
  assert_int_equal(ops->confirm(&records), HF_OK); /* once is enough */
  assert_int_equal(device.flash.ops, before);
  expect_run(1, 1, false);
}

static void goes_back_with_the_reason_the_application_gave(void **state)
{
  (void)state;
  bring_both();
  expect_run(1, 1, true);
  assert_int_equal(ops->give_up(&records, HF_RULE_BOOT_UNHEALTHY), HF_OK);
  expect_run(0, 0, false);
  assert_int_equal(view().failed_rule, HF_RULE_BOOT_UNHEALTHY);
  assert_int_equal(view().failed_version.major, 2);
  assert_int_equal(view().failures, 1);
}

/* An image that was never installed may come: it goes to slot 0. */
static void stages_an_image_that_was_never_there(void **state)
{
  (void)state;
  struct hf_area area;
  simset_device_free(&device);
  simset_device_init(&device, &set, 2, 8, 0xff);
  assert_true(simset_fill(&device, 0, 0, A1));
  expect_run(0, HF_SLOTS, false);
  assert_int_equal(view().image[1].running.status, HF_SLOT_EMPTY);
  assert_int_equal(ops->release(&records, 2), HF_OK);
  assert_int_equal(ops->target(&records, &area, 1), HF_OK);
  assert_int_equal(area.start, device.layout.slot[1][0].start);
  assert_true(simset_fill(&device, 1, 0, B2));
  assert_int_equal(stage(2), HF_OK);
  expect_run(0, 0, true);
}

static void refuses_what_no_device_of_this_layout_has(void **state)
{
  (void)state;
  assert_int_equal(stage(0), HF_E_INPUT);
  assert_int_equal(stage(4), HF_E_INPUT);
  device.flash.fail_reads = true;
  struct hf_boot_view seen;
  assert_int_equal(ops->get(&records, &seen), HF_E_IO);
  assert_int_equal(ops->release(&records, 3), HF_E_IO);
  assert_int_equal(stage(3), HF_E_IO);
  assert_int_equal(ops->confirm(&records), HF_E_IO);
  assert_int_equal(ops->give_up(&records, HF_RULE_BOOT_UNHEALTHY), HF_E_IO);
  device.flash.fail_reads = false;
}

static void says_that_there_is_no_state_before_the_first_boot_and_after_the_records_are_lost(void **state)
{
  (void)state;
  static const uint8_t filler[] = {0xff, 0x5a};
  for (int i = 0; i < 2; i++) {
    struct hf_boot_view seen;
    memset(device.flash.at, filler[i], SIMSET_BOOT);
    assert_int_equal(ops->get(&records, &seen), HF_E_STATE);
    assert_int_equal(ops->confirm(&records), HF_E_STATE);
    assert_int_equal(stage(3), HF_E_STATE);
  }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(tells_what_runs_and_what_is_staged),
      TEST(takes_back_a_staged_set_whole),
      TEST(changes_nothing_while_the_record_names_another_set_than_the_one_that_runs),
      TEST(changes_nothing_during_a_trial),
      TEST(goes_back_with_the_reason_the_application_gave),
      TEST(stages_an_image_that_was_never_there),
      TEST(refuses_what_no_device_of_this_layout_has),
      TEST(says_that_there_is_no_state_before_the_first_boot_and_after_the_records_are_lost),
  };
  return cmocka_run_group_tests(tests, make_images, drop_images);
}
