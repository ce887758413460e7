/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/schema.h"

/* Times are seconds since 1970. Names of columns that hold one thing everywhere are the same everywhere. Device rows
 * are keyed by a small integer `n`, because a fleet has some 30 rows a device that point to it. */
static const char *const version_1[] = {
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    /* what changed last: kind is device, rollout, release, group, product, audit */
    "CREATE TABLE pulse (kind TEXT PRIMARY KEY, n BIGINT NOT NULL, time BIGINT NOT NULL) WITHOUT ROWID",

    "CREATE TABLE product (name TEXT PRIMARY KEY, title TEXT NOT NULL, hardware TEXT NOT NULL," /* blank-separated */
    " created BIGINT NOT NULL) WITHOUT ROWID",

    /* version_key: hf_release_version_key, so that ranges are comparisons; cert_previous: good until cert is first used
     */
    "CREATE TABLE device (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, product TEXT NOT NULL, hardware TEXT NOT "
    "NULL,"
    " version TEXT NOT NULL DEFAULT '', version_key BIGINT NOT NULL DEFAULT 0,"
    " blocked INTEGER NOT NULL DEFAULT 0, blocked_reason TEXT NOT NULL DEFAULT '',"
    " cert BLOB, cert_previous BLOB, cert_not_after BIGINT NOT NULL DEFAULT 0, cert_serial TEXT NOT NULL DEFAULT '',"
    " cert_issued BIGINT NOT NULL DEFAULT 0,"
    " key_hash BLOB, key_storage INTEGER NOT NULL DEFAULT 0, epoch INTEGER NOT NULL DEFAULT 1,"
    " created BIGINT NOT NULL, first_seen BIGINT NOT NULL DEFAULT 0, last_seen BIGINT NOT NULL DEFAULT 0,"
    " address TEXT NOT NULL DEFAULT '', boot_id BIGINT NOT NULL DEFAULT 0, reset_reason INTEGER NOT NULL DEFAULT 0,"
    " state INTEGER NOT NULL DEFAULT 0, wanted TEXT NOT NULL DEFAULT '', percent INTEGER NOT NULL DEFAULT 0,"
    " rule INTEGER NOT NULL DEFAULT 0, postponed_until BIGINT NOT NULL DEFAULT 0,"
    " event_number BIGINT NOT NULL DEFAULT 0,"
    " assigned TEXT NOT NULL DEFAULT '', assignment BIGINT NOT NULL DEFAULT 0, director BIGINT NOT NULL DEFAULT 0,"
    " acted BIGINT NOT NULL DEFAULT 0, deadline BIGINT NOT NULL DEFAULT 0)",
    "CREATE INDEX device_product ON device (product, id)",
    "CREATE INDEX device_version ON device (version, id)",
    "CREATE INDEX device_state ON device (state, id)",
    "CREATE INDEX device_hardware ON device (hardware, id)",
    "CREATE INDEX device_awake ON device (last_seen) WHERE state <> 10",
    "CREATE INDEX device_blocked ON device (id) WHERE blocked <> 0",
    "CREATE INDEX device_plain_key ON device (n) WHERE key_storage = 1", /* counted by the overview */

    "CREATE TABLE component (device INTEGER NOT NULL REFERENCES device (n) ON DELETE CASCADE, name TEXT NOT NULL,"
    " version TEXT NOT NULL, digest BLOB NOT NULL, counter BIGINT NOT NULL, slot INTEGER NOT NULL, place INTEGER NOT "
    "NULL,"
    " PRIMARY KEY (device, name)) WITHOUT ROWID",

    /* source: 1 the device said so, 2 an operator did (which wins); number: the value when it is a whole number */
    "CREATE TABLE attribute (device INTEGER NOT NULL REFERENCES device (n) ON DELETE CASCADE, key TEXT NOT NULL,"
    " value TEXT NOT NULL, number BIGINT, source INTEGER NOT NULL, time BIGINT NOT NULL, PRIMARY KEY (device, key))"
    " WITHOUT ROWID",
    "CREATE INDEX attribute_key ON attribute (key, value)",

    /* epoch: counts new enrolments, so that a device set up anew may number from 1 again; gap: numbers missing before
     */
    "CREATE TABLE event (device INTEGER NOT NULL REFERENCES device (n) ON DELETE CASCADE, epoch INTEGER NOT NULL,"
    " number BIGINT NOT NULL, kind INTEGER NOT NULL, time BIGINT NOT NULL, rule INTEGER NOT NULL, subject TEXT NOT "
    "NULL,"
    " received BIGINT NOT NULL, gap BIGINT NOT NULL, PRIMARY KEY (device, epoch, number)) WITHOUT ROWID",

    "CREATE TABLE enrol_token (hash BLOB PRIMARY KEY, device TEXT NOT NULL, product TEXT NOT NULL, created BIGINT NOT "
    "NULL,"
    " expires BIGINT NOT NULL, used BIGINT NOT NULL DEFAULT 0, created_by TEXT NOT NULL) WITHOUT ROWID",

    "CREATE TABLE release (product TEXT NOT NULL, version TEXT NOT NULL, version_key BIGINT NOT NULL,"
    " counter BIGINT NOT NULL, security INTEGER NOT NULL, from_range TEXT NOT NULL, hardware TEXT NOT NULL,"
    " notes TEXT NOT NULL, sbom BLOB, created BIGINT NOT NULL, created_by TEXT NOT NULL, targets_version BIGINT NOT "
    "NULL,"
    " PRIMARY KEY (product, version))",
    "CREATE TABLE artifact (product TEXT NOT NULL, version TEXT NOT NULL, component TEXT NOT NULL, place INTEGER NOT "
    "NULL,"
    " path TEXT NOT NULL, length BIGINT NOT NULL, sha256 BLOB NOT NULL, digest BLOB NOT NULL, counter BIGINT NOT NULL,"
    " PRIMARY KEY (product, version, component),"
    " FOREIGN KEY (product, version) REFERENCES release (product, version) ON DELETE CASCADE)",
    "CREATE TABLE upload (sha256 BLOB PRIMARY KEY, length BIGINT NOT NULL, created BIGINT NOT NULL) WITHOUT ROWID",
    /* one row: what the image repository shows; files on disk follow it */
    "CREATE TABLE repo (id INTEGER PRIMARY KEY CHECK (id = 1), root BIGINT NOT NULL, targets BIGINT NOT NULL,"
    " root_expires BIGINT NOT NULL, targets_expires BIGINT NOT NULL,"
    " snapshot BIGINT NOT NULL, snapshot_expires BIGINT NOT NULL, timestamp BIGINT NOT NULL,"
    " timestamp_expires BIGINT NOT NULL, timestamp_file BLOB NOT NULL)",

    "CREATE TABLE grp (name TEXT PRIMARY KEY, query TEXT NOT NULL, created BIGINT NOT NULL, created_by TEXT NOT NULL)"
    " WITHOUT ROWID",

    /* state: enum hf_rollout_state; reason: why it stopped, was paused or aborted */
    "CREATE TABLE rollout (id INTEGER PRIMARY KEY, product TEXT NOT NULL, version TEXT NOT NULL, grp TEXT NOT NULL,"
    " state INTEGER NOT NULL, wave INTEGER NOT NULL, success_percent INTEGER NOT NULL, max_failures BIGINT NOT NULL,"
    " deadline BIGINT NOT NULL, excluded BIGINT NOT NULL, reason TEXT NOT NULL, created BIGINT NOT NULL,"
    " created_by TEXT NOT NULL, changed BIGINT NOT NULL, ended BIGINT NOT NULL,"
    " FOREIGN KEY (product, version) REFERENCES release (product, version))",
    "CREATE INDEX rollout_product ON rollout (product, id)",
    /* percent: of the devices in no group wave, counted from the first; grp: '' for a percent wave; last_hash: place in
     * the random order of the wave's last device, for devices that join later */
    "CREATE TABLE wave (rollout INTEGER NOT NULL REFERENCES rollout (id) ON DELETE CASCADE, place INTEGER NOT NULL,"
    " percent INTEGER NOT NULL, grp TEXT NOT NULL, last_hash BIGINT NOT NULL, started BIGINT NOT NULL,"
    " total BIGINT NOT NULL, waiting BIGINT NOT NULL, underway BIGINT NOT NULL, confirmed BIGINT NOT NULL,"
    " failed BIGINT NOT NULL, silent BIGINT NOT NULL, forgiven BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (rollout, "
    "place)) WITHOUT ROWID",
    /* state: enum hf_rollout_device */
    "CREATE TABLE rollout_device (rollout INTEGER NOT NULL REFERENCES rollout (id) ON DELETE CASCADE,"
    " device INTEGER NOT NULL REFERENCES device (n) ON DELETE CASCADE, wave INTEGER NOT NULL, state INTEGER NOT NULL,"
    " version TEXT NOT NULL DEFAULT '', offered BIGINT NOT NULL DEFAULT 0, changed BIGINT NOT NULL DEFAULT 0,"
    " rule INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (rollout, device)) WITHOUT ROWID",
    "CREATE INDEX rollout_device_device ON rollout_device (device)",
    "CREATE INDEX rollout_device_state ON rollout_device (rollout, wave, state)",

    "CREATE TABLE audit (n INTEGER PRIMARY KEY, time BIGINT NOT NULL, who TEXT NOT NULL, address TEXT NOT NULL,"
    " action TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL, hash BLOB NOT NULL)",
    "CREATE INDEX audit_subject ON audit (subject, n)",

    /* scopes: bits, hf/server/auth.h */
    "CREATE TABLE operator (name TEXT PRIMARY KEY, password TEXT NOT NULL, scopes INTEGER NOT NULL,"
    " created BIGINT NOT NULL, disabled INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID",
    "CREATE TABLE session (hash BLOB PRIMARY KEY, operator TEXT NOT NULL REFERENCES operator (name) ON DELETE CASCADE,"
    " address TEXT NOT NULL, created BIGINT NOT NULL, expires BIGINT NOT NULL,"
    " last_used BIGINT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE token (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL, scopes INTEGER NOT "
    "NULL,"
    " created BIGINT NOT NULL, created_by TEXT NOT NULL, expires BIGINT NOT NULL, last_used BIGINT NOT NULL DEFAULT 0)",

    "CREATE TABLE director_file (device INTEGER PRIMARY KEY REFERENCES device (n) ON DELETE CASCADE,"
    " version BIGINT NOT NULL, assignment BIGINT NOT NULL, expires BIGINT NOT NULL, timestamp BLOB NOT NULL,"
    " snapshot BLOB NOT NULL, targets BLOB NOT NULL)",

    "CREATE TABLE outbox (id INTEGER PRIMARY KEY, url TEXT NOT NULL, body TEXT NOT NULL, created BIGINT NOT NULL,"
    " next_try BIGINT NOT NULL, tries INTEGER NOT NULL)",
    "CREATE INDEX outbox_next ON outbox (next_try)",

    /* Counts for the overview, kept by the database itself so that no path can forget them: at a million devices a
     * GROUP BY takes seconds, this takes a page. */
    "CREATE TABLE tally (product TEXT NOT NULL, version TEXT NOT NULL, state INTEGER NOT NULL, blocked INTEGER NOT "
    "NULL,"
    " count BIGINT NOT NULL, PRIMARY KEY (product, version, state, blocked)) WITHOUT ROWID",
    "CREATE TRIGGER tally_insert AFTER INSERT ON device BEGIN"
    " INSERT INTO tally VALUES (new.product, new.version, new.state, new.blocked, 1)"
    " ON CONFLICT (product, version, state, blocked) DO UPDATE SET count = count + 1; END",
    /* A row that counts nobody goes at once: a device may report another version every time. */
    "CREATE TRIGGER tally_delete AFTER DELETE ON device BEGIN"
    " DELETE FROM tally WHERE product = old.product AND version = old.version AND state = old.state"
    " AND blocked = old.blocked AND count <= 1;"
    " UPDATE tally SET count = count - 1 WHERE product = old.product AND version = old.version AND state = old.state"
    " AND blocked = old.blocked; END",
    "CREATE TRIGGER tally_update AFTER UPDATE OF product, version, state, blocked ON device"
    " WHEN old.product <> new.product OR old.version <> new.version OR old.state <> new.state"
    " OR old.blocked <> new.blocked BEGIN"
    " DELETE FROM tally WHERE product = old.product AND version = old.version AND state = old.state"
    " AND blocked = old.blocked AND count <= 1;"
    " UPDATE tally SET count = count - 1 WHERE product = old.product AND version = old.version AND state = old.state"
    " AND blocked = old.blocked;"
    " INSERT INTO tally VALUES (new.product, new.version, new.state, new.blocked, 1)"
    " ON CONFLICT (product, version, state, blocked) DO UPDATE SET count = count + 1; END",
    NULL,
};

