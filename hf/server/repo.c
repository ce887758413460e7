/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/repo.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hf/server/delegates.h"
#include "hf/server/files.h"
#include "hf/server/roots.h"
#include "hf/server/signer.h"
#include "hf/wire/tufwrite.h"

/* What the server signs itself: a snapshot that lists sixteen delegated roles is the longest. */
#define SMALL_MAX 8192

struct hf_repo {
  struct hf_repo_state state; /* as committed */
  struct hf_repo_state next;  /* with what this group publishes */
  bool there;                 /* `holdfast init` made one */
  bool pending;               /* this group publishes */
  bool unsettled;             /* committed, but timestamp.json could not be renamed yet */
};

/* A publication in work: its files under the names a client asks for. */
struct draft {
  struct hf_engine *engine;
  struct hf_repo_state next;
  const struct hf_repo_set *set;       /* NULL: only what the server signs itself */
  uint32_t version[HF_REPO_FILES_MAX]; /* of set->files */
  uint8_t snapshot_room[SMALL_MAX];
  uint8_t timestamp_room[SMALL_MAX];
  struct hf_buf snapshot;
  struct hf_buf timestamp;
  bool new_snapshot;
};

enum hf_err hf_repo_get(struct hf_repo_state *state, struct hf_db *db)
{
  struct hf_stmt *stmt = hf_stmt_open(
      db,
      "SELECT root, targets, snapshot, snapshot_expires, timestamp, timestamp_expires, root_expires, targets_expires"
      " FROM repo WHERE id = 1");
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    *state = (struct hf_repo_state){.root = hf_stmt_get_int(stmt, 0),
                                    .targets = hf_stmt_get_int(stmt, 1),
                                    .snapshot = hf_stmt_get_int(stmt, 2),
                                    .snapshot_expires = hf_stmt_get_int(stmt, 3),
                                    .timestamp = hf_stmt_get_int(stmt, 4),
                                    .timestamp_expires = hf_stmt_get_int(stmt, 5),
                                    .root_expires = hf_stmt_get_int(stmt, 6),
                                    .targets_expires = hf_stmt_get_int(stmt, 7)};
  }
  hf_stmt_close(stmt);
  return err;
}

bool hf_repo_name_check(struct hf_bytes name)
{
  static const char *const taken[] = {"root", "timestamp", "snapshot"};
  for (size_t i = 0; i < name.len; i++) {
    uint8_t c = name.at[i];
    bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (i > 0 && (c == '-' || c == '_'));
    if (!fits) {
      return false;
    }
  }
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
    if (hf_bytes_is(name, taken[i])) {
      return false;
    }
  }
  return name.len >= 1 && name.len <= HF_REPO_NAME_MAX;
}

static enum hf_err metadata_path(char path[PATH_MAX], const struct hf_engine *engine, const char *name)
{
  char below[300];
  int len = snprintf(below, sizeof below, "repo/metadata/%s", name);
  return len > 0 && (size_t)len < sizeof below ? hf_engine_path(path, PATH_MAX, engine, below) : HF_E_SPACE;
}

static enum hf_err versioned_path(char path[PATH_MAX], const struct hf_engine *engine, int64_t version,
                                  const char *role)
{
  char name[HF_REPO_NAME_MAX + 32];
  (void)snprintf(name, sizeof name, "%lld.%s.json", (long long)version, role);
  return metadata_path(path, engine, name);
}

/* ---- the client workflow over what is, or would be, served ---- */

/* Where the client's fetches go: the draft first, then the disk. */
struct served {
  const struct hf_engine *engine;
  const struct draft *draft; /* NULL: only what is on disk */
};

static bool name_is(const char *name, int64_t version, struct hf_bytes role)
{
  char own[HF_REPO_NAME_MAX + 32];
  (void)snprintf(own, sizeof own, "%lld.%.*s.json", (long long)version, (int)role.len, (const char *)role.at);
  return strcmp(name, own) == 0;
}

