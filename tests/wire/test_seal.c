/* SPDX-License-Identifier: Apache-2.0
 * Encrypted images: what another implementation made (tests/wire/interop/sealed/make.py), and our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/crypto/cipher.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/seal.h"

#define FOLDER "tests/wire/interop/sealed/"

struct file {
  uint8_t at[16384];
  size_t len;
};

static void load(struct file *file, const char *name)
{
  char path[128];
  snprintf(path, sizeof path, FOLDER "%s", name);
  FILE *in = fopen(path, "rb");
  assert_non_null(in);
  file->len = fread(file->at, 1, sizeof file->at, in);
  assert_int_equal(fclose(in), 0);
  assert_in_range(file->len, 1, sizeof file->at - 1);
}

static enum hf_err agree(void *ctx, uint8_t secret[32], const uint8_t point[HF_P256_PUBLIC_LEN])
{
  return hf_key_agree(secret, ctx, point);
}

struct device {
  struct hf_key *key;
  struct hf_seal_key seal_key;
  struct hf_seal_box box;
};

static void device_init(struct device *device, struct hf_key *key)
{
  device->key = key;
  device->seal_key = (struct hf_seal_key){agree, key};
  device->box = (struct hf_seal_box){&hf_seal_p256_ops, &device->seal_key};
}

static struct hf_key *key_load(const char *name)
{
  struct file pem;
  struct hf_key *key = NULL;
  load(&pem, name);
  assert_int_equal(hf_key_parse(&key, hf_bytes_init(pem.at, pem.len), HF_LIT("")), HF_OK);
  return key;
}

static enum hf_verdict verify(struct hf_image_info *info, struct hf_bytes image, const struct device *device,
                              const struct hf_pubkey *signer, struct hf_why *why)
{
  struct hf_seal_view view;
  struct hf_image_source from = hf_image_source_init(&image);
  struct hf_image_keys keys = {.key = signer, .count = 1};
  struct hf_image_policy policy = {.counter_optional = true, .opened = device != NULL};
  if (hf_seal_view_init(&view, &from, device == NULL ? NULL : &device->box, why) != HF_OK) {
    return HF_DENY;
  }
  struct hf_image_source plain = hf_seal_view_source(&view);
  enum hf_verdict verdict = hf_image_verify(info, &plain, &keys, &policy, why);
  struct file want;
  if (verdict == HF_ALLOW) {
    uint8_t got[4096];
    load(&want, "plain.bin");
    assert_int_equal(info->payload_len, want.len);
    /* Read in uneven pieces: the key stream must not care. */
    for (uint32_t at = 0; at < info->payload_len; at += 13) {
      uint32_t len = info->payload_len - at < 13 ? info->payload_len - at : 13;
      assert_int_equal(plain.read(plain.ctx, info->header_len + at, got + at, len), HF_OK);
    }
    assert_memory_equal(got, want.at, want.len);
  }
  return verdict;
}

static struct hf_pubkey signer_load(void)
{
  struct file pem;
  struct hf_pubkey pub;
  load(&pem, "signer.pub");
  assert_int_equal(hf_pubkey_parse_pem(&pub, hf_bytes_init(pem.at, pem.len)), HF_OK);
  return pub;
}

static void opens_what_another_implementation_sealed(void **state)
{
  (void)state;
  static const char *const names[] = {"aes128.img", "aes256.img"};
  struct device device;
  struct hf_image_info info;
  struct hf_pubkey signer = signer_load();
  device_init(&device, key_load("device.pem"));
  for (size_t i = 0; i < 2; i++) {
    struct file image;
    struct hf_why why = {0};
    load(&image, names[i]);
    assert_int_equal(verify(&info, hf_bytes_init(image.at, image.len), &device, &signer, &why), HF_ALLOW);
    assert_int_equal(info.counter, 7);
    assert_int_equal(info.total_len, image.len);
  }
  hf_key_free(device.key);
}

static void expect_refusal(struct hf_bytes image, const struct device *device, const struct hf_pubkey *signer,
                           enum hf_rule rule)
{
  struct hf_image_info info;
  struct hf_why why = {0};
  assert_int_equal(verify(&info, image, device, signer, &why), HF_DENY);
  assert_int_equal(why.rule, rule);
}

static void tells_a_wrong_key_from_a_damaged_image(void **state)
{
  (void)state;
  struct device device, other;
  struct hf_key *stranger;
  struct file image;
  struct hf_pubkey signer = signer_load();
  assert_int_equal(hf_key_new(&stranger, HF_KEY_P256), HF_OK);
  device_init(&device, key_load("device.pem"));
  device_init(&other, stranger);
  load(&image, "aes128.img");
  struct hf_bytes bytes = hf_bytes_init(image.at, image.len);
  expect_refusal(bytes, &other, &signer, HF_RULE_SEAL_KEY);
  expect_refusal(bytes, NULL, &signer, HF_RULE_SEAL_NO_KEY);
  image.at[600] ^= 1; /* the payload */
  expect_refusal(bytes, &device, &signer, HF_RULE_IMAGE_HASH);
  image.at[600] ^= 1;
  image.at[image.len - 1] ^= 1; /* the wrapped key */
  expect_refusal(bytes, &device, &signer, HF_RULE_SEAL_KEY);
  image.at[image.len - 1] ^= 1;
  image.at[image.len - 113 + 5] ^= 1; /* the sender's point */
  expect_refusal(bytes, &device, &signer, HF_RULE_SEAL_TLV);
  image.at[image.len - 113 + 5] ^= 1;
  image.at[16] = 8; /* flagged for another key length */
  expect_refusal(bytes, &device, &signer, HF_RULE_SEAL_TLV);
  image.at[16] = 12;
  expect_refusal(bytes, &device, &signer, HF_RULE_SEAL_TLV);
  hf_key_free(stranger);
  hf_key_free(device.key);
}

