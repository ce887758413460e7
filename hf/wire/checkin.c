/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/checkin.h"

#include <string.h>

#include "hf/codec/text.h"
#include "hf/wire/fields.h"
#include "hf/wire/names.h"
#include "hf/wire/version.h"

/* Map keys (docs/spec/checkin.md); wire format, never reused. */
enum {
  CHECKIN_PROTOCOL,
  CHECKIN_BOOT,
  CHECKIN_NUMBER,
  CHECKIN_PRODUCT,
  CHECKIN_HARDWARE,
  CHECKIN_COMPONENTS,
  CHECKIN_RESET,
  CHECKIN_UPDATE,
  CHECKIN_TIME,
  CHECKIN_ACTED,
  CHECKIN_EVENTS,
  CHECKIN_ATTRIBUTES,
  CHECKIN_STORAGE,
  CHECKIN_POSTPONED,
  CHECKIN_REPORT,
  CHECKIN_KEYSET,
  CHECKIN_NONCE,
  CHECKIN_ANCHOR
};
enum { COMPONENT_NAME, COMPONENT_VERSION, COMPONENT_DIGEST, COMPONENT_COUNTER, COMPONENT_SLOT };
enum { UPDATE_STATE, UPDATE_VERSION, UPDATE_PERCENT, UPDATE_RULE };
enum { EVENT_NUMBER, EVENT_KIND, EVENT_TIME, EVENT_RULE, EVENT_SUBJECT };
enum {
  ANSWER_PROTOCOL,
  ANSWER_TIME,
  ANSWER_NEXT,
  ANSWER_DIRECTOR,
  ANSWER_EVENTS,
  ANSWER_ATTRIBUTES,
  ANSWER_DEADLINE,
  ANSWER_FLAGS,
  ANSWER_KEYSET,
  ANSWER_SIGNED_TIME,
  ANSWER_TAKEOVER
};

/* Members a map must have, as bits by key. */
#define CHECKIN_MANDATORY (HF_FIELD(CHECKIN_TIME + 1) - 1)
#define COMPONENT_MANDATORY (HF_FIELD(COMPONENT_SLOT + 1) - 1)
#define UPDATE_MANDATORY HF_FIELD(UPDATE_STATE)
#define EVENT_MANDATORY (HF_FIELD(EVENT_TIME + 1) - 1)
#define ANSWER_MANDATORY (HF_FIELD(ANSWER_NEXT + 1) - 1)
#define FLAG_RENEW 1u
#define FLAG_REKEY 2u
#define FLAG_ANCHORS 4u

/* ---- writing ---- */

/* Absent when empty. */
static void put_key_bytes(struct hf_buf *out, unsigned key, struct hf_bytes bytes)
{
  if (bytes.len > 0) {
    hf_cbor_put_uint(out, key);
    hf_cbor_put_bytes(out, bytes);
  }
}

static uint64_t seconds(int64_t time) { return time < 0 ? 0 : (uint64_t)time; }

void hf_checkin_component_put(struct hf_buf *out, const struct hf_checkin_component *component)
{
  hf_cbor_put_map(out, 5);
  hf_fields_put_text(out, COMPONENT_NAME, component->name);
  hf_fields_put_text(out, COMPONENT_VERSION, component->version);
  hf_cbor_put_uint(out, COMPONENT_DIGEST);
  hf_cbor_put_bytes(out, hf_bytes_init(component->digest, sizeof component->digest));
  hf_fields_put_uint(out, COMPONENT_COUNTER, component->counter);
  hf_fields_put_uint(out, COMPONENT_SLOT, component->slot);
}

static void put_update(struct hf_buf *out, const struct hf_checkin_update *update)
{
  hf_cbor_put_map(out, 1u + (update->version.len > 0) + (update->percent > 0) + (update->rule > 0));
  hf_fields_put_uint(out, UPDATE_STATE, update->state);
  if (update->version.len > 0) {
    hf_fields_put_text(out, UPDATE_VERSION, update->version);
  }
  if (update->percent > 0) {
    hf_fields_put_uint(out, UPDATE_PERCENT, update->percent);
  }
  if (update->rule > 0) {
    hf_fields_put_uint(out, UPDATE_RULE, update->rule);
  }
}

