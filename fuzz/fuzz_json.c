/* SPDX-License-Identifier: Apache-2.0
 * links: hf_codec
 * Every walk stays inside the text; the canonical form is a fixed point; what the writer writes is read back.
 */
#include <stdlib.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM (1 << 16)

static bool to_buf(void *ctx, struct hf_bytes bytes)
{
  struct hf_buf *buf = ctx;
  hf_buf_put(buf, bytes);
  return !buf->failed;
}

static void check_within(struct hf_bytes whole, struct hf_json value)
{
  HF_ASSERT(value.text.len > 0 && value.text.at >= whole.at);
  HF_ASSERT(value.text.at + value.text.len <= whole.at + whole.len);
  HF_ASSERT(hf_json_at(whole, value) < whole.len);
}

static void read_scalar(struct hf_json value)
{
  static uint8_t room[ROOM];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  int64_t number;
  bool flag;
  uint8_t hex[4] = {0};
  enum hf_json_type type = hf_json_type(value);
  HF_ASSERT((hf_json_get_int(&number, value) == HF_OK) == (type == HF_JSON_INT));
  HF_ASSERT((hf_json_get_bool(&flag, value) == HF_OK) == (type == HF_JSON_BOOL));
  enum hf_err err = hf_json_get_text(&text, value);
  HF_ASSERT((err == HF_E_INPUT) == (type != HF_JSON_TEXT));
  if (err == HF_OK) {
    HF_ASSERT(hf_json_is_bytes(value, hf_buf_bytes(&text)));
    bool is_hex = hf_json_get_hex(hex, sizeof hex, value) == HF_OK;
    HF_ASSERT(!is_hex || text.len == 2 * sizeof hex);
    HF_ASSERT(is_hex || !hf_json_is_hex(value, HF_LIT("\0\0\0\0")));
  }
}

/* Every value of the text, breadth first by walking each container from its own view. */
static void visit(struct hf_bytes whole, struct hf_json value, unsigned depth)
{
  struct hf_json name;
  struct hf_json inner;
  HF_ASSERT(depth <= HF_JSON_DEPTH_MAX);
  check_within(whole, value);
  read_scalar(value);
  size_t count = 0;
  struct hf_json_walk walk = hf_json_walk_init(value);
  while (hf_json_walk_next(&walk, &inner)) {
    count++;
    visit(whole, inner, depth + 1);
  }
  walk = hf_json_walk_init(value);
  while (hf_json_walk_member(&walk, &name, &inner)) {
    count++;
    check_within(whole, name);
    HF_ASSERT(hf_json_type(name) == HF_JSON_TEXT);
    read_scalar(name);
    visit(whole, inner, depth + 1);
  }
  HF_ASSERT(count == hf_json_count(value));
}

/* The canonical form is not JSON, because control characters stay raw in it. Where it happens to be JSON, it is its own
 * canonical form. A shorter sink stops it, and gets a prefix. */
static void check_canonical(struct hf_json root)
{
  static uint8_t room[ROOM];
  static uint8_t room2[ROOM];
  struct hf_buf once = hf_buf_init(room, sizeof room);
  struct hf_buf twice = hf_buf_init(room2, sizeof room2);
  struct hf_json again;
  struct hf_why why = {0};
  HF_ASSERT(hf_json_canonical((struct hf_json_sink){to_buf, &once}, root) == HF_OK);
  if (hf_json_parse(&again, hf_buf_bytes(&once), &why) == HF_OK) {
    HF_ASSERT(hf_json_canonical((struct hf_json_sink){to_buf, &twice}, again) == HF_OK);
    HF_ASSERT(hf_bytes_equal(hf_buf_bytes(&once), hf_buf_bytes(&twice)));
  } else {
    HF_ASSERT(why.rule == HF_RULE_JSON_CONTROL);
  }
  struct hf_buf half = hf_buf_init(room2, once.len / 2);
  HF_ASSERT(hf_json_canonical((struct hf_json_sink){to_buf, &half}, root) == HF_E_SPACE);
  HF_ASSERT(memcmp(room, room2, half.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_bytes text = {data, size};
  struct hf_json root;
  struct hf_why why = {0};
  if (size > ROOM / 8) {
    return 0;
  }
  if (hf_json_parse(&root, text, &why) == HF_OK) {
    HF_ASSERT(why.rule == HF_RULE_NONE);
    visit(text, root, 0);
    check_canonical(root);
  } else {
    HF_ASSERT(why.rule != HF_RULE_NONE && why.at <= size);
  }
  return 0;
}
