/* SPDX-License-Identifier: Apache-2.0
 * holdfast root|targets sign, status, export, import, publish: a draft on its way. Both groups do the same; which keys
 * are asked for, the draft says. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hf/base/assert.h"
#include "hf/cli/ceremony.h"
#include "hf/cli/command.h"
#include "hf/cli/output.h"
#include "hf/cli/place.h"
#include "hf/cli/publish.h"
#include "hf/cli/term.h"

/* ---- what this computer knows ---- */

/* The file with a root this computer trusts: --root, or the one in the offline folder. False: it knows none. */
static bool anchor_path(char path[HF_PATH_MAX], const struct hf_call *call, bool director)
{
  const char *given = hf_args_get(call, "root");
  char dir[HF_PATH_MAX];
  if (given != NULL) {
    hf_format(path, HF_PATH_MAX, "%s", given);
    return true;
  }
  const char *offline = hf_args_get(call, "offline");
  offline = offline != NULL ? offline : getenv("HOLDFAST_OFFLINE");
  if (offline != NULL) {
    hf_format(dir, sizeof dir, "%s", offline);
  } else if (hf_place_workspace(dir, call, true) != HF_OK) {
    return false;
  }
  hf_format(path, HF_PATH_MAX, "%s%s/%s", dir, offline != NULL ? "" : "/offline",
            director ? "director-root.json" : "root.json");
  return access(path, R_OK) == 0;
}

/* Is the root this computer trusts one of the draft's? `*known` false: there is none to compare with. */
static enum hf_err anchor_check(bool *known, const struct hf_ceremony *ceremony, const struct hf_call *call)
{
  char path[HF_PATH_MAX];
  struct hf_blob text;
  const struct hf_why why = {.rule = HF_RULE_CEREMONY_ANCHOR};
  const json_t *roots = json_object_get(ceremony->json, "roots");
  bool found = false;
  *known = anchor_path(path, call, ceremony->director);
  if (!*known) {
    return HF_OK;
  }
  enum hf_err err = hf_disk_get(&text, path, ceremony->limits.file_max[HF_TUF_ROOT]);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  for (size_t i = 0; i < json_array_size(roots) && !found; i++) {
    const json_t *root = json_array_get(roots, i);
    found = hf_bytes_equal(hf_blob_bytes(&text), hf_bytes_init(json_string_value(root), json_string_length(root)));
  }
  hf_blob_free(&text);
  if (!found) {
    hf_complain_why(path, &why);
  }
  return found ? HF_OK : HF_E_DENIED;
}

static enum hf_err agree(const struct hf_call *call)
{
  char line[16] = "";
  if (hf_args_has(call, "yes")) {
    return HF_OK;
  }
  if (!isatty(STDIN_FILENO)) {
    hf_complain(NULL, "read what stands above, then say --yes", "nobody is here to agree to this signature");
    return HF_E_STATE;
  }
  fprintf(stderr, "\nSign this? Type yes: ");
  if (fgets(line, sizeof line, stdin) == NULL || strcmp(line, "yes\n") != 0) {
    hf_complain(NULL, NULL, "not signed");
    return HF_E_STATE;
  }
  return HF_OK;
}

/* ---- sign ---- */

static enum hf_err key_open(struct hf_key **key, const struct hf_call *call)
{
  char path[HF_PATH_MAX];
  const char *given = hf_args_get(call, "key");
  struct hf_passphrase_source source = {.file = hf_args_get(call, "passphrase-file"),
                                        .prompt = "Passphrase of the signing key"};
  bool root = strcmp(call->command->group, "root") == 0;
  enum hf_err err = HF_OK;
  if (given != NULL) {
    hf_format(path, sizeof path, "%s", given);
  } else {
    err = hf_place_offline_file(path, call, hf_offline_name(root ? HF_OFFLINE_ROOT : HF_OFFLINE_TARGETS));
  }
  return err == HF_OK ? hf_key_file_open(key, path, &source) : err;
}

