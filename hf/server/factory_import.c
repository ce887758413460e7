/* SPDX-License-Identifier: Apache-2.0
 * Taking in what a factory station made: orders and batch records (hf/server/factory.h). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/codec/text.h"
#include "hf/fleet/batch.h"
#include "hf/server/alarms.h"
#include "hf/server/auditlog.h"
#include "hf/server/factory.h"
#include "hf/server/files.h"
#include "hf/wire/pubkey.h"

#define RECORD_MAX (256U << 20)
#define COSE_ARRAY 0x84

/* One import at work. */
struct import {
  struct hf_engine *engine;
  const struct hf_act *act;
  const uint8_t *sha256;
  struct hf_bytes file;
  struct hf_batch batch;
  struct hf_why *why;
};

static enum hf_err refuse(struct import *in, enum hf_rule rule, enum hf_err err)
{
  hf_why_put(in->why, rule, 0);
  return err;
}

static enum hf_err file_path(char path[PATH_MAX], const struct import *in, const char *folder, const char *ending)
{
  uint8_t room[128];
  struct hf_buf below = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&below, folder);
  hf_hex_put(&below, hf_bytes_init(in->sha256, HF_SHA256_LEN));
  hf_buf_put_text(&below, ending);
  enum hf_err err = hf_buf_terminate(&below);
  return err == HF_OK ? hf_engine_path(path, PATH_MAX, in->engine, (const char *)room) : err;
}

/* ---- the order ---- */

static enum hf_err product_check(struct import *in, const struct hf_order *order)
{
  int64_t count = 0;
  struct hf_stmt *stmt = hf_stmt_open(in->engine->db, "SELECT count(*) FROM product WHERE name = ?");
  hf_stmt_put_text(stmt, order->product);
  enum hf_err err = hf_stmt_run_int(stmt, &count);
  return err == HF_OK && count == 0 ? refuse(in, HF_RULE_ENROL_PRODUCT, HF_E_NOT_FOUND) : err;
}

static void payload_hash(uint8_t out[HF_SHA256_LEN], const struct hf_order *order)
{
  uint8_t room[HF_COSE_PAYLOAD_MAX];
  struct hf_buf payload = hf_buf_init(room, sizeof room);
  memset(out, 0, HF_SHA256_LEN);
  if (hf_order_encode(&payload, order) == HF_OK) {
    hf_sha256(out, hf_buf_bytes(&payload));
  }
}

