/* SPDX-License-Identifier: Apache-2.0
 * One update from the director's order to a staged slot. Progress, outcome and tries are one record, so that none of
 * them can be ahead of the others.
 */
#include "hf/device/update.h"

#include <string.h>

#include "hf/base/math.h"
#include "hf/device/download.h"
#include "hf/device/refresh.h"
#include "hf/device/slot.h"
#include "hf/device/timekey.h"
#include "hf/device/unseal.h"

/* Flash may refuse this; nothing better could be done here, and what is lost is said again or done again later. */
static void best_effort(enum hf_err err) { (void)err; }

static enum hf_err save(struct hf_update *update)
{
  uint8_t record[HF_PROGRESS_LEN];
  struct hf_buf out = hf_buf_init(record, sizeof record);
  hf_progress_encode(&out, &update->progress);
  return hf_store_put(update->store, HF_STORE_PROGRESS, hf_buf_bytes(&out));
}

enum hf_err hf_update_open(struct hf_update *update, const struct hf_update_setup *setup)
{
  update->setup = setup;
  update->records.layout = setup->layout;
  update->loader = setup->loader.ops != NULL
                       ? setup->loader
                       : (struct hf_boot_loader){.ops = &hf_boot_records_ops, .ctx = &update->records};
  update->progress = (struct hf_update_progress){0};
  size_t least = setup->secondaries != NULL ? HF_UPDATE_WORK_MIN + HF_REPORT_MAX : HF_UPDATE_WORK_MIN;
  if (setup->work_cap < least) {
    return HF_E_SPACE;
  }
  uint8_t record[HF_PROGRESS_LEN];
  struct hf_buf in = hf_buf_init(record, sizeof record);
  if (hf_store_get(&in, update->store, HF_STORE_PROGRESS) == HF_OK) {
    hf_progress_parse(&update->progress, hf_buf_bytes(&in));
  }
  return setup->secondaries != NULL ? setup->secondaries->ops->open(setup->secondaries, update) : HF_OK;
}

/* Which event tells of a state; 0: none does. */
static uint8_t event_of(enum hf_update_state state)
{
  static const uint8_t kind[HF_UPDATE_STATES] = {
      [HF_UPDATE_OFFERED] = HF_EVENT_OFFERED,   [HF_UPDATE_STAGED] = HF_EVENT_STAGED,
      [HF_UPDATE_TRYING] = HF_EVENT_TRYING,     [HF_UPDATE_CONFIRMED] = HF_EVENT_CONFIRMED,
      [HF_UPDATE_REVERTED] = HF_EVENT_REVERTED, [HF_UPDATE_FAILED] = HF_EVENT_FAILED,
      [HF_UPDATE_REFUSED] = HF_EVENT_REFUSED,   [HF_UPDATE_POSTPONED] = HF_EVENT_POSTPONED};
  return kind[state];
}

enum hf_err hf_update_put_event(struct hf_update *update, uint16_t kind, uint16_t rule)
{
  uint8_t text[HF_VERSION_TEXT_MAX];
  struct hf_buf out = hf_buf_init(text, sizeof text);
  if (update->progress.named) {
    hf_version_put(&out, &update->progress.version);
  }
  const struct hf_checkin_event event = {
      .kind = kind, .time = hf_clock_now(update->clock), .rule = rule, .subject = hf_buf_bytes(&out)};
  return hf_events_put(update->events, &event);
}

enum hf_err hf_update_put_state(struct hf_update *update, enum hf_update_state state, uint16_t rule)
{
  struct hf_update_progress *progress = &update->progress;
  uint8_t kind = event_of(state);
  bool news = kind != 0 && (progress->told_kind != kind || progress->told_rule != rule);
  progress->state = state;
  progress->rule = rule;
  if (news || state == HF_UPDATE_IDLE) {
    progress->told_kind = kind;
    progress->told_rule = rule;
  }
  /* The event first: a power cut in between repeats it rather than losing it. */
  enum hf_err err = news ? hf_update_put_event(update, kind, rule) : HF_OK;
  enum hf_err saved = save(update);
  return err == HF_OK ? saved : err;
}

/* An outcome that ends this run; the store's own failure does not hide it. */
static enum hf_err end(struct hf_update *update, enum hf_update_state state, uint16_t rule, enum hf_err err)
{
  best_effort(hf_update_put_state(update, state, rule));
  return err;
}

