/* SPDX-License-Identifier: Apache-2.0 */
#include "hf/server/settings.h"

#include <stddef.h>
#include <string.h>

#include "hf/fleet/query.h"
#include "hf/server/auditlog.h"

static const struct number {
  const char *key;
  size_t at; /* offset of an int64_t in struct hf_settings */
  int64_t first;
  int64_t min;
  int64_t max;
} numbers[] = {
    {"checkin_interval_s", offsetof(struct hf_settings, checkin_interval_s), 1800, 5, 86400},
    {"rollout_interval_s", offsetof(struct hf_settings, rollout_interval_s), 300, 1, 86400},
    {"silent_after_s", offsetof(struct hf_settings, silent_after_s), 0, 0, 31622400},
    {"postpone_max_s", offsetof(struct hf_settings, postpone_max_s), 7 * 86400, 0, 31622400},
    {"security_deadline_s", offsetof(struct hf_settings, security_deadline_s), 3 * 86400, 3600, 31622400},
    {"certificate_life_s", offsetof(struct hf_settings, certificate_life_s), 90 * 86400, 3600, 400 * 86400},
    {"renewal_grace_s", offsetof(struct hf_settings, renewal_grace_s), 90 * 86400, 0, 400 * 86400},
    {"factory_listed_only", offsetof(struct hf_settings, factory_listed_only), 0, 0, 1},
};
#define NUMBER_COUNT (sizeof numbers / sizeof numbers[0])

static int64_t *number_at(struct hf_settings *settings, const struct number *number)
{
  return (int64_t *)(void *)((char *)settings + number->at);
}

static void row_take(struct hf_settings *settings, struct hf_bytes key, struct hf_bytes value)
{
  if (hf_bytes_is(key, "webhook") && value.len < sizeof settings->webhook) {
    memcpy(settings->webhook, value.at, value.len);
    settings->webhook[value.len] = 0;
  }
  if (hf_bytes_is(key, "crl_url") && value.len < sizeof settings->crl_url) {
    memcpy(settings->crl_url, value.at, value.len);
    settings->crl_url[value.len] = 0;
  }
  for (size_t i = 0; i < NUMBER_COUNT; i++) {
    int64_t n;
    if (hf_bytes_is(key, numbers[i].key) && hf_query_number_parse(&n, value) == HF_OK && n >= numbers[i].min &&
        n <= numbers[i].max) {
      *number_at(settings, &numbers[i]) = n;
    }
  }
}

enum hf_err hf_settings_get(struct hf_settings *settings, struct hf_db *db)
{
  *settings = (struct hf_settings){.webhook = ""};
  for (size_t i = 0; i < NUMBER_COUNT; i++) {
    *number_at(settings, &numbers[i]) = numbers[i].first;
  }
  struct hf_stmt *stmt = hf_stmt_open(db, "SELECT key, value FROM setting");
  enum hf_err err = hf_stmt_next(stmt);
  while (err == HF_OK) {
    row_take(settings, hf_stmt_get_bytes(stmt, 0), hf_stmt_get_bytes(stmt, 1));
    err = hf_stmt_next(stmt);
  }
  hf_stmt_close(stmt);
  if (settings->rollout_interval_s > settings->checkin_interval_s) {
    settings->rollout_interval_s = settings->checkin_interval_s;
  }
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

static enum hf_err row_put(struct hf_engine *engine, const char *key, struct hf_bytes value)
{
  struct hf_stmt *stmt = hf_stmt_open(
      engine->db, "INSERT INTO setting VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value");
  hf_stmt_put_text(stmt, hf_bytes_text(key));
  hf_stmt_put_text(stmt, value);
  enum hf_err err = hf_stmt_run(stmt);
  return err == HF_OK ? HF_OK : hf_engine_poison(engine, err);
}

static bool url_check(const char *url, size_t max)
{
  size_t len = strnlen(url, max + 1);
  if (len == 0) {
    return true;
  }
  for (size_t i = 0; i < len; i++) {
    if (url[i] <= 0x20 || url[i] == 0x7f) {
      return false;
    }
  }
  return len <= max && (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0);
}

enum hf_err hf_settings_put(struct hf_engine *engine, const struct hf_act *act, const struct hf_settings *settings,
                            struct hf_why *why)
{
  struct hf_settings next = *settings;
  uint8_t room[512];
  struct hf_buf detail = hf_buf_init(room, sizeof room);
  bool good = url_check(next.webhook, 256) && url_check(next.crl_url, 160);
  enum hf_err err = HF_OK;
  for (size_t i = 0; i < NUMBER_COUNT && good; i++) {
    int64_t n = *number_at(&next, &numbers[i]);
    good = n >= numbers[i].min && n <= numbers[i].max;
  }
  if (!good) {
    hf_why_put(why, HF_RULE_SETTING_BOUNDS, 0);
    return HF_E_INPUT;
  }
  for (size_t i = 0; i < NUMBER_COUNT && err == HF_OK; i++) {
    size_t from = detail.len + strlen(numbers[i].key) + 1;
    hf_buf_put_text(&detail, numbers[i].key);
    hf_buf_put_text(&detail, "=");
    hf_buf_put_uint(&detail, (uint64_t)*number_at(&next, &numbers[i]));
    err = row_put(engine, numbers[i].key, hf_bytes_init(room + from, detail.len - from));
    hf_buf_put_text(&detail, " ");
  }
  if (err == HF_OK) {
    hf_buf_put_text(&detail, next.webhook[0] != 0 ? "webhook set" : "no webhook");
    err = row_put(engine, "webhook", hf_bytes_text(next.webhook));
  }
  if (err == HF_OK) {
    err = row_put(engine, "crl_url", hf_bytes_text(next.crl_url));
  }
  if (err == HF_OK) {
    err = hf_auditlog_put(engine, act, "settings.put", HF_LIT("settings"), hf_buf_bytes(&detail));
  }
  if (err == HF_OK) {
    err = hf_settings_get(&engine->settings, engine->db);
    engine->generation++;
  }
  return err;
}

int64_t hf_settings_silent_after(const struct hf_settings *settings)
{
  if (settings->silent_after_s != 0) {
    return settings->silent_after_s;
  }
  int64_t three = 3 * settings->checkin_interval_s;
  return three > 3600 ? three : 3600;
}
