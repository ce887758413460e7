/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/fleet/order.h"

#include <string.h>

#include "hf/codec/cbor.h"
#include "hf/wire/pubkey.h"

#define PURPOSE HF_LIT("holdfast factory order 1")
#define MEMBERS 15
#define TIME_MAX UINT64_C(253402300799) /* 9999-12-31T23:59:59Z */

const char *hf_order_file_name(enum hf_order_file file)
{
  static const char *const names[HF_ORDER_FILES] = {"server-ca.crt", "root.json", "director-root.json", "image.pub",
                                                    "first.img"};
  return names[file];
}

const char *hf_factory_lock_name(unsigned lock)
{
  static const char *const names[HF_FACTORY_LOCKS] = {"unknown", "open", "locked", "absent"};
  return lock < HF_FACTORY_LOCKS ? names[lock] : names[0];
}

/* ---- serials ---- */

static uint64_t ceiling(unsigned digits)
{
  uint64_t value = 1;
  for (unsigned i = 0; i < digits && i < HF_ORDER_DIGITS_MAX; i++) {
    value *= 10;
  }
  return value - 1;
}

static bool serials_check(const struct hf_order_serials *serials)
{
  uint8_t room[HF_DEVICE_ID_MAX];
  struct hf_buf id = hf_buf_init(room, sizeof room);
  if (serials->digits < 1 || serials->digits > HF_ORDER_DIGITS_MAX || serials->first > serials->last ||
      serials->last > ceiling(serials->digits)) {
    return false;
  }
  hf_order_serials_put_id(&id, serials, serials->first);
  return !id.failed && hf_names_check_device(hf_buf_bytes(&id));
}

/* Digits up to a mark; how many in `*digits`. */
static bool take_number(struct hf_cursor *cur, uint64_t *number, unsigned *digits, uint8_t mark)
{
  *number = 0;
  for (*digits = 0; *digits <= HF_ORDER_DIGITS_MAX; (*digits)++) {
    uint8_t c = hf_cursor_u8(cur);
    if (cur->failed) {
      return false;
    }
    if (c == mark) {
      return *digits > 0;
    }
    if (c < '0' || c > '9') {
      return false;
    }
    *number = *number * 10 + (uint64_t)(c - '0');
  }
  return false;
}

enum hf_err hf_order_serials_parse(struct hf_order_serials *serials, struct hf_bytes text)
{
  unsigned digits = 0;
  const uint8_t *brace = text.len == 0 ? NULL : memchr(text.at, '{', text.len);
  *serials = (struct hf_order_serials){.digits = 0};
  if (brace == NULL) {
    return HF_E_INPUT;
  }
  struct hf_cursor cur = hf_cursor_init(text);
  serials->prefix = hf_cursor_take(&cur, (size_t)(brace - text.at));
  (void)hf_cursor_u8(&cur);
  bool good = take_number(&cur, &serials->first, &serials->digits, '-') &&
              take_number(&cur, &serials->last, &digits, '}') && digits == serials->digits && hf_cursor_done(&cur);
  return good && serials_check(serials) ? HF_OK : HF_E_INPUT;
}

static void put_digits(struct hf_buf *out, uint64_t number, unsigned digits)
{
  uint8_t room[20];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  hf_buf_put_uint(&text, number);
  for (size_t i = text.len; i < digits; i++) {
    hf_buf_put_u8(out, '0');
  }
  hf_buf_put(out, hf_buf_bytes(&text));
}

void hf_order_serials_put(struct hf_buf *out, const struct hf_order_serials *serials)
{
  hf_buf_put(out, serials->prefix);
  hf_buf_put_u8(out, '{');
  put_digits(out, serials->first, serials->digits);
  hf_buf_put_u8(out, '-');
  put_digits(out, serials->last, serials->digits);
  hf_buf_put_u8(out, '}');
}

void hf_order_serials_put_id(struct hf_buf *out, const struct hf_order_serials *serials, uint64_t number)
{
  hf_buf_put(out, serials->prefix);
  put_digits(out, number, serials->digits);
}

enum hf_err hf_order_serials_number(uint64_t *number, const struct hf_order_serials *serials, struct hf_bytes device)
{
  if (device.len != serials->prefix.len + serials->digits ||
      (serials->prefix.len > 0 && memcmp(device.at, serials->prefix.at, serials->prefix.len) != 0)) {
    return HF_E_INPUT;
  }
  *number = 0;
  for (size_t i = serials->prefix.len; i < device.len; i++) {
    if (device.at[i] < '0' || device.at[i] > '9') {
      return HF_E_INPUT;
    }
    *number = *number * 10 + (uint64_t)(device.at[i] - '0');
  }
  return *number >= serials->first && *number <= serials->last ? HF_OK : HF_E_INPUT;
}

/* ---- payload ---- */

static bool text_check(struct hf_bytes text, size_t max) { return text.len > 0 && text.len <= max; }

