/* SPDX-License-Identifier: Apache-2.0
 * Records on flash. The head is written before the payload, so a torn record has a damaged head or a damaged payload;
 * both check sums start from the same CRC, the head's being its low half before the payload is mixed in.
 */
#include "hf/device/record.h"

#include <string.h>

enum { MAGIC = 0xa7, CHUNK = 64 };

/* CRC-32 (ISO-HDLC), four bits a step: 64 bytes of table. */
static uint32_t crc32_put(uint32_t crc, const uint8_t *at, uint32_t len)
{
  static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                     0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                     0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  for (uint32_t i = 0; i < len; i++) {
    crc ^= at[i];
    crc = (crc >> 4) ^ table[crc & 15];
    crc = (crc >> 4) ^ table[crc & 15];
  }
  return crc;
}

static void put_le16(uint8_t *at, uint16_t value)
{
  at[0] = (uint8_t)value;
  at[1] = (uint8_t)(value >> 8);
}

static void put_le32(uint8_t *at, uint32_t value)
{
  put_le16(at, (uint16_t)value);
  put_le16(at + 2, (uint16_t)(value >> 16));
}

static uint16_t get_le16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }

static uint32_t get_le32(const uint8_t *at) { return get_le16(at) | (uint32_t)get_le16(at + 2) << 16; }

/* Bytes 0-9 of a head: magic, kind, key, payload length, sequence. */
static uint32_t head_crc(const uint8_t head[HF_RECORD_HEAD]) { return crc32_put(0xffffffff, head, 10); }

static bool head_parse(struct hf_record *rec, const uint8_t head[HF_RECORD_HEAD])
{
  if (head[0] != MAGIC || get_le16(head + 10) != (uint16_t)head_crc(head)) {
    return false;
  }
  rec->kind = head[1];
  rec->key = get_le16(head + 2);
  rec->len = get_le16(head + 4);
  rec->seq = get_le32(head + 6);
  return rec->len <= HF_RECORD_MAX;
}

static void head_encode(uint8_t head[HF_RECORD_HEAD], const struct hf_record *rec)
{
  head[0] = MAGIC;
  head[1] = rec->kind;
  put_le16(head + 2, rec->key);
  put_le16(head + 4, rec->len);
  put_le32(head + 6, rec->seq);
  put_le16(head + 10, (uint16_t)head_crc(head));
}

struct hf_run hf_record_open(const struct hf_area *area, uint32_t start, uint32_t size)
{
  return (struct hf_run){.area = area, .start = start, .size = size, .end = start};
}

uint32_t hf_record_room(const struct hf_area *area, uint32_t len)
{
  return HF_RECORD_HEAD + (len + area->align - 1) / area->align * area->align;
}

enum hf_err hf_record_check_erased(const struct hf_area *area, uint32_t at, uint32_t end)
{
  uint8_t chunk[CHUNK];
  while (at < end) {
    uint32_t len = end - at < CHUNK ? end - at : CHUNK;
    enum hf_err err = hf_area_read(area, at, chunk, len);
    if (err != HF_OK) {
      return err;
    }
    for (uint32_t i = 0; i < len; i++) {
      if (chunk[i] != area->erased) {
        return HF_E_EXISTS;
      }
    }
    at += len;
  }
  return HF_OK;
}

enum hf_err hf_record_get(void *out, const struct hf_area *area, const struct hf_record *rec)
{
  uint8_t head[HF_RECORD_HEAD];
  enum hf_err err = hf_area_read(area, rec->at, head, sizeof head);
  if (err != HF_OK) {
    return err;
  }
  uint8_t chunk[CHUNK];
  uint32_t crc = head_crc(head);
  for (uint32_t done = 0; done < rec->len;) {
    uint32_t len = rec->len - done < CHUNK ? rec->len - done : CHUNK;
    err = hf_area_read(area, rec->at + HF_RECORD_HEAD + done, chunk, len);
    if (err != HF_OK) {
      return err;
    }
    crc = crc32_put(crc, chunk, len);
    if (out != NULL) {
      memcpy((uint8_t *)out + done, chunk, len);
    }
    done += len;
  }
  return get_le32(head + 12) == ~crc ? HF_OK : HF_E_INPUT;
}

