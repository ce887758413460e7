/* SPDX-License-Identifier: Apache-2.0
 * holdfast release */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hf/base/assert.h"
#include "hf/cli/ask.h"
#include "hf/cli/command.h"
#include "hf/cli/draft.h"
#include "hf/cli/imagetext.h"
#include "hf/cli/output.h"
#include "hf/cli/place.h"
#include "hf/cli/publish.h"
#include "hf/wire/names.h"
#include "hf/wire/pubkey.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
/** Components of one device (hf/wire/checkin.h). */
#define PARTS_MAX 4
#define SBOM_MAX (64u << 20)
#define VALUE_MAX 2048

/* ---- list, show ---- */

int hf_cmd_release_list(const struct hf_call *call)
{
  static const struct hf_column columns[] = {
      {"PRODUCT", "product", HF_CELL_TEXT},   {"VERSION", "version", HF_CELL_TEXT},
      {"SECURITY", "security", HF_CELL_TEXT}, {">DEVICES", "devices", HF_CELL_TEXT},
      {"PUBLISHED", "created", HF_CELL_TIME}, {"BY", "by", HF_CELL_TEXT},
      {"SBOM", "sbom", HF_CELL_TEXT}};
  static const struct hf_ask_list list = {columns, COUNT(columns), "no releases yet", 100};
  struct hf_client_path path;
  hf_client_path_init(&path, "/releases");
  hf_client_path_put_query(&path, "product", call->operand_count > 0 ? call->operands[0] : NULL);
  return hf_ask_list(call, &path, &list);
}

static void print_release(const json_t *release)
{
  static const struct hf_column columns[] = {
      {"COMPONENT", "component", HF_CELL_TEXT}, {"HARDWARE", "hardware", HF_CELL_LIST},
      {">COUNTER", "counter", HF_CELL_TEXT},    {"OVER", "from", HF_CELL_TEXT},
      {">BYTES", "length", HF_CELL_TEXT},       {"SHA-256", "sha256", HF_CELL_TEXT}};
  hf_field_print("release", 9, hf_say("%s %s", hf_member(release, "product"), hf_member(release, "version")));
  hf_field_print("security", 9, hf_member(release, "security"));
  hf_field_print("SBOM", 9, hf_member(release, "sbom") == NULL ? "none" : hf_member(release, "sbom"));
  hf_field_print("published", 9, hf_say("%s by %s", hf_member_time(release, "created"), hf_member(release, "by")));
  hf_field_print("devices", 9, hf_member(release, "devices"));
  if (hf_member(release, "notes") != NULL && hf_member(release, "notes")[0] != 0) {
    hf_field_print("notes", 9, hf_member(release, "notes"));
  }
  putchar('\n');
  hf_rows_print(json_object_get(release, "targets"), columns, COUNT(columns));
}

int hf_cmd_release_show(const struct hf_call *call)
{
  struct hf_client_path path;
  hf_client_path_init(&path, "/releases");
  hf_client_path_put(&path, call->operands[0]);
  hf_client_path_put(&path, call->operands[1]);
  return hf_ask(call, "GET", &path, NULL, print_release);
}

/* ---- create: what is asked for ---- */

/** One component of the release. */
struct part {
  char component[HF_COMPONENT_MAX + 1];
  const char *file;
  struct hf_blob image;
  uint8_t digest[HF_SHA256_LEN]; /**< MCUboot's */
  uint8_t sha256[HF_SHA256_LEN]; /**< of the file */
  uint8_t path[HF_TARGET_PATH_MAX];
  uint8_t value[VALUE_MAX];
  struct hf_tufwrite_entry entry;
  uint8_t place; /**< in the order of the command: that of installation */
  uint8_t requires_count;
  struct need {
    char component[HF_COMPONENT_MAX + 1];
    char range[HF_RANGE_TEXT_MAX + 1];
  } requires[HF_TARGET_REQUIRES_MAX]; /**< ascending */
};

struct order {
  const char *product;
  struct hf_version version;
  char version_text[HF_VERSION_TEXT_MAX + 1];
  uint32_t counter;
  char from[HF_RANGE_TEXT_MAX + 1];
  json_t *hardware; /**< array of texts */
  struct part *parts;
  size_t count;
  struct hf_blob sbom;
  uint8_t sbom_sha256[HF_SHA256_LEN];
  bool has_sbom;
  bool security;
  const char *notes;
  uint64_t life_s;
};

