/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/fleet/cafile.h"

enum hf_err hf_cafile_name(char *out, size_t cap, const char *stem, unsigned number, const char *suffix)
{
  struct hf_buf text = hf_buf_init(out, cap);
  if (number < 1 || number > HF_CAFILE_MAX) {
    return HF_E_INPUT;
  }
  hf_buf_put_text(&text, stem);
  if (number > 1) {
    hf_buf_put_text(&text, "-");
    hf_buf_put_uint(&text, number);
  }
  hf_buf_put_text(&text, suffix);
  return hf_buf_terminate(&text);
}
