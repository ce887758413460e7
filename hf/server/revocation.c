/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/revocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/codec/text.h"
#include "hf/fleet/cafile.h"
#include "hf/server/files.h"

#define RETRY_S 60

struct hf_revocation {
  struct hf_vault_ca ca[HF_VAULT_CAS_MAX];
  size_t count;
  bool known;    /* the vault was asked since it started */
  int64_t retry; /* nothing is tried before */
};

enum hf_err hf_revocation_open(struct hf_engine *engine)
{
  engine->revocation = calloc(1, sizeof *engine->revocation);
  return engine->revocation == NULL ? HF_E_IO : HF_OK;
}

void hf_revocation_close(struct hf_engine *engine)
{
  free(engine->revocation);
  engine->revocation = NULL;
}

void hf_revocation_ask_again(struct hf_engine *engine)
{
  if (engine->revocation != NULL) {
    engine->revocation->known = false;
    engine->revocation->retry = 0;
  }
}

/* ---- the CAs ---- */

static enum hf_err table_put(struct hf_engine *engine)
{
  const struct hf_revocation *revocation = engine->revocation;
  enum hf_err err = hf_stmt_run(hf_stmt_open(engine->db, "DELETE FROM device_ca"));
  for (size_t i = 0; i < revocation->count && err == HF_OK; i++) {
    const struct hf_vault_ca *ca = &revocation->ca[i];
    struct hf_stmt *stmt =
        hf_stmt_open(engine->db, "INSERT INTO device_ca (number, sha256, not_after) VALUES (?, ?, ?)");
    hf_stmt_put_int(stmt, ca->number);
    hf_stmt_put_bytes(stmt, hf_bytes_init(ca->sha256, sizeof ca->sha256));
    hf_stmt_put_int(stmt, ca->not_after);
    err = hf_stmt_run(stmt);
  }
  hf_engine_touch(engine, HF_PULSE_DEVICE);
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

static enum hf_err ask(struct hf_engine *engine)
{
  struct hf_revocation *revocation = engine->revocation;
  if (revocation->known) {
    return HF_OK;
  }
  size_t count = 0;
  for (uint32_t number = 1; number <= HF_VAULT_CAS_MAX; number++) {
    enum hf_err err = hf_vault_ca(engine->config.vault, &revocation->ca[count], number);
    if (err == HF_OK) {
      count++;
    } else if (err != HF_E_NOT_FOUND) {
      return err;
    }
  }
  revocation->count = count;
  revocation->known = count > 0;
  return count > 0 ? table_put(engine) : HF_E_NOT_FOUND;
}

enum hf_err hf_revocation_newest(struct hf_engine *engine, uint32_t *number)
{
  enum hf_err err = ask(engine);
  *number = err == HF_OK ? engine->revocation->ca[engine->revocation->count - 1].number : 0;
  return err;
}

void hf_revocation_put_url(struct hf_buf *out, const struct hf_engine *engine, uint32_t ca)
{
  char name[32];
  const char *base = engine->settings.crl_url;
  size_t len = strlen(base);
  if (len == 0 || hf_cafile_name(name, sizeof name, "device-ca", ca, ".crl") != HF_OK) {
    return;
  }
  hf_buf_put_text(out, base);
  hf_buf_put_text(out, base[len - 1] == '/' ? "" : "/");
  hf_buf_put_text(out, name);
}

/* ---- what is on the list ---- */

/* Half of a list is kept for what people revoke: devices that enrol again and again fill the other half only. */
static enum hf_err list_full(struct hf_engine *engine, uint32_t ca, bool superseded)
{
  int64_t count = 0;
  int64_t room = superseded ? HF_CRL_ENTRIES_MAX / 2 : HF_CRL_ENTRIES_MAX;
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT count(*) FROM revoked WHERE ca = ?");
  hf_stmt_put_int(stmt, ca);
  enum hf_err err = hf_stmt_run_int(stmt, &count);
  return err == HF_OK && count >= room ? HF_E_FULL : err;
}

/* The list of this CA is due at once. */
static enum hf_err due_put(struct hf_engine *engine, uint32_t ca)
{
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "UPDATE crl SET due = 0 WHERE ca = ?");
  hf_stmt_put_int(stmt, ca);
  return hf_stmt_run(stmt);
}

