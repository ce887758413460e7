/* SPDX-License-Identifier: Apache-2.0
 * A device of several images in memory, without agent and server: flash, signed images, boot. For tests of sets.
 */
#ifndef PORTS_SIM_SIMSET_H
#define PORTS_SIM_SIMSET_H

#include "hf/crypto/key.h"
#include "hf/device/boot.h"
#include "ports/sim/simflash.h"

#define SIMSET_FILES_MAX 16
#define SIMSET_SECTOR 1024
#define SIMSET_BOOT (2 * SIMSET_SECTOR)
#define SIMSET_SLOT SIMSET_SECTOR

/** A signed image. */
struct simset_file {
  const char *version;
  uint32_t counter;
  const char *needs; /**< version that another image must have; NULL: none */
  uint8_t needs_image;
  bool stranger;         /**< signed with a key the device does not know */
  const char *component; /**< NULL: the image names none */
  uint32_t payload_len;  /**< 0: a small one; the whole image fits SIMSET_SLOT */
  /* filled by simset_add */
  uint8_t at[SIMSET_SLOT];
  size_t len;
  struct hf_image_info info;
};

/** What was built and signed; shared by all devices of a test. */
struct simset {
  struct hf_key *key, *stranger;
  struct hf_pubkey pub;
  struct hf_image_keys keys;
  struct simset_file file[SIMSET_FILES_MAX];
  int count;
};

struct simset_device {
  const struct simset *set;
  struct simflash flash;
  struct hf_layout layout;
  struct hf_bytes component[HF_IMAGES_MAX]; /**< what the boot loader calls its images; empty: it does not ask */
  struct hf_boot_choice choice;
};

/** Make keys. Exits on failure: it is a test. */
void simset_init(struct simset *set);
void simset_free(struct simset *set);
/** Build and sign; returns its index. */
int simset_add(struct simset *set, struct simset_file file);

/** How a device's flash is cut up. Boot records always have SIMSET_BOOT bytes. */
struct simset_shape {
  uint8_t images;
  uint32_t align;
  uint8_t erased;
  uint32_t sector;       /**< bytes */
  uint32_t slot_sectors; /**< of each slot */
};

/** A device with empty slots and no boot records; free with simset_device_free. */
void simset_device_shape(struct simset_device *device, const struct simset *set, const struct simset_shape *shape);
/** The same with slots of one sector of SIMSET_SLOT bytes. */
void simset_device_init(struct simset_device *device, const struct simset *set, uint8_t images, uint32_t align,
                        uint8_t erased);
void simset_device_free(struct simset_device *device);
/** Write a file into an area. False when power failed. */
bool simset_write(const struct hf_area *area, const struct simset_file *file);
/** Write a file into a slot. False when power failed. */
bool simset_fill(struct simset_device *device, uint8_t image, uint8_t slot, int file);
/** Index of the file that is whole in a slot; -1: none. */
int simset_file_in(const struct simset_device *device, uint8_t image, uint8_t slot);
/** Run the boot loader's choice into device->choice. */
enum hf_err simset_boot(struct simset_device *device, enum hf_reset reset);

#endif