/* Production and its alarms (docs/spec/factory.md). */
static const char *const version_factory[] = {
    /* kind: hf_alarm_name; one row while it is open, however often it is raised; device: '' when it is about none */
    "CREATE TABLE alarm (n INTEGER PRIMARY KEY, kind TEXT NOT NULL, device TEXT NOT NULL, detail TEXT NOT NULL,"
    " count BIGINT NOT NULL, raised BIGINT NOT NULL, last BIGINT NOT NULL, closed BIGINT NOT NULL DEFAULT 0,"
    " closed_by TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '')",
    "CREATE UNIQUE INDEX alarm_open ON alarm (kind, device) WHERE closed = 0",
    "CREATE INDEX alarm_device ON alarm (device, n)",
    /* record: SHA-256 of the batch record, NULL until one came */
    "CREATE TABLE factory_order (id TEXT PRIMARY KEY, product TEXT NOT NULL, hardware TEXT NOT NULL,"
    " serials TEXT NOT NULL, quota BIGINT NOT NULL, not_before BIGINT NOT NULL, not_after BIGINT NOT NULL,"
    " station_key BLOB NOT NULL, digest BLOB NOT NULL, created BIGINT NOT NULL, created_by TEXT NOT NULL,"
    " closed BIGINT NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', record BLOB, station TEXT NOT NULL DEFAULT '',"
    " imported BIGINT NOT NULL DEFAULT 0, imported_by TEXT NOT NULL DEFAULT '', ended BIGINT NOT NULL DEFAULT 0,"
    " issued BIGINT NOT NULL DEFAULT 0, passed BIGINT NOT NULL DEFAULT 0, failed BIGINT NOT NULL DEFAULT 0)"
    " WITHOUT ROWID",
    /* result: 0 none, 1 passed, 2 failed; debug, readout: enum hf_factory_lock; enrolled: when first, 0 never seen */
    "CREATE TABLE factory_device (id TEXT PRIMARY KEY, ordr TEXT NOT NULL REFERENCES factory_order (id),"
    " number BIGINT NOT NULL, cert BLOB NOT NULL, key_hash BLOB NOT NULL, serial TEXT NOT NULL, made BIGINT NOT NULL,"
    " storage INTEGER NOT NULL, result INTEGER NOT NULL, reason TEXT NOT NULL, debug INTEGER NOT NULL,"
    " readout INTEGER NOT NULL, boot_keys BLOB, version TEXT NOT NULL, image BLOB, operator TEXT NOT NULL,"
    " tested BIGINT NOT NULL, enrolled BIGINT NOT NULL DEFAULT 0) WITHOUT ROWID",
    "CREATE INDEX factory_device_order ON factory_device (ordr, number)",
    "CREATE INDEX factory_device_key ON factory_device (key_hash)",
    "CREATE INDEX factory_device_unseen ON factory_device (ordr) WHERE enrolled = 0",
    NULL,
};

