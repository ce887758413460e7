/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/tufrole.h"

#include <string.h>

static bool get(struct hf_json *value, struct hf_json object, const char *name, enum hf_json_type type)
{
  return hf_json_get(value, object, name) == HF_OK && hf_json_type(*value) == type;
}

struct hf_json hf_tufrole_list(const struct hf_tuf_file *targets)
{
  struct hf_json delegations, roles;
  bool there = get(&delegations, targets->body, "delegations", HF_JSON_OBJECT) &&
               get(&roles, delegations, "roles", HF_JSON_ARRAY);
  return there ? roles : (struct hf_json){HF_LIT("[]")};
}

enum hf_err hf_tufrole_get(struct hf_tufrole *role, const struct hf_tuf_file *targets, struct hf_bytes name,
                           const struct hf_tuf_limits *limits, struct hf_why *why)
{
  struct hf_json delegations, keys, own;
  struct hf_json_walk walk = hf_json_walk_init(hf_tufrole_list(targets));
  memset(role, 0, sizeof *role);
  while (hf_json_walk_next(&walk, &role->entry)) { /* bounded by the file */
    if (!get(&own, role->entry, "name", HF_JSON_TEXT) || !hf_json_is_bytes(own, name)) {
      continue;
    }
    if (!get(&delegations, targets->body, "delegations", HF_JSON_OBJECT) ||
        !get(&keys, delegations, "keys", HF_JSON_OBJECT)) {
      hf_why_put(why, HF_RULE_TUF_SHAPE, hf_json_at(targets->text, role->entry));
      return HF_E_INPUT;
    }
    struct hf_tufkey_set set = {.key = role->key, .cap = HF_TUFKEY_ROLE_MAX};
    const struct hf_tufkey_role in = {.file = targets, .keys = keys, .role = role->entry, .limits = limits};
    enum hf_err err = hf_tufkey_role_parse(&role->ring.signers, &set, &in, why);
    role->ring.key = role->key;
    role->ring.count = set.count;
    return err == HF_E_SPACE ? HF_E_INPUT : err;
  }
  hf_why_put(why, HF_RULE_TARGETS_UNDELEGATED, hf_json_at(targets->text, targets->body));
  return HF_E_NOT_FOUND;
}
