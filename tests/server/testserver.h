/* SPDX-License-Identifier: Apache-2.0
 * A server without processes for tests: a workspace in a temporary folder, real keys, a vault in this process, an
 * engine on a real database, and devices that speak the wire format and verify what they get.
 */
#ifndef TESTS_SERVER_TESTSERVER_H
#define TESTS_SERVER_TESTSERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "hf/crypto/key.h"
#include "hf/server/auditlog.h"
#include "hf/server/core.h"
#include "hf/server/enrol.h"
#include "hf/server/files.h"
#include "hf/server/registry.h"
#include "hf/server/releases.h"
#include "hf/server/repo.h"
#include "hf/server/rollouts.h"
#include "hf/server/settings.h"
#include "hf/wire/checkin.h"
#include "hf/wire/image.h"
#include "hf/wire/names.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/tufwrite.h"
#include "hf/wire/uptane.h"

#define TEST_DAY INT64_C(86400)

struct testserver {
  char home[64];
  char dir[96]; /* home/server */
  struct hf_key *root;
  struct hf_key *targets;
  struct hf_key *image;
  struct hf_vault_link *vault;
  struct hf_engine *engine;
  uint32_t targets_version;
  int64_t now;
};

/* ---- files ---- */

static inline const char *testserver_path(const struct testserver *server, const char *below)
{
  static char path[4][512];
  static unsigned turn;
  turn = (turn + 1) % 4;
  snprintf(path[turn], sizeof path[turn], "%s/%s", server->dir, below);
  return path[turn];
}

static inline void testserver_write(const struct testserver *server, const char *below, struct hf_bytes bytes,
                                    mode_t mode)
{
  const char *path = testserver_path(server, below);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes.at, 1, bytes.len, file), bytes.len);
  assert_int_equal(fclose(file), 0);
  assert_int_equal(chmod(path, mode), 0);
}

/* ---- keys and certificates ---- */

static inline void testserver_key_file(const struct testserver *server, const char *below, const struct hf_key *key)
{
  uint8_t room[HF_KEY_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_key_encode(&pem, key, hf_bytes_init(NULL, 0)), HF_OK);
  testserver_write(server, below, hf_buf_bytes(&pem), 0600);
}

static inline void testserver_ca(const struct testserver *server, const struct hf_key *key)
{
  X509 *cert = X509_new();
  EVP_PKEY *native = hf_key_native(key);
  assert_non_null(cert);
  assert_int_equal(X509_set_version(cert, 2), 1);
  assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
  assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -86400));
  assert_non_null(X509_time_adj_ex(X509_getm_notAfter(cert), 10000, 0, NULL));
  X509_NAME *name = X509_get_subject_name(cert);
  assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test CA", -1, -1, 0),
                   1);
  assert_int_equal(X509_set_issuer_name(cert, name), 1);
  assert_int_equal(X509_set_pubkey(cert, native), 1);
  X509V3_CTX ctx;
  X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
  X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints, "critical,CA:TRUE");
  X509_EXTENSION *ski = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_key_identifier, "hash");
  assert_int_equal(X509_add_ext(cert, ca, -1), 1);
  assert_int_equal(X509_add_ext(cert, ski, -1), 1);
  assert_true(X509_sign(cert, native, EVP_sha256()) > 0);
  FILE *file = fopen(testserver_path(server, "tls/device-ca.crt"), "wb");
  assert_non_null(file);
  assert_int_equal(PEM_write_X509(file, cert), 1);
  assert_int_equal(fclose(file), 0);
  X509_EXTENSION_free(ca);
  X509_EXTENSION_free(ski);
  X509_free(cert);
}

