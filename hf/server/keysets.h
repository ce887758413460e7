/* SPDX-License-Identifier: Apache-2.0
 * Key sets (hf/wire/keyset.h) as the server hands them out: repo/keysets/<product>.<version>.keyset, static files like
 * the rest of the repository. The server cannot make one; it refuses what the owners did not sign, so that a mistake is
 * told to the operator and not to a fleet.
 */
#ifndef HF_SERVER_KEYSETS_H
#define HF_SERVER_KEYSETS_H

#include "hf/server/core.h"
#include "hf/wire/keyset.h"

/** Publish a set: its product must exist, its owners are the keys of the image repository's root role, its version must
 * be above the one published last, and no key that was revoked may be good again.
 * @param file  borrows: the whole file
 * @return HF_OK; HF_E_NOT_FOUND: no such product; HF_E_DENIED: refused, with why; HF_E_EXISTS: that version, or a
 * higher one, is published; HF_E_FULL; HF_E_IO */
HF_MUST enum hf_err hf_keysets_publish(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes product,
                                       struct hf_bytes file, struct hf_why *why);

/** Version of a product's newest set; 0: none. */
HF_MUST enum hf_err hf_keysets_newest(uint32_t *version, struct hf_db *db, struct hf_bytes product);

#endif
