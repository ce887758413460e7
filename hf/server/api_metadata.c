/* SPDX-License-Identifier: Apache-2.0
 * REST: roots and targets files that people signed, and what expires when. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/codec/json.h"
#include "hf/server/auditlog.h"
#include "hf/server/call.h"
#include "hf/server/expiry.h"
#include "hf/server/repo.h"
#include "hf/server/roots.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/tufrole.h"

static enum hf_roots_repository repository_of(struct hf_bytes name)
{
  return hf_bytes_is(name, "director") ? HF_ROOTS_DIRECTOR : HF_ROOTS_IMAGE;
}

/* Nearly every way publishing fails breaks a rule, whose words tell it. */
static void refuse(struct hf_call *call, enum hf_err err, const struct hf_why *why, const char *what)
{
  struct hf_problem_words words = {.rule = why->rule};
  enum hf_problem kind = hf_problem_of(err);
  if (why->rule != HF_RULE_NONE) {
    kind = err == HF_E_INPUT || err == HF_E_NOT_FOUND ? HF_PROBLEM_REFUSED : kind;
    kind = why->rule == HF_RULE_RELEASE_STALE ? HF_PROBLEM_CONFLICT : kind;
  } else if (err == HF_E_DENIED) {
    kind = HF_PROBLEM_FAILED;
    words.what = "the vault did not sign the new snapshot and timestamp";
    words.todo = "see what the vault wrote on standard error; check the server's clock";
  } else {
    words.what = what;
  }
  hf_problem_put(call->reply, kind, &words);
}

/* ---- roots ---- */

static enum hf_err put_root(struct hf_call *call, enum hf_roots_repository repository, int64_t version)
{
  struct hf_bytes text;
  int64_t newest;
  enum hf_err err = hf_roots_version(&newest, call->db, repository);
  if (err == HF_OK && version > newest) {
    err = HF_E_NOT_FOUND;
  }
  if (err == HF_OK) {
    err = hf_roots_load(&text, call->engine, repository, version);
  }
  if (err != HF_OK) {
    return err;
  }
  hf_buf_put_text(call->out, "{");
  hf_reply_put_text(call->out, "repository", hf_bytes_text(hf_roots_name(repository)));
  hf_reply_put_int(call->out, "version", version);
  hf_reply_put_int(call->out, "newest", newest);
  hf_reply_put_text(call->out, "root", text);
  hf_buf_put_text(call->out, "}");
  free((uint8_t *)(uintptr_t)text.at);
  return HF_OK;
}

void hf_api_root_get(struct hf_call *call)
{
  int64_t version = call->args[HF_PARAM_PATH_number].number;
  enum hf_err err = put_root(call, repository_of(hf_call_arg(call, HF_PARAM_PATH_repository)), version);
  if (err != HF_OK) {
    hf_call_fail(call, err, err == HF_E_NOT_FOUND ? "there is no such root" : "the root could not be read", NULL);
  }
}

/* The "files" of a body: name and text of each. */
static size_t files_get(struct hf_repo_file files[HF_REPO_FILES_MAX], const struct hf_call *call)
{
  const json_t *list = json_object_get(call->body, "files");
  size_t count = json_array_size(list);
  count = count < HF_REPO_FILES_MAX ? count : HF_REPO_FILES_MAX;
  for (size_t i = 0; i < count; i++) {
    const json_t *item = json_array_get(list, i);
    const json_t *name = json_object_get(item, "name");
    const json_t *text = json_object_get(item, "text");
    files[i] = (struct hf_repo_file){hf_bytes_init(json_string_value(name), json_string_length(name)),
                                     hf_bytes_init(json_string_value(text), json_string_length(text))};
  }
  return count;
}

