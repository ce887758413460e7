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

/** What this device should run, in the order of installation. */
struct hf_uptane_plan {
  uint8_t count; /**< 0: the director asks for nothing */
  struct hf_uptane_item item[HF_UPTANE_ITEMS_MAX];
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
 * Judge the plan by the image repository: every item must be there with the same path, length and SHA-256; hardware
 * ids contain ours; product, component and counter equal; the version installed now within `from` (Uptane 5.4.4.2
 * step 10). All or none.
 * @param plan     changes: items completed and marked agreed, with HF_ALLOW only
 * @param targets  borrows: the image repository's targets file, verified by hf_tufclient
 */
HF_MUST enum hf_verdict hf_uptane_agree_verify(struct hf_uptane_plan *plan, const struct hf_tuf_file *targets,
                                               const struct hf_uptane_self *self, struct hf_why *why);
/** View of an item's path; borrows. */
struct hf_bytes hf_uptane_item_path(const struct hf_uptane_item *item);

#endif
