/* SPDX-License-Identifier: Apache-2.0
 * holdfast init: what it makes, what it refuses, and that a refusal leaves nothing behind. */
#include "tests/cli/clirun.h"

#include <time.h>

#include "hf/cli/founding.h"
#include "hf/crypto/key.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/tufclient.h"

static struct hf_blob read_file(const struct clirun *run, const char *name)
{
  struct hf_blob blob;
  assert_int_equal(hf_disk_get(&blob, clirun_path(run, name), 1 << 20), HF_OK);
  return blob;
}

static unsigned mode_of(const struct clirun *run, const char *name)
{
  struct stat info;
  assert_int_equal(stat(clirun_path(run, name), &info), 0);
  return (unsigned)info.st_mode & 0777;
}

static void makes_every_file_of_the_specification(void **state)
{
  static const struct {
    const char *name;
    unsigned mode;
  } files[] = {{"w/holdfast.json", 0644},
               {"w/offline/root.pem", 0600},
               {"w/offline/targets.pem", 0600},
               {"w/offline/factory-ca.pem", 0600},
               {"w/offline/server-ca.pem", 0600},
               {"w/offline/image.pem", 0600},
               {"w/offline/image.pub", 0644},
               {"w/offline/root.json", 0644},
               {"w/offline/director-root.json", 0644},
               {"w/offline/factory-ca.crt", 0644},
               {"w/offline/server-ca.crt", 0644},
               {"w/offline/factory", 0700},
               {"w/operator/operator.json", 0600},
               {"w/operator/server-ca.crt", 0644},
               {"w/server", 0700},
               {"w/server/vault/timestamp.pem", 0600},
               {"w/server/vault/snapshot.pem", 0600},
               {"w/server/vault/director.pem", 0600},
               {"w/server/vault/time.pem", 0600},
               {"w/server/vault/device-ca.pem", 0600},
               {"w/server/tls/server.key", 0600},
               {"w/server/tls/server.crt", 0644},
               {"w/server/tls/server-ca.crt", 0644},
               {"w/server/tls/device-ca.crt", 0644},
               {"w/server/tls/factory-ca.crt", 0644},
               {"w/server/repo/metadata/1.root.json", 0644},
               {"w/server/repo/metadata/1.targets.json", 0644},
               {"w/server/repo/metadata/1.snapshot.json", 0644},
               {"w/server/repo/metadata/timestamp.json", 0644},
               {"w/server/repo/targets", 0700},
               {"w/server/director/1.root.json", 0644},
               {"w/server/bootstrap.json", 0600},
               {"w/server/db", 0700},
               {"w/server/spool", 0700}};
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "init", "w", "--org", "Acme Thermostats"), HF_EXIT_DONE);
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    if (mode_of(run, files[i].name) != files[i].mode) {
      fail_msg("%s has mode %o", files[i].name, mode_of(run, files[i].name));
    }
  }
  assert_says(run->out, "shown this once");
  assert_says(run->out, "holdfast serve w");
  assert_string_equal(run->err, "");
  assert_int_equal(clirun_shell(run, "! find w | grep -E '[.][A-Za-z0-9]{6}$'"), 0);
}

static void keys_are_read_by_openssl_with_the_passphrase_only(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "init", "w"), HF_EXIT_DONE);
  const char *names[] = {"root", "targets", "factory-ca", "server-ca", "image"};
  for (size_t i = 0; i < 5; i++) {
    char command[256];
    (void)snprintf(command, sizeof command, "openssl pkey -in w/offline/%s.pem -passin 'pass:" PASSPHRASE "' -noout",
                   names[i]);
    assert_int_equal(clirun_shell(run, command), 0);
    (void)snprintf(command, sizeof command, "openssl pkey -in w/offline/%s.pem -passin pass:wrong -noout", names[i]);
    assert_int_not_equal(clirun_shell(run, command), 0);
  }
  assert_int_equal(clirun_shell(run, "openssl asn1parse -in w/offline/root.pem | grep -q scrypt"), 0);
  assert_int_equal(clirun_shell(run, "openssl pkey -in w/server/vault/director.pem -noout"), 0);
}

