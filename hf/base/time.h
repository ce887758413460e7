/* SPDX-License-Identifier: Apache-2.0
 * Time values: seconds since 1970-01-01T00:00:00Z as int64_t, and their one text form. Reads no clock.
 */
#ifndef HF_BASE_TIME_H
#define HF_BASE_TIME_H

#include "hf/base/bytes.h"

/** Years outside 1970..9999 have no text form here. */
#define HF_TIME_MAX INT64_C(253402300799)

/** Bytes of the text form, `2026-11-20T10:44:31Z`. */
#define HF_TIME_TEXT_LEN 20

/**
 * Parse `YYYY-MM-DDTHH:MM:SSZ`, the only form TUF allows (TUF 1.0.34 section 4.1; RFC 3339 without offset or fraction).
 * @param seconds  fills
 * @param text     borrows
 * @return HF_OK, or HF_E_INPUT for anything else, impossible dates and second 60 included
 */
HF_MUST enum hf_err hf_time_parse(int64_t *seconds, struct hf_bytes text);

/** Append the text form; values outside 0..HF_TIME_MAX are clamped to the nearer end. */
void hf_time_put(struct hf_buf *buf, int64_t seconds);

#endif
