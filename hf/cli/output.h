/* SPDX-License-Identifier: Apache-2.0
 * What commands have in common at their end: exit codes for errors, JSON on standard output, hex and members as text.
 */
#ifndef HF_CLI_OUTPUT_H
#define HF_CLI_OUTPUT_H

#include <jansson.h>

#include "hf/base/bytes.h"
#include "hf/base/why.h"

/** The exit code for an error that was told already. */
int hf_exit_of(enum hf_err err);

/** Print a JSON value to standard output, indented, members as they stand; frees it. */
void hf_output_json(json_t *value);
/** Lower-case hex of at most 256 bytes; from hf_say's rooms. */
const char *hf_say_hex(struct hf_bytes bytes);
/** Tell why bytes were refused: rule, offset and what to do, about `where`. */
void hf_complain_why(const char *where, const struct hf_why *why);

/** A member as text for a table: texts as they are, numbers in digits, true "yes", false "no", null or absent NULL;
 * from hf_say's rooms or borrowed. */
const char *hf_member(const json_t *object, const char *name);
/** The same for a sentence: "?" where there is none, which an honest server does not do. */
const char *hf_member_said(const json_t *object, const char *name);
/** A time member, "2026-11-20 10:44 UTC"; NULL when null. */
const char *hf_member_time(const json_t *object, const char *name);
/** Texts of an array, separated by ", "; from hf_say's rooms. */
const char *hf_member_list(const json_t *object, const char *name);

#endif
