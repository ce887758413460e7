/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hf/crypto/key.h"
#include "hf/server/auth.h"
#include "hf/server/schema.h"

#define NOW INT64_C(1795000000)
#define PASSWORD "correct horse battery"

static struct hf_db *db;

/* As `holdfast init` hands an operator over (hf/server/bootstrap.c). */
static enum hf_err operator_new(const char *name, const char *password, unsigned scopes)
{
  uint8_t room[160];
  struct hf_buf stored = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_password_put(&stored, hf_bytes_text(password)), HF_OK);
  struct hf_stmt *stmt = hf_stmt_open(db, "INSERT INTO operator (name, password, scopes, created) VALUES (?, ?, ?, ?)");
  hf_stmt_put_text(stmt, hf_bytes_text(name));
  hf_stmt_put_text(stmt, hf_buf_bytes(&stored));
  hf_stmt_put_int(stmt, scopes);
  hf_stmt_put_int(stmt, NOW);
  return hf_stmt_run(stmt);
}

static int open_db(void **state)
{
  (void)state;
  return hf_db_open(&db, &hf_db_sqlite, ":memory:", false) != HF_OK || hf_schema_init(db) != HF_OK ||
         operator_new("anna", PASSWORD, HF_SCOPE_ALL) != HF_OK;
}

static int close_db(void **state)
{
  (void)state;
  hf_db_close(db);
  return 0;
}

struct secret {
  uint8_t room[64];
  struct hf_bytes text;
};

static void session(struct secret *secret, int64_t now)
{
  struct hf_buf out = hf_buf_init(secret->room, sizeof secret->room);
  assert_int_equal(hf_session_new(db, &out, HF_LIT("anna"), HF_LIT("192.0.2.1"), now), HF_OK);
  secret->text = hf_buf_bytes(&out);
}

static enum hf_err by_session(struct hf_actor *actor, struct hf_bytes secret, int64_t now)
{
  struct hf_api_request request = {.session = secret, .now = now};
  return hf_actor_get(actor, db, &request);
}

static void passwords_are_checked_and_unknown_names_denied(void **state)
{
  (void)state;
  assert_int_equal(hf_operator_verify(db, HF_LIT("anna"), HF_LIT(PASSWORD)), HF_ALLOW);
  assert_int_equal(hf_operator_verify(db, HF_LIT("anna"), HF_LIT(PASSWORD "x")), HF_DENY);
  assert_int_equal(hf_operator_verify(db, HF_LIT("anna"), HF_LIT("")), HF_DENY);
  assert_int_equal(hf_operator_verify(db, HF_LIT("Anna"), HF_LIT(PASSWORD)), HF_DENY);
  assert_int_equal(hf_operator_verify(db, HF_LIT("nobody"), HF_LIT(PASSWORD)), HF_DENY);
  assert_int_equal(hf_operator_verify(db, HF_LIT("' OR 1=1 --"), HF_LIT(PASSWORD)), HF_DENY);
}

static void the_database_holds_no_secret(void **state)
{
  (void)state;
  struct secret secret;
  session(&secret, NOW);
  struct hf_stmt *stmt = hf_stmt_open(db, "SELECT hash FROM session");
  assert_int_equal(hf_stmt_next(stmt), HF_OK);
  uint8_t hash[32];
  hf_sha256(hash, secret.text);
  assert_true(hf_bytes_equal(hf_stmt_get_bytes(stmt, 0), hf_bytes_init(hash, sizeof hash)));
  hf_stmt_close(stmt);
  stmt = hf_stmt_open(db, "SELECT password FROM operator");
  assert_int_equal(hf_stmt_next(stmt), HF_OK);
  assert_memory_equal(hf_stmt_get_bytes(stmt, 0).at, "scrypt$", 7);
  hf_stmt_close(stmt);
}

