/* SPDX-License-Identifier: Apache-2.0
 * A fleet leaves its server: the device's side, with two complete repositories.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "hf/codec/text.h"
#include "hf/device/agent.h"
#include "hf/device/migration.h"
#include "hf/device/refresh.h"
#include "ports/sim/simdevice.h"

#define NOW SIMDEVICE_NOW
#define CA "-----BEGIN CERTIFICATE-----\nbmV3\n-----END CERTIFICATE-----\n"

enum { SECTOR = 4096, SIZE = 8 * SECTOR };

static struct simrepo old_repo;
static struct simrepo new_repo;
static struct simworld old_files;
static struct simworld new_files;

static struct device {
  struct simflash flash;
  struct hf_layout layout;
  struct hf_store store;
  struct hf_clock clock;
  struct simworld old_world;
  struct simworld new_world;
  struct hf_transport transport;
  uint8_t work[16384];
} device;

struct order {
  uint8_t at[HF_TAKEOVER_MAX];
  struct hf_bytes bytes;
};

static int make_repos(void **state)
{
  (void)state;
  simrepo_init(&old_repo, NOW);
  simrepo_init(&new_repo, NOW);
  simrepo_publish(&old_repo, &old_files, NOW);
  simrepo_publish(&new_repo, &new_files, NOW);
  return 0;
}

static int drop_repos(void **state)
{
  (void)state;
  simrepo_free(&old_repo);
  simrepo_free(&new_repo);
  return 0;
}

static enum hf_err sign(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

static void make_order(struct order *order, uint32_t version, struct hf_key *by)
{
  uint8_t body_room[HF_TAKEOVER_MAX];
  uint8_t scratch[HF_TAKEOVER_MAX];
  struct hf_buf body = hf_buf_init(body_room, sizeof body_room);
  struct hf_buf out = hf_buf_init(order->at, sizeof order->at);
  struct hf_tufwrite_signer signer = {.sign = sign, .ctx = by};
  struct hf_takeover_new new = {.version = version,
                                .expires = NOW + 86400,
                                .product = HF_LIT(SIMREPO_PRODUCT),
                                .server = HF_LIT("https://new.example:8443"),
                                .server_ca = HF_LIT(CA),
                                .director_root = new_repo.director_root,
                                .image_root = new_repo.image_root};
  assert_int_equal(hf_key_public(&signer.pub, by), HF_OK);
  assert_int_equal(hf_takeover_put(&body, &new), HF_OK);
  assert_int_equal(hf_tufwrite_sign_file(&out, hf_buf_init(scratch, sizeof scratch), hf_buf_bytes(&body), &signer, 1),
                   HF_OK);
  order->bytes = hf_buf_bytes(&out);
}

static void serve_root(struct hf_bytes root, struct hf_bytes named)
{
  char room[128];
  uint8_t digest[HF_SHA256_LEN];
  struct hf_buf path = hf_buf_init(room, sizeof room);
  hf_sha256(digest, named);
  hf_buf_put_text(&path, "/repo/takeover/");
  hf_hex_put(&path, hf_bytes_init(digest, sizeof digest));
  hf_buf_put_text(&path, ".json");
  assert_int_equal(hf_buf_terminate(&path), HF_OK);
  simworld_put(&device.old_world, room, root);
}

static void power_on(void)
{
  simflash_power_on(&device.flash);
  assert_int_equal(hf_store_open(&device.store, &device.layout.store), HF_OK);
  hf_clock_open(&device.clock, &device.store, NOW - 86400);
}

static void begin(uint32_t align, uint8_t erased)
{
  memset(&device, 0, sizeof device);
  simflash_init(&device.flash, SIZE, SECTOR, align, erased);
  device.layout.store = simflash_area(&device.flash, 0, SIZE);
  device.transport = (struct hf_transport){&simworld_ops, &device.old_world};
  device.old_world = old_files;
  device.new_world = new_files;
  device.old_world.power = &device.flash;
  simworld_set_time(NOW);
  assert_int_equal(hf_agent_provision(&device.layout, old_repo.director_root, old_repo.image_root, NULL), HF_OK);
  serve_root(new_repo.director_root, new_repo.director_root);
  serve_root(new_repo.image_root, new_repo.image_root);
  power_on();
}

static void end(void)
{
  assert_int_equal(device.flash.breaches, 0);
  simflash_free(&device.flash);
}

static enum hf_err fetch(uint32_t version, uint16_t *rule)
{
  struct hf_migration_source source = {
      .transport = &device.transport, .work = device.work, .work_cap = sizeof device.work};
  struct hf_why why = {0};
  enum hf_err err = hf_migration_fetch(&device.store, &device.clock, HF_LIT(SIMREPO_PRODUCT), &source, version, &why);
  *rule = why.rule;
  return err;
}

static enum hf_err move(uint16_t *rule)
{
  struct hf_migration_source source = {
      .transport = &device.transport, .work = device.work, .work_cap = sizeof device.work};
  struct hf_why why = {0};
  enum hf_err err = hf_migration_move(&device.store, &source, &why);
  *rule = why.rule;
  return err;
}

static enum hf_migration_state state_now(void)
{
  uint8_t room[HF_MIGRATION_ROOM];
  enum hf_migration_state state;
  struct hf_takeover order;
  assert_int_equal(hf_migration_get(&state, &order, room, &device.store), HF_OK);
  if (state != HF_MIGRATION_NONE) {
    assert_string_equal(order.server, "https://new.example:8443");
  }
  return state;
}

/* Does the device accept the image repository of this world? */
static bool believes(struct simworld *world)
{
  struct hf_transport transport = {&simworld_ops, world};
  struct hf_refresh refresh;
  struct hf_refresh_source source = {.transport = &transport,
                                     .path = "/repo/metadata/",
                                     .key = HF_STORE_TRUST_IMAGE,
                                     .work = device.work,
                                     .work_cap = sizeof device.work};
  return hf_refresh_get(&refresh, &source, &device.store, &device.clock) == HF_OK;
}

