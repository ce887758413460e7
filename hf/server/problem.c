/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/problem.h"

#include "hf/base/assert.h"
#include "hf/codec/json.h"

static const struct {
  int status;
  const char *type;
  const char *title;
  const char *todo;
} table[HF_PROBLEM_COUNT] = {
#define HF_PROBLEM(name, status, slug, title, todo) {(status), "urn:holdfast:problem:" slug, (title), (todo)},
#include "hf/server/problem.def"
#undef HF_PROBLEM
};

int hf_problem_status(enum hf_problem kind)
{
  HF_ASSERT(kind < HF_PROBLEM_COUNT);
  return table[kind].status;
}

enum hf_problem hf_problem_of(enum hf_err err)
{
  switch (err) {
    case HF_E_INPUT: return HF_PROBLEM_INPUT;
    case HF_E_SPACE: return HF_PROBLEM_TOO_LARGE;
    case HF_E_AGAIN: return HF_PROBLEM_UNAVAILABLE;
    case HF_E_FULL: return HF_PROBLEM_FULL;
    case HF_E_NOT_FOUND: return HF_PROBLEM_NOT_FOUND;
    case HF_E_EXISTS:
    case HF_E_STATE: return HF_PROBLEM_CONFLICT;
    case HF_E_DENIED: return HF_PROBLEM_REFUSED;
    case HF_OK:
    case HF_E_IO:
    case HF_E_VERSION:
    case HF_E_CRYPTO: break;
  }
  return HF_PROBLEM_FAILED;
}

void hf_problem_put_rule(struct hf_buf *out, uint16_t rule)
{
  if (rule == HF_RULE_NONE) {
    hf_buf_put_text(out, "null");
    return;
  }
  const struct hf_rule_words *words = hf_rule_words(rule);
  hf_buf_put_text(out, "{");
  hf_json_put_name(out, "clause");
  hf_json_put_text(out, hf_bytes_text(words->clause));
  hf_json_put_name(out, "name");
  hf_json_put_text(out, hf_bytes_text(words->name));
  hf_json_put_name(out, "number");
  hf_json_put_int(out, rule);
  hf_json_put_name(out, "todo");
  hf_json_put_text(out, hf_bytes_text(words->todo));
  hf_json_put_name(out, "what");
  hf_json_put_text(out, hf_bytes_text(words->what));
  hf_buf_put_text(out, "}");
}

static void put_member(struct hf_buf *out, const char *name, const char *text)
{
  hf_json_put_name(out, name);
  hf_json_put_text(out, hf_bytes_text(text == NULL ? "" : text));
}

void hf_problem_put(struct hf_api_reply *reply, enum hf_problem kind, const struct hf_problem_words *words)
{
  HF_ASSERT(kind < HF_PROBLEM_COUNT);
  const struct hf_rule_words *rule = words->rule != HF_RULE_NONE ? hf_rule_words(words->rule) : NULL;
  const char *todo = words->todo != NULL ? words->todo : rule != NULL ? rule->todo : table[kind].todo;
  struct hf_buf *out = &reply->body;
  out->len = 0;
  out->failed = false;
  reply->status = table[kind].status;
  reply->content_type = "application/problem+json";
  hf_buf_put_text(out, "{");
  put_member(out, "type", table[kind].type);
  put_member(out, "title", table[kind].title);
  hf_json_put_name(out, "status");
  hf_json_put_int(out, table[kind].status);
  put_member(out, "what", words->what != NULL ? words->what : rule != NULL ? rule->what : table[kind].title);
  put_member(out, "where", words->where);
  put_member(out, "todo", todo);
  if (rule != NULL) {
    hf_json_put_name(out, "rule");
    hf_problem_put_rule(out, words->rule);
  }
  hf_buf_put_text(out, "}");
}
