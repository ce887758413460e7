/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hf/base/time.h"
#include "hf/codec/json.h"
#include "hf/server/vault_time.h"
#include "hf/fleet/cafile.h"
#include "hf/server/vaultcert.h"
#include "hf/server/vaultcrl.h"
#include "hf/server/vaultlog.h"
#include "hf/wire/names.h"

#define DAY 86400
#define ROLE_COUNT HF_VAULT_ROLES /* from 1 */

struct hf_vault {
  struct hf_key *role[ROLE_COUNT];
  struct hf_key *next[ROLE_COUNT]; /* made ready for a rotation; NULL: none */
  struct hf_vaultca ca[HF_VAULT_CAS_MAX]; /* by number less one; those without certificate are not there */
  unsigned newest;                        /* number of the one that issues */
  struct hf_vaultlog log;
};

/* What each role may sign. */
static const struct role {
  const char *name;
  const char *file;
  const char *types[3];
} roles[ROLE_COUNT] = {
    [HF_VAULT_TIMESTAMP] = {"timestamp", "timestamp.pem", {"timestamp", NULL, NULL}},
    [HF_VAULT_SNAPSHOT] = {"snapshot", "snapshot.pem", {"snapshot", NULL, NULL}},
    [HF_VAULT_DIRECTOR] = {"director", "director.pem", {"timestamp", "snapshot", "targets"}},
    [HF_VAULT_TIME] = {"time", "time.pem", {NULL, NULL, NULL}}, /* never metadata: answer_time */
};

/* ---- opening ---- */

static enum hf_err complain(enum hf_err err, const char *path, const char *what)
{
  fprintf(stderr, "vault: %s: %s\n", path, what);
  return err;
}

static enum hf_err read_private(struct hf_buf *pem, const char *path)
{
  struct stat about;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) {
    return complain(errno == ENOENT ? HF_E_NOT_FOUND : HF_E_IO, path, strerror(errno));
  }
  enum hf_err err = HF_OK;
  if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
    err = complain(HF_E_IO, path, "not a file");
  } else if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    err =
        complain(HF_E_DENIED, path, "other users may open this key; chmod 600 it, and make a new one if they may have");
  } else {
    ssize_t got = read(file, pem->at, pem->cap);
    pem->len = got > 0 ? (size_t)got : 0;
    err = pem->len == 0 || pem->len == pem->cap ? complain(HF_E_INPUT, path, "not a key file of ours") : HF_OK;
  }
  (void)close(file);
  return err;
}

static enum hf_err load_key(struct hf_key **key, const char *dir, const char *name)
{
  char path[PATH_MAX];
  uint8_t room[HF_KEY_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  struct hf_pubkey pub;
  if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path) {
    return HF_E_SPACE;
  }
  enum hf_err err = read_private(&pem, path);
  if (err == HF_OK) {
    struct hf_why why = {.rule = HF_RULE_NONE};
    err = hf_key_open(key, hf_buf_bytes(&pem), (struct hf_bytes){NULL, 0}, &why);
    if (err == HF_OK) {
      err = hf_key_public(&pub, *key);
    }
    if (why.rule != HF_RULE_NONE) {
      const struct hf_rule_words *words = hf_rule_words(why.rule);
      fprintf(stderr, "vault: %s: %s\n  to do: %s\n", path, words->what, words->todo);
    } else if (err != HF_OK || pub.type != HF_KEY_P256) {
      err = complain(HF_E_INPUT, path, "not an unencrypted P-256 key in PEM, nor a pkcs11: line");
    }
  }
  hf_secret_wipe(room, sizeof room);
  return err;
}

/* The key that a coming root lists, made by `holdfast root online-key`. Most of the time there is none. */
static enum hf_err load_next(struct hf_key **key, const char *dir, const char *role)
{
  char name[32];
  char path[PATH_MAX];
  (void)snprintf(name, sizeof name, "%s.next.pem", role);
  if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path) {
    return HF_E_SPACE;
  }
  return access(path, F_OK) == 0 ? load_key(key, dir, name) : HF_OK;
}

