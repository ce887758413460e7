/* SPDX-License-Identifier: Apache-2.0
 * REST: the fleet's identities, revoking and rotating (docs/spec/identity.md). */
#include <stdio.h>
#include <string.h>

#include "hf/codec/json.h"
#include "hf/server/call.h"
#include "hf/server/credential.h"
#include "hf/server/settings.h"
#include "hf/wire/checkin.h"

#define DAY INT64_C(86400)

/* ---- the counts ---- */

/* What a kind of the report is: a condition over table device. `?` is the time that follows from `after_s`; a kind
 * without time has none. Each is one index (hf/server/schema.c). */
static const struct kind {
  const char *name;   /* in the list's ?kind= */
  const char *member; /* in the report */
  const char *sql;
  int64_t after_s; /* added to now */
  int times;
} kinds[] = {
    {"expiring-30", "expiring_30", "cert IS NOT NULL AND cert_not_after >= ? AND cert_not_after < ?", 30 * DAY, 2},
    {"expiring-90", "expiring_90", "cert IS NOT NULL AND cert_not_after >= ? AND cert_not_after < ?", 90 * DAY, 2},
    {"expired", "expired", "cert IS NOT NULL AND cert_not_after < ?", 0, 1},
    {"grace", "grace", "cert IS NOT NULL AND cert_not_after < ? AND cert_not_after >= ?", 0, 3},
    {"beyond-grace", "beyond_grace", "cert IS NOT NULL AND cert_not_after < ?", 0, 4},
    {"weak", "weak", "weak <> 0", 0, 0},
    {"shared", "shared", "shared <> 0", 0, 0},
    {"never-used", "never_used", "first_seen = 0", 0, 0},
    {"rotating", "rotating", "rotate <> 0", 0, 0},
    {"rotation-late", "rotation_late", "rotate <> 0 AND rotate_by < ?", 0, 1},
    {"revoked", "revoked", "revoked <> 0", 0, 0},
    {"old-ca", "old_ca", "cert IS NOT NULL AND cert_ca < (SELECT coalesce(max(number), 0) FROM device_ca)", 0, 0},
    {"old-anchor", "old_anchor",
     "anchor IS NOT NULL AND anchor <> (SELECT anchor FROM server_ca ORDER BY seen DESC LIMIT 1)", 0, 0},
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

static void bind_kind(struct hf_stmt *stmt, const struct kind *kind, int64_t now, int64_t grace_s)
{
  if (kind->times == 4) { /* longer ago than the grace */
    hf_stmt_put_int(stmt, now - grace_s);
    return;
  }
  if (kind->times > 0) {
    hf_stmt_put_int(stmt, now);
  }
  if (kind->times == 2) {
    hf_stmt_put_int(stmt, now + kind->after_s);
  } else if (kind->times == 3) {
    hf_stmt_put_int(stmt, now - grace_s);
  }
}

static enum hf_err count_kind(int64_t *count, struct hf_call *call, const struct kind *kind, int64_t grace_s)
{
  char sql[256];
  (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM device WHERE %s", kind->sql);
  struct hf_stmt *stmt = hf_stmt_open(call->db, sql);
  bind_kind(stmt, kind, call->request->now, grace_s);
  return hf_stmt_run_int(stmt, count);
}

static enum hf_err put_count(struct hf_call *call, const char *member, const char *sql)
{
  int64_t count = 0;
  enum hf_err err = hf_stmt_run_int(hf_stmt_open(call->db, sql), &count);
  hf_reply_put_int(call->out, member, count);
  return err;
}

/* ---- by what ---- */

static struct hf_bytes tls_name(int64_t version)
{
  switch (version) {
    case 0x0304: return HF_LIT("TLS 1.3");
    case 0x0303: return HF_LIT("TLS 1.2");
    case 0: return HF_LIT("unknown");
    default: return HF_LIT("other");
  }
}

static struct hf_bytes storage_name(int64_t number)
{
  static const char *const names[HF_KEY_STORAGES] = {"unknown", "file", "tpm", "pkcs11", "secure-element", "trustzone"};
  return hf_bytes_text(number >= 0 && number < HF_KEY_STORAGES ? names[number] : names[0]);
}

/* A list of {name, devices} from rows of a name, as text or as a number that has one, and a count. */
static enum hf_err put_counts(struct hf_call *call, const char *member, const char *sql,
                              struct hf_bytes (*name)(int64_t number))
{
  struct hf_stmt *stmt = hf_stmt_open(call->db, sql);
  struct hf_rows rows = hf_rows_open(call->out, member, stmt);
  while (hf_rows_next(&rows)) {
    struct hf_bytes text = name != NULL ? name(hf_stmt_get_int(stmt, 0)) : hf_stmt_get_bytes(stmt, 0);
    hf_reply_put_text(call->out, "name", text.len > 0 ? text : HF_LIT("unknown"));
    hf_reply_put_int(call->out, "devices", hf_stmt_get_int(stmt, 1));
  }
  return hf_rows_close(&rows);
}

static enum hf_err put_cas(struct hf_call *call)
{
  struct hf_buf *out = call->out;
  struct hf_stmt *stmt =
      hf_stmt_open(call->db, "SELECT c.number, c.sha256, c.not_after, c.number = (SELECT max(number) FROM device_ca),"
                             " (SELECT count(*) FROM device d WHERE d.cert IS NOT NULL AND d.cert_ca = c.number)"
                             " + (SELECT count(*) FROM device d WHERE d.cert_previous IS NOT NULL"
                             " AND d.cert_previous_ca = c.number AND d.cert_ca <> c.number),"
                             " l.number, l.next_update, coalesce(l.count, 0) FROM device_ca c LEFT JOIN crl l"
                             " ON l.ca = c.number ORDER BY c.number");
  struct hf_rows rows = hf_rows_open(out, "cas", stmt);
  while (hf_rows_next(&rows)) {
    hf_reply_put_int(out, "number", hf_stmt_get_int(stmt, 0));
    hf_reply_put_hash(out, "fingerprint", hf_stmt_get_bytes(stmt, 1));
    hf_reply_put_time(out, "not_after", hf_stmt_get_int(stmt, 2));
    hf_reply_put_bool(out, "newest", hf_stmt_get_int(stmt, 3) != 0);
    hf_reply_put_int(out, "devices", hf_stmt_get_int(stmt, 4));
    if (hf_stmt_get_null(stmt, 5)) {
      hf_reply_put_null(out, "crl_number");
    } else {
      hf_reply_put_int(out, "crl_number", hf_stmt_get_int(stmt, 5));
    }
    hf_reply_put_time_or_null(out, "crl_next", hf_stmt_get_int(stmt, 6));
    hf_reply_put_int(out, "revoked", hf_stmt_get_int(stmt, 7));
  }
  return hf_rows_close(&rows);
}

static enum hf_err put_lists(struct hf_call *call)
{
  /* We issue P-256 only; what is of another kind came with a factory certificate. */
  enum hf_err err = put_counts(call, "algorithms",
                               "SELECT name, sum(n) FROM (SELECT 'ec-256 sha256' AS name, count(*) AS n FROM device"
                               " WHERE cert IS NOT NULL UNION ALL SELECT 'factory ' || factory_kind, count(*) FROM"
                               " device WHERE factory_kind <> '' GROUP BY factory_kind) GROUP BY name ORDER BY name",
                               NULL);
  err = err == HF_OK
            ? put_counts(call, "tls", "SELECT tls, count(*) FROM device GROUP BY tls ORDER BY tls DESC", tls_name)
            : err;
  err = err == HF_OK ? put_counts(call, "ciphers",
                                  "SELECT cipher, count(*) FROM device WHERE tls <> 0 GROUP BY cipher ORDER BY 2 DESC"
                                  " LIMIT 20",
                                  NULL)
                     : err;
  err = err == HF_OK ? put_counts(call, "storage",
                                  "SELECT key_storage, count(*) FROM device GROUP BY key_storage ORDER BY key_storage",
                                  storage_name)
                     : err;
  return err == HF_OK ? put_cas(call) : err;
}

void hf_api_identity_get(struct hf_call *call)
{
  struct hf_settings settings;
  enum hf_err err = hf_settings_get(&settings, call->db);
  hf_buf_put_text(call->out, "{");
  err = err == HF_OK ? put_count(call, "devices", "SELECT coalesce(sum(count), 0) FROM tally") : err;
  err = err == HF_OK ? put_count(call, "certified", "SELECT count(*) FROM device WHERE cert IS NOT NULL") : err;
  for (size_t i = 0; i < KIND_COUNT && err == HF_OK; i++) {
    int64_t count = 0;
    err = count_kind(&count, call, &kinds[i], settings.renewal_grace_s);
    hf_reply_put_int(call->out, kinds[i].member, count);
  }
  hf_reply_put_int(call->out, "grace_s", settings.renewal_grace_s);
  err = err == HF_OK ? put_count(call, "alarms",
                                 "SELECT count(*) FROM alarm WHERE closed = 0 AND kind IN"
                                 " ('possible-clone', 'old-certificate', 'shared-key')")
                     : err;
  err = err == HF_OK ? put_lists(call) : err;
  hf_buf_put_text(call->out, "}");
  if (err != HF_OK) {
    hf_call_fail(call, err, "the report could not be read", NULL);
  }
}

/* ---- who ---- */

static const struct kind *kind_of(struct hf_call *call)
{
  struct hf_bytes name = hf_call_arg(call, HF_PARAM_QUERY_kind);
  for (size_t i = 0; i < KIND_COUNT; i++) {
    if (hf_bytes_is(name.len > 0 ? name : HF_LIT("expired"), kinds[i].name)) {
      return &kinds[i];
    }
  }
  return &kinds[0];
}

static void put_row(struct hf_buf *out, struct hf_stmt *stmt)
{
  const char *reason = hf_crl_reason_name(hf_stmt_get_int(stmt, 7));
  int64_t revoked = hf_stmt_get_int(stmt, 6);
  hf_buf_put_text(out, "{");
  hf_reply_put_text(out, "id", hf_stmt_get_bytes(stmt, 0));
  hf_reply_put_text(out, "product", hf_stmt_get_bytes(stmt, 1));
  hf_reply_put_time_or_null(out, "not_after", hf_stmt_get_int(stmt, 2));
  hf_reply_put_int(out, "ca", hf_stmt_get_int(stmt, 3));
  hf_reply_put_time_or_null(out, "last_seen", hf_stmt_get_int(stmt, 4));
  hf_reply_put_time_or_null(out, "rotate_by", hf_stmt_get_int(stmt, 5));
  hf_reply_put_time_or_null(out, "revoked", revoked);
  hf_reply_put_text_or_null(out, "revoked_reason",
                            revoked == 0 || reason == NULL ? (struct hf_bytes){NULL, 0} : hf_bytes_text(reason));
  hf_buf_put_text(out, "}");
}

void hf_api_identity_list(struct hf_call *call)
{
  char sql[512];
  uint8_t room[HF_CURSOR_MAX];
  struct hf_buf from = hf_buf_init(room, sizeof room);
  struct hf_page page;
  struct hf_settings settings;
  int64_t total = 0;
  const struct kind *kind = kind_of(call);
  enum hf_err err = hf_settings_get(&settings, call->db);
  if (hf_page_open(&page, &from, call) != HF_OK) {
    return;
  }
  (void)snprintf(sql, sizeof sql,
                 "SELECT id, product, cert_not_after, cert_ca, last_seen, rotate_by, revoked,"
                 " revoked_reason FROM device WHERE %s AND id > ? ORDER BY id LIMIT ?",
                 kind->sql);
  struct hf_stmt *stmt = hf_stmt_open(call->db, sql);
  bind_kind(stmt, kind, call->request->now, settings.renewal_grace_s);
  hf_stmt_put_text(stmt, hf_buf_bytes(&from));
  hf_stmt_put_int(stmt, page.limit + 1);
  err = err == HF_OK ? hf_stmt_next(stmt) : err;
  for (; err == HF_OK; err = hf_stmt_next(stmt)) {
    if (!hf_page_next(&page, hf_stmt_get_bytes(stmt, 0))) {
      break;
    }
    put_row(call->out, stmt);
  }
  hf_stmt_close(stmt);
  if (err == HF_OK || err == HF_E_NOT_FOUND) {
    err = count_kind(&total, call, kind, settings.renewal_grace_s);
  }
  hf_page_close(&page, err, (uint64_t)total);
}

/* ---- revoking and rotating ---- */

static void conclude(struct hf_call *call, enum hf_err err, const struct hf_why *why)
{
  if (err == HF_OK) {
    call->changed = true;
    hf_api_device_get(call);
    return;
  }
  hf_call_fail(call, err, err == HF_E_NOT_FOUND ? "there is no device with this id" : "the device could not be changed",
               why);
}

void hf_api_device_revoke(struct hf_call *call)
{
  struct hf_act act = hf_call_act(call);
  struct hf_why why = {0};
  int64_t reason = HF_CRL_UNSPECIFIED;
  enum hf_err err = hf_crl_reason_parse(&reason, hf_call_text(call, "kind")); /* the schema lets no other through */
  if (err == HF_OK) {
    err =
        hf_device_revoke(call->engine, &act, hf_call_arg(call, HF_PARAM_PATH_device), (enum hf_crl_reason)reason, &why);
  }
  conclude(call, err, &why);
}

void hf_api_device_rotate(struct hf_call *call)
{
  struct hf_act act = hf_call_act(call);
  struct hf_why why = {0};
  conclude(call,
           hf_device_rotate(call->engine, &act, hf_call_arg(call, HF_PARAM_PATH_device),
                            hf_call_int(call, "within_s", HF_ROTATE_WITHIN_S), &why),
           &why);
}

void hf_api_group_rotate(struct hf_call *call)
{
  struct hf_act act = hf_call_act(call);
  struct hf_bytes group = hf_call_arg(call, HF_PARAM_PATH_group);
  int64_t within_s = hf_call_int(call, "within_s", HF_ROTATE_WITHIN_S);
  uint64_t count = 0;
  enum hf_err err = hf_group_rotate(call->engine, &act, &count, group, within_s);
  if (err != HF_OK) {
    hf_call_fail(call, err, err == HF_E_NOT_FOUND ? "there is no group of this name" : "the devices could not be asked",
                 NULL);
    return;
  }
  call->changed = true;
  hf_buf_put_text(call->out, "{");
  hf_reply_put_text(call->out, "group", group);
  hf_reply_put_int(call->out, "devices", (int64_t)count);
  hf_reply_put_time(call->out, "until", act.now + within_s);
  hf_buf_put_text(call->out, "}");
}
