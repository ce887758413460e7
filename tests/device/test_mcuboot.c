/* SPDX-License-Identifier: Apache-2.0
 * The application's side of MCUboot's trailers. MCUboot is played by hand here: the bytes it would leave are put into
 * the slots as its documents say, and the table is asked what it makes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "hf/device/mcuboot.h"
#include "ports/sim/simdevice.h"

enum { SECTOR = 1024, BOOT = 2 * SECTOR, SLOT = 12 * SECTOR, OLD = 0, NEW = 1, THIRD = 2 };

static struct simrepo repo;

static int publish(void **state)
{
  (void)state;
  simrepo_init(&repo, SIMDEVICE_NOW);
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.0.0", .counter = 1, .payload_len = 3000});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.1.0", .counter = 2, .payload_len = 4100});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.2.0", .counter = 3, .payload_len = 2000});
  return 0;
}

static int clean(void **state)
{
  (void)state;
  simrepo_free(&repo);
  return 0;
}

struct board {
  struct simflash flash;
  struct hf_layout layout;
  struct hf_mcuboot mcuboot;
};

static const struct hf_boot_ops *const ops = &hf_mcuboot_ops;

/* What stands in a slot from its first byte; the trailer's sectors stay as they are. */
static void put_image(struct board *board, int slot, uint32_t at, int image)
{
  struct hf_bytes file = repo.images[image].file;
  memset(board->flash.at + BOOT + slot * SLOT, 0xff, SLOT - 2 * SECTOR);
  memcpy(board->flash.at + BOOT + slot * SLOT + at, file.at, file.len);
}

static void board_init(struct board *board, enum hf_boot_mode mode)
{
  memset(board, 0, sizeof *board);
  simflash_init(&board->flash, BOOT + 2 * SLOT, SECTOR, 8, 0xff);
  board->layout.images = 1;
  board->layout.boot = simflash_area(&board->flash, 0, BOOT);
  board->layout.slot[0][0] = simflash_area(&board->flash, BOOT, SLOT);
  board->layout.slot[0][1] = simflash_area(&board->flash, BOOT + SLOT, SLOT);
  board->mcuboot = (struct hf_mcuboot){.layout = &board->layout, .format = {.mode = mode, .sectors_max = 32}};
  put_image(board, 0, 0, OLD);
}

static uint8_t *trailer_byte(struct board *board, int slot, enum hf_trailer_field field)
{
  const struct hf_area *area = &board->layout.slot[0][slot];
  return board->flash.at + area->start + hf_trailer_at(&board->mcuboot.format, area, field);
}

static void stage(struct board *board, int image)
{
  struct hf_bootslot staged[HF_IMAGES_MAX] = {{.status = HF_SLOT_EMPTY}};
  struct hf_area target;
  assert_int_equal(ops->release(&board->mcuboot, HF_BOOT_IMAGE(0)), HF_OK);
  assert_int_equal(ops->target(&board->mcuboot, &target, 0), HF_OK);
  put_image(board, 1, target.start - board->layout.slot[0][1].start, image);
  hf_bootstate_bind(&staged[0], &repo.images[image].info, HF_SLOT_EMPTY);
  assert_int_equal(ops->stage(&board->mcuboot, staged, HF_BOOT_IMAGE(0)), HF_OK);
}

/* What MCUboot leaves when it has swapped `image` in for a test and `back` out. */
static void play_swap(struct board *board, int image, int back)
{
  put_image(board, 0, 0, image);
  put_image(board, 1, 0, back);
  memset(board->flash.at + BOOT + SLOT - 2 * SECTOR, 0xff, 2 * SECTOR);
  memset(board->flash.at + BOOT + 2 * SLOT - 2 * SECTOR, 0xff, 2 * SECTOR);
  memset(board->flash.written, 0, (BOOT + 2 * SLOT) / 8);
  memcpy(trailer_byte(board, 0, HF_FIELD_MAGIC), "\x77\xc2\x95\xf3\x60\xd2\xef\x7f\x35\x52\x50\x0f\x2c\xb6\x79\x80",
         16);
  *trailer_byte(board, 0, HF_FIELD_SWAP_INFO) = HF_SWAP_TEST;
  *trailer_byte(board, 0, HF_FIELD_COPY_DONE) = 1;
}

static struct hf_boot_view view_of(struct board *board)
{
  struct hf_boot_view view;
  assert_int_equal(ops->get(&board->mcuboot, &view), HF_OK);
  assert_int_equal(view.images, 1);
  return view;
}

