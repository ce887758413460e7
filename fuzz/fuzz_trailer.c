/* SPDX-License-Identifier: Apache-2.0
 * links: hf_device
 * Trailers, boot records and slots from anywhere, before a boot loader and an application of every mode. Input: one
 * byte of format, then the flash from the boot records on; what is missing is erased. Nobody signed anything here, so
 * nothing may ever run; no step may leave the flash, or go on for ever. */
#include <stdlib.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/device/bootmode.h"
#include "hf/device/mcuboot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SECTOR = 256, BOOT = 4 * SECTOR, SLOT = 8 * SECTOR, FLASH = BOOT + 2 * SLOT };

static uint8_t flash[FLASH];
static uint8_t erased;
static unsigned ops;

void hf_port_watchdog_feed(void) {}
uint64_t hf_port_uptime_ms(void) { return 0; }
int64_t hf_port_time(void) { return 0; }

static enum hf_err flash_read(void *ctx, uint32_t at, void *out, uint32_t len)
{
  (void)ctx;
  HF_ASSERT(at <= FLASH && len <= FLASH - at);
  memcpy(out, flash + at, len);
  return HF_OK;
}

static enum hf_err flash_program(void *ctx, uint32_t at, const void *in, uint32_t len)
{
  const uint8_t *bytes = in;
  (void)ctx;
  HF_ASSERT(at <= FLASH && len <= FLASH - at && ++ops < 2000);
  for (uint32_t i = 0; i < len; i++) {
    flash[at + i] = erased == 0xff ? flash[at + i] & bytes[i] : flash[at + i] | bytes[i];
  }
  return HF_OK;
}

static enum hf_err flash_erase(void *ctx, uint32_t at, uint32_t len)
{
  (void)ctx;
  HF_ASSERT(at <= FLASH && len <= FLASH - at && ++ops < 2000);
  memset(flash + at, erased, len);
  return HF_OK;
}

static const struct hf_flash_ops flash_ops = {"fuzz", 1, flash_read, flash_program, flash_erase};

static enum hf_err no_key(void *ctx, uint8_t secret[32], const uint8_t point[HF_P256_PUBLIC_LEN])
{
  (void)ctx;
  memcpy(secret, point, 32);
  return HF_OK;
}

static struct hf_area area(uint32_t start, uint32_t size, uint32_t align)
{
  return (struct hf_area){
      .ops = &flash_ops, .start = start, .size = size, .sector = SECTOR, .align = align, .erased = erased};
}

/* What an application asks. */
static void ask(struct hf_mcuboot *mcuboot)
{
  struct hf_boot_view view;
  struct hf_bootslot staged[HF_IMAGES_MAX] = {{.status = HF_SLOT_EMPTY}};
  if (hf_mcuboot_ops.get(mcuboot, &view) == HF_OK) {
    HF_ASSERT(view.images == 1 && view.image[0].target == 1);
    (void)hf_mcuboot_ops.release(mcuboot, HF_BOOT_IMAGE(0));
    (void)hf_mcuboot_ops.stage(mcuboot, staged, HF_BOOT_IMAGE(0));
    (void)hf_mcuboot_ops.confirm(mcuboot);
    (void)hf_mcuboot_ops.give_up(mcuboot, 203);
    HF_ASSERT(hf_mcuboot_ops.get(mcuboot, &view) == HF_OK);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1) {
    return 0;
  }
  static const uint8_t aligns[] = {1, 4, 8, 16};
  uint8_t kind = data[0];
  uint32_t align = aligns[kind >> 2 & 3];
  erased = (kind & 16) != 0 ? 0x00 : 0xff;
  ops = 0;
  memset(flash, erased, sizeof flash);
  memcpy(flash, data + 1, size - 1 < sizeof flash ? size - 1 : sizeof flash);
  struct hf_layout layout = {.images = 1, .boot = area(0, BOOT, align)};
  layout.slot[0][0] = area(BOOT, SLOT, align);
  layout.slot[0][1] = area(BOOT + SLOT, SLOT, align);
  const struct hf_trailer_format format = {.mode = (enum hf_boot_mode)(kind & 3),
                                           .sectors_max = 8,
                                           .key_len = (kind & 32) != 0 ? 16 : 0,
                                           .tlv_sizes = (kind & 64) != 0};
  struct hf_pubkey key = {.type = HF_KEY_P256, .len = HF_P256_PUBLIC_LEN, .at = {4}};
  const struct hf_image_keys keys = {.key = &key, .count = 1};
  struct hf_seal_key seal_key = {no_key, NULL};
  const struct hf_seal_box box = {&hf_seal_p256_ops, &seal_key};
  const struct hf_swapboot_config config = {
      .boot = {.layout = &layout, .keys = &keys}, .format = format, .box = (kind & 128) != 0 ? &box : NULL};
  struct hf_mcuboot mcuboot = {.layout = &layout, .format = format};
  struct hf_boot_choice choice;
  if (hf_bootmode_choose(&choice, &config) == HF_OK) {
    HF_ASSERT(choice.verdict == HF_DENY && choice.why.rule != 0);
  }
  ops = 0;
  ask(&mcuboot);
  ops = 0;
  HF_ASSERT(hf_bootmode_choose(&choice, &config) != HF_E_AGAIN && choice.verdict == HF_DENY);
  return 0;
}
