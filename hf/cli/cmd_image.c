/* SPDX-License-Identifier: Apache-2.0
 * holdfast image sign, verify */
#include <stdlib.h>
#include <string.h>

#include "hf/cli/command.h"
#include "hf/cli/disk.h"
#include "hf/cli/imagetext.h"
#include "hf/cli/keysetfile.h"
#include "hf/cli/offline.h"
#include "hf/cli/output.h"
#include "hf/cli/place.h"
#include "hf/cli/term.h"
#include "hf/crypto/cipher.h"
#include "hf/wire/names.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/seal.h"

/* ---- options ---- */

/* 4096, 0x1000, 4K, 1M */
static enum hf_err size_get(const struct hf_call *call, const char *name, uint32_t *size)
{
  const char *text = hf_args_get(call, name);
  char *end = NULL;
  if (text == NULL) {
    return HF_OK;
  }
  unsigned long long value = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 0) : 0;
  unsigned shift = end == NULL ? 0 : *end == 'K' ? 10 : *end == 'M' ? 20 : 0;
  bool ended = end != NULL && end[shift > 0] == 0;
  if (!ended || value == 0 || value > UINT32_MAX >> shift) {
    hf_complain(hf_say("--%s %s", name, text), "write 393216, 0x60000, 384K or 1M", "not a size");
    return HF_E_INPUT;
  }
  *size = (uint32_t)(value << shift);
  return HF_OK;
}

static enum hf_err align_get(const struct hf_call *call, uint32_t *align)
{
  uint64_t value;
  enum hf_err err = hf_args_number(call, "align", &value, 8, (const uint64_t[]){1, 32});
  if (err == HF_OK && (value & (value - 1)) != 0) {
    hf_complain(hf_say("--align %llu", (unsigned long long)value), "1, 2, 4, 8, 16 or 32", "not a power of two");
    err = HF_E_INPUT;
  }
  *align = (uint32_t)value;
  return err;
}

static enum hf_err version_get(struct hf_version *version, const char *option, const char *text)
{
  struct hf_why why = {.rule = HF_RULE_NONE};
  if (text == NULL) {
    hf_complain(NULL, "write --version 1.2.0", "which version? --version is missing");
    return HF_E_INPUT;
  }
  enum hf_err err = hf_version_parse(version, hf_bytes_text(text), &why);
  if (err != HF_OK) {
    hf_complain_why(hf_say("--%s %s", option, text), &why);
  }
  return err;
}

static enum hf_err dependencies_get(struct hf_image_build *build, const struct hf_call *call)
{
  size_t at = 0;
  for (const char *text = hf_args_next(call, "dependency", &at); text != NULL;
       text = hf_args_next(call, "dependency", &at)) {
    char *colon = NULL;
    unsigned long image = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &colon, 10) : 256;
    if (colon == NULL || *colon != ':' || image > 255 || build->dependency_count == HF_IMAGE_DEPENDENCIES_MAX) {
      hf_complain(hf_say("--dependency %s", text), "write N:VERSION, such as 1:1.2.0, at most four times",
                  "not a dependency, or one too many");
      return HF_E_INPUT;
    }
    struct hf_image_dependency *dependency = &build->dependency[build->dependency_count++];
    dependency->image = (uint8_t)image;
    if (version_get(&dependency->version, "dependency", colon + 1) != HF_OK) {
      return HF_E_INPUT;
    }
  }
  return HF_OK;
}

static enum hf_err refuse_name(const char *option, const char *value, const char *rule)
{
  hf_complain(hf_say("--%s %s", option, value), rule, "not a name that can be used here");
  return HF_E_INPUT;
}

static enum hf_err names_get(struct hf_image_build *build, const struct hf_call *call)
{
  const char *product = hf_args_get(call, "product");
  const char *component = hf_args_get_or(call, "component", "main");
  size_t at = 0;
  if (product != NULL && !hf_names_check_product(hf_bytes_text(product))) {
    return refuse_name("product", product, "1 to 32 lower-case letters, digits or hyphens");
  }
  if (!hf_names_check_component(hf_bytes_text(component))) {
    return refuse_name("component", component, "1 to 32 lower-case letters, digits or hyphens");
  }
  build->product = hf_bytes_text(product);
  build->component = hf_bytes_text(component);
  for (const char *id = hf_args_next(call, "hardware", &at); id != NULL; id = hf_args_next(call, "hardware", &at)) {
    if (!hf_names_check_hardware(hf_bytes_text(id))) {
      return refuse_name("hardware", id, "1 to 64 of A-Z a-z 0-9 . _ -; repeat the option for more");
    }
    if (build->hardware_count == HF_IMAGE_HARDWARE_MAX) {
      return refuse_name("hardware", id, "an image names at most four kinds of hardware");
    }
    build->hardware[build->hardware_count++] = hf_bytes_text(id);
  }
  return HF_OK;
}

