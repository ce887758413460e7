/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/tufclient.h"

#include <string.h>

#include "hf/base/assert.h"
#include "hf/wire/pubkey.h"

static enum hf_verdict deny(struct hf_why *why, enum hf_rule rule)
{
  hf_why_put(why, rule, 0);
  return HF_DENY;
}

void hf_tufclient_init(struct hf_tufclient *client, struct hf_tuf_trust *trust, const struct hf_tuf_limits *limits,
                       int64_t now)
{
  HF_ASSERT(trust->root.version > 0); /* a record that went through hf_tuf_trust_verify or _parse */
  memset(client, 0, sizeof *client);
  client->trust = trust;
  client->limits = limits;
  client->now = now > limits->time_floor ? now : limits->time_floor;
  client->step = HF_TUFCLIENT_FETCH;
  client->role = HF_TUF_ROOT;
}

/* ---- what to fetch ---- */

static void put_name(struct hf_tufclient_fetch *fetch, uint32_t version)
{
  struct hf_buf name = hf_buf_init(fetch->name, sizeof fetch->name);
  if (version > 0) {
    hf_buf_put_uint(&name, version);
    hf_buf_put_u8(&name, '.');
  }
  hf_buf_put_text(&name, hf_tuf_role_name(fetch->role));
  hf_buf_put_text(&name, ".json");
  HF_ASSERT(hf_buf_terminate(&name) == HF_OK); /* 10 digits, dot, 9 letters, 5: fits */
}

enum hf_tufclient_step hf_tufclient_next(const struct hf_tufclient *client, struct hf_tufclient_fetch *fetch)
{
  if (client->step != HF_TUFCLIENT_FETCH) {
    return client->step;
  }
  uint32_t prefix = client->trust->root.consistent_snapshot ? client->expect.version : 0;
  memset(fetch, 0, sizeof *fetch);
  fetch->role = client->role;
  fetch->max_len = client->limits->file_max[client->role];
  switch (client->role) {
    case HF_TUF_ROOT: prefix = client->trust->root.version + 1; break; /* always by version (TUF section 5.3.2) */
    case HF_TUF_TIMESTAMP: prefix = 0; break;
    default:
      if (client->expect.length > 0 && client->expect.length < fetch->max_len) {
        fetch->max_len = client->expect.length;
      }
  }
  put_name(fetch, prefix);
  return HF_TUFCLIENT_FETCH;
}

/* ---- the checks every file but root goes through ---- */

/* A version seen before must come with the content seen before: two files under one version are an attack or a server
 * that lost its memory, and one of them would be hidden from somebody. */
static enum hf_verdict verify_floor(const struct hf_tuf_floor *floor, const struct hf_tuf_file *file,
                                    const uint8_t digest[HF_SHA256_LEN], struct hf_why *why)
{
  if (file->version < floor->version) {
    return deny(why, HF_RULE_TUF_ROLLBACK);
  }
  if (file->version == floor->version && floor->has_digest && !hf_secret_equal(floor->digest, digest, HF_SHA256_LEN)) {
    return deny(why, HF_RULE_TUF_SAME_VERSION);
  }
  return HF_ALLOW;
}

/* Expiry is judged against the start of the refresh: the same clock for all files (TUF section 5.1). */
static enum hf_verdict verify_expiry(const struct hf_tufclient *client, int64_t expires, struct hf_why *why)
{
  return expires > client->now ? HF_ALLOW : deny(why, HF_RULE_TUF_EXPIRED);
}

static void raise_floor(struct hf_tuf_floor *floor, const struct hf_tuf_file *file, const uint8_t digest[HF_SHA256_LEN])
{
  floor->version = file->version;
  floor->has_digest = true;
  memcpy(floor->digest, digest, HF_SHA256_LEN);
}

/* A file announced another's version: from now on nothing below it, whatever comes of that file. */
static void raise_announced(struct hf_tuf_floor *floor, uint32_t version)
{
  if (version > floor->version) {
    floor->version = version;
    floor->has_digest = false;
  }
}

/* Shape and signatures by the trusted root. */
static enum hf_verdict verify_signed(const struct hf_tufclient *client, struct hf_tuf_file *file, struct hf_bytes bytes,
                                     struct hf_why *why)
{
  if (hf_tuf_parse(file, bytes, client->role, client->limits, why) != HF_OK) {
    return HF_DENY;
  }
  return hf_tuf_verify(file, &client->trust->root, client->limits, why);
}

/* ---- root (TUF section 5.3) ---- */

/* Was a key that could sign this role taken away? */
static bool key_removed(const struct hf_tuf_root *before, const struct hf_tuf_root *after, enum hf_tuf_role role)
{
  for (size_t i = 0; i < before->key_count; i++) {
    bool kept = (before->role[role].keys >> i & 1) == 0;
    for (size_t j = 0; j < after->key_count && !kept; j++) {
      kept = (after->role[role].keys >> j & 1) != 0 && hf_pubkey_equal(&before->key[i].pub, &after->key[j].pub);
    }
    if (!kept) {
      return true;
    }
  }
  return false;
}