enum hf_err hf_revocation_add(struct hf_engine *engine, const struct hf_revoked *revoked, int64_t now)
{
  uint8_t serial[HF_CRL_SERIAL_LEN];
  if (hf_hex_parse(serial, sizeof serial, revoked->serial) != HF_OK) {
    return HF_OK; /* no certificate that this vault has made: it has nothing to sign about it */
  }
  enum hf_err err = list_full(engine, revoked->ca, revoked->reason == HF_CRL_SUPERSEDED);
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "INSERT INTO revoked (ca, serial, device, time, reason, ends, key_hash) VALUES"
                               " (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (ca, serial) DO UPDATE SET reason = excluded.reason,"
                               " key_hash = excluded.key_hash WHERE excluded.reason = 1");
  hf_stmt_put_int(stmt, revoked->ca);
  hf_stmt_put_bytes(stmt, hf_bytes_init(serial, sizeof serial));
  hf_stmt_put_text(stmt, revoked->device);
  hf_stmt_put_int(stmt, now);
  hf_stmt_put_int(stmt, revoked->reason);
  hf_stmt_put_int(stmt, revoked->ends);
  if (revoked->key_hash.len == HF_SHA256_LEN) {
    hf_stmt_put_bytes(stmt, revoked->key_hash);
  } else {
    hf_stmt_put_null(stmt);
  }
  err = hf_stmt_run(stmt);
  err = err == HF_OK ? due_put(engine, revoked->ca) : err;
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

enum hf_err hf_revocation_key(struct hf_engine *engine, bool *compromised, const uint8_t key_hash[HF_SHA256_LEN])
{
  int64_t count = 0;
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT count(*) FROM revoked WHERE key_hash = ? AND reason = 1");
  hf_stmt_put_bytes(stmt, hf_bytes_init(key_hash, HF_SHA256_LEN));
  enum hf_err err = hf_stmt_run_int(stmt, &count);
  *compromised = err != HF_OK || count > 0;
  return err;
}

/* ---- signing ---- */

static enum hf_err entries_get(struct hf_engine *engine, struct hf_buf *entries, uint32_t ca, int64_t now)
{
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "SELECT serial, time, reason FROM revoked WHERE ca = ? ORDER BY serial");
  hf_stmt_put_int(stmt, ca);
  enum hf_err err = hf_stmt_next(stmt);
  for (; err == HF_OK; err = hf_stmt_next(stmt)) {
    struct hf_bytes serial = hf_stmt_get_bytes(stmt, 0);
    int64_t time = hf_stmt_get_int(stmt, 1);
    if (serial.len == HF_CRL_SERIAL_LEN) {
      hf_crl_put_entry(entries, serial.at, time < now ? time : now, (enum hf_crl_reason)hf_stmt_get_int(stmt, 2));
    }
  }
  hf_stmt_close(stmt);
  return err != HF_E_NOT_FOUND ? err : entries->failed ? HF_E_SPACE : HF_OK;
}

static enum hf_err file_put(struct hf_engine *engine, uint32_t number, struct hf_bytes der)
{
  char below[64];
  char path[4096];
  enum hf_err err = hf_cafile_name(below, sizeof below, "repo/crl/device-ca", number, ".crl");
  err = err == HF_OK ? hf_engine_path(path, sizeof path, engine, below) : err;
  err = err == HF_OK ? hf_file_folders(path) : err;
  return err == HF_OK ? hf_file_put(path, der) : err;
}

/* The same bytes that the vault builds, and its signature around them. */
static enum hf_err list_write(struct hf_engine *engine, const struct hf_vault_ca *ca, const struct hf_crl *crl)
{
  uint8_t sig_room[HF_SIG_MAX];
  struct hf_buf sig = hf_buf_init(sig_room, sizeof sig_room);
  size_t cap = hf_crl_room(crl->entries.len);
  uint8_t *room = malloc(2 * cap);
  if (room == NULL) {
    return HF_E_SPACE;
  }
  struct hf_buf tbs = hf_buf_init(room, cap);
  struct hf_buf whole = hf_buf_init(room + cap, cap);
  enum hf_err err = hf_crl_put_tbs(&tbs, crl);
  engine->vault_used = true;
  err = err == HF_OK ? hf_vault_crl(engine->config.vault, &sig, ca->number, crl) : err;
  err = err == HF_OK ? hf_crl_put(&whole, hf_buf_bytes(&tbs), hf_buf_bytes(&sig)) : err;
  err = err == HF_OK ? file_put(engine, ca->number, hf_buf_bytes(&whole)) : err;
  free(room);
  return err;
}

