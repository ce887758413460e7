/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/fleet/batch.h"

#include <string.h>

#include "hf/codec/cbor.h"

#define PURPOSE HF_LIT("holdfast factory batch 1")
#define HEADER_MAX (HF_COSE_MAX + 512)
#define TIME_MAX UINT64_C(253402300799)
#define STORAGE_MAX 31

/* ---- writing ---- */

static enum hf_err put_item(struct hf_buf *out, struct hf_batch *batch, struct hf_bytes item)
{
  hf_cbor_put_bytes(out, item);
  hf_sha256(batch->head, item);
  return out->failed ? HF_E_SPACE : HF_OK;
}

static void put_uint(struct hf_buf *out, unsigned key, uint64_t value)
{
  hf_cbor_put_uint(out, key);
  hf_cbor_put_uint(out, value);
}

static void put_text(struct hf_buf *out, unsigned key, struct hf_bytes text)
{
  hf_cbor_put_uint(out, key);
  hf_cbor_put_text(out, text);
}

static void put_bytes(struct hf_buf *out, unsigned key, struct hf_bytes bytes)
{
  hf_cbor_put_uint(out, key);
  hf_cbor_put_bytes(out, bytes);
}

enum hf_err hf_batch_begin(struct hf_buf *out, struct hf_batch *batch, struct hf_bytes order_bytes,
                           struct hf_bytes station, int64_t now)
{
  uint8_t room[HEADER_MAX];
  struct hf_buf header = hf_buf_init(room, sizeof room);
  batch->entries = 0;
  batch->issued = 0;
  batch->closed = false;
  batch->opened = now;
  if (now < 0 || station.len == 0 || station.len > HF_BATCH_TEXT_MAX) {
    return HF_E_INPUT;
  }
  hf_cbor_put_map(&header, 4);
  put_uint(&header, 0, 1);
  put_bytes(&header, 1, order_bytes);
  put_text(&header, 2, station);
  put_uint(&header, 3, (uint64_t)now);
  return header.failed ? HF_E_SPACE : put_item(out, batch, hf_buf_bytes(&header));
}

static bool entry_check(const struct hf_batch_entry *entry)
{
  bool result = entry->kind == HF_BATCH_RESULT;
  bool issue = entry->kind == HF_BATCH_ISSUE;
  bool note = entry->kind == HF_BATCH_NOTE;
  return entry->kind >= HF_BATCH_RESERVE && entry->kind <= HF_BATCH_NOTE && entry->time >= 0 &&
         (uint64_t)entry->time <= TIME_MAX && (note ? entry->device.len == 0 : hf_names_check_device(entry->device)) &&
         entry->operator.len <= HF_BATCH_TEXT_MAX &&(entry->certificate.len > 0) == issue &&
         entry->certificate.len <= HF_CERT_MAX && entry->storage <= STORAGE_MAX && (issue || entry->storage == 0) &&
         (result ? entry->result == HF_BATCH_PASS || entry->result == HF_BATCH_FAIL : entry->result == 0) &&
         entry->reason.len <= HF_BATCH_TEXT_MAX && (result || note || entry->reason.len == 0) &&
         entry->debug < HF_FACTORY_LOCKS && entry->readout < HF_FACTORY_LOCKS &&
         (result || (entry->debug == 0 && entry->readout == 0)) &&
         (entry->boot_keys.len == 0 || (result && entry->boot_keys.len == HF_SHA256_LEN)) &&
         (entry->image.len == 0 || (result && entry->image.len == HF_SHA256_LEN)) &&
         (entry->version.len == 0 || (result && entry->version.len <= 25));
}

static void entry_put(struct hf_buf *out, const struct hf_batch *batch, const struct hf_batch_entry *entry)
{
  bool issue = entry->kind == HF_BATCH_ISSUE;
  bool result = entry->kind == HF_BATCH_RESULT;
  hf_cbor_put_map(out, issue ? 8U : result ? 13U : entry->kind == HF_BATCH_NOTE ? 7U : 6U);
  put_uint(out, 0, entry->number);
  put_bytes(out, 1, hf_bytes_init(batch->head, HF_SHA256_LEN));
  put_uint(out, 2, (uint64_t)entry->time);
  put_uint(out, 3, entry->kind);
  put_text(out, 4, entry->device);
  put_text(out, 5, entry->operator);
  if (issue) {
    put_bytes(out, 6, entry->certificate);
    put_uint(out, 7, entry->storage);
  } else if (result) {
    put_uint(out, 8, entry->result);
    put_text(out, 9, entry->reason);
    put_uint(out, 10, entry->debug);
    put_uint(out, 11, entry->readout);
    put_bytes(out, 12, entry->boot_keys);
    put_text(out, 13, entry->version);
    put_bytes(out, 14, entry->image);
  } else if (entry->kind == HF_BATCH_NOTE) {
    put_text(out, 9, entry->reason);
  }
}

