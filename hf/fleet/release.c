/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/fleet/release.h"

#include <string.h>

#include "hf/base/assert.h"

/* What is, or would be, running on one component. */
struct running {
  struct hf_version version;
  uint32_t counter;
  const uint8_t *digest;
};

bool hf_release_hardware_has(struct hf_bytes list, struct hf_bytes id)
{
  size_t from = 0;
  if (id.len == 0) {
    return false;
  }
  for (size_t i = 0; i <= list.len; i++) {
    if (i < list.len && list.at[i] != ' ') {
      continue;
    }
    if (hf_bytes_equal(hf_bytes_init(list.at + from, i - from), id)) {
      return true;
    }
    from = i + 1;
  }
  return false;
}

int64_t hf_release_version_key(const struct hf_version *version)
{
  uint64_t key = (uint64_t)version->major << 56 | (uint64_t)version->minor << 48 | (uint64_t)version->revision << 32 |
                 version->build;
  /* Turning the top bit makes unsigned order signed order. */
  key ^= UINT64_C(1) << 63;
  int64_t out;
  memcpy(&out, &key, sizeof out);
  return out;
}

static struct hf_bytes part_name(const struct hf_release_part *part)
{
  return hf_bytes_init(part->name, part->name_len);
}

static const struct hf_release_running *running_get(const struct hf_release_device *device, struct hf_bytes name)
{
  for (size_t i = 0; i < device->count; i++) {
    if (hf_bytes_equal(device->running[i].name, name)) {
      return &device->running[i];
    }
  }
  return NULL;
}

static const struct hf_release_part *part_get(const struct hf_release *release, struct hf_bytes name)
{
  for (size_t i = 0; i < release->part_count; i++) {
    if (hf_bytes_equal(part_name(&release->part[i]), name)) {
      return &release->part[i];
    }
  }
  return NULL;
}

bool hf_release_runs(const struct hf_release *release, const struct hf_release_device *device)
{
  for (size_t i = 0; i < release->part_count; i++) {
    const struct hf_release_running *running = running_get(device, part_name(&release->part[i]));
    if (running == NULL || memcmp(running->digest, release->part[i].digest, sizeof running->digest) != 0) {
      return false;
    }
  }
  return release->part_count > 0;
}

static bool hardware_fits(const struct hf_release *release, const struct hf_release_device *device)
{
  if (!hf_release_hardware_has(hf_bytes_init(release->hardware, release->hardware_len), device->hardware)) {
    return false;
  }
  for (size_t i = 0; i < release->part_count; i++) {
    if (running_get(device, part_name(&release->part[i])) == NULL) {
      return false;
    }
  }
  return release->part_count > 0;
}

/* What a component runs once `base` is installed; base NULL: what it runs now. */
static struct running running_after(const struct hf_release *base, const struct hf_release_device *device,
                                    struct hf_bytes name)
{
  const struct hf_release_part *part = base == NULL ? NULL : part_get(base, name);
  if (part != NULL) {
    return (struct running){.version = base->version, .counter = part->counter, .digest = part->digest};
  }
  const struct hf_release_running *now = running_get(device, name);
  HF_ASSERT(now != NULL);
  return (struct running){.version = now->version, .counter = now->counter, .digest = now->digest};
}

/* One "component range" off a requirements text; false at its end. */
static bool requires_next(struct hf_bytes *rest, struct hf_bytes *name, struct hf_bytes *range)
{
  size_t end = 0;
  size_t blank = 0;
  if (rest->len == 0) {
    return false;
  }
  while (end < rest->len && rest->at[end] != ';') {
    end++;
  }
  while (blank < end && rest->at[blank] != ' ') {
    blank++;
  }
  *name = hf_bytes_init(rest->at, blank);
  *range = blank < end ? hf_bytes_init(rest->at + blank + 1, end - blank - 1) : hf_bytes_init(NULL, 0);
  *rest = end < rest->len ? hf_bytes_init(rest->at + end + 1, rest->len - end - 1) : hf_bytes_init(NULL, 0);
  return true;
}

static bool in_range(struct hf_bytes text, const struct hf_version *version)
{
  struct hf_range range;
  return hf_range_parse(&range, text, NULL) == HF_OK && hf_range_check(&range, version);
}

bool hf_release_requires_check(const struct hf_release *release)
{
  struct hf_bytes rest = hf_bytes_init(release->requires, release->requires_len);
  struct hf_bytes name;
  struct hf_bytes range;
  while (requires_next(&rest, &name, &range)) {
    if (part_get(release, name) != NULL && !in_range(range, &release->version)) {
      return false;
    }
  }
  return true;
}

