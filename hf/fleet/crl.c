/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/fleet/crl.h"

#include <string.h>

#include "hf/base/time.h"

enum {
  DER_INTEGER = 0x02,
  DER_BIT_STRING = 0x03,
  DER_OCTET_STRING = 0x04,
  DER_ENUMERATED = 0x0a,
  DER_UTC_TIME = 0x17,
  DER_GENERALIZED_TIME = 0x18,
  DER_SEQUENCE = 0x30
};

/** An entry at its longest: 18 for the serial, 17 for the time, 14 for the reason, 2 around them. */
#define ENTRY_DER_MAX 51
/** Everything that is no entry: names, dates, extensions, signature. */
#define AROUND_MAX (HF_CRL_NAME_MAX + HF_CRL_KEY_ID_MAX + 256)
/** 2050-01-01T00:00:00Z: from here on times are written with four digits of the year (RFC 5280 section 5.1.2.4). */
#define YEAR_2050 INT64_C(2524608000)

/* AlgorithmIdentifier of ecdsa-with-SHA256 (RFC 5758 section 3.2). */
static const struct hf_bytes algorithm = HF_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02");
/* Extension, OID cRLReasons 2.5.29.21, and the octet string around the reason. */
static const struct hf_bytes reason_head = HF_LIT("\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01");

static const struct {
  int64_t reason;
  const char *name;
} reasons[] = {{HF_CRL_UNSPECIFIED, "unspecified"},
               {HF_CRL_KEY_COMPROMISE, "keyCompromise"},
               {HF_CRL_AFFILIATION_CHANGED, "affiliationChanged"},
               {HF_CRL_SUPERSEDED, "superseded"},
               {HF_CRL_CESSATION, "cessationOfOperation"},
               {HF_CRL_PRIVILEGE_WITHDRAWN, "privilegeWithdrawn"}};
#define REASON_COUNT (sizeof reasons / sizeof reasons[0])

const char *hf_crl_reason_name(int64_t reason)
{
  for (size_t i = 0; i < REASON_COUNT; i++) {
    if (reasons[i].reason == reason) {
      return reasons[i].name;
    }
  }
  return NULL;
}

enum hf_err hf_crl_reason_parse(int64_t *reason, struct hf_bytes name)
{
  for (size_t i = 0; i < REASON_COUNT; i++) {
    if (hf_bytes_is(name, reasons[i].name)) {
      *reason = reasons[i].reason;
      return HF_OK;
    }
  }
  return HF_E_INPUT;
}

/* ---- entries ---- */

void hf_crl_put_entry(struct hf_buf *entries, const uint8_t serial[HF_CRL_SERIAL_LEN], int64_t time,
                      enum hf_crl_reason reason)
{
  hf_buf_put(entries, hf_bytes_init(serial, HF_CRL_SERIAL_LEN));
  hf_buf_put_be64(entries, (uint64_t)time);
  hf_buf_put_u8(entries, (uint8_t)reason);
}

size_t hf_crl_room(size_t entries_len) { return entries_len / HF_CRL_ENTRY_LEN * ENTRY_DER_MAX + AROUND_MAX; }

struct entry {
  const uint8_t *serial;
  int64_t time;
  uint8_t reason;
};

static struct entry entry_at(struct hf_bytes entries, size_t i)
{
  struct hf_cursor cur = hf_cursor_init(hf_bytes_init(entries.at + i * HF_CRL_ENTRY_LEN, HF_CRL_ENTRY_LEN));
  struct entry entry = {.serial = hf_cursor_take(&cur, HF_CRL_SERIAL_LEN).at};
  uint64_t time = hf_cursor_be64(&cur);
  entry.time = time <= (uint64_t)HF_TIME_MAX ? (int64_t)time : -1;
  entry.reason = hf_cursor_u8(&cur);
  return entry;
}

