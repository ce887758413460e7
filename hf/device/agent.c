/* SPDX-License-Identifier: Apache-2.0
 * The wake-up, in the order: the trial's health, the check-in, what its answer asks for, the pause.
 */
#include "hf/device/agent.h"

#include "hf/base/time.h"
#include "hf/codec/text.h"
#include "hf/device/refresh.h"

enum {
  TEXTS_CAP = HF_CHECKIN_EVENTS_MAX * 96,
  ATTRIBUTES_CAP = HF_CHECKIN_ATTRIBUTES_MAX * (2 + HF_CHECKIN_ATTRIBUTE_NAME_MAX + HF_CHECKIN_ATTRIBUTE_VALUE_MAX)
};
/* Without attributes at their longest; then they wait for the next one. */
_Static_assert(TEXTS_CAP + 2 * ATTRIBUTES_CAP <= HF_UPDATE_WORK_MIN, "a check-in fits the work buffer");
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
  uint8_t record[8];
  struct hf_buf out = hf_buf_init(record, sizeof record);
  hf_buf_put_be32(&out, agent->boot_id);
  hf_buf_put_be32(&out, agent->acted);
  return hf_store_put(&agent->store, HF_STORE_AGENT, hf_buf_bytes(&out));
}

/* What cannot be read any more counts from nothing again. */
static void memory_open(struct hf_agent *agent)
{
  uint8_t record[8];
  struct hf_buf in = hf_buf_init(record, sizeof record);
  best_effort(hf_store_get(&in, &agent->store, HF_STORE_AGENT));
  struct hf_cursor cur = hf_cursor_init(hf_buf_bytes(&in));
  agent->boot_id = hf_cursor_be32(&cur) + 1;
  agent->acted = hf_cursor_be32(&cur);
  best_effort(memory_save(agent));
}

static bool trial_rule(uint16_t rule)
{
  return rule == HF_RULE_BOOT_NOT_CONFIRMED || rule == HF_RULE_BOOT_UNHEALTHY || rule == HF_RULE_BOOT_TRIAL_TIME;
}

/* A failure that the boot loader wrote down and nobody was told of yet. */
static enum hf_err tell_failure(struct hf_agent *agent)
{
  const struct hf_bootstate *boot = &agent->boot;
  struct hf_update_progress *progress = &agent->update.progress;
  uint16_t rule = boot->failed_rule;
  bool power = boot->failed_reset == HF_RESET_POWER || boot->failed_reset == HF_RESET_UNKNOWN;
  if (trial_rule(rule)) {
    /* A power cut says nothing about the image; everything else that ends a trial does. */
    bool again = power && rule == HF_RULE_BOOT_NOT_CONFIRMED && progress->tries < HF_UPDATE_TRIES_MAX;
    progress->tries = again ? (uint8_t)(progress->tries + 1) : HF_UPDATE_TRIES_MAX;
  }
  progress->failures = boot->failures;
  progress->version = boot->image[boot->failed_image % HF_IMAGES_MAX].slot[boot->failed_slot % HF_SLOTS].version;
  progress->named = true;
  return hf_update_put_state(&agent->update, trial_rule(rule) ? HF_UPDATE_REVERTED : HF_UPDATE_FAILED, rule);
}

/* Make the told state agree with what the boot records say. */
static enum hf_err tell_boot(struct hf_agent *agent)
{
  struct hf_update_progress *progress = &agent->update.progress;
  const struct hf_bootslot *running = &agent->boot.image[0].slot[agent->config->slot[0]];
  if (agent->boot.failures != progress->failures) {
    return tell_failure(agent);
  }
  if (running->status == HF_SLOT_TRYING) {
    progress->version = running->version;
    progress->named = true;
    return hf_update_put_state(&agent->update, HF_UPDATE_TRYING, 0);
  }
  /* Confirmed, but the power failed before that was written down as told. */
  bool confirmed = progress->state == HF_UPDATE_TRYING && running->status == HF_SLOT_CONFIRMED;
  return confirmed ? hf_update_put_state(&agent->update, HF_UPDATE_CONFIRMED, 0) : HF_OK;
}