/* Without a release no target comes, goes or changes: the images behind it were not looked at. */
static enum hf_err entries_check(struct hf_engine *engine, const struct hf_repo_file *given, struct hf_why *why)
{
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_file file;
  struct hf_tuf_file present = {0};
  struct hf_bytes text = hf_bytes_init(NULL, 0);
  uint8_t mine[HF_SHA256_LEN];
  uint8_t theirs[HF_SHA256_LEN];
  if (!hf_repo_name_check(given->name)) {
    hf_why_put(why, HF_RULE_TARGETS_NAME, 0);
    return HF_E_INPUT;
  }
  if (hf_tuf_parse(&file, given->text, HF_TUF_TARGETS, &limits, why) != HF_OK) {
    return HF_E_INPUT;
  }
  struct hf_json none = {HF_LIT("{}")};
  enum hf_err err = hf_repo_load(engine, &text, given->name);
  bool there = err == HF_OK && hf_tuf_parse(&present, text, HF_TUF_TARGETS, &limits, NULL) == HF_OK;
  if (err == HF_OK || err == HF_E_NOT_FOUND) {
    hf_tuf_hash(theirs, there ? hf_tuf_targets(&present) : none);
    hf_tuf_hash(mine, hf_tuf_targets(&file));
    err = memcmp(mine, theirs, sizeof mine) == 0 ? HF_OK : HF_E_INPUT;
  }
  if (err == HF_E_INPUT) {
    hf_why_put(why, HF_RULE_TARGETS_ENTRIES, 0);
  }
  free((uint8_t *)(uintptr_t)text.at);
  return err;
}

static enum hf_err all_entries_check(struct hf_engine *engine, const struct hf_repo_file *files, size_t count,
                                     struct hf_why *why)
{
  enum hf_err err = HF_OK;
  for (size_t i = 0; i < count && err == HF_OK; i++) {
    for (size_t k = 0; k < i; k++) {
      if (hf_bytes_equal(files[i].name, files[k].name)) {
        hf_why_put(why, HF_RULE_TARGETS_NAME, 0);
        return HF_E_INPUT;
      }
    }
    err = entries_check(engine, &files[i], why);
  }
  return err;
}

void hf_api_root_new(struct hf_call *call)
{
  struct hf_repo_file files[HF_REPO_FILES_MAX];
  struct hf_act act = hf_call_act(call);
  struct hf_why why = {0};
  int64_t version = 0;
  struct hf_roots_new root = {.repository = repository_of(hf_call_text(call, "repository")),
                              .text = hf_call_text(call, "root"),
                              .files = files,
                              .count = files_get(files, call)};
  enum hf_err err = all_entries_check(call->engine, files, root.count, &why);
  if (err == HF_OK && root.repository == HF_ROOTS_DIRECTOR && root.count > 0) {
    hf_call_refuse(call, HF_PROBLEM_INPUT, "a director root comes without targets files", "/files", "leave files out");
    return;
  }
  if (err == HF_OK) {
    err = hf_roots_publish(call->engine, &version, &act, &root, &why);
  }
  if (err != HF_OK) {
    refuse(call, err, &why, "the root could not be published: another publication is under way");
    return;
  }
  call->changed = true;
  hf_buf_put_text(call->out, "{");
  hf_reply_put_text(call->out, "repository", hf_bytes_text(hf_roots_name(root.repository)));
  hf_reply_put_int(call->out, "version", version);
  hf_reply_put_int(call->out, "newest", version);
  hf_reply_put_text(call->out, "root", root.text);
  hf_buf_put_text(call->out, "}");
}

/* ---- targets files without a release ---- */

static enum hf_err targets_tell(struct hf_call *call, const struct hf_act *act, const struct hf_repo_file *files,
                                size_t count)
{
  enum hf_err err = HF_OK;
  for (size_t i = 0; i < count && err == HF_OK; i++) {
    err = hf_auditlog_put(call->engine, act, "targets.publish", files[i].name, HF_LIT("renewed or delegated"));
  }
  hf_engine_touch(call->engine, HF_PULSE_RELEASE);
  return err;
}

void hf_api_targets_new(struct hf_call *call)
{
  struct hf_repo_file files[HF_REPO_FILES_MAX];
  struct hf_act act = hf_call_act(call);
  struct hf_why why = {0};
  const struct hf_repo_set set = {.files = files, .count = files_get(files, call)};
  enum hf_err err = all_entries_check(call->engine, files, set.count, &why);
  if (err == HF_OK) {
    call->changed = true;
    err = hf_repo_publish_set(call->engine, &set, act.now, &why);
  }
  if (err == HF_OK) {
    err = targets_tell(call, &act, files, set.count);
  }
  if (err != HF_OK) {
    refuse(call, err, &why, "the targets files could not be published: another publication is under way");
    return;
  }
  hf_buf_put_text(call->out, "{");
  hf_json_put_name(call->out, "published");
  hf_buf_put_text(call->out, "[");
  for (size_t i = 0; i < set.count; i++) {
    hf_json_put_comma(call->out);
    hf_json_put_text(call->out, files[i].name);
  }
  hf_buf_put_text(call->out, "]}");
}

