/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "hf/crypto/key.h"

static const enum hf_key_type both[] = {HF_KEY_P256, HF_KEY_ED25519};

static void expect_signs(const struct hf_key *key)
{
  struct hf_pubkey pub;
  uint8_t room[HF_SIG_MAX];
  struct hf_buf sig = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_key_public(&pub, key), HF_OK);
  assert_int_equal(hf_key_sign(&sig, key, HF_LIT("message")), HF_OK);
  uint8_t digest[HF_SHA256_LEN];
  hf_sha256(digest, HF_LIT("message"));
  if (pub.type == HF_KEY_P256) {
    assert_int_equal(hf_p256_verify(&pub, digest, hf_buf_bytes(&sig)), HF_ALLOW);
  } else {
    assert_int_equal(hf_ed25519_verify(&pub, HF_LIT("message"), hf_buf_bytes(&sig)), HF_ALLOW);
    assert_int_equal(hf_ed25519_verify(&pub, HF_LIT("massage"), hf_buf_bytes(&sig)), HF_DENY);
  }
  sig.len = 0;
  assert_int_equal(hf_key_sign_digest(&sig, key, digest), HF_OK);
  if (pub.type == HF_KEY_P256) {
    assert_int_equal(hf_p256_verify(&pub, digest, hf_buf_bytes(&sig)), HF_ALLOW);
    digest[31] ^= 1;
    assert_int_equal(hf_p256_verify(&pub, digest, hf_buf_bytes(&sig)), HF_DENY);
  } else {
    assert_int_equal(hf_ed25519_verify(&pub, hf_bytes_init(digest, sizeof digest), hf_buf_bytes(&sig)), HF_ALLOW);
  }
}

static void key_files_come_back_whole(void **state)
{
  (void)state;
  static const char *const passphrases[] = {"", "correct horse battery staple", "\xc3\xbc"};
  for (size_t i = 0; i < 6; i++) { /* each type with each passphrase */
    struct hf_bytes passphrase = hf_bytes_text(passphrases[i / 2]);
    struct hf_key *key;
    struct hf_key *again;
    struct hf_pubkey a;
    struct hf_pubkey b;
    uint8_t room[HF_KEY_PEM_MAX];
    struct hf_buf pem = hf_buf_init(room, sizeof room);
    assert_int_equal(hf_key_new(&key, both[i % 2]), HF_OK);
    expect_signs(key);
    assert_int_equal(hf_key_encode(&pem, key, passphrase), HF_OK);
    assert_int_equal(hf_key_parse(&again, hf_buf_bytes(&pem), passphrase), HF_OK);
    assert_int_equal(hf_key_public(&a, key), HF_OK);
    assert_int_equal(hf_key_public(&b, again), HF_OK);
    assert_memory_equal(&a, &b, sizeof a);
    expect_signs(again);
    hf_key_free(key);
    hf_key_free(again);
  }
}

/* Runs `openssl pkey` on the PEM with the passphrase; its exit code. */
static int openssl_pkey(struct hf_bytes pem, const char *passphrase)
{
  char path[] = "/tmp/holdfast-test-key-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, pem.at, pem.len), pem.len);
  close(fd);
  char command[256];
  snprintf(command, sizeof command, "openssl pkey -in %s -passin pass:%s -noout >/dev/null 2>&1", path, passphrase);
  int code = system(command); /* NOLINT(cert-env33-c): the reader we promise to be readable by */
  unlink(path);
  return code;
}

static void openssl_reads_our_key_files(void **state)
{
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    struct hf_key *key;
    uint8_t room[HF_KEY_PEM_MAX];
    struct hf_buf pem = hf_buf_init(room, sizeof room);
    assert_int_equal(hf_key_new(&key, both[i]), HF_OK);
    assert_int_equal(hf_key_encode(&pem, key, HF_LIT("staple")), HF_OK);
    assert_int_equal(openssl_pkey(hf_buf_bytes(&pem), "staple"), 0);
    assert_int_not_equal(openssl_pkey(hf_buf_bytes(&pem), "stapler"), 0);
    pem.len = 0;
    assert_int_equal(hf_key_encode(&pem, key, HF_LIT("")), HF_OK);
    assert_int_equal(openssl_pkey(hf_buf_bytes(&pem), "x"), 0);
    hf_key_free(key);
  }
}

static void tells_a_wrong_passphrase_from_no_key(void **state)
{
  (void)state;
  struct hf_key *key;
  uint8_t room[HF_KEY_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_key_new(&key, HF_KEY_P256), HF_OK);
  assert_int_equal(hf_key_encode(&pem, key, HF_LIT("right")), HF_OK);
  hf_key_free(key);
  assert_int_equal(hf_key_parse(&key, hf_buf_bytes(&pem), HF_LIT("")), HF_E_DENIED);
  assert_null(key);
  assert_int_equal(hf_key_parse(&key, hf_buf_bytes(&pem), HF_LIT("Right")), HF_E_DENIED);
  assert_int_equal(hf_key_parse(&key, hf_buf_bytes(&pem), HF_LIT("right ")), HF_E_DENIED);
  for (size_t len = 0; len < pem.len - 1; len += 7) { /* the last byte is a newline, which may be missing */
    assert_int_equal(hf_key_parse(&key, hf_bytes_init(room, len), HF_LIT("right")), HF_E_INPUT);
  }
  assert_int_equal(hf_key_parse(&key, HF_LIT("hello"), HF_LIT("right")), HF_E_INPUT);
  assert_int_equal(ERR_peek_error(), 0); /* nothing left for a TLS call to trip over */
}