static void a_device_moves_when_the_root_says_so(void **state)
{
  (void)state;
  struct order order;
  uint16_t rule;
  begin(8, 0xff);
  make_order(&order, 1, old_repo.root);
  simworld_put(&device.old_world, "/repo/takeover/" SIMREPO_PRODUCT ".1.json", order.bytes);
  assert_int_equal(state_now(), HF_MIGRATION_NONE);
  assert_int_equal(move(&rule), HF_E_STATE);
  assert_int_equal(fetch(1, &rule), HF_OK);
  assert_int_equal(state_now(), HF_MIGRATION_WAITING);
  assert_true(believes(&device.old_world)); /* until the new server was reached, the old one serves on */
  uint32_t ops = device.flash.ops;
  assert_int_equal(fetch(1, &rule), HF_OK);
  assert_int_equal(device.flash.ops, ops);
  assert_int_equal(move(&rule), HF_OK);
  power_on();
  assert_int_equal(state_now(), HF_MIGRATION_MOVED);
  assert_true(believes(&device.new_world));
  assert_false(believes(&device.old_world));
  end();
}

/* Whoever holds the old server, its online keys and its targets key. */
static void a_stolen_server_moves_nobody(void **state)
{
  (void)state;
  struct hf_key *const thieves[] = {old_repo.online, old_repo.director, old_repo.targets, old_repo.stranger,
                                    new_repo.root};
  begin(8, 0xff);
  for (size_t i = 0; i < sizeof thieves / sizeof thieves[0]; i++) {
    struct order order;
    uint16_t rule;
    make_order(&order, 1, thieves[i]);
    simworld_put(&device.old_world, "/repo/takeover/" SIMREPO_PRODUCT ".1.json", order.bytes);
    assert_int_equal(fetch(1, &rule), HF_E_DENIED);
    assert_int_equal(rule, HF_RULE_TUF_UNSIGNED);
    assert_int_equal(state_now(), HF_MIGRATION_NONE);
  }
  assert_true(believes(&device.old_world));
  end();
}

static void only_the_roots_that_were_signed_for_are_taken(void **state)
{
  (void)state;
  struct order order;
  uint16_t rule;
  begin(8, 0xff);
  make_order(&order, 1, old_repo.root);
  simworld_put(&device.old_world, "/repo/takeover/" SIMREPO_PRODUCT ".1.json", order.bytes);
  serve_root(old_repo.image_root, new_repo.image_root);
  assert_int_equal(fetch(1, &rule), HF_OK);
  assert_int_equal(move(&rule), HF_E_DENIED);
  assert_int_equal(rule, HF_RULE_TAKEOVER_ROOT);
  assert_int_equal(state_now(), HF_MIGRATION_WAITING);
  assert_true(believes(&device.old_world));
  serve_root(new_repo.image_root, new_repo.image_root);
  assert_int_equal(move(&rule), HF_OK);
  assert_int_equal(state_now(), HF_MIGRATION_MOVED);
  end();
}

