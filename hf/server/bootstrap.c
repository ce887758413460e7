/* SPDX-License-Identifier: Apache-2.0
 * The first operator, as `holdfast init` left it in DIR/server/bootstrap.json (docs/spec/workspace.md): imported once.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hf/base/time.h"
#include "hf/codec/json.h"
#include "hf/server/auditlog.h"
#include "hf/server/core.h"
#include "hf/server/files.h"

#define FILE_MAX 8192

static const char *const scope_names[] = {"read", "operate", "release", "admin"}; /* bit by bit: hf/server/auth.h */

struct person {
  uint8_t name[64];
  size_t name_len;
  uint8_t secret[256];
  size_t secret_len;
  int64_t scopes;
};

static enum hf_err text_get(uint8_t *out, size_t cap, size_t *len, struct hf_json object, const char *member)
{
  struct hf_json value;
  struct hf_buf text = hf_buf_init(out, cap);
  if (hf_json_get(&value, object, member) != HF_OK || hf_json_get_text(&text, value) != HF_OK || text.len == 0) {
    return HF_E_INPUT;
  }
  *len = text.len;
  return HF_OK;
}

static enum hf_err scopes_get(int64_t *scopes, struct hf_json object)
{
  struct hf_json list;
  struct hf_json item;
  if (hf_json_get(&list, object, "scopes") != HF_OK) {
    return HF_E_INPUT;
  }
  struct hf_json_walk walk = hf_json_walk_init(list);
  while (hf_json_walk_next(&walk, &item)) {
    for (size_t i = 0; i < sizeof scope_names / sizeof *scope_names; i++) {
      *scopes |= hf_json_is(item, scope_names[i]) ? (int64_t)1 << i : 0;
    }
  }
  return *scopes != 0 ? HF_OK : HF_E_INPUT;
}

static enum hf_err person_get(struct person *person, struct hf_json root, const char *member, const char *secret)
{
  struct hf_json object;
  *person = (struct person){.scopes = 0};
  if (hf_json_get(&object, root, member) != HF_OK) {
    return HF_E_INPUT;
  }
  enum hf_err err = text_get(person->name, sizeof person->name, &person->name_len, object, "name");
  if (err == HF_OK) {
    err = text_get(person->secret, sizeof person->secret, &person->secret_len, object, secret);
  }
  return err == HF_OK ? scopes_get(&person->scopes, object) : err;
}

static enum hf_err operator_put(struct hf_engine *engine, struct hf_json root, int64_t now)
{
  struct person person;
  enum hf_err err = person_get(&person, root, "operator", "password");
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "INSERT INTO operator (name, password, scopes, created) VALUES (?, ?, ?, ?)"
                               " ON CONFLICT (name) DO NOTHING");
  hf_stmt_put_text(stmt, hf_bytes_init(person.name, person.name_len));
  hf_stmt_put_text(stmt, hf_bytes_init(person.secret, person.secret_len));
  hf_stmt_put_int(stmt, person.scopes);
  hf_stmt_put_int(stmt, now);
  return hf_stmt_run(stmt);
}

static enum hf_err token_put(struct hf_engine *engine, struct hf_json root, int64_t now)
{
  struct person person;
  struct hf_json object;
  struct hf_json value;
  uint8_t when_room[HF_TIME_TEXT_LEN];
  size_t when_len;
  uint8_t hash[HF_SHA256_LEN];
  int64_t expires;
  enum hf_err err = person_get(&person, root, "token", "sha256");
  if (err != HF_OK || hf_json_get(&object, root, "token") != HF_OK || hf_json_get(&value, object, "sha256") != HF_OK ||
      hf_json_get_hex(hash, sizeof hash, value) != HF_OK) {
    return HF_E_INPUT;
  }
  err = text_get(when_room, sizeof when_room, &when_len, object, "expires");
  if (err != HF_OK || hf_time_parse(&expires, hf_bytes_init(when_room, when_len)) != HF_OK) {
    return HF_E_INPUT;
  }
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "INSERT INTO token (hash, name, scopes, created, created_by, expires)"
                                                  " VALUES (?, ?, ?, ?, 'init', ?) ON CONFLICT (hash) DO NOTHING");
  hf_stmt_put_bytes(stmt, hf_bytes_init(hash, sizeof hash));
  hf_stmt_put_text(stmt, hf_bytes_init(person.name, person.name_len));
  hf_stmt_put_int(stmt, person.scopes);
  hf_stmt_put_int(stmt, now);
  hf_stmt_put_int(stmt, expires);
  return hf_stmt_run(stmt);
}

static enum hf_err organisation_put(struct hf_engine *engine, struct hf_json root)
{
  uint8_t room[256];
  size_t len;
  if (text_get(room, sizeof room, &len, root, "organisation") != HF_OK) {
    return HF_OK; /* only a title */
  }
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "INSERT INTO meta VALUES ('organisation', ?) ON CONFLICT (key) DO NOTHING");
  hf_stmt_put_text(stmt, hf_bytes_init(room, len));
  return hf_stmt_run(stmt);
}

static enum hf_err import(struct hf_engine *engine, struct hf_bytes text, int64_t now)
{
  struct hf_json root;
  const struct hf_act act = {.who = HF_LIT("server"), .now = now};
  enum hf_err err = hf_json_parse(&root, text, NULL);
  if (err == HF_OK) {
    err = operator_put(engine, root, now);
  }
  if (err == HF_OK) {
    err = token_put(engine, root, now);
  }
  if (err == HF_OK) {
    err = organisation_put(engine, root);
  }
  if (err == HF_OK) {
    err = hf_stmt_run(hf_stmt_open(engine->db, "INSERT INTO meta VALUES ('bootstrap', 'done')"));
  }
  return err == HF_OK
             ? hf_auditlog_put(engine, &act, "server.bootstrap", HF_LIT("operator"), HF_LIT("first operator and token"))
             : err;
}

/* Importing and remembering that it was done are one transaction: the file may be there again after a kill, or for ever
 * when this process may not remove it. */
enum hf_err hf_engine_bootstrap(struct hf_engine *engine, int64_t now)
{
  char path[4096];
  uint8_t room[FILE_MAX];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  int64_t imported = 0;
  enum hf_err err = hf_engine_path(path, sizeof path, engine, "bootstrap.json");
  if (err == HF_OK) {
    err = hf_stmt_run_int(hf_stmt_open(engine->db, "SELECT count(*) FROM meta WHERE key = 'bootstrap'"), &imported);
  }
  if (err == HF_OK && imported == 0) {
    err = hf_file_get(&text, path);
    if (err == HF_E_NOT_FOUND) {
      return HF_OK;
    }
    if (err == HF_OK) {
      err = hf_engine_begin(engine);
    }
    if (err == HF_OK) {
      err = hf_engine_poison(engine, import(engine, hf_buf_bytes(&text), now));
      enum hf_err stored = hf_engine_commit(engine);
      err = err == HF_OK ? stored : err;
    }
  }
  hf_secret_wipe(room, sizeof room);
  if (err == HF_OK) {
    (void)unlink(path);
  }
  return err;
}
