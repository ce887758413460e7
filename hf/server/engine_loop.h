/* SPDX-License-Identifier: Apache-2.0
 * The engine process: gathers what the fronts ask, lets hf/server/engine.h do it in one transaction, commits, answers.
 */
#ifndef HF_SERVER_ENGINE_LOOP_H
#define HF_SERVER_ENGINE_LOOP_H

#include "hf/server/child.h"

/** Messages in one transaction at most: a commit costs the same for one and for many, an answer waits for all. */
#define HF_ENGINE_BATCH_MAX 1024

/** Run until keeper says stop. `child` as keeper made it; returns the exit status of the process. */
int hf_engine_loop_run(struct hf_child *child);

#endif
