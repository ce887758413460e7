/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/tufkeys.h"

#include <stdlib.h>
#include <string.h>

#include "hf/wire/tufrecall.h"

/** PEM of RSA-4096 is 800 bytes. */
#define PEM_MAX 2048
/** Keys that a command meets: those of a root and of every delegation on the way. */
#define KEYS_MAX 4096

static const struct hf_tufkeys_key *find(const struct hf_tufkeys *keys, const struct hf_pubkey *pub)
{
  for (size_t i = 0; i < keys->count; i++) {
    if (memcmp(keys->key[i].hash, pub->at, HF_SHA256_LEN) == 0 &&
        keys->key[i].scheme == (enum hf_spki_scheme)pub->at[HF_SHA256_LEN]) {
      return &keys->key[i];
    }
  }
  return NULL;
}

static bool get_text(struct hf_buf *out, struct hf_json object, const char *name)
{
  struct hf_json value;
  return hf_json_get(&value, object, name) == HF_OK && hf_json_get_text(out, value) == HF_OK;
}

/* The scheme, if it goes with the key type. */
static enum hf_spki_scheme get_scheme(struct hf_json object)
{
  uint8_t room[64];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  struct hf_json type;
  if (!get_text(&text, object, "scheme") || hf_json_get(&type, object, "keytype") != HF_OK) {
    return HF_SPKI_NONE;
  }
  enum hf_spki_scheme scheme = hf_spki_scheme_get(hf_buf_bytes(&text));
  bool fits = scheme == HF_SPKI_P384_SHA384 ? hf_json_is(type, "ecdsa") || hf_json_is(type, "ecdsa-sha2-nistp384")
                                            : hf_json_is(type, "rsa");
  return fits ? scheme : HF_SPKI_NONE;
}

static enum hf_err key_parse(void *ctx, struct hf_pubkey *pub, struct hf_json object)
{
  struct hf_tufkeys *keys = ctx;
  struct hf_tufkeys_key key = {.scheme = get_scheme(object)};
  uint8_t room[PEM_MAX];
  struct hf_buf pem = hf_buf_init(room, sizeof room);
  struct hf_buf der = hf_buf_init(key.der, sizeof key.der);
  struct hf_json keyval;
  if (key.scheme == HF_SPKI_NONE) {
    return HF_E_NOT_FOUND;
  }
  if (hf_json_get(&keyval, object, "keyval") != HF_OK || !get_text(&pem, keyval, "public") ||
      hf_spki_parse_pem(&der, key.scheme, hf_buf_bytes(&pem)) != HF_OK) {
    return HF_E_INPUT;
  }
  key.len = der.len;
  hf_sha256(key.hash, hf_buf_bytes(&der));
  *pub = (struct hf_pubkey){.type = HF_KEY_HOST, .len = HF_SHA256_LEN};
  memcpy(pub->at, key.hash, sizeof key.hash);
  pub->at[HF_SHA256_LEN] = (uint8_t)key.scheme;
  if (find(keys, pub) != NULL) {
    return HF_OK;
  }
  struct hf_tufkeys_key *grown =
      keys->count < KEYS_MAX ? realloc(keys->key, (keys->count + 1) * sizeof keys->key[0]) : NULL;
  if (grown == NULL) {
    return HF_E_INPUT;
  }
  keys->key = grown;
  keys->key[keys->count++] = key;
  return HF_OK;
}

static bool put_buf(void *ctx, struct hf_bytes bytes)
{
  struct hf_buf *buf = ctx;
  hf_buf_put(buf, bytes);
  return !buf->failed;
}

static enum hf_verdict verify(void *ctx, const struct hf_pubkey *pub, const struct hf_tuf_file *file,
                              struct hf_json sig)
{
  struct hf_tufkeys *keys = ctx;
  uint8_t raw[HF_SPKI_SIG_MAX];
  const struct hf_tufkeys_key *key = find(keys, pub);
  struct hf_buf message = hf_buf_init(keys->message, keys->message_cap);
  size_t len = sig.text.len < 2 ? 0 : (sig.text.len - 2) / 2; /* two quotes, two digits a byte */
  if (key == NULL || len == 0 || len > sizeof raw || hf_json_get_hex(raw, len, sig) != HF_OK ||
      hf_json_canonical((struct hf_json_sink){put_buf, &message}, file->body) != HF_OK) {
    return HF_DENY;
  }
  return hf_spki_verify(hf_bytes_init(key->der, key->len), key->scheme, hf_buf_bytes(&message),
                        hf_bytes_init(raw, len));
}

static void sha512(uint8_t out[HF_SHA512_LEN], struct hf_bytes bytes)
{
  struct hf_sha512 hash;
  hf_sha512_init(&hash);
  hf_sha512_put(&hash, bytes);
  hf_sha512_get(&hash, out);
}

static enum hf_verdict listing_verify(void *ctx, const struct hf_tuf_file *snapshot, struct hf_why *why)
{
  const struct hf_tufkeys *keys = ctx;
  return keys->snapshot == NULL ? HF_ALLOW : hf_tufrecall_compare(keys->snapshot, snapshot, why);
}

const struct hf_tuf_host hf_tufkeys_host = {.name = "cli",
                                            .version = 1,
                                            .key_parse = key_parse,
                                            .verify = verify,
                                            .sha512 = sha512,
                                            .listing_verify = listing_verify};

void hf_tufkeys_free(struct hf_tufkeys *keys)
{
  free(keys->key);
  *keys = (struct hf_tufkeys){.key = NULL};
}
