/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/device/timekey.h"

#include <string.h>

#include "hf/wire/uptane.h"

#define ASK_AGAIN_MS (UINT64_C(86400) * 1000)

static void key_get(struct hf_pubkey *key, const struct hf_store *store)
{
  uint8_t room[HF_P256_PUBLIC_LEN];
  struct hf_buf record = hf_buf_init(room, sizeof room);
  *key = (struct hf_pubkey){.type = HF_KEY_NONE};
  if (hf_store_get(&record, store, HF_STORE_TIME_KEY) == HF_OK && record.len == sizeof room) {
    *key = (struct hf_pubkey){.type = HF_KEY_P256, .len = HF_P256_PUBLIC_LEN};
    memcpy(key->at, room, sizeof room);
  }
}

void hf_timekey_open(struct hf_timekey *timekey, const struct hf_store *store) { key_get(&timekey->key, store); }

enum hf_err hf_timekey_put(struct hf_store *store, struct hf_clock *clock, const struct hf_tuf_file *targets)
{
  struct hf_pubkey named, kept;
  bool has = hf_uptane_time_key(&named, targets);
  key_get(&kept, store);
  if (!has) {
    return kept.type == HF_KEY_NONE ? HF_OK : hf_store_delete(store, HF_STORE_TIME_KEY);
  }
  if (kept.type != HF_KEY_NONE && memcmp(kept.at, named.at, sizeof kept.at) == 0) {
    return HF_OK;
  }
  /* The clock first: a power cut in between finds the old key and does both again. */
  enum hf_err err = kept.type != HF_KEY_NONE ? hf_clock_reset(clock, store) : HF_OK;
  return err == HF_OK ? hf_store_put(store, HF_STORE_TIME_KEY, hf_bytes_init(named.at, named.len)) : err;
}

struct hf_bytes hf_timekey_ask(struct hf_timekey *timekey)
{
  bool recent = timekey->answered && hf_port_uptime_ms() - timekey->answered_ms < ASK_AGAIN_MS;
  timekey->asked =
      timekey->key.type != HF_KEY_NONE && !recent && hf_random(timekey->nonce, sizeof timekey->nonce) == HF_OK;
  return timekey->asked ? hf_bytes_init(timekey->nonce, sizeof timekey->nonce) : (struct hf_bytes){NULL, 0};
}

uint16_t hf_timekey_judge(struct hf_timekey *timekey, const struct hf_timesig *timesig, struct hf_bytes nonces)
{
  struct hf_bytes nonce = hf_bytes_init(timekey->nonce, sizeof timekey->nonce);
  timekey->asked = false; /* one question, one answer */
  if (timesig->sig.len == 0) {
    return HF_RULE_TIME_WITHHELD;
  }
  if (hf_timesig_verify(timesig, &timekey->key, nonces.len > 0 ? nonces : nonce, nonce, NULL) != HF_ALLOW) {
    return HF_RULE_TIME_SIGNATURE;
  }
  timekey->answered = true;
  timekey->answered_ms = hf_port_uptime_ms();
  return HF_RULE_NONE;
}