static void an_order_that_came_by_cable_is_as_good(void **state)
{
  (void)state;
  struct order order;
  struct hf_why why = {0};
  struct hf_buf work = hf_buf_init(device.work, sizeof device.work);
  begin(8, 0xff);
  make_order(&order, 7, old_repo.root);
  assert_int_equal(hf_migration_keep(&device.store, &device.clock, HF_LIT(SIMREPO_PRODUCT), order.bytes, work, &why),
                   HF_OK);
  assert_int_equal(hf_migration_move_with(&device.store, new_repo.director_root, new_repo.image_root, work, &why),
                   HF_OK);
  assert_int_equal(state_now(), HF_MIGRATION_MOVED);
  end();
}

static void what_was_moved_by_is_not_taken_again(void **state)
{
  (void)state;
  struct order order;
  struct hf_why why = {0};
  struct hf_buf work = hf_buf_init(device.work, sizeof device.work);
  begin(8, 0xff);
  make_order(&order, 7, old_repo.root);
  assert_int_equal(hf_migration_keep(&device.store, &device.clock, HF_LIT(SIMREPO_PRODUCT), order.bytes, work, &why),
                   HF_OK);
  assert_int_equal(hf_migration_move_with(&device.store, new_repo.director_root, new_repo.image_root, work, &why),
                   HF_OK);
  /* by the old owner */
  assert_int_equal(hf_migration_keep(&device.store, &device.clock, HF_LIT(SIMREPO_PRODUCT), order.bytes, work, &why),
                   HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_TUF_UNSIGNED);
  /* by the new one, with a number that is used up */
  make_order(&order, 7, new_repo.root);
  why = (struct hf_why){0};
  assert_int_equal(hf_migration_keep(&device.store, &device.clock, HF_LIT(SIMREPO_PRODUCT), order.bytes, work, &why),
                   HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_TAKEOVER_OLD);
  make_order(&order, 9, new_repo.root);
  assert_int_equal(hf_migration_keep(&device.store, &device.clock, HF_LIT(SIMREPO_PRODUCT), order.bytes, work, &why),
                   HF_OK);
  /* while 9 waits, the order that it superseded does not come back */
  make_order(&order, 8, new_repo.root);
  why = (struct hf_why){0};
  assert_int_equal(hf_migration_keep(&device.store, &device.clock, HF_LIT(SIMREPO_PRODUCT), order.bytes, work, &why),
                   HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_TAKEOVER_OLD);
  end();
}

static void power_may_fail_anywhere_on_the_way(void **state)
{
  (void)state;
  static const uint32_t aligns[] = {1, 8, 16};
  struct order order;
  unsigned cuts = 0;
  make_order(&order, 1, old_repo.root);
  for (unsigned geometry = 0; geometry < 6; geometry++) {
    for (enum simflash_tear tear = SIMFLASH_TEAR_NONE; tear < SIMFLASH_TEARS; tear++) {
      for (uint32_t cut = 1;; cut++) {
        uint16_t rule;
        begin(aligns[geometry / 2], geometry % 2 == 0 ? 0xff : 0x00);
        simworld_put(&device.old_world, "/repo/takeover/" SIMREPO_PRODUCT ".1.json", order.bytes);
        device.flash.cut_at = device.flash.ops + cut;
        device.flash.tear = tear;
        device.flash.seed = cut;
        if (fetch(1, &rule) == HF_OK) {
          (void)move(&rule);
        }
        bool over = !device.flash.dead;
        power_on();
        /* wherever it stopped, the steps are taken again and lead to the end */
        if (state_now() == HF_MIGRATION_NONE) {
          assert_int_equal(fetch(1, &rule), HF_OK);
        }
        if (state_now() == HF_MIGRATION_WAITING) {
          assert_int_equal(move(&rule), HF_OK);
        }
        assert_int_equal(state_now(), HF_MIGRATION_MOVED);
        assert_true(believes(&device.new_world));
        end();
        if (over) {
          break;
        }
        cuts++;
      }
    }
  }
  assert_true(cuts > 100);
  print_message("%u cuts\n", cuts);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_device_moves_when_the_root_says_so),
      cmocka_unit_test(a_stolen_server_moves_nobody),
      cmocka_unit_test(only_the_roots_that_were_signed_for_are_taken),
      cmocka_unit_test(an_order_that_came_by_cable_is_as_good),
      cmocka_unit_test(what_was_moved_by_is_not_taken_again),
      cmocka_unit_test(power_may_fail_anywhere_on_the_way),
  };
  return cmocka_run_group_tests(tests, make_repos, drop_repos);
}
