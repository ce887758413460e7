/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/wire/takeover.h"

#include <string.h>

#include "hf/wire/names.h"

#define TYPE "takeover"
#define SCHEME "https://"

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule, uint32_t at)
{
  hf_why_put(why, rule, at);
  return HF_E_INPUT;
}

/* [2001:db8::1] or a name or an IPv4 address. */
static bool host_fits(struct hf_bytes host)
{
  if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']') {
    for (size_t i = 1; i + 1 < host.len; i++) {
      uint8_t c = host.at[i];
      if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.')) {
        return false;
      }
    }
    return true;
  }
  for (size_t i = 0; i < host.len; i++) {
    uint8_t c = host.at[i];
    bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!plain && c != '.' && c != '-') {
      return false;
    }
  }
  return host.len > 0 && host.at[0] != '-' && host.at[0] != '.';
}

static bool port_fits(struct hf_bytes port)
{
  uint32_t number = 0;
  for (size_t i = 0; i < port.len; i++) {
    if (port.at[i] < '0' || port.at[i] > '9' || number > UINT16_MAX) {
      return false;
    }
    number = number * 10 + (uint32_t)(port.at[i] - '0');
  }
  return port.len > 0 && port.at[0] != '0' && number <= UINT16_MAX;
}

bool hf_takeover_server_check(struct hf_bytes server)
{
  static const size_t scheme = sizeof SCHEME - 1;
  if (server.len <= scheme || server.len > HF_TAKEOVER_SERVER_MAX || memcmp(server.at, SCHEME, scheme) != 0) {
    return false;
  }
  size_t colon = server.len;
  while (colon > scheme && server.at[colon - 1] != ':') {
    colon--;
  }
  if (colon == scheme) {
    return false;
  }
  return host_fits((struct hf_bytes){server.at + scheme, colon - 1 - scheme}) &&
         port_fits((struct hf_bytes){server.at + colon, server.len - colon});
}

static bool get_text(struct hf_json *value, struct hf_json body, const char *name)
{
  return hf_json_get(value, body, name) == HF_OK && hf_json_type(*value) == HF_JSON_TEXT;
}

static bool get_digest(uint8_t out[HF_SHA256_LEN], struct hf_json body, const char *name)
{
  struct hf_json value;
  return get_text(&value, body, name) && hf_json_get_hex(out, HF_SHA256_LEN, value) == HF_OK;
}

static enum hf_err get_server(struct hf_takeover *order, const struct hf_tuf_file *file, struct hf_why *why)
{
  struct hf_json value;
  struct hf_buf server = hf_buf_init(order->server, HF_TAKEOVER_SERVER_MAX);
  if (!get_text(&value, file->body, "server")) {
    return refuse(why, HF_RULE_TAKEOVER_MEMBER, hf_json_at(file->text, file->body));
  }
  if (hf_json_get_text(&server, value) != HF_OK || !hf_takeover_server_check(hf_buf_bytes(&server))) {
    return refuse(why, HF_RULE_TAKEOVER_SERVER, hf_json_at(file->text, value));
  }
  order->server_len = (uint8_t)server.len;
  order->server[server.len] = 0;
  return HF_OK;
}

/* A name without escapes: a view of the text is the name. */
static enum hf_err get_product(struct hf_bytes *product, const struct hf_tuf_file *file, struct hf_why *why)
{
  struct hf_json value;
  if (!get_text(&value, file->body, "product") || value.text.len < 2) {
    return refuse(why, HF_RULE_TAKEOVER_MEMBER, hf_json_at(file->text, file->body));
  }
  *product = (struct hf_bytes){value.text.at + 1, value.text.len - 2};
  return hf_names_check_product(*product) ? HF_OK
                                          : refuse(why, HF_RULE_TAKEOVER_PRODUCT, hf_json_at(file->text, value));
}

enum hf_err hf_takeover_parse(struct hf_takeover *order, struct hf_tuf_file *file, struct hf_bytes *product,
                              struct hf_bytes text, struct hf_why *why)
{
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  memset(order, 0, sizeof *order);
  limits.file_max[HF_TUF_ROOT] = HF_TAKEOVER_MAX;
  enum hf_err err = hf_tuf_parse_typed(file, text, TYPE, HF_TUF_ROOT, &limits, why);
  err = err == HF_OK ? get_product(product, file, why) : err;
  err = err == HF_OK ? get_server(order, file, why) : err;
  if (err != HF_OK) {
    return err;
  }
  order->version = file->version;
  order->expires = file->expires;
  if (!get_digest(order->director_root, file->body, "director_root") ||
      !get_digest(order->image_root, file->body, "image_root") ||
      !get_text(&order->server_ca, file->body, "server_ca") || order->server_ca.text.len > HF_TAKEOVER_CA_MAX) {
    return refuse(why, HF_RULE_TAKEOVER_MEMBER, hf_json_at(text, file->body));
  }
  return HF_OK;
}

enum hf_verdict hf_takeover_verify(struct hf_takeover *order, struct hf_bytes text, const struct hf_tuf_root *root,
                                   const struct hf_tuf_limits *limits, const struct hf_takeover_policy *policy,
                                   struct hf_why *why)
{
  struct hf_tuf_file file;
  struct hf_bytes named;
  if (hf_takeover_parse(order, &file, &named, text, why) != HF_OK) {
    return HF_DENY;
  }
  volatile enum hf_verdict signature = hf_tuf_verify(&file, root, limits, why);
  if (signature != HF_ALLOW) {
    return HF_DENY;
  }
  enum hf_rule rule = !hf_bytes_equal(named, policy->product) ? HF_RULE_TAKEOVER_PRODUCT
                      : order->version < policy->version_min  ? HF_RULE_TAKEOVER_OLD
                      : order->expires <= policy->now         ? HF_RULE_TUF_EXPIRED
                                                              : HF_RULE_NONE;
  if (rule != HF_RULE_NONE) {
    hf_why_put(why, rule, hf_json_at(text, file.body));
    return HF_DENY;
  }
  return signature == HF_ALLOW ? HF_ALLOW : HF_DENY;
}

enum hf_err hf_takeover_put_ca(struct hf_buf *out, const struct hf_takeover *order)
{
  return hf_json_get_text(out, order->server_ca);
}