static enum hf_err sign_with(struct hf_ceremony *ceremony, const struct hf_call *call)
{
  struct hf_key *key = NULL;
  struct hf_why why = {.rule = HF_RULE_NONE};
  const char *path = call->operands[0];
  size_t count = 0;
  enum hf_err err = key_open(&key, call);
  if (err != HF_OK) {
    return err;
  }
  err = hf_ceremony_sign(ceremony, &count, key, &why);
  hf_key_free(key);
  if (err != HF_OK) {
    hf_complain_why(path, &why);
    return err;
  }
  path = hf_args_get_or(call, "out", path);
  err = hf_ceremony_write(ceremony, path);
  if (err == HF_OK) {
    printf("\nSigned %zu file%s of the draft; written to ", count, count == 1 ? "" : "s");
    hf_print_clean(stdout, path);
    putchar('\n');
    hf_ceremony_print_status(ceremony, stdout);
    puts(hf_ceremony_complete(ceremony) ? "It is complete: publish it, on a computer with a login."
                                        : "It goes on to the holders who are missing.");
  }
  return err;
}

int hf_cmd_ceremony_sign(const struct hf_call *call)
{
  struct hf_ceremony ceremony;
  bool known = false;
  enum hf_err err = hf_ceremony_open(&ceremony, call->operands[0]);
  if (err == HF_OK) {
    err = anchor_check(&known, &ceremony, call);
  }
  if (err == HF_OK) {
    hf_ceremony_print(&ceremony, stdout);
    puts(known
             ? "This computer knows this fleet's root: the draft begins with it."
             : "! This computer knows no root of this fleet. Compare the SHA-256 of the first root with the one that\n"
               "  `holdfast init` printed, or give --root FILE.");
    fflush(stdout);
    err = agree(call);
  }
  if (err == HF_OK) {
    err = sign_with(&ceremony, call);
  }
  hf_ceremony_free(&ceremony);
  return hf_exit_of(err);
}

/* ---- status, export, import ---- */

int hf_cmd_ceremony_status(const struct hf_call *call)
{
  struct hf_ceremony ceremony;
  enum hf_err err = hf_ceremony_open(&ceremony, call->operands[0]);
  if (err == HF_OK) {
    hf_ceremony_print(&ceremony, stdout);
    putchar('\n');
    hf_ceremony_print_status(&ceremony, stdout);
    puts(hf_ceremony_complete(&ceremony) ? "complete" : "not complete");
  }
  hf_ceremony_free(&ceremony);
  return hf_exit_of(err);
}

/* The words as an array of lines, for whoever opens the file in an editor. */
static enum hf_err words_put(struct hf_ceremony *ceremony)
{
  char *text = NULL;
  size_t len = 0;
  FILE *memory = open_memstream(&text, &len);
  HF_ASSERT(memory != NULL);
  hf_ceremony_print(ceremony, memory);
  fclose(memory);
  json_t *lines = json_array();
  for (char *line = text; *line != 0;) {
    size_t end = strcspn(line, "\n");
    HF_ASSERT(json_array_append_new(lines, json_stringn(line, end)) == 0);
    line += end + (line[end] == '\n');
  }
  free(text);
  return json_object_set_new(ceremony->json, "words", lines) == 0 ? HF_OK : HF_E_SPACE;
}

int hf_cmd_ceremony_export(const struct hf_call *call)
{
  struct hf_ceremony ceremony;
  const char *out = hf_args_get(call, "out");
  if (out == NULL) {
    hf_complain(NULL, "write --out FILE, such as a file on a stick", "where to?");
    return HF_EXIT_USAGE;
  }
  enum hf_err err = hf_ceremony_open(&ceremony, call->operands[0]);
  if (err == HF_OK) {
    err = words_put(&ceremony);
  }
  if (err == HF_OK) {
    err = hf_ceremony_write(&ceremony, out);
  }
  if (err == HF_OK) {
    hf_ceremony_print(&ceremony, stdout);
    printf("Written to %s. Its holder signs it, without a network, by\n  holdfast %s sign %s --key KEYFILE\n", out,
           call->command->group, out);
  }
  hf_ceremony_free(&ceremony);
  return hf_exit_of(err);
}

static enum hf_err import_one(struct hf_ceremony *ceremony, const char *path)
{
  struct hf_ceremony other;
  struct hf_why why = {.rule = HF_RULE_NONE};
  size_t count = 0;
  enum hf_err err = hf_ceremony_open(&other, path);
  if (err == HF_OK) {
    err = hf_ceremony_merge(ceremony, &other, &count, &why);
    if (err != HF_OK) {
      hf_complain_why(path, &why);
    } else {
      printf("%zu new signature%s in ", count, count == 1 ? "" : "s");
      hf_print_clean(stdout, path);
      putchar('\n');
    }
  }
  hf_ceremony_free(&other);
  return err;
}