/* Is it a file of this publication? */
static bool draft_get(struct hf_bytes *bytes, const struct draft *draft, const char *name)
{
  *bytes = hf_bytes_init(NULL, 0);
  if (strcmp(name, "timestamp.json") == 0) {
    *bytes = hf_buf_bytes(&draft->timestamp);
  } else if (draft->new_snapshot && name_is(name, draft->next.snapshot, HF_LIT("snapshot"))) {
    *bytes = hf_buf_bytes(&draft->snapshot);
  } else if (draft->set != NULL && draft->set->root.len > 0 &&
             name_is(name, draft->set->root_version, HF_LIT("root"))) {
    *bytes = draft->set->root;
  }
  for (size_t i = 0; bytes->len == 0 && draft->set != NULL && i < draft->set->count; i++) {
    if (name_is(name, draft->version[i], draft->set->files[i].name)) {
      *bytes = draft->set->files[i].text;
    }
  }
  return bytes->len > 0;
}

static enum hf_err served_get(void *ctx, struct hf_bytes *bytes, uint8_t **heap, const char *name, size_t max)
{
  char path[PATH_MAX];
  const struct served *served = ctx;
  *heap = NULL;
  if (served->draft != NULL && draft_get(bytes, served->draft, name)) {
    return bytes->len <= max ? HF_OK : HF_E_SPACE;
  }
  enum hf_err err = metadata_path(path, served->engine, name);
  if (err == HF_OK) {
    err = hf_file_load(bytes, path, max);
  }
  *heap = err == HF_OK ? (uint8_t *)(uintptr_t)bytes->at : NULL;
  return err;
}

/* The delegated roles, once the top level has been accepted. */
static enum hf_err delegates_run(const struct hf_tufclient *client, struct served *served, struct hf_why *why)
{
  const struct hf_delegates_source source = {.get = served_get, .ctx = served};
  const struct hf_repo_set *set = served->draft == NULL ? NULL : served->draft->set;
  struct hf_bytes fresh[HF_REPO_FILES_MAX];
  size_t count = 0;
  if (set == NULL || set->count == 0) {
    return HF_OK; /* what is served already: a role that expired meanwhile must not stop the timestamp of all others */
  }
  for (size_t i = 0; i < set->count; i++) {
    if (!hf_bytes_is(set->files[i].name, "targets")) {
      fresh[count++] = set->files[i].name;
    }
  }
  return hf_delegates_check(client, &source, fresh, count, why);
}

/* One refresh, as a device does it. Fills what was accepted. */
static enum hf_err client_run(struct hf_tuf_trust *trust, struct hf_repo_state *seen, struct served *served,
                              const struct hf_tuf_limits *limits, int64_t now, struct hf_why *why)
{
  struct hf_tufclient client;
  struct hf_tufclient_fetch fetch;
  uint8_t *heap = NULL;
  enum hf_err err = HF_OK;
  hf_tufclient_init(&client, trust, limits, now);
  /* Bounded: at most roots_max roots and three other files. */
  while (err == HF_OK && hf_tufclient_next(&client, &fetch) == HF_TUFCLIENT_FETCH) {
    struct hf_bytes bytes = hf_bytes_init(NULL, 0);
    free(heap);
    enum hf_err got = served_get(served, &bytes, &heap, fetch.name, fetch.max_len);
    enum hf_tufclient_got how = got == HF_OK            ? HF_TUFCLIENT_BYTES
                                : got == HF_E_NOT_FOUND ? HF_TUFCLIENT_NOT_FOUND
                                : got == HF_E_SPACE     ? HF_TUFCLIENT_TOO_LONG
                                                        : HF_TUFCLIENT_FAILED;
    err = hf_tufclient_give(&client, how, bytes, why);
  }
  const struct hf_tuf_file *targets = err == HF_OK ? hf_tufclient_targets(&client) : NULL;
  if (targets != NULL && seen != NULL) {
    *seen = (struct hf_repo_state){.root = trust->root.version,
                                   .root_expires = trust->root.expires,
                                   .targets = targets->version,
                                   .targets_expires = targets->expires,
                                   .snapshot = trust->floor[HF_TUF_SNAPSHOT].version,
                                   .timestamp = trust->floor[HF_TUF_TIMESTAMP].version};
  }
  if (targets != NULL) {
    err = delegates_run(&client, served, why);
  }
  free(heap);
  return err == HF_OK && targets == NULL ? HF_E_DENIED : err;
}

