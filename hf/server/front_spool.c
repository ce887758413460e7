/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "hf/server/front_spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Names: front<N>-<count>.part */
#define PREFIX_MAX 24

static enum hf_err failure(void) { return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? HF_E_FULL : HF_E_IO; }

enum hf_err hf_spool_new(struct hf_spool_file **upload, int folder, unsigned front, uint64_t number)
{
  struct hf_spool_file *made = calloc(1, sizeof *made);
  if (made == NULL) {
    return HF_E_SPACE;
  }
  made->folder = folder;
  (void)snprintf(made->name, sizeof made->name, "front%u-%" PRIu64 ".part", front, number);
  made->file = openat(folder, made->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (made->file < 0) {
    enum hf_err err = failure();
    free(made);
    return err;
  }
  hf_sha256_init(&made->hash);
  *upload = made;
  return HF_OK;
}

enum hf_err hf_spool_put(struct hf_spool_file *upload, struct hf_bytes piece)
{
  hf_sha256_put(&upload->hash, piece);
  while (piece.len > 0) {
    ssize_t done = write(upload->file, piece.at, piece.len);
    if (done < 0 && errno == EINTR) {
      continue;
    }
    if (done <= 0) {
      return failure();
    }
    upload->len += (uint64_t)done;
    piece.at += done;
    piece.len -= (size_t)done;
  }
  return HF_OK;
}

enum hf_err hf_spool_get(struct hf_spool_file *upload, uint8_t sha256[HF_SHA256_LEN])
{
  hf_sha256_get(&upload->hash, sha256);
  /* The engine renames it into the repository and says "stored": it must be on the disk by then. */
  return fdatasync(upload->file) == 0 ? HF_OK : failure();
}

void hf_spool_free(struct hf_spool_file *upload)
{
  if (upload == NULL) {
    return;
  }
  (void)close(upload->file);
  (void)unlinkat(upload->folder, upload->name, 0);
  free(upload);
}

void hf_spool_clean(int folder, unsigned front)
{
  char prefix[PREFIX_MAX];
  int own = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *list = own < 0 ? NULL : fdopendir(own);
  if (list == NULL) {
    if (own >= 0) {
      (void)close(own);
    }
    return;
  }
  (void)snprintf(prefix, sizeof prefix, "front%u-", front);
  for (const struct dirent *entry = readdir(list); entry != NULL; entry = readdir(list)) {
    if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) {
      (void)unlinkat(folder, entry->d_name, 0);
    }
  }
  (void)closedir(list);
}
