/* SPDX-License-Identifier: Apache-2.0
 * Alarms: what an operator must look at because somebody may be playing a device that he is not (table `alarm`).
 *
 * One row a kind and device while it is open, however often it is raised, so that an attacker who knocks a million
 * times writes one row. An operator closes it with a reason; the audit log keeps both.
 */
#ifndef HF_SERVER_ALARMS_H
#define HF_SERVER_ALARMS_H

#include "hf/server/core.h"

enum hf_alarm {
  HF_ALARM_UNLISTED,          /**< enrolled or tried to, with a factory certificate that is in no batch record */
  HF_ALARM_OTHER_CERTIFICATE, /**< tried to enrol with another factory certificate than the batch record has */
  HF_ALARM_SECOND_KEY,        /**< a factory certificate was shown for an id that another key has */
  HF_ALARM_FAILED_DEVICE,     /**< tried to enrol although it failed its test at the factory */
  HF_ALARM_DUPLICATE_ID,      /**< the id is in two batch records */
  HF_ALARM_DUPLICATE_KEY,     /**< the key is in batch records under two ids */
  HF_ALARM_SECOND_RECORD,     /**< two different batch records for one order */
  HF_ALARM_BATCH_REFUSED,     /**< a batch record signed by its station broke the order */
  HF_ALARM_REPORT_FORGED,     /**< a version report with a wrong signature, key, device or shape */
  HF_ALARM_REPORT_REPLAYED,   /**< an old version report came again */
  HF_ALARM_REPORT_DIFFERS,    /**< unsigned words about the software differ from the signed ones */
  HF_ALARM_PART_MISSING,      /**< a secondary that signs for itself is not in the device's report */
  HF_ALARM_ATTACK,            /**< the device itself reports an attack, signed */
  HF_ALARM_CLONE,             /**< two sequences of check-ins go on under one certificate */
  HF_ALARM_OLD_CERTIFICATE,   /**< a certificate was shown that the device has replaced */
  HF_ALARM_SHARED_KEY,        /**< two devices hold one and the same key */
  HF_ALARM_COUNT
};

/** "other-certificate": the name in REST and table. Static. */
const char *hf_alarm_name(enum hf_alarm kind);
/** A sentence for a person that says what it means, without full stop. Static; NULL for a name that is none. */
const char *hf_alarm_words(struct hf_bytes name);

/**
 * Raise it, in the open group; a first one goes to the audit log and the webhook too.
 * @param device  device id, or the order an alarm is about when it is about no single device
 * @param detail  what was seen, for a person; of the last time
 */
HF_MUST enum hf_err hf_alarm_raise(struct hf_engine *engine, enum hf_alarm kind, struct hf_bytes device,
                                   struct hf_bytes detail, int64_t now);
/** An operator has looked at it: `act->reason` says what it was. HF_E_NOT_FOUND: no such alarm, or closed already. */
HF_MUST enum hf_err hf_alarm_close(struct hf_engine *engine, const struct hf_act *act, int64_t n);

#endif
