/* SPDX-License-Identifier: Apache-2.0
 * The order: finish a swap under way, end a trial that was not confirmed, bring in what is pending, go back from what
 * is bad, verify what stands in slot 0 and run it. The two `slot`s of a boot record are entries here: the image that is
 * meant is found by its digest, wherever it stands.
 */
#include "hf/device/swapboot.h"

#include <string.h>

/* What stands in a slot, as far as it can be read; nothing of it is verified. */
struct look {
  bool there;
  uint8_t digest[HF_SHA256_LEN];
  uint32_t total;
  uint16_t tlvs; /* behind what is signed */
  struct hf_seal seal;
};

struct decision {
  struct hf_boot_choice *choice;
  const struct hf_swapboot_config *config;
  struct hf_bootstate state;
  struct hf_swap swap[HF_IMAGES_MAX];
  uint8_t pending; /* mask: trailers ask for these */
  bool records;    /* there are boot records */
  bool changed;    /* `state` differs from flash */
};

static bool allowed(enum hf_verdict verdict)
{
  volatile enum hf_verdict seen = verdict;
  if (seen != HF_ALLOW) {
    return false;
  }
  return seen == HF_ALLOW;
}

static void blame(struct decision *decision, uint8_t image, uint16_t rule)
{
  decision->choice->why = (struct hf_why){.rule = rule};
  decision->choice->why_image = image;
}

static bool write_state(struct decision *decision)
{
  if (hf_bootstate_put(&decision->state, &decision->config->boot.layout->boot) != HF_OK) {
    blame(decision, 0, HF_RULE_BOOT_FLASH);
    return false;
  }
  decision->changed = false;
  return true;
}

static bool has_swaps(const struct decision *decision) { return decision->config->format.mode != HF_BOOT_OVERWRITE; }

/* Where an update begins in slot 1. */
static uint32_t update_sector(const struct decision *decision)
{
  return decision->config->format.mode == HF_BOOT_SWAP_OFFSET ? 1 : 0;
}

/* ---- entries of the boot record ---- */

/* The entry of this image's record with this digest; HF_SLOTS: none. */
static uint8_t entry_find(const struct hf_bootimage *record, const uint8_t digest[HF_SHA256_LEN])
{
  for (uint8_t i = 0; i < HF_SLOTS; i++) {
    const struct hf_bootslot *entry = &record->slot[i];
    if (entry->status != HF_SLOT_EMPTY && memcmp(entry->digest, digest, HF_SHA256_LEN) == 0) {
      return i;
    }
  }
  return HF_SLOTS;
}

static void look_at(struct look *look, struct decision *decision, uint8_t image, uint8_t slot, uint32_t sector)
{
  struct hf_image_source source;
  struct hf_area area;
  struct hf_image_info *info = &decision->choice->info;
  *look = (struct look){.there = false};
  hf_swap_source(&source, &area, &decision->swap[image], slot, sector);
  if (hf_image_parse(info, &source, NULL) == HF_OK) {
    look->there = true;
    look->total = info->total_len;
    look->tlvs = (uint16_t)(info->total_len - info->signed_len);
    memcpy(look->digest, info->digest, HF_SHA256_LEN);
  }
}

/* The entry of what stands in slot 0; HF_SLOTS: nothing, or something the records do not know. */
static uint8_t entry_running(struct decision *decision, uint8_t image)
{
  struct look look;
  look_at(&look, decision, image, 0, 0);
  return look.there ? entry_find(&decision->state.image[image], look.digest) : HF_SLOTS;
}

/* A new entry takes the place of the one that is not the active, confirmed one. */
static uint8_t entry_bind(struct decision *decision, uint8_t image, const struct hf_image_info *info,
                          enum hf_slot_status status)
{
  struct hf_bootimage *record = &decision->state.image[image];
  uint8_t entry = entry_find(record, info->digest);
  if (entry == HF_SLOTS) {
    bool confirmed = record->slot[record->active].status == HF_SLOT_CONFIRMED;
    entry = confirmed ? (uint8_t)(1 - record->active) : record->active;
  }
  hf_bootstate_bind(&record->slot[entry], info, status);
  decision->changed = true;
  return entry;
}

