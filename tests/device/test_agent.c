/* SPDX-License-Identifier: Apache-2.0
 * The wake-up, as the server sees it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "ports/sim/simdevice.h"

enum { V10, V11, V12 };

static struct simrepo repo;
static struct simdevice device;
static struct hf_agent_next next;
/* What the health check says in these tests, and what it was told. */
static enum hf_err health_says;
static bool health_reached;
static unsigned health_asked;

static enum hf_err health(void *ctx, bool reached)
{
  (void)ctx;
  health_asked++;
  health_reached = reached;
  return health_says;
}

static enum hf_err health_needs_server(void *ctx, bool reached)
{
  (void)ctx;
  return reached ? HF_OK : HF_E_AGAIN;
}

static int begin(void **state)
{
  (void)state;
  simrepo_init(&repo, SIMDEVICE_NOW);
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.0.0", .counter = 2, .payload_len = 3000});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.1.0", .counter = 3, .payload_len = 5000});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.2.0", .counter = 3, .payload_len = 4000});
  simdevice_init(&device, &repo, V10, 8, 0xff);
  simrepo_publish(&repo, &device.world, SIMDEVICE_NOW);
  simrepo_order(&repo, &device.world, V11, NULL, SIMDEVICE_NOW);
  health_says = HF_OK;
  health_asked = 0;
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
  return 0;
}

static void offer(int image)
{
  simrepo_order(&repo, &device.world, image, NULL, SIMDEVICE_NOW);
  device.server.answer.director = repo.director_version;
}

/* A wake-up without following the reboot it may ask for. */
static void wake(void)
{
  hf_agent_step(&device.agent, &next);
  simworld_set_uptime(hf_port_uptime_ms() + (uint64_t)next.sleep_s * 1000);
}

static void boot(enum hf_reset reset) { assert_true(simdevice_boot(&device, reset)); }

static unsigned heard(uint16_t kind, uint16_t rule, const char *subject)
{
  unsigned found = 0;
  for (uint32_t i = 0; i < device.server.events; i++) {
    const struct simdevice_event *event = &device.server.event[i];
    found += event->kind == kind && event->rule == rule && strcmp(event->subject, subject) == 0;
  }
  return found;
}

static void tells_what_it_runs(void **state)
{
  (void)state;
  wake();
  assert_int_equal(device.server.checkins, 1);
  assert_string_equal(device.server.version, "1.0.0");
  assert_memory_equal(device.server.digest, repo.images[V10].info.digest, HF_SHA256_LEN);
  assert_int_equal(device.server.counter, 2);
  assert_int_equal(device.server.reset, HF_RESET_POWER);
  assert_int_equal(device.server.state, HF_UPDATE_IDLE);
  assert_int_equal(device.server.boot, 1);
  assert_int_equal(next.sleep_s, 60);
  assert_false(next.reboot);
  assert_int_equal(heard(HF_EVENT_BOOT, 0, ""), 1);
  boot(HF_RESET_CRASH);
  wake();
  assert_int_equal(device.server.boot, 2);
  assert_int_equal(device.server.reset, HF_RESET_CRASH);
}

static void updates_and_says_so(void **state)
{
  (void)state;
  offer(V11);
  wake();
  assert_true(next.reboot);
  assert_int_equal(next.reason, HF_RESET_UPDATE);
  boot(HF_RESET_REQUEST);
  assert_true(hf_agent_on_trial(&device.agent));
  wake();
  assert_false(hf_agent_on_trial(&device.agent));
  assert_int_equal(device.server.state, HF_UPDATE_CONFIRMED);
  assert_int_equal(device.server.reset, HF_RESET_UPDATE);
  assert_string_equal(device.server.version, "1.1.0");
  assert_int_equal(device.server.counter, 3);
  static const uint16_t kinds[] = {HF_EVENT_OFFERED, HF_EVENT_DOWNLOADED, HF_EVENT_STAGED, HF_EVENT_TRYING,
                                   HF_EVENT_CONFIRMED};
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(heard(kinds[i], 0, "1.1.0"), 1);
  }
  /* Asked for the same again: done already. */
  wake();
  assert_false(next.reboot);
  assert_int_equal(device.server.state, HF_UPDATE_CONFIRMED);
}

