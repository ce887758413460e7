/* SPDX-License-Identifier: Apache-2.0
 * Versions as MCUboot's image header carries them, and ranges of them. Device and host.
 *
 * Not semantic versioning: there are no pre-releases, and the build number counts (docs/spec/version.md).
 */
#ifndef HF_WIRE_VERSION_H
#define HF_WIRE_VERSION_H

#include "hf/base/bytes.h"
#include "hf/base/why.h"

/** Longest text of a version: `255.255.65535+4294967295`. */
#define HF_VERSION_TEXT_MAX 24
/** Comparisons in one range: two bounds, and room to name a few single versions. */
#define HF_RANGE_MAX 8
/** Longest text of a range: that many comparisons with two-character operators and blanks between. */
#define HF_RANGE_TEXT_MAX (HF_RANGE_MAX * (HF_VERSION_TEXT_MAX + 3) - 1)

/** MCUboot's `struct image_version`. */
struct hf_version {
  uint8_t major;
  uint8_t minor;
  uint16_t revision;
  uint32_t build;
};

enum hf_range_op { HF_RANGE_EQ, HF_RANGE_GE, HF_RANGE_GT, HF_RANGE_LE, HF_RANGE_LT };

/** One comparison. Without a build number in its text it does not look at build numbers: `=1.2.0` holds for
 * `1.2.0+7`. */
struct hf_range_item {
  struct hf_version version;
  enum hf_range_op op;
  bool with_build;
};

/** Comparisons that must all hold; none at all is `*`, every version. */
struct hf_range {
  uint8_t count;
  struct hf_range_item items[HF_RANGE_MAX];
};

/**
 * Parse `MAJOR.MINOR[.REVISION][+BUILD]`, decimal without leading zeros.
 * @param version  fills
 * @param text     borrows; the whole text
 * @param why      fills at failure (VERSION_SHAPE, VERSION_NUMBER); may be NULL
 * @return HF_OK or HF_E_INPUT. Device, server; no heap.
 */
HF_MUST enum hf_err hf_version_parse(struct hf_version *version, struct hf_bytes text, struct hf_why *why);
/** Append `MAJOR.MINOR.REVISION`, and `+BUILD` when it is not 0: at most HF_VERSION_TEXT_MAX bytes. */
void hf_version_put(struct hf_buf *out, const struct hf_version *version);
/** Order by major, minor, revision, build: -1, 0, 1. */
int hf_version_order(const struct hf_version *a, const struct hf_version *b);

/**
 * Parse a range: `*`, or comparisons with `=`, `>=`, `>`, `<=`, `<`, one blank between each.
 * @param range  fills
 * @param text   borrows; the whole text
 * @param why    fills at failure (RANGE_SHAPE, RANGE_COUNT and the rules of versions); may be NULL
 * @return HF_OK or HF_E_INPUT. Device, server; no heap.
 */
HF_MUST enum hf_err hf_range_parse(struct hf_range *range, struct hf_bytes text, struct hf_why *why);
/** Append the one text form of a range: at most HF_RANGE_TEXT_MAX bytes. */
void hf_range_put(struct hf_buf *out, const struct hf_range *range);
/** Do all comparisons hold for this version? */
HF_MUST bool hf_range_check(const struct hf_range *range, const struct hf_version *version);

#endif
