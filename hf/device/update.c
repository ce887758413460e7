/* SPDX-License-Identifier: Apache-2.0
 * One update from the director's order to a staged slot. Progress, outcome and tries are one record, so that none of
 * them can be ahead of the others.
 */
#include "hf/device/update.h"

#include <string.h>

#include "hf/base/math.h"
#include "hf/base/time.h"
#include "hf/device/download.h"
#include "hf/device/refresh.h"

enum { FORMAT = 1, RECORD_LEN = 1 + HF_SHA256_LEN + 4 + 4 + 1 + 1 + 1 + 8 + 8 + 8 + 8 + 1 + 2 + 1 + 2 + 4 };

/* Flash may refuse this; nothing better could be done here, and what is lost is said again or done again later. */
static void best_effort(enum hf_err err) { (void)err; }

static void record_encode(struct hf_buf *out, const struct hf_update *update)
{
  const struct hf_update_progress *progress = &update->progress;
  hf_buf_put_u8(out, FORMAT);
  hf_buf_put(out, hf_bytes_init(progress->sha256, sizeof progress->sha256));
  hf_buf_put_be32(out, progress->len);
  hf_buf_put_be32(out, progress->at);
  hf_buf_put_u8(out, progress->slot);
  hf_buf_put_u8(out, progress->tries);
  hf_buf_put_u8(out, (uint8_t)((progress->security ? 1 : 0) | (progress->named ? 2 : 0)));
  hf_buf_put_u8(out, progress->version.major);
  hf_buf_put_u8(out, progress->version.minor);
  hf_buf_put_be16(out, progress->version.revision);
  hf_buf_put_be32(out, progress->version.build);
  hf_buf_put_be64(out, (uint64_t)progress->offered);
  hf_buf_put_be64(out, (uint64_t)progress->deadline);
  hf_buf_put_be64(out, (uint64_t)progress->postponed);
  hf_buf_put_u8(out, (uint8_t)progress->state);
  hf_buf_put_be16(out, progress->rule);
  hf_buf_put_u8(out, progress->told_kind);
  hf_buf_put_be16(out, progress->told_rule);
  hf_buf_put_be32(out, progress->failures);
}

static int64_t time_parse(struct hf_cursor *in)
{
  uint64_t value = hf_cursor_be64(in);
  return value <= (uint64_t)HF_TIME_MAX ? (int64_t)value : 0;
}

static void record_parse(struct hf_update_progress *progress, struct hf_bytes record)
{
  struct hf_cursor in = hf_cursor_init(record);
  *progress = (struct hf_update_progress){0};
  uint8_t format = hf_cursor_u8(&in);
  struct hf_bytes sha256 = hf_cursor_take(&in, HF_SHA256_LEN);
  if (format != FORMAT || sha256.len != HF_SHA256_LEN) {
    return;
  }
  memcpy(progress->sha256, sha256.at, HF_SHA256_LEN);
  progress->len = hf_cursor_be32(&in);
  progress->at = hf_cursor_be32(&in);
  progress->slot = hf_cursor_u8(&in);
  progress->tries = hf_cursor_u8(&in);
  uint8_t flags = hf_cursor_u8(&in);
  progress->security = (flags & 1) != 0;
  progress->named = (flags & 2) != 0;
  progress->version.major = hf_cursor_u8(&in);
  progress->version.minor = hf_cursor_u8(&in);
  progress->version.revision = hf_cursor_be16(&in);
  progress->version.build = hf_cursor_be32(&in);
  progress->offered = time_parse(&in);
  progress->deadline = time_parse(&in);
  progress->postponed = time_parse(&in);
  progress->state = (enum hf_update_state)hf_cursor_u8(&in);
  progress->rule = hf_cursor_be16(&in);
  progress->told_kind = hf_cursor_u8(&in);
  progress->told_rule = hf_cursor_be16(&in);
  progress->failures = hf_cursor_be32(&in);
  if (!hf_cursor_done(&in) || progress->state >= HF_UPDATE_STATES) {
    *progress = (struct hf_update_progress){0};
  }
}

static enum hf_err save(struct hf_update *update)
{
  uint8_t record[RECORD_LEN];
  struct hf_buf out = hf_buf_init(record, sizeof record);
  record_encode(&out, update);
  return hf_store_put(update->store, HF_STORE_PROGRESS, hf_buf_bytes(&out));
}

enum hf_err hf_update_open(struct hf_update *update, const struct hf_update_setup *setup)
{
  update->setup = setup;
  update->progress = (struct hf_update_progress){0};
  if (setup->work_cap < HF_UPDATE_WORK_MIN) {
    return HF_E_SPACE;
  }
  uint8_t record[RECORD_LEN];
  struct hf_buf in = hf_buf_init(record, sizeof record);
  if (hf_store_get(&in, update->store, HF_STORE_PROGRESS) == HF_OK) {
    record_parse(&update->progress, hf_buf_bytes(&in));
  }
  return HF_OK;
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
  struct hf_bootstate boot;
  struct hf_uptane_installed installed;
  struct hf_uptane_self self;
  struct hf_uptane_plan plan;
  struct hf_image_info info;
  bool consistent; /* the image repository's file names carry hashes */
  uint8_t slot;    /* the one to fill */
};

