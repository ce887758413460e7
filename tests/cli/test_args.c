/* SPDX-License-Identifier: Apache-2.0
 * Command lines against the table, and the table against help, manual and docs. */
#include "tests/cli/clirun.h"

#include "hf/cli/args.h"

static const struct hf_option options[] = {{"json", NULL, HF_OPTION_FLAG, "print JSON"},
                                           {"limit", "N", HF_OPTION_ONE, "how many"},
                                           {"wait", "TIME", HF_OPTION_ONE, "how long"},
                                           {"hardware", "ID", HF_OPTION_MANY, "for which"}};
static const struct hf_command command = {"thing", "do", NULL, "A [B]", 1, 2, "Do it", "", options, 4};

static enum hf_err parse(struct hf_call *call, const char *const *words)
{
  static char rooms[16][64];
  char *argv[16];
  int argc = 0;
  for (; words[argc] != NULL; argc++) {
    (void)snprintf(rooms[argc], sizeof rooms[argc], "%s", words[argc]);
    argv[argc] = rooms[argc];
  }
  return hf_args_parse(call, &command, argc, argv);
}

#define PARSE(call, ...) parse((call), (const char *const[]){__VA_ARGS__, NULL})

static void takes_options_anywhere_in_both_spellings(void **state)
{
  struct hf_call call;
  uint64_t limit;
  (void)state;
  assert_int_equal(PARSE(&call, "--limit", "7", "a", "--json", "b"), HF_OK);
  assert_int_equal(call.operand_count, 2);
  assert_string_equal(call.operands[1], "b");
  assert_true(hf_args_has(&call, "json"));
  assert_int_equal(hf_args_number(&call, "limit", &limit, 1, (const uint64_t[]){1, 10}), HF_OK);
  assert_int_equal(limit, 7);
  assert_int_equal(PARSE(&call, "a", "--limit=9"), HF_OK);
  assert_string_equal(hf_args_get(&call, "limit"), "9");
  assert_false(hf_args_has(&call, "json"));
}

static void two_dashes_end_the_options(void **state)
{
  struct hf_call call;
  (void)state;
  assert_int_equal(PARSE(&call, "--", "--json", "--"), HF_OK);
  assert_int_equal(call.operand_count, 2);
  assert_string_equal(call.operands[0], "--json");
  assert_string_equal(call.operands[1], "--");
  assert_int_equal(PARSE(&call, "-"), HF_OK); /* a lone dash is a name */
}

static void repeated_options_come_in_order(void **state)
{
  struct hf_call call;
  size_t at = 0;
  (void)state;
  assert_int_equal(PARSE(&call, "a", "--hardware", "x", "--hardware=y"), HF_OK);
  assert_string_equal(hf_args_next(&call, "hardware", &at), "x");
  assert_string_equal(hf_args_next(&call, "hardware", &at), "y");
  assert_null(hf_args_next(&call, "hardware", &at));
}

static void refuses_what_the_table_does_not_list(void **state)
{
  struct hf_call call;
  (void)state;
  assert_int_equal(PARSE(&call, "a", "--jason"), HF_E_INPUT);
  assert_int_equal(PARSE(&call, "a", "-j"), HF_E_INPUT);
  assert_int_equal(PARSE(&call, "a", "--json=yes"), HF_E_INPUT);
  assert_int_equal(PARSE(&call, "a", "--limit"), HF_E_INPUT);
  assert_int_equal(PARSE(&call, "a", "--limit", "1", "--limit", "2"), HF_E_INPUT);
  assert_int_equal(PARSE(&call, "a", "b", "c"), HF_E_INPUT);
  assert_int_equal(PARSE(&call, "--json"), HF_E_INPUT);
  assert_int_equal(PARSE(&call, "a", "--"), HF_OK);
  assert_int_equal(PARSE(&call, "a", "--=x"), HF_E_INPUT);
}

static void refuses_more_options_than_it_can_hold(void **state)
{
  struct hf_call call;
  char *argv[2 * HF_ARGS_VALUES_MAX + 4];
  char word[] = "--hardware";
  char value[] = "x";
  int argc = 0;
  (void)state;
  for (int i = 0; i <= HF_ARGS_VALUES_MAX; i++) {
    argv[argc++] = word;
    argv[argc++] = value;
  }
  assert_int_equal(hf_args_parse(&call, &command, argc, argv), HF_E_INPUT);
  assert_int_equal(hf_args_parse(&call, &command, argc - 2, argv), HF_E_INPUT); /* the operand is missing */
  argv[argc - 2] = value;
  assert_int_equal(hf_args_parse(&call, &command, argc - 1, argv), HF_OK);
}

