/* SPDX-License-Identifier: Apache-2.0
 * Attackers who hold offline keys: of targets and root, below and at their threshold of two; the image signing key; an
 * owner of key sets. And the orders that only the root may give.
 */
#include "attack.h"

#include <string.h>

#include "hf/device/keystore.h"
#include "hf/device/migration.h"

#define ONE_TARGETS "a stolen server and one of two targets keys"
#define REPOSITORY "all keys of the image repository but root's, not the director's"
#define TARGETS "a stolen server and both targets keys"
#define IMAGE "the image signing key"
#define IMAGE_DIRECTOR "the image signing key and the director's"
#define EVERYTHING "a stolen server, both targets keys and the image signing key"
#define ONE_ROOT "one of two root keys"
#define ROOT "both root keys"
#define OWNER "one of two owners of the key sets"
#define OWNERS "both owners of the key sets, who are the root's"

/* ---- targets ---- */

static void one_targets_key_is_below_the_threshold(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_SERVER | STOLEN_TARGETS | STOLEN_IMAGE);
  int evil = attack_image(thief, NULL);
  attack_publish(thief);
  attack_order(thief, &evil, 1);
  attack_refused(HF_RULE_TUF_UNSIGNED);
  attack_recovers();
}

static void one_targets_key_signing_twice_counts_once(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_SERVER | STOLEN_TARGETS | STOLEN_IMAGE);
  int evil = attack_image(thief, NULL);
  thief->targets2 = thief->targets;
  attack_publish(thief);
  attack_order(thief, &evil, 1);
  attack_refused(HF_RULE_TUF_SIGNED_TWICE);
  attack_recovers();
}

static void a_whole_image_repository_cannot_order(void **state)
{
  (void)state;
  struct simrepo *thief =
      attack_steal(STOLEN_TIMESTAMP | STOLEN_SNAPSHOT | STOLEN_TARGETS | STOLEN_TARGETS2 | STOLEN_IMAGE);
  (void)attack_image(thief, NULL);
  attack_publish(thief);
  attack_order(&repo, NULL, 0);
  attack_step(4);
  assert_int_equal(device.server.state, HF_UPDATE_IDLE);
  attack_runs(MAIN10, RADIO10);
  attack_recovers();
}

static void a_whole_image_repository_cannot_replace_what_is_ordered(void **state)
{
  (void)state;
  struct simrepo *thief =
      attack_steal(STOLEN_TIMESTAMP | STOLEN_SNAPSHOT | STOLEN_TARGETS | STOLEN_TARGETS2 | STOLEN_IMAGE);
  thief->images[MAIN11].payload_len = 6000;
  struct simrepo_image evil = thief->images[MAIN11];
  thief->images[MAIN11] = thief->images[simrepo_add(thief, evil)];
  thief->count--;
  attack_publish(thief);
  attack_order(&repo, (const int[]){MAIN11}, 1);
  attack_refused(HF_RULE_UPTANE_LENGTH);
  attack_recovers();
}

static void what_tuf_accepts_is_still_not_signed_as_an_image(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_SERVER | STOLEN_TARGETS | STOLEN_TARGETS2);
  int evil = attack_image(thief, NULL);
  attack_publish(thief);
  attack_order(thief, &evil, 1);
  attack_refused(HF_RULE_IMAGE_KEY_UNKNOWN);
  attack_recovers();
}

static void an_old_image_under_a_new_counter_is_still_old(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_SERVER | STOLEN_TARGETS | STOLEN_TARGETS2);
  thief->images[MAIN09].told_counter = 9;
  attack_publish(thief);
  attack_order(thief, (const int[]){MAIN09}, 1);
  attack_refused(HF_RULE_IMAGE_COUNTER);
  attack_recovers();
}

static void another_boards_image_says_so_itself(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_SERVER | STOLEN_TARGETS | STOLEN_TARGETS2);
  thief->images[OTHER_BOARD].hardware = SIMREPO_HARDWARE;
  attack_publish(thief);
  attack_order(thief, (const int[]){OTHER_BOARD}, 1);
  attack_refused(HF_RULE_IMAGE_HARDWARE);
  attack_recovers();
}