/* One device CA: its certificate, which says that it is there, and the key that must be its. */
static enum hf_err load_ca(struct hf_vaultca *ca, const char *dir, unsigned number)
{
  char name[32];
  char path[PATH_MAX];
  enum hf_err err = hf_cafile_name(name, sizeof name, "device-ca", number, ".crt");
  if (err != HF_OK || snprintf(path, sizeof path, "%s/../tls/%s", dir, name) >= (int)sizeof path) {
    return HF_E_SPACE;
  }
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    return errno == ENOENT || errno == EACCES ? HF_E_NOT_FOUND : complain(HF_E_IO, path, strerror(errno));
  }
  ca->certificate = PEM_read_X509(file, NULL, NULL, NULL);
  (void)fclose(file);
  if (ca->certificate == NULL) {
    return complain(HF_E_INPUT, path, "not a certificate in PEM");
  }
  err = hf_cafile_name(name, sizeof name, "device-ca", number, ".pem");
  err = err == HF_OK ? load_key(&ca->key, dir, name) : err;
  if (err == HF_OK && X509_check_private_key(ca->certificate, hf_key_native(ca->key)) != 1) {
    err = complain(HF_E_DENIED, path,
                   "not the certificate of the key of this name in vault/; restore both from one backup");
  }
  return err == HF_E_NOT_FOUND ? HF_E_DENIED : err; /* a certificate without its key is no CA that may be left out */
}

/* All that have not been retired; the highest number issues. */
static enum hf_err load_cas(struct hf_vault *vault, const char *dir)
{
  for (unsigned number = 1; number <= HF_VAULT_CAS_MAX; number++) {
    enum hf_err err = load_ca(&vault->ca[number - 1], dir, number);
    if (err != HF_OK && err != HF_E_NOT_FOUND) {
      return err;
    }
    vault->newest = err == HF_OK ? number : vault->newest;
  }
  return vault->newest != 0 ? HF_OK : complain(HF_E_NOT_FOUND, dir, "no device CA: ../tls/device-ca.crt is missing");
}

static enum hf_err open_log(struct hf_vault *vault, const char *dir)
{
  char path[PATH_MAX];
  if (snprintf(path, sizeof path, "%s/vault.log", dir) >= (int)sizeof path) {
    return HF_E_SPACE;
  }
  enum hf_err err = hf_vaultlog_open(&vault->log, path, (int64_t)time(NULL));
  if (err != HF_OK) {
    return complain(err, path,
                    err == HF_E_INPUT
                        ? "the end of the log is not what the vault wrote; holdfast audit verify shows where"
                        : strerror(errno));
  }
  struct hf_vaultline line = {
      .time = (int64_t)time(NULL), .what = HF_LIT("start"), .role = HF_LIT("vault"), .subject = HF_LIT(HF_VERSION)};
  return hf_vaultlog_put(&vault->log, &line);
}

enum hf_err hf_vault_open(struct hf_vault **vault, const char *dir)
{
  struct hf_vault *made = calloc(1, sizeof *made);
  if (made == NULL) {
    return HF_E_SPACE;
  }
  made->log.file = -1;
  enum hf_err err = HF_OK;
  for (size_t i = 1; err == HF_OK && i < ROLE_COUNT; i++) {
    if (i == HF_VAULT_TIME && !hf_vault_time_has(dir, roles[i].file)) {
      continue; /* a workspace from before there was signed time */
    }
    err = load_key(&made->role[i], dir, roles[i].file);
    err = err == HF_OK ? load_next(&made->next[i], dir, roles[i].name) : err;
  }
  err = err == HF_OK ? load_cas(made, dir) : err;
  err = err == HF_OK ? open_log(made, dir) : err;
  if (err != HF_OK) {
    hf_vault_close(made);
    return err;
  }
  *vault = made;
  return HF_OK;
}

void hf_vault_close(struct hf_vault *vault)
{
  if (vault == NULL) {
    return;
  }
  for (size_t i = 0; i < ROLE_COUNT; i++) {
    hf_key_free(vault->role[i]);
    hf_key_free(vault->next[i]);
  }
  for (size_t i = 0; i < HF_VAULT_CAS_MAX; i++) {
    hf_key_free(vault->ca[i].key);
    X509_free(vault->ca[i].certificate);
  }
  hf_vaultlog_close(&vault->log);
  free(vault);
}

bool hf_vault_check(const struct hf_vault *vault)
{
  for (size_t i = 1; i <= ROLE_COUNT; i++) {
    const struct hf_key *key = i == ROLE_COUNT ? vault->ca[vault->newest - 1].key : vault->role[i];
    uint16_t rule = key == NULL ? (uint16_t)HF_RULE_NONE : hf_key_rule(key);
    if (rule != HF_RULE_NONE) {
      fprintf(stderr, "vault: %s: %s\n  to do: %s\n", i == ROLE_COUNT ? "device-ca.pem" : roles[i].file,
              hf_rule_words(rule)->what, hf_rule_words(rule)->todo);
      return false;
    }
  }
  return true;
}

enum hf_err hf_vault_sync(struct hf_vault *vault) { return hf_vaultlog_sync(&vault->log); }

/* ---- requests ---- */

