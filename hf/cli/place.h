/* SPDX-License-Identifier: Apache-2.0
 * Where a command finds its workspace, its offline keys and its login: options, environment, then the folder we are in.
 */
#ifndef HF_CLI_PLACE_H
#define HF_CLI_PLACE_H

#include "hf/cli/args.h"
#include "hf/cli/disk.h"
#include "hf/fleet/workspace.h"

/** The workspace folder: --workspace, HOLDFAST_WORKSPACE, or the first folder upwards with a holdfast.json.
 * HF_E_NOT_FOUND after a message, unless `quiet`. */
HF_MUST enum hf_err hf_place_workspace(char out[HF_PATH_MAX], const struct hf_call *call, bool quiet);
/** The offline folder: --offline, HOLDFAST_OFFLINE, or offline/ of the workspace. HF_E_NOT_FOUND after a message. */
HF_MUST enum hf_err hf_place_offline(char out[HF_PATH_MAX], const struct hf_call *call);
/** The same, and a file in it. */
HF_MUST enum hf_err hf_place_offline_file(char out[HF_PATH_MAX], const struct hf_call *call, const char *name);
/** The operator folder: --operator, HOLDFAST_OPERATOR, or operator/ of the workspace. HF_E_NOT_FOUND after a message.
 */
HF_MUST enum hf_err hf_place_operator(char out[HF_PATH_MAX], const struct hf_call *call);

/** Read and check DIR/holdfast.json. HF_E_VERSION: of a newer Holdfast; HF_E_INPUT; HF_E_NOT_FOUND. After a message. */
HF_MUST enum hf_err hf_place_read(struct hf_workspace *workspace, const char *dir);

#endif
