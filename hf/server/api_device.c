/* SPDX-License-Identifier: Apache-2.0
 * REST: devices, their timelines and attributes. */
#include <stdio.h>
#include <string.h>

#include "hf/codec/json.h"
#include "hf/fleet/crl.h"
#include "hf/fleet/rollout.h"
#include "hf/server/call.h"
#include "hf/server/enrol.h"
#include "hf/server/registry.h"
#include "hf/server/reports.h"
#include "hf/server/settings.h"
#include "hf/wire/checkin.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/version.h"

static const struct {
  const char *kind;
  const char *words;
  bool plain;
} storages[HF_KEY_STORAGES] = {
    [HF_KEY_STORAGE_UNKNOWN] = {"unknown", "the device has not said where its key is", false},
    [HF_KEY_STORAGE_FILE] = {"file", "a plain file: whoever can copy the device's storage can copy the key", true},
    [HF_KEY_STORAGE_TPM] = {"tpm", "a TPM: the key cannot be read out", false},
    [HF_KEY_STORAGE_PKCS11] = {"pkcs11", "a PKCS#11 token", false},
    [HF_KEY_STORAGE_SECURE_ELEMENT] = {"secure-element", "a secure element: the key cannot be read out", false},
    [HF_KEY_STORAGE_TRUSTZONE] = {"trustzone", "the secure world of TrustZone: the application cannot read the key",
                                  false},
};

static size_t storage_index(int64_t number)
{
  return number > 0 && number < HF_KEY_STORAGES ? (size_t)number : HF_KEY_STORAGE_UNKNOWN;
}

/* The numbers of enum hf_reset (hf/device/port.h), which this wing may not include; they are wire format. */
static const char *reset_name(int64_t number)
{
  static const char *const names[] = {"unknown", "power", "request", "update", "watchdog", "crash", "revert"};
  return number > 0 && (size_t)number < sizeof names / sizeof names[0] ? names[number] : names[0];
}

/* What list and single view have in common; columns as in enum hf_device_column. Leaves the object open. */
static void put_device(struct hf_buf *out, struct hf_stmt *stmt)
{
  int64_t state = hf_stmt_get_int(stmt, HF_DEVICE_STATE);
  int64_t storage = hf_stmt_get_int(stmt, HF_DEVICE_KEY_STORAGE);
  hf_buf_put_text(out, "{");
  hf_reply_put_text(out, "id", hf_stmt_get_bytes(stmt, HF_DEVICE_ID));
  hf_reply_put_text(out, "product", hf_stmt_get_bytes(stmt, HF_DEVICE_PRODUCT));
  hf_reply_put_text(out, "hardware", hf_stmt_get_bytes(stmt, HF_DEVICE_HARDWARE));
  hf_reply_put_text_or_null(out, "version", hf_stmt_get_bytes(stmt, HF_DEVICE_VERSION));
  hf_reply_put_text(out, "state", hf_bytes_text(hf_member_name((unsigned)state)));
  hf_reply_put_text_or_null(out, "wanted", hf_stmt_get_bytes(stmt, HF_DEVICE_WANTED));
  if (state == HF_UPDATE_DOWNLOADING) {
    hf_reply_put_int(out, "percent", hf_stmt_get_int(stmt, HF_DEVICE_PERCENT));
  } else {
    hf_reply_put_null(out, "percent");
  }
  hf_reply_put_rule(out, "rule", hf_stmt_get_int(stmt, HF_DEVICE_RULE));
  hf_reply_put_bool(out, "blocked", hf_stmt_get_int(stmt, HF_DEVICE_BLOCKED) != 0);
  hf_reply_put_bool(out, "plain_key", storages[storage_index(storage)].plain);
  hf_reply_put_time_or_null(out, "first_seen", hf_stmt_get_int(stmt, HF_DEVICE_FIRST_SEEN));
  hf_reply_put_time_or_null(out, "last_seen", hf_stmt_get_int(stmt, HF_DEVICE_LAST_SEEN));
}

/* The number of a state's name; the schema has let only names through. */
static int state_number(struct hf_bytes name)
{
  for (unsigned state = 0; state < HF_MEMBER_STATES; state++) {
    if (hf_bytes_is(name, hf_member_name(state))) {
      return (int)state;
    }
  }
  return -1;
}

