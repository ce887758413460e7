/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/offline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "hf/cli/disk.h"
#include "hf/cli/term.h"
#include "hf/crypto/keyuri.h"

const char *hf_offline_name(enum hf_offline_role role)
{
  static const char *const names[] = {"root.pem", "targets.pem", "factory-ca.pem", "server-ca.pem", "image.pem"};
  return names[role];
}

void hf_passphrase_clear(struct hf_passphrase *passphrase)
{
  hf_secret_wipe(passphrase->at, sizeof passphrase->at);
  passphrase->len = 0;
}

static size_t count_different(struct hf_bytes text)
{
  bool seen[256] = {false};
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++) {
    count += !seen[text.at[i]];
    seen[text.at[i]] = true;
  }
  return count;
}

const char *hf_passphrase_check(struct hf_bytes passphrase)
{
  if (passphrase.len == 0) {
    return "the passphrase is empty";
  }
  if (passphrase.len < HF_PASSPHRASE_MIN) {
    return "the passphrase is shorter than 12 characters";
  }
  return count_different(passphrase) < 5 ? "the passphrase has fewer than 5 different characters" : NULL;
}

/* The first line of `text`, without its end. */
static enum hf_err first_line(struct hf_passphrase *passphrase, struct hf_bytes text)
{
  size_t len = 0;
  while (len < text.len && text.at[len] != '\n') {
    len++;
  }
  if (len > 0 && text.at[len - 1] == '\r') {
    len--;
  }
  if (len > HF_PASSPHRASE_MAX) {
    return HF_E_INPUT;
  }
  memcpy(passphrase->at, text.at, len);
  passphrase->len = len;
  return HF_OK;
}

static enum hf_err from_file(struct hf_passphrase *passphrase, const char *path)
{
  struct hf_blob blob;
  enum hf_err err = hf_disk_get(&blob, path, 65536);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return HF_E_IO;
  }
  err = first_line(passphrase, hf_blob_bytes(&blob));
  hf_blob_free(&blob);
  if (err != HF_OK) {
    hf_complain(path, "its first line is taken; make it shorter", "a passphrase of more than %d bytes",
                HF_PASSPHRASE_MAX);
  }
  return err;
}

/* One line from the terminal. A cut line is refused, not shortened: the rest would be the start of the next. */
static enum hf_err read_line(struct hf_passphrase *passphrase, int terminal)
{
  passphrase->len = 0;
  for (size_t i = 0; i <= HF_PASSPHRASE_MAX; i++) {
    char c;
    ssize_t got = read(terminal, &c, 1);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return HF_E_IO;
    }
    if (c == '\n') {
      return HF_OK;
    }
    if (passphrase->len < HF_PASSPHRASE_MAX) {
      passphrase->at[passphrase->len++] = (uint8_t)c;
    }
  }
  return HF_E_INPUT;
}

static enum hf_err ask(struct hf_passphrase *passphrase, int terminal, const char *prompt)
{
  struct termios before;
  struct termios quiet;
  if (tcgetattr(terminal, &before) != 0) {
    return HF_E_IO;
  }
  quiet = before;
  quiet.c_lflag = (quiet.c_lflag & ~(tcflag_t)ECHO) | ECHONL;
  if (tcsetattr(terminal, TCSAFLUSH, &quiet) != 0) {
    return HF_E_IO;
  }
  dprintf(terminal, "%s: ", prompt);
  enum hf_err err = read_line(passphrase, terminal);
  (void)tcsetattr(terminal, TCSAFLUSH, &before);
  return err;
}

static enum hf_err from_terminal(struct hf_passphrase *passphrase, const struct hf_passphrase_source *source)
{
  struct hf_passphrase again = {.len = 0};
  int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (terminal < 0) {
    hf_complain(NULL, "give --passphrase-file FILE, or set HOLDFAST_PASSPHRASE",
                "a passphrase is needed, and there is no terminal to ask on");
    return HF_E_STATE;
  }
  enum hf_err err = ask(passphrase, terminal, source->prompt);
  if (err == HF_OK && source->confirm) {
    err = ask(&again, terminal, "Once more");
  }
  close(terminal);
  if (err != HF_OK) {
    hf_complain(NULL, "try again", "no passphrase was entered");
  } else if (source->confirm &&
             (again.len != passphrase->len || !hf_secret_equal(again.at, passphrase->at, again.len))) {
    hf_complain(NULL, "try again; nothing was made", "the two passphrases differ");
    err = HF_E_INPUT;
  }
  hf_passphrase_clear(&again);
  return err;
}

static enum hf_err from_environment(struct hf_passphrase *passphrase, const char *value)
{
  if (strlen(value) > HF_PASSPHRASE_MAX) {
    hf_complain("HOLDFAST_PASSPHRASE", "make it shorter", "a passphrase of more than %d bytes", HF_PASSPHRASE_MAX);
    return HF_E_INPUT;
  }
  passphrase->len = strlen(value);
  memcpy(passphrase->at, value, passphrase->len);
  return HF_OK;
}

