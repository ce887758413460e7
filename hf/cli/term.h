/* SPDX-License-Identifier: Apache-2.0
 * What a person sees: aligned tables, messages, colour on a terminal only.
 *
 * Text from servers and files is cleaned before it reaches the terminal: control characters become '?', so that a
 * device attribute cannot move the cursor or change the window title.
 */
#ifndef HF_CLI_TERM_H
#define HF_CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** printf into a fixed room; cut when too long, always ended with NUL. */
__attribute__((format(printf, 3, 4))) void hf_format(char *out, size_t cap, const char *format, ...);
/** A short text for one message: one of eight static rooms of 1 KiB in turn. Single-threaded use only. */
__attribute__((format(printf, 1, 2))) const char *hf_say(const char *format, ...);

/**
 * Tell on standard error what was wrong, where, and what to do.
 * @param where  file, option or address; NULL when the sentence says it
 * @param todo   what to do about it; NULL when there is nothing
 * @param what   printf format: a clause without full stop
 */
__attribute__((format(printf, 3, 4))) void hf_complain(const char *where, const char *todo, const char *what, ...);
/** A line on standard error that is no error: progress, a hint. */
__attribute__((format(printf, 1, 2))) void hf_note(const char *format, ...);

/** Emphasis that means something; plain text elsewhere than on a terminal, or with NO_COLOR set. */
enum hf_tone { HF_TONE_PLAIN, HF_TONE_STRONG, HF_TONE_GOOD, HF_TONE_WARN, HF_TONE_BAD, HF_TONE_DIM };
/** The escape sequence that starts a tone on this stream, "" when it has no colour; HF_TONE_PLAIN ends a tone. */
const char *hf_tone(FILE *file, enum hf_tone tone);
/** Print text from outside, cleaned. */
void hf_print_clean(FILE *file, const char *text);

/** A table being collected. */
struct hf_table;

/** Columns by their headings; a heading that starts with '>' is right-aligned. Gives; free with hf_table_free. */
struct hf_table *hf_table_new(const char *const *headings, size_t columns);
/** Next cell, row by row; copied. NULL prints as "-". */
void hf_table_put(struct hf_table *table, const char *text);
/** Next cell in a tone. */
void hf_table_put_tone(struct hf_table *table, const char *text, enum hf_tone tone);
/** Print headings and rows, columns as wide as their widest cell. Nothing for a table without rows. */
void hf_table_print(const struct hf_table *table, FILE *file);
void hf_table_free(struct hf_table *table);

/** Print `name: value` lines whose values stand below each other. `width` is the longest name. */
void hf_field_print(const char *name, int width, const char *value);

/** Bytes as a person reads them, "1.4 MB (1,433,600 bytes)"; from hf_say's rooms. */
const char *hf_say_size(unsigned long long bytes);
/** A time as "2026-11-20 10:44 UTC"; "never" for 0; from hf_say's rooms. */
const char *hf_say_time(long long seconds);

#endif
