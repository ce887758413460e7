/* SPDX-License-Identifier: Apache-2.0
 * The client workflow against a real repository and everybody who has ever attacked one (TUF 1.0.34 section 5). */
#include "tufworld.h"

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
  const struct CMUnitTest tests[] = {
      TUFWORLD_TEST(fetches_root_timestamp_snapshot_targets_in_this_order),
      TUFWORLD_TEST(asks_for_plain_names_without_consistent_snapshots),
      TUFWORLD_TEST(works_with_ed25519_keys),
      TUFWORLD_TEST(a_second_refresh_changes_and_stores_nothing),
      TUFWORLD_TEST(finds_new_versions_and_calls_them_fresh),
      TUFWORLD_TEST(takes_nothing_after_the_end),
      TUFWORLD_TEST(shows_no_targets_before_the_end),
      TUFWORLD_TEST(refuses_an_older_timestamp),
      TUFWORLD_TEST(refuses_an_older_timestamp_when_the_newer_has_expired),
      TUFWORLD_TEST(refuses_the_same_version_with_other_content),
      TUFWORLD_TEST(accepts_the_same_content_signed_again),
      TUFWORLD_TEST(refuses_an_expired_timestamp),
      TUFWORLD_TEST(a_refused_timestamp_leaves_no_trace),
      TUFWORLD_TEST(refuses_a_newer_timestamp_with_an_older_snapshot),
      TUFWORLD_TEST(refuses_a_timestamp_without_the_snapshots_hash),
      TUFWORLD_TEST(refuses_a_timestamp_that_lists_no_snapshot),
      TUFWORLD_TEST(refuses_another_role_under_the_timestamps_name),
      TUFWORLD_TEST(refuses_a_timestamp_signed_by_another_roles_key),
      TUFWORLD_TEST(a_missing_timestamp_is_unavailable_not_trusted),
      TUFWORLD_TEST(the_floor_beats_a_clock_in_1970),
      TUFWORLD_TEST(a_clock_far_ahead_refuses_now_and_heals_later),
      TUFWORLD_TEST(a_device_that_was_off_for_years_comes_back),
      TUFWORLD_TEST(refuses_a_snapshot_with_another_hash),
      TUFWORLD_TEST(refuses_a_cut_snapshot),
      TUFWORLD_TEST(refuses_a_longer_snapshot_as_endless_data),
      TUFWORLD_TEST(refuses_endless_data_in_every_role),
      TUFWORLD_TEST(an_announced_snapshot_is_a_floor_before_it_arrives),
      TUFWORLD_TEST(announced_targets_are_a_floor_before_they_arrive),
      TUFWORLD_TEST(refuses_lengths_above_the_limit_before_fetching),
      TUFWORLD_TEST(refuses_a_snapshot_of_another_version_than_announced),
      TUFWORLD_TEST(refuses_a_snapshot_not_signed_by_its_key),
      TUFWORLD_TEST(refuses_an_expired_snapshot),
      TUFWORLD_TEST(refuses_older_targets_in_a_newer_snapshot),
      TUFWORLD_TEST(refuses_a_snapshot_that_lost_a_file),
      TUFWORLD_TEST(refuses_a_snapshot_that_lists_a_file_at_a_lower_version),
      TUFWORLD_TEST(refuses_a_snapshot_without_targets),
      TUFWORLD_TEST(refuses_more_listed_files_than_it_can_remember),
      TUFWORLD_TEST(refuses_targets_with_another_hash),
      TUFWORLD_TEST(refuses_targets_of_another_version_than_listed),
      TUFWORLD_TEST(refuses_targets_signed_by_online_keys_only),
      TUFWORLD_TEST(refuses_expired_targets),
      TUFWORLD_TEST(refuses_same_targets_version_with_other_content),
      TUFWORLD_TEST(finds_one_of_ten_thousand_images),
      TUFWORLD_TEST(a_refresh_cut_anywhere_can_be_taken_up_again),
      TUFWORLD_TEST(refuses_every_truncation_of_every_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