/* Fast-forward recovery (TUF section 5.3.11): whoever held a rotated key may have raised the floors out of reach. */
static void recover_floors(struct hf_tufclient *client, const struct hf_tuf_root *next)
{
  struct hf_tuf_trust *trust = client->trust;
  if (key_removed(&trust->root, next, HF_TUF_TIMESTAMP) || key_removed(&trust->root, next, HF_TUF_SNAPSHOT)) {
    client->recovered = true;
    memset(trust->floor, 0, sizeof trust->floor);
    memset(trust->listed, 0, sizeof trust->listed);
    trust->listed_count = 0;
  }
}

static enum hf_verdict verify_root(struct hf_tufclient *client, struct hf_bytes bytes, struct hf_why *why)
{
  struct hf_tuf_trust *trust = client->trust;
  struct hf_tuf_file file;
  struct hf_tuf_root next;
  if (hf_tuf_parse(&file, bytes, HF_TUF_ROOT, client->limits, why) != HF_OK) {
    return HF_DENY;
  }
  if (hf_tuf_verify(&file, &trust->root, client->limits, NULL) != HF_ALLOW) {
    return deny(why, HF_RULE_TUF_UNSIGNED_OLD);
  }
  if (hf_tuf_root_parse(&next, &file, client->limits, why) != HF_OK) {
    return HF_DENY;
  }
  if (hf_tuf_verify(&file, &next, client->limits, NULL) != HF_ALLOW) {
    return deny(why, HF_RULE_TUF_UNSIGNED_NEW);
  }
  if (next.version != trust->root.version + 1) {
    return deny(why, HF_RULE_TUF_ROOT_VERSION);
  }
  recover_floors(client, &next);
  trust->root = next;
  client->changed = true;
  client->roots++;
  return HF_ALLOW;
}

/* The chain has ended: only now does the expiry of a root count (TUF section 5.3.10). */
static enum hf_verdict end_roots(struct hf_tufclient *client, struct hf_why *why)
{
  if (verify_expiry(client, client->trust->root.expires, why) != HF_ALLOW) {
    return HF_DENY;
  }
  client->role = HF_TUF_TIMESTAMP;
  return HF_ALLOW;
}

static enum hf_verdict take_root(struct hf_tufclient *client, struct hf_bytes bytes, struct hf_why *why)
{
  if (client->roots >= client->limits->roots_max) {
    return deny(why, HF_RULE_TUF_ROOTS);
  }
  return verify_root(client, bytes, why);
}

/* ---- timestamp (TUF section 5.4) ---- */

static enum hf_verdict take_timestamp(struct hf_tufclient *client, struct hf_bytes bytes, struct hf_why *why)
{
  struct hf_tuf_trust *trust = client->trust;
  struct hf_tuf_floor *floor = &trust->floor[HF_TUF_TIMESTAMP];
  uint8_t digest[HF_SHA256_LEN];
  struct hf_tuf_meta snapshot;
  struct hf_tuf_file file;
  if (verify_signed(client, &file, bytes, why) != HF_ALLOW) {
    return HF_DENY;
  }
  hf_tuf_digest(digest, &file);
  if (verify_floor(floor, &file, digest, why) != HF_ALLOW) {
    return HF_DENY;
  }
  if (hf_tuf_meta_get(&snapshot, &file, "snapshot.json", why) != HF_OK) {
    return HF_DENY;
  }
  if (client->limits->hashes_required && !snapshot.has_sha256) {
    return deny(why, HF_RULE_TUF_NO_HASH);
  }
  if (snapshot.version < trust->floor[HF_TUF_SNAPSHOT].version) {
    return deny(why, HF_RULE_TUF_ROLLBACK);
  }
  if (snapshot.length > client->limits->file_max[HF_TUF_SNAPSHOT]) {
    return deny(why, HF_RULE_TUF_TOO_LONG);
  }
  if (verify_expiry(client, file.expires, why) != HF_ALLOW) {
    return HF_DENY;
  }
  client->fresh = file.version > floor->version;
  client->changed = client->fresh || !floor->has_digest;
  raise_floor(floor, &file, digest);
  raise_announced(&trust->floor[HF_TUF_SNAPSHOT], snapshot.version);
  client->expect = snapshot;
  client->role = HF_TUF_SNAPSHOT;
  return HF_ALLOW;
}

/* ---- snapshot (TUF section 5.5) ---- */

struct listing {
  uint8_t count;
  struct hf_tuf_listed item[HF_TUF_LISTED_MAX];
};

