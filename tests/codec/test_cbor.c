/* SPDX-License-Identifier: Apache-2.0
 * Vectors of RFC 8949 appendix A where they fall into the subset, and their refusal where they do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hf/codec/cbor.h"

static void integers_are_those_of_appendix_a(void **state)
{
  (void)state;
  static const struct {
    int64_t value;
    struct hf_bytes bytes;
  } vectors[] = {
      {0, HF_LIT("\x00")},
      {1, HF_LIT("\x01")},
      {10, HF_LIT("\x0a")},
      {23, HF_LIT("\x17")},
      {24, HF_LIT("\x18\x18")},
      {25, HF_LIT("\x18\x19")},
      {100, HF_LIT("\x18\x64")},
      {255, HF_LIT("\x18\xff")},
      {256, HF_LIT("\x19\x01\x00")},
      {1000, HF_LIT("\x19\x03\xe8")},
      {65536, HF_LIT("\x1a\x00\x01\x00\x00")},
      {1000000, HF_LIT("\x1a\x00\x0f\x42\x40")},
      {4294967296, HF_LIT("\x1b\x00\x00\x00\x01\x00\x00\x00\x00")},
      {1000000000000, HF_LIT("\x1b\x00\x00\x00\xe8\xd4\xa5\x10\x00")},
      {INT64_MAX, HF_LIT("\x1b\x7f\xff\xff\xff\xff\xff\xff\xff")},
      {-1, HF_LIT("\x20")},
      {-10, HF_LIT("\x29")},
      {-100, HF_LIT("\x38\x63")},
      {-1000, HF_LIT("\x39\x03\xe7")},
      {INT64_MIN, HF_LIT("\x3b\x7f\xff\xff\xff\xff\xff\xff\xff")},
  };
  for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
    uint8_t room[9];
    struct hf_buf out = hf_buf_init(room, sizeof room);
    struct hf_cbor in = hf_cbor_init(vectors[i].bytes, NULL);
    assert_true(hf_cbor_int(&in) == vectors[i].value);
    assert_true(hf_cbor_done(&in));
    hf_cbor_put_int(&out, vectors[i].value);
    assert_true(hf_bytes_equal(hf_buf_bytes(&out), vectors[i].bytes));
  }
}

static void the_largest_unsigned_integer_is_no_signed_one(void **state)
{
  (void)state;
  struct hf_bytes max = HF_LIT("\x1b\xff\xff\xff\xff\xff\xff\xff\xff");
  struct hf_bytes min = HF_LIT("\x3b\xff\xff\xff\xff\xff\xff\xff\xff");
  struct hf_cbor in = hf_cbor_init(max, NULL);
  assert_true(hf_cbor_uint(&in, UINT64_MAX) == UINT64_MAX);
  assert_true(hf_cbor_done(&in));
  in = hf_cbor_init(max, NULL);
  assert_true(hf_cbor_int(&in) == 0 && hf_cbor_failed(&in));
  in = hf_cbor_init(min, NULL);
  assert_true(hf_cbor_int(&in) == 0 && hf_cbor_failed(&in));
}

static void reads_and_writes_every_type(void **state)
{
  (void)state;
  uint8_t room[64];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_cbor_put_array(&out, 6);
  hf_cbor_put_text(&out, HF_LIT("IETF"));
  hf_cbor_put_bytes(&out, HF_LIT("\x01\x02\x03\x04"));
  hf_cbor_put_bool(&out, true);
  hf_cbor_put_bool(&out, false);
  hf_cbor_put_null(&out);
  hf_cbor_put_map(&out, 2);
  hf_cbor_put_uint(&out, 1);
  hf_cbor_put_uint(&out, 2);
  hf_cbor_put_uint(&out, 3);
  hf_cbor_put_uint(&out, 4);
  assert_true(
      hf_bytes_equal(hf_buf_bytes(&out), HF_LIT("\x86\x64IETF\x44\x01\x02\x03\x04\xf5\xf4\xf6\xa2\x01\x02\x03\x04")));
  struct hf_why why = {0};
  struct hf_cbor in = hf_cbor_init(hf_buf_bytes(&out), &why);
  int64_t last = -1;
  assert_int_equal(hf_cbor_type(&in), HF_CBOR_ARRAY);
  assert_int_equal(hf_cbor_array(&in, 6), 6);
  assert_int_equal(hf_cbor_type(&in), HF_CBOR_TEXT);
  assert_true(hf_bytes_is(hf_cbor_text(&in, 4), "IETF"));
  assert_int_equal(hf_cbor_type(&in), HF_CBOR_BYTES);
  assert_int_equal(hf_cbor_bytes(&in, 4).len, 4);
  assert_true(hf_cbor_bool(&in));
  assert_false(hf_cbor_bool(&in));
  assert_int_equal(hf_cbor_type(&in), HF_CBOR_SIMPLE);
  hf_cbor_skip(&in);
  assert_int_equal(hf_cbor_map(&in, 2), 2);
  assert_int_equal(hf_cbor_key(&in, &last), 1);
  assert_int_equal(hf_cbor_uint(&in, 9), 2);
  assert_int_equal(hf_cbor_key(&in, &last), 3);
  assert_int_equal(hf_cbor_uint(&in, 9), 4);
  assert_true(hf_cbor_done(&in));
  assert_int_equal(hf_cbor_type(&in), HF_CBOR_NONE);
  assert_int_equal(why.rule, HF_RULE_NONE);
}

/* Skipping reads everything that reading does, so one table serves both. */
static void refuses_what_is_not_deterministic(void **state)
{
  (void)state;
  static const struct {
    struct hf_bytes bytes;
    enum hf_rule rule;
    uint32_t at;
  } bad[] = {
      {HF_LIT(""), HF_RULE_CBOR_END, 0},
      {HF_LIT("\x18"), HF_RULE_CBOR_END, 0},
      {HF_LIT("\x19\x01"), HF_RULE_CBOR_END, 0},
      {HF_LIT("\x1b\x01\x01\x01\x01\x01\x01\x01"), HF_RULE_CBOR_END, 0},
      {HF_LIT("\x44\x01\x02\x03"), HF_RULE_CBOR_END, 0},
      {HF_LIT("\x64\x61"), HF_RULE_CBOR_END, 0},
      {HF_LIT("\x82\x01"), HF_RULE_CBOR_END, 0},
      {HF_LIT("\xa1\x01"), HF_RULE_CBOR_END, 0},
      {HF_LIT("\x9b\xff\xff\xff\xff\xff\xff\xff\xff"), HF_RULE_CBOR_END, 0},
      {HF_LIT("\xbb\x80\x00\x00\x00\x00\x00\x00\x01\x00"), HF_RULE_CBOR_END, 0},
      {HF_LIT("\x5b\xff\xff\xff\xff\xff\xff\xff\xff"), HF_RULE_CBOR_END, 0},
      {HF_LIT("\x18\x17"), HF_RULE_CBOR_SHORTEST, 0},
      {HF_LIT("\x19\x00\xff"), HF_RULE_CBOR_SHORTEST, 0},
      {HF_LIT("\x1a\x00\x00\xff\xff"), HF_RULE_CBOR_SHORTEST, 0},
      {HF_LIT("\x1b\x00\x00\x00\x00\xff\xff\xff\xff"), HF_RULE_CBOR_SHORTEST, 0},
      {HF_LIT("\x38\x00"), HF_RULE_CBOR_SHORTEST, 0},
      {HF_LIT("\x58\x01z"), HF_RULE_CBOR_SHORTEST, 0},
      {HF_LIT("\x81\x78\x01z"), HF_RULE_CBOR_SHORTEST, 1},
      {HF_LIT("\x98\x01\x00"), HF_RULE_CBOR_SHORTEST, 0},
      {HF_LIT("\x5f\x41z\xff"), HF_RULE_CBOR_INDEFINITE, 0},
      {HF_LIT("\x7f\x61z\xff"), HF_RULE_CBOR_INDEFINITE, 0},
      {HF_LIT("\x9f\x01\xff"), HF_RULE_CBOR_INDEFINITE, 0},
      {HF_LIT("\xbf\x01\x01\xff"), HF_RULE_CBOR_INDEFINITE, 0},
      {HF_LIT("\x1c"), HF_RULE_CBOR_RESERVED, 0},
      {HF_LIT("\x5d"), HF_RULE_CBOR_RESERVED, 0},
      {HF_LIT("\xfe"), HF_RULE_CBOR_KIND, 0},
      {HF_LIT("\xff"), HF_RULE_CBOR_KIND, 0},
      {HF_LIT("\xc1\x1a\x51\x4b\x67\xb0"), HF_RULE_CBOR_KIND, 0},
      {HF_LIT("\xf9\x00\x00"), HF_RULE_CBOR_KIND, 0},
      {HF_LIT("\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a"), HF_RULE_CBOR_KIND, 0},
      {HF_LIT("\xf7"), HF_RULE_CBOR_KIND, 0},
      {HF_LIT("\xf0"), HF_RULE_CBOR_KIND, 0},
      {HF_LIT("\xf8\xff"), HF_RULE_CBOR_KIND, 0},
      {HF_LIT("\x61\xff"), HF_RULE_CBOR_TEXT, 0},
      {HF_LIT("\x61\n"), HF_RULE_CBOR_TEXT, 0},
      {HF_LIT("\x62\xc2\x9b"), HF_RULE_CBOR_TEXT, 0},
      {HF_LIT("\xa2\x02\x00\x01\x00"), HF_RULE_CBOR_ORDER, 3},
      {HF_LIT("\xa2\x01\x00\x01\x00"), HF_RULE_CBOR_ORDER, 3},
      {HF_LIT("\xa2\x61\x62\x00\x61\x61\x00"), HF_RULE_CBOR_ORDER, 4},
      {HF_LIT("\xa2\x62\x61\x61\x00\x61\x62\x00"), HF_RULE_CBOR_ORDER, 5},
      {HF_LIT("\xa2\x20\x00\x01\x00"), HF_RULE_CBOR_ORDER, 3},
      {HF_LIT("\xa1\x80\x00"), HF_RULE_CBOR_TYPE, 1},
      {HF_LIT("\xa1\xf6\x00"), HF_RULE_CBOR_TYPE, 1},
      {HF_LIT("\x81\x81\x81\x81\x81\x81\x81\x81\x81\x00"), HF_RULE_CBOR_DEPTH, 8},
      {HF_LIT("\x00\x00"), HF_RULE_CBOR_LEFTOVER, 1},
      {HF_LIT("\x80\xff"), HF_RULE_CBOR_LEFTOVER, 1},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct hf_why why = {0};
    size_t len = bad[i].bytes.len;
    uint8_t *exact = malloc(len + (len == 0));
    assert_non_null(exact);
    memcpy(exact, bad[i].bytes.at, len);
    struct hf_cbor in = hf_cbor_init(hf_bytes_init(exact, len), &why);
    hf_cbor_skip(&in);
    assert_false(hf_cbor_done(&in));
    if (why.rule != bad[i].rule || why.at != bad[i].at) {
      fail_msg("vector %zu: rule %u at %u", i, why.rule, why.at);
    }
    free(exact);
  }
}

