/* SPDX-License-Identifier: Apache-2.0
 * links: hf_crypto. A URI that is read comes back the same from its canonical form.
 */
#include <string.h>

#include "hf/base/assert.h"
#include "hf/crypto/keyuri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct hf_keyuri uri;
  static struct hf_keyuri again;
  static uint8_t room[2 * HF_KEYURI_MAX];
  struct hf_why why = {.rule = 0};
  struct hf_buf text = hf_buf_init(room, sizeof room);
  if (hf_keyuri_parse(&uri, (struct hf_bytes){data, size}, &why) != HF_OK) {
    HF_ASSERT(why.rule == HF_RULE_KEY_URI && why.at <= size + 8);
    return 0;
  }
  hf_keyuri_put(&text, &uri, true);
  HF_ASSERT(!text.failed);
  if (text.len <= HF_KEYURI_MAX) { /* every byte may need three */
    HF_ASSERT(hf_keyuri_parse(&again, hf_buf_bytes(&text), NULL) == HF_OK);
    HF_ASSERT(memcmp(&uri, &again, sizeof uri) == 0);
  }
  return 0;
}
