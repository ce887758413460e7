/* SPDX-License-Identifier: Apache-2.0
 * The client workflow against a real repository and everybody who has ever attacked one (TUF 1.0.34 section 5). */
#include "testrepo.h"

struct world {
  struct testrepo repo;
  struct hf_tuf_trust trust;
};

static int set_up(void **state)
{
  struct world *world = calloc(1, sizeof *world);
  assert_non_null(world);
  testrepo_init(&world->repo, HF_KEY_P256);
  testrepo_publish(&world->repo, 1, NULL, 0);
  testrepo_trust(&world->repo, &world->trust, 1);
  *state = world;
  return 0;
}

static int tear_down(void **state)
{
  struct world *world = *state;
  testrepo_free(&world->repo);
  free(world);
  return 0;
}

#define WORLD                                                                                                          \
  struct world *world = *state;                                                                                        \
  struct testrepo *repo = &world->repo;                                                                                \
  struct hf_tuf_trust *trust = &world->trust;                                                                          \
  (void)repo, (void)trust

/* A body written by hand. */
static void forge(struct testrepo *repo, const char *name, unsigned keys, const char *format, ...)
{
  char body[8192];
  va_list args;
  va_start(args, format);
  int len = vsnprintf(body, sizeof body, format, args);
  va_end(args);
  assert_in_range(len, 1, sizeof body - 1);
  testrepo_forge(repo, name, hf_bytes_init(body, (size_t)len), keys);
}

#define EXPIRES "\"expires\":\"2030-01-01T00:00:00Z\",\"spec_version\":\"1.0.34\""

/* ---- the honest repository ---- */

static void fetches_root_timestamp_snapshot_targets_in_this_order(void **state)
{
  WORLD;
  assert_done(repo, trust);
  assert_string_equal(repo->fetched, "2.root.json timestamp.json 1.snapshot.json 1.targets.json ");
  assert_non_null(hf_tufclient_targets(&repo->client));
  assert_int_equal(hf_tufclient_targets(&repo->client)->version, 1);
  assert_true(hf_tufclient_fresh(&repo->client));
  assert_int_equal(repo->stored, 3); /* timestamp, snapshot, targets: each before the next fetch */
}

static void asks_for_plain_names_without_consistent_snapshots(void **state)
{
  WORLD;
  repo->consistent = false;
  testrepo_root(repo, 2, BIT(K_ROOT));
  testrepo_publish(repo, 7, NULL, 0);
  assert_done(repo, trust);
  assert_string_equal(repo->fetched, "2.root.json 3.root.json timestamp.json snapshot.json targets.json ");
}

static void works_with_ed25519_keys(void **state)
{
  WORLD;
  struct testrepo other;
  static uint8_t scratch[65536];
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  testrepo_init(&other, HF_KEY_ED25519);
  testrepo_publish(&other, 1, NULL, 0);
  testrepo_trust(&other, trust, 1); /* written compact and sorted: canonical as it stands, no scratch needed */
  assert_done(&other, trust);
  limits.scratch = scratch;
  limits.scratch_cap = sizeof scratch;
  assert_int_equal(testrepo_run(&other, trust, &limits, TESTREPO_NOW, NULL), HF_TUFCLIENT_DONE);
  testrepo_free(&other);
}

static void a_second_refresh_changes_and_stores_nothing(void **state)
{
  WORLD;
  assert_done(repo, trust);
  struct hf_tuf_trust before = *trust;
  assert_done(repo, trust);
  assert_int_equal(repo->stored, 0);
  assert_false(hf_tufclient_fresh(&repo->client));
  assert_memory_equal(&before, trust, sizeof before);
}

static void finds_new_versions_and_calls_them_fresh(void **state)
{
  WORLD;
  assert_done(repo, trust);
  testrepo_publish(repo, 2, NULL, 0);
  assert_done(repo, trust);
  assert_true(hf_tufclient_fresh(&repo->client));
  assert_int_equal(trust->floor[HF_TUF_TARGETS].version, 2);
}

static void takes_nothing_after_the_end(void **state)
{
  WORLD;
  assert_done(repo, trust);
  assert_int_equal(hf_tufclient_give(&repo->client, HF_TUFCLIENT_BYTES, testrepo_get(repo, "timestamp.json"), NULL),
                   HF_E_STATE);
  assert_false(hf_tufclient_changed(&repo->client));
}

static void shows_no_targets_before_the_end(void **state)
{
  WORLD;
  testrepo_break(repo, "1.targets.json", HF_TUFCLIENT_FAILED);
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW, NULL), HF_TUFCLIENT_UNAVAILABLE);
  assert_null(hf_tufclient_targets(&repo->client));
}

/* ---- root chain (5.3) ---- */

static void walks_every_root_one_by_one(void **state)
{
  WORLD;
  for (uint32_t version = 2; version <= 5; version++) {
    testrepo_root(repo, version, BIT(K_ROOT));
  }
  assert_done(repo, trust);
  assert_int_equal(trust->root.version, 5);
  assert_non_null(strstr(repo->fetched, "5.root.json 6.root.json timestamp.json"));
}

static void rotates_the_root_key_with_both_signatures(void **state)
{
  WORLD;
  repo->root_keys = (repo->root_keys & ~BIT(K_ROOT)) | BIT(K_ROOT2);
  repo->role[HF_TUF_ROOT] = (struct hf_tuf_signers){BIT(K_ROOT2), 1};
  testrepo_root(repo, 2, BIT(K_ROOT) | BIT(K_ROOT2));
  testrepo_root(repo, 3, BIT(K_ROOT2));
  assert_done(repo, trust);
  assert_int_equal(trust->root.version, 3);
}

static void refuses_a_root_signed_only_by_the_old_key(void **state)
{
  WORLD;
  repo->root_keys = (repo->root_keys & ~BIT(K_ROOT)) | BIT(K_ROOT2);
  repo->role[HF_TUF_ROOT] = (struct hf_tuf_signers){BIT(K_ROOT2), 1};
  testrepo_root(repo, 2, BIT(K_ROOT));
  assert_refused(repo, trust, HF_RULE_TUF_UNSIGNED_NEW);
  assert_int_equal(trust->root.version, 1);
}

