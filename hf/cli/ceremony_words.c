/* SPDX-License-Identifier: Apache-2.0
 * A draft in plain words: what a holder is about to sign. Worked out from the metadata itself, never from what the
 * draft says of itself, and cleaned of control characters on its way to the terminal. */
#include <string.h>
#include <time.h>

#include "hf/cli/ceremony.h"
#include "hf/cli/output.h"
#include "hf/cli/term.h"
#include "hf/wire/pubkey.h"

#define WORD_MAX 512

static void say(FILE *out, const char *text)
{
  hf_print_clean(out, text);
  fputc('\n', out);
}

static const char *say_key(const struct hf_pubkey *pub)
{
  uint8_t hash[HF_SHA256_LEN];
  hf_pubkey_hash(hash, pub);
  return hf_say("%s key %s", pub->type == HF_KEY_P256 ? "P-256" : "Ed25519",
                hf_say_hex(hf_bytes_init(hash, sizeof hash)));
}

static const char *say_text(struct hf_json value)
{
  uint8_t room[WORD_MAX];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  if (hf_json_get_text(&text, value) != HF_OK) {
    return hf_say("%.*s", (int)(value.text.len < 400 ? value.text.len : 400), (const char *)value.text.at);
  }
  return hf_say("%.*s", (int)text.len, (const char *)room);
}

static void print_expiry(FILE *out, int64_t before, int64_t after)
{
  if (before == 0) {
    say(out, hf_say("  expires %s", hf_say_time(after)));
  } else if (before != after) {
    say(out, hf_say("  expires %s (until now %s)", hf_say_time(after), hf_say_time(before)));
  } else {
    say(out, hf_say("  expires %s, as before", hf_say_time(after)));
  }
  if (after <= (int64_t)time(NULL)) {
    say(out, "  ! that is in the past: devices would refuse it");
  }
}

/* ---- root ---- */

static bool has_key(const struct hf_tufkey_ring *ring, const struct hf_pubkey *pub)
{
  for (size_t i = 0; i < ring->count; i++) {
    if ((ring->signers.keys >> i & 1) != 0 && hf_pubkey_equal(&ring->key[i].pub, pub)) {
      return true;
    }
  }
  return false;
}

/* Keys of `a` that `b` does not have. */
static void print_missing(FILE *out, const char *sign, const char *role, const struct hf_tufkey_ring *a,
                          const struct hf_tufkey_ring *b)
{
  for (size_t i = 0; i < a->count; i++) {
    if ((a->signers.keys >> i & 1) != 0 && !has_key(b, &a->key[i].pub)) {
      say(out, hf_say("  %s %s: %s", sign, role, say_key(&a->key[i].pub)));
    }
  }
}

static void print_ring(FILE *out, const char *role, const struct hf_tufkey_ring *before,
                       const struct hf_tufkey_ring *after)
{
  print_missing(out, "+ adds to", role, after, before);
  print_missing(out, "- TAKES AWAY from", role, before, after);
  if (before->signers.threshold > 0 && before->signers.threshold != after->signers.threshold) {
    say(out, hf_say("  ~ %s: signatures needed: %u (until now %u)%s", role, after->signers.threshold,
                    before->signers.threshold,
                    after->signers.threshold < before->signers.threshold ? "  ! FEWER THAN BEFORE" : ""));
  }
}

static struct hf_tufkey_ring ring_of(const struct hf_tuf_root *root, size_t role)
{
  return (struct hf_tufkey_ring){.key = root->key, .count = root->key_count, .signers = root->role[role]};
}

static void print_root(const struct hf_ceremony *ceremony, FILE *out)
{
  const struct hf_tuf_root *before = &ceremony->trust.root;
  const struct hf_tuf_root *after = &ceremony->next_root;
  say(out, hf_say("root.json of the %s repository: version %u (present: %u)", ceremony->director ? "director" : "image",
                  after->version, before->version));
  print_expiry(out, before->expires, after->expires);
  for (size_t i = 0; i < HF_TUF_ROLES; i++) {
    const struct hf_tufkey_ring old = ring_of(before, i);
    const struct hf_tufkey_ring new = ring_of(after, i);
    print_ring(out, hf_tuf_role_name((enum hf_tuf_role)i), &old, &new);
  }
  if (!after->consistent_snapshot) {
    say(out, "  ! switches consistent snapshots off");
  }
  say(out, "  After it:");
  for (size_t i = 0; i < HF_TUF_ROLES; i++) {
    const struct hf_tufkey_ring ring = ring_of(after, i);
    say(out, hf_say("    %s needs %u of", hf_tuf_role_name((enum hf_tuf_role)i), ring.signers.threshold));
    for (size_t k = 0; k < ring.count; k++) {
      if ((ring.signers.keys >> k & 1) != 0) {
        say(out, hf_say("      %s", say_key(&ring.key[k].pub)));
      }
    }
  }
}

