/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/publish.h"

#include <stdlib.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/cli/output.h"
#include "hf/cli/term.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/tufrole.h"

/** Files of one refresh: a root chain of 256, and three more. */
#define FETCHES_MAX 260
/** What an edit adds beside its entries: version, expiry, the frame around "signed". */
#define FRAME_MAX 4096

/* ---- the operator's trust ---- */

static enum hf_err trust_from_root(struct hf_publish *publish)
{
  char path[HF_PATH_MAX];
  struct hf_blob root;
  struct hf_why why = {.rule = HF_RULE_NONE};
  enum hf_err err = hf_path_join(path, publish->offline, "root.json");
  if (err != HF_OK) {
    return err;
  }
  err = hf_disk_get(&root, path, publish->limits.file_max[HF_TUF_ROOT]);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  if (hf_tuf_trust_verify(&publish->trust, hf_blob_bytes(&root), &publish->limits, &why) != HF_ALLOW) {
    hf_complain_why(path, &why);
    err = HF_E_INPUT;
  }
  hf_blob_free(&root);
  return err;
}

static enum hf_err trust_read(struct hf_publish *publish)
{
  char path[HF_PATH_MAX];
  struct hf_blob record;
  struct hf_why why = {.rule = HF_RULE_NONE};
  enum hf_err err = hf_path_join(path, publish->offline, "trust.cbor");
  if (err != HF_OK) {
    return err;
  }
  err = hf_disk_get(&record, path, HF_TUF_TRUST_MAX);
  if (err == HF_E_NOT_FOUND) {
    return trust_from_root(publish);
  }
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  err = hf_tuf_trust_parse(&publish->trust, hf_blob_bytes(&record), &why);
  if (err != HF_OK) {
    hf_complain(path,
                "restore it from a backup; taking it away starts again from root.json, without the rollback floor",
                "the record of what this operator trusts is damaged");
  }
  hf_blob_free(&record);
  return err;
}

static enum hf_err trust_write(const struct hf_publish *publish)
{
  char path[HF_PATH_MAX];
  uint8_t room[HF_TUF_TRUST_MAX];
  struct hf_buf record = hf_buf_init(room, sizeof room);
  enum hf_err err = hf_path_join(path, publish->offline, "trust.cbor");
  if (err != HF_OK) {
    return err;
  }
  hf_tuf_trust_encode(&record, &publish->trust);
  HF_ASSERT(!record.failed);
  err = hf_disk_put(path, hf_buf_bytes(&record), 0644);
  if (err != HF_OK) {
    hf_disk_complain(err, "write", path);
  }
  return err;
}

enum hf_err hf_publish_init(struct hf_publish *publish, const char *offline, int64_t now)
{
  *publish = (struct hf_publish){.offline = offline, .now = now, .limits = hf_tuf_limits_init()};
  publish->limits.file_max[HF_TUF_TARGETS] = HF_PUBLISH_TARGETS_MAX;
  publish->scratch.at = malloc(HF_PUBLISH_TARGETS_MAX);
  HF_ASSERT(publish->scratch.at != NULL);
  publish->limits.scratch = publish->scratch.at;
  publish->limits.scratch_cap = HF_PUBLISH_TARGETS_MAX;
  return trust_read(publish);
}

void hf_publish_free(struct hf_publish *publish)
{
  hf_blob_free(&publish->scratch);
  hf_blob_free(&publish->targets);
  hf_blob_free(&publish->snapshot);
}

/* ---- refresh ---- */

/* Fetch one file and give it; the targets file stays in `publish`. An exit code. */
static int step(struct hf_publish *publish, struct hf_tufclient *tuf, struct hf_client *client,
                const struct hf_tufclient_fetch *fetch)
{
  static const enum hf_tufclient_got gots[] = {[HF_CLIENT_GOT] = HF_TUFCLIENT_BYTES,
                                               [HF_CLIENT_ABSENT] = HF_TUFCLIENT_NOT_FOUND,
                                               [HF_CLIENT_TOO_LONG] = HF_TUFCLIENT_TOO_LONG,
                                               [HF_CLIENT_FAILED] = HF_TUFCLIENT_FAILED};
  struct hf_blob file;
  struct hf_why why = {.rule = HF_RULE_NONE};
  const char *path = hf_say("/repo/metadata/%s", fetch->name);
  enum hf_client_got got = hf_client_get(client, &file, path, fetch->max_len);
  enum hf_err err = hf_tufclient_give(tuf, gots[got], hf_blob_bytes(&file), &why);
  if (fetch->role == HF_TUF_TARGETS) {
    hf_blob_free(&publish->targets);
    publish->targets = file;
  } else if (fetch->role == HF_TUF_SNAPSHOT) {
    hf_blob_free(&publish->snapshot);
    publish->snapshot = file;
  } else {
    hf_blob_free(&file);
  }
  if (err == HF_OK && hf_tufclient_changed(tuf)) {
    return hf_exit_of(trust_write(publish));
  }
  if (err == HF_OK) {
    return HF_EXIT_DONE;
  }
  if (got != HF_CLIENT_FAILED) {
    hf_complain_why(hf_say("%s%s", hf_client_url(client), path), &why);
  }
  return got == HF_CLIENT_FAILED ? HF_EXIT_UNREACHABLE : HF_EXIT_FAILED;
}

