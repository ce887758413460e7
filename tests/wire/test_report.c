/* SPDX-License-Identifier: Apache-2.0
 * Signed version reports and signed time (docs/spec/report.md, docs/spec/time.md). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hf/crypto/key.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/report.h"

struct world {
  struct hf_key *key;
  struct hf_pubkey pub;
  uint8_t room[HF_REPORT_MAX];
  struct hf_buf out;
};

static int set_up(void **state)
{
  struct world *world = calloc(1, sizeof *world);
  assert_non_null(world);
  assert_int_equal(hf_key_new(&world->key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&world->pub, world->key), HF_OK);
  world->out = hf_buf_init(world->room, sizeof world->room);
  *state = world;
  return 0;
}

static int tear_down(void **state)
{
  struct world *world = *state;
  hf_key_free(world->key);
  free(world);
  return 0;
}

static struct hf_report report_of(const char *part, uint64_t counter)
{
  struct hf_report report = {
      .device = HF_LIT("sn-1"), .part = hf_bytes_text(part), .counter = counter, .time = 1000, .component_count = 1};
  report.component[0] = (struct hf_checkin_component){
      .name = hf_bytes_text(part), .version = HF_LIT("1.2.0"), .digest = {1, 2, 3}, .counter = 4, .slot = 1};
  return report;
}

static void sign(struct world *world, struct hf_buf *out, const struct hf_report *report)
{
  uint8_t room[HF_REPORT_MAX], sig_room[HF_SIG_MAX], hash[HF_SHA256_LEN];
  struct hf_buf bytes = hf_buf_init(room, sizeof room), sig = hf_buf_init(sig_room, sizeof sig_room);
  assert_int_equal(hf_report_encode(&bytes, report), HF_OK);
  hf_report_digest(hash, hf_buf_bytes(&bytes));
  assert_int_equal(hf_key_sign_digest(&sig, world->key, hash), HF_OK);
  hf_pubkey_hash(hash, &world->pub);
  hf_report_put_signed(out, hash, hf_buf_bytes(&bytes), hf_buf_bytes(&sig));
  assert_false(out->failed);
}

static uint16_t verify(struct world *world, struct hf_report *report, const struct hf_pubkey *key, const char *device)
{
  struct hf_why why = {0};
  enum hf_verdict verdict = hf_report_verify(report, hf_buf_bytes(&world->out), key, hf_bytes_text(device), &why);
  assert_int_equal(verdict == HF_ALLOW, why.rule == 0);
  return why.rule;
}

static void believes_a_report_of_the_registered_key(void **state)
{
  struct world *world = *state;
  struct hf_report report = report_of("main", 7), read;
  report.attack = HF_RULE_TUF_ROLLBACK;
  sign(world, &world->out, &report);
  assert_int_equal(verify(world, &read, &world->pub, "sn-1"), 0);
  assert_int_equal(read.counter, 7);
  assert_int_equal(read.attack, HF_RULE_TUF_ROLLBACK);
  assert_int_equal(read.component_count, 1);
  assert_true(hf_bytes_is(read.component[0].version, "1.2.0"));
}

static void refuses_a_report_with_any_bit_changed(void **state)
{
  struct world *world = *state;
  struct hf_report report = report_of("main", 7), read;
  sign(world, &world->out, &report);
  for (size_t i = 0; i < 8 * world->out.len; i++) {
    world->room[i / 8] ^= (uint8_t)(1u << (i % 8));
    assert_int_not_equal(verify(world, &read, &world->pub, "sn-1"), 0);
    world->room[i / 8] ^= (uint8_t)(1u << (i % 8));
  }
  assert_int_equal(verify(world, &read, &world->pub, "sn-1"), 0);
}

static void refuses_a_report_of_another_key(void **state)
{
  struct world *world = *state;
  struct hf_report report = report_of("main", 7), read;
  struct hf_key *other;
  struct hf_pubkey pub;
  assert_int_equal(hf_key_new(&other, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&pub, other), HF_OK);
  sign(world, &world->out, &report);
  assert_int_equal(verify(world, &read, &pub, "sn-1"), HF_RULE_REPORT_KEY);
  hf_key_free(other);
}

static void refuses_a_report_of_another_device(void **state)
{
  struct world *world = *state;
  struct hf_report report = report_of("main", 7), read;
  sign(world, &world->out, &report);
  assert_int_equal(verify(world, &read, &world->pub, "sn-2"), HF_RULE_REPORT_DEVICE);
}

/* What is signed begins with its own name: no bytes signed for TLS, metadata or time pass for a report. */
static void refuses_a_signature_over_the_bare_report(void **state)
{
  struct world *world = *state;
  struct hf_report report = report_of("main", 7), read;
  uint8_t room[HF_REPORT_MAX], sig_room[HF_SIG_MAX], hash[HF_SHA256_LEN];
  struct hf_buf bytes = hf_buf_init(room, sizeof room), sig = hf_buf_init(sig_room, sizeof sig_room);
  assert_int_equal(hf_report_encode(&bytes, &report), HF_OK);
  assert_int_equal(hf_key_sign(&sig, world->key, hf_buf_bytes(&bytes)), HF_OK);
  hf_pubkey_hash(hash, &world->pub);
  hf_report_put_signed(&world->out, hash, hf_buf_bytes(&bytes), hf_buf_bytes(&sig));
  assert_int_equal(verify(world, &read, &world->pub, "sn-1"), HF_RULE_REPORT_SIGNATURE);
}

