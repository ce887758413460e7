/* SPDX-License-Identifier: Apache-2.0
 * Parsing: a scanner and the shunting-yard method with two expectations, operand or operator. No recursion.
 */
#include "hf/fleet/query.h"

#include <string.h>

#include "hf/base/assert.h"
#include "hf/fleet/release.h"
#include "hf/fleet/rollout.h"
#include "hf/wire/version.h"

/* The scanner's position and the operators that wait for their right side. */
struct parser {
  struct hf_query *query;
  struct hf_bytes text;
  size_t at;
  size_t word; /* start of the word in work, to blame */
  uint8_t stack[HF_QUERY_NODES_MAX];
  size_t depth;
  size_t nested; /* brackets and nots among them */
  enum hf_rule rule;
};

static const char *const field_names[] = {"id", "product", "hardware", "version", "state", "blocked"};

static bool fail(struct parser *in, enum hf_rule rule)
{
  if (in->rule == HF_RULE_NONE) {
    in->rule = rule;
  }
  return false;
}

static bool name_char(uint8_t c)
{
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

static bool value_char(uint8_t c) { return name_char(c) || (c >= 'A' && c <= 'Z') || c == '+' || c == '*' || c == '?'; }

static bool keyword(struct hf_bytes word)
{
  return hf_bytes_is(word, "and") || hf_bytes_is(word, "or") || hf_bytes_is(word, "not");
}

static enum hf_query_field field_of(struct hf_bytes name)
{
  for (size_t i = 0; i < sizeof field_names / sizeof *field_names; i++) {
    if (hf_bytes_is(name, field_names[i])) {
      return (enum hf_query_field)i;
    }
  }
  return HF_QUERY_ATTRIBUTE;
}

bool hf_query_name_check(struct hf_bytes name)
{
  if (name.len == 0 || name.len > HF_QUERY_NAME_MAX || keyword(name) || field_of(name) != HF_QUERY_ATTRIBUTE) {
    return false;
  }
  for (size_t i = 0; i < name.len; i++) {
    if (!name_char(name.at[i])) {
      return false;
    }
  }
  return true;
}

enum hf_err hf_query_number_parse(int64_t *number, struct hf_bytes value)
{
  bool minus = value.len > 0 && value.at[0] == '-';
  size_t from = minus ? 1 : 0;
  int64_t sum = 0;
  if (value.len == from || value.len - from > 18) {
    return HF_E_INPUT;
  }
  for (size_t i = from; i < value.len; i++) {
    if (value.at[i] < '0' || value.at[i] > '9') {
      return HF_E_INPUT;
    }
    sum = sum * 10 + (value.at[i] - '0');
  }
  *number = minus ? -sum : sum;
  return HF_OK;
}

static void blanks_skip(struct parser *in)
{
  while (in->at < in->text.len &&
         (in->text.at[in->at] == ' ' || in->text.at[in->at] == '\t' || in->text.at[in->at] == '\n')) {
    in->at++;
  }
  in->word = in->at;
}

/* Longest run of characters that fit. */
static struct hf_bytes run_take(struct parser *in, bool (*fits)(uint8_t))
{
  size_t from = in->at;
  while (in->at < in->text.len && fits(in->text.at[in->at])) {
    in->at++;
  }
  return hf_bytes_init(in->text.at + from, in->at - from);
}

/* Look at the next word without taking it. */
static struct hf_bytes word_peek(struct parser *in)
{
  blanks_skip(in);
  struct hf_bytes word = run_take(in, name_char);
  in->at = in->word;
  return word;
}

static struct hf_query_node *node_put(struct parser *in, enum hf_query_kind kind)
{
  struct hf_query *query = in->query;
  if (query->count == HF_QUERY_NODES_MAX) {
    (void)fail(in, HF_RULE_QUERY_LENGTH);
    return NULL;
  }
  struct hf_query_node *node = &query->node[query->count++];
  *node = (struct hf_query_node){.kind = (uint8_t)kind};
  return node;
}

/* Texts are kept without their quotes; they never need more room than the expression itself. */
static void text_put(struct hf_query *query, uint8_t c)
{
  HF_ASSERT(query->text_len < HF_QUERY_TEXT_MAX);
  query->text[query->text_len++] = (char)c;
}

static bool op_take(struct parser *in, uint8_t *op)
{
  static const struct {
    char text[3];
    uint8_t op;
  } ops[] = {{"!=", HF_QUERY_NE}, {"!~", HF_QUERY_UNLIKE}, {"<=", HF_QUERY_LE}, {">=", HF_QUERY_GE},
             {"=", HF_QUERY_EQ},  {"<", HF_QUERY_LT},      {">", HF_QUERY_GT},  {"~", HF_QUERY_LIKE}};
  blanks_skip(in);
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
    size_t len = strlen(ops[i].text);
    if (in->text.len - in->at >= len && memcmp(in->text.at + in->at, ops[i].text, len) == 0) {
      *op = ops[i].op;
      in->at += len;
      return true;
    }
  }
  return fail(in, HF_RULE_QUERY_OPERATOR);
}

