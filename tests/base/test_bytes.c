/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hf/base/bytes.h"

static void views_compare_by_bytes_and_length(void **state)
{
  (void)state;
  assert_true(hf_bytes_equal(HF_LIT("ab"), HF_LIT("ab")));
  assert_false(hf_bytes_equal(HF_LIT("ab"), HF_LIT("a")));
  assert_false(hf_bytes_equal(HF_LIT("ab"), HF_LIT("aB")));
  assert_true(hf_bytes_equal((struct hf_bytes){NULL, 0}, HF_LIT("")));
  assert_true(hf_bytes_is(HF_LIT("ab"), "ab"));
  assert_false(hf_bytes_is(HF_LIT("ab\0"), "ab"));
  assert_int_equal(hf_bytes_text(NULL).len, 0);
}

static void order_is_by_bytes_then_by_length(void **state)
{
  (void)state;
  static const struct hf_bytes ascending[] = {HF_LIT(""),  HF_LIT("\0"),   HF_LIT("A"),    HF_LIT("a"),   HF_LIT("aa"),
                                              HF_LIT("b"), HF_LIT("\x7f"), HF_LIT("\x80"), HF_LIT("\xff")};
  for (int i = 0; i < 9; i++) {
    for (int j = 0; j < 9; j++) {
      assert_int_equal(hf_bytes_order(ascending[i], ascending[j]), (i > j) - (i < j));
    }
  }
}

static void secrets_compare_and_wipe(void **state)
{
  (void)state;
  uint8_t a[4] = {1, 2, 3, 4};
  uint8_t b[4] = {1, 2, 3, 4};
  assert_true(hf_secret_equal(a, b, 4));
  for (size_t bit = 0; bit < 32; bit++) {
    b[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_false(hf_secret_equal(a, b, 4));
    b[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  assert_true(hf_secret_equal(a, b, 0));
  hf_secret_wipe(a, 3);
  assert_memory_equal(a, "\0\0\0\4", 4);
}

static void a_buffer_fails_once_and_keeps_what_it_has(void **state)
{
  (void)state;
  uint8_t room[4] = {9, 9, 9, 9};
  struct hf_buf buf = hf_buf_init(room, 3);
  hf_buf_put_text(&buf, "ab");
  hf_buf_put_text(&buf, "cd");
  assert_true(buf.failed);
  hf_buf_put_u8(&buf, 'e'); /* would fit, but comes after what was dropped */
  assert_true(hf_bytes_is(hf_buf_bytes(&buf), "ab"));
  assert_int_equal(room[2], 9);
  assert_int_equal(hf_buf_terminate(&buf), HF_E_SPACE);
}

static void terminating_needs_room_for_the_nul(void **state)
{
  (void)state;
  uint8_t room[3];
  struct hf_buf buf = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&buf, "ab");
  assert_int_equal(hf_buf_terminate(&buf), HF_OK);
  assert_string_equal((const char *)room, "ab");
  assert_int_equal(buf.len, 2);
  hf_buf_put_u8(&buf, 'c');
  assert_int_equal(hf_buf_terminate(&buf), HF_E_SPACE);
}

static void integers_go_out_and_come_back(void **state)
{
  (void)state;
  uint8_t room[32];
  struct hf_buf buf = hf_buf_init(room, sizeof room);
  hf_buf_put_u8(&buf, 0x01);
  hf_buf_put_be16(&buf, 0x0203);
  hf_buf_put_be32(&buf, 0x04050607);
  hf_buf_put_be64(&buf, UINT64_C(0x08090a0b0c0d0e0f));
  hf_buf_put_le16(&buf, 0x1110);
  hf_buf_put_le32(&buf, 0xf5141312);
  assert_int_equal(buf.len, 21);
  assert_memory_equal(room, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\xf5", 21);
  struct hf_cursor cur = hf_cursor_init(hf_buf_bytes(&buf));
  assert_int_equal(hf_cursor_u8(&cur), 0x01);
  assert_int_equal(hf_cursor_be16(&cur), 0x0203);
  assert_int_equal(hf_cursor_be32(&cur), 0x04050607);
  assert_true(hf_cursor_be64(&cur) == UINT64_C(0x08090a0b0c0d0e0f));
  assert_int_equal(hf_cursor_le16(&cur), 0x1110);
  assert_true(hf_cursor_le32(&cur) == 0xf5141312);
  assert_true(hf_cursor_done(&cur));
  assert_int_equal(cur.pos, 21);
}

static void decimal_digits_reach_the_largest_number(void **state)
{
  (void)state;
  uint8_t room[32];
  struct hf_buf buf = hf_buf_init(room, sizeof room);
  hf_buf_put_uint(&buf, 0);
  hf_buf_put_u8(&buf, ' ');
  hf_buf_put_uint(&buf, UINT64_MAX);
  assert_true(hf_bytes_is(hf_buf_bytes(&buf), "0 18446744073709551615"));
}

/* Short reads at every byte: zeros from there on, and no byte beyond the end is touched. */
static void a_cursor_fails_once_and_stays_failed(void **state)
{
  (void)state;
  static const uint8_t data[7] = {1, 2, 3, 4, 5, 6, 7};
  for (size_t len = 0; len < 7; len++) {
    struct hf_cursor cur = hf_cursor_init(hf_bytes_init(data, len));
    uint32_t a = hf_cursor_be32(&cur);
    uint16_t b = hf_cursor_be16(&cur);
    uint8_t c = hf_cursor_u8(&cur);
    assert_true(cur.failed);
    assert_false(hf_cursor_done(&cur));
    assert_int_equal(a, len >= 4 ? 0x01020304 : 0);
    assert_int_equal(b, len >= 6 ? 0x0506 : 0);
    assert_int_equal(c, 0);
    assert_int_equal(hf_cursor_take(&cur, 0).len, 0);
    assert_null(hf_cursor_take(&cur, 1).at);
  }
}

static void left_over_bytes_are_not_done(void **state)
{
  (void)state;
  struct hf_cursor cur = hf_cursor_init(HF_LIT("ab"));
  assert_true(hf_bytes_is(hf_cursor_take(&cur, 1), "a"));
  assert_false(hf_cursor_done(&cur));
  assert_int_equal(hf_cursor_take(&cur, SIZE_MAX).len, 0);
  assert_true(cur.failed);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(views_compare_by_bytes_and_length),
      cmocka_unit_test(order_is_by_bytes_then_by_length),
      cmocka_unit_test(secrets_compare_and_wipe),
      cmocka_unit_test(a_buffer_fails_once_and_keeps_what_it_has),
      cmocka_unit_test(terminating_needs_room_for_the_nul),
      cmocka_unit_test(integers_go_out_and_come_back),
      cmocka_unit_test(decimal_digits_reach_the_largest_number),
      cmocka_unit_test(a_cursor_fails_once_and_stays_failed),
      cmocka_unit_test(left_over_bytes_are_not_done),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
