/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/device/keyupdate.h"

#include "hf/device/slot.h"

static enum hf_err take_piece(void *ctx, struct hf_bytes piece)
{
  struct hf_buf *file = ctx;
  hf_buf_put(file, piece);
  return file->failed ? HF_E_SPACE : HF_OK;
}

static enum hf_err fetch(struct hf_buf *file, const struct hf_keyupdate *update, uint32_t version)
{
  char room[HF_HTTP_PATH_MAX];
  struct hf_buf path = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&path, update->path == NULL ? "/repo/" : update->path);
  hf_buf_put_text(&path, "keysets/");
  hf_buf_put(&path, update->store->product);
  hf_buf_put_u8(&path, '.');
  hf_buf_put_uint(&path, version);
  hf_buf_put_text(&path, ".keyset");
  enum hf_err err = hf_buf_terminate(&path);
  if (err != HF_OK) {
    return HF_E_INPUT;
  }
  struct hf_http_request request = {.method = "GET", .path = room, .max_len = HF_KEYSET_MAX};
  struct hf_http_reply reply = {0};
  err = update->transport->ops->request(update->transport->ctx, &reply, &request, (struct hf_sink){take_piece, file});
  return err == HF_OK && reply.status != 200 ? HF_E_AGAIN : err;
}

/* Would everything that runs boot again? Its counter and hardware id were judged when it was staged. */
static enum hf_verdict running_verify(const struct hf_keyupdate *update, const struct hf_image_keys *keys)
{
  const struct hf_image_policy policy = {.counter_optional = true, .opened = true};
  enum hf_verdict verdict = HF_DENY;
  for (uint8_t i = 0; i < update->layout->images; i++) {
    if (update->running[i] >= HF_SLOTS) {
      continue;
    }
    struct hf_image_info info;
    struct hf_image_source source = hf_slot_source(&update->layout->slot[i][update->running[i]]);
    verdict = hf_image_verify(&info, &source, keys, &policy, NULL);
    if (verdict != HF_ALLOW) {
      return HF_DENY;
    }
  }
  return verdict;
}

enum hf_err hf_keyupdate_run(struct hf_keychain *chain, const struct hf_keyupdate *update, uint32_t version,
                             struct hf_buf work, struct hf_why *why)
{
  struct hf_keyset set;
  if (work.cap < 2 * (size_t)HF_KEYSET_MAX) {
    return HF_E_SPACE;
  }
  struct hf_buf file = hf_buf_init(work.at, HF_KEYSET_MAX);
  enum hf_err err = fetch(&file, update, version);
  if (err != HF_OK) {
    return err;
  }
  uint32_t newer = chain->version < UINT32_MAX ? chain->version + 1 : UINT32_MAX;
  if (hf_keyset_verify(&set, hf_buf_bytes(&file), update->store->owners, update->store->product, newer, why) !=
      HF_ALLOW) {
    return HF_E_DENIED;
  }
  struct hf_image_keys keys = hf_keyset_keys(&set);
  if (running_verify(update, &keys) != HF_ALLOW) {
    hf_why_put(why, HF_RULE_KEYSET_RUNNING, 0);
    return HF_E_DENIED;
  }
  err = hf_keystore_put(update->store, hf_buf_bytes(&file), work.at + HF_KEYSET_MAX, why);
  if (err == HF_OK) {
    hf_keystore_load(chain, update->store, update->compiled);
  } else if (err == HF_E_IO) {
    hf_why_put(why, HF_RULE_KEYSET_FLASH, 0);
  }
  return err;
}
