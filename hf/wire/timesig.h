/* SPDX-License-Identifier: Apache-2.0
 * Signed time: what the server's time key says to a nonce (Uptane 2.1 deployment practice, time). For devices without a
 * clock of their own, and for secondaries that do not believe their primary.
 *
 * One signature answers up to four nonces, so that a primary asks once for all its parts. docs/spec/time.md.
 */
#ifndef HF_WIRE_TIMESIG_H
#define HF_WIRE_TIMESIG_H

#include "hf/base/why.h"
#include "hf/crypto/crypto.h"

#define HF_TIMESIG_NONCE_LEN 16
/** A primary and three secondaries. */
#define HF_TIMESIG_NONCES_MAX 4

/** A time and its signature. Borrows. */
struct hf_timesig {
  int64_t time; /**< seconds since 1970 */
  struct hf_bytes sig;
};

/** What is signed: SHA-256 of "holdfast-time-1", a zero byte, the time (8 bytes, network order), the nonces in the
 * order in which they were sent. */
void hf_timesig_digest(uint8_t out[HF_SHA256_LEN], int64_t time, struct hf_bytes nonces);

/**
 * Was this time signed by the time key for one of our nonces?
 * @param timesig  borrows
 * @param key      borrows: the time key, from the director's targets (custom.holdfast.time)
 * @param nonces   borrows: all nonces as they were sent
 * @param nonce    borrows: ours, HF_TIMESIG_NONCE_LEN bytes, used for one question only
 * @param why      fills (TIME_SIGNATURE); may be NULL
 */
HF_MUST enum hf_verdict hf_timesig_verify(const struct hf_timesig *timesig, const struct hf_pubkey *key,
                                          struct hf_bytes nonces, struct hf_bytes nonce, struct hf_why *why);

#endif
