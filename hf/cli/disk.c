/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hf/cli/term.h"

struct hf_bytes hf_blob_bytes(const struct hf_blob *blob) { return hf_bytes_init(blob->at, blob->len); }

void hf_blob_free(struct hf_blob *blob)
{
  if (blob->at != NULL) {
    hf_secret_wipe(blob->at, blob->len);
  }
  free(blob->at);
  *blob = (struct hf_blob){NULL, 0};
}

enum hf_err hf_path_join(char out[HF_PATH_MAX], const char *dir, const char *name)
{
  size_t dir_len = strlen(dir);
  bool slash = dir_len > 0 && dir[dir_len - 1] != '/';
  if (dir_len + slash + strlen(name) >= HF_PATH_MAX) {
    hf_complain(NULL, "use a shorter folder name", "a path is longer than %d bytes", HF_PATH_MAX);
    return HF_E_SPACE;
  }
  hf_format(out, HF_PATH_MAX, "%s%s%s", dir, slash ? "/" : "", name);
  return HF_OK;
}

static enum hf_err from_errno(int number)
{
  switch (number) {
    case ENOENT:
    case ENOTDIR: return HF_E_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS: return HF_E_DENIED;
    case EEXIST: return HF_E_EXISTS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return HF_E_FULL;
    case ELOOP:
    case EISDIR: return HF_E_INPUT;
    default: return HF_E_IO;
  }
}

static enum hf_err read_all(struct hf_blob *blob, int file, size_t len)
{
  blob->at = malloc(len == 0 ? 1 : len);
  if (blob->at == NULL) {
    return HF_E_IO;
  }
  while (blob->len < len) {
    ssize_t got = read(file, blob->at + blob->len, len - blob->len);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) { /* it shrank while being read: not the file we measured */
      hf_blob_free(blob);
      return HF_E_IO;
    }
    blob->len += (size_t)got;
  }
  return HF_OK;
}

enum hf_err hf_disk_get(struct hf_blob *blob, const char *path, size_t max)
{
  struct stat info;
  *blob = (struct hf_blob){NULL, 0};
  /* O_NONBLOCK: a FIFO given as a file must be refused, not waited for. */
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    return from_errno(errno);
  }
  enum hf_err err = HF_OK;
  if (fstat(file, &info) != 0) {
    err = HF_E_IO;
  } else if (!S_ISREG(info.st_mode)) {
    err = HF_E_INPUT;
  } else if ((uint64_t)info.st_size > max) {
    err = HF_E_SPACE;
  } else {
    err = read_all(blob, file, (size_t)info.st_size);
  }
  close(file);
  return err;
}

static enum hf_err write_all(int file, struct hf_bytes bytes)
{
  size_t done = 0;
  while (done < bytes.len) {
    ssize_t put = write(file, bytes.at + done, bytes.len - done);
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put <= 0) {
      return put == 0 ? HF_E_IO : from_errno(errno);
    }
    done += (size_t)put;
  }
  return HF_OK;
}

static enum hf_err sync_folder(const char *path)
{
  char dir[HF_PATH_MAX];
  const char *slash = strrchr(path, '/');
  if (slash == NULL) {
    hf_format(dir, sizeof dir, ".");
  } else {
    hf_format(dir, sizeof dir, "%.*s", slash == path ? 1 : (int)(slash - path), path);
  }
  int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    return from_errno(errno);
  }
  enum hf_err err = fsync(folder) == 0 ? HF_OK : from_errno(errno);
  close(folder);
  return err;
}

static enum hf_err put_temporary(int file, struct hf_bytes bytes, mode_t mode)
{
  enum hf_err err = write_all(file, bytes);
  if (err == HF_OK && (fchmod(file, mode) != 0 || fsync(file) != 0)) {
    err = from_errno(errno);
  }
  if (close(file) != 0 && err == HF_OK) {
    err = from_errno(errno);
  }
  return err;
}

static enum hf_err put(const char *path, struct hf_bytes bytes, mode_t mode, bool replace)
{
  char temporary[HF_PATH_MAX];
  if (strlen(path) + 8 > sizeof temporary) {
    return HF_E_INPUT;
  }
  hf_format(temporary, sizeof temporary, "%s.XXXXXX", path);
  int file = mkstemp(temporary);
  if (file < 0) {
    return from_errno(errno);
  }
  enum hf_err err = put_temporary(file, bytes, mode);
  if (err == HF_OK && !replace && link(temporary, path) != 0) { /* link, unlike rename, refuses to replace */
    err = from_errno(errno);
  }
  if (err == HF_OK && replace && rename(temporary, path) != 0) {
    err = from_errno(errno);
  }
  if (err != HF_OK || !replace) {
    (void)unlink(temporary);
  }
  return err == HF_OK ? sync_folder(path) : err;
}

enum hf_err hf_disk_put(const char *path, struct hf_bytes bytes, mode_t mode) { return put(path, bytes, mode, true); }

enum hf_err hf_disk_put_new(const char *path, struct hf_bytes bytes, mode_t mode)
{
  return put(path, bytes, mode, false);
}

enum hf_err hf_disk_mkdir(const char *path, mode_t mode)
{
  if (mkdir(path, mode) != 0 || chmod(path, mode) != 0) {
    return from_errno(errno);
  }
  return HF_OK;
}

void hf_disk_complain(enum hf_err err, const char *verb, const char *path)
{
  switch (err) {
    case HF_E_NOT_FOUND: hf_complain(path, "check the name", "no such file or folder"); return;
    case HF_E_DENIED: hf_complain(path, "check the owner and the permissions", "not allowed to %s it", verb); return;
    case HF_E_SPACE:
      hf_complain(path, "check that it is the right file", "the file is too long to be what is asked for");
      return;
    case HF_E_INPUT: hf_complain(path, "give a regular file", "that is no file"); return;
    case HF_E_FULL: hf_complain(path, "make room and try again; nothing was changed", "the disk is full"); return;
    case HF_E_EXISTS: hf_complain(path, "choose another name, or move the old one away", "it exists already"); return;
    default: hf_complain(path, "look at the disk; nothing was changed", "cannot %s it", verb); return;
  }
}
