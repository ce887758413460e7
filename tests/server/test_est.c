/* SPDX-License-Identifier: Apache-2.0
 * Enrolment requests made with OpenSSL in every wrong way, and replies read back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pkcs7.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "hf/codec/text.h"
#include "hf/server/est.h"

struct csr {
  uint8_t der[8192];
  size_t len;
  char text[12288];
};

static void add(X509_NAME *name, const char *field, const char *value)
{
  if (value != NULL) {
    assert_int_equal(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0),
                     1);
  }
}

static void make(struct csr *csr, EVP_PKEY *key, EVP_PKEY *signer, const char *serial, const char *common)
{
  X509_REQ *request = X509_REQ_new();
  uint8_t *at = csr->der;
  add(X509_REQ_get_subject_name(request), "serialNumber", serial);
  add(X509_REQ_get_subject_name(request), "CN", common);
  assert_int_equal(X509_REQ_set_pubkey(request, key), 1);
  assert_true(X509_REQ_sign(request, signer, EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED25519 ? NULL : EVP_sha256()) >
              0);
  int len = i2d_X509_REQ(request, NULL);
  assert_true(len > 0 && (size_t)len <= sizeof csr->der);
  csr->len = (size_t)i2d_X509_REQ(request, &at);
  X509_REQ_free(request);
}

static enum hf_err parse_der(struct hf_est_csr *out, struct csr *csr, uint16_t *rule)
{
  struct hf_why why = {0};
  struct hf_buf text = hf_buf_init(csr->text, sizeof csr->text);
  hf_base64_put(&text, hf_bytes_init(csr->der, csr->len));
  enum hf_err err = hf_est_parse(out, hf_buf_bytes(&text), &why);
  *rule = why.rule;
  return err;
}

static void reads_a_good_request(void **state)
{
  (void)state;
  struct csr csr;
  struct hf_est_csr out;
  uint16_t rule;
  uint8_t point[HF_P256_PUBLIC_LEN];
  size_t len = 0;
  EVP_PKEY *key = EVP_EC_gen("P-256");
  static const char *const names[][2] = {{"sn-1", "sn-1"}, {"sn-1", NULL}, {NULL, "sn-1"}};
  assert_int_equal(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len), 1);
  for (size_t i = 0; i < 3; i++) {
    make(&csr, key, key, names[i][0], names[i][1]);
    assert_int_equal(parse_der(&out, &csr, &rule), HF_OK);
    assert_string_equal(out.device, "sn-1");
    assert_memory_equal(out.key.at, point, sizeof point);
  }
  EVP_PKEY_free(key);
}

static void names_that_are_none_or_two_are_refused(void **state)
{
  (void)state;
  static const char *const names[][2] = {{NULL, NULL},      {"sn-1", "sn-2"}, {"a b", NULL},    {NULL, "../x"},
                                         {NULL, ".hidden"}, {NULL, "a/b"},    {"sn-1", "sn/1"}, {NULL, "caf\xc3\xa9"}};
  EVP_PKEY *key = EVP_EC_gen("P-256");
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    struct csr csr;
    struct hf_est_csr out;
    uint16_t rule;
    make(&csr, key, key, names[i][0], names[i][1]);
    assert_int_equal(parse_der(&out, &csr, &rule), HF_E_INPUT);
    assert_int_equal(rule, HF_RULE_CSR_SUBJECT);
  }
  EVP_PKEY_free(key);
}

static void keys_of_other_kinds_are_refused(void **state)
{
  (void)state;
  EVP_PKEY *keys[] = {EVP_EC_gen("P-384"), EVP_EC_gen("secp256k1"), EVP_RSA_gen(2048),
                      EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    struct csr csr;
    struct hf_est_csr out;
    uint16_t rule;
    assert_non_null(keys[i]);
    make(&csr, keys[i], keys[i], "sn-1", NULL);
    assert_int_equal(parse_der(&out, &csr, &rule), HF_E_INPUT);
    assert_int_equal(rule, HF_RULE_CSR_KEY);
    EVP_PKEY_free(keys[i]);
  }
}

/* Somebody else's public key, signed with one's own: a certificate for it would let him claim the other's device. */
static void a_request_signed_by_another_key_is_refused(void **state)
{
  (void)state;
  struct csr csr;
  struct hf_est_csr out;
  uint16_t rule;
  EVP_PKEY *mine = EVP_EC_gen("P-256");
  EVP_PKEY *other = EVP_EC_gen("P-256");
  make(&csr, other, mine, "sn-1", NULL);
  assert_int_equal(parse_der(&out, &csr, &rule), HF_E_INPUT);
  assert_int_equal(rule, HF_RULE_CSR_SIGNATURE);
  EVP_PKEY_free(mine);
  EVP_PKEY_free(other);
}

