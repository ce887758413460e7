/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/enrol.h"

#include <string.h>

#include "hf/codec/der.h"
#include "hf/codec/text.h"
#include "hf/server/alarms.h"
#include "hf/server/auditlog.h"
#include "hf/server/cache.h"
#include "hf/server/credential.h"
#include "hf/server/devices.h"
#include "hf/server/factory.h"
#include "hf/server/revocation.h"
#include "hf/wire/pubkey.h"

/* A device whose clock is a little behind must not refuse its new certificate. */
#define BACKDATE_S 300
#define TOKEN_PREFIX "hfe_"
#define CERTIFICATE_MAX 2048
/* Certificates a device gets by showing one: each costs a signature and lines in two logs that are kept for ever. */
#define HOURLY_MAX "20"

/* What is known of the id before: a row, or none. */
struct known {
  bool there;
  bool blocked;
  int64_t n;
  uint8_t key_hash[HF_SHA256_LEN];
  bool has_key;
  uint8_t cert[HF_SHA256_LEN];
  bool has_cert;
  uint8_t cert_previous[HF_SHA256_LEN];
  bool has_previous;
  bool revoked;
  bool rotate;
};

/* One enrolment at work. */
struct enrolment {
  struct hf_engine *engine;
  const struct hf_enrol *ask;
  struct known known;
  char product[HF_PRODUCT_MAX + 1];
  uint8_t key_hash[HF_SHA256_LEN];
  uint8_t token_hash[HF_SHA256_LEN];
  const char *way;  /* for the audit log */
  bool fresh;       /* a new identity for the id: numbering starts again */
  bool by_previous; /* a renewal by the certificate before the one in the registry, which was never used */
  uint32_t ca;
  int64_t now;
};

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule)
{
  hf_why_put(why, rule, 0);
  return HF_E_DENIED;
}

static void hash_take(uint8_t out[HF_SHA256_LEN], bool *there, struct hf_bytes bytes)
{
  *there = bytes.len == HF_SHA256_LEN;
  if (*there) {
    memcpy(out, bytes.at, HF_SHA256_LEN);
  }
}

static enum hf_err known_get(struct known *known, struct hf_db *db, struct hf_bytes id)
{
  *known = (struct known){.there = false};
  struct hf_stmt *stmt = hf_stmt_open(db, "SELECT n, blocked, key_hash, cert, cert_previous, revoked,"
                                          " rotate FROM device WHERE id = ?");
  hf_stmt_put_text(stmt, id);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    known->there = true;
    known->n = hf_stmt_get_int(stmt, 0);
    known->blocked = hf_stmt_get_int(stmt, 1) != 0;
    hash_take(known->key_hash, &known->has_key, hf_stmt_get_bytes(stmt, 2));
    hash_take(known->cert, &known->has_cert, hf_stmt_get_bytes(stmt, 3));
    hash_take(known->cert_previous, &known->has_previous, hf_stmt_get_bytes(stmt, 4));
    known->revoked = hf_stmt_get_int(stmt, 5) != 0;
    known->rotate = hf_stmt_get_int(stmt, 6) != 0;
  }
  hf_stmt_close(stmt);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

static enum hf_err product_check(struct hf_db *db, const char *product, struct hf_why *why)
{
  int64_t count = 0;
  struct hf_stmt *stmt = hf_stmt_open(db, "SELECT count(*) FROM product WHERE name = ?");
  hf_stmt_put_text(stmt, hf_bytes_text(product));
  enum hf_err err = hf_stmt_run_int(stmt, &count);
  return err == HF_OK && count == 0 ? refuse(why, HF_RULE_ENROL_PRODUCT) : err;
}

/* Some time after its end a certificate opens this one door still: a device that lay in a drawer comes back by
 * itself. */
static enum hf_err dates_check(const struct enrolment *in, struct hf_why *why)
{
  int64_t late = in->now - in->ask->peer->not_after;
  return late <= 0 || late <= in->engine->settings.renewal_grace_s ? HF_OK : refuse(why, HF_RULE_ENROL_GRACE);
}

