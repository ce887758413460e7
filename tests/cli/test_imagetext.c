/* SPDX-License-Identifier: Apache-2.0
 * holdfast image sign, verify, info: good images, and every way one is not. */
#include "tests/cli/clirun.h"

#include <fcntl.h>

#include "hf/cli/imagetext.h"

#define PAYLOAD_LEN 700
#define SIGN "image", "sign", "app.bin", "--out", "app.img", "--version", "1.2.0+7", "--key", "key.pem"

/* One key for all tests, made by openssl and not by us; scrypt once would cost a second a test. */
static int set_up(void **state)
{
  struct clirun *run = clirun_new();
  uint8_t payload[PAYLOAD_LEN];
  for (size_t i = 0; i < sizeof payload; i++) {
    payload[i] = (uint8_t)(i * 7 + 3);
  }
  clirun_put(run, "app.bin", payload, sizeof payload);
  assert_int_equal(clirun_shell(run, "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem && "
                                     "openssl pkey -in key.pem -pubout -out key.pub && "
                                     "openssl genpkey -algorithm ed25519 -out ed.pem && "
                                     "openssl pkey -in ed.pem -pubout -out ed.pub"),
                   0);
  *state = run;
  return 0;
}

static void openssl_verifies_what_we_sign(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, SIGN, "--counter", "5", "--product", "thermostat", "--hardware", "thermo-a",
                          "--hardware", "thermo-b", "--dependency", "1:1.0.0"),
                   HF_EXIT_DONE);
  struct hf_blob file;
  assert_int_equal(hf_disk_get(&file, clirun_path(run, "app.img"), 65536), HF_OK);
  struct hf_bytes bytes = hf_blob_bytes(&file);
  struct hf_image_source source = hf_image_source_init(&bytes);
  struct hf_image_info info;
  assert_int_equal(hf_image_parse(&info, &source, NULL), HF_OK);
  clirun_put(run, "signed", file.at, info.signed_len);
  clirun_put(run, "sig", info.sig, info.sig_len);
  assert_int_equal(clirun_shell(run, "openssl dgst -sha256 -verify key.pub -signature sig signed"), 0);
  assert_int_equal(info.payload_len, PAYLOAD_LEN);
  assert_int_equal(info.counter, 5);
  assert_int_equal(info.hardware_count, 2);
  assert_int_equal(info.dependency_count, 1);
  hf_blob_free(&file);
  assert_int_equal(clirun(run, "image", "verify", "app.img", "--key", "key.pub", "--hardware", "thermo-b"),
                   HF_EXIT_DONE);
  assert_says(run->out, "1.2.0+7");
}

static void ed25519_images_verify_too(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "image", "sign", "app.bin", "--out", "e.img", "--version", "1.0", "--key", "ed.pem"),
                   HF_EXIT_DONE);
  assert_int_equal(clirun(run, "image", "verify", "e.img", "--key", "ed.pub"), HF_EXIT_DONE);
  assert_says(run->out, "Ed25519");
  assert_int_equal(clirun(run, "image", "verify", "e.img", "--key", "key.pub"), HF_EXIT_FAILED);
}

static void info_tells_every_field(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, SIGN, "--counter", "5", "--product", "thermostat", "--hardware", "thermo-a"),
                   HF_EXIT_DONE);
  assert_int_equal(clirun_shell(run, "printf 'tail' >> app.img"), 0);
  assert_int_equal(clirun(run, "image", "info", "app.img"), HF_EXIT_DONE);
  const char *parts[] = {"1.2.0+7",     "thermostat", "thermo-a", "security counter", "key hash",
                         "ECDSA P-256", "right",      "main",     "700 bytes",        "4 bytes that are not part"};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    assert_says(run->out, parts[i]);
  }
  assert_int_equal(clirun(run, "image", "info", "app.img", "--json"), HF_EXIT_DONE);
  assert_says(run->out, "\"trailing\": 4");
  assert_says(run->out, "\"hash_ok\": true");
}

