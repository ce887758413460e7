/* SPDX-License-Identifier: Apache-2.0
 * The check-in of hf/server/engine.h: who is it, what is new, what is the answer. When nothing is new the database is
 * not touched.
 */
#include <string.h>

#include "hf/base/assert.h"
#include "hf/server/cache.h"
#include "hf/server/credential.h"
#include "hf/server/intake.h"
#include "hf/server/keysets.h"
#include "hf/server/member.h"
#include "hf/server/reports.h"
#include "hf/server/takeovers.h"

/* Check-ins are spread over this part of the interval to both sides, so that a fleet that was switched on at once
 * drifts apart. */
#define SPREAD_PART 5
/* A certificate with less than this part of its life left is to be renewed. */
#define RENEW_PART 3

/* One check-in at work. */
struct visit {
  struct hf_engine *engine;
  const struct hf_peer *peer;
  struct hf_checkin checkin;
  struct hf_cached *cached;
  uint8_t report[16];
  int64_t now;
};

/* Digest of all that the registry keeps of a report. Check-in number, clock, events and attributes are not in it. */
static void report_digest(uint8_t out[16], const struct hf_checkin *checkin)
{
  uint8_t room[HF_CHECKIN_MAX];
  uint8_t digest[HF_SHA256_LEN];
  struct hf_buf buf = hf_buf_init(room, sizeof room);
  hf_buf_put_be32(&buf, checkin->boot);
  hf_buf_put_u8(&buf, checkin->reset);
  hf_buf_put_u8(&buf, checkin->storage);
  hf_buf_put_u8(&buf, checkin->has_keyset);
  hf_buf_put_be32(&buf, checkin->keyset);
  hf_buf_put_be64(&buf, (uint64_t)checkin->postponed_until);
  hf_buf_put_be32(&buf, checkin->acted);
  hf_buf_put_be16(&buf, (uint16_t)checkin->update.state);
  hf_buf_put_u8(&buf, checkin->update.percent);
  hf_buf_put_be16(&buf, checkin->update.rule);
  const struct hf_bytes text[] = {checkin->update.version, checkin->product, checkin->hardware};
  for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
    hf_buf_put_u8(&buf, (uint8_t)text[i].len);
    hf_buf_put(&buf, text[i]);
  }
  for (size_t i = 0; i < checkin->component_count; i++) {
    const struct hf_checkin_component *component = &checkin->component[i];
    hf_buf_put_u8(&buf, (uint8_t)component->name.len);
    hf_buf_put(&buf, component->name);
    hf_buf_put_u8(&buf, (uint8_t)component->version.len);
    hf_buf_put(&buf, component->version);
    hf_buf_put(&buf, hf_bytes_init(component->digest, sizeof component->digest));
    hf_buf_put_be32(&buf, component->counter);
    hf_buf_put_be32(&buf, component->slot);
  }
  HF_ASSERT(!buf.failed);
  hf_sha256(digest, hf_buf_bytes(&buf));
  memcpy(out, digest, 16);
}

/* A certificate is good when it is the one in the registry, or the one before it while the new one was never used: a
 * device may lose power between getting a certificate and keeping it. */
static enum hf_err certificate_check(struct visit *visit)
{
  struct hf_cached *cached = visit->cached;
  const uint8_t *shown = visit->peer->certificate;
  if (cached->has_cert && hf_secret_equal(cached->cert, shown, HF_SHA256_LEN)) {
    return cached->has_previous ? hf_credential_used(visit->engine, cached, visit->now) : HF_OK;
  }
  if (cached->has_previous && hf_secret_equal(cached->cert_previous, shown, HF_SHA256_LEN)) {
    return HF_OK;
  }
  enum hf_err err = hf_credential_unknown(visit->engine, cached, visit->peer, visit->now);
  return err == HF_OK ? HF_E_DENIED : err;
}