/* Whom the image is encrypted for; `pub` must live as long as `build`. */
static enum hf_err seal_get(struct hf_image_build *build, struct hf_pubkey *pub, const struct hf_call *call)
{
  const char *path = hf_args_get(call, "encrypt-for");
  if (path == NULL) {
    return HF_OK;
  }
  enum hf_err err = hf_public_key_get(pub, path, "give the devices' public key");
  if (err == HF_OK && pub->type != HF_KEY_P256) {
    hf_complain(path, "make one with: openssl ecparam -name prime256v1 -genkey", "images are encrypted for P-256 keys");
    err = HF_E_INPUT;
  }
  build->encrypt_for = pub;
  build->aes256 = hf_args_has(call, "aes256");
  return err;
}

static enum hf_err build_get(struct hf_image_build *build, const struct hf_call *call)
{
  uint64_t counter;
  enum hf_err err = version_get(&build->version, "version", hf_args_get(call, "version"));
  if (err == HF_OK) {
    err = hf_args_number(call, "counter", &counter, 0, (const uint64_t[]){0, UINT32_MAX});
  }
  if (err == HF_OK) {
    build->has_counter = hf_args_get(call, "counter") != NULL;
    build->counter = (uint32_t)counter;
    err = size_get(call, "header-size", &build->header_len);
  }
  if (err == HF_OK && build->header_len != 0 &&
      (build->header_len < HF_IMAGE_HEADER_LEN || build->header_len > HF_IMAGE_HEADER_MAX)) {
    hf_complain(hf_say("--header-size %u", build->header_len), "32 to 4096", "the header does not fit");
    err = HF_E_INPUT;
  }
  if (err == HF_OK) {
    err = names_get(build, call);
  }
  return err == HF_OK ? dependencies_get(build, call) : err;
}

/* ---- sign ---- */

