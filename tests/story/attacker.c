/* SPDX-License-Identifier: Apache-2.0
 * The demo's attacker: holds the server's folder, so its database and every online key, and nothing else. Orders every
 * device, with genuine director signatures, to install what it should not. Uses none of the server's code paths: it
 * writes the database and signs by itself, as somebody who broke in would.
 *
 * Usage: attacker DIR/server forged|old|hardware|leave      (while the server is stopped)
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "hf/base/time.h"
#include "hf/crypto/key.h"
#include "hf/wire/target.h"
#include "hf/wire/tufwrite.h"

#define FILE_MAX 8192

static const char *server_dir;
static sqlite3 *db;
static struct hf_key *director;

static _Noreturn void die(const char *what)
{
  fprintf(stderr, "attacker: %s%s%s\n", what, db == NULL ? "" : ": ", db == NULL ? "" : sqlite3_errmsg(db));
  exit(1);
}

static sqlite3_stmt *sql(const char *text)
{
  sqlite3_stmt *stmt = NULL;
  if (sqlite3_prepare_v2(db, text, -1, &stmt, NULL) != SQLITE_OK) {
    die(text);
  }
  return stmt;
}

static struct hf_key *steal_key(const char *name)
{
  char path[1024];
  uint8_t pem[HF_KEY_PEM_MAX];
  struct hf_key *key = NULL;
  snprintf(path, sizeof path, "%s/vault/%s", server_dir, name);
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    die(path);
  }
  size_t len = fread(pem, 1, sizeof pem, file);
  fclose(file);
  if (hf_key_parse(&key, hf_bytes_init(pem, len), HF_LIT("")) != HF_OK) {
    die("the director key cannot be read");
  }
  return key;
}

static enum hf_err sign(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

/* A whole signed file around `body`, in `out`. */
static struct hf_bytes sign_file(uint8_t out[FILE_MAX], struct hf_bytes body)
{
  uint8_t canonical[FILE_MAX];
  struct hf_tufwrite_signer signer = {.sign = sign, .ctx = director};
  struct hf_buf file = hf_buf_init(out, FILE_MAX);
  if (hf_key_public(&signer.pub, director) != HF_OK ||
      hf_tufwrite_sign_file(&file, hf_buf_init(canonical, sizeof canonical), body, &signer, 1) != HF_OK) {
    die("signing failed");
  }
  return hf_buf_bytes(&file);
}

/* What the devices are to be made to install. */
struct order {
  char path[HF_TARGET_PATH_MAX + 1];
  struct hf_target_file file;
  uint32_t counter;
};

/* Bytes of our own under the name a mirror would serve them by. */
static void forge(struct order *order)
{
  static const char evil[] = "an image that nobody with an offline key ever signed";
  char path[1400];
  uint8_t url[2 * HF_TARGET_PATH_MAX + 80];
  struct hf_buf name = hf_buf_init(url, sizeof url - 1);
  snprintf(order->path, sizeof order->path, "thermostat/9.9.9/main.img");
  order->file.path = hf_bytes_text(order->path);
  order->file.length = sizeof evil;
  order->counter = 99;
  hf_sha256(order->file.sha256, hf_bytes_init(evil, sizeof evil));
  hf_target_put_url(&name, order->file.path, order->file.sha256, true);
  if (hf_buf_terminate(&name) != HF_OK) {
    die("path");
  }
  static const char *const folders[] = {"thermostat", "thermostat/9.9.9"};
  for (size_t i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/repo/targets/%s", server_dir, folders[i]);
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
      die(path);
    }
  }
  snprintf(path, sizeof path, "%s/repo/targets/%s", server_dir, (const char *)url);
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(evil, 1, sizeof evil, file) != sizeof evil || fclose(file) != 0) {
    die(path);
  }
}

/* A genuine artifact of another release. */
static void borrow(struct order *order, const char *version)
{
  sqlite3_stmt *stmt = sql("SELECT path, length, sha256, counter FROM artifact WHERE version = ?");
  sqlite3_bind_text(stmt, 1, version, -1, SQLITE_STATIC);
  if (sqlite3_step(stmt) != SQLITE_ROW || sqlite3_column_bytes(stmt, 2) != HF_SHA256_LEN) {
    die("no such release");
  }
  snprintf(order->path, sizeof order->path, "%s", (const char *)sqlite3_column_text(stmt, 0));
  order->file.path = hf_bytes_text(order->path);
  order->file.length = (uint32_t)sqlite3_column_int64(stmt, 1);
  memcpy(order->file.sha256, sqlite3_column_blob(stmt, 2), HF_SHA256_LEN);
  order->counter = (uint32_t)sqlite3_column_int64(stmt, 3);
  sqlite3_finalize(stmt);
}