/* The boot loader's state took no change. HF_E_STATE is nobody's failure: what runs is not what is on record, and the
 * next boot puts that right. */
static enum hf_err loader_failed(struct hf_update *update, enum hf_err err)
{
  return err == HF_E_STATE ? err : end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_FLASH, HF_E_IO);
}

static enum hf_err refuse(struct hf_update *update, uint16_t rule)
{
  return end(update, HF_UPDATE_REFUSED, rule, HF_E_DENIED);
}

/* Refused before it was clear what it is about. */
static enum hf_err refuse_metadata(struct hf_update *update, uint16_t rule)
{
  update->progress.named = false;
  return refuse(update, rule);
}

/* ---- metadata ---- */

static enum hf_err refresh(struct hf_update *update, struct hf_refresh *refresh, const struct hf_refresh_source *source)
{
  enum hf_err err = hf_refresh_get(refresh, source, update->store, update->clock);
  switch (err) {
    case HF_OK: return HF_OK;
    case HF_E_DENIED: return refuse_metadata(update, hf_tufclient_why(&refresh->client).rule);
    case HF_E_NOT_FOUND: return refuse_metadata(update, HF_RULE_AGENT_TRUST);
    case HF_E_AGAIN: return HF_E_AGAIN;
    default: return end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_STORE, err);
  }
}

/* Everything one run works on. */
struct run {
  struct hf_boot_view boot;
  struct hf_uptane_installed installed[HF_IMAGES_MAX];
  struct hf_uptane_self self;
  struct hf_uptane_plan plan;
  uint8_t todo;    /* images that do not run what is ordered for them; secondaries follow the images */
  uint8_t lost;    /* secondaries that do not answer */
  bool consistent; /* the image repository's file names carry hashes */
};

/* Is this item of the plan still to be installed? */
static bool is_todo(const struct run *run, size_t i)
{
  return (run->todo & HF_BOOT_IMAGE(run->plan.item[i].component)) != 0;
}

/* Our own images, as a mask. */
static uint8_t own_images(const struct run *run) { return (uint8_t)((1u << run->boot.images) - 1); }

/* The secondary that is this component; NULL: an image of our own. */
static const struct hf_secondary *second_of(const struct hf_update *update, const struct run *run, uint8_t component)
{
  return component < run->boot.images ? NULL : &update->setup->secondaries->at[component - run->boot.images];
}

/* Nothing to do: what came to an end stays said, what was under way is void, what was staged is taken back. */
static enum hf_err nothing(struct hf_update *update, struct run *run)
{
  enum hf_update_state state = update->progress.state;
  uint8_t staged = 0;
  for (uint8_t i = 0; i < run->boot.images; i++) {
    if (run->boot.image[i].other.status == HF_SLOT_STAGED) {
      staged |= HF_BOOT_IMAGE(i);
    }
  }
  if (staged != 0) {
    enum hf_err err = update->loader.ops->release(update->loader.ctx, staged);
    if (err != HF_OK) {
      return err;
    }
  }
  bool ended = state == HF_UPDATE_CONFIRMED || state == HF_UPDATE_REVERTED || state == HF_UPDATE_IDLE;
  return ended ? HF_OK : hf_update_put_state(update, HF_UPDATE_IDLE, 0);
}

/* A secondary that refuses ends the run; one that does not answer is asked again, and it is seen. */
static enum hf_err second_failed(struct hf_update *update, enum hf_err err)
{
  return err == HF_E_AGAIN ? end(update, HF_UPDATE_FAILED, HF_RULE_UPTANE_SECONDARY_LOST, HF_E_AGAIN)
                           : refuse(update, HF_RULE_UPTANE_SECONDARY);
}

/* A set is installed whole or not at all: every component it names or depends on must be there. */
static enum hf_err none_lost(struct hf_update *update, const struct run *run)
{
  uint8_t mask = 0;
  for (size_t i = 0; i < run->plan.count; i++) {
    mask |= HF_BOOT_IMAGE(run->plan.item[i].component);
  }
  for (size_t i = 0; i < run->plan.need_count; i++) {
    mask |= HF_BOOT_IMAGE(run->plan.need[i].component);
  }
  return (mask & run->lost) == 0 ? HF_OK : second_failed(update, HF_E_AGAIN);
}