static void an_image_larger_than_the_slot_is_not_begun(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_SERVER | STOLEN_TARGETS | STOLEN_TARGETS2);
  thief->images[MAIN11].file.len = 2000000000;
  attack_publish(thief);
  attack_order(thief, (const int[]){MAIN11}, 1);
  attack_refused(HF_RULE_UPDATE_SLOT_SIZE);
  attack_recovers();
}

static void requirements_fall_with_the_targets_keys(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_SERVER | STOLEN_TARGETS | STOLEN_TARGETS2);
  thief->images[MAIN12].requires = NULL;
  attack_publish(thief);
  attack_order(thief, (const int[]){RADIO12, MAIN12}, 2);
  assert_true(simdevice_settle(&device, MAIN12, 60));
  attack_step(1);
  attack_runs(MAIN12, RADIO12);
}

/* ---- the image key ---- */

static void the_image_key_alone_signs_no_metadata(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_IMAGE);
  int evil = attack_image(thief, NULL);
  attack_order(&repo, (const int[]){RADIO11, MAIN12}, 2);
  attack_swap(MAIN12, thief->images[evil].file);
  attack_refused(HF_RULE_UPDATE_LENGTH);
  attack_publish(&repo);
}

static void the_image_key_and_the_director_lack_the_repository(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_IMAGE | STOLEN_DIRECTOR);
  int evil = attack_image(thief, NULL);
  attack_order(thief, &evil, 1);
  attack_refused(HF_RULE_UPTANE_NOT_LISTED);
  attack_recovers();
}

static void with_all_of_them_his_software_runs(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_SERVER | STOLEN_TARGETS | STOLEN_TARGETS2 | STOLEN_IMAGE);
  int evil = attack_image(thief, NULL);
  attack_publish(thief);
  repo.images[repo.count++] = thief->images[evil]; /* so that the stage knows it when it sees it */
  attack_order(thief, &evil, 1);
  assert_true(simdevice_settle(&device, evil, 60));
  attack_step(1);
  attack_runs(evil, RADIO10);
  repo.count--;
}

/* ---- root ---- */

static void one_root_key_makes_no_root(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_SERVER | STOLEN_ROOT);
  (void)attack_image(thief, NULL);
  attack_rotate(thief);
  attack_publish(thief);
  attack_order(thief, NULL, 0);
  attack_refused(HF_RULE_TUF_UNSIGNED_OLD);
  simworld_remove(&device.world, "/repo/metadata/2.root.json");
  simworld_remove(&device.world, "/director/2.root.json");
  attack_recovers();
}

static void both_root_keys_own_the_repositories_but_sign_no_image(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_ROOT | STOLEN_ROOT2);
  int evil = attack_image(thief, NULL);
  attack_rotate(thief);
  attack_publish(thief);
  attack_order(thief, &evil, 1);
  attack_refused(HF_RULE_IMAGE_KEY_UNKNOWN);
}

/* ---- key sets: their owners are compiled into the boot loader ---- */

static struct {
  struct simflash flash;
  struct hf_area area;
  struct hf_pubkey owner[2];
  struct hf_keyset_owners owners;
  struct hf_keystore store;
  uint8_t room[HF_KEYSET_MAX];
} boot;

static void open_boot(void)
{
  simflash_init(&boot.flash, 2048, 1024, 8, 0xff);
  boot.area = simflash_area(&boot.flash, 0, 2048);
  assert_int_equal(hf_key_public(&boot.owner[0], repo.root), HF_OK);
  assert_int_equal(hf_key_public(&boot.owner[1], repo.root2), HF_OK);
  boot.owners = (struct hf_keyset_owners){boot.owner, 2, 2};
  boot.store = (struct hf_keystore){.area = &boot.area, .owners = &boot.owners, .product = HF_LIT(SIMREPO_PRODUCT)};
}

