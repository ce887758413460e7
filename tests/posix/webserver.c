/* SPDX-License-Identifier: Apache-2.0 */
#include "webserver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct connection {
  const struct webserver_spec *spec;
  SSL *tls;
  unsigned number, requests;
  char head[8192];
  char *body; /* inside head */
  size_t body_len;
};

uint8_t webserver_byte(size_t at) { return (uint8_t)(at * 7u + at / 251u); }

static void pause_ms(long ms)
{
  (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static bool send_all(struct connection *conn, const void *at, size_t len)
{
  return len == 0 || SSL_write(conn->tls, at, (int)len) == (int)len;
}

static bool send_text(struct connection *conn, const char *text) { return send_all(conn, text, strlen(text)); }

static bool reply(struct connection *conn, const char *status, const char *headers, const void *body, size_t len)
{
  char head[512];
  int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, headers, len);
  return send_all(conn, head, (size_t)n) && send_all(conn, body, len);
}

static bool reply_text(struct connection *conn, const char *status, const char *headers, const char *text)
{
  return reply(conn, status, headers, text, strlen(text));
}

static const char *header(const struct connection *conn, const char *name)
{
  static char value[512];
  for (const char *line = strstr(conn->head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
    line += 2;
    if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
      (void)snprintf(value, sizeof value, "%.*s", (int)strcspn(line + strlen(name) + 1, "\r"), line + strlen(name) + 1);
      return value + strspn(value, " ");
    }
  }
  return "";
}

/* ---- bodies of many bytes ---- */

static bool serve_bytes(struct connection *conn, bool ranges, size_t shift, size_t cut)
{
  static uint8_t bytes[WEBSERVER_BYTES];
  char head[128];
  size_t from = 0;
  for (size_t i = 0; i < sizeof bytes; i++) {
    bytes[i] = webserver_byte(i);
  }
  const char *range = header(conn, "Range");
  if (!ranges || strncmp(range, "bytes=", 6) != 0) {
    int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", sizeof bytes);
    if (!send_all(conn, head, (size_t)n)) {
      return false;
    }
  } else {
    from = strtoul(range + 6, NULL, 10) + shift;
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %zu-%zu/%zu\r\nContent-Length: %zu\r\n\r\n",
                     from, sizeof bytes - 1, sizeof bytes, sizeof bytes - from);
    if (!send_all(conn, head, (size_t)n)) {
      return false;
    }
  }
  size_t len = sizeof bytes - from;
  bool whole = len <= cut;
  return send_all(conn, bytes + from, whole ? len : cut) && whole;
}

static bool serve_drip(struct connection *conn)
{
  bool going = send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
  for (unsigned i = 0; going && i < 600; i++) {
    going = send_all(conn, "x", 1);
    pause_ms(200);
  }
  return false;
}

static bool serve_endless(struct connection *conn)
{
  static const char piece[4096];
  bool going = send_text(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (unsigned i = 0; going && i < 10000; i++) {
    going = send_all(conn, "1000\r\n", 6) && send_all(conn, piece, sizeof piece) && send_all(conn, "\r\n", 2);
  }
  return false;
}

static bool serve_who(struct connection *conn)
{
  char text[1024];
  char name[128] = "nobody";
  X509 *cert = SSL_get1_peer_certificate(conn->tls);
  if (cert != NULL) {
    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof name);
  }
  X509_free(cert);
  (void)snprintf(text, sizeof text, "%s %s", name, header(conn, "Authorization"));
  return reply_text(conn, "200 OK", "", text);
}

/* ---- EST ---- */

static bool reply_certs(struct connection *conn, X509 *cert)
{
  PKCS7 *cms = PKCS7_new();
  unsigned char *der = NULL;
  static unsigned char text[32768];
  assert_non_null(cms);
  assert_int_equal(PKCS7_set_type(cms, NID_pkcs7_signed), 1);
  assert_int_equal(PKCS7_content_new(cms, NID_pkcs7_data), 1);
  assert_int_equal(PKCS7_set_detached(cms, 1), 1);
  assert_int_equal(PKCS7_add_certificate(cms, cert), 1);
  int len = i2d_PKCS7(cms, &der);
  assert_true(len > 0);
  int text_len = EVP_EncodeBlock(text, der, len);
  OPENSSL_free(der);
  PKCS7_free(cms);
  return reply(conn, "200 OK", "Content-Type: application/pkcs7-mime; smime-type=certs-only\r\n", text,
               (size_t)text_len);
}