static enum hf_err ask_director(struct hf_update *update, struct run *run)
{
  const struct hf_update_setup *setup = update->setup;
  const struct hf_refresh_source source = {.transport = &setup->transport,
                                           .path = setup->director_path != NULL ? setup->director_path : "/director/",
                                           .key = HF_STORE_TRUST_DIRECTOR,
                                           .work = setup->work,
                                           .work_cap = setup->work_cap,
                                           .shared = true};
  struct hf_refresh director;
  struct hf_secondaries *group = setup->secondaries;
  enum hf_err handed = group != NULL ? group->ops->put_roots(group, update, source.path) : HF_OK;
  enum hf_err err = refresh(update, &director, &source);
  if (err != HF_OK) {
    return err;
  }
  struct hf_why why = {0};
  const struct hf_tuf_file *targets = hf_tufclient_targets(&director.client);
  enum hf_verdict verdict = hf_uptane_director_verify(&run->plan, targets, &run->self, &why);
  update->judged = why.rule != HF_RULE_UPTANE_DEVICE ? targets->version : 0;
  /* Another device's versions, however high, must not become the floor of ours. */
  if (why.rule != HF_RULE_UPTANE_DEVICE && hf_refresh_keep(&director, &source, update->store) != HF_OK) {
    return end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_STORE, HF_E_IO);
  }
  if (verdict != HF_ALLOW) {
    return refuse_metadata(update, why.rule);
  }
  best_effort(hf_timekey_put(update->store, update->clock, targets)); /* done again at the next refresh */
  if (group != NULL && handed == HF_OK && run->plan.count > 0) {
    handed = group->ops->put_targets(group, targets->text);
  }
  return handed == HF_OK ? HF_OK : second_failed(update, handed);
}

/* Each item judged against what the search finds, then the set as a whole. The first search reads the targets file that
 * the refresh left in the buffer; when it fetched anything, the next one needs that file again. */
static enum hf_err agree(struct hf_update *update, struct run *run, struct hf_refresh *images,
                         const struct hf_refresh_source *source)
{
  struct hf_why why = {0};
  enum hf_verdict verdict = HF_ALLOW;
  for (size_t i = 0; i < run->plan.count && verdict == HF_ALLOW; i++) {
    struct hf_target_file file;
    if (images->spoiled) {
      enum hf_err again = refresh(update, images, source);
      if (again != HF_OK) {
        update->judged = 0;
        return again;
      }
    }
    enum hf_err err = hf_refresh_find(images, source, &file, hf_uptane_item_path(&run->plan.item[i]), &why);
    if (err == HF_E_AGAIN || err == HF_E_IO) {
      update->judged = 0;
      return HF_E_AGAIN;
    }
    if (err == HF_E_NOT_FOUND) {
      hf_why_put(&why, HF_RULE_UPTANE_NOT_LISTED, 0);
    }
    verdict = err == HF_OK ? hf_uptane_item_verify(&run->plan, i, &file, &run->self, &why) : HF_DENY;
  }
  if (verdict == HF_ALLOW) {
    verdict = hf_uptane_plan_verify(&run->plan, &run->self, &why);
  }
  return verdict == HF_ALLOW ? HF_OK : refuse_metadata(update, why.rule);
}

static enum hf_err ask_images(struct hf_update *update, struct run *run)
{
  struct hf_refresh images;
  char path[HF_HTTP_PATH_MAX];
  struct hf_buf out = hf_buf_init(path, sizeof path);
  hf_buf_put_text(&out, update->setup->image_path != NULL ? update->setup->image_path : "/repo/");
  hf_buf_put_text(&out, "metadata/");
  if (hf_buf_terminate(&out) != HF_OK) {
    return HF_E_INPUT;
  }
  const struct hf_refresh_source source = {.transport = &update->setup->transport,
                                           .path = path,
                                           .key = HF_STORE_TRUST_IMAGE,
                                           .work = update->setup->work,
                                           .work_cap = update->setup->work_cap};
  enum hf_err err = refresh(update, &images, &source);
  if (err != HF_OK) {
    update->judged = 0; /* about the repository, not about the order */
    return err;
  }
  best_effort(hf_clock_put_signed(update->clock, update->store, hf_tufclient_targets(&images.client)->expires));
  run->consistent = images.trust.root.consistent_snapshot;
  return agree(update, run, &images, &source);
}

