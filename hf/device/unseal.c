/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/device/unseal.h"

static enum hf_err area_read(void *ctx, uint32_t at, void *out, uint32_t len)
{
  return hf_area_read(ctx, at, out, len);
}

static enum hf_err sector_open(const struct hf_area *area, const struct hf_seal_view *view, uint32_t at, uint8_t *work)
{
  enum hf_err err = hf_area_read(area, at, work, area->sector);
  if (err == HF_OK) {
    err = view->ops->crypt(&view->seal, at, work, area->sector);
  }
  if (err == HF_OK) {
    err = hf_area_erase(area, at, area->sector);
  }
  return err == HF_OK ? hf_area_program(area, at, work, area->sector) : err;
}

enum hf_err hf_unseal_area(const struct hf_area *area, const struct hf_seal_box *box, struct hf_buf *work,
                           struct hf_why *why)
{
  struct hf_area copy = *area;
  const struct hf_image_source from = {.read = area_read, .ctx = &copy, .size = area->size};
  struct hf_seal_view view;
  enum hf_err err = hf_seal_view_init(&view, &from, box, why);
  if (err != HF_OK || view.seal.key_len == 0) {
    return err;
  }
  uint32_t end = view.seal.header_len + view.seal.payload_len;
  uint32_t at = view.seal.header_len / area->sector * area->sector;
  err = work->cap < area->sector ? HF_E_SPACE : HF_OK;
  for (; at < end && err == HF_OK; at += area->sector) {
    err = sector_open(area, &view, at, work->at);
    hf_port_watchdog_feed();
  }
  hf_secret_wipe(&view.seal, sizeof view.seal);
  return err;
}
