/* SPDX-License-Identifier: Apache-2.0
 * The vault: online role keys and the device CA, behind a closed list of typed requests, each logged before it is
 * answered.
 *
 * It never parses bytes from outside the server: metadata comes from the engine, a CSR has become a device id and a
 * point. Who asks uses hf/server/vaultcall.h; this is the other side.
 */
#ifndef HF_SERVER_VAULT_H
#define HF_SERVER_VAULT_H

#include "hf/server/msg.h"

struct hf_vault;

/** Longest answer: a certificate. */
#define HF_VAULT_REPLY_MAX 2048
/** Longest life of an operational certificate, in days. */
#define HF_VAULT_ISSUE_DAYS_MAX 400
/** Longest life of online metadata from the moment of signing, in days: twice what docs/shape.md signs. */
#define HF_VAULT_METADATA_DAYS_MAX 14
/** File of the vault's folder: what a token's module needs for its whole life, one absolute path a line. Its presence lets
 * the vault load a module, and reach those paths after it was narrowed (docs/spec/vault.md). */
#define HF_VAULT_TOKEN_PATHS "token.paths"

/**
 * Load the keys and open the log. Gives `*vault`.
 * @param dir   borrows; DIR/server/vault. The CA's certificate is read from its neighbour ../tls/device-ca.crt.
 * @return HF_OK; HF_E_NOT_FOUND: a key file is missing; HF_E_DENIED: a key file others may read, or a CA certificate
 *         that is not of this key; HF_E_INPUT: not a key, or a broken log; HF_E_IO. After a message on standard error.
 */
HF_MUST enum hf_err hf_vault_open(struct hf_vault **vault, const char *dir);
void hf_vault_close(struct hf_vault *vault);

/**
 * Do what one message asks.
 * @param answer   fills; `answer.body` borrows `room`
 * @param request  borrows; one of HF_MSG_VAULT_*
 * @param room     at least HF_VAULT_REPLY_MAX bytes
 */
void hf_vault_answer(struct hf_vault *vault, struct hf_msg *answer, const struct hf_msg *request, struct hf_buf *room);

/** Did every key sign when it was last asked? False, after a message, when a token refused: it has to be opened anew. */
bool hf_vault_check(const struct hf_vault *vault);

/** Make the log durable, if it was written since: once a second and at the end. */
HF_MUST enum hf_err hf_vault_sync(struct hf_vault *vault);

#endif
