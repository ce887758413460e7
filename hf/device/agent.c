/* SPDX-License-Identifier: Apache-2.0
 * The wake-up, in the order: the trial's health, the check-in, what its answer asks for, the pause.
 */
#include "hf/device/agent.h"

#include <string.h>

#include "hf/base/time.h"
#include "hf/codec/text.h"
#include "hf/device/refresh.h"
#include "hf/wire/report.h"

#define DAY_MS (UINT64_C(86400) * 1000)

enum {
  MEMORY_LEN = 16,
  REPORT_CAP = 768, /* of four images with the longest names */
  TEXTS_CAP = HF_CHECKIN_EVENTS_MAX * 96,
  ATTRIBUTES_CAP = HF_CHECKIN_ATTRIBUTES_MAX * (2 + HF_CHECKIN_ATTRIBUTE_NAME_MAX + HF_CHECKIN_ATTRIBUTE_VALUE_MAX)
};
/* Without attributes at their longest; then they wait for the next one. */
_Static_assert(TEXTS_CAP + ATTRIBUTES_CAP + REPORT_CAP + 2560 <= HF_UPDATE_WORK_MIN, "a check-in fits the work buffer");
_Static_assert(2 * ATTRIBUTES_CAP <= HF_UPDATE_WORK_MIN, "two sets of attributes fit the work buffer");

/* Flash may refuse this; nothing better could be done here, and what is lost is said again or done again later. */
static void best_effort(enum hf_err err) { (void)err; }

/* ---- factory ---- */

static bool stored(const struct hf_store *store, uint16_t key, uint8_t *room)
{
  struct hf_buf out = hf_buf_init(room, HF_TUF_TRUST_MAX);
  return hf_store_get(&out, store, key) != HF_E_NOT_FOUND;
}

enum hf_err hf_agent_provision(const struct hf_layout *layout, struct hf_bytes director_root,
                               struct hf_bytes image_root, struct hf_why *why)
{
  struct hf_store store;
  uint8_t room[HF_TUF_TRUST_MAX];
  enum hf_err err = hf_store_open(&store, &layout->store);
  if (err != HF_OK) {
    return err;
  }
  if (stored(&store, HF_STORE_TRUST_DIRECTOR, room) && stored(&store, HF_STORE_TRUST_IMAGE, room)) {
    return HF_E_EXISTS;
  }
  const struct hf_tuf_limits limits = hf_tuf_limits_init();
  struct hf_tuf_trust trust;
  /* Both are looked at before either is written. */
  if (hf_tuf_trust_verify(&trust, director_root, &limits, why) != HF_ALLOW ||
      hf_tuf_trust_verify(&trust, image_root, &limits, why) != HF_ALLOW) {
    return HF_E_DENIED;
  }
  err = hf_refresh_put_trust(&store, HF_STORE_TRUST_IMAGE, &trust, room);
  if (err == HF_OK) {
    err = hf_tuf_trust_verify(&trust, director_root, &limits, why) == HF_ALLOW
              ? hf_refresh_put_trust(&store, HF_STORE_TRUST_DIRECTOR, &trust, room)
              : HF_E_DENIED;
  }
  return err;
}

/* ---- start ---- */

static enum hf_err memory_save(struct hf_agent *agent)
{
  uint8_t record[MEMORY_LEN];
  struct hf_buf out = hf_buf_init(record, sizeof record);
  hf_buf_put_be32(&out, agent->boot_id);
  hf_buf_put_be32(&out, agent->acted);
  hf_buf_put_be64(&out, (uint64_t)agent->looked);
  return hf_store_put(&agent->store, HF_STORE_AGENT, hf_buf_bytes(&out));
}

/* What cannot be read any more counts from nothing again. */
static void memory_open(struct hf_agent *agent)
{
  uint8_t record[MEMORY_LEN];
  struct hf_buf in = hf_buf_init(record, sizeof record);
  best_effort(hf_store_get(&in, &agent->store, HF_STORE_AGENT));
  struct hf_cursor cur = hf_cursor_init(hf_buf_bytes(&in));
  agent->boot_id = hf_cursor_be32(&cur) + 1;
  agent->acted = hf_cursor_be32(&cur);
  uint64_t looked = hf_cursor_be64(&cur);
  agent->looked = looked <= (uint64_t)HF_TIME_MAX ? (int64_t)looked : 0;
  best_effort(memory_save(agent));
}

