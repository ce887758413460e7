/* SPDX-License-Identifier: Apache-2.0
 * Bringing an image from slot 1 to slot 0: overwrite, swap using move, swap using offset; resumable at every step.
 *
 * Progress is kept in MCUboot's swap status bytes, so that a swap that MCUboot began can be finished here. What may be
 * moved, and what runs afterwards, is decided in hf/device/swapboot.h; nothing here verifies. docs/spec/mcuboot.md.
 */
#ifndef HF_DEVICE_SWAP_H
#define HF_DEVICE_SWAP_H

#include "hf/device/trailer.h"
#include "hf/wire/seal.h"

/** One image's two slots. The caller fills the first three; borrowed. */
struct hf_swap {
  const struct hf_trailer_format *format;
  const struct hf_area *slot;    /**< two of them */
  const struct hf_seal_box *box; /**< for encrypted images; NULL: none are expected */
  struct hf_trailer primary;     /**< as last read */
  struct hf_trailer secondary;
  struct hf_seal seal[HF_SLOTS]; /**< of the images that were in slot 0 and 1 when the swap began */
};

/** Read both trailers. HF_OK, HF_E_IO. */
HF_MUST enum hf_err hf_swap_get(struct hf_swap *swap);

/** By the trailers just read: has a swap begun that did not come to its end? */
bool hf_swap_under_way(const struct hf_swap *swap);

/** The image in a slot as a source: in slot 1 of swap-offset it may stand one sector in.
 * @param source  fills
 * @param area    fills; the source borrows it
 * @param sector  where it begins: 0 or 1 */
void hf_swap_source(struct hf_image_source *source, struct hf_area *area, const struct hf_swap *swap, uint8_t slot,
                    uint32_t sector);

/** Write down that a swap begins; nothing has moved when this returns.
 * @param type       TEST, PERM or REVERT
 * @param image      image number
 * @param swap_size  bytes of the longer image, TLVs included
 * @param tlvs       unprotected TLV bytes of both images
 * @return HF_OK; HF_E_SPACE: longer than hf_trailer_room; HF_E_IO */
HF_MUST enum hf_err hf_swap_begin(struct hf_swap *swap, enum hf_swap_type type, uint8_t image, uint32_t swap_size,
                                  const uint16_t tlvs[HF_SLOTS]);

/** Do what is left of the swap under way. On return slot 0 holds what was in slot 1 and the other way round.
 * @return HF_OK; HF_E_STATE: the trailer makes no sense; HF_E_CRYPTO: a key is missing; HF_E_IO */
HF_MUST enum hf_err hf_swap_run(struct hf_swap *swap);

/** Close the swap: image_ok first when `ok`, then copy_done.
 * @return HF_OK, HF_E_IO */
HF_MUST enum hf_err hf_swap_end(struct hf_swap *swap, bool ok);

/** Copy the image in slot 1 over slot 0; may be repeated until hf_swap_forget.
 * @param len  of the image */
HF_MUST enum hf_err hf_swap_overwrite(struct hf_swap *swap, uint32_t len);

/** Take back what slot 1's trailer asks for. */
HF_MUST enum hf_err hf_swap_forget(struct hf_swap *swap);

#endif
