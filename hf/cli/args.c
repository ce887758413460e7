/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/args.h"

#include <string.h>

#include "hf/base/assert.h"
#include "hf/cli/term.h"

#define WORD_MAX 40

static unsigned smaller(unsigned a, unsigned b) { return a < b ? a : b; }

unsigned hf_word_distance(const char *a, const char *b)
{
  unsigned row[3][WORD_MAX + 1];
  size_t a_len = strlen(a);
  size_t b_len = strlen(b);
  if (a_len > WORD_MAX || b_len > WORD_MAX) {
    return 99;
  }
  for (size_t j = 0; j <= b_len; j++) {
    row[0][j] = (unsigned)j;
  }
  for (size_t i = 1; i <= a_len; i++) {
    unsigned *now = row[i % 3];
    const unsigned *before = row[(i - 1) % 3];
    now[0] = (unsigned)i;
    for (size_t j = 1; j <= b_len; j++) {
      now[j] = smaller(smaller(before[j] + 1, now[j - 1] + 1), before[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        now[j] = smaller(now[j], row[(i - 2) % 3][j - 2] + 1);
      }
    }
  }
  return row[a_len % 3][b_len];
}

static const struct hf_option *option_get(const struct hf_command *command, const char *name, size_t len)
{
  for (size_t i = 0; i < command->option_count; i++) {
    if (strlen(command->options[i].name) == len && memcmp(command->options[i].name, name, len) == 0) {
      return &command->options[i];
    }
  }
  return NULL;
}

static const char *command_words(const struct hf_command *command)
{
  static char words[80];
  hf_format(words, sizeof words, "%s%s%s", command->group, command->verb[0] ? " " : "", command->verb);
  return words;
}

static enum hf_err refuse_option(const struct hf_command *command, const char *given, size_t len)
{
  char name[WORD_MAX + 1];
  const char *nearest = NULL;
  unsigned best = 4;
  hf_format(name, sizeof name, "%.*s", (int)(len > WORD_MAX ? WORD_MAX : len), given);
  for (size_t i = 0; i < command->option_count; i++) {
    unsigned distance = hf_word_distance(name, command->options[i].name);
    if (distance < best && distance <= strlen(command->options[i].name) / 2) {
      best = distance;
      nearest = command->options[i].name;
    }
  }
  if (nearest != NULL) {
    hf_complain(NULL,
                hf_say("did you mean --%s? `holdfast %s --help` lists all options", nearest, command_words(command)),
                "unknown option --%s", name);
  } else {
    hf_complain(NULL, hf_say("`holdfast %s --help` lists the options", command_words(command)), "unknown option --%s",
                name);
  }
  return HF_E_INPUT;
}

static enum hf_err add_value(struct hf_call *call, const struct hf_option *option, const char *value)
{
  for (size_t i = 0; option->kind == HF_OPTION_ONE && i < call->value_count; i++) {
    if (call->values[i].option == option) {
      hf_complain(NULL, "give it once", "--%s is given twice", option->name);
      return HF_E_INPUT;
    }
  }
  if (call->value_count == HF_ARGS_VALUES_MAX) {
    hf_complain(NULL, "split the work over several commands", "more than %d options", HF_ARGS_VALUES_MAX);
    return HF_E_INPUT;
  }
  call->values[call->value_count].option = option;
  call->values[call->value_count].value = value;
  call->value_count++;
  return HF_OK;
}

/* `arg` starts with "--"; `*index` moves on when the next argument is its value. */
static enum hf_err take_option(struct hf_call *call, int argc, char **argv, int *index)
{
  const char *name = argv[*index] + 2;
  size_t len = strcspn(name, "=");
  const struct hf_option *option = option_get(call->command, name, len);
  if (option == NULL) {
    return refuse_option(call->command, name, len);
  }
  if (option->kind == HF_OPTION_FLAG) {
    if (name[len] == '=') {
      hf_complain(NULL, hf_say("write --%s alone", option->name), "--%s takes no value", option->name);
      return HF_E_INPUT;
    }
    return add_value(call, option, "");
  }
  if (name[len] == '=') {
    return add_value(call, option, name + len + 1);
  }
  if (*index + 1 >= argc) {
    hf_complain(NULL, hf_say("write --%s %s", option->name, option->value), "--%s needs a value", option->name);
    return HF_E_INPUT;
  }
  (*index)++;
  return add_value(call, option, argv[*index]);
}

static enum hf_err take_operand(struct hf_call *call, const char *operand)
{
  const struct hf_command *command = call->command;
  if (call->operand_count >= command->operands_max) {
    hf_complain(NULL, hf_say("usage: holdfast %s %s", command_words(command), command->operands),
                "one argument too many: %s", operand);
    return HF_E_INPUT;
  }
  call->operands[call->operand_count++] = operand;
  return HF_OK;
}

static bool asks_help(int argc, char **argv)
{
  for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      return true;
    }
  }
  return false;
}

