/* SPDX-License-Identifier: Apache-2.0
 * How the application talks to the boot loader: what runs, what is staged, on trial or failed; stage, confirm, give up.
 *
 * The boot loader may be ours (boot records, hf/device/bootstate.h) or one that keeps MCUboot's image trailers
 * (hf/device/mcuboot.h): the update client and the agent know only this table. It is about sets of images: what is
 * staged together is tried, confirmed and reverted together. The boot loader's own decision is not here.
 */
#ifndef HF_DEVICE_BOOTOPS_H
#define HF_DEVICE_BOOTOPS_H

#include "hf/device/bootstate.h"

/** One image of the set. */
struct hf_boot_image {
  struct hf_bootslot running; /**< what runs; status HF_SLOT_TRYING: on trial; HF_SLOT_CONFIRMED */
  struct hf_bootslot other;   /**< what the target holds; status HF_SLOT_STAGED: tried at the next boot */
  uint8_t slot;               /**< the one that runs */
  uint8_t target;             /**< the one an update is written to */
  uint32_t counter;           /**< security counter floor of this image */
};

/** What the boot loader's state says, all images. About 400 bytes. */
struct hf_boot_view {
  uint8_t images; /**< of this device */
  struct hf_boot_image image[HF_IMAGES_MAX];
  uint32_t failures;                /**< trials and slots that failed, ever: tell each rise once */
  uint8_t failed_image;             /**< of the last failure */
  struct hf_version failed_version; /**< of the image that failed */
  uint16_t failed_rule;             /**< its `enum hf_rule` */
  uint8_t failed_reset;             /**< its `enum hf_reset`: what ended the trial */
};

/** A mask of images: bit i is image i. */
#define HF_BOOT_IMAGE(i) ((uint8_t)(1u << (i)))

/** The table. `ctx` is the implementation's own; every call reads flash anew, so that nothing is remembered wrongly. */
struct hf_boot_ops {
  const char *name; /**< "records" or "mcuboot": for people and reports */
  uint32_t version; /**< of this table: 1 */

  /** What runs, what is staged, what failed. May write down what it learned (a revert that MCUboot did without a word).
   * @param view  fills
   * @return HF_OK; HF_E_STATE: there is no state yet, or none left; HF_E_VERSION; HF_E_INPUT: impossible layout;
   * HF_E_IO */
  enum hf_err (*get)(void *ctx, struct hf_boot_view *view);

  /** Where the file of an image's update is written: its size is the room there is, without trailers and spare sectors.
   * @param area  fills
   * @return HF_OK; HF_E_INPUT: no such image */
  enum hf_err (*target)(void *ctx, struct hf_area *area, uint8_t image);

  /** The targets of these images are about to change, or what is staged there is taken back: from here on nothing is
   * promised about them. Writes nothing when nothing was. What is staged is taken back whole: no part of a set stays
   * staged alone.
   * @param mask  of images
   * @return HF_OK; HF_E_STATE: a trial runs, or what runs is not what the boot loader has on record; HF_E_IO */
  enum hf_err (*release)(void *ctx, uint8_t mask);

  /** Try these images, all of them or none, at the next boot. The caller has verified each.
   * @param staged  borrows: HF_IMAGES_MAX of them, those of the mask filled with hf_bootstate_bind
   * @param mask    of images; not 0
   * @return HF_OK: it is on flash; HF_E_STATE: a trial runs; HF_E_INPUT; HF_E_IO */
  enum hf_err (*stage)(void *ctx, const struct hf_bootslot *staged, uint8_t mask);

  /** What runs on trial is healthy: confirm all of it; the security counters rise with it. HF_OK also when nothing was
   * on trial.
   * @return HF_OK; HF_E_STATE; HF_E_IO */
  enum hf_err (*confirm)(void *ctx);

  /** Give the running trial up: the next boot goes back, and says `rule`. The caller reboots.
   * @param rule  an `enum hf_rule`
   * @return HF_OK; HF_E_IO: the next boot goes back all the same, and says BOOT_NOT_CONFIRMED */
  enum hf_err (*give_up)(void *ctx, uint16_t rule);

  /** The boot loader opens encrypted images itself. If not, the target holds them in the clear before they are staged
   * (hf/device/unseal.h). */
  bool opens;
};

/** A boot loader: the table and its context. Borrowed. */
struct hf_boot_loader {
  const struct hf_boot_ops *ops;
  void *ctx;
};

/** Is any image of the view on trial? */
static inline bool hf_boot_view_on_trial(const struct hf_boot_view *view)
{
  for (uint8_t i = 0; i < view->images && i < HF_IMAGES_MAX; i++) {
    if (view->image[i].running.status == HF_SLOT_TRYING) {
      return true;
    }
  }
  return false;
}

/** Context of hf_boot_records_ops: our boot records. */
struct hf_boot_records {
  const struct hf_layout *layout; /**< borrows */
  uint8_t running[HF_IMAGES_MAX]; /**< slot of each running image, from hf_boot_choose */
};

/** Boot records, two slots each, direct execution. In hf/device/bootops.c. */
extern const struct hf_boot_ops hf_boot_records_ops;

#endif