int hf_cmd_ceremony_import(const struct hf_call *call)
{
  struct hf_ceremony ceremony;
  enum hf_err err = hf_ceremony_open(&ceremony, call->operands[0]);
  for (size_t i = 1; i < call->operand_count && err == HF_OK; i++) {
    err = import_one(&ceremony, call->operands[i]);
  }
  if (err == HF_OK) {
    err = hf_ceremony_write(&ceremony, call->operands[0]);
  }
  if (err == HF_OK) {
    hf_ceremony_print_status(&ceremony, stdout);
    puts(hf_ceremony_complete(&ceremony) ? "complete" : "not complete");
  }
  hf_ceremony_free(&ceremony);
  return hf_exit_of(err);
}

/* ---- publish ---- */

static json_t *text_of(const struct hf_ceremony_file *file)
{
  return json_stringn((const char *)file->next.text.at, file->next.text.len);
}

/* The targets files as the API takes them. */
static json_t *files_of(const struct hf_ceremony *ceremony)
{
  json_t *files = json_array();
  for (size_t i = 0; i < ceremony->count; i++) {
    if (strcmp(ceremony->file[i].name, "root") != 0) {
      HF_ASSERT(json_array_append_new(files, json_pack("{s:s, s:o}", "name", ceremony->file[i].name, "text",
                                                       text_of(&ceremony->file[i]))) == 0);
    }
  }
  return files;
}

static json_t *body_of(const struct hf_ceremony *ceremony, const char **route)
{
  const json_t *release = json_object_get(ceremony->json, "release");
  if (release != NULL && !ceremony->has_root && ceremony->count == 1) {
    json_t *body = json_deep_copy(release);
    *route = "/releases";
    HF_ASSERT(json_object_set_new(body, "targets", text_of(&ceremony->file[0])) == 0);
    if (strcmp(ceremony->file[0].name, "targets") != 0) {
      HF_ASSERT(json_object_set_new(body, "role", json_string(ceremony->file[0].name)) == 0);
    }
    return body;
  }
  json_t *files = files_of(ceremony);
  if (!ceremony->has_root) {
    *route = "/targets";
    return json_pack("{s:o}", "files", files);
  }
  *route = "/roots";
  json_t *body = json_pack("{s:s, s:o}", "repository", ceremony->director ? "director" : "image", "files", files);
  for (size_t i = 0; i < ceremony->count; i++) {
    if (strcmp(ceremony->file[i].name, "root") == 0) {
      HF_ASSERT(json_object_set_new(body, "root", text_of(&ceremony->file[i])) == 0);
    }
  }
  return body;
}

static int post(const struct hf_ceremony *ceremony, const struct hf_call *call)
{
  const char *route;
  struct hf_client_path path;
  struct hf_client *client;
  json_t *reply = NULL;
  int code = hf_client_open(&client, call);
  if (code != HF_EXIT_DONE) {
    return code;
  }
  json_t *body = body_of(ceremony, &route);
  hf_client_path_init(&path, route);
  code = hf_client_ask(client, &reply, "POST", &path, body);
  if (code == HF_EXIT_DONE && hf_args_has(call, "json")) {
    hf_output_json(json_incref(reply));
  } else if (code == HF_EXIT_DONE) {
    puts("Published. The server has verified it as a device would, from the first root on.");
  }
  json_decref(reply);
  json_decref(body);
  hf_client_close(client);
  return code;
}

int hf_cmd_ceremony_publish(const struct hf_call *call)
{
  struct hf_ceremony ceremony;
  const struct hf_why why = {.rule = HF_RULE_CEREMONY_MISSING};
  enum hf_err err = hf_ceremony_open(&ceremony, call->operands[0]);
  int code = hf_exit_of(err);
  if (err == HF_OK && !hf_ceremony_complete(&ceremony)) {
    hf_ceremony_print_status(&ceremony, stderr);
    hf_complain_why(call->operands[0], &why);
    code = HF_EXIT_FAILED;
  } else if (err == HF_OK) {
    code = post(&ceremony, call);
  }
  hf_ceremony_free(&ceremony);
  return code;
}
