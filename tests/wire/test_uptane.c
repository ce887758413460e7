/* SPDX-License-Identifier: Apache-2.0
 * Director and image repository: what both must say before anything is installed, and what an attacker who owns one of
 * them can say instead (Uptane 2.1 section 5.4). Both repositories are real and go through the client workflow. */
#include "testrepo.h"

#include "hf/wire/uptane.h"

#define DEVICE HF_LIT("thermo-0001")
#define HARDWARE HF_LIT("thermo-a")

struct world {
  struct testrepo image, director;
  struct hf_tuf_trust image_trust, director_trust;
  struct hf_uptane_installed installed[5];
  struct hf_uptane_self self;
  struct hf_target_require require[4]; /* of the release of the same index; component empty: none */
};

/* An image as the release key holder knows it. */
struct release {
  const char *path, *product, *component, *version, *from, *hardware;
  uint32_t counter, length;
  uint8_t seed; /* fills the hash */
};

static const struct release r11 = {
    "thermostat/1.1.0/main.img", "thermostat", "main", "1.1.0", ">=1.0 <1.1", "thermo-a", 2, 1000, 0x11};

static int set_up(void **state)
{
  struct world *world = calloc(1, sizeof *world);
  assert_non_null(world);
  testrepo_init(&world->image, HF_KEY_P256);
  testrepo_init(&world->director, HF_KEY_P256);
  testrepo_trust(&world->image, &world->image_trust, 1);
  testrepo_trust(&world->director, &world->director_trust, 1);
  world->installed[0] = (struct hf_uptane_installed){HF_LIT("main"), HARDWARE, {1, 0, 0, 0}, 2};
  world->installed[1] = (struct hf_uptane_installed){HF_LIT("radio"), HF_LIT("radio-x"), {3, 1, 0, 0}, 5};
  world->self = (struct hf_uptane_self){DEVICE, HF_LIT("thermostat"), world->installed, 2};
  *state = world;
  return 0;
}

static int tear_down(void **state)
{
  struct world *world = *state;
  testrepo_free(&world->image);
  testrepo_free(&world->director);
  free(world);
  return 0;
}

static struct hf_target_file file_of(const struct release *release)
{
  struct hf_target_file file = {.path = hf_bytes_text(release->path), .length = release->length};
  memset(file.sha256, release->seed, sizeof file.sha256);
  return file;
}

static void publish_image(struct world *world, uint32_t version, const struct release *releases, size_t count)
{
  static uint8_t room[4][1024];
  struct hf_tufwrite_entry entries[4];
  for (size_t i = 0; i < count; i++) {
    struct hf_buf value = hf_buf_init(room[i], sizeof room[i]);
    struct hf_target_file file = file_of(&releases[i]);
    struct hf_target target = {.product = hf_bytes_text(releases[i].product),
                               .component = hf_bytes_text(releases[i].component),
                               .from = hf_bytes_text(releases[i].from),
                               .counter = releases[i].counter,
                               .hardware_count = 1,
                               .hardware = {hf_bytes_text(releases[i].hardware)}};
    assert_int_equal(hf_version_parse(&target.version, hf_bytes_text(releases[i].version), NULL), HF_OK);
    memset(target.image, releases[i].seed ^ 0xff, sizeof target.image);
    target.requires_count = world->require[i].component.len > 0;
    target.requires[0] = world->require[i];
    hf_target_put(&value, &target, &file);
    entries[i] = (struct hf_tufwrite_entry){file.path, hf_buf_bytes(&value)};
  }
  testrepo_publish(&world->image, version, entries, count);
}

/* What the director says about one image; `hardware` and `device` as an attacker may choose them. */
struct order {
  struct release release;
  const char *device, *hardware;
  uint32_t order;
};

