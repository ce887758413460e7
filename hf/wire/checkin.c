/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/checkin.h"

#include <string.h>

#include "hf/codec/cbor.h"
#include "hf/codec/text.h"
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
  CHECKIN_POSTPONED
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
  ANSWER_FLAGS
};

/* Members a map must have, as bits by key. */
#define BIT(key) (UINT32_C(1) << (key))
#define CHECKIN_MANDATORY (BIT(CHECKIN_TIME + 1) - 1)
#define COMPONENT_MANDATORY (BIT(COMPONENT_SLOT + 1) - 1)
#define UPDATE_MANDATORY BIT(UPDATE_STATE)
#define EVENT_MANDATORY (BIT(EVENT_TIME + 1) - 1)
#define ANSWER_MANDATORY (BIT(ANSWER_NEXT + 1) - 1)
/* Pairs in a map: ours and what a newer peer may add. */
#define PAIRS_MAX 32
#define FLAG_RENEW 1u

/* ---- writing ---- */

static void put_key_uint(struct hf_buf *out, unsigned key, uint64_t value)
{
  hf_cbor_put_uint(out, key);
  hf_cbor_put_uint(out, value);
}

static void put_key_text(struct hf_buf *out, unsigned key, struct hf_bytes text)
{
  hf_cbor_put_uint(out, key);
  hf_cbor_put_text(out, text);
}

static uint64_t seconds(int64_t time) { return time < 0 ? 0 : (uint64_t)time; }

static void put_component(struct hf_buf *out, const struct hf_checkin_component *component)
{
  hf_cbor_put_map(out, 5);
  put_key_text(out, COMPONENT_NAME, component->name);
  put_key_text(out, COMPONENT_VERSION, component->version);
  hf_cbor_put_uint(out, COMPONENT_DIGEST);
  hf_cbor_put_bytes(out, hf_bytes_init(component->digest, sizeof component->digest));
  put_key_uint(out, COMPONENT_COUNTER, component->counter);
  put_key_uint(out, COMPONENT_SLOT, component->slot);
}

static void put_update(struct hf_buf *out, const struct hf_checkin_update *update)
{
  hf_cbor_put_map(out, 1u + (update->version.len > 0) + (update->percent > 0) + (update->rule > 0));
  put_key_uint(out, UPDATE_STATE, update->state);
  if (update->version.len > 0) {
    put_key_text(out, UPDATE_VERSION, update->version);
  }
  if (update->percent > 0) {
    put_key_uint(out, UPDATE_PERCENT, update->percent);
  }
  if (update->rule > 0) {
    put_key_uint(out, UPDATE_RULE, update->rule);
  }
}

