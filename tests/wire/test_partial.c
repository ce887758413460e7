/* SPDX-License-Identifier: Apache-2.0
 * Partial verification of a secondary: the director's root and targets, and nothing else (Uptane 2.1 section 5.4.4.1).
 * Every rule by name. */
#include "testrepo.h"

#include "hf/wire/partial.h"

struct world {
  struct testrepo director;
  struct hf_tuf_trust trust;
  struct hf_partial_self self;
};

static int set_up(void **state)
{
  struct world *world = calloc(1, sizeof *world);
  assert_non_null(world);
  testrepo_init(&world->director, HF_KEY_P256);
  testrepo_trust(&world->director, &world->trust, 1);
  world->self = (struct hf_partial_self){HF_LIT("thermo-0001"), HF_LIT("radio"), HF_LIT("radio-x"), 5, TESTREPO_NOW};
  *state = world;
  return 0;
}

static int tear_down(void **state)
{
  struct world *world = *state;
  testrepo_free(&world->director);
  free(world);
  return 0;
}

struct entry {
  const char *path, *device, *component, *hardware;
  uint32_t counter;
};
static const struct entry main_entry = {"p/1.1.0/main.img", "thermo-0001", "main", "thermo-a", 2};
static const struct entry radio_entry = {"p/1.1.0/radio.img", "thermo-0001", "radio", "radio-x", 6};

static struct hf_bytes publish(struct world *world, uint32_t version, const char *device, const struct entry *entries,
                               size_t count)
{
  static uint8_t room[6][1024], body_room[8192];
  struct hf_tufwrite_entry list[6];
  char name[40];
  for (size_t i = 0; i < count; i++) {
    struct hf_buf value = hf_buf_init(room[i], sizeof room[i]);
    struct hf_target_file file = {.path = hf_bytes_text(entries[i].path), .length = 777};
    memset(file.sha256, 0x44, sizeof file.sha256);
    struct hf_target_order order = {.component = hf_bytes_text(entries[i].component),
                                    .device = hf_bytes_text(entries[i].device),
                                    .hardware = hf_bytes_text(entries[i].hardware),
                                    .counter = entries[i].counter,
                                    .order = (uint32_t)i};
    hf_target_order_put(&value, &order, &file);
    list[i] = (struct hf_tufwrite_entry){file.path, hf_buf_bytes(&value)};
  }
  struct hf_buf body = hf_buf_init(body_room, sizeof body_room);
  assert_int_equal(hf_tufwrite_put_director(&body, version, world->director.expires[HF_TUF_TARGETS],
                                            hf_bytes_text(device), list, count),
                   HF_OK);
  snprintf(name, sizeof name, "%u.targets.json", version);
  testrepo_forge(&world->director, name, hf_buf_bytes(&body), BIT(K_TARGETS));
  return testrepo_get(&world->director, name);
}

static uint16_t judge(struct world *world, struct hf_partial_order *order, struct hf_bytes text)
{
  struct hf_why why = {0};
  uint32_t floor = world->trust.floor[HF_TUF_TARGETS].version;
  enum hf_verdict verdict = hf_partial_verify(order, &world->trust, text, &world->self, &why);
  assert_int_equal(verdict == HF_ALLOW, why.rule == 0);
  if (verdict != HF_ALLOW) {
    assert_false(order->present);
    assert_int_equal(world->trust.floor[HF_TUF_TARGETS].version, floor);
  }
  return why.rule;
}

static uint16_t judge_one(struct world *world, const struct entry *entry)
{
  struct hf_partial_order order;
  return judge(world, &order, publish(world, 1, "thermo-0001", entry, 1));
}

static void takes_the_order_for_its_own_part(void **state)
{
  struct world *world = *state;
  const struct entry both[2] = {main_entry, radio_entry};
  struct hf_partial_order order;
  assert_int_equal(judge(world, &order, publish(world, 3, "thermo-0001", both, 2)), 0);
  assert_true(order.present);
  assert_int_equal(order.length, 777);
  assert_int_equal(order.counter, 6);
  assert_int_equal(order.sha256[31], 0x44);
  assert_int_equal(world->trust.floor[HF_TUF_TARGETS].version, 3);
}

static void an_order_for_others_is_none_for_it(void **state)
{
  struct world *world = *state;
  struct hf_partial_order order;
  assert_int_equal(judge(world, &order, publish(world, 1, "thermo-0001", &main_entry, 1)), 0);
  assert_false(order.present);
}

