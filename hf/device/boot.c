/* SPDX-License-Identifier: Apache-2.0
 * Verify and choose, all images as one set. The order: end a trial that was not confirmed, try what is staged, run what
 * is active, fall back to the set that was confirmed before.
 */
#include "hf/device/boot.h"

#include <string.h>

#include "hf/device/slot.h"

/* Everything one decision works on. */
struct decision {
  struct hf_boot_choice *choice;
  const struct hf_boot_config *config;
  struct hf_bootstate state;
  bool changed;   /* `state` differs from flash */
  uint8_t broken; /* the image because of which a confirmed set does not run */
};

/* The verdict is looked at twice, through a volatile, so that one skipped instruction is not an approval. */
static bool allowed(enum hf_verdict verdict)
{
  volatile enum hf_verdict seen = verdict;
  if (seen != HF_ALLOW) {
    return false;
  }
  return seen == HF_ALLOW;
}

/* Is the image in this slot ours, whole, for this hardware, and not below its floor? */
static enum hf_verdict image_verify(struct decision *decision, uint8_t image, uint8_t slot)
{
  const struct hf_image_policy policy = {.hardware = decision->config->hardware,
                                         .component = decision->config->component[image],
                                         .counter_min = decision->state.image[image].counter,
                                         .counter_optional = true,
                                         .opened = true /* in a slot that runs it stands in the clear */};
  struct hf_image_source source = hf_slot_source(&decision->config->layout->slot[image][slot]);
  struct hf_why why = {0};
  enum hf_verdict verdict = hf_image_verify(&decision->choice->info, &source, decision->config->keys, &policy, &why);
  if (!allowed(verdict)) {
    decision->choice->why = why;
    decision->choice->why_image = image;
  }
  return verdict;
}

/* And is it the one the boot record names? */
static enum hf_verdict slot_verify(struct decision *decision, uint8_t image, uint8_t slot)
{
  enum hf_verdict verdict = image_verify(decision, image, slot);
  if (!allowed(verdict)) {
    return HF_DENY;
  }
  if (memcmp(decision->choice->info.digest, decision->state.image[image].slot[slot].digest, HF_SHA256_LEN) != 0) {
    decision->choice->why = (struct hf_why){.rule = HF_RULE_BOOT_DIGEST};
    decision->choice->why_image = image;
    return HF_DENY;
  }
  return verdict;
}

/* What the other images of a set may ask of one. */
struct member {
  struct hf_version version;
  uint8_t dependency_count;
  struct hf_image_dependency dependency[HF_IMAGE_DEPENDENCIES_MAX];
};

static void member_take(struct member *member, const struct hf_image_info *info)
{
  member->version = info->version;
  member->dependency_count = info->dependency_count;
  memcpy(member->dependency, info->dependency, sizeof member->dependency);
}

/* Each image of the set, image 0 last because its info is handed out, and what they demand of each other. */
static enum hf_verdict set_verify(struct decision *decision, const uint8_t slot[HF_IMAGES_MAX])
{
  struct member member[HF_IMAGES_MAX];
  const struct hf_version *version[HF_IMAGES_MAX] = {NULL};
  enum hf_verdict verdict = HF_DENY;
  for (uint8_t i = decision->state.images; i-- > 0;) {
    if (slot[i] < HF_SLOTS) {
      verdict = slot_verify(decision, i, slot[i]);
      if (!allowed(verdict)) {
        return HF_DENY;
      }
      member_take(&member[i], &decision->choice->info);
      version[i] = &member[i].version;
    }
  }
  for (uint8_t i = 0; i < decision->state.images; i++) {
    uint16_t rule = version[i] == NULL
                        ? HF_RULE_NONE
                        : hf_image_dependencies_check(member[i].dependency, member[i].dependency_count, version);
    if (rule != HF_RULE_NONE) {
      decision->choice->why = (struct hf_why){.rule = rule};
      decision->choice->why_image = i;
      return HF_DENY;
    }
  }
  return verdict;
}

static void take(struct decision *decision, const uint8_t slot[HF_IMAGES_MAX], enum hf_verdict verdict)
{
  memcpy(decision->choice->slot, slot, HF_IMAGES_MAX);
  decision->choice->verdict = verdict;
}

