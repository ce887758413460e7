/* SPDX-License-Identifier: Apache-2.0
 * Keys that live in a SoftHSM token and in a TPM emulated by swtpm.
 */
#include "tests/crypto/tokens.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "hf/crypto/key.h"

static struct softhsm hsm;
static struct swtpm tpm;

static int open_homes(void **state)
{
  (void)state;
  softhsm_open(&hsm, "Factory keys");
  swtpm_open(&tpm);
  return 0;
}

static int close_homes(void **state)
{
  (void)state;
  swtpm_close(&tpm);
  softhsm_close(&hsm);
  return 0;
}

/* Makes a key in the token and gives its URI with the PIN file. */
static const char *make(const char *object)
{
  static char uri[512];
  struct hf_key *key = NULL;
  struct hf_why why = {.rule = 0};
  (void)snprintf(uri, sizeof uri, "pkcs11:token=Factory%%20keys;object=%s?pin-source=file:%s\n", object, hsm.pin);
  assert_int_equal(hf_key_create(&key, hf_bytes_text(uri), HF_LIT(""), &why), HF_OK);
  assert_int_equal(why.rule, 0);
  hf_key_free(key);
  return uri;
}

static void expect_refused(const char *uri, const char *pin, enum hf_err err, enum hf_rule rule)
{
  struct hf_key *key = NULL;
  struct hf_why why = {.rule = 0};
  assert_int_equal(hf_key_open(&key, hf_bytes_text(uri), hf_bytes_text(pin), &why), err);
  assert_int_equal(why.rule, rule);
  assert_null(key);
}

static void expect_signs(const struct hf_key *key)
{
  uint8_t digest[HF_SHA256_LEN];
  uint8_t room[HF_SIG_MAX];
  struct hf_buf sig = hf_buf_init(room, sizeof room);
  struct hf_pubkey pub;
  hf_sha256(digest, HF_LIT("message"));
  assert_int_equal(hf_key_public(&pub, key), HF_OK);
  for (int i = 0; i < 20; i++) { /* short r and s come by now and then */
    sig.len = 0;
    assert_int_equal(hf_key_sign(&sig, key, HF_LIT("message")), HF_OK);
    assert_int_equal(hf_p256_verify(&pub, digest, hf_buf_bytes(&sig)), HF_ALLOW);
  }
}

/* X.509 and TLS take it as they take any key. */
static void expect_native(const struct hf_key *key)
{
  X509 *cert = X509_new();
  SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
  assert_non_null(cert);
  assert_non_null(tls);
  assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
  assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), 0));
  assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
  assert_int_equal(X509_set_pubkey(cert, hf_key_native(key)), 1);
  assert_true(X509_sign(cert, hf_key_native(key), EVP_sha256()) > 0);
  assert_int_equal(X509_verify(cert, X509_get0_pubkey(cert)), 1);
  assert_int_equal(X509_check_private_key(cert, hf_key_native(key)), 1);
  assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(cert), hf_key_native(key)), 1);
  assert_int_equal(SSL_CTX_use_certificate(tls, cert), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey(tls, hf_key_native(key)), 1);
  SSL_CTX_free(tls);
  X509_free(cert);
}

static void a_key_made_in_a_token_signs_like_any_other(void **state)
{
  (void)state;
  struct hf_key *key = NULL;
  struct hf_why why = {.rule = 0};
  const char *uri = make("root");
  assert_true(hf_key_is_reference(hf_bytes_text(uri)));
  assert_int_equal(hf_key_open(&key, hf_bytes_text(uri), HF_LIT(""), &why), HF_OK);
  assert_int_equal(hf_key_home(key), HF_KEY_IN_PKCS11);
  expect_signs(key);
  expect_native(key);
  hf_key_free(key);
}

static void a_key_cannot_leave_its_token(void **state)
{
  (void)state;
  struct hf_key *key = NULL;
  uint8_t room[HF_KEY_PEM_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_key_parse(&key, hf_bytes_text(make("stays")), HF_LIT("")), HF_OK);
  assert_int_equal(hf_key_encode(&out, key, HF_LIT("")), HF_E_STATE);
  assert_int_equal(out.len, 0);
  hf_key_free(key);
}