/* ---- the images ---- */

/* What identifies the set that is to be installed: one file by its own hash, several by the hash of their hashes. */
static void set_identity(struct hf_update_progress *set, const struct hf_update *update, const struct run *run)
{
  struct hf_sha256 hash;
  uint8_t count = 0;
  *set = (struct hf_update_progress){.len = 0};
  hf_sha256_init(&hash);
  for (size_t i = 0; i < run->plan.count; i++) { /* in the order of installation */
    const struct hf_uptane_item *item = &run->plan.item[i];
    if (!is_todo(run, i)) {
      continue;
    }
    count++;
    hf_sha256_put(&hash, hf_bytes_init(item->sha256, sizeof item->sha256));
    memcpy(set->sha256, item->sha256, sizeof set->sha256);
    set->len += item->length; /* each fits its slot, and flash has 32-bit addresses */
    if (second_of(update, run, item->component) == NULL && run->boot.image[item->component].target == 1) {
      set->slot |= HF_BOOT_IMAGE(item->component);
    }
    set->security = set->security || item->security;
    set->version = item->version;
  }
  if (count > 1) {
    hf_sha256_get(&hash, set->sha256);
  }
}

static enum hf_err check_sizes(struct hf_update *update, const struct run *run)
{
  for (size_t i = 0; i < run->plan.count; i++) {
    struct hf_area area;
    const struct hf_uptane_item *item = &run->plan.item[i];
    if (!is_todo(run, i) || second_of(update, run, item->component) != NULL) {
      continue;
    }
    enum hf_err err = update->loader.ops->target(update->loader.ctx, &area, item->component);
    if (err != HF_OK || item->length > area.size) {
      return refuse(update, HF_RULE_UPDATE_SLOT_SIZE);
    }
  }
  return HF_OK;
}

/* Take up the order: another target than before starts from nothing. */
static enum hf_err offer(struct hf_update *update, const struct run *run, int64_t deadline)
{
  struct hf_update_progress set;
  struct hf_update_progress *progress = &update->progress;
  set_identity(&set, update, run);
  bool same = memcmp(progress->sha256, set.sha256, HF_SHA256_LEN) == 0 && progress->len == set.len &&
              progress->slot == set.slot;
  if (!same) {
    /* A wish for later outlives the target it was made for, within the bounds of the new one. */
    set.postponed = progress->postponed;
    set.failures = progress->failures;
    set.offered = hf_clock_now(update->clock);
    *progress = set;
  }
  progress->version = set.version;
  progress->named = true;
  progress->security = set.security;
  progress->deadline = deadline;
  if (progress->tries >= HF_UPDATE_TRIES_MAX) {
    /* "Reverted" is the whole truth about it, and stays said. */
    return progress->state == HF_UPDATE_REVERTED ? HF_E_DENIED : refuse(update, HF_RULE_UPDATE_TRIES);
  }
  enum hf_err err = check_sizes(update, run);
  return err != HF_OK || same ? err : hf_update_put_state(update, HF_UPDATE_OFFERED, 0);
}

/* One file's progress within that of all. */
struct part {
  struct hf_update *update;
  uint32_t base; /* bytes of the files before it */
};

static enum hf_err save_at(void *ctx, uint32_t at)
{
  const struct part *part = ctx;
  part->update->progress.at = part->base + at;
  enum hf_err err = save(part->update);
  return err == HF_OK ? HF_OK : HF_E_FULL;
}

static enum hf_err target_path(struct hf_buf *out, const struct hf_update *update, const struct run *run, size_t i)
{
  const struct hf_uptane_item *item = &run->plan.item[i];
  hf_buf_put_text(out, update->setup->image_path != NULL ? update->setup->image_path : "/repo/");
  hf_buf_put_text(out, "targets/");
  hf_target_put_url(out, hf_uptane_item_path(item), item->sha256, run->consistent);
  return hf_buf_terminate(out);
}