static void certificates_verify_against_their_ca(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "init", "w", "--name", "fleet.acme.example", "--name", "192.0.2.7"), HF_EXIT_DONE);
  const char *checks[] = {
      "openssl verify -x509_strict -CAfile w/operator/server-ca.crt -purpose sslserver -verify_hostname "
      "fleet.acme.example"
      " w/server/tls/server.crt",
      "openssl verify -CAfile w/operator/server-ca.crt -verify_hostname localhost w/server/tls/server.crt",
      "openssl verify -CAfile w/operator/server-ca.crt -verify_ip 127.0.0.1 w/server/tls/server.crt",
      "openssl verify -CAfile w/operator/server-ca.crt -verify_ip ::1 w/server/tls/server.crt",
      "openssl verify -CAfile w/operator/server-ca.crt -verify_ip 192.0.2.7 w/server/tls/server.crt",
      "openssl verify -x509_strict -CAfile w/server/tls/device-ca.crt w/server/tls/device-ca.crt",
      "openssl x509 -in w/server/tls/factory-ca.crt -noout -enddate | grep -q 'Dec 31 23:59:59 9999'",
      "openssl x509 -in w/server/tls/device-ca.crt -noout -pubkey > a && openssl pkey -in w/server/vault/device-ca.pem"
      " -pubout > b && cmp a b"};
  for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
    if (clirun_shell(run, checks[i]) != 0) {
      fail_msg("%s", checks[i]);
    }
  }
  assert_int_not_equal(clirun_shell(run,
                                    "openssl verify -CAfile w/operator/server-ca.crt -verify_hostname evil.example "
                                    "w/server/tls/server.crt"),
                       0);
}

/* The whole client workflow over what init wrote, as a device would run it. */
static void metadata_passes_the_tuf_client(void **state)
{
  struct clirun *run = *state;
  const char *types[] = {"p256", "ed25519"};
  for (size_t t = 0; t < 2; t++) {
    char dir[16];
    uint8_t scratch[16384];
    (void)snprintf(dir, sizeof dir, "w%zu", t);
    assert_int_equal(clirun(run, "init", dir, "--key-type", types[t]), HF_EXIT_DONE);
    char name[128];
    (void)snprintf(name, sizeof name, "%s/offline/root.json", dir);
    struct hf_blob root = read_file(run, name);
    struct hf_tuf_limits limits = hf_tuf_limits_init();
    limits.scratch = scratch;
    limits.scratch_cap = sizeof scratch;
    struct hf_tuf_trust trust;
    struct hf_why why = {.rule = HF_RULE_NONE};
    assert_int_equal(hf_tuf_trust_verify(&trust, hf_blob_bytes(&root), &limits, &why), HF_ALLOW);
    hf_blob_free(&root);
    struct hf_tufclient client;
    struct hf_tufclient_fetch fetch;
    struct hf_blob files[8] = {{0}};
    size_t count = 0;
    hf_tufclient_init(&client, &trust, &limits, (int64_t)time(NULL));
    while (hf_tufclient_next(&client, &fetch) == HF_TUFCLIENT_FETCH && count < 8) {
      (void)snprintf(name, sizeof name, "%s/server/repo/metadata/%s", dir, fetch.name);
      enum hf_err err = hf_disk_get(&files[count], clirun_path(run, name), fetch.max_len);
      err = hf_tufclient_give(&client, err == HF_OK ? HF_TUFCLIENT_BYTES : HF_TUFCLIENT_NOT_FOUND,
                              hf_blob_bytes(&files[count]), &why);
      assert_int_equal(err, HF_OK);
      count++;
    }
    assert_int_equal(hf_tufclient_next(&client, &fetch), HF_TUFCLIENT_DONE);
    assert_int_equal(hf_tufclient_targets(&client)->version, 1);
    for (size_t i = 0; i < 8; i++) {
      hf_blob_free(&files[i]);
    }
  }
}

