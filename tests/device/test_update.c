/* SPDX-License-Identifier: Apache-2.0
 * One update, and everything that can go wrong with it, against a server in memory with real signatures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "hf/device/slot.h"
#include "ports/sim/simdevice.h"

enum { V10, V11, V12, OTHER_BOARD, STRANGER, LOW, HUGE, STEP, LIE };

static struct simrepo repo;
static struct simdevice device;

static int begin(void **state)
{
  (void)state;
  simrepo_init(&repo, SIMDEVICE_NOW);
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.0.0", .counter = 2, .payload_len = 3000});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.1.0", .counter = 2, .payload_len = 7500});
  (void)simrepo_add(&repo,
                    (struct simrepo_image){.version = "1.2.0", .counter = 3, .payload_len = 6100, .security = true});
  (void)simrepo_add(
      &repo, (struct simrepo_image){.version = "1.3.0", .counter = 3, .payload_len = 900, .hardware = "thermo-b"});
  (void)simrepo_add(&repo,
                    (struct simrepo_image){.version = "1.4.0", .counter = 3, .payload_len = 900, .unsigned_key = true});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "0.9.0", .counter = 1, .payload_len = 900});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.5.0", .counter = 3, .payload_len = SIMDEVICE_SLOT + 1});
  (void)simrepo_add(&repo,
                    (struct simrepo_image){.version = "2.0.0", .counter = 3, .payload_len = 900, .from = ">=1.1.0"});
  (void)simrepo_add(&repo,
                    (struct simrepo_image){.version = "1.6.0", .counter = 3, .payload_len = 900, .told_counter = 4});
  simdevice_init(&device, &repo, V10, 8, 0xff);
  simrepo_publish(&repo, &device.world, SIMDEVICE_NOW);
  simrepo_order(&repo, &device.world, V11, NULL, SIMDEVICE_NOW);
  assert_true(simdevice_boot(&device, HF_RESET_POWER));
  assert_int_equal(hf_clock_put_server(&device.agent.clock, &device.agent.store, SIMDEVICE_NOW), HF_OK);
  return 0;
}

static int end(void **state)
{
  (void)state;
  assert_int_equal(device.flash.breaches, 0);
  assert_null(device.broken);
  simdevice_free(&device);
  simrepo_free(&repo);
  return 0;
}

static enum hf_err run(void) { return hf_update_run(&device.agent.update, 0); }

static const struct hf_update_progress *progress(void) { return &device.agent.update.progress; }

static enum hf_slot_status other_slot(void)
{
  struct hf_bootstate boot;
  assert_int_equal(hf_bootstate_get(&boot, &device.layout.boot), HF_OK);
  return boot.image[0].slot[1 - device.choice.slot[0]].status;
}

static void restart(void) { assert_true(simdevice_boot(&device, HF_RESET_POWER)); }

static void tell_time(int64_t now)
{
  assert_int_equal(hf_clock_put_server(&device.agent.clock, &device.agent.store, now), HF_OK);
}

/* How many events of this kind and rule are waiting. */
static unsigned events(uint16_t kind, uint16_t rule)
{
  static uint8_t room[HF_EVENTS_MAX * 96];
  unsigned found = 0;
  struct hf_events view = device.agent.events;
  for (uint32_t from = view.acked; from < view.last; from += HF_CHECKIN_EVENTS_MAX) {
    struct hf_checkin_event out[HF_CHECKIN_EVENTS_MAX];
    uint8_t count;
    struct hf_buf text = hf_buf_init(room, sizeof room);
    view.acked = from;
    assert_int_equal(hf_events_get(out, &count, &view, &text), HF_OK);
    for (uint8_t i = 0; i < count; i++) {
      found += out[i].kind == kind && out[i].rule == rule;
    }
  }
  return found;
}

