/* SPDX-License-Identifier: Apache-2.0
 * Secondaries as a group. Every step of a set is idempotent and derived from what the parts say they run, so that a
 * power cut of any of them, at any time, only makes it be done again.
 */
#include "hf/device/secondary.h"

#include <string.h>

#include "hf/device/update.h"

enum { FORMAT = 1, ITEM_LEN = 1 + HF_SHA256_LEN, RECORD_MAX = 3 + HF_UPTANE_ITEMS_MAX * ITEM_LEN, ROOTS_MAX = 32 };

/* Flash may refuse this; nothing better could be done here, and what is lost is said again or done again later. */
static void best_effort(enum hf_err err) { (void)err; }

/* ---- the record ---- */

static enum hf_err phase_put(struct hf_secondaries *group, const struct hf_update *update,
                             enum hf_secondaries_phase phase)
{
  uint8_t room[RECORD_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_buf_put_u8(&out, FORMAT);
  hf_buf_put_u8(&out, (uint8_t)phase);
  hf_buf_put_u8(&out, group->item_count);
  for (uint8_t i = 0; i < group->item_count; i++) {
    hf_buf_put_u8(&out, group->item[i].which);
    hf_buf_put(&out, hf_bytes_init(group->item[i].digest, HF_SHA256_LEN));
  }
  enum hf_err err = hf_store_put(update->store, HF_STORE_SECONDARIES, hf_buf_bytes(&out));
  if (err == HF_OK) {
    group->phase = phase;
    group->since_ms = hf_port_uptime_ms();
  }
  return err;
}

static void set_end(struct hf_secondaries *group, const struct hf_update *update)
{
  if (hf_store_delete(update->store, HF_STORE_SECONDARIES) == HF_OK) {
    group->phase = HF_SECONDARIES_IDLE;
    group->item_count = 0;
    group->held = false;
  }
}

static bool record_parse(struct hf_secondaries *group, struct hf_bytes record)
{
  struct hf_cursor in = hf_cursor_init(record);
  uint8_t format = hf_cursor_u8(&in);
  uint8_t phase = hf_cursor_u8(&in);
  uint8_t count = hf_cursor_u8(&in);
  if (format != FORMAT || phase > HF_SECONDARIES_RETURNING || count > HF_UPTANE_ITEMS_MAX) {
    return false;
  }
  for (uint8_t i = 0; i < count; i++) {
    struct hf_secondaries_item *item = &group->item[i];
    *item = (struct hf_secondaries_item){.which = hf_cursor_u8(&in)};
    struct hf_bytes digest = hf_cursor_take(&in, HF_SHA256_LEN);
    if (digest.len != HF_SHA256_LEN || item->which >= HF_SECONDARIES_FIRST + group->count) {
      return false;
    }
    memcpy(item->digest, digest.at, HF_SHA256_LEN);
  }
  group->phase = (enum hf_secondaries_phase)phase;
  group->item_count = count;
  return hf_cursor_done(&in);
}

static enum hf_err group_open(struct hf_secondaries *group, const struct hf_update *update)
{
  uint8_t room[RECORD_MAX];
  struct hf_buf in = hf_buf_init(room, sizeof room);
  group->phase = HF_SECONDARIES_IDLE;
  group->item_count = 0;
  group->held = group->reboot = false;
  group->since_ms = hf_port_uptime_ms();
  if (group->count + update->setup->layout->images > HF_UPTANE_ITEMS_MAX) {
    return HF_E_INPUT;
  }
  /* One that cannot be read is none: who is on trial is then sent back by `look`. */
  if (hf_store_get(&in, update->store, HF_STORE_SECONDARIES) == HF_OK && !record_parse(group, hf_buf_bytes(&in))) {
    group->phase = HF_SECONDARIES_IDLE;
    group->item_count = 0;
  }
  return HF_OK;
}

/* ---- what they run ---- */

static bool look_at(struct hf_secondaries *group, struct hf_secondary *second)
{
  struct hf_secondary_seen seen = {0};
  bool answered = second->answers;
  second->answers = second->ops->report(second->ctx, &seen, NULL) == HF_OK;
  if (second->answers) {
    group->changed = group->changed || memcmp(seen.digest, second->seen.digest, HF_SHA256_LEN) != 0;
    second->seen = seen;
  }
  group->changed = group->changed || answered != second->answers;
  return second->answers;
}

static void group_look(struct hf_secondaries *group)
{
  for (uint8_t i = 0; i < group->count; i++) {
    struct hf_secondary *second = &group->at[i];
    if (look_at(group, second) && second->seen.trying && group->phase == HF_SECONDARIES_IDLE) {
      best_effort(second->ops->revert(second->ctx));
      second->answers = false; /* until it is back */
    }
  }
}

static void group_reports(struct hf_secondaries *group, struct hf_report *report)
{
  for (uint8_t i = 0; i < group->count && report->secondary_count < HF_REPORT_SECONDARIES_MAX; i++) {
    struct hf_secondary *second = &group->at[i];
    struct hf_secondary_seen seen;
    struct hf_buf out = hf_buf_init(second->report, sizeof second->report);
    if (second->ops->report(second->ctx, &seen, &out) == HF_OK && out.len > 0 && !out.failed) {
      report->secondary[report->secondary_count++] = hf_buf_bytes(&out);
    }
  }
  group->changed = false;
}

/* ---- metadata and time ---- */

static enum hf_err text_put(void *ctx, struct hf_bytes piece)
{
  struct hf_buf *out = ctx;
  hf_buf_put(out, piece);
  return out->failed ? HF_E_SPACE : HF_OK;
}

static enum hf_err root_put(struct hf_secondary *second, const struct hf_update *update, const char *path)
{
  const struct hf_update_setup *setup = update->setup;
  char room[HF_HTTP_PATH_MAX];
  struct hf_buf name = hf_buf_init(room, sizeof room);
  struct hf_buf text = hf_buf_init(setup->work, setup->work_cap);
  hf_buf_put_text(&name, path);
  hf_buf_put_uint(&name, second->seen.root + 1);
  hf_buf_put_text(&name, ".root.json");
  if (hf_buf_terminate(&name) != HF_OK) {
    return HF_E_INPUT;
  }
  const struct hf_http_request request = {.method = "GET", .path = room, .max_len = setup->work_cap};
  struct hf_http_reply reply = {0};
  const struct hf_transport *transport = &setup->transport;
  enum hf_err err = transport->ops->request(transport->ctx, &reply, &request, (struct hf_sink){text_put, &text});
  if (err != HF_OK || reply.status != 200) {
    return err == HF_OK && reply.status == 404 ? HF_E_NOT_FOUND : HF_E_AGAIN;
  }
  err = second->ops->metadata(second->ctx, HF_TUF_ROOT, hf_buf_bytes(&text));
  second->seen.root++;
  return err;
}

static bool wants_metadata(const struct hf_secondary *second)
{
  return second->answers && second->seen.root != 0 && second->ops->metadata != NULL;
}

static enum hf_err group_put_roots(struct hf_secondaries *group, const struct hf_update *update, const char *path)
{
  enum hf_err err = HF_OK;
  for (uint8_t i = 0; i < group->count && err == HF_OK; i++) {
    for (int n = 0; n < ROOTS_MAX && err == HF_OK && wants_metadata(&group->at[i]); n++) {
      err = root_put(&group->at[i], update, path);
    }
    err = err == HF_E_NOT_FOUND ? HF_OK : err;
  }
  return err;
}

static enum hf_err group_put_targets(struct hf_secondaries *group, struct hf_bytes text)
{
  enum hf_err err = HF_OK;
  for (uint8_t i = 0; i < group->count && err == HF_OK; i++) {
    struct hf_secondary *second = &group->at[i];
    err = wants_metadata(second) ? second->ops->metadata(second->ctx, HF_TUF_TARGETS, text) : HF_OK;
  }
  return err;
}

static struct hf_bytes group_ask_time(struct hf_secondaries *group, struct hf_bytes own)
{
  struct hf_buf out = hf_buf_init(group->nonces, sizeof group->nonces);
  hf_buf_put(&out, own);
  for (uint8_t i = 0; i < group->count; i++) {
    struct hf_secondary *second = &group->at[i];
    second->asked = second->ops->ask_time != NULL && out.cap - out.len >= HF_TIMESIG_NONCE_LEN &&
                    second->ops->ask_time(second->ctx, second->nonce) == HF_OK;
    if (second->asked) {
      hf_buf_put(&out, hf_bytes_init(second->nonce, sizeof second->nonce));
    }
  }
  group->nonces_len = (uint8_t)out.len;
  return hf_buf_bytes(&out);
}

static void group_put_time(struct hf_secondaries *group, const struct hf_timesig *timesig)
{
  for (uint8_t i = 0; i < group->count && timesig->sig.len > 0; i++) {
    struct hf_secondary *second = &group->at[i];
    if (second->asked) {
      second->asked = false;
      second->ops->put_time(second->ctx, timesig, hf_bytes_init(group->nonces, group->nonces_len));
    }
  }
}

/* ---- the image ---- */

/* One image on its way to a secondary. */
struct stream {
  const struct hf_secondary *second;
  const struct hf_uptane_item *item;
  uint32_t *progress; /* of the whole set; only ever rises */
  uint32_t base;
  uint32_t at;
  bool hashed; /* `hash` is of all bytes before `at` */
  bool begun;
  enum hf_err err; /* the secondary's */
  struct hf_http_reply reply;
  struct hf_sha256 hash;
};

static enum hf_err stream_begin(struct stream *stream, uint32_t most)
{
  stream->at = most;
  enum hf_err err = stream->second->ops->begin(stream->second->ctx, stream->item, &stream->at);
  if (err == HF_OK && stream->at > most) {
    err = HF_E_DENIED;
  }
  stream->hashed = stream->at == 0;
  hf_sha256_init(&stream->hash);
  return err;
}

/* The first byte of a reply: does it continue where the secondary stopped, or start over? */
static enum hf_err stream_first(struct stream *stream)
{
  stream->begun = true;
  if (stream->reply.range_from == stream->at) {
    return HF_OK;
  }
  return stream->reply.range_from == 0 ? stream_begin(stream, 0) : HF_E_AGAIN;
}

static enum hf_err stream_put(void *ctx, struct hf_bytes piece)
{
  struct stream *stream = ctx;
  enum hf_err err = stream->begun ? HF_OK : stream_first(stream);
  if (err == HF_OK && piece.len > stream->item->length - stream->at) {
    err = HF_E_SPACE;
  }
  err = err == HF_OK ? stream->second->ops->put(stream->second->ctx, piece) : err;
  stream->err = err;
  if (err != HF_OK) {
    return err;
  }
  hf_sha256_put(&stream->hash, piece);
  stream->at += (uint32_t)piece.len;
  if (stream->base + stream->at > *stream->progress) {
    *stream->progress = stream->base + stream->at;
  }
  hf_port_watchdog_feed();
  return HF_OK;
}

static enum hf_err stream_fetch(struct stream *stream, const struct hf_transport *transport, const char *path)
{
  const struct hf_http_request request = {
      .method = "GET", .path = path, .range_from = stream->at, .max_len = stream->item->length};
  enum hf_err err =
      transport->ops->request(transport->ctx, &stream->reply, &request, (struct hf_sink){stream_put, stream});
  if (stream->err != HF_OK) {
    return stream->err;
  }
  if (err == HF_E_SPACE) {
    return err;
  }
  if (err == HF_OK && stream->reply.status == 416) { /* the server's file ends before: start over next time */
    best_effort(stream_begin(stream, 0));
  }
  return stream->at == stream->item->length ? HF_OK : HF_E_AGAIN;
}

static enum hf_err group_stream(struct hf_secondaries *group, struct hf_update *update, uint8_t i,
                                const struct hf_uptane_item *item, const char *path, uint32_t base)
{
  struct stream stream = {.second = &group->at[i], .item = item, .progress = &update->progress.at, .base = base};
  uint8_t digest[HF_SHA256_LEN];
  enum hf_err err = stream_begin(&stream, item->length);
  if (err == HF_OK && stream.at < item->length) {
    err = stream_fetch(&stream, &update->setup->transport, path);
  }
  if (err != HF_OK) {
    return err;
  }
  hf_sha256_get(&stream.hash, digest);
  if (stream.hashed && memcmp(digest, item->sha256, HF_SHA256_LEN) != 0) {
    best_effort(stream_begin(&stream, 0));
    return HF_E_DENIED;
  }
  return stream.second->ops->end(stream.second->ctx);
}

/* ---- the set ---- */

static bool is_ours(const struct hf_secondaries_item *item) { return item->which < HF_SECONDARIES_FIRST; }

static struct hf_secondary *second_of(struct hf_secondaries *group, const struct hf_secondaries_item *item)
{
  return &group->at[item->which - HF_SECONDARIES_FIRST];
}

static bool runs_it(const struct hf_secondary *second, const struct hf_secondaries_item *item)
{
  return memcmp(second->seen.digest, item->digest, HF_SHA256_LEN) == 0;
}

/* The images of ours in this set. */
static uint8_t ours(const struct hf_secondaries *group)
{
  uint8_t mask = 0;
  for (uint8_t i = 0; i < group->item_count; i++) {
    if (is_ours(&group->item[i])) {
      mask |= HF_BOOT_IMAGE(group->item[i].which);
    }
  }
  return mask;
}

/* Do our images of this set run? True when there are none. */
static bool ours_run(const struct hf_secondaries *group, const struct hf_boot_view *boot)
{
  for (uint8_t i = 0; i < group->item_count; i++) {
    const struct hf_secondaries_item *item = &group->item[i];
    if (is_ours(item) && (item->which >= boot->images ||
                          memcmp(boot->image[item->which].running.digest, item->digest, HF_SHA256_LEN) != 0)) {
      return false;
    }
  }
  return true;
}

static enum hf_err group_start(struct hf_secondaries *group, struct hf_update *update,
                               const struct hf_uptane_plan *plan, uint8_t todo, const struct hf_bootslot *slots,
                               uint8_t images)
{
  group->item_count = 0;
  for (uint8_t i = 0; i < plan->count; i++) {
    const struct hf_uptane_item *from = &plan->item[i];
    if ((todo & HF_BOOT_IMAGE(from->component)) != 0) {
      struct hf_secondaries_item *item = &group->item[group->item_count++];
      bool second = from->component >= images;
      *item = (struct hf_secondaries_item){
          .which = (uint8_t)(second ? HF_SECONDARIES_FIRST + from->component - images : from->component)};
      memcpy(item->digest, from->image, HF_SHA256_LEN);
    }
  }
  memcpy(group->slot, slots, sizeof group->slot);
  group->held = true;
  group->reboot = false;
  return phase_put(group, update, HF_SECONDARIES_TRYING);
}

static enum hf_err make_run(struct hf_secondaries *group, struct hf_secondaries_item *item)
{
  struct hf_secondary *second = second_of(group, item);
  if (!look_at(group, second)) {
    return HF_E_AGAIN;
  }
  if (runs_it(second, item)) {
    return HF_OK;
  }
  if (item->tried) {
    return HF_E_DENIED; /* it went back by itself, or never did what it said */
  }
  enum hf_err err = second->ops->activate(second->ctx);
  item->tried = err == HF_OK;
  return err == HF_OK || err == HF_E_AGAIN ? HF_E_AGAIN : HF_E_DENIED;
}

/* In the stated order, each after the one before it runs; `first`: those before our own images only. */
static enum hf_err make_all_run(struct hf_secondaries *group, bool first)
{
  enum hf_err err = HF_OK;
  for (uint8_t i = 0; i < group->item_count && err == HF_OK; i++) {
    if (!is_ours(&group->item[i])) {
      err = make_run(group, &group->item[i]);
    } else if (first) {
      break;
    }
  }
  return err;
}

/* HF_OK: it is where the decision wants it. */
static enum hf_err finish_one(struct hf_secondaries *group, const struct hf_secondaries_item *item)
{
  struct hf_secondary *second = second_of(group, item);
  if (!look_at(group, second)) {
    return HF_E_AGAIN;
  }
  if (group->phase == HF_SECONDARIES_RETURNING) {
    if (second->seen.trying) {
      best_effort(second->ops->revert(second->ctx));
    }
    return second->seen.trying ? HF_E_AGAIN : HF_OK;
  }
  if (runs_it(second, item)) {
    return second->seen.trying ? second->ops->confirm(second->ctx) : HF_OK;
  }
  /* Its power failed between our decision and its own record: it still has what it took. */
  enum hf_err err = second->ops->activate(second->ctx);
  return err == HF_OK ? HF_E_AGAIN : err;
}

/* The decision is made; each secondary follows, some perhaps later. Going back is in reverse order. */
static enum hf_err finish(struct hf_secondaries *group, struct hf_update *update)
{
  bool back = group->phase == HF_SECONDARIES_RETURNING;
  uint32_t limit_s = group->limit_s != 0 ? group->limit_s : 300;
  enum hf_err err = HF_OK;
  for (uint8_t i = 0; i < group->item_count; i++) {
    const struct hf_secondaries_item *item = &group->item[back ? group->item_count - 1 - i : i];
    enum hf_err one = is_ours(item) ? HF_OK : finish_one(group, item);
    err = one != HF_OK && err != HF_E_DENIED ? (one == HF_E_AGAIN ? one : HF_E_DENIED) : err;
  }
  bool late = hf_port_uptime_ms() - group->since_ms >= (uint64_t)limit_s * 1000;
  if (err == HF_E_AGAIN && !late) {
    return HF_E_AGAIN;
  }
  if (err != HF_OK) {
    best_effort(hf_update_put_state(update, HF_UPDATE_FAILED,
                                    err == HF_E_AGAIN ? HF_RULE_UPTANE_SECONDARY_LOST : HF_RULE_UPTANE_SECONDARY));
  }
  set_end(group, update);
  return HF_OK;
}

static void group_decide(struct hf_secondaries *group, struct hf_update *update, uint16_t rule)
{
  bool again = rule == HF_RULE_BOOT_NOT_CONFIRMED || rule == HF_RULE_UPTANE_SECONDARY;
  bool few = update->progress.tries < HF_UPDATE_TRIES_MAX;
  enum hf_err err = phase_put(group, update, rule == 0 ? HF_SECONDARIES_KEEPING : HF_SECONDARIES_RETURNING);
  if (err != HF_OK) {
    return; /* not decided: asked again */
  }
  if (rule == 0) {
    best_effort(hf_update_put_state(update, HF_UPDATE_CONFIRMED, 0));
  } else {
    update->progress.tries = again && few ? (uint8_t)(update->progress.tries + 1) : HF_UPDATE_TRIES_MAX;
    best_effort(hf_update_put_state(update, HF_UPDATE_REVERTED, rule));
  }
  best_effort(finish(group, update));
}

/* Our boot loader went back, or was never asked because the power failed before. */
static enum hf_err gone_back(struct hf_secondaries *group, struct hf_update *update)
{
  enum hf_update_state state = update->progress.state;
  if (state == HF_UPDATE_STAGED || state == HF_UPDATE_TRYING) { /* nobody said so yet */
    group_decide(group, update, HF_RULE_BOOT_NOT_CONFIRMED);
    return HF_E_AGAIN;
  }
  enum hf_err err = phase_put(group, update, HF_SECONDARIES_RETURNING);
  return err == HF_OK ? finish(group, update) : HF_E_AGAIN;
}

/* What comes before our own images in the order runs; then they are staged. */
static enum hf_err settle_before(struct hf_secondaries *group, struct hf_update *update)
{
  enum hf_err err = make_all_run(group, true);
  if (err != HF_OK || group->reboot) {
    return err == HF_OK ? HF_E_AGAIN : err;
  }
  if (update->loader.ops->stage(update->loader.ctx, group->slot, ours(group)) != HF_OK) {
    group_decide(group, update, HF_RULE_UPDATE_FLASH);
    return HF_E_AGAIN;
  }
  group->reboot = true;
  return HF_E_AGAIN;
}

static enum hf_err group_settle(struct hf_secondaries *group, struct hf_update *update, const struct hf_boot_view *boot)
{
  if (group->phase == HF_SECONDARIES_IDLE) {
    return HF_OK;
  }
  if (group->phase != HF_SECONDARIES_TRYING) {
    return finish(group, update);
  }
  if (!ours_run(group, boot)) {
    return group->held ? settle_before(group, update) : gone_back(group, update);
  }
  if (ours(group) != 0 && !hf_boot_view_on_trial(boot)) { /* our boot record decided */
    group_decide(group, update, 0);
    return HF_OK;
  }
  if (update->progress.state == HF_UPDATE_STAGED) {
    best_effort(hf_update_put_state(update, HF_UPDATE_TRYING, 0));
  }
  return make_all_run(group, false);
}

const struct hf_secondaries_ops hf_secondaries_ops = {
    "secondaries", 1,           group_open,   group_look,   group_put_roots, group_put_targets,
    group_stream,  group_start, group_settle, group_decide, group_reports,   group_ask_time,
    group_put_time};
