/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/imagetext.h"

#include <string.h>

#include <jansson.h>

#include "hf/base/assert.h"
#include "hf/cli/output.h"
#include "hf/cli/term.h"

#define NAME_WIDTH 12
/** TLVs told one by one: more than an image of HF_IMAGE_TLVS_MAX bytes can hold is broken anyway. */
#define TLVS_TOLD_MAX 256

static const char *say_version(const struct hf_version *version)
{
  uint8_t room[HF_VERSION_TEXT_MAX + 1];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  hf_version_put(&text, version);
  return hf_say("%.*s", (int)text.len, (const char *)room);
}

static const char *say_text(const struct hf_image_text *text) { return hf_say("%.*s", (int)text->len, text->at); }

static const char *say_hardware(const struct hf_image_info *info)
{
  const char *list = "";
  for (size_t i = 0; i < info->hardware_count; i++) {
    list = hf_say("%s%s%s", list, i == 0 ? "" : ", ", say_text(&info->hardware[i]));
  }
  return list;
}

static const char *say_dependencies(const struct hf_image_info *info)
{
  const char *list = "";
  for (size_t i = 0; i < info->dependency_count; i++) {
    list = hf_say("%s%simage %u at least %s", list, i == 0 ? "" : ", ", info->dependency[i].image,
                  say_version(&info->dependency[i].version));
  }
  return list;
}

static const char *say_key_type(enum hf_key_type type)
{
  return type == HF_KEY_P256 ? "ECDSA P-256" : type == HF_KEY_ED25519 ? "Ed25519" : "none";
}

static const char *say_flags(uint32_t flags)
{
  static const struct {
    uint32_t bits;
    const char *words;
  } known[] = {{HF_IMAGE_PIC, "position independent"},      {HF_IMAGE_AES128, "encrypted with AES-128"},
               {HF_IMAGE_AES256, "encrypted with AES-256"}, {HF_IMAGE_NON_BOOTABLE, "not bootable"},
               {HF_IMAGE_RAM_LOAD, "loaded to RAM"},        {HF_IMAGE_ROM_FIXED, "for one address"},
               {HF_IMAGE_COMPRESSED, "compressed"}};
  const char *list = "";
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if ((flags & known[i].bits) != 0) {
      list = hf_say("%s%s%s", list, list[0] == 0 ? "" : ", ", known[i].words);
    }
  }
  return flags == 0 ? "none" : hf_say("0x%x (%s)", flags, list[0] == 0 ? "unknown" : list);
}

/* ---- a TLV area as it stands in the file ---- */

static const char *tlv_name(uint16_t type)
{
  static const struct {
    uint16_t type;
    const char *name;
  } names[] = {{0x01, "key hash"},
               {0x02, "public key"},
               {0x10, "SHA-256"},
               {0x11, "SHA-384"},
               {0x12, "SHA-512"},
               {0x20, "RSA-2048 signature"},
               {0x22, "ECDSA signature"},
               {0x23, "RSA-3072 signature"},
               {0x24, "Ed25519 signature"},
               {0x30, "encryption key, RSA"},
               {0x31, "encryption key, AES-KW"},
               {0x32, "encryption key, ECIES P-256"},
               {0x33, "encryption key, ECIES X25519"},
               {0x40, "dependency"},
               {0x50, "security counter"},
               {0x60, "boot record"},
               {HF_TLV_PRODUCT, "product"},
               {HF_TLV_COMPONENT, "component"},
               {HF_TLV_HARDWARE, "hardware"},
               {HF_TLV_SBOM, "SBOM hash"}};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (names[i].type == type) {
      return names[i].name;
    }
  }
  return "unknown";
}

static const char *tlv_value(uint16_t type, struct hf_bytes value)
{
  struct hf_cursor cur = hf_cursor_init(value);
  if (type == HF_TLV_PRODUCT || type == HF_TLV_COMPONENT || type == HF_TLV_HARDWARE) {
    return hf_say("%.*s", (int)value.len, (const char *)value.at);
  }
  if (type == HF_TLV_COUNTER && value.len == 4) {
    return hf_say("%u", hf_cursor_le32(&cur));
  }
  return value.len > 40 ? hf_say("%s...", hf_say_hex(hf_bytes_init(value.at, 40))) : hf_say_hex(value);
}