static void numbers_fit_their_range_or_are_refused(void **state)
{
  static const char *const bad[] = {"", "x", "1x", "-1", " 1", "+1", "0x1", "11", "18446744073709551616", "1.0"};
  struct hf_call call;
  uint64_t number;
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(PARSE(&call, "a", "--limit", bad[i]), HF_OK);
    assert_int_equal(hf_args_number(&call, "limit", &number, 1, (const uint64_t[]){0, 10}), HF_E_INPUT);
  }
  assert_int_equal(PARSE(&call, "a"), HF_OK);
  assert_int_equal(hf_args_number(&call, "limit", &number, 5, (const uint64_t[]){0, 10}), HF_OK);
  assert_int_equal(number, 5);
}

static void durations_have_units(void **state)
{
  static const struct {
    const char *text;
    uint64_t seconds;
  } good[] = {{"90", 90}, {"90s", 90}, {"15m", 900}, {"12h", 43200}, {"30d", 2592000}, {"0", 0}};
  static const char *const bad[] = {"", "d", "1w", "1 d", "-1d", "99999999999999999999d", "1dd", "36526d"};
  struct hf_call call;
  uint64_t seconds;
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_int_equal(PARSE(&call, "a", "--wait", good[i].text), HF_OK);
    assert_int_equal(hf_args_duration(&call, "wait", &seconds, 1), HF_OK);
    assert_int_equal(seconds, good[i].seconds);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(PARSE(&call, "a", "--wait", bad[i]), HF_OK);
    assert_int_equal(hf_args_duration(&call, "wait", &seconds, 1), HF_E_INPUT);
  }
}

static void distance_counts_edits(void **state)
{
  (void)state;
  assert_int_equal(hf_word_distance("rollout", "rollout"), 0);
  assert_int_equal(hf_word_distance("rollout", "rolout"), 1);
  assert_int_equal(hf_word_distance("sing", "sign"), 1);
  assert_int_equal(hf_word_distance("", "abc"), 3);
  assert_int_equal(hf_word_distance("kitten", "sitting"), 3);
}

static void suggests_the_nearest_command_and_option(void **state)
{
  struct clirun *run = *state;
  assert_int_equal(clirun(run, "relase", "list"), HF_EXIT_USAGE);
  assert_says(run->err, "did you mean `holdfast release`?");
  assert_int_equal(clirun(run, "rollout", "strat"), HF_EXIT_USAGE);
  assert_says(run->err, "did you mean `holdfast rollout start`?");
  assert_int_equal(clirun(run, "init", "w", "--passphrase-fiel", "x"), HF_EXIT_USAGE);
  assert_says(run->err, "did you mean --passphrase-file?");
  assert_int_equal(clirun(run, "xyzzy"), HF_EXIT_USAGE);
  assert_says(run->err, "`holdfast --help` lists all commands");
  assert_int_equal(clirun(run, "device"), HF_EXIT_USAGE);
  assert_says(run->err, "usage: holdfast device VERB");
  assert_string_equal(run->out, "");
}

static void every_command_explains_itself(void **state)
{
  struct clirun *run = *state;
  size_t count;
  const struct hf_command *table = hf_command_table(&count);
  for (size_t i = 0; i < count; i++) {
    const char *const one[] = {"holdfast", table[i].group, "--help", NULL};
    const char *const two[] = {"holdfast", table[i].group, table[i].verb, "--help", NULL};
    assert_int_equal(clirun_limited(run, 0, NULL, table[i].verb[0] == 0 ? one : two), HF_EXIT_DONE);
    assert_says(run->out, table[i].help);
    assert_string_equal(run->err, "");
    for (size_t j = 0; j < table[i].option_count; j++) {
      assert_says(run->out, table[i].options[j].name);
    }
  }
}

