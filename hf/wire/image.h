/* SPDX-License-Identifier: Apache-2.0
 * Firmware images: MCUboot image format 2.4: header, payload, protected TLVs, TLVs.
 *
 * Parsing and verification read through a random-access source (flash, file, memory) and need no heap: an image is
 * never in memory whole. Nothing here chooses a slot or boots: that is hf/device/boot.h. Format and Holdfast's own
 * vendor TLVs: docs/spec/image.md.
 */
#ifndef HF_WIRE_IMAGE_H
#define HF_WIRE_IMAGE_H

#include "hf/base/why.h"
#include "hf/crypto/crypto.h"
#include "hf/wire/version.h"

#define HF_IMAGE_MAGIC UINT32_C(0x96f3b83d)
#define HF_IMAGE_HEADER_LEN 32
#define HF_IMAGE_TLV_INFO 0x6907
#define HF_IMAGE_TLV_INFO_PROTECTED 0x6908

/** Each TLV area: a key hash, digest, signature and a dozen protected entries fill a quarter of it. */
#define HF_IMAGE_TLVS_MAX 2048
/** Header with padding: vector table alignment of the largest Cortex-M is 2 KiB; MCUboot users pad up to 4 KiB. */
#define HF_IMAGE_HEADER_MAX 4096
/** A device has at most four components (hf/wire/checkin.h), so an image cannot depend on more than four others. */
#define HF_IMAGE_DEPENDENCIES_MAX 4
/** Boards one binary runs on. */
#define HF_IMAGE_HARDWARE_MAX 4
/** Longest product or component name, longest hardware id. */
#define HF_IMAGE_NAME_MAX 32
#define HF_IMAGE_HARDWARE_LEN_MAX 64
/** Value of the TLV with an encrypted image's key: point, HMAC, AES key. */
#define HF_IMAGE_SEAL_MAX (HF_P256_PUBLIC_LEN + HF_SHA256_LEN + 32)
/** Bytes hashed per read: one flash page of most parts; on the stack. */
#define HF_IMAGE_CHUNK 256

/** TLV types. 0x48A0.. is Holdfast's part of the vendor range 0x..A0-0x..FF. */
enum hf_image_tlv {
  HF_TLV_KEY_HASH = 0x01,
  HF_TLV_PUBLIC_KEY = 0x02,
  HF_TLV_SHA256 = 0x10,
  HF_TLV_ECDSA = 0x22,
  HF_TLV_ED25519 = 0x24,
  HF_TLV_SEAL_P256 = 0x32, /**< ECIES-P256 around the key of an encrypted payload (hf/wire/seal.h) */
  HF_TLV_DEPENDENCY = 0x40,
  HF_TLV_COUNTER = 0x50,
  HF_TLV_PRODUCT = 0x48a0,   /**< protected; text */
  HF_TLV_COMPONENT = 0x48a1, /**< protected; text */
  HF_TLV_HARDWARE = 0x48a2,  /**< protected; text; may repeat */
  HF_TLV_SBOM = 0x48a3       /**< protected; SHA-256 of the SBOM file */
};

enum hf_image_flag {
  HF_IMAGE_PIC = 0x1,
  HF_IMAGE_AES128 = 0x4,
  HF_IMAGE_AES256 = 0x8,
  HF_IMAGE_ENCRYPTED = HF_IMAGE_AES128 | HF_IMAGE_AES256,
  HF_IMAGE_NON_BOOTABLE = 0x10,
  HF_IMAGE_RAM_LOAD = 0x20,
  HF_IMAGE_ROM_FIXED = 0x100,
  HF_IMAGE_COMPRESSED = 0x200 | 0x400 | 0x800
};

/** Where an image is read from. `size` is the room that holds it (slot or file): no length inside may lead past it. */
struct hf_image_source {
  /** Fill `out` with `len` bytes from offset `at`; never asked for bytes past `size`. Not HF_OK: the medium failed. */
  enum hf_err (*read)(void *ctx, uint32_t at, void *out, uint32_t len);
  void *ctx;
  uint32_t size;
};

