/* SPDX-License-Identifier: Apache-2.0
 * The fields of MCUboot's image trailer, from the end of the slot: magic, image_ok, copy_done, swap info, (TLV sizes,)
 * swap size, (two keys,) and below them the swap status. Written from MCUboot's documents and layout;
 * docs/spec/mcuboot.md.
 */
#include "hf/device/trailer.h"

#include <string.h>

enum { MAGIC_LEN = 16, FLAG_SET = 1 };

/* The magic of trailers with eight-byte fields; wider ones begin with the width and end as below. */
static const uint8_t magic_8[MAGIC_LEN] = {0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f,
                                           0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80};
static const uint8_t magic_wide[MAGIC_LEN - 2] = {0x2d, 0xe1, 0x5d, 0x29, 0x41, 0x0b, 0x8d,
                                                  0x77, 0x67, 0x9c, 0x11, 0x0f, 0x1f, 0x8a};

static uint32_t round_up(uint32_t value, uint32_t to) { return (value + to - 1) / to * to; }

static uint32_t sectors_max(const struct hf_trailer_format *format)
{
  return format->sectors_max != 0 ? format->sectors_max : HF_TRAILER_SECTORS;
}

static uint32_t width(const struct hf_trailer_format *format, uint32_t align)
{
  uint32_t least = align > 8 ? align : 8;
  return format->align_max != 0 ? format->align_max : least;
}

static void magic_make(uint8_t magic[MAGIC_LEN], uint32_t field)
{
  if (field == 8) {
    memcpy(magic, magic_8, MAGIC_LEN);
    return;
  }
  magic[0] = (uint8_t)field;
  magic[1] = 0;
  memcpy(magic + 2, magic_wide, sizeof magic_wide);
}

static bool has_tlv_sizes(const struct hf_trailer_format *format)
{
  return format->mode == HF_BOOT_SWAP_OFFSET && format->tlv_sizes;
}

/* Status records of one sector: move, and two halves of a swap; by offset only the two. */
static uint32_t states(const struct hf_trailer_format *format) { return format->mode == HF_BOOT_SWAP_OFFSET ? 2 : 3; }

uint32_t hf_trailer_len(const struct hf_trailer_format *format, uint32_t align)
{
  uint32_t field = width(format, align);
  uint32_t len = sectors_max(format) * states(format) * align + round_up(MAGIC_LEN, field) + 4 * field;
  if (has_tlv_sizes(format)) {
    len += field;
  }
  return len + 2 * round_up(format->key_len, field);
}

uint32_t hf_trailer_at(const struct hf_trailer_format *format, const struct hf_area *slot, enum hf_trailer_field field)
{
  uint32_t wide = width(format, slot->align);
  uint32_t image_ok = (slot->size - MAGIC_LEN - wide) / wide * wide;
  uint32_t swap_info = image_ok - 2 * wide;
  uint32_t swap_size = swap_info - (has_tlv_sizes(format) ? 2 : 1) * wide;
  switch (field) {
    case HF_FIELD_MAGIC: return slot->size - MAGIC_LEN;
    case HF_FIELD_IMAGE_OK: return image_ok;
    case HF_FIELD_COPY_DONE: return image_ok - wide;
    case HF_FIELD_SWAP_INFO: return swap_info;
    case HF_FIELD_TLV_SIZES: return swap_info - wide;
    case HF_FIELD_SWAP_SIZE: return swap_size;
    case HF_FIELD_KEY_0: return swap_size - round_up(format->key_len, wide);
    case HF_FIELD_KEY_1: return swap_size - 2 * round_up(format->key_len, wide);
    case HF_FIELD_STATUS: break;
  }
  return slot->size - hf_trailer_len(format, slot->align);
}

uint32_t hf_trailer_sector(const struct hf_trailer_format *format, const struct hf_area *slot)
{
  uint32_t first = format->mode == HF_BOOT_OVERWRITE ? hf_trailer_at(format, slot, HF_FIELD_SWAP_INFO)
                                                     : hf_trailer_at(format, slot, HF_FIELD_STATUS);
  return first / slot->sector;
}

