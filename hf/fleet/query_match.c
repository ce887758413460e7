/* SPDX-License-Identifier: Apache-2.0
 * A parsed group expression at work: on one device in memory, and as SQL. Both must say the same of every device.
 */
#include <string.h>

#include "hf/base/assert.h"
#include "hf/fleet/query.h"

static struct hf_bytes node_name(const struct hf_query *query, const struct hf_query_node *node)
{
  return hf_bytes_init(query->text + node->name, node->name_len);
}

static struct hf_bytes node_value(const struct hf_query *query, const struct hf_query_node *node)
{
  return hf_bytes_init(query->text + node->value, node->value_len);
}

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c; }

/* `?` stands for one character as SQL counts them: one byte and the UTF-8 bytes that go on from it. */
static size_t character_len(struct hf_bytes text, size_t at)
{
  size_t len = 1;
  while (at + len < text.len && (text.at[at + len] & 0xc0) == 0x80) {
    len++;
  }
  return len;
}

/* Glob without case of A-Z: goes back only to the last star, so the work is at most the product of both lengths. */
static bool like(struct hf_bytes text, struct hf_bytes pattern)
{
  size_t t = 0;
  size_t p = 0;
  size_t star = SIZE_MAX;
  size_t star_t = 0;
  while (t < text.len) {
    if (p < pattern.len && pattern.at[p] == '*') {
      star = p++;
      star_t = t;
    } else if (p < pattern.len && pattern.at[p] == '?') {
      p++;
      t += character_len(text, t);
    } else if (p < pattern.len && lower(pattern.at[p]) == lower(text.at[t])) {
      p++;
      t++;
    } else if (star != SIZE_MAX) {
      p = star + 1;
      star_t += character_len(text, star_t);
      t = star_t;
    } else {
      return false;
    }
  }
  while (p < pattern.len && pattern.at[p] == '*') {
    p++;
  }
  return p == pattern.len;
}

static bool text_match(uint8_t op, struct hf_bytes text, struct hf_bytes value)
{
  switch (op) {
    case HF_QUERY_EQ: return hf_bytes_equal(text, value);
    case HF_QUERY_NE: return !hf_bytes_equal(text, value);
    case HF_QUERY_LIKE: return like(text, value);
    case HF_QUERY_UNLIKE: return !like(text, value);
    default: return false;
  }
}

static bool number_match(uint8_t op, int64_t number, int64_t value)
{
  switch (op) {
    case HF_QUERY_EQ: return number == value;
    case HF_QUERY_NE: return number != value;
    case HF_QUERY_LT: return number < value;
    case HF_QUERY_LE: return number <= value;
    case HF_QUERY_GT: return number > value;
    case HF_QUERY_GE: return number >= value;
    default: return false;
  }
}

/* What is not there is unequal to everything and neither above nor below anything. */
static bool absent_match(uint8_t op) { return op == HF_QUERY_NE || op == HF_QUERY_UNLIKE; }

static bool attribute_match(const struct hf_query *query, const struct hf_query_node *node,
                            const struct hf_query_device *device)
{
  struct hf_bytes name = node_name(query, node);
  for (size_t i = 0; i < device->attribute_count; i++) {
    const struct hf_query_attribute *attribute = &device->attribute[i];
    int64_t number;
    if (!hf_bytes_equal(attribute->name, name)) {
      continue;
    }
    if (node->op < HF_QUERY_LT || node->op > HF_QUERY_GE) {
      return text_match(node->op, attribute->value, node_value(query, node));
    }
    return hf_query_number_parse(&number, attribute->value) == HF_OK && number_match(node->op, number, node->number);
  }
  return absent_match(node->op);
}

static bool term_match(const struct hf_query *query, const struct hf_query_node *node,
                       const struct hf_query_device *device)
{
  switch (node->field) {
    case HF_QUERY_ID: return text_match(node->op, device->id, node_value(query, node));
    case HF_QUERY_PRODUCT: return text_match(node->op, device->product, node_value(query, node));
    case HF_QUERY_HARDWARE: return text_match(node->op, device->hardware, node_value(query, node));
    case HF_QUERY_VERSION:
      return device->has_version ? number_match(node->op, device->version_key, node->number) : absent_match(node->op);
    case HF_QUERY_STATE: return number_match(node->op, device->state, node->number);
    case HF_QUERY_BLOCKED: return number_match(node->op, device->blocked, node->number);
    default: return attribute_match(query, node, device);
  }
}

bool hf_query_match(const struct hf_query *query, const struct hf_query_device *device)
{
  bool stack[HF_QUERY_NODES_MAX];
  size_t depth = 0;
  for (size_t i = 0; i < query->postfix_count; i++) {
    const struct hf_query_node *node = &query->node[query->postfix[i]];
    switch (node->kind) {
      case HF_QUERY_TERM: stack[depth++] = term_match(query, node, device); break;
      case HF_QUERY_NOT: stack[depth - 1] = !stack[depth - 1]; break;
      case HF_QUERY_AND:
        depth--;
        stack[depth - 1] = stack[depth - 1] && stack[depth];
        break;
      default:
        depth--;
        stack[depth - 1] = stack[depth - 1] || stack[depth];
        break;
    }
  }
  return depth == 1 && stack[0];
}