static void refuses_a_root_signed_only_by_the_new_key(void **state)
{
  WORLD;
  repo->root_keys = (repo->root_keys & ~BIT(K_ROOT)) | BIT(K_THIEF);
  repo->role[HF_TUF_ROOT] = (struct hf_tuf_signers){BIT(K_THIEF), 1};
  testrepo_root(repo, 2, BIT(K_THIEF));
  assert_refused(repo, trust, HF_RULE_TUF_UNSIGNED_OLD);
}

static void refuses_a_root_signed_by_the_keys_of_other_roles(void **state)
{
  WORLD;
  testrepo_root(repo, 2, BIT(K_TIMESTAMP) | BIT(K_SNAPSHOT) | BIT(K_TARGETS));
  assert_refused(repo, trust, HF_RULE_TUF_UNSIGNED_OLD);
}

static void refuses_a_gap_in_the_root_chain(void **state)
{
  WORLD;
  testrepo_root(repo, 3, BIT(K_ROOT));
  testrepo_set(repo, "2.root.json", testrepo_get(repo, "3.root.json"));
  assert_refused(repo, trust, HF_RULE_TUF_ROOT_VERSION);
}

static void refuses_the_old_root_under_the_next_name(void **state)
{
  WORLD;
  testrepo_set(repo, "2.root.json", testrepo_get(repo, "1.root.json"));
  assert_refused(repo, trust, HF_RULE_TUF_ROOT_VERSION);
}

static void set_root_threshold(struct testrepo *repo, uint16_t keys, uint16_t threshold)
{
  repo->root_keys |= keys;
  repo->role[HF_TUF_ROOT] = (struct hf_tuf_signers){keys, threshold};
}

static void needs_as_many_root_keys_as_the_threshold_says(void **state)
{
  WORLD;
  set_root_threshold(repo, BIT(K_ROOT) | BIT(K_ROOT2) | BIT(K_ROOT3), 2);
  testrepo_root(repo, 2, BIT(K_ROOT) | BIT(K_ROOT3));
  assert_done(repo, trust);
  testrepo_root(repo, 3, BIT(K_ROOT2));
  assert_refused(repo, trust, HF_RULE_TUF_UNSIGNED_OLD);
  assert_int_equal(trust->root.version, 2);
}

/* CVE-2020-6174, CVE-2020-15093: n copies of one good signature are one signature. */
static void counts_a_repeated_signature_once(void **state)
{
  WORLD;
  set_root_threshold(repo, BIT(K_ROOT) | BIT(K_ROOT2), 2);
  testrepo_root(repo, 2, BIT(K_ROOT) | BIT(K_ROOT2));
  assert_done(repo, trust);
  testrepo_root(repo, 3, BIT(K_ROOT)); /* one signature; now twice and thrice in the file */
  struct hf_bytes file = testrepo_get(repo, "3.root.json");
  char *text = strndup((const char *)file.at, file.len);
  char *close = strstr(text, "],\"signed\"");
  assert_non_null(close);
  size_t sig_len = (size_t)(close - (text + strlen("{\"signatures\":[")));
  char *many = malloc(file.len + 4 * sig_len + 8);
  sprintf(many, "{\"signatures\":[%.*s,%.*s,%.*s%s", (int)sig_len, text + 15, (int)sig_len, text + 15, (int)sig_len,
          text + 15, close);
  testrepo_set(repo, "3.root.json", hf_bytes_text(many));
  assert_refused(repo, trust, HF_RULE_TUF_UNSIGNED_OLD);
  free(many);
  free(text);
}

/* GHSA-3633-5h82-39pq: one key under two ids (its PEM wrapped differently) is one key. */
static void counts_one_key_under_two_ids_once(void **state)
{
  WORLD;
  uint8_t pem[HF_PUBKEY_PEM_MAX], id[2][HF_SHA256_LEN];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  hf_pubkey_put_pem(&buf, &repo->pub[K_ROOT2]);
  char plain[512] = "", wrapped[512] = "", object[2][1024], hex[2][65];
  for (size_t i = 0, column = 0; i < buf.len; i++) { /* the same key, its lines cut at 32, newlines as JSON escapes */
    char c = (char)pem[i];
    char piece[4] = {c, 0};
    strcat(plain, c == '\n' ? "\\n" : piece);
    strcat(wrapped, c == '\n' ? "\\n" : piece);
    column = c == '\n' ? 0 : column + 1;
    bool in_body = pem[i] != '-' && i > 28 && i + 26 < buf.len && c != '\n';
    if (column == 32 && in_body) {
      strcat(wrapped, "\\n");
    }
  }
  const char *text[2] = {plain, wrapped};
  for (int i = 0; i < 2; i++) {
    uint8_t canonical[1024];
    struct hf_buf out = hf_buf_init(canonical, sizeof canonical);
    snprintf(object[i], sizeof object[i],
             "{\"keytype\":\"ecdsa\",\"keyval\":{\"public\":\"%s\"},\"scheme\":\"ecdsa-sha2-nistp256\"}", text[i]);
    assert_int_equal(hf_tufwrite_canonical(&out, hf_bytes_text(object[i])), HF_OK);
    hf_sha256(id[i], hf_buf_bytes(&out));
    for (int j = 0; j < 32; j++) {
      sprintf(hex[i] + 2 * j, "%02x", id[i][j]);
    }
  }
  assert_memory_not_equal(id[0], id[1], HF_SHA256_LEN);
  char body[8192];
  snprintf(body, sizeof body,
           "{\"_type\":\"root\",\"consistent_snapshot\":true," EXPIRES ",\"keys\":{\"%s\":%s,\"%s\":%s},\"roles\":{"
           "\"root\":{\"keyids\":[\"%s\",\"%s\"],\"threshold\":2},\"snapshot\":{\"keyids\":[\"%s\"],\"threshold\":1},"
           "\"targets\":{\"keyids\":[\"%s\"],\"threshold\":1},\"timestamp\":{\"keyids\":[\"%s\"],\"threshold\":1}},"
           "\"version\":2}",
           hex[0], object[0], hex[1], object[1], hex[0], hex[1], hex[0], hex[0], hex[0]);
  uint8_t canonical[8192], whole[16384];
  struct hf_buf message = hf_buf_init(canonical, sizeof canonical), file = hf_buf_init(whole, sizeof whole);
  assert_int_equal(hf_tufwrite_canonical(&message, hf_bytes_text(body)), HF_OK);
  struct hf_tufwrite_sig sigs[3];
  struct hf_tufwrite_signer old = testrepo_signer(repo, K_ROOT), twin = testrepo_signer(repo, K_ROOT2);
  assert_int_equal(hf_tufwrite_sign(&sigs[0], &old, hf_buf_bytes(&message)), HF_OK);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(hf_tufwrite_sign(&sigs[1 + i], &twin, hf_buf_bytes(&message)), HF_OK);
    memcpy(sigs[1 + i].keyid, id[i], HF_SHA256_LEN);
  }
  hf_tufwrite_put_file(&file, hf_bytes_text(body), sigs, 3);
  testrepo_set(repo, "2.root.json", hf_buf_bytes(&file));
  assert_refused(repo, trust, HF_RULE_TUF_THRESHOLD); /* one key cannot reach two */
}

