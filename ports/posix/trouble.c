/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/trouble.h"

#include <stdarg.h>
#include <stdio.h>

void hf_trouble_put(struct hf_trouble *trouble, const char *where, const char *todo, const char *what, ...)
{
  if (trouble == NULL || trouble->what[0] != '\0') {
    return;
  }
  va_list args;
  va_start(args, what);
  (void)vsnprintf(trouble->what, sizeof trouble->what, what, args);
  va_end(args);
  (void)snprintf(trouble->where, sizeof trouble->where, "%s", where);
  (void)snprintf(trouble->todo, sizeof trouble->todo, "%s", todo);
}

void hf_trouble_print(const char *program, const struct hf_trouble *trouble)
{
  const char *what = trouble->what[0] != '\0' ? trouble->what : "something failed without saying what";
  (void)fprintf(stderr, "%s: %s\n", program, what);
  if (trouble->where[0] != '\0') {
    (void)fprintf(stderr, "  where: %s\n", trouble->where);
  }
  if (trouble->todo[0] != '\0') {
    (void)fprintf(stderr, "  to do: %s\n", trouble->todo);
  }
}
