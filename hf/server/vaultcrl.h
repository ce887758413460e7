/* SPDX-License-Identifier: Apache-2.0
 * The vault's part in revocation lists: what it checks before it signs one, and what it tells of a CA it holds.
 */
#ifndef HF_SERVER_VAULTCRL_H
#define HF_SERVER_VAULTCRL_H

#include <openssl/x509.h>

#include "hf/crypto/key.h"
#include "hf/server/msg.h"

/** A list is good for this long at most, from the moment of signing. */
#define HF_VAULTCRL_DAYS_MAX 31

/** A device CA in the vault; all zero: there is none of this number. Owned by the vault. */
struct hf_vaultca {
  X509 *certificate;
  struct hf_key *key;
  uint64_t crl_number; /**< of the last list signed since the start */
};

/** What was signed, for the log. */
struct hf_vaultcrl {
  char subject[64];
  uint8_t sha256[HF_SHA256_LEN]; /**< of the TBSCertList */
};

/**
 * Build the list of HF_MSG_VAULT_CRL and append its signature.
 * @param ca  its `crl_number` rises
 * @return NULL when it is signed; else why not, for the log. Static.
 */
const char *hf_vaultcrl_sign(struct hf_buf *sig, struct hf_vaultcrl *made, struct hf_vaultca *ca,
                             const struct hf_msg *request, int64_t now);

/** Append the answer to HF_MSG_VAULT_CA: SHA-256 of the certificate, its name and its key identifier, the latter two
 * behind two bytes of length. @param not_after fills. HF_E_CRYPTO; HF_E_SPACE */
HF_MUST enum hf_err hf_vaultcrl_describe(struct hf_buf *out, uint64_t *not_after, const struct hf_vaultca *ca);

#endif
