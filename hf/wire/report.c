/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/report.h"

#include <string.h>

#include "hf/wire/fields.h"
#include "hf/wire/names.h"
#include "hf/wire/pubkey.h"

/* With its zero: TLS and the other signatures of ours never begin like this. */
static const char domain[] = "holdfast-report-1";

/* Map keys (docs/spec/report.md); wire format, never reused. */
enum {
  REPORT_FORMAT,
  REPORT_DEVICE,
  REPORT_PART,
  REPORT_COUNTER,
  REPORT_TIME,
  REPORT_COMPONENTS,
  REPORT_ATTACK,
  REPORT_SECONDARIES
};
#define MANDATORY (HF_FIELD(REPORT_COMPONENTS + 1) - 1)
#define FORMAT 1

/* ---- writing ---- */

static bool report_fits(const struct hf_report *report)
{
  bool good = hf_names_check_device(report->device) && hf_names_check_component(report->part) && report->time >= 0 &&
              report->counter <= INT64_MAX && report->component_count >= 1 &&
              report->component_count <= HF_CHECKIN_COMPONENTS_MAX &&
              report->secondary_count <= HF_REPORT_SECONDARIES_MAX;
  for (size_t i = 0; good && i < report->component_count; i++) {
    good = hf_checkin_component_check(&report->component[i]);
  }
  for (size_t i = 0; good && i < report->secondary_count; i++) {
    good = report->secondary[i].len > 0 && report->secondary[i].len <= HF_REPORT_SECONDARY_MAX;
  }
  return good;
}

enum hf_err hf_report_encode(struct hf_buf *out, const struct hf_report *report)
{
  if (!report_fits(report)) {
    return HF_E_INPUT;
  }
  hf_cbor_put_map(out, 6u + (report->attack != 0) + (report->secondary_count != 0));
  hf_fields_put_uint(out, REPORT_FORMAT, FORMAT);
  hf_fields_put_text(out, REPORT_DEVICE, report->device);
  hf_fields_put_text(out, REPORT_PART, report->part);
  hf_fields_put_uint(out, REPORT_COUNTER, report->counter);
  hf_fields_put_uint(out, REPORT_TIME, (uint64_t)report->time);
  hf_cbor_put_uint(out, REPORT_COMPONENTS);
  hf_cbor_put_array(out, report->component_count);
  for (size_t i = 0; i < report->component_count; i++) {
    hf_checkin_component_put(out, &report->component[i]);
  }
  if (report->attack != 0) {
    hf_fields_put_uint(out, REPORT_ATTACK, report->attack);
  }
  if (report->secondary_count != 0) {
    hf_cbor_put_uint(out, REPORT_SECONDARIES);
    hf_cbor_put_array(out, report->secondary_count);
  }
  for (size_t i = 0; i < report->secondary_count; i++) {
    hf_cbor_put_bytes(out, report->secondary[i]);
  }
  return out->failed ? HF_E_SPACE : HF_OK;
}

void hf_report_digest(uint8_t out[HF_SHA256_LEN], struct hf_bytes report)
{
  struct hf_sha256 hash;
  hf_sha256_init(&hash);
  hf_sha256_put(&hash, hf_bytes_init(domain, sizeof domain));
  hf_sha256_put(&hash, report);
  hf_sha256_get(&hash, out);
}

void hf_report_put_signed(struct hf_buf *out, const uint8_t key[HF_SHA256_LEN], struct hf_bytes report,
                          struct hf_bytes sig)
{
  hf_cbor_put_array(out, 3);
  hf_cbor_put_bytes(out, hf_bytes_init(key, HF_SHA256_LEN));
  hf_cbor_put_bytes(out, report);
  hf_cbor_put_bytes(out, sig);
}

/* ---- reading ---- */

static void take_components(struct hf_report *report, struct hf_cbor *in)
{
  report->component_count = (uint8_t)hf_cbor_array(in, HF_CHECKIN_COMPONENTS_MAX);
  if (report->component_count == 0) {
    hf_cbor_fail(in, HF_RULE_REPORT_SHAPE);
  }
  for (size_t i = 0; i < report->component_count && !hf_cbor_failed(in); i++) {
    hf_checkin_component_get(&report->component[i], in);
    for (size_t k = 0; k < i; k++) {
      if (hf_bytes_equal(report->component[i].name, report->component[k].name)) {
        hf_cbor_fail(in, HF_RULE_CHECKIN_COMPONENT_TWICE);
      }
    }
  }
}

