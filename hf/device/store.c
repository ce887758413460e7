/* SPDX-License-Identifier: Apache-2.0
 * The store: two banks, an index in RAM, compaction that commits with the bank's head.
 */
#include "hf/device/store.h"

#include <string.h>

/* Bank heads carry the format as their key. */
enum { FORMAT = 1 };

static uint32_t bank_size(const struct hf_area *area) { return area->size / area->sector / 2 * area->sector; }

/* Place of a key in the index; `count` when it is not there. */
static uint16_t index_find(const struct hf_store *store, uint16_t key)
{
  uint16_t i = 0;
  while (i < store->count && store->index[i].key != key) {
    i++;
  }
  return i;
}

static enum hf_err index_put(struct hf_store *store, const struct hf_record *rec)
{
  uint16_t i = index_find(store, rec->key);
  if (rec->kind != HF_RECORD_VALUE) {
    if (i < store->count) {
      store->index[i] = store->index[--store->count];
    }
    return HF_OK;
  }
  if (i == HF_STORE_KEYS_MAX) {
    return HF_E_SPACE;
  }
  if (i == store->count) {
    store->count++;
  }
  store->index[i] = (struct hf_store_entry){.at = rec->at, .key = rec->key, .len = rec->len};
  return HF_OK;
}

/* The head of a bank: HF_OK and its generation, or HF_E_NOT_FOUND. */
static enum hf_err bank_open(struct hf_run *run, uint32_t *generation, const struct hf_area *area, uint32_t start)
{
  *run = hf_record_open(area, start, bank_size(area));
  struct hf_record head;
  enum hf_err err = hf_record_next(&head, run);
  if (err != HF_OK) {
    return err;
  }
  if (head.kind != HF_RECORD_BANK || head.at != start) {
    return HF_E_NOT_FOUND;
  }
  *generation = head.seq;
  return head.key == FORMAT ? HF_OK : HF_E_VERSION;
}

