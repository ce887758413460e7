/* links: hf_fleet
 * SPDX-License-Identifier: Apache-2.0
 * Lines of the vault's log, as `holdfast audit verify` reads them from a file that somebody may have changed. */
#include <stdint.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/fleet/vaultline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_vaultline line;
  struct hf_why why = {0};
  if (hf_vaultline_verify(&line, hf_bytes_init(data, size), NULL, &why) != HF_ALLOW) {
    HF_ASSERT(why.rule != HF_RULE_NONE);
    return 0;
  }
  uint8_t room[HF_VAULTLINE_MAX + 64];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  HF_ASSERT(hf_vaultline_encode(&out, &line) == HF_OK);
  HF_ASSERT(line.number == 1);
  return 0;
}