static json_t *tlv_json(uint32_t at, uint16_t type, struct hf_bytes value, bool is_protected)
{
  return json_pack("{s:i, s:i, s:s, s:i, s:b, s:s}", "at", (int)at, "type", (int)type, "name", tlv_name(type), "length",
                   (int)value.len, "protected", is_protected, "value", tlv_value(type, value));
}

/* Entries of the area at `at` into `list`; stops at the first that leads past the area. */
static void collect_tlvs(json_t *list, struct hf_bytes bytes, uint32_t at, bool is_protected)
{
  struct hf_cursor head = hf_cursor_init(hf_bytes_init(bytes.at + at, bytes.len - at));
  uint16_t magic = hf_cursor_le16(&head);
  uint16_t total = hf_cursor_le16(&head);
  if (head.failed || magic != (is_protected ? HF_IMAGE_TLV_INFO_PROTECTED : HF_IMAGE_TLV_INFO) || total < 4) {
    return;
  }
  struct hf_cursor cur = hf_cursor_init(hf_cursor_take(&head, total - 4u));
  for (size_t i = 0; i < TLVS_TOLD_MAX && cur.rest.len > 0; i++) {
    uint32_t where = at + 4 + (uint32_t)cur.pos;
    uint16_t type = hf_cursor_le16(&cur);
    struct hf_bytes value = hf_cursor_take(&cur, hf_cursor_le16(&cur));
    if (cur.failed) {
      return;
    }
    json_t *tlv = tlv_json(where, type, value, is_protected);
    HF_ASSERT(tlv == NULL || json_array_append_new(list, tlv) == 0);
  }
}

/* ---- the header as it stands, believed only as far as it reaches ---- */

struct header {
  uint32_t magic, load_addr, payload_len, flags;
  uint16_t header_len, protected_len;
  struct hf_version version;
};

static bool header_read(struct header *header, struct hf_bytes bytes)
{
  struct hf_cursor cur = hf_cursor_init(bytes);
  header->magic = hf_cursor_le32(&cur);
  header->load_addr = hf_cursor_le32(&cur);
  header->header_len = hf_cursor_le16(&cur);
  header->protected_len = hf_cursor_le16(&cur);
  header->payload_len = hf_cursor_le32(&cur);
  header->flags = hf_cursor_le32(&cur);
  header->version.major = hf_cursor_u8(&cur);
  header->version.minor = hf_cursor_u8(&cur);
  header->version.revision = hf_cursor_le16(&cur);
  header->version.build = hf_cursor_le32(&cur);
  return !cur.failed;
}

static json_t *tlvs_of(struct hf_bytes bytes, const struct header *header)
{
  json_t *list = json_array();
  uint64_t at = (uint64_t)header->header_len + header->payload_len;
  if (header->protected_len > 0 && at < bytes.len) {
    collect_tlvs(list, bytes, (uint32_t)at, true);
  }
  at += header->protected_len;
  if (at < bytes.len) {
    collect_tlvs(list, bytes, (uint32_t)at, false);
  }
  return list;
}

/* ---- what there is to say, once, for both forms ---- */

struct told {
  struct hf_bytes bytes;
  struct header header;
  bool has_header;
  struct hf_image_info info;
  bool whole; /**< info is filled */
  bool hash_ok;
  bool sealed; /**< encrypted: the hash is over what cannot be seen here */
  struct hf_why why;
};

static void told_init(struct told *told, struct hf_bytes bytes)
{
  struct hf_image_source source = hf_image_source_init(&bytes);
  uint8_t digest[HF_SHA256_LEN];
  *told = (struct told){.bytes = bytes};
  told->has_header = header_read(&told->header, bytes) && told->header.magic == HF_IMAGE_MAGIC;
  told->whole = hf_image_parse(&told->info, &source, &told->why) == HF_OK;
  told->sealed = told->whole && (told->info.flags & HF_IMAGE_ENCRYPTED) != 0;
  told->hash_ok = told->whole && !told->sealed && hf_image_hash(digest, &told->info, &source) == HF_OK &&
                  hf_secret_equal(digest, told->info.digest, sizeof digest);
}

