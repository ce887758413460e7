/* SPDX-License-Identifier: Apache-2.0
 * Key agreement, key derivation and AES-CTR: what encrypted images need. Only programs that use them link them.
 *
 * Sealing of secrets at rest is hf/crypto/key.h; hashes and signatures are hf/crypto/crypto.h.
 */
#ifndef HF_CRYPTO_CIPHER_H
#define HF_CRYPTO_CIPHER_H

#include "hf/crypto/crypto.h"
#include "hf/crypto/key.h"

/** AES-128 or AES-256 in counter mode (NIST SP 800-38A 6.5), in place, from any byte of the stream; the counter block
 * counts 16-byte blocks, big-endian, from 0.
 * @param key     borrows; 16 or 32 bytes
 * @param offset  of data[0] in the stream
 * @return HF_OK; HF_E_INPUT: key of another length; HF_E_CRYPTO */
HF_MUST enum hf_err hf_aes_ctr(uint8_t *data, size_t len, struct hf_bytes key, uint64_t offset);

/** HKDF-SHA-256 without salt (RFC 5869).
 * @param len  of `out`, at most 255 * 32
 * @param info  at most 64 bytes */
void hf_hkdf_sha256(uint8_t *out, size_t len, struct hf_bytes secret, struct hf_bytes info);

/** ECDH (NIST SP 800-56A 5.7.1.2): x coordinate of a private key times a peer's point. Hosts.
 * @param key    borrows; P-256
 * @param point  uncompressed
 * @return HF_OK; HF_E_INPUT: not a point of the curve, or not a P-256 key; HF_E_CRYPTO */
HF_MUST enum hf_err hf_key_agree(uint8_t secret[32], const struct hf_key *key, const uint8_t point[HF_P256_PUBLIC_LEN]);

#endif