static enum hf_err sign_digest(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

/* What must fit: the image, its end rounded up to what the flash writes at once. */
static enum hf_err fit_check(const char *path, size_t len, const uint32_t sizes[2])
{
  uint64_t needed = ((uint64_t)len + sizes[1] - 1) / sizes[1] * sizes[1];
  if (sizes[0] == 0 || needed <= sizes[0]) {
    return HF_OK;
  }
  hf_complain(path, "make the program smaller, or give the true size of the slot",
              "the image needs %llu bytes, the slot has %u: %llu too many", (unsigned long long)needed, sizes[0],
              (unsigned long long)(needed - sizes[0]));
  return HF_E_INPUT;
}

static enum hf_err payload_get(struct hf_blob *payload, const char *path)
{
  enum hf_err err = hf_disk_get(payload, path, HF_IMAGE_FILE_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  struct hf_cursor start = hf_cursor_init(hf_blob_bytes(payload));
  const char *wrong = payload->len == 0                                           ? "the file is empty"
                      : hf_cursor_le32(&start) == HF_IMAGE_MAGIC && !start.failed ? "this is an MCUboot image already"
                                                                                  : NULL;
  if (wrong != NULL) {
    hf_complain(path, "give the bare program", "%s", wrong);
    hf_blob_free(payload);
    err = HF_E_INPUT;
  }
  return err;
}

/* Sign, check the size, write: nothing is written unless everything fits. */
static enum hf_err write_image(const struct hf_call *call, const struct hf_image_build *build,
                               const struct hf_blob *payload, struct hf_key *key, const uint32_t sizes[2])
{
  const char *out = hf_args_get(call, "out");
  struct hf_blob room = {malloc(payload->len + HF_IMAGE_OVERHEAD_MAX), 0};
  struct hf_image_signer signer = {.sign = sign_digest, .ctx = key};
  if (room.at == NULL) {
    hf_complain(NULL, "close something and try again", "not enough memory");
    return HF_E_IO;
  }
  struct hf_buf image = hf_buf_init(room.at, payload->len + HF_IMAGE_OVERHEAD_MAX);
  enum hf_err err = hf_key_public(&signer.pub, key);
  if (err == HF_OK) {
    err = hf_image_sign(&image, build, hf_blob_bytes(payload), &signer);
    if (err != HF_OK && !hf_key_complain(key, hf_offline_name(HF_OFFLINE_IMAGE))) {
      hf_complain(call->operands[0], "check the options", "the image cannot be built (%s)", hf_err_name(err));
    }
  }
  if (err == HF_OK) {
    err = fit_check(out, image.len, sizes);
  }
  if (err == HF_OK) {
    err = hf_disk_put(out, hf_buf_bytes(&image), 0644);
    if (err != HF_OK) {
      hf_disk_complain(err, "write", out);
    }
  }
  if (err == HF_OK) {
    hf_image_print_summary(out, hf_buf_bytes(&image), hf_args_has(call, "json"));
  }
  free(room.at);
  return err;
}

int hf_cmd_image_sign(const struct hf_call *call)
{
  struct hf_image_build build = {.flags = 0};
  struct hf_pubkey device;
  uint32_t sizes[2] = {0, 8}; /* slot, align */
  struct hf_blob payload;
  struct hf_key *key = NULL;
  if (hf_args_get(call, "out") == NULL) {
    hf_complain(NULL, "write --out FILE", "where should the image go? --out is missing");
    return HF_EXIT_USAGE;
  }
  if (build_get(&build, call) != HF_OK || size_get(call, "slot-size", &sizes[0]) != HF_OK ||
      align_get(call, &sizes[1]) != HF_OK) {
    return HF_EXIT_USAGE;
  }
  enum hf_err err = seal_get(&build, &device, call);
  if (err == HF_OK) {
    err = payload_get(&payload, call->operands[0]);
  }
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  err = hf_place_key_open(&key, call, HF_OFFLINE_IMAGE, "Passphrase of the image key");
  if (err == HF_OK) {
    err = write_image(call, &build, &payload, key, sizes);
  }
  hf_key_free(key);
  hf_blob_free(&payload);
  return hf_exit_of(err);
}

/* ---- verify ---- */

static enum hf_err public_get(struct hf_pubkey *pub, char path[HF_PATH_MAX], const struct hf_call *call)
{
  const char *given = hf_args_get(call, "key");
  enum hf_err err = HF_OK;
  if (given != NULL) {
    hf_format(path, HF_PATH_MAX, "%s", given);
  } else {
    err = hf_place_offline_file(path, call, "image.pub");
  }
  return err == HF_OK ? hf_public_key_get(pub, path, "give the public key, such as offline/image.pub") : err;
}

static enum hf_err agree(void *ctx, uint8_t secret[32], const uint8_t point[HF_P256_PUBLIC_LEN])
{
  return hf_key_agree(secret, ctx, point);
}

static enum hf_err verify_bytes(const struct hf_call *call, const struct hf_blob *file, const struct hf_pubkey *pub,
                                const struct hf_seal_box *box)
{
  struct hf_bytes bytes = hf_blob_bytes(file);
  struct hf_image_source from = hf_image_source_init(&bytes);
  struct hf_seal_view view;
  struct hf_image_keys keys = {.key = pub, .count = 1};
  struct hf_image_policy policy = {
      .hardware = hf_bytes_text(hf_args_get(call, "hardware")), .counter_optional = true, .opened = box != NULL};
  struct hf_image_info info;
  struct hf_why why = {.rule = HF_RULE_NONE};
  uint32_t sizes[2] = {0, 1};
  if (size_get(call, "slot-size", &sizes[0]) != HF_OK) {
    return HF_E_INPUT;
  }
  enum hf_err err = hf_seal_view_init(&view, &from, box, &why);
  struct hf_image_source plain = hf_seal_view_source(&view);
  if (err != HF_OK || hf_image_verify(&info, &plain, &keys, &policy, &why) != HF_ALLOW) {
    hf_complain_why(call->operands[0], &why);
    return HF_E_INPUT;
  }
  return fit_check(call->operands[0], info.total_len, sizes);
}

static enum hf_err verify(const struct hf_call *call, const struct hf_blob *file, const struct hf_pubkey *pub)
{
  const char *path = hf_args_get(call, "open-with");
  struct hf_passphrase_source source = {.file = hf_args_get(call, "passphrase-file"),
                                        .prompt = "Passphrase of the devices' key"};
  struct hf_key *key = NULL;
  enum hf_err err = path != NULL ? hf_key_file_open(&key, path, &source) : HF_OK;
  struct hf_seal_key seal_key = {agree, key};
  const struct hf_seal_box box = {&hf_seal_p256_ops, &seal_key};
  if (err == HF_OK) {
    err = verify_bytes(call, file, pub, path != NULL ? &box : NULL);
  }
  hf_key_free(key);
  return err;
}

int hf_cmd_image_verify(const struct hf_call *call)
{
  char key_path[HF_PATH_MAX];
  struct hf_pubkey pub;
  struct hf_blob file;
  enum hf_err err = public_get(&pub, key_path, call);
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  err = hf_disk_get(&file, call->operands[0], HF_IMAGE_FILE_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", call->operands[0]);
    return hf_exit_of(err);
  }
  err = verify(call, &file, &pub);
  if (err == HF_OK) {
    hf_image_print_summary(call->operands[0], hf_blob_bytes(&file), hf_args_has(call, "json"));
    if (!hf_args_has(call, "json")) {
      hf_field_print("verified by", 12, key_path);
    }
  }
  hf_blob_free(&file);
  return hf_exit_of(err);
}

/* ---- info ---- */

int hf_cmd_image_info(const struct hf_call *call)
{
  struct hf_blob file;
  enum hf_err err = hf_disk_get(&file, call->operands[0], HF_IMAGE_FILE_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", call->operands[0]);
    return hf_exit_of(err);
  }
  err = hf_image_explain(call->operands[0], hf_blob_bytes(&file), hf_args_has(call, "json"));
  hf_blob_free(&file);
  return hf_exit_of(err);
}
