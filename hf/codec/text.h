/* SPDX-License-Identifier: Apache-2.0
 * Bytes as text: hex (lower case), base64 (RFC 4648 section 4), and UTF-8 validity.
 */
#ifndef HF_CODEC_TEXT_H
#define HF_CODEC_TEXT_H

#include "hf/base/bytes.h"

/** Append lower-case hex. */
void hf_hex_put(struct hf_buf *out, struct hf_bytes bytes);
/** Decode lower- or upper-case hex of exactly 2*len characters into `out`. HF_E_INPUT otherwise. */
HF_MUST enum hf_err hf_hex_parse(uint8_t *out, size_t len, struct hf_bytes text);
/** Append base64 with padding, no line breaks. */
void hf_base64_put(struct hf_buf *out, struct hf_bytes bytes);
/** Decode base64 with padding, appended to `out`; CR, LF and blanks between characters are skipped (EST bodies, PEM).
 * HF_E_INPUT for anything else, non-zero trailing bits included; HF_E_SPACE. */
HF_MUST enum hf_err hf_base64_parse(struct hf_buf *out, struct hf_bytes text);
/** Well-formed UTF-8 (RFC 3629), no surrogates, no overlong forms? */
bool hf_utf8_check(struct hf_bytes text);
/** How many bytes at the start are well-formed UTF-8: the offset to blame when it is not all of them. */
size_t hf_utf8_prefix(struct hf_bytes text);
/** Well-formed UTF-8 without control characters (U+0000..U+001F, U+007F..U+009F)? Such text is safe in a log line and
 * on a terminal. */
bool hf_utf8_plain(struct hf_bytes text);

#endif