static void expect_refused(uint16_t rule)
{
  assert_int_equal(run(), HF_E_DENIED);
  assert_int_equal(progress()->state, HF_UPDATE_REFUSED);
  assert_int_equal(progress()->rule, rule);
  assert_int_equal(events(HF_EVENT_REFUSED, rule), 1);
  assert_int_not_equal(other_slot(), HF_SLOT_STAGED);
  /* The same again is no news. */
  assert_int_equal(run(), HF_E_DENIED);
  assert_int_equal(events(HF_EVENT_REFUSED, rule), 1);
  assert_int_not_equal(other_slot(), HF_SLOT_STAGED);
}

static void order(int image) { simrepo_order(&repo, &device.world, image, NULL, SIMDEVICE_NOW); }

/* ---- the good way ---- */

static void stages_what_both_repositories_agree_on(void **state)
{
  (void)state;
  assert_int_equal(run(), HF_OK);
  assert_int_equal(progress()->state, HF_UPDATE_STAGED);
  assert_int_equal(other_slot(), HF_SLOT_STAGED);
  assert_int_equal(simdevice_image_in(&device, 1), V11);
  assert_int_equal(events(HF_EVENT_OFFERED, 0), 1);
  assert_int_equal(events(HF_EVENT_DOWNLOADED, 0), 1);
  assert_int_equal(events(HF_EVENT_STAGED, 0), 1);
  /* Asked again before the reboot: nothing is fetched twice. */
  uint64_t bytes = device.world.bytes;
  assert_int_equal(run(), HF_OK);
  assert_true(device.world.bytes - bytes < 7500);
  assert_int_equal(other_slot(), HF_SLOT_STAGED);
}

static void does_nothing_when_nothing_is_ordered(void **state)
{
  (void)state;
  order(SIMREPO_NOTHING);
  assert_int_equal(run(), HF_OK);
  assert_int_equal(progress()->state, HF_UPDATE_IDLE);
  order(V10);
  assert_int_equal(run(), HF_OK);
  assert_int_equal(progress()->state, HF_UPDATE_IDLE);
  assert_int_equal(other_slot(), HF_SLOT_EMPTY);
}

static void takes_a_staged_image_back_when_the_order_is_withdrawn(void **state)
{
  (void)state;
  assert_int_equal(run(), HF_OK);
  assert_int_equal(other_slot(), HF_SLOT_STAGED);
  order(V10);
  assert_int_equal(run(), HF_OK);
  assert_int_equal(progress()->state, HF_UPDATE_IDLE);
  assert_int_equal(other_slot(), HF_SLOT_EMPTY);
}

static void does_not_touch_the_other_slot_while_on_trial(void **state)
{
  (void)state;
  assert_int_equal(run(), HF_OK);
  assert_true(simdevice_boot(&device, HF_RESET_REQUEST));
  assert_true(device.choice.trial);
  order(V12);
  assert_int_equal(run(), HF_E_STATE);
  assert_int_equal(simdevice_image_in(&device, 0), V10);
}

/* ---- refusals ---- */

static void refuses_an_image_of_other_hardware(void **state)
{
  (void)state;
  order(OTHER_BOARD);
  expect_refused(HF_RULE_UPTANE_HARDWARE);
}

static void refuses_an_old_image(void **state)
{
  (void)state;
  order(LOW);
  expect_refused(HF_RULE_UPTANE_COUNTER);
}

static void refuses_an_order_for_another_device(void **state)
{
  (void)state;
  simrepo_order(&repo, &device.world, V11, "T-0002", SIMDEVICE_NOW);
  expect_refused(HF_RULE_UPTANE_DEVICE);
}

static void refuses_a_step_over_a_stepping_stone(void **state)
{
  (void)state;
  order(STEP);
  expect_refused(HF_RULE_UPTANE_FROM);
}

static void refuses_an_image_signed_with_an_unknown_key(void **state)
{
  (void)state;
  order(STRANGER);
  expect_refused(HF_RULE_IMAGE_KEY_UNKNOWN);
  assert_int_equal(other_slot(), HF_SLOT_EMPTY);
}

static void refuses_an_image_that_is_not_what_the_metadata_says(void **state)
{
  (void)state;
  order(LIE);
  expect_refused(HF_RULE_UPDATE_IMAGE);
}

