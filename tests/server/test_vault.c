/* SPDX-License-Identifier: Apache-2.0
 * The vault through its own link: what it signs, what it refuses, and what it writes down. Real keys, real
 * certificates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hf/base/time.h"
#include "hf/crypto/key.h"
#include "hf/fleet/vaultline.h"
#include "hf/server/link.h"
#include "hf/server/vault.h"
#include "hf/server/vaultlink.h"

struct world {
  char dir[64]; /* of the workspace's server folder */
  char vault[80];
  struct hf_key *director;
  X509 *ca;
};

/* ---- fixture: a vault folder as `holdfast init` makes it ---- */

static void write_file(const char *dir, const char *name, struct hf_bytes bytes, mode_t mode)
{
  char path[256];
  (void)snprintf(path, sizeof path, "%s/%s", dir, name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, bytes.at, bytes.len), bytes.len);
  assert_int_equal(close(fd), 0);
}

static struct hf_key *make_key(const char *dir, const char *name)
{
  uint8_t room[HF_KEY_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  struct hf_key *key = NULL;
  assert_int_equal(hf_key_new(&key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_encode(&pem, key, HF_LIT("")), HF_OK);
  write_file(dir, name, hf_buf_bytes(&pem), 0600);
  return key;
}

static void add_extension(X509 *cert, int nid, const char *value)
{
  X509V3_CTX ctx;
  X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
  assert_non_null(extension);
  assert_int_equal(X509_add_ext(cert, extension, -1), 1);
  X509_EXTENSION_free(extension);
}

static X509 *make_ca(struct hf_key *key, const char *path, long days)
{
  X509 *cert = X509_new();
  X509_NAME *name = X509_get_subject_name(cert);
  assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
  assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
  assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"Device CA", -1, -1, 0),
                   1);
  assert_int_equal(X509_set_issuer_name(cert, name), 1);
  assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -3600));
  assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), days * 86400));
  assert_int_equal(X509_set_pubkey(cert, hf_key_native(key)), 1);
  add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(cert, NID_subject_key_identifier, "hash");
  assert_true(X509_sign(cert, hf_key_native(key), EVP_sha256()) > 0);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(PEM_write_X509(file, cert), 1);
  assert_int_equal(fclose(file), 0);
  return cert;
}

static int set_up(void **state)
{
  struct world *world = calloc(1, sizeof *world);
  char path[128];
  (void)snprintf(world->dir, sizeof world->dir, "/tmp/hf-vault-XXXXXX");
  assert_non_null(world);
  assert_non_null(mkdtemp(world->dir));
  (void)snprintf(world->vault, sizeof world->vault, "%s/vault", world->dir);
  (void)snprintf(path, sizeof path, "%s/tls", world->dir);
  assert_int_equal(mkdir(world->vault, 0700), 0);
  assert_int_equal(mkdir(path, 0700), 0);
  hf_key_free(make_key(world->vault, "timestamp.pem"));
  hf_key_free(make_key(world->vault, "snapshot.pem"));
  world->director = make_key(world->vault, "director.pem");
  struct hf_key *ca = make_key(world->vault, "device-ca.pem");
  (void)snprintf(path, sizeof path, "%s/tls/device-ca.crt", world->dir);
  world->ca = make_ca(ca, path, 3650);
  hf_key_free(ca);
  *state = world;
  return 0;
}

static int tear_down(void **state)
{
  struct world *world = *state;
  static const char *const names[] = {"vault/timestamp.pem",
                                      "vault/snapshot.pem",
                                      "vault/director.pem",
                                      "vault/device-ca.pem",
                                      "vault/vault.log",
                                      "tls/device-ca.crt",
                                      "vault",
                                      "tls",
                                      ""};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", world->dir, names[i]);
    (void)remove(path);
  }
  hf_key_free(world->director);
  X509_free(world->ca);
  free(world);
  return 0;
}

static struct hf_vault_link *open_link(const struct world *world)
{
  struct hf_vault_link *link = NULL;
  assert_int_equal(hf_vault_link_open(&link, world->vault), HF_OK);
  return link;
}

