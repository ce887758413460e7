/* SPDX-License-Identifier: Apache-2.0
 * Signed version reports: what one part of a device (an ECU, in Uptane's word) says it runs, signed with its own key;
 * and the vehicle version manifest, a primary's report with its secondaries' signed reports inside (Uptane 2.1 section
 * 5.4.2.1). It is what the server believes about a device. docs/spec/report.md.
 *
 * Structs hold views: parsing borrows the message, encoding borrows the caller's texts.
 */
#ifndef HF_WIRE_REPORT_H
#define HF_WIRE_REPORT_H

#include "hf/wire/checkin.h"

/** Secondaries' reports in one manifest. */
#define HF_REPORT_SECONDARIES_MAX 3
/** One secondary's signed report. */
#define HF_REPORT_SECONDARY_MAX 416

struct hf_report {
  struct hf_bytes device; /**< the device the part belongs to */
  struct hf_bytes part;   /**< which one: the name of its first component */
  uint64_t counter;       /**< of this part; rises with every report it signs */
  int64_t time;           /**< the latest time it knows, 0: none */
  uint16_t attack;        /**< rule of the attack it noticed last, 0: none */
  uint8_t component_count;
  struct hf_checkin_component component[HF_CHECKIN_COMPONENTS_MAX]; /**< what it runs */
  uint8_t secondary_count;
  struct hf_bytes secondary[HF_REPORT_SECONDARIES_MAX]; /**< signed reports as the secondaries gave them */
};

/** A report with its signature, before it is believed. Borrows. */
struct hf_report_signed {
  struct hf_bytes key; /**< hf_pubkey_hash of the key, 32 bytes */
  struct hf_bytes report;
  struct hf_bytes sig;
};

/** Append the part that is signed (deterministic CBOR). HF_E_INPUT: a text or count beyond its maximum; HF_E_SPACE. */
HF_MUST enum hf_err hf_report_encode(struct hf_buf *out, const struct hf_report *report);
/** Read it back, the whole input. HF_E_INPUT with rule REPORT_SHAPE or of the readers below it.
 * @param report  fills; borrows `bytes` */
HF_MUST enum hf_err hf_report_parse(struct hf_report *report, struct hf_bytes bytes, struct hf_why *why);

/** What is signed: SHA-256 of "holdfast-report-1", a zero byte, the encoded report. */
void hf_report_digest(uint8_t out[HF_SHA256_LEN], struct hf_bytes report);
/** Append the signed form. @param key  hf_pubkey_hash of the signing key */
void hf_report_put_signed(struct hf_buf *out, const uint8_t key[HF_SHA256_LEN], struct hf_bytes report,
                          struct hf_bytes sig);
/** Take the signed form apart; says nothing about the signature. */
HF_MUST enum hf_err hf_report_open(struct hf_report_signed *out, struct hf_bytes bytes, struct hf_why *why);

/**
 * Is this a report of that device, signed by this key? The signature is checked before the report is parsed.
 * @param report  fills with HF_ALLOW; borrows `bytes`. Reports of secondaries inside are not verified: do it with
 *                their own keys
 * @param bytes   borrows: the signed form
 * @param key     borrows: the key registered for that part
 * @param device  borrows: whose report it must be
 * @param why     fills, rule 450-479 or of the readers; may be NULL
 */
HF_MUST enum hf_verdict hf_report_verify(struct hf_report *report, struct hf_bytes bytes, const struct hf_pubkey *key,
                                         struct hf_bytes device, struct hf_why *why);

#endif
