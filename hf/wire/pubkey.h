/* SPDX-License-Identifier: Apache-2.0
 * Public keys as bytes: SubjectPublicKeyInfo, PEM, and the ids that TUF and MCUboot give a key. Device and host.
 */
#ifndef HF_WIRE_PUBKEY_H
#define HF_WIRE_PUBKEY_H

#include "hf/crypto/crypto.h"

/** SubjectPublicKeyInfo DER: 91 bytes P-256, 44 Ed25519. */
#define HF_SPKI_MAX 91
/** PEM of the above, with room for odd line lengths. */
#define HF_PUBKEY_PEM_MAX 512

/** Append SubjectPublicKeyInfo DER (RFC 5480, RFC 8410). */
void hf_pubkey_put_spki(struct hf_buf *out, const struct hf_pubkey *pub);
/** From SubjectPublicKeyInfo DER, the whole input, uncompressed point. HF_E_INPUT otherwise. That the point is on the
 * curve is checked where it is used, by hf_p256_verify. */
HF_MUST enum hf_err hf_pubkey_parse_spki(struct hf_pubkey *pub, struct hf_bytes der);
/** Append PEM with lines of 64 and a final newline (the form of TUF's ECDSA keys). */
void hf_pubkey_put_pem(struct hf_buf *out, const struct hf_pubkey *pub);
/** From PEM `PUBLIC KEY`, whatever its line length. HF_E_INPUT otherwise. */
HF_MUST enum hf_err hf_pubkey_parse_pem(struct hf_pubkey *pub, struct hf_bytes pem);
/** Same key material? */
bool hf_pubkey_equal(const struct hf_pubkey *a, const struct hf_pubkey *b);
/** SHA-256 of the SubjectPublicKeyInfo: MCUboot's key hash TLV, and the name of a key in `holdfast` output. */
void hf_pubkey_hash(uint8_t out[HF_SHA256_LEN], const struct hf_pubkey *pub);
/** Append the TUF key object in canonical order, PEM for ECDSA, hex for Ed25519 (TUF 1.0.34 section 4.2). */
void hf_pubkey_put_tuf(struct hf_buf *out, const struct hf_pubkey *pub);
/** TUF key id: SHA-256 of the canonical form of that object. */
void hf_pubkey_tuf_id(uint8_t out[HF_SHA256_LEN], const struct hf_pubkey *pub);

#endif
