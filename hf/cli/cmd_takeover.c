/* SPDX-License-Identifier: Apache-2.0
 * holdfast takeover: a fleet leaves its server. Made and signed away from the server; the old one hands it out. */
#include <string.h>
#include <time.h>

#include "hf/cli/ask.h"
#include "hf/cli/command.h"
#include "hf/cli/offline.h"
#include "hf/cli/output.h"
#include "hf/cli/place.h"
#include "hf/cli/term.h"
#include "hf/wire/names.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/takeover.h"
#include "hf/wire/tufwrite.h"

#define ROOT_MAX 65536

/* What an order is made of, as files. */
struct parts {
  struct hf_blob ca;
  struct hf_blob director_root;
  struct hf_blob image_root;
};

static void parts_free(struct parts *parts)
{
  hf_blob_free(&parts->ca);
  hf_blob_free(&parts->director_root);
  hf_blob_free(&parts->image_root);
}

static enum hf_err read_file(struct hf_blob *blob, const char *path, size_t max)
{
  enum hf_err err = hf_disk_get(blob, path, max);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
  }
  return err;
}

/* The option, or the place in the workspace that --to names. */
static enum hf_err part_get(struct hf_blob *blob, const struct hf_call *call, const char *option, const char *place,
                            size_t max)
{
  char path[HF_PATH_MAX];
  const char *given = hf_args_get(call, option);
  const char *to = hf_args_get(call, "to");
  if (given == NULL && to == NULL) {
    hf_complain(NULL, "give --to DIR, the new server's workspace, or the files one by one",
                "which server takes over? --%s is missing", option);
    return HF_E_INPUT;
  }
  if (given != NULL) {
    return read_file(blob, given, max);
  }
  enum hf_err err = hf_path_join(path, to, place);
  return err == HF_OK ? read_file(blob, path, max) : err;
}

static enum hf_err roots_get(struct parts *parts, const struct hf_call *call)
{
  enum hf_err err = part_get(&parts->director_root, call, "director-root", "offline/director-root.json", ROOT_MAX);
  return err == HF_OK ? part_get(&parts->image_root, call, "image-root", "offline/root.json", ROOT_MAX) : err;
}

/* ---- show ---- */

static const char *say_digest(const uint8_t digest[HF_SHA256_LEN])
{
  return hf_say_hex(hf_bytes_init(digest, HF_SHA256_LEN));
}

static void print_signatures(const struct hf_tuf_file *file)
{
  struct hf_json_walk walk = hf_json_walk_init(file->signatures);
  struct hf_json entry;
  struct hf_json id;
  while (hf_json_walk_next(&walk, &entry)) {
    uint8_t raw[HF_SHA256_LEN];
    if (hf_json_get(&id, entry, "keyid") == HF_OK && hf_json_get_hex(raw, sizeof raw, id) == HF_OK) {
      hf_field_print("signed by", 13, hf_say("key id %s", say_digest(raw)));
    }
  }
  if (hf_json_count(file->signatures) == 0) {
    hf_field_print("signed by", 13, "nobody yet");
  }
}

static void print_order(const char *path, const struct hf_takeover *order, const struct hf_tuf_file *file,
                        struct hf_bytes product)
{
  hf_field_print("order", 13, path);
  hf_field_print("product", 13, hf_say("%.*s", (int)product.len, (const char *)product.at));
  hf_field_print("version", 13, hf_say("%u", order->version));
  hf_field_print("goes to", 13, order->server);
  hf_field_print("expires", 13, hf_say_time(order->expires));
  hf_field_print("director root", 13, hf_say("sha256 %s", say_digest(order->director_root)));
  hf_field_print("image root", 13, hf_say("sha256 %s", say_digest(order->image_root)));
  print_signatures(file);
}

static int show(const struct hf_call *call, const char *path)
{
  struct hf_blob blob;
  struct hf_takeover order;
  struct hf_tuf_file file;
  struct hf_bytes product;
  struct hf_why why = {.rule = HF_RULE_NONE};
  enum hf_err err = read_file(&blob, path, HF_TAKEOVER_MAX);
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  err = hf_takeover_parse(&order, &file, &product, hf_blob_bytes(&blob), &why);
  if (err != HF_OK) {
    hf_complain_why(path, &why);
  } else if (hf_args_has(call, "json")) {
    hf_output_json(json_pack("{s:s%, s:i, s:s, s:I, s:s, s:s, s:i}", "product", product.at, product.len, "version",
                             (int)order.version, "server", order.server, "expires", (json_int_t)order.expires,
                             "director_root", say_digest(order.director_root), "image_root",
                             say_digest(order.image_root), "signatures", (int)hf_json_count(file.signatures)));
  } else {
    print_order(path, &order, &file, product);
  }
  hf_blob_free(&blob);
  return hf_exit_of(err);
}

