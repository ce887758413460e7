/* SPDX-License-Identifier: Apache-2.0
 * The decision of a boot loader that brings updates in through slot 1, row by row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "hf/crypto/cipher.h"
#include "hf/device/bootmode.h"
#include "hf/device/mcuboot.h"
#include "ports/sim/simdevice.h"

enum { SECTOR = 1024, BOOT = 2 * SECTOR, SLOT = 10 * SECTOR, UNITS = 2, FLASH = BOOT + UNITS * 2 * SLOT };
enum { V1, V2, V3, FOREIGN, LOW, SEALED, SEALED_ELSEWHERE, IMAGES };

static struct simrepo repo;
static struct hf_key *opening, *elsewhere;
static struct hf_seal_key seal_key;
static const struct hf_seal_box box = {&hf_seal_p256_ops, &seal_key};
static struct hf_bytes sealed_plain; /* SEALED as it runs */

static enum hf_err agree(void *ctx, uint8_t secret[32], const uint8_t point[HF_P256_PUBLIC_LEN])
{
  return hf_key_agree(secret, ctx, point);
}

static int publish(void **state)
{
  (void)state;
  simrepo_init(&repo, SIMDEVICE_NOW);
  assert_int_equal(hf_key_new(&opening, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_new(&elsewhere, HF_KEY_P256), HF_OK);
  seal_key = (struct hf_seal_key){agree, opening};
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.0.0", .counter = 2, .payload_len = 3000});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.1.0", .counter = 3, .payload_len = 4100});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.2.0", .counter = 3, .payload_len = 2000});
  (void)simrepo_add(&repo,
                    (struct simrepo_image){.version = "1.3.0", .counter = 3, .payload_len = 900, .unsigned_key = true});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.4.0", .counter = 1, .payload_len = 900});
  (void)simrepo_add(&repo,
                    (struct simrepo_image){.version = "1.5.0", .counter = 4, .payload_len = 2500, .seal_for = opening});
  (void)simrepo_add(
      &repo, (struct simrepo_image){.version = "1.6.0", .counter = 4, .payload_len = 900, .seal_for = elsewhere});
  struct hf_seal_view view;
  struct hf_image_source from = hf_image_source_init(&repo.images[SEALED].file);
  assert_int_equal(hf_seal_view_init(&view, &from, &box, NULL), HF_OK);
  struct hf_image_source plain = hf_seal_view_source(&view);
  uint8_t *room = malloc(repo.images[SEALED].file.len);
  assert_non_null(room);
  assert_int_equal(plain.read(plain.ctx, 0, room, (uint32_t)repo.images[SEALED].file.len), HF_OK);
  sealed_plain = hf_bytes_init(room, repo.images[SEALED].file.len);
  return 0;
}

static int clean(void **state)
{
  (void)state;
  union {
    const uint8_t *in;
    void *out;
  } room = {.in = sealed_plain.at};
  free(room.out);
  hf_key_free(opening);
  hf_key_free(elsewhere);
  simrepo_free(&repo);
  return 0;
}

struct board {
  struct simflash flash;
  struct hf_layout layout;
  struct hf_mcuboot mcuboot;
  struct hf_swapboot_config config;
  struct hf_boot_choice choice;
};

static void put_bytes(struct board *board, int unit, int slot, uint32_t at, struct hf_bytes file)
{
  uint8_t *to = board->flash.at + board->layout.slot[unit][slot].start;
  memset(to, 0xff, SLOT - 2 * SECTOR);
  memcpy(to + at, file.at, file.len);
}

