/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/takeovers.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "hf/codec/text.h"
#include "hf/server/auditlog.h"
#include "hf/server/files.h"
#include "hf/server/outbox.h"
#include "hf/server/reporoot.h"

/* Both roots are what the order says, and no device would refuse them. */
static enum hf_err root_check(struct hf_bytes root, const uint8_t named[HF_SHA256_LEN], struct hf_why *why)
{
  uint8_t digest[HF_SHA256_LEN];
  struct hf_tuf_trust trust;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  uint8_t scratch[65536];
  limits.scratch = scratch;
  limits.scratch_cap = sizeof scratch;
  hf_sha256(digest, root);
  if (memcmp(digest, named, sizeof digest) != 0) {
    hf_why_put(why, HF_RULE_TAKEOVER_ROOT, 0);
    return HF_E_DENIED;
  }
  return hf_tuf_trust_verify(&trust, root, &limits, why) == HF_ALLOW ? HF_OK : HF_E_DENIED;
}

static enum hf_err order_check(struct hf_takeover *order, struct hf_engine *engine, const struct hf_act *act,
                               struct hf_bytes product, const struct hf_takeover_files *files, struct hf_why *why)
{
  struct hf_tuf_root root;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  uint8_t scratch[HF_TAKEOVER_MAX];
  struct hf_takeover_policy policy = {.product = product, .version_min = 1, .now = act->now};
  limits.scratch = scratch;
  limits.scratch_cap = sizeof scratch;
  enum hf_err err = hf_reporoot_get(&root, engine);
  if (err != HF_OK) {
    return err;
  }
  if (hf_takeover_verify(order, files->order, &root, &limits, &policy, why) != HF_ALLOW) {
    return HF_E_DENIED;
  }
  err = root_check(files->director_root, order->director_root, why);
  return err == HF_OK ? root_check(files->image_root, order->image_root, why) : err;
}

/* HF_E_NOT_FOUND: no such product. Fills the version published last, 0: none. */
static enum hf_err last_get(int64_t *version, struct hf_engine *engine, struct hf_bytes product)
{
  struct hf_stmt *stmt = hf_stmt_open(
      engine->db, "SELECT (SELECT coalesce(max(version), 0) FROM takeover WHERE product = p.name) FROM product p"
                  " WHERE p.name = ?");
  hf_stmt_put_text(stmt, product);
  return hf_stmt_run_int(stmt, version);
}

static enum hf_err file_put(struct hf_engine *engine, const char *name, struct hf_bytes file)
{
  char path[PATH_MAX];
  char below[160];
  (void)snprintf(below, sizeof below, "repo/takeover/%s.json", name);
  enum hf_err err = hf_engine_path(path, sizeof path, engine, below);
  err = err == HF_OK ? hf_file_folders(path) : err;
  return err == HF_OK ? hf_file_put(path, file) : err;
}

static enum hf_err root_put(struct hf_engine *engine, struct hf_bytes root, const uint8_t digest[HF_SHA256_LEN])
{
  char name[2 * HF_SHA256_LEN + 1];
  struct hf_buf out = hf_buf_init(name, sizeof name);
  hf_hex_put(&out, hf_bytes_init(digest, HF_SHA256_LEN));
  enum hf_err err = hf_buf_terminate(&out);
  return err == HF_OK ? file_put(engine, name, root) : err;
}

/* Before the row: until the group is committed nobody is told of the names. */
static enum hf_err files_put(struct hf_engine *engine, struct hf_bytes product, const struct hf_takeover *order,
                             const struct hf_takeover_files *files)
{
  char name[80];
  (void)snprintf(name, sizeof name, "%.*s.%lu", (int)product.len, (const char *)product.at,
                 (unsigned long)order->version);
  enum hf_err err = root_put(engine, files->director_root, order->director_root);
  err = err == HF_OK ? root_put(engine, files->image_root, order->image_root) : err;
  return err == HF_OK ? file_put(engine, name, files->order) : err;
}

static enum hf_err row_put(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes product,
                           const struct hf_takeover *order)
{
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "INSERT INTO takeover (product, version, server, expires, created, created_by)"
                               " VALUES (?, ?, ?, ?, ?, ?)");
  hf_stmt_put_text(stmt, product);
  hf_stmt_put_int(stmt, order->version);
  hf_stmt_put_text(stmt, hf_bytes_text(order->server));
  hf_stmt_put_int(stmt, order->expires);
  hf_stmt_put_int(stmt, act->now);
  hf_stmt_put_text(stmt, act->who);
  enum hf_err err = hf_stmt_run(stmt);
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

static enum hf_err tell(struct hf_engine *engine, const struct hf_act *act, const char *action, struct hf_bytes product,
                        struct hf_bytes detail)
{
  engine->generation++;
  hf_engine_touch(engine, HF_PULSE_PRODUCT);
  enum hf_err err = hf_auditlog_put(engine, act, action, product, detail);
  return err == HF_OK ? hf_outbox_put(engine, action, product, detail, act->now) : err;
}

enum hf_err hf_takeovers_publish(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes product,
                                 const struct hf_takeover_files *files, struct hf_why *why)
{
  struct hf_takeover order;
  int64_t last = 0;
  enum hf_err err = last_get(&last, engine, product);
  err = err == HF_OK ? order_check(&order, engine, act, product, files, why) : err;
  if (err != HF_OK) {
    return err;
  }
  if (order.version <= last) {
    hf_why_put(why, HF_RULE_TAKEOVER_OLD, 0);
    return HF_E_EXISTS;
  }
  err = files_put(engine, product, &order, files);
  err = err == HF_OK ? row_put(engine, act, product, &order) : err;
  return err == HF_OK ? tell(engine, act, "takeover.publish", product, hf_bytes_text(order.server)) : err;
}

enum hf_err hf_takeovers_withdraw(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes product)
{
  uint32_t version;
  enum hf_err err = hf_takeovers_told(&version, engine->db, product, act->now);
  if (err != HF_OK || version == 0) {
    return err == HF_OK ? HF_E_NOT_FOUND : err;
  }
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "UPDATE takeover SET withdrawn = ? WHERE product = ?");
  hf_stmt_put_int(stmt, act->now);
  hf_stmt_put_text(stmt, product);
  err = hf_stmt_run(stmt);
  return err == HF_OK ? tell(engine, act, "takeover.withdraw", product, hf_bytes_init(NULL, 0))
                      : hf_engine_poison(engine, err);
}

enum hf_err hf_takeovers_told(uint32_t *version, struct hf_db *db, struct hf_bytes product, int64_t now)
{
  int64_t found = 0;
  struct hf_stmt *stmt =
      hf_stmt_open(db, "SELECT coalesce(max(version), 0) FROM takeover WHERE product = ? AND withdrawn = 0"
                       " AND expires > ?");
  hf_stmt_put_text(stmt, product);
  hf_stmt_put_int(stmt, now);
  enum hf_err err = hf_stmt_run_int(stmt, &found);
  *version = err == HF_OK ? (uint32_t)found : 0;
  return err;
}
