/* SPDX-License-Identifier: Apache-2.0
 * What a check-in leaves in the registry: state, components, events, attributes. Deciding what the device gets is
 * hf/server/member.h; answering is hf_engine_checkin in checkins.c.
 */
#ifndef HF_SERVER_INTAKE_H
#define HF_SERVER_INTAKE_H

#include "hf/server/devices.h"
#include "hf/wire/checkin.h"

/** Attributes one device may have. */
#define HF_ATTRIBUTES_MAX 64
/** Events kept of one device; older ones go. */
#define HF_EVENTS_KEPT 2000

/** Store what runs and how the update stands. `row` is brought up to date. */
HF_MUST enum hf_err hf_intake_state(struct hf_engine *engine, struct hf_device_row *row,
                                    const struct hf_checkin *checkin, struct hf_bytes address, int64_t now);
/** Store events not yet known; row->event_number is then the number to acknowledge. */
HF_MUST enum hf_err hf_intake_events(struct hf_engine *engine, struct hf_device_row *row,
                                     const struct hf_checkin *checkin, int64_t now);
/** Store attributes the device set; an operator's value stays. */
HF_MUST enum hf_err hf_intake_attributes(struct hf_engine *engine, const struct hf_device_row *row,
                                         const struct hf_checkin *checkin, int64_t now);
/** Set or remove (empty value) one attribute. `source` 1 device, 2 operator. HF_E_SPACE: the device has too many. */
HF_MUST enum hf_err hf_intake_attribute(struct hf_engine *engine, int64_t n,
                                        const struct hf_checkin_attribute *attribute, int source, int64_t now);

#endif
