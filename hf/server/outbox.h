/* SPDX-License-Identifier: Apache-2.0
 * The outbox: what is to be told to the operator's webhook, kept until delivered. The courier process delivers.
 */
#ifndef HF_SERVER_OUTBOX_H
#define HF_SERVER_OUTBOX_H

#include "hf/server/core.h"

/** After so many tries (about two days of doubling pauses) a message is dropped. */
#define HF_OUTBOX_TRIES_MAX 16
/** Beyond so many waiting messages new ones are dropped: a dead webhook must not fill the disk. */
#define HF_OUTBOX_MAX 10000

/** Queue one event for the webhook of the settings; nothing happens when there is none.
 * @param kind     "rollout.stopped", "device.blocked"
 * @param subject  device id, rollout number
 * @param words    a sentence for a person */
HF_MUST enum hf_err hf_outbox_put(struct hf_engine *engine, const char *kind, struct hf_bytes subject,
                                  struct hf_bytes words, int64_t now);

#endif