/* `group` is the name of a group, or an expression. Appends the expression. */
static enum hf_err group_query(struct hf_call *call, struct hf_buf *query, struct hf_bytes group)
{
  struct hf_stmt *stmt = hf_stmt_open(call->db, "SELECT query FROM grp WHERE name = ?");
  hf_stmt_put_text(stmt, group);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    hf_buf_put(query, hf_stmt_get_bytes(stmt, 0));
  } else if (err == HF_E_NOT_FOUND) {
    hf_buf_put(query, group);
    err = HF_OK;
  }
  hf_stmt_close(stmt);
  return err;
}

static enum hf_err version_text(struct hf_buf *out, struct hf_bytes text)
{
  struct hf_version version;
  enum hf_err err = hf_version_parse(&version, text, NULL);
  if (err == HF_OK) {
    hf_version_put(out, &version);
  }
  return err;
}

/* Fill the filter from the query; room for what had to be looked up or rewritten is the caller's. */
static enum hf_err parse_filter(struct hf_call *call, struct hf_device_filter *filter, struct hf_buf *group,
                                struct hf_buf *version)
{
  *filter = hf_device_filter_init();
  filter->product = hf_call_arg(call, HF_PARAM_QUERY_product);
  filter->hardware = hf_call_arg(call, HF_PARAM_QUERY_hardware);
  filter->q = hf_call_arg(call, HF_PARAM_QUERY_q);
  if (call->args[HF_PARAM_QUERY_state].given) {
    filter->state = state_number(hf_call_arg(call, HF_PARAM_QUERY_state));
  }
  if (call->args[HF_PARAM_QUERY_blocked].given) {
    filter->blocked = (int)call->args[HF_PARAM_QUERY_blocked].number;
  }
  if (call->args[HF_PARAM_QUERY_version].given) {
    enum hf_err err = version_text(version, hf_call_arg(call, HF_PARAM_QUERY_version));
    if (err != HF_OK) {
      hf_call_refuse(call, HF_PROBLEM_INPUT, "this is no version", "?version", "give a version like 1.2.0");
      return err;
    }
    filter->version = hf_buf_bytes(version);
  }
  if (call->args[HF_PARAM_QUERY_group].given) {
    enum hf_err err = group_query(call, group, hf_call_arg(call, HF_PARAM_QUERY_group));
    if (err != HF_OK) {
      hf_call_fail(call, err, "the group could not be read", NULL);
      return err;
    }
    filter->group = hf_buf_bytes(group);
  }
  return HF_OK;
}

static void refuse_group(struct hf_call *call, enum hf_err err, const struct hf_why *why)
{
  struct hf_problem_words words = {.where = "?group", .rule = why->rule};
  if (err == HF_E_INPUT && why->rule != HF_RULE_NONE) {
    hf_problem_put(call->reply, HF_PROBLEM_INPUT, &words);
  } else {
    hf_call_fail(call, err, "the devices could not be read", NULL);
  }
}

void hf_api_device_list(struct hf_call *call)
{
  uint8_t group_room[1024];
  uint8_t version_room[HF_VERSION_TEXT_MAX];
  uint8_t from_room[HF_CURSOR_MAX];
  struct hf_buf group = hf_buf_init(group_room, sizeof group_room);
  struct hf_buf version = hf_buf_init(version_room, sizeof version_room);
  struct hf_buf from = hf_buf_init(from_room, sizeof from_room);
  struct hf_device_filter filter;
  struct hf_page page;
  struct hf_stmt *stmt;
  struct hf_why why = {0};
  uint64_t total = 0;
  if (parse_filter(call, &filter, &group, &version) != HF_OK || hf_page_open(&page, &from, call) != HF_OK) {
    return;
  }
  filter.after = hf_buf_bytes(&from);
  filter.limit = page.limit + 1;
  enum hf_err err = hf_device_list(&stmt, call->db, &filter, &why);
  if (err != HF_OK) {
    refuse_group(call, err, &why);
    return;
  }
  for (err = hf_stmt_next(stmt); err == HF_OK; err = hf_stmt_next(stmt)) {
    if (!hf_page_next(&page, hf_stmt_get_bytes(stmt, HF_DEVICE_ID))) {
      break;
    }
    put_device(call->out, stmt);
    hf_buf_put_text(call->out, "}");
  }
  hf_stmt_close(stmt);
  if (err == HF_OK || err == HF_E_NOT_FOUND) {
    err = hf_device_count(&total, call->db, &filter, &why);
  }
  hf_page_close(&page, err, total);
}

