/* SPDX-License-Identifier: Apache-2.0
 * MCUboot's trailers, byte for byte: the golden bytes below are written out by hand from the documented layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "hf/device/trailer.h"
#include "ports/sim/simflash.h"

enum { SECTOR = 4096, SLOT = 8 * SECTOR };

struct pair {
  struct simflash flash;
  struct hf_area slot[HF_SLOTS];
};

static void pair_init(struct pair *pair, uint32_t align, uint8_t erased)
{
  simflash_init(&pair->flash, 2 * SLOT, SECTOR, align, erased);
  pair->slot[0] = simflash_area(&pair->flash, 0, SLOT);
  pair->slot[1] = simflash_area(&pair->flash, SLOT, SLOT);
}

/* The last bytes of slot 1 as they stand in flash. */
static const uint8_t *tail(const struct pair *pair, size_t len) { return pair->flash.at + 2 * SLOT - len; }

static void eight_byte_fields_are_as_documented(void **state)
{
  (void)state;
  static const uint8_t golden[] = {0x00, 0x12, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, /* swap size 0x1200 */
                                   0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* swap info: test, image 0 */
                                   0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* copy done */
                                   0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* image ok */
                                   0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f, /* magic */
                                   0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80};
  static const uint32_t aligns[] = {1, 4, 8};
  for (size_t i = 0; i < 3; i++) {
    struct pair pair;
    const struct hf_trailer_format format = {.mode = HF_BOOT_SWAP_MOVE};
    pair_init(&pair, aligns[i], 0xff);
    assert_int_equal(hf_trailer_check(&format, pair.slot), HF_OK);
    assert_int_equal(hf_trailer_put(&format, &pair.slot[1], HF_FIELD_SWAP_SIZE, "\x00\x12\x00\x00", 4), HF_OK);
    assert_int_equal(hf_trailer_put(&format, &pair.slot[1], HF_FIELD_SWAP_INFO, "\x02", 1), HF_OK);
    assert_int_equal(hf_trailer_put_flag(&format, &pair.slot[1], HF_FIELD_COPY_DONE), HF_OK);
    assert_int_equal(hf_trailer_put_flag(&format, &pair.slot[1], HF_FIELD_IMAGE_OK), HF_OK);
    assert_int_equal(hf_trailer_put_magic(&format, &pair.slot[1]), HF_OK);
    assert_memory_equal(tail(&pair, sizeof golden), golden, sizeof golden);
    struct hf_trailer trailer;
    assert_int_equal(hf_trailer_get(&trailer, &format, &pair.slot[1]), HF_OK);
    assert_int_equal(trailer.magic, HF_MARK_GOOD);
    assert_int_equal(trailer.image_ok, HF_MARK_GOOD);
    assert_int_equal(trailer.copy_done, HF_MARK_GOOD);
    assert_int_equal(trailer.swap_type, HF_SWAP_TEST);
    assert_int_equal(trailer.swap_size, 0x1200);
    /* 128 sectors of three records, four fields, magic: MCUboot's own example for align 8 is 3072 + 48. */
    assert_int_equal(hf_trailer_len(&format, aligns[i]), 128 * 3 * aligns[i] + 48);
    assert_int_equal(pair.flash.breaches, 0);
    simflash_free(&pair.flash);
  }
}

static void sixteen_byte_fields_have_the_other_magic(void **state)
{
  (void)state;
  static const uint8_t golden[] = {0x34, 0x12, 0x00, 0x00, 0,    0,    0,    0,
                                   0,    0,    0,    0,    0,    0,    0,    0, /* swap size, erased value 0 */
                                   0x14, 0,    0,    0,    0,    0,    0,    0,
                                   0,    0,    0,    0,    0,    0,    0,    0, /* swap info: revert, image 1 */
                                   0x01, 0,    0,    0,    0,    0,    0,    0,
                                   0,    0,    0,    0,    0,    0,    0,    0, /* copy done */
                                   0x01, 0,    0,    0,    0,    0,    0,    0,
                                   0,    0,    0,    0,    0,    0,    0,    0, /* image ok */
                                   0x10, 0x00, 0x2d, 0xe1, 0x5d, 0x29, 0x41, 0x0b,
                                   0x8d, 0x77, 0x67, 0x9c, 0x11, 0x0f, 0x1f, 0x8a};
  struct pair pair;
  const struct hf_trailer_format format = {.mode = HF_BOOT_SWAP_MOVE};
  pair_init(&pair, 16, 0x00);
  assert_int_equal(hf_trailer_put_magic(&format, &pair.slot[1]), HF_OK);
  assert_int_equal(hf_trailer_put_flag(&format, &pair.slot[1], HF_FIELD_IMAGE_OK), HF_OK);
  assert_int_equal(hf_trailer_put_flag(&format, &pair.slot[1], HF_FIELD_COPY_DONE), HF_OK);
  assert_int_equal(hf_trailer_put(&format, &pair.slot[1], HF_FIELD_SWAP_INFO, "\x14", 1), HF_OK);
  assert_int_equal(hf_trailer_put(&format, &pair.slot[1], HF_FIELD_SWAP_SIZE, "\x34\x12\x00\x00", 4), HF_OK);
  assert_memory_equal(tail(&pair, sizeof golden), golden, sizeof golden);
  struct hf_trailer trailer;
  assert_int_equal(hf_trailer_get(&trailer, &format, &pair.slot[1]), HF_OK);
  assert_int_equal(trailer.swap_type, HF_SWAP_REVERT);
  assert_int_equal(trailer.image, 1);
  simflash_free(&pair.flash);
}