/* Canonical metadata of a type that ends in so many days. `extra` goes first, where `custom` sorts. */
static struct hf_bytes metadata(char room[512], const char *type, long days, const char *extra)
{
  uint8_t text[HF_TIME_TEXT_LEN + 1] = {0};
  struct hf_buf time_text = hf_buf_init(text, HF_TIME_TEXT_LEN);
  hf_time_put(&time_text, (int64_t)time(NULL) + days * 86400);
  (void)snprintf(room, 512, "{\"_type\":\"%s\",%s\"expires\":\"%s\",\"spec_version\":\"1.0.34\",\"version\":3}", type,
                 extra, (const char *)text);
  return hf_bytes_text(room);
}

static enum hf_err sign(struct hf_vault_link *link, enum hf_vault_role role, struct hf_bytes canonical,
                        const char *subject)
{
  uint8_t room[HF_SIG_MAX];
  struct hf_buf sig = hf_buf_init(room, sizeof room);
  return hf_vault_sign(link, &sig, role, canonical, hf_bytes_text(subject));
}

#define BOUND "\"custom\":{\"holdfast\":{\"device\":\"sn-1\"}},"

/* ---- signing ---- */

static void signs_what_fits_the_role_and_the_signature_verifies(void **state)
{
  struct world *world = *state;
  struct hf_vault_link *link = open_link(world);
  char room[512];
  uint8_t sig_room[HF_SIG_MAX];
  struct hf_buf sig = hf_buf_init(sig_room, sizeof sig_room);
  struct hf_bytes targets = metadata(room, "targets", 7, BOUND);
  assert_int_equal(hf_vault_sign(link, &sig, HF_VAULT_DIRECTOR, targets, HF_LIT("sn-1")), HF_OK);
  struct hf_pubkey pub;
  struct hf_pubkey expected;
  uint8_t digest[HF_SHA256_LEN];
  assert_int_equal(hf_vault_public(link, &pub, HF_VAULT_DIRECTOR), HF_OK);
  assert_int_equal(hf_key_public(&expected, world->director), HF_OK);
  assert_memory_equal(pub.at, expected.at, HF_P256_PUBLIC_LEN);
  hf_sha256(digest, targets);
  assert_int_equal(hf_p256_verify(&pub, digest, hf_buf_bytes(&sig)), HF_ALLOW);
  assert_int_equal(sign(link, HF_VAULT_TIMESTAMP, metadata(room, "timestamp", 1, ""), "repo"), HF_OK);
  assert_int_equal(sign(link, HF_VAULT_SNAPSHOT, metadata(room, "snapshot", 7, ""), "repo"), HF_OK);
  assert_int_equal(sign(link, HF_VAULT_DIRECTOR, metadata(room, "timestamp", 7, ""), "sn-1"), HF_OK);
  assert_int_equal(sign(link, HF_VAULT_DIRECTOR, metadata(room, "snapshot", 7, ""), "sn-1"), HF_OK);
  hf_vault_link_close(link);
}

