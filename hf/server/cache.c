/* SPDX-License-Identifier: Apache-2.0
 * A hash table of indices into an array of entries; entries leave by the clock algorithm.
 */
#include "hf/server/cache.h"

#include <stdlib.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/server/credential.h"

#define TABLE_LEN (2 * HF_CACHE_MAX) /* power of two, at most half full */
#define EMPTY 0u                     /* else index + 1 */

struct hf_cache {
  uint32_t table[TABLE_LEN];
  struct hf_cached entry[HF_CACHE_MAX];
  uint32_t count;
  uint32_t hand;
  uint32_t seen[HF_CACHE_SEEN_MAX]; /* entries whose last_seen waits */
  uint32_t seen_count;
  int64_t flushed;
  uint64_t key; /* so that nobody chooses ids that collide */
};

enum hf_err hf_cache_new(struct hf_cache **cache)
{
  struct hf_cache *made = calloc(1, sizeof *made); /* pages are taken as they are touched */
  if (made == NULL) {
    return HF_E_IO;
  }
  if (hf_random(&made->key, sizeof made->key) != HF_OK) {
    free(made);
    return HF_E_CRYPTO;
  }
  *cache = made;
  return HF_OK;
}

void hf_cache_free(struct hf_cache *cache) { free(cache); }

void hf_cache_init(struct hf_cache *cache)
{
  memset(cache->table, 0, sizeof cache->table);
  memset(cache->entry, 0, cache->count * sizeof cache->entry[0]);
  cache->count = 0;
  cache->hand = 0;
  cache->seen_count = 0;
}

static uint32_t home_of(const struct hf_cache *cache, struct hf_bytes id)
{
  uint64_t hash = cache->key ^ (id.len * UINT64_C(0x9e3779b97f4a7c15));
  for (size_t i = 0; i < id.len; i++) {
    hash = (hash ^ id.at[i]) * UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 32;
  }
  return (uint32_t)hash & (TABLE_LEN - 1);
}

static struct hf_bytes id_of(const struct hf_cached *cached) { return hf_bytes_init(cached->id, cached->id_len); }

/* Slot of the table that holds this id, or the empty one where it belongs. */
static uint32_t slot_find(const struct hf_cache *cache, struct hf_bytes id)
{
  uint32_t slot = home_of(cache, id);
  while (cache->table[slot] != EMPTY && !hf_bytes_equal(id_of(&cache->entry[cache->table[slot] - 1]), id)) {
    slot = (slot + 1) & (TABLE_LEN - 1);
  }
  return slot;
}

/* Take one out of the table, moving up those that were pushed past their home. */
static void slot_clear(struct hf_cache *cache, uint32_t slot)
{
  uint32_t hole = slot;
  cache->table[hole] = EMPTY;
  for (uint32_t at = (hole + 1) & (TABLE_LEN - 1); cache->table[at] != EMPTY; at = (at + 1) & (TABLE_LEN - 1)) {
    uint32_t home = home_of(cache, id_of(&cache->entry[cache->table[at] - 1]));
    if (((at - home) & (TABLE_LEN - 1)) >= ((at - hole) & (TABLE_LEN - 1))) {
      cache->table[hole] = cache->table[at];
      cache->table[at] = EMPTY;
      hole = at;
    }
  }
}

static enum hf_err seen_put(struct hf_engine *engine, struct hf_cached *cached)
{
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "UPDATE device SET last_seen = ? WHERE n = ?");
  hf_stmt_put_int(stmt, cached->last_seen);
  hf_stmt_put_int(stmt, cached->n);
  enum hf_err err = hf_stmt_run(stmt);
  cached->stored_seen = cached->last_seen;
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

enum hf_err hf_cache_flush(struct hf_engine *engine, int64_t now, bool all)
{
  struct hf_cache *cache = engine->cache;
  bool due = all || cache->seen_count >= HF_CACHE_SEEN_MAX / 2 || now - cache->flushed >= HF_CACHE_SEEN_S ||
             now < cache->flushed;
  if (!due || cache->seen_count == 0) {
    return HF_OK;
  }
  enum hf_err err = HF_OK;
  for (uint32_t i = 0; i < cache->seen_count && err == HF_OK; i++) {
    struct hf_cached *cached = &cache->entry[cache->seen[i]];
    cached->waits_seen = false;
    if (cached->n != 0 && cached->stored_seen != cached->last_seen) {
      err = seen_put(engine, cached);
    }
  }
  cache->seen_count = 0;
  cache->flushed = now;
  return err;
}

enum hf_err hf_cache_seen(struct hf_engine *engine, struct hf_cached *cached, int64_t now)
{
  struct hf_cache *cache = engine->cache;
  cached->last_seen = now;
  if (cached->waits_seen) {
    return HF_OK;
  }
  if (cache->seen_count == HF_CACHE_SEEN_MAX) {
    enum hf_err err = hf_cache_flush(engine, now, true);
    if (err != HF_OK) {
      return err;
    }
  }
  cached->waits_seen = true;
  cache->seen[cache->seen_count++] = (uint32_t)(cached - cache->entry);
  return HF_OK;
}

