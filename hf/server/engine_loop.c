/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/engine_loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hf/server/apimsg.h"
#include "hf/server/engine.h"
#include "hf/server/vaultlink.h"

/* An answer of the engine that is no API reply: metadata for one device, or a certificate. */
#define ANSWER_MAX (256u << 10)
/* A front that leaves this much unread gets nothing new until it has read it. */
#define BACKLOG_MAX (HF_LINK_QUEUE_MAX / 2)

/* An answer that waits for the commit. */
struct waiting {
  uint16_t front;
  bool api;
  uint32_t id;
};

struct loop {
  struct hf_child *child;
  struct hf_engine *engine;
  struct hf_vault_link *vault;
  struct hf_child_link front[HF_FRONTS_MAX];
  size_t mark[HF_FRONTS_MAX]; /* length of each front's queue before this group: what to cut back to if commit fails */
  struct hf_child_link courier;
  bool posting; /* a message is with the courier */
  bool more;    /* messages are left for the next group */
  bool tick_due;
  uint64_t change;
  struct waiting waiting[HF_ENGINE_BATCH_MAX];
  size_t waiting_count;
  uint8_t answer[ANSWER_MAX];
  uint8_t reply[HF_API_REPLY_MAX];
};

/* ---- one message ---- */

static struct hf_peer peer_of(const struct hf_msg_peer *from)
{
  struct hf_peer peer = {.device = from->device,
                         .factory = from->factory,
                         .not_after = from->not_after,
                         .address = from->address,
                         .tls = from->tls,
                         .cipher = from->cipher,
                         .anchor = from->anchor};
  if (from->certificate.len == sizeof peer.certificate) {
    memcpy(peer.certificate, from->certificate.at, sizeof peer.certificate);
  }
  return peer;
}

static enum hf_err enrol(struct loop *loop, struct hf_buf *room, const struct hf_msg *msg, struct hf_why *why)
{
  struct hf_peer peer = peer_of(&msg->enrol.peer);
  struct hf_enrol ask = {.peer = msg->enrol.peer.present ? &peer : NULL,
                         .token = msg->enrol.token,
                         .device = msg->enrol.device,
                         .product = msg->enrol.product,
                         .hardware = msg->enrol.hardware,
                         .factory_key = msg->enrol.factory_key,
                         .factory_kind = msg->enrol.factory_kind,
                         .factory_weak = msg->enrol.factory_weak,
                         .renew = msg->enrol.renew};
  if (msg->enrol.key.len != HF_P256_PUBLIC_LEN) {
    return HF_E_INPUT;
  }
  ask.key = (struct hf_pubkey){.type = HF_KEY_P256, .len = HF_P256_PUBLIC_LEN};
  memcpy(ask.key.at, msg->enrol.key.at, HF_P256_PUBLIC_LEN);
  return hf_engine_enrol(loop->engine, room, &ask, hf_child_now(), why);
}

/* CHECKIN, DIRECTOR, ENROL. */
static void answer_device(struct loop *loop, struct hf_child_link *front, const struct hf_msg *msg)
{
  struct hf_buf room = hf_buf_init(loop->answer, sizeof loop->answer);
  struct hf_why why = {0};
  struct hf_peer peer = peer_of(&msg->ask.peer); /* first member of `enrol` too */
  enum hf_err err;
  if (msg->type == HF_MSG_CHECKIN) {
    err = hf_engine_checkin(loop->engine, &room, &peer, msg->ask.body, hf_child_now(), &why);
  } else if (msg->type == HF_MSG_DIRECTOR) {
    err = hf_engine_director(loop->engine, &room, &peer, msg->ask.body, hf_child_now());
  } else {
    err = enrol(loop, &room, msg, &why);
  }
  if (err == HF_OK && room.failed) {
    err = HF_E_SPACE;
  }
  struct hf_msg answer = {
      .type = HF_MSG_ANSWER, .id = msg->id, .answer = {.err = (uint32_t)err, .rule = why.rule, .at = why.at}};
  if (err == HF_OK) {
    answer.answer.body = hf_buf_bytes(&room);
  }
  (void)(hf_link_put(&front->link, &answer) ==
         HF_OK); /* no peer any more, or far behind: front's own deadline answers */
}

