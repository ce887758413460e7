/* SPDX-License-Identifier: Apache-2.0
 * What the files of the JSON reader share: the inside of texts and the ends of values. Not for other folders.
 */
#ifndef HF_CODEC_JSON_SCAN_H
#define HF_CODEC_JSON_SCAN_H

#include "hf/codec/json.h"

static inline bool hf_json_is_space(uint8_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/**
 * Decode the escape at the start of `rest`, which begins with a backslash, and step over it.
 * @param out   fills; UTF-8, 1 to 4 bytes
 * @param rest  stepped over the escape; a surrogate pair is one escape
 * @param rule  fills at failure
 * @return number of bytes in `out`; 0 at failure
 */
size_t hf_json_escape_parse(uint8_t out[4], struct hf_bytes *rest, enum hf_rule *rule);

/** Order of two text values by their decoded UTF-8, which is the order of code points: -1, 0, 1. */
int hf_json_text_order(struct hf_json a, struct hf_json b);

/** Take the value at the start of `rest`, which has been checked, and step over it. */
struct hf_json hf_json_take(struct hf_bytes *rest);

#endif
