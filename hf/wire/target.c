/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/target.h"

#include <string.h>

#include "hf/codec/text.h"
#include "hf/wire/names.h"

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule)
{
  hf_why_put(why, rule, 0);
  return HF_E_INPUT;
}

/* What stands between the quotes. A text with escapes keeps its backslashes, which no name check lets pass. */
static struct hf_bytes plain_text(struct hf_json value)
{
  if (hf_json_type(value) != HF_JSON_TEXT) {
    return (struct hf_bytes){NULL, 0};
  }
  return hf_bytes_init(value.text.at + 1, value.text.len - 2);
}

static struct hf_bytes get_plain(struct hf_json object, const char *name)
{
  struct hf_json value;
  return hf_json_get(&value, object, name) == HF_OK ? plain_text(value) : (struct hf_bytes){NULL, 0};
}

static bool get_u32(uint32_t *number, struct hf_json object, const char *name)
{
  struct hf_json value;
  int64_t raw;
  if (hf_json_get(&value, object, name) != HF_OK || hf_json_get_int(&raw, value) != HF_OK || raw < 0 ||
      raw > UINT32_MAX) {
    return false;
  }
  *number = (uint32_t)raw;
  return true;
}

static bool get_digest(uint8_t out[HF_SHA256_LEN], struct hf_json object, const char *name)
{
  struct hf_json value;
  return hf_json_get(&value, object, name) == HF_OK && hf_json_get_hex(out, HF_SHA256_LEN, value) == HF_OK;
}

static bool path_char(uint8_t c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '+' || c == '-' || c == '/';
}

bool hf_target_path_check(struct hf_bytes path)
{
  bool only_dots = true; /* of the part so far; an empty part has nothing else either */
  if (path.len == 0 || path.len > HF_TARGET_PATH_MAX) {
    return false;
  }
  for (size_t i = 0; i < path.len; i++) {
    uint8_t c = path.at[i];
    if (!path_char(c) || (c == '/' && only_dots)) {
      return false;
    }
    only_dots = c == '/' || (only_dots && c == '.');
  }
  return !only_dots;
}

enum hf_err hf_target_file_parse(struct hf_target_file *file, struct hf_json name, struct hf_json value,
                                 struct hf_why *why)
{
  struct hf_json hashes;
  memset(file, 0, sizeof *file);
  file->path = plain_text(name);
  if (!hf_target_path_check(file->path) || !get_u32(&file->length, value, "length") || file->length == 0 ||
      hf_json_get(&hashes, value, "hashes") != HF_OK || !get_digest(file->sha256, hashes, "sha256")) {
    return refuse(why, HF_RULE_TUF_TARGET);
  }
  if (hf_json_get(&file->custom, value, "custom") != HF_OK) {
    file->custom = (struct hf_json){{NULL, 0}};
  }
  return HF_OK;
}

static bool get_holdfast(struct hf_json *object, struct hf_json custom)
{
  return custom.text.len > 0 && hf_json_get(object, custom, "holdfast") == HF_OK &&
         hf_json_type(*object) == HF_JSON_OBJECT;
}

static bool get_hardware(struct hf_target *target, struct hf_json object)
{
  struct hf_json list, element;
  if (hf_json_get(&list, object, "hardware") != HF_OK || hf_json_type(list) != HF_JSON_ARRAY) {
    return false;
  }
  struct hf_json_walk walk = hf_json_walk_init(list);
  while (hf_json_walk_next(&walk, &element)) { /* ends at HF_TARGET_HARDWARE_MAX */
    struct hf_bytes id = plain_text(element);
    if (target->hardware_count >= HF_TARGET_HARDWARE_MAX || !hf_names_check_hardware(id)) {
      return false;
    }
    target->hardware[target->hardware_count++] = id;
  }
  return target->hardware_count > 0;
}