static bool trial_rule(uint16_t rule)
{
  return rule == HF_RULE_BOOT_NOT_CONFIRMED || rule == HF_RULE_BOOT_UNHEALTHY || rule == HF_RULE_BOOT_TRIAL_TIME ||
         rule == HF_RULE_UPTANE_SECONDARY;
}

/* A failure that the boot loader wrote down and nobody was told of yet. */
static enum hf_err tell_failure(struct hf_agent *agent)
{
  const struct hf_boot_view *boot = &agent->boot;
  struct hf_update_progress *progress = &agent->update.progress;
  uint16_t rule = boot->failed_rule;
  bool power = boot->failed_reset == HF_RESET_POWER || boot->failed_reset == HF_RESET_UNKNOWN;
  if (trial_rule(rule)) {
    /* A power cut says nothing about the image; everything else that ends a trial does. */
    bool again = ((power && rule == HF_RULE_BOOT_NOT_CONFIRMED) || rule == HF_RULE_UPTANE_SECONDARY) &&
                 progress->tries < HF_UPDATE_TRIES_MAX;
    progress->tries = again ? (uint8_t)(progress->tries + 1) : HF_UPDATE_TRIES_MAX;
  }
  progress->failures = boot->failures;
  progress->version = boot->failed_version;
  progress->named = true;
  return hf_update_put_state(&agent->update, trial_rule(rule) ? HF_UPDATE_REVERTED : HF_UPDATE_FAILED, rule);
}

/* Secondaries of a set are not yet where it leads. */
static bool set_under_way(const struct hf_agent *agent)
{
  const struct hf_secondaries *group = agent->config->setup.secondaries;
  return group != NULL && group->phase != HF_SECONDARIES_IDLE;
}

static struct hf_version trial_version(const struct hf_boot_view *boot)
{
  uint8_t i = 0;
  while (i + 1 < boot->images && boot->image[i].running.status != HF_SLOT_TRYING) {
    i++;
  }
  return boot->image[i].running.version;
}

/* Does an image run that has the version wanted, with nothing left to try? */
static bool runs_wanted(const struct hf_agent *agent)
{
  bool runs = false;
  for (uint8_t i = 0; i < agent->boot.images; i++) {
    const struct hf_boot_image *image = &agent->boot.image[i];
    if (image->other.status == HF_SLOT_STAGED) {
      return false;
    }
    runs = runs || hf_version_order(&image->running.version, &agent->update.progress.version) == 0;
  }
  return runs;
}

/* Make the told state agree with what the boot records say. */
static enum hf_err tell_boot(struct hf_agent *agent)
{
  struct hf_update_progress *progress = &agent->update.progress;
  bool trial = hf_boot_view_on_trial(&agent->boot);
  if (agent->boot.failures != progress->failures) {
    return tell_failure(agent);
  }
  if (trial) {
    progress->version = trial_version(&agent->boot);
    progress->named = true;
    return hf_update_put_state(&agent->update, HF_UPDATE_TRYING, 0);
  }
  /* Confirmed, but the power failed before that was written down as told. */
  bool confirmed = progress->state == HF_UPDATE_TRYING && agent->boot.image[0].running.status == HF_SLOT_CONFIRMED;
  /* A boot loader without a way back made no trial of what was staged. */
  confirmed = confirmed || (progress->state == HF_UPDATE_STAGED && runs_wanted(agent));
  return confirmed && !set_under_way(agent) ? hf_update_put_state(&agent->update, HF_UPDATE_CONFIRMED, 0) : HF_OK;
}

static enum hf_err boot_get(struct hf_agent *agent)
{
  return agent->update.loader.ops->get(agent->update.loader.ctx, &agent->boot);
}

static enum hf_err open_all(struct hf_agent *agent)
{
  const struct hf_agent_config *config = agent->config;
  enum hf_err err = hf_store_open(&agent->store, &config->setup.layout->store);
  if (err != HF_OK) {
    return err;
  }
  hf_clock_open(&agent->clock, &agent->store, config->build_time);
  hf_events_open(&agent->events, &agent->store);
  agent->update.store = &agent->store;
  agent->update.events = &agent->events;
  agent->update.clock = &agent->clock;
  memcpy(agent->update.records.running, config->slot, sizeof agent->update.records.running);
  err = hf_update_open(&agent->update, &config->setup);
  return err == HF_OK ? boot_get(agent) : err;
}

static bool config_ok(const struct hf_agent_config *config)
{
  const struct hf_update_setup *setup = &config->setup;
  return config->slot[0] < HF_SLOTS && setup->layout != NULL && setup->transport.ops != NULL && setup->work != NULL &&
         setup->device.len > 0 && setup->product.len > 0 && setup->component.len > 0 && setup->hardware.len > 0 &&
         (setup->parts != NULL || setup->layout->images <= 1);
}

