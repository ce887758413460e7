/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/vault_time.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "hf/wire/timesig.h"

bool hf_vault_time_has(const char *dir, const char *file)
{
  char path[PATH_MAX];
  return snprintf(path, sizeof path, "%s/%s", dir, file) < (int)sizeof path && access(path, F_OK) == 0;
}

enum hf_err hf_vault_time_sign(struct hf_buf *sig, const struct hf_key *key, int64_t now, struct hf_bytes nonces)
{
  uint8_t digest[HF_SHA256_LEN];
  if (key == NULL) {
    return HF_E_NOT_FOUND;
  }
  if (nonces.len == 0 || nonces.len % HF_TIMESIG_NONCE_LEN != 0 ||
      nonces.len > HF_TIMESIG_NONCES_MAX * HF_TIMESIG_NONCE_LEN) {
    return HF_E_INPUT;
  }
  hf_timesig_digest(digest, now, nonces);
  return hf_key_sign_digest(sig, key, digest);
}
