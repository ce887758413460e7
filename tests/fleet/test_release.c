/* SPDX-License-Identifier: Apache-2.0
 * Which release a device may take, and over which stepping stones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hf/fleet/release.h"

static struct hf_version version_of(const char *text)
{
  struct hf_version version;
  assert_int_equal(hf_version_parse(&version, hf_bytes_text(text), NULL), HF_OK);
  return version;
}

static struct hf_release release_of(const char *version, const char *from, uint32_t counter)
{
  struct hf_release release = {.version = version_of(version), .part_count = 1};
  release.from_len = (uint8_t)strlen(from);
  memcpy(release.from, from, release.from_len);
  release.hardware_len = 15;
  memcpy(release.hardware, "board-a board-b", 15);
  release.part[0].name_len = 4;
  memcpy(release.part[0].name, "main", 4);
  release.part[0].counter = counter;
  memset(release.part[0].digest, release.version.major * 16 + release.version.minor, sizeof release.part[0].digest);
  return release;
}

static struct hf_release_device device_of(const char *version, uint32_t counter)
{
  struct hf_release_device device = {.hardware = HF_LIT("board-b"), .count = 1};
  device.running[0] =
      (struct hf_release_running){.name = HF_LIT("main"), .version = version_of(version), .counter = counter};
  memset(device.running[0].digest, device.running[0].version.major * 16 + device.running[0].version.minor, 32);
  return device;
}

static void part_add(struct hf_release *release, const char *name, uint32_t counter)
{
  struct hf_release_part *part = &release->part[release->part_count++];
  part->name_len = (uint8_t)strlen(name);
  memcpy(part->name, name, part->name_len);
  part->counter = counter;
  memset(part->digest, 0x77, sizeof part->digest);
}

static void offers_what_fits(void **state)
{
  (void)state;
  struct hf_release releases[] = {release_of("1.1", ">=1.0", 2)};
  struct hf_release_device device = device_of("1.0", 1);
  size_t next;
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &device), HF_FIT_OFFER);
  assert_int_equal(next, 0);
}

static void says_why_not(void **state)
{
  (void)state;
  struct hf_release releases[] = {release_of("1.1", ">=1.0", 2)};
  size_t next;
  struct hf_release_device device = device_of("1.1", 2);
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &device), HF_FIT_ALREADY);
  device = device_of("1.2", 2);
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &device), HF_FIT_NEWER);
  device = device_of("1.0", 3);
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &device), HF_FIT_COUNTER);
  device = device_of("0.9", 1);
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &device), HF_FIT_PATH);
  device = device_of("1.0", 1);
  device.hardware = HF_LIT("board-");
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &device), HF_FIT_HARDWARE);
  device.hardware = HF_LIT("board-a board-b");
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &device), HF_FIT_HARDWARE);
  device.hardware = HF_LIT("");
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &device), HF_FIT_HARDWARE);
  device = device_of("1.0", 1);
  device.running[0].name = HF_LIT("radio");
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &device), HF_FIT_HARDWARE);
}

static void takes_stepping_stones_in_order(void **state)
{
  (void)state;
  /* 1.0 -> 2.0 (the stone) -> 3.0 -> 4.0; 1.5 leads nowhere new */
  struct hf_release releases[] = {release_of("4.0", ">=3.0", 4), release_of("3.0", ">=2.0 <3.0", 3),
                                  release_of("2.0", ">=1.0 <2.0", 2), release_of("1.5", ">=1.0", 1)};
  size_t next = 99;
  struct hf_release_device device = device_of("1.0", 1);
  assert_int_equal(hf_release_next(&next, releases, 4, 0, &device), HF_FIT_OFFER);
  assert_int_equal(next, 2);
  device = device_of("2.0", 2);
  assert_int_equal(hf_release_next(&next, releases, 4, 0, &device), HF_FIT_OFFER);
  assert_int_equal(next, 1);
  device = device_of("3.0", 3);
  assert_int_equal(hf_release_next(&next, releases, 4, 0, &device), HF_FIT_OFFER);
  assert_int_equal(next, 0);
}

static void prefers_fewer_steps_then_the_higher_version(void **state)
{
  (void)state;
  struct hf_release releases[] = {release_of("3.0", ">=2.0", 1), release_of("2.1", ">=1.0", 1),
                                  release_of("2.5", ">=1.0", 1), release_of("1.5", "*", 1)};
  struct hf_release_device device = device_of("1.0", 1);
  size_t next = 99;
  assert_int_equal(hf_release_next(&next, releases, 4, 0, &device), HF_FIT_OFFER);
  assert_int_equal(next, 2);
}

static void a_stone_whose_counter_would_block_the_target_is_no_path(void **state)
{
  (void)state;
  struct hf_release releases[] = {release_of("3.0", ">=2.0", 2), release_of("2.0", "*", 5)};
  struct hf_release_device device = device_of("1.0", 1);
  size_t next;
  assert_int_equal(hf_release_next(&next, releases, 2, 0, &device), HF_FIT_PATH);
  releases[1].part[0].counter = 2;
  assert_int_equal(hf_release_next(&next, releases, 2, 0, &device), HF_FIT_OFFER);
  memcpy(releases[1].hardware, "board-c board-d", 15);
  assert_int_equal(hf_release_next(&next, releases, 2, 0, &device), HF_FIT_PATH);
}

