/* SPDX-License-Identifier: Apache-2.0
 * The audit chain: one encoding, and no entry can be changed, moved, dropped or put in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hf/codec/text.h"
#include "hf/fleet/audit.h"

#define ENTRIES 5

struct log {
  struct hf_audit_entry entry[ENTRIES];
  uint8_t hash[ENTRIES][HF_SHA256_LEN];
};

static struct log log_make(void)
{
  struct log log;
  struct hf_audit_chain chain = hf_audit_chain_init();
  for (uint64_t i = 0; i < ENTRIES; i++) {
    log.entry[i] = (struct hf_audit_entry){.number = i + 1,
                                           .time = 1700000000 + (int64_t)i,
                                           .who = HF_LIT("operator:anna"),
                                           .address = HF_LIT("127.0.0.1"),
                                           .action = HF_LIT("device.block"),
                                           .subject = HF_LIT("sn-1"),
                                           .detail = HF_LIT("lost")};
    assert_int_equal(hf_audit_put(&chain, &log.entry[i]), HF_OK);
    memcpy(log.hash[i], chain.hash, HF_SHA256_LEN);
  }
  return log;
}

/* How many entries are good from the start. */
static uint64_t log_verify(const struct log *log, size_t count)
{
  struct hf_audit_chain chain = hf_audit_chain_init();
  for (size_t i = 0; i < count && hf_audit_verify(&chain, &log->entry[i], log->hash[i]) == HF_ALLOW; i++) {
  }
  return chain.number;
}

static void accepts_an_untouched_log(void **state)
{
  (void)state;
  struct log log = log_make();
  assert_int_equal(log_verify(&log, ENTRIES), ENTRIES);
}

static void names_the_first_entry_that_was_changed(void **state)
{
  (void)state;
  for (size_t i = 0; i < ENTRIES; i++) {
    for (int way = 0; way < 8; way++) {
      struct log log = log_make();
      struct hf_audit_entry *entry = &log.entry[i];
      struct hf_bytes *const text[] = {&entry->who, &entry->address, &entry->action, &entry->subject, &entry->detail};
      if (way < 5) {
        *text[way] = HF_LIT("other");
      } else if (way == 5) {
        entry->time++;
      } else if (way == 6) {
        entry->number++;
      } else {
        log.hash[i][31] ^= 1;
      }
      assert_int_equal(log_verify(&log, ENTRIES), i);
    }
  }
}

static void a_text_cannot_slide_into_its_neighbour(void **state)
{
  (void)state;
  struct log log = log_make();
  log.entry[2].who = HF_LIT("operator:anna1");
  log.entry[2].address = HF_LIT("27.0.0.1");
  assert_int_equal(log_verify(&log, ENTRIES), 2);
}

static void notices_a_dropped_and_a_swapped_entry(void **state)
{
  (void)state;
  struct log log = log_make();
  log.entry[1] = log.entry[2];
  memcpy(log.hash[1], log.hash[2], HF_SHA256_LEN);
  assert_int_equal(log_verify(&log, ENTRIES), 1);
  log.entry[1].number = 2;
  assert_int_equal(log_verify(&log, ENTRIES), 1);
}

static void the_encoding_is_the_documented_one(void **state)
{
  (void)state;
  uint8_t room[HF_AUDIT_ENTRY_MAX];
  uint8_t hex_room[512];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  struct hf_buf hex = hf_buf_init(hex_room, sizeof hex_room);
  struct hf_audit_entry entry = {
      .number = 1, .time = 1000, .who = HF_LIT("server"), .action = HF_LIT("a.b"), .subject = HF_LIT("s")};
  assert_int_equal(hf_audit_encode(&out, &entry), HF_OK);
  hf_hex_put(&hex, hf_buf_bytes(&out));
  /* [1, 1, 1000, "server", "", "a.b", "s", ""] */
  assert_true(hf_bytes_is(hf_buf_bytes(&hex), "8801011903e8667365727665726063612e62617360"));
}

static void refuses_a_wrong_number_and_a_text_too_long(void **state)
{
  (void)state;
  static uint8_t text[HF_AUDIT_TEXT_MAX + 1];
  struct hf_audit_chain chain = hf_audit_chain_init();
  struct hf_audit_entry entry = {.number = 2, .who = HF_LIT("x")};
  memset(text, 'x', sizeof text);
  assert_int_equal(hf_audit_put(&chain, &entry), HF_E_STATE);
  entry.number = 1;
  entry.detail = hf_bytes_init(text, sizeof text);
  assert_int_equal(hf_audit_put(&chain, &entry), HF_E_SPACE);
  assert_int_equal(chain.number, 0);
  entry.detail.len--;
  assert_int_equal(hf_audit_put(&chain, &entry), HF_OK);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(accepts_an_untouched_log),
      cmocka_unit_test(names_the_first_entry_that_was_changed),
      cmocka_unit_test(a_text_cannot_slide_into_its_neighbour),
      cmocka_unit_test(notices_a_dropped_and_a_swapped_entry),
      cmocka_unit_test(the_encoding_is_the_documented_one),
      cmocka_unit_test(refuses_a_wrong_number_and_a_text_too_long),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