static void publish_director(struct world *world, uint32_t version, const char *device, const struct order *orders,
                             size_t count)
{
  static uint8_t room[6][1024], body_room[8192];
  struct hf_tufwrite_entry entries[6];
  for (size_t i = 0; i < count; i++) {
    struct hf_buf value = hf_buf_init(room[i], sizeof room[i]);
    struct hf_target_file file = file_of(&orders[i].release);
    struct hf_target_order order = {.component = hf_bytes_text(orders[i].release.component),
                                    .device = hf_bytes_text(orders[i].device),
                                    .hardware = hf_bytes_text(orders[i].hardware),
                                    .counter = orders[i].release.counter,
                                    .order = orders[i].order};
    hf_target_order_put(&value, &order, &file);
    entries[i] = (struct hf_tufwrite_entry){file.path, hf_buf_bytes(&value)};
  }
  struct hf_buf body = hf_buf_init(body_room, sizeof body_room);
  assert_int_equal(
      hf_tufwrite_put_director(&body, version, TESTREPO_NOW + TESTREPO_YEAR, hf_bytes_text(device), entries, count),
      HF_OK);
  testrepo_forge(&world->director, testrepo_name(&world->director, HF_TUF_TARGETS, version), hf_buf_bytes(&body),
                 BIT(K_TARGETS));
  testrepo_snapshot(&world->director, version, version);
  testrepo_timestamp(&world->director, version, version);
}

static struct order honest(const struct release *release)
{
  return (struct order){*release, "thermo-0001", release->hardware, 0};
}

/* The device's whole decision. */
static uint16_t decide(struct world *world, struct hf_uptane_plan *plan)
{
  struct hf_why why = {0};
  assert_done(&world->director, &world->director_trust);
  const struct hf_tuf_file *orders = hf_tufclient_targets(&world->director.client);
  if (hf_uptane_director_verify(plan, orders, &world->self, &why) != HF_ALLOW) {
    assert_int_equal(plan->count, 0);
    return why.rule;
  }
  assert_done(&world->image, &world->image_trust);
  const struct hf_tuf_file *images = hf_tufclient_targets(&world->image.client);
  if (hf_uptane_agree_verify(plan, images, &world->self, &why) != HF_ALLOW) {
    for (size_t i = 0; i < plan->count; i++) {
      assert_false(plan->item[i].agreed);
    }
    assert_int_not_equal(why.rule, 0);
    return why.rule;
  }
  for (size_t i = 0; i < plan->count; i++) {
    assert_true(plan->item[i].agreed);
  }
  return why.rule;
}

static uint16_t decide_order(struct world *world, const struct order *order)
{
  struct hf_uptane_plan plan;
  publish_image(world, 1, &r11, 1);
  publish_director(world, 1, "thermo-0001", order, 1);
  return decide(world, &plan);
}

static void agrees_on_an_honest_release(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  struct order order = honest(&r11);
  publish_image(world, 1, &r11, 1);
  publish_director(world, 1, "thermo-0001", &order, 1);
  assert_int_equal(decide(world, &plan), 0);
  assert_int_equal(plan.count, 1);
  assert_true(hf_bytes_is(hf_uptane_item_path(&plan.item[0]), r11.path));
  assert_int_equal(plan.item[0].length, 1000);
  assert_int_equal(plan.item[0].sha256[31], 0x11);
  assert_int_equal(plan.item[0].image[0], 0xee);
  assert_int_equal(plan.item[0].version.minor, 1);
  assert_int_equal(plan.item[0].counter, 2);
}

static void a_plan_may_be_empty(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  publish_image(world, 1, &r11, 1);
  publish_director(world, 1, "thermo-0001", NULL, 0);
  assert_int_equal(decide(world, &plan), 0);
  assert_int_equal(plan.count, 0);
}

static void installs_components_in_the_stated_order(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  struct release radio = {"thermostat/1.1.0/radio.img", "thermostat", "radio", "3.2.0", "*", "radio-x", 6, 50, 0x33};
  struct release both[2] = {r11, radio};
  struct order orders[2] = {honest(&r11), honest(&radio)};
  orders[0].order = 7;
  orders[1].order = 3;
  publish_image(world, 1, both, 2);
  publish_director(world, 1, "thermo-0001", orders, 2);
  assert_int_equal(decide(world, &plan), 0);
  assert_int_equal(plan.count, 2);
  assert_int_equal(plan.item[0].component, 1);
  assert_int_equal(plan.item[1].component, 0);
}

