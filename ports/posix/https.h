/* SPDX-License-Identifier: Apache-2.0
 * The transport of hf/device/port.h over libcurl: HTTPS to one server, one request at a time, on a connection that is
 * kept. Nothing is taken from the environment: no proxies, no netrc, no system CAs, no redirects.
 *
 * Certificates are judged against the device's clock, and a clock that nobody has confirmed is not a reason to stay
 * away for ever: until the server has told the time in this boot, a server certificate is refused for its dates only
 * when it ended before the clock's floor (hf/device/clock.h, docs/spec/agent.md).
 */
#ifndef HF_POSIX_HTTPS_H
#define HF_POSIX_HTTPS_H

#include <curl/curl.h>

#include "hf/device/clock.h"
#include "ports/posix/identity.h"

/** Longest path of a request, and longest login. */
#define HF_HTTPS_URL_MAX 1024
#define HF_HTTPS_LOGIN_MAX 256

/** How to reach the server; everything borrowed for the life of the transport. */
struct hf_https_spec {
  const char *server;           /**< https://HOST:PORT */
  STACK_OF(X509) * server_ca;   /**< the only CAs the server may be vouched for by */
  const struct hf_clock *clock; /**< whose time certificates are judged against; NULL: the port's own time, strictly */
  uint32_t deadline_s;          /**< for one request, all of it */
  uint32_t rate_window_s;       /**< slower than rate_min for so long is given up */
  uint32_t rate_min;            /**< bytes a second; 0: no such rule */
  uint32_t rate_max;            /**< bytes a second taken at most; 0: as fast as they come */
  bool (*wait)(void *ctx); /**< called several times a second while waiting; false stops the request; may be NULL */
  void *ctx;
};

/** Which identity to show. */
struct hf_https_login {
  const struct hf_identity_pair *pair; /**< client certificate; borrowed until the next login; NULL: none */
  const char *name, *password;         /**< HTTP Basic (RFC 7617), both or neither; copied */
};

/** An open transport. Caller's memory. */
struct hf_https {
  struct hf_https_spec spec;
  CURL *curl;
  const struct hf_identity_pair *pair;
  char basic[HF_HTTPS_LOGIN_MAX];
  char url[HF_HTTPS_URL_MAX];
  char detail[CURL_ERROR_SIZE + 1]; /**< of the last failure, for the log */
  int alert;                        /**< TLS alert that the peer sent in this request, or -1 */
  bool bad_dates;                   /**< a certificate's dates were overlooked in this request */
  /* of the request under way */
  const struct hf_http_request *request;
  struct hf_http_reply *reply;
  struct hf_sink sink;
  enum hf_err sink_err;
  uint64_t body_len;
  uint64_t range_from;   /* what Content-Range said, or UINT64_MAX */
  const char *objection; /* why we stopped it, borrowed */
  uint64_t pace_ms;      /* when what was taken so far would have come at rate_max */
  bool begun;            /* the body has begun: status and range are known */
};

/** The context is a `struct hf_https`. Only bodies of 200 and 206 reach the sink, and `reply->status` and
 * `reply->range_from` are set before the first byte does. A 206 that does not start at the asked offset is HF_E_AGAIN.
 */
extern const struct hf_transport_ops hf_https_ops;

/** Make a transport; nothing is sent yet. HF_E_IO when libcurl cannot start, HF_E_INPUT for a bad address. */
HF_MUST enum hf_err hf_https_open(struct hf_https *https, const struct hf_https_spec *spec);
void hf_https_close(struct hf_https *https);

/** Show another identity from the next request on; drops the connection and its TLS session. */
HF_MUST enum hf_err hf_https_login(struct hf_https *https, const struct hf_https_login *login);

/** Judge servers by these CAs from the next request on; borrows until the next such call. */
HF_MUST enum hf_err hf_https_trust(struct hf_https *https, STACK_OF(X509) * server_ca);

/** Did the peer end the last request by saying that it is our certificate which it does not like? A reset can overtake
 * that word on the way; then the request looks like network trouble, and the next one tells. */
bool hf_https_refused(const struct hf_https *https);

/** Parse a Content-Range value, `bytes FROM-TO/TOTAL` or `bytes FROM-TO` + `/` + `*` (RFC 9110 section 14.4).
 * @param from  fills
 * @return HF_OK or HF_E_INPUT */
HF_MUST enum hf_err hf_https_parse_range(uint64_t *from, struct hf_bytes value);

#endif
