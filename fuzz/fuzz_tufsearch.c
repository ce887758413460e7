/* SPDX-License-Identifier: Apache-2.0
 * Delegations and the search through them. Signatures cannot be guessed, so here every key of an unknown type signs
 * everything: what is tried is what a hostile role could write. Input: a byte of options, then files, each after two
 * bytes of length: the snapshot, the top-level targets, and one answer after the other.
 */
#include <stdlib.h>
#include <string.h>

#include "hf/wire/tufdelegation.h"
#include "hf/wire/tufrecall.h"
#include "hf/wire/tufsearch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
  if (!condition) {
    abort();
  }
}

static enum hf_err key_parse(void *ctx, struct hf_pubkey *pub, struct hf_json object)
{
  (void)ctx;
  *pub = (struct hf_pubkey){.type = HF_KEY_HOST, .len = HF_SHA256_LEN};
  hf_sha256(pub->at, object.text);
  return HF_OK;
}

static enum hf_verdict verify(void *ctx, const struct hf_pubkey *pub, const struct hf_tuf_file *file,
                              struct hf_json sig)
{
  (void)ctx, (void)pub, (void)file, (void)sig;
  return HF_ALLOW;
}

static void sha512(uint8_t out[HF_SHA512_LEN], struct hf_bytes bytes)
{
  struct hf_sha512 hash;
  hf_sha512_init(&hash);
  hf_sha512_put(&hash, bytes);
  hf_sha512_get(&hash, out);
}

static const struct hf_tuf_host host = {
    .name = "fuzz", .version = 1, .key_parse = key_parse, .verify = verify, .sha512 = sha512};

/* A copy exactly as long as the file, so that a read past its end shows; each takes the place of the one before. */
static struct hf_bytes take(struct hf_cursor *in, uint8_t **buffer)
{
  struct hf_bytes bytes = hf_cursor_take(in, hf_cursor_be16(in));
  free(*buffer);
  *buffer = malloc(bytes.len + 1);
  must(*buffer != NULL);
  memcpy(*buffer, bytes.len > 0 ? (const void *)bytes.at : "", bytes.len);
  return hf_bytes_init(*buffer, bytes.len);
}

static void follow(struct hf_tufsearch *search, struct hf_cursor *in, uint8_t **buffer)
{
  struct hf_tufsearch_fetch fetch;
  struct hf_target_file target;
  enum hf_tufsearch_step step;
  unsigned steps = 0;
  while ((step = hf_tufsearch_next(search, &fetch)) == HF_TUFSEARCH_FETCH) {
    uint8_t name[HF_TUFSEARCH_NAME_MAX];
    struct hf_buf out = hf_buf_init(name, sizeof name);
    hf_tufsearch_put_name(&out, &fetch);
    must(!out.failed && memchr(name, '/', out.len) == NULL && ++steps < 64);
    enum hf_err err = hf_tufsearch_give(search, HF_TUFCLIENT_BYTES, take(in, buffer), NULL);
    must((err == HF_OK) == (hf_tufsearch_why(search).rule == HF_RULE_NONE));
    must(search->roles <= search->room.role_cap && search->keys <= search->room.key_cap &&
         search->visited <= search->room.visited_cap);
  }
  must((step == HF_TUFSEARCH_FOUND) == (hf_tufsearch_found(search) != NULL));
  if (step == HF_TUFSEARCH_FOUND) {
    (void)!hf_tufsearch_target(&target, search, NULL);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hf_cursor in = hf_cursor_init(hf_bytes_init(data, size));
  uint8_t options = hf_cursor_u8(&in);
  struct hf_tufsearch_role role[6];
  struct hf_tuf_key key[8];
  uint8_t visited[12][HF_TUFSEARCH_ID_LEN];
  const struct hf_tufsearch_room room = {role, 6, key, 8, visited, 12};
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust trust = {.root = {.version = 1, .consistent_snapshot = (options & 1) != 0}};
  struct hf_tuf_file snapshot;
  struct hf_tufclient client = {.trust = &trust, .limits = &limits, .now = 1, .step = HF_TUFCLIENT_DONE};
  struct hf_tufsearch search;
  uint8_t *kept = NULL, *buffer = NULL;
  limits.foreign = (options & 2) != 0;
  limits.host = &host;
  struct hf_bytes text = take(&in, &kept);
  struct hf_bytes targets = take(&in, &buffer);
  if (hf_tuf_parse(&snapshot, text, HF_TUF_SNAPSHOT, &limits, NULL) == HF_OK &&
      hf_tuf_parse(&client.targets, targets, HF_TUF_TARGETS, &limits, NULL) == HF_OK) {
    (void)!hf_tufrecall_compare(&snapshot, &snapshot, NULL);
    trust.floor[HF_TUF_SNAPSHOT] = (struct hf_tuf_floor){.version = snapshot.version, .has_digest = true};
    hf_tuf_digest(trust.floor[HF_TUF_SNAPSHOT].digest, &snapshot);
    hf_tufsearch_init(&search, &room, &client, (options & 4) != 0 ? &snapshot : NULL, HF_LIT("a/b"));
    follow(&search, &in, &buffer);
  }
  free(kept);
  free(buffer);
  return 0;
}