static bool order_check(const struct hf_order *order)
{
  static const char https[] = "https://";
  size_t len = sizeof https - 1;
  bool address =
      order->server.len > len && order->server.len <= HF_ORDER_SERVER_MAX && memcmp(order->server.at, https, len) == 0;
  return text_check(order->id, HF_ORDER_ID_MAX) && hf_names_check_product(order->id) &&
         hf_names_check_product(order->product) && hf_names_check_hardware(order->hardware) && address &&
         order->quota >= 1 && order->quota <= HF_ORDER_QUOTA_MAX && serials_check(&order->serials) &&
         order->serials.last - order->serials.first >= order->quota - 1 && order->not_before >= 0 &&
         order->not_before < order->not_after && (uint64_t)order->not_after <= TIME_MAX &&
         order->station.type == HF_KEY_P256 && order->station_ca.len > 0 && order->station_ca.len <= HF_CERT_MAX &&
         order->version.len <= 25;
}

static void put_files(struct hf_buf *out, const struct hf_order *order)
{
  size_t count = 0;
  for (size_t i = 0; i < HF_ORDER_FILES; i++) {
    count += order->file[i].there ? 1 : 0;
  }
  hf_cbor_put_map(out, count);
  for (size_t i = 0; i < HF_ORDER_FILES; i++) {
    if (order->file[i].there) {
      hf_cbor_put_uint(out, i);
      hf_cbor_put_array(out, 2);
      hf_cbor_put_uint(out, order->file[i].length);
      hf_cbor_put_bytes(out, hf_bytes_init(order->file[i].sha256, HF_SHA256_LEN));
    }
  }
}

static void put_demand(struct hf_buf *out, const struct hf_order *order)
{
  hf_cbor_put_map(out, 6);
  hf_cbor_put_uint(out, 0);
  hf_cbor_put_bool(out, order->debug_locked);
  hf_cbor_put_uint(out, 1);
  hf_cbor_put_bool(out, order->readout_locked);
  hf_cbor_put_uint(out, 2);
  hf_cbor_put_uint(out, order->storages);
  hf_cbor_put_uint(out, 3);
  hf_cbor_put_bytes(out, hf_bytes_init(order->boot_keys, order->has_boot_keys ? HF_SHA256_LEN : 0));
  hf_cbor_put_uint(out, 4);
  hf_cbor_put_text(out, order->version);
  hf_cbor_put_uint(out, 5);
  hf_cbor_put_bytes(out, hf_bytes_init(order->image, order->has_image ? HF_SHA256_LEN : 0));
}

static void put_text(struct hf_buf *out, unsigned key, struct hf_bytes text)
{
  hf_cbor_put_uint(out, key);
  hf_cbor_put_text(out, text);
}

static void put_uint(struct hf_buf *out, unsigned key, uint64_t value)
{
  hf_cbor_put_uint(out, key);
  hf_cbor_put_uint(out, value);
}

enum hf_err hf_order_encode(struct hf_buf *out, const struct hf_order *order)
{
  uint8_t room[HF_SPKI_MAX];
  struct hf_buf spki = hf_buf_init(room, sizeof room);
  if (!order_check(order)) {
    return HF_E_INPUT;
  }
  hf_pubkey_put_spki(&spki, &order->station);
  hf_cbor_put_map(out, MEMBERS);
  put_uint(out, 0, 1);
  put_text(out, 1, order->id);
  put_text(out, 2, order->product);
  put_text(out, 3, order->hardware);
  put_text(out, 4, order->server);
  put_uint(out, 5, order->quota);
  put_text(out, 6, order->serials.prefix);
  put_uint(out, 7, order->serials.digits);
  put_uint(out, 8, order->serials.first);
  put_uint(out, 9, order->serials.last);
  hf_cbor_put_uint(out, 10);
  hf_cbor_put_array(out, 2);
  hf_cbor_put_uint(out, (uint64_t)order->not_before);
  hf_cbor_put_uint(out, (uint64_t)order->not_after);
  hf_cbor_put_uint(out, 11);
  hf_cbor_put_bytes(out, hf_buf_bytes(&spki));
  hf_cbor_put_uint(out, 12);
  hf_cbor_put_bytes(out, order->station_ca);
  hf_cbor_put_uint(out, 13);
  put_files(out, order);
  hf_cbor_put_uint(out, 14);
  put_demand(out, order);
  return out->failed ? HF_E_SPACE : HF_OK;
}

static bool take_key(struct hf_cbor *in, uint64_t wanted)
{
  return hf_cbor_uint(in, 64) == wanted && !hf_cbor_failed(in);
}

static void take_hash(struct hf_cbor *in, bool *there, uint8_t out[HF_SHA256_LEN])
{
  struct hf_bytes hash = hf_cbor_bytes(in, HF_SHA256_LEN);
  *there = hash.len == HF_SHA256_LEN;
  if (*there) {
    memcpy(out, hash.at, HF_SHA256_LEN);
  } else if (hash.len != 0) {
    hf_cbor_fail(in, HF_RULE_ORDER_SHAPE);
  }
}

