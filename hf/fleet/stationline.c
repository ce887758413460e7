/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/fleet/stationline.h"

#include <string.h>

#include "hf/codec/json.h"
#include "hf/codec/text.h"

const char *hf_factory_storage_name(unsigned storage)
{
  static const char *const names[] = {"unknown", "file", "tpm", "pkcs11", "secure-element", "trustzone"};
  return storage < sizeof names / sizeof names[0] ? names[storage] : NULL;
}

static const char *result_name(unsigned result)
{
  static const char *const names[] = {"", "pass", "fail"};
  return result < sizeof names / sizeof names[0] ? names[result] : NULL;
}

static const char *lock_name(unsigned lock) { return lock < HF_FACTORY_LOCKS ? hf_factory_lock_name(lock) : NULL; }

static const char *op_name(unsigned op)
{
  static const char *const names[HF_STATIONLINE_OPS] = {"begin", "issue", "result", "status"};
  return op < HF_STATIONLINE_OPS ? names[op] : NULL;
}

static bool take_word(unsigned *number, struct hf_json value, const char *(*name)(unsigned number))
{
  for (*number = 0; name(*number) != NULL; (*number)++) {
    if (hf_json_is(value, name(*number))) {
      return true;
    }
  }
  return false;
}

static bool take_text(char *out, size_t cap, struct hf_json value)
{
  struct hf_buf text = hf_buf_init(out, cap - 1);
  if (hf_json_get_text(&text, value) != HF_OK || !hf_utf8_plain(hf_buf_bytes(&text))) {
    return false;
  }
  out[text.len] = '\0';
  return true;
}

static bool take_hash(bool *there, uint8_t hash[HF_SHA256_LEN], struct hf_json value)
{
  *there = true;
  return hf_json_get_hex(hash, HF_SHA256_LEN, value) == HF_OK;
}

static bool take_csr(struct hf_stationline *line, struct hf_json value)
{
  uint8_t room[HF_STATIONLINE_MAX];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  struct hf_buf der = hf_buf_init(line->csr, sizeof line->csr);
  bool good = hf_json_get_text(&text, value) == HF_OK && hf_base64_parse(&der, hf_buf_bytes(&text)) == HF_OK;
  line->csr_len = good ? der.len : 0;
  return good && der.len > 0;
}

#define BIT(op) (1U << (op))
#define EACH (BIT(HF_STATIONLINE_BEGIN) | BIT(HF_STATIONLINE_ISSUE) | BIT(HF_STATIONLINE_RESULT))
#define RESULT BIT(HF_STATIONLINE_RESULT)

static bool take_member(struct hf_stationline *line, struct hf_json name, struct hf_json value)
{
  unsigned op = BIT(line->op);
  if (hf_json_is(name, "device")) {
    return (op & EACH) != 0 && take_text(line->device, sizeof line->device, value) &&
           hf_names_check_device(hf_bytes_text(line->device));
  }
  if (hf_json_is(name, "csr")) {
    return op == BIT(HF_STATIONLINE_ISSUE) && take_csr(line, value);
  }
  if (hf_json_is(name, "key_storage")) {
    return op == BIT(HF_STATIONLINE_ISSUE) && take_word(&line->storage, value, hf_factory_storage_name);
  }
  if (op != RESULT) {
    return false;
  }
  if (hf_json_is(name, "result")) {
    return take_word(&line->result, value, result_name) && line->result != 0;
  }
  if (hf_json_is(name, "reason")) {
    return take_text(line->reason, sizeof line->reason, value);
  }
  if (hf_json_is(name, "version")) {
    return take_text(line->version, sizeof line->version, value);
  }
  if (hf_json_is(name, "debug")) {
    return take_word(&line->debug, value, lock_name);
  }
  if (hf_json_is(name, "readout")) {
    return take_word(&line->readout, value, lock_name);
  }
  if (hf_json_is(name, "boot_keys")) {
    return take_hash(&line->has_boot_keys, line->boot_keys, value);
  }
  return hf_json_is(name, "image") && take_hash(&line->has_image, line->image, value);
}

static bool complete(const struct hf_stationline *line)
{
  switch (line->op) {
    case HF_STATIONLINE_ISSUE: return line->device[0] != '\0' && line->csr_len > 0;
    case HF_STATIONLINE_RESULT: return line->device[0] != '\0' && line->result != 0;
    case HF_STATIONLINE_BEGIN:
    case HF_STATIONLINE_STATUS: return true;
    case HF_STATIONLINE_OPS: break;
  }
  return false;
}

enum hf_err hf_stationline_parse(struct hf_stationline *line, struct hf_bytes text, struct hf_why *why)
{
  struct hf_json root;
  struct hf_json name;
  struct hf_json value;
  unsigned op;
  *line = (struct hf_stationline){.op = HF_STATIONLINE_STATUS};
  if (text.len > HF_STATIONLINE_MAX || hf_json_parse(&root, text, why) != HF_OK ||
      hf_json_get(&value, root, "op") != HF_OK || !take_word(&op, value, op_name)) {
    hf_why_put(why, HF_RULE_STATION_LINE, 0);
    return HF_E_INPUT;
  }
  line->op = (enum hf_stationline_op)op;
  struct hf_json_walk walk = hf_json_walk_init(root);
  while (hf_json_walk_member(&walk, &name, &value)) {
    if (!hf_json_is(name, "op") && !take_member(line, name, value)) {
      hf_why_put(why, HF_RULE_STATION_LINE, hf_json_at(text, value));
      return HF_E_INPUT;
    }
  }
  if (!complete(line)) {
    hf_why_put(why, HF_RULE_STATION_LINE, 0);
    return HF_E_INPUT;
  }
  return HF_OK;
}
