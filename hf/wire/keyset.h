/* SPDX-License-Identifier: Apache-2.0
 * Signed key sets: which keys a product's images may be signed with, and which no more. A newer set replaces the one a
 * device has, so that image keys are added and revoked in the field without a new boot loader.
 *
 * What a boot loader has compiled in are the owners: the keys, and how many of them, that a set must be signed by. They
 * are the offline root's. Fixed little-endian layout, so that a boot loader reads it in a few hundred bytes of code.
 * Where a device keeps it: hf/device/keystore.h. docs/spec/keyset.md.
 */
#ifndef HF_WIRE_KEYSET_H
#define HF_WIRE_KEYSET_H

#include "hf/wire/image.h"

/** Image keys of one product: the present, the next, and those of the past. */
#define HF_KEYSET_KEYS_MAX 8
/** Owners a boot loader knows, and signatures a file may carry. */
#define HF_KEYSET_OWNERS_MAX 4
/** 44 of head, 8 keys of 67, 1, 4 signatures of 81. */
#define HF_KEYSET_MAX 905
/** A signature names its key by the first bytes of the key's hash; they only choose which key to try. */
#define HF_KEYSET_ID_LEN 8

/** Who may sign a set; compiled into the boot loader. */
struct hf_keyset_owners {
  const struct hf_pubkey *key; /**< borrows; each key once */
  uint8_t count;               /**< 1..HF_KEYSET_OWNERS_MAX */
  uint8_t threshold;           /**< 1..count different owners must have signed */
};

/** One set. */
struct hf_keyset {
  uint32_t version; /**< rises with each set of a product; 1 at least */
  uint8_t product_len;
  char product[HF_IMAGE_NAME_MAX];
  uint8_t count;    /**< 1..HF_KEYSET_KEYS_MAX */
  uint32_t revoked; /**< bit i: key[i] signs nothing any more */
  struct hf_pubkey key[HF_KEYSET_KEYS_MAX];
  struct hf_bytes body;       /**< what is signed; borrows the file */
  struct hf_bytes signatures; /**< the rest of the file */
};

/**
 * Read a file's shape; nothing is trusted yet.
 * @param set   fills; `body` and `signatures` borrow `file`
 * @param file  borrows: the whole file
 * @param why   fills (rule 160-179, offset); may be NULL
 * @return HF_OK; HF_E_INPUT; HF_E_VERSION: a format of a newer Holdfast
 */
HF_MUST enum hf_err hf_keyset_parse(struct hf_keyset *set, struct hf_bytes file, struct hf_why *why);

/**
 * Is this a set for this product, of at least this version, signed by enough different owners? Parses, then verifies
 * each owner at most once, so no file costs more than HF_KEYSET_OWNERS_MAX squared verifications.
 * @param set          fills as hf_keyset_parse does; to be believed only with HF_ALLOW
 * @param file         borrows
 * @param owners       borrows
 * @param product      borrows; empty: do not ask
 * @param version_min  the lowest version that is still good
 * @param why          fills; may be NULL
 * Boot, device, server; no heap; stack about 200 bytes beside the crypto back end's.
 */
HF_MUST enum hf_verdict hf_keyset_verify(struct hf_keyset *set, struct hf_bytes file,
                                         const struct hf_keyset_owners *owners, struct hf_bytes product,
                                         uint32_t version_min, struct hf_why *why);

/** The keys as hf_image_verify takes them; borrows `set`. */
struct hf_image_keys hf_keyset_keys(const struct hf_keyset *set);

/* ---- the signing side; hosts ---- */

/** Append a file without signatures. HF_E_INPUT: what hf_keyset_parse would refuse; HF_E_SPACE. */
HF_MUST enum hf_err hf_keyset_encode(struct hf_buf *out, const struct hf_keyset *set);

/**
 * Append the file again with one more signature; an earlier one under the same key is replaced. How several owners sign
 * one after the other.
 * @param set     borrows: parsed
 * @param signer  borrows; signs the SHA-256 of the body
 * @return HF_OK; HF_E_FULL: HF_KEYSET_OWNERS_MAX others signed already; HF_E_SPACE; or what the signer returned
 */
HF_MUST enum hf_err hf_keyset_sign(struct hf_buf *out, const struct hf_keyset *set,
                                   const struct hf_image_signer *signer);

/** Which keys signed: has this one, validly? For people; a device asks hf_keyset_verify. */
HF_MUST enum hf_verdict hf_keyset_signature_verify(const struct hf_keyset *set, const struct hf_pubkey *owner);

#endif
