/* SPDX-License-Identifier: Apache-2.0
 * The inside of a front process: what its parts share. Outside only hf/server/front.h is used.
 */
#ifndef HF_SERVER_FRONT_CORE_H
#define HF_SERVER_FRONT_CORE_H

#include "hf/server/child.h"
#include "hf/server/front_ask.h"
#include "hf/server/front_conn.h"

/** Connections of one front process. An idle TLS connection costs about 20 KB. */
#define HF_FRONT_CONNS_MAX 16384
/** Unfinished handshakes; beyond it the oldest is dropped. */
#define HF_FRONT_HANDSHAKES_MAX 1024
/** Share of all connections that one address may hold: a site of devices behind one address fits, an attacker alone
 * does not fill the table. */
#define HF_FRONT_PER_ADDRESS_MAX (HF_FRONT_CONNS_MAX / 4)
/** Counters of connections by address; a keyed hash picks one, so nobody can aim at somebody else's. */
#define HF_FRONT_ADDRESS_SLOTS 8192

/** A ready reply of EST's cacerts, on the heap. */
struct hf_front_cacerts {
  uint8_t *at;
  size_t len;
};

struct hf_front {
  struct hf_child *child;
  struct hf_front_tls tls;
  struct hf_child_link engine;
  struct hf_child_link reader;
  struct hf_front_asks asks;
  struct hf_conn *newest;
  struct hf_conn *parked;
  struct hf_conn *shake_oldest, *shake_newest;
  size_t conn_count;
  size_t handshake_count;
  size_t conn_max;
  uint16_t address_count[HF_FRONT_ADDRESS_SLOTS];
  uint8_t address_key[16];
  struct event *accept_devices;
  struct event *accept_people;
  struct event *timer;
  int repo;         /**< folder of repo/ */
  int spool;        /**< folder of spool/ */
  uint64_t change;  /**< last change the engine told of */
  uint64_t uploads; /**< counts names in spool/ */
  bool stopping;
  int64_t stop_at_ms;
  char date[32]; /**< value of the Date field */
  int64_t date_s;
  struct hf_front_cacerts cacerts; /**< of the device CAs */
  struct hf_front_cacerts anchors; /**< of the server CAs, with what vouches for the newer ones */
  int64_t shake_log_s;             /**< the second that `shake_log_left` is about */
  unsigned shake_log_left;         /**< failed handshakes that may still be logged in it */
  char log[8192];                  /**< access log lines that wait */
  size_t log_len;
};

/** One line of the access log: process, listener, address, method, path, status, bytes, milliseconds, device. */
void hf_front_log(struct hf_front *front, const struct hf_conn *conn);
/** One line about a handshake that failed; a few a second at most. `reason` borrows; NULL: the client went away. */
void hf_front_log_handshake(struct hf_front *front, const struct hf_conn *conn, const char *reason);

/* What the listeners' nouns implement, and front_conn calls: */

/** A request head is complete. May reply; else sets `conn->route` and `conn->body_max`, and the body is read. */
void hf_front_head(struct hf_conn *conn);
/** The body is complete. */
void hf_front_body(struct hf_conn *conn);
/** The connection goes away, or the request is given up. */
void hf_front_forget(struct hf_conn *conn);

#endif
