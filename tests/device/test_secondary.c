/* SPDX-License-Identifier: Apache-2.0
 * A device with a secondary behind it: one set on two processors, whatever either of them does and wherever the power
 * of either goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hf/wire/pubkey.h"
#include "hf/wire/report.h"
#include "ports/sim/simdevice.h"
#include "ports/sim/simsecondary.h"

enum { MAIN10, MAIN11, RADIO10, RADIO11, RADIO12, STRANGER };

static struct simrepo repo;
static struct simdevice device;
static struct simsecondary radio;
static struct hf_secondary second;
static struct hf_secondaries group;
static struct hf_key *key, *radio_key, *time_key;
static struct hf_pubkey time_pub;

static enum hf_err sign(void *ctx, struct hf_buf *sig, uint8_t hash[HF_SHA256_LEN], const uint8_t digest[HF_SHA256_LEN])
{
  struct hf_pubkey pub;
  enum hf_err err = hf_key_public(&pub, ctx);
  hf_pubkey_hash(hash, &pub);
  return err == HF_OK ? hf_key_sign_digest(sig, ctx, digest) : err;
}

static void order(const int *images, size_t count)
{
  simrepo_order_set(&repo, &device.world, images, count, NULL);
  device.server.answer.director = repo.director_version;
}

static void order_two(int first, int last) { order((const int[]){first, last}, 2); }

/* Both as they leave the factory. */
static void assemble(void)
{
  simdevice_init(&device, &repo, MAIN10, 8, 0xff);
  simsecondary_init(&radio, &repo, RADIO10, SIMDEVICE_NOW);
  radio.key = radio_key;
  second = (struct hf_secondary){.component = HF_LIT(SIMREPO_RADIO),
                                 .hardware = HF_LIT(SIMREPO_RADIO_HARDWARE),
                                 .ops = &simsecondary_ops,
                                 .ctx = &radio};
  group = (struct hf_secondaries){.ops = &hf_secondaries_ops, .at = &second, .count = 1};
  device.config.setup.secondaries = &group;
  device.config.sign = sign;
  device.config.sign_ctx = key;
}

static void take_apart(void)
{
  simdevice_free(&device);
  simsecondary_free(&radio);
}

static struct simrepo_image radio_image(const char *version, uint32_t counter, uint32_t len)
{
  return (struct simrepo_image){.version = version, .counter = counter, .payload_len = len, .component = SIMREPO_RADIO};
}