static void put_event(struct hf_buf *out, const struct hf_checkin_event *event)
{
  hf_cbor_put_map(out, 3u + (event->rule > 0) + (event->subject.len > 0));
  hf_fields_put_uint(out, EVENT_NUMBER, event->number);
  hf_fields_put_uint(out, EVENT_KIND, event->kind);
  hf_fields_put_uint(out, EVENT_TIME, seconds(event->time));
  if (event->rule > 0) {
    hf_fields_put_uint(out, EVENT_RULE, event->rule);
  }
  if (event->subject.len > 0) {
    hf_fields_put_text(out, EVENT_SUBJECT, event->subject);
  }
}

/* Order of text keys in deterministic CBOR: the shorter first, then by bytes. */
static int name_order(struct hf_bytes a, struct hf_bytes b)
{
  if (a.len != b.len) {
    return a.len < b.len ? -1 : 1;
  }
  return hf_bytes_order(a, b);
}

/* Selection by order: each turn writes the smallest name above the last one. Twice the same name: one is never
 * written, and the caller's count tells. */
static size_t put_attributes(struct hf_buf *out, const struct hf_checkin *checkin)
{
  const struct hf_checkin_attribute *last = NULL;
  size_t written = 0;
  hf_cbor_put_uint(out, CHECKIN_ATTRIBUTES);
  hf_cbor_put_map(out, checkin->attribute_count);
  for (; written < checkin->attribute_count; written++) {
    const struct hf_checkin_attribute *next = NULL;
    for (size_t i = 0; i < checkin->attribute_count; i++) {
      const struct hf_checkin_attribute *one = &checkin->attribute[i];
      bool above = last == NULL || name_order(one->name, last->name) > 0;
      if (above && (next == NULL || name_order(one->name, next->name) < 0)) {
        next = one;
      }
    }
    if (next == NULL) {
      break;
    }
    hf_cbor_put_text(out, next->name);
    hf_cbor_put_text(out, next->value);
    last = next;
  }
  return written;
}

/* Plain, as the CBOR reader at the other end wants it. */
static bool text_fits(struct hf_bytes text, size_t max) { return text.len <= max && hf_utf8_plain(text); }

static bool version_fits(struct hf_bytes text)
{
  struct hf_version version;
  return hf_version_parse(&version, text, NULL) == HF_OK;
}

bool hf_checkin_component_check(const struct hf_checkin_component *component)
{
  return hf_names_check_component(component->name) && version_fits(component->version);
}

static bool nonces_fit(struct hf_bytes nonces)
{
  return nonces.len % HF_TIMESIG_NONCE_LEN == 0 && nonces.len <= HF_TIMESIG_NONCES_MAX * HF_TIMESIG_NONCE_LEN;
}

/* The caller's values against the maxima; the reader at the other end will hold us to them. */
static bool checkin_fits(const struct hf_checkin *checkin)
{
  bool good = checkin->component_count >= 1 && checkin->component_count <= HF_CHECKIN_COMPONENTS_MAX &&
              checkin->event_count <= HF_CHECKIN_EVENTS_MAX && checkin->attribute_count <= HF_CHECKIN_ATTRIBUTES_MAX &&
              hf_names_check_product(checkin->product) && hf_names_check_hardware(checkin->hardware) &&
              checkin->update.state < HF_UPDATE_STATES &&
              (checkin->update.version.len == 0 || version_fits(checkin->update.version)) &&
              checkin->update.percent <= 100 && checkin->report.len <= HF_REPORT_MAX && nonces_fit(checkin->nonces);
  for (size_t i = 0; good && i < checkin->component_count; i++) {
    good = hf_checkin_component_check(&checkin->component[i]);
  }
  for (size_t i = 0; good && i < checkin->event_count; i++) {
    good = text_fits(checkin->event[i].subject, HF_CHECKIN_SUBJECT_MAX) &&
           (i == 0 || checkin->event[i].number > checkin->event[i - 1].number);
  }
  for (size_t i = 0; good && i < checkin->attribute_count; i++) {
    good = checkin->attribute[i].name.len > 0 && text_fits(checkin->attribute[i].name, HF_CHECKIN_ATTRIBUTE_NAME_MAX) &&
           text_fits(checkin->attribute[i].value, HF_CHECKIN_ATTRIBUTE_VALUE_MAX);
  }
  return good;
}

