/* SPDX-License-Identifier: Apache-2.0
 * A key that is read has one SubjectPublicKeyInfo, and comes back from PEM; points that are no points verify nothing.
 */
#include <string.h>

#include "hf/base/assert.h"
#include "hf/wire/pubkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_key(const struct hf_pubkey *pub)
{
  struct hf_pubkey again;
  uint8_t room[HF_PUBKEY_PEM_MAX];
  uint8_t id[HF_SHA256_LEN];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  hf_pubkey_put_pem(&pem, pub);
  HF_ASSERT(!pem.failed && hf_pubkey_parse_pem(&again, hf_buf_bytes(&pem)) == HF_OK);
  HF_ASSERT(hf_pubkey_equal(pub, &again));
  hf_pubkey_tuf_id(id, pub);
  /* r = s = 1 over a digest the key never saw. */
  HF_ASSERT(hf_p256_verify(pub, id, HF_LIT("\x30\x06\x02\x01\x01\x02\x01\x01")) == HF_DENY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_bytes bytes = {data, size};
  struct hf_pubkey pub;
  if (hf_pubkey_parse_spki(&pub, bytes) == HF_OK) {
    uint8_t room[HF_SPKI_MAX];
    struct hf_buf der = hf_buf_init(room, sizeof room);
    hf_pubkey_put_spki(&der, &pub);
    HF_ASSERT(hf_bytes_equal(hf_buf_bytes(&der), bytes));
    check_key(&pub);
  }
  if (hf_pubkey_parse_pem(&pub, bytes) == HF_OK) {
    check_key(&pub);
  }
  return 0;
}
