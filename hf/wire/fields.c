/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/fields.h"

#include <string.h>

/* Pairs in a map: ours and what a newer peer may add. */
#define PAIRS_MAX 32

struct hf_fields hf_fields_open(struct hf_cbor *in)
{
  return (struct hf_fields){.left = hf_cbor_map(in, PAIRS_MAX), .last = -1};
}

int64_t hf_fields_next(struct hf_fields *map, struct hf_cbor *in)
{
  if (map->left == 0 || hf_cbor_failed(in)) {
    return -1;
  }
  map->left--;
  int64_t key = hf_cbor_key(in, &map->last);
  if (key >= 0 && key < 32) {
    map->seen |= HF_FIELD(key);
  }
  return hf_cbor_failed(in) ? -1 : key;
}

void hf_fields_close(const struct hf_fields *map, struct hf_cbor *in, uint32_t mandatory)
{
  if (!hf_cbor_failed(in) && (map->seen & mandatory) != mandatory) {
    hf_cbor_fail(in, HF_RULE_CHECKIN_MISSING);
  }
}

struct hf_bytes hf_fields_name(struct hf_cbor *in, size_t max, bool (*check)(struct hf_bytes))
{
  struct hf_bytes name = hf_cbor_text(in, max);
  if (!hf_cbor_failed(in) && !check(name)) {
    hf_cbor_fail(in, HF_RULE_CHECKIN_NAME);
  }
  return name;
}

int64_t hf_fields_time(struct hf_cbor *in) { return (int64_t)hf_cbor_uint(in, INT64_MAX); }

void hf_fields_digest(uint8_t out[HF_SHA256_LEN], struct hf_cbor *in)
{
  struct hf_bytes digest = hf_cbor_bytes(in, HF_SHA256_LEN);
  if (digest.len == HF_SHA256_LEN) {
    memcpy(out, digest.at, digest.len);
  } else {
    hf_cbor_fail(in, HF_RULE_CHECKIN_TYPE);
  }
}

void hf_fields_put_uint(struct hf_buf *out, unsigned key, uint64_t value)
{
  hf_cbor_put_uint(out, key);
  hf_cbor_put_uint(out, value);
}

void hf_fields_put_text(struct hf_buf *out, unsigned key, struct hf_bytes text)
{
  hf_cbor_put_uint(out, key);
  hf_cbor_put_text(out, text);
}