static void refuses_a_targets_file_its_director_did_not_sign(void **state)
{
  struct world *world = *state;
  struct hf_partial_order order;
  publish(world, 1, "thermo-0001", &radio_entry, 1);
  struct hf_bytes text = testrepo_get(&world->director, "1.targets.json");
  struct hf_json root, body;
  assert_int_equal(hf_json_parse(&root, text, NULL), HF_OK);
  assert_int_equal(hf_json_get(&body, root, "signed"), HF_OK);
  testrepo_forge(&world->director, "2.targets.json", body.text, BIT(K_THIEF) | BIT(K_SNAPSHOT) | BIT(K_TIMESTAMP));
  assert_int_equal(judge(world, &order, testrepo_get(&world->director, "2.targets.json")), HF_RULE_TUF_UNSIGNED);
}

static void refuses_an_older_targets_file(void **state)
{
  struct world *world = *state;
  struct hf_partial_order order;
  uint8_t kept[8192];
  struct hf_bytes old = publish(world, 1, "thermo-0001", &radio_entry, 1);
  size_t len = old.len;
  memcpy(kept, old.at, len);
  assert_int_equal(judge(world, &order, publish(world, 2, "thermo-0001", &radio_entry, 1)), 0);
  assert_int_equal(judge(world, &order, hf_bytes_init(kept, len)), HF_RULE_TUF_ROLLBACK);
}

static void refuses_another_file_under_the_same_version(void **state)
{
  struct world *world = *state;
  struct hf_partial_order order;
  assert_int_equal(judge(world, &order, publish(world, 2, "thermo-0001", &radio_entry, 1)), 0);
  assert_int_equal(judge(world, &order, publish(world, 2, "thermo-0001", NULL, 0)), HF_RULE_TUF_SAME_VERSION);
}

static void refuses_an_expired_targets_file(void **state)
{
  struct world *world = *state;
  world->director.expires[HF_TUF_TARGETS] = TESTREPO_NOW;
  assert_int_equal(judge_one(world, &radio_entry), HF_RULE_TUF_EXPIRED);
}

static void refuses_under_an_expired_root(void **state)
{
  struct world *world = *state;
  world->self.now = world->trust.root.expires;
  assert_int_equal(judge_one(world, &radio_entry), HF_RULE_TUF_EXPIRED);
}

static void refuses_a_file_bound_to_another_device(void **state)
{
  struct world *world = *state;
  struct hf_partial_order order;
  assert_int_equal(judge(world, &order, publish(world, 1, "thermo-0002", NULL, 0)), HF_RULE_UPTANE_DEVICE);
}

static void refuses_an_entry_of_another_device(void **state)
{
  struct entry entry = main_entry;
  entry.device = "thermo-0002";
  assert_int_equal(judge_one(*state, &entry), HF_RULE_UPTANE_DEVICE);
}

static void refuses_delegations_of_the_director(void **state)
{
  struct world *world = *state;
  struct hf_partial_order order;
  testrepo_forge(
      &world->director, "1.targets.json",
      HF_LIT("{\"_type\":\"targets\",\"custom\":{\"holdfast\":{\"device\":\"thermo-0001\"}},\"delegations\":{"
             "\"keys\":{},\"roles\":[{\"name\":\"x\"}]},\"expires\":\"2030-01-01T00:00:00Z\",\"spec_version\":"
             "\"1.0.34\",\"targets\":{},\"version\":1}"),
      BIT(K_TARGETS));
  assert_int_equal(judge(world, &order, testrepo_get(&world->director, "1.targets.json")), HF_RULE_UPTANE_DELEGATION);
}

/* Its own part or another's: a file that contradicts itself is not followed in part. */
static void refuses_a_component_named_twice(void **state)
{
  struct world *world = *state;
  struct hf_partial_order order;
  struct entry twice[2] = {radio_entry, radio_entry};
  twice[1].path = "p/1.2.0/radio.img";
  assert_int_equal(judge(world, &order, publish(world, 1, "thermo-0001", twice, 2)), HF_RULE_UPTANE_COMPONENT_TWICE);
  twice[0].component = twice[1].component = "main";
  assert_int_equal(judge(world, &order, publish(world, 1, "thermo-0001", twice, 2)), HF_RULE_UPTANE_COMPONENT_TWICE);
}

