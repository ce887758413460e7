/* SPDX-License-Identifier: Apache-2.0
 * holdfast key: private keys in files and tokens */
#include <string.h>

#include <jansson.h>

#include "hf/cli/command.h"
#include "hf/cli/offline.h"
#include "hf/cli/output.h"
#include "hf/cli/term.h"
#include "hf/crypto/keyuri.h"
#include "hf/wire/pubkey.h"

#define NAME_WIDTH 12

static const char *const homes[] = {
    [HF_KEY_IN_FILE] = "a file", [HF_KEY_IN_TPM] = "a TPM 2.0", [HF_KEY_IN_PKCS11] = "a PKCS#11 token"};
static const char *const home_kinds[] = {
    [HF_KEY_IN_FILE] = "file", [HF_KEY_IN_TPM] = "tpm", [HF_KEY_IN_PKCS11] = "pkcs11"};

static int print_key(const struct hf_call *call, const struct hf_key *key)
{
  struct hf_pubkey pub;
  uint8_t hash[HF_SHA256_LEN];
  uint8_t id[HF_SHA256_LEN];
  if (hf_key_public(&pub, key) != HF_OK) {
    hf_complain(call->operands[0], "check the installed OpenSSL", "the key has no public half");
    return HF_EXIT_FAILED;
  }
  hf_pubkey_hash(hash, &pub);
  hf_pubkey_tuf_id(id, &pub);
  const char *type = pub.type == HF_KEY_P256 ? "ecdsa-p256" : "ed25519";
  enum hf_key_home home = hf_key_home(key);
  const char *hash_text = hf_say_hex(hf_bytes_init(hash, sizeof hash));
  const char *id_text = hf_say_hex(hf_bytes_init(id, sizeof id));
  if (hf_args_has(call, "json")) {
    hf_output_json(json_pack("{s:s, s:s, s:s, s:s}", "type", type, "sha256", hash_text, "tuf_keyid", id_text, "storage",
                             home_kinds[home]));
    return HF_EXIT_DONE;
  }
  hf_field_print("type", NAME_WIDTH, type);
  hf_field_print("SHA-256", NAME_WIDTH, hash_text);
  hf_field_print("TUF key id", NAME_WIDTH, id_text);
  hf_field_print("lives in", NAME_WIDTH, homes[home]);
  return HF_EXIT_DONE;
}

int hf_cmd_key_show(const struct hf_call *call)
{
  struct hf_key *key;
  struct hf_passphrase_source source = {.file = hf_args_get(call, "passphrase-file"),
                                        .prompt = hf_say("Passphrase of %s", call->operands[0])};
  enum hf_err err = hf_key_file_open(&key, call->operands[0], &source);
  int code = err == HF_OK ? print_key(call, key) : hf_exit_of(err);
  hf_key_free(key);
  return code;
}

/* The PIN, when the URI does not say where it is. */
static enum hf_err get_pin(struct hf_passphrase *pin, const struct hf_call *call, const struct hf_keyuri *uri)
{
  struct hf_passphrase_source source = {.file = hf_args_get(call, "passphrase-file"), .prompt = "PIN of the token"};
  bool stored = uri->pin_source[0] != 0 || uri->pin_value[0] != 0;
  return stored ? HF_OK : hf_passphrase_get(pin, &source);
}

int hf_cmd_key_create(const struct hf_call *call)
{
  struct hf_keyuri uri;
  struct hf_passphrase pin = {.len = 0};
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct hf_key *key = NULL;
  struct hf_bytes text = hf_bytes_text(call->operands[0]);
  enum hf_err err = hf_keyuri_parse(&uri, text, &why);
  err = err == HF_OK ? get_pin(&pin, call, &uri) : err;
  err = err == HF_OK ? hf_key_create(&key, text, hf_bytes_init(pin.at, pin.len), &why) : err;
  hf_passphrase_clear(&pin);
  hf_secret_wipe(&uri, sizeof uri);
  if (err != HF_OK) {
    if (why.rule != HF_RULE_NONE) {
      const struct hf_rule_words *words = hf_rule_words(why.rule);
      hf_complain("the key", words->todo, "%s", words->what);
    }
    return hf_exit_of(err);
  }
  int code = print_key(call, key);
  hf_key_free(key);
  return code;
}
