/* links: hf_posix
 * SPDX-License-Identifier: Apache-2.0
 * device.conf: what is accepted is written and read back as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ports/posix/deviceconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct hf_deviceconf conf;
  static struct hf_deviceconf again;
  static uint8_t text[HF_DEVICECONF_MAX];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  struct hf_trouble trouble = {.what = ""};
  if (hf_deviceconf_parse(&conf, hf_bytes_init(data, size), &trouble) != HF_OK) {
    if (trouble.what[0] == '\0') {
      abort(); /* a refusal without words */
    }
    return 0;
  }
  hf_deviceconf_encode(&buf, &conf);
  if (buf.failed || hf_deviceconf_parse(&again, hf_buf_bytes(&buf), NULL) != HF_OK ||
      memcmp(&conf, &again, sizeof conf) != 0) {
    abort();
  }
  return 0;
}
