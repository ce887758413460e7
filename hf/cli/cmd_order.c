/* SPDX-License-Identifier: Apache-2.0
 * holdfast factory order: what a factory station may make, signed offline. */
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "hf/cli/command.h"
#include "hf/cli/founding.h"
#include "hf/cli/offline.h"
#include "hf/cli/output.h"
#include "hf/cli/pki.h"
#include "hf/cli/place.h"
#include "hf/cli/station.h"
#include "hf/cli/term.h"
#include "hf/codec/text.h"
#include "hf/wire/image.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/version.h"

#define FILE_MAX (64U << 20)

/** One order being made. */
struct making {
  const struct hf_call *call;
  char offline[HF_PATH_MAX];
  char folder[HF_PATH_MAX]; /**< where the files go: OUT without .hfo, and .files */
  char id[HF_ORDER_ID_MAX + 1];
  char version[HF_VERSION_TEXT_MAX + 1];
  struct hf_order order;
  struct hf_blob ca;
  struct hf_key *key;
  uint8_t der_room[HF_CERT_MAX];
  struct hf_buf der;
};

static int usage(const char *where, const char *todo, const char *what)
{
  hf_complain(where, todo, "%s", what);
  return HF_EXIT_USAGE;
}

/* ---- what was asked for ---- */

static enum hf_err take_numbers(struct making *making)
{
  uint64_t valid = 0;
  int64_t now = (int64_t)time(NULL);
  enum hf_err err =
      hf_args_number(making->call, "quota", &making->order.quota, 0, (const uint64_t[2]){1, HF_ORDER_QUOTA_MAX});
  err = err == HF_OK ? hf_args_duration(making->call, "valid", &valid, 30 * 86400) : err;
  const char *clock = hf_clock_check(now);
  if (err == HF_OK && clock != NULL) {
    hf_complain(hf_say_time(now), "set the clock; orders carry its time", "%s", clock);
    err = HF_E_INPUT;
  }
  making->order.not_before = now;
  making->order.not_after = now + (int64_t)valid;
  return err;
}

static enum hf_err take_storages(struct making *making)
{
  size_t at = 0;
  const char *value;
  while ((value = hf_args_next(making->call, "key-storage", &at)) != NULL) {
    unsigned number = 1;
    while (hf_factory_storage_name(number) != NULL && strcmp(value, hf_factory_storage_name(number)) != 0) {
      number++;
    }
    if (hf_factory_storage_name(number) == NULL) {
      hf_complain(value, "file, tpm, pkcs11, secure-element or trustzone", "not a kind of key storage");
      return HF_E_INPUT;
    }
    making->order.storages |= 1U << number;
  }
  return HF_OK;
}

static enum hf_err take_boot_keys(struct making *making)
{
  const char *hex = hf_args_get(making->call, "boot-keys");
  making->order.has_boot_keys = hex != NULL;
  if (hex != NULL && hf_hex_parse(making->order.boot_keys, HF_SHA256_LEN, hf_bytes_text(hex)) != HF_OK) {
    hf_complain(hex, "give the SHA-256 in 64 hex digits", "not a hash of a boot key set");
    return HF_E_INPUT;
  }
  return HF_OK;
}

