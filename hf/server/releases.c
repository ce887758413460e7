/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/releases.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hf/codec/text.h"
#include "hf/server/auditlog.h"
#include "hf/server/devices.h"
#include "hf/server/files.h"
#include "hf/server/outbox.h"
#include "hf/server/registry.h"
#include "hf/server/repo.h"
#include "hf/server/rollout_set.h"
#include "hf/wire/image.h"
#include "hf/wire/uptane.h"

/* Uploads nobody published in so long are removed. */
#define UPLOAD_LIFE_S (7 * 86400)

/* One release at work. */
struct publication {
  struct hf_engine *engine;
  const struct hf_act *act;
  const struct hf_release_new *ask;
  struct hf_version version;
  char version_text[HF_VERSION_TEXT_MAX + 1];
  char hardware[HF_PRODUCT_HARDWARE_TEXT_MAX + 1]; /* of the product */
  struct hf_tuf_file file;                         /* the new targets */
  struct hf_bytes present;                         /* the present ones; heap */
  size_t count;
  struct hf_target_file entry[HF_RELEASE_PARTS_MAX];
  struct hf_target target[HF_RELEASE_PARTS_MAX];
  bool placed; /* the release states the order of installation */
  struct hf_release set; /* as rollouts will see it: parts by name, requirements */
  struct hf_why *why;
};

static enum hf_err refuse(struct publication *in, enum hf_rule rule, struct hf_json at, enum hf_err err)
{
  hf_why_put(in->why, rule, at.text.len == 0 ? 0 : hf_json_at(in->ask->targets, at));
  return err;
}

static struct hf_json nowhere(void) { return (struct hf_json){.text = {NULL, 0}}; }

/* ---- uploads ---- */

static enum hf_err upload_path(char path[PATH_MAX], const struct hf_engine *engine, const char *folder,
                               const uint8_t sha256[32])
{
  uint8_t room[96];
  struct hf_buf below = hf_buf_init(room, sizeof room);
  hf_buf_put_text(&below, folder);
  hf_hex_put(&below, hf_bytes_init(sha256, HF_SHA256_LEN));
  enum hf_err err = hf_buf_terminate(&below);
  return err == HF_OK ? hf_engine_path(path, PATH_MAX, engine, (const char *)room) : err;
}

static bool spool_name_check(struct hf_bytes name)
{
  for (size_t i = 0; i < name.len; i++) {
    if (name.at[i] == '/' || name.at[i] == 0) {
      return false;
    }
  }
  return name.len > 0 && name.len < 200 && name.at[0] != '.';
}

static enum hf_err upload_move(const char *to, const char *from, uint64_t length, const uint8_t sha256[32])
{
  struct stat about;
  enum hf_err err = hf_file_folders(to);
  if (err != HF_OK) {
    return err;
  }
  if (lstat(from, &about) != 0 || !S_ISREG(about.st_mode) || (uint64_t)about.st_size != length) {
    return HF_E_INPUT;
  }
  err = hf_file_copy(to, from, length, sha256); /* reads all of it: the hash is checked by us too */
  if (err == HF_OK) {
    (void)unlink(from);
  }
  return err;
}

static enum hf_err upload_audit(struct hf_engine *engine, const struct hf_act *act, const uint8_t sha256[32],
                                uint64_t length)
{
  uint8_t subject_room[2 * HF_SHA256_LEN];
  uint8_t detail_room[32];
  struct hf_buf subject = hf_buf_init(subject_room, sizeof subject_room);
  struct hf_buf detail = hf_buf_init(detail_room, sizeof detail_room);
  hf_hex_put(&subject, hf_bytes_init(sha256, HF_SHA256_LEN));
  hf_buf_put_uint(&detail, length);
  hf_buf_put_text(&detail, " bytes");
  return hf_auditlog_put(engine, act, "upload.put", hf_buf_bytes(&subject), hf_buf_bytes(&detail));
}

