/* SPDX-License-Identifier: Apache-2.0
 * The moves. Each step erases one sector and fills it from another one that stays as it is until the step is on record,
 * so a step that power cut short is done again.
 */
#include "hf/device/swap.h"

#include <string.h>

enum { CHUNK = 256, SEAL_OLD = 0, SEAL_NEW = 1 };

/* One step: fill a sector from another. */
struct step {
  uint8_t to, from;        /* slots */
  uint32_t to_at, from_at; /* sectors */
  uint32_t image_at;       /* sector of the image it is */
  uint32_t record;         /* number of its status record */
  uint8_t value;           /* of the record */
};

/* What a swap under way consists of. */
struct course {
  enum hf_boot_mode mode;
  bool revert;      /* swap-offset, backwards */
  uint32_t sectors; /* that change places */
  uint32_t steps;   /* all of them */
  uint32_t max;     /* sectors the status has records for */
};

enum hf_err hf_swap_get(struct hf_swap *swap)
{
  enum hf_err err = hf_trailer_get(&swap->primary, swap->format, &swap->slot[0]);
  return err == HF_OK ? hf_trailer_get(&swap->secondary, swap->format, &swap->slot[1]) : err;
}

bool hf_swap_under_way(const struct hf_swap *swap)
{
  const struct hf_trailer *primary = &swap->primary;
  const struct hf_trailer *secondary = &swap->secondary;
  bool begun = primary->magic == HF_MARK_GOOD && primary->copy_done == HF_MARK_UNSET &&
               primary->swap_type != HF_SWAP_NONE && swap->format->mode != HF_BOOT_OVERWRITE;
  /* The second trailer is erased last: while it is whole nothing has moved, and the beginning is done again. */
  return begun && (secondary->magic != HF_MARK_GOOD || secondary->image_ok == HF_MARK_BAD);
}

static enum hf_err area_read(void *ctx, uint32_t at, void *out, uint32_t len)
{
  return hf_area_read(ctx, at, out, len);
}

void hf_swap_source(struct hf_image_source *source, struct hf_area *area, const struct hf_swap *swap, uint8_t slot,
                    uint32_t sector)
{
  *area = swap->slot[slot];
  area->start += sector * area->sector;
  area->size = hf_trailer_sector(swap->format, &swap->slot[slot]) * area->sector - sector * area->sector;
  *source = (struct hf_image_source){.read = area_read, .ctx = area, .size = area->size};
}

/* ---- beginning ---- */

static enum hf_err put_keys(struct hf_swap *swap)
{
  uint8_t none[HF_SEAL_KEY_MAX];
  memset(none, 0xff, sizeof none);
  enum hf_err err = HF_OK;
  for (int i = 0; i < HF_SLOTS && err == HF_OK && swap->format->key_len != 0; i++) {
    const struct hf_seal *seal = &swap->seal[i];
    if (seal->key_len != 0 && seal->key_len != swap->format->key_len) {
      return HF_E_CRYPTO;
    }
    err = hf_trailer_put(swap->format, &swap->slot[0], i == 0 ? HF_FIELD_KEY_0 : HF_FIELD_KEY_1,
                         seal->key_len != 0 ? seal->key : none, swap->format->key_len);
  }
  return err;
}

static enum hf_err put_sizes(struct hf_swap *swap, uint32_t swap_size, const uint16_t tlvs[HF_SLOTS])
{
  uint8_t raw[4];
  struct hf_buf out = hf_buf_init(raw, sizeof raw);
  hf_buf_put_le32(&out, swap_size);
  enum hf_err err = hf_trailer_put(swap->format, &swap->slot[0], HF_FIELD_SWAP_SIZE, raw, sizeof raw);
  if (err != HF_OK || swap->format->mode != HF_BOOT_SWAP_OFFSET || !swap->format->tlv_sizes) {
    return err;
  }
  out = hf_buf_init(raw, sizeof raw);
  hf_buf_put_le16(&out, tlvs[0]);
  hf_buf_put_le16(&out, tlvs[1]);
  return hf_trailer_put(swap->format, &swap->slot[0], HF_FIELD_TLV_SIZES, raw, sizeof raw);
}

