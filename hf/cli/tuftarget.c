/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/cli/tuftarget.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hf/cli/output.h"
#include "hf/cli/term.h"
#include "hf/codec/text.h"

/** What the metadata says of a target. */
struct expected {
  uint64_t length;
  bool has_sha256;
  bool has_sha512;
  uint8_t sha256[HF_SHA256_LEN];
  uint8_t sha512[HF_SHA512_LEN];
};

/** Bytes on their way to the file. */
struct taking {
  const struct expected *expected;
  struct hf_folder_draft draft;
  uint64_t length;
  struct hf_sha256 sha256;
  struct hf_sha512 sha512;
};

static bool get_hash(uint8_t *out, size_t len, bool *has, struct hf_json hashes, const char *name)
{
  struct hf_json value;
  *has = hf_json_get(&value, hashes, name) == HF_OK;
  return !*has || hf_json_get_hex(out, len, value) == HF_OK;
}

static enum hf_err read_entry(struct expected *expected, struct hf_json entry, const char *name)
{
  struct hf_json value;
  int64_t length;
  memset(expected, 0, sizeof *expected);
  bool good = hf_json_get(&value, entry, "length") == HF_OK && hf_json_get_int(&length, value) == HF_OK &&
              length >= 0 && hf_json_get(&value, entry, "hashes") == HF_OK && hf_json_type(value) == HF_JSON_OBJECT &&
              get_hash(expected->sha256, HF_SHA256_LEN, &expected->has_sha256, value, "sha256") &&
              get_hash(expected->sha512, HF_SHA512_LEN, &expected->has_sha512, value, "sha512");
  struct hf_why why = {.rule = HF_RULE_NONE};
  if (!good) {
    why.rule = HF_RULE_TUF_TARGET;
  } else if (!expected->has_sha256 && !expected->has_sha512) {
    why.rule = HF_RULE_TUF_HASH_UNKNOWN;
  } else {
    expected->length = (uint64_t)length;
    return HF_OK;
  }
  hf_complain_why(name, &why);
  return HF_E_INPUT;
}

/* ---- bytes ---- */

static void begin(struct taking *taking, const struct expected *expected)
{
  taking->expected = expected;
  taking->length = 0;
  hf_sha256_init(&taking->sha256);
  hf_sha512_init(&taking->sha512);
}

static void count(struct taking *taking, struct hf_bytes bytes)
{
  taking->length += bytes.len;
  hf_sha256_put(&taking->sha256, bytes);
  hf_sha512_put(&taking->sha512, bytes);
}

static enum hf_verdict verify(struct taking *taking, struct hf_why *why)
{
  uint8_t hash[HF_SHA512_LEN];
  const struct expected *expected = taking->expected;
  if (taking->length != expected->length) {
    hf_why_put(why, HF_RULE_TUF_LENGTH, 0);
    return HF_DENY;
  }
  hf_sha256_get(&taking->sha256, hash);
  bool same = !expected->has_sha256 || hf_secret_equal(hash, expected->sha256, HF_SHA256_LEN);
  hf_sha512_get(&taking->sha512, hash);
  same = same && (!expected->has_sha512 || hf_secret_equal(hash, expected->sha512, HF_SHA512_LEN));
  if (!same) {
    hf_why_put(why, HF_RULE_TUF_HASH, 0);
  }
  return same ? HF_ALLOW : HF_DENY;
}

/* Is the file of this name the target already? */
static bool is_there(const struct hf_folder *folder, const char *name, const struct expected *expected)
{
  struct taking taking;
  uint8_t room[16384];
  enum hf_err err;
  int file = hf_folder_read(folder, name, &err);
  if (file < 0) {
    return false;
  }
  begin(&taking, expected);
  ssize_t got = 1;
  while (got > 0 && taking.length <= expected->length) {
    got = read(file, room, sizeof room);
    count(&taking, hf_bytes_init(room, got > 0 ? (size_t)got : 0));
  }
  close(file);
  return got == 0 && verify(&taking, NULL) == HF_ALLOW;
}

static enum hf_err take(void *ctx, struct hf_bytes bytes)
{
  struct taking *taking = ctx;
  if (bytes.len > taking->expected->length - taking->length) {
    return HF_E_SPACE;
  }
  count(taking, bytes);
  return hf_folder_draft_put(&taking->draft, bytes);
}

/* ---- addresses ---- */

