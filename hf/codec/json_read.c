/* SPDX-License-Identifier: Apache-2.0
 * Reading inside a checked text. Everything here stays within the view it was given, whatever the bytes are.
 */
#include <string.h>

#include "hf/base/assert.h"
#include "hf/codec/json.h"
#include "hf/codec/json_scan.h"

static int hex_digit(uint8_t c)
{
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four hex digits of `\uXXXX` at the start of `rest`, stepping over all six characters; -1 when it is none. */
static int32_t take_unit(struct hf_bytes *rest)
{
  if (rest->len < 6 || rest->at[0] != '\\' || rest->at[1] != 'u') {
    return -1;
  }
  int32_t unit = 0;
  for (size_t i = 2; i < 6; i++) {
    int digit = hex_digit(rest->at[i]);
    if (digit < 0) {
      return -1;
    }
    unit = unit << 4 | digit;
  }
  rest->at += 6;
  rest->len -= 6;
  return unit;
}

static size_t put_utf8(uint8_t out[4], uint32_t c)
{
  if (c < 0x80) {
    out[0] = (uint8_t)c;
    return 1;
  }
  size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const uint8_t lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = len - 1; i > 0; i--) {
    out[i] = (uint8_t)(0x80 | (c & 0x3f));
    c >>= 6;
  }
  out[0] = (uint8_t)(lead[len] | c);
  return len;
}

size_t hf_json_escape_parse(uint8_t out[4], struct hf_bytes *rest, enum hf_rule *rule)
{
  static const char names[] = "\"\\/bfnrt";
  static const char values[] = "\"\\/\b\f\n\r\t";
  *rule = rest->len < 2 ? HF_RULE_JSON_END : HF_RULE_JSON_ESCAPE;
  if (rest->len < 2) {
    return 0;
  }
  const char *name = rest->at[1] == 0 ? NULL : strchr(names, rest->at[1]);
  if (name != NULL) {
    out[0] = (uint8_t)values[name - names];
    rest->at += 2;
    rest->len -= 2;
    return 1;
  }
  int32_t unit = take_unit(rest);
  if (unit < 0) {
    return 0;
  }
  if (unit < 0xd800 || unit > 0xdfff) {
    return put_utf8(out, (uint32_t)unit);
  }
  int32_t low = unit < 0xdc00 ? take_unit(rest) : -1;
  if (low < 0xdc00 || low > 0xdfff) {
    *rule = HF_RULE_JSON_SURROGATE;
    return 0;
  }
  return put_utf8(out, 0x10000 + (((uint32_t)unit & 0x3ff) << 10) + ((uint32_t)low & 0x3ff));
}

/* The decoded bytes of a text value, one by one. */
struct decoder {
  struct hf_bytes rest;
  uint8_t pending[4];
  size_t have;
  size_t used;
};

static bool is_text(struct hf_json value) { return value.text.len >= 2 && value.text.at[0] == '"'; }

static struct hf_bytes inside(struct hf_json value)
{
  HF_ASSERT(is_text(value));
  return (struct hf_bytes){value.text.at + 1, value.text.len - 2};
}

/* The next decoded byte, -1 at the end. */
static int decoder_next(struct decoder *dec)
{
  if (dec->used < dec->have) {
    return dec->pending[dec->used++];
  }
  if (dec->rest.len == 0) {
    return -1;
  }
  if (dec->rest.at[0] == '\\') {
    enum hf_rule rule;
    dec->have = hf_json_escape_parse(dec->pending, &dec->rest, &rule);
    dec->used = 1;
    return dec->have == 0 ? -1 : dec->pending[0];
  }
  dec->rest.len--;
  return *dec->rest.at++;
}

static bool has_escape(struct hf_bytes raw) { return raw.len > 0 && memchr(raw.at, '\\', raw.len) != NULL; }

int hf_json_text_order(struct hf_json a, struct hf_json b)
{
  struct decoder x = {.rest = inside(a)};
  struct decoder y = {.rest = inside(b)};
  if (!has_escape(x.rest) && !has_escape(y.rest)) {
    return hf_bytes_order(x.rest, y.rest);
  }
  for (;;) { /* ends with the shorter text at the latest */
    int c = decoder_next(&x);
    int d = decoder_next(&y);
    if (c != d) {
      return c < d ? -1 : 1;
    }
    if (c < 0) {
      return 0;
    }
  }
}