static void goes_back_from_an_unhealthy_release_and_does_not_try_it_again(void **state)
{
  (void)state;
  device.config.health = health;
  offer(V11);
  wake();
  boot(HF_RESET_REQUEST);
  health_says = HF_E_STATE;
  wake();
  assert_true(next.reboot);
  assert_int_equal(next.reason, HF_RESET_REVERT);
  boot(HF_RESET_REQUEST);
  assert_int_equal(device.choice.reset, HF_RESET_REVERT);
  wake();
  assert_string_equal(device.server.version, "1.0.0");
  assert_int_equal(device.server.reset, HF_RESET_REVERT);
  assert_int_equal(heard(HF_EVENT_REVERTED, HF_RULE_BOOT_UNHEALTHY, "1.1.0"), 1);
  assert_int_equal(device.server.state, HF_UPDATE_REVERTED);
  assert_int_equal(device.server.rule, HF_RULE_BOOT_UNHEALTHY);
  assert_string_equal(device.server.wanted, "1.1.0");
  assert_false(next.reboot);
  for (int i = 0; i < 3; i++) {
    wake();
    assert_false(next.reboot);
    assert_int_equal(device.server.state, HF_UPDATE_REVERTED);
    assert_int_equal(device.server.rule, HF_RULE_BOOT_UNHEALTHY);
  }
  assert_int_equal(simdevice_image_in(&device, 1), V11); /* not even fetched again */
  /* When something else was refused in between, it is told why this one is not taken. */
  simrepo_order(&repo, &device.world, V11, "T-0002", SIMDEVICE_NOW);
  wake();
  offer(V11);
  wake();
  wake();
  assert_int_equal(device.server.state, HF_UPDATE_REFUSED);
  assert_int_equal(device.server.rule, HF_RULE_UPDATE_TRIES);
  assert_string_equal(device.server.wanted, "1.1.0");
  assert_int_equal(heard(HF_EVENT_REVERTED, HF_RULE_BOOT_UNHEALTHY, "1.1.0"), 1);
  /* Another release is taken. */
  health_says = HF_OK;
  device.config.health = NULL;
  offer(V12);
  wake();
  assert_true(next.reboot);
  boot(HF_RESET_REQUEST);
  device.confirmed[V12] = true;
  wake();
  assert_string_equal(device.server.version, "1.2.0");
}

static void tries_again_after_a_power_cut_but_not_for_ever(void **state)
{
  (void)state;
  offer(V11);
  for (int i = 0; i < HF_UPDATE_TRIES_MAX; i++) {
    wake();
    assert_true(next.reboot);
    boot(HF_RESET_REQUEST);
    assert_true(device.choice.trial);
    boot(HF_RESET_POWER); /* before it could confirm */
    assert_false(device.choice.trial);
  }
  uint64_t bytes = device.world.bytes;
  wake();
  assert_false(next.reboot);
  wake();
  assert_int_equal(device.server.state, HF_UPDATE_REVERTED);
  assert_int_equal(device.server.rule, HF_RULE_BOOT_NOT_CONFIRMED);
  assert_true(device.world.bytes - bytes < 2 * 5000); /* metadata only: the image was not fetched again */
}

static void does_not_try_again_after_a_crash_or_a_hang(void **state)
{
  (void)state;
  static const enum hf_reset resets[] = {HF_RESET_CRASH, HF_RESET_WATCHDOG};
  static const int images[] = {V11, V12};
  for (size_t i = 0; i < 2; i++) {
    offer(images[i]);
    wake();
    assert_true(next.reboot);
    boot(HF_RESET_REQUEST);
    assert_true(device.choice.trial);
    boot(resets[i]);
    wake();
    assert_int_equal(device.server.state, HF_UPDATE_REVERTED);
    assert_int_equal(device.server.rule, HF_RULE_BOOT_NOT_CONFIRMED);
    assert_false(next.reboot);
  }
}

static void gives_a_trial_up_when_its_time_is_over(void **state)
{
  (void)state;
  device.config.health = health;
  device.config.trial_max_s = 100;
  offer(V11);
  wake();
  boot(HF_RESET_REQUEST);
  health_says = HF_E_AGAIN;
  unsigned wakes = 0;
  do {
    wake();
    assert_true(next.reboot || next.sleep_s == HF_AGENT_TRIAL_PAUSE_S);
    assert_true(wakes++ < 100);
  } while (!next.reboot);
  assert_in_range(wakes, 45, 55);
  assert_int_equal(health_asked, wakes);
  /* While it waited, the server was asked when it wanted to be, not at each look. */
  assert_in_range(device.server.checkins, 2, 5);
  boot(HF_RESET_REQUEST);
  wake();
  assert_int_equal(device.server.rule, HF_RULE_BOOT_TRIAL_TIME);
}