/* ---- targets ---- */

static struct hf_json member(const struct hf_tuf_file *file, const char *name)
{
  struct hf_json value = {{NULL, 0}};
  if (file->text.len == 0 || hf_json_get(&value, file->body, name) != HF_OK) {
    value.text.len = 0;
  }
  return value;
}

static bool same_value(struct hf_json a, struct hf_json b)
{
  uint8_t one[HF_SHA256_LEN];
  uint8_t other[HF_SHA256_LEN];
  hf_tuf_hash(one, a);
  hf_tuf_hash(other, b);
  return memcmp(one, other, sizeof one) == 0;
}

static bool find_member(struct hf_json *value, struct hf_json object, struct hf_json name)
{
  uint8_t room[WORD_MAX];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  return object.text.len > 0 && hf_json_get_text(&text, name) == HF_OK &&
         hf_json_get_bytes(value, object, hf_buf_bytes(&text)) == HF_OK;
}

static void print_target(FILE *out, const char *sign, struct hf_json name, struct hf_json value)
{
  struct hf_json hashes, hash, length;
  const char *sha256 = "?";
  const char *bytes = "?";
  if (hf_json_get(&hashes, value, "hashes") == HF_OK && hf_json_get(&hash, hashes, "sha256") == HF_OK) {
    sha256 = say_text(hash);
  }
  if (hf_json_get(&length, value, "length") == HF_OK) {
    bytes = say_text(length);
  }
  say(out, hf_say("  %s %s", sign, say_text(name)));
  say(out, hf_say("      %s bytes, SHA-256 %s", bytes, sha256));
}

static void print_targets_change(const struct hf_ceremony_file *file, FILE *out)
{
  struct hf_json before = member(&file->present, "targets"), after = member(&file->next, "targets");
  struct hf_json name, value, other;
  size_t same = 0;
  struct hf_json_walk walk = hf_json_walk_init(after);
  while (after.text.len > 0 && hf_json_walk_member(&walk, &name, &value)) { /* bounded by the file */
    if (!find_member(&other, before, name)) {
      print_target(out, "+ new target", name, value);
    } else if (!same_value(other, value)) {
      print_target(out, "~ CHANGES target", name, value);
    } else {
      same++;
    }
  }
  walk = hf_json_walk_init(before);
  while (before.text.len > 0 && hf_json_walk_member(&walk, &name, &value)) {
    if (!find_member(&other, after, name)) {
      print_target(out, "- REMOVES target", name, value);
    }
  }
  if (same > 0) {
    say(out, hf_say("  %zu target%s as before", same, same == 1 ? " stays" : "s stay"));
  }
}

static void print_role(const struct hf_ceremony *ceremony, const struct hf_ceremony_file *file, struct hf_bytes name,
                       FILE *out)
{
  struct hf_tufrole before, after;
  struct hf_json paths, path;
  const char *text = hf_say("%.*s", (int)name.len, (const char *)name.at);
  bool was =
      file->present.text.len > 0 && hf_tufrole_get(&before, &file->present, name, &ceremony->limits, NULL) == HF_OK;
  bool is = hf_tufrole_get(&after, &file->next, name, &ceremony->limits, NULL) == HF_OK;
  if (!is) {
    say(out, hf_say("  %s delegation to %s", was ? "- REMOVES the" : "! unreadable", text));
    return;
  }
  if (was && same_value(before.entry, after.entry)) {
    say(out, hf_say("  delegation to %s stays", text));
    return;
  }
  const struct hf_tufkey_ring none = {.count = 0};
  say(out, hf_say("  %s delegation to %s: signatures needed: %u", was ? "~ CHANGES the" : "+ new", text,
                  after.ring.signers.threshold));
  print_ring(out, text, was ? &before.ring : &none, &after.ring);
  if (hf_json_get(&paths, after.entry, "paths") == HF_OK) {
    struct hf_json_walk walk = hf_json_walk_init(paths);
    while (hf_json_walk_next(&walk, &path)) { /* bounded by the file */
      say(out, hf_say("      for %s", say_text(path)));
    }
  }
}