enum hf_err hf_crl_check(struct hf_bytes entries, int64_t now)
{
  const uint8_t *before = NULL;
  if (entries.len % HF_CRL_ENTRY_LEN != 0 || entries.len / HF_CRL_ENTRY_LEN > HF_CRL_ENTRIES_MAX) {
    return HF_E_INPUT;
  }
  for (size_t i = 0; i < entries.len / HF_CRL_ENTRY_LEN; i++) {
    struct entry entry = entry_at(entries, i);
    if ((entry.serial[0] & 0xc0) != 0x40 || entry.time < 0 || entry.time > now ||
        hf_crl_reason_name(entry.reason) == NULL ||
        (before != NULL && memcmp(before, entry.serial, HF_CRL_SERIAL_LEN) >= 0)) {
      return HF_E_INPUT;
    }
    before = entry.serial;
  }
  return HF_OK;
}

/* ---- DER, with lengths beyond what keys need ---- */

static void head_put(struct hf_buf *out, uint8_t tag, size_t len)
{
  hf_buf_put_u8(out, tag);
  if (len < 0x80) {
    hf_buf_put_u8(out, (uint8_t)len);
  } else if (len < 0x100) {
    hf_buf_put_u8(out, 0x81);
    hf_buf_put_u8(out, (uint8_t)len);
  } else if (len < 0x10000) {
    hf_buf_put_u8(out, 0x82);
    hf_buf_put_be16(out, (uint16_t)len);
  } else {
    hf_buf_put_u8(out, 0x83); /* 16 MB: more than HF_CRL_ENTRIES_MAX entries make */
    hf_buf_put_u8(out, (uint8_t)(len >> 16));
    hf_buf_put_be16(out, (uint16_t)len);
  }
}

static size_t head_len(size_t len) { return len < 0x80 ? 2 : len < 0x100 ? 3 : len < 0x10000 ? 4 : 5; }

static void element_put(struct hf_buf *out, uint8_t tag, struct hf_bytes content)
{
  head_put(out, tag, content.len);
  hf_buf_put(out, content);
}

/* "2026-11-20T10:44:31Z" is what the base layer writes: the digits of it, with or without the century. */
static void time_put(struct hf_buf *out, int64_t seconds)
{
  uint8_t room[HF_TIME_TEXT_LEN];
  uint8_t digits[16];
  size_t count = 0;
  struct hf_buf text = hf_buf_init(room, sizeof room);
  hf_time_put(&text, seconds);
  for (size_t i = seconds < YEAR_2050 ? 2 : 0; i < text.len && count < sizeof digits; i++) {
    if ((room[i] >= '0' && room[i] <= '9') || room[i] == 'Z') {
      digits[count++] = room[i];
    }
  }
  element_put(out, seconds < YEAR_2050 ? DER_UTC_TIME : DER_GENERALIZED_TIME, hf_bytes_init(digits, count));
}

static void entry_put(struct hf_buf *out, const struct entry *entry)
{
  uint8_t room[ENTRY_DER_MAX];
  struct hf_buf inside = hf_buf_init(room, sizeof room);
  element_put(&inside, DER_INTEGER, hf_bytes_init(entry->serial, HF_CRL_SERIAL_LEN));
  time_put(&inside, entry->time);
  if (entry->reason != HF_CRL_UNSPECIFIED) { /* section 5.3.1: left out rather than said */
    hf_buf_put(&inside, reason_head);
    hf_buf_put_u8(&inside, entry->reason);
  }
  element_put(out, DER_SEQUENCE, hf_buf_bytes(&inside));
}

/* An INTEGER, positive, shortest form. */
static void number_put(struct hf_buf *out, uint64_t number)
{
  uint8_t room[9] = {0};
  size_t from = 8;
  for (size_t i = 0; i < 8; i++) {
    room[8 - i] = (uint8_t)(number >> (8 * i));
    from = room[8 - i] != 0 ? 8 - i : from;
  }
  from = (room[from] & 0x80) != 0 ? from - 1 : from;
  element_put(out, DER_INTEGER, hf_bytes_init(room + from, sizeof room - from));
}

