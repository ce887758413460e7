/* SPDX-License-Identifier: Apache-2.0
 * A TUF repository in memory for tests: real keys, files by name, every file forgeable, and a client run over it.
 *
 * It publishes what it is told to, right or wrong; it is not the server's publication code.
 */
#ifndef TESTS_WIRE_TESTREPO_H
#define TESTS_WIRE_TESTREPO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hf/crypto/key.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/tufclient.h"
#include "hf/wire/tufwrite.h"

#define TESTREPO_NOW INT64_C(1790000000) /* 2026-09-21 */
#define TESTREPO_YEAR INT64_C(31536000)
#define TESTREPO_FILES 96

/* Keys by index; the masks below speak of them. */
enum testrepo_key { K_ROOT, K_ROOT2, K_ROOT3, K_TIMESTAMP, K_SNAPSHOT, K_TARGETS, K_SPARE, K_THIEF, TESTREPO_KEYS };
#define BIT(k) (1u << (k))

struct testrepo_file {
  char name[64];
  uint8_t *at;
  size_t len;
  enum hf_tufclient_got got; /* what a fetch of it brings */
};

struct testrepo {
  struct hf_key *key[TESTREPO_KEYS];
  struct hf_pubkey pub[TESTREPO_KEYS];
  struct testrepo_file file[TESTREPO_FILES];
  size_t count;
  bool consistent;
  struct hf_tuf_signers role[HF_TUF_ROLES]; /* of the next root */
  uint32_t root_keys;                       /* keys the next root lists */
  int64_t expires[HF_TUF_ROLES];            /* of the next file */
  char fetched[1024];                       /* names asked for in the last run, each with a blank after it */
  unsigned stored;                          /* how often the trust record changed in the last run */
  uint8_t *targets;                         /* bytes given last, kept for lookups */
  struct hf_tufclient client;
};

static inline struct testrepo_file *testrepo_find(struct testrepo *repo, const char *name)
{
  for (size_t i = 0; i < repo->count; i++) {
    if (strcmp(repo->file[i].name, name) == 0) {
      return &repo->file[i];
    }
  }
  return NULL;
}

static inline struct hf_bytes testrepo_get(struct testrepo *repo, const char *name)
{
  struct testrepo_file *file = testrepo_find(repo, name);
  assert_non_null(file);
  return hf_bytes_init(file->at, file->len);
}

static inline void testrepo_set(struct testrepo *repo, const char *name, struct hf_bytes bytes)
{
  struct testrepo_file *file = testrepo_find(repo, name);
  if (file == NULL) {
    assert_true(repo->count < TESTREPO_FILES);
    file = &repo->file[repo->count++];
    snprintf(file->name, sizeof file->name, "%s", name);
  }
  uint8_t *copy = malloc(bytes.len + 1);
  assert_non_null(copy);
  memcpy(copy, bytes.at, bytes.len);
  free(file->at);
  file->at = copy;
  file->len = bytes.len;
  file->got = HF_TUFCLIENT_BYTES;
}

/* From now on a fetch of this file ends like that. */
static inline void testrepo_break(struct testrepo *repo, const char *name, enum hf_tufclient_got got)
{
  if (testrepo_find(repo, name) == NULL) {
    testrepo_set(repo, name, HF_LIT(""));
  }
  testrepo_find(repo, name)->got = got;
}

