/* SPDX-License-Identifier: Apache-2.0
 * One API request being answered: what the handlers of hf/server/api_*.c work with.
 *
 * The dispatch (hf/server/api.c) has found the route, checked who asks and every parameter and the body against its
 * schema, before a handler sees the call; a handler reads `args` and `body` without checking their shape again.
 */
#ifndef HF_SERVER_CALL_H
#define HF_SERVER_CALL_H

#include "hf/fleet/rollout.h"
#include "hf/server/auth.h"
#include "hf/server/core.h"
#include "hf/server/openapi.h"
#include "hf/server/problem.h"
#include "hf/server/throttle.h"

/** What the API keeps between requests. */
struct hf_api {
  json_t *document;
  char *text; /**< the document as text */
  json_t *param_schema[HF_PARAM_COUNT];
  struct hf_throttle throttle;
};

/** A path or query parameter, percent-decoded. */
struct hf_arg {
  bool given;
  struct hf_bytes text; /**< NUL follows */
  int64_t number;       /**< of an integer; 0 or 1 of a boolean */
};

/** Decoded parameters together; longer requests are refused. */
#define HF_CALL_ROOM 4096
/** Things on a page when the request does not say. */
#define HF_PAGE_DEFAULT 100
/** A page ends early when less room than this is left: no single thing on a list is longer. */
#define HF_PAGE_RESERVE (64u << 10)
/** Longest key of a cursor. */
#define HF_CURSOR_MAX 200

struct hf_call {
  struct hf_engine *engine;
  struct hf_db *db;
  struct hf_api *api;
  const struct hf_api_request *request;
  struct hf_api_reply *reply;
  struct hf_buf *out; /**< the reply's body */
  const struct hf_route *route;
  struct hf_actor who;
  struct hf_arg args[HF_PARAM_COUNT];
  bool changed; /**< the handler has begun to change things: a refusal must be undone */
  json_t *body; /**< checked against the route's schema; NULL when there is none */
  struct hf_buf room;
  uint8_t room_bytes[HF_CALL_ROOM];
};

#define HF_ROUTE(name, method, path, scope, status, request, reply, query, refusals, summary)                          \
  void hf_api_##name(struct hf_call *call);
#include "hf/server/api.def"
#undef HF_ROUTE

/** Put the rollouts that are not over as array elements, newest first: for the overview. */
HF_MUST enum hf_err hf_api_put_rollouts(struct hf_call *call);

/** Put members `factory` and `alarms` of one device. */
HF_MUST enum hf_err hf_api_put_origin(struct hf_call *call, struct hf_bytes device);
/** Put the counts of alarms and of what was made: for the overview. */
HF_MUST enum hf_err hf_api_put_factory(struct hf_call *call);

/* ---- parameters ---- */

/** Does the path fit the template? Fills the call's path parameters. HF_E_NOT_FOUND: another route, or a parameter that
 * cannot be; HF_E_SPACE: too long. */
HF_MUST enum hf_err hf_call_parse_path(struct hf_call *call, const struct hf_route *route);
/** Parse the query of call->route. On HF_E_INPUT the reply is the refusal already. */
HF_MUST enum hf_err hf_call_parse_query(struct hf_call *call);
/** Parse and check the body of call->route. On failure the reply is the refusal already. */
HF_MUST enum hf_err hf_call_parse_body(struct hf_call *call);

/** A path or query parameter. */
struct hf_bytes hf_call_arg(const struct hf_call *call, enum hf_param param);
/** A text member of the body; empty when it is not there. Borrows the body. */
struct hf_bytes hf_call_text(const struct hf_call *call, const char *name);
/** An integer member of the body, or `otherwise`. */
int64_t hf_call_int(const struct hf_call *call, const char *name, int64_t otherwise);
/** What the actor does, for the nouns: with the body's `reason` when it has one. Borrows the call. */
struct hf_act hf_call_act(const struct hf_call *call);

/* ---- refusing ---- */

