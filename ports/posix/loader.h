/* SPDX-License-Identifier: Apache-2.0
 * Handing over: the payload of a verified slot becomes a program that nobody can change any more.
 */
#ifndef HF_POSIX_LOADER_H
#define HF_POSIX_LOADER_H

#include "hf/device/boot.h"
#include "ports/posix/trouble.h"

/**
 * Copy the payload of an image from its slot into a sealed memory file, hashing header, payload and protected TLVs on
 * the way: what runs is what was verified, whatever became of the slot in between.
 * @param program  fills: a descriptor for fexecve, close-on-exec; owned by the caller
 * @param slot     borrows
 * @param info     borrows: of the verified image, from hf_boot_choose
 * @return HF_OK; HF_E_DENIED: the bytes are not the verified ones any more; HF_E_FULL: no memory; HF_E_IO
 */
HF_MUST enum hf_err hf_loader_open(int *program, const struct hf_area *slot, const struct hf_image_info *info,
                                   struct hf_trouble *trouble);

#endif