/* Renewal: the certificate shown must be the one in use. A new key is allowed, as RFC 7030 section 4.2.2 has it. */
static enum hf_err renew_check(struct enrolment *in, struct hf_why *why)
{
  const struct hf_peer *peer = in->ask->peer;
  const struct known *known = &in->known;
  if (peer == NULL || peer->factory || !known->there) {
    return refuse(why, HF_RULE_ENROL_CERTIFICATE);
  }
  bool current = known->has_cert && hf_secret_equal(known->cert, peer->certificate, HF_SHA256_LEN);
  bool previous = known->has_previous && hf_secret_equal(known->cert_previous, peer->certificate, HF_SHA256_LEN);
  if (!current && !previous) {
    return refuse(why, known->revoked ? HF_RULE_ENROL_REVOKED : HF_RULE_ENROL_CERTIFICATE);
  }
  if (known->rotate && known->has_key && hf_secret_equal(known->key_hash, in->key_hash, HF_SHA256_LEN)) {
    return refuse(why, HF_RULE_ENROL_SAME_KEY);
  }
  in->by_previous = !current;
  in->way = peer->not_after < in->now ? "renewal after its end" : "renewal";
  return dates_check(in, why);
}

/* A factory certificate speaks for its id. An id that has a key already stays with that key: somebody who got hold of a
 * factory certificate must not take the place of a device that works. */
static enum hf_err factory_check(struct enrolment *in, struct hf_why *why)
{
  const struct known *known = &in->known;
  if (!in->ask->peer->factory) {
    return refuse(why, HF_RULE_ENROL_CERTIFICATE);
  }
  if (known->revoked) {
    return refuse(why, HF_RULE_ENROL_REVOKED);
  }
  if (known->there && known->has_key && !hf_secret_equal(known->key_hash, in->key_hash, HF_SHA256_LEN)) {
    enum hf_err raised = hf_alarm_raise(in->engine, HF_ALARM_SECOND_KEY, in->ask->device,
                                        hf_bytes_text("refused: the device keeps the key it has"), in->now);
    return raised == HF_OK ? refuse(why, HF_RULE_ENROL_TAKEN) : raised;
  }
  enum hf_err err = hf_factory_check(in->engine, in->ask, in->now, why);
  if (err != HF_OK) {
    return err;
  }
  hf_text_copy(in->product, sizeof in->product, in->ask->product);
  in->fresh = !known->there || !known->has_key;
  in->way = "factory certificate";
  return HF_OK;
}

static void token_hash(uint8_t out[HF_SHA256_LEN], struct hf_bytes token) { hf_sha256(out, token); }

/* Only once there is a certificate: a fault of the vault must not cost a device its token. */
static enum hf_err token_use(struct enrolment *in)
{
  struct hf_stmt *stmt = hf_stmt_open(in->engine->db, "UPDATE enrol_token SET used = ? WHERE hash = ?");
  hf_stmt_put_int(stmt, in->now);
  hf_stmt_put_bytes(stmt, hf_bytes_init(in->token_hash, HF_SHA256_LEN));
  return hf_stmt_run(stmt);
}

/* A token is an operator's word for one id, once: it also gives an id to a new key. */
static enum hf_err token_check(struct enrolment *in, struct hf_why *why)
{
  bool good = false;
  token_hash(in->token_hash, in->ask->token);
  struct hf_stmt *stmt =
      hf_stmt_open(in->engine->db, "SELECT device, product, expires, used FROM enrol_token WHERE hash = ?");
  hf_stmt_put_bytes(stmt, hf_bytes_init(in->token_hash, sizeof in->token_hash));
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    good = hf_stmt_get_int(stmt, 2) >= in->now && hf_stmt_get_int(stmt, 3) == 0;
    err = good && !hf_bytes_equal(hf_stmt_get_bytes(stmt, 0), in->ask->device) ? refuse(why, HF_RULE_ENROL_OTHER_ID)
                                                                               : HF_OK;
    hf_text_copy(in->product, sizeof in->product, hf_stmt_get_bytes(stmt, 1));
  }
  hf_stmt_close(stmt);
  if (err == HF_E_NOT_FOUND || (err == HF_OK && !good)) {
    return refuse(why, HF_RULE_ENROL_TOKEN);
  }
  in->fresh = true;
  in->way = "token";
  return err;
}

