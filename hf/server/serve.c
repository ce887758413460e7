/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* flock, sched_getaffinity */
#include "hf/server/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hf/fleet/workspace.h"
#include "hf/server/keeper.h"
#include "hf/server/landlock.h"
#include "hf/wire/pubkey.h"

/* Connections that wait to be accepted: a fleet that comes back after an outage. */
#define BACKLOG 4096
/* Open connections, a file each. */
#define FILES_WANTED 65536

#define BANNER_MAX 1024

/* ---- the workspace ---- */

static enum hf_err read_workspace(struct hf_workspace *workspace, const char *dir)
{
  char path[PATH_MAX];
  static uint8_t text[HF_WORKSPACE_FILE_MAX + 1];
  if (snprintf(path, sizeof path, "%s/holdfast.json", dir) >= (int)sizeof path) {
    fprintf(stderr, "serve: the path of the workspace is too long\n");
    return HF_E_SPACE;
  }
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    fprintf(stderr, "serve: %s: %s; name a workspace made by `holdfast init`\n", path, strerror(errno));
    return HF_E_NOT_FOUND;
  }
  size_t len = fread(text, 1, sizeof text, file);
  (void)fclose(file);
  struct hf_why why = {0};
  enum hf_err err = hf_workspace_parse(workspace, hf_bytes_init(text, len), &why);
  if (err != HF_OK) {
    const struct hf_rule_words *words = hf_rule_words(why.rule);
    fprintf(stderr, "serve: %s, byte %u: %s; %s\n", path, why.at, words->what, words->todo);
  }
  return err;
}

/* One server for one workspace: two would write over each other. Held until the process ends. */
static enum hf_err lock_workspace(const char *server_dir)
{
  int fd = open(server_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    fprintf(stderr, "serve: %s: %s; name a workspace made by `holdfast init`\n", server_dir, strerror(errno));
    return HF_E_NOT_FOUND;
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    fprintf(stderr, "serve: another holdfast serves %s already; stop it first\n", server_dir);
    (void)close(fd);
    return HF_E_EXISTS;
  }
  return HF_OK; /* the descriptor stays open: it is the lock */
}

/* ---- the listeners ---- */

static void complain_listen(const char *which, const char *address, const char *reason, int error)
{
  const char *hint = "";
  if (error == EADDRINUSE) {
    hint = "another program has this port (`ss -ltnp` shows which): stop it, or ";
  } else if (error == EACCES) {
    hint = "ports below 1024 need a right (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE); give it, or ";
  }
  fprintf(stderr,
          "serve: cannot listen on %s for %s: %s; %schoose another address with --%s ADDR:PORT or in holdfast.json\n",
          address, which, reason, hint, which);
}

static int bind_one(const struct addrinfo *info)
{
  int yes = 1;
  int no = 0;
  int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return -1;
  }
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (info->ai_family == AF_INET6) {
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no); /* [::] means everybody */
  }
  /* Accepted sockets inherit it. Without it the second small write of an exchange waits 40 ms for an acknowledgement.
   */
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
    int error = errno;
    (void)close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

static uint16_t port_of(int fd)
{
  struct sockaddr_storage name = {0};
  socklen_t len = sizeof name;
  if (getsockname(fd, (struct sockaddr *)&name, &len) != 0) {
    return 0;
  }
  return ntohs(name.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&name)->sin6_port
                                          : ((const struct sockaddr_in *)&name)->sin_port);
}

/* `which` is "devices" or "people". The port is filled with the one really taken (0 asks for any). */
static int open_listener(struct hf_address *address, const char *text, const char *which)
{
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_ADDRCONFIG};
  struct addrinfo *list = NULL;
  char port[8];
  if (hf_address_parse(address, hf_bytes_text(text)) != HF_OK) {
    complain_listen(which, text, "not ADDR:PORT", 0);
    return -1;
  }
  (void)snprintf(port, sizeof port, "%u", (unsigned)address->port);
  int rc = getaddrinfo(address->host, port, &hints, &list);
  if (rc != 0) {
    complain_listen(which, text, gai_strerror(rc), 0);
    return -1;
  }
  int fd = -1;
  for (const struct addrinfo *info = list; info != NULL && fd < 0; info = info->ai_next) {
    fd = bind_one(info);
  }
  if (fd < 0) {
    complain_listen(which, text, strerror(errno), errno);
  } else {
    address->port = port_of(fd);
  }
  freeaddrinfo(list);
  return fd;
}