static bool get_from(struct hf_target *target, struct hf_json object)
{
  struct hf_range range;
  struct hf_json value;
  target->from = HF_LIT("*");
  if (hf_json_get(&value, object, "from") == HF_OK) {
    target->from = plain_text(value);
  }
  return hf_range_parse(&range, target->from, NULL) == HF_OK;
}

static bool get_requires(struct hf_target *target, struct hf_json object)
{
  struct hf_range range;
  struct hf_json list, name, value;
  if (hf_json_get(&list, object, "requires") != HF_OK) {
    return true;
  }
  if (hf_json_type(list) != HF_JSON_OBJECT) {
    return false;
  }
  struct hf_json_walk walk = hf_json_walk_init(list);
  while (hf_json_walk_member(&walk, &name, &value)) { /* ends at HF_TARGET_REQUIRES_MAX */
    if (target->requires_count >= HF_TARGET_REQUIRES_MAX) {
      return false;
    }
    struct hf_target_require *one = &target->requires[target->requires_count++];
    *one = (struct hf_target_require){plain_text(name), plain_text(value)};
    if (!hf_names_check_component(one->component) || hf_bytes_equal(one->component, target->component) ||
        hf_range_parse(&range, one->range, NULL) != HF_OK) {
      return false;
    }
  }
  return true;
}

/* Members that may be absent. */
static bool get_optional(struct hf_target *target, struct hf_json object)
{
  struct hf_json value;
  uint32_t place = 0;
  if (hf_json_get(&value, object, "place") == HF_OK &&
      (!get_u32(&place, object, "place") || place > HF_TARGET_REQUIRES_MAX)) {
    return false;
  }
  target->place = (uint8_t)place;
  target->has_sbom = hf_json_get(&value, object, "sbom") == HF_OK;
  if (target->has_sbom && !get_digest(target->sbom, object, "sbom")) {
    return false;
  }
  return hf_json_get(&value, object, "security") != HF_OK || hf_json_get_bool(&target->security, value) == HF_OK;
}

enum hf_err hf_target_parse(struct hf_target *target, struct hf_json custom, struct hf_why *why)
{
  struct hf_json object;
  memset(target, 0, sizeof *target);
  if (!get_holdfast(&object, custom)) {
    return refuse(why, HF_RULE_TUF_CUSTOM);
  }
  target->product = get_plain(object, "product");
  target->component = get_plain(object, "component");
  bool good = hf_names_check_product(target->product) && hf_names_check_component(target->component) &&
              hf_version_parse(&target->version, get_plain(object, "version"), NULL) == HF_OK &&
              get_u32(&target->counter, object, "counter") && get_digest(target->image, object, "image") &&
              get_hardware(target, object) && get_from(target, object) && get_requires(target, object) &&
              get_optional(target, object);
  return good ? HF_OK : refuse(why, HF_RULE_TUF_CUSTOM);
}

enum hf_err hf_target_order_parse(struct hf_target_order *order, struct hf_json custom, struct hf_why *why)
{
  struct hf_json object;
  memset(order, 0, sizeof *order);
  if (!get_holdfast(&object, custom)) {
    return refuse(why, HF_RULE_TUF_CUSTOM);
  }
  order->component = get_plain(object, "component");
  order->device = get_plain(object, "device");
  order->hardware = get_plain(object, "hardware");
  bool good = hf_names_check_component(order->component) && hf_names_check_device(order->device) &&
              hf_names_check_hardware(order->hardware) && get_u32(&order->counter, object, "counter") &&
              get_u32(&order->order, object, "order");
  return good ? HF_OK : refuse(why, HF_RULE_TUF_CUSTOM);
}

/* ---- writing ---- */

static void put_member(struct hf_buf *out, const char *name, struct hf_bytes text)
{
  hf_json_put_name(out, name);
  hf_json_put_text(out, text);
}

static void put_number(struct hf_buf *out, const char *name, uint32_t number)
{
  hf_json_put_name(out, name);
  hf_json_put_int(out, number);
}