enum hf_err hf_agent_init(struct hf_agent *agent, const struct hf_agent_config *config)
{
  if (!config_ok(config)) {
    return HF_E_INPUT;
  }
  *agent = (struct hf_agent){.config = config, .started_ms = hf_port_uptime_ms()};
  enum hf_err err = open_all(agent);
  if (err != HF_OK) {
    return err;
  }
  if (!stored(&agent->store, HF_STORE_TRUST_DIRECTOR, config->setup.work) ||
      !stored(&agent->store, HF_STORE_TRUST_IMAGE, config->setup.work)) {
    return HF_E_NOT_FOUND;
  }
  memory_open(agent);
  hf_timekey_open(&agent->timekey, &agent->store);
  agent->report_due = true;
  /* A store that is full or worn out must not keep the device from calling home. */
  const struct hf_checkin_event event = {.kind = HF_EVENT_BOOT, .time = hf_clock_now(&agent->clock)};
  best_effort(hf_events_put(&agent->events, &event));
  best_effort(tell_boot(agent));
  return HF_OK;
}

/* ---- the trial ---- */

bool hf_agent_on_trial(const struct hf_agent *agent)
{
  return hf_boot_view_on_trial(&agent->boot) || set_under_way(agent);
}

/* Leave the trial: the boot loader ends it, and finds here why. Secondaries follow it, or go back at once when no image
 * of ours is on trial. */
static void give_up(struct hf_agent *agent, struct hf_agent_next *next, uint16_t rule)
{
  struct hf_secondaries *group = agent->config->setup.secondaries;
  if (!hf_boot_view_on_trial(&agent->boot)) {
    group->ops->decide(group, &agent->update, rule);
    return;
  }
  best_effort(agent->update.loader.ops->give_up(agent->update.loader.ctx, rule));
  next->reboot = true;
  next->reason = HF_RESET_REVERT;
}

/* Keep what is on trial: all of it. HF_OK: decided. */
static enum hf_err keep(struct hf_agent *agent)
{
  struct hf_secondaries *group = agent->config->setup.secondaries;
  if (hf_boot_view_on_trial(&agent->boot)) {
    enum hf_err err = agent->update.loader.ops->confirm(agent->update.loader.ctx);
    if (err != HF_OK || boot_get(agent) != HF_OK) {
      return HF_E_AGAIN;
    }
  }
  if (set_under_way(agent)) {
    group->ops->decide(group, &agent->update, 0);
  } else {
    best_effort(hf_update_put_state(&agent->update, HF_UPDATE_CONFIRMED, 0));
  }
  return HF_OK;
}

/* Go on with the set's secondaries. HF_OK: judge the trial now. */
static enum hf_err settle(struct hf_agent *agent, struct hf_agent_next *next)
{
  struct hf_secondaries *group = agent->config->setup.secondaries;
  if (!set_under_way(agent)) {
    return HF_OK;
  }
  enum hf_err err = group->ops->settle(group, &agent->update, &agent->boot);
  if (err == HF_E_DENIED) {
    give_up(agent, next, HF_RULE_UPTANE_SECONDARY);
  } else if (group->reboot) {
    next->reboot = true;
    next->reason = HF_RESET_UPDATE;
  }
  return err;
}

static void judge_trial(struct hf_agent *agent, struct hf_agent_next *next)
{
  const struct hf_agent_config *config = agent->config;
  const struct hf_secondaries *group = config->setup.secondaries;
  enum hf_err others = settle(agent, next);
  bool ended = group != NULL && group->phase != HF_SECONDARIES_TRYING && !hf_boot_view_on_trial(&agent->boot);
  if (next->reboot || others == HF_E_DENIED || ended) {
    return;
  }
  enum hf_err health = config->health == NULL ? HF_OK : config->health(config->health_ctx, agent->reached);
  uint64_t limit_ms = (uint64_t)(config->trial_max_s != 0 ? config->trial_max_s : HF_AGENT_TRIAL_MAX_S) * 1000;
  if (health == HF_OK) {
    if (others == HF_OK && keep(agent) == HF_OK) {
      return;
    }
  } else if (health != HF_E_AGAIN) {
    give_up(agent, next, HF_RULE_BOOT_UNHEALTHY);
    return;
  }
  uint64_t since_ms = group != NULL && group->since_ms > agent->started_ms ? group->since_ms : agent->started_ms;
  if (hf_port_uptime_ms() - since_ms >= limit_ms) {
    give_up(agent, next, HF_RULE_BOOT_TRIAL_TIME);
  }
}

