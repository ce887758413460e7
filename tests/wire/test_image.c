/* SPDX-License-Identifier: Apache-2.0
 * Images. The vectors are put together byte by byte and signed with OpenSSL here, not by the code under test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "hf/crypto/key.h"
#include "hf/wire/image.h"
#include "hf/wire/pubkey.h"
#include "testimage.h"

/* ---- an image made by hand ---- */

struct raw {
  uint8_t at[8192];
  size_t len;
};

struct signer {
  EVP_PKEY *key;
  struct hf_pubkey pub;
  uint8_t hash[32];
};

static struct signer p256, ed25519, thief;

static void put8(struct raw *raw, unsigned value)
{
  assert_true(raw->len < sizeof raw->at);
  raw->at[raw->len++] = (uint8_t)value;
}

static void put16(struct raw *raw, unsigned value)
{
  put8(raw, value & 0xff);
  put8(raw, value >> 8);
}

static void put32(struct raw *raw, uint32_t value)
{
  put16(raw, value & 0xffff);
  put16(raw, value >> 16);
}

static void put(struct raw *raw, const void *bytes, size_t len)
{
  for (size_t i = 0; i < len; i++) {
    put8(raw, ((const uint8_t *)bytes)[i]);
  }
}

static void tlv(struct raw *raw, unsigned type, const void *bytes, size_t len)
{
  put16(raw, type);
  put16(raw, (unsigned)len);
  put(raw, bytes, len);
}

static void make_signer(struct signer *signer, const char *type)
{
  uint8_t *der = NULL;
  signer->key = strcmp(type, "P-256") == 0 ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(NULL, NULL, type);
  assert_non_null(signer->key);
  int len = i2d_PUBKEY(signer->key, &der);
  assert_true(len > 0);
  SHA256(der, (size_t)len, signer->hash);
  assert_int_equal(hf_pubkey_parse_spki(&signer->pub, hf_bytes_init(der, (size_t)len)), HF_OK);
  OPENSSL_free(der);
}

static size_t sign_digest(uint8_t sig[128], const struct signer *signer, const uint8_t digest[32])
{
  size_t len = 128;
  if (EVP_PKEY_get_id(signer->key) == EVP_PKEY_ED25519) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, signer->key), 1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &len, digest, 32), 1);
    EVP_MD_CTX_free(ctx);
  } else {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(signer->key, NULL);
    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    assert_int_equal(EVP_PKEY_sign(ctx, sig, &len, digest, 32), 1);
    EVP_PKEY_CTX_free(ctx);
  }
  return len;
}

/* What a test may want to be different. */
struct recipe {
  uint32_t magic, flags, payload_len; /* 0: the right one */
  uint16_t header_len;                /* 0: 32 */
  int protected_len;                  /* -1: the right one */
  struct raw protected_tlvs;          /* without info */
  struct raw extra_tlvs;              /* unprotected, before the digest */
  bool no_hash, no_key_hash, no_signature, no_payload;
  unsigned sig_type; /* 0: by key */
  const struct signer *signer;
};

static const uint8_t payload[301] = {0xde, 0xad, [150] = 0x55, [300] = 0xff};

static struct recipe good_recipe(void)
{
  struct recipe recipe = {.protected_len = -1, .signer = &p256};
  static const uint8_t dependency[12] = {1, 0, 0, 0, 2, 3, 4, 0, 5, 0, 0, 0}; /* image 1 at least 2.3.4+5 */
  static const uint8_t sbom[32] = {7, 7, 7};
  struct raw *tlvs = &recipe.protected_tlvs;
  tlv(tlvs, 0x40, dependency, 12);
  tlv(tlvs, 0x50, "\x09\x00\x00\x00", 4);
  tlv(tlvs, 0x48a0, "thermostat", 10);
  tlv(tlvs, 0x48a1, "main", 4);
  tlv(tlvs, 0x48a2, "thermo-a", 8);
  tlv(tlvs, 0x48a2, "thermo-b.2", 10);
  tlv(tlvs, 0x48a3, sbom, 32);
  return recipe;
}