static void order_free(struct order *order)
{
  for (size_t i = 0; i < order->count; i++) {
    hf_blob_free(&order->parts[i].image);
  }
  free(order->parts);
  hf_blob_free(&order->sbom);
  json_decref(order->hardware);
}

static enum hf_err version_get(struct order *order, const char *text)
{
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct hf_buf out = hf_buf_init(order->version_text, HF_VERSION_TEXT_MAX);
  enum hf_err err = hf_version_parse(&order->version, hf_bytes_text(text), &why);
  if (err != HF_OK) {
    hf_complain_why(text, &why);
    return err;
  }
  hf_version_put(&out, &order->version);
  return HF_OK;
}

static enum hf_err range_get(struct order *order, const char *text)
{
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct hf_range range;
  struct hf_buf out = hf_buf_init(order->from, HF_RANGE_TEXT_MAX);
  enum hf_err err = hf_range_parse(&range, hf_bytes_text(text), &why);
  if (err != HF_OK) {
    hf_complain_why(hf_say("--from '%s'", text), &why);
    return err;
  }
  hf_range_put(&out, &range);
  if (out.failed) {
    hf_complain(hf_say("--from '%s'", text), "write it shorter", "the range is longer than %d bytes",
                HF_RANGE_TEXT_MAX);
    return HF_E_SPACE;
  }
  return HF_OK;
}

static enum hf_err hardware_get(struct order *order, const struct hf_call *call)
{
  order->hardware = hf_args_list(call, "hardware");
  size_t count = json_array_size(order->hardware);
  if (order->hardware != NULL && (count == 0 || count > HF_TARGET_HARDWARE_MAX)) {
    hf_complain(NULL, "write --hardware ID, one to eight times", "for which hardware?");
    return HF_E_INPUT;
  }
  for (size_t i = 0; i < count; i++) {
    const char *id = json_string_value(json_array_get(order->hardware, i));
    if (!hf_names_check_hardware(hf_bytes_text(id))) {
      hf_complain(hf_say("--hardware %s", id), "1 to 64 of A-Z a-z 0-9 . _ -", "not a hardware id");
      return HF_E_INPUT;
    }
  }
  return order->hardware == NULL ? HF_E_INPUT : HF_OK;
}

static enum hf_err part_get(struct order *order, const char *text)
{
  const char *equals = strchr(text, '=');
  struct hf_bytes name = hf_bytes_init(text, equals == NULL ? 0 : (size_t)(equals - text));
  if (equals == NULL || equals[1] == 0 || !hf_names_check_component(name)) {
    hf_complain(hf_say("--image %s", text), "write --image main=FILE", "not COMPONENT=FILE");
    return HF_E_INPUT;
  }
  for (size_t i = 0; i < order->count; i++) {
    if (hf_bytes_is(name, order->parts[i].component)) {
      hf_complain(hf_say("--image %s", text), "give each component once", "a component is given twice");
      return HF_E_INPUT;
    }
  }
  if (order->count == PARTS_MAX) {
    hf_complain(hf_say("--image %s", text), "a device has at most four components", "one component too many");
    return HF_E_INPUT;
  }
  struct part *part = &order->parts[order->count++];
  part->place = (uint8_t)(order->count - 1);
  hf_format(part->component, sizeof part->component, "%.*s", (int)name.len, text);
  part->file = equals + 1;
  return HF_OK;
}

static enum hf_err parts_get(struct order *order, const struct hf_call *call)
{
  size_t at = 0;
  enum hf_err err = HF_OK;
  order->parts = calloc(PARTS_MAX, sizeof *order->parts);
  HF_ASSERT(order->parts != NULL);
  for (const char *text = hf_args_next(call, "image", &at); text != NULL && err == HF_OK;
       text = hf_args_next(call, "image", &at)) {
    err = part_get(order, text);
  }
  if (err == HF_OK && order->count == 0) {
    hf_complain(NULL, "write --image main=FILE", "which image? --image is missing");
    err = HF_E_INPUT;
  }
  return err;
}

