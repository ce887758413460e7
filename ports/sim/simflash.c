/* SPDX-License-Identifier: Apache-2.0
 * A NOR flash in memory: rules, counters, torn operations.
 */
#include "ports/sim/simflash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* xorshift64*: repeatable, and good enough to tear bits. */
static uint64_t draw(struct simflash *flash)
{
  uint64_t x = flash->seed | 1;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  flash->seed = x;
  return x * UINT64_C(2685821657736338717);
}

static enum hf_err breach(struct simflash *flash, const char *rule)
{
  flash->breaches++;
  flash->breach = rule;
  return HF_E_INPUT;
}

static bool outside(const struct simflash *flash, uint32_t at, uint32_t len)
{
  return at > flash->size || len > flash->size - at;
}

static enum hf_err sim_read(void *ctx, uint32_t at, void *out, uint32_t len)
{
  struct simflash *flash = ctx;
  if (outside(flash, at, len)) {
    return breach(flash, "read outside");
  }
  if (flash->dead || flash->fail_reads) {
    return HF_E_IO;
  }
  memcpy(out, flash->at + at, len);
  return HF_OK;
}

/* How many bytes of a torn operation happen whole; `*bits` gets a mask for the byte after them. */
static uint32_t torn_prefix(struct simflash *flash, uint32_t len, uint8_t *bits)
{
  *bits = 0;
  switch (flash->tear) {
    case SIMFLASH_TEAR_HALF: return len / 2;
    case SIMFLASH_TEAR_LATE: return len;
    case SIMFLASH_TEAR_PREFIX: *bits = (uint8_t)draw(flash); return (uint32_t)(draw(flash) % len);
    case SIMFLASH_TEAR_NONE:
    case SIMFLASH_TEAR_BITS: break;
    case SIMFLASH_TEAR_BYTE: *bits = (uint8_t)draw(flash); return flash->tear_at < len ? flash->tear_at : len;
  }
  return 0;
}

/* Move byte `i` of the range towards `to`, in the bits of `mask`. */
static void shift_bits(struct simflash *flash, uint32_t i, uint8_t to, uint8_t mask)
{
  flash->at[i] = (uint8_t)((flash->at[i] & ~mask) | (to & mask));
}

/* `in` NULL: towards erased. */
static void torn(struct simflash *flash, uint32_t at, const uint8_t *in, uint32_t len)
{
  uint8_t bits;
  uint32_t whole = torn_prefix(flash, len, &bits);
  for (uint32_t i = 0; i < len; i++) {
    uint8_t to = in != NULL ? in[i] : flash->erased;
    uint8_t mask = 0;
    if (i < whole) {
      mask = 0xff;
    } else if (i == whole) {
      mask = bits;
    }
    if (flash->tear == SIMFLASH_TEAR_BITS) {
      mask = (uint8_t)draw(flash);
    }
    shift_bits(flash, at + i, to, mask);
  }
}

/* Counts the operation; HF_OK when it goes well, else it was torn or failed already. */
static enum hf_err begin(struct simflash *flash, uint32_t at, const uint8_t *in, uint32_t len)
{
  if (flash->dead) {
    return HF_E_IO;
  }
  flash->ops++;
  if (flash->cut_at != 0 && flash->ops == flash->cut_at) {
    torn(flash, at, in, len);
    flash->dead = true;
    if (flash->cuts++ == 0) {
      flash->torn_len = len;
      flash->torn_erase = in == NULL;
    }
    return HF_E_IO;
  }
  uint32_t count = flash->fail_count == 0 ? 1 : flash->fail_count;
  if (flash->fail_at != 0 && flash->ops >= flash->fail_at && flash->ops - flash->fail_at < count) {
    torn(flash, at, in, len);
    return HF_E_IO;
  }
  return HF_OK;
}

static enum hf_err sim_program(void *ctx, uint32_t at, const void *in, uint32_t len)
{
  struct simflash *flash = ctx;
  if (outside(flash, at, len)) {
    return breach(flash, "program outside");
  }
  if (at % flash->align != 0 || len % flash->align != 0 || len == 0) {
    return breach(flash, "program not aligned");
  }
  const uint8_t *bytes = in;
  for (uint32_t i = 0; i < len; i++) {
    bool back = ((flash->at[at + i] ^ flash->erased) & ~(bytes[i] ^ flash->erased)) != 0;
    if (back || flash->written[(at + i) / flash->align] != 0) {
      return breach(flash, "programmed twice");
    }
  }
  enum hf_err err = begin(flash, at, bytes, len);
  for (uint32_t unit = at / flash->align; unit < (at + len) / flash->align; unit++) {
    /* A unit that a torn program left as it was cannot be told from one never touched. */
    for (uint32_t i = unit * flash->align; i < (unit + 1) * flash->align; i++) {
      flash->written[unit] |= (uint8_t)(flash->at[i] != flash->erased);
    }
    flash->written[unit] |= (uint8_t)(err == HF_OK);
  }
  if (err == HF_OK) {
    memcpy(flash->at + at, bytes, len);
  }
  return err;
}

static enum hf_err sim_erase(void *ctx, uint32_t at, uint32_t len)
{
  struct simflash *flash = ctx;
  if (outside(flash, at, len)) {
    return breach(flash, "erase outside");
  }
  if (at % flash->sector != 0 || len % flash->sector != 0 || len == 0) {
    return breach(flash, "erase not aligned");
  }
  for (uint32_t done = 0; done < len; done += flash->sector) {
    /* Sector by sector, as flash does it: power can fail in each. */
    enum hf_err err = begin(flash, at + done, NULL, flash->sector);
    uint32_t first = (at + done) / flash->align;
    for (uint32_t i = 0; i < flash->sector / flash->align; i++) {
      flash->written[first + i] = err != HF_OK;
    }
    if (err != HF_OK) {
      return err;
    }
    memset(flash->at + at + done, flash->erased, flash->sector);
  }
  return HF_OK;
}

const struct hf_flash_ops simflash_ops = {"sim", 1, sim_read, sim_program, sim_erase};

void simflash_init(struct simflash *flash, uint32_t size, uint32_t sector, uint32_t align, uint8_t erased)
{
  *flash = (struct simflash){.size = size, .sector = sector, .align = align, .erased = erased, .seed = 1};
  flash->at = malloc(size);
  flash->written = calloc(size / align, 1);
  if (flash->at == NULL || flash->written == NULL) {
    perror("simflash");
    exit(1);
  }
  memset(flash->at, erased, size);
}

void simflash_free(struct simflash *flash)
{
  free(flash->at);
  free(flash->written);
  flash->at = NULL;
  flash->written = NULL;
}

void simflash_copy(struct simflash *to, const struct simflash *from)
{
  memcpy(to->at, from->at, from->size);
  memcpy(to->written, from->written, from->size / from->align);
}

void simflash_power_on(struct simflash *flash)
{
  flash->dead = false;
  flash->cut_at = flash->cut_after != 0 ? flash->ops + flash->cut_after : 0;
  flash->cut_after = 0;
}

struct hf_area simflash_area(struct simflash *flash, uint32_t start, uint32_t size)
{
  return (struct hf_area){.ops = &simflash_ops,
                          .ctx = flash,
                          .start = start,
                          .size = size,
                          .sector = flash->sector,
                          .align = flash->align,
                          .erased = flash->erased};
}