static void answer_api(struct loop *loop, struct hf_child_link *front, const struct hf_msg *msg)
{
  struct hf_api_request request;
  struct hf_api_reply reply;
  struct hf_msg answer;
  hf_apimsg_get_request(&request, msg, hf_child_now());
  hf_apimsg_reply_init(&reply, loop->reply, sizeof loop->reply);
  hf_engine_api(loop->engine, &reply, &request);
  hf_apimsg_put_reply(&answer, &reply, msg->id);
  (void)(hf_link_put(&front->link, &answer) == HF_OK);
  hf_secret_wipe(&reply, sizeof reply);
}

/* ---- a group ---- */

static bool begin(struct loop *loop)
{
  for (size_t i = 0; i < HF_FRONTS_MAX; i++) {
    loop->mark[i] = loop->front[i].link.out.to - loop->front[i].link.out.from;
  }
  loop->waiting_count = 0;
  enum hf_err err = hf_engine_begin(loop->engine);
  if (err != HF_OK) {
    fprintf(stderr, "engine: no transaction: %s\n", hf_err_name(err));
  }
  return err == HF_OK;
}

/* Nothing of the group happened: take every answer back and say so. */
static void answer_failed(struct loop *loop, enum hf_err err)
{
  for (size_t i = 0; i < HF_FRONTS_MAX; i++) {
    struct hf_link_queue *out = &loop->front[i].link.out;
    if (out->to - out->from > loop->mark[i]) {
      out->to = out->from + loop->mark[i];
    }
  }
  for (size_t i = 0; i < loop->waiting_count; i++) {
    const struct waiting *waiting = &loop->waiting[i];
    struct hf_msg answer;
    if (waiting->api) {
      hf_apimsg_put_failure(&answer, err, waiting->id);
    } else {
      answer = (struct hf_msg){.type = HF_MSG_ANSWER, .id = waiting->id, .answer = {.err = (uint32_t)err}};
    }
    (void)(hf_link_put(&loop->front[waiting->front].link, &answer) == HF_OK);
  }
}

static void serve(struct loop *loop, unsigned number, const struct hf_msg *msg)
{
  bool api = msg->type == HF_MSG_API;
  loop->waiting[loop->waiting_count++] = (struct waiting){.front = (uint16_t)number, .api = api, .id = msg->id};
  if (api) {
    answer_api(loop, &loop->front[number], msg);
  } else {
    answer_device(loop, &loop->front[number], msg);
  }
}

/* Take turns between the fronts, one message each, so that a busy one does not starve the others. */
static void serve_fronts(struct loop *loop)
{
  bool any = true;
  while (any && loop->waiting_count + HF_FRONTS_MAX <= HF_ENGINE_BATCH_MAX) {
    any = false;
    for (unsigned i = 0; i < loop->child->setup->fronts; i++) {
      struct hf_link *link = &loop->front[i].link;
      struct hf_msg msg;
      if (link->socket >= 0 && link->out.to - link->out.from < BACKLOG_MAX && hf_link_next(link, &msg)) {
        serve(loop, i, &msg);
        any = true;
      }
    }
  }
  loop->more = any;
}

static void tick(struct loop *loop)
{
  loop->tick_due = false;
  enum hf_err err = hf_engine_tick(loop->engine, hf_child_now());
  if (err != HF_OK && err != HF_E_AGAIN) {
    fprintf(stderr, "engine: periodic work: %s\n", hf_err_name(err));
  }
}

static void tell_change(struct loop *loop)
{
  uint64_t change = hf_engine_change(loop->engine);
  if (change == loop->change) {
    return;
  }
  loop->change = change;
  struct hf_msg msg = {.type = HF_MSG_CHANGE, .change = {change}};
  for (unsigned i = 0; i < loop->child->setup->fronts; i++) {
    (void)(hf_link_put(&loop->front[i].link, &msg) == HF_OK);
  }
}

