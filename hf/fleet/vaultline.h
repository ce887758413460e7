/* SPDX-License-Identifier: Apache-2.0
 * One line of the vault's log: its text and its chain (docs/spec/vault.md). Pure: the file is hf/server/vaultlog.h, and
 * `holdfast audit verify` reads lines with the same function.
 *
 * A line is compact JSON, `{"hash":"<hex>","number":...}`; the hash is SHA-256 over the line without its own member
 * (without `"hash":"<hex>",`), and `previous` is the hash of the line before (zeros in line 1). Changing, dropping or
 * moving a line breaks the chain at that line or the next one.
 */
#ifndef HF_FLEET_VAULTLINE_H
#define HF_FLEET_VAULTLINE_H

#include "hf/base/why.h"
#include "hf/crypto/crypto.h"

/** Longest line, without its newline. */
#define HF_VAULTLINE_MAX 640
/** Longest `what` and `role`, and longest `subject`: ASCII without `"` and `\`. */
#define HF_VAULTLINE_WORD_MAX 16
#define HF_VAULTLINE_SUBJECT_MAX 128

/** An entry. Views borrow. */
struct hf_vaultline {
  uint64_t number;                 /**< 1, 2, ... */
  int64_t time;                    /**< seconds */
  struct hf_bytes what;            /**< "timestamp", "snapshot", "targets", "certificate", "refused", "start", "torn" */
  struct hf_bytes role;            /**< "timestamp", "snapshot", "director", "device-ca", "vault" */
  struct hf_bytes subject;         /**< a device id, "repo", or why */
  uint8_t sha256[HF_SHA256_LEN];   /**< of what was signed */
  uint8_t previous[HF_SHA256_LEN]; /**< hash of the line before */
  uint8_t hash[HF_SHA256_LEN];     /**< of this line */
};

/** Append the line, without newline, and fill `line->hash`. HF_E_INPUT: a text that may not stand in a line;
 * HF_E_SPACE. */
HF_MUST enum hf_err hf_vaultline_encode(struct hf_buf *out, struct hf_vaultline *line);

/**
 * Check one line against the one before it.
 * @param line    fills; its views borrow `text`
 * @param text    borrows; without newline
 * @param before  the line before, already verified; NULL for line 1
 * @param why     fills when denied: what is broken
 */
HF_MUST enum hf_verdict hf_vaultline_verify(struct hf_vaultline *line, struct hf_bytes text,
                                            const struct hf_vaultline *before, struct hf_why *why);

#endif