/* A table is right when a reader can trust it: no option twice, no verb twice, sentences of one shape. */
static void the_table_is_well_formed(void **state)
{
  size_t count;
  const struct hf_command *table = hf_command_table(&count);
  (void)state;
  for (size_t i = 0; i < count; i++) {
    size_t len = strlen(table[i].help);
    assert_true(table[i].help[0] >= 'A' && table[i].help[0] <= 'Z' && table[i].help[len - 1] != '.');
    assert_true(table[i].operands_min <= table[i].operands_max);
    for (size_t j = 0; j < i; j++) {
      assert_false(strcmp(table[i].group, table[j].group) == 0 && strcmp(table[i].verb, table[j].verb) == 0);
    }
    for (size_t j = 0; j < table[i].option_count; j++) {
      const struct hf_option *option = &table[i].options[j];
      assert_int_equal(option->kind == HF_OPTION_FLAG, option->value == NULL);
      assert_true(option->help[strlen(option->help) - 1] != '.');
      for (size_t k = 0; k < j; k++) {
        assert_string_not_equal(option->name, table[i].options[k].name);
      }
    }
  }
}

static void golden(struct clirun *run, const char *path, const char *const *words)
{
  static char wanted[CLIRUN_TEXT_MAX];
  char here[512];
  assert_non_null(getcwd(here, sizeof here));
  assert_int_equal(clirun_limited(run, 0, here, words), HF_EXIT_DONE);
  clirun_slurp(wanted, path);
  if (strcmp(wanted, run->out) != 0) {
    fail_msg("%s is not what `holdfast %s %s` says: write it anew with that command, and read it", path, words[1],
             words[2] == NULL ? "" : words[2]);
  }
}

static void help_and_manual_are_the_golden_ones(void **state)
{
  golden(*state, "tests/cli/golden/help.txt", (const char *const[]){"holdfast", "--help", NULL});
  golden(*state, "tests/cli/golden/init.txt", (const char *const[]){"holdfast", "init", "--help", NULL});
  golden(*state, "docs/man/holdfast.1", (const char *const[]){"holdfast", "help", "--mdoc", NULL});
}

static void the_docs_name_every_command(void **state)
{
  static char docs[CLIRUN_TEXT_MAX];
  size_t count;
  const struct hf_command *table = hf_command_table(&count);
  (void)state;
  clirun_slurp(docs, "docs/cli.md");
  for (size_t i = 0; i < count; i++) {
    char name[64];
    (void)snprintf(name, sizeof name, "`holdfast %s%s%s", table[i].group, table[i].verb[0] ? " " : "", table[i].verb);
    assert_says(docs, name);
  }
}

static void the_manual_has_no_mistake_in_mdoc(void **state)
{
  (void)state;
  if (system("command -v mandoc >/dev/null 2>&1") != 0) {
    skip();
  }
  assert_int_equal(system("mandoc -T lint docs/man/holdfast.1"), 0);
}

static void output_that_cannot_be_written_is_a_failure(void **state)
{
  struct clirun *run = *state;
  /* 100 bytes fit; the help is longer. The same as a full disk behind a redirection. */
  assert_int_equal(clirun_limited(run, 100, NULL, (const char *const[]){"holdfast", "--help", NULL}), HF_EXIT_FAILED);
}

#define WITH_RUN(test) clirun_test(test, clirun_set_up)

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_options_anywhere_in_both_spellings),
      cmocka_unit_test(two_dashes_end_the_options),
      cmocka_unit_test(repeated_options_come_in_order),
      cmocka_unit_test(refuses_what_the_table_does_not_list),
      cmocka_unit_test(refuses_more_options_than_it_can_hold),
      cmocka_unit_test(numbers_fit_their_range_or_are_refused),
      cmocka_unit_test(durations_have_units),
      cmocka_unit_test(distance_counts_edits),
      WITH_RUN(suggests_the_nearest_command_and_option),
      WITH_RUN(every_command_explains_itself),
      cmocka_unit_test(the_table_is_well_formed),
      WITH_RUN(help_and_manual_are_the_golden_ones),
      cmocka_unit_test(the_docs_name_every_command),
      cmocka_unit_test(the_manual_has_no_mistake_in_mdoc),
      WITH_RUN(output_that_cannot_be_written_is_a_failure),
  };
  return cmocka_run_group_tests_name("args", tests, NULL, NULL);
}
