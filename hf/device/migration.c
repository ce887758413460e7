/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/device/migration.h"

#include <string.h>

#include "hf/codec/text.h"
#include "hf/device/refresh.h"

/* Record HF_STORE_MIGRATION: state u8, version u32 of the last order that was moved by, then the order's text. One
 * record, so that the state and what it is about cannot come apart. */
#define HEAD (HF_MIGRATION_ROOM - HF_TAKEOVER_MAX)

struct kept {
  enum hf_migration_state state;
  uint32_t floor; /* lowest version that is still good is one above it; 0: none was moved by */
};

/* The record into `room`, HF_MIGRATION_ROOM bytes; `text` is the order in it. */
static enum hf_err kept_get(struct kept *kept, struct hf_bytes *text, uint8_t *room, const struct hf_store *store)
{
  struct hf_buf record = hf_buf_init(room, HF_MIGRATION_ROOM);
  *kept = (struct kept){.state = HF_MIGRATION_NONE};
  *text = (struct hf_bytes){NULL, 0};
  enum hf_err err = hf_store_get(&record, store, HF_STORE_MIGRATION);
  if (err != HF_OK) {
    return err == HF_E_NOT_FOUND ? HF_OK : err;
  }
  struct hf_cursor in = hf_cursor_init(hf_buf_bytes(&record));
  uint8_t state = hf_cursor_u8(&in);
  kept->floor = hf_cursor_le32(&in);
  if (in.failed || (state != HF_MIGRATION_WAITING && state != HF_MIGRATION_MOVED)) {
    return HF_E_INPUT;
  }
  kept->state = (enum hf_migration_state)state;
  *text = in.rest;
  return HF_OK;
}

/* `room` holds the order behind HEAD bytes, which are written here. */
static enum hf_err kept_put(struct hf_store *store, const struct kept *kept, uint8_t *room, size_t text_len)
{
  struct hf_buf head = hf_buf_init(room, HEAD);
  hf_buf_put_u8(&head, (uint8_t)kept->state);
  hf_buf_put_le32(&head, kept->floor);
  return hf_store_put(store, HF_STORE_MIGRATION, hf_bytes_init(room, HEAD + text_len));
}

enum hf_err hf_migration_get(enum hf_migration_state *state, struct hf_takeover *order, uint8_t room[HF_MIGRATION_ROOM],
                             const struct hf_store *store)
{
  struct kept kept;
  struct hf_bytes text;
  struct hf_tuf_file file;
  struct hf_bytes product;
  enum hf_err err = kept_get(&kept, &text, room, store);
  *state = kept.state;
  if (err != HF_OK || kept.state == HF_MIGRATION_NONE) {
    return err;
  }
  return hf_takeover_parse(order, &file, &product, text, NULL);
}

static uint8_t *trust_room(struct hf_buf work) { return work.at + work.cap - HF_TUF_TRUST_MAX; }

static enum hf_err judge(struct hf_takeover *order, struct hf_store *store, const struct hf_clock *clock,
                         const struct hf_takeover_policy *policy, struct hf_bytes text, struct hf_buf work,
                         struct hf_why *why)
{
  struct hf_tuf_trust trust;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_buf record = hf_buf_init(trust_room(work), HF_TUF_TRUST_MAX);
  struct hf_takeover_policy now = *policy;
  now.now = hf_clock_now(clock);
  if (hf_store_get(&record, store, HF_STORE_TRUST_IMAGE) != HF_OK ||
      hf_tuf_trust_parse(&trust, hf_buf_bytes(&record), NULL) != HF_OK) {
    return HF_E_NOT_FOUND;
  }
  return hf_takeover_verify(order, text, &trust.root, &limits, &now, why) == HF_ALLOW ? HF_OK : HF_E_DENIED;
}

enum hf_err hf_migration_keep(struct hf_store *store, const struct hf_clock *clock, struct hf_bytes product,
                              struct hf_bytes text, struct hf_buf work, struct hf_why *why)
{
  struct kept kept;
  struct hf_bytes old;
  struct hf_takeover order;
  if (work.cap < HF_MIGRATION_WORK_MIN || text.len > HF_TAKEOVER_MAX) {
    return HF_E_SPACE;
  }
  memmove(work.at + HEAD, text.at, text.len); /* the new one in front, the kept one, then the trust record, behind it */
  text.at = work.at + HEAD;
  enum hf_err err = kept_get(&kept, &old, work.at + HF_MIGRATION_ROOM, store);
  if (err == HF_OK && kept.state == HF_MIGRATION_WAITING && hf_bytes_equal(old, text)) {
    return HF_OK;
  }
  if (err != HF_OK && err != HF_E_INPUT) {
    return err;
  }
  /* A record that rotted leaves no floor: the order's expiry is what is left against a replay. */
  uint32_t version_min = kept.floor + 1;
  struct hf_takeover waiting;
  struct hf_tuf_file file;
  struct hf_bytes named;
  if (kept.state == HF_MIGRATION_WAITING && hf_takeover_parse(&waiting, &file, &named, old, NULL) == HF_OK &&
      waiting.version >= version_min) {
    version_min = waiting.version + 1; /* a superseded order does not come back while its successor waits */
  }
  struct hf_takeover_policy policy = {.product = product, .version_min = version_min};
  err = judge(&order, store, clock, &policy, text, work, why);
  if (err != HF_OK) {
    return err;
  }
  kept.state = HF_MIGRATION_WAITING;
  return kept_put(store, &kept, work.at, text.len);
}

/* ---- fetching ---- */

static enum hf_err take_piece(void *ctx, struct hf_bytes piece)
{
  struct hf_buf *file = ctx;
  hf_buf_put(file, piece);
  hf_port_watchdog_feed();
  return file->failed ? HF_E_SPACE : HF_OK;
}

