/* SPDX-License-Identifier: Apache-2.0
 * The people listener: console files, REST requests on their way to engine and reader, uploads, long polls.
 */
#ifndef HF_SERVER_FRONT_PEOPLE_H
#define HF_SERVER_FRONT_PEOPLE_H

#include "hf/server/front_core.h"

/** How long GET /events waits for a change. */
#define HF_PEOPLE_POLL_MS 25000

/** A request head on the people listener. */
void hf_front_people_head(struct hf_conn *conn);
/** Its body is whole. */
void hf_front_people_body(struct hf_conn *conn);
/** Engine or reader has answered. */
void hf_front_people_answer(struct hf_conn *conn, const struct hf_msg *msg);
/** Something changed, or time has passed: ask again for those who wait for it. */
void hf_front_people_wake(struct hf_front *front, int64_t now_ms);
/** The connection goes away or its request is over. */
void hf_front_people_forget(struct hf_conn *conn);

#endif
