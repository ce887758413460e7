/* SPDX-License-Identifier: Apache-2.0
 * links: hf_codec
 * A signature that is accepted has exactly one encoding: writing its halves again gives the same bytes.
 */
#include <string.h>

#include "hf/base/assert.h"
#include "hf/codec/der.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_integer(struct hf_buf *out, const uint8_t *half)
{
  uint8_t room[33] = {0};
  memcpy(room + 1, half, 32);
  size_t first = 0;
  while (first < 32 && room[first] == 0 && room[first + 1] < 0x80) {
    first++;
  }
  hf_der_put(out, 0x02, hf_bytes_init(room + first, sizeof room - first));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_bytes der = {data, size};
  uint8_t r[32];
  uint8_t s[32];
  if (hf_der_get_ecdsa(r, s, 32, der) == HF_OK) {
    uint8_t inside_room[80];
    uint8_t room[80];
    struct hf_buf inside = hf_buf_init(inside_room, sizeof inside_room);
    struct hf_buf out = hf_buf_init(room, sizeof room);
    put_integer(&inside, r);
    put_integer(&inside, s);
    hf_der_put(&out, 0x30, hf_buf_bytes(&inside));
    HF_ASSERT(hf_bytes_equal(hf_buf_bytes(&out), der));
  }
  if (size > 0) {
    static uint8_t room[1 << 17];
    struct hf_buf out = hf_buf_init(room, sizeof room);
    struct hf_cursor cur = hf_cursor_init(der);
    struct hf_bytes content = hf_der_take(&cur, data[0]);
    if (!cur.failed) {
      hf_der_put(&out, data[0], content);
      HF_ASSERT(hf_bytes_equal(hf_buf_bytes(&out), hf_bytes_init(data, cur.pos)));
    }
  }
  return 0;
}
