/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/openapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/server/auth.h"
#include "hf/server/problem.h"

#define SCOPE_NONE HF_ROUTE_NONE
#define SCOPE_ANY HF_ROUTE_ANY
#define SCOPE_READ HF_SCOPE_READ
#define SCOPE_OPERATE HF_SCOPE_OPERATE
#define SCOPE_RELEASE HF_SCOPE_RELEASE
#define SCOPE_ADMIN HF_SCOPE_ADMIN

const struct hf_route hf_routes[HF_ROUTE_COUNT] = {
#define HF_ROUTE(name, method, path, scope, status, request, reply, query, refusals, summary)                          \
  {#name, HF_##method, (path), SCOPE_##scope, (status), (request), (reply), (query), (refusals), (summary)},
#include "hf/server/api.def"
#undef HF_ROUTE
};

const struct hf_param_row hf_params[HF_PARAM_COUNT] = {
#define HF_PARAM(name, place, words, ...) {#name, HF_PARAM_##place, (words), #__VA_ARGS__},
#include "hf/server/api_param.def"
#undef HF_PARAM
};

static const struct {
  const char *name;
  const char *schema;
} schemas[] = {
#define HF_SCHEMA(name, ...) {#name, #__VA_ARGS__},
#include "hf/server/api_schema.def"
#undef HF_SCHEMA
};

const char *hf_method_name(enum hf_method method)
{
  static const char *const names[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
  return (size_t)method < sizeof names / sizeof names[0] ? names[method] : "?";
}

bool hf_words_have(const char *words, const char *word)
{
  size_t len = strlen(word);
  for (const char *at = words; *at != 0;) {
    size_t here = strcspn(at, " ");
    if (here == len && strncmp(at, word, len) == 0) {
      return true;
    }
    at += here;
    at += strspn(at, " ");
  }
  return false;
}

/* Our own tables: a mistake in them must not get as far as a release. */
static json_t *must(json_t *value)
{
  HF_ASSERT(value != NULL);
  return value;
}

static json_t *load(const char *text) { return must(json_loads(text, JSON_REJECT_DUPLICATES, NULL)); }

static void set(json_t *object, const char *name, json_t *value)
{
  HF_ASSERT(json_object_set_new(object, name, must(value)) == 0);
}

static json_t *schema_ref(const char *name) { return must(json_pack("{s:s+}", "$ref", "#/components/schemas/", name)); }

/* "Thing[]" is a page of things. */
static json_t *reply_schema(const char *reply)
{
  size_t len = strlen(reply);
  if (len < 2 || strcmp(reply + len - 2, "[]") != 0) {
    return schema_ref(reply);
  }
  char name[64];
  (void)snprintf(name, sizeof name, "%.*s", (int)(len - 2), reply);
  return must(json_pack("{s:s, s:b, s:[s,s,s], s:{s:{s:s, s:o}, s:{s:[s,s], s:s}, s:{s:s, s:i, s:s}}}", "type",
                        "object", "additionalProperties", 0, "required", "items", "next", "total", "properties",
                        "items", "type", "array", "items", schema_ref(name), "next", "type", "string", "null",
                        "description", "Give it as `after` for the next page; null: that was all", "total", "type",
                        "integer", "minimum", 0, "description", "How many fit the filters"));
}

static json_t *content(const char *type, json_t *schema)
{
  return must(json_pack("{s:{s:o}}", type, "schema", schema));
}

static json_t *param_object(const struct hf_param_row *row)
{
  return must(json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", row->name, "in",
                        row->place == HF_PARAM_PATH ? "path" : "query", "required", row->place == HF_PARAM_PATH,
                        "description", row->words, "schema", load(row->schema)));
}

static bool path_has(const char *path, const char *name)
{
  char braced[64];
  (void)snprintf(braced, sizeof braced, "{%s}", name);
  return strstr(path, braced) != NULL;
}

static json_t *route_params(const struct hf_route *route)
{
  json_t *list = must(json_array());
  for (size_t i = 0; i < HF_PARAM_COUNT; i++) {
    bool ours = hf_params[i].place == HF_PARAM_PATH ? path_has(route->path, hf_params[i].name)
                                                    : hf_words_have(route->query, hf_params[i].name);
    if (ours) {
      HF_ASSERT(json_array_append_new(list, param_object(&hf_params[i])) == 0);
    }
  }
  return list;
}

static void put_refusal(json_t *responses, int status)
{
  char number[8];
  const char *title = "Refused";
  static const struct {
    int status;
    const char *title;
  } titles[] = {
#define HF_PROBLEM(name, status, slug, title, todo) {(status), (title)},
#include "hf/server/problem.def"
#undef HF_PROBLEM
  };
  for (size_t i = sizeof titles / sizeof titles[0]; i-- > 0;) {
    title = titles[i].status == status ? titles[i].title : title;
  }
  (void)snprintf(number, sizeof number, "%d", status);
  set(responses, number,
      json_pack("{s:s, s:o}", "description", title, "content",
                content("application/problem+json", schema_ref("Problem"))));
}

static void put_refusals(json_t *responses, const struct hf_route *route)
{
  bool writes = route->method != HF_GET;
  put_refusal(responses, 400);
  if (route->scope != HF_ROUTE_NONE) {
    put_refusal(responses, 401);
    put_refusal(responses, 403);
  }
  if (writes) {
    put_refusal(responses, 413);
    put_refusal(responses, 415);
    put_refusal(responses, 507);
  }
  if (strcmp(route->name, "session_open") == 0) {
    put_refusal(responses, 401);
    put_refusal(responses, 429);
  }
  for (const char *at = route->refusals; *at != 0; at += strspn(at, " ")) {
    put_refusal(responses, (int)strtol(at, NULL, 10));
    at += strcspn(at, " ");
  }
  put_refusal(responses, 500);
  put_refusal(responses, 503);
}

static json_t *route_responses(const struct hf_route *route)
{
  json_t *responses = must(json_object());
  char number[8];
  (void)snprintf(number, sizeof number, "%d", route->status);
  json_t *good = must(json_pack("{s:s}", "description", "Done"));
  if (strcmp(route->reply, "*") == 0) {
    set(good, "content", content("application/json", json_pack("{s:s}", "type", "object")));
  } else if (route->reply[0] != 0) {
    set(good, "content", content("application/json", reply_schema(route->reply)));
  }
  if (route->method == HF_GET) {
    set(good, "headers",
        json_pack("{s:{s:s, s:{s:s}}}", "ETag", "description", "Send it as If-None-Match next time", "schema", "type",
                  "string"));
    set(responses, "304", json_pack("{s:s}", "description", "Nothing changed since the ETag given as If-None-Match"));
  }
  set(responses, number, good);
  put_refusals(responses, route);
  return responses;
}

static json_t *route_security(const struct hf_route *route)
{
  if (route->scope == HF_ROUTE_NONE) {
    return must(json_array());
  }
  if (route->method == HF_GET) {
    return must(json_pack("[{s:[]}, {s:[]}]", "bearer", "session"));
  }
  return must(json_pack("[{s:[]}, {s:[], s:[]}]", "bearer", "session", "csrf"));
}

static json_t *operation(const struct hf_route *route)
{
  json_t *object =
      must(json_pack("{s:s, s:s, s:o, s:o, s:o}", "operationId", route->name, "summary", route->summary, "parameters",
                     route_params(route), "security", route_security(route), "responses", route_responses(route)));
  if (strcmp(route->request, "*") == 0) {
    set(object, "requestBody",
        json_pack("{s:b, s:o}", "required", 1, "content", content("application/octet-stream", json_object())));
  } else if (route->request[0] != 0) {
    set(object, "requestBody",
        json_pack("{s:b, s:o}", "required", 1, "content", content("application/json", schema_ref(route->request))));
  }
  if (route->scope != HF_ROUTE_NONE && route->scope != HF_ROUTE_ANY) {
    set(object, "x-scope", json_string(hf_scope_name((enum hf_scope)route->scope)));
  }
  return object;
}

static json_t *paths_new(void)
{
  json_t *paths = must(json_object());
  for (size_t i = 0; i < HF_ROUTE_COUNT; i++) {
    const struct hf_route *route = &hf_routes[i];
    char method[8] = "";
    const char *name = hf_method_name(route->method);
    for (size_t c = 0; name[c] != 0; c++) {
      method[c] = (char)(name[c] + ('a' - 'A'));
    }
    json_t *path = json_object_get(paths, route->path);
    if (path == NULL) {
      path = must(json_object());
      set(paths, route->path, path);
    }
    set(path, method, operation(route));
  }
  return paths;
}

static json_t *components_new(void)
{
  json_t *named = must(json_object());
  for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
    set(named, schemas[i].name, load(schemas[i].schema));
  }
  json_t *security =
      must(json_pack("{s:{s:s, s:s, s:s}, s:{s:s, s:s, s:s}, s:{s:s, s:s, s:s, s:s}}", "bearer", "type", "http",
                     "scheme", "bearer", "description", "A token of POST /tokens", "session", "type", "apiKey", "in",
                     "cookie", "name", HF_API_COOKIE, "csrf", "type", "apiKey", "in", "header", "name", "X-CSRF-Token",
                     "description", "`csrf` of GET /session, with every change"));
  return must(json_pack("{s:o, s:o}", "schemas", named, "securitySchemes", security));
}

json_t *hf_openapi_new(void)
{
  return json_pack("{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:s}], s:o, s:o}", "openapi", "3.1.0", "info", "title",
                   "Holdfast", "version", HF_VERSION, "description",
                   "Fleet server of Holdfast. Times are RFC 3339 in UTC; refusals are RFC 9457 problem documents.",
                   "license", "name", "Apache-2.0", "identifier", "Apache-2.0", "servers", "url", "/api/v1", "paths",
                   paths_new(), "components", components_new());
}

json_t *hf_openapi_schemas(json_t *document)
{
  return json_object_get(json_object_get(document, "components"), "schemas");
}
