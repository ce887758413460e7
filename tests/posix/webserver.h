/* SPDX-License-Identifier: Apache-2.0
 * A TLS web server in a process of its own that does to a client what hostile and broken servers do.
 *
 *   /ok            200 `hello`                       /bytes        100000 bytes, ranges honoured
 *   /norange       the same, ranges ignored          /wrongrange   206 that starts elsewhere than asked
 *   /cut           the same as /bytes, but every connection ends after 30000 bytes of body
 *   /drip          a byte each fifth of a second     /endless      a body without end
 *   /redirect      302 to /ok                        /retry        503 with Retry-After: 7
 *   /missing       404 with a body                   /silent       never answers
 *   /count         `<connection> <request in it>`    /who          `<CN of client> <Authorization>`
 *   /resumed       `<connection> resumed|new`
 *   /echo          the request's body                /empty        200 without body
 *   /.well-known/est/...   RFC 7030, issuing with `device_ca` as `mode` says
 */
#ifndef HF_TESTS_WEBSERVER_H
#define HF_TESTS_WEBSERVER_H

#include <sys/types.h>

#include "minica.h"

#define WEBSERVER_BYTES 100000u
#define WEBSERVER_CUT 30000u

/** How its EST part behaves. */
enum webserver_est {
  WEBSERVER_EST_GOOD,
  WEBSERVER_EST_REFUSES, /**< 403 to everything */
  WEBSERVER_EST_REFUSES_RENEWAL /**< 403 to simplereenroll */,
  WEBSERVER_EST_OTHER_KEY,  /**< a certificate for a key of its own */
  WEBSERVER_EST_OTHER_NAME, /**< a certificate for device `mallory` */
  WEBSERVER_EST_OTHER_CA,   /**< a certificate by a CA that cacerts does not tell */
  WEBSERVER_EST_GARBAGE,    /**< 200 and no certificates */
  WEBSERVER_EST_LATER       /**< 202 with Retry-After */
};

struct webserver_spec {
  EVP_PKEY *key; /**< of the server; borrowed, as all of these */
  X509 *cert;
  const struct minica *client_ca; /**< client certificates must be by it; NULL: none is asked for */
  const struct minica *device_ca; /**< issues by EST; NULL: no EST */
  enum webserver_est est;
  int64_t issue_begins, issue_ends;
};

struct webserver {
  pid_t pid;
  char url[64]; /**< https://127.0.0.1:PORT */
};

void webserver_open(struct webserver *server, const struct webserver_spec *spec);
void webserver_close(struct webserver *server);
/** The byte at an offset of /bytes. */
uint8_t webserver_byte(size_t at);

#endif
