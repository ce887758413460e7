/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/codec/text.h"
#include "hf/server/alarms.h"
#include "hf/server/auditlog.h"
#include "hf/server/devices.h"
#include "hf/server/groups.h"
#include "hf/server/outbox.h"
#include "hf/server/revocation.h"

/* An alarm is counted up at most once in this time for one device: who knocks a million times writes little. */
#define ALARM_AGAIN_S 3600
/* A check-in that is late or doubled happens on a bad line; so many of them, each going on where the last one was,
 * are a second device. One from an earlier boot counts twice. */
#define TWIN_SURE 3
/* So many check-ins in order, and the late ones before are forgotten. */
#define TWIN_CLEAN 8

static enum hf_err done(struct hf_engine *engine, enum hf_err err)
{
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

/* ---- what is to be on the list ---- */

struct certificate {
  char serial[2 * HF_CRL_SERIAL_LEN + 1];
  int64_t ca;
  int64_t ends;
  bool there;
};

struct held {
  char id[HF_DEVICE_ID_MAX + 1];
  uint8_t key_hash[HF_SHA256_LEN];
  bool has_key;
  struct certificate now;
  struct certificate before;
  bool rotated; /* the present one came of a rotation */
};

static void certificate_take(struct certificate *certificate, struct hf_stmt *stmt, int from)
{
  certificate->there = hf_stmt_get_bytes(stmt, from).len == HF_SHA256_LEN;
  hf_text_copy(certificate->serial, sizeof certificate->serial, hf_stmt_get_bytes(stmt, from + 1));
  certificate->ca = hf_stmt_get_int(stmt, from + 2);
  certificate->ends = hf_stmt_get_int(stmt, from + 3);
}

static enum hf_err held_get(struct held *held, struct hf_engine *engine, int64_t n)
{
  *held = (struct held){.has_key = false};
  struct hf_stmt *stmt = hf_stmt_open(
      engine->db,
      "SELECT id, key_hash, cert, cert_serial, cert_ca, cert_not_after, cert_previous, cert_previous_serial,"
      " cert_previous_ca, cert_previous_end, rotated = cert_issued AND rotated <> 0 FROM device WHERE n = ?");
  hf_stmt_put_int(stmt, n);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    hf_text_copy(held->id, sizeof held->id, hf_stmt_get_bytes(stmt, 0));
    struct hf_bytes key = hf_stmt_get_bytes(stmt, 1);
    held->has_key = key.len == HF_SHA256_LEN;
    if (held->has_key) {
      memcpy(held->key_hash, key.at, HF_SHA256_LEN);
    }
    certificate_take(&held->now, stmt, 2);
    certificate_take(&held->before, stmt, 6);
    held->rotated = hf_stmt_get_int(stmt, 10) != 0;
  }
  hf_stmt_close(stmt);
  return err;
}

static enum hf_err list_one(struct hf_engine *engine, const struct held *held, const struct certificate *certificate,
                            enum hf_crl_reason reason, int64_t now)
{
  if (!certificate->there || certificate->ca < 1) {
    return HF_OK;
  }
  bool present = certificate == &held->now;
  const struct hf_revoked revoked = {.ca = (uint32_t)certificate->ca,
                                     .serial = hf_bytes_text(certificate->serial),
                                     .device = hf_bytes_text(held->id),
                                     .key_hash = present && held->has_key ? hf_bytes_init(held->key_hash, HF_SHA256_LEN)
                                                                          : hf_bytes_init(NULL, 0),
                                     .ends = certificate->ends,
                                     .reason = reason};
  return hf_revocation_add(engine, &revoked, now);
}

enum hf_err hf_credential_list(struct hf_engine *engine, int64_t n, enum hf_crl_reason reason, int64_t now)
{
  struct held held;
  enum hf_err err = held_get(&held, engine, n);
  err = err == HF_OK ? list_one(engine, &held, &held.now, reason, now) : err;
  return err == HF_OK ? list_one(engine, &held, &held.before, reason, now) : err;
}

/* ---- used ---- */

enum hf_err hf_credential_used(struct hf_engine *engine, struct hf_cached *cached, int64_t now)
{
  struct held held;
  cached->has_previous = false;
  enum hf_err err = held_get(&held, engine, cached->n);
  if (err == HF_OK && held.rotated) { /* a key that was to go: whoever else trusts this CA should hear of it too */
    err = list_one(engine, &held, &held.before, HF_CRL_SUPERSEDED, now);
    err = err == HF_E_FULL ? HF_OK : err; /* this server refuses it all the same */
  }
  if (err != HF_OK) {
    return done(engine, err);
  }
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "UPDATE device SET cert_old = cert_previous, cert_previous = NULL WHERE n = ?");
  hf_stmt_put_int(stmt, cached->n);
  return done(engine, hf_stmt_run(stmt));
}

