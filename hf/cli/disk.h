/* SPDX-License-Identifier: Apache-2.0
 * Files whole or not at all: read with a ceiling, written beside their name, synced, renamed.
 */
#ifndef HF_CLI_DISK_H
#define HF_CLI_DISK_H

#include <sys/types.h>

#include "hf/base/bytes.h"

/** Longest path the command line builds; PATH_MAX of Linux. */
#define HF_PATH_MAX 4096

/** A file in memory. */
struct hf_blob {
  uint8_t *at;
  size_t len;
};

struct hf_bytes hf_blob_bytes(const struct hf_blob *blob);
/** Free and wipe: it may have been a key. Safe on an empty one. */
void hf_blob_free(struct hf_blob *blob);

/** Join folder and name. HF_E_SPACE, after a message, when it is longer than HF_PATH_MAX. */
HF_MUST enum hf_err hf_path_join(char out[HF_PATH_MAX], const char *dir, const char *name);

/**
 * Read a whole regular file. Messages are the caller's, or hf_disk_complain's.
 * @param blob  gives; free with hf_blob_free
 * @param max   longest length accepted
 * @return HF_OK; HF_E_NOT_FOUND; HF_E_DENIED; HF_E_SPACE: longer than `max`; HF_E_INPUT: no regular file; HF_E_IO
 */
HF_MUST enum hf_err hf_disk_get(struct hf_blob *blob, const char *path, size_t max);
/**
 * Write a file so that its name holds the old bytes or the new, never a mixture.
 * @param mode  permissions, exactly; independent of umask
 * @return HF_OK; HF_E_FULL; HF_E_DENIED; HF_E_NOT_FOUND: no such folder; HF_E_IO. Nothing is left behind on failure.
 */
HF_MUST enum hf_err hf_disk_put(const char *path, struct hf_bytes bytes, mode_t mode);
/** The same, but refuses to replace: HF_E_EXISTS. */
HF_MUST enum hf_err hf_disk_put_new(const char *path, struct hf_bytes bytes, mode_t mode);
/** Make a directory with exactly this mode; HF_E_EXISTS when there is one. */
HF_MUST enum hf_err hf_disk_mkdir(const char *path, mode_t mode);

/** What hf_disk_get or hf_disk_put answered, for a person; `verb` is "read" or "write". */
void hf_disk_complain(enum hf_err err, const char *verb, const char *path);

#endif
