/* SPDX-License-Identifier: Apache-2.0
 * The store over a flash that fails: whole or not at all, at every cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "hf/device/store.h"
#include "ports/sim/simcut.h"

enum { SECTOR = 512, SIZE = 4 * SECTOR };

static bool full; /* a cut at each byte, not at every so many */
static const uint32_t aligns[] = {1, 4, 8, 16};
static const uint8_t erased_values[] = {0xff, 0x00};

static struct hf_bytes text(const char *at) { return hf_bytes_text(at); }

static void expect(const struct hf_store *store, uint16_t key, const char *value)
{
  uint8_t room[600];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  enum hf_err err = hf_store_get(&out, store, key);
  if (value == NULL) {
    assert_int_equal(err, HF_E_NOT_FOUND);
    return;
  }
  assert_int_equal(err, HF_OK);
  assert_true(hf_bytes_is(hf_buf_bytes(&out), value));
}

static void keeps_values_across_a_restart(void **state)
{
  (void)state;
  for (size_t i = 0; i < 8; i++) {
    struct simflash flash;
    simflash_init(&flash, SIZE, SECTOR, aligns[i % 4], erased_values[i / 4]);
    struct hf_area area = simflash_area(&flash, 0, SIZE);
    struct hf_store store;
    assert_int_equal(hf_store_open(&store, &area), HF_OK);
    expect(&store, 7, NULL);
    assert_int_equal(flash.ops, 0);
    assert_int_equal(hf_store_put(&store, 7, text("seven")), HF_OK);
    assert_int_equal(hf_store_put(&store, 8, text("")), HF_OK);
    assert_int_equal(hf_store_put(&store, 7, text("seven again, longer than a write unit")), HF_OK);
    assert_int_equal(hf_store_put(&store, 9, text("gone")), HF_OK);
    assert_int_equal(hf_store_delete(&store, 9), HF_OK);
    assert_int_equal(hf_store_delete(&store, 1000), HF_OK);
    for (int again = 0; again < 2; again++) {
      expect(&store, 7, "seven again, longer than a write unit");
      expect(&store, 8, "");
      expect(&store, 9, NULL);
      assert_int_equal(hf_store_open(&store, &area), HF_OK);
    }
    assert_int_equal(flash.breaches, 0);
    simflash_free(&flash);
  }
}

static void writes_nothing_for_a_value_that_is_there(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, SIZE, SECTOR, 8, 0xff);
  struct hf_area area = simflash_area(&flash, 0, SIZE);
  struct hf_store store;
  assert_int_equal(hf_store_open(&store, &area), HF_OK);
  assert_int_equal(hf_store_put(&store, 1, text("same")), HF_OK);
  uint32_t ops = flash.ops;
  assert_int_equal(hf_store_put(&store, 1, text("same")), HF_OK);
  assert_int_equal(flash.ops, ops);
  assert_int_equal(hf_store_put(&store, 1, text("sama")), HF_OK);
  assert_true(flash.ops > ops);
  simflash_free(&flash);
}

static void refuses_what_does_not_fit_before_it_damages_anything(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, SIZE, SECTOR, 4, 0xff);
  struct hf_area area = simflash_area(&flash, 0, SIZE);
  struct hf_store store;
  static const uint8_t big[HF_STORE_VALUE_MAX + 1];
  assert_int_equal(hf_store_open(&store, &area), HF_OK);
  assert_int_equal(hf_store_put(&store, 1, text("kept")), HF_OK);
  assert_int_equal(hf_store_put(&store, 2, hf_bytes_init(big, 600)), HF_OK);
  uint32_t ops = flash.ops;
  assert_int_equal(hf_store_put(&store, 3, hf_bytes_init(big, sizeof big)), HF_E_SPACE);
  assert_int_equal(hf_store_put(&store, 3, hf_bytes_init(big, 600)), HF_E_FULL);
  assert_int_equal(flash.ops, ops);
  /* The value itself may grow into the room its old self leaves. */
  assert_int_equal(hf_store_put(&store, 2, hf_bytes_init(big, 900)), HF_OK);
  expect(&store, 1, "kept");
  assert_int_equal(hf_store_put(&store, 2, text("small")), HF_OK);
  assert_int_equal(hf_store_put(&store, 3, hf_bytes_init(big, 600)), HF_OK);
  expect(&store, 1, "kept");
  expect(&store, 2, "small");
  simflash_free(&flash);
}