enum hf_err hf_upload_put(struct hf_engine *engine, const struct hf_act *act, struct hf_bytes spool,
                          const uint8_t sha256[32], uint64_t length)
{
  char from[PATH_MAX];
  char to[PATH_MAX];
  char below[256];
  if (!spool_name_check(spool)) {
    return HF_E_INPUT;
  }
  (void)snprintf(below, sizeof below, "spool/%.*s", (int)spool.len, (const char *)spool.at);
  enum hf_err err = hf_engine_path(from, sizeof from, engine, below);
  if (err == HF_OK) {
    err = upload_path(to, engine, "db/uploads/", sha256);
  }
  if (err == HF_OK) {
    err = upload_move(to, from, length, sha256);
  }
  if (err != HF_OK) {
    return err;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(engine->db, "INSERT INTO upload (sha256, length, created) VALUES (?, ?, ?) ON CONFLICT (sha256)"
                               " DO UPDATE SET created = excluded.created");
  hf_stmt_put_bytes(stmt, hf_bytes_init(sha256, HF_SHA256_LEN));
  hf_stmt_put_int(stmt, (int64_t)length);
  hf_stmt_put_int(stmt, act->now);
  err = hf_stmt_run(stmt);
  return err == HF_OK ? upload_audit(engine, act, sha256, length) : hf_engine_poison(engine, err);
}

/* Is it there with this length? A length of 0 asks for any. */
static enum hf_err upload_check(struct publication *in, const uint8_t sha256[32], uint64_t length, enum hf_rule rule,
                                struct hf_json at)
{
  int64_t stored = 0;
  struct hf_stmt *stmt = hf_stmt_open(in->engine->db, "SELECT length FROM upload WHERE sha256 = ?");
  hf_stmt_put_bytes(stmt, hf_bytes_init(sha256, HF_SHA256_LEN));
  enum hf_err err = hf_stmt_run_int(stmt, &stored);
  if (err == HF_E_NOT_FOUND || (err == HF_OK && length != 0 && (uint64_t)stored != length)) {
    return refuse(in, rule, at, HF_E_NOT_FOUND);
  }
  return err;
}

static enum hf_err upload_forget(struct hf_engine *engine, const uint8_t sha256[32])
{
  char path[PATH_MAX];
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "DELETE FROM upload WHERE sha256 = ?");
  hf_stmt_put_bytes(stmt, hf_bytes_init(sha256, HF_SHA256_LEN));
  enum hf_err err = hf_stmt_run(stmt);
  if (err == HF_OK) {
    err = upload_path(path, engine, "db/uploads/", sha256);
  }
  if (err == HF_OK) {
    (void)unlink(path);
  }
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

enum hf_err hf_upload_tick(struct hf_engine *engine, int64_t now)
{
  uint8_t sha256[HF_SHA256_LEN];
  struct hf_stmt *stmt = hf_stmt_open(engine->db, "SELECT sha256 FROM upload WHERE created < ? LIMIT 1");
  hf_stmt_put_int(stmt, now - UPLOAD_LIFE_S);
  enum hf_err err = hf_stmt_next(stmt);
  struct hf_bytes found = err == HF_OK ? hf_stmt_get_bytes(stmt, 0) : hf_bytes_init(NULL, 0);
  bool sound = found.len == sizeof sha256;
  if (sound) {
    memcpy(sha256, found.at, sizeof sha256);
  }
  hf_stmt_close(stmt);
  return err == HF_OK && sound ? upload_forget(engine, sha256) : err == HF_E_NOT_FOUND ? HF_OK : err;
}

/* ---- what the targets say ---- */

static bool value_same(struct hf_json a, struct hf_json b) { return hf_bytes_equal(a.text, b.text); }

/* The new file must hold all that is published now, letter for letter, and nothing new beside this release. Both are in
 * ascending order, as every TUF writer emits them, so one walk over both is enough. */
static enum hf_err targets_compare(struct publication *in, const struct hf_tuf_file *present)
{
  struct hf_json_walk old_walk = hf_json_walk_init(hf_tuf_targets(present));
  struct hf_json_walk new_walk = hf_json_walk_init(hf_tuf_targets(&in->file));
  struct hf_json old_name;
  struct hf_json old_value;
  struct hf_json name;
  struct hf_json value;
  bool more = hf_json_walk_member(&old_walk, &old_name, &old_value);
  while (hf_json_walk_member(&new_walk, &name, &value)) {
    if (more && value_same(name, old_name)) {
      if (!value_same(value, old_value)) {
        return refuse(in, HF_RULE_RELEASE_CHANGED, value, HF_E_INPUT);
      }
      more = hf_json_walk_member(&old_walk, &old_name, &old_value);
      continue;
    }
    if (in->count == HF_RELEASE_PARTS_MAX) {
      return refuse(in, HF_RULE_RELEASE_TARGET, name, HF_E_INPUT);
    }
    if (hf_target_file_parse(&in->entry[in->count], name, value, in->why) != HF_OK ||
        hf_target_parse(&in->target[in->count], in->entry[in->count].custom, in->why) != HF_OK) {
      return HF_E_INPUT;
    }
    in->count++;
  }
  if (more) {
    return refuse(in, HF_RULE_RELEASE_CHANGED, nowhere(), HF_E_INPUT);
  }
  return in->count > 0 ? HF_OK : refuse(in, HF_RULE_RELEASE_NO_TARGET, nowhere(), HF_E_INPUT);
}

static enum hf_err targets_read(struct publication *in)
{
  struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_file present;
  if (hf_tuf_parse(&in->file, in->ask->targets, HF_TUF_TARGETS, &limits, in->why) != HF_OK) {
    return HF_E_DENIED;
  }
  struct hf_bytes role = in->ask->role.len > 0 ? in->ask->role : HF_LIT("targets");
  enum hf_err err = hf_repo_load(in->engine, &in->present, role);
  if (err == HF_E_NOT_FOUND) {
    return refuse(in, HF_RULE_TARGETS_UNDELEGATED, nowhere(), HF_E_INPUT);
  }
  if (err == HF_OK) {
    err = hf_tuf_parse(&present, in->present, HF_TUF_TARGETS, &limits, NULL) == HF_OK ? HF_OK : HF_E_IO;
  }
  if (err == HF_OK && in->file.version <= present.version) {
    err = refuse(in, HF_RULE_RELEASE_STALE, in->file.body, HF_E_DENIED);
  }
  return err == HF_OK ? targets_compare(in, &present) : err;
}

static bool path_is(const struct hf_target_file *entry, const struct hf_target *target)
{
  uint8_t room[HF_TARGET_PATH_MAX];
  struct hf_buf path = hf_buf_init(room, sizeof room);
  hf_target_put_path(&path, target->product, &target->version, target->component);
  return hf_bytes_equal(hf_buf_bytes(&path), entry->path);
}

static bool same_hardware(const struct hf_target *a, const struct hf_target *b)
{
  bool same = a->hardware_count == b->hardware_count;
  for (size_t i = 0; same && i < a->hardware_count; i++) {
    same = hf_bytes_equal(a->hardware[i], b->hardware[i]);
  }
  return same;
}

static void requires_put(struct hf_buf *out, const struct hf_target *target, size_t *comparisons)
{
  for (size_t i = 0; i < target->requires_count; i++) {
    struct hf_range range;
    hf_buf_put_text(out, out->len > 0 ? ";" : "");
    hf_buf_put(out, target->requires[i].component);
    hf_buf_put_u8(out, ' ');
    hf_buf_put(out, target->requires[i].range);
    *comparisons += hf_range_parse(&range, target->requires[i].range, NULL) == HF_OK ? range.count : 0;
  }
}

/* What the images require of each other must come with them; of other components each device is asked. */
static enum hf_err requires_check(struct publication *in)
{
  struct hf_release *set = &in->set;
  struct hf_buf text = hf_buf_init(set->requires, sizeof set->requires);
  size_t comparisons = 0;
  set->version = in->version;
  for (size_t i = 0; i < in->count; i++) {
    struct hf_release_part *part = &set->part[set->part_count++];
    part->name_len = (uint8_t)in->target[i].component.len;
    memcpy(part->name, in->target[i].component.at, part->name_len);
    requires_put(&text, &in->target[i], &comparisons);
  }
  set->requires_len = (uint16_t)text.len;
  if (text.failed || comparisons > HF_UPTANE_NEEDS_MAX || !hf_release_requires_check(set)) {
    return refuse(in, HF_RULE_RELEASE_REQUIRES, in->entry[0].custom, HF_E_INPUT);
  }
  return HF_OK;
}

/* Each image a place of its own, or none has one. */
static enum hf_err places_check(struct publication *in)
{
  unsigned taken = 0;
  bool twice = false;
  in->placed = false;
  for (size_t i = 0; i < in->count; i++) {
    unsigned bit = 1u << in->target[i].place;
    twice = twice || (taken & bit) != 0;
    taken |= bit;
    in->placed = in->placed || in->target[i].place != 0;
  }
  return twice && in->placed ? refuse(in, HF_RULE_RELEASE_ORDER, in->entry[0].custom, HF_E_INPUT) : HF_OK;
}

/* All parts of one release go to the same devices at the same time. */
static enum hf_err target_check(struct publication *in, size_t i)
{
  const struct hf_target *target = &in->target[i];
  const struct hf_target *first = &in->target[0];
  struct hf_json at = in->entry[i].custom;
  bool fits = hf_bytes_equal(target->product, in->ask->product) &&
              hf_version_order(&target->version, &in->version) == 0 && target->security == in->ask->security &&
              path_is(&in->entry[i], target) && hf_bytes_equal(target->from, first->from) &&
              same_hardware(target, first);
  if (!fits) {
    return refuse(in, HF_RULE_RELEASE_TARGET, at, HF_E_INPUT);
  }
  for (size_t k = 0; k < target->hardware_count; k++) {
    if (!hf_release_hardware_has(hf_bytes_text(in->hardware), target->hardware[k])) {
      return refuse(in, HF_RULE_RELEASE_HARDWARE, at, HF_E_INPUT);
    }
  }
  bool sbom = target->has_sbom == (in->ask->sbom.len > 0);
  if (sbom && target->has_sbom) {
    sbom = in->ask->sbom.len == HF_SHA256_LEN && memcmp(in->ask->sbom.at, target->sbom, HF_SHA256_LEN) == 0;
  }
  return sbom ? upload_check(in, in->entry[i].sha256, in->entry[i].length, HF_RULE_RELEASE_UPLOAD, at)
              : refuse(in, HF_RULE_RELEASE_SBOM, at, HF_E_INPUT);
}

/* ---- what the images say ---- */

static enum hf_err image_read(void *ctx, uint32_t at, void *out, uint32_t len)
{
  const int *fd = ctx;
  ssize_t got = pread(*fd, out, len, (off_t)at);
  return got == (ssize_t)len ? HF_OK : HF_E_IO;
}

static bool image_fits(const struct hf_image_info *info, const struct hf_target *target,
                       const uint8_t digest[HF_SHA256_LEN])
{
  bool fits = hf_version_order(&info->version, &target->version) == 0 && info->has_counter &&
              info->counter == target->counter && memcmp(info->digest, target->image, sizeof info->digest) == 0 &&
              memcmp(info->digest, digest, sizeof info->digest) == 0 && info->sig_type != HF_KEY_NONE;
  fits = fits && (info->product.len == 0 || hf_bytes_equal(hf_image_text_bytes(&info->product), target->product));
  fits = fits && (info->component.len == 0 || hf_bytes_equal(hf_image_text_bytes(&info->component), target->component));
  fits = fits && (!info->has_sbom || (target->has_sbom && memcmp(info->sbom, target->sbom, sizeof info->sbom) == 0));
  for (size_t i = 0; fits && info->hardware_count > 0 && i < target->hardware_count; i++) {
    fits = hf_image_info_has_hardware(info, target->hardware[i]);
  }
  return fits;
}

/* Whether the image is signed by a key the devices know, they decide; that it is what the targets call it, is checked
 * here. */
static enum hf_err image_check(struct publication *in, size_t i)
{
  char path[PATH_MAX];
  struct hf_image_info info;
  uint8_t digest[HF_SHA256_LEN];
  struct hf_why why = {.rule = HF_RULE_NONE};
  enum hf_err err = upload_path(path, in->engine, "db/uploads/", in->entry[i].sha256);
  if (err != HF_OK) {
    return err;
  }
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    return errno == ENOENT ? refuse(in, HF_RULE_RELEASE_UPLOAD, in->entry[i].custom, HF_E_NOT_FOUND) : HF_E_IO;
  }
  const struct hf_image_source source = {.read = image_read, .ctx = &fd, .size = in->entry[i].length};
  err = hf_image_parse(&info, &source, &why);
  if (err == HF_OK && (info.flags & HF_IMAGE_ENCRYPTED) != 0) {
    /* The digest is over the plain program, which nobody here can see; the devices check it. */
    memcpy(digest, info.digest, sizeof digest);
  } else if (err == HF_OK) {
    err = hf_image_hash(digest, &info, &source);
  }
  (void)close(fd);
  if (err == HF_E_INPUT) {
    hf_why_put(in->why, (enum hf_rule)why.rule, why.at);
    return err;
  }
  return err == HF_OK && !image_fits(&info, &in->target[i], digest)
             ? refuse(in, HF_RULE_RELEASE_IMAGE, in->entry[i].custom, HF_E_INPUT)
             : err;
}

