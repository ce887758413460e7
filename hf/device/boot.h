/* SPDX-License-Identifier: Apache-2.0
 * Which images run: verify, choose, and say why. The boot loader's whole decision; handing over is the port's.
 *
 * A device has one image or several, and decides about them as one set: all staged images are tried together, all or
 * none, and confirmed or reverted together. A staged set is tried once: the record that says so is on flash before it
 * runs, so whatever happens next, it either confirmed itself or is reverted. No unconfirmed image ever runs twice.
 * State table: docs/spec/boot.md.
 */
#ifndef HF_DEVICE_BOOT_H
#define HF_DEVICE_BOOT_H

#include "hf/device/bootstate.h"
#include "hf/wire/image.h"

/** What the boot loader knows. All borrowed. */
struct hf_boot_config {
  const struct hf_layout *layout; /**< `boot` and `slot` are used */
  const struct hf_image_keys *keys;
  struct hf_bytes hardware;                 /**< this device's hardware id; empty: images need not name one */
  struct hf_bytes component[HF_IMAGES_MAX]; /**< what each image is called; empty: it need not say. With several images
                                              signed by one key only this keeps one out of another's slots */
  enum hf_reset reset;                      /**< what the hardware says about this start */
};

/** What to do. Run the images only if `verdict == HF_ALLOW`, compared again just before handing over. */
struct hf_boot_choice {
  enum hf_verdict verdict;
  uint8_t slot[HF_IMAGES_MAX]; /**< of each image; HF_SLOTS: that one was never installed (never so for image 0) */
  bool trial;                  /**< runs for the first and only time unless it confirms itself */
  enum hf_reset reset;       /**< what to tell the application: HF_RESET_UPDATE and HF_RESET_REVERT are decided here */
  struct hf_image_info info; /**< of image 0, the one to hand over to; verified */
  struct hf_why why;         /**< what was refused, last, on the way; rule 0 when all was well */
  uint8_t why_image;         /**< the image that `why` is about */
};

/** Choose.
 * @param choice  fills; verdict HF_DENY unless each slot's image was verified, its digest is the recorded one, and all
 *                dependencies between the images are met
 * @param config  borrows
 * @return HF_OK: see choice->verdict, which is HF_DENY when nothing may run, and why;
 *         HF_E_INPUT: impossible layout; HF_E_VERSION: boot records of a newer Holdfast, or of more images.
 * A failing flash is not an error but a reason not to run what depends on it. Writes at most two boot records. No heap;
 * under 2 KiB of stack beside the crypto back end's. Boot loader only. */
HF_MUST enum hf_err hf_boot_choose(struct hf_boot_choice *choice, const struct hf_boot_config *config);

#endif
