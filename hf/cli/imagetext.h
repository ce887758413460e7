/* SPDX-License-Identifier: Apache-2.0
 * An image in words: every field, TLV by TLV, whole or broken, for a person or as JSON.
 */
#ifndef HF_CLI_IMAGETEXT_H
#define HF_CLI_IMAGETEXT_H

#include "hf/wire/image.h"

/** Largest image file the command line takes into memory. */
#define HF_IMAGE_FILE_MAX (256u << 20)

/** Print what a good image is, in six lines. `bytes` must parse. */
void hf_image_print_summary(const char *path, struct hf_bytes bytes, bool json);
/**
 * Explain any bytes as an image, up to the byte at which they stop making sense.
 * @return HF_OK: a whole image with a right hash; HF_E_INPUT: it is not, which the explanation says
 */
HF_MUST enum hf_err hf_image_explain(const char *path, struct hf_bytes bytes, bool json);

#endif