static void skips_what_a_newer_peer_sends(void **state)
{
  (void)state;
  static const struct hf_bytes good[] = {
      HF_LIT("\xa2\x61\x61\x01\x61\x62\x82\x02\x03"), /* appendix A: {"a": 1, "b": [2, 3]} */
      HF_LIT("\xa5\x61\x61\x61\x41\x61\x62\x61\x42\x61\x63\x61\x43\x61\x64\x61\x44\x61\x65\x61\x45"),
      HF_LIT("\x82\x61\x61\xa1\x61\x62\x61\x63"), /* ["a", {"b": "c"}] */
      HF_LIT("\x83\x01\x82\x02\x03\x82\x04\x05"),
      HF_LIT("\xa3\x01\x00\x20\x00\x61\x61\x00"), /* keys of three types, in the order of their bytes */
      HF_LIT("\x62\xc3\xbc"),
      HF_LIT("\x63\xe6\xb0\xb4"),
      HF_LIT("\x64\xf0\x90\x85\x91"),
      HF_LIT("\x81\x81\x81\x81\x81\x81\x81\x81\x80"),
      HF_LIT("\xa0"),
  };
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    struct hf_cbor in = hf_cbor_init(good[i], NULL);
    hf_cbor_skip(&in);
    assert_true(hf_cbor_done(&in));
    for (size_t len = 0; len < good[i].len; len++) {
      in = hf_cbor_init(hf_bytes_init(good[i].at, len), NULL);
      hf_cbor_skip(&in);
      assert_false(hf_cbor_done(&in));
    }
  }
}