/* A device that has had the first root only, or that knows what is served now, must accept what is to be served. */
static enum hf_err workflow(struct hf_repo_state *seen, const struct hf_engine *engine, const struct draft *draft,
                            int64_t now, struct hf_why *why)
{
  char path[PATH_MAX];
  struct hf_bytes root;
  struct hf_tuf_trust trust;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct served served = {.engine = engine};
  enum hf_err err = metadata_path(path, engine, "1.root.json");
  if (err == HF_OK) {
    err = hf_file_load(&root, path, limits.file_max[HF_TUF_ROOT]);
  }
  if (err != HF_OK) {
    return err;
  }
  limits.scratch_cap = limits.file_max[HF_TUF_TARGETS];
  limits.scratch = malloc(limits.scratch_cap);
  err = limits.scratch == NULL ? HF_E_IO : HF_OK;
  if (err == HF_OK && hf_tuf_trust_verify(&trust, root, &limits, why) != HF_ALLOW) {
    err = HF_E_DENIED;
  }
  if (err == HF_OK && draft != NULL) {
    /* The present state first, for its version floors; at a time at which it was good: it may have run out while the
     * server was off, and this is how it becomes good again. */
    const struct hf_repo_state *state = &engine->repo->state;
    const int64_t ends[] = {state->snapshot_expires, state->root_expires, state->targets_expires};
    int64_t then = state->timestamp_expires - 1;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
      then = ends[i] > 0 && ends[i] - 1 < then ? ends[i] - 1 : then;
    }
    err = client_run(&trust, NULL, &served, &limits, now < then ? now : then, why);
    served.draft = draft;
  }
  if (err == HF_OK) {
    err = client_run(&trust, seen, &served, &limits, now, why);
  }
  free(limits.scratch);
  free((uint8_t *)(uintptr_t)root.at);
  return err;
}

/* ---- drafting ---- */

/* The present snapshot with the files of this publication in place of their forerunners. */
static enum hf_err snapshot_put(struct draft *draft, struct hf_buf *body, int64_t present)
{
  char path[PATH_MAX];
  char name[HF_REPO_FILES_MAX][HF_REPO_NAME_MAX + 8];
  struct hf_tufwrite_listed listed[HF_REPO_FILES_MAX];
  struct hf_bytes text;
  struct hf_tuf_file file;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  size_t count = draft->set == NULL ? 0 : draft->set->count;
  for (size_t i = 0; i < count; i++) {
    struct hf_bytes role = draft->set->files[i].name;
    (void)snprintf(name[i], sizeof name[i], "%.*s.json", (int)role.len, (const char *)role.at);
    listed[i] = (struct hf_tufwrite_listed){
        .name = hf_bytes_text(name[i]), .version = draft->version[i], .file = draft->set->files[i].text};
  }
  enum hf_err err = versioned_path(path, draft->engine, present, "snapshot");
  if (err == HF_OK) {
    err = hf_file_load(&text, path, SMALL_MAX);
  }
  if (err != HF_OK) {
    return err == HF_E_NOT_FOUND ? HF_E_IO : err;
  }
  err = hf_tuf_parse(&file, text, HF_TUF_SNAPSHOT, &limits, NULL);
  if (err == HF_OK) {
    const struct hf_tufwrite_snapshot edit = {.version = (uint32_t)draft->next.snapshot,
                                              .expires = draft->next.snapshot_expires,
                                              .listed = listed,
                                              .count = count};
    err = hf_tufwrite_edit_snapshot(body, file.body, &edit);
  }
  free((uint8_t *)(uintptr_t)text.at);
  return err;
}

