/* SPDX-License-Identifier: Apache-2.0
 * The key that opens encrypted images: DIR/image-open.pem, one private P-256 key for all devices of a product. A folder
 * without it is a device that takes plain images only.
 */
#ifndef HF_POSIX_IMAGEOPEN_H
#define HF_POSIX_IMAGEOPEN_H

#include "hf/crypto/key.h"
#include "hf/wire/seal.h"
#include "ports/posix/trouble.h"

#define HF_IMAGEOPEN_NAME "image-open.pem"

struct hf_imageopen {
  struct hf_key *key; /**< owned; NULL: there is none */
  struct hf_seal_key seal_key;
  struct hf_seal_box box; /**< borrows the above: do not copy the struct */
};

/** Is this text such a key? HF_OK or HF_E_INPUT. */
HF_MUST enum hf_err hf_imageopen_check(struct hf_bytes pem);

/** Read DIR/image-open.pem; a folder without it is no error. Close with hf_imageopen_close. */
HF_MUST enum hf_err hf_imageopen_get(struct hf_imageopen *open, int folder, struct hf_trouble *trouble);
void hf_imageopen_close(struct hf_imageopen *open);

/** For struct hf_update_setup: NULL when there is no key. */
const struct hf_seal_box *hf_imageopen_box(const struct hf_imageopen *open);

#endif
