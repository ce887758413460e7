/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/founding.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hf/base/assert.h"
#include "hf/cli/disk.h"
#include "hf/cli/term.h"
#include "hf/codec/json.h"
#include "hf/codec/text.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/tufwrite.h"

#define DAY INT64_C(86400)
#define YEAR (365 * DAY)
/** A root with four keys in PEM is under 2 KiB. */
#define FILE_MAX 16384
/** Files and folders of a workspace: about fifty. */
#define MADE_MAX 96

/* 2026-11-01: no honest clock was earlier when this was made. */
#define CLOCK_FLOOR INT64_C(1793491200)
#define CLOCK_SPAN (60 * YEAR)

const char *hf_clock_check(int64_t now)
{
  if (now < CLOCK_FLOOR) {
    return "this computer's clock is before this Holdfast was made";
  }
  return now > CLOCK_FLOOR + CLOCK_SPAN ? "this computer's clock is more than sixty years ahead" : NULL;
}

/* ---- what was made, to take it back ---- */

enum key_role {
  ROOT,
  TARGETS,
  FACTORY_CA,
  SERVER_CA,
  IMAGE,
  TIMESTAMP,
  SNAPSHOT,
  DIRECTOR,
  TIME,
  DEVICE_CA,
  SERVER,
  KEYS
};

struct making {
  struct hf_founding *to;
  char *made[MADE_MAX];
  size_t count;
  enum hf_err err; /**< the first failure; everything after it does nothing */
  struct hf_key *key[KEYS];
  const char *uri[KEYS]; /**< the key lives in a token; NULL: in a file */
};

static void note_made(struct making *making, const char *path)
{
  HF_ASSERT(making->count < MADE_MAX);
  making->made[making->count] = strdup(path);
  HF_ASSERT(making->made[making->count] != NULL);
  making->count++;
}

static void fail(struct making *making, enum hf_err err)
{
  if (making->err == HF_OK) {
    making->err = err;
  }
}

static void put_dir(struct making *making, const char *name)
{
  char path[HF_PATH_MAX];
  if (making->err != HF_OK) {
    return;
  }
  enum hf_err err = hf_path_join(path, making->to->dir, name);
  if (err == HF_OK) {
    err = hf_disk_mkdir(path, 0700);
    if (err == HF_OK) {
      note_made(making, path);
    } else {
      hf_disk_complain(err, "make", path);
    }
  }
  fail(making, err);
}

static void put_file(struct making *making, const char *name, struct hf_bytes bytes, mode_t mode)
{
  char path[HF_PATH_MAX];
  if (making->err != HF_OK) {
    return;
  }
  enum hf_err err = hf_path_join(path, making->to->dir, name);
  if (err == HF_OK) {
    err = hf_disk_put_new(path, bytes, mode);
    if (err == HF_OK) {
      note_made(making, path);
    } else {
      hf_disk_complain(err, "write", path);
    }
  }
  fail(making, err);
}

static void put_buf(struct making *making, const char *name, const struct hf_buf *buf, mode_t mode)
{
  if (buf->failed) {
    fail(making, HF_E_SPACE);
  }
  put_file(making, name, hf_buf_bytes(buf), mode);
}

/* Newest first, so that folders are empty when their turn comes. */
static void take_back(struct making *making)
{
  while (making->count > 0) {
    char *path = making->made[--making->count];
    if (making->err != HF_OK) {
      (void)remove(path);
    }
    free(path);
  }
}

/* ---- keys ---- */

static const struct role_words {
  const char *name;
  enum key_role role;
  bool offline;
} role_words[] = {{"root", ROOT, true},           {"targets", TARGETS, true},    {"factory-ca", FACTORY_CA, true},
                  {"server-ca", SERVER_CA, true}, {"image", IMAGE, true},        {"timestamp", TIMESTAMP, false},
                  {"snapshot", SNAPSHOT, false},  {"director", DIRECTOR, false}, {"time", TIME, false},
                  {"device-ca", DEVICE_CA, false}};

static const struct role_words *role_find(const char *name)
{
  for (size_t i = 0; i < sizeof role_words / sizeof role_words[0]; i++) {
    if (strcmp(role_words[i].name, name) == 0) {
      return &role_words[i];
    }
  }
  return NULL;
}