static inline enum hf_err testserver_key_sign(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

static inline enum hf_err testserver_digest_sign(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

static inline struct hf_tufwrite_signer testserver_signer(struct hf_key *key)
{
  struct hf_tufwrite_signer signer = {.sign = testserver_key_sign, .ctx = key};
  assert_int_equal(hf_key_public(&signer.pub, key), HF_OK);
  return signer;
}

/* Sign a body with one key; static room, good until the call after next. */
static inline struct hf_bytes testserver_sign(struct hf_key *key, struct hf_bytes body)
{
  static uint8_t out[2][1 << 18];
  static uint8_t scratch[1 << 18];
  static unsigned turn;
  turn ^= 1;
  struct hf_buf file = hf_buf_init(out[turn], sizeof out[turn]);
  struct hf_tufwrite_signer signer = testserver_signer(key);
  assert_int_equal(hf_tufwrite_sign_file(&file, hf_buf_init(scratch, sizeof scratch), body, &signer, 1), HF_OK);
  return hf_buf_bytes(&file);
}

/* ---- the workspace, as `holdfast init` makes it ---- */

static inline void testserver_roots(struct testserver *server, struct hf_key *timestamp, struct hf_key *snapshot,
                                    struct hf_key *director)
{
  static uint8_t room[16384];
  struct hf_key *const image_keys[] = {server->root, timestamp, snapshot, server->targets};
  struct hf_pubkey pub[4];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  struct hf_tufwrite_root root = {
      .version = 1, .expires = server->now + 3650 * TEST_DAY, .consistent_snapshot = true, .keys = pub, .key_count = 4};
  for (uint16_t i = 0; i < 4; i++) {
    assert_int_equal(hf_key_public(&pub[i], image_keys[i]), HF_OK);
    root.role[i] = (struct hf_tuf_signers){.keys = (uint16_t)(1u << i), .threshold = 1};
  }
  assert_int_equal(hf_tufwrite_put_root(&body, &root), HF_OK);
  testserver_write(server, "repo/metadata/1.root.json", testserver_sign(server->root, hf_buf_bytes(&body)), 0644);
  body = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_key_public(&pub[1], director), HF_OK);
  root.key_count = 2;
  for (size_t i = 1; i < HF_TUF_ROLES; i++) {
    root.role[i] = (struct hf_tuf_signers){.keys = 2, .threshold = 1};
  }
  assert_int_equal(hf_tufwrite_put_root(&body, &root), HF_OK);
  testserver_write(server, "director/1.root.json", testserver_sign(server->root, hf_buf_bytes(&body)), 0644);
}

static inline void testserver_empty_repo(struct testserver *server, struct hf_key *timestamp, struct hf_key *snapshot)
{
  static uint8_t room[8192];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_tufwrite_put_targets(&body, 1, server->now + 365 * TEST_DAY, NULL, 0), HF_OK);
  struct hf_bytes file = testserver_sign(server->targets, hf_buf_bytes(&body));
  testserver_write(server, "repo/metadata/1.targets.json", file, 0644);
  body = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_tufwrite_put_snapshot(&body, 1, server->now + 7 * TEST_DAY, 1, file), HF_OK);
  file = testserver_sign(snapshot, hf_buf_bytes(&body));
  testserver_write(server, "repo/metadata/1.snapshot.json", file, 0644);
  body = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_tufwrite_put_timestamp(&body, 1, server->now + TEST_DAY, 1, file), HF_OK);
  testserver_write(server, "repo/metadata/timestamp.json", testserver_sign(timestamp, hf_buf_bytes(&body)), 0644);
  server->targets_version = 1;
}

static inline void testserver_start(struct testserver *server)
{
  struct hf_engine_config config = {.server_dir = server->dir, .vault = server->vault};
  assert_int_equal(hf_engine_open(&server->engine, &config, server->now), HF_OK);
}

static inline void testserver_stop(struct testserver *server)
{
  hf_engine_close(server->engine);
  server->engine = NULL;
}

static inline void testserver_begin(struct testserver *server)
{
  assert_int_equal(hf_engine_begin(server->engine), HF_OK);
}

static inline void testserver_commit(struct testserver *server)
{
  assert_int_equal(hf_engine_commit(server->engine), HF_OK);
}

static inline void testserver_tick(struct testserver *server)
{
  testserver_begin(server);
  assert_int_equal(hf_engine_tick(server->engine, server->now), HF_OK);
  testserver_commit(server);
}