static bool input_waiting(const struct loop *loop)
{
  for (unsigned i = 0; i < loop->child->setup->fronts; i++) {
    const struct hf_link *link = &loop->front[i].link;
    if (link->socket >= 0 && link->in.to > link->in.from) {
      return true;
    }
  }
  return false;
}

/* Everything that waits, in one transaction; answers leave only after it is on disk. */
static void run_group(struct loop *loop)
{
  bool due = loop->tick_due;
  loop->more = false;
  if ((!due && !input_waiting(loop)) || !begin(loop)) {
    loop->tick_due = false;
    return;
  }
  serve_fronts(loop);
  if (due) {
    tick(loop);
  }
  enum hf_err err = hf_engine_commit(loop->engine);
  if (err != HF_OK) {
    fprintf(stderr, "engine: %zu requests not stored: %s\n", loop->waiting_count, hf_err_name(err));
    answer_failed(loop, err == HF_E_FULL ? HF_E_FULL : HF_E_IO);
  } else {
    tell_change(loop);
  }
  for (unsigned i = 0; i < loop->child->setup->fronts; i++) {
    if (loop->front[i].link.socket >= 0) {
      hf_child_link_flush(&loop->front[i]);
    }
  }
}

/* ---- courier ---- */

static void post_next(struct loop *loop)
{
  if (loop->posting || loop->courier.link.socket < 0) {
    return;
  }
  struct hf_buf room = hf_buf_init(loop->answer, sizeof loop->answer);
  if (hf_engine_outbox_get(loop->engine, &room, hf_child_now()) != HF_OK || room.failed) {
    return;
  }
  struct hf_msg msg = {.type = HF_MSG_POST, .post = {hf_buf_bytes(&room)}};
  loop->posting = hf_link_put(&loop->courier.link, &msg) == HF_OK;
  hf_child_link_flush(&loop->courier);
}

static void on_posted(struct hf_child_link *wire)
{
  struct loop *loop = wire->ctx;
  struct hf_msg msg;
  while (hf_link_next(&wire->link, &msg)) {
    loop->posting = false;
    enum hf_err err = hf_engine_begin(loop->engine);
    if (err == HF_OK) {
      err = hf_engine_outbox_done(loop->engine, msg.posted.number, msg.posted.delivered, hf_child_now());
      enum hf_err stored = hf_engine_commit(loop->engine);
      err = err == HF_OK ? stored : err;
    }
    if (err != HF_OK) {
      fprintf(stderr, "engine: outbox: %s\n", hf_err_name(err)); /* it will be delivered again */
    }
  }
}

static void on_courier_lost(struct hf_child_link *wire) { ((struct loop *)wire->ctx)->posting = false; }

/* ---- the loop ---- */

static void on_front_input(struct hf_child_link *wire) { (void)wire; /* run_group takes it */ }

static void on_second(evutil_socket_t fd, short what, void *ctx)
{
  (void)fd;
  (void)what;
  ((struct loop *)ctx)->tick_due = true;
}

static void on_link(struct hf_child *child, enum hf_process peer, unsigned number, int socket)
{
  struct loop *loop = child->ctx;
  enum hf_err err = HF_OK;
  if (peer == HF_VAULT && loop->vault == NULL) {
    err = hf_vault_link_init(&loop->vault, socket);
    socket = -1;
  } else if (peer == HF_VAULT) {
    hf_vault_link_replace(loop->vault, socket);
    if (loop->engine != NULL) {
      hf_engine_vault_anew(loop->engine);
    }
    socket = -1;
  } else if (peer == HF_COURIER) {
    loop->posting = false;
    err = hf_child_link_open(&loop->courier, socket);
    socket = err == HF_OK ? -1 : socket;
  } else if (peer == HF_FRONT && number < HF_FRONTS_MAX) {
    err = hf_child_link_open(&loop->front[number], socket);
    socket = err == HF_OK ? -1 : socket;
    struct hf_msg msg = {.type = HF_MSG_CHANGE, .change = {loop->change}};
    err = err == HF_OK ? hf_link_put(&loop->front[number].link, &msg) : err;
  }
  if (socket >= 0) {
    (void)close(socket);
  }
  if (err != HF_OK) {
    fprintf(stderr, "engine: link to %s: %s\n", hf_process_name(peer), hf_err_name(err));
  }
}

