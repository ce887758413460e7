/* SPDX-License-Identifier: Apache-2.0
 * The routes of the REST API as data, and the OpenAPI 3.1 document made of them.
 *
 * Everything comes from api.def, api_param.def and api_schema.def; the document cannot say something else than what the
 * dispatch does, because there is nothing else to read.
 */
#ifndef HF_SERVER_OPENAPI_H
#define HF_SERVER_OPENAPI_H

#include <jansson.h>

#include "hf/server/api.h"

enum hf_route_name {
#define HF_ROUTE(name, method, path, scope, status, request, reply, query, refusals, summary) HF_ROUTE_##name,
#include "hf/server/api.def"
#undef HF_ROUTE
  HF_ROUTE_COUNT
};

enum hf_param_place { HF_PARAM_PATH, HF_PARAM_QUERY };

/** One of the rows of api_param.def: HF_PARAM_PATH_device, HF_PARAM_QUERY_limit ... */
enum hf_param {
#define HF_PARAM(name, place, words, ...) HF_PARAM_##place##_##name,
#include "hf/server/api_param.def"
#undef HF_PARAM
  HF_PARAM_COUNT
};

/** Scope column: a bit of `enum hf_scope`, or one of these. */
#define HF_ROUTE_NONE 0u
#define HF_ROUTE_ANY 256u

/** A row of api.def. Texts are static. */
struct hf_route {
  const char *name;
  enum hf_method method;
  const char *path;
  unsigned scope;
  int status;
  const char *request;
  const char *reply;
  const char *query;
  const char *refusals;
  const char *summary;
};
extern const struct hf_route hf_routes[HF_ROUTE_COUNT];

/** A row of api_param.def. */
struct hf_param_row {
  const char *name;
  enum hf_param_place place;
  const char *words;
  const char *schema; /**< JSON text */
};
extern const struct hf_param_row hf_params[HF_PARAM_COUNT];

/** "GET". Static. */
const char *hf_method_name(enum hf_method method);
/** Is `word` one of the blank-separated words? */
bool hf_words_have(const char *words, const char *word);

/** Make the document; gives a reference to drop with json_decref. NULL: no memory. A mistake in the tables stops the
 * program. */
json_t *hf_openapi_new(void);
/** The named schemas inside the document; borrowed. */
json_t *hf_openapi_schemas(json_t *document);

#endif