/* A root lists one key twice but needs it once: harmless, accepted, and a higher threshold later is not reached. */
static void refuses_a_threshold_that_only_twins_reach(void **state)
{
  WORLD;
  trust->root.key[trust->root.key_count] = trust->root.key[0];
  for (size_t i = 0; i < trust->root.key_count; i++) {
    if ((trust->root.role[HF_TUF_ROOT].keys >> i & 1) != 0) {
      trust->root.key[trust->root.key_count] = trust->root.key[i];
    }
  }
  trust->root.key[trust->root.key_count].id[0] ^= 0xff;
  trust->root.role[HF_TUF_ROOT].keys |= (uint16_t)(1u << trust->root.key_count);
  trust->root.role[HF_TUF_ROOT].threshold = 2;
  trust->root.key_count++;
  uint8_t keyid[HF_SHA256_LEN];
  hf_pubkey_tuf_id(keyid, &repo->pub[K_ROOT]);
  testrepo_root(repo, 2, BIT(K_ROOT));
  struct hf_bytes file = testrepo_get(repo, "2.root.json");
  char *text = strndup((const char *)file.at, file.len);
  char *close = strstr(text, "],\"signed\"");
  size_t sig_len = (size_t)(close - (text + 15));
  char twin[512];
  snprintf(twin, sizeof twin, "%.*s", (int)sig_len, text + 15);
  char digits[3];
  snprintf(digits, sizeof digits, "%02x", keyid[0] ^ 0xff);
  memcpy(strstr(twin, "\"keyid\":\"") + 9, digits, 2); /* the same signature under the twin's id */
  char *many = malloc(file.len + sizeof twin + 8);
  sprintf(many, "{\"signatures\":[%.*s,%s%s", (int)sig_len, text + 15, twin, close);
  testrepo_set(repo, "2.root.json", hf_bytes_text(many));
  assert_refused(repo, trust, HF_RULE_TUF_UNSIGNED_OLD);
  free(many);
  free(text);
}

static void an_expired_root_inside_the_chain_is_no_matter(void **state)
{
  WORLD;
  repo->expires[HF_TUF_ROOT] = TESTREPO_NOW - 1;
  testrepo_root(repo, 2, BIT(K_ROOT));
  repo->expires[HF_TUF_ROOT] = TESTREPO_NOW + 1;
  testrepo_root(repo, 3, BIT(K_ROOT));
  assert_done(repo, trust);
}

static void refuses_when_the_last_root_has_expired_but_remembers_it(void **state)
{
  WORLD;
  repo->expires[HF_TUF_ROOT] = TESTREPO_NOW;
  testrepo_root(repo, 2, BIT(K_ROOT));
  assert_refused(repo, trust, HF_RULE_TUF_EXPIRED);
  assert_int_equal(trust->root.version, 2);
  repo->expires[HF_TUF_ROOT] = TESTREPO_NOW + 1; /* and comes back as soon as a fresh one is there */
  testrepo_root(repo, 3, BIT(K_ROOT));
  assert_done(repo, trust);
}

static void only_not_found_ends_the_root_chain(void **state)
{
  WORLD;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust before = *trust;
  struct hf_why why = {0};
  testrepo_break(repo, "2.root.json", HF_TUFCLIENT_FAILED);
  assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW, &why), HF_TUFCLIENT_UNAVAILABLE);
  assert_int_equal(why.rule, HF_RULE_TUF_UNAVAILABLE);
  assert_memory_equal(&before, trust, sizeof before);
  testrepo_break(repo, "2.root.json", HF_TUFCLIENT_NOT_FOUND);
  assert_done(repo, trust);
}

static void stops_after_the_allowed_number_of_roots_and_goes_on_next_time(void **state)
{
  WORLD;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_why why = {0};
  limits.roots_max = 3;
  for (uint32_t version = 2; version <= 6; version++) {
    testrepo_root(repo, version, BIT(K_ROOT));
  }
  assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW, &why), HF_TUFCLIENT_REFUSED);
  assert_int_equal(why.rule, HF_RULE_TUF_ROOTS);
  assert_int_equal(trust->root.version, 4);
  assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW, &why), HF_TUFCLIENT_DONE);
}

