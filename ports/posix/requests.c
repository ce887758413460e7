/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/requests.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hf/codec/text.h"
#include "hf/crypto/crypto.h"
#include "ports/posix/diskfile.h"

#define REQUESTS "requests"
#define ANSWERS "answers"

static struct hf_bytes word(struct hf_bytes *rest)
{
  const uint8_t *blank = rest->len == 0 ? NULL : memchr(rest->at, ' ', rest->len);
  size_t len = blank == NULL ? rest->len : (size_t)(blank - rest->at);
  struct hf_bytes first = {rest->at, len};
  size_t used = blank == NULL ? len : len + 1;
  rest->at += used;
  rest->len -= used;
  return first;
}

static struct hf_bytes line_of(struct hf_bytes *text)
{
  const uint8_t *end = memchr(text->at, '\n', text->len);
  size_t len = end == NULL ? text->len : (size_t)(end - text->at);
  struct hf_bytes line = {text->at, len};
  size_t used = end == NULL ? len : len + 1;
  text->at += used;
  text->len -= used;
  return line;
}

enum hf_err hf_requests_next(struct hf_requests_item *item, struct hf_bytes *text)
{
  if (text->len == 0) {
    return HF_E_NOT_FOUND;
  }
  struct hf_bytes rest = line_of(text);
  item->id = word(&rest);
  item->kind = word(&rest);
  item->name = word(&rest);
  item->value = rest;
  return item->id.len == HF_REQUESTS_ID_LEN && item->kind.len > 0 && item->name.len > 0 ? HF_OK : HF_E_INPUT;
}

static bool plain(struct hf_bytes text, bool blanks)
{
  for (size_t i = 0; i < text.len; i++) {
    if (text.at[i] < ' ' || text.at[i] == 0x7f || (!blanks && text.at[i] == ' ')) {
      return false;
    }
  }
  return true;
}

static enum hf_err put_locked(int fd, struct hf_bytes line)
{
  struct stat info;
  if (flock(fd, LOCK_EX) != 0 || fstat(fd, &info) != 0) {
    return HF_E_IO;
  }
  if (info.st_size > HF_REQUESTS_MAX - (off_t)line.len) {
    return HF_E_FULL;
  }
  ssize_t put = write(fd, line.at, line.len);
  if (put == (ssize_t)line.len && fsync(fd) == 0) {
    return HF_OK;
  }
  enum hf_err err = put < 0 ? hf_diskfile_err(errno) : HF_E_IO;
  return ftruncate(fd, info.st_size) == 0 ? err : HF_E_IO; /* no half a line in front of the next one */
}

enum hf_err hf_requests_put(char id[HF_REQUESTS_ID_LEN + 1], int folder, const struct hf_requests_item *item)
{
  uint8_t line[1024];
  uint8_t random[HF_REQUESTS_ID_LEN / 2];
  struct hf_buf buf = hf_buf_init(line, sizeof line);
  struct hf_buf id_buf = hf_buf_init(id, HF_REQUESTS_ID_LEN + 1);
  if (!plain(item->name, false) || !plain(item->value, true) || item->name.len == 0) {
    return HF_E_INPUT;
  }
  enum hf_err err = hf_random(random, sizeof random);
  if (err != HF_OK) {
    return err;
  }
  hf_hex_put(&id_buf, hf_bytes_init(random, sizeof random));
  hf_buf_put(&buf, hf_buf_bytes(&id_buf));
  hf_buf_put_text(&buf, " ");
  hf_buf_put(&buf, item->kind);
  hf_buf_put_text(&buf, " ");
  hf_buf_put(&buf, item->name);
  hf_buf_put_text(&buf, " ");
  hf_buf_put(&buf, item->value);
  hf_buf_put_text(&buf, "\n");
  if (buf.failed || hf_buf_terminate(&id_buf) != HF_OK) {
    return HF_E_INPUT;
  }
  int fd = openat(folder, REQUESTS, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return hf_diskfile_err(errno);
  }
  err = put_locked(fd, hf_buf_bytes(&buf));
  (void)close(fd);
  return err;
}

static enum hf_err read_all(struct hf_buf *out, int fd)
{
  uint8_t piece[1024];
  ssize_t got;
  while ((got = pread(fd, piece, sizeof piece, (off_t)out->len)) > 0) {
    hf_buf_put(out, hf_bytes_init(piece, (size_t)got));
    if (out->failed) {
      return HF_E_SPACE;
    }
  }
  return got == 0 ? HF_OK : HF_E_IO;
}

struct taker {
  enum hf_err (*handle)(void *ctx, struct hf_buf *detail, const struct hf_requests_item *item);
  void *ctx;
};

static void answer_all(struct hf_buf *answers, const struct taker *taker, struct hf_bytes text)
{
  for (;;) {
    struct hf_requests_item item;
    uint8_t detail[160];
    struct hf_buf detail_buf = hf_buf_init(detail, sizeof detail);
    enum hf_err err = hf_requests_next(&item, &text);
    if (err == HF_E_NOT_FOUND) {
      return;
    }
    if (err != HF_OK) {
      continue; /* somebody wrote into the file by hand */
    }
    err = taker->handle(taker->ctx, &detail_buf, &item);
    hf_buf_put(answers, item.id);
    hf_buf_put_text(answers, " ");
    hf_buf_put_text(answers, hf_err_name(err));
    hf_buf_put_text(answers, " ");
    hf_buf_put(answers, hf_buf_bytes(&detail_buf));
    hf_buf_put_text(answers, "\n");
  }
}

void hf_requests_take(int folder,
                      enum hf_err (*handle)(void *ctx, struct hf_buf *detail, const struct hf_requests_item *),
                      void *ctx)
{
  struct stat info;
  if (fstatat(folder, REQUESTS, &info, AT_SYMLINK_NOFOLLOW) != 0 || info.st_size == 0) {
    return;
  }
  int fd = openat(folder, REQUESTS, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    return;
  }
  uint8_t text[HF_REQUESTS_MAX];
  uint8_t answers[HF_REQUESTS_MAX];
  struct hf_buf text_buf = hf_buf_init(text, sizeof text);
  struct hf_buf answers_buf = hf_buf_init(answers, sizeof answers);
  if (flock(fd, LOCK_EX) == 0) {
    if (read_all(&text_buf, fd) == HF_OK) {
      const struct taker taker = {.handle = handle, .ctx = ctx};
      answer_all(&answers_buf, &taker, hf_buf_bytes(&text_buf));
    }
    /* Answers are a courtesy to whoever waits for them; what was asked is done. */
    enum hf_err err = hf_diskfile_put(folder, ANSWERS, hf_buf_bytes(&answers_buf), 0600);
    (void)err;
    int cut = ftruncate(fd, 0);
    (void)cut;
  }
  (void)close(fd);
}

enum hf_err hf_requests_get(struct hf_buf *line, int folder, const char *id)
{
  uint8_t text[HF_REQUESTS_MAX];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  enum hf_err err = hf_diskfile_get(&buf, folder, ANSWERS);
  struct hf_bytes rest = hf_buf_bytes(&buf);
  while (err == HF_OK && rest.len > 0) {
    struct hf_bytes one = line_of(&rest);
    if (hf_bytes_is(word(&one), id)) {
      hf_buf_put(line, one);
      return line->failed ? HF_E_SPACE : HF_OK;
    }
  }
  return err == HF_OK ? HF_E_NOT_FOUND : err;
}
