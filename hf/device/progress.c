/* SPDX-License-Identifier: Apache-2.0
 * The record of an update under way.
 */
#include <string.h>

#include "hf/base/time.h"
#include "hf/device/update.h"

enum { FORMAT = 1, LEN = 1 + HF_SHA256_LEN + 4 + 4 + 1 + 1 + 1 + 8 + 8 + 8 + 8 + 1 + 2 + 1 + 2 + 4 };
_Static_assert(LEN == HF_PROGRESS_LEN, "the header says how long the record is");

void hf_progress_encode(struct hf_buf *out, const struct hf_update_progress *progress)
{
  hf_buf_put_u8(out, FORMAT);
  hf_buf_put(out, hf_bytes_init(progress->sha256, sizeof progress->sha256));
  hf_buf_put_be32(out, progress->len);
  hf_buf_put_be32(out, progress->at);
  hf_buf_put_u8(out, progress->slot);
  hf_buf_put_u8(out, progress->tries);
  hf_buf_put_u8(out, (uint8_t)((progress->security ? 1 : 0) | (progress->named ? 2 : 0)));
  hf_buf_put_u8(out, progress->version.major);
  hf_buf_put_u8(out, progress->version.minor);
  hf_buf_put_be16(out, progress->version.revision);
  hf_buf_put_be32(out, progress->version.build);
  hf_buf_put_be64(out, (uint64_t)progress->offered);
  hf_buf_put_be64(out, (uint64_t)progress->deadline);
  hf_buf_put_be64(out, (uint64_t)progress->postponed);
  hf_buf_put_u8(out, (uint8_t)progress->state);
  hf_buf_put_be16(out, progress->rule);
  hf_buf_put_u8(out, progress->told_kind);
  hf_buf_put_be16(out, progress->told_rule);
  hf_buf_put_be32(out, progress->failures);
}

static int64_t time_parse(struct hf_cursor *in)
{
  uint64_t value = hf_cursor_be64(in);
  return value <= (uint64_t)HF_TIME_MAX ? (int64_t)value : 0;
}

void hf_progress_parse(struct hf_update_progress *progress, struct hf_bytes record)
{
  struct hf_cursor in = hf_cursor_init(record);
  *progress = (struct hf_update_progress){0};
  uint8_t format = hf_cursor_u8(&in);
  struct hf_bytes sha256 = hf_cursor_take(&in, HF_SHA256_LEN);
  if (format != FORMAT || sha256.len != HF_SHA256_LEN) {
    return;
  }
  memcpy(progress->sha256, sha256.at, HF_SHA256_LEN);
  progress->len = hf_cursor_be32(&in);
  progress->at = hf_cursor_be32(&in);
  progress->slot = hf_cursor_u8(&in);
  progress->tries = hf_cursor_u8(&in);
  uint8_t flags = hf_cursor_u8(&in);
  progress->security = (flags & 1) != 0;
  progress->named = (flags & 2) != 0;
  progress->version.major = hf_cursor_u8(&in);
  progress->version.minor = hf_cursor_u8(&in);
  progress->version.revision = hf_cursor_be16(&in);
  progress->version.build = hf_cursor_be32(&in);
  progress->offered = time_parse(&in);
  progress->deadline = time_parse(&in);
  progress->postponed = time_parse(&in);
  progress->state = (enum hf_update_state)hf_cursor_u8(&in);
  progress->rule = hf_cursor_be16(&in);
  progress->told_kind = hf_cursor_u8(&in);
  progress->told_rule = hf_cursor_be16(&in);
  progress->failures = hf_cursor_be32(&in);
  if (!hf_cursor_done(&in) || progress->state >= HF_UPDATE_STATES) {
    *progress = (struct hf_update_progress){0};
  }
}