static void limits_are_the_callers(void **state)
{
  (void)state;
  struct hf_why why = {0};
  struct hf_cbor in = hf_cbor_init(HF_LIT("\x18\x65"), &why);
  assert_int_equal(hf_cbor_uint(&in, 100), 0);
  assert_int_equal(why.rule, HF_RULE_CBOR_LIMIT);
  in = hf_cbor_init(HF_LIT("\x63zzz"), NULL);
  assert_int_equal(hf_cbor_text(&in, 2).len, 0);
  assert_true(hf_cbor_failed(&in));
  in = hf_cbor_init(HF_LIT("\x43zzz"), NULL);
  assert_int_equal(hf_cbor_bytes(&in, 2).len, 0);
  in = hf_cbor_init(HF_LIT("\x83\x01\x01\x01"), NULL);
  assert_int_equal(hf_cbor_array(&in, 2), 0);
  in = hf_cbor_init(HF_LIT("\xa2\x01\x01\x02\x01"), NULL);
  assert_int_equal(hf_cbor_map(&in, 1), 0);
  assert_true(hf_cbor_failed(&in));
}

static void fails_once_and_stays_failed(void **state)
{
  (void)state;
  struct hf_why why = {0};
  struct hf_cbor in = hf_cbor_init(HF_LIT("\x61\x61\x01\xf5\x41z"), &why);
  int64_t last = -1;
  assert_int_equal(hf_cbor_uint(&in, 9), 0); /* a text stands there */
  assert_int_equal(why.rule, HF_RULE_CBOR_TYPE);
  assert_int_equal(hf_cbor_uint(&in, 9), 0);
  assert_false(hf_cbor_bool(&in));
  assert_int_equal(hf_cbor_bytes(&in, 9).len, 0);
  assert_int_equal(hf_cbor_text(&in, 9).len, 0);
  assert_int_equal(hf_cbor_array(&in, 9), 0);
  assert_int_equal(hf_cbor_key(&in, &last), 0);
  assert_int_equal(last, -1);
  assert_int_equal(hf_cbor_type(&in), HF_CBOR_NONE);
  hf_cbor_skip(&in);
  hf_cbor_fail(&in, HF_RULE_CBOR_LIMIT);
  assert_false(hf_cbor_done(&in));
  assert_int_equal(why.rule, HF_RULE_CBOR_TYPE); /* the first one */
  assert_int_equal(why.at, 0);
}

