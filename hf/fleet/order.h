/* SPDX-License-Identifier: Apache-2.0
 * A factory order: what one station may make, signed offline by the factory CA (docs/spec/factory.md).
 *
 * Pure: bytes and time in, a struct or a refusal out. Making one is hf/cli/cmd_order.c, obeying one hf/cli/station.h,
 * holding the station to it hf/fleet/batch.h and hf/server/factory.h.
 */
#ifndef HF_FLEET_ORDER_H
#define HF_FLEET_ORDER_H

#include "hf/wire/cert.h"
#include "hf/wire/cose.h"
#include "hf/wire/names.h"

/** Devices of one order: a batch record stays under 200 MB and a station's ledger in memory. */
#define HF_ORDER_QUOTA_MAX 100000
/** Longest id: "hfo-" and 16 hex digits, with room. */
#define HF_ORDER_ID_MAX 32
/** Longest address of the server. */
#define HF_ORDER_SERVER_MAX 256
/** Digits of the running number in a device id. */
#define HF_ORDER_DIGITS_MAX 12
/** How long after its end an order's batch record may come. */
#define HF_ORDER_GRACE_S (30 * 86400)
/** How wrong the clock of a station may be. */
#define HF_ORDER_SKEW_S 86400

/** Files that the station puts on devices; their names beside the order are fixed. */
enum hf_order_file {
  HF_ORDER_SERVER_CA,     /**< server-ca.crt */
  HF_ORDER_ROOT,          /**< root.json */
  HF_ORDER_DIRECTOR_ROOT, /**< director-root.json */
  HF_ORDER_IMAGE_KEY,     /**< image.pub */
  HF_ORDER_IMAGE,         /**< first.img */
  HF_ORDER_FILES
};

/** State of the debug port, and of read protection. Numbers are wire format. */
enum hf_factory_lock {
  HF_FACTORY_LOCK_UNKNOWN = 0,
  HF_FACTORY_LOCK_OPEN = 1,
  HF_FACTORY_LOCK_LOCKED = 2,
  HF_FACTORY_LOCK_ABSENT = 3, /**< there is no such port or memory */
  HF_FACTORY_LOCKS
};

/** Device ids of an order: prefix and a number of fixed width, from first to last. */
struct hf_order_serials {
  struct hf_bytes prefix;
  uint64_t first;
  uint64_t last;
  unsigned digits;
};

/** One file. */
struct hf_order_part {
  bool there;
  uint64_t length;
  uint8_t sha256[HF_SHA256_LEN];
};

/** An order. Views borrow the bytes it was read from. */
struct hf_order {
  struct hf_bytes id;
  struct hf_bytes product;
  struct hf_bytes hardware;
  struct hf_bytes server; /**< https address that devices get */
  uint64_t quota;         /**< devices */
  struct hf_order_serials serials;
  int64_t not_before;
  int64_t not_after;
  struct hf_pubkey station;   /**< P-256: who may obey it, and the key of the CA below */
  struct hf_bytes station_ca; /**< DER: signed by the factory CA, issues the factory certificates */
  struct hf_order_part file[HF_ORDER_FILES];
  struct hf_bytes version; /**< of the first software; empty: not demanded */
  bool has_image;
  uint8_t image[HF_SHA256_LEN]; /**< its MCUboot digest */
  bool debug_locked;            /**< the debug port must be locked or absent */
  bool readout_locked;          /**< so must be read-out of the program memory */
  uint32_t storages;            /**< bit n: key storage n of docs/shape.md is good enough; 0: any */
  bool has_boot_keys;
  uint8_t boot_keys[HF_SHA256_LEN]; /**< SHA-256 of the boot key set that must be on the device */
};

/** Append the payload. HF_E_SPACE; HF_E_INPUT: a member that hf_order_parse would refuse. */
HF_MUST enum hf_err hf_order_encode(struct hf_buf *out, const struct hf_order *order);
/** Read a payload, the whole input. HF_E_INPUT with why. */
HF_MUST enum hf_err hf_order_parse(struct hf_order *order, struct hf_bytes payload, struct hf_why *why);
/** Append the signed order. Errors as hf_order_encode and hf_cose_encode. */
HF_MUST enum hf_err hf_order_sign(struct hf_buf *out, const struct hf_order *order, struct hf_cose_signer signer);
/** Read a signed order and check that the factory CA signed it. */
HF_MUST enum hf_verdict hf_order_verify(struct hf_order *order, struct hf_bytes bytes,
                                        const struct hf_pubkey *factory_ca, struct hf_why *why);

/** "server-ca.crt": name of the file beside the order. Static. */
const char *hf_order_file_name(enum hf_order_file file);
/** "locked". Static. */
const char *hf_factory_lock_name(unsigned lock);

/** Read "SN-{0001-0500}". HF_E_INPUT. Borrows. */
HF_MUST enum hf_err hf_order_serials_parse(struct hf_order_serials *serials, struct hf_bytes text);
/** Append that text. */
void hf_order_serials_put(struct hf_buf *out, const struct hf_order_serials *serials);
/** Append the device id of a number. */
void hf_order_serials_put_id(struct hf_buf *out, const struct hf_order_serials *serials, uint64_t number);
/** Number of a device id. HF_E_INPUT: not of this range. */
HF_MUST enum hf_err hf_order_serials_number(uint64_t *number, const struct hf_order_serials *serials,
                                            struct hf_bytes device);

#endif
