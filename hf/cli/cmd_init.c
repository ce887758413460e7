/* SPDX-License-Identifier: Apache-2.0
 * holdfast init */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "hf/cli/command.h"
#include "hf/cli/founding.h"
#include "hf/cli/output.h"
#include "hf/cli/term.h"

#define HOST_NAME_CAP 256
/** Four groups of five letters of 32: 100 bits. */
#define PASSWORD_LETTERS 20

static enum hf_err take_addresses(struct hf_founding *to, const struct hf_call *call)
{
  static const char *const names[] = {"devices", "people"};
  char *places[] = {to->workspace.devices, to->workspace.people};
  for (size_t i = 0; i < 2; i++) {
    const char *given = hf_args_get(call, names[i]);
    struct hf_address address;
    if (given == NULL) {
      continue;
    }
    if (hf_address_parse(&address, hf_bytes_text(given)) != HF_OK) {
      hf_complain(hf_say("--%s %s", names[i], given), hf_rule_words(HF_RULE_WORKSPACE_ADDRESS)->todo,
                  "an address is not HOST:PORT");
      return HF_E_INPUT;
    }
    hf_format(places[i], HF_WORKSPACE_ADDRESS_MAX + 1, "%s", given);
  }
  return HF_OK;
}

static enum hf_err take_key_type(struct hf_founding *to, const struct hf_call *call)
{
  const char *type = hf_args_get_or(call, "key-type", "p256");
  if (strcmp(type, "p256") == 0) {
    to->key_type = HF_KEY_P256;
  } else if (strcmp(type, "ed25519") == 0) {
    to->key_type = HF_KEY_ED25519;
  } else {
    hf_complain(hf_say("--key-type %s", type), "p256 (every device verifies it) or ed25519", "unknown type of key");
    return HF_E_INPUT;
  }
  return HF_OK;
}

/* --key ROLE=pkcs11:... */
static enum hf_err take_tokens(struct hf_founding *to, const struct hf_call *call, char roles[][12])
{
  size_t at = 0;
  for (const char *given = hf_args_next(call, "key", &at); given != NULL; given = hf_args_next(call, "key", &at)) {
    const char *equals = strchr(given, '=');
    size_t len = equals == NULL ? 0 : (size_t)(equals - given);
    char role[12] = "";
    if (len > 0 && len < sizeof role) {
      memcpy(role, given, len);
    }
    bool twice = false;
    for (size_t i = 0; i < to->token_count; i++) {
      twice = twice || strcmp(to->tokens[i].role, role) == 0;
    }
    if (!hf_founding_check_role(role) || twice || strncmp(equals + 1, "pkcs11:", 7) != 0) {
      hf_complain("--key",
                  "ROLE=pkcs11:..., each role once: root, targets, factory-ca, server-ca, image, timestamp, "
                  "snapshot, director, time or device-ca",
                  "not a role and the URI of its key");
      return HF_E_INPUT;
    }
    memcpy(roles[to->token_count], role, sizeof role);
    to->tokens[to->token_count] = (struct hf_founding_token){roles[to->token_count], equals + 1};
    to->token_count++;
  }
  to->create_keys = hf_args_has(call, "create-keys");
  return HF_OK;
}

/* Is a passphrase needed for files, or a PIN for tokens? */
static bool needs_passphrase(const struct hf_founding *to)
{
  size_t offline = 0;
  for (size_t i = 0; i < to->token_count; i++) {
    offline += hf_founding_is_offline(to->tokens[i].role);
  }
  return offline < 5;
}

static bool needs_pin(const struct hf_founding *to)
{
  for (size_t i = 0; i < to->token_count; i++) {
    if (strstr(to->tokens[i].uri, "pin-source=") == NULL && strstr(to->tokens[i].uri, "pin-value=") == NULL) {
      return true;
    }
  }
  return false;
}

static bool operator_name_check(const char *name)
{
  size_t len = strlen(name);
  return len >= 1 && len <= 64 &&
         strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-") == len;
}

static enum hf_err take_plain(struct hf_founding *to, const struct hf_call *call)
{
  const char *organisation = hf_args_get_or(call, "org", "Holdfast");
  to->dir = call->operands[0];
  to->operator_name = hf_args_get_or(call, "operator", "admin");
  if (hf_workspace_init(&to->workspace, hf_bytes_text(organisation)) != HF_OK) {
    hf_complain("--org", hf_rule_words(HF_RULE_WORKSPACE_ORG)->todo,
                "the organisation's name is empty, or longer than "
                "64 bytes, or no text");
    return HF_E_INPUT;
  }
  if (!operator_name_check(to->operator_name)) {
    hf_complain(hf_say("--operator %s", to->operator_name), "1 to 64 of A-Z a-z 0-9 . _ @ -",
                "not a name to sign in by");
    return HF_E_INPUT;
  }
  enum hf_err err = take_key_type(to, call);
  return err == HF_OK ? take_addresses(to, call) : err;
}

static void add_name(struct hf_founding *to, const char *name)
{
  size_t count = 0;
  for (; to->names[count] != NULL; count++) {
    if (strcmp(to->names[count], name) == 0) {
      return;
    }
  }
  if (count < HF_PKI_NAMES_MAX && name[0] != 0) {
    to->names[count] = name;
  }
}