static enum hf_err write_state(struct decision *decision)
{
  enum hf_err err = hf_bootstate_put(&decision->state, &decision->config->layout->boot);
  if (err == HF_OK) {
    decision->changed = false;
  } else {
    decision->choice->why = (struct hf_why){.rule = HF_RULE_BOOT_FLASH};
  }
  return err;
}

/* ---- sets: one slot of each image, HF_SLOTS where there is none ---- */

/* The slots of this status, the lower one where both have it. Is there any? */
static bool set_find(uint8_t slot[HF_IMAGES_MAX], const struct hf_bootstate *state, enum hf_slot_status status)
{
  bool any = false;
  for (uint8_t i = 0; i < HF_IMAGES_MAX; i++) {
    const struct hf_bootimage *image = &state->image[i];
    slot[i] = image->slot[0].status == status ? 0 : image->slot[1].status == status ? 1 : HF_SLOTS;
    any = any || slot[i] < HF_SLOTS;
  }
  return any;
}

static void set_change(struct hf_bootstate *state, const uint8_t slot[HF_IMAGES_MAX], enum hf_slot_status status)
{
  for (uint8_t i = 0; i < HF_IMAGES_MAX; i++) {
    if (slot[i] < HF_SLOTS) {
      state->image[i].slot[slot[i]].status = status;
    }
  }
}

/* What is active. An image that never had a confirmed slot was never installed: the set does without it; never without
 * image 0. */
static void set_active(uint8_t slot[HF_IMAGES_MAX], const struct hf_bootstate *state)
{
  for (uint8_t i = 0; i < HF_IMAGES_MAX; i++) {
    bool absent = i >= state->images || (i > 0 && hf_bootstate_absent(&state->image[i]));
    slot[i] = absent ? HF_SLOTS : state->image[i].active;
  }
}

/* ---- the steps ---- */

/* The whole set is given up, for the sake of one image of it. */
static void set_fail(struct decision *decision, const uint8_t slot[HF_IMAGES_MAX], uint8_t image, uint8_t failed,
                     uint16_t rule)
{
  set_change(&decision->state, slot, HF_SLOT_BAD);
  hf_bootstate_fail(&decision->state, image, failed, rule, decision->config->reset);
  decision->changed = true;
}

/* A trial found at boot was not confirmed: it had its one run. */
static void end_trials(struct decision *decision)
{
  uint8_t slot[HF_IMAGES_MAX];
  while (set_find(slot, &decision->state, HF_SLOT_TRYING)) {
    uint8_t image = 0;
    while (slot[image] == HF_SLOTS) {
      image++;
    }
    uint16_t rule = decision->state.trial_rule != 0 ? decision->state.trial_rule : HF_RULE_BOOT_NOT_CONFIRMED;
    set_fail(decision, slot, image, slot[image], rule);
    decision->state.trial_rule = 0;
    decision->choice->why = (struct hf_why){.rule = rule};
    decision->choice->why_image = image;
    decision->choice->reset = HF_RESET_REVERT;
  }
}

/* Begin a trial: the record that it began is on flash before it runs, or it does not run. The set that is tried is what
 * is staged beside what else is active. When the reason against it is an image that is not staged, what is staged
 * waits: the steps after this one deal with what is active. */
static bool try_staged(struct decision *decision)
{
  uint8_t staged[HF_IMAGES_MAX];
  uint8_t slot[HF_IMAGES_MAX];
  if (!set_find(staged, &decision->state, HF_SLOT_STAGED)) {
    return false;
  }
  set_active(slot, &decision->state);
  for (uint8_t i = 0; i < HF_IMAGES_MAX; i++) {
    if (staged[i] < HF_SLOTS) {
      slot[i] = staged[i];
    } else if (slot[i] < HF_SLOTS && decision->state.image[i].slot[slot[i]].status != HF_SLOT_CONFIRMED) {
      return false;
    }
  }
  enum hf_verdict verdict = set_verify(decision, slot);
  if (!allowed(verdict)) {
    uint8_t image = decision->choice->why_image;
    uint16_t rule = decision->choice->why.rule;
    if (staged[image] < HF_SLOTS || (rule >= HF_RULE_IMAGE_NEEDS_0 && rule <= HF_RULE_IMAGE_NEEDS_OTHER)) {
      set_fail(decision, staged, image, slot[image], rule);
    }
    return false;
  }
  set_change(&decision->state, staged, HF_SLOT_TRYING);
  decision->state.trial_rule = 0;
  if (write_state(decision) != HF_OK) {
    set_change(&decision->state, staged, HF_SLOT_STAGED);
    return false;
  }
  decision->choice->trial = true;
  decision->choice->reset = HF_RESET_UPDATE;
  take(decision, slot, verdict);
  return true;
}

