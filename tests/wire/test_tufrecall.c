/* SPDX-License-Identifier: Apache-2.0
 * Kept files as memory: floors from them, and snapshots of any length compared. */
#include "hf/wire/tufrecall.h"
#include "tufworld.h"

static void kept_files_are_floors_even_when_expired(void **state)
{
  WORLD;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  for (int role = 0; role < HF_TUF_ROLES; role++) {
    repo->expires[role] = TESTREPO_NOW - TESTREPO_YEAR;
  }
  testrepo_publish(repo, 5, NULL, 0);
  assert_int_equal(hf_tufrecall_verify(trust, HF_TUF_TIMESTAMP, testrepo_get(repo, "timestamp.json"), &limits, NULL),
                   HF_ALLOW);
  assert_int_equal(trust->floor[HF_TUF_TIMESTAMP].version, 5);
  assert_true(trust->floor[HF_TUF_TIMESTAMP].has_digest);
  assert_int_equal(trust->floor[HF_TUF_SNAPSHOT].version, 5); /* announced */
  assert_false(trust->floor[HF_TUF_SNAPSHOT].has_digest);
  assert_int_equal(hf_tufrecall_verify(trust, HF_TUF_SNAPSHOT, testrepo_get(repo, "5.snapshot.json"), &limits, NULL),
                   HF_ALLOW);
  assert_true(trust->floor[HF_TUF_SNAPSHOT].has_digest);
  assert_int_equal(trust->floor[HF_TUF_TARGETS].version, 5);
  assert_int_equal(hf_tufrecall_verify(trust, HF_TUF_TARGETS, testrepo_get(repo, "5.targets.json"), &limits, NULL),
                   HF_ALLOW);
  assert_true(trust->floor[HF_TUF_TARGETS].has_digest);
  for (int role = 0; role < HF_TUF_ROLES; role++) {
    repo->expires[role] = TESTREPO_NOW + TESTREPO_YEAR;
  }
  testrepo_publish(repo, 4, NULL, 0);
  assert_refused(repo, trust, HF_RULE_TUF_ROLLBACK);
}

static void floors_never_go_down(void **state)
{
  WORLD;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  testrepo_publish(repo, 9, NULL, 0);
  assert_done(repo, trust);
  struct hf_tuf_trust before = *trust;
  testrepo_timestamp(repo, 3, 1);
  assert_int_equal(hf_tufrecall_verify(trust, HF_TUF_TIMESTAMP, testrepo_get(repo, "timestamp.json"), &limits, NULL),
                   HF_ALLOW);
  assert_int_equal(hf_tufrecall_verify(trust, HF_TUF_SNAPSHOT, testrepo_get(repo, "1.snapshot.json"), &limits, NULL),
                   HF_ALLOW);
  assert_memory_equal(&before, trust, sizeof before);
}

static void a_kept_file_that_the_root_does_not_vouch_for_changes_nothing(void **state)
{
  WORLD;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust before = *trust;
  struct hf_why why = {0};
  forge(repo, "thief", BIT(K_THIEF),
        "{\"_type\":\"timestamp\"," EXPIRES ",\"meta\":{\"snapshot.json\":{\"version\":99}},\"version\":99}");
  assert_int_equal(hf_tufrecall_verify(trust, HF_TUF_TIMESTAMP, testrepo_get(repo, "thief"), &limits, &why), HF_DENY);
  assert_int_equal(why.rule, HF_RULE_TUF_UNSIGNED);
  assert_int_equal(hf_tufrecall_verify(trust, HF_TUF_SNAPSHOT, testrepo_get(repo, "timestamp.json"), &limits, NULL),
                   HF_DENY);
  assert_int_equal(hf_tufrecall_verify(trust, HF_TUF_TARGETS, HF_LIT("{"), &limits, NULL), HF_DENY);
  forge(repo, "empty", BIT(K_SNAPSHOT), "{\"_type\":\"snapshot\"," EXPIRES ",\"meta\":{},\"version\":99}");
  assert_int_equal(hf_tufrecall_verify(trust, HF_TUF_SNAPSHOT, testrepo_get(repo, "empty"), &limits, NULL), HF_DENY);
  assert_memory_equal(&before, trust, sizeof before);
}