/* Length of the text at the start of `rest`, quotes included. */
static size_t text_len(struct hf_bytes rest)
{
  size_t pos = 1;
  while (pos < rest.len && rest.at[pos] != '"') {
    pos += rest.at[pos] == '\\' ? 2 : 1;
  }
  return pos < rest.len ? pos + 1 : rest.len;
}

static size_t container_len(struct hf_bytes rest)
{
  size_t pos = 0;
  size_t depth = 0;
  while (pos < rest.len) {
    uint8_t c = rest.at[pos];
    if (c == '"') {
      pos += text_len((struct hf_bytes){rest.at + pos, rest.len - pos});
      continue;
    }
    pos++;
    depth += c == '{' || c == '[';
    if ((c == '}' || c == ']') && --depth == 0) {
      break;
    }
  }
  return pos;
}

static size_t scalar_len(struct hf_bytes rest)
{
  size_t pos = 0;
  while (pos < rest.len && rest.at[pos] != ',' && rest.at[pos] != ':' && rest.at[pos] != ']' && rest.at[pos] != '}' &&
         !hf_json_is_space(rest.at[pos])) {
    pos++;
  }
  return pos;
}

static void step(struct hf_bytes *rest, size_t len)
{
  rest->at += len;
  rest->len -= len;
}

struct hf_json hf_json_take(struct hf_bytes *rest)
{
  struct hf_json value = {.text = {rest->at, 0}};
  if (rest->len > 0) {
    uint8_t c = rest->at[0];
    value.text.len = c == '"' ? text_len(*rest) : c == '{' || c == '[' ? container_len(*rest) : scalar_len(*rest);
    step(rest, value.text.len);
  }
  return value;
}

enum hf_json_type hf_json_type(struct hf_json value)
{
  switch (value.text.len == 0 ? 0 : value.text.at[0]) {
    case '{': return HF_JSON_OBJECT;
    case '[': return HF_JSON_ARRAY;
    case '"': return HF_JSON_TEXT;
    case 't':
    case 'f': return HF_JSON_BOOL;
    case 0:
    case 'n': return HF_JSON_NULL;
    default: return HF_JSON_INT;
  }
}

struct hf_json_walk hf_json_walk_init(struct hf_json value)
{
  enum hf_json_type type = hf_json_type(value);
  struct hf_json_walk walk = {.rest = {value.text.at, 0}, .object = type == HF_JSON_OBJECT};
  if ((type == HF_JSON_ARRAY || type == HF_JSON_OBJECT) && value.text.len >= 2) {
    walk.rest = (struct hf_bytes){value.text.at + 1, value.text.len - 2};
  }
  return walk;
}

static void skip_between(struct hf_bytes *rest)
{
  while (rest->len > 0 && (hf_json_is_space(rest->at[0]) || rest->at[0] == ',' || rest->at[0] == ':')) {
    step(rest, 1);
  }
}

/* The next value; the separators were checked, so they are only stepped over. */
static bool walk_value(struct hf_json_walk *walk, struct hf_json *value)
{
  skip_between(&walk->rest);
  *value = hf_json_take(&walk->rest);
  return value->text.len > 0;
}

bool hf_json_walk_next(struct hf_json_walk *walk, struct hf_json *element)
{
  return !walk->object && walk_value(walk, element);
}

bool hf_json_walk_member(struct hf_json_walk *walk, struct hf_json *name, struct hf_json *value)
{
  return walk->object && walk_value(walk, name) && walk_value(walk, value);
}

size_t hf_json_count(struct hf_json value)
{
  struct hf_json_walk walk = hf_json_walk_init(value);
  struct hf_json any;
  size_t values = 0;
  while (walk_value(&walk, &any)) {
    values++;
  }
  return walk.object ? values / 2 : values;
}

