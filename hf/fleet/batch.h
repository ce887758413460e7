/* SPDX-License-Identifier: Apache-2.0
 * A batch record: what a factory station made by one order, entry after entry, each naming the hash of the one before,
 * signed at the end by the station (docs/spec/factory.md). The same bytes are the station's journal while it works.
 *
 * Pure. A walk checks everything that needs no memory of the devices before: shape, chain, order, certificates, serial
 * range, quota, closing. That no device or key is there twice, the caller checks, who has the room.
 */
#ifndef HF_FLEET_BATCH_H
#define HF_FLEET_BATCH_H

#include "hf/fleet/order.h"

/** Longest reason, operator, station name. */
#define HF_BATCH_TEXT_MAX 128
/** Longest entry, closing included, without its CBOR head. */
#define HF_BATCH_ENTRY_MAX 4096
/** Entries beside the two or three a device has: notes, tests done again. */
#define HF_BATCH_ENTRIES_MAX (10 * HF_ORDER_QUOTA_MAX)

enum hf_batch_kind {
  HF_BATCH_RESERVE = 1, /**< a device id was given out */
  HF_BATCH_ISSUE = 2,   /**< a certificate was made: this counts against the quota */
  HF_BATCH_RESULT = 3,  /**< a device was tested; the last one counts */
  HF_BATCH_NOTE = 4     /**< something that happened to the station: a start, half an entry removed */
};

enum hf_batch_result { HF_BATCH_PASS = 1, HF_BATCH_FAIL = 2 };

/** An entry. Views borrow. Members that are not of its kind are empty or 0. */
struct hf_batch_entry {
  uint64_t number; /**< 1, 2, ... */
  int64_t time;
  enum hf_batch_kind kind;
  struct hf_bytes device;      /**< empty in a note */
  struct hf_bytes operator;    /**< who stood at the station, or empty */
  struct hf_bytes certificate; /**< issue: DER */
  unsigned storage;            /**< issue: where the key is, docs/shape.md */
  unsigned result;             /**< result: enum hf_batch_result */
  struct hf_bytes reason;      /**< result, note: in words */
  unsigned debug;              /**< result: enum hf_factory_lock */
  unsigned readout;            /**< result: the same */
  struct hf_bytes boot_keys;   /**< result: SHA-256 of the boot key set, or empty */
  struct hf_bytes version;     /**< result: of the software, or empty */
  struct hf_bytes image;       /**< result: its digest, or empty */
};

/** How far a record was walked, or written. */
struct hf_batch {
  struct hf_order order;   /**< borrows the record */
  struct hf_bytes station; /**< its name; borrows */
  int64_t opened;
  struct hf_bytes bytes;       /**< the record */
  size_t at;                   /**< how much of it was walked and is good */
  uint8_t head[HF_SHA256_LEN]; /**< hash of the last entry, or of the header */
  uint64_t entries;
  uint64_t issued;
  bool closed;
  int64_t ended;        /**< when it was closed */
  struct hf_cert issue; /**< of the entry in hand, when it is an issue; borrows */
};

/* ---- writing: each function appends one whole item of the record ---- */

/** The header: the signed order, the station's name. Starts `batch` for what follows; `order` is what was verified. */
HF_MUST enum hf_err hf_batch_begin(struct hf_buf *out, struct hf_batch *batch, struct hf_bytes order_bytes,
                                   struct hf_bytes station, int64_t now);
/** An entry; its number is filled. `batch` moves: forget it when the bytes could not be stored. HF_E_SPACE;
 * HF_E_INPUT: an entry that a walk would refuse. */
HF_MUST enum hf_err hf_batch_put(struct hf_buf *out, struct hf_batch *batch, struct hf_batch_entry *entry);
/** The closing, signed by the station. */
HF_MUST enum hf_err hf_batch_end(struct hf_buf *out, struct hf_batch *batch, int64_t now, struct hf_cose_signer signer);

/* ---- reading ---- */

/**
 * Begin a walk: header and order.
 * @param batch       fills; borrows `bytes`
 * @param factory_ca  who must have signed the order
 */
HF_MUST enum hf_verdict hf_batch_open(struct hf_batch *batch, struct hf_bytes bytes, const struct hf_pubkey *factory_ca,
                                      struct hf_why *why);
/**
 * The next entry.
 * @return HF_OK; HF_E_NOT_FOUND: there are no more, `closed` says whether the station signed the end; HF_E_AGAIN: the
 *         record ends in the middle of an item, as after a power cut (`at` is where the whole part ends); HF_E_INPUT:
 *         refused, with why, whose offset is into the record
 */
HF_MUST enum hf_err hf_batch_next(struct hf_batch *batch, struct hf_batch_entry *entry, struct hf_why *why);

#endif
