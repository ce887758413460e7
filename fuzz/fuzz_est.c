/* links: hf_server
 * SPDX-License-Identifier: Apache-2.0
 * Enrolment requests as they come from the network. An accepted one has a usable device id and a whole P-256 point. */
#include <stdint.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/codec/text.h"
#include "hf/server/est.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(struct hf_bytes body)
{
  struct hf_est_csr csr;
  struct hf_why why = {0};
  if (hf_est_parse(&csr, body, &why) == HF_OK) {
    HF_ASSERT(hf_names_check_device(hf_bytes_text(csr.device)));
    HF_ASSERT(csr.key.type == HF_KEY_P256 && csr.key.len == HF_P256_PUBLIC_LEN && csr.key.at[0] == 4);
    HF_ASSERT(why.rule == HF_RULE_NONE);
  } else {
    HF_ASSERT(why.rule != HF_RULE_NONE);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  judge(hf_bytes_init(data, size));
  /* Again as raw DER, so that the fuzzer does not have to learn base64 first. */
  uint8_t room[HF_EST_BODY_MAX];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  hf_base64_put(&text, hf_bytes_init(data, size));
  if (!text.failed) {
    judge(hf_buf_bytes(&text));
  }
  uint8_t reply[HF_EST_REPLY_MAX];
  struct hf_buf out = hf_buf_init(reply, sizeof reply);
  (void)(hf_est_encode_der(&out, hf_bytes_init(data, size)) == HF_OK);
  return 0;
}
