/* SPDX-License-Identifier: Apache-2.0
 * What the server believes about a device's software: its signed version report, and its secondaries'
 * (docs/spec/report.md).
 *
 * Verified here, in the engine, with the keys of the registry: a front process that was broken into cannot make a
 * device's report. Parsing is hf/wire/report.h, bounded and fuzzed, and begins after the signature was found good.
 */
#ifndef HF_SERVER_REPORTS_H
#define HF_SERVER_REPORTS_H

#include "hf/server/devices.h"
#include "hf/wire/checkin.h"

/** What a check-in's components became. */
struct hf_reports {
  int64_t proven[HF_CHECKIN_COMPONENTS_MAX]; /**< time of the report that proved it; 0: only said */
  bool changed;                              /**< a report was believed: the components are to be stored */
  /* private: texts of components that were taken from the registry */
  char name[HF_CHECKIN_COMPONENTS_MAX][HF_CHECKIN_NAME_MAX + 1];
  char version[HF_CHECKIN_COMPONENTS_MAX][HF_CHECKIN_VERSION_MAX + 1];
};

/**
 * Judge a check-in's report, and put what is believed in the place of what it says: the signed components where there
 * is a good report; where there is none and the device has signed before, those it signed last. What does not fit
 * raises an alarm. In the open group.
 * @param reports  fills; must outlive `checkin`
 * @param checkin  changes: `component`
 */
HF_MUST enum hf_err hf_reports_take(struct hf_engine *engine, struct hf_reports *reports,
                                    const struct hf_device_row *row, struct hf_checkin *checkin, int64_t now);
/** After the components were stored: write down which are proven. */
HF_MUST enum hf_err hf_reports_keep(struct hf_engine *engine, const struct hf_reports *reports, int64_t n,
                                    const struct hf_checkin *checkin);

/** Register the key of a secondary, or exchange it: from then on its own signature is asked for.
 * @param name  the secondary: the name of its component
 * @return HF_OK; HF_E_NOT_FOUND: no such device; HF_E_INPUT: not a name or not P-256 */
HF_MUST enum hf_err hf_part_put(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes device,
                                struct hf_bytes name, const struct hf_pubkey *key);
/** Take it out of the registry. HF_E_NOT_FOUND: no such device or part. */
HF_MUST enum hf_err hf_part_delete(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes device,
                                   struct hf_bytes name);

#endif