static enum hf_err sign_digest(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

/* A set of the owner's image key, when it is not revoked, and one more, signed by two. */
static struct hf_bytes make_set(uint32_t version, bool revoke, const struct hf_key *added, struct hf_key *const by[2])
{
  static uint8_t rooms[3][HF_KEYSET_MAX];
  struct hf_keyset set = {.version = version, .count = 2, .revoked = revoke ? 1 : 0};
  set.product_len = (uint8_t)strlen(SIMREPO_PRODUCT);
  memcpy(set.product, SIMREPO_PRODUCT, set.product_len);
  set.key[0] = repo.image_pub;
  assert_int_equal(hf_key_public(&set.key[1], added), HF_OK);
  struct hf_buf out = hf_buf_init(rooms[0], HF_KEYSET_MAX);
  assert_int_equal(hf_keyset_encode(&out, &set), HF_OK);
  for (int i = 0; i < 2; i++) {
    struct hf_image_signer signer = {.sign = sign_digest, .ctx = by[i]};
    assert_int_equal(hf_key_public(&signer.pub, by[i]), HF_OK);
    assert_int_equal(hf_keyset_parse(&set, hf_buf_bytes(&out), NULL), HF_OK);
    struct hf_buf more = hf_buf_init(rooms[i + 1], HF_KEYSET_MAX);
    assert_int_equal(hf_keyset_sign(&more, &set, &signer), HF_OK);
    out = more;
  }
  return hf_buf_bytes(&out);
}

/* Would the boot loader run this image now? The rule that refuses it, or 0. */
static uint16_t judge_image(struct hf_bytes file)
{
  static struct hf_keychain chain;
  struct hf_image_source source = hf_image_source_init(&file);
  struct hf_image_info info;
  const struct hf_image_policy policy = {.hardware = HF_LIT(SIMREPO_HARDWARE)};
  struct hf_why why = {0};
  hf_keystore_load(&chain, &boot.store, &repo.image_keys);
  enum hf_verdict verdict = hf_image_verify(&info, &source, &chain.keys, &policy, &why);
  return verdict == HF_ALLOW ? 0 : why.rule;
}

static void one_owner_cannot_add_an_image_key(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_ROOT);
  int evil = attack_image(thief, NULL);
  struct hf_key *const by[2] = {thief->root, thief->root2};
  struct hf_why why = {0};
  open_boot();
  assert_int_equal(hf_keystore_put(&boot.store, make_set(1, true, thief->image, by), boot.room, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_KEYSET_UNSIGNED);
  attack_note(why.rule);
  assert_int_equal(judge_image(thief->images[evil].file), HF_RULE_IMAGE_KEY_UNKNOWN);
  assert_int_equal(judge_image(repo.images[MAIN12].file), 0);
  attack_note(HF_RULE_IMAGE_KEY_UNKNOWN);
  simflash_free(&boot.flash);
}

static void both_owners_can_add_an_image_key(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_ROOT | STOLEN_ROOT2);
  int evil = attack_image(thief, NULL);
  struct hf_key *const by[2] = {thief->root, thief->root2};
  open_boot();
  assert_int_equal(hf_keystore_put(&boot.store, make_set(1, false, thief->image, by), boot.room, NULL), HF_OK);
  assert_int_equal(judge_image(thief->images[evil].file), 0);
  simflash_free(&boot.flash);
}

static void a_revoked_image_key_signs_nothing_any_more(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_IMAGE);
  int evil = attack_image(thief, NULL);
  struct hf_key *const by[2] = {repo.root, repo.root2};
  struct hf_why why = {0};
  open_boot();
  assert_int_equal(judge_image(thief->images[evil].file), 0);
  assert_int_equal(hf_keystore_put(&boot.store, make_set(1, false, repo.targets, by), boot.room, NULL), HF_OK);
  assert_int_equal(hf_keystore_put(&boot.store, make_set(2, true, repo.targets, by), boot.room, NULL), HF_OK);
  assert_int_equal(judge_image(thief->images[evil].file), HF_RULE_IMAGE_KEY_REVOKED);
  attack_note(HF_RULE_IMAGE_KEY_REVOKED);
  /* Nor does the genuine set of before bring it back. */
  assert_int_equal(hf_keystore_put(&boot.store, make_set(1, false, repo.targets, by), boot.room, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_KEYSET_OLD);
  attack_note(why.rule);
  assert_int_equal(judge_image(thief->images[evil].file), HF_RULE_IMAGE_KEY_REVOKED);
  simflash_free(&boot.flash);
}

