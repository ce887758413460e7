/* SPDX-License-Identifier: Apache-2.0
 * Attackers who hold online keys: one of them, or the fleet server with all of them, its database and its channel to
 * the devices. And one who opened a device of his own.
 */
#include "attack.h"

#include <string.h>

#include "hf/wire/pubkey.h"
#include "hf/wire/report.h"

#define DIRECTOR "director (its one online key)"
#define TIMESTAMP "image repository's timestamp"
#define SNAPSHOT "image repository's timestamp and snapshot"
#define SERVER "director, timestamp and snapshot: a stolen server"
#define SERVER_AND_IMAGE "a stolen server and the image signing key"
#define DEVICE "the key of one other device"

static void order_new(void) { attack_order(&repo, (const int[]){RADIO11, MAIN12}, 2); }

static enum hf_err sign(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

/* Serve a timestamp over a snapshot that somebody signed before. */
static void stamp(struct hf_key *key, uint32_t version, int64_t expires, uint32_t snapshot_version,
                  struct hf_bytes snapshot)
{
  static uint8_t room[2048];
  uint8_t body_room[1024];
  uint8_t scratch[1024];
  struct hf_buf body = hf_buf_init(body_room, sizeof body_room);
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_tufwrite_signer signer = {.sign = sign, .ctx = key};
  assert_int_equal(hf_key_public(&signer.pub, key), HF_OK);
  assert_int_equal(hf_tufwrite_put_timestamp(&body, version, expires, snapshot_version, snapshot), HF_OK);
  assert_int_equal(hf_tufwrite_sign_file(&out, hf_buf_init(scratch, sizeof scratch), hf_buf_bytes(&body), &signer, 1),
                   HF_OK);
  simworld_put(&device.world, "/repo/metadata/timestamp.json", hf_buf_bytes(&out));
}

/* ---- freeze ---- */

static void the_director_may_always_say_that_there_is_nothing(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_DIRECTOR);
  for (int day = 0; day < 8; day++) {
    thief->now = device.server.answer.time;
    simrepo_publish(&repo, &device.world, thief->now);
    attack_order(thief, NULL, 0);
    attack_days(1);
    assert_int_equal(device.server.state, HF_UPDATE_IDLE);
  }
  attack_runs(MAIN10, RADIO10);
  attack_recovers();
}

static void a_new_timestamp_over_an_old_snapshot_ends_with_the_snapshot(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_TIMESTAMP);
  device.server.answer.director = 0;
  for (uint32_t day = 1; day < 4; day++) {
    stamp(thief->timestamp, 10 + day, SIMDEVICE_NOW + 30 * 86400, 1, attack_file("/repo/metadata/1.snapshot.json"));
    attack_days(1);
  }
  thief->image_version = 20;
  attack_refused(HF_RULE_TUF_EXPIRED);
  attack_recovers();
}

static void an_order_for_what_the_frozen_repository_does_not_list_is_told(void **state)
{
  (void)state;
  struct hf_bytes old = attack_file("/repo/metadata/1.targets.json");
  struct simrepo *thief = attack_steal(STOLEN_TIMESTAMP | STOLEN_SNAPSHOT);
  int fix = simrepo_add(&repo, (struct simrepo_image){.version = "1.0.1", .counter = 2, .payload_len = 1000});
  attack_publish(&repo);
  thief->image_version = 9;
  simrepo_resign(thief, &device.world, old, 1);
  attack_order(&repo, &fix, 1);
  attack_refused(HF_RULE_UPTANE_NOT_LISTED);
  attack_recovers();
}

static void a_stolen_server_that_orders_nothing_is_believed(void **state)
{
  (void)state;
  repo.offline_expires = SIMDEVICE_NOW + 10 * 86400;
  attack_publish(&repo);
  struct hf_bytes old = attack_file("/repo/metadata/2.targets.json");
  struct simrepo *thief = attack_steal(STOLEN_SERVER);
  for (int day = 0; day < 13; day++) {
    thief->now = device.server.answer.time;
    thief->online_expires = thief->now + 2 * 86400;
    thief->image_version++;
    simrepo_resign(thief, &device.world, old, 2);
    attack_order(thief, NULL, 0);
    attack_days(1);
    assert_int_equal(device.server.state, HF_UPDATE_IDLE);
  }
  attack_order(thief, (const int[]){RADIO11}, 1);
  attack_refused(HF_RULE_TUF_EXPIRED);
  repo.offline_expires = 0;
  attack_recovers();
}

