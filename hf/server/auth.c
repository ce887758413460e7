/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/auth.h"

#include <stdio.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/base/math.h"
#include "hf/codec/text.h"
#include "hf/crypto/crypto.h"
#include "hf/crypto/key.h"

/* Expired tokens stay listed for a month, so that people see why something stopped. */
#define TOKEN_SHOWN_S (30 * 86400)
#define PASSWORD_STORED_MAX 160

/* A password nobody has, so that an unknown name costs the same scrypt as a known one. */
static const char nobody[] = "scrypt$15$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

static const char *const scope_names[HF_SCOPE_COUNT] = {"read", "operate", "release", "admin"};

const char *hf_scope_name(enum hf_scope scope)
{
  for (size_t bit = 0; bit < HF_SCOPE_COUNT; bit++) {
    if ((unsigned)scope == 1u << bit) {
      return scope_names[bit];
    }
  }
  return "none";
}

/* RFC 4648 section 5 without padding. */
static void put_base64url(struct hf_buf *out, const uint8_t bytes[32])
{
  uint8_t room[48];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  hf_base64_put(&text, hf_bytes_init(bytes, 32));
  HF_ASSERT(!text.failed && text.len == HF_SECRET_TEXT_LEN + 1);
  for (size_t i = 0; i < HF_SECRET_TEXT_LEN; i++) {
    uint8_t c = room[i] == '+' ? '-' : room[i] == '/' ? '_' : room[i];
    hf_buf_put_u8(out, c);
  }
  hf_secret_wipe(room, sizeof room);
}

static enum hf_err secret_new(struct hf_buf *out, uint8_t hash[32], const char *prefix)
{
  uint8_t raw[32];
  uint8_t room[64];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  enum hf_err err = hf_random(raw, sizeof raw);
  if (err != HF_OK) {
    return err;
  }
  hf_buf_put_text(&text, prefix);
  put_base64url(&text, raw);
  hf_sha256(hash, hf_buf_bytes(&text));
  hf_buf_put(out, hf_buf_bytes(&text));
  hf_secret_wipe(raw, sizeof raw);
  hf_secret_wipe(room, sizeof room);
  return out->failed ? HF_E_SPACE : HF_OK;
}

static void copy_text(char *out, size_t cap, struct hf_bytes text)
{
  size_t len = text.len < cap ? text.len : cap - 1;
  if (len > 0) {
    memcpy(out, text.at, len);
  }
  out[len] = 0;
}

static enum hf_err token_get(struct hf_actor *actor, struct hf_db *db, int64_t now)
{
  struct hf_stmt *stmt = hf_stmt_open(db, "SELECT name, scopes, expires, last_used FROM token WHERE hash = ?");
  hf_stmt_put_bytes(stmt, hf_bytes_init(actor->hash, sizeof actor->hash));
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    actor->kind = HF_ACTOR_TOKEN;
    copy_text(actor->name, sizeof actor->name, hf_stmt_get_bytes(stmt, 0));
    actor->scopes = (unsigned)hf_stmt_get_int(stmt, 1) & HF_SCOPE_ALL;
    actor->expires = hf_stmt_get_int(stmt, 2);
    actor->last_used = hf_stmt_get_int(stmt, 3);
    (void)snprintf(actor->who, sizeof actor->who, "token:%s", actor->name);
    err = now < actor->expires ? HF_OK : HF_E_DENIED;
  }
  hf_stmt_close(stmt);
  return err;
}

static enum hf_err session_get(struct hf_actor *actor, struct hf_db *db, int64_t now)
{
  struct hf_stmt *stmt =
      hf_stmt_open(db, "SELECT o.name, o.scopes, s.expires, s.last_used FROM session s JOIN operator o"
                       " ON o.name = s.operator WHERE s.hash = ? AND o.disabled = 0");
  hf_stmt_put_bytes(stmt, hf_bytes_init(actor->hash, sizeof actor->hash));
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    actor->kind = HF_ACTOR_SESSION;
    copy_text(actor->name, sizeof actor->name, hf_stmt_get_bytes(stmt, 0));
    actor->scopes = (unsigned)hf_stmt_get_int(stmt, 1) & HF_SCOPE_ALL;
    actor->expires = hf_stmt_get_int(stmt, 2);
    actor->last_used = hf_stmt_get_int(stmt, 3);
    (void)snprintf(actor->who, sizeof actor->who, "operator:%s", actor->name);
    /* The use that keeps it alive may be written late by HF_AUTH_USED_S, so it lives that much longer. */
    bool idle = now - actor->last_used >= HF_SESSION_IDLE_S + HF_AUTH_USED_S;
    err = now < actor->expires && !idle ? HF_OK : HF_E_DENIED;
  }
  hf_stmt_close(stmt);
  return err;
}