static inline struct hf_act testserver_act(const struct testserver *server)
{
  return (struct hf_act){
      .who = HF_LIT("operator:anna"), .address = HF_LIT("127.0.0.1"), .reason = HF_LIT("a reason"), .now = server->now};
}

static inline void testserver_product(struct testserver *server, const char *name)
{
  struct hf_act act = testserver_act(server);
  struct hf_product product = {
      .name = hf_bytes_text(name), .title = hf_bytes_text(name), .hardware = HF_LIT("board-a board-b")};
  testserver_begin(server);
  assert_int_equal(hf_product_new(server->engine, &act, &product, NULL), HF_OK);
  testserver_commit(server);
}

static inline void testserver_open(struct testserver *server)
{
  static const char *const folders[] = {"",         "vault", "tls",  "repo", "repo/metadata", "repo/targets",
                                        "director", "db",    "spool"};
  static const char *const key_files[] = {"vault/timestamp.pem", "vault/snapshot.pem", "vault/director.pem",
                                          "vault/device-ca.pem", "vault/time.pem"};
  struct hf_key *key[5];
  *server = (struct testserver){.now = (int64_t)time(NULL)};
  snprintf(server->home, sizeof server->home, "/tmp/hf-server-XXXXXX");
  assert_non_null(mkdtemp(server->home));
  snprintf(server->dir, sizeof server->dir, "%s/server", server->home);
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    assert_int_equal(mkdir(testserver_path(server, folders[i]), 0700), 0);
  }
  assert_int_equal(hf_key_new(&server->root, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_new(&server->targets, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_new(&server->image, HF_KEY_P256), HF_OK);
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(hf_key_new(&key[i], HF_KEY_P256), HF_OK);
    testserver_key_file(server, key_files[i], key[i]);
  }
  testserver_ca(server, key[3]);
  testserver_roots(server, key[0], key[1], key[2]);
  testserver_empty_repo(server, key[0], key[1]);
  for (size_t i = 0; i < 5; i++) {
    hf_key_free(key[i]);
  }
  assert_int_equal(hf_vault_link_open(&server->vault, testserver_path(server, "vault")), HF_OK);
  testserver_start(server);
}

static inline void testserver_close(struct testserver *server)
{
  char command[128];
  testserver_stop(server);
  hf_vault_link_close(server->vault);
  hf_key_free(server->root);
  hf_key_free(server->targets);
  hf_key_free(server->image);
  snprintf(command, sizeof command, "rm -rf '%s'", server->home);
  assert_int_equal(system(command), 0); /* NOLINT: a path of ours */
}

/* ---- releases ---- */

struct testrelease {
  const char *product;
  const char *version;
  const char *from;
  uint32_t counter;
  bool security;
  uint8_t digest[HF_SHA256_LEN]; /* fills: of the image */
  uint8_t sha256[HF_SHA256_LEN]; /* fills: of the file */
  uint32_t length;               /* fills */
  const char *needs;             /* range of component radio that it requires; NULL: none */
  const char *component;         /* NULL: main */
  uint8_t place;                 /* in the order of installation */
  struct testrelease *beside;    /* another image of the same release, behind it by path; NULL: none */
};

static inline struct hf_bytes testrelease_component(const struct testrelease *release)
{
  return hf_bytes_text(release->component != NULL ? release->component : "main");
}

