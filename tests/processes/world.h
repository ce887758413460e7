/* SPDX-License-Identifier: Apache-2.0
 * A workspace, a running `holdfast serve` over it, and clients of it: for tests of the processes as a whole.
 */
#ifndef HF_TESTS_WORLD_H
#define HF_TESTS_WORLD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "hf/base/bytes.h"

struct world {
  char dir[64];
  char token[128]; /* of the operator, from operator.json */
  pid_t server;
  FILE *errors; /* what the server said on standard error, to be read after it ended */
  uint16_t devices;
  uint16_t people;
  double ready_s;
  size_t
      file_limit; /* no file of the server may grow beyond it; 0: none. The nearest thing to a full disk without root */
  EVP_PKEY *expired_key;
  X509 *expired_cert;
};

/* One device: its key and, once enrolled, its certificate. */
struct device {
  char name[65];
  EVP_PKEY *key;
  X509 *cert;
};

/* A connection: TLS to the device listener, or plain to people's. */
struct client {
  int fd;
  SSL_CTX *ctx;
  SSL *ssl;
};

struct response {
  int status;
  char head[4096];
  uint8_t body[1 << 18];
  size_t body_len;
};

/* Make a workspace by `holdfast init`. */
void world_open(struct world *world);
/* The same with more arguments, NULL at the end. */
void world_open_with(struct world *world, const char *const *extra);
/* Stop the server when it runs, remove the workspace. */
void world_close(struct world *world);
/* Start the server with up to four more arguments (NULL: none) and wait until it is ready. */
void world_start(struct world *world, const char *const extra[4]);
/* Start a server that is expected not to come up: its exit status; what it said lands in `said`. */
int world_try(const char *dir, const char *const extra[4], char *said, size_t cap);
/* SIGTERM, wait: the exit status. */
int world_stop(struct world *world);
/* Everything the server has written to standard error so far. */
void world_errors(struct world *world, char *out, size_t cap);
/* Process id of one of the server's processes by its name ("hf-engine", "hf-front0"); 0 when it does not run. */
pid_t world_child(const struct world *world, const char *name);

int connect_to(uint16_t port);
/* Connect; `device` NULL: without client certificate. Fails the test when it cannot. */
void client_open(struct client *client, const struct world *world, const struct device *device);
/* The same, but a refusal is an answer: false. */
bool client_try(struct client *client, const struct world *world, const struct device *device);
void client_people(struct client *client, const struct world *world);
/* The same when people's listener speaks TLS. */
void client_people_tls(struct client *client, const struct world *world);
void client_close(struct client *client);
/* Send bytes as they are. */
bool client_send(struct client *client, const void *at, size_t len);
/* Read one response; false when the server closed without one. */
bool client_receive(struct client *client, struct response *response, bool head_only);
/* Send a request and read its response; `fields` are whole lines. Status, or 0. */
int client_ask(struct client *client, struct response *response, const char *method, const char *path,
               const char *fields, struct hf_bytes body);
/* One REST call as the operator on a connection of its own: status. */
int world_api(const struct world *world, struct response *response, const char *method, const char *path,
              const char *json);

/* Make a key. */
void device_open(struct device *device, const char *name);
void device_close(struct device *device);
/* Make a PKCS#10 request, base64. */
void device_request(const struct device *device, const char *name, char *out, size_t cap);
/* Get a one-time token for this device id and make the header field that presents it. */
void device_token(const struct world *world, const char *name, char *field, size_t cap);
/* Enrol by a one-time token; the product must exist. */
void device_enrol(struct device *device, const struct world *world);
/* Take the certificate out of a certs-only reply. */
X509 *certificate_of(const struct response *response);
/* A check-in body of this device: product `lamp`, hardware `lamp-a`, one event with this number when it is not 0. */
size_t checkin_body(uint8_t *out, size_t cap, uint32_t number, uint32_t event);

#endif
