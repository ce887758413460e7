/* SPDX-License-Identifier: Apache-2.0
 * The kept key set: every cut, both halves, what an attacker writes beside it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "hf/crypto/key.h"
#include "hf/device/keystore.h"
#include "hf/device/record.h"
#include "ports/sim/simcut.h"

enum { SECTOR = 1024, SIZE = 2 * SECTOR };

static bool full;
static struct hf_key *owner_key;
static struct hf_pubkey owner;
static const struct hf_keyset_owners owners = {.key = &owner, .count = 1, .threshold = 1};

static int set_up(void **state)
{
  (void)state;
  return hf_key_new(&owner_key, HF_KEY_P256) == HF_OK && hf_key_public(&owner, owner_key) == HF_OK ? 0 : -1;
}

static int tear_down(void **state)
{
  (void)state;
  hf_key_free(owner_key);
  return 0;
}

static enum hf_err sign(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

struct file {
  uint8_t at[HF_KEYSET_MAX];
  struct hf_bytes bytes;
};

/* Set number n; `by`: who signs it. */
static void make(struct file *file, uint32_t version, struct hf_key *by)
{
  uint8_t plain_room[HF_KEYSET_MAX];
  struct hf_buf plain = hf_buf_init(plain_room, sizeof plain_room);
  struct hf_buf out = hf_buf_init(file->at, sizeof file->at);
  struct hf_keyset set = {.version = version, .product_len = 4, .product = "lamp", .count = 1};
  struct hf_image_signer signer = {.sign = sign, .ctx = by};
  set.key[0] = owner;
  assert_int_equal(hf_key_public(&signer.pub, by), HF_OK);
  assert_int_equal(hf_keyset_encode(&plain, &set), HF_OK);
  assert_int_equal(hf_keyset_parse(&set, hf_buf_bytes(&plain), NULL), HF_OK);
  assert_int_equal(hf_keyset_sign(&out, &set, &signer), HF_OK);
  file->bytes = hf_buf_bytes(&out);
}

static struct hf_keystore store_of(const struct hf_area *area)
{
  return (struct hf_keystore){.area = area, .owners = &owners, .product = HF_LIT("lamp")};
}

/* 0: none. */
static uint32_t kept(const struct hf_keystore *store)
{
  uint8_t room[HF_KEYSET_MAX];
  struct hf_keyset set;
  return hf_keystore_get(&set, room, NULL, store, NULL) == HF_OK ? set.version : 0;
}

static void nothing_is_kept_on_a_new_device(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, SIZE, SECTOR, 8, 0xff);
  struct hf_area area = simflash_area(&flash, 0, SIZE);
  struct hf_keystore store = store_of(&area);
  uint8_t room[HF_KEYSET_MAX];
  struct hf_keyset set;
  assert_int_equal(hf_keystore_get(&set, room, NULL, &store, NULL), HF_E_NOT_FOUND);
  area.size = SECTOR;
  assert_int_equal(hf_keystore_get(&set, room, NULL, &store, NULL), HF_E_INPUT);
  simflash_free(&flash);
}

static void the_newest_is_kept_and_an_older_one_is_refused(void **state)
{
  (void)state;
  struct simflash flash;
  struct file file;
  uint8_t room[HF_KEYSET_MAX];
  simflash_init(&flash, SIZE, SECTOR, 8, 0xff);
  struct hf_area area = simflash_area(&flash, 0, SIZE);
  struct hf_keystore store = store_of(&area);
  for (uint32_t version = 1; version < 6; version++) {
    make(&file, version, owner_key);
    assert_int_equal(hf_keystore_put(&store, file.bytes, room, NULL), HF_OK);
    assert_int_equal(kept(&store), version);
    uint32_t ops = flash.ops;
    assert_int_equal(hf_keystore_put(&store, file.bytes, room, NULL), HF_OK);
    assert_int_equal(flash.ops, ops); /* the same again wears nothing */
  }
  struct hf_why why = {0};
  make(&file, 5, owner_key); /* ECDSA signs another way each time: the same version, another file */
  assert_int_equal(hf_keystore_put(&store, file.bytes, room, &why), HF_E_DENIED);
  assert_int_equal(why.rule, HF_RULE_KEYSET_OLD);
  make(&file, 2, owner_key);
  assert_int_equal(hf_keystore_put(&store, file.bytes, room, NULL), HF_E_DENIED);
  assert_int_equal(kept(&store), 5);
  store.version_min = 6;
  assert_int_equal(kept(&store), 0);
  simflash_free(&flash);
}

