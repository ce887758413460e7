/* SPDX-License-Identifier: Apache-2.0
 * The check-in and its answer: what a device says each time it wakes up, and what it is told. Deterministic CBOR with
 * integer keys; keys of a newer peer are skipped. docs/spec/checkin.md has the CDDL.
 *
 * Structs hold views: parsing borrows the message, encoding borrows the caller's texts.
 */
#ifndef HF_WIRE_CHECKIN_H
#define HF_WIRE_CHECKIN_H

#include "hf/base/bytes.h"
#include "hf/base/why.h"
#include "hf/codec/cbor.h"
#include "hf/crypto/crypto.h"
#include "hf/wire/timesig.h"

#define HF_CHECKIN_PROTOCOL 1
/** A signed version report: four components with the longest names, or three secondaries' own signed reports. */
#define HF_REPORT_MAX 1536
/** A full check-in: 4 components, 8 events with subject, 16 attributes at their longest, a report, four nonces. */
#define HF_CHECKIN_MAX 4672
#define HF_CHECKIN_ANSWER_MAX 256
#define HF_CHECKIN_COMPONENTS_MAX 4
#define HF_CHECKIN_EVENTS_MAX 8
#define HF_CHECKIN_ATTRIBUTES_MAX 16
#define HF_CHECKIN_NAME_MAX 32 /* product, component */
#define HF_CHECKIN_HARDWARE_MAX 64
#define HF_CHECKIN_VERSION_MAX 24 /* "255.255.65535+4294967295" */
#define HF_CHECKIN_SUBJECT_MAX 64
#define HF_CHECKIN_ATTRIBUTE_NAME_MAX 32
#define HF_CHECKIN_ATTRIBUTE_VALUE_MAX 64

/** Where an update stands (wire numbers). `silent` is the server's own word and never travels. */
enum hf_update_state {
  HF_UPDATE_IDLE = 0,
  HF_UPDATE_OFFERED = 1,
  HF_UPDATE_DOWNLOADING = 2,
  HF_UPDATE_STAGED = 3,
  HF_UPDATE_TRYING = 4,
  HF_UPDATE_CONFIRMED = 5,
  HF_UPDATE_REVERTED = 6,
  HF_UPDATE_FAILED = 7,
  HF_UPDATE_REFUSED = 8,
  HF_UPDATE_POSTPONED = 9,
  HF_UPDATE_STATES = 10
};

/** What happened (wire numbers). */
enum hf_event_kind {
  HF_EVENT_BOOT = 1,
  HF_EVENT_OFFERED = 2,
  HF_EVENT_DOWNLOADED = 3,
  HF_EVENT_STAGED = 4,
  HF_EVENT_TRYING = 5,
  HF_EVENT_CONFIRMED = 6,
  HF_EVENT_REVERTED = 7,
  HF_EVENT_FAILED = 8,
  HF_EVENT_REFUSED = 9,
  HF_EVENT_POSTPONED = 10,
  HF_EVENT_RENEWED = 11,
  HF_EVENT_CLOCK = 12,
  HF_EVENT_KEYSET = 13,   /**< a signed key set was taken, or refused by `rule`; subject: its version */
  HF_EVENT_TAKEOVER = 14, /**< a takeover order was taken, or refused; subject: where it leads, or its version */
  HF_EVENT_KINDS = 15
};

/** Where the device key lives (wire numbers). */
enum hf_key_storage {
  HF_KEY_STORAGE_UNKNOWN = 0,
  HF_KEY_STORAGE_FILE = 1,
  HF_KEY_STORAGE_TPM = 2,
  HF_KEY_STORAGE_PKCS11 = 3,
  HF_KEY_STORAGE_SECURE_ELEMENT = 4,
  HF_KEY_STORAGE_TRUSTZONE = 5,
  HF_KEY_STORAGES = 6
};

/** Of a fingerprint, enough to tell the handful of CAs of one server apart. */
#define HF_CHECKIN_ANCHOR_LEN 8

struct hf_checkin_component {
  struct hf_bytes name;
  struct hf_bytes version;
  uint8_t digest[HF_SHA256_LEN]; /**< of the image as MCUboot counts it */
  uint32_t counter;
  uint32_t slot;
};

struct hf_checkin_update {
  enum hf_update_state state;
  struct hf_bytes version; /**< wanted; empty: absent */
  uint8_t percent;         /**< 0..100; 0: absent */
  uint16_t rule;           /**< enum hf_rule; 0: absent */
};

