/* links: hf_cli */
/* SPDX-License-Identifier: Apache-2.0
 * Any bytes explained as an image, in words and as JSON: `holdfast image info` on a file from anywhere. */
#include <stdio.h>
#include <stdlib.h>

#include "hf/cli/imagetext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static FILE *out;
  static FILE *err;
  if (out == NULL) { /* what is said is thrown away; that it can be said is the test */
    out = freopen("/dev/null", "w", stdout);
    err = fopen("/dev/null", "w");
    if (out == NULL || err == NULL) {
      abort();
    }
  }
  FILE *real = stderr;
  stderr = err;
  enum hf_err words = hf_image_explain("fuzz", hf_bytes_init(data, size), false);
  enum hf_err json = hf_image_explain("fuzz", hf_bytes_init(data, size), true);
  stderr = real;
  if (words != json) {
    abort();
  }
  return 0;
}