static void stages_with_the_bytes_mcuboot_would_write(void **state)
{
  (void)state;
  /* The last 48 bytes of slot 1 after boot_set_pending(0) on a part that writes 8 bytes at once. */
  static const uint8_t golden[48] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x77, 0xc2, 0x95, 0xf3,
                                     0x60, 0xd2, 0xef, 0x7f, 0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80};
  static const enum hf_boot_mode modes[] = {HF_BOOT_OVERWRITE, HF_BOOT_SWAP_MOVE, HF_BOOT_SWAP_OFFSET};
  for (size_t i = 0; i < 3; i++) {
    struct board board;
    board_init(&board, modes[i]);
    assert_int_equal(view_of(&board).image[0].running.status, HF_SLOT_CONFIRMED);
    stage(&board, NEW);
    assert_memory_equal(board.flash.at + BOOT + 2 * SLOT - 48, golden, sizeof golden);
    /* The file stands where the mode wants it. */
    uint32_t at = modes[i] == HF_BOOT_SWAP_OFFSET ? SECTOR : 0;
    assert_memory_equal(board.flash.at + BOOT + SLOT + at, repo.images[NEW].file.at, repo.images[NEW].file.len);
    struct hf_boot_view view = view_of(&board);
    assert_int_equal(view.image[0].other.status, HF_SLOT_STAGED);
    assert_int_equal(view.image[0].slot, 0);
    assert_int_equal(view.image[0].target, 1);
    assert_int_equal(view.image[0].counter, 1);
    assert_int_equal(board.flash.breaches, 0);
    simflash_free(&board.flash);
  }
}

static void confirms_what_mcuboot_swapped_in(void **state)
{
  (void)state;
  struct board board;
  board_init(&board, HF_BOOT_SWAP_MOVE);
  stage(&board, NEW);
  play_swap(&board, NEW, OLD);
  struct hf_boot_view view = view_of(&board);
  assert_int_equal(view.image[0].running.status, HF_SLOT_TRYING);
  assert_int_equal(view.image[0].running.counter, 2);
  assert_int_equal(view.image[0].counter, 1);
  assert_true(hf_boot_view_on_trial(&view));
  assert_int_equal(ops->release(&board.mcuboot, HF_BOOT_IMAGE(0)), HF_E_STATE); /* slot 1 is the way back */
  assert_int_equal(ops->stage(&board.mcuboot, (struct hf_bootslot[HF_IMAGES_MAX]){{0}}, 1), HF_E_STATE);
  assert_int_equal(*trailer_byte(&board, 0, HF_FIELD_IMAGE_OK), 0xff);
  assert_int_equal(ops->confirm(&board.mcuboot), HF_OK);
  assert_int_equal(*trailer_byte(&board, 0, HF_FIELD_IMAGE_OK), 1);
  view = view_of(&board);
  assert_int_equal(view.image[0].running.status, HF_SLOT_CONFIRMED);
  assert_int_equal(view.image[0].counter, 2);
  assert_int_equal(view.failures, 0);
  assert_int_equal(ops->confirm(&board.mcuboot), HF_OK);
  simflash_free(&board.flash);
}

/* Found by the full sweep: power went while copy_done was written, and looking at it was taken for its confirmation. */
static void does_not_take_a_torn_copy_done_for_a_confirmation(void **state)
{
  (void)state;
  struct board board;
  board_init(&board, HF_BOOT_SWAP_OFFSET);
  stage(&board, NEW);
  play_swap(&board, NEW, OLD);
  *trailer_byte(&board, 0, HF_FIELD_COPY_DONE) = 0xfd;
  struct hf_boot_view view = view_of(&board);
  assert_int_equal(view.image[0].running.status, HF_SLOT_TRYING);
  assert_int_equal(view.image[0].counter, 1);
  assert_int_equal(ops->confirm(&board.mcuboot), HF_OK);
  view = view_of(&board);
  assert_int_equal(view.image[0].running.status, HF_SLOT_CONFIRMED);
  assert_int_equal(view.image[0].counter, 2);
  simflash_free(&board.flash);
}

static void notices_a_confirmation_by_somebody_else(void **state)
{
  (void)state;
  struct board board;
  board_init(&board, HF_BOOT_SWAP_OFFSET);
  stage(&board, NEW);
  play_swap(&board, NEW, OLD);
  *trailer_byte(&board, 0, HF_FIELD_IMAGE_OK) = 1; /* boot_set_confirmed() in the application */
  struct hf_boot_view view = view_of(&board);
  assert_int_equal(view.image[0].running.status, HF_SLOT_CONFIRMED);
  assert_int_equal(view.image[0].counter, 2);
  simflash_free(&board.flash);
}