/** A source over memory; borrows `bytes` (the pointed-to view itself, too) for its life. */
struct hf_image_source hf_image_source_init(const struct hf_bytes *bytes);

/** A short text of an image. */
struct hf_image_text {
  uint8_t len; /**< 0: absent */
  char at[HF_IMAGE_HARDWARE_LEN_MAX];
};

/** Image number `image` must have at least `version`. */
struct hf_image_dependency {
  uint8_t image;
  struct hf_version version;
};

/** What an image says of itself. Nothing in it is to be believed before hf_image_verify. About 780 bytes. */
struct hf_image_info {
  struct hf_version version;
  uint32_t load_addr;
  uint32_t flags;      /**< of enum hf_image_flag */
  uint32_t header_len; /**< offset of the payload */
  uint32_t payload_len;
  uint32_t protected_len; /**< protected TLV area with its info header; 0 when there is none */
  uint32_t signed_len;    /**< bytes under the digest: header, payload, protected TLVs */
  uint32_t total_len;     /**< whole image with all TLVs */
  uint8_t digest[HF_SHA256_LEN];
  uint8_t key_hash[HF_SHA256_LEN];
  bool has_key_hash;
  bool has_counter;
  bool has_sbom;
  enum hf_key_type sig_type; /**< HF_KEY_NONE: not signed */
  uint8_t sig_len;
  uint8_t sig[HF_SIG_MAX];
  uint8_t seal_len; /**< 0: no key of an encrypted payload is there */
  uint8_t seal[HF_IMAGE_SEAL_MAX];
  uint32_t counter;
  uint8_t sbom[HF_SHA256_LEN];
  struct hf_image_text product;
  struct hf_image_text component;
  uint8_t hardware_count;
  struct hf_image_text hardware[HF_IMAGE_HARDWARE_MAX];
  uint8_t dependency_count;
  struct hf_image_dependency dependency[HF_IMAGE_DEPENDENCIES_MAX];
};

/** Keys an image may be signed with; boot holds the array. */
struct hf_image_keys {
  const struct hf_pubkey *key; /**< borrows */
  size_t count;
  uint32_t revoked; /**< bit i set: key[i] signs nothing any more; at most 32 keys */
};

/** What the device demands of an image beyond a good signature. */
struct hf_image_policy {
  struct hf_bytes hardware;  /**< own hardware id, must be in the image; empty: do not ask (MCUboot images) */
  struct hf_bytes component; /**< of the slot the image is in or for, must be the image's; empty: do not ask */
  uint32_t counter_min;      /**< the image's security counter must not be lower; a missing one counts as too low,
                                  unless `counter_optional` */
  bool counter_optional;     /**< accept an image without security counter while counter_min is 0 */
  bool opened;               /**< accept an image flagged as encrypted: the source shows its plain payload
                                  (hf/wire/seal.h), or the slot holds it decrypted */
};

/**
 * Read header and TLV areas. Checks every length against the source before anything is hashed, so a corrupt length
 * cannot keep a device busy (MCUboot issue 2025). Reads no payload.
 * @param info    fills
 * @param source  borrows
 * @param why     fills at refusal: rule 100-199, offset into the image; may be NULL
 * @return HF_OK; HF_E_INPUT: not a well-formed image; else what the source's read returned (HF_E_IO)
 * Boot, device, server; no heap. Source: MCUboot docs/design.md, image format.
 */
HF_MUST enum hf_err hf_image_parse(struct hf_image_info *info, const struct hf_image_source *source,
                                   struct hf_why *why);

/**
 * Is this image whole, signed by a key of ours that is not revoked, and allowed by the policy?
 * Parses, hashes (SHA-256 over header, payload and protected TLVs), compares, finds the key by its hash, verifies
 * ECDSA over the digest or Ed25519 over the 32 digest bytes, then asks the policy.
 * @param info    fills as hf_image_parse does; to be believed only with HF_ALLOW
 * @param source  borrows
 * @param keys    borrows
 * @param policy  borrows
 * @param why     fills at refusal (rule 100-199; IMAGE_READ when the medium failed); may be NULL
 * @return HF_ALLOW or HF_DENY. Stack about 700 bytes beside the crypto back end's.
 */