static void director_root_lets_the_director_key_sign_nothing_but_its_roles(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "init", "w"), HF_EXIT_DONE);
  struct hf_blob text = read_file(run, "w/offline/director-root.json");
  struct hf_blob pem = read_file(run, "w/server/vault/director.pem");
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust trust;
  struct hf_key *key;
  struct hf_pubkey pub;
  assert_int_equal(hf_tuf_trust_verify(&trust, hf_blob_bytes(&text), &limits, NULL), HF_ALLOW);
  assert_int_equal(hf_key_parse(&key, hf_blob_bytes(&pem), (struct hf_bytes){NULL, 0}), HF_OK);
  assert_int_equal(hf_key_public(&pub, key), HF_OK);
  for (int role = 0; role < HF_TUF_ROLES; role++) {
    const struct hf_tuf_signers *signers = &trust.root.role[role];
    bool may = false;
    for (unsigned i = 0; i < trust.root.key_count; i++) {
      may = may || ((signers->keys >> i & 1) != 0 && hf_pubkey_equal(&trust.root.key[i].pub, &pub));
    }
    assert_int_equal(may, role != HF_TUF_ROOT);
    assert_int_equal(signers->threshold, 1);
  }
  hf_key_free(key);
  hf_blob_free(&text);
  hf_blob_free(&pem);
}

static void hands_the_operator_over_without_password_or_token(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "init", "w", "--operator", "mara", "--json"), HF_EXIT_DONE);
  char password[64];
  const char *at = strstr(run->out, "\"password\": \"");
  assert_non_null(at);
  (void)snprintf(password, sizeof password, "%.23s", at + 13);
  struct hf_blob bootstrap = read_file(run, "w/server/bootstrap.json");
  struct hf_blob login = read_file(run, "w/operator/operator.json");
  char *text = strndup((const char *)bootstrap.at, bootstrap.len);
  char *login_text = strndup((const char *)login.at, login.len);
  const char *secret = strstr(login_text, "hf_");
  assert_non_null(secret);
  assert_says(text, "\"name\": \"mara\"");
  assert_null(strstr(text, password));
  assert_null(strstr(text, "hf_"));
  /* The stored form is of that password, and of no other. */
  char *stored = strstr(text, "scrypt$");
  struct hf_bytes hash = hf_bytes_init(stored, strcspn(stored, "\""));
  assert_int_equal(hf_password_verify(hash, hf_bytes_text(password)), HF_ALLOW);
  assert_int_equal(hf_password_verify(hash, HF_LIT("aaaaa-aaaaa-aaaaa-aaaaa")), HF_DENY);
  /* The token's hash is over its whole text. */
  uint8_t digest[32];
  char hex[65];
  hf_sha256(digest, hf_bytes_init(secret, 67));
  for (size_t i = 0; i < 32; i++) {
    (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
  }
  assert_says(text, hex);
  free(text);
  free(login_text);
  hf_blob_free(&bootstrap);
  hf_blob_free(&login);
}

static void refuses_a_folder_that_is_not_empty(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun_shell(run, "mkdir w && echo mine > w/letter"), 0);
  assert_int_equal(clirun(run, "init", "w"), HF_EXIT_CONFLICT);
  assert_says(run->err, "the folder is not empty");
  assert_int_equal(clirun_shell(run, "test \"$(ls -A w)\" = letter"), 0);
}

static void refuses_to_overwrite_a_workspace(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "init", "w"), HF_EXIT_DONE);
  struct hf_blob before = read_file(run, "w/offline/root.pem");
  assert_int_equal(clirun(run, "init", "w"), HF_EXIT_CONFLICT);
  assert_says(run->err, "there is a workspace already");
  struct hf_blob after = read_file(run, "w/offline/root.pem");
  assert_true(hf_bytes_equal(hf_blob_bytes(&before), hf_blob_bytes(&after)));
  hf_blob_free(&before);
  hf_blob_free(&after);
}

static void refuses_a_file_as_folder(void **state)
{
  struct clirun *run = *state;
  clirun_put(run, "w", "x", 1);
  assert_int_equal(clirun(run, "init", "w"), HF_EXIT_CONFLICT);
  assert_int_equal(clirun(run, "init", "no/such/w"), HF_EXIT_NOT_FOUND);
}

static void uses_an_empty_folder(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun_shell(run, "mkdir w"), 0);
  assert_int_equal(clirun(run, "init", "w"), HF_EXIT_DONE);
}

static void refuses_weak_passphrases(void **state)
{
  struct clirun *run = *state;
  const char *weak[] = {"", "short", "aaaaaaaaaaaaaaaa", "abababababab"};
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(setenv("HOLDFAST_PASSPHRASE", weak[i], 1), 0);
    assert_int_equal(clirun(run, "init", "w"), HF_EXIT_FAILED);
    assert_says(run->err, "the passphrase");
    assert_int_not_equal(access(clirun_path(run, "w"), F_OK), 0);
  }
  assert_int_equal(setenv("HOLDFAST_PASSPHRASE", PASSPHRASE, 1), 0);
}

