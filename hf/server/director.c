/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/director.h"

#include <stdio.h>
#include <string.h>

#include "hf/server/cache.h"
#include "hf/server/devices.h"
#include "hf/server/files.h"
#include "hf/server/roots.h"
#include "hf/server/signer.h"
#include "hf/wire/target.h"
#include "hf/wire/tufwrite.h"
#include "hf/wire/uptane.h"

#define BODY_MAX 8192
#define FILE_MAX 8192
/* One "targets" member of a director file: path, hashes and custom data at their longest. */
#define ENTRY_MAX 768

/* The three files of one device, as they will be served. */
struct files {
  uint8_t targets_room[FILE_MAX];
  uint8_t snapshot_room[FILE_MAX];
  uint8_t timestamp_room[FILE_MAX];
  struct hf_buf targets;
  struct hf_buf snapshot;
  struct hf_buf timestamp;
};

/* What the device is to run, as entries of its targets file. */
struct orders {
  size_t count;
  char path[HF_UPTANE_ITEMS_MAX][HF_TARGET_PATH_MAX + 1];
  uint8_t value_room[HF_UPTANE_ITEMS_MAX][ENTRY_MAX];
  struct hf_tufwrite_entry entry[HF_UPTANE_ITEMS_MAX];
};

static enum hf_err order_put(struct orders *orders, struct hf_stmt *stmt, const struct hf_device_row *row)
{
  size_t i = orders->count++;
  struct hf_buf value = hf_buf_init(orders->value_room[i], ENTRY_MAX);
  struct hf_bytes sha256 = hf_stmt_get_bytes(stmt, 2);
  hf_text_copy(orders->path[i], sizeof orders->path[i], hf_stmt_get_bytes(stmt, 0));
  struct hf_target_file file = {.path = hf_bytes_text(orders->path[i]), .length = (uint32_t)hf_stmt_get_int(stmt, 1)};
  if (sha256.len != sizeof file.sha256) {
    return HF_E_INPUT;
  }
  memcpy(file.sha256, sha256.at, sizeof file.sha256);
  const struct hf_target_order order = {.component = hf_stmt_get_bytes(stmt, 3),
                                        .device = hf_bytes_text(row->id),
                                        .hardware = hf_bytes_text(row->hardware),
                                        .counter = (uint32_t)hf_stmt_get_int(stmt, 4),
                                        .order = (uint32_t)hf_stmt_get_int(stmt, 5)};
  hf_target_order_put(&value, &order, &file);
  orders->entry[i] = (struct hf_tufwrite_entry){.path = file.path, .value = hf_buf_bytes(&value)};
  return value.failed ? HF_E_SPACE : HF_OK;
}

/* All images of the assigned release, or nothing: never a part of it. */
static enum hf_err orders_get(struct orders *orders, struct hf_engine *engine, const struct hf_device_row *row)
{
  orders->count = 0;
  if (row->assigned[0] == 0) {
    return HF_OK;
  }
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT path, length, sha256, component, counter, place FROM artifact"
                                                  " WHERE product = ? AND version = ? ORDER BY path LIMIT 5");
  hf_stmt_put_text(stmt, hf_bytes_text(row->product));
  hf_stmt_put_text(stmt, hf_bytes_text(row->assigned));
  enum hf_err err = hf_stmt_next(stmt);
  while (err == HF_OK) {
    err = orders->count < HF_UPTANE_ITEMS_MAX ? order_put(orders, stmt, row) : HF_E_SPACE;
    err = err == HF_OK ? hf_stmt_next(stmt) : err == HF_E_NOT_FOUND ? HF_E_IO : err;
  }
  hf_stmt_close(stmt);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

static enum hf_err file_sign(struct hf_engine *engine, struct hf_buf *file, const struct hf_buf *body,
                             const struct hf_device_row *row)
{
  return hf_signer_put_file(engine, file, HF_VAULT_DIRECTOR, hf_buf_bytes(body), hf_bytes_text(row->id));
}