int hf_publish_refresh(struct hf_publish *publish, struct hf_client *client)
{
  struct hf_tufclient tuf;
  struct hf_tufclient_fetch fetch;
  int code = HF_EXIT_DONE;
  hf_tufclient_init(&tuf, &publish->trust, &publish->limits, publish->now);
  for (int i = 0; i < FETCHES_MAX && code == HF_EXIT_DONE; i++) {
    if (hf_tufclient_next(&tuf, &fetch) != HF_TUFCLIENT_FETCH) {
      break;
    }
    code = step(publish, &tuf, client, &fetch);
  }
  const struct hf_tuf_file *targets = hf_tufclient_targets(&tuf);
  if (code == HF_EXIT_DONE && targets == NULL) {
    struct hf_why why = hf_tufclient_why(&tuf);
    hf_complain_why(hf_client_url(client), &why);
    return HF_EXIT_FAILED;
  }
  if (code == HF_EXIT_DONE) {
    publish->file = *targets;
  }
  return code;
}

/* ---- delegated roles ---- */

static const char *role_check(struct hf_tuf_file *file, const struct hf_publish *publish, const struct hf_tuf_meta *meta,
                              struct hf_bytes text, const struct hf_tufkey_ring *ring)
{
  if (hf_tuf_meta_verify(meta, text, &publish->limits, NULL) != HF_ALLOW) {
    return "it is not the file that the snapshot lists";
  }
  if (hf_tuf_parse(file, text, HF_TUF_TARGETS, &publish->limits, NULL) != HF_OK || file->version != meta->version) {
    return "it is not the targets file that the snapshot lists";
  }
  return hf_tufkey_verify(file, ring, &publish->limits, NULL) == HF_ALLOW ? NULL
                                                                         : "not enough of its holders have signed it";
}

int hf_publish_role(struct hf_publish *publish, struct hf_client *client, struct hf_tuf_file *file,
                    struct hf_blob *text, const char *name)
{
  struct hf_tufrole role;
  struct hf_tuf_file snapshot;
  struct hf_tuf_meta meta;
  struct hf_why why = {.rule = HF_RULE_NONE};
  *text = (struct hf_blob){NULL, 0};
  enum hf_err err = hf_tufrole_get(&role, &publish->file, hf_bytes_text(name), &publish->limits, &why);
  if (err != HF_OK) {
    hf_complain_why(name, &why);
    return hf_exit_of(err);
  }
  err = hf_tuf_parse(&snapshot, hf_blob_bytes(&publish->snapshot), HF_TUF_SNAPSHOT, &publish->limits, NULL);
  if (err == HF_OK) {
    err = hf_tuf_meta_get(&meta, &snapshot, hf_say("%s.json", name), NULL);
  }
  if (err == HF_E_NOT_FOUND) {
    return HF_EXIT_DONE;
  }
  const char *path = hf_say("/repo/metadata/%u.%s.json", meta.version, name);
  if (err != HF_OK || hf_client_get(client, text, path, HF_PUBLISH_TARGETS_MAX) != HF_CLIENT_GOT) {
    hf_complain(hf_say("%s%s", hf_client_url(client), path), "try again; look at the server", "the file did not come");
    return HF_EXIT_UNREACHABLE;
  }
  const char *wrong = role_check(file, publish, &meta, hf_blob_bytes(text), &role.ring);
  if (wrong != NULL) {
    hf_complain(hf_say("%s%s", hf_client_url(client), path), "do not go on; somebody may have changed it", "%s", wrong);
    return HF_EXIT_FAILED;
  }
  return HF_EXIT_DONE;
}

