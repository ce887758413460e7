/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/fleet/audit.h"

#include "hf/codec/cbor.h"

/* First member of an encoded entry, so that a later form can be told apart. */
#define FORMAT 1

struct hf_audit_chain hf_audit_chain_init(void) { return (struct hf_audit_chain){.number = 0}; }

enum hf_err hf_audit_encode(struct hf_buf *out, const struct hf_audit_entry *entry)
{
  const struct hf_bytes text[] = {entry->who, entry->address, entry->action, entry->subject, entry->detail};
  hf_cbor_put_array(out, 3 + sizeof text / sizeof *text);
  hf_cbor_put_uint(out, FORMAT);
  hf_cbor_put_uint(out, entry->number);
  hf_cbor_put_int(out, entry->time);
  for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
    if (text[i].len > HF_AUDIT_TEXT_MAX) {
      return HF_E_SPACE;
    }
    hf_cbor_put_text(out, text[i]);
  }
  return out->failed ? HF_E_SPACE : HF_OK;
}

static enum hf_err hash_next(uint8_t out[HF_SHA256_LEN], const struct hf_audit_chain *chain,
                             const struct hf_audit_entry *entry)
{
  uint8_t room[HF_AUDIT_ENTRY_MAX];
  struct hf_buf bytes = hf_buf_init(room, sizeof room);
  struct hf_sha256 hash;
  if (entry->number != chain->number + 1) {
    return HF_E_STATE;
  }
  enum hf_err err = hf_audit_encode(&bytes, entry);
  if (err != HF_OK) {
    return err;
  }
  hf_sha256_init(&hash);
  hf_sha256_put(&hash, hf_bytes_init(chain->hash, sizeof chain->hash));
  hf_sha256_put(&hash, hf_buf_bytes(&bytes));
  hf_sha256_get(&hash, out);
  return HF_OK;
}

static void chain_move(struct hf_audit_chain *chain, const uint8_t hash[HF_SHA256_LEN])
{
  chain->number++;
  for (size_t i = 0; i < HF_SHA256_LEN; i++) {
    chain->hash[i] = hash[i];
  }
}

enum hf_err hf_audit_put(struct hf_audit_chain *chain, const struct hf_audit_entry *entry)
{
  uint8_t next[HF_SHA256_LEN];
  enum hf_err err = hash_next(next, chain, entry);
  if (err == HF_OK) {
    chain_move(chain, next);
  }
  return err;
}

enum hf_verdict hf_audit_verify(struct hf_audit_chain *chain, const struct hf_audit_entry *entry,
                                const uint8_t hash[HF_SHA256_LEN])
{
  uint8_t next[HF_SHA256_LEN];
  if (hash_next(next, chain, entry) != HF_OK || !hf_secret_equal(next, hash, HF_SHA256_LEN)) {
    return HF_DENY;
  }
  chain_move(chain, next);
  return HF_ALLOW;
}
