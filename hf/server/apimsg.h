/* SPDX-License-Identifier: Apache-2.0
 * A REST request or reply (hf/server/api.h) as a message between processes (hf/server/msg.h), and back.
 */
#ifndef HF_SERVER_APIMSG_H
#define HF_SERVER_APIMSG_H

#include "hf/server/api.h"
#include "hf/server/msg.h"

/** Fill the message from a request; everything borrows. */
void hf_apimsg_put_request(struct hf_msg *msg, const struct hf_api_request *request, uint32_t id);
/** Fill the request from a message; everything borrows. */
void hf_apimsg_get_request(struct hf_api_request *request, const struct hf_msg *msg, int64_t now);
/** An empty reply over the caller's room. */
void hf_apimsg_reply_init(struct hf_api_reply *reply, void *room, size_t cap);
/** Fill the message from a reply; everything borrows. */
void hf_apimsg_put_reply(struct hf_msg *msg, const struct hf_api_reply *reply, uint32_t id);
/** Fill the message with the reply for work that was undone: 507 when the disk is full, else 503. Static text. */
void hf_apimsg_put_failure(struct hf_msg *msg, enum hf_err err, uint32_t id);

#endif
