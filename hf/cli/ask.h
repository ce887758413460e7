/* SPDX-License-Identifier: Apache-2.0
 * A command that is one question to the server: ask it, and print the answer as a table, in words, or as JSON.
 */
#ifndef HF_CLI_ASK_H
#define HF_CLI_ASK_H

#include "hf/cli/client.h"
#include "hf/cli/term.h"

enum hf_cell { HF_CELL_TEXT, HF_CELL_TIME, HF_CELL_LIST, HF_CELL_STATE };

/** One column of a list. */
struct hf_column {
  const char *heading; /**< with '>' in front: right-aligned */
  const char *member;
  enum hf_cell cell;
};

/** A list to ask for. */
struct hf_ask_list {
  const struct hf_column *columns;
  size_t column_count;
  const char *nothing; /**< what to say of an empty list: "no products yet" */
  size_t limit;        /**< when --limit is not given or not an option of the command */
};

/** Ask for a list and print it. An exit code. */
HF_MUST int hf_ask_list(const struct hf_call *call, const struct hf_client_path *path, const struct hf_ask_list *list);
/**
 * Ask one thing.
 * @param body   takes; NULL: none
 * @param print  prints the answer for a person; borrows the reply, which is NULL when the answer was empty
 */
HF_MUST int hf_ask(const struct hf_call *call, const char *method, const struct hf_client_path *path, json_t *body,
                   void (*print)(const json_t *reply));
/** POST `{"reason": --reason}` and say `done`. */
HF_MUST int hf_ask_reason(const struct hf_call *call, const struct hf_client_path *path,
                          void (*print)(const json_t *reply));
/** Print rows of an array. */
void hf_rows_print(const json_t *items, const struct hf_column *columns, size_t count);
/** The tone of an update or rollout state. */
enum hf_tone hf_state_tone(const char *state);

/** Values of a repeated option, each a comma-separated list, as an array of texts. Gives; NULL after a message when
 * one is empty. */
json_t *hf_args_list(const struct hf_call *call, const char *name);

/** Say that an argument is not UTF-8 (json_pack gave nothing). Always HF_EXIT_USAGE. */
int hf_refuse_text(void);
/** What is left to say after a DELETE. */
void hf_print_removed(const json_t *reply);

#endif
