/* SPDX-License-Identifier: Apache-2.0
 * Files below one folder, opened so that no path leaves it: no symbolic links, no "..", regular files only.
 */
#ifndef HF_SERVER_STATIC_H
#define HF_SERVER_STATIC_H

#include "hf/base/bytes.h"

/** An open file and what HTTP wants to know about it. */
struct hf_static_file {
  int fd;
  uint64_t size;
  char etag[48];  /**< with its quotes: size, time of change and inode */
  bool immutable; /**< its name promises its content: it may be cached for ever */
  const char *content_type;
};

/** The folder, or -1 after a message on standard error. */
int hf_static_folder_open(const char *path);

/**
 * Open a file.
 * @param file    fills; close `fd`
 * @param folder  of hf_static_folder_open
 * @param path    relative, as in the URL after "/repo/"; checked by hf_http_path_check
 * @return HF_OK; HF_E_NOT_FOUND: no such regular file, or no path of ours; HF_E_IO
 */
HF_MUST enum hf_err hf_static_open(struct hf_static_file *file, int folder, struct hf_bytes path);

#endif
