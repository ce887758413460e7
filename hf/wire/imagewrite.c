/* SPDX-License-Identifier: Apache-2.0
 * The signing side of hf/wire/image.h; apart so that firmware does not link it. */
#include <string.h>

#include "hf/crypto/cipher.h"
#include "hf/wire/image.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/seal.h"

static void put_tlv(struct hf_buf *out, uint16_t type, struct hf_bytes value)
{
  hf_buf_put_le16(out, type);
  hf_buf_put_le16(out, (uint16_t)value.len);
  hf_buf_put(out, value);
}

static void put_version(struct hf_buf *out, const struct hf_version *version)
{
  hf_buf_put_u8(out, version->major);
  hf_buf_put_u8(out, version->minor);
  hf_buf_put_le16(out, version->revision);
  hf_buf_put_le32(out, version->build);
}

static void put_dependency(struct hf_buf *out, const struct hf_image_dependency *dependency)
{
  hf_buf_put_le16(out, HF_TLV_DEPENDENCY);
  hf_buf_put_le16(out, 12);
  hf_buf_put_u8(out, dependency->image);
  hf_buf_put(out, HF_LIT("\0\0\0"));
  put_version(out, &dependency->version);
}

/* The protected TLVs without their info header, in ascending order of type. */
static void put_protected(struct hf_buf *out, const struct hf_image_build *build)
{
  for (size_t i = 0; i < build->dependency_count; i++) {
    put_dependency(out, &build->dependency[i]);
  }
  if (build->has_counter) {
    hf_buf_put_le16(out, HF_TLV_COUNTER);
    hf_buf_put_le16(out, 4);
    hf_buf_put_le32(out, build->counter);
  }
  if (build->product.len > 0) {
    put_tlv(out, HF_TLV_PRODUCT, build->product);
  }
  if (build->component.len > 0) {
    put_tlv(out, HF_TLV_COMPONENT, build->component);
  }
  for (size_t i = 0; i < build->hardware_count; i++) {
    put_tlv(out, HF_TLV_HARDWARE, build->hardware[i]);
  }
  if (build->sbom.len > 0) {
    put_tlv(out, HF_TLV_SBOM, build->sbom);
  }
}

/* Lengths that the parser would not catch because they would not survive the writing. */
static bool build_fits(const struct hf_image_build *build, struct hf_bytes payload)
{
  if (build->dependency_count > HF_IMAGE_DEPENDENCIES_MAX || build->hardware_count > HF_IMAGE_HARDWARE_MAX) {
    return false;
  }
  for (size_t i = 0; i < build->hardware_count; i++) {
    if (build->hardware[i].len > HF_IMAGE_HARDWARE_LEN_MAX) {
      return false;
    }
  }
  bool header =
      build->header_len == 0 || (build->header_len >= HF_IMAGE_HEADER_LEN && build->header_len <= HF_IMAGE_HEADER_MAX);
  return header && (build->flags & HF_IMAGE_ENCRYPTED) == 0 && build->product.len <= HF_IMAGE_NAME_MAX &&
         build->component.len <= HF_IMAGE_NAME_MAX && (build->sbom.len == 0 || build->sbom.len == HF_SHA256_LEN) &&
         payload.len > 0 && payload.len <= UINT32_MAX - HF_IMAGE_OVERHEAD_MAX;
}

static uint32_t seal_flag(const struct hf_image_build *build)
{
  return build->encrypt_for == NULL ? 0 : build->aes256 ? HF_IMAGE_AES256 : HF_IMAGE_AES128;
}

static void put_header(struct hf_buf *out, const struct hf_image_build *build, size_t payload_len, size_t protected_len)
{
  size_t header_len = build->header_len == 0 ? HF_IMAGE_HEADER_LEN : build->header_len;
  hf_buf_put_le32(out, HF_IMAGE_MAGIC);
  hf_buf_put_le32(out, build->load_addr);
  hf_buf_put_le16(out, (uint16_t)header_len);
  hf_buf_put_le16(out, (uint16_t)protected_len);
  hf_buf_put_le32(out, (uint32_t)payload_len);
  hf_buf_put_le32(out, build->flags | seal_flag(build));
  put_version(out, &build->version);
  hf_buf_put_le32(out, 0);
  for (size_t i = HF_IMAGE_HEADER_LEN; i < header_len; i++) {
    hf_buf_put_u8(out, 0);
  }
}

