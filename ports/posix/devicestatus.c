/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/devicestatus.h"

#include <stdio.h>
#include <string.h>

#include "hf/base/time.h"
#include "hf/codec/json.h"
#include "hf/device/update.h"
#include "ports/posix/diskfile.h"
#include "ports/posix/identity.h"
#include "ports/posix/retained.h"
#include "ports/posix/words.h"

/* A put in the other process may be caught in the middle; the next look finds it whole. */
#define TRIES 5

struct status {
  struct hf_deviceconf conf;
  struct hf_bootstate boot;
  struct hf_retained retained;
  struct hf_update_progress progress;
  uint32_t pending; /* events the server has not acknowledged */
  uint32_t lost;
  int64_t begins, ends; /* operational certificate; 0: none */
  bool factory;
  enum hf_key_home home;
  bool running;
};

static enum hf_err read_store(struct status *status, const struct hf_layout *layout)
{
  struct hf_store store;
  struct hf_events events;
  static uint8_t work[HF_UPDATE_WORK_MIN];
  const struct hf_update_setup setup = {.layout = layout, .work = work, .work_cap = sizeof work};
  struct hf_update update = {.store = &store, .events = &events, .records.running = {status->boot.image[0].active}};
  enum hf_err err = hf_store_open(&store, &layout->store);
  if (err == HF_OK) {
    hf_events_open(&events, &store);
  }
  if (err == HF_OK) {
    err = hf_update_open(&update, &setup);
  }
  if (err == HF_OK) {
    status->pending = events.last - events.acked;
    status->lost = hf_events_lost(&events);
    status->progress = update.progress;
  }
  return err;
}

static enum hf_err read_flash(struct status *status, int folder, struct hf_trouble *trouble)
{
  const struct hf_flashfile_place place = {.folder = folder, .name = "flash.bin"};
  const struct hf_flashfile_geometry geometry = hf_deviceconf_geometry(&status->conf);
  struct hf_flashfile flash;
  struct hf_layout layout;
  enum hf_err err = hf_flashfile_open(&flash, &place, &geometry, HF_FLASHFILE_LOOK, trouble);
  if (err != HF_OK) {
    return err;
  }
  hf_flashfile_layout(&layout, &flash, &geometry);
  for (int i = 0; i < TRIES; i++) {
    err = hf_bootstate_get(&status->boot, &layout.boot);
    if (err == HF_OK) {
      err = read_store(status, &layout);
    }
    if (err == HF_OK) {
      break;
    }
  }
  hf_flashfile_close(&flash);
  if (err != HF_OK) {
    hf_trouble_put(trouble, "flash.bin", "restore the flash file from a copy, or provision the device anew",
                   "the device's records cannot be read (%s)", hf_err_name(err));
  }
  return err;
}

static enum hf_err read_status(struct status *status, int folder, struct hf_trouble *trouble)
{
  struct hf_identity identity;
  enum hf_err err = hf_deviceconf_get(&status->conf, folder, trouble);
  if (err == HF_OK) {
    err = read_flash(status, folder, trouble);
  }
  if (err != HF_OK) {
    return err;
  }
  if (hf_retained_get(&status->retained, folder) != HF_OK) {
    memset(&status->retained, 0, sizeof status->retained);
  }
  const struct hf_flashfile_place place = {.folder = folder, .name = "flash.bin"};
  status->running = hf_flashfile_owned(&place);
  err = hf_identity_look(&identity, folder, status->conf.device, trouble);
  if (err == HF_OK) {
    status->begins = hf_identity_begins(identity.device_pair.cert);
    status->ends = hf_identity_ends(identity.device_pair.cert);
    status->factory = identity.factory.cert != NULL;
    status->home = hf_identity_home(&identity);
    hf_identity_close(&identity);
  }
  return err;
}

static uint32_t percent_of(const struct hf_update_progress *progress)
{
  return progress->len == 0 || progress->at > progress->len ? 0
                                                            : (uint32_t)((uint64_t)progress->at * 100u / progress->len);
}

/* ---- for programs ---- */

static void put_text(struct hf_buf *out, const char *name, const char *text)
{
  hf_json_put_name(out, name);
  hf_json_put_text(out, hf_bytes_text(text));
}

static void put_int(struct hf_buf *out, const char *name, int64_t number)
{
  hf_json_put_name(out, name);
  hf_json_put_int(out, number);
}

