/* SPDX-License-Identifier: Apache-2.0
 * Rollout decisions, to the last branch; and ten thousand random lives of a rollout that must keep its promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hf/fleet/rollout.h"

static struct hf_rollout three_waves(void)
{
  struct hf_rollout rollout = {
      .id = 1, .state = HF_ROLLOUT_RUNNING, .wave_count = 3, .success_percent = 90, .max_failures = 2};
  rollout.at[0].percent = 5;
  rollout.at[1].percent = 25;
  rollout.at[2].percent = 100;
  return rollout;
}

/* waiting, underway, confirmed, failed, silent */
static void wave_set(struct hf_rollout *rollout, uint32_t wave, const uint64_t count[HF_CLASS_COUNT])
{
  memcpy(rollout->at[wave].count, count, sizeof rollout->at[wave].count);
}
#define WAVE(...) ((const uint64_t[HF_CLASS_COUNT]){__VA_ARGS__})

/* ---- the order ---- */

static void the_order_is_stable_and_another_in_each_rollout(void **state)
{
  (void)state;
  assert_int_equal(hf_rollout_hash(7, HF_LIT("sn-1")), hf_rollout_hash(7, HF_LIT("sn-1")));
  assert_int_not_equal(hf_rollout_hash(7, HF_LIT("sn-1")), hf_rollout_hash(8, HF_LIT("sn-1")));
  assert_int_not_equal(hf_rollout_hash(7, HF_LIT("sn-1")), hf_rollout_hash(7, HF_LIT("sn-2")));
  /* printf '\0\0\0\0\0\0\0\7sn-1' | sha256sum: stored orders must not change with a release of ours */
  assert_int_equal(hf_rollout_hash(7, HF_LIT("sn-1")), UINT64_C(0xfc38a418d06fac10));
}

static void the_cut_leaves_nobody_out_and_takes_nobody_twice(void **state)
{
  (void)state;
  for (uint64_t total = 0; total < 500; total++) {
    struct hf_rollout rollout = three_waves();
    uint64_t count[HF_WAVES_MAX];
    assert_int_equal(hf_rollout_cut(count, &rollout, total), HF_OK);
    assert_int_equal(count[0] + count[1] + count[2], total);
    assert_int_equal(count[0], (total * 5 + 99) / 100); /* rounded up: a small fleet has a first wave too */
    assert_int_equal(count[3], 0);
  }
}

static void refuses_waves_that_do_not_rise_to_a_hundred(void **state)
{
  (void)state;
  static const uint32_t bad[][3] = {{5, 5, 100}, {25, 5, 100}, {5, 25, 99}, {100, 25, 100}, {5, 25, 101}};
  uint64_t count[HF_WAVES_MAX];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct hf_rollout rollout = three_waves();
    for (size_t k = 0; k < 3; k++) {
      rollout.at[k].percent = bad[i][k];
    }
    assert_int_equal(hf_rollout_cut(count, &rollout, 10), HF_E_INPUT);
  }
  struct hf_rollout groups = {.wave_count = 2};
  assert_int_equal(hf_rollout_cut(count, &groups, 10), HF_OK); /* group waves only */
  groups.wave_count = 3;
  groups.at[2].percent = 100;
  assert_int_equal(hf_rollout_cut(count, &groups, 10), HF_OK);
  assert_int_equal(count[2], 10);
}

static void who_joins_later_gets_the_place_of_the_order(void **state)
{
  (void)state;
  struct hf_rollout rollout = three_waves();
  rollout.at[0].last_hash = 100;
  rollout.at[1].last_hash = 1000;
  rollout.at[2].last_hash = UINT64_MAX;
  assert_int_equal(hf_rollout_place(&rollout, 0), 0);
  assert_int_equal(hf_rollout_place(&rollout, 100), 0);
  assert_int_equal(hf_rollout_place(&rollout, 101), 1);
  assert_int_equal(hf_rollout_place(&rollout, UINT64_MAX), 2);
  struct hf_rollout groups = {.wave_count = 2};
  assert_int_equal(hf_rollout_place(&groups, 5), HF_WAVES_MAX);
}

