/* SPDX-License-Identifier: Apache-2.0
 * A secondary behind a stolen primary: it verifies partially (hf/wire/partial.h), and gets everything it knows from its
 * primary. The documented exception: what falls here does not on a part that verifies fully.
 */
#include "attack.h"

#include <stdio.h>
#include <string.h>

#include "hf/wire/partial.h"

#define PRIMARY "none: the primary in front of a partially verifying secondary"
#define PRIMARY_DIRECTOR "the primary in front of a partially verifying secondary, and the director"

/* The radio as a processor of its own, behind the device. */
static struct {
  struct hf_tuf_trust trust;
  struct hf_partial_self self;
  struct hf_partial_order order;
} radio;

static void open_radio(void)
{
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  assert_int_equal(hf_tuf_trust_verify(&radio.trust, repo.director_root, &limits, NULL), HF_ALLOW);
  radio.self = (struct hf_partial_self){.device = HF_LIT(SIMREPO_DEVICE),
                                        .component = HF_LIT(SIMREPO_RADIO),
                                        .hardware = HF_LIT(SIMREPO_RADIO_HARDWARE),
                                        .counter = repo.images[RADIO10].counter,
                                        .now = SIMDEVICE_NOW};
}

/* The primary hands over a director's targets file: the rule that refuses it, or 0. */
static uint16_t hand(struct hf_bytes targets)
{
  struct hf_why why = {0};
  enum hf_verdict verdict = hf_partial_verify(&radio.order, &radio.trust, targets, &radio.self, &why);
  assert_true(verdict == HF_ALLOW || why.rule != 0);
  return verdict == HF_ALLOW ? 0 : why.rule;
}

static void refuses(struct hf_bytes targets, uint16_t rule)
{
  assert_int_equal(hand(targets), rule);
  assert_false(radio.order.present);
  attack_note(rule);
}

/* What is ordered now, as the primary gets it. */
static struct hf_bytes ordered(struct simrepo *from, int image)
{
  char path[64];
  attack_order(from, &image, 1);
  (void)snprintf(path, sizeof path, "/director/%u.targets.json", from->director_version);
  return attack_file(path);
}

/* Would the secondary's boot loader run this image? The rule that refuses it, or 0. */
static uint16_t judge_image(struct hf_bytes file)
{
  struct hf_image_source source = hf_image_source_init(&file);
  struct hf_image_info info;
  const struct hf_image_policy policy = {.hardware = radio.self.hardware, .counter_min = radio.self.counter};
  struct hf_why why = {0};
  return hf_image_verify(&info, &source, &repo.image_keys, &policy, &why) == HF_ALLOW ? 0 : why.rule;
}

static bool is_order_for(const struct simrepo_image *image)
{
  return radio.order.present && radio.order.length == image->file.len &&
         memcmp(radio.order.sha256, image->sha256, HF_SHA256_LEN) == 0;
}

static void a_primary_makes_no_order(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(0);
  open_radio();
  refuses(ordered(thief, RADIO11), HF_RULE_TUF_UNSIGNED);
  assert_int_equal(hand(ordered(&repo, RADIO11)), 0);
  assert_true(is_order_for(&repo.images[RADIO11]));
}

static void a_primary_replays_no_order(void **state)
{
  (void)state;
  open_radio();
  struct hf_bytes old = ordered(&repo, RADIO10);
  assert_int_equal(hand(ordered(&repo, RADIO11)), 0);
  refuses(old, HF_RULE_TUF_ROLLBACK);
}

static void a_primary_hands_over_no_other_devices_order(void **state)
{
  (void)state;
  open_radio();
  simrepo_order(&repo, &device.world, RADIO11, "T-0002", SIMDEVICE_NOW);
  char path[64];
  (void)snprintf(path, sizeof path, "/director/%u.targets.json", repo.director_version);
  refuses(attack_file(path), HF_RULE_UPTANE_DEVICE);
}

