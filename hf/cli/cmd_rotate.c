/* SPDX-License-Identifier: Apache-2.0
 * holdfast root rotate, threshold, renew, online-key: the next root as a draft. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hf/base/assert.h"
#include "hf/cli/command.h"
#include "hf/cli/draft.h"
#include "hf/cli/output.h"
#include "hf/cli/place.h"
#include "hf/cli/term.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/tufwrite.h"

#define DAY INT64_C(86400)
#define ROOT_LIFE_S (3650 * DAY)
#define TARGETS_LIFE_S (365 * DAY)
/** Shortest beginning of a fingerprint that names a key. */
#define FINGERPRINT_MIN 8
#define BODY_MAX (64u << 10)

/** The root being changed. */
struct plan {
  bool director;
  struct hf_pubkey key[HF_TUF_KEYS_MAX];
  size_t key_count;
  struct hf_tuf_signers role[HF_TUF_ROLES];
};

/* Roles a word stands for, as bits; 0 after a message. The director has one key for all its online roles. */
static unsigned roles_of(const struct plan *plan, struct hf_bytes word)
{
  if (plan->director && hf_bytes_is(word, "online")) {
    return 1u << HF_TUF_TIMESTAMP | 1u << HF_TUF_SNAPSHOT | 1u << HF_TUF_TARGETS;
  }
  for (unsigned i = 0; i < HF_TUF_ROLES; i++) {
    if (hf_bytes_is(word, hf_tuf_role_name((enum hf_tuf_role)i)) && (!plan->director || i == HF_TUF_ROOT)) {
      return 1u << i;
    }
  }
  hf_complain(hf_say("%.*s", (int)word.len, (const char *)word.at),
              plan->director ? "the director has root and online" : "root, targets, snapshot or timestamp",
              "not a role of this root");
  return 0;
}

/* Split ROLE=REST. 0 after a message. */
static unsigned split(const struct plan *plan, const char *text, const char **rest)
{
  const char *equals = strchr(text, '=');
  if (equals == NULL || equals[1] == 0) {
    hf_complain(text, "write ROLE=VALUE", "not of the form ROLE=VALUE");
    return 0;
  }
  *rest = equals + 1;
  return roles_of(plan, hf_bytes_init(text, (size_t)(equals - text)));
}

static enum hf_err key_add(struct plan *plan, unsigned roles, const struct hf_pubkey *pub)
{
  size_t i = 0;
  while (i < plan->key_count && !hf_pubkey_equal(&plan->key[i], pub)) {
    i++;
  }
  if (i == HF_TUF_KEYS_MAX) {
    hf_complain(NULL, "revoke keys that are no longer used", "a root holds at most %d keys", HF_TUF_KEYS_MAX);
    return HF_E_SPACE;
  }
  plan->key[i] = *pub;
  plan->key_count = i == plan->key_count ? i + 1 : plan->key_count;
  for (unsigned role = 0; role < HF_TUF_ROLES; role++) {
    plan->role[role].keys = (uint16_t)(plan->role[role].keys | ((roles >> role & 1u) << i));
  }
  return HF_OK;
}

static enum hf_err take_add(struct plan *plan, const char *text)
{
  const char *path;
  struct hf_pubkey pub;
  unsigned roles = split(plan, text, &path);
  enum hf_err err = roles == 0 ? HF_E_INPUT : hf_draft_pubkey(&pub, path);
  return err == HF_OK ? key_add(plan, roles, &pub) : err;
}

static bool fingerprint_is(const struct hf_pubkey *pub, const char *text)
{
  uint8_t hash[HF_SHA256_LEN];
  hf_pubkey_hash(hash, pub);
  return strncmp(hf_say_hex(hf_bytes_init(hash, sizeof hash)), text, strlen(text)) == 0;
}

/* By fingerprint, or the beginning of one that fits a single key. */
static enum hf_err take_revoke(struct plan *plan, const char *text)
{
  const char *name;
  size_t found = 0;
  size_t which = 0;
  unsigned roles = split(plan, text, &name);
  if (roles == 0) {
    return HF_E_INPUT;
  }
  for (size_t i = 0; i < plan->key_count && strlen(name) >= FINGERPRINT_MIN; i++) {
    bool there = false;
    for (unsigned role = 0; role < HF_TUF_ROLES; role++) {
      there = there || ((roles >> role & 1u) != 0 && (plan->role[role].keys >> i & 1) != 0);
    }
    if (there && fingerprint_is(&plan->key[i], name)) {
      found++;
      which = i;
    }
  }
  if (found != 1) {
    hf_complain(text, "give the first 8 or more digits of the key's SHA-256, as `holdfast root show` prints it",
                found == 0 ? "the role has no such key" : "more than one key begins so");
    return HF_E_NOT_FOUND;
  }
  for (unsigned role = 0; role < HF_TUF_ROLES; role++) {
    plan->role[role].keys = (uint16_t)(plan->role[role].keys & ~((roles >> role & 1u) << which));
  }
  return HF_OK;
}