enum hf_err hf_batch_put(struct hf_buf *out, struct hf_batch *batch, struct hf_batch_entry *entry)
{
  uint8_t room[HF_BATCH_ENTRY_MAX];
  struct hf_buf item = hf_buf_init(room, sizeof room);
  entry->number = batch->entries + 1;
  if (!entry_check(entry)) {
    return HF_E_INPUT;
  }
  entry_put(&item, batch, entry);
  if (item.failed) {
    return HF_E_SPACE;
  }
  batch->entries++;
  batch->issued += entry->kind == HF_BATCH_ISSUE ? 1 : 0;
  return put_item(out, batch, hf_buf_bytes(&item));
}

enum hf_err hf_batch_end(struct hf_buf *out, struct hf_batch *batch, int64_t now, struct hf_cose_signer signer)
{
  uint8_t room[256];
  uint8_t signed_room[512];
  struct hf_buf payload = hf_buf_init(room, sizeof room);
  struct hf_buf item = hf_buf_init(signed_room, sizeof signed_room);
  if (now < 0) {
    return HF_E_INPUT;
  }
  hf_cbor_put_map(&payload, 6);
  put_uint(&payload, 0, 1);
  put_text(&payload, 1, batch->order.id);
  put_uint(&payload, 2, batch->entries);
  put_uint(&payload, 3, batch->issued);
  put_bytes(&payload, 4, hf_bytes_init(batch->head, HF_SHA256_LEN));
  put_uint(&payload, 5, (uint64_t)now);
  enum hf_err err = payload.failed ? HF_E_SPACE : hf_cose_encode(&item, hf_buf_bytes(&payload), PURPOSE, signer);
  if (err == HF_OK) {
    batch->closed = true;
    batch->ended = now;
    err = put_item(out, batch, hf_buf_bytes(&item));
  }
  return err;
}

/* ---- reading ---- */

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule, size_t at)
{
  if (why != NULL && why->rule != HF_RULE_NONE) {
    why->at += (uint32_t)at; /* noted by a reader that began at the item */
  }
  hf_why_put(why, rule, (uint32_t)at);
  return HF_E_INPUT;
}

/* The next item; `at` moves behind it. HF_E_AGAIN: cut short. */
static enum hf_err take_item(struct hf_batch *batch, struct hf_bytes *item, size_t *start, size_t max,
                             struct hf_why *why)
{
  struct hf_why own = {0};
  struct hf_bytes rest = hf_bytes_init(batch->bytes.at + batch->at, batch->bytes.len - batch->at);
  struct hf_cbor in = hf_cbor_init(rest, &own);
  if (rest.len == 0) {
    return HF_E_NOT_FOUND;
  }
  *item = hf_cbor_bytes(&in, max);
  if (hf_cbor_failed(&in)) {
    return own.rule == HF_RULE_CBOR_END ? HF_E_AGAIN : refuse(why, HF_RULE_BATCH_SHAPE, batch->at);
  }
  *start = batch->at + in.cur.pos - item->len;
  batch->at += in.cur.pos;
  return HF_OK;
}

static bool take_key(struct hf_cbor *in, uint64_t wanted)
{
  return hf_cbor_uint(in, 64) == wanted && !hf_cbor_failed(in);
}