enum hf_err hf_args_parse(struct hf_call *call, const struct hf_command *command, int argc, char **argv)
{
  *call = (struct hf_call){.command = command, .help = asks_help(argc, argv)};
  HF_ASSERT(command->operands_max <= HF_ARGS_OPERANDS_MAX);
  bool options = true;
  for (int i = 0; i < argc && !call->help; i++) {
    enum hf_err err;
    if (options && strcmp(argv[i], "--") == 0) {
      options = false;
      continue;
    }
    if (options && strncmp(argv[i], "--", 2) == 0) {
      err = take_option(call, argc, argv, &i);
    } else if (options && argv[i][0] == '-' && argv[i][1] != 0) {
      hf_complain(NULL, "options are written out, with two dashes", "unknown option %s", argv[i]);
      err = HF_E_INPUT;
    } else {
      err = take_operand(call, argv[i]);
    }
    if (err != HF_OK) {
      return err;
    }
  }
  if (!call->help && call->operand_count < command->operands_min) {
    hf_complain(NULL, hf_say("usage: holdfast %s %s", command_words(command), command->operands),
                "something is missing after `holdfast %s`", command_words(command));
    return HF_E_INPUT;
  }
  return HF_OK;
}

const char *hf_args_next(const struct hf_call *call, const char *name, size_t *at)
{
  const struct hf_option *option = option_get(call->command, name, strlen(name));
  HF_ASSERT(option != NULL);
  while (*at < call->value_count) {
    size_t i = (*at)++;
    if (call->values[i].option == option) {
      return call->values[i].value;
    }
  }
  return NULL;
}

const char *hf_args_get(const struct hf_call *call, const char *name)
{
  size_t at = 0;
  return hf_args_next(call, name, &at);
}

const char *hf_args_get_or(const struct hf_call *call, const char *name, const char *other)
{
  const char *value = hf_args_get(call, name);
  return value == NULL ? other : value;
}

bool hf_args_has(const struct hf_call *call, const char *name) { return hf_args_get(call, name) != NULL; }

/* Leading decimal digits; false when there are none or they do not fit. */
static bool digits_parse(uint64_t *number, const char **text)
{
  const char *at = *text;
  *number = 0;
  for (; *at >= '0' && *at <= '9'; at++) {
    if (__builtin_mul_overflow(*number, 10u, number) ||
        __builtin_add_overflow(*number, (uint64_t)(*at - '0'), number)) {
      return false;
    }
  }
  bool any = at != *text;
  *text = at;
  return any;
}

enum hf_err hf_args_number(const struct hf_call *call, const char *name, uint64_t *number, uint64_t other,
                           const uint64_t range[2])
{
  const char *text = hf_args_get(call, name);
  *number = other;
  if (text == NULL) {
    return HF_OK;
  }
  const char *end = text;
  if (!digits_parse(number, &end) || *end != 0 || *number < range[0] || *number > range[1]) {
    hf_complain(
        hf_say("--%s %s", name, text),
        hf_say("give a whole number from %llu to %llu", (unsigned long long)range[0], (unsigned long long)range[1]),
        "not a number that fits here");
    return HF_E_INPUT;
  }
  return HF_OK;
}

enum hf_err hf_args_duration(const struct hf_call *call, const char *name, uint64_t *seconds, uint64_t other)
{
  static const struct {
    const char *unit;
    uint64_t seconds;
  } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
  const char *text = hf_args_get(call, name);
  *seconds = other;
  if (text == NULL) {
    return HF_OK;
  }
  const char *unit = text;
  if (digits_parse(seconds, &unit)) {
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
      /* A hundred years is further than any deadline and far from overflow. */
      if (strcmp(unit, units[i].unit) == 0 && *seconds <= UINT64_C(3155760000) / units[i].seconds) {
        *seconds *= units[i].seconds;
        return HF_OK;
      }
    }
  }
  hf_complain(hf_say("--%s %s", name, text), "write 90s, 15m, 12h or 30d", "not a length of time");
  return HF_E_INPUT;
}
