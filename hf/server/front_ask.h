/* SPDX-License-Identifier: Apache-2.0
 * Questions of a front process to engine and reader, each of a connection that waits.
 */
#ifndef HF_SERVER_FRONT_ASK_H
#define HF_SERVER_FRONT_ASK_H

#include "hf/server/msg.h"

struct hf_conn;
struct hf_front;

/** Questions under way at once; beyond it the answer is 503. At 20,000 check-ins a second it is a fifth of a second. */
#define HF_FRONT_ASKS_MAX 4096

/** One slot: an id is its index plus a count in the upper half, so that a late answer never meets another question. */
struct hf_front_ask_slot {
  struct hf_conn *conn; /**< NULL: free, or its connection is gone */
  bool used;
  bool engine; /**< asked of the engine, else of the reader */
  uint16_t turn;
  uint16_t next_free;
};

struct hf_front_asks {
  struct hf_front_ask_slot slot[HF_FRONT_ASKS_MAX];
  uint16_t first_free; /**< HF_FRONT_ASKS_MAX: none */
  size_t count;
};

void hf_front_asks_init(struct hf_front_asks *asks);

/**
 * Send a question; its id is filled in.
 * @return HF_OK: the connection waits; HF_E_FULL: too many questions under way or the other process is behind; HF_E_IO:
 * the other process is being restarted. At failure nothing was sent: answer 503.
 */
HF_MUST enum hf_err hf_front_ask(struct hf_conn *conn, struct hf_msg *msg, bool engine);
/** The connection does not want its answer any more. */
void hf_front_ask_forget(struct hf_conn *conn);
/** The connection that this answer is for; NULL when it is gone. The question is over. */
struct hf_conn *hf_front_ask_take(struct hf_front *front, uint32_t id);
/** A link was lost: answer everybody who asked there with 503. */
void hf_front_ask_fail(struct hf_front *front, bool engine);
/** Ask with the refusal that fits when it fails. */
void hf_front_ask_or_refuse(struct hf_conn *conn, struct hf_msg *msg, bool engine);

#endif