static enum hf_err take_station(struct making *making)
{
  const char *path = hf_args_get(making->call, "station");
  struct hf_blob blob;
  enum hf_err err = hf_disk_get(&blob, path, HF_PUBKEY_PEM_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  err = hf_pubkey_parse_pem(&making->order.station, hf_blob_bytes(&blob));
  hf_blob_free(&blob);
  if (err != HF_OK || making->order.station.type != HF_KEY_P256) {
    hf_complain(path, "take station.pub of the station", "this is no P-256 public key in PEM");
    return HF_E_INPUT;
  }
  return HF_OK;
}

static enum hf_err take_asked(struct making *making)
{
  const struct hf_call *call = making->call;
  uint8_t random[8];
  struct hf_buf id = hf_buf_init(making->id, HF_ORDER_ID_MAX);
  making->order.product = hf_bytes_text(hf_args_get(call, "product"));
  making->order.hardware = hf_bytes_text(hf_args_get(call, "hardware"));
  making->order.server = hf_bytes_text(hf_args_get(call, "server"));
  making->order.debug_locked = hf_args_has(call, "debug-locked");
  making->order.readout_locked = hf_args_has(call, "readout-locked");
  if (hf_order_serials_parse(&making->order.serials, hf_bytes_text(hf_args_get(call, "serials"))) != HF_OK) {
    hf_complain(hf_args_get(call, "serials"), "write it like 'SN-{0001-0500}'", "not a range of device ids");
    return HF_E_INPUT;
  }
  enum hf_err err = take_numbers(making);
  err = err == HF_OK ? take_storages(making) : err;
  err = err == HF_OK ? take_boot_keys(making) : err;
  err = err == HF_OK ? take_station(making) : err;
  err = err == HF_OK ? hf_random(random, sizeof random) : err;
  hf_buf_put_text(&id, "hfo-");
  hf_hex_put(&id, hf_bytes_init(random, sizeof random));
  making->order.id = hf_buf_bytes(&id);
  return err;
}

/* ---- files for the devices ---- */

/* What the device will say it runs, from the image itself. */
static enum hf_err take_image(struct making *making, struct hf_bytes bytes, const char *path)
{
  struct hf_image_info info;
  struct hf_why why = {0};
  struct hf_buf version = hf_buf_init(making->version, HF_VERSION_TEXT_MAX);
  const struct hf_image_source source = hf_image_source_init(&bytes);
  if (hf_image_parse(&info, &source, &why) != HF_OK) {
    hf_complain_why(path, &why);
    return HF_E_INPUT;
  }
  hf_version_put(&version, &info.version);
  making->order.version = hf_buf_bytes(&version);
  making->order.has_image = true;
  memcpy(making->order.image, info.digest, HF_SHA256_LEN);
  return HF_OK;
}

static enum hf_err take_file(struct making *making, enum hf_order_file which, const char *path)
{
  struct hf_blob blob;
  char to[HF_PATH_MAX];
  struct hf_order_part *part = &making->order.file[which];
  enum hf_err err = hf_disk_get(&blob, path, FILE_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  part->there = true;
  part->length = blob.len;
  hf_sha256(part->sha256, hf_blob_bytes(&blob));
  err = which == HF_ORDER_IMAGE ? take_image(making, hf_blob_bytes(&blob), path) : HF_OK;
  err = err == HF_OK ? hf_path_join(to, making->folder, hf_order_file_name(which)) : err;
  if (err == HF_OK) {
    err = hf_disk_put(to, hf_blob_bytes(&blob), 0644);
    if (err != HF_OK) {
      hf_disk_complain(err, "write", to);
    }
  }
  hf_blob_free(&blob);
  return err;
}

/* Given, or the workspace's own; a file that neither names is not put on devices by the station. */
static enum hf_err take_files(struct making *making)
{
  static const struct {
    const char *option;
    const char *own; /* below the offline folder */
  } files[HF_ORDER_FILES] = {[HF_ORDER_SERVER_CA] = {"server-ca", "../server/tls/server-ca.crt"},
                             [HF_ORDER_ROOT] = {"root", "root.json"},
                             [HF_ORDER_DIRECTOR_ROOT] = {"director-root", "director-root.json"},
                             [HF_ORDER_IMAGE_KEY] = {"image-key", "image.pub"},
                             [HF_ORDER_IMAGE] = {"image", NULL}};
  enum hf_err err = hf_disk_mkdir(making->folder, 0755);
  if (err != HF_OK) {
    hf_disk_complain(err, "make", making->folder);
  }
  for (size_t i = 0; i < HF_ORDER_FILES && err == HF_OK; i++) {
    char own[HF_PATH_MAX] = "";
    struct stat info;
    const char *path = hf_args_get(making->call, files[i].option);
    if (path == NULL && files[i].own != NULL && hf_path_join(own, making->offline, files[i].own) == HF_OK &&
        stat(own, &info) == 0) {
      path = own;
    }
    err = path == NULL ? HF_OK : take_file(making, (enum hf_order_file)i, path);
  }
  return err;
}

/* ---- signing ---- */

static enum hf_err open_ca(struct making *making)
{
  char path[HF_PATH_MAX];
  struct hf_passphrase_source source = {.file = hf_args_get(making->call, "passphrase-file"),
                                        .prompt = "Passphrase of the factory CA"};
  enum hf_err err = hf_path_join(path, making->offline, "factory-ca.crt");
  err = err == HF_OK ? hf_disk_get(&making->ca, path, HF_PKI_PEM_MAX) : err;
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  return hf_offline_key_open(&making->key, making->offline, HF_OFFLINE_FACTORY_CA, &source);
}

static enum hf_err sign_ca(struct making *making)
{
  struct hf_pki_factory factory = {.product = hf_args_get(making->call, "product"),
                                   .hardware = hf_args_get(making->call, "hardware")};
  struct hf_pki_issuer issuer = {making->key, hf_blob_bytes(&making->ca)};
  struct hf_pki_validity period = {making->order.not_before, making->order.not_after};
  making->der = hf_buf_init(making->der_room, sizeof making->der_room);
  enum hf_err err = hf_pki_put_station_ca(&making->der, &making->order.station, making->id, &factory, &issuer, period);
  if (err == HF_E_STATE) {
    hf_complain("factory-ca.crt", "make it again with `holdfast factory ca`, and put it on the server",
                "the factory CA's certificate was made before there were stations, and allows no CA below it");
  } else if (err != HF_OK) {
    hf_complain("factory-ca.crt", "check it and its key", "the station's CA could not be signed (%s)",
                hf_err_name(err));
  }
  making->order.station_ca = hf_buf_bytes(&making->der);
  return err;
}

static enum hf_err sign_order(struct making *making, const char *out)
{
  uint8_t room[HF_COSE_MAX];
  struct hf_buf bytes = hf_buf_init(room, sizeof room);
  enum hf_err err = hf_order_sign(&bytes, &making->order, hf_station_signer(making->key));
  if (err == HF_E_INPUT) {
    hf_complain(NULL,
                "product 1-32 of a-z 0-9 -; hardware 1-64 of A-Z a-z 0-9 . _ -; server https://HOST:PORT; the serial "
                "range at least as large as the quota",
                "no order can be made of this");
    return err;
  }
  if (err == HF_OK) {
    err = hf_disk_put_new(out, hf_buf_bytes(&bytes), 0644);
  }
  if (err != HF_OK) {
    hf_disk_complain(err, "write", out);
  }
  return err;
}

static int create(const struct hf_call *call)
{
  static const char *const names[] = {"product", "hardware", "quota", "serials", "station", "server", "out"};
  struct making making = {.call = call};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (hf_args_get(call, names[i]) == NULL) {
      return usage(hf_say("--%s", names[i]), "see `holdfast factory order --help`", "an order needs this option");
    }
  }
  const char *out = hf_args_get(call, "out");
  size_t stem = strlen(out);
  stem -= stem > 4 && strcmp(out + stem - 4, ".hfo") == 0 ? 4 : 0;
  hf_format(making.folder, sizeof making.folder, "%.*s.files", (int)stem, out);
  if (take_asked(&making) != HF_OK) {
    return HF_EXIT_USAGE;
  }
  enum hf_err err = hf_place_offline(making.offline, call);
  err = err == HF_OK ? open_ca(&making) : err;
  err = err == HF_OK ? sign_ca(&making) : err;
  err = err == HF_OK ? take_files(&making) : err;
  err = err == HF_OK ? sign_order(&making, out) : err;
  if (err == HF_OK && hf_args_has(call, "json")) {
    hf_output_json(json_pack("{s:s, s:s, s:s}", "order", making.id, "file", out, "files", making.folder));
  } else if (err == HF_OK) {
    printf("%s\n", making.id);
    hf_note("give the station %s and the folder %s", out, making.folder);
  }
  hf_blob_free(&making.ca);
  hf_key_free(making.key);
  return hf_exit_of(err);
}

/* ---- show ---- */

static const char *say_view(struct hf_bytes text) { return hf_say("%.*s", (int)text.len, (const char *)text.at); }

static const char *say_serials(const struct hf_order *order)
{
  uint8_t room[128];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  hf_order_serials_put(&text, &order->serials);
  return say_view(hf_buf_bytes(&text));
}

static void print_order(const struct hf_order *order)
{
  uint8_t key[HF_SHA256_LEN];
  hf_pubkey_hash(key, &order->station);
  hf_field_print("order", 9, say_view(order->id));
  hf_field_print("product", 9, say_view(order->product));
  hf_field_print("hardware", 9, say_view(order->hardware));
  hf_field_print("server", 9, say_view(order->server));
  hf_field_print("quota", 9, hf_say("%llu devices", (unsigned long long)order->quota));
  hf_field_print("serials", 9, say_serials(order));
  hf_field_print("valid", 9, hf_say("%s to %s", hf_say_time(order->not_before), hf_say_time(order->not_after)));
  hf_field_print("station", 9, hf_say_hex(hf_bytes_init(key, sizeof key)));
  hf_field_print("software", 9, order->version.len == 0 ? "any" : say_view(order->version));
  hf_field_print("debug", 9, order->debug_locked ? "must be locked" : "any state");
  hf_field_print("read-out", 9, order->readout_locked ? "must be locked" : "any state");
}

static void print_order_json(const struct hf_order *order)
{
  uint8_t key[HF_SHA256_LEN];
  hf_pubkey_hash(key, &order->station);
  hf_output_json(json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:I, s:I, s:s, s:b, s:b}", "order", say_view(order->id),
                           "product", say_view(order->product), "hardware", say_view(order->hardware), "server",
                           say_view(order->server), "quota", (json_int_t)order->quota, "serials", say_serials(order),
                           "not_before", (json_int_t)order->not_before, "not_after", (json_int_t)order->not_after,
                           "station_key", hf_say_hex(hf_bytes_init(key, sizeof key)), "debug_locked",
                           order->debug_locked, "readout_locked", order->readout_locked));
}

