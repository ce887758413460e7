/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/imagekeys.h"

#include <string.h>

#include "hf/wire/pubkey.h"
#include "ports/posix/diskfile.h"

#define BEGIN "-----BEGIN PUBLIC KEY-----"
#define END "-----END PUBLIC KEY-----"

/* Offset of `mark` in the text, or its length. */
static size_t find(struct hf_bytes text, const char *mark)
{
  size_t len = strlen(mark);
  for (size_t i = 0; i + len <= text.len; i++) {
    if (memcmp(text.at + i, mark, len) == 0) {
      return i;
    }
  }
  return text.len;
}

enum hf_err hf_imagekeys_parse(struct hf_imagekeys *keys, struct hf_bytes pem)
{
  memset(keys, 0, sizeof *keys);
  size_t count = 0;
  for (;;) {
    size_t from = find(pem, BEGIN);
    if (from == pem.len) {
      break;
    }
    pem = (struct hf_bytes){pem.at + from, pem.len - from};
    size_t end = find(pem, END);
    if (end == pem.len || count == HF_IMAGEKEYS_MAX) {
      return HF_E_INPUT;
    }
    size_t len = end + sizeof END - 1;
    if (hf_pubkey_parse_pem(&keys->key[count], (struct hf_bytes){pem.at, len}) != HF_OK) {
      return HF_E_INPUT;
    }
    count++;
    pem = (struct hf_bytes){pem.at + len, pem.len - len};
  }
  keys->keys = (struct hf_image_keys){.key = keys->key, .count = count, .revoked = 0};
  return count > 0 ? HF_OK : HF_E_INPUT;
}

enum hf_err hf_imagekeys_get_from(struct hf_imagekeys *keys, int folder, const char *name, struct hf_trouble *trouble)
{
  uint8_t pem[HF_IMAGEKEYS_PEM_MAX];
  struct hf_buf buf = hf_buf_init(pem, sizeof pem);
  enum hf_err err = hf_diskfile_get(&buf, folder, name);
  if (err == HF_OK) {
    err = hf_imagekeys_parse(keys, hf_buf_bytes(&buf));
  }
  if (err != HF_OK) {
    hf_trouble_put(trouble, name, "give one to eight PEM public keys to `provision`",
                   "cannot read the public keys in this file (%s)", hf_err_name(err));
  }
  return err;
}

enum hf_err hf_imagekeys_get(struct hf_imagekeys *keys, int folder, struct hf_trouble *trouble)
{
  return hf_imagekeys_get_from(keys, folder, HF_IMAGEKEYS_NAME, trouble);
}
