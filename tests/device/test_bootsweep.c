/* SPDX-License-Identifier: Apache-2.0
 * Power cut at every flash operation of a set's life, in every boot mode: staging, trial, confirmation, a set that is
 * never healthy and its revert, the next set. Two images, each write alignment, both erased values; every write torn
 * inside, boot records and trailers after each byte; some recoveries cut again. After each cut the old or the new set
 * boots, whole, never a mixture, never a trial twice, and the life goes on to its end.
 *
 * A boot mode is a row of `modes`. As a test it takes every so many operations and bytes, others in each geometry; with
 * the argument `full` all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "hf/device/bootmode.h"
#include "hf/device/mcuboot.h"
#include "ports/sim/simcut.h"
#include "ports/sim/simset.h"

enum { SETS = 4, STEPS = 40, SICK = 2, SECTORS_MAX = 8, RECORD_MAX = 256 };

/* How a device of this mode boots, what its application is given, and how much of it a quick run takes. */
struct mode {
  const char *name;
  enum hf_boot_mode mode;
  const struct hf_boot_ops *ops;
  uint32_t sector, slot_sectors;
  uint32_t ops_step, byte_step;
};

static const struct mode modes[] = {
    {"direct, sets of two images", HF_BOOT_DIRECT, &hf_boot_records_ops, SIMSET_SECTOR, 1, 3, 41},
    {"overwrite, sets of two images", HF_BOOT_OVERWRITE, &hf_mcuboot_ops, 512, 5, 3, 167},
    {"swap-move, sets of two images", HF_BOOT_SWAP_MOVE, &hf_mcuboot_ops, 512, 5, 11, 167},
    {"swap-offset, sets of two images", HF_BOOT_SWAP_OFFSET, &hf_mcuboot_ops, 512, 5, 11, 167},
};

struct life {
  const struct mode *mode;
  struct simset_device device;
  struct hf_boot_records records;
  struct hf_mcuboot mcuboot;
  struct hf_swapboot_config config;
  void *ctx;   /* of mode->ops */
  int last;    /* set that was confirmed last */
  int tried;   /* set whose trial began and was not confirmed; -1 */
  int perhaps; /* set whose confirmation began, and power went: the next boot tells; -1 */
};

static struct simset set;
static bool full;

/* Set n is file 2n for image 0 and 2n + 1 for image 1; each needs the other. The second is longer than a sector. */
static int make_images(void **state)
{
  (void)state;
  static const char *const versions[SETS] = {"1.0", "2.0", "3.0", "4.0"};
  static const uint32_t counters[SETS] = {1, 1, 2, 2};
  simset_init(&set);
  for (int n = 0; n < SETS; n++) {
    for (uint8_t image = 0; image < 2; image++) {
      (void)simset_add(&set, (struct simset_file){.version = versions[n],
                                                  .counter = counters[n],
                                                  .needs = versions[n],
                                                  .needs_image = (uint8_t)(1 - image),
                                                  .payload_len = image == 0 ? 90 : 500});
    }
  }
  return 0;
}

static int drop_images(void **state)
{
  (void)state;
  simset_free(&set);
  return 0;
}

static void life_init(struct life *life, const struct mode *mode, uint32_t geometry)
{
  *life = (struct life){.mode = mode, .tried = -1, .perhaps = -1};
  const struct simset_shape shape = {.images = 2,
                                     .align = simcut_align(geometry),
                                     .erased = simcut_erased(geometry),
                                     .sector = mode->sector,
                                     .slot_sectors = mode->slot_sectors};
  simset_device_shape(&life->device, &set, &shape);
  const struct hf_layout *layout = &life->device.layout;
  life->records.layout = layout;
  life->mcuboot = (struct hf_mcuboot){.layout = layout, .format = {.mode = mode->mode, .sectors_max = SECTORS_MAX}};
  life->config = (struct hf_swapboot_config){.boot = {.layout = layout, .keys = &set.keys, .reset = HF_RESET_POWER},
                                             .format = life->mcuboot.format};
  life->ctx = mode->mode == HF_BOOT_DIRECT ? (void *)&life->records : (void *)&life->mcuboot;
  assert_true(simset_fill(&life->device, 0, 0, 0) && simset_fill(&life->device, 1, 0, 1));
  life->device.flash.ops = 0;
}

/* False: power failed meanwhile. */
static bool boot(struct life *life)
{
  struct simset_device *device = &life->device;
  enum hf_err err = hf_bootmode_choose(&device->choice, &life->config);
  if (device->flash.dead) {
    return false;
  }
  assert_int_equal(err, HF_OK);
  assert_int_equal(device->choice.verdict, HF_ALLOW);
  memcpy(life->records.running, device->choice.slot, sizeof life->records.running);
  return true;
}

/* The set that runs; held against the rules. */
static int judge(struct life *life)
{
  struct simset_device *device = &life->device;
  struct hf_bootstate state;
  int first = simset_file_in(device, 0, device->choice.slot[0]);
  int second = simset_file_in(device, 1, device->choice.slot[1]);
  assert_true(first >= 0 && second == first + 1 && first % 2 == 0);
  int runs = first / 2;
  if (device->choice.trial) {
    assert_int_not_equal(life->mode->mode, HF_BOOT_OVERWRITE);
    assert_int_not_equal(life->tried, runs);
    life->tried = runs;
  } else {
    life->last = life->perhaps == runs ? runs : life->last;
    life->perhaps = -1;
    assert_int_equal(runs, life->last);
  }
  assert_int_equal(hf_bootstate_get(&state, &device->layout.boot), HF_OK);
  for (int i = 0; i < 2; i++) {
    assert_true(set.file[first].info.counter >= state.image[i].counter);
    assert_true(set.file[life->last * 2].info.counter >= state.image[i].counter);
  }
  return runs;
}

