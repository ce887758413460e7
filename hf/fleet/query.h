/* SPDX-License-Identifier: Apache-2.0
 * Group expressions: `product = thermostat and version < 1.1 and room ~ "lab*"`. docs/spec/query.md has the grammar.
 *
 * Parsed once, without recursion and within bounds; then either evaluated on a device in memory or written as an SQL
 * condition with parameters. Both say the same (a test compares them).
 */
#ifndef HF_FLEET_QUERY_H
#define HF_FLEET_QUERY_H

#include "hf/base/bytes.h"
#include "hf/base/why.h"

/** What a person still reads. */
#define HF_QUERY_TEXT_MAX 1024
/** Words, operators and brackets. */
#define HF_QUERY_NODES_MAX 96
/** Brackets and `not` inside each other. */
#define HF_QUERY_DEPTH_MAX 16
/** Longest name; longest value (as attributes: hf/wire/checkin.h). */
#define HF_QUERY_NAME_MAX 32
#define HF_QUERY_VALUE_MAX 64
/** Room for the SQL of the longest expression. */
#define HF_QUERY_SQL_MAX 16384

enum hf_query_kind { HF_QUERY_TERM, HF_QUERY_AND, HF_QUERY_OR, HF_QUERY_NOT, HF_QUERY_OPEN, HF_QUERY_CLOSE };
enum hf_query_field {
  HF_QUERY_ID,
  HF_QUERY_PRODUCT,
  HF_QUERY_HARDWARE,
  HF_QUERY_VERSION,
  HF_QUERY_STATE,
  HF_QUERY_BLOCKED,
  HF_QUERY_ATTRIBUTE
};
enum hf_query_op {
  HF_QUERY_EQ,
  HF_QUERY_NE,
  HF_QUERY_LT,
  HF_QUERY_LE,
  HF_QUERY_GT,
  HF_QUERY_GE,
  HF_QUERY_LIKE,
  HF_QUERY_UNLIKE
};

/** One word of the expression. */
struct hf_query_node {
  uint8_t kind;  /**< enum hf_query_kind */
  uint8_t field; /**< enum hf_query_field */
  uint8_t op;    /**< enum hf_query_op */
  uint8_t name_len;
  uint8_t value_len;
  uint16_t name;  /**< offset into `text`: attribute name */
  uint16_t value; /**< offset into `text`: value, unquoted */
  int64_t number; /**< version key, state, blocked, or the number an attribute is compared with */
};

/** A parsed expression: no pointers, may be copied. About 4 KiB. */
struct hf_query {
  uint8_t count;
  uint8_t postfix_count;
  uint16_t text_len;
  struct hf_query_node node[HF_QUERY_NODES_MAX]; /**< as written */
  uint8_t postfix[HF_QUERY_NODES_MAX];           /**< indices into `node`, operators after their operands */
  char text[HF_QUERY_TEXT_MAX];
};

/** A device as an expression sees it. Borrows. */
struct hf_query_attribute {
  struct hf_bytes name;
  struct hf_bytes value;
};
struct hf_query_device {
  struct hf_bytes id;
  struct hf_bytes product;
  struct hf_bytes hardware;
  bool has_version;
  int64_t version_key; /**< hf_release_version_key */
  uint32_t state;      /**< enum hf_update_state, 10 silent */
  bool blocked;
  const struct hf_query_attribute *attribute;
  size_t attribute_count;
};

/**
 * Parse an expression.
 * @param query  fills; valid only with HF_OK
 * @param text   borrows
 * @param why    fills: rule 900-919 and the offset of the word that is wrong; may be NULL
 * @return HF_OK, HF_E_INPUT
 */
HF_MUST enum hf_err hf_query_parse(struct hf_query *query, struct hf_bytes text, struct hf_why *why);
/** Does the device belong? */
bool hf_query_match(const struct hf_query *query, const struct hf_query_device *device);

/** Append the expression as an SQL condition over table `device`, values as `?`. HF_E_SPACE. */
HF_MUST enum hf_err hf_query_put_sql(struct hf_buf *sql, const struct hf_query *query);
/** One value for a `?`. Borrows the query. */
struct hf_query_value {
  bool is_text;
  bool is_like; /**< a pattern: give it as hf_query_put_like writes it */
  struct hf_bytes text;
  int64_t number;
};
/** The values in order: `*at` starts at 0. Gives false after the last. */
bool hf_query_next(struct hf_query_value *value, const struct hf_query *query, size_t *at);
/** Append a `~` pattern as a LIKE pattern with `\` as escape, in lower case: at most twice as long. */
void hf_query_put_like(struct hf_buf *out, struct hf_bytes pattern);

/** Is this an attribute name: 1-32 of a-z 0-9 _ . -, not one of the reserved words? */
bool hf_query_name_check(struct hf_bytes name);
/** Read an attribute value as a whole number of at most 18 digits, optionally with a minus. */
HF_MUST enum hf_err hf_query_number_parse(int64_t *number, struct hf_bytes value);

#endif
