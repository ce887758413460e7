/* SPDX-License-Identifier: Apache-2.0
 * One update: director and image repository metadata, their agreement, the download into the other slot, staging.
 *
 * It drives hf/wire/tufclient.h and hf/wire/uptane.h over a transport and writes with hf/device/slot.h. Nothing is
 * staged that the signed metadata and the image's own signature do not both allow. Progress is stored, so a download
 * goes on where power or network cut it. When to run it is hf/device/agent.h. docs/spec/update.md.
 */
#ifndef HF_DEVICE_UPDATE_H
#define HF_DEVICE_UPDATE_H

#include "hf/device/bootops.h"
#include "hf/device/clock.h"
#include "hf/device/events.h"
#include "hf/device/secondary.h"
#include "hf/wire/image.h"
#include "hf/wire/seal.h"

/** Metadata buffer below which nothing works: a small targets file and the trust record. 16 KiB is comfortable. */
#define HF_UPDATE_WORK_MIN 6144
/** Failed trials of one image before the device refuses it. Only trials that a power cut ended are repeated; a crash, a
 * hang or a bad health check counts as all of them. */
#define HF_UPDATE_TRIES_MAX 3
/** Stored progress steps, unless the setup says otherwise. */
#define HF_UPDATE_STEP 32768
/** How long a user may put off an ordinary, and a security, release, unless the setup says otherwise. */
#define HF_UPDATE_POSTPONE_MAX_S (14 * 86400)
#define HF_UPDATE_POSTPONE_SECURITY_MAX_S (3 * 86400)

/** A component beside the first: what the slots of image 1, 2 or 3 hold. Borrows. */
struct hf_update_part {
  struct hf_bytes component;
  struct hf_bytes hardware;
};

/** What an update needs to know. All borrowed for the update's life. */
struct hf_update_setup {
  struct hf_transport transport;
  const struct hf_layout *layout;
  const struct hf_image_keys *keys;
  const struct hf_seal_box *box; /**< opens encrypted images; NULL: they are refused */
  struct hf_bytes device;
  struct hf_bytes product;
  struct hf_bytes component;          /**< of image 0 */
  struct hf_bytes hardware;           /**< of image 0, and of the device in check-ins */
  const struct hf_update_part *parts; /**< images 1 to layout->images - 1; NULL when there is one image */
  struct hf_boot_loader loader;       /**< how to stage and confirm; `ops` NULL: boot records of `layout` */
  struct hf_secondaries *secondaries; /**< other processors behind this one; NULL: none */
  const char *director_path;          /**< "/director/" when NULL */
  const char *image_path;             /**< "/repo/" when NULL */
  uint8_t *work;                      /**< one metadata file at a time, and the trust record */
  size_t work_cap;                    /**< HF_UPDATE_WORK_MIN at least; no metadata file may be longer */
  uint32_t step;                      /**< bytes between stored progress; 0: HF_UPDATE_STEP */
  uint32_t postpone_max_s;            /**< 0: HF_UPDATE_POSTPONE_MAX_S */
  uint32_t postpone_security_max_s;   /**< 0: HF_UPDATE_POSTPONE_SECURITY_MAX_S */
};

/** All that is known about the update under way, or the last one; stored as one record. */
struct hf_update_progress {
  uint8_t sha256[HF_SHA256_LEN]; /**< of the image file; of several: of their hashes in the order of installation */
  uint32_t len;                  /**< of all files together */
  uint32_t at;                   /**< bytes safely in the slots, file after file */
  uint8_t slot;                  /**< the ones that are filled: bit i for image i */
  uint8_t tries;                 /**< trials that failed; HF_UPDATE_TRIES_MAX: not tried again */
  bool security;                 /**< release marked as a security release */
  bool named;                    /**< `version` is what `state` is about */
  struct hf_version version;     /**< wanted */
  int64_t offered;               /**< when it was first agreed on, seconds since 1970 */
  int64_t deadline;              /**< the server's for installing, 0: none */
  int64_t postponed;             /**< the user's wish, 0: none */
  enum hf_update_state state;    /**< what check-ins report */
  uint16_t rule;                 /**< why it was refused, failed or reverted; 0: none */
  uint8_t told_kind;             /**< the last event about this target: the same again is no news */
  uint16_t told_rule;
  uint32_t failures; /**< of hf_bootstate, up to which they have been told */
};

/** Its record, as it is stored. */
#define HF_PROGRESS_LEN (HF_SHA256_LEN + 54)
/** Append it. */
void hf_progress_encode(struct hf_buf *out, const struct hf_update_progress *progress);
/** Read it; a record that is none of ours is nothing known. @param progress  fills */
void hf_progress_parse(struct hf_update_progress *progress, struct hf_bytes record);

struct hf_update {
  const struct hf_update_setup *setup;
  struct hf_store *store;
  struct hf_events *events;
  struct hf_clock *clock;
  struct hf_boot_records records; /**< `running`: the caller set them */
  struct hf_boot_loader loader;
  uint32_t
      judged; /**< version of the director's file whose order the last run came to judge; 0: it did not get there */
  struct hf_update_progress progress;
};

/** @param update  fills from the store, keeps `update->store`, `events`, `clock` and `records.running`, which the
 * caller set
 * @param setup   borrows for the update's life
 * @return HF_OK; HF_E_SPACE: work buffer below HF_UPDATE_WORK_MIN. A record that cannot be read any more counts as none
 */
HF_MUST enum hf_err hf_update_open(struct hf_update *update, const struct hf_update_setup *setup);

/** Bring the device to what the director wants, as far as it goes now. Blocks while it downloads.
 * @param deadline  the server's for installing, 0: none
 * @return HF_OK: see update->progress.state: STAGED: reboot to try it; POSTPONED; else there was nothing to do;
 *         HF_E_AGAIN: network or server trouble, progress is kept; HF_E_DENIED: refused, an event says by which rule;
 *         HF_E_STATE: the running image is on trial, or what runs is not what the boot loader has on record: reboot
 *         first; HF_E_IO, HF_E_FULL: flash or store failed */
HF_MUST enum hf_err hf_update_run(struct hf_update *update, int64_t deadline);

/** Ask both repositories, without an order, whether there is anything new, so that a silent freeze is noticed: expired
 * metadata is refused and told like any other (Uptane 2.1 section 5.4.2.3). Two small files each when nothing is.
 * Something new is followed up as by hf_update_run. @return as hf_update_run */
HF_MUST enum hf_err hf_update_look(struct hf_update *update);

/** The user asks to install later (device API), at any time: an update that is offered already, or the next one.
 * Downloading goes on; staging waits.
 * @param granted  fills: what was granted, bounded by the setup, from the first offer on, and by the server's deadline;
 *                 may be NULL
 * @param until    seconds since 1970; 0 takes a postponement back
 * @return HF_OK; HF_E_STATE: already staged or on trial, or the time is not known; HF_E_IO, HF_E_FULL */
HF_MUST enum hf_err hf_update_postpone(struct hf_update *update, int64_t *granted, int64_t until);

/** Change the state that check-ins report, with its event when it is news; stores the progress too. */
HF_MUST enum hf_err hf_update_put_state(struct hf_update *update, enum hf_update_state state, uint16_t rule);

/** Queue an event about the version under way. */
HF_MUST enum hf_err hf_update_put_event(struct hf_update *update, uint16_t kind, uint16_t rule);

/** How much of the image is in the slot, 0..100. */
uint8_t hf_update_percent(const struct hf_update *update);

#endif
