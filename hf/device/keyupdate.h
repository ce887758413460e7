/* SPDX-License-Identifier: Apache-2.0
 * A newer key set, fetched and kept: hf/device/keystore.h over a transport.
 *
 * A set under which the software that runs now would not boot again is refused: a fleet is never bricked by revoking
 * the key of what it runs. It is told to the server, which offers the set again after the next update.
 */
#ifndef HF_DEVICE_KEYUPDATE_H
#define HF_DEVICE_KEYUPDATE_H

#include "hf/device/keystore.h"

/** All borrowed. */
struct hf_keyupdate {
  const struct hf_transport *transport;
  const struct hf_keystore *store;
  const struct hf_image_keys *compiled;
  const struct hf_layout *layout; /**< whose running images must stay bootable */
  const uint8_t *running;         /**< slot of each running image; HF_SLOTS: that one was never installed */
  const char *path;               /**< "/repo/" when NULL */
};

/** Fetch the product's set of this version and keep it.
 * @param chain    changes: the new keys, with HF_OK; as before otherwise
 * @param update   borrows
 * @param version  of the set, as the server's answer says
 * @param work     changes: scratch, 2 * HF_KEYSET_MAX bytes at least
 * @param why      fills at refusal; may be NULL
 * @return HF_OK; HF_E_DENIED: refused, nothing changed; HF_E_AGAIN: network or server trouble; HF_E_IO; HF_E_INPUT */
HF_MUST enum hf_err hf_keyupdate_run(struct hf_keychain *chain, const struct hf_keyupdate *update, uint32_t version,
                                     struct hf_buf work, struct hf_why *why);

#endif
