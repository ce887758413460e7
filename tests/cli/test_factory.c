/* SPDX-License-Identifier: Apache-2.0
 * holdfast factory issue: identities for devices, one each, from requests good and bad. */
#define _GNU_SOURCE
#include "tests/cli/clirun.h"

#include "hf/crypto/key.h"
#include "hf/wire/csr.h"

#define ISSUE(csr)                                                                                                     \
  "factory", "issue", "--csr", csr, "--out", "out", "--product", "thermostat", "--hardware", "thermo-a",               \
      "--workspace", "w"

static void make_request(struct clirun *run, const char *name, const char *subject)
{
  char command[512];
  (void)snprintf(command, sizeof command,
                 "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem "
                 "-subj '%s' -out %s",
                 subject, name);
  assert_int_equal(clirun_shell(run, command), 0);
}

static void a_certificate_verifies_and_says_who_it_is(void **state)
{
  struct clirun *run = *state;
  make_request(run, "a.csr", "/CN=sn-1/serialNumber=sn-1");
  assert_int_equal(clirun(run, ISSUE("a.csr")), HF_EXIT_DONE);
  assert_says(run->out, "sn-1");
  assert_int_equal(clirun_shell(run,
                                "openssl verify -x509_strict -purpose sslclient -CAfile w/server/tls/factory-ca.crt "
                                "out/sn-1.crt && cmp out/sn-1.crt w/offline/factory/sn-1.crt"),
                   0);
  assert_int_equal(clirun_shell(run, "openssl x509 -in out/sn-1.crt -noout -subject -nameopt RFC2253 > s && grep -q "
                                     "'serialNumber=sn-1,CN=sn-1,description=thermo-a,OU=thermostat,O=Holdfast' s && "
                                     "openssl x509 -in out/sn-1.crt -noout -enddate | grep -q 'Dec 31 23:59:59 9999'"),
                   0);
  assert_int_not_equal(
      clirun_shell(run, "openssl verify -purpose sslserver -CAfile w/server/tls/factory-ca.crt out/sn-1.crt"), 0);
}