/* CVE-2020-6173: hundreds of bogus signatures must cost nothing. */
static void refuses_more_signatures_than_allowed_before_any_crypto(void **state)
{
  WORLD;
  struct hf_buf file = hf_buf_init(malloc(65536), 65536);
  struct hf_tufwrite_sig sigs[65];
  memset(sigs, 0, sizeof sigs);
  for (size_t i = 0; i < 65; i++) {
    hf_pubkey_tuf_id(sigs[i].keyid, &repo->pub[K_TIMESTAMP]);
    sigs[i].len = 8;
  }
  hf_tufwrite_put_file(&file, HF_LIT("{\"_type\":\"timestamp\"}"), sigs, 65);
  testrepo_set(repo, "timestamp.json", hf_buf_bytes(&file));
  assert_refused(repo, trust, HF_RULE_TUF_SIGNATURES);
  free(file.at);
}

/* ---- fast-forward recovery (5.3.11) ---- */

static void rotate(struct testrepo *repo, enum hf_tuf_role role, enum testrepo_key to, uint32_t version)
{
  for (unsigned i = 0; i < TESTREPO_KEYS; i++) {
    if ((repo->role[role].keys >> i & 1) != 0) {
      repo->root_keys &= ~BIT(i);
    }
  }
  repo->role[role].keys = BIT(to);
  repo->root_keys |= BIT(to);
  testrepo_root(repo, version, BIT(K_ROOT));
}

/* Whoever held the timestamp key signed a version nobody can top. */
static void fast_forward(struct testrepo *repo, struct hf_tuf_trust *trust)
{
  testrepo_snapshot(repo, HF_TUF_VERSION_MAX, 1);
  testrepo_timestamp(repo, HF_TUF_VERSION_MAX, HF_TUF_VERSION_MAX);
  assert_done(repo, trust);
  testrepo_publish(repo, 2, NULL, 0);
  assert_refused(repo, trust, HF_RULE_TUF_ROLLBACK);
}

static void swap_key(struct testrepo *repo, enum testrepo_key a, enum testrepo_key b)
{
  struct hf_key *key = repo->key[a];
  struct hf_pubkey pub = repo->pub[a];
  repo->key[a] = repo->key[b];
  repo->pub[a] = repo->pub[b];
  repo->key[b] = key;
  repo->pub[b] = pub;
}

static void a_rotated_timestamp_key_forgets_the_floors(void **state)
{
  WORLD;
  fast_forward(repo, trust);
  swap_key(repo, K_TIMESTAMP, K_SPARE); /* K_TIMESTAMP now names the new key */
  testrepo_root(repo, 2, BIT(K_ROOT));
  testrepo_publish(repo, 2, NULL, 0);
  assert_done(repo, trust);
  assert_int_equal(trust->floor[HF_TUF_TIMESTAMP].version, 2);
}

static void a_rotated_snapshot_key_forgets_the_floors(void **state)
{
  WORLD;
  fast_forward(repo, trust);
  swap_key(repo, K_SNAPSHOT, K_SPARE);
  testrepo_root(repo, 2, BIT(K_ROOT));
  testrepo_publish(repo, 2, NULL, 0);
  assert_done(repo, trust);
}

static void other_changes_of_the_root_keep_the_floors(void **state)
{
  WORLD;
  fast_forward(repo, trust);
  rotate(repo, HF_TUF_TARGETS, K_SPARE, 2);
  assert_refused(repo, trust, HF_RULE_TUF_ROLLBACK);
  repo->role[HF_TUF_TIMESTAMP].keys |= BIT(K_SPARE); /* a key more, none less */
  testrepo_root(repo, 3, BIT(K_ROOT));
  assert_refused(repo, trust, HF_RULE_TUF_ROLLBACK);
  assert_int_equal(trust->root.version, 3);
}

static void the_old_timestamp_key_is_worth_nothing_after_rotation(void **state)
{
  WORLD;
  rotate(repo, HF_TUF_TIMESTAMP, K_SPARE, 2);
  assert_refused(repo, trust, HF_RULE_TUF_UNSIGNED);
}

/* ---- timestamp (5.4) ---- */

static void refuses_an_older_timestamp(void **state)
{
  WORLD;
  struct hf_bytes old = testrepo_get(repo, "timestamp.json");
  uint8_t *kept = malloc(old.len);
  memcpy(kept, old.at, old.len);
  testrepo_publish(repo, 2, NULL, 0);
  assert_done(repo, trust);
  testrepo_set(repo, "timestamp.json", hf_bytes_init(kept, old.len));
  assert_refused(repo, trust, HF_RULE_TUF_ROLLBACK);
  free(kept);
}

/* CVE-2022-29173 and python-tuf 1498: the floor outlives the file it came from. */
static void refuses_an_older_timestamp_when_the_newer_has_expired(void **state)
{
  WORLD;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_why why = {0};
  repo->expires[HF_TUF_TIMESTAMP] = TESTREPO_NOW + 10;
  testrepo_timestamp(repo, 5, 1);
  assert_done(repo, trust);
  repo->expires[HF_TUF_TIMESTAMP] = TESTREPO_NOW + TESTREPO_YEAR;
  testrepo_timestamp(repo, 4, 1);
  assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW + 100, &why), HF_TUFCLIENT_REFUSED);
  assert_int_equal(why.rule, HF_RULE_TUF_ROLLBACK);
}

static void refuses_the_same_version_with_other_content(void **state)
{
  WORLD;
  assert_done(repo, trust);
  repo->expires[HF_TUF_TIMESTAMP] += 1;
  testrepo_timestamp(repo, 1, 1);
  assert_refused(repo, trust, HF_RULE_TUF_SAME_VERSION);
}

static void accepts_the_same_content_signed_again(void **state)
{
  WORLD;
  assert_done(repo, trust);
  testrepo_timestamp(repo, 1, 1); /* ECDSA: other signature, same signed part */
  assert_done(repo, trust);
}

static void refuses_an_expired_timestamp(void **state)
{
  WORLD;
  repo->expires[HF_TUF_TIMESTAMP] = TESTREPO_NOW;
  testrepo_timestamp(repo, 2, 1);
  assert_refused(repo, trust, HF_RULE_TUF_EXPIRED);
  assert_int_equal(trust->floor[HF_TUF_TIMESTAMP].version, 0);
}