HF_MUST enum hf_verdict hf_image_verify(struct hf_image_info *info, const struct hf_image_source *source,
                                        const struct hf_image_keys *keys, const struct hf_image_policy *policy,
                                        struct hf_why *why);

/** The digest over the signed part as stored now: compare with `info->digest` to tell rot from forgery. */
HF_MUST enum hf_err hf_image_hash(uint8_t out[HF_SHA256_LEN], const struct hf_image_info *info,
                                  const struct hf_image_source *source);

/** Are these dependencies met by the images that would boot together?
 * @param dependency  borrows `count` of them, of one image
 * @param set         borrows HF_IMAGE_DEPENDENCIES_MAX: the version of each image by its number; NULL: not there
 * @return HF_RULE_NONE; IMAGE_NEEDS_0 to IMAGE_NEEDS_3: that image is missing or too old; IMAGE_NEEDS_OTHER: no device
 *         has an image of that number
 * Boot, device, server; no heap. Source: MCUboot docs/design.md, dependency check. */
HF_MUST uint16_t hf_image_dependencies_check(const struct hf_image_dependency *dependency, uint8_t count,
                                             const struct hf_version *const set[HF_IMAGE_DEPENDENCIES_MAX]);

/** Does the image name this hardware id? */
bool hf_image_info_has_hardware(const struct hf_image_info *info, struct hf_bytes hardware);
/** View of a short text; borrows. */
struct hf_bytes hf_image_text_bytes(const struct hf_image_text *text);

/* ---- the signing side; hosts ---- */

/** What goes around a payload. All views borrowed. */
struct hf_image_build {
  struct hf_version version;
  uint32_t load_addr;
  uint32_t flags;
  uint32_t header_len; /**< 32..HF_IMAGE_HEADER_MAX; the rest up to the payload is zeros; 0 means 32 */
  bool has_counter;
  uint32_t counter;
  struct hf_bytes product; /**< empty: TLV absent; so for the next two */
  struct hf_bytes component;
  struct hf_bytes sbom; /**< 32 bytes */
  struct hf_bytes hardware[HF_IMAGE_HARDWARE_MAX];
  uint8_t hardware_count;
  struct hf_image_dependency dependency[HF_IMAGE_DEPENDENCIES_MAX];
  uint8_t dependency_count;
  const struct hf_pubkey *encrypt_for; /**< P-256 key of the devices that can open the image; NULL: not encrypted */
  bool aes256;                         /**< with encrypt_for: AES-256 instead of AES-128 */
};

/** Signs a digest: hf_key_sign_digest behind a context, or a token. Appends at most HF_SIG_MAX bytes. */
struct hf_image_signer {
  struct hf_pubkey pub;
  enum hf_err (*sign)(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN]);
  void *ctx;
};

/** Room an image needs beyond its payload: header and both TLV areas at their largest. */
#define HF_IMAGE_OVERHEAD_MAX (HF_IMAGE_HEADER_MAX + HF_IMAGE_TLVS_MAX + HF_IMAGE_TLVS_MAX)

/**
 * Build a signed image around a payload.
 * @param out      appends the whole image; must be empty; cap payload.len + HF_IMAGE_OVERHEAD_MAX always suffices
 * @param build    borrows
 * @param payload  borrows
 * @param signer   borrows
 * @return HF_OK; HF_E_INPUT: a name too long, too many of something, flags that need encryption or compression;
 *         HF_E_SPACE; or what the signer returned. The result parses and verifies, or it is not returned.
 */
HF_MUST enum hf_err hf_image_sign(struct hf_buf *out, const struct hf_image_build *build, struct hf_bytes payload,
                                  const struct hf_image_signer *signer);

#endif
