/* SPDX-License-Identifier: Apache-2.0
 * JSON on its way out: the canonical form of what was read, and a writer.
 */
#include <string.h>

#include "hf/base/assert.h"
#include "hf/base/time.h"
#include "hf/codec/json.h"
#include "hf/codec/json_scan.h"
#include "hf/codec/text.h"

/* An array or object whose canonical form is being written. Offsets into the value, to keep 24 of them small. */
struct frame {
  uint32_t first; /* offset of the first character inside the brackets */
  uint32_t end;   /* offset of the closing bracket */
  uint32_t next;  /* where the walk goes on; unused for unsorted objects */
  uint32_t last;  /* offset of the last name written, when `any` */
  bool object;
  bool sorted;
  bool any; /* something was written: a comma comes first */
};

struct canon {
  struct hf_json_sink sink;
  struct hf_bytes text;
  bool stopped;
  unsigned depth;
  struct frame frames[HF_JSON_DEPTH_MAX];
};

static void emit(struct canon *canon, struct hf_bytes bytes)
{
  if (!canon->stopped && bytes.len > 0) {
    canon->stopped = !canon->sink.put(canon->sink.ctx, bytes);
  }
}

/* Raw runs pass through whole; only escapes are looked at one by one. */
static void emit_text(struct canon *canon, struct hf_json value)
{
  struct hf_bytes rest = {value.text.at + 1, value.text.len - 2};
  emit(canon, HF_LIT("\""));
  while (rest.len > 0 && !canon->stopped) {
    const uint8_t *escape = memchr(rest.at, '\\', rest.len);
    size_t run = escape == NULL ? rest.len : (size_t)(escape - rest.at);
    emit(canon, (struct hf_bytes){rest.at, run});
    rest.at += run;
    rest.len -= run;
    if (rest.len == 0) {
      break;
    }
    uint8_t decoded[4];
    enum hf_rule rule;
    size_t len = hf_json_escape_parse(decoded, &rest, &rule);
    HF_ASSERT(len > 0); /* the text was checked */
    if (decoded[0] == '"' || decoded[0] == '\\') {
      emit(canon, HF_LIT("\\"));
    }
    emit(canon, (struct hf_bytes){decoded, len});
  }
  emit(canon, HF_LIT("\""));
}

static uint32_t offset(const struct canon *canon, struct hf_json value)
{
  return (uint32_t)(value.text.at - canon->text.at);
}

static struct hf_json value_at(const struct canon *canon, uint32_t at)
{
  struct hf_bytes rest = {canon->text.at + at, canon->text.len - at};
  return hf_json_take(&rest);
}

static struct hf_json_walk walk_from(const struct canon *canon, const struct frame *frame, uint32_t at)
{
  return (struct hf_json_walk){.rest = {canon->text.at + at, frame->end - at}, .object = frame->object};
}

static bool is_sorted(const struct canon *canon, const struct frame *frame)
{
  struct hf_json_walk walk = walk_from(canon, frame, frame->first);
  struct hf_json before = {.text = {NULL, 0}};
  struct hf_json name;
  struct hf_json value;
  while (hf_json_walk_member(&walk, &name, &value)) {
    if (before.text.at != NULL && hf_json_text_order(before, name) >= 0) {
      return false;
    }
    before = name;
  }
  return true;
}

static void push(struct canon *canon, struct hf_json value)
{
  HF_ASSERT(canon->depth < HF_JSON_DEPTH_MAX && value.text.len >= 2); /* the text was checked */
  struct frame *frame = &canon->frames[canon->depth++];
  uint32_t at = offset(canon, value);
  *frame = (struct frame){.first = at + 1, .next = at + 1, .end = at + (uint32_t)value.text.len - 1};
  frame->object = value.text.at[0] == '{';
  frame->sorted = !frame->object || is_sorted(canon, frame);
  emit(canon, (struct hf_bytes){value.text.at, 1});
}

/* The least member above the last one written. hf_json_parse has bounded what all these readings cost together. */
static bool next_unsorted(const struct canon *canon, const struct frame *frame, struct hf_json *name,
                          struct hf_json *value)
{
  struct hf_json_walk walk = walk_from(canon, frame, frame->first);
  struct hf_json last = value_at(canon, frame->last);
  struct hf_json n;
  struct hf_json v;
  bool found = false;
  while (hf_json_walk_member(&walk, &n, &v)) {
    bool above = !frame->any || hf_json_text_order(n, last) > 0;
    if (above && (!found || hf_json_text_order(n, *name) < 0)) {
      *name = n;
      *value = v;
      found = true;
    }
  }
  return found;
}

