/* SPDX-License-Identifier: Apache-2.0
 * Another processor in memory.
 */
#include "ports/sim/simsecondary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/device/refresh.h"
#include "hf/wire/pubkey.h"

#define BOOT (2 * SIMSECONDARY_SECTOR)
#define STORE (6 * SIMSECONDARY_SECTOR)
enum { HELD_KEY = HF_STORE_APPLICATION, HELD_LEN = HF_SHA256_LEN + 4 + 4 + 1 };

static void must(enum hf_err err, const char *what)
{
  if (err != HF_OK) {
    fprintf(stderr, "simsecondary: %s: %d\n", what, (int)err);
    exit(1);
  }
}

/* What a failing flash means to who asked: nothing, when the power is off. */
static enum hf_err said(const struct simsecondary *second, enum hf_err err)
{
  return err != HF_OK && second->flash.dead ? HF_E_AGAIN : err == HF_E_IO || err == HF_E_STATE ? HF_E_DENIED : err;
}

static bool off(const struct simsecondary *second) { return second->flash.dead || second->silent; }

/* ---- what it keeps ---- */

static enum hf_err held_put(struct simsecondary *second)
{
  uint8_t room[HELD_LEN];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  hf_buf_put(&out, hf_bytes_init(second->held.sha256, HF_SHA256_LEN));
  hf_buf_put_be32(&out, second->held.len);
  hf_buf_put_be32(&out, second->held.at);
  hf_buf_put_u8(&out, second->held.slot);
  return hf_store_put(&second->store, HELD_KEY, hf_buf_bytes(&out));
}

static void held_get(struct simsecondary *second)
{
  uint8_t room[HELD_LEN];
  struct hf_buf in = hf_buf_init(room, sizeof room);
  second->held = (struct simsecondary_held){.len = 0};
  if (hf_store_get(&in, &second->store, HELD_KEY) == HF_OK) {
    struct hf_cursor cur = hf_cursor_init(hf_buf_bytes(&in));
    struct hf_bytes sha256 = hf_cursor_take(&cur, HF_SHA256_LEN);
    memcpy(second->held.sha256, sha256.at, sha256.len);
    second->held.len = hf_cursor_be32(&cur);
    second->held.at = hf_cursor_be32(&cur);
    second->held.slot = hf_cursor_u8(&cur);
  }
}

static enum hf_err trust_put(struct simsecondary *second)
{
  uint8_t room[HF_TUF_TRUST_MAX];
  return hf_refresh_put_trust(&second->store, HF_STORE_TRUST_DIRECTOR, &second->trust, room);
}

/* ---- power ---- */

static void boot(struct simsecondary *second, enum hf_reset reset)
{
  const struct hf_boot_config config = {.layout = &second->layout,
                                        .keys = &second->repo->image_keys,
                                        .hardware = HF_LIT(SIMREPO_RADIO_HARDWARE),
                                        .reset = reset};
  uint8_t room[HF_TUF_TRUST_MAX];
  struct hf_buf in = hf_buf_init(room, sizeof room);
  enum hf_err err = hf_boot_choose(&second->choice, &config);
  second->ordered = false;
  second->deaf_left = second->deaf;
  if (second->flash.dead) {
    return;
  }
  must(err == HF_OK && second->choice.verdict == HF_ALLOW ? HF_OK : HF_E_DENIED, "nothing boots");
  second->boots++;
  second->trials += second->choice.trial;
  memcpy(second->records.running, second->choice.slot, sizeof second->records.running);
  must(hf_store_open(&second->store, &second->layout.store), "store");
  held_get(second);
  if (hf_store_get(&in, &second->store, HF_STORE_TRUST_DIRECTOR) == HF_OK) {
    must(hf_tuf_trust_parse(&second->trust, hf_buf_bytes(&in), NULL), "trust");
  }
  if (second->choice.trial && second->sick) {
    boot(second, HF_RESET_CRASH); /* once: what it goes back to is no trial */
  }
}

void simsecondary_power_on(struct simsecondary *second)
{
  simflash_power_on(&second->flash);
  boot(second, HF_RESET_POWER);
}

