/* SPDX-License-Identifier: Apache-2.0
 * How the client comes from the root it knows to the newest, and what a new root forgets (TUF 1.0.34 section 5.3). */
#include "tufworld.h"

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

int main(void)
{
  const struct CMUnitTest tests[] = {
      TUFWORLD_TEST(walks_every_root_one_by_one),
      TUFWORLD_TEST(rotates_the_root_key_with_both_signatures),
      TUFWORLD_TEST(refuses_a_root_signed_only_by_the_old_key),
      TUFWORLD_TEST(refuses_a_root_signed_only_by_the_new_key),
      TUFWORLD_TEST(refuses_a_root_signed_by_the_keys_of_other_roles),
      TUFWORLD_TEST(refuses_a_gap_in_the_root_chain),
      TUFWORLD_TEST(refuses_the_old_root_under_the_next_name),
      TUFWORLD_TEST(needs_as_many_root_keys_as_the_threshold_says),
      TUFWORLD_TEST(counts_a_repeated_signature_once),
      TUFWORLD_TEST(counts_one_key_under_two_ids_once),
      TUFWORLD_TEST(refuses_a_threshold_that_only_twins_reach),
      TUFWORLD_TEST(an_expired_root_inside_the_chain_is_no_matter),
      TUFWORLD_TEST(refuses_when_the_last_root_has_expired_but_remembers_it),
      TUFWORLD_TEST(only_not_found_ends_the_root_chain),
      TUFWORLD_TEST(stops_after_the_allowed_number_of_roots_and_goes_on_next_time),
      TUFWORLD_TEST(refuses_more_signatures_than_allowed_before_any_crypto),
      TUFWORLD_TEST(a_rotated_timestamp_key_forgets_the_floors),
      TUFWORLD_TEST(a_rotated_snapshot_key_forgets_the_floors),
      TUFWORLD_TEST(other_changes_of_the_root_keep_the_floors),
      TUFWORLD_TEST(the_old_timestamp_key_is_worth_nothing_after_rotation),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
