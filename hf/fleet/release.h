/* SPDX-License-Identifier: Apache-2.0
 * Releases as decisions see them: may this device take it, and if not at once, over which stepping stone.
 */
#ifndef HF_FLEET_RELEASE_H
#define HF_FLEET_RELEASE_H

#include "hf/base/bytes.h"
#include "hf/wire/version.h"

/** Components of a device (hf/wire/checkin.h). */
#define HF_RELEASE_PARTS_MAX 4
/** Releases of one product that are considered as stepping stones: the newest so many. */
#define HF_RELEASES_MAX 256
#define HF_RELEASE_HARDWARE_MAX 8
#define HF_RELEASE_ID_MAX 64
#define HF_RELEASE_NAME_MAX 32
#define HF_RELEASE_RANGE_MAX 96
/** What the images of a release require of each other, as text. */
#define HF_RELEASE_REQUIRES_MAX 512

/** One image of a release. */
struct hf_release_part {
  uint8_t name_len;
  char name[HF_RELEASE_NAME_MAX]; /**< component */
  uint32_t counter;
  uint8_t digest[32]; /**< of the image, as a device reports it */
};

/** A release. No pointers, may be copied. */
struct hf_release {
  struct hf_version version;
  bool security;
  uint8_t from_len;
  char from[HF_RELEASE_RANGE_MAX]; /**< range of versions it may be installed over */
  uint16_t hardware_len;
  char hardware[HF_RELEASE_HARDWARE_MAX * (HF_RELEASE_ID_MAX + 1)]; /**< blank-separated */
  uint16_t requires_len;
  char requires[HF_RELEASE_REQUIRES_MAX]; /**< "radio >=1.2.0 <2.0.0;modem *": component, range; empty: nothing */
  uint8_t part_count;
  struct hf_release_part part[HF_RELEASE_PARTS_MAX]; /**< in order of installation */
};

/** One component as a device runs it. Borrows. */
struct hf_release_running {
  struct hf_bytes name;
  struct hf_version version;
  uint32_t counter;
  uint8_t digest[32];
};
struct hf_release_device {
  struct hf_bytes hardware;
  uint8_t count;
  struct hf_release_running running[HF_RELEASE_PARTS_MAX];
};

enum hf_release_fit {
  HF_FIT_OFFER = 1, /**< offer it */
  HF_FIT_ALREADY,   /**< it runs every part of it */
  HF_FIT_NEWER,     /**< it runs a newer version: counters and versions never go down */
  HF_FIT_HARDWARE,  /**< not for this hardware, or it lacks a component */
  HF_FIT_COUNTER,   /**< its security counter is above the release's */
  HF_FIT_REQUIRES,  /**< another component does not have, and would not get, the version it requires */
  HF_FIT_PATH       /**< no chain of releases leads there from what it runs */
};

/** Does the release itself bring what its images require of components that are in it? Requirements on components that
 * are not in it are judged for each device. */
bool hf_release_requires_check(const struct hf_release *release);
/** Does the device run every part of the release, image for image? */
bool hf_release_runs(const struct hf_release *release, const struct hf_release_device *device);
/**
 * The next release on the shortest way to `target`, of several equally short the one with the highest version.
 * @param next      fills with an index into `releases` when HF_FIT_OFFER
 * @param releases  borrows; of one product, any order, at most HF_RELEASES_MAX
 * @param target    index of the wanted release
 */
enum hf_release_fit hf_release_next(size_t *next, const struct hf_release *releases, size_t count, size_t target,
                                    const struct hf_release_device *device);
/** Is `id` one of the blank-separated ids? */
bool hf_release_hardware_has(struct hf_bytes list, struct hf_bytes id);
/** A number that sorts as versions do (for databases, signed). */
int64_t hf_release_version_key(const struct hf_version *version);
/** "offer", "already", "newer", "hardware", "counter", "requires", "path". Static. */
const char *hf_release_fit_name(enum hf_release_fit fit);

#endif
