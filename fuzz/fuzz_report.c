/* SPDX-License-Identifier: Apache-2.0
 * Version reports: what is accepted can be written again and reads the same. The signed form around it is opened
 * first, when it is one. */
#include <stdlib.h>

#include "hf/wire/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
  if (!holds) {
    abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  uint8_t room[HF_REPORT_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_bytes bytes = hf_bytes_init(data, size);
  struct hf_report_signed outer;
  struct hf_report report, again;
  struct hf_why why = {0};
  if (hf_report_open(&outer, bytes, NULL) == HF_OK) {
    bytes = outer.report;
  }
  enum hf_err err = hf_report_parse(&report, bytes, &why);
  must((err == HF_OK) == (why.rule == HF_RULE_NONE));
  if (err != HF_OK || hf_report_encode(&out, &report) != HF_OK) {
    return 0; /* a newer one may be longer than ours */
  }
  must(hf_report_parse(&again, hf_buf_bytes(&out), NULL) == HF_OK);
  must(again.counter == report.counter && again.component_count == report.component_count);
  must(again.secondary_count == report.secondary_count && again.attack == report.attack);
  return 0;
}
