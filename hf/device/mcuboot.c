/* SPDX-License-Identifier: Apache-2.0
 * Trailers are what the boot loader acts on; the boot record beside them is our memory. When MCUboot itself boots, only
 * this file writes the record, so each look compares it with what stands in slot 0: a staged image that does not run
 * was refused or reverted without a word.
 */
#include "hf/device/mcuboot.h"

#include <string.h>

struct work {
  const struct hf_mcuboot *mcuboot;
  struct hf_bootstate state;
  bool changed;
};

static enum hf_err area_read(void *ctx, uint32_t at, void *out, uint32_t len)
{
  return hf_area_read(ctx, at, out, len);
}

/* What stands in slot 0: it runs, so it was verified by whoever started it. */
static bool running_get(struct hf_image_info *info, const struct hf_layout *layout, uint8_t image)
{
  struct hf_area area = layout->slot[image][0];
  const struct hf_image_source source = {.read = area_read, .ctx = &area, .size = area.size};
  return hf_image_parse(info, &source, NULL) == HF_OK;
}

static uint8_t entry_find(const struct hf_bootimage *record, const uint8_t digest[HF_SHA256_LEN])
{
  for (uint8_t i = 0; i < HF_SLOTS; i++) {
    if (record->slot[i].status != HF_SLOT_EMPTY && memcmp(record->slot[i].digest, digest, HF_SHA256_LEN) == 0) {
      return i;
    }
  }
  return HF_SLOTS;
}

static void entry_confirm(struct work *work, struct hf_bootimage *record, uint8_t entry)
{
  record->slot[entry].status = HF_SLOT_CONFIRMED;
  if (record->active != entry) {
    record->previous = record->active;
    record->active = entry;
  }
  if (record->slot[entry].counter > record->counter) {
    record->counter = record->slot[entry].counter;
  }
  work->changed = true;
}

/* The trailers of an image's slots. */
static enum hf_err trailers_get(struct hf_trailer trailer[HF_SLOTS], const struct hf_mcuboot *mcuboot, uint8_t image)
{
  enum hf_err err = HF_OK;
  for (int i = 0; i < HF_SLOTS && err == HF_OK; i++) {
    err = hf_trailer_get(&trailer[i], &mcuboot->format, &mcuboot->layout->slot[image][i]);
  }
  return err;
}

static bool pending(const struct hf_trailer trailer[HF_SLOTS])
{
  enum hf_swap_type type = hf_trailer_swap_type(&trailer[0], &trailer[1]);
  return type == HF_SWAP_TEST || type == HF_SWAP_PERM;
}

/* What runs, by its trailer: on trial, or for good. */
static void reconcile_running(struct work *work, uint8_t image, const struct hf_image_info *info,
                              const struct hf_trailer *primary)
{
  struct hf_bootimage *record = &work->state.image[image];
  uint8_t entry = entry_find(record, info->digest);
  if (entry == HF_SLOTS) {
    bool confirmed = record->slot[record->active].status == HF_SLOT_CONFIRMED;
    entry = confirmed ? (uint8_t)(1 - record->active) : record->active;
    hf_bootstate_bind(&record->slot[entry], info, HF_SLOT_STAGED);
    work->changed = true;
  }
  struct hf_bootslot *slot = &record->slot[entry];
  /* A copy_done that a power cut tore ended a swap all the same: nobody has said yet that what runs is good. */
  bool swapped = primary->copy_done != HF_MARK_UNSET || slot->status == HF_SLOT_TRYING;
  bool trial = work->mcuboot->format.mode != HF_BOOT_OVERWRITE && primary->magic == HF_MARK_GOOD && swapped &&
               primary->image_ok == HF_MARK_UNSET;
  if (trial && slot->status != HF_SLOT_TRYING && slot->status != HF_SLOT_CONFIRMED) {
    slot->status = HF_SLOT_TRYING;
    work->changed = true;
  } else if (!trial && (slot->status != HF_SLOT_CONFIRMED || record->active != entry)) {
    entry_confirm(work, record, entry);
  }
}

/* What was staged or tried, is not asked for any more and does not run: the boot loader went back, or never took it. */
static void reconcile_other(struct work *work, uint8_t image, const struct hf_image_info *info, bool asked)
{
  struct hf_bootimage *record = &work->state.image[image];
  for (uint8_t i = 0; i < HF_SLOTS; i++) {
    struct hf_bootslot *slot = &record->slot[i];
    bool runs = memcmp(slot->digest, info->digest, HF_SHA256_LEN) == 0;
    bool open = slot->status == HF_SLOT_STAGED || slot->status == HF_SLOT_TRYING;
    if (runs || !open || (asked && slot->status == HF_SLOT_STAGED)) {
      continue;
    }
    uint16_t rule = work->state.trial_rule != 0      ? work->state.trial_rule
                    : slot->status == HF_SLOT_TRYING ? HF_RULE_BOOT_NOT_CONFIRMED
                                                     : HF_RULE_BOOT_NOT_TAKEN;
    slot->status = HF_SLOT_BAD;
    hf_bootstate_fail(&work->state, image, i, rule, HF_RESET_UNKNOWN);
    work->changed = true;
  }
}