/* Build and sign an image, and leave it in the spool folder as `upload`. */
static inline void testserver_image(struct testserver *server, struct testrelease *release)
{
  static uint8_t room[HF_IMAGE_OVERHEAD_MAX + 256];
  char payload[128];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_image_signer signer = {.sign = testserver_digest_sign, .ctx = server->image};
  struct hf_image_build build = {.has_counter = true,
                                 .counter = release->counter,
                                 .product = hf_bytes_text(release->product),
                                 .component = testrelease_component(release),
                                 .hardware_count = 1,
                                 .hardware = {HF_LIT("board-a")}};
  struct hf_image_info info;
  assert_int_equal(hf_version_parse(&build.version, hf_bytes_text(release->version), NULL), HF_OK);
  assert_int_equal(hf_key_public(&signer.pub, server->image), HF_OK);
  snprintf(payload, sizeof payload, "the program of %s %s", release->product, release->version);
  payload[0] = release->component != NULL ? 'T' : 't';
  assert_int_equal(hf_image_sign(&out, &build, hf_bytes_text(payload), &signer), HF_OK);
  struct hf_bytes file = hf_buf_bytes(&out);
  struct hf_image_source source = hf_image_source_init(&file);
  assert_int_equal(hf_image_parse(&info, &source, NULL), HF_OK);
  memcpy(release->digest, info.digest, sizeof release->digest);
  hf_sha256(release->sha256, file);
  release->length = (uint32_t)file.len;
  testserver_write(server, "spool/upload", file, 0600);
}

/* One image's entry in the targets file. @param room  appended; the entry borrows it */
static inline struct hf_tufwrite_entry testserver_entry(struct hf_buf *room, const struct testrelease *release)
{
  struct hf_target target = {.product = hf_bytes_text(release->product),
                             .component = testrelease_component(release),
                             .place = release->place,
                             .from = hf_bytes_text(release->from),
                             .counter = release->counter,
                             .security = release->security,
                             .hardware_count = 1,
                             .hardware = {HF_LIT("board-a")}};
  if (release->needs != NULL) {
    target.requires[target.requires_count++] =
        (struct hf_target_require){HF_LIT("radio"), hf_bytes_text(release->needs)};
  }
  struct hf_target_file entry = {.length = release->length};
  assert_int_equal(hf_version_parse(&target.version, hf_bytes_text(release->version), NULL), HF_OK);
  memcpy(target.image, release->digest, sizeof target.image);
  memcpy(entry.sha256, release->sha256, sizeof entry.sha256);
  size_t start = room->len;
  hf_target_put_path(room, target.product, &target.version, target.component);
  entry.path = hf_bytes_init(room->at + start, room->len - start);
  start = room->len;
  hf_target_put(room, &target, &entry);
  assert_false(room->failed);
  return (struct hf_tufwrite_entry){.path = entry.path, .value = hf_bytes_init(room->at + start, room->len - start)};
}

/* The present targets file with this release added, signed offline. */
static inline struct hf_bytes testserver_targets(struct testserver *server, const struct testrelease *release,
                                                 struct hf_key *key)
{
  static uint8_t body_room[1 << 18];
  uint8_t entry_room[4096];
  struct hf_bytes present;
  struct hf_tuf_file file;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_buf room = hf_buf_init(entry_room, sizeof entry_room);
  struct hf_buf body = hf_buf_init(body_room, sizeof body_room);
  struct hf_tufwrite_entry entries[4];
  size_t count = 0;
  for (; release != NULL && count < 4; release = release->beside) {
    entries[count++] = testserver_entry(&room, release);
  }
  assert_int_equal(hf_repo_targets(server->engine, &present), HF_OK);
  assert_int_equal(hf_tuf_parse(&file, present, HF_TUF_TARGETS, &limits, NULL), HF_OK);
  struct hf_tufwrite_edit edit = {
      .version = file.version + 1, .expires = server->now + 365 * TEST_DAY, .entries = entries, .count = count};
  assert_int_equal(hf_tufwrite_edit_targets(&body, file.body, &edit), HF_OK);
  free((uint8_t *)(uintptr_t)present.at);
  return testserver_sign(key, hf_buf_bytes(&body));
}

static inline enum hf_err testserver_upload(struct testserver *server, const struct testrelease *release)
{
  struct hf_act act = testserver_act(server);
  return hf_upload_put(server->engine, &act, HF_LIT("upload"), release->sha256, release->length);
}

