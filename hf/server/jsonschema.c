/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/jsonschema.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/base/bytes.h"

/* A check under way: the value looked at and how it was reached. */
struct visit {
  struct hf_jsonschema_blame *blame;
  json_t *schemas;
  size_t depth;
};

#define REF_PREFIX "#/components/schemas/"

static json_t *resolve(json_t *schemas, json_t *schema)
{
  for (size_t hop = 0; hop < HF_JSONSCHEMA_DEPTH_MAX; hop++) {
    const char *ref = json_string_value(json_object_get(schema, "$ref"));
    if (ref == NULL) {
      return schema;
    }
    HF_ASSERT(strncmp(ref, REF_PREFIX, sizeof REF_PREFIX - 1) == 0);
    schema = json_object_get(schemas, ref + sizeof REF_PREFIX - 1);
    HF_ASSERT(schema != NULL); /* a $ref to nothing is our own mistake */
  }
  return schema;
}

/* Extend the pointer by one step; gives the length to cut it back to. A pointer too long to tell ends in "...". */
static size_t step_in(struct hf_jsonschema_blame *blame, const char *name)
{
  size_t before = strlen(blame->where);
  size_t at = before;
  size_t room = sizeof blame->where - 4;
  if (at < room) {
    blame->where[at++] = '/';
  }
  for (const char *c = name; *c != 0; c++) {
    if (at + 2 > room) {
      memcpy(blame->where + at, "...", 3);
      at += 3;
      break;
    }
    if (*c == '~' || *c == '/') {
      blame->where[at++] = '~';
      blame->where[at++] = *c == '~' ? '0' : '1';
    } else {
      blame->where[at++] = *c;
    }
  }
  blame->where[at] = 0;
  return before;
}

static enum hf_err blame_put(struct visit *visit, json_t *schema, const char *what, const char *todo)
{
  const char *better = json_string_value(json_object_get(schema, "x-todo"));
  snprintf(visit->blame->what, sizeof visit->blame->what, "%s", what);
  snprintf(visit->blame->todo, sizeof visit->blame->todo, "%s", better != NULL ? better : todo);
  return HF_E_INPUT;
}

static const char *type_name(const json_t *value)
{
  switch (json_typeof(value)) {
    case JSON_OBJECT: return "object";
    case JSON_ARRAY: return "array";
    case JSON_STRING: return "string";
    case JSON_INTEGER: return "integer";
    case JSON_REAL: return "number";
    case JSON_TRUE:
    case JSON_FALSE: return "boolean";
    case JSON_NULL: return "null";
  }
  return "nothing";
}

static const char *type_words(const char *type)
{
  static const char *const words[][2] = {{"object", "an object"},
                                         {"array", "a list"},
                                         {"string", "a text"},
                                         {"integer", "a whole number"},
                                         {"number", "a number with a fraction"},
                                         {"boolean", "true or false"},
                                         {"null", "null"}};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (strcmp(type, words[i][0]) == 0) {
      return words[i][1];
    }
  }
  return type;
}

static enum hf_err check_type(struct visit *visit, json_t *schema, const json_t *value)
{
  json_t *type = json_object_get(schema, "type");
  const char *have = type_name(value);
  char wanted[120] = "";
  size_t count = json_is_array(type) ? json_array_size(type) : 1;
  if (type == NULL) {
    return HF_OK;
  }
  for (size_t i = 0; i < count; i++) {
    const char *name = json_string_value(json_is_array(type) ? json_array_get(type, i) : type);
    if (strcmp(name, have) == 0) {
      return HF_OK;
    }
    size_t len = strlen(wanted);
    snprintf(wanted + len, sizeof wanted - len, "%s%s", i == 0 ? "" : " or ", type_words(name));
  }
  char what[240];
  char todo[200];
  snprintf(what, sizeof what, "%s was given where %s belongs", type_words(have), wanted);
  snprintf(todo, sizeof todo, "give %s", wanted);
  return blame_put(visit, schema, what, todo);
}