/* ---- revoking ---- */

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule)
{
  hf_why_put(why, rule, 0);
  return HF_E_STATE;
}

static enum hf_err row_revoke(struct hf_engine *engine, int64_t n, enum hf_crl_reason reason, int64_t now)
{
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "UPDATE device SET cert_old = cert, cert = NULL, cert_previous = NULL, revoked = ?,"
                               " revoked_reason = ?, rotate = 0, rotate_by = 0 WHERE n = ?");
  hf_stmt_put_int(stmt, now);
  hf_stmt_put_int(stmt, reason);
  hf_stmt_put_int(stmt, n);
  return done(engine, hf_stmt_run(stmt));
}

enum hf_err hf_device_revoke(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes id,
                             enum hf_crl_reason reason, struct hf_why *why)
{
  struct held held;
  int64_t n;
  enum hf_err err = hf_device_find(&n, engine->db, id);
  err = err == HF_OK ? held_get(&held, engine, n) : err;
  if (err != HF_OK) {
    return err;
  }
  if (!held.now.there && !held.before.there) {
    return refuse(why, HF_RULE_REVOKE_NOTHING);
  }
  err = hf_credential_list(engine, n, reason, act->now);
  bool unlisted = err == HF_E_FULL; /* the server refuses the device all the same; others do not hear of it */
  err = err == HF_OK || unlisted ? row_revoke(engine, n, reason, act->now) : err;
  if (err != HF_OK) {
    return err;
  }
  hf_cache_drop(engine->cache, id);
  hf_engine_touch(engine, HF_PULSE_DEVICE);
  uint8_t room[640];
  struct hf_buf detail = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&detail, hf_crl_reason_name(reason));
  hf_buf_put_text(&detail, act->reason.len > 0 ? ": " : "");
  hf_buf_put(&detail, act->reason);
  hf_buf_put_text(&detail, unlisted ? "; not on the published list, which is full" : "");
  err = hf_auditlog_put(engine, act, "device.revoke", id, hf_buf_bytes(&detail));
  return err == HF_OK ? hf_outbox_put(engine, "device.revoked", id, hf_bytes_text(hf_crl_reason_name(reason)), act->now)
                      : err;
}

/* ---- rotation ---- */

static void within_put(struct hf_buf *out, int64_t within_s, struct hf_bytes reason)
{
  hf_buf_put_text(out, "within ");
  hf_buf_put_uint(out, (uint64_t)within_s);
  hf_buf_put_text(out, " s");
  hf_buf_put_text(out, reason.len > 0 ? ": " : "");
  hf_buf_put(out, reason);
}

enum hf_err hf_device_rotate(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes id, int64_t within_s,
                             struct hf_why *why)
{
  uint8_t room[640];
  struct hf_buf detail = hf_buf_init(room, sizeof room);
  int64_t n;
  enum hf_err err = hf_device_find(&n, engine->db, id);
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "UPDATE device SET rotate = ?, rotate_by = ? WHERE n = ? AND cert IS NOT NULL");
  hf_stmt_put_int(stmt, act->now);
  hf_stmt_put_int(stmt, act->now + within_s);
  hf_stmt_put_int(stmt, n);
  err = done(engine, hf_stmt_run(stmt));
  if (err == HF_OK && hf_db_changes(engine->db) == 0) {
    return refuse(why, HF_RULE_REVOKE_NOTHING);
  }
  hf_cache_drop(engine->cache, id);
  hf_engine_touch(engine, HF_PULSE_DEVICE);
  within_put(&detail, within_s, act->reason);
  return err == HF_OK ? hf_auditlog_put(engine, act, "device.rotate-key", id, hf_buf_bytes(&detail)) : err;
}

enum hf_err hf_group_rotate(struct hf_engine *engine, const struct hf_act *act, uint64_t *count, struct hf_bytes group,
                            int64_t within_s)
{
  uint8_t room[640];
  struct hf_buf detail = hf_buf_init(room, sizeof room);
  struct hf_query *query;
  enum hf_err err = hf_group_get(&query, engine->db, group);
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt =
      hf_group_open(engine->db, "UPDATE device SET rotate = ?, rotate_by = ? WHERE cert IS NOT NULL AND ", query, "");
  hf_stmt_put_int(stmt, act->now);
  hf_stmt_put_int(stmt, act->now + within_s);
  hf_group_bind(stmt, query);
  err = done(engine, hf_stmt_run(stmt));
  free(query);
  *count = err == HF_OK ? hf_db_changes(engine->db) : 0;
  err = err == HF_OK ? hf_cache_flush(engine, act->now, true) : err;
  hf_cache_init(engine->cache); /* any of them may be one */
  hf_engine_touch(engine, HF_PULSE_DEVICE);
  hf_buf_put_uint(&detail, *count);
  hf_buf_put_text(&detail, " devices ");
  within_put(&detail, within_s, act->reason);
  return err == HF_OK ? hf_auditlog_put(engine, act, "group.rotate-key", group, hf_buf_bytes(&detail)) : err;
}