static enum hf_err open_all(struct hf_agent *agent)
{
  const struct hf_agent_config *config = agent->config;
  enum hf_err err = hf_store_open(&agent->store, &config->setup.layout->store);
  if (err == HF_OK) {
    err = hf_bootstate_get(&agent->boot, &config->setup.layout->boot);
    err = err == HF_E_NOT_FOUND || err == HF_E_DENIED ? HF_E_STATE : err;
  }
  if (err != HF_OK) {
    return err;
  }
  hf_clock_open(&agent->clock, &agent->store, config->build_time);
  hf_events_open(&agent->events, &agent->store);
  agent->update.store = &agent->store;
  agent->update.events = &agent->events;
  agent->update.clock = &agent->clock;
  agent->update.running = config->slot[0];
  return hf_update_open(&agent->update, &config->setup);
}

static bool config_ok(const struct hf_agent_config *config)
{
  const struct hf_update_setup *setup = &config->setup;
  return config->slot[0] < HF_SLOTS && setup->layout != NULL && setup->transport.ops != NULL && setup->work != NULL &&
         setup->device.len > 0 && setup->product.len > 0 && setup->component.len > 0 && setup->hardware.len > 0;
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
  /* A store that is full or worn out must not keep the device from calling home. */
  const struct hf_checkin_event event = {.kind = HF_EVENT_BOOT, .time = hf_clock_now(&agent->clock)};
  best_effort(hf_events_put(&agent->events, &event));
  best_effort(tell_boot(agent));
  return HF_OK;
}

/* ---- the trial ---- */

bool hf_agent_on_trial(const struct hf_agent *agent)
{
  return hf_bootstate_on_trial(&agent->boot, agent->config->slot);
}

/* Leave the trial: the boot loader ends it, and finds here why. */
static void give_up(struct hf_agent *agent, struct hf_agent_next *next, uint16_t rule)
{
  agent->boot.trial_rule = rule;
  best_effort(hf_bootstate_put(&agent->boot, &agent->config->setup.layout->boot));
  next->reboot = true;
  next->reason = HF_RESET_REVERT;
}