/* Somebody who can write the flash, but is no owner, writes sets with better numbers over either half. */
static void an_unsigned_set_beside_it_changes_nothing(void **state)
{
  (void)state;
  struct hf_key *thief;
  assert_int_equal(hf_key_new(&thief, HF_KEY_P256), HF_OK);
  for (uint32_t half = 0; half < 2; half++) {
    struct simflash flash;
    struct file file;
    uint8_t room[HF_KEYSET_MAX];
    simflash_init(&flash, SIZE, SECTOR, 1, 0xff);
    struct hf_area area = simflash_area(&flash, 0, SIZE);
    struct hf_keystore store = store_of(&area);
    for (uint32_t version = 1; version < 3; version++) { /* version 1 in half 0, version 2 in half 1 */
      make(&file, version, owner_key);
      assert_int_equal(hf_keystore_put(&store, file.bytes, room, NULL), HF_OK);
    }
    make(&file, 9, thief);
    struct hf_run run = hf_record_open(&area, half * SECTOR, SECTOR);
    struct hf_record rec = {.kind = HF_RECORD_VALUE, .key = 2, .len = (uint16_t)file.bytes.len, .seq = 9};
    assert_int_equal(hf_record_clear(&run, 0), HF_OK);
    assert_int_equal(hf_record_put(&run, &rec, file.at), HF_OK);
    assert_int_equal(kept(&store), half == 0 ? 2 : 1);
    /* and the next good one takes the thief's place, not the good one's */
    flash.cut_at = flash.ops + 1;
    make(&file, 10, owner_key);
    assert_int_not_equal(hf_keystore_put(&store, file.bytes, room, NULL), HF_OK);
    simflash_power_on(&flash);
    assert_int_equal(kept(&store), half == 0 ? 2 : 1);
    assert_int_equal(hf_keystore_put(&store, file.bytes, room, NULL), HF_OK);
    assert_int_equal(kept(&store), 10);
    simflash_free(&flash);
  }
  hf_key_free(thief);
}

/* Four sets, one after the other, with this cut. */
static void live(struct simflash *flash, const struct simcut *cut, const struct file files[4])
{
  uint8_t room[HF_KEYSET_MAX];
  simflash_init(flash, SIZE, SECTOR, cut->align, cut->erased);
  struct hf_area area = simflash_area(flash, 0, SIZE);
  struct hf_keystore store = store_of(&area);
  simcut_arm(flash, cut);
  uint32_t i = 0;
  while (i < 4 && hf_keystore_put(&store, files[i].bytes, room, NULL) == HF_OK && !flash->dead) {
    i++;
  }
  simflash_power_on(flash);
  uint32_t found = kept(&store);
  assert_true(found == i || found == i + 1);
  assert_int_equal(flash->breaches, 0);
  simflash_free(flash);
}

static void power_may_fail_at_any_byte(void **state)
{
  (void)state;
  struct file files[4];
  struct simflash flash;
  for (uint32_t i = 0; i < 4; i++) {
    make(&files[i], i + 1, owner_key);
  }
  struct simcut cut = simcut_first(full ? 1 : 37);
  for (; simcut_on(&cut); simcut_next(&cut, &flash)) {
    live(&flash, &cut, files);
  }
  simcut_report("kept key set", cut.cuts);
  assert_true(cut.cuts > 300);
}

int main(int argc, char **argv)
{
  full = argc > 1 && strcmp(argv[1], "full") == 0;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_kept_on_a_new_device),
      cmocka_unit_test(the_newest_is_kept_and_an_older_one_is_refused),
      cmocka_unit_test(an_unsigned_set_beside_it_changes_nothing),
      cmocka_unit_test(power_may_fail_at_any_byte),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
