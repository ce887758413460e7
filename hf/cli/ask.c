/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/ask.h"

#include <string.h>

#include "hf/base/assert.h"
#include "hf/cli/output.h"

#define COLUMNS_MAX 12
/** As many devices as one server is meant for, and some. */
#define LIMIT_MAX 2000000

enum hf_tone hf_state_tone(const char *state)
{
  static const struct {
    const char *state;
    enum hf_tone tone;
  } tones[] = {{"confirmed", HF_TONE_GOOD}, {"done", HF_TONE_GOOD},      {"reverted", HF_TONE_BAD},
               {"failed", HF_TONE_BAD},     {"refused", HF_TONE_BAD},    {"stopped", HF_TONE_BAD},
               {"aborted", HF_TONE_WARN},   {"paused", HF_TONE_WARN},    {"postponed", HF_TONE_WARN},
               {"silent", HF_TONE_WARN},    {"running", HF_TONE_STRONG}, {"waiting", HF_TONE_DIM}};
  for (size_t i = 0; state != NULL && i < sizeof tones / sizeof tones[0]; i++) {
    if (strcmp(state, tones[i].state) == 0) {
      return tones[i].tone;
    }
  }
  return HF_TONE_PLAIN;
}

static void put_cell(struct hf_table *table, const json_t *item, const struct hf_column *column)
{
  const char *text = NULL;
  switch (column->cell) {
    case HF_CELL_TIME: text = hf_member_time(item, column->member); break;
    case HF_CELL_LIST: text = hf_member_list(item, column->member); break;
    case HF_CELL_TEXT:
    case HF_CELL_STATE: text = hf_member(item, column->member); break;
  }
  hf_table_put_tone(table, text, column->cell == HF_CELL_STATE ? hf_state_tone(text) : HF_TONE_PLAIN);
}

void hf_rows_print(const json_t *items, const struct hf_column *columns, size_t count)
{
  const char *headings[COLUMNS_MAX];
  HF_ASSERT(count <= COLUMNS_MAX);
  for (size_t i = 0; i < count; i++) {
    headings[i] = columns[i].heading;
  }
  struct hf_table *table = hf_table_new(headings, count);
  for (size_t i = 0; i < json_array_size(items); i++) {
    for (size_t j = 0; j < count; j++) {
      put_cell(table, json_array_get(items, i), &columns[j]);
    }
  }
  hf_table_print(table, stdout);
  hf_table_free(table);
}

static bool has_option(const struct hf_call *call, const char *name)
{
  for (size_t i = 0; i < call->command->option_count; i++) {
    if (strcmp(call->command->options[i].name, name) == 0) {
      return true;
    }
  }
  return false;
}

static void print_list(const json_t *items, long long total, const struct hf_ask_list *list)
{
  size_t shown = json_array_size(items);
  if (shown == 0) {
    hf_note("%s", list->nothing);
    return;
  }
  hf_rows_print(items, list->columns, list->column_count);
  if (total > (long long)shown) {
    hf_note("%zu of %lld; --limit shows more", shown, total);
  }
}

int hf_ask_list(const struct hf_call *call, const struct hf_client_path *path, const struct hf_ask_list *list)
{
  struct hf_client *client;
  json_t *items = NULL;
  long long total = 0;
  uint64_t limit = list->limit;
  if (has_option(call, "limit") &&
      hf_args_number(call, "limit", &limit, list->limit, (const uint64_t[]){1, LIMIT_MAX}) != HF_OK) {
    return HF_EXIT_USAGE;
  }
  if (has_option(call, "all") && hf_args_has(call, "all")) {
    limit = LIMIT_MAX;
  }
  int code = hf_client_open(&client, call);
  if (code != HF_EXIT_DONE) {
    return code;
  }
  code = hf_client_list(client, &items, &total, path, (size_t)limit);
  if (code == HF_EXIT_DONE && hf_args_has(call, "json")) {
    hf_output_json(json_pack("{s:O, s:I}", "items", items, "total", (json_int_t)total));
  } else if (code == HF_EXIT_DONE) {
    print_list(items, total, list);
  }
  json_decref(items);
  hf_client_close(client);
  return code;
}

int hf_ask(const struct hf_call *call, const char *method, const struct hf_client_path *path, json_t *body,
           void (*print)(const json_t *reply))
{
  struct hf_client *client;
  json_t *reply = NULL;
  int code = hf_client_open(&client, call);
  if (code == HF_EXIT_DONE) {
    code = hf_client_ask(client, &reply, method, path, body);
  }
  if (code == HF_EXIT_DONE && hf_args_has(call, "json")) {
    hf_output_json(reply == NULL ? json_object() : json_incref(reply));
  } else if (code == HF_EXIT_DONE) {
    print(reply);
  }
  json_decref(reply);
  json_decref(body);
  hf_client_close(client);
  return code;
}

int hf_ask_reason(const struct hf_call *call, const struct hf_client_path *path, void (*print)(const json_t *reply))
{
  json_t *body = json_pack("{s:s}", "reason", hf_args_get_or(call, "reason", "no reason given"));
  if (body == NULL) {
    hf_complain("--reason", "write it in UTF-8", "the reason is no text");
    return HF_EXIT_USAGE;
  }
  return hf_ask(call, "POST", path, body, print);
}

json_t *hf_args_list(const struct hf_call *call, const char *name)
{
  json_t *list = json_array();
  size_t at = 0;
  for (const char *value = hf_args_next(call, name, &at); value != NULL; value = hf_args_next(call, name, &at)) {
    for (const char *part = value; part != NULL;) {
      size_t len = strcspn(part, ",");
      json_t *text = len == 0 ? NULL : json_stringn(part, len);
      if (text == NULL) {
        hf_complain(hf_say("--%s %s", name, value), "separate them by single commas", "an empty name in a list");
        json_decref(list);
        return NULL;
      }
      HF_ASSERT(json_array_append_new(list, text) == 0);
      part = part[len] == ',' ? part + len + 1 : NULL;
    }
  }
  return list;
}

int hf_refuse_text(void)
{
  hf_complain(NULL, "write names and texts in UTF-8", "an argument is no text");
  return HF_EXIT_USAGE;
}

void hf_print_removed(const json_t *reply)
{
  (void)reply;
  puts("Removed.");
}
