/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/crypto/keyuri.h"

#include <string.h>

#define SCHEME "pkcs11:"
#define SCHEME_LEN (sizeof SCHEME - 1)

enum kind { TEXT, ID, SLOT, TYPE, PATH, SOURCE };

/* Every attribute understood. */
static const struct attribute {
  const char *name;
  enum kind kind;
  bool query;
  size_t at;
  size_t cap; /* with the NUL */
} attributes[] = {
#define FIELD(member) offsetof(struct hf_keyuri, member), sizeof((struct hf_keyuri *)NULL)->member
    {"token", TEXT, false, FIELD(token)},
    {"manufacturer", TEXT, false, FIELD(manufacturer)},
    {"model", TEXT, false, FIELD(model)},
    {"serial", TEXT, false, FIELD(serial)},
    {"object", TEXT, false, FIELD(object)},
    {"id", ID, false, FIELD(id)},
    {"slot-id", SLOT, false, FIELD(slot)},
    {"type", TYPE, false, 0, 0},
    {"module-path", PATH, true, FIELD(module_path)},
    {"pin-source", SOURCE, true, FIELD(pin_source)},
    {"pin-value", TEXT, true, FIELD(pin_value)},
#undef FIELD
};
#define ATTRIBUTES (sizeof attributes / sizeof attributes[0])

struct reading {
  struct hf_keyuri *uri;
  struct hf_bytes text;
  size_t at;
  uint32_t seen; /* bit i: attribute i was there */
};

bool hf_keyuri_check(struct hf_bytes text)
{
  return text.len >= SCHEME_LEN && memcmp(text.at, SCHEME, SCHEME_LEN) == 0;
}

static int digit_of(uint8_t c)
{
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Characters of a value that stand for themselves (RFC 7512 section 2.3, pk11-path-res-avail, pk11-query-res-avail). */
static bool plain(uint8_t c, bool query)
{
  static const char both[] = "-._~:[]@!$'()*+,=";
  bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  return alnum || (c != 0 && strchr(both, c) != NULL) || (query ? c == '/' || c == '?' || c == '|' : c == '&');
}

static bool decode(struct hf_buf *out, struct hf_bytes value, bool query)
{
  for (size_t i = 0; i < value.len; i++) {
    uint8_t c = value.at[i];
    if (c == '%') {
      int high = i + 2 < value.len ? digit_of(value.at[i + 1]) : -1;
      int low = i + 2 < value.len ? digit_of(value.at[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return false;
      }
      c = (uint8_t)(high << 4 | low);
      i += 2;
    } else if (!plain(c, query)) {
      return false;
    }
    hf_buf_put_u8(out, c);
  }
  return !out->failed;
}

/* A file, absolute: `/path`, `file:/path` or `file:///path`. Commands (`|program`) are refused. */
static bool take_path(char *out, size_t cap, struct hf_bytes value, bool source)
{
  if (source && value.len > 5 && memcmp(value.at, "file:", 5) == 0) {
    value = hf_bytes_init(value.at + 5, value.len - 5);
    if (value.len > 2 && memcmp(value.at, "//", 2) == 0) {
      value = hf_bytes_init(value.at + 2, value.len - 2);
    }
  }
  if (value.len < 2 || value.len >= cap || value.at[0] != '/') {
    return false;
  }
  memcpy(out, value.at, value.len);
  out[value.len] = '\0';
  return true;
}

static bool take_slot(uint64_t *slot, struct hf_bytes value)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < value.len; i++) {
    if (value.at[i] < '0' || value.at[i] > '9') {
      return false;
    }
    sum = sum * 10 + (uint64_t)(value.at[i] - '0');
  }
  *slot = sum;
  return value.len > 0 && value.len <= 10;
}

static bool take_value(struct hf_keyuri *uri, const struct attribute *attribute, struct hf_bytes raw)
{
  uint8_t room[HF_KEYURI_PATH_MAX + 8];
  struct hf_buf value = hf_buf_init(room, sizeof room);
  bool good = decode(&value, raw, attribute->query) && value.len > 0;
  bool nul = good && memchr(room, 0, value.len) != NULL;
  struct hf_bytes bytes = hf_buf_bytes(&value);
  char *field = (char *)uri + attribute->at;
  switch (attribute->kind) {
    case TEXT:
      good = good && !nul && value.len < attribute->cap;
      if (good) {
        memcpy(field, room, value.len);
      }
      break;
    case ID:
      good = good && value.len <= attribute->cap;
      if (good) {
        memcpy(uri->id, room, value.len);
        uri->id_len = value.len;
      }
      break;
    case SLOT: good = good && take_slot(&uri->slot, bytes); break;
    case TYPE: good = good && hf_bytes_is(bytes, "private"); break;
    default: good = good && !nul && take_path(field, attribute->cap, bytes, attribute->kind == SOURCE); break;
  }
  hf_secret_wipe(room, sizeof room);
  return good;
}

