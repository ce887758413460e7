/* SPDX-License-Identifier: Apache-2.0
 * Keys in a TPM 2.0, through the tpm2 provider of OpenSSL (package tpm2-openssl). The provider lives in an OpenSSL
 * context of its own, so that nothing else of this process is ever computed by the TPM.
 *
 * A key is loaded for one signature and unloaded after it: a TPM has room for three objects at a time, and an emulated
 * one talks to one process. How the TPM is reached is the provider's business: TPM2OPENSSL_TCTI, else /dev/tpmrm0 or a
 * resource manager.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/store.h>

#include "hf/crypto/keyback.h"

#define ONLY_TPM "provider=tpm2"
/* PEM is taken apart by OpenSSL's own decoder. */
#define RATHER_TPM "?provider=tpm2"

/* What is kept of a key: how to load it again. */
struct tpm {
  size_t len;
  uint8_t text[HF_KEY_PEM_MAX]; /* wrapped form or handle line */
};

/* While the TPM is at work. */
struct visit {
  OSSL_LIB_CTX *context;
  OSSL_PROVIDER *ours;
  OSSL_PROVIDER *plain;
  EVP_PKEY *key;
};

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule, enum hf_err err)
{
  hf_why_put(why, rule, 0);
  return err;
}

static void leave(struct visit *tpm)
{
  EVP_PKEY_free(tpm->key);
  if (tpm->ours != NULL) {
    (void)OSSL_PROVIDER_unload(tpm->ours);
  }
  if (tpm->plain != NULL) {
    (void)OSSL_PROVIDER_unload(tpm->plain);
  }
  OSSL_LIB_CTX_free(tpm->context);
}

static enum hf_err enter(struct visit *tpm, struct hf_why *why)
{
  *tpm = (struct visit){.context = OSSL_LIB_CTX_new()};
  tpm->ours = tpm->context == NULL ? NULL : OSSL_PROVIDER_load(tpm->context, "tpm2");
  tpm->plain = tpm->ours == NULL ? NULL : OSSL_PROVIDER_load(tpm->context, "default");
  return tpm->plain == NULL ? refuse(why, HF_RULE_KEY_TPM, HF_E_IO) : HF_OK;
}

static EVP_PKEY *decode(const struct visit *tpm, struct hf_bytes pem)
{
  BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
  EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, tpm->context, RATHER_TPM);
  BIO_free(bio);
  return key;
}

/* `tpm2:handle=0x81NNNNNN`, a persistent handle (TPM 2.0 part 2, section 7.5). */
static bool handle_of(char out[24], struct hf_bytes text)
{
  static const char head[] = "tpm2:handle=0x";
  size_t skip = sizeof head - 1;
  while (text.len > 0 && (text.at[text.len - 1] == '\n' || text.at[text.len - 1] == '\r')) {
    text.len--;
  }
  if (text.len != skip + 8 || memcmp(text.at, head, skip) != 0 || memcmp(text.at + skip, "81", 2) != 0) {
    return false;
  }
  for (size_t i = skip; i < text.len; i++) {
    uint8_t c = text.at[i];
    if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'))) {
      return false;
    }
  }
  memcpy(out, "handle:0x", 9);
  memcpy(out + 9, text.at + skip, 8);
  out[17] = '\0';
  return true;
}

static EVP_PKEY *open_handle(const struct visit *tpm, const char *name)
{
  EVP_PKEY *key = NULL;
  OSSL_STORE_CTX *store = OSSL_STORE_open_ex(name, tpm->context, ONLY_TPM, NULL, NULL, NULL, NULL, NULL);
  while (store != NULL && key == NULL && OSSL_STORE_eof(store) == 0) {
    OSSL_STORE_INFO *info = OSSL_STORE_load(store);
    if (info == NULL) {
      break;
    }
    if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY) {
      key = OSSL_STORE_INFO_get1_PKEY(info);
    }
    OSSL_STORE_INFO_free(info);
  }
  (void)OSSL_STORE_close(store);
  return key;
}

static EVP_PKEY *generate(const struct visit *tpm)
{
  EVP_PKEY *key = NULL;
  EVP_PKEY_CTX *making = EVP_PKEY_CTX_new_from_name(tpm->context, "EC", ONLY_TPM);
  if (making == NULL || EVP_PKEY_keygen_init(making) != 1 || EVP_PKEY_CTX_set_group_name(making, "P-256") != 1 ||
      EVP_PKEY_generate(making, &key) != 1) {
    key = NULL;
  }
  EVP_PKEY_CTX_free(making);
  return key;
}

static bool take_coordinate(uint8_t out[32], const EVP_PKEY *key, const char *name)
{
  BIGNUM *number = NULL;
  bool good = EVP_PKEY_get_bn_param(key, name, &number) == 1 && BN_bn2binpad(number, out, 32) == 32;
  BN_free(number);
  return good;
}

static bool take_public(struct hf_pubkey *pub, const EVP_PKEY *key)
{
  size_t len = 0;
  char group[32];
  *pub = (struct hf_pubkey){.type = HF_KEY_P256, .len = HF_P256_PUBLIC_LEN};
  pub->at[0] = 0x04;
  return EVP_PKEY_get_utf8_string_param(key, "group", group, sizeof group, &len) == 1 &&
         (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0) && take_coordinate(pub->at + 1, key, "qx") &&
         take_coordinate(pub->at + 33, key, "qy");
}

