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
/**
 * Take in an uploaded order or batch record: check all of it, store it, raise alarms for devices and keys that were
 * made before. The same record again changes nothing.
 * @param id      appended: the order's id
 * @param sha256  of the upload
 * @param late    also a record that comes long after the end of its order
 * @return HF_OK; HF_E_NOT_FOUND: no such upload or product; HF_E_DENIED, HF_E_INPUT, HF_E_EXISTS, HF_E_STATE with why
 */
HF_MUST enum hf_err hf_factory_import(struct hf_engine *engine, struct hf_buf *id, const struct hf_act *act,
                                      const uint8_t sha256[HF_SHA256_LEN], bool late, struct hf_why *why);
/** Accept nothing more by an order: no record, no device of it that has not enrolled. HF_E_NOT_FOUND; HF_E_STATE. */
HF_MUST enum hf_err hf_factory_revoke(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes order);
/** It has enrolled: no longer "made, never seen". */
HF_MUST enum hf_err hf_factory_enrolled(struct hf_engine *engine, struct hf_bytes device, int64_t now);

#endif
