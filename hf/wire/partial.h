/* SPDX-License-Identifier: Apache-2.0
 * Partial verification (Uptane 2.1 section 5.4.4.1): a secondary with little memory checks the director's root and
 * targets only, handed to it by its primary.
 *
 * The exception, not the rule: who holds the director's online key can order any image whose own offline signature is
 * good for this hardware and counter; nobody's image repository is asked. So a part that verifies partially must check
 * the image's signature too (hf_image_verify) before it runs it. docs/spec/uptane.md says what this protects from and
 * what it does not.
 */
#ifndef HF_WIRE_PARTIAL_H
#define HF_WIRE_PARTIAL_H

#include "hf/wire/target.h"
#include "hf/wire/tuf.h"

/** Who is asking. Borrowed. */
struct hf_partial_self {
  struct hf_bytes device;    /**< the device this part belongs to */
  struct hf_bytes component; /**< which part of it */
  struct hf_bytes hardware;
  uint32_t counter; /**< the part's own security counter: nothing below it */
  int64_t now;      /**< the part's best time, never below the last one it accepted */
};

/** What the director wants this part to run. */
struct hf_partial_order {
  bool present; /**< false: nothing for this part */
  uint32_t length;
  uint32_t counter;
  uint8_t sha256[HF_SHA256_LEN];
};

/**
 * Take one new director root: version N+1, signed by the threshold of the old root and of the new one. When keys of the
 * targets role were taken away, the floor of the targets' version falls (fast-forward recovery).
 * @param trust  borrows, changes with HF_ALLOW only; then store it before going on
 * @param text   borrows: N+1.root.json
 * @param why    fills, rule 300-399; may be NULL
 * Stack about 1.2 KB beside the crypto back end's. No heap.
 */
HF_MUST enum hf_verdict hf_partial_root_verify(struct hf_tuf_trust *trust, struct hf_bytes text, uint32_t file_max,
                                               struct hf_why *why);

/**
 * Judge the director's targets file: root not expired; signature by its targets role; version not below the floor, and
 * under the same version the same content; not expired; bound to this device; no delegations; no component twice, every
 * entry for this device; and for this part: hardware id and counter (Uptane 5.4.4.6, 5.4.4.1).
 * @param trust  borrows, changes with HF_ALLOW only: the floor rises; store it before installing
 * @param order  fills with HF_ALLOW
 * @param text   borrows: targets.json of the director
 * @param self   borrows
 */
HF_MUST enum hf_verdict hf_partial_verify(struct hf_partial_order *order, struct hf_tuf_trust *trust,
                                          struct hf_bytes text, const struct hf_partial_self *self, struct hf_why *why);

#endif
