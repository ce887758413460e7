/* SPDX-License-Identifier: Apache-2.0
 * Bytes: a view, a bounded buffer, and a cursor that fails once and stays failed.
 *
 * None of them owns memory. Text is bytes too: nothing inside Holdfast relies on a terminating NUL.
 */
#ifndef HF_BASE_BYTES_H
#define HF_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hf/base/err.h"

/** A view of bytes somebody else owns. `at` may be NULL only when `len` is 0. */
struct hf_bytes {
  const uint8_t *at;
  size_t len;
};

/** A buffer whose ceiling is fixed at birth; the caller owns the memory. */
struct hf_buf {
  uint8_t *at;
  size_t len;  /**< bytes in use */
  size_t cap;  /**< room */
  bool failed; /**< something did not fit; everything put since was dropped */
};

/** A reading position over a view. After the first short read every read gives zeros and `failed` stays set. */
struct hf_cursor {
  struct hf_bytes rest;
  size_t pos; /**< bytes consumed so far, the offset to blame in a `struct hf_why` */
  bool failed;
};

/** A view of a string literal, without its NUL. */
#define HF_LIT(s) ((struct hf_bytes){(const uint8_t *)("" s), sizeof(s) - 1})

/** A view of a NUL-terminated string that came from argv or a library; borrows. */
struct hf_bytes hf_bytes_text(const char *text);
/** A view of memory; borrows. */
struct hf_bytes hf_bytes_init(const void *at, size_t len);
/** Same length and same bytes? Not constant time: for public values only. */
bool hf_bytes_equal(struct hf_bytes a, struct hf_bytes b);
/** Same text as this NUL-terminated string? For names and keywords. */
bool hf_bytes_is(struct hf_bytes a, const char *text);
/** Order by bytes, shorter first on a tie: -1, 0, 1. */
int hf_bytes_order(struct hf_bytes a, struct hf_bytes b);

/** Same bytes, in time that depends on `len` only. For secrets and MACs. */
HF_MUST bool hf_secret_equal(const void *a, const void *b, size_t len);
/** Overwrite with zeros in a way the compiler keeps. */
void hf_secret_wipe(void *at, size_t len);

/** An empty buffer over caller's memory; borrows `at` for its own life. */
struct hf_buf hf_buf_init(void *at, size_t cap);
/** What is in the buffer; borrowed until the next put. */
struct hf_bytes hf_buf_bytes(const struct hf_buf *buf);
/** Append; sets `failed` and appends nothing when it does not fit. */
void hf_buf_put(struct hf_buf *buf, struct hf_bytes bytes);
/** Append a NUL-terminated string without its NUL. */
void hf_buf_put_text(struct hf_buf *buf, const char *text);
/** Append one byte. */
void hf_buf_put_u8(struct hf_buf *buf, uint8_t value);
/** Append in network order. */
void hf_buf_put_be16(struct hf_buf *buf, uint16_t value);
void hf_buf_put_be32(struct hf_buf *buf, uint32_t value);
void hf_buf_put_be64(struct hf_buf *buf, uint64_t value);
/** Append in little-endian order (MCUboot images). */
void hf_buf_put_le16(struct hf_buf *buf, uint16_t value);
void hf_buf_put_le32(struct hf_buf *buf, uint32_t value);
/** Append decimal digits. */
void hf_buf_put_uint(struct hf_buf *buf, uint64_t value);
/** Append a NUL that is not counted in `len`, so that `(const char *)buf->at` is a C string for a library call. */
HF_MUST enum hf_err hf_buf_terminate(struct hf_buf *buf);

/** A cursor at the start of a view. */
struct hf_cursor hf_cursor_init(struct hf_bytes bytes);
/** Take `len` bytes; an empty view and `failed` when there are fewer. */
struct hf_bytes hf_cursor_take(struct hf_cursor *cur, size_t len);
uint8_t hf_cursor_u8(struct hf_cursor *cur);
uint16_t hf_cursor_be16(struct hf_cursor *cur);
uint32_t hf_cursor_be32(struct hf_cursor *cur);
uint64_t hf_cursor_be64(struct hf_cursor *cur);
uint16_t hf_cursor_le16(struct hf_cursor *cur);
uint32_t hf_cursor_le32(struct hf_cursor *cur);
/** Nothing failed and nothing is left over? Left-over bytes are an error everywhere in Holdfast. */
HF_MUST bool hf_cursor_done(const struct hf_cursor *cur);

#endif
