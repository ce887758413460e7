/* SPDX-License-Identifier: Apache-2.0
 * Settings an operator may change while the server runs (table `setting`).
 */
#ifndef HF_SERVER_SETTINGS_H
#define HF_SERVER_SETTINGS_H

#include "hf/server/core.h"

/** Defaults overlaid with table `setting`; works in the reader too. */
HF_MUST enum hf_err hf_settings_get(struct hf_settings *settings, struct hf_db *db);
/** Store all and use them from now on; one audit entry. HF_E_INPUT: out of bounds (why). */
HF_MUST enum hf_err hf_settings_put(struct hf_engine *engine, const struct hf_act *act,
                                    const struct hf_settings *settings, struct hf_why *why);
/** Silence after which a device counts as silent, worked out. */
int64_t hf_settings_silent_after(const struct hf_settings *settings);

#endif
