/* SPDX-License-Identifier: Apache-2.0
 * Signing TUF metadata through the vault: a "signed" part in, a whole file out.
 *
 * The vault may hold two keys of a role: the one in use and the next one, which lies ready before a rotation. The
 * trusted root says which of them signs (hf/server/roots.h).
 */
#ifndef HF_SERVER_SIGNER_H
#define HF_SERVER_SIGNER_H

#include "hf/server/core.h"
#include "hf/wire/tuf.h"

/**
 * Append the file around `body`, signed with the key of one online role.
 * @param subject  for the vault's log: a device id or "repo"
 * @return HF_OK; HF_E_SPACE; HF_E_DENIED: the vault will not sign this, or has no key that the root lists;
 *         HF_E_CRYPTO; HF_E_IO
 */
HF_MUST enum hf_err hf_signer_put_file(struct hf_engine *engine, struct hf_buf *out, enum hf_vault_role role,
                                       struct hf_bytes body, struct hf_bytes subject);
/** Does the vault hold a key of `vault` that `root` lists for `role`? HF_OK; HF_E_NOT_FOUND: none; HF_E_IO. */
HF_MUST enum hf_err hf_signer_check(struct hf_engine *engine, enum hf_vault_role vault, const struct hf_tuf_root *root,
                                    enum hf_tuf_role role);
/** The root changed, or did not after all: choose the keys anew at the next signature. */
void hf_signer_forget(struct hf_engine *engine);

#endif