/* For every length short of the whole: refused, told where, and nothing read past the end (the sanitizer watches). */
static void every_truncation_is_told(void **state)
{
  struct clirun *run = *state;
  struct hf_blob file;
  assert_int_equal(clirun(run, SIGN, "--counter", "5", "--hardware", "thermo-a"), HF_EXIT_DONE);
  assert_int_equal(hf_disk_get(&file, clirun_path(run, "app.img"), 65536), HF_OK);
  int null = open("/dev/null", O_WRONLY);
  int out = dup(1);
  int err = dup(2);
  fflush(NULL);
  dup2(null, 1);
  dup2(null, 2);
  unsigned accepted = 0;
  for (size_t len = 0; len < file.len; len++) {
    uint8_t *exact = malloc(len == 0 ? 1 : len);
    memcpy(exact, file.at, len);
    accepted += hf_image_explain("cut", hf_bytes_init(exact, len), len % 2 == 0) == HF_OK;
    free(exact);
  }
  fflush(NULL);
  dup2(out, 1);
  dup2(err, 2);
  close(null);
  close(out);
  close(err);
  assert_int_equal(accepted, 0);
  for (size_t len = 0; len < file.len; len += 97) {
    clirun_put(run, "cut.img", file.at, len);
    assert_int_equal(clirun(run, "image", "info", "cut.img"), HF_EXIT_FAILED);
    assert_says(run->err, "cut.img, byte ");
    assert_int_equal(clirun(run, "image", "verify", "cut.img", "--key", "key.pub"), HF_EXIT_FAILED);
    assert_says(run->err, "to do: ");
  }
  hf_blob_free(&file);
}

/* One changed bit anywhere under hash or signature is refused by verify; info says that the hash is wrong when it is.
 */
static void a_changed_bit_is_told(void **state)
{
  struct clirun *run = *state;
  struct hf_blob file;
  assert_int_equal(clirun(run, SIGN, "--counter", "5", "--hardware", "thermo-a"), HF_EXIT_DONE);
  assert_int_equal(hf_disk_get(&file, clirun_path(run, "app.img"), 65536), HF_OK);
  for (size_t at = 20; at < file.len; at += 61) {
    file.at[at] ^= 4;
    clirun_put(run, "bad.img", file.at, file.len);
    assert_int_equal(clirun(run, "image", "verify", "bad.img", "--key", "key.pub"), HF_EXIT_FAILED);
    file.at[at] ^= 4;
  }
  file.at[100] ^= 1;
  clirun_put(run, "bad.img", file.at, file.len);
  assert_int_equal(clirun(run, "image", "info", "bad.img"), HF_EXIT_FAILED);
  assert_says(run->out, "WRONG");
  assert_says(run->err, "its hash is wrong");
  hf_blob_free(&file);
}

static void refuses_wrong_hardware_and_wrong_key(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, SIGN, "--hardware", "thermo-a"), HF_EXIT_DONE);
  assert_int_equal(clirun(run, "image", "verify", "app.img", "--key", "key.pub", "--hardware", "other"),
                   HF_EXIT_FAILED);
  assert_says(run->err, "hardware");
  assert_int_equal(clirun_shell(run, "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out o.pem && "
                                     "openssl pkey -in o.pem -pubout -out o.pub"),
                   0);
  assert_int_equal(clirun(run, "image", "verify", "app.img", "--key", "o.pub"), HF_EXIT_FAILED);
  assert_says(run->err, "key");
  assert_int_equal(clirun(run, "image", "verify", "app.img", "--key", "key.pem"), HF_EXIT_FAILED);
  assert_says(run->err, "no public key");
}

static void too_large_for_the_slot_writes_nothing(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, SIGN, "--slot-size", "800"), HF_EXIT_FAILED);
  assert_says(run->err, "too many");
  assert_int_not_equal(access(clirun_path(run, "app.img"), F_OK), 0);
  assert_int_equal(clirun(run, SIGN, "--slot-size", "1K"), HF_EXIT_DONE);
  assert_int_equal(clirun(run, "image", "verify", "app.img", "--key", "key.pub", "--slot-size", "0x320"),
                   HF_EXIT_FAILED);
  assert_says(run->err, "the slot has 800");
}

static void a_full_disk_keeps_the_old_image(void **state)
{
  struct clirun *run = *state;
  clirun_put(run, "app.img", "old", 3);
  assert_int_equal(clirun_limited(run, 600, NULL, (const char *const[]){"holdfast", SIGN, NULL}), HF_EXIT_FAILED);
  assert_says(run->err, "the disk is full");
  assert_int_equal(clirun_shell(run, "test \"$(cat app.img)\" = old && test $(ls | wc -l) = 6"), 0);
}

