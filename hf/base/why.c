/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/base/why.h"

#include <stddef.h>

void hf_why_put(struct hf_why *why, enum hf_rule rule, uint32_t at)
{
  if (why == NULL || why->rule != HF_RULE_NONE) {
    return;
  }
  why->rule = (uint16_t)rule;
  why->at = at;
}