/* The public half of the next key that `root online-key` made on the server, in place of all keys of the role. */
static enum hf_err take_online(struct plan *plan, const char *text)
{
  const char *path;
  struct hf_pubkey pub;
  unsigned roles = split(plan, text, &path);
  if (roles == 0 || (!plan->director && (roles & (1u << HF_TUF_TIMESTAMP | 1u << HF_TUF_SNAPSHOT)) == 0) ||
      (plan->director && roles == 1u << HF_TUF_ROOT)) {
    if (roles != 0) {
      hf_complain(text, "use --add and --revoke for root and targets", "not an online role");
    }
    return HF_E_INPUT;
  }
  enum hf_err err = hf_draft_pubkey(&pub, path);
  for (unsigned role = 0; role < HF_TUF_ROLES; role++) {
    if ((roles >> role & 1u) != 0) {
      plan->role[role] = (struct hf_tuf_signers){.keys = 0, .threshold = 1};
    }
  }
  return err == HF_OK ? key_add(plan, roles, &pub) : err;
}

static enum hf_err threshold_set(struct plan *plan, unsigned roles, const char *number)
{
  char *end;
  unsigned long value = strtoul(number, &end, 10);
  if (*end != 0 || value < 1 || value > HF_TUF_KEYS_MAX) {
    hf_complain(number, "a number from 1 to the role's keys", "not a threshold");
    return HF_E_INPUT;
  }
  for (unsigned role = 0; role < HF_TUF_ROLES; role++) {
    if ((roles >> role & 1u) != 0) {
      plan->role[role].threshold = (uint16_t)value;
    }
  }
  return HF_OK;
}

static enum hf_err take_threshold(struct plan *plan, const char *text)
{
  const char *number;
  unsigned roles = split(plan, text, &number);
  return roles == 0 ? HF_E_INPUT : threshold_set(plan, roles, number);
}

static enum hf_err each(struct plan *plan, const struct hf_call *call, const char *option,
                        enum hf_err (*take)(struct plan *plan, const char *text))
{
  size_t at = 0;
  enum hf_err err = HF_OK;
  for (const char *text = hf_args_next(call, option, &at); text != NULL && err == HF_OK;
       text = hf_args_next(call, option, &at)) {
    err = take(plan, text);
  }
  return err;
}

static void plan_init(struct plan *plan, const struct hf_tuf_root *root, bool director)
{
  *plan = (struct plan){.director = director, .key_count = root->key_count};
  for (size_t i = 0; i < root->key_count; i++) {
    plan->key[i] = root->key[i].pub;
  }
  memcpy(plan->role, root->role, sizeof plan->role);
}

/* Keys that no role has any more are left out. */
static void plan_trim(struct plan *plan)
{
  size_t kept = 0;
  struct hf_tuf_signers role[HF_TUF_ROLES];
  memcpy(role, plan->role, sizeof role);
  for (size_t r = 0; r < HF_TUF_ROLES; r++) {
    role[r].keys = 0;
  }
  for (size_t i = 0; i < plan->key_count; i++) {
    bool used = false;
    for (size_t r = 0; r < HF_TUF_ROLES; r++) {
      bool has = (plan->role[r].keys >> i & 1) != 0;
      role[r].keys = (uint16_t)(role[r].keys | (has ? 1u << kept : 0));
      used = used || has;
    }
    if (used) {
      plan->key[kept++] = plan->key[i];
    }
  }
  plan->key_count = kept;
  memcpy(plan->role, role, sizeof role);
}

/* ---- the draft ---- */

static enum hf_err put_root(struct hf_draft *draft, const struct plan *plan, int64_t expires)
{
  uint8_t room[BODY_MAX];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  struct hf_blob text = {NULL, 0};
  const json_t *roots = json_object_get(draft->ceremony.json, "roots");
  struct hf_tufwrite_root root = {.version = (uint32_t)json_array_size(roots) + 1,
                                  .expires = expires,
                                  .consistent_snapshot = true,
                                  .keys = plan->key,
                                  .key_count = plan->key_count};
  memcpy(root.role, plan->role, sizeof root.role);
  enum hf_err err = hf_tufwrite_put_root(&body, &root);
  if (err == HF_OK) {
    err = hf_publish_unsigned(&text, hf_buf_bytes(&body));
  }
  if (err == HF_OK) {
    hf_ceremony_put(&draft->ceremony, "root", (struct hf_bytes){NULL, 0}, hf_blob_bytes(&text));
  } else {
    hf_complain(NULL, "every role needs at least as many keys as its threshold: add keys, or lower it",
                "such a root could never be satisfied");
  }
  hf_blob_free(&text);
  return err;
}

