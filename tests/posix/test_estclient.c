/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ports/posix/diskfile.h"
#include "ports/posix/estclient.h"
#include "rig.h"
#include "tests/crypto/tokens.h"
#include "webserver.h"

#define DAY INT64_C(86400)
#define CUT_STATUS 77

/* ---- power: the n-th change of the disk is the last thing this process does (linked with --wrap) ---- */

static int power_left = -1; /* -1: mains */

static void spend_power(void)
{
  if (power_left == 0) {
    _exit(CUT_STATUS);
  }
  power_left -= power_left > 0 ? 1 : 0;
}

ssize_t __real_write(int fd, const void *at, size_t len);
int __real_fsync(int fd);
int __real_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __real_unlinkat(int folder, const char *name, int flags);
ssize_t __wrap_write(int fd, const void *at, size_t len);
int __wrap_fsync(int fd);
int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __wrap_unlinkat(int folder, const char *name, int flags);

ssize_t __wrap_write(int fd, const void *at, size_t len)
{
  if (power_left == 0) {
    (void)!__real_write(fd, at, len / 2); /* torn */
  }
  spend_power();
  return __real_write(fd, at, len);
}

int __wrap_fsync(int fd)
{
  spend_power();
  return __real_fsync(fd);
}

int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to)
{
  spend_power();
  return __real_renameat(from_folder, from, to_folder, to);
}

int __wrap_unlinkat(int folder, const char *name, int flags)
{
  spend_power();
  return __real_unlinkat(folder, name, flags);
}

/* ---- fixtures ---- */

static struct minica ca; /* of the server's certificate and of factory and device certificates */
static EVP_PKEY *server_key;
static X509 *server_cert;
static struct webserver server;
static struct rig rig;
static struct hf_https https;
static struct hf_clock clock_now;
static struct hf_identity identity;
static const char *const device = "thermo-0001";

static void serve(enum webserver_est est)
{
  int64_t now = time(NULL);
  const struct webserver_spec web = {.key = server_key,
                                     .cert = server_cert,
                                     .client_ca = &ca,
                                     .device_ca = &ca,
                                     .est = est,
                                     .issue_begins = now - 60,
                                     .issue_ends = now + DAY};
  webserver_open(&server, &web);
}

