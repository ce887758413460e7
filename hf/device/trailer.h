/* SPDX-License-Identifier: Apache-2.0
 * MCUboot's image trailers: what a boot loader and an application tell each other at the end of each slot.
 *
 * Reading and writing the trailer's fields, and the table that makes a swap type of two trailers. Moving images is
 * hf/device/swap.h; what an application does with trailers is hf/device/mcuboot.h. Facts and byte layout:
 * docs/spec/mcuboot.md.
 */
#ifndef HF_DEVICE_TRAILER_H
#define HF_DEVICE_TRAILER_H

#include "hf/device/bootstate.h"

/** Largest field of a trailer (MCUboot's BOOT_MAX_ALIGN). */
#define HF_TRAILER_ALIGN_MAX 32
/** Sectors a slot may have, unless the format says otherwise (MCUboot's default). */
#define HF_TRAILER_SECTORS 128

/** How an image gets to where it runs. */
enum hf_boot_mode {
  HF_BOOT_DIRECT = 0,     /**< either slot runs; boot records (hf/device/boot.h), no trailers */
  HF_BOOT_OVERWRITE = 1,  /**< slot 1 is copied over slot 0; no way back */
  HF_BOOT_SWAP_MOVE = 2,  /**< slot 0 moves up one sector, then the slots change places */
  HF_BOOT_SWAP_OFFSET = 3 /**< the update stands one sector into slot 1; then the slots change places */
};

/** What was fixed when the boot loader was built; both sides must be told the same. */
struct hf_trailer_format {
  enum hf_boot_mode mode;
  uint16_t sectors_max; /**< MCUBOOT_MAX_IMG_SECTORS; 0: HF_TRAILER_SECTORS */
  uint8_t align_max;    /**< BOOT_MAX_ALIGN: 8, 16 or 32, at least the write alignment; 0: 8, or 16 where that is it */
  uint8_t key_len;      /**< MCUBOOT_ENC_IMAGES: room for two AES keys of 16 or 32 bytes; 0: none */
  bool tlv_sizes;       /**< swap by offset with the field for both slots' unprotected TLV sizes (MCUboot from 2.3) */
};

/** A field that is a magic or a flag. */
enum hf_trailer_mark {
  HF_MARK_UNSET = 0, /**< erased */
  HF_MARK_GOOD = 1,  /**< as it should be */
  HF_MARK_BAD = 2    /**< something else: torn, or never a trailer */
};

/** MCUboot's numbers. */
enum hf_swap_type { HF_SWAP_NONE = 1, HF_SWAP_TEST = 2, HF_SWAP_PERM = 3, HF_SWAP_REVERT = 4, HF_SWAP_FAIL = 5 };

/** A trailer, read. */
struct hf_trailer {
  enum hf_trailer_mark magic;
  enum hf_trailer_mark image_ok;
  enum hf_trailer_mark copy_done;
  enum hf_swap_type swap_type; /**< of the swap under way; HF_SWAP_NONE when the field says nothing usable */
  uint8_t image;               /**< image number beside it */
  uint32_t swap_size;          /**< bytes that change places */
};

/** The fields behind the swap status. */
enum hf_trailer_field {
  HF_FIELD_MAGIC,
  HF_FIELD_IMAGE_OK,
  HF_FIELD_COPY_DONE,
  HF_FIELD_SWAP_INFO,
  HF_FIELD_TLV_SIZES,
  HF_FIELD_SWAP_SIZE,
  HF_FIELD_KEY_0,
  HF_FIELD_KEY_1,
  HF_FIELD_STATUS /**< first status byte */
};

/** Offset of a field in its slot. */
uint32_t hf_trailer_at(const struct hf_trailer_format *format, const struct hf_area *slot, enum hf_trailer_field field);

/** Bytes of the trailer, and the first sector it touches. */
uint32_t hf_trailer_len(const struct hf_trailer_format *format, uint32_t align);
uint32_t hf_trailer_sector(const struct hf_trailer_format *format, const struct hf_area *slot);

/** Can this format be used on these two slots: same sectors and alignment, room for the trailers and an image?
 * @return HF_OK or HF_E_INPUT */
HF_MUST enum hf_err hf_trailer_check(const struct hf_trailer_format *format, const struct hf_area slot[HF_SLOTS]);

/** Longest image that can be brought to slot 0; bytes, whole sectors. */
uint32_t hf_trailer_room(const struct hf_trailer_format *format, const struct hf_area slot[HF_SLOTS]);

/** @param trailer  fills
 * @return HF_OK, whatever stands there; HF_E_IO */
HF_MUST enum hf_err hf_trailer_get(struct hf_trailer *trailer, const struct hf_trailer_format *format,
                                   const struct hf_area *slot);

/** What the two trailers ask for, by MCUboot's table: TEST, PERM, REVERT or NONE. */
enum hf_swap_type hf_trailer_swap_type(const struct hf_trailer *primary, const struct hf_trailer *secondary);

/** Write one field; it must be erased. `len` bytes at most 32, padded with the erased value. */
HF_MUST enum hf_err hf_trailer_put(const struct hf_trailer_format *format, const struct hf_area *slot,
                                   enum hf_trailer_field field, const void *value, uint32_t len);
/** Write the magic, or a flag (image_ok, copy_done). */
HF_MUST enum hf_err hf_trailer_put_magic(const struct hf_trailer_format *format, const struct hf_area *slot);
HF_MUST enum hf_err hf_trailer_put_flag(const struct hf_trailer_format *format, const struct hf_area *slot,
                                        enum hf_trailer_field field);
/** Erase the sectors of the trailer, the last one first. */
HF_MUST enum hf_err hf_trailer_erase(const struct hf_trailer_format *format, const struct hf_area *slot);

#endif