/* tough CVE-2025-2888: a refused file must not leave its version behind. */
static void a_refused_timestamp_leaves_no_trace(void **state)
{
  WORLD;
  assert_done(repo, trust);
  struct hf_tuf_trust before = *trust;
  forge(repo, "timestamp.json", BIT(K_THIEF),
        "{\"_type\":\"timestamp\"," EXPIRES ",\"meta\":{\"snapshot.json\":{\"version\":9}},\"version\":9}");
  assert_refused(repo, trust, HF_RULE_TUF_UNSIGNED);
  assert_memory_equal(&before, trust, sizeof before);
}

static void refuses_a_newer_timestamp_with_an_older_snapshot(void **state)
{
  WORLD;
  testrepo_publish(repo, 2, NULL, 0);
  assert_done(repo, trust);
  testrepo_timestamp(repo, 3, 1);
  assert_refused(repo, trust, HF_RULE_TUF_ROLLBACK);
  assert_int_equal(trust->floor[HF_TUF_TIMESTAMP].version, 2);
}

static void refuses_a_timestamp_without_the_snapshots_hash(void **state)
{
  WORLD;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  forge(repo, "timestamp.json", BIT(K_TIMESTAMP),
        "{\"_type\":\"timestamp\"," EXPIRES ",\"meta\":{\"snapshot.json\":{\"version\":1}},\"version\":2}");
  assert_refused(repo, trust, HF_RULE_TUF_NO_HASH);
  limits.hashes_required = false; /* TUF itself leaves it free */
  assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW, NULL), HF_TUFCLIENT_DONE);
}

static void refuses_a_timestamp_that_lists_no_snapshot(void **state)
{
  WORLD;
  forge(repo, "timestamp.json", BIT(K_TIMESTAMP), "{\"_type\":\"timestamp\"," EXPIRES ",\"meta\":{},\"version\":2}");
  assert_refused(repo, trust, HF_RULE_TUF_NOT_LISTED);
}

static void refuses_another_role_under_the_timestamps_name(void **state)
{
  WORLD;
  testrepo_set(repo, "timestamp.json", testrepo_get(repo, "1.snapshot.json"));
  assert_refused(repo, trust, HF_RULE_TUF_TYPE);
}

static void refuses_a_timestamp_signed_by_another_roles_key(void **state)
{
  WORLD;
  forge(repo, "timestamp.json", BIT(K_SNAPSHOT) | BIT(K_TARGETS) | BIT(K_ROOT),
        "{\"_type\":\"timestamp\"," EXPIRES ",\"meta\":{\"snapshot.json\":{\"version\":1}},\"version\":2}");
  assert_refused(repo, trust, HF_RULE_TUF_UNSIGNED);
}

static void a_missing_timestamp_is_unavailable_not_trusted(void **state)
{
  WORLD;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_why why = {0};
  testrepo_break(repo, "timestamp.json", HF_TUFCLIENT_NOT_FOUND);
  assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW, &why), HF_TUFCLIENT_UNAVAILABLE);
  assert_int_equal(why.rule, HF_RULE_TUF_NOT_FOUND);
}

/* ---- time ---- */

static void the_floor_beats_a_clock_in_1970(void **state)
{
  WORLD;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_why why = {0};
  repo->expires[HF_TUF_TIMESTAMP] = TESTREPO_NOW - 1;
  testrepo_timestamp(repo, 2, 1);
  limits.time_floor = TESTREPO_NOW;
  assert_int_equal(testrepo_run(repo, trust, &limits, 0, &why), HF_TUFCLIENT_REFUSED);
  assert_int_equal(why.rule, HF_RULE_TUF_EXPIRED);
}

/* Uptane standard issue 31: a clock far ahead must not lock the device for ever. */
static void a_clock_far_ahead_refuses_now_and_heals_later(void **state)
{
  WORLD;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust before = *trust;
  struct hf_why why = {0};
  assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW + 100 * TESTREPO_YEAR, &why), HF_TUFCLIENT_REFUSED);
  assert_int_equal(why.rule, HF_RULE_TUF_EXPIRED);
  assert_memory_equal(&before, trust, sizeof before);
  assert_done(repo, trust);
}

static void a_device_that_was_off_for_years_comes_back(void **state)
{
  WORLD;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  assert_done(repo, trust);
  for (size_t i = 0; i < HF_TUF_ROLES; i++) {
    repo->expires[i] = TESTREPO_NOW + 6 * TESTREPO_YEAR;
  }
  for (uint32_t version = 2; version <= 6; version++) {
    testrepo_root(repo, version, BIT(K_ROOT));
  }
  testrepo_publish(repo, 1800, NULL, 0);
  assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW + 5 * TESTREPO_YEAR, NULL), HF_TUFCLIENT_DONE);
}

/* ---- snapshot (5.5) ---- */

static void refuses_a_snapshot_with_another_hash(void **state)
{
  WORLD;
  struct hf_bytes good = testrepo_get(repo, "1.snapshot.json");
  uint8_t *kept = malloc(good.len);
  for (size_t i = 0; i < good.len; i++) { /* every single byte of it */
    memcpy(kept, good.at, good.len);
    kept[i] ^= 1;
    struct testrepo_file *file = testrepo_find(repo, "1.snapshot.json");
    memcpy(file->at, kept, good.len);
    struct hf_tuf_limits limits = hf_tuf_limits_init();
    struct hf_why why = {0};
    assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW, &why), HF_TUFCLIENT_REFUSED);
    assert_int_equal(why.rule, HF_RULE_TUF_HASH);
    kept[i] ^= 1;
    memcpy(file->at, kept, good.len);
  }
  assert_done(repo, trust);
  free(kept);
}

static void refuses_a_cut_snapshot(void **state)
{
  WORLD;
  struct testrepo_file *file = testrepo_find(repo, "1.snapshot.json");
  file->len -= 1;
  assert_refused(repo, trust, HF_RULE_TUF_LENGTH);
}