/* One file to a secondary, which verifies and keeps it. */
static enum hf_err stream_one(struct hf_update *update, const struct hf_uptane_item *item, const char *path,
                              uint8_t second, uint32_t base)
{
  struct hf_secondaries *group = update->setup->secondaries;
  enum hf_err err = group->ops->stream(group, update, second, item, path, base);
  switch (err) {
    case HF_OK: break;
    case HF_E_AGAIN: return HF_E_AGAIN;
    case HF_E_SPACE: return refuse(update, HF_RULE_UPDATE_LENGTH);
    default: return refuse(update, HF_RULE_UPTANE_SECONDARY);
  }
  update->progress.at = base + item->length;
  err = save(update);
  return err == HF_OK ? HF_OK : end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_STORE, HF_E_FULL);
}

/* One file, from where it stopped; HF_OK: it is whole, with the hash that the metadata says. */
static enum hf_err download_one(struct hf_update *update, const struct run *run, size_t i, uint32_t base)
{
  const struct hf_update_setup *setup = update->setup;
  const struct hf_uptane_item *item = &run->plan.item[i];
  struct part part = {.update = update, .base = base};
  struct hf_area area;
  char path[HF_HTTP_PATH_MAX];
  struct hf_buf out = hf_buf_init(path, sizeof path);
  uint32_t have = update->progress.at > base ? update->progress.at - base : 0;
  enum hf_err err = target_path(&out, update, run, i);
  if (err == HF_OK && second_of(update, run, item->component) != NULL) {
    return stream_one(update, item, path, (uint8_t)(item->component - run->boot.images), base);
  }
  if (err == HF_OK) {
    err = update->loader.ops->target(update->loader.ctx, &area, item->component);
  }
  if (err != HF_OK) {
    return end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_FLASH, HF_E_IO);
  }
  struct hf_download task = {.transport = &setup->transport,
                             .area = &area,
                             .path = path,
                             .len = item->length,
                             .at = have < item->length ? have : item->length,
                             .step = setup->step != 0 ? setup->step : HF_UPDATE_STEP,
                             .save = save_at,
                             .save_ctx = &part};
  uint8_t digest[HF_SHA256_LEN];
  switch (hf_download_get(&task, digest)) {
    case HF_OK: break;
    case HF_E_AGAIN: return HF_E_AGAIN;
    case HF_E_SPACE: update->progress.at = base; return refuse(update, HF_RULE_UPDATE_LENGTH);
    case HF_E_FULL: return end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_STORE, HF_E_FULL);
    default: update->progress.at = base; return end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_FLASH, HF_E_IO);
  }
  if (memcmp(digest, item->sha256, HF_SHA256_LEN) != 0) {
    update->progress.at = base;
    return refuse(update, HF_RULE_UPDATE_HASH);
  }
  return HF_OK;
}

/* All files, in the stated order. A file that is whole is hashed again, for flash may have rotted meanwhile; its own
 * save must not take back what is known of those behind it. */
static enum hf_err download(struct hf_update *update, const struct run *run)
{
  bool whole = update->progress.at == update->progress.len;
  uint32_t base = 0;
  uint8_t own = run->todo & own_images(run);
  enum hf_err err = own != 0 ? update->loader.ops->release(update->loader.ctx, own) : HF_OK;
  if (err != HF_OK) {
    return loader_failed(update, err);
  }
  if (!whole) {
    err = hf_update_put_state(update, HF_UPDATE_DOWNLOADING, 0);
    err = err == HF_OK ? HF_OK : end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_STORE, HF_E_FULL);
  }
  for (size_t i = 0; i < run->plan.count && err == HF_OK; i++) {
    if (is_todo(run, i)) {
      uint32_t behind = update->progress.at;
      err = download_one(update, run, i, base);
      base += run->plan.item[i].length;
      if (err == HF_OK && behind > base) {
        update->progress.at = behind;
      }
    }
  }
  if (err != HF_OK || whole) {
    return err;
  }
  return hf_update_put_event(update, HF_EVENT_DOWNLOADED, 0);
}

