/* SPDX-License-Identifier: Apache-2.0
 * holdfast root */
#include <string.h>
#include <time.h>

#include "hf/base/assert.h"
#include "hf/base/time.h"
#include "hf/cli/command.h"
#include "hf/cli/output.h"
#include "hf/cli/place.h"
#include "hf/cli/term.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/tuf.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const shown_roles[] = {"root", "timestamp", "snapshot", "targets"}; /* as enum hf_tuf_role */

static const char *say_expires(int64_t expires)
{
  int64_t left = (expires - (int64_t)time(NULL)) / 86400;
  return left < 0 ? hf_say("%s, EXPIRED", hf_say_time(expires))
                  : hf_say("%s, in %lld days", hf_say_time(expires), (long long)left);
}

static const char *say_key(const struct hf_pubkey *pub)
{
  uint8_t hash[HF_SHA256_LEN];
  hf_pubkey_hash(hash, pub);
  return hf_say_hex(hf_bytes_init(hash, sizeof hash));
}

static const char *say_roles_of(const struct hf_tuf_root *root, unsigned key)
{
  const char *roles = "";
  for (size_t role = 0; role < HF_TUF_ROLES; role++) {
    if ((root->role[role].keys >> key & 1) != 0) {
      roles = hf_say("%s%s%s", roles, roles[0] == 0 ? "" : ", ", shown_roles[role]);
    }
  }
  return roles;
}

static unsigned count_keys(uint16_t keys)
{
  unsigned count = 0;
  for (; keys != 0; keys = (uint16_t)(keys & (keys - 1))) {
    count++;
  }
  return count;
}

static void print_root(const struct hf_tuf_root *root, const char *path)
{
  static const char *const role_headings[] = {"ROLE", ">NEEDS", ">OF KEYS"};
  static const char *const key_headings[] = {"KEY (SHA-256)", "TYPE", "SIGNS FOR"};
  struct hf_table *roles = hf_table_new(role_headings, COUNT(role_headings));
  struct hf_table *keys = hf_table_new(key_headings, COUNT(key_headings));
  for (size_t i = 0; i < HF_TUF_ROLES; i++) {
    hf_table_put(roles, shown_roles[i]);
    hf_table_put(roles, hf_say("%u", root->role[i].threshold));
    hf_table_put(roles, hf_say("%u", count_keys(root->role[i].keys)));
  }
  for (unsigned i = 0; i < root->key_count; i++) {
    hf_table_put(keys, say_key(&root->key[i].pub));
    hf_table_put(keys, root->key[i].pub.type == HF_KEY_P256 ? "P-256" : "Ed25519");
    hf_table_put(keys, say_roles_of(root, i));
  }
  hf_field_print("root", 8, path);
  hf_field_print("version", 8, hf_say("%u", root->version));
  hf_field_print("expires", 8, say_expires(root->expires));
  putchar('\n');
  hf_table_print(roles, stdout);
  putchar('\n');
  hf_table_print(keys, stdout);
  hf_table_free(roles);
  hf_table_free(keys);
}

static void print_json(const struct hf_tuf_root *root)
{
  uint8_t room[HF_TIME_TEXT_LEN];
  struct hf_buf expires = hf_buf_init(room, sizeof room);
  json_t *roles = json_object();
  json_t *keys = json_array();
  hf_time_put(&expires, root->expires);
  for (size_t i = 0; i < HF_TUF_ROLES; i++) {
    json_object_set_new(
        roles, shown_roles[i],
        json_pack("{s:i, s:i}", "threshold", root->role[i].threshold, "keys", (int)count_keys(root->role[i].keys)));
  }
  for (unsigned i = 0; i < root->key_count; i++) {
    const struct hf_pubkey *pub = &root->key[i].pub;
    HF_ASSERT(json_array_append_new(keys, json_pack("{s:s, s:s, s:s}", "sha256", say_key(pub), "type",
                                                    pub->type == HF_KEY_P256 ? "p256" : "ed25519", "roles",
                                                    say_roles_of(root, i))) == 0);
  }
  hf_output_json(json_pack("{s:i, s:s%, s:o, s:o}", "version", (int)root->version, "expires", (const char *)room,
                           expires.len, "roles", roles, "keys", keys));
}

int hf_cmd_root_show(const struct hf_call *call)
{
  char path[HF_PATH_MAX];
  struct hf_blob text;
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust trust;
  struct hf_why why = {.rule = HF_RULE_NONE};
  uint8_t scratch[65536];
  enum hf_err err = HF_OK;
  limits.scratch = scratch;
  limits.scratch_cap = sizeof scratch;
  if (call->operand_count > 0) {
    hf_format(path, sizeof path, "%s", call->operands[0]);
  } else {
    err = hf_place_offline_file(path, call, hf_args_has(call, "director") ? "director-root.json" : "root.json");
  }
  if (err != HF_OK) {
    return hf_exit_of(err);
  }
  err = hf_disk_get(&text, path, limits.file_max[HF_TUF_ROOT]);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return hf_exit_of(err);
  }
  if (hf_tuf_trust_verify(&trust, hf_blob_bytes(&text), &limits, &why) != HF_ALLOW) {
    hf_complain_why(path, &why);
    err = HF_E_INPUT;
  } else if (hf_args_has(call, "json")) {
    print_json(&trust.root);
  } else {
    print_root(&trust.root, path);
  }
  hf_blob_free(&text);
  return hf_exit_of(err);
}
