/* SPDX-License-Identifier: Apache-2.0
 * The check-in and its answer. Golden bytes are written by hand from docs/spec/checkin.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hf/wire/checkin.h"

static struct hf_checkin smallest(void)
{
  struct hf_checkin checkin = {.boot = 3,
                               .number = 1,
                               .product = HF_LIT("thermostat"),
                               .hardware = HF_LIT("thermo-a"),
                               .reset = 1,
                               .component_count = 1,
                               .time = 1000};
  checkin.component[0] = (struct hf_checkin_component){
      .name = HF_LIT("main"), .version = HF_LIT("1.0.0"), .digest = {0xaa, [31] = 0xbb}, .counter = 2, .slot = 1};
  return checkin;
}

/* A device with everything at its longest. */
static struct hf_checkin largest(void)
{
  static const uint8_t filler[64] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  static uint8_t names[16][32];
  struct hf_bytes name32 = hf_bytes_init(filler, 32);
  struct hf_bytes text63 = hf_bytes_init(filler, 63);
  struct hf_checkin checkin = {.boot = UINT32_MAX, .number = UINT32_MAX, .product = name32, .hardware = text63};
  static const char *const components[4] = {"a", "b", "c", "d"};
  checkin.reset = 255;
  checkin.storage = 255;
  checkin.update = (struct hf_checkin_update){HF_UPDATE_POSTPONED, HF_LIT("255.255.65535+4294967295"), 100, 65535};
  checkin.time = INT64_MAX;
  checkin.has_acted = true;
  checkin.acted = UINT32_MAX;
  checkin.postponed_until = INT64_MAX;
  checkin.component_count = 4;
  for (size_t i = 0; i < 4; i++) {
    checkin.component[i] = (struct hf_checkin_component){.name = hf_bytes_text(components[i]),
                                                         .version = HF_LIT("255.255.65535+4294967295"),
                                                         .counter = UINT32_MAX,
                                                         .slot = UINT32_MAX};
  }
  static uint8_t report[HF_REPORT_MAX];
  checkin.report = hf_bytes_init(report, sizeof report);
  checkin.nonces = hf_bytes_init(report, HF_TIMESIG_NONCES_MAX * HF_TIMESIG_NONCE_LEN);
  checkin.event_count = 8;
  for (uint32_t i = 0; i < 8; i++) {
    checkin.event[i] = (struct hf_checkin_event){UINT32_MAX - 8 + i, 65535, INT64_MAX, 65535, text63};
  }
  checkin.attribute_count = 16;
  for (size_t i = 0; i < 16; i++) {
    memcpy(names[i], filler, 32);
    names[i][31] = (uint8_t)('a' + i);
    checkin.attribute[i] = (struct hf_checkin_attribute){hf_bytes_init(names[i], 32), text63};
  }
  return checkin;
}

