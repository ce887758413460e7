/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "hf/base/assert.h"
#include "hf/crypto/cipher.h"

enum { INFO_MAX = 64 };

void hf_hkdf_sha256(uint8_t *out, size_t len, struct hf_bytes secret, struct hf_bytes info)
{
  static const uint8_t salt[HF_SHA256_LEN] = {0};
  uint8_t prk[HF_SHA256_LEN];
  uint8_t block[HF_SHA256_LEN + INFO_MAX + 1]; /* T(n-1), info, n */
  uint8_t t[HF_SHA256_LEN];
  size_t had = 0;
  HF_ASSERT(info.len <= INFO_MAX && len <= 255 * HF_SHA256_LEN);
  hf_hmac_sha256(prk, hf_bytes_init(salt, sizeof salt), secret);
  for (uint8_t n = 1; len > 0; n++) {
    memcpy(block, t, had);
    memcpy(block + had, info.at, info.len);
    block[had + info.len] = n;
    hf_hmac_sha256(t, hf_bytes_init(prk, sizeof prk), hf_bytes_init(block, had + info.len + 1));
    size_t take = len < sizeof t ? len : sizeof t;
    memcpy(out, t, take);
    out += take;
    len -= take;
    had = sizeof t;
  }
  hf_secret_wipe(prk, sizeof prk);
  hf_secret_wipe(t, sizeof t);
  hf_secret_wipe(block, sizeof block);
}
