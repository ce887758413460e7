/* SPDX-License-Identifier: Apache-2.0
 * A device with two components: all or none, in the stated order, with requirements between their versions, whatever
 * fails and wherever the power goes. And what its agent signs and asks: version reports, time, a daily look. */
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

enum { MAIN10, MAIN11, RADIO10, RADIO11, RADIO12, STRANGER };

static struct simrepo repo;
static struct simdevice device;
static struct hf_key *key, *time_key;
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

static void order_two(int first, int second) { order((const int[]){first, second}, 2); }

static void start(uint32_t align)
{
  simdevice_init_two(&device, &repo, MAIN10, RADIO10, align);
  device.config.sign = sign;
  device.config.sign_ctx = key;
  simrepo_publish(&repo, &device.world, SIMDEVICE_NOW);
  order(NULL, 0);
}

static struct simrepo_image radio(const char *version, uint32_t counter, uint32_t len)
{
  return (struct simrepo_image){
      .version = version, .counter = counter, .payload_len = len, .component = SIMREPO_RADIO};
}

static int begin(void **state)
{
  (void)state;
  simrepo_init(&repo, SIMDEVICE_NOW);
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.0.0", .counter = 2, .payload_len = 3000});
  (void)simrepo_add(
      &repo, (struct simrepo_image){.version = "1.1.0", .counter = 3, .payload_len = 4500, .requires = ">=1.1 <1.2"});
  (void)simrepo_add(&repo, radio("1.0.0", 5, 2000));
  (void)simrepo_add(&repo, radio("1.1.0", 6, 2500));
  (void)simrepo_add(&repo, radio("1.2.0", 6, 2600));
  struct simrepo_image stranger = radio("1.1.1", 6, 1000);
  stranger.unsigned_key = true;
  (void)simrepo_add(&repo, stranger);
  assert_int_equal(hf_key_new(&key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_new(&time_key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&time_pub, time_key), HF_OK);
  start(8);
  assert_true(simdevice_boot(&device, HF_RESET_POWER));
  return 0;
}

static int end(void **state)
{
  (void)state;
  assert_int_equal(device.flash.breaches, 0);
  assert_null(device.broken);
  simdevice_free(&device);
  simrepo_free(&repo);
  hf_key_free(key);
  hf_key_free(time_key);
  return 0;
}

static void step(void)
{
  struct hf_agent_next next;
  (void)simdevice_step(&device, &next);
}

/* Version that an image runs, as the boot records have it. */
static uint32_t minor(uint8_t image)
{
  struct hf_bootstate boot;
  assert_int_equal(hf_bootstate_get(&boot, &device.layout.boot), HF_OK);
  uint8_t slot = device.choice.slot[image];
  return slot < HF_SLOTS ? boot.image[image].slot[slot].version.minor : 99;
}

static enum hf_slot_status other(uint8_t image)
{
  struct hf_bootstate boot;
  assert_int_equal(hf_bootstate_get(&boot, &device.layout.boot), HF_OK);
  return boot.image[image].slot[1 - device.choice.slot[image]].status;
}

/* ---- the set ---- */

static void updates_both_components_in_one_trial(void **state)
{
  (void)state;
  step();
  assert_string_equal(device.server.second, "1.0.0");
  order_two(RADIO11, MAIN11);
  assert_true(simdevice_settle(&device, MAIN11, 40));
  assert_int_equal(minor(0), 1);
  assert_int_equal(minor(1), 1);
  assert_int_equal(device.trials, 1);
  step();
  assert_string_equal(device.server.version, "1.1.0");
  assert_string_equal(device.server.second, "1.1.0");
  assert_int_equal(device.server.state, HF_UPDATE_CONFIRMED);
}

static void a_component_that_runs_what_is_ordered_is_left_alone(void **state)
{
  (void)state;
  order_two(MAIN10, RADIO12);
  for (int i = 0; i < 20 && minor(1) != 2; i++) {
    step();
  }
  assert_int_equal(minor(0), 0);
  assert_int_equal(minor(1), 2);
  assert_int_equal(other(0), HF_SLOT_EMPTY);
}

static void refuses_one_component_without_the_version_it_requires(void **state)
{
  (void)state;
  order((const int[]){MAIN11}, 1);
  step();
  assert_int_equal(device.agent.update.progress.rule, HF_RULE_UPTANE_REQUIRES);
  order_two(MAIN11, RADIO12); /* too new */
  step();
  assert_int_equal(device.agent.update.progress.rule, HF_RULE_UPTANE_REQUIRES);
  assert_int_equal(other(0), HF_SLOT_EMPTY);
  assert_int_equal(other(1), HF_SLOT_EMPTY);
}

/* The second image is bad, the first is good and whole in its slot: neither is staged. */
static void one_bad_image_keeps_the_other_from_being_staged(void **state)
{
  (void)state;
  order_two(MAIN11, STRANGER);
  step();
  assert_int_equal(device.agent.update.progress.state, HF_UPDATE_REFUSED);
  assert_int_equal(device.agent.update.progress.rule, HF_RULE_IMAGE_KEY_UNKNOWN);
  assert_int_not_equal(other(0), HF_SLOT_STAGED);
  assert_int_not_equal(other(1), HF_SLOT_STAGED);
}

static void an_unhealthy_set_goes_back_as_a_whole(void **state)
{
  (void)state;
  device.sick = MAIN11;
  order_two(RADIO11, MAIN11);
  assert_true(simdevice_settle(&device, MAIN11, 40));
  assert_int_equal(minor(0), 0);
  assert_int_equal(minor(1), 0);
  step();
  assert_string_equal(device.server.second, "1.0.0");
}

/* Cut at every flash operation of the whole way: at each boot both components are of one set. */
static void a_power_cut_anywhere_never_mixes_two_sets(void **state)
{
  (void)state;
  unsigned cuts = 0;
  order_two(RADIO11, MAIN11);
  for (uint32_t at = 1; at < 4000; at += 3) {
    simdevice_free(&device);
    struct simworld world = device.world;
    simdevice_init_two(&device, &repo, MAIN10, RADIO10, 8);
    device.world = world; /* the same files; its flash and its server are where they were */
    device.server.answer.director = repo.director_version;
    device.flash.cut_at = at;
    bool was_cut = false, done = false;
    for (int i = 0; i < 60 && !done; i++) {
      done = simdevice_settle(&device, MAIN11, 1);
      was_cut = was_cut || device.flash.dead;
      if (!device.flash.dead && device.boots > 0) {
        assert_int_equal(minor(0), minor(1));
      }
    }
    assert_true(done);
    assert_int_equal(minor(1), 1);
    assert_null(device.broken);
    cuts++;
    if (!was_cut) {
      break; /* the way is shorter than this */
    }
  }
  printf("%u cuts\n", cuts);
  assert_true(cuts > 20);
}

/* ---- reports ---- */

static void signs_what_it_runs_once_after_a_boot(void **state)
{
  (void)state;
  struct hf_report report;
  struct hf_pubkey pub;
  struct hf_why why = {0};
  assert_int_equal(hf_key_public(&pub, key), HF_OK);
  step();
  assert_int_equal(device.server.reports, 1);
  assert_int_equal(hf_report_verify(&report, hf_bytes_init(device.server.report, device.server.report_len), &pub,
                                    HF_LIT(SIMREPO_DEVICE), &why),
                   HF_ALLOW);
  assert_int_equal(report.component_count, 2);
  assert_true(hf_bytes_is(report.component[1].name, SIMREPO_RADIO));
  uint64_t counter = report.counter;
  step();
  assert_int_equal(device.server.reports, 1); /* nothing changed: small again */
  assert_true(simdevice_boot(&device, HF_RESET_POWER));
  step();
  assert_int_equal(device.server.reports, 2);
  assert_int_equal(hf_report_verify(&report, hf_bytes_init(device.server.report, device.server.report_len), &pub,
                                    HF_LIT(SIMREPO_DEVICE), &why),
                   HF_ALLOW);
  assert_true(report.counter > counter);
}

static void reports_again_after_a_day_and_when_the_last_was_not_answered(void **state)
{
  (void)state;
  device.server.status = 503;
  step();
  device.server.status = 0;
  uint32_t before = device.server.reports;
  step();
  assert_int_equal(device.server.reports, before + 1);
  simworld_set_uptime(hf_port_uptime_ms() + UINT64_C(86400) * 1000);
  step();
  assert_int_equal(device.server.reports, before + 2);
}

static void reports_an_attack_it_noticed(void **state)
{
  (void)state;
  struct hf_report report;
  struct hf_pubkey pub;
  assert_int_equal(hf_key_public(&pub, key), HF_OK);
  step();
  simrepo_order(&repo, &device.world, MAIN11, "T-0002", SIMDEVICE_NOW); /* another device's order */
  device.server.answer.director = repo.director_version;
  step();
  device.server.answer.director = 0;
  step();
  assert_int_equal(device.server.reports, 2);
  assert_int_equal(hf_report_verify(&report, hf_bytes_init(device.server.report, device.server.report_len), &pub,
                                    HF_LIT(SIMREPO_DEVICE), NULL),
                   HF_ALLOW);
  assert_int_equal(report.attack, HF_RULE_UPTANE_DEVICE);
}

/* ---- time ---- */

static void learn_time_key(const struct hf_pubkey *pub)
{
  simrepo_order_set(&repo, &device.world, NULL, 0, pub);
  device.server.answer.director = repo.director_version;
  step();
  device.server.answer.director = 0;
}

static bool told(uint16_t rule)
{
  for (uint32_t i = 0; i < device.server.events; i++) {
    if (device.server.event[i].kind == HF_EVENT_CLOCK && device.server.event[i].rule == rule) {
      return true;
    }
  }
  return false;
}

static void takes_signed_time_only_once_it_knows_the_time_key(void **state)
{
  (void)state;
  step();
  assert_int_equal(device.server.nonces, 0);
  learn_time_key(&time_pub);
  device.server.time_key = time_key;
  device.server.signed_time = SIMDEVICE_NOW + 5000;
  device.server.answer.time = SIMDEVICE_NOW + 999999; /* unsigned: somebody in between */
  step();
  assert_int_equal(device.server.nonces, 1);
  assert_in_range(hf_agent_time(&device.agent), SIMDEVICE_NOW + 5000, SIMDEVICE_NOW + 6000);
  step();
  assert_int_equal(device.server.nonces, 1); /* one question a day */
}

static void withheld_time_is_told_and_the_unsigned_word_not_taken(void **state)
{
  (void)state;
  step();
  learn_time_key(&time_pub);
  int64_t before = hf_agent_time(&device.agent);
  device.server.answer.time = SIMDEVICE_NOW + 999999;
  step();
  step();
  assert_true(told(HF_RULE_TIME_WITHHELD));
  assert_in_range(hf_agent_time(&device.agent), before, before + 3600);
}

static void a_time_signed_by_another_key_is_not_taken(void **state)
{
  (void)state;
  step();
  learn_time_key(&time_pub);
  int64_t before = hf_agent_time(&device.agent);
  device.server.time_key = key;
  device.server.signed_time = SIMDEVICE_NOW + 999999;
  step();
  step();
  assert_true(told(HF_RULE_TIME_SIGNATURE));
  assert_in_range(hf_agent_time(&device.agent), before, before + 3600);
}

/* Uptane 2.1 deployment practice: a far-future time once accepted must not lock the device for ever. */
static void a_new_time_key_puts_the_clock_back_to_its_minimum(void **state)
{
  (void)state;
  struct hf_pubkey other_pub;
  assert_int_equal(hf_key_public(&other_pub, key), HF_OK);
  step();
  learn_time_key(&time_pub);
  device.agent.clock.floor = SIMDEVICE_NOW + 6 * 86400;
  learn_time_key(&other_pub);
  assert_in_range(device.agent.clock.floor, device.config.build_time, SIMDEVICE_NOW + 3600);
}

/* ---- the daily look ---- */

static uint32_t requests(void) { return device.world.requests; }

static void looks_at_the_repositories_once_a_day_without_an_order(void **state)
{
  (void)state;
  device.server.answer.director = 0;
  step();
  step();
  uint32_t before = requests();
  step();
  assert_int_equal(requests() - before, 1); /* the check-in */
  device.server.answer.time += 86400 - 7200; /* the repositories' timestamps are good for a day */
  simworld_set_uptime(hf_port_uptime_ms() + 1000);
  step();
  device.server.answer.time += 7200 + 60;
  repo.online_expires = device.server.answer.time + 86400;
  simrepo_publish(&repo, &device.world, SIMDEVICE_NOW);
  before = requests();
  step();
  assert_true(requests() - before > 2);
  assert_int_equal(device.agent.update.progress.state, HF_UPDATE_IDLE);
  before = requests();
  step();
  assert_int_equal(requests() - before, 1);
}

static void a_frozen_repository_is_noticed_when_it_expires(void **state)
{
  (void)state;
  device.server.answer.director = 0;
  step();
  device.server.answer.time += 2 * 86400; /* longer than a timestamp lives */
  step();
  step();
  assert_int_equal(device.server.state, HF_UPDATE_REFUSED);
  assert_int_equal(device.server.rule, HF_RULE_TUF_EXPIRED);
  /* The server wakes up again: the device does too. */
  device.server.answer.time += 86400 + 60;
  repo.online_expires = device.server.answer.time + 86400;
  simrepo_publish(&repo, &device.world, SIMDEVICE_NOW);
  order(NULL, 0);
  device.server.answer.director = 0;
  step();
  step();
  assert_int_equal(device.server.state, HF_UPDATE_IDLE);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(updates_both_components_in_one_trial),
      TEST(a_component_that_runs_what_is_ordered_is_left_alone),
      TEST(refuses_one_component_without_the_version_it_requires),
      TEST(one_bad_image_keeps_the_other_from_being_staged),
      TEST(an_unhealthy_set_goes_back_as_a_whole),
      TEST(a_power_cut_anywhere_never_mixes_two_sets),
      TEST(signs_what_it_runs_once_after_a_boot),
      TEST(reports_again_after_a_day_and_when_the_last_was_not_answered),
      TEST(reports_an_attack_it_noticed),
      TEST(takes_signed_time_only_once_it_knows_the_time_key),
      TEST(withheld_time_is_told_and_the_unsigned_word_not_taken),
      TEST(a_time_signed_by_another_key_is_not_taken),
      TEST(a_new_time_key_puts_the_clock_back_to_its_minimum),
      TEST(looks_at_the_repositories_once_a_day_without_an_order),
      TEST(a_frozen_repository_is_noticed_when_it_expires),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