/* ---- attributes: a record of name length, name, value length, value ---- */

static struct hf_bytes attribute_part(struct hf_cursor *in) { return hf_cursor_take(in, hf_cursor_u8(in)); }

static void attribute_put(struct hf_buf *out, struct hf_bytes name, struct hf_bytes value)
{
  hf_buf_put_u8(out, (uint8_t)name.len);
  hf_buf_put(out, name);
  hf_buf_put_u8(out, (uint8_t)value.len);
  hf_buf_put(out, value);
}

enum hf_err hf_agent_put_attribute(struct hf_agent *agent, struct hf_bytes name, struct hf_bytes value)
{
  bool fits = name.len > 0 && name.len <= HF_CHECKIN_ATTRIBUTE_NAME_MAX && value.len <= HF_CHECKIN_ATTRIBUTE_VALUE_MAX;
  /* Stored until a check-in told it: one that no check-in can carry would silence the device for ever. */
  if (!fits || !hf_utf8_plain(name) || !hf_utf8_plain(value)) {
    return HF_E_INPUT;
  }
  uint8_t *work = agent->config->setup.work;
  struct hf_buf old = hf_buf_init(work, ATTRIBUTES_CAP);
  struct hf_buf out = hf_buf_init(work + ATTRIBUTES_CAP, ATTRIBUTES_CAP);
  enum hf_err err = hf_store_get(&old, &agent->store, HF_STORE_ATTRIBUTES);
  if (err != HF_OK && err != HF_E_NOT_FOUND) {
    return err;
  }
  size_t count = 1;
  struct hf_cursor in = hf_cursor_init(hf_buf_bytes(&old));
  while (in.rest.len > 0 && !in.failed) {
    struct hf_bytes old_name = attribute_part(&in);
    struct hf_bytes old_value = attribute_part(&in);
    if (!hf_bytes_equal(old_name, name)) {
      attribute_put(&out, old_name, old_value);
      count++;
    }
  }
  attribute_put(&out, name, value);
  if (count > HF_CHECKIN_ATTRIBUTES_MAX || out.failed) {
    return HF_E_FULL;
  }
  err = hf_store_put(&agent->store, HF_STORE_ATTRIBUTES, hf_buf_bytes(&out));
  agent->attributes_new = agent->attributes_new || err == HF_OK;
  return err;
}

static void attributes_fill(struct hf_checkin *checkin, const struct hf_agent *agent, struct hf_buf *text)
{
  size_t start = text->len;
  if (hf_store_get(text, &agent->store, HF_STORE_ATTRIBUTES) != HF_OK) {
    return;
  }
  struct hf_cursor in = hf_cursor_init(hf_bytes_init(text->at + start, text->len - start));
  while (in.rest.len > 0 && !in.failed && checkin->attribute_count < HF_CHECKIN_ATTRIBUTES_MAX) {
    struct hf_checkin_attribute *attribute = &checkin->attribute[checkin->attribute_count++];
    attribute->name = attribute_part(&in);
    attribute->value = attribute_part(&in);
  }
}

/* ---- the check-in ---- */

static struct hf_bytes put_version(struct hf_buf *text, const struct hf_version *version)
{
  size_t start = text->len;
  hf_version_put(text, version);
  return hf_bytes_init(text->at + start, text->len - start);
}

static void update_fill(struct hf_checkin *checkin, const struct hf_agent *agent, struct hf_buf *text)
{
  const struct hf_update_progress *progress = &agent->update.progress;
  checkin->update.state = progress->state;
  checkin->update.rule = progress->rule;
  checkin->update.percent = progress->state == HF_UPDATE_DOWNLOADING ? hf_update_percent(&agent->update) : 0;
  if (progress->named && progress->state != HF_UPDATE_IDLE) {
    checkin->update.version = put_version(text, &progress->version);
  }
  checkin->postponed_until = progress->state == HF_UPDATE_POSTPONED ? progress->postponed : 0;
}

