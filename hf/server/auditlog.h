/* SPDX-License-Identifier: Apache-2.0
 * The audit log as stored: one row a change, chained (hf/fleet/audit.h). After each group in which the vault signed,
 * one entry `vault.head` names number and hash of the last entry of the vault's own log, so that neither log can be cut
 * without the other showing it.
 */
#ifndef HF_SERVER_AUDITLOG_H
#define HF_SERVER_AUDITLOG_H

#include "hf/server/core.h"

/** Longest `detail` kept; the rest is cut at a character. */
#define HF_AUDIT_DETAIL_MAX 1024

/**
 * Append one entry to the chain, in the open group.
 * @param action   "device.block", "rollout.start", "session.open": noun, dot, verb
 * @param subject  what it was done to: a device id, "thermostat/1.1.0", a rollout number
 * @param detail   words or JSON for a person, or empty; never a secret
 */
HF_MUST enum hf_err hf_auditlog_put(struct hf_engine *engine, const struct hf_act *act, const char *action,
                                    struct hf_bytes subject, struct hf_bytes detail);

/** Find the end of the chain: when an engine opens, and after a group was undone. */
HF_MUST enum hf_err hf_auditlog_load(struct hf_engine *engine);
/** Append the `vault.head` entry: at the end of a group in which the vault signed. */
HF_MUST enum hf_err hf_auditlog_anchor(struct hf_engine *engine, int64_t now);

/** What hf_auditlog_verify found. */
struct hf_auditlog_report {
  uint64_t count;   /**< entries looked at */
  uint64_t broken;  /**< number of the first entry that does not fit the chain; 0: none */
  uint8_t head[32]; /**< chain hash after the last good entry */
};
/** Walk the whole chain. HF_OK also when it is broken: see the report. */
HF_MUST enum hf_err hf_auditlog_verify(struct hf_db *db, struct hf_auditlog_report *report);

#endif
