/* SPDX-License-Identifier: Apache-2.0
 * A delegated role by its name: who may sign for it, as the file that delegates to it says. Hosts: whoever publishes or
 * signs delegated targets files. Finding a target through delegations is hf/wire/tufsearch.h.
 */
#ifndef HF_WIRE_TUFROLE_H
#define HF_WIRE_TUFROLE_H

#include "hf/wire/tufkey.h"

/** A delegated role. `entry` borrows the text of the file that delegates. */
struct hf_tufrole {
  struct hf_json entry; /**< its object in "roles": name, paths, keyids, threshold, terminating */
  struct hf_tuf_key key[HF_TUFKEY_ROLE_MAX];
  struct hf_tufkey_ring ring; /**< its keys are `key` */
};

/** The list of roles a targets file delegates to, to be walked; an empty array when there is none. */
struct hf_json hf_tufrole_list(const struct hf_tuf_file *targets);
/**
 * Read one role of it.
 * @param role     fills; must not be moved afterwards: its ring points into it
 * @param targets  borrows: the file that delegates
 * @param name     the role's name
 * @param limits   borrows
 * @return HF_OK; HF_E_NOT_FOUND (TARGETS_UNDELEGATED); HF_E_INPUT: malformed, or a threshold it cannot reach
 */
HF_MUST enum hf_err hf_tufrole_get(struct hf_tufrole *role, const struct hf_tuf_file *targets, struct hf_bytes name,
                                   const struct hf_tuf_limits *limits, struct hf_why *why);

#endif