static void refuses_an_image_larger_than_the_slot(void **state)
{
  (void)state;
  order(HUGE);
  expect_refused(HF_RULE_UPDATE_SLOT_SIZE);
  assert_int_equal(device.world.last_range, 0);
}

static void refuses_wrong_bytes_and_starts_over(void **state)
{
  (void)state;
  device.world.fault = SIMWORLD_FLIP;
  device.world.match = "/targets/";
  device.world.at = 4000;
  assert_int_equal(run(), HF_E_DENIED);
  assert_int_equal(progress()->rule, HF_RULE_UPDATE_HASH);
  assert_int_equal(events(HF_EVENT_REFUSED, HF_RULE_UPDATE_HASH), 1);
  assert_int_equal(other_slot(), HF_SLOT_EMPTY);
  assert_int_equal(progress()->at, 0);
  device.world.fault = SIMWORLD_GOOD;
  assert_int_equal(run(), HF_OK);
  assert_int_equal(other_slot(), HF_SLOT_STAGED);
}

static void refuses_endless_data(void **state)
{
  (void)state;
  device.world.fault = SIMWORLD_ENDLESS;
  device.world.match = "/targets/";
  expect_refused(HF_RULE_UPDATE_LENGTH);
  device.world.match = "/director/timestamp";
  assert_int_equal(run(), HF_E_DENIED);
  assert_true(progress()->rule >= 300 && progress()->rule < 400);
}

static void refuses_forged_metadata_at_every_file(void **state)
{
  (void)state;
  static const char *const names[] = {"/director/timestamp.json",       "/director/1.snapshot.json",
                                      "/director/1.targets.json",       "/repo/metadata/timestamp.json",
                                      "/repo/metadata/1.snapshot.json", "/repo/metadata/1.targets.json"};
  device.world.fault = SIMWORLD_FLIP;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    for (uint64_t at = 20; at < 500; at += 60) {
      device.world.match = names[i];
      device.world.at = at;
      assert_int_equal(run(), HF_E_DENIED);
      assert_true(progress()->rule != 0 && progress()->rule < 400);
      assert_int_not_equal(other_slot(), HF_SLOT_STAGED);
    }
  }
  device.world.fault = SIMWORLD_GOOD;
  assert_int_equal(run(), HF_OK);
}

static void refuses_a_repeated_older_message(void **state)
{
  (void)state;
  static struct simworld older;
  older = device.world;
  order(V12);
  simrepo_publish(&repo, &device.world, SIMDEVICE_NOW);
  order(V10);
  assert_int_equal(run(), HF_OK);
  /* The network plays yesterday's files back. */
  memcpy(device.world.file, older.file, sizeof older.file);
  device.world.count = older.count;
  assert_int_equal(run(), HF_E_DENIED);
  assert_true(progress()->rule >= 300 && progress()->rule < 400);
  assert_int_equal(other_slot(), HF_SLOT_EMPTY);
  restart();
  tell_time(SIMDEVICE_NOW);
  assert_int_equal(run(), HF_E_DENIED);
}

static void is_not_held_back_by_the_files_of_another_device(void **state)
{
  (void)state;
  /* Signed with the director's key all of them, and far ahead of ours; then cut off after each file. */
  uint32_t own = repo.director_version;
  for (int i = 0; i < 5; i++) {
    simrepo_order(&repo, &device.world, V12, "T-0002", SIMDEVICE_NOW);
  }
  expect_refused(HF_RULE_UPTANE_DEVICE);
  static const char *const missing[] = {".snapshot.json", ".targets.json"};
  device.world.fault = SIMWORLD_STATUS;
  device.world.status = 503;
  for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
    device.world.match = missing[i];
    assert_int_equal(run(), HF_E_AGAIN);
  }
  device.world.fault = SIMWORLD_GOOD;
  repo.director_version = own;
  order(V11);
  restart();
  tell_time(SIMDEVICE_NOW);
  assert_int_equal(run(), HF_OK);
  assert_int_equal(progress()->state, HF_UPDATE_STAGED);
}