static enum hf_err reconcile(struct work *work)
{
  const struct hf_mcuboot *mcuboot = work->mcuboot;
  struct hf_image_info info;
  struct hf_trailer trailer[HF_SLOTS];
  for (uint8_t i = 0; i < work->state.images; i++) {
    enum hf_err err = trailers_get(trailer, mcuboot, i);
    if (err != HF_OK) {
      return err;
    }
    if (running_get(&info, mcuboot->layout, i)) {
      reconcile_running(work, i, &info, &trailer[0]);
      reconcile_other(work, i, &info, pending(trailer));
    }
  }
  return HF_OK;
}

static enum hf_err state_put(struct work *work)
{
  enum hf_err err = work->changed ? hf_bootstate_put(&work->state, &work->mcuboot->layout->boot) : HF_OK;
  work->changed = work->changed && err != HF_OK;
  return err;
}

/* The record as it is true now. Where nothing was ever written, what runs is where it begins. */
static enum hf_err open_state(struct work *work, void *ctx)
{
  *work = (struct work){.mcuboot = ctx};
  const struct hf_layout *layout = work->mcuboot->layout;
  for (uint8_t i = 0; i < layout->images; i++) {
    if (hf_trailer_check(&work->mcuboot->format, layout->slot[i]) != HF_OK) {
      return HF_E_INPUT;
    }
  }
  enum hf_err err = hf_bootstate_get(&work->state, &layout->boot);
  if (err == HF_E_NOT_FOUND || err == HF_E_DENIED) {
    work->state = (struct hf_bootstate){.images = layout->images};
    err = HF_OK;
  }
  if (err == HF_OK && work->state.images != layout->images) {
    return HF_E_VERSION;
  }
  return err == HF_OK ? reconcile(work) : err;
}

static enum hf_err mcuboot_get(void *ctx, struct hf_boot_view *view)
{
  struct work work;
  struct hf_image_info info;
  struct hf_trailer trailer[HF_SLOTS];
  *view = (struct hf_boot_view){.images = 0};
  enum hf_err err = open_state(&work, ctx);
  err = err == HF_OK ? state_put(&work) : err;
  for (uint8_t i = 0; err == HF_OK && i < work.state.images; i++) {
    const struct hf_bootimage *record = &work.state.image[i];
    struct hf_boot_image *image = &view->image[i];
    uint8_t entry = running_get(&info, work.mcuboot->layout, i) ? entry_find(record, info.digest) : HF_SLOTS;
    err = trailers_get(trailer, work.mcuboot, i);
    image->slot = entry < HF_SLOTS ? 0 : HF_SLOTS;
    image->target = 1;
    image->counter = record->counter;
    if (entry < HF_SLOTS) {
      image->running = record->slot[entry];
      image->other = record->slot[1 - entry];
    }
    /* Without its trailer nobody would try it. */
    if (image->other.status == HF_SLOT_STAGED && !pending(trailer)) {
      image->other = (struct hf_bootslot){.status = HF_SLOT_EMPTY};
    }
  }
  view->images = work.state.images;
  view->failures = work.state.failures;
  view->failed_image = work.state.failed_image;
  view->failed_version =
      work.state.image[work.state.failed_image % HF_IMAGES_MAX].slot[work.state.failed_slot % HF_SLOTS].version;
  view->failed_rule = work.state.failed_rule;
  view->failed_reset = work.state.failed_reset;
  return err;
}

static enum hf_err mcuboot_target(void *ctx, struct hf_area *area, uint8_t image)
{
  const struct hf_mcuboot *mcuboot = ctx;
  if (image >= mcuboot->layout->images) {
    return HF_E_INPUT;
  }
  const struct hf_area *slot = mcuboot->layout->slot[image];
  *area = slot[1];
  area->start += mcuboot->format.mode == HF_BOOT_SWAP_OFFSET ? slot[1].sector : 0;
  area->size = hf_trailer_room(&mcuboot->format, slot);
  return HF_OK;
}

/* The entry that is free for an update: not what runs, and not what would come back. */
static uint8_t entry_free(const struct hf_bootimage *record) { return (uint8_t)(1 - record->active); }

