/* links: hf_fleet
 * SPDX-License-Identifier: Apache-2.0
 * Lines that a jig sends to a factory station. */
#include <stdint.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/fleet/stationline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_stationline line;
  struct hf_why why = {0};
  if (hf_stationline_parse(&line, hf_bytes_init(data, size), &why) != HF_OK) {
    HF_ASSERT(why.rule != HF_RULE_NONE);
    return 0;
  }
  HF_ASSERT(line.op < HF_STATIONLINE_OPS && line.csr_len <= sizeof line.csr);
  HF_ASSERT(line.device[0] == '\0' || hf_names_check_device(hf_bytes_text(line.device)));
  HF_ASSERT(strlen(line.reason) <= HF_BATCH_TEXT_MAX);
  return 0;
}
