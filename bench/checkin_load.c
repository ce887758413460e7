/* SPDX-License-Identifier: Apache-2.0
 * Load on the device listener: many mutually authenticated TLS connections from one thread, each with one request under
 * way at a time. Works against anything that answers POST, so that a plain web server can be measured beside Holdfast.
 *
 *   checkin_load --port P --devices FILE [--connections N] [--seconds S] [--new] [--changing] [--once]
 *
 * FILE holds certificate and private key of each device, PEM, in turn (enrol_fleet makes it): one device for each
 * connection. Every check-in reports the same state, so that only the first of each device has news, unless
 * `--changing` is given: then each names another version than the one before. `--new` makes a new connection, with a
 * full handshake, for every request. `--once` lets each device check in once, ends then and ignores `--seconds`. Prints
 * one line of JSON: requests per second, failures, and latencies in milliseconds. The first second does not count.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
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
#define DEVICES_MAX 100000
#define SAMPLES_MAX (1u << 22)

struct options {
  uint16_t port;
  const char *devices;
  unsigned connections;
  unsigned seconds;
  bool fresh;
  bool changing;
  bool once;
};

enum state { CONNECTING, SENDING, RECEIVING };

struct conn {
  int fd;
  struct device *device;
  enum state state;
  SSL *ssl;
  double began;
  char out[1024];
  size_t out_len, out_at;
  char in[4096];
  size_t in_len;
};

struct device {
  X509 *certificate;
  EVP_PKEY *key;
  uint32_t number; /* of its last check-in */
};