void simsecondary_init(struct simsecondary *second, const struct simrepo *repo, int first, int64_t now)
{
  uint8_t digest[HF_SHA256_LEN];
  struct hf_slot_writer writer;
  struct hf_bytes file = repo->images[first].file;
  const struct hf_tuf_limits limits = hf_tuf_limits_init();
  *second = (struct simsecondary){.repo = repo, .lie = -1, .device = SIMREPO_DEVICE, .now = now};
  simflash_init(&second->flash, BOOT + STORE + 2 * SIMSECONDARY_SLOT, SIMSECONDARY_SECTOR, 8, 0xff);
  second->layout.boot = simflash_area(&second->flash, 0, BOOT);
  second->layout.store = simflash_area(&second->flash, BOOT, STORE);
  second->layout.images = 1;
  second->layout.slot[0][0] = simflash_area(&second->flash, BOOT + STORE, SIMSECONDARY_SLOT);
  second->layout.slot[0][1] = simflash_area(&second->flash, BOOT + STORE + SIMSECONDARY_SLOT, SIMSECONDARY_SLOT);
  second->records.layout = &second->layout;
  must(hf_slot_open(&writer, &second->layout.slot[0][0], (uint32_t)file.len, 0), "slot");
  must(hf_slot_put(&writer, file), "slot");
  must(hf_slot_close(&writer, digest), "slot");
  must(hf_store_open(&second->store, &second->layout.store), "store");
  must(hf_tuf_trust_verify(&second->trust, repo->director_root, &limits, NULL) == HF_ALLOW ? HF_OK : HF_E_DENIED,
       "root");
  must(trust_put(second), "trust");
  boot(second, HF_RESET_POWER);
  second->flash.ops = 0;
}

void simsecondary_free(struct simsecondary *second) { simflash_free(&second->flash); }

uint32_t simsecondary_minor(const struct simsecondary *second) { return second->choice.info.version.minor; }

/* ---- reports ---- */

static enum hf_err view_get(struct simsecondary *second, struct hf_boot_view *view)
{
  return hf_boot_records_ops.get(&second->records, view);
}

static enum hf_err report_sign(struct simsecondary *second, const struct hf_secondary_seen *seen, struct hf_buf *out)
{
  uint8_t room[HF_REPORT_SECONDARY_MAX], sig_room[HF_SIG_MAX], digest[HF_SHA256_LEN], hash[HF_SHA256_LEN];
  uint8_t text_room[HF_VERSION_TEXT_MAX];
  struct hf_buf body = hf_buf_init(room, sizeof room), sig = hf_buf_init(sig_room, sizeof sig_room);
  struct hf_buf text = hf_buf_init(text_room, sizeof text_room);
  struct hf_pubkey pub;
  hf_version_put(&text, &seen->version);
  struct hf_report report = {.device = hf_bytes_text(second->device),
                             .part = HF_LIT(SIMREPO_RADIO),
                             .counter = ++second->reports,
                             .component_count = 1};
  report.component[0] = (struct hf_checkin_component){
      .name = HF_LIT(SIMREPO_RADIO), .version = hf_buf_bytes(&text), .counter = seen->counter};
  memcpy(report.component[0].digest, seen->digest, HF_SHA256_LEN);
  must(hf_report_encode(&body, &report), "report");
  hf_report_digest(digest, hf_buf_bytes(&body));
  must(hf_key_public(&pub, second->key), "key");
  hf_pubkey_hash(hash, &pub);
  must(hf_key_sign_digest(&sig, second->key, digest), "sign");
  hf_report_put_signed(out, hash, hf_buf_bytes(&body), hf_buf_bytes(&sig));
  return out->failed ? HF_E_SPACE : HF_OK;
}