static void board_init(struct board *board, enum hf_boot_mode mode, uint8_t units)
{
  memset(board, 0, sizeof *board);
  simflash_init(&board->flash, FLASH, SECTOR, 8, 0xff);
  board->layout.images = units;
  board->layout.boot = simflash_area(&board->flash, 0, BOOT);
  for (uint32_t i = 0; i < UNITS; i++) {
    board->layout.slot[i][0] = simflash_area(&board->flash, BOOT + 2 * i * SLOT, SLOT);
    board->layout.slot[i][1] = simflash_area(&board->flash, BOOT + (2 * i + 1) * SLOT, SLOT);
  }
  const struct hf_trailer_format format = {.mode = mode, .sectors_max = 32, .key_len = 16};
  board->mcuboot = (struct hf_mcuboot){.layout = &board->layout, .format = format};
  board->config =
      (struct hf_swapboot_config){.boot = {.layout = &board->layout, .keys = &repo.image_keys, .reset = HF_RESET_POWER},
                                  .format = format,
                                  .box = &box};
  for (int i = 0; i < units; i++) {
    put_bytes(board, i, 0, 0, repo.images[V1].file);
  }
}

/* Nothing that was put into memory by hand counts as programmed. */
static void forget_writes(struct board *board) { memset(board->flash.written, 0, FLASH / 8); }

static void boot(struct board *board) { assert_int_equal(hf_bootmode_choose(&board->choice, &board->config), HF_OK); }

static void expect_run(struct board *board, int image, bool trial)
{
  boot(board);
  assert_int_equal(board->choice.verdict, HF_ALLOW);
  assert_memory_equal(board->choice.info.digest, repo.images[image].info.digest, HF_SHA256_LEN);
  assert_int_equal(board->choice.trial, trial);
  assert_int_equal(board->flash.breaches, 0);
}

static void stage_set(struct board *board, const int image[UNITS], uint8_t mask)
{
  struct hf_bootslot staged[HF_IMAGES_MAX] = {{.status = HF_SLOT_EMPTY}};
  struct hf_area target;
  const struct hf_boot_ops *ops = &hf_mcuboot_ops;
  assert_int_equal(ops->release(&board->mcuboot, mask), HF_OK);
  for (uint8_t i = 0; i < UNITS; i++) {
    if ((mask >> i & 1) != 0) {
      assert_int_equal(ops->target(&board->mcuboot, &target, i), HF_OK);
      put_bytes(board, i, 1, target.start - board->layout.slot[i][1].start, repo.images[image[i]].file);
      hf_bootstate_bind(&staged[i], &repo.images[image[i]].info, HF_SLOT_EMPTY);
    }
  }
  forget_writes(board);
  assert_int_equal(ops->stage(&board->mcuboot, staged, mask), HF_OK);
}

static void stage(struct board *board, int image) { stage_set(board, (const int[UNITS]){image, image}, 1); }

static struct hf_bootstate records(const struct board *board)
{
  struct hf_bootstate state;
  assert_int_equal(hf_bootstate_get(&state, &board->layout.boot), HF_OK);
  return state;
}

static void confirm(struct board *board) { assert_int_equal(hf_mcuboot_ops.confirm(&board->mcuboot), HF_OK); }

static const enum hf_boot_mode swaps[] = {HF_BOOT_SWAP_MOVE, HF_BOOT_SWAP_OFFSET};

static void tries_confirms_and_raises_the_counter(void **state)
{
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct board board;
    board_init(&board, swaps[i], 1);
    expect_run(&board, V1, false);
    assert_int_equal(records(&board).image[0].counter, 2);
    stage(&board, V2);
    expect_run(&board, V2, true);
    assert_int_equal(board.choice.reset, HF_RESET_UPDATE);
    assert_int_equal(records(&board).image[0].counter, 2); /* not before it is confirmed */
    confirm(&board);
    assert_int_equal(records(&board).image[0].counter, 3);
    expect_run(&board, V2, false);
    assert_int_equal(board.choice.reset, HF_RESET_POWER);
    stage(&board, V3);
    expect_run(&board, V3, true);
    confirm(&board);
    expect_run(&board, V3, false);
    simflash_free(&board.flash);
  }
}