static void take_secondaries(struct hf_report *report, struct hf_cbor *in)
{
  report->secondary_count = (uint8_t)hf_cbor_array(in, HF_REPORT_SECONDARIES_MAX);
  if (report->secondary_count == 0) {
    hf_cbor_fail(in, HF_RULE_REPORT_SHAPE);
  }
  for (size_t i = 0; i < report->secondary_count && !hf_cbor_failed(in); i++) {
    report->secondary[i] = hf_cbor_bytes(in, HF_REPORT_SECONDARY_MAX);
    if (report->secondary[i].len == 0) {
      hf_cbor_fail(in, HF_RULE_REPORT_SHAPE);
    }
  }
}

static void take_attack(struct hf_report *report, struct hf_cbor *in)
{
  report->attack = (uint16_t)hf_cbor_uint(in, UINT16_MAX);
  if (report->attack == 0) { /* said by leaving it out: one encoding for each report */
    hf_cbor_fail(in, HF_RULE_REPORT_SHAPE);
  }
}

static void take_member(struct hf_report *report, int64_t key, struct hf_cbor *in)
{
  switch (key) {
    case REPORT_FORMAT:
      if (hf_cbor_uint(in, UINT32_MAX) != FORMAT) {
        hf_cbor_fail(in, HF_RULE_REPORT_SHAPE);
      }
      break;
    case REPORT_DEVICE: report->device = hf_fields_name(in, HF_DEVICE_ID_MAX, hf_names_check_device); break;
    case REPORT_PART: report->part = hf_fields_name(in, HF_COMPONENT_MAX, hf_names_check_component); break;
    case REPORT_COUNTER: report->counter = hf_cbor_uint(in, INT64_MAX); break;
    case REPORT_TIME: report->time = hf_fields_time(in); break;
    case REPORT_COMPONENTS: take_components(report, in); break;
    case REPORT_ATTACK: take_attack(report, in); break;
    case REPORT_SECONDARIES: take_secondaries(report, in); break;
    default: hf_cbor_skip(in); break;
  }
}

enum hf_err hf_report_parse(struct hf_report *report, struct hf_bytes bytes, struct hf_why *why)
{
  struct hf_cbor in = hf_cbor_init(bytes, why);
  memset(report, 0, sizeof *report);
  struct hf_fields map = hf_fields_open(&in);
  for (int64_t key = hf_fields_next(&map, &in); key >= 0; key = hf_fields_next(&map, &in)) {
    take_member(report, key, &in);
  }
  hf_fields_close(&map, &in, MANDATORY);
  return hf_cbor_done(&in) ? HF_OK : HF_E_INPUT;
}

enum hf_err hf_report_open(struct hf_report_signed *out, struct hf_bytes bytes, struct hf_why *why)
{
  struct hf_cbor in = hf_cbor_init(bytes, why);
  *out = (struct hf_report_signed){.sig = {NULL, 0}};
  if (bytes.len > HF_REPORT_MAX || hf_cbor_array(&in, 3) != 3) {
    hf_cbor_fail(&in, HF_RULE_REPORT_SHAPE);
  }
  out->key = hf_cbor_bytes(&in, HF_SHA256_LEN);
  out->report = hf_cbor_bytes(&in, HF_REPORT_MAX);
  out->sig = hf_cbor_bytes(&in, HF_SIG_MAX);
  if (!hf_cbor_failed(&in) && out->key.len != HF_SHA256_LEN) {
    hf_cbor_fail(&in, HF_RULE_REPORT_SHAPE);
  }
  return hf_cbor_done(&in) ? HF_OK : HF_E_INPUT;
}

static enum hf_verdict deny(struct hf_why *why, enum hf_rule rule)
{
  hf_why_put(why, rule, 0);
  return HF_DENY;
}

enum hf_verdict hf_report_verify(struct hf_report *report, struct hf_bytes bytes, const struct hf_pubkey *key,
                                 struct hf_bytes device, struct hf_why *why)
{
  struct hf_report_signed outer;
  uint8_t hash[HF_SHA256_LEN];
  memset(report, 0, sizeof *report);
  if (hf_report_open(&outer, bytes, why) != HF_OK) {
    return HF_DENY;
  }
  hf_pubkey_hash(hash, key);
  if (!hf_bytes_equal(outer.key, hf_bytes_init(hash, sizeof hash))) {
    return deny(why, HF_RULE_REPORT_KEY);
  }
  hf_report_digest(hash, outer.report);
  enum hf_verdict verdict = hf_p256_verify(key, hash, outer.sig);
  if (verdict != HF_ALLOW) {
    return deny(why, HF_RULE_REPORT_SIGNATURE);
  }
  if (hf_report_parse(report, outer.report, why) != HF_OK) {
    return HF_DENY;
  }
  return hf_bytes_equal(report->device, device) ? HF_ALLOW : deny(why, HF_RULE_REPORT_DEVICE);
}
