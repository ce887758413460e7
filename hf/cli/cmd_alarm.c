/* SPDX-License-Identifier: Apache-2.0
 * holdfast alarm */
#include "hf/cli/ask.h"
#include "hf/cli/command.h"
#include "hf/cli/output.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

int hf_cmd_alarm_list(const struct hf_call *call)
{
  static const struct hf_column columns[] = {{">NUMBER", "number", HF_CELL_TEXT}, {"ALARM", "kind", HF_CELL_TEXT},
                                             {"ABOUT", "device", HF_CELL_TEXT},   {"DETAIL", "detail", HF_CELL_TEXT},
                                             {">TIMES", "count", HF_CELL_TEXT},   {"LAST", "last", HF_CELL_TIME},
                                             {"CLOSED", "closed", HF_CELL_TIME},  {"BECAUSE", "reason", HF_CELL_TEXT}};
  static const struct hf_ask_list list = {columns, COUNT(columns), "no open alarms", 100};
  struct hf_client_path path;
  hf_client_path_init(&path, "/alarms");
  hf_client_path_put_query(&path, "open", hf_args_has(call, "all") ? NULL : "true");
  return hf_ask_list(call, &path, &list);
}

static void print_closed(const json_t *alarm)
{
  printf("alarm %s closed: %s, %s\n", hf_member(alarm, "number"), hf_member(alarm, "kind"), hf_member(alarm, "device"));
}

int hf_cmd_alarm_close(const struct hf_call *call)
{
  struct hf_client_path path;
  hf_client_path_init(&path, "/alarms");
  hf_client_path_put(&path, call->operands[0]);
  hf_client_path_put(&path, "close");
  return hf_ask_reason(call, &path, print_closed);
}
