/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/pki.h"

#include <arpa/inet.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "hf/base/time.h"
#include "hf/cli/term.h"
#include "hf/wire/pubkey.h"

/* ---- pieces of a certificate ---- */

/* A device id may hold '_', which PrintableString, the type OpenSSL insists on for serialNumber, does not have. */
static bool serial_put(X509_NAME *name, const char *text)
{
  int type = strchr(text, '_') == NULL ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING;
  return X509_NAME_add_entry_by_NID(name, NID_serialNumber, type, (const unsigned char *)text, -1, -1, 0) == 1;
}

static bool name_put(X509_NAME *name, int nid, const char *text)
{
  return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0) == 1;
}

/* 159 random bits: RFC 5280 section 4.1.2.2 wants a positive number of at most 20 octets. */
static bool serial_set(X509 *certificate)
{
  unsigned char random[20];
  if (RAND_bytes(random, sizeof random) != 1) {
    return false;
  }
  random[0] = (unsigned char)((random[0] & 0x7f) | 0x40);
  BIGNUM *number = BN_bin2bn(random, sizeof random, NULL);
  bool done = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
  BN_free(number);
  return done;
}

static bool validity_set(X509 *certificate, struct hf_pki_validity validity)
{
  return ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)validity.not_before) != NULL &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)validity.not_after) != NULL;
}

static bool extension_put(X509 *certificate, X509 *issuer, int nid, const char *value)
{
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  bool done = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return done;
}

static X509 *parse_pem(struct hf_bytes pem)
{
  BIO *bio = pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.at, (int)pem.len);
  X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
  BIO_free(bio);
  ERR_clear_error();
  return certificate;
}

static enum hf_err put_pem(struct hf_buf *out, X509 *certificate)
{
  char *text = NULL;
  BIO *bio = BIO_new(BIO_s_mem());
  enum hf_err err = HF_E_CRYPTO;
  if (bio != NULL && PEM_write_bio_X509(bio, certificate) == 1) {
    long len = BIO_get_mem_data(bio, &text);
    hf_buf_put(out, hf_bytes_init(text, (size_t)len));
    err = out->failed ? HF_E_SPACE : HF_OK;
  }
  BIO_free(bio);
  return err;
}

static bool sign(X509 *certificate, const struct hf_key *key)
{
  struct hf_pubkey pub;
  const EVP_MD *digest = EVP_sha256();
  if (hf_key_public(&pub, key) != HF_OK) {
    return false;
  }
  if (pub.type == HF_KEY_ED25519) {
    digest = NULL; /* it hashes by itself */
  }
  return X509_sign(certificate, hf_key_native(key), digest) > 0;
}

/* A certificate with everything but names, key and extensions. */
static X509 *begin(struct hf_pki_validity validity)
{
  X509 *certificate = X509_new();
  if (certificate != NULL && X509_set_version(certificate, X509_VERSION_3) == 1 && serial_set(certificate) &&
      validity_set(certificate, validity)) {
    return certificate;
  }
  X509_free(certificate);
  return NULL;
}

/* ---- CA ---- */

