/* SPDX-License-Identifier: Apache-2.0
 * The vault's time key: signs the vault's own clock and a device's nonces, nothing else (docs/spec/time.md).
 *
 * Not in the vault's log: it is asked for by every device, and what it can sign is harmless but true or false by the
 * clock of this machine.
 */
#ifndef HF_SERVER_VAULT_TIME_H
#define HF_SERVER_VAULT_TIME_H

#include "hf/crypto/key.h"

/** Is there a file of this name in the vault's folder? Workspaces from before signed time have no time key. */
bool hf_vault_time_has(const char *dir, const char *file);
/** @param sig   appended
 * @param key    borrows; NULL: HF_E_NOT_FOUND
 * @param nonces borrows; HF_E_INPUT unless 1..HF_TIMESIG_NONCES_MAX whole ones */
HF_MUST enum hf_err hf_vault_time_sign(struct hf_buf *sig, const struct hf_key *key, int64_t now,
                                       struct hf_bytes nonces);

#endif
