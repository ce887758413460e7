/* SPDX-License-Identifier: Apache-2.0
 * Slows guessing of passwords: by name, by address, and over all, in fixed memory.
 *
 * It forgets at restart, and old entries when its tables are full; what it must hold is the rate, not the record. A
 * name is never shut for its owner: an address from which the name has signed in is not held up by others' failures,
 * neither on the name nor over all. The /64 of an IPv6 address counts as one address.
 */
#ifndef HF_SERVER_THROTTLE_H
#define HF_SERVER_THROTTLE_H

#include "hf/base/bytes.h"

/** Entries of each table; 3 tables of 24 bytes an entry. */
#define HF_THROTTLE_ENTRIES 1024
/** Failures that cost nothing: people mistype. */
#define HF_THROTTLE_FREE 5
/** Longest wait for a name: short, since anybody may cause it. */
#define HF_THROTTLE_NAME_S 60
/** Longest wait for an address. */
#define HF_THROTTLE_ADDRESS_S 900
/** Tries a second over all, and at once: bounds the processor time that scrypt may take. */
#define HF_THROTTLE_RATE 2
#define HF_THROTTLE_BURST 5
/** Failures older than this are forgotten. */
#define HF_THROTTLE_MEMORY_S 3600

struct hf_throttle_entry {
  uint64_t key; /**< keyed hash of what it counts; 0 free */
  int64_t last; /**< time of the last failure or success */
  uint32_t failures;
};

struct hf_throttle {
  uint8_t key[32]; /**< makes entry keys unpredictable */
  struct hf_throttle_entry names[HF_THROTTLE_ENTRIES];
  struct hf_throttle_entry addresses[HF_THROTTLE_ENTRIES];
  struct hf_throttle_entry known[HF_THROTTLE_ENTRIES]; /**< name and address of good logins */
  int64_t last;                                        /**< when the bucket was last filled */
  uint32_t tries;                                      /**< what is left in the bucket */
};

/** Empty. HF_E_CRYPTO: no randomness. */
HF_MUST enum hf_err hf_throttle_init(struct hf_throttle *throttle);

/**
 * May this name be tried from this address (as text) now? Takes one try out of the bucket when a stranger may.
 * @return 0, or how many seconds to wait. A clock that goes back never makes anybody wait longer than the maxima.
 */
uint32_t hf_throttle_check(struct hf_throttle *throttle, struct hf_bytes name, struct hf_bytes from, int64_t now);

/** Note how it went. @return true when this failure is the one from which on waiting begins: worth an audit entry */
bool hf_throttle_put(struct hf_throttle *throttle, struct hf_bytes name, struct hf_bytes from, bool good, int64_t now);

#endif