enum hf_err hf_cache_admit(struct hf_cached **cached, struct hf_engine *engine, const struct hf_peer *peer, int64_t now)
{
  struct visit visit = {.engine = engine, .peer = peer, .now = now};
  if (peer == NULL || peer->factory || peer->not_after < now) {
    return HF_E_DENIED;
  }
  enum hf_err err = hf_cache_get(&visit.cached, engine, peer->device);
  if (err == HF_OK && !visit.cached->blocked) {
    err = certificate_check(&visit);
    *cached = visit.cached;
    return err;
  }
  return err == HF_OK || err == HF_E_NOT_FOUND ? HF_E_DENIED : err;
}

/* An earlier message that arrives after a later one must not turn the device's state back. */
static bool is_late(const struct visit *visit)
{
  const struct hf_cached *cached = visit->cached;
  const struct hf_checkin *checkin = &visit->checkin;
  return checkin->boot < cached->boot || (checkin->boot == cached->boot && checkin->number < cached->number);
}

/* Registry and product of the certificate decide what the device is; it may not say otherwise. */
static enum hf_err product_check(const struct hf_device_row *row, const struct hf_checkin *checkin, struct hf_why *why)
{
  bool hardware = row->hardware[0] == 0 || hf_bytes_is(checkin->hardware, row->hardware);
  if (!hardware || !hf_bytes_is(checkin->product, row->product)) {
    hf_why_put(why, HF_RULE_CHECKIN_PRODUCT, 0);
    return HF_E_INPUT;
  }
  return HF_OK;
}

/* What it runs, as far as it is believed. */
static enum hf_err components_take(struct visit *visit, struct hf_reports *reports, struct hf_device_row *row)
{
  const struct hf_cached *cached = visit->cached;
  enum hf_err err = hf_reports_take(visit->engine, reports, row, &visit->checkin, visit->now);
  bool news = !cached->has_report || memcmp(cached->report, visit->report, sizeof visit->report) != 0;
  if (err != HF_OK || (!news && !reports->changed)) {
    return err;
  }
  err = hf_intake_state(visit->engine, row, &visit->checkin, visit->peer->address, visit->now);
  return err == HF_OK ? hf_reports_keep(visit->engine, reports, row->n, &visit->checkin) : err;
}

/* The slow path: something is new, or what is offered may have changed. */
static enum hf_err take_in(struct visit *visit, struct hf_why *why)
{
  struct hf_engine *engine = visit->engine;
  struct hf_cached *cached = visit->cached;
  const struct hf_checkin *checkin = &visit->checkin;
  struct hf_device_row row;
  struct hf_offer offer = {.soon = false};
  struct hf_reports reports;
  enum hf_err err = hf_device_row_get(&row, engine->db, cached->n);
  if (err == HF_OK) {
    err = product_check(&row, checkin, why);
  }
  bool late = is_late(visit);
  if (err == HF_OK && !late) {
    err = components_take(visit, &reports, &row);
  }
  if (err == HF_OK && checkin->event_count > 0) {
    err = hf_intake_events(engine, &row, checkin, visit->now);
  }
  if (err == HF_OK && checkin->attribute_count > 0) {
    err = hf_intake_attributes(engine, &row, checkin, visit->now);
  }
  if (err == HF_OK && !late) {
    err = hf_member_report(engine, &offer, &row, checkin, visit->now);
  }
  if (err == HF_OK && checkin->has_keyset) {
    err = hf_keysets_newest(&cached->keyset, engine->db, hf_bytes_text(row.product));
  }
  if (err == HF_OK) {
    err = hf_takeovers_told(&cached->takeover, engine->db, hf_bytes_text(row.product), visit->now);
  }
  if (err != HF_OK || late) {
    cached->event_number = err == HF_OK ? (uint32_t)row.event_number : cached->event_number;
    return err;
  }
  memcpy(cached->report, visit->report, sizeof cached->report);
  cached->has_report = true;
  cached->event_number = (uint32_t)row.event_number;
  cached->assignment = (uint32_t)row.assignment;
  cached->acted = checkin->acted;
  cached->deadline = offer.deadline;
  cached->soon = offer.soon;
  cached->generation = engine->generation;
  return HF_OK;
}

