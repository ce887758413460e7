/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* flock */
#include "hf/cli/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "hf/cli/term.h"

#define COUNTER_MAX 64

static enum hf_err err_of(int code) { return code == ENOSPC || code == EDQUOT || code == EFBIG ? HF_E_FULL : HF_E_IO; }

/* The name of a new file must survive the power too. */
static void sync_folder(const char *path)
{
  char dir[HF_PATH_MAX];
  hf_format(dir, sizeof dir, "%s", path);
  char *slash = strrchr(dir, '/');
  if (slash != NULL) {
    *slash = '\0';
  }
  int fd = open(slash == NULL ? "." : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    (void)fsync(fd);
    (void)close(fd);
  }
}

enum hf_err hf_journal_open(struct hf_journal *journal, struct hf_blob *blob, size_t max)
{
  journal->broken = false;
  journal->fd = open(journal->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (journal->fd < 0) {
    hf_complain(journal->path, "see that the station's folder can be written", "the batch record cannot be opened: %s",
                strerror(errno));
    return HF_E_IO;
  }
  if (flock(journal->fd, LOCK_EX | LOCK_NB) != 0) {
    hf_complain(journal->path, "let one station work on one order", "another process works on this order already");
    hf_journal_close(journal);
    return HF_E_EXISTS;
  }
  enum hf_err err = hf_disk_get(blob, journal->path, max);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", journal->path);
    hf_journal_close(journal);
    return err;
  }
  journal->len = blob->len;
  sync_folder(journal->path);
  return HF_OK;
}

void hf_journal_close(struct hf_journal *journal)
{
  if (journal->fd >= 0) {
    (void)close(journal->fd);
  }
  journal->fd = -1;
}

enum hf_err hf_journal_cut(struct hf_journal *journal, uint64_t len)
{
  if (ftruncate(journal->fd, (off_t)len) != 0 || fsync(journal->fd) != 0) {
    return HF_E_IO;
  }
  journal->len = len;
  return HF_OK;
}

enum hf_err hf_journal_put(struct hf_journal *journal, struct hf_bytes bytes)
{
  size_t done = 0;
  while (done < bytes.len) {
    ssize_t wrote = write(journal->fd, bytes.at + done, bytes.len - done);
    if (wrote < 0 && errno == EINTR) {
      continue;
    }
    if (wrote <= 0) {
      break;
    }
    done += (size_t)wrote;
  }
  if (done == bytes.len && fsync(journal->fd) == 0) {
    journal->len += bytes.len;
    return HF_OK;
  }
  enum hf_err err = err_of(errno);
  journal->broken = hf_journal_cut(journal, journal->len) != HF_OK;
  return err;
}

enum hf_err hf_journal_get(struct hf_journal *journal, uint8_t *out, uint64_t at, size_t len)
{
  return pread(journal->fd, out, len, (off_t)at) == (ssize_t)len ? HF_OK : HF_E_IO;
}

/* "done 12\n", "pending 13\n". */
enum hf_err hf_journal_count_put(struct hf_journal *journal, uint64_t issued, bool done)
{
  uint8_t room[COUNTER_MAX];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&text, done ? "done " : "pending ");
  hf_buf_put_uint(&text, issued);
  hf_buf_put_text(&text, "\n");
  return hf_disk_put(journal->counter, hf_buf_bytes(&text), 0600);
}

static bool count_is(const struct hf_blob *blob, const char *word, uint64_t issued)
{
  uint8_t room[COUNTER_MAX];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&text, word);
  hf_buf_put_uint(&text, issued);
  hf_buf_put_text(&text, "\n");
  return hf_bytes_equal(hf_blob_bytes(blob), hf_buf_bytes(&text));
}

enum hf_err hf_journal_count_check(struct hf_journal *journal, uint64_t issued)
{
  struct hf_blob blob;
  enum hf_err err = hf_disk_get(&blob, journal->counter, COUNTER_MAX);
  if (err == HF_E_NOT_FOUND) {
    return issued == 0 ? HF_OK : HF_E_STATE; /* a new order; or somebody took the counter away */
  }
  if (err != HF_OK) {
    return err == HF_E_IO ? err : HF_E_STATE;
  }
  /* The power may have gone before the entry was written, or after it and before it was called done. */
  bool fits = count_is(&blob, "done ", issued) || count_is(&blob, "pending ", issued) ||
              count_is(&blob, "pending ", issued + 1);
  hf_blob_free(&blob);
  return fits ? HF_OK : HF_E_STATE;
}