static void put_bool(struct hf_buf *out, const char *name, bool flag)
{
  hf_json_put_name(out, name);
  hf_buf_put_text(out, flag ? "true" : "false");
}

static void put_version(struct hf_buf *out, const char *name, const struct hf_version *version)
{
  uint8_t text[HF_VERSION_TEXT_MAX];
  struct hf_buf buf = hf_buf_init(text, sizeof text);
  hf_version_put(&buf, version);
  hf_json_put_name(out, name);
  hf_json_put_text(out, hf_buf_bytes(&buf));
}

static void put_slots(struct hf_buf *out, const struct status *status)
{
  hf_json_put_name(out, "slots");
  hf_buf_put_text(out, "[");
  for (uint8_t i = 0; i < HF_SLOTS; i++) {
    const struct hf_bootslot *slot = &status->boot.image[0].slot[i];
    hf_json_put_comma(out);
    hf_buf_put_text(out, "{");
    put_int(out, "slot", i);
    put_text(out, "status", hf_words_slot(slot->status));
    put_bool(out, "active", status->boot.image[0].active == i);
    if (slot->status != HF_SLOT_EMPTY) {
      put_version(out, "version", &slot->version);
      put_int(out, "counter", slot->counter);
      hf_json_put_name(out, "digest");
      hf_json_put_hex(out, hf_bytes_init(slot->digest, sizeof slot->digest));
    }
    hf_buf_put_text(out, "}");
  }
  hf_buf_put_text(out, "]");
}

static void put_failure(struct hf_buf *out, const struct status *status)
{
  hf_json_put_name(out, "last_failure");
  if (status->boot.failures == 0) {
    hf_buf_put_text(out, "null");
    return;
  }
  const struct hf_rule_words *words = hf_rule_words(status->boot.failed_rule);
  hf_buf_put_text(out, "{");
  put_int(out, "slot", status->boot.failed_slot);
  put_int(out, "rule", status->boot.failed_rule);
  put_text(out, "what", words->what);
  put_text(out, "todo", words->todo);
  put_text(out, "reset", hf_words_reset(status->boot.failed_reset));
  put_int(out, "failures", status->boot.failures);
  hf_buf_put_text(out, "}");
}

static void put_update(struct hf_buf *out, const struct status *status)
{
  const struct hf_update_progress *progress = &status->progress;
  hf_json_put_name(out, "update");
  hf_buf_put_text(out, "{");
  put_text(out, "state", hf_words_update(progress->state));
  put_int(out, "rule", progress->rule);
  put_int(out, "percent", percent_of(progress));
  if (progress->named) {
    put_version(out, "version", &progress->version);
    put_int(out, "bytes", progress->at);
    put_int(out, "length", progress->len);
    put_int(out, "tries", progress->tries);
    put_bool(out, "security", progress->security);
    put_int(out, "deadline", progress->deadline);
    put_int(out, "postponed", progress->postponed);
  }
  hf_buf_put_text(out, "}");
}

static const char *home_of(const struct status *status)
{
  static const char *const homes[] = {
      [HF_KEY_IN_FILE] = "file", [HF_KEY_IN_TPM] = "tpm", [HF_KEY_IN_PKCS11] = "pkcs11"};
  return homes[status->home == 0 ? HF_KEY_IN_FILE : status->home];
}

static void put_identity(struct hf_buf *out, const struct status *status)
{
  hf_json_put_name(out, "identity");
  hf_buf_put_text(out, "{");
  put_text(out, "storage", home_of(status));
  put_bool(out, "factory", status->factory);
  put_bool(out, "enrolled", status->ends != 0);
  put_int(out, "begins", status->begins);
  put_int(out, "ends", status->ends);
  hf_buf_put_text(out, "}");
}

static void put_reset(struct hf_buf *out, const struct status *status)
{
  hf_json_put_name(out, "last_reset");
  hf_buf_put_text(out, "{");
  put_text(out, "reason", hf_words_reset(status->retained.reset));
  put_int(out, "streak", status->retained.streak);
  put_int(out, "resets", status->retained.resets);
  hf_buf_put_text(out, "}");
}

