/* SPDX-License-Identifier: Apache-2.0
 * A front process: TLS, HTTP and the parsing of everything hostile. No database, no signing key, no outbound
 * connection.
 *
 * Its parts: front_conn (one connection: TLS, deadlines, bytes in and out), front_http (a request head), front_device
 * and front_people (what the two listeners serve), front_ask (questions to engine and reader), static (files), est.
 */
#ifndef HF_SERVER_FRONT_H
#define HF_SERVER_FRONT_H

#include "hf/server/child.h"

/** Run until keeper says stop. Returns the exit status of the process. */
int hf_front_run(struct hf_child *child);

#endif
