/* SPDX-License-Identifier: Apache-2.0
 * holdfast rollout */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hf/base/assert.h"
#include "hf/base/time.h"
#include "hf/cli/ask.h"
#include "hf/cli/command.h"
#include "hf/cli/output.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define NAME_WIDTH 9
#define BAR_WIDTH 24

/* ---- start ---- */

static json_t *wave_of(const char *word)
{
  char *end = NULL;
  if (strncmp(word, "group:", 6) == 0) {
    return word[6] == 0 ? NULL : json_pack("{s:s}", "group", word + 6);
  }
  unsigned long percent = word[0] >= '0' && word[0] <= '9' ? strtoul(word, &end, 10) : 0;
  bool whole = end != NULL && (*end == 0 || (*end == '%' && end[1] == 0));
  return whole && percent >= 1 && percent <= 100 ? json_pack("{s:i}", "percent", (int)percent) : NULL;
}

static json_t *waves_get(const struct hf_call *call)
{
  const char *list = hf_args_get_or(call, "waves", "5,25,100");
  json_t *waves = json_array();
  for (const char *part = list; part != NULL;) {
    char word[64];
    size_t len = strcspn(part, ",");
    hf_format(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word - 1), part);
    json_t *wave = wave_of(word);
    if (wave == NULL) {
      hf_complain(hf_say("--waves %s", list), "write percents from 1 to 100 and groups: 5,25,100 or group:testers,100",
                  "not a wave: %s", word);
      json_decref(waves);
      return NULL;
    }
    HF_ASSERT(json_array_append_new(waves, wave) == 0);
    part = part[len] == ',' ? part + len + 1 : NULL;
  }
  return waves;
}

static const char *deadline_get(const struct hf_call *call, enum hf_err *err)
{
  uint8_t room[HF_TIME_TEXT_LEN + 1];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  uint64_t seconds;
  *err = hf_args_duration(call, "deadline", &seconds, 0);
  if (*err != HF_OK || seconds == 0) {
    return NULL;
  }
  hf_time_put(&text, (int64_t)time(NULL) + (int64_t)seconds);
  return hf_say("%.*s", (int)text.len, (const char *)room);
}

static bool is_count(const char *text, const char *count) { return text != NULL && strcmp(text, count) == 0; }

static const char *plural(const char *count) { return is_count(count, "1") ? "" : "s"; }

static void print_started(const json_t *rollout)
{
  const char *devices = hf_member_said(rollout, "devices");
  const char *waves = hf_member_said(rollout, "waves");
  bool nobody = is_count(devices, "0");
  hf_print_clean(stdout, hf_say("Rollout %s of %s %s is %s: %s device%s in %s wave%s.", hf_member_said(rollout, "id"),
                                hf_member_said(rollout, "product"), hf_member_said(rollout, "version"),
                                hf_member_said(rollout, "state"), devices, plural(devices), waves, plural(waves)));
  fputs("\nFollow it: holdfast rollout show ", stdout);
  hf_print_clean(stdout, hf_member_said(rollout, "id"));
  puts(" --watch");
  if (nobody) {
    hf_note("note: no device can take it now: none is known that runs another version within --from, on this hardware, "
            "with no higher security counter; one that comes later is offered it");
  }
}

int hf_cmd_rollout_start(const struct hf_call *call)
{
  struct hf_client_path path;
  uint64_t success;
  uint64_t failures;
  enum hf_err err;
  if (hf_args_number(call, "success", &success, 90, (const uint64_t[]){1, 100}) != HF_OK ||
      hf_args_number(call, "max-failures", &failures, 0, (const uint64_t[]){0, 1000000}) != HF_OK) {
    return HF_EXIT_USAGE;
  }
  const char *deadline = deadline_get(call, &err);
  json_t *waves = err == HF_OK ? waves_get(call) : NULL;
  if (waves == NULL) {
    return HF_EXIT_USAGE;
  }
  json_t *body = json_pack("{s:s, s:s, s:o, s:I, s:I, s:s*, s:s*}", "product", call->operands[0], "version",
                           call->operands[1], "waves", waves, "success_percent", (json_int_t)success, "max_failures",
                           (json_int_t)failures, "deadline", deadline, "group", hf_args_get(call, "group"));
  if (body == NULL) {
    hf_complain(NULL, "write names in UTF-8", "an argument is no text");
    return HF_EXIT_USAGE;
  }
  hf_client_path_init(&path, "/rollouts");
  return hf_ask(call, "POST", &path, body, print_started);
}

