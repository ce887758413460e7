/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/fleet/vaultline.h"

#include <string.h>

#include "hf/base/time.h"
#include "hf/codec/json.h"
#include "hf/codec/text.h"

/* `{"hash":"` 64 hex digits `",` */
#define HASH_NAME "{\"hash\":\""
#define HASH_AT (sizeof HASH_NAME - 1)
#define HEAD_LEN (HASH_AT + 2 * HF_SHA256_LEN + 2)

static bool plain(struct hf_bytes text, size_t max)
{
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.at[i];
    if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') {
      return false;
    }
  }
  return text.len <= max;
}

static void put_text(struct hf_buf *out, const char *name, struct hf_bytes text)
{
  hf_json_put_name(out, name);
  hf_json_put_text(out, text);
}

/* Everything after the hash member, the closing brace included. */
static void put_rest(struct hf_buf *out, const struct hf_vaultline *line)
{
  hf_buf_put_text(out, "\"number\":");
  hf_buf_put_uint(out, line->number);
  hf_json_put_name(out, "previous");
  hf_json_put_hex(out, hf_bytes_init(line->previous, HF_SHA256_LEN));
  put_text(out, "role", line->role);
  hf_json_put_name(out, "sha256");
  hf_json_put_hex(out, hf_bytes_init(line->sha256, HF_SHA256_LEN));
  put_text(out, "subject", line->subject);
  hf_json_put_name(out, "time");
  hf_json_put_time(out, line->time);
  put_text(out, "what", line->what);
  hf_buf_put_text(out, "}");
}

static void hash_rest(uint8_t hash[HF_SHA256_LEN], struct hf_bytes rest)
{
  struct hf_sha256 sum;
  hf_sha256_init(&sum);
  hf_sha256_put(&sum, HF_LIT("{"));
  hf_sha256_put(&sum, rest);
  hf_sha256_get(&sum, hash);
}

enum hf_err hf_vaultline_encode(struct hf_buf *out, struct hf_vaultline *line)
{
  if (!plain(line->what, HF_VAULTLINE_WORD_MAX) || !plain(line->role, HF_VAULTLINE_WORD_MAX) ||
      !plain(line->subject, HF_VAULTLINE_SUBJECT_MAX)) {
    return HF_E_INPUT;
  }
  uint8_t room[HF_VAULTLINE_MAX];
  struct hf_buf rest = hf_buf_init(room, sizeof room);
  put_rest(&rest, line);
  if (rest.failed) {
    return HF_E_SPACE;
  }
  hash_rest(line->hash, hf_buf_bytes(&rest));
  hf_buf_put_text(out, HASH_NAME);
  hf_hex_put(out, hf_bytes_init(line->hash, HF_SHA256_LEN));
  hf_buf_put_text(out, "\",");
  hf_buf_put(out, hf_buf_bytes(&rest));
  return out->failed ? HF_E_SPACE : HF_OK;
}

/* A text member as it stands: the writer lets nothing in that would need an escape. */
static bool get_plain(struct hf_bytes *text, struct hf_json object, const char *name, size_t max)
{
  struct hf_json value;
  if (hf_json_get(&value, object, name) != HF_OK || hf_json_type(value) != HF_JSON_TEXT || value.text.len < 2) {
    return false;
  }
  *text = hf_bytes_init(value.text.at + 1, value.text.len - 2);
  return plain(*text, max);
}

static bool get_hash(uint8_t *hash, struct hf_json object, const char *name)
{
  struct hf_json value;
  return hf_json_get(&value, object, name) == HF_OK && hf_json_get_hex(hash, HF_SHA256_LEN, value) == HF_OK;
}

static bool parse(struct hf_vaultline *line, struct hf_bytes text)
{
  struct hf_json root;
  struct hf_json number;
  struct hf_bytes time;
  int64_t count = 0;
  if (text.len > HF_VAULTLINE_MAX || hf_json_parse(&root, text, NULL) != HF_OK) {
    return false;
  }
  bool good = hf_json_count(root) == 8 && get_hash(line->hash, root, "hash") &&
              hf_json_get(&number, root, "number") == HF_OK && hf_json_get_int(&count, number) == HF_OK && count > 0 &&
              get_hash(line->previous, root, "previous") &&
              get_plain(&line->role, root, "role", HF_VAULTLINE_WORD_MAX) && get_hash(line->sha256, root, "sha256") &&
              get_plain(&line->subject, root, "subject", HF_VAULTLINE_SUBJECT_MAX) &&
              get_plain(&time, root, "time", HF_TIME_TEXT_LEN) && hf_time_parse(&line->time, time) == HF_OK &&
              get_plain(&line->what, root, "what", HF_VAULTLINE_WORD_MAX);
  line->number = (uint64_t)count;
  return good;
}

enum hf_verdict hf_vaultline_verify(struct hf_vaultline *line, struct hf_bytes text, const struct hf_vaultline *before,
                                    struct hf_why *why)
{
  static const uint8_t zeros[HF_SHA256_LEN];
  memset(line, 0, sizeof *line);
  if (text.len < HEAD_LEN || !hf_bytes_equal(hf_bytes_init(text.at, HASH_AT), HF_LIT(HASH_NAME)) ||
      !parse(line, text)) {
    hf_why_put(why, HF_RULE_VAULTLINE_SHAPE, 0);
    return HF_DENY;
  }
  uint8_t hash[HF_SHA256_LEN];
  hash_rest(hash, hf_bytes_init(text.at + HEAD_LEN, text.len - HEAD_LEN));
  if (!hf_bytes_equal(hf_bytes_init(hash, sizeof hash), hf_bytes_init(line->hash, sizeof line->hash))) {
    hf_why_put(why, HF_RULE_VAULTLINE_HASH, (uint32_t)HASH_AT);
    return HF_DENY;
  }
  const uint8_t *previous = before == NULL ? zeros : before->hash;
  if (!hf_bytes_equal(hf_bytes_init(line->previous, HF_SHA256_LEN), hf_bytes_init(previous, HF_SHA256_LEN)) ||
      line->number != (before == NULL ? 1 : before->number + 1)) {
    hf_why_put(why, HF_RULE_VAULTLINE_CHAIN, 0);
    return HF_DENY;
  }
  return HF_ALLOW;
}