/* ---- publishing ---- */

static enum hf_err ask_check(struct publication *in)
{
  int64_t count = 0;
  if (hf_version_parse(&in->version, in->ask->version, NULL) != HF_OK) {
    return refuse(in, HF_RULE_RELEASE_VERSION, nowhere(), HF_E_INPUT);
  }
  struct hf_buf text = hf_buf_init(in->version_text, HF_VERSION_TEXT_MAX);
  hf_version_put(&text, &in->version);
  struct hf_stmt *stmt = hf_stmt_open(in->engine->db, "SELECT hardware FROM product WHERE name = ?");
  hf_stmt_put_text(stmt, in->ask->product);
  enum hf_err err = hf_stmt_next(stmt);
  if (err == HF_OK) {
    hf_text_copy(in->hardware, sizeof in->hardware, hf_stmt_get_bytes(stmt, 0));
  }
  hf_stmt_close(stmt);
  if (err != HF_OK) {
    return err == HF_E_NOT_FOUND ? refuse(in, HF_RULE_RELEASE_PRODUCT, nowhere(), HF_E_NOT_FOUND) : err;
  }
  stmt = hf_stmt_open(in->engine->db, "SELECT count(*) FROM release WHERE product = ? AND version = ?");
  hf_stmt_put_text(stmt, in->ask->product);
  hf_stmt_put_text(stmt, hf_bytes_text(in->version_text));
  err = hf_stmt_run_int(stmt, &count);
  return err == HF_OK && count > 0 ? refuse(in, HF_RULE_RELEASE_EXISTS, nowhere(), HF_E_EXISTS) : err;
}

