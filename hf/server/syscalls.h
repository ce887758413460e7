/* SPDX-License-Identifier: Apache-2.0
 * The system calls each kind of process may still make, by seccomp. Everything not listed kills the process; a few
 * harmless probes of the C library are answered with an error instead.
 */
#ifndef HF_SERVER_SYSCALLS_H
#define HF_SERVER_SYSCALLS_H

#include "hf/server/msg.h"

/**
 * Install the filter of this kind of process.
 * @param starting  true: what opening files and narrowing further need is allowed too; false: only what serving needs.
 *                  Call with true first, with false when everything is open: filters add up.
 * @param tokens    what the module of a PKCS#11 token needs, too (vault only)
 * @return HF_OK; HF_E_STATE: the kernel has no seccomp filters. After a message on standard error.
 */
HF_MUST enum hf_err hf_syscalls_restrict(enum hf_process process, bool starting, bool tokens);

#endif
