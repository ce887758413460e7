/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/manual.h"

#include <string.h>

#include "hf/cli/term.h"

#define LINE_WIDTH 96

/* Words of `text` in lines of at most `width` columns, each but the first after `indent` blanks. */
static void print_wrapped(FILE *file, const char *text, int indent, int width)
{
  int column = indent;
  const char *at = text;
  while (*at != 0) {
    int len = (int)strcspn(at, " ");
    if (column > indent && column + 1 + len > width) {
      fprintf(file, "\n%*s", indent, "");
      column = indent;
    }
    fprintf(file, "%s%.*s", column > indent ? " " : "", len, at);
    column += len + (column > indent);
    at += len;
    at += strspn(at, " ");
  }
  fputc('\n', file);
}

static const char *command_line(const struct hf_command *command)
{
  return hf_say("%s%s%s%s%s", command->group, command->verb[0] ? " " : "", command->verb,
                command->operands[0] ? " " : "", command->operands);
}

static int widest_line(const struct hf_command *table, size_t count, const char *group)
{
  size_t widest = 0;
  for (size_t i = 0; i < count; i++) {
    size_t len = strlen(command_line(&table[i]));
    if (len > widest && (group == NULL || strcmp(group, table[i].group) == 0)) {
      widest = len;
    }
  }
  return (int)widest;
}

static void print_commands(FILE *file, const char *group)
{
  size_t count;
  const struct hf_command *table = hf_command_table(&count);
  int width = widest_line(table, count, group);
  for (size_t i = 0; i < count; i++) {
    if (group != NULL && strcmp(group, table[i].group) != 0) {
      continue;
    }
    if (group == NULL && i > 0 && table[i].verb[0] != 0 && strcmp(table[i].group, table[i - 1].group) != 0) {
      fputc('\n', file);
    }
    fprintf(file, "  %-*s  ", width, command_line(&table[i]));
    print_wrapped(file, table[i].help, width + 4, LINE_WIDTH + 24);
  }
}

void hf_help_print_all(FILE *file)
{
  fprintf(file, "%sholdfast %s%s keeps connected products secure for as long as they are in the field.\n\n",
          hf_tone(file, HF_TONE_STRONG), HF_VERSION, hf_tone(file, HF_TONE_PLAIN));
  fputs("usage: holdfast COMMAND [VERB] [ARGUMENTS] [--OPTIONS]\n\n", file);
  print_commands(file, NULL);
  fputs("\n`holdfast COMMAND --help` explains one command, `man holdfast` all of them.\n"
        "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 server not reached, 4 not allowed, 5 not found,\n"
        "6 conflict.\n",
        file);
}

void hf_help_print_group(FILE *file, const char *group)
{
  fprintf(file, "usage: holdfast %s VERB [ARGUMENTS] [--OPTIONS]\n\n", group);
  print_commands(file, group);
}

static const char *option_words(const struct hf_option *option)
{
  return option->value == NULL ? hf_say("--%s", option->name) : hf_say("--%s %s", option->name, option->value);
}

void hf_help_print(FILE *file, const struct hf_command *command)
{
  size_t width = 0;
  fprintf(file, "%s%s.%s\n\n", hf_tone(file, HF_TONE_STRONG), command->help, hf_tone(file, HF_TONE_PLAIN));
  fprintf(file, "usage: holdfast %s [--OPTIONS]\n\n", command_line(command));
  if (command->about[0] != 0) {
    print_wrapped(file, command->about, 0, LINE_WIDTH);
    fputc('\n', file);
  }
  for (size_t i = 0; i < command->option_count; i++) {
    size_t len = strlen(option_words(&command->options[i]));
    width = len > width ? len : width;
  }
  for (size_t i = 0; i < command->option_count; i++) {
    fprintf(file, "  %-*s  ", (int)width, option_words(&command->options[i]));
    print_wrapped(file, command->options[i].help, (int)width + 4, LINE_WIDTH + 8);
  }
}

