/* SPDX-License-Identifier: Apache-2.0
 * The agreement of two repositories whose signatures an attacker could make: two bytes of length and the director's
 * targets file, then the image repository's. Whatever they say, nothing leaves the device's own bounds. */
#include <stdlib.h>

#include "hf/wire/uptane.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
  if (!holds) {
    abort();
  }
}

static void check_plan(const struct hf_uptane_plan *plan, const struct hf_uptane_self *self, bool agreed)
{
  unsigned seen = 0;
  must(plan->count <= HF_UPTANE_ITEMS_MAX);
  for (size_t i = 0; i < plan->count; i++) {
    const struct hf_uptane_item *item = &plan->item[i];
    must(item->component < self->count && (seen >> item->component & 1) == 0);
    must(item->agreed == agreed && hf_target_path_check(hf_uptane_item_path(item)) && item->length > 0);
    must(item->counter >= self->installed[item->component].counter);
    must(i == 0 || item->order > plan->item[i - 1].order);
    seen |= 1u << item->component;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_uptane_installed installed[2] = {{HF_LIT("main"), HF_LIT("thermo-a"), {1, 0, 0, 0}, 2},
                                             {HF_LIT("radio"), HF_LIT("radio-x"), {3, 1, 0, 0}, 5}};
  struct hf_uptane_self self = {HF_LIT("thermo-0001"), HF_LIT("thermostat"), installed, 2};
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_cursor in = hf_cursor_init(hf_bytes_init(data, size));
  struct hf_bytes director = hf_cursor_take(&in, hf_cursor_be16(&in));
  struct hf_tuf_file orders, images;
  struct hf_uptane_plan plan;
  if (in.failed || hf_tuf_parse(&orders, director, HF_TUF_TARGETS, &limits, NULL) != HF_OK) {
    return 0;
  }
  struct hf_why why = {0};
  if (hf_uptane_director_verify(&plan, &orders, &self, &why) != HF_ALLOW) {
    must(plan.count == 0 && why.rule != HF_RULE_NONE);
    return 0;
  }
  check_plan(&plan, &self, false);
  if (hf_tuf_parse(&images, in.rest, HF_TUF_TARGETS, &limits, NULL) != HF_OK) {
    return 0;
  }
  bool agreed = hf_uptane_agree_verify(&plan, &images, &self, &why) == HF_ALLOW;
  check_plan(&plan, &self, agreed);
  must(agreed == (why.rule == HF_RULE_NONE));
  return 0;
}
