/* SPDX-License-Identifier: Apache-2.0
 * The table in words: the help of one command, the list of all, the manual page.
 */
#ifndef HF_CLI_MANUAL_H
#define HF_CLI_MANUAL_H

#include <stdio.h>

#include "hf/cli/args.h"

/** `holdfast --help`: every command in a line. */
void hf_help_print_all(FILE *file);
/** `holdfast GROUP --help`: the verbs of a group. */
void hf_help_print_group(FILE *file, const char *group);
/** `holdfast GROUP VERB --help`. */
void hf_help_print(FILE *file, const struct hf_command *command);
/** The manual page in mdoc: docs/man/holdfast.1. */
void hf_manual_print(FILE *file);

#endif
