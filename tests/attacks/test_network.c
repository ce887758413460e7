/* SPDX-License-Identifier: Apache-2.0
 * Attackers who hold the network, a mirror or a CDN, and no key. What they can do to the transport itself is in
 * test_transport.py, over real TLS.
 */
#include "attack.h"

#include <string.h>

#define NONE "none: the network, a mirror or a CDN"

static void order_new(void) { attack_order(&repo, (const int[]){RADIO11, MAIN12}, 2); }

static void break_file(enum simworld_fault fault, const char *match, uint64_t at)
{
  device.world.fault = fault;
  device.world.match = match;
  device.world.at = at;
}

/* ---- read ---- */

/* Do 48 bytes from the middle of the plain image lie anywhere in what is served? */
static bool readable(struct hf_bytes served, struct hf_bytes plain)
{
  for (size_t i = 0; i + 48 <= served.len; i++) {
    if (memcmp(served.at + i, plain.at + plain.len / 2, 48) == 0) {
      return true;
    }
  }
  return false;
}

static void who_serves_a_plain_image_reads_it(void **state)
{
  (void)state;
  struct hf_bytes plain = repo.images[MAIN12].file;
  bool served = false;
  for (size_t i = 0; i < device.world.count; i++) {
    served = served || (strstr(device.world.file[i].path, "/repo/targets/") != NULL &&
                        readable(device.world.file[i].body, plain));
  }
  assert_true(served);
}

static void an_encrypted_image_tells_a_mirror_nothing(void **state)
{
  (void)state;
  struct hf_key *key = NULL;
  assert_int_equal(hf_key_new(&key, HF_KEY_P256), HF_OK);
  struct simrepo_image image = {.version = "1.4.0", .counter = 3, .payload_len = 3000};
  int plain = simrepo_add(&repo, image);
  image.seal_for = key;
  int sealed = simrepo_add(&repo, image);
  hf_key_free(key);
  assert_true(readable(repo.images[plain].file, repo.images[plain].file));
  assert_false(readable(repo.images[sealed].file, repo.images[plain].file));
}

/* ---- deny ---- */

static void a_device_without_any_answer_keeps_running_what_it_runs(void **state)
{
  (void)state;
  order_new();
  break_file(SIMWORLD_DROP, NULL, 0);
  uint32_t heard = device.server.checkins;
  attack_step(20);
  assert_int_equal(device.server.checkins, heard);
  attack_runs(MAIN10, RADIO10);
  attack_recovers();
}

static void withheld_metadata_is_no_word_of_the_repository(void **state)
{
  (void)state;
  order_new();
  device.world.status = 503;
  break_file(SIMWORLD_STATUS, "/director/", 0);
  attack_step(4);
  attack_runs(MAIN10, RADIO10);
  attack_recovers();
}

static void a_frozen_repository_is_noticed_when_its_timestamp_expires(void **state)
{
  (void)state;
  device.server.answer.director = 0;
  attack_step(1);
  attack_days(3);
  assert_int_equal(device.server.rule, HF_RULE_TUF_EXPIRED);
  attack_refused(HF_RULE_TUF_EXPIRED);
  attack_recovers();
}

static void one_withheld_image_keeps_the_whole_set_back(void **state)
{
  (void)state;
  order_new();
  device.world.status = 503;
  break_file(SIMWORLD_STATUS, "main.img", 0);
  attack_step(6);
  assert_int_not_equal(device.server.state, HF_UPDATE_CONFIRMED);
  attack_runs(MAIN10, RADIO10);
  attack_recovers();
}

/* ---- break ---- */

static void yesterdays_metadata_is_not_taken_again(void **state)
{
  (void)state;
  attack_record();
  attack_publish(&repo);
  attack_update();
  attack_replay();
  device.server.answer.director = repo.director_version + 1;
  attack_refused(HF_RULE_TUF_ROLLBACK);
}

static void the_old_order_does_not_bring_back_the_old_image(void **state)
{
  (void)state;
  attack_order(&repo, (const int[]){MAIN11}, 1);
  attack_record();
  attack_update();
  attack_replay();
  device.server.answer.director = repo.director_version + 1;
  attack_refused(HF_RULE_TUF_ROLLBACK);
}

static void endless_metadata_ends_at_its_limit(void **state)
{
  (void)state;
  static const char *const files[] = {"/director/timestamp.json", "/director/", "/repo/metadata/timestamp.json"};
  order_new();
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    break_file(SIMWORLD_ENDLESS, files[i], 0);
    uint64_t before = device.world.bytes;
    attack_refused(HF_RULE_TUF_TOO_LONG);
    assert_true(device.world.bytes - before < 400000);
  }
  attack_recovers();
}

static void an_endless_image_ends_at_its_signed_length(void **state)
{
  (void)state;
  order_new();
  break_file(SIMWORLD_ENDLESS, "/targets/", 0);
  attack_refused(HF_RULE_UPDATE_LENGTH);
  attack_recovers();
}

static void another_genuine_image_under_the_name_is_refused(void **state)
{
  (void)state;
  order_new();
  attack_swap(RADIO11, repo.images[RADIO12].file);
  attack_refused(HF_RULE_UPDATE_LENGTH);
}