static enum hf_err sign_digest(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

static void seals_for_one_key_and_shows_nothing_to_others(void **state)
{
  (void)state;
  static uint8_t room[4096 + HF_IMAGE_OVERHEAD_MAX];
  struct hf_key *signing;
  struct hf_pubkey pub;
  struct device device;
  struct hf_image_info info;
  struct file plain;
  load(&plain, "plain.bin");
  assert_int_equal(hf_key_new(&signing, HF_KEY_P256), HF_OK);
  device_init(&device, key_load("device.pem"));
  assert_int_equal(hf_key_public(&pub, device.key), HF_OK);
  struct hf_image_signer signer = {.sign = sign_digest, .ctx = signing};
  assert_int_equal(hf_key_public(&signer.pub, signing), HF_OK);
  for (int aes256 = 0; aes256 < 2; aes256++) {
    struct hf_buf out = hf_buf_init(room, sizeof room);
    struct hf_why why = {0};
    const struct hf_image_build build = {.version = {.major = 1}, .encrypt_for = &pub, .aes256 = aes256 == 1};
    assert_int_equal(hf_image_sign(&out, &build, hf_bytes_init(plain.at, plain.len), &signer), HF_OK);
    for (size_t i = 0; i + 8 <= out.len; i++) {
      assert_memory_not_equal(out.at + i, plain.at, 8);
    }
    assert_int_equal(verify(&info, hf_buf_bytes(&out), &device, &signer.pub, &why), HF_ALLOW);
    assert_int_equal(info.seal_len, aes256 ? 129 : 113);
    assert_int_equal(info.flags, aes256 ? HF_IMAGE_AES256 : HF_IMAGE_AES128);
  }
  struct hf_pubkey wrong = {.type = HF_KEY_ED25519, .len = HF_ED25519_PUBLIC_LEN};
  struct hf_buf out = hf_buf_init(room, sizeof room);
  const struct hf_image_build build = {.version = {.major = 1}, .encrypt_for = &wrong};
  assert_int_equal(hf_image_sign(&out, &build, hf_bytes_init(plain.at, plain.len), &signer), HF_E_INPUT);
  hf_key_free(signing);
  hf_key_free(device.key);
}

static void derives_keys_as_rfc_5869_test_case_3_does(void **state)
{
  (void)state;
  static const uint8_t golden[42] = {0x8d, 0xa4, 0xe7, 0x75, 0xa5, 0x63, 0xc1, 0x8f, 0x71, 0x5f, 0x80,
                                     0x2a, 0x06, 0x3c, 0x5a, 0x31, 0xb8, 0xa1, 0x1f, 0x5c, 0x5e, 0xe1,
                                     0x87, 0x9e, 0xc3, 0x45, 0x4e, 0x5f, 0x3c, 0x73, 0x8d, 0x2d, 0x9d,
                                     0x20, 0x13, 0x95, 0xfa, 0xa4, 0xb6, 0x1a, 0x96, 0xc8};
  uint8_t secret[22], out[42];
  memset(secret, 0x0b, sizeof secret);
  hf_hkdf_sha256(out, sizeof out, hf_bytes_init(secret, sizeof secret), HF_LIT(""));
  assert_memory_equal(out, golden, sizeof golden);
}

static void counts_blocks_as_sp_800_38a_does(void **state)
{
  (void)state;
  /* FIPS 197 appendix B: AES-128 of a block under 2b7e...; in counter mode the first block is AES(0). */
  static const uint8_t key[16] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
                                  0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
  uint8_t whole[100] = {0}, piece[100] = {0};
  assert_int_equal(hf_aes_ctr(whole, sizeof whole, hf_bytes_init(key, 16), 0), HF_OK);
  for (size_t at = 0; at < sizeof piece; at += 7) {
    size_t len = sizeof piece - at < 7 ? sizeof piece - at : 7;
    assert_int_equal(hf_aes_ctr(piece + at, len, hf_bytes_init(key, 16), at), HF_OK);
  }
  assert_memory_equal(whole, piece, sizeof whole);
  assert_int_equal(whole[0], 0x7d); /* AES-128(2b7e..., 0): 7df76b0c1ab899b3 3e42f047b91b546f */
  assert_int_equal(whole[15], 0x6f);
  assert_int_equal(hf_aes_ctr(whole, 1, hf_bytes_init(key, 15), 0), HF_E_INPUT);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(opens_what_another_implementation_sealed),
      cmocka_unit_test(tells_a_wrong_key_from_a_damaged_image),
      cmocka_unit_test(seals_for_one_key_and_shows_nothing_to_others),
      cmocka_unit_test(derives_keys_as_rfc_5869_test_case_3_does),
      cmocka_unit_test(counts_blocks_as_sp_800_38a_does),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
