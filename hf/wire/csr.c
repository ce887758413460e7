/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/csr.h"

#include "hf/base/assert.h"
#include "hf/codec/der.h"
#include "hf/wire/names.h"
#include "hf/wire/pubkey.h"

enum {
  DER_INTEGER = 0x02,
  DER_BIT_STRING = 0x03,
  DER_OID = 0x06,
  DER_UTF8_STRING = 0x0c,
  DER_PRINTABLE_STRING = 0x13,
  DER_SEQUENCE = 0x30,
  DER_SET = 0x31,
  DER_ATTRIBUTES = 0xa0 /* [0] IMPLICIT, RFC 2986 section 4.1 */
};

/** One RelativeDistinguishedName: a name of 64 bytes and 13 around it. */
#define RDN_MAX 80
/** Four of them. */
#define SUBJECT_MAX (4 * RDN_MAX)
/** Subject, key and 12 bytes around them. */
#define INFO_MAX (SUBJECT_MAX + HF_SPKI_MAX + 16)

/* X.520 attribute types, id-at = 2.5.4. */
static const struct hf_bytes oid_cn = HF_LIT("\x55\x04\x03");
static const struct hf_bytes oid_serial_number = HF_LIT("\x55\x04\x05");
static const struct hf_bytes oid_ou = HF_LIT("\x55\x04\x0b");
static const struct hf_bytes oid_description = HF_LIT("\x55\x04\x0d");
/* ecdsa-with-SHA256, RFC 5758 section 3.2: no parameters. */
static const struct hf_bytes oid_ecdsa_sha256 = HF_LIT("\x2a\x86\x48\xce\x3d\x04\x03\x02");

static void put_rdn(struct hf_buf *out, struct hf_bytes oid, uint8_t tag, struct hf_bytes value)
{
  uint8_t pair_room[RDN_MAX];
  uint8_t set_room[RDN_MAX];
  struct hf_buf pair = hf_buf_init(pair_room, sizeof pair_room);
  struct hf_buf set = hf_buf_init(set_room, sizeof set_room);
  hf_der_put(&pair, DER_OID, oid);
  hf_der_put(&pair, tag, value);
  hf_der_put(&set, DER_SEQUENCE, hf_buf_bytes(&pair));
  hf_der_put(out, DER_SET, hf_buf_bytes(&set));
  out->failed = out->failed || pair.failed || set.failed;
}

/* RFC 5280 wants a PrintableString, which has no underscore; ids that need one go as UTF8String, which every reader of
 * certificates takes. */
static uint8_t serial_number_tag(struct hf_bytes device)
{
  for (size_t i = 0; i < device.len; i++) {
    if (device.at[i] == '_') {
      return DER_UTF8_STRING;
    }
  }
  return DER_PRINTABLE_STRING;
}

/* CertificationRequestInfo, RFC 2986 section 4.1. */
static void put_info(struct hf_buf *out, const struct hf_csr_subject *subject, const struct hf_pubkey *pub)
{
  uint8_t names_room[SUBJECT_MAX];
  uint8_t inside_room[INFO_MAX];
  struct hf_buf names = hf_buf_init(names_room, sizeof names_room);
  struct hf_buf inside = hf_buf_init(inside_room, sizeof inside_room);
  put_rdn(&names, oid_ou, DER_UTF8_STRING, subject->product);
  put_rdn(&names, oid_description, DER_UTF8_STRING, subject->hardware);
  put_rdn(&names, oid_cn, DER_UTF8_STRING, subject->device);
  put_rdn(&names, oid_serial_number, serial_number_tag(subject->device), subject->device);
  hf_der_put(&inside, DER_INTEGER, HF_LIT("\0")); /* version 1 */
  hf_der_put(&inside, DER_SEQUENCE, hf_buf_bytes(&names));
  hf_pubkey_put_spki(&inside, pub);
  hf_der_put(&inside, DER_ATTRIBUTES, HF_LIT(""));
  hf_der_put(out, DER_SEQUENCE, hf_buf_bytes(&inside));
  out->failed = out->failed || names.failed || inside.failed;
}

static void put_signature(struct hf_buf *out, struct hf_bytes sig)
{
  uint8_t oid_room[16];
  uint8_t bits_room[HF_SIG_MAX + 1];
  struct hf_buf oid = hf_buf_init(oid_room, sizeof oid_room);
  struct hf_buf bits = hf_buf_init(bits_room, sizeof bits_room);
  hf_der_put(&oid, DER_OID, oid_ecdsa_sha256);
  hf_der_put(out, DER_SEQUENCE, hf_buf_bytes(&oid));
  hf_buf_put_u8(&bits, 0); /* no unused bits */
  hf_buf_put(&bits, sig);
  hf_der_put(out, DER_BIT_STRING, hf_buf_bytes(&bits));
}

static enum hf_err check_arguments(const struct hf_csr_subject *subject, const struct hf_pubkey *pub)
{
  bool names = hf_names_check_device(subject->device) && hf_names_check_product(subject->product) &&
               hf_names_check_hardware(subject->hardware);
  return names && pub->type == HF_KEY_P256 && pub->len == HF_P256_PUBLIC_LEN ? HF_OK : HF_E_INPUT;
}

enum hf_err hf_csr_encode(struct hf_buf *out, const struct hf_csr_subject *subject, const struct hf_pubkey *pub,
                          struct hf_csr_signer signer)
{
  uint8_t room[HF_CSR_MAX];
  uint8_t sig_room[HF_SIG_MAX];
  uint8_t digest[HF_SHA256_LEN];
  struct hf_buf inside = hf_buf_init(room, sizeof room);
  struct hf_buf sig = hf_buf_init(sig_room, sizeof sig_room);
  enum hf_err err = check_arguments(subject, pub);
  if (err != HF_OK) {
    return err;
  }
  put_info(&inside, subject, pub);
  hf_sha256(digest, hf_buf_bytes(&inside));
  err = signer.sign(signer.ctx, &sig, digest);
  if (err != HF_OK) {
    return err;
  }
  put_signature(&inside, hf_buf_bytes(&sig));
  HF_ASSERT(!inside.failed); /* the names were checked, so the maxima above hold */
  size_t before = out->len;
  hf_der_put(out, DER_SEQUENCE, hf_buf_bytes(&inside));
  if (out->failed || sig.failed) {
    out->len = before;
    return HF_E_SPACE;
  }
  return HF_OK;
}