static void notices_a_revert_once_and_says_why(void **state)
{
  (void)state;
  struct board board;
  board_init(&board, HF_BOOT_SWAP_MOVE);
  stage(&board, NEW);
  play_swap(&board, NEW, OLD);
  (void)view_of(&board);
  assert_int_equal(ops->give_up(&board.mcuboot, HF_RULE_BOOT_UNHEALTHY), HF_OK);
  play_swap(&board, OLD, NEW); /* back; MCUboot then marks what it brought back as good */
  *trailer_byte(&board, 0, HF_FIELD_IMAGE_OK) = 1;
  struct hf_boot_view view = view_of(&board);
  assert_int_equal(view.failures, 1);
  assert_int_equal(view.failed_rule, HF_RULE_BOOT_UNHEALTHY);
  assert_int_equal(view.failed_version.minor, 1);
  assert_int_equal(view.image[0].running.status, HF_SLOT_CONFIRMED);
  assert_int_equal(view.image[0].counter, 1);
  assert_int_equal(view_of(&board).failures, 1);
  /* The next one crashes without a word. */
  stage(&board, THIRD);
  play_swap(&board, THIRD, OLD);
  (void)view_of(&board);
  play_swap(&board, OLD, THIRD);
  *trailer_byte(&board, 0, HF_FIELD_IMAGE_OK) = 1;
  view = view_of(&board);
  assert_int_equal(view.failures, 2);
  assert_int_equal(view.failed_rule, HF_RULE_BOOT_NOT_CONFIRMED);
  simflash_free(&board.flash);
}

static void notices_that_an_update_was_never_taken(void **state)
{
  (void)state;
  struct board board;
  board_init(&board, HF_BOOT_SWAP_MOVE);
  stage(&board, NEW);
  /* MCUboot found its signature wrong and erased the slot. */
  memset(board.flash.at + BOOT + SLOT, 0xff, SLOT);
  struct hf_boot_view view = view_of(&board);
  assert_int_equal(view.failures, 1);
  assert_int_equal(view.failed_rule, HF_RULE_BOOT_NOT_TAKEN);
  assert_int_equal(view.image[0].other.status, HF_SLOT_BAD);
  simflash_free(&board.flash);
}

static void takes_an_overwritten_image_as_it_is(void **state)
{
  (void)state;
  struct board board;
  board_init(&board, HF_BOOT_OVERWRITE);
  stage(&board, NEW);
  put_image(&board, 0, 0, NEW);
  memset(board.flash.at + BOOT + SLOT, 0xff, SLOT);
  struct hf_boot_view view = view_of(&board);
  assert_int_equal(view.image[0].running.status, HF_SLOT_CONFIRMED);
  assert_int_equal(view.image[0].counter, 2);
  assert_int_equal(view.failures, 0);
  assert_false(hf_boot_view_on_trial(&view));
  simflash_free(&board.flash);
}

static void takes_back_what_is_staged(void **state)
{
  (void)state;
  struct board board;
  board_init(&board, HF_BOOT_SWAP_MOVE);
  stage(&board, NEW);
  assert_int_equal(ops->release(&board.mcuboot, HF_BOOT_IMAGE(0)), HF_OK);
  assert_int_equal(*trailer_byte(&board, 1, HF_FIELD_MAGIC), 0xff);
  assert_int_equal(view_of(&board).image[0].other.status, HF_SLOT_EMPTY);
  uint32_t before = board.flash.ops;
  assert_int_equal(ops->release(&board.mcuboot, HF_BOOT_IMAGE(0)), HF_OK);
  assert_int_equal(board.flash.ops, before); /* nothing to do, nothing written */
  simflash_free(&board.flash);
}

static void says_what_it_cannot_do(void **state)
{
  (void)state;
  struct board board;
  struct hf_area area;
  struct hf_boot_view view;
  struct hf_bootslot staged[HF_IMAGES_MAX] = {{.status = HF_SLOT_EMPTY}};
  board_init(&board, HF_BOOT_SWAP_MOVE);
  assert_int_equal(ops->target(&board.mcuboot, &area, 1), HF_E_INPUT);
  assert_int_equal(ops->stage(&board.mcuboot, staged, 0), HF_E_INPUT);
  assert_int_equal(ops->stage(&board.mcuboot, staged, 2), HF_E_INPUT);
  board.flash.fail_reads = true;
  assert_int_equal(ops->get(&board.mcuboot, &view), HF_E_IO);
  board.flash.fail_reads = false;
  board.mcuboot.format.mode = HF_BOOT_DIRECT;
  assert_int_equal(ops->get(&board.mcuboot, &view), HF_E_INPUT);
  simflash_free(&board.flash);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(stages_with_the_bytes_mcuboot_would_write),
      cmocka_unit_test(confirms_what_mcuboot_swapped_in),
      cmocka_unit_test(does_not_take_a_torn_copy_done_for_a_confirmation),
      cmocka_unit_test(notices_a_confirmation_by_somebody_else),
      cmocka_unit_test(notices_a_revert_once_and_says_why),
      cmocka_unit_test(notices_that_an_update_was_never_taken),
      cmocka_unit_test(takes_an_overwritten_image_as_it_is),
      cmocka_unit_test(takes_back_what_is_staged),
      cmocka_unit_test(says_what_it_cannot_do),
  };
  return cmocka_run_group_tests(tests, publish, clean);
}
