/* SPDX-License-Identifier: Apache-2.0
 * The application's side of a POSIX device: what a product links to be updated, confirmed and watched over.
 *
 *   int main(void)
 *   {
 *     static struct hf_app app;
 *     if (hf_app_init(&app, &spec) != HF_OK) {
 *       return HF_APP_EXIT_FAILED;
 *     }
 *     while (hf_app_step(&app)) {
 *     }
 *     return hf_app_close(&app);
 *   }
 *
 * The product's own work is the spec's `work` function: called about every `work_every_ms`, also while a download is
 * under way. It must come back within the watchdog's time, and it is this, not the network, that the watchdog watches.
 * The program is started by `holdfast-agent run`, never by hand: docs/spec/agent.md says what it is started with.
 */
#ifndef HF_POSIX_APP_H
#define HF_POSIX_APP_H

#include "hf/device/agent.h"
#include "ports/posix/anchors.h"
#include "ports/posix/contract.h"
#include "ports/posix/deviceconf.h"
#include "ports/posix/estclient.h"
#include "ports/posix/imageopen.h"
#include "ports/posix/keychest.h"

/** One metadata file at a time; a targets file of a thousand releases fits. Untouched pages cost nothing. */
#define HF_APP_WORK_CAP (512 * 1024)

/** What the product brings. All borrowed for the application's life. */
struct hf_app_spec {
  int64_t build_time; /**< of this software, seconds since 1970: the device's first idea of the time */
  /** The health check behind confirm-or-revert, as in hf/device/agent.h. NULL: running at all is healthy. */
  enum hf_err (*health)(void *ctx, bool reached);
  /** The product's work; NULL when it has a thread of its own. */
  void (*work)(void *ctx);
  uint32_t work_every_ms; /**< 0: 1000 */
  void *ctx;
};

/** Attributes the product may set before the agent has taken the first of them. */
#define HF_APP_ATTRIBUTES_MAX 8

/** An attribute on its way to the agent. */
struct hf_app_attribute {
  char name[HF_CHECKIN_ATTRIBUTE_NAME_MAX + 1];
  char value[HF_CHECKIN_ATTRIBUTE_VALUE_MAX + 1];
};

/** A running application. About 530 KiB, most of it never touched: make it static. */
struct hf_app {
  const struct hf_app_spec *spec;
  struct hf_deviceconf conf;
  int folder;
  struct hf_flashfile flash;
  struct hf_layout layout;
  struct hf_keychest chest;
  struct hf_imageopen opener;
  struct hf_identity identity;
  struct hf_https https;
  struct hf_agent_config config;
  struct hf_agent agent;
  uint64_t step_at_ms;  /**< next wake-up */
  uint64_t work_at_ms;  /**< next call of the product's work */
  uint64_t enrol_at_ms; /**< next attempt at a certificate */
  uint32_t enrol_pause_s;
  bool renew;   /**< a certificate is wanted, though the present one may still be good */
  bool working; /**< inside the product's work: it must not be entered again */
  uint8_t attribute_count;
  struct hf_app_attribute attribute[HF_APP_ATTRIBUTES_MAX];
  int exit_status;
  bool ended;
  uint8_t work[HF_APP_WORK_CAP];
};

/** Take over what the supervisor prepared, load keys and identity, start the agent. Says what is wrong on standard
 * error. The watchdog is fed from here on. */
HF_MUST enum hf_err hf_app_init(struct hf_app *app, const struct hf_app_spec *spec);

/** Wait until something is due and do it: the product's work, a check-in, an enrolment, a request from outside.
 * @return false: end the program with hf_app_close (a reboot was asked for, or SIGTERM came) */
HF_MUST bool hf_app_step(struct hf_app *app);

/** Free everything. @return the exit status for main */
HF_MUST int hf_app_close(struct hf_app *app);

/** Tell the server about the product: an attribute, kept until the server has it; also from inside `work`.
 * @return HF_OK: it will be told; HF_E_INPUT: too long; HF_E_FULL: more than HF_APP_ATTRIBUTES_MAX in one step */
HF_MUST enum hf_err hf_app_put_attribute(struct hf_app *app, const char *name, const char *value);

/** One line for the log, with the device's id. */
void hf_app_log(const struct hf_app *app, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