static enum hf_err put_components(struct hf_call *call, int64_t n)
{
  struct hf_buf *out = call->out;
  struct hf_stmt *stmt = hf_stmt_open(
      call->db,
      "SELECT name, version, digest, counter, slot, proven FROM component WHERE device = ? ORDER BY place, name");
  hf_stmt_put_int(stmt, n);
  struct hf_rows rows = hf_rows_open(out, "components", stmt);
  while (hf_rows_next(&rows)) {
    hf_reply_put_text(out, "name", hf_stmt_get_bytes(stmt, 0));
    hf_reply_put_text(out, "version", hf_stmt_get_bytes(stmt, 1));
    hf_reply_put_hash(out, "image", hf_stmt_get_bytes(stmt, 2));
    hf_reply_put_int(out, "counter", hf_stmt_get_int(stmt, 3));
    hf_reply_put_int(out, "slot", hf_stmt_get_int(stmt, 4));
    hf_reply_put_time_or_null(out, "proven", hf_stmt_get_int(stmt, 5));
  }
  return hf_rows_close(&rows);
}

static enum hf_err put_attributes(struct hf_call *call, int64_t n)
{
  struct hf_buf *out = call->out;
  struct hf_stmt *stmt =
      hf_stmt_open(call->db, "SELECT key, value, source FROM attribute WHERE device = ? ORDER BY key");
  hf_stmt_put_int(stmt, n);
  struct hf_rows rows = hf_rows_open(out, "attributes", stmt);
  while (hf_rows_next(&rows)) {
    hf_reply_put_text(out, "name", hf_stmt_get_bytes(stmt, 0));
    hf_reply_put_text(out, "value", hf_stmt_get_bytes(stmt, 1));
    hf_reply_put_text(out, "by", hf_stmt_get_int(stmt, 2) == 2 ? HF_LIT("operator") : HF_LIT("device"));
  }
  return hf_rows_close(&rows);
}

/* Newest first, and no more than a person looks at. */
static enum hf_err put_rollouts(struct hf_call *call, int64_t n)
{
  struct hf_buf *out = call->out;
  struct hf_stmt *stmt = hf_stmt_open(
      call->db, "SELECT r.id, r.version, r.state, d.wave, d.state, d.rule FROM rollout_device d JOIN rollout r"
                " ON r.id = d.rollout WHERE d.device = ? ORDER BY r.id DESC LIMIT 20");
  hf_stmt_put_int(stmt, n);
  struct hf_rows rows = hf_rows_open(out, "rollouts", stmt);
  while (hf_rows_next(&rows)) {
    hf_reply_put_id(out, "id", hf_stmt_get_int(stmt, 0));
    hf_reply_put_text(out, "version", hf_stmt_get_bytes(stmt, 1));
    hf_reply_put_text(out, "state", hf_bytes_text(hf_rollout_state_name((unsigned)hf_stmt_get_int(stmt, 2))));
    hf_reply_put_int(out, "wave", hf_stmt_get_int(stmt, 3) + 1);
    hf_reply_put_text(out, "device_state", hf_bytes_text(hf_member_name((unsigned)hf_stmt_get_int(stmt, 4))));
    hf_reply_put_rule(out, "rule", hf_stmt_get_int(stmt, 5));
  }
  return hf_rows_close(&rows);
}

/* The first columns are those of enum hf_device_column. */
enum {
  ONE_BLOCKED_REASON = HF_DEVICE_LAST_SEEN + 1,
  ONE_POSTPONED,
  ONE_ADDRESS,
  ONE_BOOT,
  ONE_RESET,
  ONE_CERT,
  ONE_CERT_SERIAL,
  ONE_CERT_ISSUED,
  ONE_CERT_NOT_AFTER,
  ONE_CA,
  ONE_TLS,
  ONE_CIPHER,
  ONE_FACTORY,
  ONE_WEAK,
  ONE_SHARED,
  ONE_ROTATE_BY,
  ONE_REVOKED,
  ONE_REVOKED_REASON,
  ONE_ANCHOR
};
#define ONE_SQL                                                                                                        \
  "SELECT n, id, product, hardware, version, state, wanted, percent, rule, blocked, key_storage, first_seen,"          \
  " last_seen, blocked_reason, postponed_until, address, boot_id, reset_reason, cert, cert_serial, cert_issued, "      \
  "cert_not_after, cert_ca, tls, cipher, factory_kind, weak, shared, rotate_by, revoked, revoked_reason, anchor"       \
  " FROM device WHERE id = ?"