static void two_keys_of_one_token_are_open_at_once_and_outlive_each_other(void **state)
{
  (void)state;
  struct hf_key *one = NULL;
  struct hf_key *two = NULL;
  assert_int_equal(hf_key_parse(&one, hf_bytes_text(make("one")), HF_LIT("")), HF_OK);
  assert_int_equal(hf_key_parse(&two, hf_bytes_text(make("two")), HF_LIT("")), HF_OK);
  expect_signs(one);
  expect_signs(two);
  hf_key_free(one);
  expect_signs(two);
  hf_key_free(two);
}

static void the_passphrase_is_the_pin_when_the_uri_names_none(void **state)
{
  (void)state;
  struct hf_key *key = NULL;
  (void)make("typed");
  const char *uri = "pkcs11:token=Factory%20keys;object=typed;type=private?module-path=" SOFTHSM_MODULE;
  assert_int_equal(hf_key_parse(&key, hf_bytes_text(uri), HF_LIT(SOFTHSM_PIN)), HF_OK);
  expect_signs(key);
  hf_key_free(key);
  expect_refused(uri, "", HF_E_DENIED, HF_RULE_KEY_PIN_NONE);
}

static void says_which_of_module_token_and_key_is_missing(void **state)
{
  (void)state;
  char uri[512];
  (void)make("here");
  expect_refused("pkcs11:object=here?module-path=/nowhere/p11.so", SOFTHSM_PIN, HF_E_IO, HF_RULE_KEY_MODULE);
  expect_refused("pkcs11:object=here?module-path=/usr/lib/x86_64-linux-gnu/libcrypto.so.3", SOFTHSM_PIN, HF_E_IO,
                 HF_RULE_KEY_MODULE);
  expect_refused("pkcs11:token=factory%20keys;object=here", SOFTHSM_PIN, HF_E_NOT_FOUND, HF_RULE_KEY_TOKEN);
  expect_refused("pkcs11:token=Factory%20keys;object=her", SOFTHSM_PIN, HF_E_NOT_FOUND, HF_RULE_KEY_OBJECT);
  expect_refused("pkcs11:token=Factory%20keys;object=", SOFTHSM_PIN, HF_E_INPUT, HF_RULE_KEY_URI);
  (void)snprintf(uri, sizeof uri, "pkcs11:token=Factory%%20keys;object=here?pin-source=file:%s.not", hsm.pin);
  expect_refused(uri, "", HF_E_DENIED, HF_RULE_KEY_PIN_SOURCE);
}

static void several_keys_that_fit_are_not_chosen_from(void **state)
{
  (void)state;
  char uri[512];
  struct hf_key *key = NULL;
  for (int i = 1; i <= 2; i++) {
    (void)snprintf(uri, sizeof uri, "pkcs11:token=Factory%%20keys;object=twins;id=%%0%d", i);
    assert_int_equal(hf_key_create(&key, hf_bytes_text(uri), HF_LIT(SOFTHSM_PIN), NULL), HF_OK);
    hf_key_free(key);
  }
  expect_refused("pkcs11:token=Factory%20keys;object=twins", SOFTHSM_PIN, HF_E_INPUT, HF_RULE_KEY_OBJECTS);
  assert_int_equal(hf_key_parse(&key, HF_LIT("pkcs11:object=twins;id=%02"), HF_LIT(SOFTHSM_PIN)), HF_OK);
  hf_key_free(key);
}

static void a_key_is_never_made_over_another(void **state)
{
  (void)state;
  struct hf_key *key = NULL;
  struct hf_why why = {.rule = 0};
  const char *uri = make("mine");
  assert_int_equal(hf_key_create(&key, hf_bytes_text(uri), HF_LIT(""), &why), HF_E_EXISTS);
  assert_int_equal(why.rule, HF_RULE_KEY_EXISTS);
  assert_null(key);
}

static void a_destroyed_key_is_gone_and_only_that(void **state)
{
  (void)state;
  struct hf_key *key = NULL;
  struct hf_why why = {.rule = 0};
  (void)make("kept");
  const char *uri = make("dropped");
  assert_int_equal(hf_key_destroy(hf_bytes_text(uri), HF_LIT(""), &why), HF_OK);
  expect_refused(uri, "", HF_E_NOT_FOUND, HF_RULE_KEY_OBJECT);
  assert_int_equal(hf_key_destroy(hf_bytes_text(uri), HF_LIT(""), &why), HF_E_NOT_FOUND);
  assert_int_equal(hf_key_destroy(HF_LIT("pkcs11:token=Factory%20keys"), HF_LIT(SOFTHSM_PIN), NULL), HF_E_INPUT);
  assert_int_equal(hf_key_parse(&key, HF_LIT("pkcs11:object=kept"), HF_LIT(SOFTHSM_PIN)), HF_OK);
  hf_key_free(key);
}

