/* SPDX-License-Identifier: Apache-2.0
 * Problem documents (RFC 9457): a refusal a person can act on. What was wrong, where, what to do.
 */
#ifndef HF_SERVER_PROBLEM_H
#define HF_SERVER_PROBLEM_H

#include "hf/base/why.h"
#include "hf/server/api.h"

enum hf_problem {
#define HF_PROBLEM(name, status, slug, title, todo) HF_PROBLEM_##name,
#include "hf/server/problem.def"
#undef HF_PROBLEM
  HF_PROBLEM_COUNT
};

/** The words of one refusal. All borrow; NULL: none (where: ""; todo: the kind's own). Outside text in them must be
 * valid UTF-8. */
struct hf_problem_words {
  const char *what;
  const char *where; /**< JSON pointer into the body, "?name" of the query, or the path */
  const char *todo;
  uint16_t rule; /**< an `enum hf_rule` that was broken, told with its words; 0: none */
};

/** Make the reply this refusal: status, content type and body; whatever the body held is dropped. */
void hf_problem_put(struct hf_api_reply *reply, enum hf_problem kind, const struct hf_problem_words *words);

/** HTTP status of a kind. */
int hf_problem_status(enum hf_problem kind);

/** The kind that tells a caller about this error. Not for HF_OK. */
enum hf_problem hf_problem_of(enum hf_err err);

/** Append the rule as the API's Rule object, or null for 0. */
void hf_problem_put_rule(struct hf_buf *out, uint16_t rule);

#endif