static void bake(struct raw *raw, const struct recipe *recipe)
{
  uint8_t digest[32], sig[128];
  uint16_t header_len = recipe->header_len == 0 ? 32 : recipe->header_len;
  size_t protected_len = recipe->protected_tlvs.len == 0 ? 0 : recipe->protected_tlvs.len + 4;
  raw->len = 0;
  put32(raw, recipe->magic == 0 ? 0x96f3b83d : recipe->magic);
  put32(raw, 0x10000000);
  put16(raw, header_len);
  put16(raw, recipe->protected_len < 0 ? (unsigned)protected_len : (unsigned)recipe->protected_len);
  size_t payload_len = recipe->no_payload ? 0 : sizeof payload;
  put32(raw, recipe->payload_len == 0 ? (uint32_t)payload_len : recipe->payload_len);
  put32(raw, recipe->flags);
  put(raw, "\x01\x02\x03\x00\x04\x00\x00\x00", 8); /* 1.2.3+4 */
  put32(raw, 0);
  while (raw->len < header_len) {
    put8(raw, 0);
  }
  put(raw, payload, payload_len);
  if (protected_len > 0) {
    put16(raw, 0x6908);
    put16(raw, (unsigned)protected_len);
    put(raw, recipe->protected_tlvs.at, recipe->protected_tlvs.len);
  }
  SHA256(raw->at, raw->len, digest);
  size_t sig_len = sign_digest(sig, recipe->signer, digest);
  struct raw tail = {.len = 0};
  put(&tail, recipe->extra_tlvs.at, recipe->extra_tlvs.len);
  if (!recipe->no_hash) {
    tlv(&tail, 0x10, digest, 32);
  }
  if (!recipe->no_key_hash) {
    tlv(&tail, 0x01, recipe->signer->hash, 32);
  }
  if (!recipe->no_signature) {
    unsigned by_key = EVP_PKEY_get_id(recipe->signer->key) == EVP_PKEY_ED25519 ? 0x24 : 0x22;
    tlv(&tail, recipe->sig_type == 0 ? by_key : recipe->sig_type, sig, sig_len);
  }
  put16(raw, 0x6907);
  put16(raw, (unsigned)tail.len + 4);
  put(raw, tail.at, tail.len);
}

/* ---- how tests ask ---- */

static const struct hf_image_policy any_policy = {.counter_optional = true};

static enum hf_verdict verify_bytes(struct hf_bytes bytes, const struct hf_image_policy *policy,
                                    struct hf_image_info *info, struct hf_why *why)
{
  struct hf_pubkey keys[2] = {ed25519.pub, p256.pub};
  struct hf_image_keys ring = {.key = keys, .count = 2};
  struct hf_image_source source = hf_image_source_init(&bytes);
  return hf_image_verify(info, &source, &ring, policy, why);
}

static void expect_refusal(const struct recipe *recipe, const struct hf_image_policy *policy, enum hf_rule rule)
{
  static struct raw raw;
  struct hf_image_info info;
  struct hf_why why = {0};
  bake(&raw, recipe);
  assert_int_equal(verify_bytes(hf_bytes_init(raw.at, raw.len), policy, &info, &why), HF_DENY);
  assert_int_equal(why.rule, rule);
}

static void expect_allowed(const struct recipe *recipe)
{
  static struct raw raw;
  struct hf_image_info info;
  struct hf_why why = {0};
  bake(&raw, recipe);
  enum hf_verdict verdict = verify_bytes(hf_bytes_init(raw.at, raw.len), &any_policy, &info, &why);
  assert_int_equal(why.rule, 0);
  assert_int_equal(verdict, HF_ALLOW);
}

static int make_keys(void **state)
{
  (void)state;
  make_signer(&p256, "P-256");
  make_signer(&thief, "P-256");
  make_signer(&ed25519, "ED25519");
  return 0;
}

static int free_keys(void **state)
{
  (void)state;
  EVP_PKEY_free(p256.key);
  EVP_PKEY_free(thief.key);
  EVP_PKEY_free(ed25519.key);
  return 0;
}

/* ---- tests ---- */

static void accepts_images_made_by_hand(void **state)
{
  (void)state;
  struct recipe recipe = good_recipe();
  expect_allowed(&recipe);
  recipe.signer = &ed25519;
  expect_allowed(&recipe);
  recipe.header_len = 512; /* padded for a vector table */
  expect_allowed(&recipe);
  recipe.protected_tlvs.len = 0; /* a plain MCUboot image */
  expect_allowed(&recipe);
}