static void judge_trial(struct hf_agent *agent, struct hf_agent_next *next)
{
  const struct hf_agent_config *config = agent->config;
  enum hf_err health = config->health == NULL ? HF_OK : config->health(config->health_ctx, agent->reached);
  uint64_t limit_ms = (uint64_t)(config->trial_max_s != 0 ? config->trial_max_s : HF_AGENT_TRIAL_MAX_S) * 1000;
  if (health == HF_OK) {
    enum hf_err err = hf_bootstate_confirm(&agent->boot, &config->setup.layout->boot, config->slot);
    if (err == HF_OK) {
      best_effort(hf_update_put_state(&agent->update, HF_UPDATE_CONFIRMED, 0));
      return;
    }
  } else if (health != HF_E_AGAIN) {
    give_up(agent, next, HF_RULE_BOOT_UNHEALTHY);
    return;
  }
  if (hf_port_uptime_ms() - agent->started_ms >= limit_ms) {
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

static void checkin_fill(struct hf_checkin *checkin, const struct hf_agent *agent, struct hf_buf *text)
{
  const struct hf_agent_config *config = agent->config;
  const struct hf_bootslot *running = &agent->boot.image[0].slot[config->slot[0]];
  *checkin = (struct hf_checkin){.boot = agent->boot_id,
                                 .number = agent->number,
                                 .product = config->setup.product,
                                 .hardware = config->setup.hardware,
                                 .reset = (uint8_t)config->reset,
                                 .storage = (uint8_t)config->storage,
                                 .component_count = 1,
                                 .has_acted = agent->acted != 0,
                                 .acted = agent->acted};
  checkin->time = hf_clock_known(&agent->clock) ? hf_clock_now(&agent->clock) : 0;
  struct hf_checkin_component *component = &checkin->component[0];
  component->name = config->setup.component;
  component->version = put_version(text, &running->version);
  component->counter = running->counter;
  component->slot = config->slot[0];
  for (size_t i = 0; i < HF_SHA256_LEN; i++) {
    component->digest[i] = running->digest[i];
  }
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
  struct hf_buf body = hf_buf_init(work + text.cap, config->setup.work_cap - text.cap);
  struct hf_checkin checkin;
  agent->number++;
  checkin_fill(&checkin, agent, &text);
  agent->attributes_new = false;
  enum hf_err err = hf_checkin_encode(&body, &checkin);
  if (err == HF_E_SPACE && checkin.attribute_count > 0) {
    checkin.attribute_count = 0;
    agent->attributes_new = true;
    body = hf_buf_init(work + text.cap, config->setup.work_cap - text.cap);
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
  uint8_t room[HF_CHECKIN_ANSWER_MAX];
  struct hf_buf in = hf_buf_init(room, sizeof room);
  const struct hf_transport *transport = &config->setup.transport;
  err = transport->ops->request(transport->ctx, reply, &request, (struct hf_sink){answer_put, &in});
  if (err != HF_OK) {
    return err;
  }
  return reply->status == 200 ? hf_checkin_answer_parse(answer, hf_buf_bytes(&in), NULL) : HF_E_AGAIN;
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

static void take_time(struct hf_agent *agent, int64_t seconds)
{
  enum hf_err err = hf_clock_put_server(&agent->clock, &agent->store, seconds);
  if (err == HF_E_INPUT && !agent->clock_told) {
    agent->clock_told = true;
    const struct hf_checkin_event event = {
        .kind = HF_EVENT_CLOCK, .time = hf_clock_now(&agent->clock), .rule = HF_RULE_CLOCK_BACK};
    best_effort(hf_events_put(&agent->events, &event));
  }
}

static void take_answer(struct hf_agent *agent, const struct hf_checkin_answer *answer)
{
  take_time(agent, answer->time);
  if (answer->has_events_to) {
    best_effort(hf_events_ack(&agent->events, answer->events_to));
  }
  if (answer->attributes_stored && !agent->attributes_new) {
    best_effort(hf_store_delete(&agent->store, HF_STORE_ATTRIBUTES));
  }
}

static void act(struct hf_agent *agent, struct hf_agent_next *next, const struct hf_checkin_answer *answer)
{
  enum hf_update_state before = agent->update.progress.state;
  enum hf_err err = hf_update_run(&agent->update, answer->deadline);
  if (err == HF_E_AGAIN) {
    uint32_t pause_s = backoff(agent, 0);
    next->sleep_s = pause_s < next->sleep_s ? pause_s : next->sleep_s;
    return;
  }
  agent->backoff = 0;
  /* As far as signed files bear the server's number out: one that was never reached would hide all orders to come, and
   * what was refused about a repository is asked for again. */
  uint32_t judged = agent->update.judged < answer->director ? agent->update.judged : answer->director;
  /* What the user put off is still to do: the server goes on naming it, with its deadline. */
  bool later = err == HF_OK && agent->update.progress.state == HF_UPDATE_POSTPONED;
  if ((err == HF_OK || err == HF_E_DENIED) && !later && judged != 0 && agent->acted != judged) {
    agent->acted = judged;
    (void)memory_save(agent);
  }
  if (err == HF_OK && agent->update.progress.state == HF_UPDATE_STAGED) {
    next->reboot = true;
    next->reason = HF_RESET_UPDATE;
  } else if (agent->update.progress.state != before) {
    /* News: say so before the server's next date, but not all devices at once. */
    uint32_t pause_s = jitter(HF_AGENT_NEWS_S);
    next->sleep_s = pause_s < next->sleep_s ? pause_s : next->sleep_s;
  }
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
  next->sleep_s = answer.next_s < HF_AGENT_SLEEP_MAX_S ? answer.next_s : HF_AGENT_SLEEP_MAX_S;
  next->sleep_s = next->sleep_s > 0 ? next->sleep_s : 1;
  if (answer.director != 0 && !hf_agent_on_trial(agent)) {
    act(agent, next, &answer);
  } else {
    agent->backoff = 0;
  }
}

void hf_agent_step(struct hf_agent *agent, struct hf_agent_next *next)
{
  *next = (struct hf_agent_next){0};
  hf_port_watchdog_feed();
  enum hf_err err = hf_bootstate_get(&agent->boot, &agent->config->setup.layout->boot);
  if (err != HF_OK) {
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

int64_t hf_agent_time(const struct hf_agent *agent) { return hf_clock_now(&agent->clock); }
