/* SPDX-License-Identifier: Apache-2.0
 * RSA and P-384 verification with OpenSSL 3. */
#include <limits.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "hf/crypto/spki.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096

struct scheme {
  const char *name;
  const char *digest;
  int padding; /* 0: ECDSA */
};

static const struct scheme schemes[] = {
    [HF_SPKI_PSS_SHA256] = {"rsassa-pss-sha256", "SHA256", RSA_PKCS1_PSS_PADDING},
    [HF_SPKI_PSS_SHA384] = {"rsassa-pss-sha384", "SHA384", RSA_PKCS1_PSS_PADDING},
    [HF_SPKI_PSS_SHA512] = {"rsassa-pss-sha512", "SHA512", RSA_PKCS1_PSS_PADDING},
    [HF_SPKI_PKCS1_SHA256] = {"rsa-pkcs1v15-sha256", "SHA256", RSA_PKCS1_PADDING},
    [HF_SPKI_PKCS1_SHA384] = {"rsa-pkcs1v15-sha384", "SHA384", RSA_PKCS1_PADDING},
    [HF_SPKI_PKCS1_SHA512] = {"rsa-pkcs1v15-sha512", "SHA512", RSA_PKCS1_PADDING},
    [HF_SPKI_P384_SHA384] = {"ecdsa-sha2-nistp384", "SHA384", 0},
};

#define SCHEMES (sizeof schemes / sizeof schemes[0])

enum hf_spki_scheme hf_spki_scheme_get(struct hf_bytes name)
{
  for (size_t i = 1; i < SCHEMES; i++) {
    if (hf_bytes_is(name, schemes[i].name)) {
      return (enum hf_spki_scheme)i;
    }
  }
  return HF_SPKI_NONE;
}

/* A key that this scheme may be used with. */
static bool fits(const EVP_PKEY *key, enum hf_spki_scheme scheme)
{
  if (schemes[scheme].padding == 0) {
    char group[16] = "";
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
           strcmp(group, "secp384r1") == 0;
  }
  BIGNUM *exponent = NULL;
  int bits = EVP_PKEY_get_bits(key);
  bool good = EVP_PKEY_is_a(key, "RSA") && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX &&
              EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 && BN_is_odd(exponent) == 1 &&
              BN_is_one(exponent) == 0;
  BN_free(exponent);
  return good;
}

static EVP_PKEY *read_pem(struct hf_bytes pem)
{
  BIO *in = pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.at, (int)pem.len);
  EVP_PKEY *key = in == NULL ? NULL : PEM_read_bio_PUBKEY(in, NULL, NULL, NULL);
  BIO_free(in);
  return key;
}

enum hf_err hf_spki_parse_pem(struct hf_buf *der, enum hf_spki_scheme scheme, struct hf_bytes pem)
{
  if (scheme == HF_SPKI_NONE) {
    return HF_E_INPUT;
  }
  (void)ERR_set_mark();
  enum hf_err err = HF_E_INPUT;
  unsigned char *bytes = NULL;
  EVP_PKEY *key = read_pem(pem);
  int len = key != NULL && fits(key, scheme) ? i2d_PUBKEY(key, &bytes) : 0;
  if (len > 0) {
    hf_buf_put(der, hf_bytes_init(bytes, (size_t)len));
    err = der->failed ? HF_E_INPUT : HF_OK;
  }
  OPENSSL_free(bytes);
  EVP_PKEY_free(key);
  (void)ERR_pop_to_mark();
  return err;
}

static bool start(EVP_MD_CTX *ctx, const struct scheme *scheme, EVP_PKEY *key)
{
  EVP_PKEY_CTX *inner = NULL; /* lives in ctx */
  if (EVP_DigestVerifyInit_ex(ctx, &inner, scheme->digest, NULL, NULL, key, NULL) != 1) {
    return false;
  }
  if (scheme->padding == 0) {
    return true;
  }
  if (EVP_PKEY_CTX_set_rsa_padding(inner, scheme->padding) <= 0) {
    return false;
  }
  return scheme->padding != RSA_PKCS1_PSS_PADDING || EVP_PKEY_CTX_set_rsa_pss_saltlen(inner, RSA_PSS_SALTLEN_AUTO) > 0;
}

enum hf_verdict hf_spki_verify(struct hf_bytes der, enum hf_spki_scheme scheme, struct hf_bytes message,
                               struct hf_bytes sig)
{
  if (scheme == HF_SPKI_NONE || der.len > HF_SPKI_DER_MAX || sig.len == 0 || sig.len > HF_SPKI_SIG_MAX) {
    return HF_DENY;
  }
  (void)ERR_set_mark();
  enum hf_verdict verdict = HF_DENY;
  const unsigned char *at = der.at;
  EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)der.len);
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  if (key != NULL && ctx != NULL && fits(key, scheme) && start(ctx, &schemes[scheme], key) &&
      EVP_DigestVerify(ctx, sig.at, sig.len, message.at, message.len) == 1) {
    verdict = HF_ALLOW;
  }
  EVP_MD_CTX_free(ctx);
  EVP_PKEY_free(key);
  (void)ERR_pop_to_mark();
  return verdict;
}
