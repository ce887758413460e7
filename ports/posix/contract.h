/* SPDX-License-Identifier: Apache-2.0
 * What a supervisor and an application of a POSIX device agree on. It outlives releases: an old supervisor starts new
 * applications. docs/spec/agent.md.
 */
#ifndef HF_POSIX_CONTRACT_H
#define HF_POSIX_CONTRACT_H

/** Descriptors the application is born with. */
#define HF_APP_FD_FLASH 3  /**< the flash file, locked */
#define HF_APP_FD_ALIVE 4  /**< each byte written is a sign of life */
#define HF_APP_FD_FOLDER 5 /**< the device's folder */
/** Environment: slot that runs, and why the device started (an `enum hf_reset`). */
#define HF_APP_ENV_SLOT "HOLDFAST_SLOT"
#define HF_APP_ENV_RESET "HOLDFAST_RESET"
/** Exit statuses. Reboot: HF_APP_EXIT_REBOOT plus an `enum hf_reset`. Any other is a crash. */
#define HF_APP_EXIT_FAILED 1
#define HF_APP_EXIT_STOPPED 0 /**< only after SIGTERM */
#define HF_APP_EXIT_REBOOT 80

#endif
