/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* timegm */
#include "hf/server/expiry.h"

#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hf/server/files.h"

#define DAY INT64_C(86400)
#define PEM_MAX 65536

static const struct {
  int64_t lead_s;
  const char *todo;
  const char *file;
} things[] = {
    [HF_EXPIRY_ROOT] = {365 * DAY, "holdfast root renew, let the holders sign, holdfast root publish", NULL},
    [HF_EXPIRY_DIRECTOR_ROOT] = {365 * DAY,
                                 "holdfast root renew --director, let the holders sign, holdfast root publish", NULL},
    [HF_EXPIRY_TARGETS] = {60 * DAY, "holdfast targets renew, let the holders sign, holdfast targets publish", NULL},
    [HF_EXPIRY_ROLE] = {60 * DAY, "holdfast targets renew --role NAME, let its holders sign, holdfast targets publish",
                        NULL},
    [HF_EXPIRY_ONLINE] = {0, "the server signs this itself: look at its clock and at what the vault says", NULL},
    [HF_EXPIRY_SERVER] = {60 * DAY, "holdfast certificate renew, then restart the server", "server.crt"},
    [HF_EXPIRY_SERVER_CA] = {730 * DAY, "holdfast ca rotate server: devices learn the new one while the old one holds",
                             "server-ca.crt"},
    [HF_EXPIRY_DEVICE_CA] =
        {730 * DAY, "holdfast ca rotate device: the new one issues, the old one is believed until nobody is left on it",
         "device-ca.crt"},
    [HF_EXPIRY_FACTORY_CA] = {730 * DAY, "plan a new factory CA", "factory-ca.crt"},
};

const char *hf_expiry_warning(enum hf_expiry what, int64_t expires, int64_t now)
{
  return expires - now < things[what].lead_s || expires <= now ? things[what].todo : NULL;
}

const char *hf_expiry_file(enum hf_expiry certificate) { return things[certificate].file; }

static enum hf_err end_of(int64_t *expires, struct hf_bytes pem)
{
  struct tm when;
  BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
  X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
  bool read = cert != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &when) == 1;
  *expires = read ? (int64_t)timegm(&when) : 0;
  X509_free(cert);
  BIO_free(bio);
  return read ? HF_OK : HF_E_INPUT;
}

static enum hf_err one_open(struct hf_engine *engine, enum hf_expiry certificate)
{
  char path[PATH_MAX];
  char below[64];
  char key[64];
  struct hf_bytes pem;
  int64_t expires;
  (void)snprintf(below, sizeof below, "tls/%s", things[certificate].file);
  (void)snprintf(key, sizeof key, "expires/%s", things[certificate].file);
  enum hf_err err = hf_engine_path(path, sizeof path, engine, below);
  if (err != HF_OK || hf_file_load(&pem, path, PEM_MAX) != HF_OK) {
    return err;
  }
  err = end_of(&expires, pem);
  free((uint8_t *)(uintptr_t)pem.at);
  if (err != HF_OK) {
    return HF_OK; /* a broken certificate is not for the engine to judge */
  }
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key)"
                                                  " DO UPDATE SET value = excluded.value");
  hf_stmt_put_text(stmt, hf_bytes_text(key));
  hf_stmt_put_int(stmt, expires);
  return hf_stmt_run(stmt);
}

enum hf_err hf_expiry_open(struct hf_engine *engine)
{
  enum hf_err err = hf_db_begin(engine->db);
  for (enum hf_expiry i = HF_EXPIRY_SERVER; i <= HF_EXPIRY_FACTORY_CA && err == HF_OK; i++) {
    err = one_open(engine, i);
  }
  if (err == HF_OK) {
    return hf_db_commit(engine->db);
  }
  hf_db_rollback(engine->db);
  return err;
}

enum hf_err hf_expiry_get(int64_t *expires, struct hf_db *db, enum hf_expiry certificate)
{
  char key[64];
  (void)snprintf(key, sizeof key, "expires/%s", things[certificate].file);
  struct hf_stmt *stmt = hf_stmt_open(db, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?");
  hf_stmt_put_text(stmt, hf_bytes_text(key));
  return hf_stmt_run_int(stmt, expires);
}
