/* SPDX-License-Identifier: Apache-2.0
 * Encrypted images as MCUboot defines them: ECIES on P-256 around an AES key, AES-CTR over the payload.
 *
 * Header and TLVs stay readable; digest and signature are over the plain payload, so an image is verified after it was
 * opened. Here are the key's TLV, and a source that decrypts what is read through it. Who moves or stores images is
 * hf/device/swap.h and hf/device/update.h. docs/spec/image.md.
 */
#ifndef HF_WIRE_SEAL_H
#define HF_WIRE_SEAL_H

#include "hf/wire/image.h"

#define HF_SEAL_KEY_MAX 32

/** The key of one image, and what it covers. Wipe after use. */
struct hf_seal {
  uint8_t key_len; /**< 16 or 32; 0: the image is not encrypted */
  uint8_t key[HF_SEAL_KEY_MAX];
  uint32_t header_len; /**< offset of the payload */
  uint32_t payload_len;
};

/** How a device opens encrypted images. */
struct hf_seal_ops {
  const char *name;
  uint32_t version; /**< of this table: 1 */
  /** Find the image's key.
   * @param seal  fills; key_len 0 when the image is not flagged as encrypted
   * @param info  borrows; parsed, not yet verified
   * @param why   fills at refusal; may be NULL
   * @return HF_OK; HF_E_DENIED: not for this device's key, or damaged; HF_E_INPUT: malformed; HF_E_CRYPTO */
  enum hf_err (*open)(void *ctx, struct hf_seal *seal, const struct hf_image_info *info, struct hf_why *why);
  /** Encrypt or decrypt (it is the same) image bytes in place; what lies outside the payload stays as it is.
   * @param at  offset of the first byte in the image */
  enum hf_err (*crypt)(const struct hf_seal *seal, uint32_t at, uint8_t *data, uint32_t len);
};

/** Table and context; borrowed. */
struct hf_seal_box {
  const struct hf_seal_ops *ops;
  void *ctx;
};

/** The device's private key behind a function: a file, a secure element. Context of hf_seal_p256_ops. */
struct hf_seal_key {
  /** ECDH on P-256 (NIST SP 800-56A 5.7.1.2): the x coordinate. HF_E_INPUT: not a point; HF_E_CRYPTO. */
  enum hf_err (*agree)(void *ctx, uint8_t secret[32], const uint8_t point[HF_P256_PUBLIC_LEN]);
  void *ctx;
};

/** TLV 0x32, HKDF-SHA-256, HMAC-SHA-256, AES-CTR. In hf/wire/seal.c; links AES. */
extern const struct hf_seal_ops hf_seal_p256_ops;

/** A source that shows the plain image of an encrypted one. */
struct hf_seal_view {
  struct hf_image_source from; /**< borrows */
  const struct hf_seal_ops *ops;
  struct hf_seal seal;
};

/** A view of `from`; a view of an image that is not encrypted shows it as it is.
 * @param view  fills; the source returned borrows it
 * @param box   borrows; NULL: encrypted images are refused
 * @param why   fills at refusal: rules 140-143; may be NULL
 * @return HF_OK; else from hf_image_parse or the box's open */
HF_MUST enum hf_err hf_seal_view_init(struct hf_seal_view *view, const struct hf_image_source *from,
                                      const struct hf_seal_box *box, struct hf_why *why);
struct hf_image_source hf_seal_view_source(struct hf_seal_view *view);

/* ---- the sealing side; hosts ---- */

/** Make a fresh AES key and its TLV for a device's public key.
 * @param seal     fills key and key_len
 * @param tlv      appends the TLV's value: 65 bytes of ephemeral key, 32 of HMAC, the encrypted key
 * @param pub      borrows; P-256
 * @param key_len  16 or 32
 * @return HF_OK; HF_E_INPUT: not a P-256 key; HF_E_CRYPTO; HF_E_SPACE */
HF_MUST enum hf_err hf_seal_make(struct hf_seal *seal, struct hf_buf *tlv, const struct hf_pubkey *pub,
                                 uint8_t key_len);

#endif
