/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/throttle.h"

#include <arpa/inet.h>
#include <string.h>

#include "hf/crypto/crypto.h"

enum hf_err hf_throttle_init(struct hf_throttle *throttle)
{
  memset(throttle, 0, sizeof *throttle);
  throttle->tries = HF_THROTTLE_BURST;
  return hf_random(throttle->key, sizeof throttle->key);
}

/* Whom an address belongs to: an IPv6 customer has a whole /64 and could take a new address for every try. */
static struct hf_bytes customer_of(struct hf_bytes address, uint8_t room[16])
{
  char text[INET6_ADDRSTRLEN] = "";
  if (address.len == 0 || address.len >= sizeof text) {
    return address;
  }
  memcpy(text, address.at, address.len);
  return inet_pton(AF_INET6, text, room) == 1 ? hf_bytes_init(room, 8) : address;
}

static uint64_t entry_key(const struct hf_throttle *throttle, struct hf_bytes a, struct hf_bytes b)
{
  uint8_t room[256];
  uint8_t mac[HF_SHA256_LEN];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  uint64_t key = 0;
  a.len = a.len > 120 ? 120 : a.len; /* longer names share an entry, which only slows them more */
  b.len = b.len > 120 ? 120 : b.len;
  hf_buf_put(&text, a);
  hf_buf_put_u8(&text, 0);
  hf_buf_put(&text, b);
  hf_hmac_sha256(mac, hf_bytes_init(throttle->key, sizeof throttle->key), hf_buf_bytes(&text));
  memcpy(&key, mac, sizeof key);
  return key == 0 ? 1 : key;
}

static struct hf_throttle_entry *find(struct hf_throttle_entry *table, uint64_t key)
{
  for (size_t i = 0; i < HF_THROTTLE_ENTRIES; i++) {
    if (table[i].key == key) {
      return &table[i];
    }
  }
  return NULL;
}

/* The entry of a key, made in the place of the oldest when it is not there. */
static struct hf_throttle_entry *take(struct hf_throttle_entry *table, uint64_t key)
{
  struct hf_throttle_entry *entry = find(table, key);
  if (entry != NULL) {
    return entry;
  }
  entry = &table[0];
  for (size_t i = 0; i < HF_THROTTLE_ENTRIES && entry->key != 0; i++) {
    if (table[i].key == 0 || table[i].last < entry->last) {
      entry = &table[i];
    }
  }
  *entry = (struct hf_throttle_entry){.key = key};
  return entry;
}

static uint32_t wait_of(const struct hf_throttle_entry *entry, uint32_t most, int64_t now)
{
  if (entry == NULL || entry->failures < HF_THROTTLE_FREE) {
    return 0;
  }
  uint32_t over = entry->failures - HF_THROTTLE_FREE;
  uint32_t wait = over >= 10 ? most : 1u << over;
  wait = wait > most ? most : wait;
  int64_t passed = now - entry->last;
  if (passed < 0) {
    passed = 0; /* the clock went back: at worst the whole wait again */
  }
  return passed >= wait ? 0 : wait - (uint32_t)passed;
}

static uint32_t bucket_wait(struct hf_throttle *throttle, int64_t now)
{
  int64_t passed = now - throttle->last;
  if (passed < 0 || passed > HF_THROTTLE_BURST) {
    passed = HF_THROTTLE_BURST;
  }
  uint64_t tries = throttle->tries + (uint64_t)passed * HF_THROTTLE_RATE;
  throttle->tries = tries > HF_THROTTLE_BURST ? HF_THROTTLE_BURST : (uint32_t)tries;
  throttle->last = now;
  return throttle->tries == 0 ? 1 : 0;
}

uint32_t hf_throttle_check(struct hf_throttle *throttle, struct hf_bytes name, struct hf_bytes from, int64_t now)
{
  uint8_t room[16];
  struct hf_bytes none = {0};
  struct hf_bytes address = customer_of(from, room);
  struct hf_throttle_entry *by_address = find(throttle->addresses, entry_key(throttle, none, address));
  struct hf_throttle_entry *by_name = find(throttle->names, entry_key(throttle, name, none));
  uint32_t wait = wait_of(by_address, HF_THROTTLE_ADDRESS_S, now);
  if (find(throttle->known, entry_key(throttle, name, address)) != NULL) {
    return wait; /* nor by strangers who keep the bucket empty */
  }
  uint32_t name_wait = wait_of(by_name, HF_THROTTLE_NAME_S, now);
  wait = name_wait > wait ? name_wait : wait;
  if (wait == 0) {
    wait = bucket_wait(throttle, now);
  }
  if (wait == 0) {
    throttle->tries--;
  }
  return wait;
}

static bool count(struct hf_throttle_entry *entry, int64_t now)
{
  if (now - entry->last > HF_THROTTLE_MEMORY_S) {
    entry->failures = 0;
  }
  entry->last = now;
  entry->failures += entry->failures < UINT32_MAX;
  return entry->failures == HF_THROTTLE_FREE;
}

bool hf_throttle_put(struct hf_throttle *throttle, struct hf_bytes name, struct hf_bytes from, bool good, int64_t now)
{
  uint8_t room[16];
  struct hf_bytes none = {0};
  struct hf_bytes address = customer_of(from, room);
  uint64_t name_key = entry_key(throttle, name, none);
  uint64_t address_key = entry_key(throttle, none, address);
  if (!good) {
    bool by_name = count(take(throttle->names, name_key), now);
    bool by_address = count(take(throttle->addresses, address_key), now);
    return by_name || by_address;
  }
  struct hf_throttle_entry *entry = take(throttle->known, entry_key(throttle, name, address));
  entry->last = now;
  entry = find(throttle->names, name_key);
  if (entry != NULL) {
    *entry = (struct hf_throttle_entry){0};
  }
  entry = find(throttle->addresses, address_key);
  if (entry != NULL) {
    *entry = (struct hf_throttle_entry){0};
  }
  return false;
}
