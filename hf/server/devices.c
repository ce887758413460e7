/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/devices.h"

#include <string.h>

void hf_text_copy(char *to, size_t cap, struct hf_bytes text)
{
  size_t len = text.len < cap ? text.len : cap - 1;
  if (len > 0) {
    memcpy(to, text.at, len);
  }
  to[len] = 0;
}

enum hf_err hf_device_row_get(struct hf_device_row *row, struct hf_db *db, int64_t n)
{
  struct hf_stmt *stmt =
      hf_stmt_open(db, "SELECT id, product, hardware, assigned, assignment, director, epoch, event_number,"
                       " boot_id, state, blocked FROM device WHERE n = ?");
  hf_stmt_put_int(stmt, n);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    *row = (struct hf_device_row){.n = n,
                                  .assignment = hf_stmt_get_int(stmt, 4),
                                  .director = hf_stmt_get_int(stmt, 5),
                                  .epoch = hf_stmt_get_int(stmt, 6),
                                  .event_number = hf_stmt_get_int(stmt, 7),
                                  .boot_id = hf_stmt_get_int(stmt, 8),
                                  .state = hf_stmt_get_int(stmt, 9),
                                  .blocked = hf_stmt_get_int(stmt, 10) != 0};
    hf_text_copy(row->id, sizeof row->id, hf_stmt_get_bytes(stmt, 0));
    hf_text_copy(row->product, sizeof row->product, hf_stmt_get_bytes(stmt, 1));
    hf_text_copy(row->hardware, sizeof row->hardware, hf_stmt_get_bytes(stmt, 2));
    hf_text_copy(row->assigned, sizeof row->assigned, hf_stmt_get_bytes(stmt, 3));
  }
  hf_stmt_close(stmt);
  return err;
}

enum hf_err hf_device_find(int64_t *n, struct hf_db *db, struct hf_bytes id)
{
  struct hf_stmt *stmt = hf_stmt_open(db, "SELECT n FROM device WHERE id = ?");
  hf_stmt_put_text(stmt, id);
  return hf_stmt_run_int(stmt, n);
}

enum hf_err hf_device_assign(struct hf_engine *engine, struct hf_device_row *row, struct hf_bytes version)
{
  /* Above the director's version too: the number is the version of the metadata that will carry the order, unless that
   * had to be signed anew in between. */
  int64_t last = row->assignment > row->director ? row->assignment : row->director;
  row->assignment = last + 1;
  hf_text_copy(row->assigned, sizeof row->assigned, version);
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "UPDATE device SET assigned = ?, assignment = ? WHERE n = ?");
  hf_stmt_put_text(stmt, version);
  hf_stmt_put_int(stmt, row->assignment);
  hf_stmt_put_int(stmt, row->n);
  enum hf_err err = hf_stmt_run(stmt);
  hf_engine_touch(engine, HF_PULSE_DEVICE);
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}