static void writes_the_bytes_of_the_specification(void **state)
{
  (void)state;
  static const uint8_t golden[] = {
      0xa9,                                                                     /* map of 9 */
      0x00, 0x01,                                                               /* protocol 1 */
      0x01, 0x03, 0x02, 0x01,                                                   /* boot 3, number 1 */
      0x03, 0x6a, 't',  'h',  'e',  'r',  'm',  'o', 's', 't',  'a',  't',      /* product */
      0x04, 0x68, 't',  'h',  'e',  'r',  'm',  'o', '-', 'a',                  /* hardware */
      0x05, 0x81, 0xa5, 0x00, 0x64, 'm',  'a',  'i', 'n', 0x01, 0x65, '1', '.', /* one component */
      '0',  '.',  '0',  0x02, 0x58, 0x20, 0xaa,                                 /* digest: 32 bytes */
      0,    0,    0,    0,    0,    0,    0,    0,   0,   0,    0,    0,   0,    0,    0,    0,    0,    0,
      0,    0,    0,    0,    0,    0,    0,    0,   0,   0,    0,    0,   0xbb, 0x03, 0x02, 0x04, 0x01, /* counter 2,
                                                                                                            slot 1 */
      0x06, 0x01,             /* reset: power */
      0x07, 0xa1, 0x00, 0x00, /* update: idle */
      0x08, 0x19, 0x03, 0xe8, /* time 1000 */
  };
  struct hf_checkin checkin = smallest();
  uint8_t room[HF_CHECKIN_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
  assert_int_equal(out.len, sizeof golden);
  assert_memory_equal(room, golden, sizeof golden);
}

static void reads_back_what_it_wrote(void **state)
{
  (void)state;
  uint8_t room[HF_CHECKIN_MAX], again[HF_CHECKIN_MAX];
  struct hf_checkin checkin = largest(), read;
  struct hf_buf out = hf_buf_init(room, sizeof room), second = hf_buf_init(again, sizeof again);
  struct hf_why why = {0};
  assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
  assert_int_equal(hf_checkin_parse(&read, hf_buf_bytes(&out), &why), HF_OK);
  assert_int_equal(read.boot, UINT32_MAX);
  assert_int_equal(read.component_count, 4);
  assert_int_equal(read.event_count, 8);
  assert_int_equal(read.event[7].number, UINT32_MAX - 1);
  assert_int_equal(read.event[0].rule, 65535);
  assert_int_equal(read.attribute_count, 16);
  assert_int_equal(read.report.len, HF_REPORT_MAX);
  assert_int_equal(read.nonces.len, 64);
  assert_int_equal(read.update.state, HF_UPDATE_POSTPONED);
  assert_int_equal(read.update.percent, 100);
  assert_int_equal(read.acted, UINT32_MAX);
  assert_true(read.postponed_until == INT64_MAX);
  assert_int_equal(hf_checkin_encode(&second, &read), HF_OK);
  assert_int_equal(second.len, out.len);
  assert_memory_equal(room, again, out.len);
}

static void the_largest_fits_the_maximum(void **state)
{
  (void)state;
  uint8_t room[2 * HF_CHECKIN_MAX];
  struct hf_checkin checkin = largest();
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
  /* one byte of hardware and of each subject and value, 31 of each component name are missing above */
  assert_in_range(out.len + 1 + 8 + 16 + 4 * 32, 0, HF_CHECKIN_MAX);
}

static void an_idle_checkin_is_small(void **state)
{
  (void)state;
  uint8_t room[HF_CHECKIN_MAX];
  struct hf_checkin checkin = smallest();
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
  assert_in_range(out.len, 1, 100); /* the budget of a heartbeat */
}

static void writes_attributes_in_the_order_of_their_bytes(void **state)
{
  (void)state;
  uint8_t room[HF_CHECKIN_MAX];
  struct hf_checkin checkin = smallest(), read;
  struct hf_buf out = hf_buf_init(room, sizeof room);
  checkin.attribute_count = 4;
  checkin.attribute[0] = (struct hf_checkin_attribute){HF_LIT("zone"), HF_LIT("4")};
  checkin.attribute[1] = (struct hf_checkin_attribute){HF_LIT("site"), HF_LIT("")};
  checkin.attribute[2] = (struct hf_checkin_attribute){HF_LIT("z"), HF_LIT("1")};
  checkin.attribute[3] = (struct hf_checkin_attribute){HF_LIT("longer"), HF_LIT("5")};
  assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
  assert_int_equal(hf_checkin_parse(&read, hf_buf_bytes(&out), NULL), HF_OK);
  assert_true(hf_bytes_is(read.attribute[0].name, "z"));
  assert_true(hf_bytes_is(read.attribute[1].name, "site"));
  assert_int_equal(read.attribute[1].value.len, 0);
  assert_true(hf_bytes_is(read.attribute[2].name, "zone"));
  assert_true(hf_bytes_is(read.attribute[3].name, "longer"));
}

static void refuses_to_write_what_it_would_not_read(void **state)
{
  (void)state;
  uint8_t room[HF_CHECKIN_MAX];
  for (int i = 0; i < 14; i++) {
    struct hf_checkin checkin = smallest();
    struct hf_buf out = hf_buf_init(room, sizeof room);
    checkin.event_count = 2;
    checkin.event[0].number = 1;
    checkin.event[1].number = 2;
    checkin.attribute_count = 2;
    checkin.attribute[0] = (struct hf_checkin_attribute){HF_LIT("a"), HF_LIT("1")};
    checkin.attribute[1] = (struct hf_checkin_attribute){HF_LIT("b"), HF_LIT("2")};
    switch (i) {
      case 0: checkin.component_count = 0; break;
      case 1: checkin.component_count = 5; break;
      case 2: checkin.product = HF_LIT("Upper case"); break;
      case 3: checkin.hardware = HF_LIT(""); break;
      case 4: checkin.component[0].version = HF_LIT("one"); break;
      case 5: checkin.update.state = (enum hf_update_state)10; break;
      case 6: checkin.update.percent = 101; break;
      case 7: checkin.event[1].number = 1; break;
      case 8: checkin.event_count = 9; break;
      case 9: checkin.attribute[1].name = HF_LIT("a"); break;
      case 10: checkin.attribute[0].value = HF_LIT("two\nlines"); break;
      case 11: checkin.attribute[0].name = HF_LIT(""); break;
      case 12: checkin.attribute[0].value = HF_LIT("\xc2\x85"); break;
      default: checkin.event[0].subject = HF_LIT("\xff"); break;
    }
    assert_int_equal(hf_checkin_encode(&out, &checkin), HF_E_INPUT);
  }
}

static void says_when_the_buffer_is_too_small(void **state)
{
  (void)state;
  uint8_t room[HF_CHECKIN_MAX];
  struct hf_checkin checkin = smallest();
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
  for (size_t cap = 0; cap < out.len; cap++) {
    struct hf_buf small = hf_buf_init(room, cap);
    assert_int_equal(hf_checkin_encode(&small, &checkin), HF_E_SPACE);
  }
}

static void refuses_every_truncation_and_every_extra_byte(void **state)
{
  (void)state;
  uint8_t room[HF_CHECKIN_MAX];
  struct hf_checkin checkin = largest(), read;
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
  for (size_t len = 0; len < out.len; len++) {
    uint8_t *exact = malloc(len + 1);
    memcpy(exact, room, len);
    struct hf_why why = {0};
    assert_int_not_equal(hf_checkin_parse(&read, hf_bytes_init(exact, len), &why), HF_OK);
    assert_int_not_equal(why.rule, 0);
    free(exact);
  }
  hf_buf_put_u8(&out, 0);
  assert_int_equal(hf_checkin_parse(&read, hf_buf_bytes(&out), NULL), HF_E_INPUT);
}

/* Parsing any damaged message ends, reads no byte too many, and what it accepts it can write again. */
static void survives_every_flipped_bit(void **state)
{
  (void)state;
  uint8_t room[HF_CHECKIN_MAX], again[HF_CHECKIN_MAX];
  struct hf_checkin checkin = largest(), read;
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
  for (size_t i = 0; i < out.len * 8; i++) {
    room[i / 8] ^= (uint8_t)(1u << i % 8);
    if (hf_checkin_parse(&read, hf_buf_bytes(&out), NULL) == HF_OK) {
      struct hf_buf second = hf_buf_init(again, sizeof again);
      assert_int_equal(hf_checkin_encode(&second, &read), HF_OK);
    }
    room[i / 8] ^= (uint8_t)(1u << i % 8);
  }
}

static uint16_t refusal(const void *bytes, size_t len)
{
  struct hf_checkin read;
  struct hf_why why = {0};
  assert_int_not_equal(hf_checkin_parse(&read, hf_bytes_init(bytes, len), &why), HF_OK);
  return why.rule;
}

static void tells_refusals_apart(void **state)
{
  (void)state;
  uint8_t room[HF_CHECKIN_MAX];
  struct hf_checkin checkin = smallest();
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
  room[0] = 0xa8; /* the last member cut off */
  assert_int_equal(refusal(room, out.len - 4), HF_RULE_CHECKIN_MISSING);
  room[0] = 0xa9;
  room[9] = 'T';
  assert_int_equal(refusal(room, out.len), HF_RULE_CHECKIN_NAME);
  assert_int_equal(refusal("\xa1\x01\x01", 3), HF_RULE_CHECKIN_MISSING); /* no protocol */
  assert_int_equal(refusal("\xa0", 1), HF_RULE_CHECKIN_MISSING);
  assert_int_equal(refusal("\xa1\x00\x61\x31", 4), HF_RULE_CHECKIN_MISSING); /* protocol as text */
  uint8_t *much = calloc(1, HF_CHECKIN_MAX + 1);
  assert_int_equal(refusal(much, HF_CHECKIN_MAX + 1), HF_RULE_CHECKIN_TOO_LONG);
  free(much);
}

/* A message of the smallest's members with other components, and one with an attribute. */
static void refuses_no_components_and_nameless_attributes(void **state)
{
  (void)state;
  uint8_t room[HF_CHECKIN_MAX];
  struct hf_checkin checkin = smallest();
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
  const size_t from = 31, component_len = 53; /* behind 05 81 */
  assert_int_equal(room[from - 1], 0x81);
  room[from - 1] = 0x80;
  memmove(room + from, room + from + component_len, out.len - from - component_len);
  assert_int_equal(refusal(room, out.len - component_len), HF_RULE_CHECKIN_MISSING);

  out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
  room[0] = 0xaa;
  hf_buf_put(&out, HF_LIT("\x0b\xa1\x60\x61"
                          "1")); /* 11: {"": "1"} */
  assert_int_equal(refusal(room, out.len), HF_RULE_CHECKIN_NAME);
}

static void tells_a_newer_protocol_from_a_broken_message(void **state)
{
  (void)state;
  struct hf_checkin read;
  struct hf_checkin_answer answer;
  struct hf_why why = {0};
  assert_int_equal(hf_checkin_parse(&read, HF_LIT("\xa2\x00\x02\x01\x63xyz"), &why), HF_E_VERSION);
  assert_int_equal(why.rule, HF_RULE_CHECKIN_PROTOCOL);
  assert_int_equal(hf_checkin_answer_parse(&answer, HF_LIT("\xa1\x00\x02"), NULL), HF_E_VERSION);
}

static void refuses_a_component_reported_twice(void **state)
{
  (void)state;
  uint8_t room[HF_CHECKIN_MAX];
  struct hf_checkin checkin = smallest();
  struct hf_buf out = hf_buf_init(room, sizeof room);
  checkin.component_count = 2;
  checkin.component[1] = checkin.component[0];
  assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
  assert_int_equal(refusal(room, out.len), HF_RULE_CHECKIN_COMPONENT_TWICE);
}

/* A newer device: members, events and update members this version does not know. */
static void skips_keys_of_a_newer_peer(void **state)
{
  (void)state;
  uint8_t room[HF_CHECKIN_MAX];
  struct hf_checkin checkin = smallest(), read;
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
  room[0] = 0xaa;
  hf_buf_put(&out, HF_LIT("\x18\x63\x82\x01\xa1\x00\x43"
                          "abc")); /* 99: [1, {0: h'616263'}] */
  assert_int_equal(hf_checkin_parse(&read, hf_buf_bytes(&out), NULL), HF_OK);
  assert_true(hf_bytes_is(read.product, "thermostat"));
}

static void refuses_keys_out_of_order_or_twice(void **state)
{
  (void)state;
  struct hf_checkin_answer answer;
  assert_int_equal(hf_checkin_answer_parse(&answer, HF_LIT("\xa3\x00\x01\x01\x05\x02\x0c"), NULL), HF_OK);
  assert_int_equal(hf_checkin_answer_parse(&answer, HF_LIT("\xa3\x00\x01\x02\x0c\x01\x05"), NULL), HF_E_INPUT);
  assert_int_equal(hf_checkin_answer_parse(&answer, HF_LIT("\xa4\x00\x01\x01\x05\x01\x05\x02\x0c"), NULL), HF_E_INPUT);
}

static void a_device_says_which_key_set_it_has(void **state)
{
  (void)state;
  uint8_t room[HF_CHECKIN_MAX];
  for (uint32_t version = 0; version < 2; version++) {
    struct hf_buf out = hf_buf_init(room, sizeof room);
    struct hf_checkin checkin = smallest();
    struct hf_checkin read;
    checkin.has_keyset = true;
    checkin.keyset = version;
    assert_int_equal(hf_checkin_encode(&out, &checkin), HF_OK);
    assert_int_equal(room[out.len - 2], 15);
    assert_int_equal(hf_checkin_parse(&read, hf_buf_bytes(&out), NULL), HF_OK);
    assert_true(read.has_keyset);
    assert_int_equal(read.keyset, version);
  }
}

static void an_answer_with_nothing_to_do_is_a_few_bytes(void **state)
{
  (void)state;
  static const uint8_t golden[] = {0xa3, 0x00, 0x01, 0x01, 0x1a, 0x6a, 0xb1, 0x35, 0x80, 0x02, 0x19, 0x07, 0x08};
  uint8_t room[HF_CHECKIN_ANSWER_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_checkin_answer answer = {.time = 0x6ab13580, .next_s = 1800};
  assert_int_equal(hf_checkin_answer_encode(&out, &answer), HF_OK);
  assert_int_equal(out.len, sizeof golden);
  assert_memory_equal(room, golden, sizeof golden);
}

static void reads_back_a_full_answer(void **state)
{
  (void)state;
  uint8_t room[HF_CHECKIN_ANSWER_MAX];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_checkin_answer answer = {.time = INT64_MAX,
                                     .next_s = UINT32_MAX,
                                     .director = UINT32_MAX,
                                     .has_events_to = true,
                                     .attributes_stored = true,
                                     .deadline = INT64_MAX,
                                     .renew = true,
                                     .keyset = UINT32_MAX,
                                     .timesig = {INT64_MAX, HF_LIT("s")}};
  struct hf_checkin_answer read;
  assert_int_equal(hf_checkin_answer_encode(&out, &answer), HF_OK);
  assert_int_equal(hf_checkin_answer_parse(&read, hf_buf_bytes(&out), NULL), HF_OK);
  assert_true(read.time == INT64_MAX && read.deadline == INT64_MAX);
  assert_true(read.timesig.time == INT64_MAX && hf_bytes_is(read.timesig.sig, "s"));
  assert_int_equal(read.next_s, UINT32_MAX);
  assert_int_equal(read.director, UINT32_MAX);
  assert_int_equal(read.keyset, UINT32_MAX);
  assert_true(read.has_events_to && read.attributes_stored && read.renew);
  assert_int_equal(read.events_to, 0);
  for (size_t len = 0; len < out.len; len++) {
    assert_int_equal(hf_checkin_answer_parse(&read, hf_bytes_init(room, len), NULL), HF_E_INPUT);
  }
}

static void names_states_and_events(void **state)
{
  (void)state;
  assert_string_equal(hf_update_state_name(HF_UPDATE_CONFIRMED), "confirmed");
  assert_string_equal(hf_update_state_name(99), "unknown");
  assert_string_equal(hf_event_kind_name(HF_EVENT_CLOCK), "clock");
  assert_string_equal(hf_event_kind_name(HF_EVENT_REVERTED), "reverted");
  assert_string_equal(hf_event_kind_name(0), "unknown");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(writes_the_bytes_of_the_specification),
      cmocka_unit_test(reads_back_what_it_wrote),
      cmocka_unit_test(the_largest_fits_the_maximum),
      cmocka_unit_test(an_idle_checkin_is_small),
      cmocka_unit_test(writes_attributes_in_the_order_of_their_bytes),
      cmocka_unit_test(refuses_to_write_what_it_would_not_read),
      cmocka_unit_test(says_when_the_buffer_is_too_small),
      cmocka_unit_test(refuses_every_truncation_and_every_extra_byte),
      cmocka_unit_test(survives_every_flipped_bit),
      cmocka_unit_test(tells_refusals_apart),
      cmocka_unit_test(refuses_no_components_and_nameless_attributes),
      cmocka_unit_test(tells_a_newer_protocol_from_a_broken_message),
      cmocka_unit_test(refuses_a_component_reported_twice),
      cmocka_unit_test(skips_keys_of_a_newer_peer),
      cmocka_unit_test(refuses_keys_out_of_order_or_twice),
      cmocka_unit_test(a_device_says_which_key_set_it_has),
      cmocka_unit_test(an_answer_with_nothing_to_do_is_a_few_bytes),
      cmocka_unit_test(reads_back_a_full_answer),
      cmocka_unit_test(names_states_and_events),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