static void components_fill(struct hf_checkin *checkin, const struct hf_agent *agent, struct hf_buf *text)
{
  const struct hf_update_setup *setup = &agent->config->setup;
  for (uint8_t i = 0; i < agent->boot.images; i++) {
    const struct hf_boot_image *image = &agent->boot.image[i];
    if (image->running.status == HF_SLOT_EMPTY && i > 0) {
      continue; /* never installed */
    }
    struct hf_checkin_component *component = &checkin->component[checkin->component_count++];
    component->name = i == 0 ? setup->component : setup->parts[i - 1].component;
    component->version = put_version(text, &image->running.version);
    component->counter = image->running.counter;
    component->slot = image->slot;
    memcpy(component->digest, image->running.digest, HF_SHA256_LEN);
  }
  const struct hf_secondaries *group = setup->secondaries;
  for (uint8_t i = 0; group != NULL && i < group->count; i++) {
    const struct hf_secondary *second = &group->at[i];
    if (second->answers && checkin->component_count < HF_CHECKIN_COMPONENTS_MAX) {
      struct hf_checkin_component *component = &checkin->component[checkin->component_count++];
      component->name = second->component;
      component->version = put_version(text, &second->seen.version);
      component->counter = second->seen.counter;
      memcpy(component->digest, second->seen.digest, HF_SHA256_LEN);
    }
  }
}

/* The signed version report (docs/spec/report.md). Without a signature the check-in goes without it, and the next one
 * tries again. */
static void report_fill(struct hf_checkin *checkin, const struct hf_agent *agent, struct hf_buf *out,
                        struct hf_buf scratch)
{
  const struct hf_agent_config *config = agent->config;
  uint8_t sig_room[HF_SIG_MAX], key[HF_SHA256_LEN], digest[HF_SHA256_LEN];
  struct hf_buf sig = hf_buf_init(sig_room, sizeof sig_room);
  struct hf_report report = {.device = config->setup.device,
                             .part = config->setup.component,
                             .counter = (uint64_t)agent->boot_id << 32 | agent->number,
                             .time = checkin->time,
                             .attack = agent->attack,
                             .component_count = checkin->component_count};
  memcpy(report.component, checkin->component, sizeof report.component);
  if (config->setup.secondaries != NULL) {
    config->setup.secondaries->ops->reports(config->setup.secondaries, &report);
  }
  if (hf_report_encode(&scratch, &report) != HF_OK) {
    return;
  }
  hf_report_digest(digest, hf_buf_bytes(&scratch));
  if (config->sign(config->sign_ctx, &sig, key, digest) != HF_OK) {
    return;
  }
  hf_report_put_signed(out, key, hf_buf_bytes(&scratch), hf_buf_bytes(&sig));
  checkin->report = out->failed ? (struct hf_bytes){NULL, 0} : hf_buf_bytes(out);
}

static void checkin_fill(struct hf_checkin *checkin, const struct hf_agent *agent, struct hf_buf *text)
{
  const struct hf_agent_config *config = agent->config;
  *checkin = (struct hf_checkin){.boot = agent->boot_id,
                                 .number = agent->number,
                                 .product = config->setup.product,
                                 .hardware = config->setup.hardware,
                                 .reset = (uint8_t)config->reset,
                                 .storage = (uint8_t)config->storage,
                                 .has_acted = agent->acted != 0,
                                 .acted = agent->acted,
                                 .has_anchor = agent->has_anchor};
  for (size_t i = 0; i < sizeof checkin->anchor; i++) {
    checkin->anchor[i] = agent->anchor[i];
  }
  if (config->chain != NULL) {
    checkin->has_keyset = true;
    checkin->keyset = config->chain->version;
  }
  checkin->time = hf_clock_known(&agent->clock) ? hf_clock_now(&agent->clock) : 0;
  components_fill(checkin, agent, text);
  update_fill(checkin, agent, text);
  best_effort(hf_events_get(checkin->event, &checkin->event_count, &agent->events, text));
  attributes_fill(checkin, agent, text);
}

static enum hf_err answer_put(void *ctx, struct hf_bytes piece)
{
  struct hf_buf *out = ctx;
  hf_buf_put(out, piece);
  return out->failed ? HF_E_SPACE : HF_OK;
}