static enum hf_err load(struct visit *tpm, struct hf_bytes text, struct hf_why *why)
{
  char handle[24];
  bool wrapped = text.len > 0 && text.at[0] == '-';
  if (wrapped) {
    tpm->key = decode(tpm, text);
  } else if (handle_of(handle, text)) {
    tpm->key = open_handle(tpm, handle);
  } else {
    return refuse(why, HF_RULE_KEY_TPM_HANDLE, HF_E_INPUT);
  }
  if (tpm->key == NULL) {
    return wrapped ? refuse(why, HF_RULE_KEY_TPM_FOREIGN, HF_E_INPUT)
                   : refuse(why, HF_RULE_KEY_TPM_HANDLE, HF_E_NOT_FOUND);
  }
  return HF_OK;
}

/* The wrapped form of a key just made. */
static enum hf_err wrap(struct tpm *kept, const struct visit *tpm)
{
  unsigned char *pem = NULL;
  size_t len = 0;
  OSSL_ENCODER_CTX *encoder = OSSL_ENCODER_CTX_new_for_pkey(tpm->key, OSSL_KEYMGMT_SELECT_ALL, "PEM", NULL, ONLY_TPM);
  bool good = encoder != NULL && OSSL_ENCODER_to_data(encoder, &pem, &len) == 1 && len <= sizeof kept->text;
  OSSL_ENCODER_CTX_free(encoder);
  if (good) {
    memcpy(kept->text, pem, len);
    kept->len = len;
  }
  OPENSSL_free(pem);
  return good ? HF_OK : HF_E_CRYPTO;
}

/* ---- the key ---- */

static bool sign_in(const struct visit *tpm, uint8_t sig[HF_SIG_MAX], size_t *len, const uint8_t digest[HF_SHA256_LEN])
{
  EVP_PKEY_CTX *signing = EVP_PKEY_CTX_new_from_pkey(tpm->context, tpm->key, ONLY_TPM);
  *len = HF_SIG_MAX;
  bool good = signing != NULL && EVP_PKEY_sign_init(signing) == 1 &&
              EVP_PKEY_CTX_set_signature_md(signing, EVP_sha256()) == 1 &&
              EVP_PKEY_sign(signing, sig, len, digest, HF_SHA256_LEN) == 1 && *len <= HF_SIG_MAX;
  EVP_PKEY_CTX_free(signing);
  return good;
}

static enum hf_err tpm_sign(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN], struct hf_why *why)
{
  const struct tpm *kept = ctx;
  struct visit tpm;
  uint8_t room[HF_SIG_MAX];
  size_t len = 0;
  (void)ERR_set_mark();
  enum hf_err err = enter(&tpm, why);
  err = err == HF_OK ? load(&tpm, hf_bytes_init(kept->text, kept->len), why) : err;
  if (err == HF_OK && !sign_in(&tpm, room, &len, digest)) {
    err = refuse(why, HF_RULE_KEY_TOKEN_FAILED, HF_E_IO);
  }
  leave(&tpm);
  (void)ERR_pop_to_mark();
  if (err == HF_OK) {
    hf_buf_put(sig, hf_bytes_init(room, len));
    err = sig->failed ? HF_E_SPACE : HF_OK;
  }
  return err;
}

static enum hf_err tpm_encode(void *ctx, struct hf_buf *out)
{
  const struct tpm *kept = ctx;
  if (kept->text[0] != '-') {
    return HF_E_STATE;
  }
  hf_buf_put(out, hf_bytes_init(kept->text, kept->len));
  return out->failed ? HF_E_SPACE : HF_OK;
}

static void tpm_close(void *ctx) { free(ctx); }

static const struct hf_keyback_ops tpm_ops = {
    .name = "tpm2", .version = 1, .home = HF_KEY_IN_TPM, .sign = tpm_sign, .encode = tpm_encode, .close = tpm_close};

static enum hf_err open_or_make(struct tpm *kept, struct hf_pubkey *pub, struct hf_bytes text, struct hf_why *why)
{
  struct visit tpm;
  enum hf_err err = enter(&tpm, why);
  if (err == HF_OK && text.len > 0) {
    err = load(&tpm, text, why);
    memcpy(kept->text, text.at, text.len);
    kept->len = text.len;
  } else if (err == HF_OK) {
    tpm.key = generate(&tpm);
    err = tpm.key == NULL ? refuse(why, HF_RULE_KEY_TOKEN_FAILED, HF_E_IO) : wrap(kept, &tpm);
  }
  if (err == HF_OK && !take_public(pub, tpm.key)) {
    err = refuse(why, HF_RULE_KEY_KIND, HF_E_INPUT);
  }
  leave(&tpm);
  return err;
}

enum hf_err hf_tpm_open(struct hf_keyback_found *found, struct hf_bytes text, struct hf_why *why)
{
  struct tpm *kept = text.len > HF_KEY_PEM_MAX ? NULL : calloc(1, sizeof *kept);
  if (kept == NULL) {
    return HF_E_CRYPTO;
  }
  enum hf_err err = open_or_make(kept, &found->pub, text, why);
  if (err != HF_OK) {
    free(kept);
    return err;
  }
  found->ops = &tpm_ops;
  found->ctx = kept;
  return HF_OK;
}