/* ---- keys and expiry ---- */

static void put_warning(struct hf_call *call, enum hf_expiry what, int64_t expires)
{
  const char *words = hf_expiry_warning(what, expires, call->request->now);
  hf_reply_put_time_or_null(call->out, "expires", expires);
  hf_reply_put_text_or_null(call->out, "warning", hf_bytes_text(words == NULL ? "" : words));
}

static void put_keys(struct hf_buf *out, const struct hf_tuf_key *key, size_t count, uint16_t set)
{
  static const char *const types[] = {[HF_KEY_P256] = "p256", [HF_KEY_ED25519] = "ed25519"};
  hf_json_put_name(out, "keys");
  hf_buf_put_text(out, "[");
  for (size_t i = 0; i < count; i++) {
    uint8_t hash[HF_SHA256_LEN];
    if ((set >> i & 1) == 0) {
      continue;
    }
    hf_pubkey_hash(hash, &key[i].pub);
    hf_json_put_comma(out);
    hf_buf_put_text(out, "{");
    hf_reply_put_hash(out, "sha256", hf_bytes_init(hash, sizeof hash));
    bool plain = key[i].pub.type == HF_KEY_P256 || key[i].pub.type == HF_KEY_ED25519;
    hf_reply_put_text(out, "type", hf_bytes_text(plain ? types[key[i].pub.type] : "other"));
    hf_buf_put_text(out, "}");
  }
  hf_buf_put_text(out, "]");
}

/* The file of a role as it is served: its version and end. */
struct served {
  int64_t version;
  int64_t expires;
};

static void put_role(struct hf_call *call, struct hf_bytes name, const struct hf_tufkey_ring *ring,
                     const struct served *served, enum hf_expiry what)
{
  hf_json_put_comma(call->out);
  hf_buf_put_text(call->out, "{");
  hf_reply_put_text(call->out, "role", name);
  hf_reply_put_int(call->out, "threshold", ring->signers.threshold);
  if (served->version > 0) {
    hf_reply_put_int(call->out, "version", served->version);
  } else {
    hf_reply_put_null(call->out, "version");
  }
  if (served->expires > 0) {
    put_warning(call, what, served->expires);
  } else {
    hf_reply_put_null(call->out, "expires");
    hf_reply_put_null(call->out, "warning");
  }
  put_keys(call->out, ring->key, ring->count, ring->signers.keys);
  hf_buf_put_text(call->out, "}");
}

static void put_delegated(struct hf_call *call, const struct hf_tuf_file *targets, const struct hf_tuf_limits *limits,
                          struct hf_bytes name)
{
  struct hf_tufrole role;
  struct hf_bytes text;
  struct hf_tuf_file file;
  struct served served = {0};
  if (hf_tufrole_get(&role, targets, name, limits, NULL) != HF_OK) {
    return;
  }
  if (hf_repo_load(call->engine, &text, name) == HF_OK) {
    if (hf_tuf_parse(&file, text, HF_TUF_TARGETS, limits, NULL) == HF_OK) {
      served = (struct served){file.version, file.expires};
    }
    free((uint8_t *)(uintptr_t)text.at);
  }
  put_role(call, name, &role.ring, &served, HF_EXPIRY_ROLE);
}

static void put_delegations(struct hf_call *call)
{
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_file targets;
  struct hf_bytes text;
  struct hf_json entry, value;
  if (hf_repo_load(call->engine, &text, HF_LIT("targets")) != HF_OK) {
    return;
  }
  if (hf_tuf_parse(&targets, text, HF_TUF_TARGETS, &limits, NULL) == HF_OK) {
    struct hf_json_walk walk = hf_json_walk_init(hf_tufrole_list(&targets));
    while (hf_json_walk_next(&walk, &entry)) { /* bounded by the file */
      uint8_t room[HF_REPO_NAME_MAX];
      struct hf_buf name = hf_buf_init(room, sizeof room);
      if (hf_json_get(&value, entry, "name") == HF_OK && hf_json_get_text(&name, value) == HF_OK) {
        put_delegated(call, &targets, &limits, hf_buf_bytes(&name));
      }
    }
  }
  free((uint8_t *)(uintptr_t)text.at);
}

