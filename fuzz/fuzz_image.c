/* SPDX-License-Identifier: Apache-2.0
 * Images from anywhere. Input: 65 bytes of P-256 point (or 0xed and 32 bytes of Ed25519 key, 32 unused), then the
 * image. */
#include <stdlib.h>
#include <string.h>

#include "hf/wire/image.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum hf_err no_secret(void *ctx, uint8_t secret[32], const uint8_t point[HF_P256_PUBLIC_LEN])
{
  (void)ctx;
  memcpy(secret, point, 32);
  return HF_OK;
}

/* The same bytes through a device's eyes that can open encrypted images. */
static void open_sealed(const struct hf_image_source *source, const struct hf_image_keys *keys)
{
  struct hf_seal_key seal_key = {no_secret, NULL};
  const struct hf_seal_box box = {&hf_seal_p256_ops, &seal_key};
  struct hf_image_policy policy = {.counter_optional = true, .opened = true};
  struct hf_seal_view view;
  struct hf_image_info info;
  struct hf_why why = {0};
  enum hf_err err = hf_seal_view_init(&view, source, &box, &why);
  if ((err == HF_OK) != (why.rule == HF_RULE_NONE)) {
    abort();
  }
  struct hf_image_source plain = hf_seal_view_source(&view);
  (void)(err == HF_OK && hf_image_verify(&info, &plain, keys, &policy, NULL) == HF_ALLOW);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_pubkey key = {.type = HF_KEY_P256, .len = HF_P256_PUBLIC_LEN};
  struct hf_image_keys keys = {.key = &key, .count = 1};
  struct hf_image_policy policy = {.counter_optional = true};
  struct hf_image_info info, verified;
  if (size < HF_P256_PUBLIC_LEN) {
    return 0;
  }
  memcpy(key.at, data, HF_P256_PUBLIC_LEN);
  if (data[0] == 0xed) {
    key = (struct hf_pubkey){.type = HF_KEY_ED25519, .len = HF_ED25519_PUBLIC_LEN};
    memcpy(key.at, data + 1, HF_ED25519_PUBLIC_LEN);
  }
  struct hf_bytes bytes = hf_bytes_init(data + HF_P256_PUBLIC_LEN, size - HF_P256_PUBLIC_LEN);
  struct hf_image_source source = hf_image_source_init(&bytes);
  struct hf_why why = {0};
  enum hf_err err = hf_image_parse(&info, &source, &why);
  if ((err == HF_OK) != (why.rule == HF_RULE_NONE)) {
    abort(); /* every refusal says why */
  }
  if (err == HF_OK && (info.total_len > bytes.len || info.signed_len >= info.total_len ||
                       info.header_len + info.payload_len + info.protected_len != info.signed_len)) {
    abort();
  }
  if (hf_image_verify(&verified, &source, &keys, &policy, NULL) == HF_ALLOW && err != HF_OK) {
    abort();
  }
  open_sealed(&source, &keys);
  return 0;
}