/* [0] EXPLICIT Extensions: authority key identifier and CRL number, both of which section 5.2 demands. */
static void extensions_put(struct hf_buf *out, const struct hf_crl *crl)
{
  uint8_t rooms[4][HF_CRL_KEY_ID_MAX + 64];
  struct hf_buf key = hf_buf_init(rooms[0], sizeof rooms[0]);
  struct hf_buf value = hf_buf_init(rooms[1], sizeof rooms[1]);
  struct hf_buf one = hf_buf_init(rooms[2], sizeof rooms[2]);
  uint8_t both_room[2 * (HF_CRL_KEY_ID_MAX + 64)];
  struct hf_buf both = hf_buf_init(both_room, sizeof both_room);
  element_put(&key, 0x80, crl->key_id); /* [0] keyIdentifier */
  element_put(&value, DER_SEQUENCE, hf_buf_bytes(&key));
  hf_buf_put(&one, HF_LIT("\x06\x03\x55\x1d\x23")); /* 2.5.29.35 */
  element_put(&one, DER_OCTET_STRING, hf_buf_bytes(&value));
  element_put(&both, DER_SEQUENCE, hf_buf_bytes(&one));
  value.len = one.len = 0;
  number_put(&value, crl->number);
  hf_buf_put(&one, HF_LIT("\x06\x03\x55\x1d\x14")); /* 2.5.29.20 */
  element_put(&one, DER_OCTET_STRING, hf_buf_bytes(&value));
  element_put(&both, DER_SEQUENCE, hf_buf_bytes(&one));
  struct hf_buf list = hf_buf_init(rooms[3], sizeof rooms[3]);
  element_put(&list, DER_SEQUENCE, hf_buf_bytes(&both));
  element_put(out, 0xa0, hf_buf_bytes(&list));
}

static size_t entries_size(struct hf_bytes entries)
{
  size_t size = 0;
  for (size_t i = 0; i < entries.len / HF_CRL_ENTRY_LEN; i++) {
    struct entry entry = entry_at(entries, i);
    size += ENTRY_DER_MAX - (entry.time < YEAR_2050 ? 2u : 0u) - (entry.reason == HF_CRL_UNSPECIFIED ? 14u : 0u);
  }
  return size;
}

static bool sound(const struct hf_crl *crl)
{
  return crl->issuer.len > 0 && crl->issuer.len <= HF_CRL_NAME_MAX && crl->key_id.len > 0 &&
         crl->key_id.len <= HF_CRL_KEY_ID_MAX && crl->this_update >= 0 && crl->next_update > crl->this_update &&
         crl->next_update <= HF_TIME_MAX && hf_crl_check(crl->entries, crl->this_update) == HF_OK;
}

enum hf_err hf_crl_put_tbs(struct hf_buf *out, const struct hf_crl *crl)
{
  uint8_t front_room[AROUND_MAX];
  uint8_t back_room[AROUND_MAX];
  struct hf_buf front = hf_buf_init(front_room, sizeof front_room);
  struct hf_buf back = hf_buf_init(back_room, sizeof back_room);
  if (!sound(crl)) {
    return HF_E_INPUT;
  }
  number_put(&front, 1); /* version 2 */
  hf_buf_put(&front, algorithm);
  hf_buf_put(&front, crl->issuer);
  time_put(&front, crl->this_update);
  time_put(&front, crl->next_update);
  extensions_put(&back, crl);
  size_t entries = entries_size(crl->entries);
  size_t list = entries == 0 ? 0 : head_len(entries) + entries; /* section 5.1.2.6: no list rather than an empty one */
  head_put(out, DER_SEQUENCE, front.len + list + back.len);
  hf_buf_put(out, hf_buf_bytes(&front));
  if (list > 0) {
    head_put(out, DER_SEQUENCE, entries);
  }
  for (size_t i = 0; i < crl->entries.len / HF_CRL_ENTRY_LEN; i++) {
    struct entry entry = entry_at(crl->entries, i);
    entry_put(out, &entry);
  }
  hf_buf_put(out, hf_buf_bytes(&back));
  return out->failed || front.failed || back.failed ? HF_E_SPACE : HF_OK;
}

enum hf_err hf_crl_put(struct hf_buf *out, struct hf_bytes tbs, struct hf_bytes sig)
{
  size_t bits = sig.len + 1; /* a BIT STRING begins with the count of unused bits */
  head_put(out, DER_SEQUENCE, tbs.len + algorithm.len + head_len(bits) + bits);
  hf_buf_put(out, tbs);
  hf_buf_put(out, algorithm);
  head_put(out, DER_BIT_STRING, bits);
  hf_buf_put_u8(out, 0);
  hf_buf_put(out, sig);
  return out->failed ? HF_E_SPACE : HF_OK;
}
