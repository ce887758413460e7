/* SPDX-License-Identifier: Apache-2.0
 * holdfast targets delegate, renew. */
#include <stdlib.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/cli/command.h"
#include "hf/cli/draft.h"
#include "hf/cli/output.h"
#include "hf/cli/term.h"
#include "hf/wire/tufwrite.h"

#define TARGETS_LIFE_S (UINT64_C(365) * 86400)
#define PATHS_MAX 32

/** What is asked for. */
struct order {
  struct hf_bytes path[PATHS_MAX];
  struct hf_pubkey key[HF_TUF_KEYS_MAX];
  struct hf_tufwrite_delegation delegation;
  uint64_t life_s;
};

static enum hf_err name_check(const char *name)
{
  static const char *const taken[] = {"root", "targets", "snapshot", "timestamp"};
  static const char fits[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
  bool good =
      strlen(name) >= 1 && strlen(name) <= 32 && strspn(name, fits) == strlen(name) && name[0] != '-' && name[0] != '_';
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
    good = good && strcmp(name, taken[i]) != 0;
  }
  if (!good) {
    hf_complain(name, "1 to 32 of a-z 0-9 - _, and not the name of a top-level role",
                "not a name for a delegated role");
  }
  return good ? HF_OK : HF_E_INPUT;
}

static enum hf_err order_get(struct order *order, const struct hf_call *call)
{
  size_t at = 0;
  uint64_t threshold;
  struct hf_tufwrite_delegation *delegation = &order->delegation;
  *order = (struct order){.life_s = 0};
  enum hf_err err = name_check(call->operands[0]);
  for (const char *text = hf_args_next(call, "path", &at); text != NULL && err == HF_OK;
       text = hf_args_next(call, "path", &at)) {
    err = delegation->path_count == PATHS_MAX ? HF_E_SPACE : HF_OK;
    if (err == HF_OK) {
      order->path[delegation->path_count++] = hf_bytes_text(text);
    }
  }
  at = 0;
  for (const char *file = hf_args_next(call, "key", &at); file != NULL && err == HF_OK;
       file = hf_args_next(call, "key", &at)) {
    err = delegation->key_count == HF_TUF_KEYS_MAX ? HF_E_SPACE
                                                   : hf_draft_pubkey(&order->key[delegation->key_count], file);
    delegation->key_count += err == HF_OK;
  }
  if (err == HF_OK && (delegation->path_count == 0 || delegation->key_count == 0)) {
    hf_complain(NULL, "write --path PATTERN and --key FILE.pub, once or more", "which paths, and whose keys?");
    err = HF_E_INPUT;
  }
  if (err == HF_OK) {
    err = hf_args_number(call, "threshold", &threshold, 1, (const uint64_t[]){1, delegation->key_count});
  }
  if (err == HF_OK) {
    err = hf_args_duration(call, "expires", &order->life_s, TARGETS_LIFE_S);
  }
  delegation->name = hf_bytes_text(call->operands[0]);
  delegation->paths = order->path;
  delegation->keys = order->key;
  delegation->threshold = err == HF_OK ? (uint16_t)threshold : 1;
  delegation->terminating = hf_args_has(call, "terminating");
  return err;
}

/* targets.json with the delegation, and the role's own file: its first, or the present one for new holders to sign. */
static int delegate(struct hf_draft *draft, const struct order *order, const struct hf_call *call)
{
  struct hf_tufrole role;
  struct hf_tuf_file own = {.version = 0};
  struct hf_blob text = {NULL, 0};
  const char *name = call->operands[0];
  int64_t expires = draft->now + (int64_t)order->life_s;
  int code = HF_EXIT_DONE;
  if (hf_tufrole_get(&role, &draft->publish.file, order->delegation.name, &draft->publish.limits, NULL) == HF_OK) {
    code = hf_publish_role(&draft->publish, draft->client, &own, &text, name);
  }
  if (code == HF_EXIT_DONE) {
    const struct hf_tufwrite_edit top = {.version = draft->publish.file.version + 1, .expires = expires};
    const struct hf_tufwrite_edit below = {.version = own.version + 1, .expires = expires};
    enum hf_err err = hf_draft_put_targets(draft, "targets", &draft->publish.file, &top, &order->delegation);
    if (err == HF_OK) {
      err = hf_draft_put_targets(draft, name, &own, &below, NULL);
    }
    code = err == HF_OK ? hf_draft_finish(draft, call, hf_say("delegate-%s.ceremony", name)) : hf_exit_of(err);
  }
  hf_blob_free(&text);
  return code;
}

int hf_cmd_targets_delegate(const struct hf_call *call)
{
  struct order order;
  struct hf_draft *draft = calloc(1, sizeof *draft);
  HF_ASSERT(draft != NULL);
  int code = HF_EXIT_USAGE;
  if (order_get(&order, call) == HF_OK) {
    code = hf_draft_open(draft, call, "image");
    code = code == HF_EXIT_DONE ? delegate(draft, &order, call) : code;
  }
  hf_draft_close(draft);
  free(draft);
  return code;
}

static int renew(struct hf_draft *draft, const struct hf_call *call, const char *name, uint64_t life_s)
{
  struct hf_tuf_file file = draft->publish.file;
  struct hf_blob text = {NULL, 0};
  int code = HF_EXIT_DONE;
  if (strcmp(name, "targets") != 0) {
    code = hf_publish_role(&draft->publish, draft->client, &file, &text, name);
    hf_ceremony_put_targets(&draft->ceremony, draft->publish.file.text);
  }
  if (code == HF_EXIT_DONE) {
    const struct hf_tufwrite_edit edit = {.version = file.version + 1, .expires = draft->now + (int64_t)life_s};
    enum hf_err err = hf_draft_put_targets(draft, name, &file, &edit, NULL);
    code = err == HF_OK ? hf_draft_finish(draft, call, hf_say("%s-%u.ceremony", name, edit.version)) : hf_exit_of(err);
  }
  hf_blob_free(&text);
  return code;
}

int hf_cmd_targets_renew(const struct hf_call *call)
{
  uint64_t life_s;
  struct hf_draft *draft = calloc(1, sizeof *draft);
  HF_ASSERT(draft != NULL);
  int code = HF_EXIT_USAGE;
  if (hf_args_duration(call, "expires", &life_s, TARGETS_LIFE_S) == HF_OK) {
    code = hf_draft_open(draft, call, "image");
    code = code == HF_EXIT_DONE ? renew(draft, call, hf_args_get_or(call, "role", "targets"), life_s) : code;
  }
  hf_draft_close(draft);
  free(draft);
  return code;
}