static enum hf_err sign_request(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

/* The request as a device writes it, in DER. */
static void a_device_s_own_request_is_taken(void **state)
{
  struct clirun *run = *state;
  uint8_t room[HF_CSR_MAX];
  struct hf_buf der = hf_buf_init(room, sizeof room);
  struct hf_key *key;
  struct hf_pubkey pub;
  struct hf_csr_subject subject = {HF_LIT("unit_7.b"), HF_LIT("thermostat"), HF_LIT("thermo-a")};
  assert_int_equal(hf_key_new(&key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_public(&pub, key), HF_OK);
  assert_int_equal(hf_csr_encode(&der, &subject, &pub, (struct hf_csr_signer){sign_request, key}), HF_OK);
  hf_key_free(key); /* before anything is run: a child's leak check would find it */
  clirun_put(run, "a.der", der.at, der.len);
  assert_int_equal(clirun(run, ISSUE("a.der")), HF_EXIT_DONE);
  assert_int_equal(clirun_shell(run, "openssl verify -CAfile w/server/tls/factory-ca.crt out/unit_7.b.crt"), 0);
  /* One byte short, one byte long, one bit wrong in the signature. */
  clirun_put(run, "b.der", der.at, der.len - 1);
  assert_int_equal(clirun(run, ISSUE("b.der"), "--replace"), HF_EXIT_FAILED);
  room[der.len] = 0;
  clirun_put(run, "b.der", der.at, der.len + 1);
  assert_int_equal(clirun(run, ISSUE("b.der"), "--replace"), HF_EXIT_FAILED);
  room[der.len - 3] ^= 1;
  clirun_put(run, "b.der", der.at, der.len);
  assert_int_equal(clirun(run, ISSUE("b.der"), "--replace"), HF_EXIT_FAILED);
  assert_says(run->err, "not signed by its own key");
}

static void a_second_certificate_needs_replace(void **state)
{
  struct clirun *run = *state;
  make_request(run, "a.csr", "/CN=sn-1");
  assert_int_equal(clirun(run, ISSUE("a.csr")), HF_EXIT_DONE);
  assert_int_equal(clirun_shell(run, "cp out/sn-1.crt first"), 0);
  make_request(run, "b.csr", "/CN=sn-1");
  assert_int_equal(clirun(run, ISSUE("b.csr")), HF_EXIT_CONFLICT);
  assert_says(run->err, "has a certificate already");
  assert_int_equal(clirun_shell(run, "cmp out/sn-1.crt first && rm -r out"), 0);
  assert_int_equal(clirun(run, ISSUE("b.csr")), HF_EXIT_CONFLICT); /* also at another station's folder */
  assert_int_equal(clirun(run, ISSUE("b.csr"), "--replace"), HF_EXIT_DONE);
  assert_int_not_equal(clirun_shell(run, "cmp out/sn-1.crt first"), 0);
}

static void a_folder_is_a_batch_and_bad_ones_do_not_stop_it(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun_shell(run, "mkdir batch"), 0);
  make_request(run, "batch/1.csr", "/CN=sn-1");
  make_request(run, "batch/3.csr", "/CN=sn-3");
  clirun_put(run, "batch/2.csr", "no request", 10);
  assert_int_equal(clirun(run, ISSUE("batch")), HF_EXIT_FAILED);
  assert_string_equal(run->out, "sn-1\nsn-3\n");
  assert_says(run->err, "batch/2.csr");
  assert_says(run->err, "2 issued, 1 refused");
  assert_int_equal(clirun(run, ISSUE("nowhere")), HF_EXIT_NOT_FOUND);
}

static void refuses_requests_that_name_nobody_or_somebody_else(void **state)
{
  static const struct {
    const char *subject;
    const char *words;
  } cases[] = {{"/O=nobody", "no device id"},
               {"/CN=a/serialNumber=b", "different devices"},
               {"/CN=.hidden", "no device id"},
               {"/CN=..%2Fetc", "no device id"},
               {"/CN=a b", "no device id"},
               {"/CN=a/CN=b", "there twice"},
               {"/CN=a/OU=kettle", "another product"},
               {"/CN=a/description=other", "other hardware"}};
  struct clirun *run = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    make_request(run, "a.csr", cases[i].subject);
    assert_int_equal(clirun(run, ISSUE("a.csr")), HF_EXIT_FAILED);
    assert_says(run->err, cases[i].words);
  }
  assert_int_equal(clirun_shell(run, "openssl req -new -newkey rsa:2048 -nodes -keyout k -subj /CN=r -out a.csr"), 0);
  assert_int_equal(clirun(run, ISSUE("a.csr")), HF_EXIT_FAILED);
  assert_says(run->err, "not P-256");
  assert_int_equal(clirun_shell(run, "test -z \"$(ls out)\" && test -z \"$(ls w/offline/factory)\""), 0);
}

static void every_truncated_request_is_refused(void **state)
{
  struct clirun *run = *state;
  struct hf_blob request;
  make_request(run, "a.csr", "/CN=sn-1");
  assert_int_equal(hf_disk_get(&request, clirun_path(run, "a.csr"), 65536), HF_OK);
  assert_int_equal(clirun_shell(run, "mkdir cut"), 0);
  /* The last line, "-----END CERTIFICATE REQUEST-----", must be whole too. */
  for (size_t len = 0; len + 1 < request.len; len += 13) {
    char name[64];
    (void)snprintf(name, sizeof name, "cut/%04zu", len);
    clirun_put(run, name, request.at, len);
  }
  assert_int_equal(clirun(run, ISSUE("cut")), HF_EXIT_FAILED);
  assert_says(run->err, "0 issued");
  hf_blob_free(&request);
}

static void keys_on_a_stick_are_enough(void **state)
{
  struct clirun *run = *state;
  make_request(run, "a.csr", "/CN=sn-1");
  assert_int_equal(clirun_shell(run, "mv w/offline stick && rm -r w"), 0);
  assert_int_equal(clirun(run, "factory", "issue", "--csr", "a.csr", "--out", "out", "--product", "p", "--hardware",
                          "h", "--offline", "stick"),
                   HF_EXIT_DONE);
  assert_int_equal(clirun(run, "factory", "issue", "--csr", "a.csr", "--out", "out", "--product", "p"), HF_EXIT_USAGE);
  assert_says(run->err, "--hardware is missing");
}

