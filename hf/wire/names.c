/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/names.h"

static bool is_lower(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

static bool is_any(uint8_t c) { return is_lower(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '_'; }

static bool check(struct hf_bytes name, size_t max, bool (*allowed)(uint8_t c))
{
  if (name.len == 0 || name.len > max || name.at[0] == '.' || name.at[0] == '-') {
    return false;
  }
  for (size_t i = 0; i < name.len; i++) {
    if (!allowed(name.at[i])) {
      return false;
    }
  }
  return true;
}

bool hf_names_check_device(struct hf_bytes name) { return check(name, HF_DEVICE_ID_MAX, is_any); }
bool hf_names_check_hardware(struct hf_bytes name) { return check(name, HF_HARDWARE_ID_MAX, is_any); }
bool hf_names_check_product(struct hf_bytes name) { return check(name, HF_PRODUCT_MAX, is_lower); }
bool hf_names_check_component(struct hf_bytes name) { return check(name, HF_COMPONENT_MAX, is_lower); }