static struct part *part_find(struct order *order, struct hf_bytes component)
{
  for (size_t i = 0; i < order->count; i++) {
    if (hf_bytes_is(component, order->parts[i].component)) {
      return &order->parts[i];
    }
  }
  return NULL;
}

/* Insert by name: metadata is written in ascending order. */
static enum hf_err need_put(struct part *part, struct hf_bytes other, const struct hf_range *range)
{
  size_t at = part->requires_count;
  if (at == HF_TARGET_REQUIRES_MAX) {
    return HF_E_SPACE;
  }
  struct need need = {.range = ""};
  struct hf_buf text = hf_buf_init(need.range, HF_RANGE_TEXT_MAX);
  hf_format(need.component, sizeof need.component, "%.*s", (int)other.len, (const char *)other.at);
  hf_range_put(&text, range);
  for (; at > 0 && strcmp(part->requires[at - 1].component, need.component) >= 0; at--) {
    if (strcmp(part->requires[at - 1].component, need.component) == 0) {
      return HF_E_EXISTS;
    }
    part->requires[at] = part->requires[at - 1];
  }
  part->requires[at] = need;
  part->requires_count++;
  return text.failed ? HF_E_SPACE : HF_OK;
}

/* "main: radio >=1.2" */
static enum hf_err need_get(struct order *order, const char *text)
{
  struct hf_range range;
  const char *colon = strchr(text, ':');
  const char *other = colon == NULL ? "" : colon + 1 + strspn(colon + 1, " ");
  struct hf_bytes name = hf_bytes_init(other, strcspn(other, " "));
  const char *rest = other + name.len + strspn(other + name.len, " ");
  struct part *part = colon == NULL ? NULL : part_find(order, hf_bytes_init(text, (size_t)(colon - text)));
  if (part == NULL || !hf_names_check_component(name) || hf_bytes_is(name, part->component) ||
      hf_range_parse(&range, hf_bytes_text(rest), NULL) != HF_OK) {
    hf_complain(hf_say("--requires '%s'", text), "write --requires 'main: radio >=1.2'; main must have an --image",
                "not COMPONENT: OTHER RANGE");
    return HF_E_INPUT;
  }
  enum hf_err err = need_put(part, name, &range);
  if (err != HF_OK) {
    hf_complain(hf_say("--requires '%s'", text), "at most three for an image, each of another component",
                "one requirement too many, or twice the same component");
  }
  return err;
}

static enum hf_err needs_get(struct order *order, const struct hf_call *call)
{
  size_t at = 0;
  enum hf_err err = HF_OK;
  for (const char *text = hf_args_next(call, "requires", &at); text != NULL && err == HF_OK;
       text = hf_args_next(call, "requires", &at)) {
    err = need_get(order, text);
  }
  return err;
}

static enum hf_err order_get(struct order *order, const struct hf_call *call)
{
  uint64_t counter;
  order->product = call->operands[0];
  order->security = hf_args_has(call, "security");
  order->notes = hf_args_get_or(call, "notes", "");
  if (!hf_names_check_product(hf_bytes_text(order->product))) {
    hf_complain(order->product, "1 to 32 lower-case letters, digits or hyphens", "not a name of a product");
    return HF_E_INPUT;
  }
  if (hf_args_get(call, "counter") == NULL) {
    hf_complain(NULL, "write --counter N; it never goes down from release to release", "--counter is missing");
    return HF_E_INPUT;
  }
  enum hf_err err = hf_args_number(call, "counter", &counter, 0, (const uint64_t[]){0, UINT32_MAX});
  order->counter = err == HF_OK ? (uint32_t)counter : 0;
  if (err == HF_OK) {
    err = hf_args_duration(call, "expires", &order->life_s, UINT64_C(365) * 86400);
  }
  if (err == HF_OK) {
    err = version_get(order, call->operands[1]);
  }
  if (err == HF_OK) {
    err = range_get(order, hf_args_get_or(call, "from", "*"));
  }
  if (err == HF_OK) {
    err = hardware_get(order, call);
  }
  if (err == HF_OK) {
    err = parts_get(order, call);
  }
  return err == HF_OK ? needs_get(order, call) : err;
}

