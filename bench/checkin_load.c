/* SPDX-License-Identifier: Apache-2.0
 * Load on the device listener: many mutually authenticated TLS connections from one thread, each with one request under
 * way at a time. Works against anything that answers POST, so that a plain web server can be measured beside Holdfast.
 *
 *   checkin_load --port P --certs DIR [--connections N] [--seconds S] [--new] [--path /v1/checkin]
 *
 * DIR holds 0.crt 0.key, 1.crt 1.key ...: one device each, used in turn. `--new` makes a new connection, with a full
 * handshake, for every request. Prints one line: requests per second, failures, and latencies in milliseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "hf/wire/checkin.h"

#define CONNECTIONS_MAX 4096
#define CERTS_MAX 1024
#define SAMPLES_MAX (1u << 22)

struct options {
  uint16_t port;
  const char *certs;
  const char *path;
  unsigned connections;
  unsigned seconds;
  bool fresh;
};

enum state { CONNECTING, SENDING, RECEIVING };

struct conn {
  int fd;
  unsigned device;
  enum state state;
  SSL *ssl;
  uint32_t number;
  double began;
  char out[1024];
  size_t out_len, out_at;
  char in[4096];
  size_t in_len;
};

struct load {
  struct options options;
  SSL_CTX *ctx[CERTS_MAX];
  unsigned ctx_count;
  struct conn *conns;
  int epoll;
  unsigned long done;
  unsigned long failed;
  float *samples; /* milliseconds */
  size_t sample_count;
  bool counting;
};

