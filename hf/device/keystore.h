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

/** The keys that count on this device; 1.6 KB, static in a boot loader. */
struct hf_keychain {
  struct hf_image_keys keys; /**< for hf_image_verify, hf_boot_choose; borrows `set`, or what is compiled in */
  uint32_t version;          /**< of the set; 0: what is compiled in counts */
  struct hf_why why;         /**< why a set that is there was refused; rule KEYSET_LOST: there should be one */
  struct hf_keyset set;
  uint8_t room[HF_KEYSET_MAX];
};

/** Load the keys: the newest set's, if one verifies; else those compiled in, unless `store->version_min` says that
 * there was a set (a port with a hardware counter keeps the highest version in it): then none count and nothing boots.
 * @param chain     fills; do not copy: `keys` points into it
 * @param store     borrows; NULL: this device takes no sets
 * @param compiled  borrows
 * A flash that fails is as one without a set. Called before hf_boot_choose, and by the application at its start. */
void hf_keystore_load(struct hf_keychain *chain, const struct hf_keystore *store, const struct hf_image_keys *compiled);

#endif