int hf_cmd_takeover_show(const struct hf_call *call) { return show(call, call->operands[0]); }

/* ---- create ---- */

static enum hf_err order_get(struct hf_takeover_new *order, const struct hf_call *call)
{
  uint64_t version;
  uint64_t life;
  const char *product = hf_args_get(call, "product");
  const char *server = hf_args_get(call, "server");
  if (product == NULL || !hf_names_check_product(hf_bytes_text(product))) {
    hf_complain(NULL, "give --product NAME; each product has its own order", "which product moves?");
    return HF_E_INPUT;
  }
  if (server == NULL || !hf_takeover_server_check(hf_bytes_text(server))) {
    hf_complain(server == NULL ? NULL : hf_say("--server %s", server), "write --server https://HOST:PORT",
                "where do the devices go?");
    return HF_E_INPUT;
  }
  enum hf_err err = hf_args_number(call, "version", &version, 1, (const uint64_t[]){1, HF_TUF_VERSION_MAX});
  err = err == HF_OK ? hf_args_duration(call, "expires", &life, UINT64_C(90) * 86400) : err;
  *order = (struct hf_takeover_new){.version = (uint32_t)version,
                                    .expires = (int64_t)time(NULL) + (int64_t)life,
                                    .product = hf_bytes_text(product),
                                    .server = hf_bytes_text(server)};
  return err;
}

static enum hf_err order_write(const char *out, struct hf_takeover_new *order, const struct parts *parts)
{
  uint8_t body_room[HF_TAKEOVER_MAX];
  uint8_t room[HF_TAKEOVER_MAX];
  struct hf_buf body = hf_buf_init(body_room, sizeof body_room);
  struct hf_buf file = hf_buf_init(room, sizeof room);
  order->server_ca = hf_blob_bytes(&parts->ca);
  order->director_root = hf_blob_bytes(&parts->director_root);
  order->image_root = hf_blob_bytes(&parts->image_root);
  enum hf_err err = hf_takeover_put(&body, order);
  if (err == HF_OK) {
    hf_tufwrite_put_file(&file, hf_buf_bytes(&body), NULL, 0);
    err = file.failed ? HF_E_SPACE : HF_OK;
  }
  if (err != HF_OK) {
    hf_complain(out, "give one CA certificate, without text around it", "the order does not fit %d bytes",
                HF_TAKEOVER_MAX);
    return err;
  }
  err = hf_disk_put(out, hf_buf_bytes(&file), 0644);
  if (err != HF_OK) {
    hf_disk_complain(err, "write", out);
  }
  return err;
}

int hf_cmd_takeover_create(const struct hf_call *call)
{
  struct parts parts = {.ca = {NULL, 0}};
  struct hf_takeover_new order;
  const char *out = hf_args_get(call, "out");
  if (out == NULL) {
    hf_complain(NULL, "write --out FILE", "where should the order go? --out is missing");
    return HF_EXIT_USAGE;
  }
  enum hf_err err = order_get(&order, call);
  err = err == HF_OK ? part_get(&parts.ca, call, "server-ca", "server/tls/server-ca.crt", HF_TAKEOVER_CA_MAX) : err;
  err = err == HF_OK ? roots_get(&parts, call) : err;
  err = err == HF_OK ? order_write(out, &order, &parts) : err;
  parts_free(&parts);
  return err == HF_OK ? show(call, out) : hf_exit_of(err);
}

/* ---- sign ---- */

