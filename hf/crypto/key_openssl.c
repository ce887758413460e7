/* SPDX-License-Identifier: Apache-2.0
 * Private keys with OpenSSL 3. Every buffer that held a secret is wiped before it is freed.
 */
#include "hf/crypto/key.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs12err.h>
#include <openssl/x509.h>

#include "hf/crypto/keyback.h"
#include "hf/crypto/keyuri.h"

#define SALT_LEN 16

struct hf_key {
  EVP_PKEY *native;
  enum hf_key_type type;
  struct hf_keyback *back; /* borrowed from native: the key lives elsewhere; NULL: it is in our memory */
  struct hf_pubkey pub;    /* when back is there */
};

static enum hf_key_type native_type(const EVP_PKEY *native)
{
  if (EVP_PKEY_is_a(native, "ED25519")) {
    return HF_KEY_ED25519;
  }
  char group[32];
  size_t len = 0;
  bool p256 = EVP_PKEY_is_a(native, "EC") && EVP_PKEY_get_group_name(native, group, sizeof group, &len) == 1 &&
              strcmp(group, "prime256v1") == 0;
  return p256 ? HF_KEY_P256 : HF_KEY_NONE;
}

/* Takes over `native` and its errors; the private half must belong to the public one. */
static enum hf_err adopt(struct hf_key **key, EVP_PKEY *native)
{
  enum hf_key_type type = native == NULL ? HF_KEY_NONE : native_type(native);
  if (type == HF_KEY_P256) {
    (void)EVP_PKEY_set_utf8_string_param(native, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed");
  }
  EVP_PKEY_CTX *ctx = type == HF_KEY_NONE ? NULL : EVP_PKEY_CTX_new_from_pkey(NULL, native, NULL);
  bool sound = ctx != NULL && EVP_PKEY_pairwise_check(ctx) == 1;
  EVP_PKEY_CTX_free(ctx);
  struct hf_key *made = sound ? malloc(sizeof *made) : NULL;
  if (made == NULL) {
    EVP_PKEY_free(native);
    return sound ? HF_E_CRYPTO : HF_E_INPUT;
  }
  *made = (struct hf_key){.native = native, .type = type, .back = NULL};
  *key = made;
  return HF_OK;
}

enum hf_err hf_key_new(struct hf_key **key, enum hf_key_type type)
{
  *key = NULL;
  EVP_PKEY *native = type == HF_KEY_P256      ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
                     : type == HF_KEY_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                              : NULL;
  if (native == NULL) {
    return type == HF_KEY_P256 || type == HF_KEY_ED25519 ? HF_E_CRYPTO : HF_E_INPUT;
  }
  return adopt(key, native) == HF_OK ? HF_OK : HF_E_CRYPTO;
}

void hf_key_free(struct hf_key *key)
{
  if (key != NULL) {
    EVP_PKEY_free(key->native);
    free(key);
  }
}

void *hf_key_native(const struct hf_key *key) { return key->native; }

/* The PKCS#8 inside an EncryptedPrivateKeyInfo (RFC 5958 section 3). */
static enum hf_err decrypt(PKCS8_PRIV_KEY_INFO **info, struct hf_bytes der, struct hf_bytes passphrase)
{
  const uint8_t *at = der.at;
  X509_SIG *sealed = d2i_X509_SIG(NULL, &at, (long)der.len);
  const X509_ALGOR *algorithm = NULL;
  const ASN1_OCTET_STRING *data = NULL;
  if (sealed != NULL) {
    X509_SIG_get0(sealed, &algorithm, &data);
  }
  enum hf_err err = HF_E_INPUT;
  uint8_t *plain = NULL;
  int len = 0;
  if (sealed == NULL || at != der.at + der.len || OBJ_obj2nid(algorithm->algorithm) != NID_pbes2) {
    goto out;
  }
  err = HF_E_DENIED;
  if (passphrase.len == 0) {
    goto out;
  }
  plain = PKCS12_pbe_crypt(algorithm, (const char *)passphrase.at, (int)passphrase.len, ASN1_STRING_get0_data(data),
                           ASN1_STRING_length(data), &plain, &len, 0);
  if (plain == NULL) {
    /* Only the padding at the end tells a wrong passphrase; anything before it is a file we cannot read. */
    bool padding = ERR_GET_REASON(ERR_peek_last_error()) == PKCS12_R_PKCS12_CIPHERFINAL_ERROR;
    err = padding ? HF_E_DENIED : HF_E_INPUT;
    goto out;
  }
  /* One wrong passphrase in 256 has good padding and garbage inside: still a wrong passphrase. */
  const uint8_t *inside = plain;
  *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &inside, len);
  err = *info == NULL ? HF_E_DENIED : HF_OK;
out:
  OPENSSL_clear_free(plain, (size_t)len);
  X509_SIG_free(sealed);
  return err;
}

static enum hf_err parse_plain(PKCS8_PRIV_KEY_INFO **info, struct hf_bytes der)
{
  const uint8_t *at = der.at;
  *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.len);
  return *info != NULL && at == der.at + der.len ? HF_OK : HF_E_INPUT;
}