static void refuses_what_has_expired(void **state)
{
  (void)state;
  tell_time(SIMDEVICE_NOW + 3 * 86400);
  assert_int_equal(run(), HF_E_DENIED);
  assert_int_equal(progress()->rule, HF_RULE_TUF_EXPIRED);
  /* A fresh timestamp cures it. */
  simrepo_publish(&repo, &device.world, SIMDEVICE_NOW + 3 * 86400);
  assert_int_equal(run(), HF_OK);
}

static void refuses_everything_in_2100_and_comes_back(void **state)
{
  (void)state;
  tell_time(INT64_C(4102444800));
  assert_int_equal(run(), HF_E_DENIED);
  assert_int_equal(progress()->rule, HF_RULE_TUF_EXPIRED);
  tell_time(SIMDEVICE_NOW);
  assert_int_equal(run(), HF_OK);
}

static void follows_a_rotation_of_the_online_keys(void **state)
{
  (void)state;
  assert_int_equal(run(), HF_OK);
  simrepo_rotate(&repo, &device.world, SIMDEVICE_NOW);
  simrepo_publish(&repo, &device.world, SIMDEVICE_NOW);
  order(V12);
  assert_int_equal(run(), HF_OK);
  assert_int_equal(progress()->state, HF_UPDATE_STAGED);
  assert_int_equal(simdevice_image_in(&device, 1), V12);
}

static void comes_back_from_a_stolen_servers_future_when_its_keys_are_replaced(void **state)
{
  (void)state;
  order(V10);
  assert_int_equal(run(), HF_OK);
  /* As far ahead as the offline signature vouches for; kept. */
  tell_time(SIMDEVICE_NOW + 300 * 86400);
  restart();
  assert_int_equal(hf_clock_put_server(&device.agent.clock, &device.agent.store, SIMDEVICE_NOW), HF_E_INPUT);
  order(V11);
  assert_int_equal(run(), HF_E_DENIED);
  assert_int_equal(progress()->rule, HF_RULE_TUF_EXPIRED);
  /* The owner replaces every online key. */
  simrepo_rotate(&repo, &device.world, SIMDEVICE_NOW);
  simrepo_rotate_director(&repo, &device.world, SIMDEVICE_NOW);
  simrepo_publish(&repo, &device.world, SIMDEVICE_NOW);
  order(V11);
  assert_int_equal(run(), HF_E_DENIED);
  tell_time(SIMDEVICE_NOW);
  assert_int_equal(run(), HF_OK);
  assert_int_equal(progress()->state, HF_UPDATE_STAGED);
}

/* ---- network ---- */

static void goes_on_where_the_network_broke_at_every_byte_range(void **state)
{
  (void)state;
  /* One whole update in so many bytes: break it after each multiple, then let it finish. */
  static struct simdevice fresh;
  assert_int_equal(run(), HF_OK);
  uint64_t total = device.world.bytes;
  assert_true(total > 10000);
  unsigned broken = 0;
  for (uint64_t at = 1; at < total; at += 61) {
    simdevice_init(&fresh, &repo, V10, 4, 0xff);
    memcpy(fresh.world.file, device.world.file, sizeof fresh.world.file);
    fresh.world.count = device.world.count;
    fresh.world.piece = 100;
    fresh.world.fault = SIMWORLD_DROP;
    fresh.world.at = at;
    assert_true(simdevice_boot(&fresh, HF_RESET_POWER));
    assert_int_equal(hf_clock_put_server(&fresh.agent.clock, &fresh.agent.store, SIMDEVICE_NOW), HF_OK);
    assert_int_equal(hf_update_run(&fresh.agent.update, 0), HF_E_AGAIN);
    broken++;
    if (at % 2 == 0) {
      assert_true(simdevice_boot(&fresh, HF_RESET_POWER));
      assert_int_equal(hf_clock_put_server(&fresh.agent.clock, &fresh.agent.store, SIMDEVICE_NOW), HF_OK);
    }
    uint32_t had = fresh.agent.update.progress.at;
    fresh.world.fault = SIMWORLD_GOOD;
    fresh.world.last_range = 0;
    assert_int_equal(hf_update_run(&fresh.agent.update, 0), HF_OK);
    assert_int_equal(fresh.world.last_range, had);
    assert_int_equal(simdevice_image_in(&fresh, 1), V11);
    assert_int_equal(fresh.flash.breaches, 0);
    simdevice_free(&fresh);
  }
  print_message("%u broken connections\n", broken);
}

