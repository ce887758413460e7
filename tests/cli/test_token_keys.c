/* SPDX-License-Identifier: Apache-2.0
 * A workspace whose offline keys all live in a token: founding, images, factory certificates, and a token that says no.
 */
#define _GNU_SOURCE
#include "tests/cli/clirun.h"
#include "tests/crypto/tokens.h"

static struct softhsm hsm;
static char uris[6][512];
static const char *const offline[] = {"root", "targets", "factory-ca", "server-ca", "image"};

static const char *option(size_t i)
{
  (void)snprintf(uris[i], sizeof uris[i], "%s=pkcs11:token=Offline;object=%s?pin-source=file:%s", offline[i],
                 offline[i], hsm.pin);
  return uris[i];
}

static int found(struct clirun *run)
{
  return clirun(run, "init", "w", "--create-keys", "--key", option(0), "--key", option(1), "--key", option(2), "--key",
                option(3), "--key", option(4));
}

static int setup(void **state)
{
  softhsm_open(&hsm, "Offline");
  struct clirun *run = clirun_new();
  *state = run;
  /* No passphrase anywhere: nothing that would need one is a file. */
  assert_int_equal(unsetenv("HOLDFAST_PASSPHRASE"), 0);
  if (found(run) != HF_EXIT_DONE) {
    fail_msg("%s", run->err);
  }
  return 0;
}

static int teardown(void **state)
{
  struct clirun *run = *state;
  clirun_free(run);
  softhsm_close(&hsm);
  return 0;
}

static void every_offline_file_holds_one_line_and_no_key(void **state)
{
  struct clirun *run = *state;
  for (size_t i = 0; i < 5; i++) {
    char command[256];
    (void)snprintf(command, sizeof command,
                   "test \"$(wc -l < w/offline/%s.pem)\" = 1 && grep -q '^pkcs11:token=Offline;object=%s' "
                   "w/offline/%s.pem && ! grep -q PRIVATE w/offline/%s.pem",
                   offline[i], offline[i], offline[i], offline[i]);
    assert_int_equal(clirun_shell(run, command), 0);
  }
}

static void doctor_and_root_show_find_nothing_odd(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "root", "show", "--workspace", "w"), HF_EXIT_DONE);
  assert_int_equal(clirun(run, "key", "show", "w/offline/root.pem"), HF_EXIT_DONE);
  assert_says(run->out, "a PKCS#11 token");
  assert_int_equal(clirun(run, "key", "show", "w/offline/root.pem", "--json"), HF_EXIT_DONE);
  assert_says(run->out, "\"storage\": \"pkcs11\"");
}

static void a_factory_certificate_is_signed_in_the_token(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun_shell(run,
                                "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem "
                                "-subj /CN=sn-1 -out a.csr"),
                   0);
  assert_int_equal(clirun(run, "factory", "issue", "--csr", "a.csr", "--out", "out", "--product", "thermostat",
                          "--hardware", "thermo-a", "--workspace", "w"),
                   HF_EXIT_DONE);
  assert_int_equal(clirun_shell(run, "openssl verify -x509_strict -CAfile w/server/tls/factory-ca.crt out/sn-1.crt"),
                   0);
  assert_int_equal(
      clirun_shell(run, "openssl verify -x509_strict -CAfile w/offline/server-ca.crt w/server/tls/server.crt"), 0);
}

#define SIGN                                                                                                           \
  "image", "sign", "program", "--out", "image", "--version", "1.0.0", "--counter", "1", "--hardware", "thermo-a"

static void an_image_is_signed_in_the_token_by_file_and_by_uri(void **state)
{
  struct clirun *run = *state;
  char uri[512];
  clirun_put(run, "program", "bytes of a program", 18);
  assert_int_equal(clirun(run, SIGN, "--workspace", "w"), HF_EXIT_DONE);
  assert_int_equal(clirun(run, "image", "verify", "image", "--key", "w/offline/image.pub"), HF_EXIT_DONE);
  (void)snprintf(uri, sizeof uri, "pkcs11:token=Offline;object=image?pin-source=file:%s", hsm.pin);
  assert_int_equal(clirun(run, SIGN, "--key", uri), HF_EXIT_DONE);
  assert_int_equal(clirun(run, "image", "verify", "image", "--key", "w/offline/image.pub"), HF_EXIT_DONE);
}

