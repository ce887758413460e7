/* SPDX-License-Identifier: Apache-2.0
 * The root of the image repository that is published now, as keys: what key sets and takeover orders are judged by. */
#ifndef HF_SERVER_REPOROOT_H
#define HF_SERVER_REPOROOT_H

#include "hf/server/core.h"
#include "hf/wire/tuf.h"

/** Read it from its file; it went through the client workflow when it was published. HF_E_IO. */
HF_MUST enum hf_err hf_reporoot_get(struct hf_tuf_root *root, struct hf_engine *engine);

#endif
