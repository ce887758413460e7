/* SPDX-License-Identifier: Apache-2.0
 * Small whole files below a folder descriptor: read bounded, replaced so that a power cut leaves the old or the new
 * one. Names have no slash and symbolic links are not followed. Hosts only.
 */
#ifndef HF_POSIX_DISKFILE_H
#define HF_POSIX_DISKFILE_H

#include <sys/types.h>

#include "hf/base/bytes.h"

/** The longest file name taken, so that the temporary twin still fits. */
#define HF_DISKFILE_NAME_MAX 64

/**
 * Append a whole file to a buffer.
 * @param out     fills
 * @param folder  an open directory descriptor, borrowed
 * @param name    borrows: a name without slash
 * @return HF_OK; HF_E_NOT_FOUND; HF_E_SPACE when it does not fit in `out`; HF_E_DENIED for a symbolic link, something
 *         that is not a regular file, or no permission; HF_E_IO
 */
HF_MUST enum hf_err hf_diskfile_get(struct hf_buf *out, int folder, const char *name);

/**
 * Put a whole file in place of the old one: temporary twin, fsync, rename, fsync of the folder. On HF_OK it is on disk.
 * @param mode  permissions, exactly, whatever the umask
 * @return HF_OK; HF_E_FULL; HF_E_DENIED; HF_E_IO; HF_E_INPUT for a bad name. The old file is untouched on failure.
 */
HF_MUST enum hf_err hf_diskfile_put(int folder, const char *name, struct hf_bytes bytes, mode_t mode);

/** Rename over whatever has the new name, and make it durable. HF_E_NOT_FOUND when the old name is absent. */
HF_MUST enum hf_err hf_diskfile_move(int folder, const char *from, const char *to);

/** Remove and make it durable; HF_OK also when it was not there. */
HF_MUST enum hf_err hf_diskfile_remove(int folder, const char *name);

/** Is there something of this name? */
bool hf_diskfile_exists(int folder, const char *name);

/** The code for an errno value, for the callers of system calls in this port. */
enum hf_err hf_diskfile_err(int code);

#endif