static void put_mandatory(struct hf_buf *out, const struct hf_checkin *checkin)
{
  hf_fields_put_uint(out, CHECKIN_PROTOCOL, HF_CHECKIN_PROTOCOL);
  hf_fields_put_uint(out, CHECKIN_BOOT, checkin->boot);
  hf_fields_put_uint(out, CHECKIN_NUMBER, checkin->number);
  hf_fields_put_text(out, CHECKIN_PRODUCT, checkin->product);
  hf_fields_put_text(out, CHECKIN_HARDWARE, checkin->hardware);
  hf_cbor_put_uint(out, CHECKIN_COMPONENTS);
  hf_cbor_put_array(out, checkin->component_count);
  for (size_t i = 0; i < checkin->component_count; i++) {
    hf_checkin_component_put(out, &checkin->component[i]);
  }
  hf_fields_put_uint(out, CHECKIN_RESET, checkin->reset);
  hf_cbor_put_uint(out, CHECKIN_UPDATE);
  put_update(out, &checkin->update);
  hf_fields_put_uint(out, CHECKIN_TIME, seconds(checkin->time));
}

enum hf_err hf_checkin_encode(struct hf_buf *out, const struct hf_checkin *checkin)
{
  if (!checkin_fits(checkin)) {
    return HF_E_INPUT;
  }
  hf_cbor_put_map(out, 9u + checkin->has_acted + (checkin->event_count > 0) + (checkin->attribute_count > 0) +
                           (checkin->storage > 0) + (checkin->postponed_until > 0) + (checkin->report.len > 0) +
                           checkin->has_keyset + (checkin->nonces.len > 0) + checkin->has_anchor);
  put_mandatory(out, checkin);
  if (checkin->has_acted) {
    hf_fields_put_uint(out, CHECKIN_ACTED, checkin->acted);
  }
  if (checkin->event_count > 0) {
    hf_cbor_put_uint(out, CHECKIN_EVENTS);
    hf_cbor_put_array(out, checkin->event_count);
  }
  for (size_t i = 0; i < checkin->event_count; i++) {
    put_event(out, &checkin->event[i]);
  }
  if (checkin->attribute_count > 0 && put_attributes(out, checkin) != checkin->attribute_count) {
    return HF_E_INPUT;
  }
  if (checkin->storage > 0) {
    hf_fields_put_uint(out, CHECKIN_STORAGE, checkin->storage);
  }
  if (checkin->postponed_until > 0) {
    hf_fields_put_uint(out, CHECKIN_POSTPONED, seconds(checkin->postponed_until));
  }
  put_key_bytes(out, CHECKIN_REPORT, checkin->report);
  if (checkin->has_keyset) {
    hf_fields_put_uint(out, CHECKIN_KEYSET, checkin->keyset);
  }
  put_key_bytes(out, CHECKIN_NONCE, checkin->nonces);
  if (checkin->has_anchor) {
    put_key_bytes(out, CHECKIN_ANCHOR, hf_bytes_init(checkin->anchor, sizeof checkin->anchor));
  }
  return out->failed ? HF_E_SPACE : HF_OK;
}