static enum hf_err report(void *ctx, struct hf_secondary_seen *seen, struct hf_buf *signed_report)
{
  struct simsecondary *second = ctx;
  struct hf_boot_view view;
  if (off(second)) {
    return HF_E_AGAIN;
  }
  if (second->deaf_left > 0) {
    second->deaf_left--;
    return HF_E_AGAIN;
  }
  enum hf_err err = view_get(second, &view);
  if (err != HF_OK) {
    return said(second, err);
  }
  *seen = (struct hf_secondary_seen){.version = view.image[0].running.version,
                                     .counter = view.image[0].counter,
                                     .root = second->trust.root.version,
                                     .trying = hf_boot_view_on_trial(&view)};
  memcpy(seen->digest, view.image[0].running.digest, HF_SHA256_LEN);
  enum hf_err signed_err =
      signed_report != NULL && second->key != NULL ? report_sign(second, seen, signed_report) : HF_OK;
  if (second->lie >= 0) { /* its key does not lie with it */
    seen->version = second->repo->images[second->lie].info.version;
    memcpy(seen->digest, second->repo->images[second->lie].info.digest, HF_SHA256_LEN);
  }
  return signed_err;
}

/* ---- metadata and time ---- */

static enum hf_err metadata(void *ctx, enum hf_tuf_role role, struct hf_bytes text)
{
  struct simsecondary *second = ctx;
  struct hf_boot_view view;
  if (off(second)) {
    return HF_E_AGAIN;
  }
  enum hf_err err = view_get(second, &view);
  if (err != HF_OK) {
    return said(second, err);
  }
  const struct hf_partial_self self = {.device = hf_bytes_text(second->device),
                                       .component = HF_LIT(SIMREPO_RADIO),
                                       .hardware = HF_LIT(SIMREPO_RADIO_HARDWARE),
                                       .counter = view.image[0].counter,
                                       .now = second->now};
  enum hf_verdict verdict = role == HF_TUF_ROOT ? hf_partial_root_verify(&second->trust, text, 8192, NULL)
                                                : hf_partial_verify(&second->order, &second->trust, text, &self, NULL);
  if (verdict != HF_ALLOW) {
    return HF_E_DENIED;
  }
  second->ordered = second->ordered || role == HF_TUF_TARGETS;
  return said(second, trust_put(second));
}

static enum hf_err ask_time(void *ctx, uint8_t nonce[HF_TIMESIG_NONCE_LEN])
{
  struct simsecondary *second = ctx;
  if (off(second) || second->time_key.type == HF_KEY_NONE) {
    return HF_E_NOT_FOUND;
  }
  enum hf_err err = hf_random(second->nonce, sizeof second->nonce);
  memcpy(nonce, second->nonce, sizeof second->nonce);
  return err;
}

static void put_time(void *ctx, const struct hf_timesig *timesig, struct hf_bytes nonces)
{
  struct simsecondary *second = ctx;
  if (hf_timesig_verify(timesig, &second->time_key, nonces, hf_bytes_init(second->nonce, sizeof second->nonce), NULL) ==
      HF_ALLOW) {
    second->now = timesig->time;
  }
}

/* ---- the image ---- */

static enum hf_err begin(void *ctx, const struct hf_uptane_item *item, uint32_t *at)
{
  struct simsecondary *second = ctx;
  struct simsecondary_held *held = &second->held;
  struct hf_area area;
  struct hf_boot_view view;
  if (off(second) || !second->ordered) {
    return HF_E_AGAIN;
  }
  if (second->refuses || !second->order.present || item->length != second->order.length ||
      memcmp(item->sha256, second->order.sha256, HF_SHA256_LEN) != 0) {
    return HF_E_DENIED;
  }
  enum hf_err err = view_get(second, &view);
  err = err == HF_OK ? hf_boot_records_ops.release(&second->records, HF_BOOT_IMAGE(0)) : err;
  err = err == HF_OK ? hf_boot_records_ops.target(&second->records, &area, 0) : err;
  if (err != HF_OK) {
    return said(second, err);
  }
  bool same = memcmp(held->sha256, item->sha256, HF_SHA256_LEN) == 0 && held->len == item->length &&
              held->slot == view.image[0].target && *at >= held->at;
  if (!same) {
    *held = (struct simsecondary_held){.len = item->length, .slot = view.image[0].target};
    memcpy(held->sha256, item->sha256, HF_SHA256_LEN);
  }
  *at = held->at;
  err = held_put(second);
  err = err == HF_OK ? hf_slot_open(&second->writer, &second->layout.slot[0][held->slot], held->len, held->at) : err;
  return said(second, err);
}

