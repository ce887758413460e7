/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/timesig.h"

/* With its zero: no other signature of ours begins with it. */
static const char domain[] = "holdfast-time-1";

void hf_timesig_digest(uint8_t out[HF_SHA256_LEN], int64_t time, struct hf_bytes nonces)
{
  uint8_t room[8];
  struct hf_buf number = hf_buf_init(room, sizeof room);
  struct hf_sha256 hash;
  hf_buf_put_be64(&number, (uint64_t)time);
  hf_sha256_init(&hash);
  hf_sha256_put(&hash, hf_bytes_init(domain, sizeof domain));
  hf_sha256_put(&hash, hf_buf_bytes(&number));
  hf_sha256_put(&hash, nonces);
  hf_sha256_get(&hash, out);
}

static bool has_nonce(struct hf_bytes nonces, struct hf_bytes nonce)
{
  if (nonce.len != HF_TIMESIG_NONCE_LEN || nonces.len % HF_TIMESIG_NONCE_LEN != 0) {
    return false;
  }
  for (size_t at = 0; at < nonces.len; at += HF_TIMESIG_NONCE_LEN) {
    if (hf_bytes_equal(hf_bytes_init(nonces.at + at, HF_TIMESIG_NONCE_LEN), nonce)) {
      return true;
    }
  }
  return false;
}

enum hf_verdict hf_timesig_verify(const struct hf_timesig *timesig, const struct hf_pubkey *key, struct hf_bytes nonces,
                                  struct hf_bytes nonce, struct hf_why *why)
{
  uint8_t digest[HF_SHA256_LEN];
  hf_timesig_digest(digest, timesig->time, nonces);
  if (timesig->time < 0 || key->type != HF_KEY_P256 || !has_nonce(nonces, nonce) ||
      hf_p256_verify(key, digest, timesig->sig) != HF_ALLOW) {
    hf_why_put(why, HF_RULE_TIME_SIGNATURE, 0);
    return HF_DENY;
  }
  return HF_ALLOW;
}