static void entry_confirm(struct decision *decision, uint8_t image, uint8_t entry)
{
  struct hf_bootimage *record = &decision->state.image[image];
  record->slot[entry].status = HF_SLOT_CONFIRMED;
  if (record->active != entry) {
    record->previous = record->active;
    record->active = entry;
  }
  if (record->slot[entry].counter > record->counter) {
    record->counter = record->slot[entry].counter;
  }
  decision->changed = true;
}

/* Everything of this status becomes bad: sets fail together. */
static void entries_fail(struct decision *decision, enum hf_slot_status status)
{
  for (uint8_t i = 0; i < decision->state.images; i++) {
    for (uint8_t j = 0; j < HF_SLOTS; j++) {
      struct hf_bootslot *entry = &decision->state.image[i].slot[j];
      entry->status = entry->status == status ? HF_SLOT_BAD : entry->status;
    }
  }
  decision->changed = true;
}

/* ---- verifying ---- */

/* Is the image in this slot ours, whole, for this hardware, and not below its floor? Fills choice->info. */
static enum hf_verdict slot_verify(struct decision *decision, uint8_t image, uint8_t slot, uint32_t sector)
{
  const struct hf_swapboot_config *config = decision->config;
  const struct hf_image_policy policy = {.hardware = config->boot.hardware,
                                         .component = config->boot.component[image],
                                         .counter_min = decision->state.image[image].counter,
                                         .counter_optional = true,
                                         .opened = true};
  struct hf_image_source source;
  struct hf_area area;
  struct hf_seal_view view;
  struct hf_why why = {0};
  enum hf_err err = HF_OK;
  hf_swap_source(&source, &area, &decision->swap[image], slot, sector);
  if (slot == 1) {
    err = hf_seal_view_init(&view, &source, config->box, &why);
    source = hf_seal_view_source(&view);
  }
  enum hf_verdict verdict =
      err == HF_OK ? hf_image_verify(&decision->choice->info, &source, config->boot.keys, &policy, &why) : HF_DENY;
  if (!allowed(verdict)) {
    blame(decision, image, why.rule != 0 ? why.rule : HF_RULE_IMAGE_READ);
  }
  if (slot == 1) {
    hf_secret_wipe(&view.seal, sizeof view.seal);
  }
  return verdict;
}

/* What an image asks of the others. */
struct member {
  bool there;
  struct hf_version version;
  uint8_t dependency_count;
  struct hf_image_dependency dependency[HF_IMAGE_DEPENDENCIES_MAX];
};

static void member_take(struct member *member, const struct hf_image_info *info)
{
  member->there = true;
  member->version = info->version;
  member->dependency_count = info->dependency_count;
  memcpy(member->dependency, info->dependency, sizeof member->dependency);
}

/* The set as it will be: what is pending, beside what runs. */
static enum hf_verdict pending_verify(struct decision *decision)
{
  struct member member[HF_IMAGES_MAX] = {{.there = false}};
  const struct hf_version *version[HF_IMAGES_MAX] = {NULL};
  for (uint8_t i = 0; i < decision->state.images; i++) {
    bool pending = (decision->pending >> i & 1) != 0;
    if (pending && !allowed(slot_verify(decision, i, 1, update_sector(decision)))) {
      return HF_DENY;
    }
    struct look look;
    if (!pending) {
      look_at(&look, decision, i, 0, 0);
    }
    if (pending || look.there) {
      member_take(&member[i], &decision->choice->info);
      version[i] = &member[i].version;
    }
  }
  for (uint8_t i = 0; i < decision->state.images; i++) {
    uint16_t rule =
        member[i].there ? hf_image_dependencies_check(member[i].dependency, member[i].dependency_count, version) : 0;
    if (rule != HF_RULE_NONE) {
      blame(decision, i, rule);
      return HF_DENY;
    }
  }
  return HF_ALLOW;
}

