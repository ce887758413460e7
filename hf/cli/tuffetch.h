/* SPDX-License-Identifier: Apache-2.0
 * Fetching from a TUF repository over HTTP: bounded in bytes, in time and in slowness.
 */
#ifndef HF_CLI_TUFFETCH_H
#define HF_CLI_TUFFETCH_H

#include "hf/cli/disk.h"
#include "hf/wire/tufclient.h"

/** Longest address. */
#define HF_TUFFETCH_URL_MAX 4096
/** Redirects followed for a target; none are for metadata. */
#define HF_TUFFETCH_REDIRECTS_MAX 5

struct hf_tuffetch_options {
  const char *ca;           /**< PEM file of certification authorities in place of the system's; NULL */
  uint64_t deadline_s;      /**< for everything together */
  uint64_t rate_min;        /**< bytes a second, over half a minute */
  bool absent_on_forbidden; /**< a 403 means that there is no such file */
};

struct hf_tuffetch;

/** What arrives; HF_OK, HF_E_SPACE: more than was allowed, or another error, which ends the fetch. */
struct hf_tuffetch_sink {
  enum hf_err (*put)(void *ctx, struct hf_bytes bytes);
  void *ctx;
};

/** Gives; free with hf_tuffetch_close. Borrows the options. NULL: no memory. */
struct hf_tuffetch *hf_tuffetch_open(const struct hf_tuffetch_options *options);
void hf_tuffetch_close(struct hf_tuffetch *fetch);
/** GET. `redirects`: up to HF_TUFFETCH_REDIRECTS_MAX, never from https to http. */
HF_MUST enum hf_tufclient_got hf_tuffetch_get(struct hf_tuffetch *fetch, const char *url, bool redirects,
                                              struct hf_tuffetch_sink sink);
/** The same into memory. Gives `blob`. */
HF_MUST enum hf_tufclient_got hf_tuffetch_get_blob(struct hf_tuffetch *fetch, struct hf_blob *blob, const char *url,
                                                   size_t max);
/** Why the last fetch did not bring bytes, for a person. Borrowed. */
const char *hf_tuffetch_why(const struct hf_tuffetch *fetch);

#endif
