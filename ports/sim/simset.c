/* SPDX-License-Identifier: Apache-2.0
 * A device of several images in memory.
 */
#include "ports/sim/simset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/device/slot.h"
#include "ports/sim/simworld.h"

enum { PAYLOAD = 90, PAYLOAD_MAX = 800 };

static void must(enum hf_err err, const char *what)
{
  if (err != HF_OK) {
    fprintf(stderr, "simset: %s: error %d\n", what, (int)err);
    exit(1);
  }
}

static enum hf_err sign_digest(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

void simset_init(struct simset *set)
{
  *set = (struct simset){0};
  must(hf_key_new(&set->key, HF_KEY_P256), "new key");
  must(hf_key_new(&set->stranger, HF_KEY_P256), "new key");
  must(hf_key_public(&set->pub, set->key), "public key");
  set->keys = (struct hf_image_keys){.key = &set->pub, .count = 1};
}

void simset_free(struct simset *set)
{
  hf_key_free(set->key);
  hf_key_free(set->stranger);
  *set = (struct simset){0};
}

int simset_add(struct simset *set, struct simset_file file)
{
  struct simset_file *kept = &set->file[set->count];
  *kept = file;
  struct hf_key *key = file.stranger ? set->stranger : set->key;
  struct hf_image_signer signer = {.sign = sign_digest, .ctx = key};
  must(hf_key_public(&signer.pub, key), "public key");
  struct hf_image_build build = {.has_counter = true, .counter = file.counter};
  build.component = file.component != NULL ? hf_bytes_text(file.component) : (struct hf_bytes){NULL, 0};
  must(hf_version_parse(&build.version, hf_bytes_text(file.version), NULL), "version");
  if (file.needs != NULL) {
    build.dependency_count = 1;
    build.dependency[0].image = file.needs_image;
    must(hf_version_parse(&build.dependency[0].version, hf_bytes_text(file.needs), NULL), "version");
  }
  uint8_t payload[PAYLOAD_MAX];
  uint32_t len = file.payload_len == 0 ? PAYLOAD : file.payload_len;
  must(len <= sizeof payload ? HF_OK : HF_E_SPACE, "payload");
  memset(payload, 0x30 + set->count, len);
  static uint8_t room[PAYLOAD_MAX + HF_IMAGE_OVERHEAD_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  must(hf_image_sign(&out, &build, hf_bytes_init(payload, len), &signer), "sign");
  must(out.len <= sizeof kept->at ? HF_OK : HF_E_SPACE, "room");
  memcpy(kept->at, room, out.len);
  kept->len = out.len;
  struct hf_bytes view = hf_bytes_init(kept->at, kept->len);
  struct hf_image_source source = hf_image_source_init(&view);
  must(hf_image_parse(&kept->info, &source, NULL), "parse");
  return set->count++;
}

void simset_device_shape(struct simset_device *device, const struct simset *set, const struct simset_shape *shape)
{
  *device = (struct simset_device){.set = set};
  uint32_t slot_len = shape->slot_sectors * shape->sector;
  simworld_set_uptime(0);
  simflash_init(&device->flash, SIMSET_BOOT + HF_IMAGES_MAX * HF_SLOTS * slot_len, shape->sector, shape->align,
                shape->erased);
  device->layout.boot = simflash_area(&device->flash, 0, SIMSET_BOOT);
  device->layout.images = shape->images;
  for (uint32_t i = 0; i < shape->images; i++) { /* a test may add images later */
    for (uint32_t slot = 0; slot < HF_SLOTS; slot++) {
      uint32_t at = SIMSET_BOOT + (i * HF_SLOTS + slot) * slot_len;
      device->layout.slot[i][slot] = simflash_area(&device->flash, at, slot_len);
    }
  }
}

void simset_device_init(struct simset_device *device, const struct simset *set, uint8_t images, uint32_t align,
                        uint8_t erased)
{
  const struct simset_shape shape = {images, align, erased, SIMSET_SECTOR, 1};
  simset_device_shape(device, set, &shape);
}

void simset_device_free(struct simset_device *device) { simflash_free(&device->flash); }

bool simset_write(const struct hf_area *area, const struct simset_file *file)
{
  struct hf_slot_writer writer;
  uint8_t digest[HF_SHA256_LEN];
  return hf_slot_open(&writer, area, (uint32_t)file->len, 0) == HF_OK &&
         hf_slot_put(&writer, hf_bytes_init(file->at, file->len)) == HF_OK && hf_slot_close(&writer, digest) == HF_OK;
}

bool simset_fill(struct simset_device *device, uint8_t image, uint8_t slot, int file)
{
  return simset_write(&device->layout.slot[image][slot], &device->set->file[file]);
}

int simset_file_in(const struct simset_device *device, uint8_t image, uint8_t slot)
{
  const uint8_t *at = device->flash.at + device->layout.slot[image][slot].start;
  for (int i = 0; i < device->set->count; i++) {
    if (memcmp(at, device->set->file[i].at, device->set->file[i].len) == 0) {
      return i;
    }
  }
  return -1;
}

enum hf_err simset_boot(struct simset_device *device, enum hf_reset reset)
{
  struct hf_boot_config config = {.layout = &device->layout, .keys = &device->set->keys, .reset = reset};
  memcpy(config.component, device->component, sizeof config.component);
  return hf_boot_choose(&device->choice, &config);
}