static void lets_the_product_ask_for_the_server_before_it_confirms(void **state)
{
  (void)state;
  device.config.health = health_needs_server;
  offer(V11);
  wake();
  boot(HF_RESET_REQUEST);
  device.confirmed[V11] = true;
  device.server.status = 503;
  wake();
  assert_true(hf_agent_on_trial(&device.agent));
  device.server.status = 0;
  for (int i = 0; i < 30 && hf_agent_on_trial(&device.agent); i++) {
    wake();
  }
  assert_false(hf_agent_on_trial(&device.agent));
  assert_int_equal(device.choice.slot[0], 1);
}

static void keeps_a_trial_when_confirming_fails_and_confirms_later(void **state)
{
  (void)state;
  offer(V11);
  wake();
  boot(HF_RESET_REQUEST);
  device.flash.fail_at = device.flash.ops + 1;
  device.flash.fail_count = 2; /* both copies of the record */
  wake();
  assert_true(hf_agent_on_trial(&device.agent));
  device.flash.fail_at = 0;
  wake();
  assert_false(hf_agent_on_trial(&device.agent));
}

static void backs_off_when_the_server_does_not_answer(void **state)
{
  (void)state;
  device.server.status = 500;
  uint32_t range = HF_AGENT_BACKOFF_FIRST_S;
  uint64_t slept = 0;
  for (int i = 0; i < 40; i++) {
    wake();
    assert_in_range(next.sleep_s, range / 2, range);
    assert_false(next.reboot);
    slept += next.sleep_s;
    range = range * 2 <= HF_AGENT_BACKOFF_MAX_S ? range * 2 : HF_AGENT_BACKOFF_MAX_S;
    if (i > 11) {
      range = HF_AGENT_BACKOFF_MAX_S;
    }
  }
  assert_true(slept > 3 * 86400);
  /* Back again: the server's own pace at once, and the next trouble starts small. */
  device.server.status = 0;
  wake();
  assert_int_equal(next.sleep_s, 60);
  device.server.status = 500;
  wake();
  assert_true(next.sleep_s <= HF_AGENT_BACKOFF_FIRST_S);
}

static void honours_retry_after(void **state)
{
  (void)state;
  device.server.status = 503;
  device.world.retry_after_s = 1000;
  wake();
  assert_in_range(next.sleep_s, 1000, 1000 + HF_AGENT_BACKOFF_FIRST_S);
  device.world.retry_after_s = UINT32_MAX;
  wake();
  assert_true(next.sleep_s <= HF_AGENT_SLEEP_MAX_S + HF_AGENT_BACKOFF_FIRST_S);
}

static void spreads_a_fleet_that_lost_its_server(void **state)
{
  (void)state;
  unsigned seen[HF_AGENT_BACKOFF_FIRST_S * 64 + 1] = {0};
  unsigned distinct = 0;
  device.server.status = 500;
  for (int i = 0; i < 60; i++) {
    device.agent.backoff = 6;
    wake();
    distinct += seen[next.sleep_s]++ == 0;
  }
  assert_true(distinct > 20);
}

static void survives_answers_that_are_none(void **state)
{
  (void)state;
  device.server.garbage = true;
  wake();
  assert_true(next.sleep_s <= HF_AGENT_BACKOFF_FIRST_S);
  assert_false(device.agent.reached);
  device.server.garbage = false;
  device.world.fault = SIMWORLD_DROP;
  for (uint64_t at = 0; at < 12; at++) {
    device.world.at = device.world.bytes + at;
    wake();
    assert_false(next.reboot);
  }
  device.world.fault = SIMWORLD_GOOD;
  wake();
  assert_int_equal(next.sleep_s, 60);
}

static void never_sleeps_longer_than_a_week_nor_not_at_all(void **state)
{
  (void)state;
  device.server.answer.next_s = UINT32_MAX;
  wake();
  assert_int_equal(next.sleep_s, HF_AGENT_SLEEP_MAX_S);
  device.server.answer.next_s = 0;
  wake();
  assert_int_equal(next.sleep_s, 1);
}

