/* SPDX-License-Identifier: Apache-2.0
 * One power cut after the other.
 */
#include "ports/sim/simcut.h"

#include <stdio.h>

enum { PLACES_IN_AN_ERASE = 12 };

uint32_t simcut_align(uint32_t geometry)
{
  static const uint32_t aligns[] = {1, 4, 8, 16};
  return aligns[geometry % 4];
}

uint8_t simcut_erased(uint32_t geometry) { return geometry < 4 ? 0xff : 0x00; }

static void geometry_take(struct simcut *cut, uint32_t geometry)
{
  cut->geometry = geometry;
  cut->align = simcut_align(geometry);
  cut->erased = simcut_erased(geometry);
}

struct simcut simcut_first(uint32_t stride)
{
  struct simcut cut = {.op = 1, .tear = SIMFLASH_TEAR_NONE, .stride = stride};
  geometry_take(&cut, 0);
  return cut;
}

bool simcut_on(const struct simcut *cut) { return cut->geometry < SIMCUT_GEOMETRIES; }

void simcut_arm(struct simflash *flash, const struct simcut *cut)
{
  flash->cut_at = cut->op;
  flash->tear = cut->tear;
  flash->tear_at = cut->tear_at;
  flash->seed = cut->op * 7919u + cut->tear_at * 31u + (uint32_t)cut->tear;
}

static void op_begin(struct simcut *cut, uint32_t op)
{
  cut->op = op;
  cut->tear = SIMFLASH_TEAR_NONE;
  cut->tear_at = 0;
}

void simcut_next(struct simcut *cut, const struct simflash *after)
{
  if (after->cuts == 0) { /* the life is shorter than that */
    geometry_take(cut, cut->geometry + 1);
    op_begin(cut, 1);
    return;
  }
  cut->cuts += after->cuts;
  uint32_t step = after->torn_erase ? after->torn_len / PLACES_IN_AN_ERASE + 1 : cut->stride;
  if (cut->tear + 1 < SIMFLASH_TEARS) {
    cut->tear = (enum simflash_tear)(cut->tear + 1);
    return;
  }
  if (cut->tear != SIMFLASH_TEAR_BYTE) {
    cut->tear = SIMFLASH_TEAR_BYTE;
    cut->tear_at = (cut->op + cut->geometry) % step;
  } else {
    cut->tear_at += step;
  }
  if (cut->tear_at >= after->torn_len) {
    op_begin(cut, cut->op + 1);
  }
}

void simcut_report(const char *name, uint32_t cuts) { printf("sweep: %s: %u power cuts\n", name, cuts); }
