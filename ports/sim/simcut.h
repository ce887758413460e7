/* SPDX-License-Identifier: Apache-2.0
 * Every power cut there is: each geometry, each flash operation, each way of tearing it, each byte of it. For tests.
 *
 *   for (struct simcut cut = simcut_first(1); simcut_on(&cut); simcut_next(&cut, &flash)) {
 *     simflash_init(&flash, SIZE, SECTOR, cut.align, cut.erased);
 *     simcut_arm(&flash, &cut);
 *     ... a life; simflash_free(&flash) leaves what simcut_next reads ...
 *   }
 */
#ifndef PORTS_SIM_SIMCUT_H
#define PORTS_SIM_SIMCUT_H

#include "ports/sim/simflash.h"

#define SIMCUT_GEOMETRIES 8

struct simcut {
  uint32_t geometry; /**< alignments 1, 4, 8, 16, each with erased value 0xff and 0x00 */
  uint32_t align;
  uint8_t erased;
  uint32_t op; /**< flash operation in which power fails, from 1 */
  enum simflash_tear tear;
  uint32_t tear_at; /**< for SIMFLASH_TEAR_BYTE */
  uint32_t stride;  /**< so many byte positions from one to the next */
  uint32_t cuts;    /**< that happened so far */
};

/** The alignment and the erased value of a geometry, 0 to SIMCUT_GEOMETRIES - 1. */
uint32_t simcut_align(uint32_t geometry);
uint8_t simcut_erased(uint32_t geometry);

/** @param stride  1: each byte of each write; more: every so many, beginning elsewhere at each operation. Of an erase,
 *                 which has no order of bytes, a dozen places are taken */
struct simcut simcut_first(uint32_t stride);
/** Is there one more? */
bool simcut_on(const struct simcut *cut);
/** Plan it. */
void simcut_arm(struct simflash *flash, const struct simcut *cut);
/** @param after  the flash of the life that was just lived */
void simcut_next(struct simcut *cut, const struct simflash *after);

/** One line, which `make test` and `make sweep` gather: "sweep: NAME: N power cuts". */
void simcut_report(const char *name, uint32_t cuts);

#endif