static void a_pin_file_that_others_may_read_is_not_used(void **state)
{
  (void)state;
  const char *uri = make("open-pin");
  assert_int_equal(chmod(hsm.pin, 0640), 0);
  expect_refused(uri, "", HF_E_DENIED, HF_RULE_KEY_PIN_SOURCE);
  assert_int_equal(chmod(hsm.pin, 0600), 0);
}

static void a_wrong_pin_is_tried_once_and_a_stored_one_never_again(void **state)
{
  (void)state;
  struct hf_key *key = NULL;
  const char *typed = "pkcs11:token=Factory%20keys;object=pin";
  (void)make("pin");
  expect_refused("pkcs11:token=Factory%20keys;object=pin?pin-value=wrong-one", "", HF_E_DENIED, HF_RULE_KEY_PIN);
  /* A process that starts again and again with this URI does not lock the token. */
  for (int i = 0; i < 20; i++) {
    expect_refused("pkcs11:token=Factory%20keys;object=pin?pin-value=wrong-one", "", HF_E_DENIED,
                   HF_RULE_KEY_PIN_STALE);
  }
  assert_int_equal(hf_key_parse(&key, hf_bytes_text(typed), HF_LIT(SOFTHSM_PIN)), HF_OK);
  hf_key_free(key);
  assert_int_equal(hf_key_parse(&key, hf_bytes_text(make("pin-after")), HF_LIT("")), HF_OK);
  hf_key_free(key);
}

static void a_token_pulled_out_fails_the_signature_and_says_so(void **state)
{
  (void)state;
  char command[256];
  uint8_t room[HF_SIG_MAX];
  struct hf_buf sig = hf_buf_init(room, sizeof room);
  struct hf_key *key = NULL;
  assert_int_equal(hf_key_parse(&key, hf_bytes_text(make("pulled")), HF_LIT("")), HF_OK);
  (void)snprintf(command, sizeof command, "mv %s/tokens %s/away && mkdir %s/tokens", hsm.dir, hsm.dir, hsm.dir);
  tokens_run(command);
  assert_int_equal(hf_key_sign(&sig, key, HF_LIT("message")), HF_E_IO);
  assert_true(hf_key_rule(key) == HF_RULE_KEY_GONE || hf_key_rule(key) == HF_RULE_KEY_TOKEN_FAILED);
  assert_int_equal(sig.len, 0);
  hf_key_free(key);
  (void)snprintf(command, sizeof command, "rmdir %s/tokens && mv %s/away %s/tokens", hsm.dir, hsm.dir, hsm.dir);
  tokens_run(command);
}

/* ---- TPM ---- */

static void a_key_made_in_the_tpm_comes_back_from_its_wrapped_form(void **state)
{
  (void)state;
  struct hf_key *key = NULL;
  struct hf_key *again = NULL;
  struct hf_pubkey a;
  struct hf_pubkey b;
  struct hf_why why = {.rule = 0};
  uint8_t room[HF_KEY_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_key_create_tpm(&key, &why), HF_OK);
  assert_int_equal(hf_key_home(key), HF_KEY_IN_TPM);
  expect_signs(key);
  expect_native(key);
  assert_int_equal(hf_key_encode(&pem, key, HF_LIT("")), HF_OK);
  assert_false(hf_key_is_reference(hf_buf_bytes(&pem)));
  assert_int_equal(hf_key_public(&a, key), HF_OK);
  hf_key_free(key);
  assert_int_equal(hf_key_parse(&again, hf_buf_bytes(&pem), HF_LIT("")), HF_OK);
  assert_int_equal(hf_key_public(&b, again), HF_OK);
  assert_memory_equal(a.at, b.at, a.len);
  expect_signs(again);
  hf_key_free(again);
}

