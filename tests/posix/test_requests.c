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
#include <unistd.h>

#include "ports/posix/imagekeys.h"
#include "ports/posix/requests.h"
#include "ports/posix/retained.h"
#include "rig.h"

static struct rig rig;
static char handled[4096];

static int setup(void **state)
{
  (void)state;
  rig_open(&rig);
  memset(handled, 0, sizeof handled);
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  rig_close(&rig);
  return 0;
}

static enum hf_err handle(void *ctx, struct hf_buf *detail, const struct hf_requests_item *item)
{
  size_t len = strlen(handled);
  (void)ctx;
  (void)snprintf(handled + len, sizeof handled - len, "%.*s|%.*s|%.*s;", (int)item->kind.len,
                 (const char *)item->kind.at, (int)item->name.len, (const char *)item->name.at, (int)item->value.len,
                 (const char *)item->value.at);
  hf_buf_put_text(detail, "thanks");
  return hf_bytes_is(item->name, "bad") ? HF_E_INPUT : HF_OK;
}

static enum hf_err put(char *id, const char *name, const char *value)
{
  return hf_requests_put(id, rig.folder,
                         &(struct hf_requests_item){
                             .kind = HF_LIT("attribute"), .name = hf_bytes_text(name), .value = hf_bytes_text(value)});
}

static void expect_answer(const char *id, const char *want)
{
  char line[256];
  struct hf_buf buf = hf_buf_init(line, sizeof line);
  assert_int_equal(hf_requests_get(&buf, rig.folder, id), HF_OK);
  assert_int_equal(hf_buf_terminate(&buf), HF_OK);
  assert_string_equal(line, want);
}

static void hands_over_each_request_once_in_order(void **state)
{
  (void)state;
  char first[HF_REQUESTS_ID_LEN + 1];
  char second[HF_REQUESTS_ID_LEN + 1];
  struct hf_buf none = hf_buf_init(handled, 0);
  assert_int_equal(put(first, "room", "under the roof"), HF_OK);
  assert_int_equal(put(second, "bad", ""), HF_OK);
  assert_int_equal(hf_requests_get(&none, rig.folder, first), HF_E_NOT_FOUND);
  hf_requests_take(rig.folder, handle, NULL);
  assert_string_equal(handled, "attribute|room|under the roof;attribute|bad|;");
  expect_answer(first, "HF_OK thanks");
  expect_answer(second, "HF_E_INPUT thanks");
  hf_requests_take(rig.folder, handle, NULL);
  assert_string_equal(handled, "attribute|room|under the roof;attribute|bad|;");
}

static void refuses_what_would_break_the_line(void **state)
{
  (void)state;
  char id[HF_REQUESTS_ID_LEN + 1];
  char longest[1100];
  memset(longest, 'x', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  assert_int_equal(put(id, "a b", "x"), HF_E_INPUT);
  assert_int_equal(put(id, "", "x"), HF_E_INPUT);
  assert_int_equal(put(id, "a", "x\ny"), HF_E_INPUT);
  assert_int_equal(put(id, "a", "\x1b[2J"), HF_E_INPUT);
  assert_int_equal(put(id, "a", longest), HF_E_INPUT);
  hf_requests_take(rig.folder, handle, NULL);
  assert_string_equal(handled, "");
}

static void waiting_requests_are_bounded(void **state)
{
  (void)state;
  char id[HF_REQUESTS_ID_LEN + 1];
  unsigned taken = 0;
  while (put(id, "name", "a value of some length, to fill the file sooner") == HF_OK) {
    taken++;
    assert_true(taken < 1000);
  }
  assert_int_equal(put(id, "name", "a value of some length, to fill the file sooner"), HF_E_FULL);
  assert_true(strlen(rig_get(&rig, "requests")) <= HF_REQUESTS_MAX);
  hf_requests_take(rig.folder, handle, NULL);
  assert_int_equal(put(id, "name", "again"), HF_OK);
}

static void lines_that_are_no_requests_are_passed_over(void **state)
{
  (void)state;
  char id[HF_REQUESTS_ID_LEN + 1];
  rig_put(&rig, "requests", "hello\n\n  \n0123456789abcdef attribute\n0123456789abcdef  x y\n");
  assert_int_equal(put(id, "room", "hall"), HF_OK);
  hf_requests_take(rig.folder, handle, NULL);
  assert_string_equal(handled, "attribute|room|hall;");
}

static void the_retained_record_is_whole_or_absent(void **state)
{
  (void)state;
  const struct hf_retained in = {.reset = HF_RESET_WATCHDOG, .streak = 3, .resets = 9, .ended = 265, .pid = 77};
  struct hf_retained out;
  assert_int_equal(hf_retained_get(&out, rig.folder), HF_E_NOT_FOUND);
  hf_retained_put(rig.folder, &in);
  assert_int_equal(hf_retained_get(&out, rig.folder), HF_OK);
  assert_int_equal(out.reset, HF_RESET_WATCHDOG);
  assert_int_equal(out.streak, 3);
  assert_int_equal(out.resets, 9);
  assert_int_equal(out.ended, 265);
  assert_int_equal(out.pid, 77);
  for (off_t at = 0; at < 32; at++) {
    uint8_t old;
    int fd = openat(rig.folder, "retained.bin", O_RDWR);
    assert_int_equal(pread(fd, &old, 1, at), 1);
    uint8_t changed = old ^ 0x10;
    assert_int_equal(pwrite(fd, &changed, 1, at), 1);
    assert_int_equal(hf_retained_get(&out, rig.folder), HF_E_NOT_FOUND);
    assert_int_equal(pwrite(fd, &old, 1, at), 1);
    (void)close(fd);
  }
}

static void image_keys_are_read_to_the_last_one(void **state)
{
  (void)state;
  struct hf_imagekeys keys;
  char pem[16384] = "";
  const char *one = rig_get(&rig, HF_IMAGEKEYS_NAME);
  for (unsigned count = 1; count <= HF_IMAGEKEYS_MAX + 1; count++) {
    size_t len = strlen(pem);
    (void)snprintf(pem + len, sizeof pem - len, "a note\n%s", one);
    enum hf_err want = count <= HF_IMAGEKEYS_MAX ? HF_OK : HF_E_INPUT;
    assert_int_equal(hf_imagekeys_parse(&keys, hf_bytes_text(pem)), want);
    assert_true(want != HF_OK || keys.keys.count == count);
  }
  for (size_t cut = 1; cut < strlen(one) - 1; cut++) {
    assert_int_equal(hf_imagekeys_parse(&keys, hf_bytes_init(one, cut)), HF_E_INPUT);
  }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      CASE(hands_over_each_request_once_in_order),  CASE(refuses_what_would_break_the_line),
      CASE(waiting_requests_are_bounded),           CASE(lines_that_are_no_requests_are_passed_over),
      CASE(the_retained_record_is_whole_or_absent), CASE(image_keys_are_read_to_the_last_one)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