/* ---- bundles ---- */

static void an_image_without_the_version_it_requires_is_refused(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_DIRECTOR);
  attack_order(thief, (const int[]){MAIN12}, 1);
  attack_refused(HF_RULE_UPTANE_REQUIRES);
  attack_recovers();
}

static void what_requires_nothing_may_be_ordered_alone(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_DIRECTOR);
  attack_order(thief, (const int[]){RADIO11}, 1);
  attack_step(12);
  attack_runs(MAIN10, RADIO11);
  attack_recovers();
}

static void versions_that_do_not_go_together_are_refused(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_DIRECTOR);
  attack_order(thief, (const int[]){RADIO12, MAIN12}, 2);
  attack_refused(HF_RULE_UPTANE_REQUIRES);
  attack_recovers();
}

static void a_stolen_server_mixes_no_versions_either(void **state)
{
  (void)state;
  struct hf_bytes old = attack_file("/repo/metadata/1.targets.json");
  struct simrepo *thief = attack_steal(STOLEN_SERVER);
  thief->image_version = 9;
  simrepo_resign(thief, &device.world, old, 1);
  attack_order(thief, (const int[]){RADIO12, MAIN12}, 2);
  attack_refused(HF_RULE_UPTANE_REQUIRES);
  attack_recovers();
}

/* ---- rollback ---- */

static void an_image_below_the_security_counter_is_refused(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_DIRECTOR);
  attack_order(thief, (const int[]){MAIN09}, 1);
  attack_refused(HF_RULE_UPTANE_COUNTER);
  attack_recovers();
}

static void an_older_image_of_the_same_counter_may_come_back(void **state)
{
  (void)state;
  attack_order(&repo, (const int[]){MAIN11}, 1);
  assert_true(simdevice_settle(&device, MAIN11, 40));
  attack_runs(MAIN11, RADIO10);
  struct simrepo *thief = attack_steal(STOLEN_DIRECTOR);
  attack_order(thief, (const int[]){MAIN10}, 1);
  assert_true(simdevice_settle(&device, MAIN10, 40));
  attack_runs(MAIN10, RADIO10);
  attack_recovers();
}

static void a_timestamp_cannot_lead_back_to_an_old_snapshot(void **state)
{
  (void)state;
  struct hf_bytes old = attack_file("/repo/metadata/1.snapshot.json");
  struct simrepo *thief = attack_steal(STOLEN_TIMESTAMP);
  attack_publish(&repo);
  attack_update();
  stamp(thief->timestamp, 9, SIMDEVICE_NOW + 86400, 1, old);
  thief->image_version = 9;
  attack_order(&repo, (const int[]){RADIO12}, 1);
  attack_refused(HF_RULE_TUF_ROLLBACK);
}

static void old_targets_are_not_taken_from_a_new_snapshot(void **state)
{
  (void)state;
  struct hf_bytes old = attack_file("/repo/metadata/1.targets.json");
  struct simrepo *thief = attack_steal(STOLEN_SERVER);
  attack_publish(&repo);
  attack_update();
  thief->image_version = 9;
  simrepo_resign(thief, &device.world, old, 1);
  thief->director_version = repo.director_version;
  attack_order(thief, (const int[]){RADIO12}, 1);
  attack_refused(HF_RULE_TUF_ROLLBACK);
}

static void old_software_stays_away_when_the_server_is_stolen(void **state)
{
  (void)state;
  struct hf_bytes old = attack_file("/repo/metadata/1.targets.json");
  attack_update();
  struct simrepo *thief = attack_steal(STOLEN_SERVER);
  thief->image_version = 9;
  simrepo_resign(thief, &device.world, old, 1);
  attack_order(thief, (const int[]){RADIO10, MAIN11}, 2);
  attack_refused(HF_RULE_UPTANE_COUNTER);
}

