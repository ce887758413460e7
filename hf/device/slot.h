/* SPDX-License-Identifier: Apache-2.0
 * Writing an image into a slot as it arrives: alignment, erase ahead, resume, hash. It does not decide what is trusted:
 * hf/device/update.h compares the hash with signed metadata, hf/device/boot.h verifies the image again.
 */
#ifndef HF_DEVICE_SLOT_H
#define HF_DEVICE_SLOT_H

#include "hf/device/port.h"
#include "hf/wire/image.h"

struct hf_slot_writer {
  const struct hf_area *area; /**< borrowed until close */
  uint32_t len;               /**< of the whole image */
  uint32_t at;                /**< bytes taken so far */
  uint32_t erased_to;         /**< flash below here is erased or written */
  uint8_t cell[HF_ALIGN_MAX]; /**< bytes that do not fill a write unit yet */
  bool complete;              /**< all of it is on flash */
  struct hf_sha256 hash;      /**< of everything taken so far */
};

/** Begin, or go on with, an image.
 * @param writer  fills
 * @param area    borrows until hf_slot_close
 * @param len     of the whole image, bytes
 * @param from    0, a multiple of the sector that an earlier writer passed, or `len` after a close: those bytes are
 * hashed from flash again
 * @return HF_OK; HF_E_SPACE: the image does not fit the slot; HF_E_INPUT: bad `from`; HF_E_IO */
HF_MUST enum hf_err hf_slot_open(struct hf_slot_writer *writer, const struct hf_area *area, uint32_t len,
                                 uint32_t from);

/** Take the next bytes; erases each sector just before its first byte.
 * @return HF_OK; HF_E_SPACE: more bytes than announced, nothing of `bytes` was written; HF_E_IO */
HF_MUST enum hf_err hf_slot_put(struct hf_slot_writer *writer, struct hf_bytes bytes);

/** Largest multiple of the sector that is safely on flash: what may be stored for a later resume. */
uint32_t hf_slot_safe(const struct hf_slot_writer *writer);

/** Write the rest. What the slot holds behind the image is left as it is.
 * @param digest  fills: SHA-256 of the whole image file
 * @return HF_OK; HF_E_STATE: bytes are missing; HF_E_IO */
HF_MUST enum hf_err hf_slot_close(struct hf_slot_writer *writer, uint8_t digest[HF_SHA256_LEN]);

/** A slot as a source of image bytes; borrows the area. */
struct hf_image_source hf_slot_source(const struct hf_area *area);

#endif
