/* SPDX-License-Identifier: Apache-2.0
 * A command as the table describes it, and a command line as a person typed it.
 *
 * Options are `--name VALUE`, `--name=VALUE` or a bare `--name`; they may stand anywhere; `--` ends them. What the
 * table does not list is refused, with the nearest name it does list.
 */
#ifndef HF_CLI_ARGS_H
#define HF_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hf/base/err.h"
#include "hf/cli/cli.h"

/** A release of eight components for sixteen hardware ids, and room to spare. */
#define HF_ARGS_VALUES_MAX 64
/** `attributes DEVICE key=value...`; a batch of files is given as a folder. */
#define HF_ARGS_OPERANDS_MAX 32

enum hf_option_kind {
  HF_OPTION_FLAG, /**< --json */
  HF_OPTION_ONE,  /**< --org NAME, at most once */
  HF_OPTION_MANY  /**< --hardware ID, again and again */
};

/** One option of a command; a row of the table. */
struct hf_option {
  const char *name;  /**< without the dashes */
  const char *value; /**< placeholder, "FILE"; NULL for a flag */
  enum hf_option_kind kind;
  const char *help; /**< a phrase, no capital, no full stop */
};

struct hf_call;

/** One command; a row of the table. */
struct hf_command {
  const char *group;
  const char *verb; /**< "" for a group that is a command itself */
  /** Does it; NULL: another part of the program runs it and the table only explains it. */
  int (*run)(const struct hf_call *call);
  const char *operands; /**< as in the usage line, "PRODUCT VERSION" */
  uint8_t operands_min;
  uint8_t operands_max;
  const char *help;  /**< one line: an imperative, no full stop */
  const char *about; /**< sentences for --help and the manual; "" when the line says all */
  const struct hf_option *options;
  size_t option_count;
};

/** A command line that fits its command. Everything borrows argv. */
struct hf_call {
  const struct hf_command *command;
  const char *operands[HF_ARGS_OPERANDS_MAX];
  size_t operand_count;
  struct {
    const struct hf_option *option;
    const char *value; /**< "" for a flag */
  } values[HF_ARGS_VALUES_MAX];
  size_t value_count;
  bool help; /**< --help was asked for: nothing else was checked */
};

/** The table, and its length in `*count`. Borrowed, static. */
const struct hf_command *hf_command_table(size_t *count);
/** The row of a command; NULL when there is none. */
const struct hf_command *hf_command_get(const char *group, const char *verb);

/**
 * Fit arguments to a command.
 * @param call     fills; borrows `argv`
 * @param command  borrows
 * @param argc     arguments after group and verb
 * @return HF_OK, or HF_E_INPUT after a message on standard error
 */
HF_MUST enum hf_err hf_args_parse(struct hf_call *call, const struct hf_command *command, int argc, char **argv);

/** Value of an option; NULL when it was not given. The name must be in the table: a wrong one is our own mistake. */
const char *hf_args_get(const struct hf_call *call, const char *name);
/** The same, with a default. */
const char *hf_args_get_or(const struct hf_call *call, const char *name, const char *other);
/** Was a flag given? */
bool hf_args_has(const struct hf_call *call, const char *name);
/** The next value of a repeated option: start with `*at` 0; NULL at the end. */
const char *hf_args_next(const struct hf_call *call, const char *name, size_t *at);
/**
 * A whole number option.
 * @param number  fills, with `other` when the option was not given
 * @return HF_OK, or HF_E_INPUT after a message: not decimal digits, or outside min..max
 */
HF_MUST enum hf_err hf_args_number(const struct hf_call *call, const char *name, uint64_t *number, uint64_t other,
                                   const uint64_t range[2]);
/** A number of seconds written `90s`, `15m`, `12h`, `30d` or plain seconds; as hf_args_number otherwise. */
HF_MUST enum hf_err hf_args_duration(const struct hf_call *call, const char *name, uint64_t *seconds, uint64_t other);

/** Edits (insert, delete, replace, swap) between two words of at most 40 letters; 99 for longer ones. */
unsigned hf_word_distance(const char *a, const char *b);

#endif