/* Do the signatures on the present targets.json still suffice under the new root? If not, its holders sign it anew. */
static bool targets_suffice(const struct hf_draft *draft, const struct plan *plan)
{
  struct hf_tuf_root root = {.key_count = (uint8_t)plan->key_count};
  memcpy(root.role, plan->role, sizeof root.role);
  for (size_t i = 0; i < plan->key_count; i++) {
    uint8_t id[HF_SHA256_LEN];
    hf_pubkey_tuf_id(id, &plan->key[i]);
    root.key[i].pub = plan->key[i];
    memcpy(root.key[i].id, id, sizeof root.key[i].id);
  }
  return hf_tuf_verify(&draft->publish.file, &root, &draft->publish.limits, NULL) == HF_ALLOW;
}

static int finish(struct hf_draft *draft, struct plan *plan, const struct hf_call *call)
{
  uint64_t life;
  enum hf_err err = hf_args_duration(call, "expires", &life, ROOT_LIFE_S);
  plan_trim(plan);
  if (err == HF_OK) {
    err = put_root(draft, plan, draft->now + (int64_t)life);
  }
  if (err == HF_OK && !plan->director && !targets_suffice(draft, plan)) {
    const struct hf_tufwrite_edit edit = {.version = draft->publish.file.version + 1,
                                          .expires = draft->now + TARGETS_LIFE_S};
    err = hf_draft_put_targets(draft, "targets", &draft->publish.file, &edit, NULL);
  }
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  size_t version = json_array_size(json_object_get(draft->ceremony.json, "roots")) + 1;
  return hf_draft_finish(draft, call, hf_say("%sroot-%zu.ceremony", plan->director ? "director-" : "", version));
}

/* The present root, from the end of the chain. */
static enum hf_err present_get(struct plan *plan, struct hf_draft *draft, bool director)
{
  const json_t *roots = json_object_get(draft->ceremony.json, "roots");
  const json_t *last = json_array_get(roots, json_array_size(roots) - 1);
  struct hf_tuf_file file;
  struct hf_tuf_root root;
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct hf_bytes text = hf_bytes_init(json_string_value(last), json_string_length(last));
  const struct hf_tuf_limits *limits = &draft->ceremony.limits;
  if (hf_tuf_parse(&file, text, HF_TUF_ROOT, limits, &why) != HF_OK ||
      hf_tuf_root_parse(&root, &file, limits, &why) != HF_OK) {
    hf_complain_why("the present root", &why);
    return HF_E_INPUT;
  }
  plan_init(plan, &root, director);
  return HF_OK;
}

int hf_cmd_root_rotate(const struct hf_call *call)
{
  struct hf_draft *draft = calloc(1, sizeof *draft);
  struct plan plan;
  bool director = hf_args_has(call, "director");
  HF_ASSERT(draft != NULL);
  int code = hf_draft_open(draft, call, director ? "director" : "image");
  if (code == HF_EXIT_DONE) {
    enum hf_err err = present_get(&plan, draft, director);
    err = err == HF_OK ? each(&plan, call, "online", take_online) : err;
    err = err == HF_OK ? each(&plan, call, "add", take_add) : err;
    err = err == HF_OK ? each(&plan, call, "revoke", take_revoke) : err;
    err = err == HF_OK ? each(&plan, call, "threshold", take_threshold) : err;
    code = err == HF_OK ? finish(draft, &plan, call) : hf_exit_of(err);
  }
  hf_draft_close(draft);
  free(draft);
  return code;
}

/* As it is, with a new version and expiry; or with another threshold of one role. */
static int change(const struct hf_call *call, const char *role, const char *threshold)
{
  struct hf_draft *draft = calloc(1, sizeof *draft);
  struct plan plan;
  bool director = hf_args_has(call, "director");
  HF_ASSERT(draft != NULL);
  int code = hf_draft_open(draft, call, director ? "director" : "image");
  if (code == HF_EXIT_DONE) {
    enum hf_err err = present_get(&plan, draft, director);
    if (err == HF_OK && role != NULL) {
      unsigned roles = roles_of(&plan, hf_bytes_text(role));
      err = roles == 0 ? HF_E_INPUT : threshold_set(&plan, roles, threshold);
    }
    code = err == HF_OK ? finish(draft, &plan, call) : hf_exit_of(err);
  }
  hf_draft_close(draft);
  free(draft);
  return code;
}

int hf_cmd_root_renew(const struct hf_call *call) { return change(call, NULL, NULL); }

int hf_cmd_root_threshold(const struct hf_call *call) { return change(call, call->operands[0], call->operands[1]); }

/* ---- online-key ---- */