/* The unprotected area: digest, key hash, signature, and the key of an encrypted payload. */
static enum hf_err put_signature(struct hf_buf *out, const struct hf_image_signer *signer, struct hf_bytes seal)
{
  uint8_t digest[HF_SHA256_LEN];
  uint8_t key_hash[HF_SHA256_LEN];
  uint8_t raw[HF_SIG_MAX];
  struct hf_buf sig = hf_buf_init(raw, sizeof raw);
  hf_sha256(digest, hf_buf_bytes(out));
  hf_pubkey_hash(key_hash, &signer->pub);
  enum hf_err err = signer->sign(signer->ctx, &sig, digest);
  if (err != HF_OK || sig.failed) {
    return err != HF_OK ? err : HF_E_CRYPTO;
  }
  hf_buf_put_le16(out, HF_IMAGE_TLV_INFO);
  size_t seal_len = seal.len > 0 ? 4 + seal.len : 0;
  hf_buf_put_le16(out, (uint16_t)(4 + 4 + sizeof digest + 4 + sizeof key_hash + 4 + sig.len + seal_len));
  put_tlv(out, HF_TLV_SHA256, hf_bytes_init(digest, sizeof digest));
  put_tlv(out, HF_TLV_KEY_HASH, hf_bytes_init(key_hash, sizeof key_hash));
  put_tlv(out, signer->pub.type == HF_KEY_ED25519 ? HF_TLV_ED25519 : HF_TLV_ECDSA, hf_buf_bytes(&sig));
  if (seal.len > 0) {
    put_tlv(out, HF_TLV_SEAL_P256, seal);
  }
  return out->failed ? HF_E_SPACE : HF_OK;
}

/* What leaves this file has been through the verifier every device uses. */
static enum hf_err check_result(const struct hf_buf *out, const struct hf_image_build *build,
                                const struct hf_image_signer *signer)
{
  struct hf_bytes whole = hf_buf_bytes(out);
  struct hf_image_source source = hf_image_source_init(&whole);
  struct hf_image_keys keys = {.key = &signer->pub, .count = 1};
  struct hf_image_policy policy = {.counter_optional = !build->has_counter, .opened = build->encrypt_for != NULL};
  struct hf_image_info info;
  struct hf_why why = {0};
  if (hf_image_verify(&info, &source, &keys, &policy, &why) == HF_ALLOW && info.total_len == whole.len) {
    return HF_OK;
  }
  return why.rule == HF_RULE_IMAGE_SIGNATURE ? HF_E_CRYPTO : HF_E_INPUT; /* the signer's fault, or the build's */
}

static enum hf_err put_signed(struct hf_buf *out, const struct hf_image_build *build, struct hf_bytes payload)
{
  uint8_t raw[HF_IMAGE_TLVS_MAX];
  struct hf_buf tlvs = hf_buf_init(raw, sizeof raw);
  put_protected(&tlvs, build);
  size_t protected_len = tlvs.len == 0 ? 0 : tlvs.len + 4;
  put_header(out, build, payload.len, protected_len);
  hf_buf_put(out, payload);
  if (protected_len > 0) {
    hf_buf_put_le16(out, HF_IMAGE_TLV_INFO_PROTECTED);
    hf_buf_put_le16(out, (uint16_t)protected_len);
    hf_buf_put(out, hf_buf_bytes(&tlvs));
  }
  return out->failed || tlvs.failed ? HF_E_SPACE : HF_OK;
}

enum hf_err hf_image_sign(struct hf_buf *out, const struct hf_image_build *build, struct hf_bytes payload,
                          const struct hf_image_signer *signer)
{
  uint8_t tlv[HF_IMAGE_SEAL_MAX];
  struct hf_buf sealed = hf_buf_init(tlv, sizeof tlv);
  struct hf_seal seal = {.key_len = 0};
  if (!build_fits(build, payload) || out->len != 0) {
    return HF_E_INPUT;
  }
  enum hf_err err = put_signed(out, build, payload);
  if (err == HF_OK && build->encrypt_for != NULL) {
    err = hf_seal_make(&seal, &sealed, build->encrypt_for, build->aes256 ? 32 : 16);
  }
  if (err == HF_OK) {
    err = put_signature(out, signer, hf_buf_bytes(&sealed));
  }
  if (err == HF_OK) {
    err = check_result(out, build, signer);
  }
  if (err == HF_OK && seal.key_len > 0) {
    /* Signed and checked in the clear; only now does the payload disappear. */
    size_t header_len = build->header_len == 0 ? HF_IMAGE_HEADER_LEN : build->header_len;
    err = hf_aes_ctr(out->at + header_len, payload.len, hf_bytes_init(seal.key, seal.key_len), 0);
  }
  hf_secret_wipe(&seal, sizeof seal);
  return err;
}