/* ---- two snapshots ---- */

static uint16_t compare(const char *old_meta, const char *new_meta)
{
  static char texts[2][1 << 20];
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_file files[2];
  struct hf_why why = {0};
  const char *metas[2] = {old_meta, new_meta};
  for (int i = 0; i < 2; i++) {
    snprintf(texts[i], sizeof texts[i],
             "{\"signatures\":[],\"signed\":{\"_type\":\"snapshot\"," EXPIRES ",\"meta\":%s,\"version\":1}}", metas[i]);
    assert_int_equal(hf_tuf_parse(&files[i], hf_bytes_text(texts[i]), HF_TUF_SNAPSHOT, &limits, NULL), HF_OK);
  }
  enum hf_verdict verdict = hf_tufrecall_compare(&files[0], &files[1], &why);
  assert_int_equal(verdict == HF_ALLOW, why.rule == HF_RULE_NONE);
  return why.rule;
}

static void a_snapshot_must_not_lose_files_nor_make_them_older(void **state)
{
  (void)state;
  assert_int_equal(compare("{}", "{\"a\":{\"version\":1}}"), 0);
  assert_int_equal(
      compare("{\"a\":{\"version\":1},\"b\":{\"version\":2}}", "{\"b\":{\"version\":2},\"a\":{\"version\":1}}"), 0);
  assert_int_equal(compare("{\"a\":{\"version\":1},\"b\":{\"version\":2}}",
                           "{\"a\":{\"version\":2},\"aa\":{\"version\":1},\"b\":{\"version\":2}}"),
                   0);
  assert_int_equal(compare("{\"a\":{\"version\":1},\"b\":{\"version\":2}}", "{\"a\":{\"version\":1}}"),
                   HF_RULE_TUF_LOST);
  assert_int_equal(compare("{\"a\":{\"version\":2}}", "{\"a\":{\"version\":1}}"), HF_RULE_TUF_ROLLBACK);
  assert_int_equal(compare("{\"\\u0061\":{\"version\":2}}", "{\"a\":{\"version\":1}}"), HF_RULE_TUF_ROLLBACK);
  assert_int_equal(compare("{\"a\":{\"version\":2}}", "{\"a\":{\"version\":\"x\"}}"), HF_RULE_TUF_SHAPE);
  assert_int_equal(compare("{\"a\":{\"version\":2}}", "7"), HF_RULE_TUF_LOST);
}

/* Members ascending in one and anyhow in the other: bounded work, then a refusal and no guess. */
static void ten_thousand_files_in_order_are_compared_and_the_last_one_counts(void **state)
{
  (void)state;
  static char metas[2][1 << 19];
  for (int last = 1; last < 4; last++) {
    for (int i = 0; i < 2; i++) {
      size_t used = (size_t)snprintf(metas[i], sizeof metas[i], "{");
      for (int n = 0; n < 10000; n++) {
        used += (size_t)snprintf(metas[i] + used, sizeof metas[i] - used, "%s\"b-%04d.json\":{\"version\":%d}",
                                 n == 0 ? "" : ",", n, n == 9999 && i == 1 ? last : 2);
      }
      snprintf(metas[i] + used, sizeof metas[i] - used, "}");
    }
    assert_int_equal(compare(metas[0], metas[1]), last == 1 ? HF_RULE_TUF_ROLLBACK : 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      TUFWORLD_TEST(kept_files_are_floors_even_when_expired),
      TUFWORLD_TEST(floors_never_go_down),
      TUFWORLD_TEST(a_kept_file_that_the_root_does_not_vouch_for_changes_nothing),
      cmocka_unit_test(a_snapshot_must_not_lose_files_nor_make_them_older),
      cmocka_unit_test(ten_thousand_files_in_order_are_compared_and_the_last_one_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