static enum hf_verdict add_listed(struct listing *listing, const struct hf_tuf_file *file, struct hf_json name,
                                  struct hf_json entry, struct hf_why *why)
{
  uint8_t text[256]; /* a file name; longer ones exist on no server */
  uint8_t hash[HF_SHA256_LEN];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  struct hf_tuf_meta meta;
  if (hf_json_get_text(&buf, name) != HF_OK || hf_tuf_meta_parse(&meta, file, entry, why) != HF_OK) {
    return deny(why, HF_RULE_TUF_SHAPE);
  }
  if (listing->count >= HF_TUF_LISTED_MAX) {
    return deny(why, HF_RULE_TUF_LISTED_TOO_MANY);
  }
  hf_sha256(hash, hf_buf_bytes(&buf));
  struct hf_tuf_listed *item = &listing->item[listing->count++];
  memcpy(item->id, hash, sizeof item->id);
  item->version = meta.version;
  return HF_ALLOW;
}

/* All files but targets.json. */
static enum hf_verdict read_listing(struct listing *listing, const struct hf_tuf_file *file, struct hf_why *why)
{
  struct hf_json list, name, entry;
  listing->count = 0;
  if (hf_json_get(&list, file->body, "meta") != HF_OK) {
    return deny(why, HF_RULE_TUF_SHAPE);
  }
  struct hf_json_walk walk = hf_json_walk_init(list);
  while (hf_json_walk_member(&walk, &name, &entry)) { /* ends at HF_TUF_LISTED_MAX */
    if (hf_json_is(name, "targets.json")) {
      continue;
    }
    if (add_listed(listing, file, name, entry, why) != HF_ALLOW) {
      return HF_DENY;
    }
  }
  return HF_ALLOW;
}

/* Nothing that was listed may be missing or older now (TUF section 5.5.5). */
static enum hf_verdict verify_listing(const struct hf_tuf_trust *trust, const struct listing *listing,
                                      struct hf_why *why)
{
  for (size_t i = 0; i < trust->listed_count; i++) {
    const struct hf_tuf_listed *old = &trust->listed[i];
    size_t j = 0;
    while (j < listing->count && memcmp(listing->item[j].id, old->id, sizeof old->id) != 0) {
      j++;
    }
    if (j == listing->count) {
      return deny(why, HF_RULE_TUF_LOST);
    }
    if (listing->item[j].version < old->version) {
      return deny(why, HF_RULE_TUF_ROLLBACK);
    }
  }
  return HF_ALLOW;
}

/* Against the record's list, or as the host does it, which may have thousands of files. */
static enum hf_verdict compare_listing(const struct hf_tufclient *client, struct listing *listing,
                                       const struct hf_tuf_file *file, struct hf_why *why)
{
  const struct hf_tuf_host *host = client->limits->host;
  if (host != NULL && host->listing_verify != NULL) {
    return host->listing_verify(client->limits->host_ctx, file, why);
  }
  if (read_listing(listing, file, why) != HF_ALLOW) {
    return HF_DENY;
  }
  return verify_listing(client->trust, listing, why);
}

/* Bytes as announced, signed, of the announced version, no version seen with other content. */
static enum hf_verdict verify_next(const struct hf_tufclient *client, struct hf_tuf_file *file,
                                   uint8_t digest[HF_SHA256_LEN], struct hf_bytes bytes, struct hf_why *why)
{
  if (hf_tuf_meta_verify(&client->expect, bytes, client->limits, why) != HF_ALLOW ||
      verify_signed(client, file, bytes, why) != HF_ALLOW) {
    return HF_DENY;
  }
  if (file->version != client->expect.version) {
    return deny(why, HF_RULE_TUF_VERSION_MISMATCH);
  }
  hf_tuf_digest(digest, file);
  return verify_floor(&client->trust->floor[client->role], file, digest, why);
}

static enum hf_verdict take_snapshot(struct hf_tufclient *client, struct hf_bytes bytes, struct hf_why *why)
{
  struct hf_tuf_trust *trust = client->trust;
  uint8_t digest[HF_SHA256_LEN];
  struct hf_tuf_meta targets;
  struct listing listing = {.count = 0};
  struct hf_tuf_file file;
  if (verify_next(client, &file, digest, bytes, why) != HF_ALLOW) {
    return HF_DENY;
  }
  if (hf_tuf_meta_get(&targets, &file, "targets.json", why) != HF_OK) {
    return HF_DENY;
  }
  if (targets.version < trust->floor[HF_TUF_TARGETS].version) {
    return deny(why, HF_RULE_TUF_ROLLBACK);
  }
  if (targets.length > client->limits->file_max[HF_TUF_TARGETS]) {
    return deny(why, HF_RULE_TUF_TOO_LONG);
  }
  if (compare_listing(client, &listing, &file, why) != HF_ALLOW ||
      verify_expiry(client, file.expires, why) != HF_ALLOW) {
    return HF_DENY;
  }
  client->changed = !trust->floor[HF_TUF_SNAPSHOT].has_digest;
  raise_floor(&trust->floor[HF_TUF_SNAPSHOT], &file, digest);
  raise_announced(&trust->floor[HF_TUF_TARGETS], targets.version);
  trust->listed_count = listing.count;
  memcpy(trust->listed, listing.item, sizeof trust->listed[0] * listing.count);
  client->expect = targets;
  client->role = HF_TUF_TARGETS;
  return HF_ALLOW;
}

