/* SPDX-License-Identifier: Apache-2.0
 * REST: the takeover order of a product. */
#include "hf/server/call.h"
#include "hf/server/takeovers.h"

static void reply_takeover(struct hf_call *call)
{
  struct hf_bytes product = hf_call_arg(call, HF_PARAM_PATH_product);
  struct hf_stmt *stmt =
      hf_stmt_open(call->db, "SELECT version, server, expires, created, withdrawn FROM takeover WHERE product = ?"
                             " ORDER BY version DESC LIMIT 1");
  hf_stmt_put_text(stmt, product);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    hf_buf_put_text(call->out, "{");
    hf_reply_put_text(call->out, "product", product);
    hf_reply_put_int(call->out, "version", hf_stmt_get_int(stmt, 0));
    hf_reply_put_text(call->out, "server", hf_stmt_get_bytes(stmt, 1));
    hf_reply_put_time(call->out, "expires", hf_stmt_get_int(stmt, 2));
    hf_reply_put_time(call->out, "published", hf_stmt_get_int(stmt, 3));
    hf_reply_put_time_or_null(call->out, "withdrawn", hf_stmt_get_int(stmt, 4));
    hf_buf_put_text(call->out, "}");
  }
  hf_stmt_close(stmt);
  if (err != HF_OK) {
    hf_call_fail(call, err,
                 err == HF_E_NOT_FOUND ? "no takeover order was published for this product"
                                       : "the takeover order could not be read",
                 NULL);
  }
}

void hf_api_takeover_get(struct hf_call *call) { reply_takeover(call); }

void hf_api_takeover_put(struct hf_call *call)
{
  struct hf_act act = hf_call_act(call);
  struct hf_why why = {0};
  struct hf_takeover_files files = {.order = hf_call_text(call, "order"),
                                    .director_root = hf_call_text(call, "director_root"),
                                    .image_root = hf_call_text(call, "image_root")};
  call->changed = true;
  enum hf_err err = hf_takeovers_publish(call->engine, &act, hf_call_arg(call, HF_PARAM_PATH_product), &files, &why);
  if (err != HF_OK) {
    hf_call_fail(call, err,
                 err == HF_E_NOT_FOUND      ? "there is no product of this name"
                 : err == HF_E_EXISTS       ? "a takeover order of this version, or a higher one, is published"
                 : why.rule != HF_RULE_NONE ? NULL /* the rule's own words */
                                            : "the takeover order could not be published",
                 &why);
    return;
  }
  reply_takeover(call);
}

void hf_api_takeover_close(struct hf_call *call)
{
  struct hf_act act = hf_call_act(call);
  call->changed = true;
  enum hf_err err = hf_takeovers_withdraw(call->engine, &act, hf_call_arg(call, HF_PARAM_PATH_product));
  if (err != HF_OK) {
    hf_call_fail(call, err, "devices of this product are told of no takeover order", NULL);
  }
}