/* ---- create: what the images say ---- */

/* Every hardware id of the order must be in the image, when it names any. NULL, or the one that is not. */
static const char *hardware_missing(const struct order *order, const struct hf_image_info *info)
{
  for (size_t i = 0; info->hardware_count > 0 && i < json_array_size(order->hardware); i++) {
    const char *id = json_string_value(json_array_get(order->hardware, i));
    if (!hf_image_info_has_hardware(info, hf_bytes_text(id))) {
      return id;
    }
  }
  return NULL;
}

static bool text_differs(const struct hf_image_text *text, const char *wanted)
{
  return text->len > 0 && !hf_bytes_is(hf_image_text_bytes(text), wanted);
}

/* How the image disagrees with the order; NULL when it does not. */
static const char *disagreement(const struct order *order, const struct part *part, const struct hf_image_info *info)
{
  uint8_t room[HF_VERSION_TEXT_MAX];
  struct hf_buf version = hf_buf_init(room, sizeof room);
  const char *missing = hardware_missing(order, info);
  hf_version_put(&version, &info->version);
  if (hf_version_order(&info->version, &order->version) != 0) {
    return hf_say("the image says version %.*s, the release %s", (int)version.len, (const char *)room,
                  order->version_text);
  }
  if (!info->has_counter) {
    return "the image has no security counter";
  }
  if (info->counter != order->counter) {
    return hf_say("the image says security counter %u, the release %u", info->counter, order->counter);
  }
  if (text_differs(&info->component, part->component)) {
    return hf_say("the image is of component %.*s, not %s", (int)info->component.len, info->component.at,
                  part->component);
  }
  if (text_differs(&info->product, order->product)) {
    return hf_say("the image is of product %.*s, not %s", (int)info->product.len, info->product.at, order->product);
  }
  return missing == NULL ? NULL : hf_say("the image is not for hardware %s", missing);
}

/* An image signed by another key than the workspace's: allowed, because keys may live in a token, but told. */
static void key_note(const struct part *part, const struct hf_image_info *info, const char *offline)
{
  char path[HF_PATH_MAX];
  struct hf_blob pem;
  struct hf_pubkey pub;
  uint8_t hash[HF_SHA256_LEN];
  if (hf_path_join(path, offline, "image.pub") != HF_OK || hf_disk_get(&pem, path, HF_PUBKEY_PEM_MAX) != HF_OK) {
    return;
  }
  if (hf_pubkey_parse_pem(&pub, hf_blob_bytes(&pem)) == HF_OK) {
    hf_pubkey_hash(hash, &pub);
    if (!info->has_key_hash || memcmp(hash, info->key_hash, sizeof hash) != 0) {
      hf_note("note: %s is not signed by %s; devices must hold the other key", part->file, path);
    }
  }
  hf_blob_free(&pem);
}

static enum hf_err part_check(struct order *order, struct part *part, const char *offline)
{
  struct hf_bytes bytes = hf_blob_bytes(&part->image);
  struct hf_image_source source = hf_image_source_init(&bytes);
  struct hf_image_info info;
  struct hf_why why = {.rule = HF_RULE_NONE};
  uint8_t digest[HF_SHA256_LEN];
  if (hf_image_parse(&info, &source, &why) != HF_OK) {
    hf_complain_why(part->file, &why);
    return HF_E_INPUT;
  }
  const char *wrong = disagreement(order, part, &info);
  bool sealed = (info.flags & HF_IMAGE_ENCRYPTED) != 0; /* the digest is over what only devices can see */
  if (!sealed && (hf_image_hash(digest, &info, &source) != HF_OK || memcmp(digest, info.digest, sizeof digest) != 0)) {
    wrong = "the image's hash is wrong: it was changed or damaged after it was signed";
  } else if (info.sig_type == HF_KEY_NONE) {
    wrong = "the image is not signed";
  } else if (bytes.len != info.total_len) {
    wrong = "there are bytes behind the image";
  }
  if (wrong != NULL) {
    hf_complain(part->file, "sign the image again with the right options, or correct the command", "%s", wrong);
    return HF_E_INPUT;
  }
  key_note(part, &info, offline);
  memcpy(part->digest, info.digest, sizeof part->digest);
  hf_sha256(part->sha256, bytes);
  return HF_OK;
}