/* ---- the whole ---- */

static unsigned core_count(void)
{
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return count < 1 ? 1 : (unsigned)count;
}

static void raise_files(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < FILES_WANTED) {
    limit.rlim_cur = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

static enum hf_err fill_setup(struct hf_setup *setup, const char *dir, const struct hf_serve_options *options)
{
  *setup = (struct hf_setup){.devices_socket = -1, .people_socket = -1};
  if (realpath(dir, setup->dir) == NULL) {
    fprintf(stderr, "serve: %s: %s; name a workspace made by `holdfast init`\n", dir, strerror(errno));
    return HF_E_NOT_FOUND;
  }
  if (snprintf(setup->server_dir, sizeof setup->server_dir, "%s/server", setup->dir) >= (int)sizeof setup->server_dir) {
    fprintf(stderr, "serve: the path of the workspace is too long\n");
    return HF_E_SPACE;
  }
  setup->sandbox = !options->no_sandbox;
  setup->log_requests = options->log_requests;
  setup->fronts = options->workers != 0 ? options->workers : core_count();
  if (setup->fronts > HF_FRONTS_MAX) {
    setup->fronts = HF_FRONTS_MAX;
  }
  if (hf_random(setup->login_key, sizeof setup->login_key) != HF_OK ||
      hf_random(setup->ticket_key, sizeof setup->ticket_key) != HF_OK) {
    fprintf(stderr, "serve: no random numbers from the system\n");
    return HF_E_CRYPTO;
  }
  return HF_OK;
}

/* Orders and batch records are signed below this CA. Read here: the engine has no business in tls/. */
static void load_factory_ca(struct hf_setup *setup)
{
  char path[PATH_MAX + 32];
  unsigned char *spki = NULL;
  (void)snprintf(path, sizeof path, "%s/tls/factory-ca.crt", setup->server_dir);
  FILE *file = fopen(path, "re");
  X509 *cert = file == NULL ? NULL : PEM_read_X509(file, NULL, NULL, NULL);
  int len = cert == NULL ? 0 : i2d_PUBKEY(X509_get0_pubkey(cert), &spki);
  if (len <= 0 || hf_pubkey_parse_spki(&setup->factory_ca, hf_bytes_init(spki, (size_t)len)) != HF_OK) {
    setup->factory_ca.type = HF_KEY_NONE; /* a front says what is wrong with the file */
  }
  OPENSSL_free(spki);
  X509_free(cert);
  if (file != NULL) {
    (void)fclose(file);
  }
}

static void put_url(char *out, size_t cap, const char *scheme, const struct hf_address *address)
{
  bool six = strchr(address->host, ':') != NULL;
  (void)snprintf(out, cap, "%s://%s%s%s:%u", scheme, six ? "[" : "", address->host, six ? "]" : "",
                 (unsigned)address->port);
}

static enum hf_err open_listeners(struct hf_setup *setup, char banner[BANNER_MAX], const struct hf_workspace *workspace,
                                  const struct hf_serve_options *options)
{
  static struct hf_address devices;
  static struct hf_address people;
  setup->devices_socket =
      open_listener(&devices, options->devices != NULL ? options->devices : workspace->devices, "devices");
  if (setup->devices_socket < 0) {
    return HF_E_IO;
  }
  setup->people_socket =
      open_listener(&people, options->people != NULL ? options->people : workspace->people, "people");
  if (setup->people_socket < 0) {
    return HF_E_IO;
  }
  setup->people_tls = !people.loopback;
  setup->people_port = people.port;
  (void)snprintf(setup->people_host, sizeof setup->people_host, "%s", people.host);
  char device_url[300];
  char people_url[300];
  char narrowed[64];
  put_url(device_url, sizeof device_url, "https", &devices);
  put_url(people_url, sizeof people_url, setup->people_tls ? "https" : "http", &people);
  (void)snprintf(narrowed, sizeof narrowed, "narrowed (Landlock %d, seccomp)", hf_landlock_version());
  (void)snprintf(banner, BANNER_MAX, "devices %s, people %s, %u front process%s, %s", device_url, people_url,
                 setup->fronts, setup->fronts == 1 ? "" : "es",
                 setup->sandbox ? narrowed : "NOT NARROWED (--no-sandbox)");
  return HF_OK;
}

static int run(struct hf_setup *setup, const char *dir, const struct hf_serve_options *options)
{
  static struct hf_workspace workspace;
  static char banner[BANNER_MAX];
  enum hf_err err = fill_setup(setup, dir, options);
  err = err == HF_OK ? read_workspace(&workspace, setup->dir) : err;
  err = err == HF_OK ? lock_workspace(setup->server_dir) : err;
  err = err == HF_OK ? open_listeners(setup, banner, &workspace, options) : err;
  if (err != HF_OK) {
    return 1;
  }
  load_factory_ca(setup);
  raise_files();
  /* Reads OpenSSL's configuration once, here: the narrowed processes could not. */
  (void)OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
  return hf_keeper_run(setup, banner);
}

int hf_serve_run(const char *dir, const struct hf_serve_options *options)
{
  static const struct hf_serve_options defaults;
  static struct hf_setup setup; /* 8 KiB of paths, and the same address in every process */
  int status = run(&setup, dir, options == NULL ? &defaults : options);
  if (setup.devices_socket >= 0) {
    (void)close(setup.devices_socket);
  }
  if (setup.people_socket >= 0) {
    (void)close(setup.people_socket);
  }
  hf_secret_wipe(&setup, sizeof setup);
  return status;
}

/* ---- the command line ---- */

static int usage(const char *what, const char *word)
{
  if (what != NULL) {
    fprintf(stderr, "holdfast serve: %s%s%s\n", what, word == NULL ? "" : " ", word == NULL ? "" : word);
  }
  fprintf(stderr, "usage: holdfast serve DIR [--devices ADDR:PORT] [--people ADDR:PORT] [--workers N]\n"
                  "       [--log-requests] [--no-sandbox]\n");
  return 2;
}

static bool parse_workers(unsigned *workers, const char *text)
{
  char *end = NULL;
  errno = 0;
  unsigned long value = strtoul(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value < 1 || value > HF_FRONTS_MAX) {
    return false;
  }
  *workers = (unsigned)value;
  return true;
}

static int help(void)
{
  printf("usage: holdfast serve DIR [options]\n\n"
         "Runs the server of the workspace DIR (made by `holdfast init`) until SIGTERM or Ctrl-C.\n\n"
         "  --devices ADDR:PORT  where devices connect (default: as in DIR/holdfast.json)\n"
         "  --people ADDR:PORT   console and REST; plain HTTP on a loopback address, TLS otherwise\n"
         "  --workers N          front processes, 1 to %d (default: one for each core)\n"
         "  --log-requests       log every request of a device, not only refused ones\n"
         "  --no-sandbox         run without Landlock and seccomp; the console says so\n",
         HF_FRONTS_MAX);
  return 0;
}

/* The value of an option that takes one, as "--name VALUE" or "--name=VALUE"; NULL when `argv[*i]` is another. */
static const char *option_value(int argc, char **argv, int *i, const char *name)
{
  size_t len = strlen(name);
  if (strncmp(argv[*i], name, len) != 0) {
    return NULL;
  }
  if (argv[*i][len] == '=') {
    return argv[*i] + len + 1;
  }
  if (argv[*i][len] != '\0') {
    return NULL;
  }
  return *i + 1 < argc ? argv[++*i] : "";
}

int hf_serve_main(int argc, char **argv)
{
  struct hf_serve_options options = {0};
  const char *dir = NULL;
  for (int i = 2; i < argc; i++) {
    const char *value;
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      return help();
    }
    if (strcmp(argv[i], "--no-sandbox") == 0) {
      options.no_sandbox = true;
    } else if (strcmp(argv[i], "--log-requests") == 0) {
      options.log_requests = true;
    } else if ((value = option_value(argc, argv, &i, "--devices")) != NULL) {
      options.devices = value;
    } else if ((value = option_value(argc, argv, &i, "--people")) != NULL) {
      options.people = value;
    } else if ((value = option_value(argc, argv, &i, "--workers")) != NULL) {
      if (!parse_workers(&options.workers, value)) {
        return usage("--workers wants a number from 1 to 64, not", value);
      }
    } else if (argv[i][0] == '-' || dir != NULL) {
      return usage("this does not belong here:", argv[i]);
    } else {
      dir = argv[i];
    }
  }
  return dir == NULL ? usage("no workspace named", NULL) : hf_serve_run(dir, &options);
}
