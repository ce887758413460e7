/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/partial.h"

#include <string.h>

#include "hf/wire/pubkey.h"
#include "hf/wire/uptane.h"

static enum hf_verdict deny(struct hf_why *why, enum hf_rule rule)
{
  hf_why_put(why, rule, 0);
  return HF_DENY;
}

static struct hf_tuf_limits limits_for(uint32_t file_max)
{
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  for (int role = 0; role < HF_TUF_ROLES; role++) {
    limits.file_max[role] = limits.file_max[role] < file_max ? limits.file_max[role] : file_max;
  }
  return limits;
}

static bool has_key(const struct hf_tuf_root *root, const struct hf_pubkey *pub)
{
  for (size_t i = 0; i < root->key_count; i++) {
    if ((root->role[HF_TUF_TARGETS].keys >> i & 1) != 0 && hf_pubkey_equal(&root->key[i].pub, pub)) {
      return true;
    }
  }
  return false;
}

/* Who held a key that is gone may have raised the floor out of reach. */
static bool lost_key(const struct hf_tuf_root *before, const struct hf_tuf_root *after)
{
  for (size_t i = 0; i < before->key_count; i++) {
    if ((before->role[HF_TUF_TARGETS].keys >> i & 1) != 0 && !has_key(after, &before->key[i].pub)) {
      return true;
    }
  }
  return false;
}

enum hf_verdict hf_partial_root_verify(struct hf_tuf_trust *trust, struct hf_bytes text, uint32_t file_max,
                                       struct hf_why *why)
{
  const struct hf_tuf_limits limits = limits_for(file_max);
  struct hf_tuf_file file;
  struct hf_tuf_root next;
  if (hf_tuf_parse(&file, text, HF_TUF_ROOT, &limits, why) != HF_OK) {
    return HF_DENY;
  }
  if (hf_tuf_verify(&file, &trust->root, &limits, NULL) != HF_ALLOW) {
    return deny(why, HF_RULE_TUF_UNSIGNED_OLD);
  }
  if (hf_tuf_root_parse(&next, &file, &limits, why) != HF_OK) {
    return HF_DENY;
  }
  if (hf_tuf_verify(&file, &next, &limits, NULL) != HF_ALLOW) {
    return deny(why, HF_RULE_TUF_UNSIGNED_NEW);
  }
  if (next.version != trust->root.version + 1) {
    return deny(why, HF_RULE_TUF_ROOT_VERSION);
  }
  if (lost_key(&trust->root, &next)) {
    memset(&trust->floor[HF_TUF_TARGETS], 0, sizeof trust->floor[HF_TUF_TARGETS]);
  }
  trust->root = next;
  return HF_ALLOW;
}

/* ---- the targets file ---- */

static enum hf_verdict verify_file(struct hf_tuf_file *file, uint8_t digest[HF_SHA256_LEN],
                                   const struct hf_tuf_trust *trust, struct hf_bytes text, struct hf_why *why)
{
  const struct hf_tuf_limits limits = limits_for(UINT32_MAX);
  const struct hf_tuf_floor *floor = &trust->floor[HF_TUF_TARGETS];
  if (hf_tuf_parse(file, text, HF_TUF_TARGETS, &limits, why) != HF_OK ||
      hf_tuf_verify(file, &trust->root, &limits, why) != HF_ALLOW) {
    return HF_DENY;
  }
  hf_tuf_digest(digest, file);
  if (file->version < floor->version) {
    return deny(why, HF_RULE_TUF_ROLLBACK);
  }
  bool same = file->version == floor->version && floor->has_digest;
  return same && !hf_secret_equal(floor->digest, digest, HF_SHA256_LEN) ? deny(why, HF_RULE_TUF_SAME_VERSION)
                                                                        : HF_ALLOW;
}

/* An entry's component, for finding one that is named twice. */
static struct hf_bytes component_of(struct hf_json name, struct hf_json value)
{
  struct hf_target_file file;
  struct hf_target_order order;
  bool good = hf_target_file_parse(&file, name, value, NULL) == HF_OK &&
              hf_target_order_parse(&order, file.custom, NULL) == HF_OK;
  return good ? order.component : (struct hf_bytes){NULL, 0};
}

