/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/diskfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum hf_err hf_diskfile_err(int code)
{
  switch (code) {
    case 0: return HF_OK;
    case ENOENT: return HF_E_NOT_FOUND;
    case EEXIST: return HF_E_EXISTS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return HF_E_FULL;
    case EACCES:
    case EPERM:
    case ELOOP:
    case EROFS: return HF_E_DENIED;
    case EAGAIN: return HF_E_AGAIN;
    default: return HF_E_IO;
  }
}

static bool name_ok(const char *name)
{
  size_t len = strlen(name);
  return len > 0 && len <= HF_DISKFILE_NAME_MAX && name[0] != '.' && strchr(name, '/') == NULL;
}

static enum hf_err read_all(struct hf_buf *out, int fd)
{
  for (;;) {
    uint8_t piece[4096];
    ssize_t got = read(fd, piece, sizeof piece);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return hf_diskfile_err(errno);
    }
    if (got == 0) {
      return HF_OK;
    }
    hf_buf_put(out, hf_bytes_init(piece, (size_t)got));
    if (out->failed) {
      return HF_E_SPACE;
    }
  }
}

enum hf_err hf_diskfile_get(struct hf_buf *out, int folder, const char *name)
{
  if (!name_ok(name)) {
    return HF_E_INPUT;
  }
  int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) {
    return hf_diskfile_err(errno);
  }
  struct stat info;
  enum hf_err err = fstat(fd, &info) != 0 ? hf_diskfile_err(errno) : HF_OK;
  if (err == HF_OK && !S_ISREG(info.st_mode)) {
    err = HF_E_DENIED;
  }
  if (err == HF_OK) {
    err = read_all(out, fd);
  }
  (void)close(fd);
  return err;
}

static enum hf_err write_all(int fd, struct hf_bytes bytes)
{
  while (bytes.len > 0) {
    ssize_t put = write(fd, bytes.at, bytes.len);
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put < 0) {
      return hf_diskfile_err(errno);
    }
    bytes.at += put;
    bytes.len -= (size_t)put;
  }
  return HF_OK;
}

static enum hf_err sync_folder(int folder)
{
  /* EINVAL: a file system that cannot sync folders; nothing better is to be had there. */
  return fsync(folder) == 0 || errno == EINVAL ? HF_OK : hf_diskfile_err(errno);
}

enum hf_err hf_diskfile_put(int folder, const char *name, struct hf_bytes bytes, mode_t mode)
{
  if (!name_ok(name)) {
    return HF_E_INPUT;
  }
  char twin[HF_DISKFILE_NAME_MAX + 8];
  (void)snprintf(twin, sizeof twin, ".%s.new", name);
  (void)unlinkat(folder, twin, 0); /* left by a power cut */
  int fd = openat(folder, twin, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return hf_diskfile_err(errno);
  }
  enum hf_err err = write_all(fd, bytes);
  if (err == HF_OK && (fchmod(fd, mode) != 0 || fsync(fd) != 0)) {
    err = hf_diskfile_err(errno);
  }
  if (close(fd) != 0 && err == HF_OK) {
    err = hf_diskfile_err(errno);
  }
  if (err == HF_OK && renameat(folder, twin, folder, name) != 0) {
    err = hf_diskfile_err(errno);
  }
  if (err != HF_OK) {
    (void)unlinkat(folder, twin, 0);
    return err;
  }
  return sync_folder(folder);
}

enum hf_err hf_diskfile_move(int folder, const char *from, const char *to)
{
  if (!name_ok(from) || !name_ok(to)) {
    return HF_E_INPUT;
  }
  return renameat(folder, from, folder, to) != 0 ? hf_diskfile_err(errno) : sync_folder(folder);
}

enum hf_err hf_diskfile_remove(int folder, const char *name)
{
  if (!name_ok(name)) {
    return HF_E_INPUT;
  }
  if (unlinkat(folder, name, 0) != 0) {
    return errno == ENOENT ? HF_OK : hf_diskfile_err(errno);
  }
  return sync_folder(folder);
}

bool hf_diskfile_exists(int folder, const char *name)
{
  struct stat info;
  return fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0;
}
