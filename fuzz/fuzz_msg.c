/* links: hf_server
 * SPDX-License-Identifier: Apache-2.0
 * Messages between processes: a broken or captured front must not break the engine. What parses must encode to the same
 * bytes again, and anything else must be refused. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/server/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_msg msg;
  if (size > 65536 || hf_msg_parse(&msg, hf_bytes_init(data, size)) != HF_OK) {
    return 0;
  }
  uint8_t *room = malloc(size + HF_MSG_HEAD);
  if (room == NULL) {
    return 0;
  }
  struct hf_buf out = hf_buf_init(room, size + HF_MSG_HEAD);
  hf_msg_encode(&out, &msg);
  HF_ASSERT(!out.failed && out.len == size + HF_MSG_HEAD);
  HF_ASSERT(memcmp(room + HF_MSG_HEAD, data, size) == 0);
  free(room);
  return 0;
}
