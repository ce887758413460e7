/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/imageopen.h"

#include "hf/crypto/cipher.h"
#include "ports/posix/diskfile.h"

static enum hf_err agree(void *ctx, uint8_t secret[32], const uint8_t point[HF_P256_PUBLIC_LEN])
{
  return hf_key_agree(secret, ctx, point);
}

static enum hf_err key_parse(struct hf_key **key, struct hf_bytes pem)
{
  struct hf_pubkey pub;
  enum hf_err err = hf_key_parse(key, pem, HF_LIT(""));
  if (err == HF_OK) {
    err = hf_key_public(&pub, *key);
  }
  if (err == HF_OK && pub.type != HF_KEY_P256) {
    err = HF_E_INPUT;
  }
  if (err != HF_OK) {
    hf_key_free(*key);
    *key = NULL;
  }
  return err == HF_OK ? HF_OK : HF_E_INPUT;
}

enum hf_err hf_imageopen_check(struct hf_bytes pem)
{
  struct hf_key *key = NULL;
  enum hf_err err = key_parse(&key, pem);
  hf_key_free(key);
  return err;
}

enum hf_err hf_imageopen_get(struct hf_imageopen *open, int folder, struct hf_trouble *trouble)
{
  uint8_t pem[HF_KEY_PEM_MAX];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  *open = (struct hf_imageopen){.key = NULL};
  enum hf_err err = hf_diskfile_get(&buf, folder, HF_IMAGEOPEN_NAME);
  if (err == HF_E_NOT_FOUND) {
    return HF_OK;
  }
  if (err == HF_OK) {
    err = key_parse(&open->key, hf_buf_bytes(&buf));
  }
  hf_secret_wipe(pem, sizeof pem);
  if (err != HF_OK) {
    hf_trouble_put(trouble, HF_IMAGEOPEN_NAME, "give it again with `provision --open-key`, or remove the file",
                   "cannot read the key that opens encrypted images (%s)", hf_err_name(err));
  }
  open->seal_key = (struct hf_seal_key){agree, open->key};
  open->box = (struct hf_seal_box){&hf_seal_p256_ops, &open->seal_key};
  return err;
}

void hf_imageopen_close(struct hf_imageopen *open)
{
  hf_key_free(open->key);
  open->key = NULL;
}

const struct hf_seal_box *hf_imageopen_box(const struct hf_imageopen *open)
{
  return open->key != NULL ? &open->box : NULL;
}