static void repeats_events_until_they_are_acknowledged(void **state)
{
  (void)state;
  device.server.deaf = true;
  for (int i = 0; i < 4; i++) {
    wake();
    assert_int_equal(device.server.events, 1);
    assert_int_equal(device.agent.events.acked, 0);
  }
  device.server.deaf = false;
  wake();
  assert_int_equal(device.agent.events.acked, 1);
  /* A late, repeated acknowledgement changes nothing. */
  hf_agent_renewed(&device.agent, HF_E_IO);
  assert_int_equal(hf_events_ack(&device.agent.events, 1), HF_OK);
  wake();
  assert_int_equal(heard(HF_EVENT_RENEWED, HF_RULE_AGENT_RENEW, ""), 1);
}

static void drains_a_full_queue_over_several_wake_ups(void **state)
{
  (void)state;
  for (int i = 0; i < 30; i++) {
    hf_agent_renewed(&device.agent, HF_OK);
  }
  for (int i = 0; i < 3; i++) {
    wake();
  }
  assert_int_equal(device.server.events, HF_EVENTS_MAX);
  assert_int_equal(device.server.event[0].number, 31 - HF_EVENTS_MAX + 1);
  assert_int_equal(device.agent.events.acked, 31);
}

static void tells_attributes_until_they_are_stored(void **state)
{
  (void)state;
  struct hf_agent *agent = &device.agent;
  assert_int_equal(hf_agent_put_attribute(agent, HF_LIT("room"), HF_LIT("kitchen")), HF_OK);
  assert_int_equal(hf_agent_put_attribute(agent, HF_LIT("floor"), HF_LIT("2")), HF_OK);
  assert_int_equal(hf_agent_put_attribute(agent, HF_LIT("room"), HF_LIT("cellar")), HF_OK);
  device.server.deaf = true;
  boot(HF_RESET_POWER);
  wake();
  assert_string_equal(device.server.attributes, "room=cellar;floor=2;");
  device.server.deaf = false;
  wake();
  assert_string_equal(device.server.attributes, "room=cellar;floor=2;");
  wake();
  assert_string_equal(device.server.attributes, "");
  assert_int_equal(hf_agent_put_attribute(agent, HF_LIT("room"), HF_LIT("")), HF_OK);
  wake();
  assert_string_equal(device.server.attributes, "room=;");
}

static void refuses_attributes_beyond_their_bounds(void **state)
{
  (void)state;
  struct hf_agent *agent = &device.agent;
  char longer[HF_CHECKIN_ATTRIBUTE_VALUE_MAX + 2];
  memset(longer, 'a', sizeof longer);
  assert_int_equal(hf_agent_put_attribute(agent, HF_LIT(""), HF_LIT("x")), HF_E_INPUT);
  assert_int_equal(hf_agent_put_attribute(agent, hf_bytes_init(longer, HF_CHECKIN_ATTRIBUTE_NAME_MAX + 1), HF_LIT("x")),
                   HF_E_INPUT);
  assert_int_equal(
      hf_agent_put_attribute(agent, HF_LIT("x"), hf_bytes_init(longer, HF_CHECKIN_ATTRIBUTE_VALUE_MAX + 1)),
      HF_E_INPUT);
  for (char c = 'a'; c < 'a' + HF_CHECKIN_ATTRIBUTES_MAX; c++) {
    assert_int_equal(hf_agent_put_attribute(agent, hf_bytes_init(&c, 1), hf_bytes_init(longer, 8)), HF_OK);
  }
  assert_int_equal(hf_agent_put_attribute(agent, HF_LIT("zz"), HF_LIT("x")), HF_E_FULL);
  assert_int_equal(hf_agent_put_attribute(agent, HF_LIT("a"), HF_LIT("other")), HF_OK);
  wake();
  assert_non_null(strstr(device.server.attributes, "a=other;"));
}