/* ---- moving ---- */

static bool flash_failed(struct decision *decision, uint8_t image, enum hf_err err)
{
  if (err != HF_OK) {
    blame(decision, image,
          err == HF_E_STATE    ? HF_RULE_SWAP_STATE
          : err == HF_E_CRYPTO ? HF_RULE_SEAL_KEY
          : err == HF_E_SPACE  ? HF_RULE_SWAP_SPACE
                               : HF_RULE_BOOT_FLASH);
  }
  return err != HF_OK;
}

/* The key of an encrypted image in this slot, for moving it. */
static enum hf_err seal_open(struct decision *decision, uint8_t image, uint8_t slot, const struct look *look)
{
  const struct hf_seal_box *box = decision->config->box;
  const struct hf_image_info *info = &decision->choice->info; /* as look_at left it */
  struct hf_seal *seal = &decision->swap[image].seal[slot];
  *seal = (struct hf_seal){.key_len = 0};
  if (!look->there || (info->flags & HF_IMAGE_ENCRYPTED) == 0) {
    return HF_OK;
  }
  return box == NULL || box->ops->open(box->ctx, seal, info, NULL) != HF_OK ? HF_E_CRYPTO : HF_OK;
}

/* Let the slots change places. `ok`: what comes to slot 0 was confirmed before. */
static enum hf_err exchange(struct decision *decision, uint8_t image, enum hf_swap_type type)
{
  struct hf_swap *swap = &decision->swap[image];
  struct look old, new;
  look_at(&old, decision, image, 0, 0);
  enum hf_err err = seal_open(decision, image, 0, &old);
  look_at(&new, decision, image, 1, type == HF_SWAP_REVERT ? 0 : update_sector(decision));
  err = err == HF_OK ? seal_open(decision, image, 1, &new) : err;
  uint32_t size = old.there && old.total > new.total ? old.total : new.total;
  if (size > hf_trailer_room(&decision->config->format, swap->slot)) {
    size = new.total; /* what is in slot 0 is no image of ours */
  }
  const uint16_t tlvs[HF_SLOTS] = {old.tlvs, new.tlvs};
  if (err == HF_OK) {
    err = hf_swap_begin(swap, type, image, size, tlvs);
  }
  return err == HF_OK ? hf_swap_run(swap) : err;
}

/* A swap has come to its end: close it, by what came to slot 0. */
static enum hf_err settle(struct decision *decision, uint8_t image)
{
  struct hf_swap *swap = &decision->swap[image];
  enum hf_swap_type type = swap->primary.swap_type;
  uint8_t entry = entry_running(decision, image);
  if (entry == HF_SLOTS && decision->choice->info.total_len != 0 && type == HF_SWAP_TEST && decision->records) {
    /* Staged by somebody else's tools, swapped in by MCUboot in part: on trial as if it were ours. */
    entry = entry_bind(decision, image, &decision->choice->info, HF_SLOT_STAGED);
  }
  bool known = entry < HF_SLOTS;
  bool ok = known ? decision->state.image[image].slot[entry].status == HF_SLOT_CONFIRMED : type != HF_SWAP_TEST;
  return hf_swap_end(swap, ok);
}

/* ---- the steps ---- */

static bool finish_swaps(struct decision *decision)
{
  for (uint8_t i = 0; i < decision->state.images; i++) {
    struct hf_swap *swap = &decision->swap[i];
    enum hf_err err = hf_swap_get(swap);
    if (err == HF_OK && hf_swap_under_way(swap)) {
      err = hf_swap_run(swap);
      err = err == HF_OK ? settle(decision, i) : err;
    }
    if (flash_failed(decision, i, err)) {
      return false;
    }
  }
  return true;
}