/* The server is broken into: the attacker has the director's key and offers his own image. */
static void refuses_an_image_only_the_director_knows(void **state)
{
  struct world *world = *state;
  struct release forged = r11;
  forged.path = "thermostat/6.6.6/main.img";
  struct order order = honest(&forged);
  assert_int_equal(decide_order(world, &order), HF_RULE_UPTANE_NOT_LISTED);
}

static void refuses_a_forged_image_under_an_honest_path(void **state)
{
  struct world *world = *state;
  struct order order = honest(&r11);
  order.release.seed = 0x66;
  assert_int_equal(decide_order(world, &order), HF_RULE_UPTANE_HASH);
}

static void refuses_a_wrong_length_under_an_honest_hash(void **state)
{
  struct world *world = *state;
  struct order order = honest(&r11);
  order.release.length += 1;
  assert_int_equal(decide_order(world, &order), HF_RULE_UPTANE_LENGTH);
}

/* An old image, honestly signed at its time. */
static void refuses_an_old_image_by_its_counter(void **state)
{
  struct world *world = *state;
  struct release old = {"thermostat/0.9.0/main.img", "thermostat", "main", "0.9.0", "*", "thermo-a", 1, 900, 0x09};
  struct release both[2] = {old, r11};
  struct order order = honest(&old);
  struct hf_uptane_plan plan;
  publish_image(world, 1, both, 2);
  publish_director(world, 1, "thermo-0001", &order, 1);
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_COUNTER);
  assert_int_equal(plan.count, 0); /* the director alone gives it away */
  order.release.counter = 2;       /* the director lies about the counter */
  publish_director(world, 2, "thermo-0001", &order, 1);
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_COUNTER);
}

static void refuses_a_counter_the_repositories_disagree_about(void **state)
{
  struct world *world = *state;
  struct order order = honest(&r11);
  order.release.counter = 3;
  assert_int_equal(decide_order(world, &order), HF_RULE_UPTANE_COUNTER_MISMATCH);
}

static void refuses_an_image_for_other_hardware(void **state)
{
  struct world *world = *state;
  struct release other = {"thermostat/1.1.0/big.img", "thermostat", "main", "1.1.0", "*", "thermo-b", 2, 1000, 0x44};
  struct order order = honest(&other);
  struct hf_uptane_plan plan;
  publish_image(world, 1, &other, 1);
  publish_director(world, 1, "thermo-0001", &order, 1);
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_HARDWARE);
  assert_int_equal(plan.count, 0);
  order.hardware = "thermo-a"; /* the director lies about the board */
  publish_director(world, 2, "thermo-0001", &order, 1);
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_HARDWARE);
}

static void refuses_an_image_of_another_product_or_component(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  struct release other = r11;
  other.product = "doorbell";
  struct order order = honest(&r11);
  publish_image(world, 1, &other, 1);
  publish_director(world, 1, "thermo-0001", &order, 1);
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_NAME_MISMATCH);
  other = r11;
  other.component = "radio";
  publish_image(world, 2, &other, 1);
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_NAME_MISMATCH);
}

static void refuses_to_jump_over_a_stepping_stone(void **state)
{
  struct world *world = *state;
  struct release far = r11;
  struct hf_uptane_plan plan;
  far.from = ">=1.0.5 <1.1";
  struct order order = honest(&far);
  publish_image(world, 1, &far, 1);
  publish_director(world, 1, "thermo-0001", &order, 1);
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_FROM);
  world->installed[0].version = (struct hf_version){1, 1, 0, 0}; /* it runs already: it may stay */
  assert_int_equal(decide(world, &plan), 0);
}

static void refuses_the_directors_file_of_another_device(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  struct order order = honest(&r11);
  publish_image(world, 1, &r11, 1);
  order.device = "thermo-0002";
  publish_director(world, 1, "thermo-0002", &order, 1);
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_DEVICE);
  publish_director(world, 2, "thermo-0001", &order, 1); /* the file is ours, the target is not */
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_DEVICE);
}