static void refuses_attributes_that_no_checkin_can_carry(void **state)
{
  (void)state;
  struct hf_agent *agent = &device.agent;
  static const char *const odd[] = {"a\nb", "\x7f", "\xff", "\xc3", "\xc2\x85", "\xed\xa0\x80"};
  for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
    assert_int_equal(hf_agent_put_attribute(agent, HF_LIT("room"), hf_bytes_text(odd[i])), HF_E_INPUT);
    assert_int_equal(hf_agent_put_attribute(agent, hf_bytes_text(odd[i]), HF_LIT("kitchen")), HF_E_INPUT);
  }
  /* The device still calls home, after a restart too. */
  boot(HF_RESET_POWER);
  wake();
  assert_string_equal(device.server.attributes, "");
  assert_int_equal(hf_agent_put_attribute(agent, HF_LIT("room"),
                                          HF_LIT("K\xc3\xbc"
                                                 "che")),
                   HF_OK);
  wake();
  assert_string_equal(device.server.attributes, "room=K\xc3\xbc"
                                                "che;");
}

static void acts_on_no_number_that_no_signed_file_bears_out(void **state)
{
  (void)state;
  /* Told back to the server, it would hide every order to come. */
  device.server.answer.director = UINT32_MAX;
  wake();
  assert_true(device.agent.acted <= repo.director_version);
  boot(HF_RESET_POWER);
  assert_true(device.agent.acted <= repo.director_version);
  offer(V11);
  wake();
  assert_int_equal(device.agent.acted, repo.director_version);
}

static void asks_again_for_an_order_that_a_repository_could_not_bear_out(void **state)
{
  (void)state;
  offer(V11);
  device.world.fault = SIMWORLD_FLIP;
  device.world.at = 300;
  static const char *const names[] = {"/director/timestamp.json", "/repo/metadata/timestamp.json"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    device.world.match = names[i];
    wake();
    wake();
    assert_int_equal(device.server.state, HF_UPDATE_REFUSED);
    assert_true(device.agent.acted < repo.director_version);
  }
  /* An order refused for itself is done with. */
  device.world.match = "/targets/";
  device.world.at = 4000;
  wake();
  wake();
  assert_int_equal(device.server.state, HF_UPDATE_REFUSED);
  assert_int_equal(device.server.rule, HF_RULE_UPDATE_HASH);
  assert_int_equal(device.agent.acted, repo.director_version);
}

static void comes_back_to_a_server_that_said_2100(void **state)
{
  (void)state;
  device.server.answer.time = INT64_C(4102444800);
  wake();
  assert_true(hf_agent_time(&device.agent) >= INT64_C(4102444800));
  /* By that clock the server's certificate has expired long ago. */
  device.world.fault = SIMWORLD_REFUSE;
  wake();
  assert_true(hf_agent_time(&device.agent) < SIMDEVICE_NOW + 86400);
  assert_int_equal(device.agent.clock.told, 0);
  device.world.fault = SIMWORLD_GOOD;
  device.server.answer.time = SIMDEVICE_NOW;
  wake();
  assert_int_equal(device.agent.clock.told, SIMDEVICE_NOW);
}

static void tells_of_a_server_whose_clock_is_behind(void **state)
{
  (void)state;
  device.server.answer.time = 5;
  for (int i = 0; i < 4; i++) {
    wake();
  }
  assert_int_equal(heard(HF_EVENT_CLOCK, HF_RULE_CLOCK_BACK, ""), 1);
  assert_int_equal(hf_agent_time(&device.agent), device.config.build_time);
}

static void installs_nothing_while_the_server_says_2100(void **state)
{
  (void)state;
  offer(V11);
  device.server.answer.time = INT64_C(4102444800);
  wake();
  wake();
  assert_false(next.reboot);
  assert_int_equal(device.server.state, HF_UPDATE_REFUSED);
  assert_int_equal(device.server.rule, HF_RULE_TUF_EXPIRED);
  device.server.answer.time = SIMDEVICE_NOW;
  wake();
  assert_true(next.reboot);
}

static void asks_for_a_certificate_when_told_and_when_refused(void **state)
{
  (void)state;
  wake();
  assert_false(next.renew);
  device.server.answer.renew = true;
  wake();
  assert_true(next.renew);
  hf_agent_renewed(&device.agent, HF_OK);
  device.server.answer.renew = false;
  wake();
  assert_false(next.renew);
  assert_int_equal(heard(HF_EVENT_RENEWED, 0, ""), 1);
  device.world.fault = SIMWORLD_REFUSE;
  wake();
  assert_true(next.renew);
  assert_true(next.sleep_s > 0);
}