static void refuses_what_does_not_fit_the_role(void **state)
{
  static const struct {
    enum hf_vault_role role;
    const char *type;
    long days;
    const char *extra;
    const char *subject;
  } rows[] = {
      {HF_VAULT_TIMESTAMP, "root", 1, "", "repo"},         {HF_VAULT_SNAPSHOT, "root", 1, "", "repo"},
      {HF_VAULT_DIRECTOR, "root", 1, "", "sn-1"},          {HF_VAULT_TIMESTAMP, "snapshot", 1, "", "repo"},
      {HF_VAULT_TIMESTAMP, "targets", 1, BOUND, "repo"},   {HF_VAULT_SNAPSHOT, "timestamp", 1, "", "repo"},
      {HF_VAULT_SNAPSHOT, "targets", 1, BOUND, "repo"},    {HF_VAULT_DIRECTOR, "targets", 7, "", "sn-1"},
      {HF_VAULT_DIRECTOR, "targets", 7, BOUND, "sn-2"},    {HF_VAULT_DIRECTOR, "targets", 7, BOUND, "repo/../x"},
      {HF_VAULT_TIMESTAMP, "timestamp", 15, "", "repo"},   {HF_VAULT_TIMESTAMP, "timestamp", -1, "", "repo"},
      {HF_VAULT_TIMESTAMP, "timestamp", 1, "", "sn-1"},    {HF_VAULT_DIRECTOR, "targets", 3650, BOUND, "sn-1"},
      {(enum hf_vault_role)0, "timestamp", 1, "", "repo"}, {(enum hf_vault_role)4, "timestamp", 1, "", "repo"},
  };
  struct hf_vault_link *link = open_link(*state);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char room[512];
    enum hf_err err =
        sign(link, rows[i].role, metadata(room, rows[i].type, rows[i].days, rows[i].extra), rows[i].subject);
    if (err != HF_E_DENIED) {
      fail_msg("row %zu: %s", i, hf_err_name(err));
    }
  }
  static const char *const junk[] = {"",
                                     "{}",
                                     "[]",
                                     "{\"_type\":\"timestamp\"}",
                                     "{\"_type\":7}",
                                     "not json",
                                     "{\"_type\":\"timestamp\",\"_type\":\"root\",\"version\":1}"};
  for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++) {
    assert_int_equal(sign(link, HF_VAULT_TIMESTAMP, hf_bytes_text(junk[i]), "repo"), HF_E_DENIED);
  }
  hf_vault_link_close(link);
}

/* ---- certificates ---- */

static struct hf_vault_issue issue_for(struct hf_pubkey *pub, const char *device, long days)
{
  struct hf_key *key = NULL;
  assert_int_equal(hf_key_new(&key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(pub, key), HF_OK);
  hf_key_free(key);
  int64_t now = (int64_t)time(NULL);
  return (struct hf_vault_issue){hf_bytes_text(device), *pub, now - 60, now + days * 86400, 0, {NULL, 0}};
}

static void a_certificate_says_what_it_must_and_verifies(void **state)
{
  struct world *world = *state;
  struct hf_vault_link *link = open_link(world);
  uint8_t room[HF_VAULT_REPLY_MAX];
  uint8_t again[HF_VAULT_REPLY_MAX];
  struct hf_buf der = hf_buf_init(room, sizeof room);
  struct hf_buf other = hf_buf_init(again, sizeof again);
  struct hf_pubkey pub;
  struct hf_vault_issue issue = issue_for(&pub, "sn_1", 90);
  assert_int_equal(hf_vault_issue(link, &der, &issue), HF_OK);
  assert_int_equal(hf_vault_issue(link, &other, &issue), HF_OK);
  const uint8_t *at = room;
  X509 *cert = d2i_X509(NULL, &at, (long)der.len);
  at = again;
  X509 *twin = d2i_X509(NULL, &at, (long)other.len);
  assert_non_null(cert);
  assert_non_null(twin);
  char text[64] = "";
  assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_serialNumber, text, sizeof text) > 0);
  assert_string_equal(text, "sn_1");
  assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, text, sizeof text) > 0);
  assert_string_equal(text, "sn_1");
  assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(cert), X509_get0_serialNumber(twin)), 0);
  assert_int_equal(X509_check_issued(world->ca, cert), X509_V_OK);
  assert_int_equal(X509_get_extended_key_usage(cert), XKU_SSL_CLIENT);
  assert_int_equal(X509_get_key_usage(cert), KU_DIGITAL_SIGNATURE);
  assert_int_equal(X509_check_ca(cert), 0);
  X509_STORE *store = X509_STORE_new();
  X509_STORE_CTX *ctx = X509_STORE_CTX_new();
  assert_int_equal(X509_STORE_add_cert(store, world->ca), 1);
  assert_int_equal(X509_STORE_CTX_init(ctx, store, cert, NULL), 1);
  assert_int_equal(X509_verify_cert(ctx), 1);
  X509_STORE_CTX_free(ctx);
  X509_STORE_free(store);
  X509_free(cert);
  X509_free(twin);
  hf_vault_link_close(link);
}