static bool issue(struct connection *conn, enum webserver_est est)
{
  static unsigned char der[8192];
  const struct webserver_spec *spec = conn->spec;
  const unsigned char *at = der;
  char name[128] = "";
  int len = EVP_DecodeBlock(der, (const unsigned char *)conn->body, (int)conn->body_len);
  X509_REQ *req = len <= 0 ? NULL : d2i_X509_REQ(NULL, &at, len);
  if (req == NULL || X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) != 1) {
    X509_REQ_free(req);
    return reply_text(conn, "400 Bad Request", "", "no request");
  }
  (void)X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(req), NID_commonName, name, sizeof name);
  EVP_PKEY *own = minica_key();
  struct minica stranger = minica_open("stranger", spec->issue_begins, spec->issue_ends);
  const struct minica_leaf leaf = {.name = est == WEBSERVER_EST_OTHER_NAME ? "mallory" : name,
                                   .begins = spec->issue_begins,
                                   .ends = spec->issue_ends};
  X509 *cert = minica_issue(est == WEBSERVER_EST_OTHER_CA ? &stranger : spec->device_ca,
                            est == WEBSERVER_EST_OTHER_KEY ? own : X509_REQ_get0_pubkey(req), &leaf);
  bool going = reply_certs(conn, cert);
  X509_free(cert);
  minica_close(&stranger);
  EVP_PKEY_free(own);
  X509_REQ_free(req);
  return going;
}

static bool serve_est(struct connection *conn, const char *operation)
{
  enum webserver_est est = conn->spec->est;
  if (est == WEBSERVER_EST_REFUSES) {
    return reply_text(conn, "403 Forbidden", "", "no");
  }
  if (strcmp(operation, "cacerts") == 0) {
    return reply_certs(conn, conn->spec->device_ca->cert);
  }
  if (est == WEBSERVER_EST_REFUSES_RENEWAL && strcmp(operation, "simplereenroll") == 0) {
    return reply_text(conn, "403 Forbidden", "", "no");
  }
  X509 *peer = SSL_get1_peer_certificate(conn->tls);
  X509_free(peer);
  /* thermo-0001:secret */
  if (peer == NULL && strcmp(header(conn, "Authorization"), "Basic dGhlcm1vLTAwMDE6c2VjcmV0") != 0) {
    return reply_text(conn, "401 Unauthorized", "", "who are you");
  }
  if (est == WEBSERVER_EST_GARBAGE) {
    return reply_text(conn, "200 OK", "", "bm90IGEgY2VydGlmaWNhdGU=");
  }
  if (est == WEBSERVER_EST_LATER) {
    return reply_text(conn, "202 Accepted", "Retry-After: 60\r\n", "");
  }
  return issue(conn, est);
}

/* ---- requests ---- */

static bool dispatch(struct connection *conn, const char *path)
{
  char text[64];
  if (strcmp(path, "/ok") == 0) {
    return reply_text(conn, "200 OK", "", "hello");
  }
  if (strcmp(path, "/bytes") == 0 || strcmp(path, "/cut") == 0 || strcmp(path, "/norange") == 0 ||
      strcmp(path, "/wrongrange") == 0) {
    return serve_bytes(conn, path[1] != 'n', path[1] == 'w' ? 10 : 0, path[1] == 'c' ? WEBSERVER_CUT : SIZE_MAX);
  }
  if (strcmp(path, "/drip") == 0) {
    return serve_drip(conn);
  }
  if (strcmp(path, "/endless") == 0) {
    return serve_endless(conn);
  }
  if (strcmp(path, "/redirect") == 0) {
    return reply_text(conn, "302 Found", "Location: /ok\r\n", "elsewhere");
  }
  if (strcmp(path, "/retry") == 0) {
    return reply_text(conn, "503 Service Unavailable", "Retry-After: 7\r\n", "");
  }
  if (strcmp(path, "/silent") == 0) {
    pause_ms(60000);
    return false;
  }
  if (strcmp(path, "/count") == 0) {
    (void)snprintf(text, sizeof text, "%u %u", conn->number, conn->requests);
    return reply_text(conn, "200 OK", "", text);
  }
  if (strcmp(path, "/resumed") == 0) {
    (void)snprintf(text, sizeof text, "%u %s", conn->number, SSL_session_reused(conn->tls) == 1 ? "resumed" : "new");
    return reply_text(conn, "200 OK", "", text);
  }
  if (strcmp(path, "/who") == 0) {
    return serve_who(conn);
  }
  if (strcmp(path, "/echo") == 0) {
    return reply(conn, "200 OK", "", conn->body, conn->body_len);
  }
  if (strcmp(path, "/empty") == 0) {
    return reply_text(conn, "200 OK", "", "");
  }
  if (strncmp(path, "/.well-known/est/", 17) == 0 && conn->spec->device_ca != NULL) {
    return serve_est(conn, path + 17);
  }
  return reply_text(conn, "404 Not Found", "", "nothing here");
}

