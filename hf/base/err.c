/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/base/err.h"

const char *hf_err_name(enum hf_err err)
{
  switch (err) {
    case HF_OK: return "HF_OK";
    case HF_E_INPUT: return "HF_E_INPUT";
    case HF_E_SPACE: return "HF_E_SPACE";
    case HF_E_AGAIN: return "HF_E_AGAIN";
    case HF_E_IO: return "HF_E_IO";
    case HF_E_FULL: return "HF_E_FULL";
    case HF_E_NOT_FOUND: return "HF_E_NOT_FOUND";
    case HF_E_EXISTS: return "HF_E_EXISTS";
    case HF_E_STATE: return "HF_E_STATE";
    case HF_E_DENIED: return "HF_E_DENIED";
    case HF_E_VERSION: return "HF_E_VERSION";
    case HF_E_CRYPTO: return "HF_E_CRYPTO";
  }
  return "HF_E_?";
}
