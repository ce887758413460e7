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
  struct hf_bytes path;         /**< after /api/v1, percent-decoding not yet done: "/devices/sn-1/timeline" */
  struct hf_bytes query;        /**< after '?', raw */
  struct hf_bytes body;         /**< JSON, at most HF_API_BODY_MAX; for PUT /uploads empty, see `upload` */
  struct hf_bytes bearer;       /**< token of the Authorization header, or empty */
  struct hf_bytes session;      /**< value of the session cookie, or empty */
  struct hf_bytes csrf;         /**< X-CSRF-Token, or empty */
  struct hf_bytes if_none;      /**< If-None-Match, or empty */
  struct hf_bytes address;      /**< peer's address as text */
  struct hf_bytes content_type; /**< Content-Type, or empty; something else than application/json is refused (a
                                  browser form cannot send it: one more wall against forged requests) */
  struct hf_bytes ticket;       /**< what the reader said when it passed the request on (below), else empty */
  bool tls;                     /**< did it come over TLS? then the session cookie is marked Secure */
  struct hf_bytes upload; /**< name of the finished file in the spool folder (front computed the hash), or empty */
  uint8_t upload_sha256[32];
  uint64_t upload_len;
  int64_t now;
};

#define HF_API_BODY_MAX (4u << 20) /* a targets.json of 10,000 releases is about 3 MB */
/** Room a caller gives for a reply body: lists end their page early rather than outgrow it. */
#define HF_API_REPLY_MAX (1u << 20)
/** Name of the session cookie front looks for. */
#define HF_API_COOKIE "hf_session"
/** A ticket of the reader is at most this long. */
#define HF_API_TICKET_MAX 256

/** The reply. The caller gives `body` with its room and wipes the whole after sending. */
struct hf_api_reply {
  int status;
  const char *content_type; /**< static; NULL: application/json */
  struct hf_buf body;
  char set_session[256];  /**< a whole Set-Cookie value, or "" */
  char etag[48];          /**< or "" */
  char location[128];     /**< or "" */
  char allow[48];         /**< Allow header of a 405, or "" */
  uint32_t retry_after_s; /**< or 0 */
  bool pass_on;           /**< only from a read-only engine: no answer yet. Send the same request to the engine with
                            `ticket` = `body` (it may be empty), and answer with what the engine says. */
};

/**
 * Does the reader process serve this request first? True for every GET, POST /session and PUT /session/password.
 *
 * Checking a password costs a tenth of a second of scrypt on purpose, and devices must not wait for it: the reader,
 * where no device waits, checks the password (throttled), and passes the request on with a ticket that only the engine
 * can read as true (HMAC under `login_key` of hf_engine_config, which keeper makes at start for both). The reader
 * passes a GET on too, without ticket, when a session's or token's "last used" is minutes old: only the engine may
 * write it.
 *
 * Of every other change the reader judges only who asks, and passes it on when they may: front asks so before it takes
 * a long body or an upload. The engine judges again.
 */
bool hf_api_reads(enum hf_method method, struct hf_bytes path);

#endif
