/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hf/cli/term.h"
#include "hf/codec/text.h"
#include "hf/crypto/crypto.h"

static enum hf_err from_errno(int number)
{
  switch (number) {
    case ENOENT:
    case ENOTDIR: return HF_E_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS: return HF_E_DENIED;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return HF_E_FULL;
    case ELOOP:
    case EISDIR: return HF_E_INPUT;
    default: return HF_E_IO;
  }
}

enum hf_err hf_folder_open(struct hf_folder *folder, const char *path, bool make)
{
  folder->fd = -1;
  if (strlen(path) >= sizeof folder->path) {
    hf_complain(path, "use a shorter folder name", "the name is too long");
    return HF_E_SPACE;
  }
  hf_format(folder->path, sizeof folder->path, "%s", path);
  if (make && mkdir(path, 0755) != 0 && errno != EEXIST) {
    enum hf_err err = from_errno(errno);
    hf_disk_complain(err, "write", path);
    return err;
  }
  folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder->fd < 0) {
    enum hf_err err = from_errno(errno);
    hf_complain(path, "check the name and the permissions", "cannot open the folder");
    return err;
  }
  return HF_OK;
}

void hf_folder_close(struct hf_folder *folder)
{
  if (folder->fd >= 0) {
    close(folder->fd);
  }
  folder->fd = -1;
}

void hf_folder_name(char out[HF_FOLDER_NAME_MAX], struct hf_bytes text, const char *end)
{
  static const char digits[] = "0123456789ABCDEF";
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  struct hf_buf name = hf_buf_init(out, HF_FOLDER_NAME_MAX);
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.at[i];
    if (c != 0 && strchr(plain, c) != NULL && (c != '.' || i > 0)) { /* no hidden files, no `.` and `..` */
      hf_buf_put_u8(&name, c);
    } else {
      hf_buf_put_u8(&name, '%');
      hf_buf_put_u8(&name, (uint8_t)digits[c >> 4]);
      hf_buf_put_u8(&name, (uint8_t)digits[c & 15]);
    }
  }
  hf_buf_put_text(&name, end);
  if (hf_buf_terminate(&name) == HF_OK) {
    return;
  }
  uint8_t hash[HF_SHA256_LEN];
  name = hf_buf_init(out, HF_FOLDER_NAME_MAX);
  hf_sha256(hash, text);
  hf_hex_put(&name, hf_bytes_init(hash, sizeof hash));
  hf_buf_put_text(&name, end);
  (void)!hf_buf_terminate(&name);
}

int hf_folder_read(const struct hf_folder *folder, const char *name, enum hf_err *err)
{
  struct stat info;
  int file = openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) {
    *err = from_errno(errno);
    return -1;
  }
  *err = fstat(file, &info) != 0 ? HF_E_IO : S_ISREG(info.st_mode) ? HF_OK : HF_E_INPUT;
  if (*err != HF_OK) {
    close(file);
    return -1;
  }
  return file;
}

enum hf_err hf_folder_get(struct hf_blob *blob, const struct hf_folder *folder, const char *name, size_t max)
{
  struct stat info;
  enum hf_err err;
  *blob = (struct hf_blob){NULL, 0};
  int file = hf_folder_read(folder, name, &err);
  if (file < 0) {
    return err;
  }
  if (fstat(file, &info) != 0) {
    err = HF_E_IO;
  } else if ((uint64_t)info.st_size > max) {
    err = HF_E_SPACE;
  } else {
    size_t len = (size_t)info.st_size;
    blob->at = malloc(len + 1);
    ssize_t got = 1;
    while (blob->at != NULL && blob->len < len && got > 0) {
      got = read(file, blob->at + blob->len, len - blob->len);
      blob->len += got > 0 ? (size_t)got : 0;
    }
    err = blob->at != NULL && blob->len == len ? HF_OK : HF_E_IO;
  }
  close(file);
  if (err != HF_OK) {
    hf_blob_free(blob);
  }
  return err;
}

enum hf_err hf_folder_draft_open(struct hf_folder_draft *draft, const struct hf_folder *folder)
{
  uint8_t random[8];
  char hex[2 * sizeof random + 1];
  struct hf_buf text = hf_buf_init(hex, sizeof hex);
  draft->folder = folder;
  draft->fd = -1;
  if (hf_random(random, sizeof random) != HF_OK) {
    return HF_E_CRYPTO;
  }
  hf_hex_put(&text, hf_bytes_init(random, sizeof random));
  (void)!hf_buf_terminate(&text);
  hf_format(draft->name, sizeof draft->name, ".tuf-%s.tmp", hex);
  draft->fd = openat(folder->fd, draft->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  return draft->fd < 0 ? from_errno(errno) : HF_OK;
}

enum hf_err hf_folder_draft_put(struct hf_folder_draft *draft, struct hf_bytes bytes)
{
  size_t done = 0;
  while (done < bytes.len) {
    ssize_t put = write(draft->fd, bytes.at + done, bytes.len - done);
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

void hf_folder_draft_drop(struct hf_folder_draft *draft)
{
  if (draft->fd >= 0) {
    close(draft->fd);
    (void)unlinkat(draft->folder->fd, draft->name, 0);
  }
  draft->fd = -1;
}

enum hf_err hf_folder_draft_keep(struct hf_folder_draft *draft, const char *name)
{
  int folder = draft->folder->fd;
  enum hf_err err = fsync(draft->fd) == 0 ? HF_OK : from_errno(errno);
  if (err == HF_OK && renameat(folder, draft->name, folder, name) != 0) { /* a link of that name is replaced itself */
    err = from_errno(errno);
  }
  if (err != HF_OK) {
    hf_folder_draft_drop(draft);
    return err;
  }
  close(draft->fd);
  draft->fd = -1;
  return fsync(folder) == 0 ? HF_OK : from_errno(errno);
}

enum hf_err hf_folder_put(const struct hf_folder *folder, const char *name, struct hf_bytes bytes)
{
  struct hf_folder_draft draft;
  enum hf_err err = hf_folder_draft_open(&draft, folder);
  if (err == HF_OK) {
    err = hf_folder_draft_put(&draft, bytes);
  }
  if (err == HF_OK) {
    return hf_folder_draft_keep(&draft, name);
  }
  hf_folder_draft_drop(&draft);
  return err;
}

enum hf_err hf_folder_remove(const struct hf_folder *folder, const char *name)
{
  if (unlinkat(folder->fd, name, 0) != 0) {
    return errno == ENOENT ? HF_OK : from_errno(errno);
  }
  return fsync(folder->fd) == 0 ? HF_OK : from_errno(errno);
}