static void refuses_keys_of_other_kinds(void **state)
{
  (void)state;
  static const char *const commands[] = {
      "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null",
      "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 2>/dev/null",
      "openssl genpkey -algorithm X25519 2>/dev/null",
      "openssl ecparam -name prime256v1 -genkey -noout 2>/dev/null", /* SEC1, not PKCS#8 */
      "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null | openssl pkey -pubout 2>/dev/null",
  };
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    char text[HF_KEY_PEM_MAX];
    FILE *pipe = popen(commands[i], "r"); /* NOLINT(cert-env33-c) */
    assert_non_null(pipe);
    size_t len = fread(text, 1, sizeof text, pipe);
    assert_int_equal(pclose(pipe), 0);
    assert_true(len > 100);
    struct hf_key *key;
    assert_int_equal(hf_key_parse(&key, hf_bytes_init(text, len), HF_LIT("")), HF_E_INPUT);
  }
}

static void reads_keys_that_openssl_encrypted_and_no_wrong_passphrase_opens(void **state)
{
  (void)state;
  char text[HF_KEY_PEM_MAX];
  FILE *pipe = popen("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null | "
                     "openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 1 -passout pass:abc",
                     "r"); /* NOLINT(cert-env33-c) */
  assert_non_null(pipe);
  size_t len = fread(text, 1, sizeof text, pipe);
  assert_int_equal(pclose(pipe), 0);
  struct hf_key *key;
  /* One wrong passphrase in 256 leaves good padding behind, with garbage before it. */
  for (uint16_t i = 0; i < 1000; i++) {
    assert_int_equal(hf_key_parse(&key, hf_bytes_init(text, len), hf_bytes_init(&i, sizeof i)), HF_E_DENIED);
  }
  assert_int_equal(hf_key_parse(&key, hf_bytes_init(text, len), HF_LIT("abc")), HF_OK);
  expect_signs(key);
  hf_key_free(key);
}

/* RFC 5958 plain P-256 key whose public half belongs to another private half. */
static void refuses_halves_that_do_not_belong_together(void **state)
{
  (void)state;
  static const char text[] = "-----BEGIN PRIVATE KEY-----\n"
                             "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAAAAAAAAAAAAAAAA\n"
                             "AAAAAAAAAAAAAAAAAAAAAAAAAAKhRANCAARrF9Hy4SxCR/i85uVjpEDydwN9gS3r\n"
                             "M6D0oTlF2JjClk/jQuL+Gn+bjufrSnwPnhYrzjNXazFezsu2QGg3v1H1\n"
                             "-----END PRIVATE KEY-----\n"; /* private 2 with public G, which belongs to 1 */
  struct hf_key *key;
  assert_int_equal(hf_key_parse(&key, hf_bytes_text(text), HF_LIT("")), HF_E_INPUT);
}

static void passwords_match_only_themselves(void **state)
{
  (void)state;
  uint8_t room[HF_PASSWORD_STORED_MAX];
  uint8_t room2[HF_PASSWORD_STORED_MAX];
  struct hf_buf stored = hf_buf_init(room, sizeof room);
  struct hf_buf other = hf_buf_init(room2, sizeof room2);
  assert_int_equal(hf_password_put(&stored, HF_LIT("opensesame")), HF_OK);
  assert_int_equal(hf_password_put(&other, HF_LIT("opensesame")), HF_OK);
  assert_false(hf_bytes_equal(hf_buf_bytes(&stored), hf_buf_bytes(&other))); /* salted */
  assert_int_equal(hf_password_verify(hf_buf_bytes(&stored), HF_LIT("opensesame")), HF_ALLOW);
  assert_int_equal(hf_password_verify(hf_buf_bytes(&stored), HF_LIT("opensesam")), HF_DENY);
  assert_int_equal(hf_password_verify(hf_buf_bytes(&stored), HF_LIT("")), HF_DENY);
  for (size_t len = 0; len < stored.len; len++) {
    assert_int_equal(hf_password_verify(hf_bytes_init(room, len), HF_LIT("opensesame")), HF_DENY);
  }
  for (size_t i = 0; i < 12; i++) {
    room[i] ^= 4;
    assert_int_equal(hf_password_verify(hf_buf_bytes(&stored), HF_LIT("opensesame")), HF_DENY);
    room[i] ^= 4;
  }
}

