/* SPDX-License-Identifier: Apache-2.0
 * Entries of targets files and the custom data in them (docs/shape.md, docs/spec/target.md). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hf/wire/target.h"

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define GOOD                                                                                                           \
  "{\"custom\":{\"holdfast\":{\"component\":\"main\",\"counter\":2,\"from\":\">=1.0.0\",\"hardware\":[\"thermo-a\","   \
  "\"thermo-b\"],\"image\":\"" HASH "\",\"product\":\"thermostat\",\"sbom\":\"" HASH                                   \
  "\",\"security\":true,\"version\":\"1.1.0\"}},\"hashes\":{\"sha256\":\"" HASH "\"},\"length\":123456}"
#define GOOD_ORDER                                                                                                     \
  "{\"custom\":{\"holdfast\":{\"component\":\"main\",\"counter\":2,\"device\":\"thermo-0001\",\"hardware\":"           \
  "\"thermo-a\",\"order\":1}},\"hashes\":{\"sha256\":\"" HASH "\"},\"length\":123456}"

static struct hf_json json(const char *text)
{
  struct hf_json value;
  assert_int_equal(hf_json_parse(&value, hf_bytes_text(text), NULL), HF_OK);
  return value;
}

/* GOOD with one piece changed. */
static const char *with(const char *good, const char *from, const char *to)
{
  static char text[2048];
  const char *at = strstr(good, from);
  assert_non_null(at);
  snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
  return text;
}

static uint16_t refusal(const char *name, const char *text, bool order)
{
  struct hf_target_file file;
  struct hf_target target;
  struct hf_target_order second;
  struct hf_why why = {0};
  if (hf_target_file_parse(&file, json(name), json(text), &why) != HF_OK) {
    return why.rule;
  }
  enum hf_err err =
      order ? hf_target_order_parse(&second, file.custom, &why) : hf_target_parse(&target, file.custom, &why);
  assert_int_equal(err == HF_OK, why.rule == 0);
  return why.rule;
}

static void reads_what_the_image_repository_says(void **state)
{
  (void)state;
  struct hf_target_file file;
  struct hf_target target;
  assert_int_equal(hf_target_file_parse(&file, json("\"thermostat/1.1.0/main.img\""), json(GOOD), NULL), HF_OK);
  assert_true(hf_bytes_is(file.path, "thermostat/1.1.0/main.img"));
  assert_int_equal(file.length, 123456);
  assert_int_equal(hf_target_parse(&target, file.custom, NULL), HF_OK);
  assert_true(hf_bytes_is(target.product, "thermostat"));
  assert_true(hf_bytes_is(target.from, ">=1.0.0"));
  assert_int_equal(target.hardware_count, 2);
  assert_int_equal(target.version.minor, 1);
  assert_int_equal(target.image[1], 0x11);
  assert_true(target.security && target.has_sbom);
}

static void writes_what_it_reads(void **state)
{
  (void)state;
  struct hf_target_file file;
  struct hf_target target;
  struct hf_target_order order;
  uint8_t room[2048];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_target_file_parse(&file, json("\"a\""), json(GOOD), NULL), HF_OK);
  assert_int_equal(hf_target_parse(&target, file.custom, NULL), HF_OK);
  hf_target_put(&out, &target, &file);
  assert_true(hf_bytes_is(hf_buf_bytes(&out), GOOD));
  out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_target_file_parse(&file, json("\"a\""), json(GOOD_ORDER), NULL), HF_OK);
  assert_int_equal(hf_target_order_parse(&order, file.custom, NULL), HF_OK);
  hf_target_order_put(&out, &order, &file);
  assert_true(hf_bytes_is(hf_buf_bytes(&out), GOOD_ORDER));
}

static void optional_members_may_be_absent(void **state)
{
  (void)state;
  struct hf_target_file file;
  struct hf_target target;
  const char *text = with(GOOD, "\"sbom\":\"" HASH "\",\"security\":true,", "");
  assert_int_equal(hf_target_file_parse(&file, json("\"a\""), json(text), NULL), HF_OK);
  assert_int_equal(hf_target_parse(&target, file.custom, NULL), HF_OK);
  assert_false(target.has_sbom || target.security);
  assert_int_equal(refusal("\"a\"", with(GOOD, "\"from\":\">=1.0.0\",", ""), false), 0);
  assert_int_equal(refusal("\"a\"", with(GOOD, "\"counter\":2", "\"counter\":2,\"tomorrow\":[{}]"), false), 0);
}