static bool fits(const struct hf_trailer_format *format, const struct hf_area *slot)
{
  uint32_t field = width(format, slot->align);
  bool keys = format->key_len == 0 || format->key_len == 16 || format->key_len == 32;
  bool possible = (field == 8 || field == 16 || field == 32) && keys;
  return possible && field >= slot->align && slot->size / slot->sector <= sectors_max(format) &&
         hf_trailer_len(format, slot->align) <= slot->size - 2 * slot->sector;
}

enum hf_err hf_trailer_check(const struct hf_trailer_format *format, const struct hf_area slot[HF_SLOTS])
{
  for (int i = 0; i < HF_SLOTS; i++) {
    /* The last sector or two for the trailer, one spare, one for an image. */
    if (hf_area_check(&slot[i], 3) != HF_OK || !fits(format, &slot[i])) {
      return HF_E_INPUT;
    }
  }
  bool same = slot[0].sector == slot[1].sector && slot[0].align == slot[1].align && slot[0].erased == slot[1].erased;
  bool mode = format->mode >= HF_BOOT_OVERWRITE && format->mode <= HF_BOOT_SWAP_OFFSET;
  return same && mode && hf_trailer_room(format, slot) > 0 ? HF_OK : HF_E_INPUT;
}

uint32_t hf_trailer_room(const struct hf_trailer_format *format, const struct hf_area slot[HF_SLOTS])
{
  uint32_t primary = hf_trailer_sector(format, &slot[0]);
  uint32_t secondary = hf_trailer_sector(format, &slot[1]);
  if (format->mode == HF_BOOT_SWAP_MOVE) {
    primary = primary > 0 ? primary - 1 : 0; /* the sector everything moves up by */
  }
  if (format->mode == HF_BOOT_SWAP_OFFSET) {
    secondary = secondary > 0 ? secondary - 1 : 0; /* the sector left free */
  }
  return (primary < secondary ? primary : secondary) * slot[0].sector;
}

static bool erased(const struct hf_area *slot, const uint8_t *at, size_t len)
{
  for (size_t i = 0; i < len; i++) {
    if (at[i] != slot->erased) {
      return false;
    }
  }
  return true;
}

static enum hf_err get_flag(enum hf_trailer_mark *mark, const struct hf_trailer_format *format,
                            const struct hf_area *slot, enum hf_trailer_field field)
{
  uint8_t value;
  enum hf_err err = hf_area_read(slot, hf_trailer_at(format, slot, field), &value, 1);
  *mark = value == FLAG_SET ? HF_MARK_GOOD : value == slot->erased ? HF_MARK_UNSET : HF_MARK_BAD;
  return err;
}

static enum hf_err get_magic(enum hf_trailer_mark *mark, const struct hf_trailer_format *format,
                             const struct hf_area *slot)
{
  uint8_t value[MAGIC_LEN] = {0};
  uint8_t good[MAGIC_LEN];
  magic_make(good, width(format, slot->align));
  enum hf_err err = hf_area_read(slot, hf_trailer_at(format, slot, HF_FIELD_MAGIC), value, sizeof value);
  *mark = memcmp(value, good, sizeof good) == 0 ? HF_MARK_GOOD
          : erased(slot, value, sizeof value)   ? HF_MARK_UNSET
                                                : HF_MARK_BAD;
  return err;
}

