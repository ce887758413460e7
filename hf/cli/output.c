/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/output.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hf/base/assert.h"
#include "hf/cli/cli.h"
#include "hf/cli/term.h"

int hf_exit_of(enum hf_err err)
{
  switch (err) {
    case HF_OK: return HF_EXIT_DONE;
    case HF_E_DENIED: return HF_EXIT_DENIED;
    case HF_E_NOT_FOUND: return HF_EXIT_NOT_FOUND;
    case HF_E_EXISTS: return HF_EXIT_CONFLICT;
    case HF_E_AGAIN: return HF_EXIT_UNREACHABLE;
    default: return HF_EXIT_FAILED;
  }
}

void hf_output_json(json_t *value)
{
  HF_ASSERT(value != NULL);
  /* On a terminal only ASCII: JSON leaves the control characters from U+007F to U+009F as they are. */
  (void)json_dumpf(value, stdout, JSON_INDENT(2) | (isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0));
  putchar('\n');
  json_decref(value);
}

const char *hf_say_hex(struct hf_bytes bytes)
{
  static const char digits[] = "0123456789abcdef";
  char text[513];
  size_t len = bytes.len > 256 ? 256 : bytes.len;
  for (size_t i = 0; i < len; i++) {
    text[2 * i] = digits[bytes.at[i] >> 4];
    text[2 * i + 1] = digits[bytes.at[i] & 15];
  }
  text[2 * len] = 0;
  return hf_say("%s", text);
}

void hf_complain_why(const char *where, const struct hf_why *why)
{
  const struct hf_rule_words *words = hf_rule_words(why->rule);
  hf_complain(hf_say("%s, byte %u (%s)", where, why->at, words->clause), words->todo, "%s", words->what);
}

const char *hf_member(const json_t *object, const char *name)
{
  const json_t *value = json_object_get(object, name);
  switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_STRING: return json_string_value(value);
    case JSON_INTEGER: return hf_say("%lld", (long long)json_integer_value(value));
    case JSON_REAL: return hf_say("%g", json_real_value(value));
    case JSON_TRUE: return "yes";
    case JSON_FALSE: return "no";
    default: return NULL;
  }
}

const char *hf_member_said(const json_t *object, const char *name)
{
  const char *text = hf_member(object, name);
  return text != NULL ? text : "?";
}

const char *hf_member_time(const json_t *object, const char *name)
{
  const char *text = json_string_value(json_object_get(object, name));
  if (text == NULL || strlen(text) != 20) {
    return text;
  }
  return hf_say("%.10s %.5s UTC", text, text + 11);
}

const char *hf_member_list(const json_t *object, const char *name)
{
  const json_t *list = json_object_get(object, name);
  const char *text = "";
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *item = json_string_value(json_array_get(list, i));
    text = hf_say("%s%s%s", text, i == 0 ? "" : ", ", item == NULL ? "?" : item);
  }
  return text;
}
