/* SPDX-License-Identifier: Apache-2.0
 * holdfast group */
#include "hf/cli/ask.h"
#include "hf/cli/command.h"
#include "hf/cli/output.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void print_group(const json_t *group)
{
  hf_field_print("group", 8, hf_member(group, "name"));
  hf_field_print("query", 8, hf_member(group, "query"));
  hf_field_print("devices", 8, hf_member(group, "members"));
}

int hf_cmd_group_add(const struct hf_call *call)
{
  struct hf_client_path path;
  json_t *body = json_pack("{s:s, s:s}", "name", call->operands[0], "query", call->operands[1]);
  if (body == NULL) {
    return hf_refuse_text();
  }
  hf_client_path_init(&path, "/groups");
  return hf_ask(call, "POST", &path, body, print_group);
}

int hf_cmd_group_list(const struct hf_call *call)
{
  static const struct hf_column columns[] = {
      {"GROUP", "name", HF_CELL_TEXT}, {">DEVICES", "members", HF_CELL_TEXT}, {"QUERY", "query", HF_CELL_TEXT}};
  static const struct hf_ask_list list = {columns, COUNT(columns), "no groups yet", 1000};
  struct hf_client_path path;
  hf_client_path_init(&path, "/groups");
  return hf_ask_list(call, &path, &list);
}

int hf_cmd_group_show(const struct hf_call *call)
{
  struct hf_client_path path;
  hf_client_path_init(&path, "/groups");
  hf_client_path_put(&path, call->operands[0]);
  return hf_ask(call, "GET", &path, NULL, print_group);
}

int hf_cmd_group_remove(const struct hf_call *call)
{
  struct hf_client_path path;
  hf_client_path_init(&path, "/groups");
  hf_client_path_put(&path, call->operands[0]);
  return hf_ask(call, "DELETE", &path, NULL, hf_print_removed);
}
