/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/fleet/rollout.h"

#include "hf/base/assert.h"
#include "hf/base/math.h"
#include "hf/crypto/crypto.h"

uint64_t hf_rollout_hash(int64_t rollout, struct hf_bytes device)
{
  uint8_t room[8];
  uint8_t digest[HF_SHA256_LEN];
  struct hf_buf number = hf_buf_init(room, sizeof room);
  struct hf_sha256 hash;
  hf_buf_put_be64(&number, (uint64_t)rollout);
  hf_sha256_init(&hash);
  hf_sha256_put(&hash, hf_buf_bytes(&number));
  hf_sha256_put(&hash, device);
  hf_sha256_get(&hash, digest);
  struct hf_cursor cur = hf_cursor_init(hf_bytes_init(digest, sizeof digest));
  return hf_cursor_be64(&cur);
}

/* a * percent / 100, rounded up, without overflow for any fleet below 2^56 devices. */
static uint64_t share_of(uint64_t total, uint32_t percent) { return (total * percent + 99) / 100; }

enum hf_err hf_rollout_cut(uint64_t count[HF_WAVES_MAX], const struct hf_rollout *rollout, uint64_t total)
{
  uint32_t percent = 0;
  uint64_t taken = 0;
  HF_ASSERT(rollout->wave_count >= 1 && rollout->wave_count <= HF_WAVES_MAX);
  for (uint32_t i = 0; i < HF_WAVES_MAX; i++) {
    count[i] = 0;
  }
  for (uint32_t i = 0; i < rollout->wave_count; i++) {
    if (rollout->at[i].percent == 0) {
      continue;
    }
    if (rollout->at[i].percent <= percent || rollout->at[i].percent > 100) {
      return HF_E_INPUT;
    }
    percent = rollout->at[i].percent;
    uint64_t upto = share_of(total, percent);
    count[i] = upto - taken;
    taken = upto;
  }
  return percent == 0 || percent == 100 ? HF_OK : HF_E_INPUT;
}

uint32_t hf_rollout_place(const struct hf_rollout *rollout, uint64_t hash)
{
  uint32_t last = HF_WAVES_MAX;
  for (uint32_t i = 0; i < rollout->wave_count; i++) {
    if (rollout->at[i].percent == 0) {
      continue;
    }
    last = i;
    if (hash <= rollout->at[i].last_hash) {
      return i;
    }
  }
  return last;
}

static uint64_t wave_total(const struct hf_wave *wave)
{
  uint64_t total = 0;
  for (size_t i = 0; i < HF_CLASS_COUNT; i++) {
    total += wave->count[i];
  }
  return total;
}

static uint64_t wave_forgiven(const struct hf_wave *wave)
{
  /* A device that was forgiven and then confirmed after all leaves the failures. */
  return wave->forgiven < wave->count[HF_CLASS_FAILED] ? wave->forgiven : wave->count[HF_CLASS_FAILED];
}

uint64_t hf_rollout_failures(const struct hf_rollout *rollout)
{
  uint64_t failures = 0;
  for (uint32_t i = 0; i < rollout->wave_count; i++) {
    failures += rollout->at[i].count[HF_CLASS_FAILED] - wave_forgiven(&rollout->at[i]);
  }
  return failures;
}

static uint64_t count_all(const struct hf_rollout *rollout, enum hf_member_class class)
{
  uint64_t sum = 0;
  for (uint32_t i = 0; i < rollout->wave_count; i++) {
    sum += rollout->at[i].count[class];
  }
  return sum;
}

static enum hf_rollout_step stop(enum hf_rule *reason, enum hf_rule rule)
{
  if (reason != NULL) {
    *reason = rule;
  }
  return HF_ROLLOUT_STOP;
}

/* The wave needs nothing more: on to the next, or to the end once nobody is left between two states. */
static enum hf_rollout_step wave_passed(const struct hf_rollout *rollout)
{
  if (rollout->wave + 1 < rollout->wave_count) {
    return HF_ROLLOUT_NEXT;
  }
  bool settled = count_all(rollout, HF_CLASS_WAITING) == 0 && count_all(rollout, HF_CLASS_UNDERWAY) == 0;
  return settled ? HF_ROLLOUT_FINISH : HF_ROLLOUT_KEEP;
}

