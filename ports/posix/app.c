/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/posix/app.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hf/base/time.h"
#include "hf/wire/pubkey.h"
#include "ports/posix/machine.h"
#include "ports/posix/requests.h"
#include "ports/posix/words.h"

#define WORK_EVERY_MS 1000u
#define ENROL_PAUSE_FIRST_S 5u
#define ENROL_PAUSE_MAX_S 21600u

void hf_app_log(const struct hf_app *app, const char *format, ...)
{
  char line[512];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(line, sizeof line, format, args);
  va_end(args);
  (void)fprintf(stderr, "%s: %s\n", app->conf.device, line);
}

/* ---- signals ---- */

static void stop_signals(sigset_t *set)
{
  (void)sigemptyset(set);
  (void)sigaddset(set, SIGTERM);
  (void)sigaddset(set, SIGINT);
}

/* Sleep, or end sooner when somebody asks the program to stop. */
static bool asked_to_stop(uint64_t wait_ms)
{
  sigset_t set;
  stop_signals(&set);
  struct timespec wait = {.tv_sec = (time_t)(wait_ms / 1000), .tv_nsec = (long)(wait_ms % 1000) * 1000000L};
  return sigtimedwait(&set, NULL, &wait) > 0;
}

static void stop(struct hf_app *app, int exit_status)
{
  if (!app->ended) {
    app->ended = true;
    app->exit_status = exit_status;
  }
}

/* ---- the product's work ---- */

static void do_work(struct hf_app *app)
{
  uint64_t now = hf_port_uptime_ms();
  if (app->spec->work == NULL) {
    hf_port_watchdog_feed();
    return;
  }
  if (now < app->work_at_ms || app->working) {
    return;
  }
  app->working = true;
  app->spec->work(app->spec->ctx);
  app->working = false;
  app->work_at_ms = now + (app->spec->work_every_ms != 0 ? app->spec->work_every_ms : WORK_EVERY_MS);
  hf_port_watchdog_feed();
}

/* While a request waits for the network the product goes on; the agent's own state is not touched from here. */
static bool while_waiting(void *ctx)
{
  struct hf_app *app = ctx;
  do_work(app);
  if (asked_to_stop(0)) {
    stop(app, HF_APP_EXIT_STOPPED);
  }
  return !app->ended;
}

enum hf_err hf_app_put_attribute(struct hf_app *app, const char *name, const char *value)
{
  uint8_t i = 0;
  while (i < app->attribute_count && strcmp(app->attribute[i].name, name) != 0) {
    i++;
  }
  if (i == HF_APP_ATTRIBUTES_MAX) {
    return HF_E_FULL;
  }
  struct hf_app_attribute *slot = &app->attribute[i];
  struct hf_app_attribute fresh;
  int name_len = snprintf(fresh.name, sizeof fresh.name, "%s", name);
  int value_len = snprintf(fresh.value, sizeof fresh.value, "%s", value);
  if (name_len < 1 || (size_t)name_len >= sizeof fresh.name || value_len < 0 ||
      (size_t)value_len >= sizeof fresh.value) {
    return HF_E_INPUT;
  }
  *slot = fresh;
  app->attribute_count = i == app->attribute_count ? (uint8_t)(i + 1) : app->attribute_count;
  return HF_OK;
}

static void pass_attributes(struct hf_app *app)
{
  for (uint8_t i = 0; i < app->attribute_count; i++) {
    const struct hf_app_attribute *one = &app->attribute[i];
    enum hf_err err = hf_agent_put_attribute(&app->agent, hf_bytes_text(one->name), hf_bytes_text(one->value));
    if (err != HF_OK) {
      hf_app_log(app, "attribute %s: %s", one->name, hf_err_name(err));
    }
  }
  app->attribute_count = 0;
}

/* ---- requests from outside ---- */

static bool parse_seconds(int64_t *seconds, struct hf_bytes text)
{
  int64_t sum = 0;
  if (text.len == 0 || text.len > 12) {
    return false;
  }
  for (size_t i = 0; i < text.len; i++) {
    if (text.at[i] < '0' || text.at[i] > '9') {
      return false;
    }
    sum = sum * 10 + (text.at[i] - '0');
  }
  *seconds = sum;
  return true;
}

static enum hf_err do_request(void *ctx, struct hf_buf *detail, const struct hf_requests_item *item)
{
  struct hf_app *app = ctx;
  int64_t until = 0;
  int64_t granted = 0;
  if (hf_bytes_is(item->kind, "attribute")) {
    return hf_agent_put_attribute(&app->agent, item->name, item->value);
  }
  if (!hf_bytes_is(item->kind, "postpone") || !parse_seconds(&until, item->name)) {
    return HF_E_INPUT;
  }
  enum hf_err err = hf_update_postpone(&app->agent.update, &granted, until);
  if (err == HF_OK) {
    hf_time_put(detail, granted);
  }
  return err;
}