static void reads_every_field(void **state)
{
  (void)state;
  static struct raw raw;
  struct hf_image_info info;
  struct hf_why why = {0};
  struct recipe recipe = good_recipe();
  struct hf_image_policy policy = {.hardware = HF_LIT("thermo-b.2"), .counter_min = 9};
  bake(&raw, &recipe);
  assert_int_equal(verify_bytes(hf_bytes_init(raw.at, raw.len), &policy, &info, &why), HF_ALLOW);
  assert_int_equal(info.version.major, 1);
  assert_int_equal(info.version.minor, 2);
  assert_int_equal(info.version.revision, 3);
  assert_int_equal(info.version.build, 4);
  assert_int_equal(info.load_addr, 0x10000000);
  assert_int_equal(info.header_len, 32);
  assert_int_equal(info.payload_len, sizeof payload);
  assert_int_equal(info.signed_len, 32 + sizeof payload + info.protected_len);
  assert_int_equal(info.total_len, raw.len);
  assert_true(info.has_counter);
  assert_int_equal(info.counter, 9);
  assert_true(hf_bytes_is(hf_image_text_bytes(&info.product), "thermostat"));
  assert_true(hf_bytes_is(hf_image_text_bytes(&info.component), "main"));
  assert_int_equal(info.hardware_count, 2);
  assert_true(hf_image_info_has_hardware(&info, HF_LIT("thermo-a")));
  assert_false(hf_image_info_has_hardware(&info, HF_LIT("thermo")));
  assert_true(info.has_sbom);
  assert_int_equal(info.sbom[0], 7);
  assert_int_equal(info.dependency_count, 1);
  assert_int_equal(info.dependency[0].image, 1);
  assert_int_equal(info.dependency[0].version.build, 5);
  uint8_t digest[32];
  SHA256(raw.at, info.signed_len, digest);
  assert_memory_equal(info.digest, digest, 32);
}

static void ignores_what_a_slot_holds_after_the_image(void **state)
{
  (void)state;
  static struct raw raw;
  struct hf_image_info info;
  struct recipe recipe = good_recipe();
  bake(&raw, &recipe);
  size_t len = raw.len;
  put(&raw, payload, sizeof payload);
  assert_int_equal(verify_bytes(hf_bytes_init(raw.at, raw.len), &any_policy, &info, NULL), HF_ALLOW);
  assert_int_equal(info.total_len, len);
}

static void refuses_every_truncation(void **state)
{
  (void)state;
  static struct raw raw;
  struct hf_image_info info;
  struct recipe recipe = good_recipe();
  bake(&raw, &recipe);
  for (size_t len = 0; len < raw.len; len++) {
    uint8_t *exact = malloc(len + 1); /* the sanitizer watches its end */
    memcpy(exact, raw.at, len);
    struct hf_why why = {0};
    assert_int_equal(verify_bytes(hf_bytes_init(exact, len), &any_policy, &info, &why), HF_DENY);
    assert_in_range(why.rule, 100, 199);
    free(exact);
  }
}