/* An image's own signature and what it says of itself, against the device and against the metadata. */
static enum hf_err verify_image(struct hf_update *update, const struct run *run, struct hf_bootslot *staged, size_t i)
{
  const struct hf_uptane_item *item = &run->plan.item[i];
  const struct hf_image_policy policy = {.hardware = run->installed[item->component].hardware,
                                         .component = run->installed[item->component].component,
                                         .counter_min = run->boot.image[item->component].counter,
                                         .counter_optional = true,
                                         .opened = true};
  struct hf_area area;
  struct hf_image_info info;
  struct hf_why why = {0};
  if (update->loader.ops->target(update->loader.ctx, &area, item->component) != HF_OK) {
    return end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_FLASH, HF_E_IO);
  }
  struct hf_seal_view view;
  struct hf_image_source from = hf_slot_source(&area);
  enum hf_err err = hf_seal_view_init(&view, &from, update->setup->box, &why);
  struct hf_image_source source = hf_seal_view_source(&view);
  bool good = err == HF_OK && hf_image_verify(&info, &source, update->setup->keys, &policy, &why) == HF_ALLOW;
  hf_secret_wipe(&view.seal, sizeof view.seal);
  if (!good) {
    return refuse(update, why.rule != 0 ? why.rule : HF_RULE_IMAGE_READ);
  }
  if (memcmp(info.digest, item->image, HF_SHA256_LEN) != 0 || info.counter != item->counter ||
      hf_version_order(&info.version, &item->version) != 0) {
    return refuse(update, HF_RULE_UPDATE_IMAGE);
  }
  hf_bootstate_bind(&staged[item->component], &info, HF_SLOT_STAGED);
  return HF_OK;
}

static enum hf_err verify_images(struct hf_update *update, const struct run *run, struct hf_bootslot *staged)
{
  enum hf_err err = HF_OK;
  for (size_t i = 0; i < run->plan.count && err == HF_OK; i++) {
    bool own = second_of(update, run, run->plan.item[i].component) == NULL;
    err = own && is_todo(run, i) ? verify_image(update, run, staged, i) : HF_OK;
  }
  return err;
}

/* ---- postponing ---- */

static int64_t span_max(const struct hf_update *update)
{
  uint32_t max_s = update->setup->postpone_max_s;
  return max_s != 0 ? max_s : HF_UPDATE_POSTPONE_MAX_S;
}

/* The latest time the user may put this update off to. */
static int64_t postpone_limit(const struct hf_update *update)
{
  const struct hf_update_setup *setup = update->setup;
  const struct hf_update_progress *progress = &update->progress;
  int64_t span = span_max(update);
  if (progress->security) {
    int64_t security =
        setup->postpone_security_max_s != 0 ? setup->postpone_security_max_s : HF_UPDATE_POSTPONE_SECURITY_MAX_S;
    span = security < span ? security : span;
  }
  int64_t limit = hf_add_sat_i64(progress->offered, span);
  return progress->deadline != 0 && progress->deadline < limit ? progress->deadline : limit;
}

static bool postponed(const struct hf_update *update)
{
  int64_t limit = postpone_limit(update);
  int64_t until = update->progress.postponed < limit ? update->progress.postponed : limit;
  return hf_clock_now(update->clock) < until;
}

enum hf_err hf_update_postpone(struct hf_update *update, int64_t *granted, int64_t until)
{
  enum hf_update_state state = update->progress.state;
  bool offered = state == HF_UPDATE_OFFERED || state == HF_UPDATE_DOWNLOADING || state == HF_UPDATE_POSTPONED;
  bool late = state == HF_UPDATE_STAGED || state == HF_UPDATE_TRYING;
  if (late || !hf_clock_known(update->clock)) {
    return HF_E_STATE;
  }
  /* Before there is an offer the wish is kept for the one that comes; `stage` holds it to that one's bounds. */
  int64_t limit = offered ? postpone_limit(update) : hf_add_sat_i64(hf_clock_now(update->clock), span_max(update));
  update->progress.postponed = until < limit ? (until > 0 ? until : 0) : limit;
  if (granted != NULL) {
    *granted = update->progress.postponed;
  }
  return save(update);
}

/* ---- all of it ---- */

/* Where nobody decrypts on the way, what was verified is decrypted where it lies. The download is forgotten before its
 * first byte changes: a power cut in the middle begins it again. */
