/* SPDX-License-Identifier: Apache-2.0
 * Refresh and search. A target's bytes are tuftarget.c. */
#include "hf/cli/tufrun.h"

#include <stdlib.h>
#include <string.h>

#include "hf/cli/output.h"
#include "hf/cli/term.h"
#include "hf/cli/tuftarget.h"
#include "hf/wire/tufrecall.h"
#include "hf/wire/tufsearch.h"

#define ROOT_MAX (512u << 10)
#define TARGETS_MAX (8u << 20)
/** Delegations that wait at one time; their keys. */
#define WAITING_MAX 256
#define KEYS_MAX 1024

/* ---- begin and end ---- */

void hf_tufrun_init(struct hf_tufrun *run, const char *url, int64_t now)
{
  *run = (struct hf_tufrun){.folder = {.fd = -1}, .url = url, .now = now};
  run->limits = hf_tuf_limits_init();
  run->limits.file_max[HF_TUF_ROOT] = ROOT_MAX;
  run->limits.file_max[HF_TUF_TARGETS] = TARGETS_MAX;
  run->limits.hashes_required = false;
  run->limits.foreign = true;
  run->limits.scratch = malloc(TARGETS_MAX); /* the canonical form is never longer than the text */
  run->limits.scratch_cap = run->limits.scratch == NULL ? 0 : TARGETS_MAX;
  run->limits.host = &hf_tufkeys_host;
  run->limits.host_ctx = &run->keys;
  run->keys.message = run->limits.scratch;
  run->keys.message_cap = run->limits.scratch_cap;
}

void hf_tufrun_free(struct hf_tufrun *run)
{
  for (size_t i = 0; i < HF_TUF_ROLES; i++) {
    hf_blob_free(&run->text[i]);
  }
  free(run->limits.scratch);
  hf_tufkeys_free(&run->keys);
  hf_folder_close(&run->folder);
}

static const char *role_file(enum hf_tuf_role role) { return hf_say("%s.json", hf_tuf_role_name(role)); }

static enum hf_err keep(const struct hf_tufrun *run, const char *name, struct hf_bytes bytes)
{
  enum hf_err err = hf_folder_put(&run->folder, name, bytes);
  if (err != HF_OK) {
    hf_disk_complain(err, "write", hf_say("%s/%s", run->folder.path, name));
  }
  return err;
}

static enum hf_err forget(const struct hf_tufrun *run, enum hf_tuf_role role)
{
  const char *name = role_file(role);
  enum hf_err err = hf_folder_remove(&run->folder, name);
  if (err != HF_OK) {
    hf_disk_complain(err, "write", hf_say("%s/%s", run->folder.path, name));
  }
  return err;
}

/* ---- the folder ---- */

enum hf_err hf_tufrun_put_root(struct hf_tufrun *run, struct hf_bytes root)
{
  struct hf_why why = {0};
  struct hf_blob old;
  if (hf_tuf_trust_verify(&run->trust, root, &run->limits, &why) != HF_ALLOW) {
    hf_complain_why("the first root", &why);
    return HF_E_DENIED;
  }
  enum hf_err err = hf_folder_get(&old, &run->folder, "root.json", ROOT_MAX);
  if (err == HF_E_NOT_FOUND) {
    return keep(run, "root.json", root);
  }
  bool same = err == HF_OK && hf_bytes_equal(hf_blob_bytes(&old), root);
  hf_blob_free(&old);
  if (same) {
    return HF_OK;
  }
  hf_complain(run->folder.path, "use another folder, or empty this one: what it knows of versions would be lost",
              "the folder trusts another root already");
  return HF_E_EXISTS;
}

static enum hf_err recall_root(struct hf_tufrun *run)
{
  struct hf_why why = {0};
  struct hf_blob root;
  const char *path = hf_say("%s/root.json", run->folder.path);
  enum hf_err err = hf_folder_get(&root, &run->folder, "root.json", ROOT_MAX);
  if (err == HF_E_NOT_FOUND) {
    hf_complain(path, "run `holdfast tuf --metadata-dir DIR init ROOT.json` first", "there is no trusted root");
    return err;
  }
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  bool good = hf_tuf_trust_verify(&run->trust, hf_blob_bytes(&root), &run->limits, &why) == HF_ALLOW;
  hf_blob_free(&root);
  if (!good) {
    hf_complain_why(path, &why);
  }
  return good ? HF_OK : HF_E_DENIED;
}

/* Kept files count as far as the trusted root vouches for them, whether expired or not. One that cannot be read at all
 * is an error and not a reason to forget what it knew. */
static enum hf_err recall_role(struct hf_tufrun *run, enum hf_tuf_role role)
{
  struct hf_blob *text = &run->text[role];
  enum hf_err err = hf_folder_get(text, &run->folder, role_file(role), run->limits.file_max[role]);
  if (err == HF_E_NOT_FOUND) {
    return HF_OK;
  }
  if (err != HF_OK) {
    hf_disk_complain(err, "read", hf_say("%s/%s", run->folder.path, role_file(role)));
    return err;
  }
  if (hf_tufrecall_verify(&run->trust, role, hf_blob_bytes(text), &run->limits, NULL) != HF_ALLOW) {
    hf_blob_free(text);
  }
  return HF_OK;
}