/* ---- endless data, mix-and-match ---- */

static void a_length_that_only_the_director_says_is_refused(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_DIRECTOR);
  thief->images[MAIN11].file.len = 2000000000;
  attack_order(thief, (const int[]){MAIN11}, 1);
  uint64_t before = device.world.bytes;
  attack_refused(HF_RULE_UPTANE_LENGTH);
  assert_true(device.world.bytes - before < 100000);
  attack_recovers();
}

static void an_image_for_another_board_is_refused(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_DIRECTOR);
  attack_order(thief, (const int[]){OTHER_BOARD}, 1);
  attack_refused(HF_RULE_UPTANE_HARDWARE);
  attack_recovers();
}

static void another_boards_image_under_our_hardware_id_is_refused(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_DIRECTOR);
  thief->images[OTHER_BOARD].hardware = SIMREPO_HARDWARE;
  attack_order(thief, (const int[]){OTHER_BOARD}, 1);
  attack_refused(HF_RULE_UPTANE_HARDWARE);
  attack_recovers();
}

static void one_components_image_under_anothers_name_is_refused(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_DIRECTOR);
  thief->images[MAIN11].file = repo.images[RADIO12].file;
  memcpy(thief->images[MAIN11].sha256, repo.images[RADIO12].sha256, HF_SHA256_LEN);
  attack_order(thief, (const int[]){MAIN11}, 1);
  attack_refused(HF_RULE_UPTANE_LENGTH);
  attack_recovers();
}

/* ---- arbitrary software ---- */

static void the_director_alone_installs_nothing_of_its_own(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_DIRECTOR);
  int evil = attack_image(thief, NULL);
  attack_order(thief, &evil, 1);
  attack_refused(HF_RULE_UPTANE_NOT_LISTED);
  attack_recovers();
}

static void a_timestamp_key_signs_no_targets(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_TIMESTAMP);
  (void)attack_image(thief, NULL);
  attack_publish(thief);
  order_new();
  attack_refused(HF_RULE_TUF_UNSIGNED);
  attack_recovers();
}

static void online_keys_of_the_image_repository_sign_no_targets(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_TIMESTAMP | STOLEN_SNAPSHOT);
  (void)attack_image(thief, NULL);
  attack_publish(thief);
  order_new();
  attack_refused(HF_RULE_TUF_UNSIGNED);
  attack_recovers();
}

static void arbitrary(unsigned keys)
{
  struct simrepo *thief = attack_steal(keys);
  int evil = attack_image(thief, NULL);
  attack_publish(thief);
  attack_order(thief, &evil, 1);
  attack_refused(HF_RULE_TUF_UNSIGNED);
  attack_recovers();
}

static void a_stolen_server_signs_no_targets(void **state)
{
  (void)state;
  arbitrary(STOLEN_SERVER);
}

static void a_stolen_server_with_the_image_key_signs_no_targets(void **state)
{
  (void)state;
  arbitrary(STOLEN_SERVER | STOLEN_IMAGE);
}

/* ---- fast-forward ---- */

static void used_up_version_numbers_are_given_back_by_a_new_root(void **state)
{
  (void)state;
  struct hf_bytes old = attack_file("/repo/metadata/1.targets.json");
  struct simrepo *thief = attack_steal(STOLEN_SERVER);
  thief->image_version = INT32_MAX;
  simrepo_resign(thief, &device.world, old, 1);
  thief->director_version = INT32_MAX - 1;
  attack_order(thief, (const int[]){RADIO11}, 1);
  attack_step(12);
  attack_runs(MAIN10, RADIO11);
  /* With the stolen keys still trusted, the owner is below the floor for ever. */
  attack_order(&repo, (const int[]){MAIN11}, 1);
  attack_step(3);
  assert_int_equal(device.server.rule, HF_RULE_TUF_ROLLBACK);
  attack_note(HF_RULE_TUF_ROLLBACK);
  thief->image_version = thief->director_version = 0;
  attack_recovers();
}

/* ---- one device ---- */

static void another_devices_order_is_not_taken(void **state)
{
  (void)state;
  simrepo_order(&repo, &device.world, MAIN11, "T-0002", SIMDEVICE_NOW);
  device.server.answer.director = repo.director_version;
  attack_refused(HF_RULE_UPTANE_DEVICE);
  attack_recovers();
}