static enum hf_err row_put(struct hf_engine *engine, uint32_t ca, const struct hf_crl *crl)
{
  struct hf_stmt *stmt = hf_stmt_open(
      engine->db, "INSERT INTO crl (ca, number, this_update, next_update, due, count) VALUES (?, ?, ?, ?, ?, ?)"
                  " ON CONFLICT (ca) DO UPDATE SET number = excluded.number, this_update = excluded.this_update,"
                  " next_update = excluded.next_update, due = excluded.due, count = excluded.count");
  hf_stmt_put_int(stmt, ca);
  hf_stmt_put_int(stmt, (int64_t)crl->number);
  hf_stmt_put_int(stmt, crl->this_update);
  hf_stmt_put_int(stmt, crl->next_update);
  hf_stmt_put_int(stmt, crl->this_update + HF_CRL_AGAIN_S);
  hf_stmt_put_int(stmt, (int64_t)(crl->entries.len / HF_CRL_ENTRY_LEN));
  enum hf_err err = hf_stmt_run(stmt);
  hf_engine_touch(engine, HF_PULSE_DEVICE);
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

/* The number is the time, unless that does not rise: it survives a database that is set back to an older copy. */
static enum hf_err list_sign(struct hf_engine *engine, const struct hf_vault_ca *ca, int64_t last, int64_t now)
{
  size_t cap = (size_t)HF_CRL_ENTRIES_MAX * HF_CRL_ENTRY_LEN;
  uint8_t *room = malloc(cap); /* untouched pages cost nothing */
  if (room == NULL) {
    return HF_E_SPACE;
  }
  struct hf_buf entries = hf_buf_init(room, cap);
  enum hf_err err = entries_get(engine, &entries, ca->number, now);
  const struct hf_crl crl = {.issuer = hf_bytes_init(ca->name, ca->name_len),
                             .key_id = hf_bytes_init(ca->key_id, ca->key_id_len),
                             .number = (uint64_t)(now > last ? now : last + 1),
                             .this_update = now,
                             .next_update = now + HF_CRL_LIFE_S,
                             .entries = hf_buf_bytes(&entries)};
  err = err == HF_OK ? list_write(engine, ca, &crl) : err;
  err = err == HF_OK ? row_put(engine, ca->number, &crl) : err;
  free(room);
  return err;
}

static enum hf_err forget_ended(struct hf_engine *engine, int64_t now)
{
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "DELETE FROM revoked WHERE ends < ? AND reason <> 1");
  hf_stmt_put_int(stmt, now - HF_CRL_KEEP_S);
  enum hf_err err = hf_stmt_run(stmt);
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

static enum hf_err list_tick(struct hf_engine *engine, const struct hf_vault_ca *ca, int64_t now)
{
  int64_t number = 0;
  int64_t due = 0;
  int64_t made = 0;
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT number, due, this_update FROM crl WHERE ca = ?");
  hf_stmt_put_int(stmt, ca->number);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    number = hf_stmt_get_int(stmt, 0);
    due = hf_stmt_get_int(stmt, 1);
    made = hf_stmt_get_int(stmt, 2);
  }
  hf_stmt_close(stmt);
  if ((err != HF_OK && err != HF_E_NOT_FOUND) || (due > now && made <= now)) {
    return err;
  }
  err = forget_ended(engine, now);
  return err == HF_OK ? list_sign(engine, ca, number, now) : err;
}

enum hf_err hf_revocation_tick(struct hf_engine *engine, int64_t now)
{
  struct hf_revocation *revocation = engine->revocation;
  if (now < revocation->retry) {
    return HF_OK;
  }
  enum hf_err err = ask(engine);
  for (size_t i = 0; i < revocation->count && err == HF_OK; i++) {
    err = list_tick(engine, &revocation->ca[i], now);
  }
  if (err != HF_OK) {
    fprintf(stderr, "engine: revocation list: %s; tried again in %d s\n", hf_err_name(err), RETRY_S);
    revocation->retry = now + RETRY_S;
  }
  return HF_OK;
}
