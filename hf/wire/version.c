/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/version.h"

static bool is_digit(struct hf_bytes rest) { return rest.len > 0 && rest.at[0] >= '0' && rest.at[0] <= '9'; }

static bool is_at(struct hf_bytes rest, uint8_t c) { return rest.len > 0 && rest.at[0] == c; }

static void step(struct hf_cursor *cur) { (void)hf_cursor_take(cur, 1); }

/* One decimal number up to `max`, in its only spelling. */
static uint64_t take_number(struct hf_cursor *cur, uint64_t max, struct hf_why *why)
{
  size_t start = cur->pos;
  bool zero = is_at(cur->rest, '0');
  uint64_t value = 0;
  while (is_digit(cur->rest) && value <= max) { /* stops one digit above `max`, far from wrapping */
    value = value * 10 + (uint64_t)(hf_cursor_u8(cur) - '0');
  }
  size_t digits = cur->pos - start;
  if (digits == 0 || (zero && digits > 1)) {
    hf_why_put(why, HF_RULE_VERSION_SHAPE, (uint32_t)start);
    cur->failed = true;
  } else if (value > max) {
    hf_why_put(why, HF_RULE_VERSION_NUMBER, (uint32_t)start);
    cur->failed = true;
  }
  return value;
}

/* A version from the cursor on; stops at the first character that does not belong to it. */
static struct hf_version take_version(struct hf_cursor *cur, bool *with_build, struct hf_why *why)
{
  struct hf_version version = {0};
  *with_build = false;
  version.major = (uint8_t)take_number(cur, UINT8_MAX, why);
  if (!cur->failed && !is_at(cur->rest, '.')) {
    hf_why_put(why, HF_RULE_VERSION_SHAPE, (uint32_t)cur->pos);
    cur->failed = true;
  }
  step(cur);
  version.minor = (uint8_t)take_number(cur, UINT8_MAX, why);
  if (!cur->failed && is_at(cur->rest, '.')) {
    step(cur);
    version.revision = (uint16_t)take_number(cur, UINT16_MAX, why);
  }
  if (!cur->failed && is_at(cur->rest, '+')) {
    step(cur);
    version.build = (uint32_t)take_number(cur, UINT32_MAX, why);
    *with_build = true;
  }
  return version;
}

enum hf_err hf_version_parse(struct hf_version *version, struct hf_bytes text, struct hf_why *why)
{
  struct hf_cursor cur = hf_cursor_init(text);
  bool with_build;
  *version = take_version(&cur, &with_build, why);
  if (!hf_cursor_done(&cur)) {
    hf_why_put(why, HF_RULE_VERSION_SHAPE, (uint32_t)cur.pos);
    *version = (struct hf_version){0};
    return HF_E_INPUT;
  }
  return HF_OK;
}

static void put_version(struct hf_buf *out, const struct hf_version *version, bool with_build)
{
  hf_buf_put_uint(out, version->major);
  hf_buf_put_u8(out, '.');
  hf_buf_put_uint(out, version->minor);
  hf_buf_put_u8(out, '.');
  hf_buf_put_uint(out, version->revision);
  if (with_build) {
    hf_buf_put_u8(out, '+');
    hf_buf_put_uint(out, version->build);
  }
}

void hf_version_put(struct hf_buf *out, const struct hf_version *version)
{
  put_version(out, version, version->build != 0);
}

static int order(uint32_t a, uint32_t b) { return (a > b) - (a < b); }

/* By major, minor and revision only. */
static int order_short(const struct hf_version *a, const struct hf_version *b)
{
  int by_major = order(a->major, b->major);
  int by_minor = order(a->minor, b->minor);
  return by_major != 0 ? by_major : by_minor != 0 ? by_minor : order(a->revision, b->revision);
}

int hf_version_order(const struct hf_version *a, const struct hf_version *b)
{
  int by_short = order_short(a, b);
  return by_short != 0 ? by_short : order(a->build, b->build);
}

static const char *const op_texts[] = {
    [HF_RANGE_EQ] = "=", [HF_RANGE_GE] = ">=", [HF_RANGE_GT] = ">", [HF_RANGE_LE] = "<=", [HF_RANGE_LT] = "<"};

static enum hf_range_op take_op(struct hf_cursor *cur, struct hf_why *why)
{
  size_t start = cur->pos;
  uint8_t first = hf_cursor_u8(cur);
  bool equal = is_at(cur->rest, '=');
  if (cur->failed || (first != '=' && first != '<' && first != '>')) {
    hf_why_put(why, HF_RULE_RANGE_SHAPE, (uint32_t)start);
    cur->failed = true;
    return HF_RANGE_EQ;
  }
  if (first == '=') {
    return HF_RANGE_EQ;
  }
  if (equal) {
    step(cur);
  }
  return first == '>' ? (equal ? HF_RANGE_GE : HF_RANGE_GT) : equal ? HF_RANGE_LE : HF_RANGE_LT;
}

static void take_item(struct hf_cursor *cur, struct hf_range *range, struct hf_why *why)
{
  if (range->count == HF_RANGE_MAX) {
    hf_why_put(why, HF_RULE_RANGE_COUNT, (uint32_t)cur->pos);
    cur->failed = true;
    return;
  }
  struct hf_range_item *item = &range->items[range->count++];
  item->op = take_op(cur, why);
  item->version = take_version(cur, &item->with_build, why);
}

enum hf_err hf_range_parse(struct hf_range *range, struct hf_bytes text, struct hf_why *why)
{
  struct hf_cursor cur = hf_cursor_init(text);
  *range = (struct hf_range){0};
  if (hf_bytes_is(text, "*")) {
    return HF_OK;
  }
  take_item(&cur, range, why);
  while (!cur.failed && is_at(cur.rest, ' ')) { /* at most HF_RANGE_MAX turns */
    step(&cur);
    take_item(&cur, range, why);
  }
  if (!hf_cursor_done(&cur)) {
    hf_why_put(why, HF_RULE_RANGE_SHAPE, (uint32_t)cur.pos);
    *range = (struct hf_range){0};
    return HF_E_INPUT;
  }
  return HF_OK;
}

void hf_range_put(struct hf_buf *out, const struct hf_range *range)
{
  if (range->count == 0) {
    hf_buf_put_u8(out, '*');
  }
  for (size_t i = 0; i < range->count; i++) {
    const struct hf_range_item *item = &range->items[i];
    if (i > 0) {
      hf_buf_put_u8(out, ' ');
    }
    hf_buf_put_text(out, op_texts[item->op]);
    put_version(out, &item->version, item->with_build);
  }
}

static bool holds(const struct hf_range_item *item, const struct hf_version *version)
{
  int have = item->with_build ? hf_version_order(version, &item->version) : order_short(version, &item->version);
  switch (item->op) {
    case HF_RANGE_EQ: return have == 0;
    case HF_RANGE_GE: return have >= 0;
    case HF_RANGE_GT: return have > 0;
    case HF_RANGE_LE: return have <= 0;
    case HF_RANGE_LT: return have < 0;
  }
  return false;
}

bool hf_range_check(const struct hf_range *range, const struct hf_version *version)
{
  for (size_t i = 0; i < range->count; i++) {
    if (!holds(&range->items[i], version)) {
      return false;
    }
  }
  return true;
}
