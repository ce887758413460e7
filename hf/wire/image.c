/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/image.h"

#include <string.h>

#include "hf/base/assert.h"
#include "hf/base/math.h"
#include "hf/wire/names.h"
#include "hf/wire/pubkey.h"

/* Where a TLV of a known type may stand, and how. Unknown types are stepped over: a newer signer's. */
struct tlv_shape {
  uint16_t type;
  uint8_t min;
  uint8_t max;
  bool protected; /* the area it must stand in */
  bool repeats;
};

static const struct tlv_shape shapes[] = {
    {HF_TLV_KEY_HASH, HF_SHA256_LEN, HF_SHA256_LEN, false, false},
    {HF_TLV_SHA256, HF_SHA256_LEN, HF_SHA256_LEN, false, false},
    {HF_TLV_ECDSA, 8, HF_SIG_MAX, false, false},
    {HF_TLV_ED25519, 64, 64, false, false},
    {HF_TLV_SEAL_P256, HF_IMAGE_SEAL_MAX - 16, HF_IMAGE_SEAL_MAX, false, false},
    {HF_TLV_DEPENDENCY, 12, 12, true, true},
    {HF_TLV_COUNTER, 4, 4, true, false},
    {HF_TLV_PRODUCT, 1, HF_IMAGE_NAME_MAX, true, false},
    {HF_TLV_COMPONENT, 1, HF_IMAGE_NAME_MAX, true, false},
    {HF_TLV_HARDWARE, 1, HF_IMAGE_HARDWARE_LEN_MAX, true, true},
    {HF_TLV_SBOM, HF_SHA256_LEN, HF_SHA256_LEN, true, false},
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

/* What parsing carries along. */
struct parse {
  struct hf_image_info *info;
  const struct hf_image_source *source;
  struct hf_why *why;
  uint32_t at;   /* position in the image */
  uint32_t seen; /* bit i: shapes[i] was there */
};

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule, uint32_t at)
{
  hf_why_put(why, rule, at);
  return HF_E_INPUT;
}

static enum hf_err memory_read(void *ctx, uint32_t at, void *out, uint32_t len)
{
  const struct hf_bytes *bytes = ctx;
  if (at > bytes->len || len > bytes->len - at) {
    return HF_E_IO;
  }
  if (len > 0) {
    memcpy(out, bytes->at + at, len);
  }
  return HF_OK;
}

struct hf_image_source hf_image_source_init(const struct hf_bytes *bytes)
{
  union {
    const void *in;
    void *out;
  } ctx = {.in = bytes}; /* only memory_read sees it, and that does not write */
  uint32_t size = bytes->len > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes->len;
  return (struct hf_image_source){.read = memory_read, .ctx = ctx.out, .size = size};
}

/* Every read goes through here, so that no driver is asked for bytes outside the source. */
static enum hf_err source_read(const struct hf_image_source *source, uint32_t at, void *out, uint32_t len)
{
  if (at > source->size || len > source->size - at) {
    return HF_E_INPUT;
  }
  return source->read(source->ctx, at, out, len);
}

static enum hf_err take(struct parse *parse, void *out, uint32_t len)
{
  enum hf_err err = source_read(parse->source, parse->at, out, len);
  if (err != HF_OK) {
    hf_why_put(parse->why, err == HF_E_INPUT ? HF_RULE_IMAGE_LENGTH : HF_RULE_IMAGE_READ, parse->at);
    return err;
  }
  parse->at += len;
  return HF_OK;
}

