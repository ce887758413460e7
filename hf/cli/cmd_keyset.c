/* SPDX-License-Identifier: Apache-2.0
 * holdfast keyset: which keys the images of a product may be signed with. Made and signed away from the server. */
#include <string.h>

#include "hf/cli/ask.h"
#include "hf/cli/command.h"
#include "hf/cli/keysetfile.h"
#include "hf/cli/offline.h"
#include "hf/cli/output.h"
#include "hf/cli/place.h"
#include "hf/cli/term.h"
#include "hf/codec/text.h"
#include "hf/wire/names.h"
#include "hf/wire/pubkey.h"

#define PUBLIC_TODO "give the public half, such as offline/image.pub"

/* ---- create ---- */

static enum hf_err refuse(const char *where, const char *todo, const char *what)
{
  hf_complain(where, todo, "%s", what);
  return HF_E_INPUT;
}

static int key_place(const struct hf_keyset *set, const struct hf_pubkey *pub)
{
  for (int i = 0; i < set->count; i++) {
    if (hf_pubkey_equal(&set->key[i], pub)) {
      return i;
    }
  }
  return -1;
}

static enum hf_err add_keys(struct hf_keyset *set, const struct hf_call *call)
{
  size_t at = 0;
  for (const char *path = hf_args_next(call, "key", &at); path != NULL; path = hf_args_next(call, "key", &at)) {
    struct hf_pubkey pub;
    enum hf_err err = hf_public_key_get(&pub, path, PUBLIC_TODO);
    if (err != HF_OK) {
      return err;
    }
    int place = key_place(set, &pub);
    if (place >= 0 && (set->revoked >> place & 1) != 0) {
      return refuse(path, "make a new key; a revoked one stays revoked", "this key was revoked");
    }
    if (place >= 0) {
      return refuse(path, "leave it out", "this key is in the set already");
    }
    if (set->count == HF_KEYSET_KEYS_MAX) {
      return refuse(path, "start without --from and leave revoked keys out that no device of yours has compiled in",
                    "a set holds eight keys");
    }
    set->key[set->count++] = pub;
  }
  return HF_OK;
}

/* A key that is revoked need not have been in the set: it may be compiled into boot loaders. */
static enum hf_err revoke_keys(struct hf_keyset *set, const struct hf_call *call)
{
  size_t at = 0;
  for (const char *path = hf_args_next(call, "revoke", &at); path != NULL; path = hf_args_next(call, "revoke", &at)) {
    struct hf_pubkey pub;
    enum hf_err err = hf_public_key_get(&pub, path, PUBLIC_TODO);
    if (err != HF_OK) {
      return err;
    }
    int place = key_place(set, &pub);
    if (place < 0) {
      if (set->count == HF_KEYSET_KEYS_MAX) {
        return refuse(path, "start without --from and leave old keys out", "a set holds eight keys");
      }
      place = set->count++;
      set->key[place] = pub;
    }
    set->revoked |= UINT32_C(1) << place;
  }
  return HF_OK;
}

static enum hf_err start_set(struct hf_keyset *set, const struct hf_call *call)
{
  const char *from = hf_args_get(call, "from");
  const char *product = hf_args_get(call, "product");
  uint8_t room[HF_KEYSET_MAX];
  *set = (struct hf_keyset){.version = 0};
  if ((from == NULL) == (product == NULL)) {
    hf_complain(NULL, "give --product NAME for a first set, or --from FILE for the next one",
                "which product is this set for?");
    return HF_E_INPUT;
  }
  if (from != NULL) {
    enum hf_err err = hf_keyset_file_get(set, room, from);
    set->body = set->signatures = (struct hf_bytes){NULL, 0}; /* they lie in `room` */
    if (err == HF_OK && set->version == UINT32_MAX) {
      err = refuse(from, "this cannot be mended", "no version is left");
    }
    return err;
  }
  if (!hf_names_check_product(hf_bytes_text(product))) {
    return refuse(hf_say("--product %s", product), "1 to 32 lower-case letters, digits or hyphens",
                  "not a product name");
  }
  set->product_len = (uint8_t)strlen(product);
  memcpy(set->product, product, set->product_len);
  return HF_OK;
}