static enum hf_err snapshot_sign(struct draft *draft, int64_t now)
{
  uint8_t room[SMALL_MAX];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  struct hf_repo_state *next = &draft->next;
  int64_t present = next->snapshot;
  bool restart = draft->set != NULL && draft->set->restart && present > HF_ROOTS_FAST_FORWARD;
  next->snapshot = restart ? 1 : present + 1;
  next->snapshot_expires = now + HF_REPO_SNAPSHOT_LIFE_S;
  draft->new_snapshot = true;
  enum hf_err err = snapshot_put(draft, &body, present);
  return err == HF_OK ? hf_signer_put_file(draft->engine, &draft->snapshot, HF_VAULT_SNAPSHOT, hf_buf_bytes(&body),
                                           HF_LIT("repo"))
                      : err;
}

static enum hf_err timestamp_sign(struct draft *draft, struct hf_bytes snapshot, int64_t now)
{
  uint8_t room[SMALL_MAX];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  struct hf_repo_state *next = &draft->next;
  bool restart = draft->set != NULL && draft->set->restart && next->timestamp > HF_ROOTS_FAST_FORWARD;
  next->timestamp = restart ? 1 : next->timestamp + 1;
  next->timestamp_expires = now + HF_REPO_TIMESTAMP_LIFE_S;
  enum hf_err err = hf_tufwrite_put_timestamp(&body, (uint32_t)next->timestamp, next->timestamp_expires,
                                              (uint32_t)next->snapshot, snapshot);
  return err == HF_OK ? hf_signer_put_file(draft->engine, &draft->timestamp, HF_VAULT_TIMESTAMP, hf_buf_bytes(&body),
                                           HF_LIT("repo"))
                      : err;
}

static enum hf_err draft_write(const struct draft *draft)
{
  char path[PATH_MAX];
  enum hf_err err = HF_OK;
  for (size_t i = 0; draft->set != NULL && i < draft->set->count && err == HF_OK; i++) {
    char role[HF_REPO_NAME_MAX + 1];
    struct hf_bytes name = draft->set->files[i].name;
    (void)snprintf(role, sizeof role, "%.*s", (int)name.len, (const char *)name.at);
    err = versioned_path(path, draft->engine, draft->version[i], role);
    err = err == HF_OK ? hf_file_put(path, draft->set->files[i].text) : err;
  }
  if (err == HF_OK && draft->new_snapshot) {
    err = versioned_path(path, draft->engine, draft->next.snapshot, "snapshot");
    err = err == HF_OK ? hf_file_put(path, hf_buf_bytes(&draft->snapshot)) : err;
  }
  if (err == HF_OK) {
    err = metadata_path(path, draft->engine, "timestamp.json");
  }
  return err == HF_OK ? hf_file_prepare(path, hf_buf_bytes(&draft->timestamp)) : err;
}

