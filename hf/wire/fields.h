/* SPDX-License-Identifier: Apache-2.0
 * CBOR maps with integer keys, as check-ins, answers and version reports are made of: keys ascend, those of a newer
 * peer are skipped, mandatory ones are ticked off. And the member that all of them share: a component as it runs.
 */
#ifndef HF_WIRE_FIELDS_H
#define HF_WIRE_FIELDS_H

#include "hf/codec/cbor.h"
#include "hf/crypto/crypto.h"

/** A bit for a mandatory key below 32. */
#define HF_FIELD(key) (UINT32_C(1) << (key))

/** A map being read. */
struct hf_fields {
  size_t left;
  int64_t last;
  uint32_t seen;
};

/** Read a map's head. */
struct hf_fields hf_fields_open(struct hf_cbor *in);
/** Next key, or -1 at the end and after a failure. */
int64_t hf_fields_next(struct hf_fields *map, struct hf_cbor *in);
/** The end of the map: fails the reader (CHECKIN_MISSING) unless every key of `mandatory` was there. */
void hf_fields_close(const struct hf_fields *map, struct hf_cbor *in, uint32_t mandatory);

/** A text of at most `max` bytes that `check` accepts; else the reader fails (CHECKIN_NAME). Borrows. */
struct hf_bytes hf_fields_name(struct hf_cbor *in, size_t max, bool (*check)(struct hf_bytes));
/** Seconds since 1970. */
int64_t hf_fields_time(struct hf_cbor *in);
/** Exactly 32 bytes; else the reader fails (CHECKIN_TYPE). */
void hf_fields_digest(uint8_t out[HF_SHA256_LEN], struct hf_cbor *in);

void hf_fields_put_uint(struct hf_buf *out, unsigned key, uint64_t value);
void hf_fields_put_text(struct hf_buf *out, unsigned key, struct hf_bytes text);

#endif
