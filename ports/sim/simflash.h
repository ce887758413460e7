/* SPDX-License-Identifier: Apache-2.0
 * A NOR flash in memory that keeps the rules and fails on command: for tests.
 *
 * It refuses what real flash refuses (misalignment, programming a unit twice, bits moving back) and remembers that it
 * had to. Power fails inside operation n: the operation is torn, and everything after it fails until simflash_power_on.
 */
#ifndef PORTS_SIM_SIMFLASH_H
#define PORTS_SIM_SIMFLASH_H

#include "hf/device/port.h"

#define SIMFLASH_SIZE_MAX (512 * 1024)

/** What is left of an operation in which power failed. */
enum simflash_tear {
  SIMFLASH_TEAR_NONE,   /**< nothing happened yet */
  SIMFLASH_TEAR_HALF,   /**< the first half of the bytes */
  SIMFLASH_TEAR_PREFIX, /**< a random prefix, its last byte torn between bits */
  SIMFLASH_TEAR_BITS,   /**< random bits all over the range */
  SIMFLASH_TEAR_LATE,   /**< everything happened, nobody was told */
  SIMFLASH_TEARS,
  SIMFLASH_TEAR_BYTE = SIMFLASH_TEARS /**< exactly `tear_at` bytes, and random bits of the next */
};

struct simflash {
  uint8_t *at;      /**< owned */
  uint8_t *written; /**< one byte a unit: programmed since its erase */
  uint32_t size, sector, align;
  uint8_t erased;
  uint32_t ops;        /**< programs and erases so far */
  uint32_t cut_at;     /**< power fails inside this one (1: the first); 0: never */
  uint32_t cut_after;  /**< after the next simflash_power_on, power fails again at this operation; 0: not */
  uint32_t cuts;       /**< that happened */
  uint32_t fail_at;    /**< this one returns HF_E_IO and does half its work; 0: never */
  uint32_t fail_count; /**< so many in a row from there on; 0 means 1 */
  bool fail_reads;     /**< every read returns HF_E_IO */
  enum simflash_tear tear;
  uint32_t tear_at;  /**< for SIMFLASH_TEAR_BYTE */
  uint32_t torn_len; /**< bytes of the operation in which power failed first */
  bool torn_erase;   /**< and whether it erased */
  uint64_t seed;
  bool dead;          /**< power is off */
  uint32_t breaches;  /**< NOR rules broken by the code under test */
  const char *breach; /**< the last one */
};

extern const struct hf_flash_ops simflash_ops;

/** Gives memory in `flash`, all erased; free with simflash_free. Exits on failure: it is a test. */
void simflash_init(struct simflash *flash, uint32_t size, uint32_t sector, uint32_t align, uint8_t erased);
/** What it counted stays. */
void simflash_free(struct simflash *flash);
/** Same content and same rules remembered; counters and faults of `to` stay. Same geometry. */
void simflash_copy(struct simflash *to, const struct simflash *from);
/** Power is back; `cut_after` becomes the next cut. */
void simflash_power_on(struct simflash *flash);
/** An area of it. */
struct hf_area simflash_area(struct simflash *flash, uint32_t start, uint32_t size);

#endif