struct hf_checkin_event {
  uint32_t number;         /**< counts up for the device's life */
  uint16_t kind;           /**< an enum hf_event_kind, or one of a newer device */
  int64_t time;            /**< seconds; 0 unknown */
  uint16_t rule;           /**< 0: absent */
  struct hf_bytes subject; /**< a version, an address; empty: absent */
};

struct hf_checkin_attribute {
  struct hf_bytes name;
  struct hf_bytes value; /**< empty: the attribute was removed */
};

struct hf_checkin {
  uint32_t boot;   /**< boot id: counts up at each boot */
  uint32_t number; /**< within this boot */
  struct hf_bytes product;
  struct hf_bytes hardware;
  uint8_t reset;   /**< enum hf_reset of hf/device/port.h; a newer device may send others */
  uint8_t storage; /**< enum hf_key_storage; 0: absent */
  struct hf_checkin_update update;
  int64_t time; /**< seconds; 0 unknown */
  bool has_acted;
  uint32_t acted;          /**< director version of the last answer that was acted on */
  int64_t postponed_until; /**< seconds; 0: absent */
  bool has_keyset;         /**< the boot loader takes signed key sets (hf/wire/keyset.h) */
  uint32_t keyset;         /**< version of the one the device has; 0: only what is compiled in */
  uint8_t component_count; /**< 1..HF_CHECKIN_COMPONENTS_MAX */
  struct hf_checkin_component component[HF_CHECKIN_COMPONENTS_MAX];
  uint8_t event_count;
  struct hf_checkin_event event[HF_CHECKIN_EVENTS_MAX]; /**< oldest first, numbers ascending */
  bool has_anchor;
  uint8_t anchor[HF_CHECKIN_ANCHOR_LEN]; /**< of the newest server CA the device trusts: first bytes of its SHA-256 */
  uint8_t attribute_count;
  struct hf_checkin_attribute attribute[HF_CHECKIN_ATTRIBUTES_MAX]; /**< in CBOR's key order: shorter names first */
  struct hf_bytes report; /**< signed version report (hf/wire/report.h), not looked into; empty: absent */
  struct hf_bytes nonces; /**< asks for signed time (hf/wire/timesig.h); empty: absent */
};

struct hf_checkin_answer {
  int64_t time;      /**< the server's, seconds */
  uint32_t next_s;   /**< come back in so many seconds */
  uint32_t director; /**< director version to fetch; 0: absent, nothing new */
  bool has_events_to;
  uint32_t events_to; /**< events up to this number are on disk */
  bool attributes_stored;
  int64_t deadline;          /**< for installing, seconds since 1970; 0: absent */
  bool renew;                /**< renew the certificate now */
  bool rekey;                /**< and with a new key, whatever the port would do otherwise */
  bool anchors;              /**< fetch the server CAs anew: there is one the device does not trust yet */
  uint32_t keyset;           /**< a newer key set of this version is there to fetch; 0: absent */
  uint32_t takeover;         /**< a takeover order of this version is there to fetch; 0: absent */
  struct hf_timesig timesig; /**< over the nonces of the check-in; `sig` empty: absent */
};

/** One component, as check-ins and version reports carry it. Reading fails the reader by rule 500-599. */
void hf_checkin_component_put(struct hf_buf *out, const struct hf_checkin_component *component);
void hf_checkin_component_get(struct hf_checkin_component *component, struct hf_cbor *in);
/** May this component be written: name and version as they must be? */
bool hf_checkin_component_check(const struct hf_checkin_component *component);

/** Append a check-in. Attributes are written sorted whatever their order in the struct. HF_E_INPUT: a text or count
 * beyond its maximum, or twice the same attribute; HF_E_SPACE. */
HF_MUST enum hf_err hf_checkin_encode(struct hf_buf *out, const struct hf_checkin *checkin);
/** Read a check-in, the whole input. HF_E_INPUT with rule 500-599 or of the CBOR reader; HF_E_VERSION: another
 * protocol. @param checkin fills; borrows `bytes` */
HF_MUST enum hf_err hf_checkin_parse(struct hf_checkin *checkin, struct hf_bytes bytes, struct hf_why *why);
HF_MUST enum hf_err hf_checkin_answer_encode(struct hf_buf *out, const struct hf_checkin_answer *answer);
HF_MUST enum hf_err hf_checkin_answer_parse(struct hf_checkin_answer *answer, struct hf_bytes bytes,
                                            struct hf_why *why);

/** "idle", "offered" ... for logs and the API; "unknown" for other numbers. Static. */
const char *hf_update_state_name(unsigned state);
/** "boot", "offered" ...; "unknown" for other numbers. Static. */
const char *hf_event_kind_name(unsigned kind);

#endif