static enum hf_err parse_der(struct hf_key **key, const char *label, struct hf_bytes der, struct hf_bytes passphrase)
{
  PKCS8_PRIV_KEY_INFO *info = NULL;
  enum hf_err err = HF_E_INPUT;
  if (strcmp(label, PEM_STRING_PKCS8) == 0) {
    err = decrypt(&info, der, passphrase);
  } else if (strcmp(label, PEM_STRING_PKCS8INF) == 0) {
    err = parse_plain(&info, der);
  }
  if (err == HF_OK) {
    err = adopt(key, EVP_PKCS82PKEY(info));
  }
  PKCS8_PRIV_KEY_INFO_free(info); /* wipes the key inside */
  return err;
}

static enum hf_err parse_pem(struct hf_key **key, struct hf_bytes pem, struct hf_bytes passphrase)
{
  (void)ERR_set_mark();
  char *label = NULL;
  char *header = NULL;
  uint8_t *der = NULL;
  long len = 0;
  enum hf_err err = HF_E_INPUT;
  BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
  if (bio != NULL && PEM_read_bio_ex(bio, &label, &header, &der, &len, PEM_FLAG_SECURE) == 1 && header[0] == 0) {
    err = parse_der(key, label, hf_bytes_init(der, (size_t)len), passphrase);
  }
  OPENSSL_secure_clear_free(der, (size_t)len);
  OPENSSL_secure_free(label);
  OPENSSL_secure_free(header);
  BIO_free(bio);
  (void)ERR_pop_to_mark();
  return err;
}

/* ---- keys that live elsewhere ---- */

static bool begins(struct hf_bytes text, const char *with)
{
  size_t len = strlen(with);
  return text.len >= len && memcmp(text.at, with, len) == 0;
}

static bool is_tpm(struct hf_bytes text)
{
  return begins(text, "tpm2:") || begins(text, "-----BEGIN TSS2 PRIVATE KEY-----");
}

bool hf_key_is_reference(struct hf_bytes text) { return hf_keyuri_check(text) || begins(text, "tpm2:"); }

static enum hf_err adopt_found(struct hf_key **key, const struct hf_keyback_found *found)
{
  struct hf_key *made = calloc(1, sizeof *made);
  if (made == NULL) {
    found->ops->close(found->ctx);
    return HF_E_CRYPTO;
  }
  made->type = HF_KEY_P256;
  made->pub = found->pub;
  enum hf_err err = hf_keyback_wrap(&made->native, &made->back, found->ops, found->ctx, &found->pub);
  if (err != HF_OK) {
    free(made);
    return err;
  }
  *key = made;
  return HF_OK;
}

enum hf_err hf_key_open(struct hf_key **key, struct hf_bytes text, struct hf_bytes passphrase, struct hf_why *why)
{
  struct hf_keyback_found found;
  *key = NULL;
  if (text.len == 0 || text.len > HF_KEY_PEM_MAX || passphrase.len > HF_KEY_PASSPHRASE_MAX) {
    return HF_E_INPUT;
  }
  if (!hf_keyuri_check(text) && !is_tpm(text)) {
    return parse_pem(key, text, passphrase);
  }
  (void)ERR_set_mark();
  enum hf_err err =
      is_tpm(text) ? hf_tpm_open(&found, text, why) : hf_p11_open(&found, text, passphrase, HF_P11_OPEN, why);
  err = err == HF_OK ? adopt_found(key, &found) : err;
  (void)ERR_pop_to_mark();
  return err;
}

enum hf_err hf_key_parse(struct hf_key **key, struct hf_bytes text, struct hf_bytes passphrase)
{
  return hf_key_open(key, text, passphrase, NULL);
}

enum hf_err hf_key_create(struct hf_key **key, struct hf_bytes uri, struct hf_bytes pin, struct hf_why *why)
{
  struct hf_keyback_found found;
  *key = NULL;
  enum hf_err err = hf_p11_open(&found, uri, pin, HF_P11_CREATE, why);
  return err == HF_OK ? adopt_found(key, &found) : err;
}

enum hf_err hf_key_destroy(struct hf_bytes uri, struct hf_bytes pin, struct hf_why *why)
{
  return hf_p11_destroy(uri, pin, why);
}

enum hf_err hf_key_create_tpm(struct hf_key **key, struct hf_why *why)
{
  struct hf_keyback_found found;
  *key = NULL;
  (void)ERR_set_mark();
  enum hf_err err = hf_tpm_open(&found, (struct hf_bytes){NULL, 0}, why);
  err = err == HF_OK ? adopt_found(key, &found) : err;
  (void)ERR_pop_to_mark();
  return err;
}

enum hf_key_home hf_key_home(const struct hf_key *key)
{
  return key->back == NULL ? HF_KEY_IN_FILE : key->back->ops->home;
}

uint16_t hf_key_rule(const struct hf_key *key) { return key->back == NULL ? 0 : key->back->rule; }