static void thirty_two_byte_fields_pad_in_front_of_the_magic(void **state)
{
  (void)state;
  uint8_t golden[64];
  memset(golden, 0xff, sizeof golden);
  golden[0] = 0x01; /* image ok, a whole field; then 16 of padding and the magic in one field */
  static const uint8_t magic[] = {0x20, 0x00, 0x2d, 0xe1, 0x5d, 0x29, 0x41, 0x0b,
                                  0x8d, 0x77, 0x67, 0x9c, 0x11, 0x0f, 0x1f, 0x8a};
  memcpy(golden + 48, magic, sizeof magic);
  struct pair pair;
  const struct hf_trailer_format format = {
      .mode = HF_BOOT_SWAP_OFFSET, .align_max = 32, .tlv_sizes = true, .key_len = 16};
  pair_init(&pair, 16, 0xff);
  assert_int_equal(hf_trailer_check(&format, pair.slot), HF_OK);
  assert_int_equal(hf_trailer_put_magic(&format, &pair.slot[1]), HF_OK);
  assert_int_equal(hf_trailer_put_flag(&format, &pair.slot[1], HF_FIELD_IMAGE_OK), HF_OK);
  assert_memory_equal(tail(&pair, sizeof golden), golden, sizeof golden);
  const struct hf_area *slot = &pair.slot[1];
  assert_int_equal(hf_trailer_at(&format, slot, HF_FIELD_COPY_DONE), SLOT - 96);
  assert_int_equal(hf_trailer_at(&format, slot, HF_FIELD_SWAP_INFO), SLOT - 128);
  assert_int_equal(hf_trailer_at(&format, slot, HF_FIELD_TLV_SIZES), SLOT - 160);
  assert_int_equal(hf_trailer_at(&format, slot, HF_FIELD_SWAP_SIZE), SLOT - 192);
  assert_int_equal(hf_trailer_at(&format, slot, HF_FIELD_KEY_0), SLOT - 224);
  assert_int_equal(hf_trailer_at(&format, slot, HF_FIELD_KEY_1), SLOT - 256);
  assert_int_equal(hf_trailer_at(&format, slot, HF_FIELD_STATUS), SLOT - 256 - 128 * 2 * 16);
  simflash_free(&pair.flash);
}

static void anything_else_is_a_bad_mark(void **state)
{
  (void)state;
  struct pair pair;
  const struct hf_trailer_format format = {.mode = HF_BOOT_SWAP_MOVE};
  struct hf_trailer trailer;
  pair_init(&pair, 8, 0xff);
  assert_int_equal(hf_trailer_get(&trailer, &format, &pair.slot[0]), HF_OK);
  assert_int_equal(trailer.magic, HF_MARK_UNSET);
  assert_int_equal(trailer.image_ok, HF_MARK_UNSET);
  assert_int_equal(trailer.swap_type, HF_SWAP_NONE);
  pair.flash.at[SLOT - 1] = 0x7f;
  pair.flash.at[SLOT - 24] = 0x03;
  pair.flash.at[SLOT - 40] = 0x07;
  assert_int_equal(hf_trailer_get(&trailer, &format, &pair.slot[0]), HF_OK);
  assert_int_equal(trailer.magic, HF_MARK_BAD);
  assert_int_equal(trailer.image_ok, HF_MARK_BAD);
  assert_int_equal(trailer.swap_type, HF_SWAP_NONE);
  pair.flash.fail_reads = true;
  assert_int_equal(hf_trailer_get(&trailer, &format, &pair.slot[0]), HF_E_IO);
  simflash_free(&pair.flash);
}

