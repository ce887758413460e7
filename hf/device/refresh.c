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

static enum hf_tufclient_got fetch(struct hf_buf *body, const struct hf_refresh_source *source,
                                   const struct hf_tufclient_fetch *wanted)
{
  char path[HF_HTTP_PATH_MAX];
  struct hf_buf out = hf_buf_init(path, sizeof path);
  hf_buf_put_text(&out, source->path);
  hf_buf_put_text(&out, wanted->name);
  if (hf_buf_terminate(&out) != HF_OK) {
    return HF_TUFCLIENT_FAILED;
  }
  const struct hf_http_request request = {.method = "GET", .path = path, .max_len = wanted->max_len};
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
  refresh->limits = device_limits(cap, clock->floor);
  hf_tufclient_init(&refresh->client, &refresh->trust, &refresh->limits, hf_clock_now(clock));
  /* Bounded by the client: roots_max roots and one file of each other role. */
  while (stored == HF_OK && hf_tufclient_next(&refresh->client, &wanted) == HF_TUFCLIENT_FETCH) {
    if (wanted.role == HF_TUF_TIMESTAMP && changed) {
      stored = keep_roots(refresh, source, store, clock);
      changed = false;
      continue;
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