static const char *const sql_ops[] = {" = ?", " <> ?", " < ?", " <= ?", " > ?", " >= ?"};

static void like_put_sql(struct hf_buf *sql, const char *column, uint8_t op)
{
  hf_buf_put_text(sql, op == HF_QUERY_UNLIKE ? "lower(" : "(lower(");
  hf_buf_put_text(sql, column);
  hf_buf_put_text(sql, op == HF_QUERY_UNLIKE ? ") NOT LIKE ? ESCAPE '\\'" : ") LIKE ? ESCAPE '\\')");
}

static void text_put_sql(struct hf_buf *sql, const char *column, uint8_t op)
{
  if (op == HF_QUERY_LIKE || op == HF_QUERY_UNLIKE) {
    like_put_sql(sql, column, op);
    return;
  }
  hf_buf_put_text(sql, column);
  hf_buf_put_text(sql, sql_ops[op]);
}

/* A negative operator asks that no such attribute is there: one that is missing then belongs. */
static void attribute_put_sql(struct hf_buf *sql, uint8_t op)
{
  bool ordered = op >= HF_QUERY_LT && op <= HF_QUERY_GE;
  uint8_t positive = op == HF_QUERY_NE ? HF_QUERY_EQ : op == HF_QUERY_UNLIKE ? HF_QUERY_LIKE : op;
  hf_buf_put_text(sql, absent_match(op) ? "NOT EXISTS" : "EXISTS");
  hf_buf_put_text(sql, " (SELECT 1 FROM attribute a WHERE a.device = device.n AND a.key = ? AND ");
  text_put_sql(sql, ordered ? "a.number" : "a.value", positive);
  hf_buf_put_text(sql, ")");
}

static void term_put_sql(struct hf_buf *sql, const struct hf_query_node *node)
{
  static const char *const columns[] = {"device.id",          "device.product", "device.hardware",
                                        "device.version_key", "device.state",   "device.blocked"};
  hf_buf_put_text(sql, "(");
  if (node->field == HF_QUERY_ATTRIBUTE) {
    attribute_put_sql(sql, node->op);
  } else {
    if (node->field == HF_QUERY_VERSION) {
      hf_buf_put_text(sql, absent_match(node->op) ? "device.version = '' OR " : "device.version <> '' AND ");
    }
    text_put_sql(sql, columns[node->field], node->op);
  }
  hf_buf_put_text(sql, ")");
}

enum hf_err hf_query_put_sql(struct hf_buf *sql, const struct hf_query *query)
{
  static const char *const words[] = {[HF_QUERY_AND] = " AND ",
                                      [HF_QUERY_OR] = " OR ",
                                      [HF_QUERY_NOT] = "NOT ",
                                      [HF_QUERY_OPEN] = "(",
                                      [HF_QUERY_CLOSE] = ")"};
  hf_buf_put_text(sql, "(");
  for (size_t i = 0; i < query->count; i++) {
    if (query->node[i].kind == HF_QUERY_TERM) {
      term_put_sql(sql, &query->node[i]);
    } else {
      hf_buf_put_text(sql, words[query->node[i].kind]);
    }
  }
  hf_buf_put_text(sql, ")");
  return sql->failed ? HF_E_SPACE : HF_OK;
}

bool hf_query_next(struct hf_query_value *value, const struct hf_query *query, size_t *at)
{
  /* Two steps a node: the attribute's name, then the value. */
  for (; *at < 2u * query->count; (*at)++) {
    const struct hf_query_node *node = &query->node[*at / 2];
    bool name = *at % 2 == 0;
    if (node->kind != HF_QUERY_TERM || (name && node->field != HF_QUERY_ATTRIBUTE)) {
      continue;
    }
    bool ordered = node->op >= HF_QUERY_LT && node->op <= HF_QUERY_GE;
    bool number = node->field == HF_QUERY_VERSION || node->field == HF_QUERY_STATE || node->field == HF_QUERY_BLOCKED ||
                  (node->field == HF_QUERY_ATTRIBUTE && ordered);
    *value = (struct hf_query_value){.is_text = name || !number,
                                     .is_like = !name && (node->op == HF_QUERY_LIKE || node->op == HF_QUERY_UNLIKE),
                                     .text = name ? node_name(query, node) : node_value(query, node),
                                     .number = node->number};
    (*at)++;
    return true;
  }
  return false;
}

void hf_query_put_like(struct hf_buf *out, struct hf_bytes pattern)
{
  for (size_t i = 0; i < pattern.len; i++) {
    uint8_t c = lower(pattern.at[i]);
    if (c == '%' || c == '_' || c == '\\') {
      hf_buf_put_u8(out, '\\');
    }
    hf_buf_put_u8(out, c == '*' ? '%' : c == '?' ? '_' : c);
  }
}
