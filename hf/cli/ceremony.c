/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/ceremony.h"

#include <stdlib.h>
#include <string.h>

#include "hf/base/assert.h"
#include "hf/cli/output.h"
#include "hf/cli/term.h"
#include "hf/wire/pubkey.h"
#include "hf/wire/tufwrite.h"

#define SCRATCH_MAX (8u << 20)
/** A signature with its key id, in hex and JSON. */
#define SIGNATURE_TEXT_MAX 512

/* ---- making ---- */

static void set_up(struct hf_ceremony *ceremony)
{
  memset(ceremony, 0, sizeof *ceremony);
  ceremony->limits = hf_tuf_limits_init();
  ceremony->scratch = malloc(SCRATCH_MAX);
  HF_ASSERT(ceremony->scratch != NULL);
  ceremony->limits.scratch = ceremony->scratch;
  ceremony->limits.scratch_cap = SCRATCH_MAX;
}

void hf_ceremony_init(struct hf_ceremony *ceremony, bool director, json_t *roots)
{
  set_up(ceremony);
  ceremony->json = json_pack("{s:s, s:i, s:s, s:o, s:[]}", "holdfast", "ceremony", "format", 1, "repository",
                             director ? "director" : "image", "roots", roots, "files");
  HF_ASSERT(ceremony->json != NULL);
}

void hf_ceremony_put(struct hf_ceremony *ceremony, const char *name, struct hf_bytes present, struct hf_bytes next)
{
  json_t *file = json_pack("{s:s, s:s%}", "name", name, "next", (const char *)next.at, next.len);
  HF_ASSERT(file != NULL);
  if (present.len > 0) {
    HF_ASSERT(json_object_set_new(file, "present", json_stringn((const char *)present.at, present.len)) == 0);
  }
  HF_ASSERT(json_array_append_new(json_object_get(ceremony->json, "files"), file) == 0);
}

void hf_ceremony_put_targets(struct hf_ceremony *ceremony, struct hf_bytes text)
{
  HF_ASSERT(json_object_set_new(ceremony->json, "targets", json_stringn((const char *)text.at, text.len)) == 0);
}

void hf_ceremony_free(struct hf_ceremony *ceremony)
{
  json_decref(ceremony->json);
  free(ceremony->scratch);
  ceremony->json = NULL;
  ceremony->scratch = NULL;
}

/* ---- judging ---- */

static struct hf_bytes text_of(const json_t *value)
{
  return json_is_string(value) ? hf_bytes_init(json_string_value(value), json_string_length(value))
                               : hf_bytes_init(NULL, 0);
}

static enum hf_err refuse(struct hf_why *why, enum hf_rule rule, enum hf_err err)
{
  hf_why_put(why, rule, 0);
  return err;
}

/* From the first root to the present one, each signed by the one before (TUF 1.0.34 section 5.3). Expiry does not
 * matter: an expired root is renewed in this very way. */
static enum hf_err roots_check(struct hf_ceremony *ceremony, struct hf_why *why)
{
  const json_t *roots = json_object_get(ceremony->json, "roots");
  struct hf_tufclient client;
  size_t count = json_array_size(roots);
  if (count == 0 || count > HF_CEREMONY_ROOTS_MAX) {
    return refuse(why, HF_RULE_CEREMONY_SHAPE, HF_E_INPUT);
  }
  struct hf_bytes first = text_of(json_array_get(roots, 0));
  hf_sha256(ceremony->first, first);
  if (hf_tuf_trust_verify(&ceremony->trust, first, &ceremony->limits, NULL) != HF_ALLOW) {
    return refuse(why, HF_RULE_CEREMONY_CHAIN, HF_E_DENIED);
  }
  hf_tufclient_init(&client, &ceremony->trust, &ceremony->limits, 0);
  for (size_t i = 1; i < count; i++) {
    if (hf_tufclient_give(&client, HF_TUFCLIENT_BYTES, text_of(json_array_get(roots, i)), NULL) != HF_OK) {
      return refuse(why, HF_RULE_CEREMONY_CHAIN, HF_E_DENIED);
    }
  }
  return HF_OK;
}

