/* SPDX-License-Identifier: Apache-2.0
 * Keeper: starts the other processes, introduces them to each other, restarts what dies, stops all. Does nothing else.
 */
#ifndef HF_SERVER_KEEPER_H
#define HF_SERVER_KEEPER_H

#include "hf/server/child.h"

/** First pause before a process that died is started again; doubles up to the last. */
#define HF_KEEPER_PAUSE_FIRST_MS 100
#define HF_KEEPER_PAUSE_LAST_MS 5000
/** A process that lived so long is forgiven its earlier deaths. */
#define HF_KEEPER_FORGIVE_MS 10000
/** Time for each step of stopping (fronts; engine and reader; the rest) before SIGKILL. */
#define HF_KEEPER_STOP_MS 8000

/**
 * Run all processes until SIGTERM or SIGINT. Blocks these signals, SIGHUP and SIGCHLD. SIGHUP: fronts and vault are
 * replaced one after the other and read keys and certificates anew; nothing else stops.
 * @param setup    borrows; everything filled
 * @param banner   borrows; printed on standard output once all are ready, "... ready in 0.2 s: " before it
 * @return 0: stopped as asked; 1: a process could not start
 */
int hf_keeper_run(struct hf_setup *setup, const char *banner);

#endif