static enum hf_err get_swap(struct hf_trailer *trailer, const struct hf_trailer_format *format,
                            const struct hf_area *slot)
{
  uint8_t info;
  uint8_t size[4] = {0};
  enum hf_err err = hf_area_read(slot, hf_trailer_at(format, slot, HF_FIELD_SWAP_INFO), &info, 1);
  if (err == HF_OK) {
    err = hf_area_read(slot, hf_trailer_at(format, slot, HF_FIELD_SWAP_SIZE), size, sizeof size);
  }
  if (err != HF_OK) {
    return err;
  }
  struct hf_cursor in = hf_cursor_init(hf_bytes_init(size, sizeof size));
  trailer->swap_size = hf_cursor_le32(&in);
  uint8_t type = info & 0x0f;
  bool known = info != slot->erased && type >= HF_SWAP_TEST && type <= HF_SWAP_REVERT;
  trailer->swap_type = known ? (enum hf_swap_type)type : HF_SWAP_NONE;
  trailer->image = known ? info >> 4 : 0;
  return HF_OK;
}

enum hf_err hf_trailer_get(struct hf_trailer *trailer, const struct hf_trailer_format *format,
                           const struct hf_area *slot)
{
  *trailer = (struct hf_trailer){.swap_type = HF_SWAP_NONE};
  enum hf_err err = get_magic(&trailer->magic, format, slot);
  if (err == HF_OK) {
    err = get_flag(&trailer->image_ok, format, slot, HF_FIELD_IMAGE_OK);
  }
  if (err == HF_OK) {
    err = get_flag(&trailer->copy_done, format, slot, HF_FIELD_COPY_DONE);
  }
  return err == HF_OK ? get_swap(trailer, format, slot) : HF_E_IO;
}

/* MCUboot docs/design.md, "Image Trailer": what stands in the secondary slot comes first. */
enum hf_swap_type hf_trailer_swap_type(const struct hf_trailer *primary, const struct hf_trailer *secondary)
{
  if (secondary->magic == HF_MARK_GOOD && secondary->image_ok == HF_MARK_UNSET) {
    return HF_SWAP_TEST;
  }
  if (secondary->magic == HF_MARK_GOOD && secondary->image_ok == HF_MARK_GOOD) {
    return HF_SWAP_PERM;
  }
  bool ran = primary->magic == HF_MARK_GOOD && primary->copy_done == HF_MARK_GOOD;
  bool revert = ran && primary->image_ok == HF_MARK_UNSET && secondary->magic == HF_MARK_UNSET;
  return revert ? HF_SWAP_REVERT : HF_SWAP_NONE;
}

enum hf_err hf_trailer_put(const struct hf_trailer_format *format, const struct hf_area *slot,
                           enum hf_trailer_field field, const void *value, uint32_t len)
{
  uint8_t cell[HF_TRAILER_ALIGN_MAX];
  uint32_t total = round_up(len, slot->align);
  if (total > sizeof cell) {
    return HF_E_INPUT;
  }
  memset(cell, slot->erased, sizeof cell);
  memcpy(cell, value, len);
  return hf_area_program(slot, hf_trailer_at(format, slot, field), cell, total);
}

enum hf_err hf_trailer_put_magic(const struct hf_trailer_format *format, const struct hf_area *slot)
{
  uint8_t cell[HF_TRAILER_ALIGN_MAX];
  uint32_t field = width(format, slot->align);
  uint32_t total = round_up(MAGIC_LEN, field);
  memset(cell, slot->erased, sizeof cell);
  magic_make(cell + (total - MAGIC_LEN), field);
  return hf_area_program(slot, slot->size - total, cell, total);
}

enum hf_err hf_trailer_put_flag(const struct hf_trailer_format *format, const struct hf_area *slot,
                                enum hf_trailer_field field)
{
  static const uint8_t set = FLAG_SET;
  return hf_trailer_put(format, slot, field, &set, 1);
}

enum hf_err hf_trailer_erase(const struct hf_trailer_format *format, const struct hf_area *slot)
{
  uint32_t first = hf_trailer_sector(format, slot);
  enum hf_err err = HF_OK;
  for (uint32_t sector = slot->size / slot->sector; err == HF_OK && sector > first; sector--) {
    err = hf_area_erase(slot, (sector - 1) * slot->sector, slot->sector);
    hf_port_watchdog_feed();
  }
  return err;
}