/* ---- targets (TUF section 5.6) ---- */

static enum hf_verdict take_targets(struct hf_tufclient *client, struct hf_bytes bytes, struct hf_why *why)
{
  struct hf_tuf_floor *floor = &client->trust->floor[HF_TUF_TARGETS];
  uint8_t digest[HF_SHA256_LEN];
  struct hf_tuf_file file;
  if (verify_next(client, &file, digest, bytes, why) != HF_ALLOW ||
      verify_expiry(client, file.expires, why) != HF_ALLOW) {
    return HF_DENY;
  }
  client->changed = !floor->has_digest;
  raise_floor(floor, &file, digest);
  client->targets = file;
  client->step = HF_TUFCLIENT_DONE;
  return HF_ALLOW;
}

/* ---- the machine ---- */

static enum hf_err stop(struct hf_tufclient *client, enum hf_tufclient_step step, enum hf_rule rule, struct hf_why *why)
{
  hf_why_put(&client->why, rule, 0); /* keeps the first, more exact one */
  client->step = step;
  if (why != NULL && why->rule == HF_RULE_NONE) {
    *why = client->why;
  }
  return step == HF_TUFCLIENT_REFUSED ? HF_E_DENIED : HF_E_AGAIN;
}

static enum hf_verdict take_file(struct hf_tufclient *client, struct hf_bytes bytes)
{
  switch (client->role) {
    case HF_TUF_ROOT: return take_root(client, bytes, &client->why);
    case HF_TUF_TIMESTAMP: return take_timestamp(client, bytes, &client->why);
    case HF_TUF_SNAPSHOT: return take_snapshot(client, bytes, &client->why);
    case HF_TUF_TARGETS: return take_targets(client, bytes, &client->why);
    default: return HF_DENY;
  }
}

enum hf_err hf_tufclient_give(struct hf_tufclient *client, enum hf_tufclient_got got, struct hf_bytes bytes,
                              struct hf_why *why)
{
  enum hf_verdict verdict = HF_DENY;
  client->changed = false;
  if (client->step != HF_TUFCLIENT_FETCH) {
    return HF_E_STATE;
  }
  switch (got) {
    case HF_TUFCLIENT_BYTES: verdict = take_file(client, bytes); break;
    case HF_TUFCLIENT_NOT_FOUND:
      if (client->role != HF_TUF_ROOT) {
        return stop(client, HF_TUFCLIENT_UNAVAILABLE, HF_RULE_TUF_NOT_FOUND, why);
      }
      verdict = end_roots(client, &client->why);
      break;
    case HF_TUFCLIENT_TOO_LONG: return stop(client, HF_TUFCLIENT_REFUSED, HF_RULE_TUF_TOO_LONG, why);
    default: return stop(client, HF_TUFCLIENT_UNAVAILABLE, HF_RULE_TUF_UNAVAILABLE, why);
  }
  return verdict == HF_ALLOW ? HF_OK : stop(client, HF_TUFCLIENT_REFUSED, HF_RULE_TUF_SHAPE, why);
}

enum hf_err hf_tufclient_offer(struct hf_tufclient *client, struct hf_bytes bytes)
{
  if (client->step != HF_TUFCLIENT_FETCH || (client->role != HF_TUF_SNAPSHOT && client->role != HF_TUF_TARGETS)) {
    return HF_E_STATE;
  }
  client->changed = false;
  if (take_file(client, bytes) == HF_ALLOW) {
    return HF_OK;
  }
  client->why = (struct hf_why){0}; /* no refusal: what was offered is not what is wanted */
  return HF_E_NOT_FOUND;
}

bool hf_tufclient_recovered(const struct hf_tufclient *client) { return client->recovered; }

bool hf_tufclient_changed(const struct hf_tufclient *client) { return client->changed; }

bool hf_tufclient_fresh(const struct hf_tufclient *client) { return client->fresh; }

const struct hf_tuf_file *hf_tufclient_targets(const struct hf_tufclient *client)
{
  return client->step == HF_TUFCLIENT_DONE ? &client->targets : NULL;
}

struct hf_why hf_tufclient_why(const struct hf_tufclient *client) { return client->why; }
