/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/place.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hf/cli/output.h"
#include "hf/cli/term.h"

/** Folders upwards from here; deeper than any source tree. */
#define UPWARDS_MAX 64

static bool has_workspace(const char *dir)
{
  char path[HF_PATH_MAX];
  return strlen(dir) + 16 < sizeof path && hf_path_join(path, dir, "holdfast.json") == HF_OK && access(path, F_OK) == 0;
}

static bool search_upwards(char out[HF_PATH_MAX])
{
  if (getcwd(out, HF_PATH_MAX) == NULL) {
    return false;
  }
  for (int i = 0; i < UPWARDS_MAX; i++) {
    if (has_workspace(out)) {
      return true;
    }
    char *slash = strrchr(out, '/');
    if (slash == NULL || out[1] == 0) {
      return false;
    }
    slash[slash == out] = 0; /* the root keeps its slash */
  }
  return false;
}

/* The option, else the variable, into `out`; false when neither is there. */
static bool named(char out[HF_PATH_MAX], const char *option, const char *variable)
{
  const char *value = option != NULL ? option : getenv(variable);
  if (value == NULL || value[0] == 0) {
    return false;
  }
  hf_format(out, HF_PATH_MAX, "%s", value);
  return true;
}

enum hf_err hf_place_workspace(char out[HF_PATH_MAX], const struct hf_call *call, bool quiet)
{
  if (named(out, hf_args_get(call, "workspace"), "HOLDFAST_WORKSPACE")) {
    if (has_workspace(out)) {
      return HF_OK;
    }
    if (!quiet) {
      hf_complain(out, "`holdfast init DIR` makes one", "this is no workspace: it has no holdfast.json");
    }
    return HF_E_NOT_FOUND;
  }
  if (search_upwards(out)) {
    return HF_OK;
  }
  if (!quiet) {
    hf_complain(NULL, "go into the workspace, give --workspace DIR, or set HOLDFAST_WORKSPACE",
                "which workspace? there is none here or in a folder above");
  }
  return HF_E_NOT_FOUND;
}

static enum hf_err below_workspace(char out[HF_PATH_MAX], const struct hf_call *call, const char *name)
{
  char dir[HF_PATH_MAX];
  struct hf_workspace workspace;
  enum hf_err err = hf_place_workspace(dir, call, false);
  if (err == HF_OK) {
    err = hf_place_read(&workspace, dir);
  }
  return err == HF_OK ? hf_path_join(out, dir, name) : err;
}

enum hf_err hf_place_offline(char out[HF_PATH_MAX], const struct hf_call *call)
{
  return named(out, hf_args_get(call, "offline"), "HOLDFAST_OFFLINE") ? HF_OK : below_workspace(out, call, "offline");
}

enum hf_err hf_place_offline_file(char out[HF_PATH_MAX], const struct hf_call *call, const char *name)
{
  char dir[HF_PATH_MAX];
  enum hf_err err = hf_place_offline(dir, call);
  return err == HF_OK ? hf_path_join(out, dir, name) : err;
}

enum hf_err hf_place_operator(char out[HF_PATH_MAX], const struct hf_call *call)
{
  return named(out, hf_args_get(call, "operator"), "HOLDFAST_OPERATOR") ? HF_OK
                                                                        : below_workspace(out, call, "operator");
}

enum hf_err hf_place_read(struct hf_workspace *workspace, const char *dir)
{
  char path[HF_PATH_MAX];
  struct hf_blob file;
  struct hf_why why = {.rule = HF_RULE_NONE};
  enum hf_err err = hf_path_join(path, dir, "holdfast.json");
  if (err == HF_OK) {
    err = hf_disk_get(&file, path, HF_WORKSPACE_FILE_MAX);
    if (err != HF_OK) {
      hf_disk_complain(err, "read", path);
    }
  }
  if (err != HF_OK) {
    return err;
  }
  err = hf_workspace_parse(workspace, hf_blob_bytes(&file), &why);
  if (err != HF_OK) {
    hf_complain_why(path, &why);
  }
  hf_blob_free(&file);
  return err;
}

enum hf_err hf_place_key_open(struct hf_key **key, const struct hf_call *call, enum hf_offline_role role,
                              const char *prompt)
{
  char path[HF_PATH_MAX];
  const struct hf_passphrase_source source = {.file = hf_args_get(call, "passphrase-file"), .prompt = prompt};
  const char *given = hf_args_get(call, "key");
  *key = NULL;
  if (given != NULL) {
    return hf_key_file_open(key, given, &source);
  }
  enum hf_err err = hf_place_offline_file(path, call, hf_offline_name(role));
  return err == HF_OK ? hf_key_file_open(key, path, &source) : err;
}
