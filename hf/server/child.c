/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/child.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "hf/server/sandbox.h"

int64_t hf_child_now(void) { return (int64_t)time(NULL); }

int64_t hf_child_now_ms(void)
{
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void hf_setup_clear(struct hf_setup *setup, enum hf_process self)
{
  if (self != HF_ENGINE && self != HF_READER) {
    hf_secret_wipe(setup->login_key, sizeof setup->login_key);
  }
  if (self != HF_FRONT) {
    hf_secret_wipe(setup->ticket_key, sizeof setup->ticket_key);
  }
}

static void on_control(evutil_socket_t fd, short what, void *ctx)
{
  struct hf_child *child = ctx;
  struct hf_msg msg;
  int rider;
  (void)what;
  enum hf_err err = hf_control_get(fd, child->self, &msg, &rider);
  if (err == HF_E_IO) {
    _exit(0); /* keeper is gone: nobody would restart or stop us */
  }
  if (err != HF_OK) {
    return;
  }
  if (msg.type == HF_MSG_LINK && rider >= 0) {
    child->on_link(child, (enum hf_process)msg.link.peer, msg.link.number, rider);
    return;
  }
  if (rider >= 0) {
    (void)close(rider);
  }
  if (msg.type == HF_MSG_STOP) {
    child->stopping = true;
    if (child->on_stop != NULL) {
      child->on_stop(child);
    } else {
      (void)event_base_loopbreak(child->base);
    }
  }
}

enum hf_err hf_child_open(struct hf_child *child)
{
  struct event_config *config = event_config_new();
  if (config == NULL) {
    return HF_E_SPACE;
  }
  (void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  child->base = event_base_new_with_config(config);
  event_config_free(config);
  if (child->base == NULL) {
    return HF_E_SPACE;
  }
  child->control_event = event_new(child->base, child->control, EV_READ | EV_PERSIST, on_control, child);
  return child->control_event != NULL && event_add(child->control_event, NULL) == 0 ? HF_OK : HF_E_SPACE;
}

void hf_child_close(struct hf_child *child)
{
  if (child->control_event != NULL) {
    event_free(child->control_event);
  }
  if (child->base != NULL) {
    event_base_free(child->base);
  }
  child->control_event = NULL;
  child->base = NULL;
}

enum hf_err hf_child_ready(struct hf_child *child)
{
  if (child->setup->sandbox) {
    enum hf_err err = hf_sandbox_seal(child->self, child->setup->dir);
    if (err != HF_OK) {
      return err;
    }
  }
  struct hf_msg ready = {.type = HF_MSG_READY};
  return hf_control_put(child->control, &ready, -1);
}

void hf_child_link_init(struct hf_child_link *wire, struct hf_child *child, enum hf_process peer)
{
  *wire = (struct hf_child_link){.child = child};
  hf_link_init(&wire->link, child->self, peer);
}

void hf_child_link_close(struct hf_child_link *wire)
{
  if (wire->read != NULL) {
    event_free(wire->read);
    wire->read = NULL;
  }
  if (wire->write != NULL) {
    event_free(wire->write);
    wire->write = NULL;
  }
  hf_link_close(&wire->link);
}

static void lost(struct hf_child_link *wire)
{
  hf_child_link_close(wire);
  if (wire->on_lost != NULL) {
    wire->on_lost(wire);
  }
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
  struct hf_child_link *wire = ctx;
  (void)fd;
  (void)what;
  hf_link_fill(&wire->link);
  wire->on_input(wire); /* what came before the end of file still counts */
  if (wire->link.broken) {
    lost(wire);
  }
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
  struct hf_child_link *wire = ctx;
  (void)fd;
  (void)what;
  hf_child_link_flush(wire);
  if (!wire->link.broken) {
    wire->on_input(wire); /* what was left because the answers would not have found room */
  }
}

void hf_child_link_flush(struct hf_child_link *wire)
{
  hf_link_flush(&wire->link);
  if (wire->link.broken && wire->link.socket >= 0) {
    /* The reading side finds out too, and there the messages that had arrived are still served. */
    (void)event_del(wire->write);
    event_active(wire->read, EV_READ, 1);
    return;
  }
  if (hf_link_pending(&wire->link)) {
    (void)event_add(wire->write, NULL);
  }
}

enum hf_err hf_child_link_open(struct hf_child_link *wire, int socket)
{
  hf_child_link_close(wire);
  hf_link_open(&wire->link, socket);
  wire->read = event_new(wire->child->base, socket, EV_READ | EV_PERSIST, on_readable, wire);
  wire->write = event_new(wire->child->base, socket, EV_WRITE, on_writable, wire);
  if (wire->read == NULL || wire->write == NULL || event_add(wire->read, NULL) != 0) {
    hf_child_link_close(wire);
    return HF_E_SPACE;
  }
  return HF_OK;
}