static bool quoted_take(struct parser *in)
{
  for (in->at++; in->at < in->text.len; in->at++) {
    uint8_t c = in->text.at[in->at];
    if (c == '"') {
      in->at++;
      return true;
    }
    if (c == '\\') {
      in->at++;
      c = in->at < in->text.len ? in->text.at[in->at] : 0;
      if (c != '"' && c != '\\') {
        return fail(in, HF_RULE_QUERY_QUOTE);
      }
    }
    if (c < 0x20 || c == 0x7f) {
      return fail(in, HF_RULE_QUERY_VALUE);
    }
    text_put(in->query, c);
  }
  return fail(in, HF_RULE_QUERY_QUOTE);
}

static bool value_take(struct parser *in, struct hf_query_node *node)
{
  blanks_skip(in);
  node->value = in->query->text_len;
  if (in->at < in->text.len && in->text.at[in->at] == '"') {
    if (!quoted_take(in)) {
      return false;
    }
  } else {
    struct hf_bytes word = run_take(in, value_char);
    if (word.len == 0) {
      return fail(in, in->at == in->text.len ? HF_RULE_QUERY_END : HF_RULE_QUERY_VALUE);
    }
    for (size_t i = 0; i < word.len; i++) {
      text_put(in->query, word.at[i]);
    }
  }
  size_t len = (size_t)(in->query->text_len - node->value);
  node->value_len = (uint8_t)len;
  return len <= HF_QUERY_VALUE_MAX || fail(in, HF_RULE_QUERY_VALUE);
}

static bool state_parse(int64_t *number, struct hf_bytes value)
{
  for (unsigned i = 0; i < HF_MEMBER_STATES; i++) {
    if (hf_bytes_is(value, hf_member_name(i))) {
      *number = i;
      return true;
    }
  }
  return false;
}

static bool flag_parse(int64_t *number, struct hf_bytes value)
{
  *number = hf_bytes_is(value, "yes") || hf_bytes_is(value, "true");
  return *number != 0 || hf_bytes_is(value, "no") || hf_bytes_is(value, "false");
}

/* Does this field take this operator and this value? Fills node->number where one is compared. */
static bool term_check(struct parser *in, struct hf_query_node *node)
{
  struct hf_bytes value = hf_bytes_init(in->query->text + node->value, node->value_len);
  bool ordered = node->op >= HF_QUERY_LT && node->op <= HF_QUERY_GE;
  bool like = node->op == HF_QUERY_LIKE || node->op == HF_QUERY_UNLIKE;
  struct hf_version version;
  switch (node->field) {
    case HF_QUERY_VERSION:
      if (like) {
        return fail(in, HF_RULE_QUERY_OPERATOR);
      }
      if (hf_version_parse(&version, value, NULL) != HF_OK) {
        return fail(in, HF_RULE_QUERY_VALUE);
      }
      node->number = hf_release_version_key(&version);
      return true;
    case HF_QUERY_STATE:
      return (!ordered && !like) ? state_parse(&node->number, value) || fail(in, HF_RULE_QUERY_VALUE)
                                 : fail(in, HF_RULE_QUERY_OPERATOR);
    case HF_QUERY_BLOCKED:
      return (!ordered && !like) ? flag_parse(&node->number, value) || fail(in, HF_RULE_QUERY_VALUE)
                                 : fail(in, HF_RULE_QUERY_OPERATOR);
    case HF_QUERY_ATTRIBUTE:
      return !ordered || hf_query_number_parse(&node->number, value) == HF_OK || fail(in, HF_RULE_QUERY_VALUE);
    default: return !ordered || fail(in, HF_RULE_QUERY_OPERATOR);
  }
}

/* name op value; an attribute may be written @name, which also reaches one called like a field. */
static bool term_take(struct parser *in)
{
  struct hf_query_node *node = node_put(in, HF_QUERY_TERM);
  if (node == NULL) {
    return false;
  }
  bool at_sign = in->at < in->text.len && in->text.at[in->at] == '@';
  in->at += at_sign ? 1 : 0;
  struct hf_bytes name = run_take(in, name_char);
  if (name.len == 0 || name.len > HF_QUERY_NAME_MAX || keyword(name)) {
    return fail(in, in->at == in->text.len && name.len == 0 ? HF_RULE_QUERY_END : HF_RULE_QUERY_NAME);
  }
  node->field = (uint8_t)(at_sign ? HF_QUERY_ATTRIBUTE : field_of(name));
  node->name = in->query->text_len;
  node->name_len = (uint8_t)name.len;
  for (size_t i = 0; i < name.len; i++) {
    text_put(in->query, name.at[i]);
  }
  if (!op_take(in, &node->op) || !value_take(in, node) || !term_check(in, node)) {
    return false;
  }
  in->query->postfix[in->query->postfix_count++] = (uint8_t)(node - in->query->node);
  return true;
}