static enum hf_err put(void *ctx, struct hf_bytes bytes)
{
  struct simsecondary *second = ctx;
  if (off(second)) {
    return HF_E_AGAIN;
  }
  enum hf_err err = hf_slot_put(&second->writer, bytes);
  uint32_t safe = hf_slot_safe(&second->writer);
  if (err == HF_OK && safe > second->held.at && safe < second->held.len) {
    second->held.at = safe;
    err = held_put(second);
  }
  return said(second, err);
}

static enum hf_err image_verify(struct simsecondary *second, struct hf_image_info *info)
{
  struct hf_boot_view view;
  enum hf_err err = view_get(second, &view);
  if (err != HF_OK) {
    return err;
  }
  const struct hf_image_policy policy = {
      .hardware = HF_LIT(SIMREPO_RADIO_HARDWARE), .counter_min = view.image[0].counter, .counter_optional = true};
  struct hf_image_source source = hf_slot_source(&second->layout.slot[0][second->held.slot]);
  return hf_image_verify(info, &source, &second->repo->image_keys, &policy, NULL) == HF_ALLOW ? HF_OK : HF_E_DENIED;
}

static enum hf_err end(void *ctx)
{
  struct simsecondary *second = ctx;
  uint8_t digest[HF_SHA256_LEN];
  struct hf_image_info info;
  if (off(second)) {
    return HF_E_AGAIN;
  }
  enum hf_err err = hf_slot_close(&second->writer, digest);
  if (err == HF_OK && memcmp(digest, second->held.sha256, HF_SHA256_LEN) != 0) {
    err = HF_E_DENIED;
  }
  err = err == HF_OK ? image_verify(second, &info) : err;
  second->held.at = err == HF_OK ? second->held.len : 0;
  enum hf_err saved = second->flash.dead ? HF_E_IO : held_put(second);
  return said(second, err != HF_OK ? err : saved);
}

/* ---- the trial ---- */

static enum hf_err activate(void *ctx)
{
  struct simsecondary *second = ctx;
  struct hf_bootslot staged[HF_IMAGES_MAX] = {0};
  struct hf_image_info info;
  struct hf_boot_view view;
  if (off(second)) {
    return HF_E_AGAIN;
  }
  enum hf_err err = view_get(second, &view);
  if (err == HF_OK && hf_boot_view_on_trial(&view)) {
    return HF_OK; /* asked twice */
  }
  if (err == HF_OK && (second->held.len == 0 || second->held.at != second->held.len)) {
    return HF_E_DENIED;
  }
  err = err == HF_OK ? image_verify(second, &info) : err;
  if (err != HF_OK) {
    return said(second, err);
  }
  if (second->stuck) {
    return HF_OK;
  }
  hf_bootstate_bind(&staged[0], &info, HF_SLOT_STAGED);
  err = hf_boot_records_ops.stage(&second->records, staged, HF_BOOT_IMAGE(0));
  if (err == HF_OK) {
    boot(second, HF_RESET_REQUEST);
  }
  return said(second, second->flash.dead ? HF_E_IO : err);
}

static enum hf_err confirm(void *ctx)
{
  struct simsecondary *second = ctx;
  if (off(second)) {
    return HF_E_AGAIN;
  }
  enum hf_err err = hf_boot_records_ops.confirm(&second->records);
  return said(second, err);
}

static enum hf_err revert(void *ctx)
{
  struct simsecondary *second = ctx;
  struct hf_boot_view view;
  if (off(second)) {
    return HF_E_AGAIN;
  }
  enum hf_err err = view_get(second, &view);
  if (err == HF_OK && hf_boot_view_on_trial(&view)) {
    err = hf_boot_records_ops.give_up(&second->records, HF_RULE_BOOT_NOT_CONFIRMED);
    if (err == HF_OK) {
      boot(second, HF_RESET_REQUEST);
    }
  }
  return said(second, second->flash.dead ? HF_E_IO : err);
}

const struct hf_secondary_ops simsecondary_ops = {"sim", 1,   report, metadata, ask_time, put_time,
                                                  begin, put, end,    activate, confirm,  revert};
