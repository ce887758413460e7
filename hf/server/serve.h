/* SPDX-License-Identifier: Apache-2.0
 * `holdfast serve DIR`: the server as a whole, from a workspace folder to its last process.
 *
 * What hf/main.c calls; what happens behind it is hf/server/keeper.h and docs/spec/processes.md.
 */
#ifndef HF_SERVER_SERVE_H
#define HF_SERVER_SERVE_H

#include <stdbool.h>

#include "hf/base/err.h"

/** What the command line may override. Zero is the default everywhere. */
struct hf_serve_options {
  const char *devices; /**< ADDR:PORT of the device listener; NULL: as in holdfast.json */
  const char *people;  /**< ADDR:PORT of the people listener; NULL: as in holdfast.json */
  unsigned workers;    /**< front processes; 0: one for each core */
  bool log_requests;   /**< a line on standard error for every request of a device, not only for refused ones */
  bool no_sandbox;     /**< run without Landlock and seccomp; GET /health says so */
};

/**
 * Run the server until SIGTERM or SIGINT.
 * @param dir      borrows; the workspace
 * @param options  borrows; may be NULL
 * @return 0: stopped as asked; 1: could not start or a process failed for good, after a message on standard error that
 * says what, where and what to do. Forks; only from a process with one thread.
 */
int hf_serve_run(const char *dir, const struct hf_serve_options *options);

/** `holdfast serve DIR [--devices A:P] [--people A:P] [--workers N] [--log-requests]
 * [--no-sandbox]`; argv[1] is "serve". 2: wrong usage. */
int hf_serve_main(int argc, char **argv);

#endif
