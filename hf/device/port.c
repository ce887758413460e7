/* SPDX-License-Identifier: Apache-2.0
 * Bounds-checked access to a part of a flash.
 */
#include "hf/device/port.h"

#include "hf/base/math.h"

static bool inside(const struct hf_area *area, uint32_t at, uint32_t len)
{
  return at <= area->size && len <= area->size - at;
}

enum hf_err hf_area_read(const struct hf_area *area, uint32_t at, void *out, uint32_t len)
{
  if (!inside(area, at, len)) {
    return HF_E_INPUT;
  }
  return len == 0 ? HF_OK : area->ops->read(area->ctx, area->start + at, out, len);
}

enum hf_err hf_area_program(const struct hf_area *area, uint32_t at, const void *in, uint32_t len)
{
  if (!inside(area, at, len) || at % area->align != 0 || len % area->align != 0) {
    return HF_E_INPUT;
  }
  return len == 0 ? HF_OK : area->ops->program(area->ctx, area->start + at, in, len);
}

enum hf_err hf_area_erase(const struct hf_area *area, uint32_t at, uint32_t len)
{
  if (!inside(area, at, len) || at % area->sector != 0 || len % area->sector != 0) {
    return HF_E_INPUT;
  }
  return len == 0 ? HF_OK : area->ops->erase(area->ctx, area->start + at, len);
}

enum hf_err hf_area_check(const struct hf_area *area, uint32_t sectors)
{
  bool aligned = area->align == 1 || area->align == 4 || area->align == 8 || area->align == 16;
  bool erased = area->erased == 0xff || area->erased == 0x00;
  if (!aligned || !erased || area->sector < HF_SECTOR_MIN || area->sector % HF_ALIGN_MAX != 0) {
    return HF_E_INPUT;
  }
  uint32_t end;
  if (area->start % area->sector != 0 || area->size % area->sector != 0 || !hf_add_u32(&end, area->start, area->size)) {
    return HF_E_INPUT;
  }
  return area->size / area->sector >= sectors ? HF_OK : HF_E_INPUT;
}