/* Key sets (docs/spec/keyset.md). device.keyset: version it has, 0 none yet, -1: its boot loader takes none. */
static const char *const version_keyset[] = {
    "CREATE TABLE keyset (product TEXT NOT NULL REFERENCES product (name), version BIGINT NOT NULL, file BLOB NOT NULL,"
    " created BIGINT NOT NULL, created_by TEXT NOT NULL, PRIMARY KEY (product, version)) WITHOUT ROWID",
    "ALTER TABLE device ADD COLUMN keyset BIGINT NOT NULL DEFAULT -1",
    "CREATE INDEX device_keyset ON device (product, keyset)",
    NULL,
};

/* Signed version reports (docs/spec/report.md). */
static const char *const version_reports[] = {
    /* public_key: of the certificate, the raw point; report_counter: the last one believed, -1 none yet; proven: time
     * of the report that proved it, 0 never; part: a secondary with a key of its own */
    "ALTER TABLE device ADD COLUMN public_key BLOB",
    "ALTER TABLE device ADD COLUMN public_key_previous BLOB",
    "ALTER TABLE device ADD COLUMN report_counter BIGINT NOT NULL DEFAULT -1",
    "ALTER TABLE device ADD COLUMN report_time BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE component ADD COLUMN proven BIGINT NOT NULL DEFAULT 0",
    "CREATE TABLE part (device INTEGER NOT NULL REFERENCES device (n) ON DELETE CASCADE, name TEXT NOT NULL,"
    " key BLOB NOT NULL, counter BIGINT NOT NULL DEFAULT -1, created BIGINT NOT NULL, created_by TEXT NOT NULL,"
    " PRIMARY KEY (device, name)) WITHOUT ROWID",
    NULL,
};

