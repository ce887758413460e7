/* SPDX-License-Identifier: Apache-2.0
 * A folder held open, and files in it by name: what comes from outside is put into this folder or nowhere. Names are
 * percent-encoded, links are never followed, a file holds its old bytes or its new ones and never a mixture.
 */
#ifndef HF_CLI_FOLDER_H
#define HF_CLI_FOLDER_H

#include "hf/cli/disk.h"

/** NAME_MAX of Linux and the NUL. */
#define HF_FOLDER_NAME_MAX 256

struct hf_folder {
  int fd; /**< -1: closed */
  char path[HF_PATH_MAX];
};

/** Open; made first when it is not there and `make` is set. Messages are told. HF_E_NOT_FOUND, HF_E_DENIED, HF_E_IO. */
HF_MUST enum hf_err hf_folder_open(struct hf_folder *folder, const char *path, bool make);
void hf_folder_close(struct hf_folder *folder);

/**
 * A file name for any text: letters, digits and `-._~` as they are, all else as %XX, then `end`. A name that would be
 * `.`,
 * `..`, begin with a dot or be longer than a file name may be becomes the text's SHA-256 in hex, or has its dot
 * encoded.
 */
void hf_folder_name(char out[HF_FOLDER_NAME_MAX], struct hf_bytes text, const char *end);

/** Read a whole file. HF_E_NOT_FOUND, HF_E_SPACE: longer than max; HF_E_INPUT: a link or no file; HF_E_IO. No message.
 */
HF_MUST enum hf_err hf_folder_get(struct hf_blob *blob, const struct hf_folder *folder, const char *name, size_t max);
/** Open a file for reading; a descriptor, or -1 with `*err` set as by hf_folder_get. */
HF_MUST int hf_folder_read(const struct hf_folder *folder, const char *name, enum hf_err *err);
/** Replace a file, synced. HF_E_FULL, HF_E_DENIED, HF_E_IO. No message. */
HF_MUST enum hf_err hf_folder_put(const struct hf_folder *folder, const char *name, struct hf_bytes bytes);
/** Take a file away, synced; HF_OK when there is none. */
HF_MUST enum hf_err hf_folder_remove(const struct hf_folder *folder, const char *name);

/** A file that is being written and has no name yet. */
struct hf_folder_draft {
  const struct hf_folder *folder;
  int fd;
  char name[32]; /**< of the temporary file; begins with a dot */
};
HF_MUST enum hf_err hf_folder_draft_open(struct hf_folder_draft *draft, const struct hf_folder *folder);
/** Append. */
HF_MUST enum hf_err hf_folder_draft_put(struct hf_folder_draft *draft, struct hf_bytes bytes);
/** Sync and give it its name; on failure nothing is left. The draft is closed either way. */
HF_MUST enum hf_err hf_folder_draft_keep(struct hf_folder_draft *draft, const char *name);
/** Throw it away. */
void hf_folder_draft_drop(struct hf_folder_draft *draft);

#endif