/* One request. `reply->status` 200 and HF_OK: `answer` is filled. */
static enum hf_err check_in(struct hf_agent *agent, struct hf_checkin_answer *answer, struct hf_http_reply *reply)
{
  const struct hf_agent_config *config = agent->config;
  uint8_t *work = config->setup.work;
  struct hf_buf text = hf_buf_init(work, TEXTS_CAP + ATTRIBUTES_CAP);
  struct hf_secondaries *group = config->setup.secondaries;
  struct hf_buf report = hf_buf_init(work + text.cap, group != NULL ? HF_REPORT_MAX : REPORT_CAP);
  struct hf_buf body = hf_buf_init(report.at + report.cap, config->setup.work_cap - text.cap - report.cap);
  struct hf_checkin checkin;
  agent->number++;
  if (group != NULL) {
    group->ops->look(group);
    agent->report_due = agent->report_due || group->changed;
  }
  checkin_fill(&checkin, agent, &text);
  checkin.nonces = hf_timekey_ask(&agent->timekey);
  if (group != NULL) {
    checkin.nonces = group->ops->ask_time(group, checkin.nonces);
  }
  if (config->sign != NULL && (agent->report_due || hf_port_uptime_ms() - agent->reported_ms >= DAY_MS)) {
    report_fill(&checkin, agent, &report, body);
  }
  agent->attributes_new = false;
  enum hf_err err = hf_checkin_encode(&body, &checkin);
  if (err == HF_E_SPACE && checkin.attribute_count > 0) {
    checkin.attribute_count = 0;
    agent->attributes_new = true;
    body.len = 0;
    body.failed = false;
    err = hf_checkin_encode(&body, &checkin);
  }
  if (err != HF_OK) {
    return err;
  }
  const struct hf_http_request request = {.method = "POST",
                                          .path = config->checkin_path != NULL ? config->checkin_path : "/v1/checkin",
                                          .content_type = "application/cbor",
                                          .body = hf_buf_bytes(&body),
                                          .max_len = HF_CHECKIN_ANSWER_MAX};
  struct hf_buf in = hf_buf_init(agent->answer, sizeof agent->answer);
  const struct hf_transport *transport = &config->setup.transport;
  err = transport->ops->request(transport->ctx, reply, &request, (struct hf_sink){answer_put, &in});
  if (err != HF_OK) {
    return err;
  }
  err = reply->status == 200 ? hf_checkin_answer_parse(answer, hf_buf_bytes(&in), NULL) : HF_E_AGAIN;
  if (err == HF_OK && checkin.report.len > 0) {
    agent->report_due = false;
    agent->reported_ms = hf_port_uptime_ms();
    agent->attack = 0;
  }
  return err;
}

/* ---- pauses ---- */

/* Somewhere in the upper half of `range_s`, so that a fleet that lost its server does not come back as one. */
static uint32_t jitter(uint32_t range_s)
{
  uint32_t draw = 0;
  if (range_s < 2 || hf_random(&draw, sizeof draw) != HF_OK) {
    return range_s;
  }
  return range_s - draw % (range_s / 2 + 1);
}

static uint32_t backoff(struct hf_agent *agent, uint32_t at_least_s)
{
  uint32_t range_s = HF_AGENT_BACKOFF_MAX_S;
  if (agent->backoff < 16 && (UINT32_C(1) << agent->backoff) <= HF_AGENT_BACKOFF_MAX_S / HF_AGENT_BACKOFF_FIRST_S) {
    range_s = HF_AGENT_BACKOFF_FIRST_S << agent->backoff;
    agent->backoff++;
  }
  uint32_t pause_s = jitter(range_s);
  at_least_s = at_least_s < HF_AGENT_SLEEP_MAX_S ? at_least_s : HF_AGENT_SLEEP_MAX_S;
  return pause_s > at_least_s ? pause_s : at_least_s + jitter(HF_AGENT_BACKOFF_FIRST_S);
}

/* ---- the answer ---- */

static void tell_clock(struct hf_agent *agent, bool *told, uint16_t rule)
{
  if (!*told) {
    *told = true;
    const struct hf_checkin_event event = {.kind = HF_EVENT_CLOCK, .time = hf_clock_now(&agent->clock), .rule = rule};
    best_effort(hf_events_put(&agent->events, &event));
  }
}

/* A device that knows a time key takes signed time only; between two questions its own counter goes on. */
static void take_time(struct hf_agent *agent, const struct hf_checkin_answer *answer)
{
  struct hf_timekey *timekey = &agent->timekey;
  struct hf_secondaries *group = agent->config->setup.secondaries;
  struct hf_bytes nonces = {NULL, 0};
  int64_t seconds = answer->time;
  if (group != NULL) {
    group->ops->put_time(group, &answer->timesig);
    nonces = hf_bytes_init(group->nonces, group->nonces_len);
  }
  if (timekey->key.type != HF_KEY_NONE) {
    if (!timekey->asked) {
      return;
    }
    uint16_t rule = hf_timekey_judge(timekey, &answer->timesig, nonces);
    if (rule != HF_RULE_NONE) {
      tell_clock(agent, &timekey->told, rule);
      return;
    }
    seconds = answer->timesig.time;
  }
  if (hf_clock_put_server(&agent->clock, &agent->store, seconds) == HF_E_INPUT) {
    tell_clock(agent, &agent->clock_told, HF_RULE_CLOCK_BACK);
  }
}

