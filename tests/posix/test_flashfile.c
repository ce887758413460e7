/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ports/posix/flashfile.h"

static const struct hf_flashfile_geometry geometry = {
    .sector = 4096, .align = 8, .boot = 8192, .store = 8192, .slot = 16384};
static char folder_name[] = "/tmp/hf-flashfile-XXXXXX";
static struct hf_flashfile_place place = {.name = "flash.bin", .durable = true};
static struct hf_flashfile flash;
static struct hf_layout layout;

static int setup(void **state)
{
  (void)state;
  struct hf_trouble trouble = {.what = ""};
  assert_int_equal(hf_flashfile_create(&place, &geometry, &trouble), HF_OK);
  assert_int_equal(hf_flashfile_open(&flash, &place, &geometry, HF_FLASHFILE_OWN, &trouble), HF_OK);
  hf_flashfile_layout(&layout, &flash, &geometry);
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  hf_flashfile_close(&flash);
  return unlinkat(place.folder, place.name, 0);
}

static enum hf_err program(uint32_t at, const char *bytes, uint32_t len)
{
  return hf_flashfile_ops.program(&flash, at, bytes, len);
}

static void starts_erased_and_keeps_what_is_programmed(void **state)
{
  (void)state;
  uint8_t got[16];
  assert_int_equal(hf_flashfile_ops.read(&flash, 8192, got, 16), HF_OK);
  for (size_t i = 0; i < sizeof got; i++) {
    assert_int_equal(got[i], 0xff);
  }
  assert_int_equal(program(8192, "12345678", 8), HF_OK);
  hf_flashfile_close(&flash);
  assert_int_equal(hf_flashfile_open(&flash, &place, &geometry, HF_FLASHFILE_OWN, NULL), HF_OK);
  assert_int_equal(hf_flashfile_ops.read(&flash, 8190, got, 12), HF_OK);
  assert_memory_equal(got,
                      "\xff\xff"
                      "12345678\xff\xff",
                      12);
}

static void refuses_to_set_a_cleared_bit(void **state)
{
  (void)state;
  uint8_t got[8];
  assert_int_equal(program(0, "\x0f\xff\xff\xff\xff\xff\xff\xff", 8), HF_OK);
  assert_int_equal(program(0, "\x07\xff\xff\xff\xff\xff\xff\x7f", 8), HF_OK);
  assert_int_equal(program(0, "\x08\xff\xff\xff\xff\xff\xff\x7f", 8), HF_E_INPUT);
  assert_int_equal(program(0, "\x07\xff\xff\xff\xff\xff\xff\xff", 8), HF_E_INPUT);
  assert_int_equal(hf_flashfile_ops.read(&flash, 0, got, 8), HF_OK);
  assert_memory_equal(got, "\x07\xff\xff\xff\xff\xff\xff\x7f", 8);
  assert_int_equal(hf_flashfile_ops.erase(&flash, 0, 4096), HF_OK);
  assert_int_equal(program(0, "\x08\xff\xff\xff\xff\xff\xff\x7f", 8), HF_OK);
}

static void refuses_what_leaves_the_flash_or_its_grid(void **state)
{
  (void)state;
  uint8_t got[8];
  uint32_t size = hf_flashfile_size(&geometry);
  assert_int_equal(program(4, "12345678", 8), HF_E_INPUT);
  assert_int_equal(program(8, "1234", 4), HF_E_INPUT);
  assert_int_equal(program(size, "12345678", 8), HF_E_INPUT);
  assert_int_equal(program(UINT32_MAX - 7, "12345678", 8), HF_E_INPUT);
  assert_int_equal(hf_flashfile_ops.erase(&flash, 8, 4096), HF_E_INPUT);
  assert_int_equal(hf_flashfile_ops.erase(&flash, 0, 4095), HF_E_INPUT);
  assert_int_equal(hf_flashfile_ops.erase(&flash, size, 4096), HF_E_INPUT);
  assert_int_equal(hf_flashfile_ops.read(&flash, size - 4, got, 8), HF_E_INPUT);
  assert_int_equal(hf_flashfile_ops.read(&flash, size - 8, got, 8), HF_OK);
}

