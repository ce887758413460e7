/* SPDX-License-Identifier: Apache-2.0
 * Runs a fuzz target over every file of its corpus folders, without a fuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    return 1;
  }
  size_t cap = 1 << 20;
  uint8_t *whole = malloc(cap);
  size_t len = whole == NULL ? 0 : fread(whole, 1, cap, file);
  fclose(file);
  /* An allocation of exactly the input's size, so that the sanitizer sees one byte too many. */
  uint8_t *exact = malloc(len == 0 ? 1 : len);
  if (whole == NULL || exact == NULL) {
    return 1;
  }
  memcpy(exact, whole, len);
  free(whole);
  (void)LLVMFuzzerTestOneInput(exact, len);
  free(exact);
  return 0;
}

int main(int argc, char **argv)
{
  size_t files = 0;
  for (int i = 1; i < argc; i++) {
    DIR *folder = opendir(argv[i]);
    if (folder == NULL) {
      perror(argv[i]);
      return 1;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
      char path[1024];
      if (entry->d_name[0] == '.') {
        continue;
      }
      snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
      if (replay_file(path) != 0) {
        return 1;
      }
      files++;
    }
    closedir(folder);
  }
  printf("%zu inputs replayed\n", files);
  return files > 0 ? 0 : 1; /* an empty corpus is a mistake, not a pass */
}