/* Trials are confirmed when every image of the set says so; else none is. */
static bool trial_confirmed(struct decision *decision, uint8_t entry[HF_IMAGES_MAX])
{
  bool any = false, all = true;
  for (uint8_t i = 0; i < decision->state.images; i++) {
    const struct hf_bootimage *record = &decision->state.image[i];
    entry[i] = record->slot[0].status == HF_SLOT_TRYING ? 0 : record->slot[1].status == HF_SLOT_TRYING ? 1 : HF_SLOTS;
    if (entry[i] < HF_SLOTS) {
      bool runs = entry_running(decision, i) == entry[i];
      any = true;
      all = all && runs && decision->swap[i].primary.image_ok != HF_MARK_UNSET;
    }
  }
  return any && all;
}

static bool end_trials(struct decision *decision)
{
  uint8_t entry[HF_IMAGES_MAX];
  bool confirmed = trial_confirmed(decision, entry);
  bool failed = false;
  for (uint8_t i = 0; i < decision->state.images; i++) {
    if (entry[i] < HF_SLOTS && confirmed) {
      entry_confirm(decision, i, entry[i]);
    } else if (entry[i] < HF_SLOTS && !failed) {
      uint16_t rule = decision->state.trial_rule != 0 ? decision->state.trial_rule : HF_RULE_BOOT_NOT_CONFIRMED;
      hf_bootstate_fail(&decision->state, i, entry[i], rule, decision->config->boot.reset);
      blame(decision, i, rule);
      decision->choice->reset = HF_RESET_REVERT;
      failed = true;
    }
  }
  if (failed) {
    decision->state.trial_rule = 0;
    entries_fail(decision, HF_SLOT_TRYING);
  }
  /* What the records do not know and the trailers call a trial that had its run. */
  for (uint8_t i = 0; i < decision->state.images; i++) {
    const struct hf_swap *swap = &decision->swap[i];
    if (has_swaps(decision) && hf_trailer_swap_type(&swap->primary, &swap->secondary) == HF_SWAP_REVERT &&
        entry_running(decision, i) == HF_SLOTS && decision->choice->info.total_len != 0) {
      uint8_t bad = entry_bind(decision, i, &decision->choice->info, HF_SLOT_BAD);
      hf_bootstate_fail(&decision->state, i, bad, HF_RULE_BOOT_NOT_CONFIRMED, decision->config->boot.reset);
      decision->choice->reset = HF_RESET_REVERT;
    }
  }
  /* Written before anything moves or runs on the strength of it. */
  return !decision->changed || !decision->records || write_state(decision);
}

/* What the trailers ask for, without what is known to be bad or to be there already. */
static bool find_pending(struct decision *decision)
{
  for (uint8_t i = 0; i < decision->state.images; i++) {
    struct hf_swap *swap = &decision->swap[i];
    enum hf_swap_type type = hf_trailer_swap_type(&swap->primary, &swap->secondary);
    if (type != HF_SWAP_TEST && type != HF_SWAP_PERM) {
      continue;
    }
    struct look look, runs;
    look_at(&look, decision, i, 0, 0);
    runs = look;
    look_at(&look, decision, i, 1, update_sector(decision));
    uint8_t entry = look.there ? entry_find(&decision->state.image[i], look.digest) : HF_SLOTS;
    enum hf_slot_status status = entry < HF_SLOTS ? decision->state.image[i].slot[entry].status : HF_SLOT_EMPTY;
    bool same = runs.there && look.there && memcmp(runs.digest, look.digest, HF_SHA256_LEN) == 0;
    if (status == HF_SLOT_BAD || (status == HF_SLOT_CONFIRMED && same)) {
      if (flash_failed(decision, i, hf_swap_forget(swap))) {
        return false;
      }
    } else {
      decision->pending |= HF_BOOT_IMAGE(i);
    }
  }
  return true;
}