/* requires: what the images of a release require of each other and of other components (hf/fleet/release.h). */
static const char *const version_requires[] = {
    "ALTER TABLE release ADD COLUMN requires TEXT NOT NULL DEFAULT ''",
    NULL,
};

static const char *const version_roots[] = {
    /* roots published after the first: the database decides, files follow. repository: enum hf_roots_repository */
    "CREATE TABLE root_file (repository INTEGER NOT NULL, version BIGINT NOT NULL, file BLOB NOT NULL,"
    " created BIGINT NOT NULL, created_by TEXT NOT NULL, PRIMARY KEY (repository, version)) WITHOUT ROWID",
    /* the director root under which the files were signed: another one has them signed anew */
    "ALTER TABLE director_file ADD COLUMN root BIGINT NOT NULL DEFAULT 1",
    NULL,
};

/* Identity (docs/spec/identity.md). Serials are the 16 bytes of the certificate, in hex in the first table. */
static const char *const version_identity[] = {
    /* The numbers of device CAs; what the last enrolment, the last connection and the factory certificate showed. */
    "ALTER TABLE device ADD COLUMN cert_ca INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE device ADD COLUMN cert_previous_serial TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE device ADD COLUMN cert_previous_end BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE device ADD COLUMN cert_previous_ca INTEGER NOT NULL DEFAULT 0",
    /* cert_old: the one before, no longer good: who shows it has a copy of something that was replaced */
    "ALTER TABLE device ADD COLUMN cert_old BLOB",
    "ALTER TABLE device ADD COLUMN tls INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE device ADD COLUMN cipher TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE device ADD COLUMN factory_key BLOB",
    "ALTER TABLE device ADD COLUMN factory_kind TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE device ADD COLUMN weak INTEGER NOT NULL DEFAULT 0",
    /* shared: another device has the same key; revoked, rotate, rotate_by: times, 0: not */
    "ALTER TABLE device ADD COLUMN shared INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE device ADD COLUMN revoked BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE device ADD COLUMN revoked_reason INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE device ADD COLUMN rotate BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE device ADD COLUMN rotate_by BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE device ADD COLUMN rotated BIGINT NOT NULL DEFAULT 0",
    /* anchor: SHA-256, first 8 bytes, of the newest server CA the device trusts; as it last said */
    "ALTER TABLE device ADD COLUMN anchor BLOB",
    "CREATE INDEX device_cert_end ON device (cert_not_after, id) WHERE cert IS NOT NULL",
    "CREATE INDEX device_cert_ca ON device (cert_ca) WHERE cert IS NOT NULL",
    "CREATE INDEX device_key ON device (key_hash) WHERE key_hash IS NOT NULL",
    "CREATE INDEX device_factory_key ON device (factory_key) WHERE factory_key IS NOT NULL",
    "CREATE INDEX device_factory_kind ON device (factory_kind)",
    "CREATE INDEX device_tls ON device (tls, cipher)",
    "CREATE INDEX device_storage ON device (key_storage)",
    "CREATE INDEX device_anchor ON device (anchor)",
    "CREATE INDEX device_never ON device (id) WHERE first_seen = 0",
    "CREATE INDEX device_weak ON device (id) WHERE weak <> 0",
    "CREATE INDEX device_shared ON device (id) WHERE shared <> 0",
    "CREATE INDEX device_revoked ON device (id) WHERE revoked <> 0",
    "CREATE INDEX device_rotate ON device (id) WHERE rotate <> 0",
    /* certificates that must not be believed any more although their dates would let them; reason as in RFC 5280 */
    "CREATE TABLE revoked (ca INTEGER NOT NULL, serial BLOB NOT NULL, device TEXT NOT NULL, time BIGINT NOT NULL,"
    " reason INTEGER NOT NULL, ends BIGINT NOT NULL, key_hash BLOB, PRIMARY KEY (ca, serial)) WITHOUT ROWID",
    "CREATE INDEX revoked_ends ON revoked (ends)",
    "CREATE INDEX revoked_key ON revoked (key_hash) WHERE key_hash IS NOT NULL",
    /* the last list of each CA; due: when the next is to be signed */
    "CREATE TABLE crl (ca INTEGER PRIMARY KEY, number BIGINT NOT NULL, this_update BIGINT NOT NULL,"
    " next_update BIGINT NOT NULL, due BIGINT NOT NULL, count BIGINT NOT NULL)",
    /* the device CAs the vault holds, as it told last, for readers */
    /* seen: when a front first said so; the newest row is the server CA devices should know */
    "CREATE TABLE server_ca (anchor BLOB PRIMARY KEY, seen BIGINT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE device_ca (number INTEGER PRIMARY KEY, sha256 BLOB NOT NULL, not_after BIGINT NOT NULL)",
    NULL,
};

