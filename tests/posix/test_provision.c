/* SPDX-License-Identifier: Apache-2.0
 * holdfast-agent as people and scripts use it: the real program, its words and its exit statuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hf/codec/json.h"
#include "minica.h"
#include "ports/posix/diskfile.h"
#include "ports/posix/identity.h"
#include "rig.h"
#include "tests/wire/testrepo.h"

#define DAY INT64_C(86400)
#define LIMIT_MS 20000u

static struct rig rig; /* the factory's folder: files to give to provision; the device is in rig.path/../<same>-dev */
static struct testrepo repo;
static struct minica ca;
static char device_dir[128];
static char paths[256][192];
static char output[16384];

static const char *in_rig(const char *name)
{
  static unsigned turn;
  char *path = paths[turn++ % 256];
  (void)snprintf(path, sizeof paths[0], "%s/%s", rig.path, name);
  return path;
}

/* Run the agent to its end; standard output and error are in `output`. */
static int agent(const char *const *words)
{
  const char *argv[64] = {AGENT};
  size_t count = 1;
  int ends[2];
  while (words[count - 1] != NULL) {
    argv[count] = words[count - 1];
    count++;
  }
  assert_int_equal(pipe(ends), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    (void)dup2(ends[1], 1);
    (void)dup2(ends[1], 2);
    (void)close(ends[0]);
    union {
      const char *const *in;
      char *const *out;
    } args = {.in = argv};
    (void)execv(AGENT, args.out);
    _exit(99);
  }
  (void)close(ends[1]);
  size_t len = 0;
  ssize_t got;
  while ((got = read(ends[0], output + len, sizeof output - 1 - len)) > 0) {
    len += (size_t)got;
  }
  output[len] = '\0';
  (void)close(ends[0]);
  int status = rig_wait(pid, LIMIT_MS);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}
#define AGENT_RUN(...) agent((const char *const[]){__VA_ARGS__, NULL})

static void expect(const char *text)
{
  if (strstr(output, text) == NULL) {
    fail_msg("\"%s\" is not in:\n%s", text, output);
  }
}

static void put_image(const char *name, const char *payload, unsigned minor)
{
  size_t len;
  uint8_t *image = rig_image(&len, &rig, payload, minor, minor + 1);
  assert_int_equal(hf_diskfile_put(rig.folder, name, hf_bytes_init(image, len), 0644), HF_OK);
  free(image);
}

