/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/vaultcert.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "hf/wire/names.h"
#include "hf/wire/pubkey.h"

#define SERIAL_LEN 16 /* RFC 5280 section 4.1.2.2 allows 20; 126 random bits cannot be guessed */
#define CERT_MAX 2048

/* The point as an OpenSSL key; EVP_PKEY_public_check refuses what is not on the curve. */
static EVP_PKEY *key_of(const struct hf_pubkey *key)
{
  uint8_t room[HF_SPKI_MAX];
  struct hf_buf spki = hf_buf_init(room, sizeof room);
  if (key->type != HF_KEY_P256) {
    return NULL;
  }
  hf_pubkey_put_spki(&spki, key);
  const uint8_t *at = room;
  EVP_PKEY *made = spki.failed ? NULL : d2i_PUBKEY(NULL, &at, (long)spki.len);
  EVP_PKEY_CTX *ctx = made == NULL ? NULL : EVP_PKEY_CTX_new(made, NULL);
  bool good = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;
  EVP_PKEY_CTX_free(ctx);
  if (!good) {
    EVP_PKEY_free(made);
    return NULL;
  }
  return made;
}

static bool set_serial(X509 *cert)
{
  uint8_t serial[SERIAL_LEN];
  if (RAND_bytes(serial, sizeof serial) != 1) {
    return false;
  }
  serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive and always of the same length */
  BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
  bool good = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
  BN_free(number);
  return good;
}

static bool set_names(X509 *cert, X509 *ca, struct hf_bytes id)
{
  X509_NAME *name = X509_get_subject_name(cert);
  /* RFC 5280 appendix A wants serialNumber as PrintableString, which has no '_'; an id with one has to be UTF-8. */
  int type = memchr(id.at, '_', id.len) == NULL ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING;
  return X509_set_issuer_name(cert, X509_get_subject_name(ca)) == 1 &&
         X509_NAME_add_entry_by_NID(name, NID_serialNumber, type, id.at, (int)id.len, -1, 0) == 1 &&
         X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING, id.at, (int)id.len, -1, 0) == 1;
}

static bool set_times(X509 *cert, const struct hf_vault_issue *issue)
{
  return ASN1_TIME_adj(X509_getm_notBefore(cert), (time_t)issue->not_before, 0, 0) != NULL &&
         ASN1_TIME_adj(X509_getm_notAfter(cert), (time_t)issue->not_after, 0, 0) != NULL;
}

static bool add_extensions(X509 *cert, X509 *ca)
{
  static const struct {
    int nid;
    const char *value;
  } wanted[] = {
      {NID_basic_constraints, "critical,CA:FALSE"},
      {NID_key_usage, "critical,digitalSignature"},
      {NID_ext_key_usage, "clientAuth"},
      {NID_subject_key_identifier, "hash"},
      {NID_authority_key_identifier, "keyid"},
  };
  X509V3_CTX ctx;
  X509V3_set_ctx_nodb(&ctx);
  X509V3_set_ctx(&ctx, ca, cert, NULL, NULL, 0);
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, wanted[i].nid, wanted[i].value);
    bool added = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    if (!added) {
      return false;
    }
  }
  return true;
}

/* Where the revocation list is (RFC 5280 section 4.2.1.13): one name, an address. Built by hand, since the text form
 * of OpenSSL gives a meaning to commas. */
static bool add_crl_url(X509 *cert, struct hf_bytes url)
{
  if (url.len == 0) {
    return true;
  }
  CRL_DIST_POINTS *points = sk_DIST_POINT_new_null();
  DIST_POINT *point = DIST_POINT_new();
  DIST_POINT_NAME *name = DIST_POINT_NAME_new();
  GENERAL_NAMES *names = GENERAL_NAMES_new();
  GENERAL_NAME *one = GENERAL_NAME_new();
  ASN1_IA5STRING *text = ASN1_IA5STRING_new();
  bool good = points != NULL && point != NULL && name != NULL && names != NULL && one != NULL && text != NULL &&
              ASN1_STRING_set(text, url.at, (int)url.len) == 1;
  if (good) {
    GENERAL_NAME_set0_value(one, GEN_URI, text);
    text = NULL;
    good = sk_GENERAL_NAME_push(names, one) > 0;
    one = good ? NULL : one;
  }
  if (good) {
    name->type = 0;
    name->name.fullname = names;
    point->distpoint = name;
    names = NULL;
    name = NULL;
    good = sk_DIST_POINT_push(points, point) > 0;
    point = good ? NULL : point;
  }
  good = good && X509_add1_ext_i2d(cert, NID_crl_distribution_points, points, 0, X509V3_ADD_DEFAULT) == 1;
  ASN1_IA5STRING_free(text);
  GENERAL_NAME_free(one);
  GENERAL_NAMES_free(names);
  DIST_POINT_NAME_free(name);
  DIST_POINT_free(point);
  CRL_DIST_POINTS_free(points);
  return good;
}

static bool url_check(struct hf_bytes url)
{
  for (size_t i = 0; i < url.len; i++) {
    if (url.at[i] <= ' ' || url.at[i] > '~') {
      return false;
    }
  }
  return url.len <= HF_VAULT_URL_MAX;
}

static enum hf_err put_der(struct hf_buf *out, X509 *cert)
{
  uint8_t der[CERT_MAX];
  uint8_t *at = der;
  int len = i2d_X509(cert, NULL);
  if (len <= 0 || (size_t)len > sizeof der) {
    return HF_E_CRYPTO;
  }
  len = i2d_X509(cert, &at);
  hf_buf_put(out, hf_bytes_init(der, (size_t)len));
  return out->failed ? HF_E_SPACE : HF_OK;
}

enum hf_err hf_vaultcert_issue(struct hf_buf *out, const struct hf_vaultcert_ca *ca, const struct hf_vault_issue *issue)
{
  X509 *authority = ca->certificate;
  time_t end = (time_t)issue->not_after;
  if (!hf_names_check_device(issue->device) || issue->not_before < 0 || issue->not_after <= issue->not_before ||
      !url_check(issue->crl_url)) {
    return HF_E_INPUT;
  }
  if (X509_cmp_time(X509_get0_notAfter(authority), &end) < 0) {
    return HF_E_STATE;
  }
  EVP_PKEY *key = key_of(&issue->key);
  if (key == NULL) {
    return HF_E_INPUT;
  }
  enum hf_err err = HF_E_CRYPTO;
  X509 *cert = X509_new();
  if (cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
      set_names(cert, authority, issue->device) && set_times(cert, issue) && X509_set_pubkey(cert, key) == 1 &&
      add_extensions(cert, authority) && add_crl_url(cert, issue->crl_url) &&
      X509_sign(cert, hf_key_native(ca->key), EVP_sha256()) > 0) {
    err = put_der(out, cert);
  }
  X509_free(cert);
  EVP_PKEY_free(key);
  return err;
}
