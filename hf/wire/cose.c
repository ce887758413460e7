/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/cose.h"

#include <string.h>

#include "hf/codec/cbor.h"
#include "hf/codec/der.h"

#define HALF 32
#define SIG_LEN (2 * HALF)

/* { 1: -7 } and { 1: -8 } (RFC 9053 tables 1 and 2). */
static const uint8_t es256[] = {0xa1, 0x01, 0x26};
static const uint8_t eddsa[] = {0xa1, 0x01, 0x27};

static struct hf_bytes header_of(enum hf_key_type type)
{
  return type == HF_KEY_ED25519 ? hf_bytes_init(eddsa, sizeof eddsa) : hf_bytes_init(es256, sizeof es256);
}

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule, size_t at)
{
  hf_why_put(why, rule, (uint32_t)at);
  return HF_E_INPUT;
}

enum hf_err hf_cose_parse(struct hf_cose *cose, struct hf_bytes message, struct hf_why *why)
{
  struct hf_cbor in = hf_cbor_init(message, why);
  *cose = (struct hf_cose){.type = HF_KEY_NONE};
  if (hf_cbor_type(&in) != HF_CBOR_ARRAY || hf_cbor_array(&in, 4) != 4) {
    return refuse(why, HF_RULE_FACTORY_SIGNED, 0);
  }
  struct hf_bytes header = hf_cbor_bytes(&in, 16);
  size_t members = hf_cbor_map(&in, 0);
  cose->payload = hf_cbor_bytes(&in, HF_COSE_PAYLOAD_MAX);
  cose->sig = hf_cbor_bytes(&in, SIG_LEN);
  if (!hf_cbor_done(&in) || members != 0) {
    return refuse(why, HF_RULE_FACTORY_SIGNED, 0);
  }
  if (hf_bytes_equal(header, header_of(HF_KEY_P256))) {
    cose->type = HF_KEY_P256;
  } else if (hf_bytes_equal(header, header_of(HF_KEY_ED25519))) {
    cose->type = HF_KEY_ED25519;
  }
  if (cose->type == HF_KEY_NONE || cose->sig.len != SIG_LEN) {
    return refuse(why, HF_RULE_FACTORY_ALGORITHM, 0);
  }
  return HF_OK;
}

/* Sig_structure (RFC 9052 section 4.4). */
static void put_signed(struct hf_buf *out, enum hf_key_type type, struct hf_bytes purpose, struct hf_bytes payload)
{
  hf_cbor_put_array(out, 4);
  hf_cbor_put_text(out, HF_LIT("Signature1"));
  hf_cbor_put_bytes(out, header_of(type));
  hf_cbor_put_bytes(out, purpose);
  hf_cbor_put_bytes(out, payload);
}

static void put_integer(struct hf_buf *out, const uint8_t *half)
{
  uint8_t room[HALF + 1] = {0};
  size_t skip = 0;
  while (skip < HALF - 1 && half[skip] == 0) {
    skip++;
  }
  memcpy(room + 1, half + skip, HALF - skip);
  bool high = (room[1] & 0x80) != 0;
  hf_der_put(out, 0x02, hf_bytes_init(high ? room : room + 1, HALF - skip + (high ? 1 : 0)));
}

static enum hf_verdict verify_p256(const struct hf_cose *cose, const struct hf_pubkey *key, struct hf_bytes message)
{
  uint8_t digest[HF_SHA256_LEN];
  uint8_t content_room[2 * (HALF + 3)];
  uint8_t der_room[HF_SIG_MAX];
  struct hf_buf content = hf_buf_init(content_room, sizeof content_room);
  struct hf_buf der = hf_buf_init(der_room, sizeof der_room);
  put_integer(&content, cose->sig.at);
  put_integer(&content, cose->sig.at + HALF);
  hf_der_put(&der, 0x30, hf_buf_bytes(&content));
  hf_sha256(digest, message);
  return der.failed ? HF_DENY : hf_p256_verify(key, digest, hf_buf_bytes(&der));
}

enum hf_verdict hf_cose_verify(const struct hf_cose *cose, const struct hf_pubkey *key, struct hf_bytes purpose,
                               struct hf_why *why)
{
  uint8_t room[HF_COSE_MAX + HF_COSE_PURPOSE_MAX];
  struct hf_buf message = hf_buf_init(room, sizeof room);
  enum hf_verdict verdict = HF_DENY;
  if (cose->type != key->type || cose->sig.len != SIG_LEN) {
    hf_why_put(why, HF_RULE_FACTORY_ALGORITHM, 0);
    return HF_DENY;
  }
  put_signed(&message, cose->type, purpose, cose->payload);
  if (!message.failed && cose->type == HF_KEY_P256) {
    verdict = verify_p256(cose, key, hf_buf_bytes(&message));
  } else if (!message.failed && cose->type == HF_KEY_ED25519) {
    verdict = hf_ed25519_verify(key, hf_buf_bytes(&message), cose->sig);
  }
  if (verdict != HF_ALLOW) {
    hf_why_put(why, HF_RULE_FACTORY_SIGNATURE, 0);
  }
  return verdict;
}

enum hf_err hf_cose_encode(struct hf_buf *out, struct hf_bytes payload, struct hf_bytes purpose,
                           struct hf_cose_signer signer)
{
  uint8_t room[HF_COSE_MAX + HF_COSE_PURPOSE_MAX];
  uint8_t sig_room[HF_SIG_MAX];
  uint8_t raw[SIG_LEN];
  struct hf_buf message = hf_buf_init(room, sizeof room);
  struct hf_buf sig = hf_buf_init(sig_room, sizeof sig_room);
  if (signer.type != HF_KEY_P256 && signer.type != HF_KEY_ED25519) {
    return HF_E_INPUT;
  }
  put_signed(&message, signer.type, purpose, payload);
  if (message.failed || payload.len > HF_COSE_PAYLOAD_MAX) {
    return HF_E_SPACE;
  }
  enum hf_err err = signer.sign(signer.ctx, &sig, hf_buf_bytes(&message));
  if (err != HF_OK) {
    return err;
  }
  if (signer.type == HF_KEY_P256) {
    err = hf_der_get_ecdsa(raw, raw + HALF, HALF, hf_buf_bytes(&sig));
  } else if (sig.len == SIG_LEN) {
    memcpy(raw, sig_room, SIG_LEN);
  } else {
    err = HF_E_CRYPTO;
  }
  if (err != HF_OK) {
    return HF_E_CRYPTO;
  }
  hf_cbor_put_array(out, 4);
  hf_cbor_put_bytes(out, header_of(signer.type));
  hf_cbor_put_map(out, 0);
  hf_cbor_put_bytes(out, payload);
  hf_cbor_put_bytes(out, hf_bytes_init(raw, sizeof raw));
  return out->failed ? HF_E_SPACE : HF_OK;
}
