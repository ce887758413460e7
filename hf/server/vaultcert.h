/* SPDX-License-Identifier: Apache-2.0
 * Operational certificates (LDevID, IEEE 802.1AR): from a device id and a key to signed DER, by OpenSSL.
 *
 * The vault's own; it decides nothing about who may have one.
 */
#ifndef HF_SERVER_VAULTCERT_H
#define HF_SERVER_VAULTCERT_H

#include "hf/crypto/key.h"
#include "hf/server/vaultcall.h"

/** The device CA: its certificate and key. Both borrow. */
struct hf_vaultcert_ca {
  void *certificate; /**< X509 * */
  const struct hf_key *key;
};

/**
 * Append a certificate, DER: version 3, random 126-bit serial, subject serialNumber and CN = device id, key usage
 * digitalSignature, extended key usage clientAuth, no CA, subject and authority key ids (RFC 5280 section 4.2).
 * @return HF_OK; HF_E_INPUT: not a device id, not a point on P-256, dates the wrong way round; HF_E_STATE: outlives the
 * CA; HF_E_SPACE; HF_E_CRYPTO
 */
HF_MUST enum hf_err hf_vaultcert_issue(struct hf_buf *out, const struct hf_vaultcert_ca *ca,
                                       const struct hf_vault_issue *issue);

#endif
