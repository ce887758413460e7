/* SPDX-License-Identifier: Apache-2.0
 * The one question a port's boot loader asks, whatever its mode: what runs?
 *
 * A boot loader that knows only one mode may call hf_boot_choose (hf/device/boot.h) or hf_swapboot_choose
 * (hf/device/swapboot.h) itself, and links only that.
 */
#ifndef HF_DEVICE_BOOTMODE_H
#define HF_DEVICE_BOOTMODE_H

#include "hf/device/swapboot.h"

/** Choose, by `config->format.mode`: HF_BOOT_DIRECT by boot records alone, all others through slot 1. Errors and stack
 * as the two functions it calls. Boot loader only. */
HF_MUST enum hf_err hf_bootmode_choose(struct hf_boot_choice *choice, const struct hf_swapboot_config *config);

#endif
