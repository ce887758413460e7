/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hf/device/slot.h"
#include "ports/posix/loader.h"
#include "rig.h"

static struct rig rig;
static struct hf_flashfile flash;
static struct hf_layout layout;
static struct hf_image_info info;

static int setup(void **state)
{
  (void)state;
  rig_open(&rig);
  rig_flash(&rig, "/proc/self/exe", 0, 1);
  const struct hf_flashfile_place place = {.folder = rig.folder, .name = "flash.bin"};
  const struct hf_flashfile_geometry geometry = hf_deviceconf_geometry(&rig.conf);
  assert_int_equal(hf_flashfile_open(&flash, &place, &geometry, HF_FLASHFILE_LOOK, NULL), HF_OK);
  hf_flashfile_layout(&layout, &flash, &geometry);
  struct hf_image_source source = hf_slot_source(&layout.slot[0][0]);
  assert_int_equal(hf_image_parse(&info, &source, NULL), HF_OK);
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  hf_flashfile_close(&flash);
  rig_close(&rig);
  return 0;
}

static void the_program_is_the_payload_and_nobody_can_change_it(void **state)
{
  (void)state;
  int program = -1;
  struct stat is;
  struct stat was;
  assert_int_equal(hf_loader_open(&program, &layout.slot[0][0], &info, NULL), HF_OK);
  assert_int_equal(fstat(program, &is), 0);
  assert_int_equal(stat("/proc/self/exe", &was), 0);
  assert_int_equal(is.st_size, was.st_size);
  int own = open("/proc/self/exe", O_RDONLY);
  for (off_t at = 0; at < is.st_size; at += 4096) {
    uint8_t a[4096] = {0};
    uint8_t b[4096] = {0};
    assert_int_equal(pread(program, a, sizeof a, at), pread(own, b, sizeof b, at));
    assert_memory_equal(a, b, sizeof a);
  }
  (void)close(own);
  assert_int_equal(pwrite(program, "x", 1, 0), -1);
  assert_int_equal(errno, EPERM);
  assert_int_equal(ftruncate(program, 0), -1);
  assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, program, 0), MAP_FAILED);
  assert_int_equal(fcntl(program, F_ADD_SEALS, F_SEAL_SEAL), -1);
  assert_true((fcntl(program, F_GETFD) & FD_CLOEXEC) != 0);
  (void)close(program);
}

/* Between the boot core's verdict and the hand-over somebody writes into the slot: header, payload or protected TLVs.
 */
static void a_slot_changed_after_its_verification_is_not_loaded(void **state)
{
  (void)state;
  const uint32_t places[] = {20, info.header_len, info.header_len + info.payload_len / 2,
                             info.header_len + info.payload_len - 1, info.signed_len - 1};
  int fd = openat(rig.folder, "flash.bin", O_RDWR);
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    int program = -1;
    uint8_t old;
    uint8_t changed;
    struct hf_trouble trouble = {.what = ""};
    off_t at = (off_t)layout.slot[0][0].start + places[i];
    assert_int_equal(pread(fd, &old, 1, at), 1);
    changed = old ^ 1;
    assert_int_equal(pwrite(fd, &changed, 1, at), 1);
    assert_int_equal(hf_loader_open(&program, &layout.slot[0][0], &info, &trouble), HF_E_DENIED);
    assert_int_equal(program, -1);
    assert_string_equal(trouble.what, "the slot changed after it was verified");
    assert_int_equal(pwrite(fd, &old, 1, at), 1);
  }
  (void)close(fd);
  int program = -1;
  assert_int_equal(hf_loader_open(&program, &layout.slot[0][0], &info, NULL), HF_OK);
  (void)close(program);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {CASE(the_program_is_the_payload_and_nobody_can_change_it),
                                     CASE(a_slot_changed_after_its_verification_is_not_loaded)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