static enum hf_err order_put(struct import *in, const struct hf_order *order)
{
  uint8_t key[HF_SHA256_LEN];
  uint8_t digest[HF_SHA256_LEN];
  uint8_t room[128];
  struct hf_buf serials = hf_buf_init(room, sizeof room);
  enum hf_err err = product_check(in, order);
  if (err != HF_OK) {
    return err;
  }
  hf_pubkey_hash(key, &order->station);
  payload_hash(digest, order);
  hf_order_serials_put(&serials, &order->serials);
  struct hf_stmt *stmt = hf_stmt_open(
      in->engine->db, "INSERT INTO factory_order (id, product, hardware, serials, quota, not_before, not_after,"
                      " station_key, digest, created, created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                      " ON CONFLICT (id) DO NOTHING");
  hf_stmt_put_text(stmt, order->id);
  hf_stmt_put_text(stmt, order->product);
  hf_stmt_put_text(stmt, order->hardware);
  hf_stmt_put_text(stmt, hf_buf_bytes(&serials));
  hf_stmt_put_int(stmt, (int64_t)order->quota);
  hf_stmt_put_int(stmt, order->not_before);
  hf_stmt_put_int(stmt, order->not_after);
  hf_stmt_put_bytes(stmt, hf_bytes_init(key, sizeof key));
  hf_stmt_put_bytes(stmt, hf_bytes_init(digest, sizeof digest));
  hf_stmt_put_int(stmt, in->act->now);
  hf_stmt_put_text(stmt, in->act->who);
  err = hf_stmt_run(stmt);
  if (err == HF_OK && hf_db_changes(in->engine->db) > 0) {
    err = hf_auditlog_put(in->engine, in->act, "factory.order", order->id, order->product);
  }
  return err == HF_OK ? HF_OK : hf_engine_poison(in->engine, err);
}

/* Revoked? Another record before? `*same` when it is this one. */
static enum hf_err order_check(struct import *in, bool late, bool *same)
{
  const struct hf_order *order = &in->batch.order;
  struct hf_stmt *stmt = hf_stmt_open(in->engine->db, "SELECT closed, record FROM factory_order WHERE id = ?");
  hf_stmt_put_text(stmt, order->id);
  enum hf_err err = hf_stmt_next(stmt);
  bool closed = err == HF_OK && hf_stmt_get_int(stmt, 0) != 0;
  bool other = err == HF_OK && hf_stmt_get_bytes(stmt, 1).len > 0;
  *same = other && hf_bytes_equal(hf_stmt_get_bytes(stmt, 1), hf_bytes_init(in->sha256, HF_SHA256_LEN));
  hf_stmt_close(stmt);
  if (err != HF_OK || *same) {
    return err;
  }
  if (other) {
    err = hf_alarm_raise(in->engine, HF_ALARM_SECOND_RECORD, order->id, HF_LIT("refused; the first one stands"),
                         in->act->now);
    return err == HF_OK ? refuse(in, HF_RULE_BATCH_OTHER, HF_E_EXISTS) : err;
  }
  if (closed) {
    return refuse(in, HF_RULE_ORDER_CLOSED, HF_E_STATE);
  }
  return !late && in->act->now > order->not_after + HF_ORDER_GRACE_S ? refuse(in, HF_RULE_BATCH_LATE, HF_E_STATE)
                                                                     : HF_OK;
}

/* ---- the record ---- */

/* All of it, before a row is written: what breaks the order is refused whole. */
static enum hf_err record_check(struct import *in)
{
  struct hf_batch_entry entry;
  struct hf_batch walk = in->batch;
  enum hf_err err;
  do {
    err = hf_batch_next(&walk, &entry, in->why);
  } while (err == HF_OK);
  if (err == HF_E_AGAIN || (err == HF_E_NOT_FOUND && !walk.closed)) {
    return refuse(in, HF_RULE_BATCH_OPEN, HF_E_INPUT);
  }
  if (err == HF_E_NOT_FOUND) {
    return HF_OK;
  }
  enum hf_err raised = hf_alarm_raise(in->engine, HF_ALARM_BATCH_REFUSED, in->batch.order.id,
                                      hf_bytes_text(hf_rule_words(in->why->rule)->what), in->act->now);
  return raised == HF_OK ? err : raised;
}

static enum hf_err key_check(struct import *in, struct hf_bytes device, const uint8_t key[HF_SHA256_LEN])
{
  uint8_t room[128];
  struct hf_buf detail = hf_buf_init(room, sizeof room);
  struct hf_stmt *stmt =
      hf_stmt_open(in->engine->db, "SELECT id FROM factory_device WHERE key_hash = ? AND id <> ? LIMIT 1");
  hf_stmt_put_bytes(stmt, hf_bytes_init(key, HF_SHA256_LEN));
  hf_stmt_put_text(stmt, device);
  enum hf_err err = hf_stmt_next(stmt);
  hf_buf_put_text(&detail, "the same key as ");
  if (err == HF_OK) {
    hf_buf_put(&detail, hf_stmt_get_bytes(stmt, 0));
  }
  hf_stmt_close(stmt);
  if (err == HF_OK) {
    return hf_alarm_raise(in->engine, HF_ALARM_DUPLICATE_KEY, device, hf_buf_bytes(&detail), in->act->now);
  }
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

/* The row of the id that was there first stays: its device may be in the field. */
static enum hf_err issue_put(struct import *in, const struct hf_batch *walk, const struct hf_batch_entry *entry)
{
  uint8_t cert[HF_SHA256_LEN];
  uint8_t key[HF_SHA256_LEN];
  uint8_t room[40];
  struct hf_buf serial = hf_buf_init(room, sizeof room);
  hf_sha256(cert, entry->certificate);
  hf_pubkey_hash(key, &walk->issue.key);
  hf_hex_put(&serial, walk->issue.serial);
  enum hf_err err = key_check(in, entry->device, key);
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt = hf_stmt_open(
      in->engine->db,
      "INSERT INTO factory_device (id, ordr, number, cert, key_hash, serial, made, storage, result, reason, debug,"
      " readout, version, operator, tested, enrolled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, '', 0, 0, '', '', 0,"
      " coalesce((SELECT created FROM device WHERE device.id = ?), 0)) ON CONFLICT (id) DO NOTHING");
  hf_stmt_put_text(stmt, entry->device);
  hf_stmt_put_text(stmt, in->batch.order.id);
  hf_stmt_put_int(stmt, (int64_t)entry->number);
  hf_stmt_put_bytes(stmt, hf_bytes_init(cert, sizeof cert));
  hf_stmt_put_bytes(stmt, hf_bytes_init(key, sizeof key));
  hf_stmt_put_text(stmt, hf_buf_bytes(&serial));
  hf_stmt_put_int(stmt, entry->time);
  hf_stmt_put_int(stmt, entry->storage);
  hf_stmt_put_text(stmt, entry->device);
  err = hf_stmt_run(stmt);
  if (err == HF_OK && hf_db_changes(in->engine->db) == 0) {
    err = hf_alarm_raise(in->engine, HF_ALARM_DUPLICATE_ID, entry->device,
                         HF_LIT("made a second time; the first certificate stands"), in->act->now);
  }
  return err;
}

static void put_hash(struct hf_stmt *stmt, struct hf_bytes hash)
{
  if (hash.len > 0) {
    hf_stmt_put_bytes(stmt, hash);
  } else {
    hf_stmt_put_null(stmt);
  }
}

static enum hf_err result_put(struct import *in, const struct hf_batch_entry *entry)
{
  struct hf_stmt *stmt = hf_stmt_open(
      in->engine->db, "UPDATE factory_device SET result = ?, reason = ?, debug = ?, readout = ?, boot_keys = ?,"
                      " version = ?, image = ?, operator = ?, tested = ? WHERE id = ? AND ordr = ?");
  hf_stmt_put_int(stmt, entry->result);
  hf_stmt_put_text(stmt, entry->reason);
  hf_stmt_put_int(stmt, entry->debug);
  hf_stmt_put_int(stmt, entry->readout);
  put_hash(stmt, entry->boot_keys);
  hf_stmt_put_text(stmt, entry->version);
  put_hash(stmt, entry->image);
  hf_stmt_put_text(stmt, entry->operator);
  hf_stmt_put_int(stmt, entry->time);
  hf_stmt_put_text(stmt, entry->device);
  hf_stmt_put_text(stmt, in->batch.order.id);
  return hf_stmt_run(stmt);
}

static enum hf_err record_end(struct import *in, const struct hf_batch *walk)
{
  struct hf_stmt *stmt = hf_stmt_open(
      in->engine->db, "UPDATE factory_order SET record = ?, station = ?, imported = ?, imported_by = ?, ended = ?,"
                      " issued = ?, passed = (SELECT count(*) FROM factory_device d WHERE d.ordr = factory_order.id AND"
                      " d.result = 1), failed = (SELECT count(*) FROM factory_device d WHERE d.ordr ="
                      " factory_order.id AND d.result = 2) WHERE id = ?");
  hf_stmt_put_bytes(stmt, hf_bytes_init(in->sha256, HF_SHA256_LEN));
  hf_stmt_put_text(stmt, walk->station);
  hf_stmt_put_int(stmt, in->act->now);
  hf_stmt_put_text(stmt, in->act->who);
  hf_stmt_put_int(stmt, walk->ended);
  hf_stmt_put_int(stmt, (int64_t)walk->issued);
  hf_stmt_put_text(stmt, in->batch.order.id);
  return hf_stmt_run(stmt);
}

static enum hf_err record_put(struct import *in)
{
  struct hf_batch_entry entry;
  struct hf_batch walk = in->batch;
  enum hf_err err = hf_batch_next(&walk, &entry, in->why);
  while (err == HF_OK) {
    if (entry.kind == HF_BATCH_ISSUE) {
      err = issue_put(in, &walk, &entry);
    } else if (entry.kind == HF_BATCH_RESULT) {
      err = result_put(in, &entry);
    }
    err = err == HF_OK ? hf_batch_next(&walk, &entry, in->why) : err;
  }
  err = err == HF_E_NOT_FOUND ? record_end(in, &walk) : err;
  return err == HF_OK ? HF_OK : hf_engine_poison(in->engine, err);
}

/* The record itself is evidence: it is kept. */
static enum hf_err record_keep(struct import *in)
{
  char path[PATH_MAX];
  enum hf_err err = file_path(path, in, "db/factory/", ".hfb");
  err = err == HF_OK ? hf_file_folders(path) : err;
  return err == HF_OK ? hf_file_put(path, in->file) : err;
}

static enum hf_err import_record(struct import *in, struct hf_buf *id, bool late)
{
  bool same = false;
  if (hf_batch_open(&in->batch, in->file, &in->engine->config.factory_ca, in->why) != HF_ALLOW) {
    return HF_E_DENIED;
  }
  hf_buf_put(id, in->batch.order.id);
  enum hf_err err = record_check(in);
  err = err == HF_OK ? order_put(in, &in->batch.order) : err;
  err = err == HF_OK ? order_check(in, late, &same) : err;
  if (err != HF_OK || same) {
    return err;
  }
  err = record_keep(in);
  err = err == HF_OK ? record_put(in) : err;
  if (err == HF_OK) {
    hf_engine_touch(in->engine, HF_PULSE_FACTORY);
    err = hf_auditlog_put(in->engine, in->act, "factory.import", in->batch.order.id, in->batch.station);
  }
  return err;
}

static enum hf_err import_order(struct import *in, struct hf_buf *id)
{
  struct hf_order order;
  if (hf_order_verify(&order, in->file, &in->engine->config.factory_ca, in->why) != HF_ALLOW) {
    return HF_E_DENIED;
  }
  hf_buf_put(id, order.id);
  hf_engine_touch(in->engine, HF_PULSE_FACTORY);
  return order_put(in, &order);
}

enum hf_err hf_factory_import(struct hf_engine *engine, struct hf_buf *id, const struct hf_act *act,
                              const uint8_t sha256[HF_SHA256_LEN], bool late, struct hf_why *why)
{
  struct import in = {.engine = engine, .act = act, .sha256 = sha256, .why = why};
  char path[PATH_MAX];
  enum hf_err err = file_path(path, &in, "db/uploads/", "");
  err = err == HF_OK ? hf_file_load(&in.file, path, RECORD_MAX) : err;
  if (err != HF_OK) {
    return err;
  }
  bool order = in.file.len > 0 && in.file.at[0] == COSE_ARRAY;
  err = order ? import_order(&in, id) : import_record(&in, id, late);
  free((uint8_t *)(uintptr_t)in.file.at);
  return err;
}

enum hf_err hf_factory_revoke(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes order)
{
  int64_t closed = 0;
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT closed FROM factory_order WHERE id = ?");
  hf_stmt_put_text(stmt, order);
  enum hf_err err = hf_stmt_run_int(stmt, &closed);
  if (err != HF_OK || closed != 0) {
    return err == HF_OK ? HF_E_STATE : err;
  }
  stmt = hf_stmt_open(engine->db, "UPDATE factory_order SET closed = ?, reason = ? WHERE id = ?");
  hf_stmt_put_int(stmt, act->now);
  hf_stmt_put_text(stmt, act->reason);
  hf_stmt_put_text(stmt, order);
  err = hf_stmt_run(stmt);
  if (err != HF_OK) {
    return hf_engine_poison(engine, err);
  }
  hf_engine_touch(engine, HF_PULSE_FACTORY);
  return hf_auditlog_put(engine, act, "factory.revoke", order, act->reason);
}
