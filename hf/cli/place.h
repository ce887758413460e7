/* SPDX-License-Identifier: Apache-2.0
 * Where a command finds its workspace, its offline keys and its login: options, environment, then the folder we are in.
 */
#ifndef HF_CLI_PLACE_H
#define HF_CLI_PLACE_H

#include "hf/cli/args.h"
#include "hf/cli/disk.h"
#include "hf/cli/offline.h"
#include "hf/fleet/workspace.h"

/** The workspace folder: --workspace, HOLDFAST_WORKSPACE, or the first folder upwards with a holdfast.json.
 * HF_E_NOT_FOUND after a message, unless `quiet`. */
HF_MUST enum hf_err hf_place_workspace(char out[HF_PATH_MAX], const struct hf_call *call, bool quiet);
/** The offline folder: --offline, HOLDFAST_OFFLINE, or offline/ of the workspace. HF_E_NOT_FOUND after a message. */
HF_MUST enum hf_err hf_place_offline(char out[HF_PATH_MAX], const struct hf_call *call);
/** The same, and a file in it. */
HF_MUST enum hf_err hf_place_offline_file(char out[HF_PATH_MAX], const struct hf_call *call, const char *name);
/**
 * The private key a command signs with: --key, or one of the offline folder; with --passphrase-file when it was given.
 * @param key     gives; NULL at failure; free with hf_key_free
 * @param prompt  what to ask a person for, without colon
 * @return as hf_key_file_open, after a message. The command's table row must have `key` and HF_UNLOCK.
 */
HF_MUST enum hf_err hf_place_key_open(struct hf_key **key, const struct hf_call *call, enum hf_offline_role role,
                                      const char *prompt);
/** The operator folder: --operator, HOLDFAST_OPERATOR, or operator/ of the workspace. HF_E_NOT_FOUND after a message.
 */
HF_MUST enum hf_err hf_place_operator(char out[HF_PATH_MAX], const struct hf_call *call);

/** Read and check DIR/holdfast.json. HF_E_VERSION: of a newer Holdfast; HF_E_INPUT; HF_E_NOT_FOUND. After a message. */
HF_MUST enum hf_err hf_place_read(struct hf_workspace *workspace, const char *dir);

#endif
