/* SPDX-License-Identifier: Apache-2.0
 * Boot records: one fixed-size payload, appended to both halves of the area.
 */
#include "hf/device/bootstate.h"

#include <string.h>

#include "hf/device/record.h"

/* One image keeps the format of boot loaders that know of one only; several need format 2, which adds two bytes. */
enum { FORMAT_ONE = 1, FORMAT_SET = 2, KEY = 1, LEN_MAX = HF_BOOTSTATE_LEN(HF_IMAGES_MAX) };

static uint32_t half_size(const struct hf_area *area) { return area->size / area->sector / 2 * area->sector; }

enum hf_err hf_bootstate_check(const struct hf_area *area, uint8_t images)
{
  enum hf_err err = hf_area_check(area, 2);
  if (err != HF_OK || images == 0 || images > HF_IMAGES_MAX) {
    return HF_E_INPUT;
  }
  return hf_record_room(area, HF_BOOTSTATE_LEN(images)) <= half_size(area) ? HF_OK : HF_E_INPUT;
}

static void slot_encode(struct hf_buf *out, const struct hf_bootslot *slot)
{
  hf_buf_put_u8(out, (uint8_t)slot->status);
  hf_buf_put_u8(out, slot->version.major);
  hf_buf_put_u8(out, slot->version.minor);
  hf_buf_put_le16(out, slot->version.revision);
  hf_buf_put_le32(out, slot->version.build);
  hf_buf_put_le32(out, slot->counter);
  hf_buf_put(out, hf_bytes_init(slot->digest, sizeof slot->digest));
}

static void slot_parse(struct hf_bootslot *slot, struct hf_cursor *in)
{
  slot->status = (enum hf_slot_status)hf_cursor_u8(in);
  slot->version.major = hf_cursor_u8(in);
  slot->version.minor = hf_cursor_u8(in);
  slot->version.revision = hf_cursor_le16(in);
  slot->version.build = hf_cursor_le32(in);
  slot->counter = hf_cursor_le32(in);
  struct hf_bytes digest = hf_cursor_take(in, HF_SHA256_LEN);
  if (digest.len == HF_SHA256_LEN) {
    memcpy(slot->digest, digest.at, HF_SHA256_LEN);
  }
}

/* Active slot in bit 0, previous slot in bit 1; format 1 has the active one only. */
static uint8_t chosen(const struct hf_bootimage *image, uint8_t images)
{
  unsigned bits = image->active | (images == 1 ? 0u : (unsigned)image->previous << 1);
  return (uint8_t)bits;
}

static void state_encode(struct hf_buf *out, const struct hf_bootstate *state)
{
  hf_buf_put_u8(out, state->images == 1 ? FORMAT_ONE : FORMAT_SET);
  if (state->images != 1) {
    hf_buf_put_u8(out, state->images);
  }
  for (int i = 0; i < state->images; i++) {
    const struct hf_bootimage *image = &state->image[i];
    hf_buf_put_u8(out, chosen(image, state->images));
    slot_encode(out, &image->slot[0]);
    slot_encode(out, &image->slot[1]);
    hf_buf_put_le32(out, image->counter);
  }
  hf_buf_put_le32(out, state->failures);
  if (state->images != 1) {
    hf_buf_put_u8(out, state->failed_image);
  }
  hf_buf_put_u8(out, state->failed_slot);
  hf_buf_put_le16(out, state->failed_rule);
  hf_buf_put_u8(out, state->failed_reset);
  hf_buf_put_le16(out, state->trial_rule);
}

static bool image_parse(struct hf_bootimage *image, struct hf_cursor *in, uint8_t images)
{
  uint8_t bits = hf_cursor_u8(in);
  image->active = bits & 1;
  image->previous = images == 1 ? (uint8_t)(1 - image->active) : (uint8_t)(bits >> 1 & 1);
  slot_parse(&image->slot[0], in);
  slot_parse(&image->slot[1], in);
  image->counter = hf_cursor_le32(in);
  return bits < (images == 1 ? 2 : 4) && image->slot[0].status <= HF_SLOT_BAD && image->slot[1].status <= HF_SLOT_BAD;
}