/* `host` is room for this computer's name, as long as `to` lives. */
static void take_names(struct hf_founding *to, const struct hf_call *call, char host[HOST_NAME_CAP])
{
  size_t at = 0;
  for (const char *name = hf_args_next(call, "name", &at); name != NULL; name = hf_args_next(call, "name", &at)) {
    add_name(to, name);
  }
  host[0] = 0;
  (void)gethostname(host, HOST_NAME_CAP - 1);
  host[HOST_NAME_CAP - 1] = 0;
  if (strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-") == strlen(host)) {
    add_name(to, host);
  }
  add_name(to, "localhost");
  add_name(to, "127.0.0.1");
  add_name(to, "::1");
}

static enum hf_err random_password(struct hf_passphrase *password)
{
  static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32; no l, o, 0, 1 */
  uint8_t random[PASSWORD_LETTERS];
  enum hf_err err = hf_random(random, sizeof random);
  struct hf_buf text = hf_buf_init(password->at, sizeof password->at);
  for (size_t i = 0; err == HF_OK && i < PASSWORD_LETTERS; i++) {
    if (i > 0 && i % 5 == 0) {
      hf_buf_put_u8(&text, '-');
    }
    hf_buf_put_u8(&text, (uint8_t)letters[random[i] % 32]);
  }
  password->len = text.len;
  hf_secret_wipe(random, sizeof random);
  return err;
}

static enum hf_err take_password(struct hf_passphrase *password, const struct hf_call *call)
{
  const char *file = hf_args_get(call, "password-file");
  struct hf_passphrase_source source = {.file = file, .confirm = true};
  return file == NULL ? random_password(password) : hf_passphrase_get(password, &source);
}

static void print_json(const struct hf_founding *to, const char *password)
{
  const char *root = hf_say_hex(hf_bytes_init(to->root_hash, sizeof to->root_hash));
  json_t *made =
      json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s}", "workspace", to->dir, "url", to->url, "operator", to->operator_name,
                "password", password, "root_sha256", root, "devices", to->workspace.devices);
  hf_output_json(made);
}

static void print_next_steps(const struct hf_founding *to, const char *password)
{
  const char *root = hf_say_hex(hf_bytes_init(to->root_hash, sizeof to->root_hash));
  printf("Made the workspace %s for %s.\n\n", to->dir, to->workspace.organisation);
  hf_field_print("console", 12, to->url);
  hf_field_print("operator", 12, to->operator_name);
  hf_field_print("password", 12,
                 password == NULL ? "as in the file given" : hf_say("%s   (shown this once)", password));
  hf_field_print("devices", 12, to->workspace.devices);
  hf_field_print("root.json", 12, hf_say("SHA-256 %s", root));
  printf("\nNext:\n"
         "  1. Copy %s/offline to a safe place, and keep the passphrase elsewhere. Without them no\n"
         "     release can ever be signed for these devices again.\n"
         "  2. Start the server:     holdfast serve %s\n"
         "  3. Add a product:        holdfast product add NAME --hardware ID --workspace %s\n"
         "  4. Give each device:     offline/root.json, offline/director-root.json, offline/server-ca.crt\n"
         "                           and, in its boot stage, offline/image.pub\n",
         to->dir, to->dir, to->dir);
}

static int make(struct hf_founding *to, const struct hf_call *call, const struct hf_passphrase *password)
{
  enum hf_err err = hf_founding_make(to);
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  const char *shown = hf_args_has(call, "password-file") ? NULL : (const char *)password->at;
  if (hf_args_has(call, "json")) {
    print_json(to, shown);
  } else {
    print_next_steps(to, shown);
  }
  return HF_EXIT_DONE;
}

int hf_cmd_init(const struct hf_call *call)
{
  struct hf_founding to = {.now = (int64_t)time(NULL)};
  struct hf_passphrase passphrase = {.len = 0};
  struct hf_passphrase password = {.len = 0};
  struct hf_passphrase pin = {.len = 0};
  char roles[HF_FOUNDING_TOKENS_MAX][12];
  char host[HOST_NAME_CAP];
  const char *clock = hf_clock_check(to.now);
  if (clock != NULL) {
    hf_complain(hf_say_time(to.now), "set the clock; certificates and metadata carry its time", "%s", clock);
    return HF_EXIT_FAILED;
  }
  if (take_plain(&to, call) != HF_OK || take_tokens(&to, call, roles) != HF_OK) {
    return HF_EXIT_USAGE;
  }
  take_names(&to, call, host);
  struct hf_passphrase_source source = {
      .file = hf_args_get(call, "passphrase-file"), .prompt = "Passphrase for the offline keys", .confirm = true};
  enum hf_err err = take_password(&password, call);
  if (err == HF_OK && needs_passphrase(&to)) {
    err = hf_passphrase_get(&passphrase, &source);
  }
  struct hf_passphrase_source pin_source = {.file = hf_args_get(call, "pin-file"), .prompt = "PIN of the token"};
  if (err == HF_OK && needs_pin(&to)) {
    err = hf_passphrase_get(&pin, &pin_source);
  }
  int code = HF_EXIT_FAILED;
  if (err == HF_OK) {
    to.passphrase = hf_bytes_init(passphrase.at, passphrase.len);
    to.pin = hf_bytes_init(pin.at, pin.len);
    to.operator_password = hf_bytes_init(password.at, password.len);
    code = make(&to, call, &password);
  }
  hf_passphrase_clear(&passphrase);
  hf_passphrase_clear(&password);
  hf_passphrase_clear(&pin);
  hf_secret_wipe(to.token, sizeof to.token);
  return code;
}
