/* SPDX-License-Identifier: Apache-2.0
 * The signing side of hf/wire/takeover.h; apart so that firmware does not link it. */
#include "hf/wire/names.h"
#include "hf/wire/takeover.h"

static void put_digest_of(struct hf_buf *out, const char *name, struct hf_bytes file)
{
  uint8_t digest[HF_SHA256_LEN];
  hf_sha256(digest, file);
  hf_json_put_name(out, name);
  hf_json_put_hex(out, hf_bytes_init(digest, sizeof digest));
}

static void put_text(struct hf_buf *out, const char *name, struct hf_bytes text)
{
  hf_json_put_name(out, name);
  hf_json_put_text(out, text);
}

enum hf_err hf_takeover_put(struct hf_buf *out, const struct hf_takeover_new *order)
{
  if (!hf_names_check_product(order->product) || !hf_takeover_server_check(order->server) || order->version == 0 ||
      order->version > HF_TUF_VERSION_MAX || order->server_ca.len == 0 || order->director_root.len == 0 ||
      order->image_root.len == 0) {
    return HF_E_INPUT;
  }
  hf_buf_put_text(out, "{\"_type\":\"takeover\"");
  put_digest_of(out, "director_root", order->director_root);
  hf_json_put_name(out, "expires");
  hf_json_put_time(out, order->expires);
  put_digest_of(out, "image_root", order->image_root);
  put_text(out, "product", order->product);
  put_text(out, "server", order->server);
  put_text(out, "server_ca", order->server_ca);
  put_text(out, "spec_version", HF_LIT("1.0.34"));
  hf_json_put_name(out, "version");
  hf_json_put_int(out, order->version);
  hf_buf_put_u8(out, '}');
  return out->failed ? HF_E_SPACE : HF_OK;
}