static void files_of_different_days_do_not_go_together(void **state)
{
  (void)state;
  attack_record();
  struct hf_bytes empty = attack_file("/director/1.targets.json");
  order_new();
  simworld_put(&device.world, "/director/2.targets.json", empty);
  attack_refused(HF_RULE_TUF_LENGTH);
  attack_recovers();
}

/* ---- control ---- */

static void a_repository_of_his_own_is_signed_by_nobody(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(0);
  int evil = attack_image(thief, NULL);
  attack_publish(thief);
  attack_order(thief, &evil, 1);
  attack_refused(HF_RULE_TUF_UNSIGNED);
  attack_recovers();
}

static void a_turned_bit_in_the_image_is_seen(void **state)
{
  (void)state;
  order_new();
  break_file(SIMWORLD_FLIP, "/targets/", 1500);
  attack_refused(HF_RULE_UPDATE_HASH);
  attack_recovers();
}

/* ---- time ---- */

static void a_time_that_its_key_did_not_sign_is_not_taken(void **state)
{
  (void)state;
  struct hf_pubkey pub;
  struct simrepo *thief = attack_steal(0);
  assert_int_equal(hf_key_public(&pub, repo.stranger), HF_OK);
  simrepo_order_set(&repo, &device.world, NULL, 0, &pub);
  device.server.answer.director = repo.director_version;
  attack_step(1);
  int64_t before = hf_agent_time(&device.agent);
  device.server.answer.time = SIMDEVICE_NOW - 40 * 86400;
  attack_step(2);
  assert_true(attack_told(HF_EVENT_CLOCK, HF_RULE_TIME_WITHHELD));
  attack_note(HF_RULE_TIME_WITHHELD);
  device.server.time_key = thief->director; /* nobody's */
  device.server.signed_time = SIMDEVICE_NOW + 5 * 86400;
  assert_true(simdevice_boot(&device, HF_RESET_POWER));
  attack_step(3);
  assert_true(attack_told(HF_EVENT_CLOCK, HF_RULE_TIME_SIGNATURE));
  attack_note(HF_RULE_TIME_SIGNATURE);
  assert_in_range(hf_agent_time(&device.agent), device.config.build_time, before + 86400);
  attack_runs(MAIN10, RADIO10);
}

static const struct attack attacks[] = {
    ATTACK(who_serves_a_plain_image_reads_it, "Eavesdrop", NONE, ATTACK_FALLS,
           "repositories are public by design; who must hide his software encrypts the image, next row"),
    ATTACK(an_encrypted_image_tells_a_mirror_nothing, "Eavesdrop", NONE, ATTACK_HOLDS,
           "the payload is encrypted for the key of the product's devices"),
    ATTACK(a_device_without_any_answer_keeps_running_what_it_runs, "Drop-request", NONE, ATTACK_FALLS,
           "nothing brings a message through a cut wire; the device works on, asks again, and the server lists it as "
           "silent"),
    ATTACK(withheld_metadata_is_no_word_of_the_repository, "Drop-request", NONE, ATTACK_FALLS,
           "the update waits for as long as files are withheld; check-ins go on and show that it does"),
    ATTACK(a_frozen_repository_is_noticed_when_its_timestamp_expires, "Freeze", NONE, ATTACK_NOTICED,
           "timestamps live a day, and the device looks once a day, ordered or not"),
    ATTACK(one_withheld_image_keeps_the_whole_set_back, "Partial bundle", NONE, ATTACK_HOLDS,
           "images of a set are staged by one record, when the last of them is whole and verified"),
    ATTACK(yesterdays_metadata_is_not_taken_again, "Rollback", NONE, ATTACK_HOLDS,
           "versions never go down; the floor is on flash"),
    ATTACK(the_old_order_does_not_bring_back_the_old_image, "Rollback", NONE, ATTACK_HOLDS,
           "an order that was genuine once is older than the floor"),
    ATTACK(endless_metadata_ends_at_its_limit, "Endless data", NONE, ATTACK_HOLDS,
           "no file is read beyond its announced length or the device's room for one"),
    ATTACK(an_endless_image_ends_at_its_signed_length, "Endless data", NONE, ATTACK_HOLDS,
           "an image is read up to the length that both repositories signed"),
    ATTACK(another_genuine_image_under_the_name_is_refused, "Mixed bundles", NONE, ATTACK_HOLDS,
           "each image of the set has the length and hash that were signed"),
    ATTACK(files_of_different_days_do_not_go_together, "Mix-and-match", NONE, ATTACK_HOLDS,
           "the timestamp signs the snapshot's hash, the snapshot that of the targets"),
    ATTACK(a_repository_of_his_own_is_signed_by_nobody, "Arbitrary software", NONE, ATTACK_HOLDS,
           "the keys are those of the root that the factory gave"),
    ATTACK(a_turned_bit_in_the_image_is_seen, "Arbitrary software", NONE, ATTACK_HOLDS,
           "the image's hash is in signed metadata, and its own signature is checked after it"),
    ATTACK(a_time_that_its_key_did_not_sign_is_not_taken, "False time", NONE, ATTACK_HOLDS,
           "time is signed over the device's nonce by a key that the director names; withheld time is told"),
};

int main(int argc, char **argv)
{
  return attack_main(argc, argv, "tests/attacks/test_network.c", attacks, sizeof attacks / sizeof attacks[0]);
}
