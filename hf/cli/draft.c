/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/draft.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hf/base/assert.h"
#include "hf/cli/output.h"
#include "hf/cli/place.h"
#include "hf/cli/term.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/tufwrite.h"

/** What an edit adds to a body beside its entries: a delegation with sixteen keys and its patterns. */
#define EDIT_ROOM (64u << 10)

static int root_fetch(json_t **reply, struct hf_client *client, const char *repository, int number)
{
  struct hf_client_path path;
  hf_client_path_init(&path, "/roots");
  hf_client_path_put(&path, repository);
  hf_client_path_put(&path, hf_say("%d", number));
  return hf_client_ask(client, reply, "GET", &path, NULL);
}

static int roots_fetch(json_t **roots, struct hf_client *client, const char *repository)
{
  int newest = 1;
  int code = HF_EXIT_DONE;
  *roots = json_array();
  for (int number = 1; number <= newest && number <= HF_CEREMONY_ROOTS_MAX && code == HF_EXIT_DONE; number++) {
    json_t *reply = NULL;
    code = root_fetch(&reply, client, repository, number);
    if (code == HF_EXIT_DONE) {
      newest = (int)json_integer_value(json_object_get(reply, "newest"));
      HF_ASSERT(json_array_append(*roots, json_object_get(reply, "root")) == 0);
    }
    json_decref(reply);
  }
  return code;
}

/* The first root must be the one this operator was given. */
static enum hf_err born_check(const struct hf_draft *draft, const json_t *roots, bool director)
{
  char path[HF_PATH_MAX];
  struct hf_blob text;
  const struct hf_why why = {.rule = HF_RULE_CEREMONY_ANCHOR};
  const json_t *first = json_array_get(roots, 0);
  enum hf_err err = hf_path_join(path, draft->offline, director ? "director-root.json" : "root.json");
  if (err == HF_OK) {
    err = hf_disk_get(&text, path, draft->publish.limits.file_max[HF_TUF_ROOT]);
  }
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  bool same = hf_bytes_equal(hf_blob_bytes(&text), hf_bytes_init(json_string_value(first), json_string_length(first)));
  hf_blob_free(&text);
  if (!same) {
    hf_complain_why(hf_client_url(draft->client), &why);
  }
  return same ? HF_OK : HF_E_DENIED;
}

int hf_draft_open(struct hf_draft *draft, const struct hf_call *call, const char *repository)
{
  json_t *roots = NULL;
  bool director = strcmp(repository, "director") == 0;
  memset(draft, 0, sizeof *draft);
  draft->now = (int64_t)time(NULL);
  enum hf_err err = hf_place_offline(draft->offline, call);
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  int code = hf_client_open(&draft->client, call);
  if (code == HF_EXIT_DONE) {
    code = hf_exit_of(hf_publish_init(&draft->publish, draft->offline, draft->now));
  }
  if (code == HF_EXIT_DONE && !director) {
    draft->publish.now =
        0; /* what has expired is renewed in this very way; versions are held to the floor all the same */
    code = hf_publish_refresh(&draft->publish, draft->client);
  }
  if (code == HF_EXIT_DONE) {
    code = roots_fetch(&roots, draft->client, repository);
  }
  if (code == HF_EXIT_DONE) {
    code = hf_exit_of(born_check(draft, roots, director));
  }
  if (code != HF_EXIT_DONE) {
    json_decref(roots);
    return code;
  }
  hf_ceremony_init(&draft->ceremony, director, roots);
  return code;
}

void hf_draft_close(struct hf_draft *draft)
{
  hf_ceremony_free(&draft->ceremony);
  hf_publish_free(&draft->publish);
  if (draft->client != NULL) {
    hf_client_close(draft->client);
  }
}

enum hf_err hf_draft_put_targets(struct hf_draft *draft, const char *name, const struct hf_tuf_file *present,
                                 const struct hf_tufwrite_edit *edit, const struct hf_tufwrite_delegation *delegation)
{
  struct hf_blob next = {NULL, 0};
  size_t cap = present->text.len + EDIT_ROOM;
  for (size_t i = 0; i < edit->count; i++) {
    cap += edit->entries[i].path.len + edit->entries[i].value.len + 16;
  }
  uint8_t *room = malloc(cap);
  HF_ASSERT(room != NULL);
  struct hf_buf body = hf_buf_init(room, cap);
  enum hf_err err = HF_OK;
  if (present->text.len == 0) {
    err = hf_tufwrite_put_targets(&body, edit->version, edit->expires, edit->entries, edit->count);
  } else if (delegation != NULL) {
    err = hf_tufwrite_edit_delegation(&body, present->body, edit, delegation);
  } else {
    err = hf_tufwrite_edit_targets(&body, present->body, edit);
  }
  if (err == HF_OK) {
    err = hf_publish_unsigned(&next, hf_buf_bytes(&body));
  }
  if (err == HF_OK) {
    hf_ceremony_put(&draft->ceremony, name, present->text, hf_blob_bytes(&next));
  } else {
    hf_complain(name, "check keys, threshold and patterns", "the file cannot be written (%s)", hf_err_name(err));
  }
  hf_blob_free(&next);
  free(room);
  return err;
}

int hf_draft_finish(struct hf_draft *draft, const struct hf_call *call, const char *name)
{
  struct hf_why why = {.rule = HF_RULE_NONE};
  char path[HF_PATH_MAX]; /* a copy: what is printed below takes hf_say's rooms */
  hf_format(path, sizeof path, "%s", hf_args_get_or(call, "out", name));
  enum hf_err err = hf_ceremony_check(&draft->ceremony, &why);
  if (err != HF_OK) {
    hf_complain_why("the draft", &why);
    return hf_exit_of(err);
  }
  err = hf_ceremony_write(&draft->ceremony, path);
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  const char *group = draft->ceremony.has_root ? "root" : "targets";
  hf_ceremony_print(&draft->ceremony, stdout);
  putchar('\n');
  hf_ceremony_print_status(&draft->ceremony, stdout);
  printf("\nThe draft is in %s. Its holders sign it: holdfast %s sign %s\nthen: holdfast %s publish %s\n", path, group,
         path, group, path);
  return HF_EXIT_DONE;
}

enum hf_err hf_draft_pubkey(struct hf_pubkey *pub, const char *path)
{
  struct hf_blob pem;
  enum hf_err err = hf_disk_get(&pem, path, HF_PUBKEY_PEM_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  err = hf_pubkey_parse_pem(pub, hf_blob_bytes(&pem));
  hf_blob_free(&pem);
  if (err != HF_OK) {
    hf_complain(path, "give the public half: openssl pkey -in KEY.pem -pubout", "not a public P-256 or Ed25519 key");
  }
  return err;
}