/* ---- judging ---- */

static void judges_by_share_and_failures(void **state)
{
  (void)state;
  static const struct {
    uint64_t count[HF_CLASS_COUNT]; /* of the first wave: waiting, underway, confirmed, failed, silent */
    enum hf_rollout_step step;
    enum hf_rule reason;
  } cases[] = {
      {{10, 0, 0, 0, 0}, HF_ROLLOUT_KEEP, HF_RULE_NONE},
      {{2, 0, 8, 0, 0}, HF_ROLLOUT_KEEP, HF_RULE_NONE}, /* 80 of 90 percent */
      {{1, 0, 9, 0, 0}, HF_ROLLOUT_NEXT, HF_RULE_NONE}, /* exactly the share; the straggler goes on */
      {{0, 1, 9, 0, 0}, HF_ROLLOUT_NEXT, HF_RULE_NONE},
      {{0, 0, 9, 1, 0}, HF_ROLLOUT_NEXT, HF_RULE_NONE},
      {{10, 0, 0, 2, 0}, HF_ROLLOUT_STOP, HF_RULE_ROLLOUT_SHARE}, /* 11 of 12 are needed, 10 are left */
      {{98, 0, 0, 2, 0}, HF_ROLLOUT_KEEP, HF_RULE_NONE},          /* as many as are allowed */
      {{97, 0, 0, 3, 0}, HF_ROLLOUT_STOP, HF_RULE_ROLLOUT_FAILURES},
      {{0, 0, 97, 3, 0}, HF_ROLLOUT_STOP, HF_RULE_ROLLOUT_FAILURES}, /* also with the share reached */
      {{0, 0, 9, 0, 1000}, HF_ROLLOUT_NEXT, HF_RULE_NONE},           /* the silent do not hold it up */
      {{0, 0, 0, 0, 10}, HF_ROLLOUT_NEXT, HF_RULE_NONE},             /* nobody answers: the next wave is asked */
      {{1, 0, 0, 0, 10}, HF_ROLLOUT_KEEP, HF_RULE_NONE},
      {{0, 0, 0, 0, 0}, HF_ROLLOUT_NEXT, HF_RULE_NONE}, /* an empty wave */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hf_rollout rollout = three_waves();
    enum hf_rule reason = HF_RULE_NONE;
    wave_set(&rollout, 0, cases[i].count);
    wave_set(&rollout, 1, WAVE(10, 0, 0, 0, 0));
    wave_set(&rollout, 2, WAVE(10, 0, 0, 0, 0));
    enum hf_rollout_step step = hf_rollout_judge(&rollout, &reason);
    if (step != cases[i].step || reason != cases[i].reason) {
      fail_msg("case %zu: step %d, reason %d", i, step, reason);
    }
  }
}

static void does_not_let_everybody_be_the_first_to_try(void **state)
{
  (void)state;
  struct hf_rollout rollout = three_waves();
  enum hf_rule reason = HF_RULE_NONE;
  wave_set(&rollout, 0, WAVE(0, 0, 0, 0, 5));
  wave_set(&rollout, 1, WAVE(0, 0, 0, 0, 20));
  wave_set(&rollout, 2, WAVE(75, 0, 0, 0, 0));
  assert_int_equal(hf_rollout_judge(&rollout, &reason), HF_ROLLOUT_NEXT);
  rollout.wave = 1;
  assert_int_equal(hf_rollout_judge(&rollout, &reason), HF_ROLLOUT_STOP);
  assert_int_equal(reason, HF_RULE_ROLLOUT_EVIDENCE);
  /* A person may take the risk. */
  rollout.state = HF_ROLLOUT_RUNNING;
  hf_rollout_forgive(&rollout, 77);
  assert_int_equal(rollout.wave, 2);
  assert_int_equal(rollout.at[2].started, 77);
  assert_int_equal(hf_rollout_judge(&rollout, NULL), HF_ROLLOUT_KEEP);
  /* One that confirmed is evidence. */
  rollout.wave = 1;
  wave_set(&rollout, 0, WAVE(0, 0, 1, 0, 4));
  assert_int_equal(hf_rollout_judge(&rollout, NULL), HF_ROLLOUT_NEXT);
}