/* Break the download in its middle. */
static void break_off(void)
{
  device.world.fault = SIMWORLD_DROP;
  device.world.match = "/targets/";
  device.world.at = 4000;
  assert_int_equal(run(), HF_E_AGAIN);
  device.world.fault = SIMWORLD_GOOD;
  assert_int_equal(progress()->state, HF_UPDATE_DOWNLOADING);
  assert_true(progress()->at >= 2048 && progress()->at < 7500);
  assert_int_equal(progress()->at % SIMDEVICE_SECTOR, 0);
}

static void starts_over_when_the_server_ignores_ranges(void **state)
{
  (void)state;
  break_off();
  device.world.fault = SIMWORLD_NO_RANGE;
  assert_int_equal(run(), HF_OK);
  assert_int_equal(simdevice_image_in(&device, 1), V11);
}

static void forgets_its_progress_before_it_starts_over(void **state)
{
  (void)state;
  static struct simdevice fresh;
  break_off();
  for (uint32_t cut = 1;; cut++) {
    simdevice_init(&fresh, &repo, V10, 8, 0xff);
    simflash_copy(&fresh.flash, &device.flash);
    memcpy(fresh.world.file, device.world.file, sizeof fresh.world.file);
    fresh.world.count = device.world.count;
    assert_true(simdevice_boot(&fresh, HF_RESET_POWER));
    assert_int_equal(hf_clock_put_server(&fresh.agent.clock, &fresh.agent.store, SIMDEVICE_NOW), HF_OK);
    fresh.flash.cut_at = fresh.flash.ops + cut;
    fresh.flash.tear = SIMFLASH_TEAR_PREFIX;
    fresh.flash.seed = cut;
    fresh.world.fault = SIMWORLD_NO_RANGE;
    enum hf_err err = hf_update_run(&fresh.agent.update, 0);
    bool over = !fresh.flash.dead;
    assert_true(over ? err == HF_OK : err != HF_OK || cut > 20);
    simflash_power_on(&fresh.flash);
    fresh.world.fault = SIMWORLD_GOOD;
    assert_true(simdevice_boot(&fresh, HF_RESET_POWER));
    if (!fresh.choice.trial) {
      assert_int_equal(hf_clock_put_server(&fresh.agent.clock, &fresh.agent.store, SIMDEVICE_NOW), HF_OK);
      assert_int_equal(hf_update_run(&fresh.agent.update, 0), HF_OK);
    }
    assert_int_equal(simdevice_image_in(&fresh, 1), V11);
    assert_int_equal(fresh.flash.breaches, 0);
    simdevice_free(&fresh);
    if (over) {
      assert_true(cut > 20);
      return;
    }
  }
}

static void promises_nothing_about_a_slot_it_is_filling(void **state)
{
  (void)state;
  assert_int_equal(run(), HF_OK);
  assert_true(simdevice_boot(&device, HF_RESET_REQUEST));
  struct hf_agent_next next;
  hf_agent_step(&device.agent, &next);
  assert_false(hf_agent_on_trial(&device.agent));
  assert_int_equal(other_slot(), HF_SLOT_CONFIRMED);
  order(V12);
  device.world.fault = SIMWORLD_DROP;
  device.world.match = "/targets/";
  device.world.at = 1000;
  assert_int_equal(run(), HF_E_AGAIN);
  assert_int_equal(simdevice_image_in(&device, 0), -1);
  assert_int_equal(other_slot(), HF_SLOT_EMPTY);
}