/* A free entry: a new one, or that of a device which did not come since the hand passed last. */
static enum hf_err entry_take(struct hf_cached **cached, struct hf_engine *engine)
{
  struct hf_cache *cache = engine->cache;
  if (cache->count < HF_CACHE_MAX) {
    *cached = &cache->entry[cache->count++];
    return HF_OK;
  }
  for (uint32_t i = 0; i < 2 * HF_CACHE_MAX; i++) {
    struct hf_cached *old = &cache->entry[cache->hand];
    cache->hand = (cache->hand + 1) % HF_CACHE_MAX;
    if (old->used) {
      old->used = false;
      continue;
    }
    enum hf_err err = old->n != 0 && old->stored_seen != old->last_seen ? seen_put(engine, old) : HF_OK;
    if (old->n != 0) {
      slot_clear(cache, slot_find(cache, id_of(old)));
    }
    bool waits = old->waits_seen; /* its place in the list stays, and is skipped or used by the next owner */
    *old = (struct hf_cached){.waits_seen = waits};
    *cached = old;
    return err;
  }
  HF_ASSERT(false); /* after one turn of the hand every entry is unused */
  return HF_E_STATE;
}

static void hash_take(uint8_t out[HF_SHA256_LEN], bool *there, struct hf_bytes bytes)
{
  *there = bytes.len == HF_SHA256_LEN;
  if (*there) {
    memcpy(out, bytes.at, HF_SHA256_LEN);
  }
}

static void row_take(struct hf_cached *cached, struct hf_stmt *stmt, struct hf_bytes id)
{
  bool waits = cached->waits_seen;
  *cached = (struct hf_cached){.n = hf_stmt_get_int(stmt, 0), .waits_seen = waits, .id_len = (uint8_t)id.len};
  memcpy(cached->id, id.at, id.len);
  cached->blocked = hf_stmt_get_int(stmt, 1) != 0;
  hash_take(cached->cert, &cached->has_cert, hf_stmt_get_bytes(stmt, 2));
  hash_take(cached->cert_previous, &cached->has_previous, hf_stmt_get_bytes(stmt, 3));
  cached->last_seen = hf_stmt_get_int(stmt, 4);
  cached->stored_seen = cached->last_seen;
  cached->event_number = (uint32_t)hf_stmt_get_int(stmt, 5);
  cached->assignment = (uint32_t)hf_stmt_get_int(stmt, 6);
  cached->acted = (uint32_t)hf_stmt_get_int(stmt, 7);
  cached->boot = (uint32_t)hf_stmt_get_int(stmt, 8);
  cached->rotate = hf_stmt_get_int(stmt, 9) != 0;
  cached->connection = hf_credential_print((uint32_t)hf_stmt_get_int(stmt, 10), hf_stmt_get_bytes(stmt, 11),
                                           hf_stmt_get_bytes(stmt, 12));
}

static enum hf_err load(struct hf_cached **cached, struct hf_engine *engine, struct hf_bytes id)
{
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "SELECT n, blocked, cert, cert_previous, last_seen, event_number, assignment,"
                               " acted, boot_id, rotate, tls, cipher, anchor FROM device WHERE id = ?");
  hf_stmt_put_text(stmt, id);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    err = entry_take(cached, engine);
  }
  if (err == HF_OK) {
    row_take(*cached, stmt, id);
    engine->cache->table[slot_find(engine->cache, id)] = (uint32_t)(*cached - engine->cache->entry) + 1;
  }
  hf_stmt_close(stmt);
  return err;
}

enum hf_err hf_cache_get(struct hf_cached **cached, struct hf_engine *engine, struct hf_bytes id)
{
  struct hf_cache *cache = engine->cache;
  if (id.len == 0 || id.len > HF_DEVICE_ID_MAX) {
    return HF_E_NOT_FOUND;
  }
  uint32_t slot = slot_find(cache, id);
  enum hf_err err = HF_OK;
  if (cache->table[slot] != EMPTY) {
    *cached = &cache->entry[cache->table[slot] - 1];
  } else {
    err = load(cached, engine, id);
  }
  if (err == HF_OK) {
    (*cached)->used = true;
  }
  return err;
}

void hf_cache_drop(struct hf_cache *cache, struct hf_bytes id)
{
  if (cache == NULL || id.len > HF_DEVICE_ID_MAX) {
    return;
  }
  uint32_t slot = slot_find(cache, id);
  if (cache->table[slot] == EMPTY) {
    return;
  }
  struct hf_cached *cached = &cache->entry[cache->table[slot] - 1];
  slot_clear(cache, slot);
  bool waits = cached->waits_seen;
  *cached = (struct hf_cached){.waits_seen = waits};
}