static uint8_t stack_kind(const struct parser *in) { return in->query->node[in->stack[in->depth - 1]].kind; }

static void stack_pop(struct parser *in)
{
  in->depth--;
  in->query->postfix[in->query->postfix_count++] = in->stack[in->depth];
}

static bool stack_push(struct parser *in, enum hf_query_kind kind)
{
  if (node_put(in, kind) == NULL) {
    return false;
  }
  in->nested += kind == HF_QUERY_OPEN || kind == HF_QUERY_NOT ? 1 : 0;
  in->stack[in->depth++] = (uint8_t)(in->query->count - 1);
  return in->nested <= HF_QUERY_DEPTH_MAX || fail(in, HF_RULE_QUERY_DEPTH);
}

/* A whole operand stands: the nots before it are complete. */
static void nots_pop(struct parser *in)
{
  while (in->depth > 0 && stack_kind(in) == HF_QUERY_NOT) {
    stack_pop(in);
    in->nested--;
  }
}

static bool close_take(struct parser *in)
{
  while (in->depth > 0 && stack_kind(in) != HF_QUERY_OPEN) {
    stack_pop(in);
  }
  if (in->depth == 0) {
    return fail(in, HF_RULE_QUERY_BRACKET);
  }
  in->depth--;
  in->nested--;
  if (node_put(in, HF_QUERY_CLOSE) == NULL) {
    return false;
  }
  nots_pop(in);
  return true;
}

/* Where an operand may begin: `not`, `(`, or a term. Fills whether it is complete. */
static bool operand_take(struct parser *in, bool *complete)
{
  struct hf_bytes word = word_peek(in);
  *complete = false;
  if (hf_bytes_is(word, "not")) {
    in->at += word.len;
    return stack_push(in, HF_QUERY_NOT);
  }
  if (in->at < in->text.len && in->text.at[in->at] == '(') {
    in->at++;
    return stack_push(in, HF_QUERY_OPEN);
  }
  if (!term_take(in)) {
    return false;
  }
  nots_pop(in);
  *complete = true;
  return true;
}

/* Where an operator may stand: `and`, `or`, `)`. Fills whether an operand must follow. */
static bool operator_take(struct parser *in, bool *wants_operand)
{
  struct hf_bytes word = word_peek(in);
  *wants_operand = true;
  if (in->text.at[in->at] == ')') {
    in->at++;
    *wants_operand = false;
    return close_take(in);
  }
  bool is_and = hf_bytes_is(word, "and");
  if (!is_and && !hf_bytes_is(word, "or")) {
    return fail(in, HF_RULE_QUERY_WORD);
  }
  in->at += word.len;
  while (in->depth > 0 && (stack_kind(in) == HF_QUERY_AND || (!is_and && stack_kind(in) == HF_QUERY_OR))) {
    stack_pop(in);
  }
  return stack_push(in, is_and ? HF_QUERY_AND : HF_QUERY_OR);
}

static bool expression_take(struct parser *in)
{
  bool wants_operand = true;
  for (;;) { /* each turn takes at least one character or fails */
    blanks_skip(in);
    if (in->at == in->text.len) {
      break;
    }
    bool complete = false;
    if (wants_operand ? !operand_take(in, &complete) : !operator_take(in, &wants_operand)) {
      return false;
    }
    wants_operand = wants_operand && !complete;
  }
  if (wants_operand) {
    return fail(in, HF_RULE_QUERY_END);
  }
  while (in->depth > 0) {
    if (stack_kind(in) == HF_QUERY_OPEN) {
      return fail(in, HF_RULE_QUERY_BRACKET);
    }
    stack_pop(in);
  }
  return true;
}

enum hf_err hf_query_parse(struct hf_query *query, struct hf_bytes text, struct hf_why *why)
{
  struct parser in = {.query = query, .text = text};
  *query = (struct hf_query){.count = 0};
  if (text.len == 0 || text.len > HF_QUERY_TEXT_MAX) {
    hf_why_put(why, HF_RULE_QUERY_LENGTH, 0);
    return HF_E_INPUT;
  }
  if (!expression_take(&in)) {
    hf_why_put(why, in.rule, (uint32_t)in.word);
    return HF_E_INPUT;
  }
  return HF_OK;
}