static enum hf_err row_put(struct hf_engine *engine, const struct hf_repo_state *state, struct hf_bytes timestamp)
{
  struct hf_stmt *stmt = hf_stmt_open(
      engine->db,
      "INSERT INTO repo (id, root, targets, snapshot, snapshot_expires, timestamp, timestamp_expires, timestamp_file,"
      " root_expires, targets_expires) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET root = "
      "excluded.root, targets = "
      "excluded.targets,"
      " snapshot = excluded.snapshot, snapshot_expires = excluded.snapshot_expires, timestamp = excluded.timestamp,"
      " timestamp_expires = excluded.timestamp_expires, timestamp_file = excluded.timestamp_file,"
      " root_expires = excluded.root_expires, targets_expires = excluded.targets_expires");
  hf_stmt_put_int(stmt, state->root);
  hf_stmt_put_int(stmt, state->targets);
  hf_stmt_put_int(stmt, state->snapshot);
  hf_stmt_put_int(stmt, state->snapshot_expires);
  hf_stmt_put_int(stmt, state->timestamp);
  hf_stmt_put_int(stmt, state->timestamp_expires);
  hf_stmt_put_bytes(stmt, timestamp);
  hf_stmt_put_int(stmt, state->root_expires);
  hf_stmt_put_int(stmt, state->targets_expires);
  enum hf_err err = hf_stmt_run(stmt);
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

/* Check, write, record: the last three steps of every publication. */
static enum hf_err draft_finish(struct draft *draft, int64_t now, struct hf_why *why)
{
  struct hf_repo *repo = draft->engine->repo;
  struct hf_repo_state seen;
  enum hf_err err = workflow(&seen, draft->engine, draft, now, why);
  if (err == HF_OK) {
    err = draft_write(draft);
    /* A missing folder is the disk's fault, not the release's. */
    err = err == HF_E_NOT_FOUND ? HF_E_IO : err;
  }
  if (err == HF_OK) {
    draft->next.root = seen.root;
    draft->next.root_expires = seen.root_expires;
    draft->next.targets_expires = seen.targets_expires;
    err = row_put(draft->engine, &draft->next, hf_buf_bytes(&draft->timestamp));
  }
  if (err == HF_OK) {
    repo->next = draft->next;
    repo->pending = true;
  }
  return err;
}

static void draft_init(struct draft *draft, struct hf_engine *engine)
{
  *draft = (struct draft){.engine = engine, .next = engine->repo->next};
  draft->snapshot = hf_buf_init(draft->snapshot_room, sizeof draft->snapshot_room);
  draft->timestamp = hf_buf_init(draft->timestamp_room, sizeof draft->timestamp_room);
}

/* Above the one that the present snapshot lists, when it lists one. */
static enum hf_err delegated_version_check(const struct draft *draft, struct hf_bytes name, uint32_t version,
                                           struct hf_why *why)
{
  int64_t present;
  enum hf_err err = hf_repo_listed(&present, draft->engine, name);
  if (err == HF_OK && version <= present && !draft->set->restart) {
    hf_why_put(why, HF_RULE_RELEASE_STALE, 0);
    return HF_E_DENIED;
  }
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

/* Shape and version of one file of the publication. Signatures are the workflow's to judge. */
static enum hf_err file_check(struct draft *draft, size_t i, struct hf_why *why)
{
  struct hf_tuf_file file;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  const struct hf_repo_file *given = &draft->set->files[i];
  if (!hf_repo_name_check(given->name)) {
    hf_why_put(why, HF_RULE_TARGETS_NAME, 0);
    return HF_E_INPUT;
  }
  if (hf_tuf_parse(&file, given->text, HF_TUF_TARGETS, &limits, why) != HF_OK) {
    return HF_E_DENIED;
  }
  draft->version[i] = file.version;
  if (!hf_bytes_is(given->name, "targets")) {
    return delegated_version_check(draft, given->name, file.version, why);
  }
  bool restart = draft->set->restart && draft->next.targets > HF_ROOTS_FAST_FORWARD;
  if (file.version <= (uint64_t)draft->next.targets && !restart) {
    hf_why_put(why, HF_RULE_RELEASE_STALE, 0);
    return HF_E_DENIED;
  }
  draft->next.targets = file.version;
  return HF_OK;
}

enum hf_err hf_repo_publish_set(struct hf_engine *engine, const struct hf_repo_set *set, int64_t now,
                                struct hf_why *why)
{
  struct draft draft;
  if (engine->repo == NULL || !engine->repo->there || engine->repo->unsettled || engine->repo->pending) {
    return HF_E_STATE;
  }
  if (set->count > HF_REPO_FILES_MAX) {
    return HF_E_SPACE;
  }
  draft_init(&draft, engine);
  draft.set = set;
  enum hf_err err = HF_OK;
  for (size_t i = 0; i < set->count && err == HF_OK; i++) {
    err = file_check(&draft, i, why);
  }
  if (err == HF_OK) {
    err = snapshot_sign(&draft, now);
  }
  if (err == HF_OK) {
    err = timestamp_sign(&draft, hf_buf_bytes(&draft.snapshot), now);
  }
  return err == HF_OK ? draft_finish(&draft, now, why) : err;
}

enum hf_err hf_repo_publish(struct hf_engine *engine, struct hf_bytes targets, int64_t now, struct hf_why *why)
{
  const struct hf_repo_file file = {.name = HF_LIT("targets"), .text = targets};
  const struct hf_repo_set set = {.files = &file, .count = 1};
  return hf_repo_publish_set(engine, &set, now, why);
}

enum hf_err hf_repo_listed(int64_t *version, const struct hf_engine *engine, struct hf_bytes name)
{
  char path[PATH_MAX];
  char listed[HF_REPO_NAME_MAX + 8];
  struct hf_bytes text;
  struct hf_tuf_file file;
  struct hf_tuf_meta meta = {.version = 0};
  struct hf_repo_state state;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  (void)snprintf(listed, sizeof listed, "%.*s.json", (int)name.len, (const char *)name.at);
  enum hf_err err = engine->repo != NULL ? HF_OK : hf_repo_get(&state, engine->db);
  if (err == HF_OK) {
    err =
        versioned_path(path, engine, engine->repo != NULL ? engine->repo->state.snapshot : state.snapshot, "snapshot");
  }
  if (err == HF_OK) {
    err = hf_file_load(&text, path, SMALL_MAX);
  }
  if (err != HF_OK) {
    return err;
  }
  err = hf_tuf_parse(&file, text, HF_TUF_SNAPSHOT, &limits, NULL) == HF_OK ? hf_tuf_meta_get(&meta, &file, listed, NULL)
                                                                           : HF_E_IO;
  free((uint8_t *)(uintptr_t)text.at);
  *version = meta.version;
  return err;
}

enum hf_err hf_repo_load(struct hf_engine *engine, struct hf_bytes *text, struct hf_bytes name)
{
  char path[PATH_MAX];
  char role[HF_REPO_NAME_MAX + 1];
  int64_t version;
  if (!hf_repo_name_check(name)) {
    return HF_E_NOT_FOUND;
  }
  (void)snprintf(role, sizeof role, "%.*s", (int)name.len, (const char *)name.at);
  enum hf_err err = hf_repo_listed(&version, engine, name);
  if (err == HF_OK) {
    err = versioned_path(path, engine, version, role);
  }
  return err == HF_OK ? hf_file_load(text, path, hf_tuf_limits_init().file_max[HF_TUF_TARGETS]) : err;
}

enum hf_err hf_repo_targets(struct hf_engine *engine, struct hf_bytes *targets)
{
  return engine->repo == NULL || !engine->repo->there ? HF_E_STATE : hf_repo_load(engine, targets, HF_LIT("targets"));
}

enum hf_err hf_repo_put_target(struct hf_engine *engine, const struct hf_target_file *file, const char *from)
{
  char path[PATH_MAX];
  uint8_t room[HF_TARGET_PATH_MAX + 2 * HF_SHA256_LEN + 32];
  struct hf_buf below = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&below, "repo/targets/");
  hf_target_put_url(&below, file->path, file->sha256, true);
  enum hf_err err = hf_buf_terminate(&below);
  if (err == HF_OK) {
    err = hf_engine_path(path, sizeof path, engine, (const char *)room);
  }
  if (err == HF_OK) {
    err = hf_file_folders(path);
  }
  return err == HF_OK ? hf_file_copy(path, from, file->length, file->sha256) : err;
}

/* ---- settling, opening ---- */

static enum hf_err timestamp_restore(struct hf_engine *engine)
{
  char path[PATH_MAX];
  struct hf_bytes now = hf_bytes_init(NULL, 0);
  enum hf_err err = metadata_path(path, engine, "timestamp.json");
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT timestamp_file FROM repo WHERE id = 1");
  err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    struct hf_bytes wanted = hf_stmt_get_bytes(stmt, 0);
    bool same = hf_file_load(&now, path, SMALL_MAX) == HF_OK && hf_bytes_equal(now, wanted);
    err = same ? HF_OK : hf_file_put(path, wanted);
  }
  hf_stmt_close(stmt);
  free((uint8_t *)(uintptr_t)now.at);
  return err;
}