static void a_session_lives_while_it_is_used_and_ends_in_any_case(void **state)
{
  (void)state;
  struct secret secret;
  struct hf_actor actor;
  session(&secret, NOW);
  assert_int_equal(secret.text.len, HF_SECRET_TEXT_LEN);
  assert_int_equal(by_session(&actor, secret.text, NOW), HF_OK);
  assert_string_equal(actor.who, "operator:anna");
  assert_int_equal(actor.scopes, HF_SCOPE_ALL);
  assert_false(hf_actor_stale(&actor, NOW + HF_AUTH_USED_S - 1));
  assert_true(hf_actor_stale(&actor, NOW + HF_AUTH_USED_S));
  assert_int_equal(by_session(&actor, secret.text, NOW + HF_SESSION_IDLE_S), HF_OK);
  assert_int_equal(by_session(&actor, secret.text, NOW + HF_SESSION_IDLE_S + HF_AUTH_USED_S), HF_E_DENIED);
  assert_int_equal(actor.kind, HF_ACTOR_NONE);
  for (int64_t now = NOW; now < NOW + HF_SESSION_LIFE_S; now += HF_SESSION_IDLE_S) {
    assert_int_equal(by_session(&actor, secret.text, now), HF_OK);
    assert_int_equal(hf_actor_put_used(&actor, db, now), HF_OK);
  }
  assert_int_equal(by_session(&actor, secret.text, NOW + HF_SESSION_LIFE_S), HF_E_DENIED);
}

static void a_session_ends_when_closed_disabled_or_given_a_new_password(void **state)
{
  (void)state;
  struct secret secret;
  struct hf_actor actor;
  session(&secret, NOW);
  assert_int_equal(by_session(&actor, secret.text, NOW), HF_OK);
  assert_int_equal(hf_session_close(db, actor.hash), HF_OK);
  assert_int_equal(by_session(&actor, secret.text, NOW), HF_E_DENIED);
  session(&secret, NOW);
  uint8_t room[160];
  struct hf_buf stored = hf_buf_init(room, sizeof room);
  struct secret kept;
  session(&kept, NOW);
  assert_int_equal(by_session(&actor, kept.text, NOW), HF_OK);
  assert_int_equal(hf_password_put(&stored, HF_LIT("another password")), HF_OK);
  session(&secret, NOW);
  assert_int_equal(hf_operator_put(db, HF_LIT("bert"), hf_buf_bytes(&stored), actor.hash), HF_E_NOT_FOUND);
  assert_int_equal(hf_operator_put(db, HF_LIT("anna"), hf_buf_bytes(&stored), actor.hash), HF_OK);
  assert_int_equal(by_session(&actor, secret.text, NOW), HF_E_DENIED);
  assert_int_equal(by_session(&actor, kept.text, NOW), HF_OK);
  assert_int_equal(hf_operator_verify(db, HF_LIT("anna"), HF_LIT(PASSWORD)), HF_DENY);
  assert_int_equal(hf_operator_verify(db, HF_LIT("anna"), HF_LIT("another password")), HF_ALLOW);
  session(&secret, NOW);
  assert_int_equal(by_session(&actor, secret.text, NOW), HF_OK);
  assert_int_equal(hf_db_run(db, "UPDATE operator SET disabled = 1"), HF_OK);
  assert_int_equal(by_session(&actor, secret.text, NOW), HF_E_DENIED);
}

static void the_oldest_session_gives_way(void **state)
{
  (void)state;
  struct secret first;
  struct secret last;
  struct hf_actor actor;
  int64_t count;
  session(&first, NOW);
  for (int i = 0; i < HF_SESSIONS_MAX; i++) {
    session(&last, NOW + 1);
  }
  assert_int_equal(hf_stmt_run_int(hf_stmt_open(db, "SELECT count(*) FROM session"), &count), HF_OK);
  assert_int_equal(count, HF_SESSIONS_MAX);
  assert_int_equal(by_session(&actor, first.text, NOW + 1), HF_E_DENIED);
  assert_int_equal(by_session(&actor, last.text, NOW + 1), HF_OK);
}

