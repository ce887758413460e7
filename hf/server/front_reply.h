/* SPDX-License-Identifier: Apache-2.0
 * Replies of a front process: heads with their walls, problem documents, files with ranges.
 */
#ifndef HF_SERVER_FRONT_REPLY_H
#define HF_SERVER_FRONT_REPLY_H

#include "hf/server/front_conn.h"

/** A reply. All views borrow. */
struct hf_conn_reply {
  int status;
  struct hf_bytes content_type; /**< empty: none */
  struct hf_bytes body;
  struct hf_bytes fields; /**< more header fields, each ending in CR LF */
};

/** Send a reply. HEAD requests get no body. */
void hf_conn_reply(struct hf_conn *conn, const struct hf_conn_reply *reply);
/** Send a problem document (RFC 9457 with Holdfast's what, where, todo) about the request in hand. Texts borrow. */
void hf_conn_refuse(struct hf_conn *conn, int status, const char *what, const char *todo);
/** The same, with more header fields ("Retry-After: 2\r\n"). */
void hf_conn_refuse_with(struct hf_conn *conn, int status, const char *what, const char *todo, const char *fields);
/** Send a file: whole, one range, or "not modified". Takes the descriptor. `immutable`: see hf_static_file. */
void hf_conn_send_file(struct hf_conn *conn, const struct hf_static_file *file);

#endif