static void does_not_take_a_range_it_did_not_ask_for(void **state)
{
  (void)state;
  break_off();
  device.world.fault = SIMWORLD_WRONG_RANGE;
  assert_int_equal(run(), HF_E_AGAIN);
  assert_int_equal(other_slot(), HF_SLOT_EMPTY);
  device.world.fault = SIMWORLD_GOOD;
  assert_int_equal(run(), HF_OK);
  assert_int_equal(simdevice_image_in(&device, 1), V11);
}

static void starts_over_when_the_order_changes_in_between(void **state)
{
  (void)state;
  break_off();
  order(V12);
  assert_int_equal(run(), HF_OK);
  assert_int_equal(device.world.last_range, 0);
  assert_int_equal(simdevice_image_in(&device, 1), V12);
}

static void finds_bytes_that_changed_in_flash_before_it_went_on(void **state)
{
  (void)state;
  break_off();
  device.flash.at[device.layout.slot[0][1].start + 100] ^= 2;
  assert_int_equal(run(), HF_E_DENIED);
  assert_int_equal(progress()->rule, HF_RULE_UPDATE_HASH);
  assert_int_equal(run(), HF_OK);
  assert_int_equal(simdevice_image_in(&device, 1), V11);
}

static void waits_when_the_server_has_trouble(void **state)
{
  (void)state;
  static const int statuses[] = {500, 503, 403, 301, 416};
  static const char *const paths[] = {"/director/timestamp", "/repo/metadata/timestamp", "/targets/"};
  device.world.fault = SIMWORLD_STATUS;
  for (size_t p = 0; p < 3; p++) {
    for (size_t i = 0; i < 5; i++) {
      device.world.match = paths[p];
      device.world.status = statuses[i];
      assert_int_equal(run(), HF_E_AGAIN);
      assert_int_not_equal(progress()->state, HF_UPDATE_REFUSED);
      assert_int_equal(other_slot(), HF_SLOT_EMPTY);
    }
  }
  /* A file that is named by signed metadata and is missing is trouble, too. */
  device.world.match = "/targets/";
  device.world.status = 404;
  assert_int_equal(run(), HF_E_AGAIN);
  device.world.fault = SIMWORLD_REFUSE;
  device.world.match = NULL;
  assert_int_equal(run(), HF_E_AGAIN);
  device.world.fault = SIMWORLD_GOOD;
  assert_int_equal(run(), HF_OK);
}

/* ---- flash ---- */

static void survives_a_flash_that_fails_at_every_operation(void **state)
{
  (void)state;
  static struct simdevice fresh;
  unsigned failures = 0;
  for (uint32_t at = 1;; at++) {
    simdevice_init(&fresh, &repo, V10, 4, 0x00);
    memcpy(fresh.world.file, device.world.file, sizeof fresh.world.file);
    fresh.world.count = device.world.count;
    assert_true(simdevice_boot(&fresh, HF_RESET_POWER));
    assert_int_equal(hf_clock_put_server(&fresh.agent.clock, &fresh.agent.store, SIMDEVICE_NOW), HF_OK);
    fresh.flash.ops = 0;
    fresh.flash.fail_at = at;
    fresh.flash.tear = SIMFLASH_TEAR_HALF;
    enum hf_err err = hf_update_run(&fresh.agent.update, 0);
    bool failed = fresh.flash.ops >= at;
    fresh.flash.fail_at = 0;
    if (err != HF_OK) {
      assert_true(err == HF_E_IO || err == HF_E_FULL);
      failures++;
    }
    for (int i = 0; i < 3 && fresh.agent.update.progress.state != HF_UPDATE_STAGED; i++) {
      err = hf_update_run(&fresh.agent.update, 0);
    }
    err = hf_update_run(&fresh.agent.update, 0);
    assert_int_equal(err, HF_OK);
    assert_int_equal(simdevice_image_in(&fresh, 1), V11);
    struct hf_bootstate boot;
    assert_int_equal(hf_bootstate_get(&boot, &fresh.layout.boot), HF_OK);
    assert_int_equal(boot.image[0].slot[1].status, HF_SLOT_STAGED);
    assert_int_equal(fresh.flash.breaches, 0);
    simdevice_free(&fresh);
    if (!failed) {
      break;
    }
  }
  print_message("%u failing operations reported\n", failures);
  assert_true(failures > 30);
}

