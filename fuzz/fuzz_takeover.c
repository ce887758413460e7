/* SPDX-License-Identifier: Apache-2.0
 * Takeover orders from anywhere. Input: 65 bytes of a root key's P-256 point, then the file. */
#include <stdlib.h>
#include <string.h>

#include "hf/wire/pubkey.h"
#include "hf/wire/takeover.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct hf_tuf_root root;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_takeover_policy policy = {.product = HF_LIT("lamp")};
  struct hf_takeover order;
  struct hf_takeover verified;
  struct hf_tuf_file file;
  struct hf_bytes product;
  struct hf_why why = {0};
  if (size < HF_P256_PUBLIC_LEN) {
    return 0;
  }
  uint8_t id[HF_SHA256_LEN];
  root.key_count = 1;
  root.role[HF_TUF_ROOT] = (struct hf_tuf_signers){.keys = 1, .threshold = 1};
  root.key[0].pub = (struct hf_pubkey){.type = HF_KEY_P256, .len = HF_P256_PUBLIC_LEN};
  memcpy(root.key[0].pub.at, data, HF_P256_PUBLIC_LEN);
  hf_pubkey_tuf_id(id, &root.key[0].pub);
  memcpy(root.key[0].id, id, HF_TUF_KEY_ID_LEN);
  struct hf_bytes text = hf_bytes_init(data + HF_P256_PUBLIC_LEN, size - HF_P256_PUBLIC_LEN);
  enum hf_err err = hf_takeover_parse(&order, &file, &product, text, &why);
  if ((err == HF_OK) != (why.rule == HF_RULE_NONE)) {
    abort(); /* every refusal says why */
  }
  if (err == HF_OK && !hf_takeover_server_check(hf_bytes_text(order.server))) {
    abort();
  }
  uint8_t room[HF_TAKEOVER_CA_MAX];
  struct hf_buf ca = hf_buf_init(room, sizeof room);
  if (err == HF_OK && hf_takeover_put_ca(&ca, &order) != HF_OK) {
    abort(); /* decoded it is never longer */
  }
  if (hf_takeover_verify(&verified, text, &root, &limits, &policy, NULL) == HF_ALLOW && err != HF_OK) {
    abort();
  }
  return 0;
}