bool hf_founding_check_role(const char *role) { return role_find(role) != NULL; }

bool hf_founding_is_offline(const char *role)
{
  const struct role_words *words = role_find(role);
  return words != NULL && words->offline;
}

static void open_in_token(struct making *making, const struct hf_founding_token *token)
{
  const struct role_words *words = role_find(token->role);
  struct hf_why why = {.rule = HF_RULE_NONE};
  HF_ASSERT(words != NULL); /* whoever filled the founding checked it */
  struct hf_bytes uri = hf_bytes_text(token->uri);
  enum hf_err err = hf_key_open(&making->key[words->role], uri, making->to->pin, &why);
  if (why.rule == HF_RULE_KEY_OBJECT && making->to->create_keys) {
    why.rule = HF_RULE_NONE;
    err = hf_key_create(&making->key[words->role], uri, making->to->pin, &why);
  }
  making->uri[words->role] = token->uri;
  if (err != HF_OK) {
    const struct hf_rule_words *rule = hf_rule_words(why.rule);
    hf_complain(hf_say("--key %s=", token->role), rule->todo, "%s", rule->what);
  }
  fail(making, err);
}

static void make_keys(struct making *making)
{
  for (size_t i = 0; i < making->to->token_count && making->err == HF_OK; i++) {
    open_in_token(making, &making->to->tokens[i]);
  }
  for (size_t i = 0; i < KEYS && making->err == HF_OK; i++) {
    bool chosen = i == ROOT || i == TARGETS || i == IMAGE;
    if (making->uri[i] == NULL) {
      fail(making, hf_key_new(&making->key[i], chosen ? making->to->key_type : HF_KEY_P256));
    }
  }
}

static void put_key(struct making *making, const char *name, enum key_role role, struct hf_bytes passphrase)
{
  uint8_t room[HF_KEY_PEM_MAX];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  if (making->err == HF_OK && making->uri[role] != NULL) {
    hf_buf_put_text(&text, making->uri[role]);
    hf_buf_put_text(&text, "\n");
    put_buf(making, name, &text, 0600);
  } else if (making->err == HF_OK) {
    fail(making, hf_key_encode(&text, making->key[role], passphrase));
    put_buf(making, name, &text, 0600);
  }
  hf_secret_wipe(room, sizeof room);
}

static void put_keys(struct making *making)
{
  struct hf_bytes none = {NULL, 0};
  struct hf_bytes passphrase = making->to->passphrase;
  put_key(making, "offline/root.pem", ROOT, passphrase);
  put_key(making, "offline/targets.pem", TARGETS, passphrase);
  put_key(making, "offline/factory-ca.pem", FACTORY_CA, passphrase);
  put_key(making, "offline/server-ca.pem", SERVER_CA, passphrase);
  put_key(making, "offline/image.pem", IMAGE, passphrase);
  put_key(making, "server/vault/timestamp.pem", TIMESTAMP, none);
  put_key(making, "server/vault/snapshot.pem", SNAPSHOT, none);
  put_key(making, "server/vault/director.pem", DIRECTOR, none);
  put_key(making, "server/vault/time.pem", TIME, none);
  put_key(making, "server/vault/device-ca.pem", DEVICE_CA, none);
  put_key(making, "server/tls/server.key", SERVER, none);
}

static struct hf_pubkey public_of(struct making *making, enum key_role role)
{
  struct hf_pubkey pub = {.type = HF_KEY_NONE};
  if (making->err == HF_OK) {
    fail(making, hf_key_public(&pub, making->key[role]));
  }
  return pub;
}