static enum hf_err release_put(struct publication *in)
{
  const struct hf_target *first = &in->target[0];
  uint8_t room[HF_TARGET_HARDWARE_MAX * (HF_HARDWARE_ID_MAX + 1)];
  struct hf_buf hardware = hf_buf_init(room, sizeof room);
  uint32_t counter = 0;
  for (size_t i = 0; i < first->hardware_count; i++) {
    hf_buf_put_text(&hardware, i > 0 ? " " : "");
    hf_buf_put(&hardware, first->hardware[i]);
  }
  for (size_t i = 0; i < in->count; i++) {
    counter = in->target[i].counter > counter ? in->target[i].counter : counter;
  }
  struct hf_stmt *stmt = hf_stmt_open(
      in->engine->db,
      "INSERT INTO release (product, version, version_key, counter, security, from_range, hardware, notes,"
      " sbom, created, created_by, targets_version, requires) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
      " (SELECT coalesce(max(targets_version), 0) + 1 FROM release), ?)");
  hf_stmt_put_text(stmt, in->ask->product);
  hf_stmt_put_text(stmt, hf_bytes_text(in->version_text));
  hf_stmt_put_int(stmt, hf_release_version_key(&in->version));
  hf_stmt_put_int(stmt, counter);
  hf_stmt_put_int(stmt, in->ask->security);
  hf_stmt_put_text(stmt, first->from);
  hf_stmt_put_text(stmt, hf_buf_bytes(&hardware));
  hf_stmt_put_text(stmt, in->ask->notes);
  if (first->has_sbom) {
    hf_stmt_put_bytes(stmt, hf_bytes_init(first->sbom, sizeof first->sbom));
  } else {
    hf_stmt_put_null(stmt);
  }
  hf_stmt_put_int(stmt, in->act->now);
  hf_stmt_put_text(stmt, in->act->who);
  hf_stmt_put_text(stmt, hf_bytes_init(in->set.requires, in->set.requires_len));
  return hf_stmt_run(stmt);
}

