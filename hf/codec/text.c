/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/codec/text.h"

void hf_hex_put(struct hf_buf *out, struct hf_bytes bytes)
{
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < bytes.len; i++) {
    hf_buf_put_u8(out, (uint8_t)digits[bytes.at[i] >> 4]);
    hf_buf_put_u8(out, (uint8_t)digits[bytes.at[i] & 15]);
  }
}

/* 0..15, or -1. */
static int hex_value(uint8_t c)
{
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum hf_err hf_hex_parse(uint8_t *out, size_t len, struct hf_bytes text)
{
  if (text.len % 2 != 0 || text.len / 2 != len) {
    return HF_E_INPUT;
  }
  for (size_t i = 0; i < len; i++) {
    int high = hex_value(text.at[2 * i]);
    int low = hex_value(text.at[2 * i + 1]);
    if (high < 0 || low < 0) {
      return HF_E_INPUT;
    }
    out[i] = (uint8_t)(high << 4 | low);
  }
  return HF_OK;
}

void hf_base64_put(struct hf_buf *out, struct hf_bytes bytes)
{
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < bytes.len; i += 3) {
    size_t have = bytes.len - i < 3 ? bytes.len - i : 3;
    uint32_t group = (uint32_t)bytes.at[i] << 16;
    group |= have > 1 ? (uint32_t)bytes.at[i + 1] << 8 : 0;
    group |= have > 2 ? (uint32_t)bytes.at[i + 2] : 0;
    hf_buf_put_u8(out, (uint8_t)alphabet[group >> 18]);
    hf_buf_put_u8(out, (uint8_t)alphabet[group >> 12 & 63]);
    hf_buf_put_u8(out, have > 1 ? (uint8_t)alphabet[group >> 6 & 63] : '=');
    hf_buf_put_u8(out, have > 2 ? (uint8_t)alphabet[group & 63] : '=');
  }
}

/* 0..63, or -1. */
static int base64_value(uint8_t c)
{
  if (c >= 'A' && c <= 'Z') {
    return c - 'A';
  }
  if (c >= 'a' && c <= 'z') {
    return c - 'a' + 26;
  }
  if (c >= '0' && c <= '9') {
    return c - '0' + 52;
  }
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

struct base64_state {
  uint32_t group; /* the 6-bit values so far */
  unsigned count; /* characters of the group so far, '=' included */
  unsigned pads;  /* '=' seen; after the first nothing but '=' may come */
};

/* Take one character that is not blank; emits at the end of a group. */
static enum hf_err base64_take(struct base64_state *state, struct hf_buf *out, uint8_t c)
{
  bool pad = c == '=';
  int value = pad ? 0 : base64_value(c);
  if (value < 0 || (state->pads > 0 && (!pad || state->count == 0)) || (pad && state->count < 2)) {
    return HF_E_INPUT;
  }
  state->pads += pad;
  state->group = state->group << 6 | (uint32_t)value;
  if (++state->count < 4) {
    return HF_OK;
  }
  size_t keep = 3 - state->pads;
  uint8_t bytes[3] = {(uint8_t)(state->group >> 16), (uint8_t)(state->group >> 8), (uint8_t)state->group};
  for (size_t i = keep; i < 3; i++) {
    if (bytes[i] != 0) {
      return HF_E_INPUT; /* bits below the last byte: a second spelling of the same bytes */
    }
  }
  hf_buf_put(out, hf_bytes_init(bytes, keep));
  state->group = 0;
  state->count = 0;
  return out->failed ? HF_E_SPACE : HF_OK;
}

enum hf_err hf_base64_parse(struct hf_buf *out, struct hf_bytes text)
{
  struct base64_state state = {0};
  size_t before = out->len;
  enum hf_err err = HF_OK;
  for (size_t i = 0; i < text.len && err == HF_OK; i++) {
    uint8_t c = text.at[i];
    if (c != '\r' && c != '\n' && c != ' ' && c != '\t') {
      err = base64_take(&state, out, c);
    }
  }
  if (err == HF_OK && state.count != 0) {
    err = HF_E_INPUT;
  }
  if (err != HF_OK) {
    out->len = before;
  }
  return err;
}

/* Length of the well-formed character at the start of `rest` (RFC 3629 section 4), 0 when there is none. */
static size_t utf8_char(struct hf_bytes rest)
{
  uint8_t lead = rest.at[0];
  if (lead < 0x80) {
    return 1;
  }
  size_t len = lead >= 0xc2 && lead <= 0xdf ? 2 : (lead & 0xf0) == 0xe0 ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
  if (len == 0 || rest.len < len) {
    return 0;
  }
  /* The second byte carries the bounds: no overlong forms, no surrogates, nothing above U+10FFFF. */
  uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (rest.at[1] < low || rest.at[1] > high) {
    return 0;
  }
  for (size_t i = 2; i < len; i++) {
    if ((rest.at[i] & 0xc0) != 0x80) {
      return 0;
    }
  }
  return len;
}

size_t hf_utf8_prefix(struct hf_bytes text)
{
  size_t pos = 0;
  while (pos < text.len) {
    size_t len = utf8_char((struct hf_bytes){text.at + pos, text.len - pos});
    if (len == 0) {
      break;
    }
    pos += len;
  }
  return pos;
}

bool hf_utf8_check(struct hf_bytes text) { return hf_utf8_prefix(text) == text.len; }

bool hf_utf8_plain(struct hf_bytes text)
{
  if (!hf_utf8_check(text)) {
    return false;
  }
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.at[i];
    bool c1 = c == 0xc2 && text.at[i + 1] < 0xa0; /* U+0080..U+009F; the check above saw the second byte */
    if (c < 0x20 || c == 0x7f || c1) {
      return false;
    }
  }
  return true;
}
