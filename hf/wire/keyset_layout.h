/* SPDX-License-Identifier: Apache-2.0
 * What the reader and the writer of key sets share; nobody else includes it. */
#ifndef HF_WIRE_KEYSET_LAYOUT_H
#define HF_WIRE_KEYSET_LAYOUT_H

#include "hf/wire/keyset.h"

#define HF_KEYSET_MAGIC "HFKS"
#define HF_KEYSET_FORMAT 1
#define HF_KEYSET_REVOKED 0x01
#define HF_KEYSET_SIG_LEN (HF_KEYSET_ID_LEN + 1 + HF_SIG_MAX)

struct hf_keyset_sig {
  struct hf_bytes id;
  struct hf_bytes sig;
  struct hf_bytes padding;
};

/** The next signature; `sig` is empty when its length is impossible. */
struct hf_keyset_sig hf_keyset_next_sig(struct hf_cursor *cur);

#endif
