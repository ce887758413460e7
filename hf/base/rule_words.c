/* SPDX-License-Identifier: Apache-2.0
 * The words of hf/base/rule.def; linked on hosts, left out of firmware. */
#include <stddef.h>

#include "hf/base/why.h"

static const struct hf_rule_words unknown = {
    "UNKNOWN", "Holdfast", "a rule this version does not know", "update the server to read this device's reports"};

const struct hf_rule_words *hf_rule_words(uint16_t rule)
{
  static const struct {
    uint16_t number;
    struct hf_rule_words words;
  } table[] = {
#define HF_RULE(name, number, clause, what, todo) {(number), {#name, (clause), (what), (todo)}},
#include "hf/base/rule.def"
#undef HF_RULE
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (table[i].number == rule) {
      return &table[i].words;
    }
  }
  return &unknown;
}
