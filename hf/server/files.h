/* SPDX-License-Identifier: Apache-2.0
 * Whole files, written so that a kill leaves the old or the new one: temporary name, sync, rename, sync of the folder.
 */
#ifndef HF_SERVER_FILES_H
#define HF_SERVER_FILES_H

#include "hf/base/bytes.h"

/** Append a whole regular file. HF_E_NOT_FOUND; HF_E_SPACE: longer than the room; HF_E_IO. Does not follow a link. */
HF_MUST enum hf_err hf_file_get(struct hf_buf *out, const char *path);
/** A whole file on the heap, at most `max` bytes. Gives `bytes->at` to free(). */
HF_MUST enum hf_err hf_file_load(struct hf_bytes *bytes, const char *path, size_t max);
/** Write `path` whole, replacing what is there; mode 0644. HF_E_FULL: nothing changed; HF_E_IO. */
HF_MUST enum hf_err hf_file_put(const char *path, struct hf_bytes bytes);
/** The two halves of it: write and sync beside the name (path + ".new"), and later make it the file. */
HF_MUST enum hf_err hf_file_prepare(const char *path, struct hf_bytes bytes);
HF_MUST enum hf_err hf_file_settle(const char *path);
/** Remove what hf_file_prepare wrote. */
void hf_file_forget(const char *path);
/** Copy `from` to `path` in the same manner, checking length and SHA-256 on the way. HF_E_INPUT: another content;
 * HF_E_NOT_FOUND: no such source. */
HF_MUST enum hf_err hf_file_copy(const char *path, const char *from, uint64_t len, const uint8_t sha256[32]);
/** Make all folders above the last part of `path`, below those that exist; mode 0755. */
HF_MUST enum hf_err hf_file_folders(const char *path);
/** HF_E_FULL or HF_E_IO for what errno says. */
HF_MUST enum hf_err hf_file_err(int code);

#endif