static int setup(void **state)
{
  (void)state;
  int64_t now = time(NULL);
  uint8_t pem[HF_IDENTITY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  rig_open(&rig);
  (void)snprintf(device_dir, sizeof device_dir, "%.100s/device", rig.path);
  testrepo_init(&repo, HF_KEY_P256);
  ca = minica_open("test CA", now - DAY, now + 3650 * DAY);
  assert_int_equal(hf_identity_put_pem(&buf, ca.cert), HF_OK);
  assert_int_equal(hf_diskfile_put(rig.folder, "ca.crt", hf_buf_bytes(&buf), 0644), HF_OK);
  assert_int_equal(hf_diskfile_put(rig.folder, "root.json", testrepo_get(&repo, "1.root.json"), 0644), HF_OK);
  put_image("first.img", THERMOSTAT, 0);
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  struct rig device = {.folder = open(device_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (device.folder >= 0) {
    (void)snprintf(device.path, sizeof device.path, "%s", device_dir);
    rig_close(&device);
  }
  testrepo_free(&repo);
  minica_close(&ca);
  rig_close(&rig);
  return 0;
}

#define WHO                                                                                                            \
  "--device", "rig-0001", "--product", "puppet", "--hardware", "bench-a", "--server", "https://127.0.0.1:1",           \
      "--slot-size", "4M"
#define TRUST                                                                                                          \
  "--server-ca", in_rig("ca.crt"), "--root", in_rig("root.json"), "--director-root", in_rig("root.json"),              \
      "--image-key", in_rig("image-keys.pem")

static void provision(void)
{
  int code = AGENT_RUN("provision", device_dir, WHO, TRUST, "--image", in_rig("first.img"), "--csr", in_rig("a.csr"));
  if (code != 0) {
    print_error("%s", output);
  }
  assert_int_equal(code, 0);
}

static struct hf_json status_json(void)
{
  struct hf_json root;
  assert_int_equal(AGENT_RUN("status", device_dir, "--json"), 0);
  assert_int_equal(hf_json_parse(&root, hf_bytes_text(output), NULL), HF_OK);
  return root;
}

static bool json_bool(struct hf_json object, const char *name)
{
  struct hf_json value;
  bool flag = false;
  assert_int_equal(hf_json_get(&value, object, name), HF_OK);
  assert_int_equal(hf_json_get_bool(&flag, value), HF_OK);
  return flag;
}

/* ---- usage ---- */

static void helps(void **state)
{
  (void)state;
  static const char *const commands[] = {"provision", "run", "status", "set-attribute", "postpone"};
  assert_int_equal(AGENT_RUN("--help"), 0);
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    expect(commands[i]);
  }
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    assert_int_equal(AGENT_RUN(commands[i], "--help"), 0);
    expect("usage: holdfast-agent");
  }
  assert_int_equal(AGENT_RUN("provision", "--help"), 0);
  expect("rate_max"); /* every setting is told */
}

static void wrong_usage_is_told_and_is_status_2(void **state)
{
  (void)state;
  assert_int_equal(agent((const char *const[]){NULL}), 2);
  assert_int_equal(AGENT_RUN("fly"), 2);
  expect("no such command: fly");
  assert_int_equal(AGENT_RUN("run"), 2);
  assert_int_equal(AGENT_RUN("run", "a", "b"), 2);
  assert_int_equal(AGENT_RUN("status", "a", "--yaml"), 2);
  assert_int_equal(AGENT_RUN("provision", device_dir, "--colour", "red"), 2);
  expect("there is no setting \"colour\"");
  assert_int_equal(AGENT_RUN("provision", device_dir, "--slot", "huge"), 2);
  expect("\"huge\" is not a value");
  assert_int_equal(AGENT_RUN("provision", device_dir, "--device"), 2);
  assert_int_equal(AGENT_RUN("postpone", device_dir, "soon"), 2);
  assert_int_equal(AGENT_RUN("postpone", device_dir, "-5"), 2);
}

static void a_folder_that_is_no_device_is_told(void **state)
{
  (void)state;
  assert_int_equal(AGENT_RUN("status", "/nowhere"), 1);
  expect("cannot open the folder");
  assert_int_equal(AGENT_RUN("status", "/tmp"), 1);
  expect("cannot read the device's settings");
  assert_int_equal(AGENT_RUN("run", "/tmp"), 1);
  expect("provision");
}

/* ---- provisioning ---- */

static void makes_a_device_that_status_describes(void **state)
{
  (void)state;
  struct stat info;
  provision();
  assert_int_equal(stat(in_rig("device/factory.key"), &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
  assert_int_equal(stat(device_dir, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0700);
  assert_int_equal(AGENT_RUN("status", device_dir), 0);
  expect("slot 0       confirmed, active, version 1.0.0, counter 1");
  expect("slot 1       empty");
  expect("no factory certificate either");
  assert_false(json_bool(status_json(), "running"));
  BIO *bio = BIO_new_file(in_rig("a.csr"), "r");
  X509_REQ *req = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
  assert_non_null(req);
  assert_int_equal(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)), 1);
  X509_REQ_free(req);
  BIO_free(bio);
}

static void takes_its_factory_certificate_and_no_other(void **state)
{
  (void)state;
  int64_t now = time(NULL);
  provision();
  BIO *bio = BIO_new_file(in_rig("a.csr"), "r");
  X509_REQ *req = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
  assert_non_null(req);
  EVP_PKEY *stranger = minica_key();
  const struct {
    const char *name;
    EVP_PKEY *key;
    int code;
  } cases[] = {{"rig-0002", X509_REQ_get0_pubkey(req), 1},
               {"rig-0001", stranger, 1},
               {"rig-0001", X509_REQ_get0_pubkey(req), 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint8_t pem[HF_IDENTITY_PEM_MAX];
    struct hf_buf buf = hf_buf_init(pem, sizeof pem);
    const struct minica_leaf leaf = {.name = cases[i].name, .begins = now - DAY, .ends = now + DAY};
    X509 *cert = minica_issue(&ca, cases[i].key, &leaf);
    assert_int_equal(hf_identity_put_pem(&buf, cert), HF_OK);
    assert_int_equal(hf_diskfile_put(rig.folder, "f.crt", hf_buf_bytes(&buf), 0644), HF_OK);
    assert_int_equal(AGENT_RUN("provision", device_dir, "--factory-cert", in_rig("f.crt")), cases[i].code);
    X509_free(cert);
    struct stat info;
    assert_int_equal(stat(in_rig("device/factory.crt"), &info), cases[i].code == 0 ? 0 : -1);
  }
  EVP_PKEY_free(stranger);
  X509_REQ_free(req);
  BIO_free(bio);
}

static void bad_files_leave_no_device(void **state)
{
  (void)state;
  struct hf_key *own = rig.key;
  assert_int_equal(hf_key_new(&rig.key, HF_KEY_P256), HF_OK);
  put_image("forged.img", THERMOSTAT, 0);
  hf_key_free(rig.key);
  rig.key = own;
  (void)snprintf(rig.conf.hardware, sizeof rig.conf.hardware, "boiler-b");
  put_image("boiler.img", THERMOSTAT, 0);
  const struct {
    const char *option, *file, *what;
  } bad[] = {{"--image", in_rig("forged.img"), "the device would refuse this image"},
             {"--image", in_rig("boiler.img"), "the device would refuse this image"},
             {"--image", in_rig("root.json"), "the device would refuse this image"},
             {"--image", in_rig("nothing"), "cannot read the file"},
             {"--image", "/dev/zero", "too large for what it should be"},
             {"--server-ca", in_rig("root.json"), "does not hold certificates"},
             {"--image-key", in_rig("ca.crt"), "not a public key"},
             {"--root", in_rig("ca.crt"), "does not accept these trust roots"},
             {"--director-root", in_rig("first.img"), "too large"},
             {"--slot", "64K", "cannot write the first image"},
             {"--slot", "5000", "whole sectors"},
             {"--server", "http://x", "not a value"},
             {"--product", "Upper", "not a value"}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    int code =
        AGENT_RUN("provision", device_dir, WHO, TRUST, "--image", in_rig("first.img"), bad[i].option, bad[i].file);
    if (code != 1) {
      print_error("%s %s: %d\n%s", bad[i].option, bad[i].file, code, output);
    }
    /* Image keys add up, so the good one still counts; the bad one is what is told. */
    assert_int_equal(code, 1);
    expect(bad[i].what);
    expect("to do:");
    struct stat info;
    assert_int_equal(stat(in_rig("device/device.conf"), &info), -1);
    assert_int_equal(stat(in_rig("device/flash.bin"), &info), -1);
  }
  provision(); /* and the folder is still good for a device */
}

static void an_existing_device_is_not_made_over(void **state)
{
  (void)state;
  provision();
  assert_int_equal(AGENT_RUN("provision", device_dir, WHO, TRUST, "--image", in_rig("first.img")), 1);
  expect("there is a device in this folder already");
  assert_int_equal(AGENT_RUN("provision", device_dir, "--image", in_rig("first.img")), 1);
  expect("given once");
  assert_int_equal(AGENT_RUN("provision", device_dir, "--csr", in_rig("b.csr")), 0);
}

static void options_that_are_missing_are_named(void **state)
{
  (void)state;
  assert_int_equal(AGENT_RUN("provision", device_dir, WHO), 1);
  expect("--server-ca");
  assert_int_equal(AGENT_RUN("provision", device_dir, TRUST, "--image", in_rig("first.img")), 1);
  expect("this setting is missing");
}

/* ---- the product in its slot ---- */

static pid_t start(void)
{
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    int log = openat(rig.folder, "log", O_WRONLY | O_CREAT | O_APPEND, 0644);
    (void)dup2(log, 1);
    (void)dup2(log, 2);
    (void)execl(AGENT, AGENT, "run", device_dir, (char *)NULL);
    _exit(99);
  }
  return pid;
}

static void the_product_runs_without_its_server_and_answers_requests(void **state)
{
  (void)state;
  provision();
  pid_t run = start();
  assert_true(rig_until(&rig, "log", "thermostat 1.0.0", LIMIT_MS));
  assert_true(json_bool(status_json(), "running"));
  assert_int_equal(AGENT_RUN("set-attribute", device_dir, "floor", "second, left"), 0);
  assert_null(strstr(output, "noted"));
  assert_int_equal(AGENT_RUN("set-attribute", device_dir, "a-name-that-is-much-longer-than-any-attribute", "x"), 1);
  expect("does not have the right form");
  expect("to do: give a name");
  assert_int_equal(AGENT_RUN("set-attribute", device_dir, "floor", "two\nlines"), 1);
  assert_int_equal(AGENT_RUN("postpone", device_dir, "12h"), 0); /* kept for the next offer */
  assert_int_equal(AGENT_RUN("postpone", device_dir, "0"), 0);
  assert_int_equal(AGENT_RUN("run", device_dir), 4);
  expect("another process owns this device's flash");
  assert_int_equal(kill(run, SIGTERM), 0);
  assert_int_equal(rig_wait(run, LIMIT_MS), 0);
  assert_false(json_bool(status_json(), "running"));
  assert_int_equal(AGENT_RUN("set-attribute", device_dir, "floor", "third"), 0);
  expect("noted");
}

static void the_application_by_hand_says_how_it_is_started(void **state)
{
  (void)state;
  (void)snprintf(output, sizeof output, "%s 2>%s 3<&- 4>&- 5<&-", THERMOSTAT, in_rig("log"));
  int status = system(output);
  assert_int_equal(WEXITSTATUS(status), 1);
  assert_non_null(strstr(rig_get(&rig, "log"), "holdfast-agent run"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {CASE(helps),
                                     CASE(wrong_usage_is_told_and_is_status_2),
                                     CASE(a_folder_that_is_no_device_is_told),
                                     CASE(makes_a_device_that_status_describes),
                                     CASE(takes_its_factory_certificate_and_no_other),
                                     CASE(bad_files_leave_no_device),
                                     CASE(an_existing_device_is_not_made_over),
                                     CASE(options_that_are_missing_are_named),
                                     CASE(the_product_runs_without_its_server_and_answers_requests),
                                     CASE(the_application_by_hand_says_how_it_is_started)};
  (void)alarm(200);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