static enum hf_err open_in_place(struct hf_update *update, const struct run *run, size_t i)
{
  const struct hf_update_setup *setup = update->setup;
  struct hf_buf work = hf_buf_init(setup->work, setup->work_cap);
  struct hf_area area;
  uint8_t head[HF_IMAGE_HEADER_LEN];
  struct hf_why why = {0};
  enum hf_err err = update->loader.ops->target(update->loader.ctx, &area, run->plan.item[i].component);
  err = err == HF_OK ? hf_area_read(&area, 0, head, sizeof head) : err;
  if (err != HF_OK || (head[16] & HF_IMAGE_ENCRYPTED) == 0) {
    return err == HF_OK ? HF_OK : end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_FLASH, HF_E_IO);
  }
  update->progress.at = 0;
  if (save(update) != HF_OK) {
    return end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_STORE, HF_E_FULL);
  }
  err = hf_unseal_area(&area, setup->box, &work, &why);
  if (err == HF_E_IO) {
    return end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_FLASH, HF_E_IO);
  }
  return err == HF_OK ? HF_OK : refuse(update, err == HF_E_SPACE ? HF_RULE_SEAL_ROOM : HF_RULE_SEAL_KEY);
}

/* With secondaries: from here on hf/device/secondary.h leads, step by step. */
static enum hf_err start(struct hf_update *update, const struct run *run, const struct hf_bootslot *staged)
{
  struct hf_secondaries *group = update->setup->secondaries;
  enum hf_err err = group->ops->start(group, update, &run->plan, run->todo, staged, run->boot.images);
  return err == HF_OK ? HF_OK : end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_STORE, err);
}

static enum hf_err stage(struct hf_update *update, const struct run *run, const struct hf_bootslot *staged)
{
  if (postponed(update)) {
    return hf_update_put_state(update, HF_UPDATE_POSTPONED, 0);
  }
  for (size_t i = 0; i < run->plan.count && !update->loader.ops->opens; i++) {
    bool own = second_of(update, run, run->plan.item[i].component) == NULL;
    enum hf_err opened = own && is_todo(run, i) ? open_in_place(update, run, i) : HF_OK;
    if (opened != HF_OK) {
      return opened;
    }
  }
  /* Said before it is done: the boot record is the commit, and a trial that began needs no words about staging. */
  enum hf_err err = hf_update_put_state(update, HF_UPDATE_STAGED, 0);
  if (err != HF_OK) {
    return err;
  }
  if ((run->todo & ~own_images(run)) != 0) {
    return start(update, run, staged);
  }
  err = update->loader.ops->stage(update->loader.ctx, staged, run->todo);
  return err == HF_OK ? HF_OK : loader_failed(update, err);
}

/* They follow the images; of one that does not answer nothing is known. */
static enum hf_err begin_secondaries(struct run *run, struct hf_secondaries *group)
{
  if (group->phase != HF_SECONDARIES_IDLE) {
    return HF_E_STATE;
  }
  group->ops->look(group);
  for (uint8_t i = 0; i < group->count && run->self.count < HF_IMAGES_MAX; i++) {
    const struct hf_secondary *second = &group->at[i];
    if (!second->answers) {
      run->lost |= HF_BOOT_IMAGE(run->self.count);
    }
    run->installed[run->self.count++] = (struct hf_uptane_installed){.component = second->component,
                                                                     .hardware = second->hardware,
                                                                     .version = second->seen.version,
                                                                     .counter = second->seen.counter};
  }
  return HF_OK;
}

static enum hf_err begin(struct hf_update *update, struct run *run)
{
  const struct hf_update_setup *setup = update->setup;
  update->judged = 0;
  enum hf_err err = update->loader.ops->get(update->loader.ctx, &run->boot);
  if (err != HF_OK) {
    return err == HF_E_IO ? HF_E_IO : HF_E_STATE;
  }
  if (run->boot.image[0].running.status != HF_SLOT_CONFIRMED || hf_boot_view_on_trial(&run->boot)) {
    return HF_E_STATE;
  }
  for (uint8_t i = 0; i < run->boot.images; i++) {
    run->installed[i] =
        (struct hf_uptane_installed){.component = i == 0 ? setup->component : setup->parts[i - 1].component,
                                     .hardware = i == 0 ? setup->hardware : setup->parts[i - 1].hardware,
                                     .version = run->boot.image[i].running.version,
                                     .counter = run->boot.image[i].counter};
  }
  run->self = (struct hf_uptane_self){
      .device = setup->device, .product = setup->product, .installed = run->installed, .count = run->boot.images};
  return setup->secondaries == NULL ? HF_OK : begin_secondaries(run, setup->secondaries);
}