static enum hf_err mcuboot_release(void *ctx, uint8_t mask)
{
  struct work work;
  struct hf_trailer trailer[HF_SLOTS];
  enum hf_err err = open_state(&work, ctx);
  for (uint8_t i = 0; err == HF_OK && i < work.state.images; i++) {
    struct hf_bootslot *slot = &work.state.image[i].slot[entry_free(&work.state.image[i])];
    if ((mask >> i & 1) == 0) {
      continue;
    }
    if (slot->status == HF_SLOT_TRYING) {
      return HF_E_STATE; /* slot 1 holds the way back */
    }
    if (slot->status != HF_SLOT_EMPTY) {
      *slot = (struct hf_bootslot){.status = HF_SLOT_EMPTY};
      work.changed = true;
    }
    err = trailers_get(trailer, work.mcuboot, i);
    if (err == HF_OK && (trailer[1].magic != HF_MARK_UNSET || trailer[1].image_ok != HF_MARK_UNSET ||
                         trailer[1].copy_done != HF_MARK_UNSET || trailer[1].swap_type != HF_SWAP_NONE)) {
      err = hf_trailer_erase(&work.mcuboot->format, &work.mcuboot->layout->slot[i][1]);
    }
  }
  return err == HF_OK ? state_put(&work) : err;
}

/* What a boot loader reads as: test this once. The magic last: until it is whole there is nothing to test. */
static enum hf_err put_pending(const struct hf_mcuboot *mcuboot, uint8_t image)
{
  const struct hf_area *slot = &mcuboot->layout->slot[image][1];
  static const uint8_t info = HF_SWAP_TEST;
  struct hf_trailer trailer[HF_SLOTS];
  enum hf_err err = trailers_get(trailer, mcuboot, image);
  if (err != HF_OK || pending(trailer)) {
    return err;
  }
  /* A trailer that was begun and not finished, or left by others, is not written over. */
  err = hf_trailer_erase(&mcuboot->format, slot);
  if (err == HF_OK) {
    err = hf_trailer_put(&mcuboot->format, slot, HF_FIELD_SWAP_INFO, &info, 1);
  }
  return err == HF_OK ? hf_trailer_put_magic(&mcuboot->format, slot) : err;
}

static enum hf_err mcuboot_stage(void *ctx, const struct hf_bootslot *staged, uint8_t mask)
{
  struct work work;
  enum hf_err err = open_state(&work, ctx);
  if (err != HF_OK) {
    return err;
  }
  if (mask == 0 || mask >> work.state.images != 0) {
    return HF_E_INPUT;
  }
  for (uint8_t i = 0; i < work.state.images; i++) {
    struct hf_bootimage *record = &work.state.image[i];
    if (record->slot[0].status == HF_SLOT_TRYING || record->slot[1].status == HF_SLOT_TRYING) {
      return HF_E_STATE;
    }
    if ((mask >> i & 1) != 0) {
      record->slot[entry_free(record)] = staged[i];
      record->slot[entry_free(record)].status = HF_SLOT_STAGED;
    }
  }
  work.state.trial_rule = 0;
  work.changed = true;
  err = state_put(&work);
  /* Image 0 last: where the others depend on it, a boot loader that checks dependencies waits for it. */
  for (uint8_t i = work.state.images; err == HF_OK && i-- > 0;) {
    if ((mask >> i & 1) != 0) {
      err = put_pending(work.mcuboot, i);
    }
  }
  return err;
}

static enum hf_err mcuboot_confirm(void *ctx)
{
  struct work work;
  struct hf_trailer trailer[HF_SLOTS];
  enum hf_err err = open_state(&work, ctx);
  for (uint8_t i = 0; err == HF_OK && i < work.state.images; i++) {
    err = trailers_get(trailer, work.mcuboot, i);
    bool waits = trailer[0].magic == HF_MARK_GOOD && trailer[0].image_ok == HF_MARK_UNSET;
    if (err == HF_OK && waits) {
      err = hf_trailer_put_flag(&work.mcuboot->format, &work.mcuboot->layout->slot[i][0], HF_FIELD_IMAGE_OK);
    }
  }
  /* The boot loader's word first, the counters after it: the floor never rises above what boots. */
  for (uint8_t i = 0; err == HF_OK && i < work.state.images; i++) {
    for (uint8_t j = 0; j < HF_SLOTS; j++) {
      if (work.state.image[i].slot[j].status == HF_SLOT_TRYING) {
        entry_confirm(&work, &work.state.image[i], j);
      }
    }
  }
  return err == HF_OK ? state_put(&work) : err;
}

static enum hf_err mcuboot_give_up(void *ctx, uint16_t rule)
{
  struct work work;
  enum hf_err err = open_state(&work, ctx);
  work.state.trial_rule = rule;
  work.changed = true;
  return err == HF_OK ? state_put(&work) : err;
}

const struct hf_boot_ops hf_mcuboot_ops = {
    "mcuboot", 1, mcuboot_get, mcuboot_target, mcuboot_release, mcuboot_stage, mcuboot_confirm, mcuboot_give_up, true};
