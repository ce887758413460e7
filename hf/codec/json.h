/* SPDX-License-Identifier: Apache-2.0
 * JSON for the trust path: strict, bounded, no heap, no tree.
 *
 * One pass checks the whole text against RFC 8259 plus the stricter rules below; after that a value is simply a view
 * of its own text, and members are found by scanning. Device and host share it. It is not for the REST API, which
 * uses jansson.
 *
 * Stricter than RFC 8259 (docs/spec/json.md says why): no duplicate members at any depth, no number that is not an
 * integer of 64 bits, no lone surrogate, no bytes that are not UTF-8, no bytes after the value, nesting at most
 * HF_JSON_DEPTH_MAX.
 */
#ifndef HF_CODEC_JSON_H
#define HF_CODEC_JSON_H

#include "hf/base/bytes.h"
#include "hf/base/why.h"

/** Real TUF metadata nests 8 deep; the rest is head room for custom data. */
#define HF_JSON_DEPTH_MAX 24
/** How many times its own length a text may cost in extra readings: an object that is not in ascending order is read
 * again for each member, to find duplicates and its canonical order. An unsorted object that fills the text may have
 * 170 members in the worst order, small ones do not matter, and sorted objects, which TUF writers emit, cost nothing.
 */
#define HF_JSON_UNSORTED_MAX 256

enum hf_json_type { HF_JSON_NULL, HF_JSON_BOOL, HF_JSON_INT, HF_JSON_TEXT, HF_JSON_ARRAY, HF_JSON_OBJECT };

/** A value inside a checked text: a view of exactly its own characters. Borrows the text. */
struct hf_json {
  struct hf_bytes text;
};

/** A walk over the elements of an array or the members of an object. */
struct hf_json_walk {
  struct hf_bytes rest; /**< what is still ahead */
  bool object;
};

/**
 * Check a whole text; on success `*root` may be read with every other function here.
 * @param root  fills; borrows `text`
 * @param text  borrows; the whole file
 * @param why   fills at failure: rule and offset; may be NULL
 * @return HF_OK or HF_E_INPUT. Device, server; stack under 700 bytes; no heap; no recursion.
 */
HF_MUST enum hf_err hf_json_parse(struct hf_json *root, struct hf_bytes text, struct hf_why *why);

enum hf_json_type hf_json_type(struct hf_json value);

/** Start a walk; over a value that is neither array nor object the walk is empty. */
struct hf_json_walk hf_json_walk_init(struct hf_json value);
/** Next element of an array: false at the end. */
bool hf_json_walk_next(struct hf_json_walk *walk, struct hf_json *element);
/** Next member of an object: `name` is a text value (escapes not yet decoded). False at the end. */
bool hf_json_walk_member(struct hf_json_walk *walk, struct hf_json *name, struct hf_json *value);
/** How many elements or members. */
size_t hf_json_count(struct hf_json value);

/** Find a member by its decoded name. HF_E_NOT_FOUND when there is none or `object` is no object. */
HF_MUST enum hf_err hf_json_get(struct hf_json *value, struct hf_json object, const char *name);
/** Same, the name given as bytes (a role or target name). */
HF_MUST enum hf_err hf_json_get_bytes(struct hf_json *value, struct hf_json object, struct hf_bytes name);
/** An integer; HF_E_INPUT when the value is none. */
HF_MUST enum hf_err hf_json_get_int(int64_t *number, struct hf_json value);
/** A boolean; HF_E_INPUT when the value is none. */
HF_MUST enum hf_err hf_json_get_bool(bool *flag, struct hf_json value);
/** Decode a text value, escapes resolved, appended to `out` as UTF-8. HF_E_INPUT: no text; HF_E_SPACE: no room. */
HF_MUST enum hf_err hf_json_get_text(struct hf_buf *out, struct hf_json value);
/** Is it a text value with exactly this content? */
bool hf_json_is(struct hf_json value, const char *text);
bool hf_json_is_bytes(struct hf_json value, struct hf_bytes text);
/** Is it a text of lower-case hex that spells these bytes (hash or key id compare without a buffer)? */
bool hf_json_is_hex(struct hf_json value, struct hf_bytes bytes);
/** Decode a hex text value of exactly `len` bytes into `out`. */
HF_MUST enum hf_err hf_json_get_hex(uint8_t *out, size_t len, struct hf_json value);
/** Offset of a value inside the text it came from, to blame in a `struct hf_why`. */
uint32_t hf_json_at(struct hf_bytes text, struct hf_json value);

/** Where canonical bytes go; returns false to stop (sticky in the caller's context). */
struct hf_json_sink {
  bool (*put)(void *ctx, struct hf_bytes bytes);
  void *ctx;
};

/**
 * Stream the canonical form of a value: OLPC canonical JSON as securesystemslib writes it: no space, members in
 * ascending order of their decoded UTF-8, in texts only `"` and `\` escaped and control characters left raw.
 * Members that Holdfast does not know are kept: they are under the signature too.
 * @param sink   called with short runs; a hash is the usual one
 * @param value  from a text that hf_json_parse has checked; borrows
 * @return HF_OK, or HF_E_SPACE when the sink stopped. Without heap or recursion; stack under 900 bytes.
 */
HF_MUST enum hf_err hf_json_canonical(struct hf_json_sink sink, struct hf_json value);

/* ---- writer: compact JSON; the caller writes members in ascending order, so that what is written is canonical up to
 * escapes ---- */

/** Append `"text"` with the escapes RFC 8259 needs; the text is UTF-8. */
void hf_json_put_text(struct hf_buf *out, struct hf_bytes text);
/** Append `"name":`, with a comma before it unless it follows `{`. */
void hf_json_put_name(struct hf_buf *out, const char *name);
/** Append a comma unless it follows `[` or `{` or stands first (array elements). */
void hf_json_put_comma(struct hf_buf *out);
void hf_json_put_int(struct hf_buf *out, int64_t number);
/** Append `"hex"`. */
void hf_json_put_hex(struct hf_buf *out, struct hf_bytes bytes);
/** Append `"2026-11-20T10:44:31Z"`. */
void hf_json_put_time(struct hf_buf *out, int64_t seconds);

#endif
