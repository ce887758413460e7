/* links: hf_fleet
 * SPDX-License-Identifier: Apache-2.0
 * Batch records and orders, as `holdfast factory import` gets them from a manufacturer. The first bytes choose nothing:
 * the input is the file. Signatures are not forged by a fuzzer, so the parts behind them are entered by themselves. */
#include <stdint.h>

#include "hf/base/assert.h"
#include "hf/fleet/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const struct hf_pubkey nobody = {.type = HF_KEY_P256, .len = HF_P256_PUBLIC_LEN, .at = {4}};
  struct hf_bytes input = hf_bytes_init(data, size);
  struct hf_batch batch;
  struct hf_batch_entry entry;
  struct hf_order order;
  struct hf_cose cose;
  struct hf_cert cert;
  struct hf_why why = {0};
  if (hf_order_parse(&order, input, &why) == HF_OK) {
    uint8_t room[HF_COSE_PAYLOAD_MAX];
    struct hf_buf out = hf_buf_init(room, sizeof room);
    HF_ASSERT(hf_order_encode(&out, &order) == HF_OK);
    HF_ASSERT(hf_bytes_equal(hf_buf_bytes(&out), input));
  } else {
    HF_ASSERT(why.rule != HF_RULE_NONE);
  }
  why = (struct hf_why){0};
  if (hf_cose_parse(&cose, input, &why) != HF_OK) {
    HF_ASSERT(why.rule != HF_RULE_NONE);
  }
  (void)!hf_cert_parse(&cert, input);
  why = (struct hf_why){0};
  if (hf_batch_open(&batch, input, &nobody, &why) != HF_ALLOW) {
    HF_ASSERT(why.rule != HF_RULE_NONE);
  }
  batch = (struct hf_batch){.bytes = input};
  enum hf_err err;
  do {
    size_t before = batch.at;
    err = hf_batch_next(&batch, &entry, &why);
    HF_ASSERT(batch.at <= size && (err != HF_OK || batch.at > before));
  } while (err == HF_OK);
  return 0;
}