static enum hf_err file_read(struct hf_ceremony *ceremony, const json_t *item, struct hf_why *why)
{
  const char *name = json_string_value(json_object_get(item, "name"));
  struct hf_bytes next = text_of(json_object_get(item, "next"));
  struct hf_bytes present = text_of(json_object_get(item, "present"));
  if (name == NULL || next.len == 0 || ceremony->count == HF_CEREMONY_FILES_MAX) {
    return refuse(why, HF_RULE_CEREMONY_SHAPE, HF_E_INPUT);
  }
  for (size_t i = 0; i < ceremony->count; i++) {
    if (strcmp(ceremony->file[i].name, name) == 0) {
      return refuse(why, HF_RULE_CEREMONY_SHAPE, HF_E_INPUT);
    }
  }
  struct hf_ceremony_file *file = &ceremony->file[ceremony->count++];
  *file = (struct hf_ceremony_file){.name = name};
  bool root = strcmp(name, "root") == 0;
  enum hf_tuf_role role = root ? HF_TUF_ROOT : HF_TUF_TARGETS;
  if (hf_tuf_parse(&file->next, next, role, &ceremony->limits, why) != HF_OK ||
      (present.len > 0 && hf_tuf_parse(&file->present, present, role, &ceremony->limits, why) != HF_OK)) {
    return HF_E_INPUT;
  }
  if (root) {
    ceremony->has_root = true;
    return hf_tuf_root_parse(&ceremony->next_root, &file->next, &ceremony->limits, why);
  }
  return ceremony->director ? refuse(why, HF_RULE_CEREMONY_SHAPE, HF_E_INPUT) : HF_OK;
}

/* What the draft calls present is signed by who signs for it at present: it cannot hide a change by lying about what
 * was before. */
static enum hf_err present_check(struct hf_ceremony *ceremony, const struct hf_ceremony_file *file, struct hf_why *why)
{
  struct hf_tufrole role;
  if (strcmp(file->name, "targets") == 0) {
    return file->present.text.len > 0 &&
                   hf_tuf_verify(&file->present, &ceremony->trust.root, &ceremony->limits, NULL) == HF_ALLOW
               ? HF_OK
               : refuse(why, HF_RULE_CEREMONY_CHAIN, HF_E_DENIED);
  }
  if (file->present.text.len == 0) {
    return HF_OK;
  }
  if (ceremony->targets.text.len == 0 ||
      hf_tufrole_get(&role, &ceremony->targets, hf_bytes_text(file->name), &ceremony->limits, NULL) != HF_OK ||
      hf_tufkey_verify(&file->present, &role.ring, &ceremony->limits, NULL) != HF_ALLOW) {
    return refuse(why, HF_RULE_CEREMONY_CHAIN, HF_E_DENIED);
  }
  return HF_OK;
}

static enum hf_err file_check(struct hf_ceremony *ceremony, const struct hf_ceremony_file *file, struct hf_why *why)
{
  if (strcmp(file->name, "root") == 0) {
    return ceremony->next_root.version == ceremony->trust.root.version + 1
               ? HF_OK
               : refuse(why, HF_RULE_CEREMONY_STALE, HF_E_DENIED);
  }
  enum hf_err err = present_check(ceremony, file, why);
  uint32_t before = file->present.text.len > 0 ? file->present.version : 0;
  return err == HF_OK && file->next.version != before + 1 ? refuse(why, HF_RULE_CEREMONY_STALE, HF_E_DENIED) : err;
}

/* The present targets.json: a file of the draft, or carried beside them. */
static enum hf_err targets_read(struct hf_ceremony *ceremony, struct hf_why *why)
{
  struct hf_bytes text = text_of(json_object_get(ceremony->json, "targets"));
  for (size_t i = 0; i < ceremony->count; i++) {
    if (strcmp(ceremony->file[i].name, "targets") == 0) {
      text = ceremony->file[i].present.text;
    }
  }
  if (text.len == 0) {
    return HF_OK;
  }
  if (hf_tuf_parse(&ceremony->targets, text, HF_TUF_TARGETS, &ceremony->limits, why) != HF_OK) {
    return HF_E_INPUT;
  }
  return hf_tuf_verify(&ceremony->targets, &ceremony->trust.root, &ceremony->limits, NULL) == HF_ALLOW
             ? HF_OK
             : refuse(why, HF_RULE_CEREMONY_CHAIN, HF_E_DENIED);
}

