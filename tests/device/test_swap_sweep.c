/* SPDX-License-Identifier: Apache-2.0
 * Power cut at every flash operation of a device that boots through slot 1, in each mode: overwrite, swap using move,
 * swap using offset, plain and encrypted; on every geometry. First boot, an update, its trial and confirmation, a sick
 * update and its revert, one more update. Each write of a trailer or a boot record is also torn after every single
 * byte.
 *
 * At each boot: what stands in slot 0 is one of the images, byte for byte; no unconfirmed image runs twice; nothing
 * below the floor runs, and the floor never falls or rises above what was confirmed. In the end the wanted image runs.
 * As a test it spreads the ways of tearing, and the bytes, over the cuts; with the argument `full` it takes them all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/crypto/cipher.h"
#include "hf/device/mcuboot.h"
#include "hf/device/slot.h"
#include "hf/device/swapboot.h"
#include "ports/sim/simcut.h"

enum { SECTOR = 512, BOOT = 2 * SECTOR, SLOT = 10 * SECTOR, FLASH = BOOT + 2 * SLOT, STEPS = 80, SECTORS_MAX = 16 };
enum { V1, V2, V3_SICK, V4, IMAGES };

struct image {
  uint8_t file[4096 + HF_IMAGE_OVERHEAD_MAX];  /* as it is downloaded */
  uint8_t plain[4096 + HF_IMAGE_OVERHEAD_MAX]; /* as it runs */
  uint32_t len;
  struct hf_image_info info;
};

static struct hf_key *signing, *opening;
static struct hf_pubkey signing_pub;
static struct hf_image_keys keys = {.key = &signing_pub, .count = 1};
static struct hf_seal_key seal_key;
static struct hf_seal_box box = {&hf_seal_p256_ops, &seal_key};
static struct image images[2][IMAGES]; /* plain, encrypted */
static bool full;

