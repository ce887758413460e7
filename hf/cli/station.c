/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* realpath */
#include "hf/cli/station.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "hf/cli/journal.h"
#include "hf/cli/offline.h"
#include "hf/cli/output.h"
#include "hf/cli/pki.h"
#include "hf/cli/term.h"
#include "hf/codec/json.h"
#include "hf/codec/text.h"
#include "hf/wire/pubkey.h"

/** A record of HF_ORDER_QUOTA_MAX devices with certificates and a few tests each. */
#define RECORD_MAX (256U << 20)
/** An image file of ours is at most 64 MiB. */
#define FILE_MAX (64U << 20)

/* What is known of a device id. */
struct made {
  char device[HF_DEVICE_ID_MAX + 1];
  uint8_t key[HF_SHA256_LEN];
  bool issued;
  unsigned result; /* the last one */
  uint64_t at;     /* of the certificate in the record */
  size_t len;
};

struct hf_station {
  struct hf_station_place place;
  struct hf_blob order_bytes;
  struct hf_blob factory_ca;
  struct hf_key *key;
  char name[HF_BATCH_TEXT_MAX + 1];
  uint8_t ca_room[HF_PKI_PEM_MAX]; /* the station's CA for this order, PEM */
  struct hf_buf ca;
  struct hf_batch batch;
  struct hf_journal journal;
  struct made *made;
  size_t made_count;
  size_t made_cap;
  uint64_t next; /* number of the next device id to give out */
};

