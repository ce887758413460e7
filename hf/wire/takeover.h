/* SPDX-License-Identifier: Apache-2.0
 * Takeover orders: a fleet moves to another server, because the holders of the offline root say so. It is the way out
 * that no provider can close, and the one thing a stolen server would love to forge: nobody but the threshold of the
 * root role can sign one.
 *
 * The file is shaped and signed as TUF metadata is, with `_type` "takeover", by the root role of the image repository
 * the device trusts now; so it is exported, signed by several people and checked with the same tools. What a device
 * does with it: hf/device/migration.h. docs/spec/takeover.md.
 */
#ifndef HF_WIRE_TAKEOVER_H
#define HF_WIRE_TAKEOVER_H

#include "hf/wire/tuf.h"

/** A whole file: an address, a certificate or two, a few signatures; a device keeps it as one record. */
#define HF_TAKEOVER_MAX 4000
/** Longest address of a server. */
#define HF_TAKEOVER_SERVER_MAX 128
/** PEM of the CAs that vouch for the new server. */
#define HF_TAKEOVER_CA_MAX 2600

struct hf_takeover {
  uint32_t version; /**< rises with each order of a product; a device never takes a lower one */
  int64_t expires;
  uint8_t director_root[HF_SHA256_LEN]; /**< of the director's root.json that the device begins to trust */
  uint8_t image_root[HF_SHA256_LEN];    /**< of the image repository's */
  uint8_t server_len;
  char server[HF_TAKEOVER_SERVER_MAX + 1]; /**< "https://HOST:PORT", NUL-terminated */
  struct hf_json server_ca;                /**< PEM text, not decoded: hf_takeover_put_ca; borrows the file */
};

/** What a device demands of an order beyond signatures. */
struct hf_takeover_policy {
  struct hf_bytes product;
  uint32_t version_min; /**< lowest version that is still good */
  int64_t now;          /**< seconds since 1970 */
};

/**
 * Is this an order for this product that the root role signed, not expired, and newer than the last one?
 * @param order   fills; to be believed only with HF_ALLOW; borrows `text`
 * @param text    borrows: the whole file
 * @param root    borrows: of the image repository as the device trusts it now
 * @param limits  borrows: `scratch`, when a key of the root is Ed25519 (the file is not in canonical form: PEM)
 * @param policy  borrows
 * @param why     fills (rule 690-699, or of TUF); may be NULL
 * Device and host; no heap; stack about 700 bytes beside the crypto back end's.
 */
HF_MUST enum hf_verdict hf_takeover_verify(struct hf_takeover *order, struct hf_bytes text,
                                           const struct hf_tuf_root *root, const struct hf_tuf_limits *limits,
                                           const struct hf_takeover_policy *policy, struct hf_why *why);

/** Read an order without judging it: for people, before they sign. HF_E_INPUT with why. */
HF_MUST enum hf_err hf_takeover_parse(struct hf_takeover *order, struct hf_tuf_file *file, struct hf_bytes *product,
                                      struct hf_bytes text, struct hf_why *why);

/** Append the CA certificates of a parsed order. HF_E_SPACE. */
HF_MUST enum hf_err hf_takeover_put_ca(struct hf_buf *out, const struct hf_takeover *order);

/** An address that may be ordered: https, a host name or an address, a port; plain characters only. */
bool hf_takeover_server_check(struct hf_bytes server);

/* ---- the signing side; hosts ---- */

/** What to order. Views borrowed. */
struct hf_takeover_new {
  uint32_t version;
  int64_t expires;
  struct hf_bytes product;
  struct hf_bytes server;
  struct hf_bytes server_ca;     /**< PEM */
  struct hf_bytes director_root; /**< the file */
  struct hf_bytes image_root;    /**< the file */
};

/** Append the "signed" part. HF_E_INPUT: a member that no device would take; HF_E_SPACE. */
HF_MUST enum hf_err hf_takeover_put(struct hf_buf *out, const struct hf_takeover_new *order);

#endif
