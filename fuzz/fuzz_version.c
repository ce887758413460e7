/* SPDX-License-Identifier: Apache-2.0
 * Versions and ranges that are read come back the same from their written form.
 */
#include <string.h>

#include "hf/base/assert.h"
#include "hf/wire/names.h"
#include "hf/wire/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_bytes text = {data, size};
  struct hf_version version;
  struct hf_version version_again;
  struct hf_range range;
  struct hf_range range_again;
  struct hf_why why = {0};
  uint8_t room[HF_RANGE_TEXT_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  if (hf_version_parse(&version, text, &why) == HF_OK) {
    hf_version_put(&out, &version);
    HF_ASSERT(out.len <= HF_VERSION_TEXT_MAX && hf_version_parse(&version_again, hf_buf_bytes(&out), NULL) == HF_OK);
    HF_ASSERT(hf_version_order(&version, &version_again) == 0);
  } else {
    HF_ASSERT(why.rule != HF_RULE_NONE && why.at <= size);
  }
  why = (struct hf_why){0};
  if (hf_range_parse(&range, text, &why) == HF_OK) {
    out.len = 0;
    hf_range_put(&out, &range);
    HF_ASSERT(!out.failed && hf_range_parse(&range_again, hf_buf_bytes(&out), NULL) == HF_OK);
    for (size_t i = 0; i < range.count; i++) {
      HF_ASSERT(hf_range_check(&range, &range.items[i].version) ==
                hf_range_check(&range_again, &range.items[i].version));
    }
  } else {
    HF_ASSERT(why.rule != HF_RULE_NONE && why.at <= size);
  }
  HF_ASSERT(!hf_names_check_product(text) || hf_names_check_hardware(text));
  return 0;
}
