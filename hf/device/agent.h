/* SPDX-License-Identifier: Apache-2.0
 * The device's wake-up: confirm a trial, check in, do what the answer says, say when to wake up again.
 *
 * One hf_agent_step is one wake-up; the port sleeps, reboots and renews certificates as told. A trial is confirmed when
 * the product's health check says so; whether that needs the server is the product's choice, so the check is told if
 * the server was reached (docs/spec/update.md).
 */
#ifndef HF_DEVICE_AGENT_H
#define HF_DEVICE_AGENT_H

#include "hf/device/keyupdate.h"
#include "hf/device/timekey.h"
#include "hf/device/update.h"

/** First and longest pause after a failure, seconds; doubled in between, each drawn from the upper half of its range.
 */
#define HF_AGENT_BACKOFF_FIRST_S 15
#define HF_AGENT_BACKOFF_MAX_S 21600
/** A trial that has not become healthy by then is given up, unless the config says otherwise. */
#define HF_AGENT_TRIAL_MAX_S 300
/** Pause between two looks at a trial's health, seconds. */
#define HF_AGENT_TRIAL_PAUSE_S 2
/** News of an update is told within this time even when the server asked for a longer pause, seconds. */
#define HF_AGENT_NEWS_S 60
/** No server sends a device away for longer, seconds. */
#define HF_AGENT_SLEEP_MAX_S (7 * 86400)

/** Without an order the repositories are asked at least so often, seconds: a freeze is noticed (Uptane). */
#define HF_AGENT_LOOK_S 86400

struct hf_agent_config {
  struct hf_update_setup setup; /**< identity, transport, layout, keys, buffer */
  enum hf_reset reset;          /**< from hf_boot_choose */
  uint8_t slot[HF_IMAGES_MAX];  /**< the running ones, from hf_boot_choose */
  int64_t build_time;           /**< of this software, seconds since 1970 */
  enum hf_key_storage storage;
  /** The product's word on the running image: HF_OK: healthy; HF_E_AGAIN: ask again soon; anything else: not healthy.
   * `reached`: a check-in was answered since this boot. NULL: running at all is healthy. */
  enum hf_err (*health)(void *ctx, bool reached);
  void *health_ctx;
  /** Sign a version report's digest with the device key, ECDSA P-256, DER; `key` gets its hf_pubkey_hash. NULL: reports
   * are not signed, and the server shows what this device says as unproven. */
  enum hf_err (*sign)(void *ctx, struct hf_buf *sig, uint8_t key[HF_SHA256_LEN], const uint8_t digest[HF_SHA256_LEN]);
  void *sign_ctx;
  /** Signed key sets (hf/device/keystore.h), when the boot loader takes them: where they are kept, what they replace,
   * and the keys in force, which `setup.keys` points to. `chain` NULL: none. */
  const struct hf_keystore *keystore;
  const struct hf_image_keys *compiled;
  struct hf_keychain *chain;
  uint32_t trial_max_s;     /**< 0: HF_AGENT_TRIAL_MAX_S */
  const char *checkin_path; /**< "/v1/checkin" when NULL */
};

/** What the port is to do after a step. */
struct hf_agent_next {
  uint32_t sleep_s;     /**< then step again */
  bool reboot;          /**< now, instead of sleeping */
  enum hf_reset reason; /**< of the reboot */
  bool renew;           /**< the certificate, before sleeping; report with hf_agent_renewed */
  bool rekey;           /**< and for a new key, also where the port would keep the old one */
  bool anchors;         /**< ask the server for its CAs (docs/spec/identity.md) and trust those that are vouched for */
  uint32_t takeover;    /**< the server has a takeover order of this version (hf/device/migration.h); 0: none */
};

struct hf_agent {
  const struct hf_agent_config *config;
  struct hf_store store;
  struct hf_events events;
  struct hf_clock clock;
  struct hf_update update;
  struct hf_boot_view boot;
  struct hf_timekey timekey;
  uint32_t boot_id;
  uint32_t number;      /**< check-ins of this boot */
  uint32_t acted;       /**< director version of the last answer acted on, as far as signed files bear it out */
  uint8_t backoff;      /**< failures in a row */
  bool reached;         /**< a check-in was answered since boot */
  bool attributes_new;  /**< set since the last check-in was written */
  bool clock_told;      /**< the event about the server's clock was queued in this boot */
  bool report_due;      /**< the next check-in carries a signed version report */
  uint32_t refused;     /**< key set refused in this boot: told once */
  uint16_t attack;      /**< rule of the attack noticed last, not yet reported; 0: none */
  uint64_t reported_ms; /**< uptime of the last report that was answered */
  int64_t looked;       /**< when the repositories were last asked, seconds since 1970 */
  uint8_t answer[HF_CHECKIN_ANSWER_MAX]; /**< the last answer; signed time borrows it */
  bool has_anchor;
  uint8_t anchor[HF_CHECKIN_ANCHOR_LEN]; /**< hf_agent_put_anchor */
  uint64_t started_ms;
  uint64_t due_ms; /**< next check-in while on trial */
};

/** Factory: begin to trust the two repositories. Nothing is updated before this was done.
 * @param layout         borrows; its store is written
 * @param director_root  borrows: root.json of the director repository
 * @param image_root     borrows: root.json of the image repository
 * @param why            fills; may be NULL
 * @return HF_OK; HF_E_DENIED: a root is not signed by its own keys; HF_E_EXISTS: done before; HF_E_FULL; HF_E_IO */
HF_MUST enum hf_err hf_agent_provision(const struct hf_layout *layout, struct hf_bytes director_root,
                                       struct hf_bytes image_root, struct hf_why *why);

/** Start of the application: opens the store, counts the boot, notes what the boot loader found.
 * @param agent   fills; about 2 KiB
 * @param config  borrows for the agent's life
 * @return HF_OK; HF_E_NOT_FOUND: not provisioned; HF_E_INPUT: config; else from store or boot records */
HF_MUST enum hf_err hf_agent_init(struct hf_agent *agent, const struct hf_agent_config *config);

/** One wake-up. Never fails: what goes wrong becomes an event, a state and a pause.
 * @param next  fills
 * Blocks for network and flash. No heap; about 8 KiB of stack beside the crypto back end's. */
void hf_agent_step(struct hf_agent *agent, struct hf_agent_next *next);

/** Set an attribute; told to the server until it says that it has it. An empty value removes it.
 * @return HF_OK; HF_E_INPUT: too long, or not plain UTF-8 (no control characters); HF_E_FULL: more than
 * HF_CHECKIN_ATTRIBUTES_MAX at one time */
HF_MUST enum hf_err hf_agent_put_attribute(struct hf_agent *agent, struct hf_bytes name, struct hf_bytes value);

/** The certificate was renewed (HF_OK) or could not be; queues an event. */
void hf_agent_renewed(struct hf_agent *agent, enum hf_err err);

/** The port tells which server CA is the newest it trusts: told to the server in each check-in.
 * @param sha256  of its certificate; borrows */
void hf_agent_put_anchor(struct hf_agent *agent, const uint8_t sha256[HF_SHA256_LEN]);

/** The device's best time, seconds since 1970: for judging certificates. */
int64_t hf_agent_time(const struct hf_agent *agent);

/** Has the running image still to prove itself? */
bool hf_agent_on_trial(const struct hf_agent *agent);

#endif
