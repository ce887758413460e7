/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/cert.h"

#include "hf/codec/der.h"
#include "hf/wire/pubkey.h"

#define SEQUENCE 0x30
#define SET 0x31

/* AlgorithmIdentifier content of ecdsa-with-SHA256 (RFC 5758 section 3.2). */
static const uint8_t ecdsa_sha256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

/* One element with its head, for what is hashed or parsed as a whole. */
static struct hf_bytes take_whole(struct hf_cursor *cur, uint8_t tag)
{
  const uint8_t *from = cur->rest.at;
  size_t before = cur->rest.len;
  (void)hf_der_take(cur, tag);
  return cur->failed ? hf_bytes_init(NULL, 0) : hf_bytes_init(from, before - cur->rest.len);
}

static void name_fail(struct hf_cursor *cur) { cur->failed = true; }

/* AttributeTypeAndValue: id-at is 2.5.4.x, 55 04 xx. */
static void take_attribute(struct hf_cert *cert, struct hf_cursor *set)
{
  struct hf_cursor pair = hf_cursor_init(hf_der_take(set, SEQUENCE));
  struct hf_bytes oid = hf_der_take(&pair, 0x06);
  bool utf8 = pair.rest.len > 0 && pair.rest.at[0] == 0x0c;
  struct hf_bytes text = hf_der_take(&pair, utf8 ? 0x0c : 0x13);
  struct hf_bytes *to = NULL;
  if (oid.len == 3 && oid.at[0] == 0x55 && oid.at[1] == 0x04) {
    to = oid.at[2] == 5 ? &cert->device : oid.at[2] == 11 ? &cert->product : oid.at[2] == 13 ? &cert->hardware : NULL;
  }
  if (!hf_cursor_done(&pair) || text.len == 0 || (to != NULL && to->len > 0)) {
    name_fail(set);
  } else if (to != NULL) {
    *to = text;
  }
}

static bool take_subject(struct hf_cert *cert, struct hf_bytes name)
{
  struct hf_cursor names = hf_cursor_init(name);
  while (names.rest.len > 0 && !names.failed) {
    struct hf_cursor set = hf_cursor_init(hf_der_take(&names, SET));
    take_attribute(cert, &set);
    if (!hf_cursor_done(&set)) {
      return false;
    }
  }
  return !names.failed;
}

static bool is_ecdsa(struct hf_bytes algorithm)
{
  return hf_bytes_equal(algorithm, hf_bytes_init(ecdsa_sha256, sizeof ecdsa_sha256));
}

/* TBSCertificate (RFC 5280 section 4.1); what follows the key is left to OpenSSL. */
static bool take_tbs(struct hf_cert *cert, struct hf_bytes content)
{
  struct hf_cursor tbs = hf_cursor_init(content);
  struct hf_cursor version = hf_cursor_init(hf_der_take(&tbs, 0xa0));
  struct hf_bytes number = hf_der_take(&version, 0x02);
  cert->serial = hf_der_take(&tbs, 0x02);
  bool algorithm = is_ecdsa(hf_der_take(&tbs, SEQUENCE));
  (void)hf_der_take(&tbs, SEQUENCE); /* issuer */
  (void)hf_der_take(&tbs, SEQUENCE); /* validity */
  struct hf_bytes subject = hf_der_take(&tbs, SEQUENCE);
  struct hf_bytes spki = take_whole(&tbs, SEQUENCE);
  return !tbs.failed && number.len == 1 && number.at[0] == 2 && cert->serial.len >= 1 && cert->serial.len <= 20 &&
         algorithm && take_subject(cert, subject) && hf_pubkey_parse_spki(&cert->key, spki) == HF_OK &&
         cert->key.type == HF_KEY_P256;
}

enum hf_err hf_cert_parse(struct hf_cert *cert, struct hf_bytes der)
{
  *cert = (struct hf_cert){.key = {.type = HF_KEY_NONE}};
  if (der.len > HF_CERT_MAX) {
    return HF_E_INPUT;
  }
  struct hf_cursor outer = hf_cursor_init(der);
  struct hf_cursor body = hf_cursor_init(hf_der_take(&outer, SEQUENCE));
  if (!hf_cursor_done(&outer)) {
    return HF_E_INPUT;
  }
  struct hf_cursor again = body;
  cert->tbs = take_whole(&body, SEQUENCE);
  bool algorithm = is_ecdsa(hf_der_take(&body, SEQUENCE));
  struct hf_cursor bits = hf_cursor_init(hf_der_take(&body, 0x03));
  bool whole = hf_cursor_u8(&bits) == 0; /* no unused bits */
  cert->sig = bits.rest;
  if (!hf_cursor_done(&body) || bits.failed || !whole || !algorithm || cert->sig.len > HF_SIG_MAX) {
    return HF_E_INPUT;
  }
  return take_tbs(cert, hf_der_take(&again, SEQUENCE)) ? HF_OK : HF_E_INPUT;
}

enum hf_verdict hf_cert_verify(const struct hf_cert *cert, const struct hf_pubkey *issuer)
{
  uint8_t digest[HF_SHA256_LEN];
  if (issuer->type != HF_KEY_P256) {
    return HF_DENY;
  }
  hf_sha256(digest, cert->tbs);
  return hf_p256_verify(issuer, digest, cert->sig);
}