/* Header fields in order, and every length against the source. */
static enum hf_err parse_header(struct parse *parse)
{
  uint8_t raw[HF_IMAGE_HEADER_LEN];
  struct hf_image_info *info = parse->info;
  if (parse->source->size < sizeof raw) {
    return refuse(parse->why, HF_RULE_IMAGE_SHORT, 0);
  }
  enum hf_err err = take(parse, raw, sizeof raw);
  if (err != HF_OK) {
    return err;
  }
  struct hf_cursor cur = hf_cursor_init(hf_bytes_init(raw, sizeof raw));
  uint32_t magic = hf_cursor_le32(&cur);
  info->load_addr = hf_cursor_le32(&cur);
  info->header_len = hf_cursor_le16(&cur);
  info->protected_len = hf_cursor_le16(&cur);
  info->payload_len = hf_cursor_le32(&cur);
  info->flags = hf_cursor_le32(&cur);
  info->version.major = hf_cursor_u8(&cur);
  info->version.minor = hf_cursor_u8(&cur);
  info->version.revision = hf_cursor_le16(&cur);
  info->version.build = hf_cursor_le32(&cur);
  if (magic != HF_IMAGE_MAGIC) {
    return refuse(parse->why, HF_RULE_IMAGE_MAGIC, 0);
  }
  if (info->header_len < HF_IMAGE_HEADER_LEN || info->header_len > HF_IMAGE_HEADER_MAX) {
    return refuse(parse->why, HF_RULE_IMAGE_HEADER, 8);
  }
  if (info->protected_len > HF_IMAGE_TLVS_MAX) {
    return refuse(parse->why, HF_RULE_IMAGE_LENGTH, 10);
  }
  uint32_t end_of_payload;
  if (info->payload_len == 0 || !hf_add_u32(&end_of_payload, info->header_len, info->payload_len) ||
      !hf_add_u32(&info->signed_len, end_of_payload, info->protected_len) || info->signed_len > parse->source->size) {
    return refuse(parse->why, HF_RULE_IMAGE_LENGTH, 12);
  }
  parse->at = end_of_payload;
  return HF_OK;
}

/* Names travel into logs, paths and queries; they are plain by construction. */
static enum hf_err take_text(struct parse *parse, struct hf_image_text *text, uint32_t len,
                             bool (*check)(struct hf_bytes))
{
  uint32_t at = parse->at;
  enum hf_err err = take(parse, text->at, len);
  if (err != HF_OK) {
    return err;
  }
  text->len = (uint8_t)len;
  return check(hf_image_text_bytes(text)) ? HF_OK : refuse(parse->why, HF_RULE_IMAGE_TEXT, at);
}

static enum hf_err take_counter(struct parse *parse)
{
  uint8_t raw[4];
  enum hf_err err = take(parse, raw, sizeof raw);
  struct hf_cursor cur = hf_cursor_init(hf_bytes_init(raw, sizeof raw));
  if (err == HF_OK) {
    parse->info->counter = hf_cursor_le32(&cur);
    parse->info->has_counter = true;
  }
  return err;
}

static enum hf_err take_dependency(struct parse *parse)
{
  uint8_t raw[12]; /* u8 image, 3 padding, version */
  struct hf_image_info *info = parse->info;
  if (info->dependency_count >= HF_IMAGE_DEPENDENCIES_MAX) {
    return refuse(parse->why, HF_RULE_IMAGE_TLV_COUNT, parse->at);
  }
  enum hf_err err = take(parse, raw, sizeof raw);
  if (err != HF_OK) {
    return err;
  }
  struct hf_image_dependency *dependency = &info->dependency[info->dependency_count++];
  struct hf_cursor cur = hf_cursor_init(hf_bytes_init(raw + 4, 8));
  dependency->image = raw[0];
  dependency->version.major = hf_cursor_u8(&cur);
  dependency->version.minor = hf_cursor_u8(&cur);
  dependency->version.revision = hf_cursor_le16(&cur);
  dependency->version.build = hf_cursor_le32(&cur);
  return HF_OK;
}

static enum hf_err take_hardware(struct parse *parse, uint32_t len)
{
  struct hf_image_info *info = parse->info;
  if (info->hardware_count >= HF_IMAGE_HARDWARE_MAX) {
    return refuse(parse->why, HF_RULE_IMAGE_TLV_COUNT, parse->at);
  }
  return take_text(parse, &info->hardware[info->hardware_count++], len, hf_names_check_hardware);
}

static enum hf_err take_signature(struct parse *parse, enum hf_key_type type, uint32_t len)
{
  struct hf_image_info *info = parse->info;
  if (info->sig_type != HF_KEY_NONE) {
    return refuse(parse->why, HF_RULE_IMAGE_TLV_TWICE, parse->at);
  }
  info->sig_type = type;
  info->sig_len = (uint8_t)len;
  return take(parse, info->sig, len);
}

