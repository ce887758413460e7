/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/codec/cbor.h"

#include "hf/codec/text.h"

enum { MAJOR_UINT, MAJOR_NINT, MAJOR_BYTES, MAJOR_TEXT, MAJOR_ARRAY, MAJOR_MAP, MAJOR_TAG, MAJOR_SIMPLE };

#define SIMPLE_FALSE 20
#define SIMPLE_TRUE 21
#define SIMPLE_NULL 22

/* The first byte of an item and the number that follows it. */
struct head {
  uint8_t major;
  uint64_t value;
};

struct hf_cbor hf_cbor_init(struct hf_bytes bytes, struct hf_why *why)
{
  return (struct hf_cbor){.cur = hf_cursor_init(bytes), .why = why};
}

static void fail_at(struct hf_cbor *in, enum hf_rule rule, size_t at)
{
  if (!in->cur.failed) {
    in->cur.failed = true;
    hf_why_put(in->why, rule, (uint32_t)at);
  }
}

void hf_cbor_fail(struct hf_cbor *in, enum hf_rule rule) { fail_at(in, rule, in->cur.pos); }
bool hf_cbor_failed(const struct hf_cbor *in) { return in->cur.failed; }

enum hf_cbor_type hf_cbor_type(const struct hf_cbor *in)
{
  static const enum hf_cbor_type types[8] = {HF_CBOR_UINT,  HF_CBOR_NINT, HF_CBOR_BYTES, HF_CBOR_TEXT,
                                             HF_CBOR_ARRAY, HF_CBOR_MAP,  HF_CBOR_NONE,  HF_CBOR_SIMPLE};
  if (in->cur.failed || in->cur.rest.len == 0) {
    return HF_CBOR_NONE;
  }
  return types[in->cur.rest.at[0] >> 5];
}

/* The number of a head whose low bits are `info` (RFC 8949 section 3), refused unless in its shortest form. */
static uint64_t take_number(struct hf_cbor *in, uint8_t info)
{
  static const uint64_t least[4] = {24, UINT64_C(1) << 8, UINT64_C(1) << 16, UINT64_C(1) << 32};
  size_t at = in->cur.pos - 1;
  if (info < 24) {
    return info;
  }
  if (info > 27) {
    fail_at(in, info == 31 ? HF_RULE_CBOR_INDEFINITE : HF_RULE_CBOR_RESERVED, at);
    return 0;
  }
  size_t len = (size_t)1 << (info - 24);
  if (in->cur.rest.len < len) {
    fail_at(in, HF_RULE_CBOR_END, at);
    return 0;
  }
  struct hf_bytes raw = hf_cursor_take(&in->cur, len);
  uint64_t value = 0;
  for (size_t i = 0; i < raw.len; i++) {
    value = value << 8 | raw.at[i];
  }
  if (value < least[info - 24]) {
    fail_at(in, HF_RULE_CBOR_SHORTEST, at);
    return 0;
  }
  return value;
}

static struct head take_head(struct hf_cbor *in)
{
  struct head head = {0};
  if (in->cur.failed) {
    return head;
  }
  size_t at = in->cur.pos;
  if (in->cur.rest.len == 0) {
    fail_at(in, HF_RULE_CBOR_END, at);
    return head;
  }
  uint8_t first = hf_cursor_u8(&in->cur);
  uint8_t info = first & 31;
  head.major = first >> 5;
  if (head.major == MAJOR_TAG || (head.major == MAJOR_SIMPLE && (info < SIMPLE_FALSE || info > SIMPLE_NULL))) {
    fail_at(in, HF_RULE_CBOR_KIND, at);
    return head;
  }
  head.value = take_number(in, info);
  return head;
}

/* The number of a head that must have this major type and be at most `max`; 0 after a failure. */
static uint64_t expect(struct hf_cbor *in, uint8_t major, uint64_t max)
{
  size_t at = in->cur.pos;
  struct head head = take_head(in);
  if (!in->cur.failed && head.major != major) {
    fail_at(in, HF_RULE_CBOR_TYPE, at);
  }
  if (!in->cur.failed && head.value > max) {
    fail_at(in, HF_RULE_CBOR_LIMIT, at);
  }
  return in->cur.failed ? 0 : head.value;
}

uint64_t hf_cbor_uint(struct hf_cbor *in, uint64_t max) { return expect(in, MAJOR_UINT, max); }