static void print_tlvs(const struct told *told)
{
  static const char *const headings[] = {">at", "type", "field", ">bytes", "value"};
  json_t *list = tlvs_of(told->bytes, &told->header);
  struct hf_table *table = hf_table_new(headings, 5);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *tlv = json_array_get(list, i);
    hf_table_put(table, hf_member(tlv, "at"));
    hf_table_put(table, hf_say("0x%04x%s", (unsigned)json_integer_value(json_object_get(tlv, "type")),
                               json_is_true(json_object_get(tlv, "protected")) ? " p" : ""));
    hf_table_put(table, hf_member(tlv, "name"));
    hf_table_put(table, hf_member(tlv, "length"));
    hf_table_put(table, hf_member(tlv, "value"));
  }
  if (json_array_size(list) > 0) {
    printf("\nFields behind the program (p: under the signature)\n");
    hf_table_print(table, stdout);
  }
  hf_table_free(table);
  json_decref(list);
}

static void print_identity(const struct hf_image_info *info)
{
  hf_field_print("version", NAME_WIDTH, say_version(&info->version));
  hf_field_print("product", NAME_WIDTH, say_text(&info->product));
  hf_field_print("component", NAME_WIDTH, say_text(&info->component));
  hf_field_print("hardware", NAME_WIDTH, say_hardware(info));
  hf_field_print("counter", NAME_WIDTH, info->has_counter ? hf_say("%u", info->counter) : NULL);
  if (info->dependency_count > 0) {
    hf_field_print("needs", NAME_WIDTH, say_dependencies(info));
  }
  if (info->has_sbom) {
    hf_field_print("SBOM", NAME_WIDTH, hf_say_hex(hf_bytes_init(info->sbom, sizeof info->sbom)));
  }
}

static void print_header(const struct header *header)
{
  hf_field_print("header", NAME_WIDTH, hf_say("%u bytes", header->header_len));
  hf_field_print("program", NAME_WIDTH, hf_say_size(header->payload_len));
  hf_field_print("load address", NAME_WIDTH, hf_say("0x%08x", header->load_addr));
  hf_field_print("flags", NAME_WIDTH, say_flags(header->flags));
  hf_field_print("protected", NAME_WIDTH, hf_say("%u bytes of fields", header->protected_len));
}

static const char *say_hash(const struct told *told)
{
  return told->sealed ? "of the plain program" : told->hash_ok ? "right" : "WRONG";
}

static const char *say_seal(const struct hf_image_info *info)
{
  const char *bits = (info->flags & HF_IMAGE_AES256) != 0 ? "256" : "128";
  return info->seal_len > 0 ? hf_say("AES-%s, its key for one P-256 key (ECIES)", bits)
                            : hf_say("AES-%s, and no key that this version knows", bits);
}

static void print_trust(const struct told *told)
{
  const struct hf_image_info *info = &told->info;
  hf_field_print("hash", NAME_WIDTH, hf_say("%s  %s", say_hash(told), hf_say_hex(hf_bytes_init(info->digest, 32))));
  hf_field_print("signature", NAME_WIDTH, say_key_type(info->sig_type));
  hf_field_print("signed by", NAME_WIDTH, info->has_key_hash ? hf_say_hex(hf_bytes_init(info->key_hash, 32)) : NULL);
  if (told->sealed) {
    hf_field_print("encrypted", NAME_WIDTH, say_seal(info));
  }
  hf_field_print("size", NAME_WIDTH, hf_say_size(info->total_len));
  if (told->bytes.len > info->total_len) {
    hf_field_print(
        "behind it", NAME_WIDTH,
        hf_say("%llu bytes that are not part of the image", (unsigned long long)(told->bytes.len - info->total_len)));
  }
}

static void print_broken(const struct told *told)
{
  if (told->has_header) {
    hf_field_print("version", NAME_WIDTH, say_version(&told->header.version));
    print_header(&told->header);
    print_tlvs(told);
  }
  hf_field_print("file", NAME_WIDTH, hf_say_size(told->bytes.len));
}