/* The key that signs time; NULL in a workspace that has none. */
static enum hf_err time_key_get(const struct hf_pubkey **time, struct hf_engine *engine)
{
  struct hf_pubkey *key = &engine->role_key[HF_VAULT_TIME];
  enum hf_err err = key->type != HF_KEY_NONE ? HF_OK : hf_vault_public(engine->config.vault, key, HF_VAULT_TIME);
  *time = err == HF_OK ? key : NULL;
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

static enum hf_err files_sign(struct files *files, struct hf_engine *engine, const struct hf_device_row *row,
                              uint32_t version, int64_t expires)
{
  uint8_t room[BODY_MAX];
  struct orders orders;
  const struct hf_pubkey *time;
  struct hf_buf body = hf_buf_init(room, sizeof room);
  files->targets = hf_buf_init(files->targets_room, FILE_MAX);
  files->snapshot = hf_buf_init(files->snapshot_room, FILE_MAX);
  files->timestamp = hf_buf_init(files->timestamp_room, FILE_MAX);
  enum hf_err err = orders_get(&orders, engine, row);
  if (err == HF_OK) {
    err = time_key_get(&time, engine);
  }
  if (err == HF_OK) {
    const struct hf_tufwrite_director director = {
        .device = hf_bytes_text(row->id), .entries = orders.entry, .count = orders.count, .time = time};
    err = hf_tufwrite_put_director_timed(&body, version, expires, &director);
  }
  if (err == HF_OK) {
    err = file_sign(engine, &files->targets, &body, row);
  }
  body = hf_buf_init(room, sizeof room);
  if (err == HF_OK) {
    err = hf_tufwrite_put_snapshot(&body, version, expires, version, hf_buf_bytes(&files->targets));
  }
  if (err == HF_OK) {
    err = file_sign(engine, &files->snapshot, &body, row);
  }
  body = hf_buf_init(room, sizeof room);
  if (err == HF_OK) {
    err = hf_tufwrite_put_timestamp(&body, version, expires, version, hf_buf_bytes(&files->snapshot));
  }
  return err == HF_OK ? file_sign(engine, &files->timestamp, &body, row) : err;
}

static int64_t root_version(const struct hf_engine *engine)
{
  const struct hf_tuf_root *root = hf_roots_signing(engine, HF_ROOTS_DIRECTOR);
  return root == NULL ? 1 : root->version;
}

static enum hf_err files_store(struct files *files, struct hf_engine *engine, const struct hf_device_row *row,
                               uint32_t version, int64_t expires)
{
  struct hf_stmt *stmt = hf_stmt_open(
      engine->db, "INSERT INTO director_file (device, version, root, assignment, expires, timestamp, snapshot, targets)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device) DO UPDATE SET version = excluded.version,"
                  " root = excluded.root, assignment = excluded.assignment, expires = excluded.expires, timestamp = excluded.timestamp,"
                  " snapshot = excluded.snapshot, targets = excluded.targets");
  hf_stmt_put_int(stmt, row->n);
  hf_stmt_put_int(stmt, version);
  hf_stmt_put_int(stmt, root_version(engine));
  hf_stmt_put_int(stmt, row->assignment);
  hf_stmt_put_int(stmt, expires);
  hf_stmt_put_bytes(stmt, hf_buf_bytes(&files->timestamp));
  hf_stmt_put_bytes(stmt, hf_buf_bytes(&files->snapshot));
  hf_stmt_put_bytes(stmt, hf_buf_bytes(&files->targets));
  enum hf_err err = hf_stmt_run(stmt);
  if (err == HF_OK) {
    stmt = hf_stmt_open(engine->db, "UPDATE device SET director = ? WHERE n = ?");
    hf_stmt_put_int(stmt, version);
    hf_stmt_put_int(stmt, row->n);
    err = hf_stmt_run(stmt);
  }
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

/* Sign anew. The version rises with every signing and is never below the number of the order it carries. */
static enum hf_err renew(struct hf_engine *engine, struct hf_device_row *row, int64_t now)
{
  struct files files;
  int64_t version = row->director + 1 > row->assignment ? row->director + 1 : row->assignment;
  int64_t expires = now + HF_DIRECTOR_LIFE_S;
  if (version > HF_TUF_VERSION_MAX) {
    return HF_E_STATE;
  }
  enum hf_err err = files_sign(&files, engine, row, (uint32_t)version, expires);
  if (err == HF_OK) {
    row->director = version;
    err = files_store(&files, engine, row, (uint32_t)version, expires);
  }
  return err;
}

static enum hf_err fresh(bool *is_fresh, struct hf_engine *engine, const struct hf_device_row *row, int64_t now)
{
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT assignment, expires, root FROM director_file WHERE device = ?");
  hf_stmt_put_int(stmt, row->n);
  enum hf_err err = hf_stmt_next(stmt);
  *is_fresh = err == HF_OK && hf_stmt_get_int(stmt, 0) == row->assignment &&
              hf_stmt_get_int(stmt, 1) - now > HF_DIRECTOR_RENEW_S && hf_stmt_get_int(stmt, 2) == root_version(engine);
  hf_stmt_close(stmt);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

static enum hf_err stored_put(struct hf_buf *file, struct hf_engine *engine, const char *sql, int64_t n,
                              int64_t version)
{
  struct hf_stmt *stmt = hf_stmt_open(engine->db, sql);
  hf_stmt_put_int(stmt, n);
  hf_stmt_put_int(stmt, version);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    hf_buf_put(file, hf_stmt_get_bytes(stmt, 0));
    err = file->failed ? HF_E_SPACE : HF_OK;
  }
  hf_stmt_close(stmt);
  return err;
}

/* "12.targets.json" into its number; 0 when it is not of this form. */
static int64_t version_of(struct hf_bytes name, const char *ending)
{
  size_t end = strlen(ending);
  int64_t version = 0;
  if (name.len <= end || name.len - end > 10 || memcmp(name.at + name.len - end, ending, end) != 0 ||
      name.at[0] == '0') {
    return 0;
  }
  for (size_t i = 0; i < name.len - end; i++) {
    if (name.at[i] < '0' || name.at[i] > '9') {
      return 0;
    }
    version = version * 10 + (name.at[i] - '0');
  }
  return version <= HF_TUF_VERSION_MAX ? version : 0;
}

static enum hf_err root_put(struct hf_buf *file, const struct hf_engine *engine, int64_t version)
{
  char below[64];
  char path[4096];
  (void)snprintf(below, sizeof below, "director/%lld.root.json", (long long)version);
  enum hf_err err = hf_engine_path(path, sizeof path, engine, below);
  return err == HF_OK ? hf_file_get(file, path) : err;
}

enum hf_err hf_director_get(struct hf_engine *engine, struct hf_buf *file, int64_t n, struct hf_bytes name, int64_t now)
{
  struct hf_device_row row;
  bool is_fresh = false;
  int64_t version = version_of(name, ".root.json");
  if (version != 0) {
    return root_put(file, engine, version);
  }
  version = version_of(name, ".targets.json");
  if (version != 0) {
    return stored_put(file, engine, "SELECT targets FROM director_file WHERE device = ? AND version = ?", n, version);
  }
  version = version_of(name, ".snapshot.json");
  if (version != 0) {
    return stored_put(file, engine, "SELECT snapshot FROM director_file WHERE device = ? AND version = ?", n, version);
  }
  if (!hf_bytes_is(name, "timestamp.json")) {
    return HF_E_NOT_FOUND;
  }
  enum hf_err err = hf_device_row_get(&row, engine->db, n);
  if (err == HF_OK) {
    err = fresh(&is_fresh, engine, &row, now);
  }
  if (err == HF_OK && !is_fresh) {
    err = renew(engine, &row, now);
  }
  return err == HF_OK ? stored_put(file, engine, "SELECT timestamp FROM director_file WHERE device = ? AND version = ?",
                                   n, row.director)
                      : err;
}

enum hf_err hf_engine_director(struct hf_engine *engine, struct hf_buf *file, const struct hf_peer *peer,
                               struct hf_bytes name, int64_t now)
{
  struct hf_cached *cached;
  enum hf_err err = hf_cache_admit(&cached, engine, peer, now);
  return err == HF_OK ? hf_director_get(engine, file, cached->n, name, now) : err;
}