/* Uptane standard issue 202: an empty file of another device would freeze this one. */
static void refuses_an_empty_directors_file_of_another_device(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  publish_image(world, 1, &r11, 1);
  publish_director(world, 1, "thermo-0002", NULL, 0);
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_DEVICE);
}

static void refuses_a_directors_file_bound_to_nobody(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  publish_image(world, 1, &r11, 1);
  testrepo_publish(&world->director, 1, NULL, 0); /* no custom member at all */
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_DEVICE);
}

/* A valid, empty file of this device from before: the version floor, across a power cycle, refuses it. */
static void refuses_the_replay_of_an_empty_directors_file(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  struct order order = honest(&r11);
  const char *const names[] = {"timestamp.json", "1.snapshot.json", "1.targets.json"};
  uint8_t *kept[3];
  size_t len[3];
  publish_image(world, 1, &r11, 1);
  publish_director(world, 1, "thermo-0001", NULL, 0);
  for (int i = 0; i < 3; i++) {
    struct hf_bytes file = testrepo_get(&world->director, names[i]);
    kept[i] = malloc(file.len);
    memcpy(kept[i], file.at, file.len);
    len[i] = file.len;
  }
  publish_director(world, 2, "thermo-0001", &order, 1);
  assert_int_equal(decide(world, &plan), 0);
  for (int i = 0; i < 3; i++) {
    testrepo_set(&world->director, names[i], hf_bytes_init(kept[i], len[i]));
    free(kept[i]);
  }
  assert_refused(&world->director, &world->director_trust, HF_RULE_TUF_ROLLBACK);
}

static void refuses_a_component_twice(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  struct release second = r11;
  second.path = "thermostat/1.2.0/main.img";
  struct order orders[2] = {honest(&r11), honest(&second)};
  orders[1].order = 1;
  publish_image(world, 1, &r11, 1);
  publish_director(world, 1, "thermo-0001", orders, 2);
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_COMPONENT_TWICE);
}

static void refuses_a_component_it_does_not_have(void **state)
{
  struct world *world = *state;
  struct order order = honest(&r11);
  order.release.component = "gateway";
  assert_int_equal(decide_order(world, &order), HF_RULE_UPTANE_COMPONENT);
}

static void refuses_two_components_at_one_place_in_the_order(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  struct release radio = {"thermostat/1.1.0/radio.img", "thermostat", "radio", "3.2.0", "*", "radio-x", 6, 50, 0x33};
  struct order orders[2] = {honest(&r11), honest(&radio)};
  publish_image(world, 1, &r11, 1);
  publish_director(world, 1, "thermo-0001", orders, 2);
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_ORDER);
}

static void refuses_more_targets_than_a_plan_holds(void **state)
{
  struct world *world = *state;
  static const char *const names[5] = {"a", "b", "c", "d", "e"};
  static const char *const paths[5] = {"p/a.img", "p/b.img", "p/c.img", "p/d.img", "p/e.img"};
  struct hf_uptane_plan plan;
  struct order orders[5];
  for (uint32_t i = 0; i < 5; i++) {
    world->installed[i] = (struct hf_uptane_installed){hf_bytes_text(names[i]), HARDWARE, {1, 0, 0, 0}, 0};
    orders[i] = honest(&r11);
    orders[i].release.component = names[i];
    orders[i].release.path = paths[i];
    orders[i].order = i;
  }
  world->self.count = 5;
  publish_image(world, 1, &r11, 1);
  publish_director(world, 1, "thermo-0001", orders, 5);
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_TOO_MANY);
}

static const struct release radio32 = {
    "thermostat/1.1.0/radio.img", "thermostat", "radio", "3.2.0", "*", "radio-x", 6, 50, 0x33};

