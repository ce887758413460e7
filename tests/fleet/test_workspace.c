/* SPDX-License-Identifier: Apache-2.0
 * holdfast.json: read, written, refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hf/fleet/workspace.h"

static void parse_of_encode_is_the_same(void **state)
{
  uint8_t room[1024];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  struct hf_workspace written;
  struct hf_workspace read;
  (void)state;
  assert_int_equal(hf_workspace_init(&written, HF_LIT("Acme \"Thermo\" \xc3\xa9")), HF_OK);
  memcpy(written.people, "[::1]:9000", 11);
  assert_int_equal(hf_workspace_encode(&text, &written), HF_OK);
  assert_int_equal(hf_workspace_parse(&read, hf_buf_bytes(&text), NULL), HF_OK);
  assert_memory_equal(&read, &written, sizeof read);
}

static void members_left_out_have_defaults(void **state)
{
  struct hf_workspace workspace;
  (void)state;
  assert_int_equal(hf_workspace_parse(&workspace, HF_LIT("{\"organisation\":\"A\",\"format\":1}"), NULL), HF_OK);
  assert_string_equal(workspace.devices, HF_WORKSPACE_DEVICES);
  assert_string_equal(workspace.people, HF_WORKSPACE_PEOPLE);
}

static void refuses_with_rule_and_place(void **state)
{
  static const struct {
    const char *text;
    enum hf_rule rule;
    uint32_t at;
  } bad[] = {{"{\"organisation\":\"A\"}", HF_RULE_WORKSPACE_FORMAT, 0},
             {"{\"format\":\"1\"}", HF_RULE_WORKSPACE_FORMAT, 10},
             {"{\"format\":0}", HF_RULE_WORKSPACE_FORMAT, 10},
             {"{\"format\":1}", HF_RULE_WORKSPACE_ORG, 0},
             {"{\"format\":1,\"organisation\":\"\"}", HF_RULE_WORKSPACE_ORG, 27},
             {"{\"format\":1,\"organisation\":\"a\\nb\"}", HF_RULE_WORKSPACE_ORG, 27},
             {"{\"format\":1,\"organisation\":5}", HF_RULE_WORKSPACE_ORG, 27},
             {"{\"format\":1,\"people\":\"8080\"}", HF_RULE_WORKSPACE_ADDRESS, 21},
             {"{\"format\":1,\"devices\":null}", HF_RULE_WORKSPACE_ADDRESS, 22},
             {"{\"format\":1,\"poeple\":\"a:1\"}", HF_RULE_WORKSPACE_MEMBER, 12}};
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct hf_workspace workspace;
    struct hf_why why = {.rule = HF_RULE_NONE};
    assert_int_equal(hf_workspace_parse(&workspace, hf_bytes_text(bad[i].text), &why), HF_E_INPUT);
    assert_int_equal(why.rule, bad[i].rule);
    assert_int_equal(why.at, bad[i].at);
  }
}

/* Nothing in a newer file is believed, also when this version would find fault with it. */
static void a_newer_format_is_told_before_anything_else(void **state)
{
  struct hf_workspace workspace;
  struct hf_why why = {.rule = HF_RULE_NONE};
  (void)state;
  assert_int_equal(hf_workspace_parse(&workspace, HF_LIT("{\"galaxy\":[],\"organisation\":7,\"format\":2}"), &why),
                   HF_E_VERSION);
  assert_int_equal(why.rule, HF_RULE_WORKSPACE_NEWER);
}

static void every_truncation_is_refused(void **state)
{
  uint8_t room[1024];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  struct hf_workspace workspace;
  (void)state;
  assert_int_equal(hf_workspace_init(&workspace, HF_LIT("Acme")), HF_OK);
  assert_int_equal(hf_workspace_encode(&text, &workspace), HF_OK);
  for (size_t len = 0; len + 1 < text.len; len++) { /* the last byte is a newline nobody needs */
    struct hf_why why = {.rule = HF_RULE_NONE};
    assert_int_not_equal(hf_workspace_parse(&workspace, hf_bytes_init(room, len), &why), HF_OK);
    assert_int_not_equal(why.rule, HF_RULE_NONE);
  }
}

static void a_file_that_is_too_long_is_not_read(void **state)
{
  static uint8_t long_text[HF_WORKSPACE_FILE_MAX + 1];
  struct hf_workspace workspace;
  struct hf_why why = {.rule = HF_RULE_NONE};
  (void)state;
  memset(long_text, ' ', sizeof long_text);
  assert_int_equal(hf_workspace_parse(&workspace, hf_bytes_init(long_text, sizeof long_text), &why), HF_E_INPUT);
  assert_int_equal(why.rule, HF_RULE_WORKSPACE_SIZE);
}

static void addresses_come_apart(void **state)
{
  static const struct {
    const char *text;
    const char *host;
    uint16_t port;
    bool loopback;
  } good[] = {{"127.0.0.1:8080", "127.0.0.1", 8080, true},
              {"[::1]:0", "::1", 0, true},
              {"[::]:65535", "::", 65535, false},
              {"localhost:1", "localhost", 1, true},
              {"fleet.example:8443", "fleet.example", 8443, false},
              {"127.0.0.1.evil.example:80", "127.0.0.1.evil.example", 80, false}};
  static const char *const bad[] = {"",        ":",       "8080",    "host",       "host:",   ":80",
                                    "::1:80",  "[::1]",   "[::1:80", "host:65536", "host:-1", "host: 1",
                                    "ho st:1", "host:1x", "[]:1",    "[host]:1",   "a/b:1",   "a\"b:1"};
  struct hf_address address;
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_int_equal(hf_address_parse(&address, hf_bytes_text(good[i].text)), HF_OK);
    assert_string_equal(address.host, good[i].host);
    assert_int_equal(address.port, good[i].port);
    assert_int_equal(address.loopback, good[i].loopback);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(hf_address_parse(&address, hf_bytes_text(bad[i])), HF_E_INPUT);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parse_of_encode_is_the_same), cmocka_unit_test(members_left_out_have_defaults),
      cmocka_unit_test(refuses_with_rule_and_place), cmocka_unit_test(a_newer_format_is_told_before_anything_else),
      cmocka_unit_test(every_truncation_is_refused), cmocka_unit_test(a_file_that_is_too_long_is_not_read),
      cmocka_unit_test(addresses_come_apart),
  };
  return cmocka_run_group_tests_name("workspace", tests, NULL, NULL);
}
