/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* O_PATH */
#include "hf/server/static.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hf/server/front_http.h"

#define PATH_CAP 520

int hf_static_folder_open(const char *path)
{
  int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    fprintf(stderr, "front: %s: %s; the workspace is not whole\n", path, strerror(errno));
  }
  return fd;
}

static bool ends_with(struct hf_bytes path, const char *end)
{
  size_t len = strlen(end);
  return path.len >= len && memcmp(path.at + path.len - len, end, len) == 0;
}

static void describe(struct hf_static_file *file, struct hf_bytes path, const struct stat *about)
{
  file->size = (uint64_t)about->st_size;
  (void)snprintf(file->etag, sizeof file->etag, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "\"", file->size,
                 (uint64_t)about->st_mtim.tv_sec * 1000000000u + (uint64_t)about->st_mtim.tv_nsec,
                 (uint64_t)about->st_ino);
  /* Consistent snapshots: every name but timestamp.json carries a version or a hash (TUF 1.0.34 section 6.2). */
  file->immutable = !ends_with(path, "timestamp.json") && !ends_with(path, ".crl");
  file->content_type = ends_with(path, ".json")  ? "application/json"
                       : ends_with(path, ".crl") ? "application/pkix-crl" /* RFC 2585 section 4 */
                                                 : "application/octet-stream";
}

enum hf_err hf_static_open(struct hf_static_file *file, int folder, struct hf_bytes path)
{
  char text[PATH_CAP];
  struct stat about;
  *file = (struct hf_static_file){.fd = -1};
  if (!hf_http_path_check(path) || path.len >= sizeof text) {
    return HF_E_NOT_FOUND;
  }
  memcpy(text, path.at, path.len);
  text[path.len] = '\0';
  /* O_NONBLOCK: a FIFO that somebody put there must not hang the process; it is refused below. */
  struct open_how how = {.flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  long fd = syscall(SYS_openat2, folder, text, &how, sizeof how);
  if (fd < 0) {
    return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO ? HF_E_IO : HF_E_NOT_FOUND;
  }
  if (fstat((int)fd, &about) != 0 || !S_ISREG(about.st_mode)) {
    (void)close((int)fd);
    return HF_E_NOT_FOUND;
  }
  file->fd = (int)fd;
  describe(file, path, &about);
  return HF_OK;
}
