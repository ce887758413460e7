/* SPDX-License-Identifier: Apache-2.0
 * The device CAs the vault holds, what was revoked under each, and the signed list (CRL) of it in repo/crl/
 * (docs/spec/identity.md). Who may revoke what is hf/server/credential.h.
 */
#ifndef HF_SERVER_REVOCATION_H
#define HF_SERVER_REVOCATION_H

#include "hf/fleet/crl.h"
#include "hf/server/core.h"

/** A list says of itself that the next comes within this time; it comes after HF_CRL_AGAIN_S at the latest. Seconds. */
#define HF_CRL_LIFE_S (7 * 86400)
#define HF_CRL_AGAIN_S 86400
/** A certificate stays on the list this much longer than its own life: it must have been on one regular list after its
 * end (RFC 5280 section 3.3). */
#define HF_CRL_KEEP_S (HF_CRL_LIFE_S + 86400)

/** Make and drop engine->revocation: part of opening and closing the engine that writes. */
HF_MUST enum hf_err hf_revocation_open(struct hf_engine *engine);
void hf_revocation_close(struct hf_engine *engine);
/** The vault was started anew and may hold other CAs than before. */
void hf_revocation_ask_again(struct hf_engine *engine);
/** Number of the device CA that issues now, asking the vault if need be. Within a group. */
HF_MUST enum hf_err hf_revocation_newest(struct hf_engine *engine, uint32_t *number);
/** Write what a certificate of that CA says about its list: setting crl_url and a file name. Empty when not set. */
void hf_revocation_put_url(struct hf_buf *out, const struct hf_engine *engine, uint32_t ca);

/** A certificate that is to be on the list. Borrows. */
struct hf_revoked {
  uint32_t ca;
  struct hf_bytes serial;   /**< hex, as in the device's row */
  struct hf_bytes device;   /**< its id */
  struct hf_bytes key_hash; /**< of the key in it, or empty */
  int64_t ends;             /**< of its validity */
  enum hf_crl_reason reason;
};
/** Put it on the list, signed within a second. One that is there already keeps its first time; a reason
 * keyCompromise replaces a milder one. HF_E_FULL when the list holds HF_CRL_ENTRIES_MAX. */
HF_MUST enum hf_err hf_revocation_add(struct hf_engine *engine, const struct hf_revoked *revoked, int64_t now);
/** Was this key ever revoked as compromised? */
HF_MUST enum hf_err hf_revocation_key(struct hf_engine *engine, bool *compromised,
                                      const uint8_t key_hash[HF_SHA256_LEN]);

/** Once a second: sign the lists that are due and put them where fronts serve them. A failure is told on standard error
 * and tried again in a minute; it fails nothing else. */
HF_MUST enum hf_err hf_revocation_tick(struct hf_engine *engine, int64_t now);

#endif