static void take_answer(struct hf_agent *agent, const struct hf_checkin_answer *answer)
{
  take_time(agent, answer);
  if (answer->has_events_to) {
    best_effort(hf_events_ack(&agent->events, answer->events_to));
  }
  if (answer->attributes_stored && !agent->attributes_new) {
    best_effort(hf_store_delete(&agent->store, HF_STORE_ATTRIBUTES));
  }
}

/* Rules that an honest server does not break. */
static bool is_attack(uint16_t rule)
{
  switch (rule) {
    case HF_RULE_TUF_UNAVAILABLE:
    case HF_RULE_TUF_NOT_FOUND:
    case HF_RULE_TUF_TRUST:
    case HF_RULE_UPTANE_FROM:
    case HF_RULE_UPTANE_REQUIRES:
    case HF_RULE_UPTANE_REQUIRES_ABSENT:
    case HF_RULE_UPTANE_REQUIRES_MANY: return false;
    default: return rule >= HF_RULE_TUF_SHAPE && rule <= HF_RULE_UPTANE_ORDER;
  }
}

/* Nobody announced anything for a day: ask all the same, so that a frozen repository is noticed when it expires. */
static bool is_look_due(struct hf_agent *agent)
{
  int64_t now = hf_clock_now(&agent->clock);
  if (!hf_clock_known(&agent->clock)) {
    return false;
  }
  if (agent->looked == 0 || agent->looked > now) {
    agent->looked = now;
    best_effort(memory_save(agent));
  }
  return now - agent->looked >= HF_AGENT_LOOK_S;
}

/* What runs is not what the boot loader has on record (a fall back that could not be written down): the next boot puts
 * that right. Once: when a start that was asked for did not help, the flash is to blame, and a reboot loop is no cure.
 */
static void reboot_first(struct hf_agent *agent, struct hf_agent_next *next)
{
  if (agent->config->reset == HF_RESET_REQUEST) {
    best_effort(hf_update_put_state(&agent->update, HF_UPDATE_FAILED, HF_RULE_UPDATE_FLASH));
    return;
  }
  next->reboot = true;
  next->reason = HF_RESET_REQUEST;
}

static void act(struct hf_agent *agent, struct hf_agent_next *next, const struct hf_checkin_answer *answer)
{
  enum hf_update_state before = agent->update.progress.state;
  bool ordered = answer->director != 0;
  enum hf_err err = ordered ? hf_update_run(&agent->update, answer->deadline) : hf_update_look(&agent->update);
  hf_timekey_open(&agent->timekey, &agent->store);
  if (err != HF_E_AGAIN) {
    agent->looked = hf_clock_now(&agent->clock);
  }
  if (err != HF_E_AGAIN && !ordered) {
    best_effort(memory_save(agent));
  }
  if (err == HF_E_DENIED && is_attack(agent->update.progress.rule)) {
    agent->attack = agent->update.progress.rule;
    agent->report_due = true;
  }
  if (err == HF_E_AGAIN) {
    uint32_t pause_s = backoff(agent, 0);
    next->sleep_s = pause_s < next->sleep_s ? pause_s : next->sleep_s;
    return;
  }
  agent->backoff = 0;
  if (err == HF_E_STATE) {
    reboot_first(agent, next);
    return;
  }
  /* As far as signed files bear the server's number out: one that was never reached would hide all orders to come, and
   * what was refused about a repository is asked for again. */
  uint32_t judged = agent->update.judged < answer->director ? agent->update.judged : answer->director;
  /* What the user put off is still to do: the server goes on naming it, with its deadline. */
  bool later = err == HF_OK && agent->update.progress.state == HF_UPDATE_POSTPONED;
  if ((err == HF_OK || err == HF_E_DENIED) && !later && judged != 0 && agent->acted != judged) {
    agent->acted = judged;
    (void)memory_save(agent);
  }
  if (err == HF_OK && agent->update.progress.state == HF_UPDATE_STAGED && !set_under_way(agent)) {
    next->reboot = true;
    next->reason = HF_RESET_UPDATE;
  } else if (agent->update.progress.state != before) {
    /* News: say so before the server's next date, but not all devices at once. */
    uint32_t pause_s = jitter(HF_AGENT_NEWS_S);
    next->sleep_s = pause_s < next->sleep_s ? pause_s : next->sleep_s;
  }
}

