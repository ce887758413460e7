/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "hf/crypto/crypto.h"

/* RFC 6979 A.2.5, SHA-256, message "sample"; the bad ones are that signature with one thing wrong. */
static const char point[] = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                            "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
static const char good_sig[] = "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c9"
                               "42d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
static const char other_s_sig[] =
    "3045022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf371602200834e36ad29a83bf2bc9385e491d6099c8fd"
    "f9d1ed67aa7ea5f51f93782857a9"; /* n - s: the same signature to ECDSA */
static const struct {
  const char *name;
  const char *sig;
} bad_sigs[] = {
    {"empty", ""},
    {"r is 0", "3026020100022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {"s is 0", "3026022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716020100"},
    {"r and s are 0", "3006020100020100"},
    {"r is 1", "3026020101022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {"r is n", "3046022100ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551022100f7cb1c942d657c41d436c7a"
               "1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {"s is n", "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100ffffffff00000000fffffff"
               "fffffffffbce6faada7179e84f3b9cac2fc632551"},
    {"s has n added", "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022101f7cb1c932d657c42"
                      "d436c7a1b6e29f65b0cffb8960c7928b417e75f2809df2f9"},
    {"r has n added", "3046022101efd48b29acb6a8fe1140dd9cd45e81d65a138228fdc29816b706d96b4b125c67022100f7cb1c942d657c41"
                      "d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {"halves swapped", "3046022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8022100efd48b2aacb6a8f"
                       "d1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"},
    {"r without its sign byte", "30450220efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c94"
                                "2d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {"r with a second zero", "304702220000efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c9"
                             "42d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {"long form of the outer length", "308146022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf37160221"
                                      "00f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {"indefinite length", "3080022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d65"
                          "7c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda80000"},
    {"bytes after", "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c41d4"
                    "36c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda800"},
    {"bytes inside after s", "3047022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942"
                             "d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda800"},
    {"a third integer", "3049022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c"
                        "41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8020101"},
    {"cut by one", "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c41d43"
                   "6c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acd"},
    {"cut by one with its length mended", "3045022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf371602"
                                          "2100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acd"},
    {"only r", "3023022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"},
    {"a set", "3146022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c41d436c7a1"
              "b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {"r as an octet string", "3046042100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942"
                             "d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {"negative r", "30460221ff102b74d553495702eebf22632ba17e2962d37884a955066e3cb2f157b150c8ea022100f7cb1c942d657c41d43"
                   "6c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {"raw r and s without DER", "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7"
                                "a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
};

static size_t unhex(uint8_t *out, size_t cap, const char *hex)
{
  size_t len = 0;
  if (hex[0] == 0) {
    return 0;
  }
  assert_int_equal(OPENSSL_hexstr2buf_ex(out, cap, &len, hex, 0), 1);
  return len;
}

static struct hf_pubkey p256(const char *hex)
{
  struct hf_pubkey pub = {.type = HF_KEY_P256, .len = HF_P256_PUBLIC_LEN};
  assert_int_equal(unhex(pub.at, sizeof pub.at, hex), HF_P256_PUBLIC_LEN);
  return pub;
}

static enum hf_verdict verify_p256(const struct hf_pubkey *pub, const char *message, const char *sig_hex)
{
  uint8_t digest[HF_SHA256_LEN];
  uint8_t sig[128];
  size_t len = unhex(sig, sizeof sig, sig_hex);
  hf_sha256(digest, hf_bytes_text(message));
  return hf_p256_verify(pub, digest, hf_bytes_init(sig, len));
}

static void expect_hex(const uint8_t *have, size_t len, const char *want)
{
  uint8_t bytes[64];
  assert_int_equal(unhex(bytes, sizeof bytes, want), len);
  assert_memory_equal(have, bytes, len);
}

static void hashes_are_those_of_fips_180(void **state)
{
  (void)state;
  uint8_t out[HF_SHA512_LEN];
  hf_sha256(out, HF_LIT(""));
  expect_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  hf_sha256(out, HF_LIT("abc"));
  expect_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  hf_sha256(out, HF_LIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"));
  expect_hex(out, 32, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  struct hf_sha512 hash;
  hf_sha512_init(&hash);
  hf_sha512_put(&hash, HF_LIT("a"));
  hf_sha512_put(&hash, HF_LIT("bc"));
  hf_sha512_get(&hash, out);
  expect_hex(out, 64,
             "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
             "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

static void hashing_in_pieces_and_from_a_copy_is_hashing_at_once(void **state)
{
  (void)state;
  static uint8_t million[1000000];
  uint8_t out[HF_SHA256_LEN];
  memset(million, 'a', sizeof million);
  for (size_t piece = 1; piece < 200; piece += 63) {
    struct hf_sha256 hash;
    hf_sha256_init(&hash);
    size_t at = 0;
    while (at < sizeof million) {
      size_t len = sizeof million - at < piece ? sizeof million - at : piece;
      hf_sha256_put(&hash, hf_bytes_init(million + at, len));
      at += len;
    }
    struct hf_sha256 copy = hash;
    hf_sha256_get(&hash, out);
    expect_hex(out, 32, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    hf_sha256_get(&copy, out);
    expect_hex(out, 32, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }
}

static void hmac_is_that_of_rfc_4231(void **state)
{
  (void)state;
  uint8_t out[HF_SHA256_LEN];
  uint8_t key[131];
  memset(key, 0x0b, 20);
  hf_hmac_sha256(out, hf_bytes_init(key, 20), HF_LIT("Hi There"));
  expect_hex(out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  hf_hmac_sha256(out, HF_LIT("Jefe"), HF_LIT("what do ya want for nothing?"));
  expect_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  memset(key, 0xaa, sizeof key);
  hf_hmac_sha256(out, hf_bytes_init(key, sizeof key), HF_LIT("Test Using Larger Than Block-Size Key - Hash Key First"));
  expect_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void allows_the_signatures_of_rfc_6979(void **state)
{
  (void)state;
  struct hf_pubkey pub = p256(point);
  assert_int_equal(verify_p256(&pub, "sample", good_sig), HF_ALLOW);
  assert_int_equal(verify_p256(&pub, "sample", other_s_sig), HF_ALLOW);
  assert_int_equal(verify_p256(&pub, "test",
                               "3045022100f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
                               "0220019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"),
                   HF_ALLOW);
  assert_int_equal(verify_p256(&pub, "Sample", good_sig), HF_DENY);
}

static void denies_every_other_form_of_a_signature(void **state)
{
  (void)state;
  struct hf_pubkey pub = p256(point);
  for (size_t i = 0; i < sizeof bad_sigs / sizeof bad_sigs[0]; i++) {
    if (verify_p256(&pub, "sample", bad_sigs[i].sig) != HF_DENY) {
      fail_msg("allowed: %s", bad_sigs[i].name);
    }
  }
  assert_int_equal(ERR_peek_error(), 0); /* nothing left for a TLS call to trip over */
}

static void denies_every_flipped_bit(void **state)
{
  (void)state;
  struct hf_pubkey pub = p256(point);
  uint8_t digest[HF_SHA256_LEN];
  uint8_t sig[HF_SIG_MAX];
  size_t len = unhex(sig, sizeof sig, good_sig);
  hf_sha256(digest, HF_LIT("sample"));
  for (size_t bit = 0; bit < len * 8; bit++) {
    sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_equal(hf_p256_verify(&pub, digest, hf_bytes_init(sig, len)), HF_DENY);
    sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  for (size_t bit = 0; bit < 65 * 8; bit++) {
    pub.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_equal(hf_p256_verify(&pub, digest, hf_bytes_init(sig, len)), HF_DENY);
    pub.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  assert_int_equal(hf_p256_verify(&pub, digest, hf_bytes_init(sig, len)), HF_ALLOW);
}

static void denies_keys_that_are_no_point_or_of_another_type(void **state)
{
  (void)state;
  struct hf_pubkey pub = p256(point);
  pub.at[0] = 0x06; /* the hybrid form of X9.62: OpenSSL reads it, a second spelling of the key */
  pub.at[0] = (uint8_t)(pub.at[0] | (pub.at[64] & 1));
  assert_int_equal(verify_p256(&pub, "sample", good_sig), HF_DENY);
  pub = (struct hf_pubkey){.type = HF_KEY_P256, .len = 1}; /* the point at infinity */
  assert_int_equal(verify_p256(&pub, "sample", good_sig), HF_DENY);
  pub = p256(point);
  pub.type = HF_KEY_ED25519;
  assert_int_equal(verify_p256(&pub, "sample", good_sig), HF_DENY);
  pub.type = HF_KEY_NONE;
  assert_int_equal(verify_p256(&pub, "sample", good_sig), HF_DENY);
  pub.type = HF_KEY_P256;
  pub.len = 64;
  assert_int_equal(verify_p256(&pub, "sample", good_sig), HF_DENY);
}

static void ed25519_is_that_of_rfc_8032(void **state)
{
  (void)state;
  static const struct {
    const char *key;
    struct hf_bytes message;
    const char *sig;
  } vectors[] = {
      {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", HF_LIT(""),
       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe2"
       "465"
       "5141438e7a100b"},
      {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", HF_LIT("\x72"),
       "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302ae"
       "eb0"
       "0d291612bb0c00"},
  };
  for (size_t i = 0; i < 2; i++) {
    struct hf_pubkey pub = {.type = HF_KEY_ED25519, .len = HF_ED25519_PUBLIC_LEN};
    uint8_t sig[65] = {0};
    assert_int_equal(unhex(pub.at, sizeof pub.at, vectors[i].key), 32);
    assert_int_equal(unhex(sig, sizeof sig, vectors[i].sig), 64);
    assert_int_equal(hf_ed25519_verify(&pub, vectors[i].message, hf_bytes_init(sig, 64)), HF_ALLOW);
    assert_int_equal(hf_ed25519_verify(&pub, HF_LIT("other"), hf_bytes_init(sig, 64)), HF_DENY);
    assert_int_equal(hf_ed25519_verify(&pub, vectors[i].message, hf_bytes_init(sig, 63)), HF_DENY);
    assert_int_equal(hf_ed25519_verify(&pub, vectors[i].message, hf_bytes_init(sig, 65)), HF_DENY);
    for (size_t bit = 0; bit < 512; bit++) {
      sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
      assert_int_equal(hf_ed25519_verify(&pub, vectors[i].message, hf_bytes_init(sig, 64)), HF_DENY);
      sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    pub.type = HF_KEY_P256;
    assert_int_equal(hf_ed25519_verify(&pub, vectors[i].message, hf_bytes_init(sig, 64)), HF_DENY);
  }
  assert_int_equal(ERR_peek_error(), 0);
}

static void random_bytes_differ(void **state)
{
  (void)state;
  uint8_t a[32] = {0};
  uint8_t b[32] = {0};
  assert_int_equal(hf_random(a, sizeof a), HF_OK);
  assert_int_equal(hf_random(b, sizeof b), HF_OK);
  assert_memory_not_equal(a, b, sizeof a);
  assert_int_equal(hf_random(a, 0), HF_OK);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hashes_are_those_of_fips_180),
      cmocka_unit_test(hashing_in_pieces_and_from_a_copy_is_hashing_at_once),
      cmocka_unit_test(hmac_is_that_of_rfc_4231),
      cmocka_unit_test(allows_the_signatures_of_rfc_6979),
      cmocka_unit_test(denies_every_other_form_of_a_signature),
      cmocka_unit_test(denies_every_flipped_bit),
      cmocka_unit_test(denies_keys_that_are_no_point_or_of_another_type),
      cmocka_unit_test(ed25519_is_that_of_rfc_8032),
      cmocka_unit_test(random_bytes_differ),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