enum hf_err hf_swap_begin(struct hf_swap *swap, enum hf_swap_type type, uint8_t image, uint32_t swap_size,
                          const uint16_t tlvs[HF_SLOTS])
{
  if (swap_size == 0 || swap_size > hf_trailer_room(swap->format, swap->slot)) {
    return HF_E_SPACE;
  }
  const uint8_t info = (uint8_t)(image << 4 | (uint8_t)type);
  enum hf_err err = hf_trailer_erase(swap->format, &swap->slot[0]);
  if (err == HF_OK) {
    err = hf_trailer_put(swap->format, &swap->slot[0], HF_FIELD_SWAP_INFO, &info, 1);
  }
  if (err == HF_OK && type == HF_SWAP_PERM) {
    err = hf_trailer_put_flag(swap->format, &swap->slot[0], HF_FIELD_IMAGE_OK);
  }
  if (err == HF_OK) {
    err = put_sizes(swap, swap_size, tlvs);
  }
  if (err == HF_OK) {
    err = put_keys(swap);
  }
  if (err == HF_OK) {
    err = hf_trailer_put_magic(swap->format, &swap->slot[0]);
  }
  if (err == HF_OK && swap->secondary.magic != HF_MARK_UNSET) {
    err = hf_trailer_erase(swap->format, &swap->slot[1]);
  }
  return err == HF_OK ? hf_swap_get(swap) : err;
}

/* ---- the course ---- */

static bool course_init(struct course *course, const struct hf_swap *swap)
{
  uint32_t size = swap->primary.swap_size;
  uint32_t sector = swap->slot[0].sector;
  if (size == 0 || size > hf_trailer_room(swap->format, swap->slot)) {
    return false;
  }
  *course = (struct course){.mode = swap->format->mode,
                            .revert = swap->primary.swap_type == HF_SWAP_REVERT,
                            .sectors = (size + sector - 1) / sector,
                            .max = swap->format->sectors_max != 0 ? swap->format->sectors_max : HF_TRAILER_SECTORS};
  course->steps = course->sectors * (course->mode == HF_BOOT_SWAP_MOVE ? 3 : 2);
  return true;
}

/* Swap using move: all of slot 0 one sector up, from its end; then sector by sector from the start. */
static struct step step_move(const struct course *course, uint32_t number)
{
  if (number < course->sectors) {
    uint32_t at = course->sectors - number;
    return (struct step){.to_at = at, .from_at = at - 1, .image_at = at - 1, .record = number, .value = 1};
  }
  uint32_t half = (number - course->sectors) % 2;
  uint32_t at = (number - course->sectors) / 2;
  struct step step = {.image_at = at, .record = course->max + 2 * at + half, .value = (uint8_t)(1 + half)};
  step.to = (uint8_t)half;
  step.from = (uint8_t)(1 - half);
  step.to_at = at;
  step.from_at = at + half;
  return step;
}

/* Swap using offset: forwards from the start, slot 1 being read one sector ahead; back from the end. */
static struct step step_offset(const struct course *course, uint32_t number)
{
  uint32_t half = number % 2;
  uint32_t at = course->revert ? course->sectors - 1 - number / 2 : number / 2;
  struct step step = {.image_at = at, .record = number, .value = (uint8_t)(1 + half)};
  step.to = (uint8_t)(1 - half);
  step.from = (uint8_t)half;
  step.to_at = half == 0 && course->revert ? at + 1 : at;
  step.from_at = half == 1 && !course->revert ? at + 1 : at;
  return step;
}

static struct step step_of(const struct course *course, uint32_t number)
{
  return course->mode == HF_BOOT_SWAP_MOVE ? step_move(course, number) : step_offset(course, number);
}

