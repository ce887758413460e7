/* SPDX-License-Identifier: Apache-2.0
 * The tables of the API say one thing in code, document and manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hf/server/auth.h"
#include "hf/server/openapi.h"
#include "hf/server/problem.h"

static json_t *document;

static int make(void **state)
{
  (void)state;
  document = hf_openapi_new();
  return document == NULL;
}

static int drop(void **state)
{
  (void)state;
  json_decref(document);
  return 0;
}

static char *read_file(const char *path)
{
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  char *text = calloc(1, 1 << 20);
  assert_non_null(text);
  size_t len = fread(text, 1, (1 << 20) - 1, file);
  assert_true(len > 0);
  fclose(file);
  return text;
}

/* Walk every value of the document; recursion over our own document. */
static void check_refs(const json_t *value)
{
  const char *name;
  json_t *member;
  size_t index;
  json_object_foreach((json_t *)(uintptr_t)value, name, member)
  {
    if (strcmp(name, "$ref") == 0) {
      const char *ref = json_string_value(member);
      assert_memory_equal(ref, "#/components/schemas/", 21);
      assert_non_null(json_object_get(hf_openapi_schemas(document), ref + 21));
    }
    check_refs(member);
  }
  json_array_foreach((json_t *)(uintptr_t)value, index, member) { check_refs(member); }
}

static void every_reference_has_its_schema(void **state)
{
  (void)state;
  assert_string_equal(json_string_value(json_object_get(document, "openapi")), "3.1.0");
  check_refs(document);
}

static void every_schema_is_used(void **state)
{
  (void)state;
  char *text = json_dumps(document, JSON_COMPACT);
  const char *name;
  json_t *schema;
  assert_non_null(text);
  json_object_foreach(hf_openapi_schemas(document), name, schema)
  {
    char ref[80];
    (void)snprintf(ref, sizeof ref, "\"#/components/schemas/%s\"", name);
    if (strstr(text, ref) == NULL) {
      fail_msg("nothing refers to schema %s", name);
    }
  }
  free(text);
}

static const char *lower(enum hf_method method)
{
  static const char *const names[] = {"get", "post", "put", "patch", "delete"};
  return names[method];
}

static void every_route_is_an_operation(void **state)
{
  (void)state;
  json_t *paths = json_object_get(document, "paths");
  for (size_t i = 0; i < HF_ROUTE_COUNT; i++) {
    const struct hf_route *route = &hf_routes[i];
    json_t *operation = json_object_get(json_object_get(paths, route->path), lower(route->method));
    assert_string_equal(json_string_value(json_object_get(operation, "operationId")), route->name);
    char status[8];
    (void)snprintf(status, sizeof status, "%d", route->status);
    json_t *responses = json_object_get(operation, "responses");
    assert_non_null(json_object_get(responses, status));
    assert_non_null(json_object_get(responses, "400"));
    bool open = route->scope == HF_ROUTE_NONE;
    assert_int_equal(json_array_size(json_object_get(operation, "security")) == 0, open);
    assert_int_equal(json_object_get(operation, "requestBody") != NULL, route->request[0] != 0);
  }
}

static size_t count_of(const char *text, char c)
{
  size_t count = 0;
  for (; *text != 0; text++) {
    count += *text == c;
  }
  return count;
}

static void every_parameter_of_a_route_is_described(void **state)
{
  (void)state;
  json_t *paths = json_object_get(document, "paths");
  bool used[HF_PARAM_COUNT] = {false};
  for (size_t i = 0; i < HF_ROUTE_COUNT; i++) {
    const struct hf_route *route = &hf_routes[i];
    json_t *params =
        json_object_get(json_object_get(json_object_get(paths, route->path), lower(route->method)), "parameters");
    size_t words = route->query[0] == 0 ? 0 : count_of(route->query, ' ') + 1;
    assert_int_equal(json_array_size(params), count_of(route->path, '{') + words);
    for (size_t p = 0; p < HF_PARAM_COUNT; p++) {
      char braced[64];
      (void)snprintf(braced, sizeof braced, "{%s}", hf_params[p].name);
      used[p] = used[p] || (hf_params[p].place == HF_PARAM_PATH ? strstr(route->path, braced) != NULL
                                                                : hf_words_have(route->query, hf_params[p].name));
    }
    bool list = strstr(route->reply, "[]") != NULL;
    assert_int_equal(list, hf_words_have(route->query, "limit"));
    assert_int_equal(list, hf_words_have(route->query, "after"));
  }
  for (size_t p = 0; p < HF_PARAM_COUNT; p++) {
    assert_true(used[p]);
  }
}

static void only_what_must_be_is_open_to_anybody(void **state)
{
  (void)state;
  static const char *const open[] = {"health", "openapi", "session_open"};
  for (size_t i = 0; i < HF_ROUTE_COUNT; i++) {
    bool listed = false;
    for (size_t k = 0; k < sizeof open / sizeof open[0]; k++) {
      listed = listed || strcmp(open[k], hf_routes[i].name) == 0;
    }
    assert_int_equal(listed, hf_routes[i].scope == HF_ROUTE_NONE);
    if (hf_routes[i].method != HF_GET && hf_routes[i].scope != HF_ROUTE_NONE && hf_routes[i].scope != HF_ROUTE_ANY) {
      assert_int_not_equal(hf_routes[i].scope, HF_SCOPE_READ); /* a reader changes nothing */
    }
  }
}

static const char *scope_word(unsigned scope)
{
  return scope == HF_ROUTE_NONE ? "none" : scope == HF_ROUTE_ANY ? "any" : hf_scope_name((enum hf_scope)scope);
}

static void the_manual_lists_exactly_these_routes(void **state)
{
  (void)state;
  char *manual = read_file("docs/api.md");
  size_t rows = 0;
  for (size_t i = 0; i < HF_ROUTE_COUNT; i++) {
    const struct hf_route *route = &hf_routes[i];
    char row[400];
    (void)snprintf(row, sizeof row, "\n| %s | %s | %s | %s |\n", hf_method_name(route->method), route->path,
                   scope_word(route->scope), route->summary);
    if (strstr(manual, row) == NULL) {
      fail_msg("docs/api.md lacks the row:%s", row);
    }
  }
  for (const char *at = strstr(manual, "| /"); at != NULL; at = strstr(at + 1, "| /")) {
    rows++;
  }
  assert_int_equal(rows, HF_ROUTE_COUNT);
  free(manual);
}

static void the_manual_lists_every_kind_of_problem(void **state)
{
  (void)state;
  static const char *const slugs[] = {
#define HF_PROBLEM(name, status, slug, title, todo) "| " #status " | `urn:holdfast:problem:" slug "` | " title " |",
#include "hf/server/problem.def"
#undef HF_PROBLEM
  };
  char *manual = read_file("docs/spec/problem.md");
  for (size_t i = 0; i < HF_PROBLEM_COUNT; i++) {
    if (strstr(manual, slugs[i]) == NULL) {
      fail_msg("docs/spec/problem.md lacks: %s", slugs[i]);
    }
  }
  free(manual);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_reference_has_its_schema),
      cmocka_unit_test(every_schema_is_used),
      cmocka_unit_test(every_route_is_an_operation),
      cmocka_unit_test(every_parameter_of_a_route_is_described),
      cmocka_unit_test(only_what_must_be_is_open_to_anybody),
      cmocka_unit_test(the_manual_lists_exactly_these_routes),
      cmocka_unit_test(the_manual_lists_every_kind_of_problem),
  };
  return cmocka_run_group_tests(tests, make, drop);
}