static void erases_only_the_named_sectors(void **state)
{
  (void)state;
  uint8_t got[8];
  for (uint32_t at = 0; at < 3 * 4096; at += 4096) {
    assert_int_equal(program(at, "12345678", 8), HF_OK);
  }
  assert_int_equal(hf_flashfile_ops.erase(&flash, 4096, 4096), HF_OK);
  assert_int_equal(hf_flashfile_ops.read(&flash, 0, got, 8), HF_OK);
  assert_memory_equal(got, "12345678", 8);
  assert_int_equal(hf_flashfile_ops.read(&flash, 4096, got, 8), HF_OK);
  assert_memory_equal(got, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
  assert_int_equal(hf_flashfile_ops.read(&flash, 8192, got, 8), HF_OK);
  assert_memory_equal(got, "12345678", 8);
}

static void the_parts_do_not_overlap_and_fill_the_file(void **state)
{
  (void)state;
  assert_int_equal(layout.boot.start, 0);
  assert_int_equal(layout.store.start, layout.boot.start + layout.boot.size);
  assert_int_equal(layout.slot[0][0].start, layout.store.start + layout.store.size);
  assert_int_equal(layout.slot[0][1].start, layout.slot[0][0].start + layout.slot[0][0].size);
  assert_int_equal(layout.slot[0][1].start + layout.slot[0][1].size, hf_flashfile_size(&geometry));
}

static void a_second_owner_is_refused_and_a_reader_is_not(void **state)
{
  (void)state;
  struct hf_flashfile other;
  struct hf_trouble trouble = {.what = ""};
  assert_int_equal(hf_flashfile_open(&other, &place, &geometry, HF_FLASHFILE_OWN, &trouble), HF_E_STATE);
  assert_non_null(strstr(trouble.what, "another process"));
  assert_int_equal(hf_flashfile_open(&other, &place, &geometry, HF_FLASHFILE_LOOK, NULL), HF_OK);
  assert_int_not_equal(hf_flashfile_ops.program(&other, 0, "12345678", 8), HF_OK);
  assert_int_not_equal(hf_flashfile_ops.erase(&other, 0, 4096), HF_OK);
  hf_flashfile_close(&other);
}

static void the_lock_lives_in_a_child_until_it_ends(void **state)
{
  (void)state;
  struct hf_flashfile other;
  int hold[2];
  assert_int_equal(pipe(hold), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    char byte;
    close(hold[1]);
    _exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
  }
  close(hold[0]);
  hf_flashfile_close(&flash);
  assert_int_equal(hf_flashfile_open(&other, &place, &geometry, HF_FLASHFILE_OWN, NULL), HF_E_STATE);
  close(hold[1]);
  assert_int_equal(waitpid(child, NULL, 0), child);
  assert_int_equal(hf_flashfile_open(&flash, &place, &geometry, HF_FLASHFILE_OWN, NULL), HF_OK);
}

static void a_cut_or_grown_file_is_told_apart_from_a_missing_one(void **state)
{
  (void)state;
  struct hf_trouble trouble = {.what = ""};
  hf_flashfile_close(&flash);
  for (int grow = 0; grow <= 1; grow++) {
    int fd = openat(place.folder, place.name, O_WRONLY);
    assert_int_equal(ftruncate(fd, (off_t)hf_flashfile_size(&geometry) + (grow ? 1 : -1)), 0);
    close(fd);
    memset(&trouble, 0, sizeof trouble);
    assert_int_equal(hf_flashfile_open(&flash, &place, &geometry, HF_FLASHFILE_OWN, &trouble), HF_E_INPUT);
    assert_non_null(strstr(trouble.what, "geometry says 49152"));
  }
  struct hf_flashfile_place missing = place;
  missing.name = "nothing.bin";
  assert_int_equal(hf_flashfile_open(&flash, &missing, &geometry, HF_FLASHFILE_OWN, NULL), HF_E_NOT_FOUND);
  assert_int_equal(symlinkat("flash.bin", place.folder, "link.bin"), 0);
  missing.name = "link.bin";
  assert_int_equal(hf_flashfile_open(&flash, &missing, &geometry, HF_FLASHFILE_OWN, NULL), HF_E_DENIED);
  assert_int_equal(unlinkat(place.folder, "link.bin", 0), 0);
  flash.fd = -1;
}

static void never_overwrites_a_flash(void **state)
{
  (void)state;
  assert_int_equal(program(0, "12345678", 8), HF_OK);
  assert_int_equal(hf_flashfile_create(&place, &geometry, NULL), HF_E_EXISTS);
  uint8_t got[8];
  assert_int_equal(hf_flashfile_ops.read(&flash, 0, got, 8), HF_OK);
  assert_memory_equal(got, "12345678", 8);
}

static void refuses_geometries_that_cannot_work(void **state)
{
  (void)state;
  const struct hf_flashfile_geometry bad[] = {
      {.sector = 0, .align = 8, .boot = 8192, .store = 8192, .slot = 16384},
      {.sector = 5000, .align = 8, .boot = 10000, .store = 10000, .slot = 10000},
      {.sector = 4096, .align = 3, .boot = 8192, .store = 8192, .slot = 16384},
      {.sector = 4096, .align = 8, .boot = 4096, .store = 8192, .slot = 16384},
      {.sector = 4096, .align = 8, .boot = 8192, .store = 8193, .slot = 16384},
      {.sector = 4096, .align = 8, .boot = 8192, .store = 8192, .slot = 200u << 20},
      {.sector = 4096, .align = 8, .boot = 8192, .store = 8192, .slot = 0xfffff000u}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct hf_trouble trouble = {.what = ""};
    assert_int_equal(hf_flashfile_check(&bad[i], &trouble), HF_E_INPUT);
    assert_true(trouble.what[0] != '\0');
  }
}

int main(void)
{
  if (mkdtemp(folder_name) == NULL || (place.folder = open(folder_name, O_RDONLY | O_DIRECTORY)) < 0) {
    return 1;
  }
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {CASE(starts_erased_and_keeps_what_is_programmed),
                                     CASE(refuses_to_set_a_cleared_bit),
                                     CASE(refuses_what_leaves_the_flash_or_its_grid),
                                     CASE(erases_only_the_named_sectors),
                                     CASE(the_parts_do_not_overlap_and_fill_the_file),
                                     CASE(a_second_owner_is_refused_and_a_reader_is_not),
                                     CASE(the_lock_lives_in_a_child_until_it_ends),
                                     CASE(a_cut_or_grown_file_is_told_apart_from_a_missing_one),
                                     CASE(never_overwrites_a_flash),
                                     cmocka_unit_test(refuses_geometries_that_cannot_work)};
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  close(place.folder);
  return rmdir(folder_name) == 0 ? failed : 1;
}