struct victim {
  sqlite3_int64 n;
  struct hf_bytes id;
  struct hf_bytes hardware;
  uint32_t version; /* of the director metadata to write */
};

static void order_device(const struct order *order, const struct victim *victim, int64_t now)
{
  uint8_t value[1024];
  uint8_t body[FILE_MAX];
  uint8_t file[3][FILE_MAX];
  struct hf_bytes made[3];
  struct hf_buf entry = hf_buf_init(value, sizeof value);
  struct hf_target_order custom = {
      .component = HF_LIT("main"), .device = victim->id, .hardware = victim->hardware, .counter = order->counter};
  hf_target_order_put(&entry, &custom, &order->file);
  struct hf_tufwrite_entry target = {.path = order->file.path, .value = hf_buf_bytes(&entry)};

  struct hf_buf text = hf_buf_init(body, sizeof body);
  int64_t expires = now + 5 * 86400;
  enum hf_err err = hf_tufwrite_put_director(&text, victim->version, expires, victim->id, &target, 1);
  made[0] = sign_file(file[0], hf_buf_bytes(&text));
  text = hf_buf_init(body, sizeof body);
  err = err != HF_OK ? err : hf_tufwrite_put_snapshot(&text, victim->version, expires, victim->version, made[0]);
  made[1] = sign_file(file[1], hf_buf_bytes(&text));
  text = hf_buf_init(body, sizeof body);
  err = err != HF_OK ? err : hf_tufwrite_put_timestamp(&text, victim->version, expires, victim->version, made[1]);
  made[2] = sign_file(file[2], hf_buf_bytes(&text));
  if (err != HF_OK || entry.failed) {
    die("metadata");
  }
  sqlite3_stmt *stmt =
      sql("INSERT OR REPLACE INTO director_file (device, version, assignment, expires, timestamp, snapshot,"
          " targets) SELECT n, ?2, assignment + 1, ?3, ?4, ?5, ?6 FROM device WHERE n = ?1");
  sqlite3_bind_int64(stmt, 1, victim->n);
  sqlite3_bind_int64(stmt, 2, victim->version);
  sqlite3_bind_int64(stmt, 3, expires);
  for (int i = 0; i < 3; i++) {
    sqlite3_bind_blob(stmt, 4 + i, made[2 - i].at, (int)made[2 - i].len, SQLITE_TRANSIENT);
  }
  if (sqlite3_step(stmt) != SQLITE_DONE) {
    die("director_file");
  }
  sqlite3_finalize(stmt);
}

static void order_all(const struct order *order)
{
  sqlite3_stmt *stmt = sql("SELECT n, id, hardware, director + 1 FROM device WHERE product = 'thermostat'");
  while (sqlite3_step(stmt) == SQLITE_ROW) {
    struct victim victim = {
        .n = sqlite3_column_int64(stmt, 0),
        .id = hf_bytes_text((const char *)sqlite3_column_text(stmt, 1)),
        .hardware = hf_bytes_text((const char *)sqlite3_column_text(stmt, 2)),
        .version = (uint32_t)sqlite3_column_int64(stmt, 3),
    };
    order_device(order, &victim, (int64_t)time(NULL));
  }
  sqlite3_finalize(stmt);
}

int main(int argc, char **argv)
{
  char path[1024];
  struct order order = {.counter = 0};
  if (argc != 3) {
    fprintf(stderr, "usage: attacker DIR/server forged|old|hardware|leave\n");
    return 2;
  }
  server_dir = argv[1];
  snprintf(path, sizeof path, "%s/db/holdfast.db", server_dir);
  if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
    die(path);
  }
  sqlite3_busy_timeout(db, 5000);
  director = steal_key("director.pem");
  sqlite3_finalize(sql("SELECT 1"));
  if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
    die("begin");
  }
  if (strcmp(argv[2], "leave") == 0) {
    /* What a restored server does: it signs anew, above whatever version the devices have seen. */
    if (sqlite3_exec(db, "DELETE FROM director_file", NULL, NULL, NULL) != SQLITE_OK) {
      die("leave");
    }
  } else if (strcmp(argv[2], "forged") == 0) {
    forge(&order);
  } else if (strcmp(argv[2], "old") == 0) {
    borrow(&order, "1.0.0");
  } else if (strcmp(argv[2], "hardware") == 0) {
    borrow(&order, "1.9.0");
  } else {
    die("unknown attack");
  }
  if (order.path[0] != 0) {
    order_all(&order);
  }
  if (sqlite3_exec(db, "UPDATE device SET assignment = assignment + 1, director = director + 1; COMMIT", NULL, NULL,
                   NULL) != SQLITE_OK) {
    die("commit");
  }
  hf_key_free(director);
  sqlite3_close(db);
  return 0;
}
