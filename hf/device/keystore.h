/* SPDX-License-Identifier: Apache-2.0
 * Where a device keeps its signed key set (hf/wire/keyset.h): two halves of an area of its own, one record each.
 *
 * The boot loader verifies the owners' signatures at every boot, so whoever can write the area can at most take a set
 * away; the lowest good version is in the boot record (hf/device/bootstate.h). A new set goes into the half that does
 * not hold the present one: after a power cut one of the two is there, whole. docs/spec/keyset.md.
 */
#ifndef HF_DEVICE_KEYSTORE_H
#define HF_DEVICE_KEYSTORE_H

#include "hf/device/port.h"
#include "hf/wire/keyset.h"

/** What is needed to read one. All borrowed. */
struct hf_keystore {
  const struct hf_area *area;            /**< two sectors at least, even, each half large enough for HF_KEYSET_MAX */
  const struct hf_keyset_owners *owners; /**< compiled in */
  struct hf_bytes product;               /**< empty: do not ask */
  uint32_t version_min;                  /**< below it no set is good */
};

/** Read the newest set that verifies. Writes nothing.
 * @param set    fills; its views borrow `room`
 * @param room   fills: HF_KEYSET_MAX bytes
 * @param half   fills: which half it is in; may be NULL
 * @param store  borrows
 * @param why    fills: why the newest that was refused was, also with HF_OK; may be NULL
 * @return HF_OK; HF_E_NOT_FOUND: there is none; HF_E_DENIED: there is one, and none verifies; HF_E_INPUT: impossible
 *         geometry; HF_E_IO
 * Boot loader and application; no heap; stack about 100 bytes beside the verifier's. */
HF_MUST enum hf_err hf_keystore_get(struct hf_keyset *set, uint8_t room[HF_KEYSET_MAX], uint8_t *half,
                                    const struct hf_keystore *store, struct hf_why *why);

/** Keep a set, if it verifies and is newer than the one that is kept. After HF_OK it is on the medium; after anything
 * else, or a power cut, the old or the new one is read back, whole.
 * @param file   borrows: the whole file; must not lie in `room`
 * @param room   changes: HF_KEYSET_MAX bytes of scratch
 * @return HF_OK, also when exactly this one is kept already; HF_E_DENIED: refused, see `why`; HF_E_INPUT; HF_E_IO */
HF_MUST enum hf_err hf_keystore_put(const struct hf_keystore *store, struct hf_bytes file, uint8_t room[HF_KEYSET_MAX],
                                    struct hf_why *why);

#endif