static void every_changed_byte_and_every_cut_is_refused(void **state)
{
  (void)state;
  struct csr csr;
  struct hf_est_csr out;
  uint16_t rule;
  EVP_PKEY *key = EVP_EC_gen("P-256");
  make(&csr, key, key, "sn-1", "sn-1");
  size_t whole = csr.len;
  for (size_t i = 0; i < whole; i++) {
    csr.der[i] ^= 0x10;
    if (parse_der(&out, &csr, &rule) == HF_OK) {
      fail_msg("byte %zu", i);
    }
    csr.der[i] ^= 0x10;
    csr.len = i;
    assert_int_equal(parse_der(&out, &csr, &rule), HF_E_INPUT);
    csr.len = whole;
  }
  csr.der[csr.len++] = 0;
  assert_int_equal(parse_der(&out, &csr, &rule), HF_E_INPUT);
  assert_int_equal(rule, HF_RULE_CSR_DER);
  EVP_PKEY_free(key);
}

static void line_ends_and_pem_are_read_other_text_is_not(void **state)
{
  (void)state;
  struct csr csr;
  struct hf_est_csr out;
  uint16_t rule;
  struct hf_why why = {0};
  char text[8192] = "-----BEGIN CERTIFICATE REQUEST-----\n";
  EVP_PKEY *key = EVP_EC_gen("P-256");
  make(&csr, key, key, "sn-1", NULL);
  assert_int_equal(parse_der(&out, &csr, &rule), HF_OK);
  size_t n = strlen(text);
  size_t coded = (csr.len + 2) / 3 * 4;
  for (size_t i = 0; i < coded; i++) {
    text[n++] = csr.text[i];
    if (i % 64 == 63) {
      text[n++] = '\r';
      text[n++] = '\n';
    }
  }
  memcpy(text + n, "\n-----END CERTIFICATE REQUEST-----\n", 36);
  assert_int_equal(hf_est_parse(&out, hf_bytes_text(text), &why), HF_OK);
  assert_int_equal(hf_est_parse(&out, hf_bytes_init(text + 36, n - 36), &why), HF_OK); /* lines without the armour */
  text[0] = '_';
  assert_int_equal(hf_est_parse(&out, hf_bytes_text(text), &why), HF_E_INPUT);
  assert_int_equal(why.rule, HF_RULE_CSR_BASE64);
  static uint8_t big[HF_EST_BODY_MAX + 1];
  memset(big, 'A', sizeof big);
  assert_int_equal(hf_est_parse(&out, hf_bytes_init(big, sizeof big), NULL), HF_E_INPUT);
  EVP_PKEY_free(key);
}

static void a_reply_carries_its_certificates(void **state)
{
  (void)state;
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *cert = X509_new();
  uint8_t room[HF_EST_REPLY_MAX];
  uint8_t plain[HF_EST_REPLY_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_buf der = hf_buf_init(plain, sizeof plain);
  add(X509_get_subject_name(cert), "CN", "ca");
  assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), 0));
  assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
  assert_int_equal(X509_set_pubkey(cert, key), 1);
  assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
  X509 *two[] = {cert, cert};
  assert_int_equal(hf_est_encode(&out, two, 1), HF_OK);
  assert_int_equal(hf_base64_parse(&der, hf_buf_bytes(&out)), HF_OK);
  const uint8_t *at = plain;
  PKCS7 *message = d2i_PKCS7(NULL, &at, (long)der.len);
  assert_non_null(message);
  assert_ptr_equal(at, plain + der.len);
  assert_int_equal(sk_X509_num(message->d.sign->cert), 1);
  assert_int_equal(X509_cmp(sk_X509_value(message->d.sign->cert, 0), cert), 0);
  assert_int_equal(sk_PKCS7_SIGNER_INFO_num(message->d.sign->signer_info), 0);
  struct hf_buf small = hf_buf_init(room, 100);
  assert_int_equal(hf_est_encode(&small, two, 1), HF_E_SPACE);
  assert_int_equal(hf_est_encode_der(&out, HF_LIT("no certificate")), HF_E_INPUT);
  PKCS7_free(message);
  X509_free(cert);
  EVP_PKEY_free(key);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_a_good_request),
      cmocka_unit_test(names_that_are_none_or_two_are_refused),
      cmocka_unit_test(keys_of_other_kinds_are_refused),
      cmocka_unit_test(a_request_signed_by_another_key_is_refused),
      cmocka_unit_test(every_changed_byte_and_every_cut_is_refused),
      cmocka_unit_test(line_ends_and_pem_are_read_other_text_is_not),
      cmocka_unit_test(a_reply_carries_its_certificates),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