bool hf_json_is_bytes(struct hf_json value, struct hf_bytes text)
{
  if (!is_text(value)) {
    return false;
  }
  struct decoder dec = {.rest = inside(value)};
  if (!has_escape(dec.rest)) {
    return hf_bytes_equal(dec.rest, text);
  }
  for (size_t i = 0; i < text.len; i++) {
    if (decoder_next(&dec) != text.at[i]) {
      return false;
    }
  }
  return decoder_next(&dec) < 0;
}

bool hf_json_is(struct hf_json value, const char *text) { return hf_json_is_bytes(value, hf_bytes_text(text)); }

enum hf_err hf_json_get_bytes(struct hf_json *value, struct hf_json object, struct hf_bytes name)
{
  struct hf_json_walk walk = hf_json_walk_init(object);
  struct hf_json member;
  struct hf_json found;
  while (hf_json_walk_member(&walk, &member, &found)) {
    if (hf_json_is_bytes(member, name)) {
      *value = found;
      return HF_OK;
    }
  }
  return HF_E_NOT_FOUND;
}

enum hf_err hf_json_get(struct hf_json *value, struct hf_json object, const char *name)
{
  return hf_json_get_bytes(value, object, hf_bytes_text(name));
}

enum hf_err hf_json_get_int(int64_t *number, struct hf_json value)
{
  if (hf_json_type(value) != HF_JSON_INT) {
    return HF_E_INPUT;
  }
  bool negative = value.text.at[0] == '-';
  uint64_t most = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
  uint64_t sum = 0;
  for (size_t i = negative; i < value.text.len; i++) {
    uint64_t digit = (uint64_t)value.text.at[i] - '0';
    if (digit > 9 || sum > (most - digit) / 10) {
      return HF_E_INPUT;
    }
    sum = sum * 10 + digit;
  }
  *number = negative ? (int64_t)(0 - sum) : (int64_t)sum;
  return HF_OK;
}

enum hf_err hf_json_get_bool(bool *flag, struct hf_json value)
{
  if (hf_json_type(value) != HF_JSON_BOOL) {
    return HF_E_INPUT;
  }
  *flag = value.text.at[0] == 't';
  return HF_OK;
}

enum hf_err hf_json_get_text(struct hf_buf *out, struct hf_json value)
{
  if (!is_text(value)) {
    return HF_E_INPUT;
  }
  struct decoder dec = {.rest = inside(value)};
  if (!has_escape(dec.rest)) {
    hf_buf_put(out, dec.rest);
    return out->failed ? HF_E_SPACE : HF_OK;
  }
  for (int c = decoder_next(&dec); c >= 0; c = decoder_next(&dec)) {
    hf_buf_put_u8(out, (uint8_t)c);
  }
  return out->failed ? HF_E_SPACE : HF_OK;
}

bool hf_json_is_hex(struct hf_json value, struct hf_bytes bytes)
{
  static const char digits[] = "0123456789abcdef";
  if (!is_text(value)) {
    return false;
  }
  struct decoder dec = {.rest = inside(value)};
  for (size_t i = 0; i < bytes.len; i++) {
    if (decoder_next(&dec) != digits[bytes.at[i] >> 4] || decoder_next(&dec) != digits[bytes.at[i] & 15]) {
      return false;
    }
  }
  return decoder_next(&dec) < 0;
}

enum hf_err hf_json_get_hex(uint8_t *out, size_t len, struct hf_json value)
{
  if (!is_text(value)) {
    return HF_E_INPUT;
  }
  struct decoder dec = {.rest = inside(value)};
  for (size_t i = 0; i < len; i++) {
    int high = decoder_next(&dec);
    int low = decoder_next(&dec);
    int h = high < 0 ? -1 : hex_digit((uint8_t)high);
    int l = low < 0 ? -1 : hex_digit((uint8_t)low);
    if (h < 0 || l < 0) {
      return HF_E_INPUT;
    }
    out[i] = (uint8_t)(h << 4 | l);
  }
  return decoder_next(&dec) < 0 ? HF_OK : HF_E_INPUT;
}

uint32_t hf_json_at(struct hf_bytes text, struct hf_json value)
{
  bool within = value.text.at != NULL && value.text.at >= text.at && value.text.at <= text.at + text.len;
  return within ? (uint32_t)(value.text.at - text.at) : 0;
}