/* ---- certificates ---- */

/* In the last third of its life a certificate is renewed without being told to; by the server's time, since by a clock
 * that is wrong it would be renewed at every start. */
static bool wants_certificate(const struct hf_app *app)
{
  const X509 *cert = app->identity.device_pair.cert;
  if (cert == NULL || app->renew) {
    return true;
  }
  int64_t begins = hf_identity_begins(cert);
  int64_t ends = hf_identity_ends(cert);
  return app->agent.clock.told != 0 && hf_agent_time(&app->agent) > ends - (ends - begins) / 3;
}

/* Between the half and the whole of the pause, so that a fleet does not come back as one. */
static uint64_t spread_ms(uint32_t pause_s)
{
  uint32_t random = 0;
  enum hf_err err = hf_random(&random, sizeof random);
  uint64_t half = (uint64_t)pause_s * 500u;
  return err == HF_OK && half > 0 ? half + random % half : 2 * half;
}

static void enrol(struct hf_app *app)
{
  static const char *const words[] = {"", "with the present one", "with the factory certificate", "with a token"};
  struct hf_trouble trouble = {.what = ""};
  enum hf_estclient_by by = HF_ESTCLIENT_NONE;
  bool renewal = app->identity.device_pair.cert != NULL;
  const struct hf_csr_subject subject = {.device = hf_bytes_text(app->conf.device),
                                         .product = hf_bytes_text(app->conf.product),
                                         .hardware = hf_bytes_text(app->conf.hardware)};
  enum hf_err err = hf_estclient_run(&by, &app->https, &app->identity, &subject, &trouble);
  if (renewal || err == HF_OK) {
    hf_agent_renewed(&app->agent, err);
  }
  if (err == HF_OK) {
    app->renew = false;
    app->config.storage = (enum hf_key_storage)hf_identity_home(&app->identity);
    app->enrol_pause_s = ENROL_PAUSE_FIRST_S;
    app->step_at_ms = renewal ? app->step_at_ms : 0;
    hf_app_log(app, "new certificate, %s", words[by]);
    return;
  }
  app->enrol_at_ms = hf_port_uptime_ms() + spread_ms(app->enrol_pause_s);
  app->enrol_pause_s = app->enrol_pause_s < ENROL_PAUSE_MAX_S / 2 ? 2 * app->enrol_pause_s : ENROL_PAUSE_MAX_S;
  if (!app->ended) {
    hf_app_log(app, "no certificate (%s): %s [%s]", hf_err_name(err), trouble.what, trouble.where);
  }
}

/* The server has a newer CA than we trust; at the next check-in it hears whether we do now. */
static void learn_anchors(struct hf_app *app)
{
  struct hf_trouble trouble = {.what = ""};
  unsigned added = 0;
  uint8_t sha256[HF_SHA256_LEN];
  enum hf_err err = hf_anchors_fetch(&added, &app->https, &app->identity, &trouble);
  if (added > 0) {
    enum hf_err trusted = hf_https_trust(&app->https, app->identity.server_ca);
    err = err == HF_OK ? trusted : err;
  }
  if (hf_anchors_newest(sha256, app->identity.server_ca) == HF_OK) {
    hf_agent_put_anchor(&app->agent, sha256);
  }
  if (err == HF_OK) {
    hf_app_log(app, "trusts %u more of the server's CAs", added);
  } else if (!app->ended) {
    hf_app_log(app, "the server's new CA is not trusted (%s): %s [%s]", hf_err_name(err), trouble.what, trouble.where);
  }
}

/* ---- the loop ---- */

static void wake_agent(struct hf_app *app)
{
  struct hf_agent_next next = {.sleep_s = 0};
  enum hf_update_state before = app->agent.update.progress.state;
  hf_agent_step(&app->agent, &next);
  enum hf_update_state after = app->agent.update.progress.state;
  if (after != before) {
    uint16_t rule = app->agent.update.progress.rule;
    hf_app_log(app, "update %s%s%s", hf_words_update(after), rule != 0 ? ": " : "",
               rule != 0 ? hf_rule_words(rule)->what : "");
  }
  if (next.reboot) {
    stop(app, HF_APP_EXIT_REBOOT + (int)next.reason);
    return;
  }
  if (next.anchors) {
    learn_anchors(app);
  }
  app->renew = app->renew || next.renew || hf_https_refused(&app->https);
  app->step_at_ms = hf_port_uptime_ms() + (uint64_t)next.sleep_s * 1000u;
}