enum hf_verdict hf_batch_open(struct hf_batch *batch, struct hf_bytes bytes, const struct hf_pubkey *factory_ca,
                              struct hf_why *why)
{
  struct hf_bytes item;
  size_t start = 0;
  *batch = (struct hf_batch){.bytes = bytes};
  enum hf_err err = take_item(batch, &item, &start, HEADER_MAX, why);
  if (err != HF_OK) {
    hf_why_put(why, HF_RULE_FACTORY_SIGNED, 0);
    return HF_DENY;
  }
  struct hf_cbor in = hf_cbor_init(item, NULL);
  bool good = hf_cbor_map(&in, 4) == 4 && take_key(&in, 0) && hf_cbor_uint(&in, 1) == 1 && take_key(&in, 1);
  struct hf_bytes order = hf_cbor_bytes(&in, HF_COSE_MAX);
  good = good && take_key(&in, 2);
  batch->station = hf_cbor_text(&in, HF_BATCH_TEXT_MAX);
  good = good && take_key(&in, 3);
  batch->opened = (int64_t)hf_cbor_uint(&in, TIME_MAX);
  if (!good || !hf_cbor_done(&in) || batch->station.len == 0) {
    hf_why_put(why, HF_RULE_FACTORY_SIGNED, (uint32_t)start);
    return HF_DENY;
  }
  hf_sha256(batch->head, item);
  return hf_order_verify(&batch->order, order, factory_ca, why);
}

static bool take_issue(struct hf_cbor *in, struct hf_batch_entry *entry)
{
  bool good = take_key(in, 6);
  entry->certificate = hf_cbor_bytes(in, HF_CERT_MAX);
  good = good && take_key(in, 7);
  entry->storage = (unsigned)hf_cbor_uint(in, STORAGE_MAX);
  return good;
}

static bool take_result(struct hf_cbor *in, struct hf_batch_entry *entry)
{
  bool good = take_key(in, 8);
  entry->result = (unsigned)hf_cbor_uint(in, 2);
  good = good && take_key(in, 9);
  entry->reason = hf_cbor_text(in, HF_BATCH_TEXT_MAX);
  good = good && take_key(in, 10);
  entry->debug = (unsigned)hf_cbor_uint(in, HF_FACTORY_LOCKS - 1);
  good = good && take_key(in, 11);
  entry->readout = (unsigned)hf_cbor_uint(in, HF_FACTORY_LOCKS - 1);
  good = good && take_key(in, 12);
  entry->boot_keys = hf_cbor_bytes(in, HF_SHA256_LEN);
  good = good && take_key(in, 13);
  entry->version = hf_cbor_text(in, 25);
  good = good && take_key(in, 14);
  entry->image = hf_cbor_bytes(in, HF_SHA256_LEN);
  return good;
}

static bool take_entry(struct hf_batch_entry *entry, struct hf_bytes *before, struct hf_bytes item)
{
  struct hf_cbor in = hf_cbor_init(item, NULL);
  size_t members = hf_cbor_map(&in, 13);
  bool good = take_key(&in, 0);
  entry->number = hf_cbor_uint(&in, HF_BATCH_ENTRIES_MAX);
  good = good && take_key(&in, 1);
  *before = hf_cbor_bytes(&in, HF_SHA256_LEN);
  good = good && take_key(&in, 2);
  entry->time = (int64_t)hf_cbor_uint(&in, TIME_MAX);
  good = good && take_key(&in, 3);
  entry->kind = (enum hf_batch_kind)hf_cbor_uint(&in, HF_BATCH_NOTE);
  good = good && take_key(&in, 4);
  entry->device = hf_cbor_text(&in, HF_DEVICE_ID_MAX);
  good = good && take_key(&in, 5);
  entry->operator= hf_cbor_text(&in, HF_BATCH_TEXT_MAX);
  if (!good || hf_cbor_failed(&in)) {
    return false;
  }
  if (entry->kind == HF_BATCH_ISSUE) {
    good = members == 8 && take_issue(&in, entry);
  } else if (entry->kind == HF_BATCH_RESULT) {
    good = members == 13 && take_result(&in, entry);
  } else if (entry->kind == HF_BATCH_NOTE) {
    good = members == 7 && take_key(&in, 9);
    entry->reason = hf_cbor_text(&in, HF_BATCH_TEXT_MAX);
  } else {
    good = members == 6;
  }
  return good && hf_cbor_done(&in) && entry_check(entry);
}