static enum hf_err build_set(struct hf_keyset *set, const struct hf_call *call)
{
  uint64_t version;
  enum hf_err err = start_set(set, call);
  if (err == HF_OK) {
    err = hf_args_number(call, "version", &version, set->version + UINT64_C(1),
                         (const uint64_t[]){set->version + UINT64_C(1), UINT32_MAX});
  }
  if (err == HF_OK) {
    set->version = (uint32_t)version;
    err = add_keys(set, call);
  }
  if (err == HF_OK) {
    err = revoke_keys(set, call);
  }
  if (err == HF_OK && set->revoked == (UINT32_C(1) << set->count) - 1) {
    err = refuse(NULL, "add a key that stays good with --key FILE; devices could run nothing otherwise",
                 set->count == 0 ? "the set has no key" : "every key of the set is revoked");
  }
  return err;
}

int hf_cmd_keyset_create(const struct hf_call *call)
{
  uint8_t room[HF_KEYSET_MAX];
  struct hf_buf file = hf_buf_init(room, sizeof room);
  const char *out = hf_args_get(call, "out");
  struct hf_keyset set;
  if (out == NULL) {
    hf_complain(NULL, "write --out FILE", "where should the set go? --out is missing");
    return HF_EXIT_USAGE;
  }
  enum hf_err err = build_set(&set, call);
  if (err == HF_OK) {
    err = hf_keyset_encode(&file, &set);
  }
  if (err == HF_OK) {
    err = hf_disk_put(out, hf_buf_bytes(&file), 0644);
    if (err != HF_OK) {
      hf_disk_complain(err, "write", out);
    }
  }
  return err == HF_OK ? hf_keyset_print(call, out) : hf_exit_of(err);
}

/* ---- sign ---- */

static enum hf_err sign_digest(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN])
{
  return hf_key_sign_digest(sig, ctx, digest);
}

static enum hf_err sign_file(const char *path, const struct hf_keyset *set, struct hf_key *key)
{
  uint8_t room[HF_KEYSET_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_image_signer signer = {.sign = sign_digest, .ctx = key};
  enum hf_err err = hf_key_public(&signer.pub, key);
  if (err == HF_OK) {
    err = hf_keyset_sign(&out, set, &signer);
  }
  if (err == HF_E_FULL) {
    hf_complain(path, "sign with the keys that devices know as owners", "four others signed this set already");
  } else if (err != HF_OK) {
    hf_complain(path, "try again; look after the key or its token", "the set could not be signed (%s)",
                hf_err_name(err));
  } else {
    err = hf_disk_put(path, hf_buf_bytes(&out), 0644);
    if (err != HF_OK) {
      hf_disk_complain(err, "write", path);
    }
  }
  return err;
}

int hf_cmd_keyset_sign(const struct hf_call *call)
{
  uint8_t room[HF_KEYSET_MAX];
  struct hf_keyset set;
  struct hf_key *key = NULL;
  const char *path = call->operands[0];
  enum hf_err err = hf_keyset_file_get(&set, room, path);
  if (err == HF_OK) {
    err = hf_place_key_open(&key, call, HF_OFFLINE_ROOT, "Passphrase of the root key");
  }
  if (err == HF_OK) {
    err = sign_file(path, &set, key);
  }
  hf_key_free(key);
  return err == HF_OK ? hf_keyset_print(call, path) : hf_exit_of(err);
}

/* ---- publish ---- */

static void print_published(const json_t *reply)
{
  hf_print_clean(
      stdout,
      hf_say("Key set %s of %s is published. Devices that have it: %s; that fetch it at their next check-in: %s.",
             hf_member_said(reply, "version"), hf_member_said(reply, "product"), hf_member_said(reply, "devices"),
             hf_member_said(reply, "behind")));
  putchar('\n');
  if (json_integer_value(json_object_get(reply, "without")) > 0) {
    hf_note("%s devices take no key sets, or have not said yet whether they do", hf_member_said(reply, "without"));
  }
}

int hf_cmd_keyset_publish(const struct hf_call *call)
{
  uint8_t room[HF_KEYSET_MAX];
  uint8_t text_room[4 * (HF_KEYSET_MAX + 2) / 3];
  struct hf_buf text = hf_buf_init(text_room, sizeof text_room);
  struct hf_keyset set;
  struct hf_client_path path;
  enum hf_err err = hf_keyset_file_get(&set, room, call->operands[0]);
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  hf_base64_put(&text, (struct hf_bytes){room, set.body.len + 1 + set.signatures.len});
  hf_client_path_init(&path, "/products");
  hf_client_path_put(&path, hf_say("%.*s", (int)set.product_len, set.product));
  hf_client_path_put(&path, "keyset");
  return hf_ask(call, "PUT", &path, json_pack("{s:s%}", "file", text.at, text.len), print_published);
}

/* ---- show ---- */

int hf_cmd_keyset_show(const struct hf_call *call) { return hf_keyset_print(call, call->operands[0]); }
