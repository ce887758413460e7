/* SPDX-License-Identifier: Apache-2.0
 * The numbered files of a CA in a folder (hf/fleet/cafile.h): which is the newest, and where.
 */
#ifndef HF_CLI_CAFOLDER_H
#define HF_CLI_CAFOLDER_H

#include "hf/cli/disk.h"
#include "hf/fleet/cafile.h"

/** Join folder, stem ("server-ca"), number and suffix. HF_E_SPACE; HF_E_INPUT. */
HF_MUST enum hf_err hf_cafolder_path(char out[HF_PATH_MAX], const char *dir, const char *stem, unsigned number,
                                     const char *suffix);
/** The highest number whose certificate is there; 0: none. */
unsigned hf_cafolder_newest(const char *dir, const char *stem);

#endif
