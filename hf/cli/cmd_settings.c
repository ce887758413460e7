/* SPDX-License-Identifier: Apache-2.0
 * holdfast settings */
#include <stdlib.h>
#include <string.h>

#include "hf/cli/ask.h"
#include "hf/cli/command.h"
#include "hf/cli/output.h"
#include "hf/cli/term.h"

static void print_settings(const json_t *settings)
{
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)settings, name, value)
  {
    (void)value;
    hf_field_print(name, 20, hf_member(settings, name));
  }
}

int hf_cmd_settings_show(const struct hf_call *call)
{
  struct hf_client_path path;
  hf_client_path_init(&path, "/settings");
  return hf_ask(call, "GET", &path, NULL, print_settings);
}

/* One NAME=VALUE into the settings as they stand: a name must be one of theirs, a number stays a number. What values are
 * good is the server's to say. */
static enum hf_err setting_put(json_t *settings, const char *text)
{
  char *end = NULL;
  char name[64];
  const char *equals = strchr(text, '=');
  size_t len = equals == NULL ? 0 : (size_t)(equals - text);
  json_t *value = NULL;
  if (len > 0 && len < sizeof name) {
    hf_format(name, sizeof name, "%.*s", (int)len, text);
    long long number = strtoll(equals + 1, &end, 10);
    value = equals[1] == 0 ? json_null() : *end == 0 ? json_integer((json_int_t)number) : json_string(equals + 1);
    const json_t *now = json_object_get(settings, name);
    if (now == NULL || (json_is_integer(now) && !json_is_integer(value))) {
      json_decref(value);
      value = NULL;
    }
  }
  if (value == NULL || json_object_set_new(settings, name, value) != 0) {
    hf_complain(text, "NAME=VALUE, such as checkin_interval_s=600; holdfast settings show lists the names",
                "not a setting");
    return HF_E_INPUT;
  }
  return HF_OK;
}

/* Read, change, write: PUT replaces all of them. */
static int change(struct hf_client *client, const struct hf_call *call, json_t **settings)
{
  struct hf_client_path path;
  json_t *reply = NULL;
  hf_client_path_init(&path, "/settings");
  int code = hf_client_ask(client, settings, "GET", &path, NULL);
  for (size_t i = 0; i < call->operand_count && code == HF_EXIT_DONE; i++) {
    code = setting_put(*settings, call->operands[i]) == HF_OK ? HF_EXIT_DONE : HF_EXIT_USAGE;
  }
  if (code == HF_EXIT_DONE) {
    code = hf_client_ask(client, &reply, "PUT", &path, *settings);
  }
  if (code == HF_EXIT_DONE) {
    json_decref(*settings);
    *settings = reply;
  }
  return code;
}

int hf_cmd_settings_set(const struct hf_call *call)
{
  struct hf_client *client;
  json_t *settings = NULL;
  int code = hf_client_open(&client, call);
  if (code != HF_EXIT_DONE) {
    return code;
  }
  code = change(client, call, &settings);
  if (code == HF_EXIT_DONE && hf_args_has(call, "json")) {
    hf_output_json(json_incref(settings));
  } else if (code == HF_EXIT_DONE) {
    print_settings(settings);
  }
  json_decref(settings);
  hf_client_close(client);
  return code;
}