static void print_delegations(const struct hf_ceremony *ceremony, const struct hf_ceremony_file *file, FILE *out)
{
  const struct hf_tuf_file *both[] = {&file->next, &file->present};
  for (size_t i = 0; i < 2; i++) {
    struct hf_json entry, name;
    if (both[i]->text.len == 0) {
      continue;
    }
    struct hf_json_walk walk = hf_json_walk_init(hf_tufrole_list(both[i]));
    while (hf_json_walk_next(&walk, &entry)) { /* bounded by the file */
      uint8_t room[WORD_MAX];
      struct hf_tufrole again;
      struct hf_buf text = hf_buf_init(room, sizeof room);
      bool read = hf_json_get(&name, entry, "name") == HF_OK && hf_json_get_text(&text, name) == HF_OK;
      bool told =
          read && i == 1 && hf_tufrole_get(&again, &file->next, hf_buf_bytes(&text), &ceremony->limits, NULL) == HF_OK;
      if (read && !told) {
        print_role(ceremony, file, hf_buf_bytes(&text), out);
      }
    }
  }
}

/* Anything else under the signature. */
static void print_others(const struct hf_ceremony_file *file, FILE *out)
{
  static const char *const known[] = {"_type", "spec_version", "version", "expires", "targets", "delegations"};
  struct hf_json name, value, other;
  struct hf_json_walk walk = hf_json_walk_init(file->next.body);
  while (hf_json_walk_member(&walk, &name, &value)) { /* bounded by the file */
    bool told = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
      told = told || hf_json_is(name, known[i]);
    }
    bool was = file->present.text.len > 0 && find_member(&other, file->present.body, name);
    if (!told && !(was && same_value(other, value))) {
      say(out, hf_say("  ~ member %s", say_text(name)));
    }
  }
}

void hf_ceremony_print(const struct hf_ceremony *ceremony, FILE *out)
{
  for (size_t i = 0; i < ceremony->count; i++) {
    const struct hf_ceremony_file *file = &ceremony->file[i];
    if (strcmp(file->name, "root") == 0) {
      print_root(ceremony, out);
      continue;
    }
    if (file->present.text.len > 0) {
      say(out, hf_say("%s.json: version %u (present: %u)", file->name, file->next.version, file->present.version));
    } else {
      say(out, hf_say("%s.json: version %u, its first", file->name, file->next.version));
    }
    print_expiry(out, file->present.text.len > 0 ? file->present.expires : 0, file->next.expires);
    print_targets_change(file, out);
    print_delegations(ceremony, file, out);
    print_others(file, out);
  }
  say(out, hf_say("first root of this fleet: SHA-256 %s", hf_say_hex(hf_bytes_init(ceremony->first, HF_SHA256_LEN))));
}

void hf_ceremony_print_status(const struct hf_ceremony *ceremony, FILE *out)
{
  for (size_t i = 0; i < ceremony->count; i++) {
    const struct hf_ceremony_file *file = &ceremony->file[i];
    struct hf_ceremony_rings rings;
    if (hf_ceremony_rings_get(&rings, ceremony, file, NULL) != HF_OK) {
      say(out, hf_say("%s.json: nobody may sign it", file->name));
      continue;
    }
    for (size_t k = 0; k < rings.count; k++) {
      const struct hf_tufkey_ring *ring = &rings.ring[k];
      bool enough = hf_tufkey_verify(&file->next, ring, &ceremony->limits, NULL) == HF_ALLOW;
      say(out, hf_say("%s.json, holders of %s: %u must sign, %s", file->name, rings.whose[k], ring->signers.threshold,
                      enough ? "enough have" : "NOT ENOUGH HAVE"));
      for (size_t key = 0; key < ring->count; key++) {
        if ((ring->signers.keys >> key & 1) != 0) {
          say(out, hf_say("  %s  %s", hf_ceremony_signed(ceremony, file, ring, key) ? "signed " : "missing",
                          say_key(&ring->key[key].pub)));
        }
      }
    }
  }
}