static void refuses_a_longer_snapshot_as_endless_data(void **state)
{
  WORLD;
  struct hf_bytes good = testrepo_get(repo, "1.snapshot.json");
  uint8_t *longer = malloc(good.len + 1);
  memcpy(longer, good.at, good.len);
  longer[good.len] = ' ';
  testrepo_set(repo, "1.snapshot.json", hf_bytes_init(longer, good.len + 1));
  assert_refused(repo, trust, HF_RULE_TUF_TOO_LONG);
  free(longer);
}

static void refuses_endless_data_in_every_role(void **state)
{
  WORLD;
  const char *const names[] = {"2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"};
  for (size_t i = 0; i < 4; i++) {
    struct world fresh;
    testrepo_init(&fresh.repo, HF_KEY_P256);
    testrepo_publish(&fresh.repo, 1, NULL, 0);
    testrepo_trust(&fresh.repo, &fresh.trust, 1);
    testrepo_break(&fresh.repo, names[i], HF_TUFCLIENT_TOO_LONG);
    assert_refused(&fresh.repo, &fresh.trust, HF_RULE_TUF_TOO_LONG);
    testrepo_free(&fresh.repo);
  }
}

/* What a verified timestamp announced is a floor, even when the snapshot never came. */
static void an_announced_snapshot_is_a_floor_before_it_arrives(void **state)
{
  WORLD;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  testrepo_snapshot(repo, 5, 1);
  testrepo_snapshot(repo, 4, 1);
  testrepo_timestamp(repo, 2, 5);
  testrepo_break(repo, "5.snapshot.json", HF_TUFCLIENT_FAILED);
  assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW, NULL), HF_TUFCLIENT_UNAVAILABLE);
  assert_int_equal(trust->floor[HF_TUF_SNAPSHOT].version, 5);
  testrepo_timestamp(repo, 3, 4);
  assert_refused(repo, trust, HF_RULE_TUF_ROLLBACK);
  assert_null(strstr(repo->fetched, "snapshot"));
}

static void announced_targets_are_a_floor_before_they_arrive(void **state)
{
  WORLD;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  testrepo_targets(repo, 5, NULL, 0);
  testrepo_targets(repo, 4, NULL, 0);
  testrepo_snapshot(repo, 2, 5);
  testrepo_timestamp(repo, 2, 2);
  testrepo_break(repo, "5.targets.json", HF_TUFCLIENT_FAILED);
  assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW, NULL), HF_TUFCLIENT_UNAVAILABLE);
  assert_int_equal(trust->floor[HF_TUF_TARGETS].version, 5);
  testrepo_snapshot(repo, 3, 4);
  testrepo_timestamp(repo, 3, 3);
  assert_refused(repo, trust, HF_RULE_TUF_ROLLBACK);
  assert_null(strstr(repo->fetched, "targets"));
}

static void refuses_lengths_above_the_limit_before_fetching(void **state)
{
  WORLD;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_why why = {0};
  limits.file_max[HF_TUF_TARGETS] = 16;
  assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW, &why), HF_TUFCLIENT_REFUSED);
  assert_int_equal(why.rule, HF_RULE_TUF_TOO_LONG);
  assert_null(strstr(repo->fetched, "targets"));
  limits = hf_tuf_limits_init();
  limits.file_max[HF_TUF_SNAPSHOT] = 16;
  assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW, &why), HF_TUFCLIENT_REFUSED);
  assert_int_equal(why.rule, HF_RULE_TUF_TOO_LONG);
  assert_null(strstr(repo->fetched, "snapshot"));
}

/* A timestamp that gives the hash of whatever is published as this snapshot. */
static void point_at_snapshot(struct testrepo *repo, uint32_t version, uint32_t snapshot_version, const char *name)
{
  uint8_t room[2048];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_tufwrite_put_timestamp(&body, version, repo->expires[HF_TUF_TIMESTAMP], snapshot_version,
                                             testrepo_get(repo, name)),
                   HF_OK);
  testrepo_forge(repo, "timestamp.json", hf_buf_bytes(&body), BIT(K_TIMESTAMP));
}

static void refuses_a_snapshot_of_another_version_than_announced(void **state)
{
  WORLD;
  testrepo_set(repo, "2.snapshot.json", testrepo_get(repo, "1.snapshot.json"));
  point_at_snapshot(repo, 2, 2, "2.snapshot.json"); /* mix and match with a stolen timestamp key */
  assert_refused(repo, trust, HF_RULE_TUF_VERSION_MISMATCH);
}

static void refuses_a_snapshot_not_signed_by_its_key(void **state)
{
  WORLD;
  forge(repo, "2.snapshot.json", BIT(K_TIMESTAMP),
        "{\"_type\":\"snapshot\"," EXPIRES ",\"meta\":{\"targets.json\":{\"version\":1}},\"version\":2}");
  point_at_snapshot(repo, 2, 2, "2.snapshot.json");
  assert_refused(repo, trust, HF_RULE_TUF_UNSIGNED);
}

static void refuses_an_expired_snapshot(void **state)
{
  WORLD;
  repo->expires[HF_TUF_SNAPSHOT] = TESTREPO_NOW - 1;
  testrepo_snapshot(repo, 2, 1);
  testrepo_timestamp(repo, 2, 2);
  assert_refused(repo, trust, HF_RULE_TUF_EXPIRED);
}

static void refuses_older_targets_in_a_newer_snapshot(void **state)
{
  WORLD;
  testrepo_publish(repo, 2, NULL, 0);
  assert_done(repo, trust);
  testrepo_snapshot(repo, 3, 1);
  testrepo_timestamp(repo, 3, 3);
  assert_refused(repo, trust, HF_RULE_TUF_ROLLBACK);
}

static void snapshot_with(struct testrepo *repo, uint32_t version, const char *meta)
{
  char name[40];
  snprintf(name, sizeof name, "%u.snapshot.json", version);
  forge(repo, name, BIT(K_SNAPSHOT), "{\"_type\":\"snapshot\"," EXPIRES ",\"meta\":{%s},\"version\":%u}", meta,
        version);
  point_at_snapshot(repo, version, version, name);
}