static void put_digest(struct hf_buf *out, const char *name, const uint8_t digest[HF_SHA256_LEN])
{
  hf_json_put_name(out, name);
  hf_json_put_hex(out, hf_bytes_init(digest, HF_SHA256_LEN));
}

static void put_file(struct hf_buf *out, const struct hf_target_file *file)
{
  hf_json_put_name(out, "hashes");
  hf_buf_put_u8(out, '{');
  put_digest(out, "sha256", file->sha256);
  hf_buf_put_u8(out, '}');
  put_number(out, "length", file->length);
  hf_buf_put_u8(out, '}');
}

static void put_requires(struct hf_buf *out, const struct hf_target *target)
{
  if (target->requires_count == 0) {
    return;
  }
  hf_json_put_name(out, "requires");
  hf_buf_put_u8(out, '{');
  for (size_t i = 0; i < target->requires_count; i++) {
    hf_json_put_comma(out);
    hf_json_put_text(out, target->requires[i].component);
    hf_buf_put_u8(out, ':');
    hf_json_put_text(out, target->requires[i].range);
  }
  hf_buf_put_u8(out, '}');
}

static void open_custom(struct hf_buf *out) { hf_buf_put_text(out, "{\"custom\":{\"holdfast\":{"); }

void hf_target_put(struct hf_buf *out, const struct hf_target *target, const struct hf_target_file *file)
{
  uint8_t text[HF_VERSION_TEXT_MAX];
  struct hf_buf version = hf_buf_init(text, sizeof text);
  hf_version_put(&version, &target->version);
  open_custom(out);
  put_member(out, "component", target->component);
  put_number(out, "counter", target->counter);
  put_member(out, "from", target->from.len > 0 ? target->from : HF_LIT("*"));
  hf_json_put_name(out, "hardware");
  hf_buf_put_u8(out, '[');
  for (size_t i = 0; i < target->hardware_count; i++) {
    hf_json_put_comma(out);
    hf_json_put_text(out, target->hardware[i]);
  }
  hf_buf_put_u8(out, ']');
  put_digest(out, "image", target->image);
  if (target->place != 0) {
    put_number(out, "place", target->place);
  }
  put_member(out, "product", target->product);
  put_requires(out, target);
  if (target->has_sbom) {
    put_digest(out, "sbom", target->sbom);
  }
  hf_json_put_name(out, "security");
  hf_buf_put_text(out, target->security ? "true" : "false");
  put_member(out, "version", hf_buf_bytes(&version));
  hf_buf_put_text(out, "}}");
  put_file(out, file);
}

void hf_target_order_put(struct hf_buf *out, const struct hf_target_order *order, const struct hf_target_file *file)
{
  open_custom(out);
  put_member(out, "component", order->component);
  put_number(out, "counter", order->counter);
  put_member(out, "device", order->device);
  put_member(out, "hardware", order->hardware);
  put_number(out, "order", order->order);
  hf_buf_put_text(out, "}}");
  put_file(out, file);
}

void hf_target_put_path(struct hf_buf *out, struct hf_bytes product, const struct hf_version *version,
                        struct hf_bytes component)
{
  hf_buf_put(out, product);
  hf_buf_put_u8(out, '/');
  hf_version_put(out, version);
  hf_buf_put_u8(out, '/');
  hf_buf_put(out, component);
  hf_buf_put_text(out, ".img");
}

void hf_target_put_url(struct hf_buf *out, struct hf_bytes path, const uint8_t sha256[HF_SHA256_LEN], bool consistent)
{
  size_t last = path.len;
  while (last > 0 && path.at[last - 1] != '/') {
    last--;
  }
  hf_buf_put(out, hf_bytes_init(path.at, last));
  if (consistent) {
    hf_hex_put(out, hf_bytes_init(sha256, HF_SHA256_LEN));
    hf_buf_put_u8(out, '.');
  }
  hf_buf_put(out, hf_bytes_init(path.at + last, path.len - last));
}
