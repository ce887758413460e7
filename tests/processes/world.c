/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hf/codec/text.h"
#include "hf/server/vaultcall.h"
#include "hf/wire/checkin.h"
#include "hf/wire/pubkey.h"

#define ARGS_MAX 40

/* ---- programs ---- */

/* Run `holdfast` with these arguments; standard output and error go where said. */
static pid_t launch(const char *const *args, int out, int err, size_t file_limit)
{
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    char *argv[ARGS_MAX];
    size_t count = 0;
    for (; args[count] != NULL; count++) {
      argv[count] = strdup(args[count]);
    }
    argv[count] = NULL;
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(err, STDERR_FILENO);
    struct rlimit limit = {.rlim_cur = file_limit, .rlim_max = file_limit};
    if (file_limit != 0 && setrlimit(RLIMIT_FSIZE, &limit) != 0) {
      _exit(126);
    }
    (void)setenv("HOLDFAST_PASSPHRASE", "correct horse battery", 1);
    execv(HOLDFAST_PROGRAM, argv);
    _exit(127);
  }
  return pid;
}

static int wait_for(pid_t pid)
{
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void read_token(struct world *world)
{
  char path[128];
  char text[1024] = "";
  (void)snprintf(path, sizeof path, "%s/operator/operator.json", world->dir);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  size_t len = fread(text, 1, sizeof text - 1, file);
  (void)fclose(file);
  text[len] = '\0';
  const char *at = strstr(text, "hf_");
  assert_non_null(at);
  size_t n = strcspn(at, "\"");
  assert_true(n < sizeof world->token);
  memcpy(world->token, at, n);
  world->token[n] = '\0';
}

static void raw_point(struct hf_pubkey *pub, EVP_PKEY *key)
{
  uint8_t *spki = NULL;
  int len = i2d_PUBKEY(key, &spki);
  assert_true(len > 0);
  assert_int_equal(hf_pubkey_parse_spki(pub, hf_bytes_init(spki, (size_t)len)), HF_OK);
  OPENSSL_free(spki);
}

/* A certificate that ended yesterday, from the real CA, made while no server runs. */
static void make_expired(struct world *world)
{
  char vault[128];
  uint8_t room[2048];
  struct hf_buf der = hf_buf_init(room, sizeof room);
  struct hf_vault_link *link = NULL;
  int64_t now = (int64_t)time(NULL);
  struct hf_vault_issue issue = {.device = HF_LIT("expired"), .not_before = now - 172800, .not_after = now - 86400};
  world->expired_key = EVP_EC_gen("P-256");
  raw_point(&issue.key, world->expired_key);
  (void)snprintf(vault, sizeof vault, "%s/server/vault", world->dir);
  assert_int_equal(hf_vault_link_open(&link, vault), HF_OK);
  assert_int_equal(hf_vault_issue(link, &der, &issue), HF_OK);
  hf_vault_link_close(link);
  const uint8_t *at = room;
  world->expired_cert = d2i_X509(NULL, &at, (long)der.len);
  assert_non_null(world->expired_cert);
}

void world_open(struct world *world)
{
  static const char *const none[] = {NULL};
  world_open_with(world, none);
}

void world_open_with(struct world *world, const char *const *extra)
{
  memset(world, 0, sizeof *world);
  (void)snprintf(world->dir, sizeof world->dir, "/tmp/hf-world-XXXXXX");
  assert_non_null(mkdtemp(world->dir));
  const char *args[ARGS_MAX] = {"holdfast",  "init",        world->dir, "--org",       "Acme",
                                "--devices", "127.0.0.1:0", "--people", "127.0.0.1:0"};
  for (size_t i = 0; extra[i] != NULL; i++) {
    assert_true(9 + i < ARGS_MAX - 1);
    args[9 + i] = extra[i];
  }
  int null = open("/dev/null", O_RDWR);
  assert_int_equal(wait_for(launch(args, null, STDERR_FILENO, 0)), 0);
  (void)close(null);
  read_token(world);
  make_expired(world);
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
  (void)about;
  (void)kind;
  (void)walk;
  return remove(path);
}

void world_close(struct world *world)
{
  if (world->server > 0) {
    (void)world_stop(world);
  }
  EVP_PKEY_free(world->expired_key);
  X509_free(world->expired_cert);
  (void)nftw(world->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- the server ---- */

static pid_t start_serve(const char *dir, const char *const extra[4], int out, int err, size_t file_limit)
{
  const char *args[ARGS_MAX] = {"holdfast", "serve", dir};
  size_t count = 3;
  for (size_t i = 0; extra != NULL && i < 4 && extra[i] != NULL; i++) {
    args[count++] = extra[i];
  }
  return launch(args, out, err, file_limit);
}

static uint16_t port_after(const char *line, const char *word)
{
  const char *at = strstr(line, word);
  assert_non_null(at);
  at = strstr(at, ".0.");
  assert_non_null(at);
  at = strchr(at, ':');
  assert_non_null(at);
  return (uint16_t)strtoul(at + 1, NULL, 10);
}

void world_start(struct world *world, const char *const extra[4])
{
  int out[2];
  char line[512] = "";
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  if (world->errors == NULL) {
    world->errors = tmpfile();
  }
  assert_non_null(world->errors);
  struct timespec begun;
  struct timespec ended;
  (void)clock_gettime(CLOCK_MONOTONIC, &begun);
  world->server = start_serve(world->dir, extra, out[1], fileno(world->errors), world->file_limit);
  (void)close(out[1]);
  FILE *said = fdopen(out[0], "r");
  if (fgets(line, sizeof line, said) == NULL) {
    char errors[2048];
    world_errors(world, errors, sizeof errors);
    fail_msg("the server did not start: %s", errors);
  }
  (void)clock_gettime(CLOCK_MONOTONIC, &ended);
  (void)fclose(said);
  world->ready_s = (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) / 1e9;
  world->devices = port_after(line, "devices");
  world->people = port_after(line, "people");
}

int world_try(const char *dir, const char *const extra[4], char *said, size_t cap)
{
  FILE *errors = tmpfile();
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  assert_non_null(errors);
  int status = wait_for(start_serve(dir, extra, null, fileno(errors), 0));
  (void)close(null);
  rewind(errors);
  size_t len = fread(said, 1, cap - 1, errors);
  said[len] = '\0';
  (void)fclose(errors);
  return status;
}

int world_stop(struct world *world)
{
  assert_int_equal(kill(world->server, SIGTERM), 0);
  int status = wait_for(world->server);
  world->server = 0;
  return status;
}

void world_errors(struct world *world, char *out, size_t cap)
{
  ssize_t len = pread(fileno(world->errors), out, cap - 1, 0);
  out[len > 0 ? len : 0] = '\0';
}

pid_t world_child(const struct world *world, const char *name)
{
  char path[64];
  pid_t found = 0;
  (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", world->server, world->server);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  long pid = 0;
  while (found == 0 && fscanf(file, "%ld", &pid) == 1) {
    char comm[32] = "";
    (void)snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    FILE *named = fopen(path, "r");
    if (named != NULL && fgets(comm, sizeof comm, named) != NULL && strncmp(comm, name, strlen(name)) == 0) {
      found = (pid_t)pid;
    }
    if (named != NULL) {
      (void)fclose(named);
    }
  }
  (void)fclose(file);
  return found;
}

/* ---- clients ---- */

int connect_to(uint16_t port)
{
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct timeval patience = {.tv_sec = 40};
  int yes = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
  assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes), 0);
  if (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
    fail_msg("connect: %s", strerror(errno));
  }
  return fd;
}

static bool client_tls(struct client *client, const struct world *world, const struct device *device, uint16_t port)
{
  char ca[128];
  memset(client, 0, sizeof *client);
  (void)snprintf(ca, sizeof ca, "%s/server/tls/server-ca.crt", world->dir);
  client->ctx = SSL_CTX_new(TLS_client_method());
  assert_int_equal(SSL_CTX_load_verify_locations(client->ctx, ca, NULL), 1);
  SSL_CTX_set_verify(client->ctx, SSL_VERIFY_PEER, NULL);
  if (device != NULL) {
    assert_int_equal(SSL_CTX_use_certificate(client->ctx, device->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(client->ctx, device->key), 1);
  }
  client->ssl = SSL_new(client->ctx);
  client->fd = connect_to(port);
  assert_int_equal(SSL_set_fd(client->ssl, client->fd), 1);
  return SSL_connect(client->ssl) == 1;
}

bool client_try(struct client *client, const struct world *world, const struct device *device)
{
  return client_tls(client, world, device, world->devices);
}

void client_people_tls(struct client *client, const struct world *world)
{
  assert_true(client_tls(client, world, NULL, world->people));
}

void client_open(struct client *client, const struct world *world, const struct device *device)
{
  assert_true(client_try(client, world, device));
}

void client_people(struct client *client, const struct world *world)
{
  memset(client, 0, sizeof *client);
  client->fd = connect_to(world->people);
}

void client_close(struct client *client)
{
  SSL_free(client->ssl);
  SSL_CTX_free(client->ctx);
  (void)close(client->fd);
}

bool client_send(struct client *client, const void *at, size_t len)
{
  size_t done = 0;
  while (done < len) {
    size_t n = 0;
    if (client->ssl != NULL) {
      if (SSL_write_ex(client->ssl, (const char *)at + done, len - done, &n) != 1) {
        return false;
      }
    } else {
      ssize_t sent = send(client->fd, (const char *)at + done, len - done, MSG_NOSIGNAL);
      if (sent <= 0) {
        return false;
      }
      n = (size_t)sent;
    }
    done += n;
  }
  return true;
}

static size_t receive_some(struct client *client, void *at, size_t cap)
{
  size_t n = 0;
  if (client->ssl != NULL) {
    return SSL_read_ex(client->ssl, at, cap, &n) == 1 ? n : 0;
  }
  ssize_t got = recv(client->fd, at, cap, 0);
  return got > 0 ? (size_t)got : 0;
}

bool client_receive(struct client *client, struct response *response, bool head_only)
{
  size_t len = 0;
  memset(response, 0, sizeof *response);
  while (strstr(response->head, "\r\n\r\n") == NULL) { /* byte by byte: the rest belongs to the body */
    if (len + 1 >= sizeof response->head || receive_some(client, response->head + len, 1) != 1) {
      return false;
    }
    len++;
  }
  response->status = (int)strtol(response->head + sizeof "HTTP/1.1" - 1, NULL, 10);
  const char *field = strstr(response->head, "Content-Length: ");
  size_t wanted = field == NULL || head_only ? 0 : strtoul(field + strlen("Content-Length: "), NULL, 10);
  assert_true(wanted <= sizeof response->body);
  while (response->body_len < wanted) {
    size_t n = receive_some(client, response->body + response->body_len, wanted - response->body_len);
    if (n == 0) {
      return false;
    }
    response->body_len += n;
  }
  return true;
}

int client_ask(struct client *client, struct response *response, const char *method, const char *path,
               const char *fields, struct hf_bytes body)
{
  char head[2048];
  char length[64] = "";
  if (body.len > 0 || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
    (void)snprintf(length, sizeof length, "Content-Length: %zu\r\n", body.len);
  }
  int n = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n", method, path, length, fields);
  response->status = 0;
  if (!client_send(client, head, (size_t)n) || !client_send(client, body.at, body.len) ||
      !client_receive(client, response, strcmp(method, "HEAD") == 0)) {
    return 0;
  }
  return response->status;
}

int world_api(const struct world *world, struct response *response, const char *method, const char *path,
              const char *json)
{
  struct client client;
  char fields[512];
  (void)snprintf(fields, sizeof fields, "Authorization: Bearer %s\r\nContent-Type: application/json\r\n", world->token);
  client_people(&client, world);
  int status = client_ask(&client, response, method, path, fields, hf_bytes_text(json));
  client_close(&client);
  return status;
}

/* ---- devices ---- */

void device_open(struct device *device, const char *name)
{
  memset(device, 0, sizeof *device);
  (void)snprintf(device->name, sizeof device->name, "%s", name);
  device->key = EVP_EC_gen("P-256");
  assert_non_null(device->key);
}

void device_close(struct device *device)
{
  EVP_PKEY_free(device->key);
  X509_free(device->cert);
}

void device_request(const struct device *device, const char *name, char *out, size_t cap)
{
  X509_REQ *request = X509_REQ_new();
  X509_NAME *subject = X509_REQ_get_subject_name(request);
  uint8_t *der = NULL;
  assert_int_equal(
      X509_NAME_add_entry_by_txt(subject, "serialNumber", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0), 1);
  assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0), 1);
  assert_int_equal(X509_REQ_set_pubkey(request, device->key), 1);
  assert_true(X509_REQ_sign(request, device->key, EVP_sha256()) > 0);
  int len = i2d_X509_REQ(request, &der);
  assert_true(len > 0);
  struct hf_buf text = hf_buf_init(out, cap);
  hf_base64_put(&text, hf_bytes_init(der, (size_t)len));
  assert_int_equal(hf_buf_terminate(&text), HF_OK);
  OPENSSL_free(der);
  X509_REQ_free(request);
}

X509 *certificate_of(const struct response *response)
{
  uint8_t room[8192];
  struct hf_buf der = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_base64_parse(&der, hf_bytes_init(response->body, response->body_len)), HF_OK);
  const uint8_t *at = room;
  PKCS7 *message = d2i_PKCS7(NULL, &at, (long)der.len);
  assert_non_null(message);
  assert_true(PKCS7_type_is_signed(message));
  assert_true(sk_X509_num(message->d.sign->cert) >= 1);
  X509 *cert = X509_dup(sk_X509_value(message->d.sign->cert, 0));
  PKCS7_free(message);
  return cert;
}

