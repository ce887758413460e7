/* SPDX-License-Identifier: Apache-2.0
 * The image keys in force on a POSIX device: those of DIR/image-keys.pem, or of the newest signed key set that the
 * owners in DIR/owner-keys.pem signed (hf/device/keystore.h). Both files stand for what is compiled into a boot loader.
 * The set lies in a part of the flash of its own; a device without owners, or without that part, takes no sets.
 */
#ifndef HF_POSIX_KEYCHEST_H
#define HF_POSIX_KEYCHEST_H

#include "hf/device/keystore.h"
#include "ports/posix/deviceconf.h"
#include "ports/posix/imagekeys.h"

#define HF_KEYCHEST_OWNERS "owner-keys.pem"

/** Do not copy: its parts point into each other. */
struct hf_keychest {
  struct hf_imagekeys keys;   /**< compiled in */
  struct hf_imagekeys owners; /**< count 0: this device takes no sets */
  struct hf_keyset_owners owner_set;
  struct hf_area area;
  char product[33];
  struct hf_keystore store;
  struct hf_keychain chain; /**< what counts; `chain.keys` */
};

/** Read the keys and load the set.
 * @param flash  borrows for the chest's life
 * @return HF_OK; HF_E_INPUT, HF_E_NOT_FOUND: a file is missing or broken, or fewer owners than `owners_needed` */
HF_MUST enum hf_err hf_keychest_open(struct hf_keychest *chest, int folder, const struct hf_deviceconf *conf,
                                     struct hf_flashfile *flash, struct hf_trouble *trouble);

/** Load the set again: what the application did to it counts from the next start on. */
void hf_keychest_load(struct hf_keychest *chest);

/** For struct hf_agent_config: NULL when the device takes no sets. */
const struct hf_keystore *hf_keychest_store(const struct hf_keychest *chest);

#endif
