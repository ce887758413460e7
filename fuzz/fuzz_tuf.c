/* SPDX-License-Identifier: Apache-2.0
 * Metadata from anywhere. First byte: 0-3 one file of that role, read without asking for signatures (what stands behind
 * them must hold by itself); 4 a trust record; 5 a whole refresh: the root to begin with, then each answer. */
#include <stdlib.h>
#include <string.h>

#include "hf/wire/tufclient.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1790000000)

static void must(bool holds)
{
  if (!holds) {
    abort();
  }
}

/* A record that can be written can be read, and says the same. */
static void check_record(const struct hf_tuf_trust *trust)
{
  uint8_t first[HF_TUF_TRUST_MAX], second[HF_TUF_TRUST_MAX];
  struct hf_tuf_trust read;
  struct hf_buf a = hf_buf_init(first, sizeof first), b = hf_buf_init(second, sizeof second);
  hf_tuf_trust_encode(&a, trust);
  must(!a.failed && hf_tuf_trust_parse(&read, hf_buf_bytes(&a), NULL) == HF_OK);
  hf_tuf_trust_encode(&b, &read);
  must(hf_bytes_equal(hf_buf_bytes(&a), hf_buf_bytes(&b)));
}

static void walk_targets(const struct hf_tuf_file *file)
{
  struct hf_json_walk walk = hf_json_walk_init(hf_tuf_targets(file));
  struct hf_json name, value;
  while (hf_json_walk_member(&walk, &name, &value)) {
    struct hf_target_file target;
    struct hf_target custom;
    struct hf_target_order order;
    if (hf_target_file_parse(&target, name, value, NULL) == HF_OK) {
      must(hf_target_path_check(target.path));
      (void)!hf_target_parse(&custom, target.custom, NULL);
      (void)!hf_target_order_parse(&order, target.custom, NULL);
    }
  }
  struct hf_target_file target;
  (void)!hf_tuf_target_get(&target, file, HF_LIT("thermostat/1.1.0/main.img"), NULL);
  (void)hf_tuf_delegates(file);
}

static void read_file(enum hf_tuf_role role, struct hf_bytes text)
{
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_file file;
  struct hf_tuf_meta meta;
  struct hf_tuf_trust trust;
  struct hf_why why = {0};
  enum hf_err err = hf_tuf_parse(&file, text, role, &limits, &why);
  must((err == HF_OK) == (why.rule == HF_RULE_NONE));
  if (err != HF_OK) {
    return;
  }
  memset(&trust, 0, sizeof trust);
  if (role == HF_TUF_ROOT && hf_tuf_root_parse(&trust.root, &file, &limits, NULL) == HF_OK) {
    check_record(&trust);
    (void)!hf_tuf_verify(&file, &trust.root, &limits, NULL);
  }
  (void)!hf_tuf_meta_get(&meta, &file, "snapshot.json", NULL);
  (void)!hf_tuf_meta_get(&meta, &file, "targets.json", NULL);
  walk_targets(&file);
}

/* One answer: a byte how the fetch ended, two of length, the file. */
static struct hf_bytes take_answer(struct hf_cursor *in, enum hf_tufclient_got *got)
{
  *got = (enum hf_tufclient_got)(hf_cursor_u8(in) % 4 + 1);
  struct hf_bytes bytes = hf_cursor_take(in, hf_cursor_be16(in));
  return *got == HF_TUFCLIENT_BYTES ? bytes : (struct hf_bytes){NULL, 0};
}

static void refresh(struct hf_bytes input)
{
  struct hf_cursor in = hf_cursor_init(input);
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust trust;
  struct hf_tufclient client;
  struct hf_tufclient_fetch fetch;
  struct hf_bytes root = hf_cursor_take(&in, hf_cursor_be16(&in));
  if (hf_tuf_trust_verify(&trust, root, &limits, NULL) != HF_ALLOW) {
    must(trust.root.version == 0);
    return;
  }
  hf_tufclient_init(&client, &trust, &limits, NOW);
  while (hf_tufclient_next(&client, &fetch) == HF_TUFCLIENT_FETCH) {
    struct hf_tuf_trust before = trust;
    enum hf_tufclient_got got;
    struct hf_bytes bytes = take_answer(&in, &got);
    enum hf_err err = hf_tufclient_give(&client, got, bytes, NULL);
    must(err == HF_OK || memcmp(&before, &trust, sizeof trust) == 0); /* a refused step changes nothing */
    must(hf_tufclient_changed(&client) || memcmp(&before, &trust, sizeof trust) == 0);
    for (size_t i = 0; i < HF_TUF_ROLES; i++) { /* floors fall only with a new root */
      must(trust.root.version > before.root.version || trust.floor[i].version >= before.floor[i].version);
    }
    check_record(&trust);
  }
  const struct hf_tuf_file *targets = hf_tufclient_targets(&client);
  must((targets != NULL) == (hf_tufclient_next(&client, &fetch) == HF_TUFCLIENT_DONE));
  if (targets != NULL) {
    walk_targets(targets);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size == 0) {
    return 0;
  }
  struct hf_bytes rest = hf_bytes_init(data + 1, size - 1);
  struct hf_tuf_trust trust;
  if (data[0] < 4) {
    read_file((enum hf_tuf_role)data[0], rest);
  } else if (data[0] == 4 && hf_tuf_trust_parse(&trust, rest, NULL) == HF_OK) {
    check_record(&trust);
  } else if (data[0] == 5) {
    refresh(rest);
  }
  return 0;
}