/* The order of installation is what the release states; one that states none is installed by ascending paths. */
static int64_t place_of(const struct publication *in, size_t i)
{
  return in->placed ? in->target[i].place : (int64_t)i;
}

static enum hf_err artifact_put(struct publication *in, size_t i)
{
  struct hf_stmt *stmt = hf_stmt_open(
      in->engine->db, "INSERT INTO artifact (product, version, component, place, path, length, sha256, digest, counter)"
                      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  hf_stmt_put_text(stmt, in->ask->product);
  hf_stmt_put_text(stmt, hf_bytes_text(in->version_text));
  hf_stmt_put_text(stmt, in->target[i].component);
  hf_stmt_put_int(stmt, place_of(in, i));
  hf_stmt_put_text(stmt, in->entry[i].path);
  hf_stmt_put_int(stmt, in->entry[i].length);
  hf_stmt_put_bytes(stmt, hf_bytes_init(in->entry[i].sha256, HF_SHA256_LEN));
  hf_stmt_put_bytes(stmt, hf_bytes_init(in->target[i].image, HF_SHA256_LEN));
  hf_stmt_put_int(stmt, in->target[i].counter);
  return hf_stmt_run(stmt);
}

static enum hf_err files_put(struct publication *in)
{
  char from[PATH_MAX];
  char to[PATH_MAX];
  enum hf_err err = HF_OK;
  for (size_t i = 0; i < in->count && err == HF_OK; i++) {
    err = upload_path(from, in->engine, "db/uploads/", in->entry[i].sha256);
    err = err == HF_OK ? hf_repo_put_target(in->engine, &in->entry[i], from) : err;
  }
  if (err != HF_OK || in->ask->sbom.len == 0) {
    return err == HF_E_INPUT ? refuse(in, HF_RULE_RELEASE_UPLOAD, nowhere(), err) : err;
  }
  struct hf_bytes sbom;
  err = upload_path(from, in->engine, "db/uploads/", in->ask->sbom.at);
  err = err == HF_OK ? upload_path(to, in->engine, "db/sbom/", in->ask->sbom.at) : err;
  err = err == HF_OK ? hf_file_folders(to) : err;
  err = err == HF_OK ? hf_file_load(&sbom, from, SIZE_MAX / 2) : err;
  if (err == HF_OK) {
    err = hf_file_put(to, sbom);
    free((uint8_t *)(uintptr_t)sbom.at);
  }
  return err;
}

static enum hf_err rows_put(struct publication *in)
{
  enum hf_err err = release_put(in);
  for (size_t i = 0; i < in->count && err == HF_OK; i++) {
    err = artifact_put(in, i);
  }
  return err == HF_OK ? HF_OK : hf_engine_poison(in->engine, err);
}

static enum hf_err tell(struct publication *in)
{
  uint8_t room[HF_PRODUCT_MAX + HF_VERSION_TEXT_MAX + 2];
  struct hf_buf subject = hf_buf_init(room, sizeof room);
  hf_buf_put(&subject, in->ask->product);
  hf_buf_put_text(&subject, "/");
  hf_buf_put_text(&subject, in->version_text);
  hf_engine_touch(in->engine, HF_PULSE_RELEASE);
  enum hf_err err = hf_auditlog_put(in->engine, in->act, "release.publish", hf_buf_bytes(&subject),
                                    in->ask->security ? HF_LIT("security release") : HF_LIT("release"));
  return err == HF_OK ? hf_outbox_put(in->engine, "release.published", hf_buf_bytes(&subject),
                                      in->ask->notes.len > 500 ? HF_LIT("published") : in->ask->notes, in->act->now)
                      : err;
}

static enum hf_err publish(struct publication *in)
{
  enum hf_err err = ask_check(in);
  if (err == HF_OK) {
    err = targets_read(in);
  }
  for (size_t i = 0; i < in->count && err == HF_OK; i++) {
    err = target_check(in, i);
    err = err == HF_OK ? image_check(in, i) : err;
  }
  if (err == HF_OK) {
    err = requires_check(in);
  }
  if (err == HF_OK) {
    err = places_check(in);
  }
  if (err == HF_OK && in->ask->sbom.len > 0) {
    err = upload_check(in, in->ask->sbom.at, 0, HF_RULE_RELEASE_SBOM, nowhere());
  }
  if (err == HF_OK) {
    err = files_put(in);
  }
  if (err == HF_OK) {
    const struct hf_repo_file file = {.name = in->ask->role.len > 0 ? in->ask->role : HF_LIT("targets"),
                                      .text = in->ask->targets};
    const struct hf_repo_set set = {.files = &file, .count = 1};
    err = hf_repo_publish_set(in->engine, &set, in->act->now, in->why);
  }
  if (err == HF_OK) {
    err = rows_put(in);
  }
  return err == HF_OK ? tell(in) : err;
}

enum hf_err hf_release_publish(struct hf_engine *engine, const struct hf_act *act, const struct hf_release_new *release,
                               struct hf_why *why)
{
  struct publication *in = calloc(1, sizeof *in);
  if (in == NULL) {
    return HF_E_IO;
  }
  in->engine = engine;
  in->act = act;
  in->ask = release;
  in->why = why;
  enum hf_err err = publish(in);
  if (err == HF_OK) {
    err = hf_rollout_set_load(engine, release->product); /* a stepping stone may be new */
  }
  free((uint8_t *)(uintptr_t)in->present.at);
  free(in);
  return err;
}

/* ---- reading them back ---- */

static enum hf_err parts_load(struct hf_release *release, struct hf_db *db, struct hf_bytes product,
                              struct hf_bytes version)
{
  struct hf_stmt *stmt = hf_stmt_open(
      db, "SELECT component, counter, digest FROM artifact WHERE product = ? AND version = ? ORDER BY place LIMIT 4");
  hf_stmt_put_text(stmt, product);
  hf_stmt_put_text(stmt, version);
  enum hf_err err = hf_stmt_next(stmt);
  while (err == HF_OK && release->part_count < HF_RELEASE_PARTS_MAX) {
    struct hf_release_part *part = &release->part[release->part_count++];
    struct hf_bytes name = hf_stmt_get_bytes(stmt, 0);
    struct hf_bytes digest = hf_stmt_get_bytes(stmt, 2);
    if (name.len > sizeof part->name || digest.len != sizeof part->digest) {
      err = HF_E_INPUT;
      break;
    }
    part->name_len = (uint8_t)name.len;
    memcpy(part->name, name.at, name.len);
    memcpy(part->digest, digest.at, digest.len);
    part->counter = (uint32_t)hf_stmt_get_int(stmt, 1);
    err = hf_stmt_next(stmt);
  }
  hf_stmt_close(stmt);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

static enum hf_err row_take(struct hf_release *release, struct hf_db *db, struct hf_stmt *stmt, struct hf_bytes product)
{
  struct hf_bytes from = hf_stmt_get_bytes(stmt, 1);
  struct hf_bytes hardware = hf_stmt_get_bytes(stmt, 2);
  struct hf_bytes needs = hf_stmt_get_bytes(stmt, 4);
  *release = (struct hf_release){.security = hf_stmt_get_int(stmt, 3) != 0};
  if (hf_version_parse(&release->version, hf_stmt_get_bytes(stmt, 0), NULL) != HF_OK ||
      from.len > sizeof release->from || hardware.len > sizeof release->hardware ||
      needs.len > sizeof release->requires) {
    return HF_E_INPUT;
  }
  release->from_len = (uint8_t)from.len;
  memcpy(release->from, from.at, from.len);
  release->hardware_len = (uint16_t)hardware.len;
  memcpy(release->hardware, hardware.at, hardware.len);
  release->requires_len = (uint16_t)needs.len;
  if (needs.len > 0) {
    memcpy(release->requires, needs.at, needs.len);
  }
  return parts_load(release, db, product, hf_stmt_get_bytes(stmt, 0));
}

enum hf_err hf_release_load(struct hf_release **releases, size_t *count, struct hf_db *db, struct hf_bytes product)
{
  struct hf_release *made = calloc(HF_RELEASES_MAX, sizeof *made);
  size_t n = 0;
  if (made == NULL) {
    return HF_E_IO;
  }
  struct hf_stmt *stmt =
      hf_stmt_open(db, "SELECT version, from_range, hardware, security, requires FROM release WHERE product = ?"
                       " ORDER BY version_key DESC LIMIT 256");
  hf_stmt_put_text(stmt, product);
  enum hf_err err = hf_stmt_next(stmt);
  while (err == HF_OK && n < HF_RELEASES_MAX) {
    err = row_take(&made[n], db, stmt, product);
    n++;
    err = err == HF_OK ? hf_stmt_next(stmt) : err;
  }
  hf_stmt_close(stmt);
  if (err != HF_E_NOT_FOUND && err != HF_OK) {
    free(made);
    return err;
  }
  *releases = made;
  *count = n;
  return HF_OK;
}
