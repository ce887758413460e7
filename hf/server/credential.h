/* SPDX-License-Identifier: Apache-2.0
 * A device's certificate after it was issued: used, replaced, revoked, to be rotated, shown by two
 * (docs/spec/identity.md). Issuing is hf/server/enrol.h; the signed lists are hf/server/revocation.h.
 */
#ifndef HF_SERVER_CREDENTIAL_H
#define HF_SERVER_CREDENTIAL_H

#include "hf/fleet/crl.h"
#include "hf/server/cache.h"
#include "hf/wire/checkin.h"

/** A device has this long for a rotation that was asked for, unless the order says otherwise. Seconds. */
#define HF_ROTATE_WITHIN_S (14 * 86400)

/** Revoke what the device has: it is refused from its next request on, also on open connections, and its certificates
 * are on the next list, unless that is full, which the audit log says. Only a one-time token brings it back.
 * HF_E_NOT_FOUND; HF_E_STATE with why: it has none. */
HF_MUST enum hf_err hf_device_revoke(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes id,
                                     enum hf_crl_reason reason, struct hf_why *why);
/** Ask a device to make a new key within so many seconds. HF_E_NOT_FOUND; HF_E_STATE with why: it has no certificate.
 */
HF_MUST enum hf_err hf_device_rotate(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes id,
                                     int64_t within_s, struct hf_why *why);
/** The same for all that a group expression fits and that have a certificate. One audit entry.
 * @param count  fills: how many were asked. HF_E_NOT_FOUND: no such group */
HF_MUST enum hf_err hf_group_rotate(struct hf_engine *engine, const struct hf_act *act, uint64_t *count,
                                    struct hf_bytes group, int64_t within_s);

/** All certificates the registry holds for a device are void: put them on the list. Part of other changes. */
HF_MUST enum hf_err hf_credential_list(struct hf_engine *engine, int64_t n, enum hf_crl_reason reason, int64_t now);
/** The new certificate was used for the first time: the one before ends. */
HF_MUST enum hf_err hf_credential_used(struct hf_engine *engine, struct hf_cached *cached, int64_t now);
/** A certificate of this device was shown that is not good: if it is one it had before, raise the alarm. */
HF_MUST enum hf_err hf_credential_unknown(struct hf_engine *engine, struct hf_cached *cached,
                                          const struct hf_peer *peer, int64_t now);
/** Note how it is connected and whom it trusts, when that changed. */
HF_MUST enum hf_err hf_credential_connection(struct hf_engine *engine, struct hf_cached *cached,
                                             const struct hf_peer *peer, const struct hf_checkin *checkin, int64_t now);
/** Is there a newer server CA than the device says it trusts? Not for one that says nothing: it would not know what to
 * do. */
bool hf_credential_anchors(const struct hf_peer *peer, const struct hf_checkin *checkin);
/** What hf_cached.connection is: a digest of the three. */
uint32_t hf_credential_print(uint32_t tls, struct hf_bytes cipher, struct hf_bytes anchor);
/** Do the numbers of check-ins go one way? Two that take turns under one certificate raise the alarm. Before the
 * check-in is taken in. */
HF_MUST enum hf_err hf_credential_sequence(struct hf_engine *engine, struct hf_cached *cached,
                                           const struct hf_checkin *checkin, int64_t now);
/** After an enrolment: does another device have this key, or this factory key? Marks both and raises the alarm. */
HF_MUST enum hf_err hf_credential_shared(struct hf_engine *engine, struct hf_bytes id, int64_t now);

#endif
