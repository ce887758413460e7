/* SPDX-License-Identifier: Apache-2.0
 * Targets: one entry of a TUF targets file, and the custom data Holdfast puts into it: in the image repository (what an
 * image is and where it may go) and in the director's (what this device's component should run).
 *
 * Views borrow the JSON text. Names are written plainly: a name with a JSON escape in it is refused, so that a view
 * of the text is the name. docs/spec/target.md.
 */
#ifndef HF_WIRE_TARGET_H
#define HF_WIRE_TARGET_H

#include "hf/base/why.h"
#include "hf/codec/json.h"
#include "hf/crypto/crypto.h"
#include "hf/wire/version.h"

/** product/version/component.img at their longest is 94. */
#define HF_TARGET_PATH_MAX 96
/** Boards one target may list; images themselves carry at most HF_IMAGE_HARDWARE_MAX. */
#define HF_TARGET_HARDWARE_MAX 8
/** Other components one image may make demands on: a device has HF_UPTANE_ITEMS_MAX. */
#define HF_TARGET_REQUIRES_MAX 3
/** Slots and counters are 32 bits; no image is larger. */
#define HF_TARGET_LENGTH_MAX UINT32_MAX

/** One member of "targets": TUF's part. */
struct hf_target_file {
  struct hf_bytes path;
  uint32_t length;
  uint8_t sha256[HF_SHA256_LEN];
  struct hf_json custom; /**< the "custom" member; text.len 0 when absent */
};

/** What an image needs of another component of the same device. */
struct hf_target_require {
  struct hf_bytes component;
  struct hf_bytes range; /**< versions that will do, after the update or already installed */
};

/** custom.holdfast in the image repository. */
struct hf_target {
  struct hf_bytes product;
  struct hf_bytes component;
  struct hf_version version;
  struct hf_bytes from; /**< range of versions it may be installed over; "*" when absent */
  uint32_t counter;
  uint8_t image[HF_SHA256_LEN]; /**< MCUboot digest */
  uint8_t sbom[HF_SHA256_LEN];
  bool has_sbom;
  bool security;
  uint8_t place; /**< in the order of installation of its release, 0..HF_TARGET_REQUIRES_MAX; 0 is written as absent */
  uint8_t hardware_count; /**< 1..HF_TARGET_HARDWARE_MAX */
  struct hf_bytes hardware[HF_TARGET_HARDWARE_MAX];
  uint8_t requires_count;
  struct hf_target_require requires[HF_TARGET_REQUIRES_MAX]; /**< by component, ascending */
};

/** custom.holdfast in the director repository. */
struct hf_target_order {
  struct hf_bytes component;
  struct hf_bytes device;
  struct hf_bytes hardware;
  uint32_t counter;
  uint32_t order; /**< position in the all-or-none sequence, from 0 */
};

/**
 * Read the TUF part of an entry: length, SHA-256 (mandatory here), custom. Other hash algorithms are left alone.
 * @param file   fills; borrows `name` and `value`
 * @param name   the member's name in "targets"
 * @param value  its value
 * @param why    fills (rule only; offset 0); may be NULL
 * @return HF_OK or HF_E_INPUT (path with "..", empty parts, a leading slash or characters outside `A-Za-z0-9._+-/`)
 */
HF_MUST enum hf_err hf_target_file_parse(struct hf_target_file *file, struct hf_json name, struct hf_json value,
                                         struct hf_why *why);

/** Read custom.holdfast of an image repository target. HF_E_INPUT, with why (rule only). Unknown members are left
 * alone: they are under the signature. */
HF_MUST enum hf_err hf_target_parse(struct hf_target *target, struct hf_json custom, struct hf_why *why);
/** Read custom.holdfast of a director target. */
HF_MUST enum hf_err hf_target_order_parse(struct hf_target_order *order, struct hf_json custom, struct hf_why *why);

/** Append the whole value of a "targets" member: {"custom":{"holdfast":{...}},"hashes":{...},"length":n}. */
void hf_target_put(struct hf_buf *out, const struct hf_target *target, const struct hf_target_file *file);
void hf_target_order_put(struct hf_buf *out, const struct hf_target_order *order, const struct hf_target_file *file);

/** Append `<product>/<version>/<component>.img`. */
void hf_target_put_path(struct hf_buf *out, struct hf_bytes product, const struct hf_version *version,
                        struct hf_bytes component);
/** Append the path under `targets/` on the server: with consistent snapshots the hash prefixes the last part (TUF
 * section 5.7.3). */
void hf_target_put_url(struct hf_buf *out, struct hf_bytes path, const uint8_t sha256[HF_SHA256_LEN], bool consistent);
/** A path as above: 1..HF_TARGET_PATH_MAX, no empty part, no part made of dots, plain characters only? */
bool hf_target_path_check(struct hf_bytes path);

#endif
