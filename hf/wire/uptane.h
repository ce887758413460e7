/* SPDX-License-Identifier: Apache-2.0
 * Uptane (standard 2.1): what is special about the director repository, and the agreement of director and image
 * repository without which nothing is installed.
 *
 * Both repositories have gone through hf/wire/tufclient.h before. The plan holds copies, so that one metadata buffer
 * serves both repositories in turn. Downloading and installing is hf/device/update.h. docs/spec/uptane.md.
 */
#ifndef HF_WIRE_UPTANE_H
#define HF_WIRE_UPTANE_H

#include "hf/wire/target.h"
#include "hf/wire/tuf.h"

/** Components of one device (hf/wire/checkin.h says the same). */
#define HF_UPTANE_ITEMS_MAX 4
/** Comparisons (`>=1.2.0` is one) that the images of one plan may ask of each other: room in the plan. */
#define HF_UPTANE_NEEDS_MAX 8

/** What one component of this device runs now. Views borrowed. */
struct hf_uptane_installed {
  struct hf_bytes component;
  struct hf_bytes hardware;
  struct hf_version version;
  uint32_t counter; /**< the device's counter: an image below it is refused */
};

/** Who is asking. */
struct hf_uptane_self {
  struct hf_bytes device;
  struct hf_bytes product;
  const struct hf_uptane_installed *installed;
  size_t count;
};

/** One component's order: from the director, then completed by the image repository. */
struct hf_uptane_item {
  char path[HF_TARGET_PATH_MAX];
  uint8_t path_len;
  uint8_t component; /**< index into self->installed */
  bool agreed;       /**< the image repository says the same; only then may it be installed */
  bool has_sbom;
  bool security;
  uint32_t order;
  uint32_t length;
  uint32_t counter;
  uint8_t sha256[HF_SHA256_LEN];
  uint8_t image[HF_SHA256_LEN]; /**< MCUboot digest, once agreed; so for what follows */
  uint8_t sbom[HF_SHA256_LEN];
  struct hf_version version;
};

/** One comparison that the set after the update must pass. */
struct hf_uptane_need {
  uint8_t component; /**< index into self->installed */
  struct hf_range_item compare;
};

/** What this device should run, in the order of installation. */
struct hf_uptane_plan {
  uint8_t count; /**< 0: the director asks for nothing */
  struct hf_uptane_item item[HF_UPTANE_ITEMS_MAX];
  uint8_t need_count;
  struct hf_uptane_need need[HF_UPTANE_NEEDS_MAX];
};

/**
 * Judge the director's targets file: bound to this device, no delegations, each component at most once and one of
 * ours, hardware id ours, counter not lower than the device's (Uptane 5.4.4.6; also for an empty file).
 * @param plan       fills; items sorted by `order`, none agreed yet
 * @param targets    borrows: the director's targets file, verified by hf_tufclient
 * @param self       borrows
 * @param why        fills, rule 400-499; may be NULL
 */
HF_MUST enum hf_verdict hf_uptane_director_verify(struct hf_uptane_plan *plan, const struct hf_tuf_file *targets,
                                                  const struct hf_uptane_self *self, struct hf_why *why);
/**
 * Judge one item by what the search in the image repository found under its path, in the top-level targets or in a
 * delegated role (Uptane 5.4.4.2 step 10): same length and SHA-256; hardware ids contain ours (5.4.4.7); product,
 * component and counter equal; the version installed now within `from`. Its demands on other components are noted.
 * @param plan     changes: the item completed, not yet agreed
 * @param i        which item
 * @param file     borrows: found under the item's path, in metadata that hf_tufclient verified
 * @param why      fills, rule 300-499, offset 0; may be NULL
 */
HF_MUST enum hf_verdict hf_uptane_item_verify(struct hf_uptane_plan *plan, size_t i, const struct hf_target_file *file,
                                              const struct hf_uptane_self *self, struct hf_why *why);
/**
 * After every item passed hf_uptane_item_verify: would the set that results, installed and ordered, satisfy what each
 * ordered image demands of the others? All or none.
 * @param plan  changes: every item marked agreed, with HF_ALLOW only
 */
HF_MUST enum hf_verdict hf_uptane_plan_verify(struct hf_uptane_plan *plan, const struct hf_uptane_self *self,
                                              struct hf_why *why);
/** Does this hardware id occur in the target's list? For a search that must match it too (Uptane 5.4.4.7). */
bool hf_uptane_has_hardware(const struct hf_target *target, struct hf_bytes hardware);
/**
 * Both of these for a repository without delegations, whose targets file is at hand: every item must be there with the
 * same path, length and SHA-256; hardware ids contain ours; product, component and counter equal; the version installed
 * now within `from` (Uptane 5.4.4.2 step 10). All or none.
 * @param plan     changes: items completed and marked agreed, with HF_ALLOW only
 * @param targets  borrows: the image repository's targets file, verified by hf_tufclient
 */
HF_MUST enum hf_verdict hf_uptane_agree_verify(struct hf_uptane_plan *plan, const struct hf_tuf_file *targets,
                                               const struct hf_uptane_self *self, struct hf_why *why);
/** Is a director's targets file bound to this device (signed.custom.holdfast.device)? */
bool hf_uptane_is_bound(const struct hf_tuf_file *targets, struct hf_bytes device);
/** The key that signs the server's time, from a verified director's targets file (signed.custom.holdfast.time: the
 * uncompressed P-256 point in hex). False when it names none. docs/spec/time.md.
 * @param key  fills */
bool hf_uptane_time_key(struct hf_pubkey *key, const struct hf_tuf_file *targets);
/** View of an item's path; borrows. */
struct hf_bytes hf_uptane_item_path(const struct hf_uptane_item *item);

#endif
