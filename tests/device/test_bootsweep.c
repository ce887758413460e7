/* SPDX-License-Identifier: Apache-2.0
 * Power cut at every flash operation of a set's life, and at every byte of every program: staging, trial, confirmation,
 * a set that is never healthy and its revert, the next set. Two images, each write alignment, both erased values. After
 * each cut the old or the new set boots, whole, never a mixture, never a trial twice, and the life goes on to its end.
 *
 * A boot mode is a row of `modes`. As a test it tries every thirteenth byte position, another one at each operation and
 * geometry; with the argument `full` all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "hf/device/bootops.h"
#include "ports/sim/simset.h"

enum { SETS = 4, STEPS = 40, SICK = 2 };

/* How a device of this mode boots, and what its application is given. */
struct mode {
  const char *name;
  bool (*boot)(struct simset_device *device);
  const struct hf_boot_ops *ops;
};

struct life {
  const struct mode *mode;
  struct simset_device device;
  struct hf_boot_records records;
  int last;  /* set that was confirmed last */
  int tried; /* set whose trial began and was not confirmed; -1 */
};

static struct simset set;
static bool full;
static const uint32_t aligns[] = {1, 4, 8, 16};

/* Set n is file 2n for image 0 and 2n + 1 for image 1; each needs the other. */
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
                                                  .needs_image = (uint8_t)(1 - image)});
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

static bool direct_boot(struct simset_device *device)
{
  enum hf_err err = simset_boot(device, HF_RESET_POWER);
  if (device->flash.dead) {
    return false;
  }
  assert_int_equal(err, HF_OK);
  assert_int_equal(device->choice.verdict, HF_ALLOW);
  return true;
}

static const struct mode modes[] = {{"direct", direct_boot, &hf_boot_records_ops}};

/* The set that runs; held against the rules. */
static int judge(struct life *life)
{
  struct simset_device *device = &life->device;
  struct hf_bootstate state;
  int first = simset_file_in(device, 0, device->choice.slot[0]);
  int second = simset_file_in(device, 1, device->choice.slot[1]);
  assert_true(first >= 0 && second == first + 1 && first % 2 == 0);
  int runs = first / 2;
  assert_int_equal(hf_bootstate_get(&state, &device->layout.boot), HF_OK);
  for (int i = 0; i < 2; i++) {
    assert_true(set.file[first].info.counter >= state.image[i].counter);
    assert_true(set.file[life->last * 2].info.counter >= state.image[i].counter);
  }
  if (device->choice.trial) {
    assert_int_not_equal(life->tried, runs);
    life->tried = runs;
  } else {
    assert_int_equal(runs, life->last);
  }
  return runs;
}

/* Bring a set into the other slots and stage it. False: power failed. */
static bool stage(struct life *life, int n)
{
  struct simset_device *device = &life->device;
  struct hf_bootslot staged[HF_IMAGES_MAX] = {{.status = HF_SLOT_EMPTY}};
  if (life->mode->ops->release(&life->records, 3) != HF_OK) {
    return false;
  }
  for (uint8_t i = 0; i < 2; i++) {
    if (!simset_fill(device, i, (uint8_t)(1 - device->choice.slot[i]), n * 2 + i)) {
      return false;
    }
    hf_bootstate_bind(&staged[i], &set.file[n * 2 + i].info, HF_SLOT_STAGED);
  }
  life->tried = life->tried == n ? -1 : life->tried;
  return life->mode->ops->stage(&life->records, staged, 3) == HF_OK;
}

/* A power cut inside the confirmation leaves either; the record tells which. */
static bool confirm(struct life *life, int runs)
{
  bool good = life->mode->ops->confirm(&life->records) == HF_OK && !life->device.flash.dead;
  if (life->device.flash.dead) {
    struct simflash *flash = &life->device.flash;
    struct hf_bootstate state;
    flash->dead = false;
    assert_int_equal(hf_bootstate_get(&state, &life->device.layout.boot), HF_OK);
    bool done[2];
    for (int i = 0; i < 2; i++) {
      done[i] = state.image[i].slot[life->records.running[i]].status == HF_SLOT_CONFIRMED;
    }
    assert_int_equal(done[0], done[1]);
    life->last = done[0] ? runs : life->last;
    flash->dead = true;
    return false;
  }
  life->last = good ? runs : life->last;
  return good;
}

/* From power-on to the next reboot. */
static bool wake(struct life *life, int wanted, bool *over)
{
  if (!life->mode->boot(&life->device)) {
    return false;
  }
  memcpy(life->records.running, life->device.choice.slot, sizeof life->records.running);
  int runs = judge(life);
  if (life->device.choice.trial) {
    return runs == SICK || confirm(life, runs);
  }
  struct hf_bootstate state;
  assert_int_equal(hf_bootstate_get(&state, &life->device.layout.boot), HF_OK);
  *over = runs == wanted || (wanted == SICK && life->tried == SICK);
  return *over || stage(life, wanted);
}

/* The whole life with a cut at one operation; returns the operations there were. */
static uint32_t live(const struct mode *mode, uint32_t geometry, uint32_t cut_at, uint32_t tear_at, uint32_t *len)
{
  static struct life life;
  life = (struct life){.mode = mode, .tried = -1};
  simset_device_init(&life.device, &set, 2, aligns[geometry % 4], geometry < 4 ? 0xff : 0x00);
  life.records.layout = &life.device.layout;
  struct simflash *flash = &life.device.flash;
  assert_true(simset_fill(&life.device, 0, 0, 0) && simset_fill(&life.device, 1, 0, 1));
  flash->ops = 0;
  flash->tear = SIMFLASH_TEAR_BYTE;
  flash->tear_at = tear_at;
  flash->seed = cut_at * 7919u + tear_at;
  flash->cut_at = cut_at;
  for (int wanted = 1; wanted < SETS; wanted++) {
    bool over = false;
    for (int step = 0; !over && step < STEPS; step++) {
      (void)wake(&life, wanted, &over);
      simflash_power_on(flash);
    }
    assert_true(over);
  }
  assert_int_equal(life.last, SETS - 1);
  assert_int_equal(flash->breaches, 0);
  *len = cut_at == 0 ? 0 : flash->torn_len;
  uint32_t ops = flash->ops;
  simset_device_free(&life.device);
  return ops;
}

static void keeps_whole_sets_after_a_cut_at_every_byte(void **state)
{
  (void)state;
  for (size_t m = 0; m < sizeof modes / sizeof modes[0]; m++) {
    unsigned cuts = 0;
    for (uint32_t geometry = 0; geometry < 8; geometry++) {
      uint32_t len;
      uint32_t ops = live(&modes[m], geometry, 0, 0, &len);
      for (uint32_t op = 1; op <= ops; op++) {
        (void)live(&modes[m], geometry, op, 0, &len);
        cuts++;
        /* Sectors are erased, not written: a dozen places are enough for them. */
        uint32_t step = len >= SIMSET_SECTOR ? 83 : full ? 1 : 13;
        for (uint32_t at = 1 + (full ? 0 : (op + geometry) % step); at <= len; at += step) {
          uint32_t same;
          (void)live(&modes[m], geometry, op, at, &same);
          cuts++;
        }
      }
    }
    print_message("%s: %u power cuts\n", modes[m].name, cuts);
    assert_true(cuts > 1000);
  }
}

int main(int argc, char **argv)
{
  full = argc > 1 && strcmp(argv[1], "full") == 0;
  const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_whole_sets_after_a_cut_at_every_byte)};
  return cmocka_run_group_tests(tests, make_images, drop_images);
}