static void goes_back_when_a_trial_was_not_confirmed(void **state)
{
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct board board;
    board_init(&board, swaps[i], 1);
    expect_run(&board, V1, false);
    stage(&board, V2);
    expect_run(&board, V2, true);
    assert_int_equal(hf_mcuboot_ops.give_up(&board.mcuboot, HF_RULE_BOOT_UNHEALTHY), HF_OK);
    expect_run(&board, V1, false);
    assert_int_equal(board.choice.reset, HF_RESET_REVERT);
    assert_int_equal(board.choice.why.rule, HF_RULE_BOOT_UNHEALTHY);
    struct hf_boot_view view;
    assert_int_equal(hf_mcuboot_ops.get(&board.mcuboot, &view), HF_OK);
    assert_int_equal(view.failures, 1);
    assert_int_equal(view.failed_rule, HF_RULE_BOOT_UNHEALTHY);
    assert_int_equal(view.failed_version.minor, 1);
    expect_run(&board, V1, false);
    assert_int_equal(board.choice.reset, HF_RESET_POWER);
    /* The same one may be tried once more, when it is staged once more. */
    stage(&board, V2);
    expect_run(&board, V2, true);
    expect_run(&board, V1, false);
    assert_int_equal(board.choice.why.rule, HF_RULE_BOOT_NOT_CONFIRMED);
    simflash_free(&board.flash);
  }
}

static void overwrites_for_good(void **state)
{
  (void)state;
  struct board board;
  board_init(&board, HF_BOOT_OVERWRITE, 1);
  expect_run(&board, V1, false);
  stage(&board, V2);
  expect_run(&board, V2, false);
  assert_int_equal(board.choice.reset, HF_RESET_UPDATE);
  assert_int_equal(records(&board).image[0].counter, 3);
  expect_run(&board, V2, false);
  assert_int_equal(board.choice.reset, HF_RESET_POWER);
  simflash_free(&board.flash);
}

static void expect_refusal(enum hf_boot_mode mode, int image, const struct hf_seal_box *with, enum hf_rule rule)
{
  struct board board;
  board_init(&board, mode, 1);
  board.config.box = with;
  expect_run(&board, V1, false);
  stage(&board, image);
  uint8_t before[SLOT];
  memcpy(before, board.flash.at + BOOT, SLOT);
  expect_run(&board, V1, false);
  assert_memory_equal(before, board.flash.at + BOOT, SLOT); /* nothing was moved */
  assert_int_equal(board.choice.why.rule, rule);
  struct hf_bootstate state = records(&board);
  assert_int_equal(state.failures, 1);
  assert_int_equal(state.failed_rule, rule);
  /* It is not asked for any more. */
  expect_run(&board, V1, false);
  assert_int_equal(board.choice.why.rule, HF_RULE_NONE);
  assert_int_equal(records(&board).failures, 1);
  simflash_free(&board.flash);
}

static void refuses_before_anything_moves(void **state)
{
  (void)state;
  for (enum hf_boot_mode mode = HF_BOOT_OVERWRITE; mode <= HF_BOOT_SWAP_OFFSET; mode++) {
    expect_refusal(mode, FOREIGN, &box, HF_RULE_IMAGE_KEY_UNKNOWN);
    expect_refusal(mode, LOW, &box, HF_RULE_IMAGE_COUNTER);
    expect_refusal(mode, SEALED_ELSEWHERE, &box, HF_RULE_SEAL_KEY);
    expect_refusal(mode, SEALED, NULL, HF_RULE_SEAL_NO_KEY);
  }
}

static void opens_an_encrypted_image_on_its_way(void **state)
{
  (void)state;
  for (enum hf_boot_mode mode = HF_BOOT_OVERWRITE; mode <= HF_BOOT_SWAP_OFFSET; mode++) {
    struct board board;
    board_init(&board, mode, 1);
    expect_run(&board, V1, false);
    stage(&board, SEALED);
    expect_run(&board, SEALED, mode != HF_BOOT_OVERWRITE);
    assert_memory_equal(board.flash.at + BOOT, sealed_plain.at, sealed_plain.len);
    confirm(&board);
    expect_run(&board, SEALED, false);
    simflash_free(&board.flash);
  }
}

