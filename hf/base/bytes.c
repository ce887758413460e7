/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/base/bytes.h"

#include <string.h>

#include "hf/base/assert.h"

struct hf_bytes hf_bytes_text(const char *text)
{
  return (struct hf_bytes){(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
}

struct hf_bytes hf_bytes_init(const void *at, size_t len)
{
  return (struct hf_bytes){at, len};
}

bool hf_bytes_equal(struct hf_bytes a, struct hf_bytes b)
{
  return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool hf_bytes_is(struct hf_bytes a, const char *text)
{
  return hf_bytes_equal(a, hf_bytes_text(text));
}

int hf_bytes_order(struct hf_bytes a, struct hf_bytes b)
{
  size_t common = a.len < b.len ? a.len : b.len;
  int order = common == 0 ? 0 : memcmp(a.at, b.at, common);
  if (order != 0) {
    return order < 0 ? -1 : 1;
  }
  return (a.len > b.len) - (a.len < b.len);
}

bool hf_secret_equal(const void *a, const void *b, size_t len)
{
  const uint8_t *x = a;
  const uint8_t *y = b;
  uint8_t differ = 0;
  for (size_t i = 0; i < len; i++) {
    differ = (uint8_t)(differ | (x[i] ^ y[i]));
  }
  return differ == 0;
}

void hf_secret_wipe(void *at, size_t len)
{
  volatile uint8_t *p = at;
  while (len-- > 0) {
    *p++ = 0;
  }
}

struct hf_buf hf_buf_init(void *at, size_t cap)
{
  return (struct hf_buf){.at = at, .cap = cap};
}

struct hf_bytes hf_buf_bytes(const struct hf_buf *buf)
{
  return (struct hf_bytes){buf->at, buf->len};
}

void hf_buf_put(struct hf_buf *buf, struct hf_bytes bytes)
{
  HF_ASSERT(buf->len <= buf->cap);
  if (buf->failed || bytes.len > buf->cap - buf->len) {
    buf->failed = true;
    return;
  }
  if (bytes.len > 0) {
    memmove(buf->at + buf->len, bytes.at, bytes.len);
    buf->len += bytes.len;
  }
}

void hf_buf_put_text(struct hf_buf *buf, const char *text)
{
  hf_buf_put(buf, hf_bytes_text(text));
}

void hf_buf_put_u8(struct hf_buf *buf, uint8_t value)
{
  hf_buf_put(buf, hf_bytes_init(&value, 1));
}

static void put_be(struct hf_buf *buf, uint64_t value, size_t len)
{
  uint8_t out[8];
  for (size_t i = 0; i < len; i++) {
    out[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
  }
  hf_buf_put(buf, hf_bytes_init(out, len));
}

static void put_le(struct hf_buf *buf, uint32_t value, size_t len)
{
  uint8_t out[4];
  for (size_t i = 0; i < len; i++) {
    out[i] = (uint8_t)(value >> (8 * i));
  }
  hf_buf_put(buf, hf_bytes_init(out, len));
}

void hf_buf_put_be16(struct hf_buf *buf, uint16_t value) { put_be(buf, value, 2); }
void hf_buf_put_be32(struct hf_buf *buf, uint32_t value) { put_be(buf, value, 4); }
void hf_buf_put_be64(struct hf_buf *buf, uint64_t value) { put_be(buf, value, 8); }
void hf_buf_put_le16(struct hf_buf *buf, uint16_t value) { put_le(buf, value, 2); }
void hf_buf_put_le32(struct hf_buf *buf, uint32_t value) { put_le(buf, value, 4); }

void hf_buf_put_uint(struct hf_buf *buf, uint64_t value)
{
  uint8_t digits[20]; /* UINT64_MAX has 20 */
  size_t first = sizeof digits;
  do {
    digits[--first] = (uint8_t)('0' + value % 10);
    value /= 10;
  } while (value > 0);
  hf_buf_put(buf, hf_bytes_init(digits + first, sizeof digits - first));
}

enum hf_err hf_buf_terminate(struct hf_buf *buf)
{
  if (buf->failed || buf->len >= buf->cap) {
    buf->failed = true;
    return HF_E_SPACE;
  }
  buf->at[buf->len] = 0;
  return HF_OK;
}

struct hf_cursor hf_cursor_init(struct hf_bytes bytes)
{
  return (struct hf_cursor){.rest = bytes};
}

struct hf_bytes hf_cursor_take(struct hf_cursor *cur, size_t len)
{
  if (cur->failed || len > cur->rest.len) {
    cur->failed = true;
    return (struct hf_bytes){NULL, 0};
  }
  struct hf_bytes taken = {cur->rest.at, len};
  if (len > 0) {
    cur->rest.at += len;
    cur->rest.len -= len;
    cur->pos += len;
  }
  return taken;
}

static uint64_t take_be(struct hf_cursor *cur, size_t len)
{
  struct hf_bytes raw = hf_cursor_take(cur, len);
  uint64_t value = 0;
  for (size_t i = 0; i < raw.len; i++) {
    value = value << 8 | raw.at[i];
  }
  return value;
}

static uint32_t take_le(struct hf_cursor *cur, size_t len)
{
  struct hf_bytes raw = hf_cursor_take(cur, len);
  uint32_t value = 0;
  for (size_t i = 0; i < raw.len; i++) {
    value |= (uint32_t)raw.at[i] << (8 * i);
  }
  return value;
}

uint8_t hf_cursor_u8(struct hf_cursor *cur) { return (uint8_t)take_be(cur, 1); }
uint16_t hf_cursor_be16(struct hf_cursor *cur) { return (uint16_t)take_be(cur, 2); }
uint32_t hf_cursor_be32(struct hf_cursor *cur) { return (uint32_t)take_be(cur, 4); }
uint64_t hf_cursor_be64(struct hf_cursor *cur) { return take_be(cur, 8); }
uint16_t hf_cursor_le16(struct hf_cursor *cur) { return (uint16_t)take_le(cur, 2); }
uint32_t hf_cursor_le32(struct hf_cursor *cur) { return take_le(cur, 4); }

bool hf_cursor_done(const struct hf_cursor *cur)
{
  return !cur->failed && cur->rest.len == 0;
}