/* ---- postponing ---- */

static void postpones_as_far_as_is_allowed(void **state)
{
  (void)state;
  int64_t granted = -1;
  device.world.fault = SIMWORLD_STATUS;
  device.world.match = "/targets/";
  device.world.status = 503;
  assert_int_equal(run(), HF_E_AGAIN);
  device.world.fault = SIMWORLD_GOOD;
  assert_int_equal(hf_update_postpone(&device.agent.update, &granted, INT64_MAX), HF_OK);
  assert_int_equal(granted, SIMDEVICE_NOW + HF_UPDATE_POSTPONE_MAX_S);
  assert_int_equal(hf_update_postpone(&device.agent.update, &granted, SIMDEVICE_NOW + 1000), HF_OK);
  assert_int_equal(granted, SIMDEVICE_NOW + 1000);
  /* Downloaded, not staged; a power cut does not install it either. */
  assert_int_equal(run(), HF_OK);
  assert_int_equal(progress()->state, HF_UPDATE_POSTPONED);
  assert_int_equal(other_slot(), HF_SLOT_EMPTY);
  assert_int_equal(simdevice_image_in(&device, 1), V11);
  restart();
  assert_int_equal(device.choice.slot[0], 0);
  tell_time(SIMDEVICE_NOW + 999);
  assert_int_equal(run(), HF_OK);
  assert_int_equal(progress()->state, HF_UPDATE_POSTPONED);
  tell_time(SIMDEVICE_NOW + 1000);
  uint64_t bytes = device.world.bytes;
  assert_int_equal(run(), HF_OK);
  assert_int_equal(progress()->state, HF_UPDATE_STAGED);
  assert_true(device.world.bytes - bytes < 7500);
}

static void holds_a_security_release_to_its_bounds(void **state)
{
  (void)state;
  int64_t granted = -1;
  order(V12);
  device.world.fault = SIMWORLD_STATUS;
  device.world.match = "/targets/";
  device.world.status = 503;
  assert_int_equal(hf_update_run(&device.agent.update, SIMDEVICE_NOW + 5000), HF_E_AGAIN);
  device.world.fault = SIMWORLD_GOOD;
  assert_int_equal(hf_update_postpone(&device.agent.update, &granted, INT64_MAX), HF_OK);
  assert_int_equal(granted, SIMDEVICE_NOW + 5000);
  assert_int_equal(hf_update_run(&device.agent.update, 0), HF_OK);
  assert_int_equal(progress()->state, HF_UPDATE_POSTPONED);
  assert_int_equal(hf_update_postpone(&device.agent.update, &granted, INT64_MAX), HF_OK);
  assert_int_equal(granted, SIMDEVICE_NOW + HF_UPDATE_POSTPONE_SECURITY_MAX_S);
  /* The server brings its deadline forward: the wish of the user does not outlive it. */
  tell_time(SIMDEVICE_NOW + 6000);
  assert_int_equal(hf_update_run(&device.agent.update, SIMDEVICE_NOW + 5500), HF_OK);
  assert_int_equal(progress()->state, HF_UPDATE_STAGED);
}

static void keeps_a_wish_for_the_offer_that_comes(void **state)
{
  (void)state;
  int64_t granted = -1;
  assert_int_equal(hf_update_postpone(&device.agent.update, &granted, INT64_MAX), HF_OK);
  assert_int_equal(granted, SIMDEVICE_NOW + HF_UPDATE_POSTPONE_MAX_S);
  assert_int_equal(hf_update_postpone(&device.agent.update, &granted, SIMDEVICE_NOW + 500), HF_OK);
  restart();
  assert_int_equal(run(), HF_OK);
  assert_int_equal(progress()->state, HF_UPDATE_POSTPONED);
  /* The server's deadline binds a wish that was made before it was known. */
  tell_time(SIMDEVICE_NOW);
  assert_int_equal(hf_update_run(&device.agent.update, SIMDEVICE_NOW - 1), HF_OK);
  assert_int_equal(progress()->state, HF_UPDATE_STAGED);
  assert_int_equal(hf_update_postpone(&device.agent.update, NULL, INT64_MAX), HF_E_STATE);
}