static void another_devices_empty_order_does_not_freeze(void **state)
{
  (void)state;
  order_new();
  repo.director_version += 5;
  simrepo_order(&repo, &device.world, SIMREPO_NOTHING, "T-0002", SIMDEVICE_NOW);
  device.server.answer.director = repo.director_version;
  attack_refused(HF_RULE_UPTANE_DEVICE);
  repo.director_version -= 6; /* its numbers are not ours */
  attack_recovers();
}

static void a_device_cannot_report_for_another(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(0);
  struct hf_pubkey pub;
  struct hf_why why = {0};
  struct hf_report report;
  uint8_t hash[HF_SHA256_LEN];
  uint8_t digest[HF_SHA256_LEN];
  uint8_t rooms[3][HF_REPORT_MAX];
  assert_true(device.server.reports > 0);
  assert_int_equal(hf_key_public(&pub, device_key), HF_OK);
  struct hf_bytes genuine = hf_bytes_init(device.server.report, device.server.report_len);
  assert_int_equal(hf_report_verify(&report, genuine, &pub, HF_LIT(SIMREPO_DEVICE), NULL), HF_ALLOW);
  /* The same report a little later, signed with the other device's key. */
  report.counter += 100;
  struct hf_buf text = hf_buf_init(rooms[0], sizeof rooms[0]);
  struct hf_buf sig = hf_buf_init(rooms[1], sizeof rooms[1]);
  struct hf_buf forged = hf_buf_init(rooms[2], sizeof rooms[2]);
  assert_int_equal(hf_report_encode(&text, &report), HF_OK);
  hf_report_digest(digest, hf_buf_bytes(&text));
  assert_int_equal(hf_key_sign_digest(&sig, thief->director, digest), HF_OK);
  struct hf_pubkey other;
  assert_int_equal(hf_key_public(&other, thief->director), HF_OK);
  hf_pubkey_hash(hash, &other);
  hf_report_put_signed(&forged, hash, hf_buf_bytes(&text), hf_buf_bytes(&sig));
  assert_int_equal(hf_report_verify(&report, hf_buf_bytes(&forged), &pub, HF_LIT(SIMREPO_DEVICE), &why), HF_DENY);
  assert_int_equal(why.rule, HF_RULE_REPORT_KEY);
  attack_note(why.rule);
  /* And under the name of the key he does not have. */
  why = (struct hf_why){0};
  hf_pubkey_hash(hash, &pub);
  forged.len = 0;
  hf_report_put_signed(&forged, hash, hf_buf_bytes(&text), hf_buf_bytes(&sig));
  assert_int_equal(hf_report_verify(&report, hf_buf_bytes(&forged), &pub, HF_LIT(SIMREPO_DEVICE), &why), HF_DENY);
  assert_int_equal(why.rule, HF_RULE_REPORT_SIGNATURE);
  attack_note(why.rule);
  attack_runs(MAIN10, RADIO10);
}

