/* SPDX-License-Identifier: Apache-2.0
 * COSE_Sign1 (RFC 9052 section 4.2), as much as factory orders and batch records need: one signer, the algorithm in the
 * protected header and nothing else, no tag, payload inside. ES256 (RFC 9053 section 2.1) and EdDSA (section 2.2).
 *
 * Signed bytes can never be taken for those of another purpose: each purpose has its own external_aad. Hosts: verifying
 * copies the payload onto the stack.
 */
#ifndef HF_WIRE_COSE_H
#define HF_WIRE_COSE_H

#include "hf/base/why.h"
#include "hf/crypto/crypto.h"

/** Longest payload: an order with its station's CA certificate is about 1.5 KiB. */
#define HF_COSE_PAYLOAD_MAX 8192
/** Longest message: payload, signature and heads. */
#define HF_COSE_MAX (HF_COSE_PAYLOAD_MAX + 128)
/** Longest external_aad: a purpose in words. */
#define HF_COSE_PURPOSE_MAX 64

/** A message taken apart; nothing of it is trusted yet. Views borrow the message. */
struct hf_cose {
  enum hf_key_type type; /**< by the algorithm it names */
  struct hf_bytes payload;
  struct hf_bytes sig; /**< 64 bytes: r and s, or Ed25519's */
};

/** How to sign. `sign` appends what hf_key_sign appends. */
struct hf_cose_signer {
  enum hf_err (*sign)(void *ctx, struct hf_buf *sig, struct hf_bytes message);
  void *ctx;
  enum hf_key_type type;
};

/** Take a message apart: the whole input. HF_E_INPUT with why. */
HF_MUST enum hf_err hf_cose_parse(struct hf_cose *cose, struct hf_bytes message, struct hf_why *why);
/** Is it signed by this key for this purpose? Fills why when not. Stack about 9 KiB. */
HF_MUST enum hf_verdict hf_cose_verify(const struct hf_cose *cose, const struct hf_pubkey *key, struct hf_bytes purpose,
                                       struct hf_why *why);
/** Append a signed message. HF_E_SPACE; HF_E_INPUT: no key that can sign; or what `sign` returned. */
HF_MUST enum hf_err hf_cose_encode(struct hf_buf *out, struct hf_bytes payload, struct hf_bytes purpose,
                                   struct hf_cose_signer signer);

#endif