/* What a certificate in the record must be: by the station, for a device of the order. */
static bool certificate_check(struct hf_batch *batch, const struct hf_batch_entry *entry)
{
  return hf_cert_parse(&batch->issue, entry->certificate) == HF_OK &&
         hf_cert_verify(&batch->issue, &batch->order.station) == HF_ALLOW &&
         hf_bytes_equal(batch->issue.device, entry->device) &&
         hf_bytes_equal(batch->issue.product, batch->order.product) &&
         hf_bytes_equal(batch->issue.hardware, batch->order.hardware);
}

static enum hf_err entry_verify(struct hf_batch *batch, const struct hf_batch_entry *entry, size_t at,
                                struct hf_why *why)
{
  uint64_t number;
  if (entry->kind != HF_BATCH_NOTE && hf_order_serials_number(&number, &batch->order.serials, entry->device) != HF_OK) {
    return refuse(why, HF_RULE_ORDER_SERIAL, at);
  }
  if (entry->kind != HF_BATCH_ISSUE) {
    return HF_OK;
  }
  if (entry->time < batch->order.not_before - HF_ORDER_SKEW_S ||
      entry->time > batch->order.not_after + HF_ORDER_SKEW_S) {
    return refuse(why, HF_RULE_ORDER_TIME, at);
  }
  if (!certificate_check(batch, entry)) {
    return refuse(why, HF_RULE_BATCH_CERTIFICATE, at);
  }
  batch->issued++;
  return batch->issued <= batch->order.quota ? HF_OK : refuse(why, HF_RULE_BATCH_OVER, at);
}

static enum hf_err take_end(struct hf_batch *batch, struct hf_bytes item, size_t at, struct hf_why *why)
{
  struct hf_cose cose;
  if (hf_cose_parse(&cose, item, why) != HF_OK ||
      hf_cose_verify(&cose, &batch->order.station, PURPOSE, why) != HF_ALLOW) {
    return refuse(why, HF_RULE_FACTORY_SIGNATURE, at);
  }
  struct hf_cbor in = hf_cbor_init(cose.payload, NULL);
  bool good = hf_cbor_map(&in, 6) == 6 && take_key(&in, 0) && hf_cbor_uint(&in, 1) == 1 && take_key(&in, 1) &&
              hf_bytes_equal(hf_cbor_text(&in, HF_ORDER_ID_MAX), batch->order.id) && take_key(&in, 2) &&
              hf_cbor_uint(&in, UINT64_MAX) == batch->entries && take_key(&in, 3) &&
              hf_cbor_uint(&in, UINT64_MAX) == batch->issued && take_key(&in, 4) &&
              hf_bytes_equal(hf_cbor_bytes(&in, HF_SHA256_LEN), hf_bytes_init(batch->head, HF_SHA256_LEN)) &&
              take_key(&in, 5);
  batch->ended = (int64_t)hf_cbor_uint(&in, TIME_MAX);
  if (!good || !hf_cbor_done(&in)) {
    return refuse(why, HF_RULE_BATCH_COUNT, at);
  }
  if (batch->at != batch->bytes.len) {
    return refuse(why, HF_RULE_CBOR_LEFTOVER, batch->at);
  }
  batch->closed = true;
  return HF_E_NOT_FOUND;
}

enum hf_err hf_batch_next(struct hf_batch *batch, struct hf_batch_entry *entry, struct hf_why *why)
{
  struct hf_bytes item;
  struct hf_bytes before;
  size_t start = 0;
  size_t from = batch->at;
  *entry = (struct hf_batch_entry){.number = 0};
  enum hf_err err = take_item(batch, &item, &start, HF_BATCH_ENTRY_MAX, why);
  if (err != HF_OK) {
    return err;
  }
  if (item.len > 0 && item.at[0] == 0x84) { /* an array of four: COSE_Sign1 */
    return take_end(batch, item, start, why);
  }
  if (!take_entry(entry, &before, item)) {
    batch->at = from;
    return refuse(why, HF_RULE_BATCH_SHAPE, start);
  }
  if (entry->number != batch->entries + 1 || !hf_bytes_equal(before, hf_bytes_init(batch->head, HF_SHA256_LEN))) {
    return refuse(why, HF_RULE_BATCH_CHAIN, start);
  }
  err = entry_verify(batch, entry, start, why);
  if (err == HF_OK) {
    batch->entries++;
    hf_sha256(batch->head, item);
  }
  return err;
}