static void failures_count_over_all_waves(void **state)
{
  (void)state;
  struct hf_rollout rollout = three_waves();
  enum hf_rule reason;
  rollout.wave = 2;
  wave_set(&rollout, 0, WAVE(0, 0, 20, 1, 0));
  wave_set(&rollout, 1, WAVE(0, 0, 20, 1, 0));
  wave_set(&rollout, 2, WAVE(50, 0, 0, 0, 0));
  assert_int_equal(hf_rollout_judge(&rollout, &reason), HF_ROLLOUT_KEEP);
  hf_rollout_move(&rollout, 2, HF_MEMBER_WAITING, HF_MEMBER_REVERTED);
  assert_int_equal(hf_rollout_judge(&rollout, &reason), HF_ROLLOUT_STOP);
  assert_int_equal(reason, HF_RULE_ROLLOUT_FAILURES);
}

static void a_single_failure_stops_it_when_none_is_allowed(void **state)
{
  (void)state;
  struct hf_rollout rollout = three_waves();
  rollout.max_failures = 0;
  wave_set(&rollout, 0, WAVE(50, 0, 0, 1, 0));
  assert_int_equal(hf_rollout_judge(&rollout, NULL), HF_ROLLOUT_STOP);
}

static void finishes_when_nobody_is_between_two_states(void **state)
{
  (void)state;
  struct hf_rollout rollout = three_waves();
  rollout.wave = 2;
  wave_set(&rollout, 0, WAVE(0, 0, 5, 0, 0));
  wave_set(&rollout, 1, WAVE(0, 1, 19, 0, 0));
  wave_set(&rollout, 2, WAVE(0, 0, 70, 0, 5));
  assert_int_equal(hf_rollout_judge(&rollout, NULL), HF_ROLLOUT_KEEP);
  hf_rollout_move(&rollout, 1, HF_MEMBER_TRYING, HF_MEMBER_CONFIRMED);
  assert_int_equal(hf_rollout_judge(&rollout, NULL), HF_ROLLOUT_FINISH);
  rollout.state = HF_ROLLOUT_DONE;
  assert_int_equal(hf_rollout_judge(&rollout, NULL), HF_ROLLOUT_KEEP);
  assert_true(hf_rollout_offers(&rollout, 2)); /* who comes back later still gets it */
  for (int i = 0; i < 3; i++) {
    hf_rollout_move(&rollout, 2, HF_MEMBER_SILENT, HF_MEMBER_FAILED);
  }
  assert_int_equal(hf_rollout_judge(&rollout, NULL), HF_ROLLOUT_STOP);
}

static void forgiven_failures_count_no_more_and_new_ones_do(void **state)
{
  (void)state;
  struct hf_rollout rollout = three_waves();
  wave_set(&rollout, 0, WAVE(0, 0, 0, 10, 0));
  wave_set(&rollout, 1, WAVE(40, 0, 0, 0, 0));
  wave_set(&rollout, 2, WAVE(40, 0, 0, 0, 0));
  assert_int_equal(hf_rollout_judge(&rollout, NULL), HF_ROLLOUT_STOP);
  hf_rollout_forgive(&rollout, 5);
  assert_int_equal(hf_rollout_failures(&rollout), 0);
  assert_int_equal(hf_rollout_judge(&rollout, NULL), HF_ROLLOUT_NEXT);
  rollout.wave = 1;
  hf_rollout_move(&rollout, 1, HF_MEMBER_WAITING, HF_MEMBER_FAILED);
  assert_int_equal(hf_rollout_failures(&rollout), 1);
  /* One of the forgiven confirms after all: forgiveness is not saved up for another. */
  hf_rollout_move(&rollout, 0, HF_MEMBER_FAILED, HF_MEMBER_CONFIRMED);
  assert_int_equal(hf_rollout_failures(&rollout), 1);
}

