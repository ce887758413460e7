/* SPDX-License-Identifier: Apache-2.0
 * What went wrong on this machine, in words: for the person who started the program. Rules broken by outside bytes are
 * hf/base/why.h; this is for files, settings and processes.
 */
#ifndef HF_POSIX_TROUBLE_H
#define HF_POSIX_TROUBLE_H

#include "hf/base/bytes.h"

/** What was wrong, where, and what to do about it; NUL-terminated, cut when too long. */
struct hf_trouble {
  char what[240];
  char where[240];
  char todo[240];
};

/**
 * Note the first trouble; later ones are its consequences and are dropped.
 * @param trouble  fills; may be NULL (the caller does not care)
 * @param where    borrows: a file, an address, a setting
 * @param todo     borrows: what to do, a sentence without full stop
 * @param what     printf format: what was wrong, a sentence without full stop
 */
void hf_trouble_put(struct hf_trouble *trouble, const char *where, const char *todo, const char *what, ...)
    __attribute__((format(printf, 4, 5)));

/** Print it to standard error as three lines, `program` first. */
void hf_trouble_print(const char *program, const struct hf_trouble *trouble);

#endif
