/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hf/codec/der.h"

static void lengths_have_one_form(void **state)
{
  (void)state;
  static uint8_t content[65536];
  static uint8_t room[65536 + 8];
  static const size_t lens[] = {0, 1, 127, 128, 255, 256, 65535};
  static const size_t heads[] = {2, 2, 2, 3, 3, 4, 4};
  for (size_t i = 0; i < 7; i++) {
    struct hf_buf out = hf_buf_init(room, sizeof room);
    hf_der_put(&out, 0x04, hf_bytes_init(content, lens[i]));
    assert_int_equal(out.len, lens[i] + heads[i]);
    struct hf_cursor cur = hf_cursor_init(hf_buf_bytes(&out));
    assert_int_equal(hf_der_take(&cur, 0x04).len, lens[i]);
    assert_true(hf_cursor_done(&cur));
  }
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_der_put(&out, 0x04, hf_bytes_init(content, 65536));
  assert_true(out.failed);
}

static void refuses_elements_that_are_not_der(void **state)
{
  (void)state;
  static const struct hf_bytes bad[] = {
      HF_LIT(""),
      HF_LIT("\x04"),
      HF_LIT("\x04\x01"),
      HF_LIT("\x05\x00"),          /* another tag */
      HF_LIT("\x04\x81\x01z"),     /* long form of a short length */
      HF_LIT("\x04\x81\x7fz"),     /* and at its edge */
      HF_LIT("\x04\x82\x00\x80z"), /* two bytes where one does */
      HF_LIT("\x04\x82\x00\xffz"),
      HF_LIT("\x04\x80\x00\x00"),     /* indefinite */
      HF_LIT("\x04\x83\x01\x00\x00"), /* above 65,535 */
      HF_LIT("\x04\x84\xff\xff\xff\xff"),
      HF_LIT("\x04\x81\x80z"), /* longer than the input */
      HF_LIT("\x04\xff"),
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct hf_cursor cur = hf_cursor_init(bad[i]);
    assert_int_equal(hf_der_take(&cur, 0x04).len, 0);
    assert_true(cur.failed);
  }
}

/* With all the content there, so that the length alone is wrong. */
static void refuses_the_long_form_of_a_length_that_fits_the_short(void **state)
{
  (void)state;
  uint8_t element[4 + 0xff] = {0x04, 0x81, 0x7f};
  struct hf_cursor cur = hf_cursor_init(hf_bytes_init(element, 3 + 0x7f));
  (void)hf_der_take(&cur, 0x04);
  assert_true(cur.failed);
  element[1] = 0x82;
  element[2] = 0x00;
  element[3] = 0xff;
  cur = hf_cursor_init(hf_bytes_init(element, sizeof element));
  (void)hf_der_take(&cur, 0x04);
  assert_true(cur.failed);
}

static void splits_a_signature_into_its_halves(void **state)
{
  (void)state;
  uint8_t r[32];
  uint8_t s[32];
  uint8_t want[32] = {0};
  want[31] = 1;
  assert_int_equal(hf_der_get_ecdsa(r, s, 32, HF_LIT("\x30\x08\x02\x01\x01\x02\x03\x00\x80\x02")), HF_OK);
  assert_memory_equal(r, want, 32);
  want[30] = 0x80;
  want[31] = 0x02;
  assert_memory_equal(s, want, 32);
}

static void refuses_signatures_in_any_other_form(void **state)
{
  (void)state;
  static const struct hf_bytes bad[] = {
      HF_LIT(""),
      HF_LIT("\x30\x00"),
      HF_LIT("\x30\x03\x02\x01\x01"),
      HF_LIT("\x31\x06\x02\x01\x01\x02\x01\x01"),
      HF_LIT("\x30\x06\x02\x01\x01\x02\x01\x01\x00"),         /* bytes after */
      HF_LIT("\x30\x09\x02\x01\x01\x02\x01\x01\x02\x01\x01"), /* a third integer */
      HF_LIT("\x30\x06\x02\x01\x00\x02\x01\x01"),             /* r = 0 */
      HF_LIT("\x30\x06\x02\x01\x01\x02\x01\x00"),             /* s = 0 */
      HF_LIT("\x30\x06\x02\x01\x80\x02\x01\x01"),             /* negative */
      HF_LIT("\x30\x07\x02\x02\x00\x01\x02\x01\x01"),         /* a zero byte too many */
      HF_LIT("\x30\x05\x02\x00\x02\x01\x01"),                 /* no bytes */
      HF_LIT("\x30\x81\x06\x02\x01\x01\x02\x01\x01"),
  };
  uint8_t r[32];
  uint8_t s[32];
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(hf_der_get_ecdsa(r, s, 32, bad[i]), HF_E_INPUT);
  }
  /* 33 significant bytes do not fit 32. */
  uint8_t wide[41] = {0x30, 39, 0x02, 34, 0x00, 0x80, [38] = 0x02, [39] = 0x01, [40] = 0x01};
  uint8_t wide_r[33];
  uint8_t wide_s[33];
  assert_int_equal(hf_der_get_ecdsa(r, s, 32, hf_bytes_init(wide, sizeof wide)), HF_E_INPUT);
  assert_int_equal(hf_der_get_ecdsa(wide_r, wide_s, 33, hf_bytes_init(wide, sizeof wide)), HF_OK);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lengths_have_one_form),
      cmocka_unit_test(refuses_elements_that_are_not_der),
      cmocka_unit_test(refuses_the_long_form_of_a_length_that_fits_the_short),
      cmocka_unit_test(splits_a_signature_into_its_halves),
      cmocka_unit_test(refuses_signatures_in_any_other_form),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