/* ---- what a check-in shows ---- */

uint32_t hf_credential_print(uint32_t tls, struct hf_bytes cipher, struct hf_bytes anchor)
{
  uint8_t room[128];
  uint8_t digest[HF_SHA256_LEN];
  struct hf_buf buf = hf_buf_init(room, sizeof room);
  hf_buf_put_be32(&buf, tls);
  hf_buf_put_u8(&buf, (uint8_t)cipher.len);
  hf_buf_put(&buf, cipher);
  hf_buf_put(&buf, anchor);
  hf_sha256(digest, hf_buf_bytes(&buf));
  struct hf_cursor cur = hf_cursor_init(hf_bytes_init(digest, sizeof digest));
  return hf_cursor_be32(&cur);
}

/* Readers, who see no connection, count by it. */
static enum hf_err newest_anchor(struct hf_engine *engine, struct hf_bytes anchor, int64_t now)
{
  if (anchor.len != sizeof engine->anchor ||
      hf_bytes_equal(anchor, hf_bytes_init(engine->anchor, sizeof engine->anchor))) {
    return HF_OK;
  }
  memcpy(engine->anchor, anchor.at, sizeof engine->anchor);
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "INSERT INTO server_ca (anchor, seen) VALUES (?, ?) ON CONFLICT (anchor) DO NOTHING");
  hf_stmt_put_bytes(stmt, anchor);
  hf_stmt_put_int(stmt, now);
  return done(engine, hf_stmt_run(stmt));
}

enum hf_err hf_credential_connection(struct hf_engine *engine, struct hf_cached *cached, const struct hf_peer *peer,
                                     const struct hf_checkin *checkin, int64_t now)
{
  struct hf_bytes anchor = hf_bytes_init(checkin->anchor, checkin->has_anchor ? sizeof checkin->anchor : 0);
  enum hf_err err = newest_anchor(engine, peer->anchor, now);
  if (err != HF_OK) {
    return err;
  }
  uint32_t print = hf_credential_print(peer->tls, peer->cipher, anchor);
  if (print == cached->connection) {
    return HF_OK;
  }
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "UPDATE device SET tls = ?, cipher = ?, anchor = ? WHERE n = ?");
  hf_stmt_put_int(stmt, peer->tls);
  hf_stmt_put_text(stmt, peer->cipher);
  if (anchor.len > 0) {
    hf_stmt_put_bytes(stmt, anchor);
  } else {
    hf_stmt_put_null(stmt);
  }
  hf_stmt_put_int(stmt, cached->n);
  cached->connection = print;
  return done(engine, hf_stmt_run(stmt));
}

bool hf_credential_anchors(const struct hf_peer *peer, const struct hf_checkin *checkin)
{
  return checkin->has_anchor && peer->anchor.len == sizeof checkin->anchor &&
         !hf_bytes_equal(peer->anchor, hf_bytes_init(checkin->anchor, sizeof checkin->anchor));
}

static enum hf_err alarm(struct hf_engine *engine, struct hf_cached *cached, enum hf_alarm kind, const char *detail,
                         int64_t now)
{
  if (cached->alarmed != 0 && now >= cached->alarmed && now - cached->alarmed < ALARM_AGAIN_S) {
    return HF_OK;
  }
  cached->alarmed = now;
  return hf_alarm_raise(engine, kind, hf_bytes_init(cached->id, cached->id_len), hf_bytes_text(detail), now);
}

enum hf_err hf_credential_unknown(struct hf_engine *engine, struct hf_cached *cached, const struct hf_peer *peer,
                                  int64_t now)
{
  bool old = false;
  char detail[160];
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT cert_old FROM device WHERE n = ? AND revoked = 0");
  hf_stmt_put_int(stmt, cached->n);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    old = hf_bytes_equal(hf_stmt_get_bytes(stmt, 0), hf_bytes_init(peer->certificate, sizeof peer->certificate));
  }
  hf_stmt_close(stmt);
  if (!old) {
    return err == HF_E_NOT_FOUND ? HF_OK : err;
  }
  (void)snprintf(detail, sizeof detail, "refused; from %.*s", (int)peer->address.len,
                 peer->address.len > 0 ? (const char *)peer->address.at : "");
  return alarm(engine, cached, HF_ALARM_OLD_CERTIFICATE, detail, now);
}

