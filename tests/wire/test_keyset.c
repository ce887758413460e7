/* SPDX-License-Identifier: Apache-2.0
 * Signed key sets: who must have signed, what is refused, one form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hf/crypto/key.h"
#include "hf/wire/keyset.h"
#include "hf/wire/pubkey.h"

#define KEYS 6

static struct hf_key *key[KEYS];
static struct hf_pubkey pub[KEYS];

/* Keys 0 to 2 own the set, 3 and 4 sign images, 5 is a stranger. Key 1 and key 4 are Ed25519. */
static int set_up(void **state)
{
  (void)state;
  for (int i = 0; i < KEYS; i++) {
    enum hf_key_type type = i == 1 || i == 4 ? HF_KEY_ED25519 : HF_KEY_P256;
    if (hf_key_new(&key[i], type) != HF_OK || hf_key_public(&pub[i], key[i]) != HF_OK) {
      return -1;
    }
  }
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  for (int i = 0; i < KEYS; i++) {
    hf_key_free(key[i]);
  }
  return 0;
}

static enum hf_err sign(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

static enum hf_err sign_fails(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  (void)ctx;
  (void)sig;
  (void)digest;
  return HF_E_IO;
}

struct file {
  uint8_t at[HF_KEYSET_MAX];
  struct hf_bytes bytes;
};

static struct hf_keyset plain(uint32_t version)
{
  struct hf_keyset set = {.version = version, .product_len = 4, .product = "lamp", .count = 2, .revoked = 0};
  set.key[0] = pub[3];
  set.key[1] = pub[4];
  return set;
}

static void write_set(struct file *file, const struct hf_keyset *set)
{
  struct hf_buf out = hf_buf_init(file->at, sizeof file->at);
  assert_int_equal(hf_keyset_encode(&out, set), HF_OK);
  file->bytes = hf_buf_bytes(&out);
}

static void add_signature(struct file *file, int who)
{
  struct file old = *file;
  struct hf_keyset set;
  struct hf_image_signer signer = {.pub = pub[who], .sign = sign, .ctx = key[who]};
  struct hf_buf out = hf_buf_init(file->at, sizeof file->at);
  assert_int_equal(hf_keyset_parse(&set, (struct hf_bytes){old.at, old.bytes.len}, NULL), HF_OK);
  assert_int_equal(hf_keyset_sign(&out, &set, &signer), HF_OK);
  file->bytes = hf_buf_bytes(&out);
}

static enum hf_verdict judge(const struct file *file, uint8_t threshold, uint32_t version_min, uint16_t *rule)
{
  struct hf_keyset set;
  struct hf_keyset_owners owners = {.key = pub, .count = 3, .threshold = threshold};
  struct hf_why why = {0};
  enum hf_verdict verdict = hf_keyset_verify(&set, file->bytes, &owners, HF_LIT("lamp"), version_min, &why);
  *rule = why.rule;
  return verdict;
}

static void assert_refused(const struct file *file, uint8_t threshold, uint32_t version_min, uint16_t rule)
{
  uint16_t found;
  assert_int_equal(judge(file, threshold, version_min, &found), HF_DENY);
  assert_int_equal(found, rule);
}

static void assert_good(const struct file *file, uint8_t threshold, uint32_t version_min)
{
  uint16_t found;
  assert_int_equal(judge(file, threshold, version_min, &found), HF_ALLOW);
  assert_int_equal(found, HF_RULE_NONE);
}

static void what_was_written_is_read_back(void **state)
{
  (void)state;
  struct file file;
  struct hf_keyset set = plain(7);
  struct hf_keyset again;
  set.revoked = 2;
  write_set(&file, &set);
  add_signature(&file, 0);
  add_signature(&file, 1);
  assert_int_equal(hf_keyset_parse(&again, file.bytes, NULL), HF_OK);
  assert_int_equal(again.version, 7);
  assert_int_equal(again.count, 2);
  assert_int_equal(again.revoked, 2);
  assert_memory_equal(again.product, "lamp", 4);
  assert_true(hf_pubkey_equal(&again.key[0], &pub[3]));
  assert_true(hf_pubkey_equal(&again.key[1], &pub[4]));
  struct hf_image_keys keys = hf_keyset_keys(&again);
  assert_int_equal(keys.count, 2);
  assert_int_equal(keys.revoked, 2);
  struct file second;
  write_set(&second, &again);
  assert_memory_equal(second.at, file.at, again.body.len);
}

static void enough_owners_are_enough_and_one_fewer_is_not(void **state)
{
  (void)state;
  struct file file;
  struct hf_keyset set = plain(1);
  write_set(&file, &set);
  assert_refused(&file, 1, 1, HF_RULE_KEYSET_UNSIGNED);
  add_signature(&file, 0);
  assert_good(&file, 1, 1);
  assert_refused(&file, 2, 1, HF_RULE_KEYSET_UNSIGNED);
  add_signature(&file, 1);
  assert_good(&file, 2, 1);
  assert_refused(&file, 3, 1, HF_RULE_KEYSET_UNSIGNED);
  add_signature(&file, 2);
  assert_good(&file, 3, 1);
}

static void threshold_of_nobody_is_never_reached(void **state)
{
  (void)state;
  struct file file;
  struct hf_keyset set = plain(1);
  write_set(&file, &set);
  add_signature(&file, 0);
  assert_refused(&file, 0, 1, HF_RULE_KEYSET_UNSIGNED);
}

static void an_owner_that_stands_there_twice_is_one(void **state)
{
  (void)state;
  struct file file;
  struct hf_keyset set = plain(1);
  struct hf_pubkey twins[2] = {pub[0], pub[0]};
  struct hf_keyset_owners owners = {.key = twins, .count = 2, .threshold = 2};
  struct hf_why why = {0};
  write_set(&file, &set);
  add_signature(&file, 0);
  assert_int_equal(hf_keyset_verify(&set, file.bytes, &owners, HF_LIT("lamp"), 1, &why), HF_DENY);
  assert_int_equal(why.rule, HF_RULE_KEYSET_UNSIGNED);
}

static void signing_twice_counts_once(void **state)
{
  (void)state;
  struct file file;
  struct hf_keyset set = plain(1);
  write_set(&file, &set);
  add_signature(&file, 0);
  size_t len = file.bytes.len;
  add_signature(&file, 0);
  assert_int_equal(file.bytes.len, len);
  /* by hand: the same signature entered a second time */
  struct hf_keyset parsed;
  assert_int_equal(hf_keyset_parse(&parsed, file.bytes, NULL), HF_OK);
  memcpy(file.at + len, parsed.signatures.at, parsed.signatures.len);
  file.at[parsed.body.len] = 2;
  file.bytes = hf_bytes_init(file.at, len + parsed.signatures.len);
  assert_refused(&file, 2, 1, HF_RULE_KEYSET_UNSIGNED);
  assert_good(&file, 1, 1);
}

static void strangers_and_image_keys_sign_for_nothing(void **state)
{
  (void)state;
  struct file file;
  struct hf_keyset set = plain(1);
  write_set(&file, &set);
  add_signature(&file, 5);
  add_signature(&file, 3);
  assert_refused(&file, 1, 1, HF_RULE_KEYSET_UNSIGNED);
  add_signature(&file, 2);
  assert_good(&file, 1, 1);
}

static void older_version_or_other_product_is_refused(void **state)
{
  (void)state;
  struct file file;
  struct hf_keyset set = plain(4);
  write_set(&file, &set);
  add_signature(&file, 0);
  assert_good(&file, 1, 4);
  assert_refused(&file, 1, 5, HF_RULE_KEYSET_OLD);
  set.product[3] = 'b';
  write_set(&file, &set);
  add_signature(&file, 0);
  assert_refused(&file, 1, 1, HF_RULE_KEYSET_PRODUCT);
}

/* Whatever bit is turned: nothing but the set that was signed is believed. */
static void no_bit_can_be_changed(void **state)
{
  (void)state;
  struct file file;
  struct hf_keyset set = plain(1);
  uint16_t rule;
  write_set(&file, &set);
  add_signature(&file, 0);
  for (size_t i = 0; i < file.bytes.len; i++) {
    file.at[i] ^= 0x04;
    assert_int_equal(judge(&file, 1, 1, &rule), HF_DENY);
    assert_int_not_equal(rule, HF_RULE_NONE);
    file.at[i] ^= 0x04;
  }
  for (size_t len = 0; len < file.bytes.len; len++) {
    struct file cut = file;
    cut.bytes = hf_bytes_init(cut.at, len);
    assert_int_equal(judge(&cut, 1, 1, &rule), HF_DENY);
  }
}

static void refuses_what_cannot_be_a_set(void **state)
{
  (void)state;
  static const struct {
    size_t at;
    uint8_t value;
    uint16_t rule;
  } cases[] = {
      {0, 'X', HF_RULE_KEYSET_MAGIC}, {4, 2, HF_RULE_KEYSET_FORMAT},     {5, 0, HF_RULE_KEYSET_SHAPE},
      {5, 9, HF_RULE_KEYSET_SHAPE},   {5, 3, HF_RULE_KEYSET_SHAPE},      {6, 1, HF_RULE_KEYSET_SHAPE},
      {7, 0, HF_RULE_KEYSET_PRODUCT}, {7, 33, HF_RULE_KEYSET_PRODUCT},   {7, 3, HF_RULE_KEYSET_PRODUCT},
      {8, 0, HF_RULE_KEYSET_SHAPE},   {13, '/', HF_RULE_KEYSET_PRODUCT}, {40, 1, HF_RULE_KEYSET_PRODUCT},
      {44, 3, HF_RULE_KEYSET_KEY},    {45, 2, HF_RULE_KEYSET_KEY},       {46, 2, HF_RULE_KEYSET_KEY},
      {111, 1, HF_RULE_KEYSET_KEY},   {177, 1, HF_RULE_KEYSET_KEY},      {178, 5, HF_RULE_KEYSET_SHAPE},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct file file;
    struct hf_keyset set = plain(1);
    struct hf_why why = {0};
    write_set(&file, &set);
    file.at[cases[i].at] = cases[i].value;
    assert_int_not_equal(hf_keyset_parse(&set, file.bytes, &why), HF_OK);
    assert_int_equal(why.rule, cases[i].rule);
  }
}

static void refuses_a_key_twice_and_a_signature_of_no_length(void **state)
{
  (void)state;
  struct file file;
  struct hf_why why = {0};
  struct hf_keyset set = plain(1);
  struct hf_buf out = hf_buf_init(file.at, sizeof file.at);
  set.key[1] = set.key[0];
  assert_int_equal(hf_keyset_encode(&out, &set), HF_E_INPUT);
  set = plain(1);
  write_set(&file, &set);
  add_signature(&file, 0);
  file.at[179 + HF_KEYSET_ID_LEN] = 0;
  assert_int_equal(hf_keyset_parse(&set, file.bytes, &why), HF_E_INPUT);
  assert_int_equal(why.rule, HF_RULE_KEYSET_SHAPE);
  file.at[179 + HF_KEYSET_ID_LEN] = HF_SIG_MAX + 1;
  assert_int_equal(hf_keyset_parse(&set, file.bytes, NULL), HF_E_INPUT);
}

static void no_more_than_four_may_sign_and_a_failing_signer_is_told(void **state)
{
  (void)state;
  struct file file;
  struct file out_file;
  struct hf_keyset set = plain(1);
  write_set(&file, &set);
  for (int i = 0; i < HF_KEYSET_OWNERS_MAX; i++) {
    add_signature(&file, i);
  }
  assert_int_equal(hf_keyset_parse(&set, file.bytes, NULL), HF_OK);
  struct hf_image_signer signer = {.pub = pub[5], .sign = sign, .ctx = key[5]};
  uint8_t room[HF_KEYSET_MAX + 100];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_keyset_sign(&out, &set, &signer), HF_E_FULL);
  struct hf_buf small = hf_buf_init(out_file.at, 300);
  assert_int_equal(hf_keyset_sign(&small, &set, &signer), HF_E_SPACE);
  signer.sign = sign_fails;
  assert_int_equal(hf_keyset_sign(&out, &set, &signer), HF_E_IO);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_was_written_is_read_back),
      cmocka_unit_test(enough_owners_are_enough_and_one_fewer_is_not),
      cmocka_unit_test(threshold_of_nobody_is_never_reached),
      cmocka_unit_test(an_owner_that_stands_there_twice_is_one),
      cmocka_unit_test(signing_twice_counts_once),
      cmocka_unit_test(strangers_and_image_keys_sign_for_nothing),
      cmocka_unit_test(older_version_or_other_product_is_refused),
      cmocka_unit_test(no_bit_can_be_changed),
      cmocka_unit_test(refuses_what_cannot_be_a_set),
      cmocka_unit_test(refuses_a_key_twice_and_a_signature_of_no_length),
      cmocka_unit_test(no_more_than_four_may_sign_and_a_failing_signer_is_told),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