static void put_cert(const char *name, X509 *cert)
{
  uint8_t pem[HF_IDENTITY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  assert_int_equal(hf_identity_put_pem(&buf, cert), HF_OK);
  assert_int_equal(hf_diskfile_put(rig.folder, name, hf_buf_bytes(&buf), 0644), HF_OK);
}

static void put_factory_cert(const char *name)
{
  struct hf_key *key = NULL;
  int64_t now = time(NULL);
  assert_int_equal(hf_identity_factory_key(&key, rig.folder), HF_OK);
  const struct minica_leaf leaf = {.name = name, .begins = now - DAY, .ends = now + 3650 * DAY};
  X509 *cert = minica_issue(&ca, hf_key_native(key), &leaf);
  put_cert("factory.crt", cert);
  X509_free(cert);
  hf_key_free(key);
}

static void open_all(void)
{
  assert_int_equal(hf_identity_open(&identity, rig.folder, device, NULL), HF_OK);
  const struct hf_https_spec spec = {
      .server = server.url, .server_ca = identity.server_ca, .clock = &clock_now, .deadline_s = 20};
  assert_int_equal(hf_https_open(&https, &spec), HF_OK);
}

static void close_all(void)
{
  hf_https_close(&https);
  hf_identity_close(&identity);
}

static int setup_in(const char *home)
{
  int64_t now = time(NULL);
  rig_open(&rig);
  put_cert("server-ca.crt", ca.cert);
  struct hf_trouble trouble = {.what = ""};
  if (hf_identity_new(rig.folder, home, &trouble) != HF_OK) {
    fail_msg("%s", trouble.what);
  }
  clock_now = (struct hf_clock){.floor = now - 30 * DAY, .ceiling = now + DAY};
  return 0;
}

static int setup(void **state)
{
  (void)state;
  return setup_in("file");
}

static int teardown(void **state)
{
  (void)state;
  webserver_close(&server);
  rig_close(&rig);
  return 0;
}

static enum hf_err enrol(enum hf_estclient_by *by, struct hf_trouble *trouble)
{
  const struct hf_csr_subject subject = {
      .device = hf_bytes_text(device), .product = HF_LIT("thermostat"), .hardware = HF_LIT("thermo-a")};
  memset(trouble, 0, sizeof *trouble);
  return hf_estclient_run(by, &https, &identity, &subject, trouble);
}

static void expect_enrolled(enum hf_estclient_by want)
{
  enum hf_estclient_by by;
  struct hf_trouble trouble;
  enum hf_err err = enrol(&by, &trouble);
  if (err != HF_OK) {
    print_error("%s\n", trouble.what);
  }
  assert_int_equal(err, HF_OK);
  assert_int_equal(by, want);
  assert_true(hf_identity_fits(identity.device_pair.key, identity.device_pair.cert));
  assert_true(hf_identity_names(identity.device_pair.cert, device));
}

static mode_t mode_of(const char *name)
{
  struct stat info;
  assert_int_equal(fstatat(rig.folder, name, &info, AT_SYMLINK_NOFOLLOW), 0);
  return info.st_mode & 0777;
}

static enum hf_err take(void *ctx, struct hf_bytes piece)
{
  hf_buf_put(ctx, piece);
  return HF_OK;
}

/* ---- enrolment ---- */

static void enrols_with_its_factory_certificate(void **state)
{
  (void)state;
  serve(WEBSERVER_EST_GOOD);
  put_factory_cert(device);
  open_all();
  expect_enrolled(HF_ESTCLIENT_FACTORY);
  assert_int_equal(mode_of("factory.key"), 0600);
  assert_int_equal(mode_of("device.key"), 0600);
  assert_false(hf_diskfile_exists(rig.folder, "next.key"));
  assert_true(hf_diskfile_exists(rig.folder, "device-ca.crt"));
  /* The next request already shows it. */
  char text[256];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  struct hf_http_reply reply;
  const struct hf_http_request request = {.method = "GET", .path = "/who", .max_len = 200};
  assert_int_equal(hf_https_ops.request(&https, &reply, &request, (struct hf_sink){.put = take, .ctx = &buf}), HF_OK);
  assert_int_equal(hf_buf_terminate(&buf), HF_OK);
  assert_string_equal(text, "thermo-0001 ");
  close_all();
  open_all(); /* and so does the next start */
  assert_non_null(identity.device_pair.cert);
  assert_true(hf_identity_fits(identity.device_pair.key, identity.device_pair.cert));
  close_all();
}

static void enrols_with_a_token_and_forgets_it(void **state)
{
  (void)state;
  serve(WEBSERVER_EST_GOOD);
  rig_put(&rig, HF_ESTCLIENT_TOKEN, "secret\n");
  open_all();
  expect_enrolled(HF_ESTCLIENT_BY_TOKEN);
  assert_false(hf_diskfile_exists(rig.folder, HF_ESTCLIENT_TOKEN));
  close_all();
}

static void a_wrong_token_is_refused_and_kept(void **state)
{
  (void)state;
  enum hf_estclient_by by;
  struct hf_trouble trouble;
  serve(WEBSERVER_EST_GOOD);
  rig_put(&rig, HF_ESTCLIENT_TOKEN, "guess");
  open_all();
  assert_int_equal(enrol(&by, &trouble), HF_E_DENIED);
  assert_non_null(strstr(trouble.what, "HTTP 401"));
  assert_true(hf_diskfile_exists(rig.folder, HF_ESTCLIENT_TOKEN));
  assert_null(identity.device_pair.cert);
  close_all();
}

static void with_nothing_to_show_it_says_so(void **state)
{
  (void)state;
  enum hf_estclient_by by;
  struct hf_trouble trouble;
  serve(WEBSERVER_EST_GOOD);
  open_all();
  assert_int_equal(enrol(&by, &trouble), HF_E_NOT_FOUND);
  assert_non_null(strstr(trouble.what, "nothing to enrol with"));
  close_all();
}

/* ---- renewal ---- */

static void renews_with_a_new_key(void **state)
{
  (void)state;
  struct hf_pubkey first;
  struct hf_pubkey second;
  serve(WEBSERVER_EST_GOOD);
  put_factory_cert(device);
  open_all();
  expect_enrolled(HF_ESTCLIENT_FACTORY);
  assert_int_equal(hf_key_public(&first, identity.device_pair.key), HF_OK);
  expect_enrolled(HF_ESTCLIENT_RENEWED);
  assert_int_equal(hf_key_public(&second, identity.device_pair.key), HF_OK);
  assert_memory_not_equal(first.at, second.at, first.len);
  close_all();
}

static void falls_back_to_the_factory_certificate(void **state)
{
  (void)state;
  serve(WEBSERVER_EST_REFUSES_RENEWAL);
  put_factory_cert(device);
  open_all();
  expect_enrolled(HF_ESTCLIENT_FACTORY);
  expect_enrolled(HF_ESTCLIENT_FACTORY);
  close_all();
}

static void an_expired_certificate_is_shown_and_the_factory_one_after_it(void **state)
{
  (void)state;
  serve(WEBSERVER_EST_GOOD);
  put_factory_cert(device);
  open_all();
  expect_enrolled(HF_ESTCLIENT_FACTORY);
  webserver_close(&server);
  /* The server says that it is the day after tomorrow; its own certificate is good for ten years. */
  serve(WEBSERVER_EST_GOOD);
  clock_now.told = time(NULL) + 2 * DAY;
  clock_now.told_ms = hf_port_uptime_ms();
  enum hf_estclient_by by;
  struct hf_trouble trouble;
  https.spec.server = server.url;
  /* Issued for a day from now on, so it is of no use either: refused by its dates, but asked for as a factory device.
   */
  assert_int_equal(enrol(&by, &trouble), HF_E_DENIED);
  assert_non_null(strstr(trouble.what, "does not vouch for now"));
  close_all();
}

static void bad_replies_leave_the_old_identity(void **state)
{
  (void)state;
  const struct {
    enum webserver_est est;
    enum hf_err err;
    const char *what;
  } bad[] = {{WEBSERVER_EST_REFUSES, HF_E_DENIED, "HTTP 403"},
             {WEBSERVER_EST_OTHER_KEY, HF_E_DENIED, "for another key"},
             {WEBSERVER_EST_OTHER_NAME, HF_E_DENIED, "for another device"},
             {WEBSERVER_EST_OTHER_CA, HF_E_DENIED, "does not vouch for"},
             {WEBSERVER_EST_GARBAGE, HF_E_INPUT, "holds no certificates"},
             {WEBSERVER_EST_LATER, HF_E_AGAIN, "HTTP 202"}};
  serve(WEBSERVER_EST_GOOD);
  put_factory_cert(device);
  open_all();
  expect_enrolled(HF_ESTCLIENT_FACTORY);
  close_all();
  char before[4096];
  (void)snprintf(before, sizeof before, "%s", rig_get(&rig, "device.crt"));
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    enum hf_estclient_by by;
    struct hf_trouble trouble;
    webserver_close(&server);
    serve(bad[i].est);
    open_all();
    assert_int_equal(enrol(&by, &trouble), bad[i].err);
    assert_non_null(strstr(trouble.what, bad[i].what));
    assert_non_null(identity.device_pair.cert);
    close_all();
    assert_string_equal(before, rig_get(&rig, "device.crt"));
  }
}