static enum hf_err fetch(struct hf_buf *file, const struct hf_migration_source *source, struct hf_buf name)
{
  char room[HF_HTTP_PATH_MAX];
  struct hf_buf path = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&path, source->path == NULL ? "/repo/" : source->path);
  hf_buf_put_text(&path, "takeover/");
  hf_buf_put(&path, hf_buf_bytes(&name));
  if (hf_buf_terminate(&path) != HF_OK) {
    return HF_E_INPUT;
  }
  *file = hf_buf_init(source->work, source->work_cap - HF_TUF_TRUST_MAX);
  struct hf_http_request request = {.method = "GET", .path = room, .max_len = file->cap};
  struct hf_http_reply reply = {0};
  enum hf_err err =
      source->transport->ops->request(source->transport->ctx, &reply, &request, (struct hf_sink){take_piece, file});
  return err == HF_OK && reply.status != 200 ? HF_E_AGAIN : err;
}

enum hf_err hf_migration_fetch(struct hf_store *store, const struct hf_clock *clock, struct hf_bytes product,
                               const struct hf_migration_source *source, uint32_t version, struct hf_why *why)
{
  char room[64];
  struct hf_buf name = hf_buf_init(room, sizeof room);
  struct hf_buf file;
  if (source->work_cap < HF_MIGRATION_WORK_MIN) {
    return HF_E_SPACE;
  }
  hf_buf_put(&name, product);
  hf_buf_put_u8(&name, '.');
  hf_buf_put_uint(&name, version);
  hf_buf_put_text(&name, ".json");
  enum hf_err err = fetch(&file, source, name);
  if (err != HF_OK) {
    return err;
  }
  return hf_migration_keep(store, clock, product, hf_buf_bytes(&file), hf_buf_init(source->work, source->work_cap),
                           why);
}

/* ---- moving ---- */

static enum hf_err trust_put(struct hf_store *store, uint16_t key, struct hf_bytes root,
                             const uint8_t named[HF_SHA256_LEN], struct hf_buf work, struct hf_why *why)
{
  uint8_t digest[HF_SHA256_LEN];
  struct hf_tuf_trust trust;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  hf_sha256(digest, root);
  if (memcmp(digest, named, sizeof digest) != 0) {
    hf_why_put(why, HF_RULE_TAKEOVER_ROOT, 0);
    return HF_E_DENIED;
  }
  if (hf_tuf_trust_verify(&trust, root, &limits, why) != HF_ALLOW) {
    return HF_E_DENIED;
  }
  return hf_refresh_put_trust(store, key, &trust, trust_room(work));
}

/* From here on the device is the new server's. */
static enum hf_err settle(struct hf_store *store, struct hf_buf work)
{
  struct kept kept;
  struct hf_bytes text;
  struct hf_tuf_file file;
  struct hf_bytes product;
  struct hf_takeover order;
  enum hf_err err = kept_get(&kept, &text, work.at, store);
  err = err == HF_OK ? hf_takeover_parse(&order, &file, &product, text, NULL) : err;
  if (err != HF_OK) {
    return err;
  }
  kept.state = HF_MIGRATION_MOVED;
  kept.floor = order.version;
  return kept_put(store, &kept, work.at, text.len);
}

/* The digests of the order are copied out of `work`; its CA is not, and nobody asks for that here. */
static enum hf_err waiting_get(struct hf_takeover *order, struct hf_buf work, const struct hf_store *store)
{
  enum hf_migration_state state;
  if (work.cap < HF_MIGRATION_WORK_MIN) {
    return HF_E_SPACE;
  }
  enum hf_err err = hf_migration_get(&state, order, work.at, store);
  return err == HF_OK && state != HF_MIGRATION_WAITING ? HF_E_STATE : err;
}

enum hf_err hf_migration_move_with(struct hf_store *store, struct hf_bytes director_root, struct hf_bytes image_root,
                                   struct hf_buf work, struct hf_why *why)
{
  struct hf_takeover order;
  enum hf_err err = waiting_get(&order, work, store);
  err = err == HF_OK ? trust_put(store, HF_STORE_TRUST_DIRECTOR, director_root, order.director_root, work, why) : err;
  err = err == HF_OK ? trust_put(store, HF_STORE_TRUST_IMAGE, image_root, order.image_root, work, why) : err;
  return err == HF_OK ? settle(store, work) : err;
}

static enum hf_err root_move(struct hf_store *store, uint16_t key, const uint8_t digest[HF_SHA256_LEN],
                             const struct hf_migration_source *source, struct hf_why *why)
{
  char room[80];
  struct hf_buf name = hf_buf_init(room, sizeof room);
  struct hf_buf file;
  hf_hex_put(&name, hf_bytes_init(digest, HF_SHA256_LEN));
  hf_buf_put_text(&name, ".json");
  enum hf_err err = fetch(&file, source, name);
  return err == HF_OK
             ? trust_put(store, key, hf_buf_bytes(&file), digest, hf_buf_init(source->work, source->work_cap), why)
             : err;
}

enum hf_err hf_migration_move(struct hf_store *store, const struct hf_migration_source *source, struct hf_why *why)
{
  struct hf_buf work = hf_buf_init(source->work, source->work_cap);
  struct hf_takeover order;
  enum hf_err err = waiting_get(&order, work, store);
  err = err == HF_OK ? root_move(store, HF_STORE_TRUST_DIRECTOR, order.director_root, source, why) : err;
  err = err == HF_OK ? root_move(store, HF_STORE_TRUST_IMAGE, order.image_root, source, why) : err;
  return err == HF_OK ? settle(store, work) : err;
}