/* Main and, when `with_radio`, radio are ordered together; what main demands of radio decides. */
static uint16_t decide_requires(struct world *world, const char *component, const char *range, bool with_radio)
{
  struct hf_uptane_plan plan;
  struct release both[2] = {r11, radio32};
  struct order orders[2] = {honest(&r11), honest(&radio32)};
  orders[1].order = 1;
  world->require[0] = (struct hf_target_require){hf_bytes_text(component), hf_bytes_text(range)};
  publish_image(world, 1, both, 2);
  publish_director(world, 1, "thermo-0001", orders, with_radio ? 2 : 1);
  return decide(world, &plan);
}

static void an_image_may_require_a_version_that_is_installed_already(void **state)
{
  assert_int_equal(decide_requires(*state, "radio", ">=3.1 <4.0", false), 0);
}

static void an_image_may_require_a_version_that_comes_with_it(void **state)
{
  assert_int_equal(decide_requires(*state, "radio", ">=3.2", true), 0);
}

static void refuses_an_image_that_needs_a_newer_component_than_is_installed(void **state)
{
  assert_int_equal(decide_requires(*state, "radio", ">=3.2", false), HF_RULE_UPTANE_REQUIRES);
}

/* Installed it would have been good; what comes with it is what counts. */
static void judges_requirements_by_the_set_that_results(void **state)
{
  assert_int_equal(decide_requires(*state, "radio", "=3.1", true), HF_RULE_UPTANE_REQUIRES);
}

static void refuses_an_image_that_requires_a_component_it_does_not_have(void **state)
{
  assert_int_equal(decide_requires(*state, "gateway", "*", false), HF_RULE_UPTANE_REQUIRES_ABSENT);
}

static void refuses_more_comparisons_than_a_plan_holds(void **state)
{
  struct world *world = *state;
  world->require[1] = (struct hf_target_require){HF_LIT("main"), HF_LIT(">=1.0")};
  assert_int_equal(decide_requires(world, "radio", ">0.1 >0.2 >0.3 >0.4 >0.5 >0.6 >0.7 >0.8", true),
                   HF_RULE_UPTANE_REQUIRES_MANY);
}

/* Uptane 5.4.4.7: the search hands over one file; another path's file is not taken for it. */
static void an_item_is_judged_by_the_file_of_its_own_path_only(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  struct hf_why why = {0};
  struct order order = honest(&r11);
  struct hf_target_file file = file_of(&r11);
  publish_director(world, 1, "thermo-0001", &order, 1);
  assert_done(&world->director, &world->director_trust);
  assert_int_equal(hf_uptane_director_verify(&plan, hf_tufclient_targets(&world->director.client), &world->self, &why),
                   HF_ALLOW);
  file.path = HF_LIT("thermostat/1.1.0/other.img");
  assert_int_equal(hf_uptane_item_verify(&plan, 0, &file, &world->self, &why), HF_DENY);
  assert_int_equal(why.rule, HF_RULE_UPTANE_NOT_LISTED);
}

/* All or none: one good and one bad image are no update. */
static void one_bad_component_spoils_the_plan(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  struct release radio = {"thermostat/1.1.0/radio.img", "thermostat", "radio", "3.2.0", "*", "radio-x", 6, 50, 0x33};
  struct release both[2] = {r11, radio};
  struct order orders[2] = {honest(&r11), honest(&radio)};
  orders[1].order = 1;
  orders[1].release.seed = 0x66;
  publish_image(world, 1, both, 2);
  publish_director(world, 1, "thermo-0001", orders, 2);
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_HASH);
}

static void forge_director(struct world *world, const char *members)
{
  char body[2048];
  snprintf(body, sizeof body,
           "{\"_type\":\"targets\",\"custom\":{\"holdfast\":{\"device\":\"thermo-0001\"}},%s\"expires\":\"2030-01-01T"
           "00:00:00Z\",\"spec_version\":\"1.0.34\",\"targets\":{},\"version\":1}",
           members);
  publish_image(world, 1, &r11, 1);
  testrepo_forge(&world->director, "1.targets.json", hf_bytes_text(body), BIT(K_TARGETS));
  testrepo_snapshot(&world->director, 1, 1);
  testrepo_timestamp(&world->director, 1, 1);
}

