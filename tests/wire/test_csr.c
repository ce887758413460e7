/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hf/crypto/key.h"
#include "hf/wire/csr.h"

static struct hf_key *key;
static struct hf_pubkey pub;

static int set_up(void **state)
{
  (void)state;
  return hf_key_new(&key, HF_KEY_P256) == HF_OK && hf_key_public(&pub, key) == HF_OK ? 0 : -1;
}

static int tear_down(void **state)
{
  (void)state;
  hf_key_free(key);
  return 0;
}

static enum hf_err sign(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

static enum hf_err sign_fails(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  (void)ctx;
  (void)sig;
  (void)digest;
  return HF_E_IO;
}

/* What `openssl req -verify` prints about a request. */
static void openssl_req(char *said, size_t cap, struct hf_bytes csr)
{
  char path[] = "/tmp/holdfast-test-csr-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, csr.at, csr.len), csr.len);
  close(fd);
  char command[256];
  snprintf(command, sizeof command, "openssl req -inform DER -in %s -verify -noout -subject -nameopt RFC2253 2>&1",
           path);
  FILE *pipe = popen(command, "r"); /* NOLINT(cert-env33-c): an independent reader */
  assert_non_null(pipe);
  size_t len = fread(said, 1, cap - 1, pipe);
  said[len] = 0;
  (void)pclose(pipe);
  unlink(path);
}

static void openssl_verifies_our_requests(void **state)
{
  (void)state;
  static const char *const devices[] = {"SN-0001", "SN_1", "x"};
  for (size_t i = 0; i < 3; i++) {
    uint8_t room[HF_CSR_MAX];
    char said[1024];
    char want[256];
    struct hf_buf csr = hf_buf_init(room, sizeof room);
    struct hf_csr_subject subject = {hf_bytes_text(devices[i]), HF_LIT("thermostat"), HF_LIT("thermo-a")};
    assert_int_equal(hf_csr_encode(&csr, &subject, &pub, (struct hf_csr_signer){sign, key}), HF_OK);
    openssl_req(said, sizeof said, hf_buf_bytes(&csr));
    snprintf(want, sizeof want, "serialNumber=%s,CN=%s,description=thermo-a,OU=thermostat", devices[i], devices[i]);
    assert_non_null(strstr(said, "self-signature verify OK"));
    if (strstr(said, want) == NULL) {
      fail_msg("%s", said);
    }
    room[csr.len - 1] ^= 1;
    openssl_req(said, sizeof said, hf_buf_bytes(&csr));
    assert_null(strstr(said, "self-signature verify OK"));
  }
}

static void the_longest_names_fit(void **state)
{
  (void)state;
  char a64[64];
  memset(a64, 'a', sizeof a64);
  uint8_t room[HF_CSR_MAX];
  char said[1024];
  struct hf_buf csr = hf_buf_init(room, sizeof room);
  struct hf_csr_subject subject = {hf_bytes_init(a64, 64), hf_bytes_init(a64, 32), hf_bytes_init(a64, 64)};
  assert_int_equal(hf_csr_encode(&csr, &subject, &pub, (struct hf_csr_signer){sign, key}), HF_OK);
  openssl_req(said, sizeof said, hf_buf_bytes(&csr));
  assert_non_null(strstr(said, "self-signature verify OK"));
}

static void refuses_bad_names_and_keys(void **state)
{
  (void)state;
  uint8_t room[HF_CSR_MAX];
  struct hf_buf csr = hf_buf_init(room, sizeof room);
  struct hf_csr_signer signer = {sign, key};
  const struct hf_csr_subject bad[] = {
      {HF_LIT("a b"), HF_LIT("p"), HF_LIT("h")},
      {HF_LIT("a"), HF_LIT("P"), HF_LIT("h")},
      {HF_LIT("a"), HF_LIT("p"), HF_LIT("")},
  };
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(hf_csr_encode(&csr, &bad[i], &pub, signer), HF_E_INPUT);
  }
  struct hf_csr_subject good = {HF_LIT("a"), HF_LIT("p"), HF_LIT("h")};
  struct hf_pubkey other = {.type = HF_KEY_ED25519, .len = HF_ED25519_PUBLIC_LEN};
  assert_int_equal(hf_csr_encode(&csr, &good, &other, signer), HF_E_INPUT);
  assert_int_equal(hf_csr_encode(&csr, &good, &pub, (struct hf_csr_signer){sign_fails, NULL}), HF_E_IO);
  assert_int_equal(csr.len, 0);
}

static void leaves_a_full_buffer_as_it_was(void **state)
{
  (void)state;
  uint8_t room[HF_CSR_MAX];
  struct hf_csr_subject good = {HF_LIT("a"), HF_LIT("p"), HF_LIT("h")};
  for (size_t cap = 0; cap < 200; cap += 9) {
    struct hf_buf csr = hf_buf_init(room, cap);
    assert_int_equal(hf_csr_encode(&csr, &good, &pub, (struct hf_csr_signer){sign, key}), HF_E_SPACE);
    assert_int_equal(csr.len, 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(openssl_verifies_our_requests),
      cmocka_unit_test(the_longest_names_fit),
      cmocka_unit_test(refuses_bad_names_and_keys),
      cmocka_unit_test(leaves_a_full_buffer_as_it_was),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
