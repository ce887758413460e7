/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/front_ask.h"

#include "hf/server/front_core.h"
#include "hf/server/front_reply.h"

void hf_front_asks_init(struct hf_front_asks *asks)
{
  *asks = (struct hf_front_asks){0};
  for (size_t i = 0; i < HF_FRONT_ASKS_MAX; i++) {
    asks->slot[i].next_free = (uint16_t)(i + 1);
  }
}

enum hf_err hf_front_ask(struct hf_conn *conn, struct hf_msg *msg, bool engine)
{
  struct hf_front *front = conn->front;
  struct hf_front_asks *asks = &front->asks;
  struct hf_child_link *wire = engine ? &front->engine : &front->reader;
  if (asks->first_free == HF_FRONT_ASKS_MAX || (!conn->devices && asks->count >= HF_FRONT_ASKS_MAX / 2)) {
    return HF_E_FULL; /* half of them is for devices alone, whoever storms the console */
  }
  uint16_t index = asks->first_free;
  struct hf_front_ask_slot *slot = &asks->slot[index];
  slot->turn = slot->turn == UINT16_MAX ? 1 : (uint16_t)(slot->turn + 1); /* never 0: an id of 0 is no question */
  msg->id = (uint32_t)slot->turn << 16 | index;
  enum hf_err err = hf_link_put(&wire->link, msg);
  if (err != HF_OK) {
    return err;
  }
  asks->first_free = slot->next_free;
  asks->count++;
  slot->used = true;
  slot->engine = engine;
  slot->conn = conn;
  hf_conn_wait(conn, msg->id);
  return HF_OK;
}

static void release(struct hf_front_asks *asks, uint16_t index)
{
  asks->slot[index].used = false;
  asks->slot[index].conn = NULL;
  asks->slot[index].next_free = asks->first_free;
  asks->first_free = index;
  asks->count--;
}

void hf_front_ask_forget(struct hf_conn *conn)
{
  if (conn->ask != 0) {
    /* The slot stays taken until the answer comes, so that the other process's queue stays bounded by the slots. */
    conn->front->asks.slot[conn->ask & 0xffff].conn = NULL;
    conn->ask = 0;
  }
}

struct hf_conn *hf_front_ask_take(struct hf_front *front, uint32_t id)
{
  uint16_t index = (uint16_t)(id & 0xffff);
  struct hf_front_asks *asks = &front->asks;
  if (index >= HF_FRONT_ASKS_MAX || !asks->slot[index].used || asks->slot[index].turn != id >> 16) {
    return NULL;
  }
  struct hf_conn *conn = asks->slot[index].conn;
  release(asks, index);
  if (conn != NULL) {
    conn->ask = 0;
  }
  return conn;
}

void hf_front_ask_fail(struct hf_front *front, bool engine)
{
  for (uint16_t i = 0; i < HF_FRONT_ASKS_MAX; i++) {
    struct hf_front_ask_slot *slot = &front->asks.slot[i];
    if (!slot->used || slot->engine != engine) {
      continue;
    }
    struct hf_conn *conn = hf_front_ask_take(front, (uint32_t)slot->turn << 16 | i);
    if (conn != NULL) {
      hf_conn_refuse_with(conn, 503, "a part of the server is being restarted", "try again", "Retry-After: 2\r\n");
    }
  }
}

void hf_front_ask_or_refuse(struct hf_conn *conn, struct hf_msg *msg, bool engine)
{
  enum hf_err err = hf_front_ask(conn, msg, engine);
  if (err == HF_E_SPACE) {
    hf_conn_refuse(conn, 413, "the request is too long", "send less at once");
  } else if (err != HF_OK) {
    /* Spread those who come back: devices add their own jitter to it. */
    hf_conn_refuse_with(conn, 503, err == HF_E_FULL ? "the server is busy" : "a part of the server is being restarted",
                        "try again later", err == HF_E_FULL ? "Retry-After: 10\r\n" : "Retry-After: 2\r\n");
  }
}