static void refuses_a_director_that_delegates(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  forge_director(world, "\"delegations\":{\"keys\":{},\"roles\":[{\"name\":\"x\"}]},");
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_DELEGATION);
}

static void an_empty_list_of_delegations_is_none(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  forge_director(world, "\"delegations\":{\"keys\":{},\"roles\":[]},");
  assert_int_equal(decide(world, &plan), 0);
}

/* TAP 15 or a shape from tomorrow: not read, so not trusted. */
static void delegations_of_unknown_shape_count_as_delegations(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  forge_director(world, "\"delegations\":{\"keys\":{},\"roles\":[],\"succinct_roles\":{}},");
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_DELEGATION);
}

/* The mirror's attack: honest files of both repositories, but of different times. */
static void refuses_an_image_repository_frozen_before_the_release(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  struct order order = honest(&r11);
  publish_image(world, 1, NULL, 0);
  publish_director(world, 1, "thermo-0001", &order, 1);
  assert_int_equal(decide(world, &plan), HF_RULE_UPTANE_NOT_LISTED);
}

static void does_not_take_absence_for_an_answer_when_roles_are_delegated(void **state)
{
  struct world *world = *state;
  struct hf_uptane_plan plan;
  struct order order = honest(&r11);
  publish_director(world, 1, "thermo-0001", &order, 1);
  testrepo_forge(&world->image, "1.targets.json",
                 HF_LIT("{\"_type\":\"targets\",\"delegations\":{\"keys\":{},\"roles\":[{\"name\":\"x\"}]},\"expires\":"
                        "\"2030-01-01T00:00:00Z\",\"spec_version\":\"1.0.34\",\"targets\":{},\"version\":1}"),
                 BIT(K_TARGETS));
  testrepo_snapshot(&world->image, 1, 1);
  testrepo_timestamp(&world->image, 1, 1);
  assert_int_equal(decide(world, &plan), HF_RULE_TUF_DELEGATED);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(agrees_on_an_honest_release),
      TEST(a_plan_may_be_empty),
      TEST(installs_components_in_the_stated_order),
      TEST(refuses_an_image_only_the_director_knows),
      TEST(refuses_a_forged_image_under_an_honest_path),
      TEST(refuses_a_wrong_length_under_an_honest_hash),
      TEST(refuses_an_old_image_by_its_counter),
      TEST(refuses_a_counter_the_repositories_disagree_about),
      TEST(refuses_an_image_for_other_hardware),
      TEST(refuses_an_image_of_another_product_or_component),
      TEST(refuses_to_jump_over_a_stepping_stone),
      TEST(refuses_the_directors_file_of_another_device),
      TEST(refuses_an_empty_directors_file_of_another_device),
      TEST(refuses_a_directors_file_bound_to_nobody),
      TEST(refuses_the_replay_of_an_empty_directors_file),
      TEST(refuses_a_component_twice),
      TEST(refuses_a_component_it_does_not_have),
      TEST(refuses_two_components_at_one_place_in_the_order),
      TEST(refuses_more_targets_than_a_plan_holds),
      TEST(an_image_may_require_a_version_that_is_installed_already),
      TEST(an_image_may_require_a_version_that_comes_with_it),
      TEST(refuses_an_image_that_needs_a_newer_component_than_is_installed),
      TEST(judges_requirements_by_the_set_that_results),
      TEST(refuses_an_image_that_requires_a_component_it_does_not_have),
      TEST(refuses_more_comparisons_than_a_plan_holds),
      TEST(an_item_is_judged_by_the_file_of_its_own_path_only),
      TEST(one_bad_component_spoils_the_plan),
      TEST(refuses_a_director_that_delegates),
      TEST(an_empty_list_of_delegations_is_none),
      TEST(delegations_of_unknown_shape_count_as_delegations),
      TEST(refuses_an_image_repository_frozen_before_the_release),
      TEST(does_not_take_absence_for_an_answer_when_roles_are_delegated),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
