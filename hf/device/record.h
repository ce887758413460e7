/* SPDX-License-Identifier: Apache-2.0
 * Records on flash: an append-only run of them in a part of an area, each valid or ignorable after a torn write.
 *
 * The mechanics under hf/device/store.h and hf/device/bootstate.h; nobody else needs it. It knows sequence numbers and
 * check sums, not what a record means. Format: docs/spec/store.md.
 */
#ifndef HF_DEVICE_RECORD_H
#define HF_DEVICE_RECORD_H

#include "hf/device/port.h"

/** Bytes in front of every payload; a multiple of every write alignment. */
#define HF_RECORD_HEAD 16
/** Longest payload: a TUF root with a dozen P-256 keys still fits, and a torn length cannot ask for more. */
#define HF_RECORD_MAX 4096

enum hf_record_kind {
  HF_RECORD_BANK = 1,   /**< first of a store bank, written last: this bank is whole */
  HF_RECORD_VALUE = 2,  /**< the key has this value */
  HF_RECORD_DELETED = 3 /**< the key has none */
};

/** One record's head. */
struct hf_record {
  uint32_t at; /**< offset of the head in the area */
  uint32_t seq;
  uint16_t key;
  uint16_t len; /**< of the payload */
  uint8_t kind; /**< an `enum hf_record_kind` */
};

/** A run of records: a part of an area, filled from its start. */
struct hf_run {
  const struct hf_area *area; /**< borrowed */
  uint32_t start;             /**< bytes, multiple of the sector */
  uint32_t size;              /**< bytes, multiple of the sector */
  uint32_t end;               /**< where the next record goes */
  bool closed;                /**< nothing may be appended before the run is cleared */
};

/** A run over [start, start + size) with its reading position at the start. */
struct hf_run hf_record_open(const struct hf_area *area, uint32_t start, uint32_t size);

/** Take the record at `run->end` and move behind it. Damaged payloads are passed over; a damaged head, or an erased one
 * with something behind it, closes the run: that is where power failed.
 * @param rec  fills
 * @return HF_OK; HF_E_NOT_FOUND: end of the run; HF_E_IO */
HF_MUST enum hf_err hf_record_next(struct hf_record *rec, struct hf_run *run);

/** Read a payload and check it.
 * @param out  fills `rec->len` bytes; NULL only checks
 * @return HF_OK; HF_E_INPUT: the check sum is wrong; HF_E_IO */
HF_MUST enum hf_err hf_record_get(void *out, const struct hf_area *area, const struct hf_record *rec);

/** Append a record, read it back, and move behind it.
 * @param rec      kind, key, len and seq are borrowed, `at` is filled
 * @param payload  borrows `rec->len` bytes
 * @return HF_OK: it is on the medium; HF_E_FULL: no room, nothing written; HF_E_IO: the run is closed now */
HF_MUST enum hf_err hf_record_put(struct hf_run *run, struct hf_record *rec, const void *payload);

/** Write a bank's head into the room left free at the start of the run: the record that makes the bank valid. */
HF_MUST enum hf_err hf_record_put_first(struct hf_run *run, struct hf_record *rec);

/** Append a checked copy of a record of the same area; `rec->at` becomes the new place. Errors as get and put. */
HF_MUST enum hf_err hf_record_copy(struct hf_run *to, struct hf_record *rec);

/** Erase the run; the next record goes `reserve` bytes after its start. */
HF_MUST enum hf_err hf_record_clear(struct hf_run *run, uint32_t reserve);

/** Bytes a record with this payload takes on flash. */
uint32_t hf_record_room(const struct hf_area *area, uint32_t len);

/** Is every byte from `at` to `end` erased? HF_OK; HF_E_EXISTS: no; HF_E_IO. */
HF_MUST enum hf_err hf_record_check_erased(const struct hf_area *area, uint32_t at, uint32_t end);

#endif