/* ---- doctor: beside it, because it looks at the same workspace ---- */

static void doctor_finds_a_fresh_workspace_well(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "doctor", "w"), HF_EXIT_DONE);
  assert_says(run->out, "present, and private where they must be");
  assert_null(strstr(run->out, "BAD"));
  assert_int_equal(clirun(run, "doctor", "w", "--json"), HF_EXIT_DONE);
  assert_says(run->out, "\"health\": \"ok\"");
}

static void doctor_finds_what_is_wrong(void **state)
{
  static const struct {
    const char *harm;
    const char *heal;
    const char *words;
  } cases[] = {{"chmod 644 w/server/vault/director.pem", "chmod 600 w/server/vault/director.pem",
                "others may read it: chmod 600"},
               {"chmod 755 w/server/vault", "chmod 700 w/server/vault", "others may read it: chmod 700"},
               {"chmod 666 w/server/tls/server.crt", "chmod 644 w/server/tls/server.crt", "others may change it"},
               {"mv w/server/vault/snapshot.pem x", "mv x w/server/vault/snapshot.pem", "missing"},
               {"chmod 640 w/offline/root.pem", "chmod 600 w/offline/root.pem", "others may read it"},
               {"cp w/server/tls/server.crt x && echo no > w/server/tls/server.crt", "cp x w/server/tls/server.crt",
                "no certificate"},
               {"cp w/server/repo/metadata/timestamp.json x && echo {} > w/server/repo/metadata/timestamp.json",
                "cp x w/server/repo/metadata/timestamp.json", "no TUF metadata"},
               {"sed -i 's/\"expires\":\"20../\"expires\":\"2001/' w/server/repo/metadata/timestamp.json", "true",
                "expired 2001"}};
  struct clirun *run = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_int_equal(clirun_shell(run, cases[i].harm), 0);
    assert_int_equal(clirun(run, "doctor", "w"), HF_EXIT_FAILED);
    assert_says(run->out, cases[i].words);
    assert_int_equal(clirun_shell(run, cases[i].heal), 0);
  }
}

static void doctor_does_not_miss_keys_that_were_moved(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun_shell(run, "mv w/offline stick"), 0);
  assert_int_equal(clirun(run, "doctor", "w"), HF_EXIT_DONE);
  assert_says(run->out, "not on this computer, as it should be");
  assert_int_equal(clirun(run, "doctor", "stick"), HF_EXIT_NOT_FOUND);
}

static void root_show_explains_both_roots(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "root", "show", "--workspace", "w"), HF_EXIT_DONE);
  assert_says(run->out, "SIGNS FOR");
  assert_int_equal(clirun(run, "root", "show", "--director", "--workspace", "w"), HF_EXIT_DONE);
  assert_says(run->out, "timestamp, snapshot, targets");
  assert_int_equal(clirun_shell(run, "sed 's/\"version\":1/\"version\":2/' w/offline/root.json > forged.json"), 0);
  assert_int_equal(clirun(run, "root", "show", "forged.json"), HF_EXIT_FAILED);
  assert_says(run->err, "forged.json, byte");
}

static int set_up(void **state)
{
  struct clirun *run = clirun_new();
  assert_int_equal(clirun(run, "init", "w"), HF_EXIT_DONE);
  *state = run;
  return 0;
}

#define WITH_RUN(test) clirun_test(test, set_up)

int main(void)
{
  const struct CMUnitTest tests[] = {
      WITH_RUN(a_certificate_verifies_and_says_who_it_is),
      WITH_RUN(a_device_s_own_request_is_taken),
      WITH_RUN(a_second_certificate_needs_replace),
      WITH_RUN(a_folder_is_a_batch_and_bad_ones_do_not_stop_it),
      WITH_RUN(refuses_requests_that_name_nobody_or_somebody_else),
      WITH_RUN(every_truncated_request_is_refused),
      WITH_RUN(keys_on_a_stick_are_enough),
      WITH_RUN(doctor_finds_a_fresh_workspace_well),
      WITH_RUN(doctor_finds_what_is_wrong),
      WITH_RUN(doctor_does_not_miss_keys_that_were_moved),
      WITH_RUN(root_show_explains_both_roots),
  };
  return cmocka_run_group_tests_name("factory", tests, NULL, NULL);
}