static inline enum hf_err testserver_try_publish(struct testserver *server, const struct testrelease *release,
                                                 struct hf_bytes targets, struct hf_why *why)
{
  struct hf_act act = testserver_act(server);
  struct hf_release_new ask = {.product = hf_bytes_text(release->product),
                               .version = hf_bytes_text(release->version),
                               .notes = HF_LIT("notes"),
                               .security = release->security,
                               .targets = targets};
  *why = (struct hf_why){.rule = HF_RULE_NONE};
  return hf_release_publish(server->engine, &act, &ask, why);
}

/* A whole release, published. */
static inline void testserver_release(struct testserver *server, struct testrelease *release)
{
  struct hf_why why;
  testserver_image(server, release);
  testserver_begin(server);
  assert_int_equal(testserver_upload(server, release), HF_OK);
  enum hf_err err = testserver_try_publish(server, release, testserver_targets(server, release, server->targets), &why);
  if (err != HF_OK) {
    fail_msg("publish: %s, rule %u (%s) at %u", hf_err_name(err), why.rule, hf_rule_words(why.rule)->what, why.at);
  }
  testserver_commit(server);
}

static inline int64_t testserver_rollout(struct testserver *server, const struct testrelease *release,
                                         const struct hf_wave_new *waves, size_t count)
{
  int64_t id = 0;
  struct hf_act act = testserver_act(server);
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct hf_rollout_new ask = {.product = hf_bytes_text(release->product),
                               .version = hf_bytes_text(release->version),
                               .wave = waves,
                               .wave_count = count,
                               .success_percent = 90,
                               .max_failures = 2};
  testserver_begin(server);
  enum hf_err err = hf_rollout_start(server->engine, &id, &act, &ask, &why);
  if (err != HF_OK) {
    fail_msg("rollout: %s, rule %u", hf_err_name(err), why.rule);
  }
  testserver_commit(server);
  return id;
}

/* One number from the database. */
static inline int64_t testserver_number(struct testserver *server, const char *sql)
{
  int64_t value = -1;
  assert_int_equal(hf_stmt_run_int(hf_stmt_open(server->engine->db, sql), &value), HF_OK);
  return value;
}

/* ---- devices ---- */

struct testdevice {
  char id[HF_DEVICE_ID_MAX + 1];
  char version[HF_VERSION_TEXT_MAX + 1];
  uint8_t digest[HF_SHA256_LEN];
  uint32_t counter;
  uint8_t certificate[HF_SHA256_LEN];
  int64_t not_after;
  uint32_t boot;
  uint32_t number;
  uint32_t acted;
  uint32_t events; /* number of the last event made */
  struct hf_checkin_update update;
  char wanted[HF_VERSION_TEXT_MAX + 1];
  struct hf_checkin_answer answer; /* the last */
};

static inline struct hf_peer testdevice_peer(const struct testdevice *device)
{
  struct hf_peer peer = {
      .device = hf_bytes_text(device->id), .not_after = device->not_after, .address = HF_LIT("192.0.2.7")};
  memcpy(peer.certificate, device->certificate, sizeof peer.certificate);
  return peer;
}

static inline void testdevice_take(struct testdevice *device, const struct testserver *server,
                                   struct hf_bytes certificate)
{
  hf_sha256(device->certificate, certificate);
  device->not_after = server->now + server->engine->settings.certificate_life_s - 300;
}

/* Enrol by factory certificate, inside the open group. */
static inline enum hf_err testdevice_try_enrol(struct testdevice *device, struct testserver *server,
                                               const char *product, const struct hf_pubkey *key, struct hf_why *why)
{
  uint8_t room[2048];
  struct hf_buf certificate = hf_buf_init(room, sizeof room);
  struct hf_peer peer = {
      .device = hf_bytes_text(device->id), .factory = true, .not_after = INT64_MAX, .address = HF_LIT("192.0.2.7")};
  struct hf_enrol ask = {.peer = &peer,
                         .device = hf_bytes_text(device->id),
                         .product = hf_bytes_text(product),
                         .hardware = HF_LIT("board-a"),
                         .key = *key};
  enum hf_err err = hf_engine_enrol(server->engine, &certificate, &ask, server->now, why);
  if (err == HF_OK) {
    testdevice_take(device, server, hf_buf_bytes(&certificate));
  }
  return err;
}

