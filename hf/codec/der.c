/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/codec/der.h"

#include <string.h>

#define DER_INTEGER 0x02
#define DER_SEQUENCE 0x30
#define DER_LEN_MAX 65535

/* A definite length in its shortest form (X.690 section 10.1), at most DER_LEN_MAX. */
static size_t take_len(struct hf_cursor *cur)
{
  uint8_t first = hf_cursor_u8(cur);
  if (first < 0x80) {
    return first;
  }
  size_t len = first == 0x81 ? hf_cursor_u8(cur) : first == 0x82 ? hf_cursor_be16(cur) : 0;
  size_t least = first == 0x81 ? 0x80 : 0x100;
  if (len < least) {
    cur->failed = true;
  }
  return len;
}

struct hf_bytes hf_der_take(struct hf_cursor *cur, uint8_t tag)
{
  if (hf_cursor_u8(cur) != tag) {
    cur->failed = true;
  }
  size_t len = take_len(cur);
  return hf_cursor_take(cur, len);
}

void hf_der_put(struct hf_buf *out, uint8_t tag, struct hf_bytes content)
{
  if (content.len > DER_LEN_MAX) {
    out->failed = true;
    return;
  }
  hf_buf_put_u8(out, tag);
  if (content.len >= 0x100) {
    hf_buf_put_u8(out, 0x82);
    hf_buf_put_be16(out, (uint16_t)content.len);
  } else {
    if (content.len >= 0x80) {
      hf_buf_put_u8(out, 0x81);
    }
    hf_buf_put_u8(out, (uint8_t)content.len);
  }
  hf_buf_put(out, content);
}

/* A positive INTEGER in its shortest form, right-aligned into `len` bytes. */
static bool take_positive(struct hf_cursor *cur, uint8_t *out, size_t len)
{
  struct hf_bytes value = hf_der_take(cur, DER_INTEGER);
  if (cur->failed || value.len == 0 || value.at[0] >= 0x80) {
    return false;
  }
  if (value.at[0] == 0) {
    value.at++;
    value.len--;
    if (value.len == 0 || value.at[0] < 0x80) {
      return false; /* the number 0, or a zero byte too many (X.690 section 8.3.2) */
    }
  }
  if (value.len > len) {
    return false;
  }
  memset(out, 0, len - value.len);
  memcpy(out + (len - value.len), value.at, value.len);
  return true;
}

enum hf_err hf_der_get_ecdsa(uint8_t *r, uint8_t *s, size_t len, struct hf_bytes der)
{
  struct hf_cursor outer = hf_cursor_init(der);
  struct hf_cursor inner = hf_cursor_init(hf_der_take(&outer, DER_SEQUENCE));
  if (!hf_cursor_done(&outer)) {
    return HF_E_INPUT;
  }
  if (!take_positive(&inner, r, len) || !take_positive(&inner, s, len)) {
    return HF_E_INPUT;
  }
  return hf_cursor_done(&inner) ? HF_OK : HF_E_INPUT;
}