static int begin(void **state)
{
  (void)state;
  simrepo_init(&repo, SIMDEVICE_NOW);
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.0.0", .counter = 2, .payload_len = 3000});
  (void)simrepo_add(
      &repo, (struct simrepo_image){.version = "1.1.0", .counter = 3, .payload_len = 4500, .requires = ">=1.1 <1.2"});
  (void)simrepo_add(&repo, radio_image("1.0.0", 5, 2000));
  (void)simrepo_add(&repo, radio_image("1.1.0", 6, 2500));
  (void)simrepo_add(&repo, radio_image("1.2.0", 6, 2600));
  struct simrepo_image stranger = radio_image("1.1.1", 6, 1000);
  stranger.unsigned_key = true;
  (void)simrepo_add(&repo, stranger);
  assert_int_equal(hf_key_new(&key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_new(&radio_key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_new(&time_key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&time_pub, time_key), HF_OK);
  assemble();
  simrepo_publish(&repo, &device.world, SIMDEVICE_NOW);
  order(NULL, 0);
  assert_true(simdevice_boot(&device, HF_RESET_POWER));
  return 0;
}

static int end(void **state)
{
  (void)state;
  assert_int_equal(device.flash.breaches, 0);
  assert_int_equal(radio.flash.breaches, 0);
  assert_null(device.broken);
  take_apart();
  simrepo_free(&repo);
  hf_key_free(key);
  hf_key_free(radio_key);
  hf_key_free(time_key);
  return 0;
}

static void steps(int count)
{
  struct hf_agent_next next;
  for (int i = 0; i < count; i++) {
    (void)simdevice_step(&device, &next);
  }
}

static uint32_t main_minor(void) { return device.choice.info.version.minor; }

static enum hf_update_state progress_state(void) { return device.agent.update.progress.state; }

static void assert_nothing_installed(void)
{
  assert_int_equal(main_minor(), 0);
  assert_int_equal(simsecondary_minor(&radio), 0);
  assert_int_equal(radio.trials, 0);
  assert_int_equal(device.trials, 0);
}

/* ---- the set ---- */

static void updates_both_processors_as_one_set(void **state)
{
  (void)state;
  radio.deaf = 2;
  steps(1);
  assert_string_equal(device.server.second, "1.0.0");
  order_two(RADIO11, MAIN11);
  assert_true(simdevice_settle(&device, MAIN11, 40));
  steps(2);
  assert_int_equal(simsecondary_minor(&radio), 1);
  assert_string_equal(device.server.version, "1.1.0");
  assert_string_equal(device.server.second, "1.1.0");
  assert_int_equal(device.server.state, HF_UPDATE_CONFIRMED);
  assert_int_equal(radio.trials, 1);
  assert_int_equal(device.trials, 1);
  assert_false(second.seen.trying);
  assert_int_equal(second.seen.counter, 6);
}

static void the_stated_order_decides_who_begins(void **state)
{
  (void)state;
  struct hf_agent_next next;
  order_two(RADIO11, MAIN11); /* the radio first: it runs before we restart */
  while (device.trials == 0) {
    assert_true(simdevice_step(&device, &next));
    assert_true(device.trials == 0 || radio.trials == 1);
  }
  assert_true(simdevice_settle(&device, MAIN11, 40));
  take_apart();
  struct simworld world = device.world;
  assemble();
  device.world = world;
  order_two(MAIN11, RADIO11);
  assert_true(simdevice_boot(&device, HF_RESET_POWER));
  while (radio.trials == 0) {
    assert_true(simdevice_step(&device, &next));
    assert_true(radio.trials == 0 || device.trials == 1);
  }
  assert_true(simdevice_settle(&device, MAIN11, 40));
  assert_int_equal(simsecondary_minor(&radio), 1);
}

static void a_secondary_alone_is_updated_without_a_restart_of_the_primary(void **state)
{
  (void)state;
  order_two(MAIN10, RADIO12);
  steps(10);
  assert_int_equal(simsecondary_minor(&radio), 2);
  assert_int_equal(device.boots, 1);
  assert_int_equal(progress_state(), HF_UPDATE_CONFIRMED);
  assert_false(second.seen.trying);
}

static void new_roots_of_the_director_reach_a_secondary_that_verifies_partially(void **state)
{
  (void)state;
  simrepo_rotate_director(&repo, &device.world, SIMDEVICE_NOW);
  simrepo_rotate_director(&repo, &device.world, SIMDEVICE_NOW);
  order_two(MAIN10, RADIO12);
  steps(10);
  assert_int_equal(simsecondary_minor(&radio), 2);
  assert_int_equal(radio.trust.root.version, 3);
}

/* ---- one that does not play along ---- */

static void a_secondary_that_refuses_keeps_all_from_being_installed(void **state)
{
  (void)state;
  radio.refuses = true;
  order_two(MAIN11, RADIO11);
  steps(5);
  assert_nothing_installed();
  assert_int_equal(progress_state(), HF_UPDATE_REFUSED);
  assert_int_equal(device.agent.update.progress.rule, HF_RULE_UPTANE_SECONDARY);
}

static void a_silent_secondary_is_seen_and_the_set_waits_for_it(void **state)
{
  (void)state;
  radio.silent = true;
  order_two(MAIN11, RADIO11);
  steps(5);
  assert_nothing_installed();
  assert_int_equal(device.server.state, HF_UPDATE_FAILED);
  assert_int_equal(device.server.rule, HF_RULE_UPTANE_SECONDARY_LOST);
  assert_string_equal(device.server.second, "");
  radio.silent = false;
  assert_true(simdevice_settle(&device, MAIN11, 40));
  assert_int_equal(simsecondary_minor(&radio), 1);
}

static void one_that_falls_silent_on_trial_brings_all_back(void **state)
{
  (void)state;
  struct hf_agent_next next;
  order_two(MAIN11, RADIO11);
  for (int i = 0; i < 400 && progress_state() != HF_UPDATE_REVERTED; i++) {
    (void)simdevice_step(&device, &next);
    radio.silent = radio.silent || radio.trials > 0;
  }
  assert_int_equal(progress_state(), HF_UPDATE_REVERTED);
  assert_int_equal(main_minor(), 0);
  radio.silent = false;
  steps(3);
  assert_int_equal(simsecondary_minor(&radio), 0);
  assert_int_equal(group.phase, HF_SECONDARIES_IDLE);
}

static void a_secondary_that_crashes_on_trial_brings_all_back_three_times_at_most(void **state)
{
  (void)state;
  radio.sick = true;
  order_two(MAIN11, RADIO11);
  steps(120);
  assert_int_equal(main_minor(), 0);
  assert_int_equal(simsecondary_minor(&radio), 0);
  assert_in_range(device.trials, 1, HF_UPDATE_TRIES_MAX);
  assert_int_equal(progress_state(), HF_UPDATE_REVERTED);
  assert_int_equal(device.agent.update.progress.rule, HF_RULE_UPTANE_SECONDARY);
}

static void an_unhealthy_primary_brings_the_secondary_back(void **state)
{
  (void)state;
  device.sick = MAIN11;
  order_two(RADIO11, MAIN11);
  assert_true(simdevice_settle(&device, MAIN11, 60));
  steps(2);
  assert_int_equal(main_minor(), 0);
  assert_int_equal(simsecondary_minor(&radio), 0);
  assert_int_equal(radio.trials, 1);
}

/* It says yes to everything and does nothing. */
static void one_that_only_says_that_it_activates_brings_all_back(void **state)
{
  (void)state;
  radio.stuck = true;
  order_two(MAIN11, RADIO11);
  steps(120);
  assert_int_equal(main_minor(), 0);
  assert_int_equal(progress_state(), HF_UPDATE_REVERTED);
}

/* Its words say 1.1.0, its key says the truth: the server finds out (report-differs). */
static void a_lie_about_its_version_is_not_what_its_key_signs(void **state)
{
  (void)state;
  struct hf_report report, inner;
  struct hf_pubkey pub, radio_pub;
  radio.lie = RADIO11;
  steps(1);
  assert_string_equal(device.server.second, "1.1.0");
  assert_int_equal(hf_key_public(&pub, key), HF_OK);
  assert_int_equal(hf_key_public(&radio_pub, radio_key), HF_OK);
  assert_int_equal(hf_report_verify(&report, hf_bytes_init(device.server.report, device.server.report_len), &pub,
                                    HF_LIT(SIMREPO_DEVICE), NULL),
                   HF_ALLOW);
  assert_int_equal(report.secondary_count, 1);
  assert_int_equal(hf_report_verify(&inner, report.secondary[0], &radio_pub, HF_LIT(SIMREPO_DEVICE), NULL), HF_ALLOW);
  assert_true(hf_bytes_is(inner.component[0].version, "1.0.0"));
}

/* ---- mixed bundles ---- */

static void a_set_that_was_never_released_together_is_refused(void **state)
{
  (void)state;
  order_two(MAIN11, RADIO12); /* 1.1.0 asks for a radio below 1.2 */
  steps(3);
  assert_nothing_installed();
  assert_int_equal(device.agent.update.progress.rule, HF_RULE_UPTANE_REQUIRES);
  order((const int[]){MAIN11}, 1);
  steps(3);
  assert_nothing_installed();
  assert_int_equal(device.agent.update.progress.rule, HF_RULE_UPTANE_REQUIRES);
}

static enum hf_err swapped_begin(void *ctx, const struct hf_uptane_item *item, uint32_t *at)
{
  struct hf_uptane_item other = *item;
  memcpy(other.sha256, repo.images[RADIO12].sha256, HF_SHA256_LEN);
  other.length = (uint32_t)repo.images[RADIO12].file.len;
  return simsecondary_ops.begin(ctx, &other, at);
}

/* A primary that was broken into: what the director did not order for it, the secondary does not take. */
static void a_secondary_takes_nothing_but_what_the_director_ordered_for_it(void **state)
{
  (void)state;
  struct hf_secondary_ops bent = simsecondary_ops;
  bent.begin = swapped_begin;
  second.ops = &bent;
  order_two(MAIN11, RADIO11);
  steps(3);
  second.ops = &simsecondary_ops;
  assert_nothing_installed();
  assert_int_equal(progress_state(), HF_UPDATE_REFUSED);
}

static void an_image_that_its_own_key_did_not_sign_is_refused_by_the_secondary(void **state)
{
  (void)state;
  order_two(MAIN11, STRANGER);
  steps(3);
  assert_nothing_installed();
  assert_int_equal(device.agent.update.progress.rule, HF_RULE_UPTANE_SECONDARY);
}

static void an_order_for_another_device_is_refused_by_the_secondary_too(void **state)
{
  (void)state;
  radio.device = "T-0002"; /* swapped between two devices */
  order_two(MAIN10, RADIO11);
  steps(3);
  assert_nothing_installed();
  assert_int_equal(device.agent.update.progress.rule, HF_RULE_UPTANE_SECONDARY);
}

/* ---- time ---- */

static void a_secondary_gets_the_servers_signed_time(void **state)
{
  (void)state;
  radio.time_key = time_pub;
  device.server.time_key = time_key;
  device.server.signed_time = SIMDEVICE_NOW + 7777;
  steps(1);
  assert_int_equal(radio.now, SIMDEVICE_NOW + 7777);
  device.server.time_key = key; /* another key: not believed */
  device.server.signed_time = SIMDEVICE_NOW + 99999;
  steps(1);
  assert_int_equal(radio.now, SIMDEVICE_NOW + 7777);
}

/* ---- power ---- */

/* One whole way with the power of either cut at an operation (0: never); both always of one set at the end. */
static bool way(uint32_t cut_main, uint32_t cut_radio)
{
  struct simworld world = device.world;
  take_apart();
  assemble();
  device.world = world;
  device.server.answer.director = repo.director_version;
  device.flash.cut_at = cut_main;
  radio.flash.cut_at = cut_radio;
  bool done = false, cut = false;
  for (int i = 0; i < 400 && !done; i++) {
    done = simdevice_settle(&device, MAIN11, 1) && simsecondary_minor(&radio) == 1 && !radio.flash.dead;
    cut = cut || device.flash.dead || radio.flash.dead;
    if (radio.flash.dead && i % 3 == 2) { /* back a little later */
      simsecondary_power_on(&radio);
    }
    bool still = device.boots > 0 && !device.flash.dead && !radio.flash.dead && !hf_agent_on_trial(&device.agent);
    if (still && second.answers && !second.seen.trying && group.phase == HF_SECONDARIES_IDLE) {
      assert_int_equal(main_minor(), simsecondary_minor(&radio));
    }
  }
  if (!done) {
    printf("cut %u %u: main %u radio %u phase %d state %d rule %d\n", cut_main, cut_radio, main_minor(),
           simsecondary_minor(&radio), (int)group.phase, (int)progress_state(), device.agent.update.progress.rule);
  }
  assert_true(done);
  assert_null(device.broken);
  return cut;
}

static unsigned sweep(bool cut_main, bool cut_radio, int first, int last)
{
  unsigned cuts = 0;
  uint32_t at = 1;
  order_two(first, last);
  while (way(cut_main ? at : 0, cut_radio ? at : 0)) {
    cuts++;
    at += cut_main ? 5 : 1;
  }
  return cuts;
}

static void a_power_cut_of_either_anywhere_never_leaves_two_sets(void **state)
{
  (void)state;
  unsigned by_main = sweep(true, false, RADIO11, MAIN11) + sweep(true, false, MAIN11, RADIO11);
  unsigned by_radio = sweep(false, true, RADIO11, MAIN11) + sweep(false, true, MAIN11, RADIO11);
  unsigned by_both = sweep(true, true, RADIO11, MAIN11);
  printf("%u cuts of the primary, %u of the secondary, %u of both\n", by_main, by_radio, by_both);
  assert_true(by_main > 20 && by_radio > 20);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(updates_both_processors_as_one_set),
      TEST(the_stated_order_decides_who_begins),
      TEST(a_secondary_alone_is_updated_without_a_restart_of_the_primary),
      TEST(new_roots_of_the_director_reach_a_secondary_that_verifies_partially),
      TEST(a_secondary_that_refuses_keeps_all_from_being_installed),
      TEST(a_silent_secondary_is_seen_and_the_set_waits_for_it),
      TEST(one_that_falls_silent_on_trial_brings_all_back),
      TEST(a_secondary_that_crashes_on_trial_brings_all_back_three_times_at_most),
      TEST(an_unhealthy_primary_brings_the_secondary_back),
      TEST(one_that_only_says_that_it_activates_brings_all_back),
      TEST(a_lie_about_its_version_is_not_what_its_key_signs),
      TEST(a_set_that_was_never_released_together_is_refused),
      TEST(a_secondary_takes_nothing_but_what_the_director_ordered_for_it),
      TEST(an_image_that_its_own_key_did_not_sign_is_refused_by_the_secondary),
      TEST(an_order_for_another_device_is_refused_by_the_secondary_too),
      TEST(a_secondary_gets_the_servers_signed_time),
      TEST(a_power_cut_of_either_anywhere_never_leaves_two_sets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
