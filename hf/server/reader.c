/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hf/server/apimsg.h"
#include "hf/server/engine.h"

struct reader {
  struct hf_engine *engine;
  struct hf_child_link front[HF_FRONTS_MAX];
  uint8_t body[HF_API_REPLY_MAX];
};

static void answer(struct reader *reader, struct hf_child_link *wire, const struct hf_msg *msg)
{
  struct hf_api_request request;
  struct hf_api_reply reply;
  struct hf_msg out;
  hf_apimsg_get_request(&request, msg, hf_child_now());
  hf_apimsg_reply_init(&reply, reader->body, sizeof reader->body);
  hf_engine_api(reader->engine, &reply, &request);
  hf_apimsg_put_reply(&out, &reply, msg->id);
  (void)(hf_link_put(&wire->link, &out) == HF_OK); /* no peer any more: front's own deadline answers */
  hf_secret_wipe(&reply, sizeof reply);
}

/* A front that leaves this much unread gets nothing new until it has read it: no answer is dropped for want of room. */
#define BACKLOG_MAX (HF_LINK_QUEUE_MAX / 2)

/* One request, then back to the loop: the fronts take turns, and a password check of one does not pile up behind
 * another front's. */
static void on_input(struct hf_child_link *wire)
{
  struct hf_msg msg;
  if (wire->link.out.to - wire->link.out.from < BACKLOG_MAX && hf_link_next(&wire->link, &msg)) {
    answer(wire->ctx, wire, &msg);
    hf_child_link_flush(wire);
    if (wire->link.in.to > wire->link.in.from) {
      event_active(wire->read, EV_READ, 1);
    }
  }
}

static void on_link(struct hf_child *child, enum hf_process peer, unsigned number, int socket)
{
  struct reader *reader = child->ctx;
  if (peer != HF_FRONT || number >= HF_FRONTS_MAX || hf_child_link_open(&reader->front[number], socket) != HF_OK) {
    (void)close(socket);
  }
}

static enum hf_err open_database(struct reader *reader, struct hf_child *child)
{
  struct hf_engine_config config = {
      .server_dir = child->setup->server_dir, .read_only = true, .sandboxed = child->setup->sandbox};
  memcpy(config.login_key, child->setup->login_key, sizeof config.login_key);
  enum hf_err err = hf_engine_open(&reader->engine, &config, hf_child_now());
  hf_secret_wipe(config.login_key, sizeof config.login_key);
  if (err != HF_OK) {
    fprintf(stderr, "reader: %s/db cannot be opened for reading: %s\n", child->setup->server_dir, hf_err_name(err));
  }
  return err;
}

int hf_reader_run(struct hf_child *child)
{
  struct reader *reader = calloc(1, sizeof *reader);
  if (reader == NULL || hf_child_open(child) != HF_OK) {
    free(reader);
    return 1;
  }
  child->ctx = reader;
  child->on_link = on_link;
  for (unsigned i = 0; i < HF_FRONTS_MAX; i++) {
    hf_child_link_init(&reader->front[i], child, HF_FRONT);
    reader->front[i].on_input = on_input;
    reader->front[i].ctx = reader;
  }
  int status = open_database(reader, child) == HF_OK && hf_child_ready(child) == HF_OK ? 0 : 1;
  if (status == 0) {
    (void)event_base_dispatch(child->base);
  }
  for (unsigned i = 0; i < HF_FRONTS_MAX; i++) {
    hf_child_link_close(&reader->front[i]);
  }
  if (reader->engine != NULL) {
    hf_engine_close(reader->engine);
  }
  hf_child_close(child);
  free(reader);
  return status;
}