static double seconds_now(void)
{
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static SSL_CTX *load_device(const char *dir, unsigned number)
{
  char cert[512];
  char key[512];
  (void)snprintf(cert, sizeof cert, "%s/%u.crt", dir, number);
  (void)snprintf(key, sizeof key, "%s/%u.key", dir, number);
  if (access(cert, R_OK) != 0) {
    return NULL;
  }
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  if (ctx == NULL || SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
      SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1) {
    fprintf(stderr, "checkin_load: %s and its key cannot be used\n", cert);
    exit(1);
  }
  /* The server is ours and on loopback: what it costs the client to check it is not what is measured. */
  SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
  (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  return ctx;
}

static void prepare_request(struct load *load, struct conn *conn)
{
  uint8_t body[HF_CHECKIN_MAX];
  struct hf_buf out = hf_buf_init(body, sizeof body);
  struct hf_checkin checkin = {.boot = 1,
                               .number = ++conn->number,
                               .product = HF_LIT("lamp"),
                               .hardware = HF_LIT("lamp-a"),
                               .component_count = 1,
                               .component = {{.name = HF_LIT("main"), .version = HF_LIT("1.0.0"), .counter = 1}}};
  if (hf_checkin_encode(&out, &checkin) != HF_OK) {
    exit(1);
  }
  int n = snprintf(conn->out, sizeof conn->out, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n",
                   load->options.path, out.len);
  memcpy(conn->out + n, body, out.len);
  conn->out_len = (size_t)n + out.len;
  conn->out_at = 0;
  conn->in_len = 0;
  conn->state = SENDING;
}

static void watch(struct load *load, struct conn *conn, uint32_t events, int op)
{
  struct epoll_event event = {.events = events, .data = {.ptr = conn}};
  (void)epoll_ctl(load->epoll, op, conn->fd, &event);
}

static void start(struct load *load, struct conn *conn)
{
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(load->options.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int yes = 1;
  conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (conn->fd < 0 || connect(conn->fd, (const struct sockaddr *)&to, sizeof to) != 0) {
    fprintf(stderr, "checkin_load: connect: %s\n", strerror(errno));
    exit(1);
  }
  (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  /* A reset at the end: thousands of sockets in TIME_WAIT would use up the ports within a run. */
  struct linger now = {.l_onoff = 1};
  (void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  (void)fcntl(conn->fd, F_SETFL, O_NONBLOCK);
  conn->ssl = SSL_new(load->ctx[conn->device % load->ctx_count]);
  (void)SSL_set_fd(conn->ssl, conn->fd);
  SSL_set_connect_state(conn->ssl);
  conn->state = CONNECTING;
  conn->began = seconds_now();
  watch(load, conn, EPOLLIN | EPOLLOUT | EPOLLET, EPOLL_CTL_ADD);
}

static void stop(struct conn *conn)
{
  SSL_free(conn->ssl);
  (void)close(conn->fd);
}

/* 1: a whole response; 0: not yet; -1: none of ours. */
static int response_whole(const struct conn *conn)
{
  const char *end = memmem(conn->in, conn->in_len, "\r\n\r\n", 4);
  if (end == NULL) {
    return conn->in_len < sizeof conn->in ? 0 : -1;
  }
  const char *field = memmem(conn->in, (size_t)(end - conn->in), "Content-Length: ", 16);
  size_t length = field == NULL ? 0 : strtoul(field + 16, NULL, 10);
  if (conn->in_len < (size_t)(end + 4 - conn->in) + length) {
    return 0;
  }
  return memcmp(conn->in, "HTTP/1.1 200", 12) == 0 ? 1 : -1;
}

static void count(struct load *load, struct conn *conn)
{
  double now = seconds_now();
  if (load->counting) {
    load->done++;
    if (load->sample_count < SAMPLES_MAX) {
      load->samples[load->sample_count++] = (float)((now - conn->began) * 1000);
    }
  }
  conn->began = now;
}

static void restart(struct load *load, struct conn *conn, bool failed)
{
  load->failed += failed && load->counting;
  if (failed) {
    static unsigned told;
    if (told++ < 3) {
      fprintf(stderr, "checkin_load: failed: %.*s\n", (int)(conn->in_len < 300 ? conn->in_len : 300), conn->in);
      ERR_print_errors_fp(stderr);
    }
  }
  stop(conn);
  start(load, conn);
}

/* One step; false when the socket has to become ready first. */
static bool step(struct load *load, struct conn *conn)
{
  size_t n = 0;
  int rc;
  if (conn->state == CONNECTING) {
    rc = SSL_do_handshake(conn->ssl);
    if (rc == 1) {
      if (!load->options.fresh) {
        conn->began = seconds_now();
      }
      prepare_request(load, conn);
      return true;
    }
  } else if (conn->state == SENDING) {
    rc = SSL_write_ex(conn->ssl, conn->out + conn->out_at, conn->out_len - conn->out_at, &n);
    if (rc == 1) {
      conn->out_at += n;
      conn->state = conn->out_at == conn->out_len ? RECEIVING : SENDING;
      return true;
    }
  } else {
    rc = SSL_read_ex(conn->ssl, conn->in + conn->in_len, sizeof conn->in - conn->in_len, &n);
    if (rc == 1) {
      conn->in_len += n;
      int whole = response_whole(conn);
      if (whole < 0) {
        restart(load, conn, true);
        return false;
      }
      if (whole > 0) {
        count(load, conn);
        if (load->options.fresh) {
          restart(load, conn, false);
          return false;
        }
        prepare_request(load, conn);
      }
      return true;
    }
  }
  int error = SSL_get_error(conn->ssl, rc);
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
    restart(load, conn, true);
  }
  return false;
}

static int by_value(const void *a, const void *b)
{
  float x = *(const float *)a;
  float y = *(const float *)b;
  return (x > y) - (x < y);
}

static void run(struct load *load)
{
  double begin = seconds_now();
  double warm = begin + 1.0;
  double end = warm + load->options.seconds;
  struct epoll_event events[256];
  for (unsigned i = 0; i < load->options.connections; i++) {
    load->conns[i].device = i;
    start(load, &load->conns[i]);
  }
  for (;;) {
    int ready = epoll_wait(load->epoll, events, 256, 100);
    double now = seconds_now();
    load->counting = now >= warm;
    if (now >= end) {
      break;
    }
    for (int i = 0; i < ready; i++) {
      struct conn *conn = events[i].data.ptr;
      while (step(load, conn)) { /* ends: the server answers one request at a time */
      }
    }
  }
  qsort(load->samples, load->sample_count, sizeof load->samples[0], by_value);
  size_t n = load->sample_count;
  printf("{\"per_second\": %.0f, \"failed\": %lu, \"connections\": %u, \"p50_ms\": %.2f, \"p99_ms\": %.2f}\n",
         (double)load->done / load->options.seconds, load->failed, load->options.connections,
         n == 0 ? 0.0 : (double)load->samples[n / 2], n == 0 ? 0.0 : (double)load->samples[n - 1 - n / 100]);
}

static bool parse(struct options *options, int argc, char **argv)
{
  *options = (struct options){.path = "/v1/checkin", .connections = 64, .seconds = 10};
  for (int i = 1; i < argc; i++) {
    const char *next = i + 1 < argc ? argv[i + 1] : "";
    if (strcmp(argv[i], "--new") == 0) {
      options->fresh = true;
      continue;
    }
    i++;
    if (strcmp(argv[i - 1], "--port") == 0) {
      options->port = (uint16_t)strtoul(next, NULL, 10);
    } else if (strcmp(argv[i - 1], "--certs") == 0) {
      options->certs = next;
    } else if (strcmp(argv[i - 1], "--path") == 0) {
      options->path = next;
    } else if (strcmp(argv[i - 1], "--connections") == 0) {
      options->connections = (unsigned)strtoul(next, NULL, 10);
    } else if (strcmp(argv[i - 1], "--seconds") == 0) {
      options->seconds = (unsigned)strtoul(next, NULL, 10);
    } else {
      return false;
    }
  }
  return options->port != 0 && options->certs != NULL && options->connections >= 1 && options->seconds >= 1 &&
         options->connections <= CONNECTIONS_MAX;
}

int main(int argc, char **argv)
{
  static struct load load;
  if (!parse(&load.options, argc, argv)) {
    fprintf(stderr, "usage: checkin_load --port P --certs DIR [--connections N] [--seconds S] [--new] [--path PATH]\n");
    return 2;
  }
  while (load.ctx_count < CERTS_MAX && (load.ctx[load.ctx_count] = load_device(load.options.certs, load.ctx_count)) != NULL) {
    load.ctx_count++;
  }
  load.conns = calloc(load.options.connections, sizeof *load.conns);
  load.samples = malloc(SAMPLES_MAX * sizeof *load.samples);
  load.epoll = epoll_create1(EPOLL_CLOEXEC);
  if (load.ctx_count == 0 || load.conns == NULL || load.samples == NULL || load.epoll < 0) {
    fprintf(stderr, "checkin_load: no certificates in %s, or no memory\n", load.options.certs);
    return 1;
  }
  run(&load);
  for (unsigned i = 0; i < load.options.connections; i++) {
    stop(&load.conns[i]);
  }
  for (unsigned i = 0; i < load.ctx_count; i++) {
    SSL_CTX_free(load.ctx[i]);
  }
  free(load.conns);
  free(load.samples);
  (void)close(load.epoll);
  return load.failed == 0 ? 0 : 1;
}