static void a_manifest_carries_the_reports_of_secondaries(void **state)
{
  struct world *world = *state;
  struct hf_report manifest = report_of("main", 7), secondary = report_of("radio", 3), read, inner;
  uint8_t room[HF_REPORT_SECONDARY_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_why why = {0};
  sign(world, &out, &secondary);
  manifest.secondary_count = 1;
  manifest.secondary[0] = hf_buf_bytes(&out);
  sign(world, &world->out, &manifest);
  assert_int_equal(verify(world, &read, &world->pub, "sn-1"), 0);
  assert_int_equal(read.secondary_count, 1);
  assert_int_equal(hf_report_verify(&inner, read.secondary[0], &world->pub, HF_LIT("sn-1"), &why), HF_ALLOW);
  assert_true(hf_bytes_is(inner.part, "radio"));
}

static void writes_one_encoding_only(void **state)
{
  (void)state;
  struct hf_report report = report_of("main", 7), read;
  uint8_t first[HF_REPORT_MAX], second[HF_REPORT_MAX];
  struct hf_buf a = hf_buf_init(first, sizeof first), b = hf_buf_init(second, sizeof second);
  assert_int_equal(hf_report_encode(&a, &report), HF_OK);
  assert_int_equal(hf_report_parse(&read, hf_buf_bytes(&a), NULL), HF_OK);
  assert_int_equal(hf_report_encode(&b, &read), HF_OK);
  assert_true(hf_bytes_equal(hf_buf_bytes(&a), hf_buf_bytes(&b)));
  hf_buf_put_u8(&a, 0);
  assert_int_equal(hf_report_parse(&read, hf_buf_bytes(&a), NULL), HF_E_INPUT);
}

static void refuses_to_write_what_nobody_would_read(void **state)
{
  (void)state;
  uint8_t room[HF_REPORT_MAX];
  struct hf_report bad[4] = {report_of("main", 1), report_of("Main", 1), report_of("main", UINT64_MAX),
                             report_of("main", 1)};
  bad[0].component_count = 0;
  bad[3].device = HF_LIT("");
  for (size_t i = 0; i < 4; i++) {
    struct hf_buf out = hf_buf_init(room, sizeof room);
    assert_int_equal(hf_report_encode(&out, &bad[i]), HF_E_INPUT);
  }
}

static void the_largest_reports_fit_their_maxima(void **state)
{
  struct world *world = *state;
  static uint8_t filler[64];
  memset(filler, 'a', sizeof filler);
  struct hf_report secondary = report_of("radio", INT64_MAX), manifest = report_of("main", INT64_MAX);
  uint8_t room[HF_REPORT_SECONDARY_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  secondary.device = hf_bytes_init(filler, 64);
  secondary.part = secondary.component[0].name = hf_bytes_init(filler, 32);
  secondary.component[0].version = HF_LIT("255.255.65535+4294967295");
  secondary.component[0].counter = secondary.component[0].slot = UINT32_MAX;
  secondary.time = INT64_MAX;
  secondary.attack = UINT16_MAX;
  sign(world, &out, &secondary);
  manifest = secondary;
  manifest.secondary_count = 3;
  for (size_t i = 0; i < 3; i++) {
    manifest.secondary[i] = hf_buf_bytes(&out);
  }
  sign(world, &world->out, &manifest);
}

/* ---- time ---- */

static const uint8_t nonces[32] = {1, 2, 3, [16] = 9, 8, 7};

static uint16_t verify_time(struct world *world, int64_t signed_time, int64_t told_time, struct hf_bytes nonce)
{
  uint8_t digest[HF_SHA256_LEN];
  struct hf_why why = {0};
  world->out.len = 0;
  hf_timesig_digest(digest, signed_time, hf_bytes_init(nonces, sizeof nonces));
  assert_int_equal(hf_key_sign_digest(&world->out, world->key, digest), HF_OK);
  const struct hf_timesig timesig = {told_time, hf_buf_bytes(&world->out)};
  enum hf_verdict verdict = hf_timesig_verify(&timesig, &world->pub, hf_bytes_init(nonces, sizeof nonces), nonce, &why);
  assert_int_equal(verdict == HF_ALLOW, why.rule == 0);
  return why.rule;
}

static void believes_a_time_signed_for_its_own_nonce(void **state)
{
  assert_int_equal(verify_time(*state, 1000, 1000, hf_bytes_init(nonces, 16)), 0);
  assert_int_equal(verify_time(*state, 1000, 1000, hf_bytes_init(nonces + 16, 16)), 0);
}

static void refuses_a_time_signed_for_other_nonces(void **state)
{
  static const uint8_t ours[16] = {5};
  assert_int_equal(verify_time(*state, 1000, 1000, hf_bytes_init(ours, 16)), HF_RULE_TIME_SIGNATURE);
  assert_int_equal(verify_time(*state, 1000, 1000, hf_bytes_init(nonces + 8, 16)), HF_RULE_TIME_SIGNATURE);
}

static void refuses_a_time_that_was_changed(void **state)
{
  assert_int_equal(verify_time(*state, 1000, 1001, hf_bytes_init(nonces, 16)), HF_RULE_TIME_SIGNATURE);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(believes_a_report_of_the_registered_key),
      TEST(refuses_a_report_with_any_bit_changed),
      TEST(refuses_a_report_of_another_key),
      TEST(refuses_a_report_of_another_device),
      TEST(refuses_a_signature_over_the_bare_report),
      TEST(a_manifest_carries_the_reports_of_secondaries),
      TEST(writes_one_encoding_only),
      TEST(refuses_to_write_what_nobody_would_read),
      TEST(the_largest_reports_fit_their_maxima),
      TEST(believes_a_time_signed_for_its_own_nonce),
      TEST(refuses_a_time_signed_for_other_nonces),
      TEST(refuses_a_time_that_was_changed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