static void refuses_malformed_files(void **state)
{
  (void)state;
  static const char *const changes[][2] = {{"\"length\":123456", "\"length\":0"},
                                           {"\"length\":123456", "\"length\":-1"},
                                           {"\"length\":123456", "\"length\":4294967296"},
                                           {"\"length\":123456", "\"length\":\"1\""},
                                           {"\"hashes\":{\"sha256\"", "\"hashes\":{\"sha512\""},
                                           {"\"hashes\":{\"sha256\":\"00", "\"hashes\":{\"sha256\":\"0"},
                                           {"\"hashes\"", "\"hash\""}};
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    assert_int_equal(refusal("\"a\"", with(GOOD, changes[i][0], changes[i][1]), false), HF_RULE_TUF_TARGET);
  }
}

static void refuses_malformed_custom_data(void **state)
{
  (void)state;
  static const char *const changes[][2] = {
      {"\"custom\"", "\"costum\""},
      {"\"holdfast\"", "\"holdfest\""},
      {"\"main\"", "\"Main\""},
      {"\"main\"", "\"m\\u0061in\""}, /* the same name, but not written plainly */
      {"\"component\"", "\"comp\""},
      {"\"counter\":2", "\"counter\":-2"},
      {"\"counter\":2", "\"counter\":4294967296"},
      {">=1.0.0", "~1.0"},
      {"\">=1.0.0\"", "7"},
      {"[\"thermo-a\",\"thermo-b\"]", "[]"},
      {"[\"thermo-a\",\"thermo-b\"]", "\"thermo-a\""},
      {"\"thermo-b\"", "\"thermo/b\""},
      {"\"thermo-b\"", "1,2,3"},
      {"\"thermo-b\"", "\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\""},
      {"\"image\":\"00", "\"image\":\""},
      {"\"sbom\":\"00", "\"sbom\":\""},
      {"\"security\":true", "\"security\":1"},
      {"\"version\":\"1.1.0\"", "\"version\":\"1\""},
      {"\"version\":\"1.1.0\"", "\"version\":1"},
      {"\"product\":\"thermostat\"", "\"product\":\"../x\""},
  };
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    assert_int_equal(refusal("\"a\"", with(GOOD, changes[i][0], changes[i][1]), false), HF_RULE_TUF_CUSTOM);
  }
  static const char *const orders[][2] = {{"\"device\":\"thermo-0001\"", "\"device\":\"\""},
                                          {"\"device\"", "\"devise\""},
                                          {"\"order\":1", "\"order\":-1"},
                                          {"\"hardware\":\"thermo-a\"", "\"hardware\":[\"thermo-a\"]"}};
  for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
    assert_int_equal(refusal("\"a\"", with(GOOD_ORDER, orders[i][0], orders[i][1]), true), HF_RULE_TUF_CUSTOM);
  }
}

/* python-tuf, tough and go-tuf all wrote outside their folder once. */
static void refuses_paths_that_lead_elsewhere(void **state)
{
  (void)state;
  static const char *const bad[] = {"",     "/",      "/a",          "a/",    "a//b", "..",     "a/..",
                                    "../a", "a/../b", ".",           "a/./b", "...",  "a b",    "a\\b",
                                    "a\n",  "a%2fb",  "caf\xc3\xa9", "a:b",   "~",    "a/.../b"};
  static const char *const good[] = {"a", "a/b", ".well/known", "a..b", "thermostat/1.1.0+7/main.img", "A_b-c"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_false(hf_target_path_check(hf_bytes_text(bad[i])));
  }
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_true(hf_target_path_check(hf_bytes_text(good[i])));
  }
  char longest[HF_TARGET_PATH_MAX + 2];
  memset(longest, 'a', sizeof longest);
  assert_true(hf_target_path_check(hf_bytes_init(longest, HF_TARGET_PATH_MAX)));
  assert_false(hf_target_path_check(hf_bytes_init(longest, HF_TARGET_PATH_MAX + 1)));
  assert_int_equal(refusal("\"a/../b\"", GOOD, false), HF_RULE_TUF_TARGET);
  assert_int_equal(refusal("\"a\\/b\"", GOOD, false), HF_RULE_TUF_TARGET);
}

