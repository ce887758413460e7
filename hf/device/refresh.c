/* SPDX-License-Identifier: Apache-2.0
 * The loop around hf/wire/tufclient.h.
 */
#include "hf/device/refresh.h"

#include "hf/base/assert.h"

/* Metadata into the work buffer; longer than that is endless. */
static enum hf_err buffer_put(void *ctx, struct hf_bytes piece)
{
  struct hf_buf *buf = ctx;
  hf_buf_put(buf, piece);
  hf_port_watchdog_feed();
  return buf->failed ? HF_E_SPACE : HF_OK;
}

/* `wanted`: the file name, appended to the source's path. */
static enum hf_tufclient_got fetch_file(struct hf_buf *body, const struct hf_refresh_source *source,
                                        const struct hf_buf *wanted, uint32_t max_len)
{
  char path[HF_HTTP_PATH_MAX];
  struct hf_buf out = hf_buf_init(path, sizeof path);
  hf_buf_put_text(&out, source->path);
  hf_buf_put(&out, hf_buf_bytes(wanted));
  if (wanted->failed || hf_buf_terminate(&out) != HF_OK) {
    return HF_TUFCLIENT_FAILED;
  }
  const struct hf_http_request request = {.method = "GET", .path = path, .max_len = max_len};
  struct hf_http_reply reply = {0};
  const struct hf_transport *transport = source->transport;
  enum hf_err err = transport->ops->request(transport->ctx, &reply, &request, (struct hf_sink){buffer_put, body});
  if (err == HF_E_SPACE) {
    return HF_TUFCLIENT_TOO_LONG;
  }
  if (err == HF_OK && reply.status == 200 && !body->failed) {
    return HF_TUFCLIENT_BYTES;
  }
  return err == HF_OK && reply.status == 404 ? HF_TUFCLIENT_NOT_FOUND : HF_TUFCLIENT_FAILED;
}

static enum hf_tufclient_got fetch(struct hf_buf *body, const struct hf_refresh_source *source,
                                   const struct hf_tufclient_fetch *wanted)
{
  uint8_t room[sizeof wanted->name];
  struct hf_buf name = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&name, wanted->name);
  return fetch_file(body, source, &name, wanted->max_len);
}

static enum hf_err trust_get(struct hf_tuf_trust *trust, const struct hf_store *store, uint16_t key, uint8_t *room)
{
  struct hf_buf record = hf_buf_init(room, HF_TUF_TRUST_MAX);
  enum hf_err err = hf_store_get(&record, store, key);
  if (err == HF_OK) {
    err = hf_tuf_trust_parse(trust, hf_buf_bytes(&record), NULL);
  }
  return err == HF_OK ? HF_OK : HF_E_NOT_FOUND;
}

enum hf_err hf_refresh_put_trust(struct hf_store *store, uint16_t key, const struct hf_tuf_trust *trust, uint8_t *room)
{
  struct hf_buf record = hf_buf_init(room, HF_TUF_TRUST_MAX);
  hf_tuf_trust_encode(&record, trust);
  return record.failed ? HF_E_SPACE : hf_store_put(store, key, hf_buf_bytes(&record));
}

/* The last bytes of the work buffer are the record's. */
static uint32_t room_for_file(const struct hf_refresh_source *source)
{
  HF_ASSERT(source->work_cap > HF_TUF_TRUST_MAX);
  return (uint32_t)(source->work_cap - HF_TUF_TRUST_MAX);
}

enum hf_err hf_refresh_keep(const struct hf_refresh *refresh, const struct hf_refresh_source *source,
                            struct hf_store *store)
{
  return hf_refresh_put_trust(store, source->key, &refresh->trust, source->work + room_for_file(source));
}

/* A device accepts what fits its buffer. */
static struct hf_tuf_limits device_limits(uint32_t cap, int64_t floor)
{
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  for (int role = 0; role < HF_TUF_ROLES; role++) {
    limits.file_max[role] = limits.file_max[role] < cap ? limits.file_max[role] : cap;
  }
  limits.time_floor = floor;
  return limits;
}

/* The clock first: a power cut in between brings the same roots once more. */
static enum hf_err keep_roots(const struct hf_refresh *refresh, const struct hf_refresh_source *source,
                              struct hf_store *store, struct hf_clock *clock)
{
  enum hf_err err = hf_clock_reset(clock, store);
  return err == HF_OK ? hf_refresh_keep(refresh, source, store) : err;
}