static int show(const struct hf_call *call)
{
  struct hf_blob bytes = {NULL, 0};
  struct hf_pubkey pub;
  struct hf_order order;
  struct hf_why why = {0};
  if (call->operand_count < 2) {
    return usage(NULL, "holdfast factory order show FILE", "no order file named");
  }
  enum hf_err err = hf_factory_ca_public(&pub, call);
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  err = hf_disk_get(&bytes, call->operands[1], HF_COSE_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", call->operands[1]);
  } else if (hf_order_verify(&order, hf_blob_bytes(&bytes), &pub, &why) != HF_ALLOW) {
    hf_complain_why(call->operands[1], &why);
    err = HF_E_DENIED;
  } else if (hf_args_has(call, "json")) {
    print_order_json(&order);
  } else {
    print_order(&order);
  }
  hf_blob_free(&bytes);
  return hf_exit_of(err);
}

enum hf_err hf_factory_ca_public(struct hf_pubkey *pub, const struct hf_call *call)
{
  char path[HF_PATH_MAX];
  struct hf_blob ca;
  const char *given = hf_args_get(call, "factory-ca");
  enum hf_err err = HF_OK;
  if (given != NULL) {
    hf_format(path, sizeof path, "%s", given);
  } else {
    err = hf_place_offline_file(path, call, "factory-ca.crt");
  }
  if (err != HF_OK) {
    return err;
  }
  err = hf_disk_get(&ca, path, HF_PKI_PEM_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  err = hf_pki_public(pub, hf_blob_bytes(&ca));
  hf_blob_free(&ca);
  if (err != HF_OK) {
    hf_complain(path, "name factory-ca.crt of the product owner", "this is no certificate in PEM");
  }
  return err;
}

int hf_cmd_factory_order(const struct hf_call *call)
{
  if (strcmp(call->operands[0], "create") == 0 && call->operand_count == 1) {
    return create(call);
  }
  if (strcmp(call->operands[0], "show") == 0) {
    return show(call);
  }
  return usage(call->operands[0], "say create, or show FILE", "not something to do with an order");
}

/* The factory CA's certificate again, of the same key and name, so that it allows stations below it. */
int hf_cmd_factory_ca(const struct hf_call *call)
{
  uint8_t room[HF_PKI_PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  struct making making = {.call = call};
  char path[HF_PATH_MAX];
  enum hf_err err = hf_place_offline(making.offline, call);
  err = err == HF_OK ? open_ca(&making) : err;
  err = err == HF_OK ? hf_pki_put_factory_ca_again(&pem, making.key, hf_blob_bytes(&making.ca)) : err;
  err = err == HF_OK ? hf_path_join(path, making.offline, "factory-ca.crt") : err;
  if (err == HF_OK) {
    err = hf_disk_put(path, hf_buf_bytes(&pem), 0644);
  }
  if (err != HF_OK) {
    hf_complain("factory-ca.crt", "check it and its key", "it could not be made again (%s)", hf_err_name(err));
  } else {
    printf("%s\n", path);
    hf_note("put it on the server as server/tls/factory-ca.crt and start the server again");
  }
  hf_blob_free(&making.ca);
  hf_key_free(making.key);
  return hf_exit_of(err);
}