void hf_repo_settle(struct hf_engine *engine, bool committed)
{
  struct hf_repo *repo = engine->repo;
  char path[PATH_MAX];
  hf_roots_settle(engine, committed); /* first: the timestamp may be signed by a key that only the new root lists */
  if (repo == NULL || !repo->pending) {
    return;
  }
  repo->pending = false;
  if (metadata_path(path, engine, "timestamp.json") != HF_OK) {
    return;
  }
  if (committed) {
    repo->state = repo->next;
    repo->unsettled = hf_file_settle(path) != HF_OK;
  } else {
    repo->next = repo->state;
    hf_file_forget(path);
  }
}

/* Does this name belong to what is served, or to the version before, which a device may be reading still? */
static bool wanted(const char *name, const struct hf_repo_state *state)
{
  size_t len = strlen(name);
  if (len > 4 && strcmp(name + len - 4, ".new") == 0) {
    return false;
  }
  char *end;
  long long version = strtoll(name, &end, 10);
  if (end == name) {
    return true;
  }
  if (strcmp(end, ".snapshot.json") == 0) {
    return version <= state->snapshot && version >= state->snapshot - 1;
  }
  return strcmp(end, ".targets.json") != 0 || (version <= state->targets && version >= state->targets - 1);
}

/* Remove what a kill left behind and what nobody asks for any more. */
static enum hf_err sweep(struct hf_engine *engine)
{
  char folder[PATH_MAX];
  char path[PATH_MAX];
  enum hf_err err = hf_engine_path(folder, sizeof folder, engine, "repo/metadata");
  DIR *dir = err == HF_OK ? opendir(folder) : NULL;
  if (dir == NULL) {
    return HF_E_IO;
  }
  const struct dirent *entry = readdir(dir);
  while (entry != NULL) {
    if (!wanted(entry->d_name, &engine->repo->state) && metadata_path(path, engine, entry->d_name) == HF_OK) {
      (void)unlink(path);
    }
    entry = readdir(dir);
  }
  (void)closedir(dir);
  return HF_OK;
}

