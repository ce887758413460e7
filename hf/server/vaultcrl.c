/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/vaultcrl.h"

#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/fleet/crl.h"

#define DAY 86400
/* The engine's idea of now and the vault's are of one machine; its clock may be set in between. */
#define NOW_SLACK_S DAY

static struct hf_bytes key_id_of(const struct hf_vaultca *ca)
{
  const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(ca->certificate);
  return id == NULL ? hf_bytes_init(NULL, 0) : hf_bytes_init(ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
}

static struct hf_bytes name_of(const struct hf_vaultca *ca)
{
  const unsigned char *at = NULL;
  size_t len = 0;
  return X509_NAME_get0_der(X509_get_subject_name(ca->certificate), &at, &len) == 1 ? hf_bytes_init(at, len)
                                                                                    : hf_bytes_init(NULL, 0);
}

static const char *judge(const struct hf_vaultca *ca, const struct hf_msg *request, int64_t now)
{
  if (request->crl.this_update < now - NOW_SLACK_S || request->crl.this_update > now + NOW_SLACK_S) {
    return "a list that is not of now";
  }
  if (request->crl.next_update <= request->crl.this_update ||
      request->crl.next_update > now + (int64_t)HF_VAULTCRL_DAYS_MAX * DAY) {
    return "a list that ends before it begins or too far ahead";
  }
  if (request->crl.number <= ca->crl_number) {
    return "the number of the list does not rise";
  }
  return hf_crl_check(request->crl.entries, request->crl.this_update) == HF_OK ? NULL : "entries of a wrong shape";
}

static const char *sign(struct hf_buf *sig, struct hf_vaultcrl *made, const struct hf_vaultca *ca,
                        const struct hf_crl *crl)
{
  size_t cap = hf_crl_room(crl->entries.len);
  uint8_t *room = malloc(cap);
  if (room == NULL) {
    return "no memory for the list";
  }
  struct hf_buf tbs = hf_buf_init(room, cap);
  const char *reason = hf_crl_put_tbs(&tbs, crl) == HF_OK ? NULL : "the list cannot be built";
  if (reason == NULL && hf_key_sign(sig, ca->key, hf_buf_bytes(&tbs)) != HF_OK) {
    reason = "the key does not sign";
  }
  hf_sha256(made->sha256, hf_buf_bytes(&tbs));
  free(room);
  return reason;
}

const char *hf_vaultcrl_sign(struct hf_buf *sig, struct hf_vaultcrl *made, struct hf_vaultca *ca,
                             const struct hf_msg *request, int64_t now)
{
  const char *reason = judge(ca, request, now);
  if (reason != NULL) {
    return reason;
  }
  const struct hf_crl crl = {.issuer = name_of(ca),
                             .key_id = key_id_of(ca),
                             .number = request->crl.number,
                             .this_update = request->crl.this_update,
                             .next_update = request->crl.next_update,
                             .entries = request->crl.entries};
  reason = sign(sig, made, ca, &crl);
  if (reason == NULL) {
    ca->crl_number = crl.number;
    (void)snprintf(made->subject, sizeof made->subject, "ca %u, number %llu, %zu revoked", (unsigned)request->crl.ca,
                   (unsigned long long)crl.number, crl.entries.len / HF_CRL_ENTRY_LEN);
  }
  return reason;
}

static void part_put(struct hf_buf *out, struct hf_bytes part)
{
  hf_buf_put_be16(out, (uint16_t)part.len);
  hf_buf_put(out, part);
}

enum hf_err hf_vaultcrl_describe(struct hf_buf *out, uint64_t *not_after, const struct hf_vaultca *ca)
{
  uint8_t sha256[HF_SHA256_LEN];
  unsigned len = 0;
  int days = 0;
  int rest = 0;
  struct hf_bytes name = name_of(ca);
  struct hf_bytes key_id = key_id_of(ca);
  ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
  bool good = epoch != NULL && name.len > 0 && name.len <= HF_CRL_NAME_MAX && key_id.len > 0 &&
              key_id.len <= HF_CRL_KEY_ID_MAX && X509_digest(ca->certificate, EVP_sha256(), sha256, &len) == 1 &&
              ASN1_TIME_diff(&days, &rest, epoch, X509_get0_notAfter(ca->certificate)) == 1;
  ASN1_TIME_free(epoch);
  if (!good) {
    return HF_E_CRYPTO;
  }
  *not_after = (uint64_t)((int64_t)days * DAY + rest);
  hf_buf_put(out, hf_bytes_init(sha256, sizeof sha256));
  part_put(out, name);
  part_put(out, key_id);
  return out->failed ? HF_E_SPACE : HF_OK;
}
