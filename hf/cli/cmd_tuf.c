/* SPDX-License-Identifier: Apache-2.0
 * holdfast tuf: a client for any TUF repository. Everything it tries ends with exit code 0 or 1. */
#include <string.h>
#include <time.h>

#include "hf/cli/command.h"
#include "hf/cli/output.h"
#include "hf/cli/term.h"
#include "hf/cli/tufrun.h"

#define ROOT_MAX (512u << 10)
#define DEADLINE_S 3600
#define RATE_MIN 1024
#define RATE_TOP (1u << 30)

/* What a verb needs; NULL after a message when it is not there. */
static const char *need(const struct hf_call *call, const char *name, const char *value)
{
  const char *given = hf_args_get(call, name);
  if (given == NULL || given[0] == '\0') {
    hf_complain(NULL, hf_say("add --%s %s", name, value), "`tuf %s` needs --%s", call->operands[0], name);
    return NULL;
  }
  return given;
}

/* Plain http can be read and held up on the way, not changed: say so once. */
static bool check_url(const char *url, const char *option)
{
  static bool warned;
  if (strlen(url) > HF_TUFFETCH_URL_MAX / 2) { /* the other half is for file names */
    hf_complain(NULL, "use a shorter address", "--%s is too long", option);
    return false;
  }
  if (strncmp(url, "http://", 7) == 0) {
    if (!warned) {
      hf_note("warning: --%s is plain http: whoever is on the way can see what is fetched, and withhold it", option);
    }
    warned = true;
    return true;
  }
  if (strncmp(url, "https://", 8) == 0) {
    return true;
  }
  hf_complain(url, "write https://HOST/PATH", "--%s is neither http:// nor https://", option);
  return false;
}

static int run_init(const struct hf_call *call)
{
  struct hf_tufrun run;
  struct hf_blob root;
  const char *dir = need(call, "metadata-dir", "DIR");
  if (dir == NULL || call->operand_count != 2) {
    if (dir != NULL) {
      hf_complain(NULL, "usage: holdfast tuf --metadata-dir DIR init ROOT.json", "`tuf init` needs the first root");
    }
    return HF_EXIT_FAILED;
  }
  enum hf_err err = hf_disk_get(&root, call->operands[1], ROOT_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", call->operands[1]);
    return HF_EXIT_FAILED;
  }
  hf_tufrun_init(&run, "", (int64_t)time(NULL));
  err = hf_folder_open(&run.folder, dir, true);
  if (err == HF_OK) {
    err = hf_tufrun_put_root(&run, hf_blob_bytes(&root));
  }
  hf_tufrun_free(&run);
  hf_blob_free(&root);
  return err == HF_OK ? HF_EXIT_DONE : HF_EXIT_FAILED;
}

static enum hf_err open_run(struct hf_tufrun *run, struct hf_tuffetch_options *options, const struct hf_call *call)
{
  static const uint64_t rates[2] = {0, RATE_TOP};
  const char *dir = need(call, "metadata-dir", "DIR");
  const char *url = dir == NULL ? NULL : need(call, "metadata-url", "URL");
  if (url == NULL || !check_url(url, "metadata-url") ||
      hf_args_duration(call, "deadline", &options->deadline_s, DEADLINE_S) != HF_OK ||
      hf_args_number(call, "min-rate", &options->rate_min, RATE_MIN, rates) != HF_OK) {
    return HF_E_INPUT;
  }
  options->ca = hf_args_get(call, "ca");
  options->absent_on_forbidden = hf_args_has(call, "absent-on-403");
  hf_tufrun_init(run, url, (int64_t)time(NULL));
  run->fetch = hf_tuffetch_open(options);
  enum hf_err err = run->fetch == NULL ? HF_E_IO : hf_folder_open(&run->folder, dir, false);
  if (err != HF_OK) {
    hf_tuffetch_close(run->fetch);
    hf_tufrun_free(run);
  }
  return err;
}

static void close_run(struct hf_tufrun *run)
{
  hf_tuffetch_close(run->fetch);
  hf_tufrun_free(run);
}

static int run_refresh(const struct hf_call *call)
{
  struct hf_tufrun run;
  struct hf_tuffetch_options options;
  if (open_run(&run, &options, call) != HF_OK) {
    return HF_EXIT_FAILED;
  }
  enum hf_err err = hf_tufrun_refresh(&run);
  close_run(&run);
  return err == HF_OK ? HF_EXIT_DONE : HF_EXIT_FAILED;
}

/* In the order given; the first failure is the last thing that happens. */
static enum hf_err get_all(struct hf_tufrun *run, const struct hf_call *call, const struct hf_folder *folder)
{
  size_t at = 0;
  struct hf_tufrun_target target = {.url = hf_args_get(call, "target-base-url"), .folder = folder};
  enum hf_err err = hf_tufrun_refresh(run);
  while (err == HF_OK && (target.name = hf_args_next(call, "target-name", &at)) != NULL) {
    err = hf_tufrun_get(run, &target);
  }
  return err;
}

static int run_download(const struct hf_call *call)
{
  struct hf_tufrun run;
  struct hf_tuffetch_options options;
  struct hf_folder folder;
  const char *url = need(call, "target-name", "NAME") == NULL ? NULL : need(call, "target-base-url", "URL");
  const char *dir = url == NULL ? NULL : need(call, "target-dir", "DIR");
  if (dir == NULL || !check_url(url, "target-base-url") || open_run(&run, &options, call) != HF_OK) {
    return HF_EXIT_FAILED;
  }
  enum hf_err err = hf_folder_open(&folder, dir, true);
  if (err == HF_OK) {
    err = get_all(&run, call, &folder);
    hf_folder_close(&folder);
  }
  close_run(&run);
  return err == HF_OK ? HF_EXIT_DONE : HF_EXIT_FAILED;
}

int hf_cmd_tuf(const struct hf_call *call)
{
  static const struct {
    const char *verb;
    int (*run)(const struct hf_call *call);
    size_t operands;
  } verbs[] = {{"init", run_init, 2}, {"refresh", run_refresh, 1}, {"download", run_download, 1}};
  for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
    if (strcmp(call->operands[0], verbs[i].verb) != 0) {
      continue;
    }
    if (call->operand_count > verbs[i].operands) {
      hf_complain(NULL, "`holdfast tuf --help` explains it", "one argument too many: %s",
                  call->operands[call->operand_count - 1]);
      return HF_EXIT_FAILED;
    }
    return verbs[i].run(call);
  }
  hf_complain(NULL, "it is init, refresh or download", "unknown command: tuf %s", call->operands[0]);
  return HF_EXIT_FAILED;
}