enum hf_err hf_checkin_answer_encode(struct hf_buf *out, const struct hf_checkin_answer *answer)
{
  uint32_t flags =
      (answer->renew ? FLAG_RENEW : 0u) | (answer->rekey ? FLAG_REKEY : 0u) | (answer->anchors ? FLAG_ANCHORS : 0u);
  hf_cbor_put_map(out, 3u + (answer->director > 0) + answer->has_events_to + answer->attributes_stored +
                           (answer->deadline > 0) + (flags != 0) + (answer->keyset > 0) +
                           (answer->timesig.sig.len > 0) + (answer->takeover > 0));
  hf_fields_put_uint(out, ANSWER_PROTOCOL, HF_CHECKIN_PROTOCOL);
  hf_fields_put_uint(out, ANSWER_TIME, seconds(answer->time));
  hf_fields_put_uint(out, ANSWER_NEXT, answer->next_s);
  if (answer->director > 0) {
    hf_fields_put_uint(out, ANSWER_DIRECTOR, answer->director);
  }
  if (answer->has_events_to) {
    hf_fields_put_uint(out, ANSWER_EVENTS, answer->events_to);
  }
  if (answer->attributes_stored) {
    hf_fields_put_uint(out, ANSWER_ATTRIBUTES, 1);
  }
  if (answer->deadline > 0) {
    hf_fields_put_uint(out, ANSWER_DEADLINE, seconds(answer->deadline));
  }
  if (flags != 0) {
    hf_fields_put_uint(out, ANSWER_FLAGS, flags);
  }
  if (answer->keyset > 0) {
    hf_fields_put_uint(out, ANSWER_KEYSET, answer->keyset);
  }
  if (answer->timesig.sig.len > 0) {
    hf_cbor_put_uint(out, ANSWER_SIGNED_TIME);
    hf_cbor_put_array(out, 2);
    hf_cbor_put_uint(out, seconds(answer->timesig.time));
    hf_cbor_put_bytes(out, answer->timesig.sig);
  }
  if (answer->takeover > 0) {
    hf_fields_put_uint(out, ANSWER_TAKEOVER, answer->takeover);
  }
  return out->failed ? HF_E_SPACE : HF_OK;
}

/* ---- reading ---- */

static struct hf_bytes take_version(struct hf_cbor *in)
{
  return hf_fields_name(in, HF_CHECKIN_VERSION_MAX, version_fits);
}

void hf_checkin_component_get(struct hf_checkin_component *component, struct hf_cbor *in)
{
  struct hf_fields map = hf_fields_open(in);
  for (int64_t key = hf_fields_next(&map, in); key >= 0; key = hf_fields_next(&map, in)) {
    switch (key) {
      case COMPONENT_NAME: component->name = hf_fields_name(in, HF_CHECKIN_NAME_MAX, hf_names_check_component); break;
      case COMPONENT_VERSION: component->version = take_version(in); break;
      case COMPONENT_DIGEST: hf_fields_digest(component->digest, in); break;
      case COMPONENT_COUNTER: component->counter = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
      case COMPONENT_SLOT: component->slot = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
      default: hf_cbor_skip(in); break;
    }
  }
  hf_fields_close(&map, in, COMPONENT_MANDATORY);
}

static void take_components(struct hf_checkin *checkin, struct hf_cbor *in)
{
  checkin->component_count = (uint8_t)hf_cbor_array(in, HF_CHECKIN_COMPONENTS_MAX);
  if (checkin->component_count == 0) {
    hf_cbor_fail(in, HF_RULE_CHECKIN_MISSING);
  }
  for (size_t i = 0; i < checkin->component_count && !hf_cbor_failed(in); i++) {
    hf_checkin_component_get(&checkin->component[i], in);
    for (size_t j = 0; j < i; j++) {
      if (hf_bytes_equal(checkin->component[i].name, checkin->component[j].name)) {
        hf_cbor_fail(in, HF_RULE_CHECKIN_COMPONENT_TWICE);
      }
    }
  }
}

