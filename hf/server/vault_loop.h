/* SPDX-License-Identifier: Apache-2.0
 * The vault process: hf/server/vault.h behind a socket from the engine, without network, files closed after the start.
 */
#ifndef HF_SERVER_VAULT_LOOP_H
#define HF_SERVER_VAULT_LOOP_H

#include "hf/server/child.h"

/** Run until keeper says stop. Returns the exit status of the process. */
int hf_vault_loop_run(struct hf_child *child);

#endif
