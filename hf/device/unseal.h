/* SPDX-License-Identifier: Apache-2.0
 * Decrypting an image where it lies: for devices that run software directly from either slot.
 *
 * Boot loaders that move images decrypt on the way (hf/device/swap.h). Here nothing moves, so the update client does
 * it, between the download and the staging. A power cut in the middle leaves a slot that verifies as nothing; the
 * caller has forgotten its download before it began. docs/spec/update.md.
 */
#ifndef HF_DEVICE_UNSEAL_H
#define HF_DEVICE_UNSEAL_H

#include "hf/device/port.h"
#include "hf/wire/seal.h"

/** Decrypt the payload in place, sector by sector; an image that is not encrypted is left alone.
 * @param area    borrows; holds the image from its start
 * @param box     borrows; NULL: encrypted images are refused
 * @param work    fills; one sector at least
 * @param why     fills at refusal: rules 140-142; may be NULL
 * @return HF_OK; HF_E_DENIED, HF_E_INPUT: not for this device, or malformed: nothing was changed; HF_E_SPACE: a sector
 * is larger than `work`; HF_E_CRYPTO; HF_E_IO */
HF_MUST enum hf_err hf_unseal_area(const struct hf_area *area, const struct hf_seal_box *box, struct hf_buf *work,
                                   struct hf_why *why);

#endif
