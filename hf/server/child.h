/* SPDX-License-Identifier: Apache-2.0
 * What every process below keeper shares: its set-up, its control socket, its event loop, and links with events on
 * them.
 *
 * What each process does with it is its own noun: front, engine_loop, reader, vault_loop, courier.
 */
#ifndef HF_SERVER_CHILD_H
#define HF_SERVER_CHILD_H

#include <event2/event.h>
#include <limits.h>

#include "hf/server/link.h"

/** Front processes at most; more cores than this share the rest. */
#define HF_FRONTS_MAX 64

/** What keeper found out before the first fork; every process has its copy. */
struct hf_setup {
  char dir[PATH_MAX];        /**< the workspace */
  char server_dir[PATH_MAX]; /**< its server/ folder */
  char people_host[264];     /**< host of the people listener as configured, for the Host check */
  unsigned fronts;
  bool sandbox;
  bool log_requests;  /**< a line for every request of a device, not only for refused ones */
  bool people_tls;    /**< the people listener is not on loopback */
  int devices_socket; /**< listening */
  int people_socket;  /**< listening */
  uint16_t people_port;
  uint8_t login_key[32];       /**< hf/server/api.h */
  struct hf_pubkey factory_ca; /**< public key of tls/factory-ca.crt */
  uint8_t ticket_key[80];      /**< TLS session tickets: one key for all fronts, new at each start of keeper */
};

/** After the fork: wipe the secrets that `self` has no use for. A front that somebody took over must not find the key
 * with which the reader tells the engine that a password was right. */
void hf_setup_clear(struct hf_setup *setup, enum hf_process self);

struct hf_child;

/** A link with its events. */
struct hf_child_link {
  struct hf_link link;
  struct hf_child *child;
  struct event *read;
  struct event *write;
  unsigned number;                              /**< which peer of its kind */
  void (*on_input)(struct hf_child_link *wire); /**< bytes have arrived: call hf_link_next until it says false */
  void (*on_lost)(struct hf_child_link *wire);  /**< the peer is gone, the link is closed; may be NULL */
  void *ctx;
};

/** This process. */
struct hf_child {
  const struct hf_setup *setup;
  enum hf_process self;
  unsigned number; /**< which front */
  int control;
  struct event_base *base;
  struct event *control_event;
  bool stopping; /**< keeper said STOP */
  /** A socket to a peer has come (owned by the callee). */
  void (*on_link)(struct hf_child *child, enum hf_process peer, unsigned number, int socket);
  /** STOP has come; may be NULL: the loop simply ends. */
  void (*on_stop)(struct hf_child *child);
  void *ctx;
};

/** Make the event loop and listen to keeper. When keeper is gone the process exits at once. */
HF_MUST enum hf_err hf_child_open(struct hf_child *child);
void hf_child_close(struct hf_child *child);
/** Narrow to what serving needs and tell keeper that this process is ready. */
HF_MUST enum hf_err hf_child_ready(struct hf_child *child);
/** Seconds since 1970, and milliseconds of a clock that never jumps. */
int64_t hf_child_now(void);
int64_t hf_child_now_ms(void);

/** A link without socket. */
void hf_child_link_init(struct hf_child_link *wire, struct hf_child *child, enum hf_process peer);
/** Give it a socket: events start. */
HF_MUST enum hf_err hf_child_link_open(struct hf_child_link *wire, int socket);
void hf_child_link_close(struct hf_child_link *wire);
/** Send what is queued; what the socket does not take follows when it can. */
void hf_child_link_flush(struct hf_child_link *wire);

#endif
