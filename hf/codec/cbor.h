/* SPDX-License-Identifier: Apache-2.0
 * CBOR, the deterministic subset of RFC 8949 section 4.2.1: shortest lengths, definite lengths, map keys ascending by
 * their encoded bytes, no duplicates, no floats, no tags, no simple values but false, true and null.
 *
 * A reader over a view that fails once and stays failed; a writer into a bounded buffer. There is one encoding for each
 * message, so `encode(parse(b)) == b`.
 */
#ifndef HF_CODEC_CBOR_H
#define HF_CODEC_CBOR_H

#include "hf/base/bytes.h"
#include "hf/base/why.h"

/** Check-ins nest 4 deep. */
#define HF_CBOR_DEPTH_MAX 8

enum hf_cbor_type { HF_CBOR_UINT, HF_CBOR_NINT, HF_CBOR_BYTES, HF_CBOR_TEXT, HF_CBOR_ARRAY, HF_CBOR_MAP, HF_CBOR_SIMPLE,
                    HF_CBOR_NONE };

/** A reading position. `why` (may be NULL) gets the first broken rule. */
struct hf_cbor {
  struct hf_cursor cur;
  struct hf_why *why;
};

struct hf_cbor hf_cbor_init(struct hf_bytes bytes, struct hf_why *why);
/** Type of the next item without consuming it; HF_CBOR_NONE at the end or after a failure. */
enum hf_cbor_type hf_cbor_type(const struct hf_cbor *in);
/** Read one item; after any failure zeros and empty views come back and `hf_cbor_failed` stays true. */
uint64_t hf_cbor_uint(struct hf_cbor *in, uint64_t max);
int64_t hf_cbor_int(struct hf_cbor *in);
bool hf_cbor_bool(struct hf_cbor *in);
/** A byte string of at most `max` bytes; borrows the input. */
struct hf_bytes hf_cbor_bytes(struct hf_cbor *in, size_t max);
/** A text string of at most `max` bytes of valid UTF-8 without control characters; borrows the input. */
struct hf_bytes hf_cbor_text(struct hf_cbor *in, size_t max);
/** Array or map head: number of elements or pairs, at most `max`. */
size_t hf_cbor_array(struct hf_cbor *in, size_t max);
size_t hf_cbor_map(struct hf_cbor *in, size_t max);
/** Next integer key of a map, which must be greater than `*last` (start with -1): order and duplicates in one check. */
int64_t hf_cbor_key(struct hf_cbor *in, int64_t *last);
/** Skip one item of any shape within HF_CBOR_DEPTH_MAX: keys from a newer peer. Still checks determinism. */
void hf_cbor_skip(struct hf_cbor *in);
/** Mark the input as refused for a rule of the caller's. */
void hf_cbor_fail(struct hf_cbor *in, enum hf_rule rule);
bool hf_cbor_failed(const struct hf_cbor *in);
/** Nothing failed and nothing is left over? */
HF_MUST bool hf_cbor_done(struct hf_cbor *in);

void hf_cbor_put_uint(struct hf_buf *out, uint64_t value);
void hf_cbor_put_int(struct hf_buf *out, int64_t value);
void hf_cbor_put_bool(struct hf_buf *out, bool value);
void hf_cbor_put_null(struct hf_buf *out);
void hf_cbor_put_bytes(struct hf_buf *out, struct hf_bytes bytes);
void hf_cbor_put_text(struct hf_buf *out, struct hf_bytes text);
void hf_cbor_put_array(struct hf_buf *out, size_t count);
void hf_cbor_put_map(struct hf_buf *out, size_t count);

#endif