/* The path below the base address; with consistent snapshots a hash is put in front of its last part (section 5.7.3).
 * Slashes stay; what a URL cannot hold is encoded. */
static const char *make_url(char out[HF_TUFFETCH_URL_MAX], const struct hf_tufrun_target *target, struct hf_bytes hash)
{
  static const char digits[] = "0123456789ABCDEF";
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  struct hf_buf url = hf_buf_init(out, HF_TUFFETCH_URL_MAX);
  const char *slash = strrchr(target->name, '/');
  const char *last = slash == NULL ? target->name : slash + 1;
  size_t base = strlen(target->url);
  hf_buf_put_text(&url, target->url);
  if (base == 0 || target->url[base - 1] != '/') {
    hf_buf_put_u8(&url, '/');
  }
  for (const char *at = target->name;; at++) {
    if (at == last && hash.len > 0) {
      hf_hex_put(&url, hash);
      hf_buf_put_u8(&url, '.');
    }
    if (*at == '\0') {
      break;
    }
    if (strchr(plain, *at) != NULL) {
      hf_buf_put_u8(&url, (uint8_t)*at);
    } else {
      hf_buf_put_u8(&url, '%');
      hf_buf_put_u8(&url, (uint8_t)digits[(unsigned char)*at >> 4]);
      hf_buf_put_u8(&url, (uint8_t)digits[*at & 15]);
    }
  }
  return hf_buf_terminate(&url) == HF_OK ? out : NULL;
}

/* ---- fetching ---- */

static enum hf_err refuse_fetch(const struct hf_tufrun *run, const char *url, enum hf_tufclient_got got)
{
  if (got == HF_TUFCLIENT_TOO_LONG) {
    struct hf_why why = {.rule = HF_RULE_TUF_TOO_LONG};
    hf_complain_why(url, &why);
    return HF_E_DENIED;
  }
  hf_complain(url, "check the address and the server, and try again", "cannot be fetched: %s",
              hf_tuffetch_why(run->fetch));
  return got == HF_TUFCLIENT_NOT_FOUND ? HF_E_NOT_FOUND : HF_E_AGAIN;
}

static enum hf_err fetch_to(struct hf_tufrun *run, struct taking *taking, const char *url, const char *file)
{
  struct hf_why why = {0};
  enum hf_tufclient_got got = hf_tuffetch_get(run->fetch, url, true, (struct hf_tuffetch_sink){take, taking});
  if (got != HF_TUFCLIENT_BYTES) {
    return refuse_fetch(run, url, got);
  }
  if (verify(taking, &why) != HF_ALLOW) {
    hf_complain_why(url, &why);
    return HF_E_DENIED;
  }
  enum hf_err err = hf_folder_draft_keep(&taking->draft, file);
  if (err != HF_OK) {
    hf_disk_complain(err, "write", file);
  }
  return err;
}

enum hf_err hf_tuftarget_get(struct hf_tufrun *run, const struct hf_tufrun_target *target, struct hf_json entry)
{
  char file[HF_FOLDER_NAME_MAX];
  char url[HF_TUFFETCH_URL_MAX];
  struct expected expected;
  struct taking taking = {.expected = &expected};
  enum hf_err err = read_entry(&expected, entry, target->name);
  if (err != HF_OK) {
    return err;
  }
  hf_folder_name(file, hf_bytes_text(target->name), "");
  if (is_there(target->folder, file, &expected)) {
    printf("%s/%s\n", target->folder->path, file);
    return HF_OK;
  }
  struct hf_bytes hash = expected.has_sha256 ? hf_bytes_init(expected.sha256, HF_SHA256_LEN)
                                             : hf_bytes_init(expected.sha512, HF_SHA512_LEN);
  if (make_url(url, target, run->trust.root.consistent_snapshot ? hash : (struct hf_bytes){NULL, 0}) == NULL) {
    hf_complain(target->name, "use a shorter name", "its address is too long");
    return HF_E_SPACE;
  }
  err = hf_folder_draft_open(&taking.draft, target->folder);
  if (err != HF_OK) {
    hf_disk_complain(err, "write", target->folder->path);
    return err;
  }
  begin(&taking, &expected);
  err = fetch_to(run, &taking, url, file);
  hf_folder_draft_drop(&taking.draft);
  if (err == HF_OK) {
    printf("%s/%s\n", target->folder->path, file);
  }
  return err;
}
