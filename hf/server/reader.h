/* SPDX-License-Identifier: Apache-2.0
 * The reader process: REST reads on a read-only database handle, and password checks, so that no person's request
 * delays a device.
 */
#ifndef HF_SERVER_READER_H
#define HF_SERVER_READER_H

#include "hf/server/child.h"

/** Run until keeper says stop. Returns the exit status of the process. */
int hf_reader_run(struct hf_child *child);

#endif