/* Bring a set to where updates go, and stage it. False: power failed. */
static bool stage(struct life *life, int n)
{
  struct hf_bootslot staged[HF_IMAGES_MAX] = {{.status = HF_SLOT_EMPTY}};
  if (life->mode->ops->release(life->ctx, 3) != HF_OK) {
    return false;
  }
  for (uint8_t i = 0; i < 2; i++) {
    struct hf_area area;
    assert_int_equal(life->mode->ops->target(life->ctx, &area, i), HF_OK);
    if (!simset_write(&area, &set.file[n * 2 + i])) {
      return false;
    }
    hf_bootstate_bind(&staged[i], &set.file[n * 2 + i].info, HF_SLOT_STAGED);
  }
  life->tried = life->tried == n ? -1 : life->tried;
  life->perhaps = life->mode->mode == HF_BOOT_OVERWRITE ? n : -1; /* copied is confirmed */
  return life->mode->ops->stage(life->ctx, staged, 3) == HF_OK;
}

/* In direct mode one record confirms both images: after a cut inside it, both are or none. */
static void judge_confirmation(struct life *life)
{
  struct hf_bootstate state;
  life->device.flash.dead = false;
  assert_int_equal(hf_bootstate_get(&state, &life->device.layout.boot), HF_OK);
  life->device.flash.dead = true;
  assert_int_equal(state.image[0].slot[life->records.running[0]].status == HF_SLOT_CONFIRMED,
                   state.image[1].slot[life->records.running[1]].status == HF_SLOT_CONFIRMED);
}

static bool confirm(struct life *life, int runs)
{
  bool good = life->mode->ops->confirm(life->ctx) == HF_OK && !life->device.flash.dead;
  life->perhaps = runs;
  if (life->device.flash.dead && life->mode->mode == HF_BOOT_DIRECT) {
    judge_confirmation(life);
  }
  life->last = good ? runs : life->last;
  return good;
}

/* From power-on to the next reboot. */
static void wake(struct life *life, int wanted, bool *over)
{
  if (!boot(life)) {
    return;
  }
  int runs = judge(life);
  if (life->device.choice.trial) {
    if (runs != SICK) {
      (void)confirm(life, runs);
    }
    return;
  }
  *over = runs == wanted || (wanted == SICK && life->tried == SICK);
  if (!*over) {
    (void)stage(life, wanted);
  }
}

/* The whole life with this cut; `*after` gets what its flash counted. */
static void live(const struct mode *mode, const struct simcut *cut, struct simflash *after)
{
  static struct life life;
  life_init(&life, mode, cut->geometry);
  struct simflash *flash = &life.device.flash;
  simcut_arm(flash, cut);
  /* A quarter of the cuts find the recovery cut as well. */
  bool again = cut->op != 0 && cut->tear != SIMFLASH_TEAR_BYTE && (cut->op + (uint32_t)cut->tear) % 4 == 0;
  flash->cut_after = again ? 1 + cut->op * 13 % 61 : 0;
  for (int wanted = 1; wanted < SETS; wanted++) {
    bool over = mode->mode == HF_BOOT_OVERWRITE && wanted == SICK; /* there is no way back */
    for (int step = 0; !over && step < STEPS; step++) {
      wake(&life, wanted, &over);
      if (flash->dead) {
        simflash_power_on(flash);
      }
    }
    assert_true(over);
  }
  assert_int_equal(life.last, SETS - 1);
  assert_int_equal(flash->breaches, 0);
  *after = *flash;
  simset_device_free(&life.device);
}

/* Is this cut one of a quick run's? Contents of sectors are not judged by the byte, records and trailers are. */
static bool is_taken(const struct mode *mode, const struct simcut *cut)
{
  bool due = (cut->op + cut->geometry) % mode->ops_step == 0;
  return full || (due && (cut->tear >= SIMFLASH_TEAR_LATE ||
                          (uint32_t)cut->tear == (cut->op + cut->geometry) % SIMFLASH_TEAR_LATE));
}

static void sweep(const struct mode *mode)
{
  struct simflash after = {.cuts = 0};
  uint32_t cuts = 0, ops[SIMCUT_GEOMETRIES];
  for (uint32_t geometry = 0; geometry < SIMCUT_GEOMETRIES; geometry++) {
    const struct simcut none = {.geometry = geometry, .op = 0};
    live(mode, &none, &after);
    assert_int_equal(after.cuts, 0);
    ops[geometry] = after.ops;
  }
  for (struct simcut cut = simcut_first(full ? 1 : mode->byte_step); simcut_on(&cut); simcut_next(&cut, &after)) {
    if (is_taken(mode, &cut)) {
      live(mode, &cut, &after);
      cuts += after.cuts;
    } else {
      after.cuts = cut.op <= ops[cut.geometry];
      after.torn_len = 0; /* its bytes are left out, too */
    }
    if (mode->mode != HF_BOOT_DIRECT && after.torn_len >= RECORD_MAX && cut.tear == SIMFLASH_TEAR_BYTE) {
      after.torn_erase = true; /* a dozen places in it are enough */
    }
  }
  simcut_report(mode->name, cuts);
  assert_true(cuts > 100);
}

static void keeps_whole_sets_after_a_cut_at_every_byte(void **state)
{
  (void)state;
  for (size_t m = 0; m < sizeof modes / sizeof modes[0]; m++) {
    sweep(&modes[m]);
  }
}

int main(int argc, char **argv)
{
  full = argc > 1 && strcmp(argv[1], "full") == 0;
  const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_whole_sets_after_a_cut_at_every_byte)};
  return cmocka_run_group_tests(tests, make_images, drop_images);
}