enum hf_err hf_actor_get(struct hf_actor *actor, struct hf_db *db, const struct hf_api_request *request)
{
  enum hf_err err = HF_E_DENIED;
  *actor = (struct hf_actor){.kind = HF_ACTOR_NONE};
  if (request->bearer.len > 0) {
    hf_sha256(actor->hash, request->bearer);
    err = token_get(actor, db, request->now);
  } else if (request->session.len > 0) {
    hf_sha256(actor->hash, request->session);
    err = session_get(actor, db, request->now);
  }
  if (err != HF_OK) {
    *actor = (struct hf_actor){.kind = HF_ACTOR_NONE};
  }
  return err == HF_E_NOT_FOUND ? HF_E_DENIED : err;
}

bool hf_actor_stale(const struct hf_actor *actor, int64_t now)
{
  return actor->kind != HF_ACTOR_NONE && (now - actor->last_used >= HF_AUTH_USED_S || now < actor->last_used);
}

enum hf_err hf_actor_put_used(const struct hf_actor *actor, struct hf_db *db, int64_t now)
{
  bool token = actor->kind == HF_ACTOR_TOKEN;
  struct hf_stmt *stmt = hf_stmt_open(db, token ? "UPDATE token SET last_used = ? WHERE hash = ?"
                                                : "UPDATE session SET last_used = ? WHERE hash = ?");
  hf_stmt_put_int(stmt, now);
  hf_stmt_put_bytes(stmt, hf_bytes_init(actor->hash, sizeof actor->hash));
  return hf_stmt_run(stmt);
}

void hf_csrf_put(struct hf_buf *out, struct hf_bytes session)
{
  uint8_t mac[HF_SHA256_LEN];
  hf_hmac_sha256(mac, session, HF_LIT("holdfast csrf"));
  put_base64url(out, mac);
}

enum hf_verdict hf_csrf_verify(struct hf_bytes session, struct hf_bytes csrf)
{
  uint8_t room[HF_SECRET_TEXT_LEN];
  struct hf_buf right = hf_buf_init(room, sizeof room);
  hf_csrf_put(&right, session);
  HF_ASSERT(!right.failed);
  if (csrf.len != right.len || !hf_secret_equal(csrf.at, room, sizeof room)) {
    return HF_DENY;
  }
  return HF_ALLOW;
}

enum hf_err hf_operator_put(struct hf_db *db, struct hf_bytes name, struct hf_bytes stored, const uint8_t keep[32])
{
  struct hf_stmt *stmt = hf_stmt_open(db, "UPDATE operator SET password = ? WHERE name = ?");
  hf_stmt_put_text(stmt, stored);
  hf_stmt_put_text(stmt, name);
  enum hf_err err = hf_stmt_run(stmt);
  if (err != HF_OK || hf_db_changes(db) == 0) {
    return err != HF_OK ? err : HF_E_NOT_FOUND;
  }
  stmt = hf_stmt_open(db, "DELETE FROM session WHERE operator = ? AND hash <> ?");
  hf_stmt_put_text(stmt, name);
  hf_stmt_put_bytes(stmt, hf_bytes_init(keep, 32));
  return hf_stmt_run(stmt);
}

enum hf_verdict hf_operator_verify(struct hf_db *db, struct hf_bytes name, struct hf_bytes password)
{
  uint8_t room[PASSWORD_STORED_MAX];
  struct hf_buf stored = hf_buf_init(room, sizeof room);
  struct hf_stmt *stmt = hf_stmt_open(db, "SELECT password FROM operator WHERE name = ? AND disabled = 0");
  hf_stmt_put_text(stmt, name);
  bool known = hf_stmt_next(stmt) == HF_OK;
  if (known) {
    hf_buf_put(&stored, hf_stmt_get_bytes(stmt, 0));
  } else {
    hf_buf_put_text(&stored, nobody);
  }
  hf_stmt_close(stmt);
  enum hf_verdict verdict = hf_password_verify(hf_buf_bytes(&stored), password);
  return known && !stored.failed ? verdict : HF_DENY;
}

static void ticket_mac(uint8_t mac[HF_SHA256_LEN], const uint8_t head[9], struct hf_bytes name,
                       const struct hf_api_request *request, const uint8_t key[32])
{
  uint8_t room[512];
  uint8_t body[HF_SHA256_LEN];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  hf_sha256(body, request->body);
  hf_buf_put_text(&text, "holdfast login ticket 1");
  hf_buf_put(&text, hf_bytes_init(head, 9));
  hf_buf_put(&text, hf_bytes_init(body, sizeof body));
  hf_buf_put_be32(&text, (uint32_t)name.len);
  hf_buf_put(&text, name);
  hf_buf_put(&text, request->address);
  HF_ASSERT(!text.failed); /* names are at most 256 bytes, addresses 46 */
  hf_hmac_sha256(mac, hf_bytes_init(key, 32), hf_buf_bytes(&text));
}

/* kind (1), time (8), MAC (32), all in hex: the reply body it travels in is text. */
#define TICKET_LEN (HF_TICKET_TEXT_LEN / 2)

