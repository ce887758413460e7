/* SPDX-License-Identifier: Apache-2.0
 * The batch record of a station while it grows: a file that is only appended to, each entry synced before anything is
 * done about it; and the counter beside it that tells a journal restored from a backup.
 */
#ifndef HF_CLI_JOURNAL_H
#define HF_CLI_JOURNAL_H

#include "hf/cli/disk.h"

struct hf_journal {
  int fd;
  uint64_t len;
  bool broken; /**< half an entry may be on disk and could not be taken back: read it anew */
  char path[HF_PATH_MAX];
  char counter[HF_PATH_MAX];
};

/** Open or make, and lock against a second station. `*blob` gives what is in it. A message at failure. */
HF_MUST enum hf_err hf_journal_open(struct hf_journal *journal, struct hf_blob *blob, size_t max);
void hf_journal_close(struct hf_journal *journal);
/** Cut off what is behind `len`: half an entry of a power cut. */
HF_MUST enum hf_err hf_journal_cut(struct hf_journal *journal, uint64_t len);
/** Append and sync. When it fails nothing was appended, or `broken` is set. */
HF_MUST enum hf_err hf_journal_put(struct hf_journal *journal, struct hf_bytes bytes);
/** Read back. HF_E_IO. */
HF_MUST enum hf_err hf_journal_get(struct hf_journal *journal, uint8_t *out, uint64_t at, size_t len);

/** Note that certificate number `issued` is about to be recorded, or (`done`) is. */
HF_MUST enum hf_err hf_journal_count_put(struct hf_journal *journal, uint64_t issued, bool done);
/** Does the counter allow a journal with so many certificates? HF_OK; HF_E_STATE: one of the two was set back; HF_E_IO.
 */
HF_MUST enum hf_err hf_journal_count_check(struct hf_journal *journal, uint64_t issued);

#endif
