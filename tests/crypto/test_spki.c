/* SPDX-License-Identifier: Apache-2.0
 * RSA and P-384 as hosts verify them, with keys and signatures that OpenSSL makes here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "hf/crypto/spki.h"

static const char *const names[] = {"",
                                    "rsassa-pss-sha256",
                                    "rsassa-pss-sha384",
                                    "rsassa-pss-sha512",
                                    "rsa-pkcs1v15-sha256",
                                    "rsa-pkcs1v15-sha384",
                                    "rsa-pkcs1v15-sha512",
                                    "ecdsa-sha2-nistp384"};
#define SCHEMES (sizeof names / sizeof names[0])
#define MESSAGE HF_LIT("canonical bytes")

static size_t pem_of(uint8_t *out, size_t cap, EVP_PKEY *key)
{
  BIO *bio = BIO_new(BIO_s_mem());
  assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
  int len = BIO_read(bio, out, (int)cap);
  BIO_free(bio);
  assert_true(len > 0);
  return (size_t)len;
}

static struct hf_bytes sign(uint8_t *out, EVP_PKEY *key, enum hf_spki_scheme scheme)
{
  const char *name = names[scheme];
  const char *digest = strstr(name, "256") ? "SHA256" : strstr(name, "512") ? "SHA512" : "SHA384";
  EVP_PKEY_CTX *inner = NULL;
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  size_t len = HF_SPKI_SIG_MAX;
  assert_int_equal(EVP_DigestSignInit_ex(ctx, &inner, digest, NULL, NULL, key, NULL), 1);
  if (strstr(name, "pss")) {
    assert_true(EVP_PKEY_CTX_set_rsa_padding(inner, RSA_PKCS1_PSS_PADDING) > 0);
  }
  assert_int_equal(EVP_DigestSign(ctx, out, &len, MESSAGE.at, MESSAGE.len), 1);
  EVP_MD_CTX_free(ctx);
  return hf_bytes_init(out, len);
}

static void knows_the_schemes_of_securesystemslib_and_no_weak_ones(void **state)
{
  (void)state;
  for (size_t i = 1; i < SCHEMES; i++) {
    assert_int_equal(hf_spki_scheme_get(hf_bytes_text(names[i])), i);
  }
  static const char *const others[] = {"",        "rsassa-pss-md5",     "rsassa-pss-sha1",    "rsa-pkcs1v15-sha1",
                                       "ed25519", "rsassa-pss-sha256 ", "ecdsa-sha2-nistp256"};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    assert_int_equal(hf_spki_scheme_get(hf_bytes_text(others[i])), HF_SPKI_NONE);
  }
}

static void a_signature_counts_for_its_scheme_key_and_message_only(void **state)
{
  (void)state;
  EVP_PKEY *rsa = EVP_RSA_gen(2048), *other = EVP_RSA_gen(2048), *p384 = EVP_EC_gen("P-384");
  for (size_t made = 1; made < SCHEMES; made++) {
    uint8_t room[HF_SPKI_SIG_MAX], pem[2048], der_room[HF_SPKI_DER_MAX], other_room[HF_SPKI_DER_MAX];
    bool ec = made == HF_SPKI_P384_SHA384;
    EVP_PKEY *key = ec ? p384 : rsa;
    struct hf_buf der = hf_buf_init(der_room, sizeof der_room), other_der = hf_buf_init(other_room, sizeof other_room);
    enum hf_spki_scheme scheme = (enum hf_spki_scheme)made;
    assert_int_equal(hf_spki_parse_pem(&der, scheme, hf_bytes_init(pem, pem_of(pem, sizeof pem, key))), HF_OK);
    size_t other_len = pem_of(pem, sizeof pem, other);
    assert_int_equal(hf_spki_parse_pem(&other_der, HF_SPKI_PSS_SHA256, hf_bytes_init(pem, other_len)), HF_OK);
    struct hf_bytes sig = sign(room, key, scheme);
    for (size_t used = 0; used < SCHEMES; used++) {
      assert_int_equal(hf_spki_verify(hf_buf_bytes(&der), (enum hf_spki_scheme)used, MESSAGE, sig),
                       used == made ? HF_ALLOW : HF_DENY);
    }
    assert_int_equal(hf_spki_verify(hf_buf_bytes(&other_der), scheme, MESSAGE, sig), HF_DENY);
    assert_int_equal(hf_spki_verify(hf_buf_bytes(&der), scheme, HF_LIT("canonical byteS"), sig), HF_DENY);
    assert_int_equal(hf_spki_verify(hf_buf_bytes(&der), scheme, MESSAGE, hf_bytes_init(sig.at, sig.len - 1)), HF_DENY);
    assert_int_equal(hf_spki_verify(hf_buf_bytes(&der), scheme, MESSAGE, (struct hf_bytes){NULL, 0}), HF_DENY);
    room[sig.len / 2] ^= 1;
    assert_int_equal(hf_spki_verify(hf_buf_bytes(&der), scheme, MESSAGE, sig), HF_DENY);
  }
  EVP_PKEY_free(rsa);
  EVP_PKEY_free(other);
  EVP_PKEY_free(p384);
}

static void refuses_short_keys_other_types_and_broken_text(void **state)
{
  (void)state;
  EVP_PKEY *keys[] = {EVP_RSA_gen(1024), EVP_EC_gen("P-256"), EVP_EC_gen("P-521"),
                      EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
  uint8_t pem[2048], room[HF_SPKI_DER_MAX];
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    size_t len = pem_of(pem, sizeof pem, keys[i]);
    for (size_t scheme = 0; scheme < SCHEMES; scheme++) {
      struct hf_buf der = hf_buf_init(room, sizeof room);
      assert_int_equal(hf_spki_parse_pem(&der, (enum hf_spki_scheme)scheme, hf_bytes_init(pem, len)), HF_E_INPUT);
    }
    EVP_PKEY_free(keys[i]);
  }
  struct hf_buf der = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_spki_parse_pem(&der, HF_SPKI_PSS_SHA256, HF_LIT("")), HF_E_INPUT);
  assert_int_equal(hf_spki_parse_pem(&der, HF_SPKI_PSS_SHA256, HF_LIT("-----BEGIN PUBLIC KEY-----\nAAAA\n")),
                   HF_E_INPUT);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(knows_the_schemes_of_securesystemslib_and_no_weak_ones),
      cmocka_unit_test(a_signature_counts_for_its_scheme_key_and_message_only),
      cmocka_unit_test(refuses_short_keys_other_types_and_broken_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