/* ---- mdoc ---- */

/* One word as mdoc takes it: a backslash starts an escape, and no line may begin with a dot or an apostrophe. */
static void mdoc_word(FILE *file, const char *word, int len, bool first)
{
  if (first && (*word == '.' || *word == '\'')) {
    fputs("\\&", file);
  }
  for (int i = 0; i < len; i++) {
    if (word[i] == '\\' || word[i] == '-') {
      fputs(word[i] == '-' ? "\\-" : "\\e", file);
    } else {
      fputc(word[i], file);
    }
  }
}

/* Text in lines that an editor shows whole; a sentence ends its line, so that the formatter sets the space after it. */
static void mdoc_text(FILE *file, const char *text)
{
  int column = 0;
  while (*text != 0) {
    int len = (int)strcspn(text, " ");
    bool full = column + len > 72;
    if (column > 0) {
      fputc(full ? '\n' : ' ', file);
    }
    column = full ? 0 : column;
    mdoc_word(file, text, len, column == 0);
    column += len + 1;
    bool sentence = text[len - 1] == '.' && text[len] == ' ';
    text += len;
    text += strspn(text, " ");
    if (sentence && *text != 0) {
      fputc('\n', file);
      column = 0;
    }
  }
}

/* "PRODUCT [VERSION...]" as arguments. */
static void mdoc_operands(FILE *file, const char *operands)
{
  while (*operands != 0) {
    int len = (int)strcspn(operands, " ");
    bool optional = *operands == '[';
    int start = optional ? 1 : 0;
    int end = len;
    while (end > start && operands[end - 1] == ']') {
      end--;
    }
    bool many = end - start > 3 && strncmp(operands + end - 3, "...", 3) == 0;
    fprintf(file, " %sAr %.*s%s", optional ? "Op " : "", end - start - (many ? 3 : 0), operands + start,
            many ? " ..." : "");
    operands += len;
    operands += strspn(operands, " ");
  }
}

static void mdoc_option(FILE *file, const struct hf_option *option)
{
  fprintf(file, ".It Fl Fl %s", option->name);
  if (option->value != NULL) {
    fprintf(file, " Ar %s", option->value);
  }
  fputc('\n', file);
  mdoc_text(file, option->help);
  fputs(".\n", file);
}

static void mdoc_command(FILE *file, const struct hf_command *command)
{
  const char *space = command->verb[0] ? " " : "";
  fprintf(file, ".Ss holdfast %s%s%s\n.Nm Cm %s%s%s", command->group, space, command->verb, command->group, space,
          command->verb);
  mdoc_operands(file, command->operands);
  fputs("\n.Pp\n", file);
  mdoc_text(file, command->help);
  fputs(".\n", file);
  if (command->about[0] != 0) {
    mdoc_text(file, command->about);
    fputc('\n', file);
  }
  fputs(".Bl -tag -width Ds\n", file);
  for (size_t i = 0; i < command->option_count; i++) {
    if (strcmp(command->options[i].name, "help") != 0) {
      mdoc_option(file, &command->options[i]);
    }
  }
  fputs(".El\n", file);
}