static bool nothing_new(const struct visit *visit)
{
  const struct hf_cached *cached = visit->cached;
  return cached->has_report && cached->generation == visit->engine->generation && visit->checkin.event_count == 0 &&
         visit->checkin.attribute_count == 0 && visit->checkin.report.len == 0 &&
         memcmp(cached->report, visit->report, sizeof visit->report) == 0;
}

/* xorshift64*: spreads devices; nobody gains by guessing it. */
static uint64_t dice(struct hf_engine *engine)
{
  engine->dice ^= engine->dice >> 12;
  engine->dice ^= engine->dice << 25;
  engine->dice ^= engine->dice >> 27;
  return (engine->dice * UINT64_C(0x2545f4914f6cdd1d)) >> 16;
}

static uint32_t next_checkin(struct hf_engine *engine, bool soon)
{
  uint64_t interval = (uint64_t)(soon ? engine->settings.rollout_interval_s : engine->settings.checkin_interval_s);
  uint64_t spread = interval / SPREAD_PART;
  uint64_t next = interval - spread + dice(engine) % (2 * spread + 1);
  return next == 0 ? 1 : (uint32_t)next;
}

/* Without a time key the answer goes without signed time: the device knows what to do then. */
static enum hf_err time_sign(struct visit *visit, struct hf_timesig *timesig, struct hf_buf *room)
{
  if (visit->checkin.nonces.len == 0) {
    return HF_OK;
  }
  enum hf_err err = hf_vault_time(visit->engine->config.vault, timesig, room, visit->checkin.nonces);
  return err == HF_E_NOT_FOUND ? HF_OK : err;
}

static enum hf_err answer_put(struct visit *visit, struct hf_buf *out)
{
  uint8_t sig[HF_SIG_MAX];
  struct hf_buf sig_room = hf_buf_init(sig, sizeof sig);
  const struct hf_cached *cached = visit->cached;
  const struct hf_checkin *checkin = &visit->checkin;
  bool something = cached->assignment > checkin->acted;
  struct hf_checkin_answer answer = {
      .time = visit->now,
      .next_s = next_checkin(visit->engine, cached->soon),
      .director = something ? cached->assignment : 0,
      .has_events_to = checkin->event_count > 0,
      .events_to = cached->event_number,
      .attributes_stored = checkin->attribute_count > 0,
      .deadline = something || cached->soon ? cached->deadline : 0,
      .renew = cached->rotate ||
               visit->peer->not_after - visit->now < visit->engine->settings.certificate_life_s / RENEW_PART,
      .rekey = cached->rotate,
      .anchors = hf_credential_anchors(visit->peer, checkin),
      .takeover = cached->takeover,
      .keyset = checkin->has_keyset && cached->keyset > checkin->keyset ? cached->keyset : 0,
  };
  enum hf_err err = time_sign(visit, &answer.timesig, &sig_room);
  return err == HF_OK ? hf_checkin_answer_encode(out, &answer) : err;
}

enum hf_err hf_engine_checkin(struct hf_engine *engine, struct hf_buf *answer, const struct hf_peer *peer,
                              struct hf_bytes body, int64_t now, struct hf_why *why)
{
  struct visit visit = {.engine = engine, .peer = peer, .now = now};
  enum hf_err err = hf_cache_admit(&visit.cached, engine, peer, now);
  if (err == HF_OK) {
    err = hf_checkin_parse(&visit.checkin, body, why);
  }
  if (err != HF_OK) {
    return err;
  }
  err = hf_credential_sequence(engine, visit.cached, &visit.checkin, now);
  if (err == HF_OK) {
    err = hf_credential_connection(engine, visit.cached, peer, &visit.checkin, now);
  }
  if (err != HF_OK) {
    return err;
  }
  report_digest(visit.report, &visit.checkin);
  if (!nothing_new(&visit)) {
    err = take_in(&visit, why);
  }
  if (err == HF_OK) {
    err = hf_cache_seen(engine, visit.cached, now);
  }
  if (err != HF_OK) {
    return err;
  }
  if (!is_late(&visit)) {
    visit.cached->boot = visit.checkin.boot;
    visit.cached->number = visit.checkin.number;
  }
  return answer_put(&visit, answer);
}
