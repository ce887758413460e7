/* SPDX-License-Identifier: Apache-2.0
 * holdfast token */
#include "hf/base/assert.h"
#include "hf/cli/ask.h"
#include "hf/cli/command.h"
#include "hf/cli/output.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void print_token(const json_t *token)
{
  hf_field_print("token", 8, hf_member(token, "token"));
  hf_field_print("id", 8, hf_member(token, "id"));
  hf_field_print("scopes", 8, hf_member_list(token, "scopes"));
  hf_field_print("expires", 8, hf_member_time(token, "expires"));
  hf_note("It is shown this once.");
}

int hf_cmd_token_create(const struct hf_call *call)
{
  struct hf_client_path path;
  uint64_t expires;
  if (hf_args_duration(call, "expires", &expires, UINT64_C(90) * 86400) != HF_OK) {
    return HF_EXIT_USAGE;
  }
  json_t *scopes = hf_args_list(call, "scope");
  if (scopes == NULL) {
    return HF_EXIT_USAGE;
  }
  if (json_array_size(scopes) == 0) {
    HF_ASSERT(json_array_append_new(scopes, json_string("read")) == 0);
  }
  json_t *body =
      json_pack("{s:s, s:o, s:I}", "name", call->operands[0], "scopes", scopes, "expires_in_s", (json_int_t)expires);
  if (body == NULL) {
    return hf_refuse_text();
  }
  hf_client_path_init(&path, "/tokens");
  return hf_ask(call, "POST", &path, body, print_token);
}

int hf_cmd_token_list(const struct hf_call *call)
{
  static const struct hf_column columns[] = {
      {">ID", "id", HF_CELL_TEXT}, {"NAME", "name", HF_CELL_TEXT},       {"SCOPES", "scopes", HF_CELL_LIST},
      {"BY", "by", HF_CELL_TEXT},  {"EXPIRES", "expires", HF_CELL_TIME}, {"LAST USED", "last_used", HF_CELL_TIME}};
  static const struct hf_ask_list list = {columns, COUNT(columns), "no tokens", 1000};
  struct hf_client_path path;
  hf_client_path_init(&path, "/tokens");
  return hf_ask_list(call, &path, &list);
}

int hf_cmd_token_revoke(const struct hf_call *call)
{
  struct hf_client_path path;
  hf_client_path_init(&path, "/tokens");
  hf_client_path_put(&path, call->operands[0]);
  return hf_ask(call, "DELETE", &path, NULL, hf_print_removed);
}
