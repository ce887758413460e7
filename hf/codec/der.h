/* SPDX-License-Identifier: Apache-2.0
 * DER, as much as keys and signatures need: tag, definite minimal length, value (X.690 section 10).
 *
 * Not for certificates: those go through OpenSSL.
 */
#ifndef HF_CODEC_DER_H
#define HF_CODEC_DER_H

#include "hf/base/bytes.h"

/** Take one element with this tag; its content as a view. `failed` is set on another tag or a length that is not
 * minimal, longer than the input or above 65,535. */
struct hf_bytes hf_der_take(struct hf_cursor *cur, uint8_t tag);
/** Append one element. Content up to 65,535 bytes. */
void hf_der_put(struct hf_buf *out, uint8_t tag, struct hf_bytes content);
/** Split an ECDSA signature SEQUENCE { r, s } into two big-endian halves of `len` bytes. HF_E_INPUT: not DER, negative,
 * zero, or too long. */
HF_MUST enum hf_err hf_der_get_ecdsa(uint8_t *r, uint8_t *s, size_t len, struct hf_bytes der);

#endif
