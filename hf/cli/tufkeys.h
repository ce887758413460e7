/* SPDX-License-Identifier: Apache-2.0
 * The host's side of TUF verification (struct hf_tuf_host): a keyring for RSA and P-384 keys, SHA-512, and snapshots
 * compared with the one kept.
 */
#ifndef HF_CLI_TUFKEYS_H
#define HF_CLI_TUFKEYS_H

#include "hf/crypto/spki.h"
#include "hf/wire/tuf.h"

/** One key; its SubjectPublicKeyInfo stands in the ring as long as the ring does. */
struct hf_tufkeys_key {
  uint8_t hash[HF_SHA256_LEN];
  enum hf_spki_scheme scheme;
  size_t len;
  uint8_t der[HF_SPKI_DER_MAX];
};

/** The context of hf_tufkeys_host. */
struct hf_tufkeys {
  struct hf_tufkeys_key *key;
  size_t count;
  uint8_t *message; /**< borrowed: room for the longest canonical body */
  size_t message_cap;
  const struct hf_tuf_file *snapshot; /**< borrowed: the trusted one; NULL: none yet, everything new is accepted */
};

/** The functions; hand a struct hf_tufkeys over as context. `pub->at[HF_SHA256_LEN]`, behind the part that identifies
 * the key, holds its scheme. */
extern const struct hf_tuf_host hf_tufkeys_host;
void hf_tufkeys_free(struct hf_tufkeys *keys);

#endif