/* Without a certificate the server does not talk to us; a trial goes on proving itself all the same. */
static bool may_wake(const struct hf_app *app)
{
  return app->identity.device_pair.cert != NULL || hf_agent_on_trial(&app->agent);
}

static uint64_t next_due(const struct hf_app *app)
{
  uint64_t due = hf_port_uptime_ms() + WORK_EVERY_MS; /* requests from outside wait no longer than this */
  if (app->spec->work != NULL && app->work_at_ms < due) {
    due = app->work_at_ms;
  }
  if (may_wake(app) && app->step_at_ms < due) {
    due = app->step_at_ms;
  }
  if (wants_certificate(app) && app->enrol_at_ms < due) {
    due = app->enrol_at_ms;
  }
  return due;
}

bool hf_app_step(struct hf_app *app)
{
  do_work(app);
  hf_requests_take(app->folder, do_request, app);
  pass_attributes(app);
  if (!app->ended && wants_certificate(app) && hf_port_uptime_ms() >= app->enrol_at_ms) {
    enrol(app);
  }
  if (!app->ended && may_wake(app) && hf_port_uptime_ms() >= app->step_at_ms) {
    wake_agent(app);
  }
  if (app->ended) {
    return false;
  }
  uint64_t now = hf_port_uptime_ms();
  uint64_t due = next_due(app);
  if (asked_to_stop(due > now ? due - now : 0)) {
    stop(app, HF_APP_EXIT_STOPPED);
  }
  return !app->ended;
}

/* ---- start and end ---- */

static bool parse_env(uint32_t *value, const char *name, uint32_t max)
{
  const char *text = getenv(name);
  if (text == NULL || text[0] < '0' || text[0] > '9' || text[1] != '\0') {
    return false;
  }
  *value = (uint32_t)(text[0] - '0');
  return *value <= max;
}

static enum hf_err open_device(struct hf_app *app, struct hf_trouble *trouble)
{
  app->folder = HF_APP_FD_FOLDER;
  if (fcntl(HF_APP_FD_FLASH, F_SETFD, FD_CLOEXEC) != 0 || fcntl(HF_APP_FD_ALIVE, F_SETFD, FD_CLOEXEC) != 0 ||
      fcntl(HF_APP_FD_FOLDER, F_SETFD, FD_CLOEXEC) != 0) {
    hf_trouble_put(trouble, "", "start the device with `holdfast-agent run DIR`",
                   "this program is a device's application and was not started by the device's supervisor");
    return HF_E_STATE;
  }
  hf_machine_watchdog_open(HF_APP_FD_ALIVE);
  hf_port_watchdog_feed();
  enum hf_err err = hf_deviceconf_get(&app->conf, app->folder, trouble);
  if (err != HF_OK) {
    return err;
  }
  if (!app->conf.clock) {
    hf_machine_clock_put(INT64_MIN);
  }
  struct hf_flashfile_geometry geometry = hf_deviceconf_geometry(&app->conf);
  err = hf_flashfile_adopt(&app->flash, HF_APP_FD_FLASH, &geometry);
  if (err != HF_OK) {
    hf_trouble_put(trouble, "flash.bin", "see device.conf", "the flash is not of the configured geometry");
    return err;
  }
  app->flash.durable = app->conf.durable;
  hf_flashfile_layout(&app->layout, &app->flash, &geometry);
  err = hf_keychest_open(&app->chest, app->folder, &app->conf, &app->flash, trouble);
  if (err == HF_OK) {
    err = hf_imageopen_get(&app->opener, app->folder, trouble);
  }
  return err == HF_OK ? hf_identity_open(&app->identity, app->folder, app->conf.device, trouble) : err;
}

static enum hf_err open_network(struct hf_app *app, struct hf_trouble *trouble)
{
  const struct hf_https_spec spec = {.server = app->conf.server,
                                     .server_ca = app->identity.server_ca,
                                     .clock = &app->agent.clock,
                                     .deadline_s = app->conf.deadline_s,
                                     .rate_window_s = app->conf.rate_window_s,
                                     .rate_min = app->conf.rate_min,
                                     .rate_max = app->conf.rate_max,
                                     .wait = while_waiting,
                                     .ctx = app};
  enum hf_err err = hf_https_open(&app->https, &spec);
  if (err == HF_OK && app->identity.device_pair.cert != NULL) {
    err = hf_https_login(&app->https, &(struct hf_https_login){.pair = &app->identity.device_pair});
  }
  if (err != HF_OK) {
    hf_trouble_put(trouble, app->conf.server, "see device.conf", "cannot prepare the connection to the server (%s)",
                   hf_err_name(err));
  }
  return err;
}