static uint32_t record_at(const struct hf_swap *swap, uint32_t record)
{
  return hf_trailer_at(swap->format, &swap->slot[0], HF_FIELD_STATUS) + record * swap->slot[0].align;
}

/* A record counts when anything of its write unit is not erased: what it tells of was done before. */
static enum hf_err record_get(bool *there, const struct hf_swap *swap, uint32_t record)
{
  uint8_t cell[HF_ALIGN_MAX];
  const struct hf_area *slot = &swap->slot[0];
  enum hf_err err = hf_area_read(slot, record_at(swap, record), cell, slot->align);
  *there = false;
  for (uint32_t i = 0; err == HF_OK && i < slot->align; i++) {
    *there = *there || cell[i] != slot->erased;
  }
  return err;
}

static enum hf_err record_put(const struct hf_swap *swap, const struct step *step)
{
  uint8_t cell[HF_ALIGN_MAX];
  const struct hf_area *slot = &swap->slot[0];
  memset(cell, slot->erased, sizeof cell);
  cell[0] = step->value;
  return hf_area_program(slot, record_at(swap, step->record), cell, slot->align);
}

/* Steps done: the last record that is there. */
static enum hf_err steps_done(uint32_t *done, const struct hf_swap *swap, const struct course *course)
{
  for (*done = course->steps; *done > 0; (*done)--) {
    bool there;
    struct step step = step_of(course, *done - 1);
    enum hf_err err = record_get(&there, swap, step.record);
    if (err != HF_OK || there) {
      return err;
    }
  }
  return HF_OK;
}

/* ---- keys of encrypted images ---- */

/* Where the first sector of an image is after so many steps. */
static void header_place(uint8_t *slot, uint32_t *sector, const struct course *course, int which, uint32_t done)
{
  *slot = which == SEAL_OLD ? 0 : 1;
  *sector = 0;
  if (course->mode == HF_BOOT_SWAP_MOVE) {
    bool moved = done >= course->sectors;
    bool gone = done >= course->sectors + (which == SEAL_OLD ? 2 : 1);
    *slot = gone ? (uint8_t)(1 - *slot) : *slot;
    *sector = which == SEAL_OLD && moved && !gone ? 1 : 0;
    return;
  }
  uint32_t needed = which == SEAL_OLD ? 1 : 2;
  bool gone = done >= (course->revert ? course->steps - 2 + needed : needed);
  /* The image that came in by an update stands one sector into slot 1. */
  bool update = course->revert == (which == SEAL_OLD);
  *slot = gone ? (uint8_t)(1 - *slot) : *slot;
  *sector = *slot == 1 && update ? 1 : 0;
}

static enum hf_err seal_load(struct hf_swap *swap, const struct course *course, int which, uint32_t done)
{
  struct hf_seal *seal = &swap->seal[which];
  uint8_t raw[HF_IMAGE_HEADER_LEN];
  uint8_t slot;
  uint32_t sector;
  *seal = (struct hf_seal){.key_len = 0};
  header_place(&slot, &sector, course, which, done);
  enum hf_err err = hf_area_read(&swap->slot[slot], sector * swap->slot[slot].sector, raw, sizeof raw);
  struct hf_cursor in = hf_cursor_init(hf_bytes_init(raw, sizeof raw));
  if (err != HF_OK || hf_cursor_le32(&in) != HF_IMAGE_MAGIC) {
    return err;
  }
  (void)hf_cursor_le32(&in);
  seal->header_len = hf_cursor_le16(&in);
  (void)hf_cursor_le16(&in);
  seal->payload_len = hf_cursor_le32(&in);
  if ((hf_cursor_le32(&in) & HF_IMAGE_ENCRYPTED) == 0) {
    return HF_OK;
  }
  if (swap->box == NULL || swap->format->key_len == 0) {
    return HF_E_CRYPTO;
  }
  seal->key_len = swap->format->key_len;
  return hf_area_read(&swap->slot[0],
                      hf_trailer_at(swap->format, &swap->slot[0], which == 0 ? HF_FIELD_KEY_0 : HF_FIELD_KEY_1),
                      seal->key, seal->key_len);
}