/* One of the set is refused: all of it is, and none is asked for any more. */
static bool refuse_pending(struct decision *decision)
{
  uint8_t image = decision->choice->why_image;
  uint16_t rule = decision->choice->why.rule;
  struct look look;
  uint8_t entry = 1;
  for (uint8_t i = 0; i < decision->state.images; i++) {
    look_at(&look, decision, i, 1, update_sector(decision));
    if ((decision->pending >> i & 1) != 0 && look.there) {
      uint8_t bad = entry_bind(decision, i, &decision->choice->info, HF_SLOT_BAD);
      entry = i == image ? bad : entry;
    }
  }
  entries_fail(decision, HF_SLOT_STAGED);
  hf_bootstate_fail(&decision->state, image, entry, rule, decision->config->boot.reset);
  bool good = !decision->records || write_state(decision);
  for (uint8_t i = 0; i < decision->state.images && good; i++) {
    if ((decision->pending >> i & 1) != 0) {
      good = !flash_failed(decision, i, hf_swap_forget(&decision->swap[i]));
    }
  }
  blame(decision, image, rule);
  decision->pending = 0;
  return good;
}

/* Write down what is about to come in, so that it is known when it is there. */
static bool bind_pending(struct decision *decision)
{
  struct look look;
  for (uint8_t i = 0; i < decision->state.images; i++) {
    if ((decision->pending >> i & 1) == 0) {
      continue;
    }
    look_at(&look, decision, i, 1, update_sector(decision));
    uint8_t entry = entry_find(&decision->state.image[i], look.digest);
    if (entry == HF_SLOTS || decision->state.image[i].slot[entry].status != HF_SLOT_STAGED) {
      (void)entry_bind(decision, i, &decision->choice->info, HF_SLOT_STAGED);
    }
  }
  return !decision->changed || write_state(decision);
}

static bool overwrite_pending(struct decision *decision)
{
  struct look look;
  for (uint8_t i = 0; i < decision->state.images; i++) {
    if ((decision->pending >> i & 1) == 0) {
      continue;
    }
    look_at(&look, decision, i, 1, 0);
    enum hf_err err = seal_open(decision, i, 1, &look);
    err = err == HF_OK ? hf_swap_overwrite(&decision->swap[i], look.total) : err;
    if (flash_failed(decision, i, err) || !allowed(slot_verify(decision, i, 0, 0))) {
      return false;
    }
    uint8_t entry = entry_bind(decision, i, &decision->choice->info, HF_SLOT_STAGED);
    entry_confirm(decision, i, entry);
    decision->state.image[i].slot[1 - entry] = (struct hf_bootslot){0};
  }
  if (!write_state(decision)) {
    return false;
  }
  for (uint8_t i = 0; i < decision->state.images; i++) {
    if ((decision->pending >> i & 1) != 0 && flash_failed(decision, i, hf_swap_forget(&decision->swap[i]))) {
      return false;
    }
  }
  decision->choice->reset = HF_RESET_UPDATE;
  return true;
}

static bool swap_pending(struct decision *decision)
{
  for (uint8_t i = 0; i < decision->state.images; i++) {
    if ((decision->pending >> i & 1) == 0) {
      continue;
    }
    /* Every update is a trial here, also one that was marked as permanent: it has to say that it is healthy. */
    enum hf_err err = exchange(decision, i, HF_SWAP_TEST);
    err = err == HF_OK ? settle(decision, i) : err;
    if (flash_failed(decision, i, err)) {
      return false;
    }
  }
  return true;
}

static bool bring_in(struct decision *decision)
{
  if (decision->pending == 0) {
    return true;
  }
  enum hf_verdict verdict = pending_verify(decision);
  if (!allowed(verdict)) {
    return refuse_pending(decision);
  }
  if (!bind_pending(decision)) {
    decision->pending = 0; /* what cannot be written down is not begun; what runs goes on running */
    return true;
  }
  return has_swaps(decision) ? swap_pending(decision) : overwrite_pending(decision);
}