/* Which images do not run what is ordered for them, and are they staged already? */
static bool find_todo(struct run *run, const struct hf_update *update)
{
  bool staged = true;
  for (size_t i = 0; i < run->plan.count; i++) {
    const struct hf_uptane_item *item = &run->plan.item[i];
    const struct hf_secondary *second = second_of(update, run, item->component);
    if (second != NULL) {
      bool runs = memcmp(item->image, second->seen.digest, HF_SHA256_LEN) == 0;
      if (!runs) {
        run->todo |= HF_BOOT_IMAGE(item->component);
        staged = false;
      }
      continue;
    }
    const struct hf_boot_image *image = &run->boot.image[item->component];
    if (image->running.status == HF_SLOT_EMPTY || memcmp(item->image, image->running.digest, HF_SHA256_LEN) != 0) {
      run->todo |= HF_BOOT_IMAGE(item->component);
      staged = staged && image->other.status == HF_SLOT_STAGED &&
               memcmp(item->image, image->other.digest, HF_SHA256_LEN) == 0;
    }
  }
  return staged;
}

enum hf_err hf_update_run(struct hf_update *update, int64_t deadline)
{
  struct run run = {0};
  enum hf_err err = begin(update, &run);
  if (err == HF_OK) {
    err = ask_director(update, &run);
  }
  if (err == HF_OK && run.plan.count == 0) {
    return nothing(update, &run);
  }
  err = err == HF_OK ? none_lost(update, &run) : err;
  if (err == HF_OK) {
    err = ask_images(update, &run);
  }
  err = err == HF_OK ? none_lost(update, &run) : err;
  if (err != HF_OK) {
    return err;
  }
  bool staged = find_todo(&run, update);
  if (run.todo == 0) {
    return nothing(update, &run);
  }
  struct hf_bootslot slot[HF_IMAGES_MAX] = {0};
  err = offer(update, &run, deadline);
  if (err == HF_OK && staged) {
    return hf_update_put_state(update, HF_UPDATE_STAGED, 0);
  }
  if (err == HF_OK) {
    err = download(update, &run);
  }
  if (err == HF_OK) {
    err = verify_images(update, &run, slot);
  }
  return err == HF_OK ? stage(update, &run, slot) : err;
}

/* Is there anything new in this repository? Its timestamp decides, and its expiry is judged. */
static enum hf_err look_at(struct hf_update *update, bool *fresh, const char *path, bool director)
{
  struct hf_refresh seen;
  const struct hf_refresh_source source = {.transport = &update->setup->transport,
                                           .path = path,
                                           .key = director ? HF_STORE_TRUST_DIRECTOR : HF_STORE_TRUST_IMAGE,
                                           .work = update->setup->work,
                                           .work_cap = update->setup->work_cap,
                                           .shared = director,
                                           .lazy = true};
  enum hf_err err = refresh(update, &seen, &source);
  *fresh = *fresh || hf_tufclient_fresh(&seen.client);
  return err;
}

enum hf_err hf_update_look(struct hf_update *update)
{
  const struct hf_update_setup *setup = update->setup;
  enum hf_update_state state = update->progress.state;
  bool fresh = state != HF_UPDATE_CONFIRMED && state != HF_UPDATE_REVERTED && state != HF_UPDATE_IDLE;
  enum hf_err err = HF_OK;
  if (!fresh) {
    char path[HF_HTTP_PATH_MAX];
    struct hf_buf out = hf_buf_init(path, sizeof path);
    hf_buf_put_text(&out, setup->image_path != NULL ? setup->image_path : "/repo/");
    hf_buf_put_text(&out, "metadata/");
    err = hf_buf_terminate(&out);
    if (err == HF_OK) {
      err = look_at(update, &fresh, path, false);
    }
    if (err == HF_OK && !fresh) {
      err = look_at(update, &fresh, setup->director_path != NULL ? setup->director_path : "/director/", true);
    }
  }
  return err == HF_OK && fresh ? hf_update_run(update, 0) : err;
}

uint8_t hf_update_percent(const struct hf_update *update)
{
  const struct hf_update_progress *progress = &update->progress;
  uint64_t percent = progress->len == 0 ? 0 : (uint64_t)progress->at * 100 / progress->len;
  return percent < 100 ? (uint8_t)percent : 100;
}