static void offers_only_while_it_runs_and_only_to_waves_that_do(void **state)
{
  (void)state;
  struct hf_rollout rollout = three_waves();
  static const bool offers[] = {false, true, false, false, false, true};
  static const bool withdraws[] = {false, false, false, true, true, false};
  rollout.wave = 1;
  for (unsigned s = HF_ROLLOUT_RUNNING; s <= HF_ROLLOUT_DONE; s++) {
    rollout.state = (enum hf_rollout_state)s;
    assert_int_equal(hf_rollout_offers(&rollout, 0), offers[s]);
    assert_int_equal(hf_rollout_offers(&rollout, 1), offers[s]);
    assert_false(hf_rollout_offers(&rollout, 2));
    assert_int_equal(hf_rollout_withdraws(&rollout), withdraws[s]);
    assert_true(hf_rollout_judge(&rollout, NULL) == HF_ROLLOUT_KEEP || s == HF_ROLLOUT_RUNNING);
  }
}

static void postponing_is_bounded(void **state)
{
  (void)state;
  struct hf_rollout rollout = three_waves();
  assert_int_equal(hf_rollout_deadline(&rollout, 1000, 500), 1500);
  rollout.deadline = 1200;
  assert_int_equal(hf_rollout_deadline(&rollout, 1000, 500), 1200);
  rollout.deadline = 9000;
  assert_int_equal(hf_rollout_deadline(&rollout, 1000, 500), 1500);
  assert_int_equal(hf_rollout_deadline(&rollout, INT64_MAX - 1, 500), 9000);
}

/* ---- one device ---- */

static void confirmed_needs_the_target_running_and_no_trial(void **state)
{
  (void)state;
  for (unsigned now = 0; now < HF_MEMBER_STATES; now++) {
    for (unsigned said = 0; said < 12; said++) {
      for (unsigned bits = 0; bits < 8; bits++) {
        struct hf_member_report report = {.runs_target = (bits & 1) != 0,
                                          .about_offer = (bits & 2) != 0,
                                          .was_offered = (bits & 4) != 0,
                                          .state = said};
        enum hf_member next = hf_member_next((enum hf_member)now, &report);
        assert_true(next < HF_MEMBER_STATES && next != HF_MEMBER_SILENT);
        bool at_rest = said == HF_MEMBER_CONFIRMED || said == HF_MEMBER_WAITING;
        assert_int_equal(next == HF_MEMBER_CONFIRMED, report.runs_target && at_rest);
        if (report.about_offer && said >= HF_MEMBER_OFFERED && said <= HF_MEMBER_POSTPONED &&
            said != HF_MEMBER_CONFIRMED) {
          assert_int_equal(next, said);
        }
        if (!report.about_offer && !report.was_offered && now == HF_MEMBER_WAITING && !report.runs_target) {
          assert_int_equal(next, HF_MEMBER_WAITING);
        }
      }
    }
  }
}

static void a_repeated_report_changes_nothing(void **state)
{
  (void)state;
  for (unsigned now = 0; now < HF_MEMBER_STATES; now++) {
    for (unsigned said = 0; said < 10; said++) {
      for (unsigned bits = 0; bits < 8; bits++) {
        struct hf_member_report report = {.runs_target = (bits & 1) != 0,
                                          .about_offer = (bits & 2) != 0,
                                          .was_offered = (bits & 4) != 0,
                                          .state = said};
        enum hf_member once = hf_member_next((enum hf_member)now, &report);
        assert_int_equal(hf_member_next(once, &report), once);
      }
    }
  }
}

