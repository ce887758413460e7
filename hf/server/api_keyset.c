/* SPDX-License-Identifier: Apache-2.0
 * REST: the key set of a product. */
#include "hf/codec/json.h"
#include "hf/codec/text.h"
#include "hf/server/call.h"
#include "hf/server/keysets.h"
#include "hf/wire/pubkey.h"

static void put_keys(struct hf_buf *out, const struct hf_keyset *set)
{
  hf_json_put_name(out, "keys");
  hf_buf_put_text(out, "[");
  for (unsigned i = 0; i < set->count; i++) {
    uint8_t hash[HF_SHA256_LEN];
    hf_pubkey_hash(hash, &set->key[i]);
    hf_buf_put_text(out, i == 0 ? "{" : ",{");
    hf_reply_put_hash(out, "sha256", hf_bytes_init(hash, sizeof hash));
    hf_reply_put_text(out, "type", hf_bytes_text(set->key[i].type == HF_KEY_P256 ? "p256" : "ed25519"));
    hf_reply_put_bool(out, "revoked", (set->revoked >> i & 1) != 0);
    hf_buf_put_text(out, "}");
  }
  hf_buf_put_text(out, "]");
}

/* How far it has got: devices that have it, that lag, and whose boot loader takes none. */
static enum hf_err put_counts(struct hf_call *call, struct hf_bytes product, int64_t version)
{
  int64_t count[3] = {0, 0, 0};
  static const char *const names[3] = {"devices", "behind", "without"};
  static const char *const sql[3] = {"SELECT count(*) FROM device WHERE product = ? AND keyset >= ?",
                                     "SELECT count(*) FROM device WHERE product = ? AND keyset >= 0 AND keyset < ?",
                                     "SELECT count(*) FROM device WHERE product = ? AND keyset < 0 AND 0 < ?"};
  enum hf_err err = HF_OK;
  for (int i = 0; i < 3 && err == HF_OK; i++) {
    struct hf_stmt *stmt = hf_stmt_open(call->db, sql[i]);
    hf_stmt_put_text(stmt, product);
    hf_stmt_put_int(stmt, version);
    err = hf_stmt_run_int(stmt, &count[i]);
    hf_reply_put_int(call->out, names[i], count[i]);
  }
  return err;
}

static enum hf_err put_keyset(struct hf_call *call, struct hf_stmt *stmt, struct hf_bytes product)
{
  uint8_t room[4 * (HF_KEYSET_MAX + 2) / 3];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  struct hf_keyset set;
  struct hf_bytes file = hf_stmt_get_bytes(stmt, 0);
  if (hf_keyset_parse(&set, file, NULL) != HF_OK) {
    return HF_E_IO;
  }
  hf_base64_put(&text, file);
  hf_buf_put_text(call->out, "{");
  hf_reply_put_text(call->out, "product", product);
  hf_reply_put_int(call->out, "version", set.version);
  hf_reply_put_time(call->out, "published", hf_stmt_get_int(stmt, 1));
  put_keys(call->out, &set);
  hf_reply_put_text(call->out, "file", hf_buf_bytes(&text));
  enum hf_err err = put_counts(call, product, set.version);
  hf_buf_put_text(call->out, "}");
  return err;
}

static void reply_keyset(struct hf_call *call)
{
  struct hf_bytes product = hf_call_arg(call, HF_PARAM_PATH_product);
  struct hf_stmt *stmt =
      hf_stmt_open(call->db, "SELECT file, created FROM keyset WHERE product = ? ORDER BY version DESC LIMIT 1");
  hf_stmt_put_text(stmt, product);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    err = put_keyset(call, stmt, product);
  }
  hf_stmt_close(stmt);
  if (err != HF_OK) {
    hf_call_fail(call, err,
                 err == HF_E_NOT_FOUND ? "no key set was published for this product" : "the key set could not be read",
                 NULL);
  }
}

void hf_api_keyset_get(struct hf_call *call) { reply_keyset(call); }

void hf_api_keyset_put(struct hf_call *call)
{
  uint8_t room[HF_KEYSET_MAX];
  struct hf_buf file = hf_buf_init(room, sizeof room);
  struct hf_act act = hf_call_act(call);
  struct hf_why why = {0};
  if (hf_base64_parse(&file, hf_call_text(call, "file")) != HF_OK) {
    hf_call_refuse(call, HF_PROBLEM_INPUT, "the file is not base64, or longer than a key set", "/file",
                   "send the file that holdfast keyset sign wrote, in base64");
    return;
  }
  call->changed = true;
  enum hf_err err =
      hf_keysets_publish(call->engine, &act, hf_call_arg(call, HF_PARAM_PATH_product), hf_buf_bytes(&file), &why);
  if (err != HF_OK) {
    hf_call_fail(call, err,
                 err == HF_E_NOT_FOUND      ? "there is no product of this name"
                 : err == HF_E_EXISTS       ? "a key set of this version, or a higher one, is published"
                 : why.rule != HF_RULE_NONE ? NULL /* the rule's own words */
                                            : "the key set was refused",
                 &why);
    return;
  }
  reply_keyset(call);
}
