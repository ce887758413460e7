/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/keysetfile.h"

#include <stdlib.h>
#include <string.h>

#include "hf/cli/disk.h"
#include "hf/cli/output.h"
#include "hf/cli/place.h"
#include "hf/cli/term.h"
#include "hf/crypto/key.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/tuf.h"

enum hf_err hf_public_key_get(struct hf_pubkey *pub, const char *path, const char *todo)
{
  struct hf_blob pem;
  enum hf_err err = hf_disk_get(&pem, path, HF_KEY_PEM_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  err = hf_pubkey_parse_pem(pub, hf_blob_bytes(&pem));
  if (err != HF_OK) {
    hf_complain(path, todo, "no public key (P-256 or Ed25519, PEM)");
  }
  hf_blob_free(&pem);
  return err;
}

enum hf_err hf_keyset_file_get(struct hf_keyset *set, uint8_t *room, const char *path)
{
  struct hf_blob file;
  struct hf_why why = {.rule = HF_RULE_NONE};
  enum hf_err err = hf_disk_get(&file, path, HF_KEYSET_MAX);
  if (err == HF_E_SPACE) {
    hf_complain(path, "give a file made by holdfast keyset create", "no key set is longer than %d bytes",
                HF_KEYSET_MAX);
    return HF_E_INPUT;
  }
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  memcpy(room, file.at, file.len);
  err = hf_keyset_parse(set, hf_bytes_init(room, file.len), &why);
  if (err != HF_OK) {
    hf_complain_why(path, &why);
  }
  hf_blob_free(&file);
  return err;
}

/* The root role's keys, in the root's order. */
static enum hf_err take_owners(struct hf_keyset_owners *owners, struct hf_pubkey *room, const struct hf_tuf_root *root,
                               const char *path)
{
  const struct hf_tuf_signers *signers = &root->role[HF_TUF_ROOT];
  *owners = (struct hf_keyset_owners){.key = room, .threshold = (uint8_t)signers->threshold};
  for (unsigned i = 0; i < root->key_count; i++) {
    if ((signers->keys >> i & 1) == 0) {
      continue;
    }
    if (owners->count == HF_KEYSET_OWNERS_MAX) {
      hf_complain(path, "boot loaders take four owners; give the root role at most four keys",
                  "more root keys than a boot loader knows");
      return HF_E_INPUT;
    }
    room[owners->count++] = root->key[i].pub;
  }
  return HF_OK;
}

enum hf_err hf_keyset_owners_get(struct hf_keyset_owners *owners, struct hf_pubkey *room, const struct hf_call *call)
{
  char path[HF_PATH_MAX];
  char workspace[HF_PATH_MAX];
  struct hf_blob text;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust trust;
  struct hf_why why = {.rule = HF_RULE_NONE};
  uint8_t scratch[65536];
  limits.scratch = scratch;
  limits.scratch_cap = sizeof scratch;
  *owners = (struct hf_keyset_owners){.key = room};
  bool somewhere = hf_args_get(call, "offline") != NULL || getenv("HOLDFAST_OFFLINE") != NULL ||
                   hf_place_workspace(workspace, call, true) == HF_OK;
  if (!somewhere) {
    return HF_E_NOT_FOUND;
  }
  enum hf_err err = hf_place_offline_file(path, call, "root.json");
  if (err == HF_OK) {
    err = hf_disk_get(&text, path, limits.file_max[HF_TUF_ROOT]);
    if (err == HF_E_NOT_FOUND) {
      return err;
    }
    if (err != HF_OK) {
      hf_disk_complain(err, "read", path);
    }
  }
  if (err != HF_OK) {
    return err;
  }
  if (hf_tuf_trust_verify(&trust, hf_blob_bytes(&text), &limits, &why) != HF_ALLOW) {
    hf_complain_why(path, &why);
    err = HF_E_INPUT;
  } else {
    err = take_owners(owners, room, &trust.root, path);
  }
  hf_blob_free(&text);
  return err;
}

static const char *say_key(const struct hf_pubkey *pub)
{
  uint8_t hash[HF_SHA256_LEN];
  hf_pubkey_hash(hash, pub);
  return hf_say_hex(hf_bytes_init(hash, sizeof hash));
}

static const char *say_type(const struct hf_pubkey *pub) { return pub->type == HF_KEY_P256 ? "P-256" : "Ed25519"; }

static unsigned count_signed(const struct hf_keyset *set, const struct hf_keyset_owners *owners)
{
  unsigned count = 0;
  for (unsigned i = 0; i < owners->count; i++) {
    count += hf_keyset_signature_verify(set, &owners->key[i]) == HF_ALLOW ? 1 : 0;
  }
  return count;
}

static const char *say_state(const struct hf_keyset *set, const struct hf_keyset_owners *owners)
{
  unsigned have = count_signed(set, owners);
  if (owners->count == 0) {
    return hf_say("%u signatures; whose, only the offline folder could tell (--offline DIR)",
                  (unsigned)(set->signatures.len / (HF_KEYSET_ID_LEN + 1 + HF_SIG_MAX)));
  }
  return have >= owners->threshold
             ? hf_say("by %u of %u owners, %u needed: complete", have, owners->count, owners->threshold)
             : hf_say("by %u of %u owners, %u needed: %u missing", have, owners->count, owners->threshold,
                      owners->threshold - have);
}

static void print_words(const char *path, const struct hf_keyset *set, const struct hf_keyset_owners *owners)
{
  static const char *const key_headings[] = {"IMAGE KEY (SHA-256)", "TYPE", "STATE"};
  static const char *const owner_headings[] = {"OWNER (SHA-256)", "TYPE", "SIGNED"};
  struct hf_table *keys = hf_table_new(key_headings, 3);
  struct hf_table *signers = hf_table_new(owner_headings, 3);
  for (unsigned i = 0; i < set->count; i++) {
    bool revoked = (set->revoked >> i & 1) != 0;
    hf_table_put(keys, say_key(&set->key[i]));
    hf_table_put(keys, say_type(&set->key[i]));
    hf_table_put_tone(keys, revoked ? "revoked" : "good", revoked ? HF_TONE_BAD : HF_TONE_GOOD);
  }
  for (unsigned i = 0; i < owners->count; i++) {
    bool has = hf_keyset_signature_verify(set, &owners->key[i]) == HF_ALLOW;
    hf_table_put(signers, say_key(&owners->key[i]));
    hf_table_put(signers, say_type(&owners->key[i]));
    hf_table_put_tone(signers, has ? "yes" : "not yet", has ? HF_TONE_GOOD : HF_TONE_WARN);
  }
  hf_field_print("key set", 8, path);
  hf_field_print("product", 8, hf_say("%.*s", (int)set->product_len, set->product));
  hf_field_print("version", 8, hf_say("%u", set->version));
  hf_field_print("signed", 8, say_state(set, owners));
  putchar('\n');
  hf_table_print(keys, stdout);
  if (owners->count > 0) {
    putchar('\n');
  }
  hf_table_print(signers, stdout);
  hf_table_free(keys);
  hf_table_free(signers);
}

static void print_json(const struct hf_keyset *set, const struct hf_keyset_owners *owners)
{
  json_t *keys = json_array();
  json_t *signers = json_array();
  for (unsigned i = 0; i < set->count; i++) {
    (void)json_array_append_new(keys, json_pack("{s:s, s:s, s:b}", "sha256", say_key(&set->key[i]), "type",
                                                set->key[i].type == HF_KEY_P256 ? "p256" : "ed25519", "revoked",
                                                (int)(set->revoked >> i & 1)));
  }
  for (unsigned i = 0; i < owners->count; i++) {
    (void)json_array_append_new(signers,
                                json_pack("{s:s, s:b}", "sha256", say_key(&owners->key[i]), "signed",
                                          (int)(hf_keyset_signature_verify(set, &owners->key[i]) == HF_ALLOW)));
  }
  hf_output_json(json_pack("{s:s%, s:i, s:b, s:o, s:o}", "product", set->product, (size_t)set->product_len, "version",
                           (int)set->version, "complete",
                           (int)(owners->count > 0 && count_signed(set, owners) >= owners->threshold), "keys", keys,
                           "owners", signers));
}

int hf_keyset_print(const struct hf_call *call, const char *path)
{
  uint8_t room[HF_KEYSET_MAX];
  struct hf_pubkey owner_room[HF_KEYSET_OWNERS_MAX];
  struct hf_keyset_owners owners;
  struct hf_keyset set;
  enum hf_err err = hf_keyset_file_get(&set, room, path);
  if (err == HF_OK) {
    err = hf_keyset_owners_get(&owners, owner_room, call);
    err = err == HF_E_NOT_FOUND ? HF_OK : err;
  }
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  if (hf_args_has(call, "json")) {
    print_json(&set, &owners);
  } else {
    print_words(path, &set, &owners);
  }
  return HF_EXIT_DONE;
}
