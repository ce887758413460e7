/* SPDX-License-Identifier: Apache-2.0
 * The lost image key, on one device: a new key comes, a release signed with it runs, the lost one is revoked, and an
 * image correctly signed with the lost key does not boot any more. docs/drills.md performs the same by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "hf/crypto/key.h"
#include "hf/device/boot.h"
#include "hf/device/keyupdate.h"
#include "ports/sim/simworld.h"

enum { SECTOR = 1024, SLOT = 8 * SECTOR, FLASH = 2 * SECTOR + 2 * SECTOR + 2 * SLOT };
enum { OWNER, SECOND_OWNER, LOST, NEW, THIEF, KEYS };

struct file {
  uint8_t at[4096];
  struct hf_bytes bytes;
  struct hf_image_info info;
};

static struct hf_key *key[KEYS];
static struct hf_pubkey pub[KEYS];
static struct file old_image;  /* signed with the lost key */
static struct file new_image;  /* with the new one */
static struct file evil_image; /* with the lost key, by whoever found it */
static struct file sets[3];    /* 1: both keys good; 2: the lost one revoked; 3: the same, signed by a thief */

static struct device {
  struct simflash flash;
  struct hf_layout layout;
  struct hf_area keys_area;
  struct simworld world;
  struct hf_transport transport;
  struct hf_keystore store;
  struct hf_image_keys compiled;
  struct hf_keychain chain;
  struct hf_boot_choice choice;
} device;

