/* SPDX-License-Identifier: Apache-2.0
 * The offline folder: the keys that never reach the server, and what they were used for.
 *
 * Normally DIR/offline of the workspace; `--offline DIR` or HOLDFAST_OFFLINE names another place, such as a stick. Key
 * files are encrypted PKCS#8 (hf/crypto/key.h) under one passphrase, from `--passphrase-file`, HOLDFAST_PASSPHRASE or
 * the prompt.
 */
#ifndef HF_CLI_OFFLINE_H
#define HF_CLI_OFFLINE_H

#include "hf/crypto/key.h"

/** A passphrase of 12 bytes from a word list has about 40 bits; scrypt adds 20. Shorter is refused. */
#define HF_PASSPHRASE_MIN 12
#define HF_PASSPHRASE_MAX 1024

/** The keys of the offline folder. */
enum hf_offline_role {
  HF_OFFLINE_ROOT,       /**< root.pem: both TUF roots */
  HF_OFFLINE_TARGETS,    /**< targets.pem: what may be installed */
  HF_OFFLINE_FACTORY_CA, /**< factory-ca.pem: factory certificates (IDevID) */
  HF_OFFLINE_SERVER_CA,  /**< server-ca.pem: the server's TLS certificate */
  HF_OFFLINE_IMAGE       /**< image.pem: MCUboot signatures */
};

/** Its file name, "targets.pem". Borrowed, static. */
const char *hf_offline_name(enum hf_offline_role role);

/** A passphrase in memory: wiped by hf_passphrase_clear. */
struct hf_passphrase {
  uint8_t at[HF_PASSPHRASE_MAX];
  size_t len;
};

/** Where the passphrase comes from. */
struct hf_passphrase_source {
  const char *file;   /**< --passphrase-file, or NULL; its first line counts */
  const char *prompt; /**< what to ask a person for, without colon */
  bool confirm;       /**< ask twice, and refuse a weak one */
};

/**
 * Get a passphrase: the file, else HOLDFAST_PASSPHRASE, else the terminal with echo off.
 * @param passphrase  fills; wipe with hf_passphrase_clear
 * @return HF_OK; HF_E_INPUT: weak, empty or not equal when confirmed; HF_E_STATE: no source (no terminal either);
 *         HF_E_IO: the file cannot be read. Each after a message on standard error.
 */
HF_MUST enum hf_err hf_passphrase_get(struct hf_passphrase *passphrase, const struct hf_passphrase_source *source);
void hf_passphrase_clear(struct hf_passphrase *passphrase);
/** Why this passphrase is too weak, for a person; NULL when it is good enough. Borrowed, static. */
const char *hf_passphrase_check(struct hf_bytes passphrase);

/** Open a key by the content of a key file; asks for a passphrase when it is encrypted, for a PIN when it is a token's
 * that names none. `name` is for messages. Answers as hf_offline_key_open. */
HF_MUST enum hf_err hf_key_text_open(struct hf_key **key, const char *name, struct hf_bytes text,
                                     const struct hf_passphrase_source *source);
/** Say why a key's last signature failed, when a token or TPM said so: false when there is nothing to say. */
bool hf_key_complain(const struct hf_key *key, const char *path);
/** Open a private key file, or the key of a `pkcs11:` or `tpm2:` name given instead of a path. As hf_key_text_open. */
HF_MUST enum hf_err hf_key_file_open(struct hf_key **key, const char *path, const struct hf_passphrase_source *source);
/**
 * Open a private key of the offline folder, asking for the passphrase.
 * @param key     gives; free with hf_key_free
 * @param dir     the offline folder
 * @param source  borrows
 * @return HF_OK; HF_E_NOT_FOUND; HF_E_DENIED: wrong passphrase; HF_E_INPUT: not a key. Each after a message.
 */
HF_MUST enum hf_err hf_offline_key_open(struct hf_key **key, const char *dir, enum hf_offline_role role,
                                        const struct hf_passphrase_source *source);

#endif