static void put_certificate(struct hf_buf *out, struct hf_stmt *stmt)
{
  struct hf_bytes fingerprint = hf_stmt_get_bytes(stmt, ONE_CERT);
  if (fingerprint.len == 0) {
    hf_reply_put_null(out, "certificate");
    return;
  }
  hf_json_put_name(out, "certificate");
  hf_buf_put_text(out, "{");
  hf_reply_put_text(out, "serial", hf_stmt_get_bytes(stmt, ONE_CERT_SERIAL));
  hf_reply_put_hash(out, "fingerprint", fingerprint);
  hf_reply_put_time_or_null(out, "issued", hf_stmt_get_int(stmt, ONE_CERT_ISSUED));
  hf_reply_put_time(out, "not_after", hf_stmt_get_int(stmt, ONE_CERT_NOT_AFTER));
  hf_reply_put_text(out, "issuer", HF_LIT("device-ca"));
  hf_buf_put_text(out, "}");
}

/* "grace": over, and can still be renewed. */
static const char *identity_state(const struct hf_call *call, struct hf_stmt *stmt, int64_t grace_s)
{
  int64_t left = hf_stmt_get_int(stmt, ONE_CERT_NOT_AFTER) - call->request->now;
  if (hf_stmt_get_int(stmt, ONE_REVOKED) != 0) {
    return "revoked";
  }
  if (hf_stmt_get_bytes(stmt, ONE_CERT).len == 0) {
    return "none";
  }
  return left < -grace_s ? "expired" : left < 0 ? "grace" : left < 30 * 86400 ? "expiring" : "valid";
}

static void put_identity(struct hf_call *call, struct hf_stmt *stmt, int64_t grace_s)
{
  struct hf_buf *out = call->out;
  int64_t tls = hf_stmt_get_int(stmt, ONE_TLS);
  const char *reason = hf_crl_reason_name(hf_stmt_get_int(stmt, ONE_REVOKED_REASON));
  bool revoked = hf_stmt_get_int(stmt, ONE_REVOKED) != 0;
  hf_json_put_name(out, "identity");
  hf_buf_put_text(out, "{");
  hf_reply_put_text(out, "state", hf_bytes_text(identity_state(call, stmt, grace_s)));
  hf_reply_put_int(out, "ca", hf_stmt_get_int(stmt, ONE_CA));
  hf_reply_put_text_or_null(out, "tls",
                            tls == 0x0304   ? HF_LIT("TLS 1.3")
                            : tls == 0x0303 ? HF_LIT("TLS 1.2")
                                            : HF_LIT(""));
  hf_reply_put_text_or_null(out, "cipher", hf_stmt_get_bytes(stmt, ONE_CIPHER));
  hf_reply_put_text_or_null(out, "factory", hf_stmt_get_bytes(stmt, ONE_FACTORY));
  hf_reply_put_bool(out, "weak", hf_stmt_get_int(stmt, ONE_WEAK) != 0);
  hf_reply_put_bool(out, "shared", hf_stmt_get_int(stmt, ONE_SHARED) != 0);
  hf_reply_put_time_or_null(out, "rotate_by", hf_stmt_get_int(stmt, ONE_ROTATE_BY));
  hf_reply_put_time_or_null(out, "revoked", hf_stmt_get_int(stmt, ONE_REVOKED));
  hf_reply_put_text_or_null(out, "revoked_reason", revoked && reason != NULL ? hf_bytes_text(reason) : HF_LIT(""));
  hf_reply_put_hash(out, "anchor", hf_stmt_get_bytes(stmt, ONE_ANCHOR));
  hf_buf_put_text(out, "}");
}

static void put_storage(struct hf_buf *out, int64_t number)
{
  size_t at = storage_index(number);
  hf_json_put_name(out, "key_storage");
  hf_buf_put_text(out, "{");
  hf_reply_put_text(out, "kind", hf_bytes_text(storages[at].kind));
  hf_reply_put_bool(out, "plain", storages[at].plain);
  hf_reply_put_text(out, "words", hf_bytes_text(storages[at].words));
  hf_buf_put_text(out, "}");
}

