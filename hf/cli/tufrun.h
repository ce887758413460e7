/* SPDX-License-Identifier: Apache-2.0
 * An ordinary TUF client: hf/wire/tufclient.h and tufsearch.h over HTTP, with a folder of metadata as its memory.
 */
#ifndef HF_CLI_TUFRUN_H
#define HF_CLI_TUFRUN_H

#include "hf/cli/folder.h"
#include "hf/cli/tuffetch.h"
#include "hf/cli/tufkeys.h"
#include "hf/wire/tufclient.h"

/** One run of `holdfast tuf`. Messages are told by every function. */
struct hf_tufrun {
  struct hf_folder folder; /**< of trusted metadata */
  const char *url;         /**< where metadata is */
  struct hf_tuffetch *fetch;
  struct hf_tuf_limits limits;
  struct hf_tuf_trust trust;
  struct hf_tufkeys keys;
  struct hf_tufclient client;
  struct hf_blob text[HF_TUF_ROLES]; /**< the trusted files; that of the root is not kept here */
  struct hf_tuf_file snapshot;       /**< the trusted one, parsed; borrows its text */
  int64_t now;
};

/** A target to be fetched. */
struct hf_tufrun_target {
  const char *name;               /**< its path in the metadata */
  const char *url;                /**< where targets are */
  const struct hf_folder *folder; /**< where it goes */
};

/** Limits for repositories that other tools made. */
void hf_tufrun_init(struct hf_tufrun *run, const char *url, int64_t now);
void hf_tufrun_free(struct hf_tufrun *run);

/** Trust a first root: write it to the folder. HF_E_EXISTS: the folder trusts another one. */
HF_MUST enum hf_err hf_tufrun_put_root(struct hf_tufrun *run, struct hf_bytes root);
/** Bring the folder up to date: the client workflow once. HF_OK only when all of it succeeded. */
HF_MUST enum hf_err hf_tufrun_refresh(struct hf_tufrun *run);
/** After a refresh: find a target through delegations and fetch it, unless the folder has it. Prints its file's name.
 */
HF_MUST enum hf_err hf_tufrun_get(struct hf_tufrun *run, const struct hf_tufrun_target *target);

#endif