static void builds_paths_and_addresses(void **state)
{
  (void)state;
  uint8_t room[256], hash[32];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_version version = {255, 255, 65535, 4294967295u};
  char longest[33] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  memset(hash, 0xab, sizeof hash);
  hf_target_put_path(&out, HF_LIT("thermostat"), &(struct hf_version){1, 1, 0, 0}, HF_LIT("main"));
  assert_true(hf_bytes_is(hf_buf_bytes(&out), "thermostat/1.1.0/main.img"));
  out = hf_buf_init(room, sizeof room);
  hf_target_put_path(&out, hf_bytes_text(longest), &version, hf_bytes_text(longest));
  assert_true(hf_target_path_check(hf_buf_bytes(&out))); /* the longest there can be */
  out = hf_buf_init(room, sizeof room);
  hf_target_put_url(&out, HF_LIT("t/1.0.0/main.img"), hash, true);
  assert_true(hf_bytes_is(hf_buf_bytes(&out), "t/1.0.0/abababababababababababababababababababababababababababababababab"
                                              ".main.img"));
  out = hf_buf_init(room, sizeof room);
  hf_target_put_url(&out, HF_LIT("t/1.0.0/main.img"), hash, false);
  assert_true(hf_bytes_is(hf_buf_bytes(&out), "t/1.0.0/main.img"));
}

static void reads_and_writes_what_an_image_requires_of_others(void **state)
{
  (void)state;
  struct hf_target_file file;
  struct hf_target target;
  uint8_t room[2048];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  const char *text = with(GOOD, "\"sbom\"", "\"requires\":{\"modem\":\"*\",\"radio\":\">=1.2.0 <2.0.0\"},\"sbom\"");
  assert_int_equal(hf_target_file_parse(&file, json("\"a\""), json(text), NULL), HF_OK);
  assert_int_equal(hf_target_parse(&target, file.custom, NULL), HF_OK);
  assert_int_equal(target.requires_count, 2);
  assert_true(hf_bytes_is(target.requires[1].component, "radio"));
  assert_true(hf_bytes_is(target.requires[1].range, ">=1.2.0 <2.0.0"));
  hf_target_put(&out, &target, &file);
  assert_true(hf_bytes_is(hf_buf_bytes(&out), text));
}

static void reads_and_writes_the_place_in_the_order_of_installation(void **state)
{
  (void)state;
  struct hf_target_file file;
  struct hf_target target;
  uint8_t room[2048];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  const char *text = with(GOOD, "\"product\"", "\"place\":3,\"product\"");
  assert_int_equal(hf_target_file_parse(&file, json("\"a\""), json(text), NULL), HF_OK);
  assert_int_equal(hf_target_parse(&target, file.custom, NULL), HF_OK);
  assert_int_equal(target.place, 3);
  hf_target_put(&out, &target, &file);
  assert_true(hf_bytes_is(hf_buf_bytes(&out), text));
  assert_int_equal(refusal("\"a\"", with(GOOD, "\"product\"", "\"place\":4,\"product\""), false), HF_RULE_TUF_CUSTOM);
  assert_int_equal(refusal("\"a\"", with(GOOD, "\"product\"", "\"place\":\"1\",\"product\""), false),
                   HF_RULE_TUF_CUSTOM);
}

static void refuses_requirements_nobody_could_judge(void **state)
{
  (void)state;
  static const char *const bad[] = {"[]",
                                    "{\"radio\":1}",
                                    "{\"radio\":\"newest\"}",
                                    "{\"Radio\":\"*\"}",
                                    "{\"main\":\"*\"}", /* of itself */
                                    "{\"a\":\"*\",\"b\":\"*\",\"c\":\"*\",\"d\":\"*\"}"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char member[128];
    snprintf(member, sizeof member, "\"requires\":%s,\"sbom\"", bad[i]);
    assert_int_equal(refusal("\"a\"", with(GOOD, "\"sbom\"", member), false), HF_RULE_TUF_CUSTOM);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_what_the_image_repository_says),
      cmocka_unit_test(writes_what_it_reads),
      cmocka_unit_test(optional_members_may_be_absent),
      cmocka_unit_test(refuses_malformed_files),
      cmocka_unit_test(refuses_malformed_custom_data),
      cmocka_unit_test(refuses_paths_that_lead_elsewhere),
      cmocka_unit_test(builds_paths_and_addresses),
      cmocka_unit_test(reads_and_writes_what_an_image_requires_of_others),
      cmocka_unit_test(reads_and_writes_the_place_in_the_order_of_installation),
      cmocka_unit_test(refuses_requirements_nobody_could_judge),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