static void a_withheld_order_is_noticed_when_the_old_one_expires(void **state)
{
  (void)state;
  open_radio();
  struct hf_bytes old = ordered(&repo, RADIO10);
  assert_int_equal(hand(old), 0);
  (void)ordered(&repo, RADIO11);
  assert_int_equal(hand(old), 0); /* again and again */
  radio.self.now += 8 * 86400;
  refuses(old, HF_RULE_TUF_EXPIRED);
}

static void a_primary_may_update_itself_and_not_its_secondary(void **state)
{
  (void)state;
  open_radio();
  struct hf_bytes old = ordered(&repo, RADIO10);
  assert_int_equal(hand(old), 0);
  attack_update(); /* the primary's own part runs the new set */
  assert_int_equal(hand(old), 0);
  assert_true(is_order_for(&repo.images[RADIO10]));
}

static void the_director_orders_any_image_but_none_without_a_signature(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_DIRECTOR);
  int evil = attack_image(thief, SIMREPO_RADIO);
  open_radio();
  assert_int_equal(hand(ordered(thief, evil)), 0); /* no image repository was asked */
  assert_true(is_order_for(&thief->images[evil]));
  uint16_t rule = judge_image(thief->images[evil].file);
  assert_int_equal(rule, HF_RULE_IMAGE_KEY_UNKNOWN);
  attack_note(rule);
  assert_int_equal(judge_image(repo.images[RADIO11].file), 0);
}

static void the_director_orders_no_old_image(void **state)
{
  (void)state;
  struct simrepo_image old = {.version = "0.9.0", .counter = 4, .payload_len = 900, .component = SIMREPO_RADIO};
  int below = simrepo_add(&repo, old);
  struct simrepo *thief = attack_steal(STOLEN_DIRECTOR);
  open_radio();
  refuses(ordered(thief, below), HF_RULE_UPTANE_COUNTER);
  thief->images[below].told_counter = 50; /* a lie that only the image can tell */
  assert_int_equal(hand(ordered(thief, below)), 0);
  uint16_t rule = judge_image(repo.images[below].file);
  assert_int_equal(rule, HF_RULE_IMAGE_COUNTER);
  attack_note(rule);
}

static void the_director_mixes_genuine_images(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_DIRECTOR);
  open_radio();
  assert_int_equal(hand(ordered(thief, RADIO12)), 0); /* MAIN12 wants 1.1 */
  assert_int_equal(judge_image(repo.images[RADIO12].file), 0);
}

static const struct attack attacks[] = {
    ATTACK(a_primary_makes_no_order, "Arbitrary software", PRIMARY, ATTACK_HOLDS,
           "the secondary verifies the director's signature itself"),
    ATTACK(a_primary_replays_no_order, "Rollback", PRIMARY, ATTACK_HOLDS, "the secondary keeps a floor of its own"),
    ATTACK(a_primary_hands_over_no_other_devices_order, "Replay of another device's files", PRIMARY, ATTACK_HOLDS,
           "the secondary knows which device it belongs to"),
    ATTACK(a_withheld_order_is_noticed_when_the_old_one_expires, "Freeze", PRIMARY, ATTACK_NOTICED,
           "the secondary's time must come from somebody else than the primary"),
    ATTACK(a_primary_may_update_itself_and_not_its_secondary, "Mixed bundles", PRIMARY, ATTACK_FALLS,
           "until the order expires; the server misses the secondary's signed report of the new version"),
    ATTACK(the_director_orders_any_image_but_none_without_a_signature, "Arbitrary software", PRIMARY_DIRECTOR,
           ATTACK_HOLDS,
           "partial verification asks no image repository and takes the order; the image's own offline signature is "
           "what holds, so a secondary must check it"),
    ATTACK(the_director_orders_no_old_image, "Rollback", PRIMARY_DIRECTOR, ATTACK_HOLDS,
           "the secondary's counter, against the order and against the image"),
    ATTACK(the_director_mixes_genuine_images, "Mixed bundles", PRIMARY_DIRECTOR, ATTACK_FALLS,
           "genuine images for this hardware at or above its counter, in any combination"),
};

int main(int argc, char **argv)
{
  return attack_main(argc, argv, "tests/attacks/test_parts.c", attacks, sizeof attacks / sizeof attacks[0]);
}