/* The slot is about to change: from here on the boot record promises nothing about it. */
static enum hf_err release_slot(struct run *run, const struct hf_layout *layout)
{
  if (run->boot.image[0].slot[run->slot].status == HF_SLOT_EMPTY) {
    return HF_OK;
  }
  run->boot.image[0].slot[run->slot] = (struct hf_bootslot){0};
  return hf_bootstate_put(&run->boot, &layout->boot);
}

/* Nothing to do: what came to an end stays said, what was under way is void, what was staged is taken back. */
static enum hf_err nothing(struct hf_update *update, struct run *run)
{
  enum hf_update_state state = update->progress.state;
  if (run->boot.image[0].slot[run->slot].status == HF_SLOT_STAGED) {
    enum hf_err err = release_slot(run, update->setup->layout);
    if (err != HF_OK) {
      return err;
    }
  }
  bool ended = state == HF_UPDATE_CONFIRMED || state == HF_UPDATE_REVERTED || state == HF_UPDATE_IDLE;
  return ended ? HF_OK : hf_update_put_state(update, HF_UPDATE_IDLE, 0);
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
  struct hf_why why = {0};
  const struct hf_tuf_file *targets = hf_tufclient_targets(&images.client);
  best_effort(hf_clock_put_signed(update->clock, update->store, targets->expires));
  run->consistent = images.trust.root.consistent_snapshot;
  enum hf_verdict verdict = hf_uptane_agree_verify(&run->plan, targets, &run->self, &why);
  return verdict == HF_ALLOW ? HF_OK : refuse_metadata(update, why.rule);
}

/* ---- one image ---- */

static bool same_target(const struct hf_update_progress *progress, const struct hf_uptane_item *item, uint8_t slot)
{
  return memcmp(progress->sha256, item->sha256, HF_SHA256_LEN) == 0 && progress->len == item->length &&
         progress->slot == slot;
}

/* Take up the order: another target than before starts from nothing. */
static enum hf_err offer(struct hf_update *update, const struct run *run, int64_t deadline)
{
  const struct hf_uptane_item *item = &run->plan.item[0];
  struct hf_update_progress *progress = &update->progress;
  bool same = same_target(progress, item, run->slot);
  if (!same) {
    /* A wish for later outlives the target it was made for, within the bounds of the new one. */
    *progress = (struct hf_update_progress){
        .len = item->length, .slot = run->slot, .postponed = progress->postponed, .failures = progress->failures};
    memcpy(progress->sha256, item->sha256, HF_SHA256_LEN);
    progress->offered = hf_clock_now(update->clock);
  }
  progress->version = item->version;
  progress->named = true;
  progress->security = item->security;
  progress->deadline = deadline;
  if (progress->tries >= HF_UPDATE_TRIES_MAX) {
    /* "Reverted" is the whole truth about it, and stays said. */
    return progress->state == HF_UPDATE_REVERTED ? HF_E_DENIED : refuse(update, HF_RULE_UPDATE_TRIES);
  }
  if (item->length > update->setup->layout->slot[0][run->slot].size) {
    return refuse(update, HF_RULE_UPDATE_SLOT_SIZE);
  }
  return same ? HF_OK : hf_update_put_state(update, HF_UPDATE_OFFERED, 0);
}

static enum hf_err save_at(void *ctx, uint32_t at)
{
  struct hf_update *update = ctx;
  update->progress.at = at;
  enum hf_err err = save(update);
  return err == HF_OK ? HF_OK : HF_E_FULL;
}

static enum hf_err target_path(struct hf_buf *out, const struct hf_update *update, const struct run *run)
{
  const struct hf_uptane_item *item = &run->plan.item[0];
  hf_buf_put_text(out, update->setup->image_path != NULL ? update->setup->image_path : "/repo/");
  hf_buf_put_text(out, "targets/");
  hf_target_put_url(out, hf_uptane_item_path(item), item->sha256, run->consistent);
  return hf_buf_terminate(out);
}

