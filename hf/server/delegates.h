/* SPDX-License-Identifier: Apache-2.0
 * Delegated roles of a publication, judged before it: each role that targets.json delegates to has a file, signed by
 * its threshold and not expired, and a client that searches finds each target where it was published.
 */
#ifndef HF_SERVER_DELEGATES_H
#define HF_SERVER_DELEGATES_H

#include "hf/wire/tufclient.h"

/** What would be served, by name below metadata/. */
struct hf_delegates_source {
  /** Gives `bytes`; `*heap` what to free() after their use, or NULL. HF_E_NOT_FOUND; HF_E_SPACE: longer than max. */
  enum hf_err (*get)(void *ctx, struct hf_bytes *bytes, uint8_t **heap, const char *name, size_t max);
  void *ctx;
};

/**
 * Judge them.
 * @param client    borrows: a refresh over what would be served, just DONE; its targets text is still there
 * @param source    borrows
 * @param fresh     the delegated roles that this publication brings, whose targets are searched for
 * @return HF_OK; HF_E_DENIED with why; HF_E_IO
 */
HF_MUST enum hf_err hf_delegates_check(const struct hf_tufclient *client, const struct hf_delegates_source *source,
                                       const struct hf_bytes *fresh, size_t count, struct hf_why *why);

#endif