static void refuses_every_flipped_bit(void **state)
{
  (void)state;
  static struct raw raw;
  struct hf_image_info info;
  const struct signer *signers[] = {&p256, &ed25519};
  for (size_t s = 0; s < 2; s++) {
    struct recipe recipe = good_recipe();
    recipe.signer = signers[s];
    bake(&raw, &recipe);
    for (size_t i = 0; i < raw.len * 8; i++) {
      struct hf_why why = {0};
      raw.at[i / 8] ^= (uint8_t)(1u << i % 8);
      assert_int_equal(verify_bytes(hf_bytes_init(raw.at, raw.len), &any_policy, &info, &why), HF_DENY);
      assert_in_range(why.rule, 100, 199);
      raw.at[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    assert_int_equal(verify_bytes(hf_bytes_init(raw.at, raw.len), &any_policy, &info, NULL), HF_ALLOW);
  }
}

/* A medium that counts what is read and fails at the n-th read. */
struct medium {
  struct hf_bytes bytes;
  uint64_t read;
  unsigned calls;
  unsigned fail_at;
};

static enum hf_err medium_read(void *ctx, uint32_t at, void *out, uint32_t len)
{
  struct medium *medium = ctx;
  assert_true(at <= medium->bytes.len && len <= medium->bytes.len - at); /* never asked for more than there is */
  if (++medium->calls == medium->fail_at) {
    return HF_E_IO;
  }
  medium->read += len;
  memcpy(out, medium->bytes.at + at, len);
  return HF_OK;
}

/* MCUboot issue 2025: corrupt length fields made devices hash for hours. */
static void reads_no_payload_before_the_lengths_are_known_to_fit(void **state)
{
  (void)state;
  static struct raw raw;
  static const uint32_t lengths[] = {sizeof payload + 4096, 0x7fffffff, 0xffffffff, 0xffffffe0, 0xfffffff0};
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    struct recipe recipe = good_recipe();
    struct hf_image_info info;
    struct hf_why why = {0};
    recipe.payload_len = lengths[i];
    bake(&raw, &recipe);
    struct medium medium = {.bytes = hf_bytes_init(raw.at, raw.len)};
    struct hf_image_source source = {.read = medium_read, .ctx = &medium, .size = (uint32_t)raw.len};
    struct hf_image_keys ring = {.key = &p256.pub, .count = 1};
    assert_int_equal(hf_image_verify(&info, &source, &ring, &any_policy, &why), HF_DENY);
    assert_int_equal(why.rule, HF_RULE_IMAGE_LENGTH);
    assert_int_equal(medium.read, 32);
  }
}

static void a_failing_read_anywhere_is_a_refusal(void **state)
{
  (void)state;
  static struct raw raw;
  struct recipe recipe = good_recipe();
  struct hf_image_keys ring = {.key = &p256.pub, .count = 1};
  bake(&raw, &recipe);
  unsigned reads = 0;
  for (unsigned fail_at = 1;; fail_at++) {
    struct medium medium = {.bytes = hf_bytes_init(raw.at, raw.len), .fail_at = fail_at};
    struct hf_image_source source = {.read = medium_read, .ctx = &medium, .size = (uint32_t)raw.len};
    struct hf_image_info info;
    struct hf_why why = {0};
    enum hf_verdict verdict = hf_image_verify(&info, &source, &ring, &any_policy, &why);
    if (medium.calls < fail_at) {
      assert_int_equal(verdict, HF_ALLOW);
      break;
    }
    assert_int_equal(verdict, HF_DENY);
    assert_int_equal(why.rule, HF_RULE_IMAGE_READ);
    reads++;
  }
  assert_true(reads > 10);
}

static void tells_failures_of_form_apart(void **state)
{
  (void)state;
  struct recipe recipe = good_recipe();
  recipe.magic = 0x96f3b83c; /* MCUboot's old format */
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_MAGIC);
  recipe = good_recipe();
  recipe.header_len = 31;
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_HEADER);
  recipe.header_len = 4097;
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_HEADER);
  recipe = good_recipe();
  recipe.protected_len = 0; /* the protected area hidden from the digest */
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_TLV);
  recipe = good_recipe();
  recipe.protected_len = (int)recipe.protected_tlvs.len; /* 4 short */
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_TLV);
  recipe = good_recipe();
  recipe.protected_len = 0xffff;
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_LENGTH);
  recipe = good_recipe();
  recipe.no_payload = true;
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_LENGTH);
  recipe = good_recipe();
  recipe.flags = 0x4;
  expect_refusal(&recipe, &any_policy, HF_RULE_SEAL_NO_KEY);
  recipe.flags = 0x400;
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_FLAGS);
  recipe.flags = 0x80000000;
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_FLAGS);
  recipe = good_recipe();
  recipe.no_hash = true;
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_NO_HASH);
  recipe = good_recipe();
  recipe.no_key_hash = true;
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_NO_SIGNATURE);
  recipe = good_recipe();
  recipe.no_signature = true;
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_NO_SIGNATURE);
}

