/* SPDX-License-Identifier: Apache-2.0
 * The slot writer: alignment, erase ahead, resume.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "hf/device/slot.h"
#include "ports/sim/simflash.h"

enum { SECTOR = 256, SIZE = 8 * SECTOR };

static const uint32_t aligns[] = {1, 4, 8, 16};
static const uint8_t erased_values[] = {0xff, 0x00};

static uint8_t image[SIZE];

static int fill(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof image; i++) {
    image[i] = (uint8_t)(i * 31 + i / 256);
  }
  return 0;
}

static void put_pieces(struct hf_slot_writer *writer, uint32_t from, uint32_t to, uint32_t piece)
{
  for (uint32_t at = from; at < to; at += piece) {
    uint32_t len = to - at < piece ? to - at : piece;
    assert_int_equal(hf_slot_put(writer, hf_bytes_init(image + at, len)), HF_OK);
  }
}

static void check_digest(const uint8_t digest[HF_SHA256_LEN], uint32_t len)
{
  uint8_t want[HF_SHA256_LEN];
  hf_sha256(want, hf_bytes_init(image, len));
  assert_memory_equal(digest, want, HF_SHA256_LEN);
}

static void writes_any_length_in_any_pieces(void **state)
{
  (void)state;
  static const uint32_t lengths[] = {0, 1, 15, 16, 17, 255, 256, 257, 1000, SIZE - 1, SIZE};
  static const uint32_t pieces[] = {1, 3, 16, 100, 256, 700, SIZE};
  for (size_t g = 0; g < 8; g++) {
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
      for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        struct simflash flash;
        simflash_init(&flash, SIZE, SECTOR, aligns[g % 4], erased_values[g / 4]);
        memset(flash.at, 0x33, SIZE);
        struct hf_area area = simflash_area(&flash, 0, SIZE);
        struct hf_slot_writer writer;
        uint8_t digest[HF_SHA256_LEN];
        assert_int_equal(hf_slot_open(&writer, &area, lengths[l], 0), HF_OK);
        put_pieces(&writer, 0, lengths[l], pieces[p]);
        assert_int_equal(hf_slot_close(&writer, digest), HF_OK);
        check_digest(digest, lengths[l]);
        assert_memory_equal(flash.at, image, lengths[l]);
        assert_int_equal(flash.breaches, 0);
        simflash_free(&flash);
      }
    }
  }
}

static void resumes_at_every_sector(void **state)
{
  (void)state;
  enum { LEN = 5 * SECTOR + 77 };
  for (size_t g = 0; g < 8; g++) {
    for (uint32_t stop = 1; stop < LEN; stop += 41) {
      struct simflash flash;
      simflash_init(&flash, SIZE, SECTOR, aligns[g % 4], erased_values[g / 4]);
      struct hf_area area = simflash_area(&flash, 0, SIZE);
      struct hf_slot_writer writer;
      assert_int_equal(hf_slot_open(&writer, &area, LEN, 0), HF_OK);
      put_pieces(&writer, 0, stop, 50);
      uint32_t safe = hf_slot_safe(&writer);
      assert_true(safe <= stop && stop - safe < SECTOR && safe % SECTOR == 0);
      uint8_t digest[HF_SHA256_LEN];
      assert_int_equal(hf_slot_open(&writer, &area, LEN, safe), HF_OK);
      put_pieces(&writer, safe, LEN, 60);
      assert_int_equal(hf_slot_close(&writer, digest), HF_OK);
      check_digest(digest, LEN);
      /* And once more when it is all there. */
      uint32_t ops = flash.ops;
      assert_int_equal(hf_slot_open(&writer, &area, LEN, LEN), HF_OK);
      assert_int_equal(hf_slot_close(&writer, digest), HF_OK);
      check_digest(digest, LEN);
      assert_int_equal(flash.ops, ops);
      assert_memory_equal(flash.at, image, LEN);
      assert_int_equal(flash.breaches, 0);
      simflash_free(&flash);
    }
  }
}

