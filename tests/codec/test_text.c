/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hf/codec/text.h"

/* RFC 4648 section 10. */
static const char *const base64[][2] = {{"", ""},
                                        {"f", "Zg=="},
                                        {"fo", "Zm8="},
                                        {"foo", "Zm9v"},
                                        {"foob", "Zm9vYg=="},
                                        {"fooba", "Zm9vYmE="},
                                        {"foobar", "Zm9vYmFy"},
                                        {"\xfb\xff\xbf", "+/+/"}};

static void base64_is_that_of_rfc_4648(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof base64 / sizeof base64[0]; i++) {
    uint8_t room[16];
    struct hf_buf out = hf_buf_init(room, sizeof room);
    hf_base64_put(&out, hf_bytes_text(base64[i][0]));
    assert_true(hf_bytes_is(hf_buf_bytes(&out), base64[i][1]));
    out.len = 0;
    assert_int_equal(hf_base64_parse(&out, hf_bytes_text(base64[i][1])), HF_OK);
    assert_true(hf_bytes_is(hf_buf_bytes(&out), base64[i][0]));
  }
}

static void base64_skips_blanks_and_line_ends_only(void **state)
{
  (void)state;
  uint8_t room[16];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_base64_parse(&out, HF_LIT(" Z\r\nm 9\tvYg=\n=\r\n")), HF_OK);
  assert_true(hf_bytes_is(hf_buf_bytes(&out), "foob"));
}

static void base64_refuses_everything_else(void **state)
{
  (void)state;
  static const char *const bad[] = {
      "Z",    "Zg",       "Zg=",    "Zg===", "=",    "==",      "====", "Z===", "Zh==", /* spare bits */
      "Zm9=", "Zg==Zg==", "Zg==\v", "Zm9-",  "Zm9_", "Zm 9v Y", "Zg=x", "Z=g="};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    uint8_t room[16] = "keep";
    struct hf_buf out = hf_buf_init(room, sizeof room);
    out.len = 4;
    if (hf_base64_parse(&out, hf_bytes_text(bad[i])) != HF_E_INPUT) {
      fail_msg("accepted %s", bad[i]);
    }
    assert_int_equal(out.len, 4);
  }
}

static void base64_tells_when_there_is_no_room(void **state)
{
  (void)state;
  uint8_t room[5];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_base64_parse(&out, HF_LIT("Zm9vYmFy")), HF_E_SPACE);
  assert_int_equal(out.len, 0);
}

static void hex_takes_both_cases_and_gives_one(void **state)
{
  (void)state;
  uint8_t room[8];
  uint8_t bytes[4];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_hex_parse(bytes, 4, HF_LIT("00fFAb9C")), HF_OK);
  hf_hex_put(&out, hf_bytes_init(bytes, 4));
  assert_true(hf_bytes_is(hf_buf_bytes(&out), "00ffab9c"));
}

static void hex_refuses_other_lengths_and_characters(void **state)
{
  (void)state;
  static const char *const bad[] = {"", "0", "000", "00000", "0g00", "00 0", "-100", "0x00"};
  uint8_t bytes[2];
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(hf_hex_parse(bytes, 2, hf_bytes_text(bad[i])), HF_E_INPUT);
  }
  assert_int_equal(hf_hex_parse(bytes, SIZE_MAX / 2 + 2, HF_LIT("00")), HF_E_INPUT); /* 2 * len would wrap */
}

/* The number of well-formed sequences of each length is known, so nothing is missing and nothing is too much. */
static void utf8_has_as_many_characters_as_unicode(void **state)
{
  (void)state;
  size_t counts[5] = {0};
  for (uint32_t code = 0; code < 0x1000000; code++) {
    uint8_t bytes[4] = {(uint8_t)(code >> 16), (uint8_t)(code >> 8), (uint8_t)code, 0x80};
    counts[2] += code < 0x10000 && bytes[1] >= 0x80 && hf_utf8_check(hf_bytes_init(bytes + 1, 2));
    counts[3] += bytes[0] >= 0xe0 && bytes[0] < 0xf0 && hf_utf8_check(hf_bytes_init(bytes, 3));
    counts[4] += bytes[0] >= 0xf0 && hf_utf8_check(hf_bytes_init(bytes, 4));
  }
  assert_int_equal(counts[2], 0x800 - 0x80);
  assert_int_equal(counts[3], 0x10000 - 0x800 - 0x800);
  assert_int_equal(counts[4], (0x110000 - 0x10000) / 64); /* the last byte was held at 0x80 */
}

static void utf8_tells_where_it_ends(void **state)
{
  (void)state;
  assert_int_equal(hf_utf8_prefix(HF_LIT("ab\xc3\xa9\xff")), 4);
  assert_int_equal(hf_utf8_prefix(HF_LIT("\xe2\x82")), 0);
  assert_true(hf_utf8_check(HF_LIT("")));
  assert_false(hf_utf8_check(HF_LIT("\xc3")));
}

static void plain_text_has_no_control_characters(void **state)
{
  (void)state;
  assert_true(hf_utf8_plain(HF_LIT("a\xc3\xa9 \xc2\xa0~")));
  static const struct hf_bytes bad[] = {HF_LIT("\0"),       HF_LIT("a\n"),      HF_LIT("\x1b[0m"), HF_LIT("\x7f"),
                                        HF_LIT("\xc2\x80"), HF_LIT("\xc2\x9b"), HF_LIT("\xc2"),    HF_LIT("\xff")};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_false(hf_utf8_plain(bad[i]));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(base64_is_that_of_rfc_4648),
      cmocka_unit_test(base64_skips_blanks_and_line_ends_only),
      cmocka_unit_test(base64_refuses_everything_else),
      cmocka_unit_test(base64_tells_when_there_is_no_room),
      cmocka_unit_test(hex_takes_both_cases_and_gives_one),
      cmocka_unit_test(hex_refuses_other_lengths_and_characters),
      cmocka_unit_test(utf8_has_as_many_characters_as_unicode),
      cmocka_unit_test(utf8_tells_where_it_ends),
      cmocka_unit_test(plain_text_has_no_control_characters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