/* ---- writing and signing ---- */

static bool put_encrypted(BIO *bio, EVP_PKEY *native, struct hf_bytes passphrase)
{
  X509_SIG *sealed = NULL;
  PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(native);
  X509_ALGOR *algorithm = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, SALT_LEN, NULL,
                                                UINT64_C(1) << HF_KEY_SCRYPT_LOG_N, 8, HF_KEY_SCRYPT_P);
  if (info != NULL && algorithm != NULL) {
    sealed = PKCS8_set0_pbe((const char *)passphrase.at, (int)passphrase.len, info, algorithm);
  }
  if (sealed == NULL) {
    X509_ALGOR_free(algorithm); /* otherwise `sealed` owns it */
  }
  bool good = sealed != NULL && PEM_write_bio_PKCS8(bio, sealed) == 1;
  X509_SIG_free(sealed);
  PKCS8_PRIV_KEY_INFO_free(info);
  return good;
}

enum hf_err hf_key_encode(struct hf_buf *out, const struct hf_key *key, struct hf_bytes passphrase)
{
  if (passphrase.len > HF_KEY_PASSPHRASE_MAX) {
    return HF_E_INPUT;
  }
  if (key->back != NULL) {
    return key->back->ops->encode == NULL ? HF_E_STATE : key->back->ops->encode(key->back->ctx, out);
  }
  (void)ERR_set_mark();
  enum hf_err err = HF_E_CRYPTO;
  BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
  bool good = bio != NULL &&
              (passphrase.len == 0 ? PEM_write_bio_PKCS8PrivateKey(bio, key->native, NULL, NULL, 0, NULL, NULL) == 1
                                   : put_encrypted(bio, key->native, passphrase));
  if (good) {
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    hf_buf_put(out, hf_bytes_init(text, (size_t)len));
    err = out->failed ? HF_E_SPACE : HF_OK;
  }
  BIO_free(bio);
  (void)ERR_pop_to_mark();
  return err;
}

enum hf_err hf_key_public(struct hf_pubkey *pub, const struct hf_key *key)
{
  if (key->back != NULL) {
    *pub = key->pub;
    return HF_OK;
  }
  size_t want = key->type == HF_KEY_P256 ? HF_P256_PUBLIC_LEN : HF_ED25519_PUBLIC_LEN;
  size_t len = 0;
  *pub = (struct hf_pubkey){.type = key->type, .len = (uint8_t)want};
  bool good = EVP_PKEY_get_octet_string_param(key->native, OSSL_PKEY_PARAM_PUB_KEY, pub->at, sizeof pub->at, &len) == 1;
  if (!good || len != want || (key->type == HF_KEY_P256 && pub->at[0] != 0x04)) {
    return HF_E_CRYPTO;
  }
  return HF_OK;
}

static bool sign_p256(uint8_t *sig, size_t *len, EVP_PKEY *native, const uint8_t *digest)
{
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, native, NULL);
  bool good = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_sign(ctx, sig, len, digest, HF_SHA256_LEN) == 1;
  EVP_PKEY_CTX_free(ctx);
  return good;
}

static bool sign_ed25519(uint8_t *sig, size_t *len, EVP_PKEY *native, struct hf_bytes message)
{
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  bool good = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, native) == 1 &&
              EVP_DigestSign(ctx, sig, len, message.at, message.len) == 1;
  EVP_MD_CTX_free(ctx);
  return good;
}

enum hf_err hf_key_sign_digest(struct hf_buf *sig, const struct hf_key *key, const uint8_t digest[HF_SHA256_LEN])
{
  uint8_t made[HF_SIG_MAX];
  size_t len = sizeof made;
  if (key->back != NULL) {
    return hf_keyback_sign(key->back, sig, digest);
  }
  (void)ERR_set_mark();
  bool good = key->type == HF_KEY_P256 ? sign_p256(made, &len, key->native, digest)
                                       : sign_ed25519(made, &len, key->native, hf_bytes_init(digest, HF_SHA256_LEN));
  (void)ERR_pop_to_mark();
  if (!good) {
    return HF_E_CRYPTO;
  }
  hf_buf_put(sig, hf_bytes_init(made, len));
  return sig->failed ? HF_E_SPACE : HF_OK;
}

enum hf_err hf_key_sign(struct hf_buf *sig, const struct hf_key *key, struct hf_bytes message)
{
  if (key->type == HF_KEY_P256) {
    uint8_t digest[HF_SHA256_LEN];
    hf_sha256(digest, message);
    return hf_key_sign_digest(sig, key, digest);
  }
  uint8_t made[HF_SIG_MAX];
  size_t len = sizeof made;
  (void)ERR_set_mark();
  bool good = sign_ed25519(made, &len, key->native, message);
  (void)ERR_pop_to_mark();
  if (!good) {
    return HF_E_CRYPTO;
  }
  hf_buf_put(sig, hf_bytes_init(made, len));
  return sig->failed ? HF_E_SPACE : HF_OK;
}
