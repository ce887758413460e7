/* SPDX-License-Identifier: Apache-2.0
 * One connection of a front process: TLS, bytes in, one request at a time, bytes out, and a deadline for everything.
 *
 * It knows no route. A listener's noun (front_device, front_people) gets three calls: the head is here, the body is
 * here, the engine or reader has answered. Each ends in hf_conn_reply, hf_conn_send_file, hf_conn_refuse or
 * hf_front_ask.
 */
#ifndef HF_SERVER_FRONT_CONN_H
#define HF_SERVER_FRONT_CONN_H

#include <event2/event_struct.h>

#include "hf/server/front_http.h"
#include "hf/server/front_tls.h"
#include "hf/server/static.h"

/** Time limits, in milliseconds (docs/spec/processes.md says why each). */
#define HF_CONN_HANDSHAKE_MS 10000
#define HF_CONN_IDLE_MS 75000
#define HF_CONN_HEAD_MS 15000
#define HF_CONN_WAIT_MS 30000
#define HF_CONN_WINDOW_MS 30000
#define HF_CONN_LINGER_MS 2000
/** Bytes that must move in each window while a body comes or a reply goes: a narrow-band radio does 60 times that. */
#define HF_CONN_WINDOW_BYTES 1024

/** Bodies of the API and of devices are kept in memory up to the route's limit; uploads and files move in pieces. */
#define HF_CONN_PIECE (64u << 10)

struct hf_front;
struct hf_spool_file;

enum hf_conn_state {
  HF_CONN_HANDSHAKE,
  HF_CONN_HEAD,   /**< waiting for a request, or reading its head */
  HF_CONN_BODY,   /**< reading a body into memory */
  HF_CONN_UPLOAD, /**< reading a body piece by piece */
  HF_CONN_WAIT,   /**< asked engine or reader; or parked until something changes */
  HF_CONN_SEND,   /**< writing a reply */
  HF_CONN_LINGER  /**< the reply is out, the rest of the request is thrown away so that the reply arrives */
};

/** What a listener's noun decided about the request in hand. */
enum hf_conn_route {
  HF_ROUTE_NONE,
  HF_ROUTE_CHECKIN,
  HF_ROUTE_DIRECTOR,
  HF_ROUTE_ENROL,
  HF_ROUTE_RENEW,
  HF_ROUTE_API,
  HF_ROUTE_API_ASK,    /**< may the sender of a long body send it? */
  HF_ROUTE_UPLOAD_ASK, /**< may the sender of an upload send it? */
  HF_ROUTE_UPLOAD,
};

struct hf_conn {
  struct hf_conn *next, *prev;               /**< all of the process, newest first */
  struct hf_conn *parked_next;               /**< waiting for a change */
  struct hf_conn *shake_older, *shake_newer; /**< unfinished handshakes, by age */
  struct hf_front *front;
  bool devices; /**< which listener */
  bool read_on, write_on;
  bool running; /**< inside conn_run: a reply only sets the state */
  bool dead;    /**< closed while running: freed at its end */
  bool parked;
  enum hf_conn_state state;
  enum hf_conn_route route;
  int fd;
  SSL *ssl; /**< NULL: plain HTTP */
  struct event read_event, write_event;
  int64_t deadline_ms;
  int64_t began_ms;      /**< of the request in hand, or of the connection */
  uint64_t window_bytes; /**< moved in the present window */
  uint32_t ask;          /**< of front_ask; 0: none */
  unsigned address_slot; /**< of the counter of its address */
  char address[46];
  struct hf_front_identity identity;

  struct hf_http_request request; /**< views into `in` */
  uint8_t *in;
  size_t in_len, in_cap;
  size_t body_max;   /**< of the route; set by the head call */
  uint64_t body_got; /**< UPLOAD: bytes taken so far */
  struct hf_spool_file *upload;
  int64_t parked_until_ms;

  uint8_t *out;
  size_t out_from, out_to;
  bool keep;  /**< stay open after this reply */
  int status; /**< of this reply, for the access log */
  int file;   /**< streaming this file, or -1 */
  uint64_t file_at, file_left, sent;
};

/** Take an accepted socket. Closes it itself when there is no room. */
void hf_conn_open(struct hf_front *front, int fd, bool devices, const char *address, unsigned address_slot);
/** Drop a connection at once. */
void hf_conn_close(struct hf_conn *conn);
/** Its deadline has passed. */
void hf_conn_expire(struct hf_conn *conn);
/** Is it between two requests? Then it may be closed when keeper says stop, or when room is needed. */
bool hf_conn_idle(const struct hf_conn *conn);

/** Body of the request in hand, once it is whole. */
struct hf_bytes hf_conn_body(const struct hf_conn *conn);
/** Wait for an answer of engine or reader. */
void hf_conn_wait(struct hf_conn *conn, uint32_t ask);
/** Go on reading the body of the request in hand into memory; `body_max` and `route` are set. */
void hf_conn_take_body(struct hf_conn *conn);
/** Go on reading an upload. */
void hf_conn_take_upload(struct hf_conn *conn, struct hf_spool_file *upload);

/** Go on as far as the socket lets it; does nothing when it is running already. For front_reply. */
void hf_conn_run(struct hf_conn *conn);
/** Give the present state so many milliseconds from now. For front_reply. */
void hf_conn_set_deadline(struct hf_conn *conn, int64_t ms);

#endif