static void take_update(struct hf_checkin_update *update, struct hf_cbor *in)
{
  struct hf_fields map = hf_fields_open(in);
  for (int64_t key = hf_fields_next(&map, in); key >= 0; key = hf_fields_next(&map, in)) {
    switch (key) {
      case UPDATE_STATE: update->state = (enum hf_update_state)hf_cbor_uint(in, HF_UPDATE_STATES - 1); break;
      case UPDATE_VERSION: update->version = take_version(in); break;
      case UPDATE_PERCENT: update->percent = (uint8_t)hf_cbor_uint(in, 100); break;
      case UPDATE_RULE: update->rule = (uint16_t)hf_cbor_uint(in, UINT16_MAX); break;
      default: hf_cbor_skip(in); break;
    }
  }
  hf_fields_close(&map, in, UPDATE_MANDATORY);
}

static void take_event(struct hf_checkin_event *event, struct hf_cbor *in)
{
  struct hf_fields map = hf_fields_open(in);
  for (int64_t key = hf_fields_next(&map, in); key >= 0; key = hf_fields_next(&map, in)) {
    switch (key) {
      case EVENT_NUMBER: event->number = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
      case EVENT_KIND: event->kind = (uint16_t)hf_cbor_uint(in, UINT16_MAX); break;
      case EVENT_TIME: event->time = hf_fields_time(in); break;
      case EVENT_RULE: event->rule = (uint16_t)hf_cbor_uint(in, UINT16_MAX); break;
      case EVENT_SUBJECT: event->subject = hf_cbor_text(in, HF_CHECKIN_SUBJECT_MAX); break;
      default: hf_cbor_skip(in); break;
    }
  }
  hf_fields_close(&map, in, EVENT_MANDATORY);
}

static void take_events(struct hf_checkin *checkin, struct hf_cbor *in)
{
  checkin->event_count = (uint8_t)hf_cbor_array(in, HF_CHECKIN_EVENTS_MAX);
  for (size_t i = 0; i < checkin->event_count && !hf_cbor_failed(in); i++) {
    take_event(&checkin->event[i], in);
    if (i > 0 && checkin->event[i].number <= checkin->event[i - 1].number) {
      hf_cbor_fail(in, HF_RULE_CHECKIN_EVENT_ORDER);
    }
  }
}

static void take_attributes(struct hf_checkin *checkin, struct hf_cbor *in)
{
  checkin->attribute_count = (uint8_t)hf_cbor_map(in, HF_CHECKIN_ATTRIBUTES_MAX);
  for (size_t i = 0; i < checkin->attribute_count && !hf_cbor_failed(in); i++) {
    struct hf_checkin_attribute *attribute = &checkin->attribute[i];
    attribute->name = hf_cbor_text(in, HF_CHECKIN_ATTRIBUTE_NAME_MAX);
    attribute->value = hf_cbor_text(in, HF_CHECKIN_ATTRIBUTE_VALUE_MAX);
    bool ordered = i == 0 || name_order(attribute->name, checkin->attribute[i - 1].name) > 0;
    if (!hf_cbor_failed(in) && (attribute->name.len == 0 || !ordered)) {
      hf_cbor_fail(in, HF_RULE_CHECKIN_NAME);
    }
  }
}

static void take_nonces(struct hf_checkin *checkin, struct hf_cbor *in)
{
  checkin->nonces = hf_cbor_bytes(in, HF_TIMESIG_NONCES_MAX * HF_TIMESIG_NONCE_LEN);
  if (!hf_cbor_failed(in) && (checkin->nonces.len == 0 || !nonces_fit(checkin->nonces))) {
    hf_cbor_fail(in, HF_RULE_CHECKIN_TYPE);
  }
}

