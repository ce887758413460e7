/* SPDX-License-Identifier: Apache-2.0
 * Rollouts as stored and run: the decisions are pure (hf/fleet/rollout.h), here they meet database and devices.
 */
#ifndef HF_SERVER_ROLLOUTS_H
#define HF_SERVER_ROLLOUTS_H

#include "hf/fleet/rollout.h"
#include "hf/server/core.h"

/** One wave as asked for: a percentage, or a group. Borrows. */
struct hf_wave_new {
  uint32_t
      percent; /**< 1-100, counted from the first wave on (5, 25, 100), of the devices in no group wave; 0: a group */
  struct hf_bytes group; /**< name of a group, when percent is 0 */
};

/** A rollout to start. Borrows. */
struct hf_rollout_new {
  struct hf_bytes product;
  struct hf_bytes version;
  struct hf_bytes group; /**< only its members, or empty */
  const struct hf_wave_new *wave;
  size_t wave_count;        /**< 1..HF_WAVES_MAX; the last percent wave must say 100 */
  uint32_t success_percent; /**< 1-100 */
  uint64_t max_failures;    /**< so many failed devices it survives; one more stops it */
  int64_t deadline;         /**< 0: none; a security release then gets the default of the settings */
};

/**
 * Start it: devices get their places, the first wave runs at once.
 * @param id  fills
 * @return HF_OK; HF_E_INPUT with why; HF_E_NOT_FOUND: no such release, or a group (why); HF_E_STATE: another rollout of
 * the product runs or is paused
 */
HF_MUST enum hf_err hf_rollout_start(struct hf_engine *engine, int64_t *id, const struct hf_act *act,
                                     const struct hf_rollout_new *rollout, struct hf_why *why);
/** Offer it to no further device. HF_E_NOT_FOUND; HF_E_STATE: it does not run. */
HF_MUST enum hf_err hf_rollout_pause(struct hf_engine *engine, const struct hf_act *act, int64_t id);
/** Go on after a pause, or after it stopped by itself: the failures so far are then forgiven. HF_E_NOT_FOUND;
 * HF_E_STATE: it ended, or another rollout of the product took over. */
HF_MUST enum hf_err hf_rollout_resume(struct hf_engine *engine, const struct hf_act *act, int64_t id);
/** End it; offers not yet staged are taken back. HF_E_NOT_FOUND; HF_E_STATE: it ended already. */
HF_MUST enum hf_err hf_rollout_abort(struct hf_engine *engine, const struct hf_act *act, int64_t id);

#endif