static enum hf_err sign_digest(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

static enum hf_err agree(void *ctx, uint8_t secret[32], const uint8_t point[HF_P256_PUBLIC_LEN])
{
  return hf_key_agree(secret, ctx, point);
}

static void make_image(struct image *image, int number, uint32_t counter, uint32_t len, const struct hf_pubkey *to)
{
  uint8_t payload[4096];
  for (uint32_t i = 0; i < len; i++) {
    payload[i] = (uint8_t)(i * 7 + (uint32_t)number * 31 + i / 256);
  }
  const struct hf_image_signer signer = {.pub = signing_pub, .sign = sign_digest, .ctx = signing};
  const struct hf_image_build build = {
      .version = {.major = (uint8_t)number}, .has_counter = true, .counter = counter, .encrypt_for = to};
  struct hf_buf out = hf_buf_init(image->file, sizeof image->file);
  assert_int_equal(hf_image_sign(&out, &build, hf_bytes_init(payload, len), &signer), HF_OK);
  image->len = (uint32_t)out.len;
  memcpy(image->plain, image->file, out.len);
  memcpy(image->plain + HF_IMAGE_HEADER_LEN, payload, len);
  struct hf_bytes bytes = hf_buf_bytes(&out);
  struct hf_image_source source = hf_image_source_init(&bytes);
  assert_int_equal(hf_image_parse(&image->info, &source, NULL), HF_OK);
}

static int publish(void **state)
{
  (void)state;
  static const uint32_t lens[IMAGES] = {900, 1300, 700, 1100};
  static const uint32_t counters[IMAGES] = {1, 2, 3, 3};
  struct hf_pubkey opening_pub;
  assert_int_equal(hf_key_new(&signing, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_new(&opening, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&signing_pub, signing), HF_OK);
  assert_int_equal(hf_key_public(&opening_pub, opening), HF_OK);
  seal_key = (struct hf_seal_key){agree, opening};
  for (int i = 0; i < IMAGES; i++) {
    make_image(&images[0][i], i + 1, counters[i], lens[i], NULL);
    /* The first one came plain from the factory. */
    make_image(&images[1][i], i + 1, counters[i], lens[i], i == V1 ? NULL : &opening_pub);
  }
  return 0;
}

static int clean(void **state)
{
  (void)state;
  hf_key_free(signing);
  hf_key_free(opening);
  return 0;
}

/* ---- a device ---- */

struct device {
  struct simflash flash;
  struct hf_layout layout;
  struct hf_mcuboot mcuboot;
  struct hf_swapboot_config config;
  struct hf_boot_choice choice;
  const struct image *images;
  bool running;
  int ran[IMAGES];        /* unconfirmed, since it was staged */
  bool confirmed[IMAGES]; /* its health check passed once */
  bool refused[IMAGES];   /* the device knows that it failed */
  uint32_t counter, boots, trials;
  const char *broken;
};

static void note(struct device *device, const char *rule)
{
  if (device->broken == NULL) {
    device->broken = rule;
  }
}

static enum hf_err fill(const struct hf_area *area, const struct image *image)
{
  struct hf_slot_writer writer;
  uint8_t digest[HF_SHA256_LEN];
  enum hf_err err = hf_slot_open(&writer, area, image->len, 0);
  err = err == HF_OK ? hf_slot_put(&writer, hf_bytes_init(image->file, image->len)) : err;
  return err == HF_OK ? hf_slot_close(&writer, digest) : err;
}

static void device_init(struct device *device, const struct hf_trailer_format *format, uint32_t align, uint8_t erased)
{
  *device = (struct device){.images = images[format->key_len != 0]};
  simflash_init(&device->flash, FLASH, SECTOR, align, erased);
  device->layout.images = 1;
  device->layout.boot = simflash_area(&device->flash, 0, BOOT);
  device->layout.slot[0][0] = simflash_area(&device->flash, BOOT, SLOT);
  device->layout.slot[0][1] = simflash_area(&device->flash, BOOT + SLOT, SLOT);
  device->mcuboot = (struct hf_mcuboot){.layout = &device->layout, .format = *format};
  device->config = (struct hf_swapboot_config){
      .boot = {.layout = &device->layout, .keys = &keys, .reset = HF_RESET_POWER}, .format = *format, .box = &box};
  assert_int_equal(fill(&device->layout.slot[0][0], &device->images[V1]), HF_OK);
  device->confirmed[V1] = true;
  device->flash.ops = 0;
}

static int image_running(const struct device *device)
{
  for (int i = 0; i < IMAGES; i++) {
    if (memcmp(device->flash.at + BOOT, device->images[i].plain, device->images[i].len) == 0) {
      return i;
    }
  }
  return -1;
}

static void judge(struct device *device, int image)
{
  struct hf_bootstate after;
  const struct hf_boot_choice *choice = &device->choice;
  bool overwrite = device->config.format.mode == HF_BOOT_OVERWRITE;
  if (image < 0 || memcmp(choice->info.digest, device->images[image].info.digest, HF_SHA256_LEN) != 0) {
    note(device, "booted something that is not one of the images, whole");
    return;
  }
  if (hf_bootstate_get(&after, &device->layout.boot) != HF_OK) {
    note(device, "boot records unreadable after a boot");
    return;
  }
  uint32_t floor = after.image[0].counter;
  if (device->images[image].info.counter < floor || floor < device->counter) {
    note(device, "below the floor, or the floor fell");
  }
  device->counter = floor;
  if (choice->trial && device->ran[image]++ > 0) {
    note(device, "an unconfirmed image ran twice");
  }
  if (!choice->trial && !device->confirmed[image] && !overwrite) {
    note(device, "ran an image for good that never passed its health check");
  }
  if (!choice->trial && !overwrite && floor > device->images[image].info.counter) {
    note(device, "the counter is above the confirmed image");
  }
  if (overwrite && (choice->trial || image == V3_SICK)) {
    note(device, "a trial without a way back");
  }
}

/* Power-on. False when power was cut again. */
static bool boot(struct device *device)
{
  enum hf_err err = hf_swapboot_choose(&device->choice, &device->config);
  device->running = false;
  if (device->flash.dead) {
    return false;
  }
  if (err != HF_OK || device->choice.verdict != HF_ALLOW) {
    note(device, "nothing boots");
    return false;
  }
  device->boots++;
  device->trials += device->choice.trial;
  judge(device, image_running(device));
  device->running = true;
  return true;
}

/* ---- the application ---- */

static bool stage(struct device *device, int wanted)
{
  struct hf_area target;
  struct hf_bootslot staged[HF_IMAGES_MAX] = {{0}};
  const struct hf_boot_ops *ops = &hf_mcuboot_ops;
  hf_bootstate_bind(&staged[0], &device->images[wanted].info, HF_SLOT_STAGED);
  if (ops->release(&device->mcuboot, HF_BOOT_IMAGE(0)) != HF_OK || ops->target(&device->mcuboot, &target, 0) != HF_OK ||
      fill(&target, &device->images[wanted]) != HF_OK) {
    return false;
  }
  device->ran[wanted] = 0; /* from here on it may be tried once more */
  return ops->stage(&device->mcuboot, staged, HF_BOOT_IMAGE(0)) == HF_OK;
}

/* One look of the application at its world. False: reboot. */
static bool look(struct device *device, int wanted, bool *settled)
{
  struct hf_boot_view view;
  const struct hf_boot_ops *ops = &hf_mcuboot_ops;
  int image = image_running(device);
  *settled = false;
  if (ops->get(&device->mcuboot, &view) != HF_OK || image < 0) {
    return false;
  }
  if (view.image[0].running.status == HF_SLOT_TRYING) {
    if (image == V3_SICK) {
      (void)ops->give_up(&device->mcuboot, HF_RULE_BOOT_UNHEALTHY);
      return false;
    }
    device->confirmed[image] = true;
    return ops->confirm(&device->mcuboot) == HF_OK;
  }
  if (view.image[0].running.status != HF_SLOT_CONFIRMED) {
    note(device, "what runs is neither confirmed nor on trial");
  }
  device->confirmed[image] = true;
  /* A trial that a power cut ended says nothing about the image; that it found itself sick does. */
  if (view.failed_rule == HF_RULE_BOOT_UNHEALTHY) {
    device->refused[V3_SICK] = true;
  }
  *settled = image == wanted || (wanted == V3_SICK && device->refused[V3_SICK]);
  if (*settled) {
    return true;
  }
  if (view.image[0].other.status != HF_SLOT_STAGED) {
    (void)stage(device, wanted);
  }
  return false;
}

static bool settle(struct device *device, int wanted)
{
  for (int i = 0; i < STEPS; i++) {
    bool settled = false;
    if (device->flash.dead) {
      simflash_power_on(&device->flash);
      device->running = false;
    }
    if (!device->running && !boot(device)) {
      continue;
    }
    bool goes_on = look(device, wanted, &settled);
    if (device->flash.dead) {
      continue;
    }
    if (settled) {
      return true;
    }
    device->running = goes_on;
  }
  return false;
}

static bool live(struct device *device)
{
  bool overwrite = device->config.format.mode == HF_BOOT_OVERWRITE;
  return settle(device, V2) && (overwrite || settle(device, V3_SICK)) && settle(device, V4);
}

/* ---- the sweep ---- */

struct cut {
  struct hf_trailer_format format;
  uint32_t align;
  uint8_t erased;
  enum simflash_tear tear;
  uint32_t tear_at;
  uint32_t first, second;
};

static void complain(const struct cut *cut, const struct device *device, const char *what)
{
  print_message("mode %d keys %u align %u erased %02x tear %d at %u cut %u then %u: %s (boots %u trials %u rule %u)\n",
                (int)cut->format.mode, cut->format.key_len, cut->align, cut->erased, (int)cut->tear, cut->tear_at,
                cut->first, cut->second, what, device->boots, device->trials, device->choice.why.rule);
  fail();
}

/* Live with these cuts. `*after` gets what the flash counted. */
static void live_with(const struct cut *cut, struct simflash *after)
{
  static struct device device;
  device_init(&device, &cut->format, cut->align, cut->erased);
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
  bool overwrite = cut->format.mode == HF_BOOT_OVERWRITE;
  if (cut->first == 0 && device.trials != (overwrite ? 0 : 3)) {
    complain(cut, &device, "another number of trials than updates");
  }
  *after = device.flash;
  simflash_free(&device.flash);
}

static const struct hf_trailer_format formats[] = {
    {.mode = HF_BOOT_OVERWRITE, .sectors_max = SECTORS_MAX},
    {.mode = HF_BOOT_SWAP_MOVE, .sectors_max = SECTORS_MAX},
    {.mode = HF_BOOT_SWAP_OFFSET, .sectors_max = SECTORS_MAX},
    {.mode = HF_BOOT_OVERWRITE, .sectors_max = SECTORS_MAX, .key_len = 16},
    {.mode = HF_BOOT_SWAP_MOVE, .sectors_max = SECTORS_MAX, .key_len = 16},
    {.mode = HF_BOOT_SWAP_OFFSET, .sectors_max = SECTORS_MAX, .key_len = 16, .tlv_sizes = true},
};
static const char *const names[] = {"overwrite, one image",
                                    "swap-move, one image",
                                    "swap-offset, one image",
                                    "overwrite, one image, encrypted",
                                    "swap-move, one image, encrypted",
                                    "swap-offset, one image, encrypted"};

/* Every byte of this operation's write: it ends after one, after two ... and its next byte is torn between bits. */
static unsigned tear_bytes(struct cut cut, uint32_t len)
{
  struct simflash after;
  unsigned cuts = 0;
  cut.tear = SIMFLASH_TEAR_BYTE;
  cut.second = 0;
  for (cut.tear_at = 0; cut.tear_at < len; cut.tear_at++) {
    live_with(&cut, &after);
    cuts += after.cuts;
  }
  return cuts;
}

/* `stride`: every so many operations. Returns the cuts. */
static unsigned sweep(size_t format, uint32_t align, uint8_t erased, uint32_t stride)
{
  struct cut cut = {.format = formats[format], .align = align, .erased = erased};
  struct simflash after;
  unsigned cuts = 0, bytes = 0;
  live_with(&cut, &after);
  assert_int_equal(after.cuts, 0);
  uint32_t ops = after.ops;
  for (cut.first = 1; cut.first <= ops; cut.first += stride) {
    uint32_t torn_len = 0;
    for (uint32_t t = 0; t < (full ? SIMFLASH_TEARS : 1); t++) {
      cut.tear = (enum simflash_tear)((full ? t : cut.first * 3 + format) % SIMFLASH_TEARS);
      bool again = full || cut.first % 4 == 0;
      cut.second = again ? 1 + (cut.first * 13 + t * 5) % 61 : 0;
      live_with(&cut, &after);
      assert_true(after.cuts >= 1);
      cuts += after.cuts;
      torn_len = after.torn_erase ? 0 : after.torn_len;
    }
    /* Short writes are trailers and records; the contents of sectors go in longer ones. */
    bool short_write = torn_len > 0 && torn_len < 256;
    if (short_write && (full || (cut.first / stride) % 16 == (format + align) % 16)) {
      bytes += tear_bytes(cut, torn_len);
    }
  }
  return cuts + bytes;
}

static void comes_back_from_a_cut_at_every_operation(void **state)
{
  (void)state;
  for (size_t format = 0; format < sizeof formats / sizeof formats[0]; format++) {
    unsigned cuts = 0;
    for (uint32_t i = 0; i < 8; i++) {
      /* In a quick run every mode meets every alignment at every operation, and the other erased value at a third of
       * them. Encryption changes what is written, not where. */
      bool all = full || (format < 3 && i / 4 == (i + format) % 2);
      if (all || format < 3 || i == format) {
        cuts += sweep(format, simcut_align(i), simcut_erased(i), all ? 1 : 3);
      }
    }
    simcut_report(names[format], cuts);
  }
}

int main(int argc, char **argv)
{
  full = argc > 1 && strcmp(argv[1], "full") == 0;
  const struct CMUnitTest tests[] = {cmocka_unit_test(comes_back_from_a_cut_at_every_operation)};
  return cmocka_run_group_tests(tests, publish, clean);
}
