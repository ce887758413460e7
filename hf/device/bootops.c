/* SPDX-License-Identifier: Apache-2.0
 * The application's side of our boot records, direct execution from either slot.
 */
#include "hf/device/bootops.h"

#include <string.h>

static enum hf_err state_get(struct hf_bootstate *state, const struct hf_layout *layout)
{
  enum hf_err err = hf_bootstate_get(state, &layout->boot);
  return err == HF_E_NOT_FOUND || err == HF_E_DENIED ? HF_E_STATE : err;
}

/* The slot an update goes to: the other one; slot 0 for an image that was never installed. */
static uint8_t target_of(const struct hf_boot_records *records, uint8_t image)
{
  return records->running[image] < HF_SLOTS ? (uint8_t)(1 - records->running[image]) : 0;
}

static enum hf_err records_get(void *ctx, struct hf_boot_view *view)
{
  const struct hf_boot_records *records = ctx;
  struct hf_bootstate state;
  *view = (struct hf_boot_view){.images = 0};
  enum hf_err err = state_get(&state, records->layout);
  if (err != HF_OK) {
    return err;
  }
  view->images = state.images;
  for (uint8_t i = 0; i < state.images; i++) {
    const struct hf_bootimage *from = &state.image[i];
    struct hf_boot_image *image = &view->image[i];
    image->slot = records->running[i];
    image->target = target_of(records, i);
    image->counter = from->counter;
    image->other = from->slot[image->target];
    if (image->slot < HF_SLOTS) {
      image->running = from->slot[image->slot];
    }
  }
  view->failures = state.failures;
  view->failed_image = state.failed_image;
  view->failed_version = state.image[state.failed_image % HF_IMAGES_MAX].slot[state.failed_slot % HF_SLOTS].version;
  view->failed_rule = state.failed_rule;
  view->failed_reset = state.failed_reset;
  return HF_OK;
}

static enum hf_err records_target(void *ctx, struct hf_area *area, uint8_t image)
{
  const struct hf_boot_records *records = ctx;
  if (image >= records->layout->images) {
    return HF_E_INPUT;
  }
  *area = records->layout->slot[image][target_of(records, image)];
  return HF_OK;
}

/* Does the record name the set that runs? Not so during a trial, and not after a fall back that could not be written
 * down: then the other slots are not free (tests/model/boot.pml, MUTANT_STAGE_BLINDLY). */
static bool runs_active(const struct hf_boot_records *records, const struct hf_bootstate *state)
{
  for (uint8_t i = 0; i < state->images; i++) {
    uint8_t slot = records->running[i];
    if (slot < HF_SLOTS ? state->image[i].active != slot : !hf_bootstate_absent(&state->image[i])) {
      return false;
    }
  }
  return true;
}

/* What is staged is taken back whole: the rest of a set must not be tried alone (MUTANT_HALF_RELEASE). */
static enum hf_err records_release(void *ctx, uint8_t mask)
{
  const struct hf_boot_records *records = ctx;
  struct hf_bootstate state;
  bool changed = false;
  enum hf_err err = state_get(&state, records->layout);
  for (uint8_t i = 0; err == HF_OK && i < state.images; i++) {
    changed = changed || ((mask >> i & 1) != 0 && state.image[i].slot[target_of(records, i)].status != HF_SLOT_EMPTY);
  }
  if (err != HF_OK || !changed) {
    return err;
  }
  if (!runs_active(records, &state)) {
    return HF_E_STATE;
  }
  for (uint8_t i = 0; i < state.images; i++) {
    struct hf_bootslot *slot = &state.image[i].slot[target_of(records, i)];
    if ((mask >> i & 1) != 0 || slot->status == HF_SLOT_STAGED) {
      *slot = (struct hf_bootslot){.status = HF_SLOT_EMPTY};
    }
  }
  return hf_bootstate_put(&state, &records->layout->boot);
}

static enum hf_err records_stage(void *ctx, const struct hf_bootslot *staged, uint8_t mask)
{
  const struct hf_boot_records *records = ctx;
  struct hf_bootstate state;
  enum hf_err err = state_get(&state, records->layout);
  if (err != HF_OK) {
    return err;
  }
  if (mask == 0 || mask >> state.images != 0) {
    return HF_E_INPUT;
  }
  if (!runs_active(records, &state)) {
    return HF_E_STATE;
  }
  for (uint8_t i = 0; i < state.images; i++) {
    if ((mask >> i & 1) != 0) {
      struct hf_bootslot *slot = &state.image[i].slot[target_of(records, i)];
      *slot = staged[i];
      slot->status = HF_SLOT_STAGED;
    }
  }
  return hf_bootstate_put(&state, &records->layout->boot);
}

static enum hf_err records_confirm(void *ctx)
{
  const struct hf_boot_records *records = ctx;
  struct hf_bootstate state;
  enum hf_err err = state_get(&state, records->layout);
  if (err != HF_OK || !hf_bootstate_on_trial(&state, records->running)) {
    return err;
  }
  return hf_bootstate_confirm(&state, &records->layout->boot, records->running);
}

static enum hf_err records_give_up(void *ctx, uint16_t rule)
{
  const struct hf_boot_records *records = ctx;
  struct hf_bootstate state;
  enum hf_err err = state_get(&state, records->layout);
  state.trial_rule = rule;
  return err == HF_OK ? hf_bootstate_put(&state, &records->layout->boot) : err;
}

const struct hf_boot_ops hf_boot_records_ops = {
    "records", 1, records_get, records_target, records_release, records_stage, records_confirm, records_give_up, false};
