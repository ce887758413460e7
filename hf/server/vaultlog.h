/* SPDX-License-Identifier: Apache-2.0
 * The vault's log file: one chained line (hf/fleet/vaultline.h) for each thing the vault did or refused.
 *
 * A line is in the kernel's hands (write) before the signature leaves the vault, so that killing the process loses
 * none; it is on the disk (fdatasync) at most a second later, so that a power cut loses at most the last second of
 * lines, and the engine's audit log, which anchors number and hash, shows that they are missing.
 */
#ifndef HF_SERVER_VAULTLOG_H
#define HF_SERVER_VAULTLOG_H

#include "hf/fleet/vaultline.h"

struct hf_vaultlog {
  int file;
  bool dirty;               /**< written since the last sync */
  struct hf_vaultline last; /**< the last entry; its views are empty */
};

/**
 * Open or make the log, verify its last lines' chain and continue it. Half a line at the end, from a power cut, is
 * moved out of the way by a line that says so ("torn", with the hash of what was there).
 * @return HF_OK; HF_E_INPUT: the last whole line is not one; HF_E_IO; HF_E_FULL
 */
HF_MUST enum hf_err hf_vaultlog_open(struct hf_vaultlog *log, const char *path, int64_t now);
void hf_vaultlog_close(struct hf_vaultlog *log);

/** Append an entry: what, role, subject, sha256 and time are the caller's, the rest is filled. HF_E_FULL or HF_E_IO: it
 * is not in the log, so what it was about must not happen. */
HF_MUST enum hf_err hf_vaultlog_put(struct hf_vaultlog *log, struct hf_vaultline *line);
/** Make what was written durable. */
HF_MUST enum hf_err hf_vaultlog_sync(struct hf_vaultlog *log);

#endif