enum hf_err hf_publish_unsigned(struct hf_blob *text, struct hf_bytes body)
{
  size_t cap = body.len + FRAME_MAX;
  text->at = malloc(cap);
  HF_ASSERT(text->at != NULL);
  struct hf_buf file = hf_buf_init(text->at, cap);
  hf_tufwrite_put_file(&file, body, NULL, 0);
  text->len = file.len;
  return file.failed ? HF_E_SPACE : HF_OK;
}

/* ---- sign ---- */

static enum hf_err sign_message(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

/* May this key sign targets, alone? */
static const char *key_check(const struct hf_tuf_root *root, const struct hf_pubkey *pub)
{
  const struct hf_tuf_signers *signers = &root->role[HF_TUF_TARGETS];
  for (unsigned i = 0; i < root->key_count; i++) {
    if ((signers->keys >> i & 1) != 0 && hf_pubkey_equal(&root->key[i].pub, pub)) {
      return signers->threshold == 1 ? NULL : "the root wants more than one signature on targets";
    }
  }
  return "the root does not list this key for targets";
}

static enum hf_err self_check(const struct hf_publish *publish, struct hf_bytes text)
{
  struct hf_tuf_file file;
  struct hf_why why = {.rule = HF_RULE_NONE};
  enum hf_err err = hf_tuf_parse(&file, text, HF_TUF_TARGETS, &publish->limits, &why);
  if (err == HF_OK && hf_tuf_verify(&file, &publish->trust.root, &publish->limits, &why) != HF_ALLOW) {
    err = HF_E_DENIED;
  }
  if (err != HF_OK) {
    hf_complain_why("what was signed", &why);
  }
  return err;
}

static enum hf_err sign_with(struct hf_publish *publish, struct hf_blob *text, const struct hf_tufwrite_edit *edit,
                             struct hf_key *key)
{
  struct hf_tufwrite_signer signer = {.sign = sign_message, .ctx = key};
  size_t cap = publish->targets.len + FRAME_MAX;
  enum hf_err err = hf_key_public(&signer.pub, key);
  const char *wrong = err == HF_OK ? key_check(&publish->trust.root, &signer.pub) : NULL;
  if (wrong != NULL) {
    hf_complain(hf_say("%s/%s", publish->offline, hf_offline_name(HF_OFFLINE_TARGETS)),
                "use the offline folder that belongs to this server", "%s", wrong);
    return HF_E_DENIED;
  }
  for (size_t i = 0; i < edit->count; i++) {
    cap += edit->entries[i].path.len + edit->entries[i].value.len + 16;
  }
  struct hf_blob body_room = {malloc(cap), cap};
  text->at = malloc(cap + FRAME_MAX);
  HF_ASSERT(body_room.at != NULL && text->at != NULL);
  struct hf_buf body = hf_buf_init(body_room.at, cap);
  struct hf_buf file = hf_buf_init(text->at, cap + FRAME_MAX);
  if (err == HF_OK) {
    err = hf_tufwrite_edit_targets(&body, publish->file.body, edit);
  }
  if (err == HF_OK) {
    struct hf_buf scratch = hf_buf_init(publish->scratch.at, HF_PUBLISH_TARGETS_MAX);
    err = hf_tufwrite_sign_file(&file, scratch, hf_buf_bytes(&body), &signer, 1);
  }
  text->len = file.len;
  hf_blob_free(&body_room);
  if (err == HF_E_SPACE || text->len > HF_PUBLISH_TARGETS_MAX) {
    hf_complain(NULL, "take old releases out", "targets.json would be longer than 4 MiB");
    return HF_E_SPACE;
  }
  if (err != HF_OK && hf_key_complain(key, hf_offline_name(HF_OFFLINE_TARGETS))) {
    return err;
  }
  if (err != HF_OK) {
    hf_complain(NULL, "check the release's arguments", "the metadata cannot be written (%s)", hf_err_name(err));
    return err;
  }
  return self_check(publish, hf_blob_bytes(text));
}

enum hf_err hf_publish_sign(struct hf_publish *publish, struct hf_blob *text, const struct hf_tufwrite_edit *edit,
                            const struct hf_passphrase_source *source)
{
  struct hf_key *key;
  *text = (struct hf_blob){NULL, 0};
  enum hf_err err = hf_offline_key_open(&key, publish->offline, HF_OFFLINE_TARGETS, source);
  if (err == HF_OK) {
    err = sign_with(publish, text, edit, key);
  }
  hf_key_free(key);
  if (err != HF_OK) {
    hf_blob_free(text);
  }
  return err;
}
