/* SPDX-License-Identifier: Apache-2.0
 * Takeover orders: who may send a fleet elsewhere, and who may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hf/crypto/key.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/takeover.h"
#include "hf/wire/tufwrite.h"

#define NOW 1790000000
#define CA "-----BEGIN CERTIFICATE-----\nTm8gcmVhbCBvbmU=\n-----END CERTIFICATE-----\n"

/* Keys 0 and 1 are the root's, two are needed; 2 is the targets key, 3 a stranger's. Key 1 is Ed25519. */
static struct hf_key *key[4];
static struct hf_tuf_root root;
static uint8_t scratch[HF_TAKEOVER_MAX];

static int set_up(void **state)
{
  (void)state;
  for (int i = 0; i < 4; i++) {
    struct hf_pubkey pub;
    if (hf_key_new(&key[i], i == 1 ? HF_KEY_ED25519 : HF_KEY_P256) != HF_OK || hf_key_public(&pub, key[i]) != HF_OK) {
      return -1;
    }
    if (i < 3) {
      uint8_t id[HF_SHA256_LEN];
      hf_pubkey_tuf_id(id, &pub);
      root.key[i].pub = pub;
      memcpy(root.key[i].id, id, HF_TUF_KEY_ID_LEN);
    }
  }
  root.key_count = 3;
  root.version = 1;
  for (int i = 0; i < HF_TUF_ROLES; i++) {
    root.role[i] = (struct hf_tuf_signers){.keys = i == HF_TUF_ROOT ? 3 : 4, .threshold = i == HF_TUF_ROOT ? 2 : 1};
  }
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  for (int i = 0; i < 4; i++) {
    hf_key_free(key[i]);
  }
  return 0;
}

static enum hf_err sign(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

static struct hf_takeover_new lamp_order(void)
{
  return (struct hf_takeover_new){.version = 3,
                                  .expires = NOW + 86400,
                                  .product = HF_LIT("lamp"),
                                  .server = HF_LIT("https://new.example:8443"),
                                  .server_ca = HF_LIT(CA),
                                  .director_root = HF_LIT("the director's root"),
                                  .image_root = HF_LIT("the image repository's root")};
}

struct file {
  uint8_t at[HF_TAKEOVER_MAX];
  struct hf_bytes bytes;
};

static void make_of(struct file *file, struct hf_bytes body, const int *who, size_t count)
{
  struct hf_tufwrite_signer signers[4];
  uint8_t room[HF_TAKEOVER_MAX];
  struct hf_buf out = hf_buf_init(file->at, sizeof file->at);
  for (size_t i = 0; i < count; i++) {
    signers[i] = (struct hf_tufwrite_signer){.sign = sign, .ctx = key[who[i]]};
    assert_int_equal(hf_key_public(&signers[i].pub, key[who[i]]), HF_OK);
  }
  assert_int_equal(hf_tufwrite_sign_file(&out, hf_buf_init(room, sizeof room), body, signers, count), HF_OK);
  file->bytes = hf_buf_bytes(&out);
}

static void make(struct file *file, const struct hf_takeover_new *order, const int *who, size_t count)
{
  uint8_t room[HF_TAKEOVER_MAX];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_takeover_put(&body, order), HF_OK);
  make_of(file, hf_buf_bytes(&body), who, count);
}

static enum hf_verdict judge(const struct file *file, struct hf_takeover *order, uint32_t version_min, int64_t now,
                             uint16_t *rule)
{
  struct hf_why why = {0};
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_takeover_policy policy = {.product = HF_LIT("lamp"), .version_min = version_min, .now = now};
  limits.scratch = scratch;
  limits.scratch_cap = sizeof scratch;
  enum hf_verdict verdict = hf_takeover_verify(order, file->bytes, &root, &limits, &policy, &why);
  *rule = why.rule;
  return verdict;
}

static void assert_refused(const struct file *file, uint16_t rule)
{
  struct hf_takeover order;
  uint16_t found;
  assert_int_equal(judge(file, &order, 1, NOW, &found), HF_DENY);
  assert_int_equal(found, rule);
}

