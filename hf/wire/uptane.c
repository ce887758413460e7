/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/uptane.h"

#include <string.h>

#include "hf/codec/json.h"

static enum hf_verdict deny(struct hf_why *why, enum hf_rule rule, uint32_t at)
{
  hf_why_put(why, rule, at);
  return HF_DENY;
}

struct hf_bytes hf_uptane_item_path(const struct hf_uptane_item *item)
{
  return hf_bytes_init(item->path, item->path_len);
}

/* signed.custom.holdfast.device: an empty file of another device would otherwise freeze this one (Uptane standard
 * issue 202). */
bool hf_uptane_is_bound(const struct hf_tuf_file *targets, struct hf_bytes device)
{
  struct hf_json custom, holdfast, value;
  return hf_json_get(&custom, targets->body, "custom") == HF_OK &&
         hf_json_get(&holdfast, custom, "holdfast") == HF_OK && hf_json_get(&value, holdfast, "device") == HF_OK &&
         hf_json_is_bytes(value, device);
}

bool hf_uptane_time_key(struct hf_pubkey *key, const struct hf_tuf_file *targets)
{
  struct hf_json custom, holdfast, value;
  *key = (struct hf_pubkey){.type = HF_KEY_P256, .len = HF_P256_PUBLIC_LEN};
  return hf_json_get(&custom, targets->body, "custom") == HF_OK &&
         hf_json_get(&holdfast, custom, "holdfast") == HF_OK && hf_json_get(&value, holdfast, "time") == HF_OK &&
         hf_json_get_hex(key->at, HF_P256_PUBLIC_LEN, value) == HF_OK;
}

static size_t find_installed(const struct hf_uptane_self *self, struct hf_bytes component)
{
  size_t i = 0;
  while (i < self->count && !hf_bytes_equal(self->installed[i].component, component)) {
    i++;
  }
  return i;
}

static enum hf_verdict verify_order(const struct hf_uptane_plan *plan, const struct hf_target_order *order,
                                    const struct hf_uptane_self *self, uint32_t at, struct hf_why *why)
{
  if (!hf_bytes_equal(order->device, self->device)) {
    return deny(why, HF_RULE_UPTANE_DEVICE, at);
  }
  size_t component = find_installed(self, order->component);
  if (component == self->count) {
    return deny(why, HF_RULE_UPTANE_COMPONENT, at);
  }
  if (plan->count >= HF_UPTANE_ITEMS_MAX) {
    return deny(why, HF_RULE_UPTANE_TOO_MANY, at);
  }
  for (size_t i = 0; i < plan->count; i++) {
    if (plan->item[i].component == component) {
      return deny(why, HF_RULE_UPTANE_COMPONENT_TWICE, at);
    }
    if (plan->item[i].order == order->order) {
      return deny(why, HF_RULE_UPTANE_ORDER, at);
    }
  }
  if (!hf_bytes_equal(order->hardware, self->installed[component].hardware)) {
    return deny(why, HF_RULE_UPTANE_HARDWARE, at);
  }
  if (order->counter < self->installed[component].counter) {
    return deny(why, HF_RULE_UPTANE_COUNTER, at);
  }
  return HF_ALLOW;
}

/* Insert so that the plan stays sorted by `order`. */
static void add_item(struct hf_uptane_plan *plan, const struct hf_target_file *file,
                     const struct hf_target_order *order, const struct hf_uptane_self *self)
{
  size_t at = plan->count++;
  while (at > 0 && plan->item[at - 1].order > order->order) {
    plan->item[at] = plan->item[at - 1];
    at--;
  }
  struct hf_uptane_item *item = &plan->item[at];
  memset(item, 0, sizeof *item);
  memcpy(item->path, file->path.at, file->path.len); /* hf_target_file_parse bounds it */
  item->path_len = (uint8_t)file->path.len;
  item->component = (uint8_t)find_installed(self, order->component);
  item->order = order->order;
  item->length = file->length;
  item->counter = order->counter;
  memcpy(item->sha256, file->sha256, sizeof item->sha256);
}