/* Takeover orders (docs/spec/takeover.md). withdrawn: when devices were no longer told of it, 0 never. */
static const char *const version_takeover[] = {
    "CREATE TABLE takeover (product TEXT NOT NULL REFERENCES product (name), version BIGINT NOT NULL,"
    " server TEXT NOT NULL, expires BIGINT NOT NULL, created BIGINT NOT NULL, created_by TEXT NOT NULL,"
    " withdrawn BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (product, version)) WITHOUT ROWID",
    NULL,
};

/* Step k brings a database from version k to k + 1; an empty one is version 0. Steps are never edited once released. */
static const char *const *const steps[HF_SCHEMA_VERSION] = {version_1,        version_factory,  version_keyset,
                                                            version_reports,  version_requires, version_roots,
                                                            version_identity, version_takeover};

/* The version is 0 when there is no meta table yet. */
static enum hf_err version_get(struct hf_db *db, int64_t *version)
{
  int64_t tables = 0;
  *version = 0;
  enum hf_err err = hf_stmt_run_int(
      hf_stmt_open(db, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'"), &tables);
  if (err != HF_OK || tables == 0) {
    return err;
  }
  err = hf_stmt_run_int(hf_stmt_open(db, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'schema'"), version);
  return err == HF_E_NOT_FOUND ? HF_E_INPUT : err;
}

static enum hf_err steps_run(struct hf_db *db, int64_t from)
{
  for (int64_t k = from; k < HF_SCHEMA_VERSION; k++) {
    for (const char *const *sql = steps[k]; *sql != NULL; sql++) {
      enum hf_err err = hf_db_run(db, *sql);
      if (err != HF_OK) {
        return err;
      }
    }
  }
  struct hf_stmt *stmt =
      hf_stmt_open(db, "INSERT INTO meta VALUES ('schema', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value");
  uint8_t room[20];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  hf_buf_put_uint(&text, HF_SCHEMA_VERSION);
  hf_stmt_put_text(stmt, hf_buf_bytes(&text));
  return hf_stmt_run(stmt);
}

enum hf_err hf_schema_init(struct hf_db *db)
{
  int64_t version;
  enum hf_err err = version_get(db, &version);
  if (err != HF_OK || version == HF_SCHEMA_VERSION) {
    return err;
  }
  if (version > HF_SCHEMA_VERSION || version < 0) {
    return HF_E_VERSION;
  }
  err = hf_db_begin(db);
  if (err == HF_OK) {
    err = steps_run(db, version);
    if (err == HF_OK) {
      err = hf_db_commit(db);
    } else {
      hf_db_rollback(db);
    }
  }
  return err;
}

enum hf_err hf_schema_check(struct hf_db *db)
{
  int64_t version;
  enum hf_err err = version_get(db, &version);
  if (err != HF_OK || version == HF_SCHEMA_VERSION) {
    return err;
  }
  return version > HF_SCHEMA_VERSION ? HF_E_VERSION : HF_E_AGAIN;
}