static enum hf_err health(void *ctx, bool reached)
{
  struct hf_app *app = ctx;
  return app->spec->health(app->spec->ctx, reached);
}

/* Version reports are signed by the key of the certificate, wherever it is kept. */
static enum hf_err sign_report(void *ctx, struct hf_buf *sig, uint8_t key[HF_SHA256_LEN],
                               const uint8_t digest[HF_SHA256_LEN])
{
  const struct hf_app *app = ctx;
  const struct hf_key *own = app->identity.device_pair.key;
  struct hf_pubkey pub;
  if (own == NULL) {
    return HF_E_NOT_FOUND; /* not enrolled yet */
  }
  enum hf_err err = hf_key_public(&pub, own);
  if (err != HF_OK) {
    return err;
  }
  hf_pubkey_hash(key, &pub);
  return hf_key_sign_digest(sig, own, digest);
}

static enum hf_err open_agent(struct hf_app *app, struct hf_trouble *trouble)
{
  uint32_t slot = 0;
  uint32_t reset = 0;
  if (!parse_env(&slot, HF_APP_ENV_SLOT, HF_SLOTS - 1) || !parse_env(&reset, HF_APP_ENV_RESET, HF_RESET_REVERT)) {
    hf_trouble_put(trouble, "", "start the device with `holdfast-agent run DIR`",
                   "the supervisor did not say which slot runs and why the device started");
    return HF_E_STATE;
  }
  struct hf_update_setup setup = {.transport = {.ops = &hf_https_ops, .ctx = &app->https},
                                  .layout = &app->layout,
                                  .keys = &app->chest.chain.keys,
                                  .box = hf_imageopen_box(&app->opener),
                                  .device = hf_bytes_text(app->conf.device),
                                  .product = hf_bytes_text(app->conf.product),
                                  .component = hf_bytes_text(app->conf.component),
                                  .hardware = hf_bytes_text(app->conf.hardware),
                                  .work = app->work,
                                  .work_cap = sizeof app->work};
  app->config = (struct hf_agent_config){.setup = setup,
                                         .reset = (enum hf_reset)reset,
                                         .slot = {(uint8_t)slot},
                                         .build_time = app->spec->build_time,
                                         .storage = (enum hf_key_storage)hf_identity_home(&app->identity),
                                         .health = app->spec->health != NULL ? health : NULL,
                                         .health_ctx = app,
                                         .keystore = hf_keychest_store(&app->chest),
                                         .compiled = &app->chest.keys.keys,
                                         .chain = hf_keychest_store(&app->chest) == NULL ? NULL : &app->chest.chain,
                                         .sign = sign_report,
                                         .sign_ctx = app,
                                         .trial_max_s = app->conf.trial_s};
  enum hf_err err = hf_agent_init(&app->agent, &app->config);
  if (err != HF_OK) {
    hf_trouble_put(trouble, "flash.bin", "provision the device anew, or restore its flash file",
                   "the device's records cannot be used (%s)", hf_err_name(err));
  }
  return err;
}

static void release(struct hf_app *app)
{
  hf_https_close(&app->https);
  hf_identity_close(&app->identity);
  hf_imageopen_close(&app->opener);
  hf_flashfile_close(&app->flash);
}

enum hf_err hf_app_init(struct hf_app *app, const struct hf_app_spec *spec)
{
  struct hf_trouble trouble = {.what = ""};
  sigset_t set;
  memset(app, 0, offsetof(struct hf_app, work));
  app->spec = spec;
  app->flash.fd = -1;
  app->enrol_pause_s = ENROL_PAUSE_FIRST_S;
  stop_signals(&set);
  (void)sigprocmask(SIG_BLOCK, &set, NULL);
  enum hf_err err = open_device(app, &trouble);
  if (err == HF_OK) {
    err = open_agent(app, &trouble);
  }
  if (err == HF_OK) {
    err = open_network(app, &trouble);
  }
  uint8_t sha256[HF_SHA256_LEN];
  if (err == HF_OK && hf_anchors_newest(sha256, app->identity.server_ca) == HF_OK) {
    hf_agent_put_anchor(&app->agent, sha256);
  }
  if (err != HF_OK) {
    hf_trouble_print(app->conf.device[0] != '\0' ? app->conf.device : "application", &trouble);
    release(app);
  }
  return err;
}

int hf_app_close(struct hf_app *app)
{
  release(app);
  return app->exit_status;
}
