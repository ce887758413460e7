/* SPDX-License-Identifier: Apache-2.0
 * Signing TUF metadata through the vault: a "signed" part in, a whole file out.
 */
#ifndef HF_SERVER_SIGNER_H
#define HF_SERVER_SIGNER_H

#include "hf/server/core.h"

/**
 * Append the file around `body`, signed with the key of one online role.
 * @param subject  for the vault's log: a device id or "repo"
 * @return HF_OK; HF_E_SPACE; HF_E_DENIED: the vault will not sign this; HF_E_CRYPTO; HF_E_IO
 */
HF_MUST enum hf_err hf_signer_put_file(struct hf_engine *engine, struct hf_buf *out, enum hf_vault_role role,
                                       struct hf_bytes body, struct hf_bytes subject);

#endif
