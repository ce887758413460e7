/* SPDX-License-Identifier: Apache-2.0
 * Time values against the C library's calendar, and checked arithmetic.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "hf/base/math.h"
#include "hf/base/time.h"

static void agrees_with_the_c_library_from_1970_to_9999(void **state)
{
  (void)state;
  for (int64_t seconds = 0; seconds <= HF_TIME_MAX; seconds += 86400 * 3 + 7919) {
    time_t native = (time_t)seconds;
    struct tm parts;
    char want[32];
    uint8_t room[HF_TIME_TEXT_LEN];
    struct hf_buf out = hf_buf_init(room, sizeof room);
    int64_t again = -1;
    assert_non_null(gmtime_r(&native, &parts));
    assert_int_equal(strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%SZ", &parts), HF_TIME_TEXT_LEN);
    hf_time_put(&out, seconds);
    assert_memory_equal(room, want, HF_TIME_TEXT_LEN);
    assert_int_equal(hf_time_parse(&again, hf_buf_bytes(&out)), HF_OK);
    assert_true(again == seconds);
  }
}

static void the_ends_of_time_are_exact(void **state)
{
  (void)state;
  int64_t seconds = -1;
  assert_int_equal(hf_time_parse(&seconds, HF_LIT("1970-01-01T00:00:00Z")), HF_OK);
  assert_true(seconds == 0);
  assert_int_equal(hf_time_parse(&seconds, HF_LIT("9999-12-31T23:59:59Z")), HF_OK);
  assert_true(seconds == HF_TIME_MAX);
  uint8_t room[2 * HF_TIME_TEXT_LEN];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_time_put(&out, INT64_MIN);
  hf_time_put(&out, INT64_MAX);
  assert_true(hf_bytes_is(hf_buf_bytes(&out), "1970-01-01T00:00:00Z9999-12-31T23:59:59Z"));
}

static void refuses_other_forms_and_impossible_dates(void **state)
{
  (void)state;
  static const char *const bad[] = {
      "",
      "2026-11-20",
      "2026-11-20T10:44:31",
      "2026-11-20T10:44:31+00:00",
      "2026-11-20T10:44:31.0Z",
      "2026-11-20t10:44:31Z",
      "2026-11-20T10:44:31z",
      "2026-11-20 10:44:31Z",
      "2026-11-20T10:44:31ZZ",
      " 2026-11-20T10:44:31",
      "2026-1-20T10:44:31ZZ",
      "20a6-11-20T10:44:31Z",
      "+026-11-20T10:44:31Z",
      "1969-12-31T23:59:59Z",
      "2026-00-20T10:44:31Z",
      "2026-13-20T10:44:31Z",
      "2026-11-00T10:44:31Z",
      "2026-11-31T10:44:31Z",
      "2026-02-29T10:44:31Z",
      "2100-02-29T10:44:31Z",
      "2026-11-20T24:00:00Z",
      "2026-11-20T10:60:31Z",
      "2016-12-31T23:59:60Z",
  };
  int64_t seconds;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    if (hf_time_parse(&seconds, hf_bytes_text(bad[i])) != HF_E_INPUT) {
      fail_msg("accepted %s", bad[i]);
    }
  }
  assert_int_equal(hf_time_parse(&seconds, HF_LIT("2000-02-29T00:00:00Z")), HF_OK);
  assert_int_equal(hf_time_parse(&seconds, HF_LIT("2028-02-29T00:00:00Z")), HF_OK);
}

static void sums_that_do_not_fit_are_told(void **state)
{
  (void)state;
  size_t size;
  uint32_t u32;
  assert_true(hf_add_size(&size, SIZE_MAX - 1, 1) && size == SIZE_MAX);
  assert_false(hf_add_size(&size, SIZE_MAX, 1));
  assert_true(hf_mul_size(&size, SIZE_MAX / 2, 2));
  assert_false(hf_mul_size(&size, SIZE_MAX / 2 + 1, 2));
  assert_true(hf_add_u32(&u32, UINT32_MAX - 1, 1) && u32 == UINT32_MAX);
  assert_false(hf_add_u32(&u32, UINT32_MAX, 1));
  assert_true(hf_add_sat_i64(INT64_MAX, 1) == INT64_MAX);
  assert_true(hf_add_sat_i64(INT64_MIN, -1) == INT64_MIN);
  assert_true(hf_add_sat_i64(INT64_MAX, -1) == INT64_MAX - 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(agrees_with_the_c_library_from_1970_to_9999),
      cmocka_unit_test(the_ends_of_time_are_exact),
      cmocka_unit_test(refuses_other_forms_and_impossible_dates),
      cmocka_unit_test(sums_that_do_not_fit_are_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
