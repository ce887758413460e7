/* SPDX-License-Identifier: Apache-2.0
 * The founding of a workspace: every key, certificate and first metadata file of docs/spec/workspace.md, in an empty
 * folder.
 *
 * All or nothing: holdfast.json, which makes a folder a workspace, is written last; when anything fails, what was made
 * is removed again.
 */
#ifndef HF_CLI_FOUNDING_H
#define HF_CLI_FOUNDING_H

#include "hf/cli/offline.h"
#include "hf/cli/pki.h"
#include "hf/fleet/workspace.h"

/** "hf_", 64 hex digits, NUL. */
#define HF_TOKEN_TEXT_MAX 68

/** A key that lives in a token from the start: `root`, `targets`, `factory-ca`, `server-ca`, `image` offline,
 * `timestamp`, `snapshot`, `director`, `time`, `device-ca` in the vault. */
struct hf_founding_token {
  const char *role; /**< borrows */
  const char *uri;  /**< borrows; `pkcs11:...` */
};
#define HF_FOUNDING_TOKENS_MAX 10

/** Is it one of those roles? */
bool hf_founding_check_role(const char *role);
/** Is it one of those that need a passphrase when they are files? */
bool hf_founding_is_offline(const char *role);

/** What is to be made, and what came of it. */
struct hf_founding {
  const char *dir;                         /**< borrows */
  struct hf_workspace workspace;           /**< what holdfast.json will say */
  enum hf_key_type key_type;               /**< of root, targets and image key */
  struct hf_bytes passphrase;              /**< of the offline keys; borrows */
  const char *operator_name;               /**< borrows */
  struct hf_bytes operator_password;       /**< borrows */
  const char *names[HF_PKI_NAMES_MAX + 1]; /**< of the server certificate, most telling first; ends with NULL */
  struct hf_founding_token tokens[HF_FOUNDING_TOKENS_MAX]; /**< keys in tokens */
  size_t token_count;
  bool create_keys;    /**< make those that are not there */
  struct hf_bytes pin; /**< for URIs that name none; borrows */
  int64_t now;
  char token[HF_TOKEN_TEXT_MAX];           /**< out: the operator's API token; wipe after use */
  char url[HF_WORKSPACE_ADDRESS_MAX + 16]; /**< out: of the console */
  uint8_t root_hash[HF_SHA256_LEN];        /**< out: SHA-256 of root.json */
};

/** Make it. HF_OK; HF_E_EXISTS: `dir` is there and not empty; else what failed. After a message on standard error. */
HF_MUST enum hf_err hf_founding_make(struct hf_founding *founding);

/** Why certificates and metadata made at this time would be wrong, for a person: the clock is before this Holdfast was
 * made or decades after it. NULL when the time is credible. Borrowed, static. */
const char *hf_clock_check(int64_t now);

#endif
