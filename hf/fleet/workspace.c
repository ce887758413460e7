/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/fleet/workspace.h"

#include <string.h>

#include "hf/codec/json.h"
#include "hf/codec/text.h"

/* Plain text: something to read, and nothing that moves the cursor of a terminal. */
static bool text_check(struct hf_bytes text, size_t max)
{
  if (text.len == 0 || text.len > max) {
    return false;
  }
  for (size_t i = 0; i < text.len; i++) {
    if (text.at[i] < 0x20 || text.at[i] == 0x7f) {
      return false;
    }
  }
  return hf_utf8_check(text);
}

static void text_set(char *out, struct hf_bytes text)
{
  memcpy(out, text.at, text.len);
  out[text.len] = 0;
}

enum hf_err hf_workspace_init(struct hf_workspace *workspace, struct hf_bytes organisation)
{
  *workspace = (struct hf_workspace){.devices = HF_WORKSPACE_DEVICES, .people = HF_WORKSPACE_PEOPLE};
  if (!text_check(organisation, HF_WORKSPACE_ORG_MAX)) {
    return HF_E_INPUT;
  }
  text_set(workspace->organisation, organisation);
  return HF_OK;
}

static bool port_parse(uint16_t *port, struct hf_bytes digits)
{
  uint32_t value = 0;
  if (digits.len == 0 || digits.len > 5) {
    return false;
  }
  for (size_t i = 0; i < digits.len; i++) {
    if (digits.at[i] < '0' || digits.at[i] > '9') {
      return false;
    }
    value = value * 10 + (uint32_t)(digits.at[i] - '0');
  }
  *port = (uint16_t)value;
  return value <= UINT16_MAX;
}

static bool host_check(struct hf_bytes host, bool brackets)
{
  bool colon = false;
  for (size_t i = 0; i < host.len; i++) {
    uint8_t c = host.at[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    colon = colon || c == ':';
    if (!letter && c != '.' && c != '-' && !(brackets && (c == ':' || c == '%'))) {
      return false;
    }
  }
  return host.len > 0 && colon == brackets;
}

enum hf_err hf_address_parse(struct hf_address *address, struct hf_bytes text)
{
  *address = (struct hf_address){.port = 0};
  size_t colon = text.len;
  while (colon > 0 && text.at[colon - 1] != ':') {
    colon--;
  }
  if (colon == 0 || text.len > HF_WORKSPACE_ADDRESS_MAX) {
    return HF_E_INPUT;
  }
  struct hf_bytes host = {text.at, colon - 1};
  struct hf_bytes digits = {text.at + colon, text.len - colon};
  bool brackets = host.len >= 2 && host.at[0] == '[' && host.at[host.len - 1] == ']';
  if (brackets) {
    host = hf_bytes_init(host.at + 1, host.len - 2);
  }
  if (!port_parse(&address->port, digits) || !host_check(host, brackets)) {
    return HF_E_INPUT;
  }
  text_set(address->host, host);
  /* Digits and dots only: 127.0.0.1.example.org is somebody else's computer. */
  bool number = strspn(address->host, "0123456789.") == host.len;
  address->loopback = (number && strncmp(address->host, "127.", 4) == 0) || strcmp(address->host, "::1") == 0 ||
                      strcmp(address->host, "localhost") == 0;
  return HF_OK;
}

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule, uint32_t at)
{
  hf_why_put(why, rule, at);
  return rule == HF_RULE_WORKSPACE_NEWER ? HF_E_VERSION : HF_E_INPUT;
}

/* The format number decides whether anything else may be believed, wherever in the file it stands. */
static enum hf_err format_check(struct hf_json root, struct hf_bytes text, struct hf_why *why)
{
  struct hf_json value;
  int64_t format;
  if (hf_json_get(&value, root, "format") != HF_OK) {
    return refuse(why, HF_RULE_WORKSPACE_FORMAT, 0);
  }
  uint32_t at = hf_json_at(text, value);
  if (hf_json_get_int(&format, value) != HF_OK || format < 1) {
    return refuse(why, HF_RULE_WORKSPACE_FORMAT, at);
  }
  return format > HF_WORKSPACE_FORMAT ? refuse(why, HF_RULE_WORKSPACE_NEWER, at) : HF_OK;
}

