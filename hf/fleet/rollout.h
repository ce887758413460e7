/* SPDX-License-Identifier: Apache-2.0
 * Rollouts: who gets a release when, and when to stop. Pure: counts and reports in, decisions out.
 * docs/spec/rollout.md.
 *
 * A rollout is a row of waves over a stable random order of devices. A wave runs when the one before has the wanted
 * share confirmed; too many failures stop the rollout by itself. Which release a device may take at all is
 * hf/fleet/release.h.
 */
#ifndef HF_FLEET_ROLLOUT_H
#define HF_FLEET_ROLLOUT_H

#include "hf/base/bytes.h"
#include "hf/base/why.h"

/** Waves of one rollout; 5, 25, 100 are three. */
#define HF_WAVES_MAX 16

/** Numbers are stored. */
enum hf_rollout_state {
  HF_ROLLOUT_RUNNING = 1,
  HF_ROLLOUT_PAUSED = 2,  /**< by a person: no new offers, what was offered goes on */
  HF_ROLLOUT_STOPPED = 3, /**< by itself: no new offers, offers not yet staged are taken back */
  HF_ROLLOUT_ABORTED = 4, /**< by a person, for good; as stopped */
  HF_ROLLOUT_DONE = 5     /**< every wave has its share; devices that return or join later still get it */
};

/** Where one device stands in one rollout: the numbers of enum hf_update_state, waiting for idle, and silent. Stored.
 */
enum hf_member {
  HF_MEMBER_WAITING = 0,
  HF_MEMBER_OFFERED = 1,
  HF_MEMBER_DOWNLOADING = 2,
  HF_MEMBER_STAGED = 3,
  HF_MEMBER_TRYING = 4,
  HF_MEMBER_CONFIRMED = 5,
  HF_MEMBER_REVERTED = 6,
  HF_MEMBER_FAILED = 7,
  HF_MEMBER_REFUSED = 8,
  HF_MEMBER_POSTPONED = 9,
  HF_MEMBER_SILENT = 10, /**< not heard of for long, and not since it held the new image */
  HF_MEMBER_STATES = 11
};

/** What a wave counts. */
enum hf_member_class {
  HF_CLASS_WAITING,
  HF_CLASS_UNDERWAY,
  HF_CLASS_CONFIRMED,
  HF_CLASS_FAILED,
  HF_CLASS_SILENT,
  HF_CLASS_COUNT
};

struct hf_wave {
  uint32_t percent;               /**< 0: a group wave */
  uint64_t last_hash;             /**< percent wave: place in the order of its last device */
  int64_t started;                /**< 0: not yet */
  uint64_t count[HF_CLASS_COUNT]; /**< devices by class; their sum is the wave */
  uint64_t forgiven;              /**< failures that a resume forgave; never more than count[HF_CLASS_FAILED] */
};

struct hf_rollout {
  int64_t id;
  enum hf_rollout_state state;
  uint32_t wave;            /**< index of the wave that runs; those before it run on */
  uint32_t wave_count;      /**< 1..HF_WAVES_MAX */
  uint32_t success_percent; /**< 1..100 */
  uint64_t max_failures;    /**< survived; one more stops it */
  int64_t deadline;         /**< 0: none */
  struct hf_wave at[HF_WAVES_MAX];
};

/** What to do with a rollout now. */
enum hf_rollout_step {
  HF_ROLLOUT_KEEP = 1,
  HF_ROLLOUT_NEXT,  /**< start the next wave */
  HF_ROLLOUT_STOP,  /**< stop, `reason` says why */
  HF_ROLLOUT_FINISH /**< all is done */
};

/** A device's place in the random order of a rollout: the first 8 bytes of SHA-256 over both. The same for ever, and
 * unlike in any other rollout, so that the same devices are not always first. */
uint64_t hf_rollout_hash(int64_t rollout, struct hf_bytes device);

/**
 * How many devices each percent wave takes out of `total`, so that the cut is exact and none is left over.
 * @param count  fills, one for each wave; 0 for group waves
 * @return HF_OK; HF_E_INPUT: percentages do not rise, or the last percent wave is not 100 while there are any
 */
HF_MUST enum hf_err hf_rollout_cut(uint64_t count[HF_WAVES_MAX], const struct hf_rollout *rollout, uint64_t total);

/** The percent wave of a device that joins after the start, by its hash; HF_WAVES_MAX when there are only group waves.
 */
uint32_t hf_rollout_place(const struct hf_rollout *rollout, uint64_t hash);

/**
 * Judge a rollout by its counts.
 * @param reason  fills with the rule when it is HF_ROLLOUT_STOP; may be NULL
 */
enum hf_rollout_step hf_rollout_judge(const struct hf_rollout *rollout, enum hf_rule *reason);

/** May a device of this wave be offered something now? */
bool hf_rollout_offers(const struct hf_rollout *rollout, uint32_t wave);
/** Are offers that no device has staged yet to be taken back? */
bool hf_rollout_withdraws(const struct hf_rollout *rollout);
/** Failures so far that were not forgiven. */
uint64_t hf_rollout_failures(const struct hf_rollout *rollout);
/** What resuming after a stop means, once it runs again: the failures so far are forgiven, and a wave in which nobody
 * answered is passed over even when the last one is next. */
void hf_rollout_forgive(struct hf_rollout *rollout, int64_t now);
/** Move one device of a wave from one state to another in the counts. */
void hf_rollout_move(struct hf_rollout *rollout, uint32_t wave, enum hf_member from, enum hf_member to);
/** Count one more device into a wave. */
void hf_rollout_join(struct hf_rollout *rollout, uint32_t wave, enum hf_member state);
/** Take one device out of a wave: it can never be done here any more. */
void hf_rollout_leave(struct hf_rollout *rollout, uint32_t wave, enum hf_member state);

enum hf_member_class hf_member_class(enum hf_member state);

/** What a device said, in terms of the rollout. */
struct hf_member_report {
  bool runs_target; /**< every component it should have runs the image of the rollout's release */
  bool about_offer; /**< what it says of an update is about the version last offered in this rollout */
  bool was_offered;
  uint32_t state; /**< enum hf_update_state */
};
/** The state after a report. CONFIRMED only for a device that runs the target and is not on trial. */
enum hf_member hf_member_next(enum hf_member now, const struct hf_member_report *report);
/** The state after a long silence: FAILED for one that had staged or was trying the new image, else SILENT. */
enum hf_member hf_member_silence(enum hf_member now);

/**
 * Until when a device may put the update off: the rollout's deadline, and never longer than `postpone_max_s` after the
 * offer.
 * @param offered  when it was offered first
 */
int64_t hf_rollout_deadline(const struct hf_rollout *rollout, int64_t offered, int64_t postpone_max_s);

/** "running", "paused", "stopped", "aborted", "done". Static. */
const char *hf_rollout_state_name(unsigned state);
/** "idle" for waiting, else as hf_update_state_name, "silent". Static. */
const char *hf_member_name(unsigned state);

#endif