/* Made with Python's hashlib.scrypt(b"pleaseletmein", salt=b"SodiumChlorideSC", n=16384, r=8, p=1, dklen=32). */
static void reads_a_password_another_program_stored(void **state)
{
  (void)state;
  struct hf_bytes stored = HF_LIT("scrypt$14$U29kaXVtQ2hsb3JpZGVTQw==$/H5x+tuD/xZRQAVyKpY0FqlzGOxZNeH+RyU6IAq5DvM=");
  assert_int_equal(hf_password_verify(stored, HF_LIT("pleaseletmein")), HF_ALLOW);
  assert_int_equal(hf_password_verify(stored, HF_LIT("pleaseletmeim")), HF_DENY);
}

static void what_was_sealed_opens_only_unchanged(void **state)
{
  (void)state;
  uint8_t key[32];
  uint8_t room[128];
  uint8_t room2[128];
  assert_int_equal(hf_random(key, sizeof key), HF_OK);
  for (size_t len = 0; len < 40; len += 13) {
    struct hf_buf sealed = hf_buf_init(room, sizeof room);
    struct hf_buf opened = hf_buf_init(room2, sizeof room2);
    struct hf_bytes plain = {(const uint8_t *)"the quick brown fox jumps over the lazy dog", len};
    assert_int_equal(hf_seal(&sealed, key, plain, HF_LIT("context")), HF_OK);
    assert_int_equal(sealed.len, len + 28);
    assert_int_equal(hf_unseal(&opened, key, hf_buf_bytes(&sealed), HF_LIT("context")), HF_OK);
    assert_true(hf_bytes_equal(hf_buf_bytes(&opened), plain));
    opened.len = 0;
    assert_int_equal(hf_unseal(&opened, key, hf_buf_bytes(&sealed), HF_LIT("contexT")), HF_E_DENIED);
    for (size_t i = 0; i < sealed.len; i++) {
      room[i] ^= 1;
      assert_int_equal(hf_unseal(&opened, key, hf_buf_bytes(&sealed), HF_LIT("context")), HF_E_DENIED);
      assert_int_equal(hf_unseal(&opened, key, hf_bytes_init(room, i), HF_LIT("context")), HF_E_DENIED);
      room[i] ^= 1;
    }
    assert_int_equal(opened.len, 0);
  }
}

/* McGrew and Viega, The Galois/Counter Mode of Operation, appendix B, test case 16: AES-256, 96-bit nonce, AAD. */
static void opens_a_vector_of_the_gcm_paper(void **state)
{
  (void)state;
  static const uint8_t key[32] = {0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f,
                                  0x94, 0x67, 0x30, 0x83, 0x08, 0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65,
                                  0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08};
  struct hf_bytes sealed = HF_LIT("\xca\xfe\xba\xbe\xfa\xce\xdb\xad\xde\xca\xf8\x88\x52\x2d\xc1\xf0\x99\x56\x7d\x07"
                                  "\xf4\x7f\x37\xa3\x2a\x84\x42\x7d\x64\x3a\x8c\xdc\xbf\xe5\xc0\xc9\x75\x98\xa2\xbd"
                                  "\x25\x55\xd1\xaa\x8c\xb0\x8e\x48\x59\x0d\xbb\x3d\xa7\xb0\x8b\x10\x56\x82\x88\x38"
                                  "\xc5\xf6\x1e\x63\x93\xba\x7a\x0a\xbc\xc9\xf6\x62\x76\xfc\x6e\xce\x0f\x4e\x17\x68"
                                  "\xcd\xdf\x88\x53\xbb\x2d\x55\x1b");
  struct hf_bytes aad = HF_LIT("\xfe\xed\xfa\xce\xde\xad\xbe\xef\xfe\xed\xfa\xce\xde\xad\xbe\xef\xab\xad\xda\xd2");
  struct hf_bytes plain = HF_LIT("\xd9\x31\x32\x25\xf8\x84\x06\xe5\xa5\x59\x09\xc5\xaf\xf5\x26\x9a\x86\xa7\xa9\x53"
                                 "\x15\x34\xf7\xda\x2e\x4c\x30\x3d\x8a\x31\x8a\x72\x1c\x3c\x0c\x95\x95\x68\x09\x53"
                                 "\x2f\xcf\x0e\x24\x49\xa6\xb5\x25\xb1\x6a\xed\xf5\xaa\x0d\xe6\x57\xba\x63\x7b\x39");
  uint8_t room[64];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_unseal(&out, key, sealed, aad), HF_OK);
  assert_true(hf_bytes_equal(hf_buf_bytes(&out), plain));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(key_files_come_back_whole),
      cmocka_unit_test(openssl_reads_our_key_files),
      cmocka_unit_test(tells_a_wrong_passphrase_from_no_key),
      cmocka_unit_test(refuses_keys_of_other_kinds),
      cmocka_unit_test(reads_keys_that_openssl_encrypted_and_no_wrong_passphrase_opens),
      cmocka_unit_test(refuses_halves_that_do_not_belong_together),
      cmocka_unit_test(passwords_match_only_themselves),
      cmocka_unit_test(reads_a_password_another_program_stored),
      cmocka_unit_test(what_was_sealed_opens_only_unchanged),
      cmocka_unit_test(opens_a_vector_of_the_gcm_paper),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
