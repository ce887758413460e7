/* SPDX-License-Identifier: Apache-2.0
 * The engine's end of the road to the vault: hf/server/vaultcall.h over a socket, or over a vault in the same process.
 *
 * Beyond vaultcall.h only this: when keeper has started a new vault, the engine loop gives the link its new socket.
 */
#ifndef HF_SERVER_VAULTLINK_H
#define HF_SERVER_VAULTLINK_H

#include "hf/server/vaultcall.h"

/** How long a call waits for the vault before it gives up with HF_E_IO. */
#define HF_VAULT_CALL_TIMEOUT_S 5

/** Take a new connected socket in place of the old one; takes the descriptor. Only for links made by
 * hf_vault_link_init. */
void hf_vault_link_replace(struct hf_vault_link *link, int socket);

#endif
