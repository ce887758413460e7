/* SPDX-License-Identifier: Apache-2.0
 * One REST request and its reply, between front (HTTP) and the engine or the reader (meaning).
 *
 * The routes are one table, hf/server/api.def: it makes the dispatch, the OpenAPI document and the list in the manual.
 */
#ifndef HF_SERVER_API_H
#define HF_SERVER_API_H

#include "hf/base/bytes.h"

enum hf_method { HF_GET, HF_POST, HF_PUT, HF_PATCH, HF_DELETE };

/** A request as front understood it. Everything borrows. */
struct hf_api_request {
  enum hf_method method;
  struct hf_bytes path;        /**< after /api/v1, percent-decoding not yet done: "/devices/sn-1/timeline" */
  struct hf_bytes query;       /**< after '?', raw */
  struct hf_bytes body;        /**< JSON, at most HF_API_BODY_MAX; for PUT /uploads empty, see `upload` */
  struct hf_bytes bearer;      /**< token of the Authorization header, or empty */
  struct hf_bytes session;     /**< value of the session cookie, or empty */
  struct hf_bytes csrf;        /**< X-CSRF-Token, or empty */
  struct hf_bytes if_none;     /**< If-None-Match, or empty */
  struct hf_bytes address;     /**< peer's address as text */
  struct hf_bytes upload;      /**< name of the finished file in the spool folder (front computed the hash), or empty */
  uint8_t upload_sha256[32];
  uint64_t upload_len;
  int64_t now;
};

#define HF_API_BODY_MAX (4u << 20) /* a targets.json of 10,000 releases is about 3 MB */

/** The reply. The caller gives `body` with its room and wipes the whole after sending. */
struct hf_api_reply {
  int status;
  const char *content_type;  /**< static; NULL: application/json */
  struct hf_buf body;
  char set_session[256];     /**< a whole Set-Cookie value, or "" */
  char etag[48];             /**< or "" */
  char location[128];        /**< or "" */
  uint32_t retry_after_s;    /**< or 0 */
};

/** Does this request only read? Then the reader process serves it. (GET, but for GET /session which touches it.) */
bool hf_api_reads(enum hf_method method, struct hf_bytes path);

#endif
