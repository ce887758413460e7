/* SPDX-License-Identifier: Apache-2.0
 * The queue of update and security events: kept on flash until the server says that they are on its disk.
 *
 * Bounded: when it is full the oldest is overwritten and the gap in the numbers shows how many were lost. Each event is
 * one store record, so it is there whole or not at all.
 */
#ifndef HF_DEVICE_EVENTS_H
#define HF_DEVICE_EVENTS_H

#include "hf/device/store.h"
#include "hf/wire/checkin.h"

/** Events kept: a failed update leaves five or six, so two of them fit. */
#define HF_EVENTS_MAX 16

struct hf_events {
  struct hf_store *store; /**< borrowed */
  uint32_t last;          /**< number of the newest event ever */
  uint32_t acked;         /**< everything up to here is on the server */
};

/** Find what is queued; what cannot be read any more is a gap in the numbers.
 * @param events  fills; borrows `store` for its life */
void hf_events_open(struct hf_events *events, struct hf_store *store);

/** Queue an event; its number is given here.
 * @param event  borrows; `number` is ignored; a subject longer than HF_CHECKIN_SUBJECT_MAX is cut
 * @return HF_OK; HF_E_FULL, HF_E_IO: not queued */
HF_MUST enum hf_err hf_events_put(struct hf_events *events, const struct hf_checkin_event *event);

/** The oldest unacknowledged events.
 * @param out    fills at most HF_CHECKIN_EVENTS_MAX
 * @param count  fills
 * @param text   the subjects are appended here; `out` borrows it; HF_CHECKIN_EVENTS_MAX * 96 bytes suffice */
HF_MUST enum hf_err hf_events_get(struct hf_checkin_event *out, uint8_t *count, const struct hf_events *events,
                                  struct hf_buf *text);

/** The server has everything up to `number` on disk. A number never used is not believed: HF_E_INPUT. */
HF_MUST enum hf_err hf_events_ack(struct hf_events *events, uint32_t number);

/** How many events were overwritten before they were acknowledged (counted from the last acknowledged one). */
uint32_t hf_events_lost(const struct hf_events *events);

#endif