static void tells_failures_of_trust_apart(void **state)
{
  (void)state;
  static struct raw raw;
  struct hf_image_info info;
  struct recipe recipe = good_recipe();
  recipe.signer = &thief;
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_KEY_UNKNOWN);

  recipe = good_recipe();
  recipe.signer = &ed25519;
  recipe.sig_type = 0x22; /* says ECDSA, names an Ed25519 key */
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_SIGNATURE_TYPE);

  struct signer mask = thief; /* signs with the thief's key, names ours */
  memcpy(mask.hash, p256.hash, 32);
  recipe = good_recipe();
  recipe.signer = &mask;
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_SIGNATURE);

  recipe = good_recipe();
  bake(&raw, &recipe);
  raw.at[40] ^= 1;
  struct hf_why why = {0};
  assert_int_equal(verify_bytes(hf_bytes_init(raw.at, raw.len), &any_policy, &info, &why), HF_DENY);
  assert_int_equal(why.rule, HF_RULE_IMAGE_HASH);

  uint8_t digest[32]; /* the same, with its digest mended: rot becomes forgery */
  SHA256(raw.at, info.signed_len, digest);
  memcpy(raw.at + info.signed_len + 8, digest, 32);
  why = (struct hf_why){0};
  assert_int_equal(verify_bytes(hf_bytes_init(raw.at, raw.len), &any_policy, &info, &why), HF_DENY);
  assert_int_equal(why.rule, HF_RULE_IMAGE_SIGNATURE);
}

static void refuses_a_revoked_key(void **state)
{
  (void)state;
  static struct raw raw;
  struct recipe recipe = good_recipe();
  struct hf_pubkey keys[2] = {thief.pub, p256.pub};
  bake(&raw, &recipe);
  for (uint32_t revoked = 0; revoked < 4; revoked++) {
    struct hf_image_keys ring = {.key = keys, .count = 2, .revoked = revoked};
    struct hf_bytes bytes = hf_bytes_init(raw.at, raw.len);
    struct hf_image_source source = hf_image_source_init(&bytes);
    struct hf_image_info info;
    struct hf_why why = {0};
    bool ours = (revoked & 2) != 0;
    assert_int_equal(hf_image_verify(&info, &source, &ring, &any_policy, &why), ours ? HF_DENY : HF_ALLOW);
    assert_int_equal(why.rule, ours ? HF_RULE_IMAGE_KEY_REVOKED : HF_RULE_NONE);
  }
}

static void trusts_nothing_without_keys(void **state)
{
  (void)state;
  static struct raw raw;
  struct recipe recipe = good_recipe();
  bake(&raw, &recipe);
  struct hf_bytes bytes = hf_bytes_init(raw.at, raw.len);
  struct hf_image_source source = hf_image_source_init(&bytes);
  struct hf_image_keys ring = {.key = NULL, .count = 0};
  struct hf_image_info info;
  struct hf_why why = {0};
  assert_int_equal(hf_image_verify(&info, &source, &ring, &any_policy, &why), HF_DENY);
  assert_int_equal(why.rule, HF_RULE_IMAGE_KEY_UNKNOWN);
}

static void holds_the_image_to_the_devices_policy(void **state)
{
  (void)state;
  struct recipe recipe = good_recipe(); /* counter 9, thermo-a and thermo-b.2 */
  struct hf_image_policy policy = {.hardware = HF_LIT("thermo-c"), .counter_min = 9};
  expect_refusal(&recipe, &policy, HF_RULE_IMAGE_HARDWARE);
  policy = (struct hf_image_policy){.component = HF_LIT("radio")};
  expect_refusal(&recipe, &policy, HF_RULE_IMAGE_COMPONENT);
  policy = (struct hf_image_policy){.component = HF_LIT("mai")}; /* a part of the name is another name */
  expect_refusal(&recipe, &policy, HF_RULE_IMAGE_COMPONENT);
  policy = (struct hf_image_policy){.hardware = HF_LIT("thermo-a"), .counter_min = 10};
  expect_refusal(&recipe, &policy, HF_RULE_IMAGE_COUNTER);
  recipe.protected_tlvs.len = 0;
  tlv(&recipe.protected_tlvs, 0x48a2, "thermo-a", 8);
  policy.counter_min = 0;
  expect_refusal(&recipe, &policy, HF_RULE_IMAGE_NO_COUNTER);
  policy = (struct hf_image_policy){.counter_min = 1, .counter_optional = true};
  expect_refusal(&recipe, &policy, HF_RULE_IMAGE_NO_COUNTER);
  recipe.protected_tlvs.len = 0; /* names no hardware at all */
  tlv(&recipe.protected_tlvs, 0x50, "\x09\x00\x00\x00", 4);
  policy = (struct hf_image_policy){.hardware = HF_LIT("thermo-a")};
  expect_refusal(&recipe, &policy, HF_RULE_IMAGE_HARDWARE);
  policy = (struct hf_image_policy){.component = HF_LIT("main")}; /* and no component */
  expect_refusal(&recipe, &policy, HF_RULE_IMAGE_COMPONENT);
}