static void keys_rise(void **state)
{
  (void)state;
  struct hf_why why = {0};
  struct hf_cbor in = hf_cbor_init(HF_LIT("\x00\x02\x02"), &why);
  int64_t last = -1;
  assert_int_equal(hf_cbor_key(&in, &last), 0);
  assert_int_equal(hf_cbor_key(&in, &last), 2);
  (void)hf_cbor_key(&in, &last);
  assert_int_equal(why.rule, HF_RULE_CBOR_ORDER);
  assert_int_equal(why.at, 2);
}

static void a_full_buffer_says_so(void **state)
{
  (void)state;
  uint8_t room[4];
  for (size_t cap = 0; cap < 4; cap++) {
    struct hf_buf out = hf_buf_init(room, cap);
    hf_cbor_put_text(&out, HF_LIT("abc"));
    assert_true(out.failed);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(integers_are_those_of_appendix_a),
      cmocka_unit_test(the_largest_unsigned_integer_is_no_signed_one),
      cmocka_unit_test(reads_and_writes_every_type),
      cmocka_unit_test(refuses_what_is_not_deterministic),
      cmocka_unit_test(skips_what_a_newer_peer_sends),
      cmocka_unit_test(limits_are_the_callers),
      cmocka_unit_test(fails_once_and_stays_failed),
      cmocka_unit_test(keys_rise),
      cmocka_unit_test(a_full_buffer_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