static enum hf_err address_get(char *out, struct hf_json value)
{
  uint8_t room[HF_WORKSPACE_ADDRESS_MAX];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  struct hf_address address;
  if (hf_json_get_text(&text, value) != HF_OK || hf_address_parse(&address, hf_buf_bytes(&text)) != HF_OK) {
    return HF_E_INPUT;
  }
  text_set(out, hf_buf_bytes(&text));
  return HF_OK;
}

static enum hf_err organisation_get(char *out, struct hf_json value)
{
  uint8_t room[HF_WORKSPACE_ORG_MAX];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  if (hf_json_get_text(&text, value) != HF_OK || !text_check(hf_buf_bytes(&text), HF_WORKSPACE_ORG_MAX)) {
    return HF_E_INPUT;
  }
  text_set(out, hf_buf_bytes(&text));
  return HF_OK;
}

/* One member into its place: the rule it broke, or HF_RULE_NONE. */
static enum hf_rule member_get(struct hf_workspace *workspace, struct hf_json name, struct hf_json value)
{
  if (hf_json_is(name, "format")) {
    return HF_RULE_NONE;
  }
  if (hf_json_is(name, "organisation")) {
    return organisation_get(workspace->organisation, value) == HF_OK ? HF_RULE_NONE : HF_RULE_WORKSPACE_ORG;
  }
  if (hf_json_is(name, "devices")) {
    return address_get(workspace->devices, value) == HF_OK ? HF_RULE_NONE : HF_RULE_WORKSPACE_ADDRESS;
  }
  if (hf_json_is(name, "people")) {
    return address_get(workspace->people, value) == HF_OK ? HF_RULE_NONE : HF_RULE_WORKSPACE_ADDRESS;
  }
  return HF_RULE_WORKSPACE_MEMBER;
}

enum hf_err hf_workspace_parse(struct hf_workspace *workspace, struct hf_bytes text, struct hf_why *why)
{
  struct hf_json root;
  struct hf_json name;
  struct hf_json value;
  *workspace = (struct hf_workspace){.devices = HF_WORKSPACE_DEVICES, .people = HF_WORKSPACE_PEOPLE};
  if (text.len > HF_WORKSPACE_FILE_MAX) {
    return refuse(why, HF_RULE_WORKSPACE_SIZE, HF_WORKSPACE_FILE_MAX);
  }
  enum hf_err err = hf_json_parse(&root, text, why);
  if (err == HF_OK) {
    err = format_check(root, text, why);
  }
  if (err != HF_OK) {
    return err;
  }
  struct hf_json_walk walk = hf_json_walk_init(root);
  while (hf_json_walk_member(&walk, &name, &value)) {
    enum hf_rule rule = member_get(workspace, name, value);
    if (rule != HF_RULE_NONE) {
      return refuse(why, rule, hf_json_at(text, rule == HF_RULE_WORKSPACE_MEMBER ? name : value));
    }
  }
  return workspace->organisation[0] != 0 ? HF_OK : refuse(why, HF_RULE_WORKSPACE_ORG, 0);
}

static void put_member(struct hf_buf *out, const char *name, const char *value)
{
  hf_buf_put_text(out, ",\n  \"");
  hf_buf_put_text(out, name);
  hf_buf_put_text(out, "\": ");
  hf_json_put_text(out, hf_bytes_text(value));
}

enum hf_err hf_workspace_encode(struct hf_buf *out, const struct hf_workspace *workspace)
{
  hf_buf_put_text(out, "{\n  \"format\": ");
  hf_buf_put_uint(out, HF_WORKSPACE_FORMAT);
  put_member(out, "organisation", workspace->organisation);
  put_member(out, "devices", workspace->devices);
  put_member(out, "people", workspace->people);
  hf_buf_put_text(out, "\n}\n");
  return out->failed ? HF_E_SPACE : HF_OK;
}