/* What came in and has not run: its trial begins, on record before it runs. */
static bool begin_trials(struct decision *decision)
{
  uint8_t entry[HF_IMAGES_MAX];
  bool any = false;
  for (uint8_t i = 0; i < decision->state.images; i++) {
    uint8_t runs = entry_running(decision, i);
    bool staged = runs < HF_SLOTS && decision->state.image[i].slot[runs].status == HF_SLOT_STAGED;
    entry[i] = staged ? runs : HF_SLOTS;
    any = any || staged;
  }
  if (!any) {
    return true;
  }
  for (uint8_t i = 0; i < decision->state.images; i++) {
    if (entry[i] < HF_SLOTS && !allowed(slot_verify(decision, i, 0, 0))) {
      hf_bootstate_fail(&decision->state, i, entry[i], decision->choice->why.rule, decision->config->boot.reset);
      entries_fail(decision, HF_SLOT_STAGED);
      return write_state(decision);
    }
  }
  for (uint8_t i = 0; i < decision->state.images; i++) {
    if (entry[i] < HF_SLOTS) {
      decision->state.image[i].slot[entry[i]].status = HF_SLOT_TRYING;
    }
  }
  decision->state.trial_rule = 0;
  decision->choice->trial = true;
  decision->choice->reset = HF_RESET_UPDATE;
  return write_state(decision);
}

/* Slot 0 holds what must not run, or nothing that can: the confirmed image comes back from slot 1. */
static bool restore(struct decision *decision, uint8_t image)
{
  struct hf_bootimage *record = &decision->state.image[image];
  if (!has_swaps(decision) || !allowed(slot_verify(decision, image, 1, 0))) {
    return false;
  }
  uint8_t entry = entry_find(record, decision->choice->info.digest);
  bool confirmed = entry < HF_SLOTS && record->slot[entry].status == HF_SLOT_CONFIRMED;
  bool unknown = entry == HF_SLOTS && record->slot[record->active].status != HF_SLOT_CONFIRMED;
  if (!confirmed && !unknown) {
    blame(decision, image, HF_RULE_BOOT_DIGEST);
    return false;
  }
  enum hf_err err = exchange(decision, image, HF_SWAP_REVERT);
  err = err == HF_OK ? settle(decision, image) : err;
  return !flash_failed(decision, image, err);
}

static bool go_back(struct decision *decision)
{
  for (uint8_t i = 0; i < decision->state.images; i++) {
    struct hf_why why = decision->choice->why;
    uint8_t entry = entry_running(decision, i);
    bool bad = entry < HF_SLOTS && decision->state.image[i].slot[entry].status == HF_SLOT_BAD;
    if (bad && has_swaps(decision) && !restore(decision, i)) {
      return false;
    }
    decision->choice->why = why; /* going back is no news beside what led to it */
  }
  return true;
}

/* What stands in slot 0 now is run, or nothing is. */
static enum hf_verdict run_verify(struct decision *decision, uint8_t image)
{
  struct hf_bootimage *record = &decision->state.image[image];
  enum hf_verdict verdict = slot_verify(decision, image, 0, 0);
  if (!allowed(verdict)) {
    return HF_DENY;
  }
  uint8_t entry = entry_find(record, decision->choice->info.digest);
  enum hf_slot_status status = entry < HF_SLOTS ? record->slot[entry].status : HF_SLOT_EMPTY;
  if (status == HF_SLOT_EMPTY) {
    /* Fresh from the factory, or put there by other tools: ours by its signature, and not below the floor. */
    entry = entry_bind(decision, image, &decision->choice->info, HF_SLOT_CONFIRMED);
    entry_confirm(decision, image, entry);
    status = HF_SLOT_CONFIRMED;
  }
  if (status == HF_SLOT_CONFIRMED || (status == HF_SLOT_TRYING && decision->choice->trial)) {
    return verdict;
  }
  blame(decision, image, HF_RULE_BOOT_NOT_CONFIRMED);
  return HF_DENY;
}