static enum hf_err sign(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

static void make_image(struct file *file, int who, uint8_t minor)
{
  static const uint8_t payload[600] = {1, 2, 3};
  struct hf_image_build build = {.version = {1, minor, 0, 0}, .has_counter = true, .counter = 1};
  struct hf_image_signer signer = {.pub = pub[who], .sign = sign, .ctx = key[who]};
  struct hf_buf out = hf_buf_init(file->at, sizeof file->at);
  assert_int_equal(hf_image_sign(&out, &build, hf_bytes_init(payload, sizeof payload), &signer), HF_OK);
  file->bytes = hf_buf_bytes(&out);
  struct hf_image_source source = hf_image_source_init(&file->bytes);
  assert_int_equal(hf_image_parse(&file->info, &source, NULL), HF_OK);
}

static void make_set(struct file *file, uint32_t version, uint32_t revoked, const int *who, size_t count)
{
  uint8_t rooms[2][HF_KEYSET_MAX];
  struct hf_keyset set = {.version = version, .product_len = 4, .product = "lamp", .count = 2, .revoked = revoked};
  set.key[0] = pub[LOST];
  set.key[1] = pub[NEW];
  struct hf_buf out = hf_buf_init(rooms[0], sizeof rooms[0]);
  assert_int_equal(hf_keyset_encode(&out, &set), HF_OK);
  for (size_t i = 0; i < count; i++) {
    struct hf_image_signer signer = {.pub = pub[who[i]], .sign = sign, .ctx = key[who[i]]};
    assert_int_equal(hf_keyset_parse(&set, hf_buf_bytes(&out), NULL), HF_OK);
    struct hf_buf more = hf_buf_init(rooms[(i + 1) % 2], HF_KEYSET_MAX);
    assert_int_equal(hf_keyset_sign(&more, &set, &signer), HF_OK);
    out = more;
  }
  memcpy(file->at, out.at, out.len);
  file->bytes = hf_bytes_init(file->at, out.len);
}

static int make_world(void **state)
{
  static const int owners[] = {OWNER, SECOND_OWNER};
  static const int thieves[] = {OWNER, THIEF};
  (void)state;
  for (int i = 0; i < KEYS; i++) {
    if (hf_key_new(&key[i], HF_KEY_P256) != HF_OK || hf_key_public(&pub[i], key[i]) != HF_OK) {
      return -1;
    }
  }
  make_image(&old_image, LOST, 0);
  make_image(&new_image, NEW, 1);
  make_image(&evil_image, LOST, 2);
  make_set(&sets[0], 1, 0, owners, 2);
  make_set(&sets[1], 2, 1, owners, 2);
  make_set(&sets[2], 3, 1, thieves, 2);
  return 0;
}

static int drop_world(void **state)
{
  (void)state;
  for (int i = 0; i < KEYS; i++) {
    hf_key_free(key[i]);
  }
  return 0;
}

static void fill(uint8_t slot, const struct file *file)
{
  struct hf_area *area = &device.layout.slot[0][slot];
  uint8_t padded[4096];
  uint32_t len = (uint32_t)(file->bytes.len + area->align - 1) / area->align * area->align;
  memset(padded, area->erased, sizeof padded);
  memcpy(padded, file->bytes.at, file->bytes.len);
  assert_int_equal(hf_area_erase(area, 0, area->size), HF_OK);
  assert_int_equal(hf_area_program(area, 0, padded, len), HF_OK);
}

/* A device in the field: boot loader with the lost key compiled in and two owners of whom both are needed. */
static void begin(uint32_t align, uint8_t erased)
{
  static const struct hf_keyset_owners owners = {.key = &pub[OWNER], .count = 2, .threshold = 2};
  memset(&device, 0, sizeof device);
  simflash_init(&device.flash, FLASH, SECTOR, align, erased);
  device.layout.boot = simflash_area(&device.flash, 0, 2 * SECTOR);
  device.keys_area = simflash_area(&device.flash, 2 * SECTOR, 2 * SECTOR);
  device.layout.images = 1;
  device.layout.slot[0][0] = simflash_area(&device.flash, 4 * SECTOR, SLOT);
  device.layout.slot[0][1] = simflash_area(&device.flash, 4 * SECTOR + SLOT, SLOT);
  device.transport = (struct hf_transport){&simworld_ops, &device.world};
  device.world.power = &device.flash;
  device.store = (struct hf_keystore){.area = &device.keys_area, .owners = &owners, .product = HF_LIT("lamp")};
  device.compiled = (struct hf_image_keys){.key = &pub[LOST], .count = 1};
  simworld_put(&device.world, "/repo/keysets/lamp.1.keyset", sets[0].bytes);
  simworld_put(&device.world, "/repo/keysets/lamp.2.keyset", sets[1].bytes);
  simworld_put(&device.world, "/repo/keysets/lamp.3.keyset", sets[2].bytes);
  fill(0, &old_image);
}

static void end(void)
{
  assert_int_equal(device.flash.breaches, 0);
  simflash_free(&device.flash);
}

/* Power-on: the keys first, then the choice. The rule of the refusal when nothing runs, else 0. */
static uint16_t boot(void)
{
  hf_keystore_load(&device.chain, &device.store, &device.compiled);
  struct hf_boot_config config = {.layout = &device.layout, .keys = &device.chain.keys, .reset = HF_RESET_POWER};
  assert_int_equal(hf_boot_choose(&device.choice, &config), HF_OK);
  return device.choice.verdict == HF_ALLOW ? 0 : device.choice.why.rule;
}

static enum hf_err take_set(uint32_t version, uint16_t *rule)
{
  uint8_t work[2 * HF_KEYSET_MAX];
  struct hf_why why = {0};
  struct hf_keyupdate update = {.transport = &device.transport,
                                .store = &device.store,
                                .compiled = &device.compiled,
                                .layout = &device.layout,
                                .running = device.choice.slot};
  enum hf_err err = hf_keyupdate_run(&device.chain, &update, version, hf_buf_init(work, sizeof work), &why);
  *rule = why.rule;
  return err;
}

static void stage_and_confirm(const struct file *file)
{
  struct hf_bootstate state;
  assert_int_equal(hf_bootstate_get(&state, &device.layout.boot), HF_OK);
  uint8_t slot = (uint8_t)(1 - state.image[0].active);
  fill(slot, file);
  hf_bootstate_bind(&state.image[0].slot[slot], &file->info, HF_SLOT_STAGED);
  assert_int_equal(hf_bootstate_put(&state, &device.layout.boot), HF_OK);
}

static void a_lost_image_key_is_replaced_and_revoked(void **state)
{
  (void)state;
  uint16_t rule;
  struct hf_bootstate records;
  begin(8, 0xff);
  assert_int_equal(boot(), 0);
  assert_int_equal(device.chain.version, 0);
  /* the new key comes, the lost one still counts */
  assert_int_equal(take_set(1, &rule), HF_OK);
  assert_int_equal(device.chain.version, 1);
  assert_int_equal(boot(), 0);
  /* a release signed with the new key runs */
  stage_and_confirm(&new_image);
  assert_int_equal(boot(), 0);
  assert_true(device.choice.trial);
  assert_int_equal(hf_bootstate_get(&records, &device.layout.boot), HF_OK);
  assert_int_equal(hf_bootstate_confirm(&records, &device.layout.boot, device.choice.slot), HF_OK);
  /* now the lost key can go */
  assert_int_equal(take_set(2, &rule), HF_OK);
  assert_int_equal(device.chain.version, 2);
  assert_int_equal(boot(), 0);
  /* what its finder signs is correct, and refused */
  stage_and_confirm(&evil_image);
  assert_int_equal(boot(), 0);
  assert_false(device.choice.trial);
  assert_int_equal(device.choice.info.version.minor, 1);
  assert_int_equal(device.choice.why.rule, HF_RULE_IMAGE_KEY_REVOKED);
  end();
}

static void a_set_that_would_brick_the_device_is_refused(void **state)
{
  (void)state;
  uint16_t rule;
  begin(8, 0xff);
  assert_int_equal(boot(), 0);
  assert_int_equal(take_set(2, &rule), HF_E_DENIED);
  assert_int_equal(rule, HF_RULE_KEYSET_RUNNING);
  assert_int_equal(device.chain.version, 0);
  assert_int_equal(boot(), 0);
  end();
}

static void no_set_below_the_owners_threshold_is_taken(void **state)
{
  (void)state;
  uint16_t rule;
  begin(8, 0xff);
  assert_int_equal(boot(), 0);
  assert_int_equal(take_set(1, &rule), HF_OK);
  assert_int_equal(take_set(3, &rule), HF_E_DENIED);
  assert_int_equal(rule, HF_RULE_KEYSET_UNSIGNED);
  assert_int_equal(device.chain.version, 1);
  end();
}

static void an_old_set_under_a_new_name_is_refused(void **state)
{
  (void)state;
  uint16_t rule;
  begin(8, 0xff);
  assert_int_equal(boot(), 0);
  stage_and_confirm(&new_image);
  assert_int_equal(take_set(1, &rule), HF_OK);
  simworld_put(&device.world, "/repo/keysets/lamp.9.keyset", sets[0].bytes);
  assert_int_equal(take_set(9, &rule), HF_E_DENIED);
  assert_int_equal(rule, HF_RULE_KEYSET_OLD);
  end();
}

static void trouble_on_the_way_changes_nothing(void **state)
{
  (void)state;
  static const enum simworld_fault faults[] = {SIMWORLD_DROP, SIMWORLD_STATUS, SIMWORLD_FLIP, SIMWORLD_ENDLESS};
  begin(8, 0xff);
  assert_int_equal(boot(), 0);
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    uint16_t rule;
    device.world.fault = faults[i];
    device.world.status = 503;
    device.world.at = device.world.bytes + 100;
    assert_int_not_equal(take_set(1, &rule), HF_OK);
    assert_int_equal(device.chain.version, 0);
    device.world.fault = SIMWORLD_GOOD;
  }
  uint16_t rule;
  assert_int_equal(take_set(4, &rule), HF_E_AGAIN); /* 404 */
  assert_int_equal(take_set(1, &rule), HF_OK);
  end();
}