enum hf_err hf_store_open(struct hf_store *store, const struct hf_area *area)
{
  *store = (struct hf_store){.area = area};
  enum hf_err err = hf_area_check(area, 2);
  if (err != HF_OK) {
    return err;
  }
  for (uint32_t start = 0; start <= bank_size(area); start += bank_size(area)) {
    struct hf_run run;
    uint32_t generation = 0;
    err = bank_open(&run, &generation, area, start);
    if (err == HF_OK && generation > store->generation) {
      store->bank = run;
      store->generation = generation;
    } else if (err != HF_OK && err != HF_E_NOT_FOUND) {
      return err;
    }
  }
  if (store->bank.size == 0) {
    return HF_OK;
  }
  struct hf_record rec;
  while ((err = hf_record_next(&rec, &store->bank)) == HF_OK) {
    store->seq = rec.seq;
    err = index_put(store, &rec);
    if (err != HF_OK) {
      return err;
    }
  }
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

static enum hf_err value_read(void *out, const struct hf_store *store, const struct hf_store_entry *entry)
{
  struct hf_record rec = {.at = entry->at, .key = entry->key, .len = entry->len};
  return hf_record_get(out, store->area, &rec) == HF_OK ? HF_OK : HF_E_IO;
}

enum hf_err hf_store_get(struct hf_buf *out, const struct hf_store *store, uint16_t key)
{
  uint16_t i = index_find(store, key);
  if (i == store->count) {
    return HF_E_NOT_FOUND;
  }
  const struct hf_store_entry *entry = &store->index[i];
  if (out->failed || entry->len > out->cap - out->len) {
    return HF_E_SPACE;
  }
  enum hf_err err = value_read(out->at + out->len, store, entry);
  out->len += err == HF_OK ? entry->len : 0;
  return err;
}

/* Does flash hold exactly this? Then a put costs nothing. */
static bool same(const struct hf_store *store, const struct hf_store_entry *entry, struct hf_bytes value)
{
  uint8_t chunk[64];
  if (entry->len != value.len || value_read(NULL, store, entry) != HF_OK) {
    return false;
  }
  for (uint32_t done = 0; done < entry->len;) {
    uint32_t len = entry->len - done < sizeof chunk ? entry->len - done : (uint32_t)sizeof chunk;
    if (hf_area_read(store->area, entry->at + HF_RECORD_HEAD + done, chunk, len) != HF_OK ||
        memcmp(chunk, value.at + done, len) != 0) {
      return false;
    }
    done += len;
  }
  return true;
}

/* Room the bank needs for every value but `rec`'s old one, and for `rec`. */
static uint32_t live_room(const struct hf_store *store, const struct hf_record *rec)
{
  uint32_t room = HF_RECORD_HEAD;
  for (uint16_t i = 0; i < store->count; i++) {
    room += store->index[i].key == rec->key ? 0 : hf_record_room(store->area, store->index[i].len);
  }
  return room + (rec->kind == HF_RECORD_VALUE ? hf_record_room(store->area, rec->len) : 0);
}

/* Copy every value but the one of `rec` into the other bank, then `rec`, then the head that makes it count. */
static enum hf_err compact(struct hf_store *store, struct hf_record *rec, const void *value)
{
  if (store->generation == UINT32_MAX) {
    return HF_E_FULL; /* no flash lives that long: somebody else wrote this bank */
  }
  uint32_t size = bank_size(store->area);
  struct hf_store next = {.area = store->area, .generation = store->generation + 1, .seq = store->seq};
  next.bank = hf_record_open(store->area, store->bank.size != 0 && store->bank.start == 0 ? size : 0, size);
  enum hf_err err = hf_record_clear(&next.bank, HF_RECORD_HEAD);
  for (uint16_t i = 0; err == HF_OK && i < store->count; i++) {
    const struct hf_store_entry *entry = &store->index[i];
    struct hf_record copy = {.at = entry->at, .key = entry->key, .len = entry->len, .kind = HF_RECORD_VALUE};
    /* A value that rotted is left behind: it is lost either way, and the store must go on. One that could not be read
     * this time is not: the old bank stays the valid one. */
    enum hf_err readable = entry->key == rec->key ? HF_E_INPUT : hf_record_get(NULL, store->area, &copy);
    if (readable == HF_OK) {
      err = hf_record_copy(&next.bank, &copy);
      err = err == HF_OK ? index_put(&next, &copy) : err;
    } else if (readable != HF_E_INPUT) {
      err = readable;
    }
  }
  if (err == HF_OK && rec->kind == HF_RECORD_VALUE) {
    rec->seq = ++next.seq;
    err = hf_record_put(&next.bank, rec, value);
    err = err == HF_OK ? index_put(&next, rec) : err;
  }
  if (err == HF_OK) {
    struct hf_record head = {.kind = HF_RECORD_BANK, .key = FORMAT, .seq = next.generation};
    err = hf_record_put_first(&next.bank, &head);
  }
  if (err == HF_OK) {
    *store = next;
  }
  return err == HF_OK ? HF_OK : HF_E_IO;
}

static enum hf_err append(struct hf_store *store, struct hf_record *rec, const void *value)
{
  if (live_room(store, rec) > bank_size(store->area)) {
    return HF_E_FULL;
  }
  enum hf_err err = HF_E_FULL;
  if (store->bank.size != 0) {
    rec->seq = store->seq + 1;
    err = hf_record_put(&store->bank, rec, value);
  }
  if (err == HF_E_FULL) {
    return compact(store, rec, value);
  }
  if (err != HF_OK) {
    return err;
  }
  store->seq = rec->seq;
  return index_put(store, rec);
}

enum hf_err hf_store_put(struct hf_store *store, uint16_t key, struct hf_bytes value)
{
  if (value.len > HF_STORE_VALUE_MAX) {
    return HF_E_SPACE;
  }
  uint16_t i = index_find(store, key);
  if (i == HF_STORE_KEYS_MAX) {
    return HF_E_FULL;
  }
  if (i < store->count && same(store, &store->index[i], value)) {
    return HF_OK;
  }
  struct hf_record rec = {.kind = HF_RECORD_VALUE, .key = key, .len = (uint16_t)value.len};
  return append(store, &rec, value.at);
}

enum hf_err hf_store_delete(struct hf_store *store, uint16_t key)
{
  if (index_find(store, key) == store->count) {
    return HF_OK;
  }
  struct hf_record rec = {.kind = HF_RECORD_DELETED, .key = key};
  return append(store, &rec, NULL);
}
