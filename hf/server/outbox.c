/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/outbox.h"

#include "hf/codec/json.h"

/* First pause after a failure; doubles with each try up to a day. */
#define PAUSE_S 30
#define PAUSE_MAX_S 86400

enum hf_err hf_outbox_put(struct hf_engine *engine, const char *kind, struct hf_bytes subject, struct hf_bytes words,
                          int64_t now)
{
  uint8_t room[4096];
  struct hf_buf body = hf_buf_init(room, sizeof room);
  int64_t waiting = 0;
  if (engine->settings.webhook[0] == 0) {
    return HF_OK;
  }
  enum hf_err err = hf_stmt_run_int(hf_stmt_open(engine->db, "SELECT count(*) FROM outbox"), &waiting);
  if (err != HF_OK || waiting >= HF_OUTBOX_MAX) {
    return err;
  }
  hf_buf_put_text(&body, "{");
  hf_json_put_name(&body, "event");
  hf_json_put_text(&body, hf_bytes_text(kind));
  hf_json_put_name(&body, "subject");
  hf_json_put_text(&body, subject);
  hf_json_put_name(&body, "text");
  hf_json_put_text(&body, words);
  hf_json_put_name(&body, "time");
  hf_json_put_time(&body, now);
  hf_buf_put_text(&body, "}");
  if (body.failed) {
    return HF_E_SPACE;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "INSERT INTO outbox (url, body, created, next_try, tries) VALUES (?, ?, ?, ?, 0)");
  hf_stmt_put_text(stmt, hf_bytes_text(engine->settings.webhook));
  hf_stmt_put_text(stmt, hf_buf_bytes(&body));
  hf_stmt_put_int(stmt, now);
  hf_stmt_put_int(stmt, now);
  err = hf_stmt_run(stmt);
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

enum hf_err hf_engine_outbox_get(struct hf_engine *engine, struct hf_buf *message, int64_t now)
{
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "SELECT id, url, body FROM outbox WHERE next_try <= ? ORDER BY next_try LIMIT 1");
  hf_stmt_put_int(stmt, now);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    hf_buf_put_text(message, "{\"id\":");
    hf_buf_put_uint(message, (uint64_t)hf_stmt_get_int(stmt, 0));
    hf_json_put_name(message, "url");
    hf_json_put_text(message, hf_stmt_get_bytes(stmt, 1));
    hf_json_put_name(message, "body");
    hf_buf_put(message, hf_stmt_get_bytes(stmt, 2)); /* JSON already: hf_outbox_put wrote it */
    hf_buf_put_text(message, "}");
    err = message->failed ? HF_E_SPACE : HF_OK;
  }
  hf_stmt_close(stmt);
  return err;
}

static enum hf_err tries_get(struct hf_engine *engine, uint64_t id, int64_t *tries)
{
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT tries FROM outbox WHERE id = ?");
  hf_stmt_put_int(stmt, (int64_t)id);
  return hf_stmt_run_int(stmt, tries);
}

static enum hf_err later(struct hf_engine *engine, uint64_t id, int64_t tries, int64_t now)
{
  int64_t pause = tries < 12 ? (int64_t)PAUSE_S << tries : PAUSE_MAX_S;
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "UPDATE outbox SET tries = tries + 1, next_try = ? WHERE id = ?");
  hf_stmt_put_int(stmt, now + (pause < PAUSE_MAX_S ? pause : PAUSE_MAX_S));
  hf_stmt_put_int(stmt, (int64_t)id);
  return hf_stmt_run(stmt);
}

enum hf_err hf_engine_outbox_done(struct hf_engine *engine, uint64_t id, bool delivered, int64_t now)
{
  int64_t tries = 0;
  enum hf_err err = tries_get(engine, id, &tries);
  if (err != HF_OK) {
    return err;
  }
  if (!delivered && tries + 1 < HF_OUTBOX_TRIES_MAX) {
    err = later(engine, id, tries, now);
  } else {
    struct hf_stmt *stmt = hf_stmt_open(engine->db, "DELETE FROM outbox WHERE id = ?");
    hf_stmt_put_int(stmt, (int64_t)id);
    err = hf_stmt_run(stmt);
  }
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}