/* The vault answers the first questions, so nothing can be opened before its link is here. */
static enum hf_err open_engine(struct loop *loop)
{
  while (loop->vault == NULL && !loop->child->stopping) {
    if (event_base_loop(loop->child->base, EVLOOP_ONCE) != 0) {
      return HF_E_IO;
    }
  }
  struct hf_engine_config config = {
      .server_dir = loop->child->setup->server_dir, .vault = loop->vault, .sandboxed = loop->child->setup->sandbox};
  config.factory_ca = loop->child->setup->factory_ca;
  memcpy(config.login_key, loop->child->setup->login_key, sizeof config.login_key);
  enum hf_err err = loop->child->stopping ? HF_E_STATE : hf_engine_open(&loop->engine, &config, hf_child_now());
  hf_secret_wipe(config.login_key, sizeof config.login_key);
  if (err != HF_OK && !loop->child->stopping) {
    fprintf(stderr, "engine: %s/db cannot be opened: %s%s\n", loop->child->setup->server_dir, hf_err_name(err),
            err == HF_E_VERSION ? "; it was written by a newer Holdfast: use that version" : "");
  }
  return err;
}

static void turn(struct loop *loop)
{
  (void)event_base_loop(loop->child->base, loop->more ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
  run_group(loop);
  post_next(loop);
}

/* After STOP: what had arrived is stored and answered, then the process ends. */
static void drain(struct loop *loop)
{
  for (int turns = 0; turns < 16; turns++) {
    (void)event_base_loop(loop->child->base, EVLOOP_NONBLOCK);
    run_group(loop);
    if (!loop->more) {
      break;
    }
  }
}

static int run(struct loop *loop)
{
  struct hf_child *child = loop->child;
  struct timeval second = {.tv_sec = 1};
  struct event *timer = event_new(child->base, -1, EV_PERSIST, on_second, loop);
  if (timer == NULL || event_add(timer, &second) != 0) {
    return 1;
  }
  int status = open_engine(loop) == HF_OK && hf_child_ready(child) == HF_OK ? 0 : 1;
  while (status == 0 && !child->stopping) {
    turn(loop);
  }
  if (status == 0) {
    drain(loop);
  }
  event_free(timer);
  return status;
}

int hf_engine_loop_run(struct hf_child *child)
{
  struct loop *loop = calloc(1, sizeof *loop);
  if (loop == NULL || hf_child_open(child) != HF_OK) {
    free(loop);
    return 1;
  }
  loop->child = child;
  child->ctx = loop;
  child->on_link = on_link;
  for (unsigned i = 0; i < HF_FRONTS_MAX; i++) {
    hf_child_link_init(&loop->front[i], child, HF_FRONT);
    loop->front[i].on_input = on_front_input;
    loop->front[i].ctx = loop;
  }
  hf_child_link_init(&loop->courier, child, HF_COURIER);
  loop->courier.on_input = on_posted;
  loop->courier.on_lost = on_courier_lost;
  loop->courier.ctx = loop;
  int status = run(loop);
  for (unsigned i = 0; i < HF_FRONTS_MAX; i++) {
    hf_child_link_close(&loop->front[i]);
  }
  hf_child_link_close(&loop->courier);
  if (loop->engine != NULL) {
    hf_engine_close(loop->engine);
  }
  hf_vault_link_close(loop->vault);
  hf_child_close(child);
  free(loop);
  return status;
}
