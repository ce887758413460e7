/* SPDX-License-Identifier: Apache-2.0
 * Making a draft (hf/cli/ceremony.h) on a computer with a login: what is served now, verified, and the roots behind it.
 */
#ifndef HF_CLI_DRAFT_H
#define HF_CLI_DRAFT_H

#include "hf/cli/ceremony.h"
#include "hf/cli/publish.h"

/** The operator's view while a draft is made. */
struct hf_draft {
  struct hf_client *client;
  struct hf_publish publish;
  char offline[HF_PATH_MAX];
  int64_t now;
  struct hf_ceremony ceremony;
};

/**
 * Log in, verify what the server shows against this operator's own root, fetch the roots of one repository.
 * @param repository  "image" or "director"
 * @return an exit code; free with hf_draft_close, also then
 */
HF_MUST int hf_draft_open(struct hf_draft *draft, const struct hf_call *call, const char *repository);
void hf_draft_close(struct hf_draft *draft);
/** Add a targets file of which only version, expiry and the entries or delegation of `edit` change.
 * @param delegation  NULL: none changes */
HF_MUST enum hf_err hf_draft_put_targets(struct hf_draft *draft, const char *name, const struct hf_tuf_file *present,
                                         const struct hf_tufwrite_edit *edit,
                                         const struct hf_tufwrite_delegation *delegation);
/** Check the draft, write it to --out or `name`, say what it is and who must sign. An exit code. */
HF_MUST int hf_draft_finish(struct hf_draft *draft, const struct hf_call *call, const char *name);
/** A public key from a PEM file, or from a private key's. After a message. */
HF_MUST enum hf_err hf_draft_pubkey(struct hf_pubkey *pub, const char *path);

#endif