static const int both[] = {0, 1};

static void an_order_of_the_root_is_taken(void **state)
{
  (void)state;
  struct file file;
  struct hf_takeover order;
  struct hf_takeover_new new = lamp_order();
  uint8_t digest[HF_SHA256_LEN];
  uint8_t ca[HF_TAKEOVER_CA_MAX];
  struct hf_buf out = hf_buf_init(ca, sizeof ca);
  uint16_t rule;
  make(&file, &new, both, 2);
  assert_int_equal(judge(&file, &order, 3, NOW, &rule), HF_ALLOW);
  assert_string_equal(order.server, "https://new.example:8443");
  assert_int_equal(order.version, 3);
  assert_int_equal(order.expires, NOW + 86400);
  hf_sha256(digest, new.director_root);
  assert_memory_equal(order.director_root, digest, sizeof digest);
  hf_sha256(digest, new.image_root);
  assert_memory_equal(order.image_root, digest, sizeof digest);
  assert_int_equal(hf_takeover_put_ca(&out, &order), HF_OK);
  assert_true(hf_bytes_is(hf_buf_bytes(&out), CA));
}

static void nobody_below_the_threshold_of_the_root_can_order(void **state)
{
  (void)state;
  struct file file;
  struct hf_takeover_new new = lamp_order();
  static const int one_twice[] = {0, 0};
  static const int others[] = {2, 3};
  static const int one_and_others[] = {0, 2, 3};
  make(&file, &new, both, 1);
  assert_refused(&file, HF_RULE_TUF_UNSIGNED);
  make(&file, &new, one_twice, 2);
  assert_refused(&file, HF_RULE_TUF_SIGNED_TWICE);
  make(&file, &new, others, 2);
  assert_refused(&file, HF_RULE_TUF_UNSIGNED);
  make(&file, &new, one_and_others, 3);
  assert_refused(&file, HF_RULE_TUF_UNSIGNED);
  make(&file, &new, NULL, 0);
  assert_refused(&file, HF_RULE_TUF_UNSIGNED);
}

static void an_order_cannot_be_replayed_or_kept_for_later(void **state)
{
  (void)state;
  struct file file;
  struct hf_takeover order;
  struct hf_takeover_new new = lamp_order();
  uint16_t rule;
  make(&file, &new, both, 2);
  assert_int_equal(judge(&file, &order, 4, NOW, &rule), HF_DENY);
  assert_int_equal(rule, HF_RULE_TAKEOVER_OLD);
  assert_int_equal(judge(&file, &order, 1, NOW + 86400, &rule), HF_DENY);
  assert_int_equal(rule, HF_RULE_TUF_EXPIRED);
}

static void an_order_moves_its_own_product_only(void **state)
{
  (void)state;
  struct file file;
  struct hf_takeover_new new = lamp_order();
  new.product = HF_LIT("lamps");
  make(&file, &new, both, 2);
  assert_refused(&file, HF_RULE_TAKEOVER_PRODUCT);
}

/* The root signs other things as well: none of them is an order, and an order is no root. */
static void no_other_signed_file_is_an_order(void **state)
{
  (void)state;
  struct file file;
  static const char *const types[] = {"root", "targets", "takeovers", ""};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    uint8_t room[HF_TAKEOVER_MAX];
    uint8_t changed[HF_TAKEOVER_MAX];
    struct hf_buf body = hf_buf_init(room, sizeof room);
    struct hf_buf other = hf_buf_init(changed, sizeof changed);
    struct hf_takeover_new new = lamp_order();
    assert_int_equal(hf_takeover_put(&body, &new), HF_OK);
    hf_buf_put_text(&other, "{\"_type\":\"");
    hf_buf_put_text(&other, types[i]);
    hf_buf_put(&other, (struct hf_bytes){room + sizeof "{\"_type\":\"takeover" - 1,
                                         body.len - (sizeof "{\"_type\":\"takeover" - 1)});
    make_of(&file, hf_buf_bytes(&other), both, 2);
    assert_refused(&file, HF_RULE_TUF_TYPE);
  }
  struct hf_takeover_new new = lamp_order();
  struct hf_tuf_file parsed;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_why why = {0};
  make(&file, &new, both, 2);
  assert_int_equal(hf_tuf_parse(&parsed, file.bytes, HF_TUF_ROOT, &limits, &why), HF_E_INPUT);
  assert_int_equal(why.rule, HF_RULE_TUF_TYPE);
}