static void put_image_public(struct making *making)
{
  uint8_t room[HF_PUBKEY_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  struct hf_pubkey pub = public_of(making, IMAGE);
  if (making->err == HF_OK) {
    hf_pubkey_put_pem(&pem, &pub);
    put_buf(making, "offline/image.pub", &pem, 0644);
  }
}

/* ---- certificates ---- */

static void put_ca(struct making *making, struct hf_buf *pem, enum key_role role, const char *name, int64_t end)
{
  struct hf_pki_validity validity = {making->to->now - DAY, end};
  const char *organisation = making->to->workspace.organisation;
  if (making->err == HF_OK) {
    fail(making, role == FACTORY_CA ? hf_pki_put_factory_ca(pem, making->key[role], organisation, name, validity)
                                    : hf_pki_put_ca(pem, making->key[role], organisation, name, validity));
  }
}

static void put_server_certificate(struct making *making, struct hf_bytes ca)
{
  uint8_t room[HF_PKI_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  struct hf_pki_issuer issuer = {making->key[SERVER_CA], ca};
  struct hf_pki_validity validity = {making->to->now - DAY, making->to->now + 5 * YEAR};
  if (making->err != HF_OK) {
    return;
  }
  enum hf_err err = hf_pki_put_server(&pem, making->key[SERVER], making->to->names, &issuer, validity);
  if (err == HF_E_INPUT || err == HF_E_SPACE) {
    hf_complain("--name", "give host names or addresses, at most 28 of them", "not a name for a certificate");
  }
  fail(making, err);
  put_buf(making, "server/tls/server.crt", &pem, 0644);
}

static void put_certificates(struct making *making)
{
  uint8_t rooms[3][HF_PKI_PEM_MAX];
  struct hf_buf server = hf_buf_init(rooms[0], sizeof rooms[0]);
  struct hf_buf device = hf_buf_init(rooms[1], sizeof rooms[1]);
  struct hf_buf factory = hf_buf_init(rooms[2], sizeof rooms[2]);
  int64_t now = making->to->now;
  put_ca(making, &server, SERVER_CA, "Server CA", now + 30 * YEAR);
  put_ca(making, &device, DEVICE_CA, "Device CA", now + 30 * YEAR);
  put_ca(making, &factory, FACTORY_CA, "Factory CA", HF_PKI_NO_END);
  put_server_certificate(making, hf_buf_bytes(&server));
  put_buf(making, "offline/server-ca.crt", &server, 0644);
  put_buf(making, "offline/factory-ca.crt", &factory, 0644);
  put_buf(making, "operator/server-ca.crt", &server, 0644);
  put_buf(making, "server/tls/server-ca.crt", &server, 0644);
  put_buf(making, "server/tls/device-ca.crt", &device, 0644);
  put_buf(making, "server/tls/factory-ca.crt", &factory, 0644);
}

/* ---- metadata ---- */

static enum hf_err sign_with(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

/* The whole file around `body`, signed with one key, into `file`. */
static void sign_file(struct making *making, struct hf_buf *file, const struct hf_buf *body, enum key_role role)
{
  uint8_t room[FILE_MAX];
  struct hf_tufwrite_signer signer = {.pub = public_of(making, role), .sign = sign_with, .ctx = making->key[role]};
  if (making->err == HF_OK) {
    fail(making, hf_tufwrite_sign_file(file, hf_buf_init(room, sizeof room), hf_buf_bytes(body), &signer, 1));
  }
}

static struct hf_tuf_signers one_of(unsigned index)
{
  return (struct hf_tuf_signers){.keys = (uint16_t)(1u << index), .threshold = 1};
}

static void put_root(struct making *making, struct hf_buf *file, const struct hf_tufwrite_root *root)
{
  uint8_t room[FILE_MAX];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  if (making->err == HF_OK) {
    fail(making, hf_tufwrite_put_root(&body, root));
    sign_file(making, file, &body, ROOT);
  }
}

static void put_roots(struct making *making)
{
  uint8_t room[FILE_MAX];
  struct hf_buf file = hf_buf_init(room, sizeof room);
  int64_t expires = making->to->now + 10 * YEAR;
  struct hf_pubkey image[] = {public_of(making, ROOT), public_of(making, TARGETS), public_of(making, TIMESTAMP),
                              public_of(making, SNAPSHOT)};
  struct hf_tufwrite_root root = {
      .version = 1, .expires = expires, .consistent_snapshot = true, .keys = image, .key_count = 4};
  root.role[HF_TUF_ROOT] = one_of(0);
  root.role[HF_TUF_TARGETS] = one_of(1);
  root.role[HF_TUF_TIMESTAMP] = one_of(2);
  root.role[HF_TUF_SNAPSHOT] = one_of(3);
  put_root(making, &file, &root);
  put_buf(making, "offline/root.json", &file, 0644);
  put_buf(making, "server/repo/metadata/1.root.json", &file, 0644);
  hf_sha256(making->to->root_hash, hf_buf_bytes(&file));

  struct hf_pubkey director[] = {image[0], public_of(making, DIRECTOR)};
  root.keys = director;
  root.key_count = 2;
  root.role[HF_TUF_TARGETS] = root.role[HF_TUF_TIMESTAMP] = root.role[HF_TUF_SNAPSHOT] = one_of(1);
  file = hf_buf_init(room, sizeof room);
  put_root(making, &file, &root);
  put_buf(making, "offline/director-root.json", &file, 0644);
  put_buf(making, "server/director/1.root.json", &file, 0644);
}

/* An empty first targets file, and the two online roles above it. The server signs those anew when it starts. */
static void put_metadata(struct making *making)
{
  uint8_t rooms[3][FILE_MAX];
  uint8_t room[FILE_MAX];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  struct hf_buf targets = hf_buf_init(rooms[0], FILE_MAX);
  struct hf_buf snapshot = hf_buf_init(rooms[1], FILE_MAX);
  struct hf_buf timestamp = hf_buf_init(rooms[2], FILE_MAX);
  int64_t now = making->to->now;
  if (making->err != HF_OK) {
    return;
  }
  fail(making, hf_tufwrite_put_targets(&body, 1, now + YEAR, NULL, 0));
  sign_file(making, &targets, &body, TARGETS);
  body = hf_buf_init(room, sizeof room);
  fail(making, hf_tufwrite_put_snapshot(&body, 1, now + 7 * DAY, 1, hf_buf_bytes(&targets)));
  sign_file(making, &snapshot, &body, SNAPSHOT);
  body = hf_buf_init(room, sizeof room);
  fail(making, hf_tufwrite_put_timestamp(&body, 1, now + DAY, 1, hf_buf_bytes(&snapshot)));
  sign_file(making, &timestamp, &body, TIMESTAMP);
  put_buf(making, "server/repo/metadata/1.targets.json", &targets, 0644);
  put_buf(making, "server/repo/metadata/1.snapshot.json", &snapshot, 0644);
  put_buf(making, "server/repo/metadata/timestamp.json", &timestamp, 0644);
}

/* ---- the operator ---- */

static void make_token(struct making *making)
{
  uint8_t secret[32];
  struct hf_buf text = hf_buf_init(making->to->token, sizeof making->to->token);
  fail(making, hf_random(secret, sizeof secret));
  hf_buf_put_text(&text, "hf_");
  hf_hex_put(&text, hf_bytes_init(secret, sizeof secret));
  fail(making, hf_buf_terminate(&text));
  hf_secret_wipe(secret, sizeof secret);
}

static void make_url(struct hf_founding *to)
{
  struct hf_address people;
  enum hf_err err = hf_address_parse(&people, hf_bytes_text(to->workspace.people));
  HF_ASSERT(err == HF_OK); /* whoever filled the workspace checked it */
  const char *host = people.host;
  const char *scheme = people.loopback ? "http" : "https";
  if (strcmp(host, "0.0.0.0") == 0) {
    host = "127.0.0.1";
  } else if (strcmp(host, "::") == 0) {
    host = "::1";
  }
  bool six = strchr(host, ':') != NULL;
  hf_format(to->url, sizeof to->url, "%s://%s%s%s:%u", scheme, six ? "[" : "", host, six ? "]" : "", people.port);
}

static void put_login(struct making *making)
{
  uint8_t room[1024];
  struct hf_buf json = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&json, "{\n  \"format\": 1,\n  \"url\": ");
  hf_json_put_text(&json, hf_bytes_text(making->to->url));
  hf_buf_put_text(&json, ",\n  \"token\": ");
  hf_json_put_text(&json, hf_bytes_text(making->to->token));
  hf_buf_put_text(&json, "\n}\n");
  put_buf(making, "operator/operator.json", &json, 0600);
  hf_secret_wipe(room, sizeof room);
}

static void put_bootstrap(struct making *making)
{
  static const char scopes[] = "[\"read\", \"operate\", \"release\", \"admin\"]";
  uint8_t room[4096];
  uint8_t password_room[256];
  uint8_t digest[HF_SHA256_LEN];
  struct hf_buf json = hf_buf_init(room, sizeof room);
  struct hf_buf password = hf_buf_init(password_room, sizeof password_room);
  if (making->err != HF_OK) {
    return;
  }
  fail(making, hf_password_put(&password, making->to->operator_password));
  hf_sha256(digest, hf_bytes_text(making->to->token));
  hf_buf_put_text(&json, "{\n  \"format\": 1,\n  \"operator\": {\"name\": ");
  hf_json_put_text(&json, hf_bytes_text(making->to->operator_name));
  hf_buf_put_text(&json, ", \"password\": ");
  hf_json_put_text(&json, hf_buf_bytes(&password));
  hf_buf_put_text(&json, ", \"scopes\": ");
  hf_buf_put_text(&json, scopes);
  hf_buf_put_text(&json, "},\n  \"token\": {\"name\": \"command line\", \"sha256\": ");
  hf_json_put_hex(&json, hf_bytes_init(digest, sizeof digest));
  hf_buf_put_text(&json, ", \"scopes\": ");
  hf_buf_put_text(&json, scopes);
  hf_buf_put_text(&json, ", \"expires\": ");
  hf_json_put_time(&json, making->to->now + YEAR);
  hf_buf_put_text(&json, "},\n  \"organisation\": ");
  hf_json_put_text(&json, hf_bytes_text(making->to->workspace.organisation));
  hf_buf_put_text(&json, "\n}\n");
  put_buf(making, "server/bootstrap.json", &json, 0600);
}

/* ---- the whole ---- */

static enum hf_err check_empty(const char *dir)
{
  DIR *folder = opendir(dir);
  enum hf_err err = HF_OK;
  if (folder == NULL) {
    hf_complain(dir, "name a folder, new or empty, that you may write to", "it is there, but no folder one can open");
    return HF_E_EXISTS;
  }
  for (struct dirent *entry = readdir(folder); entry != NULL && err == HF_OK; entry = readdir(folder)) {
    bool self = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    err = self ? HF_OK : HF_E_EXISTS;
  }
  closedir(folder);
  return err;
}

static bool is_workspace(const char *dir)
{
  char path[HF_PATH_MAX];
  struct stat info;
  return hf_path_join(path, dir, "holdfast.json") == HF_OK && stat(path, &info) == 0;
}

static void put_top(struct making *making)
{
  const char *dir = making->to->dir;
  struct stat info;
  if (lstat(dir, &info) != 0) {
    put_dir(making, "");
    return;
  }
  enum hf_err err = check_empty(dir);
  if (err == HF_E_EXISTS && is_workspace(dir)) {
    hf_complain(dir, "choose another folder; a workspace is never overwritten", "there is a workspace already");
  } else if (err == HF_E_EXISTS && S_ISDIR(info.st_mode)) {
    hf_complain(dir, "choose another folder, or empty it", "the folder is not empty");
  }
  fail(making, err);
}

static void put_folders(struct making *making)
{
  static const char *const folders[] = {"offline",
                                        "offline/factory",
                                        "operator",
                                        "server",
                                        "server/vault",
                                        "server/tls",
                                        "server/db",
                                        "server/repo",
                                        "server/repo/metadata",
                                        "server/repo/targets",
                                        "server/spool",
                                        "server/director"};
  for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
    put_dir(making, folders[i]);
  }
}

static void put_workspace_file(struct making *making)
{
  uint8_t room[HF_WORKSPACE_FILE_MAX];
  struct hf_buf file = hf_buf_init(room, sizeof room);
  fail(making, hf_workspace_encode(&file, &making->to->workspace));
  put_buf(making, "holdfast.json", &file, 0644);
}

enum hf_err hf_founding_make(struct hf_founding *founding)
{
  struct making making = {.to = founding};
  put_top(&making);
  put_folders(&making);
  make_keys(&making);
  put_keys(&making);
  put_image_public(&making);
  put_certificates(&making);
  put_roots(&making);
  put_metadata(&making);
  make_token(&making);
  make_url(founding);
  put_login(&making);
  put_bootstrap(&making);
  put_workspace_file(&making);
  if (making.err == HF_E_CRYPTO) {
    hf_complain(NULL, "check the installed OpenSSL (3.0 or later)", "the crypto library failed");
  }
  for (size_t i = 0; i < KEYS; i++) {
    hf_key_free(making.key[i]);
  }
  take_back(&making);
  return making.err;
}