static enum hf_err state_parse(struct hf_bootstate *state, struct hf_bytes payload)
{
  struct hf_cursor in = hf_cursor_init(payload);
  uint8_t format = hf_cursor_u8(&in);
  uint8_t images = format == FORMAT_SET ? hf_cursor_u8(&in) : 1;
  bool known = format == FORMAT_SET ? images > 1 && images <= HF_IMAGES_MAX : format == FORMAT_ONE;
  for (uint8_t i = 0; known && i < images; i++) {
    known = image_parse(&state->image[i], &in, images);
  }
  if (!known) {
    return HF_E_VERSION;
  }
  state->images = images;
  state->failures = hf_cursor_le32(&in);
  state->failed_image = images == 1 ? 0 : hf_cursor_u8(&in);
  state->failed_slot = hf_cursor_u8(&in);
  state->failed_rule = hf_cursor_le16(&in);
  state->failed_reset = hf_cursor_u8(&in);
  state->trial_rule = hf_cursor_le16(&in);
  return hf_cursor_done(&in) && state->failed_image < images ? HF_OK : HF_E_VERSION;
}

/* The newest record of one half; rec->seq 0 when there is none. Leaves the run at its end. */
static enum hf_err half_scan(struct hf_record *newest, struct hf_run *run, const struct hf_area *area, int half)
{
  *run = hf_record_open(area, half == 0 ? 0 : half_size(area), half_size(area));
  *newest = (struct hf_record){0};
  struct hf_record rec;
  enum hf_err err;
  while ((err = hf_record_next(&rec, run)) == HF_OK) {
    if (rec.kind == HF_RECORD_VALUE && rec.key == KEY && rec.seq > newest->seq) {
      *newest = rec;
    }
  }
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

enum hf_err hf_bootstate_get(struct hf_bootstate *state, const struct hf_area *area)
{
  *state = (struct hf_bootstate){0};
  enum hf_err err = hf_area_check(area, 2);
  struct hf_run run;
  struct hf_record newest[2];
  for (int half = 0; err == HF_OK && half < 2; half++) {
    err = half_scan(&newest[half], &run, area, half);
  }
  if (err != HF_OK) {
    return err;
  }
  const struct hf_record *best = newest[1].seq > newest[0].seq ? &newest[1] : &newest[0];
  if (best->seq == 0) {
    err = hf_record_check_erased(area, 0, area->size);
    return err == HF_OK ? HF_E_NOT_FOUND : err == HF_E_EXISTS ? HF_E_DENIED : err;
  }
  uint8_t payload[LEN_MAX];
  if (best->len > sizeof payload) {
    return HF_E_VERSION;
  }
  err = hf_record_get(payload, area, best);
  if (err != HF_OK) {
    return HF_E_IO;
  }
  state->seq = best->seq;
  state->lags = newest[0].seq != newest[1].seq;
  return state_parse(state, hf_bytes_init(payload, best->len));
}

/* A full half is erased first; so is one without any record, which may look erased because power failed while it was
 * being erased. Only when the other half is known to hold the newest state. */
static enum hf_err half_put(struct hf_run *run, const struct hf_record *newest, uint32_t seq,
                            const struct hf_buf *payload, bool may_erase)
{
  struct hf_record rec = {.kind = HF_RECORD_VALUE, .key = KEY, .len = (uint16_t)payload->len, .seq = seq};
  enum hf_err err = newest->seq == 0 ? HF_E_FULL : hf_record_put(run, &rec, payload->at);
  if (err == HF_E_FULL && may_erase) {
    err = hf_record_clear(run, 0);
    err = err == HF_OK ? hf_record_put(run, &rec, payload->at) : err;
  }
  return err == HF_E_FULL ? HF_E_IO : err;
}

enum hf_err hf_bootstate_put(struct hf_bootstate *state, const struct hf_area *area)
{
  struct hf_record newest[2];
  struct hf_run run[2];
  enum hf_err err = hf_bootstate_check(area, state->images);
  for (int half = 0; err == HF_OK && half < 2; half++) {
    err = half_scan(&newest[half], &run[half], area, half);
  }
  if (err != HF_OK) {
    return err;
  }
  uint8_t payload[LEN_MAX];
  struct hf_buf out = hf_buf_init(payload, sizeof payload);
  state_encode(&out, state);
  /* The half that lags goes first: meanwhile the other one keeps the newest state. */
  int first = newest[1].seq < newest[0].seq;
  uint32_t seq = newest[!first].seq + 1;
  if (seq == 0) {
    return HF_E_FULL; /* no device writes 2^32 boot records: somebody else wrote this one */
  }
  enum hf_err err_first = half_put(&run[first], &newest[first], seq, &out, true);
  enum hf_err err_second = half_put(&run[!first], &newest[!first], seq, &out, err_first == HF_OK);
  if (err_first != HF_OK && err_second != HF_OK) {
    return err_first;
  }
  state->seq = seq;
  state->lags = err_first != HF_OK || err_second != HF_OK;
  return HF_OK;
}

void hf_bootstate_bind(struct hf_bootslot *slot, const struct hf_image_info *info, enum hf_slot_status status)
{
  *slot = (struct hf_bootslot){.status = status, .version = info->version, .counter = info->counter};
  memcpy(slot->digest, info->digest, sizeof slot->digest);
}

void hf_bootstate_fail(struct hf_bootstate *state, uint8_t image, uint8_t slot, uint16_t rule, enum hf_reset reset)
{
  state->failures++;
  state->failed_image = image;
  state->failed_slot = slot;
  state->failed_rule = rule;
  state->failed_reset = (uint8_t)reset;
}

bool hf_bootstate_absent(const struct hf_bootimage *image)
{
  return image->slot[image->active].status == HF_SLOT_EMPTY &&
         image->slot[1 - image->active].status != HF_SLOT_CONFIRMED;
}

/* One image of the set that runs: confirmed from now on. False when its records say that something else runs. */
static bool image_confirm(struct hf_bootimage *image, uint8_t slot, bool *trial)
{
  uint8_t active = image->active;
  image->previous = active;
  if (slot >= HF_SLOTS) {
    return hf_bootstate_absent(image) && image->slot[1 - active].status != HF_SLOT_TRYING;
  }
  struct hf_bootslot *running = &image->slot[slot];
  if (running->status == HF_SLOT_TRYING) {
    *trial = true;
    running->status = HF_SLOT_CONFIRMED;
    image->active = slot;
    image->counter = running->counter > image->counter ? running->counter : image->counter;
  }
  return running->status == HF_SLOT_CONFIRMED && image->active == slot &&
         image->slot[1 - slot].status != HF_SLOT_TRYING;
}

enum hf_err hf_bootstate_confirm(struct hf_bootstate *state, const struct hf_area *area,
                                 const uint8_t slot[HF_IMAGES_MAX])
{
  struct hf_bootstate next = *state;
  bool trial = false;
  for (uint8_t i = 0; i < next.images; i++) {
    if (!image_confirm(&next.image[i], slot[i], &trial)) {
      return HF_E_STATE;
    }
  }
  enum hf_err err = trial ? hf_bootstate_put(&next, area) : HF_OK;
  if (trial && err == HF_OK) {
    *state = next;
  }
  return err;
}

bool hf_bootstate_on_trial(const struct hf_bootstate *state, const uint8_t slot[HF_IMAGES_MAX])
{
  for (uint8_t i = 0; i < state->images; i++) {
    if (slot[i] < HF_SLOTS && state->image[i].slot[slot[i]].status == HF_SLOT_TRYING) {
      return true;
    }
  }
  return false;
}
