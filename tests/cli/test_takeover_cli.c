/* SPDX-License-Identifier: Apache-2.0
 * holdfast takeover create, sign, show: an order for a second workspace. */
#include "tests/cli/clirun.h"

#include "hf/wire/takeover.h"

#define CREATE                                                                                                         \
  "takeover", "create", "--product", "lamp", "--server", "https://new.example:8443", "--to", "new", "--out",           \
      "order.json"

static int set_up(void **state)
{
  struct clirun *run = clirun_new();
  *state = run;
  return clirun(run, "init", "old", "--org", "Acme") == HF_EXIT_DONE &&
                 clirun(run, "init", "new", "--org", "Acme") == HF_EXIT_DONE
             ? 0
             : -1;
}

/* As a device of the old server judges it. */
static enum hf_verdict judge(struct clirun *run, struct hf_takeover *order, uint16_t *rule)
{
  static uint8_t scratch[65536];
  static struct hf_blob text;
  struct hf_blob root_text;
  struct hf_tuf_trust trust;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_takeover_policy policy = {.product = HF_LIT("lamp"), .version_min = 1, .now = 1700000000};
  struct hf_why why = {0};
  limits.scratch = scratch;
  limits.scratch_cap = sizeof scratch;
  hf_blob_free(&text);
  assert_int_equal(hf_disk_get(&text, clirun_path(run, "order.json"), HF_TAKEOVER_MAX), HF_OK);
  assert_int_equal(hf_disk_get(&root_text, clirun_path(run, "old/offline/root.json"), 65536), HF_OK);
  assert_int_equal(hf_tuf_trust_verify(&trust, hf_blob_bytes(&root_text), &limits, NULL), HF_ALLOW);
  enum hf_verdict verdict = hf_takeover_verify(order, hf_blob_bytes(&text), &trust.root, &limits, &policy, &why);
  hf_blob_free(&root_text);
  *rule = why.rule;
  return verdict;
}

static void the_old_root_signs_where_to_go(void **state)
{
  struct clirun *run = *state;
  struct hf_takeover order;
  uint16_t rule;
  assert_int_equal(clirun(run, CREATE), HF_EXIT_DONE);
  assert_says(run->out, "https://new.example:8443");
  assert_says(run->out, "nobody yet");
  assert_int_equal(judge(run, &order, &rule), HF_DENY);
  assert_int_equal(rule, HF_RULE_TUF_UNSIGNED);
  assert_int_equal(clirun(run, "takeover", "sign", "order.json", "--offline", "new/offline"), HF_EXIT_DONE);
  assert_int_equal(judge(run, &order, &rule), HF_DENY); /* the new owner cannot take what is not his */
  assert_int_equal(rule, HF_RULE_TUF_UNSIGNED);
  assert_int_equal(clirun(run, "takeover", "sign", "order.json", "--offline", "old/offline"), HF_EXIT_DONE);
  assert_says(run->out, "key id");
  assert_int_equal(judge(run, &order, &rule), HF_ALLOW);
  assert_string_equal(order.server, "https://new.example:8443");
  assert_int_equal(clirun(run, "takeover", "show", "order.json", "--json"), HF_EXIT_DONE);
  assert_says(run->out, "\"signatures\": 2");
}

static void what_no_device_could_obey_is_refused_here(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "takeover", "create", "--product", "lamp", "--server", "http://new.example:8443", "--to",
                          "new", "--out", "order.json"),
                   HF_EXIT_FAILED);
  assert_says(run->err, "https://HOST:PORT");
  assert_int_equal(
      clirun(run, "takeover", "create", "--product", "lamp", "--server", "https://a:1", "--out", "order.json"),
      HF_EXIT_FAILED);
  assert_says(run->err, "which server takes over");
  assert_int_equal(clirun(run, "takeover", "create", "--server", "https://a:1", "--to", "new", "--out", "order.json"),
                   HF_EXIT_FAILED);
  assert_says(run->err, "which product");
  assert_int_equal(clirun(run, "takeover", "show", "old/offline/root.json"), HF_EXIT_FAILED);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      clirun_test(the_old_root_signs_where_to_go, set_up),
      clirun_test(what_no_device_could_obey_is_refused_here, set_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