static enum hf_err expiry_get(int64_t *expires, struct hf_engine *engine, int64_t snapshot)
{
  char path[PATH_MAX];
  struct hf_bytes text;
  struct hf_tuf_file file;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  enum hf_err err = versioned_path(path, engine, snapshot, "snapshot");
  if (err == HF_OK) {
    err = hf_file_load(&text, path, limits.file_max[HF_TUF_SNAPSHOT]);
  }
  if (err == HF_OK) {
    err = hf_tuf_parse(&file, text, HF_TUF_SNAPSHOT, &limits, NULL);
    *expires = file.expires;
    free((uint8_t *)(uintptr_t)text.at);
  }
  return err;
}

/* A new database takes over what `holdfast init` wrote, if a client would. */
static enum hf_err take_over(struct hf_engine *engine, int64_t now)
{
  char path[PATH_MAX];
  struct hf_bytes timestamp;
  struct hf_repo_state *state = &engine->repo->state;
  struct hf_tuf_file file;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  enum hf_err err = metadata_path(path, engine, "1.root.json");
  if (err == HF_OK && access(path, R_OK) != 0) {
    return HF_OK; /* not one of ours yet: publishing is refused, all else works */
  }
  if (err == HF_OK) {
    err = metadata_path(path, engine, "timestamp.json");
  }
  if (err == HF_OK) {
    err = hf_file_load(&timestamp, path, SMALL_MAX);
  }
  if (err != HF_OK) {
    return err;
  }
  err = hf_tuf_parse(&file, timestamp, HF_TUF_TIMESTAMP, &limits, NULL);
  if (err == HF_OK) {
    /* init may have been some days ago: judged at the time it was good, and signed anew at the first tick */
    err = workflow(state, engine, NULL, now < file.expires ? now : file.expires - 1, NULL);
    state->timestamp_expires = file.expires;
  }
  if (err == HF_OK) {
    err = expiry_get(&state->snapshot_expires, engine, state->snapshot);
  }
  if (err == HF_OK) {
    err = row_put(engine, state, timestamp);
  }
  engine->repo->there = err == HF_OK;
  free((uint8_t *)(uintptr_t)timestamp.at);
  return err;
}