static void no_signed_byte_can_be_changed(void **state)
{
  (void)state;
  struct file file;
  struct hf_takeover order;
  struct hf_takeover_new new = lamp_order();
  uint16_t rule;
  struct hf_tuf_file parsed;
  struct hf_bytes product;
  make(&file, &new, both, 2);
  assert_int_equal(hf_takeover_parse(&order, &parsed, &product, file.bytes, NULL), HF_OK);
  for (size_t i = (size_t)(parsed.body.text.at - file.at); i < file.bytes.len; i++) {
    file.at[i] ^= 1;
    assert_int_equal(judge(&file, &order, 1, NOW, &rule), HF_DENY);
    file.at[i] ^= 1;
  }
}

static void only_plain_https_addresses_can_be_ordered(void **state)
{
  (void)state;
  static const char *const good[] = {"https://a:1", "https://new.example:65535", "https://192.0.2.1:8443",
                                     "https://[2001:db8::1]:8443"};
  static const char *const bad[] = {"",
                                    "https://",
                                    "http://a:1",
                                    "https://a",
                                    "https://a:",
                                    "https://a:0",
                                    "https://a:65536",
                                    "https://a:99999999999999999999",
                                    "https://:8443",
                                    "https://a b:1",
                                    "https://a@b:1",
                                    "https://a/:1",
                                    "https://a:1/",
                                    "https://-a:1",
                                    "https://[]:1",
                                    "https://[g]:1",
                                    "https://a\n:1"};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_true(hf_takeover_server_check(hf_bytes_text(good[i])));
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_false(hf_takeover_server_check(hf_bytes_text(bad[i])));
  }
}

static void members_that_are_missing_or_odd_are_refused(void **state)
{
  (void)state;
  static const char *const bodies[] = {
      "{\"_type\":\"takeover\",\"expires\":\"2030-01-01T00:00:00Z\",\"spec_version\":\"1.0\",\"version\":1}",
      "{\"_type\":\"takeover\",\"expires\":\"2030-01-01T00:00:00Z\",\"product\":\"lamp\",\"spec_version\":\"1.0\","
      "\"version\":1}",
      "{\"_type\":\"takeover\",\"expires\":\"2030-01-01T00:00:00Z\",\"product\":7,\"server\":\"https://"
      "a:1\",\"spec_version\":\"1.0\",\"version\":1}",
      "{\"_type\":\"takeover\",\"expires\":\"2030-01-01T00:00:00Z\",\"product\":\"lamp\",\"server\":\"https://"
      "a:1\",\"spec_version\":\"1.0\",\"version\":1}"};
  for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
    struct file file;
    make_of(&file, hf_bytes_text(bodies[i]), both, 2);
    assert_refused(&file, HF_RULE_TAKEOVER_MEMBER);
  }
  struct hf_takeover_new new = lamp_order();
  uint8_t room[HF_TAKEOVER_MAX];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  new.server = HF_LIT("http://a:1");
  assert_int_equal(hf_takeover_put(&body, &new), HF_E_INPUT);
  new = lamp_order();
  new.server_ca = HF_LIT("");
  assert_int_equal(hf_takeover_put(&body, &new), HF_E_INPUT);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_order_of_the_root_is_taken),
      cmocka_unit_test(nobody_below_the_threshold_of_the_root_can_order),
      cmocka_unit_test(an_order_cannot_be_replayed_or_kept_for_later),
      cmocka_unit_test(an_order_moves_its_own_product_only),
      cmocka_unit_test(no_other_signed_file_is_an_order),
      cmocka_unit_test(no_signed_byte_can_be_changed),
      cmocka_unit_test(only_plain_https_addresses_can_be_ordered),
      cmocka_unit_test(members_that_are_missing_or_odd_are_refused),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