/* Write what stands before the next value of a frame, and give that value; false at the end of the frame. */
static bool frame_next(struct canon *canon, struct frame *frame, struct hf_json *value)
{
  struct hf_json name = {.text = {NULL, 0}};
  struct hf_json_walk walk = walk_from(canon, frame, frame->next);
  bool found = !frame->object  ? hf_json_walk_next(&walk, value)
               : frame->sorted ? hf_json_walk_member(&walk, &name, value)
                               : next_unsorted(canon, frame, &name, value);
  if (!found) {
    return false;
  }
  if (frame->any) {
    emit(canon, HF_LIT(","));
  }
  frame->any = true;
  frame->next = (uint32_t)(walk.rest.at - canon->text.at);
  if (frame->object) {
    frame->last = offset(canon, name);
    emit_text(canon, name);
    emit(canon, HF_LIT(":"));
  }
  return true;
}

enum hf_err hf_json_canonical(struct hf_json_sink sink, struct hf_json value)
{
  struct canon canon = {.sink = sink, .text = value.text};
  struct hf_json now = value;
  bool more = true;
  while (more && !canon.stopped) { /* each turn writes one value of the text or closes a frame */
    enum hf_json_type type = hf_json_type(now);
    if (type == HF_JSON_ARRAY || type == HF_JSON_OBJECT) {
      push(&canon, now);
    } else if (type == HF_JSON_TEXT) {
      emit_text(&canon, now);
    } else {
      emit(&canon, now.text); /* integers and literals were checked to have one spelling */
    }
    more = false;
    while (canon.depth > 0 && !canon.stopped && !more) {
      struct frame *frame = &canon.frames[canon.depth - 1];
      more = frame_next(&canon, frame, &now);
      if (!more) {
        emit(&canon, frame->object ? HF_LIT("}") : HF_LIT("]"));
        canon.depth--;
      }
    }
  }
  return canon.stopped ? HF_E_SPACE : HF_OK;
}

static void put_escaped(struct hf_buf *out, uint8_t c)
{
  static const char names[] = "\"\\bfnrt";
  static const char values[] = "\"\\\b\f\n\r\t";
  const char *value = c == 0 ? NULL : strchr(values, c);
  hf_buf_put_u8(out, '\\');
  if (value != NULL) {
    hf_buf_put_u8(out, (uint8_t)names[value - values]);
    return;
  }
  hf_buf_put_text(out, "u00");
  hf_hex_put(out, hf_bytes_init(&c, 1));
}

void hf_json_put_text(struct hf_buf *out, struct hf_bytes text)
{
  hf_buf_put_u8(out, '"');
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.at[i];
    if (c < 0x20 || c == '"' || c == '\\') {
      put_escaped(out, c);
    } else {
      hf_buf_put_u8(out, c);
    }
  }
  hf_buf_put_u8(out, '"');
}

void hf_json_put_comma(struct hf_buf *out)
{
  uint8_t last = out->len == 0 ? '[' : out->at[out->len - 1];
  if (last != '[' && last != '{') {
    hf_buf_put_u8(out, ',');
  }
}

void hf_json_put_name(struct hf_buf *out, const char *name)
{
  hf_json_put_comma(out);
  hf_json_put_text(out, hf_bytes_text(name));
  hf_buf_put_u8(out, ':');
}

void hf_json_put_int(struct hf_buf *out, int64_t number)
{
  if (number < 0) {
    hf_buf_put_u8(out, '-');
  }
  hf_buf_put_uint(out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void hf_json_put_hex(struct hf_buf *out, struct hf_bytes bytes)
{
  hf_buf_put_u8(out, '"');
  hf_hex_put(out, bytes);
  hf_buf_put_u8(out, '"');
}

void hf_json_put_time(struct hf_buf *out, int64_t seconds)
{
  hf_buf_put_u8(out, '"');
  hf_time_put(out, seconds);
  hf_buf_put_u8(out, '"');
}
