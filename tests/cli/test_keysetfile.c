/* SPDX-License-Identifier: Apache-2.0
 * holdfast keyset create, sign, show: from the first set to a lost key. */
#include "tests/cli/clirun.h"

#include "hf/wire/keyset.h"

#define KEY(name)                                                                                                      \
  "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out " name ".pem && openssl pkey -in " name         \
  ".pem -pubout -out " name ".pub"

static int set_up(void **state)
{
  struct clirun *run = clirun_new();
  *state = run;
  return clirun_shell(run, KEY("old") " && " KEY("new") " && " KEY("owner") " && " KEY("other"));
}

static void read_set(const struct clirun *run, const char *name, struct hf_keyset *set)
{
  static uint8_t room[HF_KEYSET_MAX];
  struct hf_blob file;
  assert_int_equal(hf_disk_get(&file, clirun_path(run, name), sizeof room), HF_OK);
  memcpy(room, file.at, file.len);
  assert_int_equal(hf_keyset_parse(set, hf_bytes_init(room, file.len), NULL), HF_OK);
  hf_blob_free(&file);
}

static void a_lost_key_is_replaced_in_two_sets(void **state)
{
  struct clirun *run = *state;
  struct hf_keyset set;
  assert_int_equal(
      clirun(run, "keyset", "create", "--product", "lamp", "--key", "old.pub", "--key", "new.pub", "--out", "1.keyset"),
      HF_EXIT_DONE);
  assert_says(run->out, "lamp");
  assert_says(run->out, "0 signatures");
  assert_int_equal(clirun(run, "keyset", "sign", "1.keyset", "--key", "owner.pem"), HF_EXIT_DONE);
  assert_says(run->out, "1 signatures");
  assert_int_equal(clirun(run, "keyset", "create", "--from", "1.keyset", "--revoke", "old.pub", "--out", "2.keyset"),
                   HF_EXIT_DONE);
  assert_says(run->out, "revoked");
  assert_says(run->out, "0 signatures"); /* what was signed before was another set */
  assert_int_equal(clirun(run, "keyset", "sign", "2.keyset", "--key", "owner.pem"), HF_EXIT_DONE);
  assert_int_equal(clirun(run, "keyset", "sign", "2.keyset", "--key", "other.pem"), HF_EXIT_DONE);
  read_set(run, "2.keyset", &set);
  assert_int_equal(set.version, 2);
  assert_int_equal(set.count, 2);
  assert_int_equal(set.revoked, 1);
  assert_int_equal(clirun(run, "keyset", "show", "2.keyset", "--json"), HF_EXIT_DONE);
  assert_says(run->out, "\"version\": 2");
  assert_says(run->out, "\"revoked\": true");
}

static void a_revoked_key_does_not_come_back(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "keyset", "create", "--product", "lamp", "--key", "new.pub", "--revoke", "old.pub",
                          "--out", "1.keyset"),
                   HF_EXIT_DONE);
  assert_int_equal(clirun(run, "keyset", "create", "--from", "1.keyset", "--key", "old.pub", "--out", "2.keyset"),
                   HF_EXIT_FAILED);
  assert_says(run->err, "was revoked");
}

static void refuses_a_set_that_would_stop_every_device(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "keyset", "create", "--product", "lamp", "--out", "1.keyset"), HF_EXIT_FAILED);
  assert_says(run->err, "no key");
  assert_int_equal(clirun(run, "keyset", "create", "--product", "lamp", "--revoke", "old.pub", "--out", "1.keyset"),
                   HF_EXIT_FAILED);
  assert_says(run->err, "every key of the set is revoked");
}

static void refuses_what_makes_no_sense_with_words(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "keyset", "create", "--key", "old.pub", "--out", "x"), HF_EXIT_FAILED);
  assert_says(run->err, "which product");
  assert_int_equal(clirun(run, "keyset", "create", "--product", "Lamp", "--key", "old.pub", "--out", "x"),
                   HF_EXIT_FAILED);
  assert_int_equal(clirun(run, "keyset", "create", "--product", "lamp", "--key", "old.pem", "--out", "x"),
                   HF_EXIT_FAILED);
  assert_says(run->err, "no public key");
  assert_int_equal(
      clirun(run, "keyset", "create", "--product", "lamp", "--key", "old.pub", "--key", "old.pub", "--out", "x"),
      HF_EXIT_FAILED);
  assert_says(run->err, "in the set already");
  assert_int_equal(clirun(run, "keyset", "show", "old.pub"), HF_EXIT_FAILED);
  assert_says(run->err, "not a key set's");
  assert_int_equal(clirun_shell(run, "head -c 2000 /dev/zero > long"), 0);
  assert_int_equal(clirun(run, "keyset", "show", "long"), HF_EXIT_FAILED);
  assert_says(run->err, "no key set is longer");
}

/* The owners are the offline root's keys, and the workspace knows who is missing. */
static void a_workspace_knows_its_owners(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "init", "ws", "--org", "Acme"), HF_EXIT_DONE);
  assert_int_equal(clirun(run, "keyset", "create", "--product", "lamp", "--key", "old.pub", "--out", "1.keyset",
                          "--offline", "ws/offline"),
                   HF_EXIT_DONE);
  assert_says(run->out, "by 0 of 1 owners, 1 needed: 1 missing");
  assert_int_equal(clirun(run, "keyset", "sign", "1.keyset", "--offline", "ws/offline"), HF_EXIT_DONE);
  assert_says(run->out, "complete");
  assert_int_equal(clirun(run, "keyset", "show", "1.keyset", "--offline", "ws/offline", "--json"), HF_EXIT_DONE);
  assert_says(run->out, "\"complete\": true");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      clirun_test(a_lost_key_is_replaced_in_two_sets, set_up),
      clirun_test(a_revoked_key_does_not_come_back, set_up),
      clirun_test(refuses_a_set_that_would_stop_every_device, set_up),
      clirun_test(refuses_what_makes_no_sense_with_words, set_up),
      clirun_test(a_workspace_knows_its_owners, set_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
