/* SPDX-License-Identifier: Apache-2.0
 * Why outside bytes were refused: which rule, and where.
 *
 * A parser or verifier fills it at the first broken rule, so that the refusal can be told to a person: what was
 * wrong, where, what to do. The numbers travel in check-ins; the words (hf/base/rule.def) are linked on hosts only,
 * so a microcontroller pays two bytes a refusal, not a sentence.
 */
#ifndef HF_BASE_WHY_H
#define HF_BASE_WHY_H

#include <stdint.h>

/** Every rule that input can break; numbers are part of the wire format and never reused. */
enum hf_rule {
#define HF_RULE(name, number, clause, what, todo) HF_RULE_##name = (number),
#include "hf/base/rule.def"
#undef HF_RULE
};

/** The first broken rule and the byte offset at which it showed. */
struct hf_why {
  uint32_t at;   /**< byte offset into the input the function was given; 0 where there is none */
  uint16_t rule; /**< an `enum hf_rule`, or a number from a newer device */
};

/** The words for a rule. */
struct hf_rule_words {
  const char *name;   /**< stable name, as in the .def file */
  const char *clause; /**< the standard and clause broken, or "Holdfast" */
  const char *what;   /**< what was wrong: a sentence without full stop */
  const char *todo;   /**< what to do about it: a sentence without full stop */
};

/**
 * The words for a rule number (hosts only).
 * @param rule  any number; one not in the table gets words that say so
 * @return      borrowed, static, never NULL, members never NULL
 */
const struct hf_rule_words *hf_rule_words(uint16_t rule);

/**
 * Note a broken rule, keeping the first one noted.
 * @param why   fills; may be NULL (the caller does not care)
 * @param rule  what was broken
 * @param at    byte offset
 */
void hf_why_put(struct hf_why *why, enum hf_rule rule, uint32_t at);

#endif
