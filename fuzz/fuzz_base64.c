/* SPDX-License-Identifier: Apache-2.0
 * links: hf_codec
 * What decodes, encodes to the same characters without the blanks; hex and UTF-8 ride along.
 */
#include <string.h>

#include "hf/base/assert.h"
#include "hf/codec/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM (1 << 14)

static void check_base64(struct hf_bytes text)
{
  static uint8_t decoded[ROOM];
  static uint8_t encoded[ROOM];
  static uint8_t dense_room[ROOM];
  struct hf_buf plain = hf_buf_init(decoded, sizeof decoded);
  struct hf_buf again = hf_buf_init(encoded, sizeof encoded);
  struct hf_buf dense = hf_buf_init(dense_room, sizeof dense_room);
  if (hf_base64_parse(&plain, text) != HF_OK) {
    HF_ASSERT(plain.len == 0);
    return;
  }
  for (size_t i = 0; i < text.len; i++) {
    if (text.at[i] != ' ' && text.at[i] != '\t' && text.at[i] != '\r' && text.at[i] != '\n') {
      hf_buf_put_u8(&dense, text.at[i]);
    }
  }
  hf_base64_put(&again, hf_buf_bytes(&plain));
  HF_ASSERT(hf_bytes_equal(hf_buf_bytes(&again), hf_buf_bytes(&dense)));
}

static void check_hex(struct hf_bytes bytes)
{
  static uint8_t room[2 * ROOM];
  static uint8_t back[ROOM];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  hf_hex_put(&text, bytes);
  HF_ASSERT(hf_hex_parse(back, bytes.len, hf_buf_bytes(&text)) == HF_OK);
  HF_ASSERT(bytes.len == 0 || memcmp(back, bytes.at, bytes.len) == 0);
  bool odd = bytes.len % 2 != 0;
  HF_ASSERT(hf_hex_parse(back, bytes.len / 2, bytes) != HF_OK || !odd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_bytes bytes = {data, size};
  if (size > ROOM) {
    return 0;
  }
  check_base64(bytes);
  check_hex(bytes);
  HF_ASSERT(hf_utf8_prefix(bytes) <= size);
  HF_ASSERT(!hf_utf8_plain(bytes) || hf_utf8_check(bytes));
  return 0;
}
