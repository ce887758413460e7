/* SPDX-License-Identifier: Apache-2.0
 * Boot records: what each slot of each image holds, which one is active, the security counters, and how the last trial
 * failed.
 *
 * The whole state of all images is one record, so that what belongs together is one write: the staging of a set, the
 * start of its trial, its confirmation with the rise of the security counters, and its end. There is no trailer that
 * can be half there. Each record is appended to the first half of the area and then to its twin, the second half; the
 * newest valid one counts. Format and state table: docs/spec/boot.md.
 */
#ifndef HF_DEVICE_BOOTSTATE_H
#define HF_DEVICE_BOOTSTATE_H

#include "hf/device/port.h"
#include "hf/wire/image.h"

/** Numbers are flash format. */
enum hf_slot_status {
  HF_SLOT_EMPTY = 0,     /**< nothing, or a download under way */
  HF_SLOT_STAGED = 1,    /**< whole, to be tried at the next boot */
  HF_SLOT_TRYING = 2,    /**< was handed control; found again at boot it is reverted */
  HF_SLOT_CONFIRMED = 3, /**< passed its health check once */
  HF_SLOT_BAD = 4        /**< refused or reverted; never booted again */
};

/** What a slot holds; bound to one image by its digest. */
struct hf_bootslot {
  enum hf_slot_status status;
  uint8_t digest[HF_SHA256_LEN]; /**< image digest, as in hf/wire/image.h; zeros when empty */
  struct hf_version version;     /**< for reports about an image that is gone */
  uint32_t counter;              /**< its security counter */
};

/** One image: its two slots, and which of them belong to which confirmed set. */
struct hf_bootimage {
  struct hf_bootslot slot[HF_SLOTS];
  uint8_t active;   /**< the slot of the running, or last confirmed, software */
  uint8_t previous; /**< the slot of the set confirmed before; with one image always the other one */
  uint32_t counter; /**< security counter floor: images below it do not boot */
};

struct hf_bootstate {
  uint8_t images; /**< that the record is about, 1 to HF_IMAGES_MAX; 0: there is none */
  struct hf_bootimage image[HF_IMAGES_MAX];
  uint32_t failures;    /**< trials and slots that failed, ever: the agent reports each rise once */
  uint8_t failed_image; /**< of the last failure: the image that was the cause, */
  uint8_t failed_slot;  /**< its slot, */
  uint16_t failed_rule; /**< its `enum hf_rule` */
  uint8_t failed_reset; /**< its `enum hf_reset`: what ended the trial */
  uint16_t trial_rule;  /**< why the running trial gives itself up; 0: it has not */
  uint32_t seq;         /**< of the record; set by get and put */
  bool lags;            /**< the twin does not hold this record: the next put mends it */
};

/** Payload of a record for so many images. One image keeps format 1, which every boot loader in the field reads. */
#define HF_BOOTSTATE_LEN(images) ((images) == 1 ? 106u : 13u + 95u * (uint32_t)(images))

/** Can this area hold the records of so many images: two halves of whole sectors, each with room for one at least?
 * More room is less wear. HF_OK or HF_E_INPUT. */
HF_MUST enum hf_err hf_bootstate_check(const struct hf_area *area, uint8_t images);

/** Read the newest state. Writes nothing.
 * @param state  fills; all zeros when there is none
 * @param area   borrows; two sectors at least, an even number of them
 * @return HF_OK; HF_E_NOT_FOUND: never written (every byte erased); HF_E_DENIED: written once, and nothing valid left;
 *         HF_E_VERSION: written by a newer Holdfast; HF_E_INPUT: impossible geometry; HF_E_IO
 * No heap; usable in the boot loader. */
HF_MUST enum hf_err hf_bootstate_get(struct hf_bootstate *state, const struct hf_area *area);

/** Write the state to both halves. After HF_OK it is on the medium; after anything else, or a power cut, the old state
 * or the new one is read back, whole.
 * @param state  borrows; `seq` and `lags` are set
 * @return HF_OK, also when only one half took it (`lags`); HF_E_INPUT: no images, or too many for the area; HF_E_IO;
 *         HF_E_FULL: no sequence number left */
HF_MUST enum hf_err hf_bootstate_put(struct hf_bootstate *state, const struct hf_area *area);

/** Write down what an image is, from its verified info. */
void hf_bootstate_bind(struct hf_bootslot *slot, const struct hf_image_info *info, enum hf_slot_status status);

/** Note a failure of an image's slot in the state (not on flash). */
void hf_bootstate_fail(struct hf_bootstate *state, uint8_t image, uint8_t slot, uint16_t rule, enum hf_reset reset);

/** Confirm the running set: status, active and previous slots and security counters in one record. Writes nothing when
 * all of it is confirmed already.
 * @param slot  borrows `state->images` of them: the slot that runs of each image, HF_SLOTS for one that has none
 * @return HF_OK; HF_E_STATE: these are not the slots on trial; HF_E_IO */
HF_MUST enum hf_err hf_bootstate_confirm(struct hf_bootstate *state, const struct hf_area *area,
                                         const uint8_t slot[HF_IMAGES_MAX]);

/** Was this image never installed? Nothing in its active slot, and nothing confirmed in the other one. */
bool hf_bootstate_absent(const struct hf_bootimage *image);

/** Is one of these running slots on trial?
 * @param slot  borrows, as above */
bool hf_bootstate_on_trial(const struct hf_bootstate *state, const uint8_t slot[HF_IMAGES_MAX]);

#endif
