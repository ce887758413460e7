/* links: hf_fleet */
/* SPDX-License-Identifier: Apache-2.0
 * holdfast.json from outside: what parses is written and parses again to the same. */
#include <stdlib.h>
#include <string.h>

#include "hf/fleet/workspace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_workspace first;
  struct hf_workspace again;
  struct hf_address address;
  uint8_t room[HF_WORKSPACE_FILE_MAX];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  (void)!hf_address_parse(&address, hf_bytes_init(data, size));
  if (hf_workspace_parse(&first, hf_bytes_init(data, size), NULL) != HF_OK) {
    return 0;
  }
  if (hf_workspace_encode(&text, &first) != HF_OK || hf_workspace_parse(&again, hf_buf_bytes(&text), NULL) != HF_OK ||
      strcmp(first.organisation, again.organisation) != 0 || strcmp(first.devices, again.devices) != 0 ||
      strcmp(first.people, again.people) != 0) {
    abort();
  }
  return 0;
}