static enum hf_err sign_message(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

static enum hf_err cosign(struct hf_buf *out, const struct hf_tuf_file *file, struct hf_key *key)
{
  uint8_t room[HF_TAKEOVER_MAX];
  struct hf_buf canonical = hf_buf_init(room, sizeof room);
  struct hf_tufwrite_signer signer = {.sign = sign_message, .ctx = key};
  struct hf_tufwrite_sig sig;
  enum hf_err err = hf_key_public(&signer.pub, key);
  err = err == HF_OK ? hf_tufwrite_canonical(&canonical, file->body.text) : err;
  err = err == HF_OK ? hf_tufwrite_sign(&sig, &signer, hf_buf_bytes(&canonical)) : err;
  return err == HF_OK ? hf_tufwrite_put_cosigned(out, file, &sig) : err;
}

int hf_cmd_takeover_sign(const struct hf_call *call)
{
  uint8_t room[HF_TAKEOVER_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_blob blob;
  struct hf_takeover order;
  struct hf_tuf_file file;
  struct hf_bytes product;
  struct hf_key *key = NULL;
  struct hf_why why = {.rule = HF_RULE_NONE};
  const char *path = call->operands[0];
  enum hf_err err = read_file(&blob, path, HF_TAKEOVER_MAX);
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  err = hf_takeover_parse(&order, &file, &product, hf_blob_bytes(&blob), &why);
  if (err != HF_OK) {
    hf_complain_why(path, &why);
  }
  err = err == HF_OK ? hf_place_key_open(&key, call, HF_OFFLINE_ROOT, "Passphrase of the root key") : err;
  if (err == HF_OK) {
    err = cosign(&out, &file, key);
    if (err != HF_OK) {
      hf_complain(path, "look after the key or its token and try again", "the order could not be signed (%s)",
                  hf_err_name(err));
    }
  }
  if (err == HF_OK) {
    err = hf_disk_put(path, hf_buf_bytes(&out), 0644);
    if (err != HF_OK) {
      hf_disk_complain(err, "write", path);
    }
  }
  hf_key_free(key);
  hf_blob_free(&blob);
  return err == HF_OK ? show(call, path) : hf_exit_of(err);
}

/* ---- publish, withdraw ---- */

static void print_published(const json_t *reply)
{
  hf_print_clean(stdout,
                 hf_say("Takeover order %s of %s is published: its devices move to %s; each leaves this server once "
                        "it has reached that one.",
                        hf_member_said(reply, "version"), hf_member_said(reply, "product"),
                        hf_member_said(reply, "server")));
  putchar('\n');
}

static json_t *text_of(const struct hf_blob *blob)
{
  return json_stringn((const char *)blob->at, blob->len); /* NULL when it is not UTF-8 */
}

int hf_cmd_takeover_publish(const struct hf_call *call)
{
  struct parts parts = {.ca = {NULL, 0}};
  struct hf_blob blob = {NULL, 0};
  struct hf_takeover order;
  struct hf_tuf_file file;
  struct hf_bytes product;
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct hf_client_path path;
  int code = HF_EXIT_DONE;
  enum hf_err err = read_file(&blob, call->operands[0], HF_TAKEOVER_MAX);
  if (err == HF_OK) {
    err = hf_takeover_parse(&order, &file, &product, hf_blob_bytes(&blob), &why);
    if (err != HF_OK) {
      hf_complain_why(call->operands[0], &why);
    }
  }
  err = err == HF_OK ? roots_get(&parts, call) : err;
  if (err == HF_OK) {
    hf_client_path_init(&path, "/products");
    hf_client_path_put(&path, hf_say("%.*s", (int)product.len, (const char *)product.at));
    hf_client_path_put(&path, "takeover");
    json_t *body = json_pack("{s:o, s:o, s:o}", "order", text_of(&blob), "director_root", text_of(&parts.director_root),
                             "image_root", text_of(&parts.image_root));
    code = body == NULL ? hf_refuse_text() : hf_ask(call, "PUT", &path, body, print_published);
  }
  parts_free(&parts);
  hf_blob_free(&blob);
  return err == HF_OK ? code : hf_exit_of(err);
}

static void print_withdrawn(const json_t *reply)
{
  (void)reply;
  printf("No further device is told of the order. Those that have it keep it until it expires.\n");
}

int hf_cmd_takeover_withdraw(const struct hf_call *call)
{
  struct hf_client_path path;
  hf_client_path_init(&path, "/products");
  hf_client_path_put(&path, call->operands[0]);
  hf_client_path_put(&path, "takeover");
  return hf_ask(call, "DELETE", &path, NULL, print_withdrawn);
}
