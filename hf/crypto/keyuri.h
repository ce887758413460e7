/* SPDX-License-Identifier: Apache-2.0
 * Names of keys in PKCS#11 tokens: `pkcs11:token=...;object=...` (RFC 7512). Pure: bytes in, fields out.
 *
 * The attributes understood are the fields of struct hf_keyuri (docs/spec/keys.md). A path attribute that is not among
 * them is refused, since ignoring it would match more keys than were meant; an unknown query attribute is ignored, as
 * RFC 7512 section 2.3 says.
 */
#ifndef HF_CRYPTO_KEYURI_H
#define HF_CRYPTO_KEYURI_H

#include "hf/base/bytes.h"
#include "hf/base/why.h"

/** Longest URI read: every field at its longest, percent-encoded, is under 3 KiB. */
#define HF_KEYURI_MAX 3072
/** Longest label of an object, id of an object, and path, in bytes. Labels of tokens are 32 by PKCS#11. */
#define HF_KEYURI_OBJECT_MAX 128
#define HF_KEYURI_ID_MAX 64
#define HF_KEYURI_PATH_MAX 512
#define HF_KEYURI_PIN_MAX 256
#define HF_KEYURI_NO_SLOT UINT64_MAX

/** What a URI says. Texts end with NUL and are empty when absent. Wipe with hf_secret_wipe: it may hold a PIN. */
struct hf_keyuri {
  char token[33];                        /**< CK_TOKEN_INFO label */
  char manufacturer[33];                 /**< CK_TOKEN_INFO manufacturerID */
  char model[17];                        /**< CK_TOKEN_INFO model */
  char serial[17];                       /**< CK_TOKEN_INFO serialNumber */
  char object[HF_KEYURI_OBJECT_MAX + 1]; /**< CKA_LABEL */
  uint8_t id[HF_KEYURI_ID_MAX];          /**< CKA_ID */
  size_t id_len;
  uint64_t slot;                            /**< slot-id, or HF_KEYURI_NO_SLOT */
  char module_path[HF_KEYURI_PATH_MAX + 1]; /**< absolute */
  char pin_source[HF_KEYURI_PATH_MAX + 1];  /**< absolute path of a file; `file:` is taken off */
  char pin_value[HF_KEYURI_PIN_MAX + 1];
};

/** Does the text begin with `pkcs11:`? */
bool hf_keyuri_check(struct hf_bytes text);

/**
 * Read a URI. Blanks and line ends behind it are skipped, nothing else.
 * @param uri   fills
 * @param text  borrows
 * @param why   fills with HF_RULE_KEY_URI and the offset; may be NULL
 * @return HF_OK; HF_E_INPUT
 */
HF_MUST enum hf_err hf_keyuri_parse(struct hf_keyuri *uri, struct hf_bytes text, struct hf_why *why);

/** Append the URI in one canonical form, percent-encoded; `secret` says whether pin-value is written too. */
void hf_keyuri_put(struct hf_buf *out, const struct hf_keyuri *uri, bool secret);

#endif