/* ---- takeover ---- */

static enum hf_err sign_message(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

/* Hand the device an order to move to another server; the rule by which it refuses, or 0. */
static uint16_t take_over(struct hf_key *one, struct hf_key *two)
{
  uint8_t rooms[3][HF_TAKEOVER_MAX];
  struct hf_buf body = hf_buf_init(rooms[0], sizeof rooms[0]);
  struct hf_buf out = hf_buf_init(rooms[1], sizeof rooms[1]);
  struct hf_takeover_new order = {.version = 1,
                                  .expires = SIMDEVICE_NOW + 86400,
                                  .product = HF_LIT(SIMREPO_PRODUCT),
                                  .server = HF_LIT("https://thief.example:8443"),
                                  .server_ca = HF_LIT("-----BEGIN CERTIFICATE-----\nbmV3\n"
                                                      "-----END CERTIFICATE-----\n"),
                                  .director_root = repo.director_root,
                                  .image_root = repo.image_root};
  struct hf_tufwrite_signer signer[2] = {{.sign = sign_message, .ctx = one}, {.sign = sign_message, .ctx = two}};
  struct hf_why why = {0};
  assert_int_equal(hf_key_public(&signer[0].pub, one), HF_OK);
  assert_int_equal(hf_key_public(&signer[1].pub, two), HF_OK);
  assert_int_equal(hf_takeover_put(&body, &order), HF_OK);
  struct hf_buf scratch = hf_buf_init(rooms[2], sizeof rooms[2]);
  assert_int_equal(hf_tufwrite_sign_file(&out, scratch, hf_buf_bytes(&body), signer, 2), HF_OK);
  enum hf_err err = hf_migration_keep(&device.agent.store, &device.agent.clock, HF_LIT(SIMREPO_PRODUCT),
                                      hf_buf_bytes(&out), hf_buf_init(device.work, sizeof device.work), &why);
  assert_int_equal(err, why.rule == 0 ? HF_OK : HF_E_DENIED);
  return why.rule;
}

static enum hf_migration_state migration(void)
{
  uint8_t room[HF_MIGRATION_ROOM];
  enum hf_migration_state now;
  struct hf_takeover order;
  assert_int_equal(hf_migration_get(&now, &order, room, &device.agent.store), HF_OK);
  return now;
}

static void a_stolen_server_moves_no_device(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_SERVER | STOLEN_TARGETS | STOLEN_TARGETS2);
  attack_note(take_over(thief->director, thief->online));
  assert_int_equal(take_over(thief->director, thief->online), HF_RULE_TUF_UNSIGNED);
  assert_int_equal(take_over(thief->targets, thief->targets2), HF_RULE_TUF_UNSIGNED);
  assert_int_equal(migration(), HF_MIGRATION_NONE);
  attack_runs(MAIN10, RADIO10);
}

static void one_root_key_moves_no_device(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_SERVER | STOLEN_ROOT);
  uint16_t rule = take_over(thief->root, thief->root2);
  assert_int_equal(rule, HF_RULE_TUF_UNSIGNED);
  attack_note(rule);
  assert_int_equal(migration(), HF_MIGRATION_NONE);
  attack_runs(MAIN10, RADIO10);
}

static void both_root_keys_move_the_fleet(void **state)
{
  (void)state;
  struct simrepo *thief = attack_steal(STOLEN_ROOT | STOLEN_ROOT2);
  assert_int_equal(take_over(thief->root, thief->root2), 0);
  assert_int_equal(migration(), HF_MIGRATION_WAITING);
  attack_runs(MAIN10, RADIO10);
}