static void take_anchor(struct hf_checkin *checkin, struct hf_cbor *in)
{
  struct hf_bytes anchor = hf_cbor_bytes(in, HF_CHECKIN_ANCHOR_LEN);
  if (anchor.len == HF_CHECKIN_ANCHOR_LEN) {
    checkin->has_anchor = true;
    memcpy(checkin->anchor, anchor.at, HF_CHECKIN_ANCHOR_LEN);
  }
}

static void take_member(struct hf_checkin *checkin, int64_t key, struct hf_cbor *in)
{
  switch (key) {
    case CHECKIN_BOOT: checkin->boot = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
    case CHECKIN_NUMBER: checkin->number = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
    case CHECKIN_PRODUCT: checkin->product = hf_fields_name(in, HF_CHECKIN_NAME_MAX, hf_names_check_product); break;
    case CHECKIN_HARDWARE:
      checkin->hardware = hf_fields_name(in, HF_CHECKIN_HARDWARE_MAX, hf_names_check_hardware);
      break;
    case CHECKIN_COMPONENTS: take_components(checkin, in); break;
    case CHECKIN_RESET: checkin->reset = (uint8_t)hf_cbor_uint(in, UINT8_MAX); break;
    case CHECKIN_UPDATE: take_update(&checkin->update, in); break;
    case CHECKIN_TIME: checkin->time = hf_fields_time(in); break;
    case CHECKIN_ACTED:
      checkin->acted = (uint32_t)hf_cbor_uint(in, UINT32_MAX);
      checkin->has_acted = true;
      break;
    case CHECKIN_EVENTS: take_events(checkin, in); break;
    case CHECKIN_ATTRIBUTES: take_attributes(checkin, in); break;
    case CHECKIN_STORAGE: checkin->storage = (uint8_t)hf_cbor_uint(in, UINT8_MAX); break;
    case CHECKIN_POSTPONED: checkin->postponed_until = hf_fields_time(in); break;
    case CHECKIN_REPORT: checkin->report = hf_cbor_bytes(in, HF_REPORT_MAX); break;
    case CHECKIN_KEYSET:
      checkin->keyset = (uint32_t)hf_cbor_uint(in, UINT32_MAX);
      checkin->has_keyset = true;
      break;
    case CHECKIN_NONCE: take_nonces(checkin, in); break;
    case CHECKIN_ANCHOR: take_anchor(checkin, in); break;
    default: hf_cbor_skip(in); break;
  }
}

/* The protocol number comes first, so that a newer message is called newer and not broken. */
static enum hf_err take_protocol(struct hf_fields *map, struct hf_cbor *in)
{
  if (hf_fields_next(map, in) != CHECKIN_PROTOCOL || hf_cbor_type(in) != HF_CBOR_UINT) {
    hf_cbor_fail(in, HF_RULE_CHECKIN_MISSING);
    return HF_E_INPUT;
  }
  uint64_t protocol = hf_cbor_uint(in, UINT64_MAX);
  if (!hf_cbor_failed(in) && protocol != HF_CHECKIN_PROTOCOL) {
    hf_cbor_fail(in, HF_RULE_CHECKIN_PROTOCOL);
    return HF_E_VERSION;
  }
  return hf_cbor_failed(in) ? HF_E_INPUT : HF_OK;
}

/* What both messages begin with. */
static enum hf_err open_message(struct hf_fields *map, struct hf_cbor *in, size_t len, uint32_t len_max,
                                struct hf_why *why)
{
  if (len > len_max) {
    hf_why_put(why, HF_RULE_CHECKIN_TOO_LONG, len_max);
    return HF_E_INPUT;
  }
  *map = hf_fields_open(in);
  return take_protocol(map, in);
}

enum hf_err hf_checkin_parse(struct hf_checkin *checkin, struct hf_bytes bytes, struct hf_why *why)
{
  struct hf_cbor in = hf_cbor_init(bytes, why);
  struct hf_fields map;
  memset(checkin, 0, sizeof *checkin);
  enum hf_err err = open_message(&map, &in, bytes.len, HF_CHECKIN_MAX, why);
  if (err != HF_OK) {
    return err;
  }
  for (int64_t key = hf_fields_next(&map, &in); key >= 0; key = hf_fields_next(&map, &in)) {
    take_member(checkin, key, &in);
  }
  hf_fields_close(&map, &in, CHECKIN_MANDATORY);
  return hf_cbor_done(&in) ? HF_OK : HF_E_INPUT;
}