static bool is_draft(const json_t *json)
{
  const char *kind = json_string_value(json_object_get(json, "holdfast"));
  const char *repository = json_string_value(json_object_get(json, "repository"));
  return kind != NULL && strcmp(kind, "ceremony") == 0 && json_integer_value(json_object_get(json, "format")) == 1 &&
         repository != NULL && (strcmp(repository, "image") == 0 || strcmp(repository, "director") == 0) &&
         json_array_size(json_object_get(json, "files")) > 0;
}

enum hf_err hf_ceremony_check(struct hf_ceremony *ceremony, struct hf_why *why)
{
  const json_t *files = json_object_get(ceremony->json, "files");
  if (!is_draft(ceremony->json)) {
    return refuse(why, HF_RULE_CEREMONY_SHAPE, HF_E_INPUT);
  }
  ceremony->director = strcmp(json_string_value(json_object_get(ceremony->json, "repository")), "director") == 0;
  ceremony->count = 0;
  ceremony->has_root = false;
  enum hf_err err = roots_check(ceremony, why);
  for (size_t i = 0; i < json_array_size(files) && err == HF_OK; i++) {
    err = file_read(ceremony, json_array_get(files, i), why);
  }
  if (err == HF_OK) {
    err = targets_read(ceremony, why);
  }
  for (size_t i = 0; i < ceremony->count && err == HF_OK; i++) {
    err = file_check(ceremony, &ceremony->file[i], why);
  }
  return err;
}

enum hf_err hf_ceremony_open(struct hf_ceremony *ceremony, const char *path)
{
  struct hf_blob text;
  struct hf_why why = {.rule = HF_RULE_NONE};
  set_up(ceremony);
  enum hf_err err = hf_disk_get(&text, path, HF_CEREMONY_MAX);
  if (err != HF_OK) {
    hf_disk_complain(err, "read", path);
    return err;
  }
  ceremony->json = json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
  hf_blob_free(&text);
  err = hf_ceremony_check(ceremony, &why);
  if (err != HF_OK) {
    hf_complain_why(path, &why);
  }
  return err;
}

enum hf_err hf_ceremony_write(const struct hf_ceremony *ceremony, const char *path)
{
  char *text = json_dumps(ceremony->json, JSON_INDENT(1) | JSON_SORT_KEYS);
  HF_ASSERT(text != NULL);
  enum hf_err err = hf_disk_put(path, hf_bytes_text(text), 0644);
  free(text);
  if (err != HF_OK) {
    hf_disk_complain(err, "write", path);
  }
  return err;
}

/* ---- who must sign ---- */

static struct hf_tufkey_ring ring_of(const struct hf_tuf_root *root, enum hf_tuf_role role)
{
  return (struct hf_tufkey_ring){.key = root->key, .count = root->key_count, .signers = root->role[role]};
}

/* targets.json as it will be. */
static const struct hf_tuf_file *targets_next(const struct hf_ceremony *ceremony)
{
  for (size_t i = 0; i < ceremony->count; i++) {
    if (strcmp(ceremony->file[i].name, "targets") == 0) {
      return &ceremony->file[i].next;
    }
  }
  return ceremony->targets.text.len > 0 ? &ceremony->targets : NULL;
}

enum hf_err hf_ceremony_rings_get(struct hf_ceremony_rings *rings, const struct hf_ceremony *ceremony,
                                  const struct hf_ceremony_file *file, struct hf_why *why)
{
  const struct hf_tuf_root *root = ceremony->has_root ? &ceremony->next_root : &ceremony->trust.root;
  memset(rings, 0, sizeof *rings);
  if (strcmp(file->name, "root") == 0) {
    rings->ring[0] = ring_of(&ceremony->trust.root, HF_TUF_ROOT);
    rings->ring[1] = ring_of(&ceremony->next_root, HF_TUF_ROOT);
    rings->whose[0] = "present root";
    rings->whose[1] = "new root";
    rings->count = 2;
    return HF_OK;
  }
  rings->count = 1;
  rings->whose[0] = file->name;
  if (strcmp(file->name, "targets") == 0) {
    rings->ring[0] = ring_of(root, HF_TUF_TARGETS);
    return HF_OK;
  }
  if (targets_next(ceremony) == NULL) {
    return refuse(why, HF_RULE_TARGETS_UNDELEGATED, HF_E_NOT_FOUND);
  }
  enum hf_err err =
      hf_tufrole_get(&rings->role, targets_next(ceremony), hf_bytes_text(file->name), &ceremony->limits, why);
  rings->ring[0] = rings->role.ring;
  return err;
}

