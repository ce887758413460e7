/* SPDX-License-Identifier: Apache-2.0
 * Narrowing a process of the server: files by Landlock, system calls by seccomp, the rest by limits
 * (docs/spec/processes.md).
 *
 * Asks the running kernel what it knows; a kernel without Landlock or seccomp is a failure, not a silent half measure.
 * What each kind of process may do is one table in sandbox.c.
 */
#ifndef HF_SERVER_SANDBOX_H
#define HF_SERVER_SANDBOX_H

#include "hf/server/msg.h"

/** The first step: before anything is opened.
 * @param process  what this process is
 * @param dir      borrows; the workspace folder
 * @return HF_OK; HF_E_STATE: the kernel cannot do it; HF_E_IO. After a message on standard error. */
HF_MUST enum hf_err hf_sandbox_enter(enum hf_process process, const char *dir);

/** The second step: what was needed to start (keys, certificates, the database file) is open; no more of it. */
HF_MUST enum hf_err hf_sandbox_seal(enum hf_process process, const char *dir);

/** Close every descriptor above standard error that is not listed (negative entries are skipped). */
void hf_sandbox_close_others(const int *keep, size_t count);

#endif
