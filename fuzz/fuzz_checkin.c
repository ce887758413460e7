/* SPDX-License-Identifier: Apache-2.0
 * Check-ins and answers from anywhere: first byte 0 a check-in, else an answer. What is accepted can be written again,
 * and reads the same. */
#include <stdlib.h>

#include "hf/wire/checkin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
  if (!holds) {
    abort();
  }
}

static void check_checkin(struct hf_bytes bytes)
{
  uint8_t first[HF_CHECKIN_MAX], second[HF_CHECKIN_MAX];
  struct hf_buf a = hf_buf_init(first, sizeof first), b = hf_buf_init(second, sizeof second);
  struct hf_checkin one, two;
  struct hf_why why = {0};
  enum hf_err err = hf_checkin_parse(&one, bytes, &why);
  must((err == HF_OK) == (why.rule == HF_RULE_NONE));
  if (err != HF_OK) {
    return;
  }
  must(hf_checkin_encode(&a, &one) == HF_OK);
  must(hf_checkin_parse(&two, hf_buf_bytes(&a), NULL) == HF_OK);
  must(hf_checkin_encode(&b, &two) == HF_OK);
  must(hf_bytes_equal(hf_buf_bytes(&a), hf_buf_bytes(&b)));
}

static void check_answer(struct hf_bytes bytes)
{
  uint8_t first[HF_CHECKIN_ANSWER_MAX], second[HF_CHECKIN_ANSWER_MAX];
  struct hf_buf a = hf_buf_init(first, sizeof first), b = hf_buf_init(second, sizeof second);
  struct hf_checkin_answer one, two;
  if (hf_checkin_answer_parse(&one, bytes, NULL) != HF_OK) {
    return;
  }
  must(hf_checkin_answer_encode(&a, &one) == HF_OK);
  must(hf_checkin_answer_parse(&two, hf_buf_bytes(&a), NULL) == HF_OK);
  must(hf_checkin_answer_encode(&b, &two) == HF_OK);
  must(hf_bytes_equal(hf_buf_bytes(&a), hf_buf_bytes(&b)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size > 0 && data[0] == 0) {
    check_checkin(hf_bytes_init(data + 1, size - 1));
  } else if (size > 0) {
    check_answer(hf_bytes_init(data + 1, size - 1));
  }
  return 0;
}