static void refuses_one_key_too_many(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, 16384, 4096, 1, 0xff);
  struct hf_area area = simflash_area(&flash, 0, 16384);
  struct hf_store store;
  assert_int_equal(hf_store_open(&store, &area), HF_OK);
  for (uint16_t key = 0; key < HF_STORE_KEYS_MAX; key++) {
    assert_int_equal(hf_store_put(&store, key, text("v")), HF_OK);
  }
  assert_int_equal(hf_store_put(&store, 999, text("v")), HF_E_FULL);
  assert_int_equal(hf_store_delete(&store, 5), HF_OK);
  assert_int_equal(hf_store_put(&store, 999, text("v")), HF_OK);
  assert_int_equal(hf_store_open(&store, &area), HF_OK);
  expect(&store, 999, "v");
  expect(&store, 5, NULL);
  simflash_free(&flash);
}

static void refuses_an_impossible_geometry(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, SIZE, SECTOR, 4, 0xff);
  struct hf_store store;
  struct hf_area area = simflash_area(&flash, 0, SECTOR);
  assert_int_equal(hf_store_open(&store, &area), HF_E_INPUT);
  area = simflash_area(&flash, 0, SIZE);
  area.align = 3;
  assert_int_equal(hf_store_open(&store, &area), HF_E_INPUT);
  area.align = 4;
  area.erased = 0x7f;
  assert_int_equal(hf_store_open(&store, &area), HF_E_INPUT);
  area.erased = 0xff;
  area.start = 100;
  assert_int_equal(hf_store_open(&store, &area), HF_E_INPUT);
  area.start = 0xfffffe00;
  assert_int_equal(hf_store_open(&store, &area), HF_E_INPUT);
  simflash_free(&flash);
}

static void does_not_touch_a_store_of_a_newer_format(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, SIZE, SECTOR, 4, 0xff);
  struct hf_area area = simflash_area(&flash, 0, SIZE);
  struct hf_run run = hf_record_open(&area, 0, 2 * SECTOR);
  struct hf_record head = {.kind = HF_RECORD_BANK, .key = 2, .seq = 1};
  assert_int_equal(hf_record_put_first(&run, &head), HF_OK);
  struct hf_store store;
  assert_int_equal(hf_store_open(&store, &area), HF_E_VERSION);
  simflash_free(&flash);
}

/* ---- the sweep: a script of puts and deletes, against a model ---- */

enum { KEYS = 6, STEPS = 60 };

struct model {
  char value[KEYS][80];
  bool there[KEYS];
};