static void refuses_a_snapshot_that_lost_a_file(void **state)
{
  WORLD;
  snapshot_with(repo, 2, "\"a.json\":{\"version\":3},\"targets.json\":{\"version\":1}");
  assert_done(repo, trust);
  assert_int_equal(trust->listed_count, 1);
  snapshot_with(repo, 3, "\"targets.json\":{\"version\":1}");
  assert_refused(repo, trust, HF_RULE_TUF_LOST);
  snapshot_with(repo, 4, "\"b.json\":{\"version\":3},\"targets.json\":{\"version\":1}");
  assert_refused(repo, trust, HF_RULE_TUF_LOST);
}

static void refuses_a_snapshot_that_lists_a_file_at_a_lower_version(void **state)
{
  WORLD;
  snapshot_with(repo, 2, "\"a.json\":{\"version\":3},\"b.json\":{\"version\":1},\"targets.json\":{\"version\":1}");
  assert_done(repo, trust);
  snapshot_with(repo, 3, "\"a.json\":{\"version\":2},\"b.json\":{\"version\":9},\"targets.json\":{\"version\":1}");
  assert_refused(repo, trust, HF_RULE_TUF_ROLLBACK);
}

static void refuses_a_snapshot_without_targets(void **state)
{
  WORLD;
  snapshot_with(repo, 2, "\"a.json\":{\"version\":3}");
  assert_refused(repo, trust, HF_RULE_TUF_NOT_LISTED);
}

static void refuses_more_listed_files_than_it_can_remember(void **state)
{
  WORLD;
  char meta[2048] = "\"targets.json\":{\"version\":1}";
  for (int i = 0; i < HF_TUF_LISTED_MAX; i++) {
    snprintf(meta + strlen(meta), sizeof meta - strlen(meta), ",\"x%02d.json\":{\"version\":1}", i);
  }
  snapshot_with(repo, 2, meta);
  assert_done(repo, trust);
  assert_int_equal(trust->listed_count, HF_TUF_LISTED_MAX);
  strcat(meta, ",\"y.json\":{\"version\":1}");
  snapshot_with(repo, 3, meta);
  assert_refused(repo, trust, HF_RULE_TUF_LISTED_TOO_MANY);
}

/* ---- targets (5.6) ---- */

static void refuses_targets_with_another_hash(void **state)
{
  WORLD;
  struct testrepo_file *file = testrepo_find(repo, "1.targets.json");
  file->at[file->len / 2] ^= 1;
  assert_refused(repo, trust, HF_RULE_TUF_HASH);
}

static void refuses_targets_of_another_version_than_listed(void **state)
{
  WORLD;
  testrepo_targets(repo, 2, NULL, 0);
  testrepo_set(repo, "3.targets.json", testrepo_get(repo, "2.targets.json"));
  snapshot_with(repo, 2, "\"targets.json\":{\"version\":3}"); /* no hash: the version alone must hold */
  assert_refused(repo, trust, HF_RULE_TUF_VERSION_MISMATCH);
}

static void refuses_targets_signed_by_online_keys_only(void **state)
{
  WORLD;
  forge(repo, "2.targets.json", BIT(K_SNAPSHOT) | BIT(K_TIMESTAMP),
        "{\"_type\":\"targets\"," EXPIRES ",\"targets\":{},\"version\":2}");
  testrepo_snapshot(repo, 2, 2);
  testrepo_timestamp(repo, 2, 2);
  assert_refused(repo, trust, HF_RULE_TUF_UNSIGNED);
}

static void refuses_expired_targets(void **state)
{
  WORLD;
  repo->expires[HF_TUF_TARGETS] = TESTREPO_NOW - 1;
  testrepo_publish(repo, 2, NULL, 0);
  assert_refused(repo, trust, HF_RULE_TUF_EXPIRED);
  assert_null(hf_tufclient_targets(&repo->client));
}

static void refuses_same_targets_version_with_other_content(void **state)
{
  WORLD;
  assert_done(repo, trust);
  repo->expires[HF_TUF_TARGETS] += 1;
  testrepo_targets(repo, 1, NULL, 0);
  testrepo_snapshot(repo, 2, 1);
  testrepo_timestamp(repo, 2, 2);
  assert_refused(repo, trust, HF_RULE_TUF_SAME_VERSION);
}

/* aktualizr had to raise its limit from 1 MB to 8 MB: every nightly build stays listed. No heap, no tree, one buffer.
 */
static void finds_one_of_ten_thousand_images(void **state)
{
  WORLD;
  enum { COUNT = 10000, CAP = 8 << 20 };
  struct hf_buf body = hf_buf_init(malloc(CAP), CAP);
  hf_buf_put_text(&body, "{\"_type\":\"targets\"," EXPIRES ",\"targets\":{");
  for (int i = 0; i < COUNT; i++) {
    char entry[640];
    snprintf(entry, sizeof entry,
             "%s\"thermostat/1.%d.%02d/main.img\":{\"custom\":{\"holdfast\":{\"component\":\"main\",\"counter\":2,"
             "\"from\":\"*\",\"hardware\":[\"thermo-a\"],\"image\":\"%064d\",\"product\":\"thermostat\",\"sbom\":"
             "\"%064d\",\"security\":false,\"version\":\"1.%d.%d\"}},\"hashes\":{\"sha256\":\"%064d\"},\"length\":%d}",
             i == 0 ? "" : ",", 100 + i / 100, i % 100, i, i, 100 + i / 100, i % 100, i, i + 1);
    hf_buf_put_text(&body, entry);
  }
  hf_buf_put_text(&body, "},\"version\":2}");
  assert_false(body.failed);
  testrepo_forge(repo, "2.targets.json", hf_buf_bytes(&body), BIT(K_TARGETS));
  testrepo_snapshot(repo, 2, 2);
  testrepo_timestamp(repo, 2, 2);
  assert_done(repo, trust);
  struct hf_target_file target;
  assert_int_equal(
      hf_tuf_target_get(&target, hf_tufclient_targets(&repo->client), HF_LIT("thermostat/1.199.99/main.img"), NULL),
      HF_OK);
  assert_int_equal(target.length, COUNT);
  free(body.at);
}