int64_t hf_cbor_int(struct hf_cbor *in)
{
  bool negative = hf_cbor_type(in) == HF_CBOR_NINT;
  int64_t value = (int64_t)expect(in, negative ? MAJOR_NINT : MAJOR_UINT, INT64_MAX);
  return negative && !in->cur.failed ? -1 - value : value;
}

bool hf_cbor_bool(struct hf_cbor *in)
{
  size_t at = in->cur.pos;
  uint64_t value = expect(in, MAJOR_SIMPLE, UINT64_MAX);
  if (!in->cur.failed && value == SIMPLE_NULL) {
    fail_at(in, HF_RULE_CBOR_TYPE, at);
  }
  return !in->cur.failed && value == SIMPLE_TRUE;
}

/* The content of a string whose head was just read; `at` is where the head stood. */
static struct hf_bytes take_content(struct hf_cbor *in, uint64_t len, size_t at)
{
  if (!in->cur.failed && len > in->cur.rest.len) {
    fail_at(in, HF_RULE_CBOR_END, at);
  }
  return in->cur.failed ? (struct hf_bytes){NULL, 0} : hf_cursor_take(&in->cur, (size_t)len);
}

static void check_text(struct hf_cbor *in, struct hf_bytes text, size_t at)
{
  if (!in->cur.failed && !hf_utf8_plain(text)) {
    fail_at(in, HF_RULE_CBOR_TEXT, at);
  }
}

struct hf_bytes hf_cbor_bytes(struct hf_cbor *in, size_t max)
{
  size_t at = in->cur.pos;
  uint64_t len = expect(in, MAJOR_BYTES, max);
  return take_content(in, len, at);
}

struct hf_bytes hf_cbor_text(struct hf_cbor *in, size_t max)
{
  size_t at = in->cur.pos;
  uint64_t len = expect(in, MAJOR_TEXT, max);
  struct hf_bytes text = take_content(in, len, at);
  check_text(in, text, at);
  return in->cur.failed ? (struct hf_bytes){NULL, 0} : text;
}

/* A count of items that the rest of the input has to hold: each item takes at least one byte. */
static size_t take_count(struct hf_cbor *in, uint8_t major, size_t max)
{
  size_t at = in->cur.pos;
  uint64_t count = expect(in, major, max);
  if (!in->cur.failed && count > in->cur.rest.len / (major == MAJOR_MAP ? 2 : 1)) {
    fail_at(in, HF_RULE_CBOR_END, at);
  }
  return in->cur.failed ? 0 : (size_t)count;
}

size_t hf_cbor_array(struct hf_cbor *in, size_t max) { return take_count(in, MAJOR_ARRAY, max); }
size_t hf_cbor_map(struct hf_cbor *in, size_t max) { return take_count(in, MAJOR_MAP, max); }

int64_t hf_cbor_key(struct hf_cbor *in, int64_t *last)
{
  size_t at = in->cur.pos;
  int64_t key = (int64_t)expect(in, MAJOR_UINT, INT64_MAX);
  if (!in->cur.failed && key <= *last) {
    fail_at(in, HF_RULE_CBOR_ORDER, at);
  }
  if (in->cur.failed) {
    return 0;
  }
  *last = key;
  return key;
}

/* An array or map that is being skipped. */
struct level {
  uint64_t left; /* items still to come; keys and values both count */
  bool map;
  struct hf_bytes key; /* the last key as encoded; `at` is NULL before the first */
};

/* Skip one item without what is inside it; its head comes back so that the caller can go in. */
static struct head skip_shallow(struct hf_cbor *in)
{
  size_t at = in->cur.pos;
  struct head head = take_head(in);
  if (head.major == MAJOR_BYTES || head.major == MAJOR_TEXT) {
    struct hf_bytes content = take_content(in, head.value, at);
    if (head.major == MAJOR_TEXT) {
      check_text(in, content, at);
    }
  } else if (head.major == MAJOR_ARRAY || head.major == MAJOR_MAP) {
    uint64_t each = head.major == MAJOR_MAP ? 2 : 1;
    if (!in->cur.failed && head.value > in->cur.rest.len / each) {
      fail_at(in, HF_RULE_CBOR_END, at);
    }
    head.value = in->cur.failed ? 0 : head.value * each;
  }
  return head;
}

