/* SPDX-License-Identifier: Apache-2.0
 * Trust from kept files, for a client whose memory is a folder of metadata instead of a trust record (hosts): the
 * floors that the trusted timestamp, snapshot and targets files stand for, expired or not, and the comparison of two
 * snapshots of any size.
 */
#ifndef HF_WIRE_TUFRECALL_H
#define HF_WIRE_TUFRECALL_H

#include "hf/wire/tuf.h"

/**
 * Raise the floors of a trust record by a kept file. Its expiry is not judged: a floor outlives it.
 * @param trust   changes: the root is there, floors only go up
 * @param role    HF_TUF_TIMESTAMP, HF_TUF_SNAPSHOT or HF_TUF_TARGETS
 * @param text    borrows
 * @return HF_ALLOW; HF_DENY: not a file that the trusted root vouches for, nothing was changed
 */
HF_MUST enum hf_verdict hf_tufrecall_verify(struct hf_tuf_trust *trust, enum hf_tuf_role role, struct hf_bytes text,
                                            const struct hf_tuf_limits *limits, struct hf_why *why);

/**
 * Nothing that the trusted snapshot lists is missing in the new one, or older (TUF 1.0.34 section 5.5.5). One pass over
 * both when they are in the same order, as writers leave them; otherwise bounded work.
 * @return HF_ALLOW; HF_DENY with TUF_LOST, TUF_ROLLBACK, TUF_SHAPE, or TUF_DISORDER: out of patience
 */
HF_MUST enum hf_verdict hf_tufrecall_compare(const struct hf_tuf_file *trusted, const struct hf_tuf_file *snapshot,
                                             struct hf_why *why);

#endif