static void a_wrong_pin_is_told_as_one(void **state)
{
  struct clirun *run = *state;
  clirun_put(run, "program", "bytes of a program", 18);
  clirun_put(run, "wrong", "not-it-1234\n", 12);
  assert_int_equal(clirun(run, SIGN, "--key", "pkcs11:token=Offline;object=image", "--passphrase-file", "wrong"),
                   HF_EXIT_DENIED);
  assert_says(run->err, "wrong PIN");
  assert_int_not_equal(clirun_shell(run, "test -e image2"), 0);
  /* A stored PIN would now not be tried, so that nothing locks the token; logging in by hand clears the count. */
  assert_int_equal(clirun(run, "key", "show", "w/offline/root.pem"), HF_EXIT_DENIED);
  assert_says(run->err, "a stored PIN is not tried again");
  clirun_put(run, "right", SOFTHSM_PIN "\n", sizeof SOFTHSM_PIN);
  assert_int_equal(clirun(run, "key", "show", "pkcs11:token=Offline;object=root", "--passphrase-file", "right"),
                   HF_EXIT_DONE);
  assert_int_equal(clirun(run, "key", "show", "w/offline/root.pem"), HF_EXIT_DONE);
}

static void a_token_that_is_away_is_told_and_nothing_is_written(void **state)
{
  struct clirun *run = *state;
  char command[256];
  clirun_put(run, "program", "bytes of a program", 18);
  (void)snprintf(command, sizeof command, "rm -f image && mv %s/tokens %s/away && mkdir %s/tokens", hsm.dir, hsm.dir,
                 hsm.dir);
  assert_int_equal(clirun_shell(run, command), 0);
  assert_int_equal(clirun(run, SIGN, "--workspace", "w"), HF_EXIT_NOT_FOUND);
  assert_says(run->err, "there is no such token");
  assert_int_not_equal(clirun_shell(run, "test -e image"), 0);
  (void)snprintf(command, sizeof command, "rmdir %s/tokens && mv %s/away %s/tokens", hsm.dir, hsm.dir, hsm.dir);
  assert_int_equal(clirun_shell(run, command), 0);
}

static void a_key_is_made_once(void **state)
{
  struct clirun *run = *state;
  char uri[512];
  (void)snprintf(uri, sizeof uri, "pkcs11:token=Offline;object=new%%20one?pin-source=file:%s", hsm.pin);
  assert_int_equal(clirun(run, "key", "create", uri), HF_EXIT_DONE);
  assert_says(run->out, "TUF key id");
  assert_int_equal(clirun(run, "key", "create", uri), HF_EXIT_CONFLICT);
  assert_says(run->err, "never overwritten");
  assert_int_equal(clirun(run, "key", "create", "pkcs11:object"), HF_EXIT_FAILED);
  assert_says(run->err, "not a PKCS#11 URI");
}

static void init_without_create_keys_makes_nothing(void **state)
{
  struct clirun *run = *state;
  char uri[512];
  (void)snprintf(uri, sizeof uri, "root=pkcs11:token=Offline;object=absent?pin-source=file:%s", hsm.pin);
  clirun_put(run, "phrase", PASSPHRASE "\n", sizeof PASSPHRASE);
  assert_int_equal(clirun(run, "init", "v", "--key", uri, "--passphrase-file", "phrase"), HF_EXIT_NOT_FOUND);
  assert_says(run->err, "no such private key");
  assert_int_not_equal(clirun_shell(run, "test -e v"), 0);
  assert_int_equal(clirun(run, "init", "v", "--key", "operator=pkcs11:object=a"), HF_EXIT_USAGE);
  assert_int_equal(clirun(run, "init", "v", "--key", "root"), HF_EXIT_USAGE);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_offline_file_holds_one_line_and_no_key),
      cmocka_unit_test(doctor_and_root_show_find_nothing_odd),
      cmocka_unit_test(a_factory_certificate_is_signed_in_the_token),
      cmocka_unit_test(an_image_is_signed_in_the_token_by_file_and_by_uri),
      cmocka_unit_test(a_wrong_pin_is_told_as_one),
      cmocka_unit_test(a_token_that_is_away_is_told_and_nothing_is_written),
      cmocka_unit_test(a_key_is_made_once),
      cmocka_unit_test(init_without_create_keys_makes_nothing),
  };
  return cmocka_run_group_tests_name("token keys", tests, setup, teardown);
}