static bool pattern_fits(const char *pattern, const char *text)
{
  regex_t regex;
  HF_ASSERT(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) == 0); /* our own pattern */
  bool fits = regexec(&regex, text, 0, NULL, 0) == 0;
  regfree(&regex);
  return fits;
}

/* Characters, not bytes: continuation bytes do not count. */
static size_t text_chars(const json_t *value)
{
  const char *text = json_string_value(value);
  size_t chars = 0;
  for (size_t i = 0; i < json_string_length(value); i++) {
    chars += (text[i] & 0xc0) != 0x80;
  }
  return chars;
}

static void list_texts(char *out, size_t cap, json_t *texts)
{
  size_t index;
  json_t *text;
  out[0] = 0;
  json_array_foreach(texts, index, text)
  {
    size_t len = strlen(out);
    snprintf(out + len, cap - len, "%s%s", index == 0 ? "" : ", ", json_string_value(text));
  }
}

static enum hf_err check_enum(struct visit *visit, json_t *schema, const json_t *value)
{
  json_t *choices = json_object_get(schema, "enum");
  size_t index;
  json_t *choice;
  char todo[400] = "give one of: ";
  if (choices == NULL) {
    return HF_OK;
  }
  json_array_foreach(choices, index, choice)
  {
    if (json_equal(choice, value)) {
      return HF_OK;
    }
  }
  list_texts(todo + strlen(todo), sizeof todo - strlen(todo), choices);
  return blame_put(visit, schema, "the value is not one of those there are", todo);
}

static enum hf_err check_text(struct visit *visit, json_t *schema, const json_t *value)
{
  const char *pattern = json_string_value(json_object_get(schema, "pattern"));
  const char *words = json_string_value(json_object_get(schema, "x-words"));
  json_t *least = json_object_get(schema, "minLength");
  json_t *most = json_object_get(schema, "maxLength");
  size_t chars = text_chars(value);
  char what[120];
  char todo[200];
  if (least != NULL && chars < (size_t)json_integer_value(least)) {
    snprintf(todo, sizeof todo, "give at least %lld", json_integer_value(least));
    return blame_put(visit, schema, chars == 0 ? "the text is empty" : "the text has too few characters", todo);
  }
  if (most != NULL && chars > (size_t)json_integer_value(most)) {
    snprintf(what, sizeof what, "the text has %zu characters", chars);
    snprintf(todo, sizeof todo, "give at most %lld", json_integer_value(most));
    return blame_put(visit, schema, what, todo);
  }
  if (pattern != NULL && !pattern_fits(pattern, json_string_value(value))) {
    snprintf(todo, sizeof todo, "give %s", words != NULL ? words : pattern);
    return blame_put(visit, schema, "the text does not have the right form", todo);
  }
  return HF_OK;
}

static enum hf_err check_number(struct visit *visit, json_t *schema, const json_t *value)
{
  json_t *least = json_object_get(schema, "minimum");
  json_t *most = json_object_get(schema, "maximum");
  json_int_t number = json_integer_value(value);
  char what[120];
  char todo[120];
  if (least != NULL && number < json_integer_value(least)) {
    snprintf(what, sizeof what, "%lld is too small", number);
    snprintf(todo, sizeof todo, "give at least %lld", json_integer_value(least));
    return blame_put(visit, schema, what, todo);
  }
  if (most != NULL && number > json_integer_value(most)) {
    snprintf(what, sizeof what, "%lld is too large", number);
    snprintf(todo, sizeof todo, "give at most %lld", json_integer_value(most));
    return blame_put(visit, schema, what, todo);
  }
  return HF_OK;
}

