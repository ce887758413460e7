/* SPDX-License-Identifier: Apache-2.0
 * Verify and choose. The order: end a trial that was not confirmed, try what is staged, run what is active, fall back
 * to what was confirmed before.
 */
#include "hf/device/boot.h"

#include <string.h>

#include "hf/device/slot.h"

/* Everything one decision works on. */
struct decision {
  struct hf_boot_choice *choice;
  const struct hf_boot_config *config;
  struct hf_bootstate state;
  bool changed; /* `state` differs from flash */
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

/* Is the image in this slot ours, whole, for this hardware, and not below the floor? */
static enum hf_verdict image_verify(struct decision *decision, uint8_t slot)
{
  const struct hf_image_policy policy = {
      .hardware = decision->config->hardware, .counter_min = decision->state.counter, .counter_optional = true};
  struct hf_image_source source = hf_slot_source(&decision->config->layout->slot[slot]);
  struct hf_why why = {0};
  enum hf_verdict verdict = hf_image_verify(&decision->choice->info, &source, decision->config->keys, &policy, &why);
  if (!allowed(verdict)) {
    decision->choice->why = why;
  }
  return verdict;
}

/* And is it the one the boot record names? */
static enum hf_verdict slot_verify(struct decision *decision, uint8_t slot)
{
  enum hf_verdict verdict = image_verify(decision, slot);
  if (!allowed(verdict)) {
    return HF_DENY;
  }
  if (memcmp(decision->choice->info.digest, decision->state.slot[slot].digest, HF_SHA256_LEN) != 0) {
    decision->choice->why = (struct hf_why){.rule = HF_RULE_BOOT_DIGEST};
    return HF_DENY;
  }
  return verdict;
}

static void take(struct decision *decision, uint8_t slot, enum hf_verdict verdict)
{
  decision->choice->slot = slot;
  decision->choice->verdict = verdict;
}

static void slot_fail(struct decision *decision, uint8_t slot, uint16_t rule)
{
  decision->state.slot[slot].status = HF_SLOT_BAD;
  hf_bootstate_fail(&decision->state, slot, rule, decision->config->reset);
  decision->changed = true;
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

/* A trial found at boot was not confirmed: it had its one run. */
static void end_trials(struct decision *decision)
{
  for (uint8_t slot = 0; slot < HF_SLOTS; slot++) {
    if (decision->state.slot[slot].status == HF_SLOT_TRYING) {
      uint16_t rule = decision->state.trial_rule != 0 ? decision->state.trial_rule : HF_RULE_BOOT_NOT_CONFIRMED;
      slot_fail(decision, slot, rule);
      decision->state.trial_rule = 0;
      decision->choice->why = (struct hf_why){.rule = rule};
      decision->choice->reset = HF_RESET_REVERT;
    }
  }
}

/* Begin a trial: the record that it began is on flash before it runs, or it does not run. */
static bool try_staged(struct decision *decision, uint8_t slot)
{
  struct hf_bootslot *record = &decision->state.slot[slot];
  if (record->status != HF_SLOT_STAGED) {
    return false;
  }
  enum hf_verdict verdict = slot_verify(decision, slot);
  if (!allowed(verdict)) {
    slot_fail(decision, slot, decision->choice->why.rule);
    return false;
  }
  record->status = HF_SLOT_TRYING;
  decision->state.trial_rule = 0;
  if (write_state(decision) != HF_OK) {
    record->status = HF_SLOT_STAGED;
    return false;
  }
  decision->choice->trial = true;
  decision->choice->reset = HF_RESET_UPDATE;
  take(decision, slot, verdict);
  return true;
}

static bool run_confirmed(struct decision *decision, uint8_t slot)
{
  if (decision->state.slot[slot].status != HF_SLOT_CONFIRMED) {
    return false;
  }
  enum hf_verdict verdict = slot_verify(decision, slot);
  if (allowed(verdict)) {
    take(decision, slot, verdict);
  }
  return allowed(verdict);
}

/* The active slot is broken: run the other one, if it was confirmed once and may still run. */
static bool fall_back(struct decision *decision)
{
  uint8_t broken = decision->state.active;
  uint8_t other = (uint8_t)(1 - broken);
  uint16_t rule = decision->choice->why.rule;
  if (!run_confirmed(decision, other)) {
    return false;
  }
  /* The broken one is given up only now that there is something else to run. */
  slot_fail(decision, broken, rule);
  decision->state.active = other;
  return true;
}

/* a better than b: the higher security counter, then the newer version. */
static bool better(const struct hf_image_info *a, const struct hf_bootslot *b)
{
  return a->counter != b->counter ? a->counter > b->counter : hf_version_order(&a->version, &b->version) > 0;
}

/* No boot record: a device fresh from the factory, or one whose records are gone. Run the best image that verifies,
 * rather than nothing; from then on its counter is the floor. */
static void adopt(struct decision *decision, bool lost)
{
  uint8_t best = HF_SLOTS;
  for (uint8_t slot = 0; slot < HF_SLOTS; slot++) {
    if (!allowed(image_verify(decision, slot))) {
      continue;
    }
    if (best == HF_SLOTS || better(&decision->choice->info, &decision->state.slot[best])) {
      best = slot;
    }
    hf_bootstate_bind(&decision->state.slot[slot], &decision->choice->info, HF_SLOT_EMPTY);
  }
  enum hf_verdict verdict = best == HF_SLOTS ? HF_DENY : image_verify(decision, best);
  if (!allowed(verdict)) {
    return;
  }
  decision->state.slot[1 - best] = (struct hf_bootslot){0};
  decision->state.slot[best].status = HF_SLOT_CONFIRMED;
  decision->state.active = best;
  decision->state.counter = decision->choice->info.counter;
  decision->choice->why = (struct hf_why){.rule = lost ? HF_RULE_BOOT_RECORDS_LOST : HF_RULE_NONE};
  if (lost) {
    hf_bootstate_fail(&decision->state, best, HF_RULE_BOOT_RECORDS_LOST, decision->config->reset);
  }
  decision->changed = true;
  take(decision, best, verdict);
}

static void follow_records(struct decision *decision)
{
  uint8_t active = decision->state.active;
  end_trials(decision);
  if (try_staged(decision, 0) || try_staged(decision, 1) || run_confirmed(decision, active) || fall_back(decision)) {
    return;
  }
  decision->choice->verdict = HF_DENY;
}

enum hf_err hf_boot_choose(struct hf_boot_choice *choice, const struct hf_boot_config *config)
{
  *choice = (struct hf_boot_choice){.verdict = HF_DENY, .reset = config->reset};
  struct decision decision = {.choice = choice, .config = config};
  enum hf_err err = hf_bootstate_get(&decision.state, &config->layout->boot);
  if (err == HF_E_INPUT || err == HF_E_VERSION) {
    return err;
  }
  if (err == HF_OK) {
    decision.changed = decision.state.lags;
    follow_records(&decision);
  } else if (err == HF_E_NOT_FOUND || err == HF_E_DENIED) {
    adopt(&decision, err == HF_E_DENIED);
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
