/* SPDX-License-Identifier: Apache-2.0
 * REST: uploads and releases. */
#include <stdio.h>
#include <string.h>

#include "hf/codec/json.h"
#include "hf/codec/text.h"
#include "hf/server/call.h"
#include "hf/server/releases.h"
#include "hf/wire/version.h"

/* Columns: targets_version (one a publication), product, version, notes, security, sbom, created_by, created, devices,
 * from_range, hardware. */
#define RELEASE_SQL                                                                                                    \
  "SELECT r.targets_version, r.product, r.version, r.notes, r.security, r.sbom, r.created_by, r.created,"              \
  " (SELECT coalesce(sum(t.count), 0) FROM tally t WHERE t.product = r.product AND t.version = r.version),"            \
  " r.from_range, r.hardware FROM release r"
enum { R_ROW, R_PRODUCT, R_VERSION, R_NOTES, R_SECURITY, R_SBOM, R_BY, R_CREATED, R_DEVICES, R_FROM, R_HARDWARE };

/* Leaves the object open. */
static void put_release(struct hf_buf *out, struct hf_stmt *stmt)
{
  hf_buf_put_text(out, "{");
  hf_reply_put_text(out, "product", hf_stmt_get_bytes(stmt, R_PRODUCT));
  hf_reply_put_text(out, "version", hf_stmt_get_bytes(stmt, R_VERSION));
  hf_reply_put_text(out, "notes", hf_stmt_get_bytes(stmt, R_NOTES));
  hf_reply_put_bool(out, "security", hf_stmt_get_int(stmt, R_SECURITY) != 0);
  hf_reply_put_hash(out, "sbom", hf_stmt_get_bytes(stmt, R_SBOM));
  hf_reply_put_text(out, "by", hf_stmt_get_bytes(stmt, R_BY));
  hf_reply_put_time(out, "created", hf_stmt_get_int(stmt, R_CREATED));
  hf_reply_put_int(out, "devices", hf_stmt_get_int(stmt, R_DEVICES));
}