/* A device that turns in a loop, or wants to fill the disk with the record of it. */
static enum hf_err rate_check(struct enrolment *in, struct hf_why *why)
{
  int64_t time = 0;
  struct hf_stmt *stmt =
      hf_stmt_open(in->engine->db, "SELECT time FROM audit WHERE subject = ? AND action IN ('device.enrol',"
                                   " 'device.renew') ORDER BY n DESC LIMIT 1 OFFSET " HOURLY_MAX " - 1");
  hf_stmt_put_text(stmt, in->ask->device);
  enum hf_err err = hf_stmt_run_int(stmt, &time);
  if (err == HF_OK && time > in->now - 3600 && time <= in->now) {
    return refuse(why, HF_RULE_ENROL_OFTEN);
  }
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

/* A key that was stolen is stolen from everybody: no proof gives it a certificate again. */
static enum hf_err key_check(struct enrolment *in, struct hf_why *why)
{
  bool compromised;
  enum hf_err err = hf_revocation_key(in->engine, &compromised, in->key_hash);
  return err == HF_OK && compromised ? refuse(why, HF_RULE_ENROL_KEY_REVOKED) : err;
}

static enum hf_err right_check(struct enrolment *in, struct hf_why *why)
{
  const struct hf_enrol *ask = in->ask;
  if (!hf_names_check_device(ask->device)) {
    hf_why_put(why, HF_RULE_ENROL_ID, 0);
    return HF_E_INPUT;
  }
  if (ask->peer != NULL && !hf_bytes_equal(ask->peer->device, ask->device)) {
    return refuse(why, HF_RULE_ENROL_OTHER_ID);
  }
  enum hf_err err = known_get(&in->known, in->engine->db, ask->device);
  if (err != HF_OK) {
    return err;
  }
  if (in->known.blocked) {
    return refuse(why, HF_RULE_ENROL_BLOCKED);
  }
  err = key_check(in, why);
  if (err == HF_OK && ask->peer != NULL) {
    err = rate_check(in, why);
  }
  if (err != HF_OK) {
    return err;
  }
  if (ask->renew) {
    return renew_check(in, why);
  }
  err = ask->peer != NULL ? factory_check(in, why) : token_check(in, why);
  return err == HF_OK ? product_check(in->engine->db, in->product, why) : err;
}

static enum hf_err row_new(struct enrolment *in)
{
  struct hf_stmt *stmt = hf_stmt_open(
      in->engine->db, "INSERT INTO device (id, product, hardware, created) VALUES (?, ?, ?, ?) RETURNING n");
  hf_stmt_put_text(stmt, in->ask->device);
  hf_stmt_put_text(stmt, hf_bytes_text(in->product));
  hf_stmt_put_text(stmt, in->ask->hardware);
  hf_stmt_put_int(stmt, in->now);
  return hf_stmt_run_int(stmt, &in->known.n);
}

/* A new identity for a known id: its numbering starts again, its product is what the new proof says. */
static enum hf_err row_refresh(struct enrolment *in)
{
  struct hf_stmt *stmt =
      hf_stmt_open(in->engine->db, "UPDATE device SET epoch = epoch + 1, event_number = 0, boot_id = 0, acted = 0,"
                                   " report_counter = -1, public_key = NULL,"
                                   " product = ?, hardware = ?, cert = NULL, revoked = 0,"
                                   " revoked_reason = 0, shared = 0 WHERE n = ?");
  hf_stmt_put_text(stmt, hf_bytes_text(in->product));
  hf_stmt_put_text(stmt, in->ask->hardware);
  hf_stmt_put_int(stmt, in->known.n);
  return hf_stmt_run(stmt);
}

/* Certificate ::= SEQUENCE { tbs SEQUENCE { [0] version, serialNumber INTEGER ... (RFC 5280 section 4.1). The vault
 * wrote it: this is for people to read, and stays empty when it is another shape. */
static void serial_put(struct hf_buf *out, struct hf_bytes certificate)
{
  struct hf_cursor outer = hf_cursor_init(certificate);
  struct hf_cursor body = hf_cursor_init(hf_der_take(&outer, 0x30));
  struct hf_cursor tbs = hf_cursor_init(hf_der_take(&body, 0x30));
  (void)hf_der_take(&tbs, 0xa0);
  struct hf_bytes serial = hf_der_take(&tbs, 0x02);
  if (!tbs.failed && serial.len <= 20) {
    hf_hex_put(out, serial);
  }
}

/* The certificate before stays good until the new one is used, but only for a renewal. */
static enum hf_err certificate_put(struct enrolment *in, struct hf_bytes certificate, int64_t not_after)
{
  uint8_t print[HF_SHA256_LEN];
  uint8_t serial_room[2 * 20];
  struct hf_buf serial = hf_buf_init(serial_room, sizeof serial_room);
  hf_sha256(print, certificate);
  const struct hf_pubkey *key = &in->ask->key;
  serial_put(&serial, certificate);
  /* A renewal by the certificate in the registry makes that the one before; one by the one before leaves it there. */
  struct hf_stmt *stmt = hf_stmt_open(
      in->engine->db, in->by_previous
                          ? "UPDATE device SET cert_previous = ?, cert = ?, cert_not_after = ?, cert_serial = ?,"
                            " cert_issued = ?, key_hash = ?, public_key = ?, cert_ca = ?, rotated = ?, rotate = 0,"
                            " rotate_by = 0 WHERE n = ?"
                          : "UPDATE device SET cert_previous_serial = cert_serial, cert_previous_end = cert_not_after,"
                            " cert_previous_ca = cert_ca, cert_previous = ?, cert = ?, cert_not_after = ?,"
                            " cert_serial = ?, cert_issued = ?, key_hash = ?, public_key_previous = public_key,"
                            " public_key = ?, cert_ca = ?, rotated = ?, rotate = 0, rotate_by = 0 WHERE n = ?");
  if (in->ask->renew) {
    hf_stmt_put_bytes(stmt, hf_bytes_init(in->ask->peer->certificate, HF_SHA256_LEN));
  } else {
    hf_stmt_put_null(stmt);
  }
  hf_stmt_put_bytes(stmt, hf_bytes_init(print, sizeof print));
  hf_stmt_put_int(stmt, not_after);
  hf_stmt_put_text(stmt, hf_buf_bytes(&serial));
  hf_stmt_put_int(stmt, in->now);
  hf_stmt_put_bytes(stmt, hf_bytes_init(in->key_hash, sizeof in->key_hash));
  hf_stmt_put_bytes(stmt, hf_bytes_init(key->at, key->len));
  hf_stmt_put_int(stmt, in->ca);
  hf_stmt_put_int(stmt, in->known.rotate && in->ask->renew ? in->now : 0);
  hf_stmt_put_int(stmt, in->known.n);
  return hf_stmt_run(stmt);
}

/* What the factory certificate shows: for the report on the fleet's keys. */
static enum hf_err factory_put(struct enrolment *in)
{
  const struct hf_enrol *ask = in->ask;
  if (ask->factory_key.len != HF_SHA256_LEN) {
    return HF_OK;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(in->engine->db, "UPDATE device SET factory_key = ?, factory_kind = ?, weak = ? WHERE n = ?");
  hf_stmt_put_bytes(stmt, ask->factory_key);
  hf_stmt_put_text(stmt, ask->factory_kind);
  hf_stmt_put_int(stmt, ask->factory_weak);
  hf_stmt_put_int(stmt, in->known.n);
  return hf_stmt_run(stmt);
}

/* What a new enrolment replaces is void at once: others should hear of it. A full list stops no device. */
static enum hf_err list_replaced(struct enrolment *in)
{
  if (!in->known.there || in->ask->renew) {
    return HF_OK;
  }
  enum hf_err err = hf_credential_list(in->engine, in->known.n, HF_CRL_SUPERSEDED, in->now);
  return err == HF_E_FULL ? HF_OK : err;
}

static enum hf_err store(struct enrolment *in, struct hf_bytes certificate, int64_t not_after)
{
  enum hf_err err = list_replaced(in);
  if (err == HF_OK && !in->known.there) {
    err = row_new(in);
  } else if (err == HF_OK && in->fresh) {
    err = row_refresh(in);
  }
  if (err == HF_OK) {
    err = certificate_put(in, certificate, not_after);
  }
  if (err == HF_OK && in->ask->peer == NULL) {
    err = token_use(in);
  }
  if (err == HF_OK) {
    err = hf_factory_enrolled(in->engine, in->ask->device, in->now);
  }
  err = err == HF_OK ? factory_put(in) : err;
  err = err == HF_OK ? hf_credential_shared(in->engine, in->ask->device, in->now) : err;
  hf_cache_drop(in->engine->cache, in->ask->device);
  hf_engine_touch(in->engine, HF_PULSE_DEVICE);
  return err == HF_OK ? HF_OK : hf_engine_poison(in->engine, err);
}

static enum hf_err audit(struct enrolment *in)
{
  uint8_t room[sizeof "device:" + HF_DEVICE_ID_MAX];
  struct hf_buf who = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&who, "device:");
  hf_buf_put(&who, in->ask->device);
  const struct hf_act act = {.who = hf_buf_bytes(&who),
                             .address = in->ask->peer != NULL ? in->ask->peer->address : hf_bytes_init(NULL, 0),
                             .now = in->now};
  return hf_auditlog_put(in->engine, &act, in->ask->renew ? "device.renew" : "device.enrol", in->ask->device,
                         hf_bytes_text(in->way));
}

enum hf_err hf_engine_enrol(struct hf_engine *engine, struct hf_buf *certificate, const struct hf_enrol *enrol,
                            int64_t now, struct hf_why *why)
{
  struct enrolment in = {.engine = engine, .ask = enrol, .now = now};
  uint8_t room[CERTIFICATE_MAX];
  struct hf_buf made = hf_buf_init(room, sizeof room);
  uint8_t url_room[HF_VAULT_URL_MAX];
  struct hf_buf url = hf_buf_init(url_room, sizeof url_room);
  struct hf_vault_issue issue = {.device = enrol->device,
                                 .key = enrol->key,
                                 .not_before = now - BACKDATE_S,
                                 .not_after = now + engine->settings.certificate_life_s - BACKDATE_S};
  hf_pubkey_hash(in.key_hash, &enrol->key);
  enum hf_err err = right_check(&in, why);
  if (err == HF_OK) {
    err = hf_revocation_newest(engine, &in.ca);
  }
  if (err == HF_OK) {
    hf_revocation_put_url(&url, engine, in.ca);
    issue.ca = in.ca;
    issue.crl_url = hf_buf_bytes(&url);
    engine->vault_used = true;
    err = hf_vault_issue(engine->config.vault, &made, &issue);
  }
  if (err == HF_OK) {
    err = store(&in, hf_buf_bytes(&made), issue.not_after);
  }
  if (err == HF_OK) {
    err = audit(&in);
  }
  if (err == HF_OK) {
    hf_buf_put(certificate, hf_buf_bytes(&made));
    err = certificate->failed ? HF_E_SPACE : HF_OK;
  }
  return err;
}

enum hf_err hf_enrol_token_new(struct hf_engine *engine, struct hf_buf *token, const struct hf_act *act,
                               struct hf_bytes device, struct hf_bytes product, int64_t expires)
{
  uint8_t secret[32];
  uint8_t hash[HF_SHA256_LEN];
  uint8_t room[HF_ENROL_TOKEN_MAX];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  char name[HF_PRODUCT_MAX + 1];
  if (!hf_names_check_device(device) || !hf_names_check_product(product) || expires <= act->now) {
    return HF_E_INPUT;
  }
  hf_text_copy(name, sizeof name, product);
  enum hf_err err = product_check(engine->db, name, NULL);
  if (err != HF_OK) {
    return err == HF_E_DENIED ? HF_E_NOT_FOUND : err;
  }
  if (hf_random(secret, sizeof secret) != HF_OK) {
    return HF_E_CRYPTO;
  }
  hf_buf_put_text(&text, TOKEN_PREFIX);
  hf_hex_put(&text, hf_bytes_init(secret, sizeof secret));
  token_hash(hash, hf_buf_bytes(&text));
  struct hf_stmt *stmt = hf_stmt_open(
      engine->db,
      "INSERT INTO enrol_token (hash, device, product, created, expires, created_by) VALUES (?, ?, ?, ?, ?, ?)");
  hf_stmt_put_bytes(stmt, hf_bytes_init(hash, sizeof hash));
  hf_stmt_put_text(stmt, device);
  hf_stmt_put_text(stmt, product);
  hf_stmt_put_int(stmt, act->now);
  hf_stmt_put_int(stmt, expires);
  hf_stmt_put_text(stmt, act->who);
  err = hf_stmt_run(stmt);
  if (err != HF_OK) {
    err = hf_engine_poison(engine, err);
  } else {
    hf_buf_put(token, hf_buf_bytes(&text));
    err = token->failed ? HF_E_SPACE : hf_auditlog_put(engine, act, "enrol-token.new", device, product);
  }
  hf_secret_wipe(secret, sizeof secret);
  hf_secret_wipe(room, sizeof room);
  return err;
}