static void the_swap_type_follows_the_documented_table(void **state)
{
  (void)state;
  /* Every combination, against the three rows of the document. */
  for (unsigned i = 0; i < 243; i++) {
    enum hf_trailer_mark mark[5];
    for (unsigned j = 0, rest = i; j < 5; j++, rest /= 3) {
      mark[j] = (enum hf_trailer_mark)(rest % 3);
    }
    const struct hf_trailer primary = {.magic = mark[0], .image_ok = mark[1], .copy_done = mark[2]};
    const struct hf_trailer secondary = {.magic = mark[3], .image_ok = mark[4]};
    enum hf_swap_type wanted = HF_SWAP_NONE;
    if (mark[3] == HF_MARK_GOOD) {
      wanted = mark[4] == HF_MARK_UNSET ? HF_SWAP_TEST : mark[4] == HF_MARK_GOOD ? HF_SWAP_PERM : HF_SWAP_NONE;
    } else if (mark[3] == HF_MARK_UNSET && mark[0] == HF_MARK_GOOD && mark[1] == HF_MARK_UNSET &&
               mark[2] == HF_MARK_GOOD) {
      wanted = HF_SWAP_REVERT;
    }
    assert_int_equal(hf_trailer_swap_type(&primary, &secondary), wanted);
  }
}

static void erasing_leaves_the_image_alone(void **state)
{
  (void)state;
  struct pair pair;
  const struct hf_trailer_format format = {.mode = HF_BOOT_SWAP_MOVE};
  pair_init(&pair, 8, 0xff);
  memset(pair.flash.at, 0x55, 2 * SLOT);
  assert_int_equal(hf_trailer_sector(&format, &pair.slot[0]), 7);
  assert_int_equal(hf_trailer_erase(&format, &pair.slot[0]), HF_OK);
  assert_int_equal(pair.flash.at[7 * SECTOR - 1], 0x55);
  assert_int_equal(pair.flash.at[7 * SECTOR], 0xff);
  assert_int_equal(pair.flash.at[SLOT - 1], 0xff);
  assert_int_equal(pair.flash.at[SLOT], 0x55);
  simflash_free(&pair.flash);
}

static void knows_how_large_an_image_can_be(void **state)
{
  (void)state;
  struct pair pair;
  struct hf_trailer_format format = {.mode = HF_BOOT_SWAP_MOVE};
  pair_init(&pair, 8, 0xff);
  assert_int_equal(hf_trailer_room(&format, pair.slot), 6 * SECTOR);
  format.mode = HF_BOOT_SWAP_OFFSET;
  assert_int_equal(hf_trailer_room(&format, pair.slot), 6 * SECTOR);
  format.mode = HF_BOOT_OVERWRITE;
  assert_int_equal(hf_trailer_room(&format, pair.slot), 7 * SECTOR);
  simflash_free(&pair.flash);
}

static void refuses_impossible_formats(void **state)
{
  (void)state;
  struct pair pair;
  pair_init(&pair, 16, 0xff);
  struct hf_trailer_format format = {.mode = HF_BOOT_SWAP_MOVE, .align_max = 8};
  assert_int_equal(hf_trailer_check(&format, pair.slot), HF_E_INPUT); /* fields narrower than a write */
  format.align_max = 24;
  assert_int_equal(hf_trailer_check(&format, pair.slot), HF_E_INPUT);
  format.align_max = 16;
  assert_int_equal(hf_trailer_check(&format, pair.slot), HF_OK);
  format.sectors_max = 7;
  assert_int_equal(hf_trailer_check(&format, pair.slot), HF_E_INPUT); /* fewer records than sectors */
  format.sectors_max = 1024;
  assert_int_equal(hf_trailer_check(&format, pair.slot), HF_E_INPUT); /* a trailer larger than the slot */
  format.sectors_max = 0;
  format.mode = HF_BOOT_DIRECT;
  assert_int_equal(hf_trailer_check(&format, pair.slot), HF_E_INPUT);
  format.mode = HF_BOOT_SWAP_MOVE;
  pair.slot[1].size -= SECTOR;
  assert_int_equal(hf_trailer_check(&format, pair.slot), HF_OK);
  pair.slot[1].align = 8;
  assert_int_equal(hf_trailer_check(&format, pair.slot), HF_E_INPUT);
  simflash_free(&pair.flash);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(eight_byte_fields_are_as_documented),
      cmocka_unit_test(sixteen_byte_fields_have_the_other_magic),
      cmocka_unit_test(thirty_two_byte_fields_pad_in_front_of_the_magic),
      cmocka_unit_test(anything_else_is_a_bad_mark),
      cmocka_unit_test(the_swap_type_follows_the_documented_table),
      cmocka_unit_test(erasing_leaves_the_image_alone),
      cmocka_unit_test(knows_how_large_an_image_can_be),
      cmocka_unit_test(refuses_impossible_formats),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