static void takes_a_postponement_back(void **state)
{
  (void)state;
  device.world.fault = SIMWORLD_STATUS;
  device.world.match = "/targets/";
  device.world.status = 503;
  assert_int_equal(run(), HF_E_AGAIN);
  device.world.fault = SIMWORLD_GOOD;
  assert_int_equal(hf_update_postpone(&device.agent.update, NULL, INT64_MAX), HF_OK);
  assert_int_equal(hf_update_postpone(&device.agent.update, NULL, 0), HF_OK);
  assert_int_equal(run(), HF_OK);
  assert_int_equal(progress()->state, HF_UPDATE_STAGED);
}

/* ---- bounds ---- */

static void says_when_a_metadata_file_is_larger_than_its_buffer(void **state)
{
  (void)state;
  device.agent.update.setup = &device.config.setup;
  device.config.setup.work_cap = HF_UPDATE_WORK_MIN;
  static uint8_t big[8192];
  memset(big, ' ', sizeof big);
  simworld_put(&device.world, "/repo/metadata/timestamp.json", hf_bytes_init(big, sizeof big));
  assert_int_equal(run(), HF_E_DENIED);
  assert_true(progress()->rule >= 300 && progress()->rule < 400);
  struct hf_update update = device.agent.update;
  device.config.setup.work_cap = HF_UPDATE_WORK_MIN - 1;
  assert_int_equal(hf_update_open(&update, &device.config.setup), HF_E_SPACE);
}

static void refuses_without_a_trust_record(void **state)
{
  (void)state;
  assert_int_equal(hf_store_delete(&device.agent.store, HF_STORE_TRUST_IMAGE), HF_OK);
  expect_refused(HF_RULE_AGENT_TRUST);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(stages_what_both_repositories_agree_on),
      TEST(does_nothing_when_nothing_is_ordered),
      TEST(takes_a_staged_image_back_when_the_order_is_withdrawn),
      TEST(does_not_touch_the_other_slot_while_on_trial),
      TEST(refuses_an_image_of_other_hardware),
      TEST(refuses_an_old_image),
      TEST(refuses_an_order_for_another_device),
      TEST(refuses_a_step_over_a_stepping_stone),
      TEST(refuses_an_image_signed_with_an_unknown_key),
      TEST(refuses_an_image_that_is_not_what_the_metadata_says),
      TEST(refuses_an_image_larger_than_the_slot),
      TEST(refuses_wrong_bytes_and_starts_over),
      TEST(refuses_endless_data),
      TEST(refuses_forged_metadata_at_every_file),
      TEST(refuses_a_repeated_older_message),
      TEST(is_not_held_back_by_the_files_of_another_device),
      TEST(refuses_what_has_expired),
      TEST(refuses_everything_in_2100_and_comes_back),
      TEST(follows_a_rotation_of_the_online_keys),
      TEST(comes_back_from_a_stolen_servers_future_when_its_keys_are_replaced),
      TEST(goes_on_where_the_network_broke_at_every_byte_range),
      TEST(starts_over_when_the_server_ignores_ranges),
      TEST(forgets_its_progress_before_it_starts_over),
      TEST(promises_nothing_about_a_slot_it_is_filling),
      TEST(does_not_take_a_range_it_did_not_ask_for),
      TEST(starts_over_when_the_order_changes_in_between),
      TEST(finds_bytes_that_changed_in_flash_before_it_went_on),
      TEST(waits_when_the_server_has_trouble),
      TEST(survives_a_flash_that_fails_at_every_operation),
      TEST(postpones_as_far_as_is_allowed),
      TEST(keeps_a_wish_for_the_offer_that_comes),
      TEST(holds_a_security_release_to_its_bounds),
      TEST(takes_a_postponement_back),
      TEST(says_when_a_metadata_file_is_larger_than_its_buffer),
      TEST(refuses_without_a_trust_record),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
