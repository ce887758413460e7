/* SPDX-License-Identifier: Apache-2.0
 * The event queue: kept until acknowledged, bounded, and honest about what it lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "hf/device/events.h"
#include "ports/sim/simflash.h"

enum { SECTOR = 1024, SIZE = 8 * SECTOR };

static struct simflash flash;
static struct hf_area area;
static struct hf_store store;
static struct hf_events events;
static struct hf_checkin_event out[HF_CHECKIN_EVENTS_MAX];
static uint8_t count;
static uint8_t room[HF_CHECKIN_EVENTS_MAX * 96];

static int begin(void **state)
{
  (void)state;
  simflash_init(&flash, SIZE, SECTOR, 8, 0xff);
  area = simflash_area(&flash, 0, SIZE);
  enum hf_err err = hf_store_open(&store, &area);
  hf_events_open(&events, &store);
  return err == HF_OK ? 0 : 1;
}

static int end(void **state)
{
  (void)state;
  simflash_free(&flash);
  return 0;
}

static void restart(void)
{
  assert_int_equal(hf_store_open(&store, &area), HF_OK);
  hf_events_open(&events, &store);
}

static enum hf_err put(uint16_t kind, const char *subject)
{
  const struct hf_checkin_event event = {
      .kind = kind, .time = 1795000000, .rule = kind, .subject = hf_bytes_text(subject)};
  return hf_events_put(&events, &event);
}

static void get(void)
{
  struct hf_buf text = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_events_get(out, &count, &events, &text), HF_OK);
}

static void keeps_events_until_they_are_acknowledged(void **state)
{
  (void)state;
  assert_int_equal(put(HF_EVENT_OFFERED, "1.1.0"), HF_OK);
  assert_int_equal(put(HF_EVENT_REFUSED, ""), HF_OK);
  for (int i = 0; i < 3; i++) {
    get();
    assert_int_equal(count, 2);
    assert_int_equal(out[0].number, 1);
    assert_int_equal(out[0].kind, HF_EVENT_OFFERED);
    assert_int_equal(out[0].time, 1795000000);
    assert_true(hf_bytes_is(out[0].subject, "1.1.0"));
    assert_int_equal(out[1].number, 2);
    assert_int_equal(out[1].rule, HF_EVENT_REFUSED);
    assert_int_equal(out[1].subject.len, 0);
    restart();
  }
  assert_int_equal(hf_events_ack(&events, 1), HF_OK);
  restart();
  get();
  assert_int_equal(count, 1);
  assert_int_equal(out[0].number, 2);
}

static void never_gives_a_number_twice(void **state)
{
  (void)state;
  for (uint32_t n = 1; n <= 40; n++) {
    assert_int_equal(put(HF_EVENT_BOOT, "x"), HF_OK);
    assert_int_equal(events.last, n);
    if (n % 3 == 0) {
      assert_int_equal(hf_events_ack(&events, n), HF_OK);
    }
    restart();
    assert_int_equal(events.last, n);
  }
}

static void drops_the_oldest_and_shows_the_gap(void **state)
{
  (void)state;
  for (int i = 0; i < HF_EVENTS_MAX + 5; i++) {
    assert_int_equal(put(HF_EVENT_BOOT, "x"), HF_OK);
  }
  assert_int_equal(hf_events_lost(&events), 5);
  restart();
  assert_int_equal(hf_events_lost(&events), 5);
  get();
  assert_int_equal(count, HF_CHECKIN_EVENTS_MAX);
  assert_int_equal(out[0].number, 6);
  assert_int_equal(hf_events_ack(&events, 6), HF_OK);
  assert_int_equal(hf_events_lost(&events), 0);
}

static void does_not_believe_an_acknowledgement_of_the_future(void **state)
{
  (void)state;
  assert_int_equal(put(HF_EVENT_BOOT, "x"), HF_OK);
  assert_int_equal(hf_events_ack(&events, 2), HF_E_INPUT);
  get();
  assert_int_equal(count, 1);
  assert_int_equal(hf_events_ack(&events, 1), HF_OK);
  assert_int_equal(hf_events_ack(&events, 1), HF_OK);
  assert_int_equal(hf_events_ack(&events, 0), HF_OK);
  get();
  assert_int_equal(count, 0);
}

static void cuts_a_subject_that_is_too_long(void **state)
{
  (void)state;
  char longer[100];
  memset(longer, 'a', sizeof longer - 1);
  longer[sizeof longer - 1] = 0;
  assert_int_equal(put(HF_EVENT_BOOT, longer), HF_OK);
  get();
  assert_int_equal(out[0].subject.len, HF_CHECKIN_SUBJECT_MAX);
}

static void shows_a_rotten_event_as_a_gap(void **state)
{
  (void)state;
  for (int i = 0; i < 3; i++) {
    assert_int_equal(put(HF_EVENT_BOOT, "x"), HF_OK);
  }
  flash.at[store.index[1].at + HF_RECORD_HEAD + 2] ^= 1;
  get();
  assert_int_equal(count, 2);
  assert_int_equal(out[0].number, 1);
  assert_int_equal(out[1].number, 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(keeps_events_until_they_are_acknowledged), TEST(never_gives_a_number_twice),
      TEST(drops_the_oldest_and_shows_the_gap),       TEST(does_not_believe_an_acknowledgement_of_the_future),
      TEST(cuts_a_subject_that_is_too_long),          TEST(shows_a_rotten_event_as_a_gap),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