static void refuses_an_image_for_other_hardware(void **state)
{
  struct entry entry = radio_entry;
  entry.hardware = "radio-y";
  assert_int_equal(judge_one(*state, &entry), HF_RULE_UPTANE_HARDWARE);
}

static void refuses_a_release_counter_below_its_own(void **state)
{
  struct entry entry = radio_entry;
  entry.counter = 4;
  assert_int_equal(judge_one(*state, &entry), HF_RULE_UPTANE_COUNTER);
}

static void refuses_more_entries_than_a_device_has_parts(void **state)
{
  struct world *world = *state;
  struct hf_partial_order order;
  static const char *const names[5] = {"a", "b", "c", "d", "e"};
  struct entry five[5];
  for (size_t i = 0; i < 5; i++) {
    five[i] = main_entry;
    five[i].path = five[i].component = names[i];
  }
  assert_int_equal(judge(world, &order, publish(world, 1, "thermo-0001", five, 5)), HF_RULE_UPTANE_TOO_MANY);
}

/* ---- root ---- */

static uint16_t take_root(struct world *world, uint32_t version)
{
  struct hf_why why = {0};
  char name[40];
  snprintf(name, sizeof name, "%u.root.json", version);
  enum hf_verdict verdict = hf_partial_root_verify(&world->trust, testrepo_get(&world->director, name), 16384, &why);
  assert_int_equal(verdict == HF_ALLOW, why.rule == 0);
  return why.rule;
}

static void follows_the_directors_root_to_a_new_targets_key(void **state)
{
  struct world *world = *state;
  struct hf_partial_order order;
  assert_int_equal(judge(world, &order, publish(world, 9, "thermo-0001", NULL, 0)), 0);
  world->director.root_keys |= BIT(K_SPARE);
  world->director.role[HF_TUF_TARGETS].keys = BIT(K_SPARE);
  testrepo_root(&world->director, 2, BIT(K_ROOT));
  assert_int_equal(take_root(world, 2), 0);
  assert_int_equal(world->trust.root.version, 2);
  assert_int_equal(world->trust.floor[HF_TUF_TARGETS].version, 0); /* fast-forward recovery */
  assert_int_equal(judge(world, &order, publish(world, 10, "thermo-0001", NULL, 0)), HF_RULE_TUF_UNSIGNED);
}

static void keeps_its_floor_when_the_targets_key_stays(void **state)
{
  struct world *world = *state;
  struct hf_partial_order order;
  assert_int_equal(judge(world, &order, publish(world, 9, "thermo-0001", NULL, 0)), 0);
  testrepo_root(&world->director, 2, BIT(K_ROOT));
  assert_int_equal(take_root(world, 2), 0);
  assert_int_equal(world->trust.floor[HF_TUF_TARGETS].version, 9);
}

static void refuses_a_root_the_old_one_did_not_sign(void **state)
{
  struct world *world = *state;
  world->director.root_keys |= BIT(K_THIEF);
  world->director.role[HF_TUF_ROOT].keys = BIT(K_THIEF);
  testrepo_root(&world->director, 2, BIT(K_THIEF));
  assert_int_equal(take_root(world, 2), HF_RULE_TUF_UNSIGNED_OLD);
}

static void refuses_a_root_that_skips_a_version(void **state)
{
  struct world *world = *state;
  testrepo_root(&world->director, 3, BIT(K_ROOT));
  assert_int_equal(take_root(world, 3), HF_RULE_TUF_ROOT_VERSION);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(takes_the_order_for_its_own_part),
      TEST(an_order_for_others_is_none_for_it),
      TEST(refuses_a_targets_file_its_director_did_not_sign),
      TEST(refuses_an_older_targets_file),
      TEST(refuses_another_file_under_the_same_version),
      TEST(refuses_an_expired_targets_file),
      TEST(refuses_under_an_expired_root),
      TEST(refuses_a_file_bound_to_another_device),
      TEST(refuses_an_entry_of_another_device),
      TEST(refuses_delegations_of_the_director),
      TEST(refuses_a_component_named_twice),
      TEST(refuses_an_image_for_other_hardware),
      TEST(refuses_a_release_counter_below_its_own),
      TEST(refuses_more_entries_than_a_device_has_parts),
      TEST(follows_the_directors_root_to_a_new_targets_key),
      TEST(keeps_its_floor_when_the_targets_key_stays),
      TEST(refuses_a_root_the_old_one_did_not_sign),
      TEST(refuses_a_root_that_skips_a_version),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