void hf_ticket_put(struct hf_buf *out, enum hf_ticket kind, struct hf_bytes name, const struct hf_api_request *request,
                   const uint8_t key[32])
{
  uint8_t raw[TICKET_LEN];
  struct hf_buf head = hf_buf_init(raw, 9);
  hf_buf_put_u8(&head, (uint8_t)kind);
  hf_buf_put_be64(&head, (uint64_t)request->now);
  ticket_mac(raw + 9, raw, name, request, key);
  hf_hex_put(out, hf_bytes_init(raw, sizeof raw));
}

enum hf_verdict hf_ticket_verify(enum hf_ticket kind, struct hf_bytes name, const struct hf_api_request *request,
                                 const uint8_t key[32])
{
  uint8_t raw[TICKET_LEN];
  uint8_t mac[HF_SHA256_LEN];
  if (hf_hex_parse(raw, sizeof raw, request->ticket) != HF_OK) {
    return HF_DENY;
  }
  ticket_mac(mac, raw, name, request, key);
  struct hf_cursor cur = hf_cursor_init(hf_bytes_init(raw + 1, 8));
  int64_t age = (int64_t)((uint64_t)request->now - hf_cursor_be64(&cur));
  if (!hf_secret_equal(mac, raw + 9, sizeof mac) || raw[0] != (uint8_t)kind || age < 0 || age > HF_TICKET_LIFE_S) {
    return HF_DENY;
  }
  return HF_ALLOW;
}

enum hf_err hf_session_new(struct hf_db *db, struct hf_buf *secret, struct hf_bytes name, struct hf_bytes address,
                           int64_t now)
{
  uint8_t hash[32];
  enum hf_err err = secret_new(secret, hash, "");
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt = hf_stmt_open(db, "INSERT INTO session (hash, operator, address, created, expires, last_used)"
                                          " VALUES (?, ?, ?, ?, ?, ?)");
  hf_stmt_put_bytes(stmt, hf_bytes_init(hash, sizeof hash));
  hf_stmt_put_text(stmt, name);
  hf_stmt_put_text(stmt, address);
  hf_stmt_put_int(stmt, now);
  hf_stmt_put_int(stmt, hf_add_sat_i64(now, HF_SESSION_LIFE_S));
  hf_stmt_put_int(stmt, now);
  err = hf_stmt_run(stmt);
  if (err != HF_OK) {
    return err;
  }
  stmt = hf_stmt_open(db, "DELETE FROM session WHERE operator = ? AND hash NOT IN (SELECT hash FROM session"
                          " WHERE operator = ? ORDER BY created DESC, hash = ? DESC LIMIT ?)");
  hf_stmt_put_text(stmt, name);
  hf_stmt_put_text(stmt, name);
  hf_stmt_put_bytes(stmt, hf_bytes_init(hash, sizeof hash));
  hf_stmt_put_int(stmt, HF_SESSIONS_MAX);
  return hf_stmt_run(stmt);
}

enum hf_err hf_session_close(struct hf_db *db, const uint8_t hash[32])
{
  struct hf_stmt *stmt = hf_stmt_open(db, "DELETE FROM session WHERE hash = ?");
  hf_stmt_put_bytes(stmt, hf_bytes_init(hash, 32));
  return hf_stmt_run(stmt);
}

enum hf_err hf_token_put(struct hf_db *db, struct hf_buf *secret, int64_t *id, const struct hf_token_new *token,
                         int64_t now)
{
  uint8_t hash[32];
  enum hf_err err = secret_new(secret, hash, HF_TOKEN_PREFIX);
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt = hf_stmt_open(db, "INSERT INTO token (hash, name, scopes, created, created_by, expires)"
                                          " VALUES (?, ?, ?, ?, ?, ?) RETURNING id");
  hf_stmt_put_bytes(stmt, hf_bytes_init(hash, sizeof hash));
  hf_stmt_put_text(stmt, token->name);
  hf_stmt_put_int(stmt, token->scopes);
  hf_stmt_put_int(stmt, now);
  hf_stmt_put_text(stmt, token->by);
  hf_stmt_put_int(stmt, token->expires);
  return hf_stmt_run_int(stmt, id);
}

enum hf_err hf_auth_tick(struct hf_db *db, int64_t now)
{
  struct hf_stmt *stmt = hf_stmt_open(db, "DELETE FROM session WHERE expires <= ? OR last_used < ?");
  hf_stmt_put_int(stmt, now);
  hf_stmt_put_int(stmt, now - HF_SESSION_IDLE_S - HF_AUTH_USED_S);
  enum hf_err err = hf_stmt_run(stmt);
  if (err != HF_OK) {
    return err;
  }
  stmt = hf_stmt_open(db, "DELETE FROM token WHERE expires < ?");
  hf_stmt_put_int(stmt, now - TOKEN_SHOWN_S);
  return hf_stmt_run(stmt);
}
