/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/pubkey.h"

#include <string.h>

#include "hf/base/assert.h"
#include "hf/codec/json.h"
#include "hf/codec/text.h"

#define PEM_BEGIN "-----BEGIN PUBLIC KEY-----"
#define PEM_END "-----END PUBLIC KEY-----"
#define PEM_LINE 64
/** Base64 of HF_SPKI_MAX. */
#define SPKI_BASE64_MAX ((HF_SPKI_MAX + 2) / 3 * 4)
/** Canonical TUF key object of a P-256 key: PEM and 96 bytes around it. */
#define TUF_KEY_MAX 320

/* All of a SubjectPublicKeyInfo before the key itself; DER leaves no other spelling. */
struct spki {
  enum hf_key_type type;
  uint8_t key_len;
  struct hf_bytes prefix;
};

static const struct spki spkis[] = {
    /* RFC 5480: SEQUENCE { SEQUENCE { id-ecPublicKey, secp256r1 }, BIT STRING 65 bytes } */
    {HF_KEY_P256, HF_P256_PUBLIC_LEN,
     HF_LIT(
         "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00")},
    /* RFC 8410: SEQUENCE { SEQUENCE { id-Ed25519 }, BIT STRING 32 bytes } */
    {HF_KEY_ED25519, HF_ED25519_PUBLIC_LEN, HF_LIT("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00")},
};

void hf_pubkey_put_spki(struct hf_buf *out, const struct hf_pubkey *pub)
{
  HF_ASSERT(pub->type == HF_KEY_P256 || pub->type == HF_KEY_ED25519);
  const struct spki *spki = &spkis[pub->type == HF_KEY_P256 ? 0 : 1];
  hf_buf_put(out, spki->prefix);
  hf_buf_put(out, hf_bytes_init(pub->at, spki->key_len));
}

enum hf_err hf_pubkey_parse_spki(struct hf_pubkey *pub, struct hf_bytes der)
{
  *pub = (struct hf_pubkey){0};
  for (size_t i = 0; i < sizeof spkis / sizeof spkis[0]; i++) {
    const struct spki *spki = &spkis[i];
    struct hf_cursor cur = hf_cursor_init(der);
    bool same = hf_bytes_equal(hf_cursor_take(&cur, spki->prefix.len), spki->prefix);
    struct hf_bytes key = hf_cursor_take(&cur, spki->key_len);
    if (!same || !hf_cursor_done(&cur)) {
      continue;
    }
    if (spki->type == HF_KEY_P256 && key.at[0] != 0x04) {
      return HF_E_INPUT; /* compressed points are another spelling of the same key */
    }
    pub->type = spki->type;
    pub->len = spki->key_len;
    memcpy(pub->at, key.at, key.len);
    return HF_OK;
  }
  return HF_E_INPUT;
}

void hf_pubkey_put_pem(struct hf_buf *out, const struct hf_pubkey *pub)
{
  uint8_t der_room[HF_SPKI_MAX];
  uint8_t text[SPKI_BASE64_MAX];
  struct hf_buf der = hf_buf_init(der_room, sizeof der_room);
  struct hf_buf base64 = hf_buf_init(text, sizeof text);
  hf_pubkey_put_spki(&der, pub);
  hf_base64_put(&base64, hf_buf_bytes(&der));
  hf_buf_put_text(out, PEM_BEGIN "\n");
  for (size_t at = 0; at < base64.len; at += PEM_LINE) {
    size_t len = base64.len - at < PEM_LINE ? base64.len - at : PEM_LINE;
    hf_buf_put(out, hf_bytes_init(text + at, len));
    hf_buf_put_u8(out, '\n');
  }
  hf_buf_put_text(out, PEM_END "\n");
}

static bool is_space(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static struct hf_bytes trim(struct hf_bytes text)
{
  while (text.len > 0 && is_space(text.at[0])) {
    text.at++;
    text.len--;
  }
  while (text.len > 0 && is_space(text.at[text.len - 1])) {
    text.len--;
  }
  return text;
}

enum hf_err hf_pubkey_parse_pem(struct hf_pubkey *pub, struct hf_bytes pem)
{
  *pub = (struct hf_pubkey){0};
  const struct hf_bytes begin = HF_LIT(PEM_BEGIN);
  const struct hf_bytes end = HF_LIT(PEM_END);
  struct hf_bytes text = trim(pem);
  if (text.len < begin.len + end.len) {
    return HF_E_INPUT;
  }
  struct hf_bytes head = {text.at, begin.len};
  struct hf_bytes body = {text.at + begin.len, text.len - begin.len - end.len};
  struct hf_bytes tail = {text.at + text.len - end.len, end.len};
  if (!hf_bytes_equal(head, begin) || !hf_bytes_equal(tail, end)) {
    return HF_E_INPUT;
  }
  uint8_t room[HF_SPKI_MAX];
  struct hf_buf der = hf_buf_init(room, sizeof room);
  if (hf_base64_parse(&der, body) != HF_OK) {
    return HF_E_INPUT;
  }
  return hf_pubkey_parse_spki(pub, hf_buf_bytes(&der));
}

bool hf_pubkey_equal(const struct hf_pubkey *a, const struct hf_pubkey *b)
{
  return a->type == b->type && a->len == b->len && a->len <= HF_PUBKEY_MAX && memcmp(a->at, b->at, a->len) == 0;
}

void hf_pubkey_hash(uint8_t out[HF_SHA256_LEN], const struct hf_pubkey *pub)
{
  uint8_t room[HF_SPKI_MAX];
  struct hf_buf der = hf_buf_init(room, sizeof room);
  hf_pubkey_put_spki(&der, pub);
  hf_sha256(out, hf_buf_bytes(&der));
}

/* The key object around its public value, which differs between JSON (escaped newlines) and the canonical form (raw).
 */
static void put_tuf(struct hf_buf *out, const struct hf_pubkey *pub, bool canonical)
{
  if (pub->type == HF_KEY_ED25519) {
    hf_buf_put_text(out, "{\"keytype\":\"ed25519\",\"keyval\":{\"public\":");
    hf_json_put_hex(out, hf_bytes_init(pub->at, pub->len));
    hf_buf_put_text(out, "},\"scheme\":\"ed25519\"}");
    return;
  }
  hf_buf_put_text(out, "{\"keytype\":\"ecdsa\",\"keyval\":{\"public\":");
  if (canonical) {
    hf_buf_put_u8(out, '"');
    hf_pubkey_put_pem(out, pub);
    hf_buf_put_u8(out, '"');
  } else {
    uint8_t room[HF_PUBKEY_PEM_MAX];
    struct hf_buf pem = hf_buf_init(room, sizeof room);
    hf_pubkey_put_pem(&pem, pub);
    hf_json_put_text(out, hf_buf_bytes(&pem));
  }
  hf_buf_put_text(out, "},\"scheme\":\"ecdsa-sha2-nistp256\"}");
}

void hf_pubkey_put_tuf(struct hf_buf *out, const struct hf_pubkey *pub) { put_tuf(out, pub, false); }

void hf_pubkey_tuf_id(uint8_t out[HF_SHA256_LEN], const struct hf_pubkey *pub)
{
  uint8_t room[TUF_KEY_MAX];
  struct hf_buf object = hf_buf_init(room, sizeof room);
  put_tuf(&object, pub, true);
  HF_ASSERT(!object.failed);
  hf_sha256(out, hf_buf_bytes(&object));
}