/* Step n of the script, on the model; returns which key, and whether it is a delete. */
static uint16_t script(struct model *model, int n, bool *del)
{
  uint16_t key = (uint16_t)((n * 5 + n / 7) % KEYS);
  *del = n % 9 == 8;
  model->there[key] = !*del;
  snprintf(model->value[key], sizeof model->value[key], "%d:%.*s", n, (n * 37) % 60,
           "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
  return key;
}

static enum hf_err play(struct hf_store *store, struct model *model, int n)
{
  bool del;
  uint16_t key = script(model, n, &del);
  return del ? hf_store_delete(store, key) : hf_store_put(store, key, text(model->value[key]));
}

static bool matches(const struct hf_store *store, const struct model *model)
{
  for (uint16_t key = 0; key < KEYS; key++) {
    uint8_t room[100];
    struct hf_buf out = hf_buf_init(room, sizeof room);
    enum hf_err err = hf_store_get(&out, store, key);
    bool equal =
        model->there[key] ? err == HF_OK && hf_bytes_is(hf_buf_bytes(&out), model->value[key]) : err == HF_E_NOT_FOUND;
    if (!equal) {
      return false;
    }
  }
  return true;
}

/* Plays until the planned fault strikes; `*old` is the model before that step, `*new` after it. */
static int play_until_fault(const struct hf_area *area, struct model *old, struct model *new)
{
  struct hf_store store;
  *new = (struct model){0};
  assert_int_equal(hf_store_open(&store, area), HF_OK);
  for (int n = 0; n < STEPS; n++) {
    *old = *new;
    if (play(&store, new, n) != HF_OK) {
      return n;
    }
  }
  return STEPS;
}

/* One life with this cut, and what is left of it; `flash` is freed, its counters stay. */
static void live(struct simflash *flash, const struct simcut *cut)
{
  simflash_init(flash, 2 * SECTOR, SECTOR, cut->align, cut->erased);
  simcut_arm(flash, cut);
  struct hf_area area = simflash_area(flash, 0, 2 * SECTOR);
  struct model old, new;
  int n = play_until_fault(&area, &old, &new);
  simflash_power_on(flash);
  struct hf_store store;
  assert_int_equal(hf_store_open(&store, &area), HF_OK);
  assert_true(matches(&store, &new) || (n < STEPS && matches(&store, &old)));
  /* And it goes on from there, to the same end. */
  for (int rest = n; rest < STEPS; rest++) {
    assert_int_equal(play(&store, &new, rest), HF_OK);
  }
  assert_true(matches(&store, &new));
  assert_int_equal(flash->breaches, 0);
  simflash_free(flash);
}

static void holds_every_value_whole_after_a_cut_at_every_byte(void **state)
{
  (void)state;
  struct simflash flash;
  struct simcut cut = simcut_first(full ? 1 : 29);
  for (; simcut_on(&cut); simcut_next(&cut, &flash)) {
    live(&flash, &cut);
  }
  simcut_report("store records", cut.cuts);
  assert_true(cut.cuts > 3000);
}

static void survives_a_flash_that_fails_once_at_every_operation(void **state)
{
  (void)state;
  for (size_t i = 0; i < 8; i++) {
    for (uint32_t at = 1;; at++) {
      struct simflash flash;
      simflash_init(&flash, 2 * SECTOR, SECTOR, aligns[i % 4], erased_values[i / 4]);
      flash.fail_at = at;
      flash.tear = SIMFLASH_TEAR_PREFIX;
      flash.seed = at;
      struct hf_area area = simflash_area(&flash, 0, 2 * SECTOR);
      struct hf_store store;
      struct model model = {0};
      bool failed = false;
      assert_int_equal(hf_store_open(&store, &area), HF_OK);
      for (int n = 0; n < STEPS; n++) {
        enum hf_err err = play(&store, &model, n);
        if (err != HF_OK) {
          assert_int_equal(err, HF_E_IO);
          assert_false(failed);
          failed = true;
          assert_int_equal(play(&store, &model, n), HF_OK);
        }
        assert_true(matches(&store, &model));
      }
      assert_int_equal(hf_store_open(&store, &area), HF_OK);
      assert_true(matches(&store, &model));
      assert_int_equal(flash.breaches, 0);
      simflash_free(&flash);
      if (!failed) {
        assert_true(at > 20);
        break;
      }
    }
  }
}

static void goes_on_after_a_value_rotted(void **state)
{
  (void)state;
  struct simflash flash;
  simflash_init(&flash, 2 * SECTOR, SECTOR, 4, 0xff);
  struct hf_area area = simflash_area(&flash, 0, 2 * SECTOR);
  struct hf_store store;
  assert_int_equal(hf_store_open(&store, &area), HF_OK);
  assert_int_equal(hf_store_put(&store, 1, text("healthy")), HF_OK);
  assert_int_equal(hf_store_put(&store, 2, text("rotten")), HF_OK);
  flash.at[store.index[1].at + HF_RECORD_HEAD] ^= 1;
  uint8_t room[16];
  struct hf_buf out = hf_buf_init(room, sizeof room);
  assert_int_equal(hf_store_get(&out, &store, 2), HF_E_IO);
  assert_int_equal(out.len, 0);
  for (int n = 0; n < 50; n++) {
    char value[16];
    snprintf(value, sizeof value, "%d", n);
    assert_int_equal(hf_store_put(&store, 3, text(value)), HF_OK);
  }
  expect(&store, 1, "healthy");
  expect(&store, 2, NULL);
  expect(&store, 3, "49");
  simflash_free(&flash);
}

int main(int argc, char **argv)
{
  full = argc > 1 && strcmp(argv[1], "full") == 0;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keeps_values_across_a_restart),
      cmocka_unit_test(writes_nothing_for_a_value_that_is_there),
      cmocka_unit_test(refuses_what_does_not_fit_before_it_damages_anything),
      cmocka_unit_test(refuses_one_key_too_many),
      cmocka_unit_test(refuses_an_impossible_geometry),
      cmocka_unit_test(does_not_touch_a_store_of_a_newer_format),
      cmocka_unit_test(holds_every_value_whole_after_a_cut_at_every_byte),
      cmocka_unit_test(survives_a_flash_that_fails_once_at_every_operation),
      cmocka_unit_test(goes_on_after_a_value_rotted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