/* The key set it says it has: 0 none yet, null when its boot loader takes none. */
static enum hf_err put_keyset(struct hf_call *call, int64_t n)
{
  int64_t version = -1;
  struct hf_stmt *stmt = hf_stmt_open(call->db, "SELECT keyset FROM device WHERE n = ?");
  hf_stmt_put_int(stmt, n);
  enum hf_err err = hf_stmt_run_int(stmt, &version);
  if (version < 0) {
    hf_reply_put_null(call->out, "keyset");
  } else {
    hf_reply_put_int(call->out, "keyset", version);
  }
  return err;
}

/* The device of the path, whole, as the reply; or the refusal. */
static void reply_device(struct hf_call *call)
{
  struct hf_buf *out = call->out;
  struct hf_stmt *stmt = hf_stmt_open(call->db, ONE_SQL);
  hf_stmt_put_text(stmt, hf_call_arg(call, HF_PARAM_PATH_device));
  struct hf_settings settings;
  enum hf_err err = hf_settings_get(&settings, call->db);
  err = err == HF_OK ? hf_stmt_next(stmt) : err;
  int64_t n = 0;
  if (err == HF_OK) {
    n = hf_stmt_get_int(stmt, HF_DEVICE_N);
    bool blocked = hf_stmt_get_int(stmt, HF_DEVICE_BLOCKED) != 0;
    put_device(out, stmt);
    hf_reply_put_text_or_null(out, "blocked_reason",
                              blocked ? hf_stmt_get_bytes(stmt, ONE_BLOCKED_REASON) : (struct hf_bytes){NULL, 0});
    hf_reply_put_time_or_null(out, "postponed_until", hf_stmt_get_int(stmt, ONE_POSTPONED));
    hf_reply_put_text_or_null(out, "address", hf_stmt_get_bytes(stmt, ONE_ADDRESS));
    hf_reply_put_int(out, "boot_id", hf_stmt_get_int(stmt, ONE_BOOT));
    hf_reply_put_text(out, "reset_reason", hf_bytes_text(reset_name(hf_stmt_get_int(stmt, ONE_RESET))));
    put_certificate(out, stmt);
    put_identity(call, stmt, settings.renewal_grace_s);
    put_storage(out, hf_stmt_get_int(stmt, HF_DEVICE_KEY_STORAGE));
  }
  hf_stmt_close(stmt);
  err = err == HF_OK ? put_keyset(call, n) : err;
  err = err == HF_OK ? put_components(call, n) : err;
  err = err == HF_OK ? put_attributes(call, n) : err;
  err = err == HF_OK ? put_rollouts(call, n) : err;
  err = err == HF_OK ? hf_api_put_origin(call, hf_call_arg(call, HF_PARAM_PATH_device)) : err;
  if (err == HF_OK) {
    hf_buf_put_text(out, "}");
    return;
  }
  hf_call_fail(call, err, err == HF_E_NOT_FOUND ? "there is no device with this id" : "the device could not be read",
               NULL);
}

void hf_api_device_get(struct hf_call *call) { reply_device(call); }

static void event_words(char *words, size_t cap, int64_t kind, struct hf_bytes subject)
{
  static const char *const table[HF_EVENT_KINDS][2] = {
      [HF_EVENT_BOOT] = {"started", "started, reason: "},
      [HF_EVENT_OFFERED] = {"was offered an update", "was offered "},
      [HF_EVENT_DOWNLOADED] = {"downloaded an update", "downloaded "},
      [HF_EVENT_STAGED] = {"staged an update for the next start", "staged for the next start: "},
      [HF_EVENT_TRYING] = {"tries new software", "tries "},
      [HF_EVENT_CONFIRMED] = {"confirmed its software", "confirmed "},
      [HF_EVENT_REVERTED] = {"went back to the software before", "went back from "},
      [HF_EVENT_FAILED] = {"failed to update", "failed to update to "},
      [HF_EVENT_REFUSED] = {"refused what it was given", "refused "},
      [HF_EVENT_POSTPONED] = {"put the update off", "put off "},
      [HF_EVENT_RENEWED] = {"renewed its certificate", "renewed its certificate: "},
      [HF_EVENT_CLOCK] = {"set its clock", "set its clock: "},
      [HF_EVENT_KEYSET] = {"was handed a key set", "was handed key set "},
      [HF_EVENT_TAKEOVER] = {"was handed a takeover order", "was handed a takeover order: "},
  };
  bool known = kind > 0 && kind < HF_EVENT_KINDS;
  const char *bare = known ? table[kind][0] : "reported something this version does not know";
  const char *with = known ? table[kind][1] : "reported something this version does not know: ";
  (void)snprintf(words, cap, "%s%.*s", subject.len == 0 ? bare : with, (int)subject.len,
                 subject.len == 0 ? "" : (const char *)subject.at);
}