/* ---- list, show ---- */

int hf_cmd_rollout_list(const struct hf_call *call)
{
  static const struct hf_column columns[] = {
      {">ID", "id", HF_CELL_TEXT},           {"PRODUCT", "product", HF_CELL_TEXT}, {"VERSION", "version", HF_CELL_TEXT},
      {"STATE", "state", HF_CELL_STATE},     {">WAVE", "wave", HF_CELL_TEXT},      {">OF", "waves", HF_CELL_TEXT},
      {">DEVICES", "devices", HF_CELL_TEXT}, {"STARTED", "created", HF_CELL_TIME}, {"REASON", "reason", HF_CELL_TEXT}};
  static const struct hf_ask_list list = {columns, COUNT(columns), "no rollouts yet", 100};
  struct hf_client_path path;
  hf_client_path_init(&path, "/rollouts");
  hf_client_path_put_query(&path, "product", call->operand_count > 0 ? call->operands[0] : NULL);
  return hf_ask_list(call, &path, &list);
}

static long long count_of(const json_t *counts, const char *state)
{
  return json_integer_value(json_object_get(counts, state));
}

static long long failed_of(const json_t *counts)
{
  return count_of(counts, "reverted") + count_of(counts, "failed") + count_of(counts, "refused");
}

/* "####!......": confirmed, failed, still to come. */
static const char *say_bar(const json_t *wave)
{
  char bar[BAR_WIDTH + 1];
  const json_t *counts = json_object_get(wave, "counts");
  long long devices = json_integer_value(json_object_get(wave, "devices"));
  long long good = devices == 0 ? 0 : count_of(counts, "confirmed") * BAR_WIDTH / devices;
  long long bad = devices == 0 ? 0 : (failed_of(counts) * BAR_WIDTH + devices - 1) / devices;
  for (long long i = 0; i < BAR_WIDTH; i++) {
    bar[i] = ".!#"[i < good ? 2 : i < good + bad];
  }
  bar[BAR_WIDTH] = 0;
  return hf_say("%s", bar);
}

static void put_wave(struct hf_table *table, const json_t *wave)
{
  const json_t *counts = json_object_get(wave, "counts");
  const char *percent = hf_member(wave, "percent");
  const char *state = hf_member(wave, "state");
  hf_table_put(table, hf_member(wave, "number"));
  hf_table_put(table, percent != NULL ? hf_say("%s percent", percent) : hf_say("group %s", hf_member(wave, "group")));
  hf_table_put_tone(table, state, hf_state_tone(state));
  hf_table_put(table, hf_member(wave, "devices"));
  hf_table_put(table, hf_say("%lld", count_of(counts, "confirmed")));
  hf_table_put_tone(table, hf_say("%lld", failed_of(counts)), failed_of(counts) > 0 ? HF_TONE_BAD : HF_TONE_PLAIN);
  hf_table_put(table, hf_say("%lld", count_of(counts, "offered") + count_of(counts, "downloading") +
                                         count_of(counts, "staged") + count_of(counts, "trying")));
  hf_table_put(table, say_bar(wave));
}

static void print_waves(const json_t *rollout)
{
  static const char *const headings[] = {">WAVE",      "WHO",     "STATE",       ">DEVICES",
                                         ">CONFIRMED", ">FAILED", ">ON THE WAY", "PROGRESS"};
  const json_t *waves = json_object_get(rollout, "wave_list");
  struct hf_table *table = hf_table_new(headings, COUNT(headings));
  for (size_t i = 0; i < json_array_size(waves); i++) {
    put_wave(table, json_array_get(waves, i));
  }
  putchar('\n');
  hf_table_print(table, stdout);
  hf_table_free(table);
}