static void take_files(struct hf_cbor *in, struct hf_order *order)
{
  int64_t last = -1;
  size_t count = hf_cbor_map(in, HF_ORDER_FILES);
  for (size_t i = 0; i < count && !hf_cbor_failed(in); i++) {
    int64_t key = hf_cbor_key(in, &last);
    if (key < 0 || key >= HF_ORDER_FILES || hf_cbor_array(in, 2) != 2) {
      hf_cbor_fail(in, HF_RULE_ORDER_SHAPE);
      return;
    }
    struct hf_order_part *file = &order->file[key];
    file->length = hf_cbor_uint(in, UINT32_MAX);
    take_hash(in, &file->there, file->sha256);
    if (!file->there) {
      hf_cbor_fail(in, HF_RULE_ORDER_SHAPE);
    }
  }
}

static bool take_demand(struct hf_cbor *in, struct hf_order *order)
{
  bool good = hf_cbor_map(in, 6) == 6 && take_key(in, 0);
  order->debug_locked = hf_cbor_bool(in);
  good = good && take_key(in, 1);
  order->readout_locked = hf_cbor_bool(in);
  good = good && take_key(in, 2);
  order->storages = (uint32_t)hf_cbor_uint(in, UINT32_MAX);
  good = good && take_key(in, 3);
  take_hash(in, &order->has_boot_keys, order->boot_keys);
  good = good && take_key(in, 4);
  order->version = hf_cbor_text(in, 25);
  good = good && take_key(in, 5);
  take_hash(in, &order->has_image, order->image);
  return good && !hf_cbor_failed(in);
}

/* The names and numbers: keys 1 to 9. */
static bool take_front(struct hf_cbor *in, struct hf_order *order)
{
  bool good = take_key(in, 1);
  order->id = hf_cbor_text(in, HF_ORDER_ID_MAX);
  good = good && take_key(in, 2);
  order->product = hf_cbor_text(in, HF_PRODUCT_MAX);
  good = good && take_key(in, 3);
  order->hardware = hf_cbor_text(in, HF_HARDWARE_ID_MAX);
  good = good && take_key(in, 4);
  order->server = hf_cbor_text(in, HF_ORDER_SERVER_MAX);
  good = good && take_key(in, 5);
  order->quota = hf_cbor_uint(in, HF_ORDER_QUOTA_MAX);
  good = good && take_key(in, 6);
  order->serials.prefix = hf_cbor_text(in, HF_DEVICE_ID_MAX);
  good = good && take_key(in, 7);
  order->serials.digits = (unsigned)hf_cbor_uint(in, HF_ORDER_DIGITS_MAX);
  good = good && take_key(in, 8);
  order->serials.first = hf_cbor_uint(in, ceiling(HF_ORDER_DIGITS_MAX));
  good = good && take_key(in, 9);
  order->serials.last = hf_cbor_uint(in, ceiling(HF_ORDER_DIGITS_MAX));
  return good && !hf_cbor_failed(in);
}

enum hf_err hf_order_parse(struct hf_order *order, struct hf_bytes payload, struct hf_why *why)
{
  struct hf_cbor in = hf_cbor_init(payload, why);
  *order = (struct hf_order){.quota = 0};
  bool good = hf_cbor_map(&in, MEMBERS) == MEMBERS && take_key(&in, 0) && hf_cbor_uint(&in, 1) == 1 &&
              take_front(&in, order) && take_key(&in, 10) && hf_cbor_array(&in, 2) == 2;
  order->not_before = (int64_t)hf_cbor_uint(&in, TIME_MAX);
  order->not_after = (int64_t)hf_cbor_uint(&in, TIME_MAX);
  good = good && take_key(&in, 11) && hf_pubkey_parse_spki(&order->station, hf_cbor_bytes(&in, HF_SPKI_MAX)) == HF_OK &&
         take_key(&in, 12);
  order->station_ca = hf_cbor_bytes(&in, HF_CERT_MAX);
  good = good && take_key(&in, 13);
  take_files(&in, order);
  good = good && take_key(&in, 14) && take_demand(&in, order) && hf_cbor_done(&in);
  if (!good || !order_check(order)) {
    hf_why_put(why, HF_RULE_ORDER_SHAPE, (uint32_t)in.cur.pos);
    return HF_E_INPUT;
  }
  return HF_OK;
}

enum hf_err hf_order_sign(struct hf_buf *out, const struct hf_order *order, struct hf_cose_signer signer)
{
  uint8_t room[HF_COSE_PAYLOAD_MAX];
  struct hf_buf payload = hf_buf_init(room, sizeof room);
  enum hf_err err = hf_order_encode(&payload, order);
  return err == HF_OK ? hf_cose_encode(out, hf_buf_bytes(&payload), PURPOSE, signer) : err;
}

enum hf_verdict hf_order_verify(struct hf_order *order, struct hf_bytes bytes, const struct hf_pubkey *factory_ca,
                                struct hf_why *why)
{
  struct hf_cose cose;
  *order = (struct hf_order){.quota = 0};
  if (hf_cose_parse(&cose, bytes, why) != HF_OK || hf_cose_verify(&cose, factory_ca, PURPOSE, why) != HF_ALLOW ||
      hf_order_parse(order, cose.payload, why) != HF_OK) {
    return HF_DENY;
  }
  return HF_ALLOW;
}