/* Columns: epoch, number, kind, time, rule, subject, received, gap. */
static void put_event(struct hf_buf *out, struct hf_stmt *stmt)
{
  char words[160];
  int64_t kind = hf_stmt_get_int(stmt, 2);
  int64_t time = hf_stmt_get_int(stmt, 3);
  int64_t received = hf_stmt_get_int(stmt, 6);
  event_words(words, sizeof words, kind, hf_stmt_get_bytes(stmt, 5));
  hf_buf_put_text(out, "{");
  hf_reply_put_int(out, "number", hf_stmt_get_int(stmt, 1));
  hf_reply_put_time(out, "time", time == 0 ? received : time); /* a device without a clock: when we heard of it */
  hf_reply_put_time(out, "received", received);
  hf_reply_put_text(out, "kind", hf_bytes_text(hf_event_kind_name((unsigned)kind)));
  hf_reply_put_text(out, "words", hf_bytes_text(words));
  hf_reply_put_text_or_null(out, "subject", hf_stmt_get_bytes(stmt, 5));
  hf_reply_put_rule(out, "rule", hf_stmt_get_int(stmt, 4));
  hf_reply_put_int(out, "gap", hf_stmt_get_int(stmt, 7));
  hf_buf_put_text(out, "}");
}

/* A device's row number by the id of the path; refused when there is none. */
static enum hf_err path_device(struct hf_call *call, int64_t *n)
{
  struct hf_stmt *stmt = hf_stmt_open(call->db, "SELECT n FROM device WHERE id = ?");
  hf_stmt_put_text(stmt, hf_call_arg(call, HF_PARAM_PATH_device));
  enum hf_err err = hf_stmt_run_int(stmt, n);
  if (err != HF_OK) {
    hf_call_fail(call, err, err == HF_E_NOT_FOUND ? "there is no device with this id" : "the device could not be read",
                 NULL);
  }
  return err;
}

/* In a timeline's cursor, epoch and number are one number: event numbers have 32 bits. */
#define EPOCH_SHIFT 32