static enum hf_err recall(struct hf_tufrun *run)
{
  enum hf_err err = recall_root(run);
  for (int role = HF_TUF_TIMESTAMP; err == HF_OK && role < HF_TUF_ROLES; role++) {
    err = recall_role(run, (enum hf_tuf_role)role);
  }
  const struct hf_blob *text = &run->text[HF_TUF_SNAPSHOT];
  if (err == HF_OK && text->at != NULL &&
      hf_tuf_parse(&run->snapshot, hf_blob_bytes(text), HF_TUF_SNAPSHOT, &run->limits, NULL) == HF_OK) {
    run->keys.snapshot = &run->snapshot;
  }
  return err;
}

/* ---- the refresh ---- */

/* check_url of the command has seen that there is room. */
static void join_url(char out[HF_TUFFETCH_URL_MAX], const char *base, const char *name)
{
  size_t len = strlen(base);
  hf_format(out, HF_TUFFETCH_URL_MAX, "%s%s%s", base, len > 0 && base[len - 1] == '/' ? "" : "/", name);
}

/* A new root first makes the old files forgotten that its rotated keys signed, then takes its place: the other way
 * round, a power cut in between would leave floors in force that a stolen key may have raised. */
static enum hf_err keep_root(struct hf_tufrun *run, struct hf_bytes bytes)
{
  if (hf_tufclient_recovered(&run->client)) {
    run->keys.snapshot = NULL;
    hf_blob_free(&run->text[HF_TUF_TIMESTAMP]);
    hf_blob_free(&run->text[HF_TUF_SNAPSHOT]);
    enum hf_err err = forget(run, HF_TUF_TIMESTAMP);
    err = err == HF_OK ? forget(run, HF_TUF_SNAPSHOT) : err;
    if (err != HF_OK) {
      return err;
    }
  }
  return keep(run, "root.json", bytes);
}

static enum hf_err keep_role(struct hf_tufrun *run, enum hf_tuf_role role, struct hf_blob *file)
{
  if (role == HF_TUF_ROOT) {
    enum hf_err err = keep_root(run, hf_blob_bytes(file));
    hf_blob_free(file);
    return err;
  }
  run->keys.snapshot = role == HF_TUF_SNAPSHOT ? NULL : run->keys.snapshot; /* a new one takes its place */
  hf_blob_free(&run->text[role]);
  run->text[role] = *file;
  return keep(run, role_file(role), hf_blob_bytes(file));
}

/* A timestamp of the version that we hold is no news: ours stays (section 5.4.3.1), if its signature is good at all. */
static bool is_no_news(const struct hf_tufrun *run, struct hf_bytes bytes)
{
  struct hf_tuf_file file, ours;
  const struct hf_blob *text = &run->text[HF_TUF_TIMESTAMP];
  return text->at != NULL && hf_tuf_parse(&file, bytes, HF_TUF_TIMESTAMP, &run->limits, NULL) == HF_OK &&
         hf_tuf_parse(&ours, hf_blob_bytes(text), HF_TUF_TIMESTAMP, &run->limits, NULL) == HF_OK &&
         file.version == ours.version && hf_tuf_verify(&file, &run->trust.root, &run->limits, NULL) == HF_ALLOW &&
         hf_tuf_verify(&ours, &run->trust.root, &run->limits, NULL) == HF_ALLOW;
}

static enum hf_err complain(const struct hf_tufrun *run, const char *url, const struct hf_why *why)
{
  if (why->rule == HF_RULE_TUF_UNAVAILABLE || why->rule == HF_RULE_TUF_NOT_FOUND) {
    hf_complain(url, "check the address and the server, and try again", "cannot be fetched: %s",
                hf_tuffetch_why(run->fetch));
    return HF_E_AGAIN;
  }
  hf_complain_why(url, why);
  return HF_E_DENIED;
}

static enum hf_err refresh_step(struct hf_tufrun *run, const struct hf_tufclient_fetch *wanted)
{
  struct hf_blob *kept = &run->text[wanted->role];
  struct hf_blob file;
  struct hf_why why = {0};
  if (kept->at != NULL && hf_tufclient_offer(&run->client, hf_blob_bytes(kept)) == HF_OK) {
    return HF_OK;
  }
  char url[HF_TUFFETCH_URL_MAX];
  join_url(url, run->url, wanted->name);
  enum hf_tufclient_got got = hf_tuffetch_get_blob(run->fetch, &file, url, wanted->max_len);
  bool ours = got == HF_TUFCLIENT_BYTES && wanted->role == HF_TUF_TIMESTAMP && is_no_news(run, hf_blob_bytes(&file));
  enum hf_err err = hf_tufclient_give(&run->client, got, hf_blob_bytes(ours ? kept : &file), &why);
  if (err != HF_OK || got != HF_TUFCLIENT_BYTES || ours) {
    hf_blob_free(&file);
    return err == HF_OK ? HF_OK : complain(run, url, &why);
  }
  return keep_role(run, wanted->role, &file);
}