/* Nobody in this wave answers. Passing it over harms nobody, because a device that holds the new image counts as failed
 * when it falls silent; but everybody at once is not to be the first to try (rule ROLLOUT_EVIDENCE). */
static enum hf_rollout_step wave_without_evidence(const struct hf_rollout *rollout, enum hf_rule *reason)
{
  bool last_is_next = rollout->wave + 2 == rollout->wave_count;
  if (last_is_next && count_all(rollout, HF_CLASS_CONFIRMED) == 0 && count_all(rollout, HF_CLASS_FAILED) == 0) {
    return stop(reason, HF_RULE_ROLLOUT_EVIDENCE);
  }
  return wave_passed(rollout);
}

enum hf_rollout_step hf_rollout_judge(const struct hf_rollout *rollout, enum hf_rule *reason)
{
  if (rollout->state != HF_ROLLOUT_RUNNING && rollout->state != HF_ROLLOUT_DONE) {
    return HF_ROLLOUT_KEEP;
  }
  if (hf_rollout_failures(rollout) > rollout->max_failures) {
    return stop(reason, HF_RULE_ROLLOUT_FAILURES);
  }
  if (rollout->state == HF_ROLLOUT_DONE) {
    return HF_ROLLOUT_KEEP;
  }
  const struct hf_wave *wave = &rollout->at[rollout->wave];
  uint64_t total = wave_total(wave);
  uint64_t counted = total - wave->count[HF_CLASS_SILENT] - wave_forgiven(wave);
  if (counted == 0) {
    return total == 0 || wave->count[HF_CLASS_SILENT] == 0 ? wave_passed(rollout)
                                                           : wave_without_evidence(rollout, reason);
  }
  uint64_t needed = share_of(counted, rollout->success_percent);
  uint64_t confirmed = wave->count[HF_CLASS_CONFIRMED];
  if (confirmed >= needed) {
    return wave_passed(rollout);
  }
  uint64_t possible = confirmed + wave->count[HF_CLASS_WAITING] + wave->count[HF_CLASS_UNDERWAY];
  return possible < needed ? stop(reason, HF_RULE_ROLLOUT_SHARE) : HF_ROLLOUT_KEEP;
}

void hf_rollout_forgive(struct hf_rollout *rollout, int64_t now)
{
  enum hf_rule reason = HF_RULE_NONE;
  for (uint32_t i = 0; i < rollout->wave_count; i++) {
    rollout->at[i].forgiven = rollout->at[i].count[HF_CLASS_FAILED];
  }
  if (hf_rollout_judge(rollout, &reason) == HF_ROLLOUT_STOP && reason == HF_RULE_ROLLOUT_EVIDENCE) {
    rollout->wave++;
    rollout->at[rollout->wave].started = now;
  }
}

bool hf_rollout_offers(const struct hf_rollout *rollout, uint32_t wave)
{
  return (rollout->state == HF_ROLLOUT_RUNNING || rollout->state == HF_ROLLOUT_DONE) && wave <= rollout->wave;
}

bool hf_rollout_withdraws(const struct hf_rollout *rollout)
{
  return rollout->state == HF_ROLLOUT_STOPPED || rollout->state == HF_ROLLOUT_ABORTED;
}

void hf_rollout_move(struct hf_rollout *rollout, uint32_t wave, enum hf_member from, enum hf_member to)
{
  HF_ASSERT(wave < rollout->wave_count);
  uint64_t *count = rollout->at[wave].count;
  HF_ASSERT(count[hf_member_class(from)] > 0);
  count[hf_member_class(from)]--;
  count[hf_member_class(to)]++;
}

void hf_rollout_join(struct hf_rollout *rollout, uint32_t wave, enum hf_member state)
{
  HF_ASSERT(wave < rollout->wave_count);
  rollout->at[wave].count[hf_member_class(state)]++;
}