static inline enum hf_err testrepo_key_sign(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

static inline struct hf_tufwrite_signer testrepo_signer(struct testrepo *repo, size_t key)
{
  return (struct hf_tufwrite_signer){.pub = repo->pub[key], .sign = testrepo_key_sign, .ctx = repo->key[key]};
}

/* Sign a body with every key of a mask; the caller frees `at`. */
static inline struct hf_bytes testrepo_sign(struct testrepo *repo, struct hf_bytes body, unsigned keys)
{
  struct hf_tufwrite_signer signers[TESTREPO_KEYS];
  size_t count = 0;
  for (size_t i = 0; i < TESTREPO_KEYS; i++) {
    if ((keys >> i & 1) != 0) {
      signers[count++] = testrepo_signer(repo, i);
    }
  }
  size_t room = body.len + 4096; /* a signature in the file is 220 characters */
  uint8_t *out = malloc(room);
  uint8_t *scratch = malloc(room);
  assert_non_null(out);
  assert_non_null(scratch);
  struct hf_buf buf = hf_buf_init(out, room);
  assert_int_equal(hf_tufwrite_sign_file(&buf, hf_buf_init(scratch, room), body, signers, count), HF_OK);
  free(scratch);
  return hf_buf_bytes(&buf);
}

/* Publish any body under any name, signed by any keys: how attacks are made. */
static inline void testrepo_forge(struct testrepo *repo, const char *name, struct hf_bytes body, unsigned keys)
{
  struct hf_bytes file = testrepo_sign(repo, body, keys);
  testrepo_set(repo, name, file);
  union {
    const uint8_t *in;
    uint8_t *out;
  } at = {.in = file.at};
  free(at.out);
}

static inline const char *testrepo_name(const struct testrepo *repo, enum hf_tuf_role role, uint32_t version)
{
  static char name[40];
  bool prefixed = role == HF_TUF_ROOT || (repo->consistent && role != HF_TUF_TIMESTAMP);
  if (prefixed) {
    snprintf(name, sizeof name, "%u.%s.json", version, hf_tuf_role_name(role));
  } else {
    snprintf(name, sizeof name, "%s.json", hf_tuf_role_name(role));
  }
  return name;
}

/* A root with the keys and roles set in `repo`, signed by a mask. */
static inline void testrepo_root(struct testrepo *repo, uint32_t version, unsigned signers)
{
  static uint8_t room[16384];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  struct hf_pubkey keys[TESTREPO_KEYS];
  struct hf_tufwrite_root root = {
      .version = version, .expires = repo->expires[HF_TUF_ROOT], .consistent_snapshot = repo->consistent, .keys = keys};
  for (size_t i = 0; i < TESTREPO_KEYS; i++) { /* the writer wants bits over its own array */
    if ((repo->root_keys >> i & 1) == 0) {
      continue;
    }
    for (size_t role = 0; role < HF_TUF_ROLES; role++) {
      root.role[role].threshold = repo->role[role].threshold;
      if ((repo->role[role].keys >> i & 1) != 0) {
        root.role[role].keys |= (uint16_t)(1u << root.key_count);
      }
    }
    keys[root.key_count++] = repo->pub[i];
  }
  assert_int_equal(hf_tufwrite_put_root(&body, &root), HF_OK);
  testrepo_forge(repo, testrepo_name(repo, HF_TUF_ROOT, version), hf_buf_bytes(&body), signers);
}

static inline void testrepo_targets(struct testrepo *repo, uint32_t version, const struct hf_tufwrite_entry *entries,
                                    size_t count)
{
  static uint8_t room[65536];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_tufwrite_put_targets(&body, version, repo->expires[HF_TUF_TARGETS], entries, count), HF_OK);
  testrepo_forge(repo, testrepo_name(repo, HF_TUF_TARGETS, version), hf_buf_bytes(&body), BIT(K_TARGETS));
}

static inline void testrepo_snapshot(struct testrepo *repo, uint32_t version, uint32_t targets_version)
{
  static uint8_t room[4096];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  struct hf_bytes targets = testrepo_get(repo, testrepo_name(repo, HF_TUF_TARGETS, targets_version));
  assert_int_equal(hf_tufwrite_put_snapshot(&body, version, repo->expires[HF_TUF_SNAPSHOT], targets_version, targets),
                   HF_OK);
  testrepo_forge(repo, testrepo_name(repo, HF_TUF_SNAPSHOT, version), hf_buf_bytes(&body), BIT(K_SNAPSHOT));
}

static inline void testrepo_timestamp(struct testrepo *repo, uint32_t version, uint32_t snapshot_version)
{
  static uint8_t room[4096];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  struct hf_bytes snapshot = testrepo_get(repo, testrepo_name(repo, HF_TUF_SNAPSHOT, snapshot_version));
  assert_int_equal(
      hf_tufwrite_put_timestamp(&body, version, repo->expires[HF_TUF_TIMESTAMP], snapshot_version, snapshot), HF_OK);
  testrepo_forge(repo, "timestamp.json", hf_buf_bytes(&body), BIT(K_TIMESTAMP));
}

/* Timestamp, snapshot and targets at one version. */
static inline void testrepo_publish(struct testrepo *repo, uint32_t version, const struct hf_tufwrite_entry *entries,
                                    size_t count)
{
  testrepo_targets(repo, version, entries, count);
  testrepo_snapshot(repo, version, version);
  testrepo_timestamp(repo, version, version);
}

/* Keys made, root 1 published: root role 1 of K_ROOT, every other role its own key. */
static inline void testrepo_init(struct testrepo *repo, enum hf_key_type type)
{
  memset(repo, 0, sizeof *repo);
  for (size_t i = 0; i < TESTREPO_KEYS; i++) {
    assert_int_equal(hf_key_new(&repo->key[i], type), HF_OK);
    assert_int_equal(hf_key_public(&repo->pub[i], repo->key[i]), HF_OK);
  }
  repo->consistent = true;
  repo->root_keys = BIT(K_ROOT) | BIT(K_TIMESTAMP) | BIT(K_SNAPSHOT) | BIT(K_TARGETS);
  repo->role[HF_TUF_ROOT] = (struct hf_tuf_signers){BIT(K_ROOT), 1};
  repo->role[HF_TUF_TIMESTAMP] = (struct hf_tuf_signers){BIT(K_TIMESTAMP), 1};
  repo->role[HF_TUF_SNAPSHOT] = (struct hf_tuf_signers){BIT(K_SNAPSHOT), 1};
  repo->role[HF_TUF_TARGETS] = (struct hf_tuf_signers){BIT(K_TARGETS), 1};
  for (size_t i = 0; i < HF_TUF_ROLES; i++) {
    repo->expires[i] = TESTREPO_NOW + TESTREPO_YEAR;
  }
  testrepo_root(repo, 1, BIT(K_ROOT));
}