/* ---- the folder ---- */

static void a_factory_certificate_of_another_device_is_refused(void **state)
{
  (void)state;
  struct hf_trouble trouble = {.what = ""};
  serve(WEBSERVER_EST_GOOD);
  put_factory_cert("thermo-0002");
  assert_int_equal(hf_identity_open(&identity, rig.folder, device, &trouble), HF_E_INPUT);
  assert_non_null(strstr(trouble.what, "not for the device"));
}

static void damaged_operational_files_are_enrolled_for_again(void **state)
{
  (void)state;
  const struct {
    const char *name, *text;
  } damage[] = {{"device.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n"}, {"device.key", "nonsense"}, {"device.crt", ""}};
  serve(WEBSERVER_EST_GOOD);
  put_factory_cert(device);
  for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
    open_all();
    expect_enrolled(HF_ESTCLIENT_FACTORY);
    close_all();
    rig_put(&rig, damage[i].name, damage[i].text);
    open_all();
    assert_true(identity.lost);
    assert_null(identity.device_pair.cert);
    assert_null(identity.device_pair.key);
    close_all();
  }
}

static void a_missing_server_ca_is_told(void **state)
{
  (void)state;
  struct hf_trouble trouble = {.what = ""};
  serve(WEBSERVER_EST_GOOD);
  assert_int_equal(hf_diskfile_remove(rig.folder, "server-ca.crt"), HF_OK);
  assert_int_equal(hf_identity_open(&identity, rig.folder, device, &trouble), HF_E_NOT_FOUND);
  assert_string_equal(trouble.where, "server-ca.crt");
}

