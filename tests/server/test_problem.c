/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hf/server/jsonschema.h"
#include "hf/server/openapi.h"
#include "hf/server/problem.h"

static struct hf_api_reply reply;
static uint8_t room[4096];

/* The document as JSON, checked against the API's own schema. */
static json_t *document_of(void)
{
  struct hf_jsonschema_blame blame;
  json_t *document = json_loadb((const char *)reply.body.at, reply.body.len, JSON_REJECT_DUPLICATES, NULL);
  json_t *api = hf_openapi_new();
  json_t *schemas = hf_openapi_schemas(api);
  assert_non_null(document);
  if (hf_jsonschema_check(&blame, schemas, json_object_get(schemas, "Problem"), document) != HF_OK) {
    fail_msg("%s: %s", blame.where, blame.what);
  }
  json_decref(api);
  return document;
}

static void put(enum hf_problem kind, struct hf_problem_words words)
{
  memset(&reply, 0, sizeof reply);
  reply.body = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&reply.body, "half a rep");
  hf_problem_put(&reply, kind, &words);
}

static const char *text(json_t *document, const char *name)
{
  return json_string_value(json_object_get(document, name));
}

static void every_kind_has_words_without_being_given_any(void **state)
{
  (void)state;
  for (unsigned kind = 0; kind < HF_PROBLEM_COUNT; kind++) {
    put((enum hf_problem)kind, (struct hf_problem_words){0});
    json_t *document = document_of();
    assert_int_equal(reply.status, hf_problem_status((enum hf_problem)kind));
    assert_int_equal(json_integer_value(json_object_get(document, "status")), reply.status);
    assert_string_equal(reply.content_type, "application/problem+json");
    assert_true(strlen(text(document, "what")) > 0);
    assert_true(strlen(text(document, "todo")) > 0);
    json_decref(document);
  }
}

static void rules_are_told_in_words(void **state)
{
  (void)state;
  put(HF_PROBLEM_REFUSED, (struct hf_problem_words){.where = "/targets", .rule = HF_RULE_TUF_UNSIGNED});
  json_t *document = document_of();
  json_t *rule = json_object_get(document, "rule");
  assert_string_equal(text(rule, "name"), "TUF_UNSIGNED");
  assert_string_equal(text(document, "what"), hf_rule_words(HF_RULE_TUF_UNSIGNED)->what);
  assert_string_equal(text(document, "todo"), hf_rule_words(HF_RULE_TUF_UNSIGNED)->todo);
  json_decref(document);
}

static void quotes_and_controls_stay_inside_their_text(void **state)
{
  (void)state;
  put(HF_PROBLEM_INPUT,
      (struct hf_problem_words){.what = "a \"quote\", a \\ and a \n", .where = "/\x01", .todo = "\xc3\xa4"});
  json_t *document = document_of();
  assert_string_equal(text(document, "what"), "a \"quote\", a \\ and a \n");
  assert_string_equal(text(document, "where"), "/\x01");
  assert_string_equal(text(document, "todo"), "\xc3\xa4");
  json_decref(document);
}

static void every_error_has_a_kind_that_fits(void **state)
{
  (void)state;
  assert_int_equal(hf_problem_status(hf_problem_of(HF_E_INPUT)), 400);
  assert_int_equal(hf_problem_status(hf_problem_of(HF_E_NOT_FOUND)), 404);
  assert_int_equal(hf_problem_status(hf_problem_of(HF_E_EXISTS)), 409);
  assert_int_equal(hf_problem_status(hf_problem_of(HF_E_STATE)), 409);
  assert_int_equal(hf_problem_status(hf_problem_of(HF_E_SPACE)), 413);
  assert_int_equal(hf_problem_status(hf_problem_of(HF_E_DENIED)), 422);
  assert_int_equal(hf_problem_status(hf_problem_of(HF_E_AGAIN)), 503);
  assert_int_equal(hf_problem_status(hf_problem_of(HF_E_FULL)), 507);
  assert_int_equal(hf_problem_status(hf_problem_of(HF_E_IO)), 500);
  assert_int_equal(hf_problem_status(hf_problem_of(HF_E_CRYPTO)), 500);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_has_words_without_being_given_any),
      cmocka_unit_test(rules_are_told_in_words),
      cmocka_unit_test(quotes_and_controls_stay_inside_their_text),
      cmocka_unit_test(every_error_has_a_kind_that_fits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
