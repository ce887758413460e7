/* SPDX-License-Identifier: Apache-2.0
 * The director repository: for each device its own targets, snapshot and timestamp, signed by the vault when its
 * assignment changed or the last signatures grow old. Always bound to the device id, also when there is nothing to
 * install.
 */
#ifndef HF_SERVER_DIRECTOR_H
#define HF_SERVER_DIRECTOR_H

#include "hf/server/core.h"

/** Life of director metadata, and the rest of it below which a fetch signs anew. Seconds. */
#define HF_DIRECTOR_LIFE_S (7 * 86400)
#define HF_DIRECTOR_RENEW_S (2 * 86400)

/** Append one file for a device; see hf_engine_director. `n` is the device's row. */
HF_MUST enum hf_err hf_director_get(struct hf_engine *engine, struct hf_buf *file, int64_t n, struct hf_bytes name,
                                    int64_t now);

#endif