static enum hf_err check_count(struct visit *visit, json_t *schema, const char *const words[3], size_t count)
{
  json_t *least = json_object_get(schema, words[0]);
  json_t *most = json_object_get(schema, words[1]);
  char what[120];
  char todo[120];
  snprintf(what, sizeof what, "there are %zu %s", count, words[2]);
  if (least != NULL && count < (size_t)json_integer_value(least)) {
    snprintf(todo, sizeof todo, "give at least %lld", json_integer_value(least));
    return blame_put(visit, schema, what, todo);
  }
  if (most != NULL && count > (size_t)json_integer_value(most)) {
    snprintf(todo, sizeof todo, "give at most %lld", json_integer_value(most));
    return blame_put(visit, schema, what, todo);
  }
  return HF_OK;
}

static enum hf_err check_value(struct visit *visit, json_t *schema, json_t *value);

static enum hf_err check_items(struct visit *visit, json_t *schema, json_t *value)
{
  static const char *const words[3] = {"minItems", "maxItems", "entries"};
  json_t *items = json_object_get(schema, "items");
  enum hf_err err = check_count(visit, schema, words, json_array_size(value));
  for (size_t i = 0; err == HF_OK && i < json_array_size(value); i++) {
    char number[24];
    snprintf(number, sizeof number, "%zu", i);
    size_t back = step_in(visit->blame, number);
    if (items != NULL) {
      err = check_value(visit, items, json_array_get(value, i));
    }
    /* Lists with uniqueItems are short (maxItems), so each with each is fine. */
    for (size_t j = 0; err == HF_OK && json_is_true(json_object_get(schema, "uniqueItems")) && j < i; j++) {
      if (json_equal(json_array_get(value, i), json_array_get(value, j))) {
        err = blame_put(visit, schema, "the same entry is there twice", "give it once");
      }
    }
    if (err == HF_OK) {
      visit->blame->where[back] = 0;
    }
  }
  return err;
}

static enum hf_err check_required(struct visit *visit, json_t *schema, json_t *value)
{
  size_t index;
  json_t *name;
  json_array_foreach(json_object_get(schema, "required"), index, name)
  {
    if (json_object_get(value, json_string_value(name)) == NULL) {
      char what[120];
      snprintf(what, sizeof what, "the member \"%s\" is missing", json_string_value(name));
      (void)step_in(visit->blame, json_string_value(name));
      return blame_put(visit, schema, what, "add it");
    }
  }
  return HF_OK;
}

static enum hf_err unknown_member(struct visit *visit, json_t *schema)
{
  char todo[400] = "remove it; known members are: ";
  const char *name;
  json_t *member;
  bool first = true;
  json_object_foreach(json_object_get(schema, "properties"), name, member)
  {
    size_t len = strlen(todo);
    snprintf(todo + len, sizeof todo - len, "%s%s", first ? "" : ", ", name);
    first = false;
  }
  return blame_put(visit, NULL, "there is no member of this name", todo);
}

static enum hf_err check_member(struct visit *visit, json_t *schema, const char *name, json_t *value)
{
  json_t *other = json_object_get(schema, "additionalProperties");
  json_t *member = json_object_get(json_object_get(schema, "properties"), name);
  json_t *names = json_object_get(schema, "propertyNames");
  const char *pattern = json_string_value(json_object_get(names, "pattern"));
  if (pattern != NULL && !pattern_fits(pattern, name)) {
    char todo[200];
    snprintf(todo, sizeof todo, "give %s", json_string_value(json_object_get(names, "x-words")));
    return blame_put(visit, schema, "the member's name does not have the right form", todo);
  }
  if (member == NULL && json_is_false(other)) {
    return unknown_member(visit, schema);
  }
  return member == NULL && other == NULL ? HF_OK : check_value(visit, member != NULL ? member : other, value);
}