/** Refuse. `what` and `where` may be NULL as in hf/server/problem.h. */
void hf_call_refuse(struct hf_call *call, enum hf_problem kind, const char *what, const char *where, const char *todo);
/** Refuse for an error of a noun's function: `why` (may be NULL) gives the rule's words, `what` says what could not be
 * done. */
void hf_call_fail(struct hf_call *call, enum hf_err err, const char *what, const struct hf_why *why);

/* ---- writing replies ---- */

void hf_reply_put_text(struct hf_buf *out, const char *name, struct hf_bytes text);
void hf_reply_put_null(struct hf_buf *out, const char *name);
/** null when empty. */
void hf_reply_put_text_or_null(struct hf_buf *out, const char *name, struct hf_bytes text);
void hf_reply_put_int(struct hf_buf *out, const char *name, int64_t number);
void hf_reply_put_bool(struct hf_buf *out, const char *name, bool flag);
void hf_reply_put_time(struct hf_buf *out, const char *name, int64_t seconds);
/** null for 0. */
void hf_reply_put_time_or_null(struct hf_buf *out, const char *name, int64_t seconds);
/** Hex; null when empty. */
void hf_reply_put_hash(struct hf_buf *out, const char *name, struct hf_bytes hash);
/** A number as text: ids, so that no reader loses digits. */
void hf_reply_put_id(struct hf_buf *out, const char *name, int64_t id);
/** The rule object or null. */
void hf_reply_put_rule(struct hf_buf *out, const char *name, int64_t rule);
/** The object of counts by update state, in the order of enum hf_member. */
void hf_reply_put_counts(struct hf_buf *out, const int64_t count[HF_MEMBER_STATES]);
/** A list of the blank-separated words. */
void hf_reply_put_words(struct hf_buf *out, const char *name, struct hf_bytes words);

/** A list of one object for each row of a statement. Between open and close, each hf_rows_next that says true has begun
 * an object; the caller puts its members. */
struct hf_rows {
  struct hf_buf *out;
  struct hf_stmt *stmt; /**< the row in hand */
  bool begun;           /**< an object is open */
  enum hf_err err;      /**< the caller may put the failure of a member here: it ends the list */
};

/** Begin the list. Takes the statement, whose parameters are put already; hf_rows_close drops it. */
HF_MUST struct hf_rows hf_rows_open(struct hf_buf *out, const char *name, struct hf_stmt *stmt);
/** End the object in hand and begin that of the next row. False: no more rows, or a failure. */
HF_MUST bool hf_rows_next(struct hf_rows *rows);
/** End the list, and give the failure that ended the walk early, if one did. */
HF_MUST enum hf_err hf_rows_close(struct hf_rows *rows);

/* ---- pages ---- */

/** A page being written. */
struct hf_page {
  struct hf_call *call;
  uint32_t limit;
  uint32_t count;
  bool more; /**< there is at least one thing after this page */
  uint8_t key[HF_CURSOR_MAX];
  size_t key_len;
};

/** Begin. `from` is appended with the key of the `after` cursor (nothing on the first page). HF_E_INPUT: not a cursor
 * of this list; the reply is the refusal already. */
HF_MUST enum hf_err hf_page_open(struct hf_page *page, struct hf_buf *from, struct hf_call *call);
/** The same for a list whose key is a number: `*from` is `otherwise` on the first page. */
HF_MUST enum hf_err hf_page_open_number(struct hf_page *page, int64_t *from, struct hf_call *call, int64_t otherwise);
/** May one more thing be put? Puts the comma and notes its key for the cursor. False: the page is full and `next` will
 * be set. */
HF_MUST bool hf_page_next(struct hf_page *page, struct hf_bytes key);
HF_MUST bool hf_page_next_number(struct hf_page *page, int64_t key);
/** End with `next` and `total`; or refuse, when walking the rows ended with another `err` than HF_OK and
 * HF_E_NOT_FOUND. */
void hf_page_close(struct hf_page *page, enum hf_err err, uint64_t total);
/** The key of a cursor as a number; `otherwise` when empty. HF_E_INPUT with the reply refused already. */
HF_MUST enum hf_err hf_page_number(int64_t *number, struct hf_call *call, struct hf_bytes key, int64_t otherwise);

#endif