/* Is it metadata this role may sign, for this subject, for a sensible time? The reason why not is for the log. */
static const char *judge(char type[16], enum hf_vault_role role, struct hf_bytes canonical, struct hf_bytes subject)
{
  struct hf_json root;
  struct hf_json value;
  int64_t number = 0;
  int64_t expires = 0;
  int64_t now = (int64_t)time(NULL);
  if (hf_json_parse(&root, canonical, NULL) != HF_OK || hf_json_get(&value, root, "_type") != HF_OK) {
    return "not metadata";
  }
  const char *found = NULL;
  for (size_t i = 0; i < 3 && roles[role].types[i] != NULL; i++) {
    found = hf_json_is(value, roles[role].types[i]) ? roles[role].types[i] : found;
  }
  if (found == NULL) {
    return "type is not of this role";
  }
  (void)snprintf(type, 16, "%s", found);
  if (hf_json_get(&value, root, "version") != HF_OK || hf_json_get_int(&number, value) != HF_OK || number < 1) {
    return "no version";
  }
  uint8_t text[HF_TIME_TEXT_LEN + 1];
  struct hf_buf time_text = hf_buf_init(text, sizeof text);
  if (hf_json_get(&value, root, "expires") != HF_OK || hf_json_get_text(&time_text, value) != HF_OK ||
      hf_time_parse(&expires, hf_buf_bytes(&time_text)) != HF_OK) {
    return "no expiry";
  }
  if (expires <= now || expires > now + (int64_t)HF_VAULT_METADATA_DAYS_MAX * DAY) {
    return "expires in the past or too far ahead";
  }
  if (role != HF_VAULT_DIRECTOR) {
    return hf_bytes_is(subject, "repo") ? NULL : "subject is not repo";
  }
  if (!hf_names_check_device(subject)) {
    return "subject is not a device";
  }
  if (strcmp(found, "targets") == 0 &&
      (hf_json_get(&value, root, "custom") != HF_OK || hf_json_get(&value, value, "holdfast") != HF_OK ||
       hf_json_get(&value, value, "device") != HF_OK || !hf_json_is_bytes(value, subject))) {
    return "targets are not bound to the subject";
  }
  return NULL;
}

/* Log a refusal. When even that fails there is nothing left to protect: nothing was signed. */
static enum hf_err refuse(struct hf_vault *vault, const char *role, const char *reason, struct hf_bytes asked)
{
  struct hf_vaultline line = {.time = (int64_t)time(NULL),
                              .what = HF_LIT("refused"),
                              .role = hf_bytes_text(role),
                              .subject = hf_bytes_text(reason)};
  hf_sha256(line.sha256, asked);
  (void)(hf_vaultlog_put(&vault->log, &line) == HF_OK);
  return HF_E_DENIED;
}

static enum hf_err answer_sign(struct hf_vault *vault, struct hf_buf *room, const struct hf_msg *request)
{
  char type[16] = "";
  uint32_t role = request->sign.role & ~(uint32_t)HF_VAULT_NEXT;
  bool next = (request->sign.role & HF_VAULT_NEXT) != 0;
  if (role < 1 || role >= ROLE_COUNT || vault->role[role] == NULL) {
    return refuse(vault, "vault", "no such role", request->sign.canonical);
  }
  struct hf_key *key = next ? vault->next[role] : vault->role[role];
  if (key == NULL) {
    return refuse(vault, roles[role].name, "no next key", request->sign.canonical);
  }
  const char *reason = judge(type, (enum hf_vault_role)role, request->sign.canonical, request->sign.subject);
  if (reason != NULL) {
    return refuse(vault, roles[role].name, reason, request->sign.canonical);
  }
  struct hf_vaultline line = {.time = (int64_t)time(NULL),
                              .what = hf_bytes_text(type),
                              .role = hf_bytes_text(roles[role].name),
                              .subject = request->sign.subject};
  hf_sha256(line.sha256, request->sign.canonical);
  enum hf_err err = hf_vaultlog_put(&vault->log, &line);
  return err == HF_OK ? hf_key_sign(room, key, request->sign.canonical) : err;
}