struct load {
  struct options options;
  SSL_CTX *ctx;
  struct device *devices;
  unsigned device_count;
  unsigned next_device; /* of the next connection to be made */
  uint32_t boot;        /* later than that of a run before: else the server takes what comes for late */
  struct conn *conns;
  int epoll;
  unsigned long answered; /* in all */
  unsigned long done;     /* while counting */
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

static void open_devices(struct load *load)
{
  FILE *file = fopen(load->options.devices, "re");
  load->ctx = SSL_CTX_new(TLS_client_method());
  load->devices = calloc(DEVICES_MAX, sizeof *load->devices);
  if (file == NULL || load->ctx == NULL || load->devices == NULL ||
      SSL_CTX_set_min_proto_version(load->ctx, TLS1_3_VERSION) != 1) {
    fprintf(stderr, "checkin_load: %s: %s\n", load->options.devices, strerror(errno));
    exit(1);
  }
  const unsigned wanted = load->options.once ? DEVICES_MAX : load->options.connections; /* reading keys takes long */
  while (load->device_count < wanted) {
    struct device *device = &load->devices[load->device_count];
    device->certificate = PEM_read_X509(file, NULL, NULL, NULL);
    device->key = device->certificate == NULL ? NULL : PEM_read_PrivateKey(file, NULL, NULL, NULL);
    if (device->key == NULL) {
      break;
    }
    load->device_count++;
  }
  ERR_clear_error();
  (void)fclose(file);
  /* The server is ours and on loopback: what it costs the client to check it is not what is measured. */
  SSL_CTX_set_verify(load->ctx, SSL_VERIFY_NONE, NULL);
  (void)SSL_CTX_set_session_cache_mode(load->ctx, SSL_SESS_CACHE_OFF); /* every handshake is a full one */
}

static void close_devices(struct load *load)
{
  for (unsigned i = 0; i < load->device_count; i++) {
    X509_free(load->devices[i].certificate);
    EVP_PKEY_free(load->devices[i].key);
  }
  free(load->devices);
  SSL_CTX_free(load->ctx);
}

static void prepare_request(struct load *load, struct conn *conn)
{
  uint8_t body[HF_CHECKIN_MAX];
  struct hf_buf out = hf_buf_init(body, sizeof body);
  struct hf_checkin checkin = {.boot = load->boot,
                               .number = ++conn->device->number,
                               .product = HF_LIT("lamp"),
                               .hardware = HF_LIT("lamp-a"),
                               .component_count = 1,
                               .component = {{.name = HF_LIT("main"), .version = HF_LIT("1.0.0"), .counter = 1}}};
  if (load->options.changing && checkin.number % 2 == 0) {
    checkin.component[0].version = HF_LIT("1.0.1");
  }
  if (hf_checkin_encode(&out, &checkin) != HF_OK) {
    exit(1);
  }
  int n = snprintf(conn->out, sizeof conn->out,
                   "POST /v1/checkin HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", out.len);
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
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons(load->options.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
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
  conn->device = &load->devices[load->next_device++ % load->device_count];
  conn->ssl = SSL_new(load->ctx);
  if (conn->ssl == NULL || SSL_use_certificate(conn->ssl, conn->device->certificate) != 1 ||
      SSL_use_PrivateKey(conn->ssl, conn->device->key) != 1 || SSL_set_fd(conn->ssl, conn->fd) != 1) {
    ERR_print_errors_fp(stderr);
    exit(1);
  }
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
  load->answered++;
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
  load->failed += failed;
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
        if (load->options.fresh || load->options.once) {
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
    start(load, &load->conns[i]);
  }
  for (;;) {
    int ready = epoll_wait(load->epoll, events, 256, 100);
    double now = seconds_now();
    load->counting = now >= warm;
    if (load->options.once ? load->answered + load->failed >= load->device_count : now >= end) {
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
  printf("{\"per_second\": %.0f, \"answered\": %lu, \"failed\": %lu, \"connections\": %u, \"p50_ms\": %.2f, "
         "\"p99_ms\": %.2f}\n",
         (double)load->done / load->options.seconds, load->answered, load->failed, load->options.connections,
         n == 0 ? 0.0 : (double)load->samples[n / 2], n == 0 ? 0.0 : (double)load->samples[n - 1 - n / 100]);
}

static bool parse(struct options *options, int argc, char **argv)
{
  *options = (struct options){.connections = 64, .seconds = 10};
  for (int i = 1; i < argc; i++) {
    const char *next = i + 1 < argc ? argv[i + 1] : "";
    bool *flag = strcmp(argv[i], "--new") == 0        ? &options->fresh
                 : strcmp(argv[i], "--changing") == 0 ? &options->changing
                 : strcmp(argv[i], "--once") == 0     ? &options->once
                                                      : NULL;
    if (flag != NULL) {
      *flag = true;
      continue;
    }
    i++;
    if (strcmp(argv[i - 1], "--port") == 0) {
      options->port = (uint16_t)strtoul(next, NULL, 10);
    } else if (strcmp(argv[i - 1], "--devices") == 0) {
      options->devices = next;
    } else if (strcmp(argv[i - 1], "--connections") == 0) {
      options->connections = (unsigned)strtoul(next, NULL, 10);
    } else if (strcmp(argv[i - 1], "--seconds") == 0) {
      options->seconds = (unsigned)strtoul(next, NULL, 10);
    } else {
      return false;
    }
  }
  return options->port != 0 && options->devices != NULL && options->connections >= 1 && options->seconds >= 1 &&
         options->connections <= CONNECTIONS_MAX;
}

int main(int argc, char **argv)
{
  static struct load load;
  if (!parse(&load.options, argc, argv)) {
    fprintf(
        stderr,
        "usage: checkin_load --port P --devices FILE [--connections N] [--seconds S] [--new] [--changing] [--once]\n");
    return 2;
  }
  load.boot = (uint32_t)time(NULL);
  open_devices(&load);
  load.conns = calloc(load.options.connections, sizeof *load.conns);
  load.samples = malloc(SAMPLES_MAX * sizeof *load.samples);
  load.epoll = epoll_create1(EPOLL_CLOEXEC);
  if (load.device_count == 0 || load.conns == NULL || load.samples == NULL || load.epoll < 0) {
    fprintf(stderr, "checkin_load: no devices in %s, or no memory\n", load.options.devices);
    return 1;
  }
  run(&load);
  for (unsigned i = 0; i < load.options.connections; i++) {
    stop(&load.conns[i]);
  }
  close_devices(&load);
  free(load.conns);
  free(load.samples);
  (void)close(load.epoll);
  return load.failed == 0 ? 0 : 1;
}
