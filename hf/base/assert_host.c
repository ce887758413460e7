/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "hf/base/assert.h"

_Noreturn void hf_assert_failed(const char *file, int line, const char *cond)
{
  fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, cond);
  abort();
}