static enum hf_err answer_issue(struct hf_vault *vault, struct hf_buf *room, const struct hf_msg *request)
{
  struct hf_vault_issue issue = {.device = request->issue.device,
                                 .key = {.type = HF_KEY_P256},
                                 .not_before = request->issue.not_before,
                                 .not_after = request->issue.not_after,
                                 .crl_url = request->issue.crl_url};
  struct hf_bytes point = request->issue.key;
  if (!hf_names_check_device(issue.device) || point.len != HF_P256_PUBLIC_LEN) {
    return refuse(vault, "device-ca", "no device id or no key", point);
  }
  memcpy(issue.key.at, point.at, point.len);
  issue.key.len = HF_P256_PUBLIC_LEN;
  if (issue.not_after < issue.not_before || issue.not_before < 0 ||
      issue.not_after - issue.not_before > (int64_t)HF_VAULT_ISSUE_DAYS_MAX * DAY) {
    return refuse(vault, "device-ca", "lifetime too long", point);
  }
  if (request->issue.ca != 0 && request->issue.ca != vault->newest) {
    return refuse(vault, "device-ca", "not the newest CA", point);
  }
  struct hf_vaultcert_ca ca = {vault->ca[vault->newest - 1].certificate, vault->ca[vault->newest - 1].key};
  enum hf_err err = hf_vaultcert_issue(room, &ca, &issue);
  if (err != HF_OK) {
    (void)refuse(vault, "device-ca", "certificate not made", point);
    return err;
  }
  struct hf_vaultline line = {
      .time = (int64_t)time(NULL), .what = HF_LIT("certificate"), .role = HF_LIT("device-ca"), .subject = issue.device};
  hf_sha256(line.sha256, hf_buf_bytes(room));
  return hf_vaultlog_put(&vault->log, &line); /* the caller drops the certificate when this failed */
}

static enum hf_err answer_public(struct hf_vault *vault, struct hf_buf *room, uint32_t asked)
{
  struct hf_pubkey key;
  uint32_t role = asked & ~(uint32_t)HF_VAULT_NEXT;
  bool next = (asked & HF_VAULT_NEXT) != 0;
  if (role < 1 || role >= ROLE_COUNT || vault->role[role] == NULL || (next && vault->next[role] == NULL)) {
    return HF_E_NOT_FOUND;
  }
  enum hf_err err = hf_key_public(&key, next ? vault->next[role] : vault->role[role]);
  if (err == HF_OK) {
    hf_buf_put(room, hf_bytes_init(key.at, key.len));
  }
  return err;
}

static enum hf_err answer_crl(struct hf_vault *vault, struct hf_buf *room, const struct hf_msg *request)
{
  uint32_t number = request->crl.ca;
  struct hf_vaultcrl made = {.sha256 = {0}};
  if (number < 1 || number > HF_VAULT_CAS_MAX || vault->ca[number - 1].certificate == NULL) {
    return HF_E_NOT_FOUND;
  }
  const char *reason = hf_vaultcrl_sign(room, &made, &vault->ca[number - 1], request, (int64_t)time(NULL));
  if (reason != NULL) {
    return refuse(vault, "device-ca", reason, request->crl.entries);
  }
  struct hf_vaultline line = {.time = (int64_t)time(NULL),
                              .what = HF_LIT("crl"),
                              .role = HF_LIT("device-ca"),
                              .subject = hf_bytes_text(made.subject)};
  memcpy(line.sha256, made.sha256, sizeof line.sha256);
  return hf_vaultlog_put(&vault->log, &line); /* the caller drops the signature when this failed */
}

static enum hf_err answer_ca(const struct hf_vault *vault, struct hf_msg *answer, struct hf_buf *room, uint64_t number)
{
  if (number < 1 || number > HF_VAULT_CAS_MAX || vault->ca[number - 1].certificate == NULL) {
    return HF_E_NOT_FOUND;
  }
  return hf_vaultcrl_describe(room, &answer->answer.number, &vault->ca[number - 1]);
}

void hf_vault_answer(struct hf_vault *vault, struct hf_msg *answer, const struct hf_msg *request, struct hf_buf *room)
{
  *answer = (struct hf_msg){.type = HF_MSG_VAULT_REPLY, .id = request->id};
  room->len = 0;
  enum hf_err err;
  switch (request->type) {
    case HF_MSG_VAULT_SIGN: err = answer_sign(vault, room, request); break;
    case HF_MSG_VAULT_TIME: {
      int64_t now = (int64_t)time(NULL);
      answer->answer.number = (uint64_t)now;
      err = hf_vault_time_sign(room, vault->role[HF_VAULT_TIME], now, request->sign.canonical);
      break;
    }
    case HF_MSG_VAULT_ISSUE: err = answer_issue(vault, room, request); break;
    case HF_MSG_VAULT_PUBLIC: err = answer_public(vault, room, request->sign.role); break;
    case HF_MSG_VAULT_CRL: err = answer_crl(vault, room, request); break;
    case HF_MSG_VAULT_CA: err = answer_ca(vault, answer, room, request->change.number); break;
    case HF_MSG_VAULT_HEAD:
      answer->answer.number = vault->log.last.number;
      hf_buf_put(room, hf_bytes_init(vault->log.last.hash, HF_SHA256_LEN));
      err = HF_OK;
      break;
    default: err = HF_E_INPUT; break;
  }
  if (err == HF_OK && room->failed) {
    err = HF_E_SPACE;
  }
  answer->answer.err = (uint32_t)err;
  answer->answer.body = err == HF_OK ? hf_buf_bytes(room) : (struct hf_bytes){NULL, 0};
}