/* Whoever can write the area destroys both halves: the device falls back to what is compiled in, unless its hardware
 * remembers that there was a set. */
static void hardware_that_remembers_the_version_does_not_fall_back(void **state)
{
  (void)state;
  uint16_t rule;
  begin(8, 0xff);
  assert_int_equal(boot(), 0);
  assert_int_equal(take_set(1, &rule), HF_OK);
  assert_int_equal(hf_area_erase(&device.keys_area, 0, 2 * SECTOR), HF_OK);
  assert_int_equal(boot(), 0);
  assert_int_equal(device.chain.version, 0);
  device.store.version_min = 1;
  assert_int_equal(boot(), HF_RULE_IMAGE_KEY_UNKNOWN);
  assert_int_equal(device.chain.why.rule, HF_RULE_KEYSET_LOST);
  end();
}

static void power_may_fail_anywhere_while_a_set_is_kept(void **state)
{
  (void)state;
  static const uint32_t aligns[] = {1, 4, 8, 16};
  unsigned cuts = 0;
  for (unsigned geometry = 0; geometry < 8; geometry++) {
    for (enum simflash_tear tear = SIMFLASH_TEAR_NONE; tear < SIMFLASH_TEARS; tear++) {
      for (uint32_t cut = 1;; cut++) {
        uint16_t rule;
        begin(aligns[geometry / 2], geometry % 2 == 0 ? 0xff : 0x00);
        assert_int_equal(boot(), 0);
        device.flash.cut_at = device.flash.ops + cut;
        device.flash.tear = tear;
        device.flash.seed = cut;
        (void)take_set(1, &rule);
        bool over = !device.flash.dead;
        simflash_power_on(&device.flash);
        assert_int_equal(boot(), 0);
        assert_true(device.chain.version == 0 || device.chain.version == 1);
        assert_int_equal(take_set(1, &rule), device.chain.version == 1 ? HF_E_DENIED : HF_OK);
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
      cmocka_unit_test(a_lost_image_key_is_replaced_and_revoked),
      cmocka_unit_test(a_set_that_would_brick_the_device_is_refused),
      cmocka_unit_test(no_set_below_the_owners_threshold_is_taken),
      cmocka_unit_test(an_old_set_under_a_new_name_is_refused),
      cmocka_unit_test(trouble_on_the_way_changes_nothing),
      cmocka_unit_test(hardware_that_remembers_the_version_does_not_fall_back),
      cmocka_unit_test(power_may_fail_anywhere_while_a_set_is_kept),
  };
  return cmocka_run_group_tests(tests, make_world, drop_world);
}