static bool serve_request(struct connection *conn)
{
  char path[128];
  size_t len = 0;
  memset(conn->head, 0, sizeof conn->head);
  char *end = NULL;
  while (end == NULL && len < sizeof conn->head - 1) {
    int got = SSL_read(conn->tls, conn->head + len, (int)(sizeof conn->head - 1 - len));
    if (got <= 0) {
      return false;
    }
    len += (size_t)got;
    end = strstr(conn->head, "\r\n\r\n");
  }
  conn->body = end == NULL ? conn->head : end + 4;
  conn->body_len = strtoul(header(conn, "Content-Length"), NULL, 10);
  size_t head_len = (size_t)(conn->body - conn->head);
  while (len < head_len + conn->body_len && len < sizeof conn->head - 1) {
    int got = SSL_read(conn->tls, conn->head + len, (int)(sizeof conn->head - 1 - len));
    if (got <= 0) {
      return false;
    }
    len += (size_t)got;
  }
  conn->requests++;
  const char *at = strchr(conn->head, ' ');
  size_t path_len = at == NULL ? 0 : strcspn(at + 1, " \r");
  if (path_len == 0 || path_len >= sizeof path) {
    return false;
  }
  memcpy(path, at + 1, path_len);
  path[path_len] = '\0';
  return dispatch(conn, path);
}

static void serve_connection(SSL_CTX *ctx, const struct webserver_spec *spec, int fd, unsigned number)
{
  static struct connection conn;
  conn = (struct connection){.spec = spec, .tls = SSL_new(ctx), .number = number};
  if (SSL_set_fd(conn.tls, fd) == 1 && SSL_accept(conn.tls) == 1) {
    while (serve_request(&conn)) {
    }
  }
  SSL_free(conn.tls);
}

/* Closing with unread bytes would be a reset, which can overtake the alert that says why the connection ends. */
static void finish(int fd)
{
  char bytes[1024];
  const struct timeval patience = {.tv_sec = 2};
  (void)shutdown(fd, SHUT_WR);
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  for (unsigned i = 0; i < 64 && read(fd, bytes, sizeof bytes) > 0; i++) {
  }
}

_Noreturn static void serve(const struct webserver_spec *spec, int listener)
{
  SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
  (void)signal(SIGPIPE, SIG_IGN);
  (void)signal(SIGCHLD, SIG_IGN);
  if (ctx == NULL || SSL_CTX_use_certificate(ctx, spec->cert) != 1 || SSL_CTX_use_PrivateKey(ctx, spec->key) != 1) {
    _exit(1);
  }
  if (SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"web", 3) != 1) {
    _exit(1);
  }
  if (spec->client_ca != NULL) {
    (void)X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), spec->client_ca->cert);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
  }
  for (unsigned number = 1;; number++) {
    int fd = accept(listener, NULL, NULL);
    if (fd >= 0 && fork() == 0) {
      (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
      serve_connection(ctx, spec, fd, number);
      finish(fd);
      _exit(0);
    }
    (void)close(fd);
  }
}

void webserver_open(struct webserver *server, const struct webserver_spec *spec)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t len = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(listener >= 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
  assert_int_equal(listen(listener, 16), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
  (void)snprintf(server->url, sizeof server->url, "https://127.0.0.1:%u", ntohs(address.sin_port));
  server->pid = fork();
  assert_true(server->pid >= 0);
  if (server->pid == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve(spec, listener);
  }
  (void)close(listener);
}

void webserver_close(struct webserver *server)
{
  (void)kill(server->pid, SIGKILL);
  (void)waitpid(server->pid, NULL, 0);
}