static void a_device_back_from_a_trial_it_never_reported_has_reverted(void **state)
{
  (void)state;
  struct hf_member_report quiet = {.was_offered = true};
  assert_int_equal(hf_member_next(HF_MEMBER_TRYING, &quiet), HF_MEMBER_REVERTED);
  assert_int_equal(hf_member_next(HF_MEMBER_DOWNLOADING, &quiet), HF_MEMBER_OFFERED);
  assert_int_equal(hf_member_next(HF_MEMBER_SILENT, &quiet), HF_MEMBER_OFFERED);
  assert_int_equal(hf_member_next(HF_MEMBER_FAILED, &quiet), HF_MEMBER_FAILED);
}

static void a_stepping_stone_confirmed_leads_on(void **state)
{
  (void)state;
  struct hf_member_report stone = {.about_offer = true, .was_offered = true, .state = HF_MEMBER_CONFIRMED};
  assert_int_equal(hf_member_next(HF_MEMBER_TRYING, &stone), HF_MEMBER_WAITING);
}

static void silence_with_the_new_image_in_hand_is_a_failure(void **state)
{
  (void)state;
  static const enum hf_member_class after[HF_MEMBER_STATES] = {
      HF_CLASS_SILENT, HF_CLASS_SILENT, HF_CLASS_SILENT, HF_CLASS_FAILED, HF_CLASS_FAILED, HF_CLASS_CONFIRMED,
      HF_CLASS_FAILED, HF_CLASS_FAILED, HF_CLASS_FAILED, HF_CLASS_SILENT, HF_CLASS_SILENT};
  for (unsigned s = 0; s < HF_MEMBER_STATES; s++) {
    assert_int_equal(hf_member_class(hf_member_silence((enum hf_member)s)), after[s]);
  }
}

static void names_are_those_of_the_api(void **state)
{
  (void)state;
  assert_string_equal(hf_member_name(HF_MEMBER_WAITING), "idle");
  assert_string_equal(hf_member_name(HF_MEMBER_SILENT), "silent");
  assert_string_equal(hf_member_name(99), "unknown");
  assert_string_equal(hf_rollout_state_name(HF_ROLLOUT_STOPPED), "stopped");
  assert_string_equal(hf_rollout_state_name(0), "unknown");
  assert_string_equal(hf_rollout_state_name(77), "unknown");
}

/* ---- promises ---- */

static uint32_t seed;

static uint32_t dice(uint32_t sides)
{
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) % sides;
}

#define DEVICES 60

struct life {
  struct hf_rollout rollout;
  uint32_t wave[DEVICES];
  enum hf_member state[DEVICES];
};

static void life_check(const struct life *life)
{
  uint64_t count[HF_WAVES_MAX][HF_CLASS_COUNT] = {{0}};
  for (size_t i = 0; i < DEVICES; i++) {
    count[life->wave[i]][hf_member_class(life->state[i])]++;
    /* Never offered before its wave runs. */
    bool untouched = life->state[i] == HF_MEMBER_WAITING || life->state[i] == HF_MEMBER_SILENT;
    assert_true(untouched || life->wave[i] <= life->rollout.wave);
  }
  for (uint32_t w = 0; w < life->rollout.wave_count; w++) {
    assert_memory_equal(count[w], life->rollout.at[w].count, sizeof count[w]); /* each device in exactly one wave */
  }
}

static void device_step(struct life *life, size_t i)
{
  enum hf_member now = life->state[i];
  enum hf_member next = now;
  if (dice(20) == 0) {
    next = hf_member_silence(now);
  } else if (now == HF_MEMBER_WAITING || now == HF_MEMBER_SILENT) {
    next = hf_rollout_offers(&life->rollout, life->wave[i]) ? HF_MEMBER_OFFERED : HF_MEMBER_WAITING;
  } else if (hf_member_class(now) == HF_CLASS_UNDERWAY) {
    struct hf_member_report report = {.about_offer = true, .was_offered = true, .state = 1 + dice(9)};
    report.runs_target = report.state == HF_MEMBER_CONFIRMED;
    next = hf_member_next(now, &report);
  }
  hf_rollout_move(&life->rollout, life->wave[i], now, next);
  life->state[i] = next;
}

