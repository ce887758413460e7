/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hf/server/jsonschema.h"
#include "hf/server/openapi.h"

static json_t *load(const char *text)
{
  json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
  assert_non_null(value);
  return value;
}

static enum hf_err check(struct hf_jsonschema_blame *blame, const char *schema, const char *value)
{
  json_t *s = load(schema);
  json_t *v = load(value);
  json_t *schemas =
      load("{\"Name\": {\"type\": \"string\", \"pattern\": \"^[a-z]+$\", \"x-words\": \"small letters\"}}");
  enum hf_err err = hf_jsonschema_check(blame, schemas, s, v);
  json_decref(s);
  json_decref(v);
  json_decref(schemas);
  return err;
}

static void tells_what_fits_from_what_does_not(void **state)
{
  (void)state;
  static const struct {
    const char *schema;
    const char *good;
    const char *bad;
    const char *where;
    const char *what;
  } rows[] = {
      {"{\"type\":\"string\"}", "\"a\"", "1", "", "a whole number was given where a text belongs"},
      {"{\"type\":[\"string\",\"null\"]}", "null", "true", "", "true or false was given where a text or null belongs"},
      {"{\"type\":\"integer\"}", "7", "7.5", "", "a number with a fraction was given where a whole number belongs"},
      {"{\"type\":\"integer\",\"minimum\":2}", "2", "1", "", "1 is too small"},
      {"{\"type\":\"integer\",\"maximum\":2}", "2", "3", "", "3 is too large"},
      {"{\"type\":\"string\",\"minLength\":1}", "\"a\"", "\"\"", "", "the text is empty"},
      {"{\"type\":\"string\",\"maxLength\":2}", "\"\\u00e4\\u00f6\"", "\"abc\"", "", "the text has 3 characters"},
      {"{\"type\":\"string\",\"pattern\":\"^a+$\"}", "\"aa\"", "\"ab\"", "", "the text does not have the right form"},
      {"{\"type\":\"string\",\"pattern\":\"^a+$\"}", "\"a\"", "\"a\\n\"", "", "the text does not have the right form"},
      {"{\"enum\":[\"x\",\"y\"]}", "\"y\"", "\"z\"", "", "the value is not one of those there are"},
      {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}", "[1,2]", "[1,\"2\"]", "/1",
       "a text was given where a whole number belongs"},
      {"{\"type\":\"array\",\"minItems\":1}", "[1]", "[]", "", "there are 0 entries"},
      {"{\"type\":\"array\",\"maxItems\":1}", "[1]", "[1,2]", "", "there are 2 entries"},
      {"{\"type\":\"array\",\"uniqueItems\":true}", "[1,2]", "[1,2,1]", "/2", "the same entry is there twice"},
      {"{\"type\":\"object\",\"required\":[\"a\"]}", "{\"a\":1}", "{\"b\":1}", "/a", "the member \"a\" is missing"},
      {"{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"a\":{}}}", "{\"a\":1}", "{\"b\":1}", "/b",
       "there is no member of this name"},
      {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}", "{\"a\":1}", "{\"b\":\"c\"}", "/b",
       "a text was given where a whole number belongs"},
      {"{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^a\",\"x-words\":\"an a\"}}", "{\"ab\":1}", "{\"b\":1}",
       "/b", "the member's name does not have the right form"},
      {"{\"type\":\"object\",\"minProperties\":1}", "{\"a\":1}", "{}", "", "there are 0 members"},
      {"{\"type\":\"object\",\"maxProperties\":1}", "{\"a\":1}", "{\"a\":1,\"b\":1}", "", "there are 2 members"},
      {"{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/components/schemas/Name\"}}}", "{\"a\":\"x\"}",
       "{\"a\":\"X\"}", "/a", "the text does not have the right form"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct hf_jsonschema_blame blame;
    assert_int_equal(check(&blame, rows[i].schema, rows[i].good), HF_OK);
    assert_string_equal(blame.where, "");
    assert_int_equal(check(&blame, rows[i].schema, rows[i].bad), HF_E_INPUT);
    assert_string_equal(blame.where, rows[i].where);
    assert_string_equal(blame.what, rows[i].what);
    assert_true(strlen(blame.todo) > 0);
  }
}

static void escapes_and_bounds_the_pointer(void **state)
{
  (void)state;
  struct hf_jsonschema_blame blame;
  char value[1200] = "{\"a/b~c\": {\"";
  const char *schema =
      "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"object\",\"additionalProperties\":false}}";
  size_t len = strlen(value);
  memset(value + len, 'n', 1000);
  memcpy(value + len + 1000, "\": 1}}", 7);
  assert_int_equal(check(&blame, schema, value), HF_E_INPUT);
  assert_memory_equal(blame.where, "/a~1b~0c/nnn", 12);
  assert_true(strlen(blame.where) < sizeof blame.where);
  assert_string_equal(blame.where + strlen(blame.where) - 3, "...");
}

static void notices_words_it_does_not_understand(void **state)
{
  (void)state;
  struct hf_jsonschema_blame blame;
  json_t *schema = load("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\",\"items\":{\"oneOf\":[]}}}}");
  assert_int_equal(hf_jsonschema_known(&blame, NULL, schema), HF_E_INPUT);
  assert_string_equal(blame.what, "oneOf");
  json_decref(schema);
  schema = load("{\"$ref\":\"#/components/schemas/Nothing\"}");
  assert_int_equal(hf_jsonschema_known(&blame, NULL, schema), HF_E_INPUT);
  json_decref(schema);
}

static void understands_every_schema_of_the_api(void **state)
{
  (void)state;
  struct hf_jsonschema_blame blame;
  json_t *document = hf_openapi_new();
  json_t *schemas = hf_openapi_schemas(document);
  const char *name;
  json_t *schema;
  assert_true(json_object_size(schemas) > 40);
  json_object_foreach(schemas, name, schema)
  {
    if (hf_jsonschema_known(&blame, schemas, schema) != HF_OK) {
      fail_msg("%s: %s", name, blame.what);
    }
  }
  json_decref(document);
  for (size_t i = 0; i < HF_PARAM_COUNT; i++) {
    schema = load(hf_params[i].schema);
    assert_int_equal(hf_jsonschema_known(&blame, NULL, schema), HF_OK);
    json_decref(schema);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tells_what_fits_from_what_does_not),
      cmocka_unit_test(escapes_and_bounds_the_pointer),
      cmocka_unit_test(notices_words_it_does_not_understand),
      cmocka_unit_test(understands_every_schema_of_the_api),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