static enum hf_err images_get(struct order *order, const char *offline)
{
  for (size_t i = 0; i < order->count; i++) {
    struct part *part = &order->parts[i];
    enum hf_err err = hf_disk_get(&part->image, part->file, HF_IMAGE_FILE_MAX);
    if (err != HF_OK) {
      hf_disk_complain(err, "read", part->file);
      return err;
    }
    err = part_check(order, part, offline);
    if (err != HF_OK) {
      return err;
    }
  }
  return HF_OK;
}

/* SPDX or CycloneDX in JSON; anything else is a wrong file more often than a strange SBOM. */
static bool is_sbom(struct hf_bytes text)
{
  json_t *json = json_loadb((const char *)text.at, text.len, 0, NULL);
  bool known = json_is_string(json_object_get(json, "bomFormat")) ||
               json_is_string(json_object_get(json, "spdxVersion")) || json_object_get(json, "@context") != NULL;
  json_decref(json);
  return known;
}

static enum hf_err sbom_get(struct order *order, const char *path)
{
  if (path == NULL) {
    hf_note("note: a release without an SBOM; nobody will be able to tell what is in it");
    return HF_OK;
  }
  enum hf_err err = hf_disk_get(&order->sbom, path, SBOM_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  if (!is_sbom(hf_blob_bytes(&order->sbom))) {
    hf_complain(path, "give SPDX or CycloneDX in JSON", "that is no SBOM");
    return HF_E_INPUT;
  }
  hf_sha256(order->sbom_sha256, hf_blob_bytes(&order->sbom));
  order->has_sbom = true;
  return HF_OK;
}

/* ---- create: metadata and upload ---- */

static void entry_make(const struct order *order, struct part *part)
{
  struct hf_buf path = hf_buf_init(part->path, sizeof part->path);
  struct hf_buf value = hf_buf_init(part->value, sizeof part->value);
  struct hf_target target = {.product = hf_bytes_text(order->product),
                             .component = hf_bytes_text(part->component),
                             .version = order->version,
                             .from = hf_bytes_text(order->from),
                             .counter = order->counter,
                             .has_sbom = order->has_sbom,
                             .security = order->security,
                             .place = part->place,
                             .hardware_count = (uint8_t)json_array_size(order->hardware)};
  struct hf_target_file file = {.length = (uint32_t)part->image.len};
  memcpy(target.image, part->digest, sizeof target.image);
  memcpy(target.sbom, order->sbom_sha256, sizeof target.sbom);
  memcpy(file.sha256, part->sha256, sizeof file.sha256);
  for (size_t i = 0; i < target.hardware_count; i++) {
    target.hardware[i] = hf_bytes_text(json_string_value(json_array_get(order->hardware, i)));
  }
  for (; target.requires_count < part->requires_count; target.requires_count++) {
    const struct need *need = &part->requires[target.requires_count];
    target.requires[target.requires_count] =
        (struct hf_target_require){hf_bytes_text(need->component), hf_bytes_text(need->range)};
  }
  hf_target_put_path(&path, target.product, &target.version, target.component);
  file.path = hf_buf_bytes(&path);
  hf_target_put(&value, &target, &file);
  HF_ASSERT(!path.failed && !value.failed); /* every name was checked against its maximum */
  part->entry = (struct hf_tufwrite_entry){file.path, hf_buf_bytes(&value)};
}

static int by_component(const void *a, const void *b)
{
  return strcmp(((const struct part *)a)->component, ((const struct part *)b)->component);
}

/* A release that is there already is left alone: what devices may have installed is never signed anew as another file.
 */
static enum hf_err entries_make(struct order *order, const struct hf_tuf_file *file,
                                struct hf_tufwrite_entry entries[PARTS_MAX])
{
  qsort(order->parts, order->count, sizeof *order->parts, by_component);
  for (size_t i = 0; i < order->count; i++) {
    struct hf_target_file present;
    struct hf_why why = {.rule = HF_RULE_NONE};
    entry_make(order, &order->parts[i]);
    entries[i] = order->parts[i].entry;
    enum hf_err err = hf_tuf_target_get(&present, file, entries[i].path, &why);
    if (err == HF_OK) {
      hf_complain(hf_say("%s %s", order->product, order->version_text), "give the next version a number of its own",
                  "this release is published already");
      return HF_E_EXISTS;
    }
    /* What a delegated role may have published under this path, the server knows. */
    if (err != HF_E_NOT_FOUND && why.rule != HF_RULE_TUF_DELEGATED) {
      hf_complain_why("the server's targets.json", &why);
      return err;
    }
  }
  return HF_OK;
}

static int upload_all(struct hf_client *client, const struct order *order)
{
  int code = HF_EXIT_DONE;
  if (order->has_sbom) {
    code = hf_client_upload(client, hf_say_hex(hf_bytes_init(order->sbom_sha256, 32)), hf_blob_bytes(&order->sbom));
  }
  for (size_t i = 0; i < order->count && code == HF_EXIT_DONE; i++) {
    code = hf_client_upload(client, hf_say_hex(hf_bytes_init(order->parts[i].sha256, 32)),
                            hf_blob_bytes(&order->parts[i].image));
  }
  return code;
}

static int post_release(struct hf_client *client, const struct order *order, const struct hf_blob *targets,
                        json_t **reply)
{
  struct hf_client_path path;
  const char *sbom = order->has_sbom ? hf_say_hex(hf_bytes_init(order->sbom_sha256, 32)) : NULL;
  json_t *body = json_pack("{s:s, s:s, s:s, s:b, s:s%, s:s*}", "product", order->product, "version",
                           order->version_text, "notes", order->notes, "security", order->security, "targets",
                           (const char *)targets->at, targets->len, "sbom", sbom);
  if (body == NULL) {
    hf_complain("--notes", "write them in UTF-8", "the notes are no text");
    return HF_EXIT_USAGE;
  }
  hf_client_path_init(&path, "/releases");
  int code = hf_client_ask(client, reply, "POST", &path, body);
  json_decref(body);
  return code;
}

/* Sign, upload, publish, and look at what the server then serves, through the operator's own root. */
static int publish_order(struct hf_publish *publish, struct hf_client *client, struct order *order,
                         const struct hf_call *call, json_t **reply)
{
  struct hf_tufwrite_entry entries[PARTS_MAX];
  struct hf_blob text;
  struct hf_passphrase_source source = {.file = hf_args_get(call, "passphrase-file"),
                                        .prompt = "Passphrase of the targets key"};
  enum hf_err err = entries_make(order, &publish->file, entries);
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  struct hf_tufwrite_edit edit = {.version = publish->file.version + 1,
                                  .expires = publish->now + (int64_t)order->life_s,
                                  .entries = entries,
                                  .count = order->count};
  err = hf_publish_sign(publish, &text, &edit, &source);
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  int code = upload_all(client, order);
  if (code == HF_EXIT_DONE) {
    code = post_release(client, order, &text, reply);
  }
  hf_blob_free(&text);
  if (code == HF_EXIT_DONE) {
    code = hf_publish_refresh(publish, client);
  }
  if (code == HF_EXIT_DONE && publish->file.version < edit.version) {
    hf_complain(hf_client_url(client), "look at the server's messages",
                "the server took the release but does not serve it");
    code = HF_EXIT_FAILED;
  }
  return code;
}

/* ---- create, when one key is not enough ---- */

static json_t *release_words(const struct order *order)
{
  json_t *release = json_pack("{s:s, s:s, s:s, s:b}", "product", order->product, "version", order->version_text, "notes",
                              order->notes, "security", order->security);
  if (release != NULL && order->has_sbom) {
    HF_ASSERT(json_object_set_new(release, "sbom",
                                  json_string(hf_say_hex(hf_bytes_init(order->sbom_sha256, 32)))) == 0);
  }
  return release;
}

static int draft_put(struct hf_draft *draft, struct order *order, const struct hf_call *call, const char *role)
{
  struct hf_tufwrite_entry entries[PARTS_MAX];
  struct hf_tuf_file file = draft->publish.file;
  struct hf_blob text = {NULL, 0};
  int code = HF_EXIT_DONE;
  if (role != NULL) {
    code = hf_publish_role(&draft->publish, draft->client, &file, &text, role);
    hf_ceremony_put_targets(&draft->ceremony, draft->publish.file.text);
  }
  if (code == HF_EXIT_DONE) {
    code = hf_exit_of(entries_make(order, &file, entries));
  }
  if (code == HF_EXIT_DONE) {
    const struct hf_tufwrite_edit edit = {.version = file.version + 1,
                                          .expires = draft->now + (int64_t)order->life_s,
                                          .entries = entries,
                                          .count = order->count};
    code = hf_exit_of(hf_draft_put_targets(draft, role == NULL ? "targets" : role, &file, &edit, NULL));
  }
  json_t *release = release_words(order);
  if (code == HF_EXIT_DONE && release == NULL) {
    hf_complain("--notes", "write them in UTF-8", "the notes are no text");
    code = HF_EXIT_USAGE;
  }
  if (code == HF_EXIT_DONE) {
    HF_ASSERT(json_object_set(draft->ceremony.json, "release", release) == 0);
    code = upload_all(draft->client, order);
  }
  json_decref(release);
  if (code == HF_EXIT_DONE) {
    code = hf_draft_finish(draft, call, hf_say("release-%s-%s.ceremony", order->product, order->version_text));
  }
  hf_blob_free(&text);
  return code;
}

/* The images go up now; the server keeps them for a week, for the last holder to publish. */
static int draft_release(struct order *order, const struct hf_call *call)
{
  struct hf_draft *draft = calloc(1, sizeof *draft);
  HF_ASSERT(draft != NULL);
  int code = hf_draft_open(draft, call, "image");
  if (code == HF_EXIT_DONE) {
    code = draft_put(draft, order, call, hf_args_get(call, "role"));
  }
  hf_draft_close(draft);
  free(draft);
  return code;
}

static void print_published(const struct order *order, const struct hf_publish *publish)
{
  printf("Published %s %s: targets version %u, signed offline, verified as served.\n", order->product,
         order->version_text, publish->file.version);
  for (size_t i = 0; i < order->count; i++) {
    hf_field_print(order->parts[i].component, 9,
                   hf_say("%s  %s", hf_say_hex(hf_bytes_init(order->parts[i].sha256, 32)),
                          hf_say_size(order->parts[i].image.len)));
  }
  printf("Roll it out: holdfast rollout start %s %s --waves 5,25,100\n", order->product, order->version_text);
}

static int create(struct order *order, const struct hf_call *call, const char *offline)
{
  struct hf_publish publish;
  struct hf_client *client;
  json_t *reply = NULL;
  enum hf_err err = images_get(order, offline);
  if (err == HF_OK) {
    err = sbom_get(order, hf_args_get(call, "sbom"));
  }
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  int code = hf_client_open(&client, call);
  if (code != HF_EXIT_DONE) {
    return code;
  }
  code = hf_exit_of(hf_publish_init(&publish, offline, (int64_t)time(NULL)));
  if (code == HF_EXIT_DONE) {
    code = hf_publish_refresh(&publish, client);
  }
  if (code == HF_EXIT_DONE &&
      (hf_args_get(call, "role") != NULL || publish.trust.root.role[HF_TUF_TARGETS].threshold > 1)) {
    hf_publish_free(&publish);
    hf_client_close(client);
    return draft_release(order, call);
  }
  if (code == HF_EXIT_DONE) {
    code = publish_order(&publish, client, order, call, &reply);
  }
  if (code == HF_EXIT_DONE && hf_args_has(call, "json")) {
    hf_output_json(json_incref(reply));
  } else if (code == HF_EXIT_DONE) {
    print_published(order, &publish);
  }
  json_decref(reply);
  hf_publish_free(&publish);
  hf_client_close(client);
  return code;
}

int hf_cmd_release_create(const struct hf_call *call)
{
  char offline[HF_PATH_MAX];
  struct order order = {.count = 0};
  int code = HF_EXIT_USAGE;
  if (order_get(&order, call) == HF_OK) {
    enum hf_err err = hf_place_offline(offline, call);
    code = err == HF_OK ? create(&order, call, offline) : hf_exit_of(err);
  }
  order_free(&order);
  return code;
}
