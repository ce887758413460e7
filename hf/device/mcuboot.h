/* SPDX-License-Identifier: Apache-2.0
 * The application's side of a boot loader that keeps MCUboot's image trailers: MCUboot itself, or hf/device/swap.h.
 *
 * The second implementation of hf/device/bootops.h. What MCUboot does not remember (what was staged, security counters,
 * what failed and why) is kept in our boot records beside it. docs/spec/mcuboot.md.
 */
#ifndef HF_DEVICE_MCUBOOT_H
#define HF_DEVICE_MCUBOOT_H

#include "hf/device/bootops.h"
#include "hf/device/trailer.h"

/** Context of hf_mcuboot_ops. The boot area keeps what MCUboot does not: counters, and what failed. */
struct hf_mcuboot {
  const struct hf_layout *layout; /**< borrows */
  struct hf_trailer_format format;
};

/** MCUboot's trailers: slot 0 runs, updates go to slot 1. In overwrite mode nothing is on trial. */
extern const struct hf_boot_ops hf_mcuboot_ops;

#endif