static enum hf_err sign(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

struct hf_cose_signer hf_station_signer(const struct hf_key *key)
{
  struct hf_pubkey pub = {.type = HF_KEY_NONE};
  union {
    const struct hf_key *in;
    void *out;
  } ctx = {.in = key}; /* a signer's context is not const for the sake of signers with state */
  if (hf_key_public(&pub, key) != HF_OK) {
    pub.type = HF_KEY_NONE;
  }
  return (struct hf_cose_signer){.sign = sign, .ctx = ctx.out, .type = pub.type};
}

const struct hf_order *hf_station_order(const struct hf_station *station) { return &station->batch.order; }

struct hf_station_count hf_station_count(const struct hf_station *station)
{
  struct hf_station_count count = {.quota = station->batch.order.quota, .closed = station->batch.closed};
  for (size_t i = 0; i < station->made_count; i++) {
    count.reserved++;
    count.issued += station->made[i].issued ? 1 : 0;
    count.passed += station->made[i].result == HF_BATCH_PASS ? 1 : 0;
    count.failed += station->made[i].result == HF_BATCH_FAIL ? 1 : 0;
  }
  return count;
}

/* ---- making a station ---- */

static enum hf_err put_file(const char *dir, const char *name, struct hf_bytes bytes, mode_t mode)
{
  char path[HF_PATH_MAX];
  enum hf_err err = hf_path_join(path, dir, name);
  err = err == HF_OK ? hf_disk_put_new(path, bytes, mode) : err;
  if (err != HF_OK) {
    hf_disk_complain(err, "write", path);
  }
  return err;
}

static enum hf_err put_keys(const char *dir)
{
  uint8_t room[HF_KEY_PEM_MAX];
  uint8_t pub_room[HF_PUBKEY_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  struct hf_buf pub_pem = hf_buf_init(pub_room, sizeof pub_room);
  struct hf_key *key = NULL;
  struct hf_pubkey pub;
  enum hf_err err = hf_key_new(&key, HF_KEY_P256);
  err = err == HF_OK ? hf_key_public(&pub, key) : err;
  err = err == HF_OK ? hf_key_encode(&pem, key, hf_bytes_init(NULL, 0)) : err;
  if (err == HF_OK) {
    hf_pubkey_put_pem(&pub_pem, &pub);
    err = put_file(dir, "station.pem", hf_buf_bytes(&pem), 0600);
    err = err == HF_OK ? put_file(dir, "station.pub", hf_buf_bytes(&pub_pem), 0644) : err;
  } else {
    hf_complain(dir, "try again", "no key could be made (%s)", hf_err_name(err));
  }
  hf_secret_wipe(room, sizeof room);
  hf_key_free(key);
  return err;
}

enum hf_err hf_station_init(const char *dir, const char *name, const char *factory_ca)
{
  struct hf_blob ca = {NULL, 0};
  struct hf_pubkey pub;
  size_t len = strlen(name);
  if (len == 0 || len > HF_BATCH_TEXT_MAX || !hf_utf8_plain(hf_bytes_text(name))) {
    hf_complain(name, "give 1 to 128 bytes of plain text", "not a name for a station");
    return HF_E_INPUT;
  }
  enum hf_err err = hf_disk_get(&ca, factory_ca, HF_PKI_PEM_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", factory_ca);
    return err;
  }
  err = hf_pki_public(&pub, hf_blob_bytes(&ca));
  if (err != HF_OK) {
    hf_complain(factory_ca, "take factory-ca.crt of the product owner", "this is no certificate in PEM");
  }
  if (err == HF_OK) {
    err = hf_disk_mkdir(dir, 0700);
    if (err != HF_OK) {
      hf_disk_complain(err, "make", dir);
    }
  }
  err = err == HF_OK ? put_file(dir, "factory-ca.crt", hf_blob_bytes(&ca), 0644) : err;
  err = err == HF_OK ? put_file(dir, "name", hf_bytes_text(name), 0644) : err;
  err = err == HF_OK ? put_keys(dir) : err;
  hf_blob_free(&ca);
  return err;
}

/* ---- the ledger ---- */

static struct made *made_find(struct hf_station *station, const char *device)
{
  for (size_t i = station->made_count; i > 0; i--) {
    if (strcmp(station->made[i - 1].device, device) == 0) {
      return &station->made[i - 1];
    }
  }
  return NULL;
}

static struct made *made_find_key(struct hf_station *station, const uint8_t key[HF_SHA256_LEN])
{
  for (size_t i = 0; i < station->made_count; i++) {
    if (station->made[i].issued && memcmp(station->made[i].key, key, HF_SHA256_LEN) == 0) {
      return &station->made[i];
    }
  }
  return NULL;
}

static struct made *made_new(struct hf_station *station, struct hf_bytes device)
{
  if (station->made_count == station->made_cap) {
    size_t cap = station->made_cap == 0 ? 64 : 2 * station->made_cap;
    struct made *grown = realloc(station->made, cap * sizeof *grown);
    if (grown == NULL) {
      return NULL;
    }
    station->made = grown;
    station->made_cap = cap;
  }
  struct made *made = &station->made[station->made_count++];
  *made = (struct made){.issued = false};
  hf_format(made->device, sizeof made->device, "%.*s", (int)device.len, (const char *)device.at);
  return made;
}

/* Enter what an entry says; `end` is where it ends in the record. */
static enum hf_err enter(struct hf_station *station, const struct hf_batch_entry *entry, const struct hf_cert *issue,
                         uint64_t at)
{
  uint64_t number;
  char device[HF_DEVICE_ID_MAX + 1];
  if (entry->kind == HF_BATCH_NOTE) {
    return HF_OK;
  }
  hf_format(device, sizeof device, "%.*s", (int)entry->device.len, (const char *)entry->device.at);
  struct made *made = made_find(station, device);
  made = made == NULL ? made_new(station, entry->device) : made;
  if (made == NULL) {
    return HF_E_SPACE;
  }
  if (hf_order_serials_number(&number, &station->batch.order.serials, entry->device) == HF_OK &&
      number >= station->next) {
    station->next = number + 1;
  }
  if (entry->kind == HF_BATCH_ISSUE) {
    made->issued = true;
    made->at = at;
    made->len = entry->certificate.len;
    hf_pubkey_hash(made->key, &issue->key);
  } else if (entry->kind == HF_BATCH_RESULT) {
    made->result = entry->result;
  }
  return HF_OK;
}

/* ---- writing the record ---- */

static enum hf_err append(struct hf_station *station, struct hf_batch_entry *entry)
{
  uint8_t room[HF_BATCH_ENTRY_MAX + 16];
  struct hf_buf bytes = hf_buf_init(room, sizeof room);
  struct hf_batch next = station->batch;
  struct hf_cert issue = {.serial = {NULL, 0}};
  uint64_t from = station->journal.len;
  if (station->journal.broken) {
    return HF_E_STATE;
  }
  entry->operator= hf_bytes_text(station->place.operator);
  enum hf_err err = hf_batch_put(&bytes, &next, entry);
  if (err == HF_OK && entry->kind == HF_BATCH_ISSUE) {
    err = hf_cert_parse(&issue, entry->certificate);
    err = err == HF_OK ? hf_journal_count_put(&station->journal, next.issued, false) : err;
  }
  err = err == HF_OK ? hf_journal_put(&station->journal, hf_buf_bytes(&bytes)) : err;
  if (err != HF_OK) {
    return station->journal.broken ? HF_E_STATE : err;
  }
  station->batch = next;
  if (entry->kind == HF_BATCH_ISSUE) {
    err = hf_journal_count_put(&station->journal, next.issued, true);
    /* Where the certificate lies in the record: found again by its own bytes. */
    for (size_t i = 0; i + entry->certificate.len <= bytes.len; i++) {
      if (memcmp(room + i, entry->certificate.at, entry->certificate.len) == 0) {
        from += i;
        break;
      }
    }
  }
  enum hf_err entered = enter(station, entry, &issue, from);
  return err == HF_OK ? entered : err;
}

/* ---- taking an order up ---- */

static enum hf_err load_name(struct hf_station *station)
{
  char path[HF_PATH_MAX];
  struct hf_blob blob;
  enum hf_err err = hf_path_join(path, station->place.dir, "name");
  err = err == HF_OK ? hf_disk_get(&blob, path, HF_BATCH_TEXT_MAX) : err;
  if (err != HF_OK) {
    hf_complain(station->place.dir, "make one with `holdfast factory station init DIR`",
                "this is not a station's folder");
    return err;
  }
  hf_format(station->name, sizeof station->name, "%.*s", (int)blob.len, (const char *)blob.at);
  hf_blob_free(&blob);
  return HF_OK;
}

static enum hf_err load_order(struct hf_station *station, struct hf_order *order)
{
  struct hf_pubkey pub;
  struct hf_pubkey own;
  struct hf_why why = {0};
  char path[HF_PATH_MAX];
  enum hf_err err = hf_path_join(path, station->place.dir, "factory-ca.crt");
  err = err == HF_OK ? hf_disk_get(&station->factory_ca, path, HF_PKI_PEM_MAX) : err;
  err = err == HF_OK ? hf_pki_public(&pub, hf_blob_bytes(&station->factory_ca)) : err;
  if (err != HF_OK) {
    hf_complain(path, "put the product owner's factory-ca.crt back", "not a certificate in PEM");
    return err;
  }
  err = hf_disk_get(&station->order_bytes, station->place.order, HF_COSE_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", station->place.order);
    return err;
  }
  if (hf_order_verify(order, hf_blob_bytes(&station->order_bytes), &pub, &why) == HF_ALLOW &&
      (hf_key_public(&own, station->key) != HF_OK || !hf_pubkey_equal(&own, &order->station))) {
    hf_why_put(&why, HF_RULE_STATION_KEY, 0);
  }
  if (why.rule != HF_RULE_NONE) {
    hf_complain_why(station->place.order, &why);
    return HF_E_DENIED;
  }
  station->ca = hf_buf_init(station->ca_room, sizeof station->ca_room);
  return hf_pki_pem_of(&station->ca, order->station_ca);
}

static bool file_fits(const char *dir, const struct hf_order *order, enum hf_order_file which)
{
  char path[HF_PATH_MAX];
  uint8_t sha256[HF_SHA256_LEN];
  struct hf_blob blob;
  const struct hf_order_part *part = &order->file[which];
  if (!part->there) {
    return true;
  }
  if (hf_path_join(path, dir, hf_order_file_name(which)) != HF_OK || hf_disk_get(&blob, path, FILE_MAX) != HF_OK) {
    return false;
  }
  hf_sha256(sha256, hf_blob_bytes(&blob));
  bool fits = blob.len == part->length && memcmp(sha256, part->sha256, sizeof sha256) == 0;
  hf_blob_free(&blob);
  return fits;
}

static enum hf_err check_files(const struct hf_station *station, const struct hf_order *order)
{
  for (size_t i = 0; station->place.files != NULL && i < HF_ORDER_FILES; i++) {
    if (!file_fits(station->place.files, order, (enum hf_order_file)i)) {
      struct hf_why why = {.rule = HF_RULE_STATION_FILES};
      hf_complain_why(hf_say("%s/%s", station->place.files, hf_order_file_name((enum hf_order_file)i)), &why);
      return HF_E_DENIED;
    }
  }
  return HF_OK;
}

static enum hf_err note(struct hf_station *station, const char *words)
{
  struct hf_batch_entry entry = {.time = (int64_t)time(NULL), .kind = HF_BATCH_NOTE, .reason = hf_bytes_text(words)};
  return append(station, &entry);
}

/* Read what there is; `*half` bytes behind the last whole entry are from a power cut. */
static enum hf_err replay(struct hf_station *station, struct hf_bytes record, const struct hf_pubkey *pub,
                          uint64_t *half, struct hf_why *why)
{
  struct hf_batch_entry entry;
  if (hf_batch_open(&station->batch, record, pub, why) != HF_ALLOW) {
    return HF_E_DENIED;
  }
  station->next = station->batch.order.serials.first;
  enum hf_err err = hf_batch_next(&station->batch, &entry, why);
  for (; err == HF_OK; err = hf_batch_next(&station->batch, &entry, why)) {
    uint64_t at = entry.certificate.len == 0 ? 0 : (uint64_t)(entry.certificate.at - record.at);
    if (enter(station, &entry, &station->batch.issue, at) != HF_OK) {
      return HF_E_SPACE;
    }
  }
  *half = err == HF_E_AGAIN ? record.len - station->batch.at : 0;
  return err == HF_E_NOT_FOUND || err == HF_E_AGAIN ? HF_OK : err;
}

static enum hf_err begin_record(struct hf_station *station, const struct hf_order *order)
{
  uint8_t room[HF_COSE_MAX + 1024];
  struct hf_buf bytes = hf_buf_init(room, sizeof room);
  station->batch = (struct hf_batch){.order = *order};
  station->next = order->serials.first;
  enum hf_err err = hf_batch_begin(&bytes, &station->batch, hf_blob_bytes(&station->order_bytes),
                                   hf_bytes_text(station->name), (int64_t)time(NULL));
  return err == HF_OK ? hf_journal_put(&station->journal, hf_buf_bytes(&bytes)) : err;
}

/* The head of the record may itself have been cut short: then nothing was made yet, and the counter agrees. */
static bool is_half_header(struct hf_station *station, struct hf_bytes record, const struct hf_why *why)
{
  return record.len < station->order_bytes.len + 256 && (record.len == 0 || why->rule == HF_RULE_FACTORY_SIGNED) &&
         hf_journal_count_check(&station->journal, 0) == HF_OK;
}

static enum hf_err resume(struct hf_station *station, const struct hf_order *order, struct hf_bytes record)
{
  struct hf_why why = {0};
  struct hf_pubkey pub;
  uint64_t half = 0;
  enum hf_err err = hf_pki_public(&pub, hf_blob_bytes(&station->factory_ca));
  if (err == HF_OK) {
    err = replay(station, record, &pub, &half, &why);
  }
  if (err == HF_E_DENIED && is_half_header(station, record, &why)) {
    why = (struct hf_why){0};
    err = hf_journal_cut(&station->journal, 0);
    err = err == HF_OK ? begin_record(station, order) : err;
  }
  if (err == HF_OK) {
    err = hf_journal_count_check(&station->journal, station->batch.issued);
    if (err == HF_E_STATE) {
      hf_why_put(&why, HF_RULE_STATION_BACK, 0);
    }
  }
  if (why.rule != HF_RULE_NONE) {
    hf_complain_why(station->journal.path, &why);
    return err == HF_OK ? HF_E_DENIED : err;
  }
  /* Views into the record that was read end here. */
  station->batch.order = *order;
  station->batch.station = hf_bytes_text(station->name);
  station->batch.bytes = hf_bytes_init(NULL, 0);
  if (err == HF_OK && half > 0) {
    err = hf_journal_cut(&station->journal, station->journal.len - half);
    err = err == HF_OK ? note(station, hf_say("half an entry of %llu bytes removed: the station lost power",
                                              (unsigned long long)half))
                       : err;
  }
  if (err != HF_OK) {
    hf_complain(station->journal.path, "check the disk", "the batch record cannot be continued (%s)", hf_err_name(err));
  }
  return err;
}

static enum hf_err open_all(struct hf_station *station)
{
  char path[HF_PATH_MAX];
  struct hf_order order;
  struct hf_blob record = {NULL, 0};
  struct hf_passphrase_source source = {.file = station->place.passphrase_file, .prompt = "Passphrase of the station"};
  const char *counter = station->place.counter == NULL ? station->place.dir : station->place.counter;
  enum hf_err err = load_name(station);
  err = err == HF_OK ? hf_path_join(path, station->place.dir, "station.pem") : err;
  err = err == HF_OK ? hf_key_file_open(&station->key, path, &source) : err;
  err = err == HF_OK ? load_order(station, &order) : err;
  err = err == HF_OK ? check_files(station, &order) : err;
  if (err != HF_OK) {
    return err;
  }
  const char *name = hf_say("%.*s", (int)order.id.len, (const char *)order.id.at);
  err = hf_path_join(station->journal.path, station->place.dir, hf_say("%s.hfb", name));
  err = err == HF_OK ? hf_path_join(station->journal.counter, counter, hf_say("%s.count", name)) : err;
  err = err == HF_OK ? hf_journal_open(&station->journal, &record, RECORD_MAX) : err;
  err = err == HF_OK ? resume(station, &order, hf_blob_bytes(&record)) : err;
  hf_blob_free(&record);
  return err;
}

enum hf_err hf_station_open(struct hf_station **station, const struct hf_station_place *place)
{
  *station = calloc(1, sizeof **station);
  if (*station == NULL) {
    return HF_E_SPACE;
  }
  (*station)->place = *place;
  (*station)->journal.fd = -1;
  enum hf_err err = open_all(*station);
  if (err != HF_OK) {
    hf_station_free(*station);
    *station = NULL;
  }
  return err;
}

void hf_station_free(struct hf_station *station)
{
  if (station != NULL) {
    hf_journal_close(&station->journal);
    hf_key_free(station->key);
    hf_blob_free(&station->order_bytes);
    hf_blob_free(&station->factory_ca);
    free(station->made);
    free(station);
  }
}

/* ---- answers ---- */

static void put_name(struct hf_buf *out, const char *name, const char *text)
{
  hf_json_put_name(out, name);
  hf_json_put_text(out, hf_bytes_text(text));
}

static void put_view(struct hf_buf *out, const char *name, struct hf_bytes text)
{
  hf_json_put_name(out, name);
  hf_json_put_text(out, text);
}

static void answer_rule(struct hf_buf *out, enum hf_rule rule)
{
  const struct hf_rule_words *words = hf_rule_words((uint16_t)rule);
  out->len = 0;
  hf_buf_put_text(out, "{\"ok\":false");
  hf_json_put_name(out, "rule");
  hf_json_put_int(out, rule);
  put_name(out, "what", words->what);
  put_name(out, "todo", words->todo);
  hf_buf_put_text(out, "}");
}

static enum hf_err answer_failure(struct hf_buf *out, enum hf_err err)
{
  out->len = 0;
  hf_buf_put_text(out, "{\"ok\":false,\"rule\":0");
  put_name(out, "what",
           err == HF_E_FULL ? "the disk of the station is full: nothing was made" : "the station could not do it");
  put_name(out, "todo", "make room or repair the disk, start the station again, then ask again");
  hf_buf_put_text(out, "}");
  return err == HF_E_FULL || err == HF_E_STATE ? err : HF_E_IO;
}

static enum hf_rule may_work(const struct hf_station *station, int64_t now)
{
  const struct hf_order *order = &station->batch.order;
  if (station->batch.closed) {
    return HF_RULE_STATION_DONE;
  }
  return now < order->not_before - HF_ORDER_SKEW_S || now > order->not_after ? HF_RULE_ORDER_TIME : HF_RULE_NONE;
}

static void put_files(struct hf_buf *out, const struct hf_station *station)
{
  char real[HF_PATH_MAX];
  hf_json_put_name(out, "files");
  hf_buf_put_text(out, "{");
  for (size_t i = 0; i < HF_ORDER_FILES; i++) {
    const struct hf_order_part *part = &station->batch.order.file[i];
    const char *name = hf_order_file_name((enum hf_order_file)i);
    if (part->there && realpath(station->place.files, real) != NULL) {
      hf_json_put_name(out, name);
      hf_buf_put_text(out, "{");
      put_name(out, "path", hf_say("%s/%s", real, name));
      hf_json_put_name(out, "sha256");
      hf_json_put_hex(out, hf_bytes_init(part->sha256, HF_SHA256_LEN));
      hf_buf_put_text(out, "}");
    }
  }
  hf_buf_put_text(out, "}");
}

static enum hf_err begin(struct hf_station *station, struct hf_buf *out, const struct hf_stationline *line, int64_t now)
{
  const struct hf_order *order = &station->batch.order;
  uint8_t room[HF_DEVICE_ID_MAX];
  struct hf_buf id = hf_buf_init(room, sizeof room);
  uint64_t number;
  if (line->device[0] != '\0') {
    hf_buf_put_text(&id, line->device);
  } else if (station->batch.issued >= order->quota) {
    answer_rule(out, HF_RULE_ORDER_QUOTA);
    return HF_OK;
  } else {
    hf_order_serials_put_id(&id, &order->serials, station->next);
  }
  if (hf_order_serials_number(&number, &order->serials, hf_buf_bytes(&id)) != HF_OK) {
    answer_rule(out, HF_RULE_ORDER_SERIAL);
    return HF_OK;
  }
  struct hf_batch_entry entry = {.time = now, .kind = HF_BATCH_RESERVE, .device = hf_buf_bytes(&id)};
  enum hf_err err = HF_OK;
  if (line->device[0] == '\0' || made_find(station, line->device) == NULL) {
    err = append(station, &entry);
  }
  if (err != HF_OK) {
    return answer_failure(out, err);
  }
  hf_buf_put_text(out, "{\"ok\":true");
  put_view(out, "device", hf_buf_bytes(&id));
  put_view(out, "product", order->product);
  put_view(out, "hardware", order->hardware);
  put_view(out, "server", order->server);
  put_files(out, station);
  hf_buf_put_text(out, "}");
  return HF_OK;
}

static enum hf_err answer_certificate(struct hf_station *station, struct hf_buf *out, struct hf_bytes der)
{
  uint8_t room[2 * HF_PKI_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  if (hf_pki_pem_of(&pem, der) != HF_OK) {
    return answer_failure(out, HF_E_IO);
  }
  hf_buf_put(&pem, hf_buf_bytes(&station->ca));
  hf_buf_put_text(out, "{\"ok\":true");
  put_view(out, "certificate", hf_buf_bytes(&pem));
  hf_buf_put_text(out, "}");
  return HF_OK;
}

/* It lost the answer to its first request: the same again. */
static enum hf_err issue_again(struct hf_station *station, struct hf_buf *out, const struct made *made)
{
  uint8_t der[HF_CERT_MAX];
  enum hf_err err = made->len <= sizeof der ? hf_journal_get(&station->journal, der, made->at, made->len) : HF_E_IO;
  return err == HF_OK ? answer_certificate(station, out, hf_bytes_init(der, made->len)) : answer_failure(out, err);
}

static enum hf_err issue_new(struct hf_station *station, struct hf_buf *out, const struct hf_stationline *line,
                             const struct hf_pki_factory *factory, int64_t now)
{
  uint8_t pem_room[HF_PKI_PEM_MAX];
  uint8_t der_room[HF_CERT_MAX];
  struct hf_buf pem = hf_buf_init(pem_room, sizeof pem_room);
  struct hf_buf der = hf_buf_init(der_room, sizeof der_room);
  struct hf_pki_issuer issuer = {station->key, hf_buf_bytes(&station->ca)};
  struct hf_pki_validity validity = {now - 86400, HF_PKI_NO_END};
  enum hf_err err = hf_pki_put_factory(&pem, factory, hf_bytes_init(line->csr, line->csr_len), &issuer, validity);
  err = err == HF_OK ? hf_pki_der_of(&der, hf_buf_bytes(&pem)) : err;
  if (err == HF_OK) {
    struct hf_batch_entry entry = {.time = now,
                                   .kind = HF_BATCH_ISSUE,
                                   .device = hf_bytes_text(line->device),
                                   .certificate = hf_buf_bytes(&der),
                                   .storage = line->storage};
    err = append(station, &entry);
  }
  return err == HF_OK ? answer_certificate(station, out, hf_buf_bytes(&der)) : answer_failure(out, err);
}

static enum hf_rule may_issue(struct hf_station *station, const struct hf_stationline *line, const struct made *made,
                              const uint8_t key[HF_SHA256_LEN])
{
  const struct hf_order *order = &station->batch.order;
  uint64_t number;
  if (hf_order_serials_number(&number, &order->serials, hf_bytes_text(line->device)) != HF_OK) {
    return HF_RULE_ORDER_SERIAL;
  }
  if (made != NULL && made->issued) {
    return memcmp(made->key, key, HF_SHA256_LEN) == 0 ? HF_RULE_NONE : HF_RULE_STATION_TAKEN;
  }
  if (made_find_key(station, key) != NULL) {
    return HF_RULE_STATION_KEY_TWICE;
  }
  if (order->storages != 0 && (order->storages & (1U << line->storage)) == 0) {
    return HF_RULE_STATION_STATE;
  }
  return station->batch.issued >= order->quota ? HF_RULE_ORDER_QUOTA : HF_RULE_NONE;
}

static enum hf_err issue(struct hf_station *station, struct hf_buf *out, const struct hf_stationline *line, int64_t now)
{
  const struct hf_order *order = &station->batch.order;
  char product[HF_PRODUCT_MAX + 1];
  char hardware[HF_HARDWARE_ID_MAX + 1];
  struct hf_pki_factory factory = {.product = product, .hardware = hardware};
  struct hf_bytes request = hf_bytes_init(line->csr, line->csr_len);
  struct hf_pubkey pub;
  uint8_t key[HF_SHA256_LEN];
  const char *what = NULL;
  hf_format(product, sizeof product, "%.*s", (int)order->product.len, (const char *)order->product.at);
  hf_format(hardware, sizeof hardware, "%.*s", (int)order->hardware.len, (const char *)order->hardware.at);
  if (hf_pki_request_check(&factory, request, &what) != HF_OK || strcmp(factory.device, line->device) != 0 ||
      hf_pki_request_key(&pub, request) != HF_OK) {
    answer_rule(out, HF_RULE_STATION_REQUEST);
    return HF_OK;
  }
  hf_pubkey_hash(key, &pub);
  const struct made *made = made_find(station, line->device);
  enum hf_rule rule = may_issue(station, line, made, key);
  if (rule != HF_RULE_NONE) {
    answer_rule(out, rule);
    return HF_OK;
  }
  return made != NULL && made->issued ? issue_again(station, out, made) : issue_new(station, out, line, &factory, now);
}

/* What of the order's demands the device does not meet; NULL when it meets them all. */
static const char *unmet(const struct hf_order *order, const struct hf_stationline *line)
{
  bool debug = line->debug == HF_FACTORY_LOCK_LOCKED || line->debug == HF_FACTORY_LOCK_ABSENT;
  bool readout = line->readout == HF_FACTORY_LOCK_LOCKED || line->readout == HF_FACTORY_LOCK_ABSENT;
  if (order->debug_locked && !debug) {
    return "the debug port is not locked";
  }
  if (order->readout_locked && !readout) {
    return "the program memory can be read out";
  }
  if (order->has_boot_keys && (!line->has_boot_keys || memcmp(order->boot_keys, line->boot_keys, HF_SHA256_LEN) != 0)) {
    return "other boot keys than ordered";
  }
  if (order->version.len > 0 && !hf_bytes_is(order->version, line->version)) {
    return "another software version than ordered";
  }
  if (order->has_image && (!line->has_image || memcmp(order->image, line->image, HF_SHA256_LEN) != 0)) {
    return "another software image than ordered";
  }
  return NULL;
}

static enum hf_err result(struct hf_station *station, struct hf_buf *out, const struct hf_stationline *line,
                          int64_t now)
{
  const struct made *made = made_find(station, line->device);
  const char *missing = line->result == HF_BATCH_PASS ? unmet(&station->batch.order, line) : NULL;
  if (made == NULL || !made->issued) {
    answer_rule(out, HF_RULE_STATION_UNKNOWN);
    return HF_OK;
  }
  struct hf_batch_entry entry = {.time = now,
                                 .kind = HF_BATCH_RESULT,
                                 .device = hf_bytes_text(line->device),
                                 .result = missing != NULL ? HF_BATCH_FAIL : line->result,
                                 .reason = hf_bytes_text(missing != NULL ? missing : line->reason),
                                 .debug = line->debug,
                                 .readout = line->readout,
                                 .boot_keys = hf_bytes_init(line->boot_keys, line->has_boot_keys ? HF_SHA256_LEN : 0),
                                 .version = hf_bytes_text(line->version),
                                 .image = hf_bytes_init(line->image, line->has_image ? HF_SHA256_LEN : 0)};
  enum hf_err err = append(station, &entry);
  if (err != HF_OK) {
    return answer_failure(out, err);
  }
  if (missing != NULL) {
    answer_rule(out, HF_RULE_STATION_STATE);
    return HF_OK;
  }
  hf_buf_put_text(out, "{\"ok\":true");
  put_name(out, "result", entry.result == HF_BATCH_PASS ? "pass" : "fail");
  hf_buf_put_text(out, "}");
  return HF_OK;
}

static void put_count(struct hf_buf *out, const char *name, uint64_t count)
{
  hf_json_put_name(out, name);
  hf_json_put_int(out, (int64_t)count);
}

static void status(const struct hf_station *station, struct hf_buf *out)
{
  struct hf_station_count count = hf_station_count(station);
  hf_buf_put_text(out, "{\"ok\":true");
  put_view(out, "order", station->batch.order.id);
  put_count(out, "quota", count.quota);
  put_count(out, "reserved", count.reserved);
  put_count(out, "issued", count.issued);
  put_count(out, "passed", count.passed);
  put_count(out, "failed", count.failed);
  hf_buf_put_text(out, count.closed ? ",\"closed\":true}" : ",\"closed\":false}");
}

enum hf_err hf_station_answer(struct hf_station *station, struct hf_buf *answer, struct hf_bytes text)
{
  struct hf_stationline line;
  struct hf_why why = {0};
  int64_t now = (int64_t)time(NULL);
  answer->len = 0;
  if (hf_stationline_parse(&line, text, &why) != HF_OK) {
    answer_rule(answer, (enum hf_rule)why.rule);
    return HF_OK;
  }
  enum hf_rule rule = line.op == HF_STATIONLINE_STATUS ? HF_RULE_NONE : may_work(station, now);
  if (rule != HF_RULE_NONE) {
    answer_rule(answer, rule);
    return HF_OK;
  }
  switch (line.op) {
    case HF_STATIONLINE_BEGIN: return begin(station, answer, &line, now);
    case HF_STATIONLINE_ISSUE: return issue(station, answer, &line, now);
    case HF_STATIONLINE_RESULT: return result(station, answer, &line, now);
    case HF_STATIONLINE_STATUS:
    case HF_STATIONLINE_OPS: status(station, answer); return HF_OK;
  }
  return HF_E_INPUT;
}

/* ---- the end ---- */

enum hf_err hf_station_close(struct hf_station *station, const char *out)
{
  uint8_t room[1024];
  struct hf_buf bytes = hf_buf_init(room, sizeof room);
  struct hf_batch next = station->batch;
  struct hf_blob record = {NULL, 0};
  enum hf_err err = HF_OK;
  if (!station->batch.closed) { /* closed before: the copy is written again */
    err = hf_batch_end(&bytes, &next, (int64_t)time(NULL), hf_station_signer(station->key));
    err = err == HF_OK ? hf_journal_put(&station->journal, hf_buf_bytes(&bytes)) : err;
  }
  if (err != HF_OK) {
    hf_complain(station->journal.path, "check the station's key and disk", "the record cannot be closed (%s)",
                hf_err_name(err));
    return err;
  }
  station->batch = next;
  err = hf_disk_get(&record, station->journal.path, RECORD_MAX);
  err = err == HF_OK ? hf_disk_put(out, hf_blob_bytes(&record), 0644) : err;
  if (err != HF_OK) {
    hf_disk_complain(err, "write", out);
  }
  hf_blob_free(&record);
  return err;
}