static enum hf_err take_value(struct parse *parse, uint16_t type, uint32_t len)
{
  struct hf_image_info *info = parse->info;
  switch (type) {
    case HF_TLV_KEY_HASH: info->has_key_hash = true; return take(parse, info->key_hash, len);
    case HF_TLV_SHA256: return take(parse, info->digest, len);
    case HF_TLV_ECDSA: return take_signature(parse, HF_KEY_P256, len);
    case HF_TLV_ED25519: return take_signature(parse, HF_KEY_ED25519, len);
    case HF_TLV_SEAL_P256: info->seal_len = (uint8_t)len; return take(parse, info->seal, len);
    case HF_TLV_DEPENDENCY: return take_dependency(parse);
    case HF_TLV_COUNTER: return take_counter(parse);
    case HF_TLV_PRODUCT: return take_text(parse, &info->product, len, hf_names_check_product);
    case HF_TLV_COMPONENT: return take_text(parse, &info->component, len, hf_names_check_component);
    case HF_TLV_HARDWARE: return take_hardware(parse, len);
    case HF_TLV_SBOM: info->has_sbom = true; return take(parse, info->sbom, len);
    default: parse->at += len; return HF_OK;
  }
}

static size_t shape_of(uint16_t type)
{
  size_t i = 0;
  while (i < SHAPES && shapes[i].type != type) {
    i++;
  }
  return i;
}

static enum hf_err parse_tlv(struct parse *parse, uint32_t end, bool in_protected)
{
  uint8_t raw[4];
  uint32_t at = parse->at;
  if (end - at < sizeof raw) {
    return refuse(parse->why, HF_RULE_IMAGE_TLV, at);
  }
  enum hf_err err = take(parse, raw, sizeof raw);
  if (err != HF_OK) {
    return err;
  }
  struct hf_cursor cur = hf_cursor_init(hf_bytes_init(raw, sizeof raw));
  uint16_t type = hf_cursor_le16(&cur);
  uint16_t len = hf_cursor_le16(&cur);
  if (len > end - parse->at) {
    return refuse(parse->why, HF_RULE_IMAGE_TLV, at);
  }
  size_t i = shape_of(type);
  if (i < SHAPES) {
    if (shapes[i].protected != in_protected) {
      return refuse(parse->why, HF_RULE_IMAGE_TLV_PLACE, at);
    }
    if (len < shapes[i].min || len > shapes[i].max) {
      return refuse(parse->why, HF_RULE_IMAGE_TLV_LENGTH, at);
    }
    if ((parse->seen >> i & 1) != 0 && !shapes[i].repeats) {
      return refuse(parse->why, HF_RULE_IMAGE_TLV_TWICE, at);
    }
    parse->seen |= UINT32_C(1) << i;
  }
  return take_value(parse, type, len);
}

/* One area: info header, then TLVs that fill it exactly. `len` 0: as long as its own header says. */
static enum hf_err parse_area(struct parse *parse, uint16_t magic, uint32_t len)
{
  uint8_t raw[4];
  uint32_t at = parse->at;
  enum hf_err err = take(parse, raw, sizeof raw);
  if (err != HF_OK) {
    return err;
  }
  struct hf_cursor cur = hf_cursor_init(hf_bytes_init(raw, sizeof raw));
  uint16_t found = hf_cursor_le16(&cur);
  uint32_t total = hf_cursor_le16(&cur);
  if (found != magic || total < sizeof raw || (len != 0 && total != len)) {
    return refuse(parse->why, HF_RULE_IMAGE_TLV, at);
  }
  if (total > HF_IMAGE_TLVS_MAX || total > parse->source->size - at) {
    return refuse(parse->why, HF_RULE_IMAGE_LENGTH, at + 2);
  }
  while (parse->at < at + total) { /* each turn takes at least four bytes of at most HF_IMAGE_TLVS_MAX */
    err = parse_tlv(parse, at + total, magic == HF_IMAGE_TLV_INFO_PROTECTED);
    if (err != HF_OK) {
      return err;
    }
  }
  return HF_OK;
}

