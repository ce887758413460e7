/* SPDX-License-Identifier: Apache-2.0
 * The courier: the only process that may open connections. Delivers webhooks; knows no database and no key.
 */
#ifndef HF_SERVER_COURIER_H
#define HF_SERVER_COURIER_H

#include "hf/server/child.h"

/** Run until keeper says stop. Returns the exit status of the process. */
int hf_courier_run(struct hf_child *child);

#endif