static inline void testdevice_init(struct testdevice *device, const char *id, const struct testrelease *release)
{
  *device = (struct testdevice){.boot = 1, .counter = release->counter};
  snprintf(device->id, sizeof device->id, "%s", id);
  snprintf(device->version, sizeof device->version, "%s", release->version);
  memcpy(device->digest, release->digest, sizeof device->digest);
}

static inline void testdevice_enrol(struct testdevice *device, struct testserver *server, const char *product,
                                    const struct hf_pubkey *key)
{
  struct hf_why why = {.rule = HF_RULE_NONE};
  testserver_begin(server);
  enum hf_err err = testdevice_try_enrol(device, server, product, key, &why);
  if (err != HF_OK) {
    fail_msg("enrol: %s, rule %u", hf_err_name(err), why.rule);
  }
  testserver_commit(server);
}

/* Fill a check-in with what the device is; the caller may add to it. */
static inline struct hf_checkin testdevice_report(struct testdevice *device, const char *product)
{
  struct hf_checkin checkin = {.boot = device->boot,
                               .number = ++device->number,
                               .product = hf_bytes_text(product),
                               .hardware = HF_LIT("board-a"),
                               .storage = HF_KEY_STORAGE_FILE,
                               .update = device->update,
                               .has_acted = device->acted != 0,
                               .acted = device->acted,
                               .component_count = 1};
  checkin.update.version = hf_bytes_text(device->wanted);
  checkin.component[0] = (struct hf_checkin_component){
      .name = HF_LIT("main"), .version = hf_bytes_text(device->version), .counter = device->counter};
  memcpy(checkin.component[0].digest, device->digest, sizeof device->digest);
  return checkin;
}

/* Send it, inside the open group. */
static inline enum hf_err testdevice_send(struct testdevice *device, struct testserver *server,
                                          const struct hf_checkin *checkin, struct hf_why *why)
{
  uint8_t body_room[HF_CHECKIN_MAX];
  uint8_t answer_room[HF_CHECKIN_ANSWER_MAX];
  struct hf_buf body = hf_buf_init(body_room, sizeof body_room);
  struct hf_buf answer = hf_buf_init(answer_room, sizeof answer_room);
  struct hf_peer peer = testdevice_peer(device);
  assert_int_equal(hf_checkin_encode(&body, checkin), HF_OK);
  enum hf_err err = hf_engine_checkin(server->engine, &answer, &peer, hf_buf_bytes(&body), server->now, why);
  if (err == HF_OK) {
    assert_int_equal(hf_checkin_answer_parse(&device->answer, hf_buf_bytes(&answer), NULL), HF_OK);
  }
  return err;
}

/* An ordinary check-in in a group of its own. */
static inline void testdevice_checkin(struct testdevice *device, struct testserver *server, const char *product)
{
  struct hf_checkin checkin = testdevice_report(device, product);
  struct hf_why why = {.rule = HF_RULE_NONE};
  testserver_begin(server);
  enum hf_err err = testdevice_send(device, server, &checkin, &why);
  if (err != HF_OK) {
    fail_msg("check-in: %s, rule %u", hf_err_name(err), why.rule);
  }
  testserver_commit(server);
}

/* The device says how an update to `release` stands. */
static inline void testdevice_state(struct testdevice *device, enum hf_update_state state,
                                    const struct testrelease *release)
{
  device->update =
      (struct hf_checkin_update){.state = state, .rule = state == HF_UPDATE_REFUSED ? HF_RULE_UPTANE_FROM : 0};
  snprintf(device->wanted, sizeof device->wanted, "%s", release->version);
  device->acted = device->answer.director > device->acted ? device->answer.director : device->acted;
  if (state == HF_UPDATE_TRYING || state == HF_UPDATE_CONFIRMED) {
    device->boot += state == HF_UPDATE_TRYING ? 1 : 0;
    snprintf(device->version, sizeof device->version, "%s", release->version);
    memcpy(device->digest, release->digest, sizeof device->digest);
    device->counter = release->counter;
  }
}