static const char manual_head[] =
    ".\\\" SPDX-License-Identifier: Apache-2.0\n"
    ".\\\" Made by `holdfast help --mdoc` from hf/cli/cli.def; a test compares.\n"
    ".Dd November 20, 2026\n.Dt HOLDFAST 1\n.Os\n"
    ".Sh NAME\n.Nm holdfast\n.Nd keep connected products secure for as long as they are in the field\n"
    ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar verb\n.Op Ar argument ...\n.Op Fl Fl option ...\n"
    ".Sh DESCRIPTION\n.Nm\n"
    "is the server and the tool of a fleet of devices.\n"
    ".Nm Cm init\nmakes a workspace,\n.Nm Cm serve\nruns its server, everything else prepares or asks.\n"
    "Options may stand anywhere after the command, as\n.Fl Fl name Ar value\nor\n.Fl Fl name Ns = Ns Ar value .\n"
    "An argument of\n.Fl Fl\nends them.\n"
    "Data goes to standard output, everything else to standard error.\n"
    ".Fl Fl json\nprints data as JSON, for programs.\n"
    ".Fl Fl help\nafter any command explains it.\n"
    ".Pp\nTimes are a number with\n.Cm s , m , h\nor\n.Cm d\nbehind it.\n"
    "Versions are\n.Ar MAJOR . Ns Ar MINOR . Ns Ar REVISION Ns Op + Ns Ar BUILD .\n"
    ".Sh COMMANDS\n";

static const char manual_tail[] =
    ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n"
    ".It Ev HOLDFAST_WORKSPACE\nThe workspace, when\n.Fl Fl workspace\nis not given.\n"
    "Without both it is the first folder upwards from here with a\n.Pa holdfast.json .\n"
    ".It Ev HOLDFAST_OFFLINE\nThe folder of offline keys.\n"
    ".It Ev HOLDFAST_OPERATOR\nThe folder with\n.Pa operator.json .\n"
    ".It Ev HOLDFAST_PASSPHRASE\nThe passphrase of the offline keys.\n"
    ".It Ev NO_COLOR\nAnything but empty: no colour, even on a terminal.\n.El\n"
    ".Sh FILES\n.Bl -tag -width Ds\n"
    ".It Pa DIR/holdfast.json\nOrganisation and addresses, the one file people edit.\n"
    ".It Pa DIR/offline\nKeys the server never opens.\nThe folder may live on a stick.\n"
    ".It Pa DIR/operator/operator.json\nAddress of the server and API token.\n"
    ".It Pa DIR/server\nWhat the server opens, and nothing else.\n.El\n"
    ".Sh EXIT STATUS\n.Bl -tag -width Ds -compact\n"
    ".It 0\nDone.\n.It 1\nRefused or failed; the message says what, where and what to do.\n"
    ".It 2\nWrong usage; nothing was tried.\n.It 3\nThe server was not reached.\n"
    ".It 4\nNot allowed, or a wrong passphrase.\n.It 5\nWhat was named does not exist.\n"
    ".It 6\nIt exists already, or somebody changed it first.\n.El\n"
    ".Sh EXAMPLES\nA workspace, its server, and a first release:\n"
    ".Bd -literal -offset indent\n"
    "holdfast init acme \\-\\-org 'Acme Thermostats'\n"
    "holdfast serve acme &\n"
    "cd acme\n"
    "holdfast product add thermostat \\-\\-hardware thermo\\-a\n"
    "holdfast image sign build/app.bin \\-\\-out app.img \\-\\-version 1.1.0 \\-\\-counter 2 \\e\n"
    "    \\-\\-product thermostat \\-\\-hardware thermo\\-a \\-\\-slot\\-size 512K\n"
    "holdfast release create thermostat 1.1.0 \\-\\-image main=app.img \\-\\-hardware thermo\\-a \\e\n"
    "    \\-\\-counter 2 \\-\\-from '>=1.0.0'\n"
    "holdfast rollout start thermostat 1.1.0 \\-\\-waves 5,25,100\n"
    "holdfast rollout show 1 \\-\\-watch\n"
    ".Ed\n"
    ".Sh STANDARDS\nThe Update Framework 1.0.34, Uptane 2.1.0, MCUboot image format,\n"
    "IEEE 802.1AR\\-2018, RFC 7030.\n";

void hf_manual_print(FILE *file)
{
  size_t count;
  const struct hf_command *table = hf_command_table(&count);
  fputs(manual_head, file);
  for (size_t i = 0; i < count; i++) {
    mdoc_command(file, &table[i]);
  }
  fputs(manual_tail, file);
}