static void put_roles(struct hf_call *call, enum hf_roots_repository repository, const struct hf_tuf_root *root)
{
  struct hf_repo_state state = {0};
  struct served served[HF_TUF_ROLES] = {{0}};
  bool image = repository == HF_ROOTS_IMAGE;
  if (image && hf_repo_get(&state, call->db) == HF_OK) {
    served[HF_TUF_TARGETS] = (struct served){state.targets, state.targets_expires};
    served[HF_TUF_SNAPSHOT] = (struct served){state.snapshot, state.snapshot_expires};
    served[HF_TUF_TIMESTAMP] = (struct served){state.timestamp, state.timestamp_expires};
  }
  served[HF_TUF_ROOT] = (struct served){root->version, root->expires};
  const enum hf_expiry what[] = {[HF_TUF_ROOT] = image ? HF_EXPIRY_ROOT : HF_EXPIRY_DIRECTOR_ROOT,
                                 [HF_TUF_TIMESTAMP] = HF_EXPIRY_ONLINE,
                                 [HF_TUF_SNAPSHOT] = HF_EXPIRY_ONLINE,
                                 [HF_TUF_TARGETS] = HF_EXPIRY_TARGETS};
  hf_json_put_name(call->out, "roles");
  hf_buf_put_text(call->out, "[");
  for (size_t i = 0; i < HF_TUF_ROLES; i++) {
    const struct hf_tufkey_ring ring = {.key = root->key, .count = root->key_count, .signers = root->role[i]};
    put_role(call, hf_bytes_text(hf_tuf_role_name((enum hf_tuf_role)i)), &ring, &served[i], what[i]);
  }
  if (image) {
    put_delegations(call);
  }
  hf_buf_put_text(call->out, "]");
}

static enum hf_err put_repository(struct hf_call *call, enum hf_roots_repository repository)
{
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_bytes text;
  struct hf_tuf_file file;
  struct hf_tuf_root root;
  int64_t version;
  enum hf_err err = hf_roots_version(&version, call->db, repository);
  if (err == HF_OK) {
    err = hf_roots_load(&text, call->engine, repository, version);
  }
  if (err != HF_OK) {
    return err == HF_E_NOT_FOUND ? HF_OK : err;
  }
  err = hf_tuf_parse(&file, text, HF_TUF_ROOT, &limits, NULL);
  err = err == HF_OK ? hf_tuf_root_parse(&root, &file, &limits, NULL) : err;
  if (err == HF_OK) {
    hf_json_put_comma(call->out);
    hf_buf_put_text(call->out, "{");
    hf_reply_put_text(call->out, "repository", hf_bytes_text(hf_roots_name(repository)));
    put_roles(call, repository, &root);
    hf_buf_put_text(call->out, "}");
  }
  free((uint8_t *)(uintptr_t)text.at);
  return err;
}

static void put_certificates(struct hf_call *call)
{
  hf_json_put_name(call->out, "certificates");
  hf_buf_put_text(call->out, "[");
  for (enum hf_expiry i = HF_EXPIRY_SERVER; i <= HF_EXPIRY_FACTORY_CA; i++) {
    int64_t expires;
    if (hf_expiry_get(&expires, call->db, i) == HF_OK) {
      hf_json_put_comma(call->out);
      hf_buf_put_text(call->out, "{");
      hf_reply_put_text(call->out, "name", hf_bytes_text(hf_expiry_file(i)));
      put_warning(call, i, expires);
      hf_buf_put_text(call->out, "}");
    }
  }
  hf_buf_put_text(call->out, "]");
}

void hf_api_key_list(struct hf_call *call)
{
  enum hf_err err = HF_OK;
  hf_buf_put_text(call->out, "{");
  hf_json_put_name(call->out, "repositories");
  hf_buf_put_text(call->out, "[");
  for (int i = 0; i < HF_ROOTS_COUNT && err == HF_OK; i++) {
    err = put_repository(call, (enum hf_roots_repository)i);
  }
  hf_buf_put_text(call->out, "]");
  put_certificates(call);
  hf_buf_put_text(call->out, "}");
  if (err != HF_OK) {
    hf_call_fail(call, err, "the roots could not be read", NULL);
  }
}
