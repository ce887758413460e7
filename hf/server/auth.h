/* SPDX-License-Identifier: Apache-2.0
 * Who asks on the people side: operators with passwords, sessions, bearer tokens, and what each may do.
 *
 * Secrets are 256 random bits in base64url; stored is their SHA-256 alone, so that a stolen database opens nothing.
 * A session's CSRF token is an HMAC under the session's own secret: nothing more to store. Throttling of guesses is
 * hf/server/throttle.h. Formats and lives: docs/api.md.
 */
#ifndef HF_SERVER_AUTH_H
#define HF_SERVER_AUTH_H

#include "hf/server/api.h"
#include "hf/server/db.h"

/** What a token or operator may do; bits, as stored. No scope contains another. */
enum hf_scope {
  HF_SCOPE_READ = 1,    /**< see everything but tokens and settings */
  HF_SCOPE_OPERATE = 2, /**< devices, groups, rollouts */
  HF_SCOPE_RELEASE = 4, /**< products, uploads, releases */
  HF_SCOPE_ADMIN = 8    /**< tokens, settings */
};
#define HF_SCOPE_COUNT 4
#define HF_SCOPE_ALL 15u

/** 43 characters of base64url; a bearer token has "hf_" before them. */
#define HF_SECRET_TEXT_LEN 43
#define HF_TOKEN_PREFIX "hf_"
#define HF_ACTOR_NAME_MAX 80

/** A session ends after half an hour without use, and after 12 hours in any case. */
#define HF_SESSION_IDLE_S 1800
#define HF_SESSION_LIFE_S (INT64_C(12) * 3600)
/** "Last used" is written when it is older than this; the idle end is late by no more. */
#define HF_AUTH_USED_S 300
/** Sessions of one operator; the oldest gives way. */
#define HF_SESSIONS_MAX 32
/** A ticket from reader to engine is good for this long. */
#define HF_TICKET_LIFE_S 30

enum hf_actor_kind { HF_ACTOR_NONE, HF_ACTOR_SESSION, HF_ACTOR_TOKEN };

/** Who asks. */
struct hf_actor {
  enum hf_actor_kind kind;
  char name[HF_ACTOR_NAME_MAX + 1]; /**< operator's or token's own name */
  char who[HF_ACTOR_NAME_MAX + 16]; /**< for the audit log: "operator:anna", "token:ci" */
  unsigned scopes;
  int64_t expires;   /**< at the latest; sessions also idle out */
  int64_t last_used; /**< as stored */
  uint8_t hash[32];  /**< of the secret: key of the row */
};

/** "read", "operate", ... for one bit. Static. */
const char *hf_scope_name(enum hf_scope scope);

/**
 * Who sends this request, from its bearer token or, when there is none, its session cookie. Reads only.
 * @return HF_OK; HF_E_DENIED: nobody known, expired, or disabled; HF_E_IO
 */
HF_MUST enum hf_err hf_actor_get(struct hf_actor *actor, struct hf_db *db, const struct hf_api_request *request);
/** Is "last used" old enough to be written? */
bool hf_actor_stale(const struct hf_actor *actor, int64_t now);
/** Write "last used". */
HF_MUST enum hf_err hf_actor_put_used(const struct hf_actor *actor, struct hf_db *db, int64_t now);

/** The CSRF token of a session, appended: 43 characters. */
void hf_csrf_put(struct hf_buf *out, struct hf_bytes session);
/** Does the token belong to the session? Constant time. */
HF_MUST enum hf_verdict hf_csrf_verify(struct hf_bytes session, struct hf_bytes csrf);

/**
 * Give an operator a new password, which ends all sessions of theirs but one.
 * @param stored  what hf_password_put made of it: the scrypt was spent elsewhere
 * @param keep    hash of the session that goes on
 * @return HF_OK; HF_E_NOT_FOUND: no such operator
 */
HF_MUST enum hf_err hf_operator_put(struct hf_db *db, struct hf_bytes name, struct hf_bytes stored,
                                    const uint8_t keep[32]);
/** Is this the operator's password? Takes the same time for an unknown name. About 0.1 s of scrypt. */
HF_MUST enum hf_verdict hf_operator_verify(struct hf_db *db, struct hf_bytes name, struct hf_bytes password);

/** What the reader tells the engine about a login. */
enum hf_ticket { HF_TICKET_GOOD = 'g', HF_TICKET_LOCKED = 'l', HF_TICKET_PASSWORD = 'p' };
/** A ticket in hex; what else the reader has to say may follow it. */
#define HF_TICKET_TEXT_LEN 82
/** Append the ticket; it binds what it is about, address, body and time under the key both processes share.
 * @param name  the operator; for a new password with a zero byte and its stored form after it */
void hf_ticket_put(struct hf_buf *out, enum hf_ticket kind, struct hf_bytes name, const struct hf_api_request *request,
                   const uint8_t key[32]);
/** Does `request->ticket` say `kind` about this name and request, and is it fresh? */
HF_MUST enum hf_verdict hf_ticket_verify(enum hf_ticket kind, struct hf_bytes name,
                                         const struct hf_api_request *request, const uint8_t key[32]);

/** Open a session. @param secret  appended: the cookie's value */
HF_MUST enum hf_err hf_session_new(struct hf_db *db, struct hf_buf *secret, struct hf_bytes name,
                                   struct hf_bytes address, int64_t now);
/** End it. HF_OK also when there was none. */
HF_MUST enum hf_err hf_session_close(struct hf_db *db, const uint8_t hash[32]);

/** A token to make. Borrows. */
struct hf_token_new {
  struct hf_bytes name;
  struct hf_bytes by; /**< who makes it, as in the audit log */
  unsigned scopes;
  int64_t expires;
};
/** Make it. @param secret  appended, "hf_..."  @param id  fills */
HF_MUST enum hf_err hf_token_put(struct hf_db *db, struct hf_buf *secret, int64_t *id, const struct hf_token_new *token,
                                 int64_t now);

/** Remove sessions that ended, and tokens that expired a month ago. */
HF_MUST enum hf_err hf_auth_tick(struct hf_db *db, int64_t now);

#endif
