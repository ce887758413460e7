/* SPDX-License-Identifier: Apache-2.0
 * A flash in a plain file, with the rules of NOR flash enforced, so that device code that works here does not fail on
 * a part that cannot turn a 0 into a 1. One process tree at a time: the file is locked while it is open.
 */
#ifndef HF_POSIX_FLASHFILE_H
#define HF_POSIX_FLASHFILE_H

#include "hf/device/port.h"
#include "ports/posix/trouble.h"

#define HF_FLASHFILE_ERASED 0xff
/** Smallest erase the port offers: the page of common NOR parts. */
#define HF_FLASHFILE_SECTOR_MIN 512
/** One flash file of all parts; more is a mistake in a settings file. */
#define HF_FLASHFILE_SIZE_MAX (256u << 20)

/** Sizes in bytes of the parts, in the order in which they lie in the file. All multiples of `sector`. */
struct hf_flashfile_geometry {
  uint32_t sector;
  uint32_t align; /**< 1, 4, 8 or 16 */
  uint32_t boot;
  uint32_t store;
  uint32_t slot; /**< of each of the two */
  uint32_t keys; /**< of the signed key sets' part, behind all others; 0: there is none */
};

/** An open flash. Caller's memory; the descriptor is owned. */
struct hf_flashfile {
  int fd;
  uint32_t size;
  uint32_t sector;
  uint32_t align;
  bool durable; /**< fdatasync after every change */
};

/** How to open: a process that only looks takes no lock and cannot write. */
enum hf_flashfile_mode { HF_FLASHFILE_LOOK, HF_FLASHFILE_OWN };

/** Which file, and how careful. */
struct hf_flashfile_place {
  int folder;       /**< directory descriptor, borrowed */
  const char *name; /**< borrows: inside the folder */
  bool durable;     /**< fdatasync after every change; false trades power-cut safety of the host for speed */
};

extern const struct hf_flash_ops hf_flashfile_ops;

/** Check the sizes against each other: powers of two where needed, whole sectors, bounded sum. */
HF_MUST enum hf_err hf_flashfile_check(const struct hf_flashfile_geometry *geometry, struct hf_trouble *trouble);

/** Bytes of the whole file. The geometry has passed hf_flashfile_check. */
uint32_t hf_flashfile_size(const struct hf_flashfile_geometry *geometry);

/** Make an erased flash file of this geometry. HF_E_EXISTS when there is one: a flash is never overwritten. */
HF_MUST enum hf_err hf_flashfile_create(const struct hf_flashfile_place *place,
                                        const struct hf_flashfile_geometry *geometry, struct hf_trouble *trouble);

/**
 * Open a flash file.
 * @param flash     fills; close with hf_flashfile_close, borrowed by every hf_area made from it
 * @param place     borrows
 * @param geometry  borrows
 * @return HF_OK; HF_E_NOT_FOUND; HF_E_STATE when another process owns it; HF_E_INPUT when its size is not the
 *         geometry's; HF_E_DENIED; HF_E_IO
 */
HF_MUST enum hf_err hf_flashfile_open(struct hf_flashfile *flash, const struct hf_flashfile_place *place,
                                      const struct hf_flashfile_geometry *geometry, enum hf_flashfile_mode mode,
                                      struct hf_trouble *trouble);

/** Does some process own this flash now? */
bool hf_flashfile_owned(const struct hf_flashfile_place *place);

/** Take over a descriptor that the parent process opened and locked; the lock stays. Owns `fd` on HF_OK. */
HF_MUST enum hf_err hf_flashfile_adopt(struct hf_flashfile *flash, int fd,
                                       const struct hf_flashfile_geometry *geometry);

void hf_flashfile_close(struct hf_flashfile *flash);

/** The part of the signed key sets; size 0 when there is none. Borrows the flash. */
struct hf_area hf_flashfile_keys(struct hf_flashfile *flash, const struct hf_flashfile_geometry *geometry);

/** The parts of the flash; borrows it. */
void hf_flashfile_layout(struct hf_layout *layout, struct hf_flashfile *flash,
                         const struct hf_flashfile_geometry *geometry);

#endif