static void encrypts_again_what_goes_back_to_slot_1(void **state)
{
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct board board;
    board_init(&board, swaps[i], 1);
    expect_run(&board, V1, false);
    stage(&board, SEALED);
    expect_run(&board, SEALED, true);
    expect_run(&board, V1, false); /* not confirmed */
    uint32_t at = swaps[i] == HF_BOOT_SWAP_OFFSET ? SECTOR : 0;
    struct hf_bytes file = repo.images[SEALED].file;
    assert_memory_equal(board.flash.at + BOOT + SLOT + at, file.at, file.len);
    simflash_free(&board.flash);
  }
}

static void brings_the_confirmed_image_back_when_slot_0_rots(void **state)
{
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct board board;
    board_init(&board, swaps[i], 1);
    /* Same counter, or the older one would be below the floor. */
    put_bytes(&board, 0, 0, 0, repo.images[V2].file);
    expect_run(&board, V2, false);
    stage(&board, V3);
    expect_run(&board, V3, true);
    confirm(&board);
    board.flash.at[BOOT + 700] ^= 0x40;
    expect_run(&board, V2, false);
    assert_int_equal(board.choice.why.rule, HF_RULE_IMAGE_HASH);
    assert_int_equal(records(&board).failures, 1);
    expect_run(&board, V2, false);
    board.flash.at[BOOT + 700] ^= 0x40;
    boot(&board);
    assert_int_equal(board.choice.verdict, HF_DENY); /* and slot 1 holds the rotten one */
    assert_int_not_equal(board.choice.why.rule, HF_RULE_NONE);
    simflash_free(&board.flash);
  }
}

static void runs_nothing_where_there_is_nothing(void **state)
{
  (void)state;
  for (enum hf_boot_mode mode = HF_BOOT_DIRECT; mode <= HF_BOOT_SWAP_OFFSET; mode++) {
    struct board board;
    board_init(&board, mode, 1);
    memset(board.flash.at, 0xff, FLASH);
    uint32_t before = board.flash.ops;
    boot(&board);
    assert_int_equal(board.choice.verdict, HF_DENY);
    assert_int_not_equal(board.choice.why.rule, HF_RULE_NONE);
    assert_int_equal(board.flash.ops, before); /* a boot loop does not wear the flash */
    board.flash.fail_reads = true;
    boot(&board);
    assert_int_equal(board.choice.verdict, HF_DENY);
    simflash_free(&board.flash);
  }
}

static void runs_directly_from_either_slot_in_direct_mode(void **state)
{
  (void)state;
  struct board board;
  board_init(&board, HF_BOOT_DIRECT, 1);
  put_bytes(&board, 0, 0, 0, repo.images[FOREIGN].file);
  put_bytes(&board, 0, 1, 0, repo.images[V1].file);
  expect_run(&board, V1, false);
  assert_int_equal(board.choice.slot[0], 1);
  simflash_free(&board.flash);
}

/* A sector of a slot as MCUboot's flash driver would copy it. */
static void copy_sector(struct board *board, int to, uint32_t to_at, int from, uint32_t from_at)
{
  memcpy(board->flash.at + board->layout.slot[0][to].start + to_at * SECTOR,
         board->flash.at + board->layout.slot[0][from].start + from_at * SECTOR, SECTOR);
}

static uint8_t *field(struct board *board, enum hf_trailer_field name)
{
  return board->flash.at + BOOT + hf_trailer_at(&board->mcuboot.format, &board->layout.slot[0][0], name);
}

/* Slot 0's trailer as MCUboot leaves it when a test swap of so many bytes has begun and slot 1's is erased. */
static void play_begun(struct board *board, uint16_t size)
{
  memcpy(field(board, HF_FIELD_MAGIC), "\x77\xc2\x95\xf3\x60\xd2\xef\x7f\x35\x52\x50\x0f\x2c\xb6\x79\x80", 16);
  *field(board, HF_FIELD_SWAP_INFO) = HF_SWAP_TEST;
  uint8_t *swap_size = field(board, HF_FIELD_SWAP_SIZE);
  swap_size[0] = (uint8_t)size;
  swap_size[1] = (uint8_t)(size >> 8);
  swap_size[2] = swap_size[3] = 0;
}