enum hf_err hf_image_parse(struct hf_image_info *info, const struct hf_image_source *source, struct hf_why *why)
{
  struct parse parse = {.info = info, .source = source, .why = why};
  memset(info, 0, sizeof *info);
  enum hf_err err = parse_header(&parse);
  if (err == HF_OK && info->protected_len > 0) {
    err = parse_area(&parse, HF_IMAGE_TLV_INFO_PROTECTED, info->protected_len);
  }
  if (err == HF_OK) {
    err = parse_area(&parse, HF_IMAGE_TLV_INFO, 0);
  }
  if (err != HF_OK) {
    return err;
  }
  info->total_len = parse.at;
  if ((parse.seen >> shape_of(HF_TLV_SHA256) & 1) == 0) {
    return refuse(why, HF_RULE_IMAGE_NO_HASH, info->signed_len);
  }
  return HF_OK;
}

enum hf_err hf_image_hash(uint8_t out[HF_SHA256_LEN], const struct hf_image_info *info,
                          const struct hf_image_source *source)
{
  uint8_t chunk[HF_IMAGE_CHUNK];
  struct hf_sha256 hash;
  hf_sha256_init(&hash);
  for (uint32_t at = 0; at < info->signed_len;) { /* signed_len <= source->size since hf_image_parse */
    uint32_t left = info->signed_len - at;
    uint32_t len = left < sizeof chunk ? left : (uint32_t)sizeof chunk;
    enum hf_err err = source_read(source, at, chunk, len);
    if (err != HF_OK) {
      return err;
    }
    hf_sha256_put(&hash, hf_bytes_init(chunk, len));
    at += len;
  }
  hf_sha256_get(&hash, out);
  return HF_OK;
}

struct hf_bytes hf_image_text_bytes(const struct hf_image_text *text) { return hf_bytes_init(text->at, text->len); }

uint16_t hf_image_dependencies_check(const struct hf_image_dependency *dependency, uint8_t count,
                                     const struct hf_version *const set[HF_IMAGE_DEPENDENCIES_MAX])
{
  for (uint8_t i = 0; i < count; i++) {
    uint8_t image = dependency[i].image;
    if (image >= HF_IMAGE_DEPENDENCIES_MAX) {
      return HF_RULE_IMAGE_NEEDS_OTHER;
    }
    if (set[image] == NULL || hf_version_order(set[image], &dependency[i].version) < 0) {
      return (uint16_t)(HF_RULE_IMAGE_NEEDS_0 + image);
    }
  }
  return HF_RULE_NONE;
}

bool hf_image_info_has_hardware(const struct hf_image_info *info, struct hf_bytes hardware)
{
  for (size_t i = 0; i < info->hardware_count; i++) {
    if (hf_bytes_equal(hf_image_text_bytes(&info->hardware[i]), hardware)) {
      return true;
    }
  }
  return false;
}

static enum hf_verdict deny(struct hf_why *why, enum hf_rule rule, uint32_t at)
{
  hf_why_put(why, rule, at);
  return HF_DENY;
}

/* The key the image names, or NULL with the reason. */
static const struct hf_pubkey *find_key(const struct hf_image_info *info, const struct hf_image_keys *keys,
                                        struct hf_why *why)
{
  HF_ASSERT(keys->count <= 32);
  for (size_t i = 0; i < keys->count; i++) {
    uint8_t hash[HF_SHA256_LEN];
    hf_pubkey_hash(hash, &keys->key[i]);
    if (!hf_secret_equal(hash, info->key_hash, sizeof hash)) {
      continue;
    }
    if ((keys->revoked >> i & 1) != 0) {
      hf_why_put(why, HF_RULE_IMAGE_KEY_REVOKED, info->signed_len);
      return NULL;
    }
    if (keys->key[i].type != info->sig_type) {
      hf_why_put(why, HF_RULE_IMAGE_SIGNATURE_TYPE, info->signed_len);
      return NULL;
    }
    return &keys->key[i];
  }
  hf_why_put(why, HF_RULE_IMAGE_KEY_UNKNOWN, info->signed_len);
  return NULL;
}