enum hf_err hf_repo_open(struct hf_engine *engine, int64_t now)
{
  engine->repo = calloc(1, sizeof *engine->repo);
  if (engine->repo == NULL) {
    return HF_E_IO;
  }
  enum hf_err err = hf_repo_get(&engine->repo->state, engine->db);
  if (err == HF_E_NOT_FOUND) {
    err = take_over(engine, now);
  } else if (err == HF_OK) {
    engine->repo->there = true;
    err = timestamp_restore(engine);
  }
  engine->repo->next = engine->repo->state;
  return err == HF_OK && engine->repo->there ? sweep(engine) : err;
}

void hf_repo_close(struct hf_engine *engine)
{
  free(engine->repo);
  engine->repo = NULL;
}

/* Less than half of its life left, or dated from a clock that ran ahead. */
static bool stale(int64_t expires, int64_t life, int64_t now)
{
  return expires - now < life / HF_REPO_RENEW_PART || expires - now > 2 * life;
}

static enum hf_err resign(struct hf_engine *engine, int64_t now)
{
  char path[PATH_MAX];
  struct draft draft;
  struct hf_bytes snapshot = hf_bytes_init(NULL, 0);
  enum hf_err err;
  draft_init(&draft, engine);
  if (stale(draft.next.snapshot_expires, HF_REPO_SNAPSHOT_LIFE_S, now)) {
    err = snapshot_sign(&draft, now);
    err = err == HF_OK ? timestamp_sign(&draft, hf_buf_bytes(&draft.snapshot), now) : err;
  } else {
    err = versioned_path(path, engine, draft.next.snapshot, "snapshot");
    err = err == HF_OK ? hf_file_load(&snapshot, path, SMALL_MAX) : err;
    err = err == HF_OK ? timestamp_sign(&draft, snapshot, now) : err;
  }
  if (err == HF_OK) {
    err = draft_finish(&draft, now, NULL);
  }
  free((uint8_t *)(uintptr_t)snapshot.at);
  return err;
}

enum hf_err hf_repo_tick(struct hf_engine *engine, int64_t now)
{
  struct hf_repo *repo = engine->repo;
  if (repo == NULL || !repo->there || repo->pending) {
    return HF_OK;
  }
  if (repo->unsettled) {
    enum hf_err err = timestamp_restore(engine);
    repo->unsettled = err != HF_OK;
    return err;
  }
  bool due = stale(repo->state.timestamp_expires, HF_REPO_TIMESTAMP_LIFE_S, now) ||
             stale(repo->state.snapshot_expires, HF_REPO_SNAPSHOT_LIFE_S, now);
  return due ? resign(engine, now) : HF_OK;
}