static bool ca_fill(X509 *ca, const struct hf_key *key, const char *organisation, const char *name, bool stations)
{
  X509_NAME *subject = X509_get_subject_name(ca);
  return name_put(subject, NID_organizationName, organisation) && name_put(subject, NID_commonName, name) &&
         X509_set_issuer_name(ca, subject) == 1 && X509_set_pubkey(ca, hf_key_native(key)) == 1 &&
         extension_put(ca, ca, NID_basic_constraints,
                       stations ? "critical,CA:TRUE,pathlen:1" : "critical,CA:TRUE,pathlen:0") &&
         extension_put(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
         extension_put(ca, ca, NID_subject_key_identifier, "hash") && sign(ca, key);
}

static enum hf_err put_ca(struct hf_buf *pem, const struct hf_key *key, const char *const names[2],
                          struct hf_pki_validity validity, bool stations)
{
  X509 *ca = begin(validity);
  enum hf_err err = HF_E_CRYPTO;
  if (ca != NULL && ca_fill(ca, key, names[0], names[1], stations)) {
    err = put_pem(pem, ca);
  }
  X509_free(ca);
  ERR_clear_error();
  return err;
}

enum hf_err hf_pki_put_ca(struct hf_buf *pem, const struct hf_key *key, const char *organisation, const char *name,
                          struct hf_pki_validity validity)
{
  return put_ca(pem, key, (const char *const[2]){organisation, name}, validity, false);
}

enum hf_err hf_pki_put_factory_ca(struct hf_buf *pem, const struct hf_key *key, const char *organisation,
                                  const char *name, struct hf_pki_validity validity)
{
  return put_ca(pem, key, (const char *const[2]){organisation, name}, validity, true);
}

enum hf_err hf_pki_put_factory_ca_again(struct hf_buf *pem, const struct hf_key *key, struct hf_bytes before)
{
  char organisation[4 * 64 + 1];
  char common[4 * 64 + 1];
  X509 *old = parse_pem(before);
  enum hf_err err = HF_E_INPUT;
  if (old != NULL &&
      X509_NAME_get_text_by_NID(X509_get_subject_name(old), NID_organizationName, organisation, sizeof organisation) >
          0 &&
      X509_NAME_get_text_by_NID(X509_get_subject_name(old), NID_commonName, common, sizeof common) > 0 &&
      X509_check_private_key(old, hf_key_native(key)) == 1) {
    struct hf_pki_validity validity = {(int64_t)time(NULL) - 86400, HF_PKI_NO_END};
    err = hf_pki_put_factory_ca(pem, key, organisation, common, validity);
  }
  X509_free(old);
  ERR_clear_error();
  return err;
}

static bool renewed_fill(X509 *ca, X509 *old, const struct hf_key *key, X509 *issuer, const struct hf_key *signer)
{
  return X509_set_subject_name(ca, X509_get_subject_name(old)) == 1 &&
         X509_set_issuer_name(ca, X509_get_subject_name(old)) == 1 && X509_set_pubkey(ca, hf_key_native(key)) == 1 &&
         extension_put(ca, issuer, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
         extension_put(ca, issuer, NID_key_usage, "critical,keyCertSign,cRLSign") &&
         extension_put(ca, issuer, NID_subject_key_identifier, "hash") &&
         extension_put(ca, issuer, NID_authority_key_identifier, "keyid") && sign(ca, signer);
}

enum hf_err hf_pki_put_server_ca(struct hf_buf *root, struct hf_buf *cross, const struct hf_key *key,
                                 const struct hf_pki_issuer *old, struct hf_pki_validity validity)
{
  enum hf_err err = HF_E_CRYPTO;
  X509 *before = parse_pem(old->certificate);
  X509 *made = begin(validity);
  X509 *vouched = begin(validity);
  if (before != NULL && made != NULL && vouched != NULL && renewed_fill(made, before, key, made, key) &&
      X509_set1_notAfter(vouched, X509_get0_notAfter(before)) == 1 &&
      renewed_fill(vouched, before, key, before, old->key)) {
    err = put_pem(root, made);
    err = err == HF_OK ? put_pem(cross, vouched) : err;
  }
  X509_free(before);
  X509_free(made);
  X509_free(vouched);
  ERR_clear_error();
  return err;
}

/* ---- server ---- */

static bool is_address(const char *name)
{
  unsigned char room[16];
  return inet_pton(AF_INET, name, room) == 1 || inet_pton(AF_INET6, name, room) == 1;
}

static bool is_host_name(const char *name)
{
  size_t len = strlen(name);
  bool plain = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.") == len;
  return plain && len > 0 && len <= 253 && name[0] != '.' && name[0] != '-';
}

static enum hf_err names_put(char *out, size_t cap, const char *const *names)
{
  size_t used = 0;
  for (size_t i = 0; names[i] != NULL; i++) {
    bool address = is_address(names[i]);
    size_t room = strlen(names[i]) + 6;
    if (!address && !is_host_name(names[i])) {
      return HF_E_INPUT;
    }
    if (i >= HF_PKI_NAMES_MAX || used + room >= cap) {
      return HF_E_SPACE;
    }
    hf_format(out + used, cap - used, "%s%s:%s", i == 0 ? "" : ",", address ? "IP" : "DNS", names[i]);
    used += strlen(out + used);
  }
  return used > 0 ? HF_OK : HF_E_INPUT;
}

static bool server_fill(X509 *leaf, X509 *ca, const struct hf_key *key, const char *names, const char *first)
{
  return name_put(X509_get_subject_name(leaf), NID_commonName, first) &&
         X509_set_issuer_name(leaf, X509_get_subject_name(ca)) == 1 && X509_set_pubkey(leaf, hf_key_native(key)) == 1 &&
         extension_put(leaf, ca, NID_basic_constraints, "critical,CA:FALSE") &&
         extension_put(leaf, ca, NID_key_usage, "critical,digitalSignature") &&
         extension_put(leaf, ca, NID_ext_key_usage, "serverAuth") &&
         extension_put(leaf, ca, NID_subject_alt_name, names) &&
         extension_put(leaf, ca, NID_authority_key_identifier, "keyid:always") &&
         extension_put(leaf, ca, NID_subject_key_identifier, "hash");
}

enum hf_err hf_pki_put_server(struct hf_buf *pem, const struct hf_key *key, const char *const *names,
                              const struct hf_pki_issuer *issuer, struct hf_pki_validity validity)
{
  char list[HF_PKI_NAMES_MAX * 64];
  char common[65];
  enum hf_err err = names_put(list, sizeof list, names);
  if (err != HF_OK) {
    return err;
  }
  hf_format(common, sizeof common, "%s", names[0]); /* CN ends at 64; the names that count are in the SAN */
  X509 *ca = parse_pem(issuer->certificate);
  X509 *leaf = begin(validity);
  err = HF_E_CRYPTO;
  if (ca != NULL && leaf != NULL && server_fill(leaf, ca, key, list, common) && sign(leaf, issuer->key)) {
    err = put_pem(pem, leaf);
  }
  X509_free(leaf);
  X509_free(ca);
  ERR_clear_error();
  return err;
}

/* ---- the CA of a factory station ---- */

/* Permitted subtree: subjects that begin with this organisation, product and hardware (RFC 5280 section 4.2.1.10). */
static bool constraints_put(X509 *ca, const char *organisation, const struct hf_pki_factory *factory)
{
  NAME_CONSTRAINTS *constraints = NAME_CONSTRAINTS_new();
  GENERAL_SUBTREE *subtree = GENERAL_SUBTREE_new();
  X509_NAME *name = X509_NAME_new();
  bool done = false;
  if (constraints != NULL && subtree != NULL && name != NULL && name_put(name, NID_organizationName, organisation) &&
      name_put(name, NID_organizationalUnitName, factory->product) &&
      name_put(name, NID_description, factory->hardware) &&
      (constraints->permittedSubtrees = sk_GENERAL_SUBTREE_new_null()) != NULL) {
    GENERAL_NAME_set0_value(subtree->base, GEN_DIRNAME, name);
    name = NULL;
    if (sk_GENERAL_SUBTREE_push(constraints->permittedSubtrees, subtree) > 0) {
      subtree = NULL;
      done = X509_add1_ext_i2d(ca, NID_name_constraints, constraints, 1, X509V3_ADD_APPEND) == 1;
    }
  }
  X509_NAME_free(name);
  GENERAL_SUBTREE_free(subtree);
  NAME_CONSTRAINTS_free(constraints);
  return done;
}

/* The certificate lasts as long as the devices; its key may sign only as long as the order (privateKeyUsagePeriod). */
static bool period_put(X509 *ca, struct hf_pki_validity period)
{
  PKEY_USAGE_PERIOD *usage = PKEY_USAGE_PERIOD_new();
  bool done = usage != NULL && (usage->notBefore = ASN1_GENERALIZEDTIME_set(NULL, (time_t)period.not_before)) != NULL &&
              (usage->notAfter = ASN1_GENERALIZEDTIME_set(NULL, (time_t)period.not_after)) != NULL &&
              X509_add1_ext_i2d(ca, NID_private_key_usage_period, usage, 0, X509V3_ADD_APPEND) == 1;
  PKEY_USAGE_PERIOD_free(usage);
  return done;
}

static bool station_fill(X509 *ca, X509 *above, EVP_PKEY *key, const char *order, const struct hf_pki_factory *factory)
{
  char organisation[4 * 64 + 1];
  char common[64];
  X509_NAME *subject = X509_get_subject_name(ca);
  hf_format(common, sizeof common, "Factory station %s", order);
  return X509_NAME_get_text_by_NID(X509_get_subject_name(above), NID_organizationName, organisation,
                                   sizeof organisation) > 0 &&
         name_put(subject, NID_organizationName, organisation) && name_put(subject, NID_commonName, common) &&
         X509_set_issuer_name(ca, X509_get_subject_name(above)) == 1 && X509_set_pubkey(ca, key) == 1 &&
         extension_put(ca, above, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
         extension_put(ca, above, NID_key_usage, "critical,keyCertSign") &&
         extension_put(ca, above, NID_authority_key_identifier, "keyid:always") &&
         extension_put(ca, above, NID_subject_key_identifier, "hash") && constraints_put(ca, organisation, factory);
}

static EVP_PKEY *native_public(const struct hf_pubkey *pub)
{
  uint8_t room[HF_SPKI_MAX];
  struct hf_buf spki = hf_buf_init(room, sizeof room);
  hf_pubkey_put_spki(&spki, pub);
  const unsigned char *at = room;
  return spki.failed ? NULL : d2i_PUBKEY(NULL, &at, (long)spki.len);
}

static enum hf_err put_der(struct hf_buf *out, X509 *certificate)
{
  unsigned char *der = NULL;
  int len = i2d_X509(certificate, &der);
  if (len <= 0) {
    return HF_E_CRYPTO;
  }
  hf_buf_put(out, hf_bytes_init(der, (size_t)len));
  OPENSSL_free(der);
  return out->failed ? HF_E_SPACE : HF_OK;
}

enum hf_err hf_pki_put_station_ca(struct hf_buf *der, const struct hf_pubkey *station, const char *order,
                                  const struct hf_pki_factory *factory, const struct hf_pki_issuer *issuer,
                                  struct hf_pki_validity period)
{
  X509 *above = parse_pem(issuer->certificate);
  X509 *ca = begin((struct hf_pki_validity){period.not_before - 86400, HF_PKI_NO_END});
  EVP_PKEY *key = native_public(station);
  enum hf_err err = HF_E_CRYPTO;
  if (above != NULL && X509_get_pathlen(above) == 0) {
    err = HF_E_STATE;
  } else if (above != NULL && ca != NULL && key != NULL && station_fill(ca, above, key, order, factory) &&
             period_put(ca, period) && sign(ca, issuer->key)) {
    err = put_der(der, ca);
  }
  EVP_PKEY_free(key);
  X509_free(ca);
  X509_free(above);
  ERR_clear_error();
  return err;
}

enum hf_err hf_pki_public(struct hf_pubkey *pub, struct hf_bytes pem)
{
  X509 *certificate = parse_pem(pem);
  unsigned char *spki = NULL;
  int len = certificate == NULL ? 0 : i2d_PUBKEY(X509_get0_pubkey(certificate), &spki);
  enum hf_err err = len > 0 ? hf_pubkey_parse_spki(pub, hf_bytes_init(spki, (size_t)len)) : HF_E_INPUT;
  OPENSSL_free(spki);
  X509_free(certificate);
  ERR_clear_error();
  return err;
}

enum hf_err hf_pki_pem_of(struct hf_buf *pem, struct hf_bytes der)
{
  const unsigned char *at = der.at;
  X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
  enum hf_err err = certificate == NULL ? HF_E_INPUT : put_pem(pem, certificate);
  X509_free(certificate);
  ERR_clear_error();
  return err;
}

enum hf_err hf_pki_der_of(struct hf_buf *der, struct hf_bytes pem)
{
  X509 *certificate = parse_pem(pem);
  enum hf_err err = certificate == NULL ? HF_E_INPUT : put_der(der, certificate);
  X509_free(certificate);
  return err;
}

/* ---- factory ---- */

static X509_REQ *request_parse(struct hf_bytes request)
{
  if (request.len == 0 || request.len > 65536) {
    return NULL;
  }
  const unsigned char *at = request.at;
  X509_REQ *parsed = NULL;
  if (request.at[0] == 0x30) {
    parsed = d2i_X509_REQ(NULL, &at, (long)request.len);
    if (parsed != NULL && at != request.at + request.len) { /* bytes behind it are nobody's */
      X509_REQ_free(parsed);
      parsed = NULL;
    }
  } else {
    BIO *bio = BIO_new_mem_buf(request.at, (int)request.len);
    parsed = bio == NULL ? NULL : PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    BIO_free(bio);
  }
  ERR_clear_error();
  return parsed;
}

/* An attribute of the subject as UTF-8 into `out`; "" when it is not there, false when it is there twice or too long.
 */
static bool subject_get(char *out, size_t cap, const X509_REQ *request, int nid)
{
  const X509_NAME *subject = X509_REQ_get_subject_name(request);
  int index = X509_NAME_get_index_by_NID(subject, nid, -1);
  unsigned char *text = NULL;
  out[0] = 0;
  if (index < 0) {
    return true;
  }
  if (X509_NAME_get_index_by_NID(subject, nid, index) >= 0) {
    return false;
  }
  int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
  bool fits = len >= 0 && (size_t)len < cap && memchr(text, 0, (size_t)len) == NULL;
  if (fits) {
    memcpy(out, text, (size_t)len);
    out[len] = 0;
  }
  OPENSSL_free(text);
  return fits;
}

static const char *subject_check(struct hf_pki_factory *factory, const X509_REQ *request)
{
  char serial[HF_DEVICE_ID_MAX + 1];
  char common[HF_DEVICE_ID_MAX + 1];
  char product[HF_DEVICE_ID_MAX + 1];
  char hardware[HF_DEVICE_ID_MAX + 1];
  if (!subject_get(serial, sizeof serial, request, NID_serialNumber) ||
      !subject_get(common, sizeof common, request, NID_commonName) ||
      !subject_get(product, sizeof product, request, NID_organizationalUnitName) ||
      !subject_get(hardware, sizeof hardware, request, NID_description)) {
    return "an attribute of its subject is there twice, or longer than 64 bytes";
  }
  if (serial[0] != 0 && common[0] != 0 && strcmp(serial, common) != 0) {
    return "its serialNumber and its CN name different devices";
  }
  hf_format(factory->device, sizeof factory->device, "%s", serial[0] != 0 ? serial : common);
  if (!hf_names_check_device(hf_bytes_text(factory->device))) {
    return "its serialNumber and CN hold no device id (1 to 64 of A-Z a-z 0-9 . _ -)";
  }
  if (product[0] != 0 && strcmp(product, factory->product) != 0) {
    return "it is for another product";
  }
  return hardware[0] != 0 && strcmp(hardware, factory->hardware) != 0 ? "it is for other hardware" : NULL;
}

static bool is_p256(EVP_PKEY *key)
{
  char group[32];
  size_t len = 0;
  return key != NULL && EVP_PKEY_get_group_name(key, group, sizeof group, &len) == 1 &&
         strcmp(group, "prime256v1") == 0;
}

enum hf_err hf_pki_request_check(struct hf_pki_factory *factory, struct hf_bytes request, const char **what)
{
  X509_REQ *parsed = request_parse(request);
  EVP_PKEY *key = parsed == NULL ? NULL : X509_REQ_get0_pubkey(parsed);
  enum hf_err err = HF_E_INPUT;
  if (parsed == NULL) {
    *what = "it is no certificate request (PKCS#10)";
  } else if (!is_p256(key)) {
    *what = "its key is not P-256";
  } else if (X509_REQ_verify(parsed, key) != 1) {
    *what = "it is not signed by its own key: damaged, or not the device's";
    err = HF_E_DENIED;
  } else {
    *what = subject_check(factory, parsed);
    err = *what == NULL ? HF_OK : HF_E_INPUT;
  }
  X509_REQ_free(parsed);
  ERR_clear_error();
  return err;
}

enum hf_err hf_pki_request_key(struct hf_pubkey *pub, struct hf_bytes request)
{
  X509_REQ *parsed = request_parse(request);
  unsigned char *spki = NULL;
  int len = parsed == NULL ? 0 : i2d_PUBKEY(X509_REQ_get0_pubkey(parsed), &spki);
  enum hf_err err = len > 0 ? hf_pubkey_parse_spki(pub, hf_bytes_init(spki, (size_t)len)) : HF_E_INPUT;
  OPENSSL_free(spki);
  X509_REQ_free(parsed);
  ERR_clear_error();
  return err;
}

static bool factory_fill(X509 *leaf, X509 *ca, const struct hf_pki_factory *factory, X509_REQ *request)
{
  X509_NAME *subject = X509_get_subject_name(leaf);
  char organisation[4 * 64 + 1];
  return X509_NAME_get_text_by_NID(X509_get_subject_name(ca), NID_organizationName, organisation, sizeof organisation) >
             0 &&
         name_put(subject, NID_organizationName, organisation) &&
         name_put(subject, NID_organizationalUnitName, factory->product) &&
         name_put(subject, NID_description, factory->hardware) && name_put(subject, NID_commonName, factory->device) &&
         serial_put(subject, factory->device) && X509_set_issuer_name(leaf, X509_get_subject_name(ca)) == 1 &&
         X509_set_pubkey(leaf, X509_REQ_get0_pubkey(request)) == 1 &&
         extension_put(leaf, ca, NID_basic_constraints, "critical,CA:FALSE") &&
         extension_put(leaf, ca, NID_key_usage, "critical,digitalSignature") &&
         extension_put(leaf, ca, NID_ext_key_usage, "clientAuth") &&
         extension_put(leaf, ca, NID_authority_key_identifier, "keyid:always") &&
         extension_put(leaf, ca, NID_subject_key_identifier, "hash");
}

enum hf_err hf_pki_put_factory(struct hf_buf *pem, const struct hf_pki_factory *factory, struct hf_bytes request,
                               const struct hf_pki_issuer *issuer, struct hf_pki_validity validity)
{
  X509_REQ *parsed = request_parse(request);
  X509 *ca = parse_pem(issuer->certificate);
  X509 *leaf = begin(validity);
  enum hf_err err = HF_E_CRYPTO;
  if (parsed != NULL && ca != NULL && leaf != NULL && factory_fill(leaf, ca, factory, parsed) &&
      sign(leaf, issuer->key)) {
    err = put_pem(pem, leaf);
  }
  X509_free(leaf);
  X509_free(ca);
  X509_REQ_free(parsed);
  ERR_clear_error();
  return err;
}

enum hf_err hf_pki_not_after(int64_t *seconds, struct hf_bytes pem)
{
  X509 *certificate = parse_pem(pem);
  struct tm when;
  uint8_t room[HF_TIME_TEXT_LEN + 12];
  enum hf_err err = HF_E_INPUT;
  if (certificate != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &when) == 1) {
    hf_format((char *)room, sizeof room, "%04d-%02d-%02dT%02d:%02d:%02dZ", when.tm_year + 1900, when.tm_mon + 1,
              when.tm_mday, when.tm_hour, when.tm_min, when.tm_sec);
    err = hf_time_parse(seconds, hf_bytes_text((const char *)room));
  }
  X509_free(certificate);
  return err;
}
