/* SPDX-License-Identifier: Apache-2.0
 * links: hf_codec
 * What is skipped is deterministic: reading it item by item and writing it again gives the same bytes.
 */
#include <string.h>

#include "hf/base/assert.h"
#include "hf/codec/cbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM (1 << 16)

static void copy_simple(struct hf_buf *out, struct hf_cbor *in)
{
  struct hf_cbor probe = *in;
  probe.why = NULL;
  bool value = hf_cbor_bool(&probe);
  if (hf_cbor_failed(&probe)) {
    hf_cbor_skip(in);
    hf_cbor_put_null(out);
    return;
  }
  *in = probe;
  hf_cbor_put_bool(out, value);
}

/* Integers whose magnitude needs 64 bits are beyond hf_cbor_int; they are copied as they stand. */
static void copy_negative(struct hf_buf *out, struct hf_cbor *in)
{
  struct hf_cbor probe = *in;
  probe.why = NULL;
  int64_t value = hf_cbor_int(&probe);
  if (!hf_cbor_failed(&probe)) {
    *in = probe;
    hf_cbor_put_int(out, value);
    return;
  }
  struct hf_bytes before = in->cur.rest;
  hf_cbor_skip(in);
  hf_buf_put(out, hf_bytes_init(before.at, before.len - in->cur.rest.len));
}

/* Copies a well-formed sequence of items; containers need no stack, their items simply follow. */
static void copy(struct hf_buf *out, struct hf_bytes bytes)
{
  struct hf_cbor in = hf_cbor_init(bytes, NULL);
  while (in.cur.rest.len > 0) {
    switch (hf_cbor_type(&in)) {
      case HF_CBOR_UINT: hf_cbor_put_uint(out, hf_cbor_uint(&in, UINT64_MAX)); break;
      case HF_CBOR_NINT: copy_negative(out, &in); break;
      case HF_CBOR_BYTES: hf_cbor_put_bytes(out, hf_cbor_bytes(&in, SIZE_MAX)); break;
      case HF_CBOR_TEXT: hf_cbor_put_text(out, hf_cbor_text(&in, SIZE_MAX)); break;
      case HF_CBOR_ARRAY: hf_cbor_put_array(out, hf_cbor_array(&in, SIZE_MAX)); break;
      case HF_CBOR_MAP: hf_cbor_put_map(out, hf_cbor_map(&in, SIZE_MAX)); break;
      case HF_CBOR_SIMPLE: copy_simple(out, &in); break;
      case HF_CBOR_NONE: HF_ASSERT(in.cur.rest.len == 0); /* what was skipped has a type, so this fails */
    }
    HF_ASSERT(!hf_cbor_failed(&in));
  }
}

/* Reads what a message reader would, against items of any type: must fail softly and stay failed. */
static void read_as_message(struct hf_bytes bytes)
{
  struct hf_why why = {0};
  struct hf_cbor in = hf_cbor_init(bytes, &why);
  int64_t last = -1;
  size_t pairs = hf_cbor_map(&in, 16);
  for (size_t i = 0; i < pairs && !hf_cbor_failed(&in); i++) {
    int64_t key = hf_cbor_key(&in, &last);
    if (key == 3) {
      HF_ASSERT(hf_cbor_text(&in, 32).len <= 32);
    } else if (key == 4) {
      HF_ASSERT(hf_cbor_bytes(&in, 32).len <= 32);
    } else if (key == 5) {
      HF_ASSERT(hf_cbor_uint(&in, 1000) <= 1000);
    } else {
      hf_cbor_skip(&in);
    }
  }
  bool done = hf_cbor_done(&in);
  HF_ASSERT(done == (why.rule == HF_RULE_NONE) && why.at <= bytes.len);
  HF_ASSERT(done || hf_cbor_uint(&in, UINT64_MAX) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static uint8_t room[ROOM];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_bytes bytes = {data, size};
  struct hf_cbor in = hf_cbor_init(bytes, NULL);
  if (size > ROOM) {
    return 0;
  }
  hf_cbor_skip(&in);
  if (hf_cbor_done(&in)) {
    copy(&out, bytes);
    HF_ASSERT(hf_bytes_equal(hf_buf_bytes(&out), bytes));
  }
  read_as_message(bytes);
  return 0;
}