static enum hf_verdict verify_signature(const struct hf_image_info *info, const struct hf_pubkey *key,
                                        const uint8_t digest[HF_SHA256_LEN])
{
  struct hf_bytes sig = hf_bytes_init(info->sig, info->sig_len);
  switch (key->type) {
    case HF_KEY_P256: return hf_p256_verify(key, digest, sig);
    case HF_KEY_ED25519: return hf_ed25519_verify(key, hf_bytes_init(digest, HF_SHA256_LEN), sig);
    default: return HF_DENY;
  }
}

static enum hf_verdict verify_policy(const struct hf_image_info *info, const struct hf_image_policy *policy,
                                     struct hf_why *why)
{
  if (!info->has_counter && !(policy->counter_optional && policy->counter_min == 0)) {
    return deny(why, HF_RULE_IMAGE_NO_COUNTER, info->header_len + info->payload_len);
  }
  if (info->counter < policy->counter_min) {
    return deny(why, HF_RULE_IMAGE_COUNTER, info->header_len + info->payload_len);
  }
  if (policy->hardware.len > 0 && !hf_image_info_has_hardware(info, policy->hardware)) {
    return deny(why, HF_RULE_IMAGE_HARDWARE, info->header_len + info->payload_len);
  }
  if (policy->component.len > 0 && !hf_bytes_equal(policy->component, hf_image_text_bytes(&info->component))) {
    return deny(why, HF_RULE_IMAGE_COMPONENT, info->header_len + info->payload_len);
  }
  return HF_ALLOW;
}

/* What can be refused before a byte of the payload is read. */
static enum hf_verdict verify_form(const struct hf_image_info *info, const struct hf_image_policy *policy,
                                   struct hf_why *why)
{
  uint32_t known = HF_IMAGE_PIC | HF_IMAGE_NON_BOOTABLE | HF_IMAGE_RAM_LOAD | HF_IMAGE_ROM_FIXED | HF_IMAGE_ENCRYPTED;
  if ((info->flags & HF_IMAGE_ENCRYPTED) != 0 && !policy->opened) {
    return deny(why, HF_RULE_SEAL_NO_KEY, 16);
  }
  if ((info->flags & ~known) != 0) {
    return deny(why, HF_RULE_IMAGE_FLAGS, 16);
  }
  if (info->sig_type == HF_KEY_NONE || !info->has_key_hash) {
    return deny(why, HF_RULE_IMAGE_NO_SIGNATURE, info->signed_len);
  }
  return HF_ALLOW;
}

enum hf_verdict hf_image_verify(struct hf_image_info *info, const struct hf_image_source *source,
                                const struct hf_image_keys *keys, const struct hf_image_policy *policy,
                                struct hf_why *why)
{
  uint8_t digest[HF_SHA256_LEN];
  if (hf_image_parse(info, source, why) != HF_OK || verify_form(info, policy, why) != HF_ALLOW) {
    return HF_DENY;
  }
  const struct hf_pubkey *key = find_key(info, keys, why);
  if (key == NULL) {
    return HF_DENY;
  }
  if (hf_image_hash(digest, info, source) != HF_OK) {
    return deny(why, HF_RULE_IMAGE_READ, 0);
  }
  if (!hf_secret_equal(digest, info->digest, sizeof digest)) {
    return deny(why, HF_RULE_IMAGE_HASH, 0);
  }
  /* The computed digest is what gets verified; the stored one only tells rot from forgery. The verdict is compared on
   * both sides of the policy, so that one skipped branch approves nothing. */
  volatile enum hf_verdict signature = verify_signature(info, key, digest);
  if (signature != HF_ALLOW) {
    return deny(why, HF_RULE_IMAGE_SIGNATURE, info->signed_len);
  }
  enum hf_verdict allowed = verify_policy(info, policy, why);
  return signature == HF_ALLOW ? allowed : HF_DENY;
}