static void is_provisioned_once_and_only_with_good_roots(void **state)
{
  (void)state;
  struct hf_why why = {0};
  assert_int_equal(hf_agent_provision(&device.layout, repo.director_root, repo.image_root, NULL), HF_E_EXISTS);
  assert_int_equal(hf_store_delete(&device.agent.store, HF_STORE_TRUST_DIRECTOR), HF_OK);
  assert_int_equal(hf_store_delete(&device.agent.store, HF_STORE_TRUST_IMAGE), HF_OK);
  struct hf_agent fresh;
  assert_int_equal(hf_agent_init(&fresh, &device.config), HF_E_NOT_FOUND);
  uint32_t ops = device.flash.ops;
  assert_int_equal(hf_agent_provision(&device.layout, repo.director_root, HF_LIT("{}"), &why), HF_E_DENIED);
  assert_int_not_equal(why.rule, 0);
  assert_int_equal(device.flash.ops, ops);
  assert_int_equal(hf_agent_provision(&device.layout, repo.director_root, repo.image_root, NULL), HF_OK);
  assert_int_equal(hf_agent_init(&fresh, &device.config), HF_OK);
}

static void refuses_a_config_that_misses_something(void **state)
{
  (void)state;
  struct hf_agent fresh;
  struct hf_agent_config config = device.config;
  config.slot[0] = 2;
  assert_int_equal(hf_agent_init(&fresh, &config), HF_E_INPUT);
  config = device.config;
  config.setup.device.len = 0;
  assert_int_equal(hf_agent_init(&fresh, &config), HF_E_INPUT);
  config = device.config;
  config.setup.work_cap = 100;
  assert_int_equal(hf_agent_init(&fresh, &config), HF_E_SPACE);
}

/* 1.1.0 runs, confirmed, and may go back to 1.0.0; then its slot rots. */
static void update_and_rot(void)
{
  simrepo_free(&repo);
  simdevice_free(&device);
  simrepo_init(&repo, SIMDEVICE_NOW);
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.0.0", .counter = 2, .payload_len = 3000});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.1.0", .counter = 2, .payload_len = 5000});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.2.0", .counter = 2, .payload_len = 4000});
  simdevice_init(&device, &repo, V10, 8, 0xff);
  simrepo_publish(&repo, &device.world, SIMDEVICE_NOW);
  boot(HF_RESET_POWER);
  offer(V11);
  assert_true(simdevice_settle(&device, V11, 10));
  device.flash.at[device.layout.slot[0][1].start + 300] ^= 8;
}

/* The boot loader falls back, and flash takes no record of it. */
static void boot_unwritten(enum hf_reset reset)
{
  device.flash.fail_at = device.flash.ops + 1;
  device.flash.fail_count = 100000;
  boot(reset);
  device.flash.fail_at = 0;
  assert_int_equal(device.choice.slot[0], 0);
}

static void reboots_first_when_what_runs_is_not_what_is_on_record(void **state)
{
  (void)state;
  update_and_rot();
  boot_unwritten(HF_RESET_POWER);
  offer(V12);
  wake();
  assert_true(next.reboot);
  assert_int_equal(next.reason, HF_RESET_REQUEST);
  assert_int_not_equal(device.agent.update.progress.state, HF_UPDATE_FAILED);
  boot(next.reason);
  assert_true(simdevice_settle(&device, V12, 10));
  assert_int_equal(heard(HF_EVENT_FAILED, HF_RULE_UPDATE_FLASH, "1.2.0"), 0);
}

static void blames_the_flash_when_the_reboot_did_not_help(void **state)
{
  (void)state;
  update_and_rot();
  boot_unwritten(HF_RESET_REQUEST);
  offer(V12);
  wake();
  assert_false(next.reboot);
  assert_int_equal(device.agent.update.progress.state, HF_UPDATE_FAILED);
  assert_int_equal(device.agent.update.progress.rule, HF_RULE_UPDATE_FLASH);
  wake();
  assert_int_equal(heard(HF_EVENT_FAILED, HF_RULE_UPDATE_FLASH, "1.2.0"), 1);
}

static void tells_a_broken_slot_it_fell_back_from(void **state)
{
  (void)state;
  update_and_rot();
  device.server.answer.director = 0;
  boot(HF_RESET_POWER);
  wake();
  assert_string_equal(device.server.version, "1.0.0");
  assert_int_equal(device.server.state, HF_UPDATE_FAILED);
  assert_int_equal(device.server.rule, HF_RULE_IMAGE_HASH);
  assert_string_equal(device.server.wanted, "1.1.0");
}

