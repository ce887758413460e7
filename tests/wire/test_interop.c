/* SPDX-License-Identifier: Apache-2.0
 * A repository written by other people's code (tests/wire/interop/make.py): two roots with mixed keys, other layout,
 * unknown members with everything in them that canonical forms differ about. */
#include "testrepo.h"

static struct testrepo repo; /* holds the files only; its keys are not used */

static int read_files(void **state)
{
  (void)state;
  static const char *const names[] = {"1.root.json", "2.root.json", "timestamp.json", "3.snapshot.json",
                                      "4.targets.json"};
  memset(&repo, 0, sizeof repo);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char path[128];
    uint8_t room[16384];
    snprintf(path, sizeof path, "tests/wire/interop/%s", names[i]);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(room, 1, sizeof room, file);
    assert_in_range(len, 1, sizeof room - 1);
    fclose(file);
    testrepo_set(&repo, names[i], hf_bytes_init(room, len));
  }
  return 0;
}

static int free_files(void **state)
{
  (void)state;
  testrepo_free(&repo);
  return 0;
}

static struct hf_tuf_limits with_scratch(void)
{
  static uint8_t scratch[16384];
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  limits.scratch = scratch;
  limits.scratch_cap = sizeof scratch;
  return limits;
}

static void follows_the_whole_workflow(void **state)
{
  (void)state;
  struct hf_tuf_limits limits = with_scratch();
  struct hf_tuf_trust trust;
  struct hf_target_file target;
  struct hf_why why = {0};
  assert_int_equal(hf_tuf_trust_verify(&trust, testrepo_get(&repo, "1.root.json"), &limits, &why), HF_ALLOW);
  assert_int_equal(testrepo_run(&repo, &trust, &limits, TESTREPO_NOW, &why), HF_TUFCLIENT_DONE);
  assert_string_equal(repo.fetched, "2.root.json 3.root.json timestamp.json 3.snapshot.json 4.targets.json ");
  assert_int_equal(trust.root.version, 2);
  const struct hf_tuf_file *targets = hf_tufclient_targets(&repo.client);
  assert_int_equal(hf_tuf_target_get(&target, targets, HF_LIT("dir/file.img"), &why), HF_OK);
  uint8_t hash[HF_SHA256_LEN];
  hf_sha256(hash, HF_LIT("abc"));
  assert_memory_equal(target.sha256, hash, sizeof hash);
}

/* Flip one character of any `x-nasty` member of any file: it was under the signature. */
static void every_unknown_member_is_under_the_signature(void **state)
{
  (void)state;
  struct hf_tuf_limits limits = with_scratch();
  struct hf_bytes root = testrepo_get(&repo, "1.root.json");
  char *text = strndup((const char *)root.at, root.len);
  char *from = strstr(text, "\"x-nasty\""), *to = strstr(from, "\"keys\"");
  size_t refused = 0;
  assert_non_null(to);
  for (char *at = from; at < to; at++) {
    struct hf_tuf_trust trust;
    bool blank = *at == ' ' || *at == '\n';
    *at = (char)(*at ^ 1);
    enum hf_verdict verdict = hf_tuf_trust_verify(&trust, hf_bytes_init(text, root.len), &limits, NULL);
    *at = (char)(*at ^ 1);
    assert_int_equal(verdict, HF_DENY);
    refused += !blank;
  }
  assert_true(refused > 100);
  free(text);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(follows_the_whole_workflow),
      cmocka_unit_test(every_unknown_member_is_under_the_signature),
  };
  return cmocka_run_group_tests(tests, read_files, free_files);
}
