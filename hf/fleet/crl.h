/* SPDX-License-Identifier: Apache-2.0
 * The revocation list of a device CA (RFC 5280 section 5): from numbers, dates and reasons to DER, and nothing back.
 *
 * Pure and written without a crypto library, so that engine and vault make the same bytes out of the same entries: the
 * vault signs what it has built itself and hands back nothing but the signature (docs/spec/identity.md).
 */
#ifndef HF_FLEET_CRL_H
#define HF_FLEET_CRL_H

#include "hf/base/bytes.h"

/** Certificates one list may hold: 3.3 MB packed, which one message to the vault takes. */
#define HF_CRL_ENTRIES_MAX 131072
/** Serial numbers of ours: 16 bytes, the first two bits 01 (hf/server/vaultcert.h). */
#define HF_CRL_SERIAL_LEN 16
/** A packed entry: serial, time (8 bytes, network order), reason (1 byte). */
#define HF_CRL_ENTRY_LEN (HF_CRL_SERIAL_LEN + 9)
/** Longest issuer name and key identifier. */
#define HF_CRL_NAME_MAX 512
#define HF_CRL_KEY_ID_MAX 32

/** CRLReason, RFC 5280 section 5.3.1; those that can befall a device's certificate. */
enum hf_crl_reason {
  HF_CRL_UNSPECIFIED = 0,
  HF_CRL_KEY_COMPROMISE = 1,
  HF_CRL_AFFILIATION_CHANGED = 3,
  HF_CRL_SUPERSEDED = 4,
  HF_CRL_CESSATION = 5,
  HF_CRL_PRIVILEGE_WITHDRAWN = 9
};

/** "keyCompromise", as in the RFC; NULL for a number that is none of those above. Static. */
const char *hf_crl_reason_name(int64_t reason);
/** The number of a name. HF_E_INPUT: none of those above. */
HF_MUST enum hf_err hf_crl_reason_parse(int64_t *reason, struct hf_bytes name);

/** A list to be. Borrows. */
struct hf_crl {
  struct hf_bytes issuer; /**< the CA's subject Name, DER with its header */
  struct hf_bytes key_id; /**< the CA's subject key identifier */
  uint64_t number;        /**< rises with every list of this CA */
  int64_t this_update;    /**< seconds since 1970 */
  int64_t next_update;
  struct hf_bytes entries; /**< packed, serials strictly ascending */
};

/** Append one packed entry. */
void hf_crl_put_entry(struct hf_buf *entries, const uint8_t serial[HF_CRL_SERIAL_LEN], int64_t time,
                      enum hf_crl_reason reason);
/** Room that is enough for the finished list of so many bytes of packed entries. */
size_t hf_crl_room(size_t entries_len);
/** Is every entry of the right shape, with a known reason and no time after `now`, in strictly ascending order and no
 * more than HF_CRL_ENTRIES_MAX? HF_E_INPUT otherwise. */
HF_MUST enum hf_err hf_crl_check(struct hf_bytes entries, int64_t now);

/**
 * Append the TBSCertList, version 2, ecdsa-with-SHA256: what is signed.
 * @return HF_OK; HF_E_INPUT: entries hf_crl_check refuses, dates the wrong way round or outside 1970-9999, a name or
 *         key identifier that is empty or too long; HF_E_SPACE
 */
HF_MUST enum hf_err hf_crl_put_tbs(struct hf_buf *out, const struct hf_crl *crl);
/** Append the whole CertificateList around it. @param sig borrows: ECDSA in DER. HF_E_SPACE */
HF_MUST enum hf_err hf_crl_put(struct hf_buf *out, struct hf_bytes tbs, struct hf_bytes sig);

#endif