static inline void testrepo_free(struct testrepo *repo)
{
  for (size_t i = 0; i < TESTREPO_KEYS; i++) {
    hf_key_free(repo->key[i]);
  }
  for (size_t i = 0; i < repo->count; i++) {
    free(repo->file[i].at);
  }
  free(repo->targets);
  memset(repo, 0, sizeof *repo);
}

/* What a device leaves the factory with: N.root.json of this repository. */
static inline void testrepo_trust(struct testrepo *repo, struct hf_tuf_trust *trust, uint32_t version)
{
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  char name[64];
  snprintf(name, sizeof name, "%u.root.json", version);
  struct hf_why why = {0};
  assert_int_equal(hf_tuf_trust_verify(trust, testrepo_get(repo, name), &limits, &why), HF_ALLOW);
}

/* One refresh to its end. The trust record goes through its encoded form at each change, as on a device. */
static inline enum hf_tufclient_step testrepo_run(struct testrepo *repo, struct hf_tuf_trust *trust,
                                                  const struct hf_tuf_limits *limits, int64_t now, struct hf_why *why)
{
  struct hf_tufclient *client = &repo->client;
  struct hf_tufclient_fetch fetch;
  repo->fetched[0] = '\0';
  repo->stored = 0;
  hf_tufclient_init(client, trust, limits, now);
  for (int i = 0; i < 400 && hf_tufclient_next(client, &fetch) == HF_TUFCLIENT_FETCH; i++) {
    size_t used = strlen(repo->fetched);
    snprintf(repo->fetched + used, sizeof repo->fetched - used, "%s ", fetch.name);
    struct testrepo_file *file = testrepo_find(repo, fetch.name);
    enum hf_tufclient_got got = file == NULL ? HF_TUFCLIENT_NOT_FOUND : file->got;
    if (got == HF_TUFCLIENT_BYTES && file->len > fetch.max_len) {
      got = HF_TUFCLIENT_TOO_LONG;
    }
    size_t len = got == HF_TUFCLIENT_BYTES ? file->len : 0;
    free(repo->targets);
    repo->targets = malloc(len + 1); /* exactly as long as the file plus nothing the client may read */
    assert_non_null(repo->targets);
    if (len > 0) {
      memcpy(repo->targets, file->at, len);
    }
    struct hf_why given = {0};
    enum hf_err err = hf_tufclient_give(client, got, hf_bytes_init(repo->targets, len), &given);
    assert_true(err == HF_OK || given.rule != HF_RULE_NONE); /* every refusal says why */
    if (hf_tufclient_changed(client)) {
      uint8_t record[HF_TUF_TRUST_MAX];
      struct hf_buf buf = hf_buf_init(record, sizeof record);
      hf_tuf_trust_encode(&buf, trust);
      assert_false(buf.failed);
      assert_int_equal(hf_tuf_trust_parse(trust, hf_buf_bytes(&buf), NULL), HF_OK);
      repo->stored++;
    }
  }
  if (why != NULL) {
    *why = hf_tufclient_why(client);
  }
  return hf_tufclient_next(client, &fetch);
}

/* Shorthand: run with default limits at TESTREPO_NOW and expect a refusal for this rule. */
#define assert_refused(repo, trust, expected)                                                                          \
  do {                                                                                                                 \
    struct hf_tuf_limits limits_ = hf_tuf_limits_init();                                                               \
    struct hf_why why_ = {0};                                                                                          \
    enum hf_tufclient_step step_ = testrepo_run((repo), (trust), &limits_, TESTREPO_NOW, &why_);                       \
    assert_int_equal(why_.rule, (expected));                                                                           \
    assert_int_equal(step_, HF_TUFCLIENT_REFUSED);                                                                     \
  } while (0)
#define assert_done(repo, trust)                                                                                       \
  do {                                                                                                                 \
    struct hf_tuf_limits limits_ = hf_tuf_limits_init();                                                               \
    struct hf_why why_ = {0};                                                                                          \
    enum hf_tufclient_step step_ = testrepo_run((repo), (trust), &limits_, TESTREPO_NOW, &why_);                       \
    assert_int_equal(why_.rule, 0);                                                                                    \
    assert_int_equal(step_, HF_TUFCLIENT_DONE);                                                                        \
  } while (0)

#endif