static enum hf_err download(struct hf_update *update, struct run *run)
{
  const struct hf_update_setup *setup = update->setup;
  char path[HF_HTTP_PATH_MAX];
  struct hf_buf out = hf_buf_init(path, sizeof path);
  enum hf_err err = target_path(&out, update, run);
  if (err == HF_OK) {
    err = release_slot(run, setup->layout);
  }
  if (err != HF_OK) {
    return end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_FLASH, HF_E_IO);
  }
  bool whole = update->progress.at == update->progress.len;
  if (!whole) {
    err = hf_update_put_state(update, HF_UPDATE_DOWNLOADING, 0);
  }
  struct hf_download task = {.transport = &setup->transport,
                             .area = &setup->layout->slot[0][run->slot],
                             .path = path,
                             .len = update->progress.len,
                             .at = update->progress.at,
                             .step = setup->step != 0 ? setup->step : HF_UPDATE_STEP,
                             .save = save_at,
                             .save_ctx = update};
  uint8_t digest[HF_SHA256_LEN];
  err = err == HF_OK ? hf_download_get(&task, digest) : HF_E_FULL;
  switch (err) {
    case HF_OK: break;
    case HF_E_AGAIN: return HF_E_AGAIN;
    case HF_E_SPACE: update->progress.at = 0; return refuse(update, HF_RULE_UPDATE_LENGTH);
    case HF_E_FULL: return end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_STORE, HF_E_FULL);
    default: update->progress.at = 0; return end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_FLASH, HF_E_IO);
  }
  if (memcmp(digest, run->plan.item[0].sha256, HF_SHA256_LEN) != 0) {
    update->progress.at = 0;
    return refuse(update, HF_RULE_UPDATE_HASH);
  }
  return whole ? HF_OK : hf_update_put_event(update, HF_EVENT_DOWNLOADED, 0);
}

/* The image's own signature and what it says of itself, against the device and against the metadata. */
static enum hf_err verify_image(struct hf_update *update, struct run *run)
{
  const struct hf_update_setup *setup = update->setup;
  const struct hf_uptane_item *item = &run->plan.item[0];
  const struct hf_image_policy policy = {
      .hardware = setup->hardware, .counter_min = run->boot.image[0].counter, .counter_optional = true};
  struct hf_image_source source = hf_slot_source(&setup->layout->slot[0][run->slot]);
  struct hf_why why = {0};
  if (hf_image_verify(&run->info, &source, setup->keys, &policy, &why) != HF_ALLOW) {
    return refuse(update, why.rule);
  }
  if (memcmp(run->info.digest, item->image, HF_SHA256_LEN) != 0 || run->info.counter != item->counter ||
      hf_version_order(&run->info.version, &item->version) != 0) {
    return refuse(update, HF_RULE_UPDATE_IMAGE);
  }
  return HF_OK;
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

static enum hf_err stage(struct hf_update *update, struct run *run)
{
  if (postponed(update)) {
    return hf_update_put_state(update, HF_UPDATE_POSTPONED, 0);
  }
  /* Said before it is done: the boot record is the commit, and a trial that began needs no words about staging. */
  enum hf_err err = hf_update_put_state(update, HF_UPDATE_STAGED, 0);
  if (err != HF_OK) {
    return err;
  }
  hf_bootstate_bind(&run->boot.image[0].slot[run->slot], &run->info, HF_SLOT_STAGED);
  err = hf_bootstate_put(&run->boot, &update->setup->layout->boot);
  return err == HF_OK ? HF_OK : end(update, HF_UPDATE_FAILED, HF_RULE_UPDATE_FLASH, HF_E_IO);
}

static enum hf_err begin(struct hf_update *update, struct run *run)
{
  const struct hf_update_setup *setup = update->setup;
  update->judged = 0;
  enum hf_err err = hf_bootstate_get(&run->boot, &setup->layout->boot);
  if (err != HF_OK) {
    return err == HF_E_IO ? HF_E_IO : HF_E_STATE;
  }
  const struct hf_bootslot *running = &run->boot.image[0].slot[update->running];
  if (running->status != HF_SLOT_CONFIRMED) {
    return HF_E_STATE;
  }
  run->slot = (uint8_t)(1 - update->running);
  run->installed = (struct hf_uptane_installed){.component = setup->component,
                                                .hardware = setup->hardware,
                                                .version = running->version,
                                                .counter = run->boot.image[0].counter};
  run->self = (struct hf_uptane_self){
      .device = setup->device, .product = setup->product, .installed = &run->installed, .count = 1};
  return HF_OK;
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
  if (err == HF_OK) {
    err = ask_images(update, &run);
  }
  if (err != HF_OK) {
    return err;
  }
  const struct hf_uptane_item *item = &run.plan.item[0];
  if (memcmp(item->image, run.boot.image[0].slot[update->running].digest, HF_SHA256_LEN) == 0) {
    return nothing(update, &run);
  }
  err = offer(update, &run, deadline);
  const struct hf_bootslot *other = &run.boot.image[0].slot[run.slot];
  if (err == HF_OK && other->status == HF_SLOT_STAGED && memcmp(other->digest, item->image, HF_SHA256_LEN) == 0) {
    return hf_update_put_state(update, HF_UPDATE_STAGED, 0);
  }
  if (err == HF_OK) {
    err = download(update, &run);
  }
  if (err == HF_OK) {
    err = verify_image(update, &run);
  }
  return err == HF_OK ? stage(update, &run) : err;
}

uint8_t hf_update_percent(const struct hf_update *update)
{
  const struct hf_update_progress *progress = &update->progress;
  uint64_t percent = progress->len == 0 ? 0 : (uint64_t)progress->at * 100 / progress->len;
  return percent < 100 ? (uint8_t)percent : 100;
}
