/* SPDX-License-Identifier: Apache-2.0
 * The slot writer. Bytes that do not fill a write unit wait in `cell`; a sector is erased when its first byte comes.
 */
#include "hf/device/slot.h"

#include <string.h>

enum { CHUNK = 256 };

/* Bytes waiting in the cell. */
static uint32_t waiting(const struct hf_slot_writer *writer) { return writer->at % writer->area->align; }

static enum hf_err hash_flash(struct hf_slot_writer *writer, uint32_t to)
{
  uint8_t chunk[CHUNK];
  for (uint32_t at = 0; at < to;) {
    uint32_t len = to - at < CHUNK ? to - at : CHUNK;
    enum hf_err err = hf_area_read(writer->area, at, chunk, len);
    if (err != HF_OK) {
      return err;
    }
    hf_sha256_put(&writer->hash, hf_bytes_init(chunk, len));
    at += len;
    if (at % 4096 == 0) {
      hf_port_watchdog_feed();
    }
  }
  return HF_OK;
}

enum hf_err hf_slot_open(struct hf_slot_writer *writer, const struct hf_area *area, uint32_t len, uint32_t from)
{
  *writer = (struct hf_slot_writer){.area = area, .len = len, .at = from, .erased_to = from};
  enum hf_err err = hf_area_check(area, 1);
  if (err != HF_OK) {
    return err;
  }
  if (len > area->size) {
    return HF_E_SPACE;
  }
  if (from > len || (from % area->sector != 0 && from != len)) {
    return HF_E_INPUT;
  }
  writer->complete = from == len;
  hf_sha256_init(&writer->hash);
  return hash_flash(writer, from);
}

static enum hf_err erase_to(struct hf_slot_writer *writer, uint32_t end)
{
  const struct hf_area *area = writer->area;
  while (writer->erased_to < end) {
    enum hf_err err = hf_area_erase(area, writer->erased_to, area->sector);
    if (err != HF_OK) {
      return err;
    }
    writer->erased_to += area->sector;
    hf_port_watchdog_feed();
  }
  return HF_OK;
}

/* Program whole units that lie within one sector. */
static enum hf_err program(struct hf_slot_writer *writer, uint32_t at, const uint8_t *in, uint32_t len)
{
  enum hf_err err = erase_to(writer, at + len);
  return err == HF_OK ? hf_area_program(writer->area, at, in, len) : err;
}

/* Fill the cell; when it is full it goes to flash. Takes at least one byte. */
static enum hf_err cell_put(struct hf_slot_writer *writer, const uint8_t *in, uint32_t *len)
{
  uint32_t fill = waiting(writer);
  uint32_t room = writer->area->align - fill;
  uint32_t take = *len < room ? *len : room;
  memcpy(writer->cell + fill, in, take);
  *len = take;
  if (take < room) {
    return HF_OK;
  }
  return program(writer, writer->at - fill, writer->cell, writer->area->align);
}

/* As many whole units as are there, not past the end of the sector. */
static enum hf_err units_put(struct hf_slot_writer *writer, const uint8_t *in, uint32_t *len)
{
  const struct hf_area *area = writer->area;
  uint32_t room = area->sector - writer->at % area->sector;
  uint32_t take = (*len < room ? *len : room) / area->align * area->align;
  *len = take;
  return program(writer, writer->at, in, take);
}

enum hf_err hf_slot_put(struct hf_slot_writer *writer, struct hf_bytes bytes)
{
  if (bytes.len > writer->len - writer->at) {
    return HF_E_SPACE;
  }
  for (size_t done = 0; done < bytes.len;) {
    uint32_t len = (uint32_t)(bytes.len - done);
    const uint8_t *in = bytes.at + done;
    bool whole = waiting(writer) == 0 && len >= writer->area->align;
    enum hf_err err = whole ? units_put(writer, in, &len) : cell_put(writer, in, &len);
    if (err != HF_OK) {
      return err;
    }
    hf_sha256_put(&writer->hash, hf_bytes_init(in, len));
    writer->at += len;
    done += len;
  }
  return HF_OK;
}

uint32_t hf_slot_safe(const struct hf_slot_writer *writer)
{
  return writer->at / writer->area->sector * writer->area->sector;
}

enum hf_err hf_slot_close(struct hf_slot_writer *writer, uint8_t digest[HF_SHA256_LEN])
{
  if (writer->at != writer->len) {
    return HF_E_STATE;
  }
  uint32_t fill = waiting(writer);
  if (fill != 0 && !writer->complete) {
    memset(writer->cell + fill, writer->area->erased, writer->area->align - fill);
    enum hf_err err = program(writer, writer->at - fill, writer->cell, writer->area->align);
    if (err != HF_OK) {
      return err;
    }
  }
  writer->complete = true;
  hf_sha256_get(&writer->hash, digest);
  return HF_OK;
}

static enum hf_err source_read(void *ctx, uint32_t at, void *out, uint32_t len)
{
  return hf_area_read(ctx, at, out, len);
}

struct hf_image_source hf_slot_source(const struct hf_area *area)
{
  /* The source's context is not const because others write through theirs; this one is only read. */
  union {
    const struct hf_area *in;
    void *out;
  } ctx = {.in = area};
  return (struct hf_image_source){.read = source_read, .ctx = ctx.out, .size = area->size};
}