static void rollout_step(struct life *life)
{
  uint32_t wave = life->rollout.wave;
  switch (hf_rollout_judge(&life->rollout, NULL)) {
    case HF_ROLLOUT_NEXT:
      life->rollout.wave++;
      assert_true(life->rollout.wave < life->rollout.wave_count);
      break;
    case HF_ROLLOUT_STOP: life->rollout.state = HF_ROLLOUT_STOPPED; break;
    case HF_ROLLOUT_FINISH:
      life->rollout.state = HF_ROLLOUT_DONE;
      assert_int_equal(wave, life->rollout.wave_count - 1);
      break;
    default: break;
  }
}

static void ten_thousand_lives_keep_their_promises(void **state)
{
  (void)state;
  unsigned ends[HF_ROLLOUT_DONE + 1] = {0};
  for (seed = 1; seed <= 10000; seed++) {
    uint32_t start = seed;
    struct life life = {.rollout = three_waves()};
    life.rollout.max_failures = dice(30);
    life.rollout.success_percent = 1 + dice(100);
    uint64_t cut[HF_WAVES_MAX];
    assert_int_equal(hf_rollout_cut(cut, &life.rollout, DEVICES), HF_OK);
    for (size_t i = 0, w = 0; i < DEVICES; i++) {
      while (cut[w] == 0) {
        w++;
      }
      cut[w]--;
      life.wave[i] = (uint32_t)w;
      hf_rollout_join(&life.rollout, life.wave[i], HF_MEMBER_WAITING);
    }
    for (int step = 0; step < 400; step++) {
      device_step(&life, dice(DEVICES));
      rollout_step(&life);
      life_check(&life);
    }
    ends[life.rollout.state]++;
    seed = start;
  }
  assert_true(ends[HF_ROLLOUT_STOPPED] > 100); /* the lives differ, or nothing was tried */
  assert_true(ends[HF_ROLLOUT_DONE] + ends[HF_ROLLOUT_RUNNING] > 100);
}

static void stopped_means_no_new_offers(void **state)
{
  (void)state;
  struct life life = {.rollout = three_waves()};
  life.rollout.state = HF_ROLLOUT_STOPPED;
  life.rollout.wave = 2;
  for (uint32_t w = 0; w < 3; w++) {
    assert_false(hf_rollout_offers(&life.rollout, w));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_order_is_stable_and_another_in_each_rollout),
      cmocka_unit_test(the_cut_leaves_nobody_out_and_takes_nobody_twice),
      cmocka_unit_test(refuses_waves_that_do_not_rise_to_a_hundred),
      cmocka_unit_test(who_joins_later_gets_the_place_of_the_order),
      cmocka_unit_test(judges_by_share_and_failures),
      cmocka_unit_test(does_not_let_everybody_be_the_first_to_try),
      cmocka_unit_test(failures_count_over_all_waves),
      cmocka_unit_test(a_single_failure_stops_it_when_none_is_allowed),
      cmocka_unit_test(finishes_when_nobody_is_between_two_states),
      cmocka_unit_test(forgiven_failures_count_no_more_and_new_ones_do),
      cmocka_unit_test(offers_only_while_it_runs_and_only_to_waves_that_do),
      cmocka_unit_test(postponing_is_bounded),
      cmocka_unit_test(confirmed_needs_the_target_running_and_no_trial),
      cmocka_unit_test(a_repeated_report_changes_nothing),
      cmocka_unit_test(a_device_back_from_a_trial_it_never_reported_has_reverted),
      cmocka_unit_test(a_stepping_stone_confirmed_leads_on),
      cmocka_unit_test(silence_with_the_new_image_in_hand_is_a_failure),
      cmocka_unit_test(names_are_those_of_the_api),
      cmocka_unit_test(ten_thousand_lives_keep_their_promises),
      cmocka_unit_test(stopped_means_no_new_offers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
