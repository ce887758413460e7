/* SPDX-License-Identifier: Apache-2.0
 * The signing method for foreign keys. EC_KEY_METHOD is deprecated in OpenSSL 3.0 and there until 4.0; the other way is
 * a provider of our own, five times as long.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "hf/crypto/keyback.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <stdlib.h>

static int box_index = -1;
static EC_KEY_METHOD *method;

static void box_free(void *parent, void *box, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
  struct hf_keyback *back = box;
  (void)parent;
  (void)data;
  (void)index;
  (void)argl;
  (void)argp;
  if (back != NULL && --back->refs == 0) {
    back->ops->close(back->ctx);
    free(back);
  }
}

static int box_copy(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **from_data, int index, long argl, void *argp)
{
  struct hf_keyback *back = *from_data;
  (void)to;
  (void)from;
  (void)index;
  (void)argl;
  (void)argp;
  if (back != NULL) {
    back->refs++;
  }
  return 1;
}

enum hf_err hf_keyback_sign(struct hf_keyback *back, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  struct hf_why why = {.rule = 0};
  enum hf_err err = back->ops->sign(back->ctx, sig, digest, &why);
  back->rule = err == HF_OK ? 0 : why.rule;
  return err;
}

static ECDSA_SIG *sign_sig(const unsigned char *digest, int len, const BIGNUM *inverse, const BIGNUM *r, EC_KEY *key)
{
  uint8_t room[HF_SIG_MAX];
  struct hf_buf sig = hf_buf_init(room, sizeof room);
  struct hf_keyback *back = EC_KEY_get_ex_data(key, box_index);
  (void)inverse;
  (void)r;
  if (back == NULL || len != HF_SHA256_LEN || hf_keyback_sign(back, &sig, digest) != HF_OK) {
    return NULL;
  }
  const unsigned char *at = room;
  return d2i_ECDSA_SIG(NULL, &at, (long)sig.len);
}

static int sign_der(int type, const unsigned char *digest, int len, unsigned char *sig, unsigned int *sig_len,
                    const BIGNUM *inverse, const BIGNUM *r, EC_KEY *key)
{
  struct hf_buf out = hf_buf_init(sig, HF_SIG_MAX);
  struct hf_keyback *back = EC_KEY_get_ex_data(key, box_index);
  (void)type;
  (void)inverse;
  (void)r;
  if (back == NULL || len != HF_SHA256_LEN || hf_keyback_sign(back, &out, digest) != HF_OK) {
    return 0;
  }
  *sig_len = (unsigned)out.len;
  return 1;
}

static bool prepare(void)
{
  if (box_index < 0) {
    box_index = EC_KEY_get_ex_new_index(0, NULL, NULL, box_copy, box_free);
  }
  if (method == NULL) {
    method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
    if (method != NULL) {
      EC_KEY_METHOD_set_sign(method, sign_der, NULL, sign_sig);
    }
  }
  return box_index >= 0 && method != NULL;
}

static EC_KEY *make_point(const struct hf_pubkey *pub)
{
  EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
  const unsigned char *at = pub->at;
  if (key != NULL && (o2i_ECPublicKey(&key, &at, pub->len) == NULL || EC_KEY_check_key(key) != 1 ||
                      EC_KEY_set_method(key, method) != 1)) {
    EC_KEY_free(key);
    return NULL;
  }
  return key;
}

enum hf_err hf_keyback_wrap(EVP_PKEY **native, struct hf_keyback **back, const struct hf_keyback_ops *ops, void *ctx,
                            const struct hf_pubkey *pub)
{
  struct hf_keyback *box = calloc(1, sizeof *box);
  EC_KEY *key = box != NULL && prepare() ? make_point(pub) : NULL;
  EVP_PKEY *made = key == NULL ? NULL : EVP_PKEY_new();
  *native = NULL;
  *back = NULL;
  if (made == NULL || EC_KEY_set_ex_data(key, box_index, box) != 1) {
    EVP_PKEY_free(made);
    EC_KEY_free(key);
    free(box);
    ops->close(ctx);
    return HF_E_CRYPTO;
  }
  *box = (struct hf_keyback){.ops = ops, .ctx = ctx, .refs = 1};
  bool good = EVP_PKEY_set1_EC_KEY(made, key) == 1;
  EC_KEY_free(key);
  if (!good) {
    EVP_PKEY_free(made);
    return HF_E_CRYPTO;
  }
  *native = made;
  *back = box;
  return HF_OK;
}
