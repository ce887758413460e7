/* SPDX-License-Identifier: Apache-2.0
 * Two small repositories, signed for real: images, image repository and director, served by a simworld. For tests.
 */
#ifndef PORTS_SIM_SIMREPO_H
#define PORTS_SIM_SIMREPO_H

#include "hf/crypto/key.h"
#include "hf/wire/image.h"
#include "hf/wire/tufwrite.h"
#include "ports/sim/simworld.h"

#define SIMREPO_IMAGES_MAX 12
#define SIMREPO_BLOBS_MAX 128
#define SIMREPO_PRODUCT "thermostat"
#define SIMREPO_COMPONENT "main"
#define SIMREPO_HARDWARE "thermo-a"
/** The second component, on the same board. */
#define SIMREPO_RADIO "radio"
#define SIMREPO_RADIO_HARDWARE SIMREPO_HARDWARE
#define SIMREPO_DEVICE "T-0001"
/** No order: the director wants nothing. */
#define SIMREPO_NOTHING (-1)

/** An image and what the release says about it. */
struct simrepo_image {
  const char *version;
  const char *from;      /**< NULL: "*" */
  const char *hardware;  /**< NULL: SIMREPO_HARDWARE */
  const char *component; /**< NULL: SIMREPO_COMPONENT */
  const char *requires;  /**< range of the other component's versions; NULL: any */
  uint32_t counter;
  uint32_t payload_len;
  bool security;
  uint32_t told_counter;   /**< what the metadata says instead of `counter`; 0: the truth */
  bool unsigned_key;       /**< signed with a key the device does not know */
  struct hf_key *seal_for; /**< encrypted for this key; NULL: plain */
  /* filled by simrepo_add */
  struct hf_bytes file;
  struct hf_bytes plain; /**< as it runs: `file`, decrypted */
  struct hf_image_info info;
  uint8_t sha256[HF_SHA256_LEN];
};

struct simrepo {
  struct hf_key *root, *targets, *online, *director, *image, *stranger;
  struct hf_key *root2, *targets2; /**< simrepo_init_pairs: both of two must sign; else NULL */
  struct hf_key *timestamp;        /**< of the image repository; NULL: `online` */
  struct hf_pubkey image_pub;
  struct hf_image_keys image_keys;
  struct simrepo_image images[SIMREPO_IMAGES_MAX];
  int count;
  int64_t now;           /**< of simrepo_init */
  uint32_t root_version; /**< of the image repository; keys of `online` change with it */
  uint32_t director_root_version;
  uint32_t image_version; /**< targets, snapshot and timestamp rise together */
  uint32_t director_version;
  int64_t offline_expires; /**< image targets; 0: one year after the time of publishing */
  int64_t online_expires;  /**< timestamp and snapshot; 0: one day */
  struct hf_bytes image_root, director_root;
  void *blob[SIMREPO_BLOBS_MAX]; /**< owned */
  size_t blobs;
};

/** Make keys and first roots. Exits on failure: it is a test. */
void simrepo_init(struct simrepo *repo, int64_t now);
/** The same where root and image targets need two signatures each, and the timestamp has a key of its own. */
void simrepo_init_pairs(struct simrepo *repo, int64_t now);
void simrepo_free(struct simrepo *repo);
/** Build, sign and list an image; returns its index. */
int simrepo_add(struct simrepo *repo, struct simrepo_image image);
/** Sign image repository metadata over all images and serve it, the images and the roots. */
void simrepo_publish(struct simrepo *repo, struct simworld *world, int64_t now);
/** New snapshot and timestamp of the image repository around a targets file that was signed before, as who holds only
 * the online keys can make them: signed as version `repo->image_version`. */
void simrepo_resign(struct simrepo *repo, struct simworld *world, struct hf_bytes targets, uint32_t targets_version);
/** Sign a director order for an image, or for nothing, and serve it. `device` NULL: SIMREPO_DEVICE. */
void simrepo_order(struct simrepo *repo, struct simworld *world, int image, const char *device, int64_t now);
/** The same for several images, installed in this order; `time`: the time key to name, or NULL. */
void simrepo_order_set(struct simrepo *repo, struct simworld *world, const int *images, size_t count,
                       const struct hf_pubkey *time);
/** New online keys in a new root of the image repository; publish again afterwards. */
void simrepo_rotate(struct simrepo *repo, struct simworld *world, int64_t now);
/** A new director key in a new root of the director repository; order again afterwards. */
void simrepo_rotate_director(struct simrepo *repo, struct simworld *world, int64_t now);

#endif