enum hf_err hf_passphrase_get(struct hf_passphrase *passphrase, const struct hf_passphrase_source *source)
{
  const char *environment = getenv("HOLDFAST_PASSPHRASE");
  enum hf_err err;
  *passphrase = (struct hf_passphrase){.len = 0};
  if (source->file != NULL) {
    err = from_file(passphrase, source->file);
  } else if (environment != NULL) {
    err = from_environment(passphrase, environment);
  } else {
    err = from_terminal(passphrase, source);
  }
  const char *weak = NULL;
  if (err == HF_OK) {
    struct hf_bytes text = hf_bytes_init(passphrase->at, passphrase->len);
    weak = source->confirm ? hf_passphrase_check(text) : text.len == 0 ? "the passphrase is empty" : NULL;
  }
  if (weak != NULL) {
    hf_complain(source->file, "five words picked by dice are a good one; it guards everything that devices install",
                "%s", weak);
    err = HF_E_INPUT;
  }
  if (err != HF_OK) {
    hf_passphrase_clear(passphrase);
  }
  return err;
}

/* `why` set: a token or TPM said no, and the rule has the words. */
static void complain_key(const char *path, enum hf_err err, bool asked, const struct hf_why *why)
{
  if (why->rule != HF_RULE_NONE) {
    const struct hf_rule_words *words = hf_rule_words(why->rule);
    hf_complain(path, words->todo, "%s", words->what);
  } else if (err == HF_E_DENIED && asked) {
    hf_complain(path, "give the one chosen at `holdfast init`", "wrong passphrase");
  } else {
    hf_complain(path, "give a P-256 or Ed25519 private key: PKCS#8 in PEM, or a pkcs11: line",
                "no private key of a known type");
  }
}

static enum hf_err open_with(struct hf_key **key, const char *path, struct hf_bytes text,
                             const struct hf_passphrase_source *source)
{
  struct hf_passphrase passphrase;
  struct hf_why why = {.rule = HF_RULE_NONE};
  enum hf_err err = hf_passphrase_get(&passphrase, source);
  if (err != HF_OK) {
    return err;
  }
  err = hf_key_open(key, text, hf_bytes_init(passphrase.at, passphrase.len), &why);
  hf_passphrase_clear(&passphrase);
  if (err != HF_OK) {
    complain_key(path, err, true, &why);
  }
  return err;
}

static bool is_encrypted(struct hf_bytes pem)
{
  static const char mark[] = "BEGIN ENCRYPTED PRIVATE KEY";
  for (size_t i = 0; i + sizeof mark - 1 <= pem.len; i++) {
    if (memcmp(pem.at + i, mark, sizeof mark - 1) == 0) {
      return true;
    }
  }
  return false;
}

/* Is there something to type for this key? */
static bool needs_secret(struct hf_bytes text)
{
  struct hf_keyuri uri;
  bool pin = hf_keyuri_check(text) && hf_keyuri_parse(&uri, text, NULL) == HF_OK && uri.pin_source[0] == 0 &&
             uri.pin_value[0] == 0;
  if (hf_keyuri_check(text)) {
    hf_secret_wipe(&uri, sizeof uri);
  }
  return pin || is_encrypted(text);
}

enum hf_err hf_key_text_open(struct hf_key **key, const char *name, struct hf_bytes text,
                             const struct hf_passphrase_source *source)
{
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct hf_passphrase_source pin = *source;
  *key = NULL;
  if (!needs_secret(text)) {
    enum hf_err err = hf_key_open(key, text, (struct hf_bytes){NULL, 0}, &why);
    if (err != HF_OK) {
      complain_key(name, err, false, &why);
    }
    return err;
  }
  if (hf_key_is_reference(text)) {
    pin.prompt = hf_say("PIN of the token of %s", name);
    pin.confirm = false;
  }
  return open_with(key, name, text, &pin);
}

enum hf_err hf_key_file_open(struct hf_key **key, const char *path, const struct hf_passphrase_source *source)
{
  struct hf_blob text;
  *key = NULL;
  if (hf_key_is_reference(hf_bytes_text(path))) {
    return hf_key_text_open(key, "the key", hf_bytes_text(path), source);
  }
  enum hf_err err = hf_disk_get(&text, path, HF_KEY_PEM_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  err = hf_key_text_open(key, path, hf_blob_bytes(&text), source);
  hf_blob_free(&text);
  return err;
}

bool hf_key_complain(const struct hf_key *key, const char *path)
{
  struct hf_why why = {.rule = key == NULL ? HF_RULE_NONE : hf_key_rule(key)};
  if (why.rule != HF_RULE_NONE) {
    complain_key(path, HF_E_IO, false, &why);
  }
  return why.rule != HF_RULE_NONE;
}

enum hf_err hf_offline_key_open(struct hf_key **key, const char *dir, enum hf_offline_role role,
                                const struct hf_passphrase_source *source)
{
  char path[HF_PATH_MAX];
  *key = NULL;
  enum hf_err err = hf_path_join(path, dir, hf_offline_name(role));
  return err == HF_OK ? hf_key_file_open(key, path, source) : err;
}
