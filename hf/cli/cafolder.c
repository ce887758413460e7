/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/cafolder.h"

#include <unistd.h>

enum hf_err hf_cafolder_path(char out[HF_PATH_MAX], const char *dir, const char *stem, unsigned number,
                             const char *suffix)
{
  char name[64];
  enum hf_err err = hf_cafile_name(name, sizeof name, stem, number, suffix);
  return err == HF_OK ? hf_path_join(out, dir, name) : err;
}

unsigned hf_cafolder_newest(const char *dir, const char *stem)
{
  unsigned found = 0;
  for (unsigned number = 1; number <= HF_CAFILE_MAX; number++) {
    char path[HF_PATH_MAX];
    if (hf_cafolder_path(path, dir, stem, number, ".crt") == HF_OK && access(path, F_OK) == 0) {
      found = number;
    }
  }
  return found;
}