void hf_api_release_list(struct hf_call *call)
{
  struct hf_bytes product = hf_call_arg(call, HF_PARAM_QUERY_product);
  struct hf_page page;
  int64_t before;
  int64_t total = 0;
  if (hf_page_open_number(&page, &before, call, INT64_MAX) != HF_OK) {
    return;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(call->db, RELEASE_SQL
                   " WHERE r.targets_version < ? AND (? = '' OR r.product = ?) ORDER BY r.targets_version DESC");
  hf_stmt_put_int(stmt, before);
  hf_stmt_put_text(stmt, product);
  hf_stmt_put_text(stmt, product);
  enum hf_err err = hf_stmt_next(stmt);
  for (; err == HF_OK; err = hf_stmt_next(stmt)) {
    if (!hf_page_next_number(&page, hf_stmt_get_int(stmt, R_ROW))) {
      break;
    }
    put_release(call->out, stmt);
    hf_buf_put_text(call->out, "}");
  }
  hf_stmt_close(stmt);
  if (err == HF_OK || err == HF_E_NOT_FOUND) {
    stmt = hf_stmt_open(call->db, "SELECT count(*) FROM release WHERE ? = '' OR product = ?");
    hf_stmt_put_text(stmt, product);
    hf_stmt_put_text(stmt, product);
    err = hf_stmt_run_int(stmt, &total);
  }
  hf_page_close(&page, err, (uint64_t)total);
}

static enum hf_err put_targets(struct hf_call *call, struct hf_stmt *release)
{
  struct hf_buf *out = call->out;
  struct hf_stmt *stmt = hf_stmt_open(call->db, "SELECT path, component, counter, length, sha256, digest FROM artifact"
                                                " WHERE product = ? AND version = ? ORDER BY place, component");
  hf_stmt_put_text(stmt, hf_stmt_get_bytes(release, R_PRODUCT));
  hf_stmt_put_text(stmt, hf_stmt_get_bytes(release, R_VERSION));
  struct hf_rows rows = hf_rows_open(out, "targets", stmt);
  while (hf_rows_next(&rows)) {
    hf_reply_put_text(out, "path", hf_stmt_get_bytes(stmt, 0));
    hf_reply_put_text(out, "component", hf_stmt_get_bytes(stmt, 1));
    hf_reply_put_words(out, "hardware", hf_stmt_get_bytes(release, R_HARDWARE));
    hf_reply_put_int(out, "counter", hf_stmt_get_int(stmt, 2));
    hf_reply_put_text(out, "from", hf_stmt_get_bytes(release, R_FROM));
    hf_reply_put_int(out, "length", hf_stmt_get_int(stmt, 3));
    hf_reply_put_hash(out, "sha256", hf_stmt_get_bytes(stmt, 4));
    hf_reply_put_hash(out, "image", hf_stmt_get_bytes(stmt, 5));
  }
  return hf_rows_close(&rows);
}

static void reply_release(struct hf_call *call, struct hf_bytes product, struct hf_bytes version)
{
  uint8_t room[HF_VERSION_TEXT_MAX];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  struct hf_version parsed;
  enum hf_err err = hf_version_parse(&parsed, version, NULL);
  if (err == HF_OK) {
    hf_version_put(&text, &parsed);
    struct hf_stmt *stmt = hf_stmt_open(call->db, RELEASE_SQL " WHERE r.product = ? AND r.version = ?");
    hf_stmt_put_text(stmt, product);
    hf_stmt_put_text(stmt, hf_buf_bytes(&text));
    err = hf_stmt_next(stmt);
    if (err == HF_OK) {
      put_release(call->out, stmt);
      err = put_targets(call, stmt);
      hf_buf_put_text(call->out, "}");
    }
    hf_stmt_close(stmt);
  }
  if (err != HF_OK) {
    err = err == HF_E_INPUT ? HF_E_NOT_FOUND : err;
    hf_call_fail(call, err, err == HF_E_NOT_FOUND ? "there is no such release" : "the release could not be read", NULL);
  }
}

void hf_api_release_get(struct hf_call *call)
{
  reply_release(call, hf_call_arg(call, HF_PARAM_PATH_product), hf_call_arg(call, HF_PARAM_PATH_version));
}

/* Nearly every way publishing fails breaks a rule, whose words tell it. */
static void refuse_release(struct hf_call *call, enum hf_err err, const struct hf_why *why)
{
  char where[48] = "";
  struct hf_problem_words words = {.where = where, .rule = why->rule};
  enum hf_problem kind = hf_problem_of(err);
  if (why->rule != HF_RULE_NONE) {
    kind = err == HF_E_INPUT ? HF_PROBLEM_REFUSED : kind;
    (void)snprintf(where, sizeof where, "/targets, byte %u", (unsigned)why->at);
  } else if (err == HF_E_DENIED) { /* no rule of the release's: the vault did not sign */
    kind = HF_PROBLEM_FAILED;
    words.what = "the vault did not sign the new snapshot and timestamp";
    words.todo = "see what the vault wrote on standard error; check the server's clock";
  } else if (err == HF_E_STATE) {
    kind = HF_PROBLEM_UNAVAILABLE;
    words.what = "another release is being published at this moment";
  } else {
    words.what = "the release could not be published";
  }
  hf_problem_put(call->reply, kind, &words);
}

void hf_api_release_new(struct hf_call *call)
{
  uint8_t sbom[32];
  struct hf_act act = hf_call_act(call);
  struct hf_why why = {0};
  struct hf_bytes hex = hf_call_text(call, "sbom");
  struct hf_release_new release = {.product = hf_call_text(call, "product"),
                                   .version = hf_call_text(call, "version"),
                                   .notes = hf_call_text(call, "notes"),
                                   .security = json_is_true(json_object_get(call->body, "security")),
                                   .role = hf_call_text(call, "role"),
                                   .targets = hf_call_text(call, "targets")};
  if (release.role.len == 0) {
    release.role = HF_LIT("targets");
  }
  if (hex.len > 0 && hf_hex_parse(sbom, sizeof sbom, hex) == HF_OK) {
    release.sbom = hf_bytes_init(sbom, sizeof sbom);
  }
  enum hf_err err = hf_release_publish(call->engine, &act, &release, &why);
  if (err != HF_OK) {
    refuse_release(call, err, &why);
    return;
  }
  call->changed = true;
  (void)snprintf(call->reply->location, sizeof call->reply->location, "/api/v1/releases/%.*s/%.*s",
                 (int)release.product.len, (const char *)release.product.at, (int)release.version.len,
                 (const char *)release.version.at);
  reply_release(call, release.product, release.version);
}

void hf_api_upload_put(struct hf_call *call)
{
  const struct hf_api_request *request = call->request;
  struct hf_act act = hf_call_act(call);
  uint8_t named[32];
  if (request->upload.len == 0) {
    hf_call_refuse(call, HF_PROBLEM_INPUT, "no file came with the request", "", "send the file's bytes as the body");
    return;
  }
  enum hf_err err = hf_hex_parse(named, sizeof named, hf_call_arg(call, HF_PARAM_PATH_sha256));
  if (err != HF_OK || memcmp(named, request->upload_sha256, sizeof named) != 0) {
    hf_call_refuse(call, HF_PROBLEM_REFUSED, "the file's SHA-256 is not the one in the path", "path",
                   "send the file again; it was changed or cut on its way");
    return;
  }
  err = hf_upload_put(call->engine, &act, request->upload, request->upload_sha256, request->upload_len);
  if (err != HF_OK) {
    hf_call_fail(call, err,
                 err == HF_E_INPUT ? "the file in the spool folder is not what was announced"
                                   : "the upload could not be stored",
                 NULL);
    return;
  }
  call->changed = true;
  hf_buf_put_text(call->out, "{");
  hf_reply_put_hash(call->out, "sha256", hf_bytes_init(request->upload_sha256, 32));
  hf_reply_put_int(call->out, "length", (int64_t)request->upload_len);
  hf_buf_put_text(call->out, "}");
}
