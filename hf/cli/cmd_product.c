/* SPDX-License-Identifier: Apache-2.0
 * holdfast product, group, token: small lists that the server keeps */
#include <string.h>

#include "hf/base/assert.h"
#include "hf/cli/ask.h"
#include "hf/cli/command.h"
#include "hf/cli/output.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A body from json_pack: NULL means that an argument was not UTF-8. */
static int refuse_text(void)
{
  hf_complain(NULL, "write names and texts in UTF-8", "an argument is no text");
  return HF_EXIT_USAGE;
}

/* ---- product ---- */

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
    return refuse_text();
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

/* ---- group ---- */

static void print_group(const json_t *group)
{
  hf_field_print("group", 8, hf_member(group, "name"));
  hf_field_print("query", 8, hf_member(group, "query"));
  hf_field_print("devices", 8, hf_member(group, "members"));
}

static void print_removed(const json_t *reply)
{
  (void)reply;
  puts("Removed.");
}

static void path_to(struct hf_client_path *path, const char *start, const char *part, const char *verb)
{
  hf_client_path_init(path, start);
  hf_client_path_put(path, part);
  if (verb != NULL) {
    hf_client_path_put(path, verb);
  }
}

int hf_cmd_group_add(const struct hf_call *call)
{
  struct hf_client_path path;
  json_t *body = json_pack("{s:s, s:s}", "name", call->operands[0], "query", call->operands[1]);
  if (body == NULL) {
    return refuse_text();
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
  path_to(&path, "/groups", call->operands[0], NULL);
  return hf_ask(call, "GET", &path, NULL, print_group);
}

int hf_cmd_group_remove(const struct hf_call *call)
{
  struct hf_client_path path;
  path_to(&path, "/groups", call->operands[0], NULL);
  return hf_ask(call, "DELETE", &path, NULL, print_removed);
}

/* ---- token ---- */

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
    return refuse_text();
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
  path_to(&path, "/tokens", call->operands[0], NULL);
  return hf_ask(call, "DELETE", &path, NULL, print_removed);
}
