/* SPDX-License-Identifier: Apache-2.0
 * Devices in memory: enough of each to answer a check-in that says nothing new without touching the database.
 *
 * Bounded: beyond HF_CACHE_MAX devices the least used make room. Losing an entry costs time only. What is not yet in
 * the database is the time a device was last seen, for at most HF_CACHE_SEEN_S seconds.
 */
#ifndef HF_SERVER_CACHE_H
#define HF_SERVER_CACHE_H

#include "hf/crypto/crypto.h"
#include "hf/server/core.h"
#include "hf/wire/names.h"

/** 100,000 devices and room: about 32 MB when all are there. */
#define HF_CACHE_MAX 131072
/** "Last seen" is written after so many seconds, or when so many wait. */
#define HF_CACHE_SEEN_S 5
#define HF_CACHE_SEEN_MAX 8192

/** A device as a check-in needs it. */
struct hf_cached {
  int64_t n; /**< its row; 0: the place is free */
  int64_t last_seen;
  int64_t stored_seen; /**< last_seen as in the database */
  int64_t deadline;    /**< told to the device, 0: none */
  uint8_t cert[HF_SHA256_LEN];
  uint8_t cert_previous[HF_SHA256_LEN];
  uint8_t report[16]; /**< digest of what it last said, event and attributes apart */
  uint32_t event_number;
  uint32_t assignment;
  uint32_t acted;
  uint32_t boot;
  uint32_t number;     /**< of the last check-in within that boot */
  uint32_t keyset;     /**< newest key set of its product, 0: none */
  uint32_t connection; /**< hf_credential_print of what the row says */
  uint32_t twin_boot;  /**< the last check-in that was out of order */
  uint32_t twin_number;
  int64_t alarmed; /**< when an alarm was last counted up, 0: not since it is in memory */
  uint8_t twin_count;
  uint8_t twin_clean;
  bool twin_alone;     /**< none in order has come since */
  bool rotate;         /**< it is to make a new key */
  uint32_t takeover;   /**< order its product is told of, 0: none */
  uint32_t generation; /**< of the engine when the offer was worked out */
  bool blocked;
  bool has_cert;
  bool has_previous;
  bool has_report;
  bool soon;       /**< it is in a wave that runs: it comes more often */
  bool waits_seen; /**< in the list of those to write */
  bool used;       /**< since the hand of the clock passed */
  uint8_t id_len;
  char id[HF_DEVICE_ID_MAX];
};

HF_MUST enum hf_err hf_cache_new(struct hf_cache **cache);
void hf_cache_free(struct hf_cache *cache);
/** Forget everything. */
void hf_cache_init(struct hf_cache *cache);
/** A device, from memory or its row. `*cached` is borrowed until the next get. HF_E_NOT_FOUND: no such device. */
HF_MUST enum hf_err hf_cache_get(struct hf_cached **cached, struct hf_engine *engine, struct hf_bytes id);
/** The device behind a certificate, if it may come in: known, not blocked, an operational certificate that the registry
 * knows. HF_E_DENIED otherwise. */
HF_MUST enum hf_err hf_cache_admit(struct hf_cached **cached, struct hf_engine *engine, const struct hf_peer *peer,
                                   int64_t now);
/** Forget one device: its row was changed by another path. */
void hf_cache_drop(struct hf_cache *cache, struct hf_bytes id);
/** It was seen now. */
HF_MUST enum hf_err hf_cache_seen(struct hf_engine *engine, struct hf_cached *cached, int64_t now);
/** Write what waits, if it has waited long enough or `all`. */
HF_MUST enum hf_err hf_cache_flush(struct hf_engine *engine, int64_t now, bool all);

#endif