static void refuses_long_lives_bad_names_and_bad_points(void **state)
{
  struct hf_vault_link *link = open_link(*state);
  uint8_t room[HF_VAULT_REPLY_MAX];
  struct hf_buf der = hf_buf_init(room, sizeof room);
  struct hf_pubkey pub;
  struct hf_vault_issue issue = issue_for(&pub, "sn-1", 400);
  assert_int_equal(hf_vault_issue(link, &der, &issue), HF_E_DENIED); /* 400 days and a minute */
  issue = issue_for(&pub, "sn-1", -1);
  assert_int_equal(hf_vault_issue(link, &der, &issue), HF_E_DENIED);
  static const char *const names[] = {
      "", "a b", "a/b", "..", "-x", "a\"b", "0123456789012345678901234567890123456789012345678901234567890123x"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    issue = issue_for(&pub, names[i], 90);
    enum hf_err err = hf_vault_issue(link, &der, &issue);
    assert_true(err == HF_E_DENIED || err == HF_E_SPACE);
  }
  issue = issue_for(&pub, "sn-1", 90);
  issue.key.at[40] ^= 1; /* off the curve */
  assert_int_equal(hf_vault_issue(link, &der, &issue), HF_E_INPUT);
  issue.key.len = 64;
  assert_int_equal(hf_vault_issue(link, &der, &issue), HF_E_DENIED);
  assert_int_equal(der.len, 0);
  hf_vault_link_close(link);
}

static void a_certificate_never_outlives_its_ca(void **state)
{
  struct world *world = *state;
  char path[128];
  struct hf_key *ca = NULL;
  uint8_t room[HF_KEY_PEM_MAX];
  (void)snprintf(path, sizeof path, "%s/device-ca.pem", world->vault);
  FILE *file = fopen(path, "r");
  size_t len = fread(room, 1, sizeof room, file);
  (void)fclose(file);
  assert_int_equal(hf_key_parse(&ca, hf_bytes_init(room, len), HF_LIT("")), HF_OK);
  (void)snprintf(path, sizeof path, "%s/tls/device-ca.crt", world->dir);
  X509_free(world->ca);
  world->ca = make_ca(ca, path, 30);
  hf_key_free(ca);
  struct hf_vault_link *link = open_link(world);
  struct hf_buf der = hf_buf_init(room, HF_VAULT_REPLY_MAX);
  struct hf_pubkey pub;
  struct hf_vault_issue issue = issue_for(&pub, "sn-1", 31);
  assert_int_equal(hf_vault_issue(link, &der, &issue), HF_E_STATE);
  issue = issue_for(&pub, "sn-1", 29);
  assert_int_equal(hf_vault_issue(link, &der, &issue), HF_OK);
  hf_vault_link_close(link);
}

/* ---- opening ---- */

static void a_key_that_others_may_read_is_not_used(void **state)
{
  struct world *world = *state;
  struct hf_vault_link *link = NULL;
  char path[128];
  (void)snprintf(path, sizeof path, "%s/director.pem", world->vault);
  assert_int_equal(chmod(path, 0640), 0);
  assert_int_equal(hf_vault_link_open(&link, world->vault), HF_E_DENIED);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(hf_vault_link_open(&link, world->vault), HF_E_NOT_FOUND);
  write_file(world->vault, "director.pem", HF_LIT("rubbish"), 0600);
  assert_int_equal(hf_vault_link_open(&link, world->vault), HF_E_INPUT);
}

static void a_ca_certificate_of_another_key_is_not_used(void **state)
{
  struct world *world = *state;
  struct hf_vault_link *link = NULL;
  hf_key_free(make_key(world->vault, "device-ca.pem"));
  assert_int_equal(hf_vault_link_open(&link, world->vault), HF_E_DENIED);
}

/* ---- the log ---- */