void hf_rollout_leave(struct hf_rollout *rollout, uint32_t wave, enum hf_member state)
{
  HF_ASSERT(wave < rollout->wave_count);
  HF_ASSERT(rollout->at[wave].count[hf_member_class(state)] > 0);
  rollout->at[wave].count[hf_member_class(state)]--;
}

enum hf_member_class hf_member_class(enum hf_member state)
{
  static const uint8_t class_of[HF_MEMBER_STATES] = {
      [HF_MEMBER_WAITING] = HF_CLASS_WAITING,      [HF_MEMBER_OFFERED] = HF_CLASS_UNDERWAY,
      [HF_MEMBER_DOWNLOADING] = HF_CLASS_UNDERWAY, [HF_MEMBER_STAGED] = HF_CLASS_UNDERWAY,
      [HF_MEMBER_TRYING] = HF_CLASS_UNDERWAY,      [HF_MEMBER_CONFIRMED] = HF_CLASS_CONFIRMED,
      [HF_MEMBER_REVERTED] = HF_CLASS_FAILED,      [HF_MEMBER_FAILED] = HF_CLASS_FAILED,
      [HF_MEMBER_REFUSED] = HF_CLASS_FAILED,       [HF_MEMBER_POSTPONED] = HF_CLASS_UNDERWAY,
      [HF_MEMBER_SILENT] = HF_CLASS_SILENT,
  };
  HF_ASSERT(state < HF_MEMBER_STATES);
  return (enum hf_member_class)class_of[state];
}

/* What a device that says nothing of our offer is in. */
static enum hf_member member_quiet(enum hf_member now, bool was_offered)
{
  switch (now) {
    case HF_MEMBER_REVERTED:
    case HF_MEMBER_FAILED:
    case HF_MEMBER_REFUSED: return now;
    /* It was trying the image and does not run it: it went back, even if that report was lost. */
    case HF_MEMBER_TRYING: return HF_MEMBER_REVERTED;
    default: return was_offered ? HF_MEMBER_OFFERED : HF_MEMBER_WAITING;
  }
}

enum hf_member hf_member_next(enum hf_member now, const struct hf_member_report *report)
{
  bool at_rest = report->state == HF_MEMBER_CONFIRMED || report->state == HF_MEMBER_WAITING;
  if (report->runs_target && at_rest) {
    return HF_MEMBER_CONFIRMED;
  }
  if (!report->about_offer || at_rest || report->state > HF_MEMBER_POSTPONED) {
    /* CONFIRMED of something else is a stepping stone taken: the next one follows. */
    bool stone = report->about_offer && report->state == HF_MEMBER_CONFIRMED;
    return stone ? HF_MEMBER_WAITING : member_quiet(now, report->was_offered);
  }
  return (enum hf_member)report->state;
}

enum hf_member hf_member_silence(enum hf_member now)
{
  switch (now) {
    case HF_MEMBER_STAGED:
    case HF_MEMBER_TRYING: return HF_MEMBER_FAILED;
    case HF_MEMBER_CONFIRMED:
    case HF_MEMBER_REVERTED:
    case HF_MEMBER_FAILED:
    case HF_MEMBER_REFUSED: return now;
    default: return HF_MEMBER_SILENT;
  }
}

int64_t hf_rollout_deadline(const struct hf_rollout *rollout, int64_t offered, int64_t postpone_max_s)
{
  int64_t bound = hf_add_sat_i64(offered, postpone_max_s);
  return rollout->deadline != 0 && rollout->deadline < bound ? rollout->deadline : bound;
}

const char *hf_rollout_state_name(unsigned state)
{
  static const char *const names[] = {"unknown", "running", "paused", "stopped", "aborted", "done"};
  return state < sizeof names / sizeof *names ? names[state] : names[0];
}

const char *hf_member_name(unsigned state)
{
  static const char *const names[HF_MEMBER_STATES] = {"idle",    "offered",   "downloading", "staged",
                                                      "trying",  "confirmed", "reverted",    "failed",
                                                      "refused", "postponed", "silent"};
  return state < HF_MEMBER_STATES ? names[state] : "unknown";
}
