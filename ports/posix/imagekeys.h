/* SPDX-License-Identifier: Apache-2.0
 * The keys a device accepts images from: DIR/image-keys.pem, public keys one after the other. On a microcontroller they
 * are compiled into the boot loader; here they are the part of the folder that stands for it.
 */
#ifndef HF_POSIX_IMAGEKEYS_H
#define HF_POSIX_IMAGEKEYS_H

#include "hf/wire/image.h"
#include "ports/posix/trouble.h"

#define HF_IMAGEKEYS_NAME "image-keys.pem"
/** Keys a device knows: the present one, the next one, and a few of the past. */
#define HF_IMAGEKEYS_MAX 8
#define HF_IMAGEKEYS_PEM_MAX 8192

struct hf_imagekeys {
  struct hf_pubkey key[HF_IMAGEKEYS_MAX];
  struct hf_image_keys keys; /**< borrows `key`: do not copy the struct */
};

/** Parse PEM `PUBLIC KEY` blocks, at least one; text between them is allowed as in any PEM file.
 * @return HF_OK; HF_E_INPUT: none, too many, or a broken one */
HF_MUST enum hf_err hf_imagekeys_parse(struct hf_imagekeys *keys, struct hf_bytes pem);

/** Read the keys of another file of the folder. */
HF_MUST enum hf_err hf_imagekeys_get_from(struct hf_imagekeys *keys, int folder, const char *name,
                                          struct hf_trouble *trouble);
/** Read DIR/image-keys.pem. */
HF_MUST enum hf_err hf_imagekeys_get(struct hf_imagekeys *keys, int folder, struct hf_trouble *trouble);

#endif