static size_t read_log(const struct world *world, uint8_t *room, size_t cap)
{
  char path[128];
  (void)snprintf(path, sizeof path, "%s/vault.log", world->vault);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  size_t len = fread(room, 1, cap, file);
  (void)fclose(file);
  return len;
}

/* Walk the chain; returns the number of good lines before the first broken one. */
static size_t walk(const uint8_t *room, size_t len, struct hf_why *why, struct hf_vaultline *last)
{
  struct hf_vaultline before = {0};
  size_t good = 0;
  for (size_t start = 0; start < len;) {
    const uint8_t *end = memchr(room + start, '\n', len - start);
    if (end == NULL) {
      break;
    }
    struct hf_vaultline line;
    struct hf_bytes text = {room + start, (size_t)(end - room) - start};
    if (hf_vaultline_verify(&line, text, good == 0 ? NULL : &before, why) != HF_ALLOW) {
      break;
    }
    before = line;
    *last = line;
    start += text.len + 1;
    good++;
  }
  return good;
}

static void every_signature_and_refusal_is_in_the_chained_log(void **state)
{
  struct world *world = *state;
  static uint8_t room[1 << 16];
  struct hf_vault_link *link = open_link(world);
  char text[512];
  struct hf_vaultline last;
  uint64_t number = 0;
  uint8_t hash[HF_SHA256_LEN];
  for (int i = 0; i < 5; i++) {
    assert_int_equal(sign(link, HF_VAULT_TIMESTAMP, metadata(text, "timestamp", 1, ""), "repo"), HF_OK);
  }
  assert_int_equal(sign(link, HF_VAULT_TIMESTAMP, metadata(text, "root", 1, ""), "repo"), HF_E_DENIED);
  assert_int_equal(hf_vault_head(link, &number, hash), HF_OK);
  size_t len = read_log(world, room, sizeof room);
  struct hf_why why = {0};
  assert_int_equal(walk(room, len, &why, &last), 7); /* start, five, one refusal */
  assert_int_equal(number, 7);
  assert_memory_equal(hash, last.hash, sizeof hash);
  assert_true(hf_bytes_is(last.what, "refused"));
  assert_true(hf_bytes_is(last.role, "timestamp"));
  hf_vault_link_close(link);
  link = open_link(world); /* the chain goes on after a restart */
  assert_int_equal(hf_vault_head(link, &number, hash), HF_OK);
  assert_int_equal(number, 8);
  hf_vault_link_close(link);
  len = read_log(world, room, sizeof room);
  assert_int_equal(walk(room, len, &why, &last), 8);
}

static void any_changed_byte_breaks_the_chain(void **state)
{
  struct world *world = *state;
  static uint8_t room[1 << 16];
  struct hf_vault_link *link = open_link(world);
  char text[512];
  struct hf_vaultline last;
  assert_int_equal(sign(link, HF_VAULT_TIMESTAMP, metadata(text, "timestamp", 1, ""), "repo"), HF_OK);
  hf_vault_link_close(link);
  size_t len = read_log(world, room, sizeof room);
  for (size_t i = 0; i < len; i++) {
    struct hf_why why = {0};
    room[i] ^= 1;
    if (walk(room, len, &why, &last) == 2) {
      fail_msg("byte %zu", i);
    }
    room[i] ^= 1;
  }
  struct hf_why why = {0};
  const uint8_t *second = (const uint8_t *)memchr(room, '\n', len) + 1;
  assert_int_equal(walk(second, len - (size_t)(second - room), &why, &last), 0); /* the first line is missing */
  assert_int_equal(why.rule, HF_RULE_VAULTLINE_CHAIN);
}

