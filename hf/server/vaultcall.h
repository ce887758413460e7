/* SPDX-License-Identifier: Apache-2.0
 * What may be asked of the vault: a closed list of typed requests. The engine's side of the socket.
 *
 * Calls are synchronous: the vault answers in well under a millisecond and does nothing else. Each is written to the
 * vault's own hash-chained log (DIR/server/vault/vault.log) before the signature leaves it.
 */
#ifndef HF_SERVER_VAULTCALL_H
#define HF_SERVER_VAULTCALL_H

#include "hf/crypto/crypto.h"
#include "hf/wire/timesig.h"
#include "hf/fleet/crl.h"

struct hf_vault_link;

/** The roles the vault holds online keys for. */
enum hf_vault_role {
  HF_VAULT_TIMESTAMP = 1,
  HF_VAULT_SNAPSHOT = 2,
  HF_VAULT_DIRECTOR = 3,
  HF_VAULT_TIME = 4,
  HF_VAULT_NEXT = 16 /**< added to a role: its next key, vault/ROLE.next.pem, when there was one at start */
};
/** Room for an array by role. */
#define HF_VAULT_ROLES 5

/** Public key of a role. HF_E_NOT_FOUND: there is no next one. */
HF_MUST enum hf_err hf_vault_public(struct hf_vault_link *link, struct hf_pubkey *key, enum hf_vault_role role);

/**
 * Sign the canonical bytes of TUF metadata. The vault reads `_type`, `version` and `expires` out of them with the
 * bounded JSON reader and refuses what does not fit the role: HF_VAULT_TIMESTAMP signs timestamp only,
 * HF_VAULT_DIRECTOR signs timestamp, snapshot and targets that carry a device id in `custom.holdfast.device`; never a
 * root.
 * @param sig      appended, at most HF_SIG_MAX bytes
 * @param subject  what it is for, for the log: a device id or "repo"
 */
HF_MUST enum hf_err hf_vault_sign(struct hf_vault_link *link, struct hf_buf *sig, enum hf_vault_role role,
                                  struct hf_bytes canonical, struct hf_bytes subject);

/** An operational certificate (LDevID). */
struct hf_vault_issue {
  struct hf_bytes device; /**< device id */
  struct hf_pubkey key;
  int64_t not_before;
  int64_t not_after; /**< at most 400 days after not_before, or the vault refuses */
  uint32_t ca;       /**< number of the CA that signs: the newest, or the vault refuses; 0: whichever is the newest */
  struct hf_bytes crl_url; /**< where the CA's revocation list is, for the certificate; empty: not said */
};
/** Longest address of a revocation list in a certificate. */
#define HF_VAULT_URL_MAX 200
/** @param certificate  DER, appended, at most 2048 bytes */
HF_MUST enum hf_err hf_vault_issue(struct hf_vault_link *link, struct hf_buf *certificate,
                                   const struct hf_vault_issue *issue);

/**
 * Sign the vault's own clock together with a device's nonces (docs/spec/time.md). Nobody can make it sign another time.
 * @param timesig  fills; `sig` borrows `room`
 * @param room     at least HF_SIG_MAX bytes
 * @param nonces   borrows: 1..HF_TIMESIG_NONCES_MAX of them
 * @return HF_OK; HF_E_NOT_FOUND: this workspace has no time key; HF_E_INPUT; HF_E_IO; HF_E_CRYPTO
 */
HF_MUST enum hf_err hf_vault_time(struct hf_vault_link *link, struct hf_timesig *timesig, struct hf_buf *room,
                                  struct hf_bytes nonces);

/** Device CAs there can ever be: a rotation every five years for half a century. */
#define HF_VAULT_CAS_MAX 9

/** A device CA as the vault holds it. No pointers. */
struct hf_vault_ca {
  uint32_t number; /**< 1 is the first; the highest issues */
  uint8_t name[HF_CRL_NAME_MAX];
  size_t name_len; /**< subject Name, DER */
  uint8_t key_id[HF_CRL_KEY_ID_MAX];
  size_t key_id_len;
  uint8_t sha256[HF_SHA256_LEN]; /**< of its certificate */
  int64_t not_after;
};
/** One of them. HF_E_NOT_FOUND: the vault has none of this number. */
HF_MUST enum hf_err hf_vault_ca(struct hf_vault_link *link, struct hf_vault_ca *ca, uint32_t number);

/**
 * Sign a revocation list. The vault builds it itself out of the same numbers, dates and reasons, and hands back the
 * signature alone.
 * @param sig  appended: over what hf_crl_put_tbs makes of `crl` with the CA's own name and key identifier
 * @return HF_OK; HF_E_DENIED: entries of a wrong shape, dates that are not of now, a number that does not rise;
 *         HF_E_NOT_FOUND: no such CA
 */
HF_MUST enum hf_err hf_vault_crl(struct hf_vault_link *link, struct hf_buf *sig, uint32_t ca, const struct hf_crl *crl);

/** Sequence number and chain hash of the last entry of the vault's log, to anchor it in the audit log. */
HF_MUST enum hf_err hf_vault_head(struct hf_vault_link *link, uint64_t *number, uint8_t hash[HF_SHA256_LEN]);

/** A vault in the same process, for tests and for `holdfast init`: opens the key files itself. Gives `*link`. */
HF_MUST enum hf_err hf_vault_link_open(struct hf_vault_link **link, const char *vault_dir);
/** A link over a connected socket to the vault process; takes the descriptor. Gives `*link`. */
HF_MUST enum hf_err hf_vault_link_init(struct hf_vault_link **link, int socket);
void hf_vault_link_close(struct hf_vault_link *link);

#endif