/* One `name=value`. */
static bool take_attribute(struct reading *in, bool query, size_t end)
{
  size_t equals = in->at;
  while (equals < end && in->text.at[equals] != '=') {
    equals++;
  }
  if (equals == end || equals == in->at) {
    return false;
  }
  struct hf_bytes name = hf_bytes_init(in->text.at + in->at, equals - in->at);
  struct hf_bytes value = {in->text.at + equals + 1, end - equals - 1};
  for (size_t i = 0; i < ATTRIBUTES; i++) {
    if (attributes[i].query == query && hf_bytes_is(name, attributes[i].name)) {
      bool again = (in->seen >> i & 1) != 0;
      in->seen |= 1u << i;
      return !again && take_value(in->uri, &attributes[i], value);
    }
  }
  return query;
}

static bool take_part(struct reading *in, bool query, size_t end)
{
  uint8_t between = query ? '&' : ';';
  while (in->at < end) {
    size_t stop = in->at;
    while (stop < end && in->text.at[stop] != between) {
      stop++;
    }
    if (!take_attribute(in, query, stop)) {
      return false;
    }
    in->at = stop + 1;
    if (in->at == end) {
      return false; /* a separator with nothing behind it */
    }
  }
  return true;
}

enum hf_err hf_keyuri_parse(struct hf_keyuri *uri, struct hf_bytes text, struct hf_why *why)
{
  memset(uri, 0, sizeof *uri);
  uri->slot = HF_KEYURI_NO_SLOT;
  while (text.len > 0 && (text.at[text.len - 1] == '\n' || text.at[text.len - 1] == '\r' ||
                          text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t')) {
    text.len--;
  }
  struct reading in = {.uri = uri, .text = text, .at = SCHEME_LEN};
  size_t path = SCHEME_LEN;
  while (path < text.len && text.at[path] != '?') {
    path++;
  }
  bool good = hf_keyuri_check(text) && text.len <= HF_KEYURI_MAX && take_part(&in, false, path);
  if (good && path < text.len) {
    in.at = path + 1;
    good = in.at < text.len && take_part(&in, true, text.len);
  }
  bool two_pins = good && uri->pin_source[0] != '\0' && uri->pin_value[0] != '\0';
  if (!good || two_pins) {
    hf_secret_wipe(uri, sizeof *uri);
    hf_why_put(why, HF_RULE_KEY_URI, (uint32_t)in.at);
    return HF_E_INPUT;
  }
  return HF_OK;
}

/* ---- writing ---- */

static void put_encoded(struct hf_buf *out, struct hf_bytes value, bool all, bool query)
{
  static const char digits[] = "0123456789ABCDEF";
  const char *safe = query ? "-._~/" : "-._~"; /* a slash does not stand for itself in the path part */
  for (size_t i = 0; i < value.len; i++) {
    uint8_t c = value.at[i];
    bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    if (!all && (alnum || (c != 0 && strchr(safe, c) != NULL))) {
      hf_buf_put_u8(out, c);
    } else {
      hf_buf_put_u8(out, '%');
      hf_buf_put_u8(out, (uint8_t)digits[c >> 4]);
      hf_buf_put_u8(out, (uint8_t)digits[c & 15]);
    }
  }
}

static struct hf_bytes field_of(const struct hf_keyuri *uri, const struct attribute *attribute)
{
  const char *field = (const char *)uri + attribute->at;
  switch (attribute->kind) {
    case ID: return hf_bytes_init(uri->id, uri->id_len);
    case SLOT:
    case TYPE: return (struct hf_bytes){NULL, 0};
    default: return hf_bytes_text(field);
  }
}

void hf_keyuri_put(struct hf_buf *out, const struct hf_keyuri *uri, bool secret)
{
  bool started[2] = {false, false};
  hf_buf_put_text(out, SCHEME);
  for (size_t i = 0; i < ATTRIBUTES; i++) {
    const struct attribute *attribute = &attributes[i];
    struct hf_bytes value = field_of(uri, attribute);
    bool slot = attribute->kind == SLOT && uri->slot != HF_KEYURI_NO_SLOT;
    bool hidden = !secret && strcmp(attribute->name, "pin-value") == 0;
    if ((value.len == 0 && !slot) || hidden) {
      continue;
    }
    if (attribute->query) {
      hf_buf_put_text(out, started[1] ? "&" : "?");
    } else if (started[0]) {
      hf_buf_put_text(out, ";");
    }
    started[attribute->query] = true;
    hf_buf_put_text(out, attribute->name);
    hf_buf_put_text(out, attribute->kind == SOURCE ? "=file://" : "=");
    if (slot) {
      hf_buf_put_uint(out, uri->slot);
    } else {
      put_encoded(out, value, attribute->kind == ID, attribute->query);
    }
  }
}
