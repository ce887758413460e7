/* SPDX-License-Identifier: Apache-2.0
 * The one pass that checks a whole text.
 */
#include "hf/codec/json.h"

#include "hf/base/assert.h"
#include "hf/codec/json_scan.h"
#include "hf/codec/text.h"

/* What the grammar allows next. */
enum want { WANT_VALUE, WANT_VALUE_OR_END, WANT_NAME, WANT_NAME_OR_END, WANT_COMMA_OR_END, WANT_NOTHING };

/* An array or object that is still open. Offsets, not pointers: a microcontroller has 24 of these on its stack. */
struct level {
  uint32_t start;    /* offset of its bracket */
  uint32_t greatest; /* offset of the greatest member name so far */
  uint32_t count;    /* members so far */
  bool object;
  bool unsorted;
};

struct scan {
  struct hf_bytes text;
  size_t pos;
  struct hf_why *why;
  uint64_t work; /* bytes that unsorted objects cost beyond one reading */
  unsigned depth;
  struct level levels[HF_JSON_DEPTH_MAX];
};

static bool fail(struct scan *scan, enum hf_rule rule, size_t at)
{
  hf_why_put(scan->why, rule, (uint32_t)at);
  return false;
}

static struct hf_bytes ahead(const struct scan *scan)
{
  return (struct hf_bytes){scan->text.at + scan->pos, scan->text.len - scan->pos};
}

static void skip_space(struct scan *scan)
{
  while (scan->pos < scan->text.len && hf_json_is_space(scan->text.at[scan->pos])) {
    scan->pos++;
  }
}

static bool scan_literal(struct scan *scan, const char *word)
{
  struct hf_bytes want = hf_bytes_text(word);
  struct hf_bytes have = ahead(scan);
  for (size_t i = 0; i < want.len; i++) {
    if (i >= have.len) {
      return fail(scan, HF_RULE_JSON_END, scan->text.len);
    }
    if (have.at[i] != want.at[i]) {
      return fail(scan, HF_RULE_JSON_SYNTAX, scan->pos + i);
    }
  }
  scan->pos += want.len;
  return true;
}

/* Integers only, in the one spelling that is also their canonical form. */
static bool scan_number(struct scan *scan)
{
  size_t start = scan->pos;
  bool negative = scan->text.at[start] == '-';
  size_t first = start + negative;
  uint64_t most = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
  uint64_t value = 0;
  bool wide = false;
  for (scan->pos = first; scan->pos < scan->text.len; scan->pos++) {
    uint8_t c = scan->text.at[scan->pos];
    if (c < '0' || c > '9') {
      break;
    }
    uint64_t digit = (uint64_t)(c - '0');
    wide = wide || value > (most - digit) / 10;
    value = wide ? 0 : value * 10 + digit;
  }
  size_t digits = scan->pos - first;
  if (digits == 0) {
    bool end = scan->pos == scan->text.len;
    return fail(scan, end ? HF_RULE_JSON_END : HF_RULE_JSON_SYNTAX, scan->pos);
  }
  uint8_t next = scan->pos < scan->text.len ? scan->text.at[scan->pos] : ',';
  bool fraction = next == '.' || next == 'e' || next == 'E';
  if (fraction || (scan->text.at[first] == '0' && (digits > 1 || negative))) {
    return fail(scan, HF_RULE_JSON_NUMBER, start);
  }
  return wide ? fail(scan, HF_RULE_JSON_RANGE, start) : true;
}

static bool scan_escape(struct scan *scan)
{
  uint8_t decoded[4];
  enum hf_rule rule = HF_RULE_NONE;
  struct hf_bytes rest = ahead(scan);
  if (hf_json_escape_parse(decoded, &rest, &rule) == 0) {
    return fail(scan, rule, scan->pos);
  }
  scan->pos = scan->text.len - rest.len;
  return true;
}

static bool scan_text(struct scan *scan)
{
  size_t start = ++scan->pos;
  while (scan->pos < scan->text.len && scan->text.at[scan->pos] != '"') {
    uint8_t c = scan->text.at[scan->pos];
    if (c < 0x20) {
      return fail(scan, HF_RULE_JSON_CONTROL, scan->pos);
    }
    if (c != '\\') {
      scan->pos++;
    } else if (!scan_escape(scan)) {
      return false;
    }
  }
  if (scan->pos == scan->text.len) {
    return fail(scan, HF_RULE_JSON_END, scan->pos);
  }
  struct hf_bytes inside = {scan->text.at + start, scan->pos - start};
  size_t good = hf_utf8_prefix(inside);
  if (good != inside.len) {
    return fail(scan, HF_RULE_JSON_UTF8, start + good);
  }
  scan->pos++;
  return true;
}

/* Account for reading `len` bytes once more; the ceiling keeps a hostile file from costing its square. */
static bool charge(struct scan *scan, uint64_t len, size_t at)
{
  scan->work += len;
  if (scan->work > (uint64_t)HF_JSON_UNSORTED_MAX * scan->text.len) {
    return fail(scan, HF_RULE_JSON_UNSORTED, at);
  }
  return true;
}

static struct hf_json text_at(const struct scan *scan, size_t at)
{
  struct hf_bytes rest = {scan->text.at + at, scan->text.len - at};
  return hf_json_take(&rest);
}