/* Image 0 last: its info is handed out. Another image may be absent when it never was installed. */
static bool run_all(struct decision *decision)
{
  enum hf_verdict verdict = HF_DENY;
  for (uint8_t i = decision->state.images; i-- > 0;) {
    struct hf_why why = decision->choice->why;
    uint8_t why_image = decision->choice->why_image;
    const struct hf_bootimage *record = &decision->state.image[i];
    bool installed = i == 0 || record->slot[0].status != HF_SLOT_EMPTY || record->slot[1].status != HF_SLOT_EMPTY;
    verdict = run_verify(decision, i);
    if (!allowed(verdict) && installed && restore(decision, i)) {
      uint16_t rule = decision->choice->why.rule;
      hf_bootstate_fail(&decision->state, i, record->active, rule, decision->config->boot.reset);
      decision->changed = true;
      verdict = run_verify(decision, i);
    } else if (allowed(verdict) || !installed) {
      decision->choice->why = why;
      decision->choice->why_image = why_image;
    }
    decision->choice->slot[i] = allowed(verdict) ? 0 : HF_SLOTS;
    if (!allowed(verdict) && installed) {
      return false;
    }
  }
  decision->choice->verdict = verdict;
  return allowed(verdict);
}

static bool decide(struct decision *decision)
{
  return finish_swaps(decision) && end_trials(decision) && find_pending(decision) && bring_in(decision) &&
         begin_trials(decision) && go_back(decision) && run_all(decision);
}

static enum hf_err begin(struct decision *decision)
{
  const struct hf_layout *layout = decision->config->boot.layout;
  enum hf_err err = hf_bootstate_check(&layout->boot, layout->images);
  for (uint8_t i = 0; i < layout->images && err == HF_OK; i++) {
    err = hf_trailer_check(&decision->config->format, layout->slot[i]);
    decision->swap[i] =
        (struct hf_swap){.format = &decision->config->format, .slot = layout->slot[i], .box = decision->config->box};
  }
  return err == HF_OK ? hf_bootstate_get(&decision->state, &layout->boot) : HF_E_INPUT;
}

enum hf_err hf_swapboot_choose(struct hf_boot_choice *choice, const struct hf_swapboot_config *config)
{
  *choice = (struct hf_boot_choice){.verdict = HF_DENY, .reset = config->boot.reset};
  memset(choice->slot, HF_SLOTS, sizeof choice->slot);
  struct decision decision = {.choice = choice, .config = config};
  enum hf_err err = begin(&decision);
  if (err == HF_E_INPUT || err == HF_E_VERSION || decision.state.images > config->boot.layout->images) {
    return err == HF_E_INPUT ? HF_E_INPUT : HF_E_VERSION;
  }
  if (err == HF_E_IO) {
    /* What cannot be read cannot say that a trial is over: nothing runs. */
    choice->why = (struct hf_why){.rule = HF_RULE_BOOT_FLASH};
    return HF_OK;
  }
  bool lost = err == HF_E_DENIED;
  decision.records = err == HF_OK;
  decision.changed = err == HF_OK && decision.state.lags;
  decision.state.images = config->boot.layout->images;
  bool runs = decide(&decision);
  if (!runs) {
    choice->verdict = HF_DENY;
    choice->why.rule = choice->why.rule == 0 ? HF_RULE_BOOT_NOTHING : choice->why.rule;
    return HF_OK;
  }
  if (lost) {
    blame(&decision, 0, HF_RULE_BOOT_RECORDS_LOST);
    hf_bootstate_fail(&decision.state, 0, decision.state.image[0].active, HF_RULE_BOOT_RECORDS_LOST,
                      config->boot.reset);
  }
  if (decision.changed) {
    (void)write_state(&decision);
  }
  return HF_OK;
}
