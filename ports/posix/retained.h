/* SPDX-License-Identifier: Apache-2.0
 * What outlives a reset but need not outlive a power cut: on a microcontroller no-init RAM, here a small file that the
 * supervisor writes at each reset. Nothing is decided by it that matters for trust; `status` shows it.
 */
#ifndef HF_POSIX_RETAINED_H
#define HF_POSIX_RETAINED_H

#include "hf/device/port.h"

struct hf_retained {
  enum hf_reset reset; /**< how the last run of the application ended */
  uint32_t streak;     /**< bad ends in a row */
  uint32_t resets;     /**< since power-on */
  uint32_t ended;      /**< exit status, or 256 plus the signal's number */
  uint32_t pid;        /**< of the application that runs now, 0: none */
};

/** Write it; a failure is not worth stopping a device for. Not durable on purpose. */
void hf_retained_put(int folder, const struct hf_retained *retained);

/** Read it. @return HF_OK; HF_E_NOT_FOUND: never written, or not whole */
HF_MUST enum hf_err hf_retained_get(struct hf_retained *retained, int folder);

#endif
