/* SPDX-License-Identifier: Apache-2.0
 * The bytes of a target: fetched, checked by length and every known hash, kept under the target's encoded name.
 */
#ifndef HF_CLI_TUFTARGET_H
#define HF_CLI_TUFTARGET_H

#include "hf/cli/tufrun.h"

/**
 * Fetch a target that the metadata describes, unless its folder has it with the right length and hashes.
 * @param entry  borrows: the member of "targets"
 * @return HF_OK; not without a message
 */
HF_MUST enum hf_err hf_tuftarget_get(struct hf_tufrun *run, const struct hf_tufrun_target *target,
                                     struct hf_json entry);

#endif