static void refuses_tags_that_stand_twice(void **state)
{
  (void)state;
  static const unsigned once[] = {0x50, 0x48a0, 0x48a1};
  for (size_t i = 0; i < 3; i++) {
    struct recipe recipe = good_recipe();
    tlv(&recipe.protected_tlvs, once[i], "aaaa", 4);
    expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_TLV_TWICE);
  }
  struct recipe recipe = good_recipe();
  tlv(&recipe.extra_tlvs, 0x01, thief.hash, 32); /* which of two keys? none */
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_TLV_TWICE);
  recipe = good_recipe();
  tlv(&recipe.extra_tlvs, 0x10, thief.hash, 32);
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_TLV_TWICE);
  recipe = good_recipe();
  uint8_t sig[64] = {0};
  tlv(&recipe.extra_tlvs, 0x24, sig, 64); /* two signatures of different kinds */
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_TLV_TWICE);
}

/* What nobody signed must not look as if somebody had. */
static void refuses_tags_in_the_wrong_area(void **state)
{
  (void)state;
  static const unsigned must_be_protected[] = {0x40, 0x50, 0x48a0, 0x48a1, 0x48a2, 0x48a3};
  for (size_t i = 0; i < 6; i++) {
    struct recipe recipe = good_recipe();
    tlv(&recipe.extra_tlvs, must_be_protected[i], "aaaa", 4);
    expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_TLV_PLACE);
  }
  static const unsigned must_not_be[] = {0x01, 0x10, 0x22, 0x24};
  for (size_t i = 0; i < 4; i++) {
    struct recipe recipe = good_recipe();
    tlv(&recipe.protected_tlvs, must_not_be[i], thief.hash, 32);
    expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_TLV_PLACE);
  }
}

/* Well-formed and signed, but a device would read for ever: unknown tags, area after area. */
static void refuses_areas_above_the_maximum(void **state)
{
  (void)state;
  static const uint8_t filler[900] = {0};
  struct recipe recipe = good_recipe();
  for (int i = 0; i < 2; i++) {
    tlv(&recipe.protected_tlvs, 0x48f0, filler, sizeof filler);
    tlv(&recipe.extra_tlvs, 0x48f0, filler, sizeof filler);
  }
  expect_allowed(&recipe);
  tlv(&recipe.protected_tlvs, 0x48f0, filler, sizeof filler);
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_LENGTH);
  recipe = good_recipe();
  for (int i = 0; i < 3; i++) {
    tlv(&recipe.extra_tlvs, 0x48f0, filler, sizeof filler);
  }
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_LENGTH);
}

static void refuses_tags_of_the_wrong_length(void **state)
{
  (void)state;
  static const uint8_t long_value[100] = {0};
  static const struct {
    unsigned type;
    size_t len;
  } wrong[] = {{0x50, 3}, {0x50, 5}, {0x40, 11}, {0x40, 13}, {0x48a3, 31}, {0x48a0, 0}, {0x48a0, 33}, {0x48a2, 65}};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    struct recipe recipe = good_recipe();
    recipe.protected_tlvs.len = 0;
    tlv(&recipe.protected_tlvs, wrong[i].type, long_value, wrong[i].len);
    expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_TLV_LENGTH);
  }
}

static void refuses_too_many_dependencies_or_boards(void **state)
{
  (void)state;
  struct recipe recipe = good_recipe();
  for (int i = 0; i < 3; i++) {
    tlv(&recipe.protected_tlvs, 0x48a2, "x", 1);
  }
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_TLV_COUNT);
  recipe = good_recipe();
  for (int i = 0; i < 4; i++) {
    tlv(&recipe.protected_tlvs, 0x40, "\1\0\0\0\1\0\0\0\0\0\0\0", 12);
  }
  expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_TLV_COUNT);
}

static void refuses_names_that_are_not_plain(void **state)
{
  (void)state;
  static const char *const names[] = {"a/b", "..", "A", "a b", "a\n", "caf\xc3\xa9", "-rf"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    struct recipe recipe = good_recipe();
    recipe.protected_tlvs.len = 0;
    tlv(&recipe.protected_tlvs, 0x48a0, names[i], strlen(names[i]));
    expect_refusal(&recipe, &any_policy, HF_RULE_IMAGE_TEXT);
  }
}