static void calls_home_with_a_full_store(void **state)
{
  (void)state;
  static const uint8_t filler[64];
  uint16_t key = HF_STORE_APPLICATION;
  for (size_t len = sizeof filler; len > 0; len /= 2) {
    while (hf_store_put(&device.agent.store, key, hf_bytes_init(filler, len)) == HF_OK) {
      key++;
    }
  }
  offer(V11);
  boot(HF_RESET_POWER);
  wake();
  assert_int_equal(device.server.checkins, 1);
  assert_false(next.reboot);
  wake();
  assert_int_equal(device.server.state, HF_UPDATE_FAILED);
  assert_int_equal(device.server.rule, HF_RULE_UPDATE_STORE);
  while (key-- > HF_STORE_APPLICATION) {
    assert_int_equal(hf_store_delete(&device.agent.store, key), HF_OK);
  }
  wake();
  assert_true(next.reboot);
}

static void calls_home_with_a_store_that_cannot_be_written(void **state)
{
  (void)state;
  device.flash.fail_at = device.flash.ops + 1;
  device.flash.fail_count = 100000;
  boot(HF_RESET_POWER);
  wake();
  wake();
  assert_int_equal(device.server.checkins, 2);
  assert_string_equal(device.server.version, "1.0.0");
  device.flash.fail_at = 0;
}

static void starts_with_every_record_rotten(void **state)
{
  (void)state;
  wake();
  const struct hf_store *store = &device.agent.store;
  for (uint16_t i = 0; i < store->count; i++) {
    device.flash.at[SIMDEVICE_BOOT + store->index[i].at + HF_RECORD_HEAD] ^= 1;
  }
  struct hf_agent rotten;
  assert_int_equal(hf_agent_init(&rotten, &device.config), HF_E_NOT_FOUND); /* no trust: provision again */
  device.flash.at[SIMDEVICE_BOOT + store->index[0].at + HF_RECORD_HEAD] ^= 1;
  device.flash.at[SIMDEVICE_BOOT + store->index[1].at + HF_RECORD_HEAD] ^= 1;
  assert_int_equal(hf_agent_init(&rotten, &device.config), HF_OK);
  hf_agent_step(&rotten, &next);
  assert_int_equal(device.server.checkins, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(tells_what_it_runs),
      TEST(updates_and_says_so),
      TEST(goes_back_from_an_unhealthy_release_and_does_not_try_it_again),
      TEST(tries_again_after_a_power_cut_but_not_for_ever),
      TEST(does_not_try_again_after_a_crash_or_a_hang),
      TEST(gives_a_trial_up_when_its_time_is_over),
      TEST(lets_the_product_ask_for_the_server_before_it_confirms),
      TEST(keeps_a_trial_when_confirming_fails_and_confirms_later),
      TEST(backs_off_when_the_server_does_not_answer),
      TEST(honours_retry_after),
      TEST(spreads_a_fleet_that_lost_its_server),
      TEST(survives_answers_that_are_none),
      TEST(never_sleeps_longer_than_a_week_nor_not_at_all),
      TEST(repeats_events_until_they_are_acknowledged),
      TEST(drains_a_full_queue_over_several_wake_ups),
      TEST(tells_attributes_until_they_are_stored),
      TEST(refuses_attributes_beyond_their_bounds),
      TEST(refuses_attributes_that_no_checkin_can_carry),
      TEST(acts_on_no_number_that_no_signed_file_bears_out),
      TEST(asks_again_for_an_order_that_a_repository_could_not_bear_out),
      TEST(comes_back_to_a_server_that_said_2100),
      TEST(tells_of_a_server_whose_clock_is_behind),
      TEST(installs_nothing_while_the_server_says_2100),
      TEST(asks_for_a_certificate_when_told_and_when_refused),
      TEST(is_provisioned_once_and_only_with_good_roots),
      TEST(refuses_a_config_that_misses_something),
      TEST(reboots_first_when_what_runs_is_not_what_is_on_record),
      TEST(blames_the_flash_when_the_reboot_did_not_help),
      TEST(tells_a_broken_slot_it_fell_back_from),
      TEST(starts_with_every_record_rotten),
      TEST(calls_home_with_a_full_store),
      TEST(calls_home_with_a_store_that_cannot_be_written),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