/* The name that starts at `at` and ends at the present position: is it new in its object? In ascending order one look
 * at the greatest name so far tells; otherwise all names before it are read again. */
static bool check_name(struct scan *scan, size_t at)
{
  struct level *level = &scan->levels[scan->depth - 1];
  struct hf_json name = {.text = {scan->text.at + at, scan->pos - at}};
  int order = level->count == 0 ? 1 : hf_json_text_order(name, text_at(scan, level->greatest));
  level->count++;
  if (order == 0) {
    return fail(scan, HF_RULE_JSON_DUPLICATE, at);
  }
  if (order > 0) {
    level->greatest = (uint32_t)at;
    return true;
  }
  level->unsorted = true;
  size_t first = (size_t)level->start + 1;
  if (!charge(scan, at - first, at)) {
    return false;
  }
  struct hf_json_walk walk = {.rest = {scan->text.at + first, at - first}, .object = true};
  struct hf_json before;
  struct hf_json value;
  while (hf_json_walk_member(&walk, &before, &value)) {
    if (hf_json_text_order(before, name) == 0) {
      return fail(scan, HF_RULE_JSON_DUPLICATE, at);
    }
  }
  return true;
}

static bool scan_member(struct scan *scan)
{
  size_t at = scan->pos;
  if (scan->text.at[at] != '"') {
    return fail(scan, HF_RULE_JSON_SYNTAX, at);
  }
  if (!scan_text(scan) || !check_name(scan, at)) {
    return false;
  }
  skip_space(scan);
  return scan_literal(scan, ":");
}

static bool open_level(struct scan *scan, bool object)
{
  if (scan->depth == HF_JSON_DEPTH_MAX) {
    return fail(scan, HF_RULE_JSON_DEPTH, scan->pos);
  }
  scan->levels[scan->depth++] = (struct level){.start = (uint32_t)scan->pos, .object = object};
  scan->pos++;
  return true;
}

static bool close_level(struct scan *scan)
{
  const struct level *level = &scan->levels[scan->depth - 1];
  if (scan->text.at[scan->pos] != (level->object ? '}' : ']')) {
    return fail(scan, HF_RULE_JSON_SYNTAX, scan->pos);
  }
  scan->pos++;
  scan->depth--;
  /* The canonical form of an unsorted object is found by reading it once for each member: paid for here. */
  return !level->unsorted || charge(scan, (uint64_t)level->count * (scan->pos - level->start), level->start);
}

static enum want after_value(const struct scan *scan) { return scan->depth == 0 ? WANT_NOTHING : WANT_COMMA_OR_END; }

static bool scan_value(struct scan *scan, enum want *want)
{
  uint8_t c = scan->text.at[scan->pos];
  if (c == '{' || c == '[') {
    *want = c == '{' ? WANT_NAME_OR_END : WANT_VALUE_OR_END;
    return open_level(scan, c == '{');
  }
  *want = after_value(scan);
  if (c == '"') {
    return scan_text(scan);
  }
  if (c == '-' || (c >= '0' && c <= '9')) {
    return scan_number(scan);
  }
  if (c == 't' || c == 'f' || c == 'n') {
    return scan_literal(scan, c == 't' ? "true" : c == 'f' ? "false" : "null");
  }
  return fail(scan, HF_RULE_JSON_SYNTAX, scan->pos);
}

/* One token; consumes at least one character or fails. */
static bool scan_step(struct scan *scan, enum want *want)
{
  uint8_t c = scan->text.at[scan->pos];
  bool closes = c == '}' || c == ']';
  if (closes && (*want == WANT_VALUE_OR_END || *want == WANT_NAME_OR_END || *want == WANT_COMMA_OR_END)) {
    bool good = close_level(scan);
    *want = after_value(scan);
    return good;
  }
  switch (*want) {
    case WANT_VALUE:
    case WANT_VALUE_OR_END: return scan_value(scan, want);
    case WANT_NAME:
    case WANT_NAME_OR_END: *want = WANT_VALUE; return scan_member(scan);
    case WANT_COMMA_OR_END:
      *want = scan->levels[scan->depth - 1].object ? WANT_NAME : WANT_VALUE;
      return scan_literal(scan, ",");
    case WANT_NOTHING: break;
  }
  return fail(scan, HF_RULE_JSON_LEFTOVER, scan->pos);
}

enum hf_err hf_json_parse(struct hf_json *root, struct hf_bytes text, struct hf_why *why)
{
  struct scan scan = {.text = text, .why = why};
  enum want want = WANT_VALUE;
  *root = (struct hf_json){.text = {NULL, 0}};
  if (text.len >= UINT32_MAX) {
    (void)fail(&scan, HF_RULE_JSON_SIZE, 0);
    return HF_E_INPUT;
  }
  for (skip_space(&scan); scan.pos < text.len; skip_space(&scan)) {
    if (!scan_step(&scan, &want)) {
      return HF_E_INPUT;
    }
  }
  if (want != WANT_NOTHING) {
    (void)fail(&scan, HF_RULE_JSON_END, scan.pos);
    return HF_E_INPUT;
  }
  scan.pos = 0;
  skip_space(&scan);
  struct hf_bytes rest = ahead(&scan);
  *root = hf_json_take(&rest);
  return HF_OK;
}
