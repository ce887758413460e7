/* SPDX-License-Identifier: Apache-2.0
 * Keys in TUF metadata (specification 1.0.34 section 4.2): reading them, and counting who signed a file. Shared by the
 * root's four roles and by delegations.
 */
#ifndef HF_WIRE_TUFKEY_H
#define HF_WIRE_TUFKEY_H

#include "hf/wire/tuf.h"

/** Keys of one role. */
#define HF_TUFKEY_ROLE_MAX 16

/**
 * Read one member of "keys".
 * @param key     fills
 * @param file    borrows: where the member stands, to blame
 * @param name    the member's name: the key id
 * @param value   the key object
 * @param limits  borrows: foreign, host
 * @return HF_OK; HF_E_NOT_FOUND: of a type this client cannot verify, it counts for nothing; HF_E_INPUT: refused
 *         (TUF_KEY_ID, TUF_KEY)
 */
HF_MUST enum hf_err hf_tufkey_parse(struct hf_tuf_key *key, const struct hf_tuf_file *file, struct hf_json name,
                                    struct hf_json value, const struct hf_tuf_limits *limits, struct hf_why *why);
/** The short form of a key id in a text value. HF_E_INPUT: not the hex of a SHA-256, and limits say it must be. */
HF_MUST enum hf_err hf_tufkey_get_id(uint8_t id[HF_TUF_KEY_ID_LEN], struct hf_json text,
                                     const struct hf_tuf_limits *limits);
/** Index of the key with this short id, `count` when there is none. */
size_t hf_tufkey_find(const struct hf_tuf_key *key, size_t count, const uint8_t id[HF_TUF_KEY_ID_LEN]);
/** How many different keys a set holds, whatever ids they go under. @param set  bit i: key[i] */
unsigned hf_tufkey_count(const struct hf_tuf_key *key, size_t count, uint16_t set);
/** Keys being collected. */
struct hf_tufkey_set {
  struct hf_tuf_key *key;
  size_t count;
  size_t cap; /**< at most HF_TUFKEY_ROLE_MAX is used */
};
/** What hf_tufkey_role_parse reads. */
struct hf_tufkey_role {
  const struct hf_tuf_file *file;
  struct hf_json keys; /**< the object with the keys */
  struct hf_json role; /**< the object with "keyids" and "threshold" */
  const struct hf_tuf_limits *limits;
};
/**
 * Read who may sign for a role.
 * @param signers  fills: bits over set->key
 * @param set      changes: keys that it does not have yet are appended
 * @param in       borrows
 * @return HF_OK; HF_E_INPUT (TUF_SHAPE, TUF_KEY..., TUF_THRESHOLD); HF_E_SPACE: more keys than `cap` (TUF_KEYS)
 */
HF_MUST enum hf_err hf_tufkey_role_parse(struct hf_tuf_signers *signers, struct hf_tufkey_set *set,
                                         const struct hf_tufkey_role *in, struct hf_why *why);
/** A role's keys as verification wants them. Borrows. */
struct hf_tufkey_ring {
  const struct hf_tuf_key *key;
  size_t count; /**< at most 16 */
  struct hf_tuf_signers signers;
};
/** Have enough distinct keys of the ring signed the file? hf_tuf_verify for any role. */
HF_MUST enum hf_verdict hf_tufkey_verify(const struct hf_tuf_file *file, const struct hf_tufkey_ring *ring,
                                         const struct hf_tuf_limits *limits, struct hf_why *why);

#endif
