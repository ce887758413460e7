/* SPDX-License-Identifier: Apache-2.0
 * holdfast device */
#include <string.h>

#include "hf/base/assert.h"
#include "hf/cli/ask.h"
#include "hf/cli/command.h"
#include "hf/cli/output.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define NAME_WIDTH 11

int hf_cmd_device_list(const struct hf_call *call)
{
  static const struct hf_column columns[] = {
      {"DEVICE", "id", HF_CELL_TEXT},         {"PRODUCT", "product", HF_CELL_TEXT},
      {"HARDWARE", "hardware", HF_CELL_TEXT}, {"VERSION", "version", HF_CELL_TEXT},
      {"STATE", "state", HF_CELL_STATE},      {"WANTED", "wanted", HF_CELL_TEXT},
      {"BLOCKED", "blocked", HF_CELL_TEXT},   {"LAST SEEN", "last_seen", HF_CELL_TIME}};
  static const struct hf_ask_list list = {columns, COUNT(columns), "no such devices", 100};
  static const char *const filters[][2] = {{"product", "product"}, {"version", "version"},   {"state", "state"},
                                           {"group", "group"},     {"hardware", "hardware"}, {"search", "q"}};
  struct hf_client_path path;
  hf_client_path_init(&path, "/devices");
  for (size_t i = 0; i < COUNT(filters); i++) {
    hf_client_path_put_query(&path, filters[i][1], hf_args_get(call, filters[i][0]));
  }
  hf_client_path_put_query(&path, "blocked", hf_args_has(call, "blocked") ? "true" : NULL);
  return hf_ask_list(call, &path, &list);
}

/* ---- show ---- */

static void print_state(const json_t *device)
{
  const json_t *rule = json_object_get(device, "rule");
  const char *state = hf_member(device, "state");
  const char *wanted = hf_member(device, "wanted");
  const char *percent = hf_member(device, "percent");
  const char *version = hf_member(device, "version");
  if (wanted != NULL && version != NULL && strcmp(wanted, version) == 0) {
    wanted = NULL; /* it has what it wants */
  }
  hf_field_print("state", NAME_WIDTH,
                 hf_say("%s%s%s%s%s%s", state == NULL ? "-" : state, wanted == NULL ? "" : ", wants ",
                        wanted == NULL ? "" : wanted, percent == NULL ? "" : ", ", percent == NULL ? "" : percent,
                        percent == NULL ? "" : " percent there"));
  if (json_is_object(rule)) {
    hf_field_print("because", NAME_WIDTH, hf_member(rule, "what"));
    hf_field_print("to do", NAME_WIDTH, hf_member(rule, "todo"));
  }
  if (json_is_true(json_object_get(device, "blocked"))) {
    hf_field_print("blocked", NAME_WIDTH, hf_member(device, "blocked_reason"));
  }
}

static void print_certificate(const json_t *device)
{
  const json_t *certificate = json_object_get(device, "certificate");
  const json_t *storage = json_object_get(device, "key_storage");
  if (json_is_object(certificate)) {
    hf_field_print(
        "certificate", NAME_WIDTH,
        hf_say("from the %s, until %s", hf_member(certificate, "issuer"), hf_member_time(certificate, "not_after")));
    hf_field_print("fingerprint", NAME_WIDTH, hf_member(certificate, "fingerprint"));
  }
  hf_field_print("key", NAME_WIDTH, hf_member(storage, "words"));
}

static void print_attributes(const json_t *device)
{
  static const struct hf_column columns[] = {
      {"ATTRIBUTE", "name", HF_CELL_TEXT}, {"VALUE", "value", HF_CELL_TEXT}, {"SET BY", "by", HF_CELL_TEXT}};
  const json_t *attributes = json_object_get(device, "attributes");
  if (json_array_size(attributes) > 0) {
    putchar('\n');
    hf_rows_print(attributes, columns, COUNT(columns));
  }
}

static void print_device(const json_t *device)
{
  static const struct hf_column components[] = {{"COMPONENT", "name", HF_CELL_TEXT},
                                                {"VERSION", "version", HF_CELL_TEXT},
                                                {">COUNTER", "counter", HF_CELL_TEXT},
                                                {">SLOT", "slot", HF_CELL_TEXT},
                                                {"IMAGE", "image", HF_CELL_TEXT}};
  hf_field_print("device", NAME_WIDTH, hf_member(device, "id"));
  hf_field_print("product", NAME_WIDTH, hf_member(device, "product"));
  hf_field_print("hardware", NAME_WIDTH, hf_member(device, "hardware"));
  hf_field_print("version", NAME_WIDTH, hf_member(device, "version"));
  print_state(device);
  print_certificate(device);
  hf_field_print("first seen", NAME_WIDTH, hf_member_time(device, "first_seen"));
  hf_field_print("last seen", NAME_WIDTH, hf_member_time(device, "last_seen"));
  if (json_array_size(json_object_get(device, "components")) > 0) {
    putchar('\n');
    hf_rows_print(json_object_get(device, "components"), components, COUNT(components));
  }
  print_attributes(device);
}

static void print_timeline(const json_t *events)
{
  static const struct hf_column columns[] = {
      {"WHEN", "time", HF_CELL_TIME}, {"WHAT HAPPENED", "words", HF_CELL_TEXT}, {"WHY", "why", HF_CELL_TEXT}};
  size_t i;
  json_t *event;
  json_array_foreach(events, i, event)
  {
    json_t *what = json_object_get(json_object_get(event, "rule"), "what");
    HF_ASSERT(what == NULL || json_object_set(event, "why", what) == 0);
  }
  if (json_array_size(events) > 0) {
    putchar('\n');
    hf_rows_print(events, columns, COUNT(columns));
  }
}

