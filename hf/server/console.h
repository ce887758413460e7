/* SPDX-License-Identifier: Apache-2.0
 * The web console's files, embedded at build time by console/CMakeLists.txt.
 */
#ifndef HF_SERVER_CONSOLE_H
#define HF_SERVER_CONSOLE_H

#include "hf/base/bytes.h"

/** One file. Everything static. */
struct hf_console_file {
  const char *name; /**< "main.js" */
  const char *content_type;
  const char *etag; /**< with its quotes */
  const uint8_t *at;
  size_t len;
};

/** Find a file by its name; NULL when there is none. Borrowed, static. */
const struct hf_console_file *hf_console_get(struct hf_bytes name);

#endif
