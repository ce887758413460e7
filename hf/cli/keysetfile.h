/* SPDX-License-Identifier: Apache-2.0
 * Key set files as people handle them: read, explained, and whose signatures they carry. */
#ifndef HF_CLI_KEYSETFILE_H
#define HF_CLI_KEYSETFILE_H

#include "hf/cli/args.h"
#include "hf/wire/keyset.h"

/** Read a public key, PEM. @param todo  what to do when the file holds none. HF_E_INPUT and what hf_disk_get answers,
 * after a message. */
HF_MUST enum hf_err hf_public_key_get(struct hf_pubkey *pub, const char *path, const char *todo);

/** Read a key set file. @param room  HF_KEYSET_MAX bytes that `set` borrows. After a message unless HF_OK. */
HF_MUST enum hf_err hf_keyset_file_get(struct hf_keyset *set, uint8_t *room, const char *path);

/** The keys of the offline root, which own the sets of every product.
 * @param room  HF_KEYSET_OWNERS_MAX keys that `owners` borrows
 * @return HF_OK; HF_E_NOT_FOUND: no offline folder here, without a message; HF_E_INPUT: its root.json cannot be read,
 * or has more keys than a boot loader takes */
HF_MUST enum hf_err hf_keyset_owners_get(struct hf_keyset_owners *owners, struct hf_pubkey *room,
                                         const struct hf_call *call);

/** Explain a set, in words or with --json: an exit code. */
HF_MUST int hf_keyset_print(const struct hf_call *call, const char *path);

#endif