static json_t *info_json(const struct told *told)
{
  const struct hf_image_info *info = &told->info;
  json_t *hardware = json_array();
  json_t *needs = json_array();
  for (size_t i = 0; i < info->hardware_count; i++) {
    HF_ASSERT(json_array_append_new(hardware, json_string(say_text(&info->hardware[i]))) == 0);
  }
  for (size_t i = 0; i < info->dependency_count; i++) {
    HF_ASSERT(json_array_append_new(needs, json_pack("{s:i, s:s}", "image", info->dependency[i].image, "version",
                                                     say_version(&info->dependency[i].version))) == 0);
  }
  json_t *json =
      json_pack("{s:s, s:s*, s:s*, s:o, s:o, s:b, s:s, s:s, s:I}", "version", say_version(&info->version), "product",
                info->product.len > 0 ? say_text(&info->product) : NULL, "component",
                info->component.len > 0 ? say_text(&info->component) : NULL, "hardware", hardware, "dependencies",
                needs, "hash_ok", told->hash_ok, "digest", hf_say_hex(hf_bytes_init(info->digest, 32)), "signature",
                say_key_type(info->sig_type), "length", (json_int_t)info->total_len);
  HF_ASSERT(json != NULL);
  json_object_set_new(json, "encrypted", json_boolean(told->sealed));
  if (told->sealed) {
    json_object_set_new(json, "hash_ok", json_null());
  }
  if (info->has_counter) {
    json_object_set_new(json, "counter", json_integer(info->counter));
  }
  if (info->has_key_hash) {
    json_object_set_new(json, "key_hash", json_string(hf_say_hex(hf_bytes_init(info->key_hash, 32))));
  }
  if (info->has_sbom) {
    json_object_set_new(json, "sbom", json_string(hf_say_hex(hf_bytes_init(info->sbom, 32))));
  }
  json_object_set_new(json, "trailing", json_integer((json_int_t)(told->bytes.len - info->total_len)));
  return json;
}

static json_t *broken_json(const struct told *told)
{
  const struct hf_rule_words *words = hf_rule_words(told->why.rule);
  return json_pack("{s:{s:i, s:s, s:s, s:s, s:i}, s:I}", "refused", "rule", (int)told->why.rule, "name", words->name,
                   "what", words->what, "todo", words->todo, "at", (int)told->why.at, "file_length",
                   (json_int_t)told->bytes.len);
}

static void add_layout(json_t *json, const struct told *told)
{
  const struct header *header = &told->header;
  json_object_set_new(json, "header_length", json_integer(header->header_len));
  json_object_set_new(json, "program_length", json_integer(header->payload_len));
  json_object_set_new(json, "load_address", json_integer(header->load_addr));
  json_object_set_new(json, "flags", json_integer(header->flags));
  json_object_set_new(json, "tlvs", tlvs_of(told->bytes, header));
}

void hf_image_print_summary(const char *path, struct hf_bytes bytes, bool json)
{
  struct told told;
  told_init(&told, bytes);
  HF_ASSERT(told.whole);
  if (json) {
    hf_output_json(info_json(&told));
    return;
  }
  hf_field_print("image", NAME_WIDTH, path);
  print_identity(&told.info);
  print_trust(&told);
}

enum hf_err hf_image_explain(const char *path, struct hf_bytes bytes, bool json)
{
  struct told told;
  told_init(&told, bytes);
  if (json) {
    json_t *all = told.whole ? info_json(&told) : broken_json(&told);
    if (told.has_header) {
      add_layout(all, &told);
    }
    hf_output_json(all);
  } else if (told.whole) {
    hf_field_print("image", NAME_WIDTH, path);
    print_identity(&told.info);
    print_header(&told.header);
    print_trust(&told);
    print_tlvs(&told);
  } else {
    hf_field_print("image", NAME_WIDTH, path);
    print_broken(&told);
  }
  if (!told.whole) {
    hf_complain_why(path, &told.why);
  } else if (!told.hash_ok && !told.sealed) {
    hf_complain(path, "take it from the build again; a device would refuse it",
                "the program is not what was signed: its hash is wrong");
  }
  return told.whole && (told.hash_ok || told.sealed) ? HF_OK : HF_E_INPUT;
}