enum hf_err hf_record_next(struct hf_record *rec, struct hf_run *run)
{
  uint32_t limit = run->start + run->size;
  while (!run->closed && limit - run->end >= HF_RECORD_HEAD) {
    uint8_t head[HF_RECORD_HEAD];
    enum hf_err err = hf_area_read(run->area, run->end, head, sizeof head);
    if (err != HF_OK) {
      return err;
    }
    if (!head_parse(rec, head) || hf_record_room(run->area, rec->len) > limit - run->end) {
      err = hf_record_check_erased(run->area, run->end, limit);
      run->closed = err != HF_OK;
      return err == HF_OK || err == HF_E_EXISTS ? HF_E_NOT_FOUND : err;
    }
    rec->at = run->end;
    run->end += hf_record_room(run->area, rec->len);
    err = hf_record_get(NULL, run->area, rec);
    if (err != HF_E_INPUT) {
      return err;
    }
  }
  return HF_E_NOT_FOUND;
}

/* Payload and padding, whole write units first. */
static enum hf_err payload_put(const struct hf_area *area, uint32_t at, const uint8_t *payload, uint32_t len)
{
  uint32_t whole = len / area->align * area->align;
  enum hf_err err = hf_area_program(area, at, payload, whole);
  if (err != HF_OK || whole == len) {
    return err;
  }
  uint8_t cell[HF_ALIGN_MAX];
  memset(cell, area->erased, sizeof cell);
  memcpy(cell, payload + whole, len - whole);
  return hf_area_program(area, at + whole, cell, area->align);
}

static enum hf_err write_at(const struct hf_area *area, struct hf_record *rec, const void *payload, uint32_t at)
{
  uint8_t head[HF_RECORD_HEAD];
  head_encode(head, rec);
  put_le32(head + 12, ~crc32_put(head_crc(head), payload, rec->len));
  rec->at = at;
  enum hf_err err = hf_area_program(area, at, head, sizeof head);
  if (err == HF_OK && rec->len > 0) {
    err = payload_put(area, at + HF_RECORD_HEAD, payload, rec->len);
  }
  if (err == HF_OK) {
    err = hf_record_get(NULL, area, rec);
  }
  return err == HF_OK ? HF_OK : HF_E_IO;
}

enum hf_err hf_record_put(struct hf_run *run, struct hf_record *rec, const void *payload)
{
  if (rec->len > HF_RECORD_MAX) {
    return HF_E_SPACE;
  }
  uint32_t room = hf_record_room(run->area, rec->len);
  if (run->closed || room > run->start + run->size - run->end) {
    return HF_E_FULL;
  }
  enum hf_err err = write_at(run->area, rec, payload, run->end);
  run->closed = err != HF_OK;
  run->end += room;
  return err;
}

enum hf_err hf_record_put_first(struct hf_run *run, struct hf_record *rec)
{
  rec->len = 0;
  return write_at(run->area, rec, NULL, run->start);
}

enum hf_err hf_record_copy(struct hf_run *to, struct hf_record *rec)
{
  uint32_t room = hf_record_room(to->area, rec->len);
  if (to->closed || room > to->start + to->size - to->end) {
    return HF_E_FULL;
  }
  /* Head and padding are copied as they stand: nothing in a record depends on its place. */
  uint8_t chunk[CHUNK];
  for (uint32_t done = 0; done < room;) {
    uint32_t len = room - done < CHUNK ? room - done : CHUNK;
    enum hf_err err = hf_area_read(to->area, rec->at + done, chunk, len);
    if (err == HF_OK) {
      err = hf_area_program(to->area, to->end + done, chunk, len);
    }
    if (err != HF_OK) {
      to->closed = true;
      return HF_E_IO;
    }
    done += len;
  }
  rec->at = to->end;
  to->end += room;
  return hf_record_get(NULL, to->area, rec) == HF_OK ? HF_OK : HF_E_IO;
}

enum hf_err hf_record_clear(struct hf_run *run, uint32_t reserve)
{
  enum hf_err err = hf_area_erase(run->area, run->start, run->size);
  run->end = run->start + reserve;
  run->closed = err != HF_OK;
  return err;
}