static enum hf_err check_members(struct visit *visit, json_t *schema, json_t *value)
{
  static const char *const words[3] = {"minProperties", "maxProperties", "members"};
  enum hf_err err = check_count(visit, schema, words, json_object_size(value));
  const char *name;
  json_t *member;
  if (err == HF_OK) {
    err = check_required(visit, schema, value);
  }
  if (err != HF_OK) {
    return err;
  }
  json_object_foreach(value, name, member)
  {
    size_t back = step_in(visit->blame, name);
    err = check_member(visit, schema, name, member);
    if (err != HF_OK) {
      return err;
    }
    visit->blame->where[back] = 0;
  }
  return HF_OK;
}

static enum hf_err check_value(struct visit *visit, json_t *schema, json_t *value)
{
  schema = resolve(visit->schemas, schema);
  HF_ASSERT(visit->depth < HF_JSONSCHEMA_DEPTH_MAX); /* our schemas do not nest deeper */
  enum hf_err err = check_type(visit, schema, value);
  if (err == HF_OK) {
    err = check_enum(visit, schema, value);
  }
  if (err != HF_OK) {
    return err;
  }
  visit->depth++;
  switch (json_typeof(value)) {
    case JSON_OBJECT: err = check_members(visit, schema, value); break;
    case JSON_ARRAY: err = check_items(visit, schema, value); break;
    case JSON_STRING: err = check_text(visit, schema, value); break;
    case JSON_INTEGER: err = check_number(visit, schema, value); break;
    default: break;
  }
  visit->depth--;
  return err;
}

enum hf_err hf_jsonschema_check(struct hf_jsonschema_blame *blame, json_t *schemas, json_t *schema, json_t *value)
{
  struct visit visit = {.blame = blame, .schemas = schemas};
  memset(blame, 0, sizeof *blame);
  return check_value(&visit, schema, value);
}

static bool word_known(const char *word)
{
  static const char *const known[] = {"type",          "properties",    "required",      "additionalProperties",
                                      "propertyNames", "minProperties", "maxProperties", "items",
                                      "minItems",      "maxItems",      "uniqueItems",   "enum",
                                      "pattern",       "minLength",     "maxLength",     "minimum",
                                      "maximum",       "$ref",          "description",   "x-words",
                                      "x-todo"};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(word, known[i]) == 0) {
      return true;
    }
  }
  return false;
}

static enum hf_err known_at(struct visit *visit, json_t *schema)
{
  const char *word;
  json_t *value;
  const char *ref = json_string_value(json_object_get(schema, "$ref"));
  if (visit->depth >= HF_JSONSCHEMA_DEPTH_MAX) {
    return blame_put(visit, NULL, "nests too deep or refers to itself", "flatten it");
  }
  if (ref != NULL && (strncmp(ref, REF_PREFIX, sizeof REF_PREFIX - 1) != 0 ||
                      json_object_get(visit->schemas, ref + sizeof REF_PREFIX - 1) == NULL)) {
    return blame_put(visit, NULL, ref, "refer to a schema that is there");
  }
  schema = resolve(visit->schemas, schema);
  visit->depth++;
  json_object_foreach(schema, word, value)
  {
    if (!word_known(word)) {
      return blame_put(visit, NULL, word, "use a word hf/server/jsonschema.h lists");
    }
  }
  enum hf_err err = HF_OK;
  json_object_foreach(json_object_get(schema, "properties"), word, value)
  {
    err = err == HF_OK ? known_at(visit, value) : err;
  }
  json_t *items = json_object_get(schema, "items");
  json_t *other = json_object_get(schema, "additionalProperties");
  if (err == HF_OK && items != NULL) {
    err = known_at(visit, items);
  }
  if (err == HF_OK && json_is_object(other)) {
    err = known_at(visit, other);
  }
  visit->depth--;
  return err;
}

enum hf_err hf_jsonschema_known(struct hf_jsonschema_blame *blame, json_t *schemas, json_t *schema)
{
  struct visit visit = {.blame = blame, .schemas = schemas};
  memset(blame, 0, sizeof *blame);
  return known_at(&visit, schema);
}
