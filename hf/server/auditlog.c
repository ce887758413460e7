/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/auditlog.h"

#include <string.h>

#include "hf/codec/text.h"

/* A text may be cut only between characters. */
static struct hf_bytes text_cut(struct hf_bytes text, size_t max)
{
  if (text.len <= max) {
    return text;
  }
  while (max > 0 && (text.at[max] & 0xc0) == 0x80) {
    max--;
  }
  return hf_bytes_init(text.at, max);
}

enum hf_err hf_auditlog_put(struct hf_engine *engine, const struct hf_act *act, const char *action,
                            struct hf_bytes subject, struct hf_bytes detail)
{
  struct hf_audit_entry entry = {.number = engine->chain.number + 1,
                                 .time = act->now,
                                 .who = text_cut(act->who, HF_AUDIT_TEXT_MAX),
                                 .address = text_cut(act->address, HF_AUDIT_TEXT_MAX),
                                 .action = hf_bytes_text(action),
                                 .subject = text_cut(subject, HF_AUDIT_TEXT_MAX),
                                 .detail = text_cut(detail, HF_AUDIT_DETAIL_MAX)};
  struct hf_audit_chain chain = engine->chain;
  enum hf_err err = hf_audit_put(&chain, &entry);
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt = hf_stmt_open(
      engine->db,
      "INSERT INTO audit (n, time, who, address, action, subject, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  hf_stmt_put_int(stmt, (int64_t)entry.number);
  hf_stmt_put_int(stmt, entry.time);
  hf_stmt_put_text(stmt, entry.who);
  hf_stmt_put_text(stmt, entry.address);
  hf_stmt_put_text(stmt, entry.action);
  hf_stmt_put_text(stmt, entry.subject);
  hf_stmt_put_text(stmt, entry.detail);
  hf_stmt_put_bytes(stmt, hf_bytes_init(chain.hash, sizeof chain.hash));
  err = hf_stmt_run(stmt);
  if (err != HF_OK) {
    return hf_engine_poison(engine, err);
  }
  engine->chain = chain;
  hf_engine_touch(engine, HF_PULSE_AUDIT);
  return HF_OK;
}

enum hf_err hf_auditlog_load(struct hf_engine *engine)
{
  engine->chain = hf_audit_chain_init();
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1");
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    struct hf_bytes hash = hf_stmt_get_bytes(stmt, 1);
    engine->chain.number = (uint64_t)hf_stmt_get_int(stmt, 0);
    err = hash.len == sizeof engine->chain.hash ? HF_OK : HF_E_INPUT;
    if (err == HF_OK) {
      memcpy(engine->chain.hash, hash.at, hash.len);
    }
  }
  hf_stmt_close(stmt);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

static bool row_verify(struct hf_audit_chain *chain, struct hf_stmt *stmt)
{
  struct hf_bytes hash = hf_stmt_get_bytes(stmt, 7);
  struct hf_audit_entry entry = {.number = (uint64_t)hf_stmt_get_int(stmt, 0),
                                 .time = hf_stmt_get_int(stmt, 1),
                                 .who = hf_stmt_get_bytes(stmt, 2),
                                 .address = hf_stmt_get_bytes(stmt, 3),
                                 .action = hf_stmt_get_bytes(stmt, 4),
                                 .subject = hf_stmt_get_bytes(stmt, 5),
                                 .detail = hf_stmt_get_bytes(stmt, 6)};
  return hash.len == HF_SHA256_LEN && hf_audit_verify(chain, &entry, hash.at) == HF_ALLOW;
}

enum hf_err hf_auditlog_verify(struct hf_db *db, struct hf_auditlog_report *report)
{
  struct hf_audit_chain chain = hf_audit_chain_init();
  struct hf_stmt *stmt =
      hf_stmt_open(db, "SELECT n, time, who, address, action, subject, detail, hash FROM audit ORDER BY n");
  enum hf_err err = hf_stmt_next(stmt);
  *report = (struct hf_auditlog_report){.count = 0};
  while (err == HF_OK) {
    report->count++;
    if (!row_verify(&chain, stmt)) {
      report->broken = chain.number + 1;
      break;
    }
    err = hf_stmt_next(stmt);
  }
  hf_stmt_close(stmt);
  memcpy(report->head, chain.hash, sizeof report->head);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

enum hf_err hf_auditlog_anchor(struct hf_engine *engine, int64_t now)
{
  uint64_t number;
  uint8_t head[HF_SHA256_LEN];
  uint8_t subject_room[24];
  uint8_t detail_room[2 * HF_SHA256_LEN];
  struct hf_buf subject = hf_buf_init(subject_room, sizeof subject_room);
  struct hf_buf detail = hf_buf_init(detail_room, sizeof detail_room);
  const struct hf_act act = {.who = HF_LIT("server"), .now = now};
  enum hf_err err = hf_vault_head(engine->config.vault, &number, head);
  if (err != HF_OK) {
    return err;
  }
  hf_buf_put_uint(&subject, number);
  hf_hex_put(&detail, hf_bytes_init(head, sizeof head));
  return hf_auditlog_put(engine, &act, "vault.head", hf_buf_bytes(&subject), hf_buf_bytes(&detail));
}
