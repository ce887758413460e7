/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hf/crypto/crypto.h"

#define CHUNK 65536

enum hf_err hf_file_err(int code)
{
  switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return HF_E_FULL;
    case ENOENT: return HF_E_NOT_FOUND;
    default: return HF_E_IO;
  }
}

/* Read until the end of the file or of the room; fills how much there was. */
static enum hf_err read_all(int fd, uint8_t *at, size_t cap, size_t *len)
{
  *len = 0;
  while (*len < cap) {
    ssize_t got = read(fd, at + *len, cap - *len);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return got == 0 ? HF_OK : HF_E_IO;
    }
    *len += (size_t)got;
  }
  return HF_OK;
}

static enum hf_err open_regular(int *fd, struct stat *about, const char *path)
{
  *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (*fd < 0) {
    return hf_file_err(errno);
  }
  if (fstat(*fd, about) != 0 || !S_ISREG(about->st_mode)) {
    (void)close(*fd);
    return HF_E_IO;
  }
  return HF_OK;
}

enum hf_err hf_file_get(struct hf_buf *out, const char *path)
{
  int fd;
  struct stat about;
  size_t len = 0;
  enum hf_err err = open_regular(&fd, &about, path);
  if (err != HF_OK) {
    return err;
  }
  if ((uint64_t)about.st_size > out->cap - out->len) {
    err = HF_E_SPACE;
  } else {
    err = read_all(fd, out->at + out->len, (size_t)about.st_size, &len);
    out->len += len;
  }
  (void)close(fd);
  return err;
}

enum hf_err hf_file_load(struct hf_bytes *bytes, const char *path, size_t max)
{
  struct stat about;
  *bytes = hf_bytes_init(NULL, 0);
  if (lstat(path, &about) != 0) {
    return hf_file_err(errno);
  }
  if ((uint64_t)about.st_size > max) {
    return HF_E_SPACE;
  }
  uint8_t *at = malloc((size_t)about.st_size + 1);
  if (at == NULL) {
    return HF_E_IO;
  }
  struct hf_buf room = hf_buf_init(at, (size_t)about.st_size);
  enum hf_err err = hf_file_get(&room, path);
  if (err != HF_OK) {
    free(at);
    return err;
  }
  *bytes = hf_buf_bytes(&room);
  return HF_OK;
}

static enum hf_err write_all(int fd, struct hf_bytes bytes)
{
  size_t done = 0;
  while (done < bytes.len) {
    ssize_t put = write(fd, bytes.at + done, bytes.len - done);
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put <= 0) {
      return put == 0 ? HF_E_IO : hf_file_err(errno);
    }
    done += (size_t)put;
  }
  return HF_OK;
}

static enum hf_err name_new(char name[PATH_MAX], const char *path)
{
  int len = snprintf(name, PATH_MAX, "%s.new", path);
  return len > 0 && len < PATH_MAX ? HF_OK : HF_E_SPACE;
}

static enum hf_err create(int *fd, const char *name)
{
  *fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  return *fd < 0 ? hf_file_err(errno) : HF_OK;
}

/* Sync and close; what could not be written whole is removed. */
static enum hf_err finish(int fd, const char *name, enum hf_err err)
{
  if (err == HF_OK && fsync(fd) != 0) {
    err = hf_file_err(errno);
  }
  if (close(fd) != 0 && err == HF_OK) {
    err = hf_file_err(errno);
  }
  if (err != HF_OK) {
    (void)unlink(name);
  }
  return err;
}

enum hf_err hf_file_prepare(const char *path, struct hf_bytes bytes)
{
  char name[PATH_MAX];
  int fd;
  enum hf_err err = name_new(name, path);
  if (err == HF_OK) {
    err = create(&fd, name);
  }
  return err == HF_OK ? finish(fd, name, write_all(fd, bytes)) : err;
}

static enum hf_err sync_folder(const char *path)
{
  char folder[PATH_MAX];
  const char *slash = strrchr(path, '/');
  size_t len = slash == NULL ? 0 : (size_t)(slash - path);
  if (len >= sizeof folder) {
    return HF_E_SPACE;
  }
  memcpy(folder, len == 0 ? "." : path, len == 0 ? 1 : len);
  folder[len == 0 ? 1 : len] = 0;
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return hf_file_err(errno);
  }
  enum hf_err err = fsync(fd) == 0 ? HF_OK : hf_file_err(errno);
  (void)close(fd);
  return err;
}

enum hf_err hf_file_settle(const char *path)
{
  char name[PATH_MAX];
  enum hf_err err = name_new(name, path);
  if (err == HF_OK && rename(name, path) != 0) {
    err = hf_file_err(errno);
  }
  return err == HF_OK ? sync_folder(path) : err;
}

void hf_file_forget(const char *path)
{
  char name[PATH_MAX];
  if (name_new(name, path) == HF_OK) {
    (void)unlink(name);
  }
}

enum hf_err hf_file_put(const char *path, struct hf_bytes bytes)
{
  enum hf_err err = hf_file_prepare(path, bytes);
  return err == HF_OK ? hf_file_settle(path) : err;
}

static enum hf_err copy_checked(int to, int from, uint64_t len, const uint8_t sha256[32])
{
  static uint8_t chunk[CHUNK]; /* one thread */
  uint8_t digest[HF_SHA256_LEN];
  struct hf_sha256 hash;
  uint64_t sum = 0;
  size_t got = 0;
  hf_sha256_init(&hash);
  do {
    enum hf_err err = read_all(from, chunk, sizeof chunk, &got);
    if (err == HF_OK) {
      err = write_all(to, hf_bytes_init(chunk, got));
    }
    if (err != HF_OK) {
      return err;
    }
    hf_sha256_put(&hash, hf_bytes_init(chunk, got));
    sum += got;
  } while (got == sizeof chunk && sum <= len);
  hf_sha256_get(&hash, digest);
  return sum == len && memcmp(digest, sha256, sizeof digest) == 0 ? HF_OK : HF_E_INPUT;
}

enum hf_err hf_file_copy(const char *path, const char *from, uint64_t len, const uint8_t sha256[32])
{
  char name[PATH_MAX];
  struct stat about;
  int source;
  int fd;
  enum hf_err err = name_new(name, path);
  if (err == HF_OK) {
    err = open_regular(&source, &about, from);
  }
  if (err != HF_OK) {
    return err;
  }
  err = create(&fd, name);
  if (err == HF_OK) {
    err = finish(fd, name, copy_checked(fd, source, len, sha256));
  }
  (void)close(source);
  return err == HF_OK ? hf_file_settle(path) : err;
}

enum hf_err hf_file_folders(const char *path)
{
  char folder[PATH_MAX];
  size_t len = strlen(path);
  if (len >= sizeof folder) {
    return HF_E_SPACE;
  }
  for (size_t i = 1; i < len; i++) {
    if (path[i] != '/') {
      continue;
    }
    memcpy(folder, path, i);
    folder[i] = 0;
    if (mkdir(folder, 0755) == 0) {
      enum hf_err err = sync_folder(folder);
      if (err != HF_OK) {
        return err;
      }
    } else if (errno != EEXIST && access(folder, X_OK) != 0) {
      return hf_file_err(errno);
    }
  }
  return HF_OK;
}