/* A key of a skipped map: an integer or a string, above the key before it by its encoded bytes (section 4.2.1). */
static void skip_key(struct hf_cbor *in, struct level *level)
{
  struct hf_bytes before = in->cur.rest;
  size_t at = in->cur.pos;
  enum hf_cbor_type type = hf_cbor_type(in);
  if (type == HF_CBOR_ARRAY || type == HF_CBOR_MAP || type == HF_CBOR_SIMPLE) {
    fail_at(in, HF_RULE_CBOR_TYPE, at);
    return;
  }
  (void)skip_shallow(in);
  struct hf_bytes key = {before.at, before.len - in->cur.rest.len};
  if (!in->cur.failed && level->key.at != NULL && hf_bytes_order(level->key, key) >= 0) {
    fail_at(in, HF_RULE_CBOR_ORDER, at);
  }
  level->key = key;
}

void hf_cbor_skip(struct hf_cbor *in)
{
  struct level levels[HF_CBOR_DEPTH_MAX];
  size_t depth = 0;
  /* Every turn consumes a byte, closes a level or fails, so the loop is bounded by the input. */
  do {
    if (depth > 0 && levels[depth - 1].map && levels[depth - 1].left % 2 == 0) {
      skip_key(in, &levels[depth - 1]);
      levels[depth - 1].left--;
    }
    size_t at = in->cur.pos;
    struct head head = skip_shallow(in);
    if (depth > 0) {
      levels[depth - 1].left--;
    }
    if ((head.major == MAJOR_ARRAY || head.major == MAJOR_MAP) && head.value > 0) {
      if (depth == HF_CBOR_DEPTH_MAX) {
        fail_at(in, HF_RULE_CBOR_DEPTH, at);
        return;
      }
      levels[depth++] = (struct level){.left = head.value, .map = head.major == MAJOR_MAP};
    }
    while (depth > 0 && levels[depth - 1].left == 0) {
      depth--;
    }
  } while (depth > 0 && !in->cur.failed);
}

bool hf_cbor_done(struct hf_cbor *in)
{
  if (!in->cur.failed && in->cur.rest.len > 0) {
    fail_at(in, HF_RULE_CBOR_LEFTOVER, in->cur.pos);
  }
  return !in->cur.failed;
}

static void put_head(struct hf_buf *out, uint8_t major, uint64_t value)
{
  uint8_t top = (uint8_t)(major << 5);
  if (value < 24) {
    hf_buf_put_u8(out, (uint8_t)(top | value));
  } else if (value <= UINT8_MAX) {
    hf_buf_put_u8(out, top | 24);
    hf_buf_put_u8(out, (uint8_t)value);
  } else if (value <= UINT16_MAX) {
    hf_buf_put_u8(out, top | 25);
    hf_buf_put_be16(out, (uint16_t)value);
  } else if (value <= UINT32_MAX) {
    hf_buf_put_u8(out, top | 26);
    hf_buf_put_be32(out, (uint32_t)value);
  } else {
    hf_buf_put_u8(out, top | 27);
    hf_buf_put_be64(out, value);
  }
}

void hf_cbor_put_uint(struct hf_buf *out, uint64_t value) { put_head(out, MAJOR_UINT, value); }

void hf_cbor_put_int(struct hf_buf *out, int64_t value)
{
  if (value < 0) {
    put_head(out, MAJOR_NINT, (uint64_t)(-1 - value));
  } else {
    put_head(out, MAJOR_UINT, (uint64_t)value);
  }
}

void hf_cbor_put_bool(struct hf_buf *out, bool value)
{
  put_head(out, MAJOR_SIMPLE, value ? SIMPLE_TRUE : SIMPLE_FALSE);
}
void hf_cbor_put_null(struct hf_buf *out) { put_head(out, MAJOR_SIMPLE, SIMPLE_NULL); }

void hf_cbor_put_bytes(struct hf_buf *out, struct hf_bytes bytes)
{
  put_head(out, MAJOR_BYTES, bytes.len);
  hf_buf_put(out, bytes);
}

void hf_cbor_put_text(struct hf_buf *out, struct hf_bytes text)
{
  put_head(out, MAJOR_TEXT, text.len);
  hf_buf_put(out, text);
}

void hf_cbor_put_array(struct hf_buf *out, size_t count) { put_head(out, MAJOR_ARRAY, count); }
void hf_cbor_put_map(struct hf_buf *out, size_t count) { put_head(out, MAJOR_MAP, count); }