/* Does the set that results of `to` over `base` have what the images of `to` require? */
static bool requires_met(const struct hf_release *to, const struct hf_release *base,
                         const struct hf_release_device *device)
{
  struct hf_bytes rest = hf_bytes_init(to->requires, to->requires_len);
  struct hf_bytes name;
  struct hf_bytes range;
  while (requires_next(&rest, &name, &range)) {
    if (part_get(to, name) == NULL && running_get(device, name) == NULL) {
      return false;
    }
    struct hf_version version = part_get(to, name) != NULL ? to->version : running_after(base, device, name).version;
    if (!in_range(range, &version)) {
      return false;
    }
  }
  return true;
}

/* May `to` be installed over `base` (over what the device runs when NULL)? Why not, in the order a person would ask. */
static enum hf_release_fit step_fits(const struct hf_release *to, const struct hf_release *base,
                                     const struct hf_release_device *device)
{
  struct hf_range range;
  if (hf_range_parse(&range, hf_bytes_init(to->from, to->from_len), NULL) != HF_OK) {
    return HF_FIT_PATH;
  }
  enum hf_release_fit fit = HF_FIT_OFFER;
  for (size_t i = 0; i < to->part_count && fit == HF_FIT_OFFER; i++) {
    struct running now = running_after(base, device, part_name(&to->part[i]));
    if (memcmp(now.digest, to->part[i].digest, sizeof to->part[i].digest) == 0) {
      continue; /* this component is there already */
    }
    int order = hf_version_order(&now.version, &to->version);
    if (order > 0) {
      fit = HF_FIT_NEWER;
    } else if (to->part[i].counter < now.counter) {
      fit = HF_FIT_COUNTER;
    } else if (order < 0 && !hf_range_check(&range, &now.version)) {
      fit = HF_FIT_PATH;
    }
  }
  return fit == HF_FIT_OFFER && !requires_met(to, base, device) ? HF_FIT_REQUIRES : fit;
}

/* Steps from each release to the target, 0 for the target itself; UINT16_MAX: none. Releases are settled from the
 * highest version down: a step never goes to a lower version, so those a release could step to are settled before it.
 */
static void steps_count(uint16_t steps[HF_RELEASES_MAX], const struct hf_release *releases, size_t count,
                        const struct hf_release_device *device, size_t target)
{
  uint16_t order[HF_RELEASES_MAX];
  for (size_t i = 0; i < count; i++) {
    size_t k = i;
    steps[i] = UINT16_MAX;
    while (k > 0 && hf_version_order(&releases[order[k - 1]].version, &releases[i].version) < 0) {
      order[k] = order[k - 1];
      k--;
    }
    order[k] = (uint16_t)i;
  }
  steps[target] = 0;
  for (size_t i = 0; i < count; i++) {
    size_t from = order[i];
    if (from == target || !hardware_fits(&releases[from], device) ||
        hf_version_order(&releases[from].version, &releases[target].version) >= 0) {
      continue;
    }
    for (size_t k = 0; k < i; k++) {
      size_t to = order[k];
      if (steps[to] != UINT16_MAX && steps[to] + 1 < steps[from] &&
          step_fits(&releases[to], &releases[from], device) == HF_FIT_OFFER) {
        steps[from] = (uint16_t)(steps[to] + 1);
      }
    }
  }
}

enum hf_release_fit hf_release_next(size_t *next, const struct hf_release *releases, size_t count, size_t target,
                                    const struct hf_release_device *device)
{
  uint16_t steps[HF_RELEASES_MAX];
  HF_ASSERT(count <= HF_RELEASES_MAX && target < count);
  const struct hf_release *wanted = &releases[target];
  if (!hardware_fits(wanted, device)) {
    return HF_FIT_HARDWARE;
  }
  if (hf_release_runs(wanted, device)) {
    return HF_FIT_ALREADY;
  }
  enum hf_release_fit fit = step_fits(wanted, NULL, device);
  *next = target;
  if (fit != HF_FIT_PATH) {
    return fit;
  }
  steps_count(steps, releases, count, device, target);
  size_t best = count;
  for (size_t i = 0; i < count; i++) {
    if (i == target || steps[i] == UINT16_MAX || step_fits(&releases[i], NULL, device) != HF_FIT_OFFER ||
        hf_release_runs(&releases[i], device)) {
      continue;
    }
    bool better = best == count || steps[i] < steps[best] ||
                  (steps[i] == steps[best] && hf_version_order(&releases[i].version, &releases[best].version) > 0);
    best = better ? i : best;
  }
  *next = best;
  return best == count ? HF_FIT_PATH : HF_FIT_OFFER;
}

const char *hf_release_fit_name(enum hf_release_fit fit)
{
  static const char *const names[] = {"unknown",  "offer",   "already",  "newer",
                                      "hardware", "counter", "requires", "path"};
  return (unsigned)fit < sizeof names / sizeof *names ? names[fit] : names[0];
}
