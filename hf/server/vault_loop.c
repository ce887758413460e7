/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/vault_loop.h"

#include <stdio.h>
#include <unistd.h>

#include "hf/server/vault.h"

struct loop {
  struct hf_vault *vault;
  struct hf_child_link engine;
  bool failed; /* the log does not reach the disk */
};

static void on_input(struct hf_child_link *wire)
{
  struct loop *loop = wire->ctx;
  struct hf_msg request;
  struct hf_msg answer;
  uint8_t reply[HF_VAULT_REPLY_MAX];
  while (hf_link_next(&wire->link, &request)) {
    struct hf_buf room = hf_buf_init(reply, sizeof reply);
    hf_vault_answer(loop->vault, &answer, &request, &room);
    if (hf_link_put(&wire->link, &answer) != HF_OK) {
      wire->link.broken = true; /* the engine waits for this very answer: let it see the end instead */
    }
    hf_secret_wipe(reply, sizeof reply);
  }
  hf_child_link_flush(wire);
  if (!hf_vault_check(loop->vault)) {
    loop->failed = true; /* keeper starts another, which opens the token anew */
    (void)event_base_loopbreak(loop->engine.child->base);
  }
}

static void on_link(struct hf_child *child, enum hf_process peer, unsigned number, int socket)
{
  struct loop *loop = child->ctx;
  (void)number;
  if (peer != HF_ENGINE || hf_child_link_open(&loop->engine, socket) != HF_OK) {
    (void)close(socket);
  }
}

static void on_second(evutil_socket_t fd, short what, void *ctx)
{
  struct loop *loop = ctx;
  (void)fd;
  (void)what;
  if (hf_vault_sync(loop->vault) != HF_OK) {
    fprintf(stderr, "vault: vault.log cannot be made durable; stopping before more is signed\n");
    loop->failed = true;
    (void)event_base_loopbreak(loop->engine.child->base);
  }
}

static int serve(struct hf_child *child, struct loop *loop)
{
  struct timeval second = {.tv_sec = 1};
  struct event *timer = event_new(child->base, -1, EV_PERSIST, on_second, loop);
  if (timer == NULL || event_add(timer, &second) != 0 || hf_child_ready(child) != HF_OK) {
    return 1;
  }
  (void)event_base_dispatch(child->base);
  event_free(timer);
  return loop->failed ? 1 : 0;
}

int hf_vault_loop_run(struct hf_child *child)
{
  struct loop loop = {0};
  char dir[PATH_MAX + 16];
  (void)snprintf(dir, sizeof dir, "%s/vault", child->setup->server_dir);
  hf_child_link_init(&loop.engine, child, HF_ENGINE);
  loop.engine.on_input = on_input;
  loop.engine.ctx = &loop;
  child->on_link = on_link;
  child->ctx = &loop;
  if (hf_child_open(child) != HF_OK || hf_vault_open(&loop.vault, dir) != HF_OK) {
    return 1;
  }
  int status = serve(child, &loop);
  hf_child_link_close(&loop.engine);
  hf_vault_close(loop.vault);
  hf_child_close(child);
  return status;
}
