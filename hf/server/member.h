/* SPDX-License-Identifier: Apache-2.0
 * A device in the rollout of its product: what its report means there, and what it is given to do.
 */
#ifndef HF_SERVER_MEMBER_H
#define HF_SERVER_MEMBER_H

#include "hf/server/devices.h"
#include "hf/wire/checkin.h"

/** What the answer says besides the assignment. */
struct hf_offer {
  bool soon;        /**< its wave runs and it is not done: come back sooner */
  int64_t deadline; /**< for installing; 0: none */
};

/**
 * Take a device's report into the rollout of its product, if there is one, and decide what it should run.
 * @param offer  fills
 * @param row    changes: `assigned` and `assignment` when there is a new order
 */
HF_MUST enum hf_err hf_member_report(struct hf_engine *engine, struct hf_offer *offer, struct hf_device_row *row,
                                     const struct hf_checkin *checkin, int64_t now);
/** The device has been silent for too long. */
HF_MUST enum hf_err hf_member_silent(struct hf_engine *engine, const struct hf_device_row *row, int64_t now);

#endif