static enum hf_err print_json(const struct status *status)
{
  static uint8_t text[16384];
  struct hf_buf out = hf_buf_init(text, sizeof text);
  hf_buf_put_text(&out, "{");
  put_text(&out, "device", status->conf.device);
  put_text(&out, "product", status->conf.product);
  put_text(&out, "hardware", status->conf.hardware);
  put_text(&out, "server", status->conf.server);
  put_bool(&out, "running", status->running);
  put_int(&out, "pid", status->running ? status->retained.pid : 0);
  put_slots(&out, status);
  put_int(&out, "counter", status->boot.image[0].counter);
  put_failure(&out, status);
  put_update(&out, status);
  put_identity(&out, status);
  put_reset(&out, status);
  put_int(&out, "events_pending", status->pending);
  put_int(&out, "events_lost", status->lost);
  hf_buf_put_text(&out, "}\n");
  if (out.failed || fwrite(text, 1, out.len, stdout) != out.len) {
    return HF_E_IO;
  }
  return HF_OK;
}

/* ---- for people ---- */

static const char *version_text(char text[HF_VERSION_TEXT_MAX + 1], const struct hf_version *version)
{
  struct hf_buf buf = hf_buf_init(text, HF_VERSION_TEXT_MAX + 1);
  hf_version_put(&buf, version);
  return hf_buf_terminate(&buf) == HF_OK ? text : "?";
}

static const char *time_text(char text[HF_TIME_TEXT_LEN + 1], int64_t seconds)
{
  struct hf_buf buf = hf_buf_init(text, HF_TIME_TEXT_LEN + 1);
  hf_time_put(&buf, seconds);
  return hf_buf_terminate(&buf) == HF_OK ? text : "?";
}

static void print_slots(const struct status *status)
{
  char version[HF_VERSION_TEXT_MAX + 1];
  for (uint8_t i = 0; i < HF_SLOTS; i++) {
    const struct hf_bootslot *slot = &status->boot.image[0].slot[i];
    (void)printf("slot %u       %s%s", i, hf_words_slot(slot->status),
                 status->boot.image[0].active == i ? ", active" : "");
    if (slot->status != HF_SLOT_EMPTY) {
      (void)printf(", version %s, counter %u", version_text(version, &slot->version), slot->counter);
    }
    (void)printf("\n");
  }
  (void)printf("counter      %u: images below it do not boot\n", status->boot.image[0].counter);
  if (status->boot.failures > 0) {
    const struct hf_rule_words *words = hf_rule_words(status->boot.failed_rule);
    (void)printf("last failure slot %u: %s (rule %u, after %s; %u so far)\n             %s\n", status->boot.failed_slot,
                 words->what, status->boot.failed_rule, hf_words_reset(status->boot.failed_reset),
                 status->boot.failures, words->todo);
  }
}

static void print_people(const struct status *status)
{
  char version[HF_VERSION_TEXT_MAX + 1];
  char when[HF_TIME_TEXT_LEN + 1];
  (void)printf("device       %s, a %s on %s\nserver       %s\nrunning      %s\n", status->conf.device,
               status->conf.product, status->conf.hardware, status->conf.server, status->running ? "yes" : "no");
  print_slots(status);
  (void)printf("update       %s", hf_words_update(status->progress.state));
  if (status->progress.named && status->progress.state != HF_UPDATE_IDLE) {
    (void)printf(", version %s", version_text(version, &status->progress.version));
  }
  if (status->progress.state == HF_UPDATE_DOWNLOADING) {
    (void)printf(", %u%% of %u bytes", percent_of(&status->progress), status->progress.len);
  }
  if (status->progress.rule != HF_RULE_NONE) {
    (void)printf(": %s\n             %s", hf_rule_words(status->progress.rule)->what,
                 hf_rule_words(status->progress.rule)->todo);
  }
  (void)printf("\n");
  (void)printf("last reset   %s (%u since power-on, %u in a row after a crash or a short run)\n",
               hf_words_reset(status->retained.reset), status->retained.resets, status->retained.streak);
  (void)printf("events       %u not yet acknowledged by the server\n", status->pending);
  if (status->ends != 0) {
    (void)printf("certificate  until %s, key in a file\n", time_text(when, status->ends));
  } else {
    (void)printf("certificate  none yet; %s\n",
                 status->factory ? "enrols with its factory certificate" : "no factory certificate either");
  }
}

enum hf_err hf_devicestatus_print(int folder, bool json, struct hf_trouble *trouble)
{
  static struct status status;
  enum hf_err err = read_status(&status, folder, trouble);
  if (err == HF_OK && json) {
    err = print_json(&status);
  } else if (err == HF_OK) {
    print_people(&status);
  }
  return err;
}