static bool named_before(struct hf_json targets, struct hf_json until, struct hf_bytes component)
{
  struct hf_json name, value;
  struct hf_json_walk walk = hf_json_walk_init(targets);
  while (hf_json_walk_member(&walk, &name, &value) && name.text.at != until.text.at) { /* at most ITEMS_MAX members */
    if (hf_bytes_equal(component_of(name, value), component)) {
      return true;
    }
  }
  return false;
}

static enum hf_verdict take_ours(struct hf_partial_order *order, const struct hf_target_file *file,
                                 const struct hf_target_order *said, const struct hf_partial_self *self,
                                 struct hf_why *why)
{
  if (!hf_bytes_equal(said->hardware, self->hardware)) {
    return deny(why, HF_RULE_UPTANE_HARDWARE);
  }
  if (said->counter < self->counter) {
    return deny(why, HF_RULE_UPTANE_COUNTER);
  }
  *order = (struct hf_partial_order){.present = true, .length = file->length, .counter = said->counter};
  memcpy(order->sha256, file->sha256, sizeof order->sha256);
  return HF_ALLOW;
}

static enum hf_verdict verify_entries(struct hf_partial_order *order, const struct hf_tuf_file *targets,
                                      const struct hf_partial_self *self, struct hf_why *why)
{
  struct hf_json name, value, list;
  size_t count = 0;
  if (hf_json_get(&list, targets->body, "targets") != HF_OK || hf_json_type(list) != HF_JSON_OBJECT) {
    return deny(why, HF_RULE_TUF_SHAPE);
  }
  struct hf_json_walk walk = hf_json_walk_init(list);
  while (hf_json_walk_member(&walk, &name, &value)) {
    struct hf_target_file file;
    struct hf_target_order said;
    if (++count > HF_UPTANE_ITEMS_MAX) {
      return deny(why, HF_RULE_UPTANE_TOO_MANY);
    }
    if (hf_target_file_parse(&file, name, value, why) != HF_OK ||
        hf_target_order_parse(&said, file.custom, why) != HF_OK) {
      return HF_DENY;
    }
    if (!hf_bytes_equal(said.device, self->device)) {
      return deny(why, HF_RULE_UPTANE_DEVICE);
    }
    if (named_before(list, name, said.component)) {
      return deny(why, HF_RULE_UPTANE_COMPONENT_TWICE);
    }
    if (hf_bytes_equal(said.component, self->component) && take_ours(order, &file, &said, self, why) != HF_ALLOW) {
      return HF_DENY;
    }
  }
  return HF_ALLOW;
}

enum hf_verdict hf_partial_verify(struct hf_partial_order *order, struct hf_tuf_trust *trust, struct hf_bytes text,
                                  const struct hf_partial_self *self, struct hf_why *why)
{
  struct hf_tuf_file file;
  uint8_t digest[HF_SHA256_LEN];
  struct hf_partial_order found = {0};
  *order = found;
  if (trust->root.expires <= self->now) {
    return deny(why, HF_RULE_TUF_EXPIRED);
  }
  if (verify_file(&file, digest, trust, text, why) != HF_ALLOW) {
    return HF_DENY;
  }
  if (file.expires <= self->now) {
    return deny(why, HF_RULE_TUF_EXPIRED);
  }
  if (!hf_uptane_is_bound(&file, self->device)) {
    return deny(why, HF_RULE_UPTANE_DEVICE);
  }
  if (hf_tuf_delegates(&file)) {
    return deny(why, HF_RULE_UPTANE_DELEGATION);
  }
  if (verify_entries(&found, &file, self, why) != HF_ALLOW) {
    return HF_DENY;
  }
  struct hf_tuf_floor *floor = &trust->floor[HF_TUF_TARGETS];
  floor->version = file.version;
  floor->has_digest = true;
  memcpy(floor->digest, digest, sizeof digest);
  *order = found;
  return HF_ALLOW;
}