/* After a power cut at every change of the disk, in turn, the device has an identity, old or new, and can renew it. */
static void power_cuts_during_renewal_never_lose_the_identity(void **state)
{
  (void)state;
  serve(WEBSERVER_EST_GOOD);
  put_factory_cert(device);
  open_all();
  expect_enrolled(HF_ESTCLIENT_FACTORY);
  close_all();
  int cuts = 0;
  bool whole = false;
  while (!whole) {
    assert_true(cuts < 100);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      enum hf_estclient_by by;
      struct hf_trouble trouble;
      open_all();
      power_left = cuts;
      _exit(enrol(&by, &trouble) == HF_OK && by == HF_ESTCLIENT_RENEWED ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    whole = WEXITSTATUS(status) == 0;
    assert_int_equal(WEXITSTATUS(status), whole ? 0 : CUT_STATUS);
    open_all();
    assert_false(identity.lost);
    assert_non_null(identity.device_pair.cert);
    assert_true(hf_identity_fits(identity.device_pair.key, identity.device_pair.cert));
    expect_enrolled(HF_ESTCLIENT_RENEWED);
    close_all();
    cuts++;
  }
  assert_true(cuts > 12); /* next.key, device-ca.crt, device.crt: write, sync, rename, sync each; and the key's move */
}

/* ---- keys in a token and in a TPM ---- */

static struct softhsm hsm;
static struct swtpm tpm;

static int left_before; /* keys of the tests before: a process has one SoftHSM */

/* Private keys in the token since this test began, by another program than ours. */
static int count_keys(void)
{
  int count = 0;
  FILE *said = popen("pkcs11-tool --module " SOFTHSM_MODULE " --login --pin " SOFTHSM_PIN
                     " --list-objects --type privkey 2>/dev/null | grep -c '^Private Key'",
                     "r"); // NOLINT(cert-env33-c)
  assert_non_null(said);
  char line[32] = "";
  assert_non_null(fgets(line, sizeof line, said));
  count = (int)strtol(line, NULL, 10);
  (void)pclose(said);
  return count - left_before;
}

static int setup_token(void **state)
{
  char home[256];
  (void)state;
  if (hsm.dir[0] == '\0') {
    softhsm_open(&hsm, "Device");
  }
  left_before = 0;
  left_before = count_keys();
  (void)snprintf(home, sizeof home, "pkcs11:token=Device?module-path=" SOFTHSM_MODULE "&pin-source=file:%s", hsm.pin);
  return setup_in(home);
}

static int setup_tpm(void **state)
{
  (void)state;
  swtpm_open(&tpm);
  return setup_in("tpm2");
}

static int teardown_tpm(void **state)
{
  swtpm_close(&tpm);
  return teardown(state);
}

static void expect_no_plain_key(void)
{
  static const char *const names[] = {"factory.key", "device.key", "next.key"};
  for (size_t i = 0; i < 3; i++) {
    assert_null(strstr(rig_get(&rig, names[i]), "BEGIN PRIVATE KEY"));
    assert_null(strstr(rig_get(&rig, names[i]), "BEGIN EC PRIVATE KEY"));
  }
}

static void keys_in_a_token_enrol_and_renew_and_the_old_one_goes(void **state)
{
  (void)state;
  serve(WEBSERVER_EST_GOOD);
  assert_int_equal(count_keys(), 1);
  put_factory_cert(device);
  open_all();
  assert_int_equal(hf_identity_home(&identity), HF_KEY_IN_PKCS11);
  expect_enrolled(HF_ESTCLIENT_FACTORY);
  assert_int_equal(count_keys(), 2);
  expect_enrolled(HF_ESTCLIENT_RENEWED);
  expect_enrolled(HF_ESTCLIENT_RENEWED);
  assert_int_equal(hf_identity_home(&identity), HF_KEY_IN_PKCS11);
  close_all();
  assert_int_equal(count_keys(), 2);
  assert_false(hf_diskfile_exists(rig.folder, "old.key"));
  expect_no_plain_key();
  open_all(); /* the next start */
  assert_true(hf_identity_fits(identity.device_pair.key, identity.device_pair.cert));
  close_all();
}

static void keys_in_a_tpm_enrol_and_renew(void **state)
{
  (void)state;
  serve(WEBSERVER_EST_GOOD);
  put_factory_cert(device);
  open_all();
  assert_int_equal(hf_identity_home(&identity), HF_KEY_IN_TPM);
  expect_enrolled(HF_ESTCLIENT_FACTORY);
  expect_enrolled(HF_ESTCLIENT_RENEWED);
  assert_int_equal(hf_identity_home(&identity), HF_KEY_IN_TPM);
  close_all();
  expect_no_plain_key();
  assert_non_null(strstr(rig_get(&rig, "device.key"), "BEGIN TSS2 PRIVATE KEY"));
  open_all();
  assert_true(hf_identity_fits(identity.device_pair.key, identity.device_pair.cert));
  close_all();
}

static void a_token_that_is_away_is_told_and_the_identity_is_kept(void **state)
{
  (void)state;
  char command[256];
  struct hf_trouble trouble = {.what = ""};
  serve(WEBSERVER_EST_GOOD);
  put_factory_cert(device);
  open_all();
  expect_enrolled(HF_ESTCLIENT_FACTORY);
  close_all();
  (void)snprintf(command, sizeof command, "mv %s/tokens %s/away && mkdir %s/tokens", hsm.dir, hsm.dir, hsm.dir);
  tokens_run(command);
  /* In a process of its own: SoftHSM does not take a token back that it saw vanish. */
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    bool refused = hf_identity_open(&identity, rig.folder, device, &trouble) != HF_OK && trouble.what[0] != '\0';
    _exit(refused ? 0 : 1);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  (void)snprintf(command, sizeof command, "rmdir %s/tokens && mv %s/away %s/tokens", hsm.dir, hsm.dir, hsm.dir);
  tokens_run(command);
  open_all();
  assert_false(identity.lost);
  assert_true(hf_identity_fits(identity.device_pair.key, identity.device_pair.cert));
  close_all();
}

/* The sweep of above with a token: never more than factory, old and new key in it, and two when all is quiet. */
static void power_cuts_during_renewal_leave_no_orphans_in_the_token(void **state)
{
  (void)state;
  serve(WEBSERVER_EST_GOOD);
  put_factory_cert(device);
  open_all();
  expect_enrolled(HF_ESTCLIENT_FACTORY);
  close_all();
  int cuts = 0;
  bool whole = false;
  while (!whole) {
    assert_true(cuts < 100);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      enum hf_estclient_by by;
      struct hf_trouble trouble;
      open_all();
      power_left = cuts;
      _exit(enrol(&by, &trouble) == HF_OK && by == HF_ESTCLIENT_RENEWED ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    whole = WEXITSTATUS(status) == 0;
    assert_int_equal(WEXITSTATUS(status), whole ? 0 : CUT_STATUS);
    assert_in_range(count_keys(), 2, 3);
    open_all();
    assert_false(identity.lost);
    assert_true(hf_identity_fits(identity.device_pair.key, identity.device_pair.cert));
    expect_enrolled(HF_ESTCLIENT_RENEWED);
    close_all();
    assert_int_equal(count_keys(), 2);
    cuts++;
  }
  assert_true(cuts > 16); /* the files of above, and old.key: write, sync, rename, sync, removal, sync */
}

int main(void)
{
  int64_t now = time(NULL);
  ca = minica_open("test CA", now - DAY, now + 3650 * DAY);
  server_key = minica_key();
  const struct minica_leaf leaf = {
      .name = "server", .san = "IP:127.0.0.1", .begins = now - DAY, .ends = now + 3650 * DAY};
  server_cert = minica_issue(&ca, server_key, &leaf);
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TOKEN(name) cmocka_unit_test_setup_teardown(name, setup_token, teardown)
  const struct CMUnitTest tests[] = {
      CASE(enrols_with_its_factory_certificate),
      CASE(enrols_with_a_token_and_forgets_it),
      CASE(a_wrong_token_is_refused_and_kept),
      CASE(with_nothing_to_show_it_says_so),
      CASE(renews_with_a_new_key),
      CASE(falls_back_to_the_factory_certificate),
      CASE(an_expired_certificate_is_shown_and_the_factory_one_after_it),
      CASE(bad_replies_leave_the_old_identity),
      CASE(a_factory_certificate_of_another_device_is_refused),
      CASE(damaged_operational_files_are_enrolled_for_again),
      CASE(a_missing_server_ca_is_told),
      CASE(power_cuts_during_renewal_never_lose_the_identity),
      TOKEN(keys_in_a_token_enrol_and_renew_and_the_old_one_goes),
      TOKEN(a_token_that_is_away_is_told_and_the_identity_is_kept),
      TOKEN(power_cuts_during_renewal_leave_no_orphans_in_the_token),
      cmocka_unit_test_setup_teardown(keys_in_a_tpm_enrol_and_renew, setup_tpm, teardown_tpm)};
  (void)alarm(200);
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  softhsm_close(&hsm);
  X509_free(server_cert);
  EVP_PKEY_free(server_key);
  minica_close(&ca);
  return failed;
}
