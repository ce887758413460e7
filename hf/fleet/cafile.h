/* SPDX-License-Identifier: Apache-2.0
 * Names of the files of a CA that was rotated: number 1 is `device-ca.crt`, number 2 `device-ca-2.crt` and so on
 * (docs/spec/identity.md). A certificate's appearance is the rotation, its removal the retirement; the highest issues.
 */
#ifndef HF_FLEET_CAFILE_H
#define HF_FLEET_CAFILE_H

#include "hf/base/bytes.h"

/** Numbers a CA can have. */
#define HF_CAFILE_MAX 9

/** Write `stem` (such as "tls/device-ca"), the number when it is not 1, and `suffix` (such as ".crt"), NUL-terminated.
 * HF_E_SPACE; HF_E_INPUT: a number that is not 1..HF_CAFILE_MAX. */
HF_MUST enum hf_err hf_cafile_name(char *out, size_t cap, const char *stem, unsigned number, const char *suffix);

#endif