static void refuses_what_is_no_program(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, SIGN), HF_EXIT_DONE);
  assert_int_equal(clirun(run, "image", "sign", "app.img", "--out", "x", "--version", "1.0", "--key", "key.pem"),
                   HF_EXIT_FAILED);
  assert_says(run->err, "an MCUboot image already");
  clirun_put(run, "empty", "", 0);
  assert_int_equal(clirun(run, "image", "sign", "empty", "--out", "x", "--version", "1.0", "--key", "key.pem"),
                   HF_EXIT_FAILED);
  assert_int_equal(clirun(run, "image", "sign", "none", "--out", "x", "--version", "1.0", "--key", "key.pem"),
                   HF_EXIT_NOT_FOUND);
  assert_int_equal(clirun(run, "image", "sign", "/tmp", "--out", "x", "--version", "1.0", "--key", "key.pem"),
                   HF_EXIT_FAILED);
  assert_int_not_equal(access(clirun_path(run, "x"), F_OK), 0);
}

static void refuses_options_that_make_no_image(void **state)
{
  static const char *const bad[][2] = {
      {"--version", "1"},          {"--version", "256.0"}, {"--version", "1.0-rc1"}, {"--counter", "-1"},
      {"--counter", "4294967296"}, {"--slot-size", "1G"},  {"--slot-size", "0"},     {"--align", "3"},
      {"--header-size", "8"},      {"--hardware", "a b"},  {"--component", "Main"},  {"--dependency", "1.0"},
      {"--dependency", "999:1.0"}, {"--product", "../etc"}};
  struct clirun *run = *state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    const char *const version[] = {"holdfast",
                                   "image",
                                   "sign",
                                   "app.bin",
                                   "--out",
                                   "x",
                                   "--key",
                                   "key.pem",
                                   bad[i][0],
                                   bad[i][1],
                                   i < 3 ? NULL : "--version",
                                   "1.0",
                                   NULL};
    assert_int_equal(clirun_limited(run, 0, NULL, version), HF_EXIT_USAGE);
    assert_says(run->err, "to do: ");
  }
  assert_int_equal(clirun(run, "image", "sign", "app.bin", "--version", "1.0", "--key", "key.pem"), HF_EXIT_USAGE);
  assert_int_not_equal(access(clirun_path(run, "x"), F_OK), 0);
}

static void the_offline_key_needs_its_passphrase(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "init", "w"), HF_EXIT_DONE);
  const char *const sign[] = {"holdfast", "image", "sign", "../app.bin", "--out", "../a.img", "--version", "1.0", NULL};
  const char *inside = clirun_path(run, "w");
  assert_int_equal(clirun_limited(run, 0, inside, sign), HF_EXIT_DONE);
  assert_int_equal(clirun(run, "image", "verify", "a.img", "--workspace", "w"), HF_EXIT_DONE);
  assert_int_equal(setenv("HOLDFAST_PASSPHRASE", "not the passphrase", 1), 0);
  assert_int_equal(clirun_limited(run, 0, inside, sign), HF_EXIT_DENIED);
  assert_says(run->err, "wrong passphrase");
  assert_says(run->err, "offline/image.pem");
  /* A key moved elsewhere is found there. */
  assert_int_equal(setenv("HOLDFAST_PASSPHRASE", PASSPHRASE, 1), 0);
  assert_int_equal(clirun_shell(run, "mv w/offline stick"), 0);
  assert_int_equal(clirun(run, "image", "sign", "app.bin", "--out", "a.img", "--version", "1.0", "--offline", "stick"),
                   HF_EXIT_DONE);
}

static void a_workspace_of_a_newer_version_is_left_alone(void **state)
{
  struct clirun *run = *state;
  clirun_put(run, "holdfast.json", "{\"format\": 2, \"galaxy\": true}", 29);
  assert_int_equal(clirun(run, "image", "verify", "app.bin"), HF_EXIT_FAILED);
  assert_says(run->err, "written by a newer Holdfast");
  assert_says(run->err, "holdfast.json, byte 11");
}

#define WITH_RUN(test) clirun_test(test, set_up)

int main(void)
{
  const struct CMUnitTest tests[] = {
      WITH_RUN(openssl_verifies_what_we_sign),
      WITH_RUN(ed25519_images_verify_too),
      WITH_RUN(info_tells_every_field),
      WITH_RUN(every_truncation_is_told),
      WITH_RUN(a_changed_bit_is_told),
      WITH_RUN(refuses_wrong_hardware_and_wrong_key),
      WITH_RUN(too_large_for_the_slot_writes_nothing),
      WITH_RUN(a_full_disk_keeps_the_old_image),
      WITH_RUN(refuses_what_is_no_program),
      WITH_RUN(refuses_options_that_make_no_image),
      WITH_RUN(the_offline_key_needs_its_passphrase),
      WITH_RUN(a_workspace_of_a_newer_version_is_left_alone),
  };
  return cmocka_run_group_tests_name("imagetext", tests, NULL, NULL);
}
