/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "hf/cli/args.h"
#include "hf/cli/command.h"
#include "hf/cli/manual.h"
#include "hf/cli/term.h"

static bool group_exists(const char *group)
{
  size_t count;
  const struct hf_command *table = hf_command_table(&count);
  for (size_t i = 0; i < count; i++) {
    if (strcmp(table[i].group, group) == 0) {
      return true;
    }
  }
  return false;
}

/* The nearest group, or the nearest verb of `group`; NULL when nothing is near. */
static const char *nearest(const char *word, const char *group)
{
  size_t count;
  const struct hf_command *table = hf_command_table(&count);
  const char *found = NULL;
  unsigned best = 4;
  for (size_t i = 0; i < count; i++) {
    const char *candidate = group == NULL ? table[i].group : table[i].verb;
    unsigned distance = hf_word_distance(word, candidate);
    if ((group == NULL || strcmp(group, table[i].group) == 0) && distance < best && distance <= strlen(candidate) / 2) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

static int refuse_group(const char *word)
{
  const char *near = nearest(word, NULL);
  hf_complain(NULL, near == NULL ? "`holdfast --help` lists all commands" : hf_say("did you mean `holdfast %s`?", near),
              word[0] == '-' ? "options come after the command: %s" : "unknown command: %s", word);
  return HF_EXIT_USAGE;
}

static int refuse_verb(const char *group, const char *word)
{
  if (word == NULL) {
    hf_help_print_group(stderr, group);
    return HF_EXIT_USAGE;
  }
  const char *near = nearest(word, group);
  hf_complain(NULL,
              near == NULL ? hf_say("`holdfast %s --help` lists its verbs", group)
                           : hf_say("did you mean `holdfast %s %s`?", group, near),
              "unknown command: %s %s", group, word);
  return HF_EXIT_USAGE;
}

static int run_command(const struct hf_command *command, int argc, char **argv)
{
  struct hf_call call;
  if (hf_args_parse(&call, command, argc, argv) != HF_OK) {
    return HF_EXIT_USAGE;
  }
  if (call.help) {
    hf_help_print(stdout, command);
    return HF_EXIT_DONE;
  }
  if (command->run == NULL) {
    hf_complain(NULL, "run it from the holdfast program", "`%s` is not part of this program", command->group);
    return HF_EXIT_FAILED;
  }
  return command->run(&call);
}

static bool asks_help(const char *word) { return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0; }

static int dispatch(int argc, char **argv)
{
  if (argc < 2) {
    hf_help_print_all(stderr);
    return HF_EXIT_USAGE;
  }
  const char *group = argv[1];
  if (asks_help(group)) {
    hf_help_print_all(stdout);
    return HF_EXIT_DONE;
  }
  if (strcmp(group, "--version") == 0 || strcmp(group, "version") == 0) {
    printf("holdfast %s\n", HF_VERSION);
    return HF_EXIT_DONE;
  }
  const struct hf_command *command = hf_command_get(group, "");
  if (command != NULL) {
    return run_command(command, argc - 2, argv + 2);
  }
  if (!group_exists(group)) {
    return refuse_group(group);
  }
  if (argc > 2 && asks_help(argv[2])) {
    hf_help_print_group(stdout, group);
    return HF_EXIT_DONE;
  }
  command = argc > 2 ? hf_command_get(group, argv[2]) : NULL;
  return command == NULL ? refuse_verb(group, argc > 2 ? argv[2] : NULL) : run_command(command, argc - 3, argv + 3);
}

int hf_cmd_help(const struct hf_call *call)
{
  if (hf_args_has(call, "mdoc")) {
    hf_manual_print(stdout);
    return HF_EXIT_DONE;
  }
  if (call->operand_count == 0) {
    hf_help_print_all(stdout);
    return HF_EXIT_DONE;
  }
  const char *group = call->operands[0];
  const char *verb = call->operand_count > 1 ? call->operands[1] : "";
  const struct hf_command *command = hf_command_get(group, verb);
  if (command != NULL) {
    hf_help_print(stdout, command);
    return HF_EXIT_DONE;
  }
  if (!group_exists(group)) {
    return refuse_group(group);
  }
  if (verb[0] != 0) {
    return refuse_verb(group, verb);
  }
  hf_help_print_group(stdout, group);
  return HF_EXIT_DONE;
}

int hf_cli_main(int argc, char **argv)
{
  /* A file size limit must be an error to report, not a signal that leaves half a workspace behind. */
  (void)signal(SIGXFSZ, SIG_IGN);
  int code = dispatch(argc, argv);
  if (fflush(stdout) != 0 || ferror(stdout)) {
    if (errno != EPIPE) {
      hf_complain("standard output", "make room where it goes; the command itself is done",
                  "what should be printed could not be written");
    }
    clearerr(stdout);
    return code == HF_EXIT_DONE ? HF_EXIT_FAILED : code;
  }
  return code;
}