static void finishes_a_swap_using_move_that_mcuboot_began(void **state)
{
  (void)state;
  enum { WIDE = 5, MAX = 32 };
  /* After so many of its steps: 5 moves, then two for each sector. */
  for (uint32_t done = 1; done <= 3 * WIDE; done++) {
    struct board board;
    board_init(&board, HF_BOOT_SWAP_MOVE, 1);
    expect_run(&board, V1, false);
    put_bytes(&board, 0, 1, 0, repo.images[V2].file);
    play_begun(&board, (uint16_t)repo.images[V2].file.len);
    for (uint32_t step = 0; step < done; step++) {
      uint32_t record = step;
      uint32_t at = (step - WIDE) / 2, half = (step - WIDE) % 2;
      if (step < WIDE) {
        copy_sector(&board, 0, WIDE - step, 0, WIDE - step - 1);
      } else {
        copy_sector(&board, half == 0 ? 0 : 1, at, half == 0 ? 1 : 0, at + half);
        record = MAX + 2 * at + half;
      }
      *(field(&board, HF_FIELD_STATUS) + 8 * record) = step < WIDE || half == 0 ? 1 : 2;
    }
    forget_writes(&board);
    expect_run(&board, V2, true);
    confirm(&board);
    expect_run(&board, V2, false);
    assert_memory_equal(board.flash.at + BOOT + SLOT, repo.images[V1].file.at, repo.images[V1].file.len);
    simflash_free(&board.flash);
  }
}

static void finishes_a_swap_using_offset_that_mcuboot_began(void **state)
{
  (void)state;
  enum { WIDE = 5 };
  for (uint32_t done = 1; done <= 2 * WIDE; done++) {
    struct board board;
    board_init(&board, HF_BOOT_SWAP_OFFSET, 1);
    expect_run(&board, V1, false);
    put_bytes(&board, 0, 1, SECTOR, repo.images[V2].file);
    play_begun(&board, (uint16_t)repo.images[V2].file.len);
    for (uint32_t step = 0; step < done; step++) {
      uint32_t at = step / 2;
      if (step % 2 == 0) {
        copy_sector(&board, 1, at, 0, at);
      } else {
        copy_sector(&board, 0, at, 1, at + 1);
      }
      *(field(&board, HF_FIELD_STATUS) + 8 * step) = (uint8_t)(1 + step % 2);
    }
    forget_writes(&board);
    expect_run(&board, V2, true);
    expect_run(&board, V1, false); /* not confirmed: and back */
    simflash_free(&board.flash);
  }
}

static void refuses_a_swap_whose_record_makes_no_sense(void **state)
{
  (void)state;
  struct board board;
  board_init(&board, HF_BOOT_SWAP_MOVE, 1);
  expect_run(&board, V1, false);
  play_begun(&board, 60000);
  boot(&board);
  assert_int_equal(board.choice.verdict, HF_DENY);
  assert_int_equal(board.choice.why.rule, HF_RULE_SWAP_STATE);
  simflash_free(&board.flash);
}

static void takes_an_update_staged_by_other_tools(void **state)
{
  (void)state;
  struct board board;
  board_init(&board, HF_BOOT_SWAP_MOVE, 1);
  put_bytes(&board, 0, 1, 0, repo.images[V2].file);
  /* boot_set_pending: the magic alone; the records know nothing of it. */
  assert_int_equal(hf_trailer_put_magic(&board.mcuboot.format, &board.layout.slot[0][1]), HF_OK);
  expect_run(&board, V2, true);
  /* boot_set_confirmed */
  assert_int_equal(hf_trailer_put_flag(&board.mcuboot.format, &board.layout.slot[0][0], HF_FIELD_IMAGE_OK), HF_OK);
  expect_run(&board, V2, false);
  assert_int_equal(records(&board).image[0].counter, 3);
  simflash_free(&board.flash);
}