static bool run_confirmed(struct decision *decision, const uint8_t slot[HF_IMAGES_MAX])
{
  for (uint8_t i = 0; i < decision->state.images; i++) {
    if (slot[i] < HF_SLOTS && decision->state.image[i].slot[slot[i]].status != HF_SLOT_CONFIRMED) {
      decision->broken = i;
      return false;
    }
  }
  enum hf_verdict verdict = set_verify(decision, slot);
  if (allowed(verdict)) {
    take(decision, slot, verdict);
  } else {
    decision->broken = decision->choice->why_image;
  }
  return allowed(verdict);
}

/* The active set is broken: run the one before, whole, if all of it is still there and may still run. A mixture of the
 * two was never confirmed and never runs. */
static bool fall_back(struct decision *decision, const uint8_t active[HF_IMAGES_MAX])
{
  struct hf_bootstate *state = &decision->state;
  uint8_t broken = decision->broken;
  uint16_t rule = decision->choice->why.rule;
  uint8_t slot[HF_IMAGES_MAX] = {HF_SLOTS, HF_SLOTS, HF_SLOTS, HF_SLOTS};
  for (uint8_t i = 0; i < state->images; i++) {
    slot[i] = active[i] < HF_SLOTS ? state->image[i].previous : active[i];
  }
  if (memcmp(slot, active, sizeof slot) == 0 || !run_confirmed(decision, slot)) {
    return false;
  }
  /* The broken one is given up only now that there is something else to run, and that does not share it. */
  if (slot[broken] != active[broken]) {
    state->image[broken].slot[active[broken]].status = HF_SLOT_BAD;
  }
  rule = rule != HF_RULE_NONE ? rule : HF_RULE_BOOT_NOTHING;
  hf_bootstate_fail(state, broken, active[broken], rule, decision->config->reset);
  decision->changed = true;
  for (uint8_t i = 0; i < state->images; i++) {
    state->image[i].previous = state->image[i].active;
    state->image[i].active = slot[i] < HF_SLOTS ? slot[i] : 0;
  }
  return true;
}

/* ---- without records ---- */

/* a better than b: the higher security counter, then the newer version. */
static bool better(const struct hf_bootslot *a, const struct hf_bootslot *b)
{
  return a->counter != b->counter ? a->counter > b->counter : hf_version_order(&a->version, &b->version) > 0;
}

/* What verifies in the slots of an image that has no records; the better one becomes the active one. */
static void image_look(struct decision *decision, uint8_t image)
{
  struct hf_bootimage *record = &decision->state.image[image];
  *record = (struct hf_bootimage){0};
  for (uint8_t slot = 0; slot < HF_SLOTS; slot++) {
    if (allowed(image_verify(decision, image, slot))) {
      hf_bootstate_bind(&record->slot[slot], &decision->choice->info, HF_SLOT_CONFIRMED);
    }
  }
  bool first = record->slot[0].status == HF_SLOT_CONFIRMED;
  bool second = record->slot[1].status == HF_SLOT_CONFIRMED;
  record->active = second && (!first || better(&record->slot[1], &record->slot[0]));
}

/* The slots in one attempt: those of the bits not set are the better ones. False: one of them is empty. */
static bool set_attempt(uint8_t slot[HF_IMAGES_MAX], const struct hf_bootstate *state, unsigned others)
{
  set_active(slot, state);
  for (uint8_t i = 0; i < state->images; i++) {
    if ((others >> i & 1) != 0) {
      slot[i] = (uint8_t)(1 - state->image[i].active);
      if (state->image[i].slot[slot[i]].status == HF_SLOT_EMPTY) {
        return false;
      }
    }
  }
  return state->image[0].slot[slot[0]].status != HF_SLOT_EMPTY;
}