/* ---- moving ---- */

static enum hf_err fill_sector(const struct hf_swap *swap, const struct step *step)
{
  const struct hf_area *to = &swap->slot[step->to];
  const struct hf_area *from = &swap->slot[step->from];
  const struct hf_seal *seal = &swap->seal[step->from];
  bool crypt = step->to != step->from && seal->key_len != 0;
  uint8_t chunk[CHUNK];
  enum hf_err err = hf_area_erase(to, step->to_at * to->sector, to->sector);
  for (uint32_t at = 0; at < to->sector && err == HF_OK; at += CHUNK) {
    uint32_t len = to->sector - at < CHUNK ? to->sector - at : CHUNK;
    err = hf_area_read(from, step->from_at * from->sector + at, chunk, len);
    if (err == HF_OK && crypt) {
      err = swap->box->ops->crypt(seal, step->image_at * to->sector + at, chunk, len);
    }
    if (err == HF_OK) {
      err = hf_area_program(to, step->to_at * to->sector + at, chunk, len);
    }
  }
  hf_port_watchdog_feed();
  return err;
}

enum hf_err hf_swap_run(struct hf_swap *swap)
{
  struct course course;
  uint32_t done;
  if (!course_init(&course, swap)) {
    return HF_E_STATE;
  }
  enum hf_err err = steps_done(&done, swap, &course);
  for (int i = 0; i < HF_SLOTS && err == HF_OK; i++) {
    err = seal_load(swap, &course, i, done);
  }
  for (; done < course.steps && err == HF_OK; done++) {
    struct step step = step_of(&course, done);
    err = fill_sector(swap, &step);
    if (err == HF_OK) {
      err = record_put(swap, &step);
    }
  }
  hf_secret_wipe(swap->seal, sizeof swap->seal);
  return err;
}

enum hf_err hf_swap_end(struct hf_swap *swap, bool ok)
{
  enum hf_err err = hf_swap_get(swap);
  if (err == HF_OK && swap->format->mode == HF_BOOT_SWAP_OFFSET && swap->primary.swap_type == HF_SWAP_REVERT) {
    /* Sector 0 still looks like an image's header, where the next update's spare sector must be. */
    err = hf_area_erase(&swap->slot[1], 0, swap->slot[1].sector);
  }
  if (err == HF_OK && ok && swap->primary.image_ok == HF_MARK_UNSET) {
    err = hf_trailer_put_flag(swap->format, &swap->slot[0], HF_FIELD_IMAGE_OK);
  }
  if (err == HF_OK && swap->primary.copy_done == HF_MARK_UNSET) {
    err = hf_trailer_put_flag(swap->format, &swap->slot[0], HF_FIELD_COPY_DONE);
  }
  return err == HF_OK ? hf_swap_get(swap) : err;
}

enum hf_err hf_swap_overwrite(struct hf_swap *swap, uint32_t len)
{
  uint32_t sector = swap->slot[0].sector;
  uint32_t sectors = (len + sector - 1) / sector;
  enum hf_err err = len > hf_trailer_room(swap->format, swap->slot) ? HF_E_SPACE : HF_OK;
  for (uint32_t at = 0; at < sectors && err == HF_OK; at++) {
    const struct step step = {.to = 0, .from = 1, .to_at = at, .from_at = at, .image_at = at};
    err = fill_sector(swap, &step);
  }
  hf_secret_wipe(swap->seal, sizeof swap->seal);
  return err;
}

enum hf_err hf_swap_forget(struct hf_swap *swap)
{
  enum hf_err err = hf_trailer_erase(swap->format, &swap->slot[1]);
  return err == HF_OK ? hf_swap_get(swap) : err;
}
