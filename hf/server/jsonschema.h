/* SPDX-License-Identifier: Apache-2.0
 * Check a JSON value against a JSON Schema: the subset that the REST API's own schemas use, with words for a person.
 *
 * Understood: type, properties, required, additionalProperties (false or a schema), propertyNames.pattern,
 * minProperties, maxProperties, items, minItems, maxItems, uniqueItems (of scalars), enum (of texts), pattern,
 * minLength, maxLength, minimum, maximum, $ref into #/components/schemas; description, x-words and x-todo are words.
 * hf_jsonschema_known tells whether a schema stays inside this subset; it is not a validator for schemas of others.
 */
#ifndef HF_SERVER_JSONSCHEMA_H
#define HF_SERVER_JSONSCHEMA_H

#include <jansson.h>

#include "hf/base/err.h"

/** References and members nest this deep in our schemas at most; recursion follows the schema, never the value. */
#define HF_JSONSCHEMA_DEPTH_MAX 12

/** What did not fit, in words. */
struct hf_jsonschema_blame {
  char where[200]; /**< JSON pointer (RFC 6901) to the value, "" for the whole */
  char what[240];
  char todo[400];
};

/**
 * @param blame    fills on HF_E_INPUT
 * @param schemas  borrows; object of named schemas that $ref means; may be NULL when there is no $ref
 * @param schema   borrows; one of ours
 * @param value    borrows; from outside
 * @return HF_OK or HF_E_INPUT
 */
HF_MUST enum hf_err hf_jsonschema_check(struct hf_jsonschema_blame *blame, json_t *schemas, json_t *schema,
                                        json_t *value);

/** Does the schema, with everything below it, use only words this checker understands? HF_E_INPUT with the first
 * unknown one in `blame->what`. For the test over api_schema.def. */
HF_MUST enum hf_err hf_jsonschema_known(struct hf_jsonschema_blame *blame, json_t *schemas, json_t *schema);

#endif
