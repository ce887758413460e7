/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "ports/posix/deviceconf.h"

#define GOOD "device = thermo-0001\nproduct = thermostat\nhardware = thermo-a\nserver = https://localhost:8443\n"

static enum hf_err parse(struct hf_deviceconf *conf, struct hf_trouble *trouble, const char *text)
{
  memset(trouble, 0, sizeof *trouble);
  return hf_deviceconf_parse(conf, hf_bytes_text(text), trouble);
}

static void reads_a_file_and_fills_the_defaults(void **state)
{
  (void)state;
  struct hf_deviceconf conf;
  struct hf_trouble trouble;
  assert_int_equal(parse(&conf, &trouble, "# a comment\n\n" GOOD "  slot=2M  \r\nwatchdog_s =\t3\ndurable = no"),
                   HF_OK);
  assert_string_equal(conf.device, "thermo-0001");
  assert_string_equal(conf.component, "main");
  assert_int_equal(conf.slot, 2 << 20);
  assert_int_equal(conf.watchdog_s, 3);
  assert_int_equal(conf.sector, 4096);
  assert_false(conf.durable);
}

static void writes_what_it_reads(void **state)
{
  (void)state;
  struct hf_deviceconf conf;
  struct hf_deviceconf again;
  struct hf_trouble trouble;
  uint8_t text[HF_DEVICECONF_MAX];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  assert_int_equal(parse(&conf, &trouble, GOOD "slot = 512K\nalign = 4\nclock = no\n"), HF_OK);
  hf_deviceconf_encode(&buf, &conf);
  assert_int_equal(hf_deviceconf_parse(&again, hf_buf_bytes(&buf), &trouble), HF_OK);
  assert_memory_equal(&conf, &again, sizeof conf);
}

static void says_which_line_is_wrong(void **state)
{
  (void)state;
  const struct {
    const char *text, *where, *what;
  } bad[] = {{GOOD "colour = red\n", "line 5", "no setting \"colour\""},
             {GOOD "slot\n", "line 5", "no equals sign"},
             {"device = a\n" GOOD, "line 2: device", "twice"},
             {GOOD "slot = 12G\n", "line 5: slot", "12G"},
             {GOOD "slot = \n", "line 5: slot", "not a value"},
             {GOOD "slot = -1\n", "line 5: slot", "-1"},
             {GOOD "slot = 99999999999999999999\n", "line 5: slot", "9999"},
             {GOOD "slot = 4097M\n", "line 5: slot", "4097M"},
             {GOOD "durable = maybe\n", "line 5: durable", "maybe"},
             {GOOD "watchdog_s = 0\n", "line 5: watchdog_s", "0"},
             {GOOD "slot = 5000\n", "slot", "whole sectors"}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct hf_deviceconf conf;
    struct hf_trouble trouble;
    assert_int_equal(parse(&conf, &trouble, bad[i].text), HF_E_INPUT);
    assert_non_null(strstr(trouble.where, bad[i].where));
    assert_non_null(strstr(trouble.what, bad[i].what));
  }
}

static void refuses_names_and_addresses_outside_the_rules(void **state)
{
  (void)state;
  const char *const bad[] = {
      "product = thermostat\nhardware = h\nserver = https://x\n",
      "device = a/b\nproduct = thermostat\nhardware = h\nserver = https://x\n",
      "device = a b\nproduct = thermostat\nhardware = h\nserver = https://x\n",
      "device = a\nproduct = Thermostat\nhardware = h\nserver = https://x\n",
      "device = a\nproduct = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nhardware = h\nserver = https://x\n",
      "device = a\nproduct = -p\nhardware = h\nserver = https://x\n",
      "device = .a\nproduct = p\nhardware = h\nserver = https://x\n",
      "device = a\nproduct = p\nhardware = -h\nserver = https://x\n",
      "device = a\nproduct = p\nhardware = h\nserver = http://x\n",
      "device = a\nproduct = p\nhardware = h\nserver = https://\n",
      "device = a\nproduct = p\nhardware = h\nserver = https://user@x\n",
      "device = a\nproduct = p\nhardware = h\nserver = https://x/path\n",
      ""};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct hf_deviceconf conf;
    struct hf_trouble trouble;
    assert_int_equal(parse(&conf, &trouble, bad[i]), HF_E_INPUT);
    assert_true(trouble.what[0] != '\0');
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(reads_a_file_and_fills_the_defaults),
                                     cmocka_unit_test(writes_what_it_reads), cmocka_unit_test(says_which_line_is_wrong),
                                     cmocka_unit_test(refuses_names_and_addresses_outside_the_rules)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
