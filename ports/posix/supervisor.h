/* SPDX-License-Identifier: Apache-2.0
 * The boot loader of a POSIX device: choose a slot (hf/device/boot.h), run what is in it, watch it, and start over when
 * it ends. It has no network, no identity and no say in what is trusted beyond the boot core's.
 */
#ifndef HF_POSIX_SUPERVISOR_H
#define HF_POSIX_SUPERVISOR_H

#include "ports/posix/deviceconf.h"

/** How a device's run ends. These are the exit statuses of `holdfast-agent run`. */
enum hf_supervisor_end {
  HF_SUPERVISOR_STOPPED = 0, /**< SIGTERM or SIGINT */
  HF_SUPERVISOR_FAILED = 1,  /**< something of this machine failed; `trouble` says what */
  HF_SUPERVISOR_NOTHING = 3, /**< no slot holds an image that may run */
  HF_SUPERVISOR_BUSY = 4     /**< another process runs this device */
};

/** Run the device until it is told to stop, or cannot go on.
 * @param folder   borrows: the device's folder
 * @param trouble  fills unless the end is STOPPED */
HF_MUST enum hf_supervisor_end hf_supervisor_run(int folder, struct hf_trouble *trouble);

#endif
