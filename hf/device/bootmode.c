/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/device/bootmode.h"

enum hf_err hf_bootmode_choose(struct hf_boot_choice *choice, const struct hf_swapboot_config *config)
{
  return config->format.mode == HF_BOOT_DIRECT ? hf_boot_choose(choice, &config->boot)
                                               : hf_swapboot_choose(choice, config);
}