/* Both questions; `device` gets a member "timeline". */
static int ask_device(struct hf_client *client, json_t **device, const char *id, size_t events)
{
  struct hf_client_path path;
  json_t *timeline = NULL;
  hf_client_path_init(&path, "/devices");
  hf_client_path_put(&path, id);
  int code = hf_client_ask(client, device, "GET", &path, NULL);
  if (code != HF_EXIT_DONE || events == 0) {
    return code;
  }
  hf_client_path_put(&path, "timeline");
  code = hf_client_list(client, &timeline, NULL, &path, events);
  if (code == HF_EXIT_DONE) {
    HF_ASSERT(json_object_set_new(*device, "timeline", timeline) == 0);
  }
  return code;
}

int hf_cmd_device_show(const struct hf_call *call)
{
  struct hf_client *client;
  json_t *device = NULL;
  uint64_t events;
  if (hf_args_number(call, "events", &events, 10, (const uint64_t[]){0, 100000}) != HF_OK) {
    return HF_EXIT_USAGE;
  }
  int code = hf_client_open(&client, call);
  if (code != HF_EXIT_DONE) {
    return code;
  }
  code = ask_device(client, &device, call->operands[0], (size_t)events);
  if (code == HF_EXIT_DONE && hf_args_has(call, "json")) {
    hf_output_json(json_incref(device));
  } else if (code == HF_EXIT_DONE) {
    print_device(device);
    print_timeline(json_object_get(device, "timeline"));
  }
  json_decref(device);
  hf_client_close(client);
  return code;
}

int hf_cmd_device_timeline(const struct hf_call *call)
{
  static const struct hf_column columns[] = {{">NO", "number", HF_CELL_TEXT},
                                             {"WHEN", "time", HF_CELL_TIME},
                                             {"KIND", "kind", HF_CELL_STATE},
                                             {"WHAT HAPPENED", "words", HF_CELL_TEXT}};
  static const struct hf_ask_list list = {columns, COUNT(columns), "nothing has happened on this device yet", 100};
  struct hf_client_path path;
  hf_client_path_init(&path, "/devices");
  hf_client_path_put(&path, call->operands[0]);
  hf_client_path_put(&path, "timeline");
  return hf_ask_list(call, &path, &list);
}

/* ---- changes ---- */

static void print_blocked(const json_t *device)
{
  bool blocked = json_is_true(json_object_get(device, "blocked"));
  hf_print_clean(stdout, hf_say("%s is %s.", hf_member(device, "id"),
                                blocked ? "blocked: its next request is refused" : "let in again"));
  putchar('\n');
}

static int change(const struct hf_call *call, const char *verb)
{
  struct hf_client_path path;
  hf_client_path_init(&path, "/devices");
  hf_client_path_put(&path, call->operands[0]);
  hf_client_path_put(&path, verb);
  return hf_ask_reason(call, &path, print_blocked);
}

int hf_cmd_device_block(const struct hf_call *call) { return change(call, "block"); }

int hf_cmd_device_unblock(const struct hf_call *call) { return change(call, "unblock"); }

static void print_changed(const json_t *device) { print_attributes(device); }

int hf_cmd_device_attributes(const struct hf_call *call)
{
  struct hf_client_path path;
  json_t *body = json_object();
  for (size_t i = 1; i < call->operand_count; i++) {
    const char *equals = strchr(call->operands[i], '=');
    char name[64];
    size_t len = equals == NULL ? 0 : (size_t)(equals - call->operands[i]);
    if (len == 0 || len >= sizeof name) {
      hf_complain(call->operands[i], "write NAME=VALUE, or NAME= to remove it", "not an attribute");
      json_decref(body);
      return HF_EXIT_USAGE;
    }
    hf_format(name, sizeof name, "%.*s", (int)len, call->operands[i]);
    json_t *value = equals[1] == 0 ? json_null() : json_string(equals + 1);
    if (json_object_set_new(body, name, value) != 0) {
      hf_complain(call->operands[i], "write it in UTF-8", "an attribute is no text");
      json_decref(body);
      return HF_EXIT_USAGE;
    }
  }
  hf_client_path_init(&path, "/devices");
  hf_client_path_put(&path, call->operands[0]);
  hf_client_path_put(&path, "attributes");
  return hf_ask(call, "PATCH", &path, body, print_changed);
}

static void print_enrol_token(const json_t *token)
{
  hf_field_print("token", 8, hf_member(token, "token"));
  hf_field_print("device", 8, hf_member(token, "device"));
  hf_field_print("expires", 8, hf_member_time(token, "expires"));
  hf_note("It is shown this once, and works once.");
}

int hf_cmd_device_enrol_token(const struct hf_call *call)
{
  struct hf_client_path path;
  uint64_t expires;
  if (hf_args_duration(call, "expires", &expires, 86400) != HF_OK) {
    return HF_EXIT_USAGE;
  }
  json_t *body = json_pack("{s:s, s:s, s:I}", "device", call->operands[0], "product", call->operands[1], "expires_in_s",
                           (json_int_t)expires);
  if (body == NULL) {
    hf_complain(NULL, "write names in UTF-8", "an argument is no text");
    return HF_EXIT_USAGE;
  }
  hf_client_path_init(&path, "/enrol-tokens");
  return hf_ask(call, "POST", &path, body, print_enrol_token);
}