void device_token(const struct world *world, const char *name, char *field, size_t cap)
{
  struct response *response = malloc(sizeof *response);
  char json[256];
  char basic[256];
  char coded[512];
  assert_non_null(response);
  (void)snprintf(json, sizeof json, "{\"device\":\"%s\",\"product\":\"lamp\",\"expires_in_s\":600}", name);
  if (world_api(world, response, "POST", "/api/v1/enrol-tokens", json) != 201) {
    fail_msg("enrol token: %d %.*s", response->status, (int)response->body_len, (const char *)response->body);
  }
  response->body[response->body_len] = 0;
  const char *token = strstr((const char *)response->body, "hfe_");
  assert_non_null(token);
  struct hf_buf text = hf_buf_init(coded, sizeof coded);
  (void)snprintf(basic, sizeof basic, "any:%.*s", (int)strcspn(token, "\""), token);
  hf_base64_put(&text, hf_bytes_text(basic));
  assert_int_equal(hf_buf_terminate(&text), HF_OK);
  (void)snprintf(field, cap, "Authorization: Basic %s\r\nContent-Type: application/pkcs10\r\n", coded);
  free(response);
}

void device_enrol(struct device *device, const struct world *world)
{
  struct response *response = malloc(sizeof *response);
  struct client client;
  char csr[2048];
  char field[700];
  assert_non_null(response);
  device_token(world, device->name, field, sizeof field);
  device_request(device, device->name, csr, sizeof csr);
  client_open(&client, world, NULL);
  if (client_ask(&client, response, "POST", "/.well-known/est/simpleenroll", field, hf_bytes_text(csr)) != 200) {
    fail_msg("enrol: %d %.*s", response->status, (int)response->body_len, (const char *)response->body);
  }
  device->cert = certificate_of(response);
  client_close(&client);
  free(response);
}

size_t checkin_body(uint8_t *out, size_t cap, uint32_t number, uint32_t event)
{
  struct hf_checkin checkin = {.boot = 1,
                               .number = number,
                               .product = HF_LIT("lamp"),
                               .hardware = HF_LIT("lamp-a"),
                               .component_count = 1,
                               .component = {{.name = HF_LIT("main"), .version = HF_LIT("1.0.0")}}};
  if (event != 0) {
    checkin.event_count = 1;
    checkin.event[0] = (struct hf_checkin_event){.number = event, .kind = HF_EVENT_BOOT, .time = 1790000000};
  }
  struct hf_buf buf = hf_buf_init(out, cap);
  assert_int_equal(hf_checkin_encode(&buf, &checkin), HF_OK);
  return buf.len;
}