static void half_a_line_after_a_power_cut_is_marked_not_hidden(void **state)
{
  struct world *world = *state;
  static uint8_t room[1 << 16];
  struct hf_vault_link *link = open_link(world);
  char text[512];
  struct hf_vaultline last;
  struct hf_why why = {0};
  assert_int_equal(sign(link, HF_VAULT_TIMESTAMP, metadata(text, "timestamp", 1, ""), "repo"), HF_OK);
  hf_vault_link_close(link);
  size_t len = read_log(world, room, sizeof room);
  size_t first = (size_t)((const uint8_t *)memchr(room, '\n', len) - room) + 1;
  for (size_t cut = first; cut < len; cut += 37) {
    write_file(world->vault, "vault.log", hf_bytes_init(room, cut), 0600);
    link = open_link(world);
    hf_vault_link_close(link);
    static uint8_t after[1 << 16];
    size_t after_len = read_log(world, after, sizeof after);
    size_t lines = cut == first ? 2 : 3; /* start, torn, start */
    assert_int_equal(walk(after, after_len, &why, &last), lines);
  }
  write_file(world->vault, "vault.log", HF_LIT("rubbish\n"), 0600);
  assert_int_equal(hf_vault_link_open(&link, world->vault), HF_E_INPUT);
}

/* ---- over a socket ---- */

static void serve_socket(const struct world *world, int socket)
{
  struct hf_vault *vault = NULL;
  struct hf_link link;
  struct hf_msg request;
  struct hf_msg answer;
  uint8_t reply[HF_VAULT_REPLY_MAX];
  if (hf_vault_open(&vault, world->vault) != HF_OK) {
    _exit(1);
  }
  hf_link_init(&link, HF_VAULT, HF_ENGINE);
  link.socket = socket; /* blocking on purpose: a loop without a loop */
  while (!link.broken) {
    hf_link_fill(&link);
    while (hf_link_next(&link, &request)) {
      struct hf_buf room = hf_buf_init(reply, sizeof reply);
      hf_vault_answer(vault, &answer, &request, &room);
      if (hf_link_put(&link, &answer) != HF_OK) {
        _exit(1);
      }
      hf_link_flush(&link);
    }
  }
  _exit(0);
}

static void works_over_a_socket_and_says_so_when_the_vault_is_gone(void **state)
{
  struct world *world = *state;
  int pair[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  pid_t pid = fork();
  if (pid == 0) {
    (void)close(pair[0]);
    serve_socket(world, pair[1]);
  }
  (void)close(pair[1]);
  struct hf_vault_link *link = NULL;
  char text[512];
  struct hf_pubkey pub;
  assert_int_equal(hf_vault_link_init(&link, pair[0]), HF_OK);
  for (int i = 0; i < 100; i++) {
    assert_int_equal(sign(link, HF_VAULT_TIMESTAMP, metadata(text, "timestamp", 1, ""), "repo"), HF_OK);
  }
  assert_int_equal(sign(link, HF_VAULT_TIMESTAMP, metadata(text, "root", 1, ""), "repo"), HF_E_DENIED);
  assert_int_equal(kill(pid, SIGKILL), 0);
  assert_int_equal(waitpid(pid, NULL, 0), pid);
  assert_int_equal(hf_vault_public(link, &pub, HF_VAULT_DIRECTOR), HF_E_IO);
  assert_int_equal(hf_vault_public(link, &pub, HF_VAULT_DIRECTOR), HF_E_IO); /* and stays so until it is replaced */
  hf_vault_link_close(link);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(signs_what_fits_the_role_and_the_signature_verifies, set_up, tear_down),
      cmocka_unit_test_setup_teardown(refuses_what_does_not_fit_the_role, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_certificate_says_what_it_must_and_verifies, set_up, tear_down),
      cmocka_unit_test_setup_teardown(refuses_long_lives_bad_names_and_bad_points, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_certificate_never_outlives_its_ca, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_key_that_others_may_read_is_not_used, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_ca_certificate_of_another_key_is_not_used, set_up, tear_down),
      cmocka_unit_test_setup_teardown(every_signature_and_refusal_is_in_the_chained_log, set_up, tear_down),
      cmocka_unit_test_setup_teardown(any_changed_byte_breaks_the_chain, set_up, tear_down),
      cmocka_unit_test_setup_teardown(half_a_line_after_a_power_cut_is_marked_not_hidden, set_up, tear_down),
      cmocka_unit_test_setup_teardown(works_over_a_socket_and_says_so_when_the_vault_is_gone, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
