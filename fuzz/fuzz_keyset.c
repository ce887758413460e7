/* SPDX-License-Identifier: Apache-2.0
 * Key sets from anywhere. Input: 65 bytes of an owner's P-256 point, then the file. */
#include <stdlib.h>
#include <string.h>

#include "hf/wire/keyset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_pubkey owner = {.type = HF_KEY_P256, .len = HF_P256_PUBLIC_LEN};
  struct hf_keyset_owners owners = {.key = &owner, .count = 1, .threshold = 1};
  struct hf_keyset set;
  struct hf_keyset verified;
  struct hf_why why = {0};
  if (size < HF_P256_PUBLIC_LEN) {
    return 0;
  }
  memcpy(owner.at, data, HF_P256_PUBLIC_LEN);
  struct hf_bytes file = hf_bytes_init(data + HF_P256_PUBLIC_LEN, size - HF_P256_PUBLIC_LEN);
  enum hf_err err = hf_keyset_parse(&set, file, &why);
  if ((err == HF_OK) != (why.rule == HF_RULE_NONE)) {
    abort(); /* every refusal says why */
  }
  if (hf_keyset_verify(&verified, file, &owners, hf_bytes_init(NULL, 0), 0, NULL) == HF_ALLOW && err != HF_OK) {
    abort();
  }
  if (err == HF_OK) {
    uint8_t room[HF_KEYSET_MAX];
    struct hf_buf out = hf_buf_init(room, sizeof room);
    if (hf_keyset_encode(&out, &set) != HF_OK || out.len != set.body.len + 1 ||
        memcmp(room, file.at, set.body.len) != 0) {
      abort(); /* one form */
    }
  }
  return 0;
}