static void a_persistent_handle_of_the_tpm_is_a_key(void **state)
{
  (void)state;
  char command[1024];
  struct hf_key *key = NULL;
  (void)snprintf(command, sizeof command,
                 "cd %s && export TPM2TOOLS_TCTI=swtpm:path=%s/tpm && tpm2_createprimary -Q -C o -c p.ctx && "
                 "tpm2_flushcontext -t && "
                 "tpm2_create -Q -C p.ctx -G ecc256:ecdsa-sha256 -u k.pub -r k.priv && tpm2_flushcontext -t && "
                 "tpm2_load -Q -C p.ctx -u k.pub -r k.priv -c k.ctx && "
                 "tpm2_evictcontrol -Q -C o -c k.ctx 0x81000010 && tpm2_flushcontext -t",
                 tpm.dir, tpm.dir);
  tokens_run(command);
  assert_int_equal(hf_key_parse(&key, HF_LIT("tpm2:handle=0x81000010\n"), HF_LIT("")), HF_OK);
  assert_int_equal(hf_key_home(key), HF_KEY_IN_TPM);
  expect_signs(key);
  expect_native(key);
  hf_key_free(key);
  expect_refused("tpm2:handle=0x81000011", "", HF_E_NOT_FOUND, HF_RULE_KEY_TPM_HANDLE);
  expect_refused("tpm2:handle=0x01000010", "", HF_E_INPUT, HF_RULE_KEY_TPM_HANDLE);
  expect_refused("tpm2:", "", HF_E_INPUT, HF_RULE_KEY_TPM_HANDLE);
}

static void another_tpm_cannot_use_the_wrapped_form(void **state)
{
  (void)state;
  struct hf_key *key = NULL;
  struct swtpm other;
  uint8_t room[HF_KEY_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  char back[128];
  (void)snprintf(back, sizeof back, "%s", getenv("TPM2OPENSSL_TCTI"));
  assert_int_equal(hf_key_create_tpm(&key, NULL), HF_OK);
  assert_int_equal(hf_key_encode(&pem, key, HF_LIT("")), HF_OK);
  assert_int_equal(hf_buf_terminate(&pem), HF_OK);
  hf_key_free(key);
  swtpm_open(&other);
  expect_refused((const char *)room, "", HF_E_INPUT, HF_RULE_KEY_TPM_FOREIGN);
  swtpm_close(&other);
  assert_int_equal(setenv("TPM2OPENSSL_TCTI", back, 1), 0);
}

static void a_tpm_that_is_not_there_is_told_apart_from_a_bad_key(void **state)
{
  (void)state;
  char back[128];
  struct hf_key *key = NULL;
  struct hf_why why = {.rule = 0};
  (void)snprintf(back, sizeof back, "%s", getenv("TPM2OPENSSL_TCTI"));
  assert_int_equal(setenv("TPM2OPENSSL_TCTI", "swtpm:path=/tmp/hf-no-such-tpm", 1), 0);
  assert_int_equal(hf_key_create_tpm(&key, &why), HF_E_IO);
  assert_int_equal(why.rule, HF_RULE_KEY_TPM);
  assert_int_equal(setenv("TPM2OPENSSL_TCTI", back, 1), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_key_made_in_a_token_signs_like_any_other),
      cmocka_unit_test(a_key_cannot_leave_its_token),
      cmocka_unit_test(two_keys_of_one_token_are_open_at_once_and_outlive_each_other),
      cmocka_unit_test(the_passphrase_is_the_pin_when_the_uri_names_none),
      cmocka_unit_test(says_which_of_module_token_and_key_is_missing),
      cmocka_unit_test(several_keys_that_fit_are_not_chosen_from),
      cmocka_unit_test(a_key_is_never_made_over_another),
      cmocka_unit_test(a_destroyed_key_is_gone_and_only_that),
      cmocka_unit_test(a_pin_file_that_others_may_read_is_not_used),
      cmocka_unit_test(a_wrong_pin_is_tried_once_and_a_stored_one_never_again),
      cmocka_unit_test(a_token_pulled_out_fails_the_signature_and_says_so),
      cmocka_unit_test(a_key_made_in_the_tpm_comes_back_from_its_wrapped_form),
      cmocka_unit_test(a_persistent_handle_of_the_tpm_is_a_key),
      cmocka_unit_test(another_tpm_cannot_use_the_wrapped_form),
      cmocka_unit_test(a_tpm_that_is_not_there_is_told_apart_from_a_bad_key),
  };
  return cmocka_run_group_tests_name("keyhome", tests, open_homes, close_homes);
}