static void print_rollout(const json_t *rollout)
{
  static const struct hf_column history[] = {{"WHEN", "time", HF_CELL_TIME},
                                             {"BY", "by", HF_CELL_TEXT},
                                             {"WHAT", "what", HF_CELL_TEXT},
                                             {"WHY", "reason", HF_CELL_TEXT}};
  const char *state = hf_member(rollout, "state");
  hf_field_print(
      "rollout", NAME_WIDTH,
      hf_say("%s: %s %s", hf_member(rollout, "id"), hf_member(rollout, "product"), hf_member(rollout, "version")));
  hf_field_print("state", NAME_WIDTH, state);
  if (hf_member(rollout, "reason") != NULL) {
    hf_field_print("because", NAME_WIDTH, hf_member(rollout, "reason"));
  }
  hf_field_print("devices", NAME_WIDTH, hf_member(rollout, "devices"));
  hf_field_print("next wave", NAME_WIDTH,
                 hf_say("at %s percent confirmed and at most %s failed", hf_member(rollout, "success_percent"),
                        hf_member(rollout, "max_failures")));
  if (hf_member(rollout, "deadline") != NULL) {
    hf_field_print("deadline", NAME_WIDTH, hf_member_time(rollout, "deadline"));
  }
  print_waves(rollout);
  putchar('\n');
  hf_rows_print(json_object_get(rollout, "history"), history, COUNT(history));
}

static bool ended(const json_t *rollout)
{
  const char *state = hf_member(rollout, "state");
  return state == NULL || strcmp(state, "done") == 0 || strcmp(state, "aborted") == 0 || strcmp(state, "stopped") == 0;
}

static void show_now(const struct hf_call *call, const json_t *rollout)
{
  json_t *whole = json_deep_copy(rollout);
  if (hf_args_has(call, "json")) {
    hf_output_json(whole);
    return;
  }
  json_decref(whole);
  if (hf_args_has(call, "watch") && isatty(STDOUT_FILENO)) {
    fputs("\033[H\033[2J", stdout);
  }
  print_rollout(rollout);
  fflush(stdout);
}

/* Wait until something in the fleet changed; `*since` moves. */
static int wait_change(struct hf_client *client, long long *since)
{
  struct hf_client_path path;
  json_t *events = NULL;
  hf_client_path_init(&path, "/events");
  hf_client_path_put_query(&path, "since", hf_say("%lld", *since));
  int code = hf_client_ask(client, &events, "GET", &path, NULL);
  if (code == HF_EXIT_DONE) {
    *since = json_integer_value(json_object_get(events, "change"));
  }
  json_decref(events);
  return code;
}

static int show(struct hf_client *client, const struct hf_call *call)
{
  struct hf_client_path path;
  long long since = 0;
  hf_client_path_init(&path, "/rollouts");
  hf_client_path_put(&path, call->operands[0]);
  for (;;) { /* until the rollout ends, the server goes away or a person stops it: that is what --watch means */
    json_t *rollout = NULL;
    const struct timespec breath = {.tv_sec = 1};
    int code = hf_client_ask(client, &rollout, "GET", &path, NULL);
    if (code != HF_EXIT_DONE) {
      json_decref(rollout);
      return code;
    }
    show_now(call, rollout);
    bool over = !hf_args_has(call, "watch") || ended(rollout);
    const char *state = hf_member(rollout, "state");
    bool good = !hf_args_has(call, "watch") || (state != NULL && strcmp(state, "done") == 0);
    json_decref(rollout);
    if (over) {
      return good ? HF_EXIT_DONE : HF_EXIT_FAILED;
    }
    (void)nanosleep(&breath, NULL); /* a busy fleet changes all the time; nobody reads faster than this */
    code = wait_change(client, &since);
    if (code != HF_EXIT_DONE) {
      return code;
    }
  }
}

int hf_cmd_rollout_show(const struct hf_call *call)
{
  struct hf_client *client;
  int code = hf_client_open(&client, call);
  if (code == HF_EXIT_DONE) {
    code = show(client, call);
  }
  hf_client_close(client);
  return code;
}

/* ---- pause, resume, abort ---- */

static void print_steered(const json_t *rollout)
{
  hf_print_clean(stdout, hf_say("Rollout %s of %s %s is %s.", hf_member(rollout, "id"), hf_member(rollout, "product"),
                                hf_member(rollout, "version"), hf_member(rollout, "state")));
  putchar('\n');
}

static int steer(const struct hf_call *call, const char *verb)
{
  struct hf_client_path path;
  hf_client_path_init(&path, "/rollouts");
  hf_client_path_put(&path, call->operands[0]);
  hf_client_path_put(&path, verb);
  return hf_ask_reason(call, &path, print_steered);
}

int hf_cmd_rollout_pause(const struct hf_call *call) { return steer(call, "pause"); }

int hf_cmd_rollout_resume(const struct hf_call *call) { return steer(call, "resume"); }

int hf_cmd_rollout_abort(const struct hf_call *call) { return steer(call, "abort"); }