static void steps_over_tags_it_does_not_know(void **state)
{
  (void)state;
  struct recipe recipe = good_recipe();
  tlv(&recipe.protected_tlvs, 0x60, "boot record", 11);
  tlv(&recipe.protected_tlvs, 0x48ff, "", 0);
  tlv(&recipe.extra_tlvs, 0x99a1, "anything", 8);
  expect_allowed(&recipe);
}

/* ---- the signing side ---- */

struct key_signer {
  EVP_PKEY *key;
  enum hf_err fail;
};

static enum hf_err openssl_sign(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  const struct key_signer *signer = ctx;
  uint8_t raw[128];
  struct signer with = {.key = signer->key};
  if (signer->fail != HF_OK) {
    return signer->fail;
  }
  hf_buf_put(sig, hf_bytes_init(raw, sign_digest(raw, &with, digest)));
  return HF_OK;
}

static void what_it_signs_any_reader_can_check(void **state)
{
  (void)state;
  static uint8_t room[sizeof payload + HF_IMAGE_OVERHEAD_MAX];
  struct key_signer ctx = {.key = p256.key};
  struct hf_image_signer signer = {.pub = p256.pub, .sign = openssl_sign, .ctx = &ctx};
  struct hf_image_build build = testimage_build();
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_image_sign(&out, &build, hf_bytes_init(payload, sizeof payload), &signer), HF_OK);

  uint8_t digest[32]; /* read by offsets alone, as another bootloader would */
  size_t header_len = (size_t)(room[8] | room[9] << 8), protected_len = (size_t)(room[10] | room[11] << 8);
  assert_int_equal(header_len, 64);
  size_t signed_len = header_len + sizeof payload + protected_len;
  assert_memory_equal(room + header_len, payload, sizeof payload);
  SHA256(room, signed_len, digest);
  const uint8_t *tlvs = room + signed_len;
  assert_memory_equal(tlvs, "\x07\x69", 2);
  assert_memory_equal(tlvs + 4, "\x10\x00\x20\x00", 4);
  assert_memory_equal(tlvs + 8, digest, 32);
  assert_memory_equal(tlvs + 40, "\x01\x00\x20\x00", 4);
  assert_memory_equal(tlvs + 44, p256.hash, 32);
  assert_memory_equal(tlvs + 76, "\x22\x00", 2);
  size_t sig_len = (size_t)(tlvs[78] | tlvs[79] << 8);
  EVP_PKEY_CTX *verify = EVP_PKEY_CTX_new(p256.key, NULL);
  assert_int_equal(EVP_PKEY_verify_init(verify), 1);
  assert_int_equal(EVP_PKEY_verify(verify, tlvs + 80, sig_len, digest, 32), 1);
  EVP_PKEY_CTX_free(verify);
  assert_int_equal(out.len, signed_len + 80 + sig_len);
}

static void what_it_signs_verifies_and_reads_back(void **state)
{
  (void)state;
  static uint8_t room[sizeof payload + HF_IMAGE_OVERHEAD_MAX];
  struct key_signer ctx = {.key = ed25519.key};
  struct hf_image_signer signer = {.pub = ed25519.pub, .sign = openssl_sign, .ctx = &ctx};
  struct hf_image_build build = testimage_build();
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_image_info info;
  struct hf_image_policy policy = {.hardware = HF_LIT("Thermo_B.2"), .counter_min = 9};
  assert_int_equal(hf_image_sign(&out, &build, hf_bytes_init(payload, sizeof payload), &signer), HF_OK);
  assert_int_equal(verify_bytes(hf_buf_bytes(&out), &policy, &info, NULL), HF_ALLOW);
  assert_true(hf_bytes_is(hf_image_text_bytes(&info.component), "main"));
  assert_int_equal(info.dependency[0].version.major, 2);
  assert_false(info.has_sbom);
}

