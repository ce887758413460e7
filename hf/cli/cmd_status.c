/* SPDX-License-Identifier: Apache-2.0
 * holdfast status */
#include <string.h>
#include <time.h>

#include "hf/base/time.h"
#include "hf/cli/ask.h"
#include "hf/cli/command.h"
#include "hf/cli/output.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *say_states(json_t *states)
{
  const char *name;
  json_t *count;
  const char *text = "";
  json_object_foreach(states, name, count)
  {
    if (json_integer_value(count) > 0) {
      text = hf_say("%s%s%lld %s", text, text[0] == 0 ? "" : ", ", (long long)json_integer_value(count), name);
    }
  }
  return text;
}

static void print_rows(const json_t *items, const struct hf_column *columns, size_t count)
{
  if (json_array_size(items) > 0) {
    putchar('\n');
    hf_rows_print(items, columns, count);
  }
}

static void print_freshness(const json_t *list)
{
  static const char *const headings[] = {"METADATA", ">VERSION", "EXPIRES", "STATE"};
  struct hf_table *table = hf_table_new(headings, COUNT(headings));
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *role = json_array_get(list, i);
    int64_t expires = 0;
    const char *text = json_string_value(json_object_get(role, "expires"));
    bool known = text != NULL && hf_time_parse(&expires, hf_bytes_text(text)) == HF_OK;
    bool expired = known && expires <= (int64_t)time(NULL);
    hf_table_put(table, hf_member(role, "role"));
    hf_table_put(table, hf_member(role, "version"));
    hf_table_put(table, hf_member_time(role, "expires"));
    hf_table_put_tone(table,
                      !known    ? NULL
                      : expired ? "EXPIRED: devices accept no update"
                                : "fresh",
                      !known    ? HF_TONE_PLAIN
                      : expired ? HF_TONE_BAD
                                : HF_TONE_GOOD);
  }
  putchar('\n');
  hf_table_print(table, stdout);
  hf_table_free(table);
}

static void print_overview(const json_t *overview)
{
  static const struct hf_column versions[] = {{"PRODUCT", "product", HF_CELL_TEXT},
                                              {"VERSION", "version", HF_CELL_TEXT},
                                              {">DEVICES", "devices", HF_CELL_TEXT}};
  static const struct hf_column rollouts[] = {
      {">ROLLOUT", "id", HF_CELL_TEXT},  {"PRODUCT", "product", HF_CELL_TEXT}, {"VERSION", "version", HF_CELL_TEXT},
      {"STATE", "state", HF_CELL_STATE}, {">WAVE", "wave", HF_CELL_TEXT},      {">OF", "waves", HF_CELL_TEXT},
      {"REASON", "reason", HF_CELL_TEXT}};
  hf_field_print("devices", 8,
                 hf_say("%s, %s blocked, %s with their key in a plain file", hf_member(overview, "devices"),
                        hf_member(overview, "blocked"), hf_member(overview, "plain_keys")));
  hf_field_print("states", 8, say_states(json_object_get(overview, "states")));
  hf_field_print("server", 8,
                 json_is_true(json_object_get(overview, "sandboxed")) ? "every process is narrowed to what it needs"
                                                                      : "RUNS WITHOUT SANDBOX");
  if (json_integer_value(json_object_get(overview, "alarms")) > 0) {
    hf_field_print("alarms", 8, hf_say("%s OPEN: see `holdfast alarm list`", hf_member(overview, "alarms")));
  }
  if (json_integer_value(json_object_get(overview, "made")) > 0) {
    hf_field_print(
        "factory", 8,
        hf_say("%s made, %s of them never seen", hf_member(overview, "made"), hf_member(overview, "never_seen")));
  }
  print_rows(json_object_get(overview, "versions"), versions, COUNT(versions));
  print_rows(json_object_get(overview, "rollouts"), rollouts, COUNT(rollouts));
  print_freshness(json_object_get(overview, "metadata"));
}

/* ---- what runs out ---- */

static void print_warning(const char *what, const json_t *thing)
{
  const char *todo = hf_member(thing, "warning");
  if (todo != NULL) {
    fputs(hf_tone(stdout, HF_TONE_WARN), stdout);
    hf_field_print("expires", 8, hf_say("%s, %s: %s", what, hf_member_time(thing, "expires"), todo));
    fputs(hf_tone(stdout, HF_TONE_PLAIN), stdout);
  }
}

static void print_warnings(const json_t *keys)
{
  size_t i, k;
  json_t *repository, *thing;
  json_array_foreach(json_object_get(keys, "repositories"), i, repository)
  {
    json_array_foreach(json_object_get(repository, "roles"), k, thing)
    {
      print_warning(hf_say("%s %s", hf_member(repository, "repository"), hf_member(thing, "role")), thing);
    }
  }
  json_array_foreach(json_object_get(keys, "certificates"), i, thing)
  {
    print_warning(hf_member(thing, "name"), thing);
  }
}

int hf_cmd_status(const struct hf_call *call)
{
  struct hf_client_path path;
  struct hf_client *client;
  json_t *keys = NULL;
  hf_client_path_init(&path, "/overview");
  int code = hf_ask(call, "GET", &path, NULL, print_overview);
  if (code != HF_EXIT_DONE || hf_args_has(call, "json")) {
    return code;
  }
  code = hf_client_open(&client, call);
  if (code != HF_EXIT_DONE) {
    return code;
  }
  hf_client_path_init(&path, "/keys");
  code = hf_client_ask(client, &keys, "GET", &path, NULL);
  if (code == HF_EXIT_DONE) {
    print_warnings(keys);
  }
  json_decref(keys);
  hf_client_close(client);
  return code;
}
