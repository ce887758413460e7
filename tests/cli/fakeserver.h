/* SPDX-License-Identifier: Apache-2.0
 * A server that answers what a test wants, in a process of its own, on a loopback port. It reads real requests from a
 * real socket; only what it says is made up. */
#ifndef TESTS_CLI_FAKESERVER_H
#define TESTS_CLI_FAKESERVER_H

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include "tests/cli/clirun.h"

#define FAKE_BODY_MAX (1 << 20)

struct fake_request {
  char line[512]; /**< "GET /api/v1/products?limit=5" */
  char headers[4096];
  char *body;
  size_t body_len;
};

struct fake_reply {
  int status;
  char headers[512]; /**< extra ones, each with CRLF */
  char *body;        /**< room for FAKE_BODY_MAX */
  size_t len;
};

/** Fills a reply. */
struct fake_handler {
  void (*answer)(struct fake_reply *reply, const struct fake_request *request, void *ctx);
  void *ctx;
};

struct fake_server {
  pid_t pid;
  unsigned port;
};

static bool fake_read(int fd, struct fake_request *request)
{
  static char raw[FAKE_BODY_MAX + 8192];
  size_t len = 0;
  char *end = NULL;
  while (end == NULL && len < sizeof raw - 1) {
    ssize_t got = read(fd, raw + len, sizeof raw - 1 - len);
    if (got <= 0) {
      return false;
    }
    len += (size_t)got;
    raw[len] = 0;
    end = strstr(raw, "\r\n\r\n");
  }
  if (end == NULL) {
    return false;
  }
  *end = 0;
  const char *space = strstr(raw, " HTTP/1.");
  const char *length = strcasestr(raw, "\r\nContent-Length:");
  size_t wanted = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
  (void)snprintf(request->line, sizeof request->line, "%.*s", (int)(space == NULL ? 0 : space - raw), raw);
  (void)snprintf(request->headers, sizeof request->headers, "%.4000s", raw);
  request->body = end + 4;
  while ((size_t)(raw + len - request->body) < wanted && len < sizeof raw - 1) {
    ssize_t got = read(fd, raw + len, sizeof raw - 1 - len);
    if (got <= 0) {
      return false;
    }
    len += (size_t)got;
  }
  request->body_len = wanted;
  request->body[wanted] = 0;
  return true;
}

static void fake_write(int fd, const void *at, size_t len)
{
  const char *bytes = at;
  while (len > 0) {
    ssize_t put = write(fd, bytes, len);
    if (put <= 0) {
      return; /* the client hung up: it may */
    }
    bytes += put;
    len -= (size_t)put;
  }
}

static void fake_serve(int listener, const struct fake_handler *handler)
{
  static char body[FAKE_BODY_MAX];
  static struct fake_request request;
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) {
      _exit(1);
    }
    struct fake_reply reply = {.status = 404, .body = body};
    char head[1024];
    if (fake_read(fd, &request)) {
      handler->answer(&reply, &request, handler->ctx);
      int len = snprintf(head, sizeof head, "HTTP/1.1 %d x\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n",
                         reply.status, reply.len, reply.headers);
      fake_write(fd, head, (size_t)len);
      fake_write(fd, reply.body, reply.len);
    }
    close(fd);
  }
}

/** Start it; what `handler` changes is seen by later requests, but not by the test. */
__attribute__((unused)) static struct fake_server fake_open(struct fake_handler handler)
{
  struct fake_server server = {.pid = 0};
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(listener >= 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(listener, 16), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
  server.port = ntohs(address.sin_port);
  fflush(NULL);
  server.pid = fork();
  assert_true(server.pid >= 0);
  if (server.pid == 0) {
    (void)signal(SIGPIPE, SIG_IGN);
    fake_serve(listener, &handler);
  }
  close(listener);
  return server;
}

__attribute__((unused)) static void fake_close(const struct fake_server *server)
{
  int status;
  assert_int_equal(kill(server->pid, SIGKILL), 0);
  assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
}

/** An operator folder `operator` in the fresh folder that points at the server. */
__attribute__((unused)) static void fake_login(const struct clirun *run, const struct fake_server *server)
{
  char text[256];
  (void)snprintf(text, sizeof text,
                 "{\"format\": 1, \"url\": \"http://127.0.0.1:%u\", \"token\": \"hf_0123456789abcdef\"}", server->port);
  (void)mkdir(clirun_path(run, "operator"), 0700);
  clirun_put(run, "operator/operator.json", text, strlen(text));
}

__attribute__((unused)) static void fake_say(struct fake_reply *reply, int status, const char *text)
{
  reply->status = status;
  reply->len = strlen(text);
  memcpy(reply->body, text, reply->len);
}

#endif