/* Bits this device does not know are for another one. */
static void take_flags(struct hf_checkin_answer *answer, uint32_t flags)
{
  answer->renew = (flags & FLAG_RENEW) != 0;
  answer->rekey = (flags & FLAG_REKEY) != 0;
  answer->anchors = (flags & FLAG_ANCHORS) != 0;
}

static void take_timesig(struct hf_timesig *timesig, struct hf_cbor *in)
{
  if (hf_cbor_array(in, 2) != 2) {
    hf_cbor_fail(in, HF_RULE_CHECKIN_TYPE);
  }
  timesig->time = hf_fields_time(in);
  timesig->sig = hf_cbor_bytes(in, HF_SIG_MAX);
  if (!hf_cbor_failed(in) && timesig->sig.len == 0) {
    hf_cbor_fail(in, HF_RULE_CHECKIN_TYPE);
  }
}

static void take_answer_member(struct hf_checkin_answer *answer, int64_t key, struct hf_cbor *in)
{
  switch (key) {
    case ANSWER_TIME: answer->time = hf_fields_time(in); break;
    case ANSWER_NEXT: answer->next_s = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
    case ANSWER_DIRECTOR: answer->director = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
    case ANSWER_EVENTS:
      answer->events_to = (uint32_t)hf_cbor_uint(in, UINT32_MAX);
      answer->has_events_to = true;
      break;
    case ANSWER_ATTRIBUTES: answer->attributes_stored = hf_cbor_uint(in, 1) == 1; break;
    case ANSWER_DEADLINE: answer->deadline = hf_fields_time(in); break;
    case ANSWER_FLAGS: take_flags(answer, (uint32_t)hf_cbor_uint(in, UINT32_MAX)); break;
    case ANSWER_KEYSET: answer->keyset = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
    case ANSWER_TAKEOVER: answer->takeover = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
    case ANSWER_SIGNED_TIME: take_timesig(&answer->timesig, in); break;
    default: hf_cbor_skip(in); break;
  }
}

enum hf_err hf_checkin_answer_parse(struct hf_checkin_answer *answer, struct hf_bytes bytes, struct hf_why *why)
{
  struct hf_cbor in = hf_cbor_init(bytes, why);
  struct hf_fields map;
  memset(answer, 0, sizeof *answer);
  enum hf_err err = open_message(&map, &in, bytes.len, HF_CHECKIN_ANSWER_MAX, why);
  if (err != HF_OK) {
    return err;
  }
  for (int64_t key = hf_fields_next(&map, &in); key >= 0; key = hf_fields_next(&map, &in)) {
    take_answer_member(answer, key, &in);
  }
  hf_fields_close(&map, &in, ANSWER_MANDATORY);
  return hf_cbor_done(&in) ? HF_OK : HF_E_INPUT;
}

/* ---- names ---- */

const char *hf_update_state_name(unsigned state)
{
  static const char *const names[HF_UPDATE_STATES] = {"idle",      "offered",  "downloading", "staged",  "trying",
                                                      "confirmed", "reverted", "failed",      "refused", "postponed"};
  return state < HF_UPDATE_STATES ? names[state] : "unknown";
}

const char *hf_event_kind_name(unsigned kind)
{
  static const char *const names[HF_EVENT_KINDS] = {"unknown",   "boot",      "offered",  "downloaded", "staged",
                                                    "trying",    "confirmed", "reverted", "failed",     "refused",
                                                    "postponed", "renewed",   "clock",    "keyset",     "takeover"};
  return kind < HF_EVENT_KINDS ? names[kind] : "unknown";
}
