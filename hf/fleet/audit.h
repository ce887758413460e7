/* SPDX-License-Identifier: Apache-2.0
 * The audit chain: the one encoding of an entry and the hash that ties it to all before it. docs/spec/audit.md.
 *
 * hash(n) = SHA-256(hash(n-1) || entry(n)), hash(0) = 32 zero bytes. Server and command line share it.
 */
#ifndef HF_FLEET_AUDIT_H
#define HF_FLEET_AUDIT_H

#include "hf/crypto/crypto.h"

/** Longest text of each member; a whole entry fits HF_AUDIT_ENTRY_MAX. */
#define HF_AUDIT_TEXT_MAX 1024
#define HF_AUDIT_ENTRY_MAX 4096

/** One entry. Borrows. */
struct hf_audit_entry {
  uint64_t number; /**< from 1, without gaps */
  int64_t time;
  struct hf_bytes who;     /**< "operator:anna" */
  struct hf_bytes address; /**< or empty */
  struct hf_bytes action;  /**< "rollout.start" */
  struct hf_bytes subject; /**< or empty */
  struct hf_bytes detail;  /**< or empty */
};

/** How far a chain was followed. Starts as hf_audit_chain_init. */
struct hf_audit_chain {
  uint64_t number; /**< of the last entry; 0: none yet */
  uint8_t hash[HF_SHA256_LEN];
};

struct hf_audit_chain hf_audit_chain_init(void);
/** Append the canonical bytes of an entry (deterministic CBOR). HF_E_SPACE: a text is too long. */
HF_MUST enum hf_err hf_audit_encode(struct hf_buf *out, const struct hf_audit_entry *entry);
/** Put an entry at the end: `entry->number` must be the next one. Moves the chain. HF_E_STATE: another number;
 * HF_E_SPACE. */
HF_MUST enum hf_err hf_audit_put(struct hf_audit_chain *chain, const struct hf_audit_entry *entry);
/** Does this entry with this hash come next? Moves the chain with HF_ALLOW only. */
HF_MUST enum hf_verdict hf_audit_verify(struct hf_audit_chain *chain, const struct hf_audit_entry *entry,
                                        const uint8_t hash[HF_SHA256_LEN]);

#endif