bool hf_ceremony_signed(const struct hf_ceremony *ceremony, const struct hf_ceremony_file *file,
                        const struct hf_tufkey_ring *ring, size_t key)
{
  struct hf_tufkey_ring one = *ring;
  one.signers = (struct hf_tuf_signers){.keys = (uint16_t)(1u << key), .threshold = 1};
  return hf_tufkey_verify(&file->next, &one, &ceremony->limits, NULL) == HF_ALLOW;
}

bool hf_ceremony_complete(const struct hf_ceremony *ceremony)
{
  bool complete = true;
  for (size_t i = 0; i < ceremony->count; i++) {
    struct hf_ceremony_rings rings;
    complete = complete && hf_ceremony_rings_get(&rings, ceremony, &ceremony->file[i], NULL) == HF_OK;
    for (size_t k = 0; complete && k < rings.count; k++) {
      complete = hf_tufkey_verify(&ceremony->file[i].next, &rings.ring[k], &ceremony->limits, NULL) == HF_ALLOW;
    }
  }
  return complete;
}

/* ---- signing ---- */

/* Put one more signature into a file of the draft. */
static enum hf_err signature_put(struct hf_ceremony *ceremony, size_t i, const struct hf_tufwrite_sig *sig)
{
  struct hf_ceremony_file *file = &ceremony->file[i];
  size_t cap = file->next.text.len + SIGNATURE_TEXT_MAX;
  uint8_t *room = malloc(cap);
  HF_ASSERT(room != NULL);
  struct hf_buf text = hf_buf_init(room, cap);
  enum hf_err err = hf_tufwrite_put_cosigned(&text, &file->next, sig);
  if (err == HF_OK) {
    json_t *item = json_array_get(json_object_get(ceremony->json, "files"), i);
    HF_ASSERT(json_object_set_new(item, "next", json_stringn((const char *)text.at, text.len)) == 0);
    struct hf_bytes next = text_of(json_object_get(item, "next"));
    err = hf_tuf_parse(&file->next, next, file->next.role, &ceremony->limits, NULL);
  }
  free(room);
  return err;
}

static enum hf_err sign_message(void *ctx, struct hf_buf *sig, struct hf_bytes message)
{
  return hf_key_sign(sig, ctx, message);
}

/* Is the key in one of the rings? */
static bool may_sign(const struct hf_ceremony_rings *rings, const struct hf_pubkey *pub)
{
  for (size_t k = 0; k < rings->count; k++) {
    for (size_t i = 0; i < rings->ring[k].count; i++) {
      if ((rings->ring[k].signers.keys >> i & 1) != 0 && hf_pubkey_equal(&rings->ring[k].key[i].pub, pub)) {
        return true;
      }
    }
  }
  return false;
}

static enum hf_err sign_one(struct hf_ceremony *ceremony, size_t i, const struct hf_tufwrite_signer *signer)
{
  struct hf_tufwrite_sig sig;
  struct hf_buf canonical = hf_buf_init(ceremony->scratch, SCRATCH_MAX);
  enum hf_err err = hf_tufwrite_canonical(&canonical, ceremony->file[i].next.body.text);
  if (err == HF_OK && canonical.failed) {
    err = HF_E_SPACE;
  }
  if (err == HF_OK) {
    err = hf_tufwrite_sign(&sig, signer, hf_buf_bytes(&canonical));
  }
  return err == HF_OK ? signature_put(ceremony, i, &sig) : err;
}