/* A newer key set, before anything is downloaded that may be signed with a new key. A refusal is told once a boot. */
static void take_keyset(struct hf_agent *agent, uint32_t version)
{
  const struct hf_agent_config *config = agent->config;
  if (config->chain == NULL || version <= config->chain->version || hf_agent_on_trial(agent)) {
    return;
  }
  const struct hf_keyupdate update = {.transport = &config->setup.transport,
                                      .store = config->keystore,
                                      .compiled = config->compiled,
                                      .layout = config->setup.layout,
                                      .running = config->slot};
  struct hf_why why = {.rule = HF_RULE_NONE};
  struct hf_buf work = hf_buf_init(config->setup.work, config->setup.work_cap);
  enum hf_err err = hf_keyupdate_run(config->chain, &update, version, work, &why);
  bool refused = err == HF_E_DENIED || err == HF_E_IO;
  if (err != HF_OK && (!refused || agent->refused == version)) {
    return;
  }
  agent->refused = refused ? version : 0;
  uint8_t room[10];
  struct hf_buf text = hf_buf_init(room, sizeof room);
  hf_buf_put_uint(&text, version);
  const struct hf_checkin_event event = {.kind = HF_EVENT_KEYSET,
                                         .time = hf_clock_now(&agent->clock),
                                         .rule = refused ? why.rule : HF_RULE_NONE,
                                         .subject = hf_buf_bytes(&text)};
  best_effort(hf_events_put(&agent->events, &event));
}

static void talk(struct hf_agent *agent, struct hf_agent_next *next)
{
  struct hf_checkin_answer answer = {0};
  struct hf_http_reply reply = {0};
  enum hf_err err = check_in(agent, &answer, &reply);
  if (err == HF_E_DENIED) {
    hf_clock_doubt(&agent->clock);
  }
  if (err != HF_OK) {
    next->renew = err == HF_E_DENIED;
    next->sleep_s = backoff(agent, reply.retry_after_s);
    return;
  }
  agent->reached = true;
  take_answer(agent, &answer);
  next->renew = answer.renew;
  next->rekey = answer.rekey;
  next->anchors = answer.anchors;
  next->takeover = answer.takeover;
  take_keyset(agent, answer.keyset);
  next->sleep_s = answer.next_s < HF_AGENT_SLEEP_MAX_S ? answer.next_s : HF_AGENT_SLEEP_MAX_S;
  next->sleep_s = next->sleep_s > 0 ? next->sleep_s : 1;
  if (!hf_agent_on_trial(agent) && (answer.director != 0 || is_look_due(agent))) {
    act(agent, next, &answer);
  } else {
    agent->backoff = 0;
  }
}

void hf_agent_step(struct hf_agent *agent, struct hf_agent_next *next)
{
  *next = (struct hf_agent_next){0};
  hf_port_watchdog_feed();
  if (boot_get(agent) != HF_OK) {
    next->sleep_s = backoff(agent, 0);
    return;
  }
  if (hf_agent_on_trial(agent)) {
    judge_trial(agent, next);
  }
  bool trial = hf_agent_on_trial(agent);
  if (next->reboot) {
    return;
  }
  /* A trial is looked at more often than the server is asked. */
  if (!trial || hf_port_uptime_ms() >= agent->due_ms) {
    talk(agent, next);
    agent->due_ms = hf_port_uptime_ms() + (uint64_t)next->sleep_s * 1000;
  }
  if (trial && !next->reboot) {
    next->sleep_s = HF_AGENT_TRIAL_PAUSE_S;
  }
}

/* ---- what the port asks and tells ---- */

void hf_agent_renewed(struct hf_agent *agent, enum hf_err err)
{
  const struct hf_checkin_event event = {.kind = HF_EVENT_RENEWED,
                                         .time = hf_clock_now(&agent->clock),
                                         .rule = err == HF_OK ? HF_RULE_NONE : HF_RULE_AGENT_RENEW};
  best_effort(hf_events_put(&agent->events, &event));
}

void hf_agent_put_anchor(struct hf_agent *agent, const uint8_t sha256[HF_SHA256_LEN])
{
  for (size_t i = 0; i < sizeof agent->anchor; i++) {
    agent->anchor[i] = sha256[i];
  }
  agent->has_anchor = true;
}

int64_t hf_agent_time(const struct hf_agent *agent) { return hf_clock_now(&agent->clock); }