static enum hf_err pubkey_read(struct hf_pubkey *pub, const char *path)
{
  struct hf_key *key = NULL;
  struct hf_passphrase_source source = {.prompt = "Passphrase"};
  enum hf_err err = hf_key_file_open(&key, path, &source);
  if (err == HF_OK) {
    err = hf_key_public(pub, key);
  }
  hf_key_free(key);
  return err;
}

/* Does the newest root that this server serves list the key? */
static bool is_in_use(const char *dir, const char *role, const struct hf_pubkey *pub)
{
  bool director = strcmp(role, "director") == 0;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  bool listed = false;
  bool more = true;
  for (int version = 1; more && version <= HF_CEREMONY_ROOTS_MAX; version++) {
    struct hf_blob text;
    struct hf_tuf_file file;
    struct hf_tuf_root root;
    const char *path = hf_say("%s/server/%s/%d.root.json", dir, director ? "director" : "repo/metadata", version);
    more = hf_disk_get(&text, path, limits.file_max[HF_TUF_ROOT]) == HF_OK;
    if (!more) {
      break;
    }
    listed = false;
    if (hf_tuf_parse(&file, hf_blob_bytes(&text), HF_TUF_ROOT, &limits, NULL) == HF_OK &&
        hf_tuf_root_parse(&root, &file, &limits, NULL) == HF_OK) {
      for (size_t i = 0; i < root.key_count; i++) {
        listed = listed || hf_pubkey_equal(&root.key[i].pub, pub);
      }
    }
    hf_blob_free(&text);
  }
  return listed;
}

/* A next key that a root lists already becomes the key; its forerunner is gone for good. One that none lists yet is
 * kept: two rotations at once would cost the first its key. */
static enum hf_err promote(const char *dir, const char *role, const char *next, const char *present)
{
  struct hf_pubkey pub;
  struct stat info;
  if (stat(next, &info) != 0) {
    return HF_OK;
  }
  enum hf_err err = pubkey_read(&pub, next);
  if (err != HF_OK) {
    return err;
  }
  if (!is_in_use(dir, role, &pub)) {
    hf_complain(next, "publish the root that lists it, or remove the file when that was given up",
                "a next key lies ready already");
    return HF_E_EXISTS;
  }
  if (rename(next, present) != 0) {
    hf_disk_complain(HF_E_IO, "write", present);
    return HF_E_IO;
  }
  return HF_OK;
}

static enum hf_err key_make(const char *next, const char *out)
{
  uint8_t room[HF_KEY_PEM_MAX];
  uint8_t public_room[HF_PUBKEY_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  struct hf_buf public_pem = hf_buf_init(public_room, sizeof public_room);
  struct hf_key *key = NULL;
  struct hf_pubkey pub;
  enum hf_err err = hf_key_new(&key, HF_KEY_P256);
  if (err == HF_OK) {
    err = hf_key_encode(&pem, key, (struct hf_bytes){NULL, 0});
  }
  if (err == HF_OK) {
    err = hf_key_public(&pub, key);
  }
  if (err == HF_OK) {
    hf_pubkey_put_pem(&public_pem, &pub);
    err = hf_disk_put_new(next, hf_buf_bytes(&pem), 0600);
  }
  if (err == HF_OK) {
    err = hf_disk_put(out, hf_buf_bytes(&public_pem), 0644);
  }
  hf_key_free(key);
  hf_secret_wipe(room, sizeof room);
  if (err != HF_OK) {
    hf_disk_complain(err, "write", out);
  }
  return err;
}

int hf_cmd_root_online_key(const struct hf_call *call)
{
  char dir[HF_PATH_MAX];
  char next[HF_PATH_MAX];
  char present[HF_PATH_MAX];
  char out[HF_PATH_MAX];
  const char *role = call->operands[0];
  bool director = strcmp(role, "director") == 0;
  if (!director && strcmp(role, "timestamp") != 0 && strcmp(role, "snapshot") != 0) {
    hf_complain(role, "timestamp, snapshot or director", "not a role whose key the server holds");
    return HF_EXIT_USAGE;
  }
  enum hf_err err = hf_place_workspace(dir, call, false);
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  hf_format(next, sizeof next, "%s", hf_say("%s/server/vault/%s.next.pem", dir, role));
  hf_format(present, sizeof present, "%s", hf_say("%s/server/vault/%s.pem", dir, role));
  hf_format(out, sizeof out, "%s", hf_args_get_or(call, "out", hf_say("%s.next.pub", role)));
  err = promote(dir, role, next, present);
  if (err == HF_OK) {
    err = key_make(next, out);
  }
  if (err == HF_OK) {
    printf("The next %s key lies in %s, its public half in %s.\n"
           "Restart the server, so that its vault loads it; then\n"
           "  holdfast root rotate%s --online %s=%s\n"
           "From the publication of that root on, the server signs with it.\n",
           role, next, out, director ? " --director" : "", director ? "online" : role, out);
  }
  return hf_exit_of(err);
}
