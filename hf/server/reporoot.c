/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/reporoot.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "hf/server/files.h"
#include "hf/server/repo.h"

enum hf_err hf_reporoot_get(struct hf_tuf_root *root, struct hf_engine *engine)
{
  char path[PATH_MAX];
  char below[64];
  struct hf_repo_state state;
  struct hf_bytes text = {NULL, 0};
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_file file;
  enum hf_err err = hf_repo_get(&state, engine->db);
  if (err == HF_OK) {
    (void)snprintf(below, sizeof below, "repo/metadata/%lld.root.json", (long long)state.root);
    err = hf_engine_path(path, sizeof path, engine, below);
  }
  err = err == HF_OK ? hf_file_load(&text, path, limits.file_max[HF_TUF_ROOT]) : err;
  err = err == HF_OK ? hf_tuf_parse(&file, text, HF_TUF_ROOT, &limits, NULL) : err;
  err = err == HF_OK ? hf_tuf_root_parse(root, &file, &limits, NULL) : err;
  free((uint8_t *)(uintptr_t)text.at);
  return err == HF_OK ? HF_OK : HF_E_IO;
}
