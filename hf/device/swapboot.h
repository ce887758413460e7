/* SPDX-License-Identifier: Apache-2.0
 * The boot loader's decision where images run from slot 0 and updates come through slot 1: overwrite, swap using move,
 * swap using offset. hf/device/boot.h is the one for direct execution from either slot.
 *
 * What is asked for stands in MCUboot's trailers; what is trusted stands in our boot records, by digest, so that the
 * rules are those of hf/device/boot.h: nothing moves or runs unverified, no unconfirmed image runs twice, nothing below
 * the counter floor runs, sets of images are tried and reverted together. Rows of the decision: docs/spec/boot.md.
 */
#ifndef HF_DEVICE_SWAPBOOT_H
#define HF_DEVICE_SWAPBOOT_H

#include "hf/device/boot.h"
#include "hf/device/bootops.h"
#include "hf/device/swap.h"

/** What such a boot loader knows. All borrowed. */
struct hf_swapboot_config {
  struct hf_boot_config boot;      /**< layout, keys, hardware, reset */
  struct hf_trailer_format format; /**< mode, and how the trailers are laid out */
  const struct hf_seal_box *box;   /**< opens encrypted images; NULL: they are refused */
};

/** Finish what power cut short, bring in what is staged, take back what was not confirmed, and choose.
 * @param choice  fills; `slot` is 0 for every image that is installed. In overwrite mode `trial` is never set: there
 *                is no way back, so an image that was verified and copied counts as confirmed
 * @param config  borrows
 * @return HF_OK: see choice->verdict; HF_E_INPUT: impossible layout or format; HF_E_VERSION: boot records of a newer
 *         Holdfast, or of more images
 * No heap; about 3 KiB of stack beside the crypto back end's. May take as long as the flash needs to rewrite two slots;
 * feeds the watchdog. Boot loader only. Source: MCUboot docs/design.md, and docs/spec/mcuboot.md for what differs. */
HF_MUST enum hf_err hf_swapboot_choose(struct hf_boot_choice *choice, const struct hf_swapboot_config *config);

#endif
