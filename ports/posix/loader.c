/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports/posix/diskfile.h"

#define PIECE 4096u
#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

static enum hf_err put_all(int fd, const uint8_t *at, size_t len)
{
  while (len > 0) {
    ssize_t put = write(fd, at, len);
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put <= 0) {
      return put < 0 ? hf_diskfile_err(errno) : HF_E_IO;
    }
    at += put;
    len -= (size_t)put;
  }
  return HF_OK;
}

/* The part of [at, at + len) that lies in the payload goes to the program. */
static enum hf_err put_payload(int fd, const struct hf_image_info *info, uint32_t at, const uint8_t *piece,
                               uint32_t len)
{
  uint32_t first = info->header_len;
  uint32_t end = info->header_len + info->payload_len;
  uint32_t from = at > first ? at : first;
  uint32_t to = at + len < end ? at + len : end;
  return from < to ? put_all(fd, piece + (from - at), to - from) : HF_OK;
}

static enum hf_err copy(int fd, const struct hf_area *slot, const struct hf_image_info *info)
{
  struct hf_sha256 hash;
  uint8_t digest[HF_SHA256_LEN];
  enum hf_err err = HF_OK;
  hf_sha256_init(&hash);
  for (uint32_t at = 0; at < info->signed_len && err == HF_OK;) {
    uint8_t piece[PIECE];
    uint32_t len = info->signed_len - at < PIECE ? info->signed_len - at : PIECE;
    err = hf_area_read(slot, at, piece, len);
    if (err == HF_OK) {
      hf_sha256_put(&hash, hf_bytes_init(piece, len));
      err = put_payload(fd, info, at, piece, len);
    }
    at += len;
  }
  hf_sha256_get(&hash, digest);
  if (err == HF_OK && !hf_secret_equal(digest, info->digest, sizeof digest)) {
    err = HF_E_DENIED;
  }
  return err;
}

enum hf_err hf_loader_open(int *program, const struct hf_area *slot, const struct hf_image_info *info,
                           struct hf_trouble *trouble)
{
  int fd = memfd_create("holdfast-application", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  enum hf_err err = fd < 0 ? hf_diskfile_err(errno) : copy(fd, slot, info);
  if (err == HF_OK && (fchmod(fd, 0500) != 0 || fcntl(fd, F_ADD_SEALS, SEALS) != 0)) {
    err = hf_diskfile_err(errno);
  }
  if (err != HF_OK) {
    hf_trouble_put(
        trouble, "flash.bin", err == HF_E_DENIED ? "look for what else writes to this file" : "make memory free",
        err == HF_E_DENIED ? "the slot changed after it was verified" : "cannot load the image (%s)", hf_err_name(err));
    if (fd >= 0) {
      (void)close(fd);
    }
    return err;
  }
  *program = fd;
  return HF_OK;
}
