/* SPDX-License-Identifier: Apache-2.0
 * hf/cli/cli.def as data. */
#include <string.h>

#include "hf/cli/args.h"
#include "hf/cli/command.h"

#define HF_FLAG(name, help)                                                                                            \
  {                                                                                                                    \
    (name), NULL, HF_OPTION_FLAG, (help)                                                                               \
  }
#define HF_ONE(name, value, help)                                                                                      \
  {                                                                                                                    \
    (name), (value), HF_OPTION_ONE, (help)                                                                             \
  }
#define HF_MANY(name, value, help)                                                                                     \
  {                                                                                                                    \
    (name), (value), HF_OPTION_MANY, (help)                                                                            \
  }
#define HF_JSON HF_FLAG("json", "print JSON, for programs")
#define HF_WORKSPACE HF_ONE("workspace", "DIR", "the workspace (default: HOLDFAST_WORKSPACE, or the one we are in)")
#define HF_LOGIN                                                                                                       \
  HF_WORKSPACE,                                                                                                        \
      HF_ONE("operator", "DIR", "the folder with operator.json (default: HOLDFAST_OPERATOR, or DIR/operator)"),        \
      HF_JSON
#define HF_OFFLINE                                                                                                     \
  HF_WORKSPACE, HF_ONE("offline", "DIR", "the folder of offline keys (default: HOLDFAST_OFFLINE, or DIR/offline)")
#define HF_UNLOCK                                                                                                      \
  HF_ONE("passphrase-file", "FILE", "the passphrase is the first line of FILE (else HOLDFAST_PASSPHRASE, or asked for)")
#define HF_HELP HF_FLAG("help", "show this help")
#define HF_OPTIONS(...) ((const struct hf_option[]){__VA_ARGS__, HF_HELP})

static const struct hf_command table[] = {
#define HF_COMMAND(run, group, verb, operands, least, most, help, about, ...)                                          \
  {(group),                                                                                                            \
   (verb),                                                                                                             \
   (run),                                                                                                              \
   (operands),                                                                                                         \
   (least),                                                                                                            \
   (most),                                                                                                             \
   (help),                                                                                                             \
   (about),                                                                                                            \
   HF_OPTIONS(__VA_ARGS__),                                                                                            \
   sizeof HF_OPTIONS(__VA_ARGS__) / sizeof(struct hf_option)},
#include "hf/cli/cli.def"
#undef HF_COMMAND
};

const struct hf_command *hf_command_table(size_t *count)
{
  *count = sizeof table / sizeof table[0];
  return table;
}

const struct hf_command *hf_command_get(const char *group, const char *verb)
{
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (strcmp(table[i].group, group) == 0 && strcmp(table[i].verb, verb) == 0) {
      return &table[i];
    }
  }
  return NULL;
}