/* ---- what a device verifies ---- */

/* One refresh over the image repository's files, or over the director when `device` is given. Fills `targets` (heap).
 */
static inline void testserver_refresh(struct testserver *server, struct testdevice *device, struct hf_tuf_trust *trust,
                                      struct hf_bytes *targets, struct hf_tufclient *client)
{
  static struct hf_tuf_limits limits;
  struct hf_tufclient_fetch fetch;
  struct hf_why why = {.rule = HF_RULE_NONE};
  limits = hf_tuf_limits_init();
  hf_tufclient_init(client, trust, &limits, server->now);
  *targets = hf_bytes_init(NULL, 0);
  while (hf_tufclient_next(client, &fetch) == HF_TUFCLIENT_FETCH) {
    uint8_t *room = malloc(1 << 18);
    assert_non_null(room);
    struct hf_buf file = hf_buf_init(room, 1 << 18);
    enum hf_err got;
    if (device != NULL) {
      struct hf_peer peer = testdevice_peer(device);
      testserver_begin(server);
      got = hf_engine_director(server->engine, &file, &peer, hf_bytes_text(fetch.name), server->now);
      testserver_commit(server);
    } else {
      char below[128];
      snprintf(below, sizeof below, "repo/metadata/%s", fetch.name);
      got = hf_file_get(&file, testserver_path(server, below));
    }
    assert_true(got == HF_OK || got == HF_E_NOT_FOUND);
    free((uint8_t *)(uintptr_t)targets->at);
    *targets = hf_buf_bytes(&file);
    enum hf_err err =
        hf_tufclient_give(client, got == HF_OK ? HF_TUFCLIENT_BYTES : HF_TUFCLIENT_NOT_FOUND, *targets, &why);
    if (err != HF_OK) {
      fail_msg("%s refused: rule %u (%s)", fetch.name, why.rule, hf_rule_words(why.rule)->what);
    }
  }
  assert_non_null(hf_tufclient_targets(client));
}

static inline void testserver_trust(struct testserver *server, struct hf_tuf_trust *trust, const char *below)
{
  static uint8_t room[65536];
  struct hf_buf file = hf_buf_init(room, sizeof room);
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  assert_int_equal(hf_file_get(&file, testserver_path(server, below)), HF_OK);
  assert_int_equal(hf_tuf_trust_verify(trust, hf_buf_bytes(&file), &limits, NULL), HF_ALLOW);
}

/* Director and image repository, both from the factory's roots, and their agreement: what the device would install. */
static inline void testdevice_plan(struct testdevice *device, struct testserver *server, const char *product,
                                   struct hf_uptane_plan *plan)
{
  struct hf_tuf_trust trust;
  struct hf_tufclient client;
  struct hf_bytes targets;
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct hf_uptane_installed installed = {
      .component = HF_LIT("main"), .hardware = HF_LIT("board-a"), .counter = device->counter};
  struct hf_uptane_self self = {
      .device = hf_bytes_text(device->id), .product = hf_bytes_text(product), .installed = &installed, .count = 1};
  assert_int_equal(hf_version_parse(&installed.version, hf_bytes_text(device->version), NULL), HF_OK);
  testserver_trust(server, &trust, "director/1.root.json");
  testserver_refresh(server, device, &trust, &targets, &client);
  enum hf_verdict verdict = hf_uptane_director_verify(plan, hf_tufclient_targets(&client), &self, &why);
  free((uint8_t *)(uintptr_t)targets.at);
  if (verdict != HF_ALLOW) {
    fail_msg("director refused: rule %u", why.rule);
  }
  testserver_trust(server, &trust, "repo/metadata/1.root.json");
  testserver_refresh(server, NULL, &trust, &targets, &client);
  verdict = hf_uptane_agree_verify(plan, hf_tufclient_targets(&client), &self, &why);
  free((uint8_t *)(uintptr_t)targets.at);
  if (verdict != HF_ALLOW) {
    fail_msg("no agreement: rule %u", why.rule);
  }
}

#endif
