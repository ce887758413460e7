/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/device/keystore.h"

#include <string.h>

#include "hf/device/record.h"

/* Boot records have key 1; the number keeps one from being read as the other. */
#define KEY 2

static struct hf_run half_open(const struct hf_area *area, int half)
{
  uint32_t size = area->size / 2 / area->sector * area->sector;
  return hf_record_open(area, half == 0 ? 0 : size, size);
}

/* The record of one half, if there is one. It says its version itself, so its sequence number needs no belief. */
static enum hf_err half_read(struct hf_buf *file, const struct hf_area *area, int half)
{
  struct hf_run run = half_open(area, half);
  struct hf_record rec;
  enum hf_err err = hf_record_next(&rec, &run);
  if (err != HF_OK) {
    return err;
  }
  if (rec.kind != HF_RECORD_VALUE || rec.key != KEY || rec.len > file->cap) {
    return HF_E_NOT_FOUND;
  }
  err = hf_record_get(file->at, area, &rec);
  file->len = err == HF_OK ? rec.len : 0;
  return err == HF_E_INPUT ? HF_E_NOT_FOUND : err; /* torn or rotten: as if it were not there */
}

/* 0: no set in this half that verifies. */
static uint32_t half_version(struct hf_keyset *set, uint8_t room[HF_KEYSET_MAX], int half,
                             const struct hf_keystore *store, enum hf_err *err, struct hf_why *why)
{
  struct hf_buf file = hf_buf_init(room, HF_KEYSET_MAX);
  enum hf_err read = half_read(&file, store->area, half);
  if (read != HF_OK) {
    *err = read == HF_E_NOT_FOUND ? *err : read;
    return 0;
  }
  if (hf_keyset_verify(set, hf_buf_bytes(&file), store->owners, store->product, store->version_min, why) != HF_ALLOW) {
    *err = HF_E_DENIED;
    return 0;
  }
  return set->version;
}

enum hf_err hf_keystore_get(struct hf_keyset *set, uint8_t room[HF_KEYSET_MAX], uint8_t *half,
                            const struct hf_keystore *store, struct hf_why *why)
{
  struct hf_why why_half = {0}; /* hf_why_put keeps the first; here the last refusal counts */
  enum hf_err err = hf_area_check(store->area, 2);
  if (err != HF_OK) {
    return err;
  }
  err = HF_E_NOT_FOUND;
  uint32_t first = half_version(set, room, 0, store, &err, &why_half);
  uint32_t found = half_version(set, room, 1, store, &err, &why_half);
  uint8_t newest = found >= first ? 1 : 0;
  if (newest == 0) { /* `set` and `room` hold the other half's by now */
    found = half_version(set, room, 0, store, &err, &why_half);
  }
  if (why != NULL) {
    *why = why_half;
  }
  if (half != NULL) {
    *half = newest;
  }
  return found > 0 ? HF_OK : err;
}

/* Erased first, always: a half that looks erased may be one whose erasing was cut. */
static enum hf_err half_write(const struct hf_area *area, int half, struct hf_bytes file, uint32_t version)
{
  struct hf_run run = half_open(area, half);
  struct hf_record rec = {.kind = HF_RECORD_VALUE, .key = KEY, .len = (uint16_t)file.len, .seq = version};
  enum hf_err err = hf_record_clear(&run, 0);
  if (err == HF_OK) {
    err = hf_record_put(&run, &rec, file.at);
  }
  return err == HF_E_FULL ? HF_E_INPUT : err;
}

enum hf_err hf_keystore_put(const struct hf_keystore *store, struct hf_bytes file, uint8_t room[HF_KEYSET_MAX],
                            struct hf_why *why)
{
  struct hf_keyset kept;
  uint8_t half = 1;
  enum hf_err err = hf_keystore_get(&kept, room, &half, store, NULL);
  if (err != HF_OK && err != HF_E_NOT_FOUND && err != HF_E_DENIED) {
    return err;
  }
  uint32_t version_min = store->version_min;
  if (err == HF_OK) {
    struct hf_bytes present = {kept.body.at, kept.body.len + 1 + kept.signatures.len};
    if (hf_bytes_equal(present, file)) {
      return HF_OK;
    }
    if (kept.version == UINT32_MAX) {
      hf_why_put(why, HF_RULE_KEYSET_OLD, 8);
      return HF_E_DENIED;
    }
    version_min = kept.version + 1;
  }
  struct hf_keyset set;
  if (hf_keyset_verify(&set, file, store->owners, store->product, version_min, why) != HF_ALLOW) {
    return HF_E_DENIED;
  }
  return half_write(store->area, half == 0 ? 1 : 0, file, set.version);
}

void hf_keystore_load(struct hf_keychain *chain, const struct hf_keystore *store, const struct hf_image_keys *compiled)
{
  memset(chain, 0, sizeof *chain);
  chain->keys = *compiled;
  if (store == NULL) {
    return;
  }
  if (hf_keystore_get(&chain->set, chain->room, NULL, store, &chain->why) == HF_OK) {
    chain->keys = hf_keyset_keys(&chain->set);
    chain->version = chain->set.version;
  } else if (store->version_min > 0) {
    chain->keys.count = 0;
    chain->why = (struct hf_why){.rule = HF_RULE_KEYSET_LOST};
  }
}