static enum hf_verdict take_order(struct hf_uptane_plan *plan, const struct hf_tuf_file *targets, struct hf_json name,
                                  struct hf_json value, const struct hf_uptane_self *self, struct hf_why *why)
{
  struct hf_target_file file;
  struct hf_target_order order;
  struct hf_why inner = {0};
  uint32_t at = hf_json_at(targets->text, name);
  if (hf_target_file_parse(&file, name, value, &inner) != HF_OK ||
      hf_target_order_parse(&order, file.custom, &inner) != HF_OK) {
    return deny(why, (enum hf_rule)inner.rule, at);
  }
  if (verify_order(plan, &order, self, at, why) != HF_ALLOW) {
    return HF_DENY;
  }
  add_item(plan, &file, &order, self);
  return HF_ALLOW;
}

enum hf_verdict hf_uptane_director_verify(struct hf_uptane_plan *plan, const struct hf_tuf_file *targets,
                                          const struct hf_uptane_self *self, struct hf_why *why)
{
  struct hf_json name, value;
  memset(plan, 0, sizeof *plan);
  if (!hf_uptane_is_bound(targets, self->device)) {
    return deny(why, HF_RULE_UPTANE_DEVICE, hf_json_at(targets->text, targets->body));
  }
  if (hf_tuf_delegates(targets)) {
    return deny(why, HF_RULE_UPTANE_DELEGATION, hf_json_at(targets->text, targets->body));
  }
  if (hf_json_get(&value, targets->body, "targets") != HF_OK || hf_json_type(value) != HF_JSON_OBJECT) {
    return deny(why, HF_RULE_TUF_SHAPE, hf_json_at(targets->text, targets->body));
  }
  struct hf_json_walk walk = hf_json_walk_init(value);
  while (hf_json_walk_member(&walk, &name, &value)) { /* ends at HF_UPTANE_ITEMS_MAX */
    if (take_order(plan, targets, name, value, self, why) != HF_ALLOW) {
      memset(plan, 0, sizeof *plan);
      return HF_DENY;
    }
  }
  return HF_ALLOW;
}

/* ---- agreement ---- */

/* TUF's part of the entry: same bytes? */
static enum hf_verdict verify_same_file(const struct hf_uptane_item *item, const struct hf_target_file *file,
                                        struct hf_why *why)
{
  if (file->length != item->length) {
    return deny(why, HF_RULE_UPTANE_LENGTH, 0);
  }
  if (!hf_secret_equal(file->sha256, item->sha256, sizeof item->sha256)) {
    return deny(why, HF_RULE_UPTANE_HASH, 0);
  }
  return HF_ALLOW;
}

bool hf_uptane_has_hardware(const struct hf_target *target, struct hf_bytes hardware)
{
  for (size_t i = 0; i < target->hardware_count; i++) {
    if (hf_bytes_equal(target->hardware[i], hardware)) {
      return true;
    }
  }
  return false;
}

/* The version that runs now is always allowed to stay. */
static bool may_follow(const struct hf_target *target, const struct hf_version *installed)
{
  struct hf_range from;
  if (hf_version_order(&target->version, installed) == 0) {
    return true;
  }
  return hf_range_parse(&from, target->from, NULL) == HF_OK && hf_range_check(&from, installed);
}

/* Holdfast's part: for this product, component and board, at this counter, over this version? */
static enum hf_verdict verify_same_custom(const struct hf_uptane_item *item, const struct hf_target *target,
                                          const struct hf_uptane_self *self, struct hf_why *why)
{
  const struct hf_uptane_installed *installed = &self->installed[item->component];
  if (!hf_bytes_equal(target->product, self->product) || !hf_bytes_equal(target->component, installed->component)) {
    return deny(why, HF_RULE_UPTANE_NAME_MISMATCH, 0);
  }
  if (!hf_uptane_has_hardware(target, installed->hardware)) {
    return deny(why, HF_RULE_UPTANE_HARDWARE, 0);
  }
  if (target->counter < installed->counter) {
    return deny(why, HF_RULE_UPTANE_COUNTER, 0);
  }
  if (target->counter != item->counter) {
    return deny(why, HF_RULE_UPTANE_COUNTER_MISMATCH, 0);
  }
  return may_follow(target, &installed->version) ? HF_ALLOW : deny(why, HF_RULE_UPTANE_FROM, 0);
}