static void passphrase_file_wins_and_its_first_line_counts(void **state)
{
  struct clirun *run = *state;
  clirun_put(run, "phrase", "a phrase out of a file\r\nsecond line\n", 36);
  assert_int_equal(clirun(run, "init", "w", "--passphrase-file", "phrase"), HF_EXIT_DONE);
  assert_int_equal(
      clirun_shell(run, "openssl pkey -in w/offline/root.pem -passin 'pass:a phrase out of a file' -noout"), 0);
  assert_int_equal(clirun(run, "init", "v", "--passphrase-file", "no-such-file"), HF_EXIT_FAILED);
  assert_says(run->err, "no-such-file");
}

/* A limit on the size of files stops init at its first file that is longer: for every such length nothing stays. */
static void full_disk_leaves_nothing_behind(void **state)
{
  struct clirun *run = *state;
  unsigned refused = 0;
  for (rlim_t room = 1; room < 1200; room += 149) {
    int code = clirun_limited(run, room, NULL, (const char *const[]){"holdfast", "init", "w", NULL});
    assert_int_equal(code, HF_EXIT_FAILED);
    assert_int_not_equal(access(clirun_path(run, "w"), F_OK), 0);
    assert_int_equal(clirun_shell(run, "test -z \"$(ls -A)\""), 0);
    refused++;
  }
  assert_int_equal(refused, 9);
}

static void refuses_names_and_addresses_that_are_none(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "init", "w", "--people", "8080"), HF_EXIT_USAGE);
  assert_says(run->err, "HOST:PORT");
  assert_int_equal(clirun(run, "init", "w", "--devices", "::1:8443"), HF_EXIT_USAGE);
  assert_int_equal(clirun(run, "init", "w", "--devices", "0.0.0.0:65536"), HF_EXIT_USAGE);
  assert_int_equal(clirun(run, "init", "w", "--key-type", "rsa"), HF_EXIT_USAGE);
  assert_int_equal(clirun(run, "init", "w", "--operator", "two words"), HF_EXIT_USAGE);
  assert_int_equal(clirun(run, "init", "w", "--org", ""), HF_EXIT_USAGE);
  assert_int_equal(clirun(run, "init", "w", "--org", "two\nlines"), HF_EXIT_USAGE);
  assert_int_equal(clirun(run, "init", "w", "--name", "not a name"), HF_EXIT_FAILED);
  assert_int_not_equal(access(clirun_path(run, "w"), F_OK), 0);
}

static void clock_in_1970_and_2100_is_told(void **state)
{
  (void)state;
  assert_non_null(hf_clock_check(0));
  assert_non_null(hf_clock_check(INT64_C(4102444800)));
  assert_null(hf_clock_check(INT64_C(1795000000)));
}

#define WITH_RUN(test) clirun_test(test, clirun_set_up)

int main(void)
{
  const struct CMUnitTest tests[] = {
      WITH_RUN(makes_every_file_of_the_specification),
      WITH_RUN(keys_are_read_by_openssl_with_the_passphrase_only),
      WITH_RUN(certificates_verify_against_their_ca),
      WITH_RUN(metadata_passes_the_tuf_client),
      WITH_RUN(director_root_lets_the_director_key_sign_nothing_but_its_roles),
      WITH_RUN(hands_the_operator_over_without_password_or_token),
      WITH_RUN(refuses_a_folder_that_is_not_empty),
      WITH_RUN(refuses_to_overwrite_a_workspace),
      WITH_RUN(refuses_a_file_as_folder),
      WITH_RUN(uses_an_empty_folder),
      WITH_RUN(refuses_weak_passphrases),
      WITH_RUN(passphrase_file_wins_and_its_first_line_counts),
      WITH_RUN(full_disk_leaves_nothing_behind),
      WITH_RUN(refuses_names_and_addresses_that_are_none),
      cmocka_unit_test(clock_in_1970_and_2100_is_told),
  };
  return cmocka_run_group_tests_name("init", tests, NULL, NULL);
}