static void hashes_what_flash_holds_not_what_was_sent(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, SIZE, SECTOR, 4, 0xff);
  struct hf_area area = simflash_area(&flash, 0, SIZE);
  struct hf_slot_writer writer;
  uint8_t digest[HF_SHA256_LEN], want[HF_SHA256_LEN];
  assert_int_equal(hf_slot_open(&writer, &area, 3 * SECTOR, 0), HF_OK);
  put_pieces(&writer, 0, 2 * SECTOR, SECTOR);
  flash.at[10] ^= 4;
  assert_int_equal(hf_slot_open(&writer, &area, 3 * SECTOR, 2 * SECTOR), HF_OK);
  put_pieces(&writer, 2 * SECTOR, 3 * SECTOR, SECTOR);
  assert_int_equal(hf_slot_close(&writer, digest), HF_OK);
  hf_sha256(want, hf_bytes_init(image, 3 * SECTOR));
  assert_memory_not_equal(digest, want, HF_SHA256_LEN);
  simflash_free(&flash);
}

static void refuses_what_does_not_fit(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, SIZE, SECTOR, 4, 0xff);
  struct hf_area area = simflash_area(&flash, 0, SIZE);
  struct hf_slot_writer writer;
  uint8_t digest[HF_SHA256_LEN];
  assert_int_equal(hf_slot_open(&writer, &area, SIZE + 1, 0), HF_E_SPACE);
  assert_int_equal(hf_slot_open(&writer, &area, 1000, 100), HF_E_INPUT);
  assert_int_equal(hf_slot_open(&writer, &area, 100, 256), HF_E_INPUT);
  assert_int_equal(hf_slot_open(&writer, &area, 100, 0), HF_OK);
  put_pieces(&writer, 0, 50, 50);
  assert_int_equal(hf_slot_close(&writer, digest), HF_E_STATE);
  uint32_t ops = flash.ops;
  assert_int_equal(hf_slot_put(&writer, hf_bytes_init(image, 51)), HF_E_SPACE);
  assert_int_equal(flash.ops, ops);
  assert_int_equal(hf_slot_put(&writer, hf_bytes_init(image + 50, 50)), HF_OK);
  assert_int_equal(hf_slot_close(&writer, digest), HF_OK);
  check_digest(digest, 100);
  simflash_free(&flash);
}

static void reports_a_failing_flash_at_every_operation(void **state)
{
  (void)state;
  for (uint32_t at = 1;; at++) {
    struct simflash flash;
    simflash_init(&flash, SIZE, SECTOR, 8, 0xff);
    flash.fail_at = at;
    struct hf_area area = simflash_area(&flash, 0, SIZE);
    struct hf_slot_writer writer;
    uint8_t digest[HF_SHA256_LEN];
    assert_int_equal(hf_slot_open(&writer, &area, 1001, 0), HF_OK);
    enum hf_err err = hf_slot_put(&writer, hf_bytes_init(image, 1001));
    err = err == HF_OK ? hf_slot_close(&writer, digest) : err;
    assert_int_equal(flash.breaches, 0);
    bool failed = flash.ops >= at;
    assert_int_equal(err, failed ? HF_E_IO : HF_OK);
    simflash_free(&flash);
    if (!failed) {
      assert_true(at > 8);
      return;
    }
  }
}

static void gives_image_bytes_only_from_inside_the_slot(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, SIZE, SECTOR, 4, 0xff);
  struct hf_area area = simflash_area(&flash, SECTOR, SECTOR);
  struct hf_image_source source = hf_slot_source(&area);
  uint8_t byte[2];
  assert_int_equal(source.size, SECTOR);
  assert_int_equal(source.read(source.ctx, SECTOR - 2, byte, 2), HF_OK);
  assert_int_equal(source.read(source.ctx, SECTOR - 1, byte, 2), HF_E_INPUT);
  assert_int_equal(source.read(source.ctx, 0xffffffff, byte, 2), HF_E_INPUT);
  simflash_free(&flash);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(writes_any_length_in_any_pieces),
      cmocka_unit_test(resumes_at_every_sector),
      cmocka_unit_test(hashes_what_flash_holds_not_what_was_sent),
      cmocka_unit_test(refuses_what_does_not_fit),
      cmocka_unit_test(reports_a_failing_flash_at_every_operation),
      cmocka_unit_test(gives_image_bytes_only_from_inside_the_slot),
  };
  return cmocka_run_group_tests(tests, fill, NULL);
}