static const struct attack attacks[] = {
    ATTACK(one_targets_key_is_below_the_threshold, "Arbitrary software", ONE_TARGETS, ATTACK_HOLDS,
           "two of two must sign, and the image key he has as well does not help him"),
    ATTACK(one_targets_key_signing_twice_counts_once, "Arbitrary software", ONE_TARGETS, ATTACK_HOLDS,
           "thresholds count keys, not signatures"),
    ATTACK(a_whole_image_repository_cannot_order, "Arbitrary software", REPOSITORY, ATTACK_HOLDS,
           "only the director says what a device runs"),
    ATTACK(a_whole_image_repository_cannot_replace_what_is_ordered, "Arbitrary software", REPOSITORY, ATTACK_HOLDS,
           "the director's length and hash must agree with his"),
    ATTACK(what_tuf_accepts_is_still_not_signed_as_an_image, "Arbitrary software", TARGETS, ATTACK_HOLDS,
           "both repositories are his, as the standard expects; the image itself must be signed offline with another "
           "key, which the boot loader checks too"),
    ATTACK(an_old_image_under_a_new_counter_is_still_old, "Rollback", TARGETS, ATTACK_HOLDS,
           "the counter inside the signed image counts, whatever the metadata says"),
    ATTACK(another_boards_image_says_so_itself, "Mix-and-match", TARGETS, ATTACK_HOLDS,
           "the hardware ids inside the signed image count"),
    ATTACK(an_image_larger_than_the_slot_is_not_begun, "Endless data", TARGETS, ATTACK_HOLDS,
           "a device knows the size of its slots"),
    ATTACK(requirements_fall_with_the_targets_keys, "Mixed bundles", TARGETS, ATTACK_FALLS,
           "he writes the metadata that states what goes together; only genuine images at or above the security "
           "counter, and dependencies inside the images hold at boot"),
    ATTACK(the_image_key_alone_signs_no_metadata, "Arbitrary software", IMAGE, ATTACK_HOLDS,
           "length and hash are in metadata that he cannot sign"),
    ATTACK(the_image_key_and_the_director_lack_the_repository, "Arbitrary software", IMAGE_DIRECTOR, ATTACK_HOLDS,
           "the image repository must list it"),
    ATTACK(with_all_of_them_his_software_runs, "Arbitrary software", EVERYTHING, ATTACK_FALLS,
           "all that vouches for software is his; the way back is a new root, a new image key by a signed key set, "
           "and a release above his security counter"),
    ATTACK(a_revoked_image_key_signs_nothing_any_more, "Arbitrary software", "the image signing key, revoked",
           ATTACK_HOLDS, "the owners' key set revokes it, and an older set is not taken again"),
    ATTACK(one_root_key_makes_no_root, "Arbitrary software", ONE_ROOT, ATTACK_HOLDS,
           "a new root is signed by the threshold of the old one"),
    ATTACK(both_root_keys_own_the_repositories_but_sign_no_image, "Arbitrary software", ROOT, ATTACK_HOLDS,
           "every key of TUF and Uptane is his; on a device that takes no key sets the image key in its boot loader "
           "stays; on one that does, see key sets"),
    ATTACK(one_owner_cannot_add_an_image_key, "Arbitrary software", OWNER, ATTACK_HOLDS,
           "a key set is signed by the threshold that is compiled into the boot loader"),
    ATTACK(both_owners_can_add_an_image_key, "Arbitrary software", OWNERS, ATTACK_FALLS,
           "the root is the root; more keys, in more hands, and a higher threshold are the only limit"),
    ATTACK(a_stolen_server_moves_no_device, "Takeover", "a stolen server and both targets keys", ATTACK_HOLDS,
           "only the root role signs takeover orders"),
    ATTACK(one_root_key_moves_no_device, "Takeover", ONE_ROOT, ATTACK_HOLDS, "below the threshold of the root"),
    ATTACK(both_root_keys_move_the_fleet, "Takeover", ROOT, ATTACK_FALLS,
           "it is the way out that no provider can close; whoever is the root may leave"),
};

int main(int argc, char **argv)
{
  return attack_main(argc, argv, "tests/attacks/test_offline_keys.c", attacks, sizeof attacks / sizeof attacks[0]);
}