static void csrf_tokens_belong_to_one_session(void **state)
{
  (void)state;
  struct secret a;
  struct secret b;
  uint8_t room[64];
  struct hf_buf csrf = hf_buf_init(room, sizeof room);
  session(&a, NOW);
  session(&b, NOW);
  hf_csrf_put(&csrf, a.text);
  assert_int_equal(csrf.len, HF_SECRET_TEXT_LEN);
  assert_int_equal(hf_csrf_verify(a.text, hf_buf_bytes(&csrf)), HF_ALLOW);
  assert_int_equal(hf_csrf_verify(b.text, hf_buf_bytes(&csrf)), HF_DENY);
  assert_int_equal(hf_csrf_verify(a.text, HF_LIT("")), HF_DENY);
  assert_int_equal(hf_csrf_verify(a.text, a.text), HF_DENY);
  room[0] ^= 1;
  assert_int_equal(hf_csrf_verify(a.text, hf_buf_bytes(&csrf)), HF_DENY);
}

static void tokens_have_scope_and_end(void **state)
{
  (void)state;
  uint8_t room[64];
  struct hf_buf secret = hf_buf_init(room, sizeof room);
  struct hf_token_new token = {
      .name = HF_LIT("ci"), .by = HF_LIT("operator:anna"), .scopes = HF_SCOPE_RELEASE, .expires = NOW + 100};
  struct hf_actor actor;
  int64_t id;
  assert_int_equal(hf_token_put(db, &secret, &id, &token, NOW), HF_OK);
  assert_memory_equal(room, "hf_", 3);
  assert_int_equal(secret.len, HF_SECRET_TEXT_LEN + 3);
  struct hf_api_request request = {.bearer = hf_buf_bytes(&secret), .now = NOW + 99};
  assert_int_equal(hf_actor_get(&actor, db, &request), HF_OK);
  assert_string_equal(actor.who, "token:ci");
  assert_int_equal(actor.scopes, HF_SCOPE_RELEASE);
  request.now = NOW + 100;
  assert_int_equal(hf_actor_get(&actor, db, &request), HF_E_DENIED);
  request.now = NOW;
  request.bearer.len--;
  assert_int_equal(hf_actor_get(&actor, db, &request), HF_E_DENIED);
  request.session = hf_buf_bytes(&secret); /* a bad bearer is not saved by a cookie, nor is a token a session */
  assert_int_equal(hf_actor_get(&actor, db, &request), HF_E_DENIED);
  request.bearer = (struct hf_bytes){NULL, 0};
  assert_int_equal(hf_actor_get(&actor, db, &request), HF_E_DENIED);
}

static void what_has_ended_is_cleared_away(void **state)
{
  (void)state;
  struct secret secret;
  uint8_t room[64];
  struct hf_buf token_secret = hf_buf_init(room, sizeof room);
  struct hf_token_new token = {.name = HF_LIT("ci"), .by = HF_LIT("x"), .scopes = 1, .expires = NOW + 100};
  int64_t id;
  int64_t count;
  session(&secret, NOW);
  assert_int_equal(hf_token_put(db, &token_secret, &id, &token, NOW), HF_OK);
  assert_int_equal(hf_auth_tick(db, NOW + HF_SESSION_IDLE_S), HF_OK);
  assert_int_equal(hf_stmt_run_int(hf_stmt_open(db, "SELECT count(*) FROM session"), &count), HF_OK);
  assert_int_equal(count, 1);
  assert_int_equal(hf_auth_tick(db, NOW + HF_SESSION_LIFE_S), HF_OK);
  assert_int_equal(hf_stmt_run_int(hf_stmt_open(db, "SELECT count(*) FROM session"), &count), HF_OK);
  assert_int_equal(count, 0);
  assert_int_equal(hf_stmt_run_int(hf_stmt_open(db, "SELECT count(*) FROM token"), &count), HF_OK);
  assert_int_equal(count, 1);
  assert_int_equal(hf_auth_tick(db, NOW + 100 + 31 * 86400), HF_OK);
  assert_int_equal(hf_stmt_run_int(hf_stmt_open(db, "SELECT count(*) FROM token"), &count), HF_OK);
  assert_int_equal(count, 0);
}