/* ---- cuts ---- */

/* Unavailable at any file, at any time: trust is what it was, or further on, and the next refresh succeeds. */
static void a_refresh_cut_anywhere_can_be_taken_up_again(void **state)
{
  WORLD;
  testrepo_root(repo, 2, BIT(K_ROOT));
  const char *const names[] = {"2.root.json", "3.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"};
  for (size_t i = 0; i < 5; i++) {
    struct hf_tuf_limits limits = hf_tuf_limits_init();
    testrepo_trust(repo, trust, 1);
    enum hf_tufclient_got was = i == 1 ? HF_TUFCLIENT_NOT_FOUND : HF_TUFCLIENT_BYTES;
    testrepo_break(repo, names[i], HF_TUFCLIENT_FAILED);
    assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW, NULL), HF_TUFCLIENT_UNAVAILABLE);
    testrepo_find(repo, names[i])->got = was;
    assert_done(repo, trust);
  }
}

/* Every file cut at every length: never accepted. */
static void refuses_every_truncation_of_every_file(void **state)
{
  WORLD;
  testrepo_root(repo, 2, BIT(K_ROOT));
  const char *const names[] = {"2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"};
  for (size_t i = 0; i < 4; i++) {
    struct testrepo_file *file = testrepo_find(repo, names[i]);
    size_t whole = file->len;
    for (file->len = 0; file->len < whole; file->len++) {
      struct hf_tuf_limits limits = hf_tuf_limits_init();
      testrepo_trust(repo, trust, 1);
      assert_int_equal(testrepo_run(repo, trust, &limits, TESTREPO_NOW, NULL), HF_TUFCLIENT_REFUSED);
    }
    assert_int_equal(file->len, whole);
  }
  testrepo_trust(repo, trust, 1);
  assert_done(repo, trust);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(fetches_root_timestamp_snapshot_targets_in_this_order),
      TEST(asks_for_plain_names_without_consistent_snapshots),
      TEST(works_with_ed25519_keys),
      TEST(a_second_refresh_changes_and_stores_nothing),
      TEST(finds_new_versions_and_calls_them_fresh),
      TEST(takes_nothing_after_the_end),
      TEST(shows_no_targets_before_the_end),
      TEST(walks_every_root_one_by_one),
      TEST(rotates_the_root_key_with_both_signatures),
      TEST(refuses_a_root_signed_only_by_the_old_key),
      TEST(refuses_a_root_signed_only_by_the_new_key),
      TEST(refuses_a_root_signed_by_the_keys_of_other_roles),
      TEST(refuses_a_gap_in_the_root_chain),
      TEST(refuses_the_old_root_under_the_next_name),
      TEST(needs_as_many_root_keys_as_the_threshold_says),
      TEST(counts_a_repeated_signature_once),
      TEST(counts_one_key_under_two_ids_once),
      TEST(refuses_a_threshold_that_only_twins_reach),
      TEST(an_expired_root_inside_the_chain_is_no_matter),
      TEST(refuses_when_the_last_root_has_expired_but_remembers_it),
      TEST(only_not_found_ends_the_root_chain),
      TEST(stops_after_the_allowed_number_of_roots_and_goes_on_next_time),
      TEST(refuses_more_signatures_than_allowed_before_any_crypto),
      TEST(a_rotated_timestamp_key_forgets_the_floors),
      TEST(a_rotated_snapshot_key_forgets_the_floors),
      TEST(other_changes_of_the_root_keep_the_floors),
      TEST(the_old_timestamp_key_is_worth_nothing_after_rotation),
      TEST(refuses_an_older_timestamp),
      TEST(refuses_an_older_timestamp_when_the_newer_has_expired),
      TEST(refuses_the_same_version_with_other_content),
      TEST(accepts_the_same_content_signed_again),
      TEST(refuses_an_expired_timestamp),
      TEST(a_refused_timestamp_leaves_no_trace),
      TEST(refuses_a_newer_timestamp_with_an_older_snapshot),
      TEST(refuses_a_timestamp_without_the_snapshots_hash),
      TEST(refuses_a_timestamp_that_lists_no_snapshot),
      TEST(refuses_another_role_under_the_timestamps_name),
      TEST(refuses_a_timestamp_signed_by_another_roles_key),
      TEST(a_missing_timestamp_is_unavailable_not_trusted),
      TEST(the_floor_beats_a_clock_in_1970),
      TEST(a_clock_far_ahead_refuses_now_and_heals_later),
      TEST(a_device_that_was_off_for_years_comes_back),
      TEST(refuses_a_snapshot_with_another_hash),
      TEST(refuses_a_cut_snapshot),
      TEST(refuses_a_longer_snapshot_as_endless_data),
      TEST(refuses_endless_data_in_every_role),
      TEST(an_announced_snapshot_is_a_floor_before_it_arrives),
      TEST(announced_targets_are_a_floor_before_they_arrive),
      TEST(refuses_lengths_above_the_limit_before_fetching),
      TEST(refuses_a_snapshot_of_another_version_than_announced),
      TEST(refuses_a_snapshot_not_signed_by_its_key),
      TEST(refuses_an_expired_snapshot),
      TEST(refuses_older_targets_in_a_newer_snapshot),
      TEST(refuses_a_snapshot_that_lost_a_file),
      TEST(refuses_a_snapshot_that_lists_a_file_at_a_lower_version),
      TEST(refuses_a_snapshot_without_targets),
      TEST(refuses_more_listed_files_than_it_can_remember),
      TEST(refuses_targets_with_another_hash),
      TEST(refuses_targets_of_another_version_than_listed),
      TEST(refuses_targets_signed_by_online_keys_only),
      TEST(refuses_expired_targets),
      TEST(refuses_same_targets_version_with_other_content),
      TEST(finds_one_of_ten_thousand_images),
      TEST(a_refresh_cut_anywhere_can_be_taken_up_again),
      TEST(refuses_every_truncation_of_every_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