void hf_api_device_timeline(struct hf_call *call)
{
  struct hf_page page;
  int64_t n;
  int64_t key;
  int64_t total = 0;
  if (path_device(call, &n) != HF_OK || hf_page_open_number(&page, &key, call, INT64_MAX) != HF_OK) {
    return;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(call->db, "SELECT epoch, number, kind, time, rule, subject, received, gap FROM event"
                             " WHERE device = ? AND (epoch, number) < (?, ?) ORDER BY epoch DESC, number DESC LIMIT ?");
  hf_stmt_put_int(stmt, n);
  hf_stmt_put_int(stmt, key >> EPOCH_SHIFT);
  hf_stmt_put_int(stmt, key & UINT32_MAX);
  hf_stmt_put_int(stmt, page.limit + 1);
  enum hf_err err = hf_stmt_next(stmt);
  for (; err == HF_OK; err = hf_stmt_next(stmt)) {
    int64_t here = (int64_t)((uint64_t)hf_stmt_get_int(stmt, 0) << EPOCH_SHIFT) + hf_stmt_get_int(stmt, 1);
    if (!hf_page_next_number(&page, here)) {
      break;
    }
    put_event(call->out, stmt);
  }
  hf_stmt_close(stmt);
  if (err == HF_OK || err == HF_E_NOT_FOUND) {
    stmt = hf_stmt_open(call->db, "SELECT count(*) FROM event WHERE device = ?");
    hf_stmt_put_int(stmt, n);
    err = hf_stmt_run_int(stmt, &total);
  }
  hf_page_close(&page, err, (uint64_t)total);
}

void hf_api_device_attributes(struct hf_call *call)
{
  struct hf_act act = hf_call_act(call);
  const char *name;
  json_t *value;
  int64_t n;
  act.reason = (struct hf_bytes){NULL, 0}; /* a member "reason" here is an attribute */
  if (path_device(call, &n) != HF_OK) {
    return;
  }
  json_object_foreach(call->body, name, value)
  {
    struct hf_bytes text = hf_bytes_init(json_string_value(value), json_string_length(value));
    enum hf_err err =
        hf_device_attribute(call->engine, &act, hf_call_arg(call, HF_PARAM_PATH_device), hf_bytes_text(name), text);
    if (err == HF_E_NOT_FOUND && text.len == 0) {
      continue; /* removing what is not there is done */
    }
    if (err != HF_OK) {
      char where[64];
      struct hf_problem_words words = {.where = where, .what = "the attribute could not be set"};
      (void)snprintf(where, sizeof where, "/%.32s", name);
      words.what = err == HF_E_INPUT ? "this name or value cannot be an attribute" : words.what;
      words.what = err == HF_E_SPACE ? "the device has too many attributes" : words.what;
      words.todo = err == HF_E_SPACE ? "remove some" : NULL;
      hf_problem_put(call->reply, err == HF_E_SPACE ? HF_PROBLEM_CONFLICT : hf_problem_of(err), &words);
      return;
    }
    call->changed = true;
  }
  reply_device(call);
}

static void block(struct hf_call *call, bool blocked)
{
  struct hf_act act = hf_call_act(call);
  enum hf_err err = hf_device_block(call->engine, &act, hf_call_arg(call, HF_PARAM_PATH_device), blocked);
  if (err == HF_OK || err == HF_E_STATE) { /* it is so already: what was asked for holds */
    call->changed = err == HF_OK;
    reply_device(call);
    return;
  }
  hf_call_fail(call, err, err == HF_E_NOT_FOUND ? "there is no device with this id" : "the device could not be changed",
               NULL);
}

void hf_api_part_put(struct hf_call *call)
{
  struct hf_act act = hf_call_act(call);
  struct hf_pubkey key;
  const json_t *pem = json_object_get(call->body, "key");
  struct hf_bytes text = hf_bytes_init(json_string_value(pem), json_string_length(pem));
  int64_t n;
  if (path_device(call, &n) != HF_OK) {
    return;
  }
  enum hf_err err = hf_pubkey_parse_pem(&key, text);
  if (err == HF_OK) {
    err = hf_part_put(call->engine, &act, hf_call_arg(call, HF_PARAM_PATH_device),
                      hf_call_arg(call, HF_PARAM_PATH_part), &key);
  }
  if (err != HF_OK) {
    const struct hf_problem_words words = {
        .where = "/key", .what = "this is not a P-256 public key in PEM", .todo = "give the part's PUBLIC KEY block"};
    hf_problem_put(call->reply, hf_problem_of(err), &words);
    return;
  }
  call->changed = true;
  reply_device(call);
}

void hf_api_part_delete(struct hf_call *call)
{
  struct hf_act act = hf_call_act(call);
  enum hf_err err = hf_part_delete(call->engine, &act, hf_call_arg(call, HF_PARAM_PATH_device),
                                   hf_call_arg(call, HF_PARAM_PATH_part));
  if (err != HF_OK) {
    hf_call_fail(call, err, "this device has no such part with a key of its own", NULL);
    return;
  }
  call->changed = true;
}

void hf_api_device_block(struct hf_call *call) { block(call, true); }

void hf_api_device_unblock(struct hf_call *call) { block(call, false); }

void hf_api_enrol_token_new(struct hf_call *call)
{
  uint8_t room[HF_ENROL_TOKEN_MAX];
  struct hf_buf token = hf_buf_init(room, sizeof room);
  struct hf_act act = hf_call_act(call);
  struct hf_bytes device = hf_call_text(call, "device");
  struct hf_bytes product = hf_call_text(call, "product");
  int64_t expires = call->request->now + hf_call_int(call, "expires_in_s", 0);
  enum hf_err err = hf_enrol_token_new(call->engine, &token, &act, device, product, expires);
  if (err != HF_OK) {
    hf_call_fail(call, err, err == HF_E_NOT_FOUND ? "there is no product of this name" : "the token could not be made",
                 NULL);
    return;
  }
  call->changed = true;
  hf_buf_put_text(call->out, "{");
  hf_reply_put_text(call->out, "device", device);
  hf_reply_put_text(call->out, "product", product);
  hf_reply_put_time(call->out, "expires", expires);
  hf_reply_put_text(call->out, "token", hf_buf_bytes(&token));
  hf_buf_put_text(call->out, "}");
  hf_secret_wipe(room, sizeof room);
}
