/* SPDX-License-Identifier: Apache-2.0
 * Inside hf/crypto only: a private key that lives elsewhere (token, TPM), and the OpenSSL key that signs through it.
 *
 * TLS and X.509 code want an EVP_PKEY. They get an EC key with the public point and a signing method of ours, which is
 * how OpenSSL 3 takes foreign keys without an engine or a provider of its own (docs/adr: keys in tokens).
 */
#ifndef HF_CRYPTO_KEYBACK_H
#define HF_CRYPTO_KEYBACK_H

#include <openssl/evp.h>

#include "hf/crypto/key.h"

/** What a home of keys must answer; context first. */
struct hf_keyback_ops {
  const char *name;
  uint32_t version;
  enum hf_key_home home;
  /** Append an ECDSA signature in DER. */
  enum hf_err (*sign)(void *ctx, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN], struct hf_why *why);
  /** Append the form that a key file may hold; NULL: HF_E_STATE. */
  enum hf_err (*encode)(void *ctx, struct hf_buf *out);
  void (*close)(void *ctx);
};

/** A foreign key, owned by its EVP_PKEY: it is closed when the last reference to that goes. */
struct hf_keyback {
  const struct hf_keyback_ops *ops;
  void *ctx;
  unsigned refs;
  uint16_t rule; /**< why the last signature failed */
};

/** Wrap. Takes over `ctx` in any case. Gives `*native` (EVP_PKEY_free); `*back` is borrowed from it. */
HF_MUST enum hf_err hf_keyback_wrap(EVP_PKEY **native, struct hf_keyback **back, const struct hf_keyback_ops *ops,
                                    void *ctx, const struct hf_pubkey *pub);
/** Sign, and keep why it failed. */
HF_MUST enum hf_err hf_keyback_sign(struct hf_keyback *back, struct hf_buf *sig, const uint8_t digest[HF_SHA256_LEN]);

/** What a backend gives to hf_key_open: its context and its public point. */
struct hf_keyback_found {
  const struct hf_keyback_ops *ops;
  void *ctx;
  struct hf_pubkey pub;
};

enum hf_p11_how { HF_P11_OPEN, HF_P11_CREATE };
/** PKCS#11: find or make the key of a URI. On HF_OK `found->ctx` is the caller's. */
HF_MUST enum hf_err hf_p11_open(struct hf_keyback_found *found, struct hf_bytes uri, struct hf_bytes pin,
                                enum hf_p11_how how, struct hf_why *why);
HF_MUST enum hf_err hf_p11_destroy(struct hf_bytes uri, struct hf_bytes pin, struct hf_why *why);

/** TPM 2.0: open `tpm2:handle=...` or TSS2 PEM; make a key when `text` is empty. */
HF_MUST enum hf_err hf_tpm_open(struct hf_keyback_found *found, struct hf_bytes text, struct hf_why *why);

#endif