enum hf_err hf_tufrun_refresh(struct hf_tufrun *run)
{
  struct hf_tufclient_fetch wanted;
  enum hf_err err = recall(run);
  if (err != HF_OK) {
    return err;
  }
  hf_tufclient_init(&run->client, &run->trust, &run->limits, run->now);
  /* Bounded by the client: roots_max roots and one file of each other role. */
  while (err == HF_OK && hf_tufclient_next(&run->client, &wanted) == HF_TUFCLIENT_FETCH) {
    err = refresh_step(run, &wanted);
  }
  if (err == HF_OK && hf_tuf_parse(&run->snapshot, hf_blob_bytes(&run->text[HF_TUF_SNAPSHOT]), HF_TUF_SNAPSHOT,
                                   &run->limits, NULL) != HF_OK) {
    return HF_E_STATE; /* it was parsed a moment ago */
  }
  return err;
}

/* ---- the search ---- */

/** What a search needs beside the run. */
struct walk {
  struct hf_tufsearch search;
  struct hf_tufsearch_role role[WAITING_MAX];
  struct hf_tuf_key key[KEYS_MAX];
  uint8_t visited[HF_TUFSEARCH_VISITED_DEFAULT][HF_TUFSEARCH_ID_LEN];
  struct hf_blob file; /* given last */
};

static enum hf_err search_step(struct hf_tufrun *run, struct walk *walk, const struct hf_tufsearch_fetch *wanted)
{
  char local[HF_FOLDER_NAME_MAX];
  char name[HF_TUFSEARCH_NAME_MAX + 1];
  struct hf_buf out = hf_buf_init(name, sizeof name);
  struct hf_blob file;
  struct hf_why why = {0};
  hf_tufsearch_put_name(&out, wanted);
  (void)!hf_buf_terminate(&out); /* room for the longest */
  hf_folder_name(local, wanted->name, ".json");
  if (hf_folder_get(&file, &run->folder, local, wanted->max_len) == HF_OK) {
    if (hf_tufsearch_offer(&walk->search, hf_blob_bytes(&file)) == HF_OK) {
      hf_blob_free(&walk->file);
      walk->file = file;
      return HF_OK;
    }
    hf_blob_free(&file);
  }
  char url[HF_TUFFETCH_URL_MAX];
  join_url(url, run->url, name);
  enum hf_tufclient_got got = hf_tuffetch_get_blob(run->fetch, &file, url, wanted->max_len);
  enum hf_err err = hf_tufsearch_give(&walk->search, got, hf_blob_bytes(&file), &why);
  if (err == HF_OK) {
    err = keep(run, local, hf_blob_bytes(&file));
  } else {
    err = complain(run, url, &why);
  }
  hf_blob_free(&walk->file);
  walk->file = file;
  return err;
}

static enum hf_err finish(struct hf_tufrun *run, const struct walk *walk, const struct hf_tufrun_target *target)
{
  struct hf_tufsearch_fetch unused;
  const struct hf_tufsearch_found *found = hf_tufsearch_found(&walk->search);
  if (found != NULL) {
    return hf_tuftarget_get(run, target, found->value);
  }
  if (hf_tufsearch_next(&walk->search, &unused) == HF_TUFSEARCH_ABSENT) {
    hf_complain(target->name, "check the name; names are case-sensitive", "the repository has no such target");
    return HF_E_NOT_FOUND;
  }
  struct hf_why why = hf_tufsearch_why(&walk->search);
  hf_complain_why(target->name, &why);
  return HF_E_DENIED;
}

enum hf_err hf_tufrun_get(struct hf_tufrun *run, const struct hf_tufrun_target *target)
{
  struct hf_tufsearch_fetch wanted;
  struct walk *walk = calloc(1, sizeof *walk);
  if (walk == NULL) {
    return HF_E_IO;
  }
  const struct hf_tufsearch_room room = {.role = walk->role,
                                         .role_cap = WAITING_MAX,
                                         .key = walk->key,
                                         .key_cap = KEYS_MAX,
                                         .visited = walk->visited,
                                         .visited_cap = HF_TUFSEARCH_VISITED_DEFAULT};
  enum hf_err err = HF_OK;
  hf_tufsearch_init(&walk->search, &room, &run->client, &run->snapshot, hf_bytes_text(target->name));
  while (err == HF_OK && hf_tufsearch_next(&walk->search, &wanted) == HF_TUFSEARCH_FETCH) { /* visited_cap times */
    err = search_step(run, walk, &wanted);
  }
  if (err == HF_OK) {
    err = finish(run, walk, target);
  }
  hf_blob_free(&walk->file);
  free(walk);
  return err;
}
