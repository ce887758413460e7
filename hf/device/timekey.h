/* SPDX-License-Identifier: Apache-2.0
 * The key that signs the server's time, as this device knows it, and one question for the time (docs/spec/time.md).
 */
#ifndef HF_DEVICE_TIMEKEY_H
#define HF_DEVICE_TIMEKEY_H

#include "hf/device/clock.h"
#include "hf/wire/timesig.h"
#include "hf/wire/tuf.h"

/** One question under way, and whether its failure was told. */
struct hf_timekey {
  struct hf_pubkey key; /**< type HF_KEY_NONE: this device knows none, and takes the server's word over TLS */
  uint8_t nonce[HF_TIMESIG_NONCE_LEN];
  bool asked;           /**< `nonce` went out */
  bool told;            /**< an event about it was queued in this boot */
  bool answered;        /**< signed time was accepted in this boot */
  uint64_t answered_ms; /**< uptime then */
};

/** Read the stored key; none, or rot, is none. */
void hf_timekey_open(struct hf_timekey *timekey, const struct hf_store *store);
/** A director's targets file of this device was verified: keep the time key it names, or forget ours when it names
 * none. Another key than before puts the clock back to its minimum first (Uptane 2.1 deployment practice).
 * @return HF_OK; HF_E_FULL, HF_E_IO: from the store */
HF_MUST enum hf_err hf_timekey_put(struct hf_store *store, struct hf_clock *clock, const struct hf_tuf_file *targets);
/** A fresh nonce for the next check-in, when a key is known and the time was not signed for a day.
 * @return its view, borrows `timekey`; empty: do not ask */
struct hf_bytes hf_timekey_ask(struct hf_timekey *timekey);
/** What the answer's signed time comes to.
 * @param timesig  borrows; `sig` empty: the answer had none
 * @param nonces   borrows: all of the check-in; `len` 0: ours alone
 * @return HF_RULE_NONE: good; TIME_WITHHELD, TIME_SIGNATURE: not to be taken */
uint16_t hf_timekey_judge(struct hf_timekey *timekey, const struct hf_timesig *timesig, struct hf_bytes nonces);

#endif