enum hf_err hf_refresh_get(struct hf_refresh *refresh, const struct hf_refresh_source *source, struct hf_store *store,
                           struct hf_clock *clock)
{
  uint32_t cap = room_for_file(source);
  enum hf_err err = trust_get(&refresh->trust, store, source->key, source->work + cap);
  if (err != HF_OK) {
    return err;
  }
  struct hf_tufclient_fetch wanted = {.role = HF_TUF_ROOT};
  enum hf_err stored = HF_OK;
  bool changed = false;
  refresh->spoiled = false;
  refresh->limits = device_limits(cap, clock->floor);
  hf_tufclient_init(&refresh->client, &refresh->trust, &refresh->limits, hf_clock_now(clock));
  /* Bounded by the client: roots_max roots and one file of each other role. */
  while (stored == HF_OK && hf_tufclient_next(&refresh->client, &wanted) == HF_TUFCLIENT_FETCH) {
    if (wanted.role == HF_TUF_TIMESTAMP && changed) {
      stored = keep_roots(refresh, source, store, clock);
      changed = false;
      continue;
    }
    if (source->lazy && wanted.role == HF_TUF_SNAPSHOT && !hf_tufclient_fresh(&refresh->client)) {
      break;
    }
    struct hf_buf body = hf_buf_init(source->work, cap);
    enum hf_tufclient_got got = fetch(&body, source, &wanted);
    struct hf_bytes bytes = got == HF_TUFCLIENT_BYTES ? hf_buf_bytes(&body) : (struct hf_bytes){0};
    err = hf_tufclient_give(&refresh->client, got, bytes, NULL);
    changed = changed || hf_tufclient_changed(&refresh->client);
  }
  if (changed && wanted.role == HF_TUF_ROOT) { /* new roots, and then the chain broke */
    stored = keep_roots(refresh, source, store, clock);
  } else if (changed && !source->shared) {
    stored = hf_refresh_keep(refresh, source, store);
  }
  return stored == HF_OK ? err : stored;
}

/* ---- delegations ---- */

static enum hf_err found(struct hf_target_file *file, const struct hf_tufsearch *search, enum hf_tufsearch_step step,
                         struct hf_why *why)
{
  switch (step) {
    case HF_TUFSEARCH_FOUND: return hf_tufsearch_target(file, search, why) == HF_OK ? HF_OK : HF_E_DENIED;
    case HF_TUFSEARCH_ABSENT: return HF_E_NOT_FOUND;
    case HF_TUFSEARCH_REFUSED: *why = hf_tufsearch_why(search); return HF_E_DENIED;
    default: return HF_E_AGAIN;
  }
}

enum hf_err hf_refresh_find(struct hf_refresh *refresh, const struct hf_refresh_source *source,
                            struct hf_target_file *file, struct hf_bytes path, struct hf_why *why)
{
  struct hf_tufsearch_role role[HF_REFRESH_ROLES];
  struct hf_tuf_key key[HF_REFRESH_KEYS];
  uint8_t visited[HF_REFRESH_VISITED][HF_TUFSEARCH_ID_LEN];
  const struct hf_tufsearch_room room = {.role = role,
                                         .role_cap = HF_REFRESH_ROLES,
                                         .key = key,
                                         .key_cap = HF_REFRESH_KEYS,
                                         .visited = visited,
                                         .visited_cap = HF_REFRESH_VISITED};
  struct hf_tufsearch search;
  struct hf_tufsearch_fetch wanted;
  enum hf_tufsearch_step step;
  HF_ASSERT(!refresh->spoiled);
  hf_tufsearch_init(&search, &room, &refresh->client, NULL, path);
  /* Bounded: at most HF_REFRESH_VISITED roles, and the snapshot once more before each. */
  while ((step = hf_tufsearch_next(&search, &wanted)) == HF_TUFSEARCH_FETCH) {
    uint8_t name_room[HF_HTTP_PATH_MAX];
    struct hf_buf name = hf_buf_init(name_room, sizeof name_room);
    struct hf_buf body = hf_buf_init(source->work, room_for_file(source));
    hf_tufsearch_put_name(&name, &wanted);
    refresh->spoiled = true;
    enum hf_tufclient_got got = fetch_file(&body, source, &name, wanted.max_len);
    struct hf_bytes bytes = got == HF_TUFCLIENT_BYTES ? hf_buf_bytes(&body) : (struct hf_bytes){0};
    if (hf_tufsearch_give(&search, got, bytes, NULL) == HF_E_STATE) {
      return HF_E_AGAIN;
    }
  }
  return found(file, &search, step, why);
}