static void put_event(struct hf_buf *out, const struct hf_checkin_event *event)
{
  hf_cbor_put_map(out, 3u + (event->rule > 0) + (event->subject.len > 0));
  put_key_uint(out, EVENT_NUMBER, event->number);
  put_key_uint(out, EVENT_KIND, event->kind);
  put_key_uint(out, EVENT_TIME, seconds(event->time));
  if (event->rule > 0) {
    put_key_uint(out, EVENT_RULE, event->rule);
  }
  if (event->subject.len > 0) {
    put_key_text(out, EVENT_SUBJECT, event->subject);
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

/* The caller's values against the maxima; the reader at the other end will hold us to them. */
static bool checkin_fits(const struct hf_checkin *checkin)
{
  bool good = checkin->component_count >= 1 && checkin->component_count <= HF_CHECKIN_COMPONENTS_MAX &&
              checkin->event_count <= HF_CHECKIN_EVENTS_MAX && checkin->attribute_count <= HF_CHECKIN_ATTRIBUTES_MAX &&
              hf_names_check_product(checkin->product) && hf_names_check_hardware(checkin->hardware) &&
              checkin->update.state < HF_UPDATE_STATES &&
              (checkin->update.version.len == 0 || version_fits(checkin->update.version)) &&
              checkin->update.percent <= 100;
  for (size_t i = 0; good && i < checkin->component_count; i++) {
    good = hf_names_check_component(checkin->component[i].name) && version_fits(checkin->component[i].version);
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
  put_key_uint(out, CHECKIN_PROTOCOL, HF_CHECKIN_PROTOCOL);
  put_key_uint(out, CHECKIN_BOOT, checkin->boot);
  put_key_uint(out, CHECKIN_NUMBER, checkin->number);
  put_key_text(out, CHECKIN_PRODUCT, checkin->product);
  put_key_text(out, CHECKIN_HARDWARE, checkin->hardware);
  hf_cbor_put_uint(out, CHECKIN_COMPONENTS);
  hf_cbor_put_array(out, checkin->component_count);
  for (size_t i = 0; i < checkin->component_count; i++) {
    put_component(out, &checkin->component[i]);
  }
  put_key_uint(out, CHECKIN_RESET, checkin->reset);
  hf_cbor_put_uint(out, CHECKIN_UPDATE);
  put_update(out, &checkin->update);
  put_key_uint(out, CHECKIN_TIME, seconds(checkin->time));
}

enum hf_err hf_checkin_encode(struct hf_buf *out, const struct hf_checkin *checkin)
{
  if (!checkin_fits(checkin)) {
    return HF_E_INPUT;
  }
  hf_cbor_put_map(out, 9u + checkin->has_acted + (checkin->event_count > 0) + (checkin->attribute_count > 0) +
                           (checkin->storage > 0) + (checkin->postponed_until > 0));
  put_mandatory(out, checkin);
  if (checkin->has_acted) {
    put_key_uint(out, CHECKIN_ACTED, checkin->acted);
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
    put_key_uint(out, CHECKIN_STORAGE, checkin->storage);
  }
  if (checkin->postponed_until > 0) {
    put_key_uint(out, CHECKIN_POSTPONED, seconds(checkin->postponed_until));
  }
  return out->failed ? HF_E_SPACE : HF_OK;
}

enum hf_err hf_checkin_answer_encode(struct hf_buf *out, const struct hf_checkin_answer *answer)
{
  hf_cbor_put_map(out, 3u + (answer->director > 0) + answer->has_events_to + answer->attributes_stored +
                           (answer->deadline > 0) + answer->renew);
  put_key_uint(out, ANSWER_PROTOCOL, HF_CHECKIN_PROTOCOL);
  put_key_uint(out, ANSWER_TIME, seconds(answer->time));
  put_key_uint(out, ANSWER_NEXT, answer->next_s);
  if (answer->director > 0) {
    put_key_uint(out, ANSWER_DIRECTOR, answer->director);
  }
  if (answer->has_events_to) {
    put_key_uint(out, ANSWER_EVENTS, answer->events_to);
  }
  if (answer->attributes_stored) {
    put_key_uint(out, ANSWER_ATTRIBUTES, 1);
  }
  if (answer->deadline > 0) {
    put_key_uint(out, ANSWER_DEADLINE, seconds(answer->deadline));
  }
  if (answer->renew) {
    put_key_uint(out, ANSWER_FLAGS, FLAG_RENEW);
  }
  return out->failed ? HF_E_SPACE : HF_OK;
}

/* ---- reading ---- */

/* A map being read: keys ascend, mandatory ones are ticked off. */
struct map {
  size_t left;
  int64_t last;
  uint32_t seen;
};

static struct map open_map(struct hf_cbor *in) { return (struct map){.left = hf_cbor_map(in, PAIRS_MAX), .last = -1}; }

/* Next key, or -1 at the end. */
static int64_t next_key(struct map *map, struct hf_cbor *in)
{
  if (map->left == 0 || hf_cbor_failed(in)) {
    return -1;
  }
  map->left--;
  int64_t key = hf_cbor_key(in, &map->last);
  if (key >= 0 && key < 32) {
    map->seen |= BIT(key);
  }
  return hf_cbor_failed(in) ? -1 : key;
}

static void close_map(const struct map *map, struct hf_cbor *in, uint32_t mandatory)
{
  if (!hf_cbor_failed(in) && (map->seen & mandatory) != mandatory) {
    hf_cbor_fail(in, HF_RULE_CHECKIN_MISSING);
  }
}

static struct hf_bytes take_name(struct hf_cbor *in, size_t max, bool (*check)(struct hf_bytes))
{
  struct hf_bytes name = hf_cbor_text(in, max);
  if (!hf_cbor_failed(in) && !check(name)) {
    hf_cbor_fail(in, HF_RULE_CHECKIN_NAME);
  }
  return name;
}

static struct hf_bytes take_version(struct hf_cbor *in) { return take_name(in, HF_CHECKIN_VERSION_MAX, version_fits); }

static int64_t take_time(struct hf_cbor *in) { return (int64_t)hf_cbor_uint(in, INT64_MAX); }

static void take_digest(uint8_t out[HF_SHA256_LEN], struct hf_cbor *in)
{
  struct hf_bytes digest = hf_cbor_bytes(in, HF_SHA256_LEN);
  if (digest.len == HF_SHA256_LEN) {
    memcpy(out, digest.at, digest.len);
  } else {
    hf_cbor_fail(in, HF_RULE_CHECKIN_TYPE);
  }
}

static void take_component(struct hf_checkin_component *component, struct hf_cbor *in)
{
  struct map map = open_map(in);
  for (int64_t key = next_key(&map, in); key >= 0; key = next_key(&map, in)) {
    switch (key) {
      case COMPONENT_NAME: component->name = take_name(in, HF_CHECKIN_NAME_MAX, hf_names_check_component); break;
      case COMPONENT_VERSION: component->version = take_version(in); break;
      case COMPONENT_DIGEST: take_digest(component->digest, in); break;
      case COMPONENT_COUNTER: component->counter = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
      case COMPONENT_SLOT: component->slot = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
      default: hf_cbor_skip(in); break;
    }
  }
  close_map(&map, in, COMPONENT_MANDATORY);
}

static void take_components(struct hf_checkin *checkin, struct hf_cbor *in)
{
  checkin->component_count = (uint8_t)hf_cbor_array(in, HF_CHECKIN_COMPONENTS_MAX);
  if (checkin->component_count == 0) {
    hf_cbor_fail(in, HF_RULE_CHECKIN_MISSING);
  }
  for (size_t i = 0; i < checkin->component_count && !hf_cbor_failed(in); i++) {
    take_component(&checkin->component[i], in);
    for (size_t j = 0; j < i; j++) {
      if (hf_bytes_equal(checkin->component[i].name, checkin->component[j].name)) {
        hf_cbor_fail(in, HF_RULE_CHECKIN_COMPONENT_TWICE);
      }
    }
  }
}

static void take_update(struct hf_checkin_update *update, struct hf_cbor *in)
{
  struct map map = open_map(in);
  for (int64_t key = next_key(&map, in); key >= 0; key = next_key(&map, in)) {
    switch (key) {
      case UPDATE_STATE: update->state = (enum hf_update_state)hf_cbor_uint(in, HF_UPDATE_STATES - 1); break;
      case UPDATE_VERSION: update->version = take_version(in); break;
      case UPDATE_PERCENT: update->percent = (uint8_t)hf_cbor_uint(in, 100); break;
      case UPDATE_RULE: update->rule = (uint16_t)hf_cbor_uint(in, UINT16_MAX); break;
      default: hf_cbor_skip(in); break;
    }
  }
  close_map(&map, in, UPDATE_MANDATORY);
}

static void take_event(struct hf_checkin_event *event, struct hf_cbor *in)
{
  struct map map = open_map(in);
  for (int64_t key = next_key(&map, in); key >= 0; key = next_key(&map, in)) {
    switch (key) {
      case EVENT_NUMBER: event->number = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
      case EVENT_KIND: event->kind = (uint16_t)hf_cbor_uint(in, UINT16_MAX); break;
      case EVENT_TIME: event->time = take_time(in); break;
      case EVENT_RULE: event->rule = (uint16_t)hf_cbor_uint(in, UINT16_MAX); break;
      case EVENT_SUBJECT: event->subject = hf_cbor_text(in, HF_CHECKIN_SUBJECT_MAX); break;
      default: hf_cbor_skip(in); break;
    }
  }
  close_map(&map, in, EVENT_MANDATORY);
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

static void take_member(struct hf_checkin *checkin, int64_t key, struct hf_cbor *in)
{
  switch (key) {
    case CHECKIN_BOOT: checkin->boot = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
    case CHECKIN_NUMBER: checkin->number = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
    case CHECKIN_PRODUCT: checkin->product = take_name(in, HF_CHECKIN_NAME_MAX, hf_names_check_product); break;
    case CHECKIN_HARDWARE: checkin->hardware = take_name(in, HF_CHECKIN_HARDWARE_MAX, hf_names_check_hardware); break;
    case CHECKIN_COMPONENTS: take_components(checkin, in); break;
    case CHECKIN_RESET: checkin->reset = (uint8_t)hf_cbor_uint(in, UINT8_MAX); break;
    case CHECKIN_UPDATE: take_update(&checkin->update, in); break;
    case CHECKIN_TIME: checkin->time = take_time(in); break;
    case CHECKIN_ACTED:
      checkin->acted = (uint32_t)hf_cbor_uint(in, UINT32_MAX);
      checkin->has_acted = true;
      break;
    case CHECKIN_EVENTS: take_events(checkin, in); break;
    case CHECKIN_ATTRIBUTES: take_attributes(checkin, in); break;
    case CHECKIN_STORAGE: checkin->storage = (uint8_t)hf_cbor_uint(in, UINT8_MAX); break;
    case CHECKIN_POSTPONED: checkin->postponed_until = take_time(in); break;
    default: hf_cbor_skip(in); break;
  }
}

/* The protocol number comes first, so that a newer message is called newer and not broken. */
static enum hf_err take_protocol(struct map *map, struct hf_cbor *in)
{
  if (next_key(map, in) != CHECKIN_PROTOCOL || hf_cbor_type(in) != HF_CBOR_UINT) {
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
static enum hf_err open_message(struct map *map, struct hf_cbor *in, size_t len, uint32_t len_max, struct hf_why *why)
{
  if (len > len_max) {
    hf_why_put(why, HF_RULE_CHECKIN_TOO_LONG, len_max);
    return HF_E_INPUT;
  }
  *map = open_map(in);
  return take_protocol(map, in);
}

enum hf_err hf_checkin_parse(struct hf_checkin *checkin, struct hf_bytes bytes, struct hf_why *why)
{
  struct hf_cbor in = hf_cbor_init(bytes, why);
  struct map map;
  memset(checkin, 0, sizeof *checkin);
  enum hf_err err = open_message(&map, &in, bytes.len, HF_CHECKIN_MAX, why);
  if (err != HF_OK) {
    return err;
  }
  for (int64_t key = next_key(&map, &in); key >= 0; key = next_key(&map, &in)) {
    take_member(checkin, key, &in);
  }
  close_map(&map, &in, CHECKIN_MANDATORY);
  return hf_cbor_done(&in) ? HF_OK : HF_E_INPUT;
}

static void take_answer_member(struct hf_checkin_answer *answer, int64_t key, struct hf_cbor *in)
{
  switch (key) {
    case ANSWER_TIME: answer->time = take_time(in); break;
    case ANSWER_NEXT: answer->next_s = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
    case ANSWER_DIRECTOR: answer->director = (uint32_t)hf_cbor_uint(in, UINT32_MAX); break;
    case ANSWER_EVENTS:
      answer->events_to = (uint32_t)hf_cbor_uint(in, UINT32_MAX);
      answer->has_events_to = true;
      break;
    case ANSWER_ATTRIBUTES: answer->attributes_stored = hf_cbor_uint(in, 1) == 1; break;
    case ANSWER_DEADLINE: answer->deadline = take_time(in); break;
    case ANSWER_FLAGS: answer->renew = (hf_cbor_uint(in, UINT32_MAX) & FLAG_RENEW) != 0; break;
    default: hf_cbor_skip(in); break;
  }
}

enum hf_err hf_checkin_answer_parse(struct hf_checkin_answer *answer, struct hf_bytes bytes, struct hf_why *why)
{
  struct hf_cbor in = hf_cbor_init(bytes, why);
  struct map map;
  memset(answer, 0, sizeof *answer);
  enum hf_err err = open_message(&map, &in, bytes.len, HF_CHECKIN_ANSWER_MAX, why);
  if (err != HF_OK) {
    return err;
  }
  for (int64_t key = next_key(&map, &in); key >= 0; key = next_key(&map, &in)) {
    take_answer_member(answer, key, &in);
  }
  close_map(&map, &in, ANSWER_MANDATORY);
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
                                                    "postponed", "renewed",   "clock"};
  return kind < HF_EVENT_KINDS ? names[kind] : "unknown";
}
