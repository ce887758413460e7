/* SPDX-License-Identifier: Apache-2.0
 * Production as the server knows it: orders, batch records, and what they say about a device that enrols
 * (docs/spec/factory.md). The formats are hf/fleet/order.h and hf/fleet/batch.h.
 */
#ifndef HF_SERVER_FACTORY_H
#define HF_SERVER_FACTORY_H

#include "hf/server/core.h"

/**
 * May this factory certificate enrol, by the batch records? Raises the alarm when something is wrong with it; the alarm
 * stays when the enrolment is refused.
 * @param product  of the certificate
 * @param why      fills when denied
 * @return HF_OK, also for a device in no record unless only listed ones may enrol; HF_E_DENIED; else from the database
 */
HF_MUST enum hf_err hf_factory_check(struct hf_engine *engine, const struct hf_enrol *enrol, int64_t now,
                                     struct hf_why *why);
/** It has enrolled: no longer "made, never seen". */
HF_MUST enum hf_err hf_factory_enrolled(struct hf_engine *engine, struct hf_bytes device, int64_t now);

#endif