static void never_steps_back(void **state)
{
  (void)state;
  struct hf_release releases[] = {release_of("2.0", "=1.0", 1), release_of("1.0", "*", 1)};
  struct hf_release_device device = device_of("1.5", 1);
  size_t next;
  assert_int_equal(hf_release_next(&next, releases, 2, 0, &device), HF_FIT_PATH);
}

static void components_are_all_or_none(void **state)
{
  (void)state;
  struct hf_release releases[] = {release_of("2.0", ">=1.0", 2)};
  struct hf_release_device device = device_of("2.0", 2);
  size_t next;
  part_add(&releases[0], "radio", 3);
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &device), HF_FIT_HARDWARE);
  device.count = 2;
  device.running[1] = (struct hf_release_running){.name = HF_LIT("radio"), .version = version_of("1.0"), .counter = 1};
  assert_false(hf_release_runs(&releases[0], &device));
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &device), HF_FIT_OFFER); /* the radio is missing yet */
  device.running[1].counter = 4;
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &device), HF_FIT_COUNTER);
  memset(device.running[1].digest, 0x77, 32);
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &device), HF_FIT_ALREADY);
}

static void finds_its_way_through_the_most_releases_there_may_be(void **state)
{
  (void)state;
  static struct hf_release releases[HF_RELEASES_MAX];
  char text[16];
  char from[16];
  for (unsigned i = 0; i < HF_RELEASES_MAX; i++) { /* each over the one before only */
    snprintf(text, sizeof text, "1.0.%u", i + 1);
    snprintf(from, sizeof from, "=1.0.%u", i);
    releases[i] = release_of(text, from, 1);
    releases[i].part[0].digest[0] = (uint8_t)i;
  }
  struct hf_release_device device = device_of("1.0.0", 1);
  memset(device.running[0].digest, 0xee, 32);
  size_t next = 99;
  assert_int_equal(hf_release_next(&next, releases, HF_RELEASES_MAX, HF_RELEASES_MAX - 1, &device), HF_FIT_OFFER);
  assert_int_equal(next, 0);
}

static void version_keys_sort_as_versions_do(void **state)
{
  (void)state;
  static const char *const rising[] = {"0.0.0",     "0.0.0+1", "0.0.1",        "0.1.0", "1.0.0", "1.0.65535+4294967295",
                                       "127.255.1", "128.0.0", "255.255.65535"};
  for (size_t i = 1; i < sizeof rising / sizeof *rising; i++) {
    struct hf_version a = version_of(rising[i - 1]);
    struct hf_version b = version_of(rising[i]);
    assert_true(hf_release_version_key(&a) < hf_release_version_key(&b));
  }
}

static void requires(struct hf_release *release, const char *text)
{
  release->requires_len = (uint16_t)strlen(text);
  memcpy(release->requires, text, release->requires_len);
}

static struct hf_release_device device_with_radio(const char *radio)
{
  struct hf_release_device device = device_of("1.0", 1);
  device.running[device.count++] =
      (struct hf_release_running){.name = HF_LIT("radio"), .version = version_of(radio), .counter = 1};
  return device;
}

static void a_release_that_requires_what_a_device_lacks_is_not_for_it(void **state)
{
  (void)state;
  struct hf_release releases[] = {release_of("1.1", "*", 2)};
  struct hf_release_device good = device_with_radio("1.2.5"), old = device_with_radio("1.1"),
                           none = device_of("1.0", 1);
  size_t next;
  requires(&releases[0], "radio >=1.2.0 <2.0.0");
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &good), HF_FIT_OFFER);
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &old), HF_FIT_REQUIRES);
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &none), HF_FIT_REQUIRES);
  assert_string_equal(hf_release_fit_name(HF_FIT_REQUIRES), "requires");
}

static void what_comes_in_the_release_counts_before_what_is_installed(void **state)
{
  (void)state;
  struct hf_release releases[] = {release_of("1.2", "*", 2)};
  struct hf_release_device old = device_with_radio("1.1");
  size_t next;
  part_add(&releases[0], "radio", 2);
  requires(&releases[0], "main *;radio >=1.2.0");
  assert_true(hf_release_requires_check(&releases[0]));
  assert_int_equal(hf_release_next(&next, releases, 1, 0, &old), HF_FIT_OFFER);
  requires(&releases[0], "radio <1.2.0");
  assert_false(hf_release_requires_check(&releases[0]));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(offers_what_fits),
      cmocka_unit_test(says_why_not),
      cmocka_unit_test(takes_stepping_stones_in_order),
      cmocka_unit_test(prefers_fewer_steps_then_the_higher_version),
      cmocka_unit_test(a_stone_whose_counter_would_block_the_target_is_no_path),
      cmocka_unit_test(never_steps_back),
      cmocka_unit_test(components_are_all_or_none),
      cmocka_unit_test(finds_its_way_through_the_most_releases_there_may_be),
      cmocka_unit_test(version_keys_sort_as_versions_do),
      cmocka_unit_test(a_release_that_requires_what_a_device_lacks_is_not_for_it),
      cmocka_unit_test(what_comes_in_the_release_counts_before_what_is_installed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
