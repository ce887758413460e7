/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/retained.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ports/posix/diskfile.h"

#define NAME "retained.bin"
#define MAGIC 0x48665231u /* "HfR1" */
#define LEN 32            /* magic, five numbers, eight bytes of check */
#define CHECKED 24

static void check_of(uint8_t out[8], const uint8_t *record)
{
  uint8_t digest[HF_SHA256_LEN];
  hf_sha256(digest, hf_bytes_init(record, CHECKED));
  memcpy(out, digest, 8);
}

void hf_retained_put(int folder, const struct hf_retained *retained)
{
  uint8_t record[LEN];
  struct hf_buf buf = hf_buf_init(record, sizeof record);
  uint8_t check[8];
  hf_buf_put_be32(&buf, MAGIC);
  hf_buf_put_be32(&buf, (uint32_t)retained->reset);
  hf_buf_put_be32(&buf, retained->streak);
  hf_buf_put_be32(&buf, retained->resets);
  hf_buf_put_be32(&buf, retained->ended);
  hf_buf_put_be32(&buf, retained->pid);
  check_of(check, record);
  hf_buf_put(&buf, hf_bytes_init(check, sizeof check));
  int fd = openat(folder, NAME, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0) {
    ssize_t put = pwrite(fd, record, sizeof record, 0);
    (void)put;
    (void)close(fd);
  }
}

enum hf_err hf_retained_get(struct hf_retained *retained, int folder)
{
  uint8_t record[LEN];
  struct hf_buf buf = hf_buf_init(record, sizeof record);
  uint8_t check[8];
  if (hf_diskfile_get(&buf, folder, NAME) != HF_OK || buf.len != LEN) {
    return HF_E_NOT_FOUND;
  }
  check_of(check, record);
  struct hf_cursor cur = hf_cursor_init(hf_buf_bytes(&buf));
  uint32_t magic = hf_cursor_be32(&cur);
  uint32_t reset = hf_cursor_be32(&cur);
  if (magic != MAGIC || memcmp(check, record + CHECKED, sizeof check) != 0) {
    return HF_E_NOT_FOUND;
  }
  retained->reset = (enum hf_reset)reset;
  retained->streak = hf_cursor_be32(&cur);
  retained->resets = hf_cursor_be32(&cur);
  retained->ended = hf_cursor_be32(&cur);
  retained->pid = hf_cursor_be32(&cur);
  return HF_OK;
}
