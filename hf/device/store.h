/* SPDX-License-Identifier: Apache-2.0
 * A small power-safe store: values by number, on an area split in two banks.
 *
 * Every put is one appended record, so it happened whole or not at all, whenever the power fails. When a bank is full,
 * the newest value of each key is copied into the other, erased one, and a bank head written last makes it valid. It is
 * not a file system: values are small, keys few. Boot records have their own home, hf/device/bootstate.h.
 * Format: docs/spec/store.md.
 */
#ifndef HF_DEVICE_STORE_H
#define HF_DEVICE_STORE_H

#include "hf/device/record.h"

/** Distinct keys at one time: the index lives in RAM, 8 bytes each. */
#define HF_STORE_KEYS_MAX 64
/** Longest value, bytes. */
#define HF_STORE_VALUE_MAX HF_RECORD_MAX

/** Keys of the device library. Numbers are flash format: append, never reuse. */
enum hf_store_key {
  HF_STORE_AGENT = 1,          /**< hf/device/agent.h: boot id, last answer */
  HF_STORE_CLOCK = 2,          /**< hf/device/clock.h: floor and ceiling */
  HF_STORE_PROGRESS = 3,       /**< hf/device/update.h: the download under way */
  HF_STORE_TRUST_DIRECTOR = 4, /**< TUF trust, director repository */
  HF_STORE_TRUST_IMAGE = 5,    /**< TUF trust, image repository */
  HF_STORE_ATTRIBUTES = 6,     /**< hf/device/agent.h: attributes not yet acknowledged */
  HF_STORE_EVENTS = 7,         /**< hf/device/events.h: acknowledged up to */
  HF_STORE_MIGRATION = 8,      /**< hf/device/migration.h: the order taken last */
  HF_STORE_TIME_KEY = 9,       /**< hf/device/timekey.h: key that signs the server's time */
  HF_STORE_SECONDARIES = 10,   /**< hf/device/secondary.h: the set under way */
  HF_STORE_EVENT_FIRST = 16,   /**< hf/device/events.h: ring of HF_EVENTS_MAX keys from here */
  HF_STORE_PORT = 128,         /**< from here: the port's own (keys, certificates) */
  HF_STORE_APPLICATION = 256   /**< from here: the application's own */
};

/** Where a key's newest value is. */
struct hf_store_entry {
  uint32_t at;
  uint16_t key;
  uint16_t len;
};

struct hf_store {
  const struct hf_area *area; /**< borrowed for the store's life */
  struct hf_run bank;         /**< the valid one; size 0 when there is none yet */
  uint32_t generation;        /**< of that bank; counts up with each compaction */
  uint32_t seq;               /**< of the newest record */
  uint16_t count;
  struct hf_store_entry index[HF_STORE_KEYS_MAX];
};

/** Find the valid bank and index it. Writes nothing; a never used area is an empty store.
 * @param store  fills
 * @param area   borrows; two sectors at least
 * @return HF_OK; HF_E_INPUT: impossible geometry; HF_E_VERSION: written by a newer Holdfast; HF_E_SPACE: more keys than
 *         HF_STORE_KEYS_MAX; HF_E_IO
 * No heap; about 100 bytes of stack. Not for interrupts. */
HF_MUST enum hf_err hf_store_open(struct hf_store *store, const struct hf_area *area);

/** Read a value.
 * @param out  appended whole or not at all
 * @return HF_OK; HF_E_NOT_FOUND; HF_E_SPACE: `out` is too small; HF_E_IO: it can no longer be read */
HF_MUST enum hf_err hf_store_get(struct hf_buf *out, const struct hf_store *store, uint16_t key);

/** Write a value; writes nothing when it is there already. After HF_OK it is on the medium; after anything else, or a
 * power cut, the old value or the new one is there, whole.
 * @param value  borrows
 * @return HF_OK; HF_E_SPACE: longer than HF_STORE_VALUE_MAX; HF_E_FULL: no room, nothing was written; HF_E_IO */
HF_MUST enum hf_err hf_store_put(struct hf_store *store, uint16_t key, struct hf_bytes value);

/** Remove a value; HF_OK also when there was none. */
HF_MUST enum hf_err hf_store_delete(struct hf_store *store, uint16_t key);

#endif