static void tickets_bind_name_address_body_kind_and_time(void **state)
{
  (void)state;
  uint8_t key[32] = {7};
  uint8_t other[32] = {8};
  char room[HF_API_TICKET_MAX];
  struct hf_buf ticket = hf_buf_init(room, sizeof room);
  struct hf_api_request request = {.body = HF_LIT("{}"), .address = HF_LIT("192.0.2.1"), .now = NOW};
  hf_ticket_put(&ticket, HF_TICKET_GOOD, HF_LIT("anna"), &request, key);
  assert_false(ticket.failed);
  request.ticket = hf_buf_bytes(&ticket);
  assert_int_equal(hf_ticket_verify(HF_TICKET_GOOD, HF_LIT("anna"), &request, key), HF_ALLOW);
  assert_int_equal(hf_ticket_verify(HF_TICKET_GOOD, HF_LIT("anna"), &request, other), HF_DENY);
  assert_int_equal(hf_ticket_verify(HF_TICKET_LOCKED, HF_LIT("anna"), &request, key), HF_DENY);
  assert_int_equal(hf_ticket_verify(HF_TICKET_GOOD, HF_LIT("bert"), &request, key), HF_DENY);
  struct hf_api_request changed = request;
  changed.address = HF_LIT("192.0.2.2");
  assert_int_equal(hf_ticket_verify(HF_TICKET_GOOD, HF_LIT("anna"), &changed, key), HF_DENY);
  changed = request;
  changed.body = HF_LIT("{ }");
  assert_int_equal(hf_ticket_verify(HF_TICKET_GOOD, HF_LIT("anna"), &changed, key), HF_DENY);
  changed = request;
  changed.now = NOW + HF_TICKET_LIFE_S + 1;
  assert_int_equal(hf_ticket_verify(HF_TICKET_GOOD, HF_LIT("anna"), &changed, key), HF_DENY);
  changed.now = NOW - 1;
  assert_int_equal(hf_ticket_verify(HF_TICKET_GOOD, HF_LIT("anna"), &changed, key), HF_DENY);
  for (size_t i = 0; i < ticket.len; i++) {
    room[i] = room[i] == '0' ? '1' : '0';
    assert_int_equal(hf_ticket_verify(HF_TICKET_GOOD, HF_LIT("anna"), &request, key), HF_DENY);
    room[i] = 'g';
    assert_int_equal(hf_ticket_verify(HF_TICKET_GOOD, HF_LIT("anna"), &request, key), HF_DENY);
    ticket.len = 0;
    hf_ticket_put(&ticket, HF_TICKET_GOOD, HF_LIT("anna"), &request, key);
  }
  request.ticket.len--;
  assert_int_equal(hf_ticket_verify(HF_TICKET_GOOD, HF_LIT("anna"), &request, key), HF_DENY);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, open_db, close_db)

int main(void)
{
  const struct CMUnitTest tests[] = {
      ONE(passwords_are_checked_and_unknown_names_denied),
      ONE(the_database_holds_no_secret),
      ONE(a_session_lives_while_it_is_used_and_ends_in_any_case),
      ONE(a_session_ends_when_closed_disabled_or_given_a_new_password),
      ONE(the_oldest_session_gives_way),
      ONE(csrf_tokens_belong_to_one_session),
      ONE(tokens_have_scope_and_end),
      ONE(what_has_ended_is_cleared_away),
      ONE(tickets_bind_name_address_body_kind_and_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
