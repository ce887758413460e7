/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/vaultlog.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The last whole line and half a line after it lie within this much of the end. */
#define TAIL_MAX (3u * HF_VAULTLINE_MAX)

static enum hf_err write_whole(int file, struct hf_bytes bytes)
{
  while (bytes.len > 0) {
    ssize_t done = write(file, bytes.at, bytes.len);
    if (done < 0 && errno == EINTR) {
      continue;
    }
    if (done <= 0) {
      return errno == ENOSPC || errno == EDQUOT ? HF_E_FULL : HF_E_IO;
    }
    bytes.at += done;
    bytes.len -= (size_t)done;
  }
  return HF_OK;
}

enum hf_err hf_vaultlog_put(struct hf_vaultlog *log, struct hf_vaultline *line)
{
  uint8_t room[HF_VAULTLINE_MAX + 1];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  line->number = log->last.number + 1;
  struct hf_buf previous = hf_buf_init(line->previous, HF_SHA256_LEN);
  hf_buf_put(&previous, hf_bytes_init(log->last.hash, HF_SHA256_LEN));
  enum hf_err err = hf_vaultline_encode(&out, line);
  if (err != HF_OK) {
    return err;
  }
  hf_buf_put_u8(&out, '\n');
  off_t end = lseek(log->file, 0, SEEK_END);
  err = out.failed ? HF_E_SPACE : write_whole(log->file, hf_buf_bytes(&out));
  if (err != HF_OK) {
    /* Half a line would spoil every later one. When even this fails the next start finds and marks it. */
    if (end >= 0 && ftruncate(log->file, end) != 0) {
      return HF_E_IO;
    }
    return err;
  }
  log->dirty = true;
  log->last = *line;
  log->last.what = log->last.role = log->last.subject = (struct hf_bytes){NULL, 0};
  return HF_OK;
}

enum hf_err hf_vaultlog_sync(struct hf_vaultlog *log)
{
  if (!log->dirty) {
    return HF_OK;
  }
  if (fdatasync(log->file) != 0) {
    return HF_E_IO;
  }
  log->dirty = false;
  return HF_OK;
}

/* Where the line that ends before `end` begins. */
static size_t line_start(struct hf_bytes tail, size_t end)
{
  size_t at = end;
  while (at > 0 && tail.at[at - 1] != '\n') {
    at--;
  }
  return at;
}

/* The last whole line continues itself: its own hash must fit; the line before it is only known by `previous`. */
static enum hf_err take_last(struct hf_vaultlog *log, struct hf_bytes tail, size_t whole, bool from_start)
{
  if (whole == 0) {
    return from_start ? HF_OK : HF_E_INPUT;
  }
  size_t end = whole - 1;
  size_t start = line_start(tail, end);
  if (start == 0 && !from_start) {
    return HF_E_INPUT;
  }
  struct hf_bytes text = {tail.at + start, end - start};
  struct hf_vaultline before;
  const struct hf_vaultline *known = NULL;
  if (start > 0) {
    /* Only hash and number of the line before matter here; `holdfast audit verify` walks the whole chain. */
    size_t before_start = line_start(tail, start - 1);
    struct hf_bytes earlier = {tail.at + before_start, start - 1 - before_start};
    struct hf_vaultline guess;
    struct hf_why why = {0};
    (void)(hf_vaultline_verify(&guess, earlier, NULL, &why) == HF_ALLOW);
    if (why.rule != HF_RULE_NONE && why.rule != HF_RULE_VAULTLINE_CHAIN) {
      return HF_E_INPUT;
    }
    before = guess;
    known = &before;
  }
  if (hf_vaultline_verify(&log->last, text, known, NULL) != HF_ALLOW) {
    return HF_E_INPUT;
  }
  log->last.what = log->last.role = log->last.subject = (struct hf_bytes){NULL, 0};
  return HF_OK;
}

static enum hf_err mark_torn(struct hf_vaultlog *log, struct hf_bytes half, off_t whole, int64_t now)
{
  struct hf_vaultline line = {.time = now,
                              .what = HF_LIT("torn"),
                              .role = HF_LIT("vault"),
                              .subject = HF_LIT("half a line after an interruption")};
  hf_sha256(line.sha256, half);
  if (ftruncate(log->file, whole) != 0) {
    return HF_E_IO;
  }
  return hf_vaultlog_put(log, &line);
}

static enum hf_err continue_log(struct hf_vaultlog *log, int64_t now)
{
  struct stat about;
  uint8_t room[TAIL_MAX];
  if (fstat(log->file, &about) != 0) {
    return HF_E_IO;
  }
  off_t from = about.st_size > (off_t)sizeof room ? about.st_size - (off_t)sizeof room : 0;
  ssize_t got = pread(log->file, room, sizeof room, from);
  if (got != about.st_size - from) {
    return HF_E_IO;
  }
  struct hf_bytes tail = {room, (size_t)got};
  size_t whole = line_start(tail, tail.len);
  enum hf_err err = take_last(log, tail, whole, from == 0);
  if (err == HF_OK && whole < tail.len) {
    err = mark_torn(log, hf_bytes_init(room + whole, tail.len - whole), from + (off_t)whole, now);
  }
  return err;
}

enum hf_err hf_vaultlog_open(struct hf_vaultlog *log, const char *path, int64_t now)
{
  *log = (struct hf_vaultlog){.file = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (log->file < 0) {
    return HF_E_IO;
  }
  enum hf_err err = continue_log(log, now);
  if (err != HF_OK) {
    hf_vaultlog_close(log);
  }
  return err;
}

void hf_vaultlog_close(struct hf_vaultlog *log)
{
  if (log->file >= 0) {
    (void)(hf_vaultlog_sync(log) == HF_OK);
    (void)close(log->file);
    log->file = -1;
  }
}
