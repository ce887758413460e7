/* SPDX-License-Identifier: Apache-2.0
 * An HTTP/1.1 request head (RFC 9112), strictly: what two readers could understand differently is refused. Pure.
 *
 * No chunked requests, no continuation lines, no bare line feeds, no absolute or encoded paths for files. Bodies are
 * the connection's business (front_conn).
 */
#ifndef HF_SERVER_FRONT_HTTP_H
#define HF_SERVER_FRONT_HTTP_H

#include "hf/base/bytes.h"

/** Longest request head: request line and all fields. A session cookie and a bearer token are 300 bytes together. */
#define HF_HTTP_HEAD_MAX 8192
/** Fields of one request; browsers send about 15. */
#define HF_HTTP_FIELDS_MAX 64
/** Longest request target. */
#define HF_HTTP_TARGET_MAX 4096

enum hf_http_method {
  HF_HTTP_GET,
  HF_HTTP_HEAD,
  HF_HTTP_POST,
  HF_HTTP_PUT,
  HF_HTTP_PATCH,
  HF_HTTP_DELETE,
  HF_HTTP_OTHER
};

/** A request head. Views borrow the input. Fields that did not come are empty. */
struct hf_http_request {
  enum hf_http_method method;
  struct hf_bytes verb;  /**< as sent */
  struct hf_bytes path;  /**< raw, begins with '/' */
  struct hf_bytes query; /**< raw, without '?' */
  struct hf_bytes host, authorization, cookie, csrf, content_type, if_none_match, if_range, range;
  uint64_t content_length; /**< 0 when it did not come */
  bool has_length;
  bool keep_alive;
  bool expect_continue;
  size_t head_len;    /**< bytes of the head, the empty line included */
  int refuse;         /**< with HF_E_INPUT: the status to answer with */
  const char *reason; /**< with HF_E_INPUT: what was wrong, static */
};

/**
 * Parse a head.
 * @param request  fills; borrows `bytes`
 * @param bytes    borrows; what has arrived so far
 * @return HF_OK; HF_E_AGAIN: the head is not complete; HF_E_INPUT: refuse with `request->refuse` and close
 */
HF_MUST enum hf_err hf_http_parse(struct hf_http_request *request, struct hf_bytes bytes);

/**
 * May this be the path of a file below a folder? Relative, parts of `A-Z a-z 0-9 . _ + -` that do not begin with a dot,
 * single slashes between them, nothing encoded, at most 512 bytes.
 */
bool hf_http_path_check(struct hf_bytes path);

/** One range of `bytes=` (RFC 9110 section 14.1.2) over a file of `size`. */
struct hf_http_range {
  uint64_t from;
  uint64_t len;
};
/** HF_OK; HF_E_NOT_FOUND: no single range asked for: send the whole; HF_E_INPUT: not satisfiable: 416. */
HF_MUST enum hf_err hf_http_range_parse(struct hf_http_range *range, struct hf_bytes field, uint64_t size);

/** The value of one cookie; empty when it is not there. */
struct hf_bytes hf_http_cookie(struct hf_bytes cookies, const char *name);
/** What follows a scheme ("Bearer", "Basic") in Authorization, any case; empty when it is another scheme. */
struct hf_bytes hf_http_credentials(struct hf_bytes authorization, const char *scheme);
/** The value of a query parameter that is a decimal number; false when it is missing or none. */
HF_MUST bool hf_http_query_uint(uint64_t *value, struct hf_bytes query, const char *name);
/** Does the ETag stand in this If-None-Match list, or is the list `*`? Weak comparison. */
bool hf_http_etag_listed(struct hf_bytes list, struct hf_bytes etag);
/** "Not Found"; static. */
const char *hf_http_status_name(int status);

#endif
