/* SPDX-License-Identifier: Apache-2.0 */
#include "minica.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

EVP_PKEY *minica_key(void)
{
  EVP_PKEY *key = EVP_EC_gen("P-256");
  assert_non_null(key);
  return key;
}

static void add_extension(X509 *cert, const struct minica *ca, int nid, const char *value)
{
  X509V3_CTX ctx;
  X509V3_set_ctx_nodb(&ctx);
  X509V3_set_ctx(&ctx, ca->cert != NULL ? ca->cert : cert, cert, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
  assert_non_null(extension);
  assert_int_equal(X509_add_ext(cert, extension, -1), 1);
  X509_EXTENSION_free(extension);
}

static X509 *make(const struct minica *ca, EVP_PKEY *pub, const struct minica_leaf *leaf)
{
  static long serial = 1;
  X509 *cert = X509_new();
  const unsigned char *name = (const unsigned char *)leaf->name;
  assert_non_null(cert);
  X509_NAME *subject = X509_get_subject_name(cert);
  assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
  assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++), 1);
  assert_non_null(ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)leaf->begins));
  assert_non_null(ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)leaf->ends));
  assert_int_equal(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, name, -1, -1, 0), 1);
  assert_int_equal(X509_NAME_add_entry_by_NID(subject, NID_serialNumber, MBSTRING_ASC, name, -1, -1, 0), 1);
  assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(ca->cert != NULL ? ca->cert : cert)), 1);
  assert_int_equal(X509_set_pubkey(cert, pub), 1);
  add_extension(cert, ca, NID_basic_constraints, ca->cert == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (ca->cert == NULL) {
    add_extension(cert, ca, NID_key_usage, "critical,keyCertSign,cRLSign");
  }
  if (leaf->san != NULL) {
    add_extension(cert, ca, NID_subject_alt_name, leaf->san);
  }
  assert_true(X509_sign(cert, ca->key, EVP_sha256()) > 0);
  return cert;
}

struct minica minica_open(const char *name, int64_t begins, int64_t ends)
{
  struct minica ca = {.key = minica_key(), .cert = NULL};
  const struct minica_leaf self = {.name = name, .begins = begins, .ends = ends};
  ca.cert = make(&ca, ca.key, &self);
  return ca;
}

void minica_close(struct minica *ca)
{
  EVP_PKEY_free(ca->key);
  X509_free(ca->cert);
}

X509 *minica_issue(const struct minica *ca, EVP_PKEY *pub, const struct minica_leaf *leaf)
{
  return make(ca, pub, leaf);
}
