/* SPDX-License-Identifier: Apache-2.0
 * The "delegations" of a targets file (TUF 1.0.34 section 4.5; TAP 15): which roles it trusts for a path. Following
 * them is hf/wire/tufsearch.h.
 */
#ifndef HF_WIRE_TUFDELEGATION_H
#define HF_WIRE_TUFDELEGATION_H

#include "hf/wire/tuf.h"

/** A path and its SHA-256, which hash prefixes and bins go by. */
struct hf_tufdelegation_path {
  struct hf_bytes path;
  const uint8_t *hash; /**< HF_SHA256_LEN bytes */
};

/** A delegation as it stands in the file; views into its text. */
struct hf_tufdelegation {
  struct hf_json role; /**< "keyids", "threshold" */
  struct hf_json keys; /**< the object its key ids point into */
  bool terminating;
};

/** A walk over the delegations that match a path. Members are private. */
struct hf_tufdelegation_walk {
  const struct hf_tuf_file *file;
  struct hf_tufdelegation_path path;
  struct hf_json keys;
  struct hf_json_walk roles;
  struct hf_json succinct; /**< text.len 0: none, or visited */
};

/**
 * Begin; a file without delegations gives an empty walk.
 * @return HF_OK; HF_E_INPUT (TUF_DELEGATION): not of the form of the specification
 */
HF_MUST enum hf_err hf_tufdelegation_walk_init(struct hf_tufdelegation_walk *walk, const struct hf_tuf_file *file,
                                               struct hf_tufdelegation_path path, struct hf_why *why);
/**
 * The next one that matches.
 * @param delegation  fills
 * @param name        appends the role's name
 * @return HF_OK; HF_E_NOT_FOUND: no more; HF_E_INPUT: one on the way is malformed, or bears the name of a top-level
 * role; HF_E_SPACE: a name or pattern is longer than allowed (TUF_DELEGATION_LONG)
 */
HF_MUST enum hf_err hf_tufdelegation_next(struct hf_tufdelegation_walk *walk, struct hf_tufdelegation *delegation,
                                          struct hf_buf *name, struct hf_why *why);
/** Does a pattern match a path? `*` is any run of characters but `/`, `?` one of them; all else stands for itself.
 * Without recursion; at most pattern times path comparisons. */
bool hf_tufdelegation_match(struct hf_bytes pattern, struct hf_bytes path);

#endif