/* Is it after the last one of the other sequence? */
static bool goes_on(const struct hf_cached *cached, const struct hf_checkin *checkin)
{
  return checkin->boot > cached->twin_boot ||
         (checkin->boot == cached->twin_boot && checkin->number > cached->twin_number);
}

static enum hf_err twin_put(struct hf_engine *engine, struct hf_cached *cached, const struct hf_checkin *checkin,
                            int64_t now)
{
  char detail[160];
  uint32_t weight = checkin->boot < cached->boot ? 2 : 1;
  bool on = cached->twin_count > 0 && goes_on(cached, checkin);
  if (on || cached->twin_count == 0) {
    cached->twin_count = (uint8_t)(cached->twin_count + weight < 200 ? cached->twin_count + weight : 200);
    cached->twin_boot = checkin->boot;
    cached->twin_number = checkin->number;
  }
  if (!on || cached->twin_count < TWIN_SURE) {
    return HF_OK;
  }
  (void)snprintf(detail, sizeof detail, "start %u check-in %u came after start %u check-in %u", (unsigned)checkin->boot,
                 (unsigned)checkin->number, (unsigned)cached->boot, (unsigned)cached->number);
  if (cached->twin_alone) { /* the other one is heard no more: this is the device now, set back to an old copy */
    cached->boot = checkin->boot;
    cached->number = checkin->number > 0 ? checkin->number - 1 : 0;
    cached->twin_count = 0;
  }
  return alarm(engine, cached, HF_ALARM_CLONE, detail, now);
}

enum hf_err hf_credential_sequence(struct hf_engine *engine, struct hf_cached *cached, const struct hf_checkin *checkin,
                                   int64_t now)
{
  bool on = checkin->boot > cached->boot || (checkin->boot == cached->boot && checkin->number > cached->number);
  /* Number 0: this server remembers the boot only, from the registry. An earlier boot is out of order all the same; if
   * it were only left unheard, a device that was set back would be mute for ever. */
  if (!on && (cached->number != 0 || checkin->boot < cached->boot)) {
    cached->twin_alone = cached->twin_count == 0 ? true : cached->twin_alone;
    cached->twin_clean = 0;
    return twin_put(engine, cached, checkin, now);
  }
  cached->twin_alone = false;
  if (cached->twin_count > 0 && ++cached->twin_clean >= TWIN_CLEAN) {
    cached->twin_count = 0;
  }
  return HF_OK;
}

/* ---- shared keys ---- */

static enum hf_err shared_with(struct hf_engine *engine, struct hf_bytes id, const char *sql, int64_t now)
{
  char other[HF_DEVICE_ID_MAX + 1] = "";
  char detail[160];
  struct hf_stmt *stmt = hf_stmt_open(engine->db, sql);
  hf_stmt_put_text(stmt, id);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    hf_text_copy(other, sizeof other, hf_stmt_get_bytes(stmt, 0));
  }
  hf_stmt_close(stmt);
  if (err != HF_OK) {
    return err == HF_E_NOT_FOUND ? HF_OK : err;
  }
  stmt = hf_stmt_open(engine->db, "UPDATE device SET shared = 1 WHERE id IN (?, ?)");
  hf_stmt_put_text(stmt, id);
  hf_stmt_put_text(stmt, hf_bytes_text(other));
  err = done(engine, hf_stmt_run(stmt));
  (void)snprintf(detail, sizeof detail, "the other is %s", other);
  return err == HF_OK ? hf_alarm_raise(engine, HF_ALARM_SHARED_KEY, id, hf_bytes_text(detail), now) : err;
}

enum hf_err hf_credential_shared(struct hf_engine *engine, struct hf_bytes id, int64_t now)
{
  enum hf_err err = shared_with(engine, id,
                                "SELECT o.id FROM device d JOIN device o ON o.key_hash = d.key_hash AND o.n <> d.n"
                                " WHERE d.id = ? AND d.key_hash IS NOT NULL LIMIT 1",
                                now);
  return err == HF_OK ? shared_with(engine, id,
                                    "SELECT o.id FROM device d JOIN device o ON o.factory_key = d.factory_key"
                                    " AND o.n <> d.n WHERE d.id = ? AND d.factory_key IS NOT NULL LIMIT 1",
                                    now)
                      : err;
}
