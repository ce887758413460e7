/* SPDX-License-Identifier: Apache-2.0
 * holdfast product */
#include "hf/cli/ask.h"
#include "hf/cli/command.h"
#include "hf/cli/output.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void print_product(const json_t *product)
{
  hf_field_print("product", 8, hf_member(product, "name"));
  hf_field_print("title", 8, hf_member(product, "title"));
  hf_field_print("hardware", 8, hf_member_list(product, "hardware"));
}

int hf_cmd_product_add(const struct hf_call *call)
{
  struct hf_client_path path;
  const char *name = call->operands[0];
  json_t *hardware = hf_args_list(call, "hardware");
  if (hardware == NULL) {
    return HF_EXIT_USAGE;
  }
  if (json_array_size(hardware) == 0) {
    json_decref(hardware);
    hf_complain(NULL, "write --hardware ID", "which hardware? --hardware is missing");
    return HF_EXIT_USAGE;
  }
  json_t *body =
      json_pack("{s:s, s:s, s:o}", "name", name, "title", hf_args_get_or(call, "title", name), "hardware", hardware);
  if (body == NULL) {
    return hf_refuse_text();
  }
  hf_client_path_init(&path, "/products");
  return hf_ask(call, "POST", &path, body, print_product);
}

int hf_cmd_product_list(const struct hf_call *call)
{
  static const struct hf_column columns[] = {{"PRODUCT", "name", HF_CELL_TEXT},
                                             {"TITLE", "title", HF_CELL_TEXT},
                                             {"HARDWARE", "hardware", HF_CELL_LIST},
                                             {">DEVICES", "devices", HF_CELL_TEXT},
                                             {"LATEST", "latest", HF_CELL_TEXT}};
  static const struct hf_ask_list list = {columns, COUNT(columns),
                                          "no products yet; `holdfast product add NAME --hardware ID` adds one", 1000};
  struct hf_client_path path;
  hf_client_path_init(&path, "/products");
  return hf_ask_list(call, &path, &list);
}