/* From here on the counter of what is adopted is the floor. */
static void image_adopt(struct hf_bootimage *record, uint8_t slot)
{
  if (slot >= HF_SLOTS) {
    *record = (struct hf_bootimage){.previous = 1};
    return;
  }
  record->slot[1 - slot] = (struct hf_bootslot){0};
  record->active = slot;
  record->previous = (uint8_t)(1 - slot);
  record->counter = record->slot[slot].counter;
}

/* Images without a boot record: a device fresh from the factory, one whose records are gone (`from` 0), or a boot
 * loader that knows more images than the one before. Run the best images that verify and fit each other, rather than
 * nothing. Of the images that `from` leaves out, the active ones are taken as they are. */
static bool adopt(struct decision *decision, uint8_t from)
{
  struct hf_bootstate *state = &decision->state;
  uint8_t slot[HF_IMAGES_MAX] = {HF_SLOTS, HF_SLOTS, HF_SLOTS, HF_SLOTS};
  enum hf_verdict verdict = HF_DENY;
  state->images = decision->config->layout->images;
  for (uint8_t i = from; i < state->images; i++) {
    image_look(decision, i);
  }
  for (unsigned others = 0; !allowed(verdict) && others < 1u << state->images; others += 1u << from) {
    verdict = set_attempt(slot, state, others) ? set_verify(decision, slot) : HF_DENY;
  }
  for (uint8_t i = from; i < state->images; i++) {
    image_adopt(&state->image[i], allowed(verdict) ? slot[i] : HF_SLOTS);
  }
  take(decision, slot, verdict);
  decision->changed = true;
  return allowed(verdict);
}

static void begin_records(struct decision *decision, bool lost)
{
  struct hf_boot_choice *choice = decision->choice;
  if (adopt(decision, 0)) {
    choice->why = (struct hf_why){.rule = lost ? HF_RULE_BOOT_RECORDS_LOST : HF_RULE_NONE};
    choice->why_image = 0;
    if (lost) {
      hf_bootstate_fail(&decision->state, 0, choice->slot[0], HF_RULE_BOOT_RECORDS_LOST, decision->config->reset);
    }
  }
}

static void follow_records(struct decision *decision)
{
  uint8_t active[HF_IMAGES_MAX];
  decision->changed = decision->state.lags;
  if (decision->state.images < decision->config->layout->images) {
    (void)adopt(decision, decision->state.images);
    *decision->choice = (struct hf_boot_choice){.verdict = HF_DENY, .reset = decision->config->reset};
  }
  end_trials(decision);
  if (try_staged(decision)) {
    return;
  }
  set_active(active, &decision->state);
  if (!run_confirmed(decision, active) && !fall_back(decision, active)) {
    decision->choice->verdict = HF_DENY;
  }
}

enum hf_err hf_boot_choose(struct hf_boot_choice *choice, const struct hf_boot_config *config)
{
  *choice = (struct hf_boot_choice){.verdict = HF_DENY, .reset = config->reset};
  struct decision decision = {.choice = choice, .config = config};
  enum hf_err err = hf_bootstate_check(&config->layout->boot, config->layout->images);
  if (err != HF_OK) {
    return err;
  }
  err = hf_bootstate_get(&decision.state, &config->layout->boot);
  if (err == HF_E_VERSION || decision.state.images > config->layout->images) {
    return HF_E_VERSION;
  }
  if (err == HF_OK) {
    follow_records(&decision);
  } else if (err == HF_E_NOT_FOUND || err == HF_E_DENIED) {
    begin_records(&decision, err == HF_E_DENIED);
  } else {
    /* What cannot be read cannot say that a trial is over: nothing runs. */
    choice->why = (struct hf_why){.rule = HF_RULE_BOOT_FLASH};
    return HF_OK;
  }
  if (choice->verdict != HF_ALLOW) {
    choice->why.rule = choice->why.rule == 0 ? HF_RULE_BOOT_NOTHING : choice->why.rule;
  } else if (decision.changed) {
    (void)write_state(&decision);
  }
  return HF_OK;
}