enum hf_err hf_ceremony_sign(struct hf_ceremony *ceremony, size_t *count, struct hf_key *key, struct hf_why *why)
{
  struct hf_tufwrite_signer signer = {.sign = sign_message, .ctx = key};
  enum hf_err err = hf_key_public(&signer.pub, key);
  *count = 0;
  for (size_t i = 0; i < ceremony->count && err == HF_OK; i++) {
    struct hf_ceremony_rings rings;
    err = hf_ceremony_rings_get(&rings, ceremony, &ceremony->file[i], why);
    if (err == HF_OK && may_sign(&rings, &signer.pub)) {
      err = sign_one(ceremony, i, &signer);
      ++*count;
    }
  }
  return err == HF_OK && *count == 0 ? refuse(why, HF_RULE_CEREMONY_KEY, HF_E_DENIED) : err;
}

/* ---- merging ---- */

static size_t count_signed(const struct hf_ceremony *ceremony, size_t i)
{
  struct hf_ceremony_rings rings;
  size_t count = 0;
  if (hf_ceremony_rings_get(&rings, ceremony, &ceremony->file[i], NULL) != HF_OK) {
    return 0;
  }
  for (size_t k = 0; k < rings.count; k++) {
    for (size_t key = 0; key < rings.ring[k].count; key++) {
      bool asked = (rings.ring[k].signers.keys >> key & 1) != 0;
      count += asked && hf_ceremony_signed(ceremony, &ceremony->file[i], &rings.ring[k], key);
    }
  }
  return count;
}

/* Take a signature when it brings one more valid one; a bad one under a good key's id must not push that out. */
static enum hf_err signature_take(struct hf_ceremony *ceremony, size_t i, struct hf_json element, size_t *count)
{
  struct hf_json keyid, value;
  struct hf_tufwrite_sig sig = {.len = 0};
  if (hf_json_get(&keyid, element, "keyid") != HF_OK || hf_json_get(&value, element, "sig") != HF_OK ||
      hf_json_get_hex(sig.keyid, sizeof sig.keyid, keyid) != HF_OK || value.text.len < 4 ||
      (value.text.len - 2) / 2 > sizeof sig.sig || hf_json_get_hex(sig.sig, (value.text.len - 2) / 2, value) != HF_OK) {
    return HF_OK;
  }
  sig.len = (uint8_t)((value.text.len - 2) / 2);
  json_t *item = json_array_get(json_object_get(ceremony->json, "files"), i);
  json_t *before = json_incref(json_object_get(item, "next"));
  size_t had = count_signed(ceremony, i);
  enum hf_err err = signature_put(ceremony, i, &sig);
  if (err == HF_OK && count_signed(ceremony, i) > had) {
    ++*count;
    json_decref(before);
    return HF_OK;
  }
  HF_ASSERT(json_object_set_new(item, "next", before) == 0);
  return hf_tuf_parse(&ceremony->file[i].next, text_of(before), ceremony->file[i].next.role, &ceremony->limits, NULL);
}

static bool same_change(const struct hf_ceremony *a, const struct hf_ceremony *b)
{
  bool same = a->count == b->count && a->director == b->director &&
              json_equal(json_object_get(a->json, "roots"), json_object_get(b->json, "roots"));
  for (size_t i = 0; same && i < a->count; i++) {
    uint8_t one[HF_SHA256_LEN];
    uint8_t other[HF_SHA256_LEN];
    hf_tuf_digest(one, &a->file[i].next);
    hf_tuf_digest(other, &b->file[i].next);
    same = strcmp(a->file[i].name, b->file[i].name) == 0 && memcmp(one, other, sizeof one) == 0;
  }
  return same;
}

enum hf_err hf_ceremony_merge(struct hf_ceremony *ceremony, const struct hf_ceremony *other, size_t *count,
                              struct hf_why *why)
{
  enum hf_err err = HF_OK;
  *count = 0;
  if (!same_change(ceremony, other)) {
    return refuse(why, HF_RULE_CEREMONY_OTHER, HF_E_INPUT);
  }
  for (size_t i = 0; i < ceremony->count && err == HF_OK; i++) {
    struct hf_json element;
    struct hf_json_walk walk = hf_json_walk_init(other->file[i].next.signatures);
    while (err == HF_OK && hf_json_walk_next(&walk, &element)) { /* bounded by limits.signatures_max */
      err = signature_take(ceremony, i, element, count);
    }
  }
  return err;
}