static void goes_back_by_the_trailers_when_the_records_are_lost(void **state)
{
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct board board;
    board_init(&board, swaps[i], 1);
    expect_run(&board, V1, false);
    stage(&board, V2);
    expect_run(&board, V2, true);
    memset(board.flash.at, 0x5a, BOOT);
    expect_run(&board, V1, false);
    assert_int_equal(board.choice.why.rule, HF_RULE_BOOT_RECORDS_LOST);
    simflash_free(&board.flash);
  }
}

static void brings_in_a_set_together_or_not_at_all(void **state)
{
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct board board;
    board_init(&board, swaps[i], 2);
    expect_run(&board, V1, false);
    stage_set(&board, (const int[UNITS]){V2, FOREIGN}, 3);
    expect_run(&board, V1, false);
    assert_int_equal(board.choice.why_image, 1);
    assert_int_equal(board.choice.why.rule, HF_RULE_IMAGE_KEY_UNKNOWN);
    stage_set(&board, (const int[UNITS]){V2, V3}, 3);
    expect_run(&board, V2, true);
    assert_memory_equal(board.flash.at + BOOT + 2 * SLOT, repo.images[V3].file.at, repo.images[V3].file.len);
    /* One of the two is said to be good: that is not the set. */
    assert_int_equal(hf_trailer_put_flag(&board.mcuboot.format, &board.layout.slot[1][0], HF_FIELD_IMAGE_OK), HF_OK);
    expect_run(&board, V1, false);
    assert_memory_equal(board.flash.at + BOOT + 2 * SLOT, repo.images[V1].file.at, repo.images[V1].file.len);
    stage_set(&board, (const int[UNITS]){V2, V3}, 3);
    expect_run(&board, V2, true);
    confirm(&board);
    expect_run(&board, V2, false);
    assert_int_equal(records(&board).image[1].counter, 3);
    simflash_free(&board.flash);
  }
}

static void refuses_the_image_of_another_component(void **state)
{
  (void)state;
  for (enum hf_boot_mode mode = HF_BOOT_OVERWRITE; mode <= HF_BOOT_SWAP_OFFSET; mode++) {
    struct board board;
    board_init(&board, mode, 1);
    board.config.boot.component[0] = HF_LIT("radio");
    boot(&board);
    assert_int_equal(board.choice.verdict, HF_DENY);
    board.config.boot.component[0] = (struct hf_bytes){NULL, 0};
    expect_run(&board, V1, false); /* and it was nothing else */
    simflash_free(&board.flash);
  }
}

static void refuses_an_impossible_layout(void **state)
{
  (void)state;
  struct board board;
  board_init(&board, HF_BOOT_SWAP_MOVE, 1);
  board.config.format.sectors_max = 4;
  assert_int_equal(hf_bootmode_choose(&board.choice, &board.config), HF_E_INPUT);
  assert_int_equal(board.choice.verdict, HF_DENY);
  simflash_free(&board.flash);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tries_confirms_and_raises_the_counter),
      cmocka_unit_test(goes_back_when_a_trial_was_not_confirmed),
      cmocka_unit_test(overwrites_for_good),
      cmocka_unit_test(refuses_before_anything_moves),
      cmocka_unit_test(opens_an_encrypted_image_on_its_way),
      cmocka_unit_test(encrypts_again_what_goes_back_to_slot_1),
      cmocka_unit_test(brings_the_confirmed_image_back_when_slot_0_rots),
      cmocka_unit_test(runs_nothing_where_there_is_nothing),
      cmocka_unit_test(runs_directly_from_either_slot_in_direct_mode),
      cmocka_unit_test(finishes_a_swap_using_move_that_mcuboot_began),
      cmocka_unit_test(finishes_a_swap_using_offset_that_mcuboot_began),
      cmocka_unit_test(refuses_a_swap_whose_record_makes_no_sense),
      cmocka_unit_test(takes_an_update_staged_by_other_tools),
      cmocka_unit_test(goes_back_by_the_trailers_when_the_records_are_lost),
      cmocka_unit_test(brings_in_a_set_together_or_not_at_all),
      cmocka_unit_test(refuses_the_image_of_another_component),
      cmocka_unit_test(refuses_an_impossible_layout),
  };
  return cmocka_run_group_tests(tests, publish, clean);
}