static void refuses_to_sign_what_would_not_verify(void **state)
{
  (void)state;
  static uint8_t room[sizeof payload + HF_IMAGE_OVERHEAD_MAX];
  struct key_signer ctx = {.key = p256.key};
  struct hf_image_signer signer = {.pub = p256.pub, .sign = openssl_sign, .ctx = &ctx};
  struct hf_bytes bytes = hf_bytes_init(payload, sizeof payload);
  for (int i = 0; i < 8; i++) {
    struct hf_image_build build = testimage_build();
    struct hf_buf out = hf_buf_init(room, sizeof room);
    switch (i) {
      case 0: build.product = HF_LIT("Upper"); break;
      case 1: build.component = HF_LIT("a234567890123456789012345678901234"); break;
      case 2: build.hardware[1] = HF_LIT("a b"); break;
      case 3: build.hardware_count = 5; break;
      case 4: build.dependency_count = 5; break;
      case 5: build.header_len = 16; break;
      case 6: build.flags = HF_IMAGE_ENCRYPTED; break;
      default: build.sbom = HF_LIT("short"); break;
    }
    assert_int_equal(hf_image_sign(&out, &build, bytes, &signer), HF_E_INPUT);
  }
  struct hf_image_build build = testimage_build();
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_image_sign(&out, &build, hf_bytes_init(payload, 0), &signer), HF_E_INPUT);
}

static void says_when_the_private_key_is_not_the_named_one(void **state)
{
  (void)state;
  static uint8_t room[sizeof payload + HF_IMAGE_OVERHEAD_MAX];
  struct key_signer ctx = {.key = thief.key};
  struct hf_image_signer signer = {.pub = p256.pub, .sign = openssl_sign, .ctx = &ctx};
  struct hf_image_build build = testimage_build();
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_bytes bytes = hf_bytes_init(payload, sizeof payload);
  assert_int_equal(hf_image_sign(&out, &build, bytes, &signer), HF_E_CRYPTO);
  ctx = (struct key_signer){.key = p256.key, .fail = HF_E_DENIED};
  out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_image_sign(&out, &build, bytes, &signer), HF_E_DENIED);
}

static void says_when_the_buffer_is_too_small_at_every_size(void **state)
{
  (void)state;
  static uint8_t room[sizeof payload + HF_IMAGE_OVERHEAD_MAX];
  struct key_signer ctx = {.key = ed25519.key}; /* signature of one length */
  struct hf_image_signer signer = {.pub = ed25519.pub, .sign = openssl_sign, .ctx = &ctx};
  struct hf_image_build build = testimage_build();
  struct hf_bytes bytes = hf_bytes_init(payload, sizeof payload);
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_image_sign(&out, &build, bytes, &signer), HF_OK);
  size_t need = out.len;
  for (size_t cap = 0; cap < need; cap++) {
    out = hf_buf_init(room, cap);
    assert_int_equal(hf_image_sign(&out, &build, bytes, &signer), HF_E_SPACE);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(accepts_images_made_by_hand),
      cmocka_unit_test(reads_every_field),
      cmocka_unit_test(ignores_what_a_slot_holds_after_the_image),
      cmocka_unit_test(refuses_every_truncation),
      cmocka_unit_test(refuses_every_flipped_bit),
      cmocka_unit_test(reads_no_payload_before_the_lengths_are_known_to_fit),
      cmocka_unit_test(a_failing_read_anywhere_is_a_refusal),
      cmocka_unit_test(tells_failures_of_form_apart),
      cmocka_unit_test(tells_failures_of_trust_apart),
      cmocka_unit_test(refuses_a_revoked_key),
      cmocka_unit_test(trusts_nothing_without_keys),
      cmocka_unit_test(holds_the_image_to_the_devices_policy),
      cmocka_unit_test(refuses_tags_that_stand_twice),
      cmocka_unit_test(refuses_tags_in_the_wrong_area),
      cmocka_unit_test(refuses_areas_above_the_maximum),
      cmocka_unit_test(refuses_tags_of_the_wrong_length),
      cmocka_unit_test(refuses_too_many_dependencies_or_boards),
      cmocka_unit_test(refuses_names_that_are_not_plain),
      cmocka_unit_test(steps_over_tags_it_does_not_know),
      cmocka_unit_test(what_it_signs_any_reader_can_check),
      cmocka_unit_test(what_it_signs_verifies_and_reads_back),
      cmocka_unit_test(refuses_to_sign_what_would_not_verify),
      cmocka_unit_test(says_when_the_private_key_is_not_the_named_one),
      cmocka_unit_test(says_when_the_buffer_is_too_small_at_every_size),
  };
  return cmocka_run_group_tests(tests, make_keys, free_keys);
}
