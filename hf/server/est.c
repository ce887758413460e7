/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */
#include "hf/server/est.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <string.h>

#include "hf/codec/text.h"

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule)
{
  ERR_clear_error();
  hf_why_put(why, rule, 0);
  return HF_E_INPUT;
}

/* The base64 part of a PEM file, when it is one; else the whole. */
static struct hf_bytes armour_off(struct hf_bytes body)
{
  static const char begin[] = "-----BEGIN CERTIFICATE REQUEST-----";
  static const char end[] = "-----END CERTIFICATE REQUEST-----";
  if (body.len < sizeof begin || memcmp(body.at, begin, sizeof begin - 1) != 0) {
    return body;
  }
  struct hf_bytes inner = {body.at + sizeof begin - 1, body.len - (sizeof begin - 1)};
  const uint8_t *stop = memmem(inner.at, inner.len, end, sizeof end - 1);
  if (stop == NULL) {
    return body;
  }
  inner.len = (size_t)(stop - inner.at);
  return inner;
}

/* P-256, uncompressed in our form whatever the request's encoding of the point was. */
static bool take_key(struct hf_pubkey *key, EVP_PKEY *from)
{
  char group[32] = "";
  size_t len = 0;
  uint8_t point[HF_P256_PUBLIC_LEN + 1];
  if (from == NULL || EVP_PKEY_get_base_id(from) != EVP_PKEY_EC ||
      EVP_PKEY_get_utf8_string_param(from, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, NULL) != 1 ||
      strcmp(group, "prime256v1") != 0 ||
      EVP_PKEY_get_octet_string_param(from, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len) != 1 ||
      len != HF_P256_PUBLIC_LEN || point[0] != 4) {
    return false;
  }
  *key = (struct hf_pubkey){.type = HF_KEY_P256, .len = HF_P256_PUBLIC_LEN};
  memcpy(key->at, point, HF_P256_PUBLIC_LEN);
  return true;
}

enum name_state { NAME_ABSENT, NAME_GOOD, NAME_BAD };

static enum name_state take_name(char *out, const X509_NAME *subject, int nid)
{
  int at = X509_NAME_get_index_by_NID(subject, nid, -1);
  if (at < 0) {
    return NAME_ABSENT;
  }
  unsigned char *text = NULL;
  int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  bool good = len > 0 && X509_NAME_get_index_by_NID(subject, nid, at) < 0 &&
              hf_names_check_device(hf_bytes_init(text, (size_t)len));
  if (good) {
    memcpy(out, text, (size_t)len);
    out[len] = '\0';
  }
  OPENSSL_free(text);
  return good ? NAME_GOOD : NAME_BAD;
}

/* serialNumber or CN; equal when both are there. */
static bool take_device(char device[HF_DEVICE_ID_MAX + 1], const X509_NAME *subject)
{
  char serial[HF_DEVICE_ID_MAX + 1] = "";
  char common[HF_DEVICE_ID_MAX + 1] = "";
  enum name_state by_serial = take_name(serial, subject, NID_serialNumber);
  enum name_state by_common = take_name(common, subject, NID_commonName);
  if (by_serial == NAME_BAD || by_common == NAME_BAD || (by_serial == NAME_ABSENT && by_common == NAME_ABSENT) ||
      (by_serial == NAME_GOOD && by_common == NAME_GOOD && strcmp(serial, common) != 0)) {
    return false;
  }
  memcpy(device, by_serial == NAME_GOOD ? serial : common, HF_DEVICE_ID_MAX + 1);
  return true;
}

static enum hf_err judge(struct hf_est_csr *csr, X509_REQ *request, struct hf_why *why)
{
  EVP_PKEY *key = X509_REQ_get0_pubkey(request);
  if (!take_key(&csr->key, key)) {
    return refuse(why, HF_RULE_CSR_KEY);
  }
  if (X509_REQ_verify(request, key) != 1) {
    return refuse(why, HF_RULE_CSR_SIGNATURE);
  }
  if (!take_device(csr->device, X509_REQ_get_subject_name(request))) {
    return refuse(why, HF_RULE_CSR_SUBJECT);
  }
  return HF_OK;
}

enum hf_err hf_est_parse(struct hf_est_csr *csr, struct hf_bytes body, struct hf_why *why)
{
  uint8_t room[HF_EST_CSR_MAX];
  struct hf_buf der = hf_buf_init(room, sizeof room);
  *csr = (struct hf_est_csr){0};
  if (body.len > HF_EST_BODY_MAX || hf_base64_parse(&der, armour_off(body)) != HF_OK || der.len == 0) {
    return refuse(why, HF_RULE_CSR_BASE64);
  }
  const uint8_t *at = room;
  X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len);
  if (request == NULL || at != room + der.len) {
    X509_REQ_free(request);
    return refuse(why, HF_RULE_CSR_DER);
  }
  enum hf_err err = judge(csr, request, why);
  X509_REQ_free(request);
  ERR_clear_error();
  return err;
}

/* ---- replies ---- */

static PKCS7 *certs_only(X509 *const *certificates, size_t count)
{
  PKCS7 *message = PKCS7_new();
  bool good = message != NULL && PKCS7_set_type(message, NID_pkcs7_signed) == 1 &&
              PKCS7_content_new(message, NID_pkcs7_data) == 1 && PKCS7_set_detached(message, 1) == 1;
  for (size_t i = 0; good && i < count; i++) {
    good = PKCS7_add_certificate(message, certificates[i]) == 1;
  }
  if (!good) {
    PKCS7_free(message);
    return NULL;
  }
  return message;
}

enum hf_err hf_est_encode(struct hf_buf *out, X509 *const *certificates, size_t count)
{
  PKCS7 *message = certs_only(certificates, count);
  unsigned char *der = NULL;
  int len = message == NULL ? -1 : i2d_PKCS7(message, &der);
  PKCS7_free(message);
  if (len <= 0) {
    ERR_clear_error();
    return HF_E_CRYPTO;
  }
  hf_base64_put(out, hf_bytes_init(der, (size_t)len));
  OPENSSL_free(der);
  return out->failed ? HF_E_SPACE : HF_OK;
}

enum hf_err hf_est_encode_der(struct hf_buf *out, struct hf_bytes certificate)
{
  const uint8_t *at = certificate.at;
  X509 *parsed = d2i_X509(NULL, &at, (long)certificate.len);
  if (parsed == NULL || at != certificate.at + certificate.len) {
    X509_free(parsed);
    ERR_clear_error();
    return HF_E_INPUT;
  }
  enum hf_err err = hf_est_encode(out, &parsed, 1);
  X509_free(parsed);
  return err;
}