/* Ranges are conjunctions, so they fall apart into comparisons that must all hold. */
static enum hf_verdict add_needs(struct hf_uptane_plan *plan, const struct hf_target *target,
                                 const struct hf_uptane_self *self, struct hf_why *why)
{
  for (size_t i = 0; i < target->requires_count; i++) {
    struct hf_range range;
    size_t component = find_installed(self, target->requires[i].component);
    if (component == self->count) {
      return deny(why, HF_RULE_UPTANE_REQUIRES_ABSENT, 0);
    }
    if (hf_range_parse(&range, target->requires[i].range, NULL) != HF_OK) {
      return deny(why, HF_RULE_TUF_CUSTOM, 0);
    }
    for (size_t k = 0; k < range.count; k++) {
      if (plan->need_count >= HF_UPTANE_NEEDS_MAX) {
        return deny(why, HF_RULE_UPTANE_REQUIRES_MANY, 0);
      }
      plan->need[plan->need_count++] =
          (struct hf_uptane_need){.component = (uint8_t)component, .compare = range.items[k]};
    }
  }
  return HF_ALLOW;
}

enum hf_verdict hf_uptane_item_verify(struct hf_uptane_plan *plan, size_t i, const struct hf_target_file *file,
                                      const struct hf_uptane_self *self, struct hf_why *why)
{
  struct hf_target target;
  struct hf_uptane_item *item = &plan->item[i];
  if (!hf_bytes_equal(file->path, hf_uptane_item_path(item))) {
    return deny(why, HF_RULE_UPTANE_NOT_LISTED, 0);
  }
  if (verify_same_file(item, file, why) != HF_ALLOW || hf_target_parse(&target, file->custom, why) != HF_OK ||
      verify_same_custom(item, &target, self, why) != HF_ALLOW || add_needs(plan, &target, self, why) != HF_ALLOW) {
    return HF_DENY;
  }
  memcpy(item->image, target.image, sizeof item->image);
  memcpy(item->sbom, target.sbom, sizeof item->sbom);
  item->has_sbom = target.has_sbom;
  item->security = target.security;
  item->version = target.version;
  return HF_ALLOW;
}

/* What this component runs once the plan is carried out. */
static const struct hf_version *version_after(const struct hf_uptane_plan *plan, size_t component,
                                              const struct hf_uptane_self *self)
{
  for (size_t i = 0; i < plan->count; i++) {
    if (plan->item[i].component == component) {
      return &plan->item[i].version;
    }
  }
  return &self->installed[component].version;
}

enum hf_verdict hf_uptane_plan_verify(struct hf_uptane_plan *plan, const struct hf_uptane_self *self,
                                      struct hf_why *why)
{
  for (size_t i = 0; i < plan->need_count; i++) {
    const struct hf_range range = {.count = 1, .items = {plan->need[i].compare}};
    if (!hf_range_check(&range, version_after(plan, plan->need[i].component, self))) {
      return deny(why, HF_RULE_UPTANE_REQUIRES, 0);
    }
  }
  for (size_t i = 0; i < plan->count; i++) { /* only now: all or none */
    plan->item[i].agreed = true;
  }
  return HF_ALLOW;
}

enum hf_verdict hf_uptane_agree_verify(struct hf_uptane_plan *plan, const struct hf_tuf_file *targets,
                                       const struct hf_uptane_self *self, struct hf_why *why)
{
  for (size_t i = 0; i < plan->count; i++) {
    struct hf_target_file file;
    if (hf_tuf_target_get(&file, targets, hf_uptane_item_path(&plan->item[i]), why) != HF_OK) {
      return deny(why, HF_RULE_UPTANE_NOT_LISTED, 0); /* unless a more exact reason was noted */
    }
    if (hf_uptane_item_verify(plan, i, &file, self, why) != HF_ALLOW) {
      return HF_DENY;
    }
  }
  return hf_uptane_plan_verify(plan, self, why);
}
