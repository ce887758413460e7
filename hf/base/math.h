/* SPDX-License-Identifier: Apache-2.0
 * Checked arithmetic on lengths, and nothing else.
 */
#ifndef HF_BASE_MATH_H
#define HF_BASE_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hf/base/err.h"

/** a + b into *sum; false, with *sum untouched in meaning, when it does not fit. */
HF_MUST static inline bool hf_add_size(size_t *sum, size_t a, size_t b)
{
  return !__builtin_add_overflow(a, b, sum);
}

/** a * b into *product; false when it does not fit. */
HF_MUST static inline bool hf_mul_size(size_t *product, size_t a, size_t b)
{
  return !__builtin_mul_overflow(a, b, product);
}

/** a + b into *sum; false when it does not fit. */
HF_MUST static inline bool hf_add_u32(uint32_t *sum, uint32_t a, uint32_t b)
{
  return !__builtin_add_overflow(a, b, sum);
}

/** a + b for times and durations; clamps at the ends instead of wrapping. */
static inline int64_t hf_add_sat_i64(int64_t a, int64_t b)
{
  int64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) {
    return b > 0 ? INT64_MAX : INT64_MIN;
  }
  return sum;
}

#endif
