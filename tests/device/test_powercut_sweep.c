/* SPDX-License-Identifier: Apache-2.0
 * Power cut at every flash operation of a device's life: first boot, download, staging, trial, confirmation, a bad
 * release and its revert, store compaction; torn in five ways; on every geometry. After each cut the device boots the
 * old or the new image, whole, keeps every rule in simdevice.c, and updates to the end.
 *
 * As a test it spreads the ways of tearing over the cuts; with the argument `full` it takes them all, and cuts again
 * during each recovery.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ports/sim/simcut.h"
#include "ports/sim/simdevice.h"

enum { V10, V11, V12, V13, STEPS = 60, RECORD_MAX = 1024 };

static bool full;
static struct simrepo repo;
/* What the server serves in each chapter of the story. */
static struct simworld order_v11, order_v12, order_v13;

static int publish(void **state)
{
  (void)state;
  simrepo_init(&repo, SIMDEVICE_NOW);
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.0.0", .counter = 1, .payload_len = 3000});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.1.0", .counter = 2, .payload_len = 4100});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.2.0", .counter = 3, .payload_len = 2777});
  (void)simrepo_add(&repo, (struct simrepo_image){.version = "1.3.0", .counter = 3, .payload_len = 3333});
  struct simworld world = {.count = 0};
  simrepo_publish(&repo, &world, SIMDEVICE_NOW);
  simrepo_order(&repo, &world, V11, NULL, SIMDEVICE_NOW);
  order_v11 = world;
  simrepo_order(&repo, &world, V12, NULL, SIMDEVICE_NOW);
  order_v12 = world;
  simrepo_order(&repo, &world, V13, NULL, SIMDEVICE_NOW);
  order_v13 = world;
  return 0;
}

static int clean(void **state)
{
  (void)state;
  simrepo_free(&repo);
  return 0;
}

/* The server's files change; the connection to the device stays. */
static void serve(struct simdevice *device, const struct simworld *world)
{
  memcpy(device->world.file, world->file, sizeof world->file);
  device->world.count = world->count;
  device->server.answer.director++;
}

/* The whole story. True when every chapter came to its end. */
static bool live(struct simdevice *device)
{
  serve(device, &order_v11);
  if (!simdevice_settle(device, V11, STEPS)) {
    return false;
  }
  device->sick = V12;
  serve(device, &order_v12);
  if (!simdevice_settle(device, V12, STEPS)) {
    return false;
  }
  device->sick = -1;
  serve(device, &order_v13);
  return simdevice_settle(device, V13, STEPS);
}

struct cut {
  uint32_t align;
  uint8_t erased;
  enum simflash_tear tear;
  uint32_t tear_at;       /* for SIMFLASH_TEAR_BYTE */
  uint32_t first, second; /* the second counts from power-on after the first; 0: none */
};

static void complain(const struct cut *cut, const struct simdevice *device, const char *what)
{
  print_message(
      "align %u erased %02x tear %d cut %u then %u: %s (boots %u trials %u reverts %u running %s state %d rule %u)\n",
      cut->align, cut->erased, (int)cut->tear, cut->first, cut->second, what, device->boots, device->trials,
      device->reverts, device->server.version, (int)device->server.state, device->server.rule);
  fail();
}

/* Live with these cuts. `*after` gets what the flash counted. */
static void live_with(const struct cut *cut, struct simflash *after)
{
  static struct simdevice device;
  simdevice_init(&device, &repo, V10, cut->align, cut->erased);
  device.flash.tear = cut->tear;
  device.flash.tear_at = cut->tear_at;
  device.flash.seed = cut->first * 7919u + cut->second;
  device.flash.cut_at = cut->first;
  device.flash.cut_after = cut->second;
  bool ended = live(&device);
  if (device.broken != NULL) {
    complain(cut, &device, device.broken);
  }
  if (device.flash.breaches != 0) {
    complain(cut, &device, device.flash.breach);
  }
  if (!ended) {
    complain(cut, &device, "did not come to the end");
  }
  /* The story is long enough to fill a bank of the store several times. */
  if (cut->first == 0 && device.agent.store.generation < 3) {
    complain(cut, &device, "no compaction in this life");
  }
  *after = device.flash;
  simdevice_free(&device);
}

/* The write in which power failed ends after one byte, after two ... and its next byte is torn between bits: records of
 * boot and of the store. Contents of slots are longer. Returns the cuts. */
static unsigned tear_bytes(struct cut cut, uint32_t len, uint32_t step)
{
  struct simflash after;
  unsigned cuts = 0;
  cut.tear = SIMFLASH_TEAR_BYTE;
  cut.second = 0;
  for (cut.tear_at = cut.first % step; cut.tear_at < len; cut.tear_at += step) {
    live_with(&cut, &after);
    cuts += after.cuts;
  }
  return cuts;
}

static enum simflash_tear tear_of(uint32_t n) { return (enum simflash_tear)(n % SIMFLASH_TEARS); }

/* One operation, torn in one way or in all; returns the cuts. */
static unsigned cut_operation(struct cut cut, uint32_t geometry)
{
  unsigned cuts = 0;
  uint32_t torn_len = 0;
  for (uint32_t t = 0; t < (full ? SIMFLASH_TEARS : 1); t++) {
    struct simflash after;
    cut.tear = tear_of(full ? t : cut.first * 3 + geometry);
    /* Cut the recovery, too: at an operation that moves through it. */
    bool again = full || cut.first % 4 == 0;
    cut.second = again ? 1 + (cut.first * 13 + t * 5) % 97 : 0;
    live_with(&cut, &after);
    assert_true(after.cuts >= 1);
    cuts += after.cuts;
    torn_len = after.torn_erase ? 0 : after.torn_len;
  }
  bool record = torn_len > 0 && torn_len <= RECORD_MAX;
  bool due = full || (cut.first + 5 * geometry) % 16 == 0;
  return cuts + (record && due ? tear_bytes(cut, torn_len, full ? 1 : 41) : 0);
}

static void comes_back_from_a_cut_at_every_operation(void **state)
{
  (void)state;
  unsigned cuts = 0;
  for (uint32_t geometry = 0; geometry < SIMCUT_GEOMETRIES; geometry++) {
    struct cut cut = {.align = simcut_align(geometry), .erased = simcut_erased(geometry)};
    struct simflash whole;
    live_with(&cut, &whole);
    assert_int_equal(whole.cuts, 0);
    assert_true(whole.ops > 200);
    /* A quick run takes every second operation, the odd ones in one geometry and the even ones in the next. */
    for (cut.first = 1 + (full ? 0 : geometry % 2); cut.first <= whole.ops; cut.first += full ? 1 : 2) {
      cuts += cut_operation(cut, geometry);
    }
  }
  simcut_report("direct, one image, the whole device with download and store", cuts);
}

int main(int argc, char **argv)
{
  full = argc > 1 && strcmp(argv[1], "full") == 0;
  const struct CMUnitTest tests[] = {cmocka_unit_test(comes_back_from_a_cut_at_every_operation)};
  return cmocka_run_group_tests(tests, publish, clean);
}