static const struct attack attacks[] = {
    ATTACK(the_director_may_always_say_that_there_is_nothing, "Freeze", DIRECTOR, ATTACK_FALLS,
           "the device runs what it ran; people see a rollout that does not move"),
    ATTACK(a_new_timestamp_over_an_old_snapshot_ends_with_the_snapshot, "Freeze", TIMESTAMP, ATTACK_NOTICED,
           "the snapshot below it has an expiry of its own"),
    ATTACK(an_order_for_what_the_frozen_repository_does_not_list_is_told, "Freeze", SNAPSHOT, ATTACK_NOTICED,
           "the director orders what the frozen repository does not list, and hears that it does not"),
    ATTACK(
        a_stolen_server_that_orders_nothing_is_believed, "Freeze", SERVER, ATTACK_FALLS,
        "a director that orders nothing is not checked against the image repository (Uptane 5.4.4.2); once the offline "
        "targets signature has expired he can order nothing more, and people see a fleet that does not move"),
    ATTACK(an_image_without_the_version_it_requires_is_refused, "Partial bundle", DIRECTOR, ATTACK_HOLDS,
           "what an image requires of the other components is signed offline"),
    ATTACK(what_requires_nothing_may_be_ordered_alone, "Partial bundle", DIRECTOR, ATTACK_FALLS,
           "only genuine images that state no requirement; a release states what must go together"),
    ATTACK(versions_that_do_not_go_together_are_refused, "Mixed bundles", DIRECTOR, ATTACK_HOLDS,
           "required ranges of versions are signed offline"),
    ATTACK(a_stolen_server_mixes_no_versions_either, "Mixed bundles", SERVER, ATTACK_HOLDS,
           "required ranges of versions are signed offline"),
    ATTACK(an_image_below_the_security_counter_is_refused, "Rollback", DIRECTOR, ATTACK_HOLDS,
           "the security counter in the device never falls"),
    ATTACK(an_older_image_of_the_same_counter_may_come_back, "Rollback", DIRECTOR, ATTACK_FALLS,
           "only among genuine images of one security counter; a release that closes a hole raises it"),
    ATTACK(a_timestamp_cannot_lead_back_to_an_old_snapshot, "Rollback", TIMESTAMP, ATTACK_HOLDS,
           "the snapshot's version has a floor of its own"),
    ATTACK(old_targets_are_not_taken_from_a_new_snapshot, "Rollback", SERVER, ATTACK_HOLDS,
           "no targets version in a snapshot may fall"),
    ATTACK(old_software_stays_away_when_the_server_is_stolen, "Rollback", SERVER, ATTACK_HOLDS,
           "the security counter in the device never falls"),
    ATTACK(a_length_that_only_the_director_says_is_refused, "Endless data", DIRECTOR, ATTACK_HOLDS,
           "both repositories must state the same length, before a byte is fetched"),
    ATTACK(an_image_for_another_board_is_refused, "Mix-and-match", DIRECTOR, ATTACK_HOLDS,
           "the device knows its hardware id"),
    ATTACK(another_boards_image_under_our_hardware_id_is_refused, "Mix-and-match", DIRECTOR, ATTACK_HOLDS,
           "the hardware ids of an image are signed offline"),
    ATTACK(one_components_image_under_anothers_name_is_refused, "Mix-and-match", DIRECTOR, ATTACK_HOLDS,
           "path, length and hash must be those that were signed offline"),
    ATTACK(the_director_alone_installs_nothing_of_its_own, "Arbitrary software", DIRECTOR, ATTACK_HOLDS,
           "the image repository must list it"),
    ATTACK(a_timestamp_key_signs_no_targets, "Arbitrary software", TIMESTAMP, ATTACK_HOLDS,
           "each role signs its own files only"),
    ATTACK(online_keys_of_the_image_repository_sign_no_targets, "Arbitrary software", SNAPSHOT, ATTACK_HOLDS,
           "targets are signed offline"),
    ATTACK(a_stolen_server_signs_no_targets, "Arbitrary software", SERVER, ATTACK_HOLDS,
           "targets are signed offline; the same against real processes is chapter \"attacker\" of the story test"),
    ATTACK(a_stolen_server_with_the_image_key_signs_no_targets, "Arbitrary software", SERVER_AND_IMAGE, ATTACK_HOLDS,
           "targets are signed offline"),
    ATTACK(used_up_version_numbers_are_given_back_by_a_new_root, "Fast-forward", SERVER, ATTACK_FALLS,
           "until the owner replaces the online keys by a new root, which lets the floors fall"),
    ATTACK(another_devices_order_is_not_taken, "Replay of another device's files", DEVICE, ATTACK_HOLDS,
           "the director's files name their device"),
    ATTACK(another_devices_empty_order_does_not_freeze, "Replay of another device's files", DEVICE, ATTACK_HOLDS,
           "they do when they are empty too, and their versions do not become this device's floor"),
    ATTACK(a_device_cannot_report_for_another, "False report", DEVICE, ATTACK_HOLDS,
           "the server believes a version report only under the key registered for that device"),
};

int main(int argc, char **argv)
{
  return attack_main(argc, argv, "tests/attacks/test_server.c", attacks, sizeof attacks / sizeof attacks[0]);
}
